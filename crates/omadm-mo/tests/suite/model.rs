//! Random scripts of commands against a model of the tree, which is a map from path to value.

use std::collections::BTreeMap;

use omadm_mo::{Actor, Content, NodeId, NodePath, NodeRecord, Quota, Tree, Value};
use proptest::prelude::*;

use crate::support::*;

/// What is below `Ext` of the lab instance: `None` is an interior node.
type Model = BTreeMap<Vec<String>, Option<i64>>;

#[derive(Clone, Debug)]
enum Step {
    /// Add or replace what is at a path, by a server.
    Store(Vec<String>, Shape),
    /// Set an existing leaf, by the device.
    Set(Vec<String>, i64),
    /// Add a child, by the device.
    Add(Vec<String>, Shape),
    Delete(Vec<String>),
    /// Remove, by the device.
    Remove(Vec<String>),
    /// End the transaction and begin another.
    Commit,
    RollBack,
    /// Keep, then revert.
    Revert,
}

#[derive(Clone, Debug)]
enum Shape {
    Leaf(i64),
    Interior(Vec<(String, Shape)>),
}

fn any_path(shortest: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[ab]", shortest..4)
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let leaf = (0i64..100).prop_map(Shape::Leaf);
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop::collection::btree_map("[abc]", inner, 0..3)
            .prop_map(|children| Shape::Interior(children.into_iter().collect()))
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (any_path(1), any_shape()).prop_map(|(path, shape)| Step::Store(path, shape)),
        3 => (any_path(1), 0i64..100).prop_map(|(path, value)| Step::Set(path, value)),
        3 => (any_path(1), any_shape()).prop_map(|(path, shape)| Step::Add(path, shape)),
        2 => any_path(1).prop_map(Step::Delete),
        1 => any_path(1).prop_map(Step::Remove),
        2 => Just(Step::Commit),
        2 => Just(Step::RollBack),
        1 => Just(Step::Revert),
    ]
}

fn content(shape: &Shape) -> Content {
    match shape {
        Shape::Leaf(value) => Content::Leaf(Value::Int(*value)),
        Shape::Interior(children) => {
            Content::Interior(children.iter().map(|(child, shape)| (name(child), content(shape))).collect())
        }
    }
}

fn insert(model: &mut Model, path: &[String], shape: &Shape) {
    match shape {
        Shape::Leaf(value) => drop(model.insert(path.to_vec(), Some(*value))),
        Shape::Interior(children) => {
            model.insert(path.to_vec(), None);
            for (child, shape) in children {
                insert(model, &[path, std::slice::from_ref(child)].concat(), shape);
            }
        }
    }
}

fn remove(model: &mut Model, path: &[String]) {
    model.retain(|at, _| !at.starts_with(path));
}

/// Replacing keeps the kind of every node that is there already.
fn kinds_agree(model: &Model, path: &[String], shape: &Shape) -> bool {
    match (model.get(path), shape) {
        (None, _) | (Some(Some(_)), Shape::Leaf(_)) => true,
        (Some(None), Shape::Interior(children)) => children
            .iter()
            .all(|(child, shape)| kinds_agree(model, &[path, std::slice::from_ref(child)].concat(), shape)),
        _ => false,
    }
}

/// Whether the step can be done; if so the model has done it.
fn model_step(model: &mut Model, step: &Step) -> bool {
    let has_parent = |path: &[String]| model.get(&path[..path.len() - 1]) == Some(&None);
    let possible = match step {
        Step::Store(path, shape) => has_parent(path) && kinds_agree(model, path, shape),
        Step::Add(path, _) => has_parent(path) && !model.contains_key(path),
        Step::Set(path, _) => matches!(model.get(path), Some(Some(_))),
        Step::Delete(path) | Step::Remove(path) => model.contains_key(path),
        Step::Commit | Step::RollBack | Step::Revert => true,
    };
    if possible {
        match step {
            Step::Store(path, shape) | Step::Add(path, shape) => {
                remove(model, path);
                insert(model, path, shape);
            }
            Step::Set(path, value) => drop(model.insert(path.clone(), Some(*value))),
            Step::Delete(path) | Step::Remove(path) => remove(model, path),
            Step::Commit | Step::RollBack | Step::Revert => {}
        }
    }
    possible
}

fn address(path: &[String]) -> omadm_mo::ClientUri {
    let names = ["Ext"].into_iter().chain(path.iter().map(String::as_str));
    omadm_mo::ClientUri::concrete(moid(LAB), miid("bench"), names.map(name).collect())
}

