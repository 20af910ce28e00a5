//! What people ask of devices, from the login to what the real agent has answered.

use crate::agent::Agent;
use crate::browser::{Browser, DESKTOP, PHONE};
use crate::place::Place;

/// A node that every agent has.
const LANG: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Lang";
/// A node of the agent's own object that can be written.
const NOTE: &str = "urn:omadm:mo:agent:1.0/Agent/Note";
/// A node of it that can be executed.
const POLL: &str = "urn:omadm:mo:agent:1.0/Agent/Operations/PollNow";

/// Opens a node of a device, by hand.
async fn open(browser: &Browser, place: &Place, agent: &Agent, address: &str) {
    browser.log_in(&place.token).await;
    browser.press("Devices").await;
    browser.press(&agent.id).await;
    browser.press("Tree").await;
    browser.fill("#address", address).await;
    browser.press("Open").await;
}

#[tokio::test]
async fn a_node_is_read_from_a_phone() {
    let place = Place::start();
    let agent = Agent::start(&place, "dm2.0");
    let browser = Browser::open(&place.url, PHONE).await;
    open(&browser, &place, &agent, LANG).await;
    browser.press("Read now").await;
    browser.wait_for_text("The command is queued").await;
    browser.wait_for_text("What it brought").await;
    let value =
        "//table//td[contains(., '/Lang')]/following-sibling::td[string-length(normalize-space(.)) > 1]";
    browser.wait_for_path(value).await;
    browser.is_accessible("what a command brought").await;
    browser.fits("what a command brought").await;
    browser.close().await;
}

#[tokio::test]
async fn a_node_is_written_and_read_back() {
    let place = Place::start();
    let agent = Agent::start(&place, "dm2.0");
    let browser = Browser::open(&place.url, DESKTOP).await;
    open(&browser, &place, &agent, NOTE).await;
    browser.fill("#value", "on the <roof>").await;
    browser.press("Write").await;
    browser.wait_for_path("//main//*[contains(@class, 'badge')][normalize-space(.)='done']").await;
    browser.go(&format!("/devices/{}/node?address={NOTE}", crate::place::segment(&agent.id))).await;
    browser.press("Read now").await;
    browser.wait_for_path("//table//td[normalize-space(.)='on the <roof>']").await;
    browser.go(&format!("/devices/{}/node?address={NOTE}", crate::place::segment(&agent.id))).await;
    browser.wait_for_path("//pre[normalize-space(.)='on the <roof>']").await;
    browser.close().await;
}

#[tokio::test]
async fn a_node_is_executed_and_the_session_tells_of_it() {
    let place = Place::start();
    let agent = Agent::start(&place, "dm2.0");
    let browser = Browser::open(&place.url, DESKTOP).await;
    open(&browser, &place, &agent, POLL).await;
    browser.press("Execute").await;
    browser.wait_for_path("//main//*[contains(@class, 'badge')][normalize-space(.)='done']").await;
    browser.go(&format!("/devices/{}/sessions", crate::place::segment(&agent.id))).await;
    browser.wait_for("table a[href*='/sessions/']").await.click().await.unwrap();
    browser.wait_for("svg.sequence").await;
    browser.close().await;
}

#[tokio::test]
async fn a_node_of_a_device_of_dm_1_is_read() {
    let place = Place::start();
    let agent = Agent::start(&place, "dm1.3");
    let browser = Browser::open(&place.url, DESKTOP).await;
    open(&browser, &place, &agent, "./DevInfo/Man").await;
    browser.press("Read now").await;
    browser.wait_for_text("What it brought").await;
    browser.wait_for_path("//table//td[contains(., 'DevInfo/Man')]/following-sibling::td[string-length(normalize-space(.)) > 1]").await;
    browser.close().await;
}

#[tokio::test]
async fn what_a_device_was_not_told_yet_is_taken_back() {
    let place = Place::with_devices();
    let device = place.devices("protocol = dm2.0").remove(0);
    let browser = Browser::open(&place.url, PHONE).await;
    browser.log_in(&place.token).await;
    browser.go(&format!("/devices/{}/node?address={LANG}", crate::place::segment(&device))).await;
    browser.press("Read now").await;
    browser.wait_for_text("The command is queued").await;
    browser.press("Cancel it").await;
    browser.press("Cancel the command").await;
    browser.wait_for_text("The command is cancelled").await;
    browser.close().await;
}
