//! SHOW on the device (`DM 2.0 §5.3.7`, Appendix C).

use std::sync::Arc;

use http::Method;
use omadm_conformance::{Answer, Bench, TestBrowser, address, proves};
use serde_json::json;
use tokio::sync::Notify;

/// A device whose browser is this one.
async fn bench(browser: Option<&TestBrowser>) -> Bench {
    Bench::with(|setup| setup.browser = browser.cloned()).await
}

#[tokio::test]
async fn the_browser_gets_the_page_and_nobody_waits_for_the_user() {
    proves!("DM-PACK-020-C-O", "D2-5.3.7-01", "D2-5.3.7-03", "D2-5.3.7-04", "D2-C-SHOW-200", "D2-C-SHOW-400");
    let browser = TestBrowser::default();
    let mut bench = bench(Some(&browser)).await;
    browser.get_pages(bench.authority.ca_file());
    let closed = Arc::new(Notify::new());
    let page = bench.server.uri("/ui?uiid=1234");
    bench.server.route(&Method::GET, "/ui?uiid=1234", Answer::body("text/html", "<p>Agree?").held(&closed));
    let commands = json!([["SHOW"], ["SHOW", page, page], ["SHOW", page], ["GET", address("Text")]]);
    let answer = bench.run(commands).await;
    assert_eq!(answer.statuses(), [400, 400, 200, 200], "while the page is still open");
    assert_eq!(browser.shown(), [page]);
    bench.server.wait_for(3).await;
    let got = bench.server.data_requests();
    assert_eq!((got.len(), got[0].target.as_str()), (1, "/ui?uiid=1234"));
    assert_eq!(got[0].header("authorization"), None, "the browser is not the DM Client");
    closed.notify_one();
}

#[tokio::test]
async fn without_a_browser_the_next_command_runs() {
    proves!("D2-5.3.7-05");
    let browser = TestBrowser::default();
    for (installed, fails, status) in
        [(true, Some(500), 500), (false, None, 501), (true, Some(503), 503), (true, Some(507), 507)]
    {
        let mut bench = bench(installed.then_some(&browser)).await;
        fails.into_iter().for_each(|status| browser.fail(status));
        let page = bench.server.uri("/ui");
        let answer = bench.run(json!([["SHOW", page], ["GET", address("Text")]])).await;
        assert_eq!(answer.statuses(), [status, 200]);
    }
    assert!(browser.shown().is_empty());
}

#[tokio::test]
async fn only_web_pages_are_shown() {
    let browser = TestBrowser::default();
    let mut bench = bench(Some(&browser)).await;
    for uri in ["file:///etc/passwd", "javascript:alert(1)", "http://localhost/", "tel:112", "not a uri"] {
        assert_eq!(bench.status(json!(["SHOW", uri])).await, 400, "{uri}");
    }
    assert!(browser.shown().is_empty());
}
