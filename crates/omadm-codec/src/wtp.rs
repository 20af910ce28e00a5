//! PDUs of the Wireless Transaction Protocol, class 2 (`WAP-224 §8`), which carry WSP methods to a gateway.
//!
//! Here: PDUs as octets and values.
//! Never here: transactions, timers, and the reassembly of segments.

use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

/// The bit of a TID that says who made the transaction: set in what the responder sends.
pub const FROM_RESPONDER: u16 = 0x8000;

/// First octet of a datagram with several PDUs.
const CONCATENATED: u8 = 0;
/// What a length of two octets has set.
const LONG_LENGTH: u8 = 0x80;
const CONTINUE: u8 = 0x80;
const TYPE_SHIFT: u32 = 3;
const GROUP_TRAILER: u8 = 0x04;
const TRANSMISSION_TRAILER: u8 = 0x02;
const RETRANSMITTED: u8 = 0x01;
/// Bit of Ack where Invoke and Result have their trailer: TID verification.
const TID_VERIFICATION: u8 = 0x04;
const VERSION_SHIFT: u32 = 6;
const TID_NEW: u8 = 0x20;
const USER_ACK: u8 = 0x10;
const CLASS: u8 = 0x03;

/// Why a transaction is aborted by the provider (`WAP-224 §9.4.1`); a user's reasons are those of WSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderReason(pub u8);

impl ProviderReason {
    /// UNKNOWN.
    pub const UNKNOWN: Self = Self(0);
    /// PROTOERR: a PDU that makes no sense.
    pub const PROTOCOL_ERROR: Self = Self(1);
    /// INVALIDTID: the TID verification said no.
    pub const INVALID_TID: Self = Self(2);
    /// NOTIMPLEMENTEDCL2.
    pub const NO_CLASS_2: Self = Self(3);
    /// NOTIMPLEMENTEDSAR.
    pub const NO_SEGMENTS: Self = Self(4);
    /// WTPVERSIONONE: only version 0 is spoken.
    pub const VERSION: Self = Self(6);
    /// CAPTEMPEXCEEDED.
    pub const CAPACITY: Self = Self(7);
    /// NORESPONSE.
    pub const NO_RESPONSE: Self = Self(8);
    /// MESSAGETOOLARGE.
    pub const TOO_LARGE: Self = Self(9);
}

/// Where a packet stands in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trailer {
    /// More of the group follow.
    Middle,
    /// The last of the message.
    LastOfMessage,
    /// The last of its group, not of the message.
    LastOfGroup,
    /// The sender has no segmentation: it is all there is.
    Unsegmented,
}

impl Trailer {
    fn bits(self) -> u8 {
        match self {
            Self::Middle => 0,
            Self::LastOfMessage => TRANSMISSION_TRAILER,
            Self::LastOfGroup => GROUP_TRAILER,
            Self::Unsegmented => GROUP_TRAILER | TRANSMISSION_TRAILER,
        }
    }

    fn of(octet: u8) -> Self {
        match (octet & GROUP_TRAILER != 0, octet & TRANSMISSION_TRAILER != 0) {
            (false, false) => Self::Middle,
            (false, true) => Self::LastOfMessage,
            (true, false) => Self::LastOfGroup,
            (true, true) => Self::Unsegmented,
        }
    }

    /// Whether nothing of the message follows.
    #[must_use]
    pub fn is_last(self) -> bool {
        matches!(self, Self::LastOfMessage | Self::Unsegmented)
    }
}

/// A PDU. What a TID is for is said by the side that made the transaction; see [`FROM_RESPONDER`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// TID.
    pub tid: u16,
    /// Whether it was sent before (RID).
    pub is_repeated: bool,
    /// The rest.
    pub kind: Kind<'a>,
}

