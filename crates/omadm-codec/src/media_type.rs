//! Media types and the Accept syntax, also of `OMADM-Accept` (`DM 2.0 §5.5`, `RFC 2616 §14.1`).

use std::fmt;

use crate::error::{DecodeError, Problem};

/// `application/vnd.oma.dm.initiation+json`, Package#1.
pub const INITIATION_JSON: &str = "application/vnd.oma.dm.initiation+json";
/// `application/vnd.oma.dm.request+json`, Package#2.
pub const REQUEST_JSON: &str = "application/vnd.oma.dm.request+json";
/// `application/vnd.oma.dm.response+json`, Package#3.
pub const RESPONSE_JSON: &str = "application/vnd.oma.dm.response+json";
/// `application/dmmo+json`, MO data.
pub const DMMO_JSON: &str = "application/dmmo+json";
/// `application/vnd.syncml.dm+xml`, a message of DM 1.x in XML.
pub const SYNCML_DM_XML: &str = "application/vnd.syncml.dm+xml";
/// `application/vnd.syncml.dm+wbxml`, a message of DM 1.x in WBXML.
pub const SYNCML_DM_WBXML: &str = "application/vnd.syncml.dm+wbxml";
/// `multipart/form-data`, Package#3 with data.
pub const FORM_DATA: &str = "multipart/form-data";
/// `text/plain`.
pub const TEXT_PLAIN: &str = "text/plain";
/// `application/octet-stream`.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// A `Content-Type` value: type and subtype in lower case, parameters as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype` in lower case.
    pub essence: String,
    /// Parameters, names in lower case, values unquoted.
    pub parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Reads a `Content-Type` value.
    ///
    /// # Errors
    /// When it does not have the form `type/subtype *(;name=value)`, or names a parameter twice.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let (essence, parameters) = field_value(text, "media type")?;
        let legal =
            essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
        if !legal {
            let problem = Problem::Syntax("not of the form type/subtype".into());
            return Err(DecodeError { at: 0, field: "media type", problem });
        }
        Ok(Self { essence: essence.to_ascii_lowercase(), parameters })
    }
    /// Value of a parameter; `name` in lower case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.parameters, name)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.essence)?;
        for (name, value) in &self.parameters {
            write!(f, "; {name}={}", quote_if_needed(value))?;
        }
        Ok(())
    }
}

/// An `Accept` or `OMADM-Accept` value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptList {
    /// Ranges with their q-values in thousandths (0 to 1000), as written.
    pub ranges: Vec<(String, u16)>,
}

impl AcceptList {
    /// Reads a list; members that do not parse are skipped, a list without any good member is an error.
    ///
    /// # Errors
    /// When nothing in it is a media range.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let ranges: Vec<_> =
            split_unquoted(text, b',').filter_map(|(_, member)| media_range(member)).collect();
        if ranges.is_empty() {
            let problem = Problem::Syntax("no media range in it".into());
            return Err(DecodeError { at: 0, field: "Accept", problem });
        }
        Ok(Self { ranges })
    }
    /// Quality of a media type in thousandths: the most specific range decides; 0 is not acceptable.
    #[must_use]
    pub fn quality(&self, essence: &str) -> u16 {
        let best = self
            .ranges
            .iter()
            .filter_map(|(range, quality)| Some((specificity(range, essence)?, *quality)))
            .max();
        best.map_or(0, |(_, quality)| quality)
    }
    /// The first of `offered` with the highest quality above 0.
    #[must_use]
    pub fn choose<'a>(&self, offered: &[&'a str]) -> Option<&'a str> {
        let rated = offered.iter().map(|essence| (self.quality(essence), *essence));
        // `max_by_key` gives the last of equals, so the list is turned round.
        rated
            .rev()
            .max_by_key(|(quality, _)| *quality)
            .filter(|(quality, _)| *quality > 0)
            .map(|(_, essence)| essence)
    }
}

