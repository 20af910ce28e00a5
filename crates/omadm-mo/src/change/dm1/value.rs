//! The value of a leaf as a command carries it, made one of the leaf's format (`DM 1.3 TND §8.2, REPPRO §7`).

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};

use crate::Change;
use crate::ddf::Rule;
use crate::dm1::{Dm1Error, NewNode, PLAIN_TEXT};
use crate::value::{Format, Value};

/// What a leaf shall hold.
pub(super) struct Leaf {
    pub(super) format: Format,
    pub(super) value: Value,
    /// The MIME type, where it is another than that of the definition.
    pub(super) mime: Option<String>,
}

/// What a leaf is before.
#[derive(Clone, Copy)]
pub(super) enum Before {
    /// Not there: without Data it becomes empty, zero or false.
    Nothing,
    /// A leaf of this format.
    Leaf(Format),
}

impl Change<'_> {
    /// The leaf that a command means at `address`.
    pub(super) fn leaf_of(
        &mut self,
        address: &str,
        rule: Option<Rule<'_>>,
        before: Before,
        new: &NewNode,
    ) -> Result<Leaf, Dm1Error> {
        let mime = mime_of(address, rule, new.media_type.as_deref())?;
        let format = format_of(address, rule, before, new)?;
        let bad = |reason: &str| Dm1Error::BadData { address: address.into(), reason: reason.to_string() };
        let value = match (&new.value, before) {
            (None, Before::Nothing) => Value::unset(format),
            (None, Before::Leaf(_)) => {
                let empty = Value::unset(format);
                if !empty.is_empty() {
                    return Err(bad("the data is missing"));
                }
                empty
            }
            (Some(Value::Bytes(octets)), _) => from_octets(format, new.format, octets).map_err(bad)?,
            (Some(value), _) => {
                let text = value.to_text();
                self.tolerate(Value::departure_of_text(format, &text)).map_err(|reason| bad(&reason))?;
                Value::from_text(format, &text).map_err(|error| bad(&error.to_string()))?
            }
        };
        let (needed, limit) = (value.size(), self.quota().bytes);
        if needed > limit {
            return Err(Dm1Error::TooLarge { address: address.into(), needed, limit });
        }
        Ok(Leaf { format, value, mime })
    }
}

/// The format that the leaf has then. `b64` on the wire is `bin` in a node, unless its definition or its type says that the text
/// itself is meant.
fn format_of(
    address: &str,
    rule: Option<Rule<'_>>,
    before: Before,
    new: &NewNode,
) -> Result<Format, Dm1Error> {
    let octets = |format| matches!(format, Format::Bin | Format::B64);
    let unsupported = |reason| Err(Dm1Error::Unsupported { address: address.into(), reason });
    match (rule.map(|rule| rule.ddf.format), new.format) {
        (Some(Format::Node), _) => unsupported("a value for an interior node"),
        (_, Some(Format::Node)) => unsupported("a leaf is no interior node"),
        (Some(defined), None) => Ok(defined),
        (Some(defined), Some(given)) if defined == given || (octets(defined) && octets(given)) => Ok(defined),
        (Some(_), Some(_)) => unsupported("the definition has another format"),
        (None, None) => Ok(match before {
            Before::Leaf(current) => current,
            Before::Nothing => Format::Chr,
        }),
        (None, Some(given)) if octets(given) => Ok(match before {
            Before::Leaf(current) if octets(current) => current,
            Before::Leaf(_) | Before::Nothing if given == Format::Bin => Format::Bin,
            Before::Leaf(_) | Before::Nothing => {
                let kind = new.media_type.as_deref().map(str::trim).unwrap_or_default();
                let is_text = kind.get(..5).is_some_and(|top| top.eq_ignore_ascii_case("text/"));
                if is_text { Format::B64 } else { Format::Bin }
            }
        }),
        (None, Some(given)) => Ok(given),
    }
}

/// The type to keep. Where the definition lists types, only these and the default of the protocol are taken.
fn mime_of(address: &str, rule: Option<Rule<'_>>, given: Option<&str>) -> Result<Option<String>, Dm1Error> {
    let kind = given.and_then(|given| given.split(';').next()).map(str::trim).unwrap_or_default();
    if kind.is_empty() {
        return Ok(None);
    }
    let Some(rule) = rule else { return Ok(Some(kind.to_owned())) };
    let mut types = rule.ddf.mime_types().peekable();
    if types.peek().is_none() || types.any(|listed| listed.eq_ignore_ascii_case(kind)) {
        return Ok(Some(kind.to_owned()));
    }
    if kind.eq_ignore_ascii_case(PLAIN_TEXT) {
        return Ok(None);
    }
    Err(Dm1Error::Unsupported { address: address.into(), reason: "the definition does not list the type" })
}

/// OPAQUE octets. With Format `b64` they are base64 text if they can be, else, as some encoders have it, what it stands for.
fn from_octets(format: Format, given: Option<Format>, octets: &[u8]) -> Result<Value, &'static str> {
    let text = core::str::from_utf8(octets);
    match format {
        Format::Bin | Format::B64 => {
            let encoded = text.ok().filter(|_| given == Some(Format::B64));
            let decoded = encoded.and_then(|text| Value::from_text(format, text).ok());
            Ok(decoded.unwrap_or_else(|| Value::Bytes(octets.to_vec())))
        }
        _ => {
            let text = text.map_err(|_| "the octets are no UTF-8")?;
            Value::from_text(format, text).map_err(|_| "the octets are no value of the format")
        }
    }
}
