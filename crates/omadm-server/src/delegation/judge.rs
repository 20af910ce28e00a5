//! Who may delegate what to whom.

use std::collections::BTreeSet;

use omadm_codec::StatusCode;
use omadm_codec::delegation::{DelegationRequest, DelegationResponse, Duration, ItemStatus, Mode};
use omadm_codec::dm1::Version;
use omadm_mo::{DeviceId, Time};
use omadm_store::{Delegation, DelegationRole, DelegationState, Device, StoreError};
use serde_json::Value as Json;
use uuid::Uuid;

use super::deed::Deed;
use super::peers::Peer;
use super::record::terms;
use super::target::Region;
use super::targets;
use super::view::Lack;
use crate::address::Inventory;
use crate::config::{DelegationPeer, DelegationSection};
use crate::context::Context;
use crate::device::dm1;
use crate::roots::Roots;

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// A status of the protocol.
    pub status: u16,
    /// One sentence.
    pub reason: String,
    /// The devices that are the reason.
    pub items: Vec<ItemStatus>,
}

impl Refused {
    /// For the request as a whole.
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), items: Vec::new() }
    }

    /// As the other server is told.
    pub fn response(self, delegation_id: Option<String>) -> DelegationResponse {
        let Self { status, reason, items } = self;
        DelegationResponse { delegation_id, status: StatusCode(status), reason: Some(reason), items }
    }
}

/// Why it could not be judged, or what the judgement is.
pub enum Failure {
    /// It is not done.
    Refused(Refused),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Whether a request is one that anybody could agree to.
///
/// # Errors
/// [`Refused`]
pub fn makes_sense(section: &DelegationSection, terms: &DelegationRequest, now: Time) -> Result<(), Refused> {
    let (devices, targets) = (terms.devices.len(), terms.targets.len());
    if devices > section.max_devices || targets > section.max_targets {
        let (most, each) = (section.max_devices, section.max_targets);
        let reason = format!("{devices} devices with {targets} targets are more than {most} with {each}");
        return Err(Refused::new(413, reason));
    }
    let bad = |reason: &str| Err(Refused::new(400, reason));
    if terms.devices.iter().collect::<BTreeSet<_>>().len() < devices {
        return bad("DeviceID: a device is named twice");
    }
    match (terms.duration, terms.not_after, &terms.session_id) {
        (Duration::Temporary, None, None) => {
            return bad("a temporary delegation needs NotAfter or SessionID");
        }
        (Duration::Permanent, Some(_), _) | (Duration::Permanent, _, Some(_)) => {
            return bad("a permanent delegation has neither NotAfter nor SessionID");
        }
        _ => {}
    }
    if terms.not_after.is_some_and(|end| end <= now) {
        return bad("NotAfter is over");
    }
    if terms.not_after.zip(terms.not_before).is_some_and(|(end, start)| end <= start) {
        return bad("NotAfter is not later than NotBefore");
    }
    for target in &terms.targets {
        Region::parse(target, &|_| false).map_err(|reason| Refused::new(400, format!("Target: {reason}")))?;
    }
    Ok(())
}

/// Whether another server gets it without an operator. Exclusive rights, which take something from others, are for operators to give.
pub fn covers(peer: &DelegationPeer, terms: &DelegationRequest, now: Time) -> bool {
    let Some(contract) = &peer.contract else { return false };
    let regions = |targets: &[String]| -> Vec<Region> {
        targets.iter().filter_map(|target| Region::parse(target, &|_| false).ok()).collect()
    };
    let (allowed, asked) = (regions(&contract.targets), regions(&terms.targets));
    let covered = asked.len() == terms.targets.len()
        && asked.iter().all(|region| allowed.iter().any(|allowed| allowed.holds(region)));
    let in_time = contract.max_duration.is_none_or(|longest| {
        let longest = i64::try_from(longest.0.as_micros()).unwrap_or(i64::MAX);
        terms.not_after.is_some_and(|end| end <= now.plus_micros(longest))
    });
    covered && in_time && terms.mode == Mode::Shared && contract.rights().contains(terms.rights)
}

/// A device with what there is on it already.
struct Judged<'a> {
    terms: &'a DelegationRequest,
    device: Device,
    roots: Roots,
    others: Vec<(Delegation, DelegationRequest)>,
}

