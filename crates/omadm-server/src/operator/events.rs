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
use crate::clock;
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
    /// Only those of this time (RFC 3339) and later.
    since: Option<String>,
    /// Only those before this time (RFC 3339).
    until: Option<String>,
}

/// Where in the log it is read, and which way.
#[derive(Clone, Copy)]
pub enum Place {
    /// After a cursor, oldest first.
    After(i64),
    /// Before a cursor, newest first.
    Before(i64),
}

impl Place {
    /// Before a cursor, or at the end of the log.
    pub fn before(cursor: Option<&str>) -> Result<Self, Problem> {
        match cursor {
            Some("end") => Ok(Self::Before(i64::MAX)),
            cursor => Ok(Self::Before(number(cursor)?.unwrap_or(i64::MAX))),
        }
    }

    fn of(filter: &Filter) -> Result<Self, Problem> {
        match (filter.after.as_deref(), filter.before.as_deref()) {
            (Some(_), Some(_)) => Err(Problem::bad("after and before exclude each other")),
            (after, None) => Ok(Self::After(number(after)?.unwrap_or_default())),
            (None, before) => Self::before(before),
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

/// The part of the log in which events are looked for: two cursors, of which neither belongs to it.
#[derive(Clone, Copy)]
pub struct Between {
    after: i64,
    before: i64,
}

impl Between {
    /// All of the log.
    pub const ALL: Self = Self { after: 0, before: i64::MAX };

    /// From a time on, and before another.
    async fn of(context: &Context, since: Option<&str>, until: Option<&str>) -> Result<Self, Problem> {
        let mut between = Self::ALL;
        if let Some(since) = first(context, "since", since).await? {
            between.after = since.saturating_sub(1);
        }
        if let Some(until) = first(context, "until", until).await? {
            between.before = until;
        }
        Ok(between)
    }

    fn has(self, cursor: i64) -> bool {
        self.after < cursor && cursor < self.before
    }

    /// The place at which reading begins.
    fn begin(self, place: Place) -> Place {
        match place {
            Place::After(cursor) => Place::After(cursor.max(self.after)),
            Place::Before(cursor) => Place::Before(cursor.min(self.before)),
        }
    }
}

/// Cursor of the first event from a time on.
async fn first(context: &Context, name: &str, time: Option<&str>) -> Result<Option<i64>, Problem> {
    let Some(time) = time else { return Ok(None) };
    let unreadable =
        || Problem::bad(format!("{name} is {time:?}, which is no time; write it as in 2026-02-28T13:45:00Z"));
    let at = clock::parse(time).ok_or_else(unreadable)?;
    Ok(Some(context.store.first_event(at).await?.unwrap_or(i64::MAX)))
}

/// Reads a page of the log; gives what of it is wanted and seen, and the cursor to go on with.
///
/// # Errors
/// When the store fails.
pub async fn read(
    context: &Context,
    sight: &mut Sight,
    (place, between): (Place, Between),
    limit: u32,
    is_wanted: impl Fn(&store::Event) -> bool,
) -> Result<(Vec<store::Event>, Option<String>), Problem> {
    let mut place = between.begin(place);
    let mut items = Vec::new();
    let (mut looked_at, mut size) = (0, 0);
    while looked_at < MAX_LOOKED_AT && size < MAX_PAGE_SIZE {
        let read = place.read(context, sight.device.as_ref(), limit + 1).await?;
        if read.is_empty() {
            return Ok((items, None));
        }
        looked_at += read.len();
        for event in read {
            if !between.has(event.cursor) {
                return Ok((items, None));
            }
            if items.len() == limit as usize {
                return Ok((items, Some(place.cursor())));
            }
            place = place.at(event.cursor);
            if sight.shows(context, &event).await? && is_wanted(&event) {
                size += event.event.body.len();
                items.push(event);
            }
        }
    }
    Ok((items, Some(place.cursor())))
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
    let place = Place::of(&filter)?;
    let between = Between::of(&context, filter.since.as_deref(), filter.until.as_deref()).await?;
    let mut sight = Sight::new(&context, &actor, filter.device.as_deref(), filter.kind.as_deref()).await?;
    let (items, next) = read(&context, &mut sight, (place, between), limit, |_| true).await?;
    Ok(Json(Page { items: items.into_iter().map(Event::from).collect(), next }))
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
