//! Both engines against each other.

use omadm_auth::dm1::{NonceHistory, Scheme};
use omadm_codec::dm1::Version;
use omadm_mo::{Format, Value};
use omadm_session::Body;
use omadm_session::dm1::client::{self, Cause, HttpReply, Input, Outcome as Ended, Post, Start, UserAnswer};
use omadm_session::dm1::server::{
    Answer, Content, Data, Existence, Listing, NodeContent, Outcome, Question, QuestionKind, RequestHead,
    Task, Verdict,
};
use proptest::prelude::*;

use super::device::{Host, delete, exec, get, keys, nodes, set};
use super::support::{self, Device, Next};

/// What happens to a message on its way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    RequestLost,
    AnswerLost,
    Doubled,
    /// The answer is cut, which ends the session.
    AnswerCut(u16),
}

fn host(tasks: Vec<Task>) -> Host {
    let mut host = Host::new(tasks);
    host.account.as_mut().unwrap().device_id = support::DEVICE.into();
    host
}

fn serve(host: &mut Host, post: &Post) -> HttpReply {
    let head = RequestHead {
        method: "POST",
        content_type: Some(post.content_type),
        accept: Some(post.accept),
        hmac: post.hmac.as_deref(),
        ..RequestHead::default()
    };
    let reply = match host.serve(&head, &post.body).unwrap() {
        Outcome::Taken(step) => step.reply,
        Outcome::TurnedAway(away) => away.reply,
    };
    HttpReply {
        status: 200,
        content_type: Some(reply.content_type.into()),
        hmac: reply.hmac,
        body: Body::from(reply.body),
    }
}

/// Runs a session to its end.
fn run(host: &mut Host, device: &mut Device, fates: &mut dyn Iterator<Item = Fate>) -> Ended {
    for _ in 0..5000 {
        let post = match device.next() {
            Next::Post(post) => post,
            Next::Finished(outcome) => return outcome,
        };
        let lost = || Input::NoReply { reason: "lost".into() };
        let input = match fates.next().unwrap_or(Fate::Arrives) {
            Fate::Arrives => Input::Reply(serve(host, &post)),
            Fate::RequestLost => lost(),
            Fate::AnswerLost => {
                serve(host, &post);
                lost()
            }
            Fate::Doubled => {
                let first = serve(host, &post);
                let again = serve(host, &post);
                assert_eq!(first, again);
                Input::Reply(first)
            }
            Fate::AnswerCut(at) => {
                let reply = serve(host, &post);
                let cut = reply.body[..usize::from(at) % reply.body.len()].to_vec();
                Input::Reply(HttpReply { body: Body::from(cut), ..reply })
            }
        };
        device.input(input);
    }
    panic!("the session does not end");
}

fn smoothly(host: &mut Host, device: &mut Device) {
    let ended = run(host, device, &mut std::iter::empty());
    assert!(matches!(ended, Ended::Ended { .. }), "{ended:?}: {:?}", device.notes);
}

fn content(format: Format, value: Value) -> Content {
    Content { format, media_type: None, value }
}

fn put(uri: &str, format: Format, value: Value, existence: Existence) -> Task {
    Task::Set { uri: uri.into(), content: content(format, value), existence }
}

fn blob() -> Vec<u8> {
    (0..9000_u32).flat_map(u32::to_be_bytes).collect()
}

/// A bit of everything.
fn everything() -> Vec<Task> {
    let ask =
        |kind| Task::Ask(Question { kind, text: "Go on?".into(), min_display: None, max_display: None });
    vec![
        Task::Get { uris: vec!["./box/one/Setting".into(), "./box/one/Items".into()] },
        put("./box/one/Count", Format::Int, Value::Int(7), Existence::Present),
        put("./box/one/Blob", Format::Bin, Value::Bytes(blob()), Existence::Present),
        get("./box/one/Blob"),
        Task::List { uri: "./box/one".into(), how: Listing::StructData },
        Task::List { uri: "./box/one".into(), how: Listing::Walk },
        exec("./box/one/Run", Some("c-1")),
        Task::Atomic(vec![set("./box/one/Setting", "second"), set("./box/one/None", "x")]),
        Task::Sequence(vec![set("./box/one/Setting", "third"), get("./box/one/Setting")]),
        ask(QuestionKind::Confirm { default: None }),
        get("./box/one/Nowhere"),
        delete("./box/one/Items/1"),
    ]
}

