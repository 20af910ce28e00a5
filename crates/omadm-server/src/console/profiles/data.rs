//! What the pages of profiles read of the API's documents.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::console::device::Trial;
use crate::desired::Document;

/// A profile in a listing.
#[derive(Deserialize)]
pub struct Profile {
    pub name: String,
    pub newest: i64,
    pub updated: String,
    pub assignments: Vec<Assignment>,
}

/// A profile.
#[derive(Deserialize)]
pub struct Details {
    pub name: String,
    pub newest: Version,
    pub assignments: Vec<Assignment>,
    /// How many devices are in which state.
    pub devices: BTreeMap<String, u64>,
}

/// One version.
#[derive(Deserialize)]
pub struct Version {
    pub name: String,
    pub version: i64,
    pub created: String,
    pub created_by: String,
    pub document: Document,
}

/// That a group, or all devices, have a version.
#[derive(Deserialize)]
pub struct Assignment {
    pub group: Option<String>,
    pub version: i64,
    pub previous: Option<i64>,
    pub since: String,
    pub by: String,
}

/// How far a device is.
#[derive(Deserialize)]
pub struct Standing {
    pub device: String,
    pub version: i64,
    pub state: String,
    pub reason: Option<String>,
    pub since: String,
}

/// What is different between two versions.
#[derive(Deserialize)]
pub struct Diff {
    pub from: i64,
    pub to: i64,
    pub differences: Vec<Difference>,
}

/// One difference.
#[derive(Deserialize)]
pub struct Difference {
    pub what: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What would come of a version.
#[derive(Deserialize)]
pub struct Tried {
    pub version: i64,
    pub devices: u64,
    pub commands: BTreeMap<String, u64>,
    pub sample: Vec<Trial>,
}
