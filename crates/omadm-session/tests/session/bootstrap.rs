//! Installing a DM Bootstrap.

use crate::common::*;
use omadm_codec::{Limits, Tolerance};
use omadm_mo::{Quota, Rights, Tree, Value};
use omadm_session::dm2::client::{BootstrapError, install_bootstrap};

const DMACC: &str = "urn:oma:mo:oma-dm-dmacc:1.2";

fn empty() -> Tree {
    Tree::new(catalogue(), Quota::default())
}

fn install(tree: &mut Tree, body: &str) -> Result<Vec<String>, BootstrapError> {
    let installed = install_bootstrap(tree, NOW, body.as_bytes(), &Limits::default(), false)?;
    assert!(!installed.prepared.records(tree).is_empty());
    Ok(installed.servers.iter().map(|server| server.as_str().to_owned()).collect())
}

fn account(server: &str, uri: &str) -> String {
    format!(
        "{{\"ClientURI\":\"{DMACC}//\",\"MOData\":{{\"acc\":{{\"SrvID\":\"{server}\",\"SrvURI\":\"{uri}\",\
         \"Name\":\"n\",\"Perm\":{{\"1\":{{\"MOID\":\"*\"}}}}}}}}}}"
    )
}

fn a_box(label: &str) -> String {
    format!("{{\"ClientURI\":\"{BOX}//\",\"MOData\":{{\"{label}\":{{\"Setting\":\"factory\"}}}}}}")
}

#[test]
fn accounts_come_first_and_other_objects_belong_to_the_first() {
    let mut tree = empty();
    let body = format!("[{},{},{}]", a_box("b"), account("A", "https://a/"), account("B", "https://b/"));
    assert_eq!(install(&mut tree, &body).unwrap(), ["A", "B"]);
    assert_eq!(tree.accounts().count(), 2);
    assert_eq!(value(&tree, &format!("{BOX}/b/Setting")), Some(Value::Text("factory".into())));
    let rights =
        |server_name: &str, root| tree.rights(&omadm_mo::Authority::Server(server(server_name)), root);
    let the_box = tree.instance(&moid(BOX), &miid("b")).unwrap().root;
    assert_eq!((rights("A", the_box), rights("B", the_box)), (Rights::ALL, Rights::NONE));
    for (own, other) in [("A", "B"), ("B", "A")] {
        let root = tree.account(&server(own)).unwrap().id();
        assert_eq!((rights(own, root), rights(other, root)), (Rights::ALL, Rights::NONE), "account of {own}");
    }
}

#[test]
fn the_same_server_is_updated() {
    let mut tree = empty();
    install(&mut tree, &format!("[{}]", account("A", "https://old/"))).unwrap();
    install(&mut tree, &format!("[{}]", account("A", "https://new/"))).unwrap();
    assert_eq!(tree.accounts().count(), 1);
    assert_eq!(value(&tree, &format!("{DMACC}//SrvURI")), Some(Value::Text("https://new/".into())));
}

#[test]
fn a_bad_item_leaves_nothing_behind() {
    let good = account("A", "https://a/");
    for (bad, index) in [
        (format!("{{\"ClientURI\":\"{BOX}//\",\"MOData\":{{\"x\":{{\"Count\":\"many\"}}}}}}"), 1),
        ("{\"ClientURI\":\"urn:x:none:1.0//\",\"MOData\":{\"x\":{}}}".to_owned(), 1),
        ("{\"ClientURI\":\"::\",\"MOData\":{\"x\":{}}}".to_owned(), 1),
        (format!("{{\"ClientURI\":\"{DMACC}//\",\"MOData\":{{\"x\":{{\"Name\":\"no SrvID\"}}}}}}"), 1),
    ] {
        let mut tree = empty();
        let before = snapshot(&tree);
        match install(&mut tree, &format!("[{good},{bad}]")) {
            Err(BootstrapError::Item { index: at, .. }) => assert_eq!(at, index, "{bad}"),
            other => panic!("{bad}: {other:?}"),
        }
        assert_eq!(snapshot(&tree), before, "{bad}");
    }
    assert!(matches!(install(&mut empty(), "[{"), Err(BootstrapError::Decode(_))));
}

#[test]
fn without_any_account_there_is_no_bootstrap() {
    let body = format!("[{}]", a_box("b"));
    assert!(matches!(install(&mut empty(), &body), Err(BootstrapError::NoAccount)));
    let mut tree = tree();
    assert_eq!(install(&mut tree, &body).unwrap(), ["DMS1"]);
}

#[test]
fn it_can_be_taken_back_until_it_is_durable() {
    let mut tree = tree();
    let before = snapshot(&tree);
    let body = format!("[{},{}]", account("DMS1", "https://new/"), a_box("b"));
    let installed = install_bootstrap(&mut tree, NOW, body.as_bytes(), &Limits::default(), true).unwrap();
    assert_eq!(installed.tolerated, []);
    assert_ne!(snapshot(&tree), before);
    tree.revert(installed.prepared);
    assert_eq!(snapshot(&tree), before);
}

/// Each row departs from the standard in one way. Strict refuses it whether or not the tree is strict as well.
#[test]
fn what_is_tolerated_is_told_and_refused_in_strict_mode() {
    let good = account("A", "https://a/");
    let the_box =
        |content: &str| format!("[{good},{{\"ClientURI\":\"{BOX}//\",\"MOData\":{{\"b\":{content}}}}}]");
    for (body, tolerance) in [
        (good.clone(), Tolerance::BareMoObject),
        (format!("\u{feff}[{good}]"), Tolerance::ByteOrderMark),
        (format!("[{}]", good.replace(DMACC, "urn:oma:mo:oma-dm-dmacc:2.0")), Tolerance::MoidAlias),
        (the_box(r#"{"Setting":"s","On":"true"}"#), Tolerance::TextForTyped),
        (the_box(r#"{"Setting":"s","Blob":"AQI"}"#), Tolerance::LooseBase64),
        (format!("[{}]", good.replace("\"*\"", "\"urn:oma:mo:oma-dm-devinfo:1.0\"")), Tolerance::MoidAlias),
    ] {
        let mut tree = empty();
        let installed =
            install_bootstrap(&mut tree, NOW, body.as_bytes(), &Limits::default(), false).unwrap();
        assert_eq!(installed.tolerated, [tolerance], "{body}");
        let mut tree = empty();
        let refused = install_bootstrap(&mut tree, NOW, body.as_bytes(), &Limits::default(), true);
        assert!(refused.is_err(), "{body}: {refused:?}");
        assert_eq!(tree.accounts().count(), 0);
    }
}
