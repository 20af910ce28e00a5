//! The plug-in trait: a new management object is a DDF file plus an implementation of [`ManagementObject`].

use omadm_codec::StatusCode;
#[cfg(feature = "dm2")]
use omadm_codec::dm2::Alert;
#[cfg(feature = "dm2")]
use omadm_codec::dm2::alert::AlertData;
use omadm_mo::ddf::DdfName;
use omadm_mo::{Change, ClientUri, Content, Miid, Moid, NodeName, NodeRecord, Tree};
#[cfg(feature = "dm1")]
use omadm_mo::{Format, ServerId, Value};

#[cfg(feature = "dm1")]
use crate::dm1::{Argument, GenericAlert};
use crate::error::PluginError;

/// A kind of management object that a device has.
///
/// The tree keeps the values; a plug-in brings them up to date and acts on what a server changes. Calls come from one
/// place, one at a time, in the order of the session.
pub trait ManagementObject: Send {
    /// The DDF file, XML. Every MO in it belongs to this plug-in.
    fn ddf(&self) -> &str;

    /// Link to the DDF file as servers are told it (`DM 2.0 §5.2.2, §7.2.1.4`); unique among the plug-ins of a device.
    fn link(&self) -> &str;

    /// Creates or updates its instances, at each start of the device, after the durable state is back in the tree.
    ///
    /// # Errors
    /// The device does not start then, except that the tree is full: it starts without the change.
    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError>;

    /// Brings live values of an instance up to date before they are read.
    ///
    /// # Errors
    /// The read is refused with 500 then.
    fn refresh(&mut self, instance: &Miid, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let _ = (instance, tree);
        Ok(())
    }

    /// Looks at a server's change before it is durable and may refuse it; it must not act on it yet.
    ///
    /// # Errors
    /// [`Refusal`] undoes the whole command and is its status.
    fn check(&mut self, changed: &Changed<'_>) -> Result<(), Refusal> {
        let _ = changed;
        Ok(())
    }

    /// Acts on a server's change; it is durable.
    fn applied(&mut self, changed: &Changed<'_>) {
        let _ = changed;
    }

    /// Adds what the device itself has to say beside a server's change, such as the operations on something new; after
    /// [`ManagementObject::applied`].
    ///
    /// # Errors
    /// The change stays; what is missing is logged.
    fn complete(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let _ = tree;
        Ok(())
    }

    /// Runs an executable node (`DM 2.0 §5.3.5`); `address` is concrete. [`Execution::Done`] is the status 200, and
    /// [`Execution::Running`] promises that [`ManagementObject::finished`] will name the address.
    ///
    /// # Errors
    /// [`Refusal`] is the status of the command; by default 501.
    fn execute(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, format!("nothing on this device executes {address}")))
    }

    /// [`ManagementObject::execute`] with the argument that DM 1.x may give (`Data` of the Exec); it is passed over by default.
    ///
    /// # Errors
    /// As [`ManagementObject::execute`].
    #[cfg(feature = "dm1")]
    fn execute_with(
        &mut self,
        address: &ClientUri,
        argument: Option<&Argument>,
    ) -> Result<Execution, Refusal> {
        let _ = argument;
        self.execute(address)
    }

    /// Takes what a notification of DM 1.x says beside the standard, before its session: `vendor-specific` of a trigger, `Vendor-Info`
    /// of DM 1.3.
    #[cfg(feature = "dm1")]
    fn vendor_info(&mut self, server: &ServerId, info: &[u8]) {
        let _ = (server, info);
    }

    /// Takes up an execution that had not ended when the device stopped; called after each start for each of
    /// them, before the first [`ManagementObject::finished`].
    ///
    /// # Errors
    /// [`Refusal`] is what the server is told in the end; by default 500, because nobody knows how far it came.
    fn resume(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        let reason = format!("the device stopped while it executed {address}");
        Err(Refusal::new(StatusCode::INTERNAL_ERROR, reason))
    }

    /// Executions that were running and have ended, each given once. Asked for whenever plug-ins were called, and by
    /// [`crate::Client::report`].
    fn finished(&mut self) -> Vec<Finished> {
        Vec::new()
    }

    /// AlertType of the alert that tells the end of an execution (`DM 2.0 §5.4.1`): what the specification of the MO says.
    fn report_type(&self, address: &ClientUri) -> String {
        let _ = address;
        EXECUTION_COMPLETE.to_owned()
    }

    /// Alerts that it has to raise, each given once (`DM 2.0 §5.4`). Asked for when a session starts, and during it whenever
    /// the plug-ins were called: they are durable, and go to the server of the session with the next package.
    #[cfg(feature = "dm2")]
    fn alerts(&mut self) -> Vec<Alert> {
        Vec::new()
    }

    /// The same for alerts as DM 1.x has them (`DM 1.3 PROTO §6.7`). A device that speaks both protocols tells either kind by either.
    #[cfg(feature = "dm1")]
    fn generic_alerts(&mut self) -> Vec<GenericAlert> {
        Vec::new()
    }
}

