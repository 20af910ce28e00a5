//! Addresses on the server (`DM 2.0 §6.1, §6.2`): what the operator says, what goes on the wire, and what comes of it.

use http::Method;
use omadm_client::ClientConfig;
use omadm_conformance::{
    Bench, DEVICE_ID, EXAMPLE_MOID, Pair, ScriptServer, TestServer, address, commands, proves,
};
use omadm_mo::ParameterValues;
use serde_json::{Value, json};

const DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.2";

#[tokio::test]
async fn every_address_is_sent_as_the_operator_wrote_it() {
    proves!("DM-OBJ-001-S-M", "D2-6.1-02", "D2-6.1-05");
    let server = TestServer::start().await;
    let device = server.enrol("UUID:addresses").await;
    let good = [
        format!("{DEVINFO}//"),
        format!("{DEVINFO}//DevID"),
        format!("{EXAMPLE_MOID}/left/"),
        format!("{EXAMPLE_MOID}/left/Data/1/Value"),
        format!("{EXAMPLE_MOID}/*/Data/*/Value"),
        format!("{EXAMPLE_MOID}/(x)/Data/(y)/Value?nv=(x)/ID:GPS&nv=(y)/Date:12.2"),
        format!("{EXAMPLE_MOID}/(x)/?lv=2&nv=(x)/ID:a%20b&cv=1&vendor=z"),
    ];
    for address in &good {
        server.queue(&device, &json!({ "verb": "get", "address": address })).await;
    }
    let sent = commands(&device.begin().await);
    assert_eq!(sent, good.clone().map(|address| vec!["GET".to_owned(), address]));
    for command in sent {
        assert!(
            omadm_mo::ClientUri::parse(&command[1]).is_ok_and(|uri| uri.to_string() == command[1]),
            "{command:?}"
        );
    }

    let malformed = [
        EXAMPLE_MOID.to_owned(),
        format!("{EXAMPLE_MOID}/left//ID"),
        format!("{EXAMPLE_MOID}/(xy)/"),
        format!("{EXAMPLE_MOID}/(x)/"),
        format!("{EXAMPLE_MOID}/(x)/Data/(x)?nv=(x)/ID:GPS"),
        format!("{EXAMPLE_MOID}/left/?lv=0"),
        format!("{EXAMPLE_MOID}/a b/"),
        String::new(),
    ];
    let before = server.items("/devices/UUID:addresses/commands").await.len();
    for address in malformed {
        for request in [
            json!({ "verb": "get", "address": address }),
            json!({ "verb": "raw", "words": ["GET", address] }),
        ] {
            assert_eq!(server.post_command("UUID:addresses", &request).await.status, 400, "{request}");
        }
    }
    assert_eq!(
        server.items("/devices/UUID:addresses/commands").await.len(),
        before,
        "nothing of it is queued"
    );
}

