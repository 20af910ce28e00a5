//! Imports by a form with a file, and exports.

use super::{Browser, token};
use crate::harness::TestServer;

const TABLE: &str = "id,label,secret,label:site\nIMEI:1,till <1>,a secret of the device,A\nIMEI:2,=till,another secret of it,A\n";

/// A page with marks that are of no session.
const NO_MARKS: &str = r#"type="hidden" name="_mark" value="AAAA" type="hidden" name="_once" value="1""#;

/// Waits until an import is over.
async fn over(server: &TestServer, import: &str) {
    loop {
        let state = server.get(import).await["state"].as_str().unwrap().to_owned();
        if !["reading", "checking", "writing"].contains(&state.as_str()) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_table_is_checked_and_then_imported() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let page = browser.page("/imports").await;
    assert!(page.contains("Nothing was imported yet") && page.contains(r#"enctype="multipart/form-data""#));
    let said = [("dry_run", "true"), ("format", "csv")];
    let begun = browser.upload(&page, "/imports", &said, TABLE.as_bytes()).await;
    assert_eq!(begun.status, 303, "{}", begun.text());
    let import = begun.header("location").to_owned();
    let twice = browser.upload(&page, "/imports", &said, TABLE.as_bytes()).await;
    assert_eq!(twice.header("location"), import, "sent twice, imported once");
    over(&server, &import).await;
    let shown = browser.page(&import).await;
    assert!(
        shown.contains("All rows are good")
            && shown.contains("IMEI:2")
            && !shown.contains("hx-trigger=\"every"),
        "{shown}"
    );
    assert!(server.items("/devices").await.is_empty());

    let page = browser.page("/imports").await;
    let said = [("dry_run", "false"), ("format", "csv")];
    let begun = browser.upload(&page, "/imports", &said, TABLE.as_bytes()).await;
    over(&server, begun.header("location")).await;
    assert!(browser.page(begun.header("location")).await.contains("All rows are written"));
    let devices = server.items("/devices").await;
    assert_eq!(devices.len(), 2);
    assert_eq!((&devices[0]["label"], &devices[0]["labels"]["site"]), (&"till <1>".into(), &"A".into()));
    let list = browser.page("/imports").await;
    assert!(list.contains("only checked") && list.contains("done"), "{list}");
}

#[tokio::test]
async fn bad_rows_are_shown_with_why() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let page = browser.page("/imports").await;
    let lines = "{\"id\":\"IMEI:1\",\"secret\":\"a secret of the device\"}\n{\"id\":\"<script>\",\"colour\":\"red\"}\n";
    let begun = browser
        .upload(&page, "/imports", &[("dry_run", "false"), ("format", "json")], lines.as_bytes())
        .await;
    let import = begun.header("location").to_owned();
    over(&server, &import).await;
    let shown = browser.page(&import).await;
    assert!(
        shown.contains("nothing was written") && shown.contains("&lt;script&gt;") && shown.contains("colour"),
        "{shown}"
    );
    assert!(!shown.contains("IMEI:1") && shown.contains("faults=true"), "bad rows come first");
    assert!(browser.page(&format!("{import}?all=yes")).await.contains("IMEI:1"));
    let rows = server.items(&format!("{import}/rows?limit=1&after=1")).await;
    assert_eq!((rows.len(), &rows[0]["row"], &rows[0]["outcome"]), (1, &2.into(), &"bad".into()));
    assert_eq!(server.items(&format!("{import}/rows?faults=true")).await.len(), 1);
    assert_eq!(server.api("GET", &format!("{import}/rows?after=x"), None).await.status, 400);
    assert_eq!(browser.get("/imports/018f0000-0000-7000-8000-000000000000").await.status, 404);
}

#[tokio::test]
async fn a_form_without_a_file_or_with_a_broken_one_says_so() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let page = browser.page("/imports").await;
    let said = [("dry_run", "false"), ("format", "json")];
    let none = browser.upload(&page, "/imports", &said, b"").await;
    assert_eq!(none.status, 400);
    assert!(
        none.text().contains("choose a file") && none.text().contains(r#"value="json" checked"#),
        "{}",
        none.text()
    );
    let names = browser.upload(&page, "/imports", &[("format", "csv")], b"colour\nred\n").await;
    assert_eq!(names.status, 400);
    assert!(names.text().contains("one of them has to be id"), "{}", names.text());
    let large = vec![b'x'; 3 << 20];
    let early = browser.upload(&page, "/imports", &[("format", "csv")], &large).await;
    assert_eq!(early.status, 400, "what was refused early is heard out, and answered");
    let much = "x".repeat(65 << 10);
    let fields = browser.upload(&page, "/imports", &[("format", &much)], b"id\n").await;
    assert_eq!(fields.status, 413);
    assert_eq!(browser.multipart("/imports", "text", b"no form").await.status, 400);
    assert!(server.items("/devices").await.is_empty());
}

#[tokio::test]
async fn files_are_taken_from_pages_of_this_session_only() {
    let server = TestServer::start().await;
    let mut browser = Browser::admin(&server).await;
    let page = browser.page("/imports").await;
    let stolen = browser.upload(NO_MARKS, "/imports", &[], TABLE.as_bytes()).await;
    assert!(stolen.text().contains("Nothing has been done yet"), "{}", stolen.text());
    let viewer = Browser::with_token(&server, &token(&server, "viewer", None).await).await;
    let list = viewer.page("/imports").await;
    assert!(!list.contains("multipart"));
    assert_eq!(viewer.upload(&list, "/imports", &[], TABLE.as_bytes()).await.status, 403);
    browser.cookie.clear();
    let ended = browser.upload(&page, "/imports", &[("format", "json")], TABLE.as_bytes()).await;
    assert_eq!(ended.status, 401);
    assert!(ended.text().contains("format=json"), "the fields are kept");
    assert!(server.items("/imports").await.is_empty());
}

#[tokio::test]
async fn what_a_filter_means_is_exported() {
    let server = TestServer::start().await;
    for id in ["IMEI:1", "IMEI:2"] {
        server.enrol(id).await;
    }
    let browser = Browser::admin(&server).await;
    let page = browser
        .page("/export?filter=id%20%3D%20%22IMEI%3A1%22&format=json&columns=model&columns=state&labels=site")
        .await;
    let href = page
        .split("href=\"/api/v1/devices/export")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&amp;", "&");
    assert!(page.contains("<b>1</b> device") && page.contains("devices.json"), "{page}");
    let file = browser.get(&format!("/api/v1/devices/export{href}")).await;
    assert_eq!(
        file.json(),
        serde_json::json!({ "id": "IMEI:1", "model": null, "state": "active", "label:site": null })
    );
    let all = browser.page("/export").await;
    assert!(all.contains("<b>2</b> devices"), "{all}");
    let fault = browser.page("/export?filter=colour%20%3D%20red").await;
    assert!(fault.contains("there is no field colour") && !fault.contains("devices.csv"));
}
