//! Encoding messages, strictly in the order of the DTD.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::element::{Element, MetInf, SyncMl};
use super::event::{PublicId, Push, WbxmlWriter, XmlWriter};
use super::form::Form;
use super::message::{
    Alert, AlertCode, Command, Container, ContainerKind, Credentials, Data, Header, Item, Location, Message,
    Operation, OperationKind, Results, Status,
};
use super::meta::{Mark, Meta};

/// A whole message.
#[must_use]
pub fn encode(message: &Message<'_>, form: Form) -> Vec<u8> {
    let mut encoder = Encoder::new(&message.header, form);
    for command in &message.commands {
        encoder.push(command);
    }
    encoder.finish(message.is_final)
}

/// Writes a message command by command, and tells at any time how long it is, so that it can be kept within `MaxMsgSize` to the octet.
///
/// A [`Command::Unknown`] is left out. `Correlator` is left out where `VerDTD` is 1.1, which does not have it.
#[derive(Clone)]
pub struct Encoder {
    sink: Sink,
    /// `VerDTD` is 1.1.
    old: bool,
}

#[derive(Clone)]
enum Sink {
    Xml(XmlWriter),
    Wbxml(WbxmlWriter),
}

/// A place in a message to come back to.
#[derive(Clone, Copy, Debug)]
pub struct Place(PlaceOf);

#[derive(Clone, Copy, Debug)]
enum PlaceOf {
    Xml(super::xml::Place),
    Wbxml(super::wbxml::Place),
}

impl Encoder {
    /// Begins a message.
    #[must_use]
    pub fn new(header: &Header<'_>, form: Form) -> Self {
        let old = header.ver_dtd == "1.1";
        let sink = match form {
            Form::Xml => {
                let mut sink = XmlWriter::new(&header.ver_dtd);
                begin(&mut sink, header);
                Sink::Xml(sink)
            }
            Form::Wbxml(version) => {
                let id = if old { PublicId::SyncMl11 } else { PublicId::SyncMl12 };
                let mut sink = WbxmlWriter::new(version, id);
                begin(&mut sink, header);
                Sink::Wbxml(sink)
            }
        };
        Self { sink, old }
    }

    /// Adds a command.
    pub fn push(&mut self, command: &Command<'_>) {
        match &mut self.sink {
            Sink::Xml(sink) => write_command(sink, command, self.old),
            Sink::Wbxml(sink) => write_command(sink, command, self.old),
        }
    }

    /// Adds a command if the message with it, and with `Final`, has at most `limit` octets; says whether it did.
    #[must_use]
    pub fn push_within(&mut self, command: &Command<'_>, limit: usize) -> bool {
        let place = self.place();
        self.push(command);
        let fits = self.length(true) <= limit;
        if !fits {
            self.rewind(place);
        }
        fits
    }

    /// Octets of the message if it ended here.
    #[must_use]
    pub fn length(&self, is_final: bool) -> usize {
        let last = is_final.then_some(SyncMl::Final.into());
        match &self.sink {
            Sink::Xml(sink) => sink.closed_length(last),
            Sink::Wbxml(sink) => sink.closed_length(last),
        }
    }

    /// The place after the command added last.
    #[must_use]
    pub fn place(&self) -> Place {
        Place(match &self.sink {
            Sink::Xml(sink) => PlaceOf::Xml(sink.place()),
            Sink::Wbxml(sink) => PlaceOf::Wbxml(sink.place()),
        })
    }

    /// Takes back the commands that were added after a place of this message.
    pub fn rewind(&mut self, place: Place) {
        match (&mut self.sink, place.0) {
            (Sink::Xml(sink), PlaceOf::Xml(place)) => sink.rewind(place),
            (Sink::Wbxml(sink), PlaceOf::Wbxml(place)) => sink.rewind(place),
            // The place is of another message.
            _ => {}
        }
    }

    /// The message.
    #[must_use]
    pub fn finish(self, is_final: bool) -> Vec<u8> {
        match self.sink {
            Sink::Xml(mut sink) => {
                end(&mut sink, is_final);
                sink.into_bytes()
            }
            Sink::Wbxml(mut sink) => {
                end(&mut sink, is_final);
                sink.into_bytes()
            }
        }
    }
}

impl fmt::Debug for Encoder {
    /// A message may hold secrets: only how long it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoder({} octets)", self.length(false))
    }
}

