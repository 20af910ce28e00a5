//! What a profile says, as people and programs write it: TOML or JSON.

use std::fmt;

use omadm_config::{Span, nearest};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

/// Priority of a profile that names none.
pub const PRIORITY: u16 = 100;
/// Attempts at each thing unless the profile says otherwise.
const ATTEMPTS: u32 = 3;
/// Pause after the first attempt that failed unless the profile says otherwise.
const RETRY_AFTER: Span = Span::secs(600);

/// What should be true of devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileDocument)]
pub struct Document {
    /// Name of the profile: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Free text for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where two profiles disagree about a device, the higher number counts, 0 to 1000. Default 100.
    #[serde(default = "priority")]
    pub priority: u16,
    /// The group that an assignment without a group means. Default: all devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What is done about a device that changes by itself, or is changed by hand. Default `repair`.
    #[serde(default)]
    pub drift: Drift,
    /// What becomes of nodes, software and firmware that this version has brought and the version that takes its place does not
    /// mention, or that the device has no profile for any more. Default `leave`.
    #[serde(default)]
    pub dropped: Dropped,
    /// How often the nodes are read again, so that changes are seen which the device does not report: at least `1m`. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub check: Option<Span>,
    /// How often each thing is tried before it counts as failed, 1 to 100. Default 3.
    #[serde(default = "attempts")]
    pub attempts: u32,
    /// Pause after an attempt that failed; it doubles each time. At most `30d`. Default `10m`.
    #[serde(default = "retry_after")]
    #[schema(value_type = String)]
    pub retry_after: Span,
    /// Nodes.
    #[serde(default, rename = "node", skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
    /// Software.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub software: Vec<Software>,
    /// Firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmware>,
    /// What the server has to know at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observe: Vec<Observe>,
}

fn priority() -> u16 {
    PRIORITY
}

fn attempts() -> u32 {
    ATTEMPTS
}

fn retry_after() -> Span {
    RETRY_AFTER
}

/// A node that is there, with a value or not, or is not there: one of `value`, `interior` and `absent`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileNode)]
pub struct Node {
    /// Its name in `after` of others. Default: its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A ClientURI of one node, such as `urn:oma:mo:oma-dm-devinfo:1.2//Lang`; for devices of DM 1.x also a path (`./A/B`).
    pub address: String,
    /// Value of a leaf: a string, a number or a bool; where the DDF says `bin` or `b64`, octets in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// An interior node has to be there. It is made together with those nodes below that the profile has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interior: bool,
    /// The node must not be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
    /// What has to be so before this is begun, by `id` or address, or by the package of software.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// As `drift` of the profile, for this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// As `dropped` of the profile, for this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Dropped>,
}

/// A software component that is there and active, or is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileSoftware)]
pub struct Software {
    /// Name of the package of this server, which is the name of the component on the device.
    pub package: String,
    /// Its version, unless it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The component must not be there, in any version.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
    /// As of a node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

/// The firmware that a device has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileFirmware)]
pub struct Firmware {
    /// Name of the package of this server.
    pub package: String,
    /// Its version, as the device tells it afterwards.
    pub version: String,
    /// As of a node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

/// What the server has to know at any time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileObserve)]
pub struct Observe {
    /// A ClientURI of one node, which stands for all that is below.
    pub address: String,
    /// How old what is known may become before it is read again: at least `1m`. A device that can report changes does so at once, too.
    #[schema(value_type = String)]
    pub every: Span,
}

/// What is done about changes that no profile has made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// The device is brought back.
    #[default]
    Repair,
    /// They are shown.
    Report,
}

/// What becomes of that which is not wanted any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dropped {
    /// It stays as it is.
    #[default]
    Leave,
    /// It is deleted.
    Delete,
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// TOML
    Toml,
    /// JSON
    Json,
}

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// The place: line and column, or the member, such as `node 3 (./A/B)`.
    pub at: String,
    /// The place as a JSON Pointer (`RFC 6901`), such as `/node/2/value`; left out where it is about the whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

