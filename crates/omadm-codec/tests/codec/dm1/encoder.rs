//! Messages that are kept within a size, to the octet.

use std::borrow::Cow;

use omadm_codec::dm1::{
    Command, Data, Encoder, Encoding, Form, Header, Item, Location, Message, Meta, Operation, OperationKind,
    Version, WbxmlVersion, decode, encode,
};
use omadm_codec::{Leniency, Limits};

use super::messages::FORMS;

pub fn header() -> Header<'static> {
    Header {
        ver_dtd: "1.2".into(),
        ver_proto: "DM/1.2".into(),
        session_id: "1".into(),
        message_id: "1".into(),
        target: Location { uri: "https://dm.example.net/dm".into(), name: None },
        source: Location { uri: "urn:uuid:1".into(), name: None },
        resp_uri: None,
        no_response: false,
        credentials: None,
        meta: Meta::default(),
    }
}

pub fn replace(meta: Meta<'static>, data: Option<Data<'static>>) -> Command<'static> {
    let item = Item { target: Some("./A".into()), meta, data, ..Item::default() };
    Command::Operation(Operation {
        kind: OperationKind::Replace,
        id: "1".into(),
        no_response: false,
        meta: Meta::default(),
        correlator: None,
        items: vec![item],
    })
}

#[test]
fn a_message_is_as_long_as_the_encoder_says() {
    let format = Meta { format: Some("chr".into()), ..Meta::default() };
    // The last command ends on the page of MetInf, so that Final needs a switch in WBXML.
    let commands = [replace(Meta::default(), Some(Data::Text("a & b".into()))), replace(format, None)];
    for form in FORMS {
        let mut encoder = Encoder::new(&header(), form);
        for added in 0..=commands.len() {
            for is_final in [false, true] {
                let length = encoder.length(is_final);
                assert_eq!(length, encoder.clone().finish(is_final).len(), "{form:?}, {added}, {is_final}");
            }
            if let Some(command) = commands.get(added) {
                encoder.push(command);
            }
        }
    }
}

#[test]
fn a_command_is_added_if_the_message_may_be_as_long_and_taken_back_if_it_is_one_octet_longer() {
    let format = Meta { format: Some("chr".into()), ..Meta::default() };
    let (first, second) = (replace(format, None), replace(Meta::default(), Some(Data::Text("x".into()))));
    for form in FORMS {
        let mut encoder = Encoder::new(&header(), form);
        encoder.push(&first);
        let alone = encoder.clone().finish(true);
        let mut both = encoder.clone();
        both.push(&second);
        let both = both.finish(true);

        assert!(!encoder.push_within(&second, both.len() - 1), "{form:?}");
        assert_eq!(encoder.clone().finish(true), alone, "{form:?}");
        assert!(encoder.push_within(&second, both.len()), "{form:?}");
        assert_eq!(encoder.finish(true), both, "{form:?}");
    }
}

#[test]
fn what_is_said_to_fit_fits_to_the_octet() {
    let data = [
        Data::Text("plain text that goes on".into()),
        Data::Text("<a> & \r Käse 漢字 😀 \u{1}".into()),
        Data::Text("with\0zero".into()),
        Data::Opaque(Cow::Owned(vec![7; 300])),
    ];
    for (data, form) in data.iter().flat_map(|data| FORMS.map(|form| (data, form))) {
        let base = encode_one(Some(Data::Text("".into())), form);
        for room in 0..700 {
            let count = form.fitting(data, room);
            let length = |count| encode_one(cut(data, count), form);
            assert!(count == 0 || length(count) <= base + room, "{form:?} {room} {count}");
            if let Some(next) = next_cut(data, count) {
                assert!(length(next) > base + room, "{form:?} {room} {count}: {next} would fit as well");
            }
        }
    }
}

/// Length of a message with this data.
fn encode_one(data: Option<Data<'static>>, form: Form) -> usize {
    let message =
        Message { header: header(), commands: vec![replace(Meta::default(), data)], is_final: false };
    encode(&message, form).len()
}

