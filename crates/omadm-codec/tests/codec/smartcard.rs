//! What is said to cards and stands in them, by the examples of the standards and by the octets of other tools.

use omadm_codec::smartcard::apdu::{binary_data, offset_of};
use omadm_codec::smartcard::fcp::{
    self, AccessRule, Condition, FileControl, PinStatus, RuleRecord, RuleReference, Security,
};
use omadm_codec::smartcard::pkcs15::{self, Class as ObjectClass, DataObject, Directory, Location, Objects};
use omadm_codec::smartcard::pkcs15::{ObjectValue, Part, TokenFlags, TokenInfo};
use omadm_codec::smartcard::sim::{self, Access, Selected};
use omadm_codec::smartcard::{
    Aid, Channel, Class, Command, Expected, FileId, Instruction, KeyReference, Path, Pin, Response,
    StatusWord, Structure,
};
use omadm_codec::{DecodeError, Leniency, Limits, Problem, Tolerance};
use proptest::prelude::*;

use crate::common;

fn octets(hex: &str) -> Vec<u8> {
    common::octets(hex)
}

fn limits() -> Limits {
    Limits::default()
}

#[test]
fn commands_of_the_standards_have_their_octets() {
    let uicc = Class::INTERINDUSTRY.on(Channel::new(1).unwrap());
    let path = Path::from_octets(&[0x3f, 0, 0x7f, 0x50, 0x50, 0x31]).unwrap();
    let of_application = Path::new(vec![FileId::APPLICATION, FileId::ODF]).unwrap();
    let pin = Pin::parse("1234").unwrap();
    let all = Expected::ALL;
    let cases = [
        (Command::open_channel(), "00 70 00 00 01"),
        (Command::close_channel(Channel::new(2).unwrap()), "00 70 80 02"),
        (Command::select_application(uicc, &Aid::pkcs15()), "01 a4 04 04 0c a0000000 63504b43532d3135 00"),
        (Command::select_file(uicc, FileId::ODF), "01 a4 00 04 02 5031 00"),
        (Command::select_file(Class::SIM, FileId::DIR), "a0 a4 00 00 02 2f00"),
        (Command::select_path(uicc, &path), "01 a4 08 04 04 7f505031 00"),
        (Command::select_path(uicc, &Path::of(FileId::ODF)), "01 a4 09 04 02 5031 00"),
        (Command::select_path(uicc, &of_application), "01 a4 08 04 04 7fff5031 00"),
        (Command::select_parent(uicc), "01 a4 03 04 00"),
        (Command::get_response(Class::SIM, Expected::from_octet(0x0f)), "a0 c0 00 00 0f"),
        (Command::get_response(uicc.secured(), all), "01 c0 00 00 00"),
        (Command::read_binary(Class::SIM, 0x8000, all).unwrap(), "a0 b0 80 00 00"),
        (Command::read_binary(uicc, 0x7fff, Expected::from_octet(0xe0)).unwrap(), "01 b0 7f ff e0"),
        (Command::read_binary(uicc, 0x8000, all).unwrap(), "01 b1 00 00 04 54 02 8000 00"),
        (Command::read_binary(uicc, 0x12345, all).unwrap(), "01 b1 00 00 05 54 03 012345 00"),
        (Command::read_binary(uicc, 0, Expected::ALL_EXTENDED).unwrap(), "01 b0 00 00 00 0000"),
        (Command::read_record(Class::SIM, 1, Expected::from_octet(0x20)), "a0 b2 01 04 20"),
        (Command::verify(Class::SIM, KeyReference::CHV1, &pin), "a0 20 00 01 08 31323334ffffffff"),
        (Command::tries_left(uicc, KeyReference::UNIVERSAL), "01 20 00 11"),
        (Command::update_binary(Class::SIM, 2, b"[]").unwrap(), "a0 d6 00 02 02 5b5d"),
        (
            Command::update_binary(Class::INTERINDUSTRY, 0x8000, b"[]").unwrap(),
            "00 d7 00 00 08 54 02 8000 53 02 5b5d",
        ),
        (Command::update_record(Class::INTERINDUSTRY, 1, b"a").unwrap(), "00 dc 01 04 01 61"),
    ];
    for (command, expected) in cases {
        assert_eq!(command.encode().as_slice(), octets(expected), "{command:?}");
        assert_eq!(Command::decode(&octets(expected), &limits()), Ok(command), "{expected}");
    }
    assert_eq!(Command::read_binary(Class::SIM, 0x1_0000, all), None);
    assert!(Command::update_binary(Class::SIM, 0x1_0000, b"x").is_err());
    assert!(Command::update_binary(Class::INTERINDUSTRY, 0, &vec![0; 0x1_0000]).is_err());
}

