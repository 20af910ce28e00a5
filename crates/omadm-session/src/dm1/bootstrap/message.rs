//! The DM profile: a message that adds TNDS documents to the Inbox (`DM 1.3 BOOT §5.3`). It is of no session, so its identifiers mean
//! nothing, and nobody answers it.

use std::borrow::Cow;

use omadm_codec::dm1::tnds::{self, TNDS_WBXML};
use omadm_codec::dm1::{
    Command, Data, Encoding, Form, Header, Item, Location, Meta, Operation, OperationKind, Version, decode,
    encode,
};
use omadm_codec::{Leniency, Limits};
use omadm_mo::dm1::Snapshot;
use omadm_mo::{Format, Value};

use super::BootstrapError;
use crate::dm1::document;

/// The Inbox: a device finds the place of what is added there by its MOID.
pub const INBOX: &str = "./Inbox";
/// `SessionID` and `MsgID`.
const NO_SESSION: &str = "1";

/// A bootstrap of the DM profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The protocol that it is written for. One that is read has the newest if it names none that is known.
    pub version: Version,
    /// `Target`: the device.
    pub device: String,
    /// `Source`: the server.
    pub server: String,
    /// What is added, in order.
    pub additions: Vec<Addition>,
}

/// One item of an Add.
#[derive(Clone, Debug, PartialEq)]
pub struct Addition {
    /// Where to: [`INBOX`], or the address of a node.
    pub target: String,
    /// What.
    pub document: Snapshot,
}

impl Message {
    /// The message in WBXML, its documents in WBXML, too.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let form = Form::for_version(Encoding::Wbxml, self.version);
        let location = |uri: &str| Location { uri: Cow::Owned(uri.to_owned()), name: None };
        let header = Header {
            ver_dtd: self.version.ver_dtd().into(),
            ver_proto: self.version.ver_proto().into(),
            session_id: NO_SESSION.into(),
            message_id: NO_SESSION.into(),
            target: location(&self.device),
            source: location(&self.server),
            resp_uri: None,
            no_response: false,
            credentials: None,
            meta: Meta::default(),
        };
        let commands = self.additions.iter().zip(1_u32..).map(|(addition, number)| {
            let meta = Meta {
                format: Some(Format::Bin.as_str().into()),
                media_type: Some(TNDS_WBXML.into()),
                ..Meta::default()
            };
            let data = Data::Opaque(tnds::write(&addition.document, form).into());
            let target = Some(addition.target.as_str().into());
            let item = Item { target, meta, data: Some(data), ..Item::default() };
            Command::Operation(Operation {
                kind: OperationKind::Add,
                id: number.to_string().into(),
                meta: Meta::default(),
                no_response: false,
                correlator: None,
                items: vec![item],
            })
        });
        let commands = commands.collect();
        encode(&omadm_codec::dm1::Message { header, commands, is_final: true }, form)
    }

    /// Reads a message in WBXML. `Cred` in it and its version mean nothing and are not looked at.
    ///
    /// # Errors
    /// [`BootstrapError::Decode`]; `Message` if it does anything else than to add documents; `Document`.
    pub fn read(body: &[u8], limits: &Limits, leniency: &mut Leniency) -> Result<Self, BootstrapError> {
        let decoded = decode(body, Encoding::Wbxml, limits, leniency)?;
        let message = decoded.message;
        let mut additions = Vec::new();
        for command in message.commands {
            add(command, &Meta::default(), limits, leniency, &mut additions)?;
        }
        if additions.is_empty() {
            return Err(BootstrapError::Message("it adds nothing".to_owned()));
        }
        Ok(Self {
            version: Version::of(&message.header).unwrap_or(Version::Dm13),
            device: message.header.target.uri.into_owned(),
            server: message.header.source.uri.into_owned(),
            additions,
        })
    }
}

/// Takes what a command adds. Atomic and Sequence say nothing new: a bootstrap is all or nothing, and in order, anyway. Their depth is
/// bounded by that of the decoder.
fn add(
    command: Command<'_>,
    around: &Meta<'_>,
    limits: &Limits,
    leniency: &mut Leniency,
    additions: &mut Vec<Addition>,
) -> Result<(), BootstrapError> {
    let refused = |name: &str| Err(BootstrapError::Message(format!("it has a command {name}")));
    match command {
        Command::Container(container) => {
            let meta = within(&container.meta, around);
            container
                .commands
                .into_iter()
                .try_for_each(|command| add(command, &meta, limits, leniency, additions))
        }
        Command::Operation(operation) if operation.kind == OperationKind::Add => {
            let meta = within(&operation.meta, around);
            for item in operation.items {
                additions.push(addition(item, &meta, limits, leniency)?);
            }
            Ok(())
        }
        Command::Operation(operation) => refused(operation.kind.as_str()),
        Command::Alert(_) => refused("Alert"),
        Command::Status(_) => refused("Status"),
        Command::Results(_) => refused("Results"),
        Command::Unknown(unknown) => refused(&unknown.name),
    }
}

fn addition(
    item: Item<'_>,
    around: &Meta<'_>,
    limits: &Limits,
    leniency: &mut Leniency,
) -> Result<Addition, BootstrapError> {
    let refused = |reason: String| BootstrapError::Message(reason);
    let meta = within(&item.meta, around);
    let target = item.target.as_deref().unwrap_or_default().trim().to_owned();
    if target.is_empty() || item.more {
        return Err(refused("an item has no target, or comes in chunks".to_owned()));
    }
    let format = match meta.format.as_deref() {
        None => None,
        Some(text) => {
            let unknown = || refused(format!("{text:?} is no format"));
            Some(Format::parse(text.trim()).ok_or_else(unknown)?)
        }
    };
    let media_type = meta.media_type.as_deref().map(str::trim);
    let value = item.data.map(|data| match data {
        Data::Text(text) => Value::Text(text.into_owned()),
        Data::Opaque(octets) => Value::Bytes(octets.into_owned()),
    });
    match document::read(media_type, format, value.as_ref(), limits, leniency) {
        Ok(Some(document)) => Ok(Addition { target, document }),
        Ok(None) => {
            let media_type = media_type.unwrap_or("no type");
            Err(refused(format!("what it adds to {target} is {media_type}")))
        }
        Err(cause) => Err(BootstrapError::Document { target, cause }),
    }
}

/// What holds for a part where it says nothing itself (`DM 1.3 REPPRO §7.3`).
fn within(meta: &Meta<'_>, around: &Meta<'_>) -> Meta<'static> {
    let format = meta.format.as_ref().or(around.format.as_ref());
    let media_type = meta.media_type.as_ref().or(around.media_type.as_ref());
    Meta {
        format: format.map(|format| Cow::Owned(format.to_string())),
        media_type: media_type.map(|media_type| Cow::Owned(media_type.to_string())),
        ..Meta::default()
    }
}
