//! What pages say, and how much of it.

use serde_json::json;

use super::Browser;
use crate::harness::{HELLO, LANG, TestServer};

/// The most that the first load of a page may take, in octets.
pub const MAX_PAGE: usize = 150_000;
/// A value that would like to be more than a value.
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{0}\u{7}'\"><img src=x onerror=alert(1)>";

#[tokio::test]
async fn pages_load_nothing_from_elsewhere_and_run_nothing_of_their_own() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    for path in ["/", "/login", "/devices", "/devices/IMEI%3A1", "/nothing"] {
        let answer = browser.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        let page = answer.text();
        for inline in
            [" style=", "<style", "<script>", "onclick=", "hx-on", "javascript:", "src=\"http", "href=\"http"]
        {
            assert!(!page.contains(inline), "{path} has {inline}");
        }
    }
    let page = browser.page("/").await;
    for asset in page.split("\"/assets/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let asset = format!("/assets/{}", asset.replace("&amp;", "&"));
        let answer = Browser::new(&server).get(&asset).await;
        assert_eq!(answer.status, 200, "{asset}");
        assert!(answer.header("cache-control").contains("immutable"));
    }
    assert_eq!(browser.get("/assets/nothing.js").await.status, 404);
}

#[tokio::test]
async fn values_of_devices_are_text_wherever_they_stand() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let name = HOSTILE.replace(['\u{0}', '\u{7}'], "");
    let about = json!({ "label": name, "note": name, "labels": { "site": name } });
    assert_eq!(server.api("PATCH", "/devices/IMEI%3A1", Some(about)).await.status, 200);
    server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    let mut connection = server.connect().await;
    connection.send(device.package1(HELLO)).await.commands();
    let answer = connection.send(device.data("text/plain", HOSTILE)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let command = server.items("/devices/IMEI%3A1/commands").await[0]["id"].as_str().unwrap().to_owned();
    for path in [
        "/",
        "/devices?columns=labels&columns=note",
        "/devices/IMEI%3A1",
        "/devices/IMEI%3A1/tree?at=*",
        "/devices/IMEI%3A1/commands",
        "/devices/IMEI%3A1/sessions/1",
        "/devices/IMEI%3A1/events",
        &format!("/commands/{command}"),
        &format!("/devices/IMEI%3A1/node?address={LANG}"),
    ] {
        let page = browser.page(path).await;
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{path}");
        let typed = page.matches("<input").count() + page.matches("<textarea").count();
        assert!(!page.contains('\u{202e}') || typed > 2, "{path}: text turns around outside of a field");
        assert!(!page.contains('\u{0}'), "{path}");
    }
    let page = browser.page("/devices/IMEI%3A1/tree?at=*").await;
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩␀"), "{page}");
}

#[tokio::test]
async fn pages_stay_small_whatever_there_is() {
    let server = TestServer::start().await;
    let devices: Vec<_> = (0..300).map(|number| json!({ "id": format!("IMEI:{number:015}") })).collect();
    assert_eq!(server.api("POST", "/devices/batch", Some(json!({ "devices": devices }))).await.status, 201);
    let browser = Browser::admin(&server).await;
    let page = browser.page("/devices").await;
    assert!(page.len() < MAX_PAGE && page.contains("300 devices"), "{}", page.len());
    let next =
        page.split("class=\"button\" href=\"").find_map(|rest| rest.split_once("\" rel=\"next\"")).unwrap().0;
    let second = browser.page(&next.replace("&amp;", "&")).await;
    assert!(second.contains("IMEI:000000000000050") && !second.contains("IMEI:000000000000049"));

    let device = server.enrol("IMEI:1").await;
    server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    let mut connection = server.connect().await;
    connection.send(device.package1(HELLO)).await.commands();
    let answer = connection.send(device.data("text/plain", &"<".repeat(400_000))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for path in [
        "/devices/IMEI%3A1/tree?at=*",
        "/devices/IMEI%3A1/sessions/1",
        &format!("/devices/IMEI%3A1/node?address={LANG}"),
    ] {
        let page = browser.page(path).await;
        assert!(page.len() < MAX_PAGE, "{path}: {}", page.len());
    }
}

#[tokio::test]
async fn a_filter_that_goes_wrong_is_marked_where_it_does() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let page = browser.page("/devices?filter=model%20%3D%20X%20and%20colour%20%3D%20%3Cred").await;
    assert!(
        page.contains("model = X and <mark>c</mark>olour = &lt;red")
            && page.contains("there is no field colour"),
        "{page}"
    );
    let typed = browser.page("/devices/filter?filter=state%20%3D%20a").await;
    assert!(typed.contains(r#"<option value="state = active">"#) && !typed.contains("<html"), "{typed}");
    let unfinished = browser.page("/devices/filter?filter=model%20%3D").await;
    assert!(
        !unfinished.contains("role=\"alert\""),
        "what is not typed to its end is not wrong yet: {unfinished}"
    );
    let wrong = browser.page("/devices/filter?filter=colour%20%3D%20red").await;
    assert!(wrong.contains("<mark>c</mark>"), "{wrong}");
}

#[tokio::test]
async fn a_session_is_drawn_and_told_in_words() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.queue(&device, json!({ "verb": "exec", "address": LANG })).await;
    let mut connection = server.connect().await;
    connection.send(device.package1(HELLO)).await.commands();
    connection.send(device.statuses(&[405])).await;
    let browser = Browser::admin(&server).await;
    let page = browser.page("/devices/IMEI%3A1/sessions/1").await;
    assert!(page.contains("href=\"#message-1\"") && page.contains("id=\"message-4\""), "{page}");
    assert!(page.contains("failed with 405 Command Not Allowed"), "{page}");
    assert!(page.contains("href=\"/api/v1/devices/IMEI%3A1/sessions/1\" download"));
    let overview = browser.page("/").await;
    assert!(overview.contains("exec failed with 405"), "{overview}");
}

#[tokio::test]
async fn the_overview_counts_the_fleet() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.enrol("IMEI:2").await;
    server.connect().await.send(device.package1(HELLO)).await;
    let browser = Browser::admin(&server).await;
    let page = browser.page("/").await;
    assert!(
        page.contains("Devices by last contact: in the last hour 1, in the last day 0, before 0, never 1"),
        "{page}"
    );
    assert!(page.contains("/devices?filter=protocol%20%3D%20%22dm2.0%22"));
    assert!(page.contains("now 1, at most 1"), "the session of this minute");
}

#[tokio::test]
async fn the_choice_of_colours_is_kept() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let page = browser.page("/devices").await;
    assert!(page.contains(r#"data-theme="system""#));
    let chosen = browser.submit(&page, "/appearance", &[("theme", "dark"), ("place", "/devices")]).await;
    assert_eq!(chosen.header("location"), "/devices");
    assert!(chosen.header("set-cookie").starts_with("omadm_theme=dark;"));
    let elsewhere =
        browser.submit(&browser.page("/").await, "/appearance", &[("theme", "x"), ("place", "//evil")]).await;
    assert_eq!(elsewhere.header("location"), "/");
}