#[tokio::test]
async fn the_examples_reach_the_stated_nodes() {
    proves!("DM-OBJ-002-S-M", "D2-6.1.1.1-03");
    let mut pair = Pair::new().await;
    let examples = [
        ("left/ID", vec!["left/ID"]),
        ("(x)/ID?nv=(x)/ID:Temperature", vec!["right/ID"]),
        ("(x)/Data/1/Value?nv=(x)/ID:GPS", vec!["left/Data/1/Value"]),
        ("right/Data/(x)/Value?nv=(x)/Date:12.1", vec!["right/Data/1/Value"]),
        ("(x)/Data/(y)/Value?nv=(x)/ID:GPS&nv=(y)/Date:12.2", vec!["left/Data/2/Value"]),
        ("*/Setting", vec!["left/Setting", "right/Setting"]),
        ("(x)/Data/*/Value?nv=(x)/ID:GPS", vec!["left/Data/1/Value", "left/Data/2/Value"]),
        (
            "*/Data/*/Value",
            vec!["left/Data/1/Value", "left/Data/2/Value", "right/Data/1/Value", "right/Data/2/Value"],
        ),
        ("/ID", vec![]),
        ("(x)/Data/*/Value?nv=(x)/ID:GPS&nv=(x)/Setting:0xB2", vec![]),
    ];
    let requests: Vec<Value> = examples
        .iter()
        .map(|(example, _)| json!({ "verb": "get", "address": format!("{EXAMPLE_MOID}/{example}") }))
        .collect();
    let done = pair.run_all(&requests).await;
    for ((example, nodes), command) in examples.iter().zip(done) {
        let items = command["result"]["items"].as_array().cloned().unwrap_or_default();
        let found: Vec<&str> = items.iter().map(|item| item["address"].as_str().unwrap()).collect();
        let expected: Vec<String> = nodes.iter().map(|node| format!("{EXAMPLE_MOID}/{node}")).collect();
        assert_eq!(found, expected, "{example}");
        let status = if nodes.is_empty() { 404 } else { 200 };
        assert_eq!(command["status"], status, "{example}");
    }
    let without_nv = format!("{EXAMPLE_MOID}/(x)/ID");
    let refused = pair.server.post_command(DEVICE_ID, &json!({ "verb": "get", "address": without_nv })).await;
    assert_eq!(refused.status, 400);
    let mut bench = Bench::new().await;
    assert_eq!(bench.status(json!(["GET", without_nv])).await, 400, "and the device says the same");
}

#[tokio::test]
async fn parameters_of_a_server_uri_are_the_devices_matter() {
    proves!(
        "DM-OBJ-003-S-M",
        "DM-OBJ-004-S-M",
        "DM-OBJ-005-S-M",
        "DM-OBJ-006-S-M",
        "DM-OBJ-007-S-M",
        "DM-OBJ-008-S-M",
        "DM-OBJ-009-S-M",
        "D2-6.2-02",
        "D2-6.2-06"
    );
    let authority = omadm_conformance::Authority::new();
    let secure = ScriptServer::https(&authority).await;
    let plain = ScriptServer::http().await;
    let parameters = ParameterValues {
        mnc: Some("01".into()),
        mcc: Some("262".into()),
        cmnc: Some("10".into()),
        cmcc: Some("234".into()),
        sp_name: Some("My Net".into()),
        dev_id: None,
    };
    let mut pair = Pair::with(|setup| {
        setup.client = ClientConfig { parameters, plain_http: true, ..ClientConfig::default() };
        let both = [setup.ca_file.take().unwrap(), authority.ca_file()]
            .map(|file| std::fs::read(file).unwrap())
            .concat();
        let file = authority.directory().join("both.pem");
        std::fs::write(&file, both).unwrap();
        setup.ca_file = Some(file);
    })
    .await;
    let path = "/[DevID]/[MCC]/[MNC]/[CMCC]/[CMNC]/[SPName]/[Foo]";
    let uris = [secure.uri(path), plain.uri(path)];
    let requests = uris.clone().map(|uri| json!({ "verb": "raw", "words": ["HPUT", uri, address("Text")] }));
    let done = pair.run_all(&requests).await;
    let sessions = pair.server.items(&format!("/devices/{DEVICE_ID}/sessions")).await;
    let trace = pair
        .server
        .get(&format!("/devices/{DEVICE_ID}/sessions/{}", sessions[0]["session"]))
        .await
        .to_string();
    for (uri, server) in uris.iter().zip([&secure, &plain]) {
        assert!(trace.contains(uri.as_str()), "{uri} is on the wire as it was queued");
        let requested = server.requests()[0].target.replace("%3A", ":");
        assert_eq!(requested, format!("/{DEVICE_ID}/262/01/234/10/My%20Net/-1"));
    }
    assert_eq!(done.len(), 2);
    for bad in ["::::", "no uri", "https://", "https://localhost/a b", ""] {
        let request = json!({ "verb": "raw", "words": ["HPUT", bad, address("Text")] });
        assert_eq!(pair.server.post_command(DEVICE_ID, &request).await.status, 400, "{bad}");
    }
    assert_eq!(pair.server.rest(Method::GET, "/devices/unknown", None).await.status, 404);
}
