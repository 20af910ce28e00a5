//! Bootstraps of DM 1.x that take the place of accounts, that are broken or hostile, and that cannot be kept.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use omadm_auth::bootstrap::{MacHash, Method, Profile, Sender};
use omadm_client::dm1::bootstrap::Refused;
use omadm_client::{ClientError, Origin};
use omadm_codec::{Leniency, Limits};
use omadm_mo::dm1::SnapshotNode;
use omadm_session::dm1::bootstrap::{Account, DmAcc, Provisioning};

use support::bootstrap::{
    Person, account, client, client_with, connection, cp, dm, expect_refused, install, node, pushed,
    received, referring, secrets, secured, server, status, text, value,
};
use support::device::Full;
use support::dm1::account as settings;

/// What comes with a strength of its own: the way it is secured by.
fn by(method: Option<Method>, account: &Account) -> omadm_client::dm1::bootstrap::Received {
    let body = dm(account);
    let Some(method) = method else {
        return received("application/vnd.syncml.dm+wbxml", body, Origin::Local);
    };
    let sender = Sender { profile: Profile::Dm, method, hash: MacHash::Sha256, separated: false };
    let content_type = secured(&sender, &secrets("1234", "123456789012345"), &body);
    pushed(&content_type, body)
}

#[tokio::test]
async fn an_account_is_replaced_only_by_what_is_as_well_secured() {
    let named = |name: &str| Account { name: Some(name.to_owned()), ..account("s") };
    let ways = [Some(Method::Network), Some(Method::UserPin), Some(Method::UserPinNetwork), None];
    for (at, first) in ways.into_iter().enumerate() {
        for (then, second) in ways.into_iter().enumerate() {
            let mut client = client();
            let mut person = Person::typing(["1234", "1234"]);
            client.install_dm1_bootstrap(by(first, &named("first")), &mut person).await.unwrap();
            let mut person = Person::typing(["1234", "1234"]);
            let outcome = client.install_dm1_bootstrap(by(second, &named("second")), &mut person).await;
            let name = value(&client, "s", "./DMAcc/Operator/Name").unwrap();
            if then >= at {
                assert!(outcome.is_ok() && name == "second", "{first:?} {second:?}: {outcome:?}");
            } else {
                let weaker = matches!(&outcome, Err(ClientError::Dm1Bootstrap(Refused::Weaker { .. })));
                assert!(weaker && name == "first", "{first:?} {second:?}: {outcome:?}");
            }
            assert_eq!(status(&client).len(), 1);
        }
    }
}

#[tokio::test]
async fn an_account_that_was_set_up_otherwise_is_as_well_secured_as_can_be() {
    let mut by_file = client();
    by_file
        .device_mut()
        .install_dm1_account(&settings("https://one.example/", serde_json::json!({})))
        .unwrap();
    let mut of_dm2 = client();
    let body = support::device::bootstrap("s1", "https://one.example/dm/2.0");
    of_dm2.device_mut().install_bootstrap(&body).unwrap();
    for mut client in [by_file, of_dm2] {
        let weak = by(Some(Method::UserPinNetwork), &account("s1"));
        let error = client.install_dm1_bootstrap(weak, &mut Person::typing(["1234"])).await.unwrap_err();
        assert!(matches!(error, ClientError::Dm1Bootstrap(Refused::Weaker { .. })), "{error}");
        client.install_dm1_bootstrap(by(None, &account("s1")), &mut Person::default()).await.unwrap();
        assert_eq!(value(&client, "s1", "./DMAcc/Operator/Name"), Ok("Op DM".to_owned()));
        // What replaces it by a file is trusted as before.
        let other = Account { name: Some("other".to_owned()), ..account("s1") };
        client
            .device_mut()
            .install_dm1_account(&settings("https://two.example/", serde_json::json!({})))
            .unwrap();
        let weak = by(Some(Method::UserPin), &other);
        let error = client.install_dm1_bootstrap(weak, &mut Person::typing(["1234"])).await.unwrap_err();
        assert!(matches!(error, ClientError::Dm1Bootstrap(Refused::Weaker { .. })), "{error}");
    }
}

