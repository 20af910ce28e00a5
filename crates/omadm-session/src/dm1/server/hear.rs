//! What a message of a device says.

use std::collections::BTreeSet;

use omadm_codec::dm1::{
    Alert, AlertCode, Command, Container, ContainerKind, Message, Meta, Operation, OperationKind, Results,
    Status,
};
use omadm_codec::{Leniency, Tolerance};
use omadm_mo::Format;

use super::object::{Object, Taken};
use super::state::{Carried, Due, Flight, State, Told};
use super::values::{Reading, is_tnds};
use super::{AlertItem, Config, Node, ReceivedAlert};
use crate::dm1::status::code;

/// Most statuses that are looked at for one command: it has one for itself, each item and each command in it.
const MAX_STATUSES: usize = 4096;

/// What a message says, besides what it says of commands that are out.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// DevInfo and management objects.
    pub(super) told: Vec<Node>,
    /// 1224 and 1226.
    pub(super) alerts: Vec<ReceivedAlert>,
    /// The status of the header of the message sent last, and its challenge.
    pub(super) header: Option<(u16, Option<Meta<'static>>)>,
    /// The status of the Sequence around the commands.
    pub(super) wrapper: Option<u16>,
    /// 1223.
    pub(super) aborted: bool,
    /// 1222.
    pub(super) next: bool,
    /// 1225: the object on its way to the device is lost.
    pub(super) object_lost: bool,
    /// Objects of the device that broke off: source and target.
    pub(super) broken: Vec<(Option<String>, Option<String>)>,
}

/// Takes in a message, statuses and results into the flights of `state`, statuses to be sent into its `due`.
pub(super) fn hear(
    config: &Config,
    state: &mut State,
    message: &Message<'_>,
    leniency: &mut Leniency,
    notes: &mut Vec<String>,
) -> Said {
    let had_object = state.incoming.is_some();
    let mut hearing = Hearing {
        config,
        state,
        msg_ref: message.header.message_id.as_ref(),
        leniency,
        notes,
        said: Said::default(),
        silent: message.header.no_response,
        numbers: BTreeSet::new(),
        continued: false,
    };
    for command in &message.commands {
        hearing.silent = message.header.no_response || wants_no_status(command);
        hearing.command(command);
    }
    if had_object && !hearing.continued {
        hearing.break_off();
    }
    hearing.said
}

pub(super) struct Hearing<'h> {
    pub(super) config: &'h Config,
    pub(super) state: &'h mut State,
    msg_ref: &'h str,
    leniency: &'h mut Leniency,
    pub(super) notes: &'h mut Vec<String>,
    pub(super) said: Said,
    /// No status is wanted for the command in work, or for any.
    silent: bool,
    numbers: BTreeSet<String>,
    /// Something of the object that was open came.
    pub(super) continued: bool,
}

