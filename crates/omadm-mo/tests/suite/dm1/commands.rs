//! The commands and their statuses, cell by cell (`DM 1.3 REPPRO §7.6`, `DM 1.3 TND`).

use super::*;

/// A device on which S1 may do all, on `./Lab/one` and in a tree of plain nodes `./T`.
fn open() -> Tree {
    let mut tree = device();
    let all = "Add=S1&Delete=S1&Exec=S1&Get=*&Replace=S1";
    assert_eq!(add_text(&mut tree, "device", "./T/I/leaf", "v"), 200);
    for uri in ["./T", "./Lab", "./DMAcc", "./Conn"] {
        if status_of_get(&tree, "device", uri) == 404 {
            assert_eq!(add_interior(&mut tree, "device", uri), 200);
        }
        assert_eq!(set(&mut tree, "device", &format!("{uri}?prop=ACL"), all), 200);
    }
    tree
}

#[test]
fn statuses_of_get() {
    let mut tree = open();
    assert_eq!(set(&mut tree, "device", "./T/I?prop=ACL", "Replace=S1"), 200);
    assert_eq!(set(&mut tree, "device", "./Conn?prop=ACL", "Get=S1"), 200);
    for (server, uri, status) in [
        ("S1", "./T", 200),
        ("S1", "./T/none", 404),
        ("S1", "./DevInfo/DevId/below", 404),
        ("S1", "./T/I", 425),
        ("S1", "./T/I/leaf", 425),
        ("S1", "./T/I/none", 404),
        ("S2", "./T/I", 425),
        // Where nothing is allowed not even absence is told.
        ("S2", "./Conn/none", 425),
        ("S1", "./Conn/none", 404),
        ("S1", "./Lab/one/Secret", 405),
        ("S1", "./Inbox", 405),
        ("S1", "./Inbox?prop=Name", 405),
        ("S1", "./Inbox/none/below", 405),
        ("S1", "./Inbox?list=Struct", 405),
        ("S1", "./Lab/one/Secret?list=Struct", 405),
        ("S1", "./Lab/one/Secret?prop=Name", 200),
        ("S1", "./Lab/one/Secret?prop=Size", 406),
        ("S1", "./Lab/one?prop=Size", 406),
        ("S1", "./Lab/one/Count?prop=Size", 200),
        ("device", "./Lab/one/Secret", 200),
    ] {
        assert_eq!(status_of_get(&tree, server, uri), status, "{server} {uri}");
    }
}

#[test]
fn statuses_of_replace() {
    let mut tree = open();
    for (server, uri, node, status) in [
        ("S1", "./T/I/leaf", chr("w"), 200),
        ("S1", "./T/none", chr("w"), 404),
        ("S2", "./T/I/leaf", chr("w"), 425),
        ("S1", "./T/I", chr("w"), 405),
        ("S1", "./T/I/leaf?list=Struct", chr("w"), 405),
        ("S1", "./T/I/leaf?prop=Name", chr("w"), 405),
        ("S1", "./Lab/one/Serial", chr("w"), 405),
        ("S1", "./Lab/one/Name", chr("w"), 200),
        ("S1", "./Lab/one/Name", of(Format::Chr, "w"), 200),
        // The name is permanent: its format stays.
        ("S1", "./Lab/one/Name", of(Format::Int, "1"), 405),
        ("S1", "./Lab/one/Count", of(Format::Int, "8"), 200),
        ("S1", "./Lab/one/Count", chr("9"), 200),
        ("S1", "./Lab/one/Count", of(Format::Chr, "9"), 415),
        ("S1", "./Lab/one/Count", of(Format::Node, ""), 415),
        ("S1", "./Lab/one/Count", chr("many"), 500),
        ("S1", "./Lab/one/Count", chr("2147483648"), 500),
        ("S1", "./Lab/one/Count", NewNode::default(), 500),
        ("S1", "./Lab/one/Secret", chr("new"), 200),
        ("S1", "./DevInfo/Man", chr("w"), 425),
        ("S1", "./Inbox", chr("w"), 425),
        ("S1", ".", chr("w"), 425),
    ] {
        let label = format!("{server} {uri} {node:?}");
        assert_eq!(replace(&mut tree, server, uri, node), status, "{label}");
    }
    assert_eq!(shown(&tree, "S1", "./Lab/one/Count").unwrap(), "9");
    // Without Data a text is empty, without Meta format and type stay.
    assert_eq!(replace(&mut tree, "S1", "./T/I/leaf", NewNode::default()), 200);
    assert_eq!(shown(&tree, "S1", "./T/I/leaf").unwrap(), "");
    let typed = NewNode { media_type: Some("text/x".into()), ..of(Format::Xml, "<a/>") };
    assert_eq!(replace(&mut tree, "S1", "./T/I/leaf", typed), 200);
    assert_eq!(replace_text(&mut tree, "S1", "./T/I/leaf", "<b/>"), 200);
    let item = get(&tree, "S1", "./T/I/leaf").unwrap().remove(0);
    assert_eq!((item.format, item.media_type.as_deref()), (Format::Xml, Some("text/x")));
}

