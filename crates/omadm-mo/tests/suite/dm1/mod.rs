//! The tree as DM 1.x sees it: a device with two servers, and short ways to send it commands.

mod acl;
mod commands;
mod lists;
mod model;
mod tnds;
mod together;
mod uris;

use std::sync::Arc;

use omadm_mo::ddf::Catalogue;
use omadm_mo::dm1::{Dm1Error, Dm1Uri, NewNode, ReadContent, ReadItem, UriLimits};
use omadm_mo::{Actor, Change, Content, Format, Quota, Tree, Value};

use crate::support::*;

const OBJECTS: &str = "\
DevInfo 1 node G permanent path:. moid:urn:oma:mo:oma-dm-devinfo:1.0
  DevId 1 chr G permanent
  Man 1 chr G permanent
  Ext ? node AG
Inbox 1 node A permanent path:. moid:urn:oma:mo:oma-dm-inbox:1.0
<x> * node ADGR path:./DMAcc moid:urn:oma:mo:oma-dm-dmacc:1.0
  AppID 1 chr AG
  ServerID 1 chr AG
  PrefConRef ? chr AGR
  AppAuth ? node AG
    <x> + node ADG
      AAuthLevel 1 chr AG
      AAuthSecret ? chr AR
<x> * node ADGR path:./Conn moid:urn:test:conn:1.0
  Addr 1 chr AGR
  Kind ? chr AGR
<x> * node ADGR path:./Lab moid:urn:test:bench:1.0
  Name 1 chr CGR permanent =unnamed
  Serial 1 chr G permanent =S0
  Count ? int ADGR
  Flag ? bool ADGR
  Blob ? bin ADGR mime:image/png
  Code ? b64 ADGR
  Run ? null AEG
  Secret ? chr ACDR
  Folded ? node ADG cis
    <x> * chr ADGR
  Slots ? node ADG
    <x> 0-2 chr ADGR
  Ext ? node ADGR
";

const CONN: &str = "urn:test:conn:1.0";
const BENCH: &str = "urn:test:bench:1.0";
const ACC: &str = "urn:oma:mo:oma-dm-dmacc:1.0";

/// The objects of a device without DM 2.0.
fn objects() -> Catalogue {
    let mut catalogue = Catalogue::new();
    catalogue.add(&ddf_of(OBJECTS), "https://ddf.example/dm1.ddf");
    catalogue
}

/// The same on a device that also speaks DM 2.0.
fn objects_of_both() -> Catalogue {
    let mut catalogue = objects();
    catalogue.add(&ddf(), "https://ddf.example/all.ddf");
    catalogue
}

/// A device with `./DevInfo`, `./Inbox`, and a bench `./Lab/one`.
fn device_of(catalogue: Catalogue) -> Tree {
    let mut tree = Tree::new(Arc::new(catalogue), Quota::default());
    let mut change = tree.begin(Actor::Device, now());
    let info = node_of([("DevId", text("IMEI:1")), ("Man", text("Acme"))]);
    change.create_instance(&moid("urn:oma:mo:oma-dm-devinfo:1.0"), &miid("i"), info).unwrap();
    let inbox = moid("urn:oma:mo:oma-dm-inbox:1.0");
    change.create_instance(&inbox, &miid("i"), Content::empty()).unwrap();
    let bench = node_of([("Name", text("b")), ("Count", leaf("7")), ("Secret", text("hush"))]);
    change.create_instance(&moid(BENCH), &miid("one"), bench).unwrap();
    change.commit();
    tree
}

fn device() -> Tree {
    device_of(objects())
}

