//! Decoding messages (`DM 1.3 REPPRO §7`).

use std::borrow::Cow;

use omadm_mo::{Format, Value};

use super::element::{Element, MetInf, Page, SyncMl};
use super::event::{Event, Pull, Tag, WbxmlReader, XmlReader, skipped, trim};
use super::form::{Encoding, Form};
use super::message::{
    Alert, Command, Container, ContainerKind, Credentials, Data, Header, Item, Location, Message, Operation,
    OperationKind, Results, Status, Unknown,
};
use super::meta::{Mark, Meta};
use crate::xml::is_xml_char;
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

type Result<T> = std::result::Result<T, DecodeError>;

/// A message, and what the peer wrote it in.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<'a> {
    /// The message.
    pub message: Message<'a>,
    /// In which form to answer.
    pub form: Form,
}

/// Reads a message. Children stand in any order; those that DM does not use are skipped.
///
/// XML is UTF-8, or UTF-16 with its byte order mark; offsets of errors in the latter count octets of it as UTF-8.
///
/// # Errors
/// On broken syntax, a limit, or what does not fit the schema, with byte offset. What an engine can answer with a status is no error:
/// see [`super::message`].
pub fn decode<'a>(
    body: &'a [u8],
    encoding: Encoding,
    limits: &Limits,
    leniency: &mut Leniency,
) -> Result<Decoded<'a>> {
    match encoding {
        Encoding::Xml => {
            let message = match from_utf16(body, limits)? {
                None => message(&mut XmlReader::new(body, limits, leniency)?)?,
                Some(text) => message(&mut XmlReader::new(text.as_bytes(), limits, leniency)?)?.into_owned(),
            };
            Ok(Decoded { message, form: Form::Xml })
        }
        Encoding::Wbxml => {
            let mut reader = WbxmlReader::new(body, limits, leniency, Page::SyncMl)?;
            let form = Form::Wbxml(reader.version());
            message(&mut reader).map(|message| Decoded { message, form })
        }
    }
}

/// A document that begins with a byte order mark of UTF-16, as UTF-8.
fn from_utf16(body: &[u8], limits: &Limits) -> Result<Option<String>> {
    let (octets, read): (_, fn([u8; 2]) -> u16) = match body {
        [0xFE, 0xFF, octets @ ..] => (octets, u16::from_be_bytes),
        [0xFF, 0xFE, octets @ ..] => (octets, u16::from_le_bytes),
        _ => return Ok(None),
    };
    let error = |problem| DecodeError { at: 0, field: "document", problem };
    if body.len() > limits.bytes {
        return Err(error(Problem::TooLarge { limit: limits.bytes }));
    }
    let (units, rest) = octets.as_chunks::<2>();
    let text: std::result::Result<String, _> =
        char::decode_utf16(units.iter().map(|unit| read(*unit))).collect();
    match (text, rest) {
        (Ok(text), []) => Ok(Some(text)),
        _ => Err(error(Problem::Syntax("not UTF-16, as its byte order mark says".into()))),
    }
}

fn message<'a, S: Pull<'a>>(source: &mut S) -> Result<Message<'a>> {
    source.root(SyncMl::SyncMl)?;
    let (mut head, mut body) = (None, None);
    while let Some(element) = child(source)? {
        match element {
            SyncMl::SyncHdr => once(source, &mut head, element, header)?,
            SyncMl::SyncBody => once(source, &mut body, element, sync_body)?,
            _ => source.skip()?,
        }
    }
    let header = required(source, head, SyncMl::SyncHdr)?;
    let (commands, is_final) = required(source, body, SyncMl::SyncBody)?;
    source.finish()?;
    Ok(Message { header, commands, is_final })
}

/// The next child that is an element of SyncML; all others are passed over.
#[inline(always)]
fn child<'a, S: Pull<'a>>(source: &mut S) -> Result<Option<SyncMl>> {
    loop {
        match source.child()? {
            Some(Tag::Known(Element::SyncMl(element))) => return Ok(Some(element)),
            Some(_) => source.skip()?,
            None => return Ok(None),
        }
    }
}

