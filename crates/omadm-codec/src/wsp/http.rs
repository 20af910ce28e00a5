//! Headers of HTTP as headers of WSP, and back: the gateway does the same on its side (`WAP-230 §8.4.2`).
//!
//! Where a value has no code, name and value go as texts, which is legal for every header and which every gateway passes on.

use super::content_type;
use super::field::{Header, HeaderName, Media, MediaName, ShortInteger, Text, Token, Value};
use super::names::{self, Names};
use crate::Limits;
use crate::media_type::MediaType;
use crate::reader::Reader;

/// `charset` as a parameter of a content type.
const CHARSET: u8 = 0x81;
/// Basic authentication where a scheme is named.
const BASIC: u8 = 0x80;
/// Before a text that HTTP writes in quotation marks; there is none at its end.
const QUOTE: char = '"';

impl Header {
    /// The header of HTTP as headers of WSP: lists become a header for each element. `None` when the name is no token, or the value has a
    /// control character in it.
    #[must_use]
    pub fn from_http(name: &str, value: &str) -> Option<Vec<Self>> {
        let elements = |code: u8, value: fn(&str) -> Option<Value>, list: &str| {
            let values: Option<Vec<Value>> = list.split(',').map(|element| value(element.trim())).collect();
            Some(values?.into_iter().map(|value| Self::coded(code, value)).collect())
        };
        let code = names::header_code(name);
        let coded: Option<Vec<Self>> = match (code, name.to_ascii_lowercase().as_str()) {
            (Some(code), "accept") => elements(code, media_range, value),
            (Some(code), "accept-charset") => elements(code, |name| number(Names::Charsets, name), value),
            (Some(code), "cache-control") => elements(code, |name| number(Names::CacheControl, name), value),
            (Some(code), "content-encoding" | "accept-encoding") => {
                elements(code, |name| number(Names::Codings, name), value)
            }
            (Some(code), "content-length" | "age" | "max-forwards") => {
                value.parse().ok().map(|number| vec![Self::coded(code, Value::integer(number))])
            }
            (
                Some(code),
                "user-agent" | "server" | "location" | "host" | "from" | "referer" | "via" | "upgrade"
                | "etag" | "content-location" | "content-base",
            ) => Some(vec![Self::coded(code, Value::Text(Text::new(value)?))]),
            _ => None,
        };
        coded.or_else(|| {
            let name = HeaderName::Text(Token::new(name)?);
            Some(vec![Self { name, value: Value::Text(Text::new(value)?) }])
        })
    }

    fn coded(code: u8, value: Value) -> Self {
        Self { name: HeaderName::Code(ShortInteger::low_bits(code)), value }
    }

    /// Name and value as HTTP writes them. `None` for what has no name, and for values in a form that is of no use to device management,
    /// such as dates.
    #[must_use]
    pub fn to_http(&self) -> Option<(&str, String)> {
        let name = self.name.as_str()?;
        let code = match &self.name {
            HeaderName::Code(code) => code.get(),
            HeaderName::Text(_) => names::header_code(name).unwrap_or(ShortInteger::MAX),
        };
        let value = match (&self.value, names::header(code).unwrap_or_default()) {
            (Value::Text(text), _) => close_quote(text.as_str()),
            (value, "Accept" | "Content-Type") => content_type::name(value.as_integer()?)?.to_owned(),
            (value, "Accept-Charset") => Names::Charsets.name(value.as_integer()?)?.to_owned(),
            (value, "Cache-Control") => Names::CacheControl.name(value.as_integer()?)?.to_owned(),
            (value, "Content-Encoding" | "Accept-Encoding") => {
                Names::Codings.name(value.as_integer()?)?.to_owned()
            }
            (value, "Content-Length" | "Age" | "Max-Forwards") => value.as_integer()?.to_string(),
            (Value::Octets(octets), "WWW-Authenticate" | "Proxy-Authenticate") => challenge(octets)?,
            _ => return None,
        };
        Some((name, value))
    }
}

