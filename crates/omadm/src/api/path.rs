//! Paths and queries of requests, percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one path segment.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The query of a request.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(&'static str, String)>);

impl Query {
    /// No query.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds a field.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, value.to_owned()));
        self
    }
    /// Adds a field if there is a value.
    pub fn with_some(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
    /// The path with this query.
    pub fn onto(&self, path: &str) -> String {
        let mut target = path.to_owned();
        for (index, (name, value)) in self.0.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            target.push_str(&segment(value));
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_unreserved_is_encoded() {
        assert_eq!(segment("UUID:a/b?c d"), "UUID%3Aa%2Fb%3Fc%20d");
        let query = Query::new().with("at", "urn:x//").with_some("after", None).with("limit", "5");
        assert_eq!(query.onto("/devices"), "/devices?at=urn%3Ax%2F%2F&limit=5");
    }
}