fn begin(sink: &mut impl Push, header: &Header<'_>) {
    sink.start(SyncMl::SyncMl);
    sink.within(SyncMl::SyncHdr, |sink| write_header(sink, header));
    sink.start(SyncMl::SyncBody);
}

fn end(sink: &mut impl Push, is_final: bool) {
    flag(sink, SyncMl::Final, is_final);
    sink.end();
    sink.end();
}

fn write_header(sink: &mut impl Push, header: &Header<'_>) {
    sink.leaf(SyncMl::VerDtd, &header.ver_dtd);
    sink.leaf(SyncMl::VerProto, &header.ver_proto);
    sink.leaf(SyncMl::SessionId, &header.session_id);
    sink.leaf(SyncMl::MsgId, &header.message_id);
    sink.within(SyncMl::Target, |sink| write_location(sink, &header.target));
    sink.within(SyncMl::Source, |sink| write_location(sink, &header.source));
    optional(sink, SyncMl::RespUri, header.resp_uri.as_deref());
    flag(sink, SyncMl::NoResp, header.no_response);
    if let Some(credentials) = &header.credentials {
        write_credentials(sink, credentials);
    }
    write_meta(sink, &header.meta);
}

fn write_location(sink: &mut impl Push, location: &Location<'_>) {
    sink.leaf(SyncMl::LocUri, &location.uri);
    optional(sink, SyncMl::LocName, location.name.as_deref());
}

fn write_credentials(sink: &mut impl Push, credentials: &Credentials<'_>) {
    sink.within(SyncMl::Cred, |sink| {
        write_meta(sink, &credentials.meta);
        sink.leaf(SyncMl::Data, &credentials.data);
    });
}

fn optional(sink: &mut impl Push, element: impl Into<Element>, text: Option<&str>) {
    if let Some(text) = text {
        sink.leaf(element, text);
    }
}

/// An element that says all by being there.
fn flag(sink: &mut impl Push, element: SyncMl, is_set: bool) {
    if is_set {
        sink.empty(element);
    }
}

fn write_command(sink: &mut impl Push, command: &Command<'_>, old: bool) {
    match command {
        Command::Status(status) => sink.within(SyncMl::Status, |sink| write_status(sink, status)),
        Command::Results(results) => sink.within(SyncMl::Results, |sink| write_results(sink, results)),
        Command::Alert(alert) => sink.within(SyncMl::Alert, |sink| write_alert(sink, alert, old)),
        Command::Operation(operation) => {
            sink.within(name_of_operation(operation.kind), |sink| write_operation(sink, operation, old));
        }
        Command::Container(container) => {
            sink.within(name_of_container(container.kind), |sink| write_container(sink, container, old));
        }
        Command::Unknown(_) => {}
    }
}

fn name_of_operation(kind: OperationKind) -> SyncMl {
    match kind {
        OperationKind::Add => SyncMl::Add,
        OperationKind::Replace => SyncMl::Replace,
        OperationKind::Delete => SyncMl::Delete,
        OperationKind::Copy => SyncMl::Copy,
        OperationKind::Get => SyncMl::Get,
        OperationKind::Exec => SyncMl::Exec,
    }
}

fn name_of_container(kind: ContainerKind) -> SyncMl {
    match kind {
        ContainerKind::Atomic => SyncMl::Atomic,
        ContainerKind::Sequence => SyncMl::Sequence,
    }
}

fn write_status(sink: &mut impl Push, status: &Status<'_>) {
    sink.leaf(SyncMl::CmdId, &status.id);
    sink.leaf(SyncMl::MsgRef, &status.msg_ref);
    sink.leaf(SyncMl::CmdRef, &status.cmd_ref);
    sink.leaf(SyncMl::Cmd, &status.cmd);
    for address in &status.target_refs {
        sink.leaf(SyncMl::TargetRef, address);
    }
    for address in &status.source_refs {
        sink.leaf(SyncMl::SourceRef, address);
    }
    if let Some(credentials) = &status.credentials {
        write_credentials(sink, credentials);
    }
    if let Some(challenge) = &status.challenge {
        sink.within(SyncMl::Chal, |sink| {
            sink.within(SyncMl::Meta, |sink| write_meta_children(sink, challenge))
        });
    }
    sink.leaf(SyncMl::Data, &status.code);
    write_items(sink, &status.items, false);
}