impl Media {
    /// The content type of HTTP: by codes where there are some. `None` when it is none, or cannot be written.
    #[must_use]
    pub fn from_http(value: &str) -> Option<Self> {
        let MediaType { essence, parameters } = MediaType::parse(value).ok()?;
        let name = match content_type::code(&essence) {
            Some(code) => MediaName::Code(code),
            None => MediaName::Text(Text::new(&essence)?),
        };
        let mut octets = Vec::new();
        for (name, value) in &parameters {
            match Names::Charsets.code(value).filter(|_| name == "charset") {
                Some(charset) => {
                    octets.push(CHARSET);
                    Value::integer(charset).write(&mut octets);
                }
                None => {
                    for word in [Token::new(name)?, Token::new(value)?] {
                        octets.extend(word.as_str().bytes());
                        octets.push(0);
                    }
                }
            }
        }
        Some(Self { name, parameters: octets })
    }
}

/// An element of `Accept` without parameters.
fn media_range(element: &str) -> Option<Value> {
    match content_type::code(element) {
        Some(code) => Some(Value::integer(code)),
        None if element.contains(';') => None,
        None => Text::new(element).map(Value::Text),
    }
}

fn number(names: Names, element: &str) -> Option<Value> {
    names.code(element).map(Value::integer)
}

/// A text, with the quotation mark at its end that HTTP wants and WSP does not have.
fn close_quote(text: &str) -> String {
    let open = text.starts_with(QUOTE) && (text.len() == 1 || !text.ends_with(QUOTE));
    if open { format!("{text}{QUOTE}") } else { text.to_owned() }
}

