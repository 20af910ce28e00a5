//! The challenge and the answer to it of OBEX authentication (`IrOBEX 1.3 §3.5`).

use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

/// Octets of a nonce, and of a digest.
const SIZE: usize = 16;
/// Longest value of a parameter in octets: its length is one octet.
const MAX_VALUE: usize = 255;

/// Tags of a challenge.
const NONCE: u8 = 0;
const OPTIONS: u8 = 1;
const REALM: u8 = 2;
/// Tags of an answer.
const DIGEST: u8 = 0;
const USER: u8 = 1;
const ANSWERED: u8 = 2;

/// Value of the header Authenticate Challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// What the digest is to be made over.
    pub nonce: [u8; SIZE],
    /// Whether the answer has to name the user.
    pub wants_user: bool,
    /// Who asks, after an octet that says the charset; empty if it is left out.
    pub realm: &'a [u8],
}

/// Value of the header Authenticate Response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    /// `MD5(nonce ":" password)`.
    pub digest: [u8; SIZE],
    /// The user; empty if it is left out.
    pub user: &'a [u8],
    /// The nonce that is answered; `None` where there was but one.
    pub nonce: Option<[u8; SIZE]>,
}

impl<'a> Challenge<'a> {
    /// The value of the header. Of a realm that is longer than a parameter can be, the part beyond is left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        parameter(NONCE, &self.nonce, &mut out);
        parameter(OPTIONS, &[u8::from(self.wants_user)], &mut out);
        if !self.realm.is_empty() {
            parameter(REALM, self.realm, &mut out);
        }
        out
    }

    /// Reads the value of the header.
    ///
    /// # Errors
    /// With byte offset and field, when a parameter breaks off, comes twice, has not the length that it has to have, or the nonce is missing.
    pub fn decode(input: &'a [u8]) -> Result<Self, DecodeError> {
        let [nonce, options, realm] = parameters(input)?;
        let nonce = sixteen(nonce, "nonce")?.ok_or_else(|| missing(input, "nonce"))?;
        let wants_user = options.is_some_and(|options| options.first().is_some_and(|bits| bits & 1 != 0));
        Ok(Self { nonce, wants_user, realm: realm.unwrap_or_default() })
    }
}

impl<'a> Proof<'a> {
    /// The value of the header. Of a user name that is longer than a parameter can be, the part beyond is left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        parameter(DIGEST, &self.digest, &mut out);
        if !self.user.is_empty() {
            parameter(USER, self.user, &mut out);
        }
        if let Some(nonce) = &self.nonce {
            parameter(ANSWERED, nonce, &mut out);
        }
        out
    }

    /// Reads the value of the header.
    ///
    /// # Errors
    /// As [`Challenge::decode`], with the digest in place of the nonce.
    pub fn decode(input: &'a [u8]) -> Result<Self, DecodeError> {
        let [digest, user, nonce] = parameters(input)?;
        let digest = sixteen(digest, "request-digest")?.ok_or_else(|| missing(input, "request-digest"))?;
        Ok(Self { digest, user: user.unwrap_or_default(), nonce: sixteen(nonce, "nonce")? })
    }
}

fn parameter(tag: u8, value: &[u8], out: &mut Vec<u8>) {
    let value = value.get(..MAX_VALUE).unwrap_or(value);
    out.extend([tag, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
    out.extend(value);
}

/// The values of the tags 0, 1 and 2. Others are skipped.
fn parameters(input: &[u8]) -> Result<[Option<&[u8]>; 3], DecodeError> {
    let mut reader = Reader::new(input, &Limits { bytes: usize::from(u16::MAX), ..Limits::default() })?;
    let mut found = [None; 3];
    while reader.peek().is_some() {
        let start = reader.clone();
        let tag = reader.byte("tag")?;
        let length = reader.byte("length")?;
        let value = reader.take(length.into(), "value")?;
        if let Some(place) = found.get_mut(usize::from(tag))
            && place.replace(value).is_some()
        {
            return Err(start.error("tag", Problem::Schema(format!("{tag} a second time").into())));
        }
    }
    Ok(found)
}

fn sixteen(value: Option<&[u8]>, field: &'static str) -> Result<Option<[u8; SIZE]>, DecodeError> {
    let wrong = |_| DecodeError { at: 0, field, problem: Problem::Schema("it has not 16 octets".into()) };
    value.map(|value| <[u8; SIZE]>::try_from(value).map_err(wrong)).transpose()
}

fn missing(input: &[u8], field: &'static str) -> DecodeError {
    DecodeError { at: input.len(), field, problem: Problem::Schema("it is missing".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for realm in [&b""[..], b"\0omadm"] {
            let challenge = Challenge { nonce: [7; 16], wants_user: true, realm };
            assert_eq!(Challenge::decode(&challenge.encode()).unwrap(), challenge);
        }
        for (user, nonce) in [(&b""[..], None), (b"device", Some([9; 16]))] {
            let proof = Proof { digest: [1; 16], user, nonce };
            assert_eq!(Proof::decode(&proof.encode()).unwrap(), proof);
        }
        let example = b"\x00\x10NNNNNNNNNNNNNNNN\x01\x01\x01\x02\x06\x00omadm";
        let challenge = Challenge { nonce: [b'N'; 16], wants_user: true, realm: b"\0omadm" };
        assert_eq!(challenge.encode(), example);
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let challenge = Challenge { nonce: [7; 16], wants_user: false, realm: &[b'r'; 256] };
        assert_eq!(Challenge::decode(&challenge.encode()).unwrap().realm, [b'r'; 255]);
    }

    #[test]
    fn what_breaks_off_repeats_or_lacks_is_refused() {
        let nonce = b"\x00\x10NNNNNNNNNNNNNNNN";
        for end in 1..nonce.len() {
            assert!(Challenge::decode(&nonce[..end]).is_err(), "{end}");
        }
        assert!(Challenge::decode(&[nonce, &nonce[..]].concat()).is_err());
        assert!(Challenge::decode(b"\x00\x01N").is_err());
        assert!(Proof::decode(b"").is_err());
        assert!(Challenge::decode(&[&nonce[..], b"\x09\x01x"].concat()).is_ok(), "an unknown tag is skipped");
    }
}
