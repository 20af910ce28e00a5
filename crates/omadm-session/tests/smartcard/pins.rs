//! PINs: which is shown, how often, and when not.

use omadm_session::smartcard::{CardError, CardSettings, Mode};
use omadm_softcard::{Access, Image, Kind, Pin, Setup};

use crate::{JSON, card, drive, json, read};

const RIGHT: &str = "2468";

fn setup(kind: Kind, reference: u8) -> Setup {
    let pin = Pin { reference, ..Pin::default() };
    Setup { kind, pin, image: Image::private(JSON), ..Setup::default() }
}

fn last(card: &omadm_softcard::Flawed) -> CardSettings {
    let _ = card;
    CardSettings { last_try: true, ..CardSettings::default() }
}

#[test]
fn a_private_bootstrap_needs_the_pin_that_the_card_names() {
    for (kind, reference, name) in [
        (Kind::Sim, 0x01, "CHV1"),
        (Kind::Uicc, 0x01, "the PIN of application 1"),
        (Kind::Uicc, 0x11, "the universal PIN"),
        (Kind::Uicc, 0x81, "the local PIN of application 1"),
    ] {
        let mut card = card(setup(kind, reference));
        let (outcome, asked) = drive(&mut card, CardSettings::default(), &[RIGHT]);
        assert_eq!(json(outcome), JSON);
        let [question] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!((question.pin.as_str(), question.tries_left, question.attempt), (name, Some(3), 1));
        assert_eq!(question.label.as_deref(), Some("DM Bootstrap"));
        let trace: Vec<_> = card.trace().iter().map(|(command, _)| command.clone()).collect();
        let place =
            |wanted: &dyn Fn(&[u8]) -> bool| trace.iter().position(|command| wanted(command)).unwrap();
        let verified = place(&|command| command[1] == 0x20 && command.len() > 5);
        let selected =
            place(&|command| command.ends_with(&[0x64, 0x21]) || command.ends_with(&[0x64, 0x21, 0]));
        assert!(selected < verified, "{name}");
        assert_eq!(trace[verified][3], reference, "{name}");
        assert_eq!(trace[verified][5..], *b"2468\xFF\xFF\xFF\xFF", "{name}");
        assert_eq!(trace[verified + 1][1], 0xB0, "{name}: then it is read");
    }
}

#[test]
fn modifiable_means_the_same() {
    for kind in [Kind::Sim, Kind::Uicc] {
        let mut image = Image::of(JSON);
        image.directories[0].objects[0].modifiable = true;
        let (outcome, asked) =
            drive(&mut card(Setup { kind, image, ..Setup::default() }), CardSettings::default(), &[RIGHT]);
        assert_eq!((json(outcome), asked.len()), (JSON.to_vec(), 1));
    }
}

#[test]
fn a_pin_that_is_switched_off_is_not_asked_for() {
    for kind in [Kind::Sim, Kind::Uicc] {
        let mut setup = setup(kind, 0x01);
        setup.pin.enabled = false;
        assert_eq!(json(read(&mut card(setup), CardSettings::default())), JSON);
    }
}

#[test]
fn a_closed_file_without_a_flag_asks_for_the_pin_too() {
    for kind in [Kind::Sim, Kind::Uicc] {
        let mut image = Image::of(JSON);
        image.data[0].read = Access::Pin;
        image.directories[0].read = Access::Pin;
        let (outcome, asked) =
            drive(&mut card(Setup { kind, image, ..Setup::default() }), CardSettings::default(), &[RIGHT]);
        assert_eq!((json(outcome), asked.len()), (JSON.to_vec(), 1), "one PIN opens both");
    }
    for kind in [Kind::Sim, Kind::Uicc] {
        let mut image = Image::of(JSON);
        image.data[0].read = Access::Never;
        let (outcome, _) =
            drive(&mut card(Setup { kind, image, ..Setup::default() }), CardSettings::default(), &[RIGHT]);
        assert!(matches!(outcome, Err(CardError::Closed { .. })), "{outcome:?}");
    }
}

#[test]
fn tries_are_counted_and_the_last_one_is_left() {
    for kind in [Kind::Sim, Kind::Uicc] {
        let mut card = card(setup(kind, 0x01));
        let (outcome, asked) = drive(&mut card, CardSettings::default(), &["1111", "2222", "3333"]);
        assert!(matches!(outcome, Err(CardError::LastTry { tries: 1, .. })), "{outcome:?}");
        let tries: Vec<_> = asked.iter().map(|question| (question.attempt, question.tries_left)).collect();
        assert_eq!(tries, [(1, Some(3)), (2, Some(2))]);
        assert_eq!(card.card.tries(), 1);
        // Nor is it used in the next life of the device.
        card.card.reset();
        let (outcome, asked) = drive(&mut card, CardSettings::default(), &[RIGHT]);
        assert!(matches!(outcome, Err(CardError::LastTry { tries: 1, .. })), "{outcome:?}");
        assert_eq!((asked.len(), card.card.tries()), (0, 1));
        // With leave it is, and a right PIN gives all tries back.
        let (outcome, _) =
            drive(&mut card, CardSettings { last_try: true, ..CardSettings::default() }, &[RIGHT]);
        assert_eq!((json(outcome), card.card.tries()), (JSON.to_vec(), 3));
    }
}

#[test]
fn a_wrong_pin_blocks_in_the_end() {
    for kind in [Kind::Sim, Kind::Uicc] {
        let mut card = card(setup(kind, 0x01));
        let settings = last(&card);
        let (outcome, asked) = drive(&mut card, settings.clone(), &["1111", "2222", "3333", RIGHT]);
        assert!(matches!(outcome, Err(CardError::Blocked { .. })), "{outcome:?}");
        assert_eq!((asked.len(), card.card.tries()), (3, 0));
        card.card.reset();
        let (outcome, asked) = drive(&mut card, settings, &[RIGHT]);
        assert!(matches!(outcome, Err(CardError::Blocked { .. })), "{outcome:?}");
        assert_eq!(asked.len(), 0, "a blocked PIN is not asked for");
    }
}

#[test]
fn without_a_user_no_try_is_made() {
    for kind in [Kind::Sim, Kind::Uicc] {
        let mut card = card(setup(kind, 0x01));
        let settings = CardSettings { mode: Mode::Auto, ..CardSettings::default() };
        let (outcome, asked) = drive(&mut card, settings, &[]);
        assert!(matches!(outcome, Err(CardError::NoPin { .. })), "{outcome:?}");
        assert_eq!((asked.len(), card.card.tries()), (1, 3));
    }
}
