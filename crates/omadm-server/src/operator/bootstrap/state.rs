//! How far the bootstrap of a device has come (`DM 1.3 BOOT §5`): nobody answers one, so that it arrived shows in the first session.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use omadm_store::{self as store, Event};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::clock::rfc3339;
use crate::context::Context;
use crate::operator::known_device;
use crate::operator::problem::{Path, Problem};

/// Events that are looked through: those of a bootstrap stand at the beginning of an enrolment.
const EVENTS: u32 = 1_000;

/// How far the bootstrap of a device has come.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct Progress {
    /// `created`; `sent` or `fetched`; `seen`, when the device has begun a session since; `revoked`.
    state: &'static str,
    /// How often it was sent.
    sent: usize,
    /// How often it could not be.
    not_sent: usize,
    /// The profile of one for DM 1.x, `cp` or `dm`.
    profile: Option<String>,
    /// How one for DM 1.x is secured.
    sec: Option<String>,
    /// When the device was enrolled for it.
    enrolled: String,
    /// When the device was heard of last since.
    last_contact: Option<String>,
}

impl Progress {
    /// From what is known of the device and of what happened to it.
    fn new(device: &store::Device, events: &[Event]) -> Self {
        let bodies = events.iter().filter(|event| event.event.kind == "device");
        let bodies: Vec<Value> =
            bodies.filter_map(|event| serde_json::from_str(&event.event.body).ok()).collect();
        let text = |body: &Value, member: &str| body.get(member).and_then(Value::as_str).map(str::to_owned);
        let is = |body: &Value, what: &str| body.get("what").is_some_and(|told| told == what);
        let count = |what: &str| bodies.iter().filter(|body| is(body, what)).count();
        let (sent, not_sent) = (count("bootstrap sent"), count("bootstrap not sent"));
        // The newest says what is there now.
        let last = |member: &str| bodies.iter().rev().find_map(|body| text(body, member));
        let contact = device.last_contact.filter(|contact| *contact >= device.enrolled);
        let state = match device.revoked {
            Some(_) => "revoked",
            None if contact.is_some() => "seen",
            None if count("bootstrap fetched") > 0 => "fetched",
            None if sent > 0 => "sent",
            None => "created",
        };
        Self {
            state,
            sent,
            not_sent,
            profile: last("profile"),
            sec: last("sec"),
            enrolled: rfc3339(device.enrolled),
            last_contact: contact.map(rfc3339),
        }
    }
}

/// Says how far the bootstrap of a device has come.
#[utoipa::path(get, path = "/bootstrap/{id}", params(("id" = String, Path)), tag = "bootstrap",
    responses((status = 200, body = Progress), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Json<Progress>, Problem> {
    let device = known_device(&context, &id).await?;
    let events = context.store.events(Some(&device.id), 0, EVENTS).await?;
    Ok(Json(Progress::new(&device, &events)))
}
