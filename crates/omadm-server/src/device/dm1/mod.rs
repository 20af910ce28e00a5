//! The DM 1.x endpoint: one message in, its effects durable, one message out (`DM 1.3 PROTO §6`, `DM 1.3 HTTP binding §5`).

mod account;
mod known;
mod link;
mod outcome;
mod report;
mod scout;
mod stop;
mod trace;
mod upload;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Extension, Router};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, request};
use omadm_auth::dm1::HMAC_HEADER;
use omadm_mo::{DeviceId, Time};
use omadm_session::dm1::server as engine;
use omadm_session::dm2::server::Refusal;
use omadm_store::{CheckIn, NewEvent, SessionRow, SessionStep, StoreError, TraceMessage};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use account::{Kept, Schemes};
use known::{Found, Sender};
pub use known::{Models, protocol_version};
pub use link::carried;
use outcome::{Exchange, session_step};
pub use scout::seen_at;
use scout::{Hopeless, Queue, Scout};
pub use stop::{Unstoppable, stop};
use trace::Shown;
pub use trace::as_xml;

use super::auth::{Caller, GONE};
use super::bearer::Bearer;
use super::{FULL, commands_read, read_body, refusal, refuse, store_failed, traces};

use crate::admission::Starting;
use crate::beside::MAX_CONFLICTS;
use crate::config::Endpoint;
use crate::context::Context;
use crate::metrics::{Protocol, Steps};
use crate::{clock, desired, notifier, random};

/// State and reply of a session take up a multiple of so many octets in the store.
const ROOM: usize = 256;
/// Most octets of both that are kept for what needs fewer.
const ROOMY: usize = 2 << 10;

const HMAC: HeaderName = HeaderName::from_static(HMAC_HEADER);

/// The routes of all endpoints.
pub fn routes(context: &Context) -> Router<Arc<Context>> {
    let dm1 = &context.config.dm1;
    let endpoints = dm1.endpoints.iter().filter(|_| dm1.enabled);
    endpoints.fold(Router::new(), |router, endpoint| {
        let own = endpoint.clone();
        let handler = async move |State(context): State<Arc<Context>>,
                                  Extension(caller): Extension<Arc<Caller>>,
                                  request: Request| {
            // On the heap, for it is large, and the router moves about what a handler gives it.
            match Box::pin(serve(&context, &caller, &own, request)).await {
                Ok(reply) => reply.into_response(),
                Err(refusal) => refuse(&context, &refusal),
            }
        };
        router.route(&endpoint.path, any(handler))
    })
}

/// A reply as it is kept for a message that comes again.
struct Reply {
    head: ReplyHead,
    body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct ReplyHead {
    content_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hmac: Option<String>,
}

impl Reply {
    fn of(reply: engine::Reply) -> Self {
        let head = ReplyHead { content_type: reply.content_type.to_owned(), hmac: reply.hmac };
        Self { head, body: reply.body }
    }

    /// The stored form: a line of JSON, then the body. The line ends in spaces so that state and reply together are as large as those
    /// they replace, or a little larger than they need: what keeps its size is written over where it stands, and what does not moves what
    /// stands beside it.
    fn write(&self, state: usize, before: usize) -> Vec<u8> {
        let head = json!(self.head).to_string();
        let needed = state + head.len() + 1 + self.body.len();
        let room = if needed <= before && before <= ROOMY { before } else { needed.next_multiple_of(ROOM) };
        let mut stored = Vec::with_capacity(room.saturating_sub(state));
        stored.extend_from_slice(head.as_bytes());
        stored.resize(head.len() + (room - needed), b' ');
        stored.push(b'\n');
        stored.extend_from_slice(&self.body);
        stored
    }

    fn read(stored: &[u8]) -> Option<Self> {
        let end = stored.iter().position(|octet| *octet == b'\n')?;
        let (head, body) = stored.split_at_checked(end)?;
        Some(Self { head: serde_json::from_slice(head).ok()?, body: body.get(1..)?.to_vec() })
    }

