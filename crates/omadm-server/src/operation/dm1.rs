//! The translation into tasks for DM 1.x (`DM 1.3 PROTO §5, REPPRO §7.6`).

use std::collections::BTreeSet;

use omadm_codec::dm1::{Command, Encoding, Item, Meta, Version, decode, tnds};
use omadm_codec::{Leniency, Limits, media_type};
use omadm_mo::{Format, Value};
use omadm_session::dm1::server::{Capabilities, Content, Existence, Listing, RawItem, Task};
use omadm_store::{Payload, TreeAddress};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{Operation, Setting, items};
use crate::descriptions::Descriptions;
use crate::leaf::LeafValue;
use crate::roots::{Roots, Unresolved};

/// What stands around a raw command, so that it can be read as a message.
const HEAD: &str = "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>\
     <SessionID>1</SessionID><MsgID>1</MsgID><Target><LocURI>.</LocURI></Target><Source><LocURI>.</LocURI></Source>\
     </SyncHdr><SyncBody>";
const TAIL: &str = "<Final/></SyncBody></SyncML>";

/// What is known of a device when its commands are translated.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// Where its management objects are.
    pub roots: &'k Roots,
    /// The version it speaks.
    pub version: Version,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What was last seen at the address of the command.
    pub seen: &'k Seen,
    /// What DDF files say of the MO data that is queued.
    pub described: &'k Descriptions,
    /// Whether a first instance of an object may be put where they say.
    pub may_place: bool,
}

/// What was last seen at an address.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Seen {
    /// A leaf with this value.
    Leaf(Json),
    /// An interior node.
    Interior,
    /// Nothing, but the DDF says that it is a leaf.
    Described,
    /// Nothing.
    #[default]
    Nothing,
    /// Of several nodes: where there are some.
    Places(BTreeSet<TreeAddress>),
}

impl Known<'_> {
    /// Whether a node of MO data is there, as far as is known: of an instance of which nothing was seen, all is.
    pub(super) fn is_there(&self, uri: &str, is_new: bool) -> bool {
        let Seen::Places(places) = self.seen else { return !is_new };
        !is_new && (places.is_empty() || self.roots.place(uri).is_some_and(|at| places.contains(&at)))
    }
}

/// Why an operation cannot be said to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsaid {
    /// It is not known where this management object is.
    Undiscovered(String),
    /// DM 1.x has no such thing, or it cannot be read: one sentence.
    Never(String),
}

impl From<Unresolved> for Unsaid {
    fn from(unresolved: Unresolved) -> Self {
        match unresolved {
            Unresolved::UnknownMo(moid) => Self::Undiscovered(moid),
            Unresolved::Unsaid(sentence) => Self::Never(sentence),
        }
    }
}

impl Operation {
    /// The task for this operation of the command `id`; `payload` is what was queued with it.
    ///
    /// # Errors
    /// [`Unsaid`]
    pub fn to_dm1(&self, id: Uuid, known: Known<'_>, payload: Option<&Payload>) -> Result<Task, Unsaid> {
        let never = |what: &str, instead: &str| {
            Err(Unsaid::Never(format!("the device speaks DM 1.x, which has no {what}; {instead}")))
        };
        let resolve = |address: &str| known.roots.resolve(address);
        match self {
            Self::Get { address } => Ok(get(resolve(address)?, known)),
            Self::Set { address, value } => set(resolve(address)?, value, known, payload),
            Self::SetItems => items::task(known, payload),
            Self::Delete { address } => Ok(Task::Delete { uri: resolve(address)? }),
            Self::Exec { address, .. } => {
                let correlates = known.version != Version::Dm11 && !known.capabilities.windows;
                let correlator = correlates.then(|| correlator(id));
                Ok(Task::Exec { uri: resolve(address)?, content: None, correlator })
            }
            Self::Ask { question } => Ok(Task::Ask(question.to_engine().map_err(Unsaid::Never)?)),
            Self::RawXml { xml } => raw(xml).map_err(Unsaid::Never),
            Self::SetAcls { acls } => Ok(set_acls(acls, known.capabilities)),
            Self::Upload { addresses, .. } => match addresses.as_slice() {
                [address] => Ok(get(resolve(address)?, known)),
                _ => never("uploads of several subtrees", "upload them one by one"),
            },
            Self::Fetch { .. } => never("way to let the device fetch data", "set the node to it"),
            Self::Show { .. } | Self::ShowPage { .. } => never("pages", "ask the user with ask"),
            Self::Default { .. } => never("default places of management objects", "set its items"),
            Self::Subscribe { .. } | Self::Unsubscribe { .. } => {
                never("subscriptions", "read the node with get when it matters")
            }
            Self::Raw { .. } => {
                never("such command", "use raw with xml, or a path with get, set, delete or exec")
            }
        }
    }