impl fmt::Display for AcceptList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (range, quality)) in self.ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{range}")?;
            if *quality < 1000 {
                write!(f, ";q=0.{quality:03}")?;
            }
        }
        Ok(())
    }
}

/// One member of an Accept list: its range in lower case and its quality; parameters other than `q` do not narrow it.
fn media_range(text: &str) -> Option<(String, u16)> {
    let (range, parameters) = field_value(text, "Accept").ok()?;
    let (kind, subtype) = range.split_once('/')?;
    let legal = match (kind, subtype) {
        ("*", subtype) => subtype == "*",
        (kind, subtype) => is_token(kind) && is_token(subtype),
    };
    let quality = find(&parameters, "q").map_or(Some(1000), thousandths)?;
    legal.then(|| (range.to_ascii_lowercase(), quality))
}

/// `0.8` as 800 (`RFC 2616 §3.9`): 0 to 1, three decimals at most.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

/// How closely a range names a media type: 2 itself, 1 its type, 0 any; `None` if it does not.
fn specificity(range: &str, essence: &str) -> Option<u8> {
    if range.eq_ignore_ascii_case(essence) {
        return Some(2);
    }
    match range.split_once('/')? {
        ("*", "*") => Some(0),
        (kind, "*") => essence.split_once('/')?.0.eq_ignore_ascii_case(kind).then_some(1),
        _ => None,
    }
}

/// Most parameters that a header field may have; those of any use have one or two.
const MOST_PARAMETERS: usize = 32;

/// Parameters of a header field, names in lower case, values unquoted.
pub(crate) type Parameters = Vec<(String, String)>;

/// Splits `value *(;name=value)`, the form that `Content-Type`, `Content-Disposition` and members of `Accept` share.
pub(crate) fn field_value<'t>(
    text: &'t str,
    field: &'static str,
) -> Result<(&'t str, Parameters), DecodeError> {
    let mut pieces = split_unquoted(text, b';');
    let value = pieces.next().map_or("", |(_, value)| value);
    let mut parameters = Parameters::new();
    for (at, piece) in pieces {
        if piece.is_empty() {
            continue;
        }
        let error = |problem| DecodeError { at, field, problem };
        if parameters.len() == MOST_PARAMETERS {
            return Err(error(Problem::TooMany { limit: MOST_PARAMETERS }));
        }
        let (name, value) = piece
            .split_once('=')
            .filter(|(name, _)| is_token(name))
            .ok_or_else(|| error(Problem::Syntax("a parameter has the form name=value".into())))?;
        let name = name.to_ascii_lowercase();
        let value = if is_token(value) { Some(value.to_owned()) } else { unquote(value) };
        let value = value
            .ok_or_else(|| error(Problem::Syntax("a value is neither a token nor a quoted string".into())))?;
        if find(&parameters, &name).is_some() {
            return Err(error(Problem::Duplicate));
        }
        parameters.push((name, value));
    }
    Ok((value, parameters))
}

/// Value of the parameter `name`.
pub(crate) fn find<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p str> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Pieces between separators that stand outside of quoted strings, trimmed, each with its byte offset.
fn split_unquoted(text: &str, separator: u8) -> impl Iterator<Item = (usize, &str)> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let rest = text.get(start..)?;
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.bytes().position(|byte| {
            let ends = byte == separator && !quoted;
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = quoted,
                b'"' => quoted = !quoted,
                _ => {}
            }
            ends
        });
        next = end.map(|end| start + end + 1);
        Some((start, rest.get(..end.unwrap_or(rest.len()))?.trim_matches([' ', '\t'])))
    })
}

/// Whether `text` is a token (`RFC 9110 §5.6.2`).
pub(crate) fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

/// Content of a quoted string (`RFC 9110 §5.6.4`).
fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let character = match character {
            '"' => return None,
            '\\' => characters.next()?,
            character => character,
        };
        if character.is_control() && character != '\t' {
            return None;
        }
        value.push(character);
    }
    Some(value)
}

