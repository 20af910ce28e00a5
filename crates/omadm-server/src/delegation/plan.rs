//! What is to be written on a device so that a delegation holds there, or no longer.

use super::grants::{Changed, Grant, Statement};
use super::record::{NodeRecord, digest};
use super::rights;
use super::view::{Lack, View, allows};

/// Who gives what to whom.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The server that gets the rights.
    pub to: String,
    /// The identifiers of this server on devices; the first is the one that it uses.
    pub ours: Vec<String>,
    /// The rights, as bits of the protocol of the device.
    pub rights: u8,
    /// The right by which this server can take them back.
    pub control: u8,
    /// Whether nobody else keeps them.
    pub exclusive: bool,
    /// Whether the rights may be passed on.
    pub redelegable: bool,
}

/// Nodes with what is to be said of them from now on; `None` leaves it to what is above.
pub type Writes = Vec<(String, Option<Statement>)>;

/// What gives the rights at these nodes, which are targets with their addresses. `claimed` says what other delegations give to the same
/// server at a node.
///
/// # Errors
/// [`Lack`] for the first node at which it cannot be done; then nothing is done at all.
pub fn give(
    view: &View,
    nodes: &[NodeRecord],
    ask: &Ask,
    claimed: &dyn Fn(&str) -> u8,
) -> Result<(Vec<NodeRecord>, Writes), Lack> {
    let (mut records, mut writes) = (Vec::new(), Writes::new());
    for NodeRecord { target, node, .. } in nodes {
        let own = view.own(node)?;
        let before = own.clone().map_or_else(|| view.above(node), Ok)?;
        let held = allows(&before, &ask.ours);
        if held & ask.rights != ask.rights {
            let lacking = format!("this server does not have all of the rights itself at {node}");
            return Err(Lack::said(403, lacking));
        }
        if !view.may_change(node, held, &ask.ours) {
            return Err(Lack::said(403, format!("this server may not change who may do what with {node}")));
        }
        if !ask.redelegable && ask.rights & rights::REPLACE != 0 && view.replace_is_control(node) {
            let reason = format!(
                "Replace on the interior node {node} is the right to change its ACL, which only servers with allow_redelegation get; \
                 name leaves"
            );
            return Err(Lack::said(403, reason));
        }
        let by = ask.ours.iter().find(|id| before.of(id) != 0).or(ask.ours.first());
        let by = by.map(String::as_str).unwrap_or_default();
        let grant =
            Grant { to: &ask.to, rights: ask.rights, exclusive: ask.exclusive, by, kept: ask.control };
        let (next, changed) = before.granted(grant, claimed(node));
        if next != before {
            writes.push((node.clone(), Some(next.clone())));
        }
        records.push(NodeRecord {
            target: target.clone(),
            node: node.clone(),
            inherited: own.is_none(),
            changed,
            before: digest(&before),
            after: digest(&next),
            written: next,
        });
    }
    Ok((records, writes))
}

/// What takes back what was changed at these nodes. A node that is gone, or of which nothing is said any more, needs nothing.
///
/// # Errors
/// [`Lack`] if the device has not told enough; then nothing is done at all.
pub fn take(
    view: &View,
    nodes: &[NodeRecord],
    ask: &Ask,
    claimed: &dyn Fn(&str) -> u8,
) -> Result<(Vec<NodeRecord>, Writes), Lack> {
    let (mut records, mut writes) = (Vec::new(), Writes::new());
    for record in nodes {
        let own = match view.own(&record.node) {
            Ok(own) => own,
            Err(Lack { status: Some(404), .. }) => None,
            // Who keeps nothing but the right to take back does not see what is there; nobody else could change it either.
            Err(Lack { status: Some(403 | 425), .. }) if ask.exclusive => Some(record.written.clone()),
            Err(lack) => return Err(lack),
        };
        let Some(own) = own else { continue };
        let next = own.revoked(&record.changed, &ask.to, claimed(&record.node));
        let above = view.above(&record.node).ok();
        // What went by its parent before does so again, if that comes to the same.
        let inherits = record.inherited && above.is_some_and(|above| above == next);
        if next != own || inherits {
            writes.push((record.node.clone(), Some(next.clone()).filter(|_| !inherits)));
        }
        records.push(NodeRecord {
            before: digest(&own),
            after: digest(&next),
            changed: Changed::default(),
            written: next,
            ..record.clone()
        });
    }
    Ok((records, writes))
}

/// Whether what is there is what was written.
pub fn is_written(view: &View, record: &NodeRecord, exclusive: bool) -> bool {
    match view.effective(&record.node) {
        Ok(now) => now == record.written,
        Err(Lack { status: Some(403 | 425), .. }) => exclusive,
        Err(_) => false,
    }
}

/// Whether what is there is what was written when rights were taken back. What this server may not read any more it cannot compare.
pub fn is_taken(view: &View, record: &NodeRecord) -> bool {
    match view.own(&record.node) {
        Ok(own) => own.is_none_or(|own| own == record.written),
        Err(lack) => lack.status.is_some(),
    }
}
