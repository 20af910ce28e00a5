//! Webhooks: added, tried, given up, sent again.

use super::{Browser, token};
use crate::harness::TestServer;
use crate::webhooks::{Receiver, allowed};

async fn add(browser: &Browser<'_>, fields: &[(&str, &str)]) -> crate::harness::Answer {
    browser.submit(&browser.page("/webhooks").await, "/webhooks", fields).await
}

#[tokio::test]
async fn a_webhook_is_added_and_its_key_is_shown_once() {
    let server = TestServer::with(allowed).await;
    let mut receiver = Receiver::start().await;
    let browser = Browser::admin(&server).await;
    let fields =
        [("name", "tickets"), ("url", receiver.url.as_str()), ("kind", "device"), ("kind", "command")];
    let made = add(&browser, &fields).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let secret = made.text().split("whsec_").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(secret.len() > 20);
    let one = browser.page("/webhooks/tickets").await;
    assert!(one.contains(&receiver.url) && one.contains("command") && !one.contains(&secret), "{one}");
    let tried = browser.submit(&one, "/webhooks/tickets/test", &[]).await;
    assert_eq!(tried.header("location"), "/webhooks/tickets");
    assert_eq!(receiver.requests.recv().await.unwrap().0["omadm-webhook"], "tickets");
    server.enrol("IMEI:1").await;
    assert!(receiver.requests.recv().await.unwrap().2.contains("IMEI:1"));
    let again = browser.submit(&one, "/webhooks/tickets/replay", &[("since", "2001-01-01T00:00")]).await;
    assert_eq!(again.status, 303, "{}", again.text());
    assert!(receiver.requests.recv().await.unwrap().2.contains("IMEI:1"));
    let typed = browser.submit(&one, "/webhooks/tickets/replay", &[("since", "yesterday")]).await;
    assert!(
        typed.status == 400 && typed.text().contains("since is &quot;yesterday&quot;"),
        "{}",
        typed.text()
    );

    let question = browser.page("/webhooks/tickets/remove").await;
    assert_eq!(
        browser.submit(&question, "/webhooks/tickets/remove", &[]).await.header("location"),
        "/webhooks"
    );
    assert_eq!(browser.get("/webhooks/tickets").await.status, 404);
    assert_eq!(browser.submit(&one, "/webhooks/tickets/test", &[("again", "1")]).await.status, 404);
}

#[tokio::test]
async fn what_was_given_up_is_sent_again_by_a_button() {
    let server = TestServer::with(|config| {
        allowed(config);
        config.webhook.max_attempts = 1;
    })
    .await;
    let mut receiver = Receiver::start().await;
    receiver.answers(503);
    let browser = Browser::admin(&server).await;
    add(&browser, &[("name", "h"), ("url", receiver.url.as_str()), ("kind", "device")]).await;
    server.enrol("IMEI:1").await;
    receiver.requests.recv().await.unwrap();
    while server.items("/webhooks/h/dead").await.is_empty() {}
    let one = browser.page("/webhooks/h").await;
    assert!(one.contains("the answer was 503") && one.contains("Send again"), "{one}");
    receiver.answers(200);
    let dead = super::hidden(&one, "dead");
    let sent = browser.submit(&one, "/webhooks/h/replay", &[("dead", &dead)]).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    assert!(receiver.requests.recv().await.unwrap().2.contains("IMEI:1"));
    assert!(browser.page("/webhooks/h").await.contains("None."));
    assert_eq!(browser.submit(&one, "/webhooks/h/replay", &[("dead", &dead), ("x", "1")]).await.status, 404);
}

#[tokio::test]
async fn what_is_refused_keeps_what_was_typed_and_roles_see_their_own() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let refused =
        add(&browser, &[("name", "in\"><b>"), ("url", "http://127.0.0.1/"), ("kind", "alert")]).await;
    let text = refused.text();
    assert!(refused.status.is_client_error() && text.contains("in&quot;&gt;&lt;b&gt;"), "{text}");
    assert!(
        text.contains(r#"name="kind" value="alert" checked"#) && text.contains("role=\"alert\""),
        "{text}"
    );
    let viewer = token(&server, "viewer", None).await;
    let seen = Browser::with_token(&server, &viewer).await.get("/webhooks").await;
    let of_api = server.api_as(&viewer, "GET", "/webhooks", None).await;
    assert_eq!(seen.status, of_api.status, "{}", seen.text());
    assert!(!seen.text().contains("Add it"));
    assert!(server.items("/webhooks").await.is_empty());
}
