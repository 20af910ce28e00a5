//! The one place where an outcome becomes a status code (`DM 2.0 Appendix C`).

use omadm_codec::dm2::StatusCode;
use omadm_mo::OperationError;

/// The status of an operation that the tree refused.
pub(super) fn of_operation(error: &OperationError) -> StatusCode {
    match error {
        OperationError::UnknownMoid { .. }
        | OperationError::NotFound { .. }
        | OperationError::Several { .. } => StatusCode::NOT_FOUND,
        OperationError::WildcardNotAllowed { .. } | OperationError::Address(_) => StatusCode::BAD_REQUEST,
        OperationError::NotProvisioned { .. }
        | OperationError::NoRight { .. }
        | OperationError::NotInDefinition { .. } => StatusCode::FORBIDDEN,
        OperationError::NotAllowed { .. } => StatusCode::COMMAND_NOT_ALLOWED,
        OperationError::BadData { .. } | OperationError::BadAccessEntry { .. } => {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        }
        OperationError::Full { .. } => StatusCode::DEVICE_FULL,
        _ => StatusCode::INTERNAL_ERROR,
    }
}

/// Lets through what Appendix C lists for a command, and 1000 to 1999; everything else is 500, so that nothing outside the table is
/// ever sent. HGET may get 405 as well: it is the answer to the rename of a permanent node (`DM 2.0 §6.3.1.2`).
pub(super) fn listed(command: &str, status: StatusCode) -> StatusCode {
    let reads = matches!(command, "GET" | "HPUT" | "HPOST");
    let uploads = matches!(command, "HPUT" | "HPOST");
    let fits = match status {
        StatusCode::OK
        | StatusCode::BAD_REQUEST
        | StatusCode::INTERNAL_ERROR
        | StatusCode::NOT_IMPLEMENTED
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::USER_REJECTED => true,
        StatusCode::ACCEPTED => command == "EXEC",
        StatusCode::NO_CONTENT => command == "GET",
        StatusCode::NOT_MODIFIED => reads,
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => !matches!(command, "SHOW" | "CONT" | "END"),
        StatusCode::COMMAND_NOT_ALLOWED => matches!(command, "EXEC" | "DELETE" | "HGET"),
        StatusCode::NOT_ACCEPTABLE => uploads,
        StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::DEVICE_FULL => command == "HGET",
        StatusCode::SERVER_URI_ERROR => uploads || command == "HGET",
        StatusCode(code) => (1000..2000).contains(&code),
    };
    if fits { status } else { StatusCode::INTERNAL_ERROR }
}

#[cfg(test)]
mod tests {
    use omadm_mo::{AddressError, Operation};

    use super::*;

    #[test]
    fn every_refusal_of_the_tree_has_its_status() {
        let address = || "urn:x:1.0//A".to_owned();
        let rows = [
            (OperationError::UnknownMoid { moid: address() }, 404),
            (OperationError::NotFound { address: address() }, 404),
            (OperationError::Several { address: address(), count: 2 }, 404),
            (OperationError::WildcardNotAllowed { address: address() }, 400),
            (OperationError::NotProvisioned { moid: address() }, 403),
            (OperationError::NoRight { operation: Operation::Get, address: address() }, 403),
            (
                OperationError::NotInDefinition { operation: Operation::Add, address: address(), reason: "" },
                403,
            ),
            (
                OperationError::NotAllowed { operation: Operation::Delete, address: address(), reason: "" },
                405,
            ),
            (OperationError::BadData { address: address(), reason: String::new() }, 415),
            (OperationError::Full { needed: 2, limit: 1 }, 506),
            (OperationError::BadAccessEntry { reason: "" }, 415),
            (OperationError::Address(AddressError::Empty { what: "MOID" }), 400),
        ];
        for (error, status) in rows {
            assert_eq!(of_operation(&error), StatusCode(status), "{error}");
        }
    }

    #[test]
    fn statuses_that_appendix_c_does_not_list_for_a_command_become_500() {
        for (command, status, sent) in [
            ("CONT", 403, 500),
            ("SHOW", 404, 500),
            ("DELETE", 506, 500),
            ("HGET", 506, 506),
            ("HGET", 406, 500),
            ("HPUT", 406, 406),
            ("GET", 202, 500),
            ("EXEC", 202, 202),
            ("EXEC", 1401, 1401),
            ("EXEC", 299, 500),
            ("DELETE", 204, 500),
            ("HPOST", 304, 304),
            ("GET", 419, 500),
            ("FOO", 501, 501),
        ] {
            assert_eq!(listed(command, StatusCode(status)), StatusCode(sent), "{command} {status}");
        }
    }
}
