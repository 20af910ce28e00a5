//! Sessions of the real client with a scripted server over TLS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use omadm_client::{
    Alert, Client, ClientConfig, ClientError, Device, DeviceConfig, Journal, Note, Outcome, Trigger, Volatile,
};
use omadm_codec::Tolerance;
use openssl::nid::Nid;
use serde_json::json;

use support::device::{
    BASIC, DEVICE_ID, Full, Hands, THING, bootstrap, client, config, open, plugins, refusal, server_id,
    session, transport, value,
};
use support::server::{Answer, Server};
use support::tls::Authority;

async fn setup() -> (Authority, Server, Client, Hands) {
    let authority = Authority::new();
    let server = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    let (mut client, hands) = client(&authority, ClientConfig::default());
    client.device_mut().install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
    (authority, server, client, hands)
}

fn aborted(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Aborted { reason, .. } => reason,
        Outcome::Ended { .. } => panic!("it ended: {outcome:?}"),
    }
}

fn assert_ended(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Ended { .. }), "{outcome:?}");
}

#[tokio::test]
async fn the_first_session_says_that_the_bootstrap_is_complete_and_later_ones_do_not() {
    let (_authority, server, mut client, _) = setup().await;
    assert_eq!(client.device().bootstraps_pending(), [server_id()]);
    server.script([Answer::end(), Answer::end()]);

    assert_ended(&session(&mut client).await.outcome);
    let first = server.only();
    assert_eq!(first.alert_types(), ["urn:oma:at:dm:2.0:BootstrapComplete"]);
    assert_eq!((first.method.as_str(), first.uri.path()), ("POST", "/dm"));
    assert_eq!(first.header("omadm-devid"), Some(DEVICE_ID));
    assert_eq!(first.header("authorization"), Some(BASIC));
    assert_eq!(first.header("content-type"), Some("application/vnd.oma.dm.initiation+json"));
    assert!(first.header("accept").unwrap().contains("application/vnd.oma.dm.request+json"));

    assert!(client.device().bootstraps_pending().is_empty());
    assert_ended(&session(&mut client).await.outcome);
    assert_eq!(server.only().alert_types(), ["urn:oma:at:dm:2.0:ClientInitiatedMgmt"]);
}

#[tokio::test]
async fn tolerances_are_noted_and_a_strict_device_has_none() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    for strict in [false, true] {
        let config = DeviceConfig { strict, ..config() };
        let mut device = Device::open(config, plugins(&Hands::default()), Box::new(Volatile::new())).unwrap();
        device.install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
        let transport = transport(&authority, Duration::from_secs(30));
        let mut client = Client::new(device, transport, ClientConfig::default());
        let commands = json!([["GET", "oma:mo:oma-dm-devinfo:1.0//DevID"]]);
        server.script([Answer::commands(&commands), Answer::end()]);
        let report = session(&mut client).await;
        assert_ended(&report.outcome);
        let tolerated = Note::Tolerated(vec![Tolerance::MoidAlias]);
        assert_eq!(report.notes.contains(&tolerated), !strict, "{:?}", report.notes);
        let second = server.seen().remove(1);
        assert_eq!(String::from_utf8_lossy(&second.body).contains("\"sc\":404"), strict);
    }
}

#[tokio::test]
async fn a_kill_between_bootstrap_and_first_session_loses_neither() {
    let (authority, server, _, hands) = setup().await;
    let directory = tempfile::tempdir().unwrap();
    let mut device = open(Journal::open(directory.path()).unwrap(), &hands);
    device.install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
    device.raise_alert(&server_id(), Alert::new("urn:example:at:door")).unwrap();
    drop(device);

    for expected in ["urn:oma:at:dm:2.0:BootstrapComplete", "urn:oma:at:dm:2.0:ClientInitiatedMgmt"] {
        let device = open(Journal::open(directory.path()).unwrap(), &hands);
        let mut client =
            Client::new(device, transport(&authority, Duration::from_secs(30)), ClientConfig::default());
        server.script([Answer::end()]);
        assert_ended(&session(&mut client).await.outcome);
        let types = server.only().alert_types();
        assert!(types.contains(&expected.to_owned()), "{types:?}");
        let again = expected == "urn:oma:at:dm:2.0:ClientInitiatedMgmt";
        assert_eq!(types.contains(&"urn:example:at:door".to_owned()), !again, "sent once: {types:?}");
    }
}