/// Kinds of PDUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Invoke: begins a transaction.
    Invoke {
        /// Where it stands in its message.
        trailer: Trailer,
        /// TIDnew: the TID counter of the sender was wrapped around.
        tid_new: bool,
        /// U/P: the user acknowledges, not the provider.
        user_ack: bool,
        /// TCL: class of the transaction, 0 to 2.
        class: u8,
        /// Data.
        data: &'a [u8],
    },
    /// Result: what an invocation led to.
    Result {
        /// Where it stands in its message.
        trailer: Trailer,
        /// Data.
        data: &'a [u8],
    },
    /// Ack.
    Ack {
        /// Tve or Tok: it asks whether the TID is right, or says that it is.
        tid_verification: bool,
        /// The packet up to which it acknowledges, where there are segments.
        up_to: Option<u8>,
    },
    /// Abort by the provider.
    ProviderAbort(ProviderReason),
    /// Abort by the user, with a reason of WSP.
    UserAbort(u8),
    /// A later packet of an invocation.
    SegmentedInvoke {
        /// Where it stands in its message.
        trailer: Trailer,
        /// PSN: its number; Invoke is number 0.
        number: u8,
        /// Data.
        data: &'a [u8],
    },
    /// A later packet of a result.
    SegmentedResult {
        /// Where it stands in its message.
        trailer: Trailer,
        /// PSN: its number; Result is number 0.
        number: u8,
        /// Data.
        data: &'a [u8],
    },
    /// Nack: packets of a group that did not come; none means all.
    Nack(&'a [u8]),
}

impl<'a> Pdu<'a> {
    /// Appends the PDU. Of more than 255 missing packets the first 255 are named.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let rid = if self.is_repeated { RETRANSMITTED } else { 0 };
        let tid = self.tid.to_be_bytes();
        let mut head = |kind: u8, bits: u8| {
            out.push(kind << TYPE_SHIFT | bits | rid);
            out.extend(tid);
        };
        match &self.kind {
            Kind::Invoke { trailer, tid_new, user_ack, class, data } => {
                head(1, trailer.bits());
                let flag = |set: bool, bit: u8| if set { bit } else { 0 };
                out.push(flag(*tid_new, TID_NEW) | flag(*user_ack, USER_ACK) | class & CLASS);
                out.extend(*data);
            }
            Kind::Result { trailer, data } => {
                head(2, trailer.bits());
                out.extend(*data);
            }
            Kind::Ack { tid_verification, up_to } => {
                let bits = if *tid_verification { TID_VERIFICATION } else { 0 };
                head(3, bits | if up_to.is_some() { CONTINUE } else { 0 });
                // A variable part: item 3, Packet Sequence Number, one octet long.
                out.extend(up_to.iter().flat_map(|number| [3 << TYPE_SHIFT | 1, *number]));
            }
            Kind::ProviderAbort(reason) => {
                head(4, 0);
                out.push(reason.0);
            }
            Kind::UserAbort(reason) => {
                // The lowest three bits are the type of the abort.
                out.push(4 << TYPE_SHIFT | 1);
                out.extend(tid);
                out.push(*reason);
            }
            Kind::SegmentedInvoke { trailer, number, data } => {
                head(5, trailer.bits());
                out.push(*number);
                out.extend(*data);
            }
            Kind::SegmentedResult { trailer, number, data } => {
                head(6, trailer.bits());
                out.push(*number);
                out.extend(*data);
            }
            Kind::Nack(missing) => {
                head(7, 0);
                let missing = missing.get(..usize::from(u8::MAX)).unwrap_or(missing);
                out.push(u8::try_from(missing.len()).unwrap_or(u8::MAX));
                out.extend(missing);
            }
        }
    }

    /// Reads a PDU. Items of a variable part that are not known are passed over.
    ///
    /// # Errors
    /// With byte offset and field; another version of WTP than 0 is one.
    pub fn decode(input: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        let first = reader.byte("PDU type")?;
        let tid = reader.u16("TID")?;
        let kind = Kind::decode(first, &mut reader)?;
        let is_abort = matches!(kind, Kind::ProviderAbort(_) | Kind::UserAbort(_));
        Ok(Self { tid, is_repeated: !is_abort && first & RETRANSMITTED != 0, kind })
    }
}

