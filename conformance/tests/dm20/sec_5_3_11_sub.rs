//! SUB and UNSUB on the device (`DM 2.0 §5.3.11, §5.3.12`, Appendix C).

use http::Method;
use omadm_client::{Outcome, SubscriptionStatus};
use omadm_conformance::{Account, Answer, Bench, MOID, Request, Schema, address, dmmo, proves};
use omadm_mo::Value as Leaf;
use serde_json::{Value, json};

fn text(value: &str) -> Leaf {
    Leaf::Text(value.to_owned())
}

/// Subscribes to a place; reports go to `/report`, which is taken.
async fn subscribe(bench: &mut Bench, place: &str) -> String {
    let uri = bench.server.take("/report");
    assert_eq!(bench.status(json!(["SUB", uri, place])).await, 200, "{place}");
    uri
}

/// Lets the device report and gives the requests that it sent.
async fn reports(bench: &mut Bench) -> Vec<Request> {
    let before = bench.server.requests().len();
    bench.device.report().await;
    bench.server.requests().split_off(before)
}

/// The values in a report, by address.
fn values(report: &Request) -> Vec<(String, Value)> {
    assert_eq!((report.method.as_str(), report.target.as_str()), ("PUT", "/report"));
    assert_eq!(report.header("content-type"), Some("application/dmmo+json"));
    Schema::MoData.check(&report.json());
    let items = report.json().as_array().unwrap().clone();
    let value = |item: &Value| item["MOData"].as_object().unwrap().values().next().unwrap().clone();
    items.iter().map(|item| (item["ClientURI"].as_str().unwrap().to_owned(), value(item))).collect()
}

fn status(bench: &Bench) -> Vec<SubscriptionStatus> {
    bench.device.client.device().status().subscriptions
}

#[tokio::test]
async fn a_change_below_the_address_is_reported_and_no_other() {
    proves!(
        "DM-PACK-024-C-O",
        "D2-5.3.11-01",
        "D2-5.3.11-02",
        "D2-5.3.11-03",
        "D2-C-SUB-200",
        "D2-C-SUB-400",
        "D2-C-SUB-404"
    );
    let mut bench = Bench::new().await;
    let uri = bench.server.uri("/report");
    let bad = json!([
        ["SUB", uri],
        ["SUB", uri, address("Text"), "x"],
        ["SUB", uri, address("None")],
        ["SUB", "file:///x", address("Text")]
    ]);
    assert_eq!(bench.run(bad).await.statuses(), [400, 400, 404, 400]);
    subscribe(&mut bench, &address("List")).await;
    assert!(reports(&mut bench).await.is_empty(), "the subscription itself is no change");

    bench.device.set(&address("Text"), text("elsewhere"));
    assert_eq!(bench.hget(&format!("{MOID}/beta/List/two/Value"), json!("elsewhere")).await, 200);
    assert!(reports(&mut bench).await.is_empty(), "outside");

    bench.device.set(&address("List/two/Value"), text("22"));
    let sent = reports(&mut bench).await;
    assert_eq!(sent.len(), 1, "one PUT, and no package");
    assert_eq!(sent[0].header("omadm-devid"), Some(omadm_conformance::DEVICE_ID));
    let [(place, sub_tree)] = &values(&sent[0])[..] else { panic!("one item") };
    assert_eq!(place, &address("List"));
    assert_eq!((&sub_tree["two"]["Value"], &sub_tree["one"]["ID"]), (&json!("22"), &json!("GPS")));
    assert!(reports(&mut bench).await.is_empty(), "once");

    assert_eq!(bench.hget(&address("List/three"), json!({ "ID": "new" })).await, 200);
    assert_eq!(values(&reports(&mut bench).await[0])[0].1["three"]["ID"], "new", "a server adds");
    assert_eq!(bench.status(json!(["DELETE", address("List/three")])).await, 200);
    assert_eq!(values(&reports(&mut bench).await[0])[0].1.get("three"), None, "a server deletes");
}

