//! Messages of DM 1.x.

use omadm_codec::dm1::tnds::{TNDS_WBXML, TNDS_XML};
use omadm_codec::dm1::{
    self, AlertCode, Command, Credentials, Data, Encoding, Form, Header, Item, Location, Meta, OperationKind,
    Unknown,
};
use omadm_codec::{DecodeError, Leniency};
use serde_json::{Value, json};

use super::kind::encoding;
use super::{Decoded, Outline, hex, limits, tnds};

/// A SyncML message in XML or WBXML.
pub fn message(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let decoded = dm1::decode(input, encoding(input), &limits(), leniency)?;
    let message = &decoded.message;
    let mut printer = Printer { outline: Outline::new(), warnings: Vec::new(), leniency };
    printer.form(decoded.form);
    printer.header(&message.header);
    printer.commands(0, &message.commands);
    printer.outline.push(0, if message.is_final { "Final" } else { "not the last message of its package" });
    let content = json!({
        "header": header_json(&message.header),
        "commands": message.commands.iter().map(command_json).collect::<Vec<_>>(),
        "final": message.is_final,
    });
    Ok(Decoded { outline: printer.outline, content, warnings: printer.warnings })
}

fn form_name(form: Form) -> String {
    match form {
        Form::Xml => "XML".to_owned(),
        Form::Wbxml(version) => format!("WBXML 1.{}", version.octet()),
    }
}

struct Printer<'l> {
    outline: Outline,
    warnings: Vec<String>,
    leniency: &'l mut Leniency,
}

