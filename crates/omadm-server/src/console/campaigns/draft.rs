//! What was typed into the form of a campaign, and the document that it means. Fields are named as the members of the document.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::span;
use crate::console::device::command;
use crate::console::form::Form;
use crate::desired::Fault;

/// Most stages that a form can hold.
const MAX_STAGES: usize = 100;
/// The fields of a stage.
const OF_STAGE: [&str; 5] = ["percent", "filter", "hold", "hold/settled", "hold/seconds"];
/// Wait until the devices of a stage are through.
pub const WAIT: &str = "wait";
/// And then for somebody who says so.
pub const ASK: &str = "ask";

/// What a campaign can do with devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Firmware,
    Software,
    Profile,
    Command,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Firmware, Self::Software, Self::Profile, Self::Command];

    /// The name in the form, and in the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Software => "software",
            Self::Profile => "profile",
            Self::Command => "command",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The field that a refusal of the change is about.
    fn field(self) -> &'static str {
        match self {
            Self::Firmware | Self::Software => "package",
            Self::Profile => "profile",
            Self::Command => "address",
        }
    }
}

/// A form as it was typed, its stages one after the other.
pub struct Draft {
    /// What it does.
    pub kind: Kind,
    /// The fields.
    pub form: Form,
    /// How many stages there are.
    pub stages: usize,
}

impl Draft {
    /// A new one, of which some fields are filled in: it begins with few devices, waits for a word, and stops when many fail.
    pub fn new(kind: Kind, given: &Form) -> Self {
        let usual = [
            ("stages/0/percent", "1"),
            ("stages/0/hold", ASK),
            ("stages/1/percent", "25"),
            ("stages/1/hold", WAIT),
            ("stages/2/percent", "100"),
            ("failures/percent", "10"),
        ];
        let usual = usual.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let given = given.typed().filter(|(name, _)| !name.starts_with("stages/")).cloned();
        Self { kind, form: Form(given.chain(usual).collect()), stages: 3 }
    }

    /// One that was typed; stages without devices are left out.
    pub fn typed(kind: Kind, form: &Form) -> Self {
        let others = form.typed().filter(|(name, _)| !name.starts_with("stages/")).cloned();
        let (mut fields, mut stages) = (others.collect::<Vec<_>>(), 0);
        for place in 0..MAX_STAGES {
            let of = |place: usize, member: &str| format!("stages/{place}/{member}");
            let is_filled = |member| form.filled(&of(place, member)).is_some();
            if !is_filled("percent") && !is_filled("filter") {
                continue;
            }
            for member in OF_STAGE {
                let value = form.get(&of(place, member)).unwrap_or_default();
                fields.push((of(stages, member), value.to_owned()));
            }
            stages += 1;
        }
        Self { kind, form: Form(fields), stages }
    }

    /// The field that a fault is about.
    pub fn field<'f>(&self, fault: &'f Fault) -> &'f str {
        match fault.pointer.trim_start_matches('/') {
            "change" => self.kind.field(),
            "stages" => "stages/0/percent",
            field => field,
        }
    }

    /// The document that it means; `version` is that of a profile without one.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn document(&self, version: Option<i64>) -> Result<Value, Vec<Fault>> {
        let mut reader = Reader { form: &self.form, faults: Vec::new() };
        let change = self.change(&mut reader, version);
        let mut document = Map::from_iter([("change".to_owned(), change)]);
        let mut put = |name: &str, value: Option<Value>| {
            document.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("name", Some(reader.text("name").unwrap_or_default().into()));
        put("filter", self.filter().map(|(filter, _)| filter.into()));
        let stages: Vec<Value> = (0..self.stages).map(|place| reader.stage(place)).collect();
        put("stages", Some(stages.into()));
        put("window", reader.window());
        for name in ["start", "stop"] {
            put(name, reader.text(name).map(|text| time(text).into()));
        }
        put("rate", reader.number("rate").map(Value::from));
        put("failures", reader.failures());
        put("retry", reader.retry());
        put("expires_in", reader.span("expires_in").map(Value::from));
        for name in ["late", "rivals"] {
            put(name, reader.text(name).map(Value::from));
        }
        match reader.faults.is_empty() {
            true => Ok(document.into()),
            false => Err(reader.faults),
        }
    }

    fn change(&self, reader: &mut Reader<'_>, version: Option<i64>) -> Value {
        let kind = self.kind.as_str();
        match self.kind {
            Kind::Firmware | Kind::Software => {
                let package = reader.needed("package", "choose a package");
                json!({ kind: { "package": package } })
            }
            Kind::Profile => {
                let name = reader.needed("profile", "choose a profile");
                let typed = reader.number("version").and_then(|typed| i64::try_from(typed).ok());
                json!({ kind: { "name": name, "version": typed.or(version).unwrap_or_default() } })
            }
            Kind::Command => {
                reader.needed("address", "name the node that the command is about");
                match command::request(reader.form) {
                    Ok(request) => json!({ kind: request }),
                    Err(problem) => {
                        reader.wrong("value", problem.detail());
                        Value::Null
                    }
                }
            }
        }
    }

    /// The filter for its devices, and how many characters of it stand before what was typed.
    pub fn filter(&self) -> Option<(String, usize)> {
        let group = self.form.filled("group").map(group);
        match (self.form.filled("filter"), group) {
            (Some(filter), Some(group)) => Some((format!("({filter}) and {group}"), 1)),
            (Some(filter), None) => Some((filter.to_owned(), 0)),
            (None, Some(group)) => Some((group, 0)),
            (None, None) => None,
        }
    }
}

