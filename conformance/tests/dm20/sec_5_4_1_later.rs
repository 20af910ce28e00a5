//! EXEC that is reported later (`DM 2.0 §5.3.5, §5.4.1`), the device.

use omadm_client::{AlertData, ExecutionStatus, Outcome};
use omadm_conformance::{Answer, Bench, EXECUTION_ALERT, Package1, ScriptServer, address, proves};
use serde_json::{Value, json};

fn executions(bench: &Bench) -> Vec<ExecutionStatus> {
    bench.device.client.device().status().executions
}

/// The alerts about executions in the Package#1 of a request.
fn ends(request: &omadm_conformance::Request) -> Vec<Value> {
    let package = Package1::read(request.clone()).json;
    let alerts = package["Alert"].as_array().unwrap().clone();
    alerts.into_iter().filter(|alert| alert["AlertType"] == EXECUTION_ALERT).collect()
}

fn end(path: &str, status: u16) -> Value {
    let mut alert = json!({
        "AlertType": EXECUTION_ALERT, "SourceURI": address(path), "DataType": "application/json", "Data": { "sc": status },
    });
    if status != 200 {
        alert["Mark"] = json!("warning");
    }
    alert
}

#[tokio::test]
async fn with_a_server_uri_the_end_is_told_there_in_a_session_of_its_own() {
    proves!(
        "D2-5.3.5-01",
        "D2-5.3.5-03",
        "D2-5.3.5-04",
        "D2-5.4.1-04",
        "D2-5.4.1-05",
        "D2-C-EXEC-202",
        "DM-PACK-028-C-M"
    );
    let mut bench = Bench::new().await;
    let other = ScriptServer::https(&bench.authority).await;
    let result = other.uri("/results?x=1");
    let answer = bench
        .run(json!([
            ["EXEC", address("Run"), result],
            ["EXEC", address("Walk")],
            ["EXEC"],
            ["EXEC", address("Run"), "file:///x"],
            ["EXEC", address("Text"), result],
        ]))
        .await;
    assert_eq!(answer.json["Status"][0], json!({ "sc": 202 }), "although the handler is done already");
    assert_eq!(answer.statuses(), [202, 200, 400, 400, 405]);
    assert_eq!(answer.alert_types(), [""; 0]);
    assert!(other.requests().is_empty());
    let sessions = bench.device.report().await;
    assert!(
        matches!(sessions[..], [ref one] if matches!(one.outcome, Outcome::Ended { .. })),
        "{sessions:?}"
    );
    let told = other.requests();
    assert_eq!((told.len(), told[0].target.as_str()), (1, "/results?x=1"));
    assert_eq!(ends(&told[0]), [end("Run", 200)]);
    assert!(bench.device.report().await.is_empty() && executions(&bench).is_empty(), "once");
    bench.session().await;
    assert!(ends(bench.server.package_requests().last().unwrap()).is_empty());
}

#[tokio::test]
async fn without_a_server_uri_the_device_decides() {
    proves!("D2-5.4.1-01", "D2-5.4.1-03", "D2-5.4.1-06");
    let mut bench = Bench::new().await;
    bench.device.plug.execution_goes_on("Walk");
    let answer = bench.run(json!([["EXEC", address("Run")], ["EXEC", address("Walk")]])).await;
    assert_eq!(answer.statuses(), [200, 202]);
    assert!(bench.device.report().await.is_empty(), "it is running");
    assert!(!executions(&bench)[0].ended);
    bench.device.plug.executions_survive(true);
    bench.device = bench.device.killed_and_restarted();
    assert!(bench.device.report().await.is_empty(), "it is still running");
    bench.device.plug.end("Walk", 200);
    let before = bench.server.package_requests().len();
    assert_eq!(bench.device.report().await.len(), 1);
    assert_eq!(ends(&bench.server.package_requests()[before]), [end("Walk", 200)]);
    bench.session().await;
    assert!(ends(bench.server.package_requests().last().unwrap()).is_empty(), "once");
}

#[tokio::test]
async fn an_end_during_a_session_goes_with_its_next_package() {
    let mut bench = Bench::new().await;
    bench.device.plug.execution_goes_on("Walk");
    assert_eq!(bench.status(json!(["EXEC", address("Walk")])).await, 202);
    bench.session().await;
    bench.device.plug.end("Walk", 1401);
    bench.session().await;
    assert_eq!(ends(bench.server.package_requests().last().unwrap()), [end("Walk", 1401)], "in Package#1");

    assert_eq!(bench.status(json!(["EXEC", address("Walk")])).await, 202);
    bench.server.say(Answer::commands(&json!([["EXEC", address("Run")]])));
    let plug = bench.device.plug.clone();
    plug.execution_ends_another("Run", "Walk", 200);
    bench.session().await;
    let last = bench.server.packages3().pop().unwrap();
    assert_eq!(last.json["Alert"], json!([end("Walk", 200)]), "in Package#3");
    assert!(bench.device.report().await.is_empty());
}

