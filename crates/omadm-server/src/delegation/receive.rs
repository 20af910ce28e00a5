//! What other servers say, and what they are answered.

use omadm_codec::StatusCode;
use omadm_codec::delegation::{
    Body, DelegationCancel, DelegationMessage, DelegationNotify, DelegationRequest, DelegationResponse,
    NAMESPACE, NotifyEvent,
};
use omadm_mo::{DeviceId, ServerId, Time};
use omadm_store::{
    Delegation, DelegationPart, DelegationRole, DelegationSeen, DelegationState, DelegationStep, PartState,
    StoreError,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::deed::Deed;
use super::judge::{self, Failure, Refused};
use super::peers::Peer;
use super::record::{Detail, NodeRecord, Phase, Record, terms};
use super::{begin_revoking, cancel_commands, parts, revoke};
use crate::beside::MAX_CONFLICTS;
use crate::clock;
use crate::context::Context;

/// What a message leads to.
struct Outcome<'c> {
    answer: DelegationResponse,
    deed: Option<Deed<'c>>,
    /// Commands to cancel once it is written.
    cancel: Vec<Uuid>,
}

/// A message of another server that is who it says.
pub struct Received<'a> {
    /// Which server.
    pub peer: &'a Peer,
    /// Fingerprint of its certificate.
    pub certificate: String,
    /// What it says.
    pub message: DelegationMessage,
}

