//! A real browser: Chromium without a window, led by its own driver (W3C WebDriver over HTTP).

use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::script_device::exchange;

/// Member of an element reference, by the standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The browser; it ends with this value.
pub struct Chromium {
    _driver: Child,
    _profile: tempfile::TempDir,
    port: u16,
    session: String,
}

impl Chromium {
    /// Starts it on a screen as small as a phone's, with scripts switched off.
    ///
    /// Panics when `chromedriver` is not there; `cargo xtask test` installs it.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary directory");
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver (Debian: chromium-driver)");
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = loop {
            let line = lines.next_line().await.expect("its output").expect("it says its port");
            if let Some((_, rest)) = line.split_once("started successfully on port ") {
                break rest.trim_end_matches('.').parse().expect("a port");
            }
        };
        let mut browser = Self { _driver: driver, _profile: profile, port, session: String::new() };
        let profile = format!("--user-data-dir={}", browser._profile.path().display());
        let options = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--window-size=420,900", profile],
            "prefs": { "profile.managed_default_content_settings.javascript": 2 },
        });
        let wanted = json!({ "alwaysMatch": { "acceptInsecureCerts": true, "goog:chromeOptions": options } });
        let made = browser.ask(Method::POST, "/session", &json!({ "capabilities": wanted })).await;
        browser.session = made["sessionId"].as_str().expect("a session").to_owned();
        // What is looked for may be on the page that is just being loaded.
        browser.command("/timeouts", &json!({ "implicit": 20_000 })).await;
        browser
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        self.try_ask(method, path, body).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The value, or the error as the standard names it.
    async fn try_ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the driver listens");
        let octets = if method == Method::GET { Vec::new() } else { body.to_string().into_bytes() };
        let headers = [("content-type", "application/json")];
        let reply = exchange(stream, method, path, &headers, &octets).await;
        let value = reply.json()["value"].clone();
        if reply.status == 200 {
            Ok(value)
        } else {
            Err(value["error"].as_str().unwrap_or("unknown").to_owned())
        }
    }

    async fn command(&self, path: &str, body: &Value) -> Value {
        self.ask(Method::POST, &format!("/session/{}{path}", self.session), body).await
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.command("/url", &json!({ "url": url })).await;
    }

    async fn element(&self, selector: &str) -> String {
        let found = self.command("/element", &json!({ "using": "css selector", "value": selector })).await;
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// Clicks on what a CSS selector finds first.
    pub async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.command(&format!("/element/{element}/click"), &json!({})).await;
    }

    /// Types into what a CSS selector finds first.
    pub async fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.command(&format!("/element/{element}/value"), &json!({ "text": text })).await;
    }

    /// What a user reads at what a CSS selector finds first; it is waited for.
    pub async fn text(&self, selector: &str) -> String {
        self.of_element(selector, "text").await
    }

    /// A computed style of what a CSS selector finds first.
    pub async fn style(&self, selector: &str, property: &str) -> String {
        self.of_element(selector, &format!("css/{property}")).await
    }

    /// What was found may go with its page before it is asked; then it is looked for on the next one.
    async fn of_element(&self, selector: &str, what: &str) -> String {
        loop {
            let element = self.element(selector).await;
            let path = format!("/session/{}/element/{element}/{what}", self.session);
            match self.try_ask(Method::GET, &path, &Value::Null).await {
                Ok(value) => return value.as_str().expect("a text").to_owned(),
                Err(error) => assert_eq!(error, "stale element reference", "{selector}"),
            }
        }
    }

    /// The address that is shown.
    pub async fn address(&self) -> String {
        let path = format!("/session/{}/url", self.session);
        self.ask(Method::GET, &path, &Value::Null).await.as_str().expect("a text").to_owned()
    }

    /// Writes what is seen to a file (PNG).
    pub async fn picture(&self, file: &Path) {
        let path = format!("/session/{}/screenshot", self.session);
        let picture = self.ask(Method::GET, &path, &Value::Null).await;
        let octets = STANDARD.decode(picture.as_str().expect("a text")).expect("base64");
        std::fs::write(file, octets).expect("the file can be written");
    }

    /// Ends it, and its processes.
    pub async fn close(self) {
        self.ask(Method::DELETE, &format!("/session/{}", self.session), &json!({})).await;
    }
}
