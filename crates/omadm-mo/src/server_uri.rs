//! ServerURI: an RFC 3986 URI with parameters such as `[DevID]` (`DM 2.0 §6.2`).

use alloc::string::String;
use core::net::Ipv6Addr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::AddressError;

/// A ServerURI as the server wrote it, parameters not yet replaced. Scheme is any; policy checks it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerUri(String);

/// Longest ServerURI in bytes that is parsed.
pub const MAX_SERVER_URI: usize = 8192;

/// What the device puts in place of the parameters; `None` becomes `-1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub struct ParameterValues {
    pub dev_id: Option<String>,
    pub mnc: Option<String>,
    pub mcc: Option<String>,
    pub cmnc: Option<String>,
    pub cmcc: Option<String>,
    pub sp_name: Option<String>,
}

impl ParameterValues {
    fn get(&self, name: &str) -> Option<&str> {
        let value = match name {
            "DevID" => &self.dev_id,
            "MNC" => &self.mnc,
            "MCC" => &self.mcc,
            "CMNC" => &self.cmnc,
            "CMCC" => &self.cmcc,
            "SPName" => &self.sp_name,
            _ => return None,
        };
        value.as_deref().filter(|value| !value.is_empty())
    }
}

/// What stands for a value the device does not have or a name it does not know.
const NOT_SUPPORTED: &str = "-1";

/// What is percent-encoded in a value that becomes part of a host.
const HOST_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What is percent-encoded in a value elsewhere: no character of it may end a path segment or a query field.
const VALUE: &AsciiSet = &HOST_VALUE.remove(b':');

impl ServerUri {
    /// Takes `text` if it would be an absolute RFC 3986 URI once its `[Name]` parameters are replaced. A bracket pair that
    /// is the whole host is an IP literal, not a parameter; `%5BName%5D` counts as `[Name]` outside the authority.
    ///
    /// # Errors
    /// [`AddressError`] with the byte offset of the first illegal character.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        scan(text, &mut |_| {})?;
        Ok(Self(text.into()))
    }
    /// The text as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Replaces every parameter (percent-encoded after replacement); unknown names and missing values become `-1`.
    #[must_use]
    pub fn expand(&self, values: &ParameterValues) -> String {
        let mut expanded = String::with_capacity(self.0.len());
        let outcome = scan(&self.0, &mut |part| match part {
            Part::Literal(text) => expanded.push_str(text),
            Part::Parameter { name, in_host } => {
                let value = values.get(name).unwrap_or(NOT_SUPPORTED);
                expanded.extend(utf8_percent_encode(value, if in_host { HOST_VALUE } else { VALUE }));
            }
        });
        debug_assert!(outcome.is_ok(), "the text was scanned when it was taken");
        expanded
    }
}

/// What a ServerURI consists of.
enum Part<'a> {
    Literal(&'a str),
    Parameter { name: &'a str, in_host: bool },
}

type Sink<'s, 'a> = &'s mut dyn FnMut(Part<'a>);

/// A component of a URI: which characters it may hold beside unreserved ones and percent triplets.
#[derive(Clone, Copy)]
struct Component {
    extra: &'static [u8],
    in_host: bool,
}

const USERINFO: Component = Component { extra: b"!$&'()*+,;=:", in_host: true };
const HOST: Component = Component { extra: b"!$&'()*+,;=", in_host: true };
const PATH: Component = Component { extra: b"!$&'()*+,;=:@/", in_host: false };
const QUERY: Component = Component { extra: b"!$&'()*+,;=:@/?", in_host: false };

/// Checks `text` and hands its parts to `sink`, which together are the whole text.
fn scan<'a>(text: &'a str, sink: Sink<'_, 'a>) -> Result<(), AddressError> {
    if text.len() > MAX_SERVER_URI {
        return Err(AddressError::TooLong { what: "ServerURI", limit: MAX_SERVER_URI });
    }
    let colon = text.find(':').ok_or(AddressError::Syntax { problem: "no scheme", at: 0 })?;
    let scheme = text.get(..colon).unwrap_or_default();
    check_scheme(scheme)?;
    sink(Part::Literal(text.get(..=colon).unwrap_or_default()));
    let mut at = colon + 1;
    let rest = text.get(at..).unwrap_or_default();
    let needs_host = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    if let Some(hierarchy) = rest.strip_prefix("//") {
        let length = hierarchy.find(['/', '?', '#']).unwrap_or(hierarchy.len());
        sink(Part::Literal("//"));
        at += 2;
        // `file:///x` has an authority, an empty one.
        if length > 0 || needs_host {
            authority(hierarchy.get(..length).unwrap_or_default(), at, sink)?;
        }
        at += length;
    } else if needs_host {
        return Err(AddressError::Syntax { problem: "no host", at });
    }
    tail(text.get(at..).unwrap_or_default(), at, sink)
}

