//! Logging in and out, and sessions that end.

use serde_json::json;

use super::{Browser, hidden};
use crate::harness::TestServer;

const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn who_is_not_known_is_led_to_the_login_and_back() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let answer = browser.get("/devices?filter=fw%20%3C%202").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, "/login?to=%2Fdevices%3Ffilter%3Dfw%2520%253C%25202")
    );
    let login = browser.page(answer.header("location")).await;
    let answer = browser.send("/login", &[("token", &server.token), ("to", &hidden(&login, "to"))]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/devices?filter=fw%20%3C%202"));
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    browser.keep_cookie(&answer);
    assert_eq!(
        browser.get("/login?to=%2Fdevices").await.header("location"),
        "/devices",
        "who is in has not to log in"
    );

    let overview = browser.page("/").await;
    let out = browser.submit(&overview, "/logout", &[]).await;
    assert_eq!(out.header("location"), "/login");
    assert!(out.header("set-cookie").contains("Max-Age=0"));
}

#[tokio::test]
async fn people_log_in_with_a_password_and_are_told_what_was_wrong() {
    let server = TestServer::start().await;
    let user = json!({ "name": "ann", "role": "operator", "password": PASSWORD });
    assert_eq!(server.api("POST", "/users", Some(user)).await.status, 201);
    let mut browser = Browser::new(&server);
    assert!(browser.page("/login").await.contains(r#"name="password""#));
    let wrong = browser.send("/login", &[("user", "ann\"><b>"), ("password", "wrong")]).await;
    assert_eq!(wrong.status, 401);
    assert!(
        wrong.text().contains("the password is wrong") && wrong.text().contains("ann&quot;&gt;&lt;b&gt;")
    );
    let right = browser.send("/login", &[("user", "ann"), ("password", PASSWORD)]).await;
    assert_eq!(right.status, 303, "{}", right.text());
    browser.keep_cookie(&right);
    let page = browser.page("/").await;
    assert!(page.contains("ann") && page.contains("operator"));
    assert_eq!(server.api("DELETE", "/users/ann", None).await.status, 204);
    assert_eq!(browser.get("/").await.status, 303, "a session ends with its user");
}

#[tokio::test]
async fn a_login_leads_nowhere_else() {
    let server = TestServer::start().await;
    for to in ["//evil.example", "https://evil.example/", "/\\evil.example", "devices"] {
        let answer = Browser::new(&server).send("/login", &[("token", &server.token), ("to", to)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"), "{to}");
    }
    let wrong = Browser::new(&server).send("/login", &[("token", "omadm_wrong")]).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn what_was_typed_outlives_the_session() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let mut browser = Browser::admin(&server).await;
    let page = browser.page("/devices/IMEI%3A1").await;
    browser.cookie.clear();
    let fields =
        [("label", "till \"7\""), ("note", "two\nlines"), ("labels", "site=A"), ("labels-before", "")];
    let ended = browser.submit(&page, "/devices/IMEI%3A1/about", &fields).await;
    assert_eq!(ended.status, 401);
    assert!(ended.text().contains("what you typed is kept"));
    let typed = hidden(ended.text(), "typed");
    let again = [("token", server.token.as_str()), ("to", &hidden(ended.text(), "to")), ("typed", &typed)];
    let answer = browser.send("/login", &again).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains(r#"value="till &quot;7&quot;""#) && answer.text().contains("two\nlines"));
    browser.keep_cookie(&answer);
    let shown = server.get(&format!("/devices/{}", device.path())).await;
    assert_eq!(shown["label"], "", "nothing is done before it is sent again");
    let done = browser.submit(answer.text(), "/devices/IMEI%3A1/about", &fields).await;
    assert_eq!(done.header("location"), "/devices/IMEI%3A1", "{}", done.text());
    let shown = server.get(&format!("/devices/{}", device.path())).await;
    assert_eq!((&shown["label"], &shown["labels"]["site"]), (&json!("till \"7\""), &json!("A")));
}

#[tokio::test]
async fn sessions_of_tokens_end_with_their_tokens_and_bodies_are_bounded() {
    let server = TestServer::start().await;
    let token = super::token(&server, "viewer", None).await;
    let browser = Browser::with_token(&server, &token).await;
    assert_eq!(browser.get("/").await.status, 200);
    assert_eq!(server.api("DELETE", "/tokens/viewer-false", None).await.status, 204);
    assert_eq!(browser.get("/").await.status, 303);
    let large = "x".repeat(300 << 10);
    let refused = Browser::new(&server).send("/devices/IMEI%3A1/about", &[("note", &large)]).await;
    assert_eq!(refused.status, 413, "of who is not known no large form is kept");
}
