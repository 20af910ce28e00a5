//! The log of events: read by cursor, or followed.

mod stream;

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use omadm_mo::DeviceId;
use omadm_store::{self as store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use stream::*;

use super::actor::Actor;
use super::problem::{Problem, Query};
use super::reach::View;
use super::views::{Event, Page};
use super::{device_id, limit, number};
use crate::context::Context;
use crate::events::{self, KINDS};

/// Events that are looked at for one page before it is given as it is.
const MAX_LOOKED_AT: usize = 5_000;
/// Octets of bodies in one page, after which it is given as it is. What is read at once may come on top ([`store::EVENTS_SIZE`]).
const MAX_PAGE_SIZE: usize = 4 << 20;

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those of this device.
    device: Option<String>,
    /// Only those of these kinds, separated by commas.
    kind: Option<String>,
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor of the last event that is known already.
    after: Option<String>,
    /// Newest first: cursor before which the events are wanted, or `end`. Not with `after`.
    before: Option<String>,
}

/// Where in the log it is read, and which way.
#[derive(Clone, Copy)]
enum Place {
    /// After a cursor, oldest first.
    After(i64),
    /// Before a cursor, newest first.
    Before(i64),
}

impl Place {
    fn of(filter: &Filter) -> Result<Self, Problem> {
        match (filter.after.as_deref(), filter.before.as_deref()) {
            (Some(_), Some(_)) => Err(Problem::bad("after and before exclude each other")),
            (after, None) => Ok(Self::After(number(after)?.unwrap_or_default())),
            (None, Some("end")) => Ok(Self::Before(i64::MAX)),
            (None, before) => Ok(Self::Before(number(before)?.unwrap_or(i64::MAX))),
        }
    }

    async fn read(
        self,
        context: &Context,
        device: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<store::Event>, StoreError> {
        match self {
            Self::After(cursor) => context.store.events(device, cursor, limit).await,
            Self::Before(cursor) => context.store.events_before(device, cursor, limit).await,
        }
    }

    fn at(self, cursor: i64) -> Self {
        match self {
            Self::After(_) => Self::After(cursor),
            Self::Before(_) => Self::Before(cursor),
        }
    }

    fn cursor(self) -> String {
        let (Self::After(cursor) | Self::Before(cursor)) = self;
        cursor.to_string()
    }
}

/// Lists events, oldest first, or newest first with `before`. With `kind`, or within groups, a page may have few items or none and still a `next`.
#[utoipa::path(get, path = "/events", params(Filter), tag = "events",
    responses((status = 200, body = Page<Event>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Extension(actor): Extension<Actor>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<Event>>, Problem> {
    let limit = limit(filter.limit)?;
    let mut place = Place::of(&filter)?;
    let mut sight = Sight::new(&context, &actor, filter.device.as_deref(), filter.kind.as_deref()).await?;
    let mut items = Vec::new();
    let (mut looked_at, mut size) = (0, 0);
    while looked_at < MAX_LOOKED_AT && size < MAX_PAGE_SIZE {
        let read = place.read(&context, sight.device.as_ref(), limit + 1).await?;
        if read.is_empty() {
            return Ok(Json(Page { items, next: None }));
        }
        looked_at += read.len();
        for event in read {
            if items.len() == limit as usize {
                return Ok(Json(Page { items, next: Some(place.cursor()) }));
            }
            place = place.at(event.cursor);
            if sight.shows(&context, &event).await? {
                size += event.event.body.len();
                items.push(Event::from(event));
            }
        }
    }
    Ok(Json(Page { items, next: Some(place.cursor()) }))
}

/// A kind of events.
#[derive(Serialize, ToSchema)]
#[schema(as = EventKind)]
pub struct Kind {
    /// Its name.
    kind: &'static str,
    /// What it tells, and what its body holds.
    about: &'static str,
}

/// Lists the kinds of events there are.
#[utoipa::path(get, path = "/events/kinds", tag = "events", responses((status = 200, body = Page<Kind>)))]
pub async fn kinds() -> Json<Page<Kind>> {
    let items = KINDS.iter().map(|kind| Kind { kind: kind.name, about: kind.about }).collect();
    Json(Page { items, next: None })
}

/// Reads a list of kinds.
///
/// # Errors
/// 400 names the one that there is not.
pub fn known_kinds<'k>(kinds: impl Iterator<Item = &'k str>) -> Result<Vec<String>, Problem> {
    let known = |kind: &'k str| match events::is_kind(kind) {
        true => Ok(kind.to_owned()),
        false => {
            let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
            Err(Problem::bad(format!("{kind:?} is no kind of events; there are {}", names.join(", "))))
        }
    };
    kinds.map(known).collect()
}

/// Which events somebody wants and may see.
pub struct Sight {
    device: Option<DeviceId>,
    kinds: Vec<String>,
    view: View,
    /// Devices that were looked at, so that a page of one device's events takes one look.
    seen: HashMap<DeviceId, bool>,
}

impl Sight {
    /// Of what this actor asks for.
    ///
    /// # Errors
    /// 400 for what is no device or no kind.
    pub async fn new(
        context: &Context,
        actor: &Actor,
        device: Option<&str>,
        kinds: Option<&str>,
    ) -> Result<Self, Problem> {
        let device = device.map(device_id).transpose()?;
        let kinds = kinds.map(|list| known_kinds(list.split(',').map(str::trim))).transpose()?;
        let view = View::of(context, actor).await?;
        Ok(Self { device, kinds: kinds.unwrap_or_default(), view, seen: HashMap::new() })
    }

    /// Looks at the groups anew.
    ///
    /// # Errors
    /// When the store fails.
    async fn renew(&mut self, context: &Context, actor: &Actor) -> Result<(), StoreError> {
        self.view = View::of(context, actor).await?;
        self.seen.clear();
        Ok(())
    }

    /// Whether an event is wanted, and is one of theirs: what is of no device is for those who see all.
    async fn shows(&mut self, context: &Context, event: &store::Event) -> Result<bool, StoreError> {
        if !self.kinds.is_empty() && !self.kinds.contains(&event.event.kind) {
            return Ok(false);
        }
        if self.view.shows_everything() {
            return Ok(true);
        }
        let Some(device) = &event.event.device else { return Ok(false) };
        if let Some(shown) = self.seen.get(device) {
            return Ok(*shown);
        }
        let shown = self.view.shows_id(context, device).await?;
        self.seen.insert(device.clone(), shown);
        Ok(shown)
    }
}
