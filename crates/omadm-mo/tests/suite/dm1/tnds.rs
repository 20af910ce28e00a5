//! TNDS documents (`DM 1.3 TNDS`): added, put in the place of what is there, and given to the Inbox.

use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};

use super::*;

fn leaf_node(name: &str, value: &str) -> SnapshotNode {
    SnapshotNode {
        name: Some(name.into()),
        value: Some(Value::Text(value.into())),
        ..SnapshotNode::default()
    }
}
fn inner(name: &str, children: impl IntoIterator<Item = SnapshotNode>) -> SnapshotNode {
    let children = children.into_iter().collect();
    SnapshotNode { name: Some(name.into()), format: Some(Format::Node), children, ..SnapshotNode::default() }
}
fn object(name: &str, moid: &str, children: impl IntoIterator<Item = SnapshotNode>) -> SnapshotNode {
    SnapshotNode { kind: Some(SnapshotType::DdfName(moid.into())), ..inner(name, children) }
}
fn with_path(path: &str, node: SnapshotNode) -> SnapshotNode {
    SnapshotNode { path: Some(path.into()), ..node }
}
fn with_acl(acl: &str, node: SnapshotNode) -> SnapshotNode {
    SnapshotNode { acl: Some(acl.into()), ..node }
}
fn document(nodes: impl IntoIterator<Item = SnapshotNode>) -> Snapshot {
    Snapshot { nodes: nodes.into_iter().collect() }
}
fn add_tree(tree: &mut Tree, server: &str, uri: &str, nodes: impl IntoIterator<Item = SnapshotNode>) -> u16 {
    let document = document(nodes);
    command(tree, server, |change| change.dm1_add_tree(&at_uri(uri), &document))
}
fn replace_tree(
    tree: &mut Tree,
    server: &str,
    uri: &str,
    nodes: impl IntoIterator<Item = SnapshotNode>,
) -> u16 {
    let document = document(nodes);
    command(tree, server, |change| change.dm1_replace_tree(&at_uri(uri), &document))
}

/// Path and value of everything at and below an address.
fn content(tree: &Tree, uri: &str) -> Vec<String> {
    let items = get(tree, "device", &format!("{uri}?list=StructData")).unwrap_or_default();
    items.iter().map(|item| format!("{}={}", item.uri, text_of(&item.content))).collect()
}

const A: [&str; 4] = ["./A=-", "./A/B=-", "./A/B/c=1", "./A/d=2"];

#[test]
fn nested_and_spread_documents_are_the_same() {
    let nested = [inner("A", [inner("B", [leaf_node("c", "1")]), leaf_node("d", "2")])];
    let spread = [
        with_path("A/B", leaf_node("c", "1")),
        with_path("A", leaf_node("d", "2")),
        with_path("./A", SnapshotNode { name: Some("B".into()), ..SnapshotNode::default() }),
        SnapshotNode { name: Some(" A ".into()), ..SnapshotNode::default() },
    ];
    let mut unsaid = nested.clone();
    unsaid[0].format = None;
    unsaid[0].children[0].format = None;
    for nodes in [nested.to_vec(), spread.to_vec(), unsaid.to_vec()] {
        let mut tree = device();
        assert_eq!(add_tree(&mut tree, "S1", ".", nodes), 200);
        assert_eq!(content(&tree, "./A"), A);
    }
}

#[test]
fn the_first_node_is_the_target_if_it_has_no_name() {
    let nodes = [inner("", [inner("B", [leaf_node("c", "1")]), leaf_node("d", "2")])];
    let mut tree = device();
    assert_eq!(add_tree(&mut tree, "S1", "./A", nodes.clone()), 200);
    assert_eq!(content(&tree, "./A"), A);
    assert_eq!(add_tree(&mut tree, "S1", "./A", nodes), 418);
    assert_eq!(add_tree(&mut tree, "S1", "./A/X/Y", [leaf_node("z", "3")]), 200);
    assert_eq!(content(&tree, "./A/X"), ["./A/X=-", "./A/X/Y=-", "./A/X/Y/z=3"]);
}

