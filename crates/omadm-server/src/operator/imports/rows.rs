//! The rows of an import as they were written: CSV with a row of names first, or a JSON object in each line.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read};

use serde_json::{Map, Value};

use super::super::views::Device;
use crate::fleet::cells;

/// Longest row in octets, give or take what is read ahead.
const MAX_ROW: usize = 64 << 10;
/// Most columns of a CSV table.
const MAX_COLUMNS: usize = 1_000;
/// How the name of a column of one label begins.
const LABEL: &str = "label:";

/// A row.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// DevID.
    pub id: String,
    /// Name for people.
    pub label: Option<String>,
    /// What is to know about the device.
    pub note: Option<String>,
    /// Labels to set, and with `None` to remove.
    pub labels: BTreeMap<String, Option<String>>,
    /// HTTP user name.
    pub user: Option<String>,
    /// Its secret.
    pub secret: Option<String>,
    /// Whether the secret is a pre-shared key, too.
    pub psk: bool,
    /// Whether an existing enrolment is replaced.
    pub replace: bool,
}

/// A row, or the id that could be read of it with what is wrong with it.
pub type Read1 = Result<Written, (String, String)>;

/// Where the octets of an import come from: it counts those of one row.
pub struct Metered<R> {
    source: R,
    given: usize,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given > MAX_ROW {
            return Err(io::Error::other(format!("a row has more than {MAX_ROW} octets; is a quote open?")));
        }
        let read = self.source.read(to)?;
        self.given += read;
        Ok(read)
    }
}

/// Rows of either form.
pub enum Rows<R> {
    /// With the names of the columns.
    Csv(Box<csv::Reader<Metered<R>>>, Vec<String>),
    /// A JSON object in each line.
    Json(BufReader<R>),
}

impl<R: Read> Rows<R> {
    /// A CSV table; its first row is read.
    ///
    /// # Errors
    /// One sentence when that names no columns, or such as there are not.
    pub fn csv(source: R) -> Result<Self, String> {
        let source = Metered { source, given: 0 };
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(source);
        let mut first = csv::StringRecord::new();
        reader.read_record(&mut first).map_err(|error| format!("the row of names: {error}"))?;
        // Spreadsheets put a byte order mark before UTF-8.
        let name = |name: &str| cells::read(name.trim_start_matches('\u{feff}').trim()).to_owned();
        let names: Vec<String> = first.iter().map(name).collect();
        if names.len() > MAX_COLUMNS {
            return Err(format!("a table has at most {MAX_COLUMNS} columns"));
        }
        if !names.iter().any(|name| name == "id") {
            return Err("the first row names the columns, and one of them has to be id".to_owned());
        }
        for (at, name) in names.iter().enumerate() {
            if !name.starts_with(LABEL) && !is_known(name) {
                return Err(format!("there is no column {name:?}; {KNOWN}"));
            }
            if names.iter().take(at).any(|before| before == name) {
                return Err(format!("the column {name} is there twice"));
            }
        }
        Ok(Self::Csv(Box::new(reader), names))
    }

    /// JSON lines.
    pub fn json(source: R) -> Self {
        Self::Json(BufReader::new(source))
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// When the rest cannot be read.
    pub fn next(&mut self) -> Result<Option<Read1>, String> {
        match self {
            Self::Csv(reader, names) => csv_row(reader, names),
            Self::Json(reader) => json_row(reader),
        }
    }
}

/// What columns and members there are.
const KNOWN: &str = "there are id, label, note, user, secret, psk, replace and label:KEY (in JSON labels), and those of an export \
                     that devices tell themselves, which are passed over";

/// Whether something can be said, or is passed over.
fn is_known(name: &str) -> bool {
    matches!(name, "user" | "secret" | "psk" | "replace") || Device::MEMBERS.contains(&name)
}

fn csv_row<R: Read>(reader: &mut csv::Reader<Metered<R>>, names: &[String]) -> Result<Option<Read1>, String> {
    reader.get_mut().given = 0;
    let mut record = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(|error| error.to_string())? {
        return Ok(None);
    }
    let record = match csv::StringRecord::from_byte_record(record) {
        Ok(record) => record,
        Err(error) => return Ok(Some(Err((String::new(), format!("it is not UTF-8: {error}"))))),
    };
    let id = names.iter().position(|name| name == "id").and_then(|at| record.get(at));
    let id = id.map(|cell| cells::read(cell).trim().to_owned()).unwrap_or_default();
    if record.len() != names.len() {
        let problem = format!("it has {} cells, and the first row {}", record.len(), names.len());
        return Ok(Some(Err((id, problem))));
    }
    let mut row = Written::default();
    for (name, cell) in names.iter().zip(&record) {
        let text = cells::read(cell);
        // An empty cell leaves what there is: it comes of devices that do not have the label.
        if text.is_empty() {
            continue;
        }
        let set = match name.strip_prefix(LABEL) {
            Some(key) => {
                row.labels.insert(key.to_owned(), Some(text.to_owned()));
                Ok(())
            }
            // Labels of an export in one cell: they stand in columns of their own.
            None if name == "labels" => Ok(()),
            None => row.set(name, Value::String(text.to_owned())),
        };
        if let Err(problem) = set {
            return Ok(Some(Err((id, problem))));
        }
    }
    Ok(Some(Ok(row)))
}

fn json_row<R: Read>(reader: &mut BufReader<R>) -> Result<Option<Read1>, String> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = u64::try_from(MAX_ROW).unwrap_or(u64::MAX).saturating_add(1);
        let read = reader.take(most).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        if read == 0 {
            return Ok(None);
        }
        if line.len() > MAX_ROW {
            return Err(format!("a row has more than {MAX_ROW} octets; each line has to be one JSON object"));
        }
        if !line.trim_ascii().is_empty() {
            break;
        }
    }
    let object: Map<String, Value> = match serde_json::from_slice(&line) {
        Ok(object) => object,
        Err(error) => return Ok(Some(Err((String::new(), format!("it is no JSON object: {error}"))))),
    };
    let id = object.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut row = Written::default();
    for (name, value) in object {
        let known = is_known(&name);
        let set =
            if known { row.set(&name, value) } else { Err(format!("there is no member {name:?}; {KNOWN}")) };
        if let Err(problem) = set {
            return Ok(Some(Err((id, problem))));
        }
    }
    Ok(Some(Ok(row)))
}

