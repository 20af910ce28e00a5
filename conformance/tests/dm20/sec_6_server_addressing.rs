//! What operators address, seen on the wire by an independent device and understood by ours (`DM 2.0 §6.1, §6.2`), and how a value
//! that they set is offered to it (`§5.3.1`).

use http::Method;
use omadm_client::ClientConfig;
use omadm_conformance::{
    Authority, Bench, DEVICE_ID, EXAMPLE_MOID, Pair, ScriptDevice, ScriptServer, TestServer, address,
    commands, proves,
};
use omadm_mo::ParameterValues;
use serde_json::{Value, json};

const ID: &str = "UUID:6a0f6d0e-0a55-4ac6-8c33-1fd2a3e0f003";
const DMMO: &str = "application/dmmo+json";

fn at(path: &str) -> String {
    format!("{EXAMPLE_MOID}/{path}")
}

/// Every form of the grammar of §6.1.1: each kind of mo-inst, node-name and query field.
const FORMS: [&str; 16] = [
    "/",
    "/ID",
    "left/",
    "left/Data/1/Value",
    "a-b.c_d~1/",
    "le%20ft/n%20m/%28xy%29/100%25",
    "left/urn:oma:mo:x:1.0",
    "(x)/?nv=(x)/ID:GPS",
    "(Z)/Data/(a)/Value?nv=(Z)/ID:GPS&nv=(a)/Date:12.2",
    "(x)/Data/(y)?vendor=1&nv=(y)/Deep/Leaf:1&lv=2&nv=(x)/ID:GPS",
    "left/Data/(y)/Value?nv=(y)/Value:a%26b=c:d",
    "*/",
    "*/Data/*/Value",
    "left/Data/*",
    "left/?lv=1&cv=v%261",
    "left/Data?lv=20&vendor=1&flag",
];

/// Queues commands and gives what the device hears of them, in its order.
async fn heard(server: &TestServer, device: &ScriptDevice, requests: &[Value]) -> Vec<Vec<String>> {
    for request in requests {
        server.queue(device, request).await;
    }
    commands(&device.begin().await)
}

#[tokio::test]
async fn every_form_of_an_address_goes_out_unchanged_with_every_verb() {
    proves!("DM-OBJ-001-S-M", "DM-OBJ-002-S-M", "D2-6.1-02", "D2-6.1-05");
    let server = TestServer::with(|config| config.queue.max_commands_per_package = 100).await;
    // A trailing slash stands for the root of an instance only.
    let forms: Vec<String> =
        FORMS.iter().filter(|form| !form.contains("/1/?")).map(|form| at(form)).collect();
    for verb in ["get", "delete", "raw"] {
        let device = server.enrol(&format!("UUID:{verb}")).await;
        let requests: Vec<Value> = forms
            .iter()
            .map(|form| match verb {
                "raw" => json!({ "verb": "raw", "words": ["GET", form] }),
                verb => json!({ "verb": verb, "address": form }),
            })
            .collect();
        let name = if verb == "delete" { "DELETE" } else { "GET" };
        let expected: Vec<Vec<String>> =
            forms.iter().map(|form| vec![name.to_owned(), form.clone()]).collect();
        assert_eq!(heard(&server, &device, &requests).await, expected, "{verb}");
    }
    let device = server.enrol(ID).await;
    let single: Vec<&String> = forms.iter().filter(|form| !form.contains('*')).collect();
    let requests: Vec<Value> = single
        .iter()
        .flat_map(|form| {
            [
                json!({ "verb": "exec", "address": form }),
                json!({ "verb": "set", "address": form, "value": "x" }),
                json!({ "verb": "fetch", "from": "https://files.example.org/x", "address": form }),
                json!({ "verb": "upload", "address": form }),
            ]
        })
        .collect();
    let sent = heard(&server, &device, &requests).await;
    assert_eq!(sent.len(), requests.len());
    for (four, form) in sent.chunks(4).zip(single) {
        let names: Vec<&str> = four.iter().map(|command| command[0].as_str()).collect();
        assert_eq!(names, ["EXEC", "HGET", "HGET", "HPUT"]);
        assert!(four.iter().all(|command| command.last() == Some(form)), "{form} in {four:?}");
    }
}

