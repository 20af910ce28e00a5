//! From what a device said of a command to the verdict on it, or to the next way to try.

use std::collections::BTreeSet;

use omadm_codec::dm1::OperationKind;
use omadm_codec::{Leniency, Tolerance};

use super::compile::{WALK, about, kind, name};
use super::state::{Carried, Flight, Heard, Progress, Stage, Told};
use super::task::{Listing, Task};
use super::values::{Reading, is_tnds};
use super::{Answer, Capabilities, CommandResult, Config, Data, Node, Pending, Verdict};
use crate::dm1::QuestionKind;
use crate::dm1::explain::sentence;
use crate::dm1::status::{code, is_success};

/// What becomes of a command that was out.
#[derive(Debug)]
pub(super) enum Settled {
    /// It has its verdict.
    Result(CommandResult),
    /// It needs another message.
    Open(Progress),
}

/// Gives verdicts on commands.
pub(super) struct Court<'c> {
    pub(super) config: &'c Config,
    pub(super) capabilities: &'c mut Capabilities,
    pub(super) leniency: &'c mut Leniency,
    pub(super) notes: &'c mut Vec<String>,
}

impl Court<'_> {
    /// Takes what was said of a queued command.
    pub(super) fn settle(&mut self, pending: &Pending, mut flight: Flight) -> Settled {
        let task = match &pending.task {
            Ok(task) => task,
            Err(reason) => return Settled::Result(quarantined(pending.seq, reason)),
        };
        let heard = std::mem::take(&mut flight.heard);
        let said = Said { pending, task, stage: flight.stage };
        let Some(status) = self.status(&heard, flight.parts) else {
            let reason = format!("{} was sent, but the device gave no status for it", said.describe());
            return Settled::Result(again(self.config, pending, reason));
        };
        if let Some(sent) = flight.chunk {
            return self.chunk(&said, &heard, status, sent);
        }
        if let Some((code, reason)) = heard.fault.clone().filter(|_| is_success(status)) {
            let sentence = format!("{} was answered with {status}, but {reason}", said.describe());
            let failed =
                CommandResult { sentence: Some(sentence), ..said.result(Verdict::Failed(code), &heard) };
            return Settled::Result(failed);
        }
        self.learn(task, status);
        match task {
            Task::List { how, .. } => self.list(&said, *how, heard, status, flight.walk),
            Task::Set { .. } if said.stage == Stage::First && other_way(kind(task, said.stage), status) => {
                let mut progress = Progress::first(Some(pending.seq));
                progress.stage = Stage::Other;
                Settled::Open(progress)
            }
            Task::Get { .. } => {
                let data = self.read(&heard.nodes, true).map(Data::Nodes);
                self.judged(&said, &heard, status, data)
            }
            Task::Raw { kind: OperationKind::Get, .. } => {
                let data = self.read(&heard.nodes, true).map(Data::Nodes);
                self.judged(&said, &heard, status, data)
            }
            Task::Ask(question) => Settled::Result(asked(self.config, &said, &question.kind, &heard, status)),
            Task::Atomic(_) | Task::Sequence(_) => self.container(&said, &heard, status, flight.parts),
            Task::Exec { .. } if status == code::ACCEPTED => {
                Settled::Result(said.told(Verdict::Accepted, status, &heard))
            }
            Task::Set { .. }
            | Task::Delete { .. }
            | Task::Exec { .. }
            | Task::Copy { .. }
            | Task::Raw { .. } => self.judged(&said, &heard, status, Ok(None)),
        }
    }

    /// The status of a command: of all that are there for it the one that tells most. `None`: it has none that is final.
    fn status(&mut self, heard: &Heard, parts: u32) -> Option<u16> {
        let own = heard.statuses.iter().filter(|(part, _, code)| *part == 0 && *code != code::IN_PROGRESS);
        let codes: Vec<u16> = own.map(|(_, _, code)| *code).collect();
        let bad = codes.iter().find(|code| !is_success(**code));
        if let Some(code) = bad.or(codes.first()) {
            return Some(*code);
        }
        let in_progress = heard.statuses.iter().any(|(_, _, code)| *code == code::IN_PROGRESS);
        // Some clients answer what is in a container, or bring results, and leave out the status.
        let has_parts =
            parts > 0 && (1..=parts).all(|part| heard.statuses.iter().any(|(p, _, _)| *p == part));
        let is_told = has_parts || !heard.nodes.is_empty();
        if in_progress || !is_told || !self.leniency.allow(Tolerance::LooseReference) {
            return None;
        }
        let of_parts = heard.statuses.iter().map(|(_, _, code)| *code).find(|code| !is_success(*code));
        Some(of_parts.unwrap_or(code::OK))
    }

    fn chunk(&mut self, said: &Said<'_>, heard: &Heard, status: u16, sent: u64) -> Settled {
        if status == code::CHUNK_ACCEPTED {
            self.capabilities.large_objects = Some(true);
            let progress = Progress { stage: said.stage, sent, ..Progress::first(Some(said.pending.seq)) };
            return Settled::Open(progress);
        }
        if matches!(status, code::TOO_LARGE | code::UNSUPPORTED_FEATURE) || is_success(status) {
            self.capabilities.large_objects = Some(false);
        }
        if other_way(kind(said.task, said.stage), status) && said.stage == Stage::First {
            let progress = Progress { stage: Stage::Other, ..Progress::first(Some(said.pending.seq)) };
            return Settled::Open(progress);
        }
        if is_success(status) {
            let describe = said.describe();
            let sentence = format!(
                "{describe} was answered with {status} before its object was complete: the device takes no objects in several messages"
            );
            let failed = said.result(Verdict::Failed(code::TOO_LARGE), heard);
            return Settled::Result(CommandResult { sentence: Some(sentence), ..failed });
        }
        self.judged(said, heard, status, Ok(None))
    }

    /// What a status says about the device.
    fn learn(&mut self, task: &Task, status: u16) {
        let lacks = matches!(status, code::UNSUPPORTED_FEATURE | code::NOT_IMPLEMENTED);
        let known = if lacks { Some(false) } else { is_success(status).then_some(true) };
        let place = match task {
            Task::Copy { .. } => &mut self.capabilities.copy,
            Task::Exec { .. } => &mut self.capabilities.exec,
            Task::Atomic(_) => &mut self.capabilities.atomic,
            Task::Sequence(_) => &mut self.capabilities.sequence,
            Task::Ask(_) => &mut self.capabilities.user_interaction,
            Task::Set { content, .. } if content.media_type.as_deref().is_some_and(is_tnds) => {
                if status == code::UNSUPPORTED_TYPE {
                    self.capabilities.tnds = Some(false);
                }
                return;
            }
            Task::List { .. }
            | Task::Get { .. }
            | Task::Set { .. }
            | Task::Delete { .. }
            | Task::Raw { .. } => return,
        };
        *place = known.or(*place);
    }

    fn list(
        &mut self,
        said: &Said<'_>,
        how: Listing,
        heard: Heard,
        status: u16,
        walk: (Vec<Told>, Vec<String>),
    ) -> Settled {
        if said.stage == Stage::Walk {
            return self.walk(said, heard, status, walk);
        }
        // A device that does not know the query answers as to a plain Get.
        let plain = match heard.nodes.as_slice() {
            [only] => only.children().is_some(),
            _ => false,
        };
        let lacks = matches!(
            status,
            code::BAD_REQUEST
                | code::NOT_ALLOWED
                | code::UNSUPPORTED_FEATURE
                | code::UNSUPPORTED_TYPE
                | code::COMMAND_FAILED
                | code::NOT_IMPLEMENTED
        );
        let place = match said.stage {
            Stage::Tnds => Some(&mut self.capabilities.tnds),
            Stage::StructData | Stage::Struct => Some(&mut self.capabilities.struct_data),
            Stage::MoRoot | Stage::MoRootData => Some(&mut self.capabilities.mo_root),
            Stage::First | Stage::Other | Stage::Walk => None,
        };
        if lacks || plain || is_success(status) {
            place.into_iter().for_each(|place| *place = Some(!lacks && !plain));
        }
        let next = match (said.stage, how) {
            _ if !lacks && !plain => None,
            (Stage::Tnds, _) => Some(Stage::StructData),
            (Stage::StructData, _) | (Stage::Struct, _) => Some(Stage::Walk),
            _ => None,
        };
        if let Some(stage) = next {
            return Settled::Open(Progress { stage, ..Progress::first(Some(said.pending.seq)) });
        }
        let data = self.read(&heard.nodes, false).map(Data::Nodes);
        self.judged(said, &heard, status, data)
    }

    /// Takes the answer to one Get of a walk: nodes that are gone meanwhile, or may not be read, are left out.
    fn walk(
        &mut self,
        said: &Said<'_>,
        heard: Heard,
        status: u16,
        walk: (Vec<Told>, Vec<String>),
    ) -> Settled {
        let (mut nodes, mut ahead) = walk;
        ahead.drain(..ahead.len().min(WALK));
        if nodes.is_empty() && heard.nodes.is_empty() && !is_success(status) {
            return self.judged(said, &heard, status, Ok(None));
        }
        for told in &heard.nodes {
            let names = told.children().unwrap_or_default();
            ahead.extend(names.into_iter().map(|name| format!("{}/{name}", told.uri)));
        }
        nodes.extend(heard.nodes.iter().cloned());
        let most = self.config.max_nodes;
        if nodes.len() + ahead.len() > most {
            let reason = format!("{} has more than {most} nodes", said.describe());
            let failed = said.result(Verdict::Failed(code::TOO_LARGE), &heard);
            return Settled::Result(CommandResult { sentence: Some(reason), ..failed });
        }
        if !ahead.is_empty() {
            let progress =
                Progress { stage: Stage::Walk, nodes, ahead, ..Progress::first(Some(said.pending.seq)) };
            return Settled::Open(progress);
        }
        let data = self.read(&nodes, true).map(Data::Nodes);
        self.judged(said, &heard, code::OK, data)
    }

    fn container(&mut self, said: &Said<'_>, heard: &Heard, status: u16, parts: u32) -> Settled {
        let of = |part| heard.statuses.iter().find(|(p, _, _)| *p == part).map_or(0, |(_, _, code)| *code);
        let codes: Vec<u16> = (1..=parts).map(of).collect();
        let unrepaired = codes.contains(&code::ROLL_BACK_FAILED);
        let bad = codes.iter().copied().find(|code| !is_done(*code));
        let status = if is_success(status) { bad.unwrap_or(status) } else { status };
        let told: Vec<String> = codes.iter().map(u16::to_string).collect();
        let mut settled = if heard.nodes.is_empty() {
            self.judged(said, heard, status, Ok(Data::Parts(codes)))
        } else {
            let data = self.read(&heard.nodes, true).map(Data::Nodes);
            self.judged(said, heard, status, data)
        };
        if let Settled::Result(result) = &mut settled {
            if unrepaired {
                result.sentence = Some(said.sentence(code::ROLL_BACK_FAILED));
            }
            result.detail = result.detail.take().or_else(|| Some(format!("statuses {}", told.join(", "))));
        }
        settled
    }

    /// The verdict that follows from a status (`DM 1.3 REPPRO §10`), unknown codes by their class.
    fn judged(
        &mut self,
        said: &Said<'_>,
        heard: &Heard,
        status: u16,
        data: Result<impl Into<Option<Data>>, String>,
    ) -> Settled {
        let data = match data.map(Into::into) {
            Ok(data) => data
                .filter(|data| !matches!(data, Data::Nodes(nodes) if nodes.is_empty() && !is_done(status))),
            Err(reason) => {
                let sentence = format!("{} was answered with {status}, but {reason}", said.describe());
                let failed = said.result(Verdict::Failed(status), heard);
                return Settled::Result(CommandResult { sentence: Some(sentence), ..failed });
            }
        };
        let result = match status {
            code::NOT_EXECUTED
            | code::ROLLED_BACK
            | code::CHUNK_ACCEPTED
            | code::TIMEOUT
            | code::RETRY_LATER
            | code::DEVICE_FULL
            | code::UNAVAILABLE => again(self.config, said.pending, said.sentence(status)),
            status if is_done(status) => said.result(Verdict::Done(status), heard),
            status => said.told(Verdict::Failed(status), status, heard),
        };
        Settled::Result(CommandResult { data, ..result })
    }

    /// DevInfo that the engine asked for itself.
    pub(super) fn device_info(&mut self, flight: &Flight) -> Vec<Node> {
        self.read(&flight.heard.nodes, true).unwrap_or_default()
    }

    /// What results brought.
    fn read(&mut self, nodes: &[Told], plain: bool) -> Result<Vec<Node>, String> {
        let mut reading =
            Reading { limits: self.config.limits, leniency: &mut *self.leniency, notes: &mut *self.notes };
        let (mut read, mut seen) = (Vec::new(), BTreeSet::new());
        for told in nodes {
            // Of what comes twice the first counts.
            if !seen.insert(told.uri.as_str()) {
                reading.notes.push(format!("{} came twice", told.uri));
                continue;
            }
            read.extend(reading.nodes(told, plain)?);
            if read.len() > self.config.max_nodes {
                return Err(format!("it brought more than {} nodes", self.config.max_nodes));
            }
        }
        Ok(read)
    }
}