impl Hearing<'_> {
    fn command(&mut self, command: &Command<'_>) {
        match command {
            Command::Status(status) => self.status(status),
            Command::Results(results) => {
                if self.admit(&results.id, "Results") {
                    self.results(results);
                }
            }
            Command::Alert(alert) => {
                if self.admit(&alert.id, "Alert") {
                    self.alert(alert);
                }
            }
            Command::Operation(operation) => {
                if self.admit(&operation.id, operation.kind.as_str()) {
                    self.operation(operation);
                }
            }
            Command::Container(container) => self.container(container),
            Command::Unknown(unknown) => {
                self.notes.push(format!("the device sent {}, which is no command of DM", unknown.name));
                if !unknown.id.is_empty() {
                    self.answer(&unknown.id, &unknown.name, unknown_command(&unknown.name));
                }
            }
        }
    }

    /// Whether a command has a number of its own, or that is tolerated.
    fn admit(&mut self, id: &str, cmd: &str) -> bool {
        let missing = matches!(id, "" | "0");
        let tolerance = if missing { Tolerance::MissingCmdId } else { Tolerance::DuplicateCmdId };
        if (missing || !self.numbers.insert(id.to_owned())) && !self.leniency.allow(tolerance) {
            self.answer(id, cmd, code::BAD_REQUEST);
            return false;
        }
        true
    }

    /// A status to be sent, if it is wanted (`NoResp`).
    fn answer(&mut self, cmd_ref: &str, cmd: &str, code: u16) {
        if self.silent {
            return;
        }
        self.state.due.push(Due {
            msg_ref: self.msg_ref.to_owned(),
            cmd_ref: cmd_ref.to_owned(),
            cmd: cmd.to_owned(),
            code,
        });
    }

    fn status(&mut self, status: &Status<'_>) {
        let code = status.code.trim().parse().unwrap_or_else(|_| {
            self.notes.push(format!("a Status has the code {:?}, taken as 500", status.code));
            code::COMMAND_FAILED
        });
        let loose = status.msg_ref.is_empty() || status.cmd_ref.is_empty();
        if loose && !self.leniency.allow(Tolerance::LooseReference) {
            self.notes.push("a Status without MsgRef or CmdRef was ignored".into());
            return;
        }
        let message =
            if status.msg_ref.is_empty() { Some(self.state.said) } else { status.msg_ref.parse().ok() };
        let command = match status.cmd_ref.as_ref() {
            "" if status.cmd == "SyncHdr" => Some(0),
            text => text.parse::<u32>().ok(),
        };
        match (message, command) {
            (Some(message), Some(0)) if message == self.state.said => {
                self.said.header = Some((code, status.challenge.as_deref().cloned().map(Meta::into_owned)));
            }
            (Some(message), Some(command)) => self.status_of(message, command, code, status),
            _ => self.notes.push(format!(
                "a Status {code} for MsgRef {:?}, CmdRef {:?} was ignored",
                status.msg_ref, status.cmd_ref
            )),
        }
    }

    fn status_of(&mut self, message: u64, command: u32, code: u16, status: &Status<'_>) {
        if self.state.wrapper == Some((message, command)) {
            self.said.wrapper = Some(code);
            return;
        }
        let Some(flight) = find(&mut self.state.flights, message, command) else {
            // Alerts 1222 and 1225, and headers of earlier messages, need no attention.
            if status.cmd != "Alert" && command != 0 {
                let (cmd, cmd_ref) = (&status.cmd, &status.cmd_ref);
                self.notes.push(format!(
                    "a Status {code} for {cmd} {message}/{cmd_ref} fits no command that is out"
                ));
            }
            return;
        };
        let part = command - flight.command;
        let target = status.target_refs.first().or(status.source_refs.first());
        let target = target.map(|text| text.as_ref().to_owned());
        let heard = &mut flight.heard;
        if heard.statuses.iter().any(|(p, t, old)| *p == part && *t == target && *old != code::IN_PROGRESS) {
            self.notes.push(format!("a second Status {code} for {message}/{command} was ignored"));
            return;
        }
        if heard.statuses.len() >= MAX_STATUSES {
            return;
        }
        heard.statuses.retain(|(p, t, _)| *p != part || *t != target);
        heard.statuses.push((part, target, code));
        for item in &status.items {
            if let Some(data) = &item.data {
                heard.input.push(Carried::of(data));
            } else if let Some(uri) = item.target.as_deref().or(item.source.as_deref()) {
                heard.detail = Some(uri.to_owned());
            }
        }
        let mut attributes = status.code_attributes.iter();
        let original = attributes.find(|(name, _)| name.ends_with("originalerror"));
        if let Some((_, error)) = original {
            heard.detail = Some(format!("original error {error}"));
        }
    }

    fn results(&mut self, results: &Results<'_>) {
        let loose = results.msg_ref.is_empty() || results.cmd_ref.is_empty();
        if loose && !self.leniency.allow(Tolerance::LooseReference) {
            self.answer(&results.id, "Results", code::BAD_REQUEST);
            return;
        }
        // Absent means 1 (`DM 1.3 REPPRO §7.6.13`).
        let number = |text: &str| if text.is_empty() { Some(1) } else { text.parse::<u64>().ok() };
        let refs = (number(&results.msg_ref), number(&results.cmd_ref).and_then(|n| u32::try_from(n).ok()));
        let known = match refs {
            (Some(message), Some(command)) => find(&mut self.state.flights, message, command).is_some(),
            _ => false,
        };
        if !known {
            let (message, command) = (&results.msg_ref, &results.cmd_ref);
            self.notes.push(format!("Results for {message}/{command} fit no command that is out"));
        }
        let named = (results.msg_ref.as_ref().to_owned(), results.cmd_ref.as_ref().to_owned());
        for item in &results.items {
            let object = Object { command: "Results", refs: named.clone(), item, meta: &results.meta };
            let taken = self.object(&object);
            let answer = match &taken {
                Taken::Buffered => Some(code::CHUNK_ACCEPTED),
                Taken::Faulty(code, _) => Some(*code),
                Taken::Whole(_) => None,
            };
            if let Some(code) = answer {
                self.answer(&results.id, "Results", code);
            }
            if let (true, (Some(message), Some(command))) = (known, refs) {
                self.collect(message, command, taken);
            }
        }
    }

    fn collect(&mut self, message: u64, command: u32, taken: Taken) {
        let most = self.config.max_nodes;
        let Some(flight) = find(&mut self.state.flights, message, command) else { return };
        let heard = &mut flight.heard;
        match taken {
            Taken::Buffered => {}
            Taken::Faulty(code, reason) => heard.fault = Some((code, reason)),
            Taken::Whole(_) if heard.nodes.len() >= most => {
                heard.fault = Some((code::TOO_LARGE, format!("it brought more than {most} nodes")));
            }
            Taken::Whole(told) => {
                heard.fault = None;
                heard.nodes.push(told);
            }
        }
    }

    fn alert(&mut self, alert: &Alert<'_>) {
        let known = AlertCode::parse(&alert.code);
        let answer = match known {
            Some(AlertCode::ServerInitiated | AlertCode::ClientInitiated) => code::OK,
            Some(AlertCode::NextMessage) => {
                self.said.next = true;
                code::OK
            }
            Some(AlertCode::SessionAbort) => {
                self.said.aborted = true;
                code::OK
            }
            Some(AlertCode::NoEndOfData) => {
                self.said.object_lost = true;
                code::OK
            }
            Some(code @ (AlertCode::ClientEvent | AlertCode::GenericAlert)) => self.event(code, alert),
            Some(
                AlertCode::Display
                | AlertCode::ConfirmOrReject
                | AlertCode::TextInput
                | AlertCode::SingleChoice
                | AlertCode::MultipleChoice,
            ) => code::NOT_ALLOWED,
            Some(AlertCode::SessionlessReport) => {
                self.notes.push("an Alert 1230 is no part of a session".into());
                code::UNSUPPORTED_FEATURE
            }
            None if alert.code.trim().parse::<u32>().is_ok() => code::UNSUPPORTED_FEATURE,
            None => code::INCOMPLETE,
        };
        self.answer(&alert.id, "Alert", answer);
    }

    /// Takes an alert 1224 or 1226 (`DM 1.3 PROTO §6.7`); says with which status.
    fn event(&mut self, code: AlertCode, alert: &Alert<'_>) -> u16 {
        let generic = code == AlertCode::GenericAlert;
        let lacks = |item: &omadm_codec::dm1::Item<'_>| {
            item.data.is_none() || item.meta.media_type.is_none() || item.meta.format.is_none()
        };
        if alert.items.is_empty() || (generic && alert.items.iter().any(lacks)) {
            return code::INCOMPLETE;
        }
        let unreadable = |item: &omadm_codec::dm1::Item<'_>| {
            item.meta.format.as_deref().is_some_and(|format| Format::parse(format).is_none())
        };
        if generic && alert.items.iter().any(unreadable) {
            return code::UNSUPPORTED_TYPE;
        }
        let (mut items, none) = (Vec::new(), Meta::default());
        for item in &alert.items {
            // An event of Windows has no address.
            let object = Object { command: "Alert", refs: Default::default(), item, meta: &none };
            match self.object(&object) {
                Taken::Buffered => return code::CHUNK_ACCEPTED,
                Taken::Faulty(code, _) => return code,
                Taken::Whole(told) => items.push(AlertItem {
                    source: item.source.as_deref().map(str::to_owned),
                    target: item.target.as_deref().map(str::to_owned),
                    alert_type: told.media_type,
                    format: told.format,
                    mark: item.meta.mark.unwrap_or_default(),
                    data: told.data.as_ref().map(Carried::value),
                }),
            }
        }
        let correlator = alert.correlator.as_deref().map(|text| text.trim().to_owned());
        self.said.alerts.push(ReceivedAlert { code, correlator, items });
        code::OK
    }

    /// The only command that a device may send is a Replace of what it tells of itself (`DM 1.3 PROTO §6.3`).
    fn operation(&mut self, operation: &Operation<'_>) {
        let cmd = operation.kind.as_str();
        let own = |item: &omadm_codec::dm1::Item<'_>| {
            let media_type = item.meta.media_type.as_deref().or(operation.meta.media_type.as_deref());
            let uri = item.source.as_deref().or(item.target.as_deref());
            uri.is_some_and(|uri| {
                ["./DevInfo", "./DevDetail"].iter().any(|root| is_below(uri, root))
                    || media_type.is_some_and(is_tnds)
            })
        };
        let allowed = operation.kind == OperationKind::Replace
            && !operation.items.is_empty()
            && operation.items.iter().all(own);
        if !allowed {
            self.notes.push(format!("the device sent {cmd}, which only a server may"));
            self.answer(&operation.id, cmd, code::NOT_ALLOWED);
            return;
        }
        let mut answer = code::OK;
        for item in &operation.items {
            let object = Object { command: cmd, refs: Default::default(), item, meta: &operation.meta };
            match self.object(&object) {
                Taken::Buffered => answer = code::CHUNK_ACCEPTED,
                Taken::Faulty(code, _) => answer = code,
                Taken::Whole(told) => self.tell(&told),
            }
        }
        self.answer(&operation.id, cmd, answer);
    }

    fn tell(&mut self, told: &Told) {
        self.state.knows_device |= is_below(&told.uri, "./DevInfo");
        let mut reading =
            Reading { limits: self.config.limits, leniency: &mut *self.leniency, notes: &mut *self.notes };
        match reading.nodes(told, false) {
            Ok(nodes) => {
                let room = self.config.max_nodes.saturating_sub(self.said.told.len());
                self.said.told.extend(nodes.into_iter().take(room));
            }
            Err(reason) => self.notes.push(format!("{} was told, but {reason}", told.uri)),
        }
    }

    fn container(&mut self, container: &Container<'_>) {
        let cmd = match container.kind {
            ContainerKind::Atomic | ContainerKind::Sequence => container.kind.as_str(),
        };
        self.notes.push(format!("the device sent {cmd}, which only a server may"));
        self.answer(&container.id, cmd, code::NOT_ALLOWED);
        for command in &container.commands {
            match command {
                Command::Alert(alert) => self.answer(&alert.id, "Alert", code::NOT_ALLOWED),
                Command::Operation(operation) => {
                    self.answer(&operation.id, operation.kind.as_str(), code::NOT_ALLOWED);
                }
                Command::Container(inner) => self.answer(&inner.id, inner.kind.as_str(), code::NOT_ALLOWED),
                Command::Unknown(unknown) => {
                    self.answer(&unknown.id, &unknown.name, unknown_command(&unknown.name));
                }
                Command::Status(_) | Command::Results(_) => {}
            }
        }
    }
}

/// Whether a command of the body has `NoResp`. What a container holds is refused with it.
fn wants_no_status(command: &Command<'_>) -> bool {
    match command {
        Command::Alert(alert) => alert.no_response,
        Command::Operation(operation) => operation.no_response,
        Command::Container(container) => container.no_response,
        Command::Unknown(unknown) => unknown.no_response,
        Command::Status(_) | Command::Results(_) => false,
    }
}

/// The flight that a command of a message belongs to.
fn find(flights: &mut [Flight], message: u64, command: u32) -> Option<&mut Flight> {
    flights.iter_mut().find(|flight| {
        let last = flight.command.saturating_add(flight.parts);
        flight.message == message && (flight.command..=last).contains(&command)
    })
}

/// Whether an address is that of a node, or of one below it.
fn is_below(uri: &str, root: &str) -> bool {
    let uri = uri.strip_prefix("./").unwrap_or(uri);
    let root = root.strip_prefix("./").unwrap_or(root);
    uri.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// Status of a command that DM does not have; one whose token stands for no element has no name.
fn unknown_command(name: &str) -> u16 {
    if name.is_empty() { code::BAD_REQUEST } else { code::NOT_IMPLEMENTED }
}
