//! The store committing alone: what the disk and SQLite allow, whatever runs above them.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use omadm_mo::{DeviceId, Time};
use omadm_store::sqlite::{SqliteConfig, SqliteStore};
use omadm_store::{Enrolment, SessionRow, SessionStep, Store, TraceMessage};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::Result;
use crate::figure::Figure;
use crate::measure::{Effort, median};

/// Writers at the same time, as many as the load over TLS has connections.
pub const WRITERS: usize = 64;

/// Batches of one message each.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let mut alone = Alone::open(effort)?;
    let rates = (0..effort.runs).map(|_| alone.applies_per_second()).collect::<Result<_>>()?;
    let name = format!("durable message batches, {WRITERS} writers");
    Ok(vec![Figure::new("store", name, median(rates), "/s")])
}

/// A store with nothing above it.
pub struct Alone {
    runtime: Runtime,
    store: Arc<SqliteStore>,
    /// Messages that each device has written.
    written: i64,
    /// Messages that each device writes in one run.
    each: i64,
    _dir: TempDir,
}

impl Alone {
    /// Opens it in a directory of its own.
    pub fn open(effort: &Effort) -> Result<Self> {
        let runtime = Runtime::new()?;
        let dir = tempfile::tempdir()?;
        let store = Arc::new(runtime.block_on(open(dir.path()))?);
        Ok(Self { runtime, store, written: 0, each: if effort.full { 200 } else { 20 }, _dir: dir })
    }

    /// Rate of [`Store::apply`] for what one message of a session writes.
    pub fn applies_per_second(&mut self) -> Result<f64> {
        let started = Instant::now();
        self.runtime.block_on(write(&self.store, self.written, self.each))?;
        self.written = self.written.saturating_add(self.each);
        Ok(WRITERS as f64 * self.each as f64 / started.elapsed().as_secs_f64())
    }
}

async fn open(dir: &Path) -> Result<SqliteStore> {
    let store = SqliteStore::open(&dir.join("omadm.db"), SqliteConfig::default())?;
    let enrolment = |writer: usize| {
        Ok(Enrolment {
            device: device(writer)?,
            label: String::new(),
            user: format!("user{writer}"),
            verifier: vec![0; 64].into(),
            dm1: None,
            replace: false,
        })
    };
    store.enrol((0..WRITERS).map(enrolment).collect::<Result<_>>()?, Vec::new(), Time::default()).await?;
    Ok(store)
}

fn device(writer: usize) -> Result<DeviceId> {
    Ok(DeviceId::parse(&format!("SIM:{writer}"))?)
}

/// Every writer is one device and writes `count` messages, one after the other.
async fn write(store: &Arc<SqliteStore>, first: i64, count: i64) -> Result<()> {
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, device) = (Arc::clone(store), device(writer)?);
        tasks.spawn(async move {
            for message in first..first + count {
                store.apply(step(&device, message)).await?;
            }
            Result::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// What one message writes: the session row and two trace messages.
pub fn step(device: &DeviceId, message: i64) -> SessionStep {
    let trace = |from_device: bool| TraceMessage {
        at: Time::from_secs(message),
        from_device,
        summary: "Package".to_owned(),
        content_type: "application/vnd.oma.dm.response+json".to_owned(),
        http_status: Some(200),
        body: vec![b' '; 200],
        length: 200,
        notes: Vec::new(),
    };
    SessionStep {
        device: device.clone(),
        generation: 1,
        expected_version: (message > 0).then_some(message),
        expected_last_seq: None,
        session: Some(SessionRow {
            session: message / 2 + 1,
            version: 0,
            state: vec![b' '; 60],
            request_digest: vec![0; 32],
            reply: vec![b' '; 100],
            ended: message % 2 == 1,
            updated: Time::from_secs(message),
        }),
        outcome: Some(if message % 2 == 1 { "ended" } else { "open" }.to_owned()),
        replaced: None,
        transitions: Vec::new(),
        payloads: Vec::new(),
        tree: Vec::new(),
        validators: Vec::new(),
        standing: Vec::new(),
        inventory: None,
        facts: None,
        protocol: (message == 0).then(|| "dm2.0".to_owned()),
        bearer: (message == 0).then(|| "https".to_owned()),
        last_contact: (message > 0).then(|| Time::from_secs(message - 1)),
        dm1: None,
        model: None,
        profiles: None,
        events: Vec::new(),
        trace: vec![trace(true), trace(false)],
        now: Time::from_secs(message),
    }
}
