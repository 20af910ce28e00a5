//! Delegations between servers: listing, offering and asking, deciding, ending.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use omadm_codec::delegation::{DelegationRequest, Duration, Mode, Rights};
use omadm_mo::{DeviceId, ServerId, Time};
use omadm_store::{DelegationPart, DelegationRole, PartState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::{Body, Path, Problem, Query};
use super::tokens::Operator;
use super::views::Page;
use super::{Listing, device_id};
use crate::clock::rfc3339;
use crate::context::Context;
use crate::delegation::{self, Detail, Failure, PATH, Record, Wish};

/// What is wanted of another server.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDelegation {
    /// Server Identifier of the other server.
    peer: String,
    /// `offer` gives rights of ours to it, `ask` asks for its rights.
    what: What,
    /// DevIDs.
    devices: Vec<String>,
    /// Manufacturer that all of them have to be of.
    manufacturer: Option<String>,
    /// Model that all of them have to be of.
    model: Option<String>,
    /// Paths (`./A/B`), MOIDs for all their instances, or ClientURIs.
    targets: Vec<String>,
    /// `Add`, `Get`, `Replace`, `Delete`, `Exec`.
    rights: Vec<String>,
    /// Nobody else keeps these rights for that time.
    #[serde(default)]
    exclusive: bool,
    /// When it begins, RFC 3339. Default: at once.
    not_before: Option<String>,
    /// When it ends, RFC 3339. Without this and `session_id` it is permanent.
    not_after: Option<String>,
    /// For one session, by its identifier in hexadecimal digits.
    session_id: Option<String>,
    /// For people.
    reason: Option<String>,
}

/// Which way rights go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum What {
    Offer,
    Ask,
}

/// A delegation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Delegation {
    id: Uuid,
    /// Its identifier between the two servers.
    name: String,
    /// The other server.
    peer: String,
    /// `delegating` if rights of this server are given, `delegated` if it gets them.
    role: &'static str,
    /// `requested`, `approved`, `applying`, `active`, `revoking`, `ended`, `rejected` or `failed`.
    state: &'static str,
    /// Whether this server waits for an operator to approve or reject it.
    to_decide: bool,
    created: String,
    updated: String,
    targets: Vec<String>,
    rights: String,
    exclusive: bool,
    not_before: Option<String>,
    not_after: Option<String>,
    session_id: Option<String>,
    /// Who approved it here.
    approved_by: Option<String>,
    /// Fingerprint (SHA-256) of the certificate by which the other server was known.
    certificate: Option<String>,
    reason: Option<String>,
    /// How many devices are in which state; left out in listings.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<BTreeMap<&'static str, i64>>,
}

/// A delegation on one device.
#[derive(Debug, Serialize, ToSchema)]
pub struct DelegationDevice {
    device: String,
    /// `pending`, `applying`, `active`, `revoking`, `ended` or `failed`.
    state: &'static str,
    /// The nodes that the targets are, with what was changed; digests are those of what holds for them.
    nodes: Vec<DelegationNode>,
    status: Option<u16>,
    reason: Option<String>,
    /// The command that it waits for.
    command: Option<Uuid>,
}

/// A node of a delegation.
#[derive(Debug, Serialize, ToSchema)]
struct DelegationNode {
    target: String,
    node: String,
    before: String,
    after: String,
}

/// How servers know each other.
#[derive(Debug, Serialize, ToSchema)]
pub struct DelegationPeers {
    /// Server Identifier of this server.
    server_id: String,
    /// By which others can know this server: `pin` of their `delegation.peers`.
    pin: String,
    /// Path below which this server takes messages.
    path: &'static str,
    peers: Vec<DelegationPeer>,
}

/// Another server.
#[derive(Debug, Serialize, ToSchema)]
struct DelegationPeer {
    server_id: String,
    url: String,
    allow_redelegation: bool,
    accept_offers: bool,
    /// What it gets without an operator.
    contract: Option<String>,
}

/// Why something is done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// For people.
    reason: Option<String>,
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error.into(),
            Failure::Refused(refused) => {
                let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
                Self::new(status, refused.reason)
            }
        }
    }
}

/// Delegation, if it is on.
fn on(context: &Context) -> Result<&crate::delegation::Delegations, Problem> {
    let off = || Problem::conflict("delegation is off; set delegation.enabled and delegation.peers");
    context.delegations.as_ref().ok_or_else(off)
}

