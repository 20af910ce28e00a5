//! Negotiation of formats (`DM 2.0 §5.5`).

use omadm_conformance::{Answer, Bench, address, proves};
use serde_json::json;

#[tokio::test]
async fn packages_say_which_answer_is_understood() {
    proves!("D2-5.5-01", "D2-7.2.1.1-05");
    let mut bench = Bench::new().await;
    bench.run(json!([["GET", address("Text")]])).await;
    let requests = bench.server.package_requests();
    assert_eq!(requests.len(), 2);
    let host = bench.server.dm_uri();
    let host = host.trim_start_matches("https://").split('/').next();
    for request in requests {
        assert_eq!(request.header("accept"), Some("application/vnd.oma.dm.request+json"));
        assert_eq!(request.header("host"), host);
    }
}

#[tokio::test]
async fn omadm_accept_is_read_as_accept_is() {
    proves!("D2-5.5-05");
    let mut bench = Bench::new().await;
    let uri = bench.server.take("/up");
    let commands = json!([["HPUT", uri, address("List")]]);
    for (value, status) in [
        ("application/dmmo+json;q=0.1, application/x-foo;q=0.9", 200),
        ("application/*", 200),
        ("*/*;q=0.5", 200),
        ("application/dmmo+json;q=0, application/x-foo", 406),
        (";;", 200),
        ("no media range", 200),
    ] {
        let answer = bench.run_answer(Answer::commands(&commands).with("omadm-accept", value)).await;
        assert_eq!(answer.statuses(), [status], "{value}");
    }
}
