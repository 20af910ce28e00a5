//! Random commands against a model that is a map of paths: statuses, structure, values, ACLs, titles and versions.

use std::collections::{BTreeMap, BTreeSet};

use omadm_mo::dm1::{Snapshot, SnapshotNode};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

type Path = Vec<String>;
/// Command and servers.
type Rights = BTreeMap<&'static str, BTreeSet<&'static str>>;

#[derive(Clone, Debug)]
enum Command {
    Add(Path, Option<String>),
    Replace(Path, String),
    Delete(Path),
    Rename(Path, String),
    Title(Path, String),
    Acl(Path, Rights),
    Copy(Path, Path),
    Document(Path, Vec<SnapshotNode>),
    Put(Path, Vec<SnapshotNode>),
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    /// `None` is interior.
    value: Option<String>,
    acl: Rights,
    title: Option<String>,
    ver_no: u16,
}

#[derive(Debug)]
struct Model {
    nodes: BTreeMap<Path, Node>,
}

fn any_path() -> impl Strategy<Value = Path> {
    vec("[ab]", 0..4)
}
fn any_rights() -> impl Strategy<Value = Rights> {
    let servers = || prop::collection::btree_set(prop::sample::select(vec!["S1", "S2", "*"]), 1..3);
    let commands = prop::sample::subsequence(vec!["Add", "Delete", "Exec", "Get", "Replace"], 0..=5);
    (commands, vec(servers(), 5)).prop_map(|(commands, servers)| commands.into_iter().zip(servers).collect())
}
fn any_value() -> impl Strategy<Value = String> {
    "[xyz]{0,3}"
}
fn any_nodes(depth: u32) -> BoxedStrategy<Vec<SnapshotNode>> {
    let children = if depth == 0 { Just(Vec::new()).boxed() } else { any_nodes(depth - 1) };
    let node = ("[abc]", prop::option::of(any_value()), children, prop::option::weighted(0.2, any_rights()));
    let node = node.prop_map(|(name, value, children, acl)| {
        let value = value.filter(|_| children.is_empty());
        SnapshotNode {
            name: Some(name),
            format: Some(if value.is_some() { Format::Chr } else { Format::Node }),
            value: value.map(Value::Text),
            acl: acl.map(|acl| text_of_rights(&acl)),
            children,
            ..SnapshotNode::default()
        }
    });
    vec(node, 0..3).boxed()
}
/// Commands on single nodes.
fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        6 => (any_path(), prop::option::of(any_value())).prop_map(|(path, value)| Command::Add(path, value)),
        2 => (any_path(), any_value()).prop_map(|(path, value)| Command::Replace(path, value)),
        1 => any_path().prop_map(Command::Delete),
        1 => (any_path(), "[abc]").prop_map(|(path, name)| Command::Rename(path, name)),
        1 => (any_path(), any_value()).prop_map(|(path, title)| Command::Title(path, title)),
        2 => (any_path(), any_rights()).prop_map(|(path, acl)| Command::Acl(path, acl)),
        1 => (any_path(), any_path()).prop_map(|(from, to)| Command::Copy(from, to)),
    ]
}
fn any_document() -> impl Strategy<Value = Command> {
    prop_oneof![
        (any_path(), any_nodes(2)).prop_map(|(path, nodes)| Command::Document(path, nodes)),
        (any_path(), any_nodes(2)).prop_map(|(path, nodes)| Command::Put(path, nodes)),
    ]
}
fn any_server() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["S1", "S2", "S3"])
}

fn text_of_rights(rights: &Rights) -> String {
    let entry = |(command, servers): (&&str, &BTreeSet<&str>)| {
        let servers: Vec<&str> = servers.iter().copied().collect();
        format!("{command}={}", servers.join("+"))
    };
    rights.iter().map(entry).collect::<Vec<_>>().join("&")
}

fn address(path: &[String]) -> String {
    path.iter().fold(String::from("."), |address, name| address + "/" + name)
}

fn rights(entries: &[(&'static str, &[&'static str])]) -> Rights {
    entries.iter().map(|(command, servers)| (*command, servers.iter().copied().collect())).collect()
}

