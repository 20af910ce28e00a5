//! Heads of messages in text: a start line and header fields, as HTTP (`RFC 9112 §2.1`) and SIP (`RFC 3261 §7`) write them.

use crate::error::{DecodeError, Problem};
use crate::media_type::is_token;
use crate::{Limits, media_type};

/// Longest head in octets.
pub const MAX_HEAD: usize = 16 << 10;
/// Most header fields, and most lines that one is folded over, whatever [`Limits::items`] says.
const MAX_FIELDS: usize = 128;
/// Ends a head.
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// A header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    name: String,
    value: String,
}

impl Field {
    /// A field. Control characters, which no field can carry, are left out, and so is white space at both ends of the value.
    #[must_use]
    pub fn new(name: &'static str, value: &str) -> Self {
        let value: String = value.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        Self { name: name.to_owned(), value: value.trim_matches([' ', '\t']).to_owned() }
    }

    /// Its name as it is written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value in one line.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether it has this name, in any letter case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Gives it another spelling of its name.
    pub(crate) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// Appends its line.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for part in [&self.name, ": ", &self.value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// A head as it was read.
pub(crate) struct Head<'a> {
    /// The start line.
    pub(crate) start: &'a str,
    /// The fields, each with its byte offset.
    pub(crate) fields: Vec<(usize, Field)>,
    /// Octets up to the body.
    pub(crate) length: usize,
}

impl Head<'_> {
    /// The one field of this name, with its offset.
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<&(usize, Field)>, DecodeError> {
        let mut found = self.fields.iter().filter(|(_, field)| field.is(name));
        let first = found.next();
        match found.next() {
            Some((at, _)) => Err(DecodeError { at: *at, field: name, problem: Problem::Duplicate }),
            None => Ok(first),
        }
    }

    /// `Content-Length`.
    pub(crate) fn content_length(&self) -> Result<Option<usize>, DecodeError> {
        let Some((at, field)) = self.one("Content-Length")? else { return Ok(None) };
        let text = field.value();
        let number = text.parse().ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_digit()));
        let problem = || Problem::Syntax("not a number of octets".into());
        let error = || DecodeError { at: *at, field: "Content-Length", problem: problem() };
        number.map(Some).ok_or_else(error)
    }

    /// `Content-Type`, which has to be a media type.
    pub(crate) fn content_type(&self) -> Result<Option<&str>, DecodeError> {
        let Some((at, field)) = self.one("Content-Type")? else { return Ok(None) };
        media_type::MediaType::parse(field.value())
            .map_err(|error| DecodeError { at: at + error.at, ..error })?;
        Ok(Some(field.value()))
    }
}

/// Octets of the head at the start of `input` with the blank line; `None` when that has not come yet.
pub(crate) fn length(input: &[u8]) -> Result<Option<usize>, DecodeError> {
    let seen = input.get(..MAX_HEAD).unwrap_or(input);
    let end = seen.windows(BLANK_LINE.len()).position(|window| window == BLANK_LINE);
    match end {
        Some(at) => Ok(Some(at + BLANK_LINE.len())),
        None if input.len() < MAX_HEAD => Ok(None),
        None => {
            Err(DecodeError { at: MAX_HEAD, field: "head", problem: Problem::TooLarge { limit: MAX_HEAD } })
        }
    }
}

/// Reads the head at the start of `input`. A line that begins with white space goes on with the field before it.
pub(crate) fn read<'a>(input: &'a [u8], limits: &Limits) -> Result<Head<'a>, DecodeError> {
    let error = |at, problem| DecodeError { at, field: "head", problem };
    let length = length(input)?.ok_or_else(|| error(input.len(), Problem::Short))?;
    let octets = input.get(..length - BLANK_LINE.len()).unwrap_or_default();
    let text = std::str::from_utf8(octets).map_err(|cause| error(cause.valid_up_to(), Problem::BadUtf8))?;
    if let Some(at) = text.find(|c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n')) {
        return Err(error(at, Problem::Syntax("a control character".into())));
    }
    let mut at = 0;
    let mut lines = text.split("\r\n").map(|line| {
        let start = at;
        at += line.len() + 2;
        (start, line)
    });
    let (_, start) = lines.next().unwrap_or_default();
    let limit = limits.items.min(MAX_FIELDS);
    let mut fields: Vec<(usize, Field)> = Vec::new();
    for (count, (at, line)) in lines.enumerate() {
        if count >= limit {
            return Err(error(at, Problem::TooMany { limit }));
        }
        if line.contains(['\r', '\n']) {
            return Err(error(at, Problem::Syntax("a line that does not end in CR LF".into())));
        }
        match fields.last_mut() {
            Some((_, field)) if line.starts_with([' ', '\t']) => {
                let more = line.trim_matches([' ', '\t']);
                let space = if field.value.is_empty() || more.is_empty() { "" } else { " " };
                field.value = [&field.value, space, more].concat();
            }
            _ => fields.push((
                at,
                field(line).ok_or_else(|| {
                    error(at, Problem::Syntax("a header field has the form name: value".into()))
                })?,
            )),
        }
    }
    Ok(Head { start, fields, length })
}

/// One line `name: value`.
fn field(line: &str) -> Option<Field> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end_matches([' ', '\t']);
    let value = value.trim_matches([' ', '\t']).to_owned();
    is_token(name).then(|| Field { name: name.to_owned(), value })
}
