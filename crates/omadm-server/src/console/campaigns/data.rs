//! What the pages of campaigns read of the API's documents.

use serde::Deserialize;
use serde_json::Value;

use crate::console::parts::chart::Part;

/// A campaign.
#[derive(Debug, Deserialize)]
pub struct Campaign {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: String,
    /// When it was made.
    pub created: String,
    /// By whom.
    pub created_by: String,
    /// When it began.
    pub began: Option<String>,
    /// The stage in work, from 1.
    pub stage: usize,
    /// How many stages there are.
    pub stages: usize,
    /// How many devices were reached in all when each stage before it ended.
    #[serde(default)]
    pub reached: Vec<u64>,
    /// Whether all devices of the stage were reached.
    pub scanned: bool,
    /// Since when it waits between two stages.
    pub holding: Option<String>,
    /// Whether the next stage waits for somebody who says that it may begin.
    #[serde(default)]
    pub needs_approval: bool,
    /// Whether what devices were given is being taken back.
    #[serde(default)]
    pub taking_back: bool,
    /// Why it stands as it does.
    pub why: Option<String>,
    /// The groups to which it is kept.
    pub groups: Option<Vec<String>>,
    /// What became of its devices.
    pub devices: Counts,
    /// What was said of it; in listings nothing.
    #[serde(default)]
    pub spec: Spec,
}

impl Campaign {
    /// Whether nothing of it begins any more.
    pub fn is_over(&self) -> bool {
        ["stopped", "failed", "done"].contains(&self.state.as_str())
    }

    /// Whether it brings a profile, which can be taken back.
    pub fn brings_profile(&self) -> bool {
        self.spec.change.get("profile").is_some()
    }
}

/// How many devices stand how.
#[derive(Debug, Deserialize)]
pub struct Counts {
    /// All that were reached so far.
    pub total: u64,
    open: u64,
    /// The change was made.
    pub done: u64,
    /// It was not.
    pub failed: u64,
    retry: u64,
    waiting: u64,
    skipped: u64,
    cancelled: u64,
    gone: u64,
}

/// A state of a device in a campaign.
pub struct Standing {
    /// Its name in the API.
    pub state: &'static str,
    /// What it means, shortly.
    pub name: &'static str,
    /// The class of its colour.
    class: &'static str,
}

/// The states of devices, in the order in which they are shown.
pub const STANDINGS: [Standing; 8] = [
    Standing { state: "done", name: "done", class: "good" },
    Standing { state: "failed", name: "failed", class: "bad" },
    Standing { state: "open", name: "under way", class: "busy" },
    Standing { state: "retry", name: "tried again later", class: "warn" },
    Standing { state: "waiting", name: "waiting", class: "warn" },
    Standing { state: "skipped", name: "left out", class: "idle" },
    Standing { state: "cancelled", name: "cancelled", class: "idle" },
    Standing { state: "gone", name: "gone", class: "idle" },
];

impl Counts {
    /// How many are in a state.
    pub fn of(&self, state: &str) -> u64 {
        match state {
            "open" => self.open,
            "done" => self.done,
            "failed" => self.failed,
            "retry" => self.retry,
            "waiting" => self.waiting,
            "skipped" => self.skipped,
            "cancelled" => self.cancelled,
            "gone" => self.gone,
            _ => 0,
        }
    }

    /// Of how many something is to come.
    pub fn unsettled(&self) -> u64 {
        self.open + self.retry + self.waiting
    }

    /// The parts of a chart: the usual states, and others if there are any.
    pub fn parts(&self) -> Vec<Part> {
        let is_shown = |standing: &&Standing| {
            ["done", "failed", "open"].contains(&standing.state) || self.of(standing.state) > 0
        };
        let part = |standing: &Standing| Part {
            name: standing.name,
            value: self.of(standing.state),
            class: standing.class,
        };
        STANDINGS.iter().filter(is_shown).map(part).collect()
    }
}

/// What was said of a campaign.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Spec {
    /// What is done to each device.
    pub change: Value,
    /// Which devices.
    pub filter: Option<String>,
    /// The stages, if there are several.
    pub stages: Vec<Stage>,
    /// When it begins.
    pub start: Option<String>,
    /// When it stops.
    pub stop: Option<String>,
    /// Times of day.
    pub window: Option<Window>,
    /// Most devices that begin in a minute.
    pub rate: Option<u64>,
    /// What stops it by itself.
    pub failures: Option<Failures>,
    /// Further attempts.
    pub retry: Retry,
    /// Seconds until commands expire.
    pub expires_in: Option<u64>,
    /// Whether devices that come later belong to it.
    pub late: Option<String>,
    /// What happens where another campaign is at the same thing.
    pub rivals: Option<String>,
}

/// A stage.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Stage {
    /// Up to which part of all devices.
    pub percent: Option<f64>,
    /// Or which devices.
    pub filter: Option<String>,
    /// What has to happen before the next one.
    pub hold: Option<Hold>,
}

/// What has to happen before the next stage.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Hold {
    /// Percent of the devices that have to be through.
    pub settled: Option<u8>,
    /// Seconds from then on.
    pub seconds: Option<u64>,
    /// Whether somebody has to say so.
    pub approval: bool,
}

/// Times of day.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Window {
    /// When it opens.
    pub from: String,
    /// When it closes.
    pub to: String,
    /// In which time zone.
    pub zone: Option<String>,
    /// The label with the zone of each device.
    pub zone_label: Option<String>,
}

/// What stops a campaign by itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Failures {
    /// Percent of the devices.
    pub percent: u8,
    /// Devices before it counts.
    pub sample: Option<u64>,
}

/// Further attempts on a device.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Retry {
    /// Attempts in all.
    pub attempts: Option<u64>,
    /// Seconds until the second one.
    pub wait: Option<u64>,
}
