//! The names of sections and settings, as serde knows them: so the list cannot differ from the structs.

use std::fmt;

use serde::de::value::Error as CaptureError;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor,
};

use crate::{ConfigError, Origin};

/// Least likeness, 0 to 1, of a name that is proposed for a wrong one.
const NEAR: f64 = 0.7;

/// A setting that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub section: &'static str,
    pub name: &'static str,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.section, self.name)
    }
}

/// A section with the names of its settings.
pub(crate) struct Section {
    name: &'static str,
    keys: &'static [&'static str],
}

impl Section {
    /// The setting of this name.
    pub(crate) fn key(&self, name: &str, origin: &Origin) -> Result<Key, ConfigError> {
        let known = self.keys.iter().copied();
        match known.clone().find(|key| *key == name) {
            Some(name) => Ok(Key { section: self.name, name }),
            None => Err(ConfigError::Unknown {
                key: format!("{}.{name}", self.name),
                origin: origin.clone(),
                suggestion: nearest(name, known).map(|near| format!("{}.{near}", self.name)),
            }),
        }
    }
}

/// All sections of a configuration.
pub(crate) struct Sections(Vec<Section>);

impl Sections {
    /// Asks `C` for its names.
    pub(crate) fn of<C: DeserializeOwned>() -> Self {
        let names = captured::<C>(None).iter();
        Self(names.map(|name| Section { name, keys: captured::<C>(Some(name)) }).collect())
    }

    /// The section of this name.
    pub(crate) fn section(&self, name: &str, origin: &Origin) -> Result<&Section, ConfigError> {
        self.0.iter().find(|section| section.name == name).ok_or_else(|| ConfigError::Unknown {
            key: name.to_owned(),
            origin: origin.clone(),
            suggestion: nearest(name, self.0.iter().map(|section| section.name)).map(str::to_owned),
        })
    }
}

/// The name that is most like `name`, if any is like it at all.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The field names of the struct `T`, or of the struct in its field `inside`; none if that is no struct.
fn captured<T: DeserializeOwned>(inside: Option<&'static str>) -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The capture always stops with an error; what it was told before is what counts.
    let _stopped = T::deserialize(FieldCapture { inside, fields: &mut fields });
    fields
}

/// Pretends to hold a struct to hear which fields are asked for, then stops.
struct FieldCapture<'f> {
    inside: Option<&'static str>,
    fields: &'f mut &'static [&'static str],
}

impl<'de> Deserializer<'de> for FieldCapture<'_> {
    type Error = CaptureError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, CaptureError> {
        Err(CaptureError::custom("not a struct"))
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CaptureError> {
        if self.inside.is_some() {
            return visitor.visit_map(self);
        }
        *self.fields = fields;
        Err(CaptureError::custom("captured"))
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The outer struct with the one field that is looked into.
impl<'de> MapAccess<'de> for FieldCapture<'_> {
    type Error = CaptureError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, CaptureError> {
        self.inside.take().map(|name| seed.deserialize(name.into_deserializer())).transpose()
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, CaptureError> {
        seed.deserialize(FieldCapture { inside: None, fields: self.fields })
    }
}