/// A queued command as it was said.
struct Said<'s> {
    pending: &'s Pending,
    task: &'s Task,
    stage: Stage,
}

impl Said<'_> {
    fn describe(&self) -> String {
        format!("{} {}", name(self.task, self.stage), about(self.task))
    }
    fn sentence(&self, status: u16) -> String {
        sentence(name(self.task, self.stage), &about(self.task), status)
    }
    fn result(&self, verdict: Verdict, heard: &Heard) -> CommandResult {
        CommandResult {
            seq: self.pending.seq,
            verdict,
            data: None,
            detail: heard.detail.clone(),
            sentence: None,
        }
    }
    fn told(&self, verdict: Verdict, status: u16, heard: &Heard) -> CommandResult {
        CommandResult { sentence: Some(self.sentence(status)), ..self.result(verdict, heard) }
    }
}

/// Whether a status says that a command did what it should.
fn is_done(status: u16) -> bool {
    is_success(status) && !matches!(status, code::CHUNK_ACCEPTED..=code::ROLLED_BACK)
}

/// Whether what failed as Replace may do as Add, or the other way round.
fn other_way(kind: OperationKind, status: u16) -> bool {
    matches!(
        (kind, status),
        (OperationKind::Replace, code::NOT_FOUND) | (OperationKind::Add, code::ALREADY_EXISTS)
    )
}

