//! The device's side of the handshake.

use subtle::ConstantTimeEq as _;

use super::keys::SessionKeys;
use super::session::{Channel, HostSession};
use super::{Message, Mode, SECURITY_LEVEL, Scp03Error, StaticKeys};

pub(super) const INITIALIZE_UPDATE: u8 = 0x50;
pub(super) const EXTERNAL_AUTHENTICATE: u8 = 0x82;
/// The number of this protocol in the key information.
pub(super) const PROTOCOL: u8 = 0x03;
/// Octets of key diversification data.
pub(super) const DIVERSIFICATION: usize = 10;
/// Octets of the sequence counter.
const COUNTER: usize = 3;

/// Option "i" of a card (`Amendment D §5.1`).
pub(super) const S16: u8 = 0x01;
pub(super) const PSEUDO_RANDOM: u8 = 0x10;
/// R-MAC and R-ENCRYPTION.
pub(super) const RESPONSES: u8 = 0x60;
const RESERVED: u8 = 0x8e;

/// A handshake that the device began.
#[derive(Debug)]
pub struct Host {
    keys: StaticKeys,
    key_version: u8,
    challenge: Vec<u8>,
    mode: Mode,
    class: u8,
}

impl Host {
    /// Begins one. `class` is that of GlobalPlatform, 0x80, with the bits of the logical channel; `key_version` 0 leaves the
    /// choice of the key to the card; `challenge` has to be fresh random octets, 8 of them, or 16 for a card in S16 mode.
    ///
    /// # Errors
    /// [`Scp03Error::Challenge`], [`Scp03Error::KeyVersion`].
    pub fn new(keys: StaticKeys, key_version: u8, class: u8, challenge: Vec<u8>) -> Result<Self, Scp03Error> {
        if key_version > super::MAX_KEY_VERSION {
            return Err(Scp03Error::KeyVersion(key_version));
        }
        let mode = Mode::of(&challenge).ok_or(Scp03Error::Challenge)?;
        Ok(Self { keys, key_version, challenge, mode, class })
    }

    /// INITIALIZE UPDATE, which expects data.
    #[must_use]
    pub fn initialize_update(&self) -> Message {
        Message {
            header: [self.class, INITIALIZE_UPDATE, self.key_version, 0x00],
            data: self.challenge.clone(),
        }
    }

    /// Checks the data of the card's answer, and makes EXTERNAL AUTHENTICATE, which expects no data: only when the card says 9000
    /// to it has the session begun.
    ///
    /// # Errors
    /// [`Scp03Error::Form`], [`Scp03Error::Protocol`], [`Scp03Error::Option`], [`Scp03Error::KeyVersion`],
    /// [`Scp03Error::Cryptogram`].
    pub fn authenticate(self, answer: &[u8]) -> Result<(Message, HostSession), Scp03Error> {
        let answer = Answer::read(answer, self.mode)?;
        if self.key_version != 0 && answer.key_version != self.key_version {
            return Err(Scp03Error::KeyVersion(answer.key_version));
        }
        let keys = SessionKeys::derive(&self.keys, self.mode, &self.challenge, answer.challenge)?;
        if !bool::from(keys.card_cryptogram.ct_eq(answer.cryptogram)) {
            return Err(Scp03Error::Cryptogram);
        }
        let cryptogram = keys.host_cryptogram.clone();
        let mut channel = Channel::new(keys, self.mode);
        let header = [self.class, EXTERNAL_AUTHENTICATE, SECURITY_LEVEL, 0x00];
        let message = channel.authenticate(header, &cryptogram)?;
        Ok((message, HostSession::new(channel)))
    }
}

/// The data of the answer to INITIALIZE UPDATE.
struct Answer<'a> {
    key_version: u8,
    challenge: &'a [u8],
    cryptogram: &'a [u8],
}

impl<'a> Answer<'a> {
    fn read(answer: &'a [u8], mode: Mode) -> Result<Self, Scp03Error> {
        let (_, rest) = answer.split_first_chunk::<DIVERSIFICATION>().ok_or(Scp03Error::Form)?;
        let (&[key_version, protocol, option], rest) = rest.split_first_chunk().ok_or(Scp03Error::Form)?;
        if protocol != PROTOCOL {
            return Err(Scp03Error::Protocol(protocol));
        }
        let is_s16 = option & S16 != 0;
        if option & RESERVED != 0 || is_s16 != (mode == Mode::S16) {
            return Err(Scp03Error::Form);
        }
        if option & RESPONSES != RESPONSES {
            return Err(Scp03Error::Option(option));
        }
        let size = mode.size();
        let (challenge, rest) = rest.split_at_checked(size).ok_or(Scp03Error::Form)?;
        let (cryptogram, counter) = rest.split_at_checked(size).ok_or(Scp03Error::Form)?;
        let expected = if option & PSEUDO_RANDOM != 0 { COUNTER } else { 0 };
        if counter.len() != expected {
            return Err(Scp03Error::Form);
        }
        Ok(Self { key_version, challenge, cryptogram })
    }
}
