//! Messages and packages: sizes, ends, repetition, loss, versions, addresses.

use std::time::Duration;

use omadm_codec::dm1::{Command, Version};
use omadm_mo::Value;
use omadm_session::dm1::client::{Cause, Config, HttpReply, Input, Note, Outcome, Start, Trigger};

use super::support::*;

/// The next part of a package of the device.
fn next_message(device: &mut Device, server: &mut Server) -> Said {
    server.is_final = false;
    let said = device.exchange(server, vec![server_alert("1", 1222, &[])]);
    server.is_final = true;
    said
}

#[test]
fn a_package_that_is_too_large_goes_in_several_messages() {
    let (mut device, mut server) = begun();
    server.max_message = Some(1500);
    let gets: Vec<_> = (1..=30).map(|id| get(&id.to_string(), "./box/one/Setting")).collect();
    let mut said = device.exchange(&mut server, gets);
    let (mut statuses, mut results, mut messages) = (Vec::new(), Vec::new(), 1);
    loop {
        assert!(said.post.body.len() <= 1500, "{}", said.post.body.len());
        assert_eq!(said.statuses()[0].cmd, "SyncHdr");
        statuses.extend(said.codes().into_iter().filter(|(id, _)| id != "0"));
        results.extend(said.results());
        if said.message.is_final {
            break;
        }
        messages += 1;
        said = next_message(&mut device, &mut server);
        assert_eq!(said.message.header.message_id, (messages + 1).to_string());
    }
    assert!(messages > 3, "{messages}");
    let own: Vec<_> = (1..=30).map(|id| (id.to_string(), "200".to_owned())).collect();
    // Each Alert 1222 is answered, too.
    assert_eq!(statuses.iter().filter(|status| own.contains(status)).count(), 30 + messages - 1);
    assert_eq!(results, vec![("./box/one/Setting".to_owned(), "first".to_owned()); 30]);
    device.reply(server.message(Vec::new()));
    assert!(matches!(device.outcome(), Outcome::Ended { .. }));
}

#[test]
fn the_size_that_the_server_names_is_kept_to_the_octet() {
    // With an alert, so that it is above what is always granted.
    let answer = |limit| {
        let (mut device, mut server) = begun();
        server.max_message = limit;
        device.input(Input::Alert(alert(1, &"x".repeat(1_000), "")));
        device.exchange(&mut server, vec![get("1", "./box/one/Setting")])
    };
    let whole = answer(None);
    let length = whole.post.body.len() as u64;
    assert!(whole.message.is_final && length > 1_024);
    assert!(answer(Some(length)).message.is_final);
    let cut = answer(Some(length - 1));
    assert!(!cut.message.is_final && (cut.post.body.len() as u64) < length);
}

#[test]
fn package_one_is_cut_behind_devinfo() {
    let alerts = (1..=40).map(|id| alert(id, "urn:x-test:at:event:1.0", &"x".repeat(100))).collect();
    let config = config();
    let mut device = Device::start(config, Start { alerts, ..start() });
    let mut server = Server { max_message: Some(2048), ..Server::default() };
    // The first message is as large as it gets: the server has not said yet what it takes.
    let first = server.hear(device.post());
    assert!(first.message.is_final && first.alerts().len() == 41);
    device.reply(server.message(Vec::new()));
    device.outcome();
    assert_eq!(device.delivered.len(), 40);
}

#[test]
fn a_message_that_is_not_the_last_of_the_server_is_followed_by_the_next() {
    let (mut device, mut server) = begun();
    server.is_final = false;
    let said = device.exchange(&mut server, vec![replace("1", "./box/one/Count", "2")]);
    assert!(!said.message.is_final);
    assert_eq!(said.alert_codes(), ["1222"]);
    assert_eq!(said.code("1"), "200");
    server.is_final = true;
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Count")]);
    assert!(said.message.is_final && said.alert_codes().is_empty());
    assert_eq!(said.results(), [("./box/one/Count".to_owned(), "2".to_owned())]);
}

