//! The DM 2.0 endpoint: one message in, its effects durable, one message out (`DM 2.0 §5.2`).

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, extract::Request};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use omadm_codec::dm2::Command;
use omadm_codec::media_type::REQUEST_JSON;
use omadm_mo::{DeviceId, Time};
use omadm_session::dm2::server::{self as engine, CommandResult, Kind, Refusal, RequestHead, Step, Verdict};
use omadm_store::{CheckIn, CommandState, Credential, SessionRow, SessionStep, StoreError, Validator};
use sha2::{Digest as _, Sha256};

use super::auth::{Caller, Known};
use super::bearer::Bearer;
use super::deliveries::{Deliveries, Fate, Turn};
use super::{
    FULL, OMADM_ACCEPT, OMADM_DEVID, TAKEN, auth, commands_read, read_body, refusal, refuse, store_failed,
    traces,
};
use crate::address::Inventory;
use crate::admission::Starting;
use crate::beside::MAX_CONFLICTS;
use crate::clock;
use crate::context::Context;
use crate::desired;
use crate::metrics::{Protocol, Steps};
use crate::notifier;
use crate::operation::Operation;
use crate::outcome::{Beside, Outcome, Queued, Received, cached, conditional, inventory_text};

/// `POST /dm/2.0`, and the answer to every other method.
pub async fn endpoint(
    State(context): State<Arc<Context>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Response {
    match serve(&context, &caller, request).await {
        Ok(reply) => package2(reply),
        Err(refusal) => refuse(&context, &refusal),
    }
}

fn package2(body: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(REQUEST_JSON)),
        (OMADM_ACCEPT, HeaderValue::from_static(TAKEN)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from(body)).into_response()
}

async fn serve(context: &Context, caller: &Caller, request: Request) -> Result<Vec<u8>, Refusal> {
    let connection = &caller.connection;
    let answered_before = connection.answered();
    let (head, body) = request.into_parts();
    let admitted = admit(head.method.as_str(), &head.headers);
    let known = match auth::check_in(context, caller, commands_read(context)).await {
        Ok(known) => known,
        Err(unknown) => {
            // What is wrong with the request itself comes first.
            return Err(admitted.err().map_or(unknown, |refusal| {
                let status = refusal.http_status;
                tracing::warn!(status, reason = refusal.reason, "refused a request without good credentials");
                refusal
            }));
        }
    };
    let content_type = header(&head.headers, CONTENT_TYPE).unwrap_or_default();
    let mut message = Message::new(content_type, caller.bearer());
    let reply = async {
        let (named, kind) = admitted?;
        message.kind = Some(kind.clone());
        auth::same_device(context, &known.credential, &named, connection).await?;
        let device = &context.config.device;
        let body = read_body(&head.headers, body, device.max_message.0, device.body_timeout.0).await?;
        message.fill(&known.credential.device, body);
        // Held until the answer: so many new sessions at a time and no more.
        let admission = match kind {
            Kind::Initiation => {
                let starting = context.admission.begin(context, &known.credential.device, Protocol::Dm2);
                Some(starting.ok_or_else(|| refusal(503, FULL))?)
            }
            Kind::Response | Kind::ResponseWithData { .. } => None,
        };
        let taken = take(context, &known, &kind, &message, answered_before).await;
        admission.iter().filter(|_| taken.is_ok()).for_each(Starting::accepted);
        taken
    };
    let reply = reply.await;
    match &reply {
        Ok(_) => connection.note_answer(message.digest),
        Err(refusal) => refused(context, &known.credential, &message, refusal).await,
    }
    reply
}

/// Tells the log and the trace of a refused message. What is refused for want of capacity must not cost more of it.
async fn refused(context: &Context, credential: &Credential, message: &Message, refusal: &Refusal) {
    let (device, status) = (&credential.device, refusal.http_status);
    tracing::warn!(%device, status, reason = refusal.reason, "refused a {}", message.summary());
    if status != 503 {
        let mut trace =
            traces::received(context, message.summary(), &message.content_type, &message.body, clock::now());
        if may_bring_secrets(context, credential, message).await {
            traces::withhold(&mut trace);
        }
        traces::refused(context, credential, trace, refusal).await;
    }
}

