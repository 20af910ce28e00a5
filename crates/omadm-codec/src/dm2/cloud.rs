//! Cloud messaging as a carrier of notifications (`DM 2.0 §E.2`): the push message in the form of Google Cloud Messaging, which the
//! standard names, and of Firebase Cloud Messaging (HTTP v1), which took its place.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_mo::{Format, Value as Leaf};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};

use crate::dm2::json::{self, Anything, Context, Text, seed};
use crate::{DecodeError, Leniency, Limits, Problem};

/// The key of the notification in the data of a push message (`DM 2.0 §E.2.4`).
pub const KEY: &str = "SMS";

/// A push message for one device, as the server hands it to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloudPush<'a> {
    /// The device's registration: RegID, or token.
    pub registration: &'a str,
    /// Package#0.
    pub notification: &'a [u8],
    /// Key of the notification, [`KEY`] unless the service wants another.
    pub key: &'a str,
    /// Seconds that the service keeps it for a device that is off.
    pub time_to_live: Option<u32>,
    /// Of several messages with the same word, the service keeps the last.
    pub collapse_key: Option<&'a str>,
}

impl CloudPush<'_> {
    /// The body of a request to Google Cloud Messaging.
    #[must_use]
    pub fn to_gcm(&self) -> Vec<u8> {
        let mut body = json!({ "registration_ids": [self.registration], "data": self.data() });
        if let Some(seconds) = self.time_to_live {
            set(&mut body, "time_to_live", seconds.into());
        }
        if let Some(word) = self.collapse_key {
            set(&mut body, "collapse_key", word.into());
        }
        text_of(&body)
    }

    /// The body of a request to `…/messages:send` of Firebase Cloud Messaging. The priority is high: a sleeping phone gets the
    /// others late.
    #[must_use]
    pub fn to_fcm(&self) -> Vec<u8> {
        let mut android = json!({ "priority": "HIGH" });
        if let Some(seconds) = self.time_to_live {
            set(&mut android, "ttl", format!("{seconds}s").into());
        }
        if let Some(word) = self.collapse_key {
            set(&mut android, "collapse_key", word.into());
        }
        text_of(
            &json!({ "message": { "token": self.registration, "data": self.data(), "android": android } }),
        )
    }

    fn data(&self) -> Value {
        [(self.key.to_owned(), Value::from(STANDARD.encode(self.notification)))].into_iter().collect()
    }
}

fn text_of(body: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    json::write(body, &mut out);
    out
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// Takes the notification out of a push message: the data as a device gets them, or the whole body of a request in either form.
///
/// # Errors
/// With byte offset and field; [`Problem::Missing`] when nothing has the key `key`.
pub fn notification(
    input: &[u8],
    key: &str,
    limits: &Limits,
    leniency: &mut Leniency,
) -> Result<Vec<u8>, DecodeError> {
    let context = Context::new(limits, leniency);
    let mut found = None;
    context.read(input, Data { context: &context, key, found: &mut found })?;
    found.ok_or(DecodeError { at: input.len(), field: FIELD, problem: Problem::Missing })
}

/// Field of errors about the notification, whatever its key is.
const FIELD: &str = KEY;

/// Seed of an object that has the notification as a member, or deeper in `message` and `data`.
struct Data<'c, 'a> {
    context: &'c Context<'a>,
    key: &'c str,
    found: &'c mut Option<Vec<u8>>,
}

seed!(Data<'_, '_>, (), deserialize_map);

impl<'de> Visitor<'de> for Data<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the data of a push message")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { context, key, found } = self;
        let _level = context.enter()?;
        while let Some(name) = context.key(&mut map)? {
            if name == key {
                let mut text = None;
                context.member(&mut map, FIELD, &mut text, Text)?;
                if found.is_some() {
                    return Err(context.refuse_field(FIELD, Problem::Duplicate));
                }
                let octets = text.and_then(|text| octets(context, text));
                let refuse = || context.refuse_field(FIELD, Problem::Schema("not base64".into()));
                *found = Some(octets.ok_or_else(refuse)?);
            } else if name == "message" || name == "data" {
                map.next_value_seed(Data { context, key, found: &mut *found })?;
            } else {
                context.skip(&mut map)?;
            }
        }
        Ok(())
    }
}

fn octets(context: &Context<'_>, text: String) -> Option<Vec<u8>> {
    let (value, departure) = Leaf::Text(text).into_format(Format::Bin).ok()?;
    let Leaf::Bytes(octets) = &value else { return None };
    departure.is_none_or(|departure| context.allow(departure.into())).then(|| octets.clone())
}

/// What the service says about a push message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudReply {
    /// It was taken.
    Accepted {
        /// The service's name for the message.
        id: String,
        /// The registration that is to be used from now on, if it is another.
        registration: Option<String>,
    },
    /// It was not taken.
    Refused(CloudRefusal),
}

/// Why a push message was not taken, in the words of the service such as `NotRegistered` or `UNREGISTERED`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudRefusal(pub String);

/// What to do after a [`CloudRefusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudAdvice {
    /// Send it again later.
    Retry,
    /// Forget the registration: the device does not have it any more.
    Forget,
    /// Nothing helps but another request or another configuration.
    GiveUp,
}

impl CloudRefusal {
    /// What to do.
    #[must_use]
    pub fn advice(&self) -> CloudAdvice {
        match self.0.as_str() {
            "Unavailable"
            | "InternalServerError"
            | "DeviceMessageRateExceeded"
            | "UNAVAILABLE"
            | "INTERNAL"
            | "QUOTA_EXCEEDED" => CloudAdvice::Retry,
            "NotRegistered" | "InvalidRegistration" | "UNREGISTERED" => CloudAdvice::Forget,
            _ => CloudAdvice::GiveUp,
        }
    }
}

impl CloudReply {
    /// Reads the body of an answer with status 200 of Google Cloud Messaging to a request for one device.
    ///
    /// # Errors
    /// When it is no JSON, or `results` has neither `message_id` nor `error`.
    pub fn from_gcm(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let body = read(input, limits)?;
        let text = |name: &str| string_at(&body, &format!("/results/0/{name}"));
        match (text("message_id"), text("error")) {
            (Some(id), _) => Ok(Self::Accepted { id, registration: text("registration_id") }),
            (None, Some(error)) => Ok(Self::Refused(CloudRefusal(error))),
            (None, None) => Err(DecodeError { at: 0, field: "results", problem: Problem::Missing }),
        }
    }

    /// Reads the body of an answer of Firebase Cloud Messaging, whatever its status.
    ///
    /// # Errors
    /// When it is no JSON, or has neither `name` nor `error`.
    pub fn from_fcm(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let body = read(input, limits)?;
        if let Some(id) = string_at(&body, "/name") {
            return Ok(Self::Accepted { id, registration: None });
        }
        let details = body.pointer("/error/details").and_then(Value::as_array);
        let code = details.into_iter().flatten().find_map(|detail| string_at(detail, "/errorCode"));
        let error = code.or_else(|| string_at(&body, "/error/status"));
        let missing = DecodeError { at: 0, field: "name", problem: Problem::Missing };
        error.map(|error| Self::Refused(CloudRefusal(error))).ok_or(missing)
    }
}

fn read(input: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
    let mut leniency = Leniency::lenient();
    let context = Context::new(limits, &mut leniency);
    context.read(input, Anything(&context))
}

fn string_at(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}
