//! A browser, and what it has to say against a page.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// Longest wait for something that comes by itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// The accessibility engine; see the files beside it for whose it is.
const AXE: &str = include_str!("axe/axe.min.js");
/// The rules that it looks at: those of WCAG 2.2 AA, and its best practices.
const RULES: &str = r#"["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]"#;

/// How large a window is, and in which colours.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    pub name: &'static str,
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

pub const DESKTOP: Screen = Screen { name: "light", width: 1280, height: 860, dark: false };
pub const DARK: Screen = Screen { name: "dark", width: 1280, height: 860, dark: true };
pub const PHONE: Screen = Screen { name: "phone", width: 390, height: 844, dark: false };

/// ChromeDriver, as long as this lives.
struct Driver {
    child: Child,
    address: String,
}

impl Driver {
    fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver runs; `cargo xtask install` installs chromium-driver");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let address = format!("http://127.0.0.1:{}", port.expect("chromedriver says its port"));
        // It goes on to write, and must not be held up by that.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked to end, it ends its browsers first.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// A window of a browser.
pub struct Browser {
    pub client: Client,
    base: String,
    session: String,
    driver: Driver,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A new browser for the server at this address.
    pub async fn open(base: &str, screen: Screen) -> Self {
        let (driver, profile) = (Driver::start(), tempfile::tempdir().unwrap());
        let mut arguments: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        arguments.push(format!("--window-size={},{}", screen.width, screen.height));
        let capabilities =
            json!({ "goog:chromeOptions": { "args": arguments }, "goog:loggingPrefs": { "browser": "ALL" } });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.as_object().unwrap().clone());
        let client = builder.connect(&driver.address).await.unwrap();
        let session = client.session_id().await.unwrap().unwrap();
        let browser = Self { client, base: base.to_owned(), session, driver, _profile: profile };
        browser.show_on(screen, screen.height).await;
        browser
    }

    /// Ends the browser; what went wrong in it is a failure of the test.
    pub async fn close(self) {
        self.is_silent("the end").await;
        self.client.clone().close().await.unwrap();
    }

    /// What WebDriver has no command for.
    async fn driver(&self, path: &str, body: Value) -> Value {
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        let request = http::Request::post(format!("{}/session/{}/{path}", self.driver.address, self.session))
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(body.to_string()))
            .unwrap();
        let answer = client.request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Value>(&answer).unwrap()["value"].clone()
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        self.driver("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await;
    }

    /// Has the window be of a screen, as high as this.
    async fn show_on(&self, screen: Screen, height: u32) {
        let metrics = json!({ "width": screen.width, "height": height, "deviceScaleFactor": 1, "mobile": screen.width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme =
            json!({ "name": "prefers-color-scheme", "value": if screen.dark { "dark" } else { "light" } });
        let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [scheme, still] })).await;
    }

    /// Opens a page of the server.
    pub async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    /// Logs in with a token.
    pub async fn log_in(&self, token: &str) {
        self.go("/login").await;
        // Where there are users, names and passwords come first.
        if let Ok(others) = self.client.find(Locator::Css("details:not([open]) > summary")).await {
            others.click().await.unwrap();
        }
        self.fill("#token", token).await;
        self.press("Log in with a token").await;
        self.wait_for("nav.menu").await;
    }

    /// An element that is there, or comes.
    pub async fn wait_for(&self, selector: &str) -> Element {
        let waiting = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        match waiting {
            Ok(element) => element,
            Err(error) => panic!("{selector} is not there: {error}; the page says: {}", self.text().await),
        }
    }

    /// Waits until the page says something.
    pub async fn wait_for_text(&self, text: &str) {
        self.wait_for_path(&format!("//main[contains(., {text:?})]")).await;
    }

    /// Waits for an element that is found by its path.
    pub async fn wait_for_path(&self, path: &str) {
        if let Err(error) = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(path)).await {
            panic!("{path} does not come: {error}; the page says: {}", self.text().await);
        }
    }

    /// What the page says.
    pub async fn text(&self) -> String {
        self.client.find(Locator::Css("main")).await.unwrap().text().await.unwrap()
    }

    /// Types into a field, in place of what it holds.
    pub async fn fill(&self, selector: &str, text: &str) {
        let field = self.wait_for(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses a file for a field.
    pub async fn choose_file(&self, selector: &str, file: &Path) {
        self.wait_for(selector).await.send_keys(file.to_str().unwrap()).await.unwrap();
    }

    /// Has files come to a folder without a question.
    pub async fn downloads_to(&self, folder: &Path) {
        self.devtools("Browser.setDownloadBehavior", json!({ "behavior": "allow", "downloadPath": folder }))
            .await;
    }

    /// Presses the button, or follows the link, that says this.
    pub async fn press(&self, words: &str) {
        let path = format!("//*[self::button or self::a or self::summary][normalize-space(.)={words:?}]");
        let waiting = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        waiting.unwrap_or_else(|error| panic!("{words:?} is not there: {error}")).click().await.unwrap();
    }

    /// Has the accessibility engine look at the page; anything that it finds is a failure.
    pub async fn is_accessible(&self, what: &str) {
        assert_eq!(self.violations().await, Vec::<String>::new(), "{what}");
    }

    /// What the accessibility engine finds on the page.
    pub async fn violations(&self) -> Vec<String> {
        self.client.execute(AXE, Vec::new()).await.unwrap();
        let look = format!(
            "const done = arguments[arguments.length - 1];
             axe.run(document, {{ runOnly: {RULES} }}).then(found => done(found.violations.map(one =>
                 one.id + ': ' + one.help + ' at ' + one.nodes.slice(0, 3).map(node => node.html).join(' | '))));"
        );
        serde_json::from_value(self.client.execute_async(&look, Vec::new()).await.unwrap()).unwrap()
    }

    /// Whether the page fits into the width of its window.
    pub async fn fits(&self, what: &str) {
        assert!(!self.is_too_wide().await, "{what} is too wide");
    }

    /// Whether the page is wider than its window.
    pub async fn is_too_wide(&self) -> bool {
        let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.client.execute(script, Vec::new()).await.unwrap() != json!(0)
    }

    /// Whether nothing went wrong since this was asked last: no error in the console, nothing that the policy has forbidden.
    pub async fn is_silent(&self, what: &str) {
        let bad = self.errors().await;
        assert!(bad.is_empty(), "{what}: {bad:?}");
    }

    /// What went wrong since this was asked last.
    pub async fn errors(&self) -> Vec<Value> {
        let log = self.driver("se/log", json!({ "type": "browser" })).await;
        let is_bad = |line: &&Value| line["level"] != "INFO" && line["level"] != "DEBUG";
        log.as_array().unwrap().iter().filter(is_bad).cloned().collect()
    }

    /// Presses keys, wherever the focus is.
    pub async fn keys(&self, keys: &str) {
        let focused = self.client.active_element().await.unwrap();
        focused.send_keys(keys).await.unwrap();
    }

    /// Takes what has gone wrong so far as meant.
    pub async fn forget_errors(&self) {
        drop(self.errors().await);
    }

    /// A picture of the whole page, at most so high.
    pub async fn picture(&self, screen: Screen, highest: u32) -> Vec<u8> {
        let script = "return document.documentElement.scrollHeight";
        let height = self.client.execute(script, Vec::new()).await.unwrap().as_u64().unwrap();
        let height = u32::try_from(height).unwrap().clamp(screen.height, highest);
        self.show_on(screen, height).await;
        let picture = self.client.screenshot().await.unwrap();
        self.show_on(screen, screen.height).await;
        picture
    }
}
