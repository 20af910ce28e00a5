//! Why a card is not read, or not written.

use omadm_auth::scp03::Scp03Error;
use omadm_codec::DecodeError;
use omadm_codec::smartcard::StatusWord;

/// Why a card is not read, or not written: what, where, and what to do. Nothing of what was read is given out then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// It was pulled out, or the reader failed.
    #[error("the card or its reader went away while {doing}; put the card in again")]
    Gone {
        /// What was under way.
        doing: &'static str,
    },
    /// The reader does not give access to the card.
    #[error("the card cannot be reached: {reason}")]
    Reader {
        /// What the system says.
        reason: String,
    },
    /// The card refuses.
    #[error("the card answers {status} ({}) while {doing}", status.meaning())]
    Status {
        /// What was under way.
        doing: &'static str,
        /// What it says.
        status: StatusWord,
    },
    /// What the card says cannot be read.
    #[error("what the card says while {doing} cannot be read: {source}")]
    Content {
        /// What was under way.
        doing: &'static str,
        /// Where, and what is wrong.
        source: DecodeError,
    },
    /// A file over the limit.
    #[error("the file that is read while {doing} is larger than the {limit} octets allowed")]
    TooLarge {
        /// What was under way.
        doing: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A file that ends before its size, or has no octets to read.
    #[error("the card gives less than the whole file while {doing}")]
    Short {
        /// What was under way.
        doing: &'static str,
    },
    /// A file of a structure that it must not have.
    #[error("the file is of the wrong structure while {doing}")]
    Structure {
        /// What was under way.
        doing: &'static str,
    },
    /// No logical channel.
    #[error("the card has no logical channel free; what uses it has to let go of one")]
    NoChannel,
    /// The PIN is blocked.
    #[error("{pin} is blocked; the operator of the card can unblock it")]
    Blocked {
        /// Which one.
        pin: String,
    },
    /// The last try is left to the user.
    #[error(
        "{pin} has {tries} try left, which is not used up here; unlock the card elsewhere, or allow the last try"
    )]
    LastTry {
        /// Which one.
        pin: String,
        /// How many.
        tries: u8,
    },
    /// Nobody gave a PIN.
    #[error("the card needs {pin}, and nobody gave it")]
    NoPin {
        /// Which one.
        pin: String,
    },
    /// A file stays closed whatever PIN is shown.
    #[error("the card keeps a file closed while {doing}, and has no PIN that would open it")]
    Closed {
        /// What was under way.
        doing: &'static str,
    },
    /// A secure channel is demanded, and there are no keys.
    #[error("a secure channel is demanded, and the device has no keys of the card")]
    NoKeys,
    /// The secure channel does not hold.
    #[error("the secure channel with the card: {0}")]
    Secure(#[from] Scp03Error),
    /// The card has no secure channel, but one is demanded.
    #[error("the card answers {status} ({}) instead of setting up the secure channel that is demanded", status.meaning())]
    NotSecured {
        /// What it says.
        status: StatusWord,
    },
    /// It is another card than at the beginning.
    #[error("the card is another one than at the beginning; put one in and leave it there")]
    Swapped,
    /// Too many commands.
    #[error("the card still has no end after {limit} commands")]
    TooMany {
        /// The limit.
        limit: u32,
    },
    /// The card has no place for what is to be written.
    #[error("the card has no {what}; it has to be made for bootstraps first")]
    NoPlace {
        /// What is missing.
        what: &'static str,
    },
    /// What is to be written does not fit.
    #[error("{what} has {octets} octets, and its file on the card {size}")]
    DoesNotFit {
        /// Which file.
        what: &'static str,
        /// Octets to be written.
        octets: usize,
        /// Octets of the file.
        size: usize,
    },
    /// It was answered without a question, or driven on after its end.
    #[error("the engine of the card was given an answer that it had no question for")]
    OutOfTurn,
}

impl CardError {
    /// Whether the same card may well be readable later, without anybody doing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Gone { .. } | Self::Reader { .. } | Self::NoChannel)
    }
}
