//! Who proves what to whom.

use omadm_auth::dm1::{HmacHeader, Keys, Scheme, basic};
use omadm_codec::dm1::{Credentials as Cred, Meta};
use omadm_mo::Value;
use omadm_session::dm1::client::{Account, Cause, Config, HttpReply, Note, Outcome, Start};

use super::support::*;

const NONCE: &[u8] = b"a nonce, sixteen";

fn challenge(scheme: Scheme, nonce: &[u8]) -> Meta<'static> {
    Meta {
        format: Some("b64".into()),
        media_type: Some(scheme.type_name().into()),
        next_nonce: Some(nonce.to_vec().into()),
        ..Meta::default()
    }
}

fn keys(user: &str, password: &str) -> Keys {
    Keys::of(user, &omadm_auth::Secret::new(password.as_bytes().to_vec()))
}

fn device_keys() -> Keys {
    keys("dev-1", "s3cret")
}

/// The device has credentials; the server is known by TLS.
fn one_way(preferred: Option<Scheme>) -> Start {
    let client = credentials("dev-1", "s3cret", Scheme::Md5);
    Start { account: Account { client: Some(client), preferred, ..account() }, ..start() }
}

/// The server has to prove itself by this scheme.
fn other_way(scheme: Scheme) -> Start {
    let server = credentials("server", "other", scheme);
    let account = Account { server_credentials: Some(server), server_must_prove: true, ..account() };
    Start { account, ..start() }
}

fn server_keys() -> Keys {
    keys("server", "other")
}

fn server_cred(scheme: Scheme, nonce: &[u8]) -> Option<Cred<'static>> {
    let meta =
        Meta { format: Some("b64".into()), media_type: Some(scheme.type_name().into()), ..Meta::default() };
    let data = match scheme.hash() {
        Some(hash) => server_keys().digest(hash, nonce),
        None => {
            let password = omadm_auth::Secret::new(b"other".to_vec());
            String::from_utf8(basic("server", &password).expose().to_vec()).unwrap()
        }
    };
    Some(Cred { meta, data: data.into() })
}

#[test]
fn a_challenge_is_answered_with_package_one_again() {
    for scheme in [Scheme::Md5, Scheme::Sha256] {
        let (mut device, mut server) = begun_with(config(), one_way(None));
        server.header_code = 407;
        server.challenge = Some(challenge(scheme, NONCE));
        let said = device.exchange(&mut server, Vec::new());
        assert_eq!(said.codes(), codes(&[("0", 212)]));
        assert_eq!(said.alert_codes(), ["1201"]);
        assert_eq!(said.message.commands.len(), 3);
        let header = &said.message.header;
        assert_eq!((header.session_id.as_ref(), header.message_id.as_ref()), ("2A", "2"));
        assert_eq!(header.source.name.as_deref(), Some("dev-1"));
        let cred = header.credentials.clone().unwrap();
        assert_eq!(cred.data, device_keys().digest(scheme.hash().unwrap(), NONCE));
        assert_eq!(cred.meta.media_type.as_deref(), Some(scheme.type_name()));
        assert_eq!(cred.meta.format.as_deref(), Some("b64"));
        assert!(device.notes.contains(&Note::Challenged { status: 407 }));
        assert_eq!(device.nonces, [(Some(NONCE.to_vec()), None)]);
    }
}

#[test]
fn after_212_there_are_no_more_credentials_and_after_200_always() {
    for (code, expected) in [(212, false), (200, true)] {
        let (mut device, mut server) = begun_with(config(), one_way(Some(Scheme::Md5)));
        server.header_code = code;
        let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
        assert_eq!(said.message.header.credentials.is_some(), expected);
    }
}

