//! The management objects of this machine.

pub mod agent;
mod diagnostics;
pub mod facts;
mod lock;
mod maintenance;
mod vendor;

use std::path::Path;

use omadm_client::dm1::bootstrap::ConfigObject;
use omadm_client::{DataMo, HttpsTransport, ManagementObject, PluginError};
use omadm_mo::{Change, ClientUri, Content, Miid, Moid, NodeId, Segment, Value};

use self::agent::Agent;
use self::diagnostics::Diagnostics;
pub use self::diagnostics::MOID as DIAGNOSTICS;
use self::lock::Lock;
use crate::bearer::Networks;
use crate::config::{Config, FirmwareMethod};
use crate::controls::Controls;
use crate::error::AgentError;
use crate::firmware::Firmware;
use crate::machine::Machine;
use crate::packages::Packages;
use crate::software::Software;

/// Where OMA keeps its DDF files.
const OMA_BASE: &str = "http://www.openmobilealliance.org/tech/omna/dm_mo/";

/// Links to DDF files.
#[derive(Clone, Debug)]
struct Links<'a>(Option<&'a str>);

impl Links<'_> {
    /// Link to a file of OMA's.
    fn oma(&self, file: &str) -> String {
        format!("{}{file}", self.0.unwrap_or(OMA_BASE))
    }
    /// Link to any other file.
    fn other(&self, file: &str) -> String {
        format!("{}{file}", self.0.unwrap_or(""))
    }
}

/// What the device is made of.
pub fn all(
    config: &Config,
    machine: &Machine,
    device_id: String,
    controls: &Controls,
    agent: agent::Settings,
    transport: Transport<'_>,
) -> Result<Vec<Box<dyn ManagementObject>>, AgentError> {
    let Config { ddf, network, dm1, .. } = config;
    let links = Links(ddf.base.as_deref());
    let account = include_str!("../../../../ddf/dm_dmacc-v1_2.ddf");
    let delegation = include_str!("../../../../ddf/dm_delegation-v1_0.ddf");
    let dm1_account = include_str!("../../../../ddf/dm_dmacc-v1_3.ddf");
    let bootstrap_config = include_str!("../../../../ddf/MO_dm_bootconfig-v1_3.ddf");
    let inbox = include_str!("../../../../ddf/dm_inbox-v1_0.ddf");
    let mut objects: Vec<Box<dyn ManagementObject>> = vec![
        // First: DM 1.x looks for `./DevInfo`, while for DM 2.0 it is all one where an object stands.
        facts::dm1_dev_info(links.oma("dm_devinfo-v1_3.ddf"), machine.clone(), device_id.clone()),
        facts::dev_detail(links.oma("dm_devdetail-v1_3.ddf"), machine.clone(), dm1),
        Box::new(DataMo::new(dm1_account, links.oma("dm_dmacc-v1_3.ddf"))),
        Box::new(DataMo::new(inbox, links.other("dm_inbox-v1_0.ddf"))),
        facts::dev_info(links.oma("dm_devinfo-v1_2.ddf"), machine.clone(), device_id),
        Box::new(DataMo::new(account, links.oma("dm_dmacc-v1_2.ddf"))),
        Box::new(DataMo::new(delegation, links.oma("dm_delegation-v1_0.ddf"))),
        Box::new(ConfigObject::new(bootstrap_config, links.oma("MO_dm_bootconfig-v1_3.ddf"))),
        facts::session_info(
            links.oma("dm_sessioninfo-v1_0.ddf"),
            Networks::new(machine.clone(), network),
            controls.clone(),
        ),
        Box::new(Agent::new(links.other("omadm_agent-v1_0.ddf"), controls.clone(), agent)),
    ];
    objects.extend(acting(config, &links, controls, transport)?);
    if let Some(directory) = &ddf.dir {
        objects.extend(vendor::all(directory, &links)?);
    }
    Ok(objects)
}

/// What gives the connections for downloads, where they are wanted, and the data directory.
pub type Transport<'a> = (&'a dyn Fn() -> Result<HttpsTransport, AgentError>, &'a Path);

