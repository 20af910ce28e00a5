//! The end of a profile.

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use maud::html;

use super::data::Details;
use super::{above, href};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::parts::{self, Question};
use crate::console::visit::{Visit, path};
use crate::console::{notice, text};

/// Asks before a profile is removed.
pub async fn ask(visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    let profile: Details = visit.read(&path(&["profiles", &name], &[])).await?;
    let devices: u64 = profile.devices.values().sum();
    let here = href(&name, "", &[]);
    let body = parts::question(
        &visit,
        &Question {
            body: html! {
                p {
                    b { (text::shown(&name)) } " has " (profile.newest.version) @if profile.newest.version == 1 { " version" } @else { " versions" } ", is assigned "
                    (profile.assignments.len()) @if profile.assignments.len() == 1 { " time" } @else { " times" } ", and applies to " b { (text::number(devices)) }
                    @if devices == 1 { " device." } @else { " devices." }
                }
                p { "Devices give it up when they talk to the server the next time: what it has brought stays or is deleted, as its versions say." }
            },
            action: &href(&name, "remove", &[]),
            word: "Remove the profile",
            fields: html! {},
            back: &here,
        },
    );
    Ok(Page::new("Remove this profile?", body).below(above(&name)))
}

/// Removes a profile.
pub async fn act(visit: Visit, Path(name): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::DELETE, &path(&["profiles", &name], &[]), None).await?;
    Ok(notice::redirect("/profiles", &format!("The profile {name} is removed.")))
}