#[test]
fn a_document_that_fails_anywhere_changes_nothing() {
    let mut tree = device();
    assert_eq!(add_text(&mut tree, "S1", "./A/B/c", "0"), 200);
    let deep = |last: SnapshotNode| vec![inner("N", [leaf_node("a", "1"), inner("M", [last])])];
    let wrong = |format| SnapshotNode { format: Some(format), ..leaf_node("x", "many") };
    for (nodes, status) in [
        (deep(wrong(Format::Int)), 500),
        (deep(leaf_node("a/b", "")), 404),
        (deep(leaf_node("..", "")), 404),
        (deep(leaf_node("", "")), 500),
        (deep(with_acl("Get=", leaf_node("x", ""))), 500),
        (deep(SnapshotNode { title: Some("t".repeat(256)), ..leaf_node("x", "") }), 413),
        (deep(object("D", "urn:test:bench:1.0", [leaf_node("Count", "many")])), 500),
        (deep(object("D", "urn:test:bench:1.0", [leaf_node("None", "")])), 405),
        (deep(SnapshotNode { children: vec![leaf_node("y", "")], ..leaf_node("x", "") }), 500),
        (vec![inner("N", []), inner("N", [])], 418),
        (vec![inner("N", []), with_path("A/B", leaf_node("c", "1"))], 418),
        (vec![inner("N", []), with_path("A/B/c", leaf_node("e", "1"))], 405),
        (vec![inner("N", []), with_path("../A", leaf_node("e", "1"))], 404),
    ] {
        let label = format!("{nodes:?}");
        assert_eq!(add_tree(&mut tree, "S1", ".", nodes), status, "{label}");
    }
    assert_eq!(content(&tree, "./A"), ["./A=-", "./A/B=-", "./A/B/c=0"]);
}

#[test]
fn add_is_looked_for_where_the_tree_was_before() {
    let mut tree = device();
    assert_eq!(add_interior(&mut tree, "device", "./Shut"), 200);
    assert_eq!(set(&mut tree, "device", "./Shut?prop=ACL", "Get=*"), 200);
    assert_eq!(add_tree(&mut tree, "S1", "./Shut", [leaf_node("a", "1")]), 425);
    assert_eq!(
        add_tree(&mut tree, "S1", ".", [leaf_node("a", "1"), with_path("Shut", leaf_node("b", "1"))]),
        425
    );
    // Inside a new node the creator may, and others may not.
    assert_eq!(add_tree(&mut tree, "S1", ".", [inner("New", [inner("In", [leaf_node("a", "1")])])]), 200);
    assert_eq!(acl(&tree, "./New"), "Add=S1&Delete=S1&Get=*&Replace=S1");
    assert_eq!(acl(&tree, "./New/In"), "");
    assert_eq!(add_tree(&mut tree, "S2", "./New", [leaf_node("b", "1")]), 425);
}

#[test]
fn acls_of_a_document_are_those_that_its_sender_could_set() {
    let mut tree = device();
    let nodes =
        [with_acl("Get=S2", inner("A", [with_acl("Get=*", leaf_node("x", "1")), leaf_node("y", "1")]))];
    assert_eq!(add_tree(&mut tree, "S1", ".", nodes), 200);
    assert_eq!((acl(&tree, "./A"), acl(&tree, "./A/x")), ("Get=S2".into(), "Get=*".into()));
    assert_eq!(add_interior(&mut tree, "device", "./Open"), 200);
    assert_eq!(set(&mut tree, "device", "./Open?prop=ACL", "Add=*&Get=*"), 200);
    // Without Replace on the parent the ACL of a leaf is not its sender's.
    assert_eq!(add_tree(&mut tree, "S1", "./Open", [with_acl("Get=S1", leaf_node("x", "1"))]), 425);
    assert_eq!(add_tree(&mut tree, "S1", "./Open", [with_acl("Get=S1", inner("x", []))]), 200);
}

