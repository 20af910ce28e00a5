//! Any message comes back as it was, in every form and from one form to another.

use std::borrow::Cow;

use omadm_codec::dm1::{
    Alert, Command, Container, ContainerKind, Credentials, Data, Header, Item, Location, Mark, Message, Meta,
    Operation, OperationKind, Results, Status, encode,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::messages::{FORMS, check_forms, decode_strictly, sent};

type Text = Cow<'static, str>;

/// What stands in an element whose white space does not count.
fn word() -> impl Strategy<Value = Text> {
    "[!-~]{1,12}|[!-~] [!-~é漢😀]|".prop_map(Cow::Owned)
}

/// What XML can hold.
fn text() -> impl Strategy<Value = Text> {
    "[\\t\\n\\r -~é漢😀\u{FFFD}]{0,40}|.*<!\\[CDATA\\[|<a>\\]\\]></a>"
        .prop_filter("not a character of XML", |text| text.chars().all(|c| c >= ' ' || "\t\n\r".contains(c)))
        .prop_filter("not a character of XML", |text| !text.contains(['\u{FFFE}', '\u{FFFF}']))
        .prop_map(Cow::Owned)
}

fn octets() -> impl Strategy<Value = Cow<'static, [u8]>> {
    // Either no text at all, or text.
    let binary = vec(any::<u8>(), 0..200).prop_map(|octets| [vec![0], octets].concat());
    prop_oneof![binary, "[ -~é]{0,20}".prop_map(String::into_bytes)].prop_map(Cow::Owned)
}

fn data() -> impl Strategy<Value = Data<'static>> {
    prop_oneof![text().prop_map(Data::Text), octets().prop_map(Data::Opaque)]
}

fn meta() -> impl Strategy<Value = Meta<'static>> {
    let marks =
        [Mark::Fatal, Mark::Critical, Mark::Minor, Mark::Warning, Mark::Informational, Mark::Harmless];
    let format = prop_oneof![word(), Just(Cow::Borrowed("xml")), Just(Cow::Borrowed("bin"))];
    let size = of(any::<u64>());
    (of(format), of(word()), of(select(marks.to_vec())), size.clone(), of(octets()), size.clone(), size)
        .prop_map(|(format, media_type, mark, size, next_nonce, max_message_size, max_object_size)| Meta {
            format,
            media_type,
            mark,
            size,
            next_nonce,
            max_message_size,
            max_object_size,
        })
}

fn credentials() -> impl Strategy<Value = Credentials<'static>> {
    (meta(), word()).prop_map(|(meta, data)| Credentials { meta, data })
}

fn location() -> impl Strategy<Value = Location<'static>> {
    (word(), of(word())).prop_map(|(uri, name)| Location { uri, name })
}

fn items() -> impl Strategy<Value = Vec<Item<'static>>> {
    let item = (of(word()), of(word()), meta(), of(data()), any::<bool>());
    vec(item.prop_map(|(target, source, meta, data, more)| Item { target, source, meta, data, more }), 0..3)
}

fn status() -> impl Strategy<Value = Status<'static>> {
    let references = (word(), word(), word(), vec(word(), 0..3), vec(word(), 0..3));
    (word(), references, of(credentials()), of(meta()), word(), items()).prop_map(
        |(id, (msg_ref, cmd_ref, cmd, target_refs, source_refs), credentials, challenge, code, items)| {
            Status {
                id,
                msg_ref,
                cmd_ref,
                cmd,
                target_refs,
                source_refs,
                credentials: credentials.map(Box::new),
                challenge: challenge.map(Box::new),
                code,
                code_attributes: Vec::new(),
                items,
            }
        },
    )
}

fn results() -> impl Strategy<Value = Results<'static>> {
    let references = (word(), word(), of(word()), of(word()));
    (word(), references, meta(), items()).prop_map(
        |(id, (msg_ref, cmd_ref, target_ref, source_ref), meta, items)| Results {
            id,
            msg_ref,
            cmd_ref,
            meta,
            target_ref,
            source_ref,
            items,
        },
    )
}

fn alert() -> impl Strategy<Value = Alert<'static>> {
    let code = prop_oneof![word(), Just(Cow::Borrowed("1226"))];
    (word(), any::<bool>(), code, of(word()), items()).prop_map(
        |(id, no_response, code, correlator, items)| Alert { id, no_response, code, correlator, items },
    )
}

fn operation() -> impl Strategy<Value = Operation<'static>> {
    use OperationKind::{Add, Copy, Delete, Exec, Get, Replace};
    let kind = select(vec![Add, Replace, Delete, Copy, Get, Exec]);
    (kind, word(), any::<bool>(), meta(), of(word()), items()).prop_map(
        |(kind, id, no_response, meta, correlator, items)| Operation {
            kind,
            id,
            no_response,
            meta,
            correlator,
            items,
        },
    )
}

fn command() -> impl Strategy<Value = Command<'static>> {
    let leaf = prop_oneof![
        status().prop_map(Command::Status),
        results().prop_map(Command::Results),
        alert().prop_map(Command::Alert),
        operation().prop_map(Command::Operation),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let kind = select(vec![ContainerKind::Atomic, ContainerKind::Sequence]);
        (kind, word(), any::<bool>(), meta(), vec(inner, 0..4)).prop_map(
            |(kind, id, no_response, meta, commands)| {
                Command::Container(Container { kind, id, no_response, meta, commands })
            },
        )
    })
}

fn header() -> impl Strategy<Value = Header<'static>> {
    let ids = (Just(Cow::Borrowed("1.2")), word(), word(), word());
    (ids, location(), location(), of(word()), any::<bool>(), of(credentials()), meta()).prop_map(
        |(ids, target, source, resp_uri, no_response, credentials, meta)| {
            let (ver_dtd, ver_proto, session_id, message_id) = ids;
            Header {
                ver_dtd,
                ver_proto,
                session_id,
                message_id,
                target,
                source,
                resp_uri,
                no_response,
                credentials,
                meta,
            }
        },
    )
}

fn message() -> impl Strategy<Value = Message<'static>> {
    (header(), vec(command(), 0..5), any::<bool>()).prop_map(|(header, commands, is_final)| Message {
        header,
        commands,
        is_final,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_form(message in message()) {
        check_forms(&message);
    }

    #[test]
    fn from_one_form_to_another(message in message()) {
        for (one, other) in FORMS.iter().flat_map(|one| FORMS.map(|other| (*one, other))) {
            let octets = encode(&message, one);
            let octets = encode(&decode_strictly(&octets, one).message, other);
            let expected = sent(&sent(&message, one), other);
            prop_assert_eq!(decode_strictly(&octets, other).message, expected);
        }
    }
}
