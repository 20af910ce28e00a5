//! Alert types and the worked examples (`DM 2.0 Appendix D, I`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_client::notification::{Ignored, NotificationConfig, Notifications};
use omadm_client::{Alert, Outcome, Trigger};
use omadm_codec::dm2::{Initiation, Request, mo_data};
use omadm_codec::{Leniency, Limits};
use omadm_conformance::ddf::{node, properties, single_root, tree};
use omadm_conformance::{
    Account, Answer, Bench, DEVICE_ID, DeviceSetup, Schema, TestDevice, TestServer, commands, proves,
    signed_package0,
};
use omadm_mo::{Content, Moid, NodeName, ServerId, Value as Leaf};
use serde_json::{Value, json};

const INITIATION: &str = "application/vnd.oma.dm.initiation+json";
const SCOMO: &str = "urn:oma:mo:oma-scomo:1.0";
const DCMO: &str = "urn:oma:mo:oma-dcmo:1.0";
const DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.2";
const ALL: &str = "Add Delete Get Replace";

/// Objects of the shape that the examples have.
fn example_objects(setup: &mut DeviceSetup) {
    let leaf = |name: &str, format: &str| node(name, &properties(ALL, format, "One", ""), &[]);
    let interior = |name: &str, inside: &[String]| node(name, &properties("Get", "node", "One", ""), inside);
    let package = node("", &properties("Get", "node", "ZeroOrMore", ""), &[leaf("ID", "chr")]);
    let scomo = single_root("SCOMO", SCOMO, &[interior("Inventory", &[interior("Deployed", &[package])])]);
    let name = format!("<DFType><DDFName>{DCMO}</DDFName></DFType>");
    let capability = node(
        "",
        &properties(ALL, "node", "ZeroOrMore", &name),
        &[leaf("Property", "chr"), leaf("Group", "chr"), leaf("Description", "chr"), leaf("Enabled", "bool")],
    );
    setup.data_objects.extend([tree(&[scomo]), tree(&[capability])]);
    setup.client.always_send_mos = true;
}

async fn bench() -> Bench {
    let mut bench = Bench::with(example_objects).await;
    install_packages(&mut bench.device);
    bench.device.grant(SCOMO, "SCOMO", "/", "DMS1", 1);
    bench
}

/// Two deployed components, as in the example.
fn install_packages(device: &mut TestDevice) {
    let moid = Moid::parse(SCOMO).unwrap();
    let added = device.client.device_mut().change(|tree| {
        let root = tree.tree().node(tree.tree().instances_of(&moid).next().unwrap().root).unwrap();
        let deployed = root.child("Inventory").and_then(|node| node.child("Deployed")).unwrap().id();
        for name in ["pkg1", "pkg2"] {
            let id = Content::Leaf(Leaf::Text(format!("{name}_id")));
            tree.add(deployed, name, Content::Interior(vec![(NodeName::parse("ID")?, id)]))?;
        }
        Ok(())
    });
    added.unwrap();
}

