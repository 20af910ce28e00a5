//! Bootstraps of DM 1.x on a device: both profiles, how they are secured, and what they cannot do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use omadm_auth::bootstrap::{Imsi, MacHash, Method, NetworkSecret, Pin, Profile, Sender};
use omadm_client::dm1::Accounts as _;
use omadm_client::dm1::bootstrap::{InitialRight, Refused};
use omadm_client::{ClientError, Origin};
use omadm_codec::{Leniency, Limits};
use omadm_mo::Value;
use omadm_mo::dm1::{SnapshotNode, SnapshotType};
use omadm_session::dm1::bootstrap::{Account, DmAcc, Provisioning};

use support::bootstrap::{
    ACL, Person, account, client, client_with, cp, dm, dm_with, expect_refused, message, node, pushed, read,
    received, secrets, secured, server, status, text, value,
};
use support::device::Full;
use support::dm1::account as settings;

#[tokio::test]
async fn a_provisioning_document_becomes_an_account_of_its_server() {
    for xml in [false, true] {
        let mut client = client();
        let document = cp(&account("dm.example.com"));
        let (content_type, body) = if xml {
            ("text/vnd.wap.connectivity-xml", document.to_xml().into_bytes())
        } else {
            ("application/vnd.wap.connectivity-wbxml", document.to_wbxml())
        };
        let servers = client
            .install_dm1_bootstrap(received(content_type, body, Origin::Local), &mut Person::default())
            .await;
        assert_eq!(servers.unwrap(), [server("dm.example.com")]);
        for (path, expected) in [
            ("AppID", "w7"),
            ("ServerID", "dm.example.com"),
            ("Name", "Op DM"),
            ("AppAddr/1/Addr", "https://dm.example.com/dm"),
            ("AppAddr/1/AddrType", "URI"),
            ("AppAddr/1/Port/1/PortNbr", "8443"),
            ("AppAuth/1/AAuthLevel", "CLCRED"),
            ("AppAuth/1/AAuthType", "DIGEST"),
            ("AppAuth/1/AAuthName", "dev1"),
            ("AppAuth/2/AAuthLevel", "SRVCRED"),
        ] {
            let found = value(&client, "dm.example.com", &format!("./DMAcc/1/{path}"));
            assert_eq!(found, Ok(expected.to_owned()), "{path}");
        }
        assert_eq!(value(&client, "dm.example.com", "./DMAcc/1?prop=ACL"), Ok(ACL.to_owned()));
        assert_eq!(value(&client, "dm.example.com", "./DMAcc/1/AppAuth/1/AAuthSecret"), Err(405));
        assert_eq!(
            status(&client),
            [("dm.example.com".to_owned(), "https://dm.example.com:8443/dm".to_owned())]
        );
        let nodes = client.device().tree().dm1_account(&server("dm.example.com")).unwrap();
        let nonce = nodes.child("AppAuth").unwrap().child("1").unwrap().child("AAuthData").unwrap();
        assert_eq!(nonce.value(), Some(&Value::Bytes(b"nonce".to_vec())), "the octets, not their base64");
    }
}

#[tokio::test]
async fn each_way_to_secure_a_bootstrap_is_checked() {
    for (profile, hash) in [(Profile::Cp, MacHash::Sha1), (Profile::Dm, MacHash::Sha256)] {
        for method in [Method::Network, Method::UserPin, Method::UserPinNetwork] {
            let body = match profile {
                Profile::Cp => cp(&account("s")).to_wbxml(),
                Profile::Dm => dm(&account("s")),
            };
            let sender = Sender { profile, method, hash, separated: false };
            let content_type = secured(&sender, &secrets("1234", "123456789012345"), &body);
            let mut person = Person::typing(["1234"]);
            let mut right = client();
            right.install_dm1_bootstrap(pushed(&content_type, body.clone()), &mut person).await.unwrap();
            assert_eq!(person.asked, usize::from(method.needs_pin()), "{method:?}");
            assert_eq!(status(&right).len(), 1);

            let imsi = Imsi::parse("123456789012346").unwrap();
            let mut other =
                client_with(|_| {}).with_network_secret(NetworkSecret::new(None, Some(imsi)).unwrap());
            let mut wrong = Person::typing(["4321", "1243", "12345"]);
            let error =
                other.install_dm1_bootstrap(pushed(&content_type, body), &mut wrong).await.unwrap_err();
            assert!(matches!(error, ClientError::Dm1Bootstrap(Refused::NotAuthentic)), "{error}");
            assert_eq!(wrong.asked, if method.needs_pin() { 3 } else { 0 });
            assert_eq!(wrong.decided, 0, "nobody is shown what is not authentic");
            assert!(status(&other).is_empty());
        }
    }
}

