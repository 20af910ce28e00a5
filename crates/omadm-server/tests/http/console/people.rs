//! Users, tokens, and one's own account.

use serde_json::json;

use super::{Browser, token};
use crate::harness::TestServer;

const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "another horse battery";

/// A browser of a user who logs in with a password.
async fn logged_in<'s>(server: &'s TestServer, user: &str, password: &str) -> Browser<'s> {
    let mut browser = Browser::new(server);
    let answer = browser.send("/login", &[("user", user), ("password", password), ("to", "/")]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    browser.keep_cookie(&answer);
    browser
}

async fn add_user(server: &TestServer, name: &str, role: &str) {
    let body = json!({ "name": name, "role": role, "password": PASSWORD });
    assert_eq!(server.api("POST", "/users", Some(body)).await.status, 201);
}

#[tokio::test]
async fn a_user_is_added_changed_and_removed() {
    let server = TestServer::start().await;
    assert_eq!(
        server.api("PUT", "/groups/site", Some(json!({ "filter": "model = X", "version": 0 }))).await.status,
        201
    );
    let browser = Browser::admin(&server).await;
    let form = browser.page("/new-user").await;
    assert!(form.contains("value=\"site\"") && form.contains("type=\"password\""), "{form}");
    let fields = [
        ("name", "ann <b>"),
        ("role", "viewer"),
        ("password", "short"),
        ("reach", "groups"),
        ("group", "site"),
    ];
    let refused = browser.submit(&form, "/users", &fields).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    let page = refused.text();
    assert!(
        page.contains("value=\"ann &lt;b&gt;\"") && page.contains("value=\"site\" checked"),
        "what was typed is kept: {page}"
    );
    assert!(
        page.contains("id=\"password-fault\"><p><bdi>a password has 12 to 1024 characters")
            && !page.contains("short"),
        "{page}"
    );
    let fields = [
        ("name", "ann <b>"),
        ("role", "viewer"),
        ("password", PASSWORD),
        ("reach", "groups"),
        ("group", "site"),
    ];
    let added = browser.submit(page, "/users", &fields).await;
    assert_eq!(
        (added.status.as_u16(), added.header("location")),
        (303, "/users/ann%20%3Cb%3E"),
        "{}",
        added.text()
    );
    let page = browser.page("/users/ann%20%3Cb%3E").await;
    assert!(page.contains("<h1><bdi>ann &lt;b&gt;</bdi></h1>") && page.contains("<bdi>site</bdi>"), "{page}");

    let none = browser
        .submit(&page, "/users/ann%20%3Cb%3E/rights", &[("role", "operator"), ("reach", "groups")])
        .await;
    assert_eq!(none.status, 400);
    assert!(none.text().contains("id=\"groups-fault\""), "{}", none.text());
    let changed = browser
        .submit(none.text(), "/users/ann%20%3Cb%3E/rights", &[("role", "operator"), ("reach", "all")])
        .await;
    assert_eq!(changed.status, 303, "{}", changed.text());
    let user = server.get("/users/ann%20%3Cb%3E").await;
    assert_eq!((&user["role"], &user["groups"]), (&json!("operator"), &json!(null)));
    let page = browser.page("/users/ann%20%3Cb%3E").await;
    assert_eq!(
        browser.submit(&page, "/users/ann%20%3Cb%3E/password", &[("password", OTHER)]).await.status,
        303
    );
    logged_in(&server, "ann <b>", OTHER).await;

    let question = browser.page("/users/ann%20%3Cb%3E/remove").await;
    assert_eq!(
        browser.submit(&question, "/users/ann%20%3Cb%3E/remove", &[]).await.header("location"),
        "/users"
    );
    let gone = browser.get("/users/ann%20%3Cb%3E").await;
    assert_eq!(gone.status, 404, "{}", gone.text());
    assert!(browser.page("/users").await.contains("There are no users yet"));
}

