//! What the console reads of the API's documents.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A page of a listing.
#[derive(Debug, Deserialize)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// Cursor of what follows.
    pub next: Option<String>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next: None }
    }
}

/// A number of devices.
#[derive(Debug, Deserialize)]
pub struct Count {
    /// How many.
    pub devices: u64,
    /// Whether these are all.
    pub complete: bool,
}

/// A device.
#[derive(Debug, Deserialize)]
pub struct Device {
    /// Its DevID.
    pub id: String,
    /// What people call it.
    #[serde(default)]
    pub label: String,
    /// Of its last contact.
    pub protocol: Option<String>,
    /// By which transport its last session came.
    pub bearer: Option<String>,
    /// As it said last.
    pub manufacturer: Option<String>,
    /// As it said last.
    pub model: Option<String>,
    /// As it said last.
    pub firmware: Option<String>,
    /// As it said last.
    pub software: Option<String>,
    /// As it said last.
    pub hardware: Option<String>,
    /// When it was enrolled.
    #[serde(default)]
    pub enrolled: String,
    /// When its bootstrap was taken back.
    pub revoked: Option<String>,
    /// When its last message came.
    pub last_contact: Option<String>,
    /// Commands that wait.
    #[serde(default)]
    pub open_commands: i64,
    /// Counts its enrolments.
    #[serde(default)]
    pub generation: i64,
    /// `active` or `revoked`.
    #[serde(default)]
    pub state: String,
    /// Whether it can be called.
    #[serde(default)]
    pub reach: String,
    /// Over what.
    #[serde(default)]
    pub ways: Vec<String>,
    /// What people wrote about it.
    #[serde(default)]
    pub note: String,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Management objects that it has reported.
    #[serde(default)]
    pub inventory: Option<Vec<KnownMo>>,
    /// What its model can do in DM 1.x.
    #[serde(default)]
    pub features: BTreeMap<String, bool>,
}

/// A management object that a device has reported.
#[derive(Debug, Deserialize)]
pub struct KnownMo {
    /// Its MOID.
    pub moid: String,
    /// Its instances.
    #[serde(default)]
    pub miids: Vec<String>,
    /// Where its instances are in the tree of a device of DM 1.x.
    #[serde(default)]
    pub roots: Vec<String>,
    /// Name of the DDF file that describes it.
    pub model: Option<String>,
    /// What that file calls it.
    pub title: Option<String>,
    /// Why the file behind its link is not there.
    pub ddf_problem: Option<String>,
}

/// A group of devices.
#[derive(Debug, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Which devices are in it.
    pub filter: String,
}

/// Where in a listing a page begins.
#[derive(Debug, Default, Deserialize)]
pub struct After {
    /// The cursor.
    #[serde(default)]
    pub after: String,
}

/// Where in a listing a page begins, and the state of what it shows; of any state if that is empty.
#[derive(Debug, Default, Deserialize)]
pub struct InState {
    #[serde(default)]
    pub state: String,
    /// The cursor.
    #[serde(default)]
    pub after: String,
}

/// A session in a listing.
#[derive(Debug, Deserialize)]
pub struct Session {
    /// Its number.
    pub session: i64,
    /// When it began.
    pub started: String,
    /// When its last message was.
    pub updated: String,
    /// How it ended.
    pub outcome: String,
    /// How many messages it had.
    pub messages: i64,
}

/// An event.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// When it was.
    pub at: String,
    /// The device that it is about.
    pub device: Option<String>,
    /// Its kind.
    pub kind: String,
    /// What it tells.
    #[serde(default)]
    pub body: serde_json::Value,
}
