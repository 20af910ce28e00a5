//! The form of the editor.

use std::collections::BTreeSet;

use maud::{Markup, html};
use serde::Deserialize;

use super::draft::{Draft, KINDS, MAX_ROWS, Row};
use super::{Editing, View, source};
use crate::console::data::{Group, Listed};
use crate::console::failure::Failure;
use crate::console::parts::{self, Field};
use crate::console::profiles::{GROUP_LIST, group_list, groups, href};
use crate::console::text;
use crate::console::visit::{Visit, path};
use crate::desired::Fault;

/// Packages that are offered.
const PACKAGES: &str = "200";
/// The list of packages that fields offer.
const PACKAGE_LIST: &str = "packages";
const DRIFT: [(&str, &str); 2] = [("repair", "is brought back"), ("report", "is shown as drifted")];
const DROPPED: [(&str, &str); 2] = [("leave", "stays as it is"), ("delete", "is deleted")];
const LIKE_THE_PROFILE: (&str, &str) = ("", "as the profile says");
/// The page that has a word about an address.
const NODE: &str = "/profiles/_node";
/// What can be wanted of a node.
const WANTED: [(&str, &str); 6] = [
    ("text", "has this text"),
    ("number", "has this number"),
    ("bool", "is true or false, as written"),
    ("json", "has this value, written as JSON"),
    ("interior", "is there, and holds others"),
    ("absent", "is not there"),
];

/// What fields offer.
pub struct Offers {
    groups: Vec<Group>,
    packages: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

impl Offers {
    /// What there is.
    pub async fn read(visit: &Visit) -> Result<Self, Failure> {
        let packages = match visit.may("GET", "/packages") {
            true => visit.read::<Listed<Package>>(&path(&["packages"], &[("limit", PACKAGES)])).await?.items,
            false => Vec::new(),
        };
        Ok(Self {
            groups: groups(visit).await?,
            packages: packages.into_iter().map(|package| package.name).collect(),
        })
    }
}

/// The whole form.
pub fn form(visit: &Visit, editing: &Editing, offers: &Offers) -> Markup {
    html! {
        form #editor method="post" action="/profiles/_edit" {
            (visit.marks())
            input type="hidden" name="of" value=(editing.of);
            input type="hidden" name="base" value=(editing.base);
            (parts::faults(&editing.faults, |fault| id_of(&editing.view, fault)))
            @if !editing.of.is_empty() && !editing.faults.is_empty() {
                p { a href=(href(&editing.of, "versions", &[])) { "The versions of this profile" } }
            }
            @match &editing.view {
                View::Rows(draft) => (rows(&Sheet { draft, editing }, offers)),
                View::Source(text) => (written(editing, text)),
            }
            div.card {
                label.tick { input type="checkbox" name="force" value="yes" checked[editing.force]; "Store it even where the DDF files, which describe what devices can hold, speak against it" }
                div.actions {
                    button.main type="submit" name="do" value="store" { "Store" }
                    @match &editing.view {
                        View::Rows(_) => (step("source", "Edit as JSON", false)),
                        View::Source(_) => (step("rows", "Edit as a form", false)),
                    }
                    a.button href=(if editing.of.is_empty() { "/profiles".to_owned() } else { href(&editing.of, "", &[]) }) { "Leave it" }
                }
            }
            (group_list(&offers.groups))
            datalist id=(PACKAGE_LIST) { @for package in &offers.packages { option value=(package) {} } }
        }
    }
}

/// A button that changes the form and stores nothing.
fn step(what: &str, word: &str, is_first: bool) -> Markup {
    html! {
        button type="submit" name="do" value=(what) formnovalidate autofocus[is_first]
            hx-post="/profiles/_edit" hx-target="#editor" hx-select="#editor" hx-swap="outerHTML" { (word) }
    }
}

/// The field, or the row, that a fault is about.
fn id_of(view: &View, fault: &Fault) -> Option<String> {
    if matches!(view, View::Source(_)) {
        return Some("source".to_owned());
    }
    match fault.pointer.split('/').skip(1).collect::<Vec<_>>().as_slice() {
        [] => None,
        ["firmware"] => Some("firmware.package".to_owned()),
        [member] => Some(format!("head.{member}")),
        parts => Some(parts.join(".")),
    }
}

/// What is filled in, with what is wrong.
struct Sheet<'a> {
    draft: &'a Draft,
    editing: &'a Editing,
}

