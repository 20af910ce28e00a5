//! The log of events in plain words.

use serde_json::json;

use super::{Browser, token};
use crate::harness::{END, HELLO, LANG, TestServer};

#[tokio::test]
async fn events_are_told_in_words_and_found_by_kind_device_and_time() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.enrol("IMEI:2").await;
    server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    let mut connection = server.connect().await;
    connection.send(device.package1(HELLO)).await.commands();
    assert_eq!(connection.send(device.statuses(&[404])).await.text(), END);
    let browser = Browser::admin(&server).await;
    let page = browser.page("/events").await;
    assert!(
        page.contains("The device was enrolled by ") && page.contains("has failed with status 404"),
        "{page}"
    );
    let of_one = browser.page("/events?device=IMEI%3A1&kind=device&kind=command").await;
    assert!(
        of_one.contains("has failed") && !of_one.contains("IMEI:2") && !of_one.contains("Session"),
        "{of_one}"
    );
    let none = browser.page("/events?until=2001-01-01T00%3A00").await;
    assert!(none.contains("No event that is kept is like this."), "{none}");
    assert!(browser.page("/events?since=2001-01-01T00%3A00&kind=device").await.contains("IMEI:2"));
    assert!(browser.page("/events?since=2999-01-01").await.contains("No event"));

    for (path, said) in [
        ("/events?since=yesterday", "since is &quot;yesterday&quot;"),
        ("/events?device=not%20one", "the device id"),
        ("/events?kind=weather", "is no kind of events"),
        ("/events?after=x", "no cursor"),
    ] {
        let page = browser.page(path).await;
        assert!(page.contains(said) && !page.contains("data-live"), "{path}: {page}");
    }
    let told = browser.page("/devices/IMEI%3A1/events").await;
    assert!(told.contains("has failed with status 404"));
}

#[tokio::test]
async fn the_api_finds_events_by_time() {
    let server = TestServer::start().await;
    for number in 1..=3 {
        server.enrol(&format!("IMEI:{number}")).await;
    }
    let all = server.items("/events?kind=device").await;
    let at = all[1]["at"].as_str().unwrap();
    let of = async |query: &str| {
        let items = server.items(&format!("/events?kind=device&{query}")).await;
        items.iter().map(|event| event["device"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of(&format!("since={at}")).await, ["IMEI:2", "IMEI:3"]);
    assert_eq!(of(&format!("until={at}")).await, ["IMEI:1"]);
    assert_eq!(of(&format!("since={at}&before=end")).await, ["IMEI:3", "IMEI:2"]);
    assert_eq!(of(&format!("until={at}&before=end")).await, ["IMEI:1"]);
    assert_eq!(of(&format!("since={at}&until={at}")).await, [""; 0]);
    assert_eq!(of("since=2999-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(of("until=2999-01-01T00:00:00Z").await.len(), 3);
    assert_eq!(server.api("GET", "/events?since=2026-01-01", None).await.status, 400);
}

#[tokio::test]
async fn the_log_is_paged_by_cursor() {
    let server = TestServer::start().await;
    let devices: Vec<_> = (0..120).map(|number| json!({ "id": format!("IMEI:{number:015}") })).collect();
    assert_eq!(server.api("POST", "/devices/batch", Some(json!({ "devices": devices }))).await.status, 201);
    let browser = Browser::admin(&server).await;
    let mut path = "/events?kind=device".to_owned();
    let mut seen = 0;
    loop {
        let page = browser.page(&path).await;
        assert!(page.len() < 150_000, "{}", page.len());
        seen += page.matches("The device was enrolled").count();
        let next = page.split("class=\"button\" href=\"").find_map(|rest| rest.split_once("\" rel=\"next\""));
        let Some((next, _)) = next else { break };
        path = next.replace("&amp;", "&");
    }
    assert_eq!(seen, 120);
}

#[tokio::test]
async fn who_may_not_read_events_is_not_led_there() {
    let server = TestServer::start().await;
    let body = json!({ "name": "narrow", "role": "operator", "scopes": ["devices:read"] });
    let narrow = server.api("POST", "/tokens", Some(body)).await.json()["token"].as_str().unwrap().to_owned();
    let browser = Browser::with_token(&server, &narrow).await;
    let page = browser.page("/devices").await;
    for href in ["href=\"/events\"", "href=\"/webhooks\"", "href=\"/pages\"", "href=\"/ddfs\""] {
        assert!(!page.contains(href), "{href}");
    }
    assert_eq!(browser.get("/events").await.status, 403);
    let viewer = Browser::with_token(&server, &token(&server, "viewer", None).await).await;
    assert!(viewer.page("/events").await.contains("Export JSON"));
}
