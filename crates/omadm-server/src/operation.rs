//! What an operator asks of a device, in words of no protocol version, and its translation into DM 2.0 commands (`DM 2.0 §5.3`).
//! This is the only place that knows both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_codec::dm2::{Command, CommandEntry};
use omadm_codec::{Leniency, MediaType, media_type};
use omadm_mo::{ClientUri, Moid, ServerUri};
use omadm_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::context::{DM2_PATH, decode_mo_data};
use crate::leaf::{Body, Forms, LeafValue};

mod ask;
mod dm1;
mod items;
mod part;
mod request;
pub use ask::Question;
pub use dm1::{Known, Seen, Unsaid};
pub use items::{decode_items, told_by_items};
pub use part::Part;
pub use request::Request;
use request::{Args, check_members};

/// Most addresses in one upload.
const MAX_ADDRESSES: usize = 256;
/// Most words of a raw command.
const MAX_WORDS: usize = 258;

/// An operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Read.
    Get { address: String },
    /// Write one leaf.
    Set { address: String, value: Setting },
    /// Add or replace what the items of MO data (kept as the command's payload) name; the device chooses places for new ones.
    SetItems,
    /// Remove.
    Delete { address: String },
    /// Execute; `later` lets the device report the end in another session.
    Exec { address: String, later: bool },
    /// Let the device send data to our Data Repository.
    Upload { addresses: Vec<String>, method: Method },
    /// Let the device fetch data from elsewhere.
    Fetch { from: String, address: Option<String> },
    /// Show the user a page of ours, under an address that `secret` makes unguessable.
    ShowPage { page: String, secret: Uuid },
    /// Show the user a page elsewhere.
    Show { url: String },
    /// Where the device gets a management object that it lacks: elsewhere, or from us as the command's payload.
    Default { moid: String, from: Option<String> },
    /// Let the device report changes of a node and below.
    Subscribe { address: String },
    /// The end of it.
    Unsubscribe { address: String },
    /// Ask the user; for devices of DM 1.x.
    Ask { question: Question },
    /// Give nodes their ACLs (addresses of the properties, and values), all or none; for devices of DM 1.x.
    SetAcls { acls: Vec<(String, String)> },
    /// A DM 2.0 command as it is.
    Raw { words: Vec<String> },
    /// A DM 1.x command as it is, in XML.
    RawXml { xml: String },
}

/// What a leaf is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// A string, number or bool.
    Value(LeafValue),
    /// Octets of some media type, kept as the command's payload.
    Payload,
}

/// HTTP method of an upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = UploadMethod)]
pub enum Method {
    /// Replace what was uploaded before.
    #[default]
    Put,
    /// Hand over.
    Post,
}

