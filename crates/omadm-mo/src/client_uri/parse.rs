//! Text to [`ClientUri`] (`DM 2.0 §6.1.1`). Nothing is normalised: `MOID//` and `MOID/` differ.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use percent_encoding::percent_decode_str;

use super::{ClientUri, Condition, MAX_ADDRESS, MoInst, Query, QueryField, Segment, XName};
use crate::error::AddressError;
use crate::name::{MAX_NAME, Miid, Moid, NodeName};

/// How much longer an address may become when it is written: three bytes for one that is percent-encoded.
const MAX_GROWTH: usize = 3;

pub(super) fn address(text: &str, known: &dyn Fn(&str) -> bool) -> Result<ClientUri, AddressError> {
    let too_long = AddressError::TooLong { what: "address", limit: MAX_ADDRESS };
    if text.len() > MAX_ADDRESS {
        return Err(too_long);
    }
    check_characters(text)?;
    let (hierarchy, query) = match text.split_once('?') {
        Some((hierarchy, query)) => (Piece::of(hierarchy, 0), Some(Piece::of(query, hierarchy.len() + 1))),
        None => (Piece::of(text, 0), None),
    };
    let (moid, rest) = moid(hierarchy, known)?;
    let (inst, path) =
        rest.split_once('/').ok_or(rest.end_error("the path after the instance is missing; end with '/'"))?;
    let uri = ClientUri {
        moid,
        inst: mo_inst(inst)?,
        path: path_segments(path)?,
        query: query.map(query_fields).transpose()?.unwrap_or_default(),
    };
    check_x_names(&uri, query.unwrap_or(Piece::of("", text.len())))?;
    if text.len() > MAX_ADDRESS / MAX_GROWTH && uri.to_string().len() > MAX_ADDRESS {
        return Err(too_long);
    }
    Ok(uri)
}

/// A path-from-moroot of real names only, the value of a `Path` node of the Delegation Access Control MO.
pub(crate) fn path_names(text: &str) -> Result<Vec<NodeName>, AddressError> {
    check_characters(text)?;
    let whole = Piece::of(text, 0);
    let (before, path) = whole.split_once('/').ok_or(whole.error("a path begins with '/'"))?;
    if !before.text.is_empty() {
        return Err(whole.error("a path begins with '/'"));
    }
    let names = path_segments(path)?.into_iter().map(|segment| match segment {
        Segment::Name(name) => Ok(name),
        Segment::XName(_) | Segment::Wildcard => Err(path.error("only real names can stand here")),
    });
    names.collect()
}

/// A part of the address and where it begins.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Piece<'a> {
    fn of(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let (left, right) = self.text.split_once(separator)?;
        let after = self.at + left.len() + separator.len_utf8();
        Some((Self::of(left, self.at), Self::of(right, after)))
    }

    fn split(self, separator: char) -> impl Iterator<Item = Self> {
        let mut at = self.at;
        self.text.split(separator).map(move |text| {
            let piece = Self::of(text, at);
            at += text.len() + separator.len_utf8();
            piece
        })
    }

    fn error(self, problem: &'static str) -> AddressError {
        AddressError::Syntax { problem, at: self.at }
    }

    fn end_error(self, problem: &'static str) -> AddressError {
        AddressError::Syntax { problem, at: self.at + self.text.len() }
    }

    /// Percent-decoded; the triplets are known to be well-formed.
    fn decoded(self) -> Result<Cow<'a, str>, AddressError> {
        if !self.text.contains('%') {
            return Ok(Cow::Borrowed(self.text));
        }
        percent_decode_str(self.text)
            .decode_utf8()
            .map_err(|_| self.error("percent-encoded octets are not UTF-8"))
    }
}

/// Only what RFC 3986 allows in a path or query, and whole percent triplets.
fn check_characters(text: &str) -> Result<(), AddressError> {
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'%' => {
                let hex =
                    |next: Option<(usize, u8)>| next.is_some_and(|(_, digit)| digit.is_ascii_hexdigit());
                if !hex(bytes.next()) || !hex(bytes.next()) {
                    return Err(AddressError::Syntax { problem: "'%' without two hexadecimal digits", at });
                }
            }
            b'/' | b'?' => {}
            _ if is_pchar(byte) => {}
            _ => {
                return Err(AddressError::Syntax { problem: "character that has to be percent-encoded", at });
            }
        }
    }
    Ok(())
}

/// `pchar` of RFC 3986 without percent-encoding.
fn is_pchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'@')
        || is_sub_delimiter(byte)
}

