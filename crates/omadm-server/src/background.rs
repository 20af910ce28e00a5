//! What happens without a request: commands expire, old traces go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use omadm_store::StoreError;
use tokio::sync::watch;

use crate::context::Context;
use crate::lease::Duty;
use crate::metrics::Steps;
use crate::operator::imports;
use crate::retention::{BATCH, Pace, Sizes, Walked, in_steps};
use crate::{clock, events};

/// Pause between two sweeps.
const PAUSE: Duration = Duration::from_secs(5);

/// What goes on from one sweep to the next.
struct Sweeps {
    pace: Pace,
    sizes: Sizes,
}

/// Sweeps until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut duty = Duty::of(&context, "retention");
    let mut sweeps = None;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
        if let Err(error) = sweep_if_mine(&context, &mut duty, &mut sweeps).await {
            tracing::error!(%error, "a sweep over expired commands and old traces failed; it will be repeated");
        }
    }
    duty.give_back(context.store.as_ref()).await;
}

async fn sweep_if_mine(
    context: &Arc<Context>,
    duty: &mut Duty,
    sweeps: &mut Option<Sweeps>,
) -> Result<(), StoreError> {
    if !duty.is_mine(context.store.as_ref()).await? {
        // Another node goes on from where this one was.
        *sweeps = None;
        return Ok(());
    }
    let fresh = || Sweeps {
        pace: Pace::new("trace.keep_days", context.config.trace.keep_days),
        sizes: Sizes::default(),
    };
    sweep(context, sweeps.get_or_insert_with(fresh)).await
}

/// One sweep.
///
/// # Errors
/// When the store fails.
async fn sweep(context: &Arc<Context>, sweeps: &mut Sweeps) -> Result<(), StoreError> {
    let store = context.store.as_ref();
    imports::work::sweep(context).await?;
    in_steps(|| async move { store.complete_inventory(BATCH).await.map(Walked::some) }).await?;
    let expired = in_steps(|| async move {
        let count = store.expire(events::ended, clock::now(), BATCH).await?;
        context.metrics.took(Steps::expired(count));
        Ok(Walked::batch(count))
    });
    let expired = expired.await?.rows;
    let mut pruned = 0;
    if let Some(before) = sweeps.pace.before(store.oldest().await?, clock::now(), Instant::now()) {
        let walked = in_steps(|| async move { store.prune(before, BATCH).await.map(Walked::batch) });
        pruned = walked.await?.rows;
    }
    let settings = &context.config.retention;
    let ranges = match sweeps.sizes.begins(Instant::now()) {
        true => sweeps.sizes.sweep(store, settings, &context.audit, clock::now()).await?,
        false => 0,
    };
    if expired + pruned > 0 || ranges > 0 {
        tracing::info!(expired, pruned, ranges, "swept");
    }
    Ok(())
}
