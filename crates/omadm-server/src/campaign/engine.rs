//! What a campaign does next: a function of what was said, how far it is, the figures and the time.

use omadm_mo::{DeviceId, Time};
use omadm_store::{
    CampaignCounts, CampaignDevice, CampaignDeviceState, CampaignProfileDevice, CampaignState,
    CampaignVerdict, Command, CommandState, ProfileState,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::spec::{Late, Plan, WHOLE};
use super::window::Standing;

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// Pause between two looks at a campaign that goes on.
pub const PAUSE: i64 = SECOND;
/// Pause between two looks at one that only waits for devices to end.
const SLOW: i64 = 5 * SECOND;
/// Devices that have to come to an end before failures count, unless said otherwise.
const SAMPLE: u32 = 20;

/// How far a campaign is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The stage in work, from 0.
    pub stage: usize,
    /// How many devices were reached in all when each stage before it ended.
    pub reached: Vec<i64>,
    /// Devices up to this one were looked at in this stage.
    pub after: Option<String>,
    /// Whether all devices of the stage were looked at.
    pub scanned: bool,
    /// When that was, or when the stage began.
    pub scanned_at: i64,
    /// When to look again for devices whose window was closed.
    pub left_out: Option<i64>,
    /// When it began.
    pub began: Option<i64>,
    /// Since when it holds.
    pub holding: Option<i64>,
    /// The minute whose allowance is being used, and how many devices have begun in it.
    pub minute: (i64, u32),
    /// Why it was stopped.
    pub why: Option<String>,
    /// Whether there is nothing more to cancel.
    pub cancelled: bool,
    /// The device that was cancelled last.
    pub cancelled_to: Option<String>,
    /// Up to which device the version of a profile was taken back that the campaign has given; empty before the first one, and absent if
    /// nobody has asked for that.
    pub taking_back: Option<String>,
    /// Whether all was taken back.
    pub taken_back: bool,
    /// The open device whose commands were looked for last, and when all were looked at.
    pub swept: (Option<String>, i64),
}

