//! Notifications: calls devices that something waits for (`DM 2.0 §5.2.1`, Appendix E).
//!
//! What is due stands in the store. Before a notification goes out, its number, and when the next one is due, are durable; so several
//! nodes share the work, none says a number twice, and a restart goes on where it was.

pub mod address;
pub mod carrier;
mod cloud;
pub mod dm1;
mod http;
mod ota_http;
mod plan;
pub mod ppg;
mod session;
mod sessionless;
mod short_message;
mod sip;
mod smpp;
mod udp;

use std::sync::Arc;
use std::time::Duration;

use omadm_auth::{Secret, StoredCredential};
use omadm_codec::dm2::notification::{Connection, Preference};
use omadm_codec::dm2::{Alert, Notification, alert};
use omadm_codec::wsp;
use omadm_mo::{DeviceId, ServerId, Time};
use omadm_store::{NewEvent, Push, PushProgress, PushStep, StoreError};
use serde_json::json;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::context::Context;
use crate::device::dm1::protocol_version;
use crate::lease::Duty;
use crate::metrics::Notification as Notified;
use crate::{ServerError, clock};
use address::PushAddress;
use carrier::{Carrier, Failed, Remedy};
use plan::{Plan, Reason};

pub use carrier::Content;
pub use session::{answered_by_session, begins_by_default};
pub use sessionless::{HandedOver, Order, push_command};

/// How often the store is asked what is due: another node may have queued something.
const PAUSE: Duration = Duration::from_secs(1);
/// Pause after the store has failed.
const RECOVERY: Duration = Duration::from_secs(5);

/// What sends notifications.
pub struct Notifier {
    server: ServerId,
    connections: Preference,
    /// What carries them.
    pub carrier: Carrier,
    /// Numbers of messages without a session.
    numbers: sessionless::Numbers,
    /// Something was queued.
    queued: Notify,
}

/// What a device is notified in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// DM 1.x.
    Dm1,
    /// DM 2.0, also for devices that have not been there yet.
    Dm2,
}

impl Protocol {
    /// What a device spoke last.
    pub fn of(push: &Push) -> Self {
        if protocol_version(push.protocol.as_deref()).is_some() { Self::Dm1 } else { Self::Dm2 }
    }
}

/// A notification that was handed over.
pub struct Sent {
    /// NOTIFICATION-ID; of DM 1.x the number of the session.
    pub id: u16,
    /// The form of DM 1.x, if it is one of those.
    pub form: Option<dm1::Form>,
    /// Which way.
    pub via: PushAddress,
}

impl Sent {
    /// For the events: `before` says what failed before that way took it.
    fn describe(&self, receipt: &str, before: Vec<String>) -> serde_json::Value {
        let always = [
            ("what", json!("sent")),
            ("id", json!(self.id)),
            ("via", json!(self.via.kind())),
            ("receipt", json!(receipt)),
        ];
        let form = self.form.map(|form| ("format", json!(form.as_str())));
        let before = (!before.is_empty()).then(|| ("before", json!(before)));
        let facts = always.into_iter().chain(form).chain(before);
        facts.map(|(name, fact)| (name.to_owned(), fact)).collect::<serde_json::Map<_, _>>().into()
    }
}

/// Why a notification by hand was not sent.
pub enum Refused {
    /// The device cannot be notified.
    NoWay(String),
    /// The limits allow one at that time.
    TooMany(Time),
    /// It cannot say what it is to say.
    Impossible(String),
    /// No way took it.
    Failed(String),
    /// The store failed.
    Store(StoreError),
}

impl Notifier {
    /// With the gateways and services of the configuration.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    pub fn new(config: &Config, public_url: &str, key: &Secret) -> Result<Self, ServerError> {
        let settings = &config.notifier;
        let connections: Vec<Connection> = settings.connections.iter().copied().map(Into::into).collect();
        let unusable = |key: &str, problem: String| ServerError::Setting { key: key.to_owned(), problem };
        Ok(Self {
            server: ServerId::parse(&config.server.id)
                .map_err(|error| unusable("server.id", error.to_string()))?,
            connections: Preference::new(&connections)
                .map_err(|error| unusable("notifier.connections", error.to_string()))?,
            carrier: Carrier::new(config, public_url, key)?,
            numbers: sessionless::Numbers::default(),
            queued: Notify::new(),
        })
    }

    /// Has the store looked at now.
    pub fn wake(&self) {
        self.queued.notify_one();
    }

    /// Package#0 of DM 2.0 for a device.
    fn notification(&self, push: &Push, now: Time) -> Notification {
        Notification {
            server_id: Some(self.server.clone()),
            connections: self.connections.clone(),
            id: Some(push.progress.next_id),
            digest: None,
            timestamp: u64::try_from(now.as_secs()).ok(),
            request_mos: !push.has_inventory,
        }
    }

    /// The octets of Package#0: with SHA256-DIGEST unless the credential is none that can be read.
    fn encode(&self, push: &Push, now: Time) -> Vec<u8> {
        let notification = self.notification(push, now);
        let credentials =
            StoredCredential::read(push.verifier.expose()).and_then(|stored| stored.notification());
        if let Some(credentials) = credentials {
            return notification.encode_with_digest(|zeroed| credentials.digest(zeroed));
        }
        let mut octets = Vec::new();
        notification.encode(&mut octets);
        octets
    }
}

