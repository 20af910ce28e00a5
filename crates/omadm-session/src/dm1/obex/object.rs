//! Objects, which Put and Get carry in parts.

use std::collections::VecDeque;

use omadm_auth::dm1::HMAC_HEADER;
use omadm_codec::dm1::Encoding;
use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};
use omadm_codec::obex::{Header, HeaderId};
use omadm_codec::{Leniency, MediaType, Tolerance};

use super::Failure;
use crate::Body;

/// Longest HTTP header or media type in octets that is looked into.
const MAX_TEXT: usize = 4096;
/// Most packets of one object that bring nothing of it: a peer that sends such ones would never come to an end.
const MAX_IDLE: u32 = 16;
/// Octets of a packet before its headers.
const HEAD: usize = 3;
/// Octets of a header before its value.
const HEADER_HEAD: usize = 3;

/// A message, or what else is put or got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// `Type`; where it was left out, what the first octet says, if it says something.
    pub media_type: Option<String>,
    /// `x-syncml-hmac`.
    pub hmac: Option<String>,
    /// The octets.
    pub body: Body,
}

/// An object that comes in.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    media_type: Option<String>,
    hmac: Option<String>,
    length: Option<u32>,
    body: Vec<u8>,
    /// Whether there was any Body or End of Body, for an object of no octets.
    has_body: bool,
    /// Packets that brought nothing of the body.
    idle: u32,
}

/// What is wrong with an object that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    TooLarge,
    NoLength,
    /// A sentence.
    Malformed(&'static str),
}

impl Incoming {
    /// Takes the headers of a packet.
    pub(super) fn take(
        &mut self,
        headers: &[Header<'_>],
        limit: usize,
        leniency: &mut Leniency,
    ) -> Result<(), Unfit> {
        let before = self.body.len();
        for header in headers {
            match header {
                Header::Octets(HeaderId::TYPE, value) => self.media_type = Some(media_type(value, leniency)?),
                Header::Octets(HeaderId::HTTP, value) => {
                    if let Some(hmac) = hmac(value) {
                        self.hmac = Some(hmac);
                    }
                }
                Header::Octets(HeaderId::BODY | HeaderId::END_OF_BODY, value) => {
                    self.has_body = true;
                    let fits = self.body.len().saturating_add(value.len()) <= limit;
                    if !fits {
                        return Err(Unfit::TooLarge);
                    }
                    self.body.extend_from_slice(value);
                }
                Header::Number(HeaderId::LENGTH, length) => {
                    if usize::try_from(*length).map_or(true, |length| length > limit) {
                        return Err(Unfit::TooLarge);
                    }
                    self.length = Some(*length);
                }
                _ => {}
            }
        }
        self.idle += u32::from(self.body.len() == before);
        if self.idle > MAX_IDLE {
            return Err(Unfit::Malformed("too many packets bring nothing of the object"));
        }
        Ok(())
    }

    /// `Type`, as far as it has come.
    pub(super) fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// The object, when its last packet was taken.
    pub(super) fn finish(self, leniency: &mut Leniency) -> Result<Object, Unfit> {
        if !self.has_body {
            return Err(Unfit::Malformed("there is no Body"));
        }
        match self.length {
            Some(length) if usize::try_from(length) != Ok(self.body.len()) => {
                return Err(Unfit::Malformed("the object has not the Length that it says"));
            }
            Some(_) => {}
            None if leniency.allow(Tolerance::MissingObexLength) => {}
            None => return Err(Unfit::NoLength),
        }
        let Self { media_type, hmac, body, .. } = self;
        Ok(Object { media_type, hmac, body: body.into() })
    }
}

impl Object {
    /// Says what it is where that was left out.
    pub(super) fn with_type(self, leniency: &mut Leniency) -> Self {
        if self.media_type.is_some() {
            return self;
        }
        let sniffed = sniffed(&self.body).filter(|_| leniency.allow(Tolerance::MissingObexType));
        Self { media_type: sniffed.map(str::to_owned), ..self }
    }

    /// What was asked for is what came, where that was left out: an answer need not say it, and its octets may.
    pub(super) fn or_type(self, wanted: &str) -> Self {
        if self.media_type.is_some() {
            return self;
        }
        let media_type = sniffed(&self.body).unwrap_or(wanted);
        Self { media_type: Some(media_type.to_owned()), ..self }
    }
}

/// What a DM message says of itself by its first octet.
fn sniffed(body: &[u8]) -> Option<&'static str> {
    Some(match Encoding::sniff(body)? {
        Encoding::Xml => SYNCML_DM_XML,
        Encoding::Wbxml => SYNCML_DM_WBXML,
    })
}

