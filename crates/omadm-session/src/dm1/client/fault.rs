//! Why a command was not carried out, and the status that says so: the one place where statuses of failures are made.

use omadm_codec::DecodeError;
use omadm_codec::dm1::{Data, Item};
use omadm_mo::dm1::Dm1Error;

use super::answer::Answer;
use crate::dm1::status::code;

/// A cause. Those of the tree have their statuses with them.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Tree(#[from] Dm1Error),
    #[error("the command has no CmdID, or 0")]
    NoId,
    #[error("another command of the message has the CmdID {0}")]
    RepeatedId(String),
    #[error("{0} is no command of DM")]
    UnknownCommand(String),
    #[error("a token that stands for no element, where a command is meant")]
    UnknownToken,
    #[error("a server does not send {0}")]
    NotForDevices(&'static str),
    #[error("the command holds nothing")]
    Empty,
    #[error("an item has no {0}")]
    NoAddress(&'static str),
    #[error("{0:?} is no format")]
    UnknownFormat(String),
    #[error("the TNDS document cannot be read: {0}")]
    Tnds(DecodeError),
    #[error("{0:?} is no alert of DM")]
    UnknownAlert(String),
    #[error("the alert lacks its {0}")]
    IncompleteAlert(&'static str),
    #[error("this device cannot ask its user")]
    NoUser,
    #[error("{count} choices are more than the {limit} that the device can show")]
    TooManyChoices { count: usize, limit: usize },
    #[error("the device cannot show it")]
    NotDisplayable,
    #[error("the object is larger than {limit} octets")]
    TooLarge { limit: u64 },
    #[error("this device takes no objects in chunks")]
    NoLargeObjects,
    #[error("a chunk stands alone in its command, outside of Atomic and Sequence")]
    MisplacedChunk,
    #[error("{received} octets came, {announced} were announced")]
    SizeMismatch { announced: u64, received: u64 },
    #[error("the answers to one message would hold more than {limit} octets")]
    TooMuch { limit: usize },
    #[error("the data is no base64")]
    NoBase64,
    #[error("the data of the Exec does not fit its format: {0}")]
    Argument(omadm_mo::ValueError),
    #[error("{0} cannot stand in an Atomic or Sequence")]
    Misplaced(&'static str),
    #[error("{reason}")]
    Refused { status: u16, reason: String },
}

impl Fault {
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Tree(error) => error.status(),
            Self::NoId
            | Self::RepeatedId(_)
            | Self::Empty
            | Self::UnknownToken
            | Self::NoAddress(_)
            | Self::MisplacedChunk
            | Self::Tnds(_) => code::BAD_REQUEST,
            Self::UnknownCommand(_) => code::NOT_IMPLEMENTED,
            Self::NotForDevices(_) => code::NOT_ALLOWED,
            Self::UnknownFormat(_) => code::UNSUPPORTED_TYPE,
            Self::Misplaced(_) | Self::NoBase64 | Self::Argument(_) => code::COMMAND_FAILED,
            Self::UnknownAlert(_) | Self::NoUser => code::UNSUPPORTED_FEATURE,
            Self::IncompleteAlert(_) => code::INCOMPLETE,
            Self::TooManyChoices { .. } | Self::NotDisplayable => code::NOT_DISPLAYABLE,
            Self::TooLarge { .. } | Self::TooMuch { .. } | Self::NoLargeObjects => code::TOO_LARGE,
            Self::SizeMismatch { .. } => code::SIZE_MISMATCH,
            Self::Refused { status, .. } => refusal(*status),
        }
    }

    /// The answer to an item with this target.
    pub(super) fn answer(self, target: Option<&str>) -> Answer {
        let items = match &self {
            // DM 1.3 PROTO §7: of an implicit Add the ancestor that failed.
            Self::Tree(error) if target.is_some_and(|target| !is_same(target, error.address())) => {
                vec![Item { target: Some(error.address().to_owned().into()), ..Item::default() }]
            }
            Self::Tree(Dm1Error::Several { .. }) => {
                vec![Item { data: Some(Data::Text("ambiguous".into())), ..Item::default() }]
            }
            _ => Vec::new(),
        };
        Answer { status: self.status(), reason: Some(self.to_string()), items }
    }
}

/// Whether both are the same address, written with or without `./` and part.
fn is_same(one: &str, other: &str) -> bool {
    let bare = |uri: &str| uri.split('?').next().unwrap_or_default().trim_start_matches("./").to_owned();
    bare(one) == bare(other)
}

/// What a host may answer; anything else is a failure without a name.
fn refusal(status: u16) -> u16 {
    match status {
        code::FORBIDDEN
        | code::NOT_ALLOWED
        | code::UNSUPPORTED_FEATURE
        | code::TOO_LARGE
        | code::UNSUPPORTED_TYPE
        | code::DEVICE_FULL
        | code::COMMAND_FAILED
        | code::DATA_STORE_FAILURE => status,
        _ => code::COMMAND_FAILED,
    }
}
