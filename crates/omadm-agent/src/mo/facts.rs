//! Management objects that show how things are, brought up to date before each reading: DevInfo of both protocols, DevDetail and
//! Session Information (`DM 2.0 §12.1, §12.4`, `DM 1.3 StdObj §5.3.2, §5.3.3`).
//!
//! What DM 2.0 has in DevInfo, DM 1.x has in two objects. All of them ask the same machine whenever they are read, so that servers of
//! either protocol are told the same.

use omadm_client::{ManagementObject, PluginError};
use omadm_mo::well_known::{DEVINFO, SESSION_INFO};
use omadm_mo::{Change, Miid, Value};

use crate::bearer::Networks;
use crate::config::Dm1Section;
use crate::controls::Controls;
use crate::machine::Machine;

/// DevInfo of DM 1.x.
pub const DM1_DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.1";
/// DevDetail.
pub const DEVDETAIL: &str = "urn:oma:mo:oma-dm-devdetail:1.1";

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

/// What of the machine's facts DM 1.x has in DevInfo; the others are in DevDetail.
const DEVINFO_LEAVES: [&str; 4] = ["Man", "Mod", "DmV", "Lang"];

/// DevInfo of DM 1.x over the machine.
pub fn dm1_dev_info(link: String, machine: Machine, device_id: String) -> Box<dyn ManagementObject> {
    let leaves = move || {
        let facts = machine.dev_info().into_iter().filter(|(name, _)| DEVINFO_LEAVES.contains(name));
        let device_id = ("DevId", device_id.clone());
        facts.chain([device_id]).map(|(name, text)| (name, Value::Text(text))).collect()
    };
    let ddf = include_str!("../../../../ddf/dm_devinfo-v1_3.ddf");
    Box::new(Facts { ddf, link, moid: DM1_DEVINFO, miid: "DevInfo", leaves })
}

/// DevDetail over the machine and what the configuration says of addresses and objects.
pub fn dev_detail(link: String, machine: Machine, settings: &Dm1Section) -> Box<dyn ManagementObject> {
    let Dm1Section { uri_depth, uri_length, uri_segment, large_objects, .. } = settings.clone();
    let leaves = move || {
        let facts = machine.dev_info().into_iter().filter(|(name, _)| !DEVINFO_LEAVES.contains(name));
        let facts = facts.map(|(name, text)| (if name == "DevType" { "DevTyp" } else { name }, text));
        let limits =
            [("URI/MaxDepth", uri_depth), ("URI/MaxTotLen", uri_length), ("URI/MaxSegLen", uri_segment)];
        let limits = limits.map(|(name, limit)| (name, limit.to_string()));
        let texts = facts.chain(limits).map(|(name, text)| (name, Value::Text(text)));
        texts.chain([("LrgObj", Value::Bool(large_objects))]).collect()
    };
    let ddf = include_str!("../../../../ddf/dm_devdetail-v1_3.ddf");
    Box::new(Facts { ddf, link, moid: DEVDETAIL, miid: "DevDetail", leaves })
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
