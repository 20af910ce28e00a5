//! Campaigns and their devices, as operators see them.

use omadm_mo::Time;
use omadm_store::{Campaign, CampaignCounts, CampaignDevice, CampaignState};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::campaign::Progress;
use crate::clock::rfc3339;

/// Devices by state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CampaignCounts)]
pub struct Counts {
    /// Reached so far.
    total: i64,
    /// Their commands are queued or sent.
    open: i64,
    done: i64,
    failed: i64,
    /// Another attempt follows.
    retry: i64,
    /// They wait for another campaign, for room in their queue or for their window.
    waiting: i64,
    /// Left out, because another campaign is at the same thing.
    skipped: i64,
    /// The campaign was stopped before their commands were sent.
    cancelled: i64,
    /// Removed or enrolled anew meanwhile.
    gone: i64,
}

impl From<CampaignCounts> for Counts {
    fn from(counts: CampaignCounts) -> Self {
        let total = counts.total();
        let CampaignCounts { open, done, failed, retry, waiting, skipped, cancelled, gone } = counts;
        Self { total, open, done, failed, retry, waiting, skipped, cancelled, gone }
    }
}

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Campaign)]
pub struct View {
    id: Uuid,
    name: String,
    /// `draft`, `running`, `holding`, `paused`, `stopped`, `failed` or `done`.
    state: &'static str,
    /// Counts the changes.
    version: i64,
    created: String,
    created_by: String,
    updated: String,
    /// When it began.
    began: Option<String>,
    /// The stage in work, from 1.
    stage: usize,
    /// How many stages there are.
    stages: usize,
    /// How many devices were reached in all when each stage before it ended.
    reached: Vec<i64>,
    /// Whether all devices of the stage were reached.
    scanned: bool,
    /// Since when it waits between two stages.
    holding: Option<String>,
    /// Whether the next stage waits for somebody who says `resume`.
    needs_approval: bool,
    /// Whether what devices were given is being taken back.
    taking_back: bool,
    /// Why it was stopped.
    why: Option<String>,
    /// The groups to which it is kept, as who made it sees no other devices; left out of one that may be for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    devices: Counts,
    /// What was said of it; left out in listings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    spec: Option<Value>,
}

impl View {
    pub(super) fn brief(campaign: Campaign) -> Self {
        let progress: Progress = serde_json::from_str(&campaign.progress).unwrap_or_default();
        let spec: Value = serde_json::from_str(&campaign.document).unwrap_or_default();
        let stages = spec.get("stages").and_then(Value::as_array).map_or(0, Vec::len).max(1);
        Self {
            id: campaign.id,
            name: campaign.name,
            state: campaign.state.as_str(),
            version: campaign.version,
            created: rfc3339(campaign.created),
            created_by: campaign.created_by,
            updated: rfc3339(campaign.updated),
            began: progress.began.map(|began| rfc3339(Time(began))),
            stage: progress.stage + 1,
            stages,
            reached: progress.reached,
            scanned: progress.scanned,
            holding: progress.holding.map(|since| rfc3339(Time(since))),
            needs_approval: campaign.state == CampaignState::Holding && needs_approval(&spec, progress.stage),
            taking_back: progress.taking_back.is_some(),
            why: progress.why,
            groups: campaign.groups,
            devices: campaign.counts.into(),
            spec: None,
        }
    }

    pub(super) fn full(campaign: Campaign) -> Self {
        let spec = serde_json::from_str(&campaign.document).ok();
        Self { spec, ..Self::brief(campaign) }
    }
}

/// Whether somebody has to say that what follows this stage may begin.
fn needs_approval(spec: &Value, stage: usize) -> bool {
    spec.pointer(&format!("/stages/{stage}/hold/approval")).and_then(Value::as_bool).unwrap_or(false)
}

/// A device in a campaign.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CampaignDevice)]
pub struct DeviceView {
    device: String,
    /// `open`, `done`, `failed`, `retry`, `waiting`, `skipped`, `cancelled` or `gone`.
    state: &'static str,
    /// How often its commands were queued.
    attempts: u32,
    /// When it is tried again.
    due: Option<String>,
    /// Status that it gave last.
    status: Option<u16>,
    /// Why it is in this state.
    reason: Option<String>,
    updated: String,
}

impl From<CampaignDevice> for DeviceView {
    fn from(device: CampaignDevice) -> Self {
        Self {
            device: device.device.as_str().to_owned(),
            state: device.state.as_str(),
            attempts: device.attempts,
            due: device.due.map(rfc3339),
            status: device.status,
            reason: device.reason,
            updated: rfc3339(device.updated),
        }
    }
}

/// How a campaign went.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CampaignReport)]
pub struct Report {
    pub(super) campaign: View,
    /// Percent of the devices reached of which nothing more is to come.
    pub(super) settled_percent: f64,
    /// Percent of those that came to an end which have failed.
    pub(super) failed_percent: f64,
    /// Devices that failed, by id; `/devices?state=failed` has all.
    pub(super) failures: Vec<DeviceView>,
    /// Whether more have failed than are listed.
    pub(super) more_failures: bool,
}
