//! Messages as they go into the trace, cut to what is kept.

use omadm_codec::Tolerance;
use omadm_codec::media_type::TEXT_PLAIN;
use omadm_mo::{DeviceId, Time};
use omadm_session::dm2::server::Refusal;
use omadm_store::{Credential, SessionStep, TraceMessage};

use crate::context::Context;
use crate::outcome::PROTOCOL;

/// A message that the device sent.
pub fn received(context: &Context, summary: &str, content_type: &str, body: &[u8], at: Time) -> TraceMessage {
    TraceMessage {
        at,
        from_device: true,
        summary: summary.to_owned(),
        content_type: content_type.to_owned(),
        http_status: None,
        body: kept(context, body),
        length: length(body),
        notes: Vec::new(),
    }
}

/// A message that we answer with.
pub fn reply(
    context: &Context,
    summary: &str,
    content_type: &str,
    status: u16,
    body: &[u8],
    at: Time,
) -> TraceMessage {
    let message = received(context, summary, content_type, body, at);
    TraceMessage { from_device: false, http_status: Some(status), ..message }
}

/// Notes what was tolerated in a message.
pub fn note_tolerated(message: &mut TraceMessage, used: impl IntoIterator<Item = Tolerance>) {
    message.notes.extend(used.into_iter().map(|tolerance| format!("tolerated: {tolerance}")));
}

/// Takes the body out of a message: a trace is for everyone who looks after devices.
pub fn withhold(message: &mut TraceMessage) {
    message.body.clear();
    message.notes.push("the body is not kept, as it may hold secrets of a DM account".to_owned());
}

/// Puts a refused message into the device's trace, if the device has not had too many of them lately.
pub async fn refused(context: &Context, credential: &Credential, request: TraceMessage, refusal: &Refusal) {
    let now = request.at;
    if !context.remarks.take(&credential.device, now) {
        return;
    }
    let answer = reply(context, "refused", TEXT_PLAIN, refusal.http_status, refusal.reason.as_bytes(), now);
    let step = bare_step(&credential.device, credential.generation, vec![request, answer], now);
    if let Err(error) = context.store.apply(step).await {
        tracing::debug!(%error, device = %credential.device, "a refused message could not be traced");
    }
}

fn bare_step(device: &DeviceId, generation: i64, trace: Vec<TraceMessage>, now: Time) -> SessionStep {
    SessionStep {
        device: device.clone(),
        generation,
        expected_version: None,
        expected_last_seq: None,
        session: None,
        outcome: None,
        replaced: None,
        transitions: Vec::new(),
        payloads: Vec::new(),
        tree: Vec::new(),
        validators: Vec::new(),
        standing: Vec::new(),
        inventory: None,
        facts: None,
        protocol: Some(PROTOCOL.to_owned()),
        bearer: None,
        last_contact: None,
        dm1: None,
        model: None,
        profiles: None,
        events: Vec::new(),
        trace,
        now,
    }
}

fn kept(context: &Context, body: &[u8]) -> Vec<u8> {
    body.get(..context.config.trace.keep_bytes.0).unwrap_or(body).to_vec()
}

/// The length of a body as it is kept.
pub fn length(body: &[u8]) -> i64 {
    i64::try_from(body.len()).unwrap_or(i64::MAX)
}
