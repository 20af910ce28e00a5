//! Profiles: what should be true of devices, where that is wanted, and how far it is.

mod assign;
mod data;
mod devices;
mod editor;
mod list;
mod remove;
mod show;
mod trial;
mod versions;
mod words;

use axum::Router;
use axum::routing::{get, post};
use maud::{Markup, html};

use super::Console;
use super::data::{Group, Listed};
use super::failure::Failure;
use super::frame::Page;
use super::parts::{self, Tab};
use super::visit::{Visit, path};

/// Groups that are offered.
const GROUPS: &str = "200";
/// The list of groups that fields offer.
const GROUP_LIST: &str = "groups";

/// The pages of profiles. A name begins with a letter or a digit: what begins with `_` is none.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/profiles", get(list::show))
        .route("/profiles/_new", get(editor::begin))
        .route("/profiles/_edit", post(editor::act))
        .route("/profiles/_node", get(editor::node::show))
        .route("/profiles/{name}", get(show::show))
        .route("/profiles/{name}/edit", get(editor::edit))
        .route("/profiles/{name}/remove", get(remove::ask).post(remove::act))
        .route("/profiles/{name}/devices", get(devices::show))
        .route("/profiles/{name}/retry", post(devices::retry))
        .route("/profiles/{name}/versions", get(versions::list))
        .route("/profiles/{name}/versions/{version}", get(versions::show))
        .route("/profiles/{name}/diff", get(versions::diff))
        .route("/profiles/{name}/dry-run", get(trial::show))
        .route("/profiles/{name}/assign", post(assign::act))
        .route("/profiles/{name}/unassign", get(assign::ask_to_take).post(assign::take))
        .route("/profiles/{name}/rollback", get(assign::ask_to_roll_back).post(assign::roll_back))
}

/// A part of a profile, with the method and the route of the API that it takes.
struct Part {
    name: &'static str,
    segment: &'static str,
    method: &'static str,
    route: &'static str,
}

const PARTS: [Part; 4] = [
    Part { name: "Now", segment: "", method: "GET", route: "/profiles/{name}" },
    Part { name: "Devices", segment: "devices", method: "GET", route: "/profiles/{name}/devices" },
    Part { name: "Versions", segment: "versions", method: "GET", route: "/profiles/{name}/versions" },
    Part { name: "Dry run", segment: "dry-run", method: "POST", route: "/profiles/{name}/dry-run" },
];

/// The address of a page of a profile.
fn href(name: &str, segment: &str, query: &[(&str, &str)]) -> String {
    let segments = ["profiles", name, segment];
    path(if segment.is_empty() { &segments[..2] } else { &segments }, query)
}

/// A page of one part of a profile.
fn page(visit: &Visit, name: &str, part: &str, body: &Markup) -> Page {
    let open = PARTS.iter().filter(|part| visit.may(part.method, part.route));
    let tabs: Vec<Tab<'_>> = open
        .map(|one| Tab { name: one.name, href: href(name, one.segment, &[]), current: one.segment == part })
        .collect();
    let may_write = visit.may("PUT", "/profiles/{name}");
    Page::new(name, html! { (parts::tabs("Profile", &tabs)) (body) })
        .below(html! { a href="/profiles" { "Profiles" } })
        .with(html! { @if may_write { a.button href=(href(name, "edit", &[])) { "Change" } } })
        .live("kind=profile.change,profile.state".to_owned())
}

/// The way back to a profile, above a page that belongs to it.
fn above(name: &str) -> Markup {
    html! { a href="/profiles" { "Profiles" } " › " a href=(href(name, "", &[])) { (super::text::shown(name)) } }
}

/// The groups there are, for who may know them.
async fn groups(visit: &Visit) -> Result<Vec<Group>, Failure> {
    match visit.may("GET", "/groups") {
        true => Ok(visit.read::<Listed<Group>>(&path(&["groups"], &[("limit", GROUPS)])).await?.items),
        false => Ok(Vec::new()),
    }
}

/// The list of groups that fields offer.
fn group_list(groups: &[Group]) -> Markup {
    html! { datalist id=(GROUP_LIST) { @for group in groups { option value=(group.name) {} } } }
}

/// Where something is assigned, in words; leads to the devices of a group.
fn target(group: Option<&str>) -> Markup {
    match group {
        Some(group) => {
            let filter = format!("group:\"{}\"", group.replace('\\', r"\\").replace('"', "\\\""));
            html! { "group " a href=(path(&["devices"], &[("filter", &filter)])) { (super::text::shown(group)) } }
        }
        None => html! { "all devices" },
    }
}