/// The objects that act on the machine, each only where the configuration has it.
fn acting(
    config: &Config,
    links: &Links<'_>,
    controls: &Controls,
    (transport, data_dir): Transport<'_>,
) -> Result<Vec<Box<dyn ManagementObject>>, AgentError> {
    let mut objects: Vec<Box<dyn ManagementObject>> = Vec::new();
    let has_firmware = config.firmware.method != FirmwareMethod::None;
    if has_firmware || config.software.enabled {
        let packages = Packages::new(&config.packages, data_dir, transport()?)?;
        if has_firmware {
            let link = links.other("oma_fumo-v1_0.ddf");
            objects.push(Box::new(Firmware::new(
                link,
                controls.clone(),
                &config.firmware,
                packages.clone(),
            )?));
        }
        if config.software.enabled {
            let link = links.other("oma_scomo-v1_0.ddf");
            objects.push(Box::new(Software::new(link, controls.clone(), &config.software, packages)?));
        }
    }
    if config.diagnostics.enabled {
        objects.push(Box::new(Diagnostics::new(links.other("oma_diagmon-v1_0.ddf"), &config.diagnostics)));
    }
    if config.lock.enabled {
        let link = links.other("oma_lawmo-v1_0.ddf");
        objects.push(Box::new(Lock::new(link, controls.clone(), &config.lock, data_dir)));
    }
    Ok(objects)
}

/// Creates the instance of a management object, or brings its leaves up to date. A path is below the root, names joined by
/// `/`; leaves that are there already with the same value are left alone.
pub fn put<'p>(
    tree: &mut Change<'_>,
    moid: &str,
    miid: &str,
    leaves: impl IntoIterator<Item = (&'p str, Value)>,
) -> Result<(), PluginError> {
    let (moid, miid) = (Moid::parse(moid)?, Miid::parse(miid)?);
    let root = match tree.tree().instance(&moid, &miid) {
        Some(instance) => instance.root,
        None => tree.create_instance(&moid, &miid, Content::Interior(Vec::new()))?,
    };
    leaves.into_iter().try_for_each(|(path, value)| put_leaf(tree, root, path, value))
}

/// Removes the children of a node that are not to be kept; nothing if it is not there.
pub fn prune(
    tree: &mut Change<'_>,
    moid: &str,
    miid: &str,
    path: &str,
    keep: impl Fn(&str) -> bool,
) -> Result<(), PluginError> {
    let (moid, miid) = (Moid::parse(moid)?, Miid::parse(miid)?);
    let root = tree.tree().instance(&moid, &miid).and_then(|instance| tree.tree().node(instance.root));
    let node = root.and_then(|root| path.split('/').try_fold(root, |node, name| node.child(name)));
    let gone: Vec<NodeId> = node.map_or_else(Vec::new, |node| {
        node.children().filter(|child| !keep(child.name().as_str())).map(|child| child.id()).collect()
    });
    Ok(gone.into_iter().try_for_each(|id| tree.remove(id))?)
}

fn put_leaf(tree: &mut Change<'_>, root: NodeId, path: &str, value: Value) -> Result<(), PluginError> {
    let child = |tree: &Change<'_>, id, name: &str| Some(tree.tree().node(id)?.child(name)?.id());
    let (parents, leaf) = path.rsplit_once('/').map_or((None, path), |(parents, leaf)| (Some(parents), leaf));
    let mut parent = root;
    for name in parents.into_iter().flat_map(|parents| parents.split('/')) {
        parent = match child(tree, parent, name) {
            Some(id) => id,
            None => tree.add(parent, name, Content::Interior(Vec::new()))?,
        };
    }
    match child(tree, parent, leaf) {
        Some(id) => tree.set(id, value)?,
        None => {
            tree.add(parent, leaf, Content::Leaf(value))?;
        }
    }
    Ok(())
}

/// The value of a leaf below the root of an instance; the path as in [`put`].
pub fn get(tree: &Change<'_>, moid: &str, miid: &str, path: &str) -> Option<Value> {
    let (moid, miid) = (Moid::parse(moid).ok()?, Miid::parse(miid).ok()?);
    let root = tree.tree().node(tree.tree().instance(&moid, &miid)?.root)?;
    path.split('/').try_fold(root, |node, name| node.child(name))?.value().cloned()
}

/// The path of a concrete address below the root, as in [`put`].
pub fn path(address: &ClientUri) -> Option<String> {
    let names = address.path.iter().map(|segment| match segment {
        Segment::Name(name) => Some(name.as_str()),
        Segment::XName(_) | Segment::Wildcard => None,
    });
    Some(names.collect::<Option<Vec<_>>>()?.join("/"))
}

/// The file name of a path, as text.
fn file_name(path: &Path) -> Option<&str> {
    path.file_name().and_then(std::ffi::OsStr::to_str)
}
