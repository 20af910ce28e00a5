//! Every page, at the width of a desktop and of a phone, light and dark: accessible, silent, and no wider than its window.

use crate::browser::{Browser, DARK, DESKTOP, PHONE, Screen};
use crate::place::{LANG, Place, segment};
use crate::{bootstraps, campaigns, profiles, show};

/// The pages there are, by name.
pub fn all(place: &Place) -> Vec<(&'static str, String)> {
    profiles::prepare(place);
    place.add_user("ann", "operator", "correct horse battery");
    let device = segment(&place.devices("protocol = dm2.0")[0]);
    let other = segment(&place.devices("protocol = dm1.2")[0]);
    let of = |part: &str| format!("/devices/{device}{part}");
    let mut pages = vec![
        ("overview", "/".to_owned()),
        ("devices", "/devices".to_owned()),
        ("devices-fault", "/devices?filter=model%20%3D%20X%20and%20colour%20%3D%20red".to_owned()),
        ("bulk", format!("/devices/bulk?action=command&scope=ticked&id={device}&id={other}")),
        ("device", of("")),
        ("device-tree", of("/tree")),
        ("device-nodes", of("/tree?at=*")),
        ("device-node", of(&format!("/node?address={LANG}"))),
        ("device-access", of("/access")),
        ("device-commands", of("/commands")),
        ("device-sessions", of("/sessions")),
        ("session", of("/sessions/1")),
        ("session-dm1", format!("/devices/{other}/sessions/1")),
        ("device-events", of("/events")),
        ("device-profiles", of("/profiles")),
        ("device-remove", of("/remove")),
        ("audit", "/audit".to_owned()),
        ("audit-heads", "/audit/heads".to_owned()),
        ("audit-entry", place.first_entry()),
        ("users", "/users".to_owned()),
        ("user", "/users/ann".to_owned()),
        ("user-new", "/new-user".to_owned()),
        ("tokens", "/tokens".to_owned()),
        ("token-new", "/new-token".to_owned()),
        ("token-revoke", "/tokens/first/revoke".to_owned()),
        ("account", "/me".to_owned()),
        ("settings", "/settings".to_owned()),
        ("settings-given", "/settings/given".to_owned()),
        ("settings-sections", "/settings/sections".to_owned()),
        ("settings-section", "/settings/sections/device".to_owned()),
        ("profiles", "/profiles".to_owned()),
        ("profile", "/profiles/german".to_owned()),
        ("profile-devices", "/profiles/german/devices?state=failed".to_owned()),
        ("profile-versions", "/profiles/german/versions".to_owned()),
        ("profile-version", "/profiles/german/versions/2".to_owned()),
        ("profile-diff", "/profiles/german/diff?from=1&to=2".to_owned()),
        ("profile-dry-run", "/profiles/german/dry-run?go=1".to_owned()),
        ("profile-edit", "/profiles/german/edit".to_owned()),
        ("profile-new", "/profiles/_new".to_owned()),
        ("profile-unassign", "/profiles/german/unassign".to_owned()),
        ("profile-remove", "/profiles/german/remove".to_owned()),
        ("missing", "/nothing".to_owned()),
    ];
    pages.extend(show::pages(place));
    pages.extend(bootstraps::pages(place));
    pages.extend(campaigns::pages(place));
    pages
}

/// Looks at every page on a screen, and then says of all what is wrong.
async fn is_for_everybody(screen: Screen) {
    let place = Place::with_devices();
    let browser = Browser::open(&place.url, screen).await;
    let mut wrong = Vec::new();
    browser.go("/login").await;
    look(&browser, "login", &mut wrong).await;
    browser.log_in(&place.token).await;
    for (name, path) in all(&place) {
        browser.go(&path).await;
        browser.wait_for("main h1").await;
        look(&browser, name, &mut wrong).await;
    }
    assert_eq!(wrong, Vec::<String>::new());
    browser.close().await;
}

/// What is wrong with the page that is open.
async fn look(browser: &Browser, name: &str, wrong: &mut Vec<String>) {
    wrong.extend(browser.violations().await.into_iter().map(|violation| format!("{name}: {violation}")));
    if browser.is_too_wide().await {
        wrong.push(format!("{name} is too wide"));
    }
    let errors = browser.errors().await;
    // That a page is missing is an error to the browser, and meant here.
    if name != "missing" && !errors.is_empty() {
        wrong.push(format!("{name}: {errors:?}"));
    }
}

#[tokio::test]
async fn every_page_is_for_everybody_on_a_desktop() {
    is_for_everybody(DESKTOP).await;
}

#[tokio::test]
async fn every_page_is_for_everybody_in_the_dark() {
    is_for_everybody(DARK).await;
}

#[tokio::test]
async fn every_page_is_for_everybody_on_a_phone() {
    is_for_everybody(PHONE).await;
}
