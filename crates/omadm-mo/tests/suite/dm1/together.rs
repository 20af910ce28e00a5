//! ACLs and the Delegation Access Control MO are one (`DM 2.0 §13.2`): what one protocol sets the other obeys.

use omadm_mo::{Authority, Operation, OperationError, Rights};
use proptest::prelude::*;

use super::*;

const ENTRIES: &str = "urn:oma:mo:oma-dm-dacmo:1.0/dac/urn:test:bench:1.0/one";
/// S1 and S2 have accounts of DM 2.0, S3 speaks DM 1.x only.
const SERVERS: [&str; 3] = ["S1", "S2", "S3"];
/// Nodes of the bench, from its root.
const PLACES: [&str; 10] =
    ["", "Name", "Count", "Folded", "Folded/k", "Slots", "Slots/a", "Ext", "Ext/x", "Ext/x/y"];

fn both() -> Tree {
    let mut tree = device_of(objects_of_both());
    for server in ["S1", "S2"] {
        bootstrap(&mut tree, server, &["*"]);
    }
    for uri in ["./Lab/one/Folded/k", "./Lab/one/Slots/a", "./Lab/one/Ext/x/y", "./Lab/one/Run"] {
        assert_eq!(add_text(&mut tree, "device", uri, if uri.ends_with("Run") { "" } else { "v" }), 200);
    }
    tree
}