#[test]
fn commands_that_are_cut_off_or_too_long_say_where() {
    let error = |hex: &str| Command::decode(&octets(hex), &limits()).map_err(|error| (error.at, error.field));
    assert_eq!(error("00 a4 00"), Err((0, "header")));
    assert_eq!(error("00 a4 00 04 05 5031"), Err((5, "data")));
    assert_eq!(error("00 a4 00 04 02 5031 00 00"), Err((8, "message")));
    assert_eq!(error("00 d6 00 00 00 0000 01"), Err((7, "Lc")));
    assert_eq!(error("00 d6 00 00 00 ffff 01"), Err((7, "data")));
    assert_eq!(error("00 d6 00 00 00 0001 01 00"), Err((8, "Le")));
    let small = Limits { bytes: 4, ..limits() };
    assert!(matches!(
        Command::decode(&octets("00 a4 00 04 00"), &small).unwrap_err().problem,
        Problem::TooLarge { limit: 4 }
    ));
}

#[test]
fn the_class_names_the_channel_and_the_protection() {
    for (class, channel, secured) in [
        (Class::INTERINDUSTRY, 0, 0x04),
        (Class(0x01), 1, 0x05),
        (Class(0x83), 3, 0x87),
        (Class(0x40), 4, 0x60),
        (Class(0xcf), 19, 0xef),
    ] {
        assert_eq!(class.channel().number(), channel, "{class:?}");
        assert_eq!(class.secured(), Class(secured), "{class:?}");
        assert!(class.secured().is_secured() && !class.is_secured());
        assert_eq!(class.secured().channel(), class.channel());
        let base = Class(class.0 & 0x80);
        assert_eq!(base.on(class.channel()), class);
        assert_eq!(base.secured().on(class.channel()), class.secured());
    }
    assert_eq!(Class::SIM.on(Channel::new(3).unwrap()), Class::SIM);
    assert!(!Class::SIM.is_secured());
    assert_eq!(Channel::new(20), None);
}

#[test]
fn responses_end_in_a_status_word_and_do_not_print() {
    let response = Response::decode(&octets("5b5d 9000"), &limits()).unwrap();
    assert_eq!((response.data(), response.status), (&b"[]"[..], StatusWord::OK));
    assert_eq!(format!("{response:?}"), "Response(2 octets, 9000)");
    assert_eq!(Response::decode(&[0x90], &limits()).unwrap_err().field, "status word");
    assert!(Response::decode(&vec![0; 65539], &limits()).is_err());
    let verify = Command::verify(Class::SIM, KeyReference::CHV1, &Pin::parse("7654").unwrap());
    assert!(!format!("{verify:?}").contains("37"), "{verify:?}");
}

#[test]
fn data_behind_an_offset_comes_out_of_its_data_object() {
    let plain = Command::read_binary(Class::INTERINDUSTRY, 0, Expected::ALL).unwrap();
    assert_eq!(binary_data(&plain, b"\x53\x01a", &limits()), Ok(&b"\x53\x01a"[..]));
    let far = Command::read_binary(Class::INTERINDUSTRY, 0x9000, Expected::ALL).unwrap();
    assert_eq!(offset_of(&far, &limits()), Ok(0x9000));
    assert_eq!(binary_data(&far, b"\x53\x01a", &limits()), Ok(&b"a"[..]));
    for wrong in [&b""[..], b"\x54\x01a", b"\x53\x02a", b"\x53\x01ab"] {
        assert!(binary_data(&far, wrong, &limits()).is_err(), "{wrong:02x?}");
    }
}

