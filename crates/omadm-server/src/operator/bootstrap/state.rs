//! How far the bootstrap of a device has come (`DM 1.3 BOOT §5`): nobody answers one, so that it arrived shows in the first session.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use omadm_mo::Time;
use omadm_store::{self as store, Event, FleetDevice, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::clock::{self, rfc3339};
use crate::context::Context;
use crate::operator::actor::Actor;
use crate::operator::fleet::narrowed;
use crate::operator::problem::{Path, Problem, Query};
use crate::operator::views::Page;
use crate::operator::{device_id, known_device, limit};

/// Events that are looked through: those of a bootstrap stand at the beginning of an enrolment.
const EVENTS: u32 = 1_000;
/// Devices of a listing whose events are read at a time.
const AT_A_TIME: usize = 8;

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

/// What the events of a device tell of its bootstrap.
struct Told(Vec<Value>);

impl Told {
    fn new(events: &[Event]) -> Self {
        let bodies = events.iter().filter(|event| event.event.kind == "device");
        Self(bodies.filter_map(|event| serde_json::from_str(&event.event.body).ok()).collect())
    }

    fn count(&self, what: &str) -> usize {
        self.0.iter().filter(|body| body.get("what").is_some_and(|told| told == what)).count()
    }

    /// A member as it was said last: the newest says what is there now.
    fn last(&self, member: &str) -> Option<String> {
        self.0.iter().rev().find_map(|body| body.get(member)?.as_str().map(str::to_owned))
    }

    /// How far the bootstrap of a device has come that has not begun a session.
    fn state(&self) -> &'static str {
        match (self.count("bootstrap fetched"), self.count("bootstrap sent")) {
            (0, 0) => "created",
            (0, _) => "sent",
            (_, _) => "fetched",
        }
    }
}

/// When a device was heard of last since its bootstrap.
fn contact(device: &store::Device) -> Option<Time> {
    device.last_contact.filter(|contact| *contact >= device.enrolled)
}

/// The state of a bootstrap whose way is over, which its device tells.
fn over(device: &store::Device) -> Option<&'static str> {
    match (device.revoked, contact(device)) {
        (Some(_), _) => Some("revoked"),
        (None, Some(_)) => Some("seen"),
        (None, None) => None,
    }
}

impl Progress {
    /// From what is known of the device and of what happened to it.
    fn new(device: &store::Device, events: &[Event]) -> Self {
        let told = Told::new(events);
        Self {
            state: over(device).unwrap_or_else(|| told.state()),
            sent: told.count("bootstrap sent"),
            not_sent: told.count("bootstrap not sent"),
            profile: told.last("profile"),
            sec: told.last("sec"),
            enrolled: rfc3339(device.enrolled),
            last_contact: contact(device).map(rfc3339),
        }
    }
}

/// Which bootstraps are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Of which devices, such as `seen = never`. Default: all.
    filter: Option<String>,
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the page before.
    after: Option<String>,
}

/// The bootstrap of a device in a listing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BootstrapBrief)]
pub struct Brief {
    /// DevID.
    id: String,
    /// What people call the device.
    label: String,
    /// `created`, `sent`, `fetched`, `seen` or `revoked`.
    state: &'static str,
    /// When the device was enrolled for it.
    enrolled: String,
    /// When the device was heard of last since.
    last_contact: Option<String>,
}

impl Brief {
    async fn of(context: &Context, of: FleetDevice) -> Result<Self, StoreError> {
        let device = of.device;
        let state = match over(&device) {
            Some(state) => state,
            None => Told::new(&context.store.events(Some(&device.id), 0, EVENTS).await?).state(),
        };
        Ok(Self {
            state,
            enrolled: rfc3339(device.enrolled),
            last_contact: contact(&device).map(rfc3339),
            id: device.id.as_str().to_owned(),
            label: device.label,
        })
    }
}

/// Lists the bootstraps of devices by their DevIDs, and how far they have come.
#[utoipa::path(get, path = "/bootstrap", operation_id = "list_bootstraps", params(Wanted), tag = "bootstrap",
    responses((status = 200, body = Page<Brief>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    actor: Extension<Actor>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Brief>>, Problem> {
    let limit = limit(wanted.limit)?;
    let after = wanted.after.as_deref().map(device_id).transpose()?;
    let filter = narrowed(&context, &actor, wanted.filter.as_deref())?;
    let found = context.store.fleet(filter.as_ref(), after.as_ref(), limit + 1, clock::now()).await?;
    let page = Page::cut(found, limit, |one| one.device.id.as_str().to_owned(), |one| one);
    let briefs = stream::iter(page.items).map(|one| Brief::of(&context, one)).buffered(AT_A_TIME);
    Ok(Json(Page { items: briefs.try_collect().await?, next: page.next }))
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
