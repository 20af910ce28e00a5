//! `application/dmmo+json`: MO data (`DM 2.0 §7.2.1.4`).

use std::collections::HashSet;
use std::fmt;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use omadm_mo::{Content, NodeName, Value};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::dm2::json::{self, Array, Context, Object, ObjectSeed, Text, object, seed};
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

/// One item of MO data.
#[derive(Clone, Debug, PartialEq)]
pub struct MoItem {
    /// `DDF`: link to the DDF file.
    pub ddf: Option<String>,
    /// `ClientURI` as text.
    pub client_uri: String,
    /// `CV`: cache validator.
    pub cv: Option<String>,
    /// The one label of `MOData`.
    pub label: String,
    /// What stands under the label. Decoded leaves have the JSON type: string Text, integer Int, other number Float.
    pub content: Content,
}

/// Reads MO data: an array, or (tolerated) one object. Duplicate members are refused.
///
/// # Errors
/// With byte offset and field.
pub fn decode(input: &[u8], limits: &Limits, leniency: &mut Leniency) -> Result<Vec<MoItem>, DecodeError> {
    let context = Context::new(limits, leniency);
    context.read(input, Items(&context))
}

/// Appends MO data as a JSON array; `Bytes` become base64 strings.
pub fn encode(items: &[MoItem], out: &mut Vec<u8>) {
    json::write(&items, out);
}

/// As in §7.2.1.4.
impl Serialize for MoItem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(ddf) = &self.ddf {
            map.serialize_entry("DDF", ddf)?;
        }
        map.serialize_entry("ClientURI", &self.client_uri)?;
        if let Some(cv) = &self.cv {
            map.serialize_entry("CV", cv)?;
        }
        map.serialize_entry("MOData", &Labelled { label: &self.label, content: &self.content })?;
        map.end()
    }
}

/// `MOData`: one member.
struct Labelled<'a> {
    label: &'a str,
    content: &'a Content,
}

impl Serialize for Labelled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.label, &Node(self.content))?;
        map.end()
    }
}

/// A node: an object of its children, or the value of a leaf in its JSON type.
struct Node<'a>(&'a Content);

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Content::Interior(children) => {
                serializer.collect_map(children.iter().map(|(name, child)| (name.as_str(), Node(child))))
            }
            Content::Leaf(Value::Null) => serializer.serialize_unit(),
            Content::Leaf(Value::Bool(value)) => serializer.serialize_bool(*value),
            Content::Leaf(Value::Int(value)) => serializer.serialize_i64(*value),
            Content::Leaf(Value::Float(value)) => serializer.serialize_f64(*value),
            Content::Leaf(Value::Text(text)) => serializer.serialize_str(text),
            Content::Leaf(Value::Bytes(bytes)) => {
                serializer.collect_str(&Base64Display::new(bytes, &STANDARD))
            }
        }
    }
}

/// Seed of the whole.
struct Items<'c, 'a>(&'c Context<'a>);

seed!(Items<'_, '_>, Vec<MoItem>, deserialize_any);

impl<'de> Visitor<'de> for Items<'_, '_> {
    type Value = Vec<MoItem>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of MO data")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Array(self.0, ObjectSeed::<Members>::new(self.0)).visit_seq(seq)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        if self.0.allow(Tolerance::BareMoObject) {
            json::read_object::<Members, A>(self.0, map).map(|item| vec![item])
        } else {
            Err(de::Error::invalid_type(Unexpected::Map, &self))
        }
    }
}

object! {
    Members as "an item of MO data" => MoItem {
        ddf: String = "DDF", |_| Text;
        client_uri: String = "ClientURI", |_| Text;
        cv: String = "CV", |_| Text;
        data: (String, Content) = "MOData", |context| ObjectSeed::<Label>::new(context);
    }
}

impl Members {
    fn build<E: de::Error>(self, context: &Context<'_>) -> Result<MoItem, E> {
        let (label, content) = context.required("MOData", self.data)?;
        Ok(MoItem {
            ddf: self.ddf,
            client_uri: context.required("ClientURI", self.client_uri)?,
            cv: self.cv,
            label,
            content,
        })
    }
}

/// The one member of `MOData`.
#[derive(Default)]
struct Label(Option<(String, Content)>);

impl<'de> Object<'de> for Label {
    type Output = (String, Content);
    const WHAT: &'static str = "an object with one label";
    fn member<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        context: &Context<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let problem = match &self.0 {
            Some((label, _)) if label == key => Problem::Duplicate,
            Some(_) => Problem::Schema("more than one label".into()),
            None if key.is_empty() => Problem::Schema("the label is empty".into()),
            None => {
                self.0 = Some((key.to_owned(), map.next_value_seed(NodeSeed(context))?));
                return Ok(());
            }
        };
        Err(context.refuse(problem))
    }
    fn finish<E: de::Error>(self, context: &Context<'_>) -> Result<Self::Output, E> {
        self.0.ok_or_else(|| context.refuse(Problem::Schema("no label".into())))
    }
}

/// Seed of a node.
#[derive(Clone, Copy)]
struct NodeSeed<'c, 'a>(&'c Context<'a>);

seed!(NodeSeed<'_, '_>, Content, deserialize_any);

impl<'de> Visitor<'de> for NodeSeed<'_, '_> {
    type Value = Content;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object for an interior node or a scalar for a leaf")
    }
    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Leaf(Value::Null))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Leaf(Value::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Leaf(Value::Int(value)))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Leaf(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int)))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Leaf(Value::Float(value)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Leaf(Value::Text(value.to_owned())))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let context = self.0;
        let _level = context.enter()?;
        let mut children = Vec::new();
        let mut names = HashSet::new();
        while let Some(key) = context.key(&mut map)? {
            let name = NodeName::parse(&key)
                .map_err(|error| context.refuse(Problem::Schema(error.to_string().into())))?;
            if !names.insert(name.clone()) {
                return Err(context.refuse(Problem::Duplicate));
            }
            children.push((name, map.next_value_seed(self)?));
        }
        Ok(Content::Interior(children))
    }
}