#[test]
fn a_replaced_tree_is_the_document() {
    let mut tree = device();
    for uri in ["./A/B/c", "./A/B/gone", "./A/gone/deep", "./A/d"] {
        assert_eq!(add_text(&mut tree, "S1", uri, "0"), 200);
    }
    assert_eq!(set(&mut tree, "S1", "./A/d?prop=ACL", "Get=*&Replace=S1"), 200);
    let nodes = [inner(
        "A",
        [inner("B", [leaf_node("c", "1")]), leaf_node("d", "0"), inner("new", [leaf_node("e", "3")])],
    )];
    assert_eq!(replace_tree(&mut tree, "S1", "./A", nodes.clone()), 200);
    let expected = ["./A=-", "./A/B=-", "./A/B/c=1", "./A/d=0", "./A/new=-", "./A/new/e=3"];
    assert_eq!(content(&tree, "./A"), expected);
    assert_eq!(acl(&tree, "./A/d"), "Get=*&Replace=S1");
    // The same without the name of the target, and with its children alone.
    let [top] = &nodes;
    let unnamed = [SnapshotNode { name: Some(String::new()), ..top.clone() }];
    for nodes in [unnamed.to_vec(), top.children.clone()] {
        assert_eq!(add_text(&mut tree, "S1", "./A/more", "0"), 200);
        assert_eq!(replace_tree(&mut tree, "S1", "./A", nodes), 200);
        assert_eq!(content(&tree, "./A"), expected);
    }
    assert_eq!(replace_tree(&mut tree, "S1", "./A/d", [leaf_node("d", "9")]), 200);
    assert_eq!(shown(&tree, "S1", "./A/d").unwrap(), "9");
    // A leaf that becomes an interior node is another node.
    assert_eq!(replace_tree(&mut tree, "S1", "./A", [leaf_node("B", "leaf"), inner("d", [])]), 425);
    assert_eq!(set(&mut tree, "S1", "./A/d?prop=ACL", ""), 200);
    assert_eq!(replace_tree(&mut tree, "S1", "./A", [leaf_node("B", "leaf"), inner("d", [])]), 200);
    assert_eq!(content(&tree, "./A"), ["./A=-", "./A/B=leaf", "./A/d=-"]);
    assert_eq!(replace_tree(&mut tree, "S1", "./none", [inner("none", [])]), 404);
    assert_eq!(replace_tree(&mut tree, "device", ".", [inner("none", [])]), 405);
}

#[test]
fn a_replaced_tree_takes_the_rights_of_each_change() {
    let mut tree = device();
    assert_eq!(add_text(&mut tree, "device", "./A/x", "0"), 200);
    assert_eq!(add_text(&mut tree, "device", "./A/y", "0"), 200);
    for (acl, nodes, status) in [
        ("Get=*", vec![leaf_node("x", "0"), leaf_node("y", "0")], 425),
        ("Get=*&Replace=S1", vec![leaf_node("x", "0"), leaf_node("y", "1")], 200),
        ("Get=*&Replace=S1", vec![leaf_node("x", "0")], 425),
        ("Get=*&Replace=S1", vec![leaf_node("x", "0"), leaf_node("y", "1"), leaf_node("z", "1")], 425),
        (
            "Get=*&Replace=S1&Delete=S1",
            vec![leaf_node("x", "0"), leaf_node("y", "1"), leaf_node("z", "1")],
            425,
        ),
        ("Get=*&Replace=S1&Add=S1", vec![leaf_node("x", "0"), leaf_node("y", "1"), leaf_node("z", "1")], 200),
        ("Get=*&Replace=S1&Delete=S1", vec![leaf_node("x", "0")], 200),
    ] {
        assert_eq!(set(&mut tree, "device", "./A?prop=ACL", acl), 200);
        assert_eq!(replace_tree(&mut tree, "S1", "./A", nodes), status, "{acl}");
    }
    // A value that may not be read is not found out by replacing it with itself.
    assert_eq!(set(&mut tree, "device", "./A/x?prop=ACL", "Delete=S1"), 200);
    for guess in ["0", "1"] {
        assert_eq!(replace_tree(&mut tree, "S1", "./A", [leaf_node("x", guess)]), 425);
    }
}