#[test]
fn a_repeated_message_gets_the_same_answer_and_has_no_effect() {
    let (mut device, mut server) = begun();
    let reply = server.message(vec![exec("1", "./box/one/Run")]);
    device.reply(reply.clone());
    let first = device.post();
    device.reply(reply);
    let second = device.post();
    assert_eq!(first, second);
    assert_eq!(device.executed.len(), 1);
    assert!(device.notes.contains(&Note::Repeated));
}

#[test]
fn without_an_answer_the_same_octets_go_again_and_then_no_more() {
    let mut device = Device::usual();
    let first = device.post();
    for seconds in [2, 8, 32] {
        device.input(Input::NoReply { reason: "reset".into() });
        let again = device.post();
        assert_eq!(again.wait, Duration::from_secs(seconds));
        assert_eq!((again.body.clone(), again.message_id, &again.uri), (first.body.clone(), 1, &first.uri));
    }
    device.input(Input::NoReply { reason: "reset".into() });
    assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::NoReply, .. }));
}

#[test]
fn after_an_answer_all_tries_are_open_again() {
    let (mut device, mut server) = begun();
    device.input(Input::NoReply { reason: "reset".into() });
    device.post();
    device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    device.input(Input::NoReply { reason: "reset".into() });
    assert_eq!(device.post().wait, Duration::from_secs(2));
}

#[test]
fn the_server_ends_the_session_at_once() {
    let (mut device, mut server) = begun();
    device.reply(server.message(vec![server_alert("1", 1223, &[]), replace("2", "./box/one/Setting", "x")]));
    assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::Server, .. }));
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("first".into())));
}

#[test]
fn the_host_ends_the_session_with_what_was_done() {
    let (mut device, mut server) = begun();
    device.input(Input::Abort { reason: "shutdown".into() });
    let said = device
        .exchange(&mut server, vec![replace("1", "./box/one/Setting", "x"), get("2", "./box/one/Count")]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 215), ("2", 215)]));
    assert_eq!(said.alert_codes(), ["1223"]);
    assert!(said.message.is_final);
    device.reply(server.message(vec![replace("1", "./box/one/Setting", "x")]));
    let Outcome::Aborted { cause, reason } = device.outcome() else { panic!("it ended") };
    assert_eq!((cause, reason.as_str()), (Cause::Host, "shutdown"));
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("first".into())));
}

#[test]
fn an_abort_during_a_command_lets_that_one_finish() {
    let (mut device, mut server) = begun();
    device.reply(
        server.message(vec![replace("1", "./box/one/Setting", "x"), replace("2", "./box/one/Count", "2")]),
    );
    device.input(Input::Abort { reason: "shutdown".into() });
    let said = server.hear(device.post());
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 200), ("2", 215)]));
    assert_eq!(said.alert_codes(), ["1223"]);
    device.input(Input::NoReply { reason: "gone".into() });
    assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::Host, .. }));
}

#[test]
fn an_older_version_is_tried_when_the_server_does_not_speak_the_first() {
    let versions = vec![Version::Dm13, Version::Dm12, Version::Dm11];
    for code in [505, 513] {
        let (mut device, mut server) = begun_with(config(), Start { versions: versions.clone(), ..start() });
        server.header_code = code;
        device.reply(server.message(Vec::new()));
        let again = Said::of(device.post());
        let header = &again.message.header;
        assert_eq!((header.ver_dtd.as_ref(), header.ver_proto.as_ref()), ("1.2", "DM/1.2"));
        assert_eq!((header.session_id.as_ref(), header.message_id.as_ref()), ("2B", "1"));
        assert_eq!(again.alert_codes(), ["1201"]);
        assert!(device.notes.contains(&Note::FallsBack { to: Version::Dm12 }));
        let mut server = Server { session_id: "2B".into(), ..Server::default() };
        server.hear(again.post);
        device.reply(server.message(Vec::new()));
        assert_eq!(device.outcome(), Outcome::Ended { commands: 0, version: Version::Dm12 });
    }
}

