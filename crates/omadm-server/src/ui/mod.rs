//! The Web Server Component (`DM 2.0 §4, §5.3.7`): pages that a device shows to its user, and the answers.
//!
//! Who knows the address of a page may answer it: it is unguessable, of one command, and good for as long as that command is open.

mod answer;
mod check;
mod html;
mod page;
mod words;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::{Html, IntoResponse as _, Response};
use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use omadm_store::{Command, CommandState, StoreError};

use self::answer::{Faults, Sent};
pub use self::check::{check, is_name};
pub use self::html::PREVIEW_POLICY;
use self::html::View;
pub use self::page::{Choice, Kind, Page, Translation};
use self::words::Words;
pub use self::words::{is_right_to_left, name_of};
use crate::address::Inventory;
use crate::beside::{self, MAX_CONFLICTS};
use crate::clock;
use crate::context::Context;
use crate::device::{queued, read_body};
use crate::operation::{Operation, read_page_token};
use crate::outcome::{Beside, Outcome};

/// Longest body of an answer, in octets.
const MAX_BODY: usize = 1 << 20;
/// Parameter of the address that says which language a user has chosen.
const LANGUAGE: &str = "language";
/// Says where a request comes from, as far as a browser tells.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What there is at an address.
enum Found {
    Open(Box<Command>, Box<Page>),
    Answered,
    Over,
    Nothing,
}

/// Which language a user wants: the one that they have chosen, else what their browser prefers.
struct Wanted {
    /// Tags, the one that is liked best first.
    tags: Vec<String>,
}

/// Most languages of a browser that are looked at.
const MAX_TAGS: usize = 32;

impl Wanted {
    fn of(query: Option<&str>, headers: &HeaderMap) -> Self {
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let chosen = Sent::read(query.unwrap_or_default().as_bytes()).unwrap_or_default();
        let chosen = Some(chosen.value(LANGUAGE).to_owned()).filter(|tag| is_name(tag));
        Self { tags: chosen.into_iter().chain(preferred(accepted)).collect() }
    }

    /// The language of a page that is liked best; its own if none of them is.
    fn of_page<'p>(&self, page: &'p Page) -> &'p str {
        self.tags.iter().find_map(|tag| page.language_for(tag)).unwrap_or(&page.language)
    }

    /// Our own words in the language that is liked best.
    fn words(&self) -> &'static Words {
        self.tags.iter().find_map(|tag| Words::known(tag)).unwrap_or(Words::of(""))
    }
}

/// Tags of `Accept-Language`, the one with the highest weight first (`RFC 9110 §12.5.4`).
fn preferred(accepted: &str) -> Vec<String> {
    let weighed = accepted.split(',').take(MAX_TAGS).filter_map(|range| {
        let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
        let weight: f32 = weight.trim().strip_prefix("q=")?.parse().ok()?;
        (weight > 0.0 && is_name(tag.trim())).then(|| (weight, tag.trim().to_owned()))
    });
    let mut weighed: Vec<_> = weighed.collect();
    weighed.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    weighed.into_iter().map(|(_, tag)| tag).collect()
}

/// A page as its user sees it before they have answered.
pub fn preview(page: &Page, language: &str) -> String {
    draw(page, language, &Sent::default(), &Faults::new())
}

fn draw(page: &Page, language: &str, sent: &Sent, faults: &Faults) -> String {
    let languages: Vec<&str> = page.languages().collect();
    View { page: &page.in_language(language), languages: &languages, sent, faults }.html()
}

/// `GET /ui/{token}`
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let wanted = Wanted::of(query.as_deref(), &headers);
    match find(&context, &token).await {
        Ok(Found::Open(_, page)) => answer_with(StatusCode::OK, preview(&page, wanted.of_page(&page))),
        Ok(found) => closed(&found, wanted.words()),
        Err(error) => failed(&error, wanted.words()),
    }
}

/// `POST /ui/{token}`
pub async fn answer(
    State(context): State<Arc<Context>>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let wanted = Wanted::of(query.as_deref(), &head.headers);
    let words = wanted.words();
    if !is_own(&head.headers, &context.public_url) {
        return answer_with(StatusCode::FORBIDDEN, html::message(words, (words.not_taken, words.foreign)));
    }
    match take(&context, &token, &wanted, &head.headers, body).await {
        Ok(response) => response,
        Err(error) => failed(&error, words),
    }
}

