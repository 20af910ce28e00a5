//! HTTP Basic authentication (`RFC 7617 §2`, which `DM 2.0 §9.2.1` names by its older number, RFC 2617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Longest `Authorization` value in octets that [`BasicCredentials::from_header`] looks into.
pub const MAX_HEADER: usize = 4096;

const SCHEME: &str = "Basic";

/// User name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicCredentials {
    /// User name; holds no `:` and no control character.
    pub user: String,
    /// Password.
    pub password: Secret,
}

impl BasicCredentials {
    /// Reads an `Authorization` value. `None` when it is another scheme, malformed or longer than [`MAX_HEADER`].
    ///
    /// The scheme is matched in any letter case.
    #[must_use]
    pub fn from_header(value: &str) -> Option<Self> {
        if value.len() > MAX_HEADER {
            return None;
        }
        let (scheme, token) = value.trim_matches(' ').split_once(' ')?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return None;
        }
        let octets = Zeroizing::new(STANDARD.decode(token.trim_start_matches(' ')).ok()?);
        let mut halves = octets.splitn(2, |octet| *octet == b':');
        let user = std::str::from_utf8(halves.next()?).ok()?;
        let password = halves.next()?;
        if user.chars().any(char::is_control) {
            return None;
        }
        Some(Self { user: user.to_owned(), password: Secret::new(password.to_vec()) })
    }

    /// The `Authorization` value: printable ASCII.
    #[must_use]
    pub fn to_header(&self) -> Secret {
        // Each buffer gets its full size at once: a vector that grew would leave a copy of the password behind.
        let password = self.password.expose();
        let mut plain = Zeroizing::new(Vec::with_capacity(self.user.len() + 1 + password.len()));
        plain.extend_from_slice(self.user.as_bytes());
        plain.push(b':');
        plain.extend_from_slice(password);
        let mut header = String::with_capacity(SCHEME.len() + 1 + plain.len().div_ceil(3) * 4);
        header.push_str(SCHEME);
        header.push(' ');
        STANDARD.encode_string(&*plain, &mut header);
        Secret::new(header.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<(String, Vec<u8>)> {
        BasicCredentials::from_header(value).map(|c| (c.user, c.password.expose().to_vec()))
    }

    #[test]
    fn reads_the_example_of_the_standard() {
        let expected = Some(("Aladdin".to_owned(), b"open sesame".to_vec()));
        assert_eq!(read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), expected);
        assert_eq!(read("bASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), expected);
    }

    #[test]
    fn writes_the_example_of_the_standard() {
        let credentials =
            BasicCredentials { user: "Aladdin".to_owned(), password: Secret::new(b"open sesame".to_vec()) };
        assert_eq!(credentials.to_header().expose(), b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn what_is_written_is_read() {
        for (user, password) in [("", &b""[..]), ("ünï", b"a:b::"), ("device-1", &[0, 255, b':', 7])] {
            let credentials =
                BasicCredentials { user: user.to_owned(), password: Secret::new(password.to_vec()) };
            let header = credentials.to_header();
            let text = std::str::from_utf8(header.expose()).unwrap();
            assert_eq!(BasicCredentials::from_header(text), Some(credentials));
        }
    }

    #[test]
    fn a_header_has_its_longest() {
        let header = |length: usize| format!("Basic{:>1$}", "QTpC", length - "Basic".len());
        assert!(read(&header(MAX_HEADER)).is_some());
        assert_eq!(read(&header(MAX_HEADER + 1)), None);
    }

    #[test]
    fn refuses_what_is_not_basic() {
        let huge = format!("Basic {}", "QUFB".repeat(MAX_HEADER / 4));
        let no_colon = format!("Basic {}", STANDARD.encode("nocolon"));
        let control = format!("Basic {}", STANDARD.encode("a\nb:c"));
        let not_utf8 = format!("Basic {}", STANDARD.encode([0xff, b':', b'x']));
        for value in [
            "",
            "Basic",
            "Basic ",
            "Basic !!!",
            "Digest QTpC",
            "BasicQTpC",
            "Basic QTpC QTpC",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
            &huge,
            &no_colon,
            &control,
            &not_utf8,
        ] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
