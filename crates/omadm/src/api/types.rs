//! The documents of the REST API, as far as the commands look into them. Members that are not named here pass through `--output json` untouched.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ApiError;

/// A page of a listing.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// Its items.
    pub items: Vec<Value>,
    /// Cursor of the next page.
    #[serde(default)]
    pub next: Option<Value>,
}

/// An enrolled device.
#[derive(Debug, Deserialize)]
pub struct Device {
    pub id: String,
    pub label: Option<String>,
    pub protocol: Option<String>,
    #[serde(default)]
    pub bearer: Option<String>,
    pub manufacturer: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub software: Option<String>,
    pub enrolled: String,
    pub revoked: Option<String>,
    pub last_contact: Option<String>,
    pub open_commands: i64,
    pub generation: i64,
    #[serde(default)]
    pub hardware: Option<String>,
    #[serde(default)]
    pub reach: Option<String>,
    #[serde(default)]
    pub ways: Vec<String>,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub labels: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    pub inventory: Option<Vec<SupportedMo>>,
}

/// How far an import is.
#[derive(Debug, Deserialize)]
pub struct Import {
    pub id: String,
    pub state: String,
    pub rows: u64,
    pub bad: u64,
    pub position: u64,
    pub failed: u64,
    pub detail: Option<String>,
}

/// How a device is notified.
#[derive(Debug, Deserialize)]
pub struct Push {
    pub addresses: Vec<String>,
    pub registration: Option<String>,
    pub sent: Option<String>,
    pub attempts: u32,
    pub due: Option<String>,
}

/// A command that was pushed without a session.
#[derive(Debug, Deserialize)]
pub struct Pushed {
    pub number: u64,
    pub octets: usize,
    pub via: String,
    pub result: String,
    pub warnings: Vec<String>,
}

/// A management object that a device reported.
#[derive(Debug, Deserialize)]
pub struct SupportedMo {
    pub moid: String,
    pub miids: Vec<String>,
    pub ddf: Option<String>,
    /// Where its instances are in the tree of a device of DM 1.x.
    #[serde(default)]
    pub roots: Vec<String>,
    /// DDF file of the server that describes it.
    #[serde(default)]
    pub model: Option<String>,
    /// Why the file behind `ddf` could not be had.
    #[serde(default)]
    pub ddf_problem: Option<String>,
}

/// A node of the last known tree.
#[derive(Debug, Deserialize)]
pub struct TreeNode {
    pub address: String,
    pub value: Option<Value>,
    pub interior: bool,
    pub seen: String,
    /// What the DDF calls it.
    #[serde(default)]
    pub title: Option<String>,
}

/// A queued or finished command.
#[derive(Debug, Deserialize)]
pub struct Command {
    #[serde(deserialize_with = "text")]
    pub id: String,
    pub device: String,
    pub seq: i64,
    pub verb: String,
    #[serde(default)]
    pub address: Option<String>,
    pub state: String,
    pub status: Option<u16>,
    pub reason: Option<String>,
    #[serde(default)]
    pub result: Option<CommandResult>,
    pub attempts: i64,
    pub created: String,
    pub sent: Option<String>,
    pub finished: Option<String>,
    pub expires: Option<String>,
    pub created_by: Option<String>,
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// What a command brought.
#[derive(Debug, Default, Deserialize)]
pub struct CommandResult {
    #[serde(default)]
    pub items: Vec<ResultItem>,
    #[serde(default)]
    pub stored: Vec<String>,
    #[serde(default)]
    pub upload: Option<Upload>,
    /// What reported the end of an execution.
    #[serde(default)]
    pub alert: Option<Value>,
    /// What the user of the device answered.
    #[serde(default)]
    pub answer: Option<Value>,
}

/// One node of a result.
#[derive(Debug, Deserialize)]
pub struct ResultItem {
    pub address: String,
    #[serde(default)]
    pub value: Option<Value>,
    #[serde(default)]
    pub interior: bool,
}

/// A payload that a device sent.
#[derive(Debug, Deserialize)]
pub struct Upload {
    #[serde(deserialize_with = "text")]
    pub id: String,
    pub content_type: Option<String>,
    pub length: Option<u64>,
}

/// A session in listings.
#[derive(Debug, Deserialize)]
pub struct Session {
    pub session: i64,
    pub started: String,
    pub updated: String,
    pub outcome: String,
    pub messages: i64,
}

/// A session with its messages.
#[derive(Debug, Deserialize)]
pub struct Trace {
    pub messages: Vec<Message>,
}

/// The session that is going to be aborted.
#[derive(Debug, Deserialize)]
pub struct Aborted {
    pub session: i64,
}

/// A message of a session.
#[derive(Debug, Deserialize)]
pub struct Message {
    pub at: String,
    pub from_device: bool,
    pub summary: String,
    pub content_type: Option<String>,
    pub http_status: Option<u16>,
    pub length: u64,
    #[serde(default)]
    pub notes: Vec<String>,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub base64: Option<String>,
}

/// Something that happened.
#[derive(Debug, Deserialize)]
pub struct Event {
    pub cursor: i64,
    pub at: String,
    pub device: Option<String>,
    pub kind: String,
    pub body: Value,
}

impl Command {
    /// Whether the state will not change any more.
    pub fn is_final(&self) -> bool {
        !matches!(self.state.as_str(), "queued" | "sent")
    }
}

/// A document as a type.
///
/// # Errors
/// When the server answered something else.
pub fn read<T: DeserializeOwned>(path: &str, value: Value) -> Result<T, ApiError> {
    serde_json::from_value(value)
        .map_err(|error| ApiError::Answer { path: path.to_owned(), reason: error.to_string() })
}

/// A cursor as it goes back into a query.
pub fn cursor_text(cursor: Value) -> Option<String> {
    match cursor {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An identifier, whether the server writes it as a string or as a number.
fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    cursor_text(Value::deserialize(deserializer)?)
        .ok_or_else(|| serde::de::Error::custom("an identifier has to be a string or a number"))
}
