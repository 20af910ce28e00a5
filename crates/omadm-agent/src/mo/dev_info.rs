//! DevInfo (`DM 2.0 §12.1`).

use omadm_client::{ManagementObject, PluginError};
use omadm_mo::well_known::DEVINFO;
use omadm_mo::{Change, Miid, Value};

use crate::machine::Machine;

const MIID: &str = "DevInfo";

/// DevInfo over the machine.
pub struct DevInfo {
    link: String,
    machine: Machine,
    device_id: String,
}

impl DevInfo {
    pub fn new(link: String, machine: Machine, device_id: String) -> Self {
        Self { link, machine, device_id }
    }

    fn put(&self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let device_id = ("DevID", self.device_id.clone());
        let leaves = self.machine.dev_info().into_iter().chain([device_id]);
        super::put(tree, DEVINFO, MIID, leaves.map(|(name, text)| (name, Value::Text(text))))
    }
}

impl ManagementObject for DevInfo {
    fn ddf(&self) -> &str {
        include_str!("../../../../ddf/dm_devinfo-v1_2.ddf")
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.put(tree)
    }

    /// An upgrade of the system changes its version while the agent runs.
    fn refresh(&mut self, _instance: &Miid, tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.put(tree)
    }
}
