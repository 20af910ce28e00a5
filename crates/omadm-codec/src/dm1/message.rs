//! A SyncML message as values: one type for both encodings (`DM 1.3 REPPRO §7`).
//!
//! Text is borrowed from the input where it stands there as it is. Order of children is that of the DTD when encoding and free
//! when decoding. Elements of the DTD that DM does not use are skipped, and a command that is none of these is [`Command::Unknown`].

use std::borrow::Cow;
use std::fmt;

use super::meta::Meta;

/// A message (`SyncML`).
#[derive(Clone, Debug, PartialEq)]
pub struct Message<'a> {
    /// `SyncHdr`.
    pub header: Header<'a>,
    /// `SyncBody`, in order.
    pub commands: Vec<Command<'a>>,
    /// `Final`: the last message of its package.
    pub is_final: bool,
}

/// Versions of the protocol on the wire (`VerDTD` with `VerProto`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `1.1` and `DM/1.1`.
    Dm11,
    /// `1.2` and `DM/1.2`.
    Dm12,
    /// `1.2` and `DM/1.3`.
    Dm13,
}

/// `SyncHdr`.
#[derive(Clone, Debug, PartialEq)]
pub struct Header<'a> {
    /// `VerDTD` as written. [`Version::of`] makes sense of it.
    pub ver_dtd: Cow<'a, str>,
    /// `VerProto` as written.
    pub ver_proto: Cow<'a, str>,
    /// `SessionID`, at most 64 characters, opaque.
    pub session_id: Cow<'a, str>,
    /// `MsgID` as written: decimal from 1, at most 64 characters.
    pub message_id: Cow<'a, str>,
    /// `Target`.
    pub target: Location<'a>,
    /// `Source`.
    pub source: Location<'a>,
    /// `RespURI`.
    pub resp_uri: Option<Cow<'a, str>>,
    /// `NoResp`: no `Status` is wanted for anything in the message. DM does not use it, and peers may send it (`REPPRO §7.1`).
    pub no_response: bool,
    /// `Cred`.
    pub credentials: Option<Credentials<'a>>,
    /// `Meta`.
    pub meta: Meta<'a>,
}

/// `Target` or `Source`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location<'a> {
    /// `LocURI`.
    pub uri: Cow<'a, str>,
    /// `LocName`: the user name of a sender.
    pub name: Option<Cow<'a, str>>,
}

/// `Cred`. `Debug` does not show the data.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// `Type` and `Format`.
    pub meta: Meta<'a>,
    /// `Data` as carried.
    pub data: Cow<'a, str>,
}