/// Lists delegations, newest first.
#[utoipa::path(get, path = "/delegations", params(Listing), tag = "delegations",
    responses((status = 200, body = Page<Delegation>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<Delegation>>, Problem> {
    let (limit, before) = (listing.limit()?, listing.number()?);
    let found = context.store.delegations(before, limit + 1).await?;
    Ok(Json(Page::cut(found, limit, |delegation| delegation.number.to_string(), Delegation::brief)))
}

/// Offers rights to another server, or asks it for some.
#[utoipa::path(post, path = "/delegations", request_body = NewDelegation, tag = "delegations",
    responses((status = 202, body = Delegation), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Body(new): Body<NewDelegation>,
) -> Result<(StatusCode, Json<Delegation>), Problem> {
    on(&context)?;
    let wish = new.wish(&context.config.server.id, operator.0.0)?;
    let id = delegation::offer_or_ask(&context, wish).await?;
    Ok((StatusCode::ACCEPTED, Json(view(&context, id).await?)))
}

/// Shows a delegation.
#[utoipa::path(get, path = "/delegations/{delegation}", params(("delegation" = Uuid, Path)), tag = "delegations",
    responses((status = 200, body = Delegation), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(id): Path<Uuid>,
) -> Result<Json<Delegation>, Problem> {
    Ok(Json(view(&context, id).await?))
}

/// Lists the devices of a delegation, by DevID.
#[utoipa::path(get, path = "/delegations/{delegation}/devices", params(("delegation" = Uuid, Path), Listing),
    tag = "delegations", responses((status = 200, body = Page<DelegationDevice>), (status = 404, body = Problem)))]