#[test]
fn the_fcp_says_size_structure_and_pins() {
    // As a UICC answers to the selection of an ADF: two PINs, of which the universal one replaces none.
    let adf = octets("62 1f 82 02 78 21 84 0c a000000063504b43532d3135 8a 01 05 c6 06 90 01 80 83 01 01");
    let control = FileControl::decode(&adf[..], &limits()).unwrap_err();
    assert_eq!(control.problem, Problem::Short, "the length is one too many");
    let adf = octets("62 1d 82 02 78 21 84 0c a000000063504b43532d3135 8a 01 05 c6 06 90 01 80 83 01 01");
    let control = FileControl::decode(&adf, &limits()).unwrap();
    assert_eq!(control.structure, Structure::Directory);
    assert!(control.aid.as_ref().is_some_and(Aid::is_pkcs15));
    assert_eq!(control.enabled_pins().collect::<Vec<_>>(), [KeyReference::CHV1]);
    assert_eq!(control.read_condition(), None);

    let file = octets(
        "62 2b 82 02 41 21 83 02 6421 8a 01 05
         ab 1a 80 01 01 a0 10 a4 06 83 01 01 95 01 08 a4 06 83 01 11 95 01 08 80 01 02 97 00 80 02 01 00",
    );
    let control = FileControl::decode(&file, &limits()).unwrap();
    assert_eq!((control.structure, control.size), (Structure::Transparent, Some(256)));
    assert_eq!(control.file_id, Some(FileId(0x6421)));
    let pins = vec![KeyReference::CHV1, KeyReference::UNIVERSAL];
    assert_eq!(control.read_condition(), Some(&Condition::AnyOf(pins)));
    let Security::Rules(rules) = &control.security else { panic!("{control:?}") };
    assert_eq!(fcp::condition(rules, fcp::UPDATE), Some(&Condition::Never));
    assert_eq!(control.encode(), file);
}

#[test]
fn security_attributes_have_three_forms() {
    let control = |attribute: &str| {
        let content = format!("82 02 41 21 {attribute}");
        let content = octets(&content);
        let fcp = [&[0x62, u8::try_from(content.len()).unwrap()][..], &content].concat();
        FileControl::decode(&fcp, &limits()).map(|control| control.security)
    };
    let record = |file, record| Ok(Security::Record(RuleReference { file, record }));
    assert_eq!(control("8b 01 02"), record(None, RuleRecord::Always(2)));
    assert_eq!(control("8b 03 6f06 05"), record(Some(FileId(0x6f06)), RuleRecord::Always(5)));
    // TS 102 221 §G.2: record 2 in environment 1, record 11 in environment 0.
    let by_environment = RuleRecord::ByEnvironment(vec![(1, 2), (0, 11)]);
    assert_eq!([1, 0, 9].map(|number| by_environment.within(number)), [Some(2), Some(11), Some(2)]);
    assert_eq!(control("8b 06 6f06 01 02 00 0b"), record(Some(FileId(0x6f06)), by_environment));
    for short in ["8b 00", "8b 02 6f06", "8b 05 6f06 01 02 00"] {
        assert_eq!(control(short).unwrap_err().problem, Problem::Short, "{short}");
    }
    let rule = |modes, condition| AccessRule { modes, condition };
    let compact = vec![rule(2, Condition::Never), rule(1, Condition::Cardholder)];
    assert_eq!(control("8c 03 03 ff 11"), Ok(Security::Rules(compact)));
    assert!(control("8c 02 03 ff").is_err(), "one condition is missing");
    assert!(control("8c 00").is_err());
    let both = Condition::AllOf(vec![KeyReference(1), KeyReference(0x81)]);
    let rules = "80 01 01 a4 03 83 01 01 a4 03 83 01 81";
    assert_eq!(fcp::access_rules(&octets(rules), &limits()), Ok(vec![rule(1, both)]));
    // Nothing to verify is not the same as no condition.
    let empty = fcp::access_rules(&octets("80 01 01 af 00"), &limits()).unwrap();
    assert_eq!(empty, [rule(1, Condition::Other)]);
}

