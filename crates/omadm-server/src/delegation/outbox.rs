//! Sends messages to other servers until they are answered.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use omadm_codec::delegation::{Body, DelegationMessage, DelegationResponse, MEDIA_TYPE, decode};
use omadm_codec::{Limits, MediaType};
use omadm_mo::Time;
use omadm_store::{DelegationOut, DelegationRole, DelegationState, StoreError};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::deed::Deed;
use super::peers::Peer;
use super::record::terms;
use super::{BATCH, PAUSE, begin_revoking, cancel_commands, receive};
use crate::beside::MAX_CONFLICTS;
use crate::clock;
use crate::context::Context;
use crate::lease::Duty;
use crate::outgoing::causes;

/// What came of sending a message.
enum Sent {
    /// The answer.
    Answered(DelegationResponse),
    /// It is to be sent again: one sentence.
    Again(String),
}

/// Sends until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let Some(delegations) = &context.delegations else { return };
    let mut duty = Duty::of(&context, "delegation messages");
    loop {
        let sending = tokio::select! {
            // What is on its way may have arrived; it is sent again after the next start.
            _ = stop.wait_for(|stop| *stop) => return,
            sending = send_due(&context, &mut duty) => sending,
        };
        let more = match sending {
            Ok(more) => more,
            Err(error) => {
                tracing::error!(%error, "messages on delegations could not be sent; it will be tried again");
                false
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = delegations.outbox.notified() => {}
            () = tokio::time::sleep(PAUSE), if !more => {}
            () = std::future::ready(()), if more => {}
        }
    }
    duty.give_back(context.store.as_ref()).await;
}

/// Sends the oldest message to each server; whether there was one.
async fn send_due(context: &Arc<Context>, duty: &mut Duty) -> Result<bool, StoreError> {
    if !duty.is_mine(context.store.as_ref()).await? {
        return Ok(false);
    }
    let due = context.store.due_delegation_messages(clock::now(), BATCH).await?;
    let any = !due.is_empty();
    let mut sending = JoinSet::new();
    for out in due {
        let context = context.clone();
        sending.spawn(async move { send(&context, out).await });
    }
    while let Some(sent) = sending.join_next().await {
        match sent {
            Ok(outcome) => outcome?,
            Err(error) => tracing::error!(%error, "sending a message on a delegation ended badly"),
        }
    }
    Ok(any)
}

async fn send(context: &Context, out: DelegationOut) -> Result<(), StoreError> {
    let peers = context.delegations.as_ref().map(|delegations| &delegations.peers);
    let peer = peers.and_then(|peers| peers.get(&out.peer));
    let time = context.config.delegation.send_timeout.0;
    let sent = match peer {
        None => Sent::Again("the server is not in delegation.peers".to_owned()),
        Some(peer) => tokio::time::timeout(time, post(context, peer, &out.document))
            .await
            .unwrap_or_else(|_| Sent::Again(format!("no answer within {} s", time.as_secs()))),
    };
    match sent {
        Sent::Answered(response) => answered(context, &out, &response).await,
        Sent::Again(reason) => again(context, &out, &reason).await,
    }
}

/// Sends the document, as of now.
async fn post(context: &Context, peer: &Peer, document: &str) -> Sent {
    let section = &context.config.delegation;
    let limits = |octets: usize| Limits { bytes: octets, ..Limits::default() };
    let stored = decode(document.as_bytes(), &section.namespace, &limits(document.len()));
    let message = match stored {
        Ok(message) => DelegationMessage { timestamp: clock::now(), ..message },
        Err(error) => return Sent::Again(format!("the stored message cannot be read: {error}")),
    };
    let body = Full::new(Bytes::from(message.to_xml(&section.namespace)));
    let request = Request::builder().method(Method::POST).uri(&peer.settings.url);
    let request = request.header(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    let request = match request.header(ACCEPT, HeaderValue::from_static(MEDIA_TYPE)).body(body) {
        Ok(request) => request,
        Err(error) => return Sent::Again(error.to_string()),
    };
    let response = match peer.https.request(request).await {
        Ok(response) => response,
        Err(error) => return Sent::Again(causes(&error)),
    };
    let (head, body) = response.into_parts();
    let octets = match Limited::new(body, section.max_message.0).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Sent::Again(causes(error.as_ref())),
    };
    let kind = head.headers.get(CONTENT_TYPE).and_then(|value| MediaType::parse(value.to_str().ok()?).ok());
    if kind.is_none_or(|kind| kind.essence != MEDIA_TYPE) {
        return without_document(head.status);
    }
    match decode(&octets, &section.namespace, &limits(section.max_message.0)) {
        Ok(DelegationMessage { body: Body::Response(response), from, .. })
            if from.as_str() == peer.settings.server_id =>
        {
            judged(response)
        }
        Ok(_) => Sent::Again("the answer is no DelegationResponse of this server".to_owned()),
        Err(error) => Sent::Again(format!("the answer cannot be read: {error}")),
    }
}

