//! [`ClientUri`] to text: what the generator may send. `:` is written raw, everything outside RFC 3986 `pchar` is
//! percent-encoded, and so is `/` inside a MOID.

use alloc::format;
use alloc::string::String;
use core::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::{ClientUri, Condition, MoInst, QueryField, Segment, XName};
use crate::name::NodeName;

/// All that may not stand raw in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');
/// The same without parentheses and asterisk, for names that would look like an x-name or a wildcard.
const PLAIN_SEGMENT: &AsciiSet = &SEGMENT.add(b'(').add(b')').add(b'*');
/// Names in the path of an nv field, which ends at the first `:`.
const CONDITION_PATH: &AsciiSet = &PLAIN_SEGMENT.add(b':').add(b'&').add(b'=').add(b'+');
/// Values of query fields, which end at `&`.
const QUERY_VALUE: &AsciiSet = &SEGMENT.add(b'&').add(b'+');

impl fmt::Display for ClientUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", utf8_percent_encode(self.moid.as_str(), SEGMENT))?;
        match &self.inst {
            MoInst::Miid(miid) => write!(f, "{}", encoded(miid.as_str()))?,
            MoInst::XName(letter) => write!(f, "{letter}")?,
            MoInst::Only => {}
            MoInst::All => f.write_str("*")?,
        }
        if self.path.is_empty() {
            f.write_str("/")?;
        }
        for segment in &self.path {
            f.write_str("/")?;
            match segment {
                Segment::Name(name) => write!(f, "{}", encoded(name.as_str()))?,
                Segment::XName(letter) => write!(f, "{letter}")?,
                Segment::Wildcard => f.write_str("*")?,
            }
        }
        self.write_query(f)
    }
}

impl ClientUri {
    fn write_query(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, field) in self.query.0.iter().enumerate() {
            f.write_str(if at == 0 { "?" } else { "&" })?;
            match field {
                QueryField::Level(level) => write!(f, "lv={level}")?,
                QueryField::Condition(condition) => write!(f, "nv={condition}")?,
                QueryField::Validator(validator) => {
                    write!(f, "cv={}", utf8_percent_encode(validator, QUERY_VALUE))?;
                }
                QueryField::Other(other) => f.write_str(other)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for XName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({})", self.letter())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter)?;
        for name in &self.path {
            write!(f, "/{}", utf8_percent_encode(name.as_str(), CONDITION_PATH))?;
        }
        write!(f, ":{}", utf8_percent_encode(&self.value, QUERY_VALUE))
    }
}

/// The path-from-moroot of these names.
pub(crate) fn path_from_root(names: &[NodeName]) -> String {
    if names.is_empty() {
        return String::from("/");
    }
    names.iter().fold(String::new(), |path, name| format!("{path}/{}", encoded(name.as_str())))
}

/// A real name so that it reads back as a real name.
fn encoded(name: &str) -> PercentEncode<'_> {
    let looks_special = name.starts_with('(') && name.ends_with(')');
    utf8_percent_encode(name, if looks_special { PLAIN_SEGMENT } else { SEGMENT })
}
