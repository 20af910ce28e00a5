//! The documents of the REST API.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_mo::ddf::DdfNode;
use omadm_mo::{ClientUri, Time};
use omadm_store as store;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::address::{self, SupportedMo};
use crate::clock::rfc3339;
use crate::ddfs;
use crate::device::dm1;
use crate::roots;

/// A page of a listing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Cursor for `after` to get what follows; null at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of at most `limit` out of items read with one more, which tells whether there is a next page.
    pub fn cut<S>(
        mut items: Vec<S>,
        limit: u32,
        cursor: impl Fn(&S) -> String,
        view: impl FnMut(S) -> T,
    ) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items: items.into_iter().map(view).collect(), next }
    }
}

/// An enrolled device.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    id: String,
    label: String,
    /// Protocol of the last contact, such as `dm2.0`.
    protocol: Option<String>,
    /// By which transport its last session came: `https`, `http`, `wap` (a WAP gateway), `obex` or `bluetooth`.
    bearer: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    firmware: Option<String>,
    software: Option<String>,
    hardware: Option<String>,
    /// When it was enrolled.
    enrolled: String,
    /// When its bootstrap was taken back, if it has no new one since.
    revoked: Option<String>,
    last_contact: Option<String>,
    /// Commands that are queued or sent.
    open_commands: i64,
    /// Counts enrolments of this device.
    generation: i64,
    /// `active`, or `revoked` while it has no bootstrap.
    state: &'static str,
    /// Whether it can be called: `none` (no way to it is known), `known`, or `unanswered` (it was called and has not answered).
    reach: &'static str,
    /// Over what it can be called, such as `sms` and `cloud`.
    ways: Vec<String>,
    /// What people wrote about it.
    note: String,
    labels: BTreeMap<String, String>,
    /// What it supports, once it has reported that; left out in listings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<KnownMo>>)]
    inventory: Option<Option<Vec<KnownMo>>>,
    /// What devices of its model can do in DM 1.x, as far as they have shown it (true) or said no (false); left out in listings.
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<BTreeMap<String, bool>>,
}

/// A management object of a device, with what this server knows about its DDF.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnownMo {
    /// As the device reported it.
    #[serde(flatten)]
    pub reported: SupportedMo,
    /// Name of the DDF file that describes it.
    pub model: Option<String>,
    /// What that file calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Why the file behind its link is not there; known to the node that tried to fetch it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ddf_problem: Option<String>,
}

impl Device {
    /// As it stands in listings: with what people say about it, and how it can be called.
    pub fn of_fleet(of: store::FleetDevice) -> Self {
        let state = of.state();
        let store::FleetDevice { device, reach, ways, note, labels, .. } = of;
        let facts: Value = serde_json::from_str(&device.facts).unwrap_or_default();
        let fact = |name| {
            facts.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        Self {
            id: device.id.as_str().to_owned(),
            label: device.label,
            protocol: device.protocol,
            bearer: device.bearer,
            manufacturer: fact("manufacturer"),
            model: fact("model"),
            firmware: fact("firmware"),
            software: fact("software"),
            hardware: fact("hardware"),
            enrolled: rfc3339(device.enrolled),
            revoked: device.revoked.map(rfc3339),
            last_contact: device.last_contact.map(rfc3339),
            open_commands: device.open_commands,
            generation: device.generation,
            state,
            reach: reach.as_str(),
            ways,
            note,
            labels,
            inventory: None,
            features: None,
        }
    }

    /// Its members in listings.
    pub const MEMBERS: [&'static str; 19] = [
        "id",
        "label",
        "protocol",
        "manufacturer",
        "model",
        "firmware",
        "software",
        "hardware",
        "enrolled",
        "revoked",
        "last_contact",
        "open_commands",
        "generation",
        "state",
        "reach",
        "bearer",
        "ways",
        "note",
        "labels",
    ];

    /// With what its model can do.
    pub fn with_features(self, features: BTreeMap<String, bool>) -> Self {
        Self { features: Some(features).filter(|features| !features.is_empty()), ..self }
    }

    /// With the management objects that it supports, as far as they are known.
    pub fn with_inventory(self, inventory: Option<Vec<KnownMo>>) -> Self {
        Self { inventory: Some(inventory), ..self }
    }
}

/// A command.
#[derive(Debug, Serialize, ToSchema)]
pub struct Command {
    id: Uuid,
    device: String,
    /// Place in the order of its device.
    seq: i64,
    verb: String,
    address: String,
    #[schema(value_type = String)]
    state: store::CommandState,
    /// Status that the device gave.
    status: Option<u16>,
    /// Why it is in this state.
    reason: Option<String>,
    /// What it brought: `items` (nodes with `address` and `value` or `interior`), `stored` (addresses), `upload`, `alert` (what
    /// reported the end of an execution), `answer` (of the user of the device).
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// How often it was sent.
    attempts: u32,
    created: String,
    sent: Option<String>,
    finished: Option<String>,
    expires: String,
    created_by: String,
    /// What asked, if not an operator's own hand: `profile:NAME@VERSION` or `campaign:UUID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    /// What the DDF says against it; only in the answer to its queueing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Command {
    /// A command that was just queued.
    pub fn with_warnings(command: store::Command, warnings: Vec<String>) -> Self {
        Self { warnings, ..Self::from(command) }
    }
}

impl From<store::Command> for Command {
    fn from(command: store::Command) -> Self {
        Self {
            id: command.id,
            device: command.device.as_str().to_owned(),
            seq: command.seq,
            verb: command.verb,
            address: command.address,
            state: command.state,
            status: command.status,
            reason: command.reason,
            result: command.result.and_then(|text| serde_json::from_str(&text).ok()),
            attempts: command.attempts,
            created: rfc3339(command.created),
            sent: command.sent.map(rfc3339),
            finished: command.finished.map(rfc3339),
            expires: rfc3339(command.expires),
            created_by: command.created_by,
            origin: command.origin.map(|origin| origin.to_string()),
            warnings: Vec::new(),
        }
    }
}

/// A node of a device's last known tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct TreeNode {
    address: String,
    /// Value of a leaf; octets are in base64.
    #[schema(value_type = Option<Object>)]
    value: Option<Value>,
    /// Characters of a value that was cut because that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
    interior: bool,
    /// When it was last seen.
    seen: String,
    /// What the DDF says about it, where that is known.
    #[serde(flatten)]
    described: Described,
}

