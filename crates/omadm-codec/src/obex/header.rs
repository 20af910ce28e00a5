//! Headers of OBEX packets (`IrOBEX 1.3 §2.1`).

use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

/// Octets of identifier and length before a value of variable length.
const HEAD: u16 = 3;

/// Identifier of a header; its two highest bits say which form the value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderId(pub u8);

impl HeaderId {
    /// Type: a media type, ASCII.
    pub const TYPE: Self = Self(0x42);
    /// Target: the service that is wanted.
    pub const TARGET: Self = Self(0x46);
    /// HTTP: a header of HTTP.
    pub const HTTP: Self = Self(0x47);
    /// Body: a part of the object, not the last.
    pub const BODY: Self = Self(0x48);
    /// End of Body: the last part of the object.
    pub const END_OF_BODY: Self = Self(0x49);
    /// Who: the service that answers.
    pub const WHO: Self = Self(0x4a);
    /// Authenticate Challenge.
    pub const CHALLENGE: Self = Self(0x4d);
    /// Authenticate Response.
    pub const PROOF: Self = Self(0x4e);
    /// Length of the object.
    pub const LENGTH: Self = Self(0xc3);
    /// Connection Id.
    pub const CONNECTION_ID: Self = Self(0xcb);

    /// The name in the standard; `header` for one that the binding does not use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TYPE => "Type",
            Self::TARGET => "Target",
            Self::HTTP => "HTTP",
            Self::BODY => "Body",
            Self::END_OF_BODY => "End of Body",
            Self::WHO => "Who",
            Self::CHALLENGE => "Authenticate Challenge",
            Self::PROOF => "Authenticate Response",
            Self::LENGTH => "Length",
            Self::CONNECTION_ID => "Connection Id",
            Self(_) => "header",
        }
    }
}

/// A header with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header<'a> {
    /// Text of 16-bit units or octets, at most 65,532 octets, as they stand there.
    Octets(HeaderId, &'a [u8]),
    /// One octet.
    Octet(HeaderId, u8),
    /// Four octets.
    Number(HeaderId, u32),
}

impl<'a> Header<'a> {
    /// Which header it is.
    #[must_use]
    pub fn id(&self) -> HeaderId {
        match self {
            Self::Octets(id, _) | Self::Octet(id, _) | Self::Number(id, _) => *id,
        }
    }

    /// Octets on the wire.
    #[must_use]
    pub fn wire_length(&self) -> usize {
        match self {
            Self::Octets(_, value) => usize::from(HEAD) + value.len(),
            Self::Octet(..) => 2,
            Self::Number(..) => 5,
        }
    }

    /// Appends the header. Of a value that is longer than a header can be, the part beyond is left out.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Octets(id, value) => {
                let most = usize::from(u16::MAX - HEAD);
                let value = value.get(..most).unwrap_or(value);
                out.push(id.0);
                out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).saturating_add(HEAD).to_be_bytes());
                out.extend(value);
            }
            Self::Octet(id, value) => out.extend([id.0, *value]),
            Self::Number(id, value) => {
                out.push(id.0);
                out.extend(value.to_be_bytes());
            }
        }
    }

    /// Reads all headers to the end.
    pub(super) fn decode_all(reader: &mut Reader<'a>, limits: &Limits) -> Result<Vec<Self>, DecodeError> {
        let mut headers = Vec::new();
        while reader.peek().is_some() {
            if headers.len() >= limits.items {
                return Err(reader.error("header", Problem::TooMany { limit: limits.items }));
            }
            headers.push(Self::decode(reader)?);
        }
        Ok(headers)
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let id = HeaderId(reader.byte("header")?);
        Ok(match id.0 >> 6 {
            0 | 1 => {
                let start = reader.clone();
                let length = reader.u16(id.name())?;
                let Some(length) = length.checked_sub(HEAD) else {
                    return Err(
                        start.error(id.name(), Problem::Schema("a length below 3, its own head".into()))
                    );
                };
                Self::Octets(id, reader.take(length.into(), id.name())?)
            }
            2 => Self::Octet(id, reader.byte(id.name())?),
            _ => Self::Number(id, u32::from_be_bytes(reader.array(id.name())?)),
        })
    }
}
