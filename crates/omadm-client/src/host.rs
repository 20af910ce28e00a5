//! What the session engine asks of the device outside its tree, carried out.

use std::collections::BTreeSet;

use omadm_codec::dm2::{Alert, StatusCode};
use omadm_mo::{Actor, Miid, Moid, NodePath, NodeRecord, Tree};
use omadm_session::dm2::client::EffectResult;

use crate::device::Device;
use crate::error::PersistError;
use crate::grants;
use crate::persistence::Batch;
use crate::plugin::{Changed, ChangedNode, Refusal, TreeView};

impl Device {
    /// Lets plug-ins bring these instances up to date; what they change is durable afterwards, so that a cache validator
    /// never means two things.
    pub(crate) fn refresh(&mut self, instances: &[(Moid, Miid)]) -> EffectResult {
        for (moid, miid) in instances {
            let Some(plugin) = self.owners.get(moid).and_then(|owner| self.plugins.get_mut(*owner)) else {
                continue;
            };
            let mut transaction = self.tree.begin(Actor::Device, (self.config.clock)());
            if let Err(error) = plugin.refresh(miid, &mut transaction) {
                let reason = format!("the values of {moid} could not be brought up to date: {error}");
                return refused(Refusal::new(StatusCode::INTERNAL_ERROR, reason));
            }
            let prepared = transaction.prepare();
            if let Err(error) = self.keep(prepared, Vec::new()) {
                return not_kept(&error);
            }
        }
        EffectResult::Done
    }

    /// Asks the plug-ins concerned, makes the change durable, and tells them.
    pub(crate) fn commit(
        &mut self,
        records: Vec<(NodePath, Option<NodeRecord>)>,
        instances: &[(Moid, Miid)],
    ) -> EffectResult {
        let owners: BTreeSet<usize> =
            instances.iter().filter_map(|(moid, _)| self.owners.get(moid)).copied().collect();
        for owner in &owners {
            let changed =
                changed_of(&self.tree, &records, instances, |moid| self.owners.get(moid) == Some(owner));
            let answer = self.plugins.get_mut(*owner).map_or(Ok(()), |plugin| plugin.check(&changed));
            if let Err(refusal) = answer {
                return refused(refusal);
            }
        }
        let gone: Vec<(Moid, Miid)> = instances
            .iter()
            .filter(|(moid, miid)| self.tree.instance(moid, miid).is_none())
            .cloned()
            .collect();
        let forgotten = grants::forget(self.entries.get(grants::ENTRY), &gone);
        let batch = Batch { nodes: records, entries: forgotten.into_iter().collect() };
        if let Err(error) = self.append(&batch) {
            return not_kept(&error);
        }
        for owner in &owners {
            let changed =
                changed_of(&self.tree, &batch.nodes, instances, |moid| self.owners.get(moid) == Some(owner));
            if let Some(plugin) = self.plugins.get_mut(*owner) {
                plugin.applied(&changed);
            }
        }
        EffectResult::Done
    }

    /// The alerts that plug-ins have raised since the last time.
    pub(crate) fn raised(&mut self) -> Vec<Alert> {
        self.plugins.iter_mut().flat_map(|plugin| plugin.alerts()).collect()
    }
}

fn changed_of<'a>(
    tree: &'a Tree,
    records: &'a [(NodePath, Option<NodeRecord>)],
    instances: &'a [(Moid, Miid)],
    owned: impl Fn(&Moid) -> bool,
) -> Changed<'a> {
    let mut changed = Changed { tree: TreeView(tree), nodes: Vec::new(), removed: Vec::new() };
    for (moid, miid) in instances.iter().filter(|(moid, _)| owned(moid)) {
        let root = tree.instance(moid, miid).and_then(|instance| tree.node(instance.root));
        let Some(root) = root.map(|root| root.path()) else {
            changed.removed.push((moid, miid));
            continue;
        };
        let inside = records.iter().filter_map(|(path, record)| {
            let path = path.strip_prefix(root.as_slice())?;
            Some(ChangedNode { moid, miid, path, record: record.as_ref() })
        });
        changed.nodes.extend(inside);
    }
    changed
}

/// The result of what a plug-in refused.
pub(crate) fn refused(refusal: Refusal) -> EffectResult {
    let Refusal { status, reason } = refusal;
    EffectResult::Refused { status, reason }
}

/// The result of what could not be made durable.
pub(crate) fn not_kept(error: &PersistError) -> EffectResult {
    let status = match error {
        PersistError::Full { .. } => StatusCode::DEVICE_FULL,
        _ => StatusCode::INTERNAL_ERROR,
    };
    refused(Refusal::new(status, error.to_string()))
}
