//! One device: what is known of it, and what can be done with it.

mod access;
pub mod command;
mod commands;
pub mod described;
mod events;
mod facts;
pub mod node;
mod profiles;
mod sessionless;
mod sessions;
mod tree;
mod way;

use axum::Router;
use axum::routing::{get, post};
use maud::{Markup, html};

use super::Console;
use super::data::Device;
use super::failure::Failure;
use super::frame::Page;
use super::parts::{self, Tab};
use super::visit::{Visit, path};
pub use profiles::Trial;

/// The pages of a device.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/devices/{id}", get(facts::show))
        .route("/devices/{id}/about", post(facts::annotate))
        .route("/devices/{id}/remove", get(facts::ask).post(facts::remove))
        .route("/devices/{id}/call", post(way::call))
        .route("/devices/{id}/ways", post(way::set))
        .route("/devices/{id}/tree", get(tree::show))
        .route("/devices/{id}/nodes", get(tree::nodes))
        .route("/devices/{id}/node", get(node::show))
        .route("/devices/{id}/access", get(access::show))
        .route("/devices/{id}/commands", get(commands::show).post(command::queue))
        .route("/devices/{id}/sessions", get(sessions::show))
        .route("/devices/{id}/sessionless", get(sessionless::ask).post(sessionless::send))
        .route("/devices/{id}/events", get(events::show))
        .route("/devices/{id}/profiles", get(profiles::show))
        .route("/devices/{id}/profiles/{name}/retry", post(profiles::retry))
        .route("/commands/{command}", get(command::show))
        .route("/commands/{command}/cancel", get(command::ask).post(command::cancel))
}

/// A part of a device, with the route of the API that it shows.
struct Part {
    name: &'static str,
    segment: &'static str,
    route: &'static str,
}

const PARTS: [Part; 7] = [
    Part { name: "Facts", segment: "", route: "/devices/{id}" },
    Part { name: "Tree", segment: "tree", route: "/devices/{id}/tree" },
    Part { name: "Access", segment: "access", route: "/devices/{id}/tree" },
    Part { name: "Commands", segment: "commands", route: "/devices/{id}/commands" },
    Part { name: "Sessions", segment: "sessions", route: "/devices/{id}/sessions" },
    Part { name: "Events", segment: "events", route: "/events" },
    Part { name: "Profiles", segment: "profiles", route: "/devices/{id}/profiles" },
];

/// Reads a device.
async fn find(visit: &Visit, id: &str) -> Result<Device, Failure> {
    visit.read(&path(&["devices", id], &[])).await
}

/// A page of one part of a device.
fn page(visit: &Visit, device: &Device, part: &str, body: &Markup) -> Page {
    let title = if device.label.is_empty() { &device.id } else { &device.label };
    let open = PARTS.iter().filter(|part| visit.may("GET", part.route));
    let tabs: Vec<Tab<'_>> = open
        .map(|one| {
            let mut segments = vec!["devices", device.id.as_str()];
            segments.extend(Some(one.segment).filter(|segment| !segment.is_empty()));
            Tab { name: one.name, href: path(&segments, &[]), current: one.segment == part }
        })
        .collect();
    Page::new(title.clone(), html! { (parts::tabs("Device", &tabs)) (body) })
        .below(html! { a href="/devices" { "Devices" } })
        .with(html! { (parts::state(&device.state)) (parts::reach(&device.reach)) (way::button(visit, device)) })
        .live(path(&[], &[("device", &device.id)]).trim_start_matches("/?").to_owned())
}