#[tokio::test]
async fn check_digits_stand_for_a_mac() {
    let body = cp(&account("s")).to_wbxml();
    let typed = omadm_auth::bootstrap::with_check_digits(&Pin::parse("31415").unwrap(), &body).unwrap();
    let typed = String::from_utf8(typed.digits().expose().to_vec()).unwrap();
    let content_type = "application/vnd.wap.connectivity-wbxml; SEC=3";
    let mut person = Person::typing(["3141500000", "31415", &typed]);
    let mut client = client();
    client.install_dm1_bootstrap(pushed(content_type, body), &mut person).await.unwrap();
    assert_eq!((person.asked, status(&client).len()), (3, 1));
}

#[tokio::test]
async fn a_pin_may_be_tried_as_often_as_the_settings_say_and_no_more() {
    let body = cp(&account("s")).to_wbxml();
    let sender =
        Sender { profile: Profile::Cp, method: Method::UserPin, hash: MacHash::Sha1, separated: false };
    let content_type = secured(&sender, &secrets("1234", "123456789012345"), &body);
    for attempts in [0, 1, 3, 256] {
        let mut client = client_with(|config| config.dm1_bootstrap.attempts = attempts);
        let mut person = Person::typing(std::iter::repeat_n("0000", 300));
        let error = client.install_dm1_bootstrap(pushed(&content_type, body.clone()), &mut person).await;
        match error.unwrap_err() {
            ClientError::Dm1Bootstrap(Refused::NoPin) => assert_eq!(attempts, 0),
            ClientError::Dm1Bootstrap(Refused::NotAuthentic) => assert_ne!(attempts, 0),
            error => panic!("{error}"),
        }
        assert_eq!(person.asked, usize::from(attempts));
    }
    let mut client = client();
    let mut nobody = Person::typing([]);
    let error = client.install_dm1_bootstrap(pushed(&content_type, body), &mut nobody).await.unwrap_err();
    assert!(matches!(error, ClientError::Dm1Bootstrap(Refused::NoPin)), "{error}");
}

#[tokio::test]
async fn whatever_is_wrong_with_a_mac_the_reason_is_the_same() {
    let body = dm(&account("s"));
    let sender =
        Sender { profile: Profile::Dm, method: Method::Network, hash: MacHash::Sha256, separated: false };
    let right = secured(&sender, &secrets("1234", "123456789012345"), &body);
    let (essence, _) = right.split_once(";").unwrap();
    let mac = right.rsplit_once('=').unwrap().1;
    let shorter = &mac[1..];
    let other = mac.replace(|digit| "13579".contains(digit), "0");
    for wrong in ["", "zz", shorter, &mac.repeat(2), &other, &"0".repeat(40), &"0".repeat(64)] {
        let content_type = format!("{essence}; SEC=NETWORKID; MAC=\"{wrong}\"");
        expect_refused(pushed(&content_type, body.clone()), |error| matches!(error, Refused::NotAuthentic))
            .await;
    }
    let no_mac = format!("{essence}; SEC=NETWORKID");
    expect_refused(pushed(&no_mac, body.clone()), |error| matches!(error, Refused::NotAuthentic)).await;
    let mut changed = body.clone();
    changed[40] ^= 1;
    expect_refused(pushed(&right, changed), |error| matches!(error, Refused::NotAuthentic)).await;
    let unsecured = pushed(essence, body.clone());
    expect_refused(unsecured, |error| matches!(error, Refused::Unsecured { .. })).await;
    for other in ["USERPINMAC", "4", "X"] {
        let content_type = format!("{essence}; SEC={other}; MAC={mac}");
        expect_refused(pushed(&content_type, body.clone()), |error| matches!(error, Refused::Content(_)))
            .await;
    }
}

