//! What was said of a campaign, in words.

use maud::{Markup, html};
use serde_json::Value;

use super::data::{Campaign, Hold, Stage, Window};
use super::span;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// What is done to each device.
pub fn change(visit: &Visit, change: &Value) -> Markup {
    let text_of = |pointer: &str| change.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let package = |kind: &str, id: &str| {
        html! {
            (kind) " "
            @if visit.may("GET", "/packages/{package}") { a href=(path(&["packages", id], &[])) { (text::shown(id)) } } @else { (text::shown(id)) }
        }
    };
    if change.get("firmware").is_some() {
        return package("firmware from the package", text_of("/firmware/package"));
    }
    if change.get("software").is_some() {
        return package("software from the package", text_of("/software/package"));
    }
    if change.get("profile").is_some() {
        let version = change.pointer("/profile/version").and_then(Value::as_i64).unwrap_or_default();
        return html! { "version " (version) " of the profile " (text::shown(text_of("/profile/name"))) };
    }
    html! {
        "the command " b { (text::shown(text_of("/command/verb"))) } " "
        span.mono { (text::shown(text_of("/command/address"))) }
        @if let Some(value) = change.pointer("/command/value") { " to " (text::shown(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))) }
    }
}

/// Which devices, with the way to them.
pub fn devices(campaign: &Campaign) -> Markup {
    html! {
        @match campaign.spec.filter.as_deref() {
            None | Some("") => "all",
            Some(filter) => a.mono href=(path(&["devices"], &[("filter", filter)])) { (text::shown(filter)) },
        }
        @if let Some(groups) = &campaign.groups { ", within " (text::shown(&groups.join(", "))) }
    }
}

/// How a campaign goes on, as names and values.
pub fn rules(campaign: &Campaign) -> Vec<(&'static str, Markup)> {
    let spec = &campaign.spec;
    let mut rules = vec![("Time of day", window(spec.window.as_ref()))];
    if let Some(start) = &spec.start {
        rules.push(("Begins", text::shown(start)));
    }
    if let Some(stop) = &spec.stop {
        rules.push(("Stops by itself", text::shown(stop)));
    }
    let rate = spec.rate.map(|rate| format!("at most {} devices a minute", text::number(rate)));
    rules.push(("Speed", html! { (rate.unwrap_or_else(|| "as fast as devices come".to_owned())) }));
    let failures = spec.failures.as_ref().map(|failures| {
        let (percent, sample) = (failures.percent, failures.sample.unwrap_or(20));
        format!("when {percent} % of the devices fail, once {sample} have come to an end")
    });
    rules.push(("Fails", html! { (failures.unwrap_or_else(|| "never by itself".to_owned())) }));
    let attempts = spec.retry.attempts.unwrap_or(1);
    let wait = span::said(spec.retry.wait.unwrap_or(3_600));
    rules.push((
        "Attempts on a device",
        html! { (attempts) @if attempts > 1 { ", the second after " (wait) ", then twice as long each time" } },
    ));
    rules.push(("A device has to come within", html! { (span::said(spec.expires_in.unwrap_or(604_800))) }));
    if spec.late.as_deref() == Some("include") {
        rules.push(("New devices", html! { "belong to it, too" }));
    }
    if spec.rivals.as_deref() == Some("skip") {
        rules.push(("Where another campaign is at the same thing", html! { "the device is left out" }));
    }
    rules
}

fn window(window: Option<&Window>) -> Markup {
    let Some(window) = window else { return html! { "any" } };
    html! {
        (text::plain(&window.from, 20)) " to " (text::plain(&window.to, 20)) ", "
        (text::shown(window.zone.as_deref().unwrap_or("UTC")))
        @if let Some(label) = &window.zone_label { ", or the zone in the label " (text::shown(label)) }
    }
}

/// Which devices a stage goes to; `before` is the percent of the stage before it.
pub fn stage(stage: Option<&Stage>, before: f64) -> Markup {
    match stage {
        Some(Stage { filter: Some(filter), .. }) => {
            html! { "the devices of " span.mono { (text::shown(filter)) } }
        }
        Some(Stage { percent: Some(percent), .. }) if before > 0.0 => {
            html! { "from " (before) " % up to " (percent) " % of the devices" }
        }
        Some(Stage { percent: Some(percent), .. }) => html! { (percent) " % of the devices" },
        Some(_) | None => html! { "all devices" },
    }
}

/// What has to happen before the next stage.
pub fn hold(hold: Option<&Hold>) -> String {
    let Some(hold) = hold else {
        return "The next stage begins when all devices of this one were reached.".to_owned();
    };
    let settled = hold.settled.unwrap_or(100);
    let mut said = format!("The next stage begins when {settled} % of the devices so far are through");
    if let Some(seconds) = hold.seconds.filter(|seconds| *seconds > 0) {
        said.push_str(&format!(", {} later", span::said(seconds)));
    }
    said.push_str(if hold.approval { ", and somebody says so." } else { "." });
    said
}

/// What is said of a campaign that is not simply under way.
pub fn standing(visit: &Visit, campaign: &Campaign) -> Markup {
    html! {
        @if let Some(why) = &campaign.why { p.said { (text::shown_long(why)) } }
        @if campaign.state == "draft" { p.said { "It was not started: nothing has happened to any device." } }
        @if campaign.taking_back { p.warning role="status" { "What its devices were given is being taken back." } }
        @if let Some(since) = campaign.holding.as_deref().filter(|_| campaign.state == "holding") {
            p.warning role="status" {
                "Stage " (campaign.stage) " is through; that was " (parts::age(visit.now, since)) ". "
                @if campaign.needs_approval { "The next stage waits for somebody who says that it may begin." }
                @else { "The next stage begins by itself when its time has come." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_are_told_in_words() {
        let said = |settled, seconds, approval| hold(Some(&Hold { settled, seconds, approval }));
        assert_eq!(
            said(Some(90), Some(7_200), true),
            "The next stage begins when 90 % of the devices so far are through, 2 h later, and somebody says so."
        );
        assert_eq!(
            said(None, None, false),
            "The next stage begins when 100 % of the devices so far are through."
        );
        assert!(hold(None).contains("were reached"));
    }

    #[test]
    fn stages_say_whom_they_go_to() {
        let percent = |percent| Stage { percent: Some(percent), ..Stage::default() };
        assert_eq!(stage(Some(&percent(0.5)), 0.0).into_string(), "0.5 % of the devices");
        assert_eq!(stage(Some(&percent(100.0)), 0.5).into_string(), "from 0.5 % up to 100 % of the devices");
        assert_eq!(stage(None, 0.0).into_string(), "all devices");
    }
}