fn path_of(place: &str) -> String {
    format!("./Lab/one/{place}").trim_end_matches('/').to_owned()
}
fn address_of(place: &str) -> String {
    format!("{BENCH}/one/{place}")
}
fn group(path: &str, entries: &[(String, i64)]) -> Content {
    let entry =
        |(maid, ar): &(String, i64)| node_of([("MAID", text(maid)), ("AR", Content::Leaf(Value::Int(*ar)))]);
    let names: Vec<String> = (1..=entries.len()).map(|at| at.to_string()).collect();
    let permissions = node_of(names.iter().map(String::as_str).zip(entries.iter().map(entry)));
    node_of([("Path", text(path)), ("Permissions", permissions)])
}
fn ar(tree: &Tree, server: &str, place: &str) -> u8 {
    let node = tree.resolve(&Actor::Device, &uri(&address_of(place))).unwrap()[0].node;
    tree.rights(&Authority::Server(self::server(server)), node).ar()
}
/// Whether DM 2.0 refuses for want of a right.
fn refuses(tree: &Tree, server: &str, place: &str, operation: Operation) -> bool {
    let outcome = tree.authorise(&as_server(server), &uri(&address_of(place)), operation);
    matches!(outcome, Err(OperationError::NoRight { .. }))
}
/// The status of a command that is then undone.
fn tried(
    tree: &mut Tree,
    server: &str,
    command: impl FnOnce(&mut Change<'_>) -> Result<(), Dm1Error>,
) -> u16 {
    let mut change = tree.begin(actor(server), now());
    command(&mut change).map_or_else(|error| error.status(), |()| 200)
}

#[test]
fn a_server_of_dm_2_makes_no_account_of_dm_1_in_the_name_of_another() {
    let mut tree = both();
    for name in ["S2", "S1", "new"] {
        let account = node_of([("ServerID", text(name))]);
        let mut change = tree.begin(as_server("S1"), now());
        let stored = change.store_item(&uri(&format!("{ACC}//")), "mine", account);
        assert!(matches!(stored, Err(OperationError::NoRight { .. })), "{name}: {stored:?}");
    }
    assert_eq!(tree.instances_of(&moid(ACC)).count(), 0);
}

#[test]
fn a_device_without_dm_2_accounts_has_the_plain_rules() {
    let mut tree = device_of(objects_of_both());
    assert_eq!(shown(&tree, "S3", "./DevInfo/Man").unwrap(), "Acme");
    assert_eq!(get(&tree, "S3", ".?list=StructData").unwrap().len(), 9);
    assert_eq!(add(&mut tree, "S3", "./Lab/two", interior(Some(BENCH))), 200);
    assert_eq!(acl(&tree, "./Lab/two"), "Add=S3&Delete=S3&Get=*&Replace=S3");
    assert_eq!(replace_text(&mut tree, "S3", "./Lab/two/Name", "n"), 200);
    assert_eq!(replace_text(&mut tree, "S1", "./Lab/two/Name", "n"), 425);
    assert_eq!(set(&mut tree, "S3", "./Lab/two?prop=ACL", ""), 200);
    assert_eq!((acl(&tree, "./Lab/two"), status_of_get(&tree, "S1", "./Lab/two")), (String::new(), 200));
    assert_eq!(replace_text(&mut tree, "S3", "./Lab/two/Name", "n"), 425);
}

#[test]
fn an_object_of_its_creator_in_dm_2_is_closed_to_dm_1() {
    let mut tree = both();
    let content = node_of([("Count", leaf("1"))]);
    write(&mut tree, as_server("S1"), |change| {
        change.store_item(&uri(&format!("{BENCH}//")), "mine", content)
    })
    .unwrap();
    for server in ["S2", "S3"] {
        assert_eq!(status_of_get(&tree, server, "./Lab/mine/Count"), 425);
        assert_eq!(replace_text(&mut tree, server, "./Lab/mine/Count", "2"), 425);
        assert_eq!(add_text(&mut tree, server, "./Lab/mine/Flag", "true"), 425);
        assert_eq!(delete(&mut tree, server, "./Lab/mine"), 425);
        assert_eq!(set(&mut tree, server, "./Lab/mine?prop=ACL", "Get=*"), 425);
    }
    // The same server may by either protocol, and sees why.
    assert_eq!(acl(&tree, "./Lab/mine"), "Add=S1&Delete=S1&Exec=S1&Get=S1&Replace=S1");
    assert_eq!(replace_text(&mut tree, "S1", "./Lab/mine/Count", "2"), 200);
    // Whoever holds the node above cannot reach into it either.
    assert_eq!(set(&mut tree, "device", "./Lab?prop=ACL", "Add=*&Delete=S3&Get=*&Replace=S3"), 200);
    assert_eq!(set(&mut tree, "S3", "./Lab/mine?prop=ACL", "Get=*"), 425);
    assert_eq!((delete(&mut tree, "S3", "./Lab/mine"), delete(&mut tree, "S3", "./Lab")), (425, 425));
    assert_eq!(delete(&mut tree, "S3", "./Lab/one"), 200);
    // Accounts and the entries themselves are no different.
    assert_eq!((delete(&mut tree, "S3", "./DMAcc/s1"), status_of_get(&tree, "S3", "./DMAcc/s1")), (425, 425));
    assert_eq!((status_of_get(&tree, "S3", "./DacMO"), status_of_get(&tree, "S1", "./DacMO")), (425, 200));
    assert_eq!(set(&mut tree, "S1", "./DacMO?prop=ACL", "Get=*"), 425);
    let names = shown(&tree, "S2", &format!("./DacMO/{DMACC}")).unwrap();
    assert_eq!(names, "s2");
    let seen = get(&tree, "S2", "./DacMO?list=StructData").unwrap();
    assert!(!seen.iter().any(|item| text_of(&item.content).contains("S1")), "{seen:?}");
}

#[test]
fn an_object_of_its_creator_in_dm_1_is_closed_to_dm_2() {
    let mut tree = both();
    assert_eq!(add(&mut tree, "S3", "./Lab/mine", interior(Some(BENCH))), 200);
    let name = uri(&format!("{BENCH}/mine/Name"));
    for (server, operation, allowed) in
        [("S1", Operation::Get, true), ("S1", Operation::Replace, false), ("S2", Operation::Replace, false)]
    {
        assert_eq!(
            tree.authorise(&as_server(server), &name, operation).is_ok(),
            allowed,
            "{server} {operation}"
        );
    }
    assert_eq!(set(&mut tree, "S3", "./Lab/mine?prop=ACL", "Get=S1&Replace=S3+S2"), 200);
    assert!(tree.authorise(&as_server("S2"), &name, Operation::Get).is_err());
    assert!(tree.authorise(&as_server("S2"), &name, Operation::Replace).is_ok());
    // The entries show it.
    let shown = at(&tree, &format!("{DACMO}//{BENCH}/mine/1")).unwrap();
    assert_eq!(
        shown,
        node_of([(
            "Permissions",
            node_of([
                ("1", node_of([("AR", leaf("1")), ("MAID", text("serverid:S1"))])),
                ("2", node_of([("AR", leaf("10")), ("MAID", text("serverid:S2"))])),
                ("3", node_of([("AR", leaf("10")), ("MAID", text("serverid:S3"))])),
            ])
        )])
    );
}

#[test]
fn what_an_acl_tells_apart_is_not_lost() {
    let mut tree = both();
    assert_eq!(set(&mut tree, "device", "./Lab/one/Ext?prop=ACL", "Add=S1&Delete=S2&Get=*"), 200);
    assert_eq!((ar(&tree, "S1", "Ext/x"), ar(&tree, "S2", "Ext/x")), (3, 3));
    for (server, operation, refused) in [
        ("S1", Operation::Add, false),
        ("S1", Operation::Delete, true),
        ("S1", Operation::Replace, true),
        ("S2", Operation::Add, true),
        ("S2", Operation::Delete, false),
    ] {
        assert_eq!(refuses(&tree, server, "Ext/x", operation), refused, "{server} {operation}");
    }
    let stored = |tree: &mut Tree, server: &str| {
        let to = uri(&address_of("Ext/new"));
        write(tree, as_server(server), |change| change.store_at(&to, None, text("v"))).is_ok()
    };
    assert!(!stored(&mut tree, "S2") && stored(&mut tree, "S1"));
    // Another right for one of them leaves the split as it is; a new Write is a whole one.
    grant(&mut tree, &address_of(""), "/Ext", "S1", 7);
    assert_eq!(acl(&tree, "./Lab/one/Ext"), "Add=S1&Delete=S2&Exec=S1&Get=S1+*");
    grant(&mut tree, &address_of(""), "/Ext", "S1", 5);
    assert_eq!(acl(&tree, "./Lab/one/Ext"), "Delete=S2&Exec=S1&Get=S1+*");
    grant(&mut tree, &address_of(""), "/Ext", "S1", 7);
    assert_eq!(acl(&tree, "./Lab/one/Ext"), "Add=S1&Delete=S1+S2&Exec=S1&Get=S1+*&Replace=S1");
    grant(&mut tree, &address_of(""), "/Ext", "appid:app", 7);
    assert_eq!(set(&mut tree, "device", "./Lab/one/Ext?prop=ACL", "Get=S1"), 200);
    // An application cannot be named in an ACL, and keeps what it has.
    let node = tree.resolve(&Actor::Device, &uri(&address_of("Ext"))).unwrap()[0].node;
    assert_eq!(tree.rights(&authority("appid:app"), node), Rights::from_ar(7).unwrap());
    assert_eq!(set(&mut tree, "device", "./Lab/one/Ext?prop=ACL", ""), 200);
    assert_eq!(tree.rights(&authority("appid:app"), node), Rights::NONE);
}

#[test]
fn entries_go_and_move_with_the_nodes_of_their_acls() {
    let mut tree = both();
    grant(&mut tree, &address_of(""), "/", "S1", 15);
    grant(&mut tree, &address_of(""), "/Ext/x/y", "S2", 1);
    assert_eq!(set(&mut tree, "device", "./Lab/one/Ext/x?prop=ACL", "Get=S1+S2&Delete=S1&Replace=S1"), 200);
    assert_eq!(set(&mut tree, "device", "./Lab/one/Ext/x?prop=Name", "z"), 200);
    assert_eq!((ar(&tree, "S2", "Ext/z"), ar(&tree, "S2", "Ext/z/y"), ar(&tree, "S1", "Ext/z/y")), (1, 1, 0));
    assert_eq!(set(&mut tree, "device", "./Lab/one?prop=Name", "other"), 200);
    assert_eq!(shown(&tree, "S2", "./Lab/other/Ext/z/y").unwrap(), "v");
    assert_eq!(delete(&mut tree, "device", "./Lab/other/Ext/z"), 200);
    assert_eq!(add_text(&mut tree, "device", "./Lab/other/Ext/z/y", "w"), 200);
    // What stood for the ACL went; what was granted by itself holds for whatever is there.
    assert_eq!((ar(&tree, "S2", "Ext/z"), ar(&tree, "S2", "Ext/z/y")), (0, 1));
    assert_eq!(delete(&mut tree, "device", "./Lab/other"), 200);
    assert!(at(&tree, &format!("{DACMO}//{BENCH}")).is_none());
}

#[test]
fn what_only_a_bootstrap_writes_is_closed_to_commands() {
    let mut tree = both();
    let keys = node_of([("ServerURI", text("https://b.example")), ("ClientSecretKey", text("AAEC"))]);
    let auth = node_of([("Bootstrap", keys)]);
    let content = match account("S4", ["*"]) {
        Content::Interior(mut children) => {
            children.push((name("Auth"), auth));
            Content::Interior(children)
        }
        leaf => leaf,
    };
    write(&mut tree, Actor::Bootstrap(server("S4")), |change| {
        change.store_item(&uri(&format!("{DMACC}//")), "s4", content)
    })
    .unwrap();
    let below = |path: &str| format!("./DMAcc/s4/{path}");
    assert_eq!(status_of_get(&tree, "S4", &below("SrvID")), 200);
    for path in ["Perm", "Perm/1/MOID", "Auth/Bootstrap/ClientSecretKey"] {
        assert_eq!(status_of_get(&tree, "S4", &below(path)), 405, "{path}");
    }
    assert_eq!(shown(&tree, "S4", "./DMAcc/s4").unwrap(), "Auth/Name/SrvID/SrvURI");
    let listed = get(&tree, "S4", "./DMAcc/s4?list=StructData").unwrap();
    assert!(!listed.iter().any(|item| item.uri.contains("Perm") || item.uri.contains("Key")), "{listed:?}");
    assert_eq!(
        replace(&mut tree, "S4", &below("Auth/Bootstrap/ClientSecretKey"), of(Format::B64, "AA==")),
        425
    );
    assert_eq!(replace_text(&mut tree, "S4", &below("SrvID"), "S1"), 405);
    assert_eq!(add_text(&mut tree, "S4", &below("Perm/2/MOID"), "*"), 425);
    assert_eq!(
        (delete(&mut tree, "S4", &below("Perm")), delete(&mut tree, "S4", &below("Auth"))),
        (425, 425)
    );
    // An object of DM 2.0 is not made by a server of DM 1.x, whatever the way.
    for (at, moid) in [("./DMAcc/x", DMACC), ("./x", DACMO), ("./Inbox/x", DMACC)] {
        assert_eq!(add(&mut tree, "S3", at, interior(Some(moid))), 425, "{at}");
    }
}

/// One thing that happens to the rights on the bench.
#[derive(Clone, Debug)]
enum Step {
    /// Replace of an ACL by DM 1.x.
    Acl(&'static str, &'static str, String),
    /// HGET of a group of entries by DM 2.0.
    Hget(&'static str, u8, &'static str, Vec<(String, i64)>),
    Grant(&'static str, String, u8),
    Add(&'static str, &'static str),
    Delete(&'static str, &'static str),
}

fn any_place() -> impl Strategy<Value = &'static str> {
    prop::sample::select(PLACES.to_vec())
}
fn any_server() -> impl Strategy<Value = &'static str> {
    prop::sample::select(SERVERS.to_vec())
}
fn any_acl() -> impl Strategy<Value = String> {
    let servers = || prop::sample::subsequence(vec!["S1", "S2", "S3", "*"], 1..3);
    let commands = prop::sample::subsequence(vec!["Add", "Delete", "Exec", "Get", "Replace"], 0..=5);
    (commands, prop::collection::vec(servers(), 5)).prop_map(|(commands, servers)| {
        let entry = |(command, servers): (&str, Vec<&str>)| format!("{command}={}", servers.join("+"));
        commands.into_iter().zip(servers).map(entry).collect::<Vec<_>>().join("&")
    })
}
fn any_maid() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["serverid:S1", "serverid:S2", "*", "appid:a"]).prop_map(String::from)
}
fn any_step() -> impl Strategy<Value = Step> {
    let who = || prop_oneof![1 => Just("device"), 3 => any_server()];
    let entries = prop::collection::vec((any_maid(), prop_oneof![0i64..16, Just(15)]), 1..3);
    let ar = prop_oneof![0u8..16, Just(15)];
    prop_oneof![
        4 => (who(), any_place(), any_acl()).prop_map(|(who, place, acl)| Step::Acl(who, place, acl)),
        3 => (prop::sample::select(vec!["S1", "S2"]), 1u8..4, any_place(), entries)
            .prop_map(|(who, group, place, entries)| Step::Hget(who, group, place, entries)),
        3 => (any_place(), any_maid(), ar).prop_map(|(place, maid, ar)| Step::Grant(place, maid, ar)),
        1 => (who(), any_place()).prop_map(|(who, place)| Step::Add(who, place)),
        1 => (who(), any_place()).prop_map(|(who, place)| Step::Delete(who, place)),
    ]
}