fn vector(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Decodes a printed Package#1, encodes it again, and gives what came out, valid by the schema.
fn decoded_and_encoded(printed: &str) -> Value {
    let mut leniency = Leniency::strict();
    let package = Initiation::decode(printed.as_bytes(), &Limits::default(), &mut leniency).unwrap();
    let mut again = Vec::new();
    package.encode(&mut again);
    let again: Value = serde_json::from_slice(&again).unwrap();
    Schema::Package1.check(&again);
    again
}

#[tokio::test]
async fn the_alert_types_of_the_standard_and_others() {
    proves!("D2-D-01", "D2-D-02", "D2-D-03", "D2-D-04");
    let printed = [
        include_str!("../../../vectors/dm2/initiation/D-server-initiated.json"),
        include_str!("../../../vectors/dm2/initiation/D-client-initiated.json"),
        include_str!("../../../vectors/dm2/initiation/D-bootstrap-complete.json"),
    ];
    let names = ["ServerInitiatedMgmt", "ClientInitiatedMgmt", "BootstrapComplete"];
    let mut bench = Bench::new().await;
    bench.session().await;
    bench.device.session_for("DMS1", Trigger::Notification(Some(258))).await;
    bench.session().await;
    let (server, device) = TestServer::with_device().await;
    for ((printed, name), sent) in printed.into_iter().zip(names).zip([1, 2, 0]) {
        let alert = vector(printed)["Alert"][0].clone();
        assert_eq!(alert["AlertType"], format!("urn:oma:at:dm:2.0:{name}"));
        assert_eq!(decoded_and_encoded(printed), vector(printed));
        assert_eq!(bench.server.package1(sent).json["Alert"][0], alert, "the device sends it so");
        assert_eq!(commands(&device.post_as(INITIATION, printed.as_bytes()).await), [["END"]]);
        let event = server.alerts(&device).await.pop().unwrap();
        assert_eq!((&event["type"], &event["data"]), (&alert["AlertType"], &alert["Data"]));
    }

    let other = "urn:oma:at:scomo:1.0:OperationComplete";
    bench
        .device
        .client
        .device_mut()
        .raise_alert(&ServerId::parse("DMS1").unwrap(), Alert::new(other))
        .unwrap();
    bench.session().await;
    assert!(bench.server.package1(3).alert_types().contains(&other));
    let package = json!({ "Alert": [{ "AlertType": other, "DataType": "application/json", "Data": { "ResultCode": 1200 } }] });
    assert_eq!(decoded_and_encoded(&package.to_string()), package);
    commands(&device.package1(&package).await);
    let event = server.alerts(&device).await.pop().unwrap();
    assert_eq!((&event["type"], &event["data"]), (&json!(other), &json!({ "ResultCode": 1200 })));
}

#[tokio::test]
async fn example_1_reads_devinfo_and_a_list() {
    proves!("D2-I.1-01", "D2-I.1-02");
    let printed = include_str!("../../../vectors/dm2/request/I.1-get.json");
    let mut bench = bench().await;
    let answer = bench.run_answer(Answer::package2(&vector(printed))).await;
    assert_eq!((answer.statuses(), answer.parts.len()), (vec![200, 200], 2));
    assert_eq!(answer.part(0).unwrap().items()[0]["ClientURI"], format!("{DEVINFO}/DevInfo/"));
    assert_eq!(answer.value(0)["DevID"], DEVICE_ID);
    let place = |name: &str| format!("{SCOMO}/SCOMO/Inventory/Deployed/{name}/ID");
    let list = answer.part(1).unwrap().items();
    let list: Vec<_> = list.iter().map(|item| (&item["ClientURI"], &item["MOData"])).collect();
    let expected = ["pkg1", "pkg2"].map(|name| (json!(place(name)), json!({ "ID": format!("{name}_id") })));
    assert_eq!(list, expected.each_ref().map(|(place, data)| (place, data)));

    let (server, device) = TestServer::with_device().await;
    let words = vector(printed)["CMD"].clone();
    let mut ids = Vec::new();
    for words in words.as_array().unwrap() {
        ids.push(server.queue(&device, &json!({ "verb": "raw", "words": words })).await);
    }
    let empty = include_bytes!("../../../vectors/dm2/initiation/I.1-empty.json");
    let sent = commands(&device.post_as(INITIATION, empty).await);
    assert_eq!(json!(sent), words, "the server's Package#2 is the printed one");
    let message = include_str!("../../../vectors/dm2/multipart/I.1.txt");
    let (_, body) = message.split_once("\n\n").unwrap();
    let reply = device.post_as("multipart/form-data; boundary=simple_boundary", body.as_bytes()).await;
    assert_eq!(commands(&reply), [["END"]]);
    let devinfo = server.command(&ids[0]).await;
    let items = devinfo["result"]["items"].to_string();
    assert!(devinfo["status"] == 200 && items.contains("android4.0.4"), "{devinfo}");
    let list = server.command(&ids[1]).await["result"]["items"].clone();
    let list = list.as_array().unwrap().iter().map(|item| (item["address"].clone(), item["value"].clone()));
    let printed = |name: &str| json!(format!("{SCOMO}//Inventory/Deployed/{name}/ID"));
    let expected = ["pkg1", "pkg2"].map(|name| (printed(name), json!(format!("{name}_id"))));
    assert_eq!(list.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn example_1_ends_with_an_upload() {
    proves!("D2-I.1-03");
    let printed = vector(include_str!("../../../vectors/dm2/request/I.1-hpost.json"));
    let [server_uri, client_uri] = [1, 2].map(|at| printed["CMD"][0][at].as_str().unwrap().to_owned());
    let path = server_uri.trim_start_matches("http://www.dr.com");
    let mut bench = bench().await;
    let camera = json!({ "Property": "Camera", "Group": "I/O", "Description": "d", "Enabled": true });
    let data = json!([{ "ClientURI": format!("{DCMO}//"), "MOData": { "camera": camera } }]);
    let uri = bench.server.serve("/camera", &data);
    assert_eq!(bench.status(json!(["HGET", uri])).await, 200);
    let before = bench.server.requests().len();
    let up = bench.server.take(path);
    // The examples leave header fields out; this one lets the device send a leaf as it is.
    let package = Answer::commands(&json!([["HPOST", up, client_uri], ["END"]]));
    bench.server.say(package.with("omadm-accept", "text/plain, application/dmmo+json"));
    let report = bench.session().await;
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
    let requests = bench.server.requests().split_off(before);
    let [_, upload] = requests.as_slice() else { panic!("Package#1 and the upload, not {requests:?}") };
    assert_eq!((upload.method.as_str(), upload.target.as_str()), ("POST", path));
    assert_eq!((upload.header("content-type"), upload.text().as_str()), (Some("text/plain"), "true"));

    let (server, device) = TestServer::with_device().await;
    let command = json!({ "verb": "upload", "method": "POST", "address": client_uri });
    let id = server.queue(&device, &command).await;
    let sent = commands(&device.begin().await);
    assert_eq!((sent[0][0].as_str(), sent[0][2].as_str()), ("HPOST", client_uri.as_str()));
    let target = &sent[0][1][sent[0][1].find("/data/").unwrap()..];
    let authorization = device.authorization();
    let headers =
        [("content-type", "text/plain"), ("authorization", &authorization), ("omadm-devid", DEVICE_ID)];
    assert!(matches!(device.send(http::Method::POST, target, &headers, b"true").await.status, 200 | 204));
    assert_eq!(commands(&device.answer(&json!([{ "sc": 200 }])).await), [["END"]]);
    let upload = server.command(&id).await["result"]["upload"]["id"].clone();
    let path = format!("/devices/{DEVICE_ID}/payloads/{}", upload.as_str().unwrap());
    assert_eq!(server.rest(http::Method::GET, &path, None).await.body, b"true");
}

#[tokio::test]
async fn example_2_creates_an_instance() {
    proves!("D2-I.2-01", "D2-I.2-03", "D2-I.2-04");
    let body = include_str!("../../../vectors/dm2/mo_data/I.2.json");
    let decoded = mo_data::decode(body.as_bytes(), &Limits::default(), &mut Leniency::lenient()).unwrap();
    assert_eq!((decoded.len(), decoded[0].label.as_str()), (1, "usb"));
    let mut bench = bench().await;
    let uri = bench.server.serve("/dcmo_usb", &vector(body));
    let answer = bench.run(json!([["HGET", uri]])).await;
    assert_eq!(
        bench.server.package1(0).miids(DCMO),
        Some(vec![]),
        "no instance yet, and listed all the same"
    );
    let place = format!("{DCMO}/usb/");
    assert_eq!(answer.json, json!({ "Status": [{ "sc": 200, "URI": [place] }] }));
    let usb = bench.run(json!([["GET", place]])).await.value(0);
    let expected =
        json!({ "Property": "USB", "Group": "I/O", "Description": "USB Control", "Enabled": true });
    assert_eq!(usb, expected, "the place can be read");
    assert_eq!(bench.server.package1(1).miids(DCMO), Some(vec!["usb"]));

    let (server, device) = TestServer::with_device().await;
    let id = server.queue(&device, &json!({ "verb": "set", "items": vector(body) })).await;
    assert_eq!(commands(&device.begin().await)[0][0], "HGET");
    let last = device
        .post_as(
            "application/vnd.oma.dm.response+json",
            include_bytes!("../../../vectors/dm2/response/I.2-created.json"),
        )
        .await;
    let end = include_str!("../../../vectors/dm2/request/I.2-end.json");
    assert_eq!(last.json(), vector(end));
    let known = |_: &str| true;
    let request = Request::decode(end.as_bytes(), &Limits::default(), &mut Leniency::strict(), &known);
    assert!(request.is_ok());
    assert_eq!(server.command(&id).await["result"]["stored"], json!([place]));
}

#[tokio::test]
async fn example_2_changes_the_notification_secret() {
    proves!("D2-I.2-02");
    const NEW: &str = "AB123CES121XX90TPOWQESEFSE33";
    let mut bench = Bench::new().await;
    let mut item = Account::new("DMS1", &bench.server.dm_uri()).bootstrap_item();
    let noti = json!({ "Type": 0, "Data": STANDARD.encode("data"), "Secret": STANDARD.encode("old") });
    item["MOData"]["DMS1"]["Auth"]["Noti"] = noti;
    let bootstrap = json!([item]).to_string();
    bench.device.client.device_mut().install_bootstrap(bootstrap.as_bytes()).unwrap();
    let notifications = Notifications::new(NotificationConfig::default());
    let mut is_taken = {
        let mut number = 0;
        move |bench: &mut Bench, secret: &str| {
            number += 1;
            let package = signed_package0("DMS1", number, secret.as_bytes(), b"data");
            match notifications.notification(bench.device.client.device_mut(), &package) {
                Ok(wake) => wake.server.as_str() == "DMS1",
                Err(Ignored::WrongDigest(_)) => false,
                Err(ignored) => panic!("{ignored}"),
            }
        }
    };
    assert!(is_taken(&mut bench, "old") && !is_taken(&mut bench, NEW));
    bench.server.route(&http::Method::GET, "/new_secret", Answer::body("text/plain", NEW));
    let uri = bench.server.uri("/new_secret");
    let place = "urn:oma:mo:oma-dm-dmacc:2.0/(x)/AuthNoti/AuthSecret?nv=(x)/ServerID:DMS1";
    assert_eq!(bench.status(json!(["HGET", uri, place])).await, 200);
    let secret = bench.device.value("urn:oma:mo:oma-dm-dmacc:1.2//Auth/Noti/Secret");
    assert_eq!(secret, Some(Leaf::Bytes(NEW.as_bytes().to_vec())));
    assert!(is_taken(&mut bench, NEW) && !is_taken(&mut bench, "old"));
}
