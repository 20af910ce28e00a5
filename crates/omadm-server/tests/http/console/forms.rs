//! What forms do: once, for who may, from pages of this server.

use serde_json::json;

use super::{Browser, hidden};
use crate::harness::{HELLO, LANG, TestServer};

const COMMANDS: &str = "/devices/IMEI%3A1/commands";
const GET: [(&str, &str); 2] = [("verb", "get"), ("address", LANG)];

#[tokio::test]
async fn a_form_takes_effect_once_however_often_it_is_sent() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let page = browser.page(COMMANDS).await;
    let (one, two) =
        tokio::join!(browser.submit(&page, COMMANDS, &GET), browser.submit(&page, COMMANDS, &GET));
    let later = browser.submit(&page, COMMANDS, &GET).await;
    assert!(one.header("location").starts_with("/commands/"), "{}", one.text());
    assert_eq!(one.header("location"), two.header("location"));
    assert_eq!(one.header("location"), later.header("location"));
    assert_eq!(server.items("/devices/IMEI%3A1/commands").await.len(), 1);
    let another = browser.page(COMMANDS).await;
    browser.submit(&another, COMMANDS, &GET).await;
    assert_eq!(server.items("/devices/IMEI%3A1/commands").await.len(), 2, "another form is another command");
}

#[tokio::test]
async fn forms_of_others_are_asked_about_and_do_nothing() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let other = Browser::with_token(&server, &super::token(&server, "operator", None).await).await;
    let page = other.page(COMMANDS).await;
    let stolen = hidden(&page, "_mark");
    for mark in ["", "AAAA", &stolen] {
        let fields = [("_mark", mark), ("_once", "1"), GET[0], GET[1]];
        let answer = browser.send(COMMANDS, &fields).await;
        assert!(answer.text().contains("Nothing has been done yet"), "{}", answer.text());
    }
    assert!(server.items("/devices/IMEI%3A1/commands").await.is_empty());
}

#[tokio::test]
async fn what_a_role_may_not_do_is_not_shown_and_not_done() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let viewer = Browser::with_token(&server, &super::token(&server, "viewer", None).await).await;
    for path in [
        "/",
        "/devices",
        "/devices/IMEI%3A1",
        "/devices/IMEI%3A1/tree",
        COMMANDS,
        "/devices/IMEI%3A1/access",
        "/devices/IMEI%3A1/node?address=urn:oma:mo:oma-dm-devinfo:1.2//Lang",
    ] {
        let page = viewer.page(path).await;
        let forms = page.matches(r#"method="post""#).count();
        assert_eq!(forms, 2, "{path}: appearance and log out alone");
        assert!(!page.contains("Remove this device") && !page.contains("/devices/bulk\"><input"), "{path}");
    }
    let page = viewer.page("/devices").await;
    let refused = viewer.submit(&page, COMMANDS, &GET).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("commands:write"), "{}", refused.text());
    assert_eq!(viewer.submit(&page, "/devices/IMEI%3A1/remove", &[]).await.status, 403);
    assert_eq!(
        viewer.submit(&page, "/devices/bulk", &[("action", "call"), ("id", "IMEI:1")]).await.status,
        400
    );
    assert!(server.items("/devices/IMEI%3A1/commands").await.is_empty());
}

#[tokio::test]
async fn who_is_kept_to_groups_sees_no_other_devices() {
    let server = TestServer::start().await;
    for id in ["IMEI:1", "IMEI:2"] {
        server.enrol(id).await;
    }
    server.api("PATCH", "/devices/IMEI%3A1", Some(json!({ "labels": { "site": "A" } }))).await;
    server.api("PUT", "/groups/a", Some(json!({ "filter": "label:site = A" }))).await;
    let kept = Browser::with_token(&server, &super::token(&server, "operator", Some(&["a"])).await).await;
    let page = kept.page("/devices").await;
    assert!(page.contains("IMEI:1") && !page.contains("IMEI:2"));
    assert_eq!(kept.get("/devices/IMEI%3A2").await.status, 404);
    assert!(!kept.page("/").await.contains("Sessions in each minute"));
}

