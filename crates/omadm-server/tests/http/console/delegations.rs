//! Delegations between servers.

use omadm_server::Config;
use serde_json::json;

use super::{Browser, token};
use crate::harness::TestServer;

/// Switches delegation on, with another server that is never reached.
fn with_peer(config: &mut Config) {
    config.delegation.enabled = true;
    config.delegation.listen = ([127, 0, 0, 1], 0).into();
    config.delegation.peers = vec![
        serde_json::from_value(json!({
            "server_id": "dm.b.example",
            "url": "https://127.0.0.1:9/",
            "pin": "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        }))
        .unwrap(),
    ];
}

#[tokio::test]
async fn rights_are_offered_looked_at_and_taken_back() {
    let server = TestServer::with(with_peer).await;
    server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let list = browser.page("/delegations").await;
    assert!(
        list.contains("There is no delegation") && list.contains("dm.b.example") && list.contains("sha256/"),
        "{list}"
    );
    let form = browser.page("/delegations/new").await;
    let mut fields = vec![
        ("what", "offer"),
        ("peer", "dm.b.example"),
        ("devices", "IMEI:1\r\n"),
        ("targets", "./A"),
        ("rights", "Get"),
        ("rights", "Exec"),
        ("not_after", "tomorrow"),
        ("reason", "<repair>"),
    ];
    let bad = browser.submit(&form, "/delegations/new", &fields).await;
    assert_eq!(bad.status, 400);
    assert!(
        bad.text().contains(r#"id="not_after-fault""#) && bad.text().contains(r#"value="Exec" checked"#),
        "{}",
        bad.text()
    );
    fields[6].1 = "2999-01-01T00:00:00Z";
    let made = browser.submit(bad.text(), "/delegations/new", &fields).await;
    assert_eq!(made.status, 303, "{}", made.text());
    let here = made.header("location").to_owned();
    let page = browser.page(&here).await;
    assert!(
        page.contains("Get Exec") && page.contains("IMEI:1") && page.contains("this server gives its own"),
        "{page}"
    );
    assert!(!page.contains("/approve\""), "what this server has offered is for the other to decide on");
    assert!(browser.page("/delegations").await.contains("to <bdi>dm.b.example"));
    let ask = browser.page(&format!("{here}/cancel")).await;
    let done = browser.submit(&ask, &format!("{here}/cancel"), &[("reason", "no")]).await;
    assert_eq!(done.header("location"), here, "{}", done.text());
    let page = browser.page(&here).await;
    assert!(!page.contains("/cancel\"") && page.contains("ended"), "{page}");
    let late = browser
        .submit(&browser.page(&format!("{here}/release")).await, &format!("{here}/release"), &[])
        .await;
    assert_eq!(late.status, 409, "{}", late.text());
}

#[tokio::test]
async fn a_server_that_delegates_nothing_says_so() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let list = browser.page("/delegations").await;
    assert!(list.contains("delegation is off") && !list.contains("/delegations/new"), "{list}");
    assert_eq!(browser.get("/delegations/new").await.status, 409);
    assert_eq!(browser.get("/delegations/018f0000-0000-7000-8000-000000000000").await.status, 404);
    assert_eq!(browser.get("/delegations/018f0000-0000-7000-8000-000000000000/eat").await.status, 404);
}

#[tokio::test]
async fn viewers_see_delegations_and_change_none() {
    let server = TestServer::with(with_peer).await;
    let viewer = Browser::with_token(&server, &token(&server, "viewer", None).await).await;
    let list = viewer.page("/delegations").await;
    assert!(!list.contains("/delegations/new"));
    let refused = viewer.submit(&list, "/delegations/new", &[("what", "offer")]).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
}