/// AlertType of the end of an execution whose MO has none of its own.
pub const EXECUTION_COMPLETE: &str = "urn:omadm:at:execution-complete:1.0";

/// How far an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// At its end, well.
    Done,
    /// On its way; [`ManagementObject::finished`] says when it has ended.
    Running,
}

/// The end of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// As [`ManagementObject::execute`] was given it. Of several executions of one node the oldest is meant.
    pub address: ClientUri,
    /// 200 or how it failed (500, 501, 503, 506, 507, or 1000 to 1999).
    pub status: StatusCode,
    /// Data of the alert as the specification of the MO has them; by default the status, `{"sc":200}`.
    #[cfg(feature = "dm2")]
    pub data: Option<AlertData>,
}

impl Finished {
    /// An end without data of its own.
    #[must_use]
    pub fn new(address: ClientUri, status: StatusCode) -> Self {
        Self {
            address,
            status,
            #[cfg(feature = "dm2")]
            data: None,
        }
    }

    /// Format and data of a Generic Alert of DM 1.x: those that the specification of the MO has, by default the status.
    #[cfg(feature = "dm1")]
    pub(crate) fn generic_data(&self) -> (Format, Value) {
        #[cfg(feature = "dm2")]
        if let Some(data) = &self.data {
            return crate::dm1x::generic_data(data);
        }
        (Format::Chr, Value::Text(self.status.0.to_string()))
    }
}

/// What one command of a server changed in the instances of one plug-in.
#[derive(Clone, Debug)]
pub struct Changed<'a> {
    /// The tree with the change in it.
    pub tree: TreeView<'a>,
    /// Nodes that were added, replaced or removed, parents first; an instance root is also listed when only its revision
    /// changed.
    pub nodes: Vec<ChangedNode<'a>>,
    /// Instances that are gone with all their nodes.
    pub removed: Vec<(&'a Moid, &'a Miid)>,
}

/// A tree to look into, printable.
#[derive(Clone, Copy)]
pub struct TreeView<'a>(pub &'a Tree);

impl std::fmt::Debug for TreeView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.write_str("TreeView(..)")
    }
}

/// One node of a [`Changed`].
#[derive(Clone, Debug)]
pub struct ChangedNode<'a> {
    /// Its management object.
    pub moid: &'a Moid,
    /// Its instance.
    pub miid: &'a Miid,
    /// Names from the MO root to the node; empty is the root.
    pub path: &'a [NodeName],
    /// What is there now; `None` when the node and all below it are gone.
    pub record: Option<&'a NodeRecord>,
}

impl<'a> Changed<'a> {
    /// The node at `path` below the root of its instance, if it is among what changed.
    #[must_use]
    pub fn node(&self, path: &[&str]) -> Option<&ChangedNode<'a>> {
        self.nodes.iter().find(|node| node.path.iter().map(NodeName::as_str).eq(path.iter().copied()))
    }
}

/// Why a plug-in refuses a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 500, 501, 503, 506, 507, or 1000 to 1999 (`DM 2.0 Appendix C`).
    pub status: StatusCode,
    /// Why, for log and trace; it does not go on the wire.
    pub reason: String,
}

impl Refusal {
    /// A refusal with this status.
    #[must_use]
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

/// A management object that is only data: whatever its DDF allows is stored and read back.
#[derive(Clone, Debug)]
pub struct DataMo {
    ddf: String,
    link: String,
}

impl DataMo {
    /// From a DDF file and the link to it.
    #[must_use]
    pub fn new(ddf: impl Into<String>, link: impl Into<String>) -> Self {
        Self { ddf: ddf.into(), link: link.into() }
    }
}

impl ManagementObject for DataMo {
    fn ddf(&self) -> &str {
        &self.ddf
    }

    fn link(&self) -> &str {
        &self.link
    }

    /// Creates the one instance of each MO whose root has to be there.
    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let catalogue = tree.tree().catalogue().clone();
        for definition in catalogue.iter().filter(|definition| definition.link == self.link) {
            let required = definition.root.occurrence.is_required();
            if required && tree.tree().instances_of(&definition.moid).next().is_none() {
                let miid = match &definition.root.name {
                    DdfName::Named(name) => Miid::parse(name.as_str())?,
                    DdfName::Unnamed(_) => Miid::parse("1")?,
                };
                tree.create_instance(&definition.moid, &miid, Content::Interior(Vec::new()))?;
            }
        }
        Ok(())
    }
}
