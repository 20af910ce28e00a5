//! Commands without a session (`DM 1.3 Sessionless Command Message`): pushed to the device as they are. Nobody answers them, so what was
//! handed over is all that is known.

use std::sync::atomic::{AtomicU64, Ordering};

use omadm_codec::wsp::{Media, SYNCML_DM_WBXML_CODE};
use omadm_session::dm1::server::{Account, Sessionless, Task, sessionless};
use omadm_store::{NewEvent, Push};
use serde_json::json;

use super::address::PushAddress;
use super::carrier::{Content, Failed};
use super::{Refused, note, ways};
use crate::clock;
use crate::context::Context;
use crate::device::dm1::Kept;

/// What is to be pushed, and what the event says of it.
pub struct Order<'a> {
    /// The task.
    pub task: &'a Task,
    /// Its verb.
    pub verb: &'a str,
    /// Its address.
    pub address: &'a str,
    /// The operator who wants it.
    pub by: &'a str,
}

/// A message that was handed over.
pub struct HandedOver {
    /// Its `MsgID`.
    pub number: u64,
    /// Its octets, without what stands around it.
    pub octets: usize,
    /// Which way.
    pub via: PushAddress,
}

/// The `MsgID`s of this server: the time in microseconds, and larger than the one before, so that nothing has to be kept.
#[derive(Debug, Default)]
pub struct Numbers(AtomicU64);

impl Numbers {
    fn next(&self) -> u64 {
        let now = u64::try_from(clock::now().0).unwrap_or_default();
        let last = self.0.fetch_max(now, Ordering::Relaxed);
        if last < now { now } else { self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1) }
    }
}

/// Pushes a command to a device, by the first way that takes it. It is never tried again: a device takes each message only once, and who
/// sends it another time wants it twice.
///
/// # Errors
/// [`Refused`] says why it was not handed over.
pub async fn push_command(context: &Context, push: &Push, order: &Order<'_>) -> Result<HandedOver, Refused> {
    let ways = ways(push, context.config.notifier.sort_ways);
    if ways.is_empty() {
        return Err(Refused::NoWay("no way to the device is known".to_owned()));
    }
    let number = context.notifier.numbers.next();
    let Sessionless { hmac, body } = make(context, push, order.task, number).await?;
    let content = Content::for_dm(Media::code(SYNCML_DM_WBXML_CODE), &body).proved_by(&hmac);
    let time = context.config.notifier.send_timeout.0;
    let mut failures = Vec::new();
    for via in ways {
        let outcome = tokio::time::timeout(time, context.notifier.carrier.carry(&via, &content)).await;
        let late = |_| Failed::with(format!("it took longer than {} s", time.as_secs()));
        match outcome.map_err(late).and_then(|outcome| outcome) {
            Ok(receipt) => {
                tell(
                    context,
                    push,
                    order,
                    &json!({ "number": number, "via": via.kind(), "receipt": receipt }),
                )
                .await;
                return Ok(HandedOver { number, octets: body.len(), via });
            }
            Err(Failed { reason, .. }) => failures.push(format!("{}: {reason}", via.kind())),
        }
    }
    let reason = failures.join("; ");
    tell(context, push, order, &json!({ "number": number, "reason": reason })).await;
    Err(Refused::Failed(reason))
}

async fn make(context: &Context, push: &Push, task: &Task, number: u64) -> Result<Sessionless, Refused> {
    let impossible = |reason: &str| Refused::Impossible(reason.to_owned());
    let kept = push.dm1.as_ref().and_then(|kept| Kept::read(kept.expose()));
    let kept = kept.ok_or_else(|| impossible("the device was not enrolled for DM 1.x"))?;
    let endpoint = context.config.dm1.endpoints.first();
    let endpoint = endpoint.ok_or_else(|| impossible("this server does not speak DM 1.x"))?;
    let account = kept.account(push.device.as_str(), endpoint.server_id(&context.config));
    let capabilities = context.dm1_models.of(context, &push.facts).await.map_err(Refused::Store)?;
    let account = Account { capabilities, ..account };
    sessionless(&context.dm1, &account, &context.dm1_uri(endpoint), number, task).map_err(Refused::Impossible)
}

/// Writes the event: of whom and what, and what became of it.
async fn tell(context: &Context, push: &Push, order: &Order<'_>, outcome: &serde_json::Value) {
    let Order { verb, address, by, .. } = order;
    let what = if outcome.get("via").is_some() { "sent" } else { "failed" };
    let body = json!({ "what": what, "verb": verb, "address": address, "by": by, "outcome": outcome });
    let event =
        NewEvent { device: Some(push.device.clone()), kind: "sessionless".into(), body: body.to_string() };
    note(context, event, clock::now()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_only_grow() {
        let numbers = Numbers::default();
        let given: Vec<u64> = (0..1_000).map(|_| numbers.next()).collect();
        assert!(given.windows(2).all(|pair| matches!(pair, [one, next] if one < next)), "{given:?}");
        numbers.0.store(u64::MAX / 2, Ordering::Relaxed);
        assert_eq!(numbers.next(), u64::MAX / 2 + 1, "also where the clock went back");
    }
}
