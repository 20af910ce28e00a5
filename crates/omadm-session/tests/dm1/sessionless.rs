//! Commands without a session: the message of the server engine, carried out by the client engine.

use omadm_auth::Secret;
use omadm_auth::dm1::{Keys, NonceHistory, Scheme};
use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};
use omadm_mo::{Format, Value};
use omadm_session::dm1::client::check::check_sessionless;
use omadm_session::dm1::client::{Account, Config, EffectResult, Note, Outcome, Sessionless, Unfit};
use omadm_session::dm1::server::{self, Content, Existence, Listing, RawItem, Task, sessionless};

use crate::support::{self, DEVICE, Device, Next, SERVER, URI, credentials, tree};

const NONCE: &[u8] = b"a nonce of the device";
const SECRET: &str = "the server's own";

fn account() -> Account {
    let mut server = credentials("srv", SECRET, Scheme::Sha256);
    server.nonce = NONCE.to_vec();
    Account { server_credentials: Some(server), server_must_prove: true, ..support::account() }
}

fn config() -> Config {
    Config { schemes: vec![Scheme::Sha256, Scheme::MacSha256], ..support::config() }
}

/// What the server knows of the device.
fn known() -> server::Account {
    server::Account {
        device_id: DEVICE.into(),
        user: "dev-1".into(),
        client_keys: None,
        client_nonce: Vec::new(),
        used_nonces: NonceHistory::default(),
        client_scheme: None,
        server_user: "srv".into(),
        server_keys: Some(Keys::of("srv", &Secret::new(SECRET.into()))),
        server_nonce: NONCE.to_vec(),
        server_scheme: None,
        default_nonce: false,
        transport_authenticated: false,
        resp_uri: None,
        capabilities: server::Capabilities::default(),
    }
}

fn made(task: &Task) -> server::Sessionless {
    sessionless(&server::Config::new(Secret::new(vec![1])), &known(), URI, 7, task).unwrap()
}

fn set(uri: &str, value: &str) -> Task {
    let content = Content { format: Format::Chr, media_type: None, value: Value::Text(value.into()) };
    Task::Set { uri: uri.into(), content, existence: Existence::Present }
}

fn delete(uri: &str) -> Task {
    Task::Delete { uri: uri.into() }
}

/// A device that carries a message out; `commits` is how its commits end.
fn carried_out(message: Sessionless<'_>, commits: Vec<EffectResult>) -> Device {
    let mut tree = tree();
    let fresh = support::fresh(1);
    let session = message.carry_out(config(), account(), &mut tree, fresh);
    let mut device = Device::holding(session, tree);
    device.commits = commits.into();
    device
}

/// The device after a task, with the statuses that it would have given.
fn done(task: &Task) -> (Device, Vec<u16>) {
    let server::Sessionless { hmac, body } = made(task);
    let mut message = Sessionless::read(&config(), SYNCML_DM_WBXML, &body).unwrap();
    assert_eq!(message.number(), 7);
    assert!(message.names(&account()) && message.is_proved(&config(), &account(), &hmac));
    let mut device = carried_out(message, vec![]);
    let outcome = device.outcome();
    assert!(matches!(outcome, Outcome::Ended { .. }), "{outcome:?}");
    let statuses = statuses(&device);
    (device, statuses)
}

fn statuses(device: &Device) -> Vec<u16> {
    let status = |note: &Note| match note {
        Note::Answered { status, .. } => Some(*status),
        _ => None,
    };
    device.notes.iter().filter_map(status).collect()
}

fn text(device: &Device, path: &str) -> Option<String> {
    device.value(path).map(|value| value.to_text())
}

#[test]
fn each_kind_of_command_is_carried_out_and_nobody_is_answered() {
    let (device, statuses) = done(&set("./box/one/Setting", "second"));
    assert_eq!((text(&device, "./box/one/Setting").as_deref(), statuses), (Some("second"), vec![200]));
    assert_eq!((device.committed, device.nonces.len()), (1, 0));
    let (device, statuses) =
        done(&Task::Exec { uri: "./box/one/Run".into(), content: None, correlator: Some("c".into()) });
    assert_eq!((device.executed[0].correlator.as_deref(), statuses), (Some("c"), vec![200]));
    let copy = Task::Copy { source: "./box/one/Setting".into(), target: "./box/one/Items/1/Value".into() };
    let (device, statuses) = done(&copy);
    assert_eq!((text(&device, "./box/one/Items/1/Value").as_deref(), statuses), (Some("first"), vec![200]));
    let both = || vec![set("./box/one/Setting", "second"), delete("./box/one/Items/1")];
    let (device, statuses) = done(&Task::Atomic(both()));
    assert_eq!((text(&device, "./box/one/Items/1/ID"), statuses), (None, vec![200, 200, 200]));
    assert_eq!(device.committed, 1, "all at once");
    let (device, statuses) = done(&Task::Sequence(both()));
    assert_eq!((text(&device, "./box/one/Items/1/ID"), statuses), (None, vec![200, 200, 200]));
    assert_eq!(device.committed, 2);
}

