//! What the server makes of DDF files.

use http::{HeaderValue, Method};
use omadm_store::sqlite::{SqliteConfig, SqliteStore};
use omadm_store::{DdfFile, Store as _};
use serde_json::{Value, json};

use crate::harness::{DMMO, Device, END, HELLO, TestServer};

const MOID: &str = "urn:vendor:mo:pump:1.0";

/// An object of every kind of leaf that matters here.
pub const PUMP: &str = r#"<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.3</VerDTD><Man>Vendor</Man><Mod>P-1</Mod>
<Node><NodeName>Pump</NodeName><DFProperties><AccessType><Get/></AccessType><DFFormat><node/></DFFormat>
<Occurrence><One/></Occurrence><Scope><Permanent/></Scope><DFType><DDFName>urn:vendor:mo:pump:1.0</DDFName></DFType></DFProperties>
<Node><NodeName>Level</NodeName><DFProperties><AccessType><Get/><Replace/></AccessType><DefaultValue>3</DefaultValue>
<Description>Of the tank.</Description><DFFormat><int/></DFFormat><Occurrence><One/></Occurrence><Scope><Permanent/></Scope>
<DFTitle>Fill level</DFTitle><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
<Node><NodeName>Key</NodeName><DFProperties><AccessType><Replace/></AccessType><DFFormat><bin/></DFFormat></DFProperties></Node>
<Node><NodeName>Run</NodeName><DFProperties><AccessType><Exec/><Get/></AccessType><DFFormat><null/></DFFormat></DFProperties></Node>
<Node><NodeName>Notes</NodeName><DFProperties><AccessType><Get/></AccessType><DFFormat><node/></DFFormat><CaseSense><CIS/></CaseSense></DFProperties>
<Node><NodeName>&lt;note&gt;</NodeName><DFProperties><AccessType><Add/><Delete/><Get/></AccessType><DFFormat><xml/></DFFormat>
<Occurrence><ZeroOrN>4</ZeroOrN></Occurrence><DFType><MIME>text/xml</MIME></DFType></DFProperties></Node></Node>
</Node></MgmtTree>"#;

async fn server_with_pump() -> (TestServer, Device) {
    let server = TestServer::start().await;
    assert_eq!(server.put_ddf("pump.ddf", PUMP).await.status, 200);
    let device = server.enrol("IMEI:1").await;
    (server, device)
}

fn at(path: &str) -> String {
    format!("{MOID}//{path}")
}