#[test]
fn a_sim_says_size_structure_and_chv() {
    // TS 51.011 §9.2.1: a DF with CHV1 enabled and three tries, and a linear fixed EF of five records.
    let df = octets("0000 0010 7f20 02 0000000000 09 13 00 10 04 00 83 8a 83 8a");
    let Selected::Directory(directory) = Selected::decode(&df, &limits()).unwrap() else { panic!() };
    assert_eq!((directory.id, directory.chv1_enabled), (FileId(0x7f20), true));
    assert_eq!(directory.chv1_tries, Some(3));
    let ef = octets("0000 0064 2f00 04 00 04ffff 01 02 01 14");
    let Selected::File(file) = Selected::decode(&ef, &limits()).unwrap() else { panic!() };
    assert_eq!(file.structure, Structure::LinearFixed { record: 20, count: Some(5) });
    assert_eq!((file.size, file.read, file.update), (100, Access::Always, Access::Issuer(4)));
    let chv = octets("0000 0100 6421 04 00 14ffff 01 01 00");
    let Selected::File(file) = Selected::decode(&chv, &limits()).unwrap() else { panic!() };
    assert_eq!((file.structure, file.read), (Structure::Transparent, Access::Chv1));
    for length in 0..df.len() - 5 {
        assert!(Selected::decode(&df[..length], &limits()).is_err(), "{length}");
    }
    assert_eq!(Selected::decode(&octets("0000 0000 0000 03"), &limits()).unwrap_err().at, 6);
    let directory = sim::Directory { id: FileId::MF, chv1_enabled: false, chv1_tries: Some(0) };
    let again = Selected::decode(&Selected::Directory(directory).encode(), &limits());
    assert_eq!(again, Ok(Selected::Directory(directory)));
}

fn odf(file: &[u8]) -> Result<Vec<Directory>, DecodeError> {
    pkcs15::decode_odf(file, &limits(), &mut Leniency::strict())
}

fn dodf(file: &[u8]) -> Result<Vec<DataObject>, DecodeError> {
    pkcs15::decode_dodf(file, &limits(), &mut Leniency::strict())
}

fn seed(name: &str) -> Vec<u8> {
    std::fs::read(common::folder("fuzz/corpus/pkcs15").join(name)).unwrap()
}

#[test]
fn directories_come_in_the_order_of_the_file() {
    let path = |hex: &str| Location::of(Path::from_octets(&octets(hex)).unwrap());
    assert_eq!(odf(&seed("odf")), Ok(vec![Directory::of_data_objects(path("6420"))]));
    let inline = octets("30060404 3f006420");
    let expected = [
        Directory { class: ObjectClass::AuthObjects, objects: Objects::At(path("3f00 7f50 4401")) },
        Directory { class: ObjectClass::DataObjects, objects: Objects::Inline(inline) },
    ];
    assert_eq!(odf(&seed("odf-absolute-and-inline")).as_deref(), Ok(&expected[..]));
    assert_eq!(pkcs15::encode_odf(&expected).unwrap(), seed("odf-absolute-and-inline"));
    assert_eq!(odf(&[0xff; 8]), Ok(Vec::new()));
}

#[test]
fn the_bootstrap_is_told_by_its_oid() {
    // The card image of the standard's rules, octet for octet as `openssl asn1parse` takes it apart.
    let path = Path::of(FileId(0x6421));
    let object = DataObject::bootstrap("DM Bootstrap", ObjectValue::At(Location::of(path.clone())));
    let file = seed("dodf");
    assert_eq!(dodf(&file), Ok(vec![object.clone()]));
    assert_eq!(pkcs15::encode_dodf(std::slice::from_ref(&object)).unwrap(), file[..file.len() - 2]);
    assert!(object.is_bootstrap() && !object.needs_verification());

    let objects = dodf(&seed("dodf-client-provisioning")).unwrap();
    let bootstraps: Vec<bool> = objects.iter().map(DataObject::is_bootstrap).collect();
    assert_eq!(bootstraps, [false, true]);
    assert!(objects[0].private && objects[0].needs_verification());
    assert!(objects[0].oid.unwrap().starts_with(pkcs15::CLIENT_PROVISIONING));
}

#[test]
fn objects_have_flags_parts_and_other_places() {
    let objects = dodf(&seed("dodf-private-part")).unwrap();
    let [object] = &objects[..] else { panic!("{objects:?}") };
    assert!(object.private && object.modifiable);
    assert_eq!(object.auth_id.as_deref(), Some(&[1][..]));
    assert_eq!(object.application_name.as_deref(), Some("OMA DM"));
    let ObjectValue::At(location) = &object.value else { panic!("{object:?}") };
    assert!(location.path.is_absolute());
    assert_eq!(location.part, Some(Part { index: 16, length: 256 }));

    let objects = dodf(&seed("dodf-url-oid-direct-external")).unwrap();
    let values: Vec<&ObjectValue> = objects.iter().map(|object| &object.value).collect();
    let file = ObjectValue::At(Location::of(Path::of(FileId(0x6421))));
    let expected =
        [&ObjectValue::Url("https://localhost/dm".to_owned()), &file, &ObjectValue::Direct(b"[]".to_vec())];
    assert_eq!(values, expected);
    assert!(objects.iter().all(DataObject::is_bootstrap));
}

