//! Addresses of DM 1.x: paths from the root of the tree, and the virtual addresses of DM 1.3 (`DM 1.3 TND §7`).
//!
//! How DM 1.3 writes a virtual address could not be read. Here it is a ClientURI of DM 2.0, the published successor of the same
//! group, which begins with `urn:` or with a MOID that the caller knows and so cannot be taken for a path; `?prop=` and `?list=`
//! are fields of its query. Nothing outside this module depends on that.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Dm1Error, Part, UriLimits};
use crate::client_uri::{ClientUri, MAX_ADDRESS, QueryField};
use crate::name::NodeName;

/// All that may not stand raw in a segment (RFC 2396 `pchar`).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',');

/// An address that parsed; whether there is such a node is another question.
///
/// It is a path (`./A/B`, `A/B`), or virtual: a ClientURI of DM 2.0 such as `urn:oma:mo:oma-dm-devinfo:1.1//Man`, with `prop=` and
/// `list=` as fields of its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dm1Uri {
    pub(crate) place: Place,
    part: Part,
    limits: UriLimits,
    departures: Vec<UriDeparture>,
}

/// Which node an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By its path; empty is the root.
    Path(Vec<NodeName>),
    /// By its management object.
    Virtual(ClientUri),
}

/// What was tolerated in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UriDeparture {
    /// `/A/B` where `./A/B` or `A/B` is meant, as an example of the TNDS specification has it.
    LeadingSlash,
    /// A keyword behind the `?` in other letter case than the standard's.
    KeywordCase,
    /// A character that has to be percent-encoded and is not.
    RawCharacter,
}

impl Dm1Uri {
    /// Parses the LocURI of a command. `limits` are those of this device; they bind paths, and whatever the command creates.
    /// `strict` takes nothing that [`UriDeparture`] lists.
    ///
    /// # Errors
    /// `Malformed`, `TooLong`; `NotSupported` for a property or list that the standard does not have.
    pub fn parse(text: &str, limits: &UriLimits, strict: bool) -> Result<Self, Dm1Error> {
        Self::parse_with(text, limits, strict, &|_| false)
    }

    /// [`Dm1Uri::parse`] that also takes virtual addresses whose MOID does not begin with `urn:`: those which `known` knows.
    ///
    /// # Errors
    /// As [`Dm1Uri::parse`].
    pub fn parse_with(
        text: &str,
        limits: &UriLimits,
        strict: bool,
        known: &dyn Fn(&str) -> bool,
    ) -> Result<Self, Dm1Error> {
        if text.len() > MAX_ADDRESS {
            let limit = u16::try_from(MAX_ADDRESS).unwrap_or(u16::MAX);
            let address = text.chars().take(64).collect();
            return Err(Dm1Error::TooLong { address, limited: "octets", limit });
        }
        let uri = if is_virtual(text, known) {
            virtual_address(text, limits, known)?
        } else {
            path_address(text, limits)?
        };
        if strict && !uri.departures.is_empty() {
            return Err(malformed(text, "it is not in the form of the standard"));
        }
        Ok(uri)
    }

    /// The absolute address of a node.
    #[must_use]
    pub fn of_path(path: Vec<NodeName>, limits: &UriLimits) -> Self {
        Self { place: Place::Path(path), part: Part::Node, limits: *limits, departures: Vec::new() }
    }

    /// What of the node is meant.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// Whether the node is named by its management object, not by its path.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        matches!(self.place, Place::Virtual(_))
    }

    /// What was tolerated, each once.
    #[must_use]
    pub fn departures(&self) -> &[UriDeparture] {
        &self.departures
    }

    /// The limits that it was parsed with.
    pub(crate) fn limits(&self) -> &UriLimits {
        &self.limits
    }
}

impl fmt::Display for Dm1Uri {
    /// The normal form: `./A/B`, only what has to be percent-encoded, keywords as the standard writes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Path(path) => write!(f, "{}{}", address_of(path), self.part),
            Place::Virtual(uri) if uri.query.0.is_empty() => write!(f, "{uri}{}", self.part),
            Place::Virtual(uri) => write!(f, "{uri}{}", self.part.to_string().replacen('?', "&", 1)),
        }
    }
}

impl UriLimits {
    /// Whether a node of this path keeps to the limits.
    ///
    /// # Errors
    /// `TooLong`.
    pub(crate) fn check(&self, path: &[NodeName]) -> Result<(), Dm1Error> {
        if *self == Self::default() {
            return Ok(());
        }
        let address = address_of(path);
        let segments = path.iter().map(|name| segment_of(name).chars().count());
        self.check_counts(&address, address.chars().count(), segments)
    }

    fn check_counts(
        &self,
        address: &str,
        total: usize,
        segments: impl Iterator<Item = usize>,
    ) -> Result<(), Dm1Error> {
        let check = |count: usize, limit: u16, limited| {
            if limit != 0 && count > usize::from(limit) {
                return Err(Dm1Error::TooLong { address: address.into(), limited, limit });
            }
            Ok(())
        };
        check(total, self.max_total, "characters of an address")?;
        let mut depth = 0;
        for segment in segments {
            depth += 1;
            check(segment, self.max_segment, "characters of a segment")?;
        }
        check(depth, self.max_depth, "segments")
    }
}

