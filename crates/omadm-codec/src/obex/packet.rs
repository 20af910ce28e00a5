//! Requests and responses (`IrOBEX 1.3 §3.2, §3.3`).

use std::fmt;

use super::header::{Header, HeaderId};
use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

/// Octets of code and length.
const HEAD: usize = 3;
/// Version 1.0 of OBEX, as Connect says it.
const VERSION: u8 = 0x10;
const FINAL: u8 = 0x80;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Opcode {
    Connect,
    Disconnect,
    Put,
    Get,
    SetPath,
    Abort,
}

impl Opcode {
    const ALL: [(Self, u8); 6] = [
        (Self::Connect, 0x80),
        (Self::Disconnect, 0x81),
        (Self::Put, 0x02),
        (Self::Get, 0x03),
        (Self::SetPath, 0x85),
        (Self::Abort, 0xff),
    ];

    fn code(self) -> u8 {
        Self::ALL.iter().find(|(opcode, _)| *opcode == self).map_or(FINAL, |(_, code)| *code)
    }

    /// The opcode that an octet is, and whether it is final; `None` for one that OBEX does not have.
    #[must_use]
    pub fn of(octet: u8) -> Option<(Self, bool)> {
        let exact = Self::ALL.iter().find(|(_, code)| *code == octet);
        let (opcode, _) = exact.or_else(|| Self::ALL.iter().find(|(_, code)| code | FINAL == octet))?;
        Some((*opcode, octet & FINAL != 0))
    }
}

/// Code of a response, without its final bit, which is always set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseCode(pub u8);

impl ResponseCode {
    /// Continue.
    pub const CONTINUE: Self = Self(0x10);
    /// OK, Success.
    pub const SUCCESS: Self = Self(0x20);
    /// Bad Request.
    pub const BAD_REQUEST: Self = Self(0x40);
    /// Unauthorized.
    pub const UNAUTHORIZED: Self = Self(0x41);
    /// Forbidden.
    pub const FORBIDDEN: Self = Self(0x43);
    /// Not Found.
    pub const NOT_FOUND: Self = Self(0x44);
    /// Method Not Allowed.
    pub const METHOD_NOT_ALLOWED: Self = Self(0x45);
    /// Not Acceptable.
    pub const NOT_ACCEPTABLE: Self = Self(0x46);
    /// Request Timeout.
    pub const REQUEST_TIMEOUT: Self = Self(0x48);
    /// Length Required.
    pub const LENGTH_REQUIRED: Self = Self(0x4b);
    /// Requested Entity Too Large.
    pub const TOO_LARGE: Self = Self(0x4d);
    /// Unsupported Media Type.
    pub const UNSUPPORTED_MEDIA_TYPE: Self = Self(0x4f);
    /// Internal Server Error.
    pub const INTERNAL_ERROR: Self = Self(0x50);
    /// Not Implemented.
    pub const NOT_IMPLEMENTED: Self = Self(0x51);
    /// Service Unavailable.
    pub const SERVICE_UNAVAILABLE: Self = Self(0x53);

    /// The code for a status of HTTP, from which those of OBEX are made; the first one of its class where OBEX has no such code.
    #[must_use]
    pub fn of_http(status: u16) -> Self {
        let (class, rest) = (status / 100, status % 100);
        let class = match class {
            2..=5 => class,
            _ => 5,
        };
        let code = (class << 4) | if rest < 0x10 { rest } else { 0 };
        u8::try_from(code).map_or(Self::INTERNAL_ERROR, Self)
    }

    /// The status of HTTP that it is made from; `None` for one that is of OBEX alone.
    #[must_use]
    pub fn to_http(self) -> Option<u16> {
        let (class, rest) = (u16::from(self.0 >> 4), u16::from(self.0 & 0x0f));
        (2..=5).contains(&class).then(|| class * 100 + rest)
    }