/// Reads an element that may be there once into its slot.
#[inline]
fn once<'a, S: Pull<'a>, T>(
    source: &mut S,
    slot: &mut Option<T>,
    element: impl Into<Element>,
    read: impl FnOnce(&mut S) -> Result<T>,
) -> Result<()> {
    if slot.is_some() {
        return Err(source.error(element.into().name(), Problem::Duplicate));
    }
    *slot = Some(read(source)?);
    Ok(())
}

/// What must be there by the end of its parent.
fn required<'a, S: Pull<'a>, T>(source: &S, slot: Option<T>, element: SyncMl) -> Result<T> {
    slot.ok_or_else(|| source.error(element.name(), Problem::Missing))
}

/// Says yes to a tolerance, or why not.
fn tolerate<'a, S: Pull<'a>>(
    source: &mut S,
    tolerance: Tolerance,
    field: &'static str,
    text: &'static str,
) -> Result<()> {
    if source.leniency().allow(tolerance) { Ok(()) } else { Err(source.schema(field, text)) }
}

fn header<'a, S: Pull<'a>>(source: &mut S) -> Result<Header<'a>> {
    let (mut ver_dtd, mut ver_proto, mut session_id, mut message_id) = (None, None, None, None);
    let (mut target, mut sender, mut resp_uri, mut credential, mut description) =
        (None, None, None, None, None);
    let mut no_response = false;
    while let Some(element) = child(source)? {
        match element {
            SyncMl::VerDtd => once(source, &mut ver_dtd, element, S::value)?,
            SyncMl::VerProto => once(source, &mut ver_proto, element, S::value)?,
            SyncMl::SessionId => once(source, &mut session_id, element, S::value)?,
            SyncMl::MsgId => once(source, &mut message_id, element, S::value)?,
            SyncMl::Target => once(source, &mut target, element, location)?,
            SyncMl::Source => once(source, &mut sender, element, location)?,
            SyncMl::RespUri => once(source, &mut resp_uri, element, S::value)?,
            SyncMl::NoResp => no_response = flag(source)?,
            SyncMl::Cred => once(source, &mut credential, element, credentials)?,
            SyncMl::Meta => once(source, &mut description, element, meta)?,
            _ => source.skip()?,
        }
    }
    Ok(Header {
        ver_dtd: required(source, ver_dtd, SyncMl::VerDtd)?,
        ver_proto: required(source, ver_proto, SyncMl::VerProto)?,
        session_id: required(source, session_id, SyncMl::SessionId)?,
        message_id: required(source, message_id, SyncMl::MsgId)?,
        target: required(source, target, SyncMl::Target)?,
        source: required(source, sender, SyncMl::Source)?,
        resp_uri,
        no_response,
        credentials: credential,
        meta: description.unwrap_or_default(),
    })
}

/// An element that says all by being there.
fn flag<'a, S: Pull<'a>>(source: &mut S) -> Result<bool> {
    source.skip()?;
    Ok(true)
}

fn location<'a, S: Pull<'a>>(source: &mut S) -> Result<Location<'a>> {
    let (mut uri, mut name) = (None, None);
    while let Some(element) = child(source)? {
        match element {
            SyncMl::LocUri => once(source, &mut uri, element, S::value)?,
            SyncMl::LocName => once(source, &mut name, element, S::value)?,
            _ => source.skip()?,
        }
    }
    Ok(Location { uri: uri.unwrap_or_default(), name })
}

fn credentials<'a, S: Pull<'a>>(source: &mut S) -> Result<Credentials<'a>> {
    let (mut description, mut data) = (None, None);
    while let Some(element) = child(source)? {
        match element {
            SyncMl::Meta => once(source, &mut description, element, meta)?,
            SyncMl::Data => once(source, &mut data, element, S::value)?,
            _ => source.skip()?,
        }
    }
    Ok(Credentials { meta: description.unwrap_or_default(), data: data.unwrap_or_default() })
}