impl Operation {
    /// Reads a request; octets that are to be kept with the command come beside it.
    ///
    /// # Errors
    /// One sentence on what is wrong with the request.
    pub fn from_request(request: Request, max_payload: usize) -> Result<(Self, Option<Body>), String> {
        check_members(&request)?;
        let verb = request.verb.clone();
        let address = || request.address.clone().ok_or_else(|| format!("{verb} needs an address"));
        Ok(match request.verb.as_str() {
            "get" => (Self::Get { address: address()? }, None),
            "delete" => (Self::Delete { address: address()? }, None),
            "exec" => (Self::Exec { address: address()?, later: request.later }, None),
            "subscribe" => (Self::Subscribe { address: address()? }, None),
            "unsubscribe" => (Self::Unsubscribe { address: address()? }, None),
            "show" => (show(request)?, None),
            "default" => return default(request, max_payload),
            "set" => return set(request, max_payload),
            "upload" => {
                let mut addresses = request.addresses.unwrap_or_default();
                addresses.splice(0..0, request.address);
                if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
                    return Err(format!("upload needs 1 to {MAX_ADDRESSES} addresses"));
                }
                (Self::Upload { addresses, method: request.method.unwrap_or_default() }, None)
            }
            "fetch" => {
                let from = request.from.ok_or("fetch needs \"from\", the URL of the data")?;
                (Self::Fetch { from, address: request.address }, None)
            }
            "ask" => {
                let question = request.question.ok_or("ask needs \"question\"")?;
                question.to_engine()?;
                (Self::Ask { question }, None)
            }
            "raw" => match (request.words, request.xml) {
                (Some(words), None) => (Self::Raw { words }, None),
                (None, Some(xml)) => {
                    check_length(xml.len(), max_payload)?;
                    (Self::RawXml { xml }, None)
                }
                _ => {
                    return Err(
                        "raw needs either \"words\", a DM 2.0 command and its parameters, or \"xml\", a DM 1.x command".into(),
                    );
                }
            },
            other => {
                return Err(format!(
                    "there is no verb {other:?}; use get, set, delete, exec, upload, fetch, show, ask, default, \
                     subscribe, unsubscribe or raw"
                ));
            }
        })
    }

    /// Reads a stored command.
    ///
    /// # Errors
    /// One sentence on why it cannot be read.
    pub fn from_stored(command: &store::Command) -> Result<Self, String> {
        let args: Args = serde_json::from_str(&command.args)
            .map_err(|error| format!("its arguments cannot be read: {error}"))?;
        let address = command.address.clone();
        let missing = |what: &str| format!("its arguments lack {what:?}");
        Ok(match command.verb.as_str() {
            "get" => Self::Get { address },
            "set" if address.is_empty() => Self::SetItems,
            "set" => Self::Set { address, value: args.setting()? },
            "delete" => Self::Delete { address },
            "exec" => Self::Exec { address, later: args.later },
            "subscribe" => Self::Subscribe { address },
            "unsubscribe" => Self::Unsubscribe { address },
            "show" => match (args.page, args.secret) {
                (Some(page), Some(secret)) => Self::ShowPage { page, secret },
                _ => Self::Show { url: address },
            },
            "default" => Self::Default { moid: address, from: args.from },
            "upload" => Self::Upload {
                addresses: args.addresses.ok_or_else(|| missing("addresses"))?,
                method: args.method.unwrap_or_default(),
            },
            "fetch" => Self::Fetch {
                from: args.from.ok_or_else(|| missing("from"))?,
                address: Some(address).filter(|address| !address.is_empty()),
            },
            "ask" => Self::Ask { question: args.question.ok_or_else(|| missing("question"))? },
            "set-acl" => Self::SetAcls { acls: args.acls.ok_or_else(|| missing("acls"))? },
            "raw" => match (args.words, args.xml) {
                (Some(words), _) => Self::Raw { words },
                (None, xml) => Self::RawXml { xml: xml.ok_or_else(|| missing("words"))? },
            },
            other => return Err(format!("it has the unknown verb {other:?}")),
        })
    }

    /// The verb as it is stored and shown.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Get { .. } => "get",
            Self::Set { .. } | Self::SetItems => "set",
            Self::Delete { .. } => "delete",
            Self::Exec { .. } => "exec",
            Self::Upload { .. } => "upload",
            Self::Fetch { .. } => "fetch",
            Self::Show { .. } | Self::ShowPage { .. } => "show",
            Self::Default { .. } => "default",
            Self::Subscribe { .. } => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Ask { .. } => "ask",
            Self::SetAcls { .. } => "set-acl",
            Self::Raw { .. } | Self::RawXml { .. } => "raw",
        }
    }

    /// The address as it is stored and shown; empty where there is none, the first one where there are several.
    pub fn address(&self) -> &str {
        match self {
            Self::Get { address }
            | Self::Set { address, .. }
            | Self::Delete { address }
            | Self::Exec { address, .. }
            | Self::Subscribe { address }
            | Self::Unsubscribe { address } => address,
            Self::Show { url } => url,
            Self::ShowPage { page, .. } => page,
            Self::Default { moid, .. } => moid,
            Self::Upload { addresses, .. } => addresses.first().map_or("", String::as_str),
            Self::Fetch { address, .. } => address.as_deref().unwrap_or_default(),
            Self::Raw { words } => words.get(1).map_or("", String::as_str),
            Self::Ask { question } => &question.text,
            Self::SetAcls { acls } => acls.first().map_or("", |(address, _)| address),
            Self::SetItems | Self::RawXml { .. } => "",
        }
    }

    /// The further arguments as they are stored (JSON).
    pub fn args(&self) -> String {
        let args = match self {
            Self::Set { value: Setting::Value(value), .. } => Args {
                value: Some(value.json().clone()),
                format: value.model().map(|model| model.format.as_str().to_owned()),
                mime: value.model().and_then(|model| model.mime.clone()),
                ..Args::default()
            },
            Self::Upload { addresses, method } => {
                Args { addresses: Some(addresses.clone()), method: Some(*method), ..Args::default() }
            }
            Self::Fetch { from, .. } => Args { from: Some(from.clone()), ..Args::default() },
            Self::SetAcls { acls } => Args { acls: Some(acls.clone()), ..Args::default() },
            Self::Ask { question } => Args { question: Some(question.clone()), ..Args::default() },
            Self::Raw { words } => Args { words: Some(words.clone()), ..Args::default() },
            Self::RawXml { xml } => Args { xml: Some(xml.clone()), ..Args::default() },
            Self::Exec { later, .. } => Args { later: *later, ..Args::default() },
            Self::ShowPage { page, secret } => {
                Args { page: Some(page.clone()), secret: Some(*secret), ..Args::default() }
            }
            Self::Default { from, .. } => Args { from: from.clone(), ..Args::default() },
            Self::Get { .. }
            | Self::Set { .. }
            | Self::SetItems
            | Self::Delete { .. }
            | Self::Show { .. }
            | Self::Subscribe { .. }
            | Self::Unsubscribe { .. } => Args::default(),
        };
        serde_json::json!(args).to_string()
    }

    /// Unsent commands with the same key are superseded by this one: the newest value of a leaf is the one that counts.
    pub fn supersede_key(&self) -> Option<String> {
        match self {
            Self::Set { address, .. } => Some(format!("set {address}")),
            Self::Default { moid, .. } => Some(format!("default {moid}")),
            Self::Subscribe { address } | Self::Unsubscribe { address } => {
                Some(format!("{} {address}", self.verb()))
            }
            _ => None,
        }
    }

    /// What the Data Repository serves for this operation without a payload of its own.
    pub fn forms(&self) -> Option<Forms> {
        match self {
            Self::Set { address, value: Setting::Value(value) } => Some(value.forms(address)),
            _ => None,
        }
    }

    /// The DM 2.0 command for this operation of the command `id`; `known` says which MOIDs the device has.
    ///
    /// # Errors
    /// One sentence on why there is none.
    pub fn to_dm2(
        &self,
        id: Uuid,
        public_url: &str,
        known: &dyn Fn(&str) -> bool,
    ) -> Result<Command, String> {
        let client = |address: &str| {
            ClientUri::parse_with(address, known)
                .map_err(|error| format!("the address {address:?} is not legal: {error}"))
        };
        let one = |address: &str| {
            let uri = client(address)?;
            if uri.has_wildcard() {
                return Err(format!(
                    "a wildcard cannot be used with {}: {address:?}; name one node",
                    self.verb()
                ));
            }
            Ok(uri)
        };
        Ok(match self {
            Self::Get { address } => Command::Get(client(address)?),
            Self::Delete { address } => Command::Delete(client(address)?),
            Self::Exec { address, later } => {
                let server = later.then(|| server_uri(&format!("{public_url}{DM2_PATH}"))).transpose()?;
                Command::Exec { client: one(address)?, server }
            }
            Self::ShowPage { secret, .. } => Command::Show(server_uri(&page_uri(public_url, id, *secret))?),
            Self::Show { url } => Command::Show(web_uri(url)?),
            Self::Default { moid, from } => {
                let moid = Moid::parse(moid).map_err(|error| format!("{moid:?} is no MOID: {error}"))?;
                let server = match from {
                    Some(from) => web_uri(from)?,
                    None => server_uri(&payload_uri(public_url, id))?,
                };
                Command::Default { server, moid }
            }
            Self::Subscribe { address } => Command::Sub {
                server: server_uri(&format!("{public_url}/data/s/{id}"))?,
                client: client(address)?,
            },
            Self::Unsubscribe { address } => Command::Unsub(client(address)?),
            Self::Set { address, .. } => Command::HGet {
                server: server_uri(&payload_uri(public_url, id))?,
                client: Some(one(address)?),
            },
            Self::SetItems => {
                Command::HGet { server: server_uri(&payload_uri(public_url, id))?, client: None }
            }
            Self::Upload { addresses, method } => {
                let server = server_uri(&upload_uri(public_url, id))?;
                let clients = addresses.iter().map(|address| client(address)).collect::<Result<_, _>>()?;
                match method {
                    Method::Put => Command::HPut { server, clients },
                    Method::Post => Command::HPost { server, clients },
                }
            }
            Self::Fetch { from, address } => {
                Command::HGet { server: web_uri(from)?, client: address.as_deref().map(one).transpose()? }
            }
            Self::Raw { words } => raw(words, known)?,
            Self::Ask { .. } => {
                return Err(
                    "the device speaks DM 2.0, which asks users on pages: use show with a page".into()
                );
            }
            Self::SetAcls { .. } => return Err("the device speaks DM 2.0, whose nodes have no ACLs".into()),
            Self::RawXml { .. } => {
                return Err("the device speaks DM 2.0, whose commands are no XML: use raw with words".into());
            }
        })
    }
}

