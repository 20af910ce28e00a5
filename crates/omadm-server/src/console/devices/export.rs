//! Exports: what a filter means, as a table.

use axum::extract::Query;
use maud::{Markup, html};

use crate::console::data::Count;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};
use crate::operator::PREFIX;
use crate::operator::problem::Problem;

/// Counting stops here.
const COUNTED: &str = "10000";
/// Columns that can be chosen, with their names for people.
const COLUMNS: &[(&str, &str)] = &[
    ("label", "Name"),
    ("note", "Note"),
    ("manufacturer", "Manufacturer"),
    ("model", "Model"),
    ("firmware", "Firmware"),
    ("software", "Software"),
    ("hardware", "Hardware"),
    ("protocol", "Protocol"),
    ("enrolled", "Enrolled"),
    ("last_contact", "Last contact"),
    ("state", "State"),
    ("reach", "Reach"),
    ("open_commands", "Commands that wait"),
];

/// Asks which devices are to be exported and how, and offers the file.
pub async fn ask(visit: Visit, Query(fields): Query<Vec<(String, String)>>) -> Result<Page, Failure> {
    let form = Form(fields);
    let filter = form.filled("filter").unwrap_or_default();
    let count =
        visit.read::<Count>(&path(&["devices", "count"], &[("filter", filter), ("at_most", COUNTED)])).await;
    let (count, problem) = match count {
        Ok(count) => (Some(count), None),
        Err(failure) if failure.0.at().is_some() => (None, Some(failure.0)),
        Err(failure) => return Err(failure),
    };
    let body = html! {
        div.card { (asked(&form, filter, problem.as_ref())) }
        @if let Some(count) = &count { section.card { h2 { "The file" } (offered(&form, filter, count)) } }
    };
    Ok(Page::new("Export devices", body).below(html! { a href="/devices" { "Devices" } }))
}

fn asked(form: &Form, filter: &str, problem: Option<&Problem>) -> Markup {
    let is_json = form.get("format") == Some("json");
    html! {
        form.stack method="get" action="/export" {
            (parts::filter_field(filter, problem))
            fieldset {
                legend { "Form" }
                label.tick { input type="radio" name="format" value="csv" checked[!is_json]; "CSV, for spreadsheets and for imports" }
                label.tick { input type="radio" name="format" value="json" checked[is_json]; "JSON: an object on each line" }
            }
            fieldset {
                legend { "Columns beside the device id; all of them if none is ticked" }
                div.row {
                    @for (key, name) in COLUMNS {
                        label.tick { input type="checkbox" name="columns" value=(key) checked[form.all("columns").any(|one| one == *key)]; (name) }
                    }
                }
            }
            label for="labels" { "Labels, separated by commas" }
            input #labels name="labels" value=(form.get("labels").unwrap_or_default()) spellcheck="false" autocapitalize="none" placeholder="site, role";
            button type="submit" { "Take this" }
        }
    }
}

fn offered(form: &Form, filter: &str, count: &Count) -> Markup {
    let format = if form.get("format") == Some("json") { "json" } else { "csv" };
    let labels =
        form.get("labels").unwrap_or_default().split(',').map(str::trim).filter(|key| !key.is_empty());
    let chosen = form.all("columns").map(str::to_owned).chain(labels.map(|key| format!("label:{key}")));
    let mut columns: Vec<String> = chosen.collect();
    if !columns.is_empty() {
        columns.insert(0, "id".to_owned());
    }
    let query = [("filter", filter), ("format", format), ("columns", &columns.join(","))];
    let href = format!("{PREFIX}{}", path(&["devices", "export"], &query));
    html! {
        p {
            @if count.complete { b { (text::number(count.devices)) } } @else { "More than " b { (text::number(count.devices)) } }
            @if count.devices == 1 && count.complete { " device" } @else { " devices" }
            ". It has no credentials, and is as the devices are when it is downloaded."
        }
        div.actions { a.button.main href=(href) download={ "devices." (format) } { "Download devices." (format) } }
    }
}