/// Whether a message that was not understood may hold secrets.
async fn may_bring_secrets(context: &Context, credential: &Credential, message: &Message) -> bool {
    let Some(kind @ Kind::ResponseWithData { .. }) = &message.kind else { return false };
    let Ok(check) = context.store.check_in(&credential.device, commands_read(context)).await else {
        return true;
    };
    check.is_some_and(|check| {
        let known = Inventory::read(check.device.inventory.as_deref());
        let queue: Vec<_> =
            check.commands.iter().map(|stored| queued(context, &known, &[], stored)).collect();
        brings_secrets(kind, &queue)
    })
}

/// Whether a message of this kind may hold secrets: it answers a command that reads where there may be some.
fn brings_secrets(kind: &Kind, queue: &[Queued<'_>]) -> bool {
    let reads_secrets = |queued: &Queued<'_>| {
        queued.stored.state == CommandState::Sent
            && matches!(&queued.command, Ok(Command::Get(uri)) if uri.may_hold_secrets())
    };
    matches!(kind, Kind::ResponseWithData { .. }) && queue.iter().any(reads_secrets)
}

fn header(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn admit(method: &str, headers: &HeaderMap) -> Result<(DeviceId, Kind), Refusal> {
    // What is no text is refused for what it holds.
    let device_ids: Vec<Cow<'_, str>> =
        headers.get_all(OMADM_DEVID).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let device_ids: Vec<&str> = device_ids.iter().map(Cow::as_ref).collect();
    let accept: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = accept.join(", ");
    engine::admit(&RequestHead {
        method,
        device_ids: &device_ids,
        content_type: header(headers, CONTENT_TYPE),
        accept: Some(accept.as_str()).filter(|list| !list.is_empty()),
    })
}

/// A message whose sender is known.
struct Message {
    /// What its head says it is, if that is legal.
    kind: Option<Kind>,
    content_type: String,
    bearer: Bearer,
    body: Bytes,
    /// By which it is known when it comes again.
    digest: [u8; 32],
}

impl Message {
    fn new(content_type: &str, bearer: Bearer) -> Self {
        let content_type = content_type.to_owned();
        Self { kind: None, content_type, bearer, body: Bytes::new(), digest: [0; 32] }
    }

    /// Its body, and from whom it is: behind a proxy devices may share a connection.
    fn fill(&mut self, device: &DeviceId, body: Bytes) {
        self.digest = Sha256::new()
            .chain_update(self.summary())
            .chain_update([0])
            .chain_update(device.as_str())
            .chain_update([0])
            .chain_update(&body)
            .finalize()
            .into();
        self.body = body;
    }

    fn summary(&self) -> &'static str {
        match self.kind {
            None => "request that is no package",
            Some(Kind::Initiation) => "Package#1",
            Some(Kind::Response) => "Package#3",
            Some(Kind::ResponseWithData { .. }) => "Package#3 with data",
        }
    }
}

