//! Static keys, which card and device share, and the keys of one session, which come from them.

use super::cipher::{Key, Purpose, derive};
use super::{Mode, Scp03Error};
use crate::secret::Secret;

/// KEY_ENC, KEY_MAC and KEY_DEK. They do not print and are wiped on drop.
#[derive(Clone)]
pub struct StaticKeys {
    pub(super) enc: Key,
    pub(super) mac: Key,
    /// The key for keys; a channel by itself has no use for it.
    dek: Secret,
}

impl StaticKeys {
    /// Takes the three of them.
    ///
    /// # Errors
    /// [`Scp03Error::Keys`].
    pub fn new(enc: &Secret, mac: &Secret, dek: Secret) -> Result<Self, Scp03Error> {
        let length = enc.expose().len();
        if mac.expose().len() != length || dek.expose().len() != length {
            return Err(Scp03Error::Keys);
        }
        let key = |secret: &Secret| Key::new(secret.expose()).ok_or(Scp03Error::Keys);
        Ok(Self { enc: key(enc)?, mac: key(mac)?, dek })
    }

    /// KEY_DEK, under which a card takes other keys.
    #[must_use]
    pub fn dek(&self) -> &Secret {
        &self.dek
    }

    /// The challenge of a card whose challenges are pseudo-random: from its sequence counter, of which 24 bits count, and the
    /// identifier of the selected application (`Amendment D §6.2.2.1`).
    #[must_use]
    pub fn card_challenge(&self, mode: Mode, counter: u32, aid: &[u8]) -> Vec<u8> {
        let [_, counter @ ..] = counter.to_be_bytes();
        derive(&self.enc, Purpose::CardChallenge, bits(mode), &[&counter, aid]).to_vec()
    }
}

impl std::fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StaticKeys({} bits)", self.enc.bits())
    }
}

/// Bits of a cryptogram or a challenge.
fn bits(mode: Mode) -> u16 {
    match mode {
        Mode::S8 => 64,
        Mode::S16 => 128,
    }
}

/// S-ENC, S-MAC and S-RMAC, and the cryptograms that prove them.
pub(super) struct SessionKeys {
    pub(super) enc: Key,
    pub(super) mac: Key,
    pub(super) rmac: Key,
    pub(super) card_cryptogram: Vec<u8>,
    pub(super) host_cryptogram: Vec<u8>,
}

impl SessionKeys {
    /// From both challenges (`Amendment D §6.2.1, §6.2.2`).
    pub(super) fn derive(
        keys: &StaticKeys,
        mode: Mode,
        host: &[u8],
        card: &[u8],
    ) -> Result<Self, Scp03Error> {
        let context = [host, card];
        let key = |from: &Key, purpose| {
            Key::new(&derive(from, purpose, from.bits(), &context)).ok_or(Scp03Error::Keys)
        };
        let mac = key(&keys.mac, Purpose::SMac)?;
        let cryptogram = |purpose| derive(&mac, purpose, bits(mode), &context).to_vec();
        Ok(Self {
            enc: key(&keys.enc, Purpose::SEnc)?,
            rmac: key(&keys.mac, Purpose::SRmac)?,
            card_cryptogram: cryptogram(Purpose::CardCryptogram),
            host_cryptogram: cryptogram(Purpose::HostCryptogram),
            mac,
        })
    }
}