fn take(tree: &mut Tree, step: &Step) {
    match step {
        Step::Acl(who, place, acl) => {
            set(tree, who, &format!("{}?prop=ACL", path_of(place)), acl);
        }
        Step::Hget(who, number, place, entries) => {
            let to = uri(&format!("{ENTRIES}/{number}"));
            let content = group(&format!("/{place}"), entries);
            let _ = write(tree, as_server(who), |change| change.store_at(&to, None, content));
        }
        Step::Grant(place, maid, ar) => {
            let _ = write(tree, Actor::Device, |change| {
                let path = format!("/{place}");
                change.grant(&moid(BENCH), &miid("one"), &path, &authority(maid), rights((*ar).into()))
            });
        }
        Step::Add(who, place) => {
            add_text(tree, who, &path_of(place), "v");
        }
        Step::Delete(who, place) if !place.is_empty() => {
            delete(tree, who, &path_of(place));
        }
        Step::Delete(..) => {}
    }
}

/// Whether entries say what holds for a place; where none do, DM 2.0 gives nothing and DM 1.x goes on to the nodes above.
fn is_governed(tree: &Tree, place: &str) -> bool {
    let Some(Content::Interior(groups)) = at(tree, ENTRIES) else { return false };
    groups.iter().any(|(_, group)| {
        let path = match group.child("Path") {
            Some(Content::Leaf(Value::Text(path))) => path.trim_matches('/').to_owned(),
            _ => String::new(),
        };
        path.is_empty() || place == path || place.starts_with(&format!("{path}/"))
    })
}

