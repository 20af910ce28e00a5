//! Who is who (`DM 1.3 SEC §5.3, §5.4, §5.6`).

use omadm_auth::Secret;
use omadm_auth::dm1::{DEFAULT_NONCE, Hash, HmacHeader, Scheme, basic};
use omadm_codec::dm1::{Command, Credentials, Encoding, Meta};
use omadm_session::dm1::server::{End, Outcome, Verdict};

use super::device::{Device, Host, delete, get, keys, told};

fn host(tasks: Vec<omadm_session::dm1::server::Task>, scheme: Scheme) -> Host {
    let mut host = Host::new(tasks);
    let account = host.account.as_mut().unwrap();
    account.transport_authenticated = false;
    account.client_scheme = Some(scheme);
    host
}

fn credentials(scheme: Scheme, data: String) -> Option<Credentials<'static>> {
    let meta =
        Meta { format: Some("b64".into()), media_type: Some(scheme.type_name().into()), ..Meta::default() };
    Some(Credentials { meta, data: data.into() })
}

fn digest(scheme: Scheme, nonce: &[u8]) -> Option<Credentials<'static>> {
    credentials(scheme, keys("dev-1", "s3cret").digest(scheme.hash().unwrap(), nonce))
}

fn nonce(device: &Device) -> Vec<u8> {
    device.challenge().unwrap().next_nonce.unwrap().into_owned()
}

#[test]
fn without_credentials_there_is_a_challenge_and_nothing_else() {
    for scheme in [Scheme::Sha256, Scheme::Md5] {
        let (mut host, mut device) = (host(vec![get("./A")], scheme), Device::new());
        let package = device.package1();
        let away = device.turned_away(&mut host, package.clone());
        assert!(!away.bad_credentials);
        assert_eq!(device.codes(), ["SyncHdr 407", "Alert 407", "Replace 407"]);
        assert!(device.asked().is_empty() && device.is_final() && host.state.is_none());
        assert_eq!(device.challenge().unwrap().media_type.as_deref(), Some(scheme.type_name()));
        assert_eq!(device.challenge().unwrap().format.as_deref(), Some("b64"));

        let first = nonce(&device);
        device.credentials = digest(scheme, &first);
        let said = [vec![device.header_status(407)], package].concat();
        let step = device.say(&mut host, said);
        assert_eq!(device.codes(), ["SyncHdr 212", "Alert 200", "Replace 200"]);
        assert_eq!(device.heard.as_ref().unwrap().header.message_id, "2");
        assert_eq!(told(&device.asked()), ["Get ./A"]);
        let next = nonce(&device);
        assert_eq!(step.kept.unwrap().client_nonce, next, "the nonce is kept before it is used");
        assert_ne!(first, next);
        // 212 holds for the whole session.
        device.credentials = None;
        let said = device.done(&[("Get", 404)]);
        device.say(&mut host, said);
        assert_eq!(host.verdict(1), &Verdict::Failed(404));
        // Nobody else may begin a session under its identifier.
        let mut other = Device::new();
        let package = other.package1();
        other.turned_away(&mut host, package.clone());
        assert_eq!(other.codes()[0], "SyncHdr 407");
        other.number = 6;
        other.turned_away(&mut host, package);
        // The next session begins with the nonce of this one.
        let mut device = Device::new();
        device.session = "2B".into();
        device.credentials = digest(scheme, &next);
        device.begin(&mut host);
        assert_eq!(device.codes()[0], "SyncHdr 212");
    }
}

#[test]
fn wrong_credentials_get_two_challenges_and_then_none() {
    let (mut host, mut device) = (host(vec![get("./A")], Scheme::Sha256), Device::new());
    let mut nonces = Vec::new();
    for (number, challenged, asked) in
        [(1, true, vec![]), (2, true, vec![]), (3, false, vec![]), (4, false, vec!["Alert 1223".to_owned()])]
    {
        device.credentials = digest(Scheme::Sha256, b"stale");
        let package = device.package1();
        let away = device.turned_away(&mut host, package);
        assert!(away.bad_credentials);
        assert_eq!(device.codes(), ["SyncHdr 401", "Alert 401", "Replace 401"]);
        assert_eq!((device.challenge().is_some(), told(&device.asked())), (challenged, asked), "{number}");
        nonces.extend(device.challenge().map(|challenge| challenge.next_nonce.unwrap().into_owned()));
    }
    assert_ne!(nonces[0], nonces[1], "each challenge is new");
    assert!(host.state.is_none(), "bad credentials cost time, not state");
}

