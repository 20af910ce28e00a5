//! The beginning of URLs that may be asked for.

use std::fmt;

use http::Uri;
use http::uri::{Authority, Scheme};
use percent_encoding::percent_decode_str;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A URL that ends in `/`, such as `https://ddf.example.org/files/`; it stands for all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPrefix {
    scheme: Scheme,
    authority: Authority,
    path: String,
}

impl UrlPrefix {
    fn parse(text: &str) -> Result<Self, String> {
        let wanted = "write a URL that ends in '/', such as \"https://ddf.example.org/files/\"";
        let uri: Uri = text.parse().map_err(|error| format!("{text:?} is no URL ({error}); {wanted}"))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority), Some(path)) =
            (parts.scheme, parts.authority, parts.path_and_query)
        else {
            return Err(format!("{text:?} is no complete URL; {wanted}"));
        };
        let known = scheme == Scheme::HTTPS || scheme == Scheme::HTTP;
        if !known || authority.as_str().contains('@') || path.query().is_some() || !path.path().ends_with('/')
        {
            return Err(format!("{text:?} is no such prefix; {wanted}"));
        }
        Ok(Self { scheme, authority, path: path.path().to_owned() })
    }

    /// Whether a URL is below: of the same scheme, host and port, and with a path that begins so and never goes up again.
    #[must_use]
    pub fn allows(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return false };
        let port = |authority: &Authority| {
            authority.port_u16().unwrap_or(if self.scheme == Scheme::HTTPS { 443 } else { 80 })
        };
        let climbs = percent_decode_str(uri.path())
            .decode_utf8_lossy()
            .split(['/', '\\'])
            .any(|part| matches!(part, "." | ".."));
        *scheme == self.scheme
            && !authority.as_str().contains('@')
            && authority.host().eq_ignore_ascii_case(self.authority.host())
            && port(authority) == port(&self.authority)
            && uri.path().starts_with(&self.path)
            && !climbs
    }
}

impl fmt::Display for UrlPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

impl<'de> Deserialize<'de> for UrlPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for UrlPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::str::FromStr for UrlPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_is_allowed() {
        let prefix = UrlPrefix::parse("https://DDF.example.org/files/").unwrap();
        assert_eq!(prefix.to_string(), "https://DDF.example.org/files/");
        for (url, allowed) in [
            ("https://ddf.example.org/files/a.ddf", true),
            ("https://ddf.example.org:443/files/a/b.ddf?x=1", true),
            ("https://ddf.example.org/files/", true),
            ("http://ddf.example.org/files/a.ddf", false),
            ("https://ddf.example.org:8443/files/a.ddf", false),
            ("https://ddf.example.org/filesystem", false),
            ("https://ddf.example.org/other/a.ddf", false),
            ("https://ddf.example.org.evil.example/files/a.ddf", false),
            ("https://ddf.example.org@evil.example/files/a.ddf", false),
            ("https://user@ddf.example.org/files/a.ddf", false),
            ("https://ddf.example.org/files/../secret", false),
            ("https://ddf.example.org/files/%2e%2E/secret", false),
            ("https://ddf.example.org/files/..%2fsecret", false),
            ("https://ddf.example.org/files/..%5Csecret", false),
            ("/files/a.ddf", false),
        ] {
            assert_eq!(prefix.allows(&url.parse().unwrap()), allowed, "{url}");
        }
    }

    #[test]
    fn a_prefix_is_a_whole_url_up_to_a_slash() {
        for bad in [
            "",
            "ddf.example.org/",
            "ftp://a.example/",
            "https://a.example/x",
            "https://a.example/?x/",
            "https://u@a.example/",
        ] {
            assert!(UrlPrefix::parse(bad).is_err(), "{bad}");
        }
        assert!(UrlPrefix::parse("http://localhost:8080").is_ok(), "the path of a bare host is /");
    }
}
