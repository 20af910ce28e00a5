//! Documents from octets. Elements that the format does not have are passed over.

use omadm_mo::{DeviceId, ServerId, Time};

use super::{
    Body, DelegationCancel, DelegationMessage, DelegationNotify, DelegationRequest, DelegationResponse,
    Duration, ItemStatus, MAX_ID, MAX_TEXT, Mode, NotifyEvent, Rights, names, time,
};
use crate::xml::{self, Element};
use crate::{DecodeError, Limits, Problem, StatusCode};

/// Longest `SessionID` in digits.
const MAX_SESSION_ID: usize = 16;

/// Reads a document of `namespace`.
///
/// # Errors
/// With byte offset and field.
pub fn decode(input: &[u8], namespace: &str, limits: &Limits) -> Result<DelegationMessage, DecodeError> {
    let root = xml::parse(input, limits, |found| found == Some(namespace)).map_err(|error| {
        // An element of another namespace is passed over, also when it is the root.
        if error.problem == Problem::Missing {
            let problem = format!("there is no element of the namespace {namespace}");
            return DecodeError { at: 0, field: names::ROOT, problem: Problem::Schema(problem.into()) };
        }
        error
    })?;
    if root.name != names::ROOT {
        let problem = format!("the root element is {:?}", root.name);
        return Err(schema(&root, names::ROOT, problem));
    }
    Ok(DelegationMessage {
        msg_id: text(one(&root, names::MSG_ID)?, names::MSG_ID, MAX_ID)?,
        timestamp: moment(one(&root, names::TIMESTAMP)?, names::TIMESTAMP)?,
        from: server(one(&root, names::FROM)?, names::FROM)?,
        to: server(one(&root, names::TO)?, names::TO)?,
        body: body(&root)?,
    })
}

/// The only message in a document; the first of those that are not known if none is.
fn body(root: &Element) -> Result<Body, DecodeError> {
    let is_message = |element: &&Element| {
        [names::REQUEST, names::RESPONSE, names::CANCEL, names::NOTIFY].contains(&element.name.as_str())
    };
    let mut messages = root.children.iter().filter(is_message);
    let Some(message) = messages.next() else {
        let head = [names::MSG_ID, names::TIMESTAMP, names::FROM, names::TO];
        let unknown = root.children.iter().find(|child| !head.contains(&child.name.as_str()));
        let missing = DecodeError { at: root.at, field: names::REQUEST, problem: Problem::Missing };
        return unknown.map(|unknown| Body::Unknown(unknown.name.clone())).ok_or(missing);
    };
    if let Some(second) = messages.next() {
        let problem = format!("{} stands beside {}; a document has one message", second.name, message.name);
        return Err(schema(second, names::ROOT, problem));
    }
    Ok(match message.name.as_str() {
        names::REQUEST => Body::Request(request(message)?),
        names::RESPONSE => Body::Response(response(message)?),
        names::CANCEL => Body::Cancel(DelegationCancel {
            delegation_id: delegation_id(message)?,
            reason: optional(message, names::REASON, MAX_TEXT)?,
        }),
        _ => Body::Notify(notify(message)?),
    })
}

fn request(of: &Element) -> Result<DelegationRequest, DecodeError> {
    let rights = one(of, names::RIGHTS)?;
    let kind = one(of, names::TYPE)?;
    let request = DelegationRequest {
        delegation_id: delegation_id(of)?,
        server_id: server(one(of, names::SERVER_ID)?, names::SERVER_ID)?,
        devices: some(of, names::DEVICE_ID)?.into_iter().map(device).collect::<Result<_, _>>()?,
        manufacturer: optional(of, names::MANUFACTURER, MAX_TEXT)?,
        model: optional(of, names::MODEL, MAX_TEXT)?,
        targets: texts(some(of, names::TARGET)?, names::TARGET)?,
        rights: Rights::parse(&rights.text)
            .map_err(|word| schema(rights, names::RIGHTS, format!("{word:?} is no right")))?,
        duration: duration(kind)?,
        mode: mode(kind)?,
        session_id: session_id(of)?,
        not_before: optional_moment(of, names::NOT_BEFORE)?,
        not_after: optional_moment(of, names::NOT_AFTER)?,
        reason: optional(of, names::REASON, MAX_TEXT)?,
    };
    if request.rights.is_empty() {
        return Err(schema(rights, names::RIGHTS, "it names no right".to_owned()));
    }
    Ok(request)
}

fn response(of: &Element) -> Result<DelegationResponse, DecodeError> {
    Ok(DelegationResponse {
        delegation_id: optional(of, names::DELEGATION_ID, MAX_ID)?,
        status: status(of)?,
        reason: optional(of, names::REASON, MAX_TEXT)?,
        items: items(of)?,
    })
}

fn notify(of: &Element) -> Result<DelegationNotify, DecodeError> {
    let event = one(of, names::EVENT)?;
    let name = event.text.trim();
    Ok(DelegationNotify {
        delegation_id: delegation_id(of)?,
        event: NotifyEvent::parse(name)
            .ok_or_else(|| schema(event, names::EVENT, format!("{name:?} is no event")))?,
        reason: optional(of, names::REASON, MAX_TEXT)?,
        items: items(of)?,
    })
}

