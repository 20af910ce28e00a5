//! What a profile says, in plain words.

use maud::{Markup, html};
use serde::Deserialize as _;
use serde_json::Value;

use crate::console::device::command::node_value;
use crate::console::text;
use crate::desired::{Document, Drift, Dropped, Firmware, Node, Observe, Software};

/// One thing that a profile wants.
pub enum Wish<'a> {
    Node(&'a Node),
    Software(&'a Software),
    Firmware(&'a Firmware),
    Observe(&'a Observe),
}

/// All things that a document wants, in its order.
pub fn wishes(document: &Document) -> Vec<Wish<'_>> {
    let nodes = document.nodes.iter().map(Wish::Node);
    let software = document.software.iter().map(Wish::Software);
    let firmware = document.firmware.iter().map(Wish::Firmware);
    let observe = document.observe.iter().map(Wish::Observe);
    nodes.chain(software).chain(firmware).chain(observe).collect()
}

/// A wish as a sentence.
pub fn wish(wish: &Wish<'_>) -> Markup {
    match wish {
        Wish::Node(node) => self::node(node),
        Wish::Software(software) => self::software(software),
        Wish::Firmware(firmware) => html! {
            "The firmware is " b { (text::shown(&firmware.package)) } " in version " b { (text::shown(&firmware.version)) } "."
            (after(&firmware.after))
        },
        Wish::Observe(observe) => html! {
            (exact(&observe.address)) " is always known: it is read again when what is known is older than " b { (observe.every) } "."
        },
    }
}

fn node(node: &Node) -> Markup {
    html! {
        (exact(&node.address))
        @match (&node.value, node.interior, node.absent) {
            (Some(value), ..) => { " has the value " b { (node_value(value)) } },
            (None, true, _) => " is there",
            (None, false, _) => " is not there",
        }
        "."
        @if let Some(id) = &node.id { span.quiet { " It is called " (text::shown(id)) " here." } }
        (after(&node.after))
        @if let Some(drift) = node.drift { span.quiet { " When it changes, it is " (drift_in_words(drift)) "." } }
        @if let Some(dropped) = node.dropped { span.quiet { " When it is wanted no more, it " (dropped_in_words(dropped)) "." } }
    }
}

fn software(software: &Software) -> Markup {
    html! {
        "The software " b { (text::shown(&software.package)) }
        @match &software.version {
            Some(version) if !software.absent => { " is installed in version " b { (text::shown(version)) } "." },
            _ => " is not installed.",
        }
        (after(&software.after))
    }
}

fn after(names: &[String]) -> Markup {
    html! {
        @if !names.is_empty() {
            span.quiet {
                " Only after "
                @for (place, name) in names.iter().take(20).enumerate() { @if place > 0 { ", " } (text::shown(name)) }
                @if names.len() > 20 { ", …" }
                "."
            }
        }
    }
}

fn exact(address: &str) -> Markup {
    html! { span.mono { (text::shown(address)) } }
}

fn drift_in_words(drift: Drift) -> &'static str {
    match drift {
        Drift::Repair => "brought back",
        Drift::Report => "shown as drifted",
    }
}

fn dropped_in_words(dropped: Dropped) -> &'static str {
    match dropped {
        Dropped::Leave => "stays as it is",
        Dropped::Delete => "is deleted",
    }
}

/// What a document says of all its wishes.
pub fn rules(document: &Document) -> Vec<(&'static str, Markup)> {
    vec![
        (
            "Priority",
            html! { (document.priority) span.quiet { " – where two profiles disagree, the higher number counts" } },
        ),
        ("A device that changes by itself or by hand", html! { "is " (drift_in_words(document.drift)) }),
        ("What it wants no more", html! { (dropped_in_words(document.dropped)) }),
        (
            "Its settings are read again",
            match document.check {
                Some(check) => html! { "every " (check) },
                None => html! { "never; changes are seen when the device reports them" },
            },
        ),
        (
            "What fails is tried",
            html! {
                @if document.attempts == 1 { "once" } @else { (document.attempts) " times, after " (document.retry_after) ", and then each time twice as long" }
            },
        ),
        (
            "Meant for",
            match &document.group {
                Some(group) => html! { "the group " (text::shown(group)) },
                None => html! { "all devices, unless it is assigned to a group" },
            },
        ),
    ]
}

/// A member of a document as the editor calls it; any other part as it is.
pub fn called(what: &str) -> &str {
    match what {
        "name" => "Name",
        "description" => "What it is for",
        "priority" => "Priority",
        "group" => "Group that it is meant for",
        "drift" => "A device that changes by itself, or by hand",
        "dropped" => "What a later version does not mention",
        "check" => "Read the settings again every",
        "attempts" => "Attempts",
        "retry_after" => "Pause after a failed attempt",
        "firmware" => "Firmware",
        what => what,
    }
}

/// A part of a document as a difference shows it.
pub fn part(what: &str, value: &Value) -> Markup {
    let of_kind = |kind: &str| what.split(' ').next() == Some(kind);
    let read = |wish: Option<Markup>| wish.unwrap_or_else(|| node_value(value));
    if of_kind("node") {
        read(serde_json::from_value(value.clone()).ok().map(|one: Node| wish(&Wish::Node(&one))))
    } else if of_kind("software") {
        read(serde_json::from_value(value.clone()).ok().map(|one: Software| wish(&Wish::Software(&one))))
    } else if of_kind("observe") {
        read(serde_json::from_value(value.clone()).ok().map(|one: Observe| wish(&Wish::Observe(&one))))
    } else if what == "firmware" {
        read(serde_json::from_value(value.clone()).ok().map(|one: Firmware| wish(&Wish::Firmware(&one))))
    } else if what == "drift" {
        read(Drift::deserialize(value).ok().map(|drift| html! { (drift_in_words(drift)) }))
    } else if what == "dropped" {
        read(Dropped::deserialize(value).ok().map(|dropped| html! { (dropped_in_words(dropped)) }))
    } else {
        node_value(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(what: &str, value: Value) -> String {
        let markup = part(what, &value).into_string();
        let mut said = String::new();
        let mut is_tag = false;
        for c in markup.chars() {
            match c {
                '<' => is_tag = true,
                '>' => is_tag = false,
                c if !is_tag => said.push(c),
                _ => {}
            }
        }
        said
    }

    #[test]
    fn wishes_are_sentences() {
        for (what, value, expected) in [
            ("node ./A", json!({ "address": "./A", "value": 7 }), "./A has the value 7."),
            (
                "node ./A",
                json!({ "address": "./A", "absent": true, "after": ["x", "y"] }),
                "./A is not there. Only after x, y.",
            ),
            (
                "node u",
                json!({ "address": "u", "interior": true, "drift": "report" }),
                "u is there. When it changes, it is shown as drifted.",
            ),
            (
                "software s",
                json!({ "package": "s", "version": "2" }),
                "The software s is installed in version 2.",
            ),
            ("software s", json!({ "package": "s", "absent": true }), "The software s is not installed."),
            ("firmware", json!({ "package": "b", "version": "7" }), "The firmware is b in version 7."),
            (
                "observe ./B",
                json!({ "address": "./B", "every": "1h" }),
                "./B is always known: it is read again when what is known is older than 1h.",
            ),
            ("priority", json!(7), "7"),
            ("dropped", json!("delete"), "is deleted"),
            ("group", json!("delete"), "delete"),
            ("node of something else", json!("x"), "x"),
        ] {
            assert_eq!(said(what, value), expected);
        }
    }
}