fn check_scheme(scheme: &str) -> Result<(), AddressError> {
    let letter_first = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    match scheme.bytes().position(|byte| !legal(byte)) {
        Some(at) => Err(AddressError::Syntax { problem: "illegal character in the scheme", at }),
        None if letter_first => Ok(()),
        None => Err(AddressError::Syntax { problem: "the scheme does not begin with a letter", at: 0 }),
    }
}

/// `[ userinfo "@" ] host [ ":" port ]`
fn authority<'a>(text: &'a str, at: usize, sink: Sink<'_, 'a>) -> Result<(), AddressError> {
    let host_at = text.rfind('@').map_or(0, |end| end + 1);
    if let Some(userinfo) = host_at.checked_sub(1).and_then(|end| text.get(..end)) {
        component(userinfo, at, USERINFO, sink)?;
        sink(Part::Literal("@"));
    }
    let host_port = text.get(host_at..).unwrap_or_default();
    let at = at + host_at;
    let (host_length, literal) = match ip_literal(host_port) {
        Some(length) => (length, true),
        None => (host_port.rfind(':').unwrap_or(host_port.len()), false),
    };
    let (host, port) = host_port.split_at_checked(host_length).unwrap_or((host_port, ""));
    if host.is_empty() {
        return Err(AddressError::Syntax { problem: "no host", at });
    }
    if literal {
        check_ip_literal(host, at)?;
        sink(Part::Literal(host));
    } else {
        component(host, at, HOST, sink)?;
    }
    if let Some(bad) = port.bytes().skip(1).position(|byte| !byte.is_ascii_digit()) {
        return Err(AddressError::Syntax {
            problem: "the port is not a number",
            at: at + host_length + 1 + bad,
        });
    }
    sink(Part::Literal(port));
    Ok(())
}

/// Length of the bracket pair that is the whole host.
fn ip_literal(host_port: &str) -> Option<usize> {
    let length = host_port.strip_prefix('[')?.find(']')? + 2;
    let after = host_port.get(length..)?;
    (after.is_empty() || after.starts_with(':')).then_some(length)
}

fn check_ip_literal(host: &str, at: usize) -> Result<(), AddressError> {
    let inner = host.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default();
    let future = || {
        let (version, address) = inner.strip_prefix(['v', 'V'])?.split_once('.')?;
        let legal = |byte: u8| is_unreserved(byte) || USERINFO.extra.contains(&byte);
        let hexadecimal = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(hexadecimal && !address.is_empty() && address.bytes().all(legal))
    };
    if inner.parse::<Ipv6Addr>().is_ok() || future() == Some(true) {
        Ok(())
    } else {
        Err(AddressError::Syntax { problem: "the host in brackets is not an IP address", at })
    }
}

/// Path, query and fragment.
fn tail<'a>(text: &'a str, at: usize, sink: Sink<'_, 'a>) -> Result<(), AddressError> {
    let path_end = text.find(['?', '#']).unwrap_or(text.len());
    let (path, rest) = text.split_at_checked(path_end).unwrap_or((text, ""));
    component(path, at, PATH, sink)?;
    if let Some(query) = rest.strip_prefix('?') {
        let end = query.find('#').unwrap_or(query.len());
        let (query, fragment) = query.split_at_checked(end).unwrap_or((query, ""));
        sink(Part::Literal("?"));
        component(query, at + path_end + 1, QUERY, sink)?;
        return fragment_part(fragment, at + path_end + 1 + end, sink);
    }
    fragment_part(rest, at + path_end, sink)
}

/// A fragment with its `#`, or nothing.
fn fragment_part<'a>(text: &'a str, at: usize, sink: Sink<'_, 'a>) -> Result<(), AddressError> {
    let Some(fragment) = text.strip_prefix('#') else { return Ok(()) };
    sink(Part::Literal("#"));
    component(fragment, at + 1, QUERY, sink)
}

/// Walks one component: literal stretches and parameters.
fn component<'a>(text: &'a str, at: usize, rule: Component, sink: Sink<'_, 'a>) -> Result<(), AddressError> {
    let mut from = 0;
    let mut here = 0;
    while let Some(&byte) = text.as_bytes().get(here) {
        let rest = text.get(here..).unwrap_or_default();
        if let Some((name, length)) = parameter(rest, rule.in_host) {
            sink(Part::Literal(text.get(from..here).unwrap_or_default()));
            sink(Part::Parameter { name, in_host: rule.in_host });
            here += length;
            from = here;
        } else if byte == b'%' {
            if !rest.as_bytes().get(1..3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                let problem = "'%' without two hexadecimal digits";
                return Err(AddressError::Syntax { problem, at: at + here });
            }
            here += 3;
        } else if is_unreserved(byte) || rule.extra.contains(&byte) {
            here += 1;
        } else {
            return Err(AddressError::Syntax { problem: "illegal character", at: at + here });
        }
    }
    sink(Part::Literal(text.get(from..).unwrap_or_default()));
    Ok(())
}

