//! HPUT and HPOST on the device (`DM 2.0 §5.3.2, §5.3.3`, Appendix C).

use http::Method;
use omadm_conformance::{Answer, Bench, DEVICE_ID, Schema, address, proves, single};
use serde_json::json;

/// The two commands differ in their name and in the HTTP method only.
const BOTH: [(&str, Method); 2] = [("HPUT", Method::PUT), ("HPOST", Method::POST)];

#[tokio::test]
async fn one_request_carries_one_item_for_each_address() {
    proves!("D2-5.3.2-01", "D2-5.3.2-03", "D2-7.2.1.4-01");
    let mut bench = Bench::new().await;
    let uri = bench.server.take("/up");
    for (name, method) in BOTH {
        let before = bench.server.data_requests().len();
        let answer = bench
            .run(json!([
                [name, uri, address("Text"), single("Count"), address("List/one")],
                [name, uri],
                [name]
            ]))
            .await;
        assert_eq!(answer.statuses(), [200, 400, 400]);
        let requests = bench.server.data_requests().split_off(before);
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].method, method);
        assert_eq!(requests[0].header("content-type"), Some("application/dmmo+json"));
        let data = requests[0].json();
        Schema::MoData.check(&data);
        assert_eq!(data.as_array().unwrap().len(), 3);
        assert_eq!(data[0]["ClientURI"], address("Text"));
        assert_eq!(data[0]["MOData"], json!({ "Text": "text of alpha" }));
        assert_eq!(data[1]["MOData"], json!({ "Count": 1 }));
        assert_eq!(data[2]["MOData"]["one"]["ID"], "GPS");
    }
}

#[tokio::test]
async fn some_addresses_may_be_unknown_but_not_all() {
    proves!("D2-5.3.2-04", "D2-C-HPUT-200", "D2-C-HPUT-404", "D2-C-HPOST-200", "D2-C-HPOST-404");
    let mut bench = Bench::new().await;
    let uri = bench.server.take("/up");
    for (name, _) in BOTH {
        let before = bench.server.data_requests().len();
        let unknown = json!([name, uri, address("None"), "urn:oma:mo:none:1.0//"]);
        assert_eq!(bench.status(unknown).await, 404);
        assert_eq!(bench.server.data_requests().len(), before, "nothing is sent");
        assert_eq!(bench.status(json!([name, uri, address("None"), address("Text")])).await, 200);
        let requests = bench.server.data_requests().split_off(before);
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].json().as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_repository_that_fails_is_419() {
    proves!(
        "D2-5.3.2-02",
        "D2-5.3.3-01",
        "DM-PACK-015-C-M",
        "DM-PACK-016-C-M",
        "D2-C-HPUT-419",
        "D2-C-HPOST-419"
    );
    let mut bench = Bench::new().await;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("https://localhost:{}/x", listener.local_addr().unwrap().port())
    };
    for (name, method) in BOTH {
        bench.server.route(&method, "/up", Answer::status(500));
        let uri = bench.server.uri("/up");
        assert_eq!(bench.status(json!([name, uri, address("Text")])).await, 419);
        assert_eq!(bench.status(json!([name, closed, address("Text")])).await, 419);
        assert_eq!(bench.status(json!([name, uri, address("None")])).await, 404);
        bench.server.route(&method, "/up", Answer::status(200));
        assert_eq!(
            bench.status(json!([name, uri, address("Text"), address("None"), single("Count")])).await,
            200
        );
        let sent = bench.server.data_requests().pop().unwrap();
        assert_eq!((&sent.method, sent.json().as_array().unwrap().len()), (&method, 2));
    }
}

#[tokio::test]
async fn a_malformed_command_is_400_and_nothing_is_sent() {
    proves!("D2-C-HPUT-400", "D2-C-HPOST-400");
    let mut bench = Bench::new().await;
    let uri = bench.server.take("/up");
    for (name, _) in BOTH {
        let bad = [
            json!([name]),
            json!([name, uri]),
            json!([name, uri, "::"]),
            json!([name, uri, ""]),
            json!([name, "no uri", address("Text")]),
        ];
        for command in bad {
            assert_eq!(bench.status(command.clone()).await, 400, "{command}");
        }
    }
    assert!(bench.server.data_requests().is_empty());
    for (name, _) in BOTH {
        assert_eq!(bench.status(json!([name, uri, address("Text")])).await, 200);
    }
}