fn is_sub_delimiter(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

/// The MOID, and what follows the `/` that ends it.
fn moid<'a>(hierarchy: Piece<'a>, known: &dyn Fn(&str) -> bool) -> Result<(Moid, Piece<'a>), AddressError> {
    let end = hierarchy
        .text
        .rmatch_indices('/')
        .map(|(end, _)| end)
        // The last '/' opens the path, so only an earlier one can end the MOID.
        .skip(1)
        // A longer one is no MOID. Without this bound the time would grow with the square of the length.
        .filter(|end| *end <= MAX_NAME * MAX_GROWTH)
        .find(|end| {
            let prefix = Piece::of(hierarchy.text.get(..*end).unwrap_or_default(), 0);
            prefix.text.contains('/') && prefix.decoded().is_ok_and(|moid| known(&moid))
        });
    let (moid, rest) = match end {
        Some(end) => (
            Piece::of(hierarchy.text.get(..end).unwrap_or_default(), 0),
            Piece::of(hierarchy.text.get(end + 1..).unwrap_or_default(), end + 1),
        ),
        None => hierarchy.split_once('/').ok_or(hierarchy.end_error("no '/' after the MOID"))?,
    };
    Ok((Moid::parse(&moid.decoded()?)?, rest))
}

fn mo_inst(piece: Piece<'_>) -> Result<MoInst, AddressError> {
    Ok(match piece.text {
        "" => MoInst::Only,
        "*" => MoInst::All,
        _ => match x_name(piece)? {
            Some(letter) => MoInst::XName(letter),
            None => MoInst::Miid(Miid::parse(&piece.decoded()?)?),
        },
    })
}

fn path_segments(path: Piece<'_>) -> Result<Vec<Segment>, AddressError> {
    if path.text.is_empty() {
        return Ok(Vec::new());
    }
    path.split('/').map(segment).collect()
}

fn segment(piece: Piece<'_>) -> Result<Segment, AddressError> {
    Ok(match piece.text {
        "" => return Err(piece.error("empty node name")),
        "*" => Segment::Wildcard,
        _ => match x_name(piece)? {
            Some(letter) => Segment::XName(letter),
            None => Segment::Name(NodeName::parse(&piece.decoded()?)?),
        },
    })
}

/// The letter of an x-name. What only resembles one, such as `(xy)`, is refused: a real name of that form is
/// percent-encoded.
fn x_name(piece: Piece<'_>) -> Result<Option<XName>, AddressError> {
    let Some(inner) = piece.text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) else {
        return Ok(None);
    };
    let mut letters = inner.chars();
    match (letters.next().and_then(XName::new), letters.next()) {
        (Some(letter), None) => Ok(Some(letter)),
        _ => Err(piece.error("an x-name is one letter in parentheses")),
    }
}

fn query_fields(query: Piece<'_>) -> Result<Query, AddressError> {
    let mut fields = Query::default();
    for field in query.split('&').filter(|field| !field.text.is_empty()) {
        let Some((name, value)) = field.split_once('=') else {
            fields.0.push(QueryField::Other(field.text.to_string()));
            continue;
        };
        fields.0.push(match name.text {
            "lv" if fields.level().is_some() => return Err(field.error("lv is given twice")),
            "lv" => QueryField::Level(level(value)?),
            "nv" => QueryField::Condition(condition(value)?),
            "cv" if fields.validator().is_some() => return Err(field.error("cv is given twice")),
            "cv" => QueryField::Validator(value.decoded()?.into_owned()),
            _ => QueryField::Other(field.text.to_string()),
        });
    }
    Ok(fields)
}

fn level(value: Piece<'_>) -> Result<u32, AddressError> {
    let digits = !value.text.is_empty() && value.text.bytes().all(|byte| byte.is_ascii_digit());
    // No tree is as deep as the largest number, so a longer one means the same.
    let level = if digits { value.text.parse().unwrap_or(u32::MAX) } else { 0 };
    if level == 0 { Err(value.error("lv is not a positive whole number")) } else { Ok(level) }
}

fn condition(field: Piece<'_>) -> Result<Condition, AddressError> {
    let (path, value) = field.split_once(':').ok_or(field.end_error("nv without ':' before the value"))?;
    let mut parts = path.split('/');
    let letter = match parts.next() {
        Some(first) => x_name(first)?,
        None => None,
    };
    let letter = letter.ok_or(path.error("nv does not begin with an x-name"))?;
    let path = parts
        .map(|part| NodeName::parse(&part.decoded()?))
        .collect::<Result<Vec<NodeName>, AddressError>>()?;
    Ok(Condition { letter, path, value: String::from(value.decoded()?) })
}

/// Each letter once in the address, each with its nv fields, and no nv field without its letter.
fn check_x_names(uri: &ClientUri, query: Piece<'_>) -> Result<(), AddressError> {
    for (position, letter) in uri.x_names().enumerate() {
        if uri.x_names().take(position).any(|earlier| earlier == letter) {
            return Err(AddressError::Syntax { problem: "an x-name is used twice", at: 0 });
        }
        if !uri.query.conditions().any(|condition| condition.letter == letter) {
            return Err(query.end_error("an x-name has no nv field"));
        }
    }
    let stray = |condition: &Condition| uri.x_names().all(|letter| letter != condition.letter);
    if uri.query.conditions().any(stray) {
        return Err(query.error("an nv field has no x-name in the address"));
    }
    Ok(())
}
