//! Reports without a session: the real agent and the real server, over TLS.

use omadm_conformance::{AgentProcess, Relay, Request, TestServer, Turn, proves, xmllint};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TYPE: &str = "urn:example:at:temperature:1.0";

/// An agent that runs, behind a relay, after the session of its bootstrap.
async fn running(number: u32, more: &Value) -> (TestServer, Relay, AgentProcess, tokio::process::Child) {
    let server =
        TestServer::with(|config| config.device.plain_listen = Some(([127, 0, 0, 1], 0).into())).await;
    let relay = Relay::before(&server).await;
    let id = format!("UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1cb{number:03}");
    let settings = "[session]\npoll_interval = 0";
    let (agent, account) = AgentProcess::behind(&relay, &server, &id, more, settings).await;
    agent.run(&["bootstrap", &account]).await;
    let process = agent.start();
    agent.ready().await;
    relay.heard();
    (server, relay, agent, process)
}

/// Has the agent report something.
async fn report(agent: &AgentProcess, data: &str) {
    let report = json!({ "server": "omadm", "type": TYPE, "data": data, "source": "./DevInfo" });
    assert_eq!(agent.say(&json!({ "report": report })).await, json!("taken"));
}

/// The alerts that the server knows of, once there are as many as this.
async fn alerts(server: &TestServer, count: usize) -> Vec<Value> {
    loop {
        let events = server.items("/events?limit=1000").await;
        let alerts: Vec<Value> = events.into_iter().filter(|event| event["kind"] == "alert").collect();
        if alerts.len() >= count {
            return alerts;
        }
        tokio::task::yield_now().await;
    }
}

fn text(request: &Request) -> String {
    String::from_utf8(request.body.clone()).unwrap()
}

#[tokio::test]
async fn a_report_is_one_alert_in_a_message_without_a_session() {
    proves!(
        "P13-DMSESSREP-5.1-01",
        "P13-DMSESSREP-5.1-02",
        "P13-DMSESSREP-5.1-03",
        "P13-DMSESSREP-5.1-04",
        "P13-DMSESSREP-5.1-05",
        "P13-DMSESSREP-5.1-06",
        "E13-DMSESSREP",
        "OMA-ERDEF-DM-C-005-O",
        "OMA-ERDEF-DM-S-005-O"
    );
    let (server, relay, agent, _process) = running(1, &json!({ "encoding": "xml" })).await;
    report(&agent, "<hot> & 71 ]]>").await;
    let known = alerts(&server, 1).await;
    let body = &known[0]["body"];
    assert_eq!(
        (&body["code"], &body["type"], &body["source"], &body["data"], &body["data_type"]),
        (&json!(1230), &json!(TYPE), &json!("./DevInfo"), &json!("<hot> & 71 ]]>"), &json!("chr"))
    );
    let heard = relay.heard();
    // Where a connection breaks the same is said again.
    assert!(heard.iter().all(|request| request.body == heard[0].body), "{heard:?}");
    let said = text(&heard[0]);
    xmllint::validate(&said);
    let body = said.split_once("<SyncBody>").unwrap().1;
    assert_eq!((body.matches("<Alert>").count(), body.matches("<Item>").count()), (1, 1), "{said}");
    assert!(body.contains("<Data>1230</Data>") && body.contains("<![CDATA[<hot> & 71 ]]"), "{said}");
    assert!(
        body.contains("<Format") && body.contains("<Type") && body.ends_with("<Final/></SyncBody></SyncML>")
    );
    assert!(said.contains("<SessionID>0</SessionID><MsgID>1</MsgID>"), "{said}");
    for other in ["<Replace>", "<Status>", "1201"] {
        assert!(!said.contains(other), "{said}");
    }
    // The server has begun no session of it.
    assert_eq!(server.items(&format!("/devices/{}/sessions", agent.device_id)).await.len(), 1);
}

/// Says a request that was heard once more to the server; gives the status.
async fn again(server: &TestServer, request: &Request) -> String {
    let mut stream = TcpStream::connect(server.plain_address()).await.unwrap();
    let mut head = "POST /dm HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".to_owned();
    for name in ["content-type", "x-syncml-hmac"] {
        head += &format!("{name}: {}\r\n", request.header(name).unwrap());
    }
    head += &format!("Content-Length: {}\r\n\r\n", request.body.len());
    stream.write_all(&[head.as_bytes(), &request.body].concat()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_report_that_comes_again_has_one_effect_and_one_that_was_changed_none() {
    proves!("E13-DMSESSREP", "OMA-ERDEF-DM-S-005-O");
    let (server, relay, agent, _process) = running(2, &json!({ "encoding": "xml" })).await;
    report(&agent, "first").await;
    alerts(&server, 1).await;
    let heard = relay.heard();
    assert_eq!(again(&server, &heard[0]).await, "200", "the device does not know that it came");
    let mut changed = heard[0].clone();
    changed.body = text(&changed).replace(">1</MsgID>", ">2</MsgID>").into_bytes();
    assert_eq!(again(&server, &changed).await, "401");
    report(&agent, "second").await;
    let known = alerts(&server, 2).await;
    let mut told: Vec<&str> = known.iter().filter_map(|event| event["body"]["data"].as_str()).collect();
    told.sort_unstable();
    assert_eq!(told, ["first", "second"]);
}

#[tokio::test]
async fn a_report_waits_for_its_server_and_outlives_the_agent() {
    proves!("E13-DMSESSREP", "OMA-ERDEF-DM-C-005-O");
    let (server, relay, agent, process) = running(3, &json!({})).await;
    relay.script([Turn::Instead(503, vec![])]);
    report(&agent, "kept").await;
    while relay.heard().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(process);
    // It is a new agent that sends it: the one before would wait for a minute.
    let _process = agent.start();
    assert_eq!(alerts(&server, 1).await[0]["body"]["data"], "kept");
}
