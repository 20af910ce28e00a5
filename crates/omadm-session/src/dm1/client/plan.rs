//! From a message of the server to what is to be done, step by step in the order of the document (`DM 1.3 PROTO §5`).

use std::borrow::Cow;
use std::collections::BTreeSet;

use omadm_codec::dm1::{Alert, AlertCode, Command, Container, ContainerKind, Operation, OperationKind};
use omadm_codec::{Leniency, Tolerance};
use omadm_mo::ServerId;

use super::answer::{Answer, Answered, CommandRef};
use super::config::{AlertId, Config};
use super::fault::Fault;
use super::large::{Broken, Chunk, Incoming, Piece};
use super::question::Question;
use super::request::{Inherited, Request};
use crate::dm1::status::code;

/// Something to be done.
#[derive(Debug)]
pub(super) struct Step {
    /// The Sequence that it is part of.
    pub(super) sequence: Option<u32>,
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    /// The answer is known.
    Answer(Answered),
    Operate(Operate),
    Ask(Ask),
    /// All or nothing; what it holds is none of its kind.
    Atomic {
        command: CommandRef,
        children: Vec<Work>,
    },
    /// An object was not sent to its end: Alert 1225.
    Interrupted(Broken),
    /// The server answered an alert of the host.
    Delivered {
        id: AlertId,
        status: u16,
    },
}

/// Add, Replace, Delete, Copy, Get or Exec.
#[derive(Debug)]
pub(super) struct Operate {
    pub(super) command: CommandRef,
    pub(super) kind: OperationKind,
    pub(super) correlator: Option<String>,
    pub(super) items: Vec<Request>,
}

/// A user interaction alert.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) command: CommandRef,
    pub(super) question: Box<Question>,
}

/// What a message asks for.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Alert 1225: the object that the device sends is broken.
    pub(super) no_end_of_data: bool,
}

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Body,
    Sequence(u32),
    Atomic,
}

