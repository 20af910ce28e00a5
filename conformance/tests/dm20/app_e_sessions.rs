//! Notifications and the sessions that they lead to (`DM 2.0 §5.1.1, §5.2.2`, Appendix E).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_conformance::{AgentProcess, TestServer, proves};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UdpSocket;

use super::app_e_notifications::{DEVINFO, PATIENCE, datagram, eager, notify, package, reach};

#[tokio::test]
async fn the_server_knows_which_notification_a_session_answers() {
    proves!("D2-5.2.2-14");
    let server = eager().await;
    let device = server.enrol(omadm_conformance::DEVICE_ID).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    reach(&server, &device.device_id, &[format!("udp:127.0.0.1:{port}")]).await;
    let begin = async |id: u64| {
        let data = json!({ "NOTIFICATION-ID": id });
        let alert = json!({
            "AlertType": "urn:oma:at:dm:2.0:ServerInitiatedMgmt", "DataType": "application/json", "Data": data,
        });
        let reply = device.package1(&json!({ "Alert": [alert] })).await;
        assert_eq!(omadm_conformance::commands(&reply), [["END"]], "the session proceeds");
        let events = server.events(&device).await;
        let answered = events.iter().filter(|event| event["body"]["what"] == "answered");
        answered.map(|event| event["body"]["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let first = notify(&server, &device.device_id).await["id"].as_u64().unwrap();
    assert_eq!(begin(first).await, [first]);
    assert_eq!(begin(first).await, [first], "once");
    let second = notify(&server, &device.device_id).await["id"].as_u64().unwrap();
    assert_eq!(begin(second + 7).await, [first], "nobody sent that");
    let third = notify(&server, &device.device_id).await["id"].as_u64().unwrap();
    assert!(begin(third).await.contains(&third));
}

#[tokio::test]
async fn the_server_process_wakes_the_agent_process() {
    proves!("D2-5.1.1-01", "D2-E.1-07", "D2-E.3-01", "DM-MEC-006-C-O", "D2-E-02");
    let server = TestServer::start().await;
    let agent = AgentProcess::bootstrapped(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c00e1").await;
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    agent.configure(&format!(
        "[session]\npoll_interval = 0\n[notification]\nenabled = true\nlisten = \"{free}\""
    ));
    let mut process = agent.start();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let listening = async {
        while let Some(line) = log.next_line().await.unwrap() {
            if line.contains("listening for notifications") {
                return;
            }
        }
        panic!("the agent ended");
    };
    tokio::time::timeout(PATIENCE, listening).await.expect("the agent starts");
    // It goes on to write, and what nobody reads must not stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    let listening = agent.listening_on_tcp(process.id().unwrap());
    assert_eq!(listening, 0, "no server can connect to it, and it begins no session by itself");
    reach(&server, &agent.device_id, &[format!("udp:{free}")]).await;
    let command = json!({ "verb": "get", "address": DEVINFO, "wait": 60 });
    let reply = server.post_command(&agent.device_id, &command).await;
    assert_eq!(reply.json()["state"], "done", "{}", String::from_utf8_lossy(&reply.body));
    let events = server.items(&format!("/events?device={}&limit=1000", agent.device_id)).await;
    let sent: Vec<_> = events.iter().filter(|event| event["kind"] == "notification").collect();
    assert!(!sent.is_empty());
    let alert = events
        .iter()
        .find(|event| event["kind"] == "alert" && event["body"].to_string().contains("ServerInitiatedMgmt"));
    let alert = alert.expect("the session names the notification")["body"].to_string();
    assert!(alert.contains(&sent[0]["body"]["id"].to_string()), "{alert}");

    // A push that comes to the machine in a way of its own.
    let carrier = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = carrier.local_addr().unwrap().port();
    reach(&server, &agent.device_id, &[format!("udp:127.0.0.1:{port}")]).await;
    let id = server.queue_for(&agent.device_id, &json!({ "verb": "get", "address": DEVINFO })).await;
    let push: String = datagram(&carrier).await.iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(agent.say(&json!({ "push": push })).await, json!("taken"));
    assert!(agent.say(&json!({ "push": push })).await["refused"].as_str().is_some(), "not twice");
    assert_eq!(server.get(&format!("/commands/{id}?wait=60")).await["state"], "done");
}

#[tokio::test]
async fn notifications_may_be_left_to_ways_that_are_secured() {
    proves!("D2-9.1-01");
    let server = eager().await;
    let agent = AgentProcess::bootstrapped(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c00e2").await;
    let carrier = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    agent.configure(&format!(
        "[session]\npoll_interval = 0\n[notification]\nenabled = false\nlisten = {:?}",
        carrier.local_addr().unwrap().to_string()
    ));
    let _process = agent.start();
    let port = carrier.local_addr().unwrap().port();
    reach(&server, &agent.device_id, &[format!("udp:127.0.0.1:{port}")]).await;
    let id = server.queue_for(&agent.device_id, &json!({ "verb": "get", "address": DEVINFO })).await;
    // The socket is still ours: the agent does not listen, and what is sent there reaches no one who would begin a session.
    let push = datagram(&carrier).await;
    assert_eq!(server.command(&id).await["state"], "queued");
    tokio::time::timeout(PATIENCE, agent.ready()).await.expect("the agent starts");
    // The same in a message of a cloud service, whose connection to the machine is secured.
    let message = json!({ "cloud": { "SMS": STANDARD.encode(package(&push)) } });
    assert_eq!(agent.say(&message).await, json!("taken"));
    assert_eq!(server.get(&format!("/commands/{id}?wait=60")).await["state"], "done");
}
