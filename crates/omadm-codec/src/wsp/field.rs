//! Header fields and their values (`WAP-230 §8.4`).

use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

use super::names;

/// Longest value whose length is one octet; 31 announces a longer one.
const SHORT_LENGTH: usize = 30;
const LENGTH_QUOTE: u8 = 31;
/// Before a text whose first octet would read as something else.
const TEXT_QUOTE: u8 = 0x7f;
/// What short integers and codes of header names have set.
pub(super) const HIGH: u8 = 0x80;
/// Octets of the longest number that is taken: 32 bits, 7 an octet.
const MAX_UINTVAR: usize = 5;
const DEFAULT_PAGE: u8 = 1;
const SHIFT: u8 = 0x7f;
const LAST_SHORT_CUT: u8 = 0x1f;
const APPLICATION_ID: u8 = 0x2f;

/// A number of 7 bits, one octet on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortInteger(u8);

impl ShortInteger {
    /// The largest.
    pub(super) const MAX: u8 = HIGH - 1;

    /// `None` above 127.
    #[must_use]
    pub fn new(value: u8) -> Option<Self> {
        (value < HIGH).then_some(Self(value))
    }

    /// The number in the lowest seven bits.
    pub(super) fn low_bits(octet: u8) -> Self {
        Self(octet & !HIGH)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// A text without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// `None` when there is a control character in it.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let octets = reader.until_zero(field)?;
        let octets = octets.strip_prefix(&[TEXT_QUOTE]).unwrap_or(octets);
        let text = std::str::from_utf8(octets).map_err(|_| start.error(field, Problem::BadUtf8))?;
        Self::new(text)
            .ok_or_else(|| start.error(field, Problem::Schema("a control character in a text".into())))
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.0.bytes().next().is_none_or(|first| first >= HIGH) {
            out.push(TEXT_QUOTE);
        }
        out.extend(self.0.bytes());
        out.push(0);
    }
}

/// A word of printable ASCII without blanks, such as the name of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// `None` when it is empty or another character is in it.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let legal = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
        legal.then(|| Self(text.to_owned()))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let text = std::str::from_utf8(reader.until_zero(field)?).ok();
        let problem = Problem::Schema("not a word of printable ASCII".into());
        text.and_then(Self::new).ok_or_else(|| start.error(field, problem))
    }
}

/// A value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number of 7 bits.
    Short(ShortInteger),
    /// A text.
    Text(Text),
    /// Octets with their length, such as a longer number.
    Octets(Vec<u8>),
}

impl Value {
    /// A number in its shortest form.
    #[must_use]
    pub fn integer(value: u32) -> Self {
        match u8::try_from(value).ok().and_then(ShortInteger::new) {
            Some(short) => Self::Short(short),
            None => Self::Octets(octets_of(value)),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "header value";
        match reader.peek() {
            Some(0..=LENGTH_QUOTE) => {
                let length = value_length(reader, FIELD)?;
                reader.take(length, FIELD).map(|octets| Self::Octets(octets.to_vec()))
            }
            Some(HIGH..) => Ok(Self::Short(ShortInteger(reader.byte(FIELD)? & !HIGH))),
            Some(_) | None => Text::read(reader, FIELD).map(Self::Text),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Short(number) => out.push(number.0 | HIGH),
            Self::Text(text) => text.write(out),
            Self::Octets(octets) => write_with_length(octets, out),
        }
    }

    /// The number, if it can be one and has 32 bits at most.
    #[must_use]
    pub fn as_integer(&self) -> Option<u32> {
        match self {
            Self::Short(number) => Some(number.0.into()),
            Self::Octets(octets) => long_integer(octets),
            Self::Text(_) => None,
        }
    }

    /// Whether it is this code, or this text in any letter case.
    pub(super) fn is(&self, code: u32, text: &str) -> bool {
        match self {
            Self::Text(found) => found.0.eq_ignore_ascii_case(text),
            Self::Short(_) | Self::Octets(_) => self.as_integer() == Some(code),
        }
    }
}

/// Name of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderName {
    /// Its code in the default code page.
    Code(ShortInteger),
    /// Its name.
    Text(Token),
}

impl HeaderName {
    /// The name; `None` for a code that no header has.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(name) => Some(name.as_str()),
            Self::Code(code) => names::header(code.0),
        }
    }
}

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: HeaderName,
    /// Its value.
    pub value: Value,
}

impl Header {
    /// `X-Wap-Application-Id` with the code of an application.
    #[must_use]
    pub fn application(code: u32) -> Self {
        Self { name: HeaderName::Code(ShortInteger(APPLICATION_ID)), value: Value::integer(code) }
    }

    pub(super) fn names_application(&self) -> bool {
        self.name.as_str().is_some_and(|name| name.eq_ignore_ascii_case("X-Wap-Application-Id"))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match &self.name {
            HeaderName::Code(code) => out.push(code.0 | HIGH),
            HeaderName::Text(name) => {
                out.extend(name.0.bytes());
                out.push(0);
            }
        }
        self.value.write(out);
    }
}