impl Document {
    /// Reads a document. What it says is not looked at.
    ///
    /// # Errors
    /// The first place that cannot be read; with an unknown name comes the nearest known one.
    pub fn read(text: &str, form: Form) -> Result<Self, Fault> {
        match form {
            Form::Toml => toml::from_str(text).map_err(|error| {
                let at = error.span().map_or(0, |span| span.start);
                fault(line_and_column(text, at), error.message())
            }),
            Form::Json => serde_json::from_str(text).map_err(|error| {
                let said = error.to_string();
                let said = said.split(" at line ").next().unwrap_or_default();
                fault((error.line(), error.column()), said)
            }),
        }
    }

    /// The form in which it is stored: equal documents have equal texts.
    pub fn to_text(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

fn fault((line, column): (usize, usize), said: &str) -> Fault {
    let said = said.trim_end();
    let hint = proposal(said).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Fault {
        at: format!("line {line}, column {column}"),
        pointer: String::new(),
        what: format!("{said}{hint}"),
    }
}

/// The known name nearest to the unknown one, from the sentence that serde makes of them: each stands between backquotes, the unknown
/// one first.
fn proposal(said: &str) -> Option<&str> {
    let is_name = said.starts_with("unknown field") || said.starts_with("unknown variant");
    let mut names = said.split('`').skip(1).step_by(2).filter(|_| is_name);
    let unknown = names.next()?;
    nearest(unknown, names)
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before.get(start..).unwrap_or_default().chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"
name = "base"
priority = 10
group = "site-a"
drift = "report"
check = "1d"

[[node]]
id = "name"
address = "urn:x:1.0//Name"
value = "Acme"

[[node]]
address = "urn:x:1.0//Old"
absent = true
after = ["name"]

[[observe]]
address = "urn:x:1.0//Battery"
every = "1h"
"#;

    #[test]
    fn both_forms_say_the_same() {
        let document = Document::read(BASE, Form::Toml).unwrap();
        assert_eq!((document.priority, document.drift, document.attempts), (10, Drift::Report, 3));
        assert_eq!(document.nodes.len(), 2);
        let again = Document::read(&document.to_text(), Form::Json).unwrap();
        assert_eq!(again, document);
        assert_eq!(again.to_text(), document.to_text());
    }

    #[test]
    fn what_cannot_be_read_is_shown_with_its_place() {
        for (text, form, at, what) in [
            ("name = \"a\"\nprioritty = 3\n", Form::Toml, "line 2, column 1", "did you mean `priority`?"),
            (
                "name = \"a\"\n[[node]]\nadress = \"x\"\n",
                Form::Toml,
                "line 3, column 1",
                "did you mean `address`?",
            ),
            ("name = \"a\"\ndrift = \"repeir\"\n", Form::Toml, "line 2, column 9", "did you mean `repair`?"),
            ("priority = 3\n", Form::Toml, "line 1, column 1", "missing field `name`"),
            ("name = [\n", Form::Toml, "line 1, column 9", ""),
            (
                "{\"name\": \"a\",\n \"check\": \"soon\"}",
                Form::Json,
                "line 2, column ",
                "\"soon\" is no duration",
            ),
            ("{\"name\": \"a\",\n \"nodes\": []}", Form::Json, "line 2, column ", "did you mean `node`?"),
        ] {
            let fault = Document::read(text, form).unwrap_err();
            assert!(fault.at.starts_with(at) && fault.what.contains(what), "{text}: {fault}");
        }
    }

    #[test]
    fn places_are_counted_in_characters() {
        assert_eq!(line_and_column("", 0), (1, 1));
        assert_eq!(line_and_column("a\nüb", 4), (2, 2));
        assert_eq!(line_and_column("a\n", 2), (2, 1));
    }
}
