//! Campaigns and packages: from an empty form to devices that have the change.

use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP, PHONE};
use crate::place::{LANG, Place};

/// A filter for these devices.
fn these(devices: &[String]) -> String {
    let quoted: Vec<String> = devices.iter().map(|id| format!("{id:?}")).collect();
    format!("id in ({})", quoted.join(", "))
}

/// The identifier of a campaign, once it is in a state.
fn when(place: &Place, name: &str, state: &str) -> String {
    loop {
        let seen = place.run(&["campaign", "show", name, "--output", "json"]);
        let seen: Value = serde_json::from_str(&seen).unwrap();
        if seen["state"] == state {
            return seen["id"].as_str().unwrap().to_owned();
        }
    }
}

/// A campaign that is done, one that has failed, one that holds, and a package; gives the pages there are.
pub fn pages(place: &Place) -> Vec<(&'static str, String)> {
    let image = place.file("router.img", "firmware of a router");
    let added = place.run(&[
        "package",
        "add",
        &image,
        "--kind",
        "firmware",
        "--name",
        "router",
        "--package-version",
        "2.1",
        "--model",
        "R-*",
        "--output",
        "json",
    ]);
    let added: Value = serde_json::from_str(&added).unwrap();
    let package = added["id"].as_str().unwrap();
    let coming = place.coming(4);
    let devices = coming.devices();
    let reading = |address: &str| json!({ "command": { "verb": "get", "address": address, "force": true } });
    let stages = json!([{ "percent": 25 }, { "percent": 100 }]);
    let hold = json!({ "seconds": 86_400, "approval": true });
    for (name, change, others) in [
        ("read the language", reading(LANG), json!({ "stages": stages })),
        (
            "read the zoom",
            reading("urn:oma:mo:oma-dm-devdetail:1.0//Ext/Zoom"),
            json!({ "failures": { "percent": 50, "sample": 3 } }),
        ),
        (
            "router 2.1 to all",
            reading("urn:oma:mo:oma-dm-devinfo:1.2//Man"),
            json!({
                "stages": [{ "filter": these(&devices[..2]), "hold": hold }, { "percent": 25, "hold": { "settled": 90 } }, { "percent": 100 }],
                "window": { "from": "00:00", "to": "23:59", "zone": "Europe/Berlin", "zone_label": "tz" },
                "rate": 600, "failures": { "percent": 5 }, "retry": { "attempts": 3 },
            }),
        ),
    ] {
        let mut document = json!({ "name": name, "change": change, "filter": these(devices) });
        document.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        place.run(&["campaign", "new", &place.file("campaign.json", &document.to_string()), "--start"]);
    }
    let draft = json!({ "name": "router 2.1", "change": { "firmware": { "package": package } } });
    place.run(&["campaign", "new", &place.file("campaign.json", &draft.to_string())]);
    let (failed, holding) =
        (when(place, "read the zoom", "failed"), when(place, "router 2.1 to all", "holding"));
    when(place, "read the language", "done");
    let draft = when(place, "router 2.1", "draft");
    let of = |id: &str, part: &str| format!("/campaigns/{id}{part}");
    vec![
        ("campaigns", "/campaigns".to_owned()),
        ("campaign-choice", "/campaigns/new".to_owned()),
        ("campaign-new", "/campaigns/new?change=command".to_owned()),
        ("campaign-new-firmware", format!("/campaigns/new?change=firmware&package={package}")),
        ("campaign", of(&holding, "")),
        ("campaign-failed", of(&failed, "")),
        ("campaign-devices", of(&failed, "/devices?state=failed")),
        ("campaign-report", of(&failed, "/report")),
        ("campaign-start", of(&draft, "/start")),
        ("campaign-go-on", of(&holding, "/resume")),
        ("campaign-stop", of(&holding, "/stop")),
        ("packages", "/packages".to_owned()),
        ("package-new", "/packages/new".to_owned()),
        ("package", format!("/packages/{package}")),
        ("package-remove", format!("/packages/{package}/remove")),
    ]
}

#[tokio::test]
async fn a_campaign_goes_from_a_phone_over_its_canary_to_all_devices() {
    let place = Place::start();
    let coming = place.coming(2);
    let devices = coming.devices();
    let browser = Browser::open(&place.url, PHONE).await;
    browser.log_in(&place.token).await;
    browser.press("Campaigns").await;
    browser.press("New campaign").await;
    browser.press("One command").await;
    browser.fill("#name", "languages").await;
    browser.fill("#address", LANG).await;
    browser.fill("[name='stages/0/percent']", "").await;
    browser.fill("[name='stages/0/filter']", &these(&devices[..1])).await;
    browser.fill("[name='stages/1/percent']", "").await;
    browser.fill("[name='retry/wait']", "soon").await;
    browser.press("Make the campaign").await;
    browser.wait_for("[id='retry/wait-fault']").await;
    browser.forget_errors().await;
    browser.is_accessible("a refused campaign").await;
    browser.fits("a refused campaign").await;
    browser.fill("[name='retry/wait']", "30 min").await;
    browser.press("Preview").await;
    browser.wait_for_text("2 devices").await;
    browser.is_accessible("a preview").await;
    browser.fits("a preview").await;
    browser.press("Make the campaign").await;
    browser.wait_for_text("Nothing happens to any device until it is started").await;
    browser.press("Start").await;
    browser.wait_for_text("in 2 stages").await;
    browser.press("Start the campaign").await;
    // The page hears of it by itself, and so do the buttons.
    browser.wait_for_text("waits for somebody who says that it may begin").await;
    browser.press("Go on").await;
    browser.press("Let it go on").await;
    browser.wait_for_path("//ul[@class='legend']/li[normalize-space(.)='done 2']").await;
    browser.wait_for_path("//main//span[normalize-space(.)='done']").await;
    browser.press("Report").await;
    browser.wait_for_text("100 %").await;
    browser.close().await;
}

#[tokio::test]
async fn a_package_is_uploaded_brought_to_devices_and_removed_again() {
    let place = Place::with_devices();
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.press("Packages").await;
    browser.press("Upload a package").await;
    let image = place.file("router.img", &"firmware".repeat(1 << 20));
    browser.fill("#name", "router").await;
    browser.fill("#version", "2.1").await;
    browser.fill("#sha256", "12").await;
    browser.wait_for("#file").await.send_keys(&image).await.unwrap();
    browser.press("Upload").await;
    browser.wait_for("#sha256-fault").await;
    browser.forget_errors().await;
    browser.is_accessible("a refused package").await;
    browser.fill("#sha256", "").await;
    browser.wait_for("#file").await.send_keys(&image).await.unwrap();
    browser.press("Upload").await;
    browser.wait_for_text("The package is stored").await;
    browser.press("Bring it to devices").await;
    browser.fill("#name", "router 2.1").await;
    browser.press("Make the campaign").await;
    browser.wait_for_text("Nothing happens to any device").await;
    browser.press("Start").await;
    browser.press("Start the campaign").await;
    browser.wait_for_text("It is started").await;
    browser.press("Stop").await;
    browser.wait_for_text("Nothing is undone").await;
    browser.press("Stop it for good").await;
    browser.wait_for_text("Stopped by").await;
    browser.press("Remove").await;
    browser.press("Remove the campaign").await;
    browser.wait_for_text("The campaign is removed").await;
    browser.press("Packages").await;
    browser.press("router 2.1").await;
    browser.press("Remove").await;
    browser.press("Remove the package").await;
    browser.wait_for_text("The package is removed").await;
    browser.close().await;
}
