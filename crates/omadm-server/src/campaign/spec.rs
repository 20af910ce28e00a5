//! What a campaign is to do, as an operator says it.

use jiff::Timestamp;
use omadm_mo::Time;
use omadm_store::filter::{Filter, FilterLimits};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::window::{Standing, Window, WindowSpec};
use crate::config::CampaignsSection;
use crate::operation::Request;

/// Parts of a hundred in one: stages are given to a hundredth of a percent.
pub const WHOLE: u32 = 10_000;

/// A campaign, as it is said.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCampaign)]
pub struct Spec {
    /// A name, unique; 1 to 128 characters.
    pub name: String,
    /// What is done to each device.
    pub change: Change,
    /// Which devices, as a filter. Default: all.
    pub filter: Option<String>,
    /// Stages, one after the other. Default: one with all devices.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// When it begins (RFC 3339), once it was started. Default: at once.
    pub start: Option<String>,
    /// When it stops by itself (RFC 3339). Default: never.
    pub stop: Option<String>,
    /// Times of day at which devices are changed. Default: always.
    pub window: Option<WindowSpec>,
    /// Most devices that begin in a minute. Default: no limit.
    pub rate: Option<u32>,
    /// What stops it by itself. Default: nothing.
    pub failures: Option<Failures>,
    /// Further attempts on a device. Default: none.
    #[serde(default)]
    pub retry: Retry,
    /// Seconds until the commands for a device expire. Default 7 days.
    pub expires_in: Option<u64>,
    /// Whether devices that are enrolled after it began belong to it.
    #[serde(default)]
    pub late: Late,
    /// What happens on a device where another campaign is at the same thing.
    #[serde(default)]
    pub rivals: Rivals,
}

/// What is done to a device.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CampaignChange)]
pub enum Change {
    /// A command, as for one device; `wait` and `expires_in` have no meaning in it.
    Command(Box<Request>),
    /// A package of firmware.
    Firmware(PackageOf),
    /// A package with a software component.
    Software(PackageOf),
    /// A version of a profile.
    Profile(ProfileOf),
}

/// A package.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CampaignPackage)]
pub struct PackageOf {
    /// Its identifier.
    pub package: Uuid,
}

/// A version of a profile.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CampaignProfile)]
pub struct ProfileOf {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i64,
}

/// A stage.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CampaignStage)]
pub struct Stage {
    /// Up to which part of all devices, more than 0 to 100, in hundredths at the finest. Each stage has more than the one before, and
    /// the last one 100.
    pub percent: Option<f64>,
    /// Or which devices, as a filter.
    pub filter: Option<String>,
    /// What has to happen before the next stage begins. Default: nothing.
    pub hold: Option<Hold>,
}

/// What has to happen before the next stage begins.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CampaignHold)]
pub struct Hold {
    /// Percent of the devices so far of which nothing more is to come, 0 to 100. Default 100.
    pub settled: Option<u8>,
    /// Seconds from then on. Default 0.
    pub seconds: Option<u64>,
    /// Wait for an operator, who says `resume`, also after `seconds`. Default false.
    #[serde(default)]
    pub approval: bool,
}

/// What stops a campaign by itself.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CampaignFailures)]
pub struct Failures {
    /// Percent of the devices that came to an end, 1 to 100, which have failed.
    pub percent: u8,
    /// Devices that have to come to an end before it counts. Default 20.
    pub sample: Option<u32>,
}

/// Further attempts on a device.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CampaignRetry)]
pub struct Retry {
    /// Attempts in all, 1 to 10 (`campaigns.max_attempts`). Default 1.
    #[serde(default = "one")]
    pub attempts: u32,
    /// Seconds until the second one; the time doubles with each. Default 3600.
    #[serde(default = "hour")]
    pub wait: u64,
}

fn one() -> u32 {
    1
}

fn hour() -> u64 {
    3_600
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: one(), wait: hour() }
    }
}

/// Whether devices that are enrolled after a campaign began belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CampaignLate)]
pub enum Late {
    /// They do not.
    #[default]
    Exclude,
    /// They do, and so do those that come to match the filter; the campaign goes on until `stop`, which is needed.
    Include,
}