#[test]
fn what_cards_get_wrong_is_tolerated_by_name() {
    for (name, tolerance) in
        [("odf-residue", Tolerance::CardResidue), ("dodf-length-without-tag", Tolerance::LooseCardPath)]
    {
        let decode = |leniency: &mut Leniency| {
            if name.starts_with("odf") {
                pkcs15::decode_odf(&seed(name), &limits(), leniency).map(|all| all.len())
            } else {
                pkcs15::decode_dodf(&seed(name), &limits(), leniency).map(|all| all.len())
            }
        };
        assert!(decode(&mut Leniency::strict()).is_err(), "{name}");
        let mut leniency = Leniency::lenient();
        assert_eq!(decode(&mut leniency), Ok(1), "{name}");
        assert_eq!(leniency.used, [tolerance].into(), "{name}");
    }
}

#[test]
fn hostile_der_is_refused_with_its_place() {
    let error = |hex: &str| dodf(&octets(hex)).map_err(|error| error.at).unwrap_err();
    // A length that no file has, an indefinite one, one in too many octets, a tag without end.
    assert_eq!(odf(&octets("a7 84 ffffffff 30")).unwrap_err().at, 6);
    assert!(odf(&octets("a7 80 3004 0402 6420 0000")).is_err());
    assert!(odf(&octets("a7 81 06 3004 0402 6420")).is_err());
    assert!(odf(&octets("bf ff ff ff ff ff 7f 00")).is_err());
    assert_eq!(odf(&octets("30 00")).unwrap_err().at, 0);
    assert_eq!(odf(&octets("a7 00")).unwrap_err().problem, Problem::Missing);
    assert_eq!(error("30 02 30 00"), 4);
    assert_eq!(error("30 06 30 00 30 00 a1 00"), 8);
    assert_eq!(error("02 01 00"), 0);
    // Nesting is followed by type: what is deep and unknown is passed over as octets.
    let mut deep = Vec::new();
    for _ in 0..1000 {
        let length = u16::try_from(deep.len()).unwrap().to_be_bytes();
        let header: &[u8] = match deep.len() {
            0..=0x7f => &[0x30, length[1]],
            0x80..=0xff => &[0x30, 0x81, length[1]],
            _ => &[0x30, 0x82, length[0], length[1]],
        };
        deep = [header, &deep].concat();
    }
    assert!(dodf(&deep).is_err());
    assert!(odf(&deep).is_err());
    let many = Limits { items: 2, ..limits() };
    let three = octets("a706300404026420").repeat(3);
    let error = pkcs15::decode_odf(&three, &many, &mut Leniency::lenient()).unwrap_err();
    assert_eq!((error.at, error.problem), (16, Problem::TooMany { limit: 2 }));
}

#[test]
fn a_token_says_who_it_is() {
    let token = TokenInfo {
        serial_number: vec![0x89, 0x49, 0x01, 0x23],
        manufacturer: Some("OMA".to_owned()),
        label: Some("DM card".to_owned()),
        flags: TokenFlags { login_required: true, ..TokenFlags::default() },
    };
    let file = seed("token-info");
    assert_eq!(TokenInfo::decode(&file, &limits(), &mut Leniency::strict()), Ok(token.clone()));
    assert_eq!(token.encode().unwrap(), file[..file.len() - 4]);
    let plain = TokenInfo { manufacturer: None, label: None, flags: TokenFlags::default(), ..token };
    let again = TokenInfo::decode(&plain.encode().unwrap(), &limits(), &mut Leniency::strict());
    assert_eq!(again, Ok(plain));
    let version = octets("30 08 02 01 01 04 01 00 03 01 00".replace("08", "09").as_str());
    let error = TokenInfo::decode(&version, &limits(), &mut Leniency::strict()).unwrap_err();
    assert_eq!(error.field, "version");
}