#[test]
fn http_errors_before_the_first_good_answer_are_taken_for_the_version() {
    let versions = vec![Version::Dm12, Version::Dm11];
    for status in [400, 415] {
        let start =
            Start { versions: versions.clone(), trigger: Trigger::Server { session_id: 7 }, ..start() };
        let mut device = Device::start(config(), start);
        device.post();
        device.reply(HttpReply { status, ..HttpReply::default() });
        let again = Said::of(device.post());
        assert_eq!(again.message.header.ver_proto, "DM/1.1");
        assert_eq!(again.message.header.session_id, "7");
        device.reply(HttpReply { status, ..HttpReply::default() });
        let Outcome::Aborted { cause, .. } = device.outcome() else { panic!("it ended") };
        assert_eq!(cause, Cause::Http(status));
    }
    let (mut device, mut server) = begun_with(config(), Start { versions, ..start() });
    device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    device.reply(HttpReply { status: 400, ..HttpReply::default() });
    assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::Http(400), .. }));
}

#[test]
fn a_header_that_is_refused_ends_the_session() {
    for code in [404, 500, 503, 511] {
        let (mut device, mut server) = begun();
        server.header_code = code;
        device.reply(server.message(vec![replace("1", "./box/one/Setting", "x")]));
        let Outcome::Aborted { cause, .. } = device.outcome() else { panic!("it ended") };
        assert_eq!(cause, Cause::Status(code));
        assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("first".into())));
    }
}

#[test]
fn the_session_goes_on_where_the_server_wants_it() {
    let (mut device, mut server) = begun();
    server.resp_uri = Some("https://other.example/dm?sid=7".into());
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    assert_eq!(said.post.uri, "https://other.example/dm?sid=7");
    server.resp_uri = None;
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    assert_eq!(said.post.uri, "https://other.example/dm?sid=7");
}

#[test]
fn the_session_does_not_go_on_without_tls() {
    for allowed in [false, true] {
        let (mut device, mut server) = begun_with(Config { allow_plain_http: allowed, ..config() }, start());
        server.resp_uri = Some("http://dm.example/dm".into());
        device.reply(server.message(vec![get("1", "./box/one/Setting")]));
        assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::Message, .. }));
    }
    let plain = Start {
        account: omadm_session::dm1::client::Account { uri: "http://dm.example/dm".into(), ..account() },
        ..start()
    };
    let mut device = Device::start(config(), plain.clone());
    assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::Device, .. }));
    let mut device = Device::start(Config { allow_plain_http: true, ..config() }, plain);
    device.post();
}

#[test]
fn a_server_that_never_ends_is_left() {
    let (mut device, mut server) = begun_with(Config { max_rounds: 3, ..config() }, start());
    for _ in 0..3 {
        device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    }
    device.reply(server.message(vec![get("1", "./box/one/Setting")]));
    assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::Limit, .. }));
}

#[test]
fn inputs_that_do_not_fit_are_ignored() {
    let mut device = Device::usual();
    device.input(Input::EffectDone { id: 99, result: omadm_session::dm1::client::EffectResult::Done });
    device.reply(HttpReply::default());
    device.input(Input::NoReply { reason: "nothing was sent".into() });
    device.post();
    assert_eq!(device.notes.iter().filter(|note| matches!(note, Note::Ignored { .. })).count(), 3);
}

#[test]
fn alerts_that_come_up_meanwhile_go_with_the_next_message() {
    let (mut device, mut server) = begun();
    device.input(Input::Alert(alert(3, "urn:x-test:at:event:1.0", "now")));
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    assert_eq!(said.alert_codes(), ["1226"]);
    // With nothing else to say, too.
    device.input(Input::Alert(alert(4, "urn:x-test:at:event:1.0", "later")));
    let said = device.exchange(&mut server, Vec::new());
    assert_eq!(said.alert_codes(), ["1226"]);
    assert!(said.message.commands.iter().all(|command| !matches!(command, Command::Results(_))));
    device.reply(server.message(Vec::new()));
    device.outcome();
    assert_eq!(device.delivered, [(3, 200), (4, 200)]);
}
