//! A profile: how far its devices are, where it is assigned, and what it wants.

use axum::extract::Path;
use maud::{Markup, html};

use super::data::{Assignment, Details};
use super::{GROUP_LIST, group_list, groups, href, page, target, words};
use crate::console::data::Group;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::parts::{self, Field};
use crate::console::text;
use crate::console::visit::{Visit, path};

/// Wishes that are shown here; the page of the version has all.
const WISHES: usize = 30;
/// Assignments that are shown.
const ASSIGNMENTS: usize = 100;

/// Shows a profile.
pub async fn show(visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    let profile: Details = visit.read(&path(&["profiles", &name], &[])).await?;
    let may_assign = visit.may("PUT", "/profiles/{name}/assignment");
    let groups = if may_assign { groups(&visit).await? } else { Vec::new() };
    let body = html! {
        (parts::live(&visit, "now", &html! {
            section.card { h2 { "Devices" } (devices(&visit, &profile)) }
            section.card { h2 { "Assigned to" } (assigned(&visit, &profile)) }
        }))
        @if may_assign { section.card { h2 { "Assign it" } (assign(&visit, &profile, &groups)) } }
        section.card { h2 { "What it wants" } (wanted(&profile)) }
        @if visit.may("DELETE", "/profiles/{name}") {
            p { a.button.danger href=(href(&name, "remove", &[])) { "Remove this profile" } }
        }
    };
    Ok(page(&visit, &name, "", &body))
}

/// How many devices are in which state, each leading to these.
fn devices(visit: &Visit, profile: &Details) -> Markup {
    let count = |state: &str| profile.devices.get(state).copied().unwrap_or(0);
    if profile.devices.values().all(|devices| *devices == 0) {
        return html! { (parts::nothing("No device has it yet. Devices get it when they talk to the server the next time after it is assigned.")) };
    }
    let part = |name, class| parts::chart::Part { name, value: count(name), class };
    let meanings = [
        ("converged", "Everything is as the profile wants it."),
        ("pending", "Something is being done, or waits."),
        ("drifted", "Something was so and is not any more; the profile only reports it."),
        ("failed", "Something was tried in vain."),
    ];
    html! {
        (parts::chart::stacked("Devices by state", &[part("converged", "good"), part("pending", "busy"), part("drifted", "warn"), part("failed", "bad")]))
        dl.facts.states {
            @for (state, meaning) in meanings {
                div {
                    dt { (parts::state(state)) }
                    dd { a href=(href(&profile.name, "devices", &[("state", state)])) { (text::number(count(state))) } " " span.quiet { (meaning) } }
                }
            }
        }
        @if count("failed") > 0 && visit.may("POST", "/profiles/{name}/retry") {
            (parts::button(visit, &href(&profile.name, "retry", &[]), "Try again where it has failed", ""))
        }
    }
}

fn assigned(visit: &Visit, profile: &Details) -> Markup {
    if profile.assignments.is_empty() {
        return parts::nothing("Nothing yet, so it takes no effect.");
    }
    let rows: Vec<_> =
        profile.assignments.iter().take(ASSIGNMENTS).map(|one| row(visit, profile, one)).collect();
    html! {
        (parts::table("Assignments", &parts::head(&["To", "Version", "Since", "By", "Actions"]), &rows))
        @if profile.assignments.len() > ASSIGNMENTS { p.quiet { "… and " (text::number(profile.assignments.len() - ASSIGNMENTS)) " more." } }
        p.quiet { "Its priority is " b { (profile.newest.document.priority) } ": where two profiles disagree about a device, the one with the higher number counts." }
    }
}

fn row(visit: &Visit, profile: &Details, one: &Assignment) -> Vec<Markup> {
    let group = one.group.as_deref().unwrap_or_default();
    let version = one.version.to_string();
    let to = |segment: &str| href(&profile.name, segment, &[("group", group)]);
    vec![
        target(one.group.as_deref()),
        html! {
            a href=(path(&["profiles", &profile.name, "versions", &version], &[])) { (version) }
            @if one.version != profile.newest.version { " " span.quiet { "of " (profile.newest.version) } }
        },
        parts::age(visit.now, &one.since),
        text::shown(&one.by),
        html! {
            div.actions {
                @if one.version != profile.newest.version && visit.may("POST", "/profiles/{name}/dry-run") {
                    @let newest = profile.newest.version.to_string();
                    a.button.small href=(href(&profile.name, "dry-run", &[("version", &newest), ("group", group), ("go", "1")])) { "Try version " (newest) }
                }
                @if one.previous.is_some() && visit.may("POST", "/profiles/{name}/rollback") {
                    a.button.small href=(to("rollback")) { "Roll back" }
                }
                @if visit.may("DELETE", "/profiles/{name}/assignment") { a.button.small href=(to("unassign")) { "Take away" } }
            }
        },
    ]
}

/// A form that assigns a version, or shows first what would come of that.
fn assign(visit: &Visit, profile: &Details, groups: &[Group]) -> Markup {
    let version = profile.newest.version.to_string();
    let group = Field {
        name: "group",
        label: "Group",
        hint: match profile.newest.document.group {
            Some(_) => "Empty: the group that the profile is meant for.",
            None => "Empty: all devices.",
        },
        value: profile.newest.document.group.as_deref().unwrap_or_default(),
        list: Some(GROUP_LIST),
        ..Field::default()
    };
    let number =
        Field { name: "version", label: "Version", value: &version, is_required: true, ..Field::default() };
    let may_try = visit.may("POST", "/profiles/{name}/dry-run");
    html! {
        p.quiet { "Devices follow when they talk to the server the next time." }
        form.stack method="post" action=(href(&profile.name, "assign", &[])) {
            (visit.marks())
            (number.line()) (group.line()) (group_list(groups))
            div.actions {
                @if may_try {
                    button.main type="submit" formmethod="get" formaction=(href(&profile.name, "dry-run", &[])) name="go" value="1" { "See what would come of it" }
                }
                button type="submit" { "Assign" }
            }
        }
    }
}

fn wanted(profile: &Details) -> Markup {
    let version = &profile.newest;
    let wishes = words::wishes(&version.document);
    let all = path(&["profiles", &profile.name, "versions", &version.version.to_string()], &[]);
    html! {
        @if !version.document.description.is_empty() { (text::block(&version.document.description)) }
        p.quiet { "As its newest version says, number " (version.version) "." }
        @if wishes.is_empty() { (parts::nothing("Nothing.")) }
        ul.wishes { @for wish in wishes.iter().take(WISHES) { li { (words::wish(wish)) } } }
        @if wishes.len() > WISHES { p { a href=(all) { "All " (text::number(wishes.len())) " things that it wants" } } }
        (parts::facts(words::rules(&version.document)))
    }
}
