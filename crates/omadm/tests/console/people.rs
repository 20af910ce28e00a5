//! People, programs, the log and the settings, from the login to the result.

use crate::browser::{Browser, DESKTOP, PHONE};
use crate::place::Place;

const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "another horse battery";

#[tokio::test]
async fn a_user_is_added_logs_in_and_changes_the_password() {
    let place = Place::start();
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.press("Users").await;
    browser.press("Add a user").await;
    browser.fill("#name", "ann").await;
    browser.fill("#password", "short").await;
    browser.press("Add the user").await;
    browser.wait_for("#password-fault").await;
    browser.is_accessible("a form that was refused").await;
    // That a form was refused is an error to the browser, and meant here.
    browser.forget_errors().await;
    browser.fill("#password", PASSWORD).await;
    browser.press("Add the user").await;
    browser.wait_for_text("ann is a user now").await;
    browser.press("Log out").await;

    let log_in = async |password: &str| {
        browser.fill("#user", "ann").await;
        browser.fill("#password", password).await;
        browser.press("Log in").await;
        browser.wait_for("nav.menu").await;
    };
    log_in(PASSWORD).await;
    browser.press("ann").await;
    browser.fill("#old_password", PASSWORD).await;
    browser.fill("#new_password", OTHER).await;
    browser.fill("#again_password", OTHER).await;
    browser.press("Change it").await;
    browser.wait_for_text("Your password is changed").await;
    browser.press("Log out").await;
    log_in(OTHER).await;
    browser.close().await;
}

#[tokio::test]
async fn a_token_is_made_on_a_phone_and_the_log_tells_of_it() {
    let place = Place::start();
    let browser = Browser::open(&place.url, PHONE).await;
    browser.log_in(&place.token).await;
    browser.press("Tokens").await;
    browser.press("Make a token").await;
    browser.fill("#name", "ci").await;
    browser.press("Make the token").await;
    browser.wait_for_text("shown this once").await;
    browser.is_accessible("a new token").await;
    browser.fits("a new token").await;
    let token = browser.wait_for("pre.value").await.text().await.unwrap();
    assert!(token.starts_with("omadm_"), "{token}");
    browser.press("Audit log").await;
    browser.fill("#on", "tokens").await;
    browser.press("Show").await;
    browser
        .wait_for_path("//li[contains(., 'make a token') and contains(., 'ci') and contains(., 'done')]")
        .await;
    browser.press("Settings").await;
    browser.press("What was set").await;
    browser.wait_for_path("//li[contains(., 'server.data_dir') and contains(., '--data')]").await;
    browser.close().await;
}