/// Makes a plan.
pub(super) struct Planner<'a> {
    pub(super) config: &'a Config,
    pub(super) server: &'a ServerId,
    pub(super) incoming: &'a mut Incoming,
    pub(super) leniency: &'a mut Leniency,
    plan: Plan,
    ids: BTreeSet<String>,
    sequences: u32,
    /// No Status is wanted for anything in the message.
    no_response: bool,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        config: &'a Config,
        server: &'a ServerId,
        incoming: &'a mut Incoming,
        leniency: &'a mut Leniency,
    ) -> Self {
        let (plan, ids) = (Plan::default(), BTreeSet::new());
        Self { config, server, incoming, leniency, plan, ids, sequences: 0, no_response: false }
    }

    /// The plan; `no_response` is that of the header.
    pub(super) fn plan(mut self, commands: Vec<Command<'_>>, no_response: bool) -> Plan {
        self.no_response = no_response;
        self.incoming.begin_message();
        for command in commands {
            let work = self.command(command, Place::Body, &Inherited::default());
            self.plan.steps.extend(work);
        }
        if let Some(broken) = self.incoming.end_message() {
            self.plan.steps.push(Step { sequence: None, work: Work::Interrupted(broken) });
        }
        self.plan
    }

    /// The steps of one command, none for those that are no request.
    fn command(&mut self, command: Command<'_>, place: Place, around: &Inherited) -> Vec<Step> {
        match command {
            Command::Status(_) => Vec::new(),
            Command::Results(results) => {
                let command = self.reference(&results.id, "Results", false);
                vec![self.refused(command, Fault::NotForDevices("Results"), place)]
            }
            Command::Alert(alert) => vec![self.alert(alert, place)],
            Command::Operation(operation) => self.operation(operation, place, around),
            Command::Container(container) => self.container(container, place, around),
            Command::Unknown(unknown) if unknown.id.is_empty() => Vec::new(),
            Command::Unknown(unknown) => {
                let name = unknown.name.into_owned();
                let command = CommandRef {
                    name: name.clone().into(),
                    ..self.reference(&unknown.id, "", unknown.no_response)
                };
                let fault = if name.is_empty() { Fault::UnknownToken } else { Fault::UnknownCommand(name) };
                vec![self.refused(command, fault, place)]
            }
        }
    }

    fn reference(&self, id: &str, name: &'static str, no_response: bool) -> CommandRef {
        let no_response = no_response || self.no_response;
        CommandRef { id: id.to_owned(), name: Cow::Borrowed(name), no_response }
    }

    /// The command, if its `CmdID` is as it has to be.
    fn admit(&mut self, command: CommandRef) -> Result<CommandRef, (CommandRef, Fault)> {
        if command.id.is_empty() || command.id == "0" {
            return Err((command, Fault::NoId));
        }
        if !self.ids.insert(command.id.clone()) && !self.leniency.allow(Tolerance::DuplicateCmdId) {
            let fault = Fault::RepeatedId(command.id.clone());
            return Err((command, fault));
        }
        Ok(command)
    }

    fn refused(&mut self, command: CommandRef, fault: Fault, place: Place) -> Step {
        step(place, Work::Answer(Answered::whole(command, fault.answer(None))))
    }

    fn alert(&mut self, alert: Alert<'_>, place: Place) -> Step {
        let command = self.reference(&alert.id, "Alert", alert.no_response);
        let command = match self.admit(command) {
            Ok(command) => command,
            Err((command, fault)) => return self.refused(command, fault, place),
        };
        let Some(which) = AlertCode::parse(&alert.code) else {
            let fault = match alert.code.trim().parse::<u32>() {
                Ok(_) => Fault::UnknownAlert(alert.code.into_owned()),
                Err(_) => Fault::IncompleteAlert("code"),
            };
            return self.refused(command, fault, place);
        };
        match which {
            // Part of the session itself: there is nothing to do but to say that it came.
            AlertCode::NextMessage | AlertCode::SessionAbort | AlertCode::NoEndOfData => {
                self.plan.no_end_of_data |= which == AlertCode::NoEndOfData;
                step(place, Work::Answer(Answered::whole(command, Answer::ok())))
            }
            AlertCode::Display
            | AlertCode::ConfirmOrReject
            | AlertCode::TextInput
            | AlertCode::SingleChoice
            | AlertCode::MultipleChoice => {
                let broken = self.interrupted(place);
                match Question::read(which, alert.items, self.server, self.config) {
                    Ok(question) => {
                        self.plan.steps.extend(broken);
                        step(place, Work::Ask(Ask { command, question: Box::new(question) }))
                    }
                    Err(fault) => self.refused(command, fault, place),
                }
            }
            AlertCode::ServerInitiated
            | AlertCode::ClientInitiated
            | AlertCode::ClientEvent
            | AlertCode::GenericAlert
            | AlertCode::SessionlessReport => {
                self.refused(command, Fault::NotForDevices("this alert"), place)
            }
        }
    }

    fn operation(&mut self, operation: Operation<'_>, place: Place, around: &Inherited) -> Vec<Step> {
        let command = self.reference(&operation.id, operation.kind.as_str(), operation.no_response);
        let command = match self.admit(command) {
            Ok(command) => command,
            Err((command, fault)) => return vec![self.refused(command, fault, place)],
        };
        if operation.items.is_empty() {
            return vec![self.refused(command, Fault::Empty, place)];
        }
        let Operation { kind, meta, correlator, items, .. } = operation;
        let around = around.with(&meta);
        let correlator = correlator.map(Cow::into_owned);
        let in_chunks = items.iter().any(|item| item.more);
        let mut pieces: Vec<Piece> = items
            .into_iter()
            .map(|item| Piece {
                kind,
                size: item.meta.size.or(meta.size),
                more: item.more,
                request: Request::new(item, &around),
            })
            .collect();
        let mut steps = Vec::new();
        let alone = pieces.len() == 1 && place == Place::Body;
        let goes_on = alone && pieces.first().is_some_and(|piece| self.incoming.goes_on(piece));
        if !goes_on {
            steps.extend(self.interrupted(place));
        }
        if in_chunks && !alone {
            steps.push(self.refused(command, Fault::MisplacedChunk, place));
            return steps;
        }
        if in_chunks || goes_on {
            let chunk = pieces.pop().map(|piece| self.incoming.take(piece, self.config));
            match chunk {
                Some(Ok(Chunk::Complete(request))) => {
                    let work = Operate { command, kind, correlator, items: vec![request] };
                    steps.push(step(place, Work::Operate(work)));
                }
                Some(Err(fault)) => steps.push(self.refused(command, fault, place)),
                Some(Ok(Chunk::Kept)) | None => {
                    let answer = Answered::whole(command, Answer::of(code::CHUNK_ACCEPTED));
                    steps.push(step(place, Work::Answer(answer)));
                }
            }
            return steps;
        }
        let items = pieces.into_iter().map(|piece| piece.request).collect();
        steps.push(step(place, Work::Operate(Operate { command, kind, correlator, items })));
        steps
    }

    fn container(&mut self, container: Container<'_>, place: Place, around: &Inherited) -> Vec<Step> {
        let Container { kind, id, no_response, meta, commands } = container;
        let mut steps: Vec<Step> = self.interrupted(place).into_iter().collect();
        let misplaced = place == Place::Atomic || (place != Place::Body && kind == ContainerKind::Sequence);
        let command = self.reference(&id, kind.as_str(), no_response);
        let command = match self.admit(command) {
            Ok(command) if commands.is_empty() => Err((command, Fault::Empty)),
            Ok(command) if misplaced => Err((command, Fault::Misplaced(kind.as_str()))),
            admitted => admitted,
        };
        let command = match command {
            Ok(command) => command,
            Err((command, fault)) => {
                steps.push(self.refused(command, fault, place));
                for child in commands {
                    self.not_executed(child, place, &mut steps);
                }
                return steps;
            }
        };
        let around = around.with(&meta);
        match kind {
            ContainerKind::Sequence => {
                // 200 as soon as it begins, whatever becomes of its commands.
                steps.push(step(place, Work::Answer(Answered::whole(command, Answer::ok()))));
                self.sequences += 1;
                let inside = Place::Sequence(self.sequences);
                for child in commands {
                    let child = self.command(child, inside, &around);
                    steps.extend(child);
                }
            }
            ContainerKind::Atomic => {
                let mut children = Vec::new();
                for child in commands {
                    let child = self.command(child, Place::Atomic, &around);
                    children.extend(child.into_iter().map(|step| step.work));
                }
                steps.push(step(place, Work::Atomic { command, children }));
            }
        }
        steps
    }

    /// A command, with all in it, that is not looked at because of what it stands in.
    fn not_executed(&mut self, command: Command<'_>, place: Place, steps: &mut Vec<Step>) {
        let (command, inside) = match command {
            Command::Alert(alert) => (self.reference(&alert.id, "Alert", alert.no_response), Vec::new()),
            Command::Operation(operation) => {
                let Operation { kind, id, no_response, .. } = operation;
                (self.reference(&id, kind.as_str(), no_response), Vec::new())
            }
            Command::Container(container) => {
                let Container { kind, id, no_response, commands, .. } = container;
                (self.reference(&id, kind.as_str(), no_response), commands)
            }
            Command::Status(_) | Command::Results(_) | Command::Unknown(_) => return,
        };
        let answer = Answer::of(code::NOT_EXECUTED);
        steps.push(step(place, Work::Answer(Answered::whole(command, answer))));
        for command in inside {
            self.not_executed(command, place, steps);
        }
    }

    /// Something that is no chunk came while one was awaited.
    fn interrupted(&mut self, place: Place) -> Option<Step> {
        // Inside of a container it came before already.
        let broken = (place == Place::Body).then(|| self.incoming.interrupt())??;
        Some(Step { sequence: None, work: Work::Interrupted(broken) })
    }
}

impl Work {
    /// The commands that it would have answered.
    pub(super) fn commands(&self) -> Vec<CommandRef> {
        match self {
            Self::Answer(answered) => vec![answered.command.clone()],
            Self::Operate(operate) => vec![operate.command.clone()],
            Self::Ask(ask) => vec![ask.command.clone()],
            Self::Atomic { command, children } => {
                let inside = children.iter().flat_map(Self::commands);
                [command.clone()].into_iter().chain(inside).collect()
            }
            Self::Interrupted(_) | Self::Delivered { .. } => Vec::new(),
        }
    }
}

fn step(place: Place, work: Work) -> Step {
    let sequence = match place {
        Place::Sequence(number) => Some(number),
        Place::Body | Place::Atomic => None,
    };
    Step { sequence, work }
}