/// A challenge: scheme, realm, and parameters, those of Basic but for its realm left out.
fn challenge(octets: &[u8]) -> Option<String> {
    const FIELD: &str = "challenge";
    let limits = Limits { bytes: octets.len(), ..Limits::default() };
    let mut reader = Reader::new(octets, &limits).ok()?;
    let scheme = if reader.peek() == Some(BASIC) {
        reader.byte(FIELD).ok()?;
        None
    } else {
        Some(Token::read(&mut reader, FIELD).ok()?)
    };
    let realm = Text::read(&mut reader, FIELD).ok()?;
    let scheme = scheme.as_ref().map_or("Basic", Token::as_str);
    let mut text = format!("{scheme} realm=\"{}\"", realm.as_str().trim_matches(QUOTE));
    while reader.peek().is_some() {
        let name = Token::read(&mut reader, FIELD).ok()?;
        let value = match Value::read(&mut reader).ok()? {
            Value::Text(value) => close_quote(value.as_str()),
            value => value.as_integer()?.to_string(),
        };
        text.extend([", ", name.as_str(), "=", &value]);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(name: &str, value: &str) -> Vec<u8> {
        let mut out = Vec::new();
        Header::from_http(name, value).unwrap().iter().for_each(|header| header.write(&mut out));
        out
    }

    /// Headers on the wire, as HTTP writes them.
    fn http(octets: &[u8]) -> Vec<Option<(String, String)>> {
        let limits = Limits::default();
        let headers =
            super::super::field::read_headers(&mut Reader::new(octets, &limits).unwrap(), &limits).unwrap();
        headers.iter().map(|header| header.to_http().map(|(name, value)| (name.to_owned(), value))).collect()
    }

    #[test]
    fn what_a_session_sends_has_codes() {
        let accept = "application/vnd.syncml.dm+wbxml, application/vnd.syncml.dm+xml";
        assert_eq!(octets("Accept", accept), [0x80, 0xc2, 0x80, 0xc3]);
        assert_eq!(octets("accept-charset", "UTF-8"), [0x81, 0xea]);
        assert_eq!(octets("cache-control", "no-store, private"), [0x88, 0x81, 0x88, 0x87]);
        assert_eq!(octets("User-Agent", "a/1"), b"\xa9a/1\0");
        assert_eq!(octets("Content-Length", "60000"), [0x8d, 2, 0xea, 0x60]);
    }

    #[test]
    fn what_has_no_code_goes_as_text() {
        assert_eq!(octets("x-syncml-hmac", "algorithm=MD5"), b"x-syncml-hmac\0algorithm=MD5\0");
        assert_eq!(octets("Authorization", "Basic YQ=="), b"Authorization\0Basic YQ==\0");
        assert_eq!(octets("Accept", "text/x;q=0.5, a/b"), b"Accept\0text/x;q=0.5, a/b\0");
        assert_eq!(octets("Accept", "a/b"), b"\x80a/b\0");
        assert_eq!(octets("Cache-Control", "max-age=5"), b"Cache-Control\0max-age=5\0");
        assert_eq!(octets("Content-Length", "many"), b"Content-Length\0many\0");
        assert_eq!(Header::from_http("a b", "c"), None);
        assert_eq!(Header::from_http("a", "b\r\nc"), None);
        assert_eq!(Header::from_http("User-Agent", "b\nc"), None);
    }

    #[test]
    fn headers_of_gateways_are_read() {
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        let gateway = b"\xa6BaseHTTP/0.6\0\x92\x04\x6b\x01\xd4\x5dx-syncml-hmac\0algorithm=SHA256\0\xbd\x81\x8d\x85\xc3\x93";
        let expected = [
            pair("Server", "BaseHTTP/0.6"),
            None,
            pair("x-syncml-hmac", "algorithm=SHA256"),
            pair("Cache-Control", "no-store"),
            pair("Content-Length", "5"),
            None,
        ];
        assert_eq!(http(gateway), expected);
        let textual = b"content-type\0text/plain\0www-authenticate\0Digest realm=\"dm\"\0";
        let expected = [pair("content-type", "text/plain"), pair("www-authenticate", "Digest realm=\"dm\"")];
        assert_eq!(http(textual), expected);
    }

    #[test]
    fn challenges_are_written_as_http_has_them() {
        let basic = b"\xad\x04\x80dm\0";
        assert_eq!(http(basic), [Some(("WWW-Authenticate".to_owned(), "Basic realm=\"dm\"".to_owned()))]);
        let digest = b"Digest\0dm\0nonce\0\"abc\0qop\0\"auth,auth-int\0stale\0true\0n\0\x85";
        let mut octets = vec![0xad, 31, u8::try_from(digest.len()).unwrap()];
        octets.extend(digest);
        let written = "Digest realm=\"dm\", nonce=\"abc\", qop=\"auth,auth-int\", stale=true, n=5";
        assert_eq!(http(&octets), [Some(("WWW-Authenticate".to_owned(), written.to_owned()))]);
        assert_eq!(http(b"\xad\x02dm"), [None], "no end");
    }

    #[test]
    fn content_types_are_those_of_http_both_ways() {
        let octets = |value: &str| {
            let mut out = Vec::new();
            Media::from_http(value).unwrap().write(&mut out);
            out
        };
        assert_eq!(octets("application/vnd.syncml.dm+wbxml"), [0xc2]);
        assert_eq!(octets("application/vnd.syncml.dm+xml; charset=UTF-8"), [3, 0xc3, 0x81, 0xea]);
        assert_eq!(octets("a/b"), b"a/b\0");
        assert_eq!(octets("a/b;x=y"), b"\x08a/b\0x\0y\0");
        assert_eq!(Media::from_http("nonsense"), None);
        for value in
            ["application/vnd.syncml.dm+xml;charset=utf-8", "a/b;x=y", "application/vnd.syncml.dm+wbxml"]
        {
            assert_eq!(Media::from_http(value).unwrap().as_http().as_deref(), Some(value));
        }
    }
}
