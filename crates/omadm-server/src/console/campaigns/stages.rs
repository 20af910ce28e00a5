//! The stages of a campaign, each with how far it is.

use maud::{Markup, html};

use super::data::{Campaign, Stage};
use super::words;
use crate::console::parts::chart::{self, Part};
use crate::console::{parts, text};

/// Stages that are shown before and after the one in work.
const AROUND: usize = 10;

/// Shows the stages.
pub fn shown(campaign: &Campaign) -> Markup {
    let (number, now) = (campaign.stages.max(1), campaign.stage.saturating_sub(1));
    let (first, last) = (now.saturating_sub(AROUND), number.min(now + AROUND + 1));
    html! {
        @if first > 0 { p.quiet { (text::number(first)) " stages before these." } }
        ul.stages {
            @for place in first..last { li { (stage(campaign, place)) } }
        }
        @if last < number { p.quiet { "… and " (text::number(number - last)) " more." } }
    }
}

fn stage(campaign: &Campaign, place: usize) -> Markup {
    let spec = campaign.spec.stages.get(place);
    let is_last = place + 1 >= campaign.stages;
    html! {
        h3 { "Stage " (place + 1) ": " (words::stage(spec, before(campaign, place))) " " (parts::state(standing(campaign, place))) }
        @if let Some(parts) = parts_of(campaign, place) { (chart::stacked(&format!("Stage {}", place + 1), &parts)) }
        @if place + 1 == campaign.stage && campaign.state == "running" {
            p.quiet { @if campaign.scanned { "All its devices were reached." } @else { "Its devices are being reached." } }
        }
        @if !is_last { p.quiet { (words::hold(spec.and_then(|stage| stage.hold.as_ref()))) } }
    }
}

/// The percent that the stages before one go to.
fn before(campaign: &Campaign, place: usize) -> f64 {
    let stages = campaign.spec.stages.iter().take(place);
    stages.filter_map(|stage: &Stage| stage.percent).fold(0.0, f64::max)
}

/// How a stage stands.
fn standing(campaign: &Campaign, place: usize) -> &str {
    match (place + 1).cmp(&campaign.stage) {
        std::cmp::Ordering::Less => "over",
        std::cmp::Ordering::Equal if campaign.state == "draft" => "to come",
        std::cmp::Ordering::Equal if campaign.state == "done" => "over",
        std::cmp::Ordering::Equal => &campaign.state,
        std::cmp::Ordering::Greater if campaign.is_over() => "not reached",
        std::cmp::Ordering::Greater => "to come",
    }
}

/// The devices of a stage that has begun: those of which something is to come are counted with the stage in work.
fn parts_of(campaign: &Campaign, place: usize) -> Option<Vec<Part>> {
    let ended = |place: usize| campaign.reached.get(place).copied();
    let before = match place {
        0 => 0,
        place => ended(place - 1)?,
    };
    let is_over = place + 1 < campaign.stage;
    if campaign.state == "draft" || place + 1 > campaign.stage {
        return None;
    }
    let all = if is_over { ended(place)? } else { campaign.devices.total };
    let reached = all.saturating_sub(before);
    let coming = if is_over { 0 } else { campaign.devices.unsettled().min(reached) };
    Some(vec![
        Part { name: "through", value: reached - coming, class: "bar" },
        Part { name: "under way", value: coming, class: "idle" },
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn campaign(change: &Value) -> Campaign {
        let mut document = json!({
            "id": "1", "name": "c", "state": "running", "created": "", "created_by": "", "stage": 2, "stages": 3,
            "reached": [4], "scanned": false,
            "devices": { "total": 10, "open": 3, "done": 6, "failed": 1, "retry": 0, "waiting": 0, "skipped": 0, "cancelled": 0, "gone": 0 },
            "spec": { "stages": [{ "percent": 1 }, { "percent": 25 }, { "percent": 100 }] },
        });
        for (name, value) in change.as_object().unwrap() {
            document[name] = value.clone();
        }
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn stages_stand_as_the_campaign_does() {
        let all = |change: Value| {
            let campaign = campaign(&change);
            [0, 1, 2].map(|place| standing(&campaign, place).to_owned())
        };
        assert_eq!(all(json!({})), ["over", "running", "to come"]);
        assert_eq!(all(json!({ "state": "draft", "stage": 1 })), ["to come", "to come", "to come"]);
        assert_eq!(all(json!({ "state": "failed" })), ["over", "failed", "not reached"]);
        assert_eq!(all(json!({ "state": "done", "stage": 3 })), ["over", "over", "over"]);
    }

    #[test]
    fn a_stage_has_the_devices_that_came_in_it() {
        let figures = |change: Value, place| {
            let parts = parts_of(&campaign(&change), place)?;
            Some(parts.iter().map(|part| part.value).collect::<Vec<_>>())
        };
        assert_eq!(figures(json!({}), 0), Some(vec![4, 0]));
        assert_eq!(figures(json!({}), 1), Some(vec![3, 3]));
        assert_eq!(figures(json!({}), 2), None);
        assert_eq!(
            figures(json!({ "reached": [] }), 1),
            None,
            "a campaign of an older server did not note it"
        );
        assert_eq!(figures(json!({ "state": "draft", "stage": 1 }), 0), None);
    }

    #[test]
    fn many_stages_are_cut() {
        let shown = shown(&campaign(&json!({ "stages": 100, "stage": 50 }))).into_string();
        assert!(shown.matches("<li>").count() < 60 && shown.contains("39 stages before these"), "{shown}");
    }
}