/// The commands, and whether there is a `Final`.
fn sync_body<'a, S: Pull<'a>>(source: &mut S) -> Result<(Vec<Command<'a>>, bool)> {
    let (mut commands, mut is_final) = (Vec::new(), false);
    while let Some(tag) = source.child()? {
        match tag {
            Tag::Known(Element::SyncMl(SyncMl::Final)) => is_final = flag(source)?,
            tag => commands.push(command(source, tag)?),
        }
    }
    Ok((commands, is_final))
}

fn command<'a, S: Pull<'a>>(source: &mut S, tag: Tag<'a>) -> Result<Command<'a>> {
    let name = match tag {
        Tag::Known(Element::SyncMl(element)) => {
            let operation = match element {
                SyncMl::Status => return status(source).map(Command::Status),
                SyncMl::Results => return results(source).map(Command::Results),
                SyncMl::Alert => return alert(source).map(Command::Alert),
                SyncMl::Atomic => return container(source, ContainerKind::Atomic).map(Command::Container),
                SyncMl::Sequence => {
                    return container(source, ContainerKind::Sequence).map(Command::Container);
                }
                SyncMl::Add => Some(OperationKind::Add),
                SyncMl::Replace => Some(OperationKind::Replace),
                SyncMl::Delete => Some(OperationKind::Delete),
                SyncMl::Copy => Some(OperationKind::Copy),
                SyncMl::Get => Some(OperationKind::Get),
                SyncMl::Exec => Some(OperationKind::Exec),
                _ => None,
            };
            if let Some(kind) = operation {
                return self::operation(source, kind).map(Command::Operation);
            }
            Cow::Borrowed(element.name())
        }
        Tag::Known(element) => Cow::Borrowed(element.name()),
        Tag::Unknown(name) => name,
        Tag::Token(_) => Cow::Borrowed(""),
    };
    unknown(source, name).map(Command::Unknown)
}

fn operation<'a, S: Pull<'a>>(source: &mut S, kind: OperationKind) -> Result<Operation<'a>> {
    let (mut id, mut description, mut correlator, mut items) = (None, None, None, Vec::new());
    let mut no_response = false;
    while let Some(element) = child(source)? {
        match element {
            SyncMl::CmdId => once(source, &mut id, element, S::value)?,
            SyncMl::NoResp => no_response = flag(source)?,
            SyncMl::Meta => once(source, &mut description, element, meta)?,
            SyncMl::Correlator => once(source, &mut correlator, element, S::value)?,
            SyncMl::Item => add_item(source, &mut items)?,
            _ => source.skip()?,
        }
    }
    let (id, meta) = (id.unwrap_or_default(), description.unwrap_or_default());
    settle(&mut items, &meta);
    Ok(Operation { kind, id, no_response, meta, correlator, items })
}

fn container<'a, S: Pull<'a>>(source: &mut S, kind: ContainerKind) -> Result<Container<'a>> {
    let (mut id, mut description, mut commands) = (None, None, Vec::new());
    let mut no_response = false;
    while let Some(tag) = source.child()? {
        match tag {
            Tag::Known(Element::SyncMl(SyncMl::CmdId)) => once(source, &mut id, SyncMl::CmdId, S::value)?,
            Tag::Known(Element::SyncMl(SyncMl::Meta)) => once(source, &mut description, SyncMl::Meta, meta)?,
            Tag::Known(Element::SyncMl(SyncMl::NoResp)) => no_response = flag(source)?,
            Tag::Known(Element::SyncMl(SyncMl::Cred)) => source.skip()?,
            tag => commands.push(command(source, tag)?),
        }
    }
    let (id, meta) = (id.unwrap_or_default(), description.unwrap_or_default());
    Ok(Container { kind, id, no_response, meta, commands })
}