#[test]
fn everything_comes_out_the_same_in_each_encoding_version_and_size() {
    for (wbxml, version) in [
        (false, Version::Dm11),
        (true, Version::Dm11),
        (false, Version::Dm12),
        (true, Version::Dm12),
        (false, Version::Dm13),
        (true, Version::Dm13),
    ] {
        for most in [1500, 4096, 1 << 20] {
            let mut host = host(everything());
            host.config.max_message = 2048;
            let config = client::Config { wbxml, max_message: most, ..support::config() };
            let start = Start { versions: vec![version], ..support::start() };
            let mut device = Device::start(config, start);
            device.user.push_back(UserAnswer::Accepted);
            smoothly(&mut host, &mut device);
            let case = format!("{version:?} wbxml: {wbxml} {most}");
            let verdicts: Vec<_> = (1..=12).map(|seq| host.verdict(seq).clone()).collect();
            let mut expected = vec![Verdict::Done(200); 12];
            (expected[7], expected[10]) = (Verdict::Failed(507), Verdict::Failed(404));
            assert_eq!(verdicts, expected, "{case} {:?}", host.results);
            assert_eq!(nodes(host.result(1))["./box/one/Setting"], "first");
            assert_eq!(nodes(host.result(1))["./box/one/Items"], "1");
            let Some(Data::Nodes(read)) = &host.result(4).data else { panic!() };
            assert_eq!(read[0].content, NodeContent::Value(Value::Bytes(blob())), "{case}");
            assert_eq!(nodes(host.result(5))["./box/one/Count"], "7");
            assert_eq!(nodes(host.result(6))["./box/one/Items/1/Value"], "a");
            let keys = |seq| nodes(host.result(seq)).into_keys().collect::<Vec<_>>();
            assert_eq!(keys(5), keys(6), "lists and walks find the same nodes");
            assert_eq!(host.result(8).data, Some(Data::Parts(vec![216, 404])));
            assert_eq!(host.result(10).data, Some(Data::Answer(Answer::Yes)));
            assert_eq!(nodes(host.result(9))["./box/one/Setting"], "third");
            assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("third".into())));
            assert_eq!(device.value("./box/one/Items/1/Value"), None);
            assert_eq!((device.executed.len(), host.queue.len()), (1, 0));
        }
    }
}

#[test]
fn a_subtree_comes_as_a_document() {
    for wbxml in [false, true] {
        let mut host = host(vec![Task::List { uri: "./box/one".into(), how: Listing::Tnds }]);
        let config = client::Config { wbxml, ..support::config() };
        let mut device = Device::start(config, support::start());
        smoothly(&mut host, &mut device);
        assert_eq!(host.account.as_ref().unwrap().capabilities.tnds, Some(true));
        let read = nodes(host.result(1));
        assert_eq!((read["./box/one/Count"].as_str(), read["./box/one/Items/1/ID"].as_str()), ("1", "one"));
        assert!(!read.contains_key("./box/one/Secret"));
    }
}

/// The account of the device, with the nonces that it kept.
fn account(
    device: Option<&Device>,
    client: Scheme,
    server: Scheme,
    preferred: Option<Scheme>,
) -> client::Account {
    let mut account = support::account();
    account.client = Some(support::credentials("dev-1", "s3cret", client));
    account.server_credentials = Some(support::credentials("srv", "own", server));
    account.server_must_prove = true;
    account.preferred = preferred;
    for (theirs, ours) in device.into_iter().flat_map(|device| &device.nonces) {
        let places = [(&mut account.client, theirs), (&mut account.server_credentials, ours)];
        for (place, nonce) in places {
            if let (Some(place), Some(nonce)) = (place, nonce) {
                place.nonce.clone_from(nonce);
            }
        }
    }
    account
}

