//! What holds for every command on the device (`DM 2.0 §5.3`).

use omadm_conformance::{Answer, Bench, address, dmmo, proves};
use serde_json::json;

#[tokio::test]
async fn an_unknown_command_is_501_and_the_next_one_runs() {
    proves!("D2-5.3-05");
    let mut bench = Bench::new().await;
    let answer = bench
        .run(json!([["FOO"], ["get", address("Text")], ["Get", address("Text")], ["GET", address("Text")]]))
        .await;
    assert_eq!(answer.statuses(), [501, 501, 501, 200]);
    assert_eq!(answer.value(3), "text of alpha");
}

#[tokio::test]
async fn wrong_parameters_are_400_and_leave_their_neighbours_alone() {
    proves!("D2-5.3-06", "D2-7.2.1.2-03");
    let mut bench = Bench::new().await;
    let data = bench.server.serve("/data", &dmmo(&address("Id"), "Id", json!("new")));
    let package = json!({ "CMD": [
        ["GET", address("Text")],
        ["GET"],
        ["DELETE", address("List/one"), address("List/two")],
        ["CONT", ""],
        ["GET", 5],
        [],
        "GET",
        ["HGET", data, address("Id")],
        ["EXEC", address("Run")],
        ["DELETE", address("Maybe")],
    ] });
    let answer = bench.run_answer(Answer::package2(&package)).await;
    assert_eq!(answer.statuses(), [200, 400, 400, 400, 400, 400, 400, 200, 200, 200]);
    assert_eq!(answer.value(0), "text of alpha");
    assert!(bench.device.has(&address("List/one")) && bench.device.has(&address("List/two")));
    assert_eq!(bench.device.text(&address("Id")).as_deref(), Some("new"));
    assert_eq!(bench.device.plug.executed().len(), 1);
    assert!(!bench.device.has(&address("Maybe")));
}

#[tokio::test]
async fn every_command_is_carried_out() {
    proves!("D2-5.3-03", "D2-5.3-04");
    let mut bench = Bench::new().await;
    let data = bench.server.serve("/data", &dmmo(&address("Id"), "Id", json!("new")));
    let up = bench.server.take("/up");
    let home = bench.server.dm_uri();
    let answer = bench.run(json!([
        ["HGET", data, address("Id")],
        ["HPUT", up, address("Id")],
        ["HPOST", up, address("Id")],
        ["DELETE", address("Maybe")],
        ["EXEC", address("Run")],
        ["EXEC", address("Run"), home],
        ["GET", address("Text")],
        ["SHOW", bench.server.uri("/ui")],
        ["DEFAULT", data, omadm_conformance::PLAIN_MOID],
        ["SUB", up, address("Text")],
        ["UNSUB", address("Text")],
        ["CONT", home],
    ]));
    assert_eq!(answer.await.statuses(), [200, 200, 200, 200, 200, 202, 200, 200, 200, 200, 200, 200]);
    bench.server.say(Answer::commands(&json!([["DELETE", address("Day")], ["END"]])));
    let report = bench.session().await;
    assert!(matches!(report.outcome, omadm_client::Outcome::Ended { commands: 1 }), "{report:?}");

    let mut plain = Bench::with(|setup| setup.browser = None).await;
    assert_eq!(plain.status(json!(["SHOW", "https://localhost/"])).await, 501, "built without a browser");
}
