//! Storing what a server or a bootstrap sends (`DM 2.0 §5.3.1, §6.3, §8.5`). `write` checks that what is refused leaves no
//! trace.

use omadm_mo::{Actor, ClientUri, Content, OperationError, Quota, Tree, Value};

use crate::support::*;

fn put(tree: &mut Tree, address: &str, content: Content) -> Result<ClientUri, OperationError> {
    write(tree, as_server("DMS1"), |change| change.store_at(&uri(address), None, content))
}

fn item(
    tree: &mut Tree,
    actor: Actor,
    address: &str,
    label: &str,
    content: Content,
) -> Result<String, OperationError> {
    write(tree, actor, |change| change.store_item(&uri(address), label, content)).map(|at| at.to_string())
}

fn bench(path: &str) -> String {
    format!("{LAB}/bench/{path}")
}

fn jobs() -> Content {
    node_of([("1", node_of([("What", text("wash"))]))])
}

macro_rules! refused {
    ($outcome:expr, $kind:ident) => {{
        let outcome = $outcome;
        assert!(matches!(outcome, Err(OperationError::$kind { .. })), "{outcome:?}");
    }};
}

#[test]
fn a_new_instance_belongs_to_its_creator_and_has_its_defaults() {
    let mut tree = managed();
    bootstrap(&mut tree, "DMS2", &["*"]);
    let address = item(&mut tree, as_server("DMS1"), &format!("{LAB}//"), "usb", node_of([("Jobs", jobs())]));
    assert_eq!(address.unwrap(), format!("{LAB}/usb/"));
    let expected = node_of([("Jobs", jobs()), ("Name", text("unnamed")), ("Serial", text("S0"))]);
    assert_eq!(at(&tree, &format!("{LAB}/usb/")), Some(expected));
    let root = tree.instance(&moid(LAB), &miid("usb")).unwrap().root;
    assert_eq!(tree.rights(&authority("DMS1"), root).ar(), 15);
    assert_eq!(tree.rights(&authority("DMS2"), root).ar(), 0);
}

#[test]
fn the_label_suggests_the_miid() {
    let mut tree = managed();
    let mut store =
        |label| item(&mut tree, as_server("DMS1"), &format!("{LAB}//"), label, node_of([("Jobs", jobs())]));
    assert_eq!(store("bench").unwrap(), format!("{LAB}/2/"));
    assert_eq!(store("(x)").unwrap(), format!("{LAB}/3/"));
    assert_eq!(store("free").unwrap(), format!("{LAB}/free/"));
    assert_eq!(store("").unwrap(), format!("{LAB}/5/"));
    let named = item(&mut tree, as_server("DMS1"), &format!("{LAB}/mine/"), "x", node_of([("Jobs", jobs())]));
    assert_eq!(named.unwrap(), format!("{LAB}/mine/"));
    assert_eq!(tree.instances_of(&moid(LAB)).count(), 6);
}

#[test]
fn an_item_with_an_existing_miid_replaces() {
    let mut tree = managed();
    let content = node_of([("Name", text("new")), ("Jobs", jobs()), ("Count", leaf("3"))]);
    let address = item(&mut tree, as_server("DMS1"), &bench(""), "other", content);
    assert_eq!(address.unwrap(), bench(""));
    assert_eq!(at(&tree, &bench("Count")), Some(leaf("3")));
    let by_path = item(&mut tree, as_server("DMS1"), &format!("{LAB}//Count"), "Count", leaf("4"));
    assert_eq!(by_path.unwrap(), bench("Count"));
}

#[test]
fn replacing_removes_what_is_not_in_the_new_data() {
    let mut tree = managed();
    for (name, content) in [("Count", leaf("3")), ("Flag", leaf("true")), ("Secret", text("s"))] {
        put(&mut tree, &bench(name), content).unwrap();
    }
    let new = node_of([
        ("Name", text("n")),
        ("Jobs", node_of([("9", node_of([("What", text("dry"))]))])),
        ("Flag", leaf("false")),
    ]);
    put(&mut tree, &bench(""), new).unwrap();
    let expected = node_of([
        ("Flag", leaf("false")),
        ("Jobs", node_of([("9", node_of([("What", text("dry"))]))])),
        ("Name", text("n")),
        // Permanent.
        ("Serial", text("S0")),
    ]);
    assert_eq!(at(&tree, &bench("")), Some(expected));
}

