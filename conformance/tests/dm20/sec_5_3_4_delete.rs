//! DELETE on the device (`DM 2.0 §5.3.4`, Appendix C).

use omadm_conformance::{Bench, MOID, address, proves, single};
use serde_json::json;

#[tokio::test]
async fn a_node_goes_with_all_below_it() {
    proves!("D2-5.3.4-02", "D2-C-DELETE-200", "D2-C-DELETE-404");
    let mut bench = Bench::new().await;
    let answer = bench
        .run(json!([
            ["GET", address("List/one/Data/1/Date")],
            ["DELETE", address("List/one")],
            ["GET", address("List/one")],
            ["GET", address("List/one/Data/1/Date")],
            ["DELETE", address("List/one")],
            ["DELETE", address("None")],
            ["GET", address("List/two/ID")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [200, 200, 404, 404, 404, 404, 200]);
    assert!(!bench.device.has(&address("List/one")));
    assert!(bench.device.has(&format!("{MOID}/beta/List/one")), "other instances stay");
}

#[tokio::test]
async fn it_takes_exactly_one_address() {
    proves!("D2-5.3.4-01", "D2-C-DELETE-400");
    let mut bench = Bench::new().await;
    let (one, two) = (address("List/one"), address("List/two"));
    for bad in
        [json!(["DELETE"]), json!(["DELETE", one, two]), json!(["DELETE", ""]), json!(["DELETE", "urn:x"])]
    {
        assert_eq!(bench.status(bad.clone()).await, 400, "{bad}");
    }
    assert!(bench.device.has(&one) && bench.device.has(&two));
    assert_eq!(bench.status(json!(["DELETE", one])).await, 200);
}

#[tokio::test]
async fn permanent_nodes_and_nodes_without_delete_are_405() {
    proves!("D2-C-DELETE-405", "DM-PACK-017-C-M");
    let mut bench = Bench::with(|setup| setup.accounts[0].rights = 15).await;
    bench.device.grant(omadm_mo::well_known::DEVINFO, "DevInfo", "/", "DMS1", 15);
    let kept = [
        "urn:oma:mo:oma-dm-devinfo:1.2//DevID".to_owned(),
        "urn:oma:mo:oma-dm-devinfo:1.2//".to_owned(),
        address("Fixed"),
        address("Fixed/Setting"),
        address("Text"),
        single("Name"),
    ];
    for node in &kept {
        assert_eq!(bench.status(json!(["DELETE", node])).await, 405, "{node}");
        assert!(bench.device.has(node));
    }
    assert_eq!(bench.status(json!(["DELETE", address("Maybe")])).await, 200);
    assert!(!bench.device.has(&address("Maybe")));
}

#[tokio::test]
async fn without_the_write_right_it_is_403() {
    proves!("D2-C-DELETE-403");
    for (rights, status) in [(1, 403), (2, 200)] {
        let mut bench = Bench::with_rights(rights).await;
        assert_eq!(bench.status(json!(["DELETE", address("List/one")])).await, status, "AR {rights}");
        assert_eq!(bench.device.has(&address("List/one")), status == 403);
    }
}
