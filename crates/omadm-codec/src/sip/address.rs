//! Values of `Via`, `From`, `To` and `Contact` (`RFC 3261 §20`).

use std::fmt;

use crate::media_type::is_token;

/// The topmost value of `Via`: where the response goes, and which transaction it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP` and so on, in capitals.
    pub transport: String,
    /// Host of the sender by its own words; IPv6 in brackets.
    pub host: String,
    /// Its port.
    pub port: Option<u16>,
    /// Parameters in order, names in lower case.
    parameters: Vec<(String, Option<String>)>,
}

impl Via {
    /// Of a request of ours: it wants the answer at the port that it comes from (`RFC 3581`).
    #[must_use]
    pub fn new(transport: &str, host: &str, port: u16, branch: &str) -> Self {
        let parameters = vec![("branch".to_owned(), Some(branch.to_owned())), ("rport".to_owned(), None)];
        Self { transport: transport.to_owned(), host: host.to_owned(), port: Some(port), parameters }
    }

    /// Reads the first value of a field.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut pieces = split(first(text), ';');
        let (protocol, sent_by) = pieces.next()?.rsplit_once([' ', '\t'])?;
        let protocol: String = protocol.chars().filter(|c| !matches!(c, ' ' | '\t')).collect();
        let transport = protocol.to_ascii_uppercase().strip_prefix("SIP/2.0/").map(str::to_owned)?;
        let (host, port) = host_and_port(sent_by)?;
        let mut parameters = Vec::new();
        for piece in pieces {
            let (name, value) = match piece.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
                None => (piece, None),
            };
            if !is_token(name) {
                return None;
            }
            parameters.push((name.to_ascii_lowercase(), value));
        }
        is_token(&transport).then(|| Self { transport, host: host.to_owned(), port, parameters })
    }

    /// The value of a parameter; `Some(None)` for one without a value.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Option<&str>> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_deref())
    }

    /// `branch`.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.parameter("branch").flatten()
    }

    /// Notes where the request really came from (`RFC 3261 §18.2.1`, `RFC 3581 §4`).
    pub fn came_from(&mut self, source: std::net::SocketAddr) {
        let received = source.ip().to_string();
        if self.host.trim_start_matches('[').trim_end_matches(']') != received
            || self.parameter("rport").is_some()
        {
            self.set("received", received);
        }
        if self.parameter("rport").is_some() {
            self.set("rport", source.port().to_string());
        }
    }

    fn set(&mut self, name: &str, value: String) {
        match self.parameters.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = Some(value),
            None => self.parameters.push((name.to_owned(), Some(value))),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (name, value) in &self.parameters {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}

/// `host`, `host:port` or `[IPv6]:port`.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        // A colon in brackets is one of the address.
        Some((host, port)) if !port.contains(']') => (host.trim_end(), Some(port.trim_start())),
        _ => (text, None),
    };
    let name = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
    let legal = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
        Some(inner) => inner?.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(name),
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|number| *number > 0)?),
        None => None,
    };
    legal.then_some((host, port))
}

/// The `tag` of a value of `From` or `To`.
#[must_use]
pub fn tag(value: &str) -> Option<&str> {
    parameter(value, "tag")
}

/// `value` of `To` with a tag, unless it has one.
#[must_use]
pub fn with_tag(value: &str, new: &str) -> String {
    if tag(value).is_some() { value.to_owned() } else { format!("{value};tag={new}") }
}

/// The URI of the first value of `Contact`, `From` or `To`, without the parameters of the field.
#[must_use]
pub fn uri_of(value: &str) -> Option<&str> {
    let value = first(value);
    let uri = match outside_quotes(value, '<') {
        Some(at) => value.get(at + 1..)?.split_once('>')?.0,
        None => value.split(';').next()?.trim(),
    };
    (!uri.is_empty() && !uri.contains([' ', '\t', '"'])).then_some(uri)
}

/// A parameter of the first value of a field that holds an address.
#[must_use]
pub fn parameter<'v>(value: &'v str, name: &str) -> Option<&'v str> {
    let value = first(value);
    // Parameters in angle brackets are those of the URI.
    let after = match outside_quotes(value, '<') {
        Some(at) => value.get(at..)?.split_once('>')?.1,
        None => value.split_once(';').map_or("", |(_, parameters)| parameters),
    };
    let pairs = split(after, ';').filter_map(|piece| piece.split_once('='));
    let mut found = pairs.filter(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

/// The first of values with commas between them.
fn first(text: &str) -> &str {
    split(text, ',').next().unwrap_or_default()
}

/// What stands after the first value and its comma.
pub(super) fn after_first(text: &str) -> Option<&str> {
    let at = outside_quotes(text, ',')?;
    text.get(at + 1..).map(str::trim).filter(|rest| !rest.is_empty())
}

/// Pieces between separators that stand neither in quotes nor in angle brackets, trimmed.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match outside_quotes(text, separator) {
            Some(at) => {
                rest = text.get(at + 1..);
                text.get(..at).map(str::trim)
            }
            None => rest.take().map(str::trim),
        }
    })
}

/// Where an ASCII character stands first outside of quotes, and outside of angle brackets unless it is one.
fn outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    text.char_indices().find_map(|(at, c)| {
        let found = c == wanted && !quoted && !bracketed;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            _ => {}
        }
        found.then_some(at)
    })
}
