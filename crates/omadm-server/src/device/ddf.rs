//! The DDF file server (`DM 2.0 §6.4`). Nothing in these files is secret, so they need no credentials.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::{refusal, refuse, store_failed};
use crate::context::Context;
use crate::ddfs::DDF_XML;

/// `GET /ddf/{name}`
pub async fn file(State(context): State<Arc<Context>>, Path(name): Path<String>) -> Response {
    match context.store.ddf(&name).await {
        Ok(Some(ddf)) => ([(CONTENT_TYPE, HeaderValue::from_static(DDF_XML))], ddf.text).into_response(),
        Ok(None) => refuse(&context, &refusal(404, "there is no such DDF file")),
        Err(error) => refuse(&context, &store_failed(&error)),
    }
}
