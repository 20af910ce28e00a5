//! The standard objects of DM 1.3 on the real agent.

use omadm_conformance::{AgentProcess, TestServer, proves};
use serde_json::{Value, json};

use crate::processes::{carry_out, leaves};

async fn agent(server: &TestServer, number: u32, settings: &str) -> AgentProcess {
    let id = format!("UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c3{number:03}");
    AgentProcess::with_dm1(server, &id, &json!({ "name": "Theirs" }), settings).await
}

fn get(address: &str) -> Value {
    json!({ "verb": "get", "address": address })
}

/// Status of each command, and the value of its first leaf if it is done.
fn outcomes(done: &[Value]) -> Vec<(u64, Option<Value>)> {
    let value = |command: &Value| (command["state"] == "done").then(|| leaves(command).swap_remove(0).1);
    done.iter().map(|command| (command["status"].as_u64().unwrap(), value(command))).collect()
}

#[tokio::test]
async fn dev_info_and_dev_detail_tell_what_dm_2_tells_of_the_machine() {
    proves!("P13-DMSTDOBJ-5.3.2-01", "P13-DMSTDOBJ-5.3.3-01", "P13-DMTND-7.2-01");
    let server = TestServer::start().await;
    let agent = agent(&server, 1, "").await;
    for (dm1, dm2) in [
        ("./DevInfo/DevId", "DevID"),
        ("./DevInfo/Man", "Man"),
        ("./DevInfo/Mod", "Mod"),
        ("./DevInfo/DmV", "DmV"),
        ("./DevInfo/Lang", "Lang"),
        ("./DevDetail/DevTyp", "DevType"),
        ("./DevDetail/OEM", "OEM"),
        ("./DevDetail/FwV", "FwV"),
        ("./DevDetail/SwV", "SwV"),
        ("./DevDetail/HwV", "HwV"),
    ] {
        let done = carry_out(&server, &agent, &[get(dm1)]).await;
        let shown =
            agent.run(&["tree", &format!("urn:oma:mo:oma-dm-devinfo:1.2//{dm2}"), "--output", "json"]).await;
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(outcomes(&done), [(200, Some(shown[0]["value"].clone()))], "{dm1}");
    }
    let done = carry_out(&server, &agent, &[get("./DevInfo/DevId"), get("./DevDetail/LrgObj")]).await;
    assert_eq!(outcomes(&done)[0].1, Some(json!(agent.device_id)));
    assert_eq!(leaves(&done[1])[0].1.to_string().trim_matches('"'), "true");
    let refused = json!({ "verb": "set", "address": "./DevInfo/Man", "value": "Other" });
    assert_eq!(carry_out(&server, &agent, &[refused]).await[0]["state"], "failed");
}

#[tokio::test]
async fn addresses_keep_to_the_limits_that_dev_detail_tells() {
    proves!("P13-DMREPU-7.1.13-01");
    let server = TestServer::start().await;
    let agent = agent(&server, 2, "[dm1]\nuri_depth = 4\nuri_length = 40\nuri_segment = 12").await;
    let limits = ["MaxDepth", "MaxTotLen", "MaxSegLen"].map(|name| get(&format!("./DevDetail/URI/{name}")));
    let done = carry_out(&server, &agent, &limits).await;
    let told: Vec<_> = outcomes(&done).into_iter().map(|(_, value)| value.unwrap()).collect();
    assert_eq!(told, ["4", "40", "12"]);
    for (path, status) in [
        ("./A/B/C/D", 404),
        ("./A/B/C/D/E", 414),
        ("./123456789012/x", 404),
        ("./1234567890123/x", 414),
        ("./23456789012/23456789012/2345678901234", 414),
        ("./23456789012/23456789012/2345678901/456", 404),
        ("./23456789012/23456789012/2345678901/4567", 414),
    ] {
        let xml = format!("<Get><Item><Target><LocURI>{path}</LocURI></Target></Item></Get>");
        let done = carry_out(&server, &agent, &[json!({ "verb": "raw", "xml": xml })]).await;
        assert_eq!(done[0]["status"], status, "{path}");
    }
}