impl Received<'_> {
    /// Takes the message and gives the answer as a document, with its status. A message that comes again gets the same answer.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn answer(&self, context: &Context) -> Result<(StatusCode, String), StoreError> {
        let (peer, msg_id) = (&self.peer.settings.server_id, &self.message.msg_id);
        // A message that is sent again has another time.
        let digest = DelegationMessage { timestamp: Time(0), ..self.message.clone() }.to_xml(NAMESPACE);
        let digest = Sha256::digest(digest).to_vec();
        for _ in 0..MAX_CONFLICTS {
            if let Some(seen) = context.store.delegation_seen(peer, msg_id).await? {
                return Ok(self.again(context, seen, &digest));
            }
            let Outcome { answer, deed, cancel } = self.decide(context).await?;
            let (status, now) = (answer.status, clock::now());
            let document = self.document(context, answer);
            let (peer, msg_id, answer) = (peer.clone(), msg_id.clone(), format!("{} {document}", status.0));
            let seen = DelegationSeen { peer, msg_id, at: now, digest: digest.clone(), answer };
            let written = match deed {
                Some(mut deed) => {
                    deed.seen(seen);
                    deed.commit().await
                }
                None => {
                    let step = DelegationStep { seen: Some(seen), ..DelegationStep::default() };
                    context.store.step_delegation(step, now).await
                }
            };
            match written {
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    cancel_commands(context, cancel).await?;
                    self.revoke_what_rests_on_it(context).await?;
                    return Ok((status, document));
                }
            }
        }
        let busy = Refused::new(503, "too much happens at once; try again");
        Ok((StatusCode(503), self.document(context, busy.response(None))))
    }

    /// The answer as a document.
    pub fn document(&self, context: &Context, answer: DelegationResponse) -> String {
        let from = ServerId::parse(&context.config.server.id).unwrap_or_else(|_| self.message.to.clone());
        let message = DelegationMessage {
            msg_id: Uuid::now_v7().simple().to_string(),
            timestamp: clock::now(),
            from,
            to: self.message.from.clone(),
            body: Body::Response(answer),
        };
        message.to_xml(&context.config.delegation.namespace)
    }

    fn again(&self, context: &Context, seen: DelegationSeen, digest: &[u8]) -> (StatusCode, String) {
        let (status, document) = seen.answer.split_once(' ').unwrap_or_default();
        if seen.digest != digest {
            let refused = Refused::new(400, "MsgID: another message had this identifier");
            return (StatusCode(400), self.document(context, refused.response(None)));
        }
        (StatusCode(status.parse().unwrap_or(500)), document.to_owned())
    }

    async fn decide<'c>(&self, context: &'c Context) -> Result<Outcome<'c>, StoreError> {
        let decided = match &self.message.body {
            Body::Request(request) => self.request(context, request).await,
            Body::Response(response) => self.response(context, response).await,
            Body::Cancel(cancel) => self.cancel(context, cancel).await,
            Body::Notify(notify) => self.notify(context, notify).await,
            Body::Unknown(name) => {
                Err(Refused::new(405, format!("{name} is no message that is known here")).into())
            }
        };
        match decided {
            Ok(outcome) => Ok(outcome),
            Err(Failure::Store(error)) => Err(error),
            Err(Failure::Refused(refused)) => {
                let id = self.message.body.delegation_id().map(str::to_owned);
                tracing::warn!(peer = %self.message.from, status = refused.status, reason = refused.reason, "refused a message on a delegation");
                Ok(Outcome { answer: refused.response(id), deed: None, cancel: Vec::new() })
            }
        }
    }

    /// A request of the other server for rights, or its offer.
    async fn request<'c>(
        &self,
        context: &'c Context,
        terms: &DelegationRequest,
    ) -> Result<Outcome<'c>, Failure> {
        let (settings, now) = (&self.peer.settings, clock::now());
        let known = context.store.delegation_named(&settings.server_id, &terms.delegation_id).await?;
        if known.is_some() {
            return Err(Refused::new(409, "DelegationID: there is a delegation of this identifier").into());
        }
        judge::makes_sense(&context.config.delegation, terms, now)?;
        let is_offer = terms.server_id.as_str() == context.config.server.id;
        let (role, approver) = if is_offer {
            judge::may_take(context, terms).await?;
            (DelegationRole::Delegated, settings.accept_offers.then_some("accept_offers"))
        } else {
            judge::may_give(context, self.peer, terms, None).await?;
            let approved = judge::covers(settings, terms, now);
            (DelegationRole::Delegating, approved.then_some("contract"))
        };
        let detail = Detail { certificate: Some(self.certificate.clone()), ..Detail::default() };
        let delegation = new(self.message.clone(), settings.server_id.clone(), role, &detail, now);
        let mut deed = Deed::new(context, delegation, terms.clone(), now);
        deed.enter(DelegationState::Requested, terms.reason.as_deref());
        deed.make_parts();
        if let Some(approver) = approver {
            deed.approve(approver);
        }
        let status = if approver.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
        Ok(outcome(deed, status))
    }

    /// The delegation that a message is about.
    async fn known<'c>(&self, context: &'c Context, name: &str) -> Result<Deed<'c>, Failure> {
        let peer = &self.peer.settings.server_id;
        let Some(delegation) = context.store.delegation_named(peer, name).await? else {
            return Err(Refused::new(404, "DelegationID: there is no delegation of this identifier").into());
        };
        let terms = terms(&delegation).map_err(|reason| Refused::new(500, reason))?;
        Ok(Deed::new(context, delegation, terms, clock::now()))
    }

    async fn response<'c>(
        &self,
        context: &'c Context,
        response: &DelegationResponse,
    ) -> Result<Outcome<'c>, Failure> {
        let name = response.delegation_id.as_deref().unwrap_or_default();
        let mut deed = self.known(context, name).await?;
        if !deed.detail.ours {
            return Err(Refused::new(403, "this server asked for nothing there").into());
        }
        if deed.delegation.state.is_final() {
            return Err(Refused::new(410, "the delegation is over").into());
        }
        deed.detail.certificate = Some(self.certificate.clone());
        answered(&mut deed, response).await?;
        Ok(outcome(deed, StatusCode::OK))
    }

    async fn cancel<'c>(
        &self,
        context: &'c Context,
        cancel: &DelegationCancel,
    ) -> Result<Outcome<'c>, Failure> {
        let mut deed = self.known(context, &cancel.delegation_id).await?;
        let reason = cancel.reason.as_deref().unwrap_or("the other server has cancelled it").to_owned();
        let commands = match deed.delegation.state {
            state if state.is_final() => return Err(Refused::new(410, "the delegation is over").into()),
            DelegationState::Requested => {
                deed.enter(DelegationState::Ended, Some(&reason));
                Vec::new()
            }
            DelegationState::Revoking => Vec::new(),
            _ => begin_revoking(&mut deed, &reason).await?,
        };
        Ok(Outcome { cancel: commands, ..outcome(deed, StatusCode::OK) })
    }

    async fn notify<'c>(
        &self,
        context: &'c Context,
        notify: &DelegationNotify,
    ) -> Result<Outcome<'c>, Failure> {
        let mut deed = self.known(context, &notify.delegation_id).await?;
        if deed.delegation.state.is_final() {
            return Err(Refused::new(410, "the delegation is over").into());
        }
        let delegating = deed.delegation.role == DelegationRole::Delegating;
        let mut cancel = Vec::new();
        match notify.event {
            NotifyEvent::Active | NotifyEvent::Failed | NotifyEvent::Revoked if delegating => {
                return Err(Refused::new(403, "Event: this is for the delegating server to say").into());
            }
            NotifyEvent::Released | NotifyEvent::Progress if !delegating => {
                return Err(Refused::new(403, "Event: this is for the delegated server to say").into());
            }
            NotifyEvent::Active => mirror(&mut deed, notify, PartState::Active).await?,
            NotifyEvent::Failed => mirror(&mut deed, notify, PartState::Failed).await?,
            NotifyEvent::Revoked => mirror(&mut deed, notify, PartState::Ended).await?,
            NotifyEvent::Progress => deed.event("progress", None, json!({ "reason": notify.reason })),
            NotifyEvent::Released if deed.delegation.state == DelegationState::Revoking => {}
            NotifyEvent::Released => {
                cancel = begin_revoking(&mut deed, "the other server does not need it any longer").await?;
            }
        }
        Ok(Outcome { cancel, ..outcome(deed, StatusCode::OK) })
    }

    /// What this server has passed on goes with what it rests on.
    async fn revoke_what_rests_on_it(&self, context: &Context) -> Result<(), StoreError> {
        let name = match &self.message.body {
            Body::Cancel(cancel) => &cancel.delegation_id,
            Body::Notify(DelegationNotify { event: NotifyEvent::Revoked, delegation_id, .. }) => {
                delegation_id
            }
            Body::Request(_) | Body::Response(_) | Body::Notify(_) | Body::Unknown(_) => return Ok(()),
        };
        let lost = context.store.delegation_named(&self.peer.settings.server_id, name).await?;
        let lost = lost.filter(|lost| lost.role == DelegationRole::Delegated);
        let Some(Ok(lost)) = lost.as_ref().map(terms) else { return Ok(()) };
        for other in judge::resting_on(context, &lost).await? {
            let Ok(terms) = terms(&other) else { continue };
            let deed = Deed::new(context, other, terms, clock::now());
            revoke(deed, "the delegation that it rests on is taken back").await?;
        }
        Ok(())
    }
}