#[test]
fn each_side_proves_itself_in_each_way() {
    let digests = [Scheme::Sha256, Scheme::Md5, Scheme::MacSha256, Scheme::MacMd5];
    for client_scheme in digests.into_iter().chain([Scheme::Basic]) {
        for server_scheme in digests {
            for preferred in [Some(client_scheme), None] {
                let mut host = host(vec![]);
                let known = host.account.as_mut().unwrap();
                known.transport_authenticated = false;
                known.client_scheme = Some(client_scheme);
                known.server_keys = Some(keys("srv", "own"));
                known.server_scheme = Some(server_scheme);
                known.used_nonces = NonceHistory::default();
                let mut before: Option<Device> = None;
                for session in 1..4_u16 {
                    let seq = i64::from(session);
                    host.queue.push(super::device::pending(seq, get("./box/one/Setting")));
                    let account = account(before.as_ref(), client_scheme, server_scheme, preferred);
                    let trigger = client::Trigger::Server { session_id: session };
                    let mut device =
                        Device::start(support::config(), Start { account, trigger, ..support::start() });
                    smoothly(&mut host, &mut device);
                    let case = format!("{client_scheme:?} {server_scheme:?} {preferred:?} {session}");
                    assert_eq!(host.verdict(seq), &Verdict::Done(200), "{case}");
                    if let Some(before) = &mut before {
                        before.nonces.append(&mut device.nonces);
                    } else {
                        before = Some(device);
                    }
                }
            }
        }
    }
}

#[test]
fn neither_side_is_fooled() {
    for (client_password, server_password, cause) in
        [("wrong", "own", Cause::ClientCredentials), ("s3cret", "wrong", Cause::ServerCredentials)]
    {
        for scheme in [Scheme::Sha256, Scheme::Md5, Scheme::MacSha256, Scheme::MacMd5] {
            let mut host = host(vec![set("./box/one/Setting", "stolen")]);
            let known = host.account.as_mut().unwrap();
            known.transport_authenticated = false;
            known.client_keys = Some(keys("dev-1", client_password));
            known.client_scheme = Some(scheme);
            known.server_keys = Some(keys("srv", server_password));
            known.server_scheme = Some(scheme);
            let account = account(None, scheme, scheme, Some(scheme));
            let mut device = Device::start(support::config(), Start { account, ..support::start() });
            let ended = run(&mut host, &mut device, &mut std::iter::empty());
            assert!(
                matches!(ended, Ended::Aborted { cause: found, .. } if found == cause),
                "{scheme:?} {ended:?}"
            );
            assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("first".into())));
        }
    }
}

#[test]
fn an_older_version_is_found_together() {
    for (spoken, expected) in [(Version::Dm12, Version::Dm12), (Version::Dm11, Version::Dm11)] {
        let mut host = host(vec![get("./box/one/Setting")]);
        host.config.versions = vec![spoken];
        let versions = vec![Version::Dm13, Version::Dm12, Version::Dm11];
        let mut device = Device::start(support::config(), Start { versions, ..support::start() });
        let ended = run(&mut host, &mut device, &mut std::iter::empty());
        assert!(matches!(ended, Ended::Ended { version, .. } if version == expected), "{ended:?}");
        assert_eq!(host.verdict(1), &Verdict::Done(200));
    }
}

#[test]
fn either_side_may_give_up() {
    let mut host = self::host(vec![set("./box/one/Setting", "x")]);
    let mut device = Device::usual();
    device.input(Input::Abort { reason: "the battery is low".into() });
    let ended = run(&mut host, &mut device, &mut std::iter::empty());
    assert!(matches!(ended, Ended::Aborted { cause: Cause::Host, .. }), "{ended:?}");
    let mut host = self::host(vec![]);
    host.config.max_session = 10;
    let ended = run(&mut host, &mut Device::usual(), &mut std::iter::empty());
    assert!(matches!(ended, Ended::Aborted { cause: Cause::Server, .. }), "{ended:?}");
}

