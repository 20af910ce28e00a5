//! Bootstrap of the device (`DM 2.0 §8`).

use omadm_client::BootstrapError;
use omadm_client::ClientError;
use omadm_conformance::{
    Account, AgentProcess, Authority, Bench, DEVICE_ID, DeviceSetup, PLAIN_MOID, Pair, Schema, ScriptServer,
    TestDevice, proves,
};
use omadm_mo::well_known::DMACC;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

const COMPLETE: &str = "urn:oma:at:dm:2.0:BootstrapComplete";
const CLIENT_INITIATED: &str = "urn:oma:at:dm:2.0:ClientInitiatedMgmt";

fn install(device: &mut TestDevice, bootstrap: &Value) -> Result<Vec<String>, ClientError> {
    let body = bootstrap.to_string();
    let servers = device.client.device_mut().install_bootstrap(body.as_bytes())?;
    Ok(servers.into_iter().map(|server| server.to_string()).collect())
}

fn plain(label: &str, content: Value) -> Value {
    json!({ "ClientURI": format!("{PLAIN_MOID}//"), "MOData": { label: content } })
}

/// Lets an agent with this factory bootstrap run and gives it with a reader of its log.
fn running(
    agent: &AgentProcess,
) -> (tokio::process::Child, tokio::io::Lines<BufReader<tokio::process::ChildStderr>>) {
    let mut child = agent.start();
    let log = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, log)
}

#[tokio::test]
async fn a_factory_bootstrap_is_applied_at_the_first_start_only() {
    proves!("DM-BOOT-003-C-O", "D2-8.2-01", "D2-8-02");
    let authority = Authority::new();
    let server = ScriptServer::https(&authority).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("factory.json");
    let factory = |id: &str| json!([Account::new(id, &server.uri(&format!("/{id}"))).bootstrap_item()]);
    let settings = format!("[bootstrap]\nfile = {file:?}\n[session]\npoll_interval = 1\n");
    let agent = AgentProcess::new(&authority.ca_file(), DEVICE_ID, &settings).await;

    for damaged in ["", "[{", "{}", "[]", r#"[{"ClientURI":"urn:none:1.0//","MOData":{"x":{}}}]"#] {
        std::fs::write(&file, damaged).unwrap();
        let (mut child, mut log) = running(&agent);
        let said = loop {
            let line = log.next_line().await.unwrap().expect("the agent goes on");
            if line.contains("factory bootstrap") {
                break line;
            }
        };
        assert!(said.contains("factory.json") && said.contains("not installed"), "{damaged}: {said}");
        while !log.next_line().await.unwrap().expect("the agent goes on").contains("running") {}
        assert!(child.try_wait().unwrap().is_none(), "{damaged}: it keeps running");
        child.kill().await.unwrap();
    }
    assert!(server.requests().is_empty(), "a bootstrap that is not installed begins no session");

    std::fs::write(&file, factory("DMS1").to_string()).unwrap();
    let (mut first, _log) = running(&agent);
    server.wait_for(1).await;
    first.kill().await.unwrap();
    let package = server.package1(0);
    assert_eq!((package.request.target.as_str(), package.alert_types()), ("/DMS1", vec![COMPLETE]));
    let before = server.requests().len();
    std::fs::write(&file, factory("DMS2").to_string()).unwrap();
    let (mut second, _log) = running(&agent);
    server.wait_for(before + 1).await;
    second.kill().await.unwrap();
    assert!(server.package_requests().iter().all(|request| request.target == "/DMS1"), "not looked at again");
    let status = agent.run(&["status", "--output", "json"]).await.stdout;
    let status: Value = serde_json::from_slice(&status).unwrap();
    let accounts: Vec<&Value> =
        status["accounts"].as_array().unwrap().iter().map(|account| &account["server"]).collect();
    assert_eq!(accounts, ["DMS1"]);
}

#[tokio::test]
async fn a_device_can_be_bootstrapped_again() {
    proves!("D2-8-03");
    let mut bench = Bench::new().await;
    bench.session().await;
    let (one, two) = (bench.server.uri("/other/one"), bench.server.uri("/two"));
    let again =
        json!([Account::new("DMS1", &one).bootstrap_item(), Account::new("DMS2", &two).bootstrap_item()]);
    assert_eq!(install(&mut bench.device, &again).unwrap(), ["DMS1", "DMS2"]);
    assert_eq!(bench.device.miids(DMACC), ["DMS1", "DMS2"], "updated, and added");
    for (server, target) in [("DMS1", "/other/one"), ("DMS2", "/two")] {
        for alert in [COMPLETE, CLIENT_INITIATED] {
            bench.device.session(server).await;
            let package = bench.server.package1(bench.server.package_requests().len() - 1);
            assert_eq!((package.request.target.as_str(), package.alert_types()), (target, vec![alert]));
        }
    }
    assert_eq!(
        bench.status(json!(["GET", omadm_conformance::address("Text")])).await,
        200,
        "rights are kept"
    );
}

