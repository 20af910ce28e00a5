//! What is said to cards of each kind, and in which order.

use omadm_session::smartcard::{CardBootstrap, CardSettings, Mode};
use omadm_softcard::image::{Data, Directory, Object, PROVISIONING_OID};
use omadm_softcard::{Access, Flawed, Image, Kind, Setup};

use crate::{JSON, card, json, read};

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

fn commands(card: &Flawed) -> Vec<String> {
    card.trace().iter().map(|(command, _)| hex(command)).collect()
}

fn sim(image: Image) -> Setup {
    Setup { kind: Kind::Sim, image, ..Setup::default() }
}

fn uicc(image: Image) -> Setup {
    Setup { image, ..Setup::default() }
}

#[test]
fn a_uicc_is_read_on_a_channel_of_its_own() {
    let mut card = card(uicc(Image::of(JSON)));
    let found = read(&mut card, CardSettings::default());
    assert_eq!(found.as_ref().unwrap().iccid.as_deref(), Some("8901234567890123456"));
    assert_eq!(json(found), JSON);
    assert_eq!(
        commands(&card),
        [
            "00A40004023F0000",
            "00A40804022FE200",
            "00B000000A",
            "00A40804022F0000",
            "00B2010430",
            "00B2020430",
            "00B2030430",
            "0070000001",
            "01A404040CA000000063504B43532D313500",
            "01A4000402503100",
            "01B0000040",
            "01A4000402642000",
            "01B0000080",
            "01A4000402642100",
            "01B0000042",
            "00708001",
            "00A40804022FE200",
            "00B000000A",
        ]
    );
}

#[test]
fn a_sim_is_walked_through_from_the_mf() {
    let mut card = card(sim(Image::of(JSON)));
    assert_eq!(json(read(&mut card, CardSettings { mode: Mode::Sim, ..CardSettings::default() })), JSON);
    assert_eq!(
        commands(&card),
        [
            "A0A40000023F00",
            "A0C0000016",
            "A0A40000023F00",
            "A0C0000016",
            "A0A40000022FE2",
            "A0C000000F",
            "A0B000000A",
            "A0A40000023F00",
            "A0C0000016",
            "A0A40000022F00",
            "A0C000000F",
            "A0B2010430",
            "A0B2020430",
            "A0B2030430",
            "A0A40000023F00",
            "A0C0000016",
            "A0A40000027F50",
            "A0C0000016",
            "A0A40000025031",
            "A0C000000F",
            "A0B0000040",
            "A0A40000026420",
            "A0C000000F",
            "A0B0000080",
            "A0A40000026421",
            "A0C000000F",
            "A0B0000042",
            "A0A40000023F00",
            "A0C0000016",
            "A0A40000022FE2",
            "A0C000000F",
            "A0B000000A",
        ]
    );
}

#[test]
fn what_knows_nothing_of_a_uicc_is_a_sim() {
    let mut card = card(sim(Image::of(JSON)));
    assert_eq!(json(read(&mut card, CardSettings::default())), JSON);
    assert_eq!(commands(&card)[..2], ["00A40004023F0000", "A0A40000023F00"]);
    let mut uicc = crate::card(uicc(Image::of(JSON)));
    assert!(read(&mut uicc, CardSettings { mode: Mode::Sim, ..CardSettings::default() }).is_err());
}

#[test]
fn files_are_read_in_blocks_however_long_they_are() {
    for size in [1, 255, 256, 257, 32_767, 32_768, 32_769, 70_000] {
        let content = [b"[".as_slice(), &vec![b' '; size - 1]].concat();
        let mut image = Image::of(&content);
        image.data[0].octets = content.clone();
        for (get_response, exact) in [(false, false), (true, false), (false, true)] {
            let mut card = card(Setup { get_response, exact, ..uicc(image.clone()) });
            let settings = CardSettings { t0: get_response, ..CardSettings::default() };
            assert_eq!(json(read(&mut card, settings)), content, "{size} {get_response} {exact}");
        }
        if size <= 32_769 {
            assert_eq!(json(read(&mut crate::card(sim(image)), CardSettings::default())), content, "{size}");
        }
    }
}

#[test]
fn files_have_a_size_limit() {
    let image = Image::of(JSON);
    let size = image.data[0].octets.len();
    for (max_file, fits) in [(size, true), (size - 1, false)] {
        // Other files are smaller.
        let settings = CardSettings { max_file: max_file.max(128), ..CardSettings::default() };
        let mut large = image.clone();
        large.data[0].octets.resize(128 + usize::from(!fits), 0xFF);
        let outcome = read(&mut card(uicc(large)), settings);
        assert_eq!(outcome.is_ok(), fits, "{outcome:?}");
    }
    let mut endless = card(uicc(image));
    let few = CardSettings { max_commands: 5, ..CardSettings::default() };
    assert!(read(&mut endless, few).unwrap_err().to_string().contains("after 5 commands"));
}

