//! DM 1.x accounts on a device: how they come, what of them can be read, and whose they are.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use omadm_client::dm1::{Accounts as _, GenericAlert};
use omadm_client::{ClientError, Device, Journal, Volatile};
use omadm_mo::dm1::{Dm1Uri, ReadContent, UriLimits};
use omadm_mo::{Actor, ServerId, Value};
use serde_json::json;

use support::device::{Hands, server_id};
use support::dm1::{account, open};

fn device() -> Device {
    open(Volatile::new(), &Hands::default())
}

/// What a server reads at an address: addresses and values as text, or the status of the refusal.
fn read(device: &Device, server: &str, uri: &str) -> Result<Vec<(String, String)>, u16> {
    let actor = Actor::Server(ServerId::parse(server).unwrap());
    let uri = Dm1Uri::parse(uri, &UriLimits::default(), true).unwrap();
    let items = device.tree().dm1_get(&actor, &uri).map_err(|error| error.status())?;
    let text = |content| match content {
        ReadContent::Value(value) => value.to_text(),
        ReadContent::Text(text) => text,
        ReadContent::Names(names) => names.join("/"),
        ReadContent::None | ReadContent::Tree(_) => String::new(),
    };
    Ok(items.into_iter().map(|item| (item.uri, text(item.content))).collect())
}

fn value(device: &Device, server: &str, uri: &str) -> Result<String, u16> {
    read(device, server, uri).map(|items| items[0].1.clone())
}

fn whole() -> serde_json::Value {
    json!({
        "addresses": ["https://one.example/dm", "https://two.example:8443/dm"],
        "preferred": "HMAC-SHA256",
        "client": { "type": "SHA256", "user": "dev", "password": "hunter2", "nonce": "AAEC" },
        "server": { "type": "DIGEST", "user": "srv", "password": "hunter3" },
        "http": { "type": "HTTP-DIGEST", "user": "web", "password": "hunter4" },
        "version": "1.2",
        "encoding": "xml",
    })
}

#[test]
fn an_account_is_in_the_tree_as_the_standard_has_it() {
    let mut device = device();
    assert_eq!(device.install_dm1_account(&account("", whole())).unwrap(), server_id());
    for (path, expected) in [
        ("AppID", "w7"),
        ("ServerID", "s1"),
        ("Name", "Test"),
        ("AppAddr/1/Addr", "https://one.example/dm"),
        ("AppAddr/1/AddrType", "URI"),
        ("AppAddr/2/Addr", "https://two.example:8443/dm"),
        ("AAuthPref", "HMAC-SHA256"),
        ("AppAuth/1/AAuthLevel", "CLCRED"),
        ("AppAuth/1/AAuthType", "SHA256"),
        ("AppAuth/1/AAuthName", "dev"),
        ("AppAuth/2/AAuthLevel", "SRVCRED"),
        ("AppAuth/2/AAuthType", "DIGEST"),
        ("AppAuth/3/AAuthLevel", "HTTP"),
        ("AppAuth/3/AAuthType", "HTTP-DIGEST"),
    ] {
        assert_eq!(value(&device, "s1", &format!("./DMAcc/1/{path}")), Ok(expected.to_owned()), "{path}");
    }
    assert_eq!(value(&device, "s1", "./DMAcc/1?prop=Type"), Ok("urn:oma:mo:oma-dm-dmacc:1.1".to_owned()));
    let acl = "Delete=s1&Get=s1&Replace=s1";
    assert_eq!(value(&device, "s1", "./DMAcc/1?prop=ACL"), Ok(acl.to_owned()), "it belongs to its server");
}

#[test]
fn nobody_reads_secrets_and_no_other_server_the_account() {
    let mut device = device();
    device.install_dm1_account(&account("", whole())).unwrap();
    for secret in ["AppAuth/1/AAuthSecret", "AppAuth/1/AAuthData", "AppAuth/3/AAuthSecret"] {
        assert_eq!(value(&device, "s1", &format!("./DMAcc/1/{secret}")), Err(405), "{secret}");
    }
    let listed = read(&device, "s1", "./DMAcc/1?list=StructData").unwrap();
    assert!(listed.iter().any(|(uri, _)| uri == "./DMAcc/1/AppAuth/1/AAuthName"), "{listed:?}");
    assert!(!format!("{listed:?}").contains("hunter"), "{listed:?}");
    assert!(!listed.iter().any(|(uri, _)| uri.contains("Secret") || uri.contains("AAuthData")), "{listed:?}");
    assert_eq!(value(&device, "other", "./DMAcc/1/ServerID"), Err(425));
}

#[test]
fn an_account_of_the_same_server_is_replaced_and_others_stay() {
    let mut device = device();
    device.install_dm1_account(&account("https://one.example/", json!({}))).unwrap();
    device.install_dm1_account(&account("https://two.example/", json!({ "server_id": "s2" }))).unwrap();
    device.install_dm1_account(&account("https://new.example/", json!({}))).unwrap();
    let status = device.dm1_status();
    let accounts: Vec<_> = status.iter().map(|of| (of.server.as_str(), of.uri.as_str())).collect();
    assert_eq!(accounts.len(), 2);
    assert!(accounts.contains(&("s1", "https://new.example/")), "{accounts:?}");
    assert!(accounts.contains(&("s2", "https://two.example/")), "{accounts:?}");
}

