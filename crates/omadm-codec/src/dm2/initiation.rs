//! Package#1: DM session initiation (`DM 2.0 §5.2.2, §7.2.1.1`).

use serde::de::{self, MapAccess};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::dm2::Alert;
use crate::dm2::alert::Alerts;
use crate::dm2::json::{self, Array, Context, Object, ObjectSeed, Text};
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

#[derive(Default)]
struct Members {
    mos: Option<Vec<SupportedMo>>,
    alerts: Option<Vec<Alert>>,
}

impl<'de> Object<'de> for Members {
    type Output = Initiation;
    const WHAT: &'static str = "Package#1";
    fn member<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        context: &Context<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match key {
            "MOS" => {
                let items = Array(context, ObjectSeed::<MosMembers>::new(context));
                context.member(map, "MOS", &mut self.mos, items)
            }
            "Alert" => context.member(map, "Alert", &mut self.alerts, Alerts(context)),
            _ => context.skip(map),
        }
    }
    fn finish<E: de::Error>(self, _: &Context<'_>) -> Result<Initiation, E> {
        Ok(Initiation { mos: self.mos, alerts: self.alerts.unwrap_or_default() })
    }
}

#[derive(Default)]
struct MosMembers {
    ddf: Option<String>,
    moid: Option<String>,
    miids: Option<Vec<String>>,
}

impl<'de> Object<'de> for MosMembers {
    type Output = SupportedMo;
    const WHAT: &'static str = "an item of MOS";
    fn member<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        context: &Context<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match key {
            "DDF" => context.member(map, "DDF", &mut self.ddf, Text),
            "MOID" => context.member(map, "MOID", &mut self.moid, Text),
            "MIID" => context.member(map, "MIID", &mut self.miids, Array(context, Text)),
            _ => context.skip(map),
        }
    }
    fn finish<E: de::Error>(self, context: &Context<'_>) -> Result<SupportedMo, E> {
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
