//! How devices are notified, and notifications by hand (`DM 2.0 §5.2.1`, Appendix E).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use http::StatusCode;
use omadm_mo::DeviceId;
use omadm_store as store;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::known_device;
use super::problem::{Body, Path, Problem};
use crate::clock;
use crate::context::Context;
use crate::notifier::address::PushAddress;
use crate::notifier::dm1::{Form, Wish};
use crate::notifier::{self, Refused, Sent};

/// Most ways to one device.
const MAX_ADDRESSES: usize = 8;

/// How a device is notified.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Push {
    /// The ways that the operator gave, such as `udp:HOST:PORT`, `https:HOST:PORT`, `sip:USER@HOST:PORT` or `sms:NUMBER`.
    addresses: Vec<String>,
    /// Its registration with the push service, as it said itself; it is tried first.
    registration: Option<String>,
    /// When the last notification was sent.
    sent: Option<String>,
    /// Notifications since the device was last there.
    attempts: u32,
    /// When the next notification is due; null when none is.
    due: Option<String>,
}

impl From<store::Push> for Push {
    fn from(push: store::Push) -> Self {
        let store::Push { addresses, registration, progress, .. } = push;
        Self {
            addresses,
            registration,
            sent: progress.sent.map(clock::rfc3339),
            attempts: progress.attempts,
            due: progress.due.map(clock::rfc3339),
        }
    }
}

/// Ways to a device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ways {
    /// 8 at most: `udp:HOST`, `http:HOST`, `https:HOST`, `sip:USER@HOST`, `obex:HOST`, each with `:PORT` if need be, `sms:NUMBER`,
    /// `ppg:ADDRESS`, `cloud:REGISTRATION`. None ends notifications, but for those by the device's own registration.
    addresses: Vec<String>,
}

/// A notification that was sent.
#[derive(Serialize, ToSchema)]
pub struct Notified {
    /// NOTIFICATION-ID, which the session that it leads to names in its alert; in DM 1.x the number of that session.
    id: u16,
    /// The form in DM 1.x; null in DM 2.0.
    format: Option<Form>,
    /// Which way it went.
    via: String,
}

/// Shows how a device is notified.
#[utoipa::path(get, path = "/devices/{id}/push", params(("id" = String, Path)), tag = "devices",
    responses((status = 200, body = Push), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Json<Push>, Problem> {
    let device = known_device(&context, &id).await?;
    let push = context.store.push(&device.id).await?;
    Ok(Json(push.map(Push::from).unwrap_or_default()))
}

/// Says how a device can be notified.
#[utoipa::path(put, path = "/devices/{id}/push", params(("id" = String, Path)), request_body = Ways, tag = "devices",
    responses((status = 200, body = Push), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn set(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    Body(ways): Body<Ways>,
) -> Result<Json<Push>, Problem> {
    let device = known_device(&context, &id).await?;
    if ways.addresses.len() > MAX_ADDRESSES {
        return Err(Problem::bad(format!("a device has at most {MAX_ADDRESSES} push addresses")));
    }
    let mut addresses = Vec::new();
    for text in &ways.addresses {
        let address: PushAddress = text.parse().map_err(Problem::bad)?;
        context.notifier.carrier.supports(&address).map_err(Problem::bad)?;
        addresses.push(address.to_string());
    }
    if !context.store.set_push_addresses(&device.id, addresses, clock::now()).await? {
        return Err(Problem::unknown(format!("{} is not enrolled any more", device.id)));
    }
    context.notifier.wake();
    let push = context.store.push(&device.id).await?;
    Ok(Json(push.map(Push::from).unwrap_or_default()))
}

/// Notifies a device now, whether something waits for it or not.
#[utoipa::path(post, path = "/devices/{id}/notify", params(("id" = String, Path)), request_body = Wish, tag = "devices",
    responses((status = 400, body = Problem), (status = 200, body = Notified), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 429, body = Problem), (status = 502, body = Problem)))]
pub async fn now(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Notified>, Problem> {
    let body = body?;
    let device = known_device(&context, &id).await?;
    // Who has nothing to say need not send an object without members.
    let wish = if body.is_empty() { Ok(Wish::default()) } else { serde_json::from_slice(&body) };
    let wish: Wish =
        wish.map_err(|error| Problem::bad(format!("the body is not as it should be: {error}")))?;
    notifier::dm1::check(&wish).map_err(Problem::bad)?;
    let refuse = |refused| refusal(&device.id, refused);
    let push = context.store.push(&device.id).await?;
    let push = push.ok_or_else(|| refuse(Refused::NoWay("no way to the device is known".to_owned())))?;
    let Sent { id, form, via } = notifier::by_hand(&context, &push, &wish).await.map_err(refuse)?;
    Ok(Json(Notified { id, format: form, via: via.to_string() }))
}

/// Why nothing was pushed to a device, for operators.
pub fn refusal(device: &DeviceId, refused: Refused) -> Problem {
    match refused {
        Refused::NoWay(reason) => {
            Problem::conflict(format!("{reason}; `omadm device push {device} udp:HOST` gives one"))
        }
        Refused::TooMany(earliest) => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!(
                "the device was notified already; notifier.min_interval and notifier.max_per_day allow the next one at {}",
                clock::rfc3339(earliest)
            ),
        ),
        Refused::Impossible(reason) => Problem::bad(reason),
        Refused::Failed(reason) => {
            Problem::new(StatusCode::BAD_GATEWAY, format!("it could not be handed over: {reason}"))
        }
        Refused::Store(error) => error.into(),
    }
}
