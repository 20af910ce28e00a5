//! Batches as text: records parted by tabs, their fields by blanks ([`crate::text`]).
//!
//! ```text
//! n NAME/NAME FORMAT VALUE TSTAMP VERNO ACL TITLE TYPE [MOID MIID REVISION]     a node
//! d NAME/NAME                                                                   no node any more
//! e KEY VALUE                                                                   an entry
//! r KEY                                                                         no entry any more
//! ```
//! What can be absent is `-`, or `+` and the text. A value is `-`, or a letter for its kind and its text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_mo::{Format, Miid, Moid, NodeName, NodePath, NodeRecord, Properties, Time, Value};

use super::wiped::Wiped;
use crate::persistence::Batch;
use crate::text::{escape, unescape};

/// Octets that are put into base64 at a time, so that no copy of a whole secret is left behind.
const BASE64_CHUNK: usize = 48;

/// Appends `batch` as one line without its end.
pub(super) fn encode(batch: &Batch, out: &mut Wiped) {
    let mut writer = Writer { out, begun: false };
    for (path, record) in &batch.nodes {
        match record {
            Some(record) => {
                writer.begin("n");
                writer.path(path);
                writer.record(record);
            }
            None => {
                writer.begin("d");
                writer.path(path);
            }
        }
    }
    for (key, value) in &batch.entries {
        writer.begin(if value.is_some() { "e" } else { "r" });
        writer.text("+", key);
        if let Some(value) = value {
            writer.text("+", value);
        }
    }
}

struct Writer<'o> {
    out: &'o mut Wiped,
    /// Whether there is a record already.
    begun: bool,
}

impl Writer<'_> {
    fn begin(&mut self, kind: &str) {
        if self.begun {
            self.out.push(b"\t");
        }
        self.begun = true;
        self.out.push(kind.as_bytes());
    }

    fn field(&mut self, plain: &str) {
        self.out.push(b" ");
        self.out.push(plain.as_bytes());
    }

    fn text(&mut self, mark: &str, text: &str) {
        self.field(mark);
        escape(text, &mut |part| self.out.push(part.as_bytes()));
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text("+", text),
            None => self.field("-"),
        }
    }

    fn path(&mut self, path: &[NodeName]) {
        // The root is the path of no names.
        self.field("+");
        for (at, name) in path.iter().enumerate() {
            if at > 0 {
                self.out.push(b"/");
            }
            escape(name.as_str(), &mut |part| self.out.push(part.as_bytes()));
        }
    }

    fn record(&mut self, record: &NodeRecord) {
        self.field(record.format.as_str());
        self.value(record.value.as_ref());
        let Properties { acl, title, tstamp, mime, ver_no } = &record.properties;
        self.field(&tstamp.0.to_string());
        self.field(&ver_no.to_string());
        for text in [acl, title, mime] {
            self.optional(text.as_deref());
        }
        if let Some((moid, miid, revision)) = &record.instance {
            self.text("+", moid.as_str());
            self.text("+", miid.as_str());
            self.field(&revision.to_string());
        }
    }

    fn value(&mut self, value: Option<&Value>) {
        match value {
            None => self.field("-"),
            Some(Value::Null) => self.field("z"),
            Some(Value::Bool(bool)) => self.field(&format!("b{bool}")),
            Some(Value::Int(int)) => self.field(&format!("i{int}")),
            // As bits: text would not keep every float.
            Some(Value::Float(float)) => self.field(&format!("f{:x}", float.to_bits())),
            Some(Value::Text(text)) => self.text("t", text),
            Some(Value::Bytes(octets)) => {
                self.field("x");
                let mut digits = [0; BASE64_CHUNK / 3 * 4];
                for chunk in octets.chunks(BASE64_CHUNK) {
                    let written = STANDARD.encode_slice(chunk, &mut digits).unwrap_or_default();
                    self.out.push(digits.get(..written).unwrap_or_default());
                }
            }
        }
    }
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(line: &[u8]) -> Result<Batch, String> {
    let line = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    let mut batch = Batch::default();
    for record in line.split('\t').filter(|record| !record.is_empty()) {
        let mut fields = Fields(record.split(' '));
        match fields.next()? {
            "n" => batch.nodes.push((fields.path()?, Some(fields.record()?))),
            "d" => batch.nodes.push((fields.path()?, None)),
            "e" => batch.entries.push((fields.text()?, Some(fields.text()?))),
            "r" => batch.entries.push((fields.text()?, None)),
            kind => return Err(format!("unknown kind of record {kind:?}")),
        }
        if fields.0.next().is_some() {
            return Err("a record has too many fields".to_owned());
        }
    }
    Ok(batch)
}

