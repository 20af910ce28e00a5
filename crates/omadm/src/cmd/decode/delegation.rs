//! Documents between servers that delegate devices.

use jiff::Timestamp;
use omadm_codec::DecodeError;
use omadm_codec::delegation::{Body, DelegationRequest, ItemStatus, NAMESPACE, decode};
use omadm_mo::Time;
use serde_json::{Value, json};

use super::{Decoded, Outline, limits};

/// A document in the namespace that is usual.
pub fn document(input: &[u8]) -> Result<Decoded, DecodeError> {
    let message = decode(input, NAMESPACE, &limits())?;
    let mut outline = Outline::new();
    let (from, to) = (message.from.as_str(), message.to.as_str());
    outline.push(0, &format!("{} {} from {from} to {to}", message.body.name(), message.msg_id));
    let at = shown(message.timestamp);
    outline.push(0, &format!("made {at}"));
    if let Some(id) = message.body.delegation_id() {
        outline.push(0, &format!("DelegationID {id}"));
    }
    let mut push = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            outline.push(1, &format!("{name} {value}"));
        }
    };
    let (content, items): (Value, &[ItemStatus]) = match &message.body {
        Body::Request(request) => {
            for (name, value) in facts(request) {
                push(name, Some(&value));
            }
            (request_json(request), &[])
        }
        Body::Response(response) => {
            push("Status", Some(&response.status.0.to_string()));
            push("Reason", response.reason.as_deref());
            (json!({ "status": response.status.0, "reason": response.reason }), &response.items)
        }
        Body::Cancel(cancel) => {
            push("Reason", cancel.reason.as_deref());
            (json!({ "reason": cancel.reason }), &[])
        }
        Body::Notify(notify) => {
            push("Event", Some(notify.event.as_str()));
            push("Reason", notify.reason.as_deref());
            (json!({ "event": notify.event.as_str(), "reason": notify.reason }), &notify.items)
        }
        Body::Unknown(_) => (Value::Null, &[]),
    };
    for item in items {
        let target = item.target.as_deref().unwrap_or("all targets");
        let nodes = item.nodes.join(", ");
        let reason = item.reason.as_deref().unwrap_or_default();
        outline.push(1, format!("{} {target}: {} {nodes} {reason}", item.device, item.status.0).trim());
    }
    let mut warnings = Vec::new();
    if let Body::Unknown(name) = &message.body {
        warnings.push(format!("{name} is no message that is known; it is answered 405"));
    }
    let content = json!({
        "message": message.body.name(), "msg_id": message.msg_id, "timestamp": at, "from": from, "to": to,
        "delegation_id": message.body.delegation_id(), "content": content, "items": items.iter().map(item_json).collect::<Vec<_>>(),
    });
    Ok(Decoded { outline, content, warnings })
}

fn shown(time: Time) -> String {
    Timestamp::from_second(time.as_secs())
        .map_or_else(|_| time.as_secs().to_string(), |time| time.to_string())
}

fn facts(request: &DelegationRequest) -> Vec<(&'static str, String)> {
    let mut facts = vec![("ServerID", request.server_id.as_str().to_owned())];
    facts.extend(request.devices.iter().map(|device| ("DeviceID", device.as_str().to_owned())));
    facts.extend(request.manufacturer.iter().map(|text| ("Man", text.clone())));
    facts.extend(request.model.iter().map(|text| ("Mod", text.clone())));
    facts.extend(request.targets.iter().map(|target| ("Target", target.clone())));
    facts.push(("Rights", request.rights.to_string()));
    facts.push(("Type", format!("{}, {}", request.duration.as_str(), request.mode.as_str())));
    facts.extend(request.session_id.iter().map(|text| ("SessionID", text.clone())));
    facts.extend(request.not_before.map(|time| ("NotBefore", shown(time))));
    facts.extend(request.not_after.map(|time| ("NotAfter", shown(time))));
    facts.extend(request.reason.iter().map(|text| ("Reason", text.clone())));
    facts
}

fn request_json(request: &DelegationRequest) -> Value {
    let devices: Vec<&str> = request.devices.iter().map(|device| device.as_str()).collect();
    json!({
        "server_id": request.server_id.as_str(), "devices": devices, "manufacturer": request.manufacturer,
        "model": request.model, "targets": request.targets, "rights": request.rights.to_string(),
        "type": request.duration.as_str(), "mode": request.mode.as_str(), "session_id": request.session_id,
        "not_before": request.not_before.map(shown), "not_after": request.not_after.map(shown), "reason": request.reason,
    })
}

fn item_json(item: &ItemStatus) -> Value {
    json!({
        "device": item.device.as_str(), "target": item.target, "nodes": item.nodes, "status": item.status.0,
        "reason": item.reason,
    })
}
