//! What people come for, from the login to the result.

use crate::browser::{Browser, DESKTOP};
use crate::place::{LANG, Place, segment};

#[tokio::test]
async fn devices_are_found_while_the_filter_is_typed_and_labelled_together() {
    let place = Place::with_devices();
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.press("Devices").await;
    browser.fill("#filter", "colour = red ").await;
    browser.wait_for("#filter-fault mark").await;
    browser.is_accessible("a fault while it is typed").await;
    browser.fill("#filter", "protocol = dm2").await;
    browser.wait_for("#filter-words option[value='protocol = dm2.0']").await;
    browser.fill("#filter", "protocol = dm1.2").await;
    browser.press("Show").await;
    browser.wait_for_text("3 devices").await;
    browser.wait_for("input[data-all]").await.click().await.unwrap();
    browser.press("Preview").await;
    browser.fill("#key", "site").await;
    browser.fill("#value", "A").await;
    browser.press("Set a label on 3 devices").await;
    browser.wait_for_text("done 3").await;
    assert_eq!(place.devices("label:site = A").len(), 3);
    browser.close().await;
}

#[tokio::test]
async fn a_page_renews_itself_and_a_tree_opens_where_it_is() {
    let place = Place::with_devices();
    let device = place.devices("protocol = dm2.0").remove(0);
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.go(&format!("/devices/{}", segment(&device))).await;
    browser.wait_for_text("Commands that wait").await;
    // A command that is queued is no event; that somebody has a word about the device is one.
    place.run(&["run", &device, "get", LANG]);
    place.run(&["device", "note", &device, "on the roof"]);
    browser.wait_for_path("//dt[.='Commands that wait']/following-sibling::dd[normalize-space(.)='1']").await;

    browser.press("Tree").await;
    browser.press("Everything that was ever seen").await;
    browser.press("DevID").await;
    browser.wait_for_text(&device).await;
    browser.close().await;
}
