//! The Web Server Component: pages that devices show, and what users answer (`DM 2.0 §5.3.7`), the server.

use http::Method;
use omadm_conformance::{Chromium, Reply, ScriptDevice, TestServer, commands, proves};
use serde_json::{Value, json};

/// A page of the server under test, as a browser without cookies gets it.
async fn browse(
    device: &ScriptDevice,
    method: Method,
    uri: &str,
    more: &[(&str, &str)],
    body: &str,
) -> Reply {
    let path = uri.split_once("/ui/").map(|(_, token)| format!("/ui/{token}")).expect("a page");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    device.send(method, &path, &[&form[..], more].concat(), body.as_bytes()).await
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.clone()).unwrap()
}

/// Puts a page and has a device show it; gives the command and the address of the page.
async fn shown(server: &TestServer, device: &ScriptDevice, page: &Value) -> (String, String) {
    let put = server.rest(Method::PUT, "/pages/question", Some(page)).await;
    assert_eq!(put.status, 200, "{}", text(&put));
    let id = server.queue(device, &json!({ "verb": "show", "page": "question" })).await;
    let package = commands(&device.begin().await);
    assert_eq!((package.len(), package[0].len(), package[0][0].as_str()), (1, 2, "SHOW"));
    (id, package[0][1].clone())
}

#[tokio::test]
async fn the_answer_of_the_user_is_the_result() {
    proves!("DM-PACK-020-S-M", "D2-5.3.7-01", "D2-5.3.7-02", "D2-5.3.7-06");
    let (server, device) = TestServer::with_device().await;
    let page = json!({ "kind": "consent", "title": "Update <now>?", "text": "It takes\n\nan hour." });
    let (id, uri) = shown(&server, &device, &page).await;
    assert_eq!(commands(&device.answer(&json!([{ "sc": 200 }])).await), [["END"]]);
    let command = server.command(&id).await;
    assert_eq!(
        (&command["state"], &command["status"]),
        (&json!("sent"), &json!(200)),
        "it waits for the user"
    );

    let page = browse(&device, Method::GET, &uri, &[], "").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(text(&page).contains("Update &lt;now&gt;?") && !text(&page).contains("<script"));
    assert!(
        page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'"))
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));

    let foreign = [("origin", "https://evil.example")];
    assert_eq!(browse(&device, Method::POST, &uri, &foreign, "answer=no").await.status, 403);
    assert_eq!(browse(&device, Method::POST, &uri, &[], "answer=perhaps").await.status, 422);
    assert_eq!(server.command(&id).await["state"], "sent");
    let most = format!("answer=yes&more={}", "x".repeat((1 << 20) - "answer=yes&more=".len()));
    assert_eq!(browse(&device, Method::POST, &uri, &[], &format!("{most}x")).await.status, 413);
    assert_eq!(browse(&device, Method::POST, &uri, &[], &most).await.status, 303);
    let command = server.command(&id).await;
    assert_eq!(
        (&command["state"], &command["result"]["answer"]),
        (&json!("done"), &json!({ "consent": true }))
    );

    assert_eq!(browse(&device, Method::POST, &uri, &[], "answer=no").await.status, 303, "again");
    assert!(text(&browse(&device, Method::GET, &uri, &[], "").await).contains("was received"));
    assert_eq!(server.command(&id).await["result"]["answer"]["consent"], true, "the first answer stays");
    let events = server.events(&device).await;
    let answers: Vec<_> = events.iter().filter(|event| event["kind"] == "answer").collect();
    assert_eq!(answers.len(), 1);
    assert_eq!(
        (&answers[0]["body"]["command"], &answers[0]["body"]["page"]),
        (&json!(id), &json!("question"))
    );

    let other = if uri.ends_with('0') { '1' } else { '0' };
    for unknown in [format!("{}{other}", &uri[..uri.len() - 1]), format!("{uri}0"), "x/ui/1".to_owned()] {
        assert_eq!(browse(&device, Method::GET, &unknown, &[], "").await.status, 404, "{unknown}");
        assert_eq!(browse(&device, Method::POST, &unknown, &[], "answer=yes").await.status, 404, "{unknown}");
    }
}

