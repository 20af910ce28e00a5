//! Management objects that show how things are, brought up to date before each reading: DevInfo and Session Information
//! (`DM 2.0 §12.1, §12.4`).

use omadm_client::{ManagementObject, PluginError};
use omadm_mo::well_known::{DEVINFO, SESSION_INFO};
use omadm_mo::{Change, Miid, Value};

use crate::bearer::Networks;
use crate::controls::Controls;
use crate::machine::Machine;

/// Leaves and their values.
type Leaves = Vec<(&'static str, Value)>;

/// One instance, whose leaves are asked for whenever they are read.
struct Facts<F> {
    ddf: &'static str,
    link: String,
    moid: &'static str,
    miid: &'static str,
    leaves: F,
}

/// DevInfo over the machine; an upgrade of the system changes its version while the agent runs.
pub fn dev_info(link: String, machine: Machine, device_id: String) -> Box<dyn ManagementObject> {
    let leaves = move || {
        let device_id = ("DevID", device_id.clone());
        machine
            .dev_info()
            .into_iter()
            .chain([device_id])
            .map(|(name, text)| (name, Value::Text(text)))
            .collect()
    };
    let ddf = include_str!("../../../../ddf/dm_devinfo-v1_2.ddf");
    Box::new(Facts { ddf, link, moid: DEVINFO, miid: "DevInfo", leaves })
}

/// The session under way.
pub fn session_info(link: String, networks: Networks, controls: Controls) -> Box<dyn ManagementObject> {
    let leaves = move || {
        let (bearer, roaming) = networks.to(controls.peer());
        vec![("CBT", Value::Int(bearer as i64)), ("ROAMING", Value::Int(roaming as i64))]
    };
    let ddf = include_str!("../../../../ddf/dm_sessioninfo-v1_0.ddf");
    Box::new(Facts { ddf, link, moid: SESSION_INFO, miid: "SessionInfo", leaves })
}

impl<F: Fn() -> Leaves + Send> ManagementObject for Facts<F> {
    fn ddf(&self) -> &str {
        self.ddf
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        super::put(tree, self.moid, self.miid, (self.leaves)())
    }

    fn refresh(&mut self, _instance: &Miid, tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.start(tree)
    }
}