#[tokio::test]
async fn an_account_is_its_servers_and_its_secrets_nobodys() {
    proves!("P13-DMSTDOBJ-5.3.1-01");
    let server = TestServer::start().await;
    let agent = agent(&server, 3, "").await;
    let done = carry_out(
        &server,
        &agent,
        &[
            get("./DMAcc/1/ServerID"),
            get("./DMAcc/1/AppAuth/1/AAuthType"),
            get("./DMAcc/1/AppAuth/1/AAuthSecret"),
            get("./DMAcc/1/AppAuth/1/AAuthData"),
            get("./DMAcc/1"),
            json!({ "verb": "set", "address": "./DMAcc/1/Name", "value": "Ours" }),
            get("./DMAcc/1/Name"),
        ],
    )
    .await;
    let identity = server.get("/server").await;
    assert_eq!(
        outcomes(&done[..2]),
        [(200, Some(identity["server_id"].clone())), (200, Some(json!("HMAC-SHA256")))]
    );
    assert_eq!((&done[2]["status"], &done[3]["status"]), (&json!(405), &json!(405)));
    let whole = leaves(&done[4]);
    assert!(whole.iter().any(|(address, _)| address.ends_with("AAuthName")), "{whole:?}");
    let secret =
        |(address, _): &(String, Value)| address.contains("AAuthSecret") || address.contains("AAuthData");
    assert!(!whole.iter().any(secret), "{whole:?}");
    assert_eq!(done[5]["state"], "done", "{:#?}", done[5]);

    let status = agent.run(&["status", "--output", "json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["dm1_accounts"][0]["version"], "1.3");
    assert_eq!(status["dm1_accounts"][0]["encoding"], "WBXML");
    let tree = agent.run(&["tree", "./DMAcc", "--output", "json"]).await;
    let tree: Vec<Value> = serde_json::from_slice(&tree.stdout).unwrap();
    let shown = |address: &str| tree.iter().find(|line| line["address"] == address).unwrap()["value"].clone();
    assert_eq!(shown("./DMAcc/1/AppAuth/1/AAuthSecret"), "(hidden)");
    assert_eq!(shown("./DMAcc/1/AppID"), "w7");
}

#[tokio::test]
async fn the_inbox_takes_objects_to_their_place_and_shows_nothing() {
    proves!("P13-DMSTDOBJ-5.3.4-01", "E13-4.3-07");
    let server = TestServer::start().await;
    let agent = agent(&server, 4, "").await;
    let leaf = |name: &str, value: &str| {
        format!(
            "<Node><NodeName>{name}</NodeName><RTProperties><Format><chr/></Format>\
             <Type><MIME>text/plain</MIME></Type></RTProperties><Value>{value}</Value></Node>"
        )
    };
    let account = format!(
        "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node><NodeName>second</NodeName><RTProperties>\
         <ACL>Get=*</ACL><Format><node/></Format><Type><DDFName>urn:oma:mo:oma-dm-dmacc:1.1</DDFName></Type></RTProperties>\
         {}{}</Node></MgmtTree>",
        leaf("AppID", "w7"),
        leaf("ServerID", "other.example")
    );
    let add = format!(
        "<Add><Item><Target><LocURI>./Inbox</LocURI></Target><Meta><Format xmlns=\"syncml:metinf\">xml</Format>\
         <Type xmlns=\"syncml:metinf\">application/vnd.syncml.dmtnds+xml</Type></Meta><Data><![CDATA[{account}]]></Data></Item></Add>"
    );
    // Rights go with the name of a server: nobody makes an account in the name of another one.
    let impostor = add.replace(">second<", ">third<");
    let done = carry_out(
        &server,
        &agent,
        &[
            json!({ "verb": "raw", "xml": add }),
            json!({ "verb": "raw", "xml": "<Get><Item><Target><LocURI>./Inbox</LocURI></Target></Item></Get>" }),
            json!({ "verb": "raw", "xml": "<Get><Item><Target><LocURI>./Inbox/second</LocURI></Target></Item></Get>" }),
            get("./DMAcc/second/ServerID"),
            json!({ "verb": "raw", "xml": impostor }),
            get("./DMAcc/third/ServerID"),
        ],
    )
    .await;
    assert_eq!(done[0]["state"], "done", "{:#?}", done[0]);
    assert_eq!((&done[1]["status"], &done[2]["status"]), (&json!(405), &json!(405)));
    assert_eq!(outcomes(&done[3..4]), [(200, Some(json!("other.example")))]);
    assert_eq!((&done[4]["status"], &done[5]["status"]), (&json!(403), &json!(404)));
    let status = agent.run(&["status", "--output", "json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["dm1_accounts"].as_array().unwrap().len(), 2, "the agent has another account now");
}

fn raw(uri: &str) -> Value {
    let xml = format!("<Get><Item><Target><LocURI>{uri}</LocURI></Target></Item></Get>");
    json!({ "verb": "raw", "xml": xml })
}

#[tokio::test]
async fn the_objects_are_found_by_their_identifiers() {
    proves!("E13-OMNA-MO-dmacc", "E13-OMNA-MO-devinfo", "E13-OMNA-MO-devdetail", "E13-4.3-15");
    let server = TestServer::start().await;
    let agent = agent(&server, 5, "").await;
    let objects = [
        ("./DMAcc/1", "urn:oma:mo:oma-dm-dmacc:1.1"),
        ("./DevInfo", "urn:oma:mo:oma-dm-devinfo:1.1"),
        ("./DevDetail", "urn:oma:mo:oma-dm-devdetail:1.1"),
    ];
    let types = objects.map(|(path, _)| raw(&format!("{path}?prop=Type")));
    let done = carry_out(&server, &agent, &types).await;
    for ((path, moid), (status, value)) in objects.into_iter().zip(outcomes(&done)) {
        assert_eq!((status, value), (200, Some(json!(moid))), "{path}");
    }
    let virtually = raw("urn:oma:mo:oma-dm-devdetail:1.1//LrgObj");
    let done = carry_out(&server, &agent, &[virtually, raw(".?list=MORoot")]).await;
    assert_eq!(done[0]["status"], 200, "{done:#?}");
    assert!(
        done[0].to_string().contains("./DevDetail/LrgObj"),
        "the answer has the absolute address: {done:#?}"
    );
    let roots = done[1]["result"].to_string();
    assert!(objects.iter().all(|(path, _)| roots.contains(&format!("{path}\""))), "{roots}");
}
