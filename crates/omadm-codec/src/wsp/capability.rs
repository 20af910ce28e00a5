//! Capabilities, by which the two sides of a session agree on what they take (`WAP-230 §8.3`).

use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

use super::field::{self, HIGH};

const CLIENT_SDU: u8 = 0;
const SERVER_SDU: u8 = 1;
const PROTOCOL_OPTIONS: u8 = 2;
const METHOD_MOR: u8 = 3;
const PUSH_MOR: u8 = 4;
const FIELD: &str = "capability";

/// Octets of the largest message that a side takes where nothing else is agreed.
pub const DEFAULT_SDU: u32 = 1400;

/// Facilities of a session that are used only where both sides have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProtocolOptions(pub u8);

impl ProtocolOptions {
    /// Pushes that are confirmed.
    pub const CONFIRMED_PUSH: Self = Self(0x80);
    /// Pushes.
    pub const PUSH: Self = Self(0x40);

    /// Those of both.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

/// A capability that is proposed or agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Octets of the largest message that the client takes; 0 is no bound.
    ClientSdu(u32),
    /// Octets of the largest message that the server takes; 0 is no bound.
    ServerSdu(u32),
    /// Facilities.
    Options(ProtocolOptions),
    /// Most methods at once.
    MethodMor(u8),
    /// Most confirmed pushes at once.
    PushMor(u8),
    /// Another, or one of these that is refused, which has no parameters.
    Other {
        /// Its number, or its name without the zero at its end.
        id: Identifier,
        /// Its parameters.
        parameters: Vec<u8>,
    },
}

/// What a capability is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// A number of 7 bits.
    Number(field::ShortInteger),
    /// A name.
    Name(field::Token),
}

impl Capability {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut octets = Vec::new();
        let mut number = |id: u8, value: u32| {
            octets.push(id | HIGH);
            field::write_length(usize::try_from(value).unwrap_or(usize::MAX), &mut octets);
        };
        match self {
            Self::ClientSdu(value) => number(CLIENT_SDU, *value),
            Self::ServerSdu(value) => number(SERVER_SDU, *value),
            Self::Options(ProtocolOptions(value)) => octets.extend([PROTOCOL_OPTIONS | HIGH, *value]),
            Self::MethodMor(value) => octets.extend([METHOD_MOR | HIGH, *value]),
            Self::PushMor(value) => octets.extend([PUSH_MOR | HIGH, *value]),
            Self::Other { id, parameters } => {
                match id {
                    Identifier::Number(number) => octets.push(number.get() | HIGH),
                    Identifier::Name(name) => {
                        octets.extend(name.as_str().bytes());
                        octets.push(0);
                    }
                }
                octets.extend(parameters);
            }
        }
        field::write_length(octets.len(), out);
        out.extend(octets);
    }

    /// Reads capabilities to the end.
    pub(super) fn read_all(reader: &mut Reader<'_>, limits: &Limits) -> Result<Vec<Self>, DecodeError> {
        let mut found = Vec::new();
        while reader.peek().is_some() {
            if found.len() >= limits.items {
                return Err(reader.error(FIELD, Problem::TooMany { limit: limits.items }));
            }
            let length = field::length(reader, FIELD)?;
            found.push(Self::read(&mut reader.fence(length, FIELD)?)?);
        }
        Ok(found)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = |reader: &mut Reader<'_>| field::uintvar(reader, FIELD);
        let first = reader.peek().filter(|octet| *octet >= HIGH);
        let Some(first) = first else {
            let id = Identifier::Name(field::Token::read(reader, FIELD)?);
            return Ok(Self::Other { id, parameters: reader.rest().to_vec() });
        };
        reader.byte(FIELD)?;
        let id = field::ShortInteger::low_bits(first);
        if reader.peek().is_none() {
            return Ok(Self::Other { id: Identifier::Number(id), parameters: Vec::new() });
        }
        let value = match id.get() {
            CLIENT_SDU => Self::ClientSdu(number(reader)?),
            SERVER_SDU => Self::ServerSdu(number(reader)?),
            PROTOCOL_OPTIONS => {
                let options = ProtocolOptions(reader.byte(FIELD)?);
                // Further octets are for options that are not assigned.
                reader.take(reader.rest().len(), FIELD)?;
                Self::Options(options)
            }
            METHOD_MOR => Self::MethodMor(reader.byte(FIELD)?),
            PUSH_MOR => Self::PushMor(reader.byte(FIELD)?),
            _ => {
                let parameters = reader.take(reader.rest().len(), FIELD)?.to_vec();
                Self::Other { id: Identifier::Number(id), parameters }
            }
        };
        reader.end()?;
        Ok(value)
    }
}