/// Whether a media type has one of these names, whatever its parameters.
pub(super) fn is_one_of(media_type: &str, names: &[&str]) -> bool {
    MediaType::parse(media_type).is_ok_and(|media| names.contains(&media.essence.as_str()))
}

/// Value of `Type`.
pub(super) fn media_type(value: &[u8], leniency: &mut Leniency) -> Result<String, Unfit> {
    let text = match value.strip_suffix(&[0]) {
        Some(text) => text,
        None if leniency.allow(Tolerance::BareObexType) => value,
        None => return Err(Unfit::Malformed("Type does not end in a zero octet")),
    };
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii() && text.len() <= MAX_TEXT);
    text.map(str::to_owned).ok_or(Unfit::Malformed("Type is no text of ASCII"))
}

/// The MAC in a header HTTP: lines as in HTTP, of which the others do not count.
fn hmac(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= MAX_TEXT)?;
    text.trim_end_matches('\0').lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case(HMAC_HEADER).then(|| value.trim().to_owned())
    })
}

/// An object that goes out.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Headers that have not gone out yet.
    fields: VecDeque<Field>,
    body: Body,
    /// Octets of the body that have gone out.
    sent: usize,
    is_sent: bool,
}

/// A header that owns its value.
#[derive(Debug)]
pub(super) enum Field {
    Number(HeaderId, u32),
    Octets(HeaderId, Vec<u8>),
}

impl Field {
    /// A media type, with the zero octet at its end.
    pub(super) fn media_type(text: &str) -> Self {
        Self::Octets(HeaderId::TYPE, [text.as_bytes(), &[0]].concat())
    }

    fn header(&self) -> Header<'_> {
        match self {
            Self::Number(id, value) => Header::Number(*id, *value),
            Self::Octets(id, value) => Header::Octets(*id, value),
        }
    }
}

impl Outgoing {
    /// `first` goes out before what the object says of itself.
    pub(super) fn new(first: Option<Field>, object: Object) -> Self {
        let Object { media_type, hmac, body } = object;
        let media_type = media_type.map(|text| Field::media_type(&text));
        let length = u32::try_from(body.len()).ok().map(|length| Field::Number(HeaderId::LENGTH, length));
        let hmac =
            hmac.map(|hmac| Field::Octets(HeaderId::HTTP, format!("{HMAC_HEADER}: {hmac}\r\n").into_bytes()));
        Self {
            fields: [first, media_type, length, hmac].into_iter().flatten().collect(),
            body,
            sent: 0,
            is_sent: false,
        }
    }

    /// Whether all of it has gone out.
    pub(super) fn is_sent(&self) -> bool {
        self.is_sent
    }

    /// What the next packet of at most `limit` octets carries, and whether that is the rest: it is given to `write`.
    pub(super) fn next<T>(
        &mut self,
        limit: u16,
        write: impl FnOnce(bool, Vec<Header<'_>>) -> T,
    ) -> Result<T, Failure> {
        let mut room = usize::from(limit) - HEAD;
        let mut fields = Vec::new();
        while let Some(field) = self.fields.pop_front() {
            let length = field.header().wire_length();
            if length > room {
                if fields.is_empty() {
                    return Err(Failure::NoRoom { id: field.header().id(), limit });
                }
                self.fields.push_front(field);
                break;
            }
            room -= length;
            fields.push(field);
        }
        let mut headers: Vec<Header<'_>> = fields.iter().map(Field::header).collect();
        let rest = self.body.get(self.sent..).unwrap_or_default();
        if !self.fields.is_empty() || room < HEADER_HEAD {
            return Ok(write(false, headers));
        }
        let part = rest.get(..room - HEADER_HEAD).unwrap_or(rest);
        let is_last = part.len() == rest.len();
        self.sent += part.len();
        self.is_sent = is_last;
        if is_last || !part.is_empty() {
            let id = if is_last { HeaderId::END_OF_BODY } else { HeaderId::BODY };
            headers.push(Header::Octets(id, part));
        }
        Ok(write(is_last, headers))
    }
}
