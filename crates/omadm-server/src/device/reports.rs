//! Reports of subscriptions: the device sends what is below an address whenever it has changed (`DM 2.0 §5.3.11`).

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use omadm_mo::ClientUri;
use omadm_session::dm2::server::Refusal;
use omadm_store::{Command, CommandState, Standing, StandingKind, StoreError};
use sha2::{Digest as _, Sha256};

use super::auth::{self, Caller};
use super::data::{Data, own_command, read_data};
use super::{refusal, refuse, store_failed, traces};
use crate::address::Inventory;
use crate::beside::{self, MAX_CONFLICTS};
use crate::clock;
use crate::context::Context;
use crate::desired;
use crate::operation::Operation;
use crate::outcome::{Beside, Outcome, Report};

/// `PUT /data/s/{subscription}`
pub async fn report(
    State(context): State<Arc<Context>>,
    Extension(caller): Extension<Arc<Caller>>,
    Path(subscription): Path<String>,
    request: Request,
) -> Response {
    match take(&context, &caller, &subscription, request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => {
            tracing::warn!(status = refusal.http_status, reason = refusal.reason, "report refused");
            refuse(&context, &refusal)
        }
    }
}

async fn take(
    context: &Context,
    caller: &Caller,
    subscription: &str,
    request: Request,
) -> Result<(), Refusal> {
    let (head, body) = request.into_parts();
    let command = own_command(context, caller, &head.headers, subscription).await?;
    let Ok(Operation::Subscribe { address }) = Operation::from_stored(&command) else {
        return Err(refusal(404, "there is no such subscription"));
    };
    // What is known to be over is not read.
    standing_of(context, &command).await?;
    let data = read_data(context, &head.headers, body).await?;
    let content_type =
        head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let now = clock::now();
    let mut received =
        traces::received(context, "report of a subscription", &content_type, &data.octets, now);
    traces::note_tolerated(&mut received, data.tolerated.iter().copied());
    if ClientUri::parse(&address).map_or(true, |uri| uri.may_hold_secrets()) {
        traces::withhold(&mut received);
    }
    let trace = vec![received, traces::reply(context, "taken", "", 204, b"", now)];
    let digest = Sha256::new().chain_update(&content_type).chain_update([0]).chain_update(&data.octets);
    let digest = digest.finalize().to_vec();
    for _ in 0..MAX_CONFLICTS {
        let standing = standing_of(context, &command).await?;
        if standing.as_ref().is_some_and(|standing| standing.digest.as_ref() == Some(&digest)) {
            return Ok(());
        }
        let check = beside::check_in(context.store.as_ref(), &command).await;
        let check = check.map_err(|error| store_failed(&error))?;
        let check = check.ok_or_else(|| refusal(401, auth::GONE))?;
        let inventory = Inventory::read(check.device.inventory.as_deref());
        let Data { octets, items, .. } = &data;
        let report = Report {
            subscription: command.id,
            has_begun: standing.is_some(),
            address: &address,
            content_type: &content_type,
            octets,
            items: items.as_deref(),
            digest: digest.clone(),
        };
        let step =
            Outcome::new(&check, &[], Beside::default(), inventory).report_step(report, trace.clone(), now);
        let step = desired::at_message(context, &check, step).await.map_err(|error| store_failed(&error))?;
        let Some(step) = step else { continue };
        match context.store.apply(step).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store_failed(&error)),
        }
    }
    Err(refusal(503, "the subscription is being worked on; try again later"))
}

/// The subscription that a command began; none yet while it is under way, as a device may report before it has said that it does.
async fn standing_of(context: &Context, command: &Command) -> Result<Option<Standing>, Refusal> {
    let standing = context.store.standing(command.id).await.map_err(|error| store_failed(&error))?;
    let standing = standing.filter(|standing| standing.kind == StandingKind::Subscription);
    let is_under_way = matches!(command.state, CommandState::Queued | CommandState::Sent);
    if standing.is_none() && !is_under_way {
        return Err(refusal(410, "the subscription has ended"));
    }
    Ok(standing)
}
