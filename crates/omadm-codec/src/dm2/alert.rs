//! Generic Alerts (`DM 2.0 §5.4, §7.2.1.5, Appendix D`).

use std::fmt;

use omadm_mo::ClientUri;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::dm2::json::{self, Anything, Array, Context, Object, ObjectSeed, Text, object, seed};
pub use crate::mark::Mark;
use crate::{MediaType, Problem, Tolerance};

/// `urn:oma:at:dm:2.0:ServerInitiatedMgmt`.
pub const SERVER_INITIATED: &str = "urn:oma:at:dm:2.0:ServerInitiatedMgmt";
/// `urn:oma:at:dm:2.0:ClientInitiatedMgmt`.
pub const CLIENT_INITIATED: &str = "urn:oma:at:dm:2.0:ClientInitiatedMgmt";
/// `urn:oma:at:dm:2.0:BootstrapComplete`.
pub const BOOTSTRAP_COMPLETE: &str = "urn:oma:at:dm:2.0:BootstrapComplete";

/// One Generic Alert. `source` and `target` are text on this level: a server keeps what a device sends, a client builds them from
/// [`ClientUri`] by [`Alert::about`].
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// `AlertType`, required.
    pub alert_type: String,
    /// `SourceURI`.
    pub source: Option<String>,
    /// `TargetURI`.
    pub target: Option<String>,
    /// `Mark`.
    pub mark: Mark,
    /// `DataType` and `Data`: the encoder cannot write one without the other.
    pub data: Option<AlertData>,
}

/// `Data` with its `DataType`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertData {
    /// `DataType`; of a received alert it may be missing, or no media type.
    pub data_type: Option<String>,
    /// `Data`, an object on sending.
    pub data: Value,
}

impl AlertData {
    /// `DataType`, if it is a media type.
    fn media_type(&self) -> Option<&str> {
        self.data_type.as_deref().filter(|text| MediaType::parse(text).is_ok())
    }
}

impl Alert {
    /// Whether the alert says why a session starts (`DM 2.0 §5.2.2`).
    #[must_use]
    pub fn is_session_start(&self) -> bool {
        [SERVER_INITIATED, CLIENT_INITIATED, BOOTSTRAP_COMPLETE].contains(&self.alert_type.as_str())
    }
    /// An alert of this type, informational, nothing else.
    #[must_use]
    pub fn new(alert_type: &str) -> Self {
        Self { alert_type: alert_type.into(), source: None, target: None, mark: Mark::default(), data: None }
    }
    /// The same alert about a node.
    #[must_use]
    pub fn about(mut self, source: &ClientUri) -> Self {
        self.source = Some(source.to_string());
        self
    }
}

/// As in §7.2.1.5: an informational mark is left out, data without a media type are `application/json`, and data that are no
/// object become the `DM1x` member of one (`DM 2.0 §13.1`).
impl Serialize for Alert {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("AlertType", &self.alert_type)?;
        if let Some(source) = &self.source {
            map.serialize_entry("SourceURI", source)?;
        }
        if let Some(target) = &self.target {
            map.serialize_entry("TargetURI", target)?;
        }
        if self.mark != Mark::default() {
            map.serialize_entry("Mark", self.mark.as_str())?;
        }
        if let Some(data) = &self.data {
            map.serialize_entry("DataType", data.media_type().unwrap_or("application/json"))?;
            if data.data.is_object() {
                map.serialize_entry("Data", &data.data)?;
            } else {
                map.serialize_entry("Data", &serde_json::json!({ "DM1x": data.data }))?;
            }
        }
        map.end()
    }
}

/// Seed of the `Alert` member: an array, or (tolerated) an object whose `Alert` member is the array.
#[derive(Clone, Copy)]
pub(super) struct Alerts<'c, 'a>(pub &'c Context<'a>);

impl<'c, 'a> Alerts<'c, 'a> {
    fn array(self) -> Array<'c, 'a, ObjectSeed<'c, 'a, Members>> {
        Array(self.0, ObjectSeed::new(self.0))
    }
}

seed!(Alerts<'_, '_>, Vec<Alert>, deserialize_any);

impl<'de> Visitor<'de> for Alerts<'_, '_> {
    type Value = Vec<Alert>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of alerts")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        self.array().visit_seq(seq)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        if self.0.allow(Tolerance::NestedAlert) {
            json::read_object::<Nested, A>(self.0, map)
        } else {
            Err(de::Error::invalid_type(Unexpected::Map, &self))
        }
    }
}

object! {
    /// The alert schema as it reads literally: an object with an `Alert` member.
    Nested as "an object with alerts" => Vec<Alert> {
        alerts: Vec<Alert> = "Alert", |context| Alerts(context).array();
    }
}

impl Nested {
    fn build<E: de::Error>(self, _: &Context<'_>) -> Result<Vec<Alert>, E> {
        Ok(self.alerts.unwrap_or_default())
    }
}

object! {
    /// Members of one alert.
    Members as "an alert" => Alert {
        alert_type: String = "AlertType", |_| Text;
        source: String = "SourceURI", |_| Text;
        target: String = "TargetURI", |_| Text;
        mark: String = "Mark", |_| Text;
        data_type: String = "DataType", |_| Text;
        data: Value = "Data", |context| Anything(context);
    }
}

impl Members {
    fn build<E: de::Error>(self, context: &Context<'_>) -> Result<Alert, E> {
        let mark = match &self.mark {
            None => Mark::default(),
            Some(text) => match Mark::parse(text) {
                Some(mark) => mark,
                None if context.allow(Tolerance::UnknownMark) => Mark::default(),
                None => {
                    return Err(
                        context.refuse_field("Mark", Problem::Schema("none of the seven marks".into()))
                    );
                }
            },
        };
        let data = self.data.map(|data| AlertData { data_type: self.data_type, data });
        if let Some(data) = &data {
            let loose = !data.data.is_object() || data.media_type().is_none();
            if loose && !context.allow(Tolerance::LooseAlertData) {
                let wanted = "an object is wanted, and a DataType that is a media type beside it";
                return Err(context.refuse_field("Data", Problem::Schema(wanted.into())));
            }
        }
        Ok(Alert {
            alert_type: context.required("AlertType", self.alert_type)?,
            source: self.source,
            target: self.target,
            mark,
            data,
        })
    }
}