fn items(of: &Element) -> Result<Vec<ItemStatus>, DecodeError> {
    all(of, names::ITEM_STATUS).into_iter().map(item).collect()
}

fn item(of: &Element) -> Result<ItemStatus, DecodeError> {
    Ok(ItemStatus {
        device: device(one(of, names::DEVICE_ID)?)?,
        target: optional(of, names::TARGET, MAX_TEXT)?,
        nodes: texts(all(of, names::LOC_URI), names::LOC_URI)?,
        status: status(of)?,
        reason: optional(of, names::REASON, MAX_TEXT)?,
    })
}

fn delegation_id(of: &Element) -> Result<String, DecodeError> {
    text(one(of, names::DELEGATION_ID)?, names::DELEGATION_ID, MAX_ID)
}

fn duration(of: &Element) -> Result<Duration, DecodeError> {
    match of.text.trim() {
        names::TEMPORARY => Ok(Duration::Temporary),
        names::PERMANENT => Ok(Duration::Permanent),
        other => Err(schema(of, names::TYPE, format!("{other:?} is neither temporary nor permanent"))),
    }
}

fn mode(of: &Element) -> Result<Mode, DecodeError> {
    match of.attribute(names::MODE) {
        None | Some(names::SHARED) => Ok(Mode::Shared),
        Some(names::EXCLUSIVE) => Ok(Mode::Exclusive),
        Some(other) => Err(schema(of, names::MODE, format!("{other:?} is neither shared nor exclusive"))),
    }
}

fn session_id(of: &Element) -> Result<Option<String>, DecodeError> {
    let Some(element) = zero_or_one(of, names::SESSION_ID)? else { return Ok(None) };
    let session = text(element, names::SESSION_ID, MAX_SESSION_ID)?;
    if !session.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return Err(schema(element, names::SESSION_ID, format!("{session:?} is no hexadecimal number")));
    }
    Ok(Some(session))
}

fn status(of: &Element) -> Result<StatusCode, DecodeError> {
    let element = one(of, names::STATUS)?;
    let text = element.text.trim();
    let number = text.parse().ok().filter(|number| text.len() == 3 && (100..1_000).contains(number));
    number
        .map(StatusCode)
        .ok_or_else(|| schema(element, names::STATUS, format!("{text:?} is no number from 100 to 999")))
}

fn server(element: &Element, field: &'static str) -> Result<ServerId, DecodeError> {
    ServerId::parse(element.text.trim()).map_err(|error| schema(element, field, error.to_string()))
}

fn device(element: &Element) -> Result<DeviceId, DecodeError> {
    DeviceId::parse(element.text.trim()).map_err(|error| schema(element, names::DEVICE_ID, error.to_string()))
}

fn moment(element: &Element, field: &'static str) -> Result<Time, DecodeError> {
    let text = element.text.trim();
    time::read(text).ok_or_else(|| {
        schema(element, field, format!("{text:?} is no time in UTC such as 2026-11-21T06:40:00Z"))
    })
}

fn optional_moment(of: &Element, name: &'static str) -> Result<Option<Time>, DecodeError> {
    zero_or_one(of, name)?.map(|element| moment(element, name)).transpose()
}

fn optional(of: &Element, name: &'static str, longest: usize) -> Result<Option<String>, DecodeError> {
    zero_or_one(of, name)?.map(|element| text(element, name, longest)).transpose()
}

fn texts(of: Vec<&Element>, name: &'static str) -> Result<Vec<String>, DecodeError> {
    of.into_iter().map(|element| text(element, name, MAX_TEXT)).collect()
}

/// Text of 1 to `longest` characters, without white space around it.
fn text(element: &Element, field: &'static str, longest: usize) -> Result<String, DecodeError> {
    let text = element.text.trim();
    match text.chars().count() {
        0 => Err(schema(element, field, "it is empty".to_owned())),
        length if length > longest => {
            Err(schema(element, field, format!("it has more than {longest} characters")))
        }
        _ => Ok(text.to_owned()),
    }
}

fn all<'e>(of: &'e Element, name: &str) -> Vec<&'e Element> {
    of.children.iter().filter(|child| child.name == name).collect()
}

fn some<'e>(of: &'e Element, name: &'static str) -> Result<Vec<&'e Element>, DecodeError> {
    let found = all(of, name);
    if found.is_empty() {
        return Err(DecodeError { at: of.at, field: name, problem: Problem::Missing });
    }
    Ok(found)
}

fn zero_or_one<'e>(of: &'e Element, name: &'static str) -> Result<Option<&'e Element>, DecodeError> {
    match all(of, name).as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        [_, second, ..] => Err(DecodeError { at: second.at, field: name, problem: Problem::Duplicate }),
    }
}

fn one<'e>(of: &'e Element, name: &'static str) -> Result<&'e Element, DecodeError> {
    zero_or_one(of, name)?.ok_or(DecodeError { at: of.at, field: name, problem: Problem::Missing })
}

fn schema(element: &Element, field: &'static str, problem: String) -> DecodeError {
    DecodeError { at: element.at, field, problem: Problem::Schema(problem.into()) }
}
