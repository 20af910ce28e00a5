//! The fleet as a table: filtered, with the columns that are wanted, and with boxes to tick for what is done to many.

pub mod bulk;
mod columns;
pub mod enrol;
pub mod export;
mod groups;

use axum::extract::Query;
use http::Method;
use maud::{Markup, html};
use omadm_store::filter::complete;
use serde::Deserialize;

use super::data::{Count, Device, Group, Listed};
use super::failure::Failure;
use super::frame::{Page, Part};
use super::parts;
use super::text;
use super::visit::{Visit, path};
use columns::Column;
pub use groups::save;

/// Devices on a page.
const SHOWN: &str = "50";
/// Counting stops here.
const COUNTED: &str = "1000";
/// Offers to go on with a filter.
const MAX_OFFERS: usize = 20;

/// Which devices are shown, and how.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    after: String,
    /// Columns, separated by commas.
    #[serde(default)]
    columns: String,
}

/// Shows devices.
pub async fn show(visit: Visit, Query(fields): Query<Vec<(String, String)>>) -> Result<Page, Failure> {
    let wanted = Wanted::of(&fields);
    let columns = columns::chosen(&wanted.columns);
    let filter = wanted.filter.trim();
    let query = [("filter", filter), ("after", wanted.after.as_str()), ("limit", SHOWN)];
    let found = visit.read::<Listed<Device>>(&path(&["devices"], &query)).await;
    let (found, problem) = match found {
        Ok(found) => (found, None),
        // What cannot be read as a filter is said at the filter.
        Err(failure) if failure.0.at().is_some() => (Listed::default(), Some(failure.0)),
        Err(failure) => return Err(failure),
    };
    let count = match problem {
        Some(_) => None,
        None => Some(
            visit
                .read::<Count>(&path(&["devices", "count"], &[("filter", filter), ("at_most", COUNTED)]))
                .await?,
        ),
    };
    let groups = match visit.may("GET", "/groups") {
        true => visit.read::<Listed<Group>>(&path(&["groups"], &[("limit", "100")])).await?.items,
        false => Vec::new(),
    };
    let body = html! {
        div.card {
            form.row.seek method="get" action="/devices" {
                (parts::filter_field(&wanted.filter, problem.as_ref()))
                @if !wanted.columns.is_empty() { input type="hidden" name="columns" value=(wanted.columns); }
                button.main type="submit" { "Show" }
                @if !filter.is_empty() { a.button href="/devices" { "All" } }
            }
            (groups::links(&groups, filter))
            div.row {
                (columns::choice(&wanted.filter, &columns))
                @if problem.is_none() { (groups::form(&visit, filter)) }
            }
        }
        @if problem.is_none() {
            (parts::live(&visit, "devices", &table(&visit, &wanted, &columns, &found, count.as_ref())))
        }
    };
    let export = path(&["export"], &[("filter", filter)]);
    Ok(Page::new("Devices", body)
        .with(html! {
            @if problem.is_none() { a.button href=(export) { "Export" } }
            @if visit.may("POST", "/devices") { a.button.main href="/devices/enrol" { "Enrol a device" } }
        })
        .live("kind=session,device,command".to_owned()))
}

impl Wanted {
    fn of(fields: &[(String, String)]) -> Self {
        let all = |name: &str| -> Vec<&str> {
            fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
        };
        let first = |name: &str| all(name).first().copied().unwrap_or_default().to_owned();
        Self { filter: first("filter"), after: first("after"), columns: all("columns").join(",") }
    }

    /// The address of a page of these devices.
    fn href(&self, after: &str) -> String {
        path(&["devices"], &[("filter", &self.filter), ("columns", &self.columns), ("after", after)])
    }
}

fn table(
    visit: &Visit,
    wanted: &Wanted,
    columns: &[&Column],
    found: &Listed<Device>,
    count: Option<&Count>,
) -> Markup {
    let may_act = bulk::ACTIONS.iter().any(|action| action.is_open_to(visit));
    let boxes = html! { input type="checkbox" data-all="id" aria-label="Tick all on this page"; };
    let mut head: Vec<Markup> = if may_act { vec![boxes] } else { Vec::new() };
    head.extend(columns.iter().map(|column| html! { (column.name) }));
    let rows: Vec<Vec<Markup>> = found.items.iter().map(|device| {
        let tick = html! { input type="checkbox" name="id" value=(device.id) aria-label={ "Tick " (text::plain(&device.id, text::SHORT)) }; };
        let mut row = if may_act { vec![tick] } else { Vec::new() };
        row.extend(columns.iter().map(|column| (column.cell)(visit.now, device)));
        row
    }).collect();
    let first = (!wanted.after.is_empty()).then(|| wanted.href(""));
    let next = found.next.as_ref().map(|next| wanted.href(next));
    let body = html! {
        @if let Some(count) = count { p.quiet { (said(count)) } }
        @if found.items.is_empty() {
            @if count.is_some() { (parts::nothing("No device meets this filter.")) }
        } @else { (parts::table("Devices", &head, &rows)) }
    };
    html! {
        div.card {
            @if may_act && !found.items.is_empty() {
                form method="get" action="/devices/bulk" {
                    input type="hidden" name="filter" value=(wanted.filter.trim());
                    (body) (bulk::choice(visit))
                }
            } @else { (body) }
            (parts::pager(first.as_deref(), next.as_deref()))
        }
    }
}

/// A number of devices in words.
fn said(count: &Count) -> String {
    match (count.devices, count.complete) {
        (1, true) => "1 device".to_owned(),
        (number, true) => format!("{} devices", text::number(number)),
        (number, false) => format!("more than {} devices", text::number(number)),
    }
}

/// What is said of a filter while it is typed.
pub async fn judge(visit: Visit, Query(wanted): Query<Wanted>) -> Result<Part, Failure> {
    let filter = wanted.filter.trim();
    let offers: Vec<String> = complete(&wanted.filter).into_iter().take(MAX_OFFERS).collect();
    let judged = visit
        .act(Method::GET, &path(&["devices", "count"], &[("filter", filter), ("at_most", "1")]), None)
        .await;
    // What is not typed to its end is not wrong yet.
    let problem = judged
        .err()
        .map(|failure| failure.0)
        .filter(|problem| problem.at().is_some_and(|at| at < filter.chars().count()));
    Ok(Part(parts::filter_help(&wanted.filter, problem.as_ref(), &offers)))
}