#[tokio::test]
async fn a_bootstrap_is_stored_as_a_whole_or_not_at_all() {
    proves!("D2-8.5-01");
    let mut bench = Bench::new().await;
    bench.session().await;
    let account = Account::new("DMS2", &bench.server.uri("/two")).bootstrap_item();
    let before = bench.device.client.device().status();
    let requests = bench.server.requests().len();
    for bad in [
        plain("p", json!({ "Level": "not a number", "Name": "x" })),
        plain("p", json!({ "Unknown": "x", "Name": "x" })),
        json!({ "ClientURI": "urn:none:1.0//", "MOData": { "p": {} } }),
        json!({ "ClientURI": "no address", "MOData": { "p": {} } }),
        json!({ "ClientURI": format!("{PLAIN_MOID}/*/"), "MOData": { "p": { "Name": "x" } } }),
    ] {
        let refused = install(&mut bench.device, &json!([account, plain("ok", json!({ "Name": "x" })), bad]));
        let Err(ClientError::Bootstrap(BootstrapError::Item { index: 2, .. })) = refused else {
            panic!("{bad}: {refused:?}")
        };
        assert_eq!(bench.device.client.device().status(), before, "{bad}");
    }
    assert_eq!(bench.server.requests().len(), requests);

    let items =
        json!([account, plain("made", json!({ "Name": "1" })), plain("made", json!({ "Name": "2" }))]);
    assert_eq!(install(&mut bench.device, &items).unwrap(), ["DMS2"]);
    let miids = bench.device.miids(PLAIN_MOID);
    assert_eq!(miids.len(), 2, "new instances with names of the client's choice: {miids:?}");
    let mut names: Vec<_> =
        miids.iter().map(|miid| bench.device.text(&format!("{PLAIN_MOID}/{miid}/Name")).unwrap()).collect();
    names.sort();
    assert_eq!(names, ["1", "2"]);
    let replaced =
        json!([{ "ClientURI": format!("{PLAIN_MOID}/{}/", miids[0]), "MOData": { "x": { "Name": "3" } } }]);
    install(&mut bench.device, &replaced).unwrap();
    assert_eq!(bench.device.text(&format!("{PLAIN_MOID}/{}/Name", miids[0])).as_deref(), Some("3"));
    assert_eq!(bench.device.miids(PLAIN_MOID).len(), 2);
}

#[tokio::test]
async fn the_bootstrap_is_mo_data_and_may_hold_other_objects() {
    proves!("D2-8.5-02", "D2-8.5-03");
    let server = omadm_conformance::TestServer::start().await;
    let request = json!({ "device": { "id": DEVICE_ID } });
    let reply = server.rest(http::Method::POST, "/bootstrap", Some(&request)).await;
    let mut bootstrap = reply.json()["bootstrap"].clone();
    Schema::MoData.check(&bootstrap);
    assert_eq!(bootstrap[0]["ClientURI"], format!("{DMACC}//"));
    bootstrap
        .as_array_mut()
        .unwrap()
        .push(plain("vendor", json!({ "Name": "with the account", "Level": 4 })));
    let mut device = DeviceSetup::new([], Some(server.ca_file())).open();
    assert_eq!(install(&mut device, &bootstrap).unwrap(), ["omadm"]);
    let place = format!("{PLAIN_MOID}/vendor/Level");
    let id = server.queue_for(DEVICE_ID, &json!({ "verb": "get", "address": place })).await;
    device.session("omadm").await;
    let command = server.command(&id).await;
    assert_eq!((&command["status"], &command["result"]["items"][0]["value"]), (&json!(200), &json!(4)));

    for not_mo_data in ["<bootstrap/>", "\u{feff}x", "[{\"MOData\":{}}]"] {
        let refused = device.client.device_mut().install_bootstrap(not_mo_data.as_bytes());
        assert!(matches!(refused, Err(ClientError::Bootstrap(_))), "{not_mo_data}");
    }
}

#[tokio::test]
async fn a_bootstrap_that_was_not_told_is_told_after_a_kill() {
    let mut pair = Pair::new().await;
    pair.device = pair.device.killed_and_restarted();
    pair.session().await;
    let events = pair.server.events(&pair.name).await;
    assert!(events.iter().any(|event| event["body"]["type"] == COMPLETE), "{events:?}");
}
