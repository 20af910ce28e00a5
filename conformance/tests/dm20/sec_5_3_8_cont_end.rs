//! CONT and END on the device (`DM 2.0 §5.3.8, §5.3.9`, Appendix C).

use omadm_conformance::{Answer, Bench, Package3, ScriptServer, address, dmmo, proves};
use serde_json::json;

#[tokio::test]
async fn after_cont_the_answers_go_to_the_other_uri() {
    proves!("D2-5.3.8-01", "D2-5.3.8-02", "D2-5.3.8-03", "D2-C-CONT-200", "D2-C-CONT-400", "DM-PACK-021-C-M");
    let mut bench = Bench::new().await;
    let other = ScriptServer::https(&bench.authority).await;
    let moved = other.uri("/elsewhere?x=1");
    bench.server.say(Answer::commands(&json!([
        ["CONT", "x y"],
        ["CONT"],
        ["CONT", moved, moved],
        ["GET", address("Text")]
    ])));
    bench.server.say(Answer::commands(&json!([["CONT", moved]])));
    other.say(Answer::commands(&json!([["GET", address("Count")]])));
    bench.session().await;

    let first = bench.server.packages3();
    assert_eq!(first.len(), 1, "bad URIs leave the session where it is");
    assert_eq!(first[0].statuses(), [400, 400, 400, 200]);
    assert_eq!(first[0].request.target, "/dm/2.0");
    let moved_to = other.requests();
    assert_eq!(moved_to.len(), 2, "this and every later Package#3");
    assert!(moved_to.iter().all(|request| request.target == "/elsewhere?x=1"));
    assert_eq!(Package3::read(moved_to[0].clone()).statuses(), [200]);
    assert_eq!(Package3::read(moved_to[1].clone()).statuses(), [200]);

    bench.session().await;
    assert_eq!(bench.server.package_requests().len(), 3, "the next session starts at SrvURI again");
    assert_eq!(other.requests().len(), 2);
}

#[tokio::test]
async fn end_ends_the_session_after_all_commands_and_without_an_answer() {
    proves!("D2-5.3.9-03", "D2-5.3.9-04", "D2-C-END", "DM-PACK-022-C-M");
    let mut bench = Bench::new().await;
    let before = bench.server.serve("/before", &dmmo(&address("Text"), "Text", json!("before")));
    let after = bench.server.serve("/after", &dmmo(&address("Id"), "Id", json!("after")));
    bench.server.say(Answer::commands(&json!([
        ["HGET", before, address("Text")],
        ["END"],
        ["HGET", after, address("Id")]
    ])));
    let report = bench.session().await;
    assert!(matches!(report.outcome, omadm_client::Outcome::Ended { .. }), "{report:?}");
    assert_eq!(bench.device.text(&address("Text")).as_deref(), Some("before"));
    assert_eq!(bench.device.text(&address("Id")).as_deref(), Some("after"));
    assert_eq!(
        bench.server.package_requests().len(),
        1,
        "the session is over and Package#1 is all that was sent"
    );
}

#[tokio::test]
async fn end_with_a_parameter_ends_the_session_too() {
    proves!("D2-5.3.9-01");
    let mut bench = Bench::new().await;
    for package in [json!([["END", "x"]]), json!([["END"]])] {
        let before = bench.server.package_requests().len();
        bench.server.say(Answer::commands(&package));
        let report = bench.session().await;
        assert!(matches!(report.outcome, omadm_client::Outcome::Ended { .. }), "{report:?}");
        assert_eq!(bench.server.package_requests().len(), before + 1);
    }
}