fn find(tree: &Tree, path: &[String]) -> Option<NodeId> {
    let found = tree.resolve(&Actor::Device, &address(path)).ok()?;
    found.first().map(|found| found.node)
}

/// Whether the step was done on the tree.
fn tree_step(change: &mut omadm_mo::Change<'_>, step: &Step) -> bool {
    match step {
        Step::Store(path, shape) => change.store_at(&address(path), None, content(shape)).is_ok(),
        Step::Set(path, value) => {
            find(change.tree(), path).is_some_and(|leaf| change.set(leaf, Value::Int(*value)).is_ok())
        }
        Step::Add(path, shape) => {
            let (last, parent) = path.split_last().unwrap();
            find(change.tree(), parent).is_some_and(|parent| change.add(parent, last, content(shape)).is_ok())
        }
        Step::Delete(path) => change.delete(&address(path)).is_ok(),
        Step::Remove(path) => find(change.tree(), path).is_some_and(|node| change.remove(node).is_ok()),
        Step::Commit | Step::RollBack | Step::Revert => unreachable!("they end a transaction"),
    }
}

/// What the tree holds below `Ext`, as a model.
fn read(tree: &Tree) -> Model {
    fn walk(node: omadm_mo::NodeRef<'_>, path: &[String], model: &mut Model) {
        let value = node.value().map(|value| match value {
            Value::Int(number) => *number,
            other => panic!("{other:?}"),
        });
        model.insert(path.to_vec(), value);
        for child in node.children() {
            walk(child, &[path, &[child.name().as_str().to_owned()]].concat(), model);
        }
    }
    let mut model = Model::new();
    walk(tree.node(find(tree, &[]).unwrap()).unwrap(), &[], &mut model);
    model
}

fn rebuilt(records: Vec<(NodePath, NodeRecord)>) -> Tree {
    let mut tree = Tree::new(catalogue(), Quota::default());
    for (path, record) in records {
        tree.restore(&path, Some(record)).unwrap();
    }
    tree
}

/// Revisions aside: what is undone uses some up.
fn without_revisions(tree: &Tree) -> Vec<(NodePath, NodeRecord)> {
    let mut records = snapshot(tree);
    for (_, record) in &mut records {
        if let Some((_, _, revision)) = &mut record.instance {
            *revision = 0;
        }
    }
    records
}

fn with_ext() -> Tree {
    let mut tree = managed();
    write(&mut tree, as_server("DMS1"), |change| {
        change.store_at(&uri(&format!("{LAB}/bench/Ext")), None, Content::empty())
    })
    .unwrap();
    tree
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// The tree does what the model does, whoever writes and however transactions end; and a copy that follows the journal
    /// is always equal.
    #[test]
    fn the_tree_follows_its_model(steps in prop::collection::vec(any_step(), 1..40), server: bool) {
        let mut tree = with_ext();
        let mut copy = rebuilt(snapshot(&tree));
        let mut model = read(&tree);
        let actor = || if server { as_server("DMS1") } else { Actor::Device };
        for transaction in steps.split_inclusive(|step| matches!(step, Step::Commit | Step::RollBack | Step::Revert)) {
            let before = (model.clone(), snapshot(&tree));
            let mut change = tree.begin(actor(), now());
            for step in transaction {
                if matches!(step, Step::Commit | Step::RollBack | Step::Revert) {
                    break;
                }
                prop_assert_eq!(tree_step(&mut change, step), model_step(&mut model, step), "{:?}", step);
                prop_assert_eq!(&read(change.tree()), &model);
            }
            match transaction.last() {
                Some(Step::Commit) => {
                    let prepared = change.prepare();
                    for (path, record) in prepared.records(&tree) {
                        copy.restore(&path, record).unwrap();
                    }
                }
                Some(Step::Revert) => {
                    let prepared = change.prepare();
                    prop_assert!(tree.revert(prepared));
                    model = before.0;
                    prop_assert_eq!(snapshot(&tree), before.1);
                }
                _ => {
                    drop(change);
                    model = before.0;
                    prop_assert_eq!(snapshot(&tree), before.1);
                }
            }
            prop_assert_eq!(&read(&tree), &model);
            prop_assert_eq!(snapshot(&copy), snapshot(&tree));
            let again = rebuilt(snapshot(&tree));
            prop_assert_eq!(without_revisions(&again), without_revisions(&tree));
            prop_assert_eq!(again.node_count(), tree.node_count());
            prop_assert_eq!(again.byte_count(), tree.byte_count());
            prop_assert_eq!(copy.byte_count(), tree.byte_count());
        }
    }
}