/// Where the payload of a command is served.
fn payload_uri(public_url: &str, id: Uuid) -> String {
    format!("{public_url}/data/c/{id}")
}

/// Where the upload of a command goes.
fn upload_uri(public_url: &str, id: Uuid) -> String {
    format!("{public_url}/data/u/{id}")
}

/// Where the page of a command is shown.
fn page_uri(public_url: &str, id: Uuid, secret: Uuid) -> String {
    format!("{public_url}/ui/{}{}", id.simple(), secret.simple())
}

/// The command and the secret in the last part of a [`page_uri`].
pub fn read_page_token(token: &str) -> Option<(Uuid, Uuid)> {
    let (id, secret) = token.split_at_checked(32)?;
    Some((Uuid::try_parse(id).ok()?, Uuid::try_parse(secret).ok()?)).filter(|_| token.len() == 64)
}

/// A URI of something elsewhere.
fn web_uri(text: &str) -> Result<ServerUri, String> {
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return Err(format!("{text:?} has to begin with https:// or http://"));
    }
    server_uri(text)
}

fn server_uri(text: &str) -> Result<ServerUri, String> {
    ServerUri::parse(text).map_err(|error| format!("{text:?} is no URI: {error}"))
}

fn raw(words: &[String], known: &dyn Fn(&str) -> bool) -> Result<Command, String> {
    if words.len() > MAX_WORDS {
        return Err(format!("a command has at most {MAX_WORDS} words"));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match Command::from_words(&words, known) {
        CommandEntry::Valid(Command::End) => {
            Err("END cannot be queued: the server sends it by itself once nothing is left to do".into())
        }
        CommandEntry::Valid(command) => Ok(command),
        CommandEntry::Unknown { name } => {
            Err(format!("{name:?} is no DM 2.0 command; names are in upper case"))
        }
        CommandEntry::Malformed { name, reason } => Err(format!("{name} is malformed: {reason}")),
    }
}

fn show(request: Request) -> Result<Operation, String> {
    match (request.page, request.url) {
        (Some(page), None) => Ok(Operation::ShowPage { page, secret: Uuid::new_v4() }),
        (None, Some(url)) => Ok(Operation::Show { url }),
        _ => Err("show needs either \"page\", the name of a page of this server, or \"url\"".into()),
    }
}

fn default(request: Request, max_payload: usize) -> Result<(Operation, Option<Body>), String> {
    let moid = request.moid.ok_or("default needs \"moid\", the management object")?;
    match (request.from, request.items) {
        (from @ Some(_), None) => Ok((Operation::Default { moid, from }, None)),
        (None, Some(items)) => {
            let body = mo_data(&items, Some(&moid))?;
            check_length(body.octets.len(), max_payload)?;
            Ok((Operation::Default { moid, from: None }, Some(body)))
        }
        _ => Err("default needs either \"from\", the URL of the data, or \"items\", the data".into()),
    }
}

fn check_length(length: usize, max_payload: usize) -> Result<(), String> {
    if length > max_payload {
        return Err(format!("the value has {length} bytes, the limit is {max_payload} (data.max_payload)"));
    }
    Ok(())
}

fn set(request: Request, max_payload: usize) -> Result<(Operation, Option<Body>), String> {
    let (operation, body) = match (request.address, request.value, request.value_base64, request.items) {
        (Some(address), Some(value), None, None) => set_value(address, value, request.content_type)?,
        (Some(address), None, Some(base64), None) => {
            let octets =
                STANDARD.decode(base64).map_err(|error| format!("value_base64 is not base64: {error}"))?;
            let content_type = request.content_type.unwrap_or_else(|| media_type::OCTET_STREAM.into());
            (Operation::Set { address, value: Setting::Payload }, Some(Body { content_type, octets }))
        }
        (None, None, None, Some(items)) if request.content_type.is_none() => {
            (Operation::SetItems, Some(mo_data(&items, None)?))
        }
        _ => {
            return Err(
                "set needs an address and one of \"value\" and \"value_base64\", or \"items\" alone".into()
            );
        }
    };
    let length = match (&operation, &body) {
        (_, Some(body)) => body.octets.len(),
        (Operation::Set { value: Setting::Value(value), .. }, None) => value.text().len(),
        (_, None) => 0,
    };
    check_length(length, max_payload)?;
    if let Some(body) = &body {
        MediaType::parse(&body.content_type)
            .map_err(|error| format!("content_type {:?} is no media type: {error}", body.content_type))?;
    }
    Ok((operation, body))
}

fn set_value(
    address: String,
    value: Value,
    content_type: Option<String>,
) -> Result<(Operation, Option<Body>), String> {
    let value = LeafValue::new(value, None)?;
    Ok(match content_type {
        None => (Operation::Set { address, value: Setting::Value(value) }, None),
        Some(content_type) => {
            let octets = value.into_text().into_bytes();
            (Operation::Set { address, value: Setting::Payload }, Some(Body { content_type, octets }))
        }
    })
}

/// MO data as it will be served, checked as strictly as a device would; of one management object, if one is named.
fn mo_data(items: &Value, of: Option<&str>) -> Result<Body, String> {
    let octets = items.to_string().into_bytes();
    let decoded = decode_mo_data(&octets, octets.len(), &mut Leniency::strict())
        .map_err(|error| format!("items are no MO data (DM 2.0 §7.2.1.4): {error}"))?;
    if decoded.is_empty() {
        return Err("items are empty".into());
    }
    for item in &decoded {
        let uri = ClientUri::parse(&item.client_uri)
            .map_err(|error| format!("the ClientURI {:?} is not legal: {error}", item.client_uri))?;
        if let Some(moid) = of.filter(|moid| uri.moid.as_str() != *moid) {
            return Err(format!("the ClientURI {:?} is not of {moid}", item.client_uri));
        }
    }
    Ok(Body { content_type: media_type::DMMO_JSON.into(), octets })
}