/// What a user answered (`DM 1.3 PROTO §10`).
fn asked(config: &Config, said: &Said<'_>, kind: &QuestionKind, heard: &Heard, status: u16) -> CommandResult {
    let answer = match status {
        code::NOT_MODIFIED => Answer::No,
        code::CANCELLED => Answer::Cancelled,
        code::TIMEOUT => Answer::TimedOut,
        code::NOT_EXECUTED => return again(config, said.pending, said.sentence(status)),
        status if is_success(status) => match kind {
            QuestionKind::Display => Answer::Shown,
            QuestionKind::Confirm { .. } => Answer::Yes,
            QuestionKind::Text { .. } => {
                Answer::Text(heard.input.first().map(|text| text.text().into_owned()).unwrap_or_default())
            }
            QuestionKind::Single { .. } | QuestionKind::Multiple { .. } => {
                Answer::Chosen(chosen(&heard.input))
            }
        },
        status => return said.told(Verdict::Failed(status), status, heard),
    };
    let result = match answer {
        Answer::Cancelled | Answer::TimedOut => said.told(Verdict::Failed(status), status, heard),
        _ => said.result(Verdict::Done(status), heard),
    };
    CommandResult { data: Some(Data::Answer(answer)), ..result }
}

/// Numbers of choices: one an item, or joined as in the options.
fn chosen(input: &[Carried]) -> Vec<u32> {
    let texts: Vec<_> = input.iter().map(Carried::text).collect();
    texts.iter().flat_map(|text| text.split('-')).filter_map(|number| number.trim().parse().ok()).collect()
}

/// To be sent again, unless that was done often enough.
pub(super) fn again(config: &Config, pending: &Pending, reason: String) -> CommandResult {
    if pending.attempts >= config.max_attempts {
        let reason = format!("given up after {} attempts; the last time: {reason}", pending.attempts);
        return quarantined(pending.seq, &reason);
    }
    let sentence = Some(reason.clone());
    CommandResult { seq: pending.seq, verdict: Verdict::Again(reason), data: None, detail: None, sentence }
}

/// Given up.
pub(super) fn quarantined(seq: i64, reason: &str) -> CommandResult {
    let verdict = Verdict::Quarantined(reason.to_owned());
    CommandResult { seq, verdict, data: None, detail: None, sentence: Some(reason.to_owned()) }
}

/// Commands that were sent in a session that broke off.
pub(super) fn unanswered<'q>(
    config: &'q Config,
    lost: impl Iterator<Item = &'q Pending>,
    why: &'q str,
) -> impl Iterator<Item = CommandResult> {
    lost.map(move |pending| match &pending.task {
        Ok(task) => {
            let reason = format!("{} {} was sent, but {why}", name(task, Stage::First), about(task));
            again(config, pending, reason)
        }
        Err(unreadable) => quarantined(pending.seq, unreadable),
    })
}
