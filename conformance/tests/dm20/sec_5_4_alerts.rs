//! Generic alerts and how the outcome of commands is reported (`DM 2.0 §5.4`), both sides.

use std::sync::Arc;

use omadm_client::{Alert, ClientError, Mark};
use omadm_codec::dm2::alert::AlertData;
use omadm_conformance::{Answer, Bench, Pair, ScriptDevice, TestServer, address, commands, dmmo, proves};
use omadm_mo::{ClientUri, ServerId};
use serde_json::{Value, json};
use tokio::sync::Notify;

const CLIENT_INITIATED: &str = "urn:oma:at:dm:2.0:ClientInitiatedMgmt";
const EARLY: &str = "urn:oma:at:example:1.0:Early";
const LATE: &str = "urn:oma:at:example:1.0:Late";
const MARKS: [&str; 7] =
    ["fatal", "critical", "minor", "warning", "informational", "harmless", "indeterminate"];

fn about(alert_type: &str, source: &str) -> Alert {
    Alert::new(alert_type).about(&ClientUri::parse(source).unwrap())
}

fn raise(bench: &mut Bench, alert: Alert) -> Result<(), ClientError> {
    bench.device.client.device_mut().raise_alert(&ServerId::parse("DMS1").unwrap(), alert)
}

/// The alerts of Package#1 at `index` beside the one that says why the session starts.
fn alerts(bench: &Bench, index: usize) -> Vec<Value> {
    let package = bench.server.package1(index).json;
    let all = package["Alert"].as_array().unwrap().clone();
    all.into_iter().filter(|alert| alert["AlertType"].as_str().unwrap().contains(":example:")).collect()
}

/// Sends one alert in a Package#1 and gives what the server recorded of it last.
async fn record(server: &TestServer, device: &ScriptDevice, alert: Value) -> Value {
    let before = server.alerts(device).await.len();
    assert_eq!(commands(&device.package1(&json!({ "Alert": [alert] })).await), [["END"]], "{alert}");
    let mut after = server.alerts(device).await;
    assert_eq!(after.len(), before + 1, "{alert} is one event");
    after.pop().unwrap()
}

#[tokio::test]
async fn alerts_leave_in_package1_and_package3() {
    proves!("DM-PACK-026-C-M", "D2-5.4-02");
    let mut bench = Bench::new().await;
    bench.session().await;
    raise(&mut bench, about(EARLY, &address("Count"))).unwrap();
    bench.device.plug.raise(about(LATE, &address("Run")));
    bench.server.say(Answer::commands(&json!([["EXEC", address("Run")]])));
    bench.server.say(Answer::commands(&json!([["GET", address("Count")], ["GET", address("Run")]])));
    bench.session().await;
    bench.session().await;
    assert_eq!(alerts(&bench, 1), [json!({ "AlertType": EARLY, "SourceURI": address("Count") })]);
    assert!(bench.server.package1(1).alert_types().contains(&CLIENT_INITIATED));
    let packages = bench.server.packages3();
    assert_eq!(packages[0].json["Alert"], json!([{ "AlertType": LATE, "SourceURI": address("Run") }]));
    assert_eq!(packages[1].statuses(), [200, 204], "the addresses are those of nodes of this device");
    assert_eq!(packages[1].alert_types(), [""; 0], "each goes out once");
    assert_eq!(alerts(&bench, 2), [Value::Null; 0]);
}

#[tokio::test]
async fn an_alert_that_the_server_did_not_take_goes_out_again() {
    let mut bench = Bench::new().await;
    bench.session().await;
    bench.device.plug.raise(Alert::new(LATE));
    bench.server.say(Answer::commands(&json!([["EXEC", address("Run")]])));
    bench.server.say(Answer::status(500));
    bench.session().await;
    assert_eq!(bench.server.packages3()[0].alert_types(), [LATE]);
    bench.session().await;
    assert_eq!(alerts(&bench, 2), [json!({ "AlertType": LATE })]);
    bench.session().await;
    assert_eq!(alerts(&bench, 3), [Value::Null; 0]);
}

