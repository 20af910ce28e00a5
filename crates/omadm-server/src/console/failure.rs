//! What was not done, as a page.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::operator::problem::Problem;

/// Why a page cannot be shown or something was not done. The frame draws it ([`super::gate`]).
#[derive(Clone, Debug)]
pub struct Failure(pub Problem);

impl Failure {
    /// The status of the page.
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// The sentence.
    pub fn detail(&self) -> &str {
        self.0.detail()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
