//! Making a webhook.

use axum::response::{IntoResponse as _, Response};
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::console::data::Listed;
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::text;
use crate::console::visit::{Visit, path};

/// What was typed, and why it was refused.
pub struct Refused<'r> {
    form: &'r Form,
    why: &'r str,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

/// The form for a new one.
pub async fn card(visit: &Visit, refused: Option<&Refused<'_>>) -> Result<Markup, Failure> {
    let kinds: Listed<Kind> = match visit.may("GET", "/events/kinds") {
        true => visit.read(&path(&["events", "kinds"], &[])).await?,
        false => Listed::default(),
    };
    let typed = |name: &str| refused.and_then(|refused| refused.form.get(name)).unwrap_or_default();
    let is_ticked =
        |kind: &str| refused.is_some_and(|refused| refused.form.all("kind").any(|ticked| ticked == kind));
    let invalid = refused.map(|_| "true");
    Ok(html! {
        section.card {
            h2 { "Add a webhook" }
            form.stack method="post" action="/webhooks" {
                (visit.marks())
                label for="name" { "Name" }
                input #name name="name" value=(typed("name")) required maxlength="64" aria-describedby="add-fault";
                label for="url" { "Address" }
                input #url.mono name="url" value=(typed("url")) required spellcheck="false" autocapitalize="none" placeholder="https://tickets.example/omadm"
                    aria-describedby="url-hint add-fault" aria-invalid=[invalid];
                p.quiet #url-hint { "With https, and a host that is not of a private network, unless the server's configuration allows it." }
                @if !kinds.items.is_empty() {
                    fieldset {
                        legend { "Kinds of events; none for all" }
                        div.kinds {
                            @for kind in &kinds.items {
                                @let id = format!("kind-{}", kind.kind.replace('.', "-"));
                                label.tick for=(id) { input type="checkbox" id=(id) name="kind" value=(kind.kind) checked[is_ticked(&kind.kind)]; (kind.kind) }
                            }
                        }
                    }
                }
                div #add-fault { @if let Some(refused) = refused { div.fault role="alert" { p { (text::shown_long(refused.why)) } } } }
                button.main type="submit" { "Add it" }
            }
        }
    })
}

/// Adds it, and shows the key of its signatures.
pub async fn add(visit: Visit, form: Form) -> Result<Response, Failure> {
    let kinds: Vec<&str> = form.all("kind").collect();
    let [name, url] = ["name", "url"].map(|field| form.filled(field).unwrap_or_default());
    let body = json!({ "name": name, "url": url, "kinds": kinds });
    let made = match visit.act(Method::POST, &path(&["webhooks"], &[]), Some(body)).await {
        Ok(made) => made,
        Err(failure) if failure.status().is_client_error() => {
            let refused = Refused { form: &form, why: failure.detail() };
            return Ok((failure.status(), super::page(&visit, Some(&refused)).await?).into_response());
        }
        Err(failure) => return Err(failure),
    };
    let secret = made.get("secret").and_then(Value::as_str).unwrap_or_default();
    let body = html! {
        div.card {
            p { "This is the key of its signatures. It is shown this once: give it to the program now, which finds out by it that what comes is of this server." }
            (text::block(secret))
            div.actions { a.button.main href=(path(&["webhooks", name], &[])) { "Go on to the webhook" } }
        }
    };
    let page = Page::new(format!("{name} is added"), body).below(html! { a href="/webhooks" { "Webhooks" } });
    Ok(page.secret().into_response())
}
