//! What large fleets cost: enqueue for all, a filter over all, sessions with few and with many enrolled, a long history.

use std::sync::Arc;
use std::time::Instant;

use omadm_mo::{DeviceId, Time};
use omadm_store::filter::{Filter, FilterLimits};
use omadm_store::sqlite::{SqliteConfig, SqliteStore};
use omadm_store::{Accept, Command, Enrolment, FleetStore as _, NewCommand, NewEvent, Store as _};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::figure::{Figure, Target};
use crate::measure::{Effort, median};
use crate::store::{WRITERS, step};
use crate::{Error, Result};

const FLEET: &str = "fleet";
const ENROLLED: &str = "enrolled";
const HISTORY: &str = "history";

/// Devices of a large fleet.
const LARGE: usize = 1_000_000;
/// The same when it has to be quick.
const LARGE_QUICK: usize = 20_000;
/// Devices of a small fleet.
const SMALL: usize = 1_000;
/// Rows of one batch.
const BATCH: usize = 1_000;
/// Least rate with many enrolled, as a part of the rate with few.
const LEAST_ENROLLED: f64 = 0.85;
/// Least rate with a long history, as a part of the rate without.
const LEAST_HISTORY: f64 = 0.9;
/// Most memory with a large fleet, in MB.
const MOST_MEMORY: f64 = 300.0;
/// Most open commands of a device.
const QUEUE: u32 = 1_000;
/// Finished commands of a long history.
const PAST: usize = 10_000_000;
/// The same when it has to be quick.
const PAST_QUICK: usize = 20_000;

/// A store on a file with devices in it.
pub struct Fleet {
    pub runtime: Runtime,
    pub store: Arc<SqliteStore>,
    devices: usize,
    _dir: TempDir,
}

impl Fleet {
    /// Enrols so many devices.
    pub fn enrol(devices: usize) -> Result<Self> {
        let runtime = Runtime::new()?;
        let dir = tempfile::tempdir()?;
        let store = Arc::new(SqliteStore::open(&dir.path().join("omadm.db"), SqliteConfig::default())?);
        let enrolment = |number: usize| {
            Ok(Enrolment {
                device: device(number)?,
                label: String::new(),
                user: format!("user{number}"),
                verifier: vec![0; 64].into(),
                dm1: None,
                replace: false,
            })
        };
        for first in (0..devices).step_by(BATCH) {
            let batch = (first..devices.min(first + BATCH)).map(enrolment).collect::<Result<_>>()?;
            runtime.block_on(store.enrol(batch, Vec::new(), Time::from_secs(1)))?;
        }
        Ok(Self { runtime, store, devices, _dir: dir })
    }

    /// Queues one command for each device; devices a second.
    fn enqueue(&self) -> Result<f64> {
        let started = Instant::now();
        for first in (0..self.devices).step_by(BATCH) {
            let commands = (first..self.devices.min(first + BATCH)).map(command).collect::<Result<_>>()?;
            self.runtime.block_on(self.store.enqueue_many(commands, QUEUE, Time::from_secs(2)))?;
        }
        Ok(self.devices as f64 / started.elapsed().as_secs_f64())
    }

    /// Sessions of two messages each, for `count` devices spread over the fleet; sessions a second.
    fn sessions(&self, first: usize, count: usize) -> Result<f64> {
        let started = Instant::now();
        self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for writer in 0..WRITERS {
                let (store, devices) = (self.store.clone(), self.devices);
                tasks.spawn(async move {
                    for number in (writer..count).step_by(WRITERS) {
                        // Consecutive numbers are far from each other in the order of keys.
                        let place = (first + number).wrapping_mul(7_919) % devices;
                        session(&store, place).await?;
                    }
                    Result::Ok(())
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended??;
            }
            Result::Ok(())
        })?;
        Ok(count as f64 / started.elapsed().as_secs_f64())
    }
}

fn device(number: usize) -> Result<DeviceId> {
    Ok(DeviceId::parse(&format!("SIM:{number:07}"))?)
}

fn command(number: usize) -> Result<NewCommand> {
    Ok(NewCommand {
        id: Uuid::now_v7(),
        device: device(number)?,
        verb: "get".to_owned(),
        address: "urn:oma:mo:oma-dm-devinfo:1.2//DevID".to_owned(),
        args: "{}".to_owned(),
        payload: None,
        supersede_key: None,
        expires: Time::from_secs(1 << 40),
        created_by: "bench".to_owned(),
        origin: None,
    })
}

/// What the store does for a session of two messages: one read, two batches.
async fn session(store: &SqliteStore, number: usize) -> Result<()> {
    let user = format!("user{number}");
    let accept: Accept = Box::new(|_| true);
    let found = store.check_in_user(&user, accept, 1).await?;
    let (_, check) = found.ok_or_else(|| Error::from(format!("{user} is not enrolled")))?;
    // The row of a session counts the messages that were written.
    let written = check.session.as_ref().map_or(0, |row| row.version);
    for message in written..written + 2 {
        store.apply(step(&check.device.id, message)).await?;
    }
    Ok(())
}