/// What happens on a device where another campaign is at the same thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CampaignRivals)]
pub enum Rivals {
    /// The device waits until the other one is through.
    #[default]
    Wait,
    /// The device is left out.
    Skip,
}

/// A campaign whose words were read.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was said.
    pub spec: Spec,
    /// Which devices.
    pub filter: Option<Filter>,
    /// The stages.
    pub stages: Vec<Step>,
    /// When it begins.
    pub start: Option<Time>,
    /// When it stops.
    pub stop: Option<Time>,
    /// Times of day.
    pub window: Option<Window>,
    /// What is configured for all campaigns.
    pub settings: CampaignsSection,
}

/// A stage whose words were read.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which of the devices.
    pub members: Members,
    /// What has to happen before the next one.
    pub hold: Option<Hold>,
}

/// The devices of a stage.
#[derive(Clone, Debug, PartialEq)]
pub enum Members {
    /// Those whose share lies below this, of [`WHOLE`].
    Share(u32),
    /// Those that this filter means, too.
    Filter(Filter),
}

impl Plan {
    /// Reads what was said.
    ///
    /// # Errors
    /// One sentence on what is wrong.
    pub fn read(spec: Spec, settings: &CampaignsSection) -> Result<Self, String> {
        if spec.name.is_empty() || spec.name.chars().count() > 128 || spec.name.chars().any(char::is_control)
        {
            return Err("name has to have 1 to 128 characters, none of them a control character".to_owned());
        }
        let filter = spec.filter.as_deref().map(|text| parse("filter", text)).transpose()?;
        let stages = stages(&spec.stages)?;
        let (start, stop) = (time("start", spec.start.as_deref())?, time("stop", spec.stop.as_deref())?);
        if let (Some(start), Some(stop)) = (start, stop)
            && stop <= start
        {
            return Err("stop has to be after start".to_owned());
        }
        let window = spec.window.as_ref().map(WindowSpec::read).transpose()?;
        check(&spec)?;
        Ok(Self { filter, stages, start, stop, window, spec, settings: settings.clone() })
    }

    /// Refuses what is beyond the limits that are configured now; one that was stored before keeps what it has.
    ///
    /// # Errors
    /// One sentence on what is too much, with the name of the setting.
    pub fn check_limits(&self) -> Result<(), String> {
        let CampaignsSection { max_stages, max_attempts, max_time, .. } = &self.settings;
        let Spec { stages, retry, expires_in, .. } = &self.spec;
        if stages.len() > *max_stages {
            return Err(format!(
                "there are {} stages, the limit is {max_stages} (campaigns.max_stages)",
                stages.len()
            ));
        }
        if retry.attempts > *max_attempts {
            return Err(format!(
                "retry.attempts is {}, the limit is {max_attempts} (campaigns.max_attempts)",
                retry.attempts
            ));
        }
        let most = max_time.0.as_secs();
        let holds = (1..).zip(stages).filter_map(|(number, stage)| {
            Some((format!("hold.seconds of stage {number}"), stage.hold.as_ref()?.seconds?))
        });
        let others = [("retry.wait", Some(retry.wait)), ("expires_in", *expires_in)];
        let others = others.into_iter().filter_map(|(name, seconds)| Some((name.to_owned(), seconds?)));
        match holds.chain(others).find(|(_, seconds)| *seconds > most) {
            Some((name, seconds)) => {
                Err(format!("{name} is {seconds}, the limit is {most} seconds (campaigns.max_time)"))
            }
            None => Ok(()),
        }
    }

