//! Messages of DM 1.x as they go into the trace, without secrets: as they were on the wire wherever that does, for each message has its
//! two, and few are ever looked at.

use std::borrow::Cow;

use memchr::memmem;
use omadm_codec::dm1::{Command, Credentials, Data, Encoding, Form, Item, Message, Version, decode, encode};
use omadm_codec::{Leniency, Limits};
use omadm_session::dm1::server::Reply;

use crate::roots::{is_secret, names_a_secret};

/// What stands in place of a secret.
const WITHHELD: &str = "withheld";
/// Types of events that carry a token of a user.
pub const TOKENS: [&str; 1] = ["com.microsoft/MDM/AADUserToken"];

/// The scheme whose `Cred` is the password itself.
const BASIC: &str = "syncml:auth-basic";
/// What covers the digest in a `Cred`, octet for octet.
const COVER: u8 = b'*';
/// Note of a message that is shown in another encoding than it had.
const AS_XML: &str = "shown as XML; on the wire it is WBXML";

/// A message for people.
pub struct Shown {
    /// Its octets, or as much of it as can be shown.
    pub body: Vec<u8>,
    /// What was done to it.
    pub notes: Vec<String>,
}

/// Shows a message that was read from `body`. At most `keep` octets will be kept.
pub fn received(message: &Message<'_>, body: &[u8], keep: usize) -> Shown {
    if !hold_secrets(&message.commands)
        && let Some(shown) = as_it_is(body, message.header.credentials.as_ref(), keep)
    {
        return shown;
    }
    let mut message = message.clone();
    let withheld = withhold(&mut message.commands);
    rewritten(message, withheld, body)
}

/// Shows a message of this server. At most `keep` octets will be kept.
pub fn sent(reply: &Reply, keep: usize) -> Shown {
    let Reply { body, credentials, .. } = reply;
    if !names_a_secret(body)
        && let Some(shown) = as_it_is(body, credentials.as_deref(), keep)
    {
        return shown;
    }
    match read(body) {
        Some(mut message) => {
            let withheld = withhold(&mut message.commands);
            rewritten(message, withheld, body)
        }
        // It may hold anything.
        None => {
            Shown { body: Vec::new(), notes: vec!["the body is not kept, as it may hold secrets".into()] }
        }
    }
}

/// A message in WBXML as XML, for people, and what to say of that; `None` if it is not in WBXML, or cannot be read, as one that was cut.
pub fn as_xml(body: &[u8]) -> Option<(Vec<u8>, &'static str)> {
    let is_wbxml = Encoding::sniff(body) == Some(Encoding::Wbxml);
    let message = read(body).filter(|_| is_wbxml)?;
    Some((in_xml(&message), AS_XML))
}

fn read(body: &[u8]) -> Option<Message<'_>> {
    let limits = Limits { bytes: body.len(), ..Limits::default() };
    let encoding = Encoding::sniff(body)?;
    decode(body, encoding, &limits, &mut Leniency::lenient()).ok().map(|decoded| decoded.message)
}

fn in_xml(message: &Message<'_>) -> Vec<u8> {
    let version = Version::of(&message.header).unwrap_or(Version::Dm12);
    encode(message, Form::for_version(Encoding::Xml, version))
}

/// The octets of a message whose only secret is the digest in its header, covered; `None` if there is more to do.
fn as_it_is(body: &[u8], credentials: Option<&Credentials<'_>>, keep: usize) -> Option<Shown> {
    // What is cut cannot be read any more, unless it is text.
    if body.len() > keep && Encoding::sniff(body) == Some(Encoding::Wbxml) {
        return None;
    }
    let mut body = body.to_vec();
    let mut notes = Vec::new();
    if let Some(Credentials { meta, data }) = credentials {
        let is_digest = meta.media_type.as_deref().is_some_and(|scheme| scheme.trim() != BASIC);
        let data = Some(data.as_bytes()).filter(|data| is_digest && !data.is_empty())?;
        let start = memmem::find(&body, data)?;
        body.get_mut(start..start + data.len())?.fill(COVER);
        notes.push(withheld_note(1));
    }
    Some(Shown { body, notes })
}

/// A message from which so many secrets were taken, as XML, and its credentials with them.
fn rewritten(mut message: Message<'_>, mut withheld: usize, body: &[u8]) -> Shown {
    let mut notes = Vec::new();
    if Encoding::sniff(body) == Some(Encoding::Wbxml) {
        notes.push(AS_XML.to_owned());
    }
    if let Some(credentials) = &mut message.header.credentials {
        credentials.data = Cow::Borrowed(WITHHELD);
        withheld += 1;
    }
    if withheld > 0 {
        notes.push(withheld_note(withheld));
    }
    Shown { body: in_xml(&message), notes }
}

fn withheld_note(count: usize) -> String {
    format!("secrets that are not shown: {count}")
}

