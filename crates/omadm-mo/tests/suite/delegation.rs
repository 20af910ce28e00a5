//! The Delegation Access Control MO (`DM 2.0 §12.3`): what it shows, and who changes it.

use omadm_mo::{Actor, Content, Miid, OperationError, Tree, Value};

use crate::support::*;

const LEFT: &str = "urn:oma:mo:oma-dm-dacmo:1.0/dac/urn:oma:mo:moid:1.0/left";

fn entry(maid: &str, ar: &str) -> Content {
    node_of([("MAID", text(maid)), ("AR", leaf(ar))])
}

fn group(path: Option<&str>, entries: &[(&str, &str)]) -> Content {
    let names: Vec<String> = (1..=entries.len()).map(|at| at.to_string()).collect();
    let entries = entries.iter().map(|(maid, ar)| entry(maid, ar));
    let permissions = node_of(names.iter().map(String::as_str).zip(entries));
    let path = path.map(|path| ("Path", text(path)));
    node_of(path.into_iter().chain([("Permissions", permissions)]))
}

/// Two servers; DMS1 has all rights on `left`, DMS2 none, and DMS3 provisioned something else.
fn delegated() -> Tree {
    let mut tree = managed();
    bootstrap(&mut tree, "DMS2", &[FIGURE_5]);
    bootstrap(&mut tree, "DMS3", &[LAB]);
    tree
}

fn put(tree: &mut Tree, server: &str, address: &str, content: Content) -> Result<(), OperationError> {
    write(tree, as_server(server), |change| change.store_at(&uri(address), None, content)).map(drop)
}

fn ar(tree: &Tree, server: &str, path: &str) -> u8 {
    let found = tree.resolve(&Actor::Device, &uri(&format!("urn:oma:mo:moid:1.0/left/{path}"))).unwrap();
    tree.rights(&authority(server), found[0].node).ar()
}

#[test]
fn the_example_of_figure_17() {
    let mut tree = tree();
    write(&mut tree, Actor::Device, |change| {
        change.create_instance(&moid(DEVINFO), &miid("miid1"), Content::empty())
    })
    .unwrap();
    for name in ["DMS1", "DMS2", "DMS3"] {
        bootstrap(&mut tree, name, &["*"]);
    }
    grant(&mut tree, &format!("{DEVINFO}/miid1/"), "/", "*", 1);
    grant(&mut tree, &format!("{DEVINFO}/miid1/"), "/", "DMS1", 15);
    let own = |server: &str| node_of([("1", group(None, &[(server, "15")]))]);
    let expected = node_of([
        (
            DMACC,
            node_of([
                ("dms1", own("serverid:DMS1")),
                ("dms2", own("serverid:DMS2")),
                ("dms3", own("serverid:DMS3")),
            ]),
        ),
        (
            DEVINFO,
            node_of([("miid1", node_of([("1", group(None, &[("*", "1"), ("serverid:DMS1", "15")]))]))]),
        ),
    ]);
    assert_eq!(sorted(at(&tree, &format!("{DACMO}//")).unwrap()), sorted(expected));
    // Another server's account is not even listed for DMS2.
    let root = tree.instances_of(&moid(DACMO)).next().unwrap().root;
    let seen = tree.content(&as_server("DMS2"), root, None).unwrap();
    let accounts = seen.child(DMACC).unwrap();
    assert!(accounts.child("dms2").is_some() && accounts.child("dms1").is_none());
    assert!(seen.child(DEVINFO).is_some());
    let other = matches_as(&tree, &as_server("DMS2"), &format!("{DACMO}//{DMACC}/dms1"));
    assert!(matches!(other, Err(OperationError::NotFound { .. })));
}

/// Order of members does not matter here.
fn sorted(content: Content) -> Content {
    match content {
        Content::Interior(mut children) => {
            children.sort_by(|left, right| left.0.cmp(&right.0));
            Content::Interior(children.into_iter().map(|(name, content)| (name, sorted(content))).collect())
        }
        leaf => leaf,
    }
}

