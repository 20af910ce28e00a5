//! All or nothing, properties, revisions and the change set.

use omadm_mo::{Actor, ChangeKind, Content, Time, Tree, Value};

use crate::support::*;

fn find(tree: &Tree, address: &str) -> omadm_mo::NodeId {
    tree.resolve(&Actor::Device, &uri(address)).unwrap()[0].node
}

/// TStamp and VerNo.
fn stamp(tree: &Tree, address: &str) -> (i64, u16) {
    let node = tree.node(find(tree, address)).unwrap();
    (node.properties().tstamp.as_secs(), node.properties().ver_no)
}

fn revision(tree: &Tree, instance: &str) -> u64 {
    tree.instance(&moid(FIGURE_5), &miid(instance)).unwrap().revision
}

const LEFT: &str = "urn:oma:mo:moid:1.0/left";

#[test]
fn a_dropped_transaction_leaves_no_trace() {
    let mut tree = managed();
    let before = snapshot(&tree);
    let mut change = tree.begin(Actor::Device, now());
    let value = find(change.tree(), &format!("{LEFT}/Data/1/Value"));
    change.set(value, Value::Int(99)).unwrap();
    change.delete(&uri(&format!("{LEFT}/Data/1"))).unwrap();
    let data = find(change.tree(), &format!("{LEFT}/Data"));
    change.add(data, "1", node_of([("Date", text("13.1"))])).unwrap();
    change.remove(find(change.tree(), "urn:oma:mo:moid:1.0/right/")).unwrap();
    change.create_instance(&moid(FIGURE_5), &miid("right"), Content::empty()).unwrap();
    change.grant(&moid(FIGURE_5), &miid("right"), "/ID", &authority("*"), rights(1)).unwrap();
    assert!(change.tree().node(value).is_none());
    drop(change);
    assert_eq!(snapshot(&tree), before);
    assert_eq!(tree.node(value).unwrap().value(), Some(&Value::Int(10)));
    assert_eq!(tree.instances().count(), 5);
}

#[test]
fn a_prepared_transaction_can_be_reverted_until_the_next_is_kept() {
    let mut tree = managed();
    let before = snapshot(&tree);
    let id = find(&tree, &format!("{LEFT}/Data/1/Date"));
    let mut change = tree.begin(as_server("DMS1"), now());
    change.delete(&uri(&format!("{LEFT}/"))).unwrap();
    let first = change.prepare();
    assert!(tree.node(id).is_none());
    let mut change = tree.begin(Actor::Device, now());
    change.create_instance(&moid(FIGURE_5), &miid("left"), Content::empty()).unwrap();
    let second = change.prepare();
    let between = snapshot(&tree);
    assert!(tree.revert(second));
    assert!(tree.revert(first));
    assert_eq!(snapshot(&tree), before);
    assert!(tree.node(id).is_some());

    let mut change = tree.begin(as_server("DMS1"), now());
    change.delete(&uri(&format!("{LEFT}/"))).unwrap();
    let stale = change.prepare();
    let mut change = tree.begin(Actor::Device, now());
    change.create_instance(&moid(FIGURE_5), &miid("left"), Content::empty()).unwrap();
    change.commit();
    assert!(!tree.revert(stale));
    assert_eq!(snapshot(&tree).len(), between.len());
}

#[test]
fn the_change_set_says_what_happened_in_order() {
    let mut tree = managed();
    let mut change = tree.begin(as_server("DMS1"), now());
    change.store_at(&uri(&format!("{LEFT}/Setting")), None, text("0xC3")).unwrap();
    change.store_at(&uri(&format!("{LEFT}/Data/3")), None, node_of([("Date", text("14.1"))])).unwrap();
    change.delete(&uri(&format!("{LEFT}/Data/1"))).unwrap();
    let changes = change.commit();
    let left = Some((moid(FIGURE_5), miid("left")));
    let entries: Vec<(String, ChangeKind)> = changes
        .entries
        .iter()
        .map(|(path, instance, kind)| {
            assert_eq!(*instance, left);
            (path.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("/"), *kind)
        })
        .collect();
    let expected = [
        ("moid/left/Setting", ChangeKind::Replaced),
        ("moid/left/Data/3", ChangeKind::Added),
        ("moid/left/Data/3/Date", ChangeKind::Added),
        ("moid/left/Data/1", ChangeKind::Removed),
    ];
    assert_eq!(entries, expected.map(|(path, kind)| (path.to_owned(), kind)));
}