#[test]
fn ef_dir_may_be_transparent_and_has_to_name_the_application() {
    for setup in [uicc, sim] {
        let mut image = Image { transparent_dir: true, ..Image::of(JSON) };
        assert_eq!(json(read(&mut card(setup(image.clone())), CardSettings::default())), JSON);
        image.without_application = true;
        let content = read(&mut card(setup(image)), CardSettings::default()).unwrap();
        assert_eq!(content.bootstrap, None);
    }
    // A SIM finds the directory by its path only.
    let without = Image { path: None, ..Image::of(JSON) };
    assert_eq!(read(&mut card(sim(without.clone())), CardSettings::default()).unwrap().bootstrap, None);
    assert_eq!(json(read(&mut card(uicc(without)), CardSettings::default())), JSON);
}

#[test]
fn files_are_where_the_directories_say() {
    for setup in [uicc, sim] {
        let image = Image {
            application: 0x5F11,
            path: Some(vec![0x3F, 0x00, 0x5F, 0x11]),
            directories: vec![Directory {
                file: 0x4321,
                objects: vec![Object { file: 0x1234, ..Object::default() }],
                ..Directory::default()
            }],
            data: vec![Data { file: 0x1234, read: Access::Always, octets: JSON.to_vec() }],
            ..Image::default()
        };
        assert_eq!(json(read(&mut card(setup(image)), CardSettings::default())), JSON);
    }
}

#[test]
fn the_first_bootstrap_by_its_oid_counts() {
    let object = |file, oid: &[u8]| Object { file, oid: oid.to_vec(), ..Object::default() };
    let oid = &omadm_softcard::image::BOOTSTRAP_OID[..];
    let directory = |file, objects| Directory { file, objects, ..Directory::default() };
    let data = |file, octets: &[u8]| Data { file, read: Access::Always, octets: octets.to_vec() };
    let image = Image {
        directories: vec![
            directory(0x6410, vec![object(0x6001, &PROVISIONING_OID), object(0x6001, &[])]),
            directory(0x6420, vec![object(0x6002, oid), object(0x6003, oid)]),
            directory(0x6430, vec![object(0x6004, oid)]),
        ],
        data: vec![data(0x6001, b"[1]"), data(0x6002, b"[2]"), data(0x6003, b"[3]"), data(0x6004, b"[4]")],
        ..Image::default()
    };
    let found = |image: &Image| json(read(&mut card(uicc(image.clone())), CardSettings::default()));
    assert_eq!(found(&image), b"[2]");
    // One that is empty, or is not there, holds nothing.
    let mut emptied = image.clone();
    emptied.data[1].octets = vec![0xFF; 3];
    assert_eq!(found(&emptied), b"[3]");
    emptied.data.remove(2);
    assert_eq!(found(&emptied), b"[4]");
    emptied.data.truncate(2);
    assert_eq!(read(&mut card(uicc(emptied)), CardSettings::default()).unwrap().bootstrap, None);
    let none = Image { directories: Vec::new(), ..image };
    assert_eq!(read(&mut card(uicc(none)), CardSettings::default()).unwrap().bootstrap, None);
}

#[test]
fn paths_begin_at_the_application_whatever_was_read_before() {
    let object = |file| Object { file, ..Object::default() };
    let data = |file, octets: &[u8]| Data { file, read: Access::Always, octets: octets.to_vec() };
    for setup in [uicc, sim] {
        // Two bootstraps in a directory of their own, of which the first one is empty.
        let image = Image {
            directories: vec![
                Directory { objects: vec![object(0x6001)], ..Directory::default() },
                Directory { file: 0x6430, objects: vec![object(0x6002)], ..Directory::default() },
            ],
            data: vec![data(0x6001, &[0xFF; 9]), data(0x6002, b"[2]")],
            inner: Some(0x5F10),
            ..Image::default()
        };
        let mut card = card(setup(image));
        let found = read(&mut card, CardSettings::default());
        assert_eq!(json(found), b"[2]", "{:#?}", commands(&card));
    }
}

#[test]
fn a_card_can_hold_messages_and_addresses() {
    let message = b"\x02\xA4\x01\x6A\x00 and so on";
    let found = read(&mut card(uicc(Image::of(message))), CardSettings::default()).unwrap().bootstrap;
    assert!(matches!(found, Some(CardBootstrap::Message(body)) if *body == message[..]));
    let mut image = Image::of(b"");
    image.directories[0].objects[0].url = Some("https://card.example/bootstrap".to_owned());
    let found = read(&mut card(uicc(image)), CardSettings::default()).unwrap().bootstrap;
    assert_eq!(found, Some(CardBootstrap::Url("https://card.example/bootstrap".to_owned())));
}

#[test]
fn rubbish_is_told_with_its_place() {
    for rubbish in [&b"rubbish"[..], b"\x00\x01", b"\x7F[]"] {
        let error = read(&mut card(uicc(Image::of(rubbish))), CardSettings::default()).unwrap_err();
        assert!(error.to_string().contains("EF(DM_Bootstrap)"), "{error}");
    }
    for odf in [&b"\xA7\x7F\x30"[..], b"\xA7\x84\xFF\xFF\xFF\xFF", b"\xA7\x02\x30\x05"] {
        let image = Image { odf: Some(odf.to_vec()), ..Image::of(JSON) };
        let error = read(&mut card(uicc(image)), CardSettings::default()).unwrap_err();
        assert!(error.to_string().contains("EF(ODF)"), "{error}");
    }
}
