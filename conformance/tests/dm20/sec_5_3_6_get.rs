//! GET on the device (`DM 2.0 §5.3.6`, Appendix C).

use omadm_conformance::{Bench, address, proves, single};
use serde_json::json;

#[tokio::test]
async fn each_found_node_brings_a_part() {
    proves!("D2-5.3.6-02", "D2-C-GET-200", "D2-C-GET-404", "DM-PACK-019-C-O");
    let mut bench = Bench::new().await;
    let answer = bench
        .run(json!([["GET", address("Text")], ["GET", address("None")], ["GET", address("List/one/Data")]]))
        .await;
    assert_eq!(answer.statuses(), [200, 404, 200]);
    assert_eq!(answer.parts.len(), 2);
    assert_eq!(answer.value(0), "text of alpha");
    assert_eq!(answer.value(2)["1"], json!({ "Date": "12.1", "Value": "near" }));
}

#[tokio::test]
async fn it_takes_exactly_one_address() {
    proves!("D2-5.3.6-01", "D2-C-GET-400");
    let mut bench = Bench::new().await;
    let answer = bench
        .run(json!([
            ["GET"],
            ["GET", "::"],
            ["GET", address("Text"), address("Count")],
            ["GET", ""],
            ["GET", address("Text")]
        ]))
        .await;
    assert_eq!(answer.statuses(), [400, 400, 400, 400, 200]);
    assert_eq!(answer.parts.len(), 1);
    assert_eq!(answer.value(4), "text of alpha");
}

#[tokio::test]
async fn an_empty_leaf_is_204_without_a_part() {
    proves!("D2-C-GET-204");
    let mut bench = Bench::new().await;
    let answer = bench
        .run(json!([["GET", address("Empty")], ["GET", address("Nil")], ["GET", address("Text")]]))
        .await;
    assert_eq!(answer.statuses(), [204, 204, 200]);
    assert_eq!(answer.parts.len(), 1);
    assert!(answer.part(2).is_some());
}

#[tokio::test]
async fn the_current_validator_is_304_without_a_part() {
    proves!("D2-C-GET-304");
    let mut bench = Bench::new().await;
    let answer = bench.run(json!([["GET", single("")]])).await;
    let item = answer.part(0).unwrap().items().remove(0);
    let validator = item["CV"].as_str().expect("a root read comes with its validator").to_owned();
    let answer =
        bench.run(json!([["GET", single(&format!("?cv={validator}"))], ["GET", single("?cv=other")]])).await;
    assert_eq!(answer.statuses(), [304, 200]);
    assert_eq!(answer.parts.len(), 1);
    assert!(answer.part(1).is_some());
}

#[tokio::test]
async fn without_the_read_right_it_is_403() {
    proves!("D2-C-GET-403");
    for (rights, status, parts) in [(2, 403, 0), (1, 200, 1)] {
        let mut bench = Bench::with_rights(rights).await;
        let answer = bench.run(json!([["GET", address("Text")]])).await;
        assert_eq!(answer.statuses(), [status], "AR {rights}");
        assert_eq!(answer.parts.len(), parts);
    }
}
