//! Events as they happen: server-sent events.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use omadm_auth::Secret;
use omadm_store::StoreError;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use utoipa::IntoParams;

use super::Sight;
use crate::clock;
use crate::context::Context;
use crate::operator::access;
use crate::operator::actor::Actor;
use crate::operator::number;
use crate::operator::problem::{Problem, Query};
use crate::operator::views::Event;

/// Pause after which something is sent in any case, so that both sides know that the other is there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is looked whether the token or session is still good, and what its groups hold now.
const RECHECK: Duration = Duration::from_secs(10);
/// Events that are read at a time.
const PAGE: u32 = 100;
/// Where a client that comes again says how far it had come.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Has proxies pass on each event at once.
const NO_BUFFER: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Followed {
    /// Only those of this device.
    device: Option<String>,
    /// Only those of these kinds, separated by commas.
    kind: Option<String>,
    /// Cursor of the last event that is known already; `Last-Event-ID` counts before it. Without either, what happens from now on.
    after: Option<String>,
}

/// Follows events as they happen (`text/event-stream`). The identifier of each is its cursor. The stream ends when the token or session does,
/// after an event `end`.
#[utoipa::path(get, path = "/events/stream", params(Followed), tag = "events",
    responses((status = 200, content_type = "text/event-stream"), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub async fn follow(
    State(context): State<Arc<Context>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    Query(wanted): Query<Followed>,
) -> Result<Response, Problem> {
    let place = context.tail.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many follow events already (operator.max_streams)")
    })?;
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let after = match number(last.or(wanted.after.as_deref()))? {
        Some(after) => after,
        None => context.store.newest_event().await?,
    };
    let sight = Sight::new(&context, &actor, wanted.device.as_deref(), wanted.kind.as_deref()).await?;
    let proof = access::proof(&headers);
    let news = context.tail.listen();
    let stopped = context.stopped.clone();
    let checked = Instant::now();
    let last = checked + context.config.operator.stream_lifetime.0;
    let state =
        Following { context, actor, proof, sight, after, news, stopped, checked, last, _place: place };
    let chunks = stream::unfold(Some(state), |state| async {
        let mut state = state?;
        let (text, goes_on) = state.next().await;
        Some((Ok::<_, Infallible>(Bytes::from(text)), goes_on.then_some(state)))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(NO_BUFFER, HeaderValue::from_static("no"));
    Ok(response)
}

/// One who follows. It is asked for the next piece only when the one before has gone out, so that nothing piles up.
struct Following {
    context: Arc<Context>,
    actor: Actor,
    proof: Option<Secret>,
    sight: Sight,
    /// How far the log was read.
    after: i64,
    news: watch::Receiver<i64>,
    stopped: watch::Receiver<bool>,
    /// When the right to follow was looked at last.
    checked: Instant,
    /// When the stream ends: who does not read any more, and is not seen to be gone, must not keep the place for ever.
    last: Instant,
    _place: OwnedSemaphorePermit,
}

impl Following {
    /// What is to be sent next, and whether anything comes after it.
    async fn next(&mut self) -> (String, bool) {
        match self.wait().await {
            Ok(text) => (text, true),
            Err(End::Stopped) => (end("the server stops"), false),
            Err(End::NoRight) => (end("the token or session has ended"), false),
            Err(End::Old) => (end("it has lasted for as long as it may; come again"), false),
            Err(End::Store(error)) => {
                tracing::error!(%error, "a stream of events ends");
                (end("the store failed"), false)
            }
        }
    }

    async fn wait(&mut self) -> Result<String, End> {
        let heartbeat = Instant::now() + HEARTBEAT;
        loop {
            self.may_go_on().await?;
            // Marked before the log is read: what is added afterwards is heard of.
            self.news.borrow_and_update();
            let before = self.after;
            let text = self.read().await?;
            if !text.is_empty() {
                return Ok(text);
            }
            if self.after == before {
                let until = (self.checked + RECHECK).min(heartbeat).min(self.end()).min(self.last);
                tokio::select! {
                    _ = self.stopped.wait_for(|stopped| *stopped) => return Err(End::Stopped),
                    _ = self.news.changed() => {}
                    () = tokio::time::sleep_until(until) => {}
                }
            }
            if Instant::now() >= heartbeat {
                // With the cursor alone it is no event, but a client that comes again has not to be told what it does not want.
                return Ok(format!(": \nid: {}\n\n", self.after));
            }
        }
    }

    /// When the right to follow ends by itself.
    fn end(&self) -> Instant {
        let left = self.actor.until.map(|until| until.0.saturating_sub(clock::now().0));
        let left = left.map_or(HEARTBEAT, |left| Duration::from_micros(u64::try_from(left).unwrap_or(0)));
        Instant::now() + left
    }

    async fn may_go_on(&mut self) -> Result<(), End> {
        if *self.stopped.borrow() {
            return Err(End::Stopped);
        }
        if self.last <= Instant::now() {
            return Err(End::Old);
        }
        if self.actor.until.is_some_and(|until| until <= clock::now()) {
            return Err(End::NoRight);
        }
        if self.checked.elapsed() >= RECHECK {
            let Some(proof) = &self.proof else { return Err(End::NoRight) };
            if !access::is_still(&self.context, &self.actor, proof).await? {
                return Err(End::NoRight);
            }
            self.sight.renew(&self.context, &self.actor).await?;
            self.checked = Instant::now();
        }
        Ok(())
    }

    /// What there is to tell of the next events in the log.
    async fn read(&mut self) -> Result<String, End> {
        let events = self.context.store.events(self.sight.device.as_ref(), self.after, PAGE).await?;
        let mut text = String::new();
        for event in events {
            self.after = event.cursor;
            if self.sight.shows(&self.context, &event).await? {
                let (cursor, kind) = (event.cursor, event.event.kind.clone());
                let data = serde_json::to_string(&Event::from(event)).unwrap_or_default();
                // Writing to a String cannot fail.
                let _ = write!(text, "id: {cursor}\nevent: {kind}\ndata: {data}\n\n");
            }
        }
        Ok(text)
    }
}

/// Why a stream ends.
enum End {
    Stopped,
    NoRight,
    Old,
    Store(StoreError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The last event of a stream. It has no identifier: who comes again goes on where they were.
fn end(why: &str) -> String {
    let data = serde_json::json!({ "why": why });
    format!("event: end\ndata: {data}\n\n")
}