#[tokio::test]
async fn a_burst_of_changes_is_one_report() {
    let mut bench = Bench::new().await;
    subscribe(&mut bench, &address("")).await;
    for count in 0..100 {
        bench.device.set(&address("Count"), Leaf::Int(count));
        bench.device.set(&address("Text"), text("between"));
    }
    let sent = reports(&mut bench).await;
    assert_eq!(sent.len(), 1);
    assert_eq!(values(&sent[0])[0].1["Count"], 99);
    bench.device.set(&address("Text"), text("away"));
    bench.device.set(&address("Text"), text("between"));
    assert!(reports(&mut bench).await.is_empty(), "what is as it was is no news");
}

#[tokio::test]
async fn changes_are_gathered_for_a_while() {
    let mut bench = Bench::with(|setup| setup.reports.window = std::time::Duration::from_secs(3_600)).await;
    subscribe(&mut bench, &address("Text")).await;
    bench.device.set(&address("Text"), text("one"));
    assert!(reports(&mut bench).await.is_empty());
    let wait = bench.device.client.next_report().unwrap().as_secs();
    assert!((3_000..=3_600).contains(&wait), "{wait}");
}

#[tokio::test]
async fn after_415_another_form_is_tried_if_there_is_one() {
    proves!("D2-5.3.11-06");
    let mut bench = Bench::new().await;
    subscribe(&mut bench, &address("Text")).await;
    let refuse = |accept: Option<&str>| {
        let answer = Answer::status(415);
        accept.map_or(answer.clone(), |accept| answer.with("omadm-accept", accept))
    };
    // The scripted repository says 415 to everything: what counts is what the device does then.
    for (number, (accept, types)) in [
        (Some("text/plain, application/x-foo;q=0.5"), &["application/dmmo+json", "text/plain"][..]),
        (Some("application/x-foo"), &["application/dmmo+json"]),
        (Some("application/dmmo+json"), &["application/dmmo+json"]),
        (None, &["application/dmmo+json"]),
    ]
    .into_iter()
    .enumerate()
    {
        bench.server.route(&Method::PUT, "/report", refuse(accept));
        bench.device.set(&address("Text"), text(&number.to_string()));
        let sent = reports(&mut bench).await;
        let sent: Vec<_> = sent.iter().map(|report| report.header("content-type").unwrap()).collect();
        assert_eq!(sent, types, "{accept:?}");
        assert!(reports(&mut bench).await.is_empty(), "no retry of what cannot be taken: {accept:?}");
        assert!(status(&bench)[0].failed.is_some());
    }
    bench.server.take("/report");
    bench.device.set(&address("Text"), text("at last"));
    assert_eq!(values(&reports(&mut bench).await[0])[0].1, "at last");
    assert_eq!(status(&bench)[0].failed, None);
}

#[tokio::test]
async fn the_form_that_was_taken_is_remembered() {
    proves!("D2-5.3.11-06");
    let mut bench = Bench::new().await;
    subscribe(&mut bench, &address("Text")).await;
    let sent = async |bench: &mut Bench, value: &str| {
        bench.device.set(&address("Text"), text(value));
        let sent = reports(bench).await;
        let sent =
            sent.iter().map(|report| (report.header("content-type").unwrap().to_owned(), report.text()));
        sent.collect::<Vec<_>>()
    };
    let wants = |bench: &Bench, accept: &str| {
        bench.server.route_once(&Method::PUT, "/report", Answer::status(415).with("omadm-accept", accept));
    };
    wants(&bench, "text/plain");
    let first = sent(&mut bench, "first").await;
    assert_eq!((first.len(), &first[1]), (2, &("text/plain".to_owned(), "first".to_owned())));
    bench.device = bench.device.killed_and_restarted();
    assert_eq!(sent(&mut bench, "second").await, [("text/plain".to_owned(), "second".to_owned())]);
    wants(&bench, "application/dmmo+json");
    let third = sent(&mut bench, "third").await;
    assert_eq!(
        third.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
        ["text/plain", "application/dmmo+json"]
    );
}

