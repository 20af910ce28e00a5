//! Making bootstraps and enrolling devices as somebody with a browser without script does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use super::{Browser, token};
use crate::harness::{HELLO, TestServer};

const NEW: &str = "/bootstraps/new";
/// Answers for one device of DM 2.0 that gets a file.
const FILE: [(&str, &str); 3] = [("kind", "dm2"), ("many", "false"), ("way", "file")];

/// The octets of the file that a page holds.
fn file(page: &str, name: &str) -> Vec<u8> {
    let before = page
        .split_once(&format!("\" download=\"{name}\""))
        .unwrap_or_else(|| panic!("no {name} in {page}"))
        .0;
    STANDARD.decode(before.rsplit_once("base64,").unwrap().1).unwrap()
}

fn with<'a>(fields: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [fields, more].concat()
}

#[tokio::test]
async fn the_wizard_leads_to_a_file_that_is_shown_once() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let what = browser.page(NEW).await;
    assert!(what.contains("Which protocol do they speak?") && what.contains(r#"value="cp""#));
    let how = browser.page("/bootstraps/new?kind=dm2&many=false").await;
    assert!(
        how.contains(r#"value="send""#) && !how.contains(r#"value="fetch""#),
        "devices cannot fetch here"
    );
    assert!(!browser.page("/bootstraps/new?kind=dm2&many=true").await.contains(r#"value="qr""#));
    let which = browser.page("/bootstraps/new?kind=dm2&many=false&way=file").await;
    let made = browser.submit(&which, NEW, &with(&FILE, &[("id", "IMEI:1"), ("label", "till 7")])).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let bootstrap: Value = serde_json::from_slice(&file(made.text(), "IMEI%3A1.json")).unwrap();
    assert!(bootstrap[0].to_string().contains("\"SrvID\""), "{bootstrap}");
    assert!(String::from_utf8(file(made.text(), "ca.pem")).unwrap().starts_with("-----BEGIN CERTIFICATE"));
    let again = browser.submit(&which, NEW, &with(&FILE, &[("id", "IMEI:1"), ("label", "till 7")])).await;
    assert_eq!(
        file(again.text(), "IMEI%3A1.json"),
        file(made.text(), "IMEI%3A1.json"),
        "sent twice, made once"
    );

    let list = browser.page("/bootstraps").await;
    assert!(
        list.contains("IMEI:1") && list.contains("till 7") && list.contains("the device has not come yet")
    );
    assert!(!browser.page("/bootstraps?filter=seen%20!%3D%20never").await.contains("IMEI:1"));
    let page = browser.page("/bootstraps/IMEI%3A1").await;
    assert!(page.contains("created") && page.contains("for DM 2.0"), "{page}");
}

#[tokio::test]
async fn what_is_refused_is_said_beside_its_field_and_stays_typed() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let which = browser.page("/bootstraps/new?kind=dm2&many=false&way=file&id=IMEI%3A1").await;
    assert!(which.contains(r#"value="IMEI:1""#));
    let there = browser.submit(&which, NEW, &with(&FILE, &[("id", "IMEI:1"), ("moids", "urn:a")])).await;
    assert_eq!(there.status, 409);
    assert!(
        there.text().contains("href=\"#replace\"") && there.text().contains("IMEI:1 is already enrolled")
    );
    assert!(there.text().contains("\nurn:a</textarea>"), "{}", there.text());
    let replaced =
        browser.submit(there.text(), NEW, &with(&FILE, &[("id", "IMEI:1"), ("replace", "true")])).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text());
    let bad = browser.submit(&which, NEW, &with(&FILE, &[("id", "<b> c")])).await;
    assert_eq!(bad.status, 400);
    assert!(
        bad.text().contains(r#"id="id-fault""#) && bad.text().contains(r#"value="&lt;b&gt; c""#),
        "{}",
        bad.text()
    );
    let none = browser.submit(&which, NEW, &[("id", "IMEI:2")]).await;
    assert_eq!(none.status, 400);
    assert!(server.api("GET", "/devices/IMEI%3A2", None).await.status == 404);
}

#[tokio::test]
async fn a_pin_is_shown_and_a_push_is_sent() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let device = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = format!("udp:127.0.0.1:{}", device.local_addr().unwrap().port());
    let secured = browser.page("/bootstraps/new?kind=dm&many=false&way=send").await;
    assert!(secured.contains("USERPIN_NETWORKID") && !secured.contains("USERPINMAC"));
    let which = browser.page("/bootstraps/new?kind=dm&many=false&way=send&sec=USERPIN").await;
    assert!(which.contains(r#"name="pin""#) && !which.contains(r#"name="imsi""#));
    let fields = [
        ("kind", "dm"),
        ("many", "false"),
        ("way", "send"),
        ("sec", "USERPIN"),
        ("id", "IMEI:1"),
        ("to", to.as_str()),
    ];
    let sent = browser.submit(&which, NEW, &fields).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert!(
        sent.text().contains("Its bootstrap is sent") && sent.text().contains(r#"<code class="pin">"#),
        "{}",
        sent.text()
    );
    assert!(!sent.text().contains("IMEI%3A1.dm"), "what was sent is shown to nobody");
    let mut datagram = [0; 4_096];
    assert!(device.recv(&mut datagram).await.unwrap() > 100);
    assert!(browser.page("/bootstraps/IMEI%3A1").await.contains("USERPIN"));

    let unsecured = browser.page("/bootstraps/new?kind=dm&many=false&way=send&sec=none").await;
    let fields = [
        ("kind", "dm"),
        ("many", "false"),
        ("way", "send"),
        ("sec", "none"),
        ("id", "IMEI:2"),
        ("to", to.as_str()),
    ];
    let refused = browser.submit(&unsecured, NEW, &fields).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains(r#"id="to-fault""#) && refused.text().contains("a push protects nothing")
    );
}

#[tokio::test]
async fn a_picture_is_drawn_and_a_batch_is_an_archive() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let which = browser.page("/bootstraps/new?kind=cp&many=false&way=qr&sec=none").await;
    let fields = [("kind", "cp"), ("many", "false"), ("way", "qr"), ("sec", "none"), ("id", "IMEI:1")];
    let made = browser.submit(&which, NEW, &fields).await;
    assert_eq!(made.status, 200, "{}", made.text());
    assert!(
        made.text()
            .contains(r#"<svg class="code" role="img" aria-label="QR code with the bootstrap of IMEI:1""#)
    );
    assert_eq!(file(made.text(), "IMEI%3A1.cp")[0], 3, "WBXML 1.3");

    let which = browser.page("/bootstraps/new?kind=cp&many=true&way=file&sec=USERPIN").await;
    let ids = "IMEI:2\r\nIMEI:3\r\n";
    let fields = [("kind", "cp"), ("many", "true"), ("way", "file"), ("sec", "USERPIN"), ("ids", ids)];
    let made = browser.submit(&which, NEW, &fields).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let archive = file(made.text(), "bootstraps.zip");
    for name in ["IMEI%3A2.cp", "IMEI%3A3.cp"] {
        assert!(archive.windows(name.len()).any(|part| part == name.as_bytes()), "{name}");
    }
    assert_eq!(made.text().matches(r#"<code class="pin">"#).count(), 2);
    let twice = browser.submit(&which, NEW, &fields).await;
    assert_eq!(file(twice.text(), "bootstraps.zip"), archive, "a form that is sent twice makes nothing new");
}

#[tokio::test]
async fn devices_that_fetch_are_told_where() {
    let server = TestServer::with(|config| config.bootstrap.moids = vec!["*".to_owned()]).await;
    let browser = Browser::admin(&server).await;
    assert!(browser.page("/bootstraps/new?kind=dm2&many=false").await.contains(r#"value="fetch""#));
    let page = browser.page("/bootstraps/new?kind=dm2&many=false&way=fetch").await;
    assert!(page.contains("/bootstrap</code>") && page.contains("QR code with the address"), "{page}");
}

#[tokio::test]
async fn a_bootstrap_is_taken_back() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.connect().await.send(device.package1(HELLO)).await.commands();
    let browser = Browser::admin(&server).await;
    assert!(browser.page("/bootstraps/IMEI%3A1").await.contains("has begun a session since"));
    let ask = browser.page("/bootstraps/IMEI%3A1/revoke").await;
    let done = browser.submit(&ask, "/bootstraps/IMEI%3A1/revoke", &[]).await;
    assert_eq!(done.header("location"), "/bootstraps/IMEI%3A1", "{}", done.text());
    assert!(
        browser.page("/bootstraps?filter=state%20%3D%20revoked").await.contains("the device has no access")
    );
    assert_eq!(server.connect().await.send(device.package1(HELLO)).await.status, 401);
    let late = browser.submit(&ask, "/bootstraps/IMEI%3A1/revoke", &[("again", "1")]).await;
    assert!([303, 409].contains(&late.status.as_u16()), "{}", late.status);
    assert_eq!(browser.get("/bootstraps/IMEI%3A9").await.status, 404);
}

#[tokio::test]
async fn the_api_lists_bootstraps_and_says_what_they_can_say() {
    let server = TestServer::start().await;
    for id in ["IMEI:1", "IMEI:2", "IMEI:3"] {
        server.enrol(id).await;
    }
    server.api("DELETE", "/bootstrap/IMEI%3A2", None).await;
    let page = server.get("/bootstrap?limit=2").await;
    assert_eq!(
        (&page["items"][0]["state"], &page["items"][1]["state"]),
        (&json!("created"), &json!("revoked"))
    );
    let rest = server
        .get(&format!("/bootstrap?limit=2&after={}", page["next"].as_str().unwrap().replace(':', "%3A")))
        .await;
    assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&json!("IMEI:3"), &Value::Null));
    assert_eq!(server.items("/bootstrap?filter=state%20%3D%20revoked").await.len(), 1);
    assert_eq!(server.api("GET", "/bootstrap?filter=colour%20%3D%20red", None).await.status, 400);
    assert_eq!(server.api("GET", "/bootstrap?limit=1001", None).await.status, 400);
    let terms = server.get("/bootstrap/terms").await;
    assert_eq!((&terms["dm2_fetched"], &terms["moids"]), (&json!(false), &json!(["*"])));
    assert!(terms["dm1"]["cp"].as_array().unwrap().contains(&json!("USERPINMAC")), "{terms}");
    let plain = TestServer::with(|config| config.dm1.enabled = false).await;
    assert_eq!(plain.get("/bootstrap/terms").await["dm1"], Value::Null);
    let browser = Browser::admin(&plain).await;
    assert!(!browser.page(NEW).await.contains(r#"value="cp""#));
}

#[tokio::test]
async fn a_device_is_enrolled_by_hand_and_its_credentials_work() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let form = browser.page("/devices/enrol").await;
    let fields = [
        ("id", "IMEI:1"),
        ("label", "till"),
        ("secret", "a secret of the device"),
        ("addresses", "udp:127.0.0.1:9\r\n"),
    ];
    let made = browser.submit(&form, "/devices/enrol", &fields).await;
    assert_eq!(made.status, 200, "{}", made.text());
    assert!(
        made.text().contains("a secret of the device")
            && made.text().contains("IMEI-1")
            && made.text().contains("for DM 1.x")
    );
    assert_eq!(server.get("/devices/IMEI%3A1/push").await["addresses"], json!(["udp:127.0.0.1:9"]));
    let short = browser.submit(&form, "/devices/enrol", &[("id", "IMEI:2"), ("secret", "short")]).await;
    assert_eq!(short.status, 400);
    assert!(short.text().contains(r#"id="secret-fault""#), "{}", short.text());
    let fields = [("id", "IMEI:3"), ("addresses", "pigeon:7")];
    let half = browser.submit(&form, "/devices/enrol", &fields).await;
    assert!(
        half.status == 200 && half.text().contains("the ways to call it were not saved"),
        "{}",
        half.text()
    );
    let audit = server.items("/audit").await;
    assert!(!audit.iter().any(|entry| entry.to_string().contains("a secret of the device")));
}

#[tokio::test]
async fn who_may_not_make_bootstraps_is_not_led_to_them() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let viewer = Browser::with_token(&server, &token(&server, "viewer", None).await).await;
    let list = viewer.page("/bootstraps").await;
    assert!(list.contains("IMEI:1") && !list.contains("/bootstraps/new"));
    assert!(!viewer.page("/bootstraps/IMEI%3A1").await.contains("revoke"));
    assert!(!viewer.page("/devices").await.contains("/devices/enrol"));
    for path in [NEW, "/devices/enrol"] {
        let refused = viewer.get(path).await;
        assert!(
            refused.status == 403 && refused.text().contains("devices:write"),
            "{path}: {}",
            refused.text()
        );
        let sent = viewer.submit(&list, path, &with(&FILE, &[("id", "IMEI:2")])).await;
        assert_eq!(sent.status, 403, "{path}");
    }
    server.api("PUT", "/groups/none", Some(json!({ "filter": "id = X" }))).await;
    let kept = Browser::with_token(&server, &token(&server, "operator", Some(&["none"])).await).await;
    assert!(!kept.page("/bootstraps?filter=").await.contains("IMEI:1"));
    assert_eq!(kept.get("/bootstraps/IMEI%3A1").await.status, 404);
}

#[tokio::test]
async fn commands_without_a_session_are_offered_where_they_are_taken() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    assert!(!browser.page("/devices/IMEI%3A1/commands").await.contains("/sessionless"));
    let form = browser.page("/devices/IMEI%3A1/sessionless").await;
    let fields = [("verb", "exec"), ("address", "./A")];
    let refused = browser.submit(&form, "/devices/IMEI%3A1/sessionless", &fields).await;
    assert_eq!(refused.status, 409);
    assert!(
        refused.text().contains("DM 1.3") && refused.text().contains(r#"value="./A""#),
        "{}",
        refused.text()
    );
    assert_eq!(browser.get("/devices/IMEI%3A9/sessionless").await.status, 404);
}