async fn post(server: &TestServer, command: Value) -> (u16, Value) {
    let answer = server.api("POST", "/devices/IMEI:1/commands", Some(command)).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn a_file_is_shown_as_a_model() {
    let (server, _) = server_with_pump().await;
    let model = server.get("/ddfs/pump.ddf/model").await;
    assert_eq!(
        (&model["ver_dtd"], &model["man"], &model["mod"]),
        (&json!("1.3"), &json!("Vendor"), &json!("P-1"))
    );
    let root = &model["nodes"][0];
    assert_eq!((&root["name"], &root["ddf_name"]), (&json!("Pump"), &json!(MOID)));
    let expected = json!({
        "name": "Level", "access": ["Get", "Replace"], "format": "int", "occurrence": "One", "scope": "Permanent",
        "title": "Fill level", "description": "Of the tank.", "default_value": "3", "mime_types": ["text/plain"],
    });
    assert_eq!(root["children"][0], expected);
    let notes = &root["children"][3];
    assert_eq!((&notes["case_sense"], &notes["scope"]), (&json!("CIS"), &json!("Dynamic")));
    let expected = json!({
        "name": null, "unnamed": "note", "access": ["Add", "Delete", "Get"], "format": "xml",
        "occurrence": "ZeroOrN 4", "scope": "Dynamic", "mime_types": ["text/xml"],
    });
    assert_eq!(notes["children"][0], expected);
    assert_eq!(model["warnings"], json!([]));
    let odd = PUMP.replace("<Man>Vendor</Man>", "\n<Colour>red</Colour>");
    assert_eq!(server.put_ddf("odd.ddf", &odd).await.status, 200);
    let warnings = &server.get("/ddfs/odd.ddf/model").await["warnings"];
    assert!(warnings[0].as_str().unwrap().starts_with("line 2: Colour"), "{warnings}");
    assert_eq!(server.api("GET", "/ddfs/none.ddf/model", None).await.status, 404);
}

#[tokio::test]
async fn an_operator_is_warned_of_what_the_file_does_not_allow() {
    let (server, _) = server_with_pump().await;
    for (command, warning) in [
        (json!({ "verb": "get", "address": at("Level") }), None),
        (json!({ "verb": "get", "address": at("NOTES/a") }), None),
        (json!({ "verb": "get", "address": at("Key") }), Some("does not allow Get here; it allows Replace")),
        (json!({ "verb": "get", "address": at("level") }), Some("describes no such node")),
        (json!({ "verb": "get", "address": at("*") }), None),
        (json!({ "verb": "upload", "addresses": [at("Level"), at("Key")] }), Some("does not allow Get")),
        (json!({ "verb": "exec", "address": at("Run") }), None),
        (json!({ "verb": "exec", "address": at("Level") }), Some("does not allow Exec")),
        (json!({ "verb": "delete", "address": at("Notes/a") }), None),
        (json!({ "verb": "delete", "address": at("Run") }), Some("does not allow Delete")),
        (json!({ "verb": "set", "address": at("Run/x"), "value": 1 }), Some("describes no such node")),
        (json!({ "verb": "fetch", "address": at("Notes"), "from": "https://x/" }), Some("Add or Replace")),
        (json!({ "verb": "raw", "words": ["EXEC", at("Level")] }), None),
        (json!({ "verb": "get", "address": "urn:other:mo:1.0//x" }), None),
    ] {
        let (status, answer) = post(&server, command.clone()).await;
        assert_eq!(status, 202, "{command}: {answer}");
        let told = answer["warnings"].to_string();
        match warning {
            None => assert_eq!(answer.get("warnings"), None, "{command}"),
            Some(warning) => {
                assert!(told.contains(warning) && told.contains("pump.ddf"), "{command}: {told}")
            }
        }
        let kept = server.command(answer["id"].as_str().unwrap()).await;
        assert_eq!(kept.get("warnings"), None, "they are advice at the time of queueing");
    }
    let (_, answer) = post(&server, json!({ "verb": "delete", "address": at("Level") })).await;
    assert!(answer["warnings"][1].as_str().unwrap().contains("permanent"), "{answer}");
}

#[tokio::test]
async fn a_value_of_another_format_is_queued_by_force_only() {
    let (server, _) = server_with_pump().await;
    let items = |value: Value| json!([{ "ClientURI": format!("{MOID}//"), "MOData": { "Pump": value } }]);
    for (mut bad, good) in [
        (
            json!({ "verb": "set", "address": at("Level"), "value": "high" }),
            json!({ "verb": "set", "address": at("Level"), "value": "7" }),
        ),
        (
            json!({ "verb": "set", "address": at("Key"), "value": "no base64!" }),
            json!({ "verb": "set", "address": at("Key"), "value": "AAEC" }),
        ),
        (
            json!({ "verb": "set", "address": at("Notes"), "value": "text" }),
            json!({ "verb": "set", "address": at("Notes/a"), "value": "<a/>" }),
        ),
        (
            json!({ "verb": "set", "address": at("Level"), "value_base64": "AAEC" }),
            json!({ "verb": "set", "address": at("Key"), "value_base64": "AAEC" }),
        ),
        (
            json!({ "verb": "set", "items": items(json!({ "Level": "high" })) }),
            json!({ "verb": "set", "items": items(json!({ "Level": 7, "Notes": { "a": "<a/>" } })) }),
        ),
        (
            json!({ "verb": "set", "items": items(json!({ "Notes": "text" })) }),
            json!({ "verb": "set", "items": items(json!({ "Other": "text" })) }),
        ),
    ] {
        let (status, problem) = post(&server, bad.clone()).await;
        assert_eq!(status, 400, "{bad}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("pump.ddf") && detail.contains("\"force\": true"), "{detail}");
        bad["force"] = json!(true);
        let (status, answer) = post(&server, bad.clone()).await;
        assert_eq!(status, 202, "{bad}");
        assert!(answer["warnings"].to_string().contains("pump.ddf"), "{answer}");
        let (status, answer) = post(&server, good.clone()).await;
        assert_eq!(status, 202, "{good}: {answer}");
    }
    let (_, answer) = post(
        &server,
        json!({ "verb": "set", "address": at("Key"), "value": "x", "content_type": "image/png" }),
    )
    .await;
    assert!(answer["warnings"].to_string().contains("image/png is not one of the media types"), "{answer}");
}