/// Both protocols refuse the same for want of a right.
fn compare(tree: &mut Tree, server: &str, place: &str) {
    let Ok(found) = tree.resolve(&Actor::Device, &uri(&address_of(place))) else { return };
    let leaf = tree.node(found[0].node).unwrap().format().is_leaf();
    let path = at_uri(&path_of(place));
    let label = format!("{server} {place}");
    if leaf {
        let got = status_of_get(tree, server, &path_of(place)) == 425;
        assert_eq!(got, refuses(tree, server, place, Operation::Get), "Get {label}");
        let new = chr(if place == "Count" { "1" } else { "w" });
        let replaced = tried(tree, server, |change| change.dm1_replace(&path, new)) == 425;
        assert_eq!(replaced, refuses(tree, server, place, Operation::Replace), "Replace {label}");
    }
    if !place.is_empty() && place != "Name" {
        let deleted = tried(tree, server, |change| change.dm1_delete(&path)) == 425;
        assert_eq!(deleted, refuses(tree, server, place, Operation::Delete), "Delete {label}");
    }
    if ["Folded", "Ext", "Ext/x"].contains(&place) {
        let below = format!("{place}/probe");
        let added = tried(tree, server, |change| change.dm1_add(&at_uri(&path_of(&below)), chr("v"))) == 425;
        let mut change = tree.begin(as_server(server), now());
        let stored = change.store_at(&uri(&address_of(&below)), None, text("v"));
        assert_eq!(added, matches!(stored, Err(OperationError::NoRight { .. })), "Add {label}: {stored:?}");
    }
    let acl = Dm1Uri::parse(&format!("{}?prop=ACL", path_of(place)), &UriLimits::default(), true).unwrap();
    let changed = tried(tree, server, |change| change.dm1_set_property(&acl, "Get=*")) == 425;
    let mut change = tree.begin(as_server(server), now());
    let probe = group(&format!("/{place}"), &[("appid:probe".to_owned(), 1)]);
    let stored = change.store_at(&uri(&format!("{ENTRIES}/probe")), None, probe);
    let refused = matches!(stored, Err(OperationError::NoRight { .. } | OperationError::NotFound { .. }));
    assert_eq!(changed, refused, "Delegate {label}: {stored:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn both_protocols_decide_alike(steps in prop::collection::vec(any_step(), 1..12)) {
        let mut tree = both();
        for step in &steps {
            take(&mut tree, step);
            for place in PLACES.into_iter().filter(|place| is_governed(&tree, place)).collect::<Vec<_>>() {
                for server in ["S1", "S2"] {
                    compare(&mut tree, server, place);
                }
            }
        }
    }

    #[test]
    fn rights_come_back_from_the_records_and_undo(steps in prop::collection::vec(any_step(), 1..8)) {
        let mut tree = both();
        let (last, first) = steps.split_last().unwrap();
        first.iter().for_each(|step| take(&mut tree, step));
        let before = snapshot(&tree);
        let Step::Acl(who, place, acl) = last else { return Ok(()) };
        let uri = at_uri(&format!("{}?prop=ACL", path_of(place)));
        let mut change = tree.begin(actor(who), now());
        let _ = change.dm1_set_property(&uri, acl);
        let prepared = change.prepare();
        let records = prepared.records(&tree);
        let after = snapshot(&tree);
        let mut copy = Tree::new(Arc::clone(tree.catalogue()), tree.quota());
        for (path, record) in before.iter().cloned().map(|(path, record)| (path, Some(record))).chain(records) {
            copy.restore(&path, record).unwrap();
        }
        prop_assert_eq!(snapshot(&copy), after);
        prop_assert!(tree.revert(prepared));
        prop_assert_eq!(snapshot(&tree), before);
    }
}
