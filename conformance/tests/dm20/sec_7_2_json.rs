//! The JSON format (`DM 2.0 §7.2`), both sides.

use http::Method;
use omadm_client::Outcome;
use omadm_conformance::{
    Answer, Bench, MOID, PLAIN_MOID, ScriptDevice, TestServer, address, commands, dmmo, proves,
};
use serde_json::{Value, json};

const INITIATION: &str = "application/vnd.oma.dm.initiation+json";
const DEVICE: &str = "UUID:json";

async fn server_and_device() -> (TestServer, ScriptDevice) {
    let server = TestServer::start().await;
    let device = server.enrol(DEVICE).await;
    (server, device)
}

#[tokio::test]
async fn malformed_json_is_refused_on_both_sides() {
    proves!("DM-SER-003-C-M", "DM-SER-003-S-M", "D2-7.2.1-01", "D2-7.2.1.2-03");
    let mut bench = Bench::new().await;
    let uri = bench.server.take("/up");
    let answer = bench
        .run(json!([["GET", address("")], ["HPUT", uri, address("List")], ["GET", 5u8.to_string()]]))
        .await;
    assert_eq!(answer.statuses(), [200, 200, 400]);
    bench.server.package1(0);
    omadm_conformance::Schema::MoData.check(&bench.server.data_requests()[0].json());
    let mixed = json!({ "CMD": [["GET", 5], ["EXEC", address("Run")]] });
    assert_eq!(bench.run_answer(Answer::package2(&mixed)).await.statuses(), [400, 200]);
    for truncated in ["{\"CMD\":[[\"EXEC\",\"", "{", ""] {
        bench.server.say(Answer::body("application/vnd.oma.dm.request+json", truncated));
        assert!(matches!(bench.session().await.outcome, Outcome::Aborted { .. }), "{truncated}");
    }
    assert_eq!(bench.device.plug.executed().len(), 1);

    let (server, device) = server_and_device().await;
    let words = ["HPUT", "https://localhost/[DevID]", "urn:oma:mo:x:1.0//", "urn:oma:mo:y:1.0//"];
    let id = server.queue_raw(&device, &words).await;
    for truncated in ["{\"Alert\":[", "{", "", "{}}"] {
        assert_eq!(device.post_as(INITIATION, truncated.as_bytes()).await.status, 400, "{truncated}");
    }
    assert_eq!(commands(&device.begin().await), [words]);
    let truncated =
        device.post_as("application/vnd.oma.dm.response+json", b"{\"Status\":[{\"sc\":200}").await;
    assert_eq!(truncated.status, 400);
    assert_eq!(server.outcome(&id).await.1, None);
}

