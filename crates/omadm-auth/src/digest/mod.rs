//! HTTP Digest authentication (`RFC 7616`, and `RFC 2617`, which `DM 2.0 §9.2.1` names).
//!
//! Here: the digests, what a server checks ([`Given`], [`Nonces`]), and what a client answers ([`Answers`]). Which algorithms are
//! acceptable is the caller's choice; MD5 is among them for peers that know nothing else.

mod client;
mod nonce;
mod server;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512_256};

use crate::secret::Secret;

pub use client::{Answers, Untrusted};
pub use nonce::{Nonces, Unusable};
pub use server::{Given, challenge};

/// The scheme's name.
pub const SCHEME: &str = "Digest";

/// A digest function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Hash {
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "SHA-512-256")]
    Sha512_256,
    #[serde(rename = "MD5")]
    Md5,
}

impl Hash {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha512_256, Self::Md5];

    /// Its name on the wire (`RFC 7616 §6.1`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
            Self::Md5 => "MD5",
        }
    }

    /// Octets of a digest.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 | Self::Sha512_256 => 32,
            Self::Md5 => 16,
        }
    }

    /// The digest of parts with `:` between them.
    fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256 => fold(Sha256::new(), parts),
            Self::Sha512_256 => fold(Sha512_256::new(), parts),
            Self::Md5 => fold(md5::Md5::new(), parts),
        }
    }
}

fn fold<D: sha2::Digest>(digest: D, parts: &[&[u8]]) -> Vec<u8> {
    let separators = std::iter::once(&b""[..]).chain(std::iter::repeat(&b":"[..]));
    let all = parts.iter().zip(separators);
    all.fold(digest, |digest, (part, separator)| digest.chain_update(separator).chain_update(part))
        .finalize()
        .to_vec()
}

/// A digest function, and whether a session key is made of the secret first (`-sess`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// The digest function.
    pub hash: Hash,
    /// `-sess`.
    pub session: bool,
}

impl Algorithm {
    /// Reads its name, in any letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, session) = match text.len().checked_sub(5).and_then(|at| text.split_at_checked(at)) {
            Some((name, suffix)) if suffix.eq_ignore_ascii_case("-sess") => (name, true),
            _ => (text, false),
        };
        let hash = Hash::ALL.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name))?;
        Some(Self { hash, session })
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.hash.name())?;
        if self.session { f.write_str("-sess") } else { Ok(()) }
    }
}

/// What is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop {
    /// Method and target: `auth`.
    Auth,
    /// The body, too: `auth-int`.
    AuthInt,
}

impl Qop {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt].into_iter().find(|qop| qop.name().eq_ignore_ascii_case(text.trim()))
    }
}

/// H(user:realm:secret), by which a server knows a user without the secret. Whoever has it can answer challenges of this realm.
#[must_use]
pub fn user_key(hash: Hash, user: &str, realm: &str, secret: &Secret) -> Secret {
    Secret::new(hash.of(&[user.as_bytes(), realm.as_bytes(), secret.expose()]))
}

/// What one response is computed over.
struct Exchange<'a> {
    algorithm: Algorithm,
    /// With `-sess`: the nonces of the first answer to the challenge.
    session: (&'a str, &'a str),
    nonce: &'a str,
    count: &'a str,
    cnonce: &'a str,
    qop: Qop,
    /// Empty in the answer of a server (`RFC 7616 §3.5`).
    method: &'a str,
    uri: &'a str,
    body: &'a [u8],
}

impl Exchange<'_> {
    /// The response in hexadecimal digits (`RFC 7616 §3.4.1`).
    fn response(&self, user_key: &Secret) -> String {
        let hash = self.algorithm.hash;
        let mut key = hex(user_key.expose());
        if self.algorithm.session {
            let (nonce, cnonce) = self.session;
            key = hex(&hash.of(&[key.expose(), nonce.as_bytes(), cnonce.as_bytes()]));
        }
        let body = hex(&hash.of(&[self.body]));
        let target = match self.qop {
            Qop::Auth => hash.of(&[self.method.as_bytes(), self.uri.as_bytes()]),
            Qop::AuthInt => hash.of(&[self.method.as_bytes(), self.uri.as_bytes(), body.expose()]),
        };
        let response = hash.of(&[
            key.expose(),
            self.nonce.as_bytes(),
            self.count.as_bytes(),
            self.cnonce.as_bytes(),
            self.qop.name().as_bytes(),
            hex(&target).expose(),
        ]);
        String::from_utf8_lossy(hex(&response).expose()).into_owned()
    }
}

/// Hexadecimal digits of octets that may be a key.
fn hex(octets: &[u8]) -> Secret {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    let mut text = Vec::with_capacity(octets.len() * 2);
    text.extend(octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]));
    Secret::new(text)
}

/// The octets that hexadecimal digits stand for.
pub(crate) fn hex_digits(text: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    text.chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(value(high)? << 4 | value(low)?),
            _ => None,
        })
        .collect()
}

/// Whether two responses are the same, in any letter case, in the same time whatever differs.
fn same_response(a: &str, b: &str) -> bool {
    let lower = |text: &str| Secret::new(text.to_ascii_lowercase().into_bytes());
    lower(a) == lower(b)
}
