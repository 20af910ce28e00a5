//! Package#3: statuses and alerts (`DM 2.0 §5.2.4, §7.2.1.3`).

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::dm2::alert::Alerts;
use crate::dm2::json::{self, Array, Context, Object, ObjectSeed, Text, object, seed};
use crate::dm2::{Alert, StatusCode};
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

/// One item of `Status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusEntry {
    /// `sc`.
    pub code: StatusCode,
    /// `URI`, such as the location of what an HGET stored.
    pub uris: Vec<String>,
}

/// Package#3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// `Status`, one per command of the Package#2.
    pub statuses: Vec<StatusEntry>,
    /// `Alert`.
    pub alerts: Vec<Alert>,
}

impl Response {
    /// Reads a package. Unknown members are ignored.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &[u8], limits: &Limits, leniency: &mut Leniency) -> Result<Self, DecodeError> {
        let context = Context::new(limits, leniency);
        context.read(input, ObjectSeed::<Members>::new(&context))
    }
    /// Appends the package as JSON.
    pub fn encode(&self, out: &mut Vec<u8>) {
        json::write(self, out);
    }
}

/// As in §7.2.1.3: `Status` always, `URI` and `Alert` only when there is something in them.
impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("Status", &self.statuses)?;
        if !self.alerts.is_empty() {
            map.serialize_entry("Alert", &self.alerts)?;
        }
        map.end()
    }
}

impl Serialize for StatusEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("sc", &self.code.0)?;
        if !self.uris.is_empty() {
            map.serialize_entry("URI", &self.uris)?;
        }
        map.end()
    }
}

object! {
    Members as "Package#3" => Response {
        statuses: Vec<StatusEntry> = "Status", |context| Statuses(context);
        alerts: Vec<Alert> = "Alert", |context| Alerts(context);
    }
}

impl Members {
    fn build<E: de::Error>(self, context: &Context<'_>) -> Result<Response, E> {
        Ok(Response {
            statuses: context.required("Status", self.statuses)?,
            alerts: self.alerts.unwrap_or_default(),
        })
    }
}

object! {
    EntryMembers as "an item of Status" => StatusEntry {
        code: StatusCode = "sc", |context| Code(context);
        uris: Vec<String> = "URI", |context| Array(context, Text);
    }
}

impl EntryMembers {
    fn build<E: de::Error>(self, context: &Context<'_>) -> Result<StatusEntry, E> {
        Ok(StatusEntry { code: context.required("sc", self.code)?, uris: self.uris.unwrap_or_default() })
    }
}

/// Seed of `Status`.
struct Statuses<'c, 'a>(&'c Context<'a>);

seed!(Statuses<'_, '_>, Vec<StatusEntry>, deserialize_seq);

impl<'de> Visitor<'de> for Statuses<'_, '_> {
    type Value = Vec<StatusEntry>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of statuses")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let context = self.0;
        let _level = context.enter()?;
        let mut entries: Vec<StatusEntry> = Vec::new();
        while let Some(item) = seq.next_element_seed(ItemSeed(context))? {
            context.count()?;
            match (item, entries.last_mut()) {
                (Item::Entry(entry), _) => entries.push(entry),
                (Item::Uris(uris), Some(entry)) if context.allow(Tolerance::StatusUriAfterEntry) => {
                    entry.uris.extend(uris);
                }
                (Item::Uris(_), _) => {
                    return Err(context.refuse(Problem::Schema("an address where a status is wanted".into())));
                }
            }
        }
        Ok(entries)
    }
}

/// One element of `Status` as it stands there.
enum Item {
    Entry(StatusEntry),
    Uris(Vec<String>),
}

struct ItemSeed<'c, 'a>(&'c Context<'a>);

impl ItemSeed<'_, '_> {
    fn bare<E: de::Error>(self, code: Option<u16>) -> Result<Item, E> {
        if !self.0.allow(Tolerance::BareStatus) {
            return Err(self.0.refuse(Problem::Schema("a number where an object is wanted".into())));
        }
        Ok(Item::Entry(StatusEntry { code: status_code(self.0, code)?, uris: Vec::new() }))
    }
}

seed!(ItemSeed<'_, '_>, Item, deserialize_any);

impl<'de> Visitor<'de> for ItemSeed<'_, '_> {
    type Value = Item;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
        json::read_object::<EntryMembers, A>(self.0, map).map(Item::Entry)
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Item, E> {
        self.bare(u16::try_from(value).ok())
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Item, E> {
        self.bare(whole(value))
    }
    fn visit_str<E>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Uris(vec![text.to_owned()]))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Item, A::Error> {
        json::array(self.0, seq, Text).map(Item::Uris)
    }
}

/// Seed of `sc`.
struct Code<'c, 'a>(&'c Context<'a>);

seed!(Code<'_, '_>, StatusCode, deserialize_any);

impl Visitor<'_> for Code<'_, '_> {
    type Value = StatusCode;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status code")
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<StatusCode, E> {
        status_code(self.0, u16::try_from(value).ok())
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<StatusCode, E> {
        status_code(self.0, whole(value))
    }
}

/// The schema says `number`, so `2e2` is a status code too.
fn whole(value: f64) -> Option<u16> {
    value.to_string().parse().ok()
}

fn status_code<E: de::Error>(context: &Context<'_>, code: Option<u16>) -> Result<StatusCode, E> {
    code.map(StatusCode)
        .ok_or_else(|| context.refuse(Problem::Schema("not a status code, 0 to 65535".into())))
}