#[tokio::test]
async fn a_page_of_what_is_gone_says_so() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let page = browser.page(COMMANDS).await;
    let ask = browser.page("/devices/IMEI%3A1/remove").await;
    assert_eq!(browser.submit(&ask, "/devices/IMEI%3A1/remove", &[]).await.header("location"), "/devices");
    let gone = browser.submit(&page, COMMANDS, &GET).await;
    assert_eq!(gone.status, 404);
    assert!(gone.text().contains("IMEI:1 is not enrolled"), "{}", gone.text());
    assert_eq!(browser.get("/devices/IMEI%3A1/tree").await.status, 404);
    assert_eq!(browser.get("/nothing").await.status, 404);
}

#[tokio::test]
async fn a_command_is_asked_for_answered_and_told() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let page = browser.page(&format!("/devices/IMEI%3A1/node?address={LANG}")).await;
    let queued = browser.submit(&page, COMMANDS, &GET).await;
    let command = queued.header("location").to_owned();
    assert!(queued.header("set-cookie").starts_with("omadm_notice="));
    let mut connection = server.connect().await;
    connection.send(device.package1(HELLO)).await.commands();
    let answer = connection.send(device.data("text/plain", "<b>en</b>")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page = browser.page(&command).await;
    assert!(page.contains(r#"class="badge good">done"#), "{page}");
}

#[tokio::test]
async fn something_is_done_to_many_devices_after_a_look_at_them() {
    let server = TestServer::start().await;
    for id in ["IMEI:1", "IMEI:2", "IMEI:3"] {
        server.enrol(id).await;
    }
    let browser = Browser::admin(&server).await;
    let preview = browser.page("/devices/bulk?action=label&scope=ticked&id=IMEI%3A1&id=IMEI%3A2").await;
    assert!(
        preview.contains("<b>2</b> devices") && preview.contains("IMEI:2") && !preview.contains("IMEI:3")
    );
    server.api("DELETE", "/devices/IMEI%3A2", None).await;
    let fields = [("action", "label"), ("id", "IMEI:1"), ("id", "IMEI:2"), ("key", "site"), ("value", "A")];
    let done = browser.submit(&preview, "/devices/bulk", &fields).await;
    assert!(
        done.text().contains("done 1, refused 1") && done.text().contains("IMEI:2 is not enrolled"),
        "{}",
        done.text()
    );
    assert_eq!(server.get("/devices/IMEI%3A1").await["labels"]["site"], "A");

    let all = browser.page("/devices/bulk?action=command&scope=all&filter=label%3Asite%20%3D%20A").await;
    assert!(all.contains("<b>1</b> device."));
    let fields = [("action", "command"), ("scope", "all"), ("filter", "label:site = A"), GET[0], GET[1]];
    let (one, two) = (
        browser.submit(&all, "/devices/bulk", &fields).await,
        browser.submit(&all, "/devices/bulk", &fields).await,
    );
    assert!(one.text().contains("done 1, refused 0") && two.text().contains("done 1, refused 0"));
    assert_eq!(server.items("/devices/IMEI%3A1/commands").await.len(), 1, "sent twice, done once");
    assert_eq!(browser.get("/devices/bulk?action=label&scope=ticked").await.status, 400);
}

#[tokio::test]
async fn a_filter_is_saved_as_a_group() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let page = browser.page("/devices?filter=seen%20%3E%2030d").await;
    let fields = [("name", "old \"ones\""), ("filter", "seen > 30d"), ("description", "")];
    let saved = browser.submit(&page, "/devices/group", &fields).await;
    assert_eq!(saved.status, 303, "{}", saved.text());
    let page = browser.page(saved.header("location")).await;
    assert!(page.contains("old &quot;ones&quot;") && page.contains(r#"aria-current="true""#), "{page}");
    let again = browser.submit(&page, "/devices/group", &fields).await;
    assert_eq!(again.status, 409, "a group that is there is not overwritten");
}

#[tokio::test]
async fn the_audit_log_has_what_the_console_does() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let page = browser.page(COMMANDS).await;
    browser.submit(&page, COMMANDS, &GET).await;
    let entries = server.items("/audit").await;
    let texts: Vec<&str> = entries.iter().map(|entry| entry["entry"].as_str().unwrap()).collect();
    assert!(
        texts.iter().any(|text| text.contains("POST /devices/{id}/commands") && text.contains("token first")),
        "{texts:?}"
    );
    assert!(texts.iter().any(|text| text.contains("POST /login")), "{texts:?}");
    assert!(!texts.iter().any(|text| text.contains(&server.token)));
}