#[test]
fn what_a_server_cannot_see_or_give_stays() {
    let mut tree = managed();
    write(&mut tree, Actor::Device, |change| {
        let root = change.tree().instance(&moid(LAB), &miid("bench")).unwrap().root;
        change.add(root, "Hidden", text("h"))
    })
    .unwrap();
    put(&mut tree, &bench(""), node_of([("Name", text("n")), ("Jobs", jobs())])).unwrap();
    assert_eq!(at(&tree, &bench("Hidden")), Some(text("h")));
    refused!(
        put(&mut tree, &bench(""), node_of([("Name", text("n")), ("Jobs", jobs()), ("Hidden", text("x"))])),
        NotInDefinition
    );
    refused!(put(&mut tree, &bench("Hidden"), text("x")), NotFound);
    // Data has no access type that could bring it back.
    put(&mut tree, "urn:oma:mo:moid:1.0/left/", node_of([("ID", text("GPS")), ("Setting", text("1"))]))
        .unwrap();
    assert!(at(&tree, "urn:oma:mo:moid:1.0/left/Data/1/Date").is_some());
}

#[test]
fn access_types_decide_over_new_nodes_and_values() {
    let mut tree = managed();
    put(&mut tree, &bench("Count"), leaf("1")).unwrap();
    put(&mut tree, &bench("Count"), leaf("2")).unwrap();
    refused!(put(&mut tree, &bench("Serial"), text("S1")), NotInDefinition);
    refused!(put(&mut tree, &bench("Start"), leaf("null")), NotInDefinition);
    refused!(put(&mut tree, "urn:oma:mo:moid:1.0/left/Data/1/Nothing", leaf("1")), NotFound);
    refused!(put(&mut tree, &bench("Name/x"), leaf("1")), NotFound);
    refused!(put(&mut tree, &bench("Nowhere/x"), leaf("1")), NotFound);
    refused!(put(&mut tree, &bench("*"), leaf("1")), WildcardNotAllowed);
    refused!(put(&mut tree, "urn:none:1.0//", Content::empty()), UnknownMoid);
}

#[test]
fn rights_on_every_node_involved() {
    let mut tree = managed();
    let name = || node_of([("Name", text("n")), ("Jobs", jobs())]);
    grant(&mut tree, &bench(""), "/", "DMS1", 13);
    refused!(put(&mut tree, &bench("Name"), text("n")), NoRight);
    refused!(put(&mut tree, &bench("Count"), leaf("1")), NoRight);
    grant(&mut tree, &bench(""), "/", "DMS1", 2);
    put(&mut tree, &bench("Name"), text("n")).unwrap();
    put(&mut tree, &bench("Count"), leaf("1")).unwrap();
    grant(&mut tree, &bench(""), "/Jobs/1/What", "DMS1", 1);
    refused!(put(&mut tree, &bench(""), name()), NoRight);
    // Rights for a node that comes into being by the write.
    put(&mut tree, &bench("Ext"), Content::empty()).unwrap();
    grant(&mut tree, &bench(""), "/Ext/locked", "DMS1", 0);
    refused!(put(&mut tree, &bench("Ext/locked"), text("x")), NoRight);
    refused!(put(&mut tree, &bench("Ext"), node_of([("locked", Content::empty())])), NoRight);
    put(&mut tree, &bench("Ext/open"), text("x")).unwrap();
    bootstrap(&mut tree, "DMS2", &[FIGURE_5]);
    let other =
        write(&mut tree, as_server("DMS2"), |change| change.store_at(&uri(&bench("Name")), None, text("x")));
    refused!(other, NotProvisioned);
}

