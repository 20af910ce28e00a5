//! A device without its network: the tree, the plug-ins, and what keeps them durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use omadm_codec::Limits;
use omadm_mo::alias::Tolerances;
use omadm_mo::ddf::Catalogue;
use omadm_mo::{
    Actor, Change, ChangeKind, ChangeSet, Miid, Moid, NodePath, NodeRecord, Prepared, Quota, Time, Tree,
    Value,
};

use crate::definitions;
#[cfg(feature = "dm1")]
use crate::dm1;
use crate::error::{ClientError, PersistError, PluginError};
#[cfg(feature = "dm2")]
use crate::executions::Pending;
use crate::grants::{self, Grant};
#[cfg(feature = "dm2")]
use crate::outbox;
use crate::persistence::{Batch, Entries, Persistence};
use crate::plugin::ManagementObject;
#[cfg(feature = "dm2")]
use crate::reporting::ReportConfig;
#[cfg(feature = "dm1")]
use crate::smartcard;
#[cfg(feature = "dm2")]
use crate::subscriptions::Watch;

/// Entry of the key/value area: the change counter of the tree when the state was rewritten.
const REVISION: &str = "revision";
/// Most nodes in one batch of a rewritten state.
const STATE_BATCH: usize = 256;
/// Most octets of names and values in one batch of a rewritten state, a single larger node apart: a batch has to fit a line of
/// the journal, in which text can be six times as long.
const STATE_BATCH_OCTETS: usize = 1 << 20;

/// Settings of a device.
#[derive(Clone, Debug)]
pub struct DeviceConfig {
    /// Bounds of the tree.
    pub quota: Quota,
    /// Bounds on a bootstrap.
    pub limits: Limits,
    /// No tolerance towards bootstraps and servers.
    pub strict: bool,
    /// Rights that the device gives.
    pub grants: Vec<Grant>,
    /// Most undelivered alerts kept for one server. Default 256.
    pub outbox: usize,
    /// Most subscriptions of one server. Default 64.
    #[cfg(feature = "dm2")]
    pub subscriptions: usize,
    /// Most executions for one server whose end it has yet to be told. Default 64.
    pub executions: usize,
    /// When and how often the device reports.
    #[cfg(feature = "dm2")]
    pub reports: ReportConfig,
    /// The definitions of exactly the plug-ins given beside, if they are decoded already: a simulator shares one catalogue
    /// among its devices. `None` decodes their DDF files.
    pub catalogue: Option<Arc<Catalogue>>,
    /// The clock. Default the system's.
    pub clock: fn() -> Time,
}

impl Default for DeviceConfig {
    fn default() -> Self {
        Self {
            quota: Quota::default(),
            limits: Limits::default(),
            strict: false,
            grants: Vec::new(),
            outbox: 256,
            #[cfg(feature = "dm2")]
            subscriptions: 64,
            executions: 64,
            #[cfg(feature = "dm2")]
            reports: ReportConfig::default(),
            catalogue: None,
            clock: system_time,
        }
    }
}

/// The system's time; before 1970 and after the year 294246 it stops at the end of the range.
#[must_use]
pub fn system_time() -> Time {
    let micros = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    Time(micros)
}

/// The tree, the plug-ins, and what keeps them durable.
pub struct Device {
    pub(crate) config: DeviceConfig,
    pub(crate) tree: Tree,
    pub(crate) plugins: Vec<Box<dyn ManagementObject>>,
    /// Which plug-in has a MOID, by its place in `plugins`.
    pub(crate) owners: BTreeMap<Moid, usize>,
    pub(crate) entries: Entries,
    persistence: Box<dyn Persistence>,
    /// Change counter of the tree when grants and alerts were last brought in line with it.
    pub(crate) in_line: Option<u64>,
    /// What was executed when the device stopped is taken up.
    pub(crate) resumed: bool,
    #[cfg(feature = "dm2")]
    pub(crate) watch: Watch,
    #[cfg(feature = "dm2")]
    pub(crate) pending: Pending,
    #[cfg(feature = "dm1")]
    pub(crate) dm1: dm1::Pending,
}

impl Device {
    /// Decodes the DDF files of plug-ins into one catalogue, for [`DeviceConfig::catalogue`].
    ///
    /// # Errors
    /// [`ClientError::Ddf`] when a file does not decode, [`ClientError::Plugins`] when it holds no management object or one
    /// that another plug-in has.
    pub fn catalogue_of(plugins: &[Box<dyn ManagementObject>]) -> Result<Arc<Catalogue>, ClientError> {
        definitions::decode(plugins)
    }

