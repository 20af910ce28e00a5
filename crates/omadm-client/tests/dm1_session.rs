//! Sessions of DM 1.x between the real engines, over TLS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use omadm_client::dm1::{AccountSettings, Cause, GenericAlert, Mark, Outcome, Scheme, Version};
use omadm_client::{Client, Finished, Refusal, StatusCode};
use omadm_mo::{ClientUri, Format, Value};
use omadm_session::dm1::server::{Content, Data, Existence, NodeContent, Task, Verdict};
use serde_json::json;

use support::device::{DEVICE_ID, Hands, server_id, value};
use support::dm1::{self, Dm1, PASSWORD, SERVER_PASSWORD, SERVER_USER, USER, account, exec, get, set};
use support::server::{Answer, Server};
use support::tls::Authority;

const VALUE: &str = "./Thing/Value";
const RUN: &str = "./Thing/Run";

/// A server, a device with an account of it, and what both know.
struct Pair {
    authority: Authority,
    server: Server,
    dm1: Dm1,
    client: Client,
    hands: Hands,
}

impl Pair {
    async fn new(more: serde_json::Value) -> Self {
        let authority = Authority::new();
        let server = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
        let dm1 = Dm1::on(&server);
        let (client, hands) = dm1::client(&authority, &account(&server.at("/dm"), more));
        Self { authority, server, dm1, client, hands }
    }

    async fn ended(&mut self) {
        let report = dm1::session(&mut self.client).await;
        assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:#?}");
    }

    async fn aborted(&mut self) -> (Cause, String) {
        let report = dm1::session(&mut self.client).await;
        let Outcome::Aborted { cause, reason } = report.outcome else { panic!("{report:#?}") };
        (cause, reason)
    }

    fn settings(&self) -> AccountSettings {
        account(&self.server.at("/dm"), json!({}))
    }
}

/// What a Get brought, addresses and values.
fn values(data: Option<Data>) -> Vec<(String, String)> {
    let Some(Data::Nodes(nodes)) = data else { panic!("{data:?}") };
    let text = |content| match content {
        NodeContent::Value(value) => value.to_text(),
        NodeContent::Children(names) => names.join("/"),
        NodeContent::Untold => String::new(),
    };
    nodes.into_iter().map(|node| (node.uri, text(node.content))).collect()
}

#[tokio::test]
async fn commands_are_carried_out_in_either_encoding_and_every_version() {
    for (encoding, version, spoken) in [
        ("wbxml", "1.3", Version::Dm13),
        ("xml", "1.3", Version::Dm13),
        ("wbxml", "1.2", Version::Dm12),
        ("xml", "1.1", Version::Dm11),
    ] {
        let mut pair = Pair::new(json!({ "encoding": encoding, "version": version })).await;
        pair.dm1.queue([set(VALUE, "new"), get(VALUE), get("./Thing"), set("./None", "x")]);
        let report = dm1::session(&mut pair.client).await;
        let Outcome::Ended { version, .. } = report.outcome else { panic!("{report:#?}") };
        assert_eq!(version, spoken);
        let results = pair.dm1.results();
        let verdicts: Vec<_> = results.iter().map(|result| result.verdict.clone()).collect();
        let good = Verdict::Done(200);
        assert_eq!(verdicts[..3], [good.clone(), good.clone(), good], "{encoding}: {results:#?}");
        assert_eq!(values(results[1].data.clone()), [(VALUE.to_owned(), "new".to_owned())]);
        assert_eq!(values(results[2].data.clone())[0].1, "Live/Run/Value");
        assert_eq!(value(pair.client.device()), "new");
        assert_eq!(pair.hands.lock().unwrap().applied, ["new"]);
        let told = pair.dm1.set(|desk| desk.told.clone());
        let device_id =
            told.iter().find(|node| node.uri.ends_with("/DevId")).map(|node| node.content.clone());
        assert_eq!(device_id, Some(NodeContent::Value(Value::Text(DEVICE_ID.to_owned()))), "{told:?}");
    }
}

