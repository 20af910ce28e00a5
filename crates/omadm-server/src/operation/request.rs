//! The operator's request, and the arguments of a command as they are stored.

use omadm_mo::Format;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Method, Part, Question, Setting};
use crate::leaf::{LeafValue, Model};

/// What the operator's request says; which members belong to which verb is checked by [`Operation::from_request`].
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCommand)]
pub struct Request {
    /// `get`, `set`, `delete`, `exec`, `upload`, `fetch`, `show`, `ask`, `default`, `subscribe`, `unsubscribe` or `raw`.
    pub verb: String,
    /// The node, as a ClientURI; for devices of DM 1.x also as a path (`./A/B`, and `./A/B?prop=ACL` of a property).
    pub address: Option<String>,
    /// `upload`: several nodes.
    pub addresses: Option<Vec<String>>,
    /// `set`: a string, number or bool; where the DDF says `bin` or `b64`, octets in base64.
    pub value: Option<Value>,
    /// `set`: octets in base64, with `content_type`.
    pub value_base64: Option<String>,
    /// `set`: media type of the value. Default `text/plain`; `application/octet-stream` for `value_base64`.
    pub content_type: Option<String>,
    /// `set` without an address: MO data (`application/dmmo+json`) to create or replace instances. `default`: the data itself.
    pub items: Option<Value>,
    /// `upload`: HTTP method. Default PUT.
    pub method: Option<Method>,
    /// `exec`: the device answers at once and reports the end later. Without it the device decides. Default false.
    #[serde(default)]
    pub later: bool,
    /// `fetch`, `default`: where the data is.
    pub from: Option<String>,
    /// `default`: the management object, as a MOID.
    pub moid: Option<String>,
    /// `show`: name of a page of this server. The command is done when the user has answered.
    pub page: Option<String>,
    /// `show`: a page elsewhere. The command is done when the device shows it.
    pub url: Option<String>,
    /// `ask`: what the user of a device of DM 1.x is asked.
    pub question: Option<Question>,
    /// `raw`: name and parameters of a DM 2.0 command.
    pub words: Option<Vec<String>>,
    /// `raw`: a command of DM 1.x (`Add`, `Replace`, `Delete`, `Copy`, `Get` or `Exec`), in XML. The server gives it its `CmdID`.
    pub xml: Option<String>,
    /// Queue it also when the value cannot be of the format that the DDF gives to the node. Default false.
    #[serde(default)]
    pub force: bool,
    /// Seconds until the command expires if it was not done. Default 7 days.
    pub expires_in: Option<u64>,
    /// Seconds to wait for the result, 0 to 60. Default 0.
    pub wait: Option<u64>,
}

/// The further arguments of a command as they are stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
    /// Format and MIME type of the leaf, if the DDF is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mime: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) addresses: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<Method>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) words: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) later: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) question: Option<Question>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) xml: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) acls: Option<Vec<(String, String)>>,
    /// What makes the address of the page unguessable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<Uuid>,
    /// With which commands it belongs together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<Part>,
}

/// A member that is there, also where it is null: the value of a leaf of format null.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Args {
    /// What a stored `set` says.
    pub(super) fn setting(self) -> Result<Setting, String> {
        let Some(value) = self.value else { return Ok(Setting::Payload) };
        let format = self.format.map(|name| {
            Format::parse(&name).ok_or_else(|| format!("its arguments name the unknown format {name:?}"))
        });
        let model = format.transpose()?.map(|format| Model { format, mime: self.mime });
        LeafValue::new(value, model).map(Setting::Value)
    }
}

/// Refuses members that do not belong to the verb, so that nothing an operator wrote is ignored.
pub(super) fn check_members(request: &Request) -> Result<(), String> {
    let given = [
        ("address", request.address.is_some()),
        ("addresses", request.addresses.is_some()),
        ("value", request.value.is_some()),
        ("value_base64", request.value_base64.is_some()),
        ("content_type", request.content_type.is_some()),
        ("items", request.items.is_some()),
        ("method", request.method.is_some()),
        ("from", request.from.is_some()),
        ("words", request.words.is_some()),
        ("later", request.later),
        ("moid", request.moid.is_some()),
        ("page", request.page.is_some()),
        ("url", request.url.is_some()),
        ("question", request.question.is_some()),
        ("xml", request.xml.is_some()),
    ];
    let allowed: &[&str] = match request.verb.as_str() {
        "get" | "delete" | "subscribe" | "unsubscribe" => &["address"],
        "exec" => &["address", "later"],
        "show" => &["page", "url"],
        "default" => &["moid", "from", "items"],
        "set" => &["address", "value", "value_base64", "content_type", "items"],
        "upload" => &["address", "addresses", "method"],
        "fetch" => &["address", "from"],
        "ask" => &["question"],
        "raw" => &["words", "xml"],
        _ => return Ok(()),
    };
    match given.iter().find(|(name, given)| *given && !allowed.contains(name)) {
        Some((name, _)) => Err(format!("{} takes no {name:?}", request.verb)),
        None => Ok(()),
    }
}
