//! Package#0, and what carries it.

use jiff::Timestamp;
use omadm_codec::dm1;
use omadm_codec::dm2::notification::{Connection, OptionNumber, Received};
use omadm_codec::dm2::{Notification, cloud};
use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};
use omadm_codec::sms::{Deliver, Reference, Submit, Tpdu, UserData, Validity};
use omadm_codec::wsp::{self, Header, HeaderName, Media, MediaName, Push};
use omadm_codec::{DecodeError, Leniency};
use serde_json::{Value, json};

use super::hex::digits;
use super::{Decoded, Fault, Outline, limits, package0, provisioning, syncml, wap};

/// Package#0 of DM 1.3 or 2.0.
pub fn notification(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    if dm1::notification::Received::is_of_version(input) {
        return package0::extended(input);
    }
    let received = Received::decode(input, &limits(), leniency)?;
    let Notification { server_id, connections, id, digest, timestamp, request_mos } = &received.notification;
    let time = timestamp.and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok());
    let connections: Vec<&str> =
        connections.as_slice().iter().map(|kind| Connection::as_str(*kind)).collect();
    let facts = [
        (OptionNumber::SERVER_ID, server_id.as_ref().map(ToString::to_string)),
        (OptionNumber::PREFERRED_CON_TYPE, (!connections.is_empty()).then(|| connections.join(", "))),
        (OptionNumber::NOTIFICATION_ID, id.map(|id| id.to_string())),
        (OptionNumber::SHA256_DIGEST, digest.map(|digest| digits(&digest))),
        (
            OptionNumber::TIMESTAMP,
            timestamp.map(|seconds| match time {
                Some(time) => format!("{seconds} ({time})"),
                None => seconds.to_string(),
            }),
        ),
        (OptionNumber::REQ_MOS, request_mos.then(|| "the device is to send its inventory".to_owned())),
    ];
    let mut outline = Outline::new();
    outline.push(0, "VER 2");
    for (number, fact) in facts {
        if let Some(fact) = fact {
            outline.push(0, &format!("{} {fact}", number.name()));
        }
    }
    for (number, value) in &received.ignored {
        outline
            .push(0, &format!("option {}, which the standard does not define: {}", number.0, digits(value)));
    }
    let ignored: Vec<Value> = received
        .ignored
        .iter()
        .map(|(number, value)| json!({ "number": number.0, "value": digits(value) }))
        .collect();
    let content = json!({
        "server_id": server_id.as_ref().map(ToString::to_string),
        "connections": connections,
        "notification_id": id,
        "digest": digest.map(|digest| digits(&digest)),
        "timestamp": timestamp,
        "time": time.map(|time| time.to_string()),
        "request_mos": request_mos,
        "ignored": ignored,
    });
    Ok(Decoded { outline, content, warnings: Vec::new() })
}

/// What `carrier` carries at its end, described below it.
pub(super) fn add_carried(
    decoded: &mut Decoded,
    carrier: usize,
    carried: &[u8],
    describe: impl FnOnce(&[u8]) -> Result<Decoded, DecodeError>,
) -> Result<Value, DecodeError> {
    // Offsets count from the start of the whole.
    let before = carrier.saturating_sub(carried.len());
    let inner =
        describe(carried).map_err(|error| DecodeError { at: error.at.saturating_add(before), ..error })?;
    decoded.outline.append(1, inner.outline);
    decoded.warnings.extend(inner.warnings);
    Ok(inner.content)
}

/// A PDU of connectionless WSP: a push with the notification in it, or a method or its reply.
pub fn wsp(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    if let Some(0x04 | 0x40..=0x4f | 0x60..=0x6f) = input.get(1) {
        return wap::connectionless(input, leniency);
    }
    let push = Push::decode(input, &limits())?;
    let mut decoded = Decoded { outline: Outline::new(), content: Value::Null, warnings: Vec::new() };
    // What says how a bootstrap is secured are parameters.
    let whole = push.media.as_http().filter(|_| !push.media.parameters.is_empty());
    let media = whole.unwrap_or_else(|| media(&push.media));
    decoded.outline.push(0, &format!("TID {}", push.transaction));
    decoded.outline.push(0, &format!("Content-Type {media}"));
    let headers: Vec<(String, String)> = push.headers.iter().map(header).collect();
    for (name, value) in &headers {
        decoded.outline.push(0, &format!("{name} {value}"));
    }
    decoded.outline.push(0, &format!("data, {} bytes", push.body.len()));
    let is_for_dm = push.application().is_some_and(|of| of.eq_ignore_ascii_case(wsp::DM_APPLICATION));
    let is_trigger = push.media.is(wsp::TRIGGER_CODE, wsp::TRIGGER_TYPE) && is_for_dm;
    let is_message = |code, name| push.media.is(code, name) && is_for_dm && !is_ciphered(&push.media);
    let mut document = Value::Null;
    let notification = if push.is_dm_notification() {
        add_carried(&mut decoded, input.len(), push.body, |body| notification(body, leniency))?
    } else if is_trigger {
        add_carried(&mut decoded, input.len(), push.body, |body| package0::trigger(body, leniency))?
    } else if push.media.is(wsp::CONNECTIVITY_WBXML_CODE, wsp::CONNECTIVITY_WBXML)
        || push.media.is(wsp::CONNECTIVITY_XML_CODE, wsp::CONNECTIVITY_XML)
    {
        let read = |body: &_| provisioning::document(body, leniency);
        document = add_carried(&mut decoded, input.len(), push.body, read)?;
        Value::Null
    } else if is_message(wsp::SYNCML_DM_WBXML_CODE, SYNCML_DM_WBXML)
        || is_message(wsp::SYNCML_DM_XML_CODE, SYNCML_DM_XML)
    {
        let read = |body: &_| syncml::message(body, leniency);
        document = add_carried(&mut decoded, input.len(), push.body, read)?;
        Value::Null
    } else {
        let wanted = format!(
            "content type {:#x} or {:#x} and application {}",
            wsp::NOTIFICATION_CODE,
            wsp::TRIGGER_CODE,
            wsp::DM_APPLICATION_CODE
        );
        decoded.warnings.push(format!("a device does not take it for a DM notification, which has {wanted}"));
        decoded.outline.push(1, &digits(push.body));
        Value::Null
    };
    let headers: Vec<Value> =
        headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    decoded.content = json!({
        "transaction": push.transaction,
        "media": media,
        "headers": headers,
        "data": digits(push.body),
        "notification": notification,
        "document": document,
    });
    Ok(decoded)
}

