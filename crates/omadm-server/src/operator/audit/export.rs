//! The audit log as a file: chain by chain, as `omadm audit verify` reads it.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use omadm_store::{AuditHead, AuditQuery, StoreError};

use super::Entry;
use crate::context::Context;
use crate::operator::problem::Problem;

/// Entries that are read at a time.
const BATCH: u32 = 500;

/// Gives all entries of the audit log, chain by chain up to the entries that are the last now: a JSON object in each line, as `omadm audit verify` reads them.
#[utoipa::path(get, path = "/audit/export", operation_id = "export_audit", tag = "audit",
    responses((status = 200, description = "An entry in each line", content((String = "application/x-ndjson")))))]
pub async fn export(State(context): State<Arc<Context>>) -> Result<Response, Problem> {
    let chains = context.store.audit_heads().await?.into();
    let pages = Pages { context, chains, after: 0 };
    let stream = futures_util::stream::try_unfold(pages, |pages| async move { pages.next().await });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"audit.jsonl\"")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

/// An export on its way.
struct Pages {
    context: Arc<Context>,
    /// Chains that are to be written, each up to its head.
    chains: VecDeque<AuditHead>,
    /// Place in the first of them that is written already.
    after: i64,
}

impl Pages {
    /// The next lines, and what comes after them.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        while let Some(head) = self.chains.front() {
            let query = AuditQuery::Chain { chain: head.chain.clone(), after: self.after };
            let entries = self.context.store.audit(query, BATCH).await?;
            let (mut lines, last) = (Vec::new(), head.seq);
            for entry in entries.into_iter().filter(|entry| entry.seq <= last) {
                self.after = entry.seq;
                // A line of memory has no failure, and what is in it no value that JSON does not have.
                if serde_json::to_writer(&mut lines, &Entry::from(entry)).is_ok() {
                    lines.push(b'\n');
                }
            }
            if lines.is_empty() || self.after >= last {
                self.chains.pop_front();
                self.after = 0;
            }
            if !lines.is_empty() {
                return Ok(Some((lines.into(), self)));
            }
        }
        Ok(None)
    }
}