#[tokio::test]
async fn a_bootstrap_that_is_sent_again_has_no_effect_and_asks_nobody() {
    let mut client = client();
    let first = by(Some(Method::UserPin), &account("s"));
    client.install_dm1_bootstrap(first.clone(), &mut Person::typing(["1234"])).await.unwrap();
    let newer = Account { name: Some("newer".to_owned()), ..account("s") };
    client
        .install_dm1_bootstrap(by(Some(Method::UserPin), &newer), &mut Person::typing(["1234"]))
        .await
        .unwrap();
    let mut person = Person::typing(["1234"]);
    let error = client.install_dm1_bootstrap(first.clone(), &mut person).await.unwrap_err();
    assert!(matches!(error, ClientError::Dm1Bootstrap(Refused::Repeated)), "{error}");
    assert_eq!(person.asked, 0);
    assert_eq!(value(&client, "s", "./DMAcc/Operator/Name"), Ok("newer".to_owned()));
    // Somebody at the device may want what was there before.
    let again = omadm_client::dm1::bootstrap::Received { origin: Origin::Local, ..first };
    client.install_dm1_bootstrap(again, &mut Person::typing(["1234"])).await.unwrap();
    assert_eq!(value(&client, "s", "./DMAcc/Operator/Name"), Ok("Op DM".to_owned()));
}

#[tokio::test]
async fn the_last_64_bootstraps_are_known_again() {
    let mut client = client();
    let numbered = |number: usize| {
        let name = Some(number.to_string());
        by(Some(Method::Network), &Account { name, ..account("s") })
    };
    for number in 0..=64 {
        client.install_dm1_bootstrap(numbered(number), &mut Person::default()).await.unwrap();
    }
    let error = client.install_dm1_bootstrap(numbered(1), &mut Person::default()).await.unwrap_err();
    assert!(matches!(error, ClientError::Dm1Bootstrap(Refused::Repeated)), "{error}");
    client.install_dm1_bootstrap(numbered(0), &mut Person::default()).await.unwrap();
}

#[tokio::test]
async fn what_came_with_an_account_goes_with_it() {
    let count = |client: &omadm_client::Client| {
        let nap = client.device().tree().root().child("NAP");
        nap.map_or(0, |nap| nap.children().count())
    };
    let mut client = client();
    for _ in 0..3 {
        install(&mut client, vec![vec![connection("One"), referring("s", &["./Inbox/One"])]]).await.unwrap();
        assert_eq!(count(&client), 1, "a bootstrap that is repeated leaves nothing behind");
        assert_eq!(value(&client, "s", "./DMAcc/Operator/PrefConRef"), Ok("./NAP/One".to_owned()));
    }
    install(
        &mut client,
        vec![vec![connection("Two"), {
            let mut other = referring("other", &["./Inbox/Two"]);
            other.name = Some("Other".to_owned());
            other
        }]],
    )
    .await
    .unwrap();
    assert_eq!(count(&client), 2);
    install(&mut client, vec![vec![referring("s", &[])]]).await.unwrap();
    assert_eq!(count(&client), 1, "and what others brought stays");
    assert_eq!(status(&client).len(), 2);
}

