//! Properties of the reader of `Authorization`, for fuzzers and tests: it panics where one does not hold.

use crate::basic::BasicCredentials;
use crate::digest::Given;
use crate::dm1::HmacHeader;
use crate::header::{Challenge, MAX_HEADER, Parameters};
use crate::secret::Secret;

/// `Authorization` in whatever scheme, and `x-syncml-hmac`: what is read is read again from how we write it, and what a peer wrote goes
/// into no header of ours as anything else.
///
/// # Panics
/// When that is not so.
pub fn check_authorization(bytes: &[u8]) {
    let Ok(value) = std::str::from_utf8(bytes) else { return };
    if let Some(challenges) = Challenge::read_all(value) {
        assert!(value.len() <= MAX_HEADER, "too long, and read: {value:?}");
        let written = challenges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        // Quotation marks and backslashes take more room than they may have had.
        if written.len() <= MAX_HEADER {
            assert_eq!(Challenge::read_all(&written), Some(challenges), "{written:?}");
        }
    }
    if let Some(given) = BasicCredentials::from_header(value) {
        let written = given.to_header();
        let text = String::from_utf8_lossy(written.expose());
        assert_eq!(BasicCredentials::from_header(&text), Some(given));
    }
    if let Some(given) = Given::from_header(value) {
        assert!(!given.user.contains(|c: char| c == ':' || c.is_control()), "{:?}", given.user);
        let key = Secret::new(vec![0; given.algorithm.hash.size()]);
        let info = given.info(&key, b"", Some("next"));
        assert!(!info.contains(|c: char| c.is_control() && c != '\t'), "{info:?}");
        let read = Parameters::read(&info).filter(|read| read.get("nc").is_some());
        assert!(read.is_some() || info.len() > MAX_HEADER, "{info:?}");
        // Whether it does is up to the input; only that it can be asked.
        let _matches = (given.matches(&key, "GET", b""), given.is_for("/dm/2.0"));
    }
    // What is not quoted may have control characters, which we write nowhere.
    if let Some(given) = HmacHeader::parse(value).filter(|given| !given.user.contains(char::is_control)) {
        assert_eq!(HmacHeader::parse(&given.to_string()), Some(given));
    }
}