#[tokio::test]
async fn unsub_takes_the_very_address() {
    proves!(
        "DM-PACK-025-C-O",
        "D2-5.3.12-01",
        "D2-5.3.12-02",
        "D2-5.3.12-03",
        "D2-5.3.12-04",
        "D2-C-UNSUB-200",
        "D2-C-UNSUB-400",
        "D2-C-UNSUB-404"
    );
    let mut bench = Bench::new().await;
    subscribe(&mut bench, &address("List")).await;
    subscribe(&mut bench, &address("Text")).await;
    let wrong = json!([
        ["UNSUB"],
        ["UNSUB", address("List"), address("Text")],
        ["UNSUB", address("")],
        ["UNSUB", address("List/two")],
        ["UNSUB", address("Count")],
    ]);
    assert_eq!(bench.run(wrong).await.statuses(), [400, 400, 404, 404, 404]);
    let list = address("List");
    let answer =
        bench.run(json!([["UNSUB", list], ["UNSUB", list], ["SUB", "https://localhost/", "x"]])).await;
    assert_eq!(answer.statuses(), [200, 404, 400]);
    bench.device.set(&address("List/two/Value"), text("22"));
    assert!(reports(&mut bench).await.is_empty(), "revoked");
    bench.device.set(&address("Text"), text("new"));
    assert_eq!(reports(&mut bench).await.len(), 1, "the other one is still there");
}

#[tokio::test]
async fn what_was_not_reported_before_a_kill_is_reported_after_it() {
    let mut bench = Bench::new().await;
    let uri = subscribe(&mut bench, &address("Text")).await;
    bench.device.set(&address("Text"), text("before the kill"));
    bench.device = bench.device.killed_and_restarted();
    assert_eq!(status(&bench).len(), 1);
    assert_eq!(values(&reports(&mut bench).await[0])[0].1, "before the kill");
    bench.device = bench.device.killed_and_restarted();
    assert!(reports(&mut bench).await.is_empty(), "that it was reported is kept, too");
    assert_eq!(status(&bench)[0].uri, uri);
}

#[tokio::test]
async fn a_dead_address_is_tried_so_often_and_then_after_a_good_session() {
    let mut bench = Bench::with(|setup| setup.reports.attempts = 3).await;
    subscribe(&mut bench, &address("Text")).await;
    bench.server.route(&Method::PUT, "/report", Answer::status(503));
    bench.device.set(&address("Text"), text("new"));
    for attempt in 1..=3 {
        assert_eq!(reports(&mut bench).await.len(), 1);
        let (failed, reason) = status(&bench)[0].failed.clone().unwrap();
        assert_eq!(failed, attempt);
        assert!(reason.contains("503"), "{reason}");
    }
    assert!(reports(&mut bench).await.is_empty(), "three attempts are the limit");
    assert_eq!(bench.device.client.next_report(), None);
    bench.device.set(&address("Text"), text("newer"));
    assert_eq!(reports(&mut bench).await.len(), 1, "another state is another matter");
    for _ in 0..2 {
        reports(&mut bench).await;
    }
    assert!(reports(&mut bench).await.is_empty());
    bench.server.take("/report");
    let report = bench.session().await;
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
    assert_eq!(values(&reports(&mut bench).await[0])[0].1, "newer", "the server is there again");
    assert_eq!(status(&bench)[0].failed, None);
}