    /// Brings a device up: definitions, durable state, the plug-ins' instances, grants. What of the latter two finds no room is
    /// left out and logged: a device that is full still has to be reached.
    ///
    /// # Errors
    /// When a DDF file, the durable state, a plug-in or a grant is not in order.
    pub fn open(
        mut config: DeviceConfig,
        plugins: Vec<Box<dyn ManagementObject>>,
        mut persistence: Box<dyn Persistence>,
    ) -> Result<Self, ClientError> {
        let catalogue = match config.catalogue.take() {
            Some(catalogue) => catalogue,
            None => definitions::decode(&plugins)?,
        };
        let owners = definitions::owners(&catalogue, &plugins)?;
        let mut tree = Tree::new(catalogue, config.quota);
        if config.strict {
            tree.set_tolerances(Tolerances::STRICT);
        }
        let mut entries = Entries::new();
        persistence.load(&mut |batch| restore(&mut tree, &mut entries, batch))?;
        tree.advance_revision(entries.remove(REVISION).and_then(|value| value.parse().ok()).unwrap_or(0));
        let mut device = Self {
            config,
            tree,
            plugins,
            owners,
            entries,
            persistence,
            in_line: None,
            resumed: false,
            #[cfg(feature = "dm2")]
            watch: Watch::default(),
            #[cfg(feature = "dm2")]
            pending: Pending::default(),
            #[cfg(feature = "dm1")]
            dm1: dm1::Pending::default(),
        };
        device.start_plugins()?;
        without_room(device.maintain())?;
        Ok(device)
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// A change by the device itself, durable when this returns.
    ///
    /// # Errors
    /// What `change` says, or why it cannot be made durable; the tree is unchanged then.
    pub fn change<R>(
        &mut self,
        change: impl FnOnce(&mut Change<'_>) -> Result<R, PluginError>,
    ) -> Result<R, ClientError> {
        let mut transaction = self.tree.begin(Actor::Device, (self.config.clock)());
        let result = change(&mut transaction)?;
        let prepared = transaction.prepare();
        self.keep(prepared, Vec::new())?;
        Ok(result)
    }

    /// Compacts what is kept, now.
    ///
    /// # Errors
    /// [`ClientError::Persist`]; what was kept before is still there.
    pub fn compact(&mut self) -> Result<(), ClientError> {
        let revision = (REVISION.to_owned(), Some(self.tree.revision().to_string()));
        let entries = self.entries.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
        let area = Batch { nodes: Vec::new(), entries: entries.chain([revision]).collect() };
        let mut records = self.tree.records().peekable();
        let nodes = std::iter::from_fn(|| {
            let mut nodes = Vec::new();
            let mut octets: usize = 0;
            while let Some((path, record)) = records.next_if(|(path, record)| {
                octets = octets.saturating_add(weight(path, record));
                nodes.is_empty() || (nodes.len() < STATE_BATCH && octets <= STATE_BATCH_OCTETS)
            }) {
                nodes.push((path, Some(record)));
            }
            (!nodes.is_empty()).then_some(Batch { nodes, entries: Vec::new() })
        });
        Ok(self.persistence.compact(&mut nodes.chain([area]))?)
    }

    /// What is due between sessions: grants on instances and to servers that came up, the outbox of servers that are gone, and
    /// compaction.
    ///
    /// # Errors
    /// [`ClientError::Grant`] and [`ClientError::Persist`].
    pub(crate) fn maintain(&mut self) -> Result<(), ClientError> {
        if self.in_line != Some(self.tree.revision()) {
            self.bring_in_line()?;
            self.in_line = Some(self.tree.revision());
        }
        if self.persistence.wants_compaction()
            && let Err(error) = self.compact()
        {
            // What is kept is only longer than it need be.
            tracing::warn!("the durable state cannot be compacted now: {error}");
        }
        Ok(())
    }

    /// [`Device::maintain`] after something that is done: it is done even if this fails, and the next time tries again.
    pub(crate) fn tidy(&mut self) {
        if let Err(error) = self.maintain() {
            tracing::error!("grants and alerts are not in line with the tree: {error}");
        }
    }

    fn bring_in_line(&mut self) -> Result<(), ClientError> {
        if let Some((wanted, new)) =
            grants::due(&self.tree, &self.config.grants, self.entries.get(grants::ENTRY))
        {
            let mut transaction = self.tree.begin(Actor::Device, (self.config.clock)());
            for grant in &new {
                grant.apply(&mut transaction)?;
            }
            let prepared = transaction.prepare();
            self.keep(prepared, vec![(grants::ENTRY.to_owned(), Some(wanted))])?;
        }
        #[cfg(feature = "dm2")]
        self.append(&Batch { nodes: Vec::new(), entries: outbox::orphans(&self.tree, &self.entries) })?;
        #[cfg(feature = "dm1")]
        self.append(&Batch { nodes: Vec::new(), entries: dm1::orphans(&self.tree, &self.entries) })?;
        #[cfg(feature = "dm1")]
        self.append(&Batch { nodes: Vec::new(), entries: smartcard::orphans(&self.tree, &self.entries) })?;
        Ok(())
    }

    /// Makes a prepared change and entries durable together, or undoes the change.
    pub(crate) fn keep(
        &mut self,
        prepared: Prepared,
        entries: Vec<(String, Option<String>)>,
    ) -> Result<(), PersistError> {
        let nodes = prepared.records(&self.tree);
        let remembered = self.entries.get(grants::ENTRY);
        let forgotten = grants::forget(remembered, &made(&self.tree, prepared.changes()));
        let entries = forgotten.into_iter().chain(entries).collect();
        let kept = self.append(&Batch { nodes, entries });
        if kept.is_err() && !self.tree.revert(prepared) {
            return Err(PersistError::Inconsistent(
                "a change that was not kept could not be undone".to_owned(),
            ));
        }
        kept
    }

    /// Takes back what was only tried.
    pub(crate) fn take_back(&mut self, prepared: Prepared) -> Result<(), PersistError> {
        if self.tree.revert(prepared) {
            return Ok(());
        }
        Err(PersistError::Inconsistent("a bootstrap could not be taken back".to_owned()))
    }

    /// Makes records and entries durable that are in the tree already.
    pub(crate) fn append(&mut self, batch: &Batch) -> Result<(), PersistError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.persistence.append(batch)?;
        apply_entries(&mut self.entries, &batch.entries);
        Ok(())
    }

    fn start_plugins(&mut self) -> Result<(), ClientError> {
        let mut plugins = std::mem::take(&mut self.plugins);
        let started =
            plugins.iter_mut().try_for_each(|plugin| without_room(self.start_plugin(plugin.as_mut())));
        self.plugins = plugins;
        started
    }

    fn start_plugin(&mut self, plugin: &mut dyn ManagementObject) -> Result<(), ClientError> {
        let mut transaction = self.tree.begin(Actor::Device, (self.config.clock)());
        plugin
            .start(&mut transaction)
            .map_err(|source| ClientError::Start { link: plugin.link().to_owned(), source })?;
        let prepared = transaction.prepare();
        Ok(self.keep(prepared, Vec::new())?)
    }
}

/// Lets pass, with a log entry, what failed because tree or disk are full.
fn without_room(result: Result<(), ClientError>) -> Result<(), ClientError> {
    match result {
        Err(error) if error.is_full() => {
            tracing::error!("the device goes on without what there is no room for: {error}");
            Ok(())
        }
        result => result,
    }
}

/// What a node counts in a batch, in octets.
fn weight(path: &NodePath, record: &NodeRecord) -> usize {
    let names = path.iter().map(|name| name.as_str().len()).sum::<usize>();
    names.saturating_add(record.value.as_ref().map_or(0, Value::size))
}

/// The MO instances that a change has made.
pub(crate) fn made(tree: &Tree, changes: &ChangeSet) -> Vec<(Moid, Miid)> {
    let added = changes.entries.iter().filter(|(.., kind)| *kind == ChangeKind::Added);
    let roots = added.filter_map(|(path, instance, _)| {
        let (moid, miid) = instance.as_ref()?;
        let root = tree.node(tree.instance(moid, miid)?.root)?;
        (root.path() == *path).then(|| (moid.clone(), miid.clone()))
    });
    roots.collect()
}

fn restore(tree: &mut Tree, entries: &mut Entries, batch: Batch) -> Result<(), PersistError> {
    for (path, record) in batch.nodes {
        restore_node(tree, &path, record)?;
    }
    apply_entries(entries, &batch.entries);
    Ok(())
}

fn restore_node(tree: &mut Tree, path: &NodePath, record: Option<NodeRecord>) -> Result<(), PersistError> {
    tree.restore(path, record).map_err(|error| PersistError::Inconsistent(error.to_string()))
}

fn apply_entries(entries: &mut Entries, changes: &[(String, Option<String>)]) {
    for (key, value) in changes {
        match value {
            Some(value) => entries.insert(key.clone(), value.clone()),
            None => entries.remove(key),
        };
    }
}
