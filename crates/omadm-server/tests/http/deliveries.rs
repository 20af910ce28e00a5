//! Packages on their way to devices: what is told of one is not used for another, and nothing is asked for in vain.

use serde_json::{Value, json};

use crate::harness::{Device, END, HELLO, TestServer};
use crate::syncml::{Dm1Device, Said, Sent, commands};

const URL: &str = "urn:oma:mo:oma-scomo:1.0//Download/Package/PkgURL";
const EXEC: &str = "urn:oma:mo:oma-scomo:1.0//Download/Package/Operations/DownloadInstall";

impl TestServer {
    /// A campaign that brings a component to all devices, which has begun.
    async fn bring(&self, name: &str, devices: usize) {
        let path = format!("/packages?name={name}&version=1&kind=software");
        let stored = self.api("POST", &path, Some(json!(name))).await;
        assert_eq!(stored.status, 201, "{}", stored.text());
        let change = json!({ "software": { "package": stored.json()["id"] } });
        self.campaign(json!({ "name": name, "change": change })).await;
        self.act(name, "start").await;
        self.campaign_when(name, |seen| seen["devices"]["open"] == devices).await;
    }

    /// The newest `exec` of a device.
    async fn exec(&self, id: &str) -> Value {
        let queued = self.items(&format!("/devices/{}/commands", id.replace(':', "%3A"))).await;
        queued.into_iter().find(|command| command["verb"] == "exec").unwrap()
    }
}

/// What the commands of a package are about.
fn about(commands: &[Vec<String>]) -> Vec<&str> {
    let address = |words: &Vec<String>| if words[0] == "EXEC" { 1 } else { words.len() - 1 };
    commands.iter().map(|words| words[address(words)].as_str()).collect()
}

/// The statuses for commands, of which those about this address get another one.
fn statuses(commands: &[Vec<String>], spoilt: &str, code: u16) -> Vec<u16> {
    about(commands).iter().map(|at| if at.contains(spoilt) { code } else { 200 }).collect()
}

#[tokio::test]
async fn a_package_is_asked_for_once_its_address_is_there() {
    let server = TestServer::start().await;
    for (id, spoilt, is_asked) in
        [("IMEI:1", "/PkgURL", false), ("IMEI:2", "/Ext/", true), ("IMEI:3", "nothing", true)]
    {
        let device = server.enrol(id).await;
        server.bring(&id.replace(':', "-"), id.strip_prefix("IMEI:").unwrap().parse().unwrap()).await;
        let mut connection = server.connect().await;
        let sent = connection.send(device.package1(HELLO)).await.commands();
        assert!(about(&sent).contains(&URL) && !about(&sent).contains(&EXEC), "{sent:?}");
        let answer = connection.send(device.statuses(&statuses(&sent, spoilt, 405))).await;
        let exec = server.exec(id).await;
        if is_asked {
            assert_eq!(about(&answer.commands()), [EXEC], "{id}");
            connection.send(device.statuses(&[200])).await;
            continue;
        }
        assert_eq!(answer.text(), END);
        let reason = exec["reason"].as_str().unwrap();
        assert_eq!(exec["state"], "failed");
        assert!(reason.starts_with("It was not sent") && reason.contains(URL), "{reason}");
        let of = server.campaign_when("IMEI-1", |seen| seen["devices"]["open"] == 0).await;
        assert_eq!(of["devices"]["failed"], 1);
    }
}

