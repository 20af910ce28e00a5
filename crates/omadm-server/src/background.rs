//! What happens without a request: commands expire, old traces go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use omadm_store::StoreError;
use tokio::sync::watch;

use crate::context::Context;
use crate::lease::Duty;
use crate::metrics::Steps;
use crate::operator::imports;
use crate::retention::Pace;
use crate::{clock, events};

/// Pause between two sweeps.
const PAUSE: Duration = Duration::from_secs(5);
/// Most rows of one batch: a batch shares the store with devices, so it has to be short.
const BATCH: u32 = 500;
/// Most batches of one sweep; what is left waits for the next.
const BATCHES: u32 = 20;

/// Sweeps until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut duty = Duty::of(&context, "retention");
    let mut pace = None;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
        if let Err(error) = sweep_if_mine(&context, &mut duty, &mut pace).await {
            tracing::error!(%error, "a sweep over expired commands and old traces failed; it will be repeated");
        }
    }
    duty.give_back(context.store.as_ref()).await;
}

async fn sweep_if_mine(
    context: &Arc<Context>,
    duty: &mut Duty,
    pace: &mut Option<Pace>,
) -> Result<(), StoreError> {
    if !duty.is_mine(context.store.as_ref()).await? {
        // Another node goes on from where this one was.
        *pace = None;
        return Ok(());
    }
    let fresh = || Pace::new("trace.keep_days", context.config.trace.keep_days);
    sweep(context, pace.get_or_insert_with(fresh)).await
}

/// One sweep.
///
/// # Errors
/// When the store fails.
async fn sweep(context: &Arc<Context>, pace: &mut Pace) -> Result<(), StoreError> {
    imports::work::sweep(context).await?;
    for _ in 0..BATCHES {
        if !context.store.complete_inventory(BATCH).await? {
            break;
        }
    }
    let mut expired = 0;
    for _ in 0..BATCHES {
        let count = context.store.expire(events::ended, clock::now(), BATCH).await?;
        context.metrics.took(Steps::expired(count));
        expired += count;
        if count < BATCH {
            break;
        }
    }
    let mut pruned = 0;
    if let Some(before) = pace.before(context.store.oldest().await?, clock::now(), Instant::now()) {
        for _ in 0..BATCHES {
            let count = context.store.prune(before, BATCH).await?;
            pruned += count;
            if count < BATCH {
                break;
            }
        }
    }
    if expired + pruned > 0 {
        tracing::info!(expired, pruned, "swept");
    }
    Ok(())
}
