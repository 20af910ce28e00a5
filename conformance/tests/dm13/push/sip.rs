//! Push by SIP.

use omadm_conformance::{Dissection, Sipp, proves, sipp_calls};
use tokio::net::UdpSocket;

use super::{Device, free_port, notify, password, server};

const ID: &str = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2100";

fn settings(port: u16) -> String {
    format!("[push.sip]\nlisten = \"127.0.0.1:{port}\"")
}

#[tokio::test]
async fn a_message_of_sip_brings_a_session() {
    proves!("E13-4.3-02", "OMA-ERDEF-DM-C-009-O", "OMA-ERDEF-DM-S_009-O", "E13-PushBinding");
    let server = server(|config| config.sip.from = Some("sip:dm@dm.example".to_owned())).await;
    let port = free_port().await;
    let device = Device::new(&server, ID, &settings(port), Some(port)).await;
    for transport in ["udp", "tcp"] {
        device.reached(&server, &[format!("sip:john@127.0.0.1:{port};transport={transport}")]).await;
        let sent = device.serves(&server).await;
        assert_eq!(sent["via"], "sip");
        assert!(sent["receipt"].as_str().unwrap().ends_with(": 200"), "{sent}");
    }
}

#[tokio::test]
async fn sipp_takes_what_the_server_sends() {
    proves!("E13-4.3-02", "OMA-ERDEF-DM-S_009-O");
    let server = server(|config| config.sip.from = Some("sip:dm@dm.example".to_owned())).await;
    let device = Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2101", "", None).await;
    for (tcp, code, said) in [
        (false, "200", "sent"),
        (true, "200", "sent"),
        (false, "480", "cannot be reached now"),
        (false, "415", "does not take that media type"),
        (true, "488", "no device of the user takes pushes"),
    ] {
        let sipp = Sipp::listen("answer.xml", tcp, &[("code", code)]).await;
        let transport = if tcp { "tcp" } else { "udp" };
        device.reached(&server, &[format!("sip:john@127.0.0.1:{};transport={transport}", sipp.port)]).await;
        let (status, answer) = notify(&server, device.id()).await;
        assert_eq!(status, if said == "sent" { 200 } else { 502 }, "{code}: {answer}");
        assert!(said == "sent" || answer["detail"].as_str().unwrap().contains(said), "{answer}");
        assert!(sipp.went_well().await, "{code}, {transport}");
    }
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_is_passed() {
    proves!("E13-4.3-02");
    let directory = tempfile::tempdir().unwrap();
    let sipp = Sipp::listen("challenge.xml", false, &[]).await;
    let server = server(|config| {
        config.sip.from = Some("sip:dm@dm.example".to_owned());
        config.sip.proxy = Some(format!("127.0.0.1:{}", sipp.port));
        config.sip.user = Some("dm".to_owned());
        config.sip.password_file = Some(password(&directory));
    })
    .await;
    let device = Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2102", "", None).await;
    // Nobody knows where that is but the proxy.
    device.reached(&server, &["sip:john@ims.example".to_owned()]).await;
    let (status, answer) = notify(&server, device.id()).await;
    assert_eq!(status, 200, "{answer}");
    assert!(device.event(&server, "sent").await["receipt"].as_str().unwrap().ends_with(": 202"));
    assert!(sipp.went_well().await);
}

#[tokio::test]
async fn the_agent_answers_sipp_as_a_user_agent_has_to() {
    proves!("E13-4.3-02", "OMA-ERDEF-DM-C-009-O");
    let server = server(|_| {}).await;
    let port = free_port().await;
    let settings = settings(port);
    let _device =
        Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2103", &settings, Some(port)).await;
    assert!(sipp_calls("initiate.xml", false, ([127, 0, 0, 1], port).into()).await);
}

#[tokio::test]
async fn the_agent_registers_with_sipp() {
    proves!("E13-4.3-02");
    let directory = tempfile::tempdir().unwrap();
    let sipp = Sipp::listen("registrar.xml", false, &[]).await;
    let server = server(|_| {}).await;
    let port = free_port().await;
    let settings = format!(
        "{}\nregistrar = \"127.0.0.1:{}\"\naddress = \"sip:john@ims.example\"\nuser = \"john\"\npassword_file = {:?}",
        settings(port),
        sipp.port,
        password(&directory)
    );
    let _device =
        Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2104", &settings, Some(port)).await;
    assert!(sipp.went_well().await);
}

#[tokio::test]
async fn tshark_finds_no_fault_in_the_request() {
    proves!("E13-4.3-02");
    let server = server(|config| config.sip.from = Some("sip:dm@dm.example".to_owned())).await;
    let device = Device::new(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2105", "", None).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    device.reached(&server, &[format!("sip:john@127.0.0.1:{port}")]).await;
    server.queue_for(device.id(), &serde_json::json!({ "verb": "get", "address": super::MAN })).await;
    let mut buffer = [0; 4_096];
    let (length, _) = socket.recv_from(&mut buffer).await.unwrap();
    let (again, _) = socket.recv_from(&mut buffer[length..]).await.unwrap();
    assert_eq!(buffer[..length], buffer[length..length + again], "the same again when nobody answers");
    let found = Dissection::of_sip(&[&buffer[..length]]);
    assert!(!found[0].is_malformed(), "{found:?}");
    assert_eq!(found[0].field("sip.Method"), Some("MESSAGE"), "{found:?}");
    assert_eq!(found[0].field("sip.Content-Type"), Some("application/vnd.syncml.dm.notification"));
    assert_eq!(
        found[0].field("sip.Accept-Contact"),
        Some("*;+g.oma.pusheventapp=\"syncml.dm\";require;explicit")
    );
}
