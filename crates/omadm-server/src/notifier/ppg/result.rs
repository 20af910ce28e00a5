//! What a gateway tells of pushes later: it may lie, or say it twice, so it decides on nothing but when to try again.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use omadm_codec::pap::{self, Code, MessageState, Said};
use omadm_store::{Push, PushProgress, StoreError};
use serde_json::json;

use super::super::{Protocol, advance, event, note, plan};
use super::LIMITS;
use super::ticket::Ticket;
use crate::clock;
use crate::context::Context;
use crate::device::read_body;

/// Path below the public URL.
pub const PATH: &str = "/papnotify";

/// `POST /papnotify`: `resultnotification-message`. Who knows the push-id may tell: it has a MAC, and is told to the gateway alone.
pub async fn notified(State(context): State<Arc<Context>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let time = context.config.device.body_timeout.0;
    let body = match read_body(&head.headers, body, LIMITS.bytes, time).await {
        Ok(body) => body,
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.http_status).unwrap_or(StatusCode::BAD_REQUEST);
            return (status, refusal.reason).into_response();
        }
    };
    let (push_id, state, code) = match pap::decode(&body, &LIMITS) {
        Ok(Said::Result { push_id, state, code, .. }) => (push_id, state, code),
        Ok(Said::Response { .. } | Said::Status { .. } | Said::BadMessage { .. }) => {
            return answer(pap::bad_message(Code::BAD_REQUEST, "results of pushes are told here"));
        }
        Err(error) => return answer(pap::bad_message(Code::BAD_REQUEST, &error.to_string())),
    };
    let ticket = context.notifier.carrier.tickets().and_then(|tickets| tickets.read(&push_id));
    let Some(ticket) = ticket else {
        tracing::warn!("a push proxy gateway tells of a push that was none of ours; nothing follows from it");
        return answer(pap::result_response(&push_id, Code::UNKNOWN_PUSH));
    };
    let said = match take(&context, &push_id, &ticket, state, code).await {
        Ok(()) => Code::OK,
        Err(error) => {
            tracing::error!(%error, "the result of a push could not be kept");
            if let Some(tickets) = context.notifier.carrier.tickets() {
                tickets.forget(&push_id);
            }
            Code::SERVICE_FAILURE
        }
    };
    answer(pap::result_response(&push_id, said))
}

fn answer(document: String) -> Response {
    (StatusCode::ACCEPTED, [(CONTENT_TYPE, pap::CONTROL)], document).into_response()
}

/// Notes a result. When the push will not arrive, and is the last one that the device was sent, it is called again as soon as the limits
/// allow it, by another way if there is one.
///
/// # Errors
/// When the store fails.
pub(super) async fn take(
    context: &Context,
    push_id: &str,
    ticket: &Ticket,
    state: MessageState,
    code: Code,
) -> Result<(), StoreError> {
    let now = clock::now();
    let tickets = context.notifier.carrier.tickets();
    let ends = state == MessageState::Delivered || state.is_failure();
    // The end of a push is told once; of what is before it, only so much.
    if !tickets.is_some_and(|tickets| !ends || tickets.is_news(push_id))
        || !context.remarks.take(&ticket.device, now)
    {
        return Ok(());
    }
    let Some(push) = context.store.push(&ticket.device).await? else { return Ok(()) };
    if push.generation != ticket.generation
        || !plan::is_answered_by(&push, Protocol::of(&push), ticket.number)
    {
        return Ok(());
    }
    let body = json!({
        "what": "result", "id": ticket.number, "via": "ppg", "state": state.as_str(), "code": code.0, "push-id": push_id,
    });
    let event = event(&push, &body);
    if !state.is_failure() || !is_last(&push, ticket.number) || push.progress.due.is_none() {
        note(context, event, now).await;
        return Ok(());
    }
    let progress = PushProgress { due: Some(now), ..push.progress };
    match advance(context, &push, progress, vec![event], now).await {
        // Somebody else has just gone on.
        Err(StoreError::Conflict(_)) => Ok(()),
        outcome => {
            context.notifier.wake();
            outcome
        }
    }
}

/// Whether no other notification went out since.
fn is_last(push: &Push, number: u16) -> bool {
    push.progress.next_id.wrapping_sub(1) == number
}
