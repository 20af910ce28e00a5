//! What goes into the audit log, and reading it.

pub mod export;
mod search;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use omadm_mo::Time;
use omadm_store::{AuditEntry, AuditHead, AuditQuery};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::actor::Actor;
use super::problem::{Problem, Query};
use super::views::Page;
use super::{PREFIX, limit, number};
use crate::audit::{BEGUN, Digester};
use crate::clock::rfc3339;
use crate::context::Context;
use crate::listener::Connection;
use crate::requests;
pub use search::Sought;
use search::{Search, time};

/// Members of bodies that are kept as they are: none of them is ever a secret, and all others may be.
const KEPT: &[&str] = &[
    "address",
    "after",
    "campaign",
    "description",
    "devices",
    "enabled",
    "expires_in",
    "filter",
    "force",
    "group",
    "groups",
    "id",
    "ids",
    "kind",
    "kinds",
    "label",
    "labels",
    "moids",
    "name",
    "package",
    "priority",
    "profile",
    "rate",
    "replace",
    "role",
    "scopes",
    "stages",
    "verb",
    "version",
];
/// What stands in place of another member.
const LEFT_OUT: &str = "…";
/// Longest text that is kept, in characters.
const MAX_TEXT: usize = 200;
/// Most items of a list that are kept.
const MAX_ITEMS: usize = 20;
/// Deepest nesting that is kept.
const MAX_DEPTH: usize = 4;
/// Longest body of which more than a digest is kept, in octets.
const MAX_BODY: usize = 64 << 10;

/// The body of a request that was read as a whole.
#[derive(Clone)]
pub struct Octets(pub Bytes);

/// A body that is taken piece by piece: its digest is known when all of it has come.
struct Streamed {
    digester: Digester,
    is_whole: bool,
}

impl Streamed {
    /// Has the body of a request followed on its way.
    fn follow(request: Request, digester: Digester) -> (Request, Arc<Mutex<Self>>) {
        let streamed = Arc::new(Mutex::new(Self { digester, is_whole: false }));
        let followed = streamed.clone();
        let (head, body) = request.into_parts();
        let pieces = stream::unfold((body.into_data_stream(), followed), |(mut body, followed)| async move {
            let piece = body.next().await;
            followed.lock().unwrap_or_else(PoisonError::into_inner).take(piece.as_ref());
            piece.map(|piece| (piece, (body, followed)))
        });
        (Request::from_parts(head, Body::from_stream(pieces)), streamed)
    }

    fn take(&mut self, piece: Option<&Result<Bytes, axum::Error>>) {
        match piece {
            Some(Ok(piece)) => self.digester.update(piece),
            Some(Err(_)) => {}
            None => self.is_whole = true,
        }
    }

    /// What is said of it afterwards.
    fn said(&self) -> Value {
        match self.is_whole {
            true => json!({ "octets": self.digester.octets, "digest": self.digester.clone().end() }),
            false => json!({ "octets": self.digester.octets }),
        }
    }
}

/// Notes every request that changes something: before it is done, and what came of it. What cannot be noted is not done, and what was begun
/// is done and noted to its end, also when who asked has gone.
pub async fn follow(
    State(context): State<Arc<Context>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if request.method().is_safe() {
        return Ok(next.run(request).await);
    }
    let mut entry = described(&request, path.as_ref());
    let id = entry.get("request").cloned();
    let Some(actor) = request.extensions().get::<Actor>() else {
        return logged_in(&context, entry, next.run(request).await).await;
    };
    entry.insert("by".to_owned(), actor.described().into());
    entry.insert("phase".to_owned(), BEGUN.into());
    let mut digester = context.audit.digester();
    let (request, streamed) = match request.extensions().get::<Octets>() {
        Some(Octets(body)) => {
            if !body.is_empty() {
                digester.update(body);
                entry.insert("digest".to_owned(), digester.end().into());
            }
            entry.extend(kept(body).map(|kept| ("body".to_owned(), kept)));
            (request, None)
        }
        None => {
            let (request, streamed) = Streamed::follow(request, digester);
            (request, Some(streamed))
        }
    };
    context.audit.note(context.store.as_ref(), &Value::Object(entry)).await?;
    let doing = requests::begin(async move {
        let response = next.run(request).await;
        let mut done = json!({ "request": id, "phase": "done", "status": response.status().as_u16() });
        if let (Some(streamed), Some(members)) = (streamed, done.as_object_mut()) {
            let said = streamed.lock().unwrap_or_else(PoisonError::into_inner).said();
            members.insert("body".to_owned(), said);
        }
        context.audit.note_outcome(context.store.as_ref(), done).await;
        response
    });
    doing.await.map_err(|error| {
        tracing::error!(%error, "a request ended badly");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
    })
}