#[test]
fn a_server_with_the_right_delegates() {
    let mut tree = delegated();
    put(&mut tree, "DMS1", &format!("{LEFT}/1/Permissions/2"), entry("serverid:DMS2", "1")).unwrap();
    assert_eq!((ar(&tree, "DMS2", ""), ar(&tree, "DMS1", "")), (1, 15));
    put(&mut tree, "DMS1", &format!("{LEFT}/1/Permissions/2/AR"), leaf("3")).unwrap();
    assert_eq!(ar(&tree, "DMS2", ""), 3);
    put(&mut tree, "DMS1", &format!("{LEFT}/2"), group(Some("/Data"), &[("DMS2", "4")])).unwrap();
    assert_eq!((ar(&tree, "DMS2", "Data/1"), ar(&tree, "DMS1", "Data/1")), (4, 0));
    // The bare name was taken and got its prefix.
    assert_eq!(at(&tree, &format!("{LEFT}/2/Permissions/1/MAID")), Some(text("serverid:DMS2")));
    // What is overwritten at a descendant is out of reach now.
    let lost = put(&mut tree, "DMS1", &format!("{LEFT}/2/Permissions/1/AR"), leaf("0"));
    assert!(matches!(lost, Err(OperationError::NoRight { .. })), "{lost:?}");
}

#[test]
fn an_entry_can_be_taken_away_by_replacing_its_group() {
    let mut tree = delegated();
    put(&mut tree, "DMS1", &format!("{LEFT}/1/Permissions/2"), entry("DMS2", "1")).unwrap();
    put(&mut tree, "DMS1", &format!("{LEFT}/1"), group(None, &[("DMS1", "15")])).unwrap();
    assert_eq!((ar(&tree, "DMS2", ""), ar(&tree, "DMS1", "")), (0, 15));
    let deleted = write(&mut tree, as_server("DMS1"), |change| change.delete(&uri(&format!("{LEFT}/1"))));
    assert!(matches!(deleted, Err(OperationError::NotAllowed { .. })), "{deleted:?}");
}

#[test]
fn a_server_without_the_right_does_not_delegate() {
    let mut tree = delegated();
    let unseen = put(&mut tree, "DMS2", &format!("{LEFT}/1/Permissions/2"), entry("DMS2", "15"));
    assert!(matches!(unseen, Err(OperationError::NotFound { .. })), "{unseen:?}");
    grant(&mut tree, "urn:oma:mo:moid:1.0/left/", "/", "DMS2", 7);
    for (address, content) in [
        (format!("{LEFT}/1/Permissions/2"), entry("DMS2", "15")),
        (format!("{LEFT}/1/Permissions/1/AR"), leaf("0")),
        (format!("{LEFT}/2"), group(Some("/Data"), &[("DMS2", "15")])),
        (format!("{DACMO}//{FIGURE_5}/other"), node_of([("1", group(None, &[("DMS2", "15")]))])),
        (format!("{DACMO}/dac/"), Content::empty()),
    ] {
        let outcome = put(&mut tree, "DMS2", &address, content);
        assert!(matches!(outcome, Err(OperationError::NoRight { .. })), "{address}: {outcome:?}");
    }
}

#[test]
fn the_right_on_a_part_allows_to_delegate_that_part() {
    let mut tree = delegated();
    grant(&mut tree, "urn:oma:mo:moid:1.0/left/", "/Data", "DMS2", 8);
    put(&mut tree, "DMS2", &format!("{LEFT}/3"), group(Some("/Data/1"), &[("DMS2", "9")])).unwrap();
    assert_eq!((ar(&tree, "DMS2", "Data/1/Date"), ar(&tree, "DMS2", "Data/2")), (9, 8));
    let outside = put(&mut tree, "DMS2", &format!("{LEFT}/4"), group(Some("/ID"), &[("DMS2", "1")]));
    assert!(matches!(outside, Err(OperationError::NoRight { .. })), "{outside:?}");
}

#[test]
fn only_servers_that_provisioned_the_moid_get_rights() {
    let mut tree = delegated();
    for stranger in ["serverid:DMS3", "serverid:DMS9"] {
        let outcome = put(&mut tree, "DMS1", &format!("{LEFT}/1/Permissions/2"), entry(stranger, "1"));
        assert!(matches!(outcome, Err(OperationError::NoRight { .. })), "{stranger}: {outcome:?}");
    }
    for (place, taken) in [(2, "*"), (3, "appid:com.example")] {
        put(&mut tree, "DMS1", &format!("{LEFT}/1/Permissions/{place}"), entry(taken, "1")).unwrap();
    }
    assert_eq!((ar(&tree, "DMS3", ""), ar(&tree, "appid:com.example", "")), (1, 1));
}

