//! Threads that write, each with a connection. A device has its lane, so that its requests never wait for each other's locks within
//! a node; the requests of a lane that wait are committed together.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use omadm_mo::DeviceId;

use super::connector::{Connector, Link};
use super::session::Trouble;
use crate::sql::group::{self, BoxedJob};
use crate::sql::{Connection, events};
use crate::thread::{join, spawn};
use crate::{Commits, StoreError};

/// How often a transaction that got in the way of another is run again.
const REPEATS: u32 = 10;

/// A commit that takes longer is worth a line in the log.
const SLOW: Duration = Duration::from_millis(250);

/// When it is tried again to look after events that are late.
const RECOVERY: Duration = Duration::from_millis(200);

/// A request, and the device whose rows it writes if it is of no other.
struct Queued {
    device: Option<DeviceId>,
    job: BoxedJob,
}

struct Lane {
    jobs: Option<Sender<Queued>>,
    thread: Option<JoinHandle<()>>,
}

/// Handle of the threads; dropping it commits what was asked, then ends them.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    turn: AtomicUsize,
}

impl Lanes {
    /// `group` is the most requests in one commit, of each of which `commits` hears.
    pub(super) fn start(
        connector: &Arc<Connector>,
        count: usize,
        group: usize,
        commits: &Arc<Commits>,
    ) -> Result<Self, StoreError> {
        let start = |_| {
            let (jobs, queue) = channel();
            let worker = Worker {
                link: Link::new(Arc::clone(connector)),
                group: group.max(1),
                commits: Arc::clone(commits),
                late: Vec::new(),
            };
            let thread = spawn("omadm-store-write", move || worker.serve(&queue))?;
            Ok(Lane { jobs: Some(jobs), thread: Some(thread) })
        };
        let lanes = (0..count.max(1)).map(start).collect::<Result<_, StoreError>>()?;
        Ok(Self { lanes, turn: AtomicUsize::new(0) })
    }

    /// Runs `work` in a transaction and gives its result when it is durable; `device` says whose rows it writes if they are of no other.
    pub(crate) async fn run<T, F>(&self, device: Option<&DeviceId>, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let any = || self.turn.fetch_add(1, Ordering::Relaxed);
        let place = device.map_or_else(any, |device| place(device.as_str()));
        self.queue(place, device, work).await
    }

    /// As [`Lanes::run`], for work of no single device, of which all under one name is done one after the other.
    pub(crate) async fn run_in_turn<T, F>(&self, name: &str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.queue(place(name), None, work).await
    }

    async fn queue<T, F>(&self, place: usize, device: Option<&DeviceId>, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (job, answer) = group::job(work);
        let lane = self.lanes.get(place % self.lanes.len().max(1)).and_then(|lane| lane.jobs.as_ref());
        let queued = Queued { device: device.cloned(), job };
        lane.ok_or(StoreError::Closed)?.send(queued).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

fn place(name: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    usize::try_from(hasher.finish() >> 32).unwrap_or_default()
}

impl Drop for Lanes {
    fn drop(&mut self) {
        for lane in &mut self.lanes {
            drop(lane.jobs.take());
        }
        for lane in &mut self.lanes {
            join(lane.thread.take());
        }
    }
}

struct Worker {
    link: Link,
    group: usize,
    commits: Arc<Commits>,
    /// Cursors of events that may have become visible after those of later ones.
    late: Vec<i64>,
}

impl Worker {
    fn serve(mut self, queue: &Receiver<Queued>) {
        while let Some(first) = self.next(queue) {
            let mut waiting = vec![first];
            waiting.extend(queue.try_iter().take(self.group - 1));
            // All nodes lock the rows of devices in the same order, so that none waits for another that waits for it. What is of
            // several devices has an order of its own, and a transaction.
            waiting.sort_by(|a, b| name(a).cmp(&name(b)));
            let alone = waiting.iter().take_while(|queued| queued.device.is_none()).count();
            let together: Vec<_> = waiting.split_off(alone).into_iter().map(|queued| queued.job).collect();
            for queued in waiting {
                self.commit(vec![queued.job]);
            }
            if !together.is_empty() {
                self.commit(together);
            }
        }
    }

    /// The next request; `None` when there will be none any more. Events that are late are looked after meanwhile.
    fn next(&mut self, queue: &Receiver<Queued>) -> Option<Queued> {
        while !self.late.is_empty() {
            match queue.recv_timeout(RECOVERY) {
                Ok(queued) => return Some(queued),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.renumber(),
            }
        }
        queue.recv().ok()
    }

    /// Runs the jobs in one transaction and answers them.
    fn commit(&mut self, mut jobs: Vec<BoxedJob>) {
        let (started, requests) = (Instant::now(), jobs.len());
        let failure = self.transact(&mut jobs).err();
        let took = started.elapsed();
        if let Some(error) = &failure {
            tracing::error!(%error, requests, "commit failed");
        } else if took > SLOW {
            tracing::warn!(requests, took_ms = took.as_millis(), "slow commit; is PostgreSQL overloaded?");
        }
        self.commits.committed(requests, took);
        for job in jobs {
            job.answer(failure.as_ref());
        }
        self.renumber();
    }

    /// Runs the jobs in one transaction, again where that is safe and can help.
    fn transact(&mut self, jobs: &mut [BoxedJob]) -> Result<(), StoreError> {
        let mut round = 0;
        loop {
            round += 1;
            let (conn, session) = self.link.get()?;
            let Err(error) = group::transact(conn, jobs) else {
                self.late.extend(session.late_events());
                return Ok(());
            };
            match session.take_trouble() {
                // Nothing of it is kept, so that it can be run again.
                Some(Trouble::Again) if round <= REPEATS => {
                    conn.rollback()?;
                    std::thread::sleep(Duration::from_millis(1 << round.min(7)));
                }
                // Lost before the commit was asked for: nothing of it is kept either.
                Some(Trouble::Lost) if !session.is_committing() && round == 1 => self.link.lose(),
                Some(Trouble::Lost) => {
                    self.late.extend(session.given_events());
                    self.link.lose();
                    return Err(error);
                }
                _ => {
                    if conn.rollback().is_err() {
                        self.link.lose();
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Gives events that became visible late cursors of now, so that no reader which has gone past them misses them.
    fn renumber(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let late = std::mem::take(&mut self.late);
        let cursors = late.clone();
        let (job, _answer) = group::job(move |conn| events::renumber(conn, &cursors));
        if let Err(error) = self.transact(&mut [job]) {
            tracing::warn!(%error, "events that were committed late have old cursors; it will be tried again");
            self.late.extend(late);
        }
    }
}

fn name(queued: &Queued) -> Option<&str> {
    queued.device.as_ref().map(DeviceId::as_str)
}