#[tokio::test]
async fn who_is_sent_away_learns_for_how_long_and_does_not_insist() {
    let mut pair = Pair::new(json!({})).await;
    pair.server.script([Answer::status(503).with("retry-after", "40")]);
    let report = dm1::session(&mut pair.client).await;
    assert!(matches!(report.outcome, Outcome::Aborted { .. }), "{report:?}");
    assert_eq!(report.retry_after.map(|wait| wait.as_secs()), Some(40));
    assert_eq!(pair.server.seen().len(), 1, "it is sent once");
    let report = dm1::session(&mut pair.client).await;
    assert!(report.has_ended() && report.retry_after.is_none(), "{report:?}");
}

#[tokio::test]
async fn the_http_binding_is_that_of_the_profile() {
    let mut pair = Pair::new(json!({})).await;
    pair.dm1.queue([get(VALUE)]);
    pair.ended().await;
    let seen = pair.server.seen();
    assert!(seen.len() >= 2, "{seen:#?}");
    for message in &seen {
        assert_eq!((message.method.as_str(), message.uri.path()), ("POST", "/dm"));
        assert_eq!(message.header("content-type"), Some("application/vnd.syncml.dm+wbxml"));
        let accept = message.header("accept").unwrap();
        assert!(accept.contains("application/vnd.syncml.dm+wbxml"), "{accept}");
        assert!(accept.contains("application/vnd.syncml.dm+xml"), "{accept}");
        assert_eq!(message.header("accept-charset"), Some("utf-8"));
        assert_eq!(message.header("cache-control"), Some("no-store, private"));
        assert!(message.header("user-agent").is_some_and(|agent| agent.starts_with("omadm-client/")));
        assert_eq!(message.header("omadm-devid"), None, "that is DM 2.0's");
        assert_eq!(message.header("cookie"), None);
    }
}

#[tokio::test]
async fn macs_guard_every_message_both_ways() {
    for (scheme, algorithm, allowed) in
        [("HMAC-SHA256", "SHA256", Scheme::MacSha256), ("HMAC", "MD5", Scheme::MacMd5)]
    {
        let mac = |user: &str, password: &str| json!({ "type": scheme, "user": user, "password": password });
        let more = json!({ "client": mac(USER, PASSWORD), "server": mac(SERVER_USER, SERVER_PASSWORD) });
        let mut pair = Pair::new(more).await;
        pair.dm1.set(|desk| {
            desk.config.schemes = vec![allowed];
            desk.account.server_scheme = Some(allowed);
        });
        pair.dm1.queue([set(VALUE, "guarded")]);
        pair.ended().await;
        pair.dm1.queue([get(VALUE)]);
        pair.ended().await;
        let results = pair.dm1.results();
        assert_eq!(values(results[1].data.clone())[0].1, "guarded");
        for message in pair.server.seen() {
            let header = message.header("x-syncml-hmac").unwrap_or_default();
            assert!(header.contains(&format!("algorithm={algorithm}")), "{header}");
            assert!(header.contains("username=\"device-1\""), "{header}");
        }
    }
}

#[tokio::test]
async fn nonces_are_kept_so_that_the_next_session_needs_no_challenge() {
    let mut pair = Pair::new(json!({})).await;
    pair.dm1.set(|desk| desk.account.client_nonce = vec![7; 16]);
    pair.ended().await;
    let first = pair.server.seen().len();
    pair.ended().await;
    let second = pair.server.seen().len();
    assert_eq!((first, second), (2, 1), "the first session is challenged");
    let root = omadm_client::dm1::Accounts::dm1_account(pair.client.device().tree(), &server_id()).unwrap();
    let nonce = root.child("AppAuth").unwrap().child("1").unwrap().child("AAuthData").unwrap();
    assert!(matches!(nonce.value(), Some(Value::Bytes(nonce)) if nonce.len() == 16));
}

