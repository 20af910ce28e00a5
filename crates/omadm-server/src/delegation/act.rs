//! What operators do with delegations.

use omadm_codec::StatusCode;
use omadm_codec::delegation::{
    Body, DelegationCancel, DelegationMessage, DelegationRequest, DelegationResponse,
};
use omadm_mo::ServerId;
use omadm_store::{Delegation, DelegationRole, DelegationState, StoreError};
use uuid::Uuid;

use super::deed::Deed;
use super::judge::{self, Failure, Refused};
use super::record::{Detail, terms};
use super::{begin_revoking, cancel_commands, receive};
use crate::beside::MAX_CONFLICTS;
use crate::clock;
use crate::context::Context;

/// What an operator wants of another server.
pub struct Wish {
    /// The other server.
    pub peer: String,
    /// What is offered, or asked for; the server that gets the rights says which.
    pub terms: DelegationRequest,
    /// Who wants it.
    pub by: String,
}

/// Offers something to another server, or asks it for something.
///
/// # Errors
/// [`Failure`]
pub async fn offer_or_ask(context: &Context, wish: Wish) -> Result<Uuid, Failure> {
    let (Wish { peer, mut terms, by }, now) = (wish, clock::now());
    let peers = context.delegations.as_ref().map(|delegations| &delegations.peers);
    let Some(known) = peers.and_then(|peers| peers.get(&peer)) else {
        return Err(Refused::new(404, format!("there is no server {peer:?} in delegation.peers")).into());
    };
    judge::makes_sense(&context.config.delegation, &terms, now)?;
    let role = if terms.server_id.as_str() == peer {
        judge::may_give(context, known, &terms, None).await?;
        DelegationRole::Delegating
    } else {
        judge::may_take(context, &terms).await?;
        DelegationRole::Delegated
    };
    let server = |id: &str| ServerId::parse(id).map_err(|error| Refused::new(400, error.to_string()));
    let id = Uuid::now_v7();
    terms.delegation_id = id.to_string();
    let message = DelegationMessage {
        msg_id: id.simple().to_string(),
        timestamp: now,
        from: server(&context.config.server.id)?,
        to: server(&peer)?,
        body: Body::Request(terms.clone()),
    };
    let detail = Detail { ours: true, approved_by: Some(by), ..Detail::default() };
    let delegation = Delegation { id, ..receive::new(message, peer, role, &detail, now) };
    let mut deed = Deed::new(context, delegation, terms.clone(), now);
    deed.enter(DelegationState::Requested, terms.reason.as_deref());
    deed.make_parts();
    deed.send(Body::Request(terms));
    deed.commit().await?;
    Ok(id)
}

/// A delegation to act on.
async fn known(context: &Context, id: Uuid) -> Result<Deed<'_>, Failure> {
    let missing = || Refused::new(404, format!("there is no delegation {id}"));
    let delegation = context.store.delegation(id).await?.ok_or_else(missing)?;
    let terms = terms(&delegation).map_err(|reason| Refused::new(500, reason))?;
    let deed = Deed::new(context, delegation, terms, clock::now());
    if deed.delegation.state.is_final() {
        let state = deed.delegation.state.as_str();
        return Err(Refused::new(409, format!("the delegation is over: it is {state}")).into());
    }
    Ok(deed)
}

/// One that the other server has asked for, and that nobody has decided on.
async fn undecided(context: &Context, id: Uuid) -> Result<Deed<'_>, Failure> {
    let deed = known(context, id).await?;
    if deed.delegation.state != DelegationState::Requested || deed.detail.ours {
        return Err(Refused::new(409, "there is nothing to decide on here").into());
    }
    Ok(deed)
}

/// Agrees to what another server has asked for, or offered.
///
/// # Errors
/// [`Failure`]
pub async fn approve(context: &Context, id: Uuid, by: &str) -> Result<(), Failure> {
    let mut deed = undecided(context, id).await?;
    judge::again(&deed).await?;
    deed.approve(by);
    respond(&mut deed, StatusCode::OK, None);
    Ok(deed.commit().await?)
}

/// Does not agree to it.
///
/// # Errors
/// [`Failure`]
pub async fn reject(context: &Context, id: Uuid, by: &str, reason: Option<String>) -> Result<(), Failure> {
    let mut deed = undecided(context, id).await?;
    let said = reason.clone().unwrap_or_else(|| format!("rejected by {by}"));
    deed.enter(DelegationState::Rejected, Some(&said));
    respond(&mut deed, StatusCode::FORBIDDEN, reason);
    Ok(deed.commit().await?)
}

fn respond(deed: &mut Deed<'_>, status: StatusCode, reason: Option<String>) {
    let delegation_id = Some(deed.delegation.name.clone());
    deed.send(Body::Response(DelegationResponse { delegation_id, status, reason, items: Vec::new() }));
}

/// Ends a delegation, from either side.
///
/// # Errors
/// [`Failure`]
pub async fn cancel(context: &Context, id: Uuid, by: &str, reason: Option<String>) -> Result<(), Failure> {
    let mut deed = known(context, id).await?;
    let said = reason.clone().unwrap_or_else(|| format!("cancelled by {by}"));
    let commands = match deed.delegation.state {
        DelegationState::Revoking => {
            return Err(Refused::new(409, "the rights are being taken back already").into());
        }
        DelegationState::Requested => {
            deed.enter(DelegationState::Ended, Some(&said));
            Vec::new()
        }
        _ => begin_revoking(&mut deed, &said).await?,
    };
    let delegation_id = deed.delegation.name.clone();
    deed.send(Body::Cancel(DelegationCancel { delegation_id, reason }));
    deed.commit().await?;
    Ok(cancel_commands(context, commands).await?)
}

/// Gives back what this server was delegated.
///
/// # Errors
/// [`Failure`]
pub async fn release(context: &Context, id: Uuid, by: &str) -> Result<(), Failure> {
    let mut deed = known(context, id).await?;
    let active = deed.delegation.state == DelegationState::Active;
    if deed.delegation.role != DelegationRole::Delegated || !active {
        return Err(
            Refused::new(409, "only what was delegated to this server, and is active, is released").into()
        );
    }
    deed.enter(DelegationState::Revoking, Some(&format!("released by {by}")));
    receive::release(&mut deed);
    Ok(deed.commit().await?)
}

/// Begins an action anew when what it read has changed meanwhile: nothing of it is written then.
///
/// # Errors
/// As the action.
pub async fn undisturbed<F>(mut action: impl FnMut() -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    for _ in 1..MAX_CONFLICTS {
        match action().await {
            Err(Failure::Store(StoreError::Conflict(_))) => {}
            outcome => return outcome,
        }
    }
    action().await
}