#[tokio::test]
async fn a_token_is_shown_once_and_narrowed() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let form = browser.page("/new-token").await;
    let fields = [
        ("name", "ci"),
        ("role", "operator"),
        ("within", "scopes"),
        ("scope", ""),
        ("scope", "devices:read"),
        ("scope", "commands:write"),
        ("reach", "all"),
        ("expires_in", "86400"),
    ];
    let made = browser.submit(&form, "/tokens", &fields).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let again = browser.submit(&form, "/tokens", &fields).await;
    let secret = made.text().split("<bdi>omadm_").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
    assert!(again.text().contains(secret), "who clicks twice sees it, too: {}", again.text());
    let me = server.api_as(&format!("omadm_{secret}"), "GET", "/me", None).await.json();
    assert_eq!(me["scopes"], json!(["devices:read", "commands:write"]), "{me}");
    assert!(me["until"].is_string());
    let listed = browser.page("/tokens").await;
    assert!(
        listed.contains("<bdi>ci</bdi>") && listed.contains("commands:write") && !listed.contains(secret),
        "{listed}"
    );

    let form = browser.page("/new-token").await;
    let twice = browser.submit(&form, "/tokens", &[("name", "ci"), ("role", "viewer")]).await;
    assert_eq!(twice.status, 409);
    assert!(
        twice.text().contains("id=\"name-fault\"") && twice.text().contains("revoke it first"),
        "{}",
        twice.text()
    );
    let question = browser.page("/tokens/ci/revoke").await;
    assert_eq!(browser.submit(&question, "/tokens/ci/revoke", &[]).await.header("location"), "/tokens");
    assert_eq!(server.api_as(&format!("omadm_{secret}"), "GET", "/me", None).await.status, 401);
    let late = browser.submit(&browser.page("/tokens/ci/revoke").await, "/tokens/ci/revoke", &[]).await;
    assert_eq!(late.status, 404, "{}", late.text());
}

#[tokio::test]
async fn who_has_a_password_changes_it() {
    let server = TestServer::start().await;
    add_user(&server, "ann", "operator").await;
    let (browser, other) =
        (logged_in(&server, "ann", PASSWORD).await, logged_in(&server, "ann", PASSWORD).await);
    let page = browser.page("/me").await;
    assert!(
        page.contains("see and change devices, their trees and sessions") && !page.contains("audit log"),
        "{page}"
    );
    let fields = |old: &'static str, new: &'static str, again: &'static str| {
        [("old_password", old), ("new_password", new), ("again_password", again)]
    };
    for (fields, status, field) in [
        (fields("wrong", OTHER, OTHER), 403, "old_password"),
        (fields(PASSWORD, "short", "short"), 400, "new_password"),
        (fields(PASSWORD, OTHER, PASSWORD), 400, "again_password"),
    ] {
        let refused = browser.submit(&page, "/me/password", &fields).await;
        assert_eq!(refused.status, status);
        assert!(refused.text().contains(&format!("id=\"{field}-fault\"")), "{field}: {}", refused.text());
        assert!(!refused.text().contains(OTHER), "a password is not shown again");
    }
    let done =
        browser.submit(&browser.page("/me").await, "/me/password", &fields(PASSWORD, OTHER, OTHER)).await;
    assert_eq!(done.header("location"), "/me", "{}", done.text());
    assert!(browser.page("/me").await.contains("Your account"));
    assert_eq!(other.get("/me").await.status, 303, "other sessions have ended");
    let with_token = Browser::admin(&server).await.page("/me").await;
    assert!(with_token.contains("no password to change") && !with_token.contains("old_password"));
}

#[tokio::test]
async fn passwords_are_not_kept_over_a_login() {
    let server = TestServer::start().await;
    add_user(&server, "ann", "admin").await;
    let browser = Browser::new(&server);
    let fields = [("name", "bob"), ("role", "viewer"), ("password", PASSWORD)];
    let ended = browser.send("/users", &fields).await;
    assert_eq!(ended.status, 401);
    assert!(ended.text().contains("name=bob") && !ended.text().contains("battery"), "{}", ended.text());
}

#[tokio::test]
async fn people_are_for_those_who_may_see_them() {
    let server = TestServer::start().await;
    add_user(&server, "ann", "admin").await;
    let operator = Browser::with_token(&server, &token(&server, "operator", None).await).await;
    let menu = operator.page("/").await;
    for place in ["/users", "/tokens", "/audit", "/settings"] {
        assert!(!menu.contains(&format!("href=\"{place}\"")), "{place}");
        assert_eq!(operator.get(place).await.status, 403, "{place}");
    }
    let auditor = Browser::with_token(&server, &token(&server, "auditor", None).await).await;
    let menu = auditor.page("/").await;
    for place in ["/users", "/tokens", "/audit", "/settings", "/users/ann"] {
        let page = auditor.page(place).await;
        assert!(place == "/users/ann" || menu.contains(&format!("href=\"{place}\"")), "{place}");
        assert_eq!(page.matches("method=\"post\"").count(), 2, "{place}: appearance and log out alone");
        assert!(
            !page.contains("/new-user") && !page.contains("/new-token") && !page.contains("/remove\""),
            "{place}"
        );
    }
}