/// A child of `SyncBody`, `Atomic` or `Sequence`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Command<'a> {
    Status(Status<'a>),
    Results(Results<'a>),
    Alert(Alert<'a>),
    Operation(Operation<'a>),
    Container(Container<'a>),
    Unknown(Unknown<'a>),
}

/// Commands that act on items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum OperationKind {
    Add,
    Replace,
    Delete,
    Copy,
    Get,
    Exec,
}

/// `Add`, `Replace`, `Delete`, `Copy`, `Get` or `Exec`.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation<'a> {
    /// Which.
    pub kind: OperationKind,
    /// `CmdID`; empty if the peer left it out.
    pub id: Cow<'a, str>,
    /// `NoResp`: no `Status` is wanted for it.
    pub no_response: bool,
    /// `Meta`: the default for the items.
    pub meta: Meta<'a>,
    /// `Correlator` of an `Exec`.
    pub correlator: Option<Cow<'a, str>>,
    /// `Item`, one or more.
    pub items: Vec<Item<'a>>,
}

/// `Atomic` or `Sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum ContainerKind {
    Atomic,
    Sequence,
}

/// A command that holds others.
#[derive(Clone, Debug, PartialEq)]
pub struct Container<'a> {
    /// Which.
    pub kind: ContainerKind,
    /// `CmdID`; empty if the peer left it out.
    pub id: Cow<'a, str>,
    /// `NoResp`: no `Status` is wanted for it; the commands in it have their own.
    pub no_response: bool,
    /// `Meta`: the default for the commands.
    pub meta: Meta<'a>,
    /// What it holds, in order.
    pub commands: Vec<Command<'a>>,
}

/// `Status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Status<'a> {
    /// `CmdID`; empty if the peer left it out.
    pub id: Cow<'a, str>,
    /// `MsgRef`; empty if the peer left it out.
    pub msg_ref: Cow<'a, str>,
    /// `CmdRef`; empty if the peer left it out; `0` is the header.
    pub cmd_ref: Cow<'a, str>,
    /// `Cmd`: name of the command; empty if the peer left it out.
    pub cmd: Cow<'a, str>,
    /// `TargetRef`.
    pub target_refs: Vec<Cow<'a, str>>,
    /// `SourceRef`.
    pub source_refs: Vec<Cow<'a, str>>,
    /// `Cred`.
    pub credentials: Option<Box<Credentials<'a>>>,
    /// Meta of `Chal`.
    pub challenge: Option<Box<Meta<'a>>>,
    /// `Data`: the status code as written.
    pub code: Cow<'a, str>,
    /// Attributes of `Data`, name and value: what Windows says beside the code (XML only, never sent).
    pub code_attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// `Item`: user input, or further information.
    pub items: Vec<Item<'a>>,
}

/// `Results`.
#[derive(Clone, Debug, PartialEq)]
pub struct Results<'a> {
    /// `CmdID`; empty if the peer left it out.
    pub id: Cow<'a, str>,
    /// `MsgRef`; empty if the peer left it out, which means `1`.
    pub msg_ref: Cow<'a, str>,
    /// `CmdRef`; empty if the peer left it out, which means `1`.
    pub cmd_ref: Cow<'a, str>,
    /// `Meta`: the default for the items.
    pub meta: Meta<'a>,
    /// `TargetRef`.
    pub target_ref: Option<Cow<'a, str>>,
    /// `SourceRef`.
    pub source_ref: Option<Cow<'a, str>>,
    /// `Item`.
    pub items: Vec<Item<'a>>,
}

/// `Alert`.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert<'a> {
    /// `CmdID`; empty if the peer left it out.
    pub id: Cow<'a, str>,
    /// `NoResp`: no `Status` is wanted for it.
    pub no_response: bool,
    /// `Data`: the alert code as written; empty if the peer left it out.
    pub code: Cow<'a, str>,
    /// `Correlator`.
    pub correlator: Option<Cow<'a, str>>,
    /// `Item`.
    pub items: Vec<Item<'a>>,
}

/// A command whose name DM does not know; what it holds is skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown<'a> {
    /// Its element; empty if it came as a token of WBXML that stands for none.
    pub name: Cow<'a, str>,
    /// `CmdID`; empty if it has none.
    pub id: Cow<'a, str>,
    /// `NoResp`: no `Status` is wanted for it.
    pub no_response: bool,
}

/// `Item`.
#[derive(Clone, Default, PartialEq)]
pub struct Item<'a> {
    /// `Target/LocURI`.
    pub target: Option<Cow<'a, str>>,
    /// `Source/LocURI`.
    pub source: Option<Cow<'a, str>>,
    /// `Meta`.
    pub meta: Meta<'a>,
    /// `Data`; absent and empty are different.
    pub data: Option<Data<'a>>,
    /// `MoreData`: the rest of the object is in the next message.
    pub more: bool,
}