#[tokio::test]
async fn failures_make_the_device_wait() {
    let mut bench = Bench::with(|setup| setup.reports.retry = std::time::Duration::from_secs(1_000)).await;
    subscribe(&mut bench, &address("Text")).await;
    bench.server.route(&Method::PUT, "/report", Answer::status(500));
    bench.device.set(&address("Text"), text("new"));
    assert_eq!(reports(&mut bench).await.len(), 1);
    assert!(reports(&mut bench).await.is_empty());
    let wait = bench.device.client.next_report().unwrap().as_secs();
    assert!((900..=1_000).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_subscription_again_replaces_where_reports_go() {
    let mut bench = Bench::new().await;
    subscribe(&mut bench, &address("Text")).await;
    let new = bench.server.take("/new");
    assert_eq!(bench.status(json!(["SUB", new, address("Text")])).await, 200);
    bench.device.set(&address("Text"), text("new"));
    let sent = reports(&mut bench).await;
    assert_eq!(sent.iter().map(|report| report.target.as_str()).collect::<Vec<_>>(), ["/new"]);
}

#[tokio::test]
async fn what_is_gone_is_reported_as_nothing_and_ends_the_subscription() {
    let mut bench = Bench::new().await;
    subscribe(&mut bench, &address("List/two")).await;
    subscribe(&mut bench, &format!("{MOID}/*/List/*/ID")).await;
    assert_eq!(bench.status(json!(["DELETE", address("List/two")])).await, 200);
    let sent = reports(&mut bench).await;
    let mut items: Vec<_> = sent.iter().map(|report| values(report).len()).collect();
    items.sort_unstable();
    assert_eq!(items, [0, 3], "the node, and what is left of all that the wildcard means");
    assert_eq!(status(&bench).len(), 1);
    assert_eq!(bench.hget(&address("List/two"), json!({ "ID": "again" })).await, 200);
    let sent = reports(&mut bench).await;
    assert_eq!((sent.len(), values(&sent[0]).len()), (1, 4), "a wildcard means what comes later, too");
}

#[tokio::test]
async fn who_may_not_read_is_told_nothing() {
    proves!("D2-C-SUB-403", "D2-C-UNSUB-403");
    let mut bench = Bench::with(|setup| {
        let second = Account::new("DMS2", &setup.accounts[0].uri).with_rights(2);
        setup.accounts.push(second);
    })
    .await;
    let uri = bench.server.take("/report");
    let sub = json!([["SUB", uri, address("Text")]]);
    assert_eq!(bench.statuses_for("DMS2", sub.clone()).await, [403]);
    bench.device.set(&address("Text"), text("not for DMS2"));
    assert!(reports(&mut bench).await.is_empty());
    let unsub = json!([["UNSUB", address("Text")]]);
    assert_eq!(bench.statuses_for("DMS1", sub.clone()).await, [200]);
    assert_eq!(bench.statuses_for("DMS2", unsub.clone()).await, [403]);
    assert_eq!(status(&bench).len(), 1, "that of the other server stays");
    assert_eq!(bench.statuses_for("DMS1", unsub.clone()).await, [200]);
    bench.device.grant(MOID, "alpha", "/", "DMS2", 1);
    assert_eq!(bench.statuses_for("DMS2", sub.clone()).await, [200]);
    assert_eq!(bench.statuses_for("DMS2", json!([unsub[0], sub[0]])).await, [200, 200]);
    let other = bench.statuses_for("DMS1", unsub).await;
    assert_eq!(other, [404], "a subscription is of one server");
    bench.device.grant(MOID, "alpha", "/", "DMS2", 0);
    bench.device.set(&address("Text"), text("secret by now"));
    assert!(reports(&mut bench).await.is_empty());
    assert!(status(&bench).is_empty(), "it ends with the right");
}

#[tokio::test]
async fn there_is_a_limit_to_subscriptions() {
    let mut bench = Bench::with(|setup| setup.bounds.0 = 2).await;
    let uri = bench.server.take("/report");
    let sub = |path: &str| json!(["SUB", uri, address(path)]);
    let all = bench.run(json!([sub("Text"), sub("Count"), sub("Flag"), sub("Text")])).await;
    assert_eq!(all.statuses(), [200, 200, 503, 200], "one that is there already can be changed");
    let again = bench.run(json!([["UNSUB", address("Text")], sub("Flag")])).await;
    assert_eq!(again.statuses(), [200, 200]);
}

#[tokio::test]
async fn changes_of_a_bootstrap_end_what_belonged_to_an_account() {
    let mut bench = Bench::new().await;
    subscribe(&mut bench, &address("Text")).await;
    let data = dmmo(&address("Text"), "Text", json!("x"));
    let source = bench.server.serve("/default", &data);
    assert_eq!(bench.status(json!(["DEFAULT", source, MOID])).await, 200);
    let account = omadm_mo::ClientUri::parse(&format!("{}/*/", omadm_mo::well_known::DMACC)).unwrap();
    let device = bench.device.client.device_mut();
    device.change(|tree| Ok(tree.delete(&account)?)).unwrap();
    bench.device = bench.device.killed_and_restarted();
    let status = bench.device.client.device().status();
    assert!(status.subscriptions.is_empty() && status.defaults.is_empty(), "{status:?}");
}
