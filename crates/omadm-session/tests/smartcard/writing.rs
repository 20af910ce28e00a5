//! Cards that are written by their issuer, and torn on the way.

use omadm_codec::smartcard::{FileId, Path};
use omadm_session::Body;
use omadm_session::smartcard::{CardError, CardFile, CardInput, CardOutput, CardSettings, CardWriter};
use omadm_softcard::image::{Data, Directory};
use omadm_softcard::{Access, Fault, Flawed, Image, Keys, Kind, Setup};

use crate::secured::settings;
use crate::{JSON, card, json, read};

pub fn write(card: &mut Flawed, settings: CardSettings, files: Vec<CardFile>) -> Result<(), CardError> {
    let (mut writer, mut output) = CardWriter::begin(settings, files);
    loop {
        output = match output {
            CardOutput::Transmit(octets) => match card.transmit(&octets) {
                Some(answer) => writer.handle(CardInput::Answer(&answer)),
                None => writer.handle(CardInput::Gone),
            },
            CardOutput::AskPin(_) => writer.handle(CardInput::NoPin),
            CardOutput::Finished(outcome) => return outcome,
        };
    }
}

pub fn file(id: u16, octets: &[u8]) -> CardFile {
    CardFile { name: "EF(DM_Bootstrap)", path: Path::of(FileId(id)), octets: Body::from(octets.to_vec()) }
}

pub fn blank(kind: Kind, own: &Keys, size: usize) -> Setup {
    let image = Image {
        directories: vec![Directory::default()],
        data: vec![Data { file: 0x6421, read: Access::Always, octets: vec![0xFF; size] }],
        ..Image::default()
    };
    Setup { kind, keys: Some(own.clone()), image, ..Setup::default() }
}

#[test]
fn an_issuer_writes_a_card_that_can_be_read_then() {
    let own = Keys::default();
    for kind in [Kind::Uicc, Kind::Sim] {
        for size in [JSON.len(), JSON.len() + 700, 33_000] {
            let mut card = card(blank(kind, &own, size));
            write(&mut card, settings(&own), vec![file(0x6421, JSON)]).unwrap();
            let content = card.card.content(0x6421).unwrap();
            assert!(content.starts_with(JSON) && content[JSON.len()..].iter().all(|octet| *octet == 0xFF));
            card.card.reset();
            assert_eq!(json(read(&mut card, CardSettings::default())), JSON);
        }
    }
}

#[test]
fn what_cannot_be_written_is_told() {
    let own = Keys::default();
    let outcome = write(&mut card(blank(Kind::Uicc, &own, 10)), settings(&own), vec![file(0x6421, JSON)]);
    assert!(matches!(outcome, Err(CardError::DoesNotFit { size: 10, .. })), "{outcome:?}");
    let outcome = write(&mut card(blank(Kind::Uicc, &own, 100)), settings(&own), vec![file(0x7777, JSON)]);
    assert!(matches!(outcome, Err(CardError::NoPlace { .. })), "{outcome:?}");
    let outcome =
        write(&mut card(blank(Kind::Uicc, &own, 100)), CardSettings::default(), vec![file(0x6421, JSON)]);
    assert!(matches!(outcome, Err(CardError::Status { .. })), "{outcome:?}");
    let mut whole = card(blank(Kind::Uicc, &own, 100));
    write(&mut whole, settings(&own), vec![file(0x6421, JSON)]).unwrap();
    for at in 0..whole.trace().len() {
        let mut flawed = card(blank(Kind::Uicc, &own, 100)).with(at, Fault::Gone);
        let outcome = write(&mut flawed, settings(&own), vec![file(0x6421, JSON)]);
        assert!(matches!(outcome, Err(CardError::Gone { .. })), "{at}: {outcome:?}");
    }
}

/// A bootstrap of that many octets, all of them the same.
fn long(octet: u8, octets: usize) -> Vec<u8> {
    [b"[\"", vec![octet; octets].as_slice(), b"\"]"].concat()
}

/// Whatever is torn where: a device finds what was there before, what is to be there, or nothing that it would take.
#[test]
fn a_torn_card_holds_old_or_new_and_no_mixture() {
    let own = Keys::default();
    for kind in [Kind::Uicc, Kind::Sim] {
        for (before, after) in [(600, 700), (700, 30), (30, 700), (450, 448)] {
            let (old, new) = (long(b'o', before), long(b'n', after));
            let mut setup = blank(kind, &own, 800);
            setup.image.data[0].octets[..old.len()].copy_from_slice(&old);
            let mut whole = card(setup.clone());
            write(&mut whole, settings(&own), vec![file(0x6421, &new)]).unwrap();
            whole.card.reset();
            assert_eq!(json(read(&mut whole, CardSettings::default())), new);
            let count = whole.trace().iter().filter(|(command, _)| command[1] == 0xD6).count();
            assert!(count >= 4, "{count} blocks");
            for at in 0..whole.trace().len() {
                for fault in [Fault::Gone, Fault::Status(0x6982), Fault::Tampered] {
                    let mut torn = card(setup.clone()).with(at, fault.clone());
                    let outcome = write(&mut torn, settings(&own), vec![file(0x6421, &new)]);
                    torn.begin_without_faults();
                    torn.card.reset();
                    let found = read(&mut torn, CardSettings::default());
                    let left = torn.card.content(0x6421).unwrap();
                    let what = format!("{before} to {after}, {fault:?} at {at}: {found:?}");
                    match outcome {
                        Ok(()) => assert!(left.starts_with(&new), "{what}"),
                        Err(_) => assert!(
                            left.starts_with(&old) || left[0] == 0xFF || left.starts_with(&new),
                            "{what}"
                        ),
                    }
                    if let Ok(content) = found
                        && content.bootstrap.is_some()
                    {
                        let body = json(Ok(content));
                        // Octets FF are no text, so no decoder takes what has them in the middle.
                        let is_torn = std::str::from_utf8(&body).is_err();
                        assert!(body == old || body == new || is_torn, "{what}");
                    }
                }
            }
        }
    }
}
