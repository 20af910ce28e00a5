//! The card's side of the handshake.

use subtle::ConstantTimeEq as _;

use super::host::{
    DIVERSIFICATION, EXTERNAL_AUTHENTICATE, INITIALIZE_UPDATE, PROTOCOL, PSEUDO_RANDOM, RESPONSES, S16,
};
use super::keys::SessionKeys;
use super::session::{CardSession, Channel};
use super::{Mode, SECURITY_LEVEL, Scp03Error, StaticKeys};

/// A card with a set of keys.
#[derive(Clone, Debug)]
pub struct Card {
    /// The keys.
    pub keys: StaticKeys,
    /// The version of the keys, 1 to 0x7F.
    pub key_version: u8,
    /// What the keys of this card were derived from.
    pub diversification: [u8; DIVERSIFICATION],
}

/// How a card comes to its challenge.
#[derive(Clone, Copy, Debug)]
pub enum CardChallenge<'a> {
    /// At random: as many octets as the challenge of the host has.
    Random(&'a [u8]),
    /// From its sequence counter.
    PseudoRandom {
        /// Sessions so far, of which 24 bits count.
        counter: u32,
        /// The identifier of the selected application.
        aid: &'a [u8],
    },
}

impl Card {
    /// Answers INITIALIZE UPDATE: the data of the response, and what waits for EXTERNAL AUTHENTICATE.
    ///
    /// # Errors
    /// [`Scp03Error::Form`] for another command, [`Scp03Error::KeyVersion`], [`Scp03Error::Challenge`].
    pub fn initialize_update(
        &self,
        header: [u8; 4],
        data: &[u8],
        challenge: CardChallenge<'_>,
    ) -> Result<(Vec<u8>, Handshake), Scp03Error> {
        let [_, INITIALIZE_UPDATE, key_version, _] = header else { return Err(Scp03Error::Form) };
        if key_version != 0 && key_version != self.key_version {
            return Err(Scp03Error::KeyVersion(key_version));
        }
        let mode = Mode::of(data).ok_or(Scp03Error::Challenge)?;
        let mut option = RESPONSES;
        if mode == Mode::S16 {
            option |= S16;
        }
        let (own, counter) = match challenge {
            CardChallenge::Random(own) if own.len() == mode.size() => (own.to_vec(), Vec::new()),
            CardChallenge::Random(_) => return Err(Scp03Error::Challenge),
            CardChallenge::PseudoRandom { counter, aid } => {
                option |= PSEUDO_RANDOM;
                let [_, octets @ ..] = counter.to_be_bytes();
                (self.keys.card_challenge(mode, counter, aid), octets.to_vec())
            }
        };
        let keys = SessionKeys::derive(&self.keys, mode, data, &own)?;
        let information = [self.key_version, PROTOCOL, option];
        let answer =
            [&self.diversification[..], &information, &own, &keys.card_cryptogram, &counter].concat();
        Ok((answer, Handshake { keys, mode }))
    }
}

/// A handshake that waits for the host's cryptogram.
pub struct Handshake {
    keys: SessionKeys,
    mode: Mode,
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handshake({:?})", self.mode)
    }
}

impl Handshake {
    /// Checks EXTERNAL AUTHENTICATE: right, and the session has begun.
    ///
    /// # Errors
    /// [`Scp03Error::Form`] for another command, [`Scp03Error::Level`], [`Scp03Error::Mac`], [`Scp03Error::Cryptogram`].
    pub fn external_authenticate(self, header: [u8; 4], data: &[u8]) -> Result<CardSession, Scp03Error> {
        let [_, EXTERNAL_AUTHENTICATE, level, _] = header else { return Err(Scp03Error::Form) };
        if level != SECURITY_LEVEL {
            return Err(Scp03Error::Level(level));
        }
        let expected = self.keys.host_cryptogram.clone();
        let mut channel = Channel::new(self.keys, self.mode);
        let cryptogram = channel.check_authenticate(header, data)?;
        if !bool::from(expected.ct_eq(cryptogram)) {
            return Err(Scp03Error::Cryptogram);
        }
        Ok(CardSession::new(channel))
    }
}