/// Notes a login, which is known only afterwards: nobody gets the secret of a session that could not be noted. A login that failed is an
/// event, and not noted: anybody could fill the log.
async fn logged_in(
    context: &Context,
    mut entry: Map<String, Value>,
    response: Response,
) -> Result<Response, Problem> {
    if let Some(actor) = response.extensions().get::<Actor>() {
        entry.insert("by".to_owned(), actor.described().into());
        entry.insert("phase".to_owned(), "done".into());
        entry.insert("status".to_owned(), response.status().as_u16().into());
        context.audit.note(context.store.as_ref(), &Value::Object(entry)).await?;
    }
    Ok(response)
}

/// Notes that somebody wanted to change what they may not change.
pub async fn refused(context: &Context, actor: &Actor, mut entry: Map<String, Value>) {
    entry.insert("by".to_owned(), actor.described().into());
    entry.insert("phase".to_owned(), "refused".into());
    if let Err(error) = context.audit.note(context.store.as_ref(), &Value::Object(entry)).await {
        tracing::error!(%error, "a refused request could not be noted in the audit log");
    }
}

/// What a request is, without who makes it, and with an identifier of its own.
pub fn described(request: &Request, path: Option<&MatchedPath>) -> Map<String, Value> {
    let route = path.map(MatchedPath::as_str).and_then(|path| path.strip_prefix(PREFIX)).unwrap_or_default();
    // Below its prefix the API sees paths without it.
    let on = request.uri().path();
    let on = on.strip_prefix(PREFIX).unwrap_or(on);
    let peer = request.extensions().get::<Arc<Connection>>().map(|connection| connection.peer);
    let members = [
        ("request", json!(Uuid::now_v7())),
        ("from", json!(peer.as_ref().map(SocketAddr::ip))),
        ("do", json!(format!("{} {route}", request.method()))),
        ("on", json!(cut(on))),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What is kept of a body.
fn kept(body: &[u8]) -> Option<Value> {
    if body.len() > MAX_BODY {
        return None;
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    value.is_object().then(|| harmless(&value, MAX_DEPTH))
}

/// A value without what may be a secret.
fn harmless(value: &Value, depth: usize) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => cut(text).into(),
        _ if depth == 0 => LEFT_OUT.into(),
        Value::Array(items) => {
            let more = (items.len() > MAX_ITEMS).then(|| Value::from(format!("{} items", items.len())));
            items.iter().take(MAX_ITEMS).map(|item| harmless(item, depth - 1)).chain(more).collect()
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let is_kept = KEPT.binary_search(&name.as_str()).is_ok();
                let value = if is_kept { harmless(value, depth - 1) } else { LEFT_OUT.into() };
                (cut(name), value)
            };
            Value::Object(members.iter().take(MAX_ITEMS).map(member).collect())
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    /// The node that wrote it.
    chain: String,
    /// Place in its chain, from 1.
    seq: i64,
    /// When, in microseconds since 1970.
    at: i64,
    /// When, for people.
    time: String,
    /// Hash of the entry before.
    prev: String,
    /// SHA-256 over `prev`, chain, place, time and text.
    hash: String,
    /// What is said: JSON, as it went into the hash.
    entry: String,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        Self {
            seq: entry.seq,
            at: entry.at.0,
            time: rfc3339(entry.at),
            prev: hex(&entry.prev),
            hash: hex(&entry.hash),
            chain: entry.chain,
            entry: entry.entry,
        }
    }
}

/// The last entry of a chain.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditHead)]
pub struct Head {
    chain: String,
    seq: i64,
    hash: String,
}

impl From<AuditHead> for Head {
    fn from(head: AuditHead) -> Self {
        Self { hash: hex(&head.hash), chain: head.chain, seq: head.seq }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Which entries are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only those of this chain, in their order. Without it the newest of all come first.
    chain: Option<String>,
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the page before; of a chain, a place in it.
    after: Option<String>,
    /// Only what was done by those in whose description this is, such as `user ann`.
    by: Option<String>,
    /// Only what was done to paths in which this is, such as `IMEI:1`.
    on: Option<String>,
    /// Only what was done at routes that begin so, such as `/devices`.
    route: Option<String>,
    /// Only what was `refused`, or what is `unknown` to have been done.
    #[param(inline)]
    outcome: Option<Sought>,
    /// Only what is older than this time (RFC 3339).
    until: Option<String>,
}

/// Lists entries of the audit log. With `by`, `on`, `route` or `outcome`, so many of the newest entries are looked through as one request may: a page can have
/// fewer items than there are further back, and none; `next` goes on from there. What came of a request stands before it.
#[utoipa::path(get, path = "/audit", params(Wanted), tag = "audit",
    responses((status = 200, body = Page<Entry>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Entry>>, Problem> {
    let limit = limit(wanted.limit)?;
    let search = Search::of(&wanted);
    if let Some(chain) = wanted.chain.clone() {
        if search.is_narrow() || wanted.until.is_some() {
            return Err(Problem::bad("a chain is listed as a whole; leave out what narrows it"));
        }
        let after = number(wanted.after.as_deref())?.unwrap_or_default();
        let entries = context.store.audit(AuditQuery::Chain { chain, after }, limit + 1).await?;
        return Ok(Json(Page::cut(entries, limit, |entry| entry.seq.to_string(), Entry::from)));
    }
    let query = before(wanted.after.as_deref(), wanted.until.as_deref())?;
    if search.is_narrow() {
        return Ok(Json(search.run(context.store.as_ref(), query, limit).await?));
    }
    let entries = context.store.audit(query, limit + 1).await?;
    Ok(Json(Page::cut(entries, limit, cursor, Entry::from)))
}

/// The cursor of what is older than an entry.
fn cursor(entry: &AuditEntry) -> String {
    format!("{}.{}.{}", entry.at.0, entry.seq, entry.chain)
}

/// The query for what is older than an entry, or than a time.
fn before(cursor: Option<&str>, until: Option<&str>) -> Result<AuditQuery, Problem> {
    let Some(cursor) = cursor else {
        let at = match until {
            Some(until) => time(until)?,
            None => Time(i64::MAX),
        };
        return Ok(AuditQuery::Before { at, chain: String::new(), seq: 0 });
    };
    let read = || {
        let (at, rest) = cursor.split_once('.')?;
        let (seq, chain) = rest.split_once('.')?;
        Some(AuditQuery::Before {
            at: Time(at.parse().ok()?),
            chain: chain.to_owned(),
            seq: seq.parse().ok()?,
        })
    };
    read().ok_or_else(|| Problem::bad("after is no cursor of this listing; take it from \"next\""))
}

/// Lists the last entry of each chain. Kept elsewhere, they are anchors: whoever changes the log later is found out by them.
#[utoipa::path(get, path = "/audit/heads", tag = "audit", responses((status = 200, body = Page<Head>)))]
pub async fn heads(State(context): State<Arc<Context>>) -> Result<Json<Page<Head>>, Problem> {
    let heads = context.store.audit_heads().await?;
    Ok(Json(Page { items: heads.into_iter().map(Head::from).collect(), next: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_in_order() {
        assert!(KEPT.is_sorted(), "it is searched by halves");
    }

    #[test]
    fn secrets_are_not_kept() {
        let body = json!({
            "name": "x", "password": "p1", "secret": "p2", "value": "p3", "url": "https://u:p4@h/", "new field": "p5",
            "devices": [{ "id": "UUID:1", "secret": "p6" }], "groups": { "value": "p7" },
            "psk": "p8",
        });
        let text = kept(body.to_string().as_bytes()).unwrap().to_string();
        assert!(text.contains("UUID:1") && text.contains("\"name\":\"x\""), "{text}");
        for secret in 1..=8 {
            assert!(!text.contains(&format!("p{secret}")), "{text}");
        }
        assert_eq!(kept(b"p1"), None);
        assert_eq!(kept(b"\"p1\""), None, "only members have names");
        let large = json!({ "name": "x".repeat(MAX_BODY) });
        assert_eq!(kept(large.to_string().as_bytes()), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many = json!({ "ids": (0..1_000).collect::<Vec<_>>(), "name": "é".repeat(1_000) });
        let kept = kept(many.to_string().as_bytes()).unwrap();
        assert_eq!(kept["ids"].as_array().unwrap().len(), MAX_ITEMS + 1);
        assert_eq!(kept["name"].as_str().unwrap().chars().count(), MAX_TEXT);
        let deep = json!({ "groups": { "groups": { "groups": { "groups": { "groups": 1 } } } } });
        assert!(harmless(&deep, MAX_DEPTH).to_string().contains(LEFT_OUT));
    }

    #[test]
    fn cursors_come_back() {
        let query = before(Some("7.3.a.b"), None).ok().unwrap();
        assert_eq!(query, AuditQuery::Before { at: Time(7), chain: "a.b".to_owned(), seq: 3 });
        for wrong in ["", "7", "7.3", "x.3.a", "7.x.a"] {
            assert!(before(Some(wrong), None).is_err(), "{wrong}");
        }
        let query = before(None, Some("1970-01-01T00:00:02+00:00")).ok().unwrap();
        assert_eq!(query, AuditQuery::Before { at: Time(2_000_000), chain: String::new(), seq: 0 });
        assert!(before(None, Some("yesterday")).is_err());
    }
}
