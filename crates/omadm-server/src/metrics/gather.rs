//! Figures that have to be read: by one task, at an interval, never because somebody looks.

use std::sync::Arc;

use omadm_store::{CampaignQuery, Kept, StoreError};
use tokio::sync::watch;

use crate::clock;
use crate::context::Context;
use crate::metrics::Campaign;

/// Most profiles, and most campaigns, that are counted.
const MOST: u32 = 1_000;

/// Reads figures until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let interval = context.config.metrics.interval.0;
    context.metrics.started.set((), clock::now().as_secs());
    loop {
        if let Err(error) = read(&context).await {
            tracing::warn!(%error, "the figures of the store cannot be read; those before are shown on");
        }
        context.admission.tidy(&context, clock::now()).await;
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}

async fn read(context: &Context) -> Result<(), StoreError> {
    let metrics = &context.metrics;
    if let Some(bytes) = resident() {
        metrics.resident.set((), bytes);
    }
    let counts = context.store.counts().await?;
    let now = clock::now();
    metrics.devices.set((), counts.devices);
    metrics.commands_open.set((), counts.open_commands);
    metrics.dead_letters.set((), counts.dead_letters);
    let age = counts.oldest_open.map_or(0, |created| now.as_secs().saturating_sub(created.as_secs()).max(0));
    metrics.oldest_command.set((), age);
    let profiles = context.store.profiles(None, MOST).await?;
    metrics.profiles.set((), i64::try_from(profiles.len()).unwrap_or(i64::MAX));
    let campaigns = context.store.campaigns(CampaignQuery::default(), MOST).await?;
    for state in Campaign::ALL {
        let of_state = campaigns.iter().filter(|campaign| Campaign::of(campaign.state) == *state).count();
        metrics.campaigns.set(*state, i64::try_from(of_state).unwrap_or(i64::MAX));
    }
    for kept in Kept::ALL {
        metrics.kept.set(kept, context.store.kept_size(kept).await?.octets);
    }
    metrics.figures_read.set((), now.as_secs());
    Ok(())
}

/// Memory of the process in bytes, where Linux says it.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_known_on_linux() {
        let bytes = resident().unwrap();
        assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
    }
}