    /// Refuses what could never begin any more.
    ///
    /// # Errors
    /// One sentence on what is in the way.
    pub fn check_times(&self, now: Time) -> Result<(), String> {
        let begin = self.start.map_or(now, |start| start.max(now));
        let Some(stop) = self.stop else { return Ok(()) };
        if stop <= now {
            return Err("stop is over already".to_owned());
        }
        let window = self.window.as_ref().filter(|window| window.zone_label.is_none());
        match window.map(|window| window.at(begin, &window.zone)) {
            Some(Standing::Closed(opens)) if opens >= stop => {
                Err("the window does not open between start and stop".to_owned())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Seconds until the commands for a device expire.
    pub fn expires_in(&self) -> u64 {
        self.spec.expires_in.unwrap_or(7 * 86_400)
    }
}

fn parse(what: &str, text: &str) -> Result<Filter, String> {
    Filter::parse(text, &FilterLimits::default()).map_err(|error| format!("{what}: {error}"))
}

fn time(what: &str, text: Option<&str>) -> Result<Option<Time>, String> {
    let parsed = text.map(str::parse::<Timestamp>).transpose();
    let parsed =
        parsed.map_err(|_| format!("{what} has to be a time of RFC 3339 such as 2027-01-31T22:00:00Z"))?;
    Ok(parsed.map(|timestamp| Time(timestamp.as_microsecond())))
}

fn stages(given: &[Stage]) -> Result<Vec<Step>, String> {
    if given.is_empty() {
        return Ok(vec![Step { members: Members::Share(WHOLE), hold: None }]);
    }
    let mut steps = Vec::with_capacity(given.len());
    let mut reached = 0;
    for (number, stage) in (1..).zip(given) {
        let members = match (stage.percent, &stage.filter) {
            (Some(percent), None) => {
                let share = share(percent).ok_or_else(|| {
                    format!("stage {number}: percent has to be more than 0 and at most 100, to two places")
                })?;
                if share <= reached {
                    return Err(format!(
                        "stage {number}: percent has to be more than that of the stage before"
                    ));
                }
                reached = share;
                Members::Share(share)
            }
            (None, Some(text)) => Members::Filter(parse(&format!("stage {number}: filter"), text)?),
            _ => return Err(format!("stage {number} needs either percent or filter")),
        };
        if let Some(hold) = &stage.hold {
            check_hold(number, hold)?;
        }
        steps.push(Step { members, hold: stage.hold.clone() });
    }
    if reached > 0 && !matches!(steps.last(), Some(Step { members: Members::Share(WHOLE), .. })) {
        return Err("the stages do not add up: the last one has to have percent 100".to_owned());
    }
    Ok(steps)
}

fn check_hold(number: usize, hold: &Hold) -> Result<(), String> {
    if hold.settled.is_some_and(|settled| settled > 100) {
        return Err(format!("stage {number}: hold.settled has to be 0 to 100"));
    }
    Ok(())
}

/// Percent as parts of [`WHOLE`].
fn share(percent: f64) -> Option<u32> {
    (1..=WHOLE).find(|parts| (f64::from(*parts) - percent * 100.0).abs() < 1e-6)
}

fn check(spec: &Spec) -> Result<(), String> {
    if spec.rate == Some(0) {
        return Err("rate has to be 1 or more".to_owned());
    }
    if let Some(failures) = &spec.failures {
        if !(1..=100).contains(&failures.percent) {
            return Err("failures.percent has to be 1 to 100".to_owned());
        }
        if failures.sample == Some(0) {
            return Err("failures.sample has to be 1 or more".to_owned());
        }
    }
    if spec.retry.attempts == 0 {
        return Err("retry.attempts has to be 1 or more".to_owned());
    }
    if spec.retry.wait == 0 {
        return Err("retry.wait has to be 1 second or more".to_owned());
    }
    if spec.expires_in == Some(0) {
        return Err("expires_in has to be 1 second or more".to_owned());
    }
    if spec.late == Late::Include && spec.stop.is_none() {
        return Err("late \"include\" needs stop: without it the campaign would never end".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(change: Value) -> Result<Plan, String> {
        let mut document =
            json!({ "name": "c", "change": { "command": { "verb": "get", "address": "./A" } } });
        for (key, value) in change.as_object().unwrap() {
            document[key] = value.clone();
        }
        let spec = serde_json::from_value(document).map_err(|error| error.to_string())?;
        let plan = Plan::read(spec, &CampaignsSection::default())?;
        plan.check_limits().map(|()| plan)
    }

    #[test]
    fn stages_have_to_add_up() {
        let plan =
            read(json!({ "stages": [{ "percent": 0.01 }, { "percent": 10 }, { "percent": 100 }] })).unwrap();
        let shares: Vec<_> = plan.stages.iter().map(|step| step.members.clone()).collect();
        assert_eq!(shares, [Members::Share(1), Members::Share(1_000), Members::Share(WHOLE)]);
        assert_eq!(read(json!({})).unwrap().stages.len(), 1);
        assert!(read(json!({ "stages": [{ "filter": "model = \"a\"" }] })).is_ok());
        for (stages, why) in [
            (json!([{ "percent": 10 }]), "add up"),
            (json!([{ "percent": 100 }, { "filter": "model = \"a\"" }]), "add up"),
            (json!([{ "percent": 50 }, { "percent": 50 }, { "percent": 100 }]), "stage 2"),
            (json!([{ "percent": 0 }]), "stage 1"),
            (json!([{ "percent": 100.5 }]), "stage 1"),
            (json!([{ "percent": -5 }]), "stage 1"),
            (json!([{ "percent": 0.001 }]), "stage 1"),
            (json!([{}]), "either"),
            (json!([{ "percent": 100, "filter": "model = \"a\"" }]), "either"),
            (json!([{ "filter": "modell = 1" }]), "stage 1: filter"),
            (json!([{ "percent": 100, "hold": { "settled": 101 } }]), "settled"),
        ] {
            let error = read(json!({ "stages": stages })).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (change, why) in [
            (json!({ "name": "" }), "name"),
            (json!({ "start": "tomorrow" }), "start"),
            (json!({ "start": "2027-01-02T00:00:00Z", "stop": "2027-01-01T00:00:00Z" }), "after start"),
            (json!({ "rate": 0 }), "rate"),
            (json!({ "failures": { "percent": 0 } }), "percent"),
            (json!({ "retry": { "attempts": 11 } }), "attempts"),
            (json!({ "expires_in": 0 }), "expires_in"),
            (json!({ "late": "include" }), "needs stop"),
            (json!({ "filter": "model = " }), "filter: at character"),
            (json!({ "unheard": 1 }), "unheard"),
        ] {
            let error = read(change).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn limits_are_those_that_are_configured() {
        let year = 366 * 86_400;
        let stages = |number: u32| -> Vec<Value> {
            (1..=number)
                .map(|part| json!({ "percent": if part == number { 100.0 } else { f64::from(part) / 10.0 } }))
                .collect()
        };
        for (most, beyond, key) in [
            (json!({ "stages": stages(100) }), json!({ "stages": stages(101) }), "campaigns.max_stages"),
            (
                json!({ "retry": { "attempts": 10 } }),
                json!({ "retry": { "attempts": 11 } }),
                "campaigns.max_attempts",
            ),
            (
                json!({ "retry": { "wait": year } }),
                json!({ "retry": { "wait": year + 1 } }),
                "campaigns.max_time",
            ),
            (json!({ "expires_in": year }), json!({ "expires_in": year + 1 }), "campaigns.max_time"),
            (
                json!({ "stages": [{ "percent": 100, "hold": { "seconds": year } }] }),
                json!({ "stages": [{ "percent": 100, "hold": { "seconds": year + 1 } }] }),
                "campaigns.max_time",
            ),
        ] {
            assert!(read(most.clone()).is_ok(), "{most}");
            let error = read(beyond).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_window_has_to_open_before_the_end() {
        let at = |text: &str| Time(text.parse::<Timestamp>().unwrap().as_microsecond());
        let window = json!({ "from": "22:00", "to": "23:00" });
        let plan = read(
            json!({ "window": window, "start": "2027-01-01T00:00:00Z", "stop": "2027-01-01T22:00:00Z" }),
        );
        let plan = plan.unwrap();
        let error = plan.check_times(at("2026-12-01T00:00:00Z")).unwrap_err();
        assert!(error.contains("does not open"), "{error}");
        assert!(plan.check_times(at("2027-01-01T22:00:00Z")).unwrap_err().contains("over"));
        let later = read(json!({ "window": window, "stop": "2027-01-01T22:00:01Z" })).unwrap();
        assert_eq!(later.check_times(at("2027-01-01T00:00:00Z")), Ok(()));
    }
}