#[test]
fn alerts_and_ends_of_executions_arrive_once() {
    let mut host = host(vec![exec("./box/one/Run", Some("c-1"))]);
    let mut device = Device::usual();
    device.executions.push_back(client::EffectResult::Accepted);
    smoothly(&mut host, &mut device);
    assert_eq!(host.verdict(1), &Verdict::Accepted);
    let mut end = support::alert(7, "org.example.done", "ResultCode=200");
    end.correlator = Some("c-1".into());
    let trigger = client::Trigger::Client { session_id: 43 };
    let start = Start { alerts: vec![end], trigger, ..support::start() };
    let mut device = Device::start(support::config(), start);
    smoothly(&mut host, &mut device);
    assert_eq!((host.verdict(1), device.delivered), (&Verdict::Done(200), vec![(7, 200)]));
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Arrives),
        2 => Just(Fate::RequestLost),
        2 => Just(Fate::AnswerLost),
        2 => Just(Fate::Doubled),
        1 => any::<u16>().prop_map(Fate::AnswerCut),
    ]
}

fn task(kind: u8, number: usize) -> Task {
    match kind % 6 {
        0 => get("./box/one/Setting"),
        1 => set("./box/one/Setting", &format!("value {number}")),
        2 => put(
            "./box/one/Blob",
            Format::Bin,
            Value::Bytes(vec![kind; usize::from(kind) * 30]),
            Existence::Present,
        ),
        3 => Task::Atomic(vec![set("./box/one/Setting", &format!("value {number}"))]),
        4 => Task::List { uri: "./box/one".into(), how: Listing::Tnds },
        _ => put(
            "./box/one/Count",
            Format::Int,
            Value::Int(i64::try_from(number).unwrap()),
            Existence::Unknown,
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happens to messages: every command comes out, and the tree of the device is what the commands make of it in their order.
    #[test]
    fn whatever_is_lost_the_tree_ends_as_it_should(
        kinds in prop::collection::vec(any::<u8>(), 1..8),
        fates in prop::collection::vec(fate(), 0..40),
        wbxml in any::<bool>(),
        signed in any::<bool>(),
        most in prop_oneof![Just(1500_u32), Just(4000), Just(1 << 20)],
    ) {
        let tasks: Vec<Task> = kinds.iter().zip(1..).map(|(kind, number)| task(*kind, number)).collect();
        let expected = |wanted: &[u8], first: &str| {
            let last = kinds.iter().rposition(|kind| wanted.contains(&(kind % 6)));
            last.map_or(first.to_owned(), |place| (place + 1).to_string())
        };
        let (setting, count) = (expected(&[1, 3], "first"), expected(&[5], "1"));
        let mut host = host(tasks);
        host.config.max_attempts = 1000;
        host.config.max_message = 3000;
        if signed {
            host.account.as_mut().unwrap().transport_authenticated = false;
        }
        let mut fates = fates.into_iter();
        let mut tree = support::tree();
        let mut nonces = Vec::new();
        for session in 1..100_u16 {
            let config = client::Config { wbxml, max_message: most, ..support::config() };
            let mut kept = Device::usual();
            kept.nonces.clone_from(&nonces);
            let account = if signed {
                let mut account = account(Some(&kept), Scheme::MacSha256, Scheme::MacSha256, Some(Scheme::MacSha256));
                account.server_credentials = None;
                account.server_must_prove = false;
                account
            } else {
                support::account()
            };
            let trigger = client::Trigger::Client { session_id: session };
            let start = Start { account, trigger, ..support::start() };
            let mut device = Device::start_with(config, start, tree);
            run(&mut host, &mut device, &mut fates);
            nonces.append(&mut device.nonces);
            tree = device.tree;
            host.now += 1_000_000_000;
            if host.queue.is_empty() {
                break;
            }
        }
        prop_assert!(host.queue.is_empty(), "{:?}", host.results);
        let mut device = Device::start_with(support::config(), support::start(), tree);
        let _ = device.next();
        let text = |path: &str| device.value(path).unwrap().to_text();
        prop_assert_eq!(text("./box/one/Setting").replace("value ", ""), setting);
        prop_assert_eq!(text("./box/one/Count"), count);
        for seq in 1..=i64::try_from(kinds.len()).unwrap() {
            let finals = host.results.iter().filter(|result| result.seq == seq && !matches!(result.verdict, Verdict::Again(_)));
            let finals: Vec<_> = finals.map(|result| &result.verdict).collect();
            prop_assert_eq!(finals, vec![&Verdict::Done(200)]);
        }
    }
}
