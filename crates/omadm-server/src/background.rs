//! What happens without a request: commands expire, old traces go.

use std::sync::Arc;
use std::time::Duration;

use omadm_store::StoreError;
use tokio::sync::watch;

use crate::context::Context;
use crate::lease::Duty;
use crate::metrics::Steps;
use crate::operator::imports;
use crate::{clock, events};

/// Pause between two sweeps.
const PAUSE: Duration = Duration::from_secs(5);
/// Most rows of one batch: a batch shares the store with devices, so it has to be short.
const BATCH: u32 = 500;
/// Most batches of one sweep; what is left waits for the next.
const BATCHES: u32 = 20;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Sweeps until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut duty = Duty::of(&context, "retention");
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
        if let Err(error) = sweep_if_mine(&context, &mut duty).await {
            tracing::error!(%error, "a sweep over expired commands and old traces failed; it will be repeated");
        }
    }
    duty.give_back(context.store.as_ref()).await;
}

async fn sweep_if_mine(context: &Arc<Context>, duty: &mut Duty) -> Result<(), StoreError> {
    if duty.is_mine(context.store.as_ref()).await? {
        sweep(context).await?;
    }
    Ok(())
}

/// One sweep.
///
/// # Errors
/// When the store fails.
pub async fn sweep(context: &Arc<Context>) -> Result<(), StoreError> {
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
    let kept = i64::from(context.config.trace.keep_days).saturating_mul(DAY);
    let mut pruned = 0;
    for _ in 0..BATCHES {
        let count = context.store.prune(clock::now().plus_micros(-kept), BATCH).await?;
        pruned += count;
        if count < BATCH {
            break;
        }
    }
    if expired + pruned > 0 {
        tracing::info!(expired, pruned, "swept");
    }
    Ok(())
}
