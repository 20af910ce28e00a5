//! Get, and what has to be known before a Get or an Exec (`DM 1.3 TND §8, §9`).

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::locate::{INBOX_IS_CLOSED, Spot};
use super::tstamp::tstamp;
use super::uri::{Place, address_of, segment_of};
use super::{Dm1Error, Dm1Uri, Executable, Part, Property, ReadContent, ReadItem};
use crate::access::{Actor, Judge, Operation, Powers};
use crate::name::{Miid, Moid};
use crate::node::{Body, Node, NodeId};
use crate::tree::Tree;
use crate::value::{Format, Value};

/// The MIME type of leaves that have no other.
pub(crate) const PLAIN_TEXT: &str = "text/plain";

impl Tree {
    /// Get: a leaf, the names below an interior node, a property, or a list. A virtual address that matches several nodes gives
    /// those that the actor may read.
    ///
    /// # Errors
    /// 404, 405, 406, 425 (see [`Dm1Error::status`]).
    pub fn dm1_get(&self, actor: &Actor, uri: &Dm1Uri) -> Result<Vec<ReadItem>, Dm1Error> {
        let found = self.dm1_find(actor, uri, Operation::Get)?;
        let judge = Judge::new(self, actor);
        let mut items = Vec::new();
        let mut refusal = None;
        for id in found {
            match self.read(&judge, id, uri.part()) {
                Ok(read) => items.extend(read),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        match refusal {
            Some(refusal) if items.is_empty() => Err(refusal),
            _ => Ok(items),
        }
    }

    /// The MO instances whose live values an address may show, to be brought up to date before a Get.
    #[must_use]
    pub fn dm1_instances(&self, uri: &Dm1Uri) -> Vec<(Moid, Miid)> {
        let roots: BTreeSet<NodeId> = match &uri.place {
            Place::Virtual(address) => {
                let address = self.canonical(address).unwrap_or_else(|| address.clone());
                self.instances_of(&address.moid).map(|instance| instance.root).collect()
            }
            Place::Path(path) => {
                let (deepest, left) = self.dm1_walk(path);
                let here = self.instance_of_node(deepest);
                let lists = left.is_empty() && matches!(uri.part(), Part::List(_));
                let below = lists.then(|| self.nested_instances(deepest)).into_iter().flatten();
                here.into_iter().chain(below).map(|instance| instance.root).collect()
            }
        };
        let instances = roots.into_iter().filter_map(|root| self.arena.get(root)?.instance.clone());
        instances.collect()
    }

    /// Checks that the actor may execute a node.
    ///
    /// # Errors
    /// 404, 405, 406 (the node is in no management object, so nothing can be bound to it), 425.
    pub fn dm1_executable(&self, actor: &Actor, uri: &Dm1Uri) -> Result<Executable, Dm1Error> {
        let operation = Operation::Exec;
        if uri.part() != Part::Node {
            return Err(Dm1Error::WrongPart { address: uri.to_string() });
        }
        let id = self.dm1_find_one(actor, uri, operation)?;
        let path = address_of(&self.path_of(id));
        if !Judge::new(self, actor).allows(id, operation) {
            return Err(Dm1Error::NoRight { address: path, operation });
        }
        if matches!(actor, Actor::Server(_)) && !self.dm1_access(id).exec {
            return Err(Dm1Error::NotAllowed { address: path, operation, reason: "no access type Exec" });
        }
        match self.instance_of_node(id).zip(self.address_of(id)) {
            Some((instance, address)) => {
                let instance = (instance.moid.clone(), instance.miid.clone());
                Ok(Executable { uri: path, address, instance })
            }
            None => Err(Dm1Error::NotSupported { address: path, what: Operation::Exec.to_string() }),
        }
    }

    fn read(&self, judge: &Judge<'_>, id: NodeId, part: Part) -> Result<Vec<ReadItem>, Dm1Error> {
        let operation = Operation::Get;
        let address = self.dm1_address(id);
        let Some(spot) = self.dm1_spot(judge, id) else { return Err(Dm1Error::NotFound { address }) };
        if judge.authority().is_some() {
            let is_property = matches!(part, Part::Property(_));
            let hidden = spot.access.is_empty() || (!spot.access.get && !is_property);
            if self.is_inbox(id) {
                return Err(Dm1Error::NotAllowed { address, operation, reason: INBOX_IS_CLOSED });
            } else if !spot.seat.powers.contains(Powers::GET) {
                return Err(Dm1Error::NoRight { address, operation });
            } else if hidden {
                return Err(Dm1Error::NotAllowed { address, operation, reason: "no access type Get" });
            }
        }
        match part {
            Part::Node => Ok(alloc::vec![self.node_item(judge, &spot, address)]),
            Part::Property(property) => {
                self.property_item(&spot, address, property).map(|item| alloc::vec![item])
            }
            Part::List(list) => Ok(self.list(judge, &spot, address, list)),
        }
    }

    fn node_item(&self, judge: &Judge<'_>, spot: &Spot<'_>, uri: String) -> ReadItem {
        let content = match &spot.node.body {
            Body::Leaf(_, value) => ReadContent::Value(value.clone()),
            Body::Interior(_) => {
                let known = self.dm1_known_below(judge, spot);
                ReadContent::Names(known.map(|child| segment_of(&child.node.name)).collect())
            }
        };
        let media_type = if spot.node.is_leaf() { meta_type(spot.node) } else { None };
        ReadItem { uri, format: spot.node.format(), media_type, content }
    }

    fn property_item(
        &self,
        spot: &Spot<'_>,
        address: String,
        property: Property,
    ) -> Result<ReadItem, Dm1Error> {
        let properties = &spot.node.properties;
        let text = match property {
            Property::Acl => self.acl_text(spot.id),
            Property::Format => spot.node.format().as_str().to_string(),
            Property::Name => segment_of(&spot.node.name),
            Property::Size => match spot.node.value().map(Value::size) {
                Some(size) if spot.access.get => size.to_string(),
                _ => return Err(Dm1Error::NotSupported { address, what: property.as_str().into() }),
            },
            Property::Title => properties.title.clone().unwrap_or_default(),
            Property::TStamp => tstamp(properties.tstamp),
            Property::Type => node_type(spot.node).unwrap_or_default().to_string(),
            Property::VerNo => properties.ver_no.to_string(),
        };
        let uri = address + &Part::Property(property).to_string();
        Ok(ReadItem { uri, format: Format::Chr, media_type: None, content: ReadContent::Text(text) })
    }

    /// The value of the ACL property: what is said of this node itself.
    pub(super) fn acl_text(&self, id: NodeId) -> String {
        let acl = self.acl_of(id).unwrap_or_else(|| {
            let is_root = id == self.root().id();
            if is_root { crate::access::Acl::factory() } else { crate::access::Acl::default() }
        });
        acl.to_string()
    }
}

/// The Type property: MIME type of a leaf, MOID of the root of a management object, if it has one.
pub(crate) fn node_type(node: &Node) -> Option<&str> {
    match &node.instance {
        Some((moid, _)) => Some(moid.as_str()),
        None => node.properties.mime.as_deref().or(node.is_leaf().then_some(PLAIN_TEXT)),
    }
}

/// Meta Type, where it is not the default.
pub(super) fn meta_type(node: &Node) -> Option<String> {
    node_type(node).filter(|kind| *kind != PLAIN_TEXT).map(String::from)
}