impl Written {
    /// Takes one member.
    fn set(&mut self, name: &str, value: Value) -> Result<(), String> {
        let text = |value: Value| match value {
            Value::String(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            _ => Err(format!("{name} has to be a text")),
        };
        match name {
            "id" => self.id = text(value)?.unwrap_or_default().trim().to_owned(),
            "label" => self.label = text(value)?,
            "note" => self.note = text(value)?,
            "user" => self.user = text(value)?,
            "secret" => self.secret = text(value)?,
            "psk" => self.psk = truth(name, &value)?,
            "replace" => self.replace = truth(name, &value)?,
            "labels" => {
                let labels = serde_json::from_value(value);
                self.labels =
                    labels.map_err(|_| "labels has to be an object of texts and nulls".to_owned())?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn truth(name: &str, value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::Null => Ok(false),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(true),
            "false" | "no" | "0" => Ok(false),
            _ => Err(format!("{name} has to be true or false")),
        },
        _ => Err(format!("{name} has to be true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<R: Read>(mut rows: Rows<R>) -> Vec<Read1> {
        std::iter::from_fn(|| rows.next().unwrap()).collect()
    }

    #[test]
    fn rows_of_a_table_are_read() {
        let table = "\u{feff}id,label,label:site,psk,secret,model\r\n\
                     urn:a,'=x,A,yes,\"s,1\",M\r\n\
                     urn:b,,,,,\r\n\
                     urn:c,x\r\n\
                     urn:d,,,maybe,,\r\n";
        let rows = all(Rows::csv(table.as_bytes()).unwrap());
        let a = rows[0].as_ref().unwrap();
        assert_eq!((a.label.as_deref(), a.secret.as_deref(), a.psk), (Some("=x"), Some("s,1"), true));
        assert_eq!(a.labels, BTreeMap::from([("site".to_owned(), Some("A".to_owned()))]));
        assert_eq!(rows[1], Ok(Written { id: "urn:b".to_owned(), ..Written::default() }));
        assert_eq!(rows[2], Err(("urn:c".to_owned(), "it has 2 cells, and the first row 6".to_owned())));
        assert_eq!(rows[3], Err(("urn:d".to_owned(), "psk has to be true or false".to_owned())));
        assert_eq!(rows.len(), 4);
    }

    #[test]
    fn a_table_has_names_that_are_known() {
        for (table, wrong) in [
            ("", "one of them has to be id"),
            ("label\n", "id"),
            ("id,colour\n", "colour"),
            ("id,id\n", "twice"),
        ] {
            let problem = Rows::csv(table.as_bytes()).err().unwrap();
            assert!(problem.contains(wrong), "{table}: {problem}");
        }
    }

    #[test]
    fn rows_of_json_are_read() {
        let lines = "{\"id\":\"urn:a\",\"labels\":{\"site\":\"A\",\"old\":null},\"replace\":true,\"model\":\"M\"}\n\n\
                     {\"id\":\"urn:b\",\"colour\":1}\n[1]\n{\"id\":\"urn:c\",\"secret\":5}";
        let rows = all(Rows::json(lines.as_bytes()));
        let a = rows[0].as_ref().unwrap();
        assert!(a.replace && a.labels.get("old") == Some(&None));
        for (row, wrong) in [(1, "colour"), (2, "no JSON object"), (3, "secret has to be a text")] {
            assert!(rows[row].as_ref().unwrap_err().1.contains(wrong), "{:?}", rows[row]);
        }
    }

    #[test]
    fn a_row_has_an_end() {
        let open = format!("id,note\nurn:a,\"{}", "x".repeat(3 * MAX_ROW));
        let mut rows = Rows::csv(open.as_bytes()).unwrap();
        assert!(rows.next().unwrap_err().contains("quote"));
        let line = format!("{{\"id\":\"{}\"}}", "x".repeat(MAX_ROW));
        assert!(Rows::json(line.as_bytes()).next().unwrap_err().contains("octets"));
        let fits = format!("id,note\nurn:a,\"{}\"\n", "x".repeat(MAX_ROW - 100));
        assert!(Rows::csv(fits.as_bytes()).unwrap().next().unwrap().unwrap().is_ok());
    }
}
