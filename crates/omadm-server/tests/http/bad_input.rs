//! Profiles and campaigns that cannot be meant: each is refused with what is wrong, where, and what to do.

use serde_json::{Value, json};

use crate::ddf::PUMP;
use crate::harness::{END, HELLO, TestServer};

const MOID: &str = "urn:vendor:mo:pump:1.0";

fn at(path: &str) -> String {
    format!("{MOID}//{path}")
}

async fn server_with_pump() -> TestServer {
    let server = TestServer::start().await;
    assert_eq!(server.put_ddf("pump.ddf", PUMP).await.status, 200);
    server
}

#[tokio::test]
async fn profiles_that_contradict_the_ddf_or_themselves() {
    let server = server_with_pump().await;
    let leaf = |path: &str, value: Value| json!({ "address": at(path), "value": value });
    let notes = |number: usize| -> Vec<Value> {
        (0..number).map(|number| leaf(&format!("Notes/n{number}"), json!("<a/>"))).collect()
    };
    for (nodes, place, what) in [
        (
            vec![leaf("Colour", json!("red"))],
            "node 1 (urn:vendor:mo:pump:1.0//Colour)",
            "describes no such node",
        ),
        (vec![leaf("Level", json!("high"))], "node 1 ", "pump.ddf"),
        (vec![leaf("Notes", json!("text"))], "node 1 ", "an interior node, which has no value"),
        (vec![json!({ "address": at("Level"), "interior": true })], "node 1 ", "it is a leaf"),
        (vec![leaf("Run", json!(""))], "node 1 ", "does not allow Add or Replace here; it allows"),
        (vec![json!({ "address": at("Level"), "absent": true })], "node 1 ", "permanent"),
        (notes(5), "node 5 ", "at most 4 such nodes"),
        (vec![leaf("Level", json!(1)), leaf("Level", json!(2))], "node 2 ", "of the same address"),
    ] {
        let document = json!({ "name": "base", "node": nodes });
        let answer = server.api("PUT", "/profiles/base", Some(document)).await;
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(
            answer.status == 400 && detail.starts_with(place) && detail.contains(what),
            "{what}: {} {detail}",
            answer.status
        );
    }
    let most = json!({ "name": "base", "node": notes(4) });
    assert_eq!(server.api("PUT", "/profiles/base", Some(most)).await.status, 200);
    let forced = json!({ "name": "base", "node": [leaf("Level", json!("high"))] });
    let answer = server.api("PUT", "/profiles/base?force=true", Some(forced)).await;
    assert!(answer.status == 200 && answer.json()["warnings"][0].as_str().unwrap().contains("pump.ddf"));
    let broken =
        server.api_text("PUT", "/profiles/base", "{\"name\": \"base\",\n \"node\": [}".to_owned()).await;
    let detail = broken.json()["detail"].as_str().unwrap().to_owned();
    assert!(broken.status == 400 && detail.starts_with("line 2, column "), "{detail}");
}

#[tokio::test]
async fn profiles_that_contradict_each_other() {
    let server = server_with_pump().await;
    for (name, level) in [("one", 1), ("two", 2)] {
        let document = json!({ "name": name, "node": [{ "address": at("Level"), "value": level }] });
        assert_eq!(server.api("PUT", &format!("/profiles/{name}"), Some(document)).await.status, 200);
    }
    let assign =
        async |name: &str| server.api("PUT", &format!("/profiles/{name}/assignment"), Some(json!({}))).await;
    assert_eq!(assign("one").await.status, 200);
    let refused = assign("two").await;
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(refused.status, 409);
    for part in ["one", &at("Level"), "give one of them a higher priority"] {
        assert!(detail.contains(part), "{detail}");
    }
}

#[tokio::test]
async fn campaigns_that_contradict_the_ddf() {
    let server = server_with_pump().await;
    for (command, what) in [
        (json!({ "verb": "get", "address": at("Colour") }), "describes no such node"),
        (json!({ "verb": "set", "address": at("Level"), "value": "high" }), "Level"),
        (json!({ "verb": "exec", "address": at("Level") }), "does not allow Exec"),
        (json!({ "verb": "delete", "address": at("Level") }), "permanent"),
    ] {
        let mut document = json!({ "name": "c", "change": { "command": command } });
        let refused = server.api("POST", "/campaigns", Some(document.clone())).await;
        let detail = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(
            refused.status == 400 && detail.contains(what) && detail.contains("force"),
            "{command}: {detail}"
        );
        document["change"]["command"]["force"] = json!(true);
        document["name"] = json!(what);
        assert_eq!(server.api("POST", "/campaigns", Some(document)).await.status, 201, "{command}");
    }
}

#[tokio::test]
async fn limits_of_campaigns_are_those_of_the_configuration() {
    let server = TestServer::with(|config| {
        config.campaigns.max_content.0 = 2_048;
        config.campaigns.max_stages = 2;
        config.campaigns.max_attempts = 2;
    })
    .await;
    let set = |length: usize| {
        let command = json!({ "verb": "set", "address": "urn:x:1.0//A", "value": "x".repeat(length) });
        json!({ "change": { "command": command } })
    };
    let stages = |number: usize| {
        let stages: Vec<_> = (1..=number).map(|n| json!({ "percent": 100 / number * n })).collect();
        json!({ "stages": stages })
    };
    let attempts = |number: u32| json!({ "retry": { "attempts": number } });
    for (well, beyond, key) in [
        (set(2_048), set(2_049), "campaigns.max_content"),
        (
            stages(2),
            json!({ "stages": [{ "percent": 1 }, { "percent": 2 }, { "percent": 100 }] }),
            "campaigns.max_stages",
        ),
        (attempts(2), attempts(3), "campaigns.max_attempts"),
    ] {
        for (change, status) in [(well, 201), (beyond, 400)] {
            let mut document =
                json!({ "name": key, "change": { "command": { "verb": "get", "address": "urn:x:1.0//A" } } });
            for (name, value) in change.as_object().unwrap() {
                document[name] = value.clone();
            }
            let answer = server.api("POST", "/campaigns", Some(document)).await;
            assert_eq!(answer.status, status, "{}", answer.text());
            assert!(status == 201 || answer.text().contains(key), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_ddf_file_that_is_stored_later_counts_for_what_was_stored_before() {
    let server = TestServer::start().await;
    let document = json!({ "name": "base", "node": [{ "address": at("Level"), "value": "07" }] });
    assert_eq!(server.api("PUT", "/profiles/base", Some(document)).await.status, 200);
    assert_eq!(server.api("PUT", "/profiles/base/assignment", Some(json!({}))).await.status, 200);
    // The device has the same number, written otherwise; whether that is the same only the format tells.
    let told = async |id: &str| {
        let device = server.enrol(id).await;
        let mut connection = server.connect().await;
        let hello = HELLO.replacen(
            '{',
            &format!("{{\"MOS\":[{{\"DDF\":\"\",\"MOID\":\"{MOID}\",\"MIID\":[\"P\"]}}],"),
            1,
        );
        let answer = connection.send(device.package1(hello)).await;
        assert_eq!(answer.commands(), [["GET".to_owned(), at("Level")]]);
        connection.send(device.data("text/plain", "7")).await.text().to_owned()
    };
    assert!(told("IMEI:1").await.contains("HGET"));
    assert_eq!(server.put_ddf("pump.ddf", PUMP).await.status, 200);
    // Storing anything has the server read the files.
    assert_eq!(server.api("PUT", "/profiles/other", Some(json!({ "name": "other" }))).await.status, 200);
    assert_eq!(told("IMEI:2").await, END);
}
