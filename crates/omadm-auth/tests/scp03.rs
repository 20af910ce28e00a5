//! SCP03 against what real cards and other implementations said (`vectors/scp03`), and against everything in between.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use omadm_auth::Secret;
use omadm_auth::scp03::{
    Card, CardChallenge, CardSession, Host, HostSession, Message, Mode, Scp03Error, StaticKeys,
};
use proptest::prelude::*;

const VECTORS: &str = include_str!("../../../vectors/scp03/sessions.txt");

fn octets(hex: &str) -> Vec<u8> {
    let octet = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    if hex == "-" { Vec::new() } else { hex.as_bytes().chunks(2).map(octet).collect() }
}

/// The header and the data of a short command, without what it expects.
fn command(hex: &str) -> Message {
    let octets = octets(hex);
    let length = octets.get(5).map_or(0, |_| usize::from(octets[4]));
    let data = octets.get(5..5 + length).unwrap_or_default().to_vec();
    Message { header: octets[..4].try_into().unwrap(), data }
}

/// The data and the status word of a response.
fn response(hex: &str) -> (Vec<u8>, u16) {
    let octets = octets(hex);
    let (data, status) = octets.split_last_chunk().unwrap();
    (data.to_vec(), u16::from_be_bytes(*status))
}

#[derive(Default)]
struct Case {
    name: &'static str,
    keys: Vec<&'static str>,
    aid: Option<&'static str>,
    initialize: &'static str,
    answer: &'static str,
    authenticate: &'static str,
    /// Plain command, command, response, plain response; a response that is not known is `?`.
    exchanges: Vec<[&'static str; 4]>,
    /// Which of them have more padding in the response than we write.
    overpadded: Vec<usize>,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut cases: Vec<Self> = Vec::new();
        for line in VECTORS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap();
            let mut parts = rest.split(' ');
            let mut part = || parts.next().unwrap();
            if word == "session" {
                cases.push(Self { name: rest, ..Self::default() });
                continue;
            }
            let case = cases.last_mut().unwrap();
            match word {
                "keys" => case.keys = vec![part(), part(), part()],
                "aid" => case.aid = Some(part()),
                "initialize" => case.initialize = part(),
                "answer" => case.answer = part(),
                "authenticate" => case.authenticate = part(),
                "exchange" => case.exchanges.push([part(), part(), part(), part()]),
                "overpadded" => {
                    case.overpadded.push(case.exchanges.len());
                    case.exchanges.push([part(), part(), part(), part()]);
                }
                other => panic!("{other}"),
            }
        }
        assert!(cases.len() >= 10, "an empty file proves nothing");
        cases
    }

    fn keys(&self) -> StaticKeys {
        let key = |at: usize| Secret::new(octets(self.keys[at]));
        StaticKeys::new(&key(0), &key(1), key(2)).unwrap()
    }

    fn host(&self) -> Host {
        let initialize = command(self.initialize);
        Host::new(self.keys(), initialize.header[2], initialize.header[0], initialize.data).unwrap()
    }

    /// The card that answers as this one did.
    fn card(&self) -> (Card, Vec<u8>) {
        let answer = octets(self.answer);
        let mode = if answer[12] & 1 == 0 { Mode::S8 } else { Mode::S16 };
        let card = Card {
            keys: self.keys(),
            key_version: answer[10],
            diversification: answer[..10].try_into().unwrap(),
        };
        (card, answer[13..13 + mode.size()].to_vec())
    }

    fn host_session(&self) -> HostSession {
        self.host().authenticate(&octets(self.answer)).unwrap().1
    }

    fn card_session(&self) -> CardSession {
        let (card, challenge) = self.card();
        let initialize = command(self.initialize);
        let challenge = CardChallenge::Random(&challenge);
        let (answer, handshake) =
            card.initialize_update(initialize.header, &initialize.data, challenge).unwrap();
        // The same challenge at random gives the same answer but for the option and the counter.
        let expected = octets(self.answer);
        assert_eq!(answer[13..], expected[13..answer.len()], "{}", self.name);
        let authenticate = command(self.authenticate);
        handshake.external_authenticate(authenticate.header, &authenticate.data).unwrap()
    }
}

