//! The secure channel around the reading and the writing of a card.

use omadm_auth::Secret;
use omadm_session::smartcard::{CardError, CardKeys, CardSettings, SecureChannel};
use omadm_softcard::{Fault, Image, Keys, Kind, Setup};

use crate::{JSON, card, drive, json, read};

fn keys(keys: &Keys) -> CardKeys {
    let secret = |octets: &Vec<u8>| Secret::new(octets.clone());
    CardKeys::new(&secret(&keys.enc), &secret(&keys.mac), secret(&keys.dek), keys.version).unwrap()
}

pub fn settings(own: &Keys) -> CardSettings {
    CardSettings { keys: Some(keys(own)), challenge: *b"8 octets", ..CardSettings::default() }
}

fn setup(kind: Kind, own: &Keys) -> Setup {
    Setup { kind, keys: Some(own.clone()), image: Image::secured(JSON), ..Setup::default() }
}

#[test]
fn a_bootstrap_comes_encrypted_with_keys_of_every_length() {
    for kind in [Kind::Uicc, Kind::Sim] {
        for length in [16, 24, 32] {
            let own = Keys::of_length(length);
            for (get_response, exact) in [(false, false), (true, false), (false, true)] {
                let mut card = card(Setup { get_response, exact, ..setup(kind, &own) });
                let t0 = get_response || kind == Kind::Sim;
                let found = read(&mut card, CardSettings { t0, ..settings(&own) });
                assert!(found.as_ref().is_ok_and(|content| content.secured), "{kind:?} {length}: {found:?}");
                assert_eq!(json(found), JSON);
                let open = |octets: &[u8]| {
                    octets.windows(9).any(|octets| JSON.windows(9).any(|part| part == octets))
                };
                assert!(!card.trace().iter().any(|(_, answer)| open(answer)), "nothing of it in the clear");
            }
        }
    }
}

#[test]
fn the_order_is_that_of_the_standard() {
    let own = Keys::default();
    let mut card = card(setup(Kind::Uicc, &own));
    read(&mut card, settings(&own)).unwrap();
    let on_channel: Vec<_> =
        card.trace().iter().map(|(command, _)| command).filter(|command| command[0] & 3 == 1).collect();
    assert_eq!(on_channel[0][..4], [0x01, 0xA4, 0x04, 0x04], "SELECT by AID is the first on the channel");
    assert_eq!(on_channel[1][..5], [0x81, 0x50, 0x30, 0x00, 0x08], "then INITIALIZE UPDATE");
    assert_eq!(
        on_channel[2][..5],
        [0x85, 0x82, 0x33, 0x00, 0x10],
        "then EXTERNAL AUTHENTICATE for everything"
    );
    assert!(
        on_channel[3..].iter().all(|command| command[0] == 0x05),
        "then all of it under secure messaging"
    );
}

#[test]
fn the_policy_decides() {
    let own = Keys::default();
    let plain = || card(Setup { image: Image::of(JSON), ..Setup::default() });
    let able = || card(setup(Kind::Uicc, &own));
    let with = |secure, keys: Option<CardKeys>| CardSettings { secure, keys, ..CardSettings::default() };
    assert_eq!(json(read(&mut plain(), with(SecureChannel::Off, Some(keys(&own))))), JSON);
    assert_eq!(json(read(&mut plain(), with(SecureChannel::WithKeys, None))), JSON);
    let demanded = read(&mut plain(), with(SecureChannel::WithKeys, Some(keys(&own))));
    assert!(matches!(demanded, Err(CardError::NotSecured { .. })), "{demanded:?}");
    let mut unread = able();
    assert_eq!(read(&mut unread, with(SecureChannel::Required, None)), Err(CardError::NoKeys));
    assert!(unread.trace().is_empty(), "nothing is said to a card that may not be read");
    assert_eq!(json(read(&mut able(), with(SecureChannel::Required, Some(keys(&own))))), JSON);
    let closed = read(&mut able(), with(SecureChannel::Off, Some(keys(&own))));
    assert!(
        matches!(closed, Err(CardError::NoPin { .. })),
        "a card does not say what is missing: {closed:?}"
    );
}

#[test]
fn wrong_keys_are_told_and_nothing_is_read() {
    let own = Keys::default();
    for part in 0..2 {
        let mut wrong = own.clone();
        [&mut wrong.enc, &mut wrong.mac][part][3] ^= 1;
        let mut card = card(setup(Kind::Uicc, &own));
        let outcome = read(&mut card, settings(&wrong));
        assert!(outcome.is_err(), "{outcome:?}");
        assert!(part == 0 || matches!(outcome, Err(CardError::Secure(_))), "{outcome:?}");
        assert!(!card.trace().iter().any(|(command, _)| command[1] == 0xB0 && command[0] & 3 == 1));
    }
    let other = Keys { version: 0x31, ..own.clone() };
    let outcome = read(&mut card(setup(Kind::Uicc, &own)), settings(&other));
    assert!(matches!(outcome, Err(CardError::NotSecured { .. })), "{outcome:?}");
}

/// Whatever happens on the way: what is found is what is on the card, or there is a reason.
#[test]
fn what_is_changed_or_repeated_on_the_way_is_noticed() {
    let own = Keys::default();
    for kind in [Kind::Uicc, Kind::Sim] {
        let mut image = Image::secured(JSON);
        image.directories[0].objects[0].private = true;
        let setup = Setup { image, ..setup(kind, &own) };
        let mut whole = card(setup.clone());
        assert_eq!(json(drive(&mut whole, settings(&own), &["2468"]).0), JSON);
        let count = whole.trace().len();
        let secured = whole.trace().iter().position(|(command, _)| command[1] == 0x50).unwrap();
        for at in 0..count {
            let words = [0x9000, 0x6300, 0x63C1, 0x6982, 0x6988, 0x6A82, 0x6C00, 0x6C10, 0x6F00];
            let words = words.map(Fault::Status).into_iter();
            for fault in words.chain([Fault::Tampered, Fault::Replayed, Fault::Gone]) {
                let mut flawed = card(setup.clone()).with(at, fault.clone());
                let outcome = drive(&mut flawed, settings(&own), &["2468"]).0;
                let command = &whole.trace()[at].0;
                // How much waits for GET RESPONSE is no part of the answer.
                let has_data = whole.trace()[at].1.len() > 2;
                let is_inside = at >= secured && has_data && command[0] & 0x04 != 0 && command[1] != 0x82;
                match outcome {
                    Ok(content) => {
                        // Errors come without a MAC, and say no more than that there is nothing; nor has another length one.
                        let says_none = matches!(fault, Fault::Status(0x6A82)) && content.bootstrap.is_none();
                        let is_retried = matches!(fault, Fault::Status(0x6C00 | 0x6C10));
                        let is_known = says_none || is_retried;
                        assert!(!is_inside || is_known, "{fault:?} at {at} of {count} went unnoticed");
                        assert!(
                            content.bootstrap.is_none() || json(Ok(content)) == JSON,
                            "{fault:?} at {at}"
                        );
                    }
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            }
        }
    }
}