impl Model {
    fn new() -> Self {
        Self { nodes: BTreeMap::from([(Path::new(), Node::default())]) }
    }

    fn effective(&self, path: &[String]) -> Rights {
        let own = (0..=path.len()).rev().find_map(|to| {
            self.nodes.get(&path[..to]).map(|node| node.acl.clone()).filter(|acl| !acl.is_empty())
        });
        own.unwrap_or_else(|| rights(&[("Add", &["*"]), ("Get", &["*"])]))
    }

    fn may(&self, server: &str, path: &[String], command: &str) -> bool {
        let acl = self.effective(path);
        acl.get(command).is_some_and(|servers| servers.contains(server) || servers.contains("*"))
    }

    fn may_any(&self, server: &str, path: &[String]) -> bool {
        ["Add", "Delete", "Exec", "Get", "Replace"].iter().any(|command| self.may(server, path, command))
    }

    /// The longest part of a path that is there.
    fn deepest<'p>(&self, path: &'p [String]) -> &'p [String] {
        (0..=path.len()).rev().map(|to| &path[..to]).find(|path| self.nodes.contains_key(*path)).unwrap()
    }

    /// 404, or 425 where nothing is told.
    fn missing(&self, server: &str, path: &[String]) -> Option<u16> {
        let there = self.deepest(path);
        (there != path).then(|| if self.may_any(server, there) { 404 } else { 425 })
    }

    fn change(&mut self, path: &[String], change: impl FnOnce(&mut Node)) {
        let node = self.nodes.get_mut(path).unwrap();
        change(node);
        node.ver_no += 1;
    }

    fn add(&mut self, server: &'static str, path: &[String], value: Option<String>) -> u16 {
        let there = self.deepest(path).to_vec();
        if there == path {
            return if self.may_any(server, path) { 418 } else { 425 };
        }
        if self.nodes[&there].value.is_some() {
            return 405;
        }
        if !self.may(server, &there, "Add") {
            return 425;
        }
        let may_replace = self.may(server, &there, "Replace");
        let get = self.effective(&there).remove("Get").unwrap_or_default();
        self.change(&there, |_| {});
        for to in there.len() + 1..=path.len() {
            let value = value.clone().filter(|_| to == path.len());
            let mut node = Node { value, ..Node::default() };
            if to == there.len() + 1 && node.value.is_none() && !may_replace {
                let mut get = get.clone();
                get.insert(server);
                if get.contains("*") {
                    get = BTreeSet::from(["*"]);
                }
                node.acl = rights(&[("Add", &[server]), ("Delete", &[server]), ("Replace", &[server])]);
                node.acl.insert("Get", get);
            }
            self.nodes.insert(path[..to].to_vec(), node);
        }
        200
    }

    fn replace(&mut self, server: &str, path: &[String], value: String) -> u16 {
        if let Some(status) = self.missing(server, path) {
            return status;
        }
        if !self.may(server, path, "Replace") {
            return 425;
        }
        if self.nodes[path].value.is_none() {
            return 405;
        }
        self.change(path, |node| node.value = Some(value));
        200
    }

    fn delete(&mut self, server: &str, path: &[String]) -> u16 {
        match path.split_last() {
            None => 405,
            Some((_, above)) => match self.missing(server, path) {
                Some(status) => status,
                None if !self.may(server, path, "Delete") => 425,
                None => {
                    self.nodes.retain(|other, _| !other.starts_with(path));
                    self.change(above, |_| {});
                    200
                }
            },
        }
    }

    fn rename(&mut self, server: &str, path: &[String], name: String) -> u16 {
        if let Some(status) = self.missing(server, path) {
            return status;
        }
        if !self.may(server, path, "Replace") {
            return 425;
        }
        let Some((old, above)) = path.split_last() else { return 405 };
        if *old == name {
            return 200;
        }
        let new = [above, &[name]].concat();
        if self.nodes.contains_key(&new) {
            return 418;
        }
        let nodes = std::mem::take(&mut self.nodes);
        let moved = |old: Path| match old.strip_prefix(path) {
            Some(below) => [new.as_slice(), below].concat(),
            None => old,
        };
        self.nodes = nodes.into_iter().map(|(path, node)| (moved(path), node)).collect();
        self.change(&new, |_| {});
        self.change(above, |_| {});
        200
    }

    fn set_acl(&mut self, server: &str, path: &[String], acl: Rights) -> u16 {
        if let Some(status) = self.missing(server, path) {
            return status;
        }
        let interior = self.nodes[path].value.is_none();
        let by_parent = path.split_last().is_some_and(|(_, above)| self.may(server, above, "Replace"));
        if !(by_parent || interior && self.may(server, path, "Replace")) {
            return 425;
        }
        if path.is_empty() && !acl.get("Add").is_some_and(|servers| servers.contains("*")) {
            return 405;
        }
        self.change(path, |node| node.acl = acl);
        200
    }

    fn set_title(&mut self, server: &str, path: &[String], title: String) -> u16 {
        if let Some(status) = self.missing(server, path) {
            return status;
        }
        if !self.may(server, path, "Replace") {
            return 425;
        }
        self.change(path, |node| node.title = Some(title).filter(|title| !title.is_empty()));
        200
    }

    fn copy(&mut self, server: &'static str, from: &[String], to: &[String]) -> u16 {
        if let Some(status) = self.missing(server, from) {
            return status;
        }
        if !self.may(server, from, "Get") {
            return 425;
        }
        let Some(value) = self.nodes[from].value.clone() else { return 403 };
        match self.nodes.get(to).map(|node| node.value.is_some()) {
            None => self.add(server, to, Some(value)),
            Some(true) => self.replace(server, to, value),
            Some(false) => 403,
        }
    }

    fn run(&mut self, server: &'static str, command: Command) -> u16 {
        match command {
            Command::Add(path, value) => self.add(server, &path, value),
            Command::Replace(path, value) => self.replace(server, &path, value),
            Command::Delete(path) => self.delete(server, &path),
            Command::Rename(path, name) => self.rename(server, &path, name),
            Command::Title(path, title) => self.set_title(server, &path, title),
            Command::Acl(path, acl) => self.set_acl(server, &path, acl),
            Command::Copy(from, to) => self.copy(server, &from, &to),
            Command::Document(..) | Command::Put(..) => unreachable!("the model has no documents"),
        }
    }

    /// What a server may read, parents before what is in them.
    fn readable(&self, server: &str) -> Vec<String> {
        let reads = |path: &Path| (0..=path.len()).all(|to| self.may(server, &path[..to], "Get"));
        self.nodes.keys().filter(|path| reads(path)).map(|path| address(path)).collect()
    }
}

