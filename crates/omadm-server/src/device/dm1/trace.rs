//! Messages of DM 1.x as they go into the trace: as XML, whatever their encoding, and without secrets.

use std::borrow::Cow;

use omadm_codec::dm1::{Command, Data, Encoding, Form, Item, Message, Version, decode, encode};
use omadm_codec::{Leniency, Limits};

use crate::roots::{SECRETS, is_secret};

/// What stands in place of a secret.
const WITHHELD: &str = "withheld";
/// Types of events that carry a token of a user.
pub const TOKENS: [&str; 1] = ["com.microsoft/MDM/AADUserToken"];

/// A message for people.
pub struct Shown {
    /// Its text, or its octets if it cannot be read.
    pub body: Vec<u8>,
    /// What was done to it.
    pub notes: Vec<String>,
}

/// Shows a message. What cannot be read is not shown at all: it may hold anything.
pub fn show(body: &[u8]) -> Shown {
    let limits = Limits { bytes: body.len(), ..Limits::default() };
    let encoding = Encoding::sniff(body).unwrap_or(Encoding::Xml);
    let Ok(decoded) = decode(body, encoding, &limits, &mut Leniency::lenient()) else {
        return Shown {
            body: Vec::new(),
            notes: vec!["the body is not kept: it cannot be read, and may hold secrets".to_owned()],
        };
    };
    let mut message = decoded.message;
    let withheld = withhold(&mut message);
    let mut notes = Vec::new();
    if encoding == Encoding::Wbxml {
        notes.push("shown as XML; on the wire it is WBXML".to_owned());
    }
    if withheld > 0 {
        notes.push(format!("secrets that are not shown: {withheld}"));
    }
    let as_sent = notes.is_empty();
    let body = if as_sent {
        body.to_vec()
    } else {
        let version = Version::of(&message.header).unwrap_or(Version::Dm12);
        encode(&message, Form::for_version(Encoding::Xml, version))
    };
    Shown { body, notes }
}

/// Takes secrets out; gives how many there were.
fn withhold(message: &mut Message<'_>) -> usize {
    let mut count = 0;
    if let Some(credentials) = &mut message.header.credentials {
        credentials.data = Cow::Borrowed(WITHHELD);
        count += 1;
    }
    let mut open: Vec<&mut Command<'_>> = message.commands.iter_mut().collect();
    while let Some(command) = open.pop() {
        match command {
            Command::Status(status) => {
                if let Some(credentials) = &mut status.credentials {
                    credentials.data = Cow::Borrowed(WITHHELD);
                    count += 1;
                }
                // What a user typed in may be a password.
                if status.cmd == "Alert" {
                    count += status.items.iter_mut().filter_map(|item| item.data.as_mut()).map(hide).count();
                }
            }
            Command::Results(results) => count += of_items(&mut results.items),
            Command::Alert(alert) => count += of_items(&mut alert.items),
            Command::Operation(operation) => count += of_items(&mut operation.items),
            Command::Container(container) => open.extend(container.commands.iter_mut()),
            Command::Unknown(_) => {}
        }
    }
    count
}

fn of_items(items: &mut [Item<'_>]) -> usize {
    let secret = items.iter_mut().filter(|item| may_hold_secrets(item));
    secret.filter_map(|item| item.data.as_mut()).map(hide).count()
}

fn hide(data: &mut Data<'_>) {
    *data = Data::Text(Cow::Borrowed(WITHHELD));
}

/// Whether the data of an item is a secret, or a document with one.
fn may_hold_secrets(item: &Item<'_>) -> bool {
    let is_token = item.meta.media_type.as_deref().is_some_and(|kind| TOKENS.contains(&kind.trim()));
    let named = [&item.target, &item.source].into_iter().flatten().any(|uri| is_secret(uri));
    let names_one = |octets: &[u8]| {
        SECRETS.iter().any(|secret| {
            octets.windows(secret.len()).any(|part| part.eq_ignore_ascii_case(secret.as_bytes()))
        })
    };
    is_token
        || named
        || match &item.data {
            Some(Data::Text(text)) => names_one(text.as_bytes()),
            Some(Data::Opaque(octets)) => names_one(octets),
            None => false,
        }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn message(body: &str) -> String {
        format!(
            "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>\
             <SessionID>1</SessionID><MsgID>1</MsgID><Target><LocURI>s</LocURI></Target><Source><LocURI>d</LocURI></Source>\
             <Cred><Meta><Type xmlns=\"syncml:metinf\">syncml:auth-basic</Type></Meta><Data>c2VjcmV0</Data></Cred></SyncHdr>\
             <SyncBody>{body}<Final/></SyncBody></SyncML>"
        )
    }

    fn shown(octets: &[u8]) -> (String, usize) {
        let Shown { body, notes } = show(octets);
        (String::from_utf8(body).unwrap(), notes.len())
    }

    #[test]
    fn secrets_are_not_shown() {
        for body in [
            "<Results><CmdID>2</CmdID><CmdRef>1</CmdRef><Item><Source><LocURI>./DMAcc/x/AppAuth/c/AAuthSecret</LocURI></Source>\
             <Data>hunter2</Data></Item></Results>",
            "<Atomic><CmdID>1</CmdID><Replace><CmdID>2</CmdID><Item><Target><LocURI>./SyncML/DMAcc/x/ClientPW</LocURI></Target>\
             <Data>hunter2</Data></Item></Replace></Atomic>",
            "<Add><CmdID>2</CmdID><Item><Target><LocURI>./DMAcc</LocURI></Target>\
             <Data>&lt;NodeName&gt;AAuthSecret&lt;/NodeName&gt;&lt;Value&gt;hunter2&lt;/Value&gt;</Data></Item></Add>",
            "<Alert><CmdID>2</CmdID><Data>1224</Data><Item><Meta><Type xmlns=\"syncml:metinf\">com.microsoft/MDM/AADUserToken</Type></Meta>\
             <Data>hunter2</Data></Item></Alert>",
            "<Status><CmdID>2</CmdID><MsgRef>1</MsgRef><CmdRef>3</CmdRef><Cmd>Alert</Cmd><Data>200</Data>\
             <Item><Data>hunter2</Data></Item></Status>",
        ] {
            let (text, notes) = shown(message(body).as_bytes());
            assert!(!text.contains("hunter2") && !text.contains("c2VjcmV0"), "{text}");
            assert!(text.contains(WITHHELD) && notes == 1, "{text}");
        }
    }

    #[test]
    fn all_else_is_shown_as_it_is() {
        let without =
            message("<Get><CmdID>2</CmdID><Item><Target><LocURI>./A</LocURI></Target></Item></Get>");
        let start = without.find("<Cred>").unwrap();
        let end = without.find("</SyncHdr>").unwrap();
        let without = format!("{}{}", &without[..start], &without[end..]);
        assert_eq!(shown(without.as_bytes()), (without.clone(), 0));
        let limits = Limits::default();
        let decoded = decode(without.as_bytes(), Encoding::Xml, &limits, &mut Leniency::lenient()).unwrap();
        let wbxml = encode(&decoded.message, Form::for_version(Encoding::Wbxml, Version::Dm13));
        assert_ne!(wbxml.first(), Some(&b'<'));
        let (text, notes) = shown(&wbxml);
        assert!(text.contains("<LocURI>./A</LocURI>") && notes == 1, "{text}");
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        let Shown { body, notes } = show(b"<SyncML><AAuthSecret>hunter2");
        assert!(body.is_empty() && notes.len() == 1);
    }
}
