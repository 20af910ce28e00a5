//! Bootstraps under the keys of GBA Push that come in a WAP push (`DM 2.0 §9.3.1.3`), judged by tshark.

use http::Method;
use omadm_client::{
    Always, Client, ClientError, GbaError, GbaPush, HttpsTransport, Ignored, NafKey, NotificationConfig,
    Notifications, Pushed, Received,
};
use omadm_codec::sms::{Address, Deliver, Ports, Reference, ServiceCentreTime, Tpdu, split};
use omadm_conformance::{AgentProcess, DEVICE_ID, DeviceSetup, Dissection, ScriptDevice, TestServer, proves};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UdpSocket;

use super::sec_9_security::ended;

const COMPLETE: &str = "urn:oma:at:dm:2.0:BootstrapComplete";
const TRANSACTION: &str = "run-1@bsf.example.org";
/// `Ks_(ext/int)_NAF` of the run, and as base64.
const KS_NAF: [u8; 32] = [0x77; 32];
const KS_NAF_BASE64: &str = "d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3c=";

/// A device that has run GBA Push once.
struct Run;

impl GbaPush for Run {
    fn key(&self, transaction: &str) -> Option<NafKey> {
        (transaction == TRANSACTION).then(|| NafKey::new(KS_NAF))
    }
}

/// Has the server make a bootstrap and send it there under the keys of this run.
async fn push(server: &TestServer, to: &str, transaction: &str) -> (u16, Value) {
    let gba = json!({ "transaction": transaction, "ks_naf_base64": KS_NAF_BASE64 });
    let new = json!({ "device": { "id": DEVICE_ID, "replace": true }, "to": to, "gba": gba });
    let reply = server.rest(Method::POST, "/bootstrap", Some(&new)).await;
    (reply.status, reply.json())
}

fn name(server: &TestServer) -> ScriptDevice {
    ScriptDevice {
        address: server.device_address(),
        ca_file: server.ca_file(),
        device_id: DEVICE_ID.to_owned(),
        credentials: (String::new(), String::new()),
    }
}

async fn datagram(socket: &UdpSocket) -> Vec<u8> {
    let mut octets = vec![0; 65_536];
    let length = socket.recv(&mut octets).await.unwrap();
    octets.truncate(length);
    octets
}

/// What the device makes of a push.
fn take(client: &mut Client<HttpsTransport>, push: &[u8]) -> Result<Received, Ignored> {
    let pushed = Notifications::new(NotificationConfig::default()).push(client.device_mut(), push)?;
    match pushed {
        Pushed::Bootstrap(received) => Ok(received),
        other => panic!("{other:?}"),
    }
}

/// The push without the parameter `SEC`.
fn unprotected(push: &[u8]) -> Vec<u8> {
    let at = push.windows(4).position(|octets| octets == b"SEC\0").unwrap();
    let mut changed = push.to_vec();
    changed[at..at + 3].copy_from_slice(b"SED");
    changed
}

#[tokio::test]
async fn a_wap_push_carries_a_protected_bootstrap() {
    proves!("D2-9.3.1.3-07", "D2-9.3.1.3-03");
    let server = TestServer::start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = format!("udp:127.0.0.1:{}", socket.local_addr().unwrap().port());
    let (status, made) = push(&server, &to, TRANSACTION).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["bootstrap"].is_null(), "it goes to the device and nowhere else: {made}");
    let good = datagram(&socket).await;
    let found = Dissection::of_pushes(&[&good]).remove(0);
    assert!(!found.is_malformed(), "{found:?}");
    assert_eq!(found.field("wsp.pdu_type"), Some("0x06"));
    assert_eq!(found.field("wsp.header.content_type"), Some("application/dmmo+json"));
    assert!(good.windows(13).any(|octets| octets == b"SEC\x003GPP_GBA\0"), "the parameter as a text");
    assert_eq!(found.field("wsp.header.x_wap_application_id"), Some("x-wap-application:syncml.dm"));
    assert!(!String::from_utf8_lossy(&good).contains("SrvURI"), "nobody on the way reads it");

    assert_eq!(push(&server, &to, "run-2@bsf.example.org").await.0, 201);
    let unknown = datagram(&socket).await;
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut device = DeviceSetup::new([], Some(server.ca_file())).open();
    device.client = device.client.with_gba(Box::new(Run));
    for (push, expected) in [(&unknown, GbaError::NoKeys), (&forged, GbaError::Mac)] {
        let received = take(&mut device.client, push).unwrap();
        let refused = device.client.install_received(received, &mut Always).await;
        assert!(matches!(&refused, Err(ClientError::Gba(error)) if *error == expected), "{refused:?}");
    }
    let open = take(&mut device.client, &unprotected(&good));
    assert!(matches!(open, Err(Ignored::Unprotected)), "{open:?}");

    // The one that the server has kept is that of the second run.
    assert_eq!(push(&server, &to, TRANSACTION).await.0, 201);
    let received = take(&mut device.client, &datagram(&socket).await).unwrap();
    device.client.install_received(received, &mut Always).await.unwrap();
    assert!(ended(&device.session("omadm").await));
    assert_eq!(server.alerts(&name(&server)).await[0]["type"], COMPLETE);
}