fn unknown<'a, S: Pull<'a>>(source: &mut S, name: Cow<'a, str>) -> Result<Unknown<'a>> {
    let (mut id, mut no_response) = (None, false);
    loop {
        match source.next()? {
            Event::Start(Tag::Known(Element::SyncMl(SyncMl::CmdId))) if id.is_none() => {
                id = Some(source.value()?);
            }
            Event::Start(Tag::Known(Element::SyncMl(SyncMl::NoResp))) => no_response = flag(source)?,
            Event::Start(_) => source.skip()?,
            Event::End => return Ok(Unknown { name, id: id.unwrap_or_default(), no_response }),
            Event::Text(_) | Event::Opaque(_) => {}
        }
    }
}

fn status<'a, S: Pull<'a>>(source: &mut S) -> Result<Status<'a>> {
    let (mut id, mut msg_ref, mut cmd_ref, mut cmd, mut code) = (None, None, None, None, None);
    let (mut target_refs, mut source_refs, mut items) = (Vec::new(), Vec::new(), Vec::new());
    let (mut credential, mut challenge, mut code_attributes) = (None, None, Vec::new());
    while let Some(element) = child(source)? {
        match element {
            SyncMl::CmdId => once(source, &mut id, element, S::value)?,
            SyncMl::MsgRef => once(source, &mut msg_ref, element, S::value)?,
            SyncMl::CmdRef => once(source, &mut cmd_ref, element, S::value)?,
            SyncMl::Cmd => once(source, &mut cmd, element, S::value)?,
            SyncMl::TargetRef => target_refs.push(reference(source)?),
            SyncMl::SourceRef => source_refs.push(reference(source)?),
            SyncMl::Cred => {
                once(source, &mut credential, element, |source| credentials(source).map(Box::new))?
            }
            SyncMl::Chal => once(source, &mut challenge, element, |source| chal(source).map(Box::new))?,
            SyncMl::Data => {
                code_attributes = source.attributes()?;
                once(source, &mut code, element, S::value)?;
            }
            SyncMl::Item => add_item(source, &mut items)?,
            _ => source.skip()?,
        }
    }
    settle(&mut items, &Meta::default());
    Ok(Status {
        id: id.unwrap_or_default(),
        msg_ref: msg_ref.unwrap_or_default(),
        cmd_ref: cmd_ref.unwrap_or_default(),
        cmd: cmd.unwrap_or_default(),
        target_refs,
        source_refs,
        credentials: credential,
        challenge,
        code: code.unwrap_or_default(),
        code_attributes,
        items,
    })
}

fn chal<'a, S: Pull<'a>>(source: &mut S) -> Result<Meta<'a>> {
    let mut description = None;
    while let Some(element) = child(source)? {
        match element {
            SyncMl::Meta => once(source, &mut description, element, meta)?,
            _ => source.skip()?,
        }
    }
    Ok(description.unwrap_or_default())
}

/// `TargetRef` or `SourceRef`: an address, which some put into a `LocURI`.
fn reference<'a, S: Pull<'a>>(source: &mut S) -> Result<Cow<'a, str>> {
    let address = source.text_with(|source, tag| match tag {
        Tag::Known(Element::SyncMl(SyncMl::LocUri)) => {
            tolerate(source, Tolerance::NestedReference, "LocURI", "a reference holds its address itself")?;
            source.text()
        }
        other => skipped(source, other),
    })?;
    Ok(trim(address))
}