#[tokio::test]
async fn what_is_malformed_is_not_queued() {
    proves!("DM-OBJ-001-S-M", "DM-OBJ-002-S-M", "DM-OBJ-003-S-M", "D2-6.1-05", "D2-6.1.1.1-03");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let mut bad = Vec::new();
    for form in [
        "left",
        "left//ID",
        "left/ID/",
        "(xy)/",
        "(1)/?nv=(1)/ID:GPS",
        "(x)/",
        "(x)/Data/(y)/Value?nv=(x)/ID:GPS",
        "(x)/Data/(x)?nv=(x)/ID:GPS",
        "left/?nv=ID:GPS",
        "left/?nv=(z)/ID:GPS",
        "(x)/?nv=(x)/ID",
        "left/?lv=0",
        "left/?lv=-1",
        "left/?lv=a",
        "left/?lv=1&lv=2",
        "left/?cv=1&cv=2",
        "<x>/",
        "a b/",
        "left/%2",
        "left/%ff",
        "left/n#f",
    ] {
        let address = at(form);
        bad.extend(
            ["get", "delete", "exec", "upload"].map(|verb| json!({ "verb": verb, "address": address })),
        );
        bad.push(json!({ "verb": "set", "address": address, "value": "x" }));
        bad.push(json!({ "verb": "fetch", "from": "https://files.example.org/x", "address": address }));
        bad.push(json!({ "verb": "raw", "words": ["GET", address] }));
        bad.push(
            json!({ "verb": "raw", "words": ["HPUT", "https://files.example.org/x", at("left/"), address] }),
        );
        let data = json!([{ "ClientURI": address, "MOData": { "x": {} } }]);
        bad.push(json!({ "verb": "set", "items": data }));
    }
    for address in [EXAMPLE_MOID, ""] {
        bad.push(json!({ "verb": "get", "address": address }));
        bad.push(json!({ "verb": "raw", "words": ["GET", address] }));
    }
    for uri in ["::::", "https://", "https://h/a b", "files/x", "", "https://h:port/"] {
        bad.push(json!({ "verb": "fetch", "from": uri, "address": at("left/ID") }));
        bad.push(json!({ "verb": "raw", "words": ["HGET", uri, at("left/ID")] }));
    }
    bad.extend([
        json!({ "verb": "frobnicate", "address": at("left/") }),
        json!({ "verb": "GET", "address": at("left/") }),
        json!({ "verb": "get" }),
        json!({ "verb": "get", "address": at("left/"), "colour": "red" }),
        json!({ "verb": "set", "address": at("left/ID") }),
        json!({ "verb": "set", "address": at("*/ID"), "value": "x" }),
        json!({ "verb": "exec", "address": at("left/*") }),
        json!({ "verb": "raw", "words": [] }),
        json!({ "verb": "raw", "words": ["FROB", at("left/")] }),
        json!({ "verb": "raw", "words": ["GET"] }),
        json!({ "verb": "raw", "words": ["GET", at("left/"), at("right/")] }),
        json!({ "verb": "raw", "words": ["END"] }),
        json!([]),
    ]);
    for request in bad {
        let reply = server.post_command(ID, &request).await;
        assert_eq!(reply.status, 400, "{request}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert!(reply.json()["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{request}");
    }
    assert_eq!(server.items(&format!("/devices/{ID}/commands")).await, Vec::<Value>::new());
    assert_eq!(commands(&device.begin().await), [["END"]]);
}

#[tokio::test]
async fn parameters_of_server_uris_go_out_in_their_brackets() {
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
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let names = ["[DevID]", "[MNC]", "[MCC]", "[CMNC]", "[CMCC]", "[SPName]"];
    let mut uris: Vec<String> =
        names.iter().map(|name| format!("https://h.example/a/{name}/b?c={name}")).collect();
    uris.push(format!("http://h.example:8080/{}", names.join("/")));
    uris.push("https://[2001:db8::1]/[DevID]".to_owned());
    let mut requests = Vec::new();
    let mut expected = Vec::new();
    for uri in &uris {
        requests.push(json!({ "verb": "fetch", "from": uri, "address": at("left/ID") }));
        expected.push(vec!["HGET".to_owned(), uri.clone(), at("left/ID")]);
        requests.push(json!({ "verb": "fetch", "from": uri }));
        expected.push(vec!["HGET".to_owned(), uri.clone()]);
        requests.push(json!({ "verb": "raw", "words": ["HPUT", uri, at("left/")] }));
        expected.push(vec!["HPUT".to_owned(), uri.clone(), at("left/")]);
    }
    assert_eq!(heard(&server, &device, &requests).await, expected);
}

#[tokio::test]
async fn a_value_is_offered_in_the_form_that_the_device_asks_for() {
    proves!("D2-5.3.1-08");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let address = "urn:oma:mo:oma-dm-dmacc:1.2/acc/SrvURI";
    let value = "https://dm.example.org/dm/2.0";
    let request = json!({ "verb": "set", "address": address, "value": value });
    let package = heard(&server, &device, &[request]).await;
    let (_, path) = package[0][1].split_once("/data/").unwrap();
    let authorization = device.authorization();
    let data = json!([{ "ClientURI": address, "MOData": { "SrvURI": value } }]);
    for (accept, kind) in [
        ("text/plain", Some("text/plain")),
        (DMMO, Some(DMMO)),
        ("application/dmmo+json;q=0.5, text/plain", Some("text/plain")),
        ("application/dmmo+json, text/plain;q=0.5", Some(DMMO)),
        ("application/*, text/*;q=0.9", Some(DMMO)),
        ("image/png, */*;q=0.1", Some("text/plain")),
        ("text/plain;q=0, */*", Some(DMMO)),
        ("image/png", None),
        ("application/dmmo+json;q=0", None),
    ] {
        let headers = [("accept", accept), ("authorization", &authorization), ("omadm-devid", ID)];
        let reply = device.send(Method::GET, &format!("/data/{path}"), &headers, &[]).await;
        let Some(kind) = kind else {
            assert_eq!(reply.status, 406, "{accept}");
            continue;
        };
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(kind)), "{accept}");
        match kind {
            DMMO => assert_eq!(reply.json(), data, "{accept}"),
            _ => assert_eq!(reply.body, value.as_bytes(), "{accept}"),
        }
    }
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
    let authority = Authority::new();
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