/// A command for all devices, and a question about all devices.
pub fn fleet(effort: &Effort) -> Result<Vec<Figure>> {
    let devices = if effort.full { LARGE } else { LARGE_QUICK };
    let fleet = Fleet::enrol(devices)?;
    let rate = fleet.enqueue()?;
    let now = Time::from_secs(3);
    let mut figures = vec![
        Figure::new(FLEET, format!("enqueue of one command for each of {devices} devices"), rate, "/s"),
        Figure::new(FLEET, "the same, in all", devices as f64 / rate, "s"),
    ];
    for text in ["id = \"SIM:0000777\"", "model = \"X\" and fw < \"2.1\"", "seen < 2d or enrolled < 1d"] {
        let filter =
            Filter::parse(text, &FilterLimits::default()).map_err(|error| format!("{text}: {error:?}"))?;
        let page = (0..effort.runs).map(|_| {
            let started = Instant::now();
            fleet.runtime.block_on(fleet.store.select(Some(&filter), None, 100, now))?;
            Ok(started.elapsed().as_secs_f64() * 1e3)
        });
        let page = median(page.collect::<Result<_>>()?);
        figures.push(Figure::new(FLEET, format!("first page of `{text}`, {devices} devices"), page, "ms"));
    }
    let started = Instant::now();
    fleet.runtime.block_on(fleet.store.count(None, u32::MAX, now))?;
    let took = started.elapsed().as_secs_f64() * 1e3;
    figures.push(Figure::new(FLEET, format!("count of {devices} devices"), took, "ms"));
    Ok(figures)
}

/// Sessions with few and with many enrolled, in turn.
pub fn enrolled(effort: &Effort) -> Result<Vec<Figure>> {
    let many = if effort.full { LARGE } else { LARGE_QUICK };
    let (few, many) = (Fleet::enrol(SMALL)?, Fleet::enrol(many)?);
    let sessions = if effort.full { 20_000 } else { 1_000 };
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    // The first run fills caches.
    for run in 0..=effort.runs {
        let rates = (few.sessions(run * sessions, sessions)?, many.sessions(run * sessions, sessions)?);
        if run > 0 {
            of_few.push(rates.0);
            of_many.push(rates.1);
        }
    }
    let (of_few, of_many) = (median(of_few), median(of_many));
    let name = |devices: usize| format!("sessions of two messages in the store, {devices} enrolled");
    let resident = resident()?;
    Ok(vec![
        Figure::new(ENROLLED, name(SMALL), of_few, "/s"),
        Figure::new(ENROLLED, name(many.devices), of_many, "/s")
            .beside_rate(&name(SMALL), of_few)
            .with_target(Target::RatioAtLeast(LEAST_ENROLLED)),
        Figure::new(ENROLLED, format!("memory of the store, {} enrolled", many.devices), resident, "MB")
            .with_target(Target::AtMost(MOST_MEMORY)),
    ])
}

/// Check-ins without a past and with a long one.
pub fn history(effort: &Effort) -> Result<Vec<Figure>> {
    let past = if effort.full { PAST } else { PAST_QUICK };
    let (young, old) = (Fleet::enrol(SMALL)?, Fleet::enrol(SMALL)?);
    old.live_through(past)?;
    let checks = if effort.full { 20_000 } else { 1_000 };
    let (mut of_young, mut of_old) = (Vec::new(), Vec::new());
    for run in 0..=effort.runs {
        let rates = (young.sessions(run * checks, checks)?, old.sessions(run * checks, checks)?);
        if run > 0 {
            of_young.push(rates.0);
            of_old.push(rates.1);
        }
    }
    let (of_young, of_old) = (median(of_young), median(of_old));
    Ok(vec![
        Figure::new(HISTORY, "sessions of two messages in the store, no history", of_young, "/s"),
        Figure::new(HISTORY, format!("the same after {past} finished commands"), of_old, "/s")
            .beside_rate("no history", of_young)
            .with_target(Target::RatioAtLeast(LEAST_HISTORY)),
    ])
}

impl Fleet {
    /// Has commands queued and cancelled, until there were so many.
    fn live_through(&self, commands: usize) -> Result<()> {
        let each = commands.div_ceil(self.devices);
        for number in 0..self.devices {
            let mut left = each;
            while left > 0 {
                let batch = left.min(QUEUE as usize);
                let queued = (0..batch).map(|_| command(number)).collect::<Result<Vec<_>>>()?;
                self.runtime.block_on(self.end(queued))?;
                left -= batch;
            }
        }
        Ok(())
    }

    async fn end(&self, commands: Vec<NewCommand>) -> Result<()> {
        let expired = commands.into_iter().map(|new| NewCommand { expires: Time::from_secs(3), ..new });
        let expired: Vec<_> = expired.collect();
        let count = u32::try_from(expired.len())?;
        self.store.enqueue_many(expired, QUEUE, Time::from_secs(2)).await?;
        let ended = self.store.expire(ended, Time::from_secs(4), count).await?;
        if ended == count { Ok(()) } else { Err(format!("{ended} of {count} commands expired").into()) }
    }
}

fn ended(command: &Command) -> NewEvent {
    NewEvent { device: Some(command.device.clone()), kind: "command".to_owned(), body: "{}".to_owned() }
}

/// Memory of this process, in MB.
fn resident() -> Result<f64> {
    crate::processes::resident(std::process::id()).map(|bytes| bytes as f64 / 1e6)
}