#[tokio::test]
async fn an_alert_names_nodes_by_client_uri() {
    proves!("D2-5.4-10");
    let mut bench = Bench::new().await;
    bench.session().await;
    let target = ClientUri::parse(&address("Text")).unwrap();
    let towards = |target: &str| Alert { target: Some(target.to_owned()), ..Alert::new(EARLY) };
    raise(&mut bench, towards(&target.to_string())).unwrap();
    for bad in ["", "urn:x", "urn:x:1.0/*", "urn:x:1.0/a b/c"] {
        let refused = raise(&mut bench, towards(bad));
        assert!(matches!(refused, Err(ClientError::AlertAddress { field: "TargetURI", .. })), "{bad:?}");
        bench.device.plug.raise(towards(bad));
    }
    let answer = bench.run(json!([["EXEC", address("Run")]])).await;
    assert_eq!(answer.alert_types(), [""; 0], "nothing else leaves the device");
    assert_eq!(alerts(&bench, 1), [json!({ "AlertType": EARLY, "TargetURI": address("Text") })]);

    let (server, device) = TestServer::with_device().await;
    for target in ["http://elsewhere/x", "not an address"] {
        let event = record(&server, &device, json!({ "AlertType": EARLY, "TargetURI": target })).await;
        assert_eq!(event["target"], target, "kept as text");
    }
}

#[tokio::test]
async fn data_come_with_their_type() {
    proves!("D2-5.4-13");
    let mut bench = Bench::new().await;
    bench.session().await;
    let with = |data_type: Option<&str>| {
        let data = AlertData { data_type: data_type.map(str::to_owned), data: json!({ "a": [1, "b"] }) };
        Alert { data: Some(data), ..Alert::new(EARLY) }
    };
    raise(&mut bench, with(Some("application/x-example+json"))).unwrap();
    raise(&mut bench, with(None)).unwrap();
    raise(&mut bench, Alert::new(EARLY)).unwrap();
    bench.session().await;
    let sent = alerts(&bench, 1);
    assert_eq!(sent[0]["DataType"], "application/x-example+json");
    assert_eq!(sent[1]["DataType"], "application/json");
    assert_eq!((&sent[0]["Data"], &sent[1]["Data"]), (&json!({ "a": [1, "b"] }), &json!({ "a": [1, "b"] })));
    assert_eq!((sent[2].get("DataType"), sent[2].get("Data")), (None, None));

    let (server, device) = TestServer::with_device().await;
    let event = record(&server, &device, json!({ "AlertType": EARLY, "Data": { "x": [null, 1] } })).await;
    assert_eq!((&event["data_type"], &event["data"]), (&Value::Null, &json!({ "x": [null, 1] })));
}

#[tokio::test]
async fn every_alert_has_one_type() {
    proves!("D2-5.4-08");
    let mut bench = Bench::new().await;
    for alert_type in [EARLY, LATE] {
        raise(&mut bench, Alert::new(alert_type)).unwrap();
    }
    bench.device.plug.raise(Alert::new(LATE));
    bench.run(json!([["EXEC", address("Run")]])).await;
    for (request, count) in bench.server.package_requests().iter().zip([3, 1]) {
        assert_eq!(request.text().matches("\"AlertType\"").count(), count, "{}", request.text());
        assert_eq!(request.json()["Alert"].as_array().unwrap().len(), count);
    }

    let (server, device) = TestServer::with_device().await;
    for bad in
        [json!({}), json!({ "SourceURI": address("Text"), "Mark": "fatal" }), json!({ "AlertType": 7 })]
    {
        assert_eq!(device.package1(&json!({ "Alert": [bad] })).await.status, 400, "{bad}");
    }
    let twice = format!("{{\"Alert\":[{{\"AlertType\":\"{EARLY}\",\"AlertType\":\"{LATE}\"}}]}}");
    assert_eq!(device.post_as("application/vnd.oma.dm.initiation+json", twice.as_bytes()).await.status, 400);
    assert_eq!(server.alerts(&device).await, [Value::Null; 0]);
    assert_eq!(record(&server, &device, json!({ "AlertType": EARLY })).await["type"], EARLY);
}

