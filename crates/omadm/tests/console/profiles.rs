//! Profiles: from an empty form to devices that are as it says.

use crate::browser::{Browser, DESKTOP, PHONE};
use crate::place::{LANG, Place};

/// Profiles that all is well with, and that not all is well with.
pub fn prepare(place: &Place) {
    let known = format!(
        "name = \"known\"\ndescription = \"What has to be known of every device.\"\n[[observe]]\naddress = \"{LANG}\"\nevery = \"1h\"\n"
    );
    let german = |attempts: u8| {
        format!(
            "name = \"german\"\nattempts = {attempts}\n[[node]]\naddress = \"{LANG}\"\nvalue = \"de\"\n[[node]]\naddress = \"urn:oma:mo:oma-dm-devdetail:1.0//Ext/Zoom\"\nvalue = 4\nafter = [\"{LANG}\"]\n"
        )
    };
    for document in [known, german(3), german(1)] {
        place.profile(&document);
    }
    for name in ["known", "german"] {
        place.run(&["profile", "assign", name]);
    }
    place.simulate("dm2.0", "2");
}

#[tokio::test]
async fn a_profile_is_written_refused_mended_assigned_and_devices_follow() {
    let place = Place::start();
    let browser = Browser::open(&place.url, PHONE).await;
    browser.log_in(&place.token).await;
    browser.press("Profiles").await;
    browser.press("New profile").await;
    browser.fill("[name='head.name']", "known").await;
    browser.fill("[name='node.0.address']", "urn:oma:mo:oma-dm-devinfo:1.2//Colour").await;
    browser.fill("[name='node.0.value']", "red").await;
    browser.press("Add observed setting").await;
    browser.fill("[name='observe.0.address']", LANG).await;
    browser.fill("[name='observe.0.every']", "1h").await;
    browser.press("Store").await;
    browser.wait_for("[id='node.0.address-fault']").await;
    browser.wait_for_text("describes no such node").await;
    browser.forget_errors().await;
    browser.is_accessible("a refused profile").await;
    browser.fits("a refused profile").await;
    browser.press("Remove setting 1").await;
    browser.wait_for_path("//form[@id='editor'][not(.//*[@name='node.0.address'])]").await;
    browser.press("Store").await;
    browser.wait_for_text("Version 1 is stored").await;
    browser.press("See what would come of it").await;
    browser.wait_for_text("0 devices are meant").await;
    browser.press("Assign version 1").await;
    browser.wait_for_text("All devices have version 1").await;
    browser.wait_for_text("No device has it yet").await;
    place.simulate("dm2.0", "2");
    // The page hears of it by itself.
    browser.wait_for_path("//dt[contains(., 'converged')]/following-sibling::dd[contains(., '2')]").await;
    browser.close().await;
}

#[tokio::test]
async fn a_failure_is_found_and_rolled_back() {
    let place = Place::start();
    prepare(&place);
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.press("Profiles").await;
    browser.press("german").await;
    browser.press("Devices").await;
    browser.go("/profiles/german/devices?state=failed").await;
    browser.press("Try again where it has failed").await;
    browser.wait_for_text("2 devices try again.").await;
    browser.go("/profiles/german").await;
    browser.fill("#version", "1").await;
    browser.press("Assign").await;
    browser.wait_for_text("All devices have version 1").await;
    browser.press("Roll back").await;
    browser.wait_for_text("It gets version 2 again").await;
    browser.wait_for_text("Attempts").await;
    browser.is_accessible("the question before a roll back").await;
    browser.press("Roll back").await;
    browser.wait_for_text("All devices have version 2").await;
    browser.close().await;
}