/// What the DDF says about a node of a device; nothing if there is none.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Described {
    /// Such as `chr`, `int` or `node`.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    /// Commands that are allowed: `Add`, `Copy`, `Delete`, `Exec`, `Get`, `Replace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl From<&DdfNode> for Described {
    fn from(node: &DdfNode) -> Self {
        Self {
            format: Some(node.format.as_str()),
            access: Some(node.access.names()),
            title: node.title.clone(),
            description: node.description.clone(),
        }
    }
}

/// The address of a place in the tree as text.
pub fn place_text(at: &store::TreeAddress) -> String {
    let uri = || address::client_uri(at).map(|uri| uri.to_string());
    roots::elsewhere(at).or_else(uri).unwrap_or_else(|| format!("{}/{}{}", at.moid, at.miid, at.path))
}

impl TreeNode {
    /// A node with at most so many characters of a value that is text, and with what `describe` finds in the DDF for its address.
    pub fn new<'d>(
        node: store::TreeNode,
        longest: usize,
        describe: impl FnOnce(&ClientUri, bool) -> Option<&'d DdfNode>,
    ) -> Self {
        let leaf = node.value.is_some();
        let described = address::client_uri(&node.at).and_then(|uri| describe(&uri, leaf));
        let mut value: Option<Value> = node.value.and_then(|text| serde_json::from_str(&text).ok());
        let length = value.as_mut().and_then(|value| shorten(value, longest));
        Self {
            address: place_text(&node.at),
            interior: !leaf,
            value,
            length,
            seen: rfc3339(node.seen),
            described: described.map(Described::from).unwrap_or_default(),
        }
    }
}

/// A session in listings.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    session: i64,
    started: String,
    updated: String,
    /// `open`, `ended`, `replaced` by a newer one before it had ended, or `broken off`: not ended, and without a message for
    /// longer than the server keeps an idle connection.
    outcome: String,
    messages: i64,
}

impl Session {
    /// As it is seen now, where a connection may be idle for so many microseconds.
    pub fn new(session: store::SessionSummary, now: Time, idle_micros: i64) -> Self {
        let is_over = session.outcome == "open" && session.updated.plus_micros(idle_micros) < now;
        Self {
            session: session.session,
            started: rfc3339(session.started),
            updated: rfc3339(session.updated),
            outcome: if is_over { "broken off".to_owned() } else { session.outcome },
            messages: session.messages,
        }
    }
}

/// A session with its messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trace {
    /// The session.
    pub session: Session,
    /// Its messages in order.
    pub messages: Vec<Message>,
}

/// The session that is going to be aborted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Aborted {
    /// Its number.
    pub session: i64,
}

/// A message of a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    at: String,
    from_device: bool,
    summary: String,
    content_type: String,
    http_status: Option<u16>,
    /// Length of the whole body; what is kept of it may be less.
    length: i64,
    notes: Vec<String>,
    /// The body, if it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The body, if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// Whether the body goes on, and was cut because that was asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

