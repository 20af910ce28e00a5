//! Package#1: DM Session initiation (`DM 2.0 §5.2.2, §7.2.1.1`).

use serde::de::{self, MapAccess};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::dm2::Alert;
use crate::dm2::alert::Alerts;
use crate::dm2::json::{self, Array, Context, Object, ObjectSeed, Text, object};
use crate::{DecodeError, Leniency, Limits, Tolerance};

/// One item of `MOS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportedMo {
    /// Link to the DDF file; empty only when a peer left it out.
    pub ddf: String,
    /// MOID as text.
    pub moid: String,
    /// MIIDs, possibly none.
    pub miids: Vec<String>,
}

/// Package#1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Initiation {
    /// `MOS`, if it was asked for.
    pub mos: Option<Vec<SupportedMo>>,
    /// `Alert`.
    pub alerts: Vec<Alert>,
}

impl Initiation {
    /// Reads a package. Unknown members are ignored; `{}` is a package without anything.
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

/// As in §7.2.1.1: all three members of a `MOS` item, no `Alert` when there is none.
impl Serialize for Initiation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(mos) = &self.mos {
            map.serialize_entry("MOS", mos)?;
        }
        if !self.alerts.is_empty() {
            map.serialize_entry("Alert", &self.alerts)?;
        }
        map.end()
    }
}

impl Serialize for SupportedMo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("DDF", &self.ddf)?;
        map.serialize_entry("MOID", &self.moid)?;
        map.serialize_entry("MIID", &self.miids)?;
        map.end()
    }
}

object! {
    Members as "Package#1" => Initiation {
        mos: Vec<SupportedMo> = "MOS", |context| Array(context, ObjectSeed::<MosMembers>::new(context));
        alerts: Vec<Alert> = "Alert", |context| Alerts(context);
    }
}

impl Members {
    fn build<E: de::Error>(self, _: &Context<'_>) -> Result<Initiation, E> {
        Ok(Initiation { mos: self.mos, alerts: self.alerts.unwrap_or_default() })
    }
}

object! {
    MosMembers as "an item of MOS" => SupportedMo {
        ddf: String = "DDF", |_| Text;
        moid: String = "MOID", |_| Text;
        miids: Vec<String> = "MIID", |context| Array(context, Text);
    }
}

impl MosMembers {
    fn build<E: de::Error>(self, context: &Context<'_>) -> Result<SupportedMo, E> {
        let ddf = match self.ddf {
            None if context.allow(Tolerance::MosWithoutDdf) => String::new(),
            ddf => context.required("DDF", ddf)?,
        };
        Ok(SupportedMo {
            ddf,
            moid: context.required("MOID", self.moid)?,
            miids: context.required("MIID", self.miids)?,
        })
    }
}