/// Reads headers to the end. Those of other code pages are passed over: what they mean is between others.
pub(super) fn read_headers(reader: &mut Reader<'_>, limits: &Limits) -> Result<Vec<Header>, DecodeError> {
    const FIELD: &str = "header name";
    let mut page = DEFAULT_PAGE;
    let mut headers = Vec::new();
    for count in 0_usize.. {
        let name = match reader.peek() {
            None => break,
            Some(_) if count >= limits.items => {
                return Err(reader.error(FIELD, Problem::TooMany { limit: limits.items }));
            }
            Some(SHIFT) => {
                [_, page] = reader.array("code page")?;
                continue;
            }
            Some(1..=LAST_SHORT_CUT) => {
                page = reader.byte("code page")?;
                continue;
            }
            Some(HIGH..) => HeaderName::Code(ShortInteger(reader.byte(FIELD)? & !HIGH)),
            Some(_) => HeaderName::Text(Token::read(reader, FIELD)?),
        };
        let value = Value::read(reader)?;
        if page == DEFAULT_PAGE {
            headers.push(Header { name, value });
        }
    }
    Ok(headers)
}

/// `Content-Type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The media type.
    pub name: MediaName,
    /// Its parameters as they stand on the wire.
    pub parameters: Vec<u8>,
}

/// A media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaName {
    /// Its code.
    Code(u32),
    /// Its name.
    Text(Text),
}

impl Media {
    /// A media type by its code, without parameters.
    #[must_use]
    pub fn code(code: u32) -> Self {
        Self { name: MediaName::Code(code), parameters: Vec::new() }
    }

    /// A media type by its name, with parameters that have no codes; name and value stand there as texts.
    #[must_use]
    pub fn text(name: Token, parameters: &[(Token, Token)]) -> Self {
        let mut octets = Vec::new();
        for word in parameters.iter().flat_map(|(name, value)| [name, value]) {
            octets.extend(word.0.bytes());
            octets.push(0);
        }
        Self { name: MediaName::Text(Text(name.0)), parameters: octets }
    }

    /// Whether it is this code, or this name in any letter case.
    #[must_use]
    pub fn is(&self, code: u32, name: &str) -> bool {
        match &self.name {
            MediaName::Code(found) => *found == code,
            MediaName::Text(found) => found.0.eq_ignore_ascii_case(name),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "Content-Type";
        let Some(0..=LENGTH_QUOTE) = reader.peek() else {
            return Ok(Self { name: MediaName::read(reader, FIELD)?, parameters: Vec::new() });
        };
        let length = value_length(reader, FIELD)?;
        let mut reader = reader.fence(length, FIELD)?;
        Ok(Self { name: MediaName::read(&mut reader, FIELD)?, parameters: reader.rest().to_vec() })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut value = Vec::new();
        match &self.name {
            MediaName::Code(code) => Value::integer(*code).write(&mut value),
            MediaName::Text(name) => name.write(&mut value),
        }
        // Without a length there is room for a short integer or a text.
        let constrained = value.first().is_some_and(|first| *first > LENGTH_QUOTE);
        if self.parameters.is_empty() && constrained {
            out.extend(value);
        } else {
            value.extend(&self.parameters);
            write_with_length(&value, out);
        }
    }
}

impl MediaName {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        match reader.peek() {
            Some(HIGH..) => Ok(Self::Code((reader.byte(field)? & !HIGH).into())),
            Some(length @ 0..=LENGTH_QUOTE) => {
                let start = reader.clone();
                reader.byte(field)?;
                let octets = reader.take(length.into(), field)?;
                let problem = || Problem::Schema("not a number of 1 to 4 octets".into());
                long_integer(octets).map(Self::Code).ok_or_else(|| start.error(field, problem()))
            }
            Some(_) | None => Text::read(reader, field).map(Self::Text),
        }
    }
}

/// A number of at most 32 bits, 7 bits an octet, the high bit on all but the last.
pub(super) fn uintvar(reader: &mut Reader<'_>, field: &'static str) -> Result<u32, DecodeError> {
    let start = reader.clone();
    let mut value: u32 = 0;
    for _ in 0..MAX_UINTVAR {
        let octet = reader.byte(field)?;
        if value > u32::MAX >> 7 {
            break;
        }
        value = value << 7 | u32::from(octet & !HIGH);
        if octet & HIGH == 0 {
            return Ok(value);
        }
    }
    Err(start.error(field, Problem::Schema("a number of more than 32 bits".into())))
}

/// A length as uintvar.
pub(super) fn length(reader: &mut Reader<'_>, field: &'static str) -> Result<usize, DecodeError> {
    uintvar(reader, field).map(|length| usize::try_from(length).unwrap_or(usize::MAX))
}

fn value_length(reader: &mut Reader<'_>, field: &'static str) -> Result<usize, DecodeError> {
    match reader.byte(field)? {
        LENGTH_QUOTE => length(reader, field),
        short => Ok(short.into()),
    }
}

fn long_integer(octets: &[u8]) -> Option<u32> {
    let legal = (1..=4).contains(&octets.len());
    legal.then(|| octets.iter().fold(0, |value, octet| value << 8 | u32::from(*octet)))
}

/// The octets of a number without leading zeros, one at least.
fn octets_of(value: u32) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let zeros = octets.iter().take(3).take_while(|octet| **octet == 0).count();
    octets.into_iter().skip(zeros).collect()
}

fn write_with_length(octets: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(octets.len()) {
        Ok(length) if octets.len() <= SHORT_LENGTH => out.push(length),
        _ => {
            out.push(LENGTH_QUOTE);
            write_length(octets.len(), out);
        }
    }
    out.extend(octets);
}

/// Appends a number as uintvar.
pub(super) fn write_length(length: usize, out: &mut Vec<u8>) {
    let digits = 1 + length.checked_ilog2().unwrap_or(0) / 7;
    for digit in (0..digits).rev() {
        let octet = u8::try_from(length >> (7 * digit) & 0x7f).unwrap_or_default();
        out.push(if digit == 0 { octet } else { octet | HIGH });
    }
}