impl Message {
    /// A message with at most so many characters of its body.
    pub fn new(mut message: store::TraceMessage, most: usize) -> Self {
        if most > 0
            && let Some((xml, note)) = dm1::as_xml(&message.body)
        {
            message.body = xml;
            message.notes.insert(0, note.to_owned());
        }
        let (text, base64, cut) = match text_of(message.body, message.length) {
            Ok(mut text) => {
                let end = text.char_indices().nth(most).map(|(end, _)| end);
                text.truncate(end.unwrap_or(text.len()));
                (Some(text), None, end.is_some())
            }
            Err(octets) => {
                // Three octets are four characters.
                let kept = octets.get(..(most / 4).saturating_mul(3));
                (None, Some(STANDARD.encode(kept.unwrap_or(&octets))), kept.is_some())
            }
        };
        Self {
            at: rfc3339(message.at),
            from_device: message.from_device,
            summary: message.summary,
            content_type: message.content_type,
            http_status: message.http_status,
            length: message.length,
            notes: message.notes,
            text,
            base64,
            cut,
        }
    }
}

/// Cuts a text to so many characters; gives how many there were if there were more.
fn shorten(value: &mut Value, most: usize) -> Option<usize> {
    let Value::String(text) = value else { return None };
    let (end, _) = text.char_indices().nth(most)?;
    let length = text.chars().count();
    text.truncate(end);
    Some(length)
}

/// The text of a body; of one that was cut, up to the last character that is whole.
fn text_of(body: Vec<u8>, full_length: i64) -> Result<String, Vec<u8>> {
    String::from_utf8(body).or_else(|error| {
        let (whole, fault) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len());
        let mut octets = error.into_bytes();
        let cut = fault.is_none() && i64::try_from(octets.len()).is_ok_and(|kept| kept < full_length);
        if !cut {
            return Err(octets);
        }
        octets.truncate(whole);
        String::from_utf8(octets).map_err(std::string::FromUtf8Error::into_bytes)
    })
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    cursor: i64,
    at: String,
    device: Option<String>,
    /// `alert`, `command`, `session`, `security` or `device`.
    kind: String,
    #[schema(value_type = Object)]
    body: Value,
}

impl From<store::Event> for Event {
    fn from(event: store::Event) -> Self {
        Self {
            cursor: event.cursor,
            at: rfc3339(event.at),
            device: event.event.device.map(|device| device.as_str().to_owned()),
            kind: event.event.kind,
            body: serde_json::from_str(&event.event.body).unwrap_or_default(),
        }
    }
}

/// A DDF file in listings.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ddf {
    name: String,
    moids: Vec<String>,
    /// When an operator stored it, or a link was followed to it; null if it came with the server.
    stored: Option<String>,
    /// What was odd about it when it was stored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Ddf {
    /// A stored file, with what the reader had to say.
    pub fn new(ddf: store::DdfFile, warnings: Vec<String>) -> Self {
        let stored = (!ddfs::is_built_in(&ddf)).then(|| rfc3339(ddf.stored));
        Self { name: ddf.name, moids: ddf.moids, stored, warnings }
    }
}

/// An operator token in listings.
#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    name: String,
    /// The user it belongs to, if there is one.
    user: Option<String>,
    role: String,
    /// What it may do within its role; null for all.
    scopes: Option<Vec<String>>,
    /// Names of the groups whose devices it sees; null for all devices.
    groups: Option<Vec<String>>,
    created: String,
    expires: Option<String>,
}

impl From<store::Token> for Token {
    fn from(token: store::Token) -> Self {
        Self {
            name: token.name,
            user: token.user,
            role: token.role,
            scopes: token.scopes,
            groups: token.groups,
            created: rfc3339(token.created),
            expires: token.expires.map(rfc3339),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_without_news_has_broken_off() {
        let outcome = |stored: &str, now| {
            let summary = store::SessionSummary {
                device: omadm_mo::DeviceId::parse("IMEI:1").unwrap(),
                session: 1,
                started: Time(10),
                updated: Time(20),
                outcome: stored.to_owned(),
                messages: 2,
            };
            Session::new(summary, Time(now), 100).outcome
        };
        assert_eq!(outcome("open", 120), "open");
        assert_eq!(outcome("open", 121), "broken off");
        assert_eq!(outcome("ended", 121), "ended");
        assert_eq!(outcome("replaced", 121), "replaced");
    }

    #[test]
    fn a_page_tells_whether_there_is_more() {
        let page = |items: Vec<u32>| Page::cut(items, 2, u32::to_string, |item| item);
        assert_eq!(page(vec![1, 2, 3]).next, Some("2".into()));
        assert_eq!(page(vec![1, 2, 3]).items, [1, 2]);
        assert_eq!(page(vec![1, 2]).next, None);
        assert_eq!(page(vec![]).next, None);
    }

    #[test]
    fn bodies_are_text_where_they_can_be() {
        assert_eq!(text_of("grün".into(), 5), Ok("grün".into()));
        let cut = "grü".as_bytes()[..3].to_vec();
        assert_eq!(text_of(cut.clone(), 5), Ok("gr".into()), "cut in the middle of a character");
        assert_eq!(text_of(cut.clone(), 3), Err(cut));
        assert_eq!(text_of(vec![0xff, 0xfe], 9), Err(vec![0xff, 0xfe]));
    }
}
