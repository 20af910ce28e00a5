//! The log of events: by kind, device and time, newest first.

pub mod words;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use jiff::civil::{Date, DateTime};
use maud::{Markup, html};
use serde::Deserialize;

use super::data::{Event, Listed};
use super::failure::Failure;
use super::frame::Page;
use super::visit::{Visit, path};
use super::{Console, parts, text};
use crate::operator::problem::Problem;

/// Events on a page.
const SHOWN: &str = "50";
/// Events of an export, which is a page of the API.
const EXPORTED: &str = "1000";
/// Characters of a body that are shown.
const BODY: usize = 500;

/// The page of events.
pub fn router() -> Router<Console> {
    Router::new().route("/events", get(show))
}

/// A kind of events.
#[derive(Deserialize)]
struct Kind {
    kind: String,
    about: String,
}

/// Which events are wanted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    kinds: Vec<String>,
    device: String,
    /// As they were typed, in UTC.
    since: String,
    until: String,
    after: String,
}

impl Wanted {
    fn of(fields: &[(String, String)]) -> Self {
        let first = |wanted: &str| {
            let found = fields.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        // Of a link they come with commas, and of the form one by one.
        let kinds = fields.iter().filter(|(name, _)| name == "kind").flat_map(|(_, kinds)| kinds.split(','));
        Self {
            kinds: kinds.map(str::trim).filter(|kind| !kind.is_empty()).map(str::to_owned).collect(),
            device: first("device"),
            since: first("since"),
            until: first("until"),
            after: first("after"),
        }
    }

    fn is_narrow(&self) -> bool {
        !(self.kinds.is_empty() && self.device.is_empty() && self.since.is_empty() && self.until.is_empty())
    }

    /// The query of the API for them, with where to begin.
    fn query(&self, before: &str, limit: &str) -> String {
        let (kinds, since, until) = (self.kinds.join(","), rfc3339(&self.since), rfc3339(&self.until));
        let query = [
            ("kind", kinds.as_str()),
            ("device", &self.device),
            ("since", &since),
            ("until", &until),
            ("before", before),
            ("limit", limit),
        ];
        path(&["events"], &query)
    }

    /// The address of a page of them.
    fn href(&self, after: &str) -> String {
        let kinds = self.kinds.join(",");
        let query = [
            ("kind", kinds.as_str()),
            ("device", &self.device),
            ("since", &self.since),
            ("until", &self.until),
            ("after", after),
        ];
        path(&["events"], &query)
    }
}

/// A time as browsers write it (`2026-02-28T13:45`), taken as UTC; what is none is left to the API to judge.
pub fn rfc3339(typed: &str) -> String {
    let typed = typed.replace(' ', "T");
    let at = typed.parse::<DateTime>().or_else(|_| typed.parse::<Date>().map(DateTime::from));
    match at {
        Ok(at) if !typed.ends_with('Z') => format!("{}Z", at.strftime("%Y-%m-%dT%H:%M:%S")),
        _ => typed,
    }
}

/// Shows events.
async fn show(visit: Visit, Query(fields): Query<Vec<(String, String)>>) -> Result<Page, Failure> {
    let wanted = Wanted::of(&fields);
    let kinds: Listed<Kind> = visit.read(&path(&["events", "kinds"], &[])).await?;
    let before = if wanted.after.is_empty() { "end" } else { &wanted.after };
    let found = match visit.read::<Listed<Event>>(&wanted.query(before, SHOWN)).await {
        Ok(found) => Ok(found),
        Err(failure) if failure.status() == http::StatusCode::BAD_REQUEST => Err(failure.0),
        Err(failure) => return Err(failure),
    };
    let list = found.as_ref().ok().map(|found| listed(&visit, &wanted, found));
    let body = html! {
        (filter(&kinds.items, &wanted, found.as_ref().err()))
        @if let Some(list) = &list { (parts::live(&visit, "events", list)) }
    };
    let mut live = path(&[], &[("kind", &wanted.kinds.join(",")), ("device", &wanted.device)]);
    live = live.trim_start_matches("/").trim_start_matches('?').to_owned();
    let export = format!("/api/v1{}", wanted.query("end", EXPORTED));
    let page = Page::new("Events", body).with(
        html! { @if list.is_some() { a.button href=(export) download="events.json" { "Export JSON" } } },
    );
    // What is older does not change.
    Ok(if wanted.after.is_empty() && list.is_some() { page.live(live) } else { page })
}

/// The form in which events are asked for.
fn filter(kinds: &[Kind], wanted: &Wanted, problem: Option<&Problem>) -> Markup {
    let chosen = |kind: &Kind| wanted.kinds.contains(&kind.kind);
    let invalid =
        |name: &str| problem.is_some_and(|problem| problem.detail().starts_with(name)).then_some("true");
    html! {
        form.card method="get" action="/events" {
            div.row {
                div.stack {
                    label for="device" { "Device" }
                    input #device name="device" value=(wanted.device) autocomplete="off" autocapitalize="none" spellcheck="false"
                        placeholder="IMEI:490154203237518" aria-invalid=[invalid("the device")];
                }
                div.stack {
                    label for="since" { "From (UTC)" }
                    input #since type="datetime-local" name="since" value=(wanted.since) aria-invalid=[invalid("since")];
                }
                div.stack {
                    label for="until" { "Before (UTC)" }
                    input #until type="datetime-local" name="until" value=(wanted.until) aria-invalid=[invalid("until")];
                }
                button.main type="submit" { "Show" }
                @if wanted.is_narrow() { a.button href="/events" { "All" } }
            }
            @if let Some(problem) = problem { div.fault role="alert" { p { (text::shown_long(problem.detail())) } } }
            details {
                summary { "Kinds" @if !wanted.kinds.is_empty() { ": " (text::shown(&wanted.kinds.join(", "))) } }
                fieldset {
                    legend.hidden { "Kinds of events" }
                    div.kinds {
                        @for kind in kinds {
                            @let id = format!("kind-{}", kind.kind.replace('.', "-"));
                            div {
                                label.tick for=(id) { input type="checkbox" id=(id) name="kind" value=(kind.kind) checked[chosen(kind)]; (kind.kind) }
                                p.quiet { (kind.about.split(':').next().unwrap_or_default().trim_end_matches('.')) "." }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn listed(visit: &Visit, wanted: &Wanted, found: &Listed<Event>) -> Markup {
    let rows: Vec<_> = found.items.iter().map(|event| row(visit, event)).collect();
    let first = (!wanted.after.is_empty()).then(|| wanted.href(""));
    let next = found.next.as_ref().map(|next| wanted.href(next));
    html! {
        div.card {
            @if !rows.is_empty() {
                (parts::table("Events", &parts::head(&["When", "What", "Device", "Kind"]), &rows))
            } @else if found.next.is_some() {
                (parts::nothing("None in this part of the log; older ones may follow on the next page."))
            } @else if wanted.is_narrow() { (parts::nothing("No event that is kept is like this.")) }
            @else { (parts::nothing("Nothing has happened yet.")) }
            (parts::pager(first.as_deref(), next.as_deref()))
        }
    }
}

fn row(visit: &Visit, event: &Event) -> Vec<Markup> {
    let body = serde_json::to_string_pretty(&event.body).unwrap_or_default();
    vec![
        parts::age(visit.now, &event.at),
        html! {
            div.told { (words::told(event)) }
            details { summary.quiet { "All that is kept" } (text::block_of(&body, BODY)) }
        },
        html! { @match &event.device {
            Some(device) => a href=(path(&["devices", device], &[])) { (text::shown(device)) },
            None => span.quiet { "–" },
        } },
        parts::word(&event.kind),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_taken_as_utc() {
        for (typed, meant) in [
            ("2026-02-28T13:45", "2026-02-28T13:45:00Z"),
            ("2026-02-28 13:45:10", "2026-02-28T13:45:10Z"),
            ("2026-02-28", "2026-02-28T00:00:00Z"),
            ("2026-02-28T13:45:00Z", "2026-02-28T13:45:00Z"),
            ("yesterday", "yesterday"),
            ("", ""),
        ] {
            assert_eq!(rfc3339(typed), meant, "{typed}");
        }
    }

    #[test]
    fn kinds_come_one_by_one_or_together() {
        let fields = [("kind", "command,session"), ("kind", "alert"), ("device", " IMEI:1 ")];
        let wanted = Wanted::of(&fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(wanted.kinds, ["command", "session", "alert"]);
        assert_eq!(wanted.href("7"), "/events?kind=command%2Csession%2Calert&device=IMEI%3A1&after=7");
        assert_eq!(
            wanted.query("end", "5"),
            "/events?kind=command%2Csession%2Calert&device=IMEI%3A1&before=end&limit=5"
        );
    }
}
