//! Webhooks: programs elsewhere that are told of events, in order, at least once.

mod address;
mod send;

use std::sync::Arc;
use std::time::Duration;

use omadm_auth::Secret;
use omadm_mo::Time;
use omadm_store::{DeadLetter, Event, NewEvent, StoreError, Webhook, WebhookStep};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

pub use address::Target;
pub use send::{Delivery, Sender};

use crate::config::WebhookSection;
use crate::context::Context;
use crate::metrics::Delivery as Outcome;
use crate::{clock, random};

/// Pause between two looks for events.
const PAUSE: Duration = Duration::from_millis(500);
/// Webhooks that are served at a time by one node.
const AT_A_TIME: usize = 16;
/// Pages of events that are looked through for some of the wanted kinds, in one go.
const PAGES: usize = 20;
/// Events of such a page.
const PAGE: u32 = 500;
/// How long a webhook is a node's own beyond the time of a delivery, in microseconds.
const OWN: i64 = 30_000_000;

/// Delivers what is due, until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            () = tokio::time::sleep(PAUSE) => {}
            Some(_ended) = running.join_next() => {}
        }
        while running.try_join_next().is_some() {}
        match due(&context, AT_A_TIME.saturating_sub(running.len())).await {
            Ok(webhooks) => {
                for webhook in webhooks {
                    running.spawn(serve(context.clone(), webhook));
                }
            }
            Err(error) => tracing::warn!(%error, "it is not known which webhooks have news"),
        }
    }
}

/// Takes webhooks that have something to be told.
async fn due(context: &Context, room: usize) -> Result<Vec<Webhook>, StoreError> {
    let now = clock::now();
    // A look costs a read; only what is taken costs a write.
    let webhooks = context.store.webhooks().await?;
    if room == 0 || !webhooks.iter().any(|webhook| webhook.is_due(now)) {
        return Ok(Vec::new());
    }
    let newest = context.store.newest_event().await?;
    if !webhooks.iter().any(|webhook| webhook.is_due(now) && webhook.position < newest) {
        return Ok(Vec::new());
    }
    let time = i64::try_from(context.config.webhook.timeout.0.as_micros()).unwrap_or(i64::MAX);
    let until = now.plus_micros(time.saturating_add(OWN));
    context.store.claim_webhooks(now, until, u32::try_from(room).unwrap_or(u32::MAX)).await
}

/// Makes one delivery to a webhook that was taken, and notes how it went.
async fn serve(context: Arc<Context>, webhook: Webhook) {
    let name = webhook.given.name.clone();
    let served = async {
        let step = step(&context, webhook).await?;
        let given_up = step.dead.as_ref().map(|(dead, _)| given_up(dead));
        context.store.advance_webhook(step, context.config.webhook.max_dead).await?;
        match given_up {
            Some(event) => context.store.add_events(vec![event], clock::now()).await,
            None => Ok(()),
        }
    };
    match served.await {
        // Somebody has moved it meanwhile; or it is gone.
        Ok(()) | Err(StoreError::Conflict(_)) => {}
        Err(error) => {
            tracing::error!(%error, webhook = name, "how far a webhook has come could not be noted")
        }
    }
}

fn given_up(dead: &DeadLetter) -> NewEvent {
    let DeadLetter { webhook, first, last, problem, .. } = dead;
    let body =
        json!({ "webhook": webhook, "what": "given up", "first": first, "last": last, "problem": problem });
    NewEvent { device: None, kind: "webhook".into(), body: body.to_string() }
}

/// What comes next of a webhook.
async fn step(context: &Context, webhook: Webhook) -> Result<WebhookStep, StoreError> {
    let settings = &context.config.webhook;
    let (position, events) = next(context, &webhook).await?;
    let now = clock::now();
    let Webhook { given, version, attempts, .. } = webhook;
    // At once, also when the clock is set back meanwhile.
    let due = Time(0);
    let done =
        WebhookStep { name: given.name, version, position, due, attempts: 0, problem: None, dead: None };
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(done) };
    let (first, last) = (first.cursor, last.cursor);
    let id = id(&done.name, first, last);
    let body = body(&done.name, id, events);
    let secret = Secret::new(given.secret.expose().to_vec());
    let delivery = Delivery {
        webhook: &done.name,
        url: &given.url,
        secret: &secret,
        id,
        body: &body,
        now: seconds(now),
    };
    let problem = match context.webhooks.send(&delivery, settings).await {
        Ok(status) if status.is_success() => {
            context.metrics.webhooks.count(Outcome::Done);
            return Ok(done);
        }
        Ok(status) => format!("the answer was {status}"),
        Err(problem) => problem,
    };
    let (now, attempts) = (clock::now(), attempts.saturating_add(1));
    tracing::info!(webhook = done.name, attempts, problem, "a delivery failed");
    if attempts < settings.max_attempts {
        context.metrics.webhooks.count(Outcome::Failed);
        let due = now.plus_micros(pause(settings, attempts));
        return Ok(WebhookStep { position: webhook.position, due, attempts, problem: Some(problem), ..done });
    }
    context.metrics.webhooks.count(Outcome::Dead);
    let dead = DeadLetter {
        id: Uuid::now_v7(),
        webhook: done.name.clone(),
        at: now,
        first,
        last,
        attempts,
        problem: problem.clone(),
    };
    Ok(WebhookStep { problem: Some(problem), dead: Some((dead, body)), ..done })
}