#[test]
fn the_first_message_has_what_the_account_prefers() {
    let mut device = Device::start(config(), one_way(Some(Scheme::Basic)));
    let said = Said::of(device.post());
    assert_eq!(said.message.header.credentials.unwrap().data, "ZGV2LTE6czNjcmV0");
    let mut start = one_way(Some(Scheme::Md5));
    start.account.client.as_mut().unwrap().nonce = (0..16).collect();
    let said = Said::of(Device::start(config(), start).post());
    assert_eq!(said.message.header.credentials.unwrap().data, "RyEHbgLtLV8epxbMPEuCvQ==");
    let strict = Config { schemes: vec![Scheme::Sha256], ..config() };
    let said = Said::of(Device::start(strict, one_way(Some(Scheme::Md5))).post());
    assert!(said.message.header.credentials.is_none());
}

#[test]
fn a_new_nonce_is_kept_and_used_next() {
    let (mut device, mut server) = begun_with(config(), one_way(Some(Scheme::Md5)));
    server.header_code = 200;
    server.challenge = Some(challenge(Scheme::Md5, NONCE));
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    let hash = Scheme::Md5.hash().unwrap();
    assert_eq!(said.message.header.credentials.unwrap().data, device_keys().digest(hash, NONCE));
    assert_eq!(device.nonces, [(Some(NONCE.to_vec()), None)]);
}

#[test]
fn the_nonce_for_the_next_session_is_kept_although_nothing_is_answered() {
    let (mut device, mut server) = begun_with(config(), one_way(Some(Scheme::Md5)));
    server.challenge = Some(challenge(Scheme::Md5, NONCE));
    device.reply(server.message(Vec::new()));
    assert!(matches!(device.outcome(), Outcome::Ended { .. }));
    assert_eq!(device.nonces, [(Some(NONCE.to_vec()), None)]);
}

#[test]
fn a_stale_nonce_is_forgiven_twice_and_wrong_credentials_are_not() {
    let (mut device, mut server) = begun_with(config(), one_way(Some(Scheme::Md5)));
    server.header_code = 401;
    for round in 1..=2 {
        server.challenge = Some(challenge(Scheme::Md5, &[round; 16]));
        device.exchange(&mut server, Vec::new());
    }
    device.reply(server.message(Vec::new()));
    assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::ClientCredentials, .. }));
}

#[test]
fn a_challenge_that_must_not_or_cannot_be_met_ends_the_session() {
    let strict = Config { schemes: vec![Scheme::Sha256, Scheme::MacSha256], ..config() };
    let with_type = |name: &'static str| Meta { media_type: Some(name.into()), ..Meta::default() };
    for (config, start, meta) in [
        (strict, one_way(None), Some(challenge(Scheme::Md5, NONCE))),
        (config(), one_way(None), Some(with_type("syncml:auth-X509"))),
        (config(), one_way(None), None),
        (config(), start(), Some(challenge(Scheme::Md5, NONCE))),
    ] {
        let (mut device, mut server) = begun_with(config, start);
        server.header_code = 407;
        server.challenge = meta;
        device.reply(server.message(Vec::new()));
        assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::ClientCredentials, .. }));
    }
}

#[test]
fn a_challenge_in_the_middle_of_a_session_begins_with_package_one() {
    let (mut device, mut server) = begun_with(config(), one_way(Some(Scheme::Md5)));
    server.header_code = 200;
    device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    server.header_code = 401;
    server.challenge = Some(challenge(Scheme::Md5, NONCE));
    let said = device.exchange(&mut server, Vec::new());
    assert_eq!(said.alert_codes(), ["1201"]);
    assert_eq!(said.message.header.message_id, "3");
    assert!(said.results().is_empty());
}

