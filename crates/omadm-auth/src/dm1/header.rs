//! The header `x-syncml-hmac` (`DM 1.3 SEC §5.6`), the same over HTTP, WSP and OBEX.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Hash, mac_octets};
use crate::header::{MAX_HEADER, quote, unquote};

/// Its name, in lower case.
pub const HMAC_HEADER: &str = "x-syncml-hmac";

/// Value of the header: `algorithm=MD5, username="dev-1", mac=…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacHeader {
    /// `algorithm`; MD5 if it is left out.
    pub hash: Hash,
    /// `username`: `LocName` of the sender.
    pub user: String,
    /// `mac`, decoded.
    pub mac: Vec<u8>,
}

impl HmacHeader {
    /// Reads a value: parameters in any order, names in any letter case, a MAC also without padding or as hexadecimal digits. `None`
    /// when it is malformed, longer than [`MAX_HEADER`], or lacks `username` or `mac`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (mut hash, mut user, mut mac) = (None, None, None);
        let mut rest = (value.len() <= MAX_HEADER).then(|| separators(value))?;
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (text, after) = parameter_value(after.trim_start_matches(BLANKS))?;
            let place = match name.trim_end_matches(BLANKS).to_ascii_lowercase().as_str() {
                "algorithm" => &mut hash,
                "username" => &mut user,
                "mac" => &mut mac,
                _ => &mut None,
            };
            if place.replace(text).is_some() {
                return None;
            }
            rest = separators(after);
        }
        let hash = hash.map_or(Some(Hash::Md5), |name| algorithm(&name))?;
        let mac = mac_octets(&mac?).filter(|mac| mac.len() == hash.size())?;
        Some(Self { hash, user: user?, mac })
    }
}

impl fmt::Display for HmacHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = match self.hash {
            Hash::Md5 => "MD5",
            Hash::Sha256 => "SHA256",
        };
        let mut user = String::new();
        quote(&self.user, &mut user);
        write!(f, "algorithm={algorithm}, username={user}, mac={}", STANDARD.encode(&self.mac))
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

fn separators(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', ','])
}

/// A quoted string, or all up to the next comma: base64 has characters that no token has.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (text, rest) = unquote(quoted)?;
        let rest = rest.trim_start_matches(BLANKS);
        return (rest.is_empty() || rest.starts_with(',')).then_some((text, rest));
    }
    let (text, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
    Some((text.trim_end_matches(BLANKS).to_owned(), rest))
}

fn algorithm(name: &str) -> Option<Hash> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is("MD5") || is("HMAC-MD5") {
        return Some(Hash::Md5);
    }
    (is("SHA256") || is("SHA-256") || is("HMAC-SHA256")).then_some(Hash::Sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &str = "uuy8CVxX/0kCMT7+M0y2nA==";

    fn octets() -> Vec<u8> {
        STANDARD.decode(MAC).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        for (hash, user) in [(Hash::Md5, "dev-1"), (Hash::Sha256, "a \"quoted\", \\ name"), (Hash::Md5, "")] {
            let header = HmacHeader { hash, user: user.into(), mac: vec![0xfb; hash.size()] };
            assert_eq!(HmacHeader::parse(&header.to_string()), Some(header));
        }
        let header = HmacHeader { hash: Hash::Md5, user: "dev-1".into(), mac: octets() };
        assert_eq!(header.to_string(), "algorithm=MD5, username=\"dev-1\", mac=uuy8CVxX/0kCMT7+M0y2nA==");
    }

    #[test]
    fn order_letter_case_and_blanks_are_free() {
        for value in [
            format!("algorithm=MD5,username=\"dev-1\",mac={MAC}"),
            format!("mac={MAC}, username=\"dev-1\""),
            format!(" MAC = {MAC} ,, UserName = \"dev-1\" , Algorithm = md5 ,"),
            format!("username=\"dev-1\", other=x, mac={}", MAC.trim_end_matches('=')),
            format!("username=dev-1, mac=\"{MAC}\""),
        ] {
            let read = HmacHeader::parse(&value).unwrap_or_else(|| panic!("{value}"));
            assert_eq!((read.hash, read.user.as_str(), read.mac), (Hash::Md5, "dev-1", octets()), "{value}");
        }
        let long = STANDARD.encode([7; 32]);
        for name in ["SHA256", "sha-256", "HMAC-SHA256"] {
            let read = HmacHeader::parse(&format!("algorithm={name}, username=\"d\", mac={long}")).unwrap();
            assert_eq!((read.hash, read.mac), (Hash::Sha256, vec![7; 32]));
        }
    }

    #[test]
    fn a_mac_may_be_digits_as_in_the_example_of_the_standard() {
        let digits: String = octets().iter().map(|octet| format!("{octet:02X}")).collect();
        let value = format!("username=\"d\", mac={}", STANDARD.encode(digits).trim_end_matches('='));
        assert_eq!(HmacHeader::parse(&value).unwrap().mac, octets());
    }

    #[test]
    fn what_is_malformed_is_nothing() {
        let long = format!("username=\"{}\", mac={MAC}", "x".repeat(MAX_HEADER));
        let short = STANDARD.encode([7; 15]);
        for value in [
            "",
            "mac",
            &format!("mac={MAC}"),
            "username=\"d\"",
            "username=\"d\", mac=",
            &format!("username=\"d\", mac={short}"),
            &format!("algorithm=SHA256, username=\"d\", mac={MAC}"),
            &format!("algorithm=ROT13, username=\"d\", mac={MAC}"),
            &format!("username=\"d\", username=\"e\", mac={MAC}"),
            &format!("username=\"d, mac={MAC}"),
            &format!("username=\"d\"x, mac={MAC}"),
            "username=\"d\", mac=!!!",
            &long,
        ] {
            assert_eq!(HmacHeader::parse(value), None, "{value}");
        }
    }
}