#[tokio::test]
async fn accounts_that_are_not_whole_are_refused_with_all_that_comes_with_them() {
    let edit = |change: fn(&mut Account)| {
        let mut account = account("s");
        change(&mut account);
        account
    };
    let broken = [
        edit(|of| of.server_id.clear()),
        edit(|of| of.server_id = "s".repeat(256)),
        edit(|of| of.server_id = "a b".to_owned()),
        edit(|of| of.server_id = "*".to_owned()),
        edit(|of| of.server_id = "s&Replace=*".to_owned()),
        edit(|of| of.server_id = "s+s1".to_owned()),
        edit(|of| of.addresses.clear()),
        edit(|of| of.addresses[0].address = "not an address".to_owned()),
        edit(|of| of.addresses[0].address.clear()),
        edit(|of| of.name = Some("a\u{7}b".to_owned())),
    ];
    for account in &broken {
        let nodes = vec![vec![connection("One"), account.to_node(DmAcc::V1_1, "Operator")]];
        let mut client = client();
        let before = client.device().tree().node_count();
        assert!(install(&mut client, nodes).await.is_err(), "{account:?}");
        assert_eq!(client.device().tree().node_count(), before, "{account:?}");
    }
    for (xml, good) in [
        (r#"<parm name="PROVIDER-ID" value="s"/><parm name="ADDR" value="https://s.example/"/>"#, true),
        (r#"<parm name="ADDR" value="https://s.example/"/>"#, false),
        (r#"<parm name="PROVIDER-ID"/><parm name="ADDR" value="https://s.example/"/>"#, false),
        (r#"<parm name="PROVIDER-ID" value="s"/>"#, false),
        (r#"<parm name="PROVIDER-ID" value="s"/><parm name="ADDR" value=""/>"#, false),
    ] {
        let w7 = format!(
            r#"<characteristic type="APPLICATION"><parm name="APPID" value="w7"/>{xml}</characteristic>"#
        );
        for (w7, good) in [(w7.clone(), good), (w7.repeat(2), false)] {
            let document = format!(r#"<wap-provisioningdoc version="1.1">{w7}</wap-provisioningdoc>"#);
            let mut client = client();
            let local =
                received("text/vnd.wap.connectivity-xml", document.clone().into_bytes(), Origin::Local);
            let outcome = client.install_dm1_bootstrap(local, &mut Person::default()).await;
            assert_eq!(outcome.is_ok(), good, "{document}: {outcome:?}");
            assert_eq!(status(&client).len(), usize::from(good));
        }
    }
    let other = r#"<wap-provisioningdoc><characteristic type="APPLICATION"><parm name="APPID" value="w2"/></characteristic></wap-provisioningdoc>"#;
    let received = received("text/vnd.wap.connectivity-xml", other.as_bytes().to_vec(), Origin::Local);
    expect_refused(received, |error| matches!(error, Refused::Nothing)).await;
}

#[tokio::test]
async fn two_accounts_of_different_servers_may_come_at_once() {
    let both = Provisioning { accounts: vec![account("one"), account("two")], ..Provisioning::default() };
    let body = both.to_document().unwrap().to_wbxml();
    let mut client = client();
    let local = received("application/vnd.wap.connectivity-wbxml", body, Origin::Local);
    let servers = client.install_dm1_bootstrap(local, &mut Person::default()).await.unwrap();
    assert_eq!(servers, [server("one"), server("two")]);
    assert_eq!(value(&client, "one", "./DMAcc/2/Name"), Err(425), "each has its own");
}

#[tokio::test]
async fn hostile_documents_reach_nothing_else() {
    let at = |path: &str, node: SnapshotNode| SnapshotNode { path: Some(path.to_owned()), ..node };
    let mut client = client();
    client
        .device_mut()
        .install_dm1_account(&settings("https://one.example/", serde_json::json!({})))
        .unwrap();
    for path in
        ["./DMAcc/1/AppAddr/1", "DMAcc/1/AppAddr/1", "./Inbox/../DMAcc/1/AppAddr/1", "/", ".", "./Inbox"]
    {
        let spread = at(path, text("Addr", "https://evil.example/"));
        let outcome = install(&mut client, vec![vec![referring("s", &[]), spread]]).await;
        let _ = outcome;
        assert_eq!(
            value(&client, "s1", "./DMAcc/1/AppAddr/1/Addr"),
            Ok("https://one.example/".to_owned()),
            "{path}"
        );
    }
    let mut named = referring("s2", &[]);
    for name in ["..", ".", "a/b", "", "1"] {
        named.name = Some(name.to_owned());
        let _ = install(&mut client, vec![vec![named.clone()]]).await;
        assert_eq!(value(&client, "s1", "./DMAcc/1/ServerID"), Ok("s1".to_owned()), "{name:?}");
    }
    for depth in [1, 40, 4_000] {
        let mut deep = text("leaf", "x");
        for _ in 0..depth {
            deep = node("n", "", vec![deep]);
        }
        let mut account = referring("deep", &[]);
        account.children.push(deep);
        let error = install(&mut client, vec![vec![account]]).await;
        assert!(error.is_err(), "{depth}");
    }
    let mut foreign = referring("s3", &[]);
    foreign.children.push(node("Ext", "", vec![node("Vendor", "", vec![text("x", "y")])]));
    install(&mut client, vec![vec![foreign]]).await.unwrap();
}

#[tokio::test]
async fn a_message_that_does_anything_else_is_refused() {
    use omadm_codec::dm1::{Command, Encoding, OperationKind, decode, encode};
    let body = dm(&account("s"));
    let limits = Limits::default();
    for kind in [OperationKind::Replace, OperationKind::Delete, OperationKind::Exec, OperationKind::Get] {
        let decoded = decode(&body, Encoding::Wbxml, &limits, &mut Leniency::strict()).unwrap();
        let mut message = decoded.message;
        let Command::Operation(operation) = &mut message.commands[0] else { panic!() };
        operation.kind = kind;
        let received =
            received("application/vnd.syncml.dm+wbxml", encode(&message, decoded.form), Origin::Local);
        expect_refused(received, |error| matches!(error, Refused::Content(_))).await;
    }
    for content_type in
        ["application/vnd.syncml.dm+xml", "application/dmmo+json", "", "nonsense", "text/plain"]
    {
        let received = received(content_type, body.clone(), Origin::Local);
        expect_refused(received, |error| matches!(error, Refused::Content(_))).await;
    }
    for cut in [0, 1, 7, body.len() / 2, body.len() - 1] {
        let received = received("application/vnd.syncml.dm+wbxml", body[..cut].to_vec(), Origin::Local);
        expect_refused(received, |error| matches!(error, Refused::Content(_))).await;
    }
}

#[tokio::test]
async fn a_bootstrap_has_as_many_octets_as_the_settings_say() {
    let body = dm(&account("s"));
    for (max_size, fits) in [(body.len(), true), (body.len() - 1, false)] {
        let mut client = client_with(|config| config.dm1_bootstrap.max_size = max_size);
        let local = received("application/vnd.syncml.dm+wbxml", body.clone(), Origin::Local);
        let outcome = client.install_dm1_bootstrap(local, &mut Person::default()).await;
        match outcome {
            Err(ClientError::Dm1Bootstrap(Refused::TooLarge { limit })) => {
                assert!(!fits && limit == max_size)
            }
            outcome => assert!(fits, "{outcome:?}"),
        }
    }
}

#[tokio::test]
async fn what_cannot_be_kept_leaves_the_old_account() {
    let disk = Full::default();
    let mut client = support::bootstrap::client_on(disk.clone(), |_| {});
    install(&mut client, vec![vec![referring("s", &[])]]).await.unwrap();
    disk.fill(true);
    let newer = Account { name: Some("newer".to_owned()), ..account("s") }.to_node(DmAcc::V1_1, "Operator");
    let error = install(&mut client, vec![vec![newer.clone(), connection("One")]]).await.unwrap_err();
    assert!(matches!(error, ClientError::Persist(_)), "{error}");
    assert_eq!(value(&client, "s", "./DMAcc/Operator/Name"), Ok("Op DM".to_owned()));
    assert!(client.device().tree().root().child("NAP").is_none_or(|nap| nap.children().next().is_none()));
    disk.fill(false);
    install(&mut client, vec![vec![newer, connection("One")]]).await.unwrap();
    assert_eq!(value(&client, "s", "./DMAcc/Operator/Name"), Ok("newer".to_owned()));
}

#[tokio::test]
async fn a_journal_that_ends_anywhere_holds_one_account_whole() {
    let directory = tempfile::tempdir().unwrap();
    let open =
        || support::bootstrap::client_on(omadm_client::Journal::open(directory.path()).unwrap(), |_| {});
    let mut client = open();
    install(&mut client, vec![vec![connection("Old"), referring("s", &["./Inbox/Old"])]]).await.unwrap();
    drop(client);
    let file = std::fs::read_dir(directory.path()).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        (path.metadata().unwrap().len() > 0).then_some(path)
    });
    let file = file.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let before = std::fs::read(&file).unwrap();
    let mut client = open();
    let named = Account {
        name: Some("newer".to_owned()),
        connections: vec!["./Inbox/New".to_owned()],
        ..account("s")
    };
    install(&mut client, vec![vec![connection("New"), named.to_node(DmAcc::V1_1, "Operator")]])
        .await
        .unwrap();
    drop(client);
    let after = std::fs::read(&file).unwrap();
    assert!(after.starts_with(&before));
    let mut seen = (0, 0);
    let step = ((after.len() - before.len()) / 40).max(1);
    for cut in (before.len()..=after.len()).rev().step_by(step).chain([before.len()]) {
        std::fs::write(&file, &after[..cut]).unwrap();
        let client = open();
        let name = value(&client, "s", "./DMAcc/Operator/Name").unwrap();
        let reference = value(&client, "s", "./DMAcc/Operator/PrefConRef").unwrap();
        match name.as_str() {
            "Op DM" => {
                assert_eq!(reference, "./NAP/Old");
                seen.0 += 1;
            }
            "newer" => {
                assert_eq!(reference, "./NAP/New");
                seen.1 += 1;
            }
            name => panic!("{name}"),
        }
        assert_eq!(status(&client).len(), 1);
        assert_eq!(client.device().tree().root().child("NAP").unwrap().children().count(), 1);
    }
    assert!(seen.0 > 0 && seen.1 > 0, "{seen:?}");
}

/// The property that the fuzz target `dm1_bootstrap_device` checks, over its corpus.
#[test]
fn corpus() {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/dm1_bootstrap_device");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 8, "an empty folder proves nothing");
    let mut installed = 0;
    for file in files {
        let mut device = support::bootstrap::open_on(omadm_client::Volatile::new());
        omadm_client::dm1::bootstrap::check::check_bootstrap(&mut device, &std::fs::read(file).unwrap());
        installed += device.dm1_status().len();
    }
    assert!(installed > 0, "what is good is installed");
}

#[test]
fn any_octet_may_be_another_one() {
    let good = [
        [b"application/vnd.wap.connectivity-wbxml\n".to_vec(), cp(&account("s")).to_wbxml()].concat(),
        [b"application/vnd.syncml.dm+wbxml\n".to_vec(), dm(&account("s"))].concat(),
    ];
    for whole in good {
        let mut device = support::bootstrap::open_on(omadm_client::Volatile::new());
        for at in 0..whole.len() {
            for other in [whole[at] ^ 1, 0xFF] {
                let mut changed = whole.clone();
                changed[at] = other;
                omadm_client::dm1::bootstrap::check::check_bootstrap(&mut device, &changed);
            }
        }
    }
}