#[test]
fn statuses_of_add() {
    let mut tree = open();
    for (server, uri, node, status) in [
        ("S1", "./T/new", chr("v"), 200),
        ("S1", "./T/new", chr("v"), 418),
        ("S1", "./T", interior(None), 418),
        ("S1", ".", interior(None), 418),
        ("S2", "./T/other", chr("v"), 425),
        ("S2", "./T/a/b/c", chr("v"), 425),
        ("S1", "./T/a/b/c", chr("v"), 200),
        ("S1", "./T/new/below", chr("v"), 405),
        ("S1", "./T/new/below/deep", chr("v"), 405),
        ("S1", "./T/x?prop=Name", chr("v"), 405),
        ("S1", "./T/x?list=Struct", chr("v"), 405),
        ("S1", "./Lab/one/Flag", of(Format::Bool, "true"), 200),
        ("S1", "./Lab/one/Unknown", chr("v"), 405),
        ("S1", "./Lab/one/Folded", NewNode::default(), 200),
        ("S1", "./Lab/one/Slots/a", chr("v"), 200),
        ("S1", "./Lab/one/Slots/b", chr("v"), 200),
        ("S1", "./Lab/one/Slots/c", chr("v"), 500),
        ("S1", "./Lab/one/Code", interior(None), 415),
        (
            "S1",
            "./Lab/one/Blob",
            NewNode { media_type: Some("image/gif".into()), ..of(Format::B64, "AAEC") },
            415,
        ),
        ("S1", "./Lab/one/Blob", of(Format::B64, "!"), 500),
        (
            "S1",
            "./Lab/one/Blob",
            NewNode { media_type: Some(" image/png ".into()), ..of(Format::B64, "AAEC") },
            200,
        ),
        ("S1", "./DevInfo/New", chr("v"), 405),
        ("S1", "./Lab/two", interior(Some(BENCH)), 200),
        ("S1", "./Lab/three", chr("v"), 200),
    ] {
        let label = format!("{server} {uri} {node:?}");
        assert_eq!(add(&mut tree, server, uri, node), status, "{label}");
    }
    // What is permanent came with the new object, and the object is known by its MOID.
    assert_eq!(shown(&tree, "S1", "./Lab/two").unwrap(), "Name/Serial");
    assert_eq!(shown(&tree, "S1", "./Lab/two?prop=Type").unwrap(), BENCH);
    assert_eq!(shown(&tree, "S1", &format!("{BENCH}/two/Serial")).unwrap(), "S0");
    assert_eq!(shown(&tree, "S1", "./Lab/one/Blob?prop=Format").unwrap(), "bin");
    assert_eq!(shown(&tree, "S1", "./Lab/one/Blob?prop=Size").unwrap(), "3");
}

