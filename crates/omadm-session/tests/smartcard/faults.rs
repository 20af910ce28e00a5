//! Cards that go wrong at each of their commands.

use omadm_session::smartcard::{CardError, CardSettings};
use omadm_softcard::{Fault, Flawed, Image, Kind, Setup};

use crate::{JSON, card, drive, json, read};

fn setups() -> [Setup; 4] {
    let setup = |kind, image| Setup { kind, image, ..Setup::default() };
    [
        setup(Kind::Sim, Image::of(JSON)),
        setup(Kind::Uicc, Image::of(JSON)),
        setup(Kind::Sim, Image::private(JSON)),
        setup(Kind::Uicc, Image::private(JSON)),
    ]
}

/// How many commands a run has.
fn length(setup: &Setup) -> usize {
    let mut card = card(setup.clone());
    assert_eq!(json(drive(&mut card, CardSettings::default(), &["2468"]).0), JSON);
    card.trace().len()
}

fn with(setup: &Setup, at: usize, fault: Fault) -> Flawed {
    card(setup.clone()).with(at, fault)
}

#[test]
fn a_card_that_is_pulled_out_gives_nothing() {
    for setup in setups() {
        for at in 0..length(&setup) {
            let mut card = with(&setup, at, Fault::Gone);
            let outcome = drive(&mut card, CardSettings::default(), &["2468"]).0;
            assert!(matches!(outcome, Err(CardError::Gone { .. })), "{at}: {outcome:?}");
        }
    }
}

/// What a status word must not lead to is anything else than the bootstrap as it is, nothing, or a reason.
#[test]
fn any_status_word_anywhere_gives_all_or_nothing() {
    let words = [
        0x6100, 0x6282, 0x6300, 0x63C2, 0x63C0, 0x6700, 0x6881, 0x6982, 0x6983, 0x6985, 0x6A81, 0x6A82,
        0x6A83, 0x6B00, 0x6C01, 0x6C00, 0x6D00, 0x6E00, 0x6F00, 0x9000, 0x9300, 0x9404, 0x9804, 0x9840,
        0x9F10,
    ];
    for setup in setups() {
        for at in 0..length(&setup) {
            for word in words {
                let mut card = with(&setup, at, Fault::Status(word));
                let outcome = drive(&mut card, CardSettings::default(), &["2468", "2468", "2468"]).0;
                if let Ok(content) = &outcome
                    && content.bootstrap.is_some()
                {
                    assert_eq!(json(outcome), JSON, "{word:04X} at {at}");
                }
                assert!(card.card.tries() >= 1, "{word:04X} at {at}");
            }
        }
    }
}

#[test]
fn a_length_that_the_card_corrects_is_said_again_and_only_once() {
    for setup in setups() {
        let exact = Setup { exact: true, ..setup };
        let length = length(&exact);
        for at in 0..length {
            let mut flawed = card(exact.clone());
            // However often it is told, the engine does not go round in circles.
            for more in 0..4_096 {
                flawed = flawed.with(at + more, Fault::Status(0x6C05));
            }
            let outcome = drive(&mut flawed, CardSettings::default(), &["2468"]).0;
            assert!(
                !matches!(outcome, Ok(ref content) if content.bootstrap.is_some()) || at >= length - 6,
                "{at}"
            );
            assert!(flawed.trace().len() < length + 16, "{at}");
        }
    }
}

#[test]
fn a_card_that_is_swapped_gives_nothing() {
    let other = Image { iccid: vec![0x11; 10], ..Image::of(b"[\"other\"]") };
    for setup in setups() {
        let other = Setup { image: other.clone(), ..setup.clone() };
        // Before it has said who it is, the other card is simply the card.
        let mut own = card(setup.clone());
        drive(&mut own, CardSettings::default(), &["2468"]).0.unwrap();
        let said = own.trace().iter().position(|(_, answer)| answer.starts_with(&setup.image.iccid)).unwrap();
        let last = own.trace().len() - 1;
        for at in said + 1..=last {
            let mut card = with(&setup, at, Fault::Swapped(Box::new(other.clone())));
            let outcome = drive(&mut card, CardSettings::default(), &["2468"]).0;
            assert!(outcome.is_err(), "{at} of {last}: {outcome:?}");
        }
    }
}

#[test]
fn the_channel_is_closed_whatever_happens_on_it() {
    let setup = Setup { image: Image::of(JSON), ..Setup::default() };
    let mut whole = card(setup.clone());
    read(&mut whole, CardSettings::default()).unwrap();
    let opened = whole.trace().iter().position(|(command, _)| command[1] == 0x70).unwrap();
    for at in opened + 1..whole.trace().len() {
        let mut card = with(&setup, at, Fault::Status(0x6F00));
        let _outcome = read(&mut card, CardSettings::default());
        let closed = card.trace().iter().any(|(command, _)| command == &[0x00, 0x70, 0x80, 0x01]);
        assert!(closed, "{at}");
    }
    let without = Setup { channels: 0, ..setup };
    let error = read(&mut card(without), CardSettings::default()).unwrap_err();
    assert_eq!(error, CardError::NoChannel);
    assert!(error.may_pass());
}