    /// Whether the address of what is asked for may make a difference: what was seen there is worth knowing.
    pub fn depends_on_seen(&self) -> Option<&str> {
        match self {
            Self::Get { address } | Self::Set { address, .. } => Some(address),
            Self::Upload { addresses, .. } => addresses.first().map(String::as_str),
            _ => None,
        }
    }
}

/// By which the end of an execution is known when it comes later.
pub fn correlator(id: Uuid) -> String {
    id.simple().to_string()
}

fn get(uri: String, known: Known<'_>) -> Task {
    if uri.contains('?') || matches!(known.seen, Seen::Leaf(_) | Seen::Described) {
        return Task::Get { uris: vec![uri] };
    }
    Task::List { uri, how: listing(known) }
}

/// The best way to read a sub-tree that is not known to be missing.
fn listing(known: Known<'_>) -> Listing {
    let Capabilities { windows, tnds, struct_data, .. } = known.capabilities;
    match (known.version, tnds, struct_data) {
        (Version::Dm11, _, _) => Listing::Walk,
        (_, _, Some(true)) => Listing::StructData,
        (_, Some(true), _) => Listing::Tnds,
        (_, Some(false), Some(false)) => Listing::Walk,
        (Version::Dm13, _, None) | (_, Some(false), None) => Listing::StructData,
        (Version::Dm12, None, None) if windows => Listing::StructData,
        (Version::Dm12 | Version::Dm13, None, _) => Listing::Tnds,
    }
}

fn set(uri: String, value: &Setting, known: Known<'_>, payload: Option<&Payload>) -> Result<Task, Unsaid> {
    if uri.contains('?') {
        return property(uri, value);
    }
    let content = match (value, payload) {
        (Setting::Value(value), _) => leaf(value, known.seen).map_err(Unsaid::Never)?,
        (Setting::Payload, Some(payload)) => octets(payload),
        (Setting::Payload, None) => return Err(Unsaid::Never("its payload is gone".into())),
    };
    let existence = match known.seen {
        Seen::Leaf(_) | Seen::Interior => Existence::Present,
        Seen::Described | Seen::Nothing | Seen::Places(_) => Existence::Unknown,
    };
    Ok(Task::Set { uri, content, existence })
}

/// A property is there with its node, and its value is text.
fn property(uri: String, value: &Setting) -> Result<Task, Unsaid> {
    let Setting::Value(value) = value else {
        return Err(Unsaid::Never("a property is set to a text".into()));
    };
    let content =
        Content { format: Format::Chr, media_type: None, value: Value::Text(value.text().to_owned()) };
    Ok(Task::Set { uri, content, existence: Existence::Present })
}

/// The ACL of each node, all or none where the device can do that.
fn set_acls(acls: &[(String, String)], capabilities: Capabilities) -> Task {
    let set = |(uri, acl): &(String, String)| {
        let content = Content { format: Format::Chr, media_type: None, value: Value::Text(acl.clone()) };
        Task::Set { uri: uri.clone(), content, existence: Existence::Present }
    };
    match acls {
        [one] => set(one),
        several if capabilities.atomic == Some(false) => Task::Sequence(several.iter().map(set).collect()),
        several => Task::Atomic(several.iter().map(set).collect()),
    }
}

