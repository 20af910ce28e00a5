//! Secure Channel Protocol 03 of GlobalPlatform (Card Specification, Amendment D), by which a bootstrap comes off a card
//! (`DM 2.0 §H`): security level 0x33, that is every command and every response has a MAC and is encrypted.
//!
//! [`Host`] is the device's side and [`Card`] the card's. Both work on the header and the data of a command, since how a command is
//! encoded is none of their business. A session that met one wrong MAC takes and gives nothing more.
//!
//! ```text
//! host                                            card
//! Host::initialize_update  --- host challenge -->  Card::initialize_update
//! Host::authenticate      <-- card cryptogram ---
//!                          -- host cryptogram -->  Handshake::external_authenticate
//! HostSession::wrap         ----- command ----->   CardSession::unwrap
//! HostSession::unwrap      <----- response -----   CardSession::wrap
//! ```

mod card;
mod cipher;
mod host;
mod keys;
mod session;

pub use card::{Card, CardChallenge, Handshake};
pub use host::Host;
pub use keys::StaticKeys;
pub use session::{CardSession, HostSession};

/// C-MAC, C-DECRYPTION, R-MAC and R-ENCRYPTION: P1 of EXTERNAL AUTHENTICATE.
pub const SECURITY_LEVEL: u8 = 0x33;
/// The highest key version that SCP03 has; 0 leaves the choice to the card.
pub const MAX_KEY_VERSION: u8 = 0x7f;

/// How long challenges, cryptograms and MACs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 8 octets.
    S8,
    /// 16 octets.
    S16,
}

impl Mode {
    /// The octets of a challenge, a cryptogram or a MAC.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::S8 => 8,
            Self::S16 => 16,
        }
    }

    /// By the length of a challenge.
    fn of(challenge: &[u8]) -> Option<Self> {
        [Self::S8, Self::S16].into_iter().find(|mode| mode.size() == challenge.len())
    }
}

/// A command without its lengths: the class says the channel, and whether it is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// CLA, INS, P1 and P2.
    pub header: [u8; 4],
    /// The data: nothing in it is secret, for it is encrypted or a cryptogram.
    pub data: Vec<u8>,
}

/// Why there is no channel, or no more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Scp03Error {
    /// The static keys do not fit together.
    #[error("KEY_ENC, KEY_MAC and KEY_DEK have 16, 24 or 32 octets, all three the same number")]
    Keys,
    /// A challenge of the wrong length.
    #[error("a challenge has 8 octets, or 16 on a card in S16 mode")]
    Challenge,
    /// The answer to INITIALIZE UPDATE has another form.
    #[error("the answer to INITIALIZE UPDATE is not one of SCP03")]
    Form,
    /// The card uses another protocol.
    #[error("the card has secure channel protocol {0:02X}; SCP03 is needed")]
    Protocol(u8),
    /// The card cannot protect its responses.
    #[error("the card cannot protect its responses (option i = {0:02X}): R-MAC and R-ENCRYPTION are needed")]
    Option(u8),
    /// The card answers for another key version than was asked for.
    #[error("the card used key version {0:02X}, which was not asked for")]
    KeyVersion(u8),
    /// The other side does not have the keys.
    #[error("the cryptogram is wrong: card and device do not have the same keys")]
    Cryptogram,
    /// The host asks for less than everything.
    #[error("security level {0:02X} was asked for; {SECURITY_LEVEL:02X} is needed")]
    Level(u8),
    /// A command or a response was changed, left out, repeated or made up.
    #[error("the MAC is wrong: a message was changed on the way")]
    Mac,
    /// A response came with data and an error, which nothing protects.
    #[error("data came without a MAC")]
    Unprotected,
    /// The MAC is right and what is under it is not.
    #[error("what was encrypted has no padding")]
    Padding,
    /// There was a wrong message before.
    #[error("the secure channel is closed after a wrong message")]
    Closed,
    /// Commands and responses have to take turns.
    #[error("commands and responses have to take turns")]
    Turn,
    /// More than one command can hold.
    #[error("the data does not fit into one command under the secure channel")]
    TooLong,
}
