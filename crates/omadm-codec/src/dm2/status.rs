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
        matches!(self.0 % 1000 / 100, 2) && (self.0 < 300 || (1200..1300).contains(&self.0))
    }
    /// Whether a client may send it: Appendix C, or 1000 to 1999.
    #[must_use]
    pub fn is_standard(self) -> bool {
        todo!()
    }
    /// The label of Appendix C, such as `Device Full`.
    #[must_use]
    pub fn label(self) -> Option<&'static str> {
        todo!()
    }
}
