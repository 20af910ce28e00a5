//! Rounds of sessions: commands are queued for all devices, then all devices have a session, and only the sessions are timed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use omadm_client::Client;
use omadm_mo::ServerId;
use serde_json::json;
use tokio::task::JoinSet;

use super::device::{Ended, Speech, session};
use super::progress;
use super::report::{Figures, Sample};
use crate::api::Api;
use crate::cmd::device;
use crate::failure::Failure;

/// A load on one server.
#[derive(Clone)]
pub struct Load {
    /// Where commands are queued.
    pub api: Arc<Api>,
    /// Whom the devices talk to.
    pub server: ServerId,
    /// What they speak.
    pub speech: Speech,
    /// What is asked for in each session.
    pub gets: Arc<[String]>,
}

/// Devices of one worker, which has one session at a time.
pub type Share = Vec<Client>;

impl Load {
    /// Runs `warm_up` sessions of every device, then `rounds` that count, as many at the same time as there are shares.
    pub async fn run(&self, mut shares: Vec<Share>, warm_up: u32, rounds: u32) -> Result<Figures, Failure> {
        let devices = shares.iter().map(Vec::len).sum();
        let all = warm_up.saturating_add(rounds);
        let bar = progress("sessions", (devices as u64).saturating_mul(u64::from(all)));
        let mut figures = Figures::new(devices, shares.len());
        for round in 0..all {
            shares = each(shares, |share| self.clone().queue(share)).await?;
            let started = Instant::now();
            let worked = each(shares, |share| self.clone().sessions(share, bar.clone())).await?;
            let took = started.elapsed();
            let (back, samples): (Vec<_>, Vec<_>) = worked.into_iter().unzip();
            if round >= warm_up {
                figures.add_round(took, samples.into_iter().flatten().collect());
            }
            shares = back;
        }
        bar.finish_and_clear();
        Ok(figures)
    }

    async fn queue(self, share: Share) -> Result<Share, Failure> {
        let ids: Vec<_> = share.iter().filter_map(|client| client.device().dm1_device_id()).collect();
        for id in ids {
            queue(&self.api, id.as_str(), &self.gets).await?;
        }
        Ok(share)
    }

    async fn sessions(self, mut share: Share, bar: ProgressBar) -> Result<(Share, Vec<Sample>), Failure> {
        let mut samples = Vec::with_capacity(share.len());
        for client in &mut share {
            samples.push(self.session(client).await);
            bar.inc(1);
        }
        Ok((share, samples))
    }

    async fn session(&self, client: &mut Client) -> Sample {
        let started = Instant::now();
        let ended = session(client, &self.server, self.speech).await;
        let took = started.elapsed();
        match ended {
            Ok(Ended { messages, trouble }) => {
                Sample { took, messages, error: trouble.map(|trouble| trouble.to_string()) }
            }
            Err(error) => Sample { took, messages: 0, error: Some(error.to_string()) },
        }
    }
}

/// Queues what a device is asked for.
pub async fn queue(api: &Api, device: &str, gets: &[String]) -> Result<(), Failure> {
    let path = format!("{}/commands", device::path(device));
    for address in gets {
        let body = json!({ "verb": "get", "address": address });
        api.post(&path, &body, Duration::ZERO).await?;
    }
    Ok(())
}

/// Gives each share to a task of its own, and waits for all.
async fn each<T, F>(shares: Vec<Share>, work: impl Fn(Share) -> F) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for share in shares {
        tasks.spawn(work(share));
    }
    let mut done = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        done.push(ended.map_err(|error| Failure::Failed(format!("a worker stopped: {error}")))??);
    }
    Ok(done)
}
