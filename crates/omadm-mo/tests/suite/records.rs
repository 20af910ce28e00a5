//! Records of a snapshot and a journal make the same tree again.

use omadm_mo::{Actor, Content, Format, NodeRecord, OperationError, Properties, Quota, Tree, Value};

use crate::support::*;

fn rebuilt(records: impl IntoIterator<Item = (omadm_mo::NodePath, NodeRecord)>) -> Tree {
    let mut tree = Tree::new(catalogue(), Quota::default());
    for (path, record) in records {
        tree.restore(&path, Some(record)).unwrap();
    }
    tree
}

fn record(format: Format, value: Option<Value>) -> Option<NodeRecord> {
    Some(NodeRecord { format, value, properties: Properties::default(), instance: None })
}

#[test]
fn a_snapshot_gives_the_same_tree() {
    let tree = managed();
    let again = rebuilt(tree.records());
    assert_eq!(snapshot(&again), snapshot(&tree));
    let instances = |tree: &Tree| -> Vec<String> {
        tree.instances()
            .map(|instance| format!("{} {} {}", instance.moid, instance.miid, instance.revision))
            .collect()
    };
    assert_eq!(instances(&again), instances(&tree));
    assert_eq!(again.revision(), tree.revision());
    assert_eq!(again.node_count(), tree.node_count());
    let root = again.instance(&moid(FIGURE_5), &miid("left")).unwrap().root;
    assert_eq!(again.rights(&authority("DMS1"), root).ar(), 15);
}

#[test]
fn a_journal_of_removal_and_return_does_not_mix_old_and_new() {
    let mut tree = managed();
    let mut copy = rebuilt(tree.records());
    let mut change = tree.begin(Actor::Device, now());
    change.delete(&uri("urn:oma:mo:moid:1.0/left/Data/1")).unwrap();
    let data = change.tree().resolve(&Actor::Device, &uri("urn:oma:mo:moid:1.0/left/Data")).unwrap()[0].node;
    change.add(data, "1", node_of([("Date", text("13.1"))])).unwrap();
    let prepared = change.prepare();
    for (path, record) in prepared.records(&tree) {
        copy.restore(&path, record).unwrap();
    }
    assert_eq!(snapshot(&copy), snapshot(&tree));
    assert_eq!(at(&copy, "urn:oma:mo:moid:1.0/left/Data/1"), Some(node_of([("Date", text("13.1"))])));
}

#[test]
fn a_revision_is_not_given_again_after_a_restart() {
    let mut tree = managed();
    let mut change = tree.begin(Actor::Device, now());
    change.delete(&uri("urn:oma:mo:moid:1.0/left/")).unwrap();
    change.commit();
    let mut again = rebuilt(tree.records());
    again.advance_revision(tree.revision());
    let mut change = again.begin(Actor::Device, now());
    change.create_instance(&moid(FIGURE_5), &miid("left"), Content::empty()).unwrap();
    change.commit();
    assert!(again.instance(&moid(FIGURE_5), &miid("left")).unwrap().revision > tree.revision());
}

#[test]
fn letter_case_rules_survive() {
    let mut tree = managed();
    write(&mut tree, as_server("DMS1"), |change| {
        change.store_at(&uri(&format!("{LAB}/bench/Folded")), None, node_of([("Alpha", text("1"))]))
    })
    .unwrap();
    let again = rebuilt(tree.records());
    assert!(matches(&again, &format!("{LAB}/bench/folded/ALPHA")).is_ok());
}

#[test]
fn siblings_that_a_new_definition_does_not_tell_apart_are_refused_and_not_merged() {
    let mut tree = managed();
    let path = |text: &str| text.split('/').map(name).collect::<Vec<_>>();
    let lab = tree.instances_of(&moid(LAB)).next().unwrap().root;
    let mut folded = tree.node(lab).unwrap().path();
    folded.push(name("Folded"));
    tree.restore(&folded, record(Format::Node, None)).unwrap();
    let at = |leaf: &str| folded.iter().cloned().chain(path(leaf)).collect::<Vec<_>>();
    let chr = |text: &str| record(Format::Chr, Some(Value::Text(text.into())));
    tree.restore(&at("Alpha"), chr("1")).unwrap();
    let refused = tree.restore(&at("alpha"), chr("2"));
    let Err(OperationError::BadData { reason, .. }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("Alpha"), "{reason}");
    assert_eq!(super::support::at(&tree, &format!("{LAB}/bench/Folded/Alpha")), Some(text("1")));
    tree.restore(&at("Alpha"), chr("3")).unwrap();
    tree.restore(&at("Alpha"), None).unwrap();
    tree.restore(&at("alpha"), chr("4")).unwrap();
}

#[test]
fn records_that_cannot_be_are_refused() {
    let mut tree = managed();
    let before = snapshot(&tree);
    let path = |text: &str| text.split('/').map(name).collect::<Vec<_>>();
    let chr = || record(Format::Chr, Some(Value::Text("x".into())));
    assert!(matches!(tree.restore(&path("no/where"), chr()), Err(OperationError::NotFound { .. })));
    let mut instance = record(Format::Node, None).unwrap();
    instance.instance = Some((moid(FIGURE_5), miid("left"), 1));
    let refused = [
        ("moid/left/ID/x", chr()),
        ("moid/left/Data", chr()),
        ("moid/left/ID", record(Format::Node, None)),
        ("moid/left/ID", record(Format::Int, Some(Value::Text("x".into())))),
        ("moid/left/ID", record(Format::Chr, None)),
        ("moid/left/new", record(Format::Node, Some(Value::Null))),
        ("moid/middle", Some(instance)),
    ];
    for (at, record) in refused {
        let outcome = tree.restore(&path(at), record);
        assert!(matches!(outcome, Err(OperationError::BadData { .. })), "{at}: {outcome:?}");
    }
    assert!(tree.restore(&[], None).is_err());
    let deep: Vec<_> = (0..300).map(|_| name("n")).collect();
    let restored = (1..=300).take_while(|at| tree.restore(&deep[..*at], record(Format::Node, None)).is_ok());
    assert_eq!(restored.count(), 128);
    tree.restore(&deep[..1], None).unwrap();
    tree.restore(&path("not/there")[..1], None).unwrap();
    assert_eq!(snapshot(&tree), before);
}
