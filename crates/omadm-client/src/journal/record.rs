//! Batches as JSON text, short names because there are many.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use omadm_mo::{Format, Miid, Moid, NodeName, NodePath, NodeRecord, Properties, Time, Value};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::wiped::Wiped;
use crate::persistence::Batch;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBatch<'a> {
    #[serde(rename = "n", default, skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<(Vec<Cow<'a, str>>, Option<StoredRecord<'a>>)>,
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<(Cow<'a, str>, Option<Cow<'a, serde_json::Value>>)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRecord<'a> {
    #[serde(rename = "f")]
    format: Cow<'a, str>,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    value: Option<StoredValue<'a>>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    acl: Option<Cow<'a, str>>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    title: Option<Cow<'a, str>>,
    #[serde(rename = "s")]
    tstamp: i64,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    mime: Option<Cow<'a, str>>,
    #[serde(rename = "r")]
    ver_no: u16,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    instance: Option<(Cow<'a, str>, Cow<'a, str>, u64)>,
}

#[derive(Serialize, Deserialize)]
enum StoredValue<'a> {
    #[serde(rename = "z")]
    Null,
    #[serde(rename = "b")]
    Bool(bool),
    #[serde(rename = "i")]
    Int(i64),
    /// As bits: text would not keep every float.
    #[serde(rename = "f")]
    Float(u64),
    #[serde(rename = "t")]
    Text(Cow<'a, str>),
    #[serde(rename = "x")]
    Bytes(Octets<'a>),
}

/// Octets in base64, written and read without a copy of the text in between.
struct Octets<'a>(Cow<'a, [u8]>);

impl Serialize for Octets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(&self.0, &STANDARD))
    }
}

impl<'de> Deserialize<'de> for Octets<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("octets in base64")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
                STANDARD.decode(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text).map(|octets| Self(Cow::Owned(octets)))
    }
}

/// Appends `batch` as one line of JSON without its end.
pub(super) fn encode(batch: &Batch, out: &mut Wiped) -> Result<(), serde_json::Error> {
    let stored = StoredBatch {
        nodes: batch
            .nodes
            .iter()
            .map(|(path, record)| {
                let names = path.iter().map(|name| Cow::Borrowed(name.as_str())).collect();
                (names, record.as_ref().map(store_record))
            })
            .collect(),
        entries: batch
            .entries
            .iter()
            .map(|(key, value)| (Cow::Borrowed(key.as_str()), value.as_ref().map(Cow::Borrowed)))
            .collect(),
    };
    serde_json::to_writer(out, &stored)
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(json: &[u8]) -> Result<Batch, String> {
    let stored: StoredBatch<'_> = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let nodes = stored
        .nodes
        .into_iter()
        .map(|(names, record)| Ok((read_path(&names)?, record.map(read_record).transpose()?)))
        .collect::<Result<_, String>>()?;
    let entries = stored
        .entries
        .into_iter()
        .map(|(key, value)| (key.into_owned(), value.map(Cow::into_owned)))
        .collect();
    Ok(Batch { nodes, entries })
}

fn store_record(record: &NodeRecord) -> StoredRecord<'_> {
    let Properties { acl, title, tstamp, mime, ver_no } = &record.properties;
    StoredRecord {
        format: record.format.as_str().into(),
        value: record.value.as_ref().map(store_value),
        acl: acl.as_deref().map(Cow::Borrowed),
        title: title.as_deref().map(Cow::Borrowed),
        tstamp: tstamp.0,
        mime: mime.as_deref().map(Cow::Borrowed),
        ver_no: *ver_no,
        instance: record
            .instance
            .as_ref()
            .map(|(moid, miid, revision)| (moid.as_str().into(), miid.as_str().into(), *revision)),
    }
}

fn store_value(value: &Value) -> StoredValue<'_> {
    match value {
        Value::Null => StoredValue::Null,
        Value::Bool(bool) => StoredValue::Bool(*bool),
        Value::Int(int) => StoredValue::Int(*int),
        Value::Float(float) => StoredValue::Float(float.to_bits()),
        Value::Text(text) => StoredValue::Text(text.into()),
        Value::Bytes(bytes) => StoredValue::Bytes(Octets(bytes.into())),
    }
}

fn read_path(names: &[Cow<'_, str>]) -> Result<NodePath, String> {
    names.iter().map(|name| NodeName::parse(name).map_err(|error| error.to_string())).collect()
}

fn read_record(stored: StoredRecord<'_>) -> Result<NodeRecord, String> {
    let format =
        Format::parse(&stored.format).ok_or_else(|| format!("unknown format {:?}", stored.format))?;
    let instance = stored
        .instance
        .map(|(moid, miid, revision)| Ok((Moid::parse(&moid)?, Miid::parse(&miid)?, revision)))
        .transpose()
        .map_err(|error: omadm_mo::AddressError| error.to_string())?;
    Ok(NodeRecord {
        format,
        value: stored.value.map(read_value),
        properties: Properties {
            acl: stored.acl.map(Cow::into_owned),
            title: stored.title.map(Cow::into_owned),
            tstamp: Time(stored.tstamp),
            mime: stored.mime.map(Cow::into_owned),
            ver_no: stored.ver_no,
        },
        instance,
    })
}

fn read_value(stored: StoredValue<'_>) -> Value {
    match stored {
        StoredValue::Null => Value::Null,
        StoredValue::Bool(bool) => Value::Bool(bool),
        StoredValue::Int(int) => Value::Int(int),
        StoredValue::Float(bits) => Value::Float(f64::from_bits(bits)),
        StoredValue::Text(text) => Value::Text(text.into_owned()),
        StoredValue::Bytes(octets) => Value::Bytes(octets.0.into_owned()),
    }
}