#[test]
fn a_stale_nonce_is_repaired_by_the_challenge() {
    let (mut host, mut device) = (host(vec![], Scheme::Md5), Device::new());
    host.account.as_mut().unwrap().client_nonce = b"fresh".to_vec();
    device.credentials = digest(Scheme::Md5, b"stale");
    let package = device.package1();
    device.turned_away(&mut host, package.clone());
    device.credentials = digest(Scheme::Md5, &nonce(&device));
    device.say(&mut host, package);
    assert_eq!(device.codes()[0], "SyncHdr 212");
}

#[test]
fn a_nonce_is_good_once() {
    let (mut host, mut device) = (host(vec![], Scheme::Sha256), Device::new());
    host.account.as_mut().unwrap().client_nonce = b"once".to_vec();
    device.credentials = digest(Scheme::Sha256, b"once");
    device.begin(&mut host);
    host.now += 3_600_000_000;
    // The same octets an hour later are no repetition, and prove nothing.
    let mut thief = Device::new();
    thief.credentials = digest(Scheme::Sha256, b"once");
    let package = thief.package1();
    assert!(thief.turned_away(&mut host, package.clone()).bad_credentials);
    // Nor does it help if the account falls back to it.
    host.account.as_mut().unwrap().client_nonce = b"once".to_vec();
    let mut thief = Device::new();
    thief.session = "7".into();
    thief.credentials = digest(Scheme::Sha256, b"once");
    assert!(thief.turned_away(&mut host, package).reason.contains("used before"));
}

#[test]
fn a_challenge_of_one_session_is_void_in_another() {
    let (mut host, mut device) = (host(vec![], Scheme::Sha256), Device::new());
    let package = device.package1();
    device.turned_away(&mut host, package.clone());
    let stolen = nonce(&device);
    let mut other = Device::new();
    other.session = "2B".into();
    other.number = 1;
    other.credentials = digest(Scheme::Sha256, &stolen);
    assert!(other.turned_away(&mut host, package).bad_credentials);
}

#[test]
fn another_scheme_than_the_one_asked_for_ends_it() {
    let (mut host, mut device) = (host(vec![], Scheme::Sha256), Device::new());
    let package = device.package1();
    device.turned_away(&mut host, package.clone());
    device.credentials = digest(Scheme::Md5, &nonce(&device));
    let away = device.turned_away(&mut host, package.clone());
    assert!(away.reason.contains("did not ask for") && device.challenge().is_none());
    // At first any scheme that is allowed may be offered.
    let mut device = Device::new();
    device.credentials = digest(Scheme::Md5, b"");
    device.say(&mut host, package.clone());
    assert_eq!(device.codes()[0], "SyncHdr 212");
    // One that is not allowed is answered with a challenge for one that is.
    let mut host = self::host(vec![], Scheme::Sha256);
    host.config.schemes = vec![Scheme::Sha256];
    for weak in [digest(Scheme::Md5, b""), basic_of("dev-1", "s3cret")] {
        let mut device = Device::new();
        device.credentials = weak;
        device.turned_away(&mut host, package.clone());
        assert_eq!(device.challenge().unwrap().media_type.as_deref(), Some("syncml:auth-sha256"));
    }
}

fn basic_of(user: &str, password: &str) -> Option<Credentials<'static>> {
    let data = basic(user, &Secret::new(password.as_bytes().to_vec()));
    credentials(Scheme::Basic, String::from_utf8(data.expose().to_vec()).unwrap())
}

#[test]
fn basic_needs_no_nonce() {
    let (mut host, mut device) = (host(vec![], Scheme::Basic), Device::new());
    let package = device.package1();
    device.turned_away(&mut host, package.clone());
    let challenge = device.challenge().unwrap();
    assert_eq!((challenge.media_type.as_deref(), challenge.next_nonce), (Some("syncml:auth-basic"), None));
    device.credentials = basic_of("dev-1", "wrong");
    assert!(device.turned_away(&mut host, package.clone()).bad_credentials);
    device.credentials = basic_of("dev-1", "s3cret");
    device.session = "2B".into();
    device.number = 0;
    device.say(&mut host, package);
    assert_eq!((device.codes()[0].as_str(), device.challenge()), ("SyncHdr 212", None));
}