    /// What it means, in the words of the standard; `response` for one that the binding does not use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CONTINUE => "Continue",
            Self::SUCCESS => "Success",
            Self::BAD_REQUEST => "Bad Request",
            Self::UNAUTHORIZED => "Unauthorized",
            Self::FORBIDDEN => "Forbidden",
            Self::NOT_FOUND => "Not Found",
            Self::METHOD_NOT_ALLOWED => "Method Not Allowed",
            Self::NOT_ACCEPTABLE => "Not Acceptable",
            Self::REQUEST_TIMEOUT => "Request Timeout",
            Self::LENGTH_REQUIRED => "Length Required",
            Self::TOO_LARGE => "Requested Entity Too Large",
            Self::UNSUPPORTED_MEDIA_TYPE => "Unsupported Media Type",
            Self::INTERNAL_ERROR => "Internal Server Error",
            Self::NOT_IMPLEMENTED => "Not Implemented",
            Self::SERVICE_UNAVAILABLE => "Service Unavailable",
            Self(_) => "response",
        }
    }
}

impl fmt::Display for ResponseCode {
    /// As it is on the wire, with the final bit: `0xC4 Not Found`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X} {}", self.0 | FINAL, self.name())
    }
}

/// Fields that only Connect and its response have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectFields {
    /// The largest packet that the sender takes, in octets; at least 255.
    pub max_packet: u16,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What it wants.
    pub opcode: Opcode,
    /// Whether it is the last packet of its kind: the other side may answer for good.
    pub is_final: bool,
    /// Of Connect alone.
    pub connect: Option<ConnectFields>,
    /// Headers, in order.
    pub headers: Vec<Header<'a>>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// What came of it.
    pub code: ResponseCode,
    /// Of the response to Connect alone.
    pub connect: Option<ConnectFields>,
    /// Headers, in order.
    pub headers: Vec<Header<'a>>,
}

/// What both kinds of packets have.
pub trait Packet<'a> {
    /// Headers, in order.
    fn headers(&self) -> &[Header<'a>];

    /// The octets of the first header with this identifier.
    fn octets(&self, id: HeaderId) -> Option<&'a [u8]> {
        self.headers().iter().find_map(|header| match header {
            Header::Octets(at, value) if *at == id => Some(*value),
            _ => None,
        })
    }

    /// The number of the first header with this identifier.
    fn number(&self, id: HeaderId) -> Option<u32> {
        self.headers().iter().find_map(|header| match header {
            Header::Number(at, value) if *at == id => Some(*value),
            _ => None,
        })
    }
}

impl<'a> Packet<'a> for Request<'a> {
    fn headers(&self) -> &[Header<'a>] {
        &self.headers
    }
}

impl<'a> Packet<'a> for Response<'a> {
    fn headers(&self) -> &[Header<'a>] {
        &self.headers
    }
}

/// How many octets the packet that begins here has in all; `None` as long as its head has not come.
///
/// # Errors
/// If it says less than its own head has.
pub fn length_of(input: &[u8]) -> Result<Option<usize>, DecodeError> {
    let Some([_, high, low]) = input.first_chunk::<HEAD>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length < HEAD {
        return Err(DecodeError {
            at: 1,
            field: "packet length",
            problem: Problem::Schema("below 3, its own head".into()),
        });
    }
    Ok(Some(length))
}

impl<'a> Request<'a> {
    /// The octets of the request; `None` if they are more than a packet can have.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let last = if self.is_final { FINAL } else { 0 };
        let fields: &[u8] = if self.opcode == Opcode::SetPath { &[0, 0] } else { &[] };
        encode(self.opcode.code() | last, self.connect, fields, &self.headers)
    }

    /// Reads a whole packet.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let (code, mut reader) = open(input, limits)?;
        let Some((opcode, is_final)) = Opcode::of(code) else {
            return Err(DecodeError {
                at: 0,
                field: "opcode",
                problem: Problem::Schema("none of OBEX".into()),
            });
        };
        if opcode == Opcode::SetPath {
            reader.array::<2>("SetPath")?;
        }
        let connect = (opcode == Opcode::Connect).then(|| connect_fields(&mut reader)).transpose()?;
        Ok(Self { opcode, is_final, connect, headers: Header::decode_all(&mut reader, limits)? })
    }
}