#[test]
fn structure_and_formats() {
    let mut tree = managed();
    let good = [
        ("Flag", leaf("true")),
        ("Count", leaf("-5")),
        ("Ratio", leaf("1.5")),
        ("Nothing", leaf("null")),
        ("Day", text("2024-02-29")),
        ("Clock", text("14:20:30Z")),
        ("Page", text("<p/>")),
    ];
    for (name, content) in good {
        put(&mut tree, &bench(name), content.clone()).unwrap();
        assert_eq!(at(&tree, &bench(name)), Some(content));
    }
    for name in ["Blob", "Encoded"] {
        put(&mut tree, &bench(name), text("AQI=")).unwrap();
        assert_eq!(at(&tree, &bench(name)), Some(Content::Leaf(Value::Bytes(vec![1, 2]))));
    }
    let bad = [
        ("Flag", text("perhaps")),
        ("Count", text("abc")),
        ("Count", Content::Leaf(Value::Int(1 << 40))),
        ("Nothing", text("x")),
        ("Day", text("yesterday")),
        ("Clock", text("25:00")),
        ("Blob", text("***")),
        ("Name", leaf("7")),
        ("Name", Content::empty()),
        ("Jobs", leaf("7")),
        ("Jobs", node_of([("1", text("wash"))])),
        ("", node_of([("Name", text("n")), ("Jobs", jobs()), ("Unknown", text("x"))])),
        ("Jobs", node_of([("2", node_of([("What", text("a"))])), ("2", node_of([("What", text("b"))]))])),
    ];
    for (name, content) in bad {
        refused!(put(&mut tree, &bench(name), content), BadData);
    }
}

#[test]
fn occurrence_limits() {
    let mut tree = managed();
    put(&mut tree, &bench("Slots"), Content::empty()).unwrap();
    put(&mut tree, &bench("Slots/a"), text("1")).unwrap();
    put(&mut tree, &bench("Slots/b"), text("2")).unwrap();
    refused!(put(&mut tree, &bench("Slots/c"), text("3")), NotInDefinition);
    put(&mut tree, &bench("Slots"), node_of([("c", text("3")), ("d", text("4"))])).unwrap();
    let three = node_of([("c", text("3")), ("d", text("4")), ("e", text("5"))]);
    refused!(put(&mut tree, &bench("Slots"), three), NotInDefinition);
    // One or more, exactly one.
    refused!(put(&mut tree, &bench("Jobs"), Content::empty()), NotInDefinition);
    refused!(put(&mut tree, &bench(""), node_of([("Jobs", jobs())])), NotInDefinition);
    let empty = node_of([("Jobs", Content::empty())]);
    refused!(item(&mut tree, as_server("DMS1"), &format!("{LAB}//"), "x", empty), NotInDefinition);
    refused!(
        item(&mut tree, as_server("DMS1"), &format!("{DEVINFO}//"), "x", Content::empty()),
        NotInDefinition
    );
}

#[test]
fn below_ext_anything_goes() {
    let mut tree = managed();
    let anything = node_of([
        ("a", node_of([("b", leaf("1")), ("c", leaf("null"))])),
        ("d", leaf("true")),
        ("e f", text("")),
    ]);
    put(&mut tree, &bench("Ext"), anything.clone()).unwrap();
    assert_eq!(at(&tree, &bench("Ext")), Some(anything));
    put(&mut tree, &bench("Ext/a/b"), text("now text")).unwrap();
    put(&mut tree, &bench("Ext/a"), node_of([("b", leaf("2"))])).unwrap();
    assert_eq!(at(&tree, &bench("Ext/a")), Some(node_of([("b", leaf("2"))])));
    refused!(put(&mut tree, &bench("Ext/a/b"), Content::empty()), BadData);
    write(&mut tree, as_server("DMS1"), |change| change.delete(&uri(&bench("Ext/*")))).unwrap();
    assert_eq!(at(&tree, &bench("Ext")), Some(Content::empty()));
}

#[test]
fn a_label_renames_no_permanent_node() {
    let mut tree = managed();
    let mut store = |path: &str, label, content| {
        write(&mut tree, as_server("DMS1"), |change| {
            change.store_at(&uri(&bench(path)), Some(label), content)
        })
    };
    refused!(store("Jobs", "Work", jobs()), NotAllowed);
    store("Jobs", "Jobs", jobs()).unwrap();
    store("Name", "Title", text("free")).unwrap();
    store("", "whatever", node_of([("Name", text("n")), ("Jobs", jobs())])).unwrap();
}