#[tokio::test]
async fn alerts_of_plug_ins_show_to_the_operator() {
    proves!("D2-5.4-01", "D2-5.4-05", "D2-5.4-09", "D2-5.4-11", "D2-5.4-14");
    let mut pair = Pair::new().await;
    pair.session().await;
    let data = json!({ "Code": 1404, "Deep": { "list": [1, 2.5, null, "\u{e4}\"<"] }, "Empty": {} });
    for mark in MARKS {
        let data = AlertData { data_type: Some("application/x-example+json".into()), data: data.clone() };
        pair.device.plug.raise(Alert {
            mark: Mark::parse(mark).unwrap(),
            data: Some(data),
            ..about(EARLY, &address(&format!("Some/{mark}")))
        });
    }
    pair.device.plug.raise(Alert::new(LATE));
    let command = pair.run(&json!({ "verb": "exec", "address": address("Run") })).await;
    assert_eq!(command["status"], 200);
    let all = pair.server.alerts(&pair.name).await;
    for mark in MARKS {
        let source = address(&format!("Some/{mark}"));
        let of = |alert: &&Value| alert["source"] == source.as_str();
        let [alert] = all.iter().filter(of).collect::<Vec<_>>()[..] else { panic!("{mark} once in {all:?}") };
        assert_eq!((&alert["type"], &alert["mark"]), (&json!(EARLY), &json!(mark)));
        assert_eq!((&alert["data_type"], &alert["data"]), (&json!("application/x-example+json"), &data));
    }
    let late = all.iter().find(|alert| alert["type"] == LATE).unwrap();
    assert_eq!((&late["source"], &late["data"]), (&Value::Null, &Value::Null));

    let urgent = json!({ "AlertType": LATE, "Mark": "urgent", "SourceURI": address("Text") });
    let (server, device) = TestServer::with_device().await;
    let event = record(&server, &device, urgent).await;
    assert_eq!((&event["mark"], &event["source"]), (&json!("informational"), &json!(address("Text"))));
}

#[tokio::test]
async fn the_server_records_alerts_and_says_nothing_of_them() {
    proves!("DM-PACK-026-S-M", "D2-5.4-04", "D2-5.4-06", "D2-5.4-07", "D2-5.4-12");
    let (server, device) = TestServer::with_device().await;
    let known = "urn:oma:at:scomo:1.0:OperationComplete";
    for alert in [
        json!({ "AlertType": known, "SourceURI": address("Run"), "Mark": "minor" }),
        json!({ "AlertType": "urn:x:y" }),
        json!({ "AlertType": "urn:x:y", "DataType": "application/x-unknown", "Data": { "what": ["ever"] } }),
    ] {
        let event = record(&server, &device, alert.clone()).await;
        assert_eq!((&event["type"], &event["source"]), (&alert["AlertType"], &alert["SourceURI"]));
        assert_eq!(event["mark"], *alert.get("Mark").unwrap_or(&json!("informational")));
        assert_eq!(event["data"], alert["Data"]);
    }
    let id = server.queue_raw(&device, &["GET", &address("Text")]).await;
    let first =
        device.package1(&json!({ "Alert": [{ "AlertType": "urn:x:y" }, { "AlertType": known }] })).await;
    assert_eq!(first.json(), json!({ "CMD": [["GET", address("Text")]] }), "no Alert and no status");
    let last = json!({ "Status": [{ "sc": 404 }], "Alert": [{ "AlertType": "urn:x:y" }] }).to_string();
    let last = device.post_as("application/vnd.oma.dm.response+json", last.as_bytes()).await;
    assert_eq!(last.json(), json!({ "CMD": [["END"]] }), "no Alert and no status");
    assert_eq!(server.outcome(&id).await.1, Some(404));
    assert_eq!(server.alerts(&device).await.len(), 6);

    let mut bench = Bench::new().await;
    let package = json!({ "CMD": [["EXEC", address("Run")]], "Alert": [{ "AlertType": known }] });
    let answer = bench.run_answer(Answer::package2(&package)).await;
    assert_eq!(answer.json, json!({ "Status": [{ "sc": 200 }] }), "the device ignores alerts of a server");
}

#[tokio::test]
async fn the_final_status_is_in_package3() {
    proves!("DM-PACK-027-C-M", "D2-5.4.1-02");
    let mut bench = Bench::new().await;
    bench.device.plug.execution_ends("Walk", 1401);
    let slow = bench.server.uri("/slow");
    let release = Arc::new(Notify::new());
    let data = Answer::mo_data(&dmmo(&address("Text"), "Text", json!("slow")));
    bench.server.route(&http::Method::GET, "/slow", data.held(&release));
    bench.server.say(Answer::commands(&json!([
        ["HGET", slow, address("Text")],
        ["GET", address("Text")],
        ["EXEC", address("Walk")],
    ])));
    let Bench { device, server, .. } = &mut bench;
    let watch = async {
        server.wait_for(2).await;
        assert_eq!(server.data_requests().len(), 1);
        assert_eq!(server.packages3().len(), 0, "Package#3 waits for the Data Repository");
        release.notify_one();
    };
    tokio::join!(device.session("DMS1"), watch);
    let packages = server.packages3();
    assert_eq!(packages[0].statuses(), [200, 200, 1401]);
    assert_eq!(packages[0].value(1), "slow");
    assert_eq!(packages.len(), 1, "nothing is told later");
    assert!(packages[0].json.get("Alert").is_none());
}
