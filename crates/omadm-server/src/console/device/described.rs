//! What the DDF file of an object says about its nodes, also about those that no device has shown yet.

use serde::Deserialize;

use crate::console::data::{Device, KnownMo, Listed};
use crate::console::failure::Failure;
use crate::console::visit::{Visit, path};

/// Nodes of a definition that are listed.
const MAX_LISTED: usize = 200;
/// DDF files among which an object is looked for.
const MAX_FILES: &str = "1000";

/// A DDF file in a listing.
#[derive(Deserialize)]
struct File {
    name: String,
    moids: Vec<String>,
}

/// A DDF file.
#[derive(Deserialize)]
struct Model {
    nodes: Vec<Described>,
}

/// A node of a DDF file.
#[derive(Debug, Default, Deserialize)]
pub struct Described {
    /// None for an un-named node, which may have any name.
    name: Option<String>,
    ddf_name: Option<String>,
    pub format: String,
    pub access: Vec<String>,
    pub title: Option<String>,
    pub description: Option<String>,
    #[serde(default)]
    children: Vec<Self>,
}

/// An address in an object of a device.
struct Place<'a> {
    object: &'a KnownMo,
    /// Names of the nodes below the instance.
    names: Vec<&'a str>,
}

impl<'a> Place<'a> {
    /// The place that an address means, as `MOID/MIID/names`.
    fn of(device: &'a Device, address: &'a str) -> Option<Self> {
        let objects = device.inventory.as_deref().unwrap_or_default();
        objects.iter().find_map(|object| Some(Self { object, names: names_below(&object.moid, address)? }))
    }

    /// The root of the object in its DDF file.
    async fn root(&self, visit: &Visit) -> Result<Option<Described>, Failure> {
        let Some(file) = self.object.model.as_deref().filter(|_| visit.may("GET", "/ddfs/{name}/model"))
        else {
            return Ok(None);
        };
        root_of(visit, file, &self.object.moid).await
    }
}

/// The names in an address below an instance of an object.
fn names_below<'a>(moid: &str, address: &'a str) -> Option<Vec<&'a str>> {
    let below = address.strip_prefix(moid)?.strip_prefix('/')?;
    let (_, names) = below.split_once('/')?;
    Some(names.split('/').filter(|name| !name.is_empty()).collect())
}

/// The root of an object in a DDF file.
async fn root_of(visit: &Visit, file: &str, moid: &str) -> Result<Option<Described>, Failure> {
    let model: Option<Model> = visit.find(&path(&["ddfs", file, "model"], &[])).await?;
    let mut roots = model.map(|model| model.nodes).unwrap_or_default();
    let place = roots.iter().position(|root| root.ddf_name.as_deref() == Some(moid));
    Ok(place.map(|place| roots.swap_remove(place)))
}

/// What the DDF files say about the node of an address, whichever device it is of; `None` where none describes its object.
pub async fn anywhere(visit: &Visit, address: &str) -> Result<Option<Found>, Failure> {
    if !visit.may("GET", "/ddfs") || !visit.may("GET", "/ddfs/{name}/model") {
        return Ok(None);
    }
    let moid = address.split('/').next().unwrap_or_default();
    let Some(names) = names_below(moid, address) else { return Ok(None) };
    let files: Listed<File> = visit.read(&path(&["ddfs"], &[("limit", MAX_FILES)])).await?;
    let Some(file) = files.items.into_iter().find(|file| file.moids.iter().any(|known| known == moid)) else {
        return Ok(None);
    };
    let node = root_of(visit, &file.name, moid).await?.and_then(|root| root.at(&names));
    Ok(Some(Found { file: file.name, node }))
}

/// What a DDF file says about an address.
pub struct Found {
    /// The file.
    pub file: String,
    /// The node; `None` if there is none by this name.
    pub node: Option<Described>,
}

/// What the DDF says about a node, if it says anything.
pub async fn node(visit: &Visit, device: &Device, address: &str) -> Result<Option<Described>, Failure> {
    let Some(place) = Place::of(device, address) else { return Ok(None) };
    let root = place.root(visit).await?;
    Ok(root.and_then(|root| root.at(&place.names)))
}

/// The nodes that the DDF describes below the instance of an address, each with its address as far as its names are known.
pub async fn nodes(
    visit: &Visit,
    device: &Device,
    instance: &str,
) -> Result<Vec<(String, Described)>, Failure> {
    let Some(place) = Place::of(device, instance) else { return Ok(Vec::new()) };
    let Some(root) = place.root(visit).await? else { return Ok(Vec::new()) };
    let mut listed = Vec::new();
    let mut waiting: Vec<(String, Described)> = below(instance.trim_end_matches('/'), root.children);
    while let Some((address, mut node)) = waiting.pop() {
        waiting.extend(below(&address, std::mem::take(&mut node.children)));
        listed.push((address, node));
        if listed.len() == MAX_LISTED {
            break;
        }
    }
    Ok(listed)
}

/// Nodes with names, in the order that makes the first the last of a stack.
fn below(above: &str, nodes: Vec<Described>) -> Vec<(String, Described)> {
    let named =
        nodes.into_iter().filter_map(|node| Some((format!("{above}/{}", node.name.as_deref()?), node)));
    let mut named: Vec<_> = named.collect();
    named.reverse();
    named
}

impl Described {
    /// The node of a path below this one.
    fn at(self, names: &[&str]) -> Option<Self> {
        let mut node = self;
        for name in names {
            let mut children = std::mem::take(&mut node.children);
            let by_name = children.iter().position(|child| child.name.as_deref() == Some(*name));
            let place = by_name.or_else(|| children.iter().position(|child| child.name.is_none()))?;
            node = children.swap_remove(place);
        }
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: Option<&str>, children: Vec<Described>) -> Described {
        let name = name.map(str::to_owned);
        Described { name, children, ..Described::default() }
    }

    #[test]
    fn nodes_are_found_by_name_and_else_by_what_may_have_any() {
        let root = || {
            let unnamed = node(None, vec![node(Some("Leaf"), Vec::new())]);
            node(Some("Root"), vec![node(Some("A"), Vec::new()), unnamed])
        };
        let found = |names: &[&str]| root().at(names).map(|node| node.name);
        assert_eq!(found(&["A"]), Some(Some("A".to_owned())));
        assert_eq!(found(&["x", "Leaf"]), Some(Some("Leaf".to_owned())));
        assert_eq!(found(&["A", "B"]), None);
        assert_eq!(found(&[]), Some(Some("Root".to_owned())));
    }

    #[test]
    fn an_address_is_in_an_object() {
        let device: Device = serde_json::from_value(serde_json::json!({ "id": "IMEI:1", "inventory":
            [{ "moid": "urn:a:1.0", "miids": ["x"] }] }))
        .unwrap();
        let names = |address| Place::of(&device, address).map(|place| place.names);
        assert_eq!(names("urn:a:1.0/x/B/C"), Some(vec!["B", "C"]));
        assert_eq!(names("urn:a:1.0//"), Some(Vec::new()));
        assert_eq!(names("urn:a:1.0"), None);
        assert_eq!(names("./A/B"), None);
    }
}