#[tokio::test]
async fn values_go_out_in_the_format_of_the_file_and_the_form_that_is_asked_for() {
    let (server, device) = server_with_pump().await;
    let mut connection = server.connect().await;
    let json_first = "application/dmmo+json, text/plain;q=0.9, */*;q=0.1";
    for (path, value, accept, content_type, body) in [
        ("Level", json!("7"), "*/*", "text/plain", "7"),
        ("Level", json!("7"), json_first, DMMO, r#"{"Level":7}"#),
        ("Level", json!(7), "text/plain;q=0.2, application/json", "text/plain", "7"),
        ("Key", json!("eHl6"), "*/*", "application/octet-stream", "xyz"),
        ("Key", json!("eHl6"), DMMO, DMMO, r#"{"Key":"eHl6"}"#),
        ("Notes/a", json!("<a/>"), "*/*", "text/xml", "<a/>"),
        ("Notes/a", json!("<a/>"), "text/plain", "text/plain", "<a/>"),
        ("Unknown", json!(42), json_first, "text/plain", "42"),
        ("Unknown", json!(42), DMMO, DMMO, r#"{"Unknown":42}"#),
    ] {
        let id = server.queue(&device, json!({ "verb": "set", "address": at(path), "value": value })).await;
        let poll = format!(r#"{{"Alert":[{{"AlertType":"urn:x:{id}"}}]}}"#);
        connection.send(device.package1(poll)).await.commands();
        let mut request = device.request(Method::GET, &format!("/data/c/{id}"), None, "");
        request.headers_mut().insert("accept", HeaderValue::from_static(accept));
        let answer = connection.send(request).await;
        assert_eq!(answer.status, 200, "{path} {accept}: {}", answer.text());
        assert_eq!(answer.header("content-type"), content_type, "{path} {accept}");
        let expected = match content_type {
            DMMO => format!(r#"[{{"ClientURI":"{}","MOData":{body}}}]"#, at(path)),
            _ => body.to_owned(),
        };
        assert_eq!(answer.text(), expected, "{path} {accept}");
        let mut request = device.request(Method::GET, &format!("/data/c/{id}"), None, "");
        request.headers_mut().insert("accept", HeaderValue::from_static("image/png, text/html"));
        let answer = connection.send(request).await;
        assert_eq!(answer.status, 406);
        assert!(answer.text().contains(DMMO), "{}", answer.text());
        assert_eq!(connection.send(device.statuses(&[200])).await.text(), END);
    }
}

#[tokio::test]
async fn the_tree_shows_what_the_file_says() {
    let (server, device) = server_with_pump().await;
    let mut connection = server.connect().await;
    server.queue(&device, json!({ "verb": "get", "address": format!("{MOID}/Pump/") })).await;
    connection.send(device.package1(HELLO)).await.commands();
    let data = json!([{ "ClientURI": format!("{MOID}/Pump/"), "MOData": { "Pump": { "Level": 5, "Notes": { "a": "<a/>" }, "New": "x" } } }]);
    assert_eq!(connection.send(device.data(DMMO, &data.to_string())).await.text(), END);
    let items = server.items("/devices/IMEI:1/tree").await;
    let item = |path: &str| {
        let address = format!("{MOID}/Pump/{path}");
        items.iter().find(|item| item["address"] == address).unwrap_or_else(|| panic!("{items:?}"))
    };
    let level = item("Level");
    assert_eq!((&level["format"], &level["access"]), (&json!("int"), &json!(["Get", "Replace"])));
    assert_eq!((&level["title"], &level["description"]), (&json!("Fill level"), &json!("Of the tank.")));
    assert_eq!((&item("")["format"], &item("Notes/a")["format"]), (&json!("node"), &json!("xml")));
    assert_eq!(item("New").get("format"), None, "the file does not describe it");

    server.put_ddf("pump.ddf", &PUMP.replace("Fill level", "Pegel")).await;
    assert_eq!(server.items("/devices/IMEI:1/tree").await[1]["title"], "Pegel", "a new file counts at once");
}

#[tokio::test]
async fn built_in_files_follow_the_program_and_those_of_operators_stay() {
    let server = TestServer::start().await;
    let listed = server.items("/ddfs").await;
    assert!(listed.iter().all(|file| file["stored"].is_null()), "{listed:?}");
    let [replaced, outdated] = [0, 1].map(|at| listed[at]["name"].as_str().unwrap().to_owned());
    let text = |path: &str| std::fs::read_to_string(format!("../../ddf/{path}")).unwrap();
    let own = format!("{}<!-- ours -->", text(&replaced));
    assert!(server.put_ddf(&replaced, &own).await.json()["stored"].is_string());
    let (dir, authority) = (server.dir.clone(), server.running.authority.clone());
    server.running.stop().await;
    // As an earlier version of the program left it.
    let store = SqliteStore::open(&dir.path().join("omadm.db"), SqliteConfig::default()).unwrap();
    let file = store.ddf(&outdated).await.unwrap().unwrap();
    store.put_ddf(DdfFile { text: format!("{}<!-- old -->", file.text), ..file }).await.unwrap();
    drop(store);

    let server = TestServer::again(dir, server.token).await;
    assert_eq!(server.running.authority, authority);
    assert_eq!(server.api("GET", &format!("/ddfs/{outdated}"), None).await.text(), text(&outdated));
    assert_eq!(server.api("GET", &format!("/ddfs/{replaced}"), None).await.text(), own);
}
