//! Negotiation of formats (`DM 2.0 §5.5`).

use omadm_conformance::{Answer, Bench, TestServer, address, commands, proves};
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

const INITIATION: &str = "application/vnd.oma.dm.initiation+json";

#[tokio::test]
async fn an_answer_that_cannot_be_accepted_is_406() {
    proves!("D2-5.5-02");
    let server = TestServer::start().await;
    let device = server.enrol("UUID:accept").await;
    let authorization = device.authorization();
    let with = |accept: &'static str| {
        [("content-type", INITIATION), ("omadm-devid", "UUID:accept"), ("accept", accept)]
            .into_iter()
            .chain([("authorization", authorization.as_str())])
            .collect::<Vec<_>>()
    };
    for good in ["application/vnd.oma.dm.request+json", "*/*", "application/*;q=0.1", "text/html, */*;q=0.01"]
    {
        assert_eq!(commands(&device.post(&with(good), b"{}").await), [["END"]], "{good}");
    }
    for bad in ["text/html", "application/json", "application/vnd.oma.dm.request+json;q=0"] {
        assert_eq!(device.post(&with(bad), b"{}").await.status, 406, "{bad}");
    }
}

#[tokio::test]
async fn a_request_in_another_format_is_415() {
    proves!("D2-5.5-03", "D2-7.2.1.1-01");
    let mut bench = Bench::new().await;
    bench.session().await;
    let sent = bench.server.package1(0).request;
    assert_eq!(sent.header("content-type"), Some(INITIATION));
    let server = TestServer::start().await;
    let device = server.enrol("UUID:format").await;
    for good in [
        INITIATION,
        "application/vnd.oma.dm.initiation+json; charset=utf-8",
        "Application/vnd.OMA.dm.initiation+json",
    ] {
        assert_eq!(commands(&device.post_as(good, b"{}").await), [["END"]], "{good}");
    }
    for bad in ["application/xml", "application/json", "text/plain", "application/vnd.syncml.dm+xml"] {
        let reply = device.post_as(bad, b"{}").await;
        assert_eq!(reply.status, 415, "{bad}");
        assert!(reply.header("omadm-accept").is_some_and(|types| types.contains("application/dmmo+json")));
    }
}

#[tokio::test]
async fn the_server_names_all_that_it_takes() {
    proves!("DM-PACK-029-S-O", "D2-5.5-04");
    let server = TestServer::start().await;
    let device = server.enrol("UUID:taken").await;
    let id = server.queue(&device, &json!({ "verb": "upload", "address": address("Text") })).await;
    let reply = device.begin().await;
    let named = reply.header("omadm-accept").unwrap().to_owned();
    let types: Vec<&str> = named.split(',').map(|range| range.split(';').next().unwrap().trim()).collect();
    assert_eq!(types[0], "application/dmmo+json", "what keeps the formats of leaves is liked best");
    let authorization = device.authorization();
    let target = format!("/data/u/{id}");
    let put = async |content_type: &str| {
        let headers = [("content-type", content_type), ("authorization", &*authorization)];
        device.send(http::Method::PUT, &target, &headers, b"[]").await
    };
    for taken in ["text/plain", "application/octet-stream", "application/json", "text/xml", "application/xml"]
    {
        assert!(types.contains(&taken), "{taken} in {named}");
        assert_eq!(put(taken).await.status, 204, "{taken}");
    }
    let refused = put("image/png").await;
    assert_eq!((refused.status, refused.header("omadm-accept")), (415, Some(&*named)));
}
