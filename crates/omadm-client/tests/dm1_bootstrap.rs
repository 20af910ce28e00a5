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
use omadm_client::{Client, ClientError, Journal, Origin, Secret};
use omadm_mo::Value;
use omadm_session::dm1::bootstrap::{Account, DmAcc};

use support::bootstrap::{
    ACL, CP, Person, account, client, client_with, connection, cp, dm, dm_with, expect_refused, install,
    installed, node, open_on, pushed, read, received, referring, secrets, secured, server, status, text,
    value,
};
use support::dm1::{self, Dm1};
use support::server::{Answer, Server};
use support::tls::Authority;

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

#[tokio::test]
async fn the_first_session_after_a_bootstrap_stays_due_until_one_comes_to_its_end() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let at_desk = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    let mut account = account("s1");
    account.addresses[0].address = at_desk.at("/dm");
    account.addresses[0].ports.clear();
    account.credentials.truncate(1);
    account.credentials[0].name = Some(dm1::USER.to_owned());
    account.credentials[0].secret = Some(Secret::new(dm1::PASSWORD.as_bytes().to_vec()));
    let start = || dm1::with(&authority, open_on(Journal::open(directory.path()).unwrap()));
    let pending = |client: &Client| client.device().dm1_bootstraps_pending();

    let mut client = start();
    assert!(pending(&client).is_empty());
    let local = received(CP, cp(&account).to_wbxml(), Origin::Local);
    client.install_dm1_bootstrap(local, &mut Person::default()).await.unwrap();
    drop(client);

    let mut client = start();
    assert_eq!(pending(&client), [server("s1")], "the device stopped before the session");
    at_desk.script([Answer::status(403)]);
    assert!(!dm1::session(&mut client).await.has_ended());
    drop(client);

    let mut client = start();
    assert_eq!(pending(&client), [server("s1")], "the session did not come to its end");
    let _desk = Dm1::on(&at_desk);
    let report = dm1::session(&mut client).await;
    assert!(report.has_ended(), "{report:#?}");
    assert!(pending(&client).is_empty());
    drop(client);
    assert!(pending(&start()).is_empty(), "also after the next start");
}
