//! Commands: queueing, watching, cancelling.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use omadm_codec::dm1::Version;
use omadm_session::dm1::server::Capabilities;
use omadm_store::{Command, CommandState, Device, NewCommand, Payload};
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::IntoParams;
use uuid::Uuid;

use super::pages;
use super::problem::{Body as Document, Path, Problem, Query};
use super::tokens::Operator;
use super::views::{self, Page};
use super::{Listing, known_device, later};
use crate::address::Inventory;
use crate::advice::Advice;
use crate::context::Context;
use crate::descriptions::Descriptions;
use crate::device::dm1;
use crate::leaf::Body;
use crate::operation::{Known, Operation, Request, Seen, Unsaid};
use crate::roots::Roots;
use crate::{clock, events};

/// Longest wait for a result, in seconds.
const MAX_WAIT: u64 = 60;
/// Longest time until a command expires, in seconds.
const MAX_EXPIRY: u64 = 366 * 86_400;
/// How often a waiting request reads again: another process may have served the device.
const REREAD: Duration = Duration::from_secs(1);

/// Queues a command for a device.
#[utoipa::path(post, path = "/devices/{id}/commands", params(("id" = String, Path)), request_body = Request, tag = "commands",
    responses((status = 202, body = views::Command), (status = 200, body = views::Command, description = "final within `wait`"),
        (status = 400, body = Problem), (status = 404, body = Problem), (status = 429, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(id): Path<String>,
    Document(request): Document<Request>,
) -> Result<(StatusCode, Json<views::Command>), Problem> {
    let wait = wait(request.wait)?;
    let expiry = match request.expires_in {
        None => context.config.queue.default_expiry.0.as_secs(),
        Some(seconds @ 1..=MAX_EXPIRY) => seconds,
        Some(_) => return Err(Problem::bad(format!("expires_in has to be 1 to {MAX_EXPIRY} seconds"))),
    };
    let device = known_device(&context, &id).await?;
    let force = request.force;
    let (mut operation, body) =
        Operation::from_request(request, context.config.data.max_payload.0).map_err(Problem::bad)?;
    let body = match &operation {
        Operation::ShowPage { page, .. } => Some(pages::payload(&context, page).await?),
        _ => body,
    };
    let command = Uuid::now_v7();
    let inventory = Inventory::read(device.inventory.as_deref());
    let warnings = advice(&context, &inventory, &mut operation, body.as_ref(), force).await?;
    let payload = body.map(|body| body.into_payload(&device.id));
    let said = Said { context: &context, device: &device, inventory: &inventory, command };
    said.check(&operation, payload.as_ref()).map_err(Problem::bad)?;
    let now = clock::now();
    let new = NewCommand {
        id: command,
        device: device.id.clone(),
        verb: operation.verb().to_owned(),
        address: operation.address().to_owned(),
        args: operation.args(),
        payload,
        supersede_key: operation.supersede_key(),
        expires: later(now, expiry),
        created_by: operator.0.0,
        origin: None,
    };
    let queued = context.store.enqueue(new, context.config.queue.max_per_device, now).await?;
    // It may have superseded another that someone waits for.
    context.wakers.wake(&device.id);
    context.notifier.wake();
    let command = watch(&context, queued, wait).await?;
    let status = if command.state.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(views::Command::with_warnings(command, warnings))))
}

/// How a command is said to a device.
struct Said<'a> {
    context: &'a Context,
    device: &'a Device,
    inventory: &'a Inventory,
    command: Uuid,
}

impl Said<'_> {
    /// Whether an operation can be said in the protocol that the device spoke last; in one of all protocols as long as it spoke none.
    fn check(&self, operation: &Operation, payload: Option<&Payload>) -> Result<(), String> {
        match (&self.device.protocol, dm1::protocol_version(self.device.protocol.as_deref())) {
            (_, Some(version)) => self.in_dm1(operation, payload, version),
            (Some(_), None) => self.in_dm2(operation),
            (None, None) => {
                let newest = Version::Dm13;
                self.in_dm2(operation).or_else(|why| self.in_dm1(operation, payload, newest).map_err(|_| why))
            }
        }
    }

    fn in_dm2(&self, operation: &Operation) -> Result<(), String> {
        let known = |moid: &str| self.inventory.has(moid);
        operation.to_dm2(self.command, &self.context.public_url, &known).map(drop)
    }

    fn in_dm1(
        &self,
        operation: &Operation,
        payload: Option<&Payload>,
        version: Version,
    ) -> Result<(), String> {
        let (roots, capabilities) = (Roots::of(self.inventory, version), Capabilities::default());
        let described = Descriptions::default();
        let (seen, described, may_place) = (&Seen::Nothing, &described, false);
        let known = Known { roots: &roots, version, capabilities, seen, described, may_place };
        match operation.to_dm1(self.command, known, payload) {
            // Where the object is, the device will be asked.
            Ok(_) | Err(Unsaid::Undiscovered(_)) => Ok(()),
            Err(Unsaid::Never(sentence)) => Err(sentence),
        }
    }
}