    fn into_response(self) -> Response {
        let content_type = HeaderValue::from_str(&self.head.content_type).ok();
        // The answer to a report is empty.
        let content_type = content_type.filter(|value| !value.is_empty());
        let mut response = Body::from(self.body).into_response();
        let headers = response.headers_mut();
        headers.extend(content_type.map(|value| (CONTENT_TYPE, value)));
        // Some gateways know but the second.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, private"));
        let hmac = self.head.hmac.and_then(|value| HeaderValue::from_str(&value).ok());
        headers.extend(hmac.map(|value| (HMAC, value)));
        response
    }
}

/// What the engine refuses, as the listener answers it.
fn refused(refusal: engine::Refusal) -> Refusal {
    let engine::Refusal { http_status, reason, allow } = refusal;
    Refusal { http_status, reason, allow, omadm_accept: false }
}

/// The head of a request in words of the engine.
struct Head {
    method: String,
    content_type: Option<String>,
    accept: Option<String>,
    content_encoding: Option<String>,
    hmac: Option<String>,
    user_agent: Option<String>,
}

impl Head {
    fn of(head: &request::Parts) -> Self {
        let headers = &head.headers;
        let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
        let accept: Vec<&str> =
            headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        Self {
            method: head.method.as_str().to_owned(),
            content_type: text(CONTENT_TYPE),
            accept: Some(accept.join(", ")).filter(|list| !list.is_empty()),
            content_encoding: text(CONTENT_ENCODING),
            hmac: text(HMAC),
            user_agent: text(USER_AGENT),
        }
    }

    fn as_engine(&self) -> engine::RequestHead<'_> {
        engine::RequestHead {
            method: &self.method,
            content_type: self.content_type.as_deref(),
            accept: self.accept.as_deref(),
            content_encoding: self.content_encoding.as_deref(),
            hmac: self.hmac.as_deref(),
            user_agent: self.user_agent.as_deref(),
        }
    }
}

async fn serve(
    context: &Context,
    caller: &Caller,
    endpoint: &Endpoint,
    request: Request,
) -> Result<Reply, Refusal> {
    let (parts, body) = request.into_parts();
    let head = Head::of(&parts);
    engine::admit(&context.dm1, &head.as_engine()).map_err(refused)?;
    let device = &context.config.device;
    let body =
        read_body(&parts.headers, body, context.config.dm1.max_message.0, device.body_timeout.0).await?;
    exchange(context, caller, endpoint, &head, &body).await
}

/// One message in, its reply out, whatever brought it.
async fn exchange(
    context: &Context,
    caller: &Caller,
    endpoint: &Endpoint,
    head: &Head,
    body: &Bytes,
) -> Result<Reply, Refusal> {
    let incoming =
        engine::decode(&context.dm1, &head.as_engine(), body).map_err(refused).inspect_err(|refusal| {
            let (status, peer) = (refusal.http_status, caller.sender.source);
            tracing::warn!(status, %peer, reason = refusal.reason, "refused what is no message");
        })?;
    link::check_password(context, caller, &incoming)?;
    let content_type = head.content_type.as_deref().unwrap_or_default();
    let message = Message { incoming, content_type, bearer: caller.bearer(), body };
    let sender = known::find(context, caller, &message.incoming.sender(), commands_read(context)).await?;
    if message.incoming.is_report() {
        return report::take(context, caller, endpoint, &message, sender).await;
    }
    let reply = take(context, caller, endpoint, &message, sender).await?;
    caller.connection.note_answer(*message.incoming.digest());
    Ok(reply)
}

/// A message that could be read.
struct Message<'m> {
    incoming: engine::Incoming<'m>,
    content_type: &'m str,
    bearer: Bearer,
    body: &'m Bytes,
}

impl Message<'_> {
    fn summary(&self) -> String {
        format!("message {} of session {}", self.incoming.number(), self.incoming.session_id())
    }

    /// The message as it goes into the trace.
    fn trace(&self, context: &Context, now: Time) -> TraceMessage {
        let keep = context.config.trace.keep_bytes.0;
        let Shown { body, notes } = trace::received(self.incoming.message(), self.body, keep);
        let shown = traces::received(context, &self.summary(), self.content_type, &body, now);
        TraceMessage { length: traces::length(self.body), notes, ..shown }
    }

    /// Its answer in the trace.
    fn answer(&self, context: &Context, reply: &engine::Reply, now: Time) -> TraceMessage {
        let Shown { body, notes } = trace::sent(reply, context.config.trace.keep_bytes.0);
        let summary = format!("answer to {}", self.summary());
        let shown = traces::reply(context, &summary, reply.content_type, 200, &body, now);
        TraceMessage { length: traces::length(&reply.body), notes, ..shown }
    }
}

