//! What can be done with a campaign, each with a page before it that says what happens.

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use maud::{Markup, html};

use super::data::Campaign;
use super::show::above;
use super::{find, words};
use crate::console::data::Count;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::Question;
use crate::console::visit::{Visit, path};
use crate::console::{notice, parts, text};
use crate::operator::problem::Problem;

/// Something that can be done.
struct Act {
    /// Its name in the path, of the page and of the API.
    key: &'static str,
    /// What the link to it says.
    link: &'static str,
    /// What the button says.
    word: &'static str,
    /// What is said afterwards.
    done: &'static str,
    method: &'static str,
    route: &'static str,
    /// Whether it can be done with a campaign as it stands.
    is_open: fn(&Campaign) -> bool,
    class: &'static str,
}

const START: &str = "start";
const PAUSE: &str = "pause";
const RESUME: &str = "resume";
const STOP: &str = "stop";
const ROLL_BACK: &str = "rollback";
const REMOVE: &str = "remove";

const ACTS: [Act; 6] = [
    Act {
        key: START,
        link: "Start",
        word: "Start the campaign",
        done: "It is started.",
        method: "POST",
        route: "/campaigns/{campaign}/start",
        is_open: |campaign| campaign.state == "draft",
        class: "button main",
    },
    Act {
        key: RESUME,
        link: "Go on",
        word: "Let it go on",
        done: "It goes on.",
        method: "POST",
        route: "/campaigns/{campaign}/resume",
        is_open: |campaign| ["paused", "holding"].contains(&campaign.state.as_str()),
        class: "button main",
    },
    Act {
        key: PAUSE,
        link: "Pause",
        word: "Pause the campaign",
        done: "It is paused: no further device begins.",
        method: "POST",
        route: "/campaigns/{campaign}/pause",
        is_open: |campaign| ["running", "holding"].contains(&campaign.state.as_str()),
        class: "button",
    },
    Act {
        key: STOP,
        link: "Stop",
        word: "Stop it for good",
        done: "It is stopped.",
        method: "POST",
        route: "/campaigns/{campaign}/stop",
        is_open: |campaign| !campaign.is_over() && campaign.state != "draft",
        class: "button danger",
    },
    Act {
        key: ROLL_BACK,
        link: "Roll back",
        word: "Take it back",
        done: "What devices were given is being taken back.",
        method: "POST",
        route: "/campaigns/{campaign}/rollback",
        is_open: |campaign| campaign.brings_profile() && campaign.state != "draft" && !campaign.taking_back,
        class: "button danger",
    },
    Act {
        key: REMOVE,
        link: "Remove",
        word: "Remove the campaign",
        done: "The campaign is removed.",
        method: "DELETE",
        route: "/campaigns/{campaign}",
        is_open: |campaign| {
            campaign.state == "draft" || (campaign.is_over() && campaign.devices.unsettled() == 0)
        },
        class: "button danger",
    },
];

impl Act {
    fn named(key: &str) -> Result<&'static Self, Problem> {
        let found = ACTS.iter().find(|act| act.key == key);
        found.ok_or_else(|| Problem::unknown("there is no such page of a campaign"))
    }
}

/// The ways to what can be done now, for who may.
pub fn links(visit: &Visit, campaign: &Campaign) -> Markup {
    let open = ACTS.iter().filter(|act| (act.is_open)(campaign) && visit.may(act.method, act.route));
    html! {
        @for act in open { a class=(act.class) href=(path(&["campaigns", &campaign.id, act.key], &[])) { (act.link) } }
    }
}

