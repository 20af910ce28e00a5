//! Profiles: written, tried, assigned, taken back, by who may, in pages of their own.

use serde_json::{Value, json};

use super::{Browser, hidden, token};
use crate::harness::{Answer, Device, END, HELLO, TestServer};

const NEW: &str = "/profiles/_new";
const EDIT: &str = "/profiles/_edit";
const LANG: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Lang";
const ZOOM: &str = "urn:oma:mo:oma-dm-devdetail:1.0//Ext/Zoom";
/// What would like to be more than a text.
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{7}'\"><img src=x onerror=alert(1)>";

async fn put(server: &TestServer, document: Value) {
    let name = document["name"].as_str().unwrap().to_owned();
    let answer = server.api("PUT", &format!("/profiles/{name}"), Some(document)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn assign(server: &TestServer, name: &str, to: Value) {
    let answer = server.api("PUT", &format!("/profiles/{name}/assignment"), Some(to)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn zoom(value: i64) -> Value {
    json!({ "name": "base", "attempts": 1, "node": [{ "address": ZOOM, "value": value }] })
}

/// Has a device refuse whatever it is asked until the session ends, so that its profile fails.
async fn refuse(server: &TestServer, device: &Device) {
    let mut connection = server.connect().await;
    let mut answer = connection.send(device.package1(HELLO)).await;
    for _ in 0..9 {
        if answer.text() == END {
            return;
        }
        answer = connection.send(device.statuses(&vec![403; answer.commands().len()])).await;
    }
    panic!("the session does not end: {}", answer.text());
}

/// Sends the editor's form as it stands on a page, with these fields typed.
async fn send(browser: &Browser<'_>, page: &str, fields: &[(&str, &str)]) -> Answer {
    let (of, base) = (hidden(page, "of"), hidden(page, "base"));
    let all: Vec<(&str, &str)> =
        [("of", of.as_str()), ("base", base.as_str())].into_iter().chain(fields.iter().copied()).collect();
    browser.submit(page, EDIT, &all).await
}

#[tokio::test]
async fn a_profile_is_refused_beside_its_fields_mended_and_stored() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let page = browser.page(NEW).await;
    let wrong = [
        ("head.name", "base"),
        ("head.priority", "7"),
        ("head.check", "soon"),
        ("node.0.address", ZOOM),
        ("node.0.is", "number"),
        ("node.0.value", "\"seven\""),
        ("do", "store"),
    ];
    let refused = send(&browser, &page, &wrong).await;
    let text = refused.text();
    assert_eq!(refused.status, 400);
    assert!(text.contains(r#"id="node.0.value-fault"><p><bdi>this is no number"#), "{text}");
    assert!(text.contains(r#"id="head.check-fault"><p><bdi>"#) && text.contains("is no duration"), "{text}");
    assert!(text.contains(r##"<a href="#node.0.value">"##) && text.contains("2 things are wrong"), "{text}");
    assert!(
        text.contains(r#"value="&quot;seven&quot;""#) && text.contains(r#"value="soon""#),
        "what was typed is kept"
    );

    // What the server alone can know: by itself, and by the DDF files.
    let wrong = [
        ("head.name", "base"),
        ("head.priority", "7"),
        ("head.group", "nobody"),
        ("node.0.address", ZOOM),
        ("node.0.is", "number"),
        ("node.0.value", "7"),
        ("do", "store"),
    ];
    let refused = send(&browser, text, &wrong).await;
    assert!(
        refused.text().contains(r#"id="head.group-fault"><p><bdi>there is no group nobody"#),
        "{}",
        refused.text()
    );
    let wrong = [("head.name", "base"), ("node.3.address", LANG), ("node.3.value", "de"), ("do", "store")];
    let refused = send(&browser, refused.text(), &wrong).await;
    let text = refused.text();
    assert!(
        text.contains(r##"<a href="#node.0">"##) && text.contains("does not allow Add or Replace"),
        "{text}"
    );
    assert!(server.items("/profiles").await.is_empty());

    let right = [
        ("head.name", "base"),
        ("node.0.address", LANG),
        ("node.0.value", "de"),
        ("force", "yes"),
        ("do", "store"),
    ];
    let stored = send(&browser, text, &right).await;
    assert_eq!(
        (stored.status.as_u16(), stored.header("location")),
        (303, "/profiles/base"),
        "{}",
        stored.text()
    );
    let twice = send(&browser, text, &right).await;
    assert_eq!(twice.header("location"), "/profiles/base");
    let shown = server.get("/profiles/base").await;
    assert_eq!(
        (&shown["newest"]["version"], &shown["newest"]["document"]["node"][0]["value"]),
        (&json!(1), &json!("de"))
    );
}

#[tokio::test]
async fn rows_come_and_go_without_a_script_and_the_whole_is_json() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let page = browser.page(NEW).await;
    let typed = [("head.name", "base"), ("node.0.address", "./A"), ("node.0.value", "till \"7\"")];
    let add = |kind| [&typed[..], &[("do", kind)]].concat();
    let more = send(&browser, &page, &add("add.node")).await;
    assert_eq!(more.status, 200);
    let text = more.text();
    assert!(text.contains("Setting 2") && text.contains("value=\"till &quot;7&quot;\""), "{text}");
    let focus = |text: &str| text.split("autofocus").next().unwrap().rsplit('<').next().unwrap().to_owned();
    assert!(focus(text).contains(r#"id="node.1.address""#), "one goes on in the new row: {}", focus(text));
    let again = send(&browser, &page, &add("add.software")).await;
    assert!(
        again.text().contains("Software 1") && !again.text().contains("Setting 2"),
        "the other button of the same page"
    );
    let fewer =
        send(&browser, text, &[&typed[..], &[("node.1.address", "./B"), ("do", "remove.node.0")]].concat())
            .await;
    assert!(
        fewer.text().contains("value=\"./B\"") && !fewer.text().contains("value=\"./A\""),
        "{}",
        fewer.text()
    );

    let source = send(&browser, text, &add("source")).await;
    let shown = source.text().replace("&quot;", "\"");
    assert!(shown.contains(r#""value": "till \"7\"""#), "{shown}");
    let rows = send(
        &browser,
        source.text(),
        &[("source", r#"{"name":"x","node":[{"address":"./C","value":7}]}"#), ("do", "rows")],
    )
    .await;
    assert!(
        rows.text().contains(r#"value="./C""#) && rows.text().contains(r#"<option value="number" selected>"#),
        "{}",
        rows.text()
    );

    let bad = "{\r\n  \"name\": \"x\",\r\n  \"priorty\": 7\r\n}";
    let refused = send(&browser, source.text(), &[("source", bad), ("do", "store")]).await;
    assert_eq!(refused.status, 400);
    let text = refused.text();
    assert!(text.contains("Line 3: ") && text.contains("did you mean `priority`?"), "{text}");
    assert!(text.contains("<mark>  &quot;priorty&quot;: 7</mark>"), "{text}");
    let bad = "{\n  \"name\": \"x\",\n  \"node\": [\n    { \"address\": \"urn:oma:mo:oma-dm-devinfo:1.2//Nothing\",\n      \"value\": 7 }\n  ]\n}";
    let refused = send(&browser, text, &[("source", bad), ("do", "store")]).await;
    assert!(
        refused.text().contains("Line 4: ") && refused.text().contains("describes no such node"),
        "{}",
        refused.text()
    );
    assert!(server.items("/profiles").await.is_empty());
    let stored =
        send(&browser, refused.text(), &[("source", r#"{"name":"x","node":[]}"#), ("do", "store")]).await;
    assert_eq!(stored.header("location"), "/profiles/x", "{}", stored.text());
}

#[tokio::test]
async fn who_was_slower_is_told_before_anything_is_stored() {
    let server = TestServer::start().await;
    put(&server, zoom(1)).await;
    let browser = Browser::admin(&server).await;
    let new = [("head.name", "base"), ("node.0.address", ZOOM), ("node.0.value", "x"), ("do", "store")];
    let taken = send(&browser, &browser.page(NEW).await, &new).await;
    assert_eq!(taken.status, 409);
    assert!(
        taken.text().contains(r#"id="head.name-fault"><p><bdi>there is a profile base already"#),
        "{}",
        taken.text()
    );

    let page = browser.page("/profiles/base/edit").await;
    assert!(page.contains("readonly") && page.contains(&format!("value=\"{ZOOM}\"")), "{page}");
    put(&server, zoom(2)).await;
    let mine = [
        ("head.name", "base"),
        ("node.0.address", ZOOM),
        ("node.0.is", "number"),
        ("node.0.value", "3"),
        ("do", "store"),
    ];
    let slower = send(&browser, &page, &mine).await;
    assert_eq!(slower.status, 409);
    assert!(slower.text().contains("somebody stored version 2 while you wrote"), "{}", slower.text());
    let stored = send(&browser, slower.text(), &mine).await;
    assert_eq!(stored.header("location"), "/profiles/base", "{}", stored.text());
    assert_eq!(server.get("/profiles/base").await["newest"]["version"], 3);

    let page = browser.page("/profiles/base/edit?version=1").await;
    assert!(page.contains("value=\"1\"") && hidden(&page, "base") == "3", "{page}");
    server.api("DELETE", "/profiles/base", None).await;
    let gone = send(&browser, &page, &mine).await;
    assert!(gone.status == 409 && gone.text().contains("it was removed while you wrote"), "{}", gone.text());
    assert_eq!(browser.get("/profiles/base/edit").await.status, 404);
}

#[tokio::test]
async fn a_version_is_tried_assigned_rolled_back_and_taken_away() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    server.api("PUT", "/groups/a", Some(json!({ "filter": "state = active" }))).await;
    put(&server, zoom(1)).await;
    put(&server, zoom(2)).await;
    let browser = Browser::admin(&server).await;
    let page = browser.page("/profiles/base").await;
    assert!(
        page.contains("Nothing yet, so it takes no effect.") && page.contains(r#"<option value="a">"#),
        "{page}"
    );
    let tried = browser.page("/profiles/base/dry-run?go=1&version=1&group=a").await;
    assert!(
        tried.contains("<b>1</b> device is meant.") && tried.contains("<b><bdi>get</bdi></b>"),
        "{tried}"
    );
    let one = browser.submit(&tried, "/profiles/base/assign", &[("version", "1"), ("group", "a")]).await;
    assert_eq!(one.header("location"), "/profiles/base", "{}", one.text());
    let alone = browser.page("/profiles/base/dry-run?go=1&device=IMEI%3A1").await;
    assert!(alone.contains("What would come of version 2") && !alone.contains("Assign version"), "{alone}");
    let wrong = browser.page("/profiles/base/dry-run?go=1&device=IMEI%3A9").await;
    assert!(wrong.contains("IMEI:9 is not enrolled") && wrong.contains(r#"value="IMEI:9""#), "{wrong}");

    let page = browser.page("/profiles/base").await;
    assert!(page.contains("Try version") && !page.contains("Roll back"), "{page}");
    browser.submit(&page, "/profiles/base/assign", &[("version", "2"), ("group", "a")]).await;
    let ask = browser.page("/profiles/base/rollback?group=a").await;
    assert!(
        ask.contains("It gets version 1 again")
            && ask.contains("has the value <b>")
            && ask.contains("changed"),
        "{ask}"
    );
    let back = browser.submit(&ask, "/profiles/base/rollback", &[("group", "a"), ("version", "1")]).await;
    assert_eq!(back.header("location"), "/profiles/base", "{}", back.text());
    assert_eq!(server.get("/profiles/base").await["assignments"][0]["version"], 1);
    let listed = browser.page("/profiles").await;
    assert!(listed.contains("version 1") && listed.contains("group%3A%22a%22"), "{listed}");

    let ask = browser.page("/profiles/base/unassign?group=a").await;
    assert!(ask.contains("stays there as it is"), "{ask}");
    assert_eq!(browser.submit(&ask, "/profiles/base/unassign", &[("group", "a")]).await.status, 303);
    assert_eq!(browser.get("/profiles/base/unassign?group=a").await.status, 404, "a stale page says so");
    assert_eq!(
        browser.submit(&browser.page("/").await, "/profiles/base/unassign", &[("group", "a")]).await.status,
        404
    );
    let unknown = browser.submit(&page, "/profiles/base/assign", &[("version", "9"), ("group", "")]).await;
    assert!(unknown.status == 404 && unknown.text().contains("no version 9"), "{}", unknown.text());
    let ask = browser.page("/profiles/base/remove").await;
    assert_eq!(browser.submit(&ask, "/profiles/base/remove", &[]).await.header("location"), "/profiles");
    assert_eq!(browser.get("/profiles/base").await.status, 404);
}

#[tokio::test]
async fn devices_are_shown_by_state_and_try_again() {
    let server = TestServer::start().await;
    put(&server, zoom(1)).await;
    assign(&server, "base", json!({})).await;
    for id in ["IMEI:1", "IMEI:2"] {
        refuse(&server, &server.enrol(id).await).await;
    }
    let browser = Browser::admin(&server).await;
    let page = browser.page("/profiles/base").await;
    assert!(page.contains("Devices by state: converged 0, pending 0, drifted 0, failed 2"), "{page}");
    let failed = browser.page("/profiles/base/devices?state=failed").await;
    assert!(failed.contains("IMEI:1") && failed.contains("IMEI:2") && failed.contains("403"), "{failed}");
    let one = [("device", "IMEI:1"), ("back", "/profiles/base/devices?state=failed")];
    let again = browser.submit(&failed, "/profiles/base/retry", &one).await;
    assert_eq!(again.header("location"), "/profiles/base/devices?state=failed", "{}", again.text());
    let pending = browser.page("/profiles/base/devices?state=pending").await;
    assert!(pending.contains("IMEI:1") && !pending.contains("IMEI:2"), "{pending}");
    let all = browser.submit(&failed, "/profiles/base/retry", &[]).await;
    assert_eq!(all.header("location"), "/profiles/base/devices", "{}", all.text());
    assert!(
        browser.page("/profiles/base/devices?state=failed").await.contains("No device is in this state.")
    );
    let next = browser.page("/profiles/base/devices?after=IMEI%3A1").await;
    assert!(next.contains("IMEI:2") && !next.contains("IMEI:1<") && next.contains("First page"), "{next}");
    assert_eq!(browser.get("/profiles/base/devices?state=odd").await.status, 400);
}

#[tokio::test]
async fn what_a_role_may_not_do_with_profiles_is_not_shown() {
    let server = TestServer::start().await;
    put(&server, zoom(1)).await;
    assign(&server, "base", json!({})).await;
    refuse(&server, &server.enrol("IMEI:1").await).await;
    let viewer = Browser::with_token(&server, &token(&server, "viewer", None).await).await;
    let shown = [
        "/profiles",
        "/profiles/base",
        "/profiles/base/devices?state=failed",
        "/profiles/base/versions/1",
        "/profiles/base/dry-run?go=1",
    ];
    for path in shown {
        let page = viewer.page(path).await;
        assert_eq!(page.matches(r#"method="post""#).count(), 2, "{path}: appearance and log out alone");
        for action in ["_new", "/edit", "/remove", "/unassign", "/rollback"] {
            assert!(!page.contains(action), "{path} has {action}");
        }
    }
    let page = viewer.page("/profiles").await;
    for (path, fields) in [
        (EDIT, &[("head.name", "x"), ("do", "store")][..]),
        ("/profiles/base/assign", &[("version", "1")]),
        ("/profiles/base/unassign", &[("group", "")]),
        ("/profiles/base/remove", &[]),
        ("/profiles/base/retry", &[]),
    ] {
        assert_eq!(viewer.submit(&page, path, fields).await.status, 403, "{path}");
    }
    server.api("PUT", "/groups/a", Some(json!({ "filter": "label:site = A" }))).await;
    let kept = Browser::with_token(&server, &token(&server, "operator", Some(&["a"])).await).await;
    let page = kept.page("/profiles").await;
    assert!(page.contains("/profiles/base/versions\"") && !page.contains("_new"), "{page}");
    assert!(kept.page("/profiles/base/versions").await.contains("Version 1"));
    assert_eq!(kept.get("/profiles/base").await.status, 403);
}

#[tokio::test]
async fn pages_of_profiles_are_bounded_and_what_they_say_is_text() {
    let server = TestServer::start().await;
    let text = HOSTILE.repeat(6);
    let nodes: Vec<Value> = (0..450)
        .map(|number| json!({ "address": format!("urn:x:1.0//N{number}"), "value": text, "after": if number > 0 { vec!["urn:x:1.0//N0"] } else { Vec::new() } }))
        .collect();
    let many = json!({ "name": "base", "description": text, "node": nodes });
    put(&server, many.clone()).await;
    let mut other = many;
    other["node"].as_array_mut().unwrap().truncate(100);
    put(&server, other).await;
    server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    for path in [
        "/profiles",
        "/profiles/base",
        "/profiles/base/versions",
        "/profiles/base/versions/1",
        "/profiles/base/versions/1?from=400",
        "/profiles/base/diff?from=1&to=2",
        "/profiles/base/dry-run?go=1&version=1",
        "/profiles/base/dry-run?go=1&device=IMEI%3A1",
    ] {
        let page = browser.page(path).await;
        assert!(page.len() < super::pages::MAX_PAGE, "{path}: {}", page.len());
        assert!(
            !page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains('\u{202e}'),
            "{path}"
        );
    }
    let second = browser.page("/profiles/base/versions/1?from=400").await;
    assert!(
        second.contains("start=\"401\"") && second.contains("N449") && !second.contains("N399"),
        "{second}"
    );
    let editor = browser.page("/profiles/base/edit").await;
    assert!(
        editor.contains("name=\"source\"") && !editor.contains("<script>alert"),
        "more than a form can show is JSON"
    );
    let rows = send(
        &browser,
        &editor,
        &[("source", &server.get("/profiles/base").await["newest"]["document"].to_string()), ("do", "rows")],
    )
    .await;
    assert!(rows.text().contains("too much for a form"), "{}", rows.text());
    for name in ["nothing", "..%2F..", "%3Cscript%3E"] {
        assert_eq!(browser.get(&format!("/profiles/{name}")).await.status, 404, "{name}");
    }
}