fn results<'a, S: Pull<'a>>(source: &mut S) -> Result<Results<'a>> {
    let (mut id, mut msg_ref, mut cmd_ref, mut description) = (None, None, None, None);
    let (mut target_ref, mut source_ref, mut items) = (None, None, Vec::new());
    while let Some(element) = child(source)? {
        match element {
            SyncMl::CmdId => once(source, &mut id, element, S::value)?,
            SyncMl::MsgRef => once(source, &mut msg_ref, element, S::value)?,
            SyncMl::CmdRef => once(source, &mut cmd_ref, element, S::value)?,
            SyncMl::Meta => once(source, &mut description, element, meta)?,
            SyncMl::TargetRef => once(source, &mut target_ref, element, reference)?,
            SyncMl::SourceRef => once(source, &mut source_ref, element, reference)?,
            SyncMl::Item => add_item(source, &mut items)?,
            _ => source.skip()?,
        }
    }
    let meta = description.unwrap_or_default();
    settle(&mut items, &meta);
    Ok(Results {
        id: id.unwrap_or_default(),
        msg_ref: msg_ref.unwrap_or_default(),
        cmd_ref: cmd_ref.unwrap_or_default(),
        meta,
        target_ref,
        source_ref,
        items,
    })
}

fn alert<'a, S: Pull<'a>>(source: &mut S) -> Result<Alert<'a>> {
    let (mut id, mut code, mut correlator, mut items) = (None, None, None, Vec::new());
    let mut no_response = false;
    while let Some(element) = child(source)? {
        match element {
            SyncMl::CmdId => once(source, &mut id, element, S::value)?,
            SyncMl::NoResp => no_response = flag(source)?,
            SyncMl::Data => once(source, &mut code, element, S::value)?,
            SyncMl::Correlator => once(source, &mut correlator, element, S::value)?,
            SyncMl::Item => add_item(source, &mut items)?,
            _ => source.skip()?,
        }
    }
    settle(&mut items, &Meta::default());
    let (id, code) = (id.unwrap_or_default(), code.unwrap_or_default());
    Ok(Alert { id, no_response, code, correlator, items })
}

/// Makes text of what came as OPAQUE and is text by its `Meta`: many peers send all data so. What XML could not hold stays as it is.
fn settle(items: &mut [Item<'_>], inherited: &Meta<'_>) {
    for item in items {
        let format = item.meta.format.as_deref().or(inherited.format.as_deref());
        let media_type = item.meta.media_type.as_deref().or(inherited.media_type.as_deref());
        let is_opaque = matches!(item.data, Some(Data::Opaque(_)));
        if is_opaque && format != Some("bin") && !media_type.is_some_and(|name| name.ends_with("+wbxml")) {
            item.data = item.data.take().map(into_text);
        }
    }
}

fn into_text(data: Data<'_>) -> Data<'_> {
    let is_text = |octets: &[u8]| std::str::from_utf8(octets).is_ok_and(|text| text.chars().all(is_xml_char));
    match data {
        Data::Opaque(octets) if !is_text(&octets) => Data::Opaque(octets),
        Data::Opaque(Cow::Borrowed(octets)) => Data::Text(String::from_utf8_lossy(octets)),
        Data::Opaque(Cow::Owned(octets)) => {
            Data::Text(Cow::Owned(String::from_utf8(octets).unwrap_or_default()))
        }
        Data::Text(text) => Data::Text(text),
    }
}

/// Reads an item to those that are there. Most commands have one, and an `Item` is too large to reserve places for more.
fn add_item<'a, S: Pull<'a>>(source: &mut S, items: &mut Vec<Item<'a>>) -> Result<()> {
    if items.is_empty() {
        items.reserve_exact(1);
    }
    items.push(item(source)?);
    Ok(())
}

fn item<'a, S: Pull<'a>>(source: &mut S) -> Result<Item<'a>> {
    let (mut target, mut origin, mut description, mut data) = (None, None, None, None);
    let (mut more, mut beside) = (false, None);
    while let Some(tag) = source.child()? {
        let element = match tag {
            Tag::Known(Element::SyncMl(element)) => element,
            Tag::Known(Element::MetInf(MetInf::Type)) => {
                beside = Some(type_beside_meta(source)?);
                continue;
            }
            Tag::Unknown(name) if name == MetInf::Type.name() => {
                beside = Some(type_beside_meta(source)?);
                continue;
            }
            _ => {
                source.skip()?;
                continue;
            }
        };
        match element {
            SyncMl::Target => once(source, &mut target, element, location)?,
            SyncMl::Source => once(source, &mut origin, element, location)?,
            SyncMl::Meta => once(source, &mut description, element, meta)?,
            SyncMl::Data => once(source, &mut data, element, S::data)?,
            SyncMl::MoreData => more = flag(source)?,
            _ => source.skip()?,
        }
    }
    let mut meta = description.unwrap_or_default();
    meta.media_type = meta.media_type.or(beside);
    let uri = |location: Location<'a>| location.uri;
    Ok(Item { target: target.map(uri), source: origin.map(uri), meta, data, more })
}

fn type_beside_meta<'a, S: Pull<'a>>(source: &mut S) -> Result<Cow<'a, str>> {
    tolerate(source, Tolerance::TypeBesideMeta, "Type", "it belongs into Meta")?;
    source.value()
}

