//! What outlives a session, the real device and the real server with each other.

use http::Method;
use omadm_conformance::ddf::{node, properties, tree};
use omadm_conformance::{Pair, TestBrowser, address};
use omadm_mo::{Moid, Value as Leaf};
use serde_json::{Value, json};

async fn events(pair: &Pair, kind: &str) -> Vec<Value> {
    pair.server.events(&pair.name).await.into_iter().filter(|event| event["kind"] == kind).collect()
}

#[tokio::test]
async fn an_execution_ends_when_the_device_says_so() {
    let mut pair = Pair::new().await;
    pair.device.plug.execution_goes_on("Walk");
    let walk = json!({ "verb": "exec", "address": address("Walk") });
    let run = json!({ "verb": "exec", "address": address("Run"), "later": true });
    let accepted = pair.run_all(&[walk, run]).await;
    for command in &accepted {
        assert_eq!((&command["state"], &command["status"]), (&json!("sent"), &json!(202)));
    }
    pair.device.plug.end("Walk", 1401);
    let mut ended = Vec::new();
    for _ in 0..2 {
        pair.device.report().await;
    }
    for command in &accepted {
        let command = pair.server.command(command["id"].as_str().unwrap()).await;
        assert_eq!(command["result"]["alert"]["data"]["sc"], command["status"], "{command}");
        ended.push((command["state"].clone(), command["status"].clone()));
    }
    assert_eq!(ended, [(json!("failed"), json!(1401)), (json!("done"), json!(200))]);
}

#[tokio::test]
async fn changes_on_the_device_are_seen_at_the_server() {
    let mut pair = Pair::new().await;
    let place = address("List");
    assert_eq!(pair.status(&json!({ "verb": "subscribe", "address": place })).await, 200);
    pair.device.set(&address("List/two/Value"), Leaf::Text("22".into()));
    pair.device.report().await;
    let seen = pair.server.known_value(&pair.name, &address("List/two/Value")).await;
    assert_eq!(seen, Some(json!("22")));
    assert_eq!(events(&pair, "report").await.len(), 1);
    assert_eq!(pair.status(&json!({ "verb": "unsubscribe", "address": place })).await, 200);
    pair.device.set(&address("List/two/Value"), Leaf::Text("23".into()));
    pair.device.report().await;
    assert_eq!(events(&pair, "report").await.len(), 1);
    let listed = pair.server.items(&format!("/devices/{}/subscriptions", pair.name.device_id)).await;
    assert!(listed.is_empty());
}

#[tokio::test]
async fn the_browser_of_the_device_gets_the_page_of_the_command() {
    let browser = TestBrowser::default();
    let mut pair = Pair::with(|setup| setup.browser = Some(browser.clone())).await;
    let page = json!({ "kind": "choice", "title": "Which?", "options": [{ "value": "a", "label": "A" }] });
    assert_eq!(pair.server.rest(Method::PUT, "/pages/which", Some(&page)).await.status, 200);
    let command = pair.run(&json!({ "verb": "show", "page": "which" })).await;
    assert_eq!((&command["state"], &command["status"]), (&json!("sent"), &json!(200)));
    let shown = browser.shown().pop().unwrap();
    let (_, path) = shown.split_once("/ui/").unwrap();
    let answered = pair.name.send(Method::POST, &format!("/ui/{path}"), &[], b"answer=a").await;
    assert_eq!(answered.status, 303);
    let command = pair.server.command(command["id"].as_str().unwrap()).await;
    assert_eq!(
        (&command["state"], &command["result"]["answer"]),
        (&json!("done"), &json!({ "choice": "a" }))
    );
}

#[tokio::test]
async fn a_device_gets_what_it_lacks_from_the_server() {
    let moid = "urn:oma:mo:oma-mms:1.3";
    let mut pair = Pair::with(|setup| {
        let all = "Add Delete Get Replace";
        let leaf = node("Name", &properties(all, "chr", "ZeroOrOne", ""), &[]);
        let name = format!("<DFType><DDFName>{moid}</DDFName></DFType>");
        let root = node("", &properties(all, "node", "ZeroOrMore", &name), &[leaf]);
        setup.data_objects.push(tree(&[root]));
    })
    .await;
    let items = json!([{ "ClientURI": format!("{moid}//"), "MOData": { "settings": { "Name": "kept" } } }]);
    assert_eq!(pair.status(&json!({ "verb": "default", "moid": moid, "items": items })).await, 200);
    let provisioned = pair.device.client.provision(&Moid::parse(moid).unwrap()).await.unwrap();
    assert!(provisioned.fetched, "{provisioned:?}");
    assert_eq!(pair.device.text(&format!("{moid}//Name")).as_deref(), Some("kept"));
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let mut pair = Pair::new().await;
    let whole = json!({ "verb": "get", "address": address("") });
    let sorted = |command: &Value| {
        let mut items = command["result"]["items"].as_array().unwrap().clone();
        items.sort_by_key(|item| item["address"].as_str().unwrap().to_owned());
        items
    };
    let first = pair.run(&whole).await;
    let second = pair.run(&whole).await;
    assert_eq!((first["status"].as_u64(), second["status"].as_u64()), (Some(200), Some(304)));
    assert_eq!(sorted(&first), sorted(&second));
    pair.device.set(&address("Text"), Leaf::Text("changed".into()));
    assert_eq!(pair.get(&address("Text")).await, (200, json!("changed")));
    assert_eq!(pair.run(&whole).await["status"], 200, "that was another state");
    assert_eq!(pair.run(&whole).await["status"], 304);
    assert_eq!(pair.set(&address("Text"), json!("ours")).await, 200);
    assert_eq!(pair.run(&whole).await["status"], 200, "we wrote");
    let upload = json!({ "verb": "upload", "address": address("") });
    let uploaded = pair.run(&upload).await;
    assert_eq!(uploaded["status"], 304);
    assert!(sorted(&uploaded).iter().any(|item| item["value"] == "ours"));
}
