//! What session engines ask of the device outside its tree, carried out.

use std::collections::BTreeSet;

use omadm_codec::StatusCode;
use omadm_mo::{Actor, Miid, Moid, NodePath, NodeRecord, Tree};

use crate::device::Device;
use crate::error::PersistError;
use crate::grants;
use crate::persistence::Batch;
use crate::plugin::{Changed, ChangedNode, Refusal, TreeView};

impl Device {
    /// Lets plug-ins bring these instances up to date; what they change is durable afterwards, so that a cache validator
    /// never means two things.
    pub(crate) fn refresh(&mut self, instances: &[(Moid, Miid)]) -> Result<(), Refusal> {
        for (moid, miid) in instances {
            let Some(plugin) = self.owners.get(moid).and_then(|owner| self.plugins.get_mut(*owner)) else {
                continue;
            };
            let mut transaction = self.tree.begin(Actor::Device, (self.config.clock)());
            if let Err(error) = plugin.refresh(miid, &mut transaction) {
                let reason = format!("the values of {moid} could not be brought up to date: {error}");
                return Err(Refusal::new(StatusCode::INTERNAL_ERROR, reason));
            }
            let prepared = transaction.prepare();
            self.keep(prepared, Vec::new()).map_err(|error| not_kept(&error))?;
        }
        Ok(())
    }

    /// Asks the plug-ins concerned, makes the change durable, and tells them.
    pub(crate) fn commit(
        &mut self,
        records: Vec<(NodePath, Option<NodeRecord>)>,
        instances: &[(Moid, Miid)],
    ) -> Result<(), Refusal> {
        let owners: BTreeSet<usize> =
            instances.iter().filter_map(|(moid, _)| self.owners.get(moid)).copied().collect();
        for owner in &owners {
            let changed =
                changed_of(&self.tree, &records, instances, |moid| self.owners.get(moid) == Some(owner));
            self.plugins.get_mut(*owner).map_or(Ok(()), |plugin| plugin.check(&changed))?;
        }
        let gone: Vec<(Moid, Miid)> = instances
            .iter()
            .filter(|(moid, miid)| self.tree.instance(moid, miid).is_none())
            .cloned()
            .collect();
        let forgotten = grants::forget(self.entries.get(grants::ENTRY), &gone);
        let batch = Batch { nodes: records, entries: forgotten.into_iter().collect() };
        self.append(&batch).map_err(|error| not_kept(&error))?;
        for owner in &owners {
            let changed =
                changed_of(&self.tree, &batch.nodes, instances, |moid| self.owners.get(moid) == Some(owner));
            if let Some(plugin) = self.plugins.get_mut(*owner) {
                plugin.applied(&changed);
            }
        }
        owners.into_iter().for_each(|owner| self.complete(owner));
        Ok(())
    }

    /// Lets a plug-in add what belongs to a change that is durable.
    fn complete(&mut self, owner: usize) {
        let Some(plugin) = self.plugins.get_mut(owner) else { return };
        let mut transaction = self.tree.begin(Actor::Device, (self.config.clock)());
        let completed = plugin.complete(&mut transaction);
        let prepared = transaction.prepare();
        let kept = match completed {
            Ok(()) => self.keep(prepared, Vec::new()).map_err(|error| error.to_string()),
            Err(error) => self
                .take_back(prepared)
                .map_or_else(|lost| Err(lost.to_string()), |()| Err(error.to_string())),
        };
        if let Err(error) = kept {
            tracing::error!("a server's change stays without what the device adds to it: {error}");
        }
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

/// The answer to what could not be made durable.
pub(crate) fn not_kept(error: &PersistError) -> Refusal {
    let status = match error {
        PersistError::Full { .. } => StatusCode::DEVICE_FULL,
        _ => StatusCode::INTERNAL_ERROR,
    };
    Refusal::new(status, error.to_string())
}
