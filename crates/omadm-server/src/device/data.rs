//! The Data Repository: payloads that a device fetches (HGET), uploads that it sends (HPUT, HPOST) (`DM 2.0 §5.3.1 to §5.3.3`).
//!
//! These exchanges are no part of a DM Session: they name a command, and only the device of that command may use it.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use omadm_codec::dm2::{MoItem, mo_data};
use omadm_codec::{AcceptList, Limits, MediaType, Problem, Tolerance, media_type};
use omadm_mo::{ClientUri, Time};
use omadm_session::dm2::server::Refusal;
use omadm_store::{Command, CommandState, Payload, StoreError, TraceMessage};
use uuid::Uuid;

use super::auth::Caller;
use super::{TAKEN, auth, dm2, read_body, refusal, refuse, store_failed, traces};
use crate::address::Inventory;
use crate::beside::{self, MAX_CONFLICTS};
use crate::clock;
use crate::context::{Context, limits};
use crate::desired;
use crate::leaf::{Body as Content, Forms};
use crate::operation::Operation;
use crate::outcome::{Beside, Outcome};

/// How long after its command was done an upload may come again, in microseconds.
const AFTERWARDS: i64 = 600_000_000;

/// `GET /data/c/{command}`
pub async fn payload(
    State(context): State<Arc<Context>>,
    Extension(caller): Extension<Arc<Caller>>,
    Path(command): Path<String>,
    headers: HeaderMap,
) -> Response {
    match find(&context, &caller, &headers, &command).await {
        Ok(content) => serve(content),
        Err(refusal) => {
            tracing::warn!(status = refusal.http_status, reason = refusal.reason, "payload refused");
            refuse(&context, &refusal)
        }
    }
}

async fn find(
    context: &Context,
    caller: &Caller,
    headers: &HeaderMap,
    command: &str,
) -> Result<Content, Refusal> {
    let command = own_command(context, caller, headers, command).await?;
    // A device that broke off its session may come for it later, when the operator was told that it is not carried out any more.
    if is_given_up(command.state) {
        return Err(refusal(410, "the command is over; its data is not to be used any more"));
    }
    choose(forms(context, &command).await?, headers)
}

fn serve(content: Content) -> Response {
    let content_type = HeaderValue::from_str(&content.content_type)
        .unwrap_or_else(|_| HeaderValue::from_static(media_type::OCTET_STREAM));
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (headers, Body::from(content.octets)).into_response()
}

/// What there is for the device to fetch.
async fn forms(context: &Context, command: &Command) -> Result<Forms, Refusal> {
    let none = || refusal(404, "this command has no payload");
    if let Some(id) = command.payload {
        let payload = context.store.payload(id).await.map_err(|error| store_failed(&error))?;
        let payload = payload.filter(|payload| payload.device == command.device).ok_or_else(none)?;
        let content = Content { content_type: payload.content_type, octets: payload.body };
        return Ok(Forms { equal: vec![content], last_resort: None });
    }
    Operation::from_stored(command).ok().and_then(|operation| operation.forms()).ok_or_else(none)
}

/// The form that the request likes best, the first of equals (`DM 2.0 §5.3.1`).
fn choose(forms: Forms, headers: &HeaderMap) -> Result<Content, Refusal> {
    let lists: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accepted = AcceptList::parse(&lists.join(", ")).ok();
    let quality = |form: &Content| accepted.as_ref().map_or(1, |list| list.quality(&essence(form)));
    let offered: Vec<String> = forms.equal.iter().chain(&forms.last_resort).map(essence).collect();
    // The best of equals would be the last one, so they are turned round.
    let best = forms.equal.into_iter().rev().max_by_key(quality).filter(|form| quality(form) > 0);
    best.or(forms.last_resort.filter(|form| quality(form) > 0)).ok_or_else(|| {
        refusal(
            406,
            format!("the data can be had as {}, which the request does not accept", offered.join(" or ")),
        )
    })
}

