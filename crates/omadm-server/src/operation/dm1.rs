//! The translation into tasks for DM 1.x (`DM 1.3 PROTO §5, REPPRO §7.6`).

use omadm_codec::dm1::{Command, Encoding, Item, Meta, Version, decode};
use omadm_codec::{Leniency, Limits, media_type};
use omadm_mo::{Format, Value};
use omadm_session::dm1::server::{Capabilities, Content, Existence, Listing, RawItem, Task};
use omadm_session::dm2::server::flatten;
use omadm_store::Payload;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{Operation, Setting};
use crate::context::decode_mo_data;
use crate::leaf::LeafValue;
use crate::roots::{Roots, Unresolved};

/// Media types of TNDS documents.
const TNDS_XML: &str = "application/vnd.syncml.dmtnds+xml";
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
            Self::SetItems => items(known, payload),
            Self::Delete { address } => Ok(Task::Delete { uri: resolve(address)? }),
            Self::Exec { address, .. } => {
                let correlates = known.version != Version::Dm11 && !known.capabilities.windows;
                let correlator = correlates.then(|| correlator(id));
                Ok(Task::Exec { uri: resolve(address)?, content: None, correlator })
            }
            Self::Ask { question } => Ok(Task::Ask(question.to_engine().map_err(Unsaid::Never)?)),
            Self::RawXml { xml } => raw(xml).map_err(Unsaid::Never),
            Self::Upload { .. } => never("way to let the device upload", "read the nodes with get"),
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

/// The best way to read a subtree that is not known to be missing.
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
        Seen::Described | Seen::Nothing => Existence::Unknown,
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

/// A value in the format of the DDF, else in that of what is there, else in its own.
fn leaf(value: &LeafValue, seen: &Seen) -> Result<Content, String> {
    let text = value.text();
    if let Some(model) = value.model() {
        let value = Value::from_text(model.format, text).map_err(|error| format!("the value: {error}"))?;
        return Ok(Content { format: model.format, media_type: model.mime.clone(), value });
    }
    let there = match seen {
        Seen::Leaf(there @ (Json::String(_) | Json::Number(_) | Json::Bool(_))) => there,
        Seen::Leaf(_) | Seen::Interior | Seen::Described | Seen::Nothing => value.json(),
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
    let is_xml = essence == TNDS_XML || essence.ends_with("/xml") || essence.ends_with("+xml");
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

/// MO data as writes of all its nodes, all or none.
fn items(known: Known<'_>, payload: Option<&Payload>) -> Result<Task, Unsaid> {
    let payload = payload.ok_or_else(|| Unsaid::Never("its payload is gone".into()))?;
    let items = decode_mo_data(&payload.body, payload.body.len(), &mut Leniency::lenient())
        .map_err(|error| Unsaid::Never(format!("its items cannot be read: {error}")))?;
    let mut writes = Vec::new();
    for item in &items {
        let whole = known.roots.parse(&item.client_uri).map_err(Unsaid::Never)?;
        for (uri, value) in flatten(&whole, &item.content) {
            let uri = known.roots.resolve(&uri.to_string())?;
            writes.push(Task::Set { uri, content: node(value), existence: Existence::Unknown });
        }
    }
    if known.capabilities.atomic == Some(false) {
        return Ok(Task::Sequence(writes));
    }
    Ok(Task::Atomic(writes))
}

/// A node of MO data, interior if it has no value.
fn node(value: Option<Value>) -> Content {
    let format = match &value {
        None => Format::Node,
        Some(Value::Null) => Format::Null,
        Some(Value::Bool(_)) => Format::Bool,
        Some(Value::Int(_)) => Format::Int,
        Some(Value::Float(_)) => Format::Float,
        Some(Value::Text(_)) => Format::Chr,
        Some(Value::Bytes(_)) => Format::Bin,
    };
    Content { format, media_type: None, value: value.unwrap_or(Value::Null) }
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