fn at_uri(text: &str) -> Dm1Uri {
    Dm1Uri::parse(text, &UriLimits::default(), false).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Runs a command as a server, or as the device; a refused one has to leave no trace. Gives its status.
fn command(
    tree: &mut Tree,
    server: &str,
    command: impl FnOnce(&mut Change<'_>) -> Result<(), Dm1Error>,
) -> u16 {
    let before = snapshot(tree);
    let (nodes, bytes) = (tree.node_count(), tree.byte_count());
    let mut change = tree.begin(actor(server), now().plus_micros(1_000_000));
    let outcome = command(&mut change);
    let status = outcome.as_ref().map_or_else(Dm1Error::status, |()| 200);
    if outcome.is_err() {
        assert!(change.changes().entries.is_empty(), "a refused command left changes");
        assert_eq!(snapshot(change.tree()), before, "a refused command changed the tree");
        assert_eq!((change.tree().node_count(), change.tree().byte_count()), (nodes, bytes));
    }
    change.commit();
    check_invariants(tree);
    status
}

fn actor(server: &str) -> Actor {
    if server == "device" { Actor::Device } else { as_server(server) }
}

/// Names are unique, every node is reached, and the quota counts what is there.
fn check_invariants(tree: &Tree) {
    let records = snapshot(tree);
    assert_eq!(records.len(), tree.node_count());
    let mut copy = Tree::new(Arc::clone(tree.catalogue()), tree.quota());
    for (path, record) in records.clone() {
        copy.restore(&path, Some(record)).unwrap();
    }
    assert_eq!(snapshot(&copy), records);
    assert_eq!(copy.byte_count(), tree.byte_count());
    let acl = tree.dm1_get(&Actor::Device, &at_uri(".?prop=ACL")).unwrap();
    assert!(matches!(&acl[0].content, ReadContent::Text(text) if text.contains("Add=*")));
}

fn add(tree: &mut Tree, server: &str, uri: &str, node: NewNode) -> u16 {
    command(tree, server, |change| change.dm1_add(&at_uri(uri), node))
}
fn add_text(tree: &mut Tree, server: &str, uri: &str, text: &str) -> u16 {
    add(tree, server, uri, chr(text))
}
fn add_interior(tree: &mut Tree, server: &str, uri: &str) -> u16 {
    add(tree, server, uri, interior(None))
}
fn replace(tree: &mut Tree, server: &str, uri: &str, node: NewNode) -> u16 {
    command(tree, server, |change| change.dm1_replace(&at_uri(uri), node))
}
fn replace_text(tree: &mut Tree, server: &str, uri: &str, text: &str) -> u16 {
    replace(tree, server, uri, chr(text))
}
fn delete(tree: &mut Tree, server: &str, uri: &str) -> u16 {
    command(tree, server, |change| change.dm1_delete(&at_uri(uri)))
}
fn copy(tree: &mut Tree, server: &str, from: &str, to: &str) -> u16 {
    command(tree, server, |change| change.dm1_copy(&at_uri(from), &at_uri(to)))
}
fn set(tree: &mut Tree, server: &str, uri: &str, text: &str) -> u16 {
    command(tree, server, |change| change.dm1_set_property(&at_uri(uri), text))
}
fn get(tree: &Tree, server: &str, uri: &str) -> Result<Vec<ReadItem>, u16> {
    tree.dm1_get(&actor(server), &at_uri(uri)).map_err(|error| error.status())
}

/// What a Get of one item gives, as text: names joined by `/`.
fn shown(tree: &Tree, server: &str, uri: &str) -> Result<String, u16> {
    get(tree, server, uri).map(|items| {
        assert_eq!(items.len(), 1, "{uri}");
        text_of(&items[0].content)
    })
}

fn text_of(content: &ReadContent) -> String {
    match content {
        ReadContent::None => String::from("-"),
        ReadContent::Names(names) => names.join("/"),
        ReadContent::Value(value) => value.to_text(),
        ReadContent::Text(text) => text.clone(),
        ReadContent::Tree(_) => String::from("tree"),
    }
}

fn status_of_get(tree: &Tree, server: &str, uri: &str) -> u16 {
    get(tree, server, uri).map_or_else(|status| status, |_| 200)
}

/// The value of the ACL property as the device sees it.
fn acl(tree: &Tree, uri: &str) -> String {
    shown(tree, "device", &format!("{uri}?prop=ACL")).unwrap()
}

fn chr(text: &str) -> NewNode {
    NewNode { value: Some(Value::Text(text.into())), ..NewNode::default() }
}
fn of(format: Format, text: &str) -> NewNode {
    NewNode { format: Some(format), ..chr(text) }
}
fn interior(moid: Option<&str>) -> NewNode {
    NewNode { format: Some(Format::Node), media_type: moid.map(Into::into), value: None }
}