fn essence(form: &Content) -> String {
    MediaType::parse(&form.content_type).map(|parsed| parsed.essence).unwrap_or_default()
}

/// `PUT` and `POST /data/u/{command}`
pub async fn upload(
    State(context): State<Arc<Context>>,
    Extension(caller): Extension<Arc<Caller>>,
    Path(command): Path<String>,
    request: Request,
) -> Response {
    match take(&context, &caller, &command, request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => {
            tracing::warn!(status = refusal.http_status, reason = refusal.reason, "upload refused");
            refuse(&context, &refusal)
        }
    }
}

async fn take(context: &Context, caller: &Caller, command: &str, request: Request) -> Result<(), Refusal> {
    let (head, body) = request.into_parts();
    let command = own_command(context, caller, &head.headers, command).await?;
    let Ok(Operation::Upload { addresses, .. }) = Operation::from_stored(&command) else {
        return Err(refusal(404, "this command wants no upload"));
    };
    check_time(&command, clock::now())?;
    let Data { octets, items, tolerated } = read_data(context, &head.headers, body).await?;
    let given = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let payload = Payload {
        id: command.id,
        device: command.device.clone(),
        content_type: given.to_owned(),
        body: octets.to_vec(),
    };
    let now = clock::now();
    let mut received = traces::received(context, &format!("upload by {}", head.method), given, &octets, now);
    traces::note_tolerated(&mut received, tolerated);
    if addresses.iter().any(|address| ClientUri::parse(address).is_ok_and(|uri| uri.may_hold_secrets())) {
        traces::withhold(&mut received);
    }
    let trace = vec![received, traces::reply(context, "taken", "", 204, b"", now)];
    store(context, command, payload, &items.unwrap_or_default(), &trace).await
}

/// Management data that came in a body.
pub struct Data {
    /// As it came.
    pub octets: Bytes,
    /// What it says, if it is MO data.
    pub items: Option<Vec<MoItem>>,
    /// Tolerances that were made use of.
    pub tolerated: Vec<Tolerance>,
}

/// Reads management data of a format that is taken.
///
/// # Errors
/// 415 for other formats; 400, 408, 413.
pub async fn read_data(context: &Context, headers: &HeaderMap, body: Body) -> Result<Data, Refusal> {
    let content_type = taken_type(headers)?;
    let (limit, time) = (context.config.data.max_upload.0, context.config.device.body_timeout.0);
    let octets = read_body(headers, body, limit, time).await?;
    let mut leniency = context.engine.leniency();
    let items = if content_type.essence == media_type::DMMO_JSON {
        let bounds = Limits { items: context.config.data.max_items, ..limits(limit) };
        let items = mo_data::decode(&octets, &bounds, &mut leniency).map_err(|error| {
            let status = if matches!(error.problem, Problem::TooMany { .. }) { 413 } else { 400 };
            refusal(status, format!("the MO data cannot be read: {error}"))
        })?;
        Some(items)
    } else {
        None
    };
    Ok(Data { octets, items, tolerated: leniency.used.into_iter().collect() })
}

async fn store(
    context: &Context,
    first: Command,
    payload: Payload,
    items: &[MoItem],
    trace: &[TraceMessage],
) -> Result<(), Refusal> {
    let mut command = first;
    for _ in 0..MAX_CONFLICTS {
        if command.state.is_final() {
            return kept_already(context, &payload).await;
        }
        let check = beside::check_in(context.store.as_ref(), &command).await;
        let check = check.map_err(|error| store_failed(&error))?;
        let check = check.ok_or_else(|| refusal(401, auth::GONE))?;
        let inventory = Inventory::read(check.device.inventory.as_deref());
        let queue: Vec<_> =
            check.commands.iter().map(|stored| dm2::queued(context, &inventory, &[], stored)).collect();
        let Some(queued) = queue.first() else { break };
        let outcome = Outcome::new(&check, &queue, Beside::default(), inventory);
        let batch = outcome.upload_step(queued, items, payload.clone(), trace.to_vec(), clock::now());
        let batch =
            desired::at_message(context, &check, batch).await.map_err(|error| store_failed(&error))?;
        let Some(batch) = batch else { continue };
        match context.store.apply(batch).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store_failed(&error)),
        }
        let again = context.store.command(command.id).await.map_err(|error| store_failed(&error))?;
        command = again.ok_or_else(|| refusal(404, "there is no such command any more"))?;
    }
    Err(refusal(503, "the command is being worked on; try again later"))
}

