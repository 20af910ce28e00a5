//! Reports without a session: authenticated as a message of a session is, kept as events, and answered by HTTP alone.

use omadm_session::dm1::server as engine;
use omadm_session::dm2::server::Refusal;
use omadm_store::{SessionStep, StoreError};

use super::known::{Found, Sender, protocol};
use super::outcome::report_views;
use super::{MAX_CONFLICTS, Message, Reply, ReplyHead};
use crate::clock;
use crate::config::Endpoint;
use crate::context::Context;
use crate::desired;
use crate::device::auth::Caller;
use crate::device::{commands_read, refusal, store_failed, traces};
use crate::ledger::Ledger;

/// Takes a report: gives the answer once it is durable. One that came before has the same answer and no second effect.
pub async fn take(
    context: &Context,
    caller: &Caller,
    endpoint: &Endpoint,
    message: &Message<'_>,
    sender: Sender,
) -> Result<Reply, Refusal> {
    let Sender { name, device } = sender;
    let Some(mut found) = device else {
        return Err(
            refused(context, caller, &name, engine::report(&context.dm1, None, &message.incoming)).await
        );
    };
    for _ in 0..MAX_CONFLICTS {
        let kept = found.kept();
        let account = found.account(kept.as_ref(), context, endpoint);
        let (number, alerts) = match engine::report(&context.dm1, Some(&account), &message.incoming) {
            engine::Report::Taken { number, alerts } => (number, alerts),
            away => return Err(refused(context, caller, &name, away).await),
        };
        context.guard.succeeded(&name);
        let Some(kept) = kept else { return Err(refusal(401, "the device has no DM 1.x account")) };
        let Some(kept) = kept.with_report(number) else {
            tracing::debug!(device = %found.check.device.id, number, "a report repeated");
            return Ok(taken());
        };
        match store(context, message, &found, &alerts, kept.write()).await {
            Ok(()) => return Ok(taken()),
            Err(StoreError::Conflict(_)) => found.read_again(context, commands_read(context)).await?,
            Err(error) => return Err(store_failed(&error)),
        }
    }
    Err(refusal(503, "other messages of this device are in work; try again later"))
}

async fn store(
    context: &Context,
    message: &Message<'_>,
    found: &Found,
    alerts: &[engine::ReceivedAlert],
    kept: Vec<u8>,
) -> Result<(), StoreError> {
    let now = clock::now();
    let mut ledger = Ledger::new(&found.check, std::iter::empty());
    for view in report_views(alerts, context.config.device.max_alerts) {
        ledger.event("alert", view);
    }
    let step = ledger.into_step(protocol(message.incoming.version()), now);
    let answer = traces::reply(context, "report taken", "", 200, &[], now);
    let trace = vec![message.trace(context, now), answer];
    let step = SessionStep { dm1: Some(kept.into()), trace, ..step };
    // A report is no session in which commands could go out.
    let looked = desired::at_message(context, &found.check, step.clone()).await?;
    context.store.apply(looked.unwrap_or(step)).await
}

/// The answer: there is no message in it, for there is no session.
fn taken() -> Reply {
    Reply { head: ReplyHead { content_type: String::new(), hmac: None }, body: Vec::new() }
}

/// The refusal of a report; wrong credentials count against the sender.
async fn refused(context: &Context, caller: &Caller, name: &str, away: engine::Report) -> Refusal {
    let engine::Report::Refused { http_status, reason, bad_credentials } = away else {
        return refusal(401, "the sender has no account");
    };
    tracing::info!(sender = name, reason, "refused a report");
    if bad_credentials {
        context.guard.note(Some(name), caller.sender.source, clock::now()).await;
    }
    Refusal { http_status, reason, allow: None, omadm_accept: false }
}
