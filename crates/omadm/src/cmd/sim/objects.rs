//! The management objects of virtual devices.

use omadm_client::dm1::Version;
use omadm_client::{DataMo, ManagementObject, PluginError};
use omadm_mo::{Change, Content, Miid, Moid, NodeName, Value, well_known};

use super::device::Speech;

macro_rules! ddf {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../../ddf/", $name)))
    };
}

/// The standard management objects of DM 2.0, as the repository describes them; DevInfo apart.
const DM2_DATA: [(&str, &str); 3] =
    [ddf!("dm_dmacc-v1_2.ddf"), ddf!("dm_delegation-v1_0.ddf"), ddf!("dm_sessioninfo-v1_0.ddf")];
/// Those of DM 1.x; DevInfo and DevDetail apart.
const DM1_DATA: [(&str, &str); 2] = [ddf!("dm_dmacc-v1_3.ddf"), ddf!("dm_inbox-v1_0.ddf")];
/// Where the links to the DDF files point to.
pub const DDF_BASE: &str = "http://www.openmobilealliance.org/tech/omna/dm_mo/";
/// DevInfo of DM 1.3.
const DM1_DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.1";
/// DevDetail of DM 1.3.
const DM1_DEVDETAIL: &str = "urn:oma:mo:oma-dm-devdetail:1.1";

/// The management objects of a device.
pub fn plugins(speech: Speech, id: &str) -> Vec<Box<dyn ManagementObject>> {
    let (facts, data): (Vec<Facts>, &[_]) = match speech {
        Speech::Dm2 => (vec![dm2_devinfo(id)], &DM2_DATA),
        Speech::Dm1 { version, .. } => (vec![dm1_devinfo(id, version), devdetail()], &DM1_DATA),
    };
    let facts = facts.into_iter().map(|facts| -> Box<dyn ManagementObject> { Box::new(facts) });
    let data = data.iter().map(|(name, ddf)| -> Box<dyn ManagementObject> {
        Box::new(DataMo::new(*ddf, format!("{DDF_BASE}{name}")))
    });
    facts.chain(data).collect()
}

/// MOIDs of the objects that servers are given the right to read. In DM 1.x they may, without the Delegation Access Control MO.
pub fn readable(speech: Speech) -> &'static [&'static str] {
    match speech {
        Speech::Dm2 => &[well_known::DEVINFO],
        Speech::Dm1 { .. } => &[],
    }
}

/// A management object with leaves that never change.
struct Facts {
    ddf: &'static str,
    link: String,
    moid: &'static str,
    miid: &'static str,
    leaves: Vec<(&'static str, Value)>,
}

/// DevInfo (`DM 2.0 §12.1`).
fn dm2_devinfo(id: &str) -> Facts {
    let (name, ddf) = ddf!("dm_devinfo-v1_2.ddf");
    let leaves = [
        ("DevID", id),
        ("Man", "omadm"),
        ("Mod", "virtual device"),
        ("DmV", "2.0"),
        ("Lang", "en"),
        ("DevType", "simulator"),
        ("OEM", "omadm"),
        ("FwV", "1.0"),
        ("SwV", env!("CARGO_PKG_VERSION")),
        ("HwV", "1.0"),
    ];
    facts((name, ddf), well_known::DEVINFO, "DevInfo", &leaves)
}

/// DevInfo of DM 1.x (`DM 1.3 STDOBJ §5.3.2`).
fn dm1_devinfo(id: &str, version: Version) -> Facts {
    let spoken = version.ver_proto();
    let leaves =
        [("DevId", id), ("Man", "omadm"), ("Mod", "virtual device"), ("DmV", spoken), ("Lang", "en")];
    facts(ddf!("dm_devinfo-v1_3.ddf"), DM1_DEVINFO, "DevInfo", &leaves)
}

/// DevDetail of DM 1.x (`DM 1.3 STDOBJ §5.3.3`), without bounds on addresses.
fn devdetail() -> Facts {
    let leaves = [
        ("URI/MaxDepth", "0"),
        ("URI/MaxTotLen", "0"),
        ("URI/MaxSegLen", "0"),
        ("DevTyp", "simulator"),
        ("OEM", "omadm"),
        ("FwV", "1.0"),
        ("SwV", env!("CARGO_PKG_VERSION")),
        ("HwV", "1.0"),
    ];
    let mut facts = facts(ddf!("dm_devdetail-v1_3.ddf"), DM1_DEVDETAIL, "DevDetail", &leaves);
    facts.leaves.push(("LrgObj", Value::Bool(true)));
    facts
}

fn facts(
    (file, ddf): (&'static str, &'static str),
    moid: &'static str,
    miid: &'static str,
    leaves: &[(&'static str, &str)],
) -> Facts {
    let leaves = leaves.iter().map(|(name, text)| (*name, Value::Text((*text).to_owned()))).collect();
    Facts { ddf, link: format!("{DDF_BASE}{file}"), moid, miid, leaves }
}

impl ManagementObject for Facts {
    fn ddf(&self) -> &str {
        self.ddf
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let mut top = Vec::new();
        for (path, value) in &self.leaves {
            let leaf = Content::Leaf(value.clone());
            match path.split_once('/') {
                None => top.push((NodeName::parse(path)?, leaf)),
                Some((parent, name)) => {
                    below(&mut top, NodeName::parse(parent)?, (NodeName::parse(name)?, leaf))
                }
            }
        }
        let moid = Moid::parse(self.moid)?;
        tree.create_instance(&moid, &Miid::parse(self.miid)?, Content::Interior(top))?;
        Ok(())
    }
}

/// Puts a child below a node, which is made if it is not there.
fn below(top: &mut Vec<(NodeName, Content)>, parent: NodeName, child: (NodeName, Content)) {
    match top.iter_mut().find(|(name, _)| *name == parent) {
        Some((_, Content::Interior(children))) => children.push(child),
        _ => top.push((parent, Content::Interior(vec![child]))),
    }
}
