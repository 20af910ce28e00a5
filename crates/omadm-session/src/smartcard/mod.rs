//! Bootstraps on smartcards (`DM 2.0 §8.1, §G, §H`): which command comes next, on the way to what a card holds, and on the way there.
//!
//! [`CardReader`] finds the bootstrap, [`CardWriter`] replaces it. Either takes what the card answered and says what to do next; whoever
//! drives them has the reader, the user and the randomness.

mod approach;
pub mod check;
mod error;
mod exchange;
mod file;
mod pin;
mod reader;
mod rules;
mod secure;
mod writer;

use omadm_auth::Secret;
use omadm_auth::scp03::StaticKeys;
use omadm_codec::smartcard::{KeyReference, Pin};
use zeroize::Zeroizing;

use crate::Body;

pub use error::CardError;
pub use reader::CardReader;
pub use writer::{CardFile, CardWriter};

/// How a card is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As a UICC in 3G mode, and as a SIM if it knows nothing of that.
    #[default]
    Auto,
    /// As a SIM, which a UICC in 2G mode is too (`DM 2.0 §G.2`).
    Sim,
    /// As a UICC in 3G mode (`DM 2.0 §G.3`).
    Uicc,
}

/// Whether a secure channel is set up (`DM 2.0 §8.1, §H`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecureChannel {
    /// Never.
    Off,
    /// Where there are keys; a card without the channel is not read then.
    #[default]
    WithKeys,
    /// Always: without keys no card is read.
    Required,
}

/// The keys of a card (`DM 2.0 §H`), given to the device in another way.
#[derive(Clone, Debug)]
pub struct CardKeys {
    /// KEY_ENC, KEY_MAC and KEY_DEK.
    pub keys: StaticKeys,
    /// Their version on the card, `30` to `3F`; 0 is whichever comes first.
    pub version: u8,
}

/// Settings of an engine, for one card.
#[derive(Clone, Debug)]
pub struct CardSettings {
    /// How the card is spoken to.
    pub mode: Mode,
    /// Whether a secure channel is set up.
    pub secure: SecureChannel,
    /// Its keys.
    pub keys: Option<CardKeys>,
    /// Eight octets that nobody could know before: the host's challenge.
    pub challenge: [u8; 8],
    /// The card speaks T=0, in which a command has either data or an answer.
    pub t0: bool,
    /// Use the last try of a PIN, too, after which the card would be blocked. Default no.
    pub last_try: bool,
    /// Most octets of a file. Default 256 KiB.
    pub max_file: usize,
    /// Most commands to one card. Default 8,192.
    pub max_commands: u32,
    /// No tolerance towards what is on the card.
    pub strict: bool,
}

impl Default for CardSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            secure: SecureChannel::WithKeys,
            keys: None,
            challenge: [0; 8],
            t0: false,
            last_try: false,
            max_file: 256 << 10,
            max_commands: 8_192,
            strict: false,
        }
    }
}

/// What has happened.
#[derive(Debug)]
pub enum CardInput<'a> {
    /// The card answered these octets.
    Answer(&'a [u8]),
    /// The card, or the reader, is gone.
    Gone,
    /// What the user said to [`CardOutput::AskPin`].
    Pin(Pin),
    /// There is nobody who could give a PIN, or who wants to.
    NoPin,
}

/// What is to be done.
#[derive(Debug)]
pub enum CardOutput<T> {
    /// These octets go to the card. They can hold a PIN.
    Transmit(Zeroizing<Vec<u8>>),
    /// The user has to be asked for a PIN.
    AskPin(PinQuestion),
    /// It is over.
    Finished(Result<T, CardError>),
}

/// A question for a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinQuestion {
    /// Which one, in the words of the standard.
    pub pin: String,
    /// By which the card knows it.
    pub reference: KeyReference,
    /// What the card calls what the PIN protects. It can hold anything.
    pub label: Option<String>,
    /// How many tries are left before the card blocks it, as far as the card says so.
    pub tries_left: Option<u8>,
    /// Which question this is for the PIN, from 1.
    pub attempt: u8,
}

/// What is on a card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardContent {
    /// The digits of its ICCID, as far as it has one that can be read.
    pub iccid: Option<String>,
    /// What it holds for the device; `None` is nothing.
    pub bootstrap: Option<CardBootstrap>,
    /// It came through a secure channel.
    pub secured: bool,
}

/// What a card holds for the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardBootstrap {
    /// MO data of DM 2.0 (`application/dmmo+json`).
    Json(Body),
    /// A message of DM 1.x in WBXML.
    Message(Body),
    /// Where a bootstrap of DM 1.3 is: on the web server of the card, or another one.
    Url(String),
}

impl CardKeys {
    /// Of the octets of KEY_ENC, KEY_MAC and KEY_DEK: 16, 24 or 32 each, and all the same.
    ///
    /// # Errors
    /// [`CardError::Secure`] when they are not.
    pub fn new(enc: &Secret, mac: &Secret, dek: Secret, version: u8) -> Result<Self, CardError> {
        Ok(Self { keys: StaticKeys::new(enc, mac, dek)?, version })
    }
}
