//! What carries pushes beside WSP: messages of SIP, nested responses of HTTP, and what Push Proxy Gateways say.

use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};
use omadm_codec::ota_http::{APPLICATION_ID, Nested};
use omadm_codec::pap::{self, MessageState, Said};
use omadm_codec::sip::{self, Field, Start};
use omadm_codec::{DecodeError, Leniency, MediaType, wsp};
use serde_json::{Value, json};

use super::hex::digits;
use super::push::{add_carried, notification};
use super::{Decoded, Outline, limits, package0, syncml};

/// A message of SIP, with the notification or the message of DM 1.x in it.
pub fn sip(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let message = sip::decode(input, &limits()).map_err(|broken| broken.error)?;
    let start = match &message.start {
        Start::Request { method, uri } => format!("{method} {uri}"),
        Start::Response { code, reason } => format!("{code} {reason}"),
    };
    let mut decoded = begin(&start, &message.fields);
    let content_type = message.field("Content-Type");
    let (name, carried) = content(&mut decoded, input.len(), content_type, &message.body, leniency)?;
    decoded.content = json!({
        "start": start,
        "fields": fields(&message.fields),
        "data": digits(&message.body),
        (name): carried,
    });
    Ok(decoded)
}

/// The response that nests in a push over HTTP, with the notification or the message of DM 1.x in it.
pub fn nested(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let nested = Nested::decode(input, &limits())?;
    let mut decoded = begin(&format!("status {}", nested.status), &nested.fields);
    if nested.field(APPLICATION_ID).is_none() {
        decoded.warnings.push(format!("it does not say for which application it is ({APPLICATION_ID})"));
    }
    let content_type = nested.field("Content-Type");
    let (name, carried) = content(&mut decoded, input.len(), content_type, &nested.body, leniency)?;
    decoded.content = json!({
        "status": nested.status,
        "fields": fields(&nested.fields),
        "data": digits(&nested.body),
        (name): carried,
    });
    Ok(decoded)
}

fn begin(start: &str, fields: &[Field]) -> Decoded {
    let mut outline = Outline::new();
    outline.push(0, start);
    for field in fields {
        outline.push(0, &format!("{}: {}", field.name(), field.value()));
    }
    Decoded { outline, content: Value::Null, warnings: Vec::new() }
}

fn fields(fields: &[Field]) -> Vec<Value> {
    fields.iter().map(|field| json!({ "name": field.name(), "value": field.value() })).collect()
}

/// What is carried, at the end of `carrier` octets: a notification or another document, by its name.
fn content(
    decoded: &mut Decoded,
    carrier: usize,
    content_type: Option<&str>,
    body: &[u8],
    leniency: &mut Leniency,
) -> Result<(&'static str, Value), DecodeError> {
    decoded.outline.push(0, &format!("data, {} bytes", body.len()));
    let media = content_type.and_then(|text| MediaType::parse(text).ok());
    let essence = media.as_ref().map(|media| media.essence.as_str());
    let carried = match essence {
        Some(wsp::NOTIFICATION_TYPE) => {
            add_carried(decoded, carrier, body, |body| notification(body, leniency))?
        }
        Some(wsp::TRIGGER_TYPE) => {
            add_carried(decoded, carrier, body, |body| package0::trigger(body, leniency))?
        }
        Some(SYNCML_DM_WBXML | SYNCML_DM_XML) => {
            let message = add_carried(decoded, carrier, body, |body| syncml::message(body, leniency))?;
            return Ok(("document", message));
        }
        _ => {
            if !body.is_empty() {
                decoded.outline.push(1, &digits(body));
            }
            Value::Null
        }
    };
    Ok(("notification", carried))
}

/// What a Push Proxy Gateway says.
pub fn pap(input: &[u8]) -> Result<Decoded, DecodeError> {
    let said = pap::decode(input, &limits())?;
    let (name, push_id, state, code, description) = match said {
        Said::Response { push_id, code, description } => {
            ("push-response", Some(push_id), None, code, description)
        }
        Said::Result { push_id, state, code, description } => {
            ("resultnotification-message", Some(push_id), Some(state), code, description)
        }
        Said::Status { push_id, state, code, description } => {
            ("statusquery-response", Some(push_id), Some(state), code, description)
        }
        Said::BadMessage { code, description } => ("badmessage-response", None, None, code, description),
    };
    let state = state.map(MessageState::as_str);
    let meaning = match code.meaning() {
        pap::Meaning::Accepted => "accepted",
        pap::Meaning::Permanent => "will not do",
        pap::Meaning::Temporary => "may do later",
    };
    let mut outline = Outline::new();
    outline.push(0, name);
    outline.push(1, &format!("code {}, {meaning}", code.0));
    let facts = [("push-id", push_id.as_deref()), ("message-state", state), ("desc", description.as_deref())];
    for (name, value) in facts {
        if let Some(value) = value {
            outline.push(1, &format!("{name} {value}"));
        }
    }
    let content = json!({
        "message": name, "push_id": push_id, "state": state, "code": code.0, "meaning": meaning, "description": description,
    });
    Ok(Decoded { outline, content, warnings: Vec::new() })
}