#[tokio::test]
async fn a_server_error_aborts_after_one_request_and_keeps_alerts_for_the_next_trigger() {
    let (_authority, server, mut client, _) = setup().await;
    client.device_mut().raise_alert(&server_id(), Alert::new("urn:example:at:door")).unwrap();
    for status in [503, 500, 404, 403] {
        server.script([Answer::status(status).with("retry-after", "0")]);
        let report = session(&mut client).await;
        assert!(
            matches!(report.outcome, Outcome::Aborted { http_status: Some(found), .. } if found == status),
            "{report:?}"
        );
        assert_eq!(server.only().alert_types().len(), 2, "one request, with the alert");
    }
    assert_eq!(client.device().bootstraps_pending(), [server_id()]);
    server.script([Answer::end(), Answer::end()]);
    session(&mut client).await;
    assert!(server.only().alert_types().contains(&"urn:example:at:door".to_owned()));
    session(&mut client).await;
    assert!(!server.only().alert_types().contains(&"urn:example:at:door".to_owned()));
}

#[tokio::test]
async fn who_is_sent_away_learns_for_how_long() {
    let (_authority, server, mut client, _) = setup().await;
    for (answer, expected) in [
        (Answer::status(503).with("retry-after", "40"), Some(40)),
        (Answer::status(429).with("retry-after", "999999999"), Some(86_400)),
        (Answer::status(503), None),
        (Answer::status(500).with("retry-after", "40"), None),
        (Answer::end().with("retry-after", "40"), None),
    ] {
        server.script([answer]);
        let report = session(&mut client).await;
        assert_eq!(report.retry_after.map(|wait| wait.as_secs()), expected, "{report:?}");
        server.only();
    }
}

#[tokio::test]
async fn alerts_are_forgotten_once_taken_even_if_the_session_breaks_later() {
    let (_authority, server, mut client, _) = setup().await;
    client.device_mut().raise_alert(&server_id(), Alert::new("urn:example:at:door")).unwrap();
    server.script([Answer::commands(&json!([["GET", format!("{THING}//Value")]])), Answer::status(500)]);
    let report = session(&mut client).await;
    assert!(matches!(report.outcome, Outcome::Aborted { alerts_delivered: true, .. }), "{report:?}");
    assert!(client.device().alerts(&server_id()).is_empty());
    assert!(client.device().bootstraps_pending().is_empty());
}

#[tokio::test]
async fn the_outbox_is_bounded_and_wants_an_account() {
    let (_authority, _server, mut client, _) = setup().await;
    let device = client.device_mut();
    for _ in 0..3 {
        device.raise_alert(&server_id(), Alert::new("urn:example:at:door")).unwrap();
    }
    let full = device.raise_alert(&server_id(), Alert::new("urn:example:at:door"));
    assert!(matches!(full, Err(ClientError::OutboxFull { limit: 3, .. })), "{full:?}");
    let nobody = omadm_mo::ServerId::parse("nobody").unwrap();
    let unknown = device.raise_alert(&nobody, Alert::new("urn:example:at:door"));
    assert!(matches!(unknown, Err(ClientError::NoAccount { .. })), "{unknown:?}");
    let unknown = client.run_session(&nobody, Trigger::Client).await;
    assert!(matches!(unknown, Err(ClientError::NoAccount { .. })));
}

#[tokio::test]
async fn alerts_beyond_the_outbox_go_with_the_session_under_way() {
    let (_authority, server, mut client, hands) = setup().await;
    server.script([Answer::end()]);
    assert_ended(&session(&mut client).await.outcome);
    server.seen();
    let names: Vec<String> = (0..5).map(|number| format!("urn:example:at:{number}")).collect();
    hands.lock().unwrap().alerts = names.iter().map(|name| Alert::new(name.as_str())).collect();
    server.script([Answer::commands(&json!([["EXEC", format!("{THING}//Run")]])), Answer::end()]);
    assert_ended(&session(&mut client).await.outcome);
    assert_eq!(server.seen()[1].alert_types(), names);
    assert!(client.device().alerts(&server_id()).is_empty());
}

#[tokio::test]
async fn an_upload_counts_by_its_status_however_much_is_said_beside() {
    let (_authority, server, mut client, _) = setup().await;
    let upload = |at: &str| json!(["HPUT", server.at(at), format!("{THING}//Value")]);
    server.script([
        Answer::commands(&json!([upload("/one"), upload("/two")])),
        Answer::status(200).body(vec![b'x'; 70_000]),
        Answer::status(507).body(vec![b'x'; 70_000]),
        Answer::end(),
    ]);
    assert_ended(&session(&mut client).await.outcome);
    assert_eq!(server.seen().last().unwrap().statuses(), [200, 419]);
}

