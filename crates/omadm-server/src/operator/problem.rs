//! Errors towards operators: `application/problem+json` (`RFC 9457`), and extractors that answer with it.

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use omadm_store::StoreError;
use omadm_store::filter::FilterError;
use serde::{Deserialize, Serialize};

use crate::ServerError;
use crate::desired::Fault;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not done.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// The kind, such as `Not Found`.
    title: String,
    /// What, where, and what to do.
    detail: String,
    /// HTTP status.
    status: u16,
    /// Character at which a filter goes wrong, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<usize>,
    /// Each thing that is wrong with a document, and where; left out for anything else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    faults: Vec<Fault>,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Self { title, detail: detail.into(), status: status.as_u16(), at: None, faults: Vec::new() }
    }

    /// What, where, and what to do.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The kind, such as `Not Found`.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Character at which a filter goes wrong, counted from 0.
    pub fn at(&self) -> Option<usize> {
        self.at
    }

    /// 400 for a document, with each thing that is wrong.
    pub fn of_faults(faults: Vec<Fault>) -> Self {
        let all: Vec<String> = faults.iter().map(Fault::to_string).collect();
        Self { faults, ..Self::bad(all.join("\n")) }
    }

    /// The same, said of one place of the request: a JSON Pointer (`RFC 6901`) such as `/stages/1/percent`.
    pub fn about(self, pointer: impl Into<String>) -> Self {
        let pointer = pointer.into();
        let at = pointer.trim_start_matches('/').replace('/', ".");
        let faults = vec![Fault { at, pointer, what: self.detail.clone() }];
        Self { faults, ..self }
    }

    /// The same, said of the character of a filter at which it goes wrong, counted from 0.
    pub fn with_at(self, at: Option<usize>) -> Self {
        Self { at, ..self }
    }

    /// Each thing that is wrong with a document.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whether it is none of who asked.
    pub fn is_internal(&self) -> bool {
        self.status >= StatusCode::INTERNAL_SERVER_ERROR.as_u16()
    }

    /// 400
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404
    pub fn unknown(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"omadm\""));
        }
        response
    }
}

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Self {
        Self { at: Some(error.at), ..Self::bad(format!("the filter: {error}")) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::Filter(error) => return error.clone().into(),
            StoreError::GroupExists(_) | StoreError::GroupInUse { .. } => StatusCode::CONFLICT,
            StoreError::GroupUnknown(_) => StatusCode::NOT_FOUND,
            StoreError::TooManyLabels { .. } => StatusCode::BAD_REQUEST,
            StoreError::Exists(_)
            | StoreError::UserTaken(_)
            | StoreError::ProfileExists(_)
            | StoreError::ProfileChanged(_)
            | StoreError::Conflict(_) => StatusCode::CONFLICT,
            StoreError::DeviceUnknown(_) => StatusCode::NOT_FOUND,
            StoreError::QueueFull { .. } => StatusCode::TOO_MANY_REQUESTS,
            StoreError::Closed | StoreError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => {
                tracing::error!(%error, "an operator's request failed");
                return Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the store failed; the server's log says why",
                );
            }
        };
        Self::new(status, error.to_string())
    }
}

impl From<ServerError> for Problem {
    fn from(error: ServerError) -> Self {
        tracing::error!(%error, "an operator's request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        // What is well-formed JSON of the wrong shape is as bad a request as what is no JSON.
        let status = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self::new(status, rejection.body_text())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad(rejection.body_text())
    }
}

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub struct Body<T>(pub T);

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// Parameters of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);
