//! Response status codes (`DM 2.0 Appendix C`).

/// A status code; unknown ones survive a round trip and are read by their class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(pub u16);

#[allow(missing_docs, reason = "the names are the reason phrases of Appendix C")]
impl StatusCode {
    pub const OK: Self = Self(200);
    pub const ACCEPTED: Self = Self(202);
    pub const NO_CONTENT: Self = Self(204);
    pub const NOT_MODIFIED: Self = Self(304);
    pub const BAD_REQUEST: Self = Self(400);
    pub const FORBIDDEN: Self = Self(403);
    pub const NOT_FOUND: Self = Self(404);
    pub const COMMAND_NOT_ALLOWED: Self = Self(405);
    pub const NOT_ACCEPTABLE: Self = Self(406);
    pub const UNSUPPORTED_MEDIA_TYPE: Self = Self(415);
    pub const SERVER_URI_ERROR: Self = Self(419);
    pub const INTERNAL_ERROR: Self = Self(500);
    pub const NOT_IMPLEMENTED: Self = Self(501);
    pub const SERVICE_UNAVAILABLE: Self = Self(503);
    pub const DEVICE_FULL: Self = Self(506);
    pub const USER_REJECTED: Self = Self(507);
}

impl StatusCode {
    /// Whether the class is 2xx (or 12xx).
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self.0, 200..=299 | 1200..=1299)
    }
    /// Whether a client may send it: Appendix C, or 1000 to 1999.
    #[must_use]
    pub fn is_standard(self) -> bool {
        self.label().is_some() || (1000..2000).contains(&self.0)
    }
    /// The label of Appendix C, such as `Device Full`.
    #[must_use]
    pub fn label(self) -> Option<&'static str> {
        Some(match self {
            Self::OK => "OK",
            Self::ACCEPTED => "Accepted",
            Self::NO_CONTENT => "No Content",
            Self::NOT_MODIFIED => "Not Modified",
            Self::BAD_REQUEST => "Bad Request",
            Self::FORBIDDEN => "Forbidden",
            Self::NOT_FOUND => "Not Found",
            Self::COMMAND_NOT_ALLOWED => "Command Not Allowed",
            Self::NOT_ACCEPTABLE => "Not Acceptable",
            Self::UNSUPPORTED_MEDIA_TYPE => "Unsupported Media Type",
            Self::SERVER_URI_ERROR => "ServerURI Error",
            Self::INTERNAL_ERROR => "Internal Error",
            Self::NOT_IMPLEMENTED => "Not Implemented",
            Self::SERVICE_UNAVAILABLE => "Service Unavailable",
            Self::DEVICE_FULL => "Device Full",
            Self::USER_REJECTED => "User Rejected",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixteen_codes_of_appendix_c_and_the_application_range_are_standard() {
        let labelled: Vec<u16> = (0..=u16::MAX).filter(|code| StatusCode(*code).label().is_some()).collect();
        assert_eq!(
            labelled,
            [200, 202, 204, 304, 400, 403, 404, 405, 406, 415, 419, 500, 501, 503, 506, 507]
        );
        assert!(StatusCode(1000).is_standard() && StatusCode(1999).is_standard());
        assert!(!StatusCode(999).is_standard() && !StatusCode(2000).is_standard());
        assert!(!StatusCode(418).is_standard());
    }

    #[test]
    fn success_is_the_class_two_hundred_plain_or_application_specific() {
        for code in [200, 204, 299, 1200, 1299] {
            assert!(StatusCode(code).is_success(), "{code}");
        }
        for code in [0, 199, 300, 404, 1100, 1300, 2200, 3200] {
            assert!(!StatusCode(code).is_success(), "{code}");
        }
    }
}