#[tokio::test]
async fn commands_reach_the_plug_in() {
    let (_authority, server, mut client, hands) = setup().await;
    hands.lock().unwrap().live = 42;
    server.script([
        Answer::commands(&json!([
            ["HGET", server.at("/data/value"), format!("{THING}//Value")],
            ["EXEC", format!("{THING}//Run")],
            ["HPUT", server.at("/data/live"), format!("{THING}//Live")],
        ])),
        Answer::status(200).with("content-type", "text/plain").body("second"),
        Answer::status(200),
        Answer::end(),
    ]);
    assert_ended(&session(&mut client).await.outcome);
    let seen = server.seen();
    assert_eq!(seen.last().unwrap().statuses(), [200, 200, 200]);
    assert!(String::from_utf8_lossy(&seen[2].body).contains("42"), "{:?}", seen[2]);
    assert_eq!(value(client.device()), "second");
    let hand = hands.lock().unwrap();
    assert_eq!(hand.applied, ["second"]);
    assert_eq!(hand.executed, [format!("{THING}/Thing/Run")]);
}

#[tokio::test]
async fn a_refusal_of_the_plug_in_is_the_status_and_leaves_the_tree_alone() {
    let (_authority, server, mut client, hands) = setup().await;
    for status in [507, 503, 1400] {
        hands.lock().unwrap().refuse = Some(refusal(status));
        server.script([
            Answer::commands(&json!([
                ["HGET", server.at("/data/value"), format!("{THING}//Value")],
                ["EXEC", format!("{THING}//Run")],
            ])),
            Answer::status(200).with("content-type", "text/plain").body("second"),
            Answer::end(),
        ]);
        assert_ended(&session(&mut client).await.outcome);
        let statuses = server.seen().last().unwrap().statuses();
        assert_eq!(statuses, [u64::from(status), u64::from(status)]);
        assert_eq!(value(client.device()), "first");
    }
    assert!(hands.lock().unwrap().applied.is_empty());
}

#[tokio::test]
async fn a_full_disk_is_device_full_and_leaves_the_tree_alone() {
    let (authority, server, _, hands) = setup().await;
    let disk = Full::default();
    let mut device = open(disk.clone(), &hands);
    device.install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
    let mut client =
        Client::new(device, transport(&authority, Duration::from_secs(30)), ClientConfig::default());
    server.script([Answer::end()]);
    assert_ended(&session(&mut client).await.outcome);
    disk.fill(true);
    server.script([
        Answer::commands(&json!([["HGET", server.at("/data/value"), format!("{THING}//Value")]])),
        Answer::status(200).with("content-type", "text/plain").body("second"),
        Answer::end(),
    ]);
    assert_ended(&session(&mut client).await.outcome);
    assert_eq!(server.seen().last().unwrap().statuses(), [506]);
    assert_eq!(value(client.device()), "first");
    assert!(hands.lock().unwrap().applied.is_empty());
}

#[tokio::test]
async fn a_plug_in_that_cannot_refresh_is_an_internal_error() {
    let (_authority, server, mut client, hands) = setup().await;
    hands.lock().unwrap().refresh_fails = true;
    server.script([Answer::commands(&json!([["GET", format!("{THING}//Live")]])), Answer::end()]);
    assert_ended(&session(&mut client).await.outcome);
    assert_eq!(server.seen().last().unwrap().statuses(), [500]);
}