#[test]
fn who_is_unknown_is_answered_like_wrong_credentials() {
    let (mut known, mut unknown) = (host(vec![], Scheme::MacSha256), host(vec![], Scheme::MacSha256));
    unknown.account = None;
    for credentials in [None, digest(Scheme::Sha256, b"stale"), digest(Scheme::Sha256, b"")] {
        let answer = |host: &mut Host, password| {
            let mut device = Device::new();
            device.credentials.clone_from(&credentials);
            host.account.iter_mut().for_each(|account| account.client_keys = Some(keys("dev-1", password)));
            let package = device.package1();
            let away = device.turned_away(host, package);
            let challenge = device.challenge().unwrap();
            (
                away.bad_credentials,
                away.reason,
                device.codes(),
                challenge.media_type,
                challenge.next_nonce.unwrap().len(),
            )
        };
        assert_eq!(answer(&mut unknown, ""), answer(&mut known, "other"));
    }
}

#[test]
fn the_text_of_a_nonce_is_taken_only_where_that_is_wanted() {
    for (lenient, strict, taken) in [(false, false, false), (true, false, true), (true, true, false)] {
        let (mut host, mut device) = (host(vec![], Scheme::Md5), Device::new());
        (host.config.lenient_nonce, host.config.strict) = (lenient, strict);
        host.account.as_mut().unwrap().client_nonce = (0..16).collect();
        device.credentials = digest(Scheme::Md5, b"AAECAwQFBgcICQoLDA0ODw==");
        let package = device.package1();
        if taken {
            let step = device.say(&mut host, package);
            assert_eq!(step.tolerated.iter().map(|t| t.as_str()).collect::<Vec<_>>(), ["nonce-text"]);
        } else {
            assert!(device.turned_away(&mut host, package).reason.contains("base64 text"));
        }
    }
}

#[test]
fn macs_prove_each_message_and_bring_a_nonce_each_time() {
    for hash in [Hash::Sha256, Hash::Md5] {
        let (mut host, mut device) =
            (host(vec![get("./A"), delete("./B")], Scheme::mac(hash)), Device::new());
        host.config.max_commands = 1;
        device.mac = Some((keys("dev-1", "s3cret"), hash, Vec::new()));
        let mut seen = vec![Vec::new()];
        let mut step = device.begin(&mut host);
        loop {
            assert_eq!(device.codes()[0], "SyncHdr 200", "never 212");
            assert_eq!(
                device.challenge().unwrap().media_type.as_deref(),
                Some(Scheme::mac(hash).type_name())
            );
            let next = nonce(&device);
            assert!(!seen.contains(&next));
            seen.push(next);
            if step.ended.is_some() {
                break;
            }
            let said = device.done(&[("Get", 404)]);
            step = device.say(&mut host, said);
        }
        assert_eq!((seen.len(), host.verdict(2)), (4, &Verdict::Done(200)));
    }
}

#[test]
fn a_message_without_its_mac_changes_nothing_and_can_be_repaired() {
    let (mut host, mut device) = (host(vec![get("./A")], Scheme::MacSha256), Device::new());
    device.mac = Some((keys("dev-1", "s3cret"), Hash::Sha256, Vec::new()));
    device.begin(&mut host);
    let before = host.state.clone();
    // Somebody else goes on in the session.
    let mut thief = Device::new();
    thief.heard.clone_from(&device.heard);
    thief.number = 1;
    let said = thief.done(&[]);
    assert!(!thief.turned_away(&mut host, said.clone()).bad_credentials);
    assert_eq!(thief.codes()[0], "SyncHdr 407");
    thief.number = 1;
    thief.mac = Some((keys("dev-1", "guess"), Hash::Sha256, b"x".to_vec()));
    thief.heard.clone_from(&device.heard);
    assert!(thief.turned_away(&mut host, said).bad_credentials);
    assert_eq!(host.state, before);
    // The device lost the nonce: it is challenged, goes back to package 1, and gets its command again.
    device.mac.as_mut().unwrap().2 = b"lost".to_vec();
    let said = device.done(&[]);
    device.turned_away(&mut host, said);
    assert_eq!(device.codes(), ["SyncHdr 401"]);
    let package = [vec![device.header_status(401)], device.package1()].concat();
    let step = device.say(&mut host, package);
    assert_eq!(step.sends, [1]);
    assert!(matches!(host.verdict(1), Verdict::Again(_)));
}

