//! From what somebody has filled in to the document that it means.

use omadm_config::Span;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

use super::draft::{Draft, Row};
use crate::desired::{Document, Drift, Dropped, Fault, Firmware, Node, Observe, Software};

/// The document that a draft means.
///
/// # Errors
/// What cannot be read as what it has to be, each with its place.
pub fn document_of(draft: &Draft) -> Result<Document, Vec<Fault>> {
    let mut reader = Reader::default();
    let document = reader.document(draft);
    if reader.0.is_empty() { Ok(document) } else { Err(reader.0) }
}

/// Reads texts, and keeps what is wrong with them.
#[derive(Default)]
struct Reader(Vec<Fault>);

impl Reader {
    fn refuse(&mut self, at: &str, pointer: String, what: impl Into<String>) {
        self.0.push(Fault { at: at.to_owned(), pointer, what: what.into() });
    }

    /// What a text is in JSON; what it usually is where there is none.
    fn word<T: DeserializeOwned>(&mut self, at: &str, pointer: String, text: &str, usual: T) -> T {
        match text.trim() {
            "" => usual,
            text => serde_json::from_value(text.into()).unwrap_or_else(|error| {
                self.refuse(at, pointer, error.to_string());
                usual
            }),
        }
    }

    fn number<T: TryFrom<u64>>(&mut self, head: &Row, member: &str, usual: T) -> T {
        let Some(text) = head.filled(member) else { return usual };
        let number = text.parse::<u64>().ok().and_then(|number| T::try_from(number).ok());
        number.unwrap_or_else(|| {
            let what = "it has to be a whole number, and not so large";
            self.refuse(member, format!("/{member}"), what);
            usual
        })
    }

    fn document(&mut self, draft: &Draft) -> Document {
        let head = &draft.head;
        let name = head.filled("name").unwrap_or_default();
        if name.is_empty() {
            self.refuse("name", "/name".to_owned(), "a profile has a name");
        }
        let check = head.filled("check");
        Document {
            name,
            description: head.get("description").to_owned(),
            priority: self.number(head, "priority", 100),
            group: head.filled("group"),
            drift: self.word("drift", "/drift".to_owned(), head.get("drift"), Drift::default()),
            dropped: self.word("dropped", "/dropped".to_owned(), head.get("dropped"), Dropped::default()),
            check: check.map(|text| self.word("check", "/check".to_owned(), &text, Span::secs(0))),
            attempts: self.number(head, "attempts", 3),
            retry_after: self.word(
                "retry_after",
                "/retry_after".to_owned(),
                head.get("retry_after"),
                Span::secs(600),
            ),
            nodes: (0..).zip(draft.rows("node")).map(|(number, row)| self.node(number, row)).collect(),
            software: draft.rows("software").iter().map(software).collect(),
            firmware: draft.firmware.has(&["package", "version", "after"]).then(|| firmware(&draft.firmware)),
            observe: (0..)
                .zip(draft.rows("observe"))
                .map(|(number, row)| self.observe(number, row))
                .collect(),
        }
    }

    fn node(&mut self, number: usize, row: &Row) -> Node {
        let address = row.filled("address").unwrap_or_default();
        let (at, pointer) = (format!("node {} ({address})", number + 1), format!("/node/{number}"));
        let drift = row.filled("drift").map(|text| self.word(&at, pointer.clone(), &text, Drift::default()));
        let dropped =
            row.filled("dropped").map(|text| self.word(&at, pointer.clone(), &text, Dropped::default()));
        let value = match row.get("is") {
            "interior" | "absent" => None,
            kind => match value(kind, row.get("value")) {
                Ok(value) => Some(value),
                Err(what) => {
                    self.refuse(&at, format!("{pointer}/value"), what);
                    None
                }
            },
        };
        Node {
            id: row.filled("id"),
            address,
            value,
            interior: row.get("is") == "interior",
            absent: row.get("is") == "absent",
            after: row.lines("after"),
            drift,
            dropped,
        }
    }

    fn observe(&mut self, number: usize, row: &Row) -> Observe {
        let address = row.filled("address").unwrap_or_default();
        let at = format!("observe {} ({address})", number + 1);
        let every = self.word(&at, format!("/observe/{number}/every"), row.get("every"), Span::secs(3_600));
        Observe { address, every }
    }
}

/// A value of a kind.
fn value(kind: &str, text: &str) -> Result<Value, &'static str> {
    let trimmed = text.trim();
    match kind {
        "number" => {
            serde_json::from_str::<Number>(trimmed).map(Value::Number).map_err(|_| "this is no number")
        }
        "bool" => trimmed.parse().map(Value::Bool).map_err(|_| "it has to be true or false"),
        "json" => serde_json::from_str(trimmed)
            .map_err(|_| "this is no JSON; a text stands between quotation marks"),
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn software(row: &Row) -> Software {
    Software {
        package: row.filled("package").unwrap_or_default(),
        version: row.filled("version"),
        absent: row.get("is") == "absent",
        after: row.lines("after"),
    }
}

fn firmware(row: &Row) -> Firmware {
    Firmware {
        package: row.filled("package").unwrap_or_default(),
        version: row.filled("version").unwrap_or_default(),
        after: row.lines("after"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::form::Form;

    #[test]
    fn what_cannot_be_read_is_refused_at_its_place() {
        let fields = [
            ("head.priority", "70000"),
            ("head.check", "soon"),
            ("node.0.is", "number"),
            ("node.0.value", "seven"),
            ("node.1.is", "bool"),
            ("node.1.value", "yes"),
            ("observe.0.every", "x"),
        ];
        let form = Form(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        let faults = document_of(&Draft::of_form(&form)).unwrap_err();
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            ["/name", "/priority", "/check", "/node/0/value", "/node/1/value", "/observe/0/every"]
        );
        assert!(faults[2].what.contains("is no duration"), "{faults:?}");
    }
}