#[test]
fn a_body_that_is_one_value() {
    let mut tree = managed();
    let mut store = |path: &str, media_type, octets: &[u8]| {
        write(&mut tree, as_server("DMS1"), |change| {
            change.store_leaf(&uri(&bench(path)), media_type, octets)
        })
        .map(|_| at(&tree, &bench(path)).unwrap())
    };
    assert_eq!(store("Name", "text/plain", b"n\n").unwrap(), text("n\n"));
    assert_eq!(store("Count", "Text/Plain", b"42").unwrap(), leaf("42"));
    assert_eq!(
        store("Blob", "image/png", b"\x89PNG").unwrap(),
        Content::Leaf(Value::Bytes(b"\x89PNG".to_vec()))
    );
    assert_eq!(
        store("Blob", "application/octet-stream", b"AQI=").unwrap(),
        Content::Leaf(Value::Bytes(b"AQI=".to_vec()))
    );
    assert_eq!(store("Page", "text/html", b"<p>").unwrap(), text("<p>"));
    store("Ext", "text/plain", b"x").unwrap_err();
    refused!(store("Name", "image/png", b"x"), BadData);
    refused!(store("Blob", "image/jpeg", b"x"), BadData);
    refused!(store("Name", "text/plain", b"\xff"), BadData);
    refused!(store("Count", "text/plain", b"4x"), BadData);
    refused!(store("Jobs", "text/plain", b"x"), BadData);
    refused!(store("", "text/plain", b"x"), BadData);
    refused!(store("Nowhere", "text/plain", b"x"), NotFound);
    let mime = |path: &str| {
        let node = tree.resolve(&Actor::Device, &uri(&bench(path))).unwrap()[0].node;
        tree.node(node).unwrap().properties().mime.clone()
    };
    assert_eq!(mime("Page").as_deref(), Some("text/html"));
    assert_eq!(mime("Name"), None);
}

#[test]
fn the_quota_is_kept() {
    let mut tree = managed();
    let full = Quota { nodes: tree.node_count() + 2, ..Quota::default() };
    let mut small = Tree::new(catalogue(), full);
    for (path, record) in tree.records().collect::<Vec<_>>() {
        small.restore(&path, Some(record)).unwrap();
    }
    put(&mut small, &bench("Count"), leaf("1")).unwrap();
    put(&mut small, &bench("Flag"), leaf("true")).unwrap();
    refused!(put(&mut small, &bench("Ratio"), leaf("1.5")), Full);
    write(&mut small, as_server("DMS1"), |change| change.delete(&uri(&bench("Flag")))).unwrap();
    put(&mut small, &bench("Ratio"), leaf("1.5")).unwrap();

    let mut tight = Tree::new(catalogue(), Quota { bytes: 1500, depth: 6, ..Quota::default() });
    for (path, record) in tree.records().collect::<Vec<_>>() {
        tight.restore(&path, Some(record)).unwrap();
    }
    refused!(put(&mut tight, &bench("Name"), text(&"x".repeat(2000))), Full);
    refused!(put(&mut tight, &bench("Encoded"), text(&"AAAA".repeat(500))), Full);
    let deep = (0..6).fold(text("x"), |content, _| node_of([("n", content)]));
    refused!(put(&mut tight, &bench("Ext"), deep), Full);
    put(&mut tree, &bench("Name"), text(&"x".repeat(2000))).unwrap();
}