/// Whether what it is the type of is under the keys of GBA Push.
fn is_ciphered(media: &Media) -> bool {
    media.as_http().is_some_and(|text| text.contains("SEC=3GPP_GBA"))
}

/// A media type, by its code where it has one.
pub(super) fn media(media: &Media) -> String {
    match &media.name {
        MediaName::Code(code) => format!("{code:#04x}"),
        MediaName::Text(text) => text.as_str().to_owned(),
    }
}

/// Name and value of a header as they stand there.
pub(super) fn header(header: &Header) -> (String, String) {
    let name = match &header.name {
        HeaderName::Code(code) if header.name.as_str().is_none() => format!("header {:#04x}", code.get()),
        name => name.as_str().unwrap_or_default().to_owned(),
    };
    let value = match &header.value {
        wsp::Value::Short(number) => number.get().to_string(),
        wsp::Value::Text(text) => text.as_str().to_owned(),
        wsp::Value::Octets(octets) => digits(octets),
    };
    (name, value)
}

/// A short message, with the push in it if it is one; with or without the address of the service centre that modems put before it.
pub fn sms(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let message = Tpdu::decode(input, &limits())
        .or_else(|error| Tpdu::decode_from_modem(input, &limits()).map_err(|_| error))?;
    let mut decoded = Decoded { outline: Outline::new(), content: Value::Null, warnings: Vec::new() };
    let facts = match &message {
        Tpdu::Deliver(Deliver { originator, time, more, .. }) => {
            let more = if *more { ", more messages wait" } else { "" };
            decoded.outline.push(0, &format!("SMS-DELIVER from {originator}, {time}{more}"));
            json!({ "kind": "deliver", "originator": originator.to_string(), "time": time.to_string() })
        }
        Tpdu::Submit(Submit { destination, reference, validity, .. }) => {
            decoded
                .outline
                .push(0, &format!("SMS-SUBMIT {reference} to {destination}{}", validity_of(*validity)));
            json!({ "kind": "submit", "destination": destination.to_string(), "reference": reference })
        }
    };
    let data = message.data();
    push_user_data(&mut decoded.outline, data);
    let is_push = data.ports().is_some_and(|ports| ports.destination == wsp::PUSH_PORT);
    let push = match data.part() {
        None if is_push => {
            add_carried(&mut decoded, input.len(), data.payload(), |push| wsp(push, leniency))?
        }
        part => {
            if part.is_some() {
                decoded.warnings.push(
                    "a part says nothing alone: join the data of all parts and decode them as wsp".into(),
                );
            }
            decoded.outline.push(1, &digits(data.payload()));
            Value::Null
        }
    };
    decoded.content = json!({
        "message": facts,
        "ports": data.ports().map(|ports| json!({ "destination": ports.destination, "source": ports.source })),
        "part": data.part().map(|part| json!({ "sequence": part.sequence(), "total": part.total() })),
        "data": digits(data.payload()),
        "push": push,
    });
    Ok(decoded)
}

fn validity_of(validity: Option<Validity>) -> String {
    match validity {
        None => String::new(),
        Some(Validity::Relative(steps)) => format!(", validity {steps}"),
        Some(Validity::Enhanced(octets)) => format!(", validity {}", digits(&octets)),
        Some(Validity::Absolute(time)) => format!(", valid until {time}"),
    }
}

fn push_user_data(outline: &mut Outline, data: &UserData) {
    if let Some(ports) = data.ports() {
        outline.push(0, &format!("to port {}, from port {}", ports.destination, ports.source));
    }
    if let Some(part) = data.part() {
        let reference = match part.reference() {
            Reference::Short(reference) => reference.into(),
            Reference::Long(reference) => reference,
        };
        outline.push(0, &format!("part {} of {}, reference {reference}", part.sequence(), part.total()));
    }
    outline.push(0, &format!("data, {} bytes", data.payload().len()));
}

/// A push message of cloud messaging, with the notification in it.
pub fn cloud(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, Fault> {
    let octets = cloud::notification(input, cloud::KEY, &limits(), leniency)?;
    let mut decoded = Decoded { outline: Outline::new(), content: Value::Null, warnings: Vec::new() };
    decoded.outline.push(0, &format!("{}, {} bytes", cloud::KEY, octets.len()));
    let inner = notification(&octets, leniency).map_err(Fault::InNotification)?;
    decoded.outline.append(1, inner.outline);
    decoded.content = json!({ "data": digits(&octets), "notification": inner.content });
    Ok(decoded)
}
