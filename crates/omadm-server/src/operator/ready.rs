//! Whether this server can work: anybody may ask, so many who ask at a time are one look at the store.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::context::Context;

/// How long the store may take to show that it works.
const TIME: Duration = Duration::from_secs(3);
/// How long it is taken for true.
const FRESH: Duration = Duration::from_secs(1);

/// What the last look has shown.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Instant, bool)>>);

impl Readiness {
    /// Whether the store reads and writes, as far as was seen within [`FRESH`].
    pub async fn is_ready(&self, context: &Context) -> bool {
        let mut seen = self.0.lock().await;
        if let Some((at, is_ready)) = *seen
            && at.elapsed() < FRESH
        {
            return is_ready;
        }
        let is_ready = match timeout(TIME, look(context)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "not ready: the store does not read and write");
                false
            }
            Err(_) => {
                tracing::error!("not ready: the store has not answered for {} s", TIME.as_secs());
                false
            }
        };
        *seen = Some((Instant::now(), is_ready));
        is_ready
    }
}

async fn look(context: &Context) -> Result<(), omadm_store::StoreError> {
    context.store.newest_event().await?;
    context.store.ping().await
}

/// Answers 200 if the store works, else 503.
pub async fn ready(State(context): State<Arc<Context>>) -> Response {
    if context.readiness.is_ready(&context).await {
        return "ready".into_response();
    }
    let plain = [(header::CONTENT_TYPE, "text/plain")];
    let answer = "the store does not read and write; the server's log says why";
    (StatusCode::SERVICE_UNAVAILABLE, plain, answer).into_response()
}