/// Keys of one run of GBA Push.
struct Run;

impl omadm_client::GbaPush for Run {
    fn key(&self, transaction: &str) -> Option<omadm_client::NafKey> {
        (transaction == "run@bsf.example").then(|| omadm_client::NafKey::new([7; 32]))
    }
}

#[tokio::test]
async fn a_message_under_the_keys_of_gba_push_is_opened() {
    let keys = omadm_client::NafKey::new([7; 32]).bootstrap_keys();
    let content_type = "application/vnd.syncml.dm+wbxml; SEC=3GPP_GBA";
    let protect = |run: &str| keys.protect(run, [1; 16], &dm(&account("s"))).unwrap();
    let good = protect("run@bsf.example");
    let mut with_keys = client().with_gba(Box::new(Run));
    with_keys
        .install_dm1_bootstrap(pushed(content_type, good.clone()), &mut Person::default())
        .await
        .unwrap();
    assert_eq!(status(&with_keys).len(), 1);
    let again =
        with_keys.install_dm1_bootstrap(pushed(content_type, good.clone()), &mut Person::default()).await;
    assert!(matches!(again, Err(ClientError::Dm1Bootstrap(Refused::Repeated))), "{again:?}");
    let mut changed = good.clone();
    changed[40] ^= 1;
    for wrong in [changed, protect("another"), dm(&account("s")), Vec::new()] {
        let mut other = client().with_gba(Box::new(Run));
        let error = other.install_dm1_bootstrap(pushed(content_type, wrong), &mut Person::default()).await;
        assert!(matches!(error, Err(ClientError::Dm1Bootstrap(Refused::Gba(_)))), "{error:?}");
        assert!(status(&other).is_empty());
    }
    expect_refused(pushed(content_type, good), |error| matches!(error, Refused::Gba(_))).await;
}

#[tokio::test]
async fn hmac_of_sha1_is_taken_in_the_dm_profile_by_name_only() {
    let body = dm(&account("s"));
    let sender =
        Sender { profile: Profile::Dm, method: Method::Network, hash: MacHash::Sha1, separated: false };
    let content_type = secured(&sender, &secrets("1234", "123456789012345"), &body);
    let received = pushed(&content_type, body);
    expect_refused(received.clone(), |error| matches!(error, Refused::NotAuthentic)).await;
    let mut old = client_with(|config| config.dm1_bootstrap.sha1 = true);
    old.install_dm1_bootstrap(received, &mut Person::default()).await.unwrap();
    assert_eq!(status(&old).len(), 1);
}

#[tokio::test]
async fn what_nothing_secures_is_taken_if_the_settings_or_the_way_say_so() {
    let content_type = "application/vnd.syncml.dm+wbxml";
    let body = dm(&account("s"));
    let by_link = Origin::Pushed { by: "OBEX from a paired device".to_owned(), secured: true };
    for origin in
        [by_link, Origin::Local, Origin::Factory, Origin::Fetched { uri: "https://b.example/".to_owned() }]
    {
        let mut client = client();
        let received = received(content_type, body.clone(), origin);
        client.install_dm1_bootstrap(received, &mut Person::default()).await.unwrap();
    }
    let mut careless = client_with(|config| config.dm1_bootstrap.unsecured = true);
    let mut person = Person::default();
    careless.install_dm1_bootstrap(pushed(content_type, body), &mut person).await.unwrap();
    assert_eq!(person.decided, 1);
}

