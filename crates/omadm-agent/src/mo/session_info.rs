//! Session Information (`DM 2.0 §12.4`).

use omadm_client::{ManagementObject, PluginError};
use omadm_mo::well_known::SESSION_INFO;
use omadm_mo::{Change, Miid, Value};

use crate::bearer;
use crate::controls::Controls;
use crate::machine::Machine;

const MIID: &str = "SessionInfo";
/// ROAMING: unknown. A modem would have to be asked.
const UNKNOWN: i64 = 2;

/// The session under way.
pub struct SessionInfo {
    link: String,
    machine: Machine,
    controls: Controls,
}

impl SessionInfo {
    pub fn new(link: String, machine: Machine, controls: Controls) -> Self {
        Self { link, machine, controls }
    }

    fn put(&self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let bearer = bearer::to(&self.machine, self.controls.peer());
        super::put(
            tree,
            SESSION_INFO,
            MIID,
            [("CBT", Value::Int(bearer as i64)), ("ROAMING", Value::Int(UNKNOWN))],
        )
    }
}

impl ManagementObject for SessionInfo {
    fn ddf(&self) -> &str {
        include_str!("../../../../ddf/dm_sessioninfo-v1_0.ddf")
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.put(tree)
    }

    fn refresh(&mut self, _instance: &Miid, tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.put(tree)
    }
}
