//! What is accepted beside the normative text, that it is told, and that it can be switched off.

use omadm_mo::{Actor, Departure, OperationError, Tolerances, Tree};

use crate::support::*;

fn with_devinfo() -> Tree {
    let mut tree = managed();
    write(&mut tree, Actor::Device, |change| {
        let content = node_of([("DevID", text("IMEI:493005100592800"))]);
        change.create_instance(&moid(DEVINFO), &miid("1"), content)
    })
    .unwrap();
    tree
}

#[test]
fn moids_of_the_examples() {
    let mut tree = with_devinfo();
    for alias in ["oma:mo:oma-dm-devinfo:1.2", "urn:oma:mo:oma-dm-devinfo:1.0", "oma:mo:oma-dm-devinfo:1.0"] {
        let address = format!("{alias}//DevID");
        assert_eq!(matches(&tree, &address).unwrap(), [format!("{DEVINFO}/1/DevID")]);
        assert_eq!(tree.canonical(&uri(&address)), Some(uri(&format!("{DEVINFO}//DevID"))));
    }
    assert_eq!(matches(&tree, "urn:oma:mo:oma-dm-dmacc:2.0//Name").unwrap(), [format!("{DMACC}/dms1/Name")]);
    assert_eq!(tree.canonical(&uri(&format!("{DEVINFO}//DevID"))), None);
    assert!(matches(&tree, "urn:oma:mo:oma-dm-devinfo:3.0//").is_err());
    tree.set_tolerances(Tolerances { moid_aliases: false, ..Tolerances::default() });
    for alias in ["oma:mo:oma-dm-devinfo:1.2", "urn:oma:mo:oma-dm-devinfo:1.0"] {
        let outcome = matches(&tree, &format!("{alias}//"));
        assert!(matches!(outcome, Err(OperationError::UnknownMoid { .. })), "{outcome:?}");
    }
}

#[test]
fn account_paths_of_the_examples() {
    let mut tree = with_devinfo();
    write(&mut tree, Actor::Device, |change| {
        let root = change.tree().account(&server("DMS1")).unwrap().id();
        change.add(root, "Auth", node_of([("Noti", node_of([("Secret", text("AAAA"))]))]))
    })
    .unwrap();
    let example = "urn:oma:mo:oma-dm-dmacc:2.0/(x)/AuthNoti/AuthSecret?nv=(x)/ServerID:DMS1";
    let secret = format!("{DMACC}/dms1/Auth/Noti/Secret");
    for address in [
        example.to_owned(),
        format!("{DMACC}//Credentials/Noti/AuthSecret"),
        format!("{DMACC}//AuthNoti/Secret"),
    ] {
        assert_eq!(matches(&tree, &address).unwrap(), [secret.as_str()], "{address}");
    }
    let stored = write(&mut tree, as_server("DMS1"), |change| {
        change.store_leaf(&uri(example), "text/plain", b"AB123CES121XX90TPOWQESEFSE33")
    });
    assert_eq!(stored.unwrap(), uri(&secret));
    tree.set_tolerances(Tolerances { node_aliases: false, ..Tolerances::default() });
    assert!(matches(&tree, example).is_err());
    assert!(matches(&tree, &format!("{DMACC}/(x)/Name?nv=(x)/SrvID:DMS1")).is_ok());
}

#[test]
fn a_moid_provisioned_by_an_alias_counts() {
    let mut tree = with_devinfo();
    bootstrap(&mut tree, "DMS2", &["oma:mo:oma-dm-devinfo:1.0"]);
    assert!(tree.provisioned(&server("DMS2"), &moid(DEVINFO)));
    assert!(!tree.provisioned(&server("DMS2"), &moid(LAB)));
    tree.set_tolerances(Tolerances::STRICT);
    assert!(!tree.provisioned(&server("DMS2"), &moid(DEVINFO)));
}

#[test]
fn text_for_numbers_is_told_or_refused() {
    let mut tree = with_devinfo();
    let count = uri(&format!("{LAB}/bench/Count"));
    let mut change = tree.begin(as_server("DMS1"), now());
    change.store_at(&count, None, leaf("7")).unwrap();
    assert_eq!(change.departures(), []);
    change.store_at(&count, None, text("eight")).unwrap_err();
    assert_eq!(change.departures(), []);
    change.store_at(&count, None, text("8")).unwrap();
    change.store_at(&count, None, text("8")).unwrap();
    assert_eq!(change.departures(), [Departure::TextForTyped]);
    change.commit();
    assert_eq!(at(&tree, &count.to_string()), Some(leaf("8")));
    tree.set_tolerances(Tolerances { text_values: false, ..Tolerances::default() });
    let refused = write(&mut tree, as_server("DMS1"), |change| change.store_at(&count, None, text("9")));
    assert!(matches!(refused, Err(OperationError::BadData { .. })), "{refused:?}");
}