/// The parameter at the start of `text`: its name and the length of the whole.
fn parameter(text: &str, in_host: bool) -> Option<(&str, usize)> {
    let opened = |open: &str| {
        text.get(..open.len()).filter(|start| start.eq_ignore_ascii_case(open))?;
        text.get(open.len()..)
    };
    let (inner, open) = match opened("[") {
        Some(inner) => (inner, 1),
        None if in_host => return None,
        None => (opened("%5B")?, 3),
    };
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')?;
    let (name, after) = inner.split_at_checked(end)?;
    let close = if after.starts_with(']') {
        1
    } else if !in_host && after.get(..3).is_some_and(|text| text.eq_ignore_ascii_case("%5D")) {
        3
    } else {
        return None;
    };
    (!name.is_empty()).then_some((name, open + end + close))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    fn expand(text: &str) -> String {
        let values = ParameterValues {
            dev_id: Some("IMEI:493005100592800".into()),
            mcc: Some("262".into()),
            mnc: Some("01".into()),
            sp_name: Some("My Net/?ä".into()),
            cmcc: Some(String::new()),
            ..ParameterValues::default()
        };
        ServerUri::parse(text).unwrap().expand(&values)
    }

    #[test]
    fn parameters_are_replaced_and_encoded() {
        assert_eq!(expand("https://h/[DevID]"), "https://h/IMEI:493005100592800");
        assert_eq!(
            expand("https://h/a/[MCC]/[MNC]?d=[DevID]#[MCC]"),
            "https://h/a/262/01?d=IMEI:493005100592800#262"
        );
        assert_eq!(expand("https://h/[SPName]"), "https://h/My%20Net%2F%3F%C3%A4");
        assert_eq!(expand("https://h/%5bMCC%5D/x"), "https://h/262/x");
        assert_eq!(expand("https://[MCC].example.com:8443/"), "https://262.example.com:8443/");
        assert_eq!(expand("https://x[DevID].example.com/"), "https://xIMEI%3A493005100592800.example.com/");
    }

    #[test]
    fn what_is_not_supported_becomes_minus_one() {
        assert_eq!(expand("https://h/[Foo]/[CMNC]/[CMCC]/[devid]"), "https://h/-1/-1/-1/-1");
    }

    #[test]
    fn ip_literals_stay() {
        for text in ["https://[2001:db8::1]/x", "https://[::1]:8443/", "http://u:p@[::ffff:1.2.3.4]:1/?a#b"] {
            assert_eq!(expand(text), text);
        }
    }

    #[test]
    fn what_is_no_uri_is_refused_with_its_place() {
        let at = |text: &str| match ServerUri::parse(text) {
            Err(AddressError::Syntax { at, .. }) => Some(at),
            _ => None,
        };
        assert_eq!(at("::::"), Some(0));
        assert_eq!(at("no-scheme"), Some(0));
        assert_eq!(at("1http://h/"), Some(0));
        assert_eq!(at("http:///x"), Some(7));
        assert_eq!(at("https:x"), Some(6));
        assert_eq!(at("http://h/a b"), Some(10));
        assert_eq!(at("http://h/%4"), Some(9));
        assert_eq!(at("http://h/[Dev ID]"), Some(9));
        assert_eq!(at("http://h/[]"), Some(9));
        assert_eq!(at("http://h:80a/"), Some(11));
        assert_eq!(at("http://[DevID]/"), Some(7));
        let long = |length: usize| format!("http://h/{}", "a".repeat(length - "http://h/".len()));
        assert!(ServerUri::parse(&long(MAX_SERVER_URI)).is_ok());
        assert!(ServerUri::parse(&long(MAX_SERVER_URI + 1)).is_err());
    }

    #[test]
    fn other_schemes_are_uris_too() {
        assert_eq!(expand("urn:x:[MCC]"), "urn:x:262");
        assert_eq!(expand("file:///etc/[MCC]"), "file:///etc/262");
    }

    proptest! {
        #[test]
        fn an_expanded_uri_holds_no_parameter_and_parses(text in "[a-z]{1,4}://[a-z\\[\\]A-Z.]{1,8}/[\\PC]{0,20}") {
            if let Ok(uri) = ServerUri::parse(&text) {
                let expanded = uri.expand(&ParameterValues::default());
                let again = ServerUri::parse(&expanded).unwrap();
                prop_assert_eq!(again.expand(&ParameterValues::default()), expanded);
            }
        }
    }
}
