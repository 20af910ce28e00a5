//! The secure channel of a card (`DM 2.0 §H`).

use omadm_auth::Secret;
use omadm_auth::scp03::{self, CardChallenge, CardSession, Handshake, StaticKeys};

use crate::apdu::Command;
use crate::image::PKCS15;

/// The keys of a card.
#[derive(Clone, Debug)]
pub struct Keys {
    /// KEY_ENC.
    pub enc: Vec<u8>,
    /// KEY_MAC.
    pub mac: Vec<u8>,
    /// KEY_DEK.
    pub dek: Vec<u8>,
    /// Their version.
    pub version: u8,
}

impl Default for Keys {
    /// Those of the published test cards, with 16 octets each.
    fn default() -> Self {
        Self::of_length(16)
    }
}

impl Keys {
    /// Keys of 16, 24 or 32 octets.
    #[must_use]
    pub fn of_length(octets: u8) -> Self {
        let key = |first: u8| (0..octets).map(|octet| first + octet % 16).collect();
        Self { enc: key(0x00), mac: key(0x10), dek: key(0x20), version: 0x30 }
    }
}

/// A secure channel on one of a card's logical channels.
#[derive(Debug)]
pub(crate) enum Secure {
    /// It waits for EXTERNAL AUTHENTICATE.
    Begun(Handshake),
    Open(CardSession),
}

impl Secure {
    /// INITIALIZE UPDATE; the counter makes the challenge of the card.
    pub(crate) fn begin(keys: &Keys, counter: u32, command: &Command) -> Option<(Self, Vec<u8>)> {
        let secret = |octets: &Vec<u8>| Secret::new(octets.clone());
        let card = scp03::Card {
            keys: StaticKeys::new(&secret(&keys.enc), &secret(&keys.mac), secret(&keys.dek)).ok()?,
            key_version: keys.version,
            diversification: [0; 10],
        };
        let challenge = CardChallenge::PseudoRandom { counter, aid: &PKCS15 };
        let (answer, handshake) = card.initialize_update(command.header(), &command.data, challenge).ok()?;
        Some((Self::Begun(handshake), answer))
    }

    /// EXTERNAL AUTHENTICATE.
    pub(crate) fn authenticate(self, command: &Command) -> Option<Self> {
        let Self::Begun(handshake) = self else { return None };
        handshake.external_authenticate(command.header(), &command.data).ok().map(Self::Open)
    }

    /// Takes the wrapping off a command.
    pub(crate) fn open(&mut self, command: &Command) -> Option<Command> {
        let Self::Open(session) = self else { return None };
        let data = session.unwrap(command.header(), &command.data, false).ok()?;
        // How much comes back is for the card to say: it has to fit with its MAC.
        Some(Command { cla: command.cla & !0x04, data: data.expose().to_vec(), le: None, ..command.clone() })
    }

    /// Wraps an answer.
    pub(crate) fn close(&mut self, data: &[u8], status: u16) -> Vec<u8> {
        match self {
            Self::Begun(_) => Vec::new(),
            Self::Open(session) => session.wrap(data, status).unwrap_or_default(),
        }
    }
}