#[test]
fn statuses_of_delete() {
    let mut tree = open();
    assert_eq!(add(&mut tree, "S1", "./Lab/two", interior(Some(BENCH))), 200);
    assert_eq!(add_text(&mut tree, "S1", "./T/I/deep/er", "v"), 200);
    assert_eq!(set(&mut tree, "S1", "./T/I/deep?prop=ACL", "Get=S2"), 200);
    for (server, uri, status) in [
        ("S1", ".", 405),
        ("S1", "./T/none", 404),
        ("S2", "./T/I/leaf", 425),
        ("S1", "./T/I/leaf?prop=Title", 405),
        ("S1", "./T/I/leaf?list=Struct", 405),
        // Permanent, and not to be deleted by its definition.
        ("S1", "./Lab/one/Name", 405),
        ("S1", "./DevInfo", 425),
        // The ACL and the access types of what is below do not keep an ancestor.
        ("S1", "./T/I", 200),
        ("S1", "./Lab/two", 200),
        ("S1", "./Lab/one/Count", 200),
    ] {
        assert_eq!(delete(&mut tree, server, uri), status, "{server} {uri}");
    }
    assert_eq!(status_of_get(&tree, "S1", "./T/I/deep/er"), 404);
    // A node that holds a permanent object stays with all below it.
    assert_eq!(set(&mut tree, "device", "./DevInfo?prop=ACL", "Delete=S1&Get=*"), 200);
    assert_eq!(delete(&mut tree, "S1", "./DevInfo"), 405);
    assert_eq!(delete(&mut tree, "S1", "./DevInfo/Man"), 405);
}

#[test]
fn statuses_of_copy() {
    let mut tree = open();
    assert_eq!(add_text(&mut tree, "device", "./Hidden/leaf", "v"), 200);
    assert_eq!(set(&mut tree, "device", "./Hidden?prop=ACL", "Replace=S1"), 200);
    for (from, to, status) in [
        ("./T/I/leaf", "./T/I/leaf2", 200),
        ("./Lab/one/Name", "./T/I/leaf2", 200),
        ("./T/none", "./T/x", 404),
        ("./T/I", "./T/x", 403),
        ("./T/I/leaf", "./T/I", 403),
        ("./T/I/leaf", "./T/I/leaf/x", 405),
        ("./T/I/leaf", "./Lab/one/Count", 403),
        ("./T/I/leaf", "./Lab/one/Serial", 405),
        ("./Hidden/leaf", "./T/x", 425),
        ("./T/I/leaf", "./DevInfo/Man", 425),
        // A secret is not copied to where it could be read.
        ("./Lab/one/Secret", "./T/x", 405),
        ("./T/I/leaf?prop=Name", "./T/x", 405),
        ("./T/I/leaf", "./T/x?prop=Name", 405),
    ] {
        assert_eq!(copy(&mut tree, "S1", from, to), status, "{from} {to}");
    }
    assert_eq!(shown(&tree, "S1", "./T/I/leaf2").unwrap(), "b");
    assert_eq!(replace_text(&mut tree, "S1", "./T/I/leaf2", "c"), 200);
    assert_eq!(shown(&tree, "S1", "./Lab/one/Name").unwrap(), "b");
}

#[test]
fn statuses_of_exec() {
    let mut tree = open();
    assert_eq!(add(&mut tree, "S1", "./Lab/one/Run", of(Format::Null, "")), 200);
    let exec = |tree: &Tree, server: &str, uri: &str| {
        tree.dm1_executable(&actor(server), &at_uri(uri)).map_or_else(|error| error.status(), |_| 200)
    };
    for (server, uri, status) in [
        ("S1", "./Lab/one/Run", 200),
        ("S1", "urn:test:bench:1.0//Run", 200),
        ("S1", "./Lab/one/None", 404),
        ("S2", "./Lab/one/Run", 425),
        ("S1", "./Lab/one/Name", 405),
        ("S1", "./T/I/leaf", 405),
        ("S1", "./Lab/one/Run?prop=Name", 405),
        ("device", "./T/I/leaf", 406),
    ] {
        assert_eq!(exec(&tree, server, uri), status, "{server} {uri}");
    }
    let found = tree.dm1_executable(&as_server("S1"), &at_uri("urn:test:bench:1.0//Run")).unwrap();
    assert_eq!(
        (found.uri.as_str(), found.address.to_string()),
        ("./Lab/one/Run", format!("{BENCH}/one/Run"))
    );
}

