//! What becomes of a firmware update, step by step, without doing any of it (`FUMO 1.0 §6`).
//!
//! ```text
//! idle ──Download, DownloadAndUpdate──▶ fetching ──▶ fetched ──Download──▶ idle, ready (50)
//!                                           │           │
//!                                           ▼           ▼ DownloadAndUpdate
//! idle, ready ──Update──▶ installing ◀──────┼───────────┘
//!    (20, 70 … 100)           │ │           ▼
//!         ▲                   │ └─slots──▶ trial ──not confirmed──▶ leaving
//!         └──end, one alert───┴────────────── confirmed ──────────────┘
//! ```
//!
//! A record is durable before anything is done that it announces, and every step may be done again: so a power cut at any instant leaves a
//! record from which [`drive`] goes on, and firmware that starts.

use serde::{Deserialize, Serialize};

use crate::packages::Delivery;

/// How often an installation is begun that a power cut has ended.
pub const MAX_RUNS: u32 = 3;

/// `State` (`FUMO 1.0 §6.2.1.10`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    #[default]
    Idle = 10,
    DownloadFailed = 20,
    DownloadProgressing = 30,
    DownloadComplete = 40,
    ReadyToUpdate = 50,
    UpdateProgressing = 60,
    UpdateFailedHaveData = 70,
    UpdateFailedNoData = 80,
    UpdatedHaveData = 90,
    UpdatedNoData = 100,
}

/// What a server executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Download,
    Update,
    DownloadAndUpdate,
}

/// Where the work is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing is going on.
    #[default]
    Idle,
    /// The package is on its way.
    Fetching,
    /// It is on disk, and nobody has looked at it yet.
    Fetched,
    /// It is being installed, for so many times already; with slots, into this one.
    Installing { runs: u32, slot: Option<usize> },
    /// This slot is to be in use, or is once it is switched to, and has seen so many starts without anybody having said that it is good.
    Trial { slot: usize, starts: u32, switched: bool },
    /// The other slot is to be in use again, or is.
    Leaving { slot: usize },
}

/// What a server waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub kind: Kind,
    /// The node that was executed.
    pub address: String,
    pub delivery: Delivery,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub kind: Kind,
    pub address: String,
    pub code: u16,
}

/// All that is known; it survives a power cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub state: State,
    pub stage: Stage,
    pub running: Option<Running>,
    /// The package that is on disk and may be installed.
    pub ready: Option<Delivery>,
    /// The last end, until the next operation begins.
    pub ended: Option<End>,
    /// Why it was no good one, for people.
    pub reason: String,
}

/// Why an operation does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// Another one is going on.
    Busy,
    /// There is no package to install.
    NoPackage,
}

/// A failure, in the words of FUMO and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: u16,
    pub reason: String,
}

/// What the machine can do. Each of these can be done again, and leaves nothing half done that counts.
pub trait World {
    /// Why nothing goes on at all: in production a disk on which no record can be kept.
    type Stop;
    /// Makes a record durable.
    async fn keep(&mut self, record: &Record) -> Result<(), Self::Stop>;
    /// Downloads the package.
    async fn fetch(&mut self, delivery: &Delivery) -> Result<Result<(), Fault>, Self::Stop>;
    /// Whether the package on disk is whole and from somebody who may send it.
    async fn check(&mut self, delivery: &Delivery) -> Result<Result<(), Fault>, Self::Stop>;
    /// The slot that is not in use; `None` where there are no slots.
    async fn spare(&mut self) -> Result<Result<Option<usize>, Fault>, Self::Stop>;
    /// Installs the package: into the slot, which is not in use, or for good.
    async fn install(
        &mut self,
        delivery: &Delivery,
        slot: Option<usize>,
        run: u32,
    ) -> Result<Result<(), Fault>, Self::Stop>;
    /// Has this slot be in use.
    async fn switch(&mut self, slot: usize) -> Result<Result<(), Fault>, Self::Stop>;
    /// Has what was switched take effect.
    async fn restart(&mut self) -> Result<Result<(), Fault>, Self::Stop>;
    /// Removes the package.
    async fn discard(&mut self) -> Result<(), Self::Stop>;
}

impl Record {
    /// Begins what a server executes; the caller keeps the record before it says so.
    pub fn begin(&mut self, kind: Kind, address: &str, delivery: Delivery) -> Result<(), Unready> {
        if self.stage != Stage::Idle {
            return Err(Unready::Busy);
        }
        let delivery = match (kind, &self.ready) {
            (Kind::Update, None) => return Err(Unready::NoPackage),
            (Kind::Update, Some(ready)) => ready.clone(),
            (Kind::Download | Kind::DownloadAndUpdate, _) => delivery,
        };
        self.ended = None;
        self.reason = String::new();
        (self.state, self.stage) = match kind {
            Kind::Update => (State::UpdateProgressing, Stage::Installing { runs: 0, slot: None }),
            Kind::Download | Kind::DownloadAndUpdate => {
                self.ready = None;
                (State::DownloadProgressing, Stage::Fetching)
            }
        };
        self.running = Some(Running { kind, address: address.to_owned(), delivery });
        Ok(())
    }

    /// Takes note that the agent starts; says whether the record has changed. Firmware that has had its starts is left. Where it is not
    /// the machine that `reboots`, nobody knows whether what was switched has taken effect: it is done once more.
    pub fn start(&mut self, most: u32, reboots: bool) -> bool {
        let Stage::Trial { slot, starts, switched: true } = self.stage else { return false };
        self.stage = if starts >= most {
            Stage::Leaving { slot }
        } else {
            Stage::Trial { slot, starts: starts + 1, switched: reboots || starts > 0 }
        };
        true
    }