/// The PDUs of a datagram: one, or several with their lengths before them (`WAP-224 §8.5`, concatenation).
///
/// # Errors
/// With byte offset and field; [`Limits::items`] bounds their number.
pub fn datagram<'a>(input: &'a [u8], limits: &Limits) -> Result<Vec<Pdu<'a>>, DecodeError> {
    const FIELD: &str = "PDU length";
    let mut reader = Reader::new(input, limits)?;
    if reader.peek() != Some(CONCATENATED) {
        return Pdu::decode(input, limits).map(|pdu| vec![pdu]);
    }
    reader.byte(FIELD)?;
    let mut pdus = Vec::new();
    while reader.peek().is_some() {
        if pdus.len() >= limits.items {
            return Err(reader.error(FIELD, Problem::TooMany { limit: limits.items }));
        }
        let first = reader.byte(FIELD)?;
        let length = match first & LONG_LENGTH {
            0 => first.into(),
            _ => u16::from_be_bytes([first & !LONG_LENGTH, reader.byte(FIELD)?]),
        };
        let at = reader.at();
        let pdu = Pdu::decode(reader.take(length.into(), FIELD)?, limits);
        pdus.push(pdu.map_err(|error| DecodeError { at: at.saturating_add(error.at), ..error })?);
    }
    Ok(pdus)
}

impl<'a> Kind<'a> {
    /// What comes after the TID.
    fn decode(first: u8, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const NUMBER: &str = "Packet Sequence Number";
        let trailer = Trailer::of(first);
        let variable =
            |reader: &mut Reader<'a>| if first & CONTINUE == 0 { Ok(None) } else { variable_part(reader) };
        let data = |reader: &mut Reader<'a>| variable(reader).map(|_| reader.rest());
        Ok(match first >> TYPE_SHIFT & 0x0f {
            1 => {
                let start = reader.clone();
                let octet = reader.byte("WTP version")?;
                if octet >> VERSION_SHIFT != 0 {
                    return Err(start.error("WTP version", Problem::Schema("not 0".into())));
                }
                Self::Invoke {
                    trailer,
                    tid_new: octet & TID_NEW != 0,
                    user_ack: octet & USER_ACK != 0,
                    class: octet & CLASS,
                    data: data(reader)?,
                }
            }
            2 => Self::Result { trailer, data: data(reader)? },
            3 => Self::Ack { tid_verification: first & TID_VERIFICATION != 0, up_to: variable(reader)? },
            4 if first & 7 == 0 => Self::ProviderAbort(ProviderReason(reader.byte("Abort reason")?)),
            4 => Self::UserAbort(reader.byte("Abort reason")?),
            5 => Self::SegmentedInvoke { trailer, number: reader.byte(NUMBER)?, data: data(reader)? },
            6 => Self::SegmentedResult { trailer, number: reader.byte(NUMBER)?, data: data(reader)? },
            7 => {
                let count = reader.byte("Num Missing Packets")?;
                Self::Nack(reader.take(count.into(), NUMBER)?)
            }
            _ => {
                let problem = Problem::Schema("not 1 to 7".into());
                return Err(DecodeError { at: 0, field: "PDU type", problem });
            }
        })
    }
}