fn outcome(deed: Deed<'_>, status: StatusCode) -> Outcome<'_> {
    let delegation_id = Some(deed.delegation.name.clone());
    let answer = DelegationResponse { delegation_id, status, reason: None, items: Vec::new() };
    Outcome { answer, deed: Some(deed), cancel: Vec::new() }
}

/// A delegation that was not known before.
pub fn new(
    message: DelegationMessage,
    peer: String,
    role: DelegationRole,
    detail: &Detail,
    now: Time,
) -> Delegation {
    Delegation {
        number: 0,
        id: Uuid::now_v7(),
        name: message.body.delegation_id().unwrap_or_default().to_owned(),
        peer,
        role,
        state: DelegationState::Requested,
        version: 0,
        created: now,
        updated: now,
        due: None,
        document: message.to_xml(NAMESPACE),
        detail: detail.text(),
    }
}

/// The other server has answered what this one has asked for, or offered. What was offered may meanwhile be another's: it is judged anew.
///
/// # Errors
/// When the store fails.
pub async fn answered(deed: &mut Deed<'_>, response: &DelegationResponse) -> Result<(), StoreError> {
    if deed.delegation.state != DelegationState::Requested || response.status == StatusCode::ACCEPTED {
        return Ok(());
    }
    if !response.status.is_success() {
        let reason = response.reason.clone().unwrap_or_default();
        let reason = format!("{} {reason}", response.status.0);
        deed.enter(DelegationState::Rejected, Some(reason.trim()));
        return Ok(());
    }
    match judge::again(deed).await {
        Ok(()) => {
            let peer = deed.delegation.peer.clone();
            deed.approve(&peer);
            Ok(())
        }
        Err(Failure::Refused(refused)) if deed.delegation.role == DelegationRole::Delegated => {
            deed.enter(DelegationState::Revoking, Some(&refused.reason));
            release(deed);
            Ok(())
        }
        // Nothing was queued yet that would have to be cancelled; the other server is told that there is nothing.
        Err(Failure::Refused(refused)) => begin_revoking(deed, &refused.reason).await.map(drop),
        Err(Failure::Store(error)) => Err(error),
    }
}

/// Says that the rights are not needed any longer.
pub fn release(deed: &mut Deed<'_>) {
    let delegation_id = deed.delegation.name.clone();
    let event = NotifyEvent::Released;
    deed.send(Body::Notify(DelegationNotify { delegation_id, event, reason: None, items: Vec::new() }));
}

/// What the delegating server says of devices becomes their state here.
async fn mirror(deed: &mut Deed<'_>, notify: &DelegationNotify, state: PartState) -> Result<(), StoreError> {
    if matches!(deed.delegation.state, DelegationState::Requested | DelegationState::Approved) {
        deed.enter(DelegationState::Applying, None);
    }
    let named: Vec<&DeviceId> = notify.items.iter().map(|item| &item.device).collect();
    for part in parts(deed.context, deed.delegation.id).await? {
        if part.state.is_final() || !(named.is_empty() || named.contains(&&part.device)) {
            continue;
        }
        let mut record = Record::of(&part);
        let items = notify.items.iter().filter(|item| item.device == part.device);
        for item in items {
            (record.status, record.reason) = (Some(item.status.0), item.reason.clone());
            let target = item.target.clone().unwrap_or_default();
            let node = |node: &String| NodeRecord {
                target: target.clone(),
                node: node.clone(),
                ..NodeRecord::default()
            };
            if state == PartState::Active {
                record.nodes.retain(|known| known.target != target);
                record.nodes.extend(item.nodes.iter().map(node));
            }
        }
        record.phase = if state.is_final() { Phase::Over } else { Phase::Hold };
        let before = Some(part.state);
        deed.part(before, DelegationPart { state, ..part }, &record);
    }
    let counts = deed.context.store.delegation_counts(deed.delegation.id).await?;
    deed.aggregate(&counts);
    Ok(())
}
