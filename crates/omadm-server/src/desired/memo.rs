//! What the server remembers of a device and the profiles that apply to it, with the device's row. Of a device that is as it should be
//! this is next to nothing.

use std::collections::{BTreeMap, BTreeSet};

use omadm_mo::Time;
use omadm_store::{CommandId, Pin, ProfileState};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Versions of profiles by name.
pub type Versions = BTreeMap<String, i64>;

/// As it is after a look at the device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memo {
    /// Versions that apply.
    pub of: Versions,
    /// Versions that applied, and have left things that are still to be given up.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub leaving: BTreeSet<(String, i64)>,
    /// When there is something to do without any news of the device, if ever; in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<i64>,
    /// When nodes were read last to see whether they are as they were, by name of the profile or by key of what is observed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checked: BTreeMap<String, i64>,
    /// Profiles that apply and have not converged, with how they stand.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stood: BTreeMap<String, String>,
    /// What is not as it should be, or not known to be, by key. Everything else was so when it was looked at last.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<String, Open>,
    /// Commands that read what the device has spoken of, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, CommandId>,
    /// Further attempts that campaigns have asked for and that were begun, by name of the profile.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tries: BTreeMap<String, (Uuid, u32)>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Open {
    /// Name and version of the profile that wants it. Of another everything begins anew.
    pub of: (String, i64),
    /// The command that is to bring it about, or reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandId>,
    /// Whether the command only reads.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reading: bool,
    /// Whether it was read for this, so that what is not known will not come to be known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
    /// Whether the device has said that it is done, and what there is now was not seen yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
    /// Attempts that failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// When it may be tried again, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether it was as it should be before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub drifted: bool,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Memo {
    /// Reads the stored form; one that cannot be read is as good as none: everything is looked at anew.
    pub fn read(stored: Option<&str>) -> Self {
        stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The form in which it is stored; `None` if there is nothing to remember.
    pub fn write(&self) -> Option<String> {
        (*self != Self::default()).then(|| serde_json::json!(self).to_string())
    }

    /// Forgets all attempts at what is open of a profile, so that it is begun anew at the next check-in; the version that applies, or
    /// `None` if nothing is open.
    pub fn retry(&mut self, profile: &str) -> Option<i64> {
        let version = *self.of.get(profile)?;
        let own = self.open.values_mut().filter(|open| open.of.0 == profile && open.command.is_none());
        let mut found = false;
        for open in own {
            *open = Open { of: std::mem::take(&mut open.of), drifted: open.drifted, ..Open::default() };
            found = true;
        }
        if !found {
            return None;
        }
        self.due = Some(0);
        self.stood.insert(profile.to_owned(), ProfileState::Pending.as_str().to_owned());
        Some(version)
    }

    /// Begins anew with what a campaign has given the device once more.
    pub fn try_again(&mut self, pins: &BTreeMap<String, Pin>) {
        for (name, pin) in pins {
            let attempt = (pin.campaign, pin.attempt);
            let is_new = pin.attempt > 1 && self.tries.get(name) != Some(&attempt);
            if is_new && self.of.get(name) == Some(&pin.version) {
                self.retry(name);
                self.tries.insert(name.clone(), attempt);
            }
        }
    }

    /// Whether something has to be looked at by this time.
    pub fn is_due(&self, now: Time) -> bool {
        !self.leaving.is_empty() || self.due.is_some_and(|due| due <= now.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_remembered_of_a_device_that_is_as_it_should_be() {
        let memo = Memo { of: Versions::from([("base".to_owned(), 3)]), ..Memo::default() };
        assert_eq!(memo.write().as_deref(), Some(r#"{"of":{"base":3}}"#));
        assert_eq!(Memo::default().write(), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let open = Open {
            of: ("base".into(), 3),
            unseen: true,
            failures: 2,
            why: Some("No.".into()),
            ..Open::default()
        };
        let memo = Memo {
            of: Versions::from([("base".to_owned(), 3)]),
            leaving: BTreeSet::from([("old".to_owned(), 1)]),
            due: Some(7),
            checked: BTreeMap::from([("base".to_owned(), 5)]),
            stood: BTreeMap::from([("base".to_owned(), "failed".to_owned())]),
            open: BTreeMap::from([("node x".to_owned(), open)]),
            told: BTreeMap::from([("node y".to_owned(), CommandId::nil())]),
            tries: BTreeMap::from([("base".to_owned(), (Uuid::nil(), 2))]),
        };
        assert_eq!(Memo::read(memo.write().as_deref()), memo);
        assert_eq!(Memo::read(Some("of another version")), Memo::default());
        assert!(memo.is_due(Time(0)), "something is to be given up");
        let due = Memo { due: Some(7), ..Memo::default() };
        assert!(due.is_due(Time(7)) && !due.is_due(Time(6)));
    }
}