#[test]
fn what_servers_fill_leaves_a_reserve_for_the_device() {
    let tree = managed();
    let quota = Quota { bytes: tree.byte_count() + 1600, nodes: tree.node_count(), ..Quota::default() };
    let mut small = Tree::new(catalogue(), quota);
    for (path, record) in tree.records().collect::<Vec<_>>() {
        small.restore(&path, Some(record)).unwrap();
    }
    put(&mut small, &bench("Name"), text("")).unwrap();
    let room = quota.bytes - small.byte_count();
    put(&mut small, &bench("Name"), text(&"x".repeat(room))).unwrap();
    assert_eq!((small.byte_count(), small.node_count()), (quota.bytes, quota.nodes));
    refused!(put(&mut small, &bench("Name"), text(&"x".repeat(room + 1))), Full);
    refused!(put(&mut small, &bench("Count"), leaf("1")), Full);

    let name = small.resolve(&Actor::Device, &uri(&bench("Name"))).unwrap()[0].node;
    let mut change = small.begin(Actor::Device, now());
    let beyond = room + quota.with_reserve().bytes - quota.bytes;
    assert!(beyond >= room + 100);
    change.set(name, Value::Text("x".repeat(beyond))).unwrap();
    let more = change.set(name, Value::Text("x".repeat(beyond + 1)));
    assert!(matches!(more, Err(OperationError::Full { .. })), "{more:?}");
    change.commit();
    // The reserve is none for servers, who can still make things smaller.
    refused!(put(&mut small, &bench("Name"), text(&"x".repeat(beyond + 1))), Full);
    put(&mut small, &bench("Name"), text("x")).unwrap();
}

#[test]
fn a_bootstrap_makes_an_account_and_replaces_its_own() {
    let mut tree = tree();
    let first = bootstrap(&mut tree, "DMS1", &[LAB]);
    assert_eq!(first.to_string(), format!("{DMACC}/dms1/"));
    bootstrap(&mut tree, "DMS2", &["*"]);
    assert!(
        tree.provisioned(&server("DMS1"), &moid(LAB)) && !tree.provisioned(&server("DMS1"), &moid(FIGURE_5))
    );
    let again = write(&mut tree, Actor::Bootstrap(server("DMS1")), |change| {
        change.store_item(&uri(&format!("{DMACC}/dms2/")), "other", account("DMS1", [FIGURE_5]))
    });
    assert_eq!(again.unwrap(), first);
    assert_eq!(tree.accounts().map(|(server, _)| server.to_string()).collect::<Vec<_>>(), ["DMS1", "DMS2"]);
    assert!(
        !tree.provisioned(&server("DMS1"), &moid(LAB)) && tree.provisioned(&server("DMS1"), &moid(FIGURE_5))
    );
    let root = tree.account(&server("DMS1")).unwrap().id();
    assert_eq!(tree.rights(&authority("DMS1"), root).ar(), 15);
    assert_eq!(tree.rights(&authority("DMS2"), root).ar(), 0);
    // Another server's place is not taken.
    let third = write(&mut tree, Actor::Bootstrap(server("DMS3")), |change| {
        change.store_item(&uri(&format!("{DMACC}/dms2/")), "other", account("DMS3", ["*"]))
    });
    assert_eq!(third.unwrap().to_string(), format!("{DMACC}/3/"));
    assert_eq!(tree.accounts().count(), 3);
}

#[test]
fn a_bootstrap_brings_other_objects_too() {
    let mut tree = tree();
    let actor = Actor::Bootstrap(server("DMS1"));
    let address = item(
        &mut tree,
        actor,
        &format!("{LAB}//"),
        "bench",
        node_of([("Jobs", jobs()), ("Serial", text("S7"))]),
    );
    assert_eq!(address.unwrap(), bench(""));
    assert_eq!(at(&tree, &bench("Serial")), Some(text("S7")));
    let root = tree.instance(&moid(LAB), &miid("bench")).unwrap().root;
    assert_eq!(tree.rights(&authority("DMS1"), root).ar(), 15);
}

#[test]
fn accounts_that_cannot_work_are_refused() {
    let mut tree = tree();
    let without = |gone: &str| {
        let Content::Interior(children) = account("DMS1", ["*"]) else { panic!() };
        Content::Interior(children.into_iter().filter(|(name, _)| name.as_str() != gone).collect())
    };
    let with = |name: &str, content: Content| {
        let Content::Interior(mut children) = without(name) else { panic!() };
        children.push((crate::support::name(name), content));
        Content::Interior(children)
    };
    for content in [
        without("SrvID"),
        without("SrvURI"),
        without("Perm"),
        with("SrvURI", text("not a uri")),
        with("Perm", node_of([("1", Content::empty())])),
    ] {
        refused!(
            item(&mut tree, Actor::Bootstrap(server("DMS1")), &format!("{DMACC}//"), "a", content),
            BadData
        );
    }
    let no_groups = with("Perm", Content::empty());
    assert!(
        item(&mut tree, Actor::Bootstrap(server("DMS1")), &format!("{DMACC}//"), "a", no_groups).is_err()
    );
    assert_eq!(tree.accounts().count(), 0);
}