#[test]
fn a_refused_operation_tolerated_nothing() {
    let mut tree = with_devinfo();
    let mut change = tree.begin(as_server("DMS1"), now());
    let twice = node_of([("Count", text("8")), ("Nothing of this name", text("8"))]);
    change.store_at(&uri(&format!("{LAB}/bench/")), None, twice).unwrap_err();
    assert_eq!(change.departures(), []);
}

#[test]
fn loose_base64_is_told_or_refused() {
    let mut tree = with_devinfo();
    let blob = uri(&format!("{LAB}/bench/Blob"));
    for (given, tolerated) in [("AQI=", false), ("AQI", true), ("AQ I=\n", true)] {
        let told = write(&mut tree, as_server("DMS1"), |change| {
            change.store_at(&blob, None, text(given))?;
            Ok(change.departures().contains(&Departure::LooseBase64))
        });
        assert_eq!(told, Ok(tolerated), "{given:?}");
    }
    tree.set_tolerances(Tolerances { loose_base64: false, ..Tolerances::default() });
    let refused = write(&mut tree, as_server("DMS1"), |change| change.store_at(&blob, None, text("AQI")));
    assert!(matches!(refused, Err(OperationError::BadData { .. })), "{refused:?}");
    write(&mut tree, as_server("DMS1"), |change| change.store_at(&blob, None, text("AQI="))).unwrap();
}

#[test]
fn loose_text_is_told_or_refused() {
    let mut tree = with_devinfo();
    let count = uri(&format!("{LAB}/bench/Count"));
    let store = |tree: &mut Tree, body: &[u8]| {
        write(tree, as_server("DMS1"), |change| {
            change.store_leaf(&count, "text/plain", body)?;
            Ok(change.departures().to_vec())
        })
    };
    assert_eq!(store(&mut tree, b"7"), Ok(vec![]));
    assert_eq!(store(&mut tree, b"8\n"), Ok(vec![Departure::LooseText]));
    assert_eq!(at(&tree, &count.to_string()), Some(leaf("8")));
    tree.set_tolerances(Tolerances { loose_text: false, ..Tolerances::default() });
    let refused = store(&mut tree, b"9\n");
    assert!(matches!(refused, Err(OperationError::BadData { .. })), "{refused:?}");
    assert_eq!(store(&mut tree, b"9"), Ok(vec![]));
}

#[test]
fn a_bootstrap_tells_that_it_names_moids_by_aliases() {
    let mut tree = with_devinfo();
    for (moid, told) in [(DEVINFO, &[][..]), ("oma:mo:oma-dm-devinfo:1.0", &[Departure::MoidAlias])] {
        let mut change = tree.begin(Actor::Bootstrap(server("DMS2")), now());
        change.store_item(&uri(&format!("{DMACC}//")), "dms2", account("DMS2", [moid])).unwrap();
        assert_eq!(change.departures(), told, "{moid}");
    }
}

#[test]
fn bare_server_names_in_access_entries() {
    let mut tree = with_devinfo();
    let entry = format!("{DACMO}//{FIGURE_5}/left/1/Permissions/1/MAID");
    for (given, told) in [("serverid:DMS1", &[][..]), ("DMS1", &[Departure::BareAuthority])] {
        write(&mut tree, as_server("DMS1"), |change| {
            change.store_at(&uri(&entry), None, text(given))?;
            assert_eq!(change.departures(), told, "{given}");
            Ok(())
        })
        .unwrap();
        assert_eq!(at(&tree, &entry), Some(text("serverid:DMS1")));
    }
    tree.set_tolerances(Tolerances { bare_authorities: false, ..Tolerances::default() });
    let refused =
        write(&mut tree, as_server("DMS1"), |change| change.store_at(&uri(&entry), None, text("DMS1")));
    assert!(matches!(refused, Err(OperationError::BadAccessEntry { .. })), "{refused:?}");
}