/// Takes a message: gives the reply once everything the message says is durable.
async fn take(
    context: &Context,
    caller: &Caller,
    endpoint: &Endpoint,
    message: &Message<'_>,
    sender: Sender,
) -> Result<Reply, Refusal> {
    let Sender { name, device } = sender;
    let Some(mut found) = device else {
        let fresh = fresh()?;
        return match engine::step(&context.dm1, None, None, &message.incoming, &[], &fresh) {
            engine::Outcome::TurnedAway(away) => {
                Ok(turned_away(context, caller, message, &name, None, away).await)
            }
            engine::Outcome::Taken(_) => Err(refusal(401, GONE)),
        };
    };
    // Held until the answer: so many new sessions at a time and no more.
    let mut admission = None;
    for _ in 0..MAX_CONFLICTS {
        let row = found.check.session.as_ref();
        let state = row
            .filter(|row| concerns(row, &message.incoming))
            .and_then(|row| engine::State::read(&row.state));
        if let Some(reply) = repeated(context, caller, message, &found.check, state.as_ref()) {
            if found.is_remembered {
                found.read_again(context, commands_read(context)).await?;
                continue;
            }
            tracing::debug!(device = %found.check.device.id, "{} repeated, the same reply again", message.summary());
            return Ok(reply);
        }
        let goes_on = state
            .as_ref()
            .is_some_and(|state| !state.has_ended() && state.session_id() == message.incoming.session_id());
        if !goes_on && admission.is_none() {
            admission = Some(admit(context, &found.check.device.id)?);
        }
        // Another node may have taken messages since. A step that is not of now the store refuses; whatever else would be answered is
        // looked at with what the store knows.
        match work(context, endpoint, message, &found, state.as_ref()).await {
            Ok(Worked::Stored { reply, after }) => {
                context.guard.succeeded(&name);
                admission.iter().for_each(Starting::accepted);
                if let (Some(after), Some((user, credential))) = (after, found.login) {
                    context.memory.keep(user, credential, *after);
                }
                return Ok(reply);
            }
            Ok(Worked::TurnedAway(_)) | Err(_) if found.is_remembered => {
                found.read_again(context, commands_read(context)).await?;
            }
            Ok(Worked::TurnedAway(away)) => {
                let device = Some(&found.check.device.id);
                return Ok(turned_away(context, caller, message, &name, device, away).await);
            }
            Ok(Worked::Conflict) => found.read_again(context, commands_read(context)).await?,
            Err(refusal) => return Err(refusal),
        }
    }
    Err(refusal(503, "other messages of this device are in work; try again later"))
}

fn admit<'c>(context: &'c Context, device: &DeviceId) -> Result<Starting<'c>, Refusal> {
    context.admission.begin(context, device, Protocol::Dm1).ok_or_else(|| refusal(503, FULL))
}

fn fresh() -> Result<engine::Fresh, Refusal> {
    let nonce = random::octets().map_err(|error| {
        tracing::error!(%error, "a device could not be served");
        refusal(503, "the server cannot work at the moment; try again later")
    })?;
    Ok(engine::Fresh { now: clock::now(), nonce })
}

/// Whether what is kept of the last session may matter for a message: not if that is over and this begins another.
fn concerns(row: &SessionRow, incoming: &engine::Incoming<'_>) -> bool {
    !row.ended || incoming.number() > 1 || row.request_digest == incoming.digest()
}

