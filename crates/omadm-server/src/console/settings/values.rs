//! Settings with their values, where these came from, and what they mean.

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use crate::console::text;

/// A setting.
#[derive(Debug, Deserialize)]
pub struct Setting {
    key: String,
    value: Value,
    default: Value,
    /// Whether somebody gave it.
    pub given: bool,
    origin: String,
    about: String,
}

impl Setting {
    /// Its section.
    pub fn section(&self) -> &str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }
}

/// Settings, each with what it is and what it means.
pub fn list(settings: &[Setting]) -> Markup {
    html! {
        ul.entries {
            @for setting in settings {
                li {
                    div.row {
                        b.mono { (text::shown(&setting.key)) }
                        span { (value(&setting.value)) }
                        @if setting.given {
                            span.quiet { "from " (text::shown(&setting.origin)) @if setting.default != setting.value { "; else " (value(&setting.default)) } }
                        } @else { span.quiet { "unless it is set" } }
                    }
                    p.meaning { (marked(&setting.about)) }
                }
            }
        }
    }
}

fn value(value: &Value) -> Markup {
    match value {
        Value::Null => html! { span.quiet { "none" } },
        Value::Array(items) if items.is_empty() => html! { span.quiet { "none" } },
        Value::String(text) if text.is_empty() => html! { span.quiet { "(empty)" } },
        Value::String(text) => html! { span.mono { (text::shown(text)) } },
        other => html! { span.mono { (text::shown(&other.to_string())) } },
    }
}

/// The Markdown of the manual: code, and links by their words alone, as their targets are not here.
fn marked(markdown: &str) -> Markup {
    let mut plain = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        match link.split_once("](").and_then(|(words, link)| Some((words, link.split_once(')')?.1))) {
            Some((words, after)) if !words.contains(['[', ']']) => {
                plain.push_str(words);
                rest = after;
            }
            _ => {
                plain.push('[');
                rest = link;
            }
        }
    }
    plain.push_str(rest);
    html! {
        @for (place, piece) in plain.split('`').enumerate() {
            @if place % 2 == 0 { (text::plain(piece, text::LONG)) } @else { code { (text::plain(piece, text::LONG)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_markdown_of_the_manual_is_drawn() {
        let shown = |text| marked(text).into_string();
        assert_eq!(shown("a `b` c"), "a <code>b</code> c");
        assert_eq!(shown("see [Packages](packages.md)."), "see Packages.");
        assert_eq!(
            shown("such as `[\"a\"]`; `[[x]]` <b>"),
            "such as <code>[\"a\"]</code>; <code>[[x]]</code> &lt;b&gt;".replace('"', "&quot;")
        );
        assert_eq!(shown("with a [`Retry-After`](o.md#x)"), "with a <code>Retry-After</code>");
    }
}
