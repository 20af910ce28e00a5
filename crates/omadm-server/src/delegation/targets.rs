//! The nodes that targets are on a device.

use super::entries::{self, Entries};
use super::record::NodeRecord;
use super::target::Region;
use super::view::Lack;
use crate::address::Inventory;
use crate::roots::Roots;

/// Where targets are on a device.
#[derive(Debug, Default)]
pub struct Found {
    /// Nodes of DM 1.x.
    pub nodes: Vec<NodeRecord>,
    /// Management objects of which it is not known where they are.
    pub missing: Vec<String>,
    /// Management objects of DM 2.0, whose instances are told with their access rights.
    pub moids: Vec<String>,
}

/// On a device of DM 1.x.
///
/// # Errors
/// [`Lack`] for a target that is none there.
pub fn on_dm1(targets: &[String], roots: &Roots) -> Result<Found, Lack> {
    let mut found = Found::default();
    for target in targets {
        let region = Region::parse(target, &|_| false).map_err(|reason| Lack::said(404, reason))?;
        for placed in region.placed(roots) {
            reserved(&placed, roots, target)?;
            match (placed.uri(), region.in_object()) {
                (Some(node), _) => {
                    let target = target.clone();
                    found.nodes.push(NodeRecord { target, node, ..NodeRecord::default() });
                }
                (None, Some((moid, ..))) if !found.missing.iter().any(|known| known == moid) => {
                    found.missing.push(moid.to_owned());
                }
                (None, _) => {}
            }
        }
    }
    Ok(found)
}

/// On a device of DM 2.0.
///
/// # Errors
/// As [`on_dm1`].
pub fn on_dm2(targets: &[String], inventory: &Inventory) -> Result<Found, Lack> {
    let mut found = Found::default();
    for target in targets {
        let (moid, ..) = object(target, inventory)?;
        // Not every device has told yet what it has.
        if !inventory.0.is_empty() && !inventory.has(&moid) {
            return Err(Lack::said(404, format!("the device does not have {moid}")));
        }
        found.moids.push(moid);
    }
    Ok(found)
}

/// The nodes on a device of DM 2.0 that has told of the access rights to its objects.
///
/// # Errors
/// As [`on_dm1`], and where this server has no rights.
pub fn in_entries(
    targets: &[String],
    inventory: &Inventory,
    entries: &Entries,
) -> Result<Vec<NodeRecord>, Lack> {
    let mut nodes = Vec::new();
    for target in targets {
        let (moid, miid, path) = object(target, inventory)?;
        let instances = match miid {
            Some(miid) => vec![miid],
            None => entries.instances(&moid)?,
        };
        for miid in instances {
            let unsaid = || Lack::said(404, format!("{target} is no node of {moid}/{miid}"));
            let node = entries::node(&moid, &miid, &path).ok_or_else(unsaid)?;
            nodes.push(NodeRecord { target: target.clone(), node, ..NodeRecord::default() });
        }
    }
    Ok(nodes)
}

/// MOID, MIID and path of a target.
fn object(target: &str, inventory: &Inventory) -> Result<(String, Option<String>, Vec<String>), Lack> {
    let region =
        Region::parse(target, &|moid| inventory.has(moid)).map_err(|reason| Lack::said(404, reason))?;
    let Some((moid, miid, path)) = region.in_object() else {
        let reason =
            format!("the device speaks DM 2.0, which has no paths: {target}; name a management object");
        return Err(Lack::said(405, reason));
    };
    reserved(&region, &Roots::of(&Inventory::default(), omadm_codec::dm1::Version::Dm13), target)?;
    Ok((moid.to_owned(), miid.map(str::to_owned), path.to_vec()))
}

/// Refuses what decides who may do what.
fn reserved(region: &Region, roots: &Roots, target: &str) -> Result<(), Lack> {
    if region.is_reserved(roots) {
        let reason = format!("{target} holds accounts of servers or access rights, which are not delegated");
        return Err(Lack::said(403, reason));
    }
    Ok(())
}
