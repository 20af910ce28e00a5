//! Methods and sessions of WSP, and the datagrams of WTP that carry them.

use omadm_codec::dm1::Encoding;
use omadm_codec::wsp::{Capability, Content, Header, Pdu, Reason, Status};
use omadm_codec::wtp::{self, FROM_RESPONDER, Kind, ProviderReason, Trailer};
use omadm_codec::{DecodeError, Leniency, media_type};
use serde_json::{Value, json};

use super::hex::digits;
use super::push::{add_carried, header, media};
use super::{Decoded, Outline, limits, syncml};

/// A PDU of connectionless WSP with its TID.
pub fn connectionless(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let (transaction, pdu) = Pdu::decode_with_tid(input, &limits())?;
    let mut decoded = Decoded { outline: Outline::new(), content: Value::Null, warnings: Vec::new() };
    decoded.outline.push(0, &format!("TID {transaction}"));
    let pdu = describe(&mut decoded, input.len(), &pdu, leniency)?;
    decoded.content = json!({ "transaction": transaction, "pdu": pdu });
    Ok(decoded)
}

/// A PDU of WSP as WTP carries it.
fn in_session(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let pdu = Pdu::decode(input, &limits())?;
    let mut decoded = Decoded { outline: Outline::new(), content: Value::Null, warnings: Vec::new() };
    decoded.content = describe(&mut decoded, input.len(), &pdu, leniency)?;
    Ok(decoded)
}

/// A datagram of WTP, with what is in those of its PDUs that hold a whole message.
pub fn wtp(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let mut decoded = Decoded { outline: Outline::new(), content: Value::Null, warnings: Vec::new() };
    let mut pdus = Vec::new();
    // Where a PDU ends is known only of the last one; offsets in others count from their own message.
    for pdu in wtp::datagram(input, &limits())? {
        let side = if pdu.tid & FROM_RESPONDER == 0 { "from the initiator" } else { "from the responder" };
        let again = if pdu.is_repeated { ", again" } else { "" };
        let (name, facts) = name(&pdu.kind);
        decoded.outline.push(0, &format!("{name}, TID {}, {side}{again}{facts}", pdu.tid & !FROM_RESPONDER));
        let carried = match &pdu.kind {
            Kind::Invoke { trailer, data, .. } | Kind::Result { trailer, data } if trailer.is_last() => {
                add_carried(&mut decoded, input.len(), data, |data| in_session(data, leniency))?
            }
            Kind::Invoke { data, .. }
            | Kind::Result { data, .. }
            | Kind::SegmentedInvoke { data, .. }
            | Kind::SegmentedResult { data, .. } => {
                decoded
                    .warnings
                    .push("a segment says nothing alone: join the data of all of them".to_owned());
                decoded.outline.push(1, &digits(data));
                json!({ "data": digits(data) })
            }
            _ => Value::Null,
        };
        pdus.push(json!({
            "pdu": name, "transaction": pdu.tid & !FROM_RESPONDER, "from_responder": pdu.tid & FROM_RESPONDER != 0,
            "repeated": pdu.is_repeated, "message": carried,
        }));
    }
    decoded.content = json!({ "pdus": pdus });
    Ok(decoded)
}

/// The name of a PDU of WTP, and what it says.
fn name(kind: &Kind<'_>) -> (&'static str, String) {
    match kind {
        Kind::Invoke { trailer, tid_new, class, .. } => {
            let new = if *tid_new { ", TIDnew" } else { "" };
            ("Invoke", format!(", class {class}{new}, {}", place(*trailer)))
        }
        Kind::Result { trailer, .. } => ("Result", format!(", {}", place(*trailer))),
        Kind::Ack { tid_verification, up_to } => {
            let verification = if *tid_verification { ", TID verification" } else { "" };
            let up_to = up_to.map(|number| format!(", up to packet {number}")).unwrap_or_default();
            ("Ack", format!("{verification}{up_to}"))
        }
        Kind::ProviderAbort(ProviderReason(reason)) => ("Abort", format!(", by WTP, reason {reason}")),
        Kind::UserAbort(reason) => ("Abort", format!(", by WSP: {}", Reason(*reason).meaning())),
        Kind::SegmentedInvoke { trailer, number, .. } => {
            ("Segmented Invoke", format!(", packet {number}, {}", place(*trailer)))
        }
        Kind::SegmentedResult { trailer, number, .. } => {
            ("Segmented Result", format!(", packet {number}, {}", place(*trailer)))
        }
        Kind::Nack(missing) => ("Nack", format!(", missing packets {missing:?}")),
    }
}

fn place(trailer: Trailer) -> &'static str {
    match trailer {
        Trailer::Middle => "more follow",
        Trailer::LastOfMessage => "last of the message",
        Trailer::LastOfGroup => "last of its group",
        Trailer::Unsegmented => "not segmented",
    }
}