/// A value in the format of the DDF, else in that of what is there, else in its own.
fn leaf(value: &LeafValue, seen: &Seen) -> Result<Content, String> {
    let text = value.text();
    if let Some(model) = value.model() {
        let value = Value::from_text(model.format, text).map_err(|error| format!("the value: {error}"))?;
        return Ok(Content { format: model.format, media_type: model.mime.clone(), value });
    }
    let there = match seen {
        Seen::Leaf(there @ (Json::String(_) | Json::Number(_) | Json::Bool(_))) => there,
        Seen::Leaf(_) | Seen::Interior | Seen::Described | Seen::Nothing | Seen::Places(_) => value.json(),
    };
    let format = match there {
        Json::Bool(_) => Format::Bool,
        Json::Number(number) if number.is_i64() => Format::Int,
        Json::Number(_) => Format::Float,
        Json::Null | Json::String(_) | Json::Array(_) | Json::Object(_) => Format::Chr,
    };
    // Where the device has a number and the operator a text, the device shall say what it thinks of it.
    let (format, value) = match Value::from_text(format, text) {
        Ok(value) => (format, value),
        Err(_) => (Format::Chr, Value::Text(text.to_owned())),
    };
    Ok(Content { format, media_type: None, value })
}

/// Octets as what their media type says they are.
fn octets(payload: &Payload) -> Content {
    let media_type = Some(payload.content_type.clone());
    let essence = media_type::MediaType::parse(&payload.content_type).map(|parsed| parsed.essence);
    let essence = essence.unwrap_or_default();
    let is_xml = essence == tnds::TNDS_XML || essence.ends_with("/xml") || essence.ends_with("+xml");
    match std::str::from_utf8(&payload.body) {
        Ok(text) if is_xml => {
            Content { format: Format::Xml, media_type, value: Value::Text(text.to_owned()) }
        }
        Ok(text) if essence.starts_with("text/") || essence.ends_with("json") => {
            Content { format: Format::Chr, media_type, value: Value::Text(text.to_owned()) }
        }
        _ => Content { format: Format::Bin, media_type, value: Value::Bytes(payload.body.clone()) },
    }
}

/// A command as an operator wrote it.
///
/// # Errors
/// One sentence on what is wrong with it.
pub fn raw(xml: &str) -> Result<Task, String> {
    let message = format!("{HEAD}{xml}{TAIL}");
    let limits = Limits { bytes: message.len(), ..Limits::default() };
    let decoded =
        decode(message.as_bytes(), Encoding::Xml, &limits, &mut Leniency::lenient()).map_err(|error| {
            format!("the command cannot be read: {error} (counted from {} octets before it)", HEAD.len())
        })?;
    let mut commands = decoded.message.commands.into_iter();
    let (Some(Command::Operation(command)), None) = (commands.next(), commands.next()) else {
        return Err("write one command: Add, Replace, Delete, Copy, Get or Exec".into());
    };
    let items =
        command.items.iter().map(|item| raw_item(item, &command.meta)).collect::<Result<Vec<_>, _>>()?;
    if items.is_empty() {
        return Err("the command has no Item".into());
    }
    Ok(Task::Raw { kind: command.kind, items })
}