#[test]
fn hosts_say_what_real_hosts_said() {
    for case in Case::all() {
        let host = case.host();
        assert_eq!(host.initialize_update(), command(case.initialize), "{}", case.name);
        let (authenticate, mut session) = host.authenticate(&octets(case.answer)).unwrap();
        assert_eq!(authenticate, command(case.authenticate), "{}", case.name);
        for [plain, wrapped, answer, plain_answer] in &case.exchanges {
            let plain = command(plain);
            let message = session.wrap(plain.header, &plain.data, false).unwrap();
            assert_eq!(message, command(wrapped), "{}", case.name);
            // Where the response is not known, an error stands for it: it has no MAC.
            let (data, status) = if *answer == "?" { (Vec::new(), 0x6a82) } else { response(answer) };
            let data = session.unwrap(&data, status).unwrap();
            assert_eq!(data.expose(), octets(plain_answer), "{}", case.name);
        }
    }
}

#[test]
fn cards_say_what_real_cards_said() {
    for case in Case::all() {
        let mut session = case.card_session();
        for (at, [plain, wrapped, answer, plain_answer]) in case.exchanges.iter().enumerate() {
            let (wrapped, plain) = (command(wrapped), command(plain));
            let data = session.unwrap(wrapped.header, &wrapped.data, false).unwrap();
            assert_eq!(data.expose(), plain.data, "{}", case.name);
            if *answer == "?" || case.overpadded.contains(&at) {
                session.wrap(&[], 0x6a82).unwrap();
            } else {
                let (data, status) = response(answer);
                assert_eq!(session.wrap(&octets(plain_answer), status).unwrap(), data, "{}", case.name);
            }
        }
    }
}

#[test]
fn pseudo_random_challenges_are_those_of_real_cards() {
    let mut known = 0;
    for case in Case::all() {
        let Some(aid) = case.aid.map(octets) else { continue };
        known += 1;
        let answer = octets(case.answer);
        let (card, _) = case.card();
        let [.., high, middle, low] = answer[..] else { panic!("{}", case.name) };
        let counter = u32::from_be_bytes([0, high, middle, low]);
        let initialize = command(case.initialize);
        let challenge = CardChallenge::PseudoRandom { counter, aid: &aid };
        let (own, handshake) =
            card.initialize_update(initialize.header, &initialize.data, challenge).unwrap();
        assert_eq!(own, answer, "{}", case.name);
        let authenticate = command(case.authenticate);
        assert!(handshake.external_authenticate(authenticate.header, &authenticate.data).is_ok());
    }
    assert!(known >= 3, "{known}");
}

#[test]
fn a_changed_response_ends_the_session() {
    for case in Case::all().iter().filter(|case| !case.exchanges.is_empty()) {
        let [plain, _, answer, _] = case.exchanges[0];
        let plain = command(plain);
        let (data, status) = response(answer);
        for bit in [0, data.len() * 4, data.len() * 8 - 1] {
            let mut session = case.host_session();
            session.wrap(plain.header, &plain.data, false).unwrap();
            let mut changed = data.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(session.unwrap(&changed, status), Err(Scp03Error::Mac), "{} {bit}", case.name);
            assert_eq!(session.wrap(plain.header, &plain.data, false), Err(Scp03Error::Closed));
        }
        // Another status word, nothing at all, and a MAC that is cut off.
        for (data, status) in [(&data[..], 0x6282), (&[], status), (&data[..7], status)] {
            let mut session = case.host_session();
            session.wrap(plain.header, &plain.data, false).unwrap();
            assert_eq!(session.unwrap(data, status), Err(Scp03Error::Mac), "{}", case.name);
        }
        // Data beside an error.
        let mut session = case.host_session();
        session.wrap(plain.header, &plain.data, false).unwrap();
        assert_eq!(session.unwrap(&data, 0x6a82), Err(Scp03Error::Unprotected), "{}", case.name);
    }
}

#[test]
fn a_response_to_an_earlier_command_is_refused() {
    let case = &Case::all()[0];
    let [plain, _, answer, _] = case.exchanges[0];
    let plain = command(plain);
    let (data, status) = response(answer);
    let mut session = case.host_session();
    session.wrap(plain.header, &plain.data, false).unwrap();
    session.unwrap(&data, status).unwrap();
    assert_eq!(session.unwrap(&data, status), Err(Scp03Error::Turn));
    session.wrap(plain.header, &plain.data, false).unwrap();
    assert_eq!(session.wrap(plain.header, &plain.data, false), Err(Scp03Error::Turn));
    assert_eq!(session.unwrap(&data, status), Err(Scp03Error::Mac));
}