#[tokio::test]
async fn users_may_be_quicker_than_devices_and_devices_may_not_show() {
    let (server, device) = TestServer::with_device().await;
    let page = json!({ "kind": "notice", "title": "Hello" });
    let (id, uri) = shown(&server, &device, &page).await;
    assert_eq!(browse(&device, Method::POST, &uri, &[], "").await.status, 303);
    assert_eq!(server.command(&id).await["result"]["answer"], json!({ "seen": true }));
    assert_eq!(commands(&device.answer(&json!([{ "sc": 200 }])).await), [["END"]]);
    assert_eq!(server.command(&id).await["state"], "done");

    for status in [500, 501, 507] {
        let (id, uri) = shown(&server, &device, &page).await;
        device.answer(&json!([{ "sc": status }])).await;
        let command = server.command(&id).await;
        assert_eq!((&command["state"], &command["status"]), (&json!("failed"), &json!(status)));
        assert!(command["reason"].as_str().is_some_and(|reason| reason.contains("What to do")), "{command}");
        assert_eq!(browse(&device, Method::GET, &uri, &[], "").await.status, 410);
    }
    let elsewhere =
        server.queue(&device, &json!({ "verb": "show", "url": "https://h.example/[DevID]" })).await;
    assert_eq!(commands(&device.begin().await), [["SHOW", "https://h.example/[DevID]"]]);
    device.answer(&json!([{ "sc": 200 }])).await;
    assert_eq!(server.outcome(&elsewhere).await, ("done".into(), Some(200)));
    let refused = [json!({ "verb": "show" }), json!({ "verb": "show", "url": "file:///x" })];
    for request in refused {
        assert_eq!(server.post_command(&device.device_id, &request).await.status, 400, "{request}");
    }
    let missing = json!({ "verb": "show", "page": "no-such-page" });
    assert_eq!(server.post_command(&device.device_id, &missing).await.status, 404);
}

#[tokio::test]
async fn a_real_browser_fills_in_a_form_without_scripts() {
    proves!("E20-4.3-02");
    let (server, device) = TestServer::with_device().await;
    let page = json!({
        "kind": "form", "title": "About this machine", "language": "en",
        "text": "Please tell us where the machine stands.\n\nIt takes a minute.",
        "fields": [
            { "name": "place", "label": "Place", "type": "text", "required": true, "min": 2, "hint": "Such as: hall 3" },
            { "name": "floor", "label": "Floor", "type": "integer", "min": -3, "max": 200 },
            { "name": "since", "label": "Installed on", "type": "date" },
            { "name": "use", "label": "Use", "type": "choice", "options": [
                { "value": "lab", "label": "Laboratory" }, { "value": "shop", "label": "Shop <floor>" }] },
            { "name": "remarks", "label": "Remarks", "type": "paragraph" },
            { "name": "agreed", "label": "I am responsible for it", "type": "checkbox", "required": true },
        ],
    });
    let (id, uri) = shown(&server, &device, &page).await;
    device.answer(&json!([{ "sc": 200 }])).await;
    let browser = Chromium::start().await;
    browser.open(&uri).await;
    assert_eq!(browser.text("h1").await, "About this machine");
    assert_eq!(browser.style("main", "max-width").await, "576px", "the style is allowed");
    browser.type_into("#f-place", "   ").await;
    browser.type_into("#f-floor", "12").await;
    browser.click("#f-use option[value=shop]").await;
    browser.type_into("#f-remarks", "first\n\"second\" <&>").await;
    browser.click("#f-agreed").await;
    browser.click("input[type=submit]").await;
    assert_eq!(browser.text("#e-place").await, "This is needed.");
    let pictures = std::env::var_os("OMADM_PICTURES").map(std::path::PathBuf::from);
    if let Some(directory) = &pictures {
        browser.picture(&directory.join("form.png")).await;
    }
    assert_eq!(server.command(&id).await["state"], "sent");
    browser.type_into("#f-place", "hall 3").await;
    browser.click("input[type=submit]").await;
    assert!(browser.text("[role=status]").await.contains("was received"));
    // The language that was chosen stays.
    assert_eq!(browser.address().await, format!("{uri}?language=en"));
    if let Some(directory) = &pictures {
        browser.picture(&directory.join("thanks.png")).await;
    }
    browser.close().await;
    let command = server.command(&id).await;
    let values = json!({
        "place": "hall 3", "floor": 12, "since": null, "use": "shop", "remarks": "first\n\"second\" <&>", "agreed": true,
    });
    assert_eq!((&command["state"], &command["result"]["answer"]["values"]), (&json!("done"), &values));
}
