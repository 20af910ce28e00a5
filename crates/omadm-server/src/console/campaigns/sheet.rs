//! The form of a campaign, drawn.

use maud::{Markup, html};
use serde::Deserialize;

use super::draft::{ASK, Draft, Kind, WAIT};
use super::labels;
use crate::console::data::{Group, Listed};
use crate::console::failure::Failure;
use crate::console::parts::{self, Field};
use crate::console::visit::{Visit, path};
use crate::desired::Fault;
use crate::operator::problem::Problem;

/// The id of the form.
pub const ID: &str = "campaign-form";
/// The id of the list of time zones.
const ZONES: &str = "zones";
/// Packages, profiles and groups that are read to be offered.
const OFFERED: &str = "500";

/// What the fields offer: each value with its words.
pub struct Offers {
    /// Packages, or profiles.
    things: Vec<(String, String)>,
    groups: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    kind: String,
    model: Option<String>,
}

#[derive(Deserialize)]
struct Profile {
    name: String,
    newest: i64,
}

impl Offers {
    /// Reads what there is for a change of this kind.
    pub async fn read(visit: &Visit, kind: Kind) -> Result<Self, Failure> {
        let things = match kind {
            Kind::Firmware | Kind::Software => {
                let packages: Vec<Package> = listed(visit, "packages", "/packages").await?;
                let fitting = packages.into_iter().filter(|package| package.kind == kind.as_str());
                fitting.map(|package| (package.id.clone(), package.words())).collect()
            }
            Kind::Profile => {
                let profiles: Vec<Profile> = listed(visit, "profiles", "/profiles").await?;
                let words = |one: &Profile| format!("{} (newest version: {})", one.name, one.newest);
                profiles.into_iter().map(|one| (one.name.clone(), words(&one))).collect()
            }
            Kind::Command => Vec::new(),
        };
        let groups: Vec<Group> = listed(visit, "groups", "/groups").await?;
        let groups = groups.into_iter().map(|group| (group.name.clone(), group.name)).collect();
        Ok(Self { things, groups })
    }
}

impl Package {
    fn words(&self) -> String {
        let model = self.model.as_ref().map(|model| format!(" for {model}"));
        format!("{} {}{}", self.name, self.version, model.unwrap_or_default())
    }
}

/// The beginning of a listing, for who may read it.
async fn listed<T: serde::de::DeserializeOwned>(
    visit: &Visit,
    name: &str,
    route: &str,
) -> Result<Vec<T>, Failure> {
    match visit.may("GET", route) {
        true => Ok(visit.read::<Listed<T>>(&path(&[name], &[("limit", OFFERED)])).await?.items),
        false => Ok(Vec::new()),
    }
}

/// A form as it is shown.
pub struct Shown<'d> {
    draft: &'d Draft,
    offers: &'d Offers,
    /// Why it was refused.
    pub problem: Option<Problem>,
    /// And what of it.
    pub faults: Vec<Fault>,
    /// How many empty stages are added.
    pub blank: usize,
}

impl<'d> Shown<'d> {
    /// A form that was not refused.
    pub fn new(draft: &'d Draft, offers: &'d Offers) -> Self {
        Self { draft, offers, problem: None, faults: Vec::new(), blank: usize::from(draft.stages == 0) }
    }

    fn value(&self, name: &str) -> &str {
        self.draft.form.get(name).unwrap_or_default()
    }

    /// A field with what was typed, and what is wrong with that.
    fn field<'f>(&'f self, name: &'f str, hint: &'f str) -> Field<'f> {
        let faults = self.faults.iter().filter(|fault| self.draft.field(fault) == name);
        let faults = faults.map(|fault| fault.what.as_str()).collect();
        Field { name, label: labels::of(name), hint, value: self.value(name), faults, ..Field::default() }
    }

    fn line(&self, name: &str, hint: &str, example: &str) -> Markup {
        Field { example, ..self.field(name, hint) }.line()
    }

    fn exact(&self, name: &str, hint: &str, example: &str) -> Markup {
        Field { example, is_exact: true, ..self.field(name, hint) }.line()
    }

    fn choice(&self, name: &str, hint: &str, options: &[(&str, &str)]) -> Markup {
        self.field(name, hint).choice(options)
    }

    /// A choice among what there is, or none of it; what was chosen stays, also when it is not offered any more.
    fn offer(&self, name: &str, hint: &str, none: &str, offers: &[(String, String)]) -> Markup {
        let value = self.value(name);
        let mut options = vec![("", none)];
        options.extend(offers.iter().map(|(value, words)| (value.as_str(), words.as_str())));
        if !options.iter().any(|(offered, _)| *offered == value) {
            options.push((value, value));
        }
        self.choice(name, hint, &options)
    }

    /// Whether one of these fields holds something, or is wrong.
    fn is_used(&self, names: &[&str]) -> bool {
        let is_wrong = |name: &str| self.faults.iter().any(|fault| self.draft.field(fault) == name);
        names.iter().any(|name| !self.value(name).is_empty() || is_wrong(name))
    }

    /// What is wrong with the filter, with its character counted in what was typed.
    fn filter_problem(&self) -> Option<Problem> {
        let problem = self.problem.as_ref()?;
        if !self.faults.iter().any(|fault| fault.pointer == "/filter") {
            return None;
        }
        let before = self.draft.filter().map_or(0, |(_, before)| before);
        Some(problem.clone().with_at(problem.at().map(|at| at.saturating_sub(before))))
    }
}