/// Passes over the items of a variable part; gives the packet that an Ack names there.
fn variable_part(reader: &mut Reader<'_>) -> Result<Option<u8>, DecodeError> {
    const FIELD: &str = "TPI";
    let mut number = None;
    loop {
        let head = reader.byte(FIELD)?;
        // A long item has its length in an octet of its own.
        let length = if head & 0x04 != 0 { reader.byte(FIELD)? } else { head & 0x03 };
        let value = reader.take(length.into(), FIELD)?;
        if let (3, [packet]) = (head >> TYPE_SHIFT & 0x0f, value) {
            number = Some(*packet);
        }
        if head & CONTINUE == 0 {
            return Ok(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn octets(pdu: &Pdu<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        pdu.encode(&mut out);
        out
    }

    fn decode(input: &[u8]) -> Result<Pdu<'_>, DecodeError> {
        Pdu::decode(input, &Limits::default())
    }

    fn invoke(trailer: Trailer) -> Pdu<'static> {
        let kind = Kind::Invoke { trailer, tid_new: false, user_ack: true, class: 2, data: b"x" };
        Pdu { tid: 0x0102, is_repeated: false, kind }
    }

    #[test]
    fn every_kind_has_its_octets() {
        let cases = [
            (invoke(Trailer::LastOfMessage), vec![0x0a, 1, 2, 0x12, b'x']),
            (invoke(Trailer::Unsegmented), vec![0x0e, 1, 2, 0x12, b'x']),
            (Pdu { is_repeated: true, ..invoke(Trailer::LastOfGroup) }, vec![0x0d, 1, 2, 0x12, b'x']),
        ];
        let of = |kind| Pdu { tid: 0x8102, is_repeated: false, kind };
        let last = Trailer::LastOfMessage;
        let rest = [
            (of(Kind::Result { trailer: last, data: b"y" }), vec![0x12, 0x81, 2, b'y']),
            (of(Kind::Ack { tid_verification: false, up_to: None }), vec![0x18, 0x81, 2]),
            (of(Kind::Ack { tid_verification: true, up_to: Some(4) }), vec![0x9c, 0x81, 2, 0x19, 4]),
            (of(Kind::ProviderAbort(ProviderReason::NO_RESPONSE)), vec![0x20, 0x81, 2, 8]),
            (of(Kind::UserAbort(0xe8)), vec![0x21, 0x81, 2, 0xe8]),
            (
                of(Kind::SegmentedInvoke { trailer: Trailer::Middle, number: 1, data: b"z" }),
                vec![0x28, 0x81, 2, 1, b'z'],
            ),
            (of(Kind::SegmentedResult { trailer: last, number: 3, data: b"" }), vec![0x32, 0x81, 2, 3]),
            (of(Kind::Nack(&[1, 3])), vec![0x38, 0x81, 2, 2, 1, 3]),
        ];
        for (pdu, wanted) in cases.into_iter().chain(rest) {
            assert_eq!(octets(&pdu), wanted, "{pdu:?}");
            assert_eq!(decode(&wanted).unwrap(), pdu);
        }
    }

    #[test]
    fn a_datagram_has_one_pdu_or_several_with_their_lengths() {
        let read = |octets: &[u8]| {
            datagram(octets, &Limits { items: 2, ..Limits::default() })
                .map(|pdus| pdus.iter().map(|pdu| pdu.tid).collect::<Vec<_>>())
        };
        assert_eq!(read(&[0x18, 0x81, 2]), Ok(vec![0x8102]));
        let several = [0, 3, 0x18, 0x81, 2, 0x80, 4, 0x20, 0x81, 3, 8];
        assert_eq!(read(&several), Ok(vec![0x8102, 0x8103]));
        let error = |octets: &[u8]| read(octets).map_err(|error| (error.field, error.at));
        assert_eq!(error(&[0, 3, 0x18, 0x81]), Err(("PDU length", 2)));
        assert_eq!(
            error(&[0, 3, 0x18, 0x81, 2, 2, 0x18, 0x81]),
            Err(("TID", 7)),
            "from the start of the whole"
        );
        assert_eq!(error(&[&several[..], &several[1..]].concat()), Err(("PDU length", 11)));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let field = |octets: &[u8]| decode(octets).map(|_| ()).map_err(|error| (error.field, error.at));
        assert_eq!(field(&[]), Err(("PDU type", 0)));
        assert_eq!(field(&[0x0a, 1]), Err(("TID", 1)));
        assert_eq!(field(&[0x0a, 1, 2]), Err(("WTP version", 3)));
        assert_eq!(field(&[0x0a, 1, 2, 0x52]), Err(("WTP version", 3)));
        assert_eq!(field(&[0x00, 1, 2]), Err(("PDU type", 0)));
        assert_eq!(field(&[0x40, 1, 2]), Err(("PDU type", 0)));
        assert_eq!(field(&[0x38, 1, 2, 3, 1]), Err(("Packet Sequence Number", 4)));
        assert_eq!(field(&[0x9c, 1, 2, 0x1c, 200, 1]), Err(("TPI", 5)));
    }

    proptest! {
        #[test]
        fn no_input_panics(input: Vec<u8>) {
            let _ = decode(&input);
            let _ = datagram(&input, &Limits::default());
        }
    }
}
