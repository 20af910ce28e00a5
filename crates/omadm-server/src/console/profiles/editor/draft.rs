//! A profile as somebody fills it in: texts, row by row, whatever they are.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::console::form::Form;
use crate::desired::{Document, Node, Observe, Software};

/// Most rows of a form: longer documents are for the other view.
pub const MAX_ROWS: usize = 40;

/// A row: its members by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row(BTreeMap<String, String>);

impl Row {
    fn of(members: &[(&str, &str)]) -> Self {
        let filled = members.iter().filter(|(_, value)| !value.is_empty());
        Self(filled.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// What a member holds.
    pub fn get(&self, member: &str) -> &str {
        self.0.get(member).map_or("", String::as_str)
    }

    /// Without what stands around it; none if it is empty.
    pub fn filled(&self, member: &str) -> Option<String> {
        Some(self.get(member).trim()).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Whether one of these holds something.
    pub fn has(&self, members: &[&str]) -> bool {
        members.iter().any(|member| self.filled(member).is_some())
    }

    /// Its lines, without those that are empty.
    pub fn lines(&self, member: &str) -> Vec<String> {
        let lines = self.get(member).lines().map(str::trim);
        lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

/// The kinds of rows: as a document calls them, and as people do.
pub const KINDS: [(&str, &str); 3] =
    [("node", "Setting"), ("software", "Software"), ("observe", "Observed setting")];

/// A profile that is being filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// Members of the profile itself.
    pub head: Row,
    /// Firmware.
    pub firmware: Row,
    rows: BTreeMap<&'static str, Vec<Row>>,
}

impl Draft {
    /// What a new profile begins with.
    pub fn new() -> Self {
        let head = Row::of(&[("priority", "100"), ("attempts", "3"), ("retry_after", "10m")]);
        let mut draft = Self { head, ..Self::default() };
        draft.add("node");
        draft
    }

    /// The rows of a kind.
    pub fn rows(&self, kind: &str) -> &[Row] {
        self.rows.get(kind).map_or(&[], Vec::as_slice)
    }

    fn len(&self) -> usize {
        self.rows.values().map(Vec::len).sum()
    }

    /// Whether there is room for another row.
    pub fn has_room(&self) -> bool {
        self.len() < MAX_ROWS
    }

    /// Adds an empty row; gives its number.
    pub fn add(&mut self, kind: &str) -> Option<usize> {
        let (kind, _) = KINDS.iter().find(|(known, _)| *known == kind).filter(|_| self.has_room())?;
        let rows = self.rows.entry(kind).or_default();
        rows.push(Row::default());
        Some(rows.len() - 1)
    }

    /// Takes a row away.
    pub fn remove(&mut self, kind: &str, number: usize) {
        if let Some(rows) = self.rows.get_mut(kind)
            && number < rows.len()
        {
            rows.remove(number);
        }
    }

    /// Reads the fields of a form: `head.NAME`, `firmware.NAME`, `KIND.NUMBER.NAME`.
    pub fn of_form(form: &Form) -> Self {
        let mut draft = Self::default();
        let mut rows: BTreeMap<(&'static str, usize), Row> = BTreeMap::new();
        for (name, value) in form.typed() {
            let parts: Vec<&str> = name.splitn(3, '.').collect();
            let row = match parts.as_slice() {
                ["head", _] => &mut draft.head,
                ["firmware", _] => &mut draft.firmware,
                [kind, number, _] => {
                    let kind = KINDS.iter().find(|(known, _)| known == kind).map(|(known, _)| *known);
                    let (Some(kind), Ok(number)) = (kind, number.parse()) else { continue };
                    rows.entry((kind, number)).or_default()
                }
                _ => continue,
            };
            let member = parts.last().copied().unwrap_or_default();
            row.0.insert(member.to_owned(), value.replace("\r\n", "\n"));
        }
        for ((kind, _), row) in rows.into_iter().take(MAX_ROWS) {
            draft.rows.entry(kind).or_default().push(row);
        }
        draft
    }

    /// A document as it is filled in; none if it is too long.
    pub fn of_document(document: &Document) -> Option<Self> {
        let Document { nodes, software, observe, .. } = document;
        if nodes.len() + software.len() + observe.len() > MAX_ROWS {
            return None;
        }
        let group = document.group.as_deref().unwrap_or_default();
        let check = document.check.map_or_else(String::new, |span| span.to_string());
        let head = Row::of(&[
            ("name", &document.name),
            ("description", &document.description),
            ("priority", &document.priority.to_string()),
            ("group", group),
            ("drift", &word(document.drift)),
            ("dropped", &word(document.dropped)),
            ("check", &check),
            ("attempts", &document.attempts.to_string()),
            ("retry_after", &document.retry_after.to_string()),
        ]);
        let firmware = document.firmware.as_ref().map(|firmware| {
            let after = firmware.after.join("\n");
            Row::of(&[("package", &firmware.package), ("version", &firmware.version), ("after", &after)])
        });
        let rows = BTreeMap::from([
            ("node", nodes.iter().map(row_of_node).collect()),
            ("software", software.iter().map(row_of_software).collect()),
            ("observe", observe.iter().map(row_of_observe).collect()),
        ]);
        Some(Self { head, firmware: firmware.unwrap_or_default(), rows })
    }

    /// Takes rows away in which nothing is filled in.
    pub fn tidy(&mut self) {
        const NODE: &[&str] = &["address", "value", "id", "after"];
        const OTHER: &[&str] = &["address", "every", "package", "version", "after"];
        for (kind, rows) in &mut self.rows {
            rows.retain(|row| row.has(if *kind == "node" { NODE } else { OTHER }));
        }
    }
}

/// A word of a document as it is written there.
fn word(value: impl serde::Serialize) -> String {
    serde_json::json!(value).as_str().unwrap_or_default().to_owned()
}

fn row_of_node(node: &Node) -> Row {
    let (kind, value) = match &node.value {
        None if node.absent => ("absent", String::new()),
        None => ("interior", String::new()),
        Some(Value::Number(number)) => ("number", number.to_string()),
        Some(Value::Bool(flag)) => ("bool", flag.to_string()),
        Some(Value::String(text)) if is_kept_by_forms(text) => ("text", text.clone()),
        Some(other) => ("json", other.to_string()),
    };
    Row::of(&[
        ("address", &node.address),
        ("is", kind),
        ("value", &value),
        ("id", node.id.as_deref().unwrap_or_default()),
        ("after", &node.after.join("\n")),
        ("drift", &node.drift.map(word).unwrap_or_default()),
        ("dropped", &node.dropped.map(word).unwrap_or_default()),
    ])
}

/// Whether a browser gives a text back as it is.
fn is_kept_by_forms(text: &str) -> bool {
    !text.contains(['\r', '\0'])
}

fn row_of_software(software: &Software) -> Row {
    Row::of(&[
        ("package", &software.package),
        ("version", software.version.as_deref().unwrap_or_default()),
        ("is", if software.absent { "absent" } else { "" }),
        ("after", &software.after.join("\n")),
    ])
}

fn row_of_observe(observe: &Observe) -> Row {
    Row::of(&[("address", &observe.address), ("every", &observe.every.to_string())])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::read::document_of;
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn document(value: Value) -> Document {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_document_survives_the_form() {
        let whole = document(json!({
            "name": "base", "description": "two\nlines", "priority": 7, "group": "a", "drift": "report", "dropped": "delete",
            "check": "1d", "attempts": 5, "retry_after": "5m",
            "node": [
                { "address": "urn:x:1.0//A", "value": "8080", "id": "a" },
                { "address": "urn:x:1.0//B", "value": 8080, "after": ["a", "urn:x:1.0//C"], "drift": "repair" },
                { "address": "urn:x:1.0//C", "value": true, "dropped": "leave" },
                { "address": "urn:x:1.0//D", "value": "a\r\nb" },
                { "address": "urn:x:1.0//E", "value": "\n" },
                { "address": "urn:x:1.0//F", "value": "" },
                { "address": "urn:x:1.0//G", "value": 1.5 },
                { "address": "urn:x:1.0/g/", "interior": true },
                { "address": "./H", "absent": true },
            ],
            "software": [{ "package": "tools", "version": "2", "after": ["a"] }, { "package": "old", "absent": true }],
            "firmware": { "package": "board", "version": "7" },
            "observe": [{ "address": "./I", "every": "1h" }],
        }));
        let mut draft = Draft::of_document(&whole).unwrap();
        draft.tidy();
        assert_eq!(document_of(&draft).unwrap(), whole);
    }

    #[test]
    fn what_is_typed_is_read_row_by_row() {
        let draft = Draft::of_form(&form(&[
            ("_mark", "x"),
            ("head.name", " base "),
            ("node.7.address", "./B"),
            ("node.7.is", "number"),
            ("node.7.value", " 7 "),
            ("node.2.address", "./A"),
            ("node.2.value", "a\r\nb"),
            ("node.x.address", "./C"),
            ("other.1.address", "./D"),
            ("node", "x"),
        ]));
        let read = document_of(&draft).unwrap();
        let expected = json!({ "name": "base", "node": [{ "address": "./A", "value": "a\nb" }, { "address": "./B", "value": 7 }] });
        assert_eq!(read, document(expected));
    }

    #[test]
    fn rows_come_and_go_and_are_bounded() {
        let mut draft = Draft::new();
        assert_eq!((draft.add("software"), draft.add("nothing")), (Some(0), None));
        draft.remove("node", 0);
        draft.remove("node", 9);
        assert_eq!((draft.rows("node").len(), draft.rows("software").len()), (0, 1));
        draft.tidy();
        assert!(draft.rows("software").is_empty());
        for _ in 0..2 * MAX_ROWS {
            draft.add("node");
        }
        assert!(draft.rows("node").len() == MAX_ROWS && !draft.has_room());
        let nodes: Vec<Value> =
            (0..=MAX_ROWS).map(|number| json!({ "address": format!("./{number}"), "value": 1 })).collect();
        assert!(Draft::of_document(&document(json!({ "name": "a", "node": nodes }))).is_none());
    }
}