/// Draws the form.
pub fn form(visit: &Visit, shown: &Shown<'_>) -> Markup {
    let named = |fault: &Fault| {
        let field = shown.draft.field(fault);
        let at = if field.is_empty() { "the campaign".to_owned() } else { labels::whole(field) };
        Fault { at, ..fault.clone() }
    };
    let faults: Vec<Fault> = shown.faults.iter().map(named).collect();
    let id = |fault: &Fault| Some(shown.draft.field(fault).to_owned()).filter(|field| !field.is_empty());
    html! {
        (parts::faults(&faults, id))
        form id=(ID) method="post" action="/campaigns/new" {
            (visit.marks())
            input type="hidden" name="change" value=(shown.draft.kind.as_str());
            section.card { h2 { "What" } (Field { is_required: true, ..shown.field("name", "") }.line()) (change(visit, shown)) }
            section.card { h2 { "Which devices" } (devices(shown)) }
            section.card {
                h2 { "Stages" }
                p.quiet { "One stage after the other: begin with few devices, and go on to more when these are well. A stage without devices is left out." }
                @for place in 0..shown.draft.stages + shown.blank { (stage(shown, place)) }
                button type="submit" name="do" value="stage" { "Add a stage" }
            }
            section.card { h2 { "When it goes wrong" } (trouble(shown)) }
            (times(shown))
            div.actions {
                button.main type="submit" name="do" value="make" { "Make the campaign" }
                button type="submit" name="do" value="preview" { "Preview" }
                a.button href="/campaigns" { "Go back" }
            }
        }
    }
}

fn change(visit: &Visit, shown: &Shown<'_>) -> Markup {
    let things = &shown.offers.things;
    match shown.draft.kind {
        Kind::Firmware | Kind::Software => html! {
            (shown.offer("package", "A package that is for some models is brought to these models only.", "Choose a package", things))
            @if things.is_empty() && visit.may("POST", "/packages") { p { "There is none yet. " a href="/packages/new" { "Upload a package" } } }
        },
        Kind::Profile => html! {
            (shown.offer("profile", "", "Choose a profile", things))
            (shown.line("version", "Empty: the newest one.", ""))
        },
        Kind::Command => html! {
            (shown.choice("verb", "", crate::console::device::command::VERBS))
            (shown.exact("address", "The node: a ClientURI, which is the name of a management object and the way to the node in it.", "urn:oma:mo:oma-dm-devinfo:1.2//Lang"))
            (shown.exact("value", "For set.", ""))
            (shown.choice("format", "For set.", &[("chr", "text"), ("int", "whole number"), ("float", "number"), ("bool", "true or false"), ("null", "nothing")]))
            label.tick {
                input type="checkbox" name="force" value="true" checked[!shown.value("force").is_empty()];
                "Send it even if the description of the node (its DDF) says otherwise"
            }
        },
    }
}

fn devices(shown: &Shown<'_>) -> Markup {
    html! {
        p.quiet { "Both are optional: without them it is for all devices." }
        (shown.offer("group", "", "Any group", &shown.offers.groups))
        (parts::filter_field(shown.value("filter"), shown.filter_problem().as_ref()))
    }
}

fn stage(shown: &Shown<'_>, place: usize) -> Markup {
    let name = |member: &str| format!("stages/{place}/{member}");
    let hold = [("", "at once"), (WAIT, "when devices are through"), (ASK, "when somebody says so")];
    html! {
        fieldset.stage {
            legend { "Stage " (place + 1) }
            div.fields {
                (shown.line(&name("percent"), "Up to this percent of all devices; of the last stage 100.", "1"))
                (shown.exact(&name("filter"), "Instead of a percent.", "label:ring = canary"))
                (shown.choice(&name("hold"), "Somebody is asked when the devices of this stage are through.", &hold))
                (shown.line(&name("hold/settled"), "In percent of the devices so far; empty: 100.", ""))
                (shown.line(&name("hold/seconds"), "Such as 30 min, 24 h or 7 days.", ""))
            }
        }
    }
}

fn trouble(shown: &Shown<'_>) -> Markup {
    html! {
        div.fields {
            (shown.line("failures/percent", "Percent of the devices that came to an end; empty: never.", "10"))
            (shown.line("failures/sample", "Empty: 20.", ""))
            (shown.line("retry/attempts", "In all; empty: 1.", ""))
            (shown.line("retry/wait", "Doubles with each attempt; empty: 1 h.", ""))
        }
    }
}

fn times(shown: &Shown<'_>) -> Markup {
    let names = [
        "window/from",
        "window/to",
        "window/zone",
        "window/zone_label",
        "start",
        "stop",
        "rate",
        "expires_in",
        "late",
        "rivals",
    ];
    html! {
        details.card open[shown.is_used(&names)] {
            summary { "Times, speed and others" }
            div.fields {
                (shown.line("window/from", "Devices are changed at these times of day only; empty: always.", "22:00"))
                (shown.line("window/to", "", "04:00"))
                (Field { list: Some(ZONES), ..shown.field("window/zone", "Empty: UTC.") }.line())
                (shown.exact("window/zone_label", "The label of a device that has its own time zone, if there is one.", "tz"))
                (shown.line("start", "Once it was started; UTC. Empty: at once.", "2027-01-31 22:00"))
                (shown.line("stop", "UTC. Empty: never.", "2027-02-28 22:00"))
                (shown.line("rate", "Empty: no limit.", ""))
                (shown.line("expires_in", "A device that does not come for so long has failed; empty: 7 days.", ""))
                (shown.choice("late", "", &[("", "do not belong to it"), ("include", "belong to it, until it stops by itself")]))
                (shown.choice("rivals", "", &[("", "the device waits for that one"), ("skip", "the device is left out")]))
            }
            datalist id=(ZONES) { @for zone in jiff::tz::db().available() { option value=(zone.as_str()) {} } }
        }
    }
}