pub async fn devices(
    State(context): State<Arc<Context>>,
    Path(id): Path<Uuid>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<DelegationDevice>>, Problem> {
    let limit = listing.limit()?;
    let after = listing.after.as_deref().map(device_id).transpose()?;
    context.store.delegation(id).await?.ok_or_else(|| unknown(id))?;
    let parts = context.store.delegation_parts(id, after, limit + 1).await?;
    let cursor = |part: &DelegationPart| part.device.as_str().to_owned();
    Ok(Json(Page::cut(parts, limit, cursor, DelegationDevice::from)))
}

/// Agrees to what another server has asked for, or offered.
#[utoipa::path(post, path = "/delegations/{delegation}/approve", params(("delegation" = Uuid, Path)),
    tag = "delegations", responses((status = 200, body = Delegation), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn approve(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(id): Path<Uuid>,
) -> Result<Json<Delegation>, Problem> {
    on(&context)?;
    delegation::undisturbed(|| delegation::approve(&context, id, &operator.0.0)).await?;
    Ok(Json(view(&context, id).await?))
}

/// Does not agree to it.
#[utoipa::path(post, path = "/delegations/{delegation}/reject", params(("delegation" = Uuid, Path)),
    request_body = Why, tag = "delegations", responses((status = 200, body = Delegation), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn reject(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(id): Path<Uuid>,
    Body(why): Body<Why>,
) -> Result<Json<Delegation>, Problem> {
    on(&context)?;
    let reject = || delegation::reject(&context, id, &operator.0.0, why.reason.clone());
    delegation::undisturbed(reject).await?;
    Ok(Json(view(&context, id).await?))
}

/// Ends a delegation, from either side; the rights are taken back.
#[utoipa::path(post, path = "/delegations/{delegation}/cancel", params(("delegation" = Uuid, Path)),
    request_body = Why, tag = "delegations", responses((status = 200, body = Delegation), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn cancel(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(id): Path<Uuid>,
    Body(why): Body<Why>,
) -> Result<Json<Delegation>, Problem> {
    on(&context)?;
    let cancel = || delegation::cancel(&context, id, &operator.0.0, why.reason.clone());
    delegation::undisturbed(cancel).await?;
    Ok(Json(view(&context, id).await?))
}

/// Gives back what this server was delegated.
#[utoipa::path(post, path = "/delegations/{delegation}/release", params(("delegation" = Uuid, Path)),
    tag = "delegations", responses((status = 200, body = Delegation), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn release(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(id): Path<Uuid>,
) -> Result<Json<Delegation>, Problem> {
    on(&context)?;
    delegation::undisturbed(|| delegation::release(&context, id, &operator.0.0)).await?;
    Ok(Json(view(&context, id).await?))
}

/// Shows how this server and others know each other.
#[utoipa::path(get, path = "/delegations/peers", tag = "delegations",
    responses((status = 200, body = DelegationPeers), (status = 409, body = Problem)))]
pub async fn peers(State(context): State<Arc<Context>>) -> Result<Json<DelegationPeers>, Problem> {
    let delegations = on(&context)?;
    let peers = context.config.delegation.peers.iter().map(|peer| DelegationPeer {
        server_id: peer.server_id.clone(),
        url: peer.url.clone(),
        allow_redelegation: peer.allow_redelegation,
        accept_offers: peer.accept_offers,
        contract: peer
            .contract
            .as_ref()
            .map(|contract| format!("{} on {}", contract.rights(), contract.targets.join(", "))),
    });
    Ok(Json(DelegationPeers {
        server_id: context.config.server.id.clone(),
        pin: delegations.peers.own_pin.clone(),
        path: PATH,
        peers: peers.collect(),
    }))
}

async fn view(context: &Context, id: Uuid) -> Result<Delegation, Problem> {
    let delegation = context.store.delegation(id).await?.ok_or_else(|| unknown(id))?;
    let counts = context.store.delegation_counts(id).await?;
    let devices = counts.into_iter().map(|(state, count)| (PartState::as_str(state), count));
    Ok(Delegation { devices: Some(devices.collect()), ..Delegation::brief(delegation) })
}

fn unknown(id: Uuid) -> Problem {
    Problem::unknown(format!("there is no delegation {id}; `omadm delegation ls` shows those that are"))
}

fn time(member: &str, text: Option<&str>) -> Result<Option<Time>, Problem> {
    let parsed = text.map(|text| {
        let parsed: Result<Timestamp, _> = text.parse();
        parsed.map_err(|error| Problem::bad(format!("{member} is no time (RFC 3339): {error}")))
    });
    Ok(parsed.transpose()?.map(|time| Time(time.as_microsecond())))
}

impl NewDelegation {
    fn wish(self, own: &str, by: String) -> Result<Wish, Problem> {
        let bad = |error: &dyn std::fmt::Display| Problem::bad(error.to_string());
        let getter = match self.what {
            What::Offer => &self.peer,
            What::Ask => own,
        };
        let rights = self.rights.join(" ");
        let rights = Rights::parse(&rights).map_err(|word| {
            Problem::bad(format!("{word:?} is no right; there are Add, Get, Replace, Delete and Exec"))
        })?;
        if self.devices.is_empty() || self.targets.is_empty() || rights.is_empty() {
            return Err(Problem::bad("a delegation needs devices, targets and rights"));
        }
        let (not_before, not_after) =
            (time("not_before", self.not_before.as_deref())?, time("not_after", self.not_after.as_deref())?);
        let bounded = not_after.is_some() || self.session_id.is_some();
        let terms = DelegationRequest {
            delegation_id: String::new(),
            server_id: ServerId::parse(getter).map_err(|error| bad(&error))?,
            devices: self.devices.iter().map(|id| device_id(id)).collect::<Result<Vec<DeviceId>, _>>()?,
            manufacturer: self.manufacturer,
            model: self.model,
            targets: self.targets,
            rights,
            duration: if bounded { Duration::Temporary } else { Duration::Permanent },
            mode: if self.exclusive { Mode::Exclusive } else { Mode::Shared },
            session_id: self.session_id,
            not_before,
            not_after,
            reason: self.reason,
        };
        Ok(Wish { peer: self.peer, terms, by })
    }
}

impl Delegation {
    /// As it stands in listings.
    fn brief(delegation: omadm_store::Delegation) -> Self {
        let detail = Detail::of(&delegation);
        let terms = delegation::terms(&delegation).ok();
        let waits = delegation.state == omadm_store::DelegationState::Requested;
        let time = |of: fn(&DelegationRequest) -> Option<Time>| terms.as_ref().and_then(of).map(rfc3339);
        Self {
            id: delegation.id,
            role: DelegationRole::as_str(delegation.role),
            state: delegation.state.as_str(),
            to_decide: waits && !detail.ours,
            created: rfc3339(delegation.created),
            updated: rfc3339(delegation.updated),
            rights: terms.as_ref().map(|terms| terms.rights.to_string()).unwrap_or_default(),
            exclusive: terms.as_ref().is_some_and(|terms| terms.mode == Mode::Exclusive),
            not_before: time(|terms| terms.not_before),
            not_after: time(|terms| terms.not_after),
            session_id: terms.as_ref().and_then(|terms| terms.session_id.clone()),
            targets: terms.map(|terms| terms.targets).unwrap_or_default(),
            name: delegation.name,
            peer: delegation.peer,
            approved_by: detail.approved_by,
            certificate: detail.certificate,
            reason: detail.reason,
            devices: None,
        }
    }
}

impl From<DelegationPart> for DelegationDevice {
    fn from(part: DelegationPart) -> Self {
        let record = Record::of(&part);
        let node = |node: delegation::NodeRecord| DelegationNode {
            target: node.target,
            node: node.node,
            before: node.before,
            after: node.after,
        };
        Self {
            device: part.device.as_str().to_owned(),
            state: part.state.as_str(),
            nodes: record.nodes.into_iter().map(node).collect(),
            status: record.status,
            reason: record.reason,
            command: part.waits_for,
        }
    }
}
