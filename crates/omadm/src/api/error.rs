//! What can go wrong between the operator's commands and the server, and what to do about it.

use http::StatusCode;
use serde::Deserialize;

use crate::failure::Failure;

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// `--server` cannot be used.
    #[error("{server:?} is no server address: {reason}; give one such as --server http://127.0.0.1:8080")]
    Address {
        /// As given.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token cannot be used.
    #[error(
        "the token of {from} cannot be used: {reason}; name another file with --token-file, or set OMADM_TOKEN"
    )]
    Token {
        /// Where it was looked for.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection.
    #[error(
        "the server at {server} cannot be reached ({reason}); start it with `omadm serve`, or name another with --server or OMADM_SERVER"
    )]
    Unreachable {
        /// Where.
        server: String,
        /// What the system says.
        reason: String,
    },
    /// No answer in time.
    #[error("the server at {server} gave no answer within {seconds} s; look at its log, and try again")]
    Slow {
        /// Where.
        server: String,
        /// How long was waited.
        seconds: u64,
    },
    /// 401.
    #[error(
        "the server at {server} wants an operator token and {token}; `omadm serve` writes the first one to operator.token in its \
         data directory: name that file with --token-file or OMADM_TOKEN_FILE, or set OMADM_TOKEN"
    )]
    Unauthorised {
        /// Where.
        server: String,
        /// What is wrong with the token.
        token: String,
    },
    /// The server refused.
    #[error("{detail} (HTTP {status})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's sentence.
        detail: String,
        /// Character at which a filter goes wrong, counted from 0.
        at: Option<usize>,
    },
    /// An answer that this program does not understand.
    #[error(
        "the server's answer to {path} cannot be used: {reason}; client and server may be of different versions"
    )]
    Answer {
        /// Path of the request.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// `application/problem+json` (RFC 9457), as far as it is of use here.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    at: Option<usize>,
}

impl ApiError {
    /// A connection that failed, with the innermost cause, which is the one that says something.
    pub fn unreachable(server: &str, error: &hyper_util::client::legacy::Error) -> Self {
        let mut cause: &dyn std::error::Error = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        Self::Unreachable { server: server.to_owned(), reason: cause.to_string() }
    }

    /// A refusal from its status and body.
    pub fn refused(status: StatusCode, body: &[u8]) -> Self {
        let problem = serde_json::from_slice::<Problem>(body).ok();
        let at = problem.as_ref().and_then(|problem| problem.at);
        let detail = problem.and_then(|problem| match (problem.title, problem.detail) {
            (Some(title), Some(detail)) if title != detail => Some(format!("{title}: {detail}")),
            (_, Some(detail)) => Some(detail),
            (title, None) => title,
        });
        let detail =
            detail.unwrap_or_else(|| "the server refused without saying why; look at its log".to_owned());
        Self::Refused { status: status.as_u16(), detail, at }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Address { .. } => Self::Usage(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_a_sentence() {
        let body = br#"{"title":"No such device","detail":"UUID:1 is not enrolled","status":404}"#;
        let error = ApiError::refused(StatusCode::NOT_FOUND, body);
        assert_eq!(error.to_string(), "No such device: UUID:1 is not enrolled (HTTP 404)");
        let error = ApiError::refused(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(error.to_string(), "the server refused without saying why; look at its log (HTTP 502)");
    }
}