/// A refusal that is no document says what it says by its status.
fn without_document(status: StatusCode) -> Sent {
    let status = omadm_codec::StatusCode(status.as_u16());
    if status.is_success() {
        return Sent::Again("the answer is no document of the protocol".to_owned());
    }
    judged(DelegationResponse { delegation_id: None, status, reason: None, items: Vec::new() })
}

/// What says that it may go better later is tried again.
fn judged(response: DelegationResponse) -> Sent {
    match response.status.0 {
        408 | 429 | 500..=599 => {
            let reason = response.reason.unwrap_or_default();
            Sent::Again(format!("{} {reason}", response.status.0).trim().to_owned())
        }
        _ => Sent::Answered(response),
    }
}

/// The next try, or the end of trying.
async fn again(context: &Context, out: &DelegationOut, reason: &str) -> Result<(), StoreError> {
    let (section, now) = (&context.config.delegation, clock::now());
    let micros = |span: std::time::Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    if out.created.plus_micros(micros(section.give_up_after.0)) <= now {
        let status = omadm_codec::StatusCode(503);
        let reason = Some(format!("{} could not be reached: {reason}", out.peer));
        let response = DelegationResponse { delegation_id: None, status, reason, items: Vec::new() };
        return answered(context, out, &response).await;
    }
    let due = pause(micros(section.retry_after.0), micros(section.longest_retry.0), out.attempts, now);
    tracing::info!(
        peer = out.peer,
        reason,
        "a message on a delegation could not be handed over; it will be sent again"
    );
    context.store.defer_delegation_message(out.number, due).await
}

/// Twice as long each time, up to the longest.
fn pause(first: i64, longest: i64, attempts: u32, now: Time) -> Time {
    let factor = 1_i64.checked_shl(attempts.min(40)).unwrap_or(i64::MAX);
    now.plus_micros(first.saturating_mul(factor).min(longest))
}

/// The other server has answered.
async fn answered(
    context: &Context,
    out: &DelegationOut,
    response: &DelegationResponse,
) -> Result<(), StoreError> {
    let limits = Limits { bytes: out.document.len(), ..Limits::default() };
    let message = decode(out.document.as_bytes(), &context.config.delegation.namespace, &limits).ok();
    for _ in 0..MAX_CONFLICTS {
        let Some(delegation) = context.store.delegation(out.delegation).await? else { return Ok(()) };
        let Ok(terms) = terms(&delegation) else { return Ok(()) };
        let mut deed = Deed::new(context, delegation, terms, clock::now());
        let mut cancel = Vec::new();
        deed.sent(out.number);
        let refused = !response.status.is_success();
        if refused {
            let what = message.as_ref().map(|message| message.body.name().to_owned());
            let (status, reason) = (response.status.0, &response.reason);
            deed.event(
                "refused by the other server",
                None,
                json!({ "message": what, "status": status, "reason": reason }),
            );
        }
        let revoking = deed.delegation.state == DelegationState::Revoking;
        match message.as_ref().map(|message| &message.body) {
            Some(Body::Request(_)) => receive::answered(&mut deed, response).await?,
            // It was agreed to too late.
            Some(Body::Response(_)) if refused && !deed.delegation.state.is_final() => {
                let reason = response.reason.as_deref().unwrap_or("the other server knows it no longer");
                match deed.delegation.role {
                    DelegationRole::Delegated => deed.enter(DelegationState::Ended, Some(reason)),
                    DelegationRole::Delegating if revoking => {}
                    DelegationRole::Delegating => cancel = begin_revoking(&mut deed, reason).await?,
                }
            }
            // There is nobody any more who would say that the rights are gone.
            Some(Body::Cancel(_) | Body::Notify(_))
                if refused && revoking && deed.delegation.role == DelegationRole::Delegated =>
            {
                deed.enter(DelegationState::Ended, response.reason.as_deref());
            }
            _ => {}
        }
        match deed.commit().await {
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
            Ok(()) => return cancel_commands(context, cancel).await,
        }
    }
    // The other server remembers the message and answers it again.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let pauses = [0, 1, 2, 3, 63, u32::MAX].map(|attempts| pause(10, 60, attempts, Time(0)).0);
        assert_eq!(pauses, [10, 20, 40, 60, 60, 60]);
    }

    #[test]
    fn only_what_may_go_better_is_tried_again() {
        let is_final = |status| {
            let status = omadm_codec::StatusCode(status);
            let response =
                DelegationResponse { delegation_id: None, status, reason: None, items: Vec::new() };
            matches!(judged(response), Sent::Answered(_))
        };
        assert!([200, 202, 400, 403, 404, 405, 409, 410, 412, 413].into_iter().all(is_final));
        assert!(![408, 429, 500, 503].into_iter().any(is_final));
        assert!(matches!(without_document(StatusCode::OK), Sent::Again(_)));
        assert!(matches!(without_document(StatusCode::FORBIDDEN), Sent::Answered(_)));
    }
}