#[test]
fn a_device_that_sets_the_same_value_changes_nothing() {
    let mut tree = managed();
    let setting = find(&tree, &format!("{LEFT}/Setting"));
    let before = snapshot(&tree);
    let mut change = tree.begin(Actor::Device, Time::from_secs(1));
    change.set(setting, Value::Text("0xA1".into())).unwrap();
    assert!(change.commit().entries.is_empty());
    assert_eq!(snapshot(&tree), before);
    // A server's write counts, whatever the value.
    let mut change = tree.begin(as_server("DMS1"), Time::from_secs(1));
    change.store_at(&uri(&format!("{LEFT}/Setting")), None, text("0xA1")).unwrap();
    assert_eq!(change.commit().entries.len(), 1);
    assert_eq!(stamp(&tree, &format!("{LEFT}/Setting")), (1, 1));
}

#[test]
fn stamps_and_versions_follow_changes() {
    let mut tree = managed();
    let at = |secs| Time::from_secs(secs);
    let mut change = tree.begin(as_server("DMS1"), at(10));
    change.store_at(&uri(&format!("{LEFT}/Data/1/Value")), None, leaf("11")).unwrap();
    change.commit();
    assert_eq!(stamp(&tree, &format!("{LEFT}/Data/1/Value")), (10, 1));
    let (_, parent) = stamp(&tree, &format!("{LEFT}/Data/1"));
    let mut change = tree.begin(as_server("DMS1"), at(20));
    change.delete(&uri(&format!("{LEFT}/Data/1/Value"))).unwrap();
    change.commit();
    assert_eq!(stamp(&tree, &format!("{LEFT}/Data/1")), (20, parent + 1));
    let mut change = tree.begin(as_server("DMS1"), at(30));
    change.store_at(&uri(&format!("{LEFT}/Data/1/Value")), None, leaf("11")).unwrap();
    change.commit();
    assert_eq!(stamp(&tree, &format!("{LEFT}/Data/1")), (30, parent + 2));
    assert_eq!(stamp(&tree, &format!("{LEFT}/Data/1/Value")), (30, 0));
}

#[test]
fn the_version_wraps_to_zero() {
    let mut tree = managed();
    let address = format!("{LEFT}/Setting");
    let path = tree.node(find(&tree, &address)).unwrap().path();
    let (_, mut record) = snapshot(&tree).into_iter().find(|(at, _)| *at == path).unwrap();
    record.properties.ver_no = u16::MAX;
    tree.restore(&path, Some(record)).unwrap();
    let mut change = tree.begin(as_server("DMS1"), now());
    change.store_at(&uri(&address), None, text("x")).unwrap();
    change.commit();
    assert_eq!(stamp(&tree, &address).1, 0);
}

#[test]
fn every_change_in_an_instance_gives_it_a_new_revision() {
    let mut tree = managed();
    let mut seen = vec![revision(&tree, "left")];
    let right = revision(&tree, "right");
    let writes: [(&str, Option<Content>); 4] = [
        ("Setting", Some(text("1"))),
        ("Data/9", Some(Content::empty())),
        ("Data/9", None),
        ("Data/2/Date", Some(text("1"))),
    ];
    for (path, content) in writes {
        let address = uri(&format!("{LEFT}/{path}"));
        let mut change = tree.begin(as_server("DMS1"), now());
        match content {
            Some(content) => drop(change.store_at(&address, None, content).unwrap()),
            None => drop(change.delete(&address).unwrap()),
        }
        change.commit();
        let revision = revision(&tree, "left");
        assert!(!seen.contains(&revision), "{path}");
        seen.push(revision);
    }
    assert_eq!(revision(&tree, "right"), right);
    // What was undone does not come back as another state.
    let mut change = tree.begin(as_server("DMS1"), now());
    change.store_at(&uri(&format!("{LEFT}/Setting")), None, text("2")).unwrap();
    let undone = revision(change.tree(), "left");
    drop(change);
    assert_eq!(revision(&tree, "left"), *seen.last().unwrap());
    let mut change = tree.begin(as_server("DMS1"), now());
    change.store_at(&uri(&format!("{LEFT}/Setting")), None, text("3")).unwrap();
    change.commit();
    assert!(revision(&tree, "left") > undone);
}