impl<'a> Judged<'a> {
    /// Reads it; delegations that are only asked for, and the one called `but`, do not count.
    async fn read(
        context: &Context,
        terms: &'a DelegationRequest,
        device: &DeviceId,
        but: Option<Uuid>,
    ) -> Result<Option<Self>, StoreError> {
        let Some(device) = context.store.device(device).await? else { return Ok(None) };
        let version = dm1::protocol_version(device.protocol.as_deref()).unwrap_or(Version::Dm13);
        let roots = Roots::of(&Inventory::read(device.inventory.as_deref()), version);
        let found = context.store.delegations_of(&device.id).await?;
        let counts = |delegation: &Delegation| {
            delegation.state != DelegationState::Requested && Some(delegation.id) != but
        };
        let others = found.into_iter().filter_map(|(delegation, _)| {
            let known = terms_of(&delegation)?;
            counts(&delegation).then_some((delegation, known))
        });
        Ok(Some(Self { terms, device, roots, others: others.collect() }))
    }

    /// The other delegations that have nodes in common with this one.
    fn overlapping(&self) -> impl Iterator<Item = &(Delegation, DelegationRequest)> {
        let regions = |terms: &DelegationRequest| -> Vec<Region> {
            let known = |moid: &str| !self.roots.of_object(moid, None).is_empty();
            let regions = terms.targets.iter().filter_map(|target| Region::parse(target, &known).ok());
            regions.flat_map(|region| region.placed(&self.roots)).collect()
        };
        let ours = regions(self.terms);
        self.others.iter().filter(move |(_, other)| {
            let theirs = regions(other);
            ours.iter().any(|region| theirs.iter().any(|their| region.overlaps(their)))
        })
    }

    /// Manufacturer and model, if they are asked for.
    fn is_of_model(&self) -> Result<(), Refused> {
        let facts: Json = serde_json::from_str(&self.device.facts).unwrap_or_default();
        for (name, fact, wanted) in
            [("Man", "manufacturer", &self.terms.manufacturer), ("Mod", "model", &self.terms.model)]
        {
            let known = facts.get(fact).and_then(Json::as_str);
            if wanted.as_deref().is_some_and(|wanted| known != Some(wanted)) {
                let known = known.map_or("not known".to_owned(), |known| format!("{known:?}"));
                return Err(Refused::new(412, format!("{name} of the device is {known}")));
            }
        }
        Ok(())
    }

    /// Whether the targets are something that can be delegated on this device, as far as is known.
    fn has_targets(&self) -> Result<(), Refused> {
        let inventory = Inventory::read(self.device.inventory.as_deref());
        let is_dm1 = dm1::protocol_version(self.device.protocol.as_deref()).is_some();
        let found = match &self.device.protocol {
            Some(_) if !is_dm1 => targets::on_dm2(&self.terms.targets, &inventory),
            Some(_) | None => targets::on_dm1(&self.terms.targets, &self.roots),
        };
        found.map(drop).map_err(|Lack { status, reason }| Refused::new(status.unwrap_or(404), reason))
    }

