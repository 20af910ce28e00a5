//! Where the state of a device is kept: the trait, and memory as its simplest case.

use std::collections::BTreeMap;

use omadm_mo::{NodePath, NodeRecord};

use crate::error::PersistError;

/// What becomes durable together or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Nodes in order, `None` removes the node and all below it.
    pub nodes: Vec<(NodePath, Option<NodeRecord>)>,
    /// Entries of the key/value area, `None` removes the key.
    pub entries: Vec<(String, Option<String>)>,
}

impl Batch {
    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.entries.is_empty()
    }
}

/// Durable state of one device: a sequence of batches, replayed in order at the next start.
pub trait Persistence: Send {
    /// Gives every kept batch in order to `apply`. Called once, before anything else.
    ///
    /// # Errors
    /// When the state cannot be read, or `apply` refuses a batch.
    fn load(&mut self, apply: &mut dyn FnMut(Batch) -> Result<(), PersistError>) -> Result<(), PersistError>;

    /// Keeps a batch; it is durable when this returns.
    ///
    /// # Errors
    /// [`PersistError::Full`] when there is no space; nothing of the batch is kept on any error.
    fn append(&mut self, batch: &Batch) -> Result<(), PersistError>;

    /// Whether what is kept has outgrown the state it describes, so that [`Persistence::compact`] is worth its while.
    fn wants_compaction(&self) -> bool;

    /// Replaces everything kept by these batches, which describe the whole state. A failure leaves what was kept.
    ///
    /// # Errors
    /// When the new state cannot be made durable.
    fn compact(&mut self, state: &mut dyn Iterator<Item = Batch>) -> Result<(), PersistError>;
}

/// Keeps nothing beyond its own life: for simulators and tests.
#[derive(Clone, Debug, Default)]
pub struct Volatile {
    _private: (),
}

impl Volatile {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Persistence for Volatile {
    fn load(
        &mut self,
        _apply: &mut dyn FnMut(Batch) -> Result<(), PersistError>,
    ) -> Result<(), PersistError> {
        Ok(())
    }

    fn append(&mut self, _batch: &Batch) -> Result<(), PersistError> {
        Ok(())
    }

    fn wants_compaction(&self) -> bool {
        false
    }

    fn compact(&mut self, _state: &mut dyn Iterator<Item = Batch>) -> Result<(), PersistError> {
        Ok(())
    }
}

/// The key/value area as it is in memory.
pub(crate) type Entries = BTreeMap<String, String>;