#[tokio::test]
async fn wrong_credentials_end_the_session_on_either_side() {
    let mut pair = Pair::new(json!({
        "client": { "type": "SHA256", "user": USER, "password": "wrong" },
    }))
    .await;
    pair.dm1.queue([set(VALUE, "never")]);
    let (cause, reason) = pair.aborted().await;
    assert_eq!(cause, Cause::ClientCredentials, "{reason}");
    assert!(pair.dm1.results().is_empty());

    let mut pair = Pair::new(json!({
        "server": { "type": "SHA256", "user": SERVER_USER, "password": "not the server's" },
    }))
    .await;
    pair.dm1.set(|desk| desk.account.server_scheme = Some(Scheme::Sha256));
    pair.dm1.queue([set(VALUE, "never")]);
    let (cause, reason) = pair.aborted().await;
    assert_eq!(cause, Cause::ServerCredentials, "{reason}");
    assert_eq!(value(pair.client.device()), "first", "nothing is carried out for a server that is not known");
}

#[tokio::test]
async fn http_credentials_answer_the_challenge_of_the_http_server() {
    let mut pair = Pair::new(json!({
        "http": { "type": "HTTP-DIGEST", "user": "web", "password": "page" },
    }))
    .await;
    let digest = r#"Digest realm="dm", nonce="abc", qop="auth", algorithm=SHA-256"#;
    pair.server.script([Answer::status(401).with("www-authenticate", digest)]);
    pair.ended().await;
    let seen = pair.server.seen();
    assert_eq!(seen[0].header("authorization"), None, "the password never goes as it is");
    assert!(seen[1].header("authorization").unwrap().starts_with("Digest username=\"web\""), "{seen:#?}");
    assert_eq!(seen[0].body, seen[1].body, "the message is the same");

    pair.server.script([
        Answer::status(401).with("www-authenticate", digest),
        Answer::status(200).with("authentication-info", r#"rspauth="00", qop=auth, nc=00000001, cnonce="x""#),
    ]);
    let (cause, reason) = pair.aborted().await;
    assert_eq!(cause, Cause::NoReply);
    assert!(reason.contains("does not know the secret"), "{reason}");
}

#[tokio::test]
async fn cookies_are_returned_within_the_session_and_to_the_server_only() {
    let mut pair = Pair::new(json!({})).await;
    let elsewhere = Server::start(Some(pair.authority.acceptor(&["localhost"], true))).await;
    pair.dm1.queue([get(VALUE)]);
    pair.server.script([Answer::redirect(307, &pair.server.at("/again"))]);
    let dm1 = pair.dm1.clone();
    let mut cookies = 0;
    pair.server.think(move |seen| {
        cookies += 1;
        dm1.set(|desk| desk.answer(seen)).with("set-cookie", &format!("node=n{cookies}; Path=/; Secure"))
    });
    pair.ended().await;
    let seen = pair.server.seen();
    assert_eq!(seen[0].body, seen[1].body, "a redirect gets the same message");
    assert_eq!(seen[1].uri.path(), "/again");
    assert_eq!((seen[1].header("cookie"), seen[2].header("cookie")), (None, Some("node=n1")));
    pair.server.script([Answer::redirect(307, &elsewhere.at("/"))]);
    assert_eq!(pair.aborted().await.0, Cause::Http(404));
    assert_eq!(pair.server.seen()[0].header("cookie"), None, "another session has none");
    assert_eq!(elsewhere.only().header("cookie"), None);
}

#[tokio::test]
async fn redirects_are_few_and_never_to_http() {
    let mut pair = Pair::new(json!({})).await;
    let plain = Server::start(None).await;
    for (script, reason) in [
        (vec![Answer::redirect(308, &plain.at("/"))], "https to http"),
        ((0..4).map(|at| Answer::redirect(302, &pair.server.at(&format!("/{at}")))).collect(), "too many"),
    ] {
        pair.server.script(script);
        let (cause, said) = pair.aborted().await;
        assert_eq!(cause, Cause::NoReply);
        assert!(said.contains(reason), "{said}");
        pair.server.unscript();
        pair.server.seen();
    }
    assert!(plain.seen().is_empty());
}

#[tokio::test]
async fn an_older_version_that_worked_is_remembered() {
    let mut pair = Pair::new(json!({})).await;
    pair.dm1.set(|desk| desk.config.versions = vec![Version::Dm12]);
    pair.ended().await;
    let tried = pair.server.seen().len();
    let status = &pair.client.device().dm1_status()[0];
    assert_eq!(status.versions, ("1.3", Some("1.2")));
    pair.ended().await;
    assert!(pair.server.seen().len() < tried, "1.3 is not tried again");
}

#[tokio::test]
async fn the_next_address_is_tried_where_nobody_answers() {
    let mut pair = Pair::new(json!({})).await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("https://localhost:{}/", listener.local_addr().unwrap().port())
    };
    let mut settings = pair.settings();
    settings.addresses.insert(0, nobody);
    pair.client.device_mut().install_dm1_account(&settings).unwrap();
    pair.dm1.queue([set(VALUE, "reached")]);
    pair.ended().await;
    assert_eq!(value(pair.client.device()), "reached");
}