/// The stored reply, if the message is the one that was answered last. A first message with the same octets is a session of its own once
/// the one before is over, and the device has read its end on this connection or there is work.
fn repeated(
    context: &Context,
    caller: &Caller,
    message: &Message<'_>,
    check: &CheckIn,
    state: Option<&engine::State>,
) -> Option<Reply> {
    let (row, state) = (check.session.as_ref()?, state?);
    let digest = message.incoming.digest();
    let was_read = caller.connection.answered() == Some(*digest);
    let is_over = row.ended && message.incoming.number() == 1;
    let is_new = is_over && (was_read || !check.commands.is_empty());
    let repeats = !is_new && engine::repeats(&context.dm1, state, &message.incoming, clock::now());
    repeats.then(|| Reply::read(&row.reply)).flatten()
}

enum Worked {
    /// With the reply, and what the next message has to know if the session goes on.
    Stored {
        reply: Reply,
        after: Option<Box<CheckIn>>,
    },
    TurnedAway(engine::TurnedAway),
    Conflict,
}

async fn work(
    context: &Context,
    endpoint: &Endpoint,
    message: &Message<'_>,
    found: &Found,
    state: Option<&engine::State>,
) -> Result<Worked, Refusal> {
    let check = &found.check;
    let fresh = fresh()?;
    let now = fresh.now;
    let version = message.incoming.version();
    let known =
        context.dm1_models.of(context, &check.device.facts).await.map_err(|error| store_failed(&error))?;
    let kept = found.kept();
    let default_nonce =
        notifier::begins_by_default(context, &check.device.id, message.incoming.session_id()).await;
    let default_nonce = default_nonce.map_err(|error| store_failed(&error))?;
    let account = engine::Account {
        capabilities: known,
        default_nonce,
        ..found.account(kept.as_ref(), context, endpoint)
    };
    let mut queue = Queue::read(context, check, version, known).await?;
    let (outcome, hopeless) = step(context, message, state, &account, &mut queue, &fresh);
    let mut step = match outcome {
        engine::Outcome::Taken(step) => step,
        engine::Outcome::TurnedAway(away) => return Ok(Worked::TurnedAway(away)),
    };
    let device = &check.device.id;
    let answers = notifier::answered_by_session(context, device, step.began.as_ref()).await;
    let trace = [message.trace(context, now), message.answer(context, &step.reply, now)];
    let reply = Reply::of(step.reply.clone());
    let (left, learnt, scheme) = (step.kept.take(), step.capabilities.take(), step.state.client_scheme());
    let written = step.state.write();
    let before = check.session.as_ref().map_or(0, |row| row.state.len() + row.reply.len());
    let exchange = Exchange {
        digest: *message.incoming.digest(),
        reply: reply.write(written.len(), before),
        state: written,
        trace,
        answers: answers.map_err(|error| store_failed(&error))?,
        version,
        now,
    };
    let most_alerts = context.config.device.max_alerts;
    let batch = session_step(check, &mut queue, *step, &hopeless, most_alerts, exchange);
    let dm1 = kept.and_then(|kept| kept.after(left, scheme)).map(|kept| kept.write().into());
    let facts = batch.facts.as_deref().unwrap_or(&check.device.facts);
    let model = learnt.and_then(|learnt| context.dm1_models.learn(facts, learnt));
    let bearer = message.bearer.if_other(check);
    let batch = SessionStep { dm1, model, bearer, expected_last_seq: Some(check.last_seq), ..batch };
    let batch = desired::at_message(context, check, batch).await.map_err(|error| store_failed(&error))?;
    let Some(batch) = batch else { return Ok(Worked::Conflict) };
    let goes_on = batch.session.as_ref().is_some_and(|row| !row.ended);
    let after = goes_on.then(|| Box::new(check.clone().after(&batch)));
    let steps = Steps::of(&batch.transitions);
    match context.store.apply(batch).await {
        Ok(()) => {
            context.admission.answered(device, Protocol::Dm1, goes_on);
            context.metrics.took(steps);
            if !steps.is_empty() {
                context.wakers.wake(device);
            }
            Ok(Worked::Stored { reply, after })
        }
        Err(StoreError::Conflict(what)) => {
            tracing::debug!(%device, what, "read again");
            Ok(Worked::Conflict)
        }
        Err(error) => Err(store_failed(&error)),
    }
}