/// Whether [`withhold`] would take anything out. Containers are as deep as the decoder lets them be.
fn hold_secrets(commands: &[Command<'_>]) -> bool {
    commands.iter().any(|command| match command {
        Command::Status(status) => {
            let typed = status.cmd == "Alert" && status.items.iter().any(|item| item.data.is_some());
            status.credentials.is_some() || typed
        }
        Command::Results(results) => results.items.iter().any(may_hold_secrets),
        Command::Alert(alert) => alert.items.iter().any(may_hold_secrets),
        Command::Operation(operation) => operation.items.iter().any(may_hold_secrets),
        Command::Container(container) => hold_secrets(&container.commands),
        Command::Unknown(_) => false,
    })
}

/// Takes secrets out; gives how many there were.
fn withhold(commands: &mut [Command<'_>]) -> usize {
    let mut count = 0;
    let mut open: Vec<&mut Command<'_>> = commands.iter_mut().collect();
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
    item.data.as_ref().is_some_and(|data| {
        is_token
            || named
            || match data {
                Data::Text(text) => names_a_secret(text.as_bytes()),
                Data::Opaque(octets) => names_a_secret(octets),
            }
    })
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

    fn shown(octets: &[u8], keep: usize) -> (Vec<u8>, usize) {
        let Shown { body, notes } = received(&read(octets).unwrap(), octets, keep);
        (body, notes.len())
    }

    fn text(octets: &[u8]) -> (String, usize) {
        let (body, notes) = shown(octets, usize::MAX);
        (String::from_utf8(body).unwrap(), notes)
    }

    fn wbxml(message: &str) -> Vec<u8> {
        encode(&read(message.as_bytes()).unwrap(), Form::for_version(Encoding::Wbxml, Version::Dm12))
    }

    fn without_credentials(body: &str) -> String {
        let message = message(body);
        let (start, end) = (message.find("<Cred>").unwrap(), message.find("</SyncHdr>").unwrap());
        format!("{}{}", &message[..start], &message[end..])
    }

    const GET: &str = "<Get><CmdID>2</CmdID><Item><Target><LocURI>./A</LocURI></Target></Item></Get>";

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
            let message = message(body);
            for (octets, expected) in [(message.clone().into_bytes(), 1), (wbxml(&message), 2)] {
                let (text, notes) = text(&octets);
                assert!(!text.contains("hunter2") && !text.contains("c2VjcmV0"), "{text}");
                assert!(text.contains(WITHHELD) && notes == expected, "{text}");
            }
        }
    }

    #[test]
    fn a_message_of_the_server_that_names_a_secret_is_rewritten() {
        let message = message(
            "<Replace><CmdID>2</CmdID><Item><Target><LocURI>./DMAcc/x/AppAuth/c/aauthsecret</LocURI></Target>\
             <Data>hunter2</Data></Item></Replace>",
        );
        for body in [message.clone().into_bytes(), wbxml(&message)] {
            let reply = Reply { body, content_type: "", hmac: None, credentials: None };
            let text = String::from_utf8(sent(&reply, usize::MAX).body).unwrap();
            assert!(!text.contains("hunter2") && text.contains(WITHHELD), "{text}");
        }
    }

    #[test]
    fn a_digest_is_covered_where_it_stands() {
        let digest = message(GET).replace(BASIC, "syncml:auth-md5");
        for octets in [digest.clone().into_bytes(), wbxml(&digest)] {
            let (covered, notes) = shown(&octets, usize::MAX);
            assert_eq!((covered.len(), notes), (octets.len(), 1));
            let read = read(&covered).unwrap();
            assert_eq!(read.header.credentials.unwrap().data, "********");
            let credentials = super::read(&octets).unwrap().header.credentials.unwrap();
            let credentials =
                Some(Credentials { meta: credentials.meta, data: Cow::Owned("c2VjcmV0".into()) });
            let reply = Reply {
                body: octets.clone(),
                content_type: "",
                hmac: None,
                credentials: credentials.map(owned).map(Box::new),
            };
            assert_eq!(sent(&reply, usize::MAX).body, covered);
        }
    }

    fn owned(credentials: Credentials<'_>) -> Credentials<'static> {
        let media_type = credentials.meta.media_type.map(|kind| Cow::Owned(kind.into_owned()));
        let meta = omadm_codec::dm1::Meta { media_type, ..Default::default() };
        Credentials { meta, data: Cow::Owned(credentials.data.into_owned()) }
    }

    #[test]
    fn all_else_is_shown_as_it_is() {
        let xml = without_credentials(GET);
        assert_eq!(text(xml.as_bytes()), (xml.clone(), 0));
        let octets = wbxml(&xml);
        assert_eq!(shown(&octets, octets.len()), (octets.clone(), 0));
        let (cut, notes) = shown(&octets, octets.len() - 1);
        assert!(cut.starts_with(b"<") && notes == 1, "what will be cut has to be text");
        let (seen, note) = as_xml(&octets).unwrap();
        assert!(String::from_utf8(seen).unwrap().contains("<LocURI>./A</LocURI>") && note == AS_XML);
        assert_eq!((as_xml(xml.as_bytes()), as_xml(&octets[..octets.len() - 1])), (None, None));
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        let body = b"<SyncML><AAuthSecret>hunter2".to_vec();
        let reply = Reply { body, content_type: "", hmac: None, credentials: None };
        let Shown { body, notes } = sent(&reply, usize::MAX);
        assert!(body.is_empty() && notes.len() == 1);
    }
}