/// Checks an operation against the DDF; gives what it says against it.
pub(super) async fn advice(
    context: &Context,
    inventory: &Inventory,
    operation: &mut Operation,
    body: Option<&Body>,
    force: bool,
) -> Result<Vec<String>, Problem> {
    let files = context.models.now(context.store.as_ref()).await?;
    let mut advice = Advice::new(&files, inventory, &context.public_url);
    match advice.about(operation, body) {
        Ok(()) => {}
        Err(misfit) if force => advice.warn(misfit),
        Err(misfit) => return Err(Problem::bad(format!("{misfit}; \"force\": true sends it all the same"))),
    }
    Ok(advice.into_warnings())
}

/// Lists the commands of a device, newest first.
#[utoipa::path(get, path = "/devices/{id}/commands", params(("id" = String, Path), Listing), tag = "commands",
    responses((status = 200, body = Page<views::Command>), (status = 404, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<views::Command>>, Problem> {
    let (limit, before) = (listing.limit()?, listing.number()?);
    let device = known_device(&context, &id).await?;
    let commands = context.store.commands(&device.id, before, limit + 1).await?;
    Ok(Json(Page::cut(commands, limit, |command| command.seq.to_string(), views::Command::from)))
}

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Seconds to wait for a final state, 0 to 60. Default 0.
    wait: Option<u64>,
}

/// Shows a command; with `wait`, once it is final or the time is over.
#[utoipa::path(get, path = "/commands/{command}", params(("command" = Uuid, Path), Wait), tag = "commands",
    responses((status = 200, body = views::Command), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(id): Path<Uuid>,
    Query(query): Query<Wait>,
) -> Result<Json<views::Command>, Problem> {
    let wait = wait(query.wait)?;
    let command = context.store.command(id).await?.ok_or_else(|| unknown(id))?;
    Ok(Json(watch(&context, command, wait).await?.into()))
}

/// Cancels a command that was not sent.
#[utoipa::path(post, path = "/commands/{command}/cancel", params(("command" = Uuid, Path)), tag = "commands",
    responses((status = 200, body = views::Command), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn cancel(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(id): Path<Uuid>,
) -> Result<Json<views::Command>, Problem> {
    let before = context.store.command(id).await?.ok_or_else(|| unknown(id))?;
    let mut reason = format!("Cancelled by {}.", operator.0.0);
    if before.attempts > 0 {
        reason.push_str(" It was sent before, without a final answer, and may have been carried out.");
    }
    let cancelled = context.store.cancel(id, &reason, events::ended, clock::now()).await?;
    let command = cancelled.ok_or_else(|| unknown(id))?;
    match command.state {
        CommandState::Cancelled => {
            context.wakers.wake(&command.device);
            Ok(Json(command.into()))
        }
        CommandState::Queued | CommandState::Sent => Err(Problem::conflict(
            "the command was sent already and may have been carried out; wait for its result or its expiry",
        )),
        CommandState::Done
        | CommandState::Failed
        | CommandState::Expired
        | CommandState::Superseded
        | CommandState::Quarantined => {
            let state = serde_json::json!(command.state);
            Err(Problem::conflict(format!(
                "the command is over already: it is {}",
                state.as_str().unwrap_or("final")
            )))
        }
    }
}

/// The answer to who names a command that is not there, or not of a device of theirs.
pub(super) fn unknown(id: Uuid) -> Problem {
    Problem::unknown(format!("there is no command {id}; its device may have been removed"))
}

fn wait(seconds: Option<u64>) -> Result<Duration, Problem> {
    match seconds.unwrap_or(0) {
        seconds @ 0..=MAX_WAIT => Ok(Duration::from_secs(seconds)),
        other => Err(Problem::bad(format!("wait is {other}, it has to be 0 to {MAX_WAIT} seconds"))),
    }
}

/// Waits for a command to become final, at most so long and while the server runs; gives it as it is then.
async fn watch(context: &Context, command: Command, wait: Duration) -> Result<Command, Problem> {
    if wait.is_zero() {
        return Ok(command);
    }
    let deadline = Instant::now() + wait;
    let waker = context.wakers.of(&command.device);
    let mut stopped = context.stopped.clone();
    let mut command = command;
    while !command.state.is_final() && Instant::now() < deadline && !*stopped.borrow() {
        // The waker hears from here on, so what happens after the reading is not missed.
        let mut woken = std::pin::pin!(waker.notified());
        woken.as_mut().enable();
        command = context.store.command(command.id).await?.ok_or_else(|| unknown(command.id))?;
        if command.state.is_final() {
            break;
        }
        tokio::select! {
            () = woken => {}
            _ = stopped.changed() => {}
            () = tokio::time::sleep_until(deadline.min(Instant::now() + REREAD)) => {}
        }
    }
    Ok(command)
}