#[tokio::test]
async fn a_lost_reply_costs_nothing_but_the_same_message_again() {
    for lost in 1..=4 {
        let mut pair = Pair::new(json!({})).await;
        pair.dm1.queue([set(VALUE, "once"), exec(RUN, "c")]);
        pair.dm1.set(|desk| desk.lose = vec![lost]);
        pair.ended().await;
        assert_eq!(pair.dm1.verdicts(), [Verdict::Done(200), Verdict::Done(200)], "lost {lost}");
        assert_eq!(pair.hands.lock().unwrap().executed.len(), 1, "lost {lost}: it runs once");
    }
}

#[tokio::test]
async fn plug_ins_are_asked_and_what_they_refuse_is_undone() {
    let mut pair = Pair::new(json!({})).await;
    pair.hands.lock().unwrap().live = 42;
    pair.dm1.queue([get("./Thing/Live")]);
    pair.ended().await;
    assert_eq!(values(pair.dm1.results()[0].data.clone())[0].1, "42", "live values are fresh");

    pair.hands.lock().unwrap().refuse = Some(Refusal::new(StatusCode::INTERNAL_ERROR, "no"));
    pair.dm1.queue([set(VALUE, "refused"), exec(RUN, "c")]);
    pair.ended().await;
    assert_eq!(pair.dm1.verdicts(), [Verdict::Failed(500), Verdict::Failed(500)]);
    assert_eq!(value(pair.client.device()), "first");
}

#[tokio::test]
async fn the_end_of_an_execution_is_told_later_with_its_correlator() {
    let mut pair = Pair::new(json!({})).await;
    pair.hands.lock().unwrap().goes_on = true;
    pair.dm1.queue([exec(RUN, "job-0042")]);
    pair.ended().await;
    assert_eq!(pair.dm1.verdicts(), [Verdict::Accepted]);
    assert_eq!(pair.client.device().dm1_executions(&server_id()).collect::<Vec<_>>(), [RUN]);
    assert!(pair.client.device_mut().dm1_sessions_due().is_empty(), "it runs still");

    let address = ClientUri::parse("urn:example:mo:thing:1.0/Thing/Run").unwrap();
    pair.hands.lock().unwrap().finished.push(Finished::new(address, StatusCode(1_200)));
    let due = pair.client.device_mut().dm1_sessions_due();
    assert_eq!(due.into_iter().collect::<Vec<_>>(), [server_id()]);
    assert!(pair.client.device_mut().dm1_sessions_due().is_empty(), "each is given once");
    pair.ended().await;
    let alerts = pair.dm1.alerts();
    let [alert] = &alerts[..] else { panic!("{alerts:#?}") };
    assert_eq!(alert.correlator.as_deref(), Some("job-0042"));
    assert_eq!(alert.items[0].source.as_deref(), Some(RUN));
    assert_eq!(alert.items[0].data, Some(Value::Text("1200".to_owned())));
    assert_eq!(pair.client.device().dm1_executions(&server_id()).count(), 0);
    pair.ended().await;
    assert!(pair.dm1.alerts().is_empty(), "what is told is forgotten");
}