#[test]
fn a_changed_body_has_no_mac_any_more() {
    let (mut host, mut device) = (host(vec![], Scheme::MacSha256), Device::new());
    device.mac = Some((keys("dev-1", "s3cret"), Hash::Sha256, Vec::new()));
    let package = device.package1();
    let body = device.write(package, true);
    let mac = keys("dev-1", "s3cret").mac(Hash::Sha256, b"", &body);
    for (user, body, mac, taken) in [
        ("dev-1", body.clone(), mac.clone(), true),
        ("dev-2", body.clone(), mac.clone(), false),
        ("dev-1", [body.as_slice(), b"\n"].concat(), mac.clone(), false),
        ("dev-1", body.clone(), vec![0; 32], false),
    ] {
        host.state = None;
        host.account.as_mut().unwrap().used_nonces = Default::default();
        host.account.as_mut().unwrap().client_nonce = Vec::new();
        let hmac = HmacHeader { hash: Hash::Sha256, user: user.into(), mac }.to_string();
        let head = omadm_session::dm1::server::RequestHead {
            method: "POST",
            content_type: Some("application/vnd.syncml.dm+xml"),
            hmac: Some(&hmac),
            ..Default::default()
        };
        let outcome = host.serve(&head, &body).unwrap();
        assert_eq!(matches!(outcome, Outcome::Taken(_)), taken, "{user}");
    }
}

fn server_proof(device: &Device, nonce: &[u8]) -> bool {
    let header = &device.heard.as_ref().unwrap().header;
    let Some(credentials) = &header.credentials else { return false };
    assert_eq!(header.source.name.as_deref(), Some("srv"));
    let scheme = Scheme::of_type(credentials.meta.media_type.as_deref().unwrap()).unwrap();
    keys("srv", "own").check_digest(scheme.hash().unwrap(), nonce, &credentials.data).is_some()
}