fn send(change: &mut Change<'_>, command: &Command) -> Result<(), Dm1Error> {
    let uri = |path: &Path| at_uri(&address(path));
    let property = |path: &Path, name: &str| at_uri(&format!("{}?prop={name}", address(path)));
    match command {
        Command::Add(path, None) => change.dm1_add(&uri(path), interior(None)),
        Command::Add(path, Some(value)) => change.dm1_add(&uri(path), chr(value)),
        Command::Replace(path, value) => change.dm1_replace(&uri(path), chr(value)),
        Command::Delete(path) => change.dm1_delete(&uri(path)),
        Command::Rename(path, name) => change.dm1_set_property(&property(path, "Name"), name),
        Command::Title(path, title) => change.dm1_set_property(&property(path, "Title"), title),
        Command::Acl(path, acl) => change.dm1_set_property(&property(path, "ACL"), &text_of_rights(acl)),
        Command::Copy(from, to) => change.dm1_copy(&uri(from), &uri(to)),
        Command::Document(path, nodes) => change.dm1_add_tree(&uri(path), &Snapshot { nodes: nodes.clone() }),
        Command::Put(path, nodes) => change.dm1_replace_tree(&uri(path), &Snapshot { nodes: nodes.clone() }),
    }
}

/// Runs a command once in vain and once for good; what was undone has to be as before.
fn run(tree: &mut Tree, server: &str, command: &Command) -> u16 {
    let before = snapshot(tree);
    let size = (tree.node_count(), tree.byte_count());
    let mut change = tree.begin(actor(server), now());
    let _ = send(&mut change, command);
    drop(change);
    assert_eq!((snapshot(tree), tree.node_count(), tree.byte_count()), (before.clone(), size.0, size.1));
    let mut change = tree.begin(actor(server), now());
    let status = send(&mut change, command).map_or_else(|error| error.status(), |()| 200);
    let prepared = change.prepare();
    let after = snapshot(tree);
    let mut journal = Tree::new(Arc::clone(tree.catalogue()), tree.quota());
    let records = prepared.records(tree);
    assert!(tree.revert(prepared));
    assert_eq!((snapshot(tree), tree.node_count(), tree.byte_count()), (before.clone(), size.0, size.1));
    for (path, record) in before.into_iter().map(|(path, record)| (path, Some(record))).chain(records) {
        journal.restore(&path, record).unwrap();
    }
    assert_eq!(snapshot(&journal), after, "the journal does not repeat {command:?}");
    assert_eq!(self::command(tree, server, |change| send(change, command)), status);
    status
}