#[tokio::test]
async fn alerts_wait_for_a_session_and_leave_with_the_status_of_the_server() {
    let mut pair = Pair::new(json!({})).await;
    let alert = GenericAlert {
        mark: Mark::Critical,
        source: Some("./Thing".to_owned()),
        format: Format::Int,
        data: Value::Int(-3),
        ..GenericAlert::new("urn:example:at:door", "")
    };
    pair.client.device_mut().raise_dm1_alert(&server_id(), alert).unwrap();
    pair.server.script([Answer::status(500)]);
    pair.aborted().await;
    pair.server.unscript();
    assert_eq!(pair.client.device().dm1_alerts(&server_id()).len(), 1, "nobody took it");
    pair.ended().await;
    assert!(pair.client.device().dm1_alerts(&server_id()).is_empty());
    let alerts = pair.dm1.alerts();
    let [alert] = &alerts[..] else { panic!("{alerts:#?}") };
    let item = &alert.items[0];
    assert_eq!(item.alert_type.as_deref(), Some("urn:example:at:door"));
    assert_eq!((item.mark, item.format.as_deref()), (Mark::Critical, Some("int")));
    assert_eq!(item.data, Some(Value::Text("-3".to_owned())));
}

#[tokio::test]
async fn alerts_of_plug_ins_go_with_the_session_under_way_in_the_words_of_dm_1() {
    let mut pair = Pair::new(json!({})).await;
    let mut alert = omadm_client::Alert::new("urn:example:at:ran");
    alert.source = Some("urn:example:mo:thing:1.0/Thing/Run".to_owned());
    alert.data = Some(omadm_client::dm1x_data("<![CDATA[<r>1</r>]]>", "text/xml"));
    pair.hands.lock().unwrap().alerts.push(alert);
    pair.dm1.queue([exec(RUN, "c")]);
    pair.ended().await;
    let alerts = pair.dm1.alerts();
    let [alert] = &alerts[..] else { panic!("{alerts:#?}") };
    assert_eq!(alert.items[0].source.as_deref(), Some(RUN));
    assert_eq!(alert.items[0].format.as_deref(), Some("xml"));
    assert_eq!(alert.items[0].data, Some(Value::Text("<r>1</r>".to_owned())));
}

#[tokio::test]
async fn plain_http_has_to_be_allowed() {
    let mut pair = Pair::new(json!({})).await;
    let plain = Server::start(None).await;
    let settings = account(&plain.at("/dm"), json!({}));
    pair.client.device_mut().install_dm1_account(&settings).unwrap();
    let (_, reason) = pair.aborted().await;
    assert!(reason.contains("http"), "{reason}");
    assert!(plain.seen().is_empty());
}

#[tokio::test]
async fn large_objects_go_both_ways_in_chunks() {
    let mut pair = Pair::new(json!({})).await;
    let large = "x".repeat(300_000);
    pair.dm1.queue([
        Task::Set {
            uri: VALUE.to_owned(),
            content: Content { format: Format::Chr, media_type: None, value: Value::Text(large.clone()) },
            existence: Existence::Present,
        },
        get(VALUE),
    ]);
    pair.ended().await;
    let results = pair.dm1.results();
    assert_eq!(results[0].verdict, Verdict::Done(200), "{results:?}");
    assert_eq!(values(results[1].data.clone())[0].1, large);
}

#[tokio::test]
async fn a_session_that_is_asked_to_end_tells_the_server_and_does_no_more() {
    let mut pair = Pair::new(json!({ "encoding": "xml" })).await;
    pair.dm1.queue([set(VALUE, "never")]);
    let (abort, dm1) = (pair.client.dm1_abort(), pair.dm1.clone());
    pair.server.think(move |seen| {
        abort.ask();
        dm1.set(|desk| desk.answer(seen))
    });
    let (cause, reason) = pair.aborted().await;
    assert_eq!((cause, reason.as_str()), (Cause::Host, "it was asked for on the device"));
    let seen = pair.server.seen();
    let last = String::from_utf8(seen.last().unwrap().body.clone()).unwrap();
    assert!(last.contains("<Data>1223</Data>"), "{last}");
    assert_eq!(value(pair.client.device()), "first");
}