fn challenged(mut command: Command<'static>, scheme: Scheme, nonce: &[u8]) -> Command<'static> {
    let Command::Status(status) = &mut command else { panic!() };
    let meta = Meta {
        format: Some("b64".into()),
        media_type: Some(scheme.type_name().into()),
        next_nonce: Some(nonce.to_vec().into()),
        ..Meta::default()
    };
    status.challenge = Some(Box::new(meta));
    command
}

fn proving(scheme: Scheme, tasks: Vec<omadm_session::dm1::server::Task>) -> Host {
    let mut host = Host::new(tasks);
    let account = host.account.as_mut().unwrap();
    account.server_keys = Some(keys("srv", "own"));
    account.server_nonce = b"theirs".to_vec();
    account.server_scheme = Some(scheme);
    host
}

#[test]
fn the_server_proves_itself_until_that_is_accepted() {
    let (mut host, mut device) = (proving(Scheme::Md5, vec![get("./A"), delete("./B")]), Device::new());
    host.config.max_commands = 1;
    device.begin(&mut host);
    assert!(server_proof(&device, b"theirs"));
    let mut said = device.done(&[("Get", 404)]);
    said[0] = challenged(device.header_status(212), Scheme::Md5, b"next session");
    let step = device.say(&mut host, said);
    assert!(device.heard.as_ref().unwrap().header.credentials.is_none());
    assert_eq!(step.kept.unwrap().server_nonce, b"next session");
}

#[test]
fn a_device_that_wants_each_message_proven_gets_that() {
    let (mut host, mut device) = (proving(Scheme::Sha256, vec![get("./A"), delete("./B")]), Device::new());
    host.config.max_commands = 1;
    device.begin(&mut host);
    let mut said = device.done(&[("Get", 404)]);
    said[0] = challenged(device.header_status(200), Scheme::Sha256, b"next message");
    device.say(&mut host, said);
    assert!(server_proof(&device, b"next message"));
}

#[test]
fn a_server_that_was_not_believed_says_everything_again() {
    let (mut host, mut device) = (proving(Scheme::Md5, vec![get("./A"), delete("./B")]), Device::new());
    device.begin(&mut host);
    let asked = told(&device.asked());
    let mut said = device.done(&[("Sequence", 401), ("./A", 401), ("./B", 401)]);
    said[0] = challenged(device.header_status(401), Scheme::Sha256, b"new");
    let step = device.say(&mut host, said);
    assert!(server_proof(&device, b"new"), "with the scheme that was asked for");
    assert_eq!((told(&device.asked()), step.sends, step.results), (asked, vec![], vec![]));
    let kept = step.kept.unwrap();
    assert_eq!((kept.server_nonce, kept.server_scheme), (b"new".to_vec(), Some(Scheme::Sha256)));
    let said = device.done(&[("./A", 404)]);
    device.say(&mut host, said);
    assert_eq!(host.verdict(2), &Verdict::Done(200));
}

#[test]
fn a_server_that_was_not_believed_waits_for_the_end_of_the_package() {
    let (mut host, mut device) = (proving(Scheme::Md5, vec![get("./A")]), Device::new());
    device.begin(&mut host);
    let said =
        vec![challenged(device.header_status(401), Scheme::Md5, b"new"), device.status("4", "Get", 401)];
    device.say_part(&mut host, said, false);
    assert_eq!(told(&device.asked()), ["Alert 1222"]);
    assert!(server_proof(&device, b"new"));
    let said = vec![device.header_status(212)];
    let step = device.say(&mut host, said);
    assert_eq!((told(&device.asked()), step.results), (vec!["Get ./A".to_owned()], vec![]));
}

#[test]
fn a_server_that_is_never_believed_gives_up() {
    let (mut host, mut device) = (proving(Scheme::Md5, vec![get("./A")]), Device::new());
    device.begin(&mut host);
    for last in [false, false, true] {
        let mut said = device.done(&[("Get", 401)]);
        said[0] = challenged(device.header_status(401), Scheme::Md5, b"again");
        let step = device.say(&mut host, said);
        assert_eq!(step.ended.is_some(), last);
    }
    assert_eq!(told(&device.asked()), ["Alert 1223"]);
    for (scheme, code) in [(None, 401), (Some(Scheme::Basic), 407)] {
        let (mut host, mut device) = (proving(Scheme::Md5, vec![get("./A")]), Device::new());
        device.begin(&mut host);
        let status = device.header_status(code);
        let status = scheme.map_or(status.clone(), |scheme| challenged(status, scheme, b""));
        let step = device.say(&mut host, vec![status]);
        assert!(matches!(step.ended, Some(End::ByServer(reason)) if reason.contains("credentials")));
    }
}

#[test]
fn the_server_signs_each_message_with_the_nonce_given_last() {
    let (mut host, mut device) = (proving(Scheme::MacSha256, vec![get("./A"), delete("./B")]), Device::new());
    host.config.max_commands = 1;
    let mut step = device.begin(&mut host);
    for (nonce, next) in [(&b"theirs"[..], &b"second"[..]), (b"second", b"third")] {
        let header = HmacHeader::parse(step.reply.hmac.as_deref().unwrap()).unwrap();
        assert_eq!((header.user.as_str(), header.hash), ("srv", Hash::Sha256));
        let proof = keys("srv", "own").check_mac(Hash::Sha256, nonce, &step.reply.body, &header.mac);
        assert!(proof.is_some(), "over the octets of the reply");
        assert!(device.heard.as_ref().unwrap().header.credentials.is_none());
        assert_eq!(super::device::read(&step.reply.body, Encoding::Xml), device.heard.clone().unwrap());
        let mut said = device.done(&[("Get", 404)]);
        said[0] = challenged(device.header_status(200), Scheme::MacSha256, next);
        step = device.say(&mut host, said);
    }
    assert_eq!(step.ended, Some(End::Complete));
}

#[test]
fn both_sides_may_be_unproven_at_once() {
    let mut host = proving(Scheme::Md5, vec![get("./A")]);
    host.account.as_mut().unwrap().transport_authenticated = false;
    host.account.as_mut().unwrap().client_scheme = Some(Scheme::Md5);
    let mut device = Device::new();
    let package = device.package1();
    device.turned_away(&mut host, package.clone());
    device.credentials = digest(Scheme::Md5, &nonce(&device));
    let status = challenged(device.header_status(407), Scheme::Md5, b"first");
    let step = device.say(&mut host, [vec![status], package].concat());
    assert!(server_proof(&device, b"first"), "with the nonce that came with the challenge of the server");
    assert_eq!((step.sends, device.codes()[0].as_str()), (vec![1], "SyncHdr 212"));
}

#[test]
fn a_device_that_knows_how_the_server_proves_itself_is_not_held_up() {
    let mut host = proving(Scheme::Sha256, vec![get("./A")]);
    let account = host.account.as_mut().unwrap();
    (account.transport_authenticated, account.client_scheme) = (false, Some(Scheme::Sha256));
    let mut device = Device::new();
    let package = device.package1();
    device.turned_away(&mut host, package.clone());
    device.credentials = digest(Scheme::Sha256, &nonce(&device));
    // Without a challenge of its own, and with a status that says nothing of credentials.
    let status = device.header_status(500);
    let step = device.say(&mut host, [vec![status], package].concat());
    assert!(server_proof(&device, b"theirs"), "with what was known");
    assert_eq!((step.sends, step.ended), (vec![1], None));
}

#[test]
fn statuses_that_were_not_believed_are_said_again() {
    let (mut host, mut device) = (proving(Scheme::Md5, vec![get("./A")]), Device::new());
    device.begin(&mut host);
    let first = device.codes();
    assert_eq!(first, ["SyncHdr 212", "Alert 200", "Replace 200"]);
    let mut said = device.done(&[("Get", 401)]);
    said[0] = challenged(device.header_status(401), Scheme::Md5, b"new");
    device.say(&mut host, said);
    assert_eq!(device.codes(), first, "with the credentials that the device asked for");
    let of: Vec<_> = device.answers().into_iter().map(|(_, of, _)| of).collect();
    assert_eq!(of, ["2/0", "1/1", "1/2"], "each says what it answers");
    let said = device.done(&[("Get", 404)]);
    device.say(&mut host, said);
    assert_eq!(device.codes(), ["SyncHdr 212"], "and no more than that");
}

#[test]
fn the_default_nonce_begins_a_session_where_the_notification_had_it_and_nowhere_else() {
    let mut lost = proving(Scheme::Sha256, vec![get("./A")]);
    let account = lost.account.as_mut().unwrap();
    account.transport_authenticated = false;
    account.client_scheme = Some(Scheme::Sha256);
    account.client_nonce = b"given".to_vec();
    let mut device = Device::new();
    device.credentials = digest(Scheme::Sha256, &DEFAULT_NONCE);
    let package = device.package1();
    assert!(device.turned_away(&mut lost, package).bad_credentials, "nobody has given it up");

    lost.account.as_mut().unwrap().default_nonce = true;
    for session in ["2C", "2D"] {
        let mut device = Device::new();
        device.session = session.into();
        device.credentials = digest(Scheme::Sha256, &DEFAULT_NONCE);
        let step = device.begin(&mut lost);
        assert_eq!(device.codes()[0], "SyncHdr 212");
        assert!(server_proof(&device, &DEFAULT_NONCE), "the server begins with it, too");
        let kept = step.kept.unwrap();
        assert_eq!(kept.client_nonce, nonce(&device), "and has a new one for the device");
        assert!(!kept.used_nonces.contains(&DEFAULT_NONCE), "it may be lost again");
        device.credentials = None;
        let mut said = device.done(&[("Get", 404)]);
        said[0] = challenged(device.header_status(212), Scheme::Sha256, b"new");
        let step = device.say(&mut lost, said);
        assert_eq!(step.kept.unwrap().server_nonce, b"new", "as the device has for the server");
        lost.account.as_mut().unwrap().server_nonce = b"theirs".to_vec();
        lost.queue = Host::new(vec![get("./A")]).queue;
    }

    // A device that has not lost its nonce goes on with it.
    let mut device = Device::new();
    device.session = "2E".into();
    let given = lost.account.as_ref().unwrap().client_nonce.clone();
    device.credentials = digest(Scheme::Sha256, &given);
    device.begin(&mut lost);
    assert!(server_proof(&device, b"theirs"));
}