#[test]
fn properties_of_a_node() {
    let mut tree = open();
    assert_eq!(set(&mut tree, "S1", "./T/I/leaf?prop=Title", "A leaf"), 200);
    for (property, value) in [
        ("VerNo", "1"),
        ("Name", "leaf"),
        ("Title", "A leaf"),
        ("Format", "chr"),
        ("Type", "text/plain"),
        ("Size", "1"),
        ("ACL", ""),
        ("TStamp", "20231114T221321Z"),
    ] {
        let uri = format!("./T/I/leaf?prop={property}");
        assert_eq!(shown(&tree, "S1", &uri).unwrap(), value, "{property}");
        assert_eq!(get(&tree, "S1", &uri).unwrap()[0].uri, uri);
        // Of these only three are the server's, and none can be made or taken away.
        let settable = ["Name", "Title", "ACL"].contains(&property);
        assert_eq!(set(&mut tree, "S2", &uri, value), if settable { 425 } else { 405 }, "{property}");
        assert_eq!(set(&mut tree, "S1", &uri, value), if settable { 200 } else { 405 }, "{property}");
        assert_eq!((add_text(&mut tree, "S1", &uri, "v"), delete(&mut tree, "S1", &uri)), (405, 405));
    }
    for (uri, value) in [("./Lab/one?prop=Type", BENCH), ("./T?prop=Type", ""), ("./T?prop=Format", "node")] {
        assert_eq!(shown(&tree, "S1", uri).unwrap(), value);
    }
    assert_eq!(set(&mut tree, "S1", "./T?prop=Title", &"t".repeat(255)), 200);
    assert_eq!(set(&mut tree, "S1", "./T?prop=Title", &"t".repeat(256)), 413);
}

#[test]
fn every_change_counts_once() {
    let mut tree = open();
    let version = |tree: &Tree, uri: &str| shown(tree, "S1", &format!("{uri}?prop=VerNo")).unwrap();
    let before: Vec<String> = ["./T", "./T/I", "./T/I/leaf"].iter().map(|uri| version(&tree, uri)).collect();
    let later = |text: &String, by: u16| (text.parse::<u16>().unwrap() + by).to_string();
    // A value concerns its leaf, a child its parent, whatever their number.
    assert_eq!(replace_text(&mut tree, "S1", "./T/I/leaf", "v"), 200);
    assert_eq!(version(&tree, "./T/I/leaf"), later(&before[2], 1));
    assert_eq!(add_text(&mut tree, "S1", "./T/I/a/b/c", "v"), 200);
    assert_eq!((version(&tree, "./T/I"), version(&tree, "./T")), (later(&before[1], 1), before[0].clone()));
    assert_eq!(version(&tree, "./T/I/a"), "0");
    assert_eq!(delete(&mut tree, "S1", "./T/I/a"), 200);
    assert_eq!(version(&tree, "./T/I"), later(&before[1], 2));
    assert_eq!(set(&mut tree, "S1", "./T/I?prop=ACL", "Get=*&Replace=S1"), 200);
    assert_eq!(version(&tree, "./T/I"), later(&before[1], 3));
    let known = tree.records().find(|(path, _)| path.last().is_some_and(|name| name.as_str() == "leaf"));
    let (path, mut record) = known.unwrap();
    record.properties.ver_no = u16::MAX;
    tree.restore(&path, Some(record)).unwrap();
    assert_eq!(replace_text(&mut tree, "S1", "./T/I/leaf", "v"), 200);
    assert_eq!(version(&tree, "./T/I/leaf"), "0");
}

