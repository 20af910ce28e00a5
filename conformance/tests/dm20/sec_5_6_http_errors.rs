//! What HTTP errors do to a session on the device (`DM 2.0 §5.6`).

use std::sync::Arc;
use std::time::Duration;

use omadm_client::{Alert, Outcome, SessionReport};
use omadm_conformance::{Answer, Bench, address, proves};
use serde_json::json;
use tokio::sync::Notify;

fn aborted_with(report: &SessionReport) -> Option<u16> {
    match &report.outcome {
        Outcome::Aborted { http_status, reason, .. } => {
            assert!(!reason.is_empty(), "the reason is for the log");
            *http_status
        }
        Outcome::Ended { .. } => panic!("not aborted: {report:?}"),
    }
}

#[tokio::test]
async fn a_challenge_is_answered_and_any_other_4xx_aborts() {
    proves!("D2-5.6-01", "D2-5.6-02");
    let mut bench = Bench::with(|setup| setup.client.preemptive_basic = false).await;
    bench
        .server
        .say(Answer::status(401).with("www-authenticate", "Basic realm=\"omadm\", charset=\"UTF-8\""));
    bench.server.say(Answer::commands(&json!([["GET", address("Text")]])));
    let report = bench.session().await;
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
    let requests = bench.server.package_requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[0].header("authorization"), None);
    assert!(requests[1].header("authorization").is_some_and(|value| value.starts_with("Basic ")));
    assert_eq!(bench.server.packages3()[0].statuses(), [200]);

    for status in [400, 403, 404, 409, 415] {
        let before = bench.server.requests().len();
        bench.server.say(Answer::status(status));
        assert_eq!(aborted_with(&bench.session().await), Some(status));
        assert_eq!(bench.server.requests().len(), before + 1, "no retry after {status}");
    }
    let before = bench.server.requests().len();
    for _ in 0..5 {
        bench.server.say(Answer::status(401).with("www-authenticate", "Basic realm=\"omadm\""));
    }
    assert_eq!(
        aborted_with(&bench.session().await),
        Some(401),
        "credentials that are refused are no way to recover"
    );
    assert_eq!(bench.server.requests().len(), before + 2, "one try with credentials, no more");
}

#[tokio::test]
async fn a_5xx_aborts_and_alerts_are_kept_for_the_next_session() {
    proves!("D2-5.6-03", "D2-5.6-05");
    let mut bench = Bench::new().await;
    let alert = Alert::new("urn:oma:at:example:1.0:Something");
    let server = omadm_mo::ServerId::parse("DMS1").unwrap();
    bench.device.client.device_mut().raise_alert(&server, alert).unwrap();

    bench.server.say(Answer::status(500));
    assert_eq!(aborted_with(&bench.session().await), Some(500));
    assert_eq!(bench.server.requests().len(), 1, "no retry");
    bench.session().await;
    assert!(bench.server.package1(1).alert_types().contains(&"urn:oma:at:example:1.0:Something"));

    let before = bench.server.requests().len();
    bench.server.say(Answer::commands(&json!([["GET", address("Text")]])));
    bench.server.say(Answer::status(503).with("retry-after", "0"));
    assert_eq!(aborted_with(&bench.session().await), Some(503));
    assert_eq!(bench.server.requests().len(), before + 2, "Package#1, Package#3, and nothing after the 503");
    bench.session().await;
    let next = bench.server.package1(3);
    assert!(
        !next.alert_types().contains(&"urn:oma:at:example:1.0:Something"),
        "what was delivered is not sent again"
    );
}

#[tokio::test]
async fn no_answer_in_time_aborts_and_a_slow_one_does_not() {
    proves!("D2-5.6-04");
    let mut bench = Bench::with(|setup| setup.request_timeout = Duration::from_secs(20)).await;
    let release = Arc::new(Notify::new());
    bench.server.say(Answer::commands(&json!([["GET", address("Text")]])).held(&release));
    let heard = async {
        bench.server.wait_for(1).await;
        release.notify_one();
    };
    let (report, ()) = tokio::join!(bench.device.session("DMS1"), heard);
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");

    let mut bench = Bench::with(|setup| setup.request_timeout = Duration::from_millis(300)).await;
    bench.server.say(Answer::silence());
    assert_eq!(aborted_with(&bench.session().await), None);
    assert_eq!(bench.server.requests().len(), 1, "no retry");
}