#[tokio::test]
async fn without_the_read_right_it_is_403() {
    proves!("D2-C-HPUT-403", "D2-C-HPOST-403");
    for (rights, status, sent) in [(2, 403, 0), (1, 200, 1)] {
        for (name, _) in BOTH {
            let mut bench = Bench::with_rights(rights).await;
            let uri = bench.server.take("/up");
            assert_eq!(
                bench.status(json!([name, uri, address("Text")])).await,
                status,
                "{name} with AR {rights}"
            );
            assert_eq!(bench.server.data_requests().len(), sent);
        }
    }
}

#[tokio::test]
async fn formats_that_the_server_does_not_take_are_406() {
    proves!("D2-C-HPUT-406", "D2-C-HPOST-406", "D2-5.5-06");
    let mut bench = Bench::new().await;
    let uri = bench.server.take("/up");
    for (name, _) in BOTH {
        let before = bench.server.data_requests().len();
        let commands = json!([[name, uri, address("List")]]);
        let only_foo = Answer::commands(&commands).with("omadm-accept", "application/x-foo");
        assert_eq!(bench.run_answer(only_foo).await.statuses(), [406]);
        assert_eq!(bench.server.data_requests().len(), before, "nothing is sent");
        let both = Answer::commands(&commands)
            .with("omadm-accept", "application/x-foo, application/dmmo+json;q=0.5");
        assert_eq!(bench.run_answer(both).await.statuses(), [200]);
        assert_eq!(bench.server.data_requests().len(), before + 1);
    }
}

#[tokio::test]
async fn the_current_validator_saves_the_transfer() {
    proves!("D2-C-HPUT-304", "D2-C-HPOST-304");
    let mut bench = Bench::new().await;
    let uri = bench.server.take("/up");
    assert_eq!(bench.status(json!(["HPUT", uri, single("")])).await, 200);
    let item = bench.server.data_requests()[0].json()[0].clone();
    let validator = item["CV"].as_str().expect("a root read comes with its validator").to_owned();
    for (name, _) in BOTH {
        let before = bench.server.data_requests().len();
        assert_eq!(bench.status(json!([name, uri, single(&format!("?cv={validator}"))])).await, 304);
        assert_eq!(bench.server.data_requests().len(), before, "nothing is sent");
        assert_eq!(bench.status(json!([name, uri, single("?cv=stale")])).await, 200);
    }
}

#[tokio::test]
async fn parameters_of_the_server_uri_are_filled_in() {
    proves!("D2-7.2.1.2-04");
    let mut bench = Bench::new().await;
    bench.server.take(&format!("/{DEVICE_ID}"));
    let new_mo = bench.server.serve(
        "/new_mo",
        &json!([{ "ClientURI": format!("{}//", omadm_conformance::PLAIN_MOID), "MOData": { "n": { "Name": "x" } } }]),
    );
    let answer = bench
        .run(json!([
            [
                "HPOST",
                bench.server.uri("/[DevID]"),
                "urn:oma:mo:oma-dm-devinfo:1.0//",
                "urn:oma:mo:oma-sessioninfomo:1.0//"
            ],
            ["HGET", new_mo],
            ["GET", "urn:oma:mo:oma-sessioninfomo:1.0//CBT"],
        ]))
        .await;
    assert_eq!(answer.statuses(), [200, 200, 200]);
    assert_eq!(answer.value(2), 1);
    let posted =
        bench.server.data_requests().into_iter().find(|request| request.method == Method::POST).unwrap();
    assert_eq!(posted.json().as_array().unwrap().len(), 2);
    assert_eq!(posted.json()[0]["MOData"]["DevInfo"]["DevID"], DEVICE_ID);
}