impl<'a> Sheet<'a> {
    fn faults(&self, id: &str) -> Vec<&'a str> {
        let own = |fault: &&Fault| id_of(&self.editing.view, fault).as_deref() == Some(id);
        self.editing.faults.iter().filter(own).map(|fault| fault.what.as_str()).collect()
    }

    /// A field, but for its words.
    fn field(&self, row: &'a Row, name: &'a str) -> Field<'a> {
        let member = name.rsplit('.').next().unwrap_or_default();
        Field {
            name,
            value: row.get(member),
            faults: self.faults(name),
            is_first: self.editing.focus == name,
            ..Field::default()
        }
    }
}

fn rows(sheet: &Sheet<'_>, offers: &Offers) -> Markup {
    html! {
        section.card { h2 { "The profile" } (head(sheet)) }
        section.card {
            h2 { "Settings" }
            p.quiet { "A device keeps its settings in a tree; each is a node with an address, such as " code { "urn:oma:mo:oma-dm-devinfo:1.2//Lang" } ", and for devices of DM 1.x also " code { "./DevInfo/Lang" } "." }
            (of_kind(sheet, "node", node))
        }
        section.card {
            h2 { "Software" }
            @if offers.packages.is_empty() { p.quiet { "Packages are uploaded to the server first." } }
            (of_kind(sheet, "software", software))
        }
        section.card { h2 { "Firmware" } (firmware(sheet)) }
        section.card {
            h2 { "Settings that the server always knows" }
            p.quiet { "They are read again when what is known is too old. Devices that can report changes do so at once." }
            (of_kind(sheet, "observe", observed))
        }
        section.card { h2 { "How it is brought about" } (manner(sheet)) }
    }
}

fn head(sheet: &Sheet<'_>) -> Markup {
    let field = |name| sheet.field(&sheet.draft.head, name);
    html! {
        div.fields {
            (Field { label: "Name", hint: "Letters, digits, -, _ and .", is_required: true, is_exact: true, is_fixed: !sheet.editing.of.is_empty(), ..field("head.name") }.line())
            (Field { label: "Priority", hint: "0 to 1000. Where two profiles disagree about a device, the higher number counts.", ..field("head.priority") }.line())
            (Field { label: "Group that it is meant for", hint: "Empty: all devices, unless it is assigned to a group.", list: Some(GROUP_LIST), ..field("head.group") }.line())
        }
        (Field { label: "What it is for", ..field("head.description") }.area(2))
    }
}

fn manner(sheet: &Sheet<'_>) -> Markup {
    let field = |name| sheet.field(&sheet.draft.head, name);
    html! {
        div.fields {
            (Field { label: "A device that changes by itself, or by hand", ..field("head.drift") }.choice(&DRIFT))
            (Field { label: "What a later version does not mention any more", ..field("head.dropped") }.choice(&DROPPED))
            (Field { label: "Read the settings again every", hint: "Such as 1d or 12h. Empty: never; changes are seen when devices report them.", ..field("head.check") }.line())
            (Field { label: "Attempts", hint: "1 to 100, at each thing.", ..field("head.attempts") }.line())
            (Field { label: "Pause after a failed attempt", hint: "Such as 10m. It doubles each time.", ..field("head.retry_after") }.line())
        }
    }
}

/// The rows of a kind, each with its button, and one for another row.
fn of_kind(sheet: &Sheet<'_>, kind: &str, fields: fn(&Sheet<'_>, &Row, &str) -> Markup) -> Markup {
    let called = KINDS.iter().find(|(known, _)| *known == kind).map_or(kind, |(_, called)| called);
    html! {
        @for (number, row) in sheet.draft.rows(kind).iter().enumerate() {
            @let id = format!("{kind}.{number}");
            fieldset.entry id=(id) {
                legend { (called) " " (number + 1) }
                @let faults = sheet.faults(&id);
                @if !faults.is_empty() { div.fault { @for fault in faults { p { (text::shown_long(fault)) } } } }
                (fields(sheet, row, &id))
                (step(&format!("remove.{id}"), &format!("Remove {} {}", called.to_lowercase(), number + 1), false))
            }
        }
        @if sheet.draft.has_room() {
            @let add = format!("add.{kind}");
            (step(&add, &format!("Add {}", called.to_lowercase()), sheet.editing.focus == add))
        } @else {
            p.quiet { "A form has at most " (MAX_ROWS) " entries; more can be written as JSON." }
        }
    }
}

