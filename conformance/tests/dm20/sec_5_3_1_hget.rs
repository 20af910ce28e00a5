//! HGET on the device (`DM 2.0 §5.3.1`, Appendix C).

use http::Method;
use omadm_conformance::{Answer, Bench, MOID, PLAIN_MOID, ScriptServer, address, dmmo, proves};
use serde_json::json;

#[tokio::test]
async fn data_is_fetched_once_and_stored() {
    proves!("D2-5.3.1-02", "D2-5.3.1-07", "DM-PACK-014-C-M", "D2-C-HGET-200");
    let mut bench = Bench::new().await;
    let good = bench.server.serve("/good", &dmmo(&address("Text"), "Text", json!("new")));
    for (path, status) in [("/broken", 500), ("/forbidden", 403), ("/gone", 404)] {
        bench.server.route(&Method::GET, path, Answer::status(status));
        let bad = bench.server.uri(path);
        assert_eq!(bench.status(json!(["HGET", bad, address("Text")])).await, 419, "{status}");
    }
    assert_eq!(bench.device.text(&address("Text")).as_deref(), Some("text of alpha"));

    let before = bench.server.data_requests().len();
    assert_eq!(bench.status(json!(["HGET", good, address("Text")])).await, 200);
    assert_eq!(bench.device.text(&address("Text")).as_deref(), Some("new"));
    let requests = bench.server.data_requests().split_off(before);
    assert_eq!(requests.len(), 1);
    assert_eq!((&requests[0].method, requests[0].target.as_str()), (&Method::GET, "/good"));
    let accept = requests[0].header("accept").expect("Accept says what the device takes");
    assert!(accept.contains("application/dmmo+json") && accept.contains("text/plain"), "{accept}");
}

