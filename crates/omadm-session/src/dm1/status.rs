//! Status codes of DM 1.x (`DM 1.3 REPPRO §10`).

/// Codes by the names that the standard has for them.
#[allow(missing_docs, reason = "the names are those of the standard")]
pub mod code {
    pub const IN_PROGRESS: u16 = 101;
    pub const OK: u16 = 200;
    pub const ACCEPTED: u16 = 202;
    pub const AUTHENTICATED: u16 = 212;
    pub const CHUNK_ACCEPTED: u16 = 213;
    pub const CANCELLED: u16 = 214;
    pub const NOT_EXECUTED: u16 = 215;
    pub const ROLLED_BACK: u16 = 216;
    pub const NOT_MODIFIED: u16 = 304;
    pub const BAD_REQUEST: u16 = 400;
    pub const INVALID_CREDENTIALS: u16 = 401;
    pub const FORBIDDEN: u16 = 403;
    pub const NOT_FOUND: u16 = 404;
    pub const NOT_ALLOWED: u16 = 405;
    pub const UNSUPPORTED_FEATURE: u16 = 406;
    pub const MISSING_CREDENTIALS: u16 = 407;
    pub const TIMEOUT: u16 = 408;
    pub const INCOMPLETE: u16 = 412;
    pub const TOO_LARGE: u16 = 413;
    pub const URI_TOO_LONG: u16 = 414;
    pub const UNSUPPORTED_TYPE: u16 = 415;
    pub const NOT_DISPLAYABLE: u16 = 416;
    pub const RETRY_LATER: u16 = 417;
    pub const ALREADY_EXISTS: u16 = 418;
    pub const DEVICE_FULL: u16 = 420;
    pub const SIZE_MISMATCH: u16 = 424;
    pub const PERMISSION_DENIED: u16 = 425;
    pub const COMMAND_FAILED: u16 = 500;
    pub const NOT_IMPLEMENTED: u16 = 501;
    pub const UNAVAILABLE: u16 = 503;
    pub const DTD_VERSION: u16 = 505;
    pub const PROCESSING_ERROR: u16 = 506;
    pub const ATOMIC_FAILED: u16 = 507;
    pub const DATA_STORE_FAILURE: u16 = 510;
    pub const PROTOCOL_VERSION: u16 = 513;
    pub const ROLL_BACK_FAILED: u16 = 516;
    pub const ATOMIC_TOO_LARGE: u16 = 517;
}

/// Whether a code says that it is done: 2xx, or 12xx of a management object.
#[must_use]
pub fn is_success(code: u16) -> bool {
    matches!(code, 200..=299 | 1200..=1299)
}

/// The name of a code, such as `Device full`; `None` for one that DM does not use.
#[must_use]
pub fn label(code: u16) -> Option<&'static str> {
    Some(match code {
        code::IN_PROGRESS => "In progress",
        code::OK => "OK",
        code::ACCEPTED => "Accepted for processing",
        code::AUTHENTICATED => "Authentication accepted",
        code::CHUNK_ACCEPTED => "Chunked item accepted and buffered",
        code::CANCELLED => "Operation cancelled",
        code::NOT_EXECUTED => "Not executed",
        code::ROLLED_BACK => "Atomic roll back OK",
        code::NOT_MODIFIED => "Not modified",
        code::BAD_REQUEST => "Bad request",
        code::INVALID_CREDENTIALS => "Invalid credentials",
        code::FORBIDDEN => "Forbidden",
        code::NOT_FOUND => "Not found",
        code::NOT_ALLOWED => "Command not allowed",
        code::UNSUPPORTED_FEATURE => "Optional feature not supported",
        code::MISSING_CREDENTIALS => "Missing credentials",
        code::TIMEOUT => "Request timeout",
        code::INCOMPLETE => "Incomplete command",
        code::TOO_LARGE => "Request entity too large",
        code::URI_TOO_LONG => "URI too long",
        code::UNSUPPORTED_TYPE => "Unsupported media type or format",
        code::NOT_DISPLAYABLE => "Requested size too big",
        code::RETRY_LATER => "Retry later",
        code::ALREADY_EXISTS => "Already exists",
        code::DEVICE_FULL => "Device full",
        code::SIZE_MISMATCH => "Size mismatch",
        code::PERMISSION_DENIED => "Permission denied",
        code::COMMAND_FAILED => "Command failed",
        code::NOT_IMPLEMENTED => "Command not implemented",
        code::UNAVAILABLE => "Service unavailable",
        code::DTD_VERSION => "DTD version not supported",
        code::PROCESSING_ERROR => "Processing error",
        code::ATOMIC_FAILED => "Atomic failed",
        code::DATA_STORE_FAILURE => "Data store failure",
        code::PROTOCOL_VERSION => "Protocol version not supported",
        code::ROLL_BACK_FAILED => "Atomic roll back failed",
        code::ATOMIC_TOO_LARGE => "Atomic response too large to fit in message",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_by_class_and_name() {
        for (code, success, named) in [
            (200, true, true),
            (216, true, true),
            (304, false, true),
            (404, false, true),
            (1200, true, false),
            (1299, true, false),
            (1300, false, false),
            (199, false, false),
            (517, false, true),
            (999, false, false),
        ] {
            assert_eq!((is_success(code), label(code).is_some()), (success, named), "{code}");
        }
    }
}
