//! What a device posts to register for cloud messaging, or to end it (`DM 2.0 §E.2.3`).

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{DecodeError, Limits, Problem};

/// Media type of the body.
pub const MEDIA_TYPE: &str = "application/x-www-form-urlencoded;charset=UTF-8";

const REG_ID: &str = "RegId";
/// All but the unreserved characters (`RFC 3986 §2.3`).
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What no query may hold; the rest of the parameters stays as it was provisioned (`RFC 3986 §3.4`).
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A registration with the cloud service, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// `RegId`.
    pub reg_id: String,
    /// The value of `Push/GCM/RegParams`, a query string; empty if there is none.
    pub parameters: String,
}

impl Registration {
    /// The body: `RegId=` and its value, then the parameters.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut body = format!("{REG_ID}={}", utf8_percent_encode(&self.reg_id, VALUE));
        if !self.parameters.is_empty() {
            body.push('&');
            body.extend(utf8_percent_encode(&self.parameters, QUERY));
        }
        body
    }

    /// Reads a body. `RegId` may stand anywhere, in any letter case; the parameters stay encoded.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let whole = |at, problem| DecodeError { at, field: "message", problem };
        if input.len() > limits.bytes {
            return Err(whole(limits.bytes, Problem::TooLarge { limit: limits.bytes }));
        }
        let text =
            std::str::from_utf8(input).map_err(|error| whole(error.valid_up_to(), Problem::BadUtf8))?;
        let mut reg_id = None;
        let mut parameters: Vec<&str> = Vec::new();
        let mut at = 0;
        for (count, pair) in text.split('&').enumerate() {
            if count >= limits.items {
                return Err(whole(at, Problem::TooMany { limit: limits.items }));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let wrong = |problem| DecodeError { at, field: REG_ID, problem };
            if !is_encoded(pair) {
                return Err(whole(at, Problem::Syntax("a % that no two hexadecimal digits follow".into())));
            }
            if !name.eq_ignore_ascii_case(REG_ID) {
                parameters.push(pair);
            } else if reg_id.is_some() {
                return Err(wrong(Problem::Duplicate));
            } else {
                let value = value.replace('+', " ");
                let value = percent_decode_str(&value).decode_utf8().map_err(|_| wrong(Problem::BadUtf8))?;
                reg_id = Some(value.into_owned()).filter(|id| !id.is_empty());
            }
            at += pair.len() + 1;
        }
        let missing = DecodeError { at: 0, field: REG_ID, problem: Problem::Missing };
        Ok(Self { reg_id: reg_id.ok_or(missing)?, parameters: parameters.join("&") })
    }
}

/// Whether two hexadecimal digits follow every `%`.
fn is_encoded(text: &str) -> bool {
    let is_digit = |octet: &u8| octet.is_ascii_hexdigit();
    let mut after = text.split('%');
    after.next();
    after.all(|rest| matches!(rest.as_bytes(), [high, low, ..] if is_digit(high) && is_digit(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(body: &str) -> Result<(String, String), Problem> {
        Registration::decode(body.as_bytes(), &Limits::default())
            .map(|registration| (registration.reg_id, registration.parameters))
            .map_err(|error| error.problem)
    }

    #[test]
    fn what_is_written_is_read() {
        for (reg_id, parameters, body) in [
            ("abc", "tenant=1", "RegId=abc&tenant=1"),
            ("abc", "", "RegId=abc"),
            ("a+b&c=d e/ü", "x=%20&y", "RegId=a%2Bb%26c%3Dd%20e%2F%C3%BC&x=%20&y"),
        ] {
            let registration = Registration { reg_id: reg_id.into(), parameters: parameters.into() };
            assert_eq!(registration.encode(), body);
            assert_eq!(Registration::decode(body.as_bytes(), &Limits::default()), Ok(registration));
        }
        let odd = Registration { reg_id: "a".into(), parameters: "x=ü \u{7f}#".into() };
        assert_eq!(odd.encode(), "RegId=a&x=%C3%BC%20%7F%23");
    }

    #[test]
    fn reg_id_may_stand_anywhere_in_any_letter_case() {
        assert_eq!(decode("tenant=1&REGID=a+b&z"), Ok(("a b".into(), "tenant=1&z".into())));
    }

    #[test]
    fn bodies_that_are_wrong_are_refused() {
        for body in ["", "RegId", "RegId=", "tenant=1", "&"] {
            assert_eq!(decode(body), Err(Problem::Missing), "{body}");
        }
        assert_eq!(decode("RegId=a&regid=b"), Err(Problem::Duplicate));
        assert_eq!(decode("RegId=%ff"), Err(Problem::BadUtf8));
        for body in ["RegId=%", "RegId=%4", "RegId=%4x", "RegId=a&b=%%41"] {
            assert!(matches!(decode(body), Err(Problem::Syntax(_))), "{body}");
        }
        assert_eq!(Registration::decode(b"RegId=\xff", &Limits::default()).unwrap_err().at, 6);
    }

    #[test]
    fn limits_hold() {
        let limits = Limits { bytes: 7, items: 1, ..Limits::default() };
        assert!(Registration::decode(b"RegId=a", &limits).is_ok());
        let error = |body: &[u8]| Registration::decode(body, &limits).unwrap_err().problem;
        assert_eq!(error(b"RegId=ab"), Problem::TooLarge { limit: 7 });
        assert_eq!(error(b"a&b"), Problem::TooMany { limit: 1 });
    }
}