/// Takes a message: gives the reply once everything the message says is durable.
async fn take(
    context: &Context,
    known: &Known,
    kind: &Kind,
    message: &Message,
    answered_before: Option<[u8; 32]>,
) -> Result<Vec<u8>, Refusal> {
    let credential = &known.credential;
    let limit = commands_read(context);
    let mut newest = None;
    for _ in 0..MAX_CONFLICTS {
        let check = newest.as_ref().unwrap_or(&known.check);
        // Another node may have taken messages since. A step that is not of now the store refuses; whatever else would be answered is
        // looked at with what the store knows.
        let may_be_old = known.is_remembered && newest.is_none();
        let repeated = check.session.as_ref().filter(|row| {
            row.request_digest == message.digest
                && is_repeated(context, kind, row, check, answered_before == Some(message.digest))
        });
        match repeated {
            Some(_) if may_be_old => {}
            Some(row) => {
                tracing::debug!(device = %credential.device, "{} repeated, the same reply again", message.summary());
                return Ok(row.reply.clone());
            }
            None => {
                // A body can take its time, and commands may have come meanwhile.
                let expected_last_seq = newest.is_none().then_some(check.last_seq);
                match work(context, check, kind, message, expected_last_seq).await {
                    Ok(Worked::Stored { reply, after }) => {
                        if let Some(after) = after {
                            context.memory.keep(known.user.clone(), credential.clone(), *after);
                        }
                        return Ok(reply);
                    }
                    Ok(Worked::Conflict) => {}
                    Err(refusal) if may_be_old => {
                        tracing::debug!(device = %credential.device, reason = refusal.reason, "read again");
                    }
                    Err(refusal) => return Err(refusal),
                }
            }
        }
        newest = Some(auth::check_in_again(context, &known.user, credential, limit).await?);
    }
    Err(refusal(503, "other messages of this device are in work; try again later"))
}

/// Whether a message with the octets of the one answered last is that one again.
///
/// The engine sees to it that no Package#3 equals the one before it. Of two equal Package#1 the second is a session of its own once
/// the first session is over for the device: it read the END on this connection, or some time has passed, or there is work.
fn is_repeated(
    context: &Context,
    kind: &Kind,
    row: &SessionRow,
    check: &CheckIn,
    reply_was_read: bool,
) -> bool {
    let window = context.config.device.repeat_window.micros();
    let recent = row.updated.plus_micros(window) > clock::now();
    match kind {
        Kind::Response | Kind::ResponseWithData { .. } => true,
        Kind::Initiation if row.ended => recent && check.commands.is_empty() && !reply_was_read,
        Kind::Initiation => recent,
    }
}

enum Worked {
    /// With the reply, and what the next message has to know if the session goes on.
    Stored {
        reply: Vec<u8>,
        after: Option<Box<CheckIn>>,
    },
    Conflict,
}

async fn work(
    context: &Context,
    check: &CheckIn,
    kind: &Kind,
    message: &Message,
    expected_last_seq: Option<i64>,
) -> Result<Worked, Refusal> {
    let now = clock::now();
    let (incoming, tolerated) = engine::decode(&context.engine, kind, &message.body)?;
    let known = Inventory::read(check.device.inventory.as_deref());
    let queue: Vec<Queued<'_>> =
        check.commands.iter().map(|stored| queued(context, &known, &check.validators, stored)).collect();
    let (over, live): (Vec<_>, Vec<_>) = queue.iter().partition(|queued| is_over(queued, kind, now));
    let deliveries = Deliveries::read(context, &check.commands).await;
    let deliveries = deliveries.map_err(|error| store_failed(&error))?;
    let state = check.session.as_ref().and_then(read_state);
    let (mut step, never) = step_in_turn(context, state.as_ref(), incoming, &live, &deliveries)?;
    bound_alerts(&mut step, context.config.device.max_alerts);

    let inventory = step.inventory.as_ref().map_or(known, |mos| Inventory::read(Some(&inventory_text(mos))));
    let beside = read_beside(context, &check.device.id, &inventory, &queue, &step).await?;
    let mut trace = traces::received(context, message.summary(), &message.content_type, &message.body, now);
    traces::note_tolerated(&mut trace, tolerated);
    if brings_secrets(kind, &queue) {
        traces::withhold(&mut trace);
    }
    let answer = traces::reply(context, "Package#2", REQUEST_JSON, 200, &step.reply, now);
    let reply = step.reply.clone();
    let received = Received { digest: message.digest, trace, now };
    let outcome = Outcome::new(check, &queue, beside, inventory).expire(&over).give_up(&never);
    let bearer = message.bearer.if_other(check);
    let batch = SessionStep { expected_last_seq, bearer, ..outcome.session_step(step, received, answer) };
    let batch = desired::at_message(context, check, batch).await.map_err(|error| store_failed(&error))?;
    let Some(batch) = batch else { return Ok(Worked::Conflict) };
    let goes_on = batch.session.as_ref().is_some_and(|row| !row.ended);
    let after = goes_on.then(|| Box::new(check.clone().after(&batch)));
    let steps = Steps::of(&batch.transitions);
    let reported = batch.inventory.clone().filter(|_| context.links.are_followed());
    match context.store.apply(batch).await {
        Ok(()) => {
            context.admission.answered(&check.device.id, Protocol::Dm2, goes_on);
            context.metrics.took(steps);
            if !steps.is_empty() {
                context.wakers.wake(&check.device.id);
            }
            if let Some(text) = reported {
                follow_links(context, &check.device.id, &Inventory::read(Some(&text))).await;
            }
            Ok(Worked::Stored { reply, after })
        }
        Err(StoreError::Conflict(what)) => {
            tracing::debug!(device = %check.device.id, what, "read again");
            Ok(Worked::Conflict)
        }
        Err(error) => Err(store_failed(&error)),
    }
}

