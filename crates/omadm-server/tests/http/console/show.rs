//! Pages for the people who hold devices: made, looked at, asked, answered.

use http::Method;
use serde_json::{Value, json};

use super::{Browser, token};
use crate::harness::{Answer, Device, HELLO, TestServer};

/// What would like to be more than text.
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}'\"><img src=x>";

/// A form that the editor sends.
const FORM: &[(&str, &str)] = &[
    ("is-new", "true"),
    ("name", "place"),
    ("kind", "form"),
    ("language", "en"),
    ("title", "About this machine"),
    ("text", "Where is it?\r\n\r\nIt takes a minute."),
    ("fields/0/name", "floor"),
    ("fields/0/type", "integer"),
    ("fields/0/label", "Floor"),
    ("fields/0/required", "on"),
    ("fields/0/min", "-3"),
    ("fields/0/max", "9"),
    ("fields/1/name", "use"),
    ("fields/1/type", "choice"),
    ("fields/1/label", "Use"),
    ("fields/1/hint", "Mainly"),
    ("fields/1/options", "lab = Laboratory\r\nshop = Shop"),
    ("translations/0/language", "de"),
    ("translations/0/title", "Über dieses Gerät"),
    ("translations/0/text", "Wo steht es?\r\n\r\nEs dauert eine Minute."),
    ("translations/0/fields/0/label", "Stock"),
    ("translations/0/fields/1/label", "Nutzung"),
    ("translations/0/fields/1/hint", "Hauptsächlich"),
    ("translations/0/fields/1/options", "lab = Labor\r\nshop = Laden"),
];

/// The same with what a button says, and some of it otherwise.
fn pressed<'f>(button: &'f str, changes: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let kept = FORM.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    kept.copied().chain(changes.iter().copied()).chain([("do", button)]).collect()
}

/// A page on the listener of devices, as a browser there sees it.
async fn visit(
    server: &TestServer,
    device: &Device,
    method: Method,
    path: &str,
    language: &str,
    body: &str,
) -> Answer {
    let form = (method == Method::POST).then_some("application/x-www-form-urlencoded");
    let mut request = device.request(method, path, form, body.to_owned());
    request.headers_mut().insert("accept-language", language.parse().unwrap());
    server.connect().await.send(request).await
}

/// Has a device ask for what it is to show; gives the path of the page.
async fn shown(server: &TestServer, device: &Device) -> String {
    let commands = server.connect().await.send(device.package1(HELLO)).await.commands();
    assert_eq!(commands[0][0], "SHOW", "{commands:?}");
    let at = commands[0][1].find("/ui/").unwrap();
    commands[0][1][at..].to_owned()
}