#[test]
fn a_mac_stands_over_every_message_with_a_nonce_of_its_own() {
    for scheme in [Scheme::MacMd5, Scheme::MacSha256] {
        let mut device = Device::start(config(), one_way(Some(scheme)));
        let mut server = Server { header_code: 200, ..Server::default() };
        let hash = scheme.hash().unwrap();
        let check = |said: &Said, nonce: &[u8]| {
            let header = HmacHeader::parse(said.post.hmac.as_deref().unwrap()).unwrap();
            assert_eq!((header.hash, header.user.as_str()), (hash, "dev-1"));
            assert!(device_keys().check_mac(hash, nonce, &said.post.body, &header.mac).is_some());
            assert!(said.message.header.credentials.is_none());
        };
        check(&server.hear(device.post()), b"");
        for round in 1..=2 {
            server.challenge = Some(challenge(scheme, &[round; 16]));
            let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
            check(&said, &[round; 16]);
        }
        // 212, or no nonce, cannot be with a MAC.
        server.challenge = None;
        device.reply(server.message(vec![get("1", "./box/one/Setting")]));
        assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::ClientCredentials, .. }));
    }
}

#[test]
fn a_retransmitted_message_has_the_same_mac() {
    let mut device = Device::start(config(), one_way(Some(Scheme::MacSha256)));
    let first = device.post();
    device.input(omadm_session::dm1::client::Input::NoReply { reason: "reset".into() });
    assert_eq!(device.post().hmac, first.hmac);
}

#[test]
fn a_server_that_proves_itself_is_obeyed() {
    for scheme in [Scheme::Basic, Scheme::Md5, Scheme::Sha256] {
        let (mut device, mut server) = begun_with(config(), other_way(scheme));
        server.credentials = server_cred(scheme, b"");
        let said = device.exchange(&mut server, vec![replace("1", "./box/one/Setting", "second")]);
        assert_eq!(said.codes(), codes(&[("0", 212), ("1", 200)]));
        let told = &said.statuses()[0].challenge;
        assert_eq!(told.is_some(), scheme != Scheme::Basic);
        if let Some(meta) = told {
            assert_eq!(meta.media_type.as_deref(), Some(scheme.type_name()));
            assert_eq!(device.nonces, [(None, meta.next_nonce.as_ref().map(|nonce| nonce.to_vec()))]);
        }
        // For the session: no credentials are needed any more.
        server.credentials = None;
        let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
        assert_eq!(said.codes(), codes(&[("0", 212), ("1", 200)]));
        assert!(said.statuses()[0].challenge.is_none());
    }
}

#[test]
fn a_server_that_does_not_prove_itself_is_asked_to_and_not_obeyed() {
    let (mut device, mut server) = begun_with(config(), other_way(Scheme::Md5));
    let inside = atomic("2", vec![replace("3", "./box/one/Setting", "x")]);
    let said = device.exchange(&mut server, vec![replace("1", "./box/one/Setting", "x"), inside]);
    assert_eq!(said.codes(), codes(&[("0", 407), ("1", 407), ("2", 407), ("3", 407)]));
    let meta = said.statuses()[0].challenge.clone().unwrap();
    let nonce = meta.next_nonce.clone().unwrap();
    assert_eq!(meta.media_type.as_deref(), Some("syncml:auth-md5"));
    assert_eq!(device.nonces, [(None, Some(nonce.to_vec()))]);
    // A wrong one: again. The right one: obeyed.
    server.credentials = server_cred(Scheme::Md5, b"stale");
    let said = device.exchange(&mut server, vec![replace("1", "./box/one/Setting", "x")]);
    assert_eq!(said.codes(), codes(&[("0", 401), ("1", 401)]));
    let newer = said.statuses()[0].challenge.clone().unwrap().next_nonce.clone().unwrap();
    assert_ne!(newer, nonce);
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("first".into())));
    server.credentials = server_cred(Scheme::Md5, &newer);
    let said = device.exchange(&mut server, vec![replace("1", "./box/one/Setting", "x")]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 200)]));
}

#[test]
fn a_server_that_fails_three_times_is_left() {
    let (mut device, mut server) = begun_with(config(), other_way(Scheme::Md5));
    server.credentials = server_cred(Scheme::Md5, b"stale");
    for _ in 0..2 {
        device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    }
    device.reply(server.message(vec![get("1", "./box/one/Setting")]));
    assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::ServerCredentials, .. }));
}

