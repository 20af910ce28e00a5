//! Without a mouse: the keyboard reaches everything, in order, and is seen to be there. And that the browser tells of what goes wrong.

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP, PHONE, Screen};
use crate::place::{Place, segment};

/// What has the focus: whether it is seen, whether it is marked, and its place among all that can have it.
const FOCUS: &str = "
    const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
    const able = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex=\"0\"]';
    const all = [...document.querySelectorAll(able)].filter(each => each.checkVisibility());
    return { name: one.tagName + ' ' + (one.id || one.textContent.trim().slice(0, 40)), place: all.indexOf(one), of: all.length,
        seen: box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight,
        marked: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 };";

/// Goes through a page by the tabulator.
async fn is_walked(browser: &Browser, what: &str) {
    let (mut last, mut reached, mut first) = (-1, 0, 0);
    loop {
        browser.keys(&Key::Tab.to_string()).await;
        let focus: Value = browser.client.execute(FOCUS, Vec::new()).await.unwrap();
        let place = focus["place"].as_i64().unwrap();
        // Past the end, it leaves the page or begins anew.
        if place <= last {
            break;
        }
        assert!(focus["seen"] == true && focus["marked"] == true, "{what}: {focus}");
        // A form begins in its first field.
        first = if reached == 0 { place } else { first };
        (last, reached) = (place, reached + 1);
    }
    let all: Value = browser.client.execute(FOCUS, Vec::new()).await.unwrap();
    let all = all["of"].as_i64().unwrap() - first;
    // Of radio buttons of one name the tabulator reaches one.
    assert!(reached >= 5 && reached * 10 >= all * 8, "{what}: {reached} of {all} are reached");
}

async fn pages_are_walked(screen: Screen, pages: &[&str]) {
    let place = Place::with_devices();
    let device = segment(&place.devices("protocol = dm2.0")[0]);
    let browser = Browser::open(&place.url, screen).await;
    browser.log_in(&place.token).await;
    for path in pages {
        browser.go(&path.replace("{id}", &device)).await;
        browser.wait_for("main h1").await;
        is_walked(&browser, path).await;
    }
    browser.close().await;
}

#[tokio::test]
async fn the_keyboard_reaches_everything_in_order_and_is_seen() {
    pages_are_walked(DESKTOP, &["/", "/devices/{id}/tree", "/new-user"]).await;
}

#[tokio::test]
async fn the_keyboard_reaches_everything_on_a_small_screen() {
    pages_are_walked(PHONE, &["/devices", "/me"]).await;
}

#[tokio::test]
async fn the_first_key_skips_the_menu() {
    let place = Place::start();
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.go("/audit").await;
    browser.wait_for("main h1").await;
    browser.keys(&Key::Tab.to_string()).await;
    let skip =
        "const one = document.activeElement; return [one.className, one.getBoundingClientRect().top >= 0];";
    assert_eq!(browser.client.execute(skip, Vec::new()).await.unwrap(), json!(["skip", true]));
    browser.keys(&Key::Enter.to_string()).await;
    browser.keys(&Key::Tab.to_string()).await;
    let inside = "return document.querySelector('main').contains(document.activeElement)";
    assert_eq!(browser.client.execute(inside, Vec::new()).await.unwrap(), json!(true));
    browser.close().await;
}

#[tokio::test]
async fn a_form_is_filled_and_sent_without_a_mouse() {
    let place = Place::start();
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    browser.go("/new-user").await;
    browser.wait_for("#name").await;
    // The page begins in its first field.
    browser.keys(&format!("ann{}", Key::Tab)).await;
    browser.keys("o").await;
    browser.wait_for_path("//select[@id='role']").await;
    browser.client.execute("document.querySelector('#password').focus()", Vec::new()).await.unwrap();
    browser.keys(&format!("correct horse battery{}", Key::Enter)).await;
    browser.wait_for_text("ann is a user now").await;
    browser.wait_for_text("operator").await;
    browser.close().await;
}

#[tokio::test]
async fn what_the_policy_forbids_and_what_a_script_throws_is_told() {
    let place = Place::start();
    let browser = Browser::open(&place.url, DESKTOP).await;
    browser.log_in(&place.token).await;
    assert_eq!(browser.errors().await, Vec::<Value>::new());
    let inline = "const one = document.createElement('script'); one.textContent = 'window.ran = 1'; document.body.append(one); return window.ran ?? null";
    assert_eq!(browser.client.execute(inline, Vec::new()).await.unwrap(), Value::Null, "it did not run");
    let told = browser.errors().await;
    assert!(told.iter().any(|line| line.to_string().contains("Content Security Policy")), "{told:?}");
    browser.client.execute("setTimeout(() => { throw new Error('thrown') })", Vec::new()).await.unwrap();
    let mut told = Vec::new();
    while told.is_empty() {
        told = browser.errors().await;
    }
    assert!(told[0].to_string().contains("thrown"), "{told:?}");
    browser.close().await;
}
