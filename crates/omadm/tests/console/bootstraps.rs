//! Bringing devices in: bootstraps by the wizard, enrolment by hand, tables of devices.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::browser::{Browser, DESKTOP, PHONE};
use crate::place::{Place, segment};

/// The pages of this part, by name, for a place with devices.
pub fn pages(place: &Place) -> Vec<(&'static str, String)> {
    let device = &place.devices("protocol = dm2.0")[0];
    let dm1 = segment(&place.devices("protocol = dm1.3")[0]);
    let id = |said: String| serde_json::from_str::<Value>(&said).unwrap()["id"].as_str().unwrap().to_owned();
    let offer = [
        "delegation",
        "offer",
        "dm.b.example",
        "--target",
        "urn:oma:mo:oma-dm-devinfo:1.2",
        "--right",
        "get,exec",
        "--output",
        "json",
        "--device",
    ];
    let delegation = id(place.run(&[&offer[..], &[device]].concat()));
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    std::fs::write(
        &table,
        "id,label,secret\nIMEI:1,till 1,a secret of the first\nIMEI:2,till 2,a secret of the second\n",
    )
    .unwrap();
    let import = id(place.run(&["import", table.to_str().unwrap(), "--dry-run", "--output", "json"]));
    let wizard = |answers: &str| format!("/bootstraps/new{answers}");
    let device = segment(device);
    vec![
        ("bootstraps", "/bootstraps?filter=".to_owned()),
        ("bootstrap-what", wizard("")),
        ("bootstrap-how", wizard("?kind=dm2&many=false")),
        ("bootstrap-secured", wizard("?kind=dm&many=false&way=send")),
        ("bootstrap-which", wizard("?kind=cp&many=false&way=send&sec=USERNETWPIN")),
        ("bootstrap-batch", wizard("?kind=dm2&many=true&way=file")),
        ("bootstrap-fetched", wizard("?kind=dm2&many=false&way=fetch")),
        ("bootstrap", format!("/bootstraps/{device}")),
        ("bootstrap-revoke", format!("/bootstraps/{device}/revoke")),
        ("enrol", "/devices/enrol".to_owned()),
        ("sessionless", format!("/devices/{dm1}/sessionless")),
        ("imports", "/imports".to_owned()),
        ("import", format!("/imports/{import}")),
        ("export", "/export?filter=model%20%3D%20X".to_owned()),
        ("delegations", "/delegations".to_owned()),
        ("delegation", format!("/delegations/{delegation}")),
        ("delegation-new", "/delegations/new".to_owned()),
        ("delegation-cancel", format!("/delegations/{delegation}/cancel")),
    ]
}

/// Chooses an answer.
async fn choose(browser: &Browser, name: &str, value: &str) {
    browser.wait_for(&format!("input[name='{name}'][value='{value}']")).await.click().await.unwrap();
}

/// A file that comes by itself.
async fn arrived(file: &Path) -> Vec<u8> {
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..600 {
        pause.tick().await;
        match std::fs::read(file) {
            Ok(content) if !content.is_empty() => return content,
            _ => {}
        }
    }
    panic!("{} has not come", file.display());
}

#[tokio::test]
async fn a_device_gets_its_bootstrap_as_a_picture_and_as_a_file() {
    let place = Place::start();
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.press("Bootstraps").await;
    browser.press("New bootstrap").await;
    choose(&browser, "kind", "dm").await;
    browser.press("Next").await;
    choose(&browser, "way", "qr").await;
    browser.press("Next").await;
    choose(&browser, "sec", "USERPIN").await;
    browser.press("Next").await;
    browser.fill("#id", "nonsense with blanks").await;
    browser.press("Make it").await;
    browser.wait_for("#id-fault").await;
    browser.is_accessible("a bootstrap that was refused").await;
    browser.forget_errors().await;
    browser.fill("#id", "IMEI:493005100592800").await;
    browser.press("Make it").await;
    browser.wait_for("svg.code").await;
    browser.wait_for("code.pin").await;
    browser.is_accessible("a bootstrap that was made").await;
    let folder = tempfile::tempdir().unwrap();
    browser.downloads_to(folder.path()).await;
    browser.press("Download the file").await;
    let file = folder.path().join("IMEI%3A493005100592800.dm");
    let content = arrived(&file).await;
    assert!(content.starts_with(b"Content-Type: application/vnd.syncml.dm+wbxml; SEC=USERPIN; MAC="));
    browser.press("All bootstraps").await;
    browser.wait_for_text("the device has not come yet").await;
    browser.close().await;
    assert_eq!(place.devices("seen = never"), ["IMEI:493005100592800"]);
}

#[tokio::test]
async fn a_table_is_checked_mended_and_imported_from_a_phone() {
    let place = Place::start();
    let folder = tempfile::tempdir().unwrap();
    let (bad, good) = (folder.path().join("bad.csv"), folder.path().join("good.csv"));
    std::fs::write(&bad, "id,label,secret\nIMEI:1,one,short\nIMEI:2,two,a secret of the second\n").unwrap();
    let rows = (1..=500).map(|row| format!("IMEI:{row},till {row},a secret of the device {row}\n"));
    std::fs::write(&good, format!("id,label,secret\n{}", rows.collect::<String>())).unwrap();
    let browser = Browser::open(&place.url, PHONE).await;
    browser.log_in(&place.token).await;
    browser.press("Imports").await;
    browser.choose_file("#file", &bad).await;
    browser.press("Import").await;
    browser.wait_for_text("16 to 256 characters").await;
    browser.is_accessible("an import with a bad row").await;
    browser.fits("an import with a bad row").await;
    browser.go("/imports").await;
    choose(&browser, "dry_run", "false").await;
    browser.choose_file("#file", &good).await;
    browser.press("Import").await;
    // The page renews itself until this stands there.
    browser.wait_for_text("All rows are written").await;
    browser.close().await;
    assert_eq!(place.devices("name = \"till 500\""), ["IMEI:500"]);
}

#[tokio::test]
async fn a_device_is_enrolled_by_hand_on_a_phone() {
    let place = Place::start();
    let browser = Browser::open(&place.url, PHONE).await;
    browser.log_in(&place.token).await;
    browser.press("Devices").await;
    browser.press("Enrol a device").await;
    browser.fill("#id", "IMEI:1").await;
    browser.fill("#label", "till 7").await;
    browser.press("Enrol").await;
    browser.wait_for_text("shown this once").await;
    browser.is_accessible("a device that was enrolled").await;
    browser.fits("a device that was enrolled").await;
    browser.press("The device").await;
    browser.wait_for_text("How it is reached").await;
    browser.close().await;
    assert_eq!(place.devices("name = \"till 7\""), ["IMEI:1"]);
}
