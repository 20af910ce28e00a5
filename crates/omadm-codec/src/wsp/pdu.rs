//! PDUs of methods and sessions (`WAP-230 §8.2`), as WTP carries them; without a connection an octet with the TID stands before.

use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

use super::capability::Capability;
use super::field::{self, Header, Media, Text};
use super::status::Status;

const CONNECT: u8 = 0x01;
const CONNECT_REPLY: u8 = 0x02;
const REDIRECT: u8 = 0x03;
const REPLY: u8 = 0x04;
const DISCONNECT: u8 = 0x05;
const PUSH: u8 = 0x06;
const CONFIRMED_PUSH: u8 = 0x07;
const SUSPEND: u8 = 0x08;
const RESUME: u8 = 0x09;
/// Version 1.0, the only one there is.
const VERSION: u8 = 0x10;
const PERMANENT: u8 = 0x80;
const REUSE_SECURITY: u8 = 0x40;
const BEARER_INCLUDED: u8 = 0x80;
const PORT_INCLUDED: u8 = 0x40;
const ADDRESS_LENGTH: u8 = 0x3f;
const HEADERS: &str = "headers";
const HEADERS_LENGTH: &str = "HeadersLen";

/// A method of HTTP by its code: 0x40 to 0x4f have no body, 0x60 to 0x6f have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method(u8);

impl Method {
    /// GET.
    pub const GET: Self = Self(0x40);
    /// POST.
    pub const POST: Self = Self(0x60);
    /// PUT.
    pub const PUT: Self = Self(0x61);

    /// `None` for a code that is none of a method.
    #[must_use]
    pub fn new(code: u8) -> Option<Self> {
        matches!(code, 0x40..=0x4f | 0x60..=0x6f).then_some(Self(code))
    }

    /// The code.
    #[must_use]
    pub fn code(self) -> u8 {
        self.0
    }

    /// Whether it has a body.
    #[must_use]
    pub fn has_body(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Its name; `None` for a code that is left to sessions.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x40 => "GET",
            0x41 => "OPTIONS",
            0x42 => "HEAD",
            0x43 => "DELETE",
            0x44 => "TRACE",
            0x60 => "POST",
            0x61 => "PUT",
            _ => return None,
        })
    }
}

/// What a message holds beside its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content<'a> {
    /// `Content-Type`.
    pub media: Media,
    /// The other headers of the default code page, in their order.
    pub headers: Vec<Header>,
    /// Data.
    pub body: &'a [u8],
}

/// An address of another gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayAddress<'a> {
    /// The bearer by its WDP number, if it is another one.
    pub bearer: Option<u8>,
    /// The port, if it is another one.
    pub port: Option<u16>,
    /// The address, as the bearer writes it: 4 octets for IPv4. 63 octets at most.
    pub address: &'a [u8],
}