#[test]
fn what_the_server_may_not_or_the_device_cannot_keep_is_not_done() {
    let (device, statuses) = done(&set("./DevInfo/Man", "stolen"));
    assert_eq!((text(&device, "./DevInfo/Man").as_deref(), statuses), (Some("Acme"), vec![425]));
    let (device, statuses) =
        done(&Task::Atomic(vec![set("./box/one/Setting", "second"), set("./DevInfo/Man", "x")]));
    assert_eq!((text(&device, "./box/one/Setting").as_deref(), device.committed), (Some("first"), 0));
    assert_eq!(statuses, [507, 216, 425]);
    let server::Sessionless { body, .. } = made(&set("./box/one/Setting", "second"));
    let message = Sessionless::read(&config(), SYNCML_DM_WBXML, &body).unwrap();
    let full = EffectResult::Refused { status: 420, reason: "full".into() };
    let mut device = carried_out(message, vec![full]);
    assert!(matches!(device.next(), Next::Finished(Outcome::Ended { .. })));
    assert_eq!(text(&device, "./box/one/Setting").as_deref(), Some("first"), "undone");
}

#[test]
fn only_a_mac_of_the_account_proves_a_message() {
    let server::Sessionless { hmac, body } = made(&delete("./box/one"));
    let proved = |account: &Account, config: &Config, hmac: &str, body: &[u8]| {
        let message = Sessionless::read(config, SYNCML_DM_WBXML, body);
        message.is_ok_and(|mut message| message.is_proved(config, account, hmac))
    };
    assert!(proved(&account(), &config(), &hmac, &body));
    let with = |change: &dyn Fn(&mut Account)| {
        let mut account = account();
        change(&mut account);
        account
    };
    let other = |user: &str, password: &str, nonce: &[u8]| {
        let mut server = credentials(user, password, Scheme::Sha256);
        server.nonce = nonce.to_vec();
        with(&|account| account.server_credentials = Some(server.clone()))
    };
    let nobody = with(&|account| account.server_credentials = None);
    let by_tls = with(&|account| {
        account.server_credentials = None;
        account.server_must_prove = false;
    });
    for account in [
        other("other", SECRET, NONCE),
        other("srv", "guessed", NONCE),
        other("srv", SECRET, b"old"),
        other("srv", SECRET, b""),
        nobody,
        by_tls,
    ] {
        assert!(!proved(&account, &config(), &hmac, &body), "{account:?}");
    }
    let digests = Config { schemes: vec![Scheme::Sha256, Scheme::Md5, Scheme::MacMd5], ..config() };
    assert!(!proved(&account(), &digests, &hmac, &body), "a scheme that is not allowed");
    for broken in ["", "mac=", "algorithm=SHA256, username=\"srv\", mac=AAAA"] {
        assert!(!proved(&account(), &config(), broken, &body), "{broken}");
    }
    for at in 0..body.len() {
        let mut changed = body.clone();
        changed[at] ^= 1;
        assert!(!proved(&account(), &config(), &hmac, &changed), "octet {at}");
    }
}

