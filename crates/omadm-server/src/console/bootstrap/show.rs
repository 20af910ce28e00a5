//! The bootstrap of one device: how far it has come, and taking it back.

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;

use super::meaning;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::parts::{self, Question};
use crate::console::visit::{Visit, path};
use crate::console::{notice, text};

/// How far a bootstrap has come.
#[derive(Deserialize)]
struct Progress {
    state: String,
    sent: u32,
    not_sent: u32,
    profile: Option<String>,
    sec: Option<String>,
    enrolled: String,
    last_contact: Option<String>,
}

fn above() -> Markup {
    html! { a href="/bootstraps" { "Bootstraps" } }
}

/// Shows how far the bootstrap of a device has come.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let progress: Progress = visit.read(&path(&["bootstrap", &id], &[])).await?;
    let mut facts = vec![
        ("State", html! { (parts::state(&progress.state)) " " (meaning(&progress.state)) }),
        ("Made", parts::age(visit.now, &progress.enrolled)),
        ("Form", html! { (form(progress.profile.as_deref())) }),
        ("Device heard of since", parts::age_or(visit.now, progress.last_contact.as_deref(), "never")),
    ];
    if progress.profile.is_some() {
        facts.push((
            "Secured by",
            parts::known(Some(progress.sec.as_deref().unwrap_or("nothing but its way"))),
        ));
    }
    if progress.sent + progress.not_sent > 0 {
        facts.push(("Sent", html! { (progress.sent) " times" @if progress.not_sent > 0 { ", and " (progress.not_sent) " times in vain" } }));
    }
    let body = html! {
        (parts::live(&visit, "bootstrap", &html! { div.card { (parts::facts(facts)) } }))
        div.card {
            h2 { "What can be done" }
            p { "Nobody but the device answers a bootstrap: that it arrived shows in its first session. What was in it was shown once and is kept nowhere; if it is lost, make a new one." }
            div.actions {
                a.button href=(path(&["devices", &id], &[])) { "The device" }
                @if visit.may("POST", "/bootstrap") { a.button href=(path(&["bootstraps", "new"], &[("id", &id)])) { "Make a new one" } }
                @if progress.state != "revoked" && visit.may("DELETE", "/bootstrap/{id}") {
                    a.button.danger href=(path(&["bootstraps", &id, "revoke"], &[])) { "Take it back" }
                }
            }
        }
    };
    let query = path(&[], &[("device", &id), ("kind", "device,session")]);
    Ok(Page::new(format!("Bootstrap of {id}"), body)
        .below(above())
        .live(query.trim_start_matches("/?").to_owned()))
}

fn form(profile: Option<&str>) -> &'static str {
    match profile {
        Some("cp") => "a provisioning document for DM 1.x",
        Some("dm") => "a message for DM 1.x",
        _ => "for DM 2.0, or credentials that were entered by hand",
    }
}

/// Asks before a bootstrap is taken back.
pub async fn ask(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    visit.read::<Progress>(&path(&["bootstrap", &id], &[])).await?;
    let here = path(&["bootstraps", &id], &[]);
    let body = parts::question(
        &visit,
        &Question {
            body: html! {
                p { "The credentials of " (text::shown(&id)) " stop working at once, and so do its certificates: it has no access until it gets a new bootstrap." }
                p { "What is known of it and what waits for it stays." }
            },
            action: &path(&["bootstraps", &id, "revoke"], &[]),
            word: "Take it back",
            fields: html! {},
            back: &here,
        },
    );
    Ok(Page::new("Take this bootstrap back?", body).below(above()))
}

/// Takes a bootstrap back.
pub async fn revoke(visit: Visit, Path(id): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::DELETE, &path(&["bootstrap", &id], &[]), None).await?;
    Ok(notice::redirect(&path(&["bootstraps", &id], &[]), &format!("The bootstrap of {id} is taken back.")))
}
