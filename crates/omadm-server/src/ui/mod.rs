//! The Web Server Component (`DM 2.0 §4, §5.3.7`): pages that a device shows to its user, and the answers.
//!
//! Who knows the address of a page may answer it: it is unguessable, of one command, and good for as long as that command is open.

mod answer;
mod html;
mod page;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{Html, IntoResponse as _, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use omadm_store::{Command, CommandState, StoreError};

use self::answer::{Faults, Sent};
pub use self::page::{Page, is_name};
use crate::address::Inventory;
use crate::beside::{self, MAX_CONFLICTS};
use crate::clock;
use crate::context::Context;
use crate::device::{queued, read_body};
use crate::operation::{Operation, read_page_token};
use crate::outcome::{Beside, Outcome};

/// Longest body of an answer, in octets.
const MAX_BODY: usize = 1 << 20;
/// Says where a request comes from, as far as a browser tells.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What there is at an address.
enum Found {
    Open(Box<Command>, Page),
    Answered,
    Over,
    Nothing,
}

/// `GET /ui/{token}`
pub async fn show(State(context): State<Arc<Context>>, Path(token): Path<String>) -> Response {
    match find(&context, &token).await {
        Ok(Found::Open(_, page)) => {
            answer_with(StatusCode::OK, html::page(&page, &Sent::default(), &Faults::new()))
        }
        Ok(found) => closed(&found),
        Err(error) => failed(&error),
    }
}

/// `POST /ui/{token}`
pub async fn answer(
    State(context): State<Arc<Context>>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    if !is_own(&head.headers, &context.public_url) {
        let text = "This answer came from another page, and was not taken.";
        return answer_with(StatusCode::FORBIDDEN, html::message("Not taken", text));
    }
    match take(&context, &token, &head.headers, body).await {
        // What the browser shows then can be loaded again without sending the answer again.
        Ok(None) => {
            let mut response = answer_with(StatusCode::SEE_OTHER, String::new());
            response.headers_mut().extend(
                HeaderValue::from_str(&format!("/ui/{token}")).ok().map(|location| (LOCATION, location)),
            );
            response
        }
        Ok(Some(response)) => response,
        Err(error) => failed(&error),
    }
}

/// Takes an answer; gives what the user sees if there is something to say against it.
async fn take(
    context: &Context,
    token: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<Response>, StoreError> {
    let unreadable = |status, text: &str| Ok(Some(answer_with(status, html::message("Not taken", text))));
    let body = match read_body(headers, body, MAX_BODY, context.config.device.body_timeout.0).await {
        Ok(body) => body,
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.http_status).unwrap_or(StatusCode::BAD_REQUEST);
            return unreadable(status, "Your answer did not arrive as a whole. Please send it again.");
        }
    };
    let Some(sent) = Sent::read(&body) else {
        return unreadable(StatusCode::BAD_REQUEST, "Your answer could not be read.");
    };
    for _ in 0..MAX_CONFLICTS {
        let (command, page) = match find(context, token).await? {
            Found::Open(command, page) => (command, page),
            // To send it again changes nothing, and shows that it was given.
            Found::Answered => return Ok(None),
            found @ (Found::Over | Found::Nothing) => return Ok(Some(closed(&found))),
        };
        let given = match answer::read(&page, &sent) {
            Ok(given) => given,
            Err(faults) => {
                let again = html::page(&page, &sent, &faults);
                return Ok(Some(answer_with(StatusCode::UNPROCESSABLE_ENTITY, again)));
            }
        };
        let Some(check) = beside::check_in(context.store.as_ref(), &command).await? else {
            return Ok(Some(closed(&Found::Nothing)));
        };
        let inventory = Inventory::read(check.device.inventory.as_deref());
        let queued = [queued(context, &inventory, &[], &command)];
        let outcome = Outcome::new(&check, &queued, Beside::default(), inventory);
        let [answered] = &queued;
        match context.store.apply(outcome.answer_step(answered, &given, clock::now())).await {
            Ok(()) => {
                context.wakers.wake(&command.device);
                return Ok(None);
            }
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict("the command of a page is being worked on"))
}

async fn find(context: &Context, token: &str) -> Result<Found, StoreError> {
    let Some((id, secret)) = read_page_token(token) else { return Ok(Found::Nothing) };
    let Some(command) = context.store.command(id).await? else { return Ok(Found::Nothing) };
    let is_its = match Operation::from_stored(&command) {
        Ok(Operation::ShowPage { secret: kept, .. }) => {
            openssl::memcmp::eq(kept.as_bytes(), secret.as_bytes())
        }
        _ => false,
    };
    if !is_its {
        return Ok(Found::Nothing);
    }
    match command.state {
        CommandState::Queued | CommandState::Sent if command.expires > clock::now() => {}
        CommandState::Done => return Ok(Found::Answered),
        _ => return Ok(Found::Over),
    }
    let payload = match command.payload {
        Some(payload) => context.store.payload(payload).await?,
        None => None,
    };
    let page = payload.and_then(|payload| serde_json::from_slice(&payload.body).ok());
    Ok(page.map_or(Found::Nothing, |page| Found::Open(Box::new(command), page)))
}

/// Whether a browser says that the answer comes from our own page. One that says nothing of it still had to know the address.
fn is_own(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    match (text(SEC_FETCH_SITE), text(ORIGIN)) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => origin == public_url,
        (None, None) => true,
    }
}

fn closed(found: &Found) -> Response {
    let (status, title, text) = match found {
        Found::Open(..) | Found::Answered => {
            (StatusCode::OK, "Thank you", "Your answer was received. You can close this page.")
        }
        Found::Over => (
            StatusCode::GONE,
            "No longer needed",
            "The time for an answer is over, or it is not wanted any more. You can close this page.",
        ),
        Found::Nothing => (StatusCode::NOT_FOUND, "Nothing here", "There is no such page, or not any more."),
    };
    answer_with(status, html::message(title, text))
}

fn failed(error: &StoreError) -> Response {
    tracing::error!(%error, "a page could not be served");
    let text = "This did not work at the moment. Please try again in a minute.";
    answer_with(StatusCode::SERVICE_UNAVAILABLE, html::message("Please try again", text))
}

fn answer_with(status: StatusCode, html: String) -> Response {
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(&html::POLICY).ok().map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_from_our_own_page() {
        let of = |headers: &[(HeaderName, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            is_own(&headers.collect(), "https://dm.example:8443")
        };
        assert!(of(&[]));
        assert!(of(&[(SEC_FETCH_SITE, "same-origin"), (ORIGIN, "null")]));
        assert!(of(&[(ORIGIN, "https://dm.example:8443")]));
        assert!(!of(&[(SEC_FETCH_SITE, "cross-site")]));
        assert!(!of(&[(SEC_FETCH_SITE, "same-site"), (ORIGIN, "https://dm.example:8443")]));
        assert!(!of(&[(ORIGIN, "https://evil.example")]));
        assert!(!of(&[(ORIGIN, "null")]));
    }
}