/// Leaves out the alerts of a message beyond the first so many, and notes it.
fn bound_alerts(step: &mut Step, most: usize) {
    let beyond = step.alerts.len().saturating_sub(most);
    if beyond > 0 {
        step.alerts.truncate(most);
        step.notes
            .push(format!("alerts beyond the first {most} were not kept (device.max_alerts): {beyond}"));
    }
}

/// Looks for management objects that no DDF file describes. The device does not have to wait for them, nor to care if that fails.
async fn follow_links(context: &Context, device: &DeviceId, inventory: &Inventory) {
    if let Err(error) = context.links.consider(context, device, inventory).await {
        tracing::error!(%error, %device, "links to DDF files could not be looked at");
    }
}

/// A stored command with what it means for a DM 2.0 device; `validators` are those of what is known of it.
pub fn queued<'c>(
    context: &Context,
    known: &Inventory,
    validators: &[Validator],
    stored: &'c omadm_store::Command,
) -> Queued<'c> {
    let operation = Operation::from_stored(stored);
    let command = operation.as_ref().map_err(Clone::clone).and_then(|operation| {
        let command = operation.to_dm2(stored.id, &context.public_url, &|moid| known.has(moid))?;
        Ok(conditional(operation, command, known, validators))
    });
    Queued { stored, operation, command }
}

/// Whether a command must not be sent any more. One that the device is just answering still gets its result.
fn is_over(queued: &Queued<'_>, kind: &Kind, now: Time) -> bool {
    let under_way = match kind {
        Kind::Initiation => is_accepted(queued),
        Kind::Response | Kind::ResponseWithData { .. } => queued.stored.state == CommandState::Sent,
    };
    queued.stored.expires <= now && !under_way
}

/// Whether the device has accepted a command, or shows its page, and the result comes later.
fn is_accepted(queued: &Queued<'_>) -> bool {
    let stored = queued.stored;
    let is_shown = matches!(queued.operation, Ok(Operation::ShowPage { .. })) && stored.status.is_some();
    stored.state == CommandState::Sent && (stored.status == Some(202) || is_shown)
}

fn pending(queued: &Queued<'_>) -> engine::Pending {
    engine::Pending {
        seq: queued.stored.seq,
        command: queued.command.clone(),
        attempts: queued.stored.attempts,
        sent: queued.stored.state == CommandState::Sent,
        accepted: is_accepted(queued),
    }
}

