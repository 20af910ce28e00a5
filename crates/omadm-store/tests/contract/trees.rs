//! Last known trees: order, prefixes, and what an update takes away.

use omadm_mo::DeviceId;
use omadm_store::{SessionStep, Store, TreeAddress, TreeNode, TreeUpdate};

use crate::support::*;

type Nodes = Vec<(TreeAddress, Option<String>)>;

/// Nodes of `m/i` from lines such as `/a/b=1`; without `=` an interior node.
fn nodes(lines: &[&str]) -> Nodes {
    lines
        .iter()
        .map(|line| match line.split_once('=') {
            Some((path, value)) => (address("m", "i", path), Some(value.to_owned())),
            None => (address("m", "i", line), None),
        })
        .collect()
}

async fn update(store: &dyn Store, device: &DeviceId, now: i64, tree: Vec<TreeUpdate>) {
    store.apply(SessionStep { tree, ..step(device, at(now)) }).await.unwrap();
}

async fn replace(store: &dyn Store, device: &DeviceId, path: &str, lines: &[&str]) {
    let change = TreeUpdate::Replace { at: address("m", "i", path), nodes: nodes(lines) };
    update(store, device, 20, vec![change]).await;
}

fn line(node: &TreeNode) -> String {
    let value = node.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
    format!("{}{value}", node.at.path)
}

/// All of `m/i` as lines.
async fn lines(store: &dyn Store, device: &DeviceId) -> Vec<String> {
    let found = store.tree(device, &address("m", "i", ""), None, 1000).await.unwrap();
    found.iter().map(line).collect()
}

const SIBLINGS: [&str; 9] = ["", "/a", "/a-b=1", "/a.b=2", "/a/b=3", "/a/c", "/a/c/d=4", "/a0=5", "/ab=6"];

async fn with_siblings(store: &dyn Store) -> DeviceId {
    let a = enrolled(store, "a").await;
    replace(store, &a, "", &SIBLINGS).await;
    for (moid, miid) in [("m", "j"), ("m", "i-2"), ("ma", "i"), ("l", "i")] {
        let merge = TreeUpdate::Merge { nodes: vec![(address(moid, miid, "/x"), Some("0".to_owned()))] };
        update(store, &a, 20, vec![merge]).await;
    }
    a
}

pub async fn a_subtree_is_read_in_order(store: &dyn Store) {
    let a = with_siblings(store).await;
    assert_eq!(lines(store, &a).await, SIBLINGS);
    for (path, expected) in [
        ("/a", &["/a", "/a/b=3", "/a/c", "/a/c/d=4"][..]),
        ("/a/c", &["/a/c", "/a/c/d=4"]),
        ("/ab", &["/ab=6"]),
        ("/a-b", &["/a-b=1"]),
        ("/b", &[]),
        ("/a/", &[]),
    ] {
        let found = store.tree(&a, &address("m", "i", path), None, 100).await.unwrap();
        assert_eq!(found.iter().map(line).collect::<Vec<_>>(), expected, "{path}");
        assert!(found.iter().all(|node| node.seen == at(20)));
    }
    let instances = |found: Vec<TreeNode>| {
        let mut all: Vec<_> =
            found.into_iter().map(|node| format!("{}/{}", node.at.moid, node.at.miid)).collect();
        all.dedup();
        all
    };
    let of_moid = store.tree(&a, &address("m", "", ""), None, 100).await.unwrap();
    assert_eq!(instances(of_moid), ["m/i", "m/i-2", "m/j"]);
    let all = store.tree(&a, &address("", "", ""), None, 100).await.unwrap();
    assert!(all.is_sorted_by(|one, next| one.at < next.at));
    assert_eq!(instances(all), ["l/i", "m/i", "m/i-2", "m/j", "ma/i"]);
}