/// The tree in the terms of the model.
fn seen(tree: &Tree) -> BTreeMap<Path, Node> {
    let node = |path: &omadm_mo::NodePath, record: &omadm_mo::NodeRecord| {
        let path: Path = path.iter().map(|name| name.as_str().to_owned()).collect();
        let uri = if path.is_empty() { String::from(".") } else { address(&path) };
        let acl = acl(tree, &uri);
        let node = Node {
            value: record.value.as_ref().map(Value::to_text),
            acl: parse_rights(if path.is_empty() && acl == "Add=*&Get=*" { "" } else { &acl }),
            title: record.properties.title.clone(),
            ver_no: record.properties.ver_no,
        };
        (path, node)
    };
    snapshot(tree).iter().map(|(path, record)| node(path, record)).collect()
}

fn parse_rights(text: &str) -> Rights {
    let known = |text: &str, of: &[&'static str]| *of.iter().find(|known| **known == text).unwrap();
    let entry = |entry: &str| {
        let (command, servers) = entry.split_once('=').unwrap();
        let servers = servers.split('+').map(|server| known(server, &["S1", "S2", "S3", "*"])).collect();
        (known(command, &["Add", "Delete", "Exec", "Get", "Replace"]), servers)
    };
    text.split('&').filter(|text| !text.is_empty()).map(entry).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn commands_do_what_the_model_does(commands in vec((any_server(), any_command()), 1..40)) {
        let mut tree = Tree::new(Arc::new(objects()), Quota::default());
        let mut model = Model::new();
        for (server, command) in commands {
            let expected = model.run(server, command.clone());
            prop_assert_eq!(run(&mut tree, server, &command), expected, "{} {:?}", server, command);
            // The factory's ACL may be written out; it means the same.
            let root = model.nodes.get_mut(&Path::new()).unwrap();
            if text_of_rights(&root.acl) == "Add=*&Get=*" {
                root.acl.clear();
            }
            prop_assert_eq!(&seen(&tree), &model.nodes, "{} {:?}", server, command);
            for server in ["S1", "S3"] {
                let listed = get(&tree, server, ".?list=Struct").map_or_else(|_| Vec::new(), |items| {
                    items.into_iter().map(|item| item.uri).collect()
                });
                prop_assert_eq!(listed, model.readable(server));
            }
        }
    }

    #[test]
    fn documents_are_all_or_nothing(
        commands in vec((any_server(), prop_oneof![any_command().boxed(), any_document().boxed()]), 1..20),
    ) {
        let mut tree = Tree::new(Arc::new(objects()), Quota { nodes: 14, bytes: 400, depth: 5 });
        for (server, command) in commands {
            let status = run(&mut tree, server, &command);
            prop_assert!([200, 403, 404, 405, 413, 418, 420, 425, 500].contains(&status), "{}", status);
            if let (200, Command::Put(path, nodes)) = (status, &command) {
                let wanted: BTreeSet<&str> = nodes.iter().filter_map(|node| node.name.as_deref()).collect();
                let is_target = nodes.first().is_some_and(|first| first.name.as_ref() == path.last());
                if !is_target && !nodes.is_empty() {
                    let names = shown(&tree, "device", &address(path)).unwrap();
                    prop_assert_eq!(names.split('/').collect::<BTreeSet<_>>(), wanted);
                }
            }
        }
    }
}