    /// New firmware is good; says whether any is on trial that may be called so.
    pub fn confirm(&mut self, needs_start: bool) -> bool {
        match self.stage {
            Stage::Trial { starts, switched: true, .. } if starts > 0 || !needs_start => {
                self.end(200, State::UpdatedHaveData, String::new());
                true
            }
            _ => false,
        }
    }

    /// Whether there is anything to do but wait.
    pub fn has_work(&self) -> bool {
        match self.stage {
            Stage::Idle => self.is_stale(),
            Stage::Fetching | Stage::Fetched | Stage::Installing { .. } | Stage::Leaving { .. } => true,
            Stage::Trial { switched, .. } => !switched,
        }
    }

    /// Result code of the last operation, 0 if there was none.
    pub fn result(&self) -> u16 {
        self.ended.as_ref().map_or(0, |ended| ended.code)
    }

    /// Whether a package is still there that has served.
    fn is_stale(&self) -> bool {
        self.state == State::UpdatedHaveData
    }

    fn end(&mut self, code: u16, state: State, reason: String) {
        if let Some(Running { kind, address, .. }) = self.running.take() {
            self.ended = Some(End { kind, address, code });
        }
        (self.stage, self.state, self.reason) = (Stage::Idle, state, reason);
    }

    fn fail(&mut self, fault: Fault, state: State) {
        self.end(fault.code, state, fault.reason);
    }
}

/// Goes on with what the record says until there is nothing to do but wait.
pub async fn drive<W: World>(record: &mut Record, world: &mut W) -> Result<(), W::Stop> {
    while record.has_work() {
        let before = record.clone();
        step(record, world).await?;
        if *record == before {
            break;
        }
    }
    Ok(())
}

/// One step, durable when this returns.
async fn step<W: World>(record: &mut Record, world: &mut W) -> Result<(), W::Stop> {
    let delivery = record.running.as_ref().map(|running| running.delivery.clone()).unwrap_or_default();
    match record.stage {
        Stage::Idle => {
            world.discard().await?;
            (record.ready, record.state) = (None, State::UpdatedNoData);
        }
        Stage::Fetching => match world.fetch(&delivery).await? {
            Ok(()) => (record.stage, record.state) = (Stage::Fetched, State::DownloadComplete),
            Err(fault) => record.fail(fault, State::DownloadFailed),
        },
        Stage::Fetched => fetched(record, world, delivery).await?,
        Stage::Installing { runs, slot } => install(record, world, &delivery, runs, slot).await?,
        Stage::Trial { slot, starts, .. } => match world.switch(slot).await? {
            Ok(()) => {
                record.stage = Stage::Trial { slot, starts, switched: true };
                // Before it takes effect: that may end this process, and must not be done again after it.
                world.keep(record).await?;
                match world.restart().await? {
                    Ok(()) => return Ok(()),
                    Err(fault) => (record.stage, record.reason) = (Stage::Leaving { slot }, fault.reason),
                }
            }
            Err(fault) => (record.stage, record.reason) = (Stage::Leaving { slot }, fault.reason),
        },
        Stage::Leaving { slot } => {
            let reason = match world.switch(1 - slot.min(1)).await? {
                Ok(()) if record.reason.is_empty() => {
                    "the new firmware was not confirmed in time; the old one is back".to_owned()
                }
                Ok(()) => format!("{}; the old firmware is back", record.reason),
                Err(fault) => fault.reason,
            };
            record.fail(Fault { code: 500, reason }, State::UpdateFailedHaveData);
            world.keep(record).await?;
            // Last of all: if it ends this process, all is said already.
            if let Err(fault) = world.restart().await? {
                tracing::error!("the old firmware is not started anew: {}", fault.reason);
            }
            return Ok(());
        }
    }
    world.keep(record).await
}

async fn fetched<W: World>(record: &mut Record, world: &mut W, delivery: Delivery) -> Result<(), W::Stop> {
    if let Err(fault) = world.check(&delivery).await? {
        world.discard().await?;
        record.fail(fault, State::DownloadFailed);
        return Ok(());
    }
    let only = record.running.as_ref().is_none_or(|running| running.kind == Kind::Download);
    record.ready = Some(delivery);
    if only {
        record.end(200, State::ReadyToUpdate, String::new());
    } else {
        (record.stage, record.state) = (Stage::Installing { runs: 0, slot: None }, State::UpdateProgressing);
    }
    Ok(())
}

async fn install<W: World>(
    record: &mut Record,
    world: &mut W,
    delivery: &Delivery,
    runs: u32,
    slot: Option<usize>,
) -> Result<(), W::Stop> {
    if runs >= MAX_RUNS {
        let reason = format!("the installation was cut short {runs} times");
        record.fail(Fault { code: 410, reason }, State::UpdateFailedHaveData);
        return Ok(());
    }
    let slot = match slot {
        Some(slot) => Some(slot),
        // Decided once: after a switch it would be the other one.
        None => match world.spare().await? {
            Ok(slot) => slot,
            Err(fault) => {
                record.fail(fault, State::UpdateFailedHaveData);
                return Ok(());
            }
        },
    };
    record.stage = Stage::Installing { runs: runs + 1, slot };
    world.keep(record).await?;
    // Again: it may have been on disk for long.
    if let Err(fault) = world.check(delivery).await? {
        world.discard().await?;
        record.ready = None;
        record.fail(fault, State::UpdateFailedNoData);
        return Ok(());
    }
    match (world.install(delivery, slot, runs + 1).await?, slot) {
        (Err(fault), _) => record.fail(fault, State::UpdateFailedHaveData),
        (Ok(()), None) => record.end(200, State::UpdatedHaveData, String::new()),
        (Ok(()), Some(slot)) => record.stage = Stage::Trial { slot, starts: 0, switched: false },
    }
    Ok(())
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