fn write_results(sink: &mut impl Push, results: &Results<'_>) {
    sink.leaf(SyncMl::CmdId, &results.id);
    let message = Some(results.msg_ref.as_ref()).filter(|reference| !reference.is_empty());
    optional(sink, SyncMl::MsgRef, message);
    sink.leaf(SyncMl::CmdRef, &results.cmd_ref);
    write_meta(sink, &results.meta);
    optional(sink, SyncMl::TargetRef, results.target_ref.as_deref());
    optional(sink, SyncMl::SourceRef, results.source_ref.as_deref());
    write_items(sink, &results.items, false);
}

fn write_alert(sink: &mut impl Push, alert: &Alert<'_>, old: bool) {
    sink.leaf(SyncMl::CmdId, &alert.id);
    flag(sink, SyncMl::NoResp, alert.no_response);
    let code = Some(alert.code.as_ref()).filter(|code| !code.is_empty());
    optional(sink, SyncMl::Data, code);
    optional(sink, SyncMl::Correlator, alert.correlator.as_deref().filter(|_| !old));
    write_items(sink, &alert.items, AlertCode::parse(&alert.code) == Some(AlertCode::SessionlessReport));
}

fn write_operation(sink: &mut impl Push, operation: &Operation<'_>, old: bool) {
    sink.leaf(SyncMl::CmdId, &operation.id);
    flag(sink, SyncMl::NoResp, operation.no_response);
    write_meta(sink, &operation.meta);
    optional(sink, SyncMl::Correlator, operation.correlator.as_deref().filter(|_| !old));
    write_items(sink, &operation.items, false);
}

fn write_container(sink: &mut impl Push, container: &Container<'_>, old: bool) {
    sink.leaf(SyncMl::CmdId, &container.id);
    flag(sink, SyncMl::NoResp, container.no_response);
    write_meta(sink, &container.meta);
    for command in &container.commands {
        write_command(sink, command, old);
    }
}

/// `Item`s; the `Data` of a report without a session must not be escaped (`DM 1.3 Sessionless Reporting §5.1`).
fn write_items(sink: &mut impl Push, items: &[Item<'_>], report: bool) {
    for item in items {
        sink.within(SyncMl::Item, |sink| write_item(sink, item, report));
    }
}

fn write_item(sink: &mut impl Push, item: &Item<'_>, report: bool) {
    for (element, uri) in [(SyncMl::Target, &item.target), (SyncMl::Source, &item.source)] {
        if let Some(uri) = uri {
            sink.within(element, |sink| sink.leaf(SyncMl::LocUri, uri));
        }
    }
    write_meta(sink, &item.meta);
    match &item.data {
        None => {}
        Some(Data::Text(text)) if text.is_empty() => sink.empty(SyncMl::Data),
        Some(Data::Text(text)) => {
            let markup = item.meta.format.as_deref() == Some("xml") && !item.more && text.contains('<');
            sink.within(SyncMl::Data, |sink| match (report, markup) {
                (true, _) => sink.cdata(text),
                (false, true) => sink.markup(text),
                (false, false) => sink.text(text),
            });
        }
        Some(Data::Opaque(octets)) => sink.within(SyncMl::Data, |sink| sink.opaque(octets)),
    }
    flag(sink, SyncMl::MoreData, item.more);
}

fn write_meta(sink: &mut impl Push, meta: &Meta<'_>) {
    if !meta.is_empty() {
        sink.within(SyncMl::Meta, |sink| write_meta_children(sink, meta));
    }
}

fn write_meta_children(sink: &mut impl Push, meta: &Meta<'_>) {
    optional(sink, MetInf::Format, meta.format.as_deref());
    optional(sink, MetInf::Type, meta.media_type.as_deref());
    optional(sink, MetInf::Mark, meta.mark.map(Mark::as_str));
    write_number(sink, MetInf::Size, meta.size);
    if let Some(nonce) = &meta.next_nonce {
        sink.leaf(MetInf::NextNonce, &STANDARD.encode(nonce));
    }
    write_number(sink, MetInf::MaxMsgSize, meta.max_message_size);
    write_number(sink, MetInf::MaxObjSize, meta.max_object_size);
}

fn write_number(sink: &mut impl Push, element: MetInf, number: Option<u64>) {
    if let Some(number) = number {
        sink.leaf(element, &number.to_string());
    }
}