fn path() -> impl Strategy<Value = Path> {
    proptest::collection::vec(any::<u16>(), 1..=8)
        .prop_map(|files| Path::new(files.into_iter().map(FileId).collect()).unwrap())
}

fn location() -> impl Strategy<Value = Location> {
    (path(), proptest::option::of((any::<u32>(), any::<u32>())))
        .prop_map(|(path, part)| Location { path, part: part.map(|(index, length)| Part { index, length }) })
}

fn data_object() -> impl Strategy<Value = DataObject> {
    let value = prop_oneof![
        location().prop_map(ObjectValue::At),
        "[!-~]{0,300}".prop_map(ObjectValue::Url),
        proptest::collection::vec(any::<u8>(), 0..400).prop_map(ObjectValue::Direct),
    ];
    let oid =
        prop_oneof![Just(None), Just(Some(pkcs15::BOOTSTRAP)), Just(Some(pkcs15::CLIENT_PROVISIONING)),];
    let id = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..10));
    let text = || proptest::option::of(".{0,40}");
    (text(), any::<(bool, bool)>(), id, text(), oid, value).prop_map(
        |(label, (private, modifiable), auth_id, application_name, oid, value)| DataObject {
            label,
            private,
            modifiable,
            auth_id,
            application_name,
            oid,
            value,
        },
    )
}

fn rule_reference() -> impl Strategy<Value = RuleReference> {
    let by_environment = proptest::collection::vec(any::<(u8, u8)>(), 1..4);
    prop_oneof![
        (proptest::option::of(any::<u16>()), any::<u8>()).prop_map(|(file, record)| RuleReference {
            file: file.map(FileId),
            record: RuleRecord::Always(record)
        }),
        (any::<u16>(), by_environment).prop_map(|(file, records)| RuleReference {
            file: Some(FileId(file)),
            record: RuleRecord::ByEnvironment(records)
        }),
    ]
}

proptest! {
    #[test]
    fn commands_read_back(
        header: [u8; 4],
        data in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            proptest::collection::vec(any::<u8>(), 65500..=65535),
        ],
        expected in proptest::option::of(prop_oneof![1u32..=256, 1u32..=65536]),
    ) {
        let [class, instruction, p1, p2] = header;
        let mut command =
            Command::new(Class(class), Instruction(instruction), p1, p2).with_data(data).unwrap();
        command.expected = expected.and_then(Expected::new);
        prop_assert_eq!(command.header(), header);
        prop_assert_eq!(Command::decode(&command.encode(), &limits()), Ok(command));
    }

    #[test]
    fn files_of_pkcs15_read_back(
        directories in proptest::collection::vec(location().prop_map(Directory::of_data_objects), 0..5),
        objects in proptest::collection::vec(data_object(), 0..5),
        filler in 0usize..20,
    ) {
        let fill = |octets: Vec<u8>| [octets, vec![0xff; filler]].concat();
        prop_assert_eq!(odf(&fill(pkcs15::encode_odf(&directories).unwrap())), Ok(directories));
        prop_assert_eq!(dodf(&fill(pkcs15::encode_dodf(&objects).unwrap())), Ok(objects));
    }

    #[test]
    fn file_control_reads_back(
        size in proptest::option::of(any::<u32>()),
        pins in proptest::collection::vec(any::<(u8, bool)>(), 0..20),
        record in proptest::option::of(rule_reference()),
        structure in prop_oneof![
            Just(Structure::Directory),
            Just(Structure::Transparent),
            any::<(u16, Option<u8>)>().prop_map(|(record, count)| Structure::LinearFixed { record, count }),
            any::<(u16, Option<u8>)>().prop_map(|(record, count)| Structure::Cyclic { record, count }),
        ],
    ) {
        let pin = |(reference, enabled)| PinStatus { reference: KeyReference(reference), enabled };
        let security = record.map(Security::Record).unwrap_or_default();
        let control = FileControl {
            structure,
            file_id: Some(FileId(0x6421)),
            size,
            aid: None,
            life_cycle: Some(5),
            pins: pins.into_iter().map(pin).collect(),
            security,
        };
        prop_assert_eq!(FileControl::decode(&control.encode(), &limits()), Ok(control));
    }
}