impl Progress {
    /// Goes on to the next stage, after so many devices in all.
    pub fn advance(&mut self, reached: i64) {
        self.stage += 1;
        self.reached.push(reached);
        (self.after, self.scanned, self.left_out, self.holding) = (None, false, None, None);
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing until then.
    Wait(Time),
    /// Nothing any more.
    Rest,
    /// Let devices begin, at most so many.
    Begin(u32),
    /// Look for devices of the stage anew.
    Rescan,
    /// Go on to the next stage.
    Advance,
    /// Wait between two stages.
    Hold,
    /// Stop with this state, for this reason.
    Stop(CampaignState, String),
    /// Cancel what was not sent.
    Cancel,
    /// Take back what devices were given.
    TakeBack,
    /// Look for open devices whose commands are gone.
    Sweep,
    /// All is done.
    Finish,
}

/// What to do next, as far as it is known without a look at devices; `waiting` says whether a device is to be tried again now.
pub fn next(
    plan: &Plan,
    state: CampaignState,
    progress: &Progress,
    counts: &CampaignCounts,
    waiting: bool,
    by_profile: bool,
    now: Time,
) -> Next {
    let rest = |at| rest_or_sweep(plan, progress, counts, by_profile, at);
    match state {
        CampaignState::Stopped | CampaignState::Failed if !progress.cancelled => Next::Cancel,
        CampaignState::Stopped | CampaignState::Failed | CampaignState::Done
            if progress.taking_back.is_some() =>
        {
            Next::TakeBack
        }
        CampaignState::Draft | CampaignState::Done => Next::Rest,
        CampaignState::Stopped | CampaignState::Failed if counts.unsettled() == 0 => Next::Rest,
        CampaignState::Stopped | CampaignState::Failed | CampaignState::Paused => rest(now),
        CampaignState::Running | CampaignState::Holding => {
            if let Some(why) = too_many_failures(plan, counts) {
                return Next::Stop(CampaignState::Failed, why);
            }
            if plan.stop.is_some_and(|stop| stop <= now) {
                return Next::Stop(CampaignState::Stopped, "Its time (stop) was over.".to_owned());
            }
            if let Some(start) = plan.start.filter(|start| now < *start) {
                return Next::Wait(start);
            }
            if state == CampaignState::Holding {
                return held(plan, progress, now).unwrap_or_else(|| rest(now));
            }
            running(plan, progress, counts, waiting, now).unwrap_or_else(|| rest(now))
        }
    }
}

/// What a running campaign does; nothing if it waits for its devices.
fn running(
    plan: &Plan,
    progress: &Progress,
    counts: &CampaignCounts,
    waiting: bool,
    now: Time,
) -> Option<Next> {
    let looks_again = progress.left_out.is_some_and(|again| again <= now.0);
    if !progress.scanned || waiting || looks_again {
        if let Some(opens) = opens(plan, now) {
            return Some(Next::Wait(opens.min(now.plus_micros(plan.settings.search.micros()))));
        }
        if progress.scanned && !waiting {
            return Some(Next::Rescan);
        }
        return Some(match allowance(plan, progress, now) {
            0 => Next::Wait(end_of_minute(now)),
            devices => Next::Begin(devices),
        });
    }
    if progress.left_out.is_some() {
        return None;
    }
    if progress.stage + 1 < plan.stages.len() {
        let hold = plan.stages.get(progress.stage).and_then(|step| step.hold.as_ref());
        let Some(hold) = hold else { return Some(Next::Advance) };
        let settled = counts.total() - counts.unsettled();
        let is_enough = i64::from(hold.settled.unwrap_or(100)) * counts.total() <= settled * 100;
        return is_enough.then_some(Next::Hold);
    }
    match plan.spec.late {
        Late::Include => {
            is_over(progress.scanned_at, plan.settings.search.micros(), now).then_some(Next::Rescan)
        }
        Late::Exclude => (counts.unsettled() == 0).then_some(Next::Finish),
    }
}

/// Whether so many microseconds have gone since then; also when the clock was set back before it, so that nothing waits for that time to
/// come again.
fn is_over(since: i64, micros: i64, now: Time) -> bool {
    now.0 < since || since.saturating_add(micros) <= now.0
}

/// Waits, unless it is time to look for open devices that came to an end otherwise than by a command. Where there are no commands that
/// is how all ends are known.
fn rest_or_sweep(
    plan: &Plan,
    progress: &Progress,
    counts: &CampaignCounts,
    by_profile: bool,
    now: Time,
) -> Next {
    let (at, last) = &progress.swept;
    let pause = if by_profile { SLOW } else { plan.settings.search.micros() };
    if counts.open > 0 && (at.is_some() || is_over(*last, pause, now)) {
        return Next::Sweep;
    }
    Next::Wait(now.plus_micros(if counts.open > 0 { PAUSE } else { SLOW }))
}

/// What a campaign does between two stages; nothing if it waits.
fn held(plan: &Plan, progress: &Progress, now: Time) -> Option<Next> {
    let Some(hold) = plan.stages.get(progress.stage).and_then(|step| step.hold.as_ref()) else {
        return Some(Next::Advance);
    };
    let seconds = i64::try_from(hold.seconds.unwrap_or(0)).unwrap_or(i64::MAX).saturating_mul(SECOND);
    let since = progress.holding.unwrap_or(i64::MAX);
    if now.0 < since {
        // The clock was set back, or nobody has noted when it began: the time counts from now.
        return Some(Next::Hold);
    }
    (!hold.approval && is_over(since, seconds, now)).then_some(Next::Advance)
}

/// Why a campaign has to stop, if too many devices have failed.
fn too_many_failures(plan: &Plan, counts: &CampaignCounts) -> Option<String> {
    let limit = plan.spec.failures.as_ref()?;
    let ended = counts.done + counts.failed;
    let is_sample = ended >= i64::from(limit.sample.unwrap_or(SAMPLE));
    let are_many = counts.failed * 100 >= i64::from(limit.percent) * ended;
    (is_sample && are_many && counts.failed > 0).then(|| {
        format!("{} of {ended} devices failed, which is {} % or more.", counts.failed, limit.percent)
    })
}

/// When the window of the campaign opens, if it is closed; one that each device has for itself is looked at with the device.
fn opens(plan: &Plan, now: Time) -> Option<Time> {
    let window = plan.window.as_ref().filter(|window| window.zone_label.is_none())?;
    match window.at(now, &window.zone) {
        Standing::Open(_) => None,
        Standing::Closed(opens) => Some(opens),
    }
}

/// How many devices may begin in this minute.
pub fn allowance(plan: &Plan, progress: &Progress, now: Time) -> u32 {
    let Some(rate) = plan.spec.rate else { return u32::MAX };
    let (minute, used) = progress.minute;
    // Any other minute than that of the last one, before or after it, has its own allowance: the clock may be set back.
    if minute == minute_of(now) { rate.saturating_sub(used) } else { rate }
}

/// Notes that so many devices have begun.
pub fn use_allowance(progress: &mut Progress, devices: u32, now: Time) {
    let minute = minute_of(now);
    let used = if progress.minute.0 == minute { progress.minute.1 } else { 0 };
    progress.minute = (minute, used.saturating_add(devices));
}

fn minute_of(now: Time) -> i64 {
    now.0.div_euclid(60 * SECOND)
}

fn end_of_minute(now: Time) -> Time {
    Time(minute_of(now).saturating_add(1).saturating_mul(60 * SECOND))
}

/// The share of a device in a campaign, below [`WHOLE`]: always the same, and of another campaign another.
pub fn share(campaign: Uuid, device: &DeviceId) -> u32 {
    let mut digest = Sha256::new();
    digest.update(campaign.as_bytes());
    digest.update(device.as_str().as_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    let [a, b, c, d, ..] = digest;
    u32::from_be_bytes([a, b, c, d]) % WHOLE
}

/// What the end of a command means for its device; `None` if nothing. `is_extra` says of an address that its command may fail.
pub fn verdict(
    plan: &Plan,
    command: &Command,
    device: Option<&CampaignDevice>,
    is_extra: impl Fn(&str) -> bool,
    now: Time,
) -> Option<CampaignVerdict> {
    let device = device.filter(|device| device.state == CampaignDeviceState::Open)?;
    let (first, last) = device.commands;
    if command.generation != device.generation || !(first..=last).contains(&command.seq) {
        return None;
    }
    let (status, reason) = (command.status, command.reason.clone());
    let ended =
        |state| CampaignVerdict { state, due: None, uncounted: false, status, reason: reason.clone() };
    match command.state {
        CommandState::Queued | CommandState::Sent => None,
        CommandState::Done if command.seq < last => None,
        CommandState::Done => Some(ended(CampaignDeviceState::Done)),
        CommandState::Failed if is_extra(&command.address) && command.seq < last => None,
        CommandState::Expired if command.attempts == 0 && plan.window.is_some() => Some(CampaignVerdict {
            state: CampaignDeviceState::Waiting,
            due: Some(now),
            uncounted: true,
            status: None,
            reason: Some("The window closed before the device came.".to_owned()),
        }),
        CommandState::Failed | CommandState::Expired | CommandState::Quarantined => {
            Some(failed(plan, device.attempts, status, reason, now))
        }
        CommandState::Superseded | CommandState::Cancelled => Some(ended(CampaignDeviceState::Failed)),
    }
}

/// What becomes of a device that has failed for the so-manieth time.
fn failed(
    plan: &Plan,
    attempts: u32,
    status: Option<u16>,
    reason: Option<String>,
    now: Time,
) -> CampaignVerdict {
    let (state, due) = if attempts < plan.spec.retry.attempts {
        (CampaignDeviceState::Retry, Some(now.plus_micros(back_off(plan, attempts))))
    } else {
        (CampaignDeviceState::Failed, None)
    };
    CampaignVerdict { state, due, uncounted: false, status, reason }
}

/// What becomes of a device that was given a version of a profile, if its time has come; and whether that is taken back, as the device has
/// not begun with it.
pub fn profile_verdict(
    plan: &Plan,
    device: &CampaignProfileDevice,
    now: Time,
) -> Option<(CampaignVerdict, bool)> {
    let ended = |state, reason: Option<String>| CampaignVerdict {
        state,
        due: None,
        uncounted: false,
        status: None,
        reason,
    };
    let failed = |reason: String| failed(plan, device.attempts, None, Some(reason), now);
    let time = i64::try_from(plan.expires_in()).unwrap_or(i64::MAX).saturating_mul(SECOND);
    match (device.state, &device.pin) {
        (Some(ProfileState::Converged), _) => Some((ended(CampaignDeviceState::Done, None), false)),
        (Some(ProfileState::Failed), _) => Some((failed(device.reason.clone().unwrap_or_default()), false)),
        (Some(ProfileState::Pending | ProfileState::Drifted), _) if device.since.plus_micros(time) <= now => {
            let why = device.reason.clone().unwrap_or_default();
            Some((failed(format!("It was not as the profile says in time (expires_in): {why}")), false))
        }
        (Some(ProfileState::Pending | ProfileState::Drifted), _) => None,
        (None, None) => {
            let why = "The version was taken from it before it came.".to_owned();
            Some((ended(CampaignDeviceState::Failed, Some(why)), false))
        }
        (None, Some(pin)) if now.0 < pin.until => None,
        (None, Some(_)) if plan.window.is_some() => {
            let why = "The window closed before the device came.".to_owned();
            let waits = ended(CampaignDeviceState::Waiting, Some(why));
            Some((CampaignVerdict { due: Some(now), uncounted: true, ..waits }, true))
        }
        (None, Some(_)) => Some((failed("The device did not come in time (expires_in).".to_owned()), true)),
    }
}

/// Microseconds until the next attempt after so many: twice as long each time.
fn back_off(plan: &Plan, attempts: u32) -> i64 {
    let first = i64::try_from(plan.spec.retry.wait).unwrap_or(i64::MAX).saturating_mul(SECOND);
    let doubled = 1_i64.checked_shl(attempts.saturating_sub(1).min(30)).unwrap_or(1);
    first.saturating_mul(doubled).min(plan.settings.longest_wait.micros().max(first))
}