/// The step of the engine with the commands whose turn it is. Which these are depends on how those before come out: the step is pure, and
/// so it is made again with those that may follow at once. Gives with it those that must not be sent any more, and why.
fn step_in_turn(
    context: &Context,
    state: Option<&engine::State>,
    incoming: engine::Incoming,
    live: &[&Queued<'_>],
    deliveries: &Deliveries,
) -> Result<(Step, Never), Refusal> {
    let (first, never) = in_turn(live, deliveries, &|_| None);
    if deliveries.is_empty() {
        return Ok((engine::step(&context.engine, state, incoming, &first)?, never));
    }
    let step = engine::step(&context.engine, state, incoming.clone(), &first)?;
    let (next, never) = in_turn(live, deliveries, &|seq| fate(&step.results, seq));
    if next == first {
        return Ok((step, never));
    }
    Ok((engine::step(&context.engine, state, incoming, &next)?, never))
}

/// Sequence numbers of commands that must not be sent any more, each with why.
type Never = Vec<(i64, String)>;

/// The commands for the engine, up to the first that has to wait, and those that must not be sent any more.
fn in_turn(
    live: &[&Queued<'_>],
    deliveries: &Deliveries,
    fate: &dyn Fn(i64) -> Option<Fate>,
) -> (Vec<engine::Pending>, Never) {
    let mut turns = deliveries.turns(fate);
    let (mut due, mut never) = (Vec::with_capacity(live.len()), Never::new());
    for queued in live {
        match turns.of(queued.stored) {
            Turn::Now => due.push(pending(queued)),
            Turn::Wait => break,
            Turn::Never(why) => never.push((queued.stored.seq, why)),
        }
    }
    (due, never)
}

/// How a command came out.
fn fate(results: &[CommandResult], seq: i64) -> Option<Fate> {
    let result = results.iter().find(|result| result.seq == seq)?;
    Some(match &result.verdict {
        Verdict::Done(_) => Fate::Done,
        Verdict::Accepted => Fate::Accepted,
        Verdict::Again(_) => Fate::Again,
        Verdict::Failed(status) => {
            Fate::Failed(result.sentence.clone().unwrap_or_else(|| format!("Status {status}.")))
        }
        Verdict::Quarantined(why) => Fate::Failed(why.clone()),
    })
}

/// The engine's state; one that cannot be read is as good as none, so that the device can begin anew.
fn read_state(row: &SessionRow) -> Option<engine::State> {
    let state = serde_json::from_slice(&row.state);
    let state = state.inspect_err(|error| {
        tracing::warn!(%error, session = row.session, "a stored session cannot be read and is over; another version wrote it");
    });
    state.ok()
}

/// The commands that the device has done by this message.
fn settled<'q>(queue: &'q [Queued<'q>], step: &'q Step) -> impl Iterator<Item = &'q Queued<'q>> {
    let done = step.results.iter().filter(|result| matches!(result.verdict, Verdict::Done(_)));
    done.filter_map(|result| queue.iter().find(|queued| queued.stored.seq == result.seq))
}

/// Payloads of writes that succeeded: what the device stored is then known without asking for it. And what is known of that which
/// has not changed, and which notification is answered.
async fn read_beside(
    context: &Context,
    device: &DeviceId,
    known: &Inventory,
    queue: &[Queued<'_>],
    step: &Step,
) -> Result<Beside, Refusal> {
    let answers = notifier::answered(context, device, &step.alerts).await;
    let mut beside = Beside { answers: answers.map_err(|error| store_failed(&error))?, ..Beside::default() };
    for stored in settled(queue, step).map(|queued| queued.stored) {
        let Some(id) = stored.payload else { continue };
        let payload = context.store.payload(id).await.map_err(|error| store_failed(&error))?;
        beside.payloads.extend(payload.map(|payload| (stored.seq, payload)));
    }
    let unchanged = step.results.iter().filter(|result| result.verdict == Verdict::Done(304));
    for seq in unchanged.map(|result| result.seq) {
        let queued = queue.iter().find(|queued| queued.stored.seq == seq);
        let Some(at) = queued.and_then(|queued| cached(queued, known)) else { continue };
        let most = u32::try_from(context.config.data.max_items).unwrap_or(u32::MAX);
        let nodes =
            context.store.tree(device, &at, None, most).await.map_err(|error| store_failed(&error))?;
        beside.unchanged.insert(seq, nodes);
    }
    Ok(beside)
}