#[test]
fn a_node_is_renamed_with_all_below_it() {
    let mut tree = open();
    assert_eq!(add_text(&mut tree, "S1", "./T/J/x", "v"), 200);
    assert_eq!(set(&mut tree, "S1", "./T/I/leaf?prop=ACL", "Get=S1"), 200);
    for (uri, name, status) in [
        ("./T/I", "J", 418),
        ("./T/I", "I", 200),
        ("./T/I", "a/b", 500),
        ("./T/I", "", 500),
        ("./T/I", "..", 500),
        (".", "x", 425),
        ("./DevInfo", "Info", 425),
        ("./Lab/one/Name", "Nom", 405),
        ("./Lab/one/Serial", "S", 405),
        ("./Lab/one/Count", "Number", 405),
        ("./T/none", "x", 404),
        ("./T/I", "K%20K", 200),
        ("./Lab/one", "first", 200),
    ] {
        assert_eq!(set(&mut tree, "S1", &format!("{uri}?prop=Name"), name), status, "{uri} {name}");
    }
    assert_eq!(shown(&tree, "S1", "./T").unwrap(), "J/K%20K");
    assert_eq!(acl(&tree, "./T/K%20K/leaf"), "Get=S1");
    assert_eq!(status_of_get(&tree, "S1", "./T/I/leaf"), 404);
    // The object keeps its identifier.
    assert_eq!(get(&tree, "S1", &format!("{BENCH}/one/Name")).unwrap()[0].uri, "./Lab/first/Name");
}

#[test]
fn limits_bind_what_a_rename_moves() {
    let mut tree = open();
    assert_eq!(add_text(&mut tree, "S1", "./T/I/deep/leaf", "v"), 200);
    let rename = |tree: &mut Tree, limits: UriLimits, name: &str| {
        let uri = Dm1Uri::parse("./T/I?prop=Name", &limits, true).unwrap();
        command(tree, "S1", |change| change.dm1_set_property(&uri, name))
    };
    // `./T/IIII/deep/leaf` has 18 characters.
    let total = UriLimits { max_total: 18, ..UriLimits::default() };
    assert_eq!((rename(&mut tree, total, "IIIII"), rename(&mut tree, total, "IIII")), (414, 200));
    assert_eq!(set(&mut tree, "S1", "./T/IIII?prop=Name", "I"), 200);
    let segment = UriLimits { max_segment: 4, ..UriLimits::default() };
    assert_eq!((rename(&mut tree, segment, "IIIII"), rename(&mut tree, segment, "IIII")), (414, 200));
}

#[test]
fn references_of_accounts_follow_a_rename() {
    let mut tree = open();
    assert_eq!(add(&mut tree, "S1", "./Conn/net", interior(Some(CONN))), 200);
    assert_eq!(add(&mut tree, "S1", "./DMAcc/a", interior(Some(ACC))), 200);
    assert_eq!(add_text(&mut tree, "S1", "./DMAcc/a/PrefConRef", "./Conn/net"), 200);
    assert_eq!(set(&mut tree, "S1", "./Conn/net?prop=Name", "lan"), 200);
    assert_eq!(shown(&tree, "S1", "./DMAcc/a/PrefConRef").unwrap(), "./Conn/lan");
}

#[test]
fn names_compare_as_the_definition_says() {
    let mut tree = open();
    assert_eq!(add_text(&mut tree, "S1", "./Lab/one/Folded/Key", "v"), 200);
    assert_eq!(add_text(&mut tree, "S1", "./Lab/one/Folded/KEY", "v"), 418);
    assert_eq!(shown(&tree, "S1", "./lab").err(), Some(404));
    assert_eq!(get(&tree, "S1", "./Lab/one/folded/key").unwrap()[0].uri, "./Lab/one/Folded/Key");
    assert_eq!(set(&mut tree, "S1", "./Lab/one/Folded/Key?prop=Name", "kEY"), 200);
    assert_eq!(shown(&tree, "S1", "./Lab/one/Folded").unwrap(), "kEY");
}

#[test]
fn a_full_device_says_so() {
    let mut tree = Tree::new(Arc::new(objects()), Quota { nodes: 3, bytes: 64, depth: 4 });
    assert_eq!(add_text(&mut tree, "S1", "./a/b", "v"), 200);
    assert_eq!(add_text(&mut tree, "S1", "./c", "v"), 420);
    assert_eq!(replace_text(&mut tree, "device", "./a/b", &"v".repeat(64)), 420);
    assert_eq!(replace_text(&mut tree, "device", "./a/b", &"v".repeat(69)), 413);
    assert_eq!(set(&mut tree, "S1", "./a?prop=Title", &"t".repeat(60)), 420);
    let long = format!("Get={}", "s".repeat(60));
    assert_eq!(set(&mut tree, "S1", "./a?prop=ACL", &long), 420);
}
