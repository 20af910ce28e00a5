//! What stands around every page: head, menu, notices, foot.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::appearance::Theme;
use super::failure::Failure;
use super::visit::Visit;
use super::{assets, notice, text};
use crate::events::KINDS;

/// The settings of htmx that the policy of the pages asks for.
const HTMX: &str = r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0,"scrollIntoViewOnBoost":false}"#;

/// What a page says. Its frame is put around it on the way out.
#[derive(Clone, Default)]
pub struct Page {
    /// What it is about, in one line; of any origin.
    pub title: String,
    /// What stands above the title: where the page belongs.
    pub above: Option<Markup>,
    /// What stands beside the title: actions.
    pub beside: Option<Markup>,
    /// What it says.
    pub body: Option<Markup>,
    /// The events on which its live parts are read again: the query of `/api/v1/events/stream`.
    pub live: Option<String>,
    /// Whether it is shown once: it has secrets in it that are kept nowhere.
    pub is_secret: bool,
}

impl Page {
    /// A page of a title and what it says.
    pub fn new(title: impl Into<String>, body: Markup) -> Self {
        Self { title: title.into(), body: Some(body), ..Self::default() }
    }

    /// With where it belongs.
    pub fn below(self, above: Markup) -> Self {
        Self { above: Some(above), ..self }
    }

    /// With actions.
    pub fn with(self, beside: Markup) -> Self {
        Self { beside: Some(beside), ..self }
    }

    /// To be shown once, for the secrets in it.
    pub fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// With live parts.
    pub fn live(self, query: String) -> Self {
        Self { live: Some(query), ..self }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

/// A part of a page, for a page that is there already.
pub struct Part(pub Markup);

impl IntoResponse for Part {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "text/html; charset=utf-8")], self.0.into_string()).into_response()
    }
}

/// An entry of the menu, with the route of the API that it takes.
struct Entry {
    name: &'static str,
    href: &'static str,
    route: &'static str,
}

/// The menu.
const MENU: &[Entry] = &[
    Entry { name: "Overview", href: "/", route: "/me" },
    Entry { name: "Devices", href: "/devices", route: "/devices" },
    Entry { name: "Profiles", href: "/profiles", route: "/profiles" },
    Entry { name: "Campaigns", href: "/campaigns", route: "/campaigns" },
    Entry { name: "Packages", href: "/packages", route: "/packages" },
    Entry { name: "Bootstraps", href: "/bootstraps", route: "/bootstrap" },
    Entry { name: "Imports", href: "/imports", route: "/imports" },
    Entry { name: "Delegations", href: "/delegations", route: "/delegations" },
    Entry { name: "User pages", href: "/pages", route: "/pages" },
    Entry { name: "Events", href: "/events", route: "/events" },
    Entry { name: "Descriptions", href: "/ddfs", route: "/ddfs" },
    Entry { name: "Webhooks", href: "/webhooks", route: "/webhooks" },
    Entry { name: "Audit log", href: "/audit", route: "/audit" },
    Entry { name: "Users", href: "/users", route: "/users" },
    Entry { name: "Tokens", href: "/tokens", route: "/tokens" },
    Entry { name: "Settings", href: "/settings", route: "/settings" },
];

/// Puts the frame around what a handler has answered.
pub fn finish(visit: &Visit, mut response: Response) -> Response {
    let failure = response.extensions_mut().remove::<Failure>();
    let page = response.extensions_mut().remove::<Page>().or_else(|| failure.as_ref().map(of_failure));
    let Some(page) = page else { return response };
    let (mut head, _) = response.into_parts();
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if visit.notice.is_some() {
        notice::clear(&mut head.headers);
    }
    Response::from_parts(head, draw(visit, &page).into_string().into())
}

/// A failure for somebody who is not known.
pub fn alone(failure: &Failure) -> Response {
    let Page { title, body, .. } = of_failure(failure);
    let page = bare(
        Theme::System,
        &title,
        &html! { h1 { (title) } (body.unwrap_or_default()) p { a href="/login" { "Log in" } } },
    );
    (failure.status(), [(CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response()
}

/// The page of a failure.
fn of_failure(failure: &Failure) -> Page {
    let body = html! {
        div.card.problem role="alert" {
            p { (text::shown_long(failure.detail())) }
        }
        p { a href="/" { "Go to the overview" } }
    };
    Page::new(failure.0.title(), body)
}

/// A page without menu: the login.
pub fn bare(theme: Theme, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(theme.as_str()) {
            (head(title))
            body.bare {
                main #main { (body) }
            }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (text::plain(title, text::SHORT)) " · omadm" }
            meta name="htmx-config" content=(HTMX);
            link rel="icon" type="image/svg+xml" href=(assets::href("mark.svg"));
            link rel="stylesheet" href=(assets::href("console.css"));
            script src=(assets::href("htmx.min.js")) defer {}
            script src=(assets::href("console.js")) defer {}
        }
    }
}

fn draw(visit: &Visit, page: &Page) -> Markup {
    let live = page.live.as_ref().filter(|_| visit.may("GET", "/events/stream"));
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(visit.theme.as_str()) {
            (head(&page.title))
            body data-live=[live.map(|query| format!("/api/v1/events/stream?{query}"))] data-kinds=[live.map(|_| kinds())] {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    a.brand href="/" { img src=(assets::href("mark.svg")) alt="" width="28" height="28"; "omadm" }
                    (menu(visit))
                    (person(visit))
                }
                main #main tabindex="-1" {
                    @if let Some(notice) = &visit.notice {
                        p.notice role="status" { (text::shown_long(notice)) }
                    }
                    @if let Some(above) = &page.above { nav.above aria-label="Breadcrumb" { (above) } }
                    div.title {
                        h1 { (text::shown(&page.title)) }
                        @if let Some(beside) = &page.beside { div.actions { (beside) } }
                    }
                    (page.body.as_ref().unwrap_or(&PreEscaped(String::new())))
                }
                footer.foot {
                    span { "omadm " (env!("CARGO_PKG_VERSION")) }
                    a href="/api/v1/openapi.json" { "REST API" }
                    @if live.is_some() {
                        span.live { "This page renews itself. " a href=(visit.place) { "Reload" } }
                    }
                }
            }
        }
    }
}

/// The kinds of events, each of which comes under its own name.
fn kinds() -> String {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    names.join(",")
}

fn menu(visit: &Visit) -> Markup {
    let path = visit.place.split('?').next().unwrap_or("/");
    let is_current = |href: &str| match href {
        "/" => path == "/",
        href => path == href || path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')),
    };
    html! {
        nav.menu aria-label="Main" {
            ul {
                @for entry in MENU.iter().filter(|entry| visit.may("GET", entry.route)) {
                    li { a href=(entry.href) aria-current=[is_current(entry.href).then_some("page")] { (entry.name) } }
                }
            }
        }
    }
}

/// Who is logged in, and what is about them.
fn person(visit: &Visit) -> Markup {
    html! {
        div.person {
            p { a.who href="/me" title="Your account" { (text::shown(&visit.actor.name)) } span.role { (visit.actor.role.as_str()) } }
            form.theme method="post" action="/appearance" {
                (visit.marks())
                input type="hidden" name="place" value=(visit.place);
                label for="theme" { "Appearance" }
                select #theme name="theme" {
                    @for theme in Theme::ALL {
                        option value=(theme.as_str()) selected[theme == visit.theme] { (theme.as_str()) }
                    }
                }
                button.small type="submit" { "Set" }
            }
            form method="post" action="/logout" { (visit.marks()) button.small type="submit" { "Log out" } }
        }
    }
}
