//! Somebody who looks at a page: who they are, and the REST API in their name.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request};
use http::header::{CONTENT_TYPE, COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use maud::Markup;
use omadm_auth::Secret;
use omadm_mo::Time;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt as _;

use super::appearance::Theme;
use super::failure::Failure;
use super::{form, notice};
use crate::clock;
use crate::listener::Connection;
use crate::operator::actor::Actor;
use crate::operator::problem::Problem;
use crate::operator::{PREFIX, access, login, rights};

/// Longest answer of the API that a page is made of, in octets.
const MAX_ANSWER: usize = 64 << 20;

/// Somebody who looks at a page.
#[derive(Clone)]
pub struct Visit {
    /// Who it is.
    pub actor: Actor,
    /// Path and query of the page.
    pub place: String,
    /// What is said at its top.
    pub notice: Option<String>,
    /// Light or dark.
    pub theme: Theme,
    /// When it is drawn.
    pub now: Time,
    mark: String,
    cookie: Option<HeaderValue>,
    connection: Option<Arc<Connection>>,
    api: Router,
}

impl Visit {
    /// Of who has this session.
    pub fn new(actor: Actor, session: &Secret, request: &Request, api: Router) -> Self {
        let place = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Self {
            actor,
            place: place.to_owned(),
            notice: notice::of(request.headers()),
            theme: Theme::of(request.headers()),
            now: clock::now(),
            mark: form::mark(session),
            cookie: login::of_session(session),
            connection: request.extensions().get().cloned(),
            api,
        }
    }

    /// Whether they may use a route of the API at all: what they may not is not shown to them.
    pub fn may(&self, method: &str, route: &str) -> bool {
        rights::of(method, route).is_some_and(|rule| access::might(&self.actor, rule).is_ok())
    }

    /// Refuses a page that is only for those who may use a route of the API.
    ///
    /// # Errors
    /// 403 says what it takes.
    pub fn must(&self, method: &str, route: &str) -> Result<(), Failure> {
        match rights::of(method, route) {
            Some(rule) => Ok(access::might(&self.actor, rule)?),
            None => Err(Problem::unknown("there is no such thing to do").into()),
        }
    }

    /// The hidden fields of a form.
    pub fn marks(&self) -> Markup {
        form::marks(&self.mark)
    }

    /// Reads from the API; `path` as [`path`] makes it.
    ///
    /// # Errors
    /// The problem that the API answers.
    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let answer = self.call(Method::GET, path, None).await?;
        serde_json::from_slice(&answer).map_err(|error| {
            tracing::error!(%error, path, "the console does not understand the API");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why").into()
        })
    }

    /// Reads what may not be there, or not be for them.
    ///
    /// # Errors
    /// The problem that the API answers, unless it is 403 or 404.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        match self.read(path).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN].contains(&failure.status()) => {
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Has the API do something.
    ///
    /// # Errors
    /// The problem that the API answers.
    pub async fn act(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let body = body.map(|body| ("application/json", body.to_string().into()));
        let answer = self.call(method, path, body).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or_default())
    }

    /// Gives the API a body of any length.
    ///
    /// # Errors
    /// The problem that the API answers.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        media_type: &'static str,
        body: Body,
    ) -> Result<Value, Failure> {
        let answer = self.call(method, path, Some((media_type, body))).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or_default())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Body)>,
    ) -> Result<Bytes, Failure> {
        let (media_type, body) = body.unzip();
        let mut request = Request::new(body.unwrap_or_default());
        *request.method_mut() = method;
        let unusable = |_| Problem::bad("this is no address of anything here");
        *request.uri_mut() = format!("{PREFIX}{path}").parse().map_err(unusable)?;
        let headers = request.headers_mut();
        headers.extend(self.cookie.clone().map(|cookie| (COOKIE, cookie)));
        headers.insert(login::INTENT, HeaderValue::from_static("console"));
        headers.extend(media_type.map(|media_type| (CONTENT_TYPE, HeaderValue::from_static(media_type))));
        let (status, _, octets) = ask(&self.api, self.connection.clone(), request).await?;
        match status.is_success() {
            true => Ok(octets),
            false => Err(refusal(status, &octets).into()),
        }
    }
}

/// Gives a request to the API, over the connection on which the page was asked for.
///
/// # Errors
/// When the answer is too long.
pub async fn ask(
    api: &Router,
    connection: Option<Arc<Connection>>,
    mut request: Request,
) -> Result<(StatusCode, HeaderMap, Bytes), Failure> {
    if let Some(connection) = connection {
        request.extensions_mut().insert(connection);
    }
    let Ok(response) = api.clone().oneshot(request).await;
    let (head, body) = response.into_parts();
    let octets = axum::body::to_bytes(body, MAX_ANSWER).await.map_err(|error| {
        tracing::error!(%error, "the console cannot read an answer of the API");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "there is too much to show on one page")
    })?;
    Ok((head.status, head.headers, octets))
}

/// The problem in an answer of the API.
pub fn refusal(status: StatusCode, octets: &[u8]) -> Problem {
    serde_json::from_slice(octets).unwrap_or_else(|_| Problem::new(status, "the server gave no reason"))
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "log in first").into())
    }
}

/// What is written as it is in a part of a path or a query.
const WRITTEN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path of these segments with a query, each written as it has to be; without what is empty in the query.
pub fn path(segments: &[&str], query: &[(&str, &str)]) -> String {
    let written = |text| utf8_percent_encode(text, WRITTEN).to_string();
    let mut path: String = segments.iter().map(|segment| format!("/{}", written(segment))).collect();
    if path.is_empty() {
        path.push('/');
    }
    let filled = query.iter().filter(|(_, value)| !value.is_empty());
    for (place, (name, value)) in filled.enumerate() {
        path.push(if place == 0 { '?' } else { '&' });
        path.push_str(&format!("{}={}", written(name), written(value)));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_hold_whatever_names_hold() {
        assert_eq!(path(&["devices", "IMEI:1"], &[]), "/devices/IMEI%3A1");
        assert_eq!(path(&["devices", "a/../b?c#d"], &[]), "/devices/a%2F..%2Fb%3Fc%23d");
        assert_eq!(
            path(&[], &[("filter", "a = \"ü\""), ("after", ""), ("x", "&")]),
            "/?filter=a%20%3D%20%22%C3%BC%22&x=%26"
        );
    }
}