impl Printer<'_> {
    fn form(&mut self, form: Form) {
        self.outline.push(0, &format!("in {}", form_name(form)));
    }

    fn header(&mut self, header: &Header<'_>) {
        let Header { ver_dtd, ver_proto, session_id, message_id, .. } = header;
        let line = format!("{ver_proto} (VerDTD {ver_dtd}), session {session_id}, message {message_id}");
        self.outline.push(0, &line);
        self.location("Target", &header.target);
        self.location("Source", &header.source);
        if let Some(uri) = &header.resp_uri {
            self.outline.push(1, &format!("RespURI {uri}"));
        }
        if header.no_response {
            self.outline.push(1, "NoResp");
        }
        if let Some(credentials) = &header.credentials {
            self.credentials(1, credentials);
        }
        self.meta(1, &header.meta);
    }

    fn location(&mut self, name: &str, location: &Location<'_>) {
        let user = location.name.as_ref().map_or_else(String::new, |name| format!("  LocName {name}"));
        self.outline.push(1, &format!("{name} {}{user}", location.uri));
    }

    fn credentials(&mut self, depth: usize, credentials: &Credentials<'_>) {
        self.outline.push(depth, &format!("Cred {}", credentials.data));
        self.meta(depth.saturating_add(1), &credentials.meta);
    }

    /// In one line, if there is anything.
    fn meta(&mut self, depth: usize, meta: &Meta<'_>) {
        let words = meta_words(meta);
        if !words.is_empty() {
            self.outline.push(depth, &words);
        }
    }

    /// The decoder bounds the depth, so recursion is bounded too.
    fn commands(&mut self, depth: usize, commands: &[Command<'_>]) {
        let below = depth.saturating_add(1);
        for command in commands {
            self.outline.push(depth, &title(command));
            match command {
                Command::Status(status) => {
                    for uri in status.target_refs.iter().chain(&status.source_refs) {
                        self.outline.push(below, &format!("of {uri}"));
                    }
                    for (name, value) in &status.code_attributes {
                        self.outline.push(below, &format!("{name} {value}"));
                    }
                    if let Some(credentials) = &status.credentials {
                        self.credentials(below, credentials);
                    }
                    if let Some(challenge) = &status.challenge {
                        self.outline.push(below, &format!("Chal {}", meta_words(challenge)));
                    }
                    self.items(below, &status.items, &Meta::default());
                }
                Command::Results(results) => {
                    self.meta(below, &results.meta);
                    self.items(below, &results.items, &results.meta);
                }
                Command::Alert(alert) => self.items(below, &alert.items, &Meta::default()),
                Command::Operation(operation) => {
                    self.meta(below, &operation.meta);
                    self.items(below, &operation.items, &operation.meta);
                }
                Command::Container(container) => {
                    self.meta(below, &container.meta);
                    self.commands(below, &container.commands);
                }
                Command::Unknown(_) => {}
            }
        }
    }

    fn items(&mut self, depth: usize, items: &[Item<'_>], inherited: &Meta<'_>) {
        for item in items {
            let mut line = match (&item.target, &item.source) {
                (Some(target), Some(source)) => format!("{source} -> {target}"),
                (Some(uri), None) | (None, Some(uri)) => uri.to_string(),
                (None, None) => "(no address)".to_owned(),
            };
            let media_type = item.meta.media_type.as_deref().or(inherited.media_type.as_deref());
            let document = item.data.as_ref().and_then(|data| self.tnds(media_type, data));
            if let (Some(data), None) = (&item.data, &document) {
                line.push_str(" = ");
                line.push_str(&shown(data));
            }
            let meta = meta_words(&item.meta);
            for word in [meta.as_str(), if item.more { "MoreData" } else { "" }] {
                if !word.is_empty() {
                    line.push_str("  ");
                    line.push_str(word);
                }
            }
            self.outline.push(depth, &line);
            if let Some(document) = document {
                self.outline.append(depth.saturating_add(1), document.outline);
                self.warnings.extend(document.warnings);
            }
        }
    }

    /// A tree that the data is said to hold.
    fn tnds(&mut self, media_type: Option<&str>, data: &Data<'_>) -> Option<Decoded> {
        let is_tnds = media_type.is_some_and(|name| [TNDS_XML, TNDS_WBXML].contains(&name));
        let document = match data {
            Data::Opaque(octets) => octets.as_ref(),
            // Text is XML, or base64 of whatever the type says.
            Data::Text(text) if Encoding::sniff(text.as_bytes()).is_some() => text.as_bytes(),
            Data::Text(_) => return None,
        };
        is_tnds.then(|| tnds::document(document, self.leniency))?.ok()
    }
}

/// A command in a line.
fn title(command: &Command<'_>) -> String {
    let correlated = |correlator: &Option<_>| match correlator {
        Some(correlator) => format!(", Correlator {correlator}"),
        None => String::new(),
    };
    let silent = |no_response: bool| if no_response { ", NoResp" } else { "" };
    match command {
        Command::Status(status) => {
            let dm1::Status { id, msg_ref, cmd_ref, cmd, code, .. } = status;
            format!("{} {code} for {cmd} {cmd_ref} of message {msg_ref}", numbered("Status", id))
        }
        Command::Results(results) => {
            let dm1::Results { id, msg_ref, cmd_ref, .. } = results;
            format!("{} for command {cmd_ref} of message {msg_ref}", numbered("Results", id))
        }
        Command::Alert(alert) => {
            let name = AlertCode::parse(&alert.code).map_or_else(String::new, |code| format!(" ({code:?})"));
            let (correlator, silent) = (correlated(&alert.correlator), silent(alert.no_response));
            format!("{} {}{name}{correlator}{silent}", numbered("Alert", &alert.id), alert.code)
        }
        Command::Operation(operation) => {
            let (correlator, silent) = (correlated(&operation.correlator), silent(operation.no_response));
            let name = numbered(OperationKind::as_str(operation.kind), &operation.id);
            format!("{name}{correlator}{silent}")
        }
        Command::Container(container) => {
            let name = numbered(container.kind.as_str(), &container.id);
            format!("{name}{}", silent(container.no_response))
        }
        Command::Unknown(unknown) => {
            let silent = silent(unknown.no_response);
            format!("{}{silent}, which DM does not know", numbered(&unknown.name, &unknown.id))
        }
    }
}

fn numbered(name: &str, id: &str) -> String {
    if id.is_empty() { format!("{name} (no CmdID)") } else { format!("{name} {id}") }
}

/// Octets as digits, text in quotation marks.
fn shown(data: &Data<'_>) -> String {
    match data {
        Data::Text(text) => format!("{text:?}"),
        Data::Opaque(octets) => hex::digits(octets),
    }
}

fn meta_words(meta: &Meta<'_>) -> String {
    let numbers =
        [("Size", meta.size), ("MaxMsgSize", meta.max_message_size), ("MaxObjSize", meta.max_object_size)];
    let texts = [meta.format.as_deref(), meta.media_type.as_deref(), meta.mark.map(dm1::Mark::as_str)];
    let nonce = meta.next_nonce.as_ref().map(|nonce| format!("NextNonce {}", hex::digits(nonce)));
    let words = texts.into_iter().flatten().map(str::to_owned);
    let numbers = numbers.into_iter().filter_map(|(name, number)| Some(format!("{name} {}", number?)));
    words.chain(numbers).chain(nonce).collect::<Vec<_>>().join("  ")
}

fn header_json(header: &Header<'_>) -> Value {
    json!({
        "ver_dtd": header.ver_dtd,
        "ver_proto": header.ver_proto,
        "session_id": header.session_id,
        "message_id": header.message_id,
        "target": location_json(&header.target),
        "source": location_json(&header.source),
        "resp_uri": header.resp_uri,
        "no_response": header.no_response,
        "credentials": header.credentials.as_ref().map(credentials_json),
        "meta": meta_json(&header.meta),
    })
}

fn location_json(location: &Location<'_>) -> Value {
    json!({ "uri": location.uri, "name": location.name })
}

fn credentials_json(credentials: &Credentials<'_>) -> Value {
    json!({ "meta": meta_json(&credentials.meta), "data": credentials.data })
}

fn meta_json(meta: &Meta<'_>) -> Value {
    json!({
        "format": meta.format,
        "type": meta.media_type,
        "mark": meta.mark.map(dm1::Mark::as_str),
        "size": meta.size,
        "next_nonce": meta.next_nonce.as_ref().map(|nonce| hex::digits(nonce)),
        "max_message_size": meta.max_message_size,
        "max_object_size": meta.max_object_size,
    })
}

fn command_json(command: &Command<'_>) -> Value {
    match command {
        Command::Status(status) => json!({
            "command": "Status",
            "id": status.id,
            "msg_ref": status.msg_ref,
            "cmd_ref": status.cmd_ref,
            "cmd": status.cmd,
            "target_refs": status.target_refs,
            "source_refs": status.source_refs,
            "credentials": status.credentials.as_deref().map(credentials_json),
            "challenge": status.challenge.as_deref().map(meta_json),
            "code": status.code,
            "attributes": status.code_attributes,
            "items": items_json(&status.items),
        }),
        Command::Results(results) => json!({
            "command": "Results",
            "id": results.id,
            "msg_ref": results.msg_ref,
            "cmd_ref": results.cmd_ref,
            "meta": meta_json(&results.meta),
            "target_ref": results.target_ref,
            "source_ref": results.source_ref,
            "items": items_json(&results.items),
        }),
        Command::Alert(alert) => json!({
            "command": "Alert",
            "id": alert.id,
            "no_response": alert.no_response,
            "code": alert.code,
            "correlator": alert.correlator,
            "items": items_json(&alert.items),
        }),
        Command::Operation(operation) => json!({
            "command": operation.kind.as_str(),
            "id": operation.id,
            "no_response": operation.no_response,
            "meta": meta_json(&operation.meta),
            "correlator": operation.correlator,
            "items": items_json(&operation.items),
        }),
        Command::Container(container) => json!({
            "command": container.kind.as_str(),
            "id": container.id,
            "no_response": container.no_response,
            "meta": meta_json(&container.meta),
            "commands": container.commands.iter().map(command_json).collect::<Vec<_>>(),
        }),
        Command::Unknown(Unknown { name, id, no_response }) => {
            json!({ "command": name, "id": id, "no_response": no_response, "unknown": true })
        }
    }
}

fn items_json(items: &[Item<'_>]) -> Value {
    items.iter().map(item_json).collect()
}

fn item_json(item: &Item<'_>) -> Value {
    let (text, octets) = match &item.data {
        Some(Data::Text(text)) => (Some(text), None),
        Some(Data::Opaque(octets)) => (None, Some(hex::digits(octets))),
        None => (None, None),
    };
    json!({
        "target": item.target,
        "source": item.source,
        "meta": meta_json(&item.meta),
        "text": text,
        "octets": octets,
        "more_data": item.more,
    })
}