#[test]
fn a_weak_mac_is_made_and_taken_only_where_it_is_named() {
    let weak = server::Account { server_scheme: Some(Scheme::Md5), ..known() };
    let strong = server::Config::new(Secret::new(vec![1]));
    let task = delete("./box/one");
    let hmac = |config: &server::Config| sessionless(config, &weak, URI, 1, &task).map(|made| made.hmac);
    assert!(hmac(&strong).unwrap().contains("SHA256"), "what the device wants is not allowed");
    let both = server::Config { schemes: vec![Scheme::MacSha256, Scheme::MacMd5], ..strong.clone() };
    assert!(hmac(&both).unwrap().contains("MD5"));
    let none = server::Config { schemes: vec![Scheme::Sha256], ..strong };
    assert!(hmac(&none).unwrap_err().contains("dm1.schemes"));
    let made = sessionless(&both, &weak, URI, 1, &task).unwrap();
    let named = Config { schemes: vec![Scheme::MacMd5], ..config() };
    for (config, expected) in [(named, true), (config(), false)] {
        let mut message = Sessionless::read(&config, SYNCML_DM_WBXML, &made.body).unwrap();
        assert_eq!(message.is_proved(&config, &account(), &made.hmac), expected);
    }
}

#[test]
fn what_wants_an_answer_is_not_made() {
    let refused = |task: &Task| {
        sessionless(&server::Config::new(Secret::new(vec![1])), &known(), URI, 1, task).unwrap_err()
    };
    let get = Task::Get { uris: vec!["./A".into()] };
    let raw = Task::Raw {
        kind: omadm_codec::dm1::OperationKind::Get,
        items: vec![RawItem { target: Some("./A".into()), source: None, content: None }],
    };
    let list = Task::List { uri: "./A".into(), how: Listing::Tnds };
    for task in [get.clone(), raw, list, Task::Sequence(vec![delete("./A"), get])] {
        assert!(refused(&task).contains("wants an answer"), "{task:?}");
    }
    let nobody = server::Account { server_keys: None, ..known() };
    let config = server::Config::new(Secret::new(vec![1]));
    assert!(sessionless(&config, &nobody, URI, 1, &delete("./A")).unwrap_err().contains("no secret"));
}

fn xml(header: &str, commands: &str) -> String {
    format!(
        "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.3</VerProto>{header}<Target><LocURI>{DEVICE}</LocURI>\
         </Target><Source><LocURI>x</LocURI><LocName>{SERVER}</LocName></Source></SyncHdr><SyncBody>{commands}<Final/></SyncBody></SyncML>"
    )
}

#[test]
fn the_header_says_that_it_belongs_to_no_session() {
    let delete = "<Delete><CmdID>1</CmdID><Item><Target><LocURI>./box/one</LocURI></Target></Item></Delete>";
    let read = |message: &str| {
        Sessionless::read(&config(), SYNCML_DM_XML, message.as_bytes()).map(|message| message.number())
    };
    let numbered = |number: &str| xml(&format!("<SessionID>0</SessionID><MsgID>{number}</MsgID>"), delete);
    assert_eq!(read(&numbered("1")), Ok(1));
    assert_eq!(read(&numbered(&u64::MAX.to_string())), Ok(u64::MAX));
    for number in ["0", "-1", "x", "", "18446744073709551616"] {
        assert_eq!(read(&numbered(number)), Err(Unfit::Header("MsgID")), "{number}");
    }
    let good = numbered("1");
    for (from, to, field) in [
        ("DM/1.3", "DM/1.2", "VerProto"),
        ("<SessionID>0<", "<SessionID>00<", "SessionID"),
        (DEVICE, "IMEI:1", "Target"),
    ] {
        assert_eq!(read(&good.replace(from, to)), Err(Unfit::Header(field)));
    }
    assert_eq!(read(&good.replace("<Final/>", "")), Err(Unfit::Incomplete));
    assert_eq!(read(&good.replace(delete, "")), Err(Unfit::Incomplete));
    assert!(matches!(read("<SyncML>"), Err(Unfit::Unreadable(_))));
    let by_name = Sessionless::read(&config(), SYNCML_DM_XML, good.as_bytes()).unwrap();
    assert!(by_name.names(&account()), "by its identifier");
    let other = good.replace(SERVER, "other");
    assert!(!Sessionless::read(&config(), SYNCML_DM_XML, other.as_bytes()).unwrap().names(&account()));
}

/// The property that the fuzz target `dm1_sessionless` checks, over its corpus.
#[test]
fn corpus() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/dm1_sessionless");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 4, "an empty folder proves nothing");
    for file in files {
        let seed = std::fs::read(&file).unwrap();
        check_sessionless(&mut tree(), &seed);
        for at in 0..seed.len() {
            let mut changed = seed.clone();
            changed[at] ^= 0x11;
            check_sessionless(&mut tree(), &changed);
            check_sessionless(&mut tree(), &seed[..at]);
        }
    }
}