#[test]
fn a_server_that_wants_nothing_is_not_asked_who_it_is() {
    let (mut device, mut server) = begun_with(config(), other_way(Scheme::Md5));
    device.reply(server.message(Vec::new()));
    assert!(matches!(device.outcome(), Outcome::Aborted { cause: Cause::ServerCredentials, .. }));
    assert!(device.delivered.is_empty());
}

#[test]
fn after_a_challenge_only_the_scheme_asked_for_counts() {
    let (mut device, mut server) = begun_with(config(), other_way(Scheme::Md5));
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    let nonce = said.statuses()[0].challenge.clone().unwrap().next_nonce.clone().unwrap();
    server.credentials = server_cred(Scheme::Sha256, &nonce);
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    assert_eq!(said.codes(), codes(&[("0", 401), ("1", 401)]));
}

#[test]
fn a_nonce_of_a_server_that_is_not_proven_is_used_but_not_kept() {
    let mut start = other_way(Scheme::Md5);
    start.account.client = Some(credentials("dev-1", "s3cret", Scheme::Md5));
    let (mut device, mut server) = begun_with(config(), start);
    server.header_code = 407;
    server.challenge = Some(challenge(Scheme::Md5, NONCE));
    let said = device.exchange(&mut server, Vec::new());
    let hash = Scheme::Md5.hash().unwrap();
    assert_eq!(said.message.header.credentials.clone().unwrap().data, device_keys().digest(hash, NONCE));
    assert_eq!(said.codes(), codes(&[("0", 407)]));
    assert_eq!(said.alert_codes(), ["1201"]);
    let own = said.statuses()[0].challenge.clone().unwrap().next_nonce.clone().unwrap();
    assert_eq!(device.nonces, [(None, Some(own.to_vec()))]);
    // Proven, its nonce is kept.
    server.header_code = 212;
    server.challenge = Some(challenge(Scheme::Md5, b"another nonce..."));
    server.credentials = server_cred(Scheme::Md5, &own);
    device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    assert_eq!(device.nonces[1].0.as_deref(), Some(&b"another nonce..."[..]));
}

#[test]
fn a_nonce_is_kept_as_soon_as_the_server_has_proven_who_it_is() {
    let mut start = other_way(Scheme::Md5);
    start.account.client = Some(credentials("dev-1", "s3cret", Scheme::Md5));
    start.account.preferred = Some(Scheme::Md5);
    let (mut device, mut server) = begun_with(config(), start);
    server.challenge = Some(challenge(Scheme::Md5, NONCE));
    server.credentials = server_cred(Scheme::Md5, b"stale");
    let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    assert_eq!(device.nonces[0].0, None);
    let own = said.statuses()[0].challenge.clone().unwrap().next_nonce.clone().unwrap();
    server.challenge = None;
    server.credentials = server_cred(Scheme::Md5, &own);
    device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
    assert_eq!(device.nonces[1].0.as_deref(), Some(NONCE));
}

#[test]
fn a_server_that_alerts_wait_for_is_asked_who_it_is() {
    let start = Start { alerts: vec![alert(1, "urn:x-test:at:event:1.0", "")], ..other_way(Scheme::Md5) };
    let (mut device, mut server) = begun_with(config(), start);
    server.credentials = server_cred(Scheme::Md5, b"stale");
    let said = device.exchange(&mut server, Vec::new());
    assert_eq!(said.codes(), codes(&[("0", 401)]));
    assert!(device.delivered.is_empty());
    // Now it knows the nonce, and may say again what it thinks of the alert.
    let own = said.statuses()[0].challenge.clone().unwrap().next_nonce.clone().unwrap();
    server.credentials = server_cred(Scheme::Md5, &own);
    device.reply(server.message(vec![status(1, "1", "3", "Alert", 200)]));
    assert!(matches!(device.outcome(), Outcome::Ended { .. }));
    assert_eq!(device.delivered, [(1, 200)]);
}

