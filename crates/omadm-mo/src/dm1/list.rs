//! `?list=` (`DM 1.3 TND §9.1`): what the actor may read at and below a node. A node that it may not read is left out with all
//! that is below.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::locate::Spot;
use super::read::{PLAIN_TEXT, meta_type, node_type};
use super::tstamp::tstamp;
use super::uri::segment_of;
use super::{
    List, Property, ReadContent, ReadItem, Snapshot, SnapshotNode, SnapshotType, TndsField, TndsFilter,
};
use crate::access::Judge;
use crate::tree::Tree;
use crate::value::Format;

impl Tree {
    pub(super) fn list(
        &self,
        judge: &Judge<'_>,
        top: &Spot<'_>,
        address: String,
        list: List,
    ) -> Vec<ReadItem> {
        let mut items = Vec::new();
        match list {
            List::Struct => self.walk(judge, top, address, &mut |spot, uri| items.push(outline(spot, uri))),
            List::StructData => {
                self.walk(judge, top, address, &mut |spot, uri| items.push(with_data(spot, uri)))
            }
            List::MoRoot => self.walk(judge, top, address, &mut |spot, uri| {
                items.extend(is_mo_root(spot).then(|| outline(spot, uri)));
            }),
            List::MoRootData => self.walk(judge, top, address, &mut |spot, uri| {
                let wanted = is_mo_root(spot) || (spot.node.is_leaf() && self.is_in_mo(spot));
                items.extend(wanted.then(|| with_data(spot, uri)));
            }),
            List::Tnds(filter) => {
                let nodes = alloc::vec![self.snapshot(judge, top, filter)];
                items.push(ReadItem {
                    uri: address,
                    format: Format::Xml,
                    media_type: None,
                    content: ReadContent::Tree(Snapshot { nodes }),
                });
            }
        }
        items
    }

    /// Visits a node and all below that may be read, parents first. No tree is deeper than [`crate::tree::MAX_DEPTH`].
    fn walk(
        &self,
        judge: &Judge<'_>,
        spot: &Spot<'_>,
        address: String,
        visit: &mut dyn FnMut(&Spot<'_>, &str),
    ) {
        visit(spot, &address);
        for child in self.dm1_readable_below(judge, spot) {
            let address = address.clone() + "/" + &segment_of(&child.node.name);
            self.walk(judge, &child, address, visit);
        }
    }

    fn is_in_mo(&self, spot: &Spot<'_>) -> bool {
        self.ancestry(spot.id).any(|(_, node)| !node.is_leaf() && node_type(node).is_some())
    }

    fn snapshot(&self, judge: &Judge<'_>, spot: &Spot<'_>, filter: TndsFilter) -> SnapshotNode {
        let node = spot.node;
        let wants = |property| filter.wants(TndsField::Property(property));
        let kind = || {
            if node.is_leaf() {
                SnapshotType::Mime(node_type(node).unwrap_or(PLAIN_TEXT).to_string())
            } else {
                SnapshotType::DdfName(node_type(node).unwrap_or_default().to_string())
            }
        };
        let acl = wants(Property::Acl).then(|| self.acl_text(spot.id)).filter(|acl| !acl.is_empty());
        let title = node.properties.title.clone().filter(|_| wants(Property::Title));
        let children = self.dm1_readable_below(judge, spot);
        SnapshotNode {
            name: Some(segment_of(&node.name)),
            path: None,
            acl,
            format: wants(Property::Format).then(|| node.format()),
            title,
            tstamp: wants(Property::TStamp).then(|| tstamp(node.properties.tstamp)),
            ver_no: wants(Property::VerNo).then(|| node.properties.ver_no.to_string()),
            kind: wants(Property::Type).then(kind),
            value: node.value().filter(|_| filter.wants(TndsField::Value)).cloned(),
            children: children.map(|child| self.snapshot(judge, &child, filter)).collect(),
        }
    }
}

/// Whether a node is the root of a management object: an interior node with a Type.
fn is_mo_root(spot: &Spot<'_>) -> bool {
    !spot.node.is_leaf() && node_type(spot.node).is_some()
}

fn outline(spot: &Spot<'_>, uri: &str) -> ReadItem {
    let (format, media_type) = (spot.node.format(), meta_type(spot.node));
    ReadItem { uri: uri.to_string(), format, media_type, content: ReadContent::None }
}

fn with_data(spot: &Spot<'_>, uri: &str) -> ReadItem {
    let content = spot.node.value().map_or(ReadContent::None, |value| ReadContent::Value(value.clone()));
    ReadItem { content, ..outline(spot, uri) }
}