/// The step of the engine. What the device was asked where its management objects are is answered by the same message in which the
/// commands that waited for that go out: the step is pure, and so it is made again with what it has found out. The same for objects that a
/// command before has made, and for commands that had to wait until others were done.
fn step(
    context: &Context,
    message: &Message<'_>,
    state: Option<&engine::State>,
    account: &engine::Account,
    queue: &mut Queue<'_>,
    fresh: &engine::Fresh,
) -> (engine::Outcome, Vec<Hopeless>) {
    let sent = state.and_then(|state| Scout::sent(state.sent()));
    let first = Scout::first(message.incoming.version(), &account.capabilities);
    let (pending, hopeless) = queue.pending(sent.unwrap_or(first), sent, fresh.now, &|_| None);
    let make = |pending: &[engine::Pending]| {
        engine::step(&context.dm1, state, Some(account), &message.incoming, pending, fresh)
    };
    let outcome = make(&pending);
    let engine::Outcome::Taken(taken) = &outcome else { return (outcome, hopeless) };
    let next = match sent.and_then(|sent| sent.result(&taken.results)) {
        Some((result, next)) => {
            queue.learn(result);
            next
        }
        None if queue.learn_made(&taken.results) || queue.has_deliveries() => sent.unwrap_or(first),
        None => return (outcome, hopeless),
    };
    let (pending, hopeless) = queue.pending(next, sent, fresh.now, &|seq| outcome::fate(&taken.results, seq));
    (make(&pending), hopeless)
}

/// Tells the log, the guard and operators of a message that was not taken, and gives the answer that the protocol has for it. Of the
/// device nothing is written: nobody has proved to be it.
async fn turned_away(
    context: &Context,
    caller: &Caller,
    message: &Message<'_>,
    name: &str,
    device: Option<&DeviceId>,
    away: engine::TurnedAway,
) -> Reply {
    let engine::TurnedAway { reply, reason, bad_credentials } = away;
    tracing::info!(sender = name, reason, "turned away {}", message.summary());
    let now = clock::now();
    if bad_credentials {
        context.guard.note(Some(name), caller.sender.source, now).await;
    }
    if let Some(device) = device.filter(|device| bad_credentials && context.remarks.take(device, now)) {
        let peer = caller.sender.source.to_string();
        let body =
            json!({ "what": "turned away", "message": message.summary(), "reason": reason, "peer": peer });
        let event =
            NewEvent { device: Some(device.clone()), kind: "security".into(), body: body.to_string() };
        if let Err(error) = context.store.add_events(vec![event], now).await {
            tracing::error!(%error, "a security event could not be stored");
        }
    }
    Reply::of(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: &[u8]) -> Reply {
        let head = ReplyHead {
            content_type: "application/vnd.syncml.dm+wbxml".into(),
            hmac: Some("algorithm=SHA256, username=\"dm\", mac=\"AA==\"".into()),
        };
        Reply { head, body: body.to_vec() }
    }

    #[test]
    fn a_reply_is_read_as_it_was_written() {
        for body in [&b""[..], b"\n \n", &[b' '; 3 * ROOM]] {
            for (state, before) in [(0, 0), (100, ROOM), (100, ROOMY), (7, ROOMY + 1)] {
                let read = Reply::read(&reply(body).write(state, before)).unwrap();
                assert_eq!((&*read.body, read.head.hmac), (body, reply(body).head.hmac));
            }
        }
    }

    #[test]
    fn a_session_keeps_its_size_in_the_store() {
        let size = |body: usize, state: usize, before: usize| {
            state + reply(&vec![0; body]).write(state, before).len()
        };
        let first = size(396, 140, 0);
        assert_eq!(first % ROOM, 0);
        assert!(first < 396 + 140 + 2 * ROOM);
        assert_eq!(size(233, 87, first), first);
        // What needs more gets it, and keeps that.
        let larger = size(900, 140, first);
        assert!(larger > first && larger % ROOM == 0);
        assert_eq!(size(233, 87, larger), larger);
        // A large reply is an exception.
        let exception = size(2 * ROOMY, 140, larger);
        assert_eq!(size(396, 140, exception), first);
        assert_eq!(size(396, 140, ROOMY), ROOMY);
    }
}
