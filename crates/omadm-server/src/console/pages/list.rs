//! The pages there are, and one of them.

use axum::extract::{Path, Query};
use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;

use super::{KINDS, answers, asking, kind_name};
use crate::console::data::{After, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::parts::{self, Question};
use crate::console::visit::{Visit, path};
use crate::console::{notice, text};
use crate::ui::{self, name_of};

/// Pages of a listing.
const SHOWN: &str = "50";

/// A page that is kept.
#[derive(Deserialize)]
pub struct Kept {
    pub name: String,
    pub stored: String,
    pub page: ui::Page,
}

/// Shows the pages there are.
pub async fn show(visit: Visit, Query(at): Query<After>) -> Result<Page, Failure> {
    let query = [("limit", SHOWN), ("after", at.after.as_str())];
    let kept: Listed<Kept> = visit.read(&path(&["pages"], &query)).await?;
    let may_make = visit.may("PUT", "/pages/{name}");
    let rows: Vec<_> = kept
        .items
        .iter()
        .map(|one| {
            let languages: Vec<String> = one.page.languages().map(name_of).collect();
            vec![
                html! { a href=(path(&["pages", &one.name], &[])) { (text::shown(&one.name)) } },
                parts::word(kind_name(kind(&one.page))),
                text::shown(&one.page.title),
                text::shown(&languages.join(", ")),
                parts::age(visit.now, &one.stored),
            ]
        })
        .collect();
    let first = (!at.after.is_empty()).then_some("/pages");
    let next = kept.next.as_ref().map(|next| path(&["pages"], &[("after", next)]));
    let body = html! {
        p.card { "A page is shown to the person who holds a device, on the device's own screen, in a browser as plain as it may be. The answer comes back as the result of a command." }
        section.card {
            h2 { "Pages" }
            @if rows.is_empty() { (parts::nothing("There is no page yet.")) } @else {
                (parts::table("Pages", &parts::head(&["Name", "Kind", "Title", "Languages", "Changed"]), &rows))
            }
            (parts::pager(first, next.as_deref()))
        }
        @if may_make {
            section.card {
                h2 { "Make a page" }
                ul.needs { @for (kind, name, about) in KINDS {
                    li { a href=(path(&["new-page"], &[("kind", kind)])) { (name) } ": " (about) "." }
                } }
            }
        }
    };
    Ok(Page::new("User pages", body))
}

/// The kind of a page as documents have it.
fn kind(page: &ui::Page) -> &'static str {
    match page.kind {
        ui::Kind::Notice => "notice",
        ui::Kind::Consent => "consent",
        ui::Kind::Choice => "choice",
        ui::Kind::Form => "form",
    }
}

/// Shows a page, and what people have answered.
pub async fn one(visit: Visit, Path(name): Path<String>, Query(at): Query<After>) -> Result<Page, Failure> {
    let kept: Kept = visit.read(&path(&["pages", &name], &[])).await?;
    page(&visit, &kept, &at, None).await
}

/// The page about a page, with what is said against asking it.
pub async fn page(
    visit: &Visit,
    kept: &Kept,
    at: &After,
    refused: Option<(&str, &str)>,
) -> Result<Page, Failure> {
    let here = |part: &str| path(&["pages", &kept.name, part], &[]);
    let answers = answers::card(visit, kept, &at.after).await?;
    let body = html! {
        section.card { h2 { "What it is" } (facts(visit, kept)) }
        section.card {
            h2 { "As people see it" }
            p { "It opens in a window of its own. Nothing that is filled in there is sent." }
            div.actions {
                @for language in kept.page.languages() {
                    a.button target="_blank" rel="noopener" href=(path(&["pages", &kept.name, "preview"], &[("language", language)])) {
                        "Preview: " (text::shown(&name_of(language)))
                    }
                }
            }
        }
        (asking::card(visit, &kept.name, refused))
        @if let Some(answers) = &answers { (parts::live(visit, "answers", answers)) }
        @if visit.may("DELETE", "/pages/{name}") {
            p { a.button.danger href=(here("remove")) { "Remove this page" } }
        }
    };
    Ok(Page::new(kept.name.clone(), body)
        .below(html! { a href="/pages" { "User pages" } })
        .with(
            html! { @if visit.may("PUT", "/pages/{name}") { a.button href=(here("edit")) { "Change it" } } },
        )
        .live("kind=answer".to_owned()))
}

fn facts(visit: &Visit, kept: &Kept) -> Markup {
    let page = &kept.page;
    let languages: Vec<String> = page.languages().map(name_of).collect();
    let mut facts = vec![
        ("Kind", parts::word(kind_name(kind(page)))),
        ("Title", text::shown(&page.title)),
        ("Languages", text::shown(&languages.join(", "))),
        ("Changed", parts::age(visit.now, &kept.stored)),
    ];
    if !page.fields.is_empty() {
        facts.push(("Fields", html! { @for field in &page.fields { (parts::word(&field.name)) " " } }));
    }
    if !page.options.is_empty() {
        facts.push(("Options", html! { @for option in page.options.iter().take(parts::ROWS) { (parts::word(&option.value)) " " } }));
    }
    html! {
        (parts::facts(facts))
        @if !page.text.is_empty() { h3 { "What it says" } (text::block(&page.text)) }
    }
}

/// Asks before a page is removed.
pub async fn ask_removal(visit: Visit, Path(name): Path<String>) -> Result<Page, Failure> {
    let kept: Kept = visit.read(&path(&["pages", &name], &[])).await?;
    let question = Question {
        body: html! { p { "What devices show already stays as it is, and what people have answered is kept as long as events are." } },
        action: &path(&["pages", &kept.name, "remove"], &[]),
        word: "Remove it",
        fields: html! {},
        back: &path(&["pages", &kept.name], &[]),
    };
    Ok(Page::new(format!("Remove {}?", kept.name), parts::question(&visit, &question))
        .below(html! { a href="/pages" { "User pages" } }))
}

/// Removes a page.
pub async fn remove(visit: Visit, Path(name): Path<String>) -> Result<Response, Failure> {
    visit.act(Method::DELETE, &path(&["pages", &name], &[]), None).await?;
    Ok(notice::redirect("/pages", &format!("The page {name} is removed.")))
}