/// Content of `Item/Data`, as carried. What it means follows from the effective Meta, never from its octets.
#[derive(Clone, PartialEq, Eq)]
pub enum Data<'a> {
    /// Characters: text or CDATA in XML (entities resolved), strings in WBXML. Markup below `Data` in XML is here as written, and
    /// elements below it in WBXML as an XML document. OPAQUE of characters is here too, unless its `Meta` says that it is no text: its
    /// format is `bin`, or its type a document in WBXML.
    Text(Cow<'a, str>),
    /// Any other OPAQUE of WBXML. In XML it is sent as base64, and never decoded to.
    Opaque(Cow<'a, [u8]>),
}

/// Codes of `Alert` (`DM 1.3 PROTO §6.3, §10`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard")]
#[repr(u16)]
pub enum AlertCode {
    Display = 1100,
    ConfirmOrReject = 1101,
    TextInput = 1102,
    SingleChoice = 1103,
    MultipleChoice = 1104,
    ServerInitiated = 1200,
    ClientInitiated = 1201,
    NextMessage = 1222,
    SessionAbort = 1223,
    ClientEvent = 1224,
    NoEndOfData = 1225,
    GenericAlert = 1226,
    SessionlessReport = 1230,
}

impl Version {
    /// The version that a header speaks; `Err` is the status to answer: 505 for an unknown `VerDTD`, 513 for an unknown
    /// `VerProto`. Of two that do not belong together `VerProto` counts.
    ///
    /// # Errors
    /// 505 or 513.
    pub fn of(header: &Header<'_>) -> Result<Self, u16> {
        if !matches!(header.ver_dtd.as_ref(), "1.1" | "1.2" | "1.3") {
            return Err(505);
        }
        match header.ver_proto.as_ref() {
            "DM/1.1" => Ok(Self::Dm11),
            "DM/1.2" => Ok(Self::Dm12),
            "DM/1.3" => Ok(Self::Dm13),
            _ => Err(513),
        }
    }
    /// `VerDTD`.
    #[must_use]
    pub fn ver_dtd(self) -> &'static str {
        match self {
            Self::Dm11 => "1.1",
            Self::Dm12 | Self::Dm13 => "1.2",
        }
    }
    /// `VerProto`.
    #[must_use]
    pub fn ver_proto(self) -> &'static str {
        match self {
            Self::Dm11 => "DM/1.1",
            Self::Dm12 => "DM/1.2",
            Self::Dm13 => "DM/1.3",
        }
    }
}

impl OperationKind {
    /// Name of the element.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Replace => "Replace",
            Self::Delete => "Delete",
            Self::Copy => "Copy",
            Self::Get => "Get",
            Self::Exec => "Exec",
        }
    }
}

impl ContainerKind {
    /// Name of the element.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Atomic => "Atomic",
            Self::Sequence => "Sequence",
        }
    }
}

impl AlertCode {
    const ALL: [Self; 13] = [
        Self::Display,
        Self::ConfirmOrReject,
        Self::TextInput,
        Self::SingleChoice,
        Self::MultipleChoice,
        Self::ServerInitiated,
        Self::ClientInitiated,
        Self::NextMessage,
        Self::SessionAbort,
        Self::ClientEvent,
        Self::NoEndOfData,
        Self::GenericAlert,
        Self::SessionlessReport,
    ];

    /// The code as a number.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }
    /// Reads `Data` of an `Alert`; `None` for a code that DM does not have.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number: u16 = text.trim().parse().ok()?;
        Self::ALL.into_iter().find(|code| code.number() == number)
    }
}

impl Data<'_> {
    /// The characters; `None` of octets that are none.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Opaque(octets) => std::str::from_utf8(octets).ok(),
        }
    }
    /// The octets; those of text in UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Opaque(octets) => octets,
        }
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("meta", &self.meta).finish_non_exhaustive()
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("target", &self.target)
            .field("source", &self.source)
            .field("meta", &self.meta)
            .field("data", &self.data)
            .field("more", &self.more)
            .finish()
    }
}

impl fmt::Debug for Data<'_> {
    /// Data may be a secret: only how much there is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} octets)", text.len()),
            Self::Opaque(octets) => write!(f, "Opaque({} octets)", octets.len()),
        }
    }
}
