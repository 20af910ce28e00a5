//! EXEC on the device, synchronous (`DM 2.0 §5.3.5`, Appendix C).

use omadm_conformance::{Bench, MOID, address, proves};
use serde_json::json;

#[tokio::test]
async fn the_handler_runs_once() {
    proves!("D2-5.3.5-02", "D2-C-EXEC-200", "D2-C-EXEC-405", "DM-PACK-018-C-M");
    let mut bench = Bench::new().await;
    let devid = "urn:oma:mo:oma-dm-devinfo:1.2//DevID";
    bench.device.grant(omadm_mo::well_known::DEVINFO, "DevInfo", "/", "DMS1", 15);
    let answer =
        bench.run(json!([["EXEC", address("Run")], ["EXEC", address("Text")], ["EXEC", devid]])).await;
    assert_eq!(answer.statuses(), [200, 405, 405]);
    assert_eq!(bench.device.plug.executed(), [address("Run")]);
}

#[tokio::test]
async fn an_unknown_node_is_404() {
    proves!("D2-C-EXEC-404");
    let mut bench = Bench::new().await;
    let answer = bench.run(json!([["EXEC", address("None")], ["EXEC", address("Walk")]])).await;
    assert_eq!(answer.statuses(), [404, 200]);
    assert_eq!(bench.device.plug.executed(), [address("Walk")]);
}

#[tokio::test]
async fn a_malformed_command_is_400() {
    proves!("D2-C-EXEC-400");
    let mut bench = Bench::new().await;
    let bad = [
        json!(["EXEC"]),
        json!(["EXEC", ""]),
        json!(["EXEC", "urn:x"]),
        json!(["EXEC", address("Run"), "https://localhost/x", "y"]),
        json!(["EXEC", format!("{MOID}/*/Run")]),
    ];
    for command in bad {
        assert_eq!(bench.status(command.clone()).await, 400, "{command}");
    }
    assert!(bench.device.plug.executed().is_empty());
    assert_eq!(bench.status(json!(["EXEC", address("Run")])).await, 200);
}

#[tokio::test]
async fn without_the_execute_right_it_is_403() {
    proves!("D2-C-EXEC-403");
    for (rights, status, runs) in [(3, 403, 0), (4, 200, 1)] {
        let mut bench = Bench::with_rights(rights).await;
        assert_eq!(bench.status(json!(["EXEC", address("Run")])).await, status, "AR {rights}");
        assert_eq!(bench.device.plug.executed().len(), runs);
    }
}

#[tokio::test]
async fn the_plug_in_can_answer_an_application_status() {
    let mut bench = Bench::new().await;
    for status in [1401, 1200, 1501] {
        bench.device.plug.execution_ends("Run", status);
        let answer = bench.run(json!([["EXEC", address("Run")], ["EXEC", address("Walk")]])).await;
        assert_eq!(answer.statuses(), [u64::from(status), 200]);
    }
}