fn cut(data: &Data<'static>, count: usize) -> Option<Data<'static>> {
    Some(match data {
        Data::Text(text) => Data::Text(text[..count].to_owned().into()),
        Data::Opaque(octets) => Data::Opaque(octets[..count].to_vec().into()),
    })
}

/// The next longer piece that could be sent; octets go by three in XML, so that no padding stands within the base64 of an object.
fn next_cut(data: &Data<'static>, count: usize) -> Option<usize> {
    match data {
        Data::Text(text) => text[count..].chars().next().map(|character| count + character.len_utf8()),
        Data::Opaque(octets) => (count + 3 <= octets.len()).then_some(count + 3),
    }
}

#[test]
fn form_and_dialect_follow_from_versions() {
    assert_eq!(Form::for_version(Encoding::Wbxml, Version::Dm13), Form::Wbxml(WbxmlVersion::V1_3));
    assert_eq!(Form::for_version(Encoding::Wbxml, Version::Dm12), Form::Wbxml(WbxmlVersion::V1_2));
    assert_eq!(Form::for_version(Encoding::Wbxml, Version::Dm11), Form::Wbxml(WbxmlVersion::V1_2));
    assert_eq!(Form::for_version(Encoding::Xml, Version::Dm11), Form::Xml);

    let message = |ver_dtd: &'static str| Message {
        header: Header { ver_dtd: ver_dtd.into(), ..header() },
        commands: Vec::new(),
        is_final: true,
    };
    let wbxml = |ver_dtd| encode(&message(ver_dtd), Form::Wbxml(WbxmlVersion::V1_3));
    assert!(wbxml("1.1").starts_with(&[0x03, 0x9F, 0x53, 0x6A, 0x00, 0x6D]));
    assert!(wbxml("1.2").starts_with(&[0x03, 0xA4, 0x01, 0x6A, 0x00, 0x6D]));
    let xml = |ver_dtd| encode(&message(ver_dtd), Form::Xml);
    assert!(xml("1.1").starts_with(br#"<SyncML xmlns="SYNCML:SYNCML1.1">"#));
    assert!(xml("1.2").starts_with(br#"<SyncML xmlns="SYNCML:SYNCML1.2">"#));
}

#[test]
fn correlators_are_not_sent_where_the_dtd_has_none() {
    let Command::Operation(mut exec) = replace(Meta::default(), None) else { unreachable!() };
    exec.correlator = Some("job".into());
    for (ver_dtd, expected) in [("1.1", None), ("1.2", Some("job"))] {
        for form in FORMS {
            let message = Message {
                header: Header { ver_dtd: ver_dtd.into(), ..header() },
                commands: vec![Command::Operation(exec.clone())],
                is_final: true,
            };
            let octets = encode(&message, form);
            let again =
                decode(&octets, form.encoding(), &Limits::default(), &mut Leniency::strict()).unwrap();
            let Command::Operation(found) = &again.message.commands[0] else { panic!("{:?}", again.message) };
            assert_eq!(found.correlator.as_deref(), expected, "{ver_dtd} {form:?}");
        }
    }
}

#[test]
fn the_first_octets_tell_the_encoding() {
    for (octets, expected) in [
        (&b"<SyncML/>"[..], Some(Encoding::Xml)),
        (b"\n <?xml?>", Some(Encoding::Xml)),
        (b"\xEF\xBB\xBF<SyncML/>", Some(Encoding::Xml)),
        (b"\xFF\xFE<\0", Some(Encoding::Xml)),
        (b"\x03\xA4\x01\x6A\x00", Some(Encoding::Wbxml)),
        (b"\x00\x01\x00", Some(Encoding::Wbxml)),
        (b"\x04", None),
        (b"{}", None),
        (b"", None),
    ] {
        assert_eq!(Encoding::sniff(octets), expected, "{octets:?}");
    }
}

#[test]
fn what_holds_secrets_does_not_print_them() {
    let command = replace(Meta::default(), Some(Data::Text("hunter2".into())));
    let mut encoder = Encoder::new(&header(), Form::Xml);
    encoder.push(&command);
    let length = encoder.length(false);
    assert_eq!(format!("{encoder:?}"), format!("Encoder({length} octets)"));
    assert!(!format!("{command:?}").contains("hunter2"));
}
