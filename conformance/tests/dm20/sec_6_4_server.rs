//! What the server does with device description files (`DM 2.0 §6.3.2, §6.4`), judged by an independent device.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_conformance::ddf::{node, properties, single_root, tree};
use omadm_conformance::{
    Answer, Authority, DEVICE_ID, ScriptDevice, ScriptServer, TestServer, commands, proves,
};
use serde_json::{Value, json};

const VENDOR: &str = "urn:example:mo:rack:1.0";
const ALL: &str = "Add Delete Get Replace";
const DDF_XML: &str = "application/vnd.syncml.dmddf+xml";

fn rack(path: &str) -> String {
    format!("{VENDOR}//{path}")
}

fn ddf_of(inside: &[String]) -> String {
    tree(&[single_root("Rack", VENDOR, inside)])
}

/// A server that has the DDF file of an object with these nodes, and a device.
async fn knowing(inside: &[String]) -> (TestServer, ScriptDevice) {
    let (server, device) = TestServer::with_device().await;
    let reply = server.put_ddf("rack.ddf", &ddf_of(inside)).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    (server, device)
}

/// What the server says against a command that it queues.
async fn warnings(server: &TestServer, command: Value) -> String {
    let reply = server.post_command(DEVICE_ID, &command).await;
    assert_eq!(reply.status, 202, "{command}: {}", String::from_utf8_lossy(&reply.body));
    reply.json()["warnings"].as_array().map_or_else(String::new, |all| Value::from(all.clone()).to_string())
}

async fn refused(server: &TestServer, ddf: &str) -> bool {
    server.put_ddf("bad.ddf", ddf).await.status == 400
}

#[tokio::test]
async fn people_read_what_is_written_for_them() {
    proves!(
        "DM-OBJ-014-S-O",
        "DM-OBJ-015-S-O",
        "DM-OBJ-018-S-O",
        "DM-OBJ-019-S-O",
        "DM-OBJ-025-S-O",
        "DM-OBJ-026-S-O",
        "DM-OBJ-030-S-O"
    );
    let texts =
        "<DefaultValue>7</DefaultValue><Description>What it is</Description><DFTitle>Its title</DFTitle>";
    let leaf = node("Leaf", &properties("Get", "int", "One", texts), &[])
        .replace("</NodeName>", "</NodeName><Path>./Vendor/Rack</Path>")
        .replace("</Node>", "<Value>5</Value></Node>");
    let ddf = ddf_of(&[leaf]).replace("</VerDTD>", "</VerDTD><Man>Maker</Man><Mod>Model 9</Mod>");
    let (server, device) = knowing(&[]).await;
    assert_eq!(server.put_ddf("rack.ddf", &ddf).await.status, 200);
    let model = server.get("/ddfs/rack.ddf/model").await;
    assert_eq!((&model["man"], &model["mod"]), (&json!("Maker"), &json!("Model 9")));
    let leaf = &model["nodes"][0]["children"][0];
    let expected = json!({
        "name": "Leaf", "path": "./Vendor/Rack", "access": ["Get"], "format": "int", "occurrence": "One", "scope": "Dynamic",
        "title": "Its title", "description": "What it is", "default_value": "7", "value": "5",
    });
    assert_eq!(*leaf, expected);

    let id = server.queue(&device, &json!({ "verb": "get", "address": format!("{VENDOR}/Rack/Leaf") })).await;
    device.begin().await;
    let data = json!([{ "ClientURI": format!("{VENDOR}/Rack/Leaf"), "MOData": { "Leaf": 7 } }]);
    commands(&device.answer_with(&json!([{ "sc": 200 }]), &[(0, data)]).await);
    assert_eq!(server.outcome(&id).await.1, Some(200));
    let shown = server.items(&format!("/devices/{DEVICE_ID}/tree")).await;
    let leaf = shown.iter().find(|item| item["address"] == format!("{VENDOR}/Rack/Leaf")).unwrap();
    assert_eq!((&leaf["title"], &leaf["description"]), (&json!("Its title"), &json!("What it is")));
}

#[tokio::test]
async fn addresses_are_compared_with_the_names() {
    proves!("DM-OBJ-017-S-M", "DM-OBJ-032-S-O");
    let leaf = |name: &str| node(name, &properties("Get", "chr", "ZeroOrMore", ""), &[]);
    let list =
        |name: &str, more: &str, child: String| node(name, &properties("Get", "node", "One", more), &[child]);
    let unnamed = leaf("Gone").replace("<NodeName>Gone</NodeName>", "");
    let (server, _) = knowing(&[
        leaf("Leaf"),
        list("Any", "", leaf("&lt;x&gt;")),
        list("Every", "", unnamed),
        list("Folded", "<CaseSense><CIS/></CaseSense>", leaf("Name")),
        list("Exact", "<CaseSense><CS/></CaseSense>", leaf("Name")),
    ])
    .await;
    for (path, known) in [
        ("Leaf", true),
        ("Other", false),
        ("Leaf/Below", false),
        ("Any/whatever", true),
        ("Every/whatever", true),
        ("Folded/nAME", true),
        ("Exact/Name", true),
        ("Exact/nAME", false),
    ] {
        let said = warnings(&server, json!({ "verb": "get", "address": rack(path) })).await;
        assert_eq!(!said.contains("describes no such node"), known, "{path}: {said}");
    }
    let model = server.get("/ddfs/rack.ddf/model").await;
    let children = &model["nodes"][0]["children"];
    assert_eq!(children[1]["children"][0]["unnamed"], "x");
    assert_eq!(children[2]["children"][0]["unnamed"], "", "an un-named node");
    assert_eq!((&children[3]["case_sense"], &children[4]["case_sense"]), (&json!("CIS"), &json!("CS")));
    for bad in ["a/b", "a b", "a?b"] {
        assert!(refused(&server, &ddf_of(&[leaf(bad)])).await, "{bad}");
    }
}