/// A PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pdu<'a> {
    /// Connect: the client wants a session.
    Connect {
        /// What the client proposes.
        capabilities: Vec<Capability>,
        /// Headers that hold for the whole session.
        headers: Vec<Header>,
    },
    /// ConnectReply: there is one.
    ConnectReply {
        /// Its identifier.
        session: u32,
        /// What was agreed on.
        capabilities: Vec<Capability>,
        /// Headers.
        headers: Vec<Header>,
    },
    /// Redirect: the session is to be had elsewhere.
    Redirect {
        /// From now on.
        permanent: bool,
        /// With the security association of this address.
        reuse_security: bool,
        /// Where.
        addresses: Vec<GatewayAddress<'a>>,
    },
    /// Reply: what a method led to.
    Reply {
        /// Status.
        status: Status,
        /// What is in it; some gateways send nothing at all beside an error.
        content: Option<Content<'a>>,
    },
    /// Disconnect: the session is over.
    Disconnect {
        /// Its identifier.
        session: u32,
    },
    /// Push, in a session.
    Push(Content<'a>),
    /// ConfirmedPush.
    ConfirmedPush(Content<'a>),
    /// Suspend: nothing is to be sent until the session is resumed.
    Suspend {
        /// Its identifier.
        session: u32,
    },
    /// Resume.
    Resume {
        /// Its identifier.
        session: u32,
        /// What is proposed anew.
        capabilities: Vec<Capability>,
        /// Headers.
        headers: Vec<Header>,
    },
    /// A method without a body, such as GET.
    Get {
        /// The method.
        method: Method,
        /// Absolute.
        uri: Text,
        /// Headers.
        headers: Vec<Header>,
    },
    /// A method with a body, such as POST.
    Post {
        /// The method.
        method: Method,
        /// Absolute.
        uri: Text,
        /// What is in it.
        content: Content<'a>,
    },
}

impl<'a> Pdu<'a> {
    /// Appends the PDU.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Connect { capabilities, headers } => {
                out.extend([CONNECT, VERSION]);
                write_agreement(capabilities, headers, out);
            }
            Self::ConnectReply { session, capabilities, headers } => {
                write_session(CONNECT_REPLY, *session, out);
                write_agreement(capabilities, headers, out);
            }
            Self::Redirect { permanent, reuse_security, addresses } => {
                let flag = |set: bool, bit: u8| if set { bit } else { 0 };
                out.extend([REDIRECT, flag(*permanent, PERMANENT) | flag(*reuse_security, REUSE_SECURITY)]);
                addresses.iter().for_each(|address| address.write(out));
            }
            Self::Reply { status, content } => {
                out.extend([REPLY, status.0]);
                match content {
                    Some(content) => content.write(None, out),
                    None => out.push(0),
                }
            }
            Self::Disconnect { session } => write_session(DISCONNECT, *session, out),
            Self::Push(content) => {
                out.push(PUSH);
                content.write(None, out);
            }
            Self::ConfirmedPush(content) => {
                out.push(CONFIRMED_PUSH);
                content.write(None, out);
            }
            Self::Suspend { session } => write_session(SUSPEND, *session, out),
            Self::Resume { session, capabilities, headers } => {
                write_session(RESUME, *session, out);
                write_agreement(capabilities, headers, out);
            }
            Self::Get { method, uri, headers } => {
                out.push(method.0);
                field::write_length(uri.as_str().len(), out);
                out.extend(uri.as_str().bytes());
                headers.iter().for_each(|header| header.write(out));
            }
            Self::Post { method, uri, content } => {
                out.push(method.0);
                field::write_length(uri.as_str().len(), out);
                content.write(Some(uri), out);
            }
        }
    }

    /// Reads a PDU. Headers of other code pages are passed over.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(input, limits)?, limits)
    }

    /// Reads a PDU of connectionless WSP with the TID before it.
    ///
    /// # Errors
    /// As [`Pdu::decode`].
    pub fn decode_with_tid(input: &'a [u8], limits: &Limits) -> Result<(u8, Self), DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        let transaction = reader.byte("TID")?;
        Self::read(&mut reader, limits).map(|pdu| (transaction, pdu))
    }

    fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let kind = reader.byte("PDU type")?;
        let session = |reader: &mut Reader<'_>| field::uintvar(reader, "ServerSessionId");
        let pdu = match kind {
            CONNECT => {
                let start = reader.clone();
                if reader.byte("Version")? >> 4 != VERSION >> 4 {
                    return Err(start.error("Version", Problem::Schema("not 1".into())));
                }
                let (capabilities, headers) = agreement(reader, limits)?;
                Self::Connect { capabilities, headers }
            }
            CONNECT_REPLY => {
                let session = session(reader)?;
                let (capabilities, headers) = agreement(reader, limits)?;
                Self::ConnectReply { session, capabilities, headers }
            }
            REDIRECT => {
                let flags = reader.byte("Flags")?;
                let addresses = GatewayAddress::read_all(reader, limits)?;
                let (permanent, reuse_security) = (flags & PERMANENT != 0, flags & REUSE_SECURITY != 0);
                Self::Redirect { permanent, reuse_security, addresses }
            }
            REPLY => {
                let status = Status(reader.byte("Status")?);
                Self::Reply { status, content: reply_content(reader, limits)? }
            }
            DISCONNECT => Self::Disconnect { session: session(reader)? },
            PUSH => Self::Push(Content::read(reader, limits)?),
            CONFIRMED_PUSH => Self::ConfirmedPush(Content::read(reader, limits)?),
            SUSPEND => Self::Suspend { session: session(reader)? },
            RESUME => {
                let session = session(reader)?;
                let (capabilities, headers) = agreement(reader, limits)?;
                Self::Resume { session, capabilities, headers }
            }
            code => match Method::new(code) {
                Some(method) if method.has_body() => post(method, reader, limits)?,
                Some(method) => get(method, reader, limits)?,
                None => {
                    let problem = Problem::Schema("neither 1 to 9 nor the code of a method".into());
                    return Err(start.error("PDU type", problem));
                }
            },
        };
        if matches!(pdu, Self::Disconnect { .. } | Self::Suspend { .. }) {
            reader.end()?;
        }
        Ok(pdu)
    }
}

impl<'a> Content<'a> {
    /// Reads `HeadersLen`, content type, headers and data.
    fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, DecodeError> {
        let length = field::length(reader, HEADERS_LENGTH)?;
        Self::read_rest(length, reader, limits)
    }