impl<'a> Response<'a> {
    /// The octets of the response; `None` if they are more than a packet can have.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        encode(self.code.0 | FINAL, self.connect, &[], &self.headers)
    }

    /// Reads a whole packet; `to_connect` says whether it answers Connect.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &'a [u8], to_connect: bool, limits: &Limits) -> Result<Self, DecodeError> {
        let (code, mut reader) = open(input, limits)?;
        if code & FINAL == 0 {
            return Err(DecodeError {
                at: 0,
                field: "response code",
                problem: Problem::Schema("without the final bit".into()),
            });
        }
        let connect = to_connect.then(|| connect_fields(&mut reader)).transpose()?;
        let code = ResponseCode(code & !FINAL);
        Ok(Self { code, connect, headers: Header::decode_all(&mut reader, limits)? })
    }
}

/// A packet; `fields` stand between its length and its headers.
fn encode(
    code: u8,
    connect: Option<ConnectFields>,
    fields: &[u8],
    headers: &[Header<'_>],
) -> Option<Vec<u8>> {
    let of_connect = if connect.is_some() { 4 } else { 0 };
    let length = headers.iter().map(Header::wire_length).sum::<usize>() + HEAD + of_connect + fields.len();
    let mut out = Vec::with_capacity(length);
    out.push(code);
    out.extend(u16::try_from(length).ok()?.to_be_bytes());
    if let Some(ConnectFields { max_packet }) = connect {
        out.extend([VERSION, 0]);
        out.extend(max_packet.to_be_bytes());
    }
    out.extend(fields);
    headers.iter().for_each(|header| header.encode(&mut out));
    Some(out)
}

/// The code, and what comes after the length.
fn open<'a>(input: &'a [u8], limits: &Limits) -> Result<(u8, Reader<'a>), DecodeError> {
    let mut reader = Reader::new(input, limits)?;
    let code = reader.byte("opcode")?;
    let start = reader.clone();
    let length = reader.u16("packet length")?;
    if usize::from(length) != input.len() {
        let problem = if usize::from(length) > input.len() { Problem::Short } else { Problem::Trailing };
        return Err(start.error("packet length", problem));
    }
    Ok((code, reader))
}