#[tokio::test]
async fn values_go_out_in_the_format_of_the_leaf() {
    proves!("DM-OBJ-020-S-M", "DM-OBJ-027-S-O");
    let formats = [
        ("b64", json!("eHl6"), json!("eHl6"), Some("no base64!")),
        ("bin", json!("AAEC"), json!("AAEC"), Some("no base64!")),
        ("bool", json!("true"), json!(true), Some("maybe")),
        ("chr", json!(42), json!("42"), None),
        ("int", json!("-5"), json!(-5), Some("five")),
        ("xml", json!("<a/>"), json!("<a/>"), None),
        ("date", json!("2015-01-22"), json!("2015-01-22"), Some("22.1.2015")),
        ("time", json!("10:20:30"), json!("10:20:30"), Some("noon")),
        ("float", json!("0.5"), json!(0.5), Some("half")),
        ("null", json!(""), Value::Null, Some("something")),
    ];
    let leaf = |format: &str| node(format, &properties(ALL, format, "One", ""), &[]);
    let nodes: Vec<String> = formats.iter().map(|(format, ..)| *format).chain(["node"]).map(leaf).collect();
    let (server, device) = knowing(&nodes).await;
    let authorization = device.authorization();
    for (format, given, sent, bad) in formats {
        let set = |value: Value| json!({ "verb": "set", "address": rack(format), "value": value });
        server.queue(&device, &set(given)).await;
        let words = commands(&device.begin().await).remove(0);
        let path = &words[1][words[1].find("/data/").unwrap()..];
        let headers = [
            ("accept", "application/dmmo+json"),
            ("authorization", &*authorization),
            ("omadm-devid", DEVICE_ID),
        ];
        let reply = device.send(Method::GET, path, &headers, &[]).await;
        assert_eq!(reply.status, 200, "{format}");
        assert_eq!(reply.json()[0]["MOData"], json!({ format: sent }), "{format}");
        assert_eq!(commands(&device.answer(&json!([{ "sc": 200 }])).await), [["END"]]);
        if let Some(bad) = bad {
            let reply = server.post_command(DEVICE_ID, &set(json!(bad))).await;
            let detail = reply.json()["detail"].to_string();
            assert!(reply.status == 400 && detail.contains("rack.ddf"), "{format}: {detail}");
        }
    }
    let value = json!({ "verb": "set", "address": rack("node"), "value": "x" });
    assert_eq!(server.post_command(DEVICE_ID, &value).await.status, 400, "an interior node has no value");
    let model = server.get("/ddfs/rack.ddf/model").await;
    for child in model["nodes"][0]["children"].as_array().unwrap() {
        assert_eq!(child["format"], child["name"]);
    }
    for unknown in ["<string/>", "<Int/>", ""] {
        assert!(refused(&server, &ddf_of(&[leaf("chr")]).replace("<chr/>", unknown)).await, "{unknown}");
    }
}

#[tokio::test]
async fn operators_hear_of_commands_that_the_definition_does_not_allow() {
    proves!("DM-OBJ-024-S-M", "DM-OBJ-021-S-O", "DM-OBJ-028-S-O", "DM-OBJ-029-S-O");
    let leaf = |name: &str, access: &str, occurrence: &str, more: &str| {
        node(name, &properties(access, "chr", occurrence, more), &[])
    };
    let mime = "<DFType><MIME>text/x-one</MIME></DFType>";
    let (server, _) = knowing(&[
        leaf("Everything", "Add Delete Exec Get Replace", "ZeroOrOne", mime),
        leaf("Nothing", "", "ZeroOrOne", mime),
        leaf("Needed", ALL, "One", mime),
        leaf("Permanent", ALL, "ZeroOrOne", "<Scope><Permanent/></Scope>"),
        leaf("Dynamic", ALL, "ZeroOrOne", "<Scope><Dynamic/></Scope>"),
    ])
    .await;
    for (verb, access) in [("get", "Get"), ("delete", "Delete"), ("exec", "Exec"), ("set", "Add or Replace")]
    {
        for (name, allowed) in [("Everything", true), ("Nothing", false)] {
            let mut command = json!({ "verb": verb, "address": rack(name) });
            if verb == "set" {
                command["value"] = json!("x");
            }
            let said = warnings(&server, command).await;
            assert_eq!(
                !said.contains(&format!("does not allow {access} here")),
                allowed,
                "{verb} {name}: {said}"
            );
        }
    }
    for (name, reason) in [
        ("Needed", "occurrence One"),
        ("Permanent", "the node is permanent"),
        ("Dynamic", ""),
        ("Everything", ""),
    ] {
        let said = warnings(&server, json!({ "verb": "delete", "address": rack(name) })).await;
        assert_eq!(said.is_empty(), reason.is_empty(), "{name}: {said}");
        assert!(said.contains(reason), "{name}: {said}");
    }
    for (media_type, listed) in [("text/x-one", true), ("text/html", false)] {
        let octets = STANDARD.encode("x");
        let command = json!({
            "verb": "set", "address": rack("Needed"), "value_base64": octets, "content_type": media_type,
        });
        let said = warnings(&server, command).await;
        assert_eq!(!said.contains("is not one of the media types"), listed, "{media_type}: {said}");
    }
    let bad = ddf_of(&[leaf("Leaf", "Get Write", "One", "")]);
    assert!(refused(&server, &bad).await, "an unknown access type");
}