#[test]
fn a_server_makes_no_account_but_changes_its_own() {
    let mut tree = managed();
    refused!(item(&mut tree, as_server("DMS1"), &format!("{DMACC}//"), "x", account("DMS9", ["*"])), NoRight);
    let own = format!("{DMACC}/dms1/");
    let change = |name: &str, uri: &str| {
        node_of([("SrvID", text(name)), ("SrvURI", text(uri)), ("Name", text("Renamed"))])
    };
    put(&mut tree, &own, change("DMS1", "https://new.example/")).unwrap();
    assert_eq!(at(&tree, &format!("{own}SrvURI")), Some(text("https://new.example/")));
    assert!(tree.provisioned(&server("DMS1"), &moid(LAB)), "Perm stays");
    refused!(put(&mut tree, &own, change("DMS9", "https://new.example/")), BadData);
    refused!(put(&mut tree, &own, change("DMS1", "nowhere")), BadData);
    refused!(put(&mut tree, &own, account("DMS1", ["*"])), NoRight);
    refused!(put(&mut tree, &format!("{own}SrvURI"), text("https://other.example/")), NotInDefinition);
    refused!(put(&mut tree, &format!("{own}Perm/1/MOID"), text("*")), NotFound);
    let deleted = write(&mut tree, as_server("DMS1"), |change| change.delete(&uri(&own)));
    refused!(deleted, NotAllowed);
}

#[test]
fn several_items_are_all_stored_or_none() {
    let mut tree = managed();
    let before = snapshot(&tree);
    let mut change = tree.begin(as_server("DMS1"), now());
    change.store_item(&uri(&format!("{LAB}//")), "a", node_of([("Jobs", jobs())])).unwrap();
    change.store_item(&uri(&format!("{LAB}//")), "b", node_of([("Jobs", leaf("1"))])).unwrap_err();
    drop(change);
    assert_eq!(snapshot(&tree), before);
}

#[test]
fn the_device_keeps_structure_and_format() {
    let mut tree = managed();
    let root = tree.instance(&moid(LAB), &miid("bench")).unwrap().root;
    let device = || Actor::Device;
    let serial = tree.node(root).unwrap().child("Serial").unwrap().id();
    write(&mut tree, device(), |change| change.set(serial, Value::Text("S9".into()))).unwrap();
    refused!(write(&mut tree, device(), |change| change.set(serial, Value::Int(9))), BadData);
    refused!(write(&mut tree, device(), |change| change.set(root, Value::Null)), BadData);
    refused!(write(&mut tree, device(), |change| change.add(root, "Serial", text("x"))), BadData);
    refused!(write(&mut tree, device(), |change| change.add(root, "Unknown", text("x"))), BadData);
    refused!(write(&mut tree, device(), |change| change.add(serial, "x", text("x"))), BadData);
    refused!(write(&mut tree, device(), |change| change.add(root, "a/b", text("x"))), Address);
    let flag = write(&mut tree, device(), |change| change.add(root, "Flag", leaf("true"))).unwrap();
    write(&mut tree, device(), |change| change.remove(flag)).unwrap();
    refused!(write(&mut tree, device(), |change| change.remove(flag)), NotFound);
    refused!(write(&mut tree, device(), |change| change.set(flag, leaf_value())), NotFound);
    let top = tree.root().id();
    refused!(write(&mut tree, device(), |change| change.remove(top)), BadData);
    refused!(
        write(&mut tree, device(), |change| change.create_instance(
            &moid(LAB),
            &miid("bench"),
            Content::empty()
        )),
        BadData
    );
    refused!(
        write(&mut tree, device(), |change| change.create_instance(
            &moid("urn:none"),
            &miid("1"),
            Content::empty()
        )),
        UnknownMoid
    );
    refused!(
        write(&mut tree, device(), |change| change.create_instance(&moid(DEVINFO), &miid("1"), text("x"))),
        BadData
    );
}

fn leaf_value() -> Value {
    Value::Bool(false)
}
