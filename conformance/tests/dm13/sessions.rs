//! Sessions of the real agent by DM 1.x as a whole: what DM 1.2 brought, and what a session tells of the network under it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_auth::dm1::Scheme;
use omadm_codec::dm1::Version;
use omadm_conformance::{AgentProcess, TestServer, proves};
use omadm_server::config::ProtocolVersion;
use serde_json::{Value, json};

use super::processes::{carry_out, leaves};

/// An object with formats that DM 1.1 does not have.
const CLOCK: &str = "<MgmtTree><VerDTD>1.2</VerDTD><Man>x</Man><Mod>y</Mod><Node><NodeName></NodeName><Path>./Clocks</Path>\
    <DFProperties><AccessType><Get/><Add/></AccessType><DFFormat><node/></DFFormat><Occurrence><ZeroOrMore/></Occurrence>\
    <Scope><Dynamic/></Scope><DFType><DDFName>urn:x:mo:clock:1.0</DDFName></DFType></DFProperties>\
    <Node><NodeName>Day</NodeName><DFProperties><AccessType><Get/><Add/><Replace/></AccessType><DFFormat><date/></DFFormat>\
    <Occurrence><ZeroOrOne/></Occurrence><Scope><Dynamic/></Scope><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>\
    <Node><NodeName>Hour</NodeName><DFProperties><AccessType><Get/><Add/><Replace/></AccessType><DFFormat><time/></DFFormat>\
    <Occurrence><ZeroOrOne/></Occurrence><Scope><Dynamic/></Scope><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>\
    </Node></MgmtTree>";

/// The bearer and roaming of the session under way, as an object that servers of either protocol read.
#[tokio::test]
async fn the_bearer_of_the_session_and_its_roaming_are_told() {
    proves!("E13-4.3-16");
    let server = TestServer::start().await;
    let agent =
        AgentProcess::with_dm1(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1300", &json!({}), "").await;
    let directory = tempfile::tempdir().unwrap();
    let modem = directory.path().join("roaming");
    let kind = |kind: &str| {
        format!(
            "[network]\ninterfaces = [{{ name = \"lo\", kind = \"{kind}\" }}]\nroaming_file = {modem:?}\n"
        )
    };
    let told = [("mobile", "0", 1, 0), ("mobile", "1", 1, 1), ("wireline", "1", 3, 2)];
    for (bearer, roaming, cbt, expected) in told {
        agent.configure(&kind(bearer));
        std::fs::write(&modem, roaming).unwrap();
        let get = json!({ "verb": "get", "address": "urn:oma:mo:oma-sessioninfomo:1.0//" });
        let done = carry_out(&server, &agent, &[get]).await;
        let mut found = leaves(&done[0]);
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let values: Vec<_> =
            found.iter().map(|(address, value)| (address.rsplit('/').next().unwrap(), value)).collect();
        assert_eq!(values, [("CBT", &json!(cbt)), ("ROAMING", &json!(expected))], "{bearer} {roaming}");
    }
    let tree = server
        .items(&format!("/devices/{}/tree?at=urn:oma:mo:oma-sessioninfomo:1.0//", agent.device_id))
        .await;
    assert!(tree.iter().any(|node| node["value"] == 3), "operators see it: {tree:?}");
}

/// All messages of the sessions of a device, as text.
async fn trace(server: &TestServer, id: &str) -> String {
    let sessions = format!("/devices/{id}/sessions");
    let mut texts = String::new();
    for session in server.items(&sessions).await {
        let shown = server.get(&format!("{sessions}/{}", session["session"])).await;
        for message in shown["messages"].as_array().unwrap() {
            texts += message["text"].as_str().unwrap();
        }
    }
    texts
}

/// `ERELD §4.2`: a bootstrap, whole objects, Generic Alerts and formats of dates and times, over HTTP with TLS, all in DM 1.2.
#[tokio::test]
async fn a_device_of_dm_1_2_has_what_that_version_brought() {
    proves!("E13-4.2-01");
    let server = TestServer::with(|config| {
        config.dm1.schemes.push(Scheme::Md5);
        config.dm1.versions = vec![ProtocolVersion(Version::Dm12)];
        config.bootstrap.dm1 = true;
    })
    .await;
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c1400";
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("clock.ddf"), CLOCK).unwrap();
    let settings = format!(
        "[dm1]\nschemes = [\"md5\"]\n[maintenance]\ncommand = [\"true\"]\n[ddf]\ndir = {:?}\n",
        directory.path()
    );
    let agent = AgentProcess::new(&server.ca_file(), id, &settings).await;
    let wish = json!({ "device": { "id": id }, "profile": "cp", "dm1": { "version": "1.2" } });
    let made = server.rest(Method::POST, "/bootstrap", Some(&wish)).await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let document = STANDARD.decode(made.json()["dm1"]["content_base64"].as_str().unwrap()).unwrap();
    let file = directory.path().join("bootstrap.wbxml");
    std::fs::write(&file, document).unwrap();
    agent.run(&["bootstrap", file.to_str().unwrap()]).await;

    let clock = json!({ "C1": { "Day": "2026-01-02", "Hour": "03:04:05" } });
    let items = json!([{ "ClientURI": "urn:x:mo:clock:1.0/C1/", "MOData": clock }]);
    let stored = server.put_ddf("clock.ddf", CLOCK).await;
    assert!((200..300).contains(&stored.status), "{}", String::from_utf8_lossy(&stored.body));
    let done = carry_out(
        &server,
        &agent,
        &[
            json!({ "verb": "get", "address": "urn:oma:mo:oma-dm-devdetail:1.0//" }),
            json!({ "verb": "set", "items": items }),
            json!({ "verb": "get", "address": "urn:x:mo:clock:1.0/C1/" }),
            json!({ "verb": "exec", "address": "urn:omadm:mo:agent:1.0//Operations/Maintain" }),
        ],
    )
    .await;
    assert_eq!(done[1]["state"], "done", "{done:#?}");
    let mut values: Vec<Value> = leaves(&done[2]).into_iter().map(|(_, value)| value).collect();
    values.sort_by_key(Value::to_string);
    assert_eq!(values, [json!("03:04:05"), json!("2026-01-02")], "{done:#?}");
    // What it executed has ended, or has not survived the process: either way it is told by a Generic Alert.
    agent.session().await;
    let alerts = server.items(&format!("/events?device={id}")).await;
    assert!(alerts.iter().any(|event| event["body"]["code"] == 1226), "{alerts:?}");

    let said = trace(&server, id).await;
    assert!(said.contains("<VerProto>DM/1.2</VerProto>"), "{said}");
    assert_eq!(server.get(&format!("/devices/{id}")).await["protocol"], "dm1.2");
    assert!(said.contains("syncml:auth-md5") && said.contains("vnd.syncml.dmtnds+xml"), "{said}");
    assert!(said.contains("<date/>") || said.contains(">date<"), "{said}");
    assert!(server.device_uri().starts_with("https://"));
}