/// `value` as a token, or as a quoted string if it is none.
pub(crate) fn quote_if_needed(value: &str) -> String {
    if is_token(value) { value.to_owned() } else { quote(value) }
}

/// `value` as a quoted string. Control characters, which no field can carry, are left out.
pub(crate) fn quote(value: &str) -> String {
    let mut quoted = String::from('"');
    for character in value.chars().filter(|character| !character.is_control() || *character == '\t') {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(text: &str) -> MediaType {
        MediaType::parse(text).unwrap()
    }

    #[test]
    fn a_media_type_is_split_and_lowered() {
        let parsed = media("Multipart/Form-Data ; Boundary=\"a;b=\\\"c\" ;charset=UTF-8;");
        assert_eq!(parsed.essence, FORM_DATA);
        assert_eq!(parsed.parameter("boundary"), Some("a;b=\"c"));
        assert_eq!(parsed.parameter("charset"), Some("UTF-8"));
        assert_eq!(parsed.parameter("q"), None);
        assert_eq!(media(&parsed.to_string()), parsed);
    }

    #[test]
    fn what_is_no_media_type_is_refused_with_its_place() {
        for (text, at, problem) in [
            ("", 0, "not of the form type/subtype"),
            ("text", 0, "not of the form type/subtype"),
            ("text/", 0, "not of the form type/subtype"),
            ("te xt/plain", 0, "not of the form type/subtype"),
            ("a/b/c", 0, "not of the form type/subtype"),
            ("text/plain;charset", 11, "a parameter has the form name=value"),
            ("text/plain;a=1;charset=\"x", 15, "neither a token nor a quoted string"),
            ("text/plain;a=b c", 11, "neither a token nor a quoted string"),
            ("text/plain;a=\"\\\u{14}\"", 11, "neither a token nor a quoted string"),
            ("text/plain;a=1; A=2", 15, "given twice"),
        ] {
            let error = MediaType::parse(text).unwrap_err();
            assert_eq!(error.at, at, "{text}");
            assert!(error.to_string().contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn parameters_are_counted() {
        let with = |count: usize| {
            let parameters: String = (0..count).map(|number| format!(";p{number}=1")).collect();
            MediaType::parse(&format!("a/b{parameters}"))
        };
        assert_eq!(with(32).unwrap().parameters.len(), 32);
        assert_eq!(with(33).unwrap_err().problem, Problem::TooMany { limit: 32 });
    }

    #[test]
    fn the_most_specific_range_decides() {
        let list =
            AcceptList::parse("text/*;q=0.3, text/html;q=0.7, */*;q=0.05, Image/PNG;level=1, text/plain;q=0")
                .unwrap();
        for (essence, quality) in
            [("text/html", 700), ("text/css", 300), ("TEXT/Plain", 0), ("image/png", 1000), ("a/b", 50)]
        {
            assert_eq!(list.quality(essence), quality, "{essence}");
        }
        assert_eq!(list.choose(&["a/b", "text/css", "text/x"]), Some("text/css"));
        assert_eq!(list.choose(&["text/plain"]), None);
        assert_eq!(list.choose(&[]), None);
        assert_eq!(AcceptList::parse(&list.to_string()), Ok(list));
    }

    #[test]
    fn bad_members_of_an_accept_list_are_skipped() {
        let list =
            AcceptList::parse(",, */html, text/plain;q=2, text/a;q=0.1234, text/b;q=x, text/c;q=1.0 ,")
                .unwrap();
        assert_eq!(list.ranges, [("text/c".to_owned(), 1000)]);
        for nothing in ["", ";;", ",", "text", "text/plain;q=1.001", "*/x"] {
            assert!(AcceptList::parse(nothing).is_err(), "{nothing}");
        }
    }

    #[test]
    fn an_empty_list_accepts_nothing() {
        assert_eq!(AcceptList::default().quality(TEXT_PLAIN), 0);
    }
}