/// What was uploaded for a finished command is its result and stays; the same upload again is answered as before, and changes nothing.
async fn kept_already(context: &Context, payload: &Payload) -> Result<(), Refusal> {
    let kept = context.store.payload(payload.id).await.map_err(|error| store_failed(&error))?;
    if kept.as_ref() == Some(payload) {
        return Ok(());
    }
    Err(refusal(409, "the command is over, and other data came for it before"))
}

/// Whether a command came to its end without the device.
fn is_given_up(state: CommandState) -> bool {
    match state {
        CommandState::Queued | CommandState::Sent | CommandState::Done | CommandState::Failed => false,
        CommandState::Expired
        | CommandState::Cancelled
        | CommandState::Superseded
        | CommandState::Quarantined => true,
    }
}

/// An upload comes while its command is under way, or shortly after.
fn check_time(command: &Command, now: Time) -> Result<(), Refusal> {
    let over = || refusal(409, "the command is over; its upload is not wanted any more");
    match command.state {
        CommandState::Queued | CommandState::Sent => Ok(()),
        CommandState::Done => {
            if command.finished.is_some_and(|finished| is_recent(finished, now)) {
                Ok(())
            } else {
                Err(over())
            }
        }
        CommandState::Failed
        | CommandState::Expired
        | CommandState::Cancelled
        | CommandState::Superseded
        | CommandState::Quarantined => Err(over()),
    }
}

/// Whether an upload for a command that was done then may still come again.
fn is_recent(finished: Time, now: Time) -> bool {
    finished.plus_micros(AFTERWARDS) > now
}

fn taken_type(headers: &HeaderMap) -> Result<MediaType, Refusal> {
    let unsupported = |reason: String| Refusal { omadm_accept: true, ..refusal(415, reason) };
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let given = given.ok_or_else(|| unsupported("the upload has no Content-Type".into()))?;
    let parsed = MediaType::parse(given).map_err(|error| unsupported(format!("Content-Type: {error}")))?;
    if !AcceptList::parse(TAKEN).is_ok_and(|taken| taken.quality(&parsed.essence) > 0) {
        return Err(unsupported(format!("{} is not taken here", parsed.essence)));
    }
    Ok(parsed)
}

/// The command of a path, if it is one of the device that asks.
///
/// # Errors
/// 400, 401, 403, 404.
pub async fn own_command(
    context: &Context,
    caller: &Caller,
    headers: &HeaderMap,
    command: &str,
) -> Result<Command, Refusal> {
    let credential = auth::authenticate(context, caller).await?;
    if let Some(named) = auth::named_device(headers)? {
        auth::same_device(context, &credential, &named, &caller.connection).await?;
    }
    let unknown = || refusal(404, "there is no such command");
    let id = Uuid::try_parse(command).map_err(|_| unknown())?;
    let command =
        context.store.command(id).await.map_err(|error| store_failed(&error))?.ok_or_else(unknown)?;
    if command.device != credential.device {
        let (device, owner) = (&credential.device, &command.device);
        tracing::warn!(%device, %owner, command = %id, "a device asked for the data of another");
        return Err(refusal(403, "the data is for another device"));
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_may_come_again_for_ten_minutes() {
        let finished = Time::from_secs(1_000);
        assert!(is_recent(finished, finished));
        assert!(is_recent(finished, Time::from_secs(1_600).plus_micros(-1)));
        assert!(!is_recent(finished, Time::from_secs(1_600)));
    }
}
