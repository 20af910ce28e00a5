//! PINs that a file names by a rule in EF(ARR) (`TS 102 221 §11.1.1.4.7.3`).

use omadm_session::smartcard::{CardError, CardSettings};
use omadm_softcard::image::{Rules, tlv};
use omadm_softcard::{Access, Fault, Image, Keys, Pin, Setup};

use crate::{JSON, card, drive, json, read};

const RIGHT: &str = "2468";
const ARR: u16 = 0x6F06;

/// READ with this key, UPDATE for the issuer; then the filler of a record.
fn record(key: u8) -> Vec<u8> {
    let usage = |key| tlv(0xA4, &[&[0x83, 0x01, key][..], &[0x95, 0x01, 0x08]].concat());
    let mut rules = [tlv(0x80, &[0x01]), usage(key), tlv(0x80, &[0x02]), usage(0x0A)].concat();
    rules.resize(40, 0xFF);
    rules
}

/// READ for nobody.
fn never() -> Vec<u8> {
    let mut rules = [tlv(0x80, &[0x01]), tlv(0x97, &[])].concat();
    rules.resize(40, 0xFF);
    rules
}

/// A card that names two PINs, of which the second one opens the bootstrap, as `rule` says.
fn setup(rule: &[u8], records: Vec<Vec<u8>>) -> Setup {
    let rules = Rules { file: ARR, beside: false, records };
    let image = Image { rule: rule.to_vec(), rules: Some(rules), ..Image::private(JSON) };
    let pin = Pin { reference: 0x81, ..Pin::default() };
    let other_pin = Some(Pin { digits: "9999".to_owned(), reference: 0x01, ..Pin::default() });
    Setup { image, pin, other_pin, ..Setup::default() }
}

fn asked(setup: Setup) -> Vec<u8> {
    let mut card = card(setup);
    let (outcome, asked) = drive(&mut card, CardSettings::default(), &[RIGHT]);
    assert_eq!(json(outcome), JSON);
    asked.iter().map(|question| question.reference.0).collect()
}

#[test]
fn the_pin_of_the_rule_is_asked_for_and_no_other() {
    let rule = [0x6F, 0x06, 2];
    let records = vec![record(0x0A), record(0x81)];
    assert_eq!(asked(setup(&rule, records.clone())), [0x81]);
    // Without a rule it would have been the first one.
    let mut card = card(setup(&[], records.clone()));
    let (outcome, questions) = drive(&mut card, CardSettings::default(), &["9999"]);
    assert_eq!(questions[0].reference.0, 0x01);
    assert!(outcome.is_err() && card.card.other_tries() == 3, "{outcome:?}");
    // With a file that is closed without a flag in its entry, too.
    let mut closed = setup(&rule, records);
    closed.image.directories[0].objects[0].private = false;
    assert_eq!(asked(closed), [0x81]);
}

#[test]
fn the_security_environment_says_which_record_counts() {
    let rule = [0x6F, 0x06, 1, 2, 0, 1];
    let records = vec![record(0x81), record(0x01)];
    // The PIN of the application is switched off, so environment 0 counts.
    let mut off = setup(&rule, records.clone());
    off.other_pin.as_mut().unwrap().enabled = false;
    assert_eq!(asked(off), [0x81]);
    // It is in use: record 2 asks for it.
    let mut card = card(setup(&rule, records));
    let (_, questions) = drive(&mut card, CardSettings::default(), &["9999"]);
    assert_eq!(questions.first().map(|question| question.reference.0), Some(0x01));
}

#[test]
fn rules_are_looked_for_in_the_directories_above() {
    for beside in [true, false] {
        let mut inner = setup(&[0x6F, 0x06, 1], vec![record(0x81)]);
        inner.image.inner = Some(0x5F10);
        inner.image.rules.as_mut().unwrap().beside = beside;
        let mut card = card(inner);
        let (outcome, asked) = drive(&mut card, CardSettings::default(), &[RIGHT]);
        assert_eq!(json(outcome), JSON, "{beside}");
        assert_eq!(asked.iter().map(|question| question.reference.0).collect::<Vec<_>>(), [0x81]);
        let ascended = card.trace().iter().any(|(command, _)| command[1..4] == [0xA4, 0x03, 0x04]);
        assert_eq!(ascended, !beside);
    }
}

