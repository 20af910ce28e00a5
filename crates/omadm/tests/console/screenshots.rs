//! Pictures of the pages, for people to look at: `cargo xtask screenshots`.

use std::path::PathBuf;

use crate::browser::{Browser, DARK, DESKTOP, PHONE};
use crate::pages;
use crate::place::Place;

/// The highest picture.
const HIGHEST: u32 = 2_400;

#[tokio::test]
#[ignore = "it tests nothing, and writes files: cargo xtask screenshots"]
async fn every_page_is_pictured() {
    let folder = PathBuf::from(std::env::var_os("OMADM_SCREENSHOTS").unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let place = Place::with_devices();
    let pages = pages::all(&place);
    for screen in [DESKTOP, DARK, PHONE] {
        let browser = Browser::open(&place.url, screen).await;
        browser.go("/login").await;
        let login = browser.picture(screen, HIGHEST).await;
        std::fs::write(folder.join(format!("login-{}.png", screen.name)), login).unwrap();
        browser.log_in(&place.token).await;
        for (name, path) in &pages {
            browser.go(path).await;
            browser.wait_for("main h1").await;
            let picture = browser.picture(screen, HIGHEST).await;
            std::fs::write(folder.join(format!("{name}-{}.png", screen.name)), picture).unwrap();
        }
        browser.client.clone().close().await.unwrap();
    }
}
