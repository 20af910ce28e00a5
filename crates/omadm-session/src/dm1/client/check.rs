//! What has to hold of commands without a session that strangers send, for fuzzers and tests: it panics where it does not.

use omadm_auth::Secret;
use omadm_auth::dm1::Scheme;
use omadm_mo::{DeviceId, ServerId, Time, Tree};

use super::config::{Account, Config, Credentials};
use super::exchange::{EffectResult, Fresh, Input, Output};
use super::sessionless::Sessionless;

/// The device that messages are for.
const DEVICE: &str = "IMEI:493005100592800";
const SERVER: &str = "dm.example";

/// A media type, a line feed, the value of `x-syncml-hmac`, a line feed, and a body. It proves nothing, for its sender knows no secret;
/// carried out all the same, it comes to its end, and nobody is answered.
///
/// # Panics
/// When that is not so.
pub fn check_sessionless(tree: &mut Tree, input: &[u8]) {
    let mut parts = input.splitn(3, |octet| *octet == b'\n');
    let (Some(media), Some(hmac), Some(body)) = (parts.next(), parts.next(), parts.next()) else { return };
    let (Ok(device), Ok(server)) = (DeviceId::parse(DEVICE), ServerId::parse(SERVER)) else { return };
    let config = Config { schemes: Scheme::ALL.to_vec(), lenient_nonce: true, ..Config::new(device) };
    let credentials = Credentials {
        user: SERVER.to_owned(),
        password: Secret::new(b"nobody knows it".to_vec()),
        scheme: Scheme::Sha256,
        nonce: b"nonce".to_vec(),
    };
    let account = Account {
        server,
        uri: "https://dm.example/dm".to_owned(),
        client: None,
        server_credentials: Some(credentials),
        server_must_prove: true,
        preferred: None,
    };
    let Ok(mut message) = Sessionless::read(&config, &String::from_utf8_lossy(media), body) else { return };
    assert!(message.number() > 0);
    assert!(!message.is_proved(&config, &account, &String::from_utf8_lossy(hmac)), "it guessed the secret");
    let fresh = Fresh { now: Time::from_secs(0), nonce: [0; 16] };
    let mut session = message.carry_out(config, account, tree, fresh);
    let mut is_over = false;
    while let Some(output) = session.poll_output().filter(|_| !is_over) {
        assert!(!matches!(output, Output::Post(_)), "it is answered: {output:?}");
        is_over = matches!(output, Output::Finished(_));
        if let Output::Effect { id, .. } = output {
            session.handle(tree, fresh, Input::EffectDone { id, result: EffectResult::Done });
        }
    }
    assert!(is_over, "it stands still");
}
