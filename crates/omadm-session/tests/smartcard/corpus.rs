//! The property that the fuzz target checks, over its corpus and over whole runs of the card of software.

use omadm_session::smartcard::check::check_card;
use omadm_session::smartcard::{CardSettings, Mode};
use omadm_softcard::image::{Rules, tlv};
use omadm_softcard::{Flawed, Image, Keys, Kind, Pin, Setup};

use crate::{JSON, card, drive};

/// As it is, cut off, and with a bit changed.
fn check(script: &[u8]) {
    check_card(script);
    for at in 0..script.len() {
        if at % 4 == 0 {
            check_card(&script[..at]);
        }
        let mut changed = script.to_vec();
        changed[at] ^= 1 << (at % 8);
        check_card(&changed);
    }
}

#[test]
fn every_file_has_the_property() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/card");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        check(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "an empty folder proves nothing");
}

/// What the card answered, as the check takes it.
fn script(choice: u8, card: &Flawed) -> Vec<u8> {
    let mut script = vec![choice];
    for (_, answer) in card.trace() {
        script.extend(u16::try_from(answer.len()).unwrap().to_be_bytes());
        script.extend(answer);
    }
    script
}

/// Whole runs of the engine that reads: their name, their settings in one octet, the card.
fn runs() -> Vec<(&'static str, u8, Setup)> {
    let sim = |image| Setup { kind: Kind::Sim, image, ..Setup::default() };
    let uicc = |image| Setup { image, ..Setup::default() };
    let url = {
        let mut image = Image::of(b"");
        image.directories[0].objects[0].url = Some("https://card.example/bootstrap".to_owned());
        image
    };
    let usage = [&[0x83, 0x01, 0x81][..], &[0x95, 0x01, 0x08]].concat();
    let rule = [tlv(0x80, &[0x01]), tlv(0xA4, &usage)].concat();
    let rules = Rules { file: 0x6F06, beside: false, records: vec![rule] };
    let ruled =
        Image { inner: Some(0x5F10), rule: vec![0x6F, 0x06, 1], rules: Some(rules), ..Image::private(JSON) };
    let local = Pin { reference: 0x81, ..Pin::default() };
    let secured = Setup { keys: Some(Keys::default()), ..uicc(Image::secured(JSON)) };
    vec![
        ("uicc", 0x04, uicc(Image::of(JSON))),
        ("uicc-t0", 0x0C, Setup { get_response: true, ..uicc(Image::of(JSON)) }),
        ("uicc-exact", 0x04, Setup { exact: true, ..uicc(Image::of(JSON)) }),
        ("uicc-private", 0x04, uicc(Image::private(JSON))),
        ("uicc-rules", 0x04, Setup { pin: local, ..uicc(ruled) }),
        ("uicc-secured", 0x24, secured),
        ("uicc-url", 0x04, uicc(url)),
        ("sim", 0x02, sim(Image::of(JSON))),
        ("sim-private", 0x02, sim(Image::private(JSON))),
        ("auto-sim", 0x00, sim(Image { transparent_dir: true, ..Image::of(b"\x02\xA4\x01\x6A\x00") })),
    ]
}

fn save(name: &str, script: &[u8]) {
    if let Some(folder) = std::env::var_os("CARD_SEEDS") {
        std::fs::write(std::path::Path::new(&folder).join(name), script).unwrap();
    }
}

#[test]
fn whole_runs_have_the_property() {
    for (name, choice, setup) in runs() {
        let settings = CardSettings {
            mode: [Mode::Auto, Mode::Sim, Mode::Uicc][usize::from(choice >> 1 & 3)],
            t0: choice & 0x08 != 0,
            ..if choice & 0x20 != 0 {
                crate::secured::settings(&Keys::default())
            } else {
                CardSettings::default()
            }
        };
        let mut card = card(setup);
        let outcome = drive(&mut card, settings, &["2468"]).0;
        assert!(outcome.is_ok_and(|content| content.bootstrap.is_some()), "{name}");
        let script = script(choice, &card);
        save(name, &script);
        check(&script);
    }
    let own = Keys::default();
    // The check writes two octets for each of its choice, which are one block, or two.
    for (name, choice) in [("write-block", 0x25), ("write-blocks", 0xA5)] {
        let octets = vec![b'a'; usize::from(choice) * 2];
        let mut card = card(crate::writing::blank(Kind::Uicc, &own, 400));
        let files = vec![crate::writing::file(0x6421, &octets)];
        crate::writing::write(&mut card, crate::secured::settings(&own), files).unwrap();
        let script = script(choice, &card);
        save(name, &script);
        check(&script);
    }
}