#[tokio::test]
async fn no_answer_in_time_aborts() {
    let (authority, server, _, hands) = setup().await;
    let mut device = open(Volatile::new(), &hands);
    device.install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
    let mut client =
        Client::new(device, transport(&authority, Duration::from_millis(300)), ClientConfig::default());
    server.script([Answer::Silence]);
    let report = session(&mut client).await;
    assert!(aborted(&report.outcome).contains("no complete answer within 0.3 s"), "{report:?}");
    assert_eq!(server.seen().len(), 1);
    assert_eq!(client.device().bootstraps_pending(), [server_id()]);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_not_read() {
    let (_authority, server, mut client, _) = setup().await;
    server.script([Answer::status(200)
        .with("content-type", "application/vnd.oma.dm.request+json")
        .body(vec![b' '; (1 << 20) + 1])]);
    let report = session(&mut client).await;
    assert!(aborted(&report.outcome).contains("larger than 1048576 bytes"), "{report:?}");
}

#[tokio::test]
async fn an_unknown_authority_or_a_wrong_name_ends_before_the_first_package() {
    let (_authority, server, client, hands) = setup().await;
    drop(client);
    let stranger = Authority::new();
    let (mut unknown, _) = support::device::client(&stranger, ClientConfig::default());
    unknown.device_mut().install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
    assert!(aborted(&session(&mut unknown).await.outcome).contains("certificate verify failed"));

    let misnamed = Server::start(Some(stranger.acceptor(&["other.example"], false))).await;
    for uri in [misnamed.at("/dm"), misnamed.elsewhere("/dm")] {
        let mut device = open(Volatile::new(), &hands);
        device.install_bootstrap(&bootstrap("s1", &uri)).unwrap();
        let transport = transport(&stranger, Duration::from_secs(30));
        let mut client = Client::new(device, transport, ClientConfig::default());
        assert!(aborted(&session(&mut client).await.outcome).contains("certificate verify failed"));
    }
    assert!(server.seen().is_empty() && misnamed.seen().is_empty());
}

#[tokio::test]
async fn a_key_on_a_short_curve_is_refused_anywhere_in_the_chain() {
    let (authority, _, mut client, _) = setup().await;
    let weak = Server::start(Some(authority.acceptor_on(Nid::SECP224R1))).await;
    client.device_mut().install_bootstrap(&bootstrap("s1", &weak.at("/dm"))).unwrap();
    aborted(&session(&mut client).await.outcome);

    let authority = Authority::on(Nid::SECP224R1);
    let below = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    let (mut client, _) = support::device::client(&authority, ClientConfig::default());
    client.device_mut().install_bootstrap(&bootstrap("s1", &below.at("/dm"))).unwrap();
    let outcome = session(&mut client).await.outcome;
    assert!(aborted(&outcome).contains("application verification failure"), "{outcome:?}");
    assert!(weak.seen().is_empty() && below.seen().is_empty());
}

#[tokio::test]
async fn sessions_can_run_on_other_threads() {
    let (_authority, server, mut client, _) = setup().await;
    server.script([Answer::end()]);
    let running = tokio::spawn(async move { session(&mut client).await.outcome });
    assert_ended(&running.await.unwrap());
}

#[tokio::test]
async fn a_disk_that_is_full_when_alerts_are_taken_leaves_no_change_behind() {
    const BOX: &str = "urn:example:mo:box:1.0";
    const BOX_DDF: &str = r#"<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD><Node><NodeName>Box</NodeName><DFProperties>
<AccessType><Get/></AccessType><DFFormat><node/></DFFormat><Occurrence><One/></Occurrence><Scope><Permanent/></Scope>
<DFType><DDFName>urn:example:mo:box:1.0</DDFName></DFType></DFProperties>
<Node><NodeName>Item</NodeName><DFProperties><AccessType><Delete/><Get/></AccessType><DFFormat><chr/></DFFormat>
<Occurrence><ZeroOrOne/></Occurrence><Scope><Dynamic/></Scope><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
</Node></MgmtTree>"#;
    let (authority, server, _, hands) = setup().await;
    let (disk, mut config) = (Full::default(), support::device::config());
    config.grants.push(omadm_client::Grant {
        moid: omadm_mo::Moid::parse(BOX).unwrap(),
        path: "/".into(),
        to: omadm_client::Grantee::Bootstrapped,
        rights: omadm_mo::Rights::ALL,
    });
    let mut plugins = support::device::plugins(&hands);
    plugins.push(Box::new(omadm_client::DataMo::new(BOX_DDF, "https://ddf.example/box.ddf")));
    let mut device = omadm_client::Device::open(config, plugins, Box::new(disk.clone())).unwrap();
    device.install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
    let root = |device: &omadm_client::Device| {
        device.tree().instances().find(|at| at.moid.as_str() == BOX).unwrap().root
    };
    let at = root(&device);
    let item = omadm_mo::Content::Leaf(omadm_mo::Value::Text("there".into()));
    device.change(|tree| Ok(tree.add(at, "Item", item)?)).unwrap();

    let mut client =
        Client::new(device, transport(&authority, Duration::from_secs(30)), ClientConfig::default());
    disk.fill(true);
    // BootstrapComplete is taken, and the first thing that the engine wants is a commit.
    server.script([Answer::commands(&json!([["DELETE", format!("{BOX}//Item")]])), Answer::end()]);
    client.run_session(&server_id(), omadm_client::Trigger::Client).await.unwrap_err();
    assert_eq!(server.seen().last().unwrap().statuses(), [500]);
    let tree = client.device().tree();
    assert!(tree.node(root(client.device())).unwrap().child("Item").is_some(), "the disk still has it");
    assert_eq!(client.device().bootstraps_pending(), [server_id()]);
}

#[tokio::test]
async fn an_ipv6_address_is_verified_as_an_address() {
    let Ok(probe) = std::net::TcpListener::bind("[::1]:0") else {
        eprintln!("this machine has no IPv6");
        return;
    };
    drop(probe);
    let authority = Authority::new();
    for (loopback, ends) in [(true, true), (false, false)] {
        let server = Server::start_at("[::1]:0", Some(authority.acceptor(&["localhost"], loopback))).await;
        let (mut client, _) = support::device::client(&authority, ClientConfig::default());
        let uri = format!("https://[::1]:{}/dm", server.port);
        client.device_mut().install_bootstrap(&bootstrap("s1", &uri)).unwrap();
        server.script([Answer::end()]);
        let outcome = session(&mut client).await.outcome;
        if ends {
            assert_ended(&outcome);
        } else {
            assert!(aborted(&outcome).contains("certificate verify failed"), "{outcome:?}");
        }
    }
}
