//! Where every request for a page comes in: who has no session is led to the login, a form has to be of this session and takes effect once,
//! and what a page says is put into the frame.

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use omadm_auth::Secret;

use super::failure::Failure;
use super::form::{self, Form};
use super::frame;
use super::visit::{Visit, path};
use super::{Console, login as login_page, upload};
use crate::operator::actor::Actor;
use crate::operator::problem::Problem;
use crate::operator::{access, login, with_body};
use crate::requests;

/// What pages may load: nothing but what this server gives them, and no script or style that stands in a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A request of a part of a page.
const PART: HeaderName = HeaderName::from_static("hx-request");
/// Leads a page elsewhere that asked for a part of itself.
const LEAD: HeaderName = HeaderName::from_static("hx-redirect");
/// Longest form of somebody whose session has ended, in octets.
const MAX_ENDED: usize = 256 << 10;

/// Lets those in who have a session, and puts what is answered into the frame.
pub async fn enter(State(console): State<Console>, request: Request, next: Next) -> Response {
    match admit(&console, request).await {
        Err(failure) => frame::alone(&failure),
        Ok(Admitted::Answered(response)) => *response,
        Ok(Admitted::In { visit, request, form }) => {
            let response = match form {
                None => next.run(*request).await,
                Some(form) => {
                    let work = async move { console.sent.once(form, next.run(*request)).await };
                    requests::begin(work).await.unwrap_or_else(|error| {
                        tracing::error!(%error, "a page ended badly");
                        StatusCode::INTERNAL_SERVER_ERROR.into_response()
                    })
                }
            };
            frame::finish(&visit, response)
        }
    }
}

/// Who comes in.
enum Admitted {
    /// With the form, if there is one that is to take effect once.
    In { visit: Box<Visit>, request: Box<Request>, form: Option<String> },
    /// Nobody: this is the answer.
    Answered(Box<Response>),
}

impl Admitted {
    fn answered(response: Response) -> Self {
        Self::Answered(Box::new(response))
    }
}

async fn admit(console: &Console, request: Request) -> Result<Admitted, Failure> {
    let (place, is_safe) = (place(&request), request.method().is_safe());
    let Some((session, actor)) = who(console, request.headers()).await? else {
        return ended(console, request, &place).await;
    };
    let visit = Visit::new(actor, &session, &request, console.api.clone());
    if is_safe {
        return Ok(entered(visit, request, None));
    }
    let (form, request) = read(console, request).await?;
    if !form::is_marked(&form, &session) {
        return Ok(Admitted::answered(frame::finish(&visit, login_page::resume(&visit, &place, &form))));
    }
    // Another button of the form, or the form filled in otherwise, is another form.
    let once = form
        .get(form::ONCE)
        .map(|once| format!("{} {once} {}", visit.actor.described(), form.digest(&place)));
    let mut request = request;
    request.extensions_mut().insert(form);
    Ok(entered(visit, request, once))
}

fn entered(visit: Visit, mut request: Request, form: Option<String>) -> Admitted {
    request.extensions_mut().insert(visit.clone());
    Admitted::In { visit: Box::new(visit), request: Box::new(request), form }
}

/// Whose session the cookie is of.
pub async fn who(console: &Console, headers: &HeaderMap) -> Result<Option<(Secret, Actor)>, Failure> {
    let Some(session) = login::cookie(headers) else { return Ok(None) };
    let actor = access::of_cookie(&console.context, &session).await.map_err(Problem::from)?;
    Ok(actor.map(|actor| (session, actor)))
}

/// The form in a request, of which the body is taken; but for a file in it, which is left to the page.
async fn read(console: &Console, request: Request) -> Result<(Form, Request), Failure> {
    if upload::is_one(request.headers()) {
        return upload::read(&console.context, request).await;
    }
    let (request, octets) = with_body(&console.context, request).await?;
    let (head, body) = request.into_parts();
    let form = Form::read(Request::from_parts(head.clone(), body)).await?;
    Ok((form, Request::from_parts(head, octets.into())))
}

/// Leads who has no session to the login; what they typed goes with them.
async fn ended(console: &Console, mut request: Request, place: &str) -> Result<Admitted, Failure> {
    let to = path(&["login"], &[("to", if place == "/" { "" } else { place })]);
    if request.headers().contains_key(PART) {
        let lead = HeaderValue::from_str(&to).map(|to| (LEAD, to));
        return Ok(Admitted::answered((HeaderMap::from_iter(lead), StatusCode::NO_CONTENT).into_response()));
    }
    if request.method().is_safe() {
        return Ok(Admitted::answered(Redirect::to(&to).into_response()));
    }
    DefaultBodyLimit::max(MAX_ENDED).apply(&mut request);
    let (form, request) = read(console, request).await?;
    Ok(Admitted::answered(login_page::ended(console, request.headers(), place, &form).await?))
}

/// The path and query of a request.
fn place(request: &Request) -> String {
    request.uri().path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

/// Whether a text is a path of this server: a redirect to it does not lead away.
pub fn is_place(text: &str) -> bool {
    let ordinary = |c: char| c.is_ascii_graphic() && c != '\\';
    text.starts_with('/') && !text.starts_with("//") && text.len() <= 4_096 && text.chars().all(ordinary)
}

/// What is said of a page that there is not.
pub async fn missing(method: Method) -> Failure {
    match method.is_safe() {
        true => Problem::unknown("there is no such page; the menu shows those that are").into(),
        false => Problem::new(StatusCode::METHOD_NOT_ALLOWED, "nothing can be sent to this page").into(),
    }
}

/// What is said of every answer of the console.
pub async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    // A document that is no page of the console, such as the preview of what devices show, has a policy of its own.
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_on_this_server() {
        for good in ["/", "/devices?filter=a%20b", "/devices/IMEI%3A1"] {
            assert!(is_place(good), "{good}");
        }
        for bad in
            ["", "devices", "//evil.example", "/\\evil.example", "https://evil.example", "/a b", "/ü", "/a\n"]
        {
            assert!(!is_place(bad), "{bad}");
        }
    }
}