    /// Whether this server has something to give.
    fn is_ours(&self, context: &Context, to: &Peer) -> Result<(), Refused> {
        for (other, their) in self.overlapping() {
            let (role, peer) = (other.role, &other.peer);
            let exclusive = [their.mode, self.terms.mode].contains(&Mode::Exclusive);
            match role {
                DelegationRole::Delegating if exclusive => {
                    let reason = format!(
                        "it overlaps with the delegation {}, and one of them is exclusive",
                        other.name
                    );
                    return Err(Refused::new(409, reason));
                }
                DelegationRole::Delegating => {}
                DelegationRole::Delegated if *peer == to.settings.server_id => {
                    return Err(Refused::new(
                        403,
                        format!("{peer} has delegated it to this server: that is a loop"),
                    ));
                }
                DelegationRole::Delegated => {
                    let peers = context.delegations.as_ref().map(|delegations| &delegations.peers);
                    let from = peers.and_then(|peers| peers.get(peer));
                    if !from.is_some_and(|from| from.settings.allow_redelegation) {
                        let reason =
                            format!("{peer} has delegated it to this server, which may not pass it on");
                        return Err(Refused::new(403, reason));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether an offer is none of what this server has given itself.
    fn is_not_given_by_us(&self) -> Result<(), Refused> {
        let loops = self.overlapping().find(|(other, _)| other.role == DelegationRole::Delegating);
        loops.map_or(Ok(()), |(other, _)| {
            let reason = format!("this server has delegated it itself ({}): that is a loop", other.name);
            Err(Refused::new(403, reason))
        })
    }
}

fn terms_of(delegation: &Delegation) -> Option<DelegationRequest> {
    terms(delegation).inspect_err(|error| tracing::error!(delegation = %delegation.id, error)).ok()
}

/// Judges each device; one that fails is named, and refuses the whole.
async fn every_device(
    context: &Context,
    terms: &DelegationRequest,
    but: Option<Uuid>,
    judge: impl Fn(&Judged<'_>) -> Result<(), Refused>,
) -> Result<(), Failure> {
    let mut items = Vec::new();
    for device in &terms.devices {
        let judged = match Judged::read(context, terms, device, but).await? {
            Some(judged) => judge(&judged),
            None => Err(Refused::new(404, "the device is not known here")),
        };
        if let Err(Refused { status, reason, .. }) = judged {
            let (status, reason) = (StatusCode(status), Some(reason));
            items.push(ItemStatus {
                device: device.clone(),
                target: None,
                nodes: Vec::new(),
                status,
                reason,
            });
        }
    }
    let Some(first) = items.first() else { return Ok(()) };
    let reason = format!("{}: {}", first.device, first.reason.clone().unwrap_or_default());
    Err(Refused { status: first.status.0, reason, items }.into())
}

/// Whether this server may give it to `to`. Delegations that are only asked for, and the one called `but`, do not stand in the way. That
/// the device gives this server the rights is known once it has said so.
///
/// # Errors
/// [`Failure`]
pub async fn may_give(
    context: &Context,
    to: &Peer,
    terms: &DelegationRequest,
    but: Option<Uuid>,
) -> Result<(), Failure> {
    if terms.server_id.as_str() != to.settings.server_id {
        return Err(Refused::new(403, "rights are given to the server that asks, and to no other").into());
    }
    every_device(context, terms, but, |judged| {
        judged.is_of_model()?;
        judged.has_targets()?;
        judged.is_ours(context, to)
    })
    .await
}

/// Whether this server may take it.
///
/// # Errors
/// [`Failure`]
pub async fn may_take(context: &Context, terms: &DelegationRequest) -> Result<(), Failure> {
    every_device(context, terms, None, |judged| {
        judged.is_of_model()?;
        judged.is_not_given_by_us()
    })
    .await
}

/// Judges what was asked for or offered some time ago as if it were so now.
///
/// # Errors
/// [`Failure`]
pub async fn again(deed: &Deed<'_>) -> Result<(), Failure> {
    let Deed { context, delegation, terms, now, .. } = deed;
    if terms.not_after.is_some_and(|end| end <= *now) {
        return Err(Refused::new(409, "its time is over").into());
    }
    if delegation.role == DelegationRole::Delegated {
        return may_take(context, terms).await;
    }
    let peers = context.delegations.as_ref().map(|delegations| &delegations.peers);
    let gone = || Refused::new(404, "the other server is not in delegation.peers any more");
    let peer = peers.and_then(|peers| peers.get(&delegation.peer)).ok_or_else(gone)?;
    may_give(context, peer, terms, Some(delegation.id)).await
}

/// What this server gives to others of what it was given by `lost`.
///
/// # Errors
/// When the store fails.
pub async fn resting_on(context: &Context, lost: &DelegationRequest) -> Result<Vec<Delegation>, StoreError> {
    let mut found: Vec<Delegation> = Vec::new();
    for device in &lost.devices {
        let Some(judged) = Judged::read(context, lost, device, None).await? else { continue };
        for (other, _) in judged.overlapping() {
            let running = matches!(
                other.state,
                DelegationState::Approved | DelegationState::Applying | DelegationState::Active
            );
            if running
                && other.role == DelegationRole::Delegating
                && !found.iter().any(|it| it.id == other.id)
            {
                found.push(other.clone());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use omadm_config::Span;
    use omadm_mo::ServerId;

    use super::*;
    use crate::config::{Contract, Right};
    use omadm_codec::delegation::Rights;

    const NOW: Time = Time::from_secs(1_000_000);

    fn asked() -> DelegationRequest {
        DelegationRequest {
            delegation_id: "d".into(),
            server_id: ServerId::parse("b").unwrap(),
            devices: vec![DeviceId::parse("A:1").unwrap()],
            manufacturer: None,
            model: None,
            targets: vec!["./A/B".into()],
            rights: Rights::GET,
            duration: Duration::Temporary,
            mode: Mode::Shared,
            session_id: None,
            not_before: None,
            not_after: Some(Time::from_secs(1_000_060)),
            reason: None,
        }
    }

    #[test]
    fn what_nobody_could_agree_to_is_refused() {
        let section = DelegationSection { max_devices: 2, max_targets: 2, ..DelegationSection::default() };
        let status = |change: fn(&mut DelegationRequest)| {
            let mut terms = asked();
            change(&mut terms);
            makes_sense(&section, &terms, NOW).map_err(|refused| refused.status)
        };
        let good: [fn(&mut DelegationRequest); 4] = [
            |_| {},
            |terms| (terms.not_after, terms.session_id) = (None, Some("1".into())),
            |terms| (terms.not_after, terms.duration) = (None, Duration::Permanent),
            |terms| terms.targets.push("urn:x:1.0".into()),
        ];
        for (number, change) in good.into_iter().enumerate() {
            assert_eq!(status(change), Ok(()), "{number}");
        }
        type Spoil = fn(&mut DelegationRequest);
        let bad: [(u16, Spoil); 8] = [
            (400, |terms| terms.not_after = None),
            (400, |terms| terms.duration = Duration::Permanent),
            (400, |terms| terms.not_after = Some(NOW)),
            (400, |terms| terms.not_before = terms.not_after),
            (400, |terms| terms.devices.push(DeviceId::parse("A:1").unwrap())),
            (400, |terms| terms.targets.push("./A?prop=ACL".into())),
            (413, |terms| terms.devices.extend(["A:2", "A:3"].map(|id| DeviceId::parse(id).unwrap()))),
            (413, |terms| terms.targets.extend(["./B".into(), "./C".into()])),
        ];
        for (number, (expected, change)) in bad.into_iter().enumerate() {
            assert_eq!(status(change), Err(expected), "{number}");
        }
    }

    #[test]
    fn a_contract_covers_what_is_below_its_targets_and_no_more() {
        let contract = Contract {
            targets: vec!["./A".into(), "urn:x-test:mo:1.0".into()],
            rights: vec![Right(Rights::GET), Right(Rights::EXEC)],
            max_duration: Some(Span::secs(60)),
        };
        let settings = DelegationPeer { contract: Some(contract), ..DelegationPeer::default() };
        let is_in = |change: fn(&mut DelegationRequest)| {
            let mut terms = asked();
            change(&mut terms);
            covers(&settings, &terms, NOW)
        };
        assert!(is_in(|_| {}) && is_in(|terms| terms.targets.push("urn:x-test:mo:1.0/i/N".into())));
        let beyond: [fn(&mut DelegationRequest); 6] = [
            |terms| terms.targets.push("./B".into()),
            |terms| terms.targets.push("urn:x-test:other:1.0".into()),
            |terms| terms.rights = Rights::GET.union(Rights::REPLACE),
            |terms| terms.not_after = Some(Time::from_secs(1_000_061)),
            |terms| terms.not_after = None,
            |terms| terms.mode = Mode::Exclusive,
        ];
        for (number, change) in beyond.into_iter().enumerate() {
            assert!(!is_in(change), "{number}");
        }
        assert!(!covers(&DelegationPeer::default(), &asked(), NOW), "without a contract an operator decides");
    }
}
