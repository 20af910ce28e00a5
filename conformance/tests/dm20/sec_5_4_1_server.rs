//! Executions whose end is reported later (`DM 2.0 §5.3.5, §5.4.1`), the server.

use omadm_conformance::{TestServer, commands, proves};
use serde_json::{Value, json};

const RUN: &str = "urn:oma:mo:ext-conformance:1.0//Run";

/// A Package#1 with the end of an execution.
fn end(source: &str, data: Value) -> Value {
    let end = json!({
        "AlertType": "urn:x:done", "SourceURI": source, "Mark": "minor", "DataType": "application/json", "Data": data,
    });
    json!({ "Alert": [{ "AlertType": "urn:oma:at:dm:2.0:ClientInitiatedMgmt" }, end] })
}

#[tokio::test]
async fn the_alert_sets_the_final_result() {
    proves!("DM-PACK-018-S-M", "DM-PACK-028-S-M", "D2-5.4.1-01", "D2-5.4.1-07", "D2-5.3.5-01");
    let (server, device) = TestServer::with_device().await;
    let first = server.queue(&device, &json!({ "verb": "exec", "address": RUN })).await;
    let second = server.queue(&device, &json!({ "verb": "exec", "address": RUN, "later": true })).await;
    assert_eq!(commands(&device.begin().await), [["EXEC", RUN]], "two on one node could not be told apart");
    assert_eq!(commands(&device.answer(&json!([{ "sc": 202 }])).await), [["END"]]);
    assert_eq!(server.outcome(&first).await, ("sent".into(), Some(202)));

    // Nothing of it is the end: another node, no status, no address.
    for other in [
        end("urn:oma:mo:ext-conformance:1.0/alpha/Walk", json!({ "sc": 200 })),
        end("urn:oma:mo:ext-conformance:1.0/alpha/Run", json!({ "progress": "half" })),
        end("nowhere", json!({ "sc": 200 })),
    ] {
        assert_eq!(commands(&device.package1(&other).await), [["END"]]);
        assert_eq!(server.outcome(&first).await, ("sent".into(), Some(202)));
    }

    let ended = end("urn:oma:mo:ext-conformance:1.0/alpha/Run", json!({ "sc": 200, "took": "long" }));
    let package = commands(&device.package1(&ended).await);
    assert_eq!(package, [["EXEC", RUN, server.device_uri()]], "now it is free for the next");
    let command = server.command(&first).await;
    assert_eq!((&command["state"], &command["status"]), (&json!("done"), &json!(200)));
    assert_eq!(command["result"]["alert"]["data"]["took"], "long");
    let alerts = server.alerts(&device).await;
    assert!(alerts.iter().any(|alert| alert["data"]["took"] == "long"), "it is an event too");

    device.answer(&json!([{ "sc": 202 }])).await;
    device.package1(&end(RUN, json!({ "sc": 1401 }))).await;
    let command = server.command(&second).await;
    assert_eq!((&command["state"], &command["status"]), (&json!("failed"), &json!(1401)));
    assert!(command["reason"].as_str().is_some_and(|reason| reason.contains("1401")), "{command}");
    let repeated = server.command(&first).await;
    assert_eq!(repeated["status"], 200, "an end is an end");
}

#[tokio::test]
async fn an_end_may_come_with_the_acceptance_or_instead_of_it() {
    let (server, device) = TestServer::with_device().await;
    let at_once = server.queue(&device, &json!({ "verb": "exec", "address": RUN })).await;
    device.begin().await;
    let alert = end(RUN, json!({ "sc": 200 }))["Alert"][1].clone();
    let package = json!({ "Status": [{ "sc": 202 }], "Alert": [alert] });
    let reply = device.post_as("application/vnd.oma.dm.response+json", package.to_string().as_bytes()).await;
    assert_eq!(commands(&reply), [["END"]]);
    assert_eq!(server.outcome(&at_once).await, ("done".into(), Some(200)));

    let lost = server.queue(&device, &json!({ "verb": "exec", "address": RUN })).await;
    assert_eq!(commands(&device.begin().await), [["EXEC", RUN]]);
    let package = commands(&device.package1(&end(RUN, json!({ "sc": 200 }))).await);
    assert_eq!(package, [["END"]], "what has ended is not executed again");
    assert_eq!(server.outcome(&lost).await, ("done".into(), Some(200)));
}

#[tokio::test]
async fn the_address_of_an_alert_says_which_execution_has_ended() {
    proves!("D2-13.1-04");
    let (server, device) = TestServer::with_device().await;
    let walk = RUN.replace("Run", "Walk");
    let first = server.queue(&device, &json!({ "verb": "exec", "address": RUN })).await;
    let second = server.queue(&device, &json!({ "verb": "exec", "address": walk })).await;
    assert_eq!(commands(&device.begin().await), [["EXEC", RUN], ["EXEC", &walk]]);
    device.answer(&json!([{ "sc": 202 }, { "sc": 202 }])).await;
    // What DM 1.x would go by names the other one.
    device.package1(&end(&walk, json!({ "sc": 1401, "Correlator": first }))).await;
    assert_eq!(server.outcome(&first).await, ("sent".into(), Some(202)));
    assert_eq!(server.outcome(&second).await, ("failed".into(), Some(1401)));
    device.package1(&end(RUN, json!({ "sc": 200, "Correlator": second }))).await;
    assert_eq!(server.outcome(&first).await, ("done".into(), Some(200)));
    assert_eq!(server.outcome(&second).await, ("failed".into(), Some(1401)));
}