    fn read_rest(length: usize, reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, DecodeError> {
        let mut head = reader.fence(length, HEADERS)?;
        let media = Media::read(&mut head)?;
        let headers = field::read_headers(&mut head, limits)?;
        Ok(Self { media, headers, body: reader.rest() })
    }

    /// Appends `HeadersLen`, the URI if there is one, content type, headers and data.
    fn write(&self, uri: Option<&Text>, out: &mut Vec<u8>) {
        let mut fields = Vec::new();
        self.media.write(&mut fields);
        self.headers.iter().for_each(|header| header.write(&mut fields));
        field::write_length(fields.len(), out);
        out.extend(uri.iter().flat_map(|uri| uri.as_str().bytes()));
        out.extend(fields);
        out.extend(self.body);
    }
}

impl<'a> GatewayAddress<'a> {
    pub(super) fn read_all(reader: &mut Reader<'a>, limits: &Limits) -> Result<Vec<Self>, DecodeError> {
        const FIELD: &str = "Addresses";
        let mut found = Vec::new();
        while reader.peek().is_some() {
            if found.len() >= limits.items {
                return Err(reader.error(FIELD, Problem::TooMany { limit: limits.items }));
            }
            let head = reader.byte(FIELD)?;
            let bearer = if head & BEARER_INCLUDED == 0 { None } else { Some(reader.byte(FIELD)?) };
            let port = if head & PORT_INCLUDED == 0 { None } else { Some(reader.u16(FIELD)?) };
            let address = reader.take((head & ADDRESS_LENGTH).into(), FIELD)?;
            found.push(Self { bearer, port, address });
        }
        Ok(found)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let most = self.address.len().min(ADDRESS_LENGTH.into());
        let length = u8::try_from(most).unwrap_or(ADDRESS_LENGTH);
        let bearer = if self.bearer.is_some() { BEARER_INCLUDED } else { 0 };
        let port = if self.port.is_some() { PORT_INCLUDED } else { 0 };
        out.push(bearer | port | length);
        out.extend(self.bearer);
        out.extend(self.port.iter().flat_map(|port| port.to_be_bytes()));
        out.extend(self.address.iter().take(most));
    }
}

fn write_session(kind: u8, session: u32, out: &mut Vec<u8>) {
    out.push(kind);
    field::write_length(usize::try_from(session).unwrap_or(usize::MAX), out);
}

fn write_agreement(capabilities: &[Capability], headers: &[Header], out: &mut Vec<u8>) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    capabilities.iter().for_each(|capability| capability.write(&mut first));
    headers.iter().for_each(|header| header.write(&mut second));
    field::write_length(first.len(), out);
    field::write_length(second.len(), out);
    out.extend(first);
    out.extend(second);
}

/// Reads capabilities and headers with their lengths; nothing comes after them.
fn agreement(
    reader: &mut Reader<'_>,
    limits: &Limits,
) -> Result<(Vec<Capability>, Vec<Header>), DecodeError> {
    let capabilities_length = field::length(reader, "CapabilitiesLen")?;
    let headers_length = field::length(reader, HEADERS_LENGTH)?;
    let capabilities = Capability::read_all(&mut reader.fence(capabilities_length, "Capabilities")?, limits)?;
    let headers = field::read_headers(&mut reader.fence(headers_length, HEADERS)?, limits)?;
    reader.end()?;
    Ok((capabilities, headers))
}

fn reply_content<'a>(reader: &mut Reader<'a>, limits: &Limits) -> Result<Option<Content<'a>>, DecodeError> {
    match field::length(reader, HEADERS_LENGTH)? {
        0 => reader.end().map(|()| None),
        length => Content::read_rest(length, reader, limits).map(Some),
    }
}

fn get<'a>(method: Method, reader: &mut Reader<'a>, limits: &Limits) -> Result<Pdu<'a>, DecodeError> {
    let length = field::length(reader, "UriLen")?;
    let uri = read_uri(length, reader)?;
    Ok(Pdu::Get { method, uri, headers: field::read_headers(reader, limits)? })
}

fn post<'a>(method: Method, reader: &mut Reader<'a>, limits: &Limits) -> Result<Pdu<'a>, DecodeError> {
    let uri_length = field::length(reader, "UriLen")?;
    let headers_length = field::length(reader, HEADERS_LENGTH)?;
    let uri = read_uri(uri_length, reader)?;
    Ok(Pdu::Post { method, uri, content: Content::read_rest(headers_length, reader, limits)? })
}

fn read_uri(length: usize, reader: &mut Reader<'_>) -> Result<Text, DecodeError> {
    const FIELD: &str = "Uri";
    let start = reader.clone();
    let octets = reader.take(length, FIELD)?;
    let text = std::str::from_utf8(octets).map_err(|_| start.error(FIELD, Problem::BadUtf8))?;
    Text::new(text).ok_or_else(|| start.error(FIELD, Problem::Schema("a control character in a URI".into())))
}
