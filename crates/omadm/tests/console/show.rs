//! Pages for the people who hold devices, events, descriptions and webhooks: from the login to the result.

use crate::browser::{Browser, DESKTOP, PHONE};
use crate::place::{LANG, Place, segment};

/// A form in two languages.
const FORM: &str = r#"{ "kind": "form", "title": "About this machine", "text": "Please tell us where it stands.", "language": "en",
    "fields": [ { "name": "place", "label": "Place", "type": "text", "required": true, "hint": "Such as: hall 3" },
                { "name": "use", "label": "Use", "type": "choice", "options": [ { "value": "lab", "label": "Laboratory" } ] } ],
    "translations": [ { "language": "de", "title": "Über dieses Gerät", "text": "Bitte sagen Sie uns, wo es steht.", "fields": {
        "place": { "label": "Ort", "hint": "Etwa: Halle 3" }, "use": { "label": "Nutzung", "options": { "lab": "Labor" } } } } ] }"#;

/// The pages there are, with something on each of them.
pub fn pages(place: &Place) -> Vec<(&'static str, String)> {
    place.run(&["page", "put", &place.file("machine.json", FORM)]);
    // That nobody listens there shows on the page.
    place.run(&["webhook", "add", "tickets", HOOK, "--kind", "command", "--kind", "device"]);
    let name = |path: &str| path.to_owned();
    vec![
        ("show", name("/pages")),
        ("show-page", name("/pages/machine")),
        ("show-editor", name("/pages/machine/edit")),
        ("show-new", name("/new-page?kind=choice")),
        ("show-preview", name("/pages/machine/preview?language=de")),
        ("show-remove", name("/pages/machine/remove")),
        ("events", name("/events")),
        ("events-kinds", name("/events?kind=command,session")),
        ("events-fault", name("/events?device=not%20one")),
        ("ddfs", name("/ddfs")),
        ("ddf", name("/ddfs/dm_devinfo-v1_2.ddf")),
        ("webhooks", name("/webhooks")),
        ("webhook", name("/webhooks/tickets")),
    ]
}

/// Where nobody listens.
const HOOK: &str = "https://127.0.0.1:9/omadm";

#[tokio::test]
async fn a_page_is_made_in_two_languages_from_a_phone_and_shown_on_a_device() {
    let place = Place::start();
    place.simulate("dm2.0", "1");
    let device = place.devices("protocol = dm2.0").remove(0);
    let browser = Browser::open(&place.url, PHONE).await;
    browser.log_in(&place.token).await;
    browser.press("User pages").await;
    browser.press("Consent").await;
    browser.fill("#name", "update").await;
    browser.fill("#title", "Update now?").await;
    browser.fill("#new-language", "de").await;
    browser.press("Add a language").await;
    browser.press("Check it").await;
    browser.wait_for_text("One thing is wrong").await;
    browser.is_accessible("a page with a fault").await;
    browser.fits("a page with a fault").await;
    browser.fill("[name='translations/0/title']", "Jetzt aktualisieren?").await;
    // That something was wrong is an error to the browser, too.
    browser.forget_errors().await;
    browser.press("Save").await;
    browser.wait_for_text("The page is saved").await;
    browser.fill("#device", &device).await;
    browser.press("Have it shown").await;
    browser.wait_for_text("The device shows the page from its next session on.").await;
    let kept = place.run(&["page", "show", "update"]);
    assert!(kept.contains("Jetzt aktualisieren?"), "{kept}");
    browser.close().await;
}

#[tokio::test]
async fn a_form_gets_its_fields_row_by_row_and_is_looked_at_before_it_is_kept() {
    let place = Place::start();
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.go("/new-page?kind=form").await;
    browser.fill("#name", "place").await;
    browser.fill("#title", "Where is it?").await;
    browser.fill("[name='fields/0/name']", "hall").await;
    browser.fill("[name='fields/0/label']", "Hall").await;
    browser.press("Add a field").await;
    browser.fill("[name='fields/1/name']", "floor").await;
    browser.fill("[name='fields/1/label']", "Floor").await;
    browser.press("Move field 2 up").await;
    browser.press("Remove field 2").await;
    browser.wait_for("[name='fields/0/name'][value='floor']").await;
    browser.press("Preview").await;
    let windows = browser.client.windows().await.unwrap();
    assert_eq!(windows.len(), 2, "the editor stays where it is");
    browser.client.switch_to_window(windows[1].clone()).await.unwrap();
    browser.wait_for("input[type=submit][value=Send]").await;
    assert!(browser.text().await.contains("Where is it?"));
    browser.is_accessible("the preview").await;
    browser.client.close_window().await.unwrap();
    browser.client.switch_to_window(windows[0].clone()).await.unwrap();
    browser.press("Save").await;
    browser.wait_for_text("The page is saved").await;
    browser.close().await;
}

#[tokio::test]
async fn the_log_renews_itself_and_leads_to_what_it_tells_of() {
    let place = Place::start();
    place.simulate("dm2.0", "1");
    let device = place.devices("protocol = dm2.0").remove(0);
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.press("Events").await;
    browser.fill("#device", &device).await;
    browser.press("Show").await;
    browser.wait_for_text("The device was enrolled").await;
    place.run(&["device", "note", &device, "on the roof"]);
    browser.wait_for_text("Name, note or labels of the device were changed").await;
    browser.press("Kinds").await;
    browser.is_accessible("the kinds of events").await;
    browser.press("Export JSON").await;
    browser.go(&format!("/devices/{}/events", segment(&device))).await;
    browser.wait_for_text("The device was enrolled").await;
    browser.close().await;
}

#[tokio::test]
async fn a_description_is_put_and_a_webhook_is_added() {
    let place = Place::start();
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.press("Descriptions").await;
    let object = LANG.split("//").next().unwrap();
    let text = format!(
        "<MgmtTree><VerDTD>1.2</VerDTD><Man>Ours</Man><Node><DFProperties><AccessType><Get/></AccessType><DFFormat><node/></DFFormat>\
         <DFType><DDFName>{object}</DDFName></DFType></DFProperties></Node></MgmtTree>"
    );
    let file = place.file("ours.ddf", &text);
    browser.fill("#name", "ours.ddf").await;
    browser.wait_for("#file").await.send_keys(&file).await.unwrap();
    browser.press("Put it").await;
    browser.wait_for_text("The file ours.ddf is stored").await;
    browser.wait_for_text(object).await;
    browser.press("Remove this file").await;
    browser.press("Remove it").await;
    browser.wait_for_text("The file ours.ddf is removed").await;

    browser.press("Webhooks").await;
    browser.fill("#name", "tickets").await;
    browser.fill("#url", HOOK).await;
    browser.press("Add it").await;
    browser.wait_for_text("whsec_").await;
    browser.is_accessible("the key of a webhook").await;
    browser.press("Go on to the webhook").await;
    browser.wait_for_text("How it stands").await;
    browser.close().await;
}
