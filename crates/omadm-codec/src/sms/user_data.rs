//! User data with its header (`3GPP TS 23.040 §9.2.3.24`).

use crate::reader::Reader;
use crate::{DecodeError, Problem};

/// Most octets of user data, its header included.
pub const MAX_USER_DATA: usize = 140;

const HEADER_LENGTH: &str = "UDHL";
const ELEMENT: &str = "IEI";
const PARTS_SHORT: u8 = 0x00;
const PORTS_SHORT: u8 = 0x04;
const PORTS: u8 = 0x05;
const PARTS_LONG: u8 = 0x08;

/// Application ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    /// Of the receiver.
    pub destination: u16,
    /// Of the sender.
    pub source: u16,
}

impl Ports {
    /// Those of a push: to [`crate::wsp::PUSH_PORT`], from that of connectionless WSP.
    pub const PUSH: Self = Self { destination: crate::wsp::PUSH_PORT, source: 9200 };
}

/// Which message a part belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// 8 bits.
    Short(u8),
    /// 16 bits.
    Long(u16),
}

/// Place of a part in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    reference: Reference,
    total: u8,
    sequence: u8,
}

impl Part {
    /// Part `sequence` of `total`, from 1. `None` when there is no such part.
    #[must_use]
    pub fn new(reference: Reference, total: u8, sequence: u8) -> Option<Self> {
        (1..=total).contains(&sequence).then_some(Self { reference, total, sequence })
    }

    /// Which message it belongs to.
    #[must_use]
    pub fn reference(self) -> Reference {
        self.reference
    }

    /// Number of parts of the message.
    #[must_use]
    pub fn total(self) -> u8 {
        self.total
    }

    /// Number of this part, from 1.
    #[must_use]
    pub fn sequence(self) -> u8 {
        self.sequence
    }
}

/// User data of a short message: header and payload are at most [`MAX_USER_DATA`] octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData {
    ports: Option<Ports>,
    part: Option<Part>,
    payload: Vec<u8>,
}

impl UserData {
    /// `None` when it is too long.
    #[must_use]
    pub fn new(ports: Option<Ports>, part: Option<Part>, payload: Vec<u8>) -> Option<Self> {
        let data = Self { ports, part, payload };
        (data.header().len() + data.payload.len() <= MAX_USER_DATA).then_some(data)
    }

    /// Ports, if it has any.
    #[must_use]
    pub fn ports(&self) -> Option<Ports> {
        self.ports
    }

    /// Place in a message of several parts, if it is one.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        self.part
    }

    /// What it carries.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What it carries.
    #[must_use]
    pub fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    /// Whether there is a header.
    pub(super) fn has_header(&self) -> bool {
        self.ports.is_some() || self.part.is_some()
    }

    /// UDHL and the elements after it, which gateways take beside the payload; nothing when there are none.
    #[must_use]
    pub fn header(&self) -> Vec<u8> {
        let mut elements = Vec::new();
        if let Some(Ports { destination, source }) = self.ports {
            elements.extend([PORTS, 4]);
            elements.extend(destination.to_be_bytes());
            elements.extend(source.to_be_bytes());
        }
        if let Some(Part { reference, total, sequence }) = self.part {
            match reference {
                Reference::Short(reference) => elements.extend([PARTS_SHORT, 3, reference]),
                Reference::Long(reference) => {
                    elements.extend([PARTS_LONG, 4]);
                    elements.extend(reference.to_be_bytes());
                }
            }
            elements.extend([total, sequence]);
        }
        if let Ok(length @ 1..) = u8::try_from(elements.len()) {
            elements.insert(0, length);
        }
        elements
    }

    /// Reads TP-UDL and what follows to the end of the message.
    pub(super) fn read(reader: &mut Reader<'_>, with_header: bool) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let length = usize::from(reader.byte("TP-UDL")?);
        if length > MAX_USER_DATA {
            return Err(start.error("TP-UDL", Problem::TooLarge { limit: MAX_USER_DATA }));
        }
        let mut data = reader.fence(length, "TP-UD")?;
        let mut found = Self { ports: None, part: None, payload: Vec::new() };
        if with_header {
            let length = data.byte(HEADER_LENGTH)?;
            let mut elements = data.fence(length.into(), HEADER_LENGTH)?;
            while elements.peek().is_some() {
                found.read_element(&mut elements)?;
            }
        }
        found.payload = data.rest().to_vec();
        Ok(found)
    }

    /// The last of several elements of one kind counts; a part that cannot be one of its message is none (§9.2.3.24.1).
    fn read_element(&mut self, elements: &mut Reader<'_>) -> Result<(), DecodeError> {
        let start = elements.clone();
        let kind = elements.byte(ELEMENT)?;
        let length = elements.byte("IEDL")?;
        let data = elements.take(length.into(), ELEMENT)?;
        match (kind, data) {
            (PORTS, [to_high, to_low, from_high, from_low]) => {
                let port = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
                self.ports =
                    Some(Ports { destination: port(to_high, to_low), source: port(from_high, from_low) });
            }
            (PORTS_SHORT, [to, from]) => {
                self.ports = Some(Ports { destination: (*to).into(), source: (*from).into() });
            }
            (PARTS_SHORT, [reference, total, sequence]) => {
                self.part = Part::new(Reference::Short(*reference), *total, *sequence);
            }
            (PARTS_LONG, [high, low, total, sequence]) => {
                let reference = Reference::Long(u16::from_be_bytes([*high, *low]));
                self.part = Part::new(reference, *total, *sequence);
            }
            (PORTS | PORTS_SHORT | PARTS_SHORT | PARTS_LONG, _) => {
                let problem = Problem::Schema("ports or part of another length than theirs".into());
                return Err(start.error(ELEMENT, problem));
            }
            _ => {}
        }
        Ok(())
    }
}