#[tokio::test]
async fn a_repository_that_cannot_be_reached_is_419_and_the_session_goes_on() {
    proves!("D2-5.2-04", "D2-C-HGET-419");
    let mut bench = Bench::with(|setup| setup.request_timeout = std::time::Duration::from_millis(300)).await;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("https://localhost:{}/x", listener.local_addr().unwrap().port())
    };
    let stranger = ScriptServer::https(&omadm_conformance::Authority::new()).await;
    let untrusted = stranger.serve("/x", &dmmo(&address("Text"), "Text", json!("evil")));
    bench.server.route(&Method::GET, "/silent", Answer::silence());
    let answer = bench
        .run(json!([
            ["HGET", closed, address("Text")],
            ["HGET", "https://no-such-host.invalid/x", address("Text")],
            ["HGET", untrusted, address("Text")],
            ["HGET", bench.server.uri("/silent"), address("Text")],
            ["GET", address("Text")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [419, 419, 419, 419, 200]);
    assert_eq!(answer.value(4), "text of alpha");
    assert!(stranger.requests().is_empty(), "nothing is asked of a server whose certificate is not trusted");

    for status in [404, 500] {
        bench.server.route(&Method::GET, "/silent", Answer::status(status));
        assert_eq!(bench.status(json!(["HGET", bench.server.uri("/silent"), address("Text")])).await, 419);
    }
    let back = bench.server.serve("/silent", &dmmo(&address("Text"), "Text", json!("back")));
    assert_eq!(bench.status(json!(["HGET", back, address("Text")])).await, 200);
}

#[tokio::test]
async fn all_that_was_at_the_position_is_replaced() {
    proves!("D2-5.3.1-03", "D2-C-HGET-404");
    let mut bench = Bench::new().await;
    let list =
        bench.server.serve("/list", &dmmo(&address("List"), "List", json!({ "three": { "ID": "new" } })));
    assert_eq!(bench.status(json!(["HGET", list, address("List")])).await, 200);
    assert_eq!(bench.device.text(&address("List/three/ID")).as_deref(), Some("new"));
    assert!(!bench.device.has(&address("List/one")) && !bench.device.has(&address("List/two/ID")));

    for nowhere in [
        address("None/Deeper"),
        address("List/none/ID"),
        "urn:oma:mo:none:1.0/x/".into(),
        format!("{MOID}/none/Text"),
    ] {
        let data = bench.server.serve("/leaf", &dmmo(&nowhere, "Deeper", json!("x")));
        assert_eq!(bench.status(json!(["HGET", data, nowhere])).await, 404, "{nowhere}");
    }
    let four = bench.server.serve("/four", &dmmo(&address("List/four"), "four", json!({ "ID": "made" })));
    assert_eq!(
        bench.status(json!(["HGET", four, address("List/four")])).await,
        200,
        "created where the parent is"
    );
    assert_eq!(bench.device.text(&address("List/four/ID")).as_deref(), Some("made"));
    assert_eq!(bench.device.text(&address("List/three/ID")).as_deref(), Some("new"), "siblings stay");
}

#[tokio::test]
async fn without_a_client_uri_the_place_is_told() {
    proves!("D2-5.3.1-01", "D2-5.3.1-04", "D2-5.3.1-05", "D2-5.3.1-06", "D2-6.1.1.1-01");
    let mut bench = Bench::new().await;
    let item = |label: &str, name: &str| json!({ "ClientURI": format!("{PLAIN_MOID}//"), "MOData": { label: { "Name": name } } });
    let one = bench.server.serve("/one", &json!([item("usb", "first")]));
    let two = bench.server.serve("/two", &json!([item("usb", "second"), item("camera", "third")]));
    let answer =
        bench.run(json!([["HGET", one], ["HGET", two], ["HGET"], ["HGET", one, address("Text"), "x"]])).await;
    assert_eq!(answer.statuses(), [200, 200, 400, 400]);
    let usb = format!("{PLAIN_MOID}/usb/");
    let camera = format!("{PLAIN_MOID}/camera/");
    assert_eq!(answer.uris(0), [usb.as_str()]);
    let places = answer.uris(1);
    assert_eq!(places.len(), 2);
    assert_ne!(places[0], usb, "a MIID in use is not taken again");
    assert_eq!(places[1], camera);

    let name = |place: &str| bench.device.text(&format!("{place}Name"));
    assert_eq!(name(&usb).as_deref(), Some("first"), "the instance that was there is untouched");
    assert_eq!(name(places[0]).as_deref(), Some("second"));
    assert_eq!(name(&camera).as_deref(), Some("third"));
    assert_eq!(bench.device.miids(PLAIN_MOID).len(), 3);
}

#[tokio::test]
async fn what_is_not_understood_is_415() {
    proves!("D2-5.3.1-09", "D2-C-HGET-415");
    let mut bench = Bench::new().await;
    let good = dmmo(&address("Count"), "Count", json!(7)).to_string();
    let bodies = [
        Answer::body("application/x-foo", good.clone()),
        Answer::body("application/dmmo+json", "[{"),
        Answer::body("application/dmmo+json", "[]"),
        Answer::mo_data(&dmmo(&address("Count"), "Count", json!("many"))),
        Answer::mo_data(&dmmo(&address("Count"), "Count", json!({ "a": "b" }))),
        Answer::mo_data(&json!([{ "ClientURI": address("Count") }])),
        Answer::body("text/plain", "many"),
    ];
    for body in bodies {
        bench.server.route(&Method::GET, "/data", body.clone());
        let uri = bench.server.uri("/data");
        assert_eq!(bench.status(json!(["HGET", uri, address("Count")])).await, 415, "{body:?}");
        assert_eq!(bench.device.text(&address("Count")).as_deref(), Some("42"));
    }
    bench.server.route(&Method::GET, "/data", Answer::body("application/dmmo+json", good));
    let uri = bench.server.uri("/data");
    assert_eq!(bench.status(json!(["HGET", uri, address("Count")])).await, 200);
    assert_eq!(bench.device.text(&address("Count")).as_deref(), Some("7"));
}

#[tokio::test]
async fn what_does_not_fit_is_506() {
    proves!("D2-5.3.1-10", "D2-C-HGET-506");
    let mut bench = Bench::with(|setup| setup.quota.bytes = 64 << 10).await;
    let large = bench.server.serve("/large", &dmmo(&address("Text"), "Text", json!("x".repeat(100 << 10))));
    let small = bench.server.serve("/small", &dmmo(&address("Text"), "Text", json!("x".repeat(10 << 10))));
    assert_eq!(bench.status(json!(["HGET", large, address("Text")])).await, 506);
    assert_eq!(bench.device.text(&address("Text")).as_deref(), Some("text of alpha"));
    assert_eq!(bench.status(json!(["HGET", small, address("Text")])).await, 200);
    assert_eq!(bench.device.text(&address("Text")).map(|text| text.len()), Some(10 << 10));
}

#[tokio::test]
async fn without_the_write_right_it_is_403() {
    proves!("D2-5.3.1-11", "D2-C-HGET-403");
    for (rights, status) in [(1, 403), (4, 403), (2, 200), (15, 200)] {
        let mut bench = Bench::with_rights(rights).await;
        let data = bench.server.serve("/data", &dmmo(&address("Text"), "Text", json!("new")));
        assert_eq!(bench.status(json!(["HGET", data, address("Text")])).await, status, "AR {rights}");
        let text = if status == 200 { "new" } else { "text of alpha" };
        assert_eq!(bench.device.text(&address("Text")).as_deref(), Some(text), "AR {rights}");
    }
}

#[tokio::test]
async fn a_malformed_command_is_400_and_nothing_is_fetched() {
    proves!("D2-C-HGET-400");
    let mut bench = Bench::new().await;
    let data = bench.server.serve("/data", &dmmo(&address("Text"), "Text", json!("new")));
    let bad = [
        json!(["HGET"]),
        json!(["HGET", data, "urn:x"]),
        json!(["HGET", data, ""]),
        json!(["HGET", "", address("Text")]),
        json!(["HGET", "not a uri", address("Text")]),
        json!(["HGET", data, format!("{MOID}/*/Text")]),
    ];
    for command in bad {
        assert_eq!(bench.status(command.clone()).await, 400, "{command}");
    }
    assert!(bench.server.data_requests().is_empty());
    assert_eq!(bench.status(json!(["HGET", data, address("Text")])).await, 200);
}

#[tokio::test]
async fn stored_data_outlives_a_kill_after_its_status() {
    proves!("D2-5.3.1-12");
    let mut bench = Bench::new().await;
    let data = bench.server.serve("/data", &dmmo(&address("Text"), "Text", json!("durable")));
    assert_eq!(bench.status(json!(["HGET", data, address("Text")])).await, 200);
    let device = bench.device.killed_and_restarted();
    assert_eq!(device.text(&address("Text")).as_deref(), Some("durable"));
}
