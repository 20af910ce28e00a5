//! The client's side: which challenge is answered, and how.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Algorithm, Exchange, Hash, Qop, SCHEME, same_response, user_key};
use crate::header::{Challenge, Parameters, quote};
use crate::secret::Secret;

/// What `RFC 8187 §3.2.1` does not let stand as it is.
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The server's proof is wrong: whoever answers does not know the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Authentication-Info does not prove that the server knows the secret")]
pub struct Untrusted;

/// Answers one challenge, for as many requests as the server takes its nonce.
#[derive(Clone, Debug)]
pub struct Answers {
    user: String,
    key: Secret,
    realm: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// Whether the challenge named it: without, it is MD5, and nobody expects it in the answer.
    algorithm_named: bool,
    qop: Qop,
    nonce: String,
    /// The nonce of the first answer, of which the key of `-sess` is made.
    first_nonce: String,
    cnonce: String,
    count: u32,
    /// Target of the request that was answered last.
    uri: String,
}

impl Answers {
    /// Answers the strongest challenge among those of `allowed` digests, if there is one that can be answered. `allowed` goes from the
    /// best to the weakest; `cnonce` has to be fresh and random. `whole` asks for protection of the body where it is offered.
    #[must_use]
    pub fn to(
        challenges: &[Challenge],
        (user, secret): (&str, &Secret),
        allowed: &[Hash],
        whole: bool,
        cnonce: String,
    ) -> Option<Self> {
        let readable = challenges.iter().filter(|challenge| challenge.is(SCHEME)).filter_map(Offer::read);
        let rank = |offer: &Offer<'_>| allowed.iter().position(|hash| *hash == offer.algorithm.hash);
        let (_, offer) =
            readable.filter_map(|offer| Some((rank(&offer)?, offer))).min_by_key(|(rank, _)| *rank)?;
        let qop = match (offer.auth, offer.auth_int) {
            (_, true) if whole => Qop::AuthInt,
            (true, _) => Qop::Auth,
            (false, true) => Qop::AuthInt,
            (false, false) => return None,
        };
        Some(Self {
            user: user.to_owned(),
            key: user_key(offer.algorithm.hash, user, offer.realm, secret),
            realm: offer.realm.to_owned(),
            opaque: offer.opaque.map(str::to_owned),
            algorithm: offer.algorithm,
            algorithm_named: offer.algorithm_named,
            qop,
            nonce: offer.nonce.to_owned(),
            first_nonce: offer.nonce.to_owned(),
            cnonce,
            count: 0,
            uri: String::new(),
        })
    }

    /// The `Authorization` value for the next request; `uri` is its target as in the request line.
    pub fn authorize(&mut self, method: &str, uri: &str, body: &[u8]) -> String {
        self.count = self.count.saturating_add(1);
        uri.clone_into(&mut self.uri);
        let count = self.count_text();
        let response = self.exchange(method, body, &count).response(&self.key);
        let mut value = format!("{SCHEME} ");
        if self.user.is_ascii() {
            value.push_str("username=");
            quote(&self.user, &mut value);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(value, "username*=UTF-8''{}", utf8_percent_encode(&self.user, EXTENDED));
        }
        let texts =
            [("realm", &self.realm), ("nonce", &self.nonce), ("uri", &self.uri), ("cnonce", &self.cnonce)];
        let texts = texts.into_iter().chain(self.opaque.iter().map(|opaque| ("opaque", opaque)));
        for (name, text) in texts {
            value.push_str(", ");
            value.push_str(name);
            value.push('=');
            quote(text, &mut value);
        }
        if self.algorithm_named {
            let _ = write!(value, ", algorithm={}", self.algorithm);
        }
        let _ = write!(value, ", qop={}, nc={count}, response=\"{response}\"", self.qop.name());
        value
    }

    /// Checks the `Authentication-Info` of the answer to the last request, and takes the nonce for the next from it. `body` is that of the
    /// answer.
    ///
    /// # Errors
    /// [`Untrusted`] when it has a proof that is wrong, or cannot be read.
    pub fn check(&mut self, info: &str, body: &[u8]) -> Result<(), Untrusted> {
        let info = Parameters::read(info).ok_or(Untrusted)?;
        let count = self.count_text();
        if let Some(proof) = info.get("rspauth") {
            let same = |name: &str, ours: &str| {
                info.get(name).is_none_or(|theirs| theirs.eq_ignore_ascii_case(ours))
            };
            let expected = self.exchange("", body, &count).response(&self.key);
            if !same("nc", &count)
                || info.get("cnonce").is_some_and(|theirs| theirs != self.cnonce)
                || !same_response(proof, &expected)
            {
                return Err(Untrusted);
            }
        }
        if let Some(next) = info.get("nextnonce").filter(|next| *next != self.nonce) {
            next.clone_into(&mut self.nonce);
            self.count = 0;
        }
        Ok(())
    }

    /// Whether the server only wants another nonce (`stale=true`), so that the same secret is worth another try.
    #[must_use]
    pub fn is_only_stale(challenges: &[Challenge]) -> bool {
        let says_so = |challenge: &Challenge| {
            challenge.parameter("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"))
        };
        challenges.iter().any(|challenge| challenge.is(SCHEME) && says_so(challenge))
    }

    fn count_text(&self) -> String {
        format!("{:08x}", self.count)
    }

    fn exchange<'a>(&'a self, method: &'a str, body: &'a [u8], count: &'a str) -> Exchange<'a> {
        Exchange {
            algorithm: self.algorithm,
            session: (&self.first_nonce, &self.cnonce),
            nonce: &self.nonce,
            count,
            cnonce: &self.cnonce,
            qop: self.qop,
            method,
            uri: &self.uri,
            body,
        }
    }
}

/// A challenge that can be answered.
struct Offer<'a> {
    realm: &'a str,
    nonce: &'a str,
    opaque: Option<&'a str>,
    algorithm: Algorithm,
    algorithm_named: bool,
    auth: bool,
    auth_int: bool,
}

impl<'a> Offer<'a> {
    /// `None` when something is missing or not known, an algorithm among it (`RFC 7616 §3.3`).
    fn read(challenge: &'a Challenge) -> Option<Self> {
        let named = challenge.parameter("algorithm");
        let offered: Vec<Qop> = challenge.parameter("qop")?.split(',').filter_map(Qop::parse).collect();
        Some(Self {
            realm: challenge.parameter("realm")?,
            nonce: challenge.parameter("nonce")?,
            opaque: challenge.parameter("opaque"),
            algorithm: Algorithm::parse(named.unwrap_or("MD5"))?,
            algorithm_named: named.is_some(),
            auth: offered.contains(&Qop::Auth),
            auth_int: offered.contains(&Qop::AuthInt),
        })
    }
}
