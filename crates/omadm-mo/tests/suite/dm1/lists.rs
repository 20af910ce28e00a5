//! `?list=` (`DM 1.3 TND §9.1`).

use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};

use super::*;

/// Address, format, type, and data of each item.
fn rows(tree: &Tree, server: &str, uri: &str) -> Vec<String> {
    let items = get(tree, server, uri).unwrap_or_else(|status| panic!("{uri}: {status}"));
    let row = |item: ReadItem| {
        let kind = item.media_type.clone().unwrap_or_default();
        format!("{} {} {} {}", item.uri, item.format.as_str(), kind, text_of(&item.content))
    };
    items.into_iter().map(row).collect()
}

fn document(tree: &Tree, server: &str, uri: &str) -> SnapshotNode {
    match get(tree, server, uri).unwrap().remove(0).content {
        ReadContent::Tree(Snapshot { mut nodes }) if nodes.len() == 1 => nodes.remove(0),
        content => panic!("{content:?}"),
    }
}

#[test]
fn a_get_of_an_interior_node_gives_names() {
    let mut tree = device();
    assert_eq!(add_interior(&mut tree, "device", "./E%20mpty"), 200);
    assert_eq!(rows(&tree, "S1", "."), [". node  Conn/DevInfo/E%20mpty/Inbox/Lab".replace("Conn/", "")]);
    assert_eq!(rows(&tree, "S1", "./E%20mpty"), ["./E%20mpty node  "]);
    // Names of what may not be read appear all the same.
    assert_eq!(rows(&tree, "S1", "./Lab/one"), ["./Lab/one node  Count/Name/Secret/Serial"]);
}

#[test]
fn structure_and_data_parents_first() {
    let tree = device();
    assert_eq!(
        rows(&tree, "S1", "./Lab?list=StructData"),
        [
            "./Lab node  -",
            "./Lab/one node urn:test:bench:1.0 -",
            "./Lab/one/Count int  7",
            "./Lab/one/Name chr  b",
            "./Lab/one/Serial chr  S0",
        ]
    );
    let structure = rows(&tree, "S1", "./Lab?list=Struct");
    assert_eq!(structure.len(), 5);
    assert_eq!(structure[2], "./Lab/one/Count int  -");
    assert_eq!(rows(&tree, "S1", "./Lab/one/Count?list=StructData"), ["./Lab/one/Count int  7"]);
    assert_eq!(rows(&tree, "S1", "./Lab/one/Count?list=Struct"), ["./Lab/one/Count int  -"]);
}

#[test]
fn what_may_not_be_read_is_left_out_with_all_below_it() {
    let mut tree = device();
    for uri in ["./T/open/x", "./T/shut/x", "./T/shut/open"] {
        assert_eq!(add_text(&mut tree, "device", uri, "v"), 200);
    }
    assert_eq!(set(&mut tree, "device", "./T/shut?prop=ACL", "Get=S2"), 200);
    assert_eq!(set(&mut tree, "device", "./T/shut/open?prop=ACL", "Get=*"), 200);
    assert_eq!(
        rows(&tree, "S1", "./T?list=Struct"),
        ["./T node  -", "./T/open node  -", "./T/open/x chr  -"]
    );
    assert_eq!(rows(&tree, "S2", "./T?list=Struct").len(), 6);
    assert_eq!(rows(&tree, "S1", "./T/shut/open?list=Struct"), ["./T/shut/open chr  -"]);
    assert_eq!(status_of_get(&tree, "S1", "./T/shut?list=Struct"), 425);
    assert_eq!(document(&tree, "S1", "./T?list=TNDS").children.len(), 1);
    let whole = rows(&tree, "S1", ".?list=Struct");
    assert!(!whole.iter().any(|row| row.contains("Inbox") || row.contains("Secret")), "{whole:?}");
}

