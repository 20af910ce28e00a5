//! Imports that go on by themselves: those whose rows have come in are checked and written in small steps, which do not hold up
//! devices, and which another node goes on with if this one ends.

use std::sync::Arc;
use std::time::Duration;

use omadm_mo::DeviceId;
use omadm_store::{NewEvent, RowOutcome, StoreError};
use uuid::Uuid;

use crate::clock;
use crate::context::Context;

/// Rows of one step.
const STEP: u32 = 200;
/// After this time without a step an import goes on wherever it is found.
const STALLED: Duration = Duration::from_secs(30);
/// After this time without a row an import that comes in has failed, beside the time that its body may take.
const SILENT: Duration = Duration::from_secs(600);
/// Imports that one sweep goes on with.
const AT_ONCE: u32 = 4;
/// Rows of old imports that go at once.
const PRUNE: u32 = 1_000;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Goes on with an import until it is over, or the server stops.
pub async fn go_on(context: Arc<Context>, id: Uuid) {
    loop {
        if *context.stopped.borrow() {
            return;
        }
        let most = context.config.fleet.max_labels;
        match context.store.step_import(id, STEP, most, event, clock::now()).await {
            Ok((_, true)) => {}
            Ok((import, false)) => {
                let (rows, state) = (import.rows, import.state.as_str());
                return tracing::info!(import = %id, rows, bad = import.bad, failed = import.failed, state, "import is over");
            }
            Err(StoreError::Conflict(why)) => {
                return tracing::debug!(import = %id, why, "import is left to another");
            }
            Err(error) => {
                return tracing::warn!(%error, import = %id, "an import has stopped; it goes on in a while");
            }
        }
    }
}

/// Goes on with imports that nobody works on, and removes old ones.
///
/// # Errors
/// When the store fails.
pub async fn sweep(context: &Arc<Context>) -> Result<(), StoreError> {
    let now = clock::now();
    let ago = |time: Duration| now.plus_micros(-i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
    let silent = ago(SILENT.saturating_add(context.config.operator.body_timeout.0));
    for id in context.store.open_imports(silent, ago(STALLED), AT_ONCE, now).await? {
        tokio::spawn(go_on(context.clone(), id));
    }
    let days = i64::try_from(context.config.fleet.import_keep_days).unwrap_or(i64::MAX);
    let before = now.plus_micros(-days.saturating_mul(DAY));
    context.store.prune_imports(before, PRUNE).await.map(drop)
}

/// The event of a device that came with an import.
fn event(device: &str, outcome: RowOutcome, by: &str) -> NewEvent {
    let what = match outcome {
        RowOutcome::Enrol | RowOutcome::Replace => "enrolled",
        RowOutcome::Change | RowOutcome::Read | RowOutcome::Bad | RowOutcome::Failed => "annotated",
    };
    let body = serde_json::json!({ "what": what, "by": by, "import": true });
    NewEvent { device: DeviceId::parse(device).ok(), kind: "device".into(), body: body.to_string() }
}