#[test]
fn illegal_entries_are_refused() {
    let mut tree = delegated();
    for content in [
        group(None, &[("DMS2", "16")]),
        group(None, &[("DMS2", "-1")]),
        group(None, &[("", "1")]),
        group(None, &[("appid:", "1")]),
        group(Some("Data"), &[("DMS2", "1")]),
        group(Some("/Data/"), &[("DMS2", "1")]),
        group(Some("/(x)"), &[("DMS2", "1")]),
        group(Some("/*"), &[("DMS2", "1")]),
    ] {
        let outcome = put(&mut tree, "DMS1", &format!("{LEFT}/2"), content.clone());
        assert!(matches!(outcome, Err(OperationError::BadAccessEntry { .. })), "{content:?}: {outcome:?}");
    }
    let not_a_number = put(&mut tree, "DMS1", &format!("{LEFT}/1/Permissions/1/AR"), text("many"));
    assert!(matches!(not_a_number, Err(OperationError::BadData { .. })), "{not_a_number:?}");
    let by_device = write(&mut tree, Actor::Device, |change| {
        let leaf = uri(&format!("{LEFT}/1/Permissions/1/AR"));
        let leaf = change.tree().resolve(&Actor::Device, &leaf)?[0].node;
        change.set(leaf, Value::Int(16))
    });
    assert!(matches!(by_device, Err(OperationError::BadAccessEntry { .. })), "{by_device:?}");
}

#[test]
fn there_is_one_access_control_object() {
    let mut tree = delegated();
    let uri = uri(&format!("{DACMO}//"));
    let outcome =
        write(&mut tree, as_server("DMS1"), |change| change.store_item(&uri, "mine", Content::empty()));
    assert!(outcome.is_err());
    assert_eq!(tree.instances_of(&moid(DACMO)).count(), 1);
}

#[test]
fn entries_go_with_their_instance() {
    let mut tree = delegated();
    let bench = uri(&format!("{LAB}/bench/"));
    assert!(at(&tree, &format!("{DACMO}//{LAB}")).is_some());
    let mut change = tree.begin(as_server("DMS1"), now());
    change.delete(&bench).unwrap();
    assert!(at(change.tree(), &format!("{DACMO}//{LAB}")).is_none());
    drop(change);
    assert!(at(&tree, &format!("{DACMO}//{LAB}/bench")).is_some());
    write(&mut tree, as_server("DMS1"), |change| change.delete(&bench)).unwrap();
    assert!(at(&tree, &format!("{DACMO}//{LAB}")).is_none());
    assert!(at(&tree, &format!("{DACMO}//{FIGURE_5}")).is_some());
}

#[test]
fn moids_with_slashes_have_entries_too() {
    let mut ddf = ddf();
    ddf.nodes[0].df_type = Some(omadm_mo::ddf::DfType::DdfName("com.example/1.0/Cam".into()));
    let mut catalogue = omadm_mo::ddf::Catalogue::new();
    catalogue.add(&ddf, "");
    let mut tree = Tree::new(std::sync::Arc::new(catalogue), omadm_mo::Quota::default());
    bootstrap(&mut tree, "DMS1", &["*"]);
    let cam = moid("com.example/1.0/Cam");
    write(&mut tree, Actor::Device, |change| change.create_instance(&cam, &miid("1"), Content::empty()))
        .unwrap();
    let one = Miid::parse("1").unwrap();
    write(&mut tree, Actor::Device, |change| change.grant(&cam, &one, "/", &authority("DMS1"), rights(1)))
        .unwrap();
    let root = tree.instance(&cam, &one).unwrap().root;
    assert_eq!(tree.rights(&authority("DMS1"), root).ar(), 1);
    assert!(at(&tree, &format!("{DACMO}//com.example%252F1.0%252FCam/1")).is_some());
    let seen = tree.content(&as_server("DMS1"), tree.instances_of(&moid(DACMO)).next().unwrap().root, None);
    assert!(seen.unwrap().child("com.example%2F1.0%2FCam").is_some());
}

#[test]
fn a_server_adds_no_node_that_is_about_nothing() {
    let mut tree = delegated();
    let before = snapshot(&tree);
    for server in ["DMS1", "DMS2"] {
        let address = "urn:oma:mo:oma-dm-dacmo:1.0/dac/urn:x-test:nothing";
        let refused = put(&mut tree, server, address, Content::empty());
        assert!(matches!(refused, Err(OperationError::BadAccessEntry { .. })), "{server}: {refused:?}");
        let refused = put(
            &mut tree,
            server,
            address,
            node_of([("left", node_of([("1", group(None, &[("*", "1")]))]))]),
        );
        assert!(matches!(refused, Err(OperationError::NoRight { .. })), "{server}: {refused:?}");
    }
    assert_eq!(snapshot(&tree), before);
}
