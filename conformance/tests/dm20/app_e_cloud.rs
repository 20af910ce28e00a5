//! The device registers with the cloud messaging service (`DM 2.0 §E.2.2`): the agent as a process, and a service of the test's own.

use http::Method;
use omadm_conformance::{AgentProcess, Answer, DEVICE_ID, ScriptServer, TestServer, proves};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[tokio::test]
async fn the_agent_registers_with_the_service_and_tells_the_server() {
    proves!("D2-E.2.2-02", "D2-E.2.2-03", "D2-E.2.2-04");
    // Stands for the service: it knows the sender and gives a registration.
    let service = ScriptServer::http().await;
    service.route(&Method::POST, "/register", Answer::body("text/plain", "reg-7\n"));
    let server = TestServer::with(|config| config.cloud.sender_id = Some("42".to_owned())).await;
    let agent = AgentProcess::bootstrapped(&server, DEVICE_ID).await;
    let path = format!("/devices/{DEVICE_ID}/push");
    let known = async || server.rest(Method::GET, &path, None).await.json()["registration"].clone();

    let register = |place: &str| {
        let curl = format!("curl -sSf -d sender=\\\"$1\\\" {}", service.uri(place));
        agent.configure(&format!(
            "[session]\npoll_interval = 0\n[notification]\ncloud_command = [\"sh\", \"-c\", \"{curl}\", \"sh\"]\n"
        ));
    };
    let logged = async |text: &str| {
        let mut process = agent.start();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        while !log.next_line().await.unwrap().expect("the agent goes on").contains(text) {}
    };
    register("/nowhere");
    logged("no registration for cloud messaging").await;
    assert!(known().await.is_null());
    register("/register");
    logged("registered for cloud messaging").await;
    let asked = service.requests().into_iter().find(|request| request.target == "/register").unwrap();
    assert_eq!(asked.body, b"sender=42");
    assert_eq!(known().await, json!("reg-7"));
}