#[test]
fn what_is_installed_once_is_not_installed_again() {
    let mut device = device();
    let (settings, source) = (account("https://one.example/", json!({})), b"the file");
    assert_eq!(device.install_dm1_account_once(&settings, source).unwrap(), Some(server_id()));
    let root = device.tree().dm1_account(&server_id()).unwrap().id();
    device.change(|tree| Ok(tree.remove(root)?)).unwrap();
    assert_eq!(device.install_dm1_account_once(&settings, source).unwrap(), None, "removed is removed");
    assert!(device.dm1_status().is_empty());
    assert!(device.install_dm1_account_once(&settings, b"another file").unwrap().is_some());
}

#[test]
fn an_account_that_cannot_be_used_is_refused_and_changes_nothing() {
    let mut device = device();
    for (member, value, reason) in [
        ("server_id", json!(""), "empty"),
        ("server_id", json!("a=b"), "illegal identifier"),
        ("addresses", json!([]), "no address"),
        ("addresses", json!(["ftp://one.example/"]), "no http or https URI"),
        ("client", json!({ "type": "DIGEST", "user": "u" }), "needs user and password"),
        ("client", json!({ "type": "DIGEST", "user": "u:v", "password": "p" }), "colon"),
        ("server", json!({ "type": "DIGEST", "user": "u", "password": "p", "nonce": "?" }), "no base64"),
    ] {
        let settings = account("https://one.example/", json!({ member: value }));
        let error = device.install_dm1_account(&settings).unwrap_err();
        assert!(matches!(error, ClientError::Account { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert!(device.dm1_status().is_empty());
    let without_password = json!({ "type": "TRANSPORT" });
    let settings = account("https://one.example/", json!({ "client": without_password }));
    device.install_dm1_account(&settings).unwrap();
}

#[test]
fn account_link_and_alerts_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let reopen = || open(Journal::open(directory.path()).unwrap(), &Hands::default());
    let mut before = reopen();
    before.install_dm1_account(&account("", whole())).unwrap();
    let alert =
        GenericAlert { source: Some("./A".to_owned()), ..GenericAlert::new("urn:x:at:1.0", "50 %\n") };
    before.raise_dm1_alert(&server_id(), alert.clone()).unwrap();
    before.compact().unwrap();
    before.raise_dm1_alert(&server_id(), GenericAlert::new("second", "")).unwrap();
    drop(before);
    let after = reopen();
    let [status] = &after.dm1_status()[..] else { panic!() };
    assert_eq!((status.versions, status.wbxml, status.alerts), (("1.2", None), false, 2));
    assert_eq!(after.dm1_alerts(&server_id()), [alert, GenericAlert::new("second", "")]);
    let root = after.tree().dm1_account(&server_id()).unwrap();
    let secret = root.child("AppAuth").unwrap().child("1").unwrap().child("AAuthSecret").unwrap();
    assert_eq!(secret.value(), Some(&Value::Text("hunter2".to_owned())));
}

#[test]
fn the_outbox_has_its_bound_and_takes_nothing_for_strangers() {
    let mut device = device();
    device.install_dm1_account(&account("", whole())).unwrap();
    for _ in 0..3 {
        device.raise_dm1_alert(&server_id(), GenericAlert::new("a", "")).unwrap();
    }
    let full = device.raise_dm1_alert(&server_id(), GenericAlert::new("a", ""));
    assert!(matches!(full, Err(ClientError::OutboxFull { limit: 3, .. })), "{full:?}");
    let nobody = device.raise_dm1_alert(&ServerId::parse("s2").unwrap(), GenericAlert::new("a", ""));
    assert!(matches!(nobody, Err(ClientError::NoAccount { .. })), "{nobody:?}");
}

#[test]
fn what_is_kept_for_a_server_goes_with_its_account() {
    let mut device = device();
    device.install_dm1_account(&account("", whole())).unwrap();
    device.raise_dm1_alert(&server_id(), GenericAlert::new("a", "")).unwrap();
    let root = device.tree().dm1_account(&server_id()).unwrap().id();
    device.change(|tree| Ok(tree.remove(root)?)).unwrap();
    // Installing another account brings what is kept in line.
    device
        .install_dm1_account(&account("", json!({ "server_id": "s2", "addresses": ["https://b.example/"] })))
        .unwrap();
    assert!(device.dm1_alerts(&server_id()).is_empty());
    device.install_dm1_account(&account("", json!({ "addresses": ["https://a.example/"] }))).unwrap();
    let status = device.dm1_status().into_iter().find(|of| of.server == server_id()).unwrap();
    assert_eq!((status.versions.0, status.wbxml, status.alerts), ("1.3", true, 0), "it begins anew");
}
