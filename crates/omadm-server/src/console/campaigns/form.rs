//! A campaign in the making: chosen, filled in, looked at, made.

use axum::Extension;
use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::draft::{Draft, Kind};
use super::sheet::{self, Offers, Shown};
use crate::console::data::Listed;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::once;
use crate::console::parts::chart::{self, Bar};
use crate::console::visit::{Visit, path};
use crate::console::{notice, text};
use crate::desired::Fault;
use crate::operator::problem::Problem;

/// The field that says which button was pressed.
const DO: &str = "do";

/// The devices that a campaign would touch.
#[derive(Deserialize)]
struct Preview {
    devices: u64,
    complete: bool,
    stages: Vec<StagePreview>,
}

#[derive(Deserialize)]
struct StagePreview {
    devices: u64,
}

/// Shows an empty form, once it is known what the campaign is to do.
pub async fn show(visit: Visit, Query(fields): Query<Vec<(String, String)>>) -> Result<Page, Failure> {
    let given = Form(fields);
    let Some(kind) = given.get("change").and_then(Kind::parse) else { return Ok(choose(&visit)) };
    let draft = Draft::new(kind, &given);
    let offers = Offers::read(&visit, kind).await?;
    Ok(page(&visit, kind, &sheet::form(&visit, &Shown::new(&draft, &offers))))
}

/// The first question.
fn choose(visit: &Visit) -> Page {
    let choice = |kind: Kind, name: &str, about: &str| {
        html! {
            li.card {
                h2 { a href=(path(&["campaigns", "new"], &[("change", kind.as_str())])) { (name) } }
                p { (about) }
            }
        }
    };
    let body = html! {
        p { "What should change on the devices?" }
        ul.grid.choices {
            (choice(Kind::Firmware, "Firmware", "Each device downloads a firmware package and installs it."))
            (choice(Kind::Software, "Software", "Each device downloads a software package and installs or updates that component."))
            (choice(Kind::Profile, "Settings of a profile", "Each device gets one version of a profile: a set of values that it then keeps. This is the only change that can be rolled back."))
            (choice(Kind::Command, "One command", "Each device carries out one command once: read or write a value, execute something, remove something."))
        }
        @if visit.may("POST", "/packages") { p.quiet { "Firmware and software have to be uploaded first: " a href="/packages/new" { "upload a package" } "." } }
    };
    Page::new("New campaign", body).below(html! { a href="/campaigns" { "Campaigns" } })
}

fn page(visit: &Visit, kind: Kind, body: &Markup) -> Page {
    let title = match kind {
        Kind::Firmware => "New campaign: firmware",
        Kind::Software => "New campaign: software",
        Kind::Profile => "New campaign: a profile",
        Kind::Command => "New campaign: a command",
    };
    Page::new(title, body.clone())
        .below(html! { a href="/campaigns" { "Campaigns" } " › " a href="/campaigns/new" { "New" } })
        .with(html! {
            // The first button of the form is what Enter presses.
            @if visit.may("POST", "/campaigns") { button type="submit" form=(sheet::ID) name=(DO) value="preview" { "Preview" } }
        })
}

/// What a button of the form asks for: another stage, a preview, or the campaign.
pub async fn send(visit: Visit, form: Form) -> Result<Response, Failure> {
    let kind = form.get("change").and_then(Kind::parse);
    let kind = kind.ok_or_else(|| Problem::bad("choose what is to change on the devices"))?;
    let draft = Draft::typed(kind, &form);
    let offers = Offers::read(&visit, kind).await?;
    let mut shown = Shown::new(&draft, &offers);
    let wish = form.get(DO).unwrap_or_default();
    if wish == "stage" {
        shown.blank = 1;
        return Ok(again(page(&visit, kind, &sheet::form(&visit, &shown))));
    }
    match ask(&visit, &draft, wish == "preview").await {
        Ok(touched) if wish == "preview" => {
            let preview = serde_json::from_value(touched).ok();
            let body = html! {
                @if let Some(preview) = preview { (previewed(&draft, &preview)) }
                (sheet::form(&visit, &shown))
            };
            Ok(again(page(&visit, kind, &body)))
        }
        Ok(made) => {
            let id = made.get("id").and_then(Value::as_str).unwrap_or_default();
            let said = "The campaign is made. Nothing happens to any device until it is started.";
            Ok(notice::redirect(&path(&["campaigns", id], &[]), said))
        }
        Err(problem) => {
            let status = problem.status();
            shown.refuse(problem);
            Ok((status, page(&visit, kind, &sheet::form(&visit, &shown))).into_response())
        }
    }
}

/// A form that is shown again, and has done nothing.
fn again(page: Page) -> Response {
    (Extension(once::Draft), page).into_response()
}

/// Asks the API for the campaign, or for what it would touch.
async fn ask(visit: &Visit, draft: &Draft, dry_run: bool) -> Result<Value, Problem> {
    let version = newest(visit, draft).await.map_err(|failure| failure.0.about("/profile"))?;
    let document = draft.document(version).map_err(Problem::of_faults)?;
    let to = path(&["campaigns"], &[("dry_run", if dry_run { "true" } else { "" })]);
    let answer = visit.act(Method::POST, &to, Some(document)).await.map_err(|failure| failure.0)?;
    Ok(answer)
}

/// The newest version of the profile, if none is named.
async fn newest(visit: &Visit, draft: &Draft) -> Result<Option<i64>, Failure> {
    #[derive(Deserialize)]
    struct Version {
        version: i64,
    }
    let profile = draft.form.filled("profile").filter(|_| draft.kind == Kind::Profile);
    let Some(profile) = profile.filter(|_| draft.form.filled("version").is_none()) else { return Ok(None) };
    let versions: Listed<Version> =
        visit.read(&path(&["profiles", profile, "versions"], &[("limit", "1")])).await?;
    Ok(versions.items.first().map(|newest| newest.version))
}

/// What a campaign would touch.
fn previewed(draft: &Draft, preview: &Preview) -> Markup {
    let filter = draft.filter().map(|(filter, _)| filter).unwrap_or_default();
    let stages = preview.stages.iter().zip(1..).map(|(stage, number)| Bar {
        name: format!("Stage {number}"),
        value: stage.devices,
        href: None,
    });
    html! {
        section.card #preview role="status" {
            h2 { "What it would touch" }
            p {
                b { @if !preview.complete { "More than " } (text::number(preview.devices)) @if preview.devices == 1 { " device" } @else { " devices" } }
                " as they are now. " a href=(path(&["devices"], &[("filter", &filter)])) { "Show the devices of the filter" }
            }
            @if preview.stages.len() > 1 { (chart::bars(&stages.collect::<Vec<_>>())) }
            p.quiet { "Nothing was made yet." }
        }
    }
}

impl Shown<'_> {
    /// With why it was refused.
    fn refuse(&mut self, problem: Problem) {
        self.faults = match problem.faults() {
            [] => {
                vec![Fault { at: String::new(), pointer: String::new(), what: problem.detail().to_owned() }]
            }
            faults => faults.to_vec(),
        };
        self.problem = Some(problem);
    }
}