#[test]
fn permanent_nodes_stay_when_a_document_lacks_them() {
    let mut tree = device();
    assert_eq!(set(&mut tree, "device", "./Lab/one?prop=ACL", "Add=S1&Delete=S1&Get=*&Replace=S1"), 200);
    assert_eq!(
        replace_tree(&mut tree, "S1", "./Lab/one", [object("one", BENCH, [leaf_node("Flag", "TRUE")])]),
        200
    );
    assert_eq!(
        content(&tree, "./Lab/one"),
        ["./Lab/one=-", "./Lab/one/Flag=true", "./Lab/one/Name=b", "./Lab/one/Serial=S0"]
    );
    for (nodes, status) in [
        (vec![object("one", CONN, [])], 405),
        (vec![inner("one", [leaf_node("Serial", "S1")])], 405),
        (vec![inner("one", [inner("Serial", [])])], 405),
        (vec![inner("one", [leaf_node("Serial", "S0"), leaf_node("Name", "c")])], 200),
    ] {
        let label = format!("{nodes:?}");
        assert_eq!(replace_tree(&mut tree, "S1", "./Lab/one", nodes), status, "{label}");
    }
}

#[test]
fn what_was_read_as_a_document_can_be_put_back() {
    let mut tree = device();
    assert_eq!(add(&mut tree, "device", "./Lab/one/Blob", of(Format::B64, "AAEC")), 200);
    assert_eq!(add_text(&mut tree, "device", "./Lab/one/Folded/K", "k"), 200);
    assert_eq!(set(&mut tree, "device", "./Lab/one/Folded?prop=Title", "Keys"), 200);
    let before = get(&tree, "device", "./Lab/one?list=TNDS-TStamp-VerNo").unwrap();
    let ReadContent::Tree(snapshot) = &before[0].content else { panic!("{before:?}") };
    for uri in ["./Lab/one/Blob", "./Lab/one/Folded", "./Lab/one/Count"] {
        assert_eq!(delete(&mut tree, "device", uri), 200);
    }
    let nodes = snapshot.nodes.clone();
    assert_eq!(replace_tree(&mut tree, "device", "./Lab/one", nodes.clone()), 200);
    assert_eq!(get(&tree, "device", "./Lab/one?list=TNDS-TStamp-VerNo").unwrap(), before);
    assert_eq!(delete(&mut tree, "device", "./Lab/one"), 200);
    assert_eq!(add_tree(&mut tree, "device", "./Lab", nodes), 200);
    assert_eq!(get(&tree, "device", "./Lab/one?list=TNDS-TStamp-VerNo").unwrap(), before);
}

#[test]
fn an_account_is_placed_by_the_inbox() {
    let mut tree = device();
    let account = |server: &str, reference: &str| {
        let secret = inner("1", [leaf_node("AAuthLevel", "CLCRED"), leaf_node("AAuthSecret", "s")]);
        let children = [
            leaf_node("AppID", "w7"),
            leaf_node("ServerID", server),
            leaf_node("PrefConRef", reference),
            inner("AppAuth", [secret]),
        ];
        object("acc", ACC, children)
    };
    let net = || object("net", CONN, [leaf_node("Addr", "apn")]);
    assert_eq!(add_tree(&mut tree, "S1", "./Inbox", [account("S1", "./Inbox/net"), net()]), 200);
    assert_eq!(shown(&tree, "S1", "./DMAcc/acc/PrefConRef").unwrap(), "./Conn/net");
    assert_eq!(shown(&tree, "S1", "./Conn/net/Addr").unwrap(), "apn");
    assert_eq!(shown(&tree, "S1", "./DMAcc/acc?prop=Type").unwrap(), ACC);
    assert_eq!(status_of_get(&tree, "S1", "./DMAcc/acc/AppAuth/1/AAuthSecret"), 405);
    assert_eq!(get(&tree, "device", "./Inbox?list=Struct").unwrap().len(), 1);
    // Rights go by the identifier: no server gets those of another by an account of its own.
    assert_eq!(add_tree(&mut tree, "S2", "./Inbox", [account("S1", "")]), 403);
    // A name that is taken gets another, and what refers to it follows.
    assert_eq!(add_tree(&mut tree, "S1", "./Inbox", [account("S2", "./Inbox/net/"), net(), net()]), 418);
    assert_eq!(add_tree(&mut tree, "S2", "./Inbox", [account("S2", "./Inbox/net"), net()]), 200);
    let names = shown(&tree, "S1", "./Conn").unwrap();
    let other = names.split('/').find(|name| *name != "net").unwrap();
    let account = shown(&tree, "S1", "./DMAcc").unwrap();
    let account = account.split('/').find(|name| *name != "acc").unwrap();
    assert_eq!(
        shown(&tree, "S1", &format!("./DMAcc/{account}/PrefConRef")).unwrap(),
        format!("./Conn/{other}")
    );
}

