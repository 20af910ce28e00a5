//! What is done with a delegation: agreeing to it or not, and ending it.

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde_json::json;

use super::Delegation;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{self, Field, Question};
use crate::console::visit::{Visit, path};
use crate::console::{gate, notice, text};

/// Something that can be done.
struct Act {
    key: &'static str,
    name: &'static str,
    route: &'static str,
    /// What it comes to.
    about: &'static str,
    /// Whether it takes a reason.
    is_explained: bool,
    /// What is said afterwards.
    said: &'static str,
    /// Whether it can be done now.
    fits: fn(&Delegation) -> bool,
}

/// All of them.
const ACTS: [Act; 4] = [
    Act {
        key: "approve",
        name: "Approve",
        route: "/delegations/{delegation}/approve",
        about: "This server agrees to it, and the rights are written on the devices as they come.",
        is_explained: false,
        said: "The delegation is approved.",
        fits: |delegation| delegation.to_decide,
    },
    Act {
        key: "reject",
        name: "Reject",
        route: "/delegations/{delegation}/reject",
        about: "The other server is told that this one does not agree.",
        is_explained: true,
        said: "The delegation is rejected.",
        fits: |delegation| delegation.to_decide,
    },
    Act {
        key: "cancel",
        name: "Cancel",
        route: "/delegations/{delegation}/cancel",
        about: "It ends, and the rights are taken back from the devices as they come.",
        is_explained: true,
        said: "The delegation is cancelled.",
        fits: |delegation| !delegation.is_over(),
    },
    Act {
        key: "release",
        name: "Give back",
        route: "/delegations/{delegation}/release",
        about: "The other server is told that the rights are not needed any more, and takes them back.",
        is_explained: false,
        said: "The rights are given back.",
        fits: |delegation| delegation.role == "delegated" && delegation.state == "active",
    },
];

fn named(key: &str) -> Option<&'static Act> {
    ACTS.iter().find(|act| act.key == key)
}

/// What somebody can do with a delegation as it is now.
pub fn links(visit: &Visit, delegation: &Delegation) -> Markup {
    html! {
        @for act in ACTS.iter().filter(|act| (act.fits)(delegation) && visit.may("POST", act.route)) {
            a.button.danger[act.key != "approve"].main[act.key == "approve"] href=(path(&["delegations", &delegation.id, act.key], &[])) { (act.name) }
        }
    }
}

/// Asks before it is done.
pub async fn ask(visit: Visit, Path((id, key)): Path<(String, String)>) -> Result<Page, Failure> {
    let Some(act) = named(&key) else { return Err(gate::missing(Method::GET).await) };
    let here = path(&["delegations", &id], &[]);
    let delegation: Delegation = visit.read(&here).await?;
    let reason = Field {
        name: "reason",
        label: "Why",
        hint: "For the other server, and for the log. It may stay empty.",
        ..Field::default()
    };
    let body = parts::question(
        &visit,
        &Question {
            body: html! {
                p { b { (text::shown(&delegation.rights)) } " " (delegation.direction()) " " (text::shown(&delegation.peer)) ", which is " (parts::state(&delegation.state)) }
                p { (act.about) }
            },
            action: &path(&["delegations", &id, act.key], &[]),
            word: act.name,
            fields: html! { @if act.is_explained { (reason.line()) } },
            back: &here,
        },
    );
    Ok(Page::new(format!("{} this delegation?", act.name), body)
        .below(html! { a href=(here) { "The delegation" } }))
}

/// Does it.
pub async fn act(
    visit: Visit,
    Path((id, key)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Failure> {
    let Some(act) = named(&key) else { return Err(gate::missing(Method::POST).await) };
    let body = act.is_explained.then(|| json!({ "reason": form.filled("reason") }));
    visit.act(Method::POST, &path(&["delegations", &id, act.key], &[]), body).await?;
    Ok(notice::redirect(&path(&["delegations", &id], &[]), act.said))
}