fn with_mac(reply: HttpReply, scheme: Scheme, nonce: &[u8]) -> HttpReply {
    let hash = scheme.hash().unwrap();
    let mac = server_keys().mac(hash, nonce, &reply.body);
    HttpReply { hmac: Some(HmacHeader { hash, user: "server".into(), mac }.to_string()), ..reply }
}

#[test]
fn a_server_with_a_mac_proves_every_message() {
    for scheme in [Scheme::MacMd5, Scheme::MacSha256] {
        let (mut device, mut server) = begun_with(config(), other_way(scheme));
        let mut nonce = Vec::new();
        for _ in 0..3 {
            device.reply(with_mac(server.message(vec![get("1", "./box/one/Setting")]), scheme, &nonce));
            let said = server.hear(device.post());
            assert_eq!(said.codes(), codes(&[("0", 200), ("1", 200)]));
            let meta = said.statuses()[0].challenge.clone().unwrap();
            assert_eq!(meta.media_type.as_deref(), Some(scheme.type_name()));
            let next = meta.next_nonce.clone().unwrap().to_vec();
            assert_ne!(next, nonce);
            nonce = next;
        }
        // The one after it without.
        let said = device.exchange(&mut server, vec![replace("1", "./box/one/Setting", "x")]);
        assert_eq!(said.codes(), codes(&[("0", 407), ("1", 407)]));
    }
}

#[test]
fn a_changed_body_is_refused() {
    let (mut device, mut server) = begun_with(config(), other_way(Scheme::MacSha256));
    let reply =
        with_mac(server.message(vec![replace("1", "./box/one/Setting", "good")]), Scheme::MacSha256, b"");
    let body = String::from_utf8(reply.body.to_vec()).unwrap().replace("good", "evil");
    device.reply(HttpReply { body: body.into_bytes().into(), ..reply });
    let said = server.hear(device.post());
    assert_eq!(said.codes(), codes(&[("0", 401), ("1", 401)]));
    assert_eq!(device.value("./box/one/Setting"), Some(Value::Text("first".into())));
}

#[test]
fn digests_over_the_text_of_a_nonce_count_only_where_that_is_tolerated() {
    for (lenient_nonce, strict, code) in [(true, false, "200"), (false, false, "401"), (true, true, "401")] {
        let mut start = other_way(Scheme::Md5);
        start.account.server_credentials.as_mut().unwrap().nonce = (0..16).collect();
        let (mut device, mut server) = begun_with(Config { lenient_nonce, strict, ..config() }, start);
        server.credentials = server_cred(Scheme::Md5, b"AAECAwQFBgcICQoLDA0ODw==");
        let said = device.exchange(&mut server, vec![get("1", "./box/one/Setting")]);
        assert_eq!(said.code("1"), code);
        let tolerated = Note::Tolerated(vec![omadm_codec::Tolerance::NonceText]);
        assert_eq!(device.notes.contains(&tolerated), code == "200");
    }
}

#[test]
fn a_session_that_cannot_keep_a_nonce_ends() {
    let (mut device, mut server) = begun_with(config(), one_way(Some(Scheme::Md5)));
    server.challenge = Some(challenge(Scheme::Md5, NONCE));
    device.reply(server.message(vec![get("1", "./box/one/Setting")]));
    use omadm_session::dm1::client::{Effect, EffectResult, Input, Output};
    loop {
        match device.session.poll_output().unwrap() {
            Output::Effect { id, effect: Effect::KeepNonces { .. } } => {
                let result = EffectResult::Refused { status: 500, reason: "disk".into() };
                device.input(Input::EffectDone { id, result });
            }
            Output::Effect { id, .. } => device.input(Input::EffectDone { id, result: EffectResult::Done }),
            Output::Finished(Outcome::Aborted { cause: Cause::Device, .. }) => break,
            Output::Note(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
