//! The server's side: challenges, and the check of answers.

use percent_encoding::percent_decode_str;

use super::{Algorithm, Exchange, Hash, Qop, SCHEME, same_response};
use crate::header::{Challenge, quote};
use crate::secret::Secret;

/// The value of `WWW-Authenticate` that asks for a digest. `stale` says that the answer was right but for its nonce.
#[must_use]
pub fn challenge(realm: &str, hash: Hash, nonce: &str, stale: bool) -> String {
    let mut value = format!("{SCHEME} realm=");
    quote(realm, &mut value);
    value.push_str(", qop=\"auth\", algorithm=");
    value.push_str(hash.name());
    value.push_str(", nonce=");
    quote(nonce, &mut value);
    if stale {
        value.push_str(", stale=true");
    }
    value.push_str(", charset=UTF-8");
    value
}

/// The answer to a challenge, not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Who claims to answer; no `:` and no control character.
    pub user: String,
    /// For which realm.
    pub realm: String,
    /// The nonce that is answered.
    pub nonce: String,
    /// The target as the client saw it.
    pub uri: String,
    /// How.
    pub algorithm: Algorithm,
    /// What is protected.
    pub qop: Qop,
    /// The nonce count: how often the nonce was used, from 1.
    pub count: u32,
    count_text: String,
    cnonce: String,
    response: String,
}

impl Given {
    /// Reads an `Authorization` value. `None` when it is another scheme or not legal; a quality of protection and what belongs to it
    /// are required, as without them nothing tells a replay (`RFC 7616 §3.4`).
    #[must_use]
    pub fn from_header(value: &str) -> Option<Self> {
        let all = Challenge::read_all(value)?;
        let [given] = all.as_slice() else { return None };
        if !given.is(SCHEME)
            || given.parameter("userhash").is_some_and(|hashed| hashed.eq_ignore_ascii_case("true"))
        {
            return None;
        }
        let text = |name: &str| given.parameter(name).map(str::to_owned);
        let user = match (text("username"), given.parameter("username*")) {
            (Some(user), None) => user,
            (None, Some(extended)) => extended_value(extended)?,
            _ => return None,
        };
        if user.contains(':') || user.chars().any(char::is_control) {
            return None;
        }
        let count_text = text("nc").filter(|count| count.len() == 8)?;
        Some(Self {
            user,
            realm: text("realm")?,
            nonce: text("nonce")?,
            uri: text("uri")?,
            algorithm: Algorithm::parse(given.parameter("algorithm").unwrap_or("MD5"))?,
            qop: Qop::parse(given.parameter("qop")?)?,
            count: u32::from_str_radix(&count_text, 16).ok()?,
            count_text,
            cnonce: text("cnonce")?,
            response: text("response")?,
        })
    }

    /// Whether the answer was made with the user's key ([`super::user_key`]) for this request. `body` counts with `auth-int` only.
    #[must_use]
    pub fn matches(&self, user_key: &Secret, method: &str, body: &[u8]) -> bool {
        let expected = self.exchange(method, body).response(user_key);
        same_response(&self.response, &expected)
    }

    /// The value of `Authentication-Info`, by which the server proves that it knows the key as well (`RFC 7616 §3.5`). `body` is that of
    /// the answer and counts with `auth-int` only; a `next_nonce` is for the requests that follow, though not with `-sess`, whose key is
    /// bound to the nonce.
    #[must_use]
    pub fn info(&self, user_key: &Secret, body: &[u8], next_nonce: Option<&str>) -> String {
        let proof = self.exchange("", body).response(user_key);
        let mut value =
            format!("qop={}, rspauth=\"{proof}\", nc={}, cnonce=", self.qop.name(), self.count_text);
        quote(&self.cnonce, &mut value);
        if let Some(nonce) = next_nonce.filter(|_| !self.algorithm.session) {
            value.push_str(", nextnonce=");
            quote(nonce, &mut value);
        }
        value
    }

    /// Whether the target that was answered for is that of the request: in full, or its path and query.
    #[must_use]
    pub fn is_for(&self, path_and_query: &str) -> bool {
        let path = match self.uri.split_once("://") {
            None => self.uri.as_str(),
            Some((_, rest)) => rest.find('/').map_or("/", |at| rest.split_at(at).1),
        };
        path == path_and_query
    }

    fn exchange<'a>(&'a self, method: &'a str, body: &'a [u8]) -> Exchange<'a> {
        Exchange {
            algorithm: self.algorithm,
            session: (&self.nonce, &self.cnonce),
            nonce: &self.nonce,
            count: &self.count_text,
            cnonce: &self.cnonce,
            qop: self.qop,
            method,
            uri: &self.uri,
            body,
        }
    }
}

/// `UTF-8''…` (`RFC 8187 §3.2`).
fn extended_value(text: &str) -> Option<String> {
    let (charset, rest) = text.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    let decoded = percent_decode_str(encoded).decode_utf8().ok()?;
    charset.eq_ignore_ascii_case("UTF-8").then(|| decoded.into_owned())
}
