//! The files of a card as the issuer makes them and the device reads them (`DM 2.0 §G.4`).

use omadm_codec::smartcard::pkcs15::{self, BOOTSTRAP, DataObject, Directory, Location, ObjectValue};
use omadm_codec::smartcard::{Class, Command, Expected, FileId, KeyReference, Path, Pin, Response, sim};
use omadm_codec::{Leniency, Limits};
use omadm_conformance::proves;
use omadm_session::smartcard::{CardBootstrap, CardInput, CardOutput, CardReader, CardSettings};
use omadm_softcard::image::Object;
use omadm_softcard::{Card, Image, Kind, Setup};

const FILE: FileId = FileId(0x6421);

fn say(card: &mut Card, command: &Command) -> Response {
    Response::decode(&card.transmit(&command.encode()), &Limits::default()).unwrap()
}

/// Selects a file of the application, one directory after the other.
fn select(card: &mut Card, class: Class, file: FileId) {
    for id in [FileId::MF, FileId::PKCS15, file] {
        assert!(say(card, &Command::select_file(class, id)).status.is_ok(), "{id}");
    }
}

#[test]
fn the_directories_of_a_card_are_read_by_all_and_changed_by_the_issuer_alone() {
    proves!("D2-G.4.1-01", "D2-G.4.2-05");
    for (kind, class) in [(Kind::Sim, Class::SIM), (Kind::Uicc, Class::INTERINDUSTRY)] {
        let mut card = Card::new(Setup { kind, image: Image::of(b"[]"), ..Setup::default() });
        for file in [FileId::ODF, FileId::DODF_BOOTSTRAP] {
            let before = card.content(file.0).unwrap().to_vec();
            for pin in [None, Some(Pin::parse("2468").unwrap())] {
                select(&mut card, class, file);
                if kind == Kind::Sim {
                    // READ is ALW, UPDATE is ADM.
                    let described = say(&mut card, &Command::get_response(class, Expected::from_octet(15)));
                    let sim::Selected::File(described) =
                        sim::Selected::decode(described.data(), &Limits::default()).unwrap()
                    else {
                        panic!("{file} is a file")
                    };
                    assert_eq!(described.read, sim::Access::Always);
                    assert!(matches!(described.update, sim::Access::Issuer(_)), "{:?}", described.update);
                }
                if let Some(pin) = pin {
                    assert!(say(&mut card, &Command::verify(class, KeyReference::CHV1, &pin)).status.is_ok());
                }
                let read = Command::read_binary(class, 0, Expected::from_octet(32)).unwrap();
                assert_eq!(say(&mut card, &read).data(), &before[..32], "{file}");
                let update = Command::update_binary(class, 0, &[0xff; 8]).unwrap();
                let refused = say(&mut card, &update).status;
                assert!(!refused.is_ok() && refused.meaning() != "unknown", "{refused}");
                assert_eq!(card.content(file.0).unwrap(), before);
            }
        }
    }
}

/// EF(DODF-bootstrap) of a card of software, which is encoded there.
fn directory(objects: Vec<Object>) -> (Setup, Vec<u8>) {
    let mut image = Image::of(b"[]");
    image.directories[0].objects = objects;
    let setup = Setup { kind: Kind::Uicc, image, ..Setup::default() };
    let file = Card::new(setup.clone()).content(FileId::DODF_BOOTSTRAP.0).unwrap().to_vec();
    (setup, file)
}

#[test]
fn an_entry_has_label_flags_identifier_and_path() {
    proves!("D2-G.4.2-01", "D2-G.4.2-02", "D2-G.4.2-03");
    let (_, file) = directory(vec![Object { private: true, modifiable: true, ..Object::default() }]);
    let decoded = pkcs15::decode_dodf(&file, &Limits::default(), &mut Leniency::strict()).unwrap();
    let object = DataObject {
        private: true,
        modifiable: true,
        ..DataObject::bootstrap("DM Bootstrap", ObjectValue::At(Location::of(Path::of(FILE))))
    };
    assert_eq!(decoded, std::slice::from_ref(&object));
    assert_eq!(object.oid, Some(BOOTSTRAP));
    // What we write is what the other encoder wrote, and holds the identifier octet for octet.
    let written = pkcs15::encode_dodf(&[object]).unwrap();
    assert!(file.starts_with(&written) && file[written.len()..].iter().all(|octet| *octet == 0xff));
    assert!(written.windows(6).any(|octets| octets == [0x06, 0x04, 0x67, 0x2b, 0x07, 0x01]));
    // EF(ODF) leads to it.
    let odf =
        pkcs15::encode_odf(&[Directory::of_data_objects(Location::of(Path::of(FileId::DODF_BOOTSTRAP)))]);
    assert_eq!(odf.unwrap(), [0xa7, 0x06, 0x30, 0x04, 0x04, 0x02, 0x64, 0x20]);
}

#[test]
fn an_entry_without_identifier_is_passed_over() {
    proves!("D2-G.4.2-01");
    let stranger = Object { oid: Vec::new(), file: 0x6422, ..Object::default() };
    for (objects, expected) in [(vec![stranger.clone()], None), (vec![stranger, Object::default()], Some(()))]
    {
        let (setup, file) = directory(objects.clone());
        let decoded = pkcs15::decode_dodf(&file, &Limits::default(), &mut Leniency::strict()).unwrap();
        assert_eq!(decoded.len(), objects.len());
        assert!(!decoded[0].is_bootstrap());
        let mut card = Card::new(setup);
        let (mut reader, mut output) = CardReader::begin(CardSettings::default());
        let content = loop {
            output = match output {
                CardOutput::Transmit(command) => reader.handle(CardInput::Answer(&card.transmit(&command))),
                CardOutput::AskPin(question) => panic!("{question:?}"),
                CardOutput::Finished(outcome) => break outcome.unwrap(),
            };
        };
        assert_eq!(content.bootstrap.is_some(), expected.is_some());
        assert!(matches!(content.bootstrap, None | Some(CardBootstrap::Json(_))));
    }
}