struct Fields<'l>(std::str::Split<'l, char>);

impl<'l> Fields<'l> {
    fn next(&mut self) -> Result<&'l str, String> {
        self.0.next().ok_or_else(|| "a record has too few fields".to_owned())
    }

    fn number<N: std::str::FromStr>(&mut self) -> Result<N, String> {
        let field = self.next()?;
        field.parse().map_err(|_| format!("{field:?} is no number"))
    }

    fn optional(&mut self) -> Result<Option<String>, String> {
        let field = self.next()?;
        match field.strip_prefix('+') {
            Some(text) => plain(text).map(Some),
            None if field == "-" => Ok(None),
            None => Err(format!("{field:?} is no text")),
        }
    }

    fn text(&mut self) -> Result<String, String> {
        self.optional()?.ok_or_else(|| "a text is missing".to_owned())
    }

    fn path(&mut self) -> Result<NodePath, String> {
        let field = self.next()?.strip_prefix('+').ok_or("a path is missing")?;
        let names = field.split('/').filter(|name| !name.is_empty());
        names.map(|name| NodeName::parse(&plain(name)?).map_err(|error| error.to_string())).collect()
    }

    fn record(&mut self) -> Result<NodeRecord, String> {
        let format = self.next()?;
        let format = Format::parse(format).ok_or_else(|| format!("unknown format {format:?}"))?;
        let value = value(self.next()?)?;
        let (tstamp, ver_no) = (Time(self.number()?), self.number()?);
        let (acl, title, mime) = (self.optional()?, self.optional()?, self.optional()?);
        let properties = Properties { acl, title, tstamp, mime, ver_no };
        Ok(NodeRecord { format, value, properties, instance: self.instance()? })
    }

    fn instance(&mut self) -> Result<Option<(Moid, Miid, u64)>, String> {
        let Some(moid) = self.0.next() else { return Ok(None) };
        let moid = plain(moid.strip_prefix('+').ok_or("a MOID is missing")?)?;
        let moid = Moid::parse(&moid).map_err(|error| error.to_string())?;
        let miid = Miid::parse(&self.text()?).map_err(|error| error.to_string())?;
        Ok(Some((moid, miid, self.number()?)))
    }
}

fn plain(field: &str) -> Result<String, String> {
    unescape(field).ok_or_else(|| "a text is not escaped as it has to be".to_owned())
}

fn value(field: &str) -> Result<Option<Value>, String> {
    let bad = || "a value does not fit its kind".to_owned();
    let mut chars = field.chars();
    let (kind, rest) = (chars.next(), chars.as_str());
    Ok(Some(match kind {
        Some('-') if rest.is_empty() => return Ok(None),
        Some('z') if rest.is_empty() => Value::Null,
        Some('b') => Value::Bool(rest.parse().map_err(|_| bad())?),
        Some('i') => Value::Int(rest.parse().map_err(|_| bad())?),
        Some('f') => Value::Float(f64::from_bits(u64::from_str_radix(rest, 16).map_err(|_| bad())?)),
        Some('t') => Value::Text(plain(rest)?),
        Some('x') => Value::Bytes(STANDARD.decode(rest).map_err(|_| bad())?),
        _ => return Err(bad()),
    }))
}