#[tokio::test]
async fn a_user_who_does_not_want_a_bootstrap_keeps_the_device_as_it_is() {
    let mut client = client();
    let nodes = client.device().tree().node_count();
    let mut person = Person { agrees: false, ..Person::default() };
    let local = received("application/vnd.syncml.dm+wbxml", dm(&account("s")), Origin::Local);
    let error = client.install_dm1_bootstrap(local, &mut person).await.unwrap_err();
    assert!(matches!(error, ClientError::BootstrapRejected(_)), "{error}");
    assert_eq!(client.device().tree().node_count(), nodes);
    let request = person.request.unwrap();
    assert_eq!(request.accounts[0].server, server("s"));
    assert_eq!(request.accounts[0].uri, "https://dm.example.com/dm");
}

#[tokio::test]
async fn an_object_comes_in_either_form_of_tnds() {
    for form in ["embedded", "opaque xml", "text"] {
        let body = dm_with(&account("s"), form);
        let mut client = client();
        let local = received("application/vnd.syncml.dm+wbxml", body, Origin::Local);
        let servers = client.install_dm1_bootstrap(local, &mut Person::default()).await;
        assert_eq!(servers.unwrap(), [server("s")], "{form}");
        let moid = value(&client, "s", "./DMAcc/Operator?prop=Type");
        assert_eq!(moid, Ok("urn:oma:mo:oma-dm-dmacc:1.1".to_owned()), "{form}");
    }
}

/// A connection of the test's device.
fn connection(name: &str) -> SnapshotNode {
    let mut node = node(name, "urn:example:mo:nap:1.0", vec![text("Addr", "dm.op")]);
    node.kind = Some(SnapshotType::DdfName("urn:example:mo:nap:1.0".to_owned()));
    node
}

/// An account that refers to these.
fn referring(server: &str, references: &[&str]) -> SnapshotNode {
    let connections = references.iter().map(|of| (*of).to_owned()).collect();
    Account { connections, ..account(server) }.to_node(DmAcc::V1_0, "Operator")
}

async fn installed(documents: Vec<Vec<SnapshotNode>>) -> Result<omadm_client::Client, ClientError> {
    let mut client = client();
    install(&mut client, documents).await?;
    Ok(client)
}

async fn install(
    client: &mut omadm_client::Client,
    documents: Vec<Vec<SnapshotNode>>,
) -> Result<(), ClientError> {
    let local = received("application/vnd.syncml.dm+wbxml", message(documents), Origin::Local);
    client.install_dm1_bootstrap(local, &mut Person::default()).await.map(|_| ())
}

#[tokio::test]
async fn references_follow_the_objects_and_lead_nowhere_else() {
    let several = ["./Inbox/One", "./Inbox/Unknown", "./Inbox/One/../../DevInfo", "./Inbox", "./DevInfo"];
    let unknown = node("Unknown", "urn:example:mo:unheard-of:1.0", vec![text("A", "b")]);
    let client = installed(vec![vec![connection("One"), unknown, referring("s", &several)]]).await.unwrap();
    let found =
        |number: usize| value(&client, "s", &format!("./DMAcc/Operator/ToConRef/{number}/ConRef")).unwrap();
    assert_eq!(found(1), "./NAP/One");
    for number in 2..=4 {
        assert_eq!(found(number), "", "{number}");
    }
    assert_eq!(found(5), "./DevInfo", "what is no reference into the Inbox is as it was sent");
    let only = installed(vec![vec![connection("One"), referring("s", &["./Inbox/One"])]]).await.unwrap();
    assert_eq!(value(&only, "s", "./DMAcc/Operator/PrefConRef"), Ok("./NAP/One".to_owned()));
    assert!(read(&only, "s", "./Inbox").is_err(), "nothing is to be read there");
}

