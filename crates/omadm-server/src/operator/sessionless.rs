//! Commands that are pushed to a device of DM 1.3 without a session (`DM 1.3 Sessionless Command Message`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use omadm_codec::dm1::Version;
use omadm_session::dm1::server::Task;
use omadm_store::{Device, Payload};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::commands::advice;
use super::known_device;
use super::notify::refusal;
use super::problem::{Body as Document, Path, Problem};
use super::tokens::Operator;
use crate::address::Inventory;
use crate::context::Context;
use crate::descriptions::Descriptions;
use crate::device::dm1;
use crate::notifier::{HandedOver, Order, Refused, push_command};
use crate::operation::{Known, Operation, Request, Unsaid};
use crate::roots::Roots;

/// What there is to say of a message that was handed over.
const RESULT: &str = "handed over; no answer is expected";

/// A command that was pushed.
#[derive(Serialize, ToSchema)]
pub struct Pushed {
    /// Number of the message (MsgID).
    number: u64,
    /// Its length in octets.
    octets: usize,
    /// Which way it went.
    via: String,
    /// What is known of it, for people: nobody answers it.
    result: &'static str,
    /// What the DDF has against it.
    warnings: Vec<String>,
}

/// Pushes a command to a device of DM 1.3 without a session. It is not queued, and nobody answers it: whether the device takes such
/// commands, and what became of this one, is known to the device alone.
#[utoipa::path(post, path = "/devices/{id}/sessionless", params(("id" = String, Path)), request_body = Request, tag = "commands",
    responses((status = 200, body = Pushed), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 502, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(id): Path<String>,
    Document(request): Document<Request>,
) -> Result<Json<Pushed>, Problem> {
    if request.wait.is_some() || request.expires_in.is_some() {
        return Err(Problem::bad("a command without a session is sent now, and has no end to wait for"));
    }
    let device = known_device(&context, &id).await?;
    if dm1::protocol_version(device.protocol.as_deref()) != Some(Version::Dm13) {
        return Err(Problem::conflict("only devices that spoke DM 1.3 last take commands without a session"));
    }
    let force = request.force;
    let (mut operation, body) =
        Operation::from_request(request, context.config.data.max_payload.0).map_err(Problem::bad)?;
    let inventory = Inventory::read(device.inventory.as_deref());
    let warnings = advice(&context, &inventory, &mut operation, body.as_ref(), force).await?;
    let payload = body.map(|body| body.into_payload(&device.id));
    let task = task(&context, &device, &inventory, &operation, payload.as_ref()).await?;
    let refuse = |refused| refusal(&device.id, refused);
    let push = context.store.push(&device.id).await?;
    let push = push.ok_or_else(|| refuse(Refused::NoWay("no way to the device is known".to_owned())))?;
    let order =
        Order { task: &task, verb: operation.verb(), address: operation.address(), by: &operator.0.0 };
    let HandedOver { number, octets, via } = push_command(&context, &push, &order).await.map_err(refuse)?;
    Ok(Json(Pushed { number, octets, via: via.to_string(), result: RESULT, warnings }))
}

/// What an operation means for the device, as far as it is known without asking it.
async fn task(
    context: &Context,
    device: &Device,
    inventory: &Inventory,
    operation: &Operation,
    payload: Option<&Payload>,
) -> Result<Task, Problem> {
    if matches!(operation, Operation::SetItems) {
        return Err(Problem::bad("MO data goes in sessions only; set its leaves one by one"));
    }
    let version = Version::Dm13;
    let roots = Roots::of(inventory, version);
    let seen = dm1::seen_at(context, &device.id, operation, &roots).await;
    let seen = seen.map_err(|refusal| Problem::new(StatusCode::SERVICE_UNAVAILABLE, refusal.reason))?;
    let capabilities = context.dm1_models.of(context, &device.facts).await?;
    let described = Descriptions::default();
    let known =
        Known { roots: &roots, version, capabilities, seen: &seen, described: &described, may_place: false };
    operation.to_dm1(Uuid::now_v7(), known, payload).map_err(|unsaid| match unsaid {
        Unsaid::Never(sentence) => Problem::bad(sentence),
        Unsaid::Undiscovered(moid) => Problem::conflict(format!(
            "it is not known where the device has {moid}, and without a session nobody can ask; use a path such as ./A/B"
        )),
    })
}
