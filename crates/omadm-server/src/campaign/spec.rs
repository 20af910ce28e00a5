//! What a campaign is to do, as an operator says it.

use jiff::Timestamp;
use omadm_mo::Time;
use omadm_store::filter::{Filter, FilterLimits};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::fault::Fault;
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
    /// What is wrong.
    pub fn read(spec: Spec, settings: &CampaignsSection) -> Result<Self, Fault> {
        if spec.name.is_empty() || spec.name.chars().count() > 128 || spec.name.chars().any(char::is_control)
        {
            let what = "name has to have 1 to 128 characters, none of them a control character";
            return Err(Fault::new("name", what));
        }
        let filter = spec.filter.as_deref().map(|text| parse("filter", "filter", text)).transpose()?;
        let stages = stages(&spec.stages)?;
        let (start, stop) = (time("start", spec.start.as_deref())?, time("stop", spec.stop.as_deref())?);
        if let (Some(start), Some(stop)) = (start, stop)
            && stop <= start
        {
            return Err(Fault::new("stop", "stop has to be after start"));
        }
        let window = spec.window.as_ref().map(WindowSpec::read).transpose()?;
        check(&spec)?;
        Ok(Self { filter, stages, start, stop, window, spec, settings: settings.clone() })
    }

    /// Refuses what is beyond the limits that are configured now; one that was stored before keeps what it has.
    ///
    /// # Errors
    /// What is too much, with the name of the setting.
    pub fn check_limits(&self) -> Result<(), Fault> {
        let CampaignsSection { max_stages, max_attempts, max_time, .. } = &self.settings;
        let Spec { stages, retry, expires_in, .. } = &self.spec;
        if stages.len() > *max_stages {
            let what = format!(
                "there are {} stages, the limit is {max_stages} (campaigns.max_stages)",
                stages.len()
            );
            return Err(Fault::new("stages", what));
        }
        if retry.attempts > *max_attempts {
            let what = format!(
                "retry.attempts is {}, the limit is {max_attempts} (campaigns.max_attempts)",
                retry.attempts
            );
            return Err(Fault::new("retry/attempts", what));
        }
        let most = max_time.0.as_secs();
        let holds = stages.iter().enumerate().filter_map(|(place, stage)| {
            let name = format!("hold.seconds of stage {}", place + 1);
            Some((format!("stages/{place}/hold/seconds"), name, stage.hold.as_ref()?.seconds?))
        });
        let others =
            [("retry/wait", "retry.wait", Some(retry.wait)), ("expires_in", "expires_in", *expires_in)];
        let others = others
            .into_iter()
            .filter_map(|(field, name, seconds)| Some((field.to_owned(), name.to_owned(), seconds?)));
        match holds.chain(others).find(|(_, _, seconds)| *seconds > most) {
            Some((field, name, seconds)) => Err(Fault::new(
                field,
                format!("{name} is {seconds}, the limit is {most} seconds (campaigns.max_time)"),
            )),
            None => Ok(()),
        }
    }

    /// Refuses what could never begin any more.
    ///
    /// # Errors
    /// What is in the way.
    pub fn check_times(&self, now: Time) -> Result<(), Fault> {
        let begin = self.start.map_or(now, |start| start.max(now));
        let Some(stop) = self.stop else { return Ok(()) };
        if stop <= now {
            return Err(Fault::new("stop", "stop is over already"));
        }
        let window = self.window.as_ref().filter(|window| window.zone_label.is_none());
        match window.map(|window| window.at(begin, &window.zone)) {
            Some(Standing::Closed(opens)) if opens >= stop => {
                Err(Fault::new("window/from", "the window does not open between start and stop"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Seconds until the commands for a device expire.
    pub fn expires_in(&self) -> u64 {
        self.spec.expires_in.unwrap_or(7 * 86_400)
    }
}

fn parse(field: &str, name: &str, text: &str) -> Result<Filter, Fault> {
    Filter::parse(text, &FilterLimits::default()).map_err(|error| Fault::of_filter(field, name, &error))
}

fn time(field: &str, text: Option<&str>) -> Result<Option<Time>, Fault> {
    let parsed = text.map(str::parse::<Timestamp>).transpose();
    let parsed = parsed.map_err(|_| {
        Fault::new(field, format!("{field} has to be a time of RFC 3339 such as 2027-01-31T22:00:00Z"))
    })?;
    Ok(parsed.map(|timestamp| Time(timestamp.as_microsecond())))
}

fn stages(given: &[Stage]) -> Result<Vec<Step>, Fault> {
    if given.is_empty() {
        return Ok(vec![Step { members: Members::Share(WHOLE), hold: None }]);
    }
    let mut steps = Vec::with_capacity(given.len());
    let mut reached = 0;
    for (place, stage) in given.iter().enumerate() {
        let members = members(place, stage, reached)?;
        if let Members::Share(share) = members {
            reached = share;
        }
        if let Some(hold) = &stage.hold {
            check_hold(place, hold)?;
        }
        steps.push(Step { members, hold: stage.hold.clone() });
    }
    if reached > 0 && !matches!(steps.last(), Some(Step { members: Members::Share(WHOLE), .. })) {
        let last = format!("stages/{}/percent", steps.len() - 1);
        return Err(Fault::new(last, "the stages do not add up: the last one has to have percent 100"));
    }
    Ok(steps)
}

/// The devices of the stage at this place; those before it have reached this share.
fn members(place: usize, stage: &Stage, reached: u32) -> Result<Members, Fault> {
    let number = place + 1;
    let wrong = |what: String| Fault::new(format!("stages/{place}/percent"), format!("stage {number}{what}"));
    match (stage.percent, &stage.filter) {
        (Some(percent), None) => match share(percent) {
            None => Err(wrong(": percent has to be more than 0 and at most 100, to two places".to_owned())),
            Some(share) if share <= reached => {
                Err(wrong(": percent has to be more than that of the stage before".to_owned()))
            }
            Some(share) => Ok(Members::Share(share)),
        },
        (None, Some(text)) => {
            let name = format!("stage {number}: filter");
            Ok(Members::Filter(parse(&format!("stages/{place}/filter"), &name, text)?))
        }
        _ => Err(wrong(" needs either percent or filter".to_owned())),
    }
}

fn check_hold(place: usize, hold: &Hold) -> Result<(), Fault> {
    if hold.settled.is_some_and(|settled| settled > 100) {
        let what = format!("stage {}: hold.settled has to be 0 to 100", place + 1);
        return Err(Fault::new(format!("stages/{place}/hold/settled"), what));
    }
    Ok(())
}

/// Percent as parts of [`WHOLE`].
fn share(percent: f64) -> Option<u32> {
    (1..=WHOLE).find(|parts| (f64::from(*parts) - percent * 100.0).abs() < 1e-6)
}

fn check(spec: &Spec) -> Result<(), Fault> {
    let wrong = |field: &str, what: &str| Err(Fault::new(field, what));
    if spec.rate == Some(0) {
        return wrong("rate", "rate has to be 1 or more");
    }
    if let Some(failures) = &spec.failures {
        if !(1..=100).contains(&failures.percent) {
            return wrong("failures/percent", "failures.percent has to be 1 to 100");
        }
        if failures.sample == Some(0) {
            return wrong("failures/sample", "failures.sample has to be 1 or more");
        }
    }
    if spec.retry.attempts == 0 {
        return wrong("retry/attempts", "retry.attempts has to be 1 or more");
    }
    if spec.retry.wait == 0 {
        return wrong("retry/wait", "retry.wait has to be 1 second or more");
    }
    if spec.expires_in == Some(0) {
        return wrong("expires_in", "expires_in has to be 1 second or more");
    }
    if spec.late == Late::Include && spec.stop.is_none() {
        return wrong("stop", "late \"include\" needs stop: without it the campaign would never end");
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
        let told = |fault: Fault| {
            assert!(is_member(&fault.field), "{fault:?}");
            fault.to_string()
        };
        let plan = Plan::read(spec, &CampaignsSection::default()).map_err(told)?;
        plan.check_limits().map(|()| plan).map_err(told)
    }

    /// Whether a fault is about something that a document can have.
    fn is_member(field: &str) -> bool {
        let plain = field.replace(|c: char| c.is_ascii_digit(), "0");
        [
            "name",
            "filter",
            "stages",
            "stages/0/percent",
            "stages/0/filter",
            "stages/0/hold/settled",
            "stages/0/hold/seconds",
            "start",
            "stop",
            "rate",
            "failures/percent",
            "retry/attempts",
            "retry/wait",
            "expires_in",
        ]
        .contains(&plain.replace("00", "0").as_str())
    }

    #[test]
    fn a_fault_is_about_its_member_and_character() {
        let stages = json!([{ "percent": 1 }, { "filter": "model = \"a\" and modell = 1" }]);
        let spec =
            json!({ "name": "c", "change": { "profile": { "name": "p", "version": 1 } }, "stages": stages });
        let spec: Spec = serde_json::from_value(spec).unwrap();
        let fault = Plan::read(spec, &CampaignsSection::default()).unwrap_err();
        assert_eq!((fault.field.as_str(), fault.at), ("stages/1/filter", Some(16)), "{fault}");
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
        assert!(error.what.contains("does not open"), "{error}");
        assert!(plan.check_times(at("2027-01-01T22:00:00Z")).unwrap_err().what.contains("over"));
        let later = read(json!({ "window": window, "stop": "2027-01-01T22:00:01Z" })).unwrap();
        assert_eq!(later.check_times(at("2027-01-01T00:00:00Z")), Ok(()));
    }
}
