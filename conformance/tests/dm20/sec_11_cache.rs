//! The cache of management objects on the device (`DM 2.0 §11`).

use std::collections::BTreeSet;

use omadm_conformance::{Bench, MOID, TestServer, address, commands, proves, single};
use omadm_mo::{Moid, NodeName, Value as Leaf};
use serde_json::{Value, json};

/// The validator that a read of the root of `alpha` brings.
async fn validator(bench: &mut Bench) -> String {
    let answer = bench.run(json!([["GET", address("")]])).await;
    assert_eq!(answer.statuses(), [200]);
    let item = answer.part(0).unwrap().items().remove(0);
    item["CV"].as_str().expect("CV is a string").to_owned()
}

fn with_cv(path: &str, cv: &str) -> String {
    address(&format!("{path}?cv={cv}"))
}

#[tokio::test]
async fn the_current_validator_saves_the_data() {
    proves!(
        "DM-MEC-002-C-O",
        "D2-11-02",
        "D2-11.1-01",
        "D2-11.1-04",
        "D2-11.2-03",
        "D2-11.2-04",
        "D2-11.2-05",
        "D2-11.2-06",
        "D2-11.2-08"
    );
    let mut bench = Bench::new().await;
    let cv = validator(&mut bench).await;
    assert!(!cv.is_empty());
    assert_eq!(validator(&mut bench).await, cv, "without cv the data comes again, with the same validator");
    let up = bench.server.take("/up");
    for path in ["", "Text", "List", "List/one/Data/1/Date"] {
        let place = with_cv(path, &cv);
        let answer = bench.run(json!([["GET", place], ["HPUT", up, place], ["HPOST", up, place]])).await;
        assert_eq!(answer.statuses(), [304, 304, 304], "{path}");
        assert!(answer.parts.is_empty(), "{path}");
    }
    assert!(bench.server.data_requests().is_empty(), "nothing was sent to the Data Repository");
    let all = bench.run(json!([["GET", format!("{MOID}/*/")]])).await.part(0).unwrap().items();
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|item| item["CV"].as_str().is_some_and(|cv| !cv.is_empty())), "each has its own");
    assert_ne!(all[0]["CV"], all[1]["CV"]);
}

#[tokio::test]
async fn every_change_in_the_instance_changes_its_validator() {
    proves!("D2-11.1-02");
    let mut bench = Bench::new().await;
    let mut seen = BTreeSet::from([validator(&mut bench).await]);
    assert_eq!(bench.hget(&address("Text"), json!("new")).await, 200);
    assert!(seen.insert(validator(&mut bench).await), "a leaf is written");
    assert_eq!(bench.hget(&address("List/three"), json!({ "ID": "x" })).await, 200);
    assert!(seen.insert(validator(&mut bench).await), "a node is added");
    assert_eq!(bench.status(json!(["DELETE", address("List/three")])).await, 200);
    assert!(seen.insert(validator(&mut bench).await), "a node is deleted, and all is as it was");
    let moid = Moid::parse(MOID).unwrap();
    let local = bench.device.client.device_mut().change(|tree| {
        let root = tree.tree().instances_of(&moid).next().unwrap().root;
        let count = tree.tree().node(root).unwrap().child("Count").unwrap().id();
        Ok(tree.set(count, Leaf::Int(7))?)
    });
    local.unwrap();
    assert!(seen.insert(validator(&mut bench).await), "the device changes a value");
    let last = validator(&mut bench).await;
    assert_eq!(bench.hget(&format!("{MOID}/beta/Text"), json!("new")).await, 200);
    assert_eq!(bench.hget(&single("Note"), json!("new")).await, 200);
    assert_eq!(bench.status(json!(["DELETE", address("None")])).await, 404);
    assert_eq!(bench.hget(&address("ReadOnly"), json!("refused")).await, 403);
    assert_eq!(validator(&mut bench).await, last, "other instances and refused commands do not count");
    assert!(NodeName::parse(&last).is_ok(), "it can stand in an address as it is");
    bench.device = bench.device.killed_and_restarted();
    assert_eq!(validator(&mut bench).await, last, "it outlives a kill");
}

#[tokio::test]
async fn a_stale_or_unknown_validator_brings_the_data() {
    proves!("D2-11.1-03", "D2-11.2-07", "D2-11.2-09");
    let mut bench = Bench::new().await;
    let stale = validator(&mut bench).await;
    assert_eq!(bench.hget(&address("List/two/Value"), json!("22")).await, 200);
    let current = validator(&mut bench).await;
    let up = bench.server.take("/up");
    for cv in [stale.as_str(), "garbage", "00", "%C3%BC", &format!("{current}0")] {
        let (root, leaf) = (with_cv("", cv), with_cv("Text", cv));
        let answer =
            bench.run(json!([["GET", root], ["GET", leaf], ["HPUT", up, leaf], ["HPOST", up, root]]));
        let answer = answer.await;
        assert_eq!(answer.statuses(), [200, 200, 200, 200], "{cv}");
        assert_eq!(answer.part(0).unwrap().items()[0]["CV"], current.as_str());
        assert_ne!(current, cv);
        assert_eq!(
            answer.value(1),
            "text of alpha",
            "all of the instance is stale, not only what has changed"
        );
        let sent = bench.server.data_requests().pop().unwrap();
        assert_eq!(sent.json()[0]["CV"], current.as_str());
    }
    assert_eq!(bench.status(json!(["GET", with_cv("", &current)])).await, 304);
}

#[tokio::test]
async fn a_server_that_knows_no_validator_sends_none() {
    proves!("D2-11.2-02");
    let (server, device) = TestServer::with_device().await;
    for command in [
        json!({ "verb": "get", "address": address("") }),
        json!({ "verb": "upload", "addresses": [address(""), address("Text")] }),
    ] {
        server.queue(&device, &command).await;
    }
    let sent = commands(&device.begin().await);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], ["GET", &address("")]);
    assert!(Value::from(sent.concat()).to_string().contains("HPUT"));
    assert!(sent.concat().iter().all(|word| !word.contains("cv=")), "{sent:?}");
}