/// Waits until the server tells of a DDF file that a device links to.
async fn told(server: &TestServer, device: &ScriptDevice, link: &str) -> Value {
    let asking = async {
        loop {
            let events = server.events(device).await;
            if let Some(event) =
                events.iter().find(|event| event["kind"] == "ddf" && event["body"]["link"] == link)
            {
                return event["body"].clone();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asking).await.expect("the server tells of the link")
}

#[tokio::test]
async fn the_file_behind_a_link_is_fetched_once_and_used() {
    proves!("D2-6.3.2-01");
    let authority = Authority::new();
    let files = ScriptServer::https(&authority).await;
    let leaf = node("Leaf", &properties("Get", "int", "One", "<DFTitle>Its title</DFTitle>"), &[]);
    files.route(&Method::GET, "/ddf/good.ddf", Answer::body(DDF_XML, ddf_of(&[leaf])));
    files.route(&Method::GET, "/ddf/no.ddf", Answer::body("text/html", "<html>not here"));
    let prefix = files.uri("/ddf/");
    let server = TestServer::with(|config| {
        config.ddf.fetch_from = serde_json::from_value(json!([prefix])).unwrap();
        config.ddf.ca_file = Some(authority.ca_file());
    })
    .await;
    let device = server.enrol(DEVICE_ID).await;
    let objects = [("good", VENDOR), ("no", "urn:example:mo:no:1.0"), ("dead", "urn:example:mo:dead:1.0")];
    let mos = objects.map(|(name, moid)| {
        json!({ "DDF": files.uri(&format!("/ddf/{name}.ddf")), "MOID": moid, "MIID": ["Rack"] })
    });
    let package = json!({ "MOS": mos });
    for _ in 0..3 {
        assert_eq!(commands(&device.package1(&package).await), [["END"]]);
        for (name, _) in objects {
            let event = told(&server, &device, &files.uri(&format!("/ddf/{name}.ddf"))).await;
            let outcome = if name == "good" { "fetched" } else { "not available" };
            assert_eq!(event["what"], outcome, "{event}");
        }
    }
    let mut fetched: Vec<String> = files.requests().into_iter().map(|request| request.target).collect();
    fetched.sort();
    assert_eq!(fetched, ["/ddf/dead.ddf", "/ddf/good.ddf", "/ddf/no.ddf"], "each once");

    let inventory = server.get(&format!("/devices/{DEVICE_ID}")).await["inventory"].clone();
    for (at, (name, _)) in objects.iter().enumerate() {
        let known = &inventory[at];
        assert_eq!(known["model"].is_string(), *name == "good", "{known}");
        assert_eq!(known["ddf_problem"].is_string(), *name != "good", "{known}: the operator sees why");
    }
    let mut ids = Vec::new();
    for (_, moid) in objects {
        ids.push(server.queue_raw(&device, &["GET", &format!("{moid}/Rack/Leaf")]).await);
    }
    device.begin().await;
    let data: Vec<(usize, Value)> = objects
        .iter()
        .enumerate()
        .map(|(at, (_, moid))| {
            (at, json!([{ "ClientURI": format!("{moid}/Rack/Leaf"), "MOData": { "Leaf": 7 } }]))
        })
        .collect();
    commands(&device.answer_with(&json!([{ "sc": 200 }, { "sc": 200 }, { "sc": 200 }]), &data).await);
    for id in ids {
        assert_eq!(server.outcome(&id).await, ("done".to_owned(), Some(200)), "managed all the same");
    }
    for item in server.items(&format!("/devices/{DEVICE_ID}/tree")).await {
        let described = item["address"].as_str().unwrap().starts_with(VENDOR) && item["value"] == 7;
        assert_eq!(item["title"] == "Its title", described, "{item}");
        assert_eq!(item["format"] == "int", described, "{item}");
    }
    let advice =
        warnings(&server, json!({ "verb": "delete", "address": format!("{VENDOR}/Rack/Leaf") })).await;
    assert!(advice.contains("does not allow Delete"), "operations are checked by it: {advice}");
}
