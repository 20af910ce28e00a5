//! ServerURI on the device (`DM 2.0 §6.2`).

use omadm_conformance::{Bench, DEVICE_ID, address, proves};
use omadm_mo::ParameterValues;
use serde_json::json;

/// The path that HPUT to this path asks for.
async fn requested(bench: &mut Bench, path: &str) -> String {
    let before = bench.server.data_requests().len();
    let uri = bench.server.uri(path);
    bench.status(json!(["HPUT", uri, address("Text")])).await;
    let mut requests = bench.server.data_requests().split_off(before);
    assert_eq!(requests.len(), 1, "{path}");
    requests.remove(0).target
}

fn with_sim(parameters: &mut ParameterValues) {
    *parameters = ParameterValues {
        dev_id: None,
        mnc: Some("01".into()),
        mcc: Some("262".into()),
        cmnc: Some("10".into()),
        cmcc: Some("234".into()),
        sp_name: Some("My Net/a?b".into()),
    };
}

/// A DevID as it stands in a path; `:` may be encoded there and need not be.
fn device_id(path: &str) -> String {
    path.replace("%3A", ":")
}

#[tokio::test]
async fn parameters_are_replaced_and_encoded() {
    proves!(
        "D2-6.2-03",
        "D2-6.2-04",
        "D2-6.2-07",
        "DM-OBJ-004-C-M",
        "DM-OBJ-005-C-M",
        "DM-OBJ-006-C-M",
        "DM-OBJ-007-C-M",
        "DM-OBJ-008-C-M",
        "DM-OBJ-009-C-M"
    );
    let mut bench = Bench::with(|setup| with_sim(&mut setup.client.parameters)).await;
    assert_eq!(device_id(&requested(&mut bench, "/[DevID]/x").await), format!("/{DEVICE_ID}/x"));
    assert_eq!(requested(&mut bench, "/[MCC]/[MNC]").await, "/262/01");
    assert_eq!(requested(&mut bench, "/[CMCC]/[CMNC]").await, "/234/10");
    assert_eq!(requested(&mut bench, "/a/[SPName]?n=[MCC]").await, "/a/My%20Net%2Fa%3Fb?n=262");
    assert_eq!(requested(&mut bench, "/%5BMCC%5D").await, "/262");

    let mut without_sim = Bench::new().await;
    for name in ["MNC", "MCC", "CMNC", "CMCC", "SPName"] {
        assert_eq!(requested(&mut without_sim, &format!("/[{name}]")).await, "/-1");
    }
}

#[tokio::test]
async fn values_of_the_home_and_the_current_network() {
    proves!("D2-6.2-08", "D2-6.2-09", "D2-6.2-10", "D2-6.2-11", "D2-6.2-12");
    let mut bench = Bench::with(|setup| with_sim(&mut setup.client.parameters)).await;
    let path = "/[MCC]-[MNC]/[CMCC]-[CMNC]/[SPName]";
    assert_eq!(requested(&mut bench, path).await, "/262-01/234-10/My%20Net%2Fa%3Fb");
    let mut without = Bench::new().await;
    assert_eq!(requested(&mut without, path).await, "/-1--1/-1--1/-1");
}

#[tokio::test]
async fn what_is_not_supported_becomes_minus_one() {
    proves!("D2-6.2-05");
    let mut bench = Bench::new().await;
    assert_eq!(requested(&mut bench, "/[Foo]/[SPName]").await, "/-1/-1");
    let literal = omadm_mo::ServerUri::parse("https://[2001:db8::1]/[Foo]").unwrap();
    assert_eq!(literal.expand(&ParameterValues::default()), "https://[2001:db8::1]/-1");
    let answer = bench.run(json!([["HGET", "https://[::1]:9/x", address("Text")]])).await;
    assert_eq!(answer.statuses(), [419], "the host is an address, only nobody is there");
}

#[tokio::test]
async fn what_is_no_uri_is_400() {
    proves!("DM-OBJ-003-C-M", "D2-6.2-01");
    let mut bench = Bench::with(|setup| setup.client.plain_http = true).await;
    let plain = omadm_conformance::ScriptServer::http().await;
    plain.take(&format!("/{DEVICE_ID}"));
    bench.server.take(&format!("/{DEVICE_ID}"));
    for server in [&bench.server, &plain] {
        let uri = server.uri("/[DevID]");
        bench.server.say(omadm_conformance::Answer::commands(&json!([["HPUT", uri, address("Text")]])));
    }
    for bad in [
        "::::",
        "https://",
        "https://localhost/a b",
        "localhost",
        "https://local host/x",
        "https://localhost:port/",
    ] {
        bench.server.say(omadm_conformance::Answer::commands(&json!([["HPUT", bad, address("Text")]])));
    }
    bench.session().await;
    let statuses: Vec<_> = bench.server.packages3().iter().map(|package| package.statuses()[0]).collect();
    assert_eq!(statuses, [200, 200, 400, 400, 400, 400, 400, 400]);
}
