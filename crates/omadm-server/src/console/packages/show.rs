//! One package: what it is, what uses it, and its removal.

use axum::extract::{Path, Query};
use axum::response::Response;
use http::Method;
use maud::{Markup, html};

use super::{Package, find};
use crate::console::campaigns::{self, Campaign};
use crate::console::data::{After, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::parts::Question;
use crate::console::visit::{Visit, path};
use crate::console::{notice, parts, text};

/// Campaigns on a page.
const SHOWN: &str = "20";

/// Shows a package.
pub async fn show(visit: Visit, Path(id): Path<String>, Query(at): Query<After>) -> Result<Page, Failure> {
    let package = find(&visit, &id).await?;
    let campaigns = match visit.may("GET", "/campaigns") {
        true => {
            let query = [("package", id.as_str()), ("after", at.after.as_str()), ("limit", SHOWN)];
            visit.read(&path(&["campaigns"], &query)).await?
        }
        false => Listed::default(),
    };
    let body = html! {
        section.card { h2 { "What it is" } (facts(&visit, &package)) }
        section.card { h2 { "What uses it" } (uses(&visit, &package, &campaigns, &at)) }
    };
    let campaign = path(&["campaigns", "new"], &[("change", &package.kind), ("package", &package.id)]);
    Ok(Page::new(package.title(), body).below(above()).with(html! {
        div.actions {
            @if visit.may("POST", "/campaigns") { a.button.main href=(campaign) { "Bring it to devices" } }
            @if visit.may("DELETE", "/packages/{package}") { a.button.danger href=(path(&["packages", &package.id, "remove"], &[])) { "Remove" } }
        }
    }))
}

fn above() -> Markup {
    html! { a href="/packages" { "Packages" } }
}

fn facts(visit: &Visit, package: &Package) -> Markup {
    let exact = |text: &str| html! { span.mono { (text::shown(text)) } };
    let signed = match (&package.signed_by, &package.signature) {
        (Some(key), _) => html! { "by the trusted key " (text::shown(key)) },
        (None, Some(_)) => html! { "by no key that is trusted" },
        (None, None) => html! { "no" },
    };
    html! {
        (parts::facts(vec![
            ("Name", text::shown(&package.name)),
            ("Version", text::shown(&package.version)),
            ("For", html! { (package.kind) " of " @match &package.model { None => "all models", Some(model) => { "the models " (exact(model)) } } }),
            ("Size", html! { (text::octets(package.size)) ", which is " span.number { (text::number(package.size)) } " octets" }),
            ("Kind of file", exact(&package.content_type)),
            ("Signed", signed),
            ("Stored", html! { (parts::age(visit.now, &package.created)) " by " (text::shown(&package.created_by)) }),
            ("Identifier", exact(&package.id)),
            ("SHA-256: the digest by which a file is known to be this one", exact(&package.sha256)),
        ]))
        @if let Some(signature) = &package.signature {
            details { summary { "Signature, in base64" } (text::block(signature)) }
        }
    }
}

fn uses(visit: &Visit, package: &Package, campaigns: &Listed<Campaign>, at: &After) -> Markup {
    let of = |after: &str| path(&["packages", &package.id], &[("after", after)]);
    let first = (!at.after.is_empty()).then(|| of(""));
    let next = campaigns.next.as_deref().map(of);
    let rows: Vec<_> = campaigns.items.iter().map(|one| campaigns::row(visit, one)).collect();
    html! {
        @if let Some((name, version)) = package.profile.as_deref().and_then(|profile| profile.rsplit_once('@')) {
            p { "Version " (text::shown(version)) " of the profile " b { (text::shown(name)) } " asks devices to have it." }
        }
        @if rows.is_empty() {
            @if package.profile.is_none() { (parts::nothing("No campaign and no profile uses it.")) }
        } @else { (parts::table("Campaigns", &parts::head(&campaigns::PARTS), &rows)) }
        (parts::pager(first.as_deref(), next.as_deref()))
    }
}

/// Asks before a package is removed.
pub async fn ask(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let package = find(&visit, &id).await?;
    let body = parts::question(
        &visit,
        &Question {
            body: html! {
                p { "The file and what is known of it are gone. Devices that have installed it keep it; those that are downloading it are cut off." }
                p { "A package that a campaign or a profile still needs is not removed." }
            },
            action: &path(&["packages", &id, "remove"], &[]),
            word: "Remove the package",
            fields: html! {},
            back: &path(&["packages", &id], &[]),
        },
    );
    Ok(Page::new(format!("Remove {}?", package.title()), body).below(above()))
}

/// Removes a package.
pub async fn remove(visit: Visit, Path(id): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::DELETE, &path(&["packages", &id], &[]), None).await?;
    Ok(notice::redirect("/packages", "The package is removed."))
}