#[tokio::test]
async fn two_packages_do_not_mix_when_a_device_is_busy() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.bring("hello", 1).await;
    server.bring("help", 1).await;
    let urls = async |connection: &mut crate::harness::Connection, sent: &[Vec<String>]| {
        let url = sent.iter().find(|words| words.last().is_some_and(|word| word == URL)).unwrap();
        let (_, repository) = url[1].split_once(&server.running.device_addr.to_string()).unwrap();
        connection.send(device.request(http::Method::GET, repository, None, "")).await.text().to_owned()
    };
    let mut connection = server.connect().await;
    let first = connection.send(device.package1(HELLO)).await.commands();
    let first_url = urls(&mut connection, &first).await;
    assert_eq!(
        about(&first).iter().filter(|at| **at == URL).count(),
        1,
        "only those of the first: {first:?}"
    );
    let sent = connection.send(device.statuses(&vec![200; first.len()])).await.commands();
    assert_eq!(about(&sent), [EXEC], "nothing else before it is answered");
    assert_eq!(connection.send(device.statuses(&[503])).await.text(), END);

    let mut connection = server.connect().await;
    let sent = connection.send(device.package1(format!("{HELLO} "))).await.commands();
    assert_eq!(about(&sent), [EXEC], "the first one again");
    let second = connection.send(device.statuses(&[200])).await.commands();
    assert_eq!(about(&second).iter().filter(|at| **at == URL).count(), 1, "{second:?}");
    assert_ne!(urls(&mut connection, &second).await, first_url);
    let sent = connection.send(device.statuses(&vec![200; second.len()])).await.commands();
    assert_eq!(about(&sent).first(), Some(&EXEC));
}

#[tokio::test]
async fn a_part_that_an_operator_cancels_is_missed() {
    let server = TestServer::start().await;
    let device: Device = server.enrol("IMEI:1").await;
    server.bring("hello", 1).await;
    let queued = server.items("/devices/IMEI%3A1/commands").await;
    let part = queued.iter().find(|command| command["address"] == URL).unwrap();
    let cancelled =
        server.api("POST", &format!("/commands/{}/cancel", part["id"].as_str().unwrap()), None).await;
    assert!(cancelled.status.is_success(), "{}", cancelled.text());
    let mut connection = server.connect().await;
    let sent = connection.send(device.package1(HELLO)).await.commands();
    assert!(!about(&sent).contains(&URL) && !about(&sent).contains(&EXEC), "{sent:?}");
    let end = connection.send(device.statuses(&vec![200; sent.len()])).await;
    assert_eq!(end.text(), END);
    let exec = server.exec("IMEI:1").await;
    assert!(exec["state"] == "failed" && exec["reason"].as_str().unwrap().contains(URL), "{exec}");
}

#[tokio::test]
async fn the_same_holds_for_devices_of_dm_1_3() {
    let server = TestServer::start().await;
    for (id, spoilt, is_asked) in [("IMEI:1", "/PkgURL", false), ("IMEI:2", "/Ext/", true)] {
        let mut device = Dm1Device::enrol(&server, id).await;
        device.version = "DM/1.3";
        server.bring(&id.replace(':', "-"), id.strip_prefix("IMEI:").unwrap().parse().unwrap()).await;
        let mut connection = server.connect().await;
        let mut answer = device.begin(&mut connection).await;
        let roots = [
            ("./DevInfo", "node urn:oma:mo:oma-dm-devinfo:1.1", None),
            ("./SCOMO", "node urn:oma:mo:oma-scomo:1.0", None),
        ];
        let asked = commands(&answer);
        assert_eq!(asked[0].items[0].0, ".?list=MORoot");
        answer = device.send(&mut connection, &Said::to(&answer).results(&asked[0], &roots).end()).await;
        let target = |sent: &Sent| sent.items.first().map_or(String::new(), |item| item.0.clone());
        let mut was_asked = false;
        loop {
            let sent = commands(&answer);
            if sent.is_empty() {
                break;
            }
            was_asked |= sent.iter().any(|sent| sent.name == "Exec");
            let said = sent.iter().fold(Said::to(&answer), |said, sent| {
                said.status(sent, if target(sent).contains(spoilt) { 405 } else { 200 })
            });
            answer = device.send(&mut connection, &said.end()).await;
        }
        assert_eq!(was_asked, is_asked, "{id}");
        let exec = server.exec(id).await;
        assert_eq!(exec["state"], if is_asked { "done" } else { "failed" }, "{exec}");
        if !is_asked {
            assert!(exec["reason"].as_str().unwrap().contains("PkgURL"), "{exec}");
        }
    }
}