fn node(sheet: &Sheet<'_>, row: &Row, id: &str) -> Markup {
    let [address, is, value, name, drift, dropped] =
        ["address", "is", "value", "id", "drift", "dropped"].map(|member| format!("{id}.{member}"));
    let holds = Field { label: "Value", ..sheet.field(row, &value) };
    let is_more = ["id", "after", "drift", "dropped"].iter().any(|member| !row.get(member).is_empty());
    html! {
        (Field { label: "Address", is_exact: true, asks: Some(NODE), ..sheet.field(row, &address) }.line())
        div.fields {
            (Field { label: "It", ..sheet.field(row, &is) }.choice(&WANTED))
            @if row.get("value").contains('\n') { (holds.area(4)) } @else { (holds.line()) }
        }
        details open[is_more] {
            summary { "More" }
            div.fields {
                (Field { label: "What it is called in “after” of others", hint: "Empty: its address.", is_exact: true, ..sheet.field(row, &name) }.line())
                (Field { label: "When it changes by itself, or by hand, it", ..sheet.field(row, &drift) }.choice(&[LIKE_THE_PROFILE, DRIFT[0], DRIFT[1]]))
                (Field { label: "When a later version does not mention it, it", ..sheet.field(row, &dropped) }.choice(&[LIKE_THE_PROFILE, DROPPED[0], DROPPED[1]]))
            }
            (after(sheet, row, id))
        }
    }
}

/// What has to be so before.
fn after(sheet: &Sheet<'_>, row: &Row, id: &str) -> Markup {
    let name = format!("{id}.after");
    let hint = "Names, addresses or packages of this profile that have to be so before, one on each line.";
    Field { label: "Only after", hint, is_exact: true, ..sheet.field(row, &name) }.area(2)
}

fn software(sheet: &Sheet<'_>, row: &Row, id: &str) -> Markup {
    let [package, version, is] = ["package", "version", "is"].map(|member| format!("{id}.{member}"));
    html! {
        div.fields {
            (Field { label: "Package", list: Some(PACKAGE_LIST), is_exact: true, ..sheet.field(row, &package) }.line())
            (Field { label: "It", ..sheet.field(row, &is) }.choice(&[("", "is installed in this version"), ("absent", "is not installed")]))
            (Field { label: "Version", ..sheet.field(row, &version) }.line())
        }
        details open[!row.get("after").is_empty()] { summary { "More" } (after(sheet, row, id)) }
    }
}

fn firmware(sheet: &Sheet<'_>) -> Markup {
    let row = &sheet.draft.firmware;
    html! {
        p.quiet { "Left empty, the profile wants no firmware." }
        div.fields {
            (Field { label: "Package", list: Some(PACKAGE_LIST), is_exact: true, ..sheet.field(row, "firmware.package") }.line())
            (Field { label: "Version that devices tell afterwards", ..sheet.field(row, "firmware.version") }.line())
        }
        details open[!row.get("after").is_empty()] { summary { "More" } (after(sheet, row, "firmware")) }
    }
}

fn observed(sheet: &Sheet<'_>, row: &Row, id: &str) -> Markup {
    let [address, every] = ["address", "every"].map(|member| format!("{id}.{member}"));
    html! {
        (Field { label: "Address", is_exact: true, asks: Some(NODE), ..sheet.field(row, &address) }.line())
        (Field { label: "Read it again when what is known is older than", hint: "Such as 1h; at least 1m.", example: "1h", ..sheet.field(row, &every) }.line())
    }
}

/// The whole as JSON, with the lines that were refused.
fn written(editing: &Editing, source: &str) -> Markup {
    let lines = editing.faults.iter().filter_map(|fault| Some((source::line_of(source, fault)?, fault)));
    html! {
        section.card {
            h2 { "The profile as JSON" }
            @for (line, fault) in lines {
                div.fault { p { "Line " (line + 1) ": " (text::shown_long(&fault.what)) } (source::excerpt(source, line)) }
            }
            label for="source" { "Document" }
            textarea #source name="source" rows="30" spellcheck="false" autocapitalize="none" aria-describedby="source-hint"
                aria-invalid=[(!editing.faults.is_empty()).then_some("true")] { "\n" (source) }
            p.quiet #source-hint { "The same names as in the REST API and in the files of " code { "omadm profile" } "." }
        }
    }
}