#[tokio::test]
async fn failures_are_told_with_their_status_and_data_of_the_object() {
    let mut bench = Bench::new().await;
    let result = bench.server.uri("/results");
    for status in [1401, 500] {
        bench.device.plug.execution_ends("Run", status);
        assert_eq!(bench.status(json!(["EXEC", address("Run"), result])).await, 202);
        bench.device.report().await;
        assert_eq!(ends(bench.server.package_requests().last().unwrap()), [end("Run", status)]);
    }
    bench.device.plug.execution_goes_on("Walk");
    assert_eq!(bench.status(json!(["EXEC", address("Walk"), result])).await, 202);
    let data = json!({ "ResultCode": 1200, "Identifier": "Component1ID" });
    let own = AlertData { data_type: Some("application/json".to_owned()), data: data.clone() };
    bench.device.plug.end_with("Walk", 200, Some(own));
    bench.device.report().await;
    assert_eq!(ends(bench.server.package_requests().last().unwrap())[0]["Data"], data);
}

#[tokio::test]
async fn a_kill_loses_no_execution() {
    let mut bench = Bench::new().await;
    let result = bench.server.uri("/results");
    bench.device.plug.execution_goes_on("Walk");
    let exec = json!([["EXEC", address("Walk"), result], ["EXEC", address("Run"), result]]);
    assert_eq!(bench.run(exec).await.statuses(), [202, 202]);
    bench.device = bench.device.killed_and_restarted();
    bench.device.report().await;
    let told = bench.server.package_requests().pop().unwrap();
    assert_eq!(told.target, "/results");
    assert_eq!(ends(&told), [end("Walk", 500), end("Run", 200)], "what did not survive has failed");
    bench.device = bench.device.killed_and_restarted();
    assert!(bench.device.report().await.is_empty(), "that it was told is kept");
}

#[tokio::test]
async fn where_the_server_uri_does_not_work_the_end_goes_to_srv_uri() {
    let mut bench = Bench::with(|setup| setup.reports.attempts = 2).await;
    let other = ScriptServer::https(&bench.authority).await;
    for (answers, sessions) in [(vec![403], 1), (vec![503, 503], 2), (vec![503, 200], 2)] {
        let taken = answers.contains(&200);
        assert_eq!(bench.status(json!(["EXEC", address("Run"), other.uri("/results")])).await, 202);
        for status in answers.into_iter().filter(|status| *status != 200) {
            other.say(Answer::status(status));
        }
        let before = other.requests().len();
        for attempt in 0..sessions {
            if attempt > 0 {
                bench.session().await;
            }
            assert_eq!(bench.device.report().await.len(), 1);
            assert!(bench.device.report().await.is_empty(), "not again without a new trigger");
        }
        assert_eq!(other.requests().len() - before, sessions);
        bench.session().await;
        let at_home = ends(bench.server.package_requests().last().unwrap());
        assert_eq!(at_home, if taken { vec![] } else { vec![end("Run", 200)] });
        assert!(executions(&bench).is_empty());
    }
}

#[tokio::test]
async fn an_end_for_srv_uri_goes_with_the_next_session() {
    let mut bench = Bench::new().await;
    let home = bench.server.dm_uri();
    assert_eq!(bench.status(json!(["EXEC", address("Run"), home])).await, 202);
    bench.session().await;
    assert_eq!(ends(bench.server.package_requests().last().unwrap()), [end("Run", 200)]);
    assert!(bench.device.report().await.is_empty());
}

#[tokio::test]
async fn there_is_a_limit_to_what_is_not_told_yet() {
    let mut bench = Bench::with(|setup| setup.bounds.1 = 2).await;
    let result = bench.server.uri("/results");
    let exec = json!(["EXEC", address("Run"), result]);
    assert_eq!(bench.run(json!([exec, exec, exec])).await.statuses(), [202, 202, 503]);
    assert_eq!(bench.device.plug.executed().len(), 2, "what is refused does not run");
    bench.device.report().await;
    assert_eq!(ends(bench.server.package_requests().last().unwrap()).len(), 2);
    assert_eq!(bench.status(exec).await, 202);
}
