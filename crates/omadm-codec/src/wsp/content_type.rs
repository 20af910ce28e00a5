//! Content types of pushes as HTTP writes them: by the codes of media types and parameters (`WAP-230, tables 38 and 40`).

use super::field::{HIGH, Media, MediaName, ShortInteger, Token, Value};
use super::initiation::{INITIATION_CODE, INITIATION_TYPE};
use super::names::Names;
use crate::Limits;
use crate::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};
use crate::reader::Reader;

use super::{NOTIFICATION_CODE, NOTIFICATION_TYPE, TRIGGER_CODE, TRIGGER_TYPE};

/// Code of a provisioning document in XML.
pub const CONNECTIVITY_XML_CODE: u32 = 0x35;
/// The same as text.
pub const CONNECTIVITY_XML: &str = "text/vnd.wap.connectivity-xml";
/// Code of a provisioning document in WBXML.
pub const CONNECTIVITY_WBXML_CODE: u32 = 0x36;
/// The same as text.
pub const CONNECTIVITY_WBXML: &str = "application/vnd.wap.connectivity-wbxml";
/// Code of a message of DM 1.x in WBXML.
pub const SYNCML_DM_WBXML_CODE: u32 = 0x42;
/// Code of a message of DM 1.x in XML.
pub const SYNCML_DM_XML_CODE: u32 = 0x43;

const CODES: [(u32, &str); 7] = [
    (INITIATION_CODE, INITIATION_TYPE),
    (CONNECTIVITY_XML_CODE, CONNECTIVITY_XML),
    (CONNECTIVITY_WBXML_CODE, CONNECTIVITY_WBXML),
    (SYNCML_DM_WBXML_CODE, SYNCML_DM_WBXML),
    (SYNCML_DM_XML_CODE, SYNCML_DM_XML),
    (TRIGGER_CODE, TRIGGER_TYPE),
    (NOTIFICATION_CODE, NOTIFICATION_TYPE),
];

/// `charset`.
const CHARSET: u8 = 0x01;
/// `SEC`: how a bootstrap is protected, a short integer.
const SEC: u8 = 0x11;
/// `MAC` of a bootstrap: a text.
const MAC: u8 = 0x12;

impl Media {
    /// A bootstrap that is protected by the method with this number (`SEC`), and this `MAC` if the method has one in the message.
    #[must_use]
    pub fn secured(code: u32, method: ShortInteger, mac: Option<&Token>) -> Self {
        let mut parameters = vec![SEC | HIGH, method.get() | HIGH];
        if let Some(mac) = mac {
            parameters.push(MAC | HIGH);
            parameters.extend(mac.as_str().bytes());
            parameters.push(0);
        }
        Self { name: MediaName::Code(code), parameters }
    }

    /// The media type without its parameters. `None` for a code that is not one of device management.
    #[must_use]
    pub fn essence(&self) -> Option<&str> {
        match &self.name {
            MediaName::Text(name) => Some(name.as_str()),
            MediaName::Code(code) => name(*code),
        }
    }

    /// The content type as HTTP writes it. `None` for a code that is not one of device management, and for a parameter that is neither `charset`,
    /// `SEC` or `MAC` nor a word with a word as its value.
    #[must_use]
    pub fn as_http(&self) -> Option<String> {
        let name = self.essence()?;
        let limits = Limits { bytes: usize::MAX, ..Limits::default() };
        let mut reader = Reader::new(&self.parameters, &limits).ok()?;
        let mut text = name.to_owned();
        while reader.peek().is_some() {
            let (name, value) = parameter(&mut reader)?;
            text.extend([";", &name, "=", &value]);
        }
        Some(text)
    }
}

/// The media type with a code.
pub(super) fn name(code: u32) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

/// The code of a media type, in any letter case.
pub(super) fn code(name: &str) -> Option<u32> {
    CODES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(code, _)| *code)
}

fn charset(reader: &mut Reader<'_>) -> Option<String> {
    match Value::read(reader).ok()? {
        Value::Text(name) => Some(name.as_str().to_owned()),
        number => Names::Charsets.name(number.as_integer()?).map(str::to_owned),
    }
}

fn parameter(reader: &mut Reader<'_>) -> Option<(String, String)> {
    let name = match number(reader) {
        Some(CHARSET) => return charset(reader).map(|value| ("charset".to_owned(), value)),
        Some(SEC) => "SEC".to_owned(),
        Some(MAC) => "MAC".to_owned(),
        Some(_) => return None,
        None => word(reader)?,
    };
    let value = match number(reader) {
        Some(number) => number.to_string(),
        None => word(reader)?,
    };
    Some((name, value))
}

/// A short integer, if one comes next.
fn number(reader: &mut Reader<'_>) -> Option<u8> {
    reader.peek().filter(|octet| *octet >= HIGH)?;
    reader.byte("parameter").ok().map(|octet| octet & !HIGH)
}

fn word(reader: &mut Reader<'_>) -> Option<String> {
    let octets = reader.until_zero("parameter").ok()?;
    Some(Token::new(std::str::from_utf8(octets).ok()?)?.as_str().to_owned())
}