fn raw_item(item: &Item<'_>, all: &Meta<'_>) -> Result<RawItem, String> {
    let written = item.meta.format.as_deref().or(all.format.as_deref());
    let format = written.map_or(Ok(Format::Chr), |name| {
        Format::parse(name).ok_or_else(|| format!("{name:?} is no Format"))
    })?;
    let media_type = item.meta.media_type.as_deref().or(all.media_type.as_deref()).map(str::to_owned);
    let text = match &item.data {
        Some(omadm_codec::dm1::Data::Text(text)) => Some(text.as_ref()),
        Some(omadm_codec::dm1::Data::Opaque(_)) | None => None,
    };
    let value = match text {
        Some(text) => {
            Some(Value::from_text(format, text).map_err(|error| format!("Data of an Item: {error}"))?)
        }
        None => (written.is_some() || media_type.is_some()).then_some(Value::Null),
    };
    Ok(RawItem {
        target: item.target.as_deref().map(str::to_owned),
        source: item.source.as_deref().map(str::to_owned),
        content: value.map(|value| Content { format, media_type, value }),
    })
}

#[cfg(test)]
mod tests {
    use omadm_codec::dm1::OperationKind;
    use serde_json::json;

    use super::*;
    use crate::address::Inventory;

    const ID: Uuid = Uuid::from_u128(0x2a);

    fn said(
        operation: &Operation,
        version: Version,
        capabilities: Capabilities,
        seen: &Seen,
    ) -> Result<Task, Unsaid> {
        let roots = Roots::of(&Inventory::default(), version);
        let described = Descriptions::default();
        let known =
            Known { roots: &roots, version, capabilities, seen, described: &described, may_place: false };
        operation.to_dm1(ID, known, None)
    }

    fn get(address: &str) -> Operation {
        Operation::Get { address: address.to_owned() }
    }

    #[test]
    fn a_subtree_is_listed_and_a_leaf_is_read() {
        let none = Capabilities::default();
        let how = |version, capabilities, seen: &Seen| match said(&get("./A"), version, capabilities, seen) {
            Ok(Task::List { how, .. }) => Some(how),
            Ok(Task::Get { .. }) => None,
            other => panic!("{other:?}"),
        };
        let lacks = |tnds, struct_data| Capabilities { tnds, struct_data, ..none };
        for (version, capabilities, expected) in [
            (Version::Dm11, none, Listing::Walk),
            (Version::Dm12, none, Listing::Tnds),
            (Version::Dm13, none, Listing::StructData),
            (Version::Dm12, lacks(Some(false), None), Listing::StructData),
            (Version::Dm12, lacks(Some(false), Some(false)), Listing::Walk),
            (Version::Dm13, lacks(Some(true), Some(false)), Listing::Tnds),
            (Version::Dm12, lacks(None, Some(true)), Listing::StructData),
            (Version::Dm12, Capabilities { windows: true, ..none }, Listing::StructData),
        ] {
            for seen in [Seen::Nothing, Seen::Interior] {
                assert_eq!(how(version, capabilities, &seen), Some(expected), "{version:?} {capabilities:?}");
            }
            for seen in [Seen::Leaf(json!(1)), Seen::Described] {
                assert_eq!(how(version, capabilities, &seen), None);
            }
        }
        let property = said(&get("./A?prop=ACL"), Version::Dm12, none, &Seen::Interior);
        assert_eq!(property, Ok(Task::Get { uris: vec!["./A?prop=ACL".into()] }));
    }

    #[test]
    fn a_value_has_the_format_of_what_is_there() {
        let written = |value: Json, seen: &Seen| {
            let value = Setting::Value(LeafValue::new(value, None).unwrap());
            let operation = Operation::Set { address: "./A".into(), value };
            match said(&operation, Version::Dm12, Capabilities::default(), seen) {
                Ok(Task::Set { content, existence, .. }) => (content.format, content.value, existence),
                other => panic!("{other:?}"),
            }
        };
        for (value, seen, format, expected, existence) in [
            (json!(5), Seen::Nothing, Format::Int, Value::Int(5), Existence::Unknown),
            (json!("5"), Seen::Nothing, Format::Chr, Value::Text("5".into()), Existence::Unknown),
            (json!(true), Seen::Described, Format::Bool, Value::Bool(true), Existence::Unknown),
            (json!(0.5), Seen::Nothing, Format::Float, Value::Float(0.5), Existence::Unknown),
            (json!(5), Seen::Leaf(json!("4")), Format::Chr, Value::Text("5".into()), Existence::Present),
            (json!("5"), Seen::Leaf(json!(4)), Format::Int, Value::Int(5), Existence::Present),
            (json!("x"), Seen::Leaf(json!(4)), Format::Chr, Value::Text("x".into()), Existence::Present),
        ] {
            assert_eq!(written(value.clone(), &seen), (format, expected, existence), "{value} {seen:?}");
        }
    }