#[tokio::test]
async fn every_printed_package1_is_understood() {
    proves!("D2-7.2.1.1-04", "D2-7.2.1.5-02");
    let (server, device) = server_and_device().await;
    let printed = include_bytes!("../../../vectors/dm2/initiation/7.2.1.1.json");
    commands(&device.post_as(INITIATION, printed).await);
    let inventory = server.get(&format!("/devices/{DEVICE}")).await["inventory"].clone();
    assert_eq!(inventory.as_array().unwrap().len(), 2);
    assert!(inventory.to_string().contains("\"miid1\""));
    commands(
        &device.post_as(INITIATION, include_bytes!("../../../vectors/dm2/initiation/7.2.1.5.json")).await,
    );
    let alerts: Vec<Value> = server
        .events(&device)
        .await
        .into_iter()
        .filter(|event| event.to_string().contains("scomo:1.0:OperationComplete"))
        .collect();
    assert_eq!(alerts.len(), 4, "two alerts in each example");
    for alert in alerts {
        let text = alert.to_string();
        for part in ["warning", "text/xml", "DM1x", "Download/Package1/Operations/DownloadInstall"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test]
async fn the_printed_package3_is_understood() {
    proves!("D2-7.2.1.3-05", "D2-7.2.1.3-02");
    let mut bench = Bench::new().await;
    let answer = bench.run(json!([["FOO"], ["GET", address("None")], ["EXEC", address("Run")]])).await;
    assert_eq!(answer.statuses(), [501, 404, 200], "reading it has checked it against the schema");

    let (server, device) = server_and_device().await;
    let mut ids = Vec::new();
    for words in [
        &["EXEC", "urn:oma:mo:x:1.0//a"][..],
        &["HGET", "https://x/new_mo"],
        &["EXEC", "urn:oma:mo:x:1.0//b"],
    ] {
        ids.push(server.queue_raw(&device, words).await);
    }
    device.begin().await;
    assert_eq!(device.answer(&json!([{ "sc": 200 }, { "URI": [] }, { "sc": 200 }])).await.status, 400);
    let printed = include_bytes!("../../../vectors/dm2/response/7.2.1.3.json");
    commands(&device.post_as("application/vnd.oma.dm.response+json", printed).await);
    for id in &ids {
        assert_eq!(server.outcome(id).await, ("done".into(), Some(200)));
    }
    let stored = server.command(&ids[1]).await["result"]["stored"].clone();
    assert_eq!(stored, json!(["urn:oma:mo:oma-mo:1.0/miid1/", "urn:oma:mo:oma-mo:1.0/miid2/"]));
    assert!(
        server.events(&device).await.iter().any(|event| event.to_string().contains("1404")),
        "the alert is an event"
    );
}

#[tokio::test]
async fn mo_data_is_named_by_its_media_type_wherever_it_travels() {
    proves!("D2-7.2.1.4-01", "D2-7.2.1.4-02");
    let mut bench = Bench::new().await;
    let (up, down) =
        (bench.server.take("/up"), bench.server.serve("/down", &dmmo(&address("Id"), "Id", json!("new"))));
    let answer = bench
        .run(json!([
            ["HPUT", up, address("List")],
            ["HPOST", up, address("List")],
            ["GET", address("List")],
            ["HGET", down, address("Id")]
        ]))
        .await;
    assert_eq!(answer.statuses(), [200, 200, 200, 200]);
    answer.part(2).unwrap().items();
    for request in bench.server.data_requests().iter().filter(|request| request.method != Method::GET) {
        assert_eq!(request.header("content-type"), Some("application/dmmo+json"));
        omadm_conformance::Schema::MoData.check(&request.json());
    }
    for incomplete in [json!([{ "MOData": { "Id": "bad" } }]), json!([{ "ClientURI": address("Id") }])] {
        let uri = bench.server.serve("/incomplete", &incomplete);
        assert_eq!(bench.status(json!(["HGET", uri, address("Id")])).await, 415);
    }
    assert_eq!(bench.device.text(&address("Id")).as_deref(), Some("new"));
}

#[tokio::test]
async fn nodes_are_objects_and_leaves_have_the_type_of_their_format() {
    proves!("D2-7.2.1.4-03", "D2-7.2.1.4-04", "D2-7.2.1.4-07");
    let mut bench = Bench::new().await;
    let answer = bench.run(json!([["GET", address("?lv=1")], ["GET", address("")]])).await;
    assert_eq!(answer.statuses(), [200, 200]);
    let (shallow, deep) = (answer.value(0), answer.value(1));
    assert_eq!((&shallow["List"], &shallow["Fixed"]), (&json!({}), &json!({})));
    assert_eq!(deep["Fixed"], json!({ "Version": "1.0", "Setting": "as shipped" }));
    let leaves = json!({
        "Count": 42, "Ratio": 2.5, "Flag": true, "Text": "text of alpha", "Blob": "AAEC/w==", "Base": "b21hZG0=",
        "Doc": "<a>b</a>", "Day": "2015-01-22", "Clock": "10:20:30", "Nil": null, "Empty": "",
    });
    for (name, value) in leaves.as_object().unwrap() {
        assert_eq!(&deep[name], value, "{name}");
    }
    let changes = [
        ("Count", json!(-7), Some("-7")),
        ("Count", json!("8"), Some("8")),
        ("Ratio", json!(0.25), Some("0.25")),
        ("Flag", json!(false), Some("false")),
        ("Blob", json!("//79"), Some("//79")),
        ("Base", json!("eA=="), Some("eA==")),
        ("Doc", json!("<c/>"), Some("<c/>")),
        ("Day", json!("2020-02-29"), Some("2020-02-29")),
        ("Clock", json!("23:59:59"), Some("23:59:59")),
        ("Blob", json!("not base64!"), None),
        ("Base", json!("="), None),
        ("Count", json!([1]), None),
        ("List", json!([]), None),
    ];
    for (name, value, stored) in changes {
        let before = bench.device.text(&address(name));
        let uri = bench.server.serve("/value", &dmmo(&address(name), name, value.clone()));
        let status = if stored.is_some() { 200 } else { 415 };
        assert_eq!(bench.status(json!(["HGET", uri, address(name)])).await, status, "{name} {value}");
        let expected = stored.map(str::to_owned).or(before);
        assert_eq!(bench.device.text(&address(name)), expected, "{name} {value}");
    }
    let sent_as_number = bench.run(json!([["GET", address("Count")]])).await.value(0);
    assert_eq!(sent_as_number, json!(8), "a number that came as text goes out as a number");
}

#[tokio::test]
async fn the_printed_mo_data_is_understood() {
    proves!("D2-7.2.1.4-05");
    let printed: Value =
        serde_json::from_slice(include_bytes!("../../../vectors/dm2/mo_data/7.2.1.4.json")).unwrap();
    let (server, device) = server_and_device().await;
    let root = "urn:oma:mo:oma-dm-devinfo:1.2//";
    let id = server.queue_raw(&device, &["GET", root]).await;
    device.begin().await;
    commands(&device.answer_with(&json!([{ "sc": 200 }]), &[(0, printed.clone())]).await);
    let items = server.command(&id).await["result"]["items"].clone();
    for (name, value) in printed[0]["MOData"]["DevInfo"].as_object().unwrap() {
        let item = items
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["address"].as_str().unwrap().ends_with(&format!("/{name}")));
        assert_eq!(&item.unwrap_or_else(|| panic!("{name} in {items}"))["value"], value, "{name}");
    }

    let mut bench = Bench::new().await;
    let mut own = json!([{ "ClientURI": format!("{PLAIN_MOID}//").replace("urn:", ""), "CV": "686897696a7c876b7e",
        "MOData": { "made": { "Name": "x", "Level": 3 } } }]);
    let uri = bench.server.serve("/own", &own);
    let status = bench.status(json!(["HGET", uri, format!("{PLAIN_MOID}/made/")])).await;
    assert_eq!(status, 200, "the ClientURI of the command states the place");
    own[0]["ClientURI"] = json!(format!("{PLAIN_MOID}//"));
    assert_eq!(bench.device.text(&format!("{PLAIN_MOID}/made/Level")).as_deref(), Some("3"));
}

#[tokio::test]
async fn a_bare_object_is_taken_and_never_sent() {
    proves!("D2-7.2.1.4-06");
    let mut bench = Bench::new().await;
    let bare = dmmo(&address("Text"), "Text", json!("bare"))[0].clone();
    let uri = bench.server.serve("/bare", &bare);
    assert_eq!(bench.status(json!(["HGET", uri, address("Text")])).await, 200);
    assert_eq!(bench.device.text(&address("Text")).as_deref(), Some("bare"));
    let item = bare.to_string();
    bench.server.route(
        &Method::GET,
        "/unlabelled",
        Answer::body("application/dmmo+json", format!("{{{item},{item}}}")),
    );
    let uri = bench.server.uri("/unlabelled");
    assert_eq!(bench.status(json!(["HGET", uri, address("Text")])).await, 415);
    let answer = bench.run(json!([["GET", address("Text")], ["GET", format!("{MOID}/*/Text")]])).await;
    for part in &answer.parts {
        assert!(part.body.starts_with(b"["), "an array, also of one item");
    }
    assert_eq!(answer.part(1).unwrap().items().len(), 2);
}

#[tokio::test]
async fn data_of_an_alert_is_an_object() {
    proves!("D2-7.2.1.5-01");
    let mut bench = Bench::new().await;
    let server = omadm_mo::ServerId::parse("DMS1").unwrap();
    let mut alert = omadm_client::Alert::new("urn:oma:at:example:1.0:Data");
    alert.data = Some(omadm_codec::dm2::alert::AlertData {
        data_type: Some("application/json".into()),
        data: json!({ "a": 1 }),
    });
    bench.device.client.device_mut().raise_alert(&server, alert).unwrap();
    bench.session().await;
    let package = bench.server.package1(0);
    let sent =
        package.json["Alert"].as_array().unwrap().iter().find(|alert| alert.get("Data").is_some()).unwrap();
    assert_eq!((&sent["DataType"], &sent["Data"]), (&json!("application/json"), &json!({ "a": 1 })));

    let (server, device) = server_and_device().await;
    for data in [json!(1404), json!("text")] {
        let alert = json!({ "AlertType": "urn:oma:at:example:1.0:Data", "DataType": "application/json", "Data": data });
        commands(&device.package1(&json!({ "Alert": [alert] })).await);
        assert!(
            server.events(&device).await.iter().any(|event| event.to_string().contains(&data.to_string())),
            "{data}"
        );
    }
}