/// The ways to a device: what it said itself, for it knows best, and what the operator said. Sorted, they come by their kind, the one that
/// costs least and tells most first, and only within a kind in the operator's order.
pub fn ways(push: &Push, sorted: bool) -> Vec<PushAddress> {
    let registered = push.registration.iter().cloned().map(PushAddress::Cloud);
    let mut ways: Vec<PushAddress> =
        registered.chain(push.addresses.iter().filter_map(|text| text.parse().ok())).collect();
    if sorted {
        ways.sort_by_key(PushAddress::rank);
    }
    ways
}

/// Notifies until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(context.config.notifier.concurrent));
    let mut work = JoinSet::new();
    let mut duty = Duty::of(&context, "notifier");
    loop {
        let pause = match look(&context, &mut duty, &places, &mut work).await {
            Ok(()) => PAUSE,
            Err(error) => {
                tracing::error!(%error, "what notifications are due cannot be read; it will be tried again");
                RECOVERY
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = context.notifier.queued.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
        ppg::ask_due(&context, &mut work);
        // What has ended needs no place any more.
        while work.try_join_next().is_some() {}
    }
    duty.give_back(context.store.as_ref()).await;
}

/// Starts what is due, as far as there are places.
async fn look(
    context: &Arc<Context>,
    duty: &mut Duty,
    places: &Arc<Semaphore>,
    work: &mut JoinSet<()>,
) -> Result<(), StoreError> {
    let free = u32::try_from(places.available_permits()).unwrap_or(u32::MAX);
    if free == 0 || !duty.is_mine(context.store.as_ref()).await? {
        return Ok(());
    }
    let now = clock::now();
    for push in context.store.due_pushes(now, free).await? {
        let Ok(place) = places.clone().try_acquire_owned() else { break };
        let protocol = Protocol::of(&push);
        let plan = plan::due(&push, protocol, &context.config.notifier, now);
        // Before the next look, so that it is not due any more then.
        let claimed = claim(context, &push, plan, now).await;
        match claimed {
            Ok(Some(progress)) => {
                let context = context.clone();
                work.spawn(async move {
                    let call =
                        Call { push: &push, protocol, progress: &progress, wish: &dm1::Wish::default(), now };
                    // The failure is told where it happens.
                    let _outcome = send(&context, &call).await;
                    drop(place);
                });
            }
            Ok(None) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes durable what is going to be done; the progress after the notification that has to go out, if one has.
async fn claim(
    context: &Context,
    push: &Push,
    plan: Plan,
    now: Time,
) -> Result<Option<PushProgress>, StoreError> {
    let device = &push.device;
    let mut events = Vec::new();
    let progress = match plan {
        Plan::Send(progress) => progress,
        Plan::Wait(until) => PushProgress { due: Some(until), ..push.progress },
        Plan::Stop(reason) => {
            if reason == Reason::GaveUp {
                let attempts = push.progress.attempts;
                tracing::warn!(%device, attempts, "a device did not come after its notifications; check its push address");
                context.metrics.notifications.count(Notified::GaveUp);
                events.push(event(push, &json!({ "what": "gave up", "attempts": attempts })));
            }
            PushProgress { due: None, ..push.progress }
        }
    };
    advance(context, push, progress, events, now).await?;
    Ok(matches!(plan, Plan::Send(_)).then_some(progress))
}

async fn advance(
    context: &Context,
    push: &Push,
    progress: PushProgress,
    events: Vec<NewEvent>,
    now: Time,
) -> Result<(), StoreError> {
    let Push { device, generation, version, .. } = push;
    let step =
        PushStep { device: device.clone(), generation: *generation, version: *version, progress, events };
    context.store.advance_push(step, now).await
}

fn event(push: &Push, body: &serde_json::Value) -> NewEvent {
    NewEvent { device: Some(push.device.clone()), kind: "notification".into(), body: body.to_string() }
}

/// Sends a notification to a device at an operator's word, within the limits.
///
/// # Errors
/// [`Refused`] says why there was none.
pub async fn by_hand(context: &Context, push: &Push, wish: &dm1::Wish) -> Result<Sent, Refused> {
    let now = clock::now();
    if ways(push, false).is_empty() {
        return Err(Refused::NoWay("no way to the device is known".to_owned()));
    }
    let protocol = if wish.format.is_some() { Protocol::Dm1 } else { Protocol::of(push) };
    if protocol == Protocol::Dm2 && wish.is_of_dm1() {
        return Err(Refused::Impossible(
            "the device does not speak DM 1.x, and only that can say this".to_owned(),
        ));
    }
    let progress = plan::extra(push, protocol, &context.config.notifier, now).map_err(Refused::TooMany)?;
    let call = Call { push, protocol, progress: &progress, wish, now };
    // Before it counts: what cannot be said is no notification.
    call.content(context).map_err(Refused::Impossible)?;
    advance(context, push, progress, Vec::new(), now).await.map_err(Refused::Store)?;
    send(context, &call).await.map_err(Refused::Failed)
}

/// A notification that is to be sent.
struct Call<'a> {
    push: &'a Push,
    protocol: Protocol,
    /// That after it.
    progress: &'a PushProgress,
    wish: &'a dm1::Wish,
    now: Time,
}

impl Call<'_> {
    fn number(&self) -> u16 {
        plan::number(self.push, self.protocol)
    }

    /// Its octets, and the form if it is one of DM 1.x.
    fn content(&self, context: &Context) -> Result<(Vec<u8>, Option<dm1::Form>), String> {
        match self.protocol {
            Protocol::Dm2 => Ok((context.notifier.encode(self.push, self.now), None)),
            Protocol::Dm1 => {
                let made = dm1::make(&context.config, self.push, self.progress, self.number(), self.wish)?;
                Ok((made.octets, Some(made.form)))
            }
        }
    }
}

/// Sends a notification by the first way that takes it. Each attempt begins with another way, for one that takes a notification may still
/// lose it.
async fn send(context: &Context, call: &Call<'_>) -> Result<Sent, String> {
    let Call { push, now, .. } = *call;
    let (device, id) = (&push.device, call.number());
    let notifier = &context.notifier;
    let made = call.content(context);
    let (octets, form) = match made {
        Ok(made) => made,
        Err(reason) => {
            tracing::warn!(%device, id, reason, "a notification could not be made");
            context.metrics.notifications.count(Notified::Failed);
            note(context, event(push, &json!({ "what": "failed", "id": id, "reason": reason })), now).await;
            return Err(reason);
        }
    };
    let content = Content::for_dm(
        form.map_or_else(|| wsp::Media::code(wsp::NOTIFICATION_CODE), dm1::Form::media),
        &octets,
    )
    .about(push, id);
    let mut ways = ways(push, context.config.notifier.sort_ways);
    let first = usize::try_from(push.progress.attempts).unwrap_or_default() % ways.len().max(1);
    ways.rotate_left(first);
    let time = context.config.notifier.send_timeout.0;
    let mut failures = Vec::new();
    for via in ways {
        let outcome = tokio::time::timeout(time, notifier.carrier.carry(&via, &content)).await;
        let late = |_| Failed::with(format!("it took longer than {} s", time.as_secs()));
        match outcome.map_err(late).and_then(|outcome| outcome) {
            Ok(receipt) => {
                tracing::info!(%device, id, via = via.kind(), receipt, "notified");
                context.metrics.notifications.count(Notified::Sent);
                let sent = Sent { id, form, via };
                note(context, event(push, &sent.describe(&receipt, failures)), now).await;
                return Ok(sent);
            }
            Err(Failed { reason, remedy }) => {
                tracing::warn!(%device, id, via = via.kind(), reason, "a notification could not be handed over");
                if remedy == Remedy::Forget {
                    forget(context, push, &via).await;
                }
                failures.push(format!("{}: {reason}", via.kind()));
            }
        }
    }
    context.metrics.notifications.count(Notified::Failed);
    let reason = failures.join("; ");
    note(context, event(push, &json!({ "what": "failed", "id": id, "reason": reason })), now).await;
    Err(reason)
}

/// The number of the notification that a session with these alerts answers, if it is one that was sent (`DM 2.0 §5.2.2`).
///
/// # Errors
/// When the store fails.
pub async fn answered(
    context: &Context,
    device: &DeviceId,
    alerts: &[Alert],
) -> Result<Option<u16>, StoreError> {
    let id = |alert: &Alert| {
        let id = alert.data.as_ref()?.data.get("NOTIFICATION-ID")?.as_u64()?;
        u16::try_from(id).ok()
    };
    let mut starts = alerts.iter().filter(|alert| alert.alert_type == alert::SERVER_INITIATED);
    let Some(id) = starts.find_map(id) else { return Ok(None) };
    let push = context.store.push(device).await?;
    Ok(push.is_some_and(|push| plan::is_answered_by(&push, Protocol::Dm2, id)).then_some(id))
}

/// Forgets a registration that the service does not know any more.
async fn forget(context: &Context, push: &Push, via: &PushAddress) {
    let PushAddress::Cloud(registration) = via else { return };
    match context.store.unregister_push(&push.device, registration).await {
        Ok(true) => tracing::info!(device = %push.device, "its registration with the push service is gone"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "a registration could not be forgotten"),
    }
}

async fn note(context: &Context, event: NewEvent, now: Time) {
    if let Err(error) = context.store.add_events(vec![event], now).await {
        tracing::error!(%error, "an event about a notification could not be stored");
    }
}
