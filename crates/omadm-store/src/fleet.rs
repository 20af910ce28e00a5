//! What operators know and say about their devices, and the groups they make of them.

use std::collections::BTreeMap;

use omadm_mo::{DeviceId, Time};
use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::{Device, NewEvent, StoreError};

/// Longest fact that is kept in the columns of the inventory, in characters; the last known tree has all of it.
const MAX_FACT: usize = 256;

/// Who a device is, as it said last. What is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Manufacturer.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Version of the firmware.
    pub firmware: String,
    /// Version of the software.
    pub software: String,
    /// Version of the hardware.
    pub hardware: String,
}

impl Facts {
    /// Reads [`Device::facts`]; what is too long is cut, and what no column can hold is left out.
    #[must_use]
    pub fn read(json: &str) -> Self {
        let facts: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).unwrap_or_default();
        let fact = |name: &str| -> String {
            let text = match facts.get(name) {
                None | Some(serde_json::Value::Null) => return String::new(),
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            text.chars().filter(|character| *character != '\0').take(MAX_FACT).collect()
        };
        Self {
            manufacturer: fact("manufacturer"),
            model: fact("model"),
            firmware: fact("firmware"),
            software: fact("software"),
            hardware: fact("hardware"),
        }
    }
}

/// Whether a device can be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// No way to it is known: it comes by itself, or not.
    #[default]
    None,
    /// A way to it is known.
    Known,
    /// It was called and has not answered.
    Unanswered,
}

impl Reach {
    /// The name for people, programs and filters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Known => "known",
            Self::Unanswered => "unanswered",
        }
    }
}

/// A device as the inventory shows it, and as filters see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetDevice {
    /// The device.
    pub device: Device,
    /// Who it is.
    pub facts: Facts,
    /// Whether it can be called.
    pub reach: Reach,
    /// Over what it can be called, such as `sms` and `cloud`: schemes of its addresses.
    pub ways: Vec<String>,
    /// What people wrote about it.
    pub note: String,
    /// Labels by their keys.
    pub labels: BTreeMap<String, String>,
}

impl FleetDevice {
    /// `active`, or `revoked` while it has no bootstrap.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.device.revoked.is_some() { "revoked" } else { "active" }
    }
}

/// What people say about a device; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotation {
    /// Its name for people.
    pub name: Option<String>,
    /// What is to know about it.
    pub note: Option<String>,
    /// Labels to set, and with `None` to remove; the others stay.
    pub labels: BTreeMap<String, Option<String>>,
}

/// Devices of a kind: those that its filter means, whichever these are at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name, unique.
    pub name: String,
    /// The filter, as it was written.
    pub filter: String,
    /// For people.
    pub description: String,
    /// Counts its changes, from 1; for a new one 0.
    pub version: i64,
    /// When it was made.
    pub created: Time,
    /// When it was changed last.
    pub updated: Time,
}

/// Inventory and groups. Filters may name groups: they are read when the filter is evaluated.
#[async_trait::async_trait]
pub trait FleetStore: Send + Sync {
    /// A device with all that filters ask about, if it is enrolled.
    async fn fleet_device(&self, id: &DeviceId) -> Result<Option<FleetDevice>, StoreError>;
    /// Devices that a filter means (all without one) by id after `after`, at most `limit`.
    /// [`StoreError::Filter`] if a group in the filter is missing.
    async fn fleet(
        &self,
        filter: Option<&Filter>,
        after: Option<&DeviceId>,
        limit: u32,
        now: Time,
    ) -> Result<Vec<FleetDevice>, StoreError>;
    /// As [`FleetStore::fleet`], their ids alone.
    async fn select(
        &self,
        filter: Option<&Filter>,
        after: Option<&DeviceId>,
        limit: u32,
        now: Time,
    ) -> Result<Vec<DeviceId>, StoreError>;
    /// How many devices a filter means; counting stops at `at_most`.
    async fn count(&self, filter: Option<&Filter>, at_most: u32, now: Time) -> Result<u32, StoreError>;
    /// A filter in which all groups are replaced by their filters, so that [`Filter::matches`] can be asked.
    /// [`StoreError::Filter`] if one is missing.
    async fn expand(&self, filter: &Filter) -> Result<Filter, StoreError>;
    /// Changes what people say about a device, and adds `events` in the same batch; `false`, and no event, if it is not enrolled.
    /// [`StoreError::TooManyLabels`] beyond `max_labels`.
    async fn annotate(
        &self,
        id: &DeviceId,
        annotation: Annotation,
        max_labels: usize,
        events: Vec<NewEvent>,
        now: Time,
    ) -> Result<bool, StoreError>;
    /// Reads what is known of at most `limit` devices that were enrolled before there was an inventory; gives whether there were any.
    async fn complete_inventory(&self, limit: u32) -> Result<bool, StoreError>;

    /// Groups by name after `after`, at most `limit`.
    async fn groups(&self, after: Option<&str>, limit: u32) -> Result<Vec<Group>, StoreError>;
    /// One group.
    async fn group(&self, name: &str) -> Result<Option<Group>, StoreError>;
    /// Makes a group (version 0) or changes the one that was read with this version; gives the group as it is then. `filter` is its
    /// filter as it was read from the text. [`StoreError::Filter`] if it names a group that does not exist or that comes back to
    /// this one, [`StoreError::GroupExists`], or [`StoreError::Conflict`] if it was changed meanwhile.
    async fn put_group(
        &self,
        group: Group,
        filter: &Filter,
        events: Vec<NewEvent>,
        now: Time,
    ) -> Result<Group, StoreError>;
    /// Removes a group; `false`, and no event, if there was none. [`StoreError::GroupInUse`] while something uses it.
    async fn remove_group(&self, name: &str, events: Vec<NewEvent>, now: Time) -> Result<bool, StoreError>;
    /// What uses a group, such as `group:OTHER`, `profile:NAME` or `campaign:UUID`, at most `limit`.
    async fn group_uses(&self, name: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// Says which groups something uses from now on, in place of those before. [`StoreError::GroupUnknown`] if one does not exist.
    async fn set_group_uses(&self, user: &str, groups: Vec<String>) -> Result<(), StoreError>;
}
