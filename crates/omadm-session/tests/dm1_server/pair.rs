//! Both engines against each other, where nothing gets lost (`dm1_pair` has what does).

use omadm_auth::dm1::{NonceHistory, Scheme};
use omadm_codec::dm1::Version;
use omadm_mo::{Format, Value};
use omadm_session::Body;
use omadm_session::dm1::client::{self, Cause, HttpReply, Input, Outcome as Ended, Post, Start, UserAnswer};
use omadm_session::dm1::server::{
    Answer, Content, Data, Existence, Listing, NodeContent, Outcome, Question, QuestionKind, RequestHead,
    Task, Verdict,
};

use super::device::{Host, delete, exec, get, keys, nodes, set};
use super::support::{self, Device, Next};

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
fn run(host: &mut Host, device: &mut Device) -> Ended {
    for _ in 0..5000 {
        match device.next() {
            Next::Post(post) => {
                let reply = serve(host, &post);
                device.reply(reply);
            }
            Next::Finished(outcome) => return outcome,
        }
    }
    panic!("the session does not end");
}

fn smoothly(host: &mut Host, device: &mut Device) {
    let ended = run(host, device);
    assert!(matches!(ended, Ended::Ended { .. }), "{ended:?}: {:?}", device.notes);
}

fn content(format: Format, value: Value) -> Content {
    Content { format, media_type: None, value }
}

fn put(uri: &str, format: Format, value: Value, existence: Existence) -> Task {
    Task::Set { uri: uri.into(), content: content(format, value), existence }
}

fn blob() -> Vec<u8> {
    (0..3000_u32).flat_map(u32::to_be_bytes).collect()
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
            let ended = run(&mut host, &mut device);
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
        let ended = run(&mut host, &mut device);
        assert!(matches!(ended, Ended::Ended { version, .. } if version == expected), "{ended:?}");
        assert_eq!(host.verdict(1), &Verdict::Done(200));
    }
}

#[test]
fn either_side_may_give_up() {
    let mut host = self::host(vec![set("./box/one/Setting", "x")]);
    let mut device = Device::usual();
    device.input(Input::Abort { reason: "the battery is low".into() });
    let ended = run(&mut host, &mut device);
    assert!(matches!(ended, Ended::Aborted { cause: Cause::Host, .. }), "{ended:?}");
    let mut host = self::host(vec![]);
    host.config.max_session = 10;
    let ended = run(&mut host, &mut Device::usual());
    assert!(matches!(ended, Ended::Aborted { cause: Cause::Server, .. }), "{ended:?}");
}
