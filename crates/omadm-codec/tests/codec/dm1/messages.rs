//! Messages: the shapes of the standard and their bad neighbours, as files in `vectors/dm1/message`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use omadm_codec::dm1::{
    Command, Data, Decoded, Encoder, Encoding, Form, Item, Message, Meta, WbxmlVersion, decode, encode,
};
use omadm_codec::{Leniency, Limits};

use crate::common::{self, Case};
use crate::vectors::verify;

/// Every form that a message can be written in.
pub const FORMS: [Form; 4] = [
    Form::Xml,
    Form::Wbxml(WbxmlVersion::V1_1),
    Form::Wbxml(WbxmlVersion::V1_2),
    Form::Wbxml(WbxmlVersion::V1_3),
];

/// The message as it comes back from an encoding: what is never sent is gone, octets are base64 in XML, and text in
/// WBXML where they can be.
pub fn sent(message: &Message<'_>, form: Form) -> Message<'static> {
    let mut message = message.clone().into_owned();
    sent_commands(&mut message.commands, form);
    message
}

fn sent_commands(commands: &mut Vec<Command<'static>>, form: Form) {
    commands.retain(|command| !matches!(command, Command::Unknown(_)));
    for command in commands {
        let (items, inherited) = match command {
            Command::Status(status) => {
                status.code_attributes.clear();
                (&mut status.items, Meta::default())
            }
            Command::Results(results) => (&mut results.items, results.meta.clone()),
            Command::Alert(alert) => (&mut alert.items, Meta::default()),
            Command::Operation(operation) => (&mut operation.items, operation.meta.clone()),
            Command::Container(container) => {
                sent_commands(&mut container.commands, form);
                continue;
            }
            Command::Unknown(_) => continue,
        };
        items.iter_mut().for_each(|item| sent_item(item, &inherited, form));
    }
}

fn sent_item(item: &mut Item<'static>, inherited: &Meta<'static>, form: Form) {
    let Some(Data::Opaque(octets)) = &item.data else { return };
    let format = item.meta.format.as_ref().or(inherited.format.as_ref());
    let text = match form {
        Form::Xml => Some(STANDARD.encode(octets)),
        Form::Wbxml(_) if format.is_some_and(|format| format == "bin") => None,
        Form::Wbxml(_) => {
            String::from_utf8(octets.to_vec()).ok().filter(|text| !text.contains(['\0', '\u{1}']))
        }
    };
    if let Some(text) = text {
        item.data = Some(Data::Text(text.into()));
    }
}

/// What we wrote ourselves needs no tolerance.
pub fn decode_strictly(octets: &[u8], form: Form) -> Decoded<'_> {
    decode(octets, form.encoding(), &Limits::default(), &mut Leniency::strict()).unwrap()
}

/// Whatever it is written in, a message comes back as it was, and its length is known before it is written.
pub fn check_forms(message: &Message<'_>) {
    for form in FORMS {
        let octets = encode(message, form);
        let again = decode_strictly(&octets, form);
        assert_eq!(again.message, sent(message, form), "{form:?}");
        assert_eq!(again.form, form);
        if form == Form::Xml {
            check_commented(&octets, &again.message);
        }
        assert!(encode(&again.message, form) == encode(&sent(message, form), form), "{form:?}");
        let mut encoder = Encoder::new(&message.header, form);
        message.commands.iter().for_each(|command| encoder.push(command));
        assert_eq!(encoder.length(message.is_final), octets.len(), "{form:?}");
    }
}

/// The reader passes plain tags by itself; those next to comments it leaves to the parser. Either way the message is the same.
fn check_commented(octets: &[u8], message: &Message<'_>) {
    let text = std::str::from_utf8(octets).unwrap();
    if !text.contains("<![CDATA[") {
        // No line before the end of an element: it could be one with nothing in it, whose text that would be.
        let commented = text.replace("><", "><!-- -->\n<!-- --><").replace("\n<!-- --></", "</");
        assert_eq!(decode_strictly(commented.as_bytes(), Form::Xml).message, *message);
    }
}

/// As XML, with a line for the header and one for each command.
fn show(message: &Message<'_>) -> String {
    let mut text = String::from_utf8(encode(message, Form::Xml)).unwrap() + "\n";
    let commands = [
        "Status", "Results", "Alert", "Add", "Replace", "Delete", "Copy", "Get", "Exec", "Atomic", "Sequence",
    ];
    for tag in commands.iter().chain(&["SyncHdr", "SyncBody"]) {
        text = text.replace(&format!("<{tag}>"), &format!("\n<{tag}>"));
    }
    show_unsent(&message.commands, &mut text);
    text
}

/// What stands in a message, and is not sent.
fn show_unsent(commands: &[Command<'_>], lines: &mut String) {
    for command in commands {
        match command {
            Command::Unknown(unknown) => *lines += &format!("unknown {:?} {:?}\n", unknown.name, unknown.id),
            Command::Status(status) if !status.code_attributes.is_empty() => {
                *lines += &format!("attributes {:?}\n", status.code_attributes);
            }
            Command::Container(container) => show_unsent(&container.commands, lines),
            _ => {}
        }
    }
}

fn verify_message(case: &Case, encoding: Encoding) {
    verify(case, |leniency| {
        let decoded = decode(&case.bytes, encoding, &Limits::default(), leniency)?;
        assert_eq!(decoded.form.encoding(), encoding);
        check_forms(&decoded.message);
        Ok(show(&decoded.message))
    });
}

#[test]
fn xml() {
    for case in common::cases("vectors/dm1/message", "xml") {
        verify_message(&case, Encoding::Xml);
    }
}

#[test]
fn wbxml() {
    for case in common::hex_cases("vectors/dm1/message") {
        verify_message(&case, Encoding::Wbxml);
    }
}