pub async fn a_listing_is_paged(store: &dyn Store) {
    let a = with_siblings(store).await;
    for scope in [address("", "", ""), address("m", "", ""), address("m", "i", "/a")] {
        let whole = store.tree(&a, &scope, None, 100).await.unwrap();
        let mut paged: Vec<TreeNode> = Vec::new();
        loop {
            let after = paged.last().map(|node| node.at.clone());
            let page = store.tree(&a, &scope, after, 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, whole, "{scope:?}");
    }
    let before = store.tree(&a, &address("m", "i", "/a"), Some(address("m", "i", "")), 1).await.unwrap();
    assert_eq!(line(&before[0]), "/a", "a cursor before the range begins it");
    let behind = store.tree(&a, &address("m", "i", "/a"), Some(address("m", "i", "/ab")), 9).await.unwrap();
    assert!(behind.is_empty());
}

pub async fn replacing_forgets_what_was_below(store: &dyn Store) {
    let a = with_siblings(store).await;
    replace(store, &a, "/a", &["/a", "/a/x=7"]).await;
    assert_eq!(lines(store, &a).await, ["", "/a", "/a-b=1", "/a.b=2", "/a/x=7", "/a0=5", "/ab=6"]);
    replace(store, &a, "/a", &[]).await;
    assert_eq!(lines(store, &a).await, ["", "/a-b=1", "/a.b=2", "/a0=5", "/ab=6"]);
    replace(store, &a, "", &["=9"]).await;
    assert_eq!(lines(store, &a).await, ["=9"]);
}

pub async fn removing_spares_the_siblings(store: &dyn Store) {
    let a = with_siblings(store).await;
    let remove =
        |moid: &str, miid: &str, path: &str| vec![TreeUpdate::Remove { at: address(moid, miid, path) }];
    update(store, &a, 21, remove("m", "i", "/a")).await;
    assert_eq!(lines(store, &a).await, ["", "/a-b=1", "/a.b=2", "/a0=5", "/ab=6"]);
    update(store, &a, 21, remove("m", "i", "")).await;
    assert_eq!(lines(store, &a).await, [""; 0]);
    let count = |found: Vec<TreeNode>| found.len();
    assert_eq!(count(store.tree(&a, &address("", "", ""), None, 100).await.unwrap()), 8);
    update(store, &a, 21, remove("m", "", "")).await;
    let left = store.tree(&a, &address("", "", ""), None, 100).await.unwrap();
    assert_eq!(left.iter().map(|node| node.at.moid.as_str()).collect::<Vec<_>>(), ["l", "l", "ma", "ma"]);
    update(store, &a, 21, remove("", "", "")).await;
    assert_eq!(count(store.tree(&a, &address("", "", ""), None, 100).await.unwrap()), 0);
}

pub async fn merging_keeps_what_is_deeper(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    replace(store, &a, "", &["", "/a", "/a/b", "/a/b/c=1", "/a/d=2", "/a/g", "/a/g/h=5", "/e=3", "/e-f=4"])
        .await;
    // One level of /a was read: d and g are gone, b is still there and what is below it unknown, n is new.
    update(store, &a, 30, vec![TreeUpdate::Merge { nodes: nodes(&["/a", "/a/b", "/a/n=6"]) }]).await;
    assert_eq!(lines(store, &a).await, ["", "/a", "/a/b", "/a/b/c=1", "/a/n=6", "/e=3", "/e-f=4"]);
    let seen = store.tree(&a, &address("m", "i", "/a"), None, 9).await.unwrap();
    assert_eq!(seen.iter().map(|node| node.seen).collect::<Vec<_>>(), [at(30), at(30), at(20), at(30)]);
    // Single nodes say nothing about their siblings; a leaf says that nothing is below it.
    update(store, &a, 31, vec![TreeUpdate::Merge { nodes: nodes(&["/e=8"]) }]).await;
    update(store, &a, 31, vec![TreeUpdate::Merge { nodes: nodes(&["/a/b=7"]) }]).await;
    update(store, &a, 31, vec![TreeUpdate::Merge { nodes: nodes(&["/a"]) }]).await;
    assert_eq!(lines(store, &a).await, ["", "/a", "/a/b=7", "/a/n=6", "/e=8", "/e-f=4"]);
}

pub async fn merging_tells_siblings_from_what_is_deeper(store: &dyn Store) {
    let a = with_siblings(store).await;
    update(store, &a, 30, vec![TreeUpdate::Merge { nodes: nodes(&["", "/a"]) }]).await;
    assert_eq!(lines(store, &a).await, ["", "/a", "/a/b=3", "/a/c", "/a/c/d=4"]);
    let others = store.tree(&a, &address("", "", ""), None, 100).await.unwrap();
    assert_eq!(others.len(), 5 + 8, "other instances and MOIDs are as they were");
}

pub async fn ancestors_are_made(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    replace(store, &a, "/a/b/c", &["/a/b/c=1"]).await;
    assert_eq!(lines(store, &a).await, ["", "/a", "/a/b", "/a/b/c=1"]);
    // What was a leaf has a child now.
    replace(store, &a, "/a/b/c/d", &["/a/b/c/d=2"]).await;
    assert_eq!(lines(store, &a).await, ["", "/a", "/a/b", "/a/b/c", "/a/b/c/d=2"]);
    update(store, &a, 30, vec![TreeUpdate::Merge { nodes: nodes(&["/x/y=3"]) }]).await;
    let tree = store.tree(&a, &address("m", "i", ""), None, 100).await.unwrap();
    let late: Vec<String> = tree.iter().filter(|node| node.seen == at(30)).map(line).collect();
    assert_eq!(late, ["/x", "/x/y=3"], "ancestors that were there are not seen anew");
}

pub async fn an_update_of_the_only_instance_needs_one(store: &dyn Store) {
    let a = enrolled(store, "a").await;
    let set = |value: &str| {
        let at = address("m", "", "/x");
        let nodes = vec![(at.clone(), Some(value.to_owned()))];
        vec![TreeUpdate::OfOnly(Box::new(TreeUpdate::Replace { at, nodes }))]
    };
    update(store, &a, 20, set("1")).await;
    assert!(lines(store, &a).await.is_empty(), "no instance was seen");
    replace(store, &a, "", &["", "/y=0"]).await;
    update(store, &a, 21, set("2")).await;
    assert_eq!(lines(store, &a).await, ["", "/x=2", "/y=0"]);
    let gone = TreeUpdate::OfOnly(Box::new(TreeUpdate::Remove { at: address("m", "", "/y") }));
    update(store, &a, 22, vec![gone]).await;
    let other = TreeUpdate::Merge { nodes: vec![(address("m", "j", "/x"), Some("3".to_owned()))] };
    update(store, &a, 23, vec![other]).await;
    update(store, &a, 24, set("4")).await;
    assert_eq!(lines(store, &a).await, ["", "/x=2"], "there are two instances");
}

pub async fn trees_of_devices_are_apart(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    replace(store, &a, "", &["", "/x=1"]).await;
    replace(store, &b, "", &["", "/x=2"]).await;
    update(store, &a, 30, vec![TreeUpdate::Remove { at: address("", "", "") }]).await;
    assert!(lines(store, &a).await.is_empty());
    assert_eq!(lines(store, &b).await, ["", "/x=2"]);
    assert!(store.tree(&device("c"), &address("", "", ""), None, 9).await.unwrap().is_empty());
}