#[tokio::test]
async fn what_the_device_does_not_know_or_keeps_to_itself_is_passed_over() {
    let own = [
        node("DevInfo", "urn:oma:mo:oma-dm-devinfo:1.2", vec![text("DevID", "IMEI:000000000000000")]),
        node("Inbox", "urn:oma:mo:oma-dm-inbox:1.0", vec![]),
        node("DacMO", "urn:oma:mo:oma-dm-dacmo:1.0", vec![]),
        node("BootstrapConfig", "urn:oma:mo:oma-dm-bootstrapcfg:1.0", vec![text("Enabled", "false")]),
        node("x", "urn:oma:mo:oma-dm-dmacc:1.2", vec![text("ServerID", "evil")]),
        node("Thing", "urn:example:mo:thing:1.0", vec![text("Value", "second")]),
        node("New", "urn:example:mo:unheard-of:1.0", vec![text("A", "b")]),
    ];
    let before = client();
    let mut nodes = own.to_vec();
    nodes.push(referring("s", &[]));
    let after = installed(vec![nodes]).await.unwrap();
    assert_eq!(status(&after).len(), 1);
    let account = after.device().tree().dm1_account(&server("s")).unwrap();
    let count = |client: &omadm_client::Client| client.device().tree().node_count();
    let below = |node: omadm_mo::NodeRef<'_>| {
        let mut pending = vec![node];
        let mut count = 0;
        while let Some(node) = pending.pop() {
            count += 1;
            pending.extend(node.children());
        }
        count
    };
    let rights = after.device().tree().root().child("DacMO").map_or(0, below);
    let earlier = before.device().tree().root().child("DacMO").map_or(0, below);
    // The container of accounts comes with the first.
    assert_eq!(count(&after) - rights, count(&before) - earlier + below(account) + 1);
    assert!(after.device().tree().account(&server("evil")).is_none());

    let error = installed(vec![own.to_vec()]).await.err().unwrap();
    assert!(matches!(error, ClientError::Dm1Bootstrap(Refused::Nothing)), "{error}");
}

#[tokio::test]
async fn of_several_versions_of_an_object_the_newest_counts() {
    let old = Account { name: Some("old".to_owned()), ..account("s") }.to_node(DmAcc::V1_0, "Old");
    let new = Account { name: Some("new".to_owned()), ..account("s") }.to_node(DmAcc::V1_1, "New");
    let unknown = node("Newest", "urn:oma:mo:oma-dm-dmacc:2.0", vec![text("ServerID", "s")]);
    for documents in [
        vec![vec![old.clone(), new.clone()]],
        vec![vec![new.clone()], vec![old.clone()]],
        vec![vec![unknown, old.clone(), new.clone()]],
    ] {
        let client = installed(documents).await.unwrap();
        assert_eq!(value(&client, "s", "./DMAcc/New/Name"), Ok("new".to_owned()));
        assert_eq!(status(&client).len(), 1);
    }
    let error = installed(vec![vec![old.clone()], vec![old]]).await.err().unwrap();
    assert!(matches!(error, ClientError::Dm1Bootstrap(Refused::Twice { .. })), "{error}");
}

#[tokio::test]
async fn acls_of_a_document_are_kept_within_the_rights_that_the_device_lets_it_give() {
    let mut account = referring("s", &[]);
    account.acl = Some("Add=s&Delete=s&Exec=s&Get=other+s&Replace=s".to_owned());
    let client = installed(vec![vec![account.clone()]]).await.unwrap();
    let acl = |client: &omadm_client::Client| value(client, "s", "./DMAcc/Operator?prop=ACL").unwrap();
    assert_eq!(acl(&client), "Add=s&Delete=s&Exec=s&Get=other+s&Replace=s");
    account.acl = None;
    let silent = installed(vec![vec![account.clone()]]).await.unwrap();
    assert_eq!(acl(&silent), "Delete=s&Get=s&Replace=s", "as the CP profile has it");
    for (given, left) in [
        (Some("Add=s&Delete=s&Get=s&Replace=s"), "Get=s"),
        (None, "Get=s"),
        (Some("Exec=*"), "Get=s"),
        (Some("Get=*&Replace=*"), "Get=*"),
    ] {
        account.acl = given.map(str::to_owned);
        let mut strict = client_with(|config| config.dm1_bootstrap.rights = vec![InitialRight::Get]);
        install(&mut strict, vec![vec![account.clone()]]).await.unwrap();
        assert_eq!(acl(&strict), left, "{given:?}");
    }
    account.acl = Some("nonsense".to_owned());
    let error = installed(vec![vec![account]]).await.err().unwrap();
    assert!(matches!(error, ClientError::Dm1Bootstrap(Refused::Tree(_))), "{error}");
}

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
