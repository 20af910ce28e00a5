//! What the server runs with.

use std::sync::Arc;

use omadm_server::config::{Origin, Settings};
use omadm_server::{Config, Server};
use serde_json::{Value, json};

use super::Browser;
use crate::harness::TestServer;

/// A server with some settings, of which two say where they come from.
async fn server() -> TestServer {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let mut config = Config::default();
    config.server.data_dir = dir.path().to_owned();
    config.device.listen = ([127, 0, 0, 1], 0).into();
    config.operator.listen = ([127, 0, 0, 1], 0).into();
    config.sms.url = Some("https://gateway.example/send?to={to}&key=hush".to_owned());
    config.queue.max_attempts = 5;
    let mut settings = Settings::from(config);
    settings.origins.note("queue.max_attempts", Origin::File { path: "/etc/omadm.toml".into(), line: 7 });
    settings.origins.note("server.data_dir", Origin::Argument("--data".to_owned()));
    let running = Server::start(settings).await.unwrap();
    let token = running.first_token.as_ref().unwrap().expose().to_owned();
    TestServer { running, token, dir }
}

#[tokio::test]
async fn every_setting_tells_its_value_its_origin_and_its_meaning() {
    let server = server().await;
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let page = server.get(&format!("/settings?limit=50{after}")).await;
        all.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let of = |key: &str| all.iter().find(|one| one["key"] == key).unwrap_or_else(|| panic!("{key}")).clone();
    let attempts = of("queue.max_attempts");
    assert_eq!(
        (&attempts["value"], &attempts["default"], &attempts["given"]),
        (&json!(5), &json!(3), &json!(true))
    );
    assert_eq!(attempts["origin"], "/etc/omadm.toml line 7");
    assert!(attempts["about"].as_str().unwrap().contains("quarantined"), "{attempts}");
    assert_eq!(of("server.data_dir")["origin"], "the argument --data");
    assert_eq!(of("server.id")["origin"], "the default");
    assert_eq!(of("sms.url")["value"], "https://gateway.example/send?…");
    assert_eq!(of("sms.url")["origin"], "the program");
    assert!(all.len() > 200 && !json!(all).to_string().contains("hush"), "{}", all.len());
    let given = server.get("/settings?given=true").await;
    let keys: Vec<&Value> = given["items"].as_array().unwrap().iter().map(|one| &one["key"]).collect();
    assert_eq!(
        keys,
        ["server.data_dir", "device.listen", "operator.listen", "queue.max_attempts", "sms.url"]
    );
    let section = server.items("/settings?section=queue").await;
    assert!(
        section.len() >= 4 && section.iter().all(|one| one["key"].as_str().unwrap().starts_with("queue."))
    );
    assert_eq!(server.api("GET", "/settings?after=none", None).await.status, 400);
}

#[tokio::test]
async fn settings_are_for_those_who_may_see_them() {
    let server = TestServer::start().await;
    for (role, status) in [("viewer", 403), ("operator", 403), ("auditor", 200)] {
        let token = super::token(&server, role, None).await;
        for path in ["/settings", "/server/state"] {
            assert_eq!(server.api_as(&token, "GET", path, None).await.status, status, "{role} {path}");
        }
    }
}

#[tokio::test]
async fn pages_of_settings_say_what_the_server_runs_with() {
    let server = server().await;
    let browser = Browser::admin(&server).await;
    let state = browser.page("/settings").await;
    let address = server.running.device_addr.to_string();
    assert!(
        state.contains(&address) && state.contains("device.listen") && state.contains("SQLite"),
        "{state}"
    );
    let given = browser.page("/settings/given").await;
    assert!(
        given.contains("/etc/omadm.toml line 7")
            && given.contains("the argument --data")
            && !given.contains("hush"),
        "{given}"
    );
    let sections = browser.page("/settings/sections").await;
    assert!(sections.contains("href=\"/settings/sections/dm1.obex\""), "{sections}");
    for section in
        sections.split("href=\"/settings/sections/").skip(1).map(|rest| rest.split('"').next().unwrap())
    {
        let page = browser.page(&format!("/settings/sections/{section}")).await;
        assert!(
            page.len() < super::pages::MAX_PAGE && page.contains(&format!("<bdi>{section}.")),
            "{section}: {}",
            page.len()
        );
    }
    assert_eq!(browser.get("/settings/sections/none").await.status, 404);
}