fn connect_fields(reader: &mut Reader<'_>) -> Result<ConnectFields, DecodeError> {
    reader.array::<2>("Connect")?;
    let start = reader.clone();
    let max_packet = reader.u16("maximum packet length")?;
    if max_packet < super::MIN_PACKET {
        return Err(start.error("maximum packet length", Problem::Schema("below 255".into())));
    }
    Ok(ConnectFields { max_packet })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::TARGET_DM;
    use super::*;

    const LIMITS: Limits = Limits { bytes: 0xffff, depth: 1, items: 64 };

    #[test]
    fn connect_and_its_response_are_as_the_binding_has_them() {
        let request = Request {
            opcode: Opcode::Connect,
            is_final: true,
            connect: Some(ConnectFields { max_packet: 0x2000 }),
            headers: vec![Header::Octets(HeaderId::TARGET, TARGET_DM)],
        };
        let octets = b"\x80\x00\x13\x10\x00\x20\x00\x46\x00\x0cSYNCML-DM";
        assert_eq!(request.encode().unwrap(), octets);
        assert_eq!(Request::decode(octets, &LIMITS).unwrap(), request);
        let response = Response {
            code: ResponseCode::SUCCESS,
            connect: Some(ConnectFields { max_packet: 0x2000 }),
            headers: vec![
                Header::Number(HeaderId::CONNECTION_ID, 1),
                Header::Octets(HeaderId::WHO, TARGET_DM),
            ],
        };
        let octets = b"\xa0\x00\x18\x10\x00\x20\x00\xcb\x00\x00\x00\x01\x4a\x00\x0cSYNCML-DM";
        assert_eq!(response.encode().unwrap(), octets);
        let read = Response::decode(octets, true, &LIMITS).unwrap();
        assert_eq!(read.number(HeaderId::CONNECTION_ID), Some(1));
        assert_eq!(read.octets(HeaderId::WHO), Some(TARGET_DM));
        assert_eq!(read, response);
    }

    #[test]
    fn codes_are_those_of_http() {
        for (status, code) in [
            (200, ResponseCode::SUCCESS),
            (401, ResponseCode::UNAUTHORIZED),
            (413, ResponseCode::TOO_LARGE),
            (415, ResponseCode::UNSUPPORTED_MEDIA_TYPE),
            (503, ResponseCode::SERVICE_UNAVAILABLE),
        ] {
            assert_eq!(ResponseCode::of_http(status), code);
            assert_eq!(code.to_http(), Some(status));
        }
        assert_eq!(ResponseCode::of_http(429), ResponseCode::BAD_REQUEST, "the first of its class");
        assert_eq!(ResponseCode::of_http(0), ResponseCode::INTERNAL_ERROR);
        assert_eq!(ResponseCode::CONTINUE.to_http(), None);
        assert_eq!(ResponseCode::TOO_LARGE.to_string(), "0xCD Requested Entity Too Large");
    }

    #[test]
    fn put_is_final_or_not() {
        for (code, is_final) in [(0x02, false), (0x82, true)] {
            let octets = [code, 0, 7, 0x48, 0, 4, 9];
            let request = Request::decode(&octets, &LIMITS).unwrap();
            assert_eq!((request.opcode, request.is_final), (Opcode::Put, is_final));
            assert_eq!(request.octets(HeaderId::BODY), Some(&[9][..]));
            assert_eq!(request.encode().unwrap(), octets);
        }
    }

    #[test]
    fn lengths_that_lie_are_named() {
        fn field(octets: &[u8]) -> Result<(), (&'static str, usize)> {
            Request::decode(octets, &LIMITS).map(|_| ()).map_err(|error| (error.field, error.at))
        }
        assert_eq!(field(&[0x82, 0, 4]).unwrap_err(), ("packet length", 1));
        assert_eq!(field(&[0x82, 0, 3, 1]).unwrap_err(), ("packet length", 1));
        assert_eq!(field(&[0x82, 0, 6, 0x48, 0, 2]).unwrap_err(), ("Body", 4));
        assert_eq!(field(&[0x82, 0, 6, 0x48, 0, 4]).unwrap_err(), ("Body", 6));
        assert_eq!(field(&[0x84, 0, 3]).unwrap_err(), ("opcode", 0));
        assert_eq!(field(&[0x80, 0, 7, 0x10, 0, 0, 254]).unwrap_err(), ("maximum packet length", 5));
        assert!(field(&[0x80, 0, 7, 0x10, 0, 0, 255]).is_ok());
        assert!(length_of(&[0x82, 0, 2]).is_err());
        assert_eq!(length_of(&[0x82, 0]).unwrap(), None);
        assert_eq!(length_of(&[0x82, 1, 2]).unwrap(), Some(0x102));
    }

    #[test]
    fn headers_are_counted() {
        let octets = |count: usize| {
            let headers = vec![Header::Octet(HeaderId(0x97), 0); count];
            let request = Request { opcode: Opcode::Get, is_final: true, connect: None, headers };
            request.encode().unwrap()
        };
        assert!(Request::decode(&octets(64), &LIMITS).is_ok());
        let error = Request::decode(&octets(65), &LIMITS).unwrap_err();
        assert_eq!(error.problem, Problem::TooMany { limit: 64 });
    }

    #[test]
    fn what_fills_a_packet_is_the_most() {
        let body = vec![0; 0xffff - 6];
        let put = |body| Request {
            opcode: Opcode::Put,
            is_final: true,
            connect: None,
            headers: vec![Header::Octets(HeaderId::END_OF_BODY, body)],
        };
        assert_eq!(put(&body).encode().unwrap().len(), 0xffff);
        let body = vec![0; 0xffff - 5];
        assert_eq!(put(&body).encode(), None);
    }

    proptest! {
        #[test]
        fn no_input_panics(input: Vec<u8>, to_connect: bool) {
            let _ = Request::decode(&input, &LIMITS);
            let _ = Response::decode(&input, to_connect, &LIMITS);
        }

        #[test]
        fn what_was_sent_is_read(id in 0x40_u8..0x80, value: Vec<u8>, number: u32, octet: u8) {
            let headers = vec![
                Header::Number(HeaderId(0xcb), number), Header::Octets(HeaderId(id), &value), Header::Octet(HeaderId(0x90), octet),
            ];
            let sent = Request { opcode: Opcode::Get, is_final: true, connect: None, headers };
            let octets = sent.encode().unwrap();
            prop_assert_eq!(Request::decode(&octets, &LIMITS).unwrap(), sent);
        }
    }
}