#[tokio::test]
async fn a_page_is_made_in_two_languages_asked_and_answered() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let editor = browser.page("/new-page?kind=form").await;
    let saved = browser.submit(&editor, "/pages", &pressed("save", &[])).await;
    assert_eq!((saved.status.as_u16(), saved.header("location")), (303, "/pages/place"), "{}", saved.text());
    let kept = server.get("/pages/place").await;
    assert_eq!(kept["page"]["text"], "Where is it?\n\nIt takes a minute.");
    assert_eq!(
        kept["page"]["fields"][0],
        json!({ "name": "floor", "label": "Floor", "type": "integer", "required": true, "min": -3, "max": 9 })
    );
    assert_eq!(
        kept["page"]["translations"][0]["fields"]["use"]["options"],
        json!({ "lab": "Labor", "shop": "Laden" })
    );

    // As it is kept it comes into the editor again, and out of it unchanged.
    let editor = browser.page("/pages/place/edit").await;
    assert!(editor.contains("Hauptsächlich") && editor.contains("lab = Labor\nshop = Laden"), "{editor}");
    let page = browser.page("/pages/place").await;
    assert!(page.contains("Deutsch") && page.contains("Nobody has answered yet"), "{page}");
    let asked = browser.submit(&page, "/pages/place/ask", &[("device", "IMEI:1")]).await;
    assert!(asked.header("location").starts_with("/commands/"), "{}", asked.text());

    let path = shown(&server, &device).await;
    let english = visit(&server, &device, Method::GET, &path, "sw, fr;q=0.5", "").await;
    assert!(
        english.text().contains("<h1>About this machine</h1>")
            && english.text().contains(r#"<a href="?language=de""#)
    );
    let german = visit(&server, &device, Method::GET, &path, "de-CH, en;q=0.5", "").await;
    assert!(
        german.text().contains(r#"<html lang="de">"#) && german.text().contains("Über dieses Gerät"),
        "{}",
        german.text()
    );
    let chosen = visit(&server, &device, Method::GET, &format!("{path}?language=en"), "de", "").await;
    assert!(chosen.text().contains(r#"<html lang="en">"#));
    let wrong = visit(&server, &device, Method::POST, &path, "de", "floor=12&use=lab").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("Bitte schreiben Sie 9 oder weniger."), "{}", wrong.text());
    let right = visit(&server, &device, Method::POST, &path, "de", "floor=2&use=lab").await;
    assert_eq!(
        (right.status.as_u16(), right.header("location")),
        (303, format!("{path}?language=de").as_str())
    );
    let thanks = visit(&server, &device, Method::GET, right.header("location"), "en", "").await;
    assert!(thanks.text().contains("Ihre Antwort ist angekommen"), "{}", thanks.text());

    let page = browser.page("/pages/place").await;
    assert!(page.contains("IMEI:1") && page.contains("Laboratory"), "{page}");
    let answers = server.items("/pages/place/answers").await;
    assert_eq!((answers.len(), &answers[0]["answer"]["values"]), (1, &json!({ "floor": 2, "use": "lab" })));
    assert!(server.items("/pages/other/answers").await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_said_beside_it_and_nothing_is_lost() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let editor = browser.page("/new-page?kind=form").await;
    let changes = [("name", "a b"), ("fields/0/min", "few"), ("title", HOSTILE)];
    let refused = browser.submit(&editor, "/pages", &pressed("save", &changes)).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text().contains("letters, digits") && refused.text().contains(r#"value="few""#),
        "{}",
        refused.text()
    );
    assert!(!refused.text().contains("<script>alert") && !refused.text().contains("<img src=x"));
    let changes = [("fields/0/min", "few")];
    let refused = browser.submit(refused.text(), "/pages", &pressed("save", &changes)).await;
    assert!(
        refused.text().contains(r#"id="fields/0/min-fault"><p><bdi>&quot;few&quot; is no whole number"#),
        "{}",
        refused.text()
    );
    let changes = [("translations/0/fields/1/label", ""), ("translations/0/fields/1/options", "lab = Labor")];
    let refused = browser.submit(refused.text(), "/pages", &pressed("check", &changes)).await;
    let text = refused.text();
    assert!(text.contains(r#"id="translations/0/fields/1/label-fault""#), "{text}");
    assert!(
        text.contains("the option &quot;shop&quot; is not translated")
            && text.contains("lab = Labor\nshop = "),
        "{text}"
    );
    assert!(text.contains(r##"href="#translations/0/fields/1/label""##), "the summary leads there");
    assert!(server.items("/pages").await.is_empty());

    assert_eq!(browser.submit(text, "/pages", &pressed("save", &[])).await.status, 303);
    let editor = browser.page("/new-page?kind=form").await;
    let taken = browser.submit(&editor, "/pages", &pressed("save", &[])).await;
    assert!(taken.text().contains("there is a page of this name already"));
    let gone = browser.page("/pages/place").await;
    assert_eq!(server.api("DELETE", "/pages/place", None).await.status, 204);
    let stale = browser.submit(&gone, "/pages/place/ask", &[("device", "IMEI:1")]).await;
    assert_eq!(stale.status, 404);
    assert_eq!(browser.get("/pages/place").await.status, 404);
}

#[tokio::test]
async fn rows_are_added_and_removed_without_script_however_often() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let editor = browser.page("/new-page?kind=form").await;
    let more = browser.submit(&editor, "/pages", &pressed("add-field", &[])).await;
    assert!(
        more.text().contains(r#"name="fields/2/name""#)
            && more.text().contains(r#"name="translations/0/fields/2/label""#)
    );
    // The same page once more, as after the Back button of a browser.
    let again = browser.submit(&editor, "/pages", &pressed("add-field", &[])).await;
    assert_eq!(again.status, 200);
    let less = browser.submit(more.text(), "/pages", &pressed("remove-field:0", &[])).await;
    assert!(
        less.text().contains(r#"value="use""#) && !less.text().contains(r#"value="floor""#),
        "{}",
        less.text()
    );
    let moved = browser.submit(less.text(), "/pages", &pressed("raise-field:1", &[])).await;
    let (first, second) = (moved.text().find(r#"value="use""#), moved.text().find(r#"value="floor""#));
    assert!(first.unwrap() < second.unwrap());
    let language = [("new-language", "fr")];
    let spoken = browser.submit(moved.text(), "/pages", &pressed("add-language", &language)).await;
    assert!(
        spoken.text().contains("français")
            && spoken.text().contains(r#"name="translations/1/fields/1/options""#)
    );
    let silent = browser.submit(spoken.text(), "/pages", &pressed("remove-language:0", &[])).await;
    assert!(!silent.text().contains("translations/0"));
}

#[tokio::test]
async fn a_preview_is_what_people_see_and_sends_nothing() {
    let server = TestServer::start().await;
    let browser = Browser::admin(&server).await;
    let editor = browser.page("/new-page?kind=consent").await;
    let consent = [
        ("is-new", "true"),
        ("name", "update"),
        ("kind", "consent"),
        ("language", "en"),
        ("title", HOSTILE),
        ("do", "preview:en"),
    ];
    let preview = browser.submit(&editor, "/pages", &consent).await;
    assert_eq!((preview.status.as_u16(), preview.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = preview.header("content-security-policy");
    assert!(policy.contains("form-action 'none'") && policy.contains("default-src 'none'"), "{policy}");
    let text = preview.text();
    assert!(
        text.contains(r#"<input type="submit" name="yes" value="Yes">"#)
            && !text.contains("<script")
            && !text.contains("nav.menu")
    );
    // The same once more: it is drawn again, and not kept.
    let again = browser.submit(&editor, "/pages", &consent).await;
    assert_eq!(again.text(), text);
    let broken = browser
        .submit(
            &editor,
            "/pages",
            &[("kind", "consent"), ("name", "update"), ("title", ""), ("do", "preview:en")],
        )
        .await;
    assert!(broken.status == 422 && broken.text().contains("the title is empty"));

    let page = json!({ "kind": "notice", "title": "Hello", "translations": [{ "language": "ar", "title": "مرحبا" }] });
    assert_eq!(server.api("PUT", "/pages/hello", Some(page)).await.status, 200);
    let arabic = browser.get("/pages/hello/preview?language=ar").await;
    assert!(arabic.text().contains(r#"<html lang="ar" dir="rtl">"#), "{}", arabic.text());
    let of_api = server.get("/pages/hello/preview").await;
    assert_eq!((&of_api["language"], &of_api["languages"]), (&json!("en"), &json!(["en", "ar"])));
    let faults =
        server.api("POST", "/pages/hello/preview", Some(json!({ "kind": "choice", "title": "t" }))).await;
    assert_eq!((faults.status.as_u16(), &faults.json()["faults"][0]["pointer"]), (400, &json!("/options")));
}

#[tokio::test]
async fn roles_see_what_they_may_do() {
    let server = TestServer::start().await;
    let page = json!({ "kind": "consent", "title": "Update?" });
    assert_eq!(server.api("PUT", "/pages/update", Some(page)).await.status, 200);
    let browser = Browser::with_token(&server, &token(&server, "viewer", None).await).await;
    let list = browser.page("/pages").await;
    assert!(list.contains("update") && !list.contains("Make a page"));
    let one = browser.page("/pages/update").await;
    for absent in ["Change it", "Remove this page", "Have it shown"] {
        assert!(!one.contains(absent), "{absent}");
    }
    assert_eq!(browser.get("/new-page").await.status, 403);
    let refused = browser.submit(&one, "/pages", &[("name", "x"), ("do", "save")]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(browser.get("/pages/%3Cb%3E").await.status, 404);
}

#[tokio::test]
async fn many_pages_and_answers_stay_small() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let options: Vec<Value> =
        (0..200).map(|number| json!({ "value": number.to_string(), "label": "<".repeat(500) })).collect();
    for number in 0..60 {
        let page = json!({ "kind": "choice", "title": "<".repeat(500), "text": "<".repeat(20_000), "options": options });
        assert_eq!(server.api("PUT", &format!("/pages/p{number:02}"), Some(page)).await.status, 200);
    }
    let list = browser.page("/pages").await;
    assert!(list.len() < 150_000 && list.contains("p49") && !list.contains("p50"), "{}", list.len());
    assert!(browser.page("/pages?after=p49").await.contains("p59"));
    server.queue(&device, json!({ "verb": "show", "page": "p00" })).await;
    let path = shown(&server, &device).await;
    assert_eq!(visit(&server, &device, Method::POST, &path, "en", "answer=7").await.status, 303);
    let one = browser.page("/pages/p00").await;
    assert!(one.len() < 150_000 && one.contains("IMEI:1"), "{}", one.len());
    assert_eq!(server.api("GET", "/pages?limit=0", None).await.status, 400);
}