#[test]
fn the_inbox_refuses_what_has_no_place() {
    let mut tree = device();
    for (nodes, status) in [
        (vec![inner("x", [])], 415),
        (vec![leaf_node("x", "v")], 415),
        (vec![object("x", "urn:test:unknown:1.0", [])], 404),
        (vec![object("x", CONN, []), object("y", "urn:test:unknown:1.0", [])], 404),
        (vec![object("x", CONN, [leaf_node("None", "v")])], 405),
        // The permanent object is there, and this server may not replace what is in it.
        (vec![object("x", "urn:oma:mo:oma-dm-devinfo:1.0", [leaf_node("Man", "Other")])], 425),
    ] {
        let label = format!("{nodes:?}");
        assert_eq!(add_tree(&mut tree, "S1", "./Inbox", nodes), status, "{label}");
    }
    assert_eq!(add(&mut tree, "S1", "./Inbox/lan", interior(Some(CONN))), 200);
    assert_eq!(shown(&tree, "S1", "./Conn").unwrap(), "lan");
    assert_eq!(add(&mut tree, "S1", "./Inbox", interior(Some(CONN))), 200);
    assert_eq!(shown(&tree, "S1", "./Conn").unwrap(), "1/lan");
    assert_eq!(add_text(&mut tree, "S1", "./Inbox/x", "v"), 415);
    assert_eq!(set(&mut tree, "device", "./Inbox?prop=ACL", "Add=S2"), 200);
    assert_eq!(add(&mut tree, "S1", "./Inbox/wan", interior(Some(CONN))), 425);
    assert_eq!(status_of_get(&tree, "S1", "./Inbox"), 405);
    assert_eq!(add(&mut tree, "S2", "./Inbox/wan", interior(Some(CONN))), 200);
}

#[test]
fn a_document_fills_the_device_and_no_more() {
    let mut tree = Tree::new(Arc::new(objects()), Quota { nodes: 1000, bytes: 1 << 20, depth: 8 });
    let many = |count: usize| inner("M", (0..count).map(|at| leaf_node(&at.to_string(), "v")));
    assert_eq!(add_tree(&mut tree, "S1", ".", [many(999)]), 420);
    assert_eq!(add_tree(&mut tree, "S1", ".", [many(998)]), 200);
    assert_eq!(tree.node_count(), 1000);
    assert_eq!(replace_tree(&mut tree, "S1", "./M", [many(999)]), 420);
    let deep = |depth: usize| (0..depth).fold(leaf_node("v", ""), |below, _| inner("n", [below]));
    assert_eq!(delete(&mut tree, "S1", "./M"), 200);
    assert_eq!(add_tree(&mut tree, "S1", ".", [deep(8)]), 420);
    assert_eq!(add_tree(&mut tree, "S1", ".", [deep(7)]), 200);
    assert_eq!(add_tree(&mut tree, "S1", ".", [deep(200)]), 420);
    let far = format!("{}x", "n/".repeat(200));
    assert_eq!(add_tree(&mut tree, "S1", ".", [with_path(&far, leaf_node("v", ""))]), 420);
    assert_eq!(add_text(&mut tree, "S1", &far, ""), 420);
}