/// The filter for the devices of a group.
fn group(name: &str) -> String {
    format!("group:\"{}\"", name.replace('\\', r"\\").replace('"', "\\\""))
}

/// A time as it was typed, in UTC unless it says otherwise; what is no time is left to the API to judge.
fn time(text: &str) -> String {
    let joined = text.replacen(' ', "T", 1);
    let whole = [joined.clone(), format!("{joined}:00Z"), format!("{joined}Z")];
    whole.into_iter().find(|text| text.parse::<Timestamp>().is_ok()).unwrap_or_else(|| text.to_owned())
}

/// Reads fields, and notes what it cannot read.
struct Reader<'f> {
    form: &'f Form,
    faults: Vec<Fault>,
}

impl<'f> Reader<'f> {
    fn wrong(&mut self, field: &str, what: &str) {
        self.faults.push(Fault { at: String::new(), pointer: format!("/{field}"), what: what.to_owned() });
    }

    fn text(&self, field: &str) -> Option<&'f str> {
        self.form.filled(field)
    }

    fn needed(&mut self, field: &str, what: &str) -> &'f str {
        let text = self.text(field);
        if text.is_none() {
            self.wrong(field, what);
        }
        text.unwrap_or_default()
    }

    /// A field that holds something of this kind, if it is filled in.
    fn read<T>(&mut self, field: &str, read: impl Fn(&str) -> Option<T>, what: &str) -> Option<T> {
        let value = read(self.text(field)?);
        if value.is_none() {
            self.wrong(field, what);
        }
        value
    }

    fn number(&mut self, field: &str) -> Option<u64> {
        self.read(field, |text| text.parse().ok(), "it has to be a whole number")
    }

    fn percent(&mut self, field: &str) -> Option<f64> {
        let read = |text: &str| {
            text.trim_end_matches('%')
                .trim()
                .replace(',', ".")
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
        };
        self.read(field, read, "it has to be a number, such as 1 or 0.5")
    }

    /// A percent that is whole, and no more than 255.
    fn whole_percent(&mut self, field: &str) -> Option<u8> {
        let read = |text: &str| text.trim_end_matches('%').trim().parse().ok();
        self.read(field, read, "it has to be a whole number from 0 to 100")
    }

    fn span(&mut self, field: &str) -> Option<u64> {
        self.read(field, span::seconds, "it has to be a length of time, such as 30 min, 24 h or 7 days")
    }

    fn stage(&mut self, place: usize) -> Value {
        let of = |member: &str| format!("stages/{place}/{member}");
        let mut stage = Map::new();
        stage.extend(self.percent(&of("percent")).map(|percent| ("percent".to_owned(), percent.into())));
        stage.extend(self.text(&of("filter")).map(|filter| ("filter".to_owned(), filter.into())));
        let (settled, seconds) = (self.whole_percent(&of("hold/settled")), self.span(&of("hold/seconds")));
        let how = self.text(&of("hold"));
        if how.is_some() || settled.is_some() || seconds.is_some() {
            let mut hold = Map::from_iter([("approval".to_owned(), (how == Some(ASK)).into())]);
            hold.extend(settled.map(|settled| ("settled".to_owned(), settled.into())));
            hold.extend(seconds.map(|seconds| ("seconds".to_owned(), seconds.into())));
            stage.insert("hold".to_owned(), hold.into());
        }
        stage.into()
    }

    fn window(&self) -> Option<Value> {
        let fields = ["from", "to", "zone", "zone_label"];
        let filled = fields
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.text(&format!("window/{name}"))?.into())));
        let mut window: Map<String, Value> = filled.collect();
        if window.is_empty() {
            return None;
        }
        // One end alone is judged by the API, which says what it has to be.
        for end in ["from", "to"] {
            window.entry(end).or_insert_with(|| "".into());
        }
        Some(window.into())
    }

    fn failures(&mut self) -> Option<Value> {
        let (percent, sample) = (self.whole_percent("failures/percent"), self.number("failures/sample"));
        let mut failures = Map::from_iter([("percent".to_owned(), percent?.into())]);
        failures.extend(sample.map(|sample| ("sample".to_owned(), sample.into())));
        Some(failures.into())
    }

    fn retry(&mut self) -> Option<Value> {
        let (attempts, wait) = (self.number("retry/attempts"), self.span("retry/wait"));
        let mut retry = Map::new();
        retry.extend(attempts.map(|attempts| ("attempts".to_owned(), attempts.into())));
        retry.extend(wait.map(|wait| ("wait".to_owned(), wait.into())));
        (!retry.is_empty()).then(|| retry.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(kind: Kind, fields: &[(&str, &str)]) -> Draft {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Draft::typed(kind, &Form(fields.collect()))
    }

    #[test]
    fn a_form_means_a_document() {
        let draft = draft(
            Kind::Profile,
            &[
                ("name", " base 3 "),
                ("profile", "base"),
                ("group", "a \"b\""),
                ("filter", "model = X"),
                ("stages/0/percent", "0,5 %"),
                ("stages/0/hold", ASK),
                ("stages/0/hold/seconds", "1 day"),
                ("stages/1/percent", ""),
                ("stages/4/percent", "100"),
                ("window/from", "22:00"),
                ("window/to", "04:00"),
                ("start", "2027-01-31 22:00"),
                ("rate", "60"),
                ("failures/percent", "5"),
                ("retry/attempts", "3"),
                ("expires_in", "2 days"),
                ("late", ""),
            ],
        );
        let expected = json!({
            "name": "base 3",
            "change": { "profile": { "name": "base", "version": 7 } },
            "filter": "(model = X) and group:\"a \\\"b\\\"\"",
            "stages": [{ "percent": 0.5, "hold": { "approval": true, "seconds": 86_400 } }, { "percent": 100.0 }],
            "window": { "from": "22:00", "to": "04:00" },
            "start": "2027-01-31T22:00:00Z",
            "rate": 60,
            "failures": { "percent": 5 },
            "retry": { "attempts": 3 },
            "expires_in": 172_800,
        });
        assert_eq!(draft.document(Some(7)).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_read_is_said_of_its_field() {
        let draft = draft(
            Kind::Firmware,
            &[
                ("stages/3/filter", "model = X"),
                ("stages/3/hold/seconds", "soon"),
                ("stages/3/hold/settled", "900"),
                ("rate", "many"),
                ("failures/percent", "-1"),
                ("retry/wait", "1 x"),
            ],
        );
        let faults = draft.document(None).unwrap_err();
        let fields: Vec<_> = faults.iter().map(|fault| draft.field(fault)).collect();
        let expected = [
            "package",
            "stages/0/hold/settled",
            "stages/0/hold/seconds",
            "rate",
            "failures/percent",
            "retry/wait",
        ];
        assert_eq!(fields, expected);
        let of_change = Fault { at: String::new(), pointer: "/change".into(), what: String::new() };
        assert_eq!(draft.field(&of_change), "package");
    }

    #[test]
    fn a_new_form_begins_carefully() {
        let given = Form(vec![("package".into(), "p".into()), ("stages/0/percent".into(), "99".into())]);
        let draft = Draft::new(Kind::Software, &given);
        let document = draft.document(None).unwrap();
        assert_eq!(document["stages"][0], json!({ "percent": 1.0, "hold": { "approval": true } }));
        assert_eq!(
            (&document["failures"]["percent"], &document["change"]["software"]["package"]),
            (&json!(10), &json!("p"))
        );
    }

    #[test]
    fn times_are_of_utc_unless_they_say_otherwise() {
        assert_eq!(time("2027-01-31 22:00"), "2027-01-31T22:00:00Z");
        assert_eq!(time("2027-01-31T22:00:30"), "2027-01-31T22:00:30Z");
        assert_eq!(time("2027-01-31T22:00:00+01:00"), "2027-01-31T22:00:00+01:00");
        assert_eq!(time("next week"), "next week");
    }
}
