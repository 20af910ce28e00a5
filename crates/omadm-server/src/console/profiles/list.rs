//! The profiles there are.

use axum::extract::Query;
use maud::{Markup, html};

use super::data::Profile;
use super::{href, target};
use crate::console::data::{After, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// Profiles on a page.
const SHOWN: &str = "50";
/// Assignments of a profile that are shown.
const TARGETS: usize = 4;

/// Lists profiles.
pub async fn show(visit: Visit, Query(after): Query<After>) -> Result<Page, Failure> {
    let query = [("after", after.after.as_str()), ("limit", SHOWN)];
    let found: Listed<Profile> = visit.read(&path(&["profiles"], &query)).await?;
    let first = (!after.after.is_empty()).then_some("/profiles");
    let next = found.next.as_ref().map(|next| path(&["profiles"], &[("after", next)]));
    let may_add = visit.may("PUT", "/profiles/{name}");
    let body = html! {
        p.quiet {
            "A profile says what should be true of devices: which settings have which values, and which software and firmware they have. It is assigned to a group, or to all devices. "
            "Each time when a device talks to the server, what differs is brought about."
        }
        (parts::live(&visit, "profiles", &html! {
            div.card {
                @if found.items.is_empty() { (parts::nothing("There is no profile yet.")) } @else { (table(&visit, &found.items)) }
                (parts::pager(first, next.as_deref()))
            }
        }))
    };
    Ok(Page::new("Profiles", body)
        .with(html! { @if may_add { a.button.main href="/profiles/_new" { "New profile" } } })
        .live("kind=profile.change".to_owned()))
}

fn table(visit: &Visit, profiles: &[Profile]) -> Markup {
    // Who sees the devices of some groups may still read what profiles say.
    let segment = if visit.may("GET", "/profiles/{name}") { "" } else { "versions" };
    let row = |profile: &Profile| {
        vec![
            html! { a href=(href(&profile.name, segment, &[])) { (text::shown(&profile.name)) } },
            html! { span.number { (profile.newest) } },
            assigned(profile),
            parts::age(visit.now, &profile.updated),
        ]
    };
    let rows: Vec<_> = profiles.iter().map(row).collect();
    parts::table("Profiles", &parts::head(&["Profile", "Newest version", "Assigned to", "Changed"]), &rows)
}

fn assigned(profile: &Profile) -> Markup {
    html! {
        @if profile.assignments.is_empty() { span.quiet { "nothing yet" } }
        @for one in profile.assignments.iter().take(TARGETS) {
            div { (target(one.group.as_deref())) " " span.quiet { "version " (one.version) } }
        }
        @if profile.assignments.len() > TARGETS { div.quiet { "and " (text::number(profile.assignments.len() - TARGETS)) " more" } }
    }
}