/// The next events that a webhook wants, and how far the log was read for them: never more than one page of the log has, which is bounded
/// in size.
async fn next(context: &Context, webhook: &Webhook) -> Result<(i64, Vec<Event>), StoreError> {
    let batch = context.config.webhook.batch as usize;
    let (mut position, mut found) = (webhook.position, Vec::new());
    for _ in 0..PAGES {
        let page = context.store.events(None, position, PAGE).await?;
        let is_end = page.is_empty();
        for event in page {
            if found.len() == batch {
                return Ok((position, found));
            }
            position = event.cursor;
            if wants(webhook, &event.event) {
                found.push(event);
            }
        }
        if is_end || !found.is_empty() {
            break;
        }
    }
    Ok((position, found))
}

/// Whether a webhook is to be told of an event: not of its own troubles, which would have no end.
fn wants(webhook: &Webhook, event: &NewEvent) -> bool {
    let of_kind = webhook.given.kinds.is_empty() || webhook.given.kinds.contains(&event.kind);
    let is_own = || {
        let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
        body.get("webhook").and_then(Value::as_str) == Some(&webhook.given.name)
    };
    of_kind && !(event.kind == "webhook" && is_own())
}

/// What is sent.
pub fn body(webhook: &str, id: Uuid, events: Vec<Event>) -> String {
    let event = |event: Event| {
        json!({
            "cursor": event.cursor, "at": clock::rfc3339(event.at), "kind": event.event.kind,
            "device": event.event.device.as_ref().map(|device| device.as_str()),
            "body": serde_json::from_str::<Value>(&event.event.body).unwrap_or_default(),
        })
    };
    let events: Vec<Value> = events.into_iter().map(event).collect();
    json!({ "webhook": webhook, "delivery": id, "events": events }).to_string()
}

/// The same for the same events, however often and by whichever node they are sent.
fn id(webhook: &str, first: i64, last: i64) -> Uuid {
    let digest = Sha256::new()
        .chain_update(first.to_be_bytes())
        .chain_update(last.to_be_bytes())
        .chain_update(webhook)
        .finalize();
    let octets = digest.first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(octets).into_uuid()
}

/// Seconds since 1970.
pub fn seconds(time: Time) -> i64 {
    time.0.div_euclid(1_000_000)
}

/// How long to wait after so many failed attempts, in microseconds: twice as long each time, and up to a fifth more, so that webhooks
/// of one host do not all come back at once.
fn pause(settings: &WebhookSection, attempts: u32) -> i64 {
    let doubled =
        1_u32.checked_shl(attempts.saturating_sub(1)).filter(|factor| *factor > 0).unwrap_or(u32::MAX);
    let pause = settings.retry_after.0.saturating_mul(doubled).min(settings.longest_retry.0);
    let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
    i64::try_from(micros.saturating_add(random::below(micros / 5))).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use omadm_config::Span;
    use omadm_store::NewWebhook;

    use super::*;

    #[test]
    fn pauses_double_to_a_longest() {
        let settings = WebhookSection {
            retry_after: Span::secs(5),
            longest_retry: Span::secs(60),
            ..WebhookSection::default()
        };
        for (attempts, expected) in [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (40, 60), (u32::MAX, 60)] {
            let pause = pause(&settings, attempts);
            let least = expected * 1_000_000;
            assert!((least..=least + least / 5).contains(&pause), "{attempts}: {pause}");
        }
    }

    #[test]
    fn a_webhook_is_not_told_of_its_own_troubles() {
        let webhook = |kinds: &[&str]| Webhook {
            given: NewWebhook {
                name: "a".to_owned(),
                url: String::new(),
                secret: Vec::new().into(),
                kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            },
            created: Time(0),
            position: 0,
            version: 1,
            due: Time(0),
            attempts: 0,
            problem: None,
        };
        let event =
            |kind: &str, body: &str| NewEvent { device: None, kind: kind.to_owned(), body: body.to_owned() };
        assert!(wants(&webhook(&[]), &event("command", "{}")));
        assert!(!wants(&webhook(&["alert"]), &event("command", "{}")));
        assert!(!wants(&webhook(&[]), &event("webhook", r#"{ "webhook": "a" }"#)));
        assert!(wants(&webhook(&["webhook"]), &event("webhook", r#"{ "webhook": "b" }"#)));
    }

    #[test]
    fn a_delivery_is_known_by_its_events() {
        assert_eq!(id("a", 1, 2), id("a", 1, 2));
        assert_ne!(id("a", 1, 2), id("a", 1, 3));
        assert_ne!(id("a", 1, 2), id("b", 1, 2));
    }
}