/// What the browser shows after an answer can be loaded again without sending the answer again.
fn taken(token: &str, language: &str) -> Response {
    let mut response = answer_with(StatusCode::SEE_OTHER, String::new());
    let location = HeaderValue::from_str(&format!("/ui/{token}?{LANGUAGE}={language}"));
    response.headers_mut().extend(location.ok().map(|location| (LOCATION, location)));
    response
}

/// Takes an answer; gives what the user sees then.
async fn take(
    context: &Context,
    token: &str,
    wanted: &Wanted,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, StoreError> {
    let words = wanted.words();
    let unreadable =
        |status, text: &str| Ok(answer_with(status, html::message(words, (words.not_taken, text))));
    let body = match read_body(headers, body, MAX_BODY, context.config.device.body_timeout.0).await {
        Ok(body) => body,
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.http_status).unwrap_or(StatusCode::BAD_REQUEST);
            return unreadable(status, words.incomplete);
        }
    };
    let Some(sent) = Sent::read(&body) else {
        return unreadable(StatusCode::BAD_REQUEST, words.unreadable);
    };
    for _ in 0..MAX_CONFLICTS {
        let (command, page) = match find(context, token).await? {
            Found::Open(command, page) => (command, page),
            // To send it again changes nothing, and shows that it was given.
            Found::Answered => return Ok(taken(token, words.language)),
            found @ (Found::Over | Found::Nothing) => return Ok(closed(&found, words)),
        };
        let language = wanted.of_page(&page);
        let given = match answer::read(&page.in_language(language), &sent) {
            Ok(given) => given,
            Err(faults) => {
                let again = draw(&page, language, &sent, &faults);
                return Ok(answer_with(StatusCode::UNPROCESSABLE_ENTITY, again));
            }
        };
        let Some(check) = beside::check_in(context.store.as_ref(), &command).await? else {
            return Ok(closed(&Found::Nothing, words));
        };
        let inventory = Inventory::read(check.device.inventory.as_deref());
        let queued = [queued(context, &inventory, &[], &command)];
        let outcome = Outcome::new(&check, &queued, Beside::default(), inventory);
        let [answered] = &queued;
        match context.store.apply(outcome.answer_step(answered, &given, clock::now())).await {
            Ok(()) => {
                context.wakers.wake(&command.device);
                return Ok(taken(token, language));
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
    Ok(page.map_or(Found::Nothing, |page| Found::Open(Box::new(command), Box::new(page))))
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

fn closed(found: &Found, words: &Words) -> Response {
    let (status, said) = match found {
        Found::Open(..) | Found::Answered => (StatusCode::OK, words.thanks),
        Found::Over => (StatusCode::GONE, words.over),
        Found::Nothing => (StatusCode::NOT_FOUND, words.nothing),
    };
    answer_with(status, html::message(words, said))
}

fn failed(error: &StoreError, words: &Words) -> Response {
    tracing::error!(%error, "a page could not be served");
    answer_with(StatusCode::SERVICE_UNAVAILABLE, html::message(words, words.failed))
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
    fn a_user_reads_the_language_that_they_want() {
        let definition = serde_json::json!({ "kind": "notice", "title": "t", "language": "en", "translations": [
            { "language": "de", "title": "t" }, { "language": "fr-CA", "title": "t" }] });
        let page: Page = serde_json::from_value(definition).unwrap();
        let shown = |query: Option<&str>, accepted: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static(accepted))]);
            let wanted = Wanted::of(query, &headers);
            (wanted.of_page(&page).to_owned(), wanted.words().language)
        };
        for (query, accepted, language, words) in [
            (None, "", "en", "en"),
            (None, "de-DE,de;q=0.9,en;q=0.8", "de", "de"),
            (None, "en;q=0.3, fr;q=0.7", "fr-CA", "fr"),
            (None, "sw, de;q=0.5", "de", "de"),
            (None, "de;q=0, *;q=0.5", "en", "en"),
            (Some("language=fr-CA"), "de", "fr-CA", "fr"),
            (Some("language=%3Cscript%3E"), "de", "de", "de"),
            (None, ";;q=,=;q=NaN", "en", "en"),
        ] {
            assert_eq!(shown(query, accepted), (language.to_owned(), words), "{query:?} {accepted}");
        }
    }

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