/// `Meta`, with or without a `MetInf` around its children.
fn meta<'a, S: Pull<'a>>(source: &mut S) -> Result<Meta<'a>> {
    let (mut format, mut media_type, mut mark, mut size) = (None, None, None, None);
    let (mut next_nonce, mut max_message_size, mut max_object_size) = (None, None, None);
    let mut wrappers = 0_usize;
    loop {
        let element = match source.child()? {
            Some(Tag::Known(Element::MetInf(element))) => element,
            Some(_) => {
                source.skip()?;
                continue;
            }
            None if wrappers == 0 => break,
            None => {
                wrappers -= 1;
                continue;
            }
        };
        match element {
            MetInf::MetInf => wrappers += 1,
            MetInf::Format => once(source, &mut format, element, S::value)?,
            MetInf::Type => once(source, &mut media_type, element, S::value)?,
            MetInf::Mark => once(source, &mut mark, element, self::mark)?,
            MetInf::Size => once(source, &mut size, element, |source| number(source, element))?,
            MetInf::NextNonce => once(source, &mut next_nonce, element, nonce)?,
            MetInf::MaxMsgSize => {
                once(source, &mut max_message_size, element, |source| number(source, element))?
            }
            MetInf::MaxObjSize => {
                once(source, &mut max_object_size, element, |source| number(source, element))?
            }
            _ => source.skip()?,
        }
    }
    Ok(Meta { format, media_type, mark, size, next_nonce, max_message_size, max_object_size })
}

fn number<'a, S: Pull<'a>>(source: &mut S, element: MetInf) -> Result<u64> {
    let text = source.value()?;
    text.parse().map_err(|_| source.schema(element.name(), format!("{text:?} is not a number of octets")))
}

fn mark<'a, S: Pull<'a>>(source: &mut S) -> Result<Mark> {
    let text = source.value()?;
    if let Some(mark) = Mark::parse(&text) {
        return Ok(mark);
    }
    tolerate(source, Tolerance::UnknownMark, "Mark", "it is none of the seven")?;
    Ok(Mark::Informational)
}

/// `NextNonce`: base64, or the octets themselves as OPAQUE.
fn nonce<'a, S: Pull<'a>>(source: &mut S) -> Result<Cow<'a, [u8]>> {
    let text = match source.data()? {
        Data::Opaque(octets) => return Ok(octets),
        Data::Text(text) => text.trim_ascii().to_owned(),
    };
    match Value::Text(text).into_format(Format::B64) {
        Ok((Value::Bytes(ref octets), departure)) => {
            if let Some(departure) = departure {
                tolerate(source, departure.into(), "NextNonce", "it is not base64 as RFC 4648 has it")?;
            }
            Ok(Cow::Owned(octets.clone()))
        }
        _ => Err(source.schema("NextNonce", "it is not base64")),
    }
}