#[test]
fn a_changed_command_ends_the_session() {
    let case = &Case::all()[0];
    let [_, wrapped, ..] = case.exchanges[0];
    let message = command(wrapped);
    for octet in 0..message.data.len() {
        let mut session = case.card_session();
        let mut data = message.data.clone();
        data[octet] ^= 0x10;
        assert_eq!(session.unwrap(message.header, &data, false), Err(Scp03Error::Mac));
        assert_eq!(session.unwrap(message.header, &message.data, false), Err(Scp03Error::Closed));
    }
    for octet in 1..4 {
        let mut header = message.header;
        header[octet] ^= 1;
        assert_eq!(case.card_session().unwrap(header, &message.data, false), Err(Scp03Error::Mac));
    }
    // The form is under the MAC, the channel is not.
    assert_eq!(case.card_session().unwrap(message.header, &message.data, true), Err(Scp03Error::Mac));
    let [class, rest @ ..] = message.header;
    let [instruction, p1, p2] = rest;
    assert!(case.card_session().unwrap([class | 3, instruction, p1, p2], &message.data, false).is_ok());
    // Said twice.
    let mut session = case.card_session();
    session.unwrap(message.header, &message.data, false).unwrap();
    session.wrap(&[], 0x9000).unwrap();
    assert_eq!(session.unwrap(message.header, &message.data, false), Err(Scp03Error::Mac));
}

#[test]
fn other_keys_and_forged_cryptograms_are_refused() {
    let case = &Case::all()[0];
    let answer = octets(case.answer);
    for octet in 13..29 {
        let mut forged = answer.clone();
        forged[octet] ^= 1;
        assert_eq!(case.host().authenticate(&forged).unwrap_err(), Scp03Error::Cryptogram, "{octet}");
    }
    let (card, challenge) = case.card();
    let initialize = command(case.initialize);
    let challenge = CardChallenge::Random(&challenge);
    let handshake = || card.initialize_update(initialize.header, &initialize.data, challenge).unwrap().1;
    let authenticate = command(case.authenticate);
    for octet in 0..authenticate.data.len() {
        let mut data = authenticate.data.clone();
        data[octet] ^= 1;
        let error = handshake().external_authenticate(authenticate.header, &data).unwrap_err();
        assert_eq!(error, Scp03Error::Mac, "{octet}");
    }
    let lower = [0x84, 0x82, 0x01, 0x00];
    let error = handshake().external_authenticate(lower, &authenticate.data).unwrap_err();
    assert_eq!(error, Scp03Error::Level(1));
    let error = handshake().external_authenticate(initialize.header, &authenticate.data).unwrap_err();
    assert_eq!(error, Scp03Error::Form);
}

#[test]
fn answers_of_another_form_are_refused() {
    let case = &Case::all()[0];
    let good = octets(case.answer);
    let error = |answer: &[u8]| case.host().authenticate(answer).unwrap_err();
    for length in 0..good.len() {
        assert!([Scp03Error::Form, Scp03Error::Cryptogram].contains(&error(&good[..length])), "{length}");
    }
    assert_eq!(error(&[&good[..], &[0]].concat()), Scp03Error::Form);
    let with = |at: usize, octet: u8| {
        let mut answer = good.clone();
        answer[at] = octet;
        answer
    };
    assert_eq!(error(&with(11, 2)), Scp03Error::Protocol(2));
    // Without R-ENCRYPTION, without R-MAC, S16, a bit that is not given out, no counter although there is one.
    assert_eq!(error(&with(12, 0x30)), Scp03Error::Option(0x30));
    assert_eq!(error(&with(12, 0x10)), Scp03Error::Option(0x10));
    assert_eq!(error(&with(12, 0x71)), Scp03Error::Form);
    assert_eq!(error(&with(12, 0x72)), Scp03Error::Form);
    assert_eq!(error(&with(12, 0x60)), Scp03Error::Form);
    let other = good[10] ^ 1;
    let initialize = command(case.initialize);
    let host = Host::new(case.keys(), good[10], 0x80, initialize.data).unwrap();
    assert_eq!(host.authenticate(&with(10, other)).unwrap_err(), Scp03Error::KeyVersion(other));
}