    #[test]
    fn payloads_are_what_their_type_says() {
        let written = |content_type: &str, body: &[u8]| {
            let device = omadm_mo::DeviceId::parse("A:1").unwrap();
            let payload = Payload { id: ID, device, content_type: content_type.into(), body: body.to_vec() };
            let Content { format, media_type, value } = octets(&payload);
            assert_eq!(media_type.as_deref(), Some(content_type));
            (format, value)
        };
        assert_eq!(written("text/plain", b"x"), (Format::Chr, Value::Text("x".into())));
        assert_eq!(written("text/xml", b"<a/>"), (Format::Xml, Value::Text("<a/>".into())));
        assert_eq!(written(tnds::TNDS_XML, b"<a/>"), (Format::Xml, Value::Text("<a/>".into())));
        assert_eq!(written(tnds::TNDS_WBXML, &[3, 0]), (Format::Bin, Value::Bytes(vec![3, 0])));
        assert_eq!(written("text/plain", &[0xff]), (Format::Bin, Value::Bytes(vec![0xff])));
    }

    #[test]
    fn executions_have_a_correlator_where_it_is_known() {
        let exec = Operation::Exec { address: "./A".into(), later: false };
        let correlator = |version, windows| {
            let capabilities = Capabilities { windows, ..Capabilities::default() };
            match said(&exec, version, capabilities, &Seen::Nothing) {
                Ok(Task::Exec { correlator, .. }) => correlator,
                other => panic!("{other:?}"),
            }
        };
        let expected = "0000000000000000000000000000002a".to_owned();
        assert_eq!(correlator(Version::Dm12, false), Some(expected.clone()));
        assert_eq!(correlator(Version::Dm13, false), Some(expected));
        assert_eq!(correlator(Version::Dm11, false), None);
        assert_eq!(correlator(Version::Dm12, true), None);
    }

    #[test]
    fn a_raw_command_is_one_command_with_its_items() {
        let task = raw("<Add><CmdID>7</CmdID><Meta><Format xmlns=\"syncml:metinf\">int</Format></Meta>\
             <Item><Target><LocURI>./A</LocURI></Target><Data>4</Data></Item>\
             <Item><Target><LocURI>./B</LocURI></Target><Meta><Format xmlns=\"syncml:metinf\">node</Format></Meta></Item></Add>");
        let Ok(Task::Raw { kind: OperationKind::Add, items }) = task else { panic!("{task:?}") };
        let content = |item: &RawItem| item.content.clone().map(|content| (content.format, content.value));
        assert_eq!(content(&items[0]), Some((Format::Int, Value::Int(4))));
        assert_eq!(
            (items[1].target.as_deref(), content(&items[1])),
            (Some("./B"), Some((Format::Node, Value::Null)))
        );
        for bad in [
            "<Get><CmdID>1</CmdID></Get>",
            "<Status/>",
            "<Alert><Data>1100</Data></Alert>",
            "</SyncBody>",
            "",
        ] {
            assert!(raw(bad).is_err(), "{bad}");
        }
        let fault = raw(
            "<Add><Item><Meta><Format xmlns=\"syncml:metinf\">int</Format></Meta><Data>x</Data></Item></Add>",
        );
        assert!(fault.is_err_and(|why| why.contains("Data")), "what is no value of its Format");
    }
}