/// Describes a PDU that ends where `end` is.
fn describe(
    decoded: &mut Decoded,
    end: usize,
    pdu: &Pdu<'_>,
    leniency: &mut Leniency,
) -> Result<Value, DecodeError> {
    Ok(match pdu {
        Pdu::Connect { capabilities, headers } => {
            agreement(decoded, "Connect", None, (capabilities, headers))
        }
        Pdu::ConnectReply { session, capabilities, headers } => {
            agreement(decoded, "ConnectReply", Some(*session), (capabilities, headers))
        }
        Pdu::Resume { session, capabilities, headers } => {
            agreement(decoded, "Resume", Some(*session), (capabilities, headers))
        }
        Pdu::Disconnect { session } => only_session(decoded, "Disconnect", *session),
        Pdu::Suspend { session } => only_session(decoded, "Suspend", *session),
        Pdu::Redirect { permanent, addresses, .. } => {
            let addresses: Vec<String> = addresses.iter().map(|address| digits(address.address)).collect();
            decoded.outline.push(0, &format!("Redirect to {}", addresses.join(", ")));
            json!({ "kind": "Redirect", "permanent": permanent, "addresses": addresses })
        }
        Pdu::Get { method, uri, headers } => {
            let name = method.name().map_or_else(|| format!("{:#04x}", method.code()), str::to_owned);
            decoded.outline.push(0, &format!("{name} {}", uri.as_str()));
            let headers = push_headers(decoded, headers);
            json!({ "kind": name, "uri": uri.as_str(), "headers": headers })
        }
        Pdu::Post { method, uri, content } => {
            let name = method.name().map_or_else(|| format!("{:#04x}", method.code()), str::to_owned);
            decoded.outline.push(0, &format!("{name} {}", uri.as_str()));
            let content = carried(decoded, end, content, leniency)?;
            json!({ "kind": name, "uri": uri.as_str(), "content": content })
        }
        Pdu::Reply { status, content } => {
            let status = status_of(*status);
            decoded.outline.push(0, &format!("Reply {status}"));
            let content =
                content.as_ref().map(|content| carried(decoded, end, content, leniency)).transpose()?;
            json!({ "kind": "Reply", "status": status, "content": content })
        }
        Pdu::Push(content) => {
            decoded.outline.push(0, "Push");
            json!({ "kind": "Push", "content": carried(decoded, end, content, leniency)? })
        }
        Pdu::ConfirmedPush(content) => {
            decoded.outline.push(0, "ConfirmedPush");
            json!({ "kind": "ConfirmedPush", "content": carried(decoded, end, content, leniency)? })
        }
    })
}

/// What the two sides of a session tell each other.
fn agreement(
    decoded: &mut Decoded,
    name: &str,
    session: Option<u32>,
    (capabilities, headers): (&[Capability], &[Header]),
) -> Value {
    let id = session.map(|session| format!(", session {session}")).unwrap_or_default();
    decoded.outline.push(0, &format!("{name}{id}"));
    let capabilities: Vec<String> = capabilities.iter().map(capability).collect();
    capabilities.iter().for_each(|capability| decoded.outline.push(1, capability));
    let headers = push_headers(decoded, headers);
    json!({ "kind": name, "session": session, "capabilities": capabilities, "headers": headers })
}

fn only_session(decoded: &mut Decoded, name: &str, session: u32) -> Value {
    decoded.outline.push(0, &format!("{name}, session {session}"));
    json!({ "kind": name, "session": session })
}

fn status_of(status: Status) -> String {
    status
        .to_http()
        .map_or_else(|| format!("{:#04x}, which is none of HTTP", status.0), |http| http.to_string())
}

fn capability(capability: &Capability) -> String {
    match capability {
        Capability::ClientSdu(octets) => format!("Client-SDU-Size {octets}"),
        Capability::ServerSdu(octets) => format!("Server-SDU-Size {octets}"),
        Capability::Options(options) => format!("Protocol-Options {:#04x}", options.0),
        Capability::MethodMor(most) => format!("Method-MOR {most}"),
        Capability::PushMor(most) => format!("Push-MOR {most}"),
        Capability::Other { parameters, .. } => format!("another capability: {}", digits(parameters)),
    }
}

fn push_headers(decoded: &mut Decoded, headers: &[Header]) -> Vec<Value> {
    let mut found = Vec::new();
    for field in headers {
        let (name, value) =
            field.to_http().map_or_else(|| header(field), |(name, value)| (name.to_owned(), value));
        decoded.outline.push(1, &format!("{name} {value}"));
        found.push(json!({ "name": name, "value": value }));
    }
    found
}

/// What a method, a reply or a push brings; a message of DM 1.x is described as well.
fn carried(
    decoded: &mut Decoded,
    end: usize,
    content: &Content<'_>,
    leniency: &mut Leniency,
) -> Result<Value, DecodeError> {
    let media = content.media.as_http().unwrap_or_else(|| media(&content.media));
    decoded.outline.push(1, &format!("Content-Type {media}"));
    let headers = push_headers(decoded, &content.headers);
    decoded.outline.push(1, &format!("data, {} bytes", content.body.len()));
    let is_dm =
        media.starts_with(media_type::SYNCML_DM_WBXML) || media.starts_with(media_type::SYNCML_DM_XML);
    let message = if is_dm && Encoding::sniff(content.body).is_some() {
        add_carried(decoded, end, content.body, |body| syncml::message(body, leniency))?
    } else {
        Value::Null
    };
    Ok(json!({ "media": media, "headers": headers, "data": digits(content.body), "message": message }))
}