/// The absolute address of a path.
pub(crate) fn address_of(path: &[NodeName]) -> String {
    path.iter().fold(String::from("."), |address, name| address + "/" + &segment_of(name))
}

/// A name as a segment of an address.
#[must_use]
pub fn segment_of(name: &NodeName) -> String {
    utf8_percent_encode(&name.unescaped(), SEGMENT).to_string()
}

/// The name that a segment of an address means. A `/` in it (`%2F`) stays percent-encoded, as no name has one.
///
/// # Errors
/// What is wrong with it.
pub fn name_of(segment: &str) -> Result<NodeName, &'static str> {
    if segment.contains('/') {
        return Err("a segment has a '/' that is not percent-encoded");
    }
    let bytes = segment.as_bytes();
    let whole = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
        bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !whole {
        return Err("'%' without two hexadecimal digits");
    }
    let decoded =
        percent_decode_str(segment).decode_utf8().map_err(|_| "percent-encoded octets are not UTF-8")?;
    NodeName::escaped(&decoded).map_err(|_| "a segment is empty or no legal name")
}

fn malformed(address: &str, reason: &'static str) -> Dm1Error {
    Dm1Error::Malformed { address: address.into(), reason }
}

fn is_virtual(text: &str, known: &dyn Fn(&str) -> bool) -> bool {
    let urn = text.split_at_checked(4).is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("urn:"));
    let hierarchy = text.split('?').next().unwrap_or_default();
    // Two slashes, or a slash at the end, cannot be in a path.
    let looks_so = hierarchy.contains("//") || hierarchy.split('/').count() > 2;
    urn || (looks_so && hierarchy.match_indices('/').any(|(end, _)| hierarchy.get(..end).is_some_and(known)))
}

fn virtual_address(text: &str, limits: &UriLimits, known: &dyn Fn(&str) -> bool) -> Result<Dm1Uri, Dm1Error> {
    let mut uri = ClientUri::parse_with(text, known)
        .map_err(|_| malformed(text, "it is no address in a management object"))?;
    let mut part = None;
    let mut departures = Vec::new();
    let mut problem = None;
    uri.query.0.retain(|field| {
        let QueryField::Other(other) = field else { return true };
        match Part::parse(other, text) {
            Ok(read) if part.is_none() => {
                note_keyword(other, read, &mut departures);
                part = Some(read);
            }
            Ok(_) => problem = Some(malformed(text, "two parts of a node are addressed")),
            Err(error @ Dm1Error::NotSupported { .. }) => problem = Some(error),
            Err(_) => return true,
        }
        false
    });
    match problem {
        Some(problem) => Err(problem),
        None => Ok(Dm1Uri {
            place: Place::Virtual(uri),
            part: part.unwrap_or(Part::Node),
            limits: *limits,
            departures,
        }),
    }
}

fn path_address(text: &str, limits: &UriLimits) -> Result<Dm1Uri, Dm1Error> {
    let mut departures = Vec::new();
    let text = match text.strip_prefix('/') {
        Some(rest) => {
            departures.push(UriDeparture::LeadingSlash);
            rest
        }
        None => text,
    };
    let (node, part) = match text.split_once('?') {
        Some((node, part)) => (node, Some(part)),
        None => (text, None),
    };
    let path = if node == "." { Vec::new() } else { segments(node, text, &mut departures)? };
    let part_read = match part {
        Some(part) => Part::parse(part, text)?,
        None => Part::Node,
    };
    note_keyword(part.unwrap_or_default(), part_read, &mut departures);
    // The limit is for nodes and properties; a list is neither.
    let counted = if matches!(part_read, Part::List(_)) { node } else { text };
    let relative = node.strip_prefix("./").unwrap_or(node);
    let lengths = relative.split('/').map(|segment| segment.chars().count());
    limits.check_counts(text, counted.chars().count(), lengths.take(path.len()))?;
    Ok(Dm1Uri { place: Place::Path(path), part: part_read, limits: *limits, departures })
}

fn segments(
    node: &str,
    address: &str,
    departures: &mut Vec<UriDeparture>,
) -> Result<Vec<NodeName>, Dm1Error> {
    let relative = node.strip_prefix("./").unwrap_or(node);
    if relative.contains("./") {
        return Err(malformed(address, "'./' stands elsewhere than at the beginning"));
    }
    let raw = |byte: u8| byte != b'%' && byte != b'/' && !may_stand_raw(byte);
    if relative.bytes().any(raw) {
        departures.push(UriDeparture::RawCharacter);
    }
    relative.split('/').map(|segment| name_of(segment).map_err(|reason| malformed(address, reason))).collect()
}

/// Whether an octet may stand in a segment as it is.
fn may_stand_raw(byte: u8) -> bool {
    let text = [byte];
    byte.is_ascii()
        && core::str::from_utf8(&text)
            .is_ok_and(|text| utf8_percent_encode(text, SEGMENT).all(|piece| piece == text))
}

fn note_keyword(written: &str, part: Part, departures: &mut Vec<UriDeparture>) {
    // The order of TNDS fields is free, so that each piece is looked for by itself.
    let standard = part.to_string();
    let mut pieces = written.split(['=', '+', '-']);
    if !pieces.all(|piece| standard.split(['?', '=', '+', '-']).any(|word| word == piece)) {
        departures.push(UriDeparture::KeywordCase);
    }
}
