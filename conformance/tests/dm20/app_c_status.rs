//! Status codes that concern every command on the device (`DM 2.0 Appendix C`).

use http::Method;
use omadm_conformance::{Answer, Bench, MOID, address, dmmo, proves};
use serde_json::{Value, json};

/// Every command of this build that can be refused by the device, on the test object.
fn commands(bench: &Bench) -> [Value; 6] {
    let data = bench.server.serve("/data", &dmmo(&address("Id"), "Id", json!("new")));
    let up = bench.server.take("/up");
    [
        json!(["HGET", data, address("Id")]),
        json!(["DELETE", address("Maybe")]),
        json!(["EXEC", address("Run")]),
        json!(["GET", address("Text")]),
        json!(["HPUT", up, address("Text")]),
        json!(["HPOST", up, address("Text")]),
    ]
}

#[tokio::test]
async fn a_switched_off_feature_is_501() {
    proves!("D2-C-04");
    let mut bench = Bench::with(|setup| setup.client.full_addressing = false).await;
    let up = bench.server.take("/up");
    let answer = bench
        .run(json!([
            ["FOO"],
            ["GET", format!("{MOID}/*/Text")],
            ["GET", format!("{MOID}/(x)/Text?nv=(x)/Id:alpha")],
            ["HPUT", up, format!("{MOID}/*/Text")],
            ["DELETE", format!("{MOID}/*/Maybe")],
            ["EXEC", format!("{MOID}/(x)/Run?nv=(x)/Id:alpha")],
            ["GET", address("Text")],
            ["EXEC", address("Run")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [501, 501, 501, 501, 501, 501, 200, 200]);
    assert_eq!(answer.parts.len(), 1);
    assert!(bench.device.has(&address("Maybe")));
}

#[tokio::test]
async fn cont_is_never_answered_403_or_404() {
    proves!("D2-C-02");
    let mut bench = Bench::with_rights(0).await;
    let answer = bench
        .run(json!([
            ["GET", address("Text")],
            ["GET", address("None")],
            ["CONT", "http://localhost/plain"],
            ["CONT", "ftp://localhost/x"],
            ["CONT", address("Text")],
            ["SHOW", "https://localhost/x"],
        ]))
        .await;
    let statuses = answer.statuses();
    assert_eq!(statuses[2..5], [400, 400, 400]);
    assert!([200, 400, 500, 501, 503, 507].contains(&statuses[5]), "{statuses:?}");
    bench.server.say(Answer::commands(&json!([["END"]])));
    let before = bench.server.packages3().len();
    bench.session().await;
    assert_eq!(bench.server.packages3().len(), before, "END has no status at all");
}

#[tokio::test]
async fn a_refusing_plug_in_gives_its_status_and_nothing_is_changed() {
    proves!("D2-C-05", "D2-C-06");
    for status in [503_u16, 507] {
        let mut bench = Bench::new().await;
        let [hget, delete, exec, get, ..] = commands(&bench);
        bench.device.plug.changes_end(status);
        bench.device.plug.execution_ends("Run", status);
        let answer = bench.run(json!([hget, delete, exec, get])).await;
        let refused = u64::from(status);
        assert_eq!(answer.statuses(), [refused, refused, refused, 200]);
        assert_eq!(bench.device.text(&address("Id")).as_deref(), Some("alpha"));
        assert!(bench.device.has(&address("Maybe")));
        assert_eq!(bench.device.plug.applied(), 0);

        bench.device.plug.changes_pass();
        bench.device.plug.execution_ends("Run", 200);
        assert_eq!(bench.run(json!([hget, delete, exec])).await.statuses(), [200, 200, 200]);
        assert_eq!(bench.device.text(&address("Id")).as_deref(), Some("new"));
    }
}

#[tokio::test]
async fn a_fault_in_a_handler_is_500_and_the_session_goes_on_to_its_end() {
    let mut bench = Bench::new().await;
    let [hget, delete, exec, get, hput, hpost] = commands(&bench);
    bench.device.plug.changes_end(500);
    bench.device.plug.execution_ends("Run", 500);
    bench.device.plug.reads_fail(true);
    let devid = json!(["GET", "urn:oma:mo:oma-dm-devinfo:1.2//DevID"]);
    bench.server.say(Answer::commands(&json!([
        hget, devid, delete, devid, exec, devid, get, devid, hput, devid, hpost, devid
    ])));
    let report = bench.session().await;
    let statuses = bench.server.packages3()[0].statuses();
    assert_eq!(statuses, [500, 200, 500, 200, 500, 200, 500, 200, 500, 200, 500, 200]);
    assert!(matches!(report.outcome, omadm_client::Outcome::Ended { .. }), "{report:?}");
    assert!(
        bench.server.data_requests().iter().all(|request| request.method == Method::GET),
        "no data left the device"
    );
    assert_eq!(bench.device.text(&address("Id")).as_deref(), Some("alpha"));
}