#[test]
fn keys_and_challenges_have_their_lengths() {
    let secret = |length: usize| Secret::new(vec![7; length]);
    for length in [0, 8, 15, 17, 20, 33] {
        let keys = StaticKeys::new(&secret(length), &secret(length), secret(length));
        assert_eq!(keys.err(), Some(Scp03Error::Keys), "{length}");
    }
    assert!(StaticKeys::new(&secret(16), &secret(16), secret(24)).is_err());
    assert!(StaticKeys::new(&secret(16), &secret(32), secret(16)).is_err());
    let keys = StaticKeys::new(&secret(32), &secret(32), secret(32)).unwrap();
    assert_eq!(format!("{keys:?}"), "StaticKeys(256 bits)");
    assert_eq!(keys.dek(), &secret(32));
    for length in [0, 7, 9, 15, 17] {
        let host = Host::new(keys.clone(), 0, 0x80, vec![0; length]);
        assert_eq!(host.unwrap_err(), Scp03Error::Challenge, "{length}");
    }
    assert_eq!(Host::new(keys, 0x80, 0x80, vec![0; 8]).unwrap_err(), Scp03Error::KeyVersion(0x80));
}

/// A host and a card that have found each other.
fn pair(size: usize, mode: Mode, class: u8) -> (HostSession, CardSession) {
    let secret = |octet: u8| Secret::new(vec![octet; size]);
    let keys = StaticKeys::new(&secret(1), &secret(2), secret(3)).unwrap();
    let host = Host::new(keys.clone(), 0, class, vec![4; mode.size()]).unwrap();
    let card = Card { keys, key_version: 0x30, diversification: [5; 10] };
    let initialize = host.initialize_update();
    let challenge = CardChallenge::PseudoRandom { counter: 0xffff_ffff, aid: b"application" };
    let (answer, handshake) = card.initialize_update(initialize.header, &initialize.data, challenge).unwrap();
    let (authenticate, session) = host.authenticate(&answer).unwrap();
    (session, handshake.external_authenticate(authenticate.header, &authenticate.data).unwrap())
}

#[test]
fn the_room_is_what_fits() {
    for (mode, command, response) in [(Mode::S8, 239, 239), (Mode::S16, 223, 239)] {
        let (mut host, mut card) = pair(16, mode, 0x80);
        assert_eq!((host.room(), host.response_room(), card.room()), (command, response, response));
        let message = host.wrap([0, 0xd6, 0, 0], &vec![1; command], false).unwrap();
        assert!(message.data.len() <= 255);
        card.unwrap(message.header, &message.data, false).unwrap();
        assert!(card.wrap(&vec![1; response], 0x9000).unwrap().len() <= 256);
        let (mut host, mut card) = pair(16, mode, 0x80);
        assert!(host.wrap([0, 0xd6, 0, 0], &vec![1; command + 1], false).unwrap().data.len() > 255);
        let longest = vec![1; 0xffff];
        assert_eq!(pair(16, mode, 0x80).0.wrap([0; 4], &longest, false), Err(Scp03Error::TooLong));
        assert_eq!(card.wrap(&[], 0x9000), Err(Scp03Error::Turn));
    }
}

proptest! {
    #[test]
    fn what_one_side_says_the_other_hears(
        size in prop_oneof![Just(16usize), Just(24), Just(32)],
        mode in prop_oneof![Just(Mode::S8), Just(Mode::S16)],
        class in prop_oneof![Just(0x00u8), Just(0x03), Just(0x80), Just(0x42), Just(0xcf)],
        extended: bool,
        exchanges in proptest::collection::vec(
            (
                any::<[u8; 3]>(),
                proptest::collection::vec(any::<u8>(), 0..600),
                proptest::collection::vec(any::<u8>(), 0..600),
                prop_oneof![Just(0x9000u16), Just(0x6282), Just(0x63c2), Just(0x6a82)],
            ),
            1..6,
        ),
    ) {
        let (mut host, mut card) = pair(size, mode, class | 0x80);
        for ([instruction, p1, p2], data, answer, status) in exchanges {
            let message = host.wrap([class, instruction, p1, p2], &data, extended).unwrap();
            prop_assert_ne!(message.header[0], class);
            let heard = card.unwrap(message.header, &message.data, extended || message.data.len() > 255);
            let heard = heard.unwrap();
            prop_assert_eq!(heard.expose(), data);
            let wrapped = card.wrap(&answer, status).unwrap();
            let plain = host.unwrap(&wrapped, status).unwrap();
            let expected = if status == 0x6a82 { &[][..] } else { &answer };
            prop_assert_eq!(plain.expose(), expected);
        }
    }
}
