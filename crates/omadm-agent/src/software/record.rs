//! What is known of software components beside what the package manager says: operations that wait, packages that were delivered, and how
//! the operations went. All of it survives a power cut.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::packages::Delivery;

/// How often a command is begun that a power cut has ended.
pub const MAX_RUNS: u32 = 3;
/// Most ends that are remembered for servers that have yet to ask.
const MAX_ENDS: usize = 64;

/// Result codes (`SCOMO 1.0 §8.7`).
pub mod code {
    pub const SUCCESS: u16 = 1200;
    pub const DOWNLOAD_FAILED: u16 = 1402;
    pub const UNAUTHORIZED: u16 = 1403;
    pub const NO_ROOM: u16 = 1404;
    pub const INSTALL_FAILED: u16 = 1405;
    pub const NOT_VALID: u16 = 1407;
    pub const REMOVE_FAILED: u16 = 1408;
    pub const ACTIVATE_FAILED: u16 = 1409;
    pub const DEACTIVATE_FAILED: u16 = 1410;
    pub const UNDEFINED: u16 = 1412;
    pub const SERVER_UNAVAILABLE: u16 = 1501;
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Download what this node of Download says, and install it if wanted.
    Download {
        node: String,
        delivery: Delivery,
        install: Option<Wanted>,
    },
    /// Install what this node of Delivered has.
    Install {
        node: String,
        wanted: Wanted,
    },
    /// Remove it.
    RemovePackage {
        node: String,
    },
    /// Activate, deactivate or remove a component.
    Activate {
        component: String,
    },
    Deactivate {
        component: String,
    },
    Remove {
        component: String,
    },
}

/// What an installed component is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    Active,
    Inactive,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Not begun, or its package is on its way.
    #[default]
    Waiting,
    /// Its package is on disk and good.
    Fetched,
    /// Its command was begun so many times.
    Begun(u32),
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub number: u64,
    /// The node that was executed.
    pub address: String,
    pub what: What,
    pub stage: Stage,
}

/// A package that can be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    pub delivery: Delivery,
    /// The name of its place.
    pub place: String,
    pub status: i64,
    pub installed: bool,
}

/// A component that came by this object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    pub package: String,
    pub version: String,
    pub active: bool,
    /// The package manager knows it.
    pub known: bool,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub address: String,
    pub code: u16,
    /// Of the package or component.
    pub identifier: String,
}

/// What became of a node of Download.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub status: i64,
    pub result: u16,
    pub reason: String,
}

/// All that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub next: u64,
    pub jobs: VecDeque<Job>,
    pub delivered: BTreeMap<String, Delivered>,
    pub components: BTreeMap<String, Component>,
    /// `Status` of components of which something failed.
    pub faulty: BTreeMap<String, i64>,
    pub outcomes: BTreeMap<String, Outcome>,
    /// Ends, the oldest first, until they are told.
    pub ended: VecDeque<End>,
}

impl Record {
    /// Adds an operation to the end of the queue.
    pub fn add(&mut self, address: &str, what: What) {
        self.next += 1;
        self.jobs.push_back(Job {
            number: self.next,
            address: address.to_owned(),
            what,
            stage: Stage::Waiting,
        });
    }

    /// Ends the operation at the front.
    pub fn end(&mut self, code: u16, identifier: &str) {
        let Some(job) = self.jobs.pop_front() else { return };
        if self.ended.len() >= MAX_ENDS {
            self.ended.pop_front();
        }
        self.ended.push_back(End { address: job.address, code, identifier: identifier.to_owned() });
    }

    /// What a node of Download tells, by what is going on with it.
    pub fn outcome(&self, node: &str) -> Outcome {
        let known = self.outcomes.get(node).cloned().unwrap_or(Outcome { status: 10, ..Outcome::default() });
        let front = self.jobs.front();
        let status = front.and_then(|job| match (&job.what, job.stage) {
            (What::Download { node: of, .. }, _) if of != node => None,
            (What::Download { .. }, Stage::Waiting) => Some(30),
            (What::Download { .. }, Stage::Fetched) => Some(40),
            (What::Download { .. }, Stage::Begun(_)) => Some(50),
            _ => None,
        });
        status.map_or(known, |status| Outcome { status, ..Outcome::default() })
    }

    /// `Status` of a component.
    pub fn component_status(&self, component: &str) -> i64 {
        let status = self.jobs.front().and_then(|job| match &job.what {
            What::Remove { component: of } if of == component => Some(30),
            What::Activate { component: of } if of == component => Some(50),
            What::Deactivate { component: of } if of == component => Some(70),
            _ => None,
        });
        status.or_else(|| self.faulty.get(component).copied()).unwrap_or(10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_end_in_their_order_and_ends_are_bounded() {
        let mut record = Record::default();
        for number in 0..100 {
            record.add(&number.to_string(), What::Remove { component: "a".to_owned() });
        }
        assert_eq!(record.component_status("a"), 30);
        for _ in 0..100 {
            record.end(code::SUCCESS, "a");
        }
        record.end(code::SUCCESS, "nothing is left");
        assert_eq!((record.ended.len(), record.component_status("a")), (MAX_ENDS, 10));
        assert_eq!(record.ended.front().unwrap().address, "36");
    }

    #[test]
    fn the_status_of_a_download_follows_its_operation() {
        let mut record = Record::default();
        let what = What::Download { node: "x".to_owned(), delivery: Delivery::default(), install: None };
        record.add("x", what);
        for (stage, status) in [(Stage::Waiting, 30), (Stage::Fetched, 40), (Stage::Begun(1), 50)] {
            record.jobs.front_mut().unwrap().stage = stage;
            assert_eq!((record.outcome("x").status, record.outcome("y").status), (status, 10));
        }
    }
}