/// Says what will happen, and asks.
pub async fn ask(visit: Visit, Path((id, act)): Path<(String, String)>) -> Result<Page, Failure> {
    let act = Act::named(&act)?;
    let campaign = find(&visit, &id).await?;
    if !(act.is_open)(&campaign) {
        let why = format!(
            "the campaign is {}; there is nothing to {} now",
            campaign.state,
            act.link.to_lowercase()
        );
        return Err(Problem::conflict(why).into());
    }
    let body = parts::question(
        &visit,
        &Question {
            body: happens(&visit, act, &campaign).await?,
            action: &path(&["campaigns", &campaign.id, act.key], &[]),
            word: act.word,
            fields: fields(act, &campaign),
            back: &path(&["campaigns", &campaign.id], &[]),
        },
    );
    Ok(Page::new(format!("{}: {}?", act.link, campaign.name), body).below(above(Some(&campaign))))
}

/// What will happen.
async fn happens(visit: &Visit, act: &Act, campaign: &Campaign) -> Result<Markup, Failure> {
    let devices = text::number(campaign.devices.total);
    Ok(match act.key {
        START => starts(visit, campaign).await?,
        RESUME if campaign.state == "holding" => html! {
            p { "Stage " (campaign.stage + 1) " of " (campaign.stages) " begins now, whatever time was left to wait: " (next_stage(campaign)) "." }
            p { (text::number(campaign.devices.done)) " devices are done so far, " (text::number(campaign.devices.failed)) " have failed." }
        },
        RESUME => html! { p { "Devices begin again where it was paused." } },
        PAUSE => html! {
            p { "No further device begins. Commands that are queued or sent already go on, and are counted." }
            p { "It can go on later." }
        },
        STOP => html! {
            p { "No further device begins, and it cannot be started again." }
            p { "What was not sent yet is cancelled; what was sent comes to its end and is counted. Nothing is undone on the devices." }
        },
        ROLL_BACK => html! {
            p { "What it gave to " (devices) " devices is taken from all of them" @if !campaign.is_over() { ", and the campaign is stopped" } "." }
            p { "At their next check-in they have again what their groups have, or nothing of the profile." }
        },
        _ => html! {
            p { "The campaign, its figures and its report are gone. Devices keep what they have." }
        },
    })
}

/// What is asked beside.
fn fields(act: &Act, campaign: &Campaign) -> Markup {
    html! {
        @if act.key == REMOVE && campaign.brings_profile() && campaign.state != "draft" {
            label.tick { input type="checkbox" name="force" value="true"; "Remove it even if devices still have what it gave them: that cannot be rolled back any more" }
        }
    }
}

async fn starts(visit: &Visit, campaign: &Campaign) -> Result<Markup, Failure> {
    let filter = campaign.spec.filter.as_deref().unwrap_or_default();
    let count = match visit.may("GET", "/devices/count") {
        true => Some(visit.read::<Count>(&path(&["devices", "count"], &[("filter", filter)])).await?),
        false => None,
    };
    Ok(html! {
        p { "From now on devices get " (words::change(visit, &campaign.spec.change)) "." }
        @if let Some(count) = count {
            p {
                "At the moment it means "
                b { @if !count.complete { "more than " } (text::number(count.devices)) @if count.devices == 1 { " device" } @else { " devices" } }
                ", in " (campaign.stages) @if campaign.stages == 1 { " stage" } @else { " stages" } "."
            }
        }
        p { "The first stage goes to " (words::stage(campaign.spec.stages.first(), 0.0)) "." }
    })
}

fn next_stage(campaign: &Campaign) -> Markup {
    let before = campaign.spec.stages.get(campaign.stage.saturating_sub(1));
    words::stage(
        campaign.spec.stages.get(campaign.stage),
        before.and_then(|stage| stage.percent).unwrap_or(0.0),
    )
}

/// Does it.
pub async fn act(
    visit: Visit,
    Path((id, act)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Failure> {
    let act = Act::named(&act)?;
    if act.key == REMOVE {
        let force = form.filled("force").unwrap_or_default();
        visit.act(Method::DELETE, &path(&["campaigns", &id], &[("force", force)]), None).await?;
        return Ok(notice::redirect("/campaigns", act.done));
    }
    visit.act(Method::POST, &path(&["campaigns", &id, act.key], &[]), None).await?;
    Ok(notice::redirect(&path(&["campaigns", &id], &[]), act.done))
}
