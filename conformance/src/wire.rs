//! HTTP messages as the scripted peers see them: all octets and all headers.

use http::{HeaderMap, Method};

/// A request that a scripted server received.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path and query as they were on the wire.
    pub target: String,
    /// Headers; names in lower case.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
    /// Whether it came over TLS.
    pub tls: bool,
}

/// An answer that a scripted client received.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers; names in lower case.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().expect("the header is ASCII"))
}

impl Request {
    /// Value of a header; the first if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Reply {
    /// The challenge of a scheme in `WWW-Authenticate`, which may stand there several times.
    #[must_use]
    pub fn challenge(&self, scheme: &str) -> Option<&str> {
        let values = self.headers.get_all("www-authenticate").iter();
        let mut values = values.map(|value| value.to_str().expect("the header is ASCII"));
        values.find(|value| value.split(' ').next() == Some(scheme))
    }

    /// Value of a header; the first if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error} in {} {:?}", self.status, String::from_utf8_lossy(&self.body))
        })
    }
}
