//! Who sees the devices of one group only sees no trace of others, on any route.

use serde_json::{Value, json};

use crate::harness::{Answer, TestServer};

/// Somebody's and somebody else's device, and one that does not exist. All names have the same length.
const OWN: &str = "A:1";
const OTHER: &str = "B:1";
const NOBODY: &str = "C:1";

struct Fleet {
    server: TestServer,
    /// Sees the group of `A:1`.
    token: String,
    own_command: String,
    other_command: String,
}

impl Fleet {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let (own, other) = (server.enrol(OWN).await, server.enrol(OTHER).await);
        let group = server.api("PUT", "/groups/a", Some(json!({ "filter": "id ~ \"A:*\"" }))).await;
        assert!(group.status.is_success(), "{}", group.text());
        let get = || json!({ "verb": "get", "address": "urn:x:mo:1.0//" });
        let (own_command, other_command) =
            (server.queue(&own, get()).await, server.queue(&other, get()).await);
        let new = json!({ "name": "a", "role": "admin", "groups": ["a"] });
        let token =
            server.api("POST", "/tokens", Some(new)).await.json()["token"].as_str().unwrap().to_owned();
        Self { server, token, own_command, other_command }
    }

    async fn ask(&self, method: &str, path: &str) -> Answer {
        let body = (method != "GET").then(|| json!({}));
        self.server.api_as(&self.token, method, path, body).await
    }

    async fn ids(&self, path: &str, member: &str) -> Vec<Value> {
        let answer = self.ask("GET", path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()["items"].as_array().unwrap().iter().map(|item| item[member].clone()).collect()
    }
}

#[tokio::test]
async fn a_device_of_others_is_as_unknown_as_one_that_does_not_exist() {
    let fleet = Fleet::start().await;
    let document = fleet.server.get("/openapi.json").await;
    let (mut of_devices, mut closed) = (0, 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        let part = "00000000-0000-7000-8000-000000000000";
        for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            if path.starts_with("/devices/{id}") || path == "/bootstrap/{id}" {
                let of =
                    |id: &str| path.replace("{id}", id).replace("{session}", "1").replace("{payload}", part);
                let (other, nobody) =
                    (fleet.ask(&method, &of(OTHER)).await, fleet.ask(&method, &of(NOBODY)).await);
                assert_eq!(other.status, 404, "{method} {path}: {}", other.text());
                assert_eq!(nobody.status, 404, "{method} {path}: {}", nobody.text());
                assert_eq!(other.text().replace(OTHER, NOBODY), nobody.text(), "{method} {path}");
                of_devices += 1;
            } else if path.contains("{command}") {
                let (other, nobody) = (
                    fleet.ask(&method, &path.replace("{command}", &fleet.other_command)).await,
                    fleet.ask(&method, &path.replace("{command}", part)).await,
                );
                assert_eq!((other.status.as_u16(), nobody.status.as_u16()), (404, 404), "{method} {path}");
                assert_eq!(
                    other.text().replace(&fleet.other_command, part),
                    nobody.text(),
                    "{method} {path}"
                );
                of_devices += 1;
            } else if path != "/events/stream" {
                let answer = fleet.ask(&method, &path.replace(['{', '}'], "")).await;
                assert!(!answer.text().contains(OTHER), "{method} {path}: {}", answer.text());
                closed += usize::from(answer.status == 403);
            }
        }
    }
    assert!(of_devices > 15 && closed > 20, "{of_devices} {closed}");
    let unharmed = fleet.server.get(&format!("/commands/{}", fleet.other_command)).await;
    assert_eq!(unharmed["state"], "queued");
}

#[tokio::test]
async fn listings_hold_ones_own_devices() {
    let fleet = Fleet::start().await;
    assert_eq!(fleet.ids("/devices", "id").await, [OWN]);
    assert_eq!(fleet.ids("/devices?filter=id%20~%20%22B%3A*%22", "id").await, [""; 0]);
    assert_eq!(fleet.ids("/events", "device").await, [OWN]);
    assert_eq!(fleet.ids(&format!("/events?device={OTHER}"), "device").await, [""; 0]);
    assert_eq!(fleet.ids(&format!("/events?device={NOBODY}"), "device").await, [""; 0]);
    assert_eq!(fleet.ids("/events?limit=1", "device").await, [OWN]);
    assert_eq!(fleet.ask("GET", &format!("/commands/{}", fleet.own_command)).await.status, 200);
    assert_eq!(fleet.ask("GET", &format!("/devices/{OWN}/commands")).await.status, 200);
    assert_eq!(fleet.ask("DELETE", &format!("/devices/{OWN}")).await.status, 204);
}

#[tokio::test]
async fn a_group_changes_what_is_seen_at_once_and_stays_while_it_is_used() {
    let fleet = Fleet::start().await;
    let change = json!({ "filter": "id ~ \"B:*\"" });
    assert_eq!(fleet.server.api("PUT", "/groups/a", Some(change)).await.status, 200);
    assert_eq!(fleet.ids("/devices", "id").await, [OTHER]);
    assert_eq!(fleet.ask("GET", &format!("/devices/{OWN}")).await.status, 404);
    assert_eq!(fleet.server.api("DELETE", "/groups/a", None).await.status, 409, "a token is kept to it");
    assert_eq!(fleet.server.api("DELETE", "/tokens/a", None).await.status, 204);
    assert_eq!(fleet.server.api("DELETE", "/groups/a", None).await.status, 204);
}