#[test]
fn roots_of_objects() {
    let mut tree = device();
    assert_eq!(add(&mut tree, "device", "./Else/cam", interior(Some("com.example/1.0/Cam"))), 200);
    assert_eq!(add_text(&mut tree, "device", "./Else/cam/Zoom", "4"), 200);
    assert_eq!(add_text(&mut tree, "device", "./Else/plain", "p"), 200);
    assert_eq!(
        rows(&tree, "S1", ".?list=MORoot"),
        [
            "./DevInfo node urn:oma:mo:oma-dm-devinfo:1.0 -",
            "./Else/cam node com.example/1.0/Cam -",
            "./Lab/one node urn:test:bench:1.0 -",
        ]
    );
    let data = rows(&tree, "S1", ".?list=MORootData");
    assert!(data.contains(&"./Else/cam/Zoom chr  4".to_owned()), "{data:?}");
    assert!(data.contains(&"./Lab/one/Name chr  b".to_owned()));
    assert!(!data.iter().any(|row| row.contains("plain")));
    assert_eq!(rows(&tree, "S1", "./Else/plain?list=MORoot"), Vec::<String>::new());
    assert_eq!(rows(&tree, "S1", "./Lab/one?list=MORoot").len(), 1);
}

#[test]
fn a_document_holds_what_is_asked_for() {
    let mut tree = device();
    assert_eq!(set(&mut tree, "device", "./Lab/one?prop=ACL", "Get=*&Replace=S1"), 200);
    assert_eq!(set(&mut tree, "device", "./Lab/one?prop=Title", "Bench"), 200);
    let all = document(&tree, "S1", "./Lab/one?list=TNDS");
    assert_eq!(
        (all.name.as_deref(), all.path, all.acl.as_deref()),
        (Some("one"), None, Some("Get=*&Replace=S1"))
    );
    assert_eq!((all.title.as_deref(), all.format), (Some("Bench"), Some(Format::Node)));
    assert_eq!(all.kind, Some(SnapshotType::DdfName(BENCH.into())));
    assert!(all.tstamp.is_some() && all.ver_no.is_some());
    let names: Vec<_> = all.children.iter().map(|child| child.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["Count", "Name", "Serial"]);
    let count = &all.children[0];
    assert_eq!((count.value.as_ref(), count.format), (Some(&Value::Int(7)), Some(Format::Int)));
    assert_eq!(
        (count.kind.as_ref(), count.acl.as_ref()),
        (Some(&SnapshotType::Mime("text/plain".into())), None)
    );
    let some = document(&tree, "S1", "./Lab/one?list=TNDS+Value+Type");
    assert!(some.acl.is_none() && some.title.is_none() && some.format.is_none() && some.kind.is_some());
    assert_eq!(some.children[0].value, Some(Value::Int(7)));
    let rest = document(&tree, "S1", "./Lab/one?list=TNDS-Value-TStamp");
    assert!(rest.acl.is_some() && rest.tstamp.is_none() && rest.children[0].value.is_none());
    let leaf = document(&tree, "S1", "./Lab/one/Count?list=TNDS");
    assert_eq!((leaf.name.as_deref(), leaf.children.len()), (Some("Count"), 0));
}

#[test]
fn a_list_takes_get_only() {
    let mut tree = device();
    let uri = "./Lab/one?list=StructData";
    assert_eq!(
        (replace_text(&mut tree, "device", uri, "v"), add_text(&mut tree, "device", uri, "v")),
        (405, 405)
    );
    assert_eq!((delete(&mut tree, "device", uri), set(&mut tree, "device", uri, "v")), (405, 405));
    assert_eq!(copy(&mut tree, "device", "./Lab/one/Name", uri), 405);
}

#[test]
fn live_values_are_known_before_they_are_read() {
    let tree = device();
    let of = |uri: &str| {
        let instances = tree.dm1_instances(&at_uri(uri));
        instances.iter().map(|(moid, miid)| format!("{moid}/{miid}")).collect::<Vec<_>>()
    };
    assert_eq!(of("./Lab/one/Count"), ["urn:test:bench:1.0/one"]);
    assert_eq!(of("./Lab/one/Not/yet/there"), ["urn:test:bench:1.0/one"]);
    assert_eq!(of("urn:test:bench:1.0//Count"), ["urn:test:bench:1.0/one"]);
    assert_eq!(of("."), Vec::<String>::new());
    assert_eq!(of(".?list=StructData").len(), 3);
}