#[tokio::test]
async fn short_messages_carry_a_protected_bootstrap() {
    proves!("D2-9.3.1.3-07");
    let server = TestServer::start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = format!("udp:127.0.0.1:{}", socket.local_addr().unwrap().port());
    assert_eq!(push(&server, &to, TRANSACTION).await.0, 201);
    let good = datagram(&socket).await;
    let mut device = DeviceSetup::new([], Some(server.ca_file())).open();
    device.client = device.client.with_gba(Box::new(Run));
    let mut notifications = Notifications::new(NotificationConfig::default());
    let mut taken = Vec::new();
    for data in split(&good, Ports::PUSH, Reference::Short(7)).unwrap() {
        let originator = Address::parse("+46708251358").unwrap();
        let time = ServiceCentreTime([0x62, 0x11, 0x21, 0x21, 0x43, 0x05, 0x00]);
        let mut tpdu = Vec::new();
        Tpdu::Deliver(Deliver { more: false, originator, time, data }).encode(&mut tpdu);
        taken.extend(notifications.short_message(device.client.device_mut(), &tpdu).unwrap());
    }
    let Ok([Pushed::Bootstrap(received)]) = <[Pushed; 1]>::try_from(taken) else {
        panic!("one bootstrap of all parts")
    };
    device.client.install_received(received, &mut Always).await.unwrap();
    assert!(ended(&device.session("omadm").await));
}

#[tokio::test]
async fn the_agent_takes_a_protected_bootstrap_from_its_listener() {
    proves!("D2-9.3.1.3-07");
    let server = TestServer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("gba");
    let digits: String = KS_NAF.iter().map(|octet| format!("{octet:02x}")).collect();
    std::fs::write(&keys, format!("{TRANSACTION} {digits}\n")).unwrap();
    let settings = format!(
        "[session]\npoll_interval = 0\n[bootstrap]\ngba_file = {keys:?}\n[notification]\nenabled = true\nlisten = \"127.0.0.1:0\"\n"
    );
    let agent = AgentProcess::new(&server.ca_file(), DEVICE_ID, &settings).await;
    let mut process = agent.start();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut logged = async |text: &str| loop {
        let line = log.next_line().await.unwrap().expect("the agent goes on");
        if line.contains(text) {
            return line;
        }
    };
    let line = logged("listening for notifications").await;
    let to = format!("udp:127.0.0.1:{}", line.rsplit_once("127.0.0.1:").unwrap().1.trim());
    assert_eq!(push(&server, &to, "run-2@bsf.example.org").await.0, 201);
    let line = logged("is ignored").await;
    assert!(line.contains("not installed"), "{line}");
    assert_eq!(push(&server, &to, TRANSACTION).await.0, 201);
    logged("session ended").await;
    assert_eq!(server.alerts(&name(&server)).await[0]["type"], COMPLETE);
}

#[tokio::test]
async fn a_push_carries_no_bootstrap_that_is_open_or_too_long() {
    proves!("D2-9.3.1.3-07", "D2-9.3.1.1-01");
    let server = TestServer::start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = format!("udp:127.0.0.1:{}", socket.local_addr().unwrap().port());
    let open = json!({ "device": { "id": DEVICE_ID }, "to": to });
    let gba = json!({ "transaction": TRANSACTION, "ks_naf_base64": KS_NAF_BASE64 });
    let by_sms = json!({ "device": { "id": DEVICE_ID }, "to": "sms:+46701", "gba": gba });
    for (new, status, said) in [(open, 400, "gba"), (by_sms, 409, "no SMS gateway")] {
        let refused = server.rest(Method::POST, "/bootstrap", Some(&new)).await;
        assert_eq!(refused.status, status);
        assert!(refused.json()["detail"].as_str().unwrap().contains(said), "{}", refused.json());
    }
    assert!(server.items("/devices").await.is_empty(), "nothing is done");
    let moids = vec!["urn:example:mo:of:a:name:that:is:long:1.0"; 1_000];
    let long = json!({ "device": { "id": DEVICE_ID }, "to": to, "gba": gba, "moids": moids });
    let refused = server.rest(Method::POST, "/bootstrap", Some(&long)).await;
    assert!(
        refused.status == 400 && refused.json()["detail"].to_string().contains("16384"),
        "{}",
        refused.json()
    );
    assert!(server.items("/devices").await.is_empty(), "nothing is done");
}