#[test]
fn what_nobody_may_read_is_not_asked_for() {
    let mut card = card(setup(&[0x6F, 0x06, 1], vec![never()]));
    let (outcome, asked) = drive(&mut card, CardSettings::default(), &[RIGHT]);
    assert!(matches!(outcome, Err(CardError::Closed { .. })), "{outcome:?}");
    assert_eq!(asked.len(), 0);
    // Nor does anybody know a key of the issuer.
    let (outcome, asked) = drive(
        &mut crate::card(setup(&[0x6F, 0x06, 1], vec![record(0x0A)])),
        CardSettings::default(),
        &[RIGHT],
    );
    assert!(matches!(outcome, Err(CardError::Closed { .. })), "{outcome:?}");
    assert_eq!(asked.len(), 0);
}

#[test]
fn a_rule_that_is_not_there_leaves_what_the_application_says() {
    let no_record = setup(&[0x6F, 0x06, 9], vec![record(0x81)]);
    let mut no_file = setup(&[0x6F, 0x07, 1], vec![record(0x81)]);
    no_file.image.inner = Some(0x5F10);
    let rubbish = setup(&[0x6F, 0x06, 1], vec![vec![0x80, 0x7F, 0x01]]);
    for setup in [no_record, no_file, rubbish] {
        let mut card = card(setup);
        let (_, questions) = drive(&mut card, CardSettings::default(), &["9999", RIGHT]);
        let asked: Vec<u8> = questions.iter().map(|question| question.reference.0).collect();
        assert_eq!(asked, [0x01, 0x81]);
    }
}

#[test]
fn a_card_that_goes_wrong_on_the_way_gives_all_or_nothing() {
    let mut setup = setup(&[0x6F, 0x06, 1], vec![record(0x81)]);
    setup.image.inner = Some(0x5F10);
    let mut whole = card(setup.clone());
    assert_eq!(json(drive(&mut whole, CardSettings::default(), &[RIGHT]).0), JSON);
    for at in 0..whole.trace().len() {
        for fault in [0x6300, 0x6982, 0x6A82, 0x6C05, 0x6F00, 0x9000].map(Fault::Status) {
            let mut flawed = card(setup.clone()).with(at, fault.clone());
            let (outcome, _) = drive(&mut flawed, CardSettings::default(), &[RIGHT]);
            if let Ok(content) = outcome
                && content.bootstrap.is_some()
            {
                assert_eq!(json(Ok(content)), JSON, "{fault:?} at {at}");
            }
        }
        let mut gone = card(setup.clone()).with(at, Fault::Gone);
        assert!(matches!(
            read(&mut gone, CardSettings::default()),
            Err(CardError::Gone { .. } | CardError::NoPin { .. })
        ));
    }
}

#[test]
fn rules_are_read_through_the_secure_channel_too() {
    let own = Keys::default();
    let setup = Setup { keys: Some(own.clone()), ..setup(&[0x6F, 0x06, 1], vec![record(0x81)]) };
    let mut card = card(setup);
    let (outcome, asked) = drive(&mut card, crate::secured::settings(&own), &[RIGHT]);
    assert!(outcome.as_ref().is_ok_and(|content| content.secured), "{outcome:?}");
    assert_eq!(asked.iter().map(|question| question.reference.0).collect::<Vec<_>>(), [0x81]);
}

#[test]
fn everybody_may_read_a_file_whose_rule_says_so() {
    let mut rules = [tlv(0x80, &[0x01]), tlv(0x90, &[])].concat();
    rules.resize(40, 0xFF);
    let mut open = setup(&[0x6F, 0x06, 1], vec![rules]);
    open.image.data[0].read = Access::Always;
    open.image.directories[0].objects[0].private = false;
    let mut card = card(open);
    assert_eq!(json(read(&mut card, CardSettings::default())), JSON);
    let looked = card.trace().iter().any(|(command, _)| command.ends_with(&[0x6F, 0x06, 0x00]));
    assert!(!looked, "what is open needs no rule");
}
