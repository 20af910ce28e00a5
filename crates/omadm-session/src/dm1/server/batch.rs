//! Which commands go into the next message, and how.

use std::collections::{BTreeSet, VecDeque};

use omadm_codec::dm1::{
    Command, Container, ContainerKind, Data, Encoder, Form, Item, Meta, Operation, OperationKind, Version,
};

use super::compile::{Ids, Speech, about, carried, command, get, name};
use super::settle::quarantined;
use super::state::{Bounds, Flight, Heard, Progress, Stage};
use super::task::{Content, Existence, Listing, Task};
use super::{Capabilities, CommandResult, Config, Pending, Verdict, limits};
use crate::dm1::explain::sentence;
use crate::dm1::status::code;

/// Leaves that are read if a device does not tell DevInfo (`DM 1.3 STDOBJ §5.3.2`).
const DEVICE_INFO: [&str; 5] =
    ["./DevInfo/DevId", "./DevInfo/Man", "./DevInfo/Mod", "./DevInfo/DmV", "./DevInfo/Lang"];
/// Room for so many octets of an object makes a chunk worth its message.
const WORTHY_CHUNK: u64 = 64;
/// Room for fewer octets of an object in a message with nothing else in it is none.
const LEAST_CHUNK: u64 = 16;

/// A command that is to be sent.
pub(super) struct Candidate<'q> {
    /// `None`: DevInfo.
    pending: Option<&'q Pending>,
    progress: Progress,
    /// It was not sent in this session.
    is_new: bool,
}

/// The commands to be sent, in the order of their sequence, those first that need another message. `results` are verdicts of this step.
pub(super) fn candidates<'q>(
    config: &Config,
    capabilities: &Capabilities,
    speech: Speech,
    open: Vec<Progress>,
    queue: &'q [Pending],
    results: &mut Vec<CommandResult>,
) -> Vec<Candidate<'q>> {
    let settled: BTreeSet<i64> =
        results.iter().filter(|result| !matches!(result.verdict, Verdict::Again(_))).map(|r| r.seq).collect();
    let mut chosen: Vec<Candidate<'q>> = Vec::new();
    for progress in open {
        match progress.seq {
            None => chosen.push(Candidate { pending: None, progress, is_new: false }),
            // What is no longer queued was cancelled.
            Some(seq) => {
                chosen.extend(queue.iter().find(|pending| pending.seq == seq).map(|pending| Candidate {
                    pending: Some(pending),
                    progress,
                    is_new: false,
                }))
            }
        }
    }
    let under_way: BTreeSet<i64> = chosen.iter().filter_map(|candidate| candidate.progress.seq).collect();
    let mut fresh: Vec<&Pending> = queue
        .iter()
        .filter(|pending| {
            !settled.contains(&pending.seq) && !under_way.contains(&pending.seq) && !pending.accepted
        })
        .collect();
    fresh.sort_by_key(|pending| pending.seq);
    for pending in fresh {
        match sendable(config, capabilities, speech, pending) {
            Ok(stage) => {
                let progress = Progress { stage, ..Progress::first(Some(pending.seq)) };
                chosen.push(Candidate { pending: Some(pending), progress, is_new: true });
            }
            Err(result) => results.push(*result),
        }
    }
    chosen
}

/// At which stage a command begins, or why it is not sent.
fn sendable(
    config: &Config,
    capabilities: &Capabilities,
    speech: Speech,
    pending: &Pending,
) -> Result<Stage, Box<CommandResult>> {
    let task = match &pending.task {
        Ok(task) => task,
        Err(reason) => {
            let reason = format!("the queued command cannot be read: {reason}");
            return Err(Box::new(quarantined(pending.seq, &reason)));
        }
    };
    let (name, about) = (name(task, Stage::First), about(task));
    if pending.attempts >= config.max_attempts {
        let attempts = pending.attempts;
        let reason = format!("{name} {about} was sent {attempts} times without a final answer");
        return Err(Box::new(quarantined(pending.seq, &reason)));
    }
    if let Some(sentence) = limits::too_long(capabilities, task) {
        return Err(Box::new(failed(pending.seq, code::URI_TOO_LONG, sentence)));
    }
    if speech.windows && matches!(task, Task::Copy { .. } | Task::Ask(_)) {
        let told = sentence(name, &about, code::UNSUPPORTED_FEATURE);
        return Err(Box::new(failed(pending.seq, code::UNSUPPORTED_FEATURE, told)));
    }
    Ok(match task {
        Task::List { how, .. } => first_way(*how, capabilities, speech),
        _ => Stage::First,
    })
}

fn failed(seq: i64, code: u16, sentence: String) -> CommandResult {
    let verdict = Verdict::Failed(code);
    CommandResult { seq, verdict, data: None, detail: None, sentence: Some(sentence) }
}

/// The first way to list that the device is not known to lack.
fn first_way(how: Listing, capabilities: &Capabilities, speech: Speech) -> Stage {
    let lacks_lists = speech.windows || speech.version == Version::Dm11;
    let lacks_data = lacks_lists || capabilities.struct_data == Some(false);
    match how {
        Listing::Tnds if !lacks_lists && capabilities.tnds != Some(false) => Stage::Tnds,
        Listing::Tnds | Listing::StructData if !lacks_data => Stage::StructData,
        Listing::Struct if !lacks_data => Stage::Struct,
        Listing::MoRoot => Stage::MoRoot,
        Listing::MoRootData => Stage::MoRootData,
        Listing::Tnds | Listing::StructData | Listing::Struct | Listing::Walk => Stage::Walk,
    }
}

/// What goes into a message.
#[derive(Debug, Default)]
pub(super) struct Packed {
    pub(super) flights: Vec<Flight>,
    /// `CmdID` of the Sequence around them.
    pub(super) wrapper: Option<u32>,
    /// Commands that are sent for the first time in this session.
    pub(super) sends: Vec<i64>,
    /// Commands that cannot be sent.
    pub(super) failed: Vec<CommandResult>,
    /// What is under way and found no room.
    pub(super) open: Vec<Progress>,
    /// More has to follow in the same package.
    pub(super) is_unfinished: bool,
}

/// Packs commands into a message.
pub(super) struct Packer<'p> {
    pub(super) config: &'p Config,
    pub(super) capabilities: &'p Capabilities,
    pub(super) form: Form,
    pub(super) speech: Speech,
    pub(super) peer: Bounds,
    /// `MsgID` of the message.
    pub(super) message: u64,
    /// Largest message, in octets.
    pub(super) limit: usize,
    pub(super) encoder: &'p mut Encoder,
    pub(super) ids: &'p mut Ids,
    /// Octets of a message with as little in it as there can be; a later one may have less if it is 0.
    pub(super) least: usize,
}

impl Packer<'_> {
    /// Takes as many commands from the first on as belong together and fit.
    pub(super) fn pack(&mut self, candidates: Vec<Candidate<'_>>) -> Packed {
        let mut packed = Packed::default();
        let mut rest = VecDeque::from(candidates);
        // Each turn takes at least one away, as sent or as failed.
        while packed.flights.is_empty() && !packed.is_unfinished {
            let Some(first) = rest.pop_front() else { break };
            let mut group = vec![first];
            while rest.front().is_some_and(|next| self.may_follow(&group, next)) {
                group.extend(rest.pop_front());
            }
            for left in self.put(group, &mut packed).into_iter().rev() {
                rest.push_front(left);
            }
        }
        let left = rest.into_iter().filter(|left| !left.is_new);
        packed.open.extend(left.map(|left| left.progress));
        packed
    }

    /// Whether a command may be in the message of others, behind them.
    fn may_follow(&self, group: &[Candidate<'_>], next: &Candidate<'_>) -> bool {
        let tasks = || group.iter().chain([next]).map(task_of);
        let alone = |candidate: &Candidate<'_>| self.goes_alone(candidate);
        let ordered = self.capabilities.windows
            || self.capabilities.sequence != Some(false)
            || tasks().all(|task| task.is_none_or(reads));
        group.len() < self.config.max_commands.max(1) && ordered && !group.iter().chain([next]).any(alone)
    }

    /// Whether what comes behind a command has to wait for its answer.
    fn goes_alone(&self, candidate: &Candidate<'_>) -> bool {
        let last_attempt = candidate.pending.is_some_and(|pending| {
            pending.attempts > 0 && pending.attempts.saturating_add(1) >= self.config.max_attempts
        });
        let answered_first = match task_of(candidate) {
            None => false,
            Some(Task::Set { existence: Existence::Unknown, .. }) => true,
            Some(Task::List { .. } | Task::Ask(_) | Task::Atomic(_) | Task::Sequence(_)) => true,
            Some(
                Task::Get { .. }
                | Task::Set { .. }
                | Task::Delete { .. }
                | Task::Exec { .. }
                | Task::Copy { .. }
                | Task::Raw { .. },
            ) => false,
        };
        last_attempt
            || answered_first
            || candidate.progress.stage == Stage::Other
            || candidate.progress.sent > 0
    }

    /// Puts commands into the message; gives back those that found no room.
    fn put<'q>(&mut self, mut group: Vec<Candidate<'q>>, packed: &mut Packed) -> Vec<Candidate<'q>> {
        let ordered = group.len() > 1 && !group.iter().all(|one| task_of(one).is_none_or(reads));
        if ordered && !self.capabilities.windows {
            self.put_sequence(&mut group, packed);
        } else {
            while !group.is_empty() {
                if !self.put_one(&mut group, packed) {
                    break;
                }
            }
        }
        group
    }

    /// Puts the first of a group into the message; says no if there is no room for it.
    fn put_one(&mut self, group: &mut Vec<Candidate<'_>>, packed: &mut Packed) -> bool {
        let Some(first) = group.first() else { return false };
        let before = self.ids.clone();
        let said = match self.say(first) {
            Ok(said) => said,
            Err((code, reason)) => {
                packed.failed.extend(first.progress.seq.map(|seq| failed(seq, code, reason)));
                group.remove(0);
                return true;
            }
        };
        let too_large = self.beyond_object(&said);
        if !too_large && first.progress.sent == 0 && self.encoder.push_within(&said, self.limit) {
            let flight = self.flight(first, numbers(&said));
            packed.sends.extend(first.progress.seq.filter(|_| first.is_new));
            packed.flights.push(flight);
            group.remove(0);
            return true;
        }
        *self.ids = before;
        if packed.flights.is_empty() {
            return self.put_large(group, too_large, packed);
        }
        false
    }

    fn say<'q>(&mut self, candidate: &Candidate<'q>) -> Result<Command<'q>, (u16, String)> {
        match task_of(candidate) {
            Some(task) => command(task, &candidate.progress, self.speech, self.ids),
            None => Ok(get(DEVICE_INFO.into_iter().map(Into::into), self.ids)),
        }
    }

    /// A command that is out: its `CmdID`, and how many commands are in it.
    fn flight(&self, candidate: &Candidate<'_>, (command, parts): (u32, u32)) -> Flight {
        let progress = &candidate.progress;
        Flight {
            seq: progress.seq,
            message: self.message,
            command,
            parts,
            stage: progress.stage,
            heard: Heard::default(),
            start: 0,
            chunk: None,
            walk: (progress.nodes.clone(), progress.ahead.clone()),
        }
    }

    /// Puts as many commands as fit into one Sequence, so that they are executed in their order (`DM 1.3 PROTO §8`).
    fn put_sequence(&mut self, group: &mut Vec<Candidate<'_>>, packed: &mut Packed) {
        let (before, place) = (self.ids.clone(), self.encoder.place());
        let wrapper = self.ids.next();
        let mut inside: Vec<Command<'_>> = Vec::new();
        let mut taken = 0;
        for candidate in group.iter() {
            let so_far = self.ids.clone();
            let Ok(said) = self.say(candidate) else { break };
            inside.push(said);
            let whole = sequence(wrapper, std::mem::take(&mut inside));
            let fits = !self.beyond_object(&whole) && self.encoder.push_within(&whole, self.limit);
            self.encoder.rewind(place);
            let Command::Container(Container { commands, .. }) = whole else { break };
            inside = commands;
            if !fits {
                inside.pop();
                *self.ids = so_far;
                break;
            }
            taken += 1;
        }
        if taken < 2 {
            *self.ids = before;
            self.put_one(group, packed);
            return;
        }
        for (candidate, said) in group.iter().zip(&inside) {
            packed.flights.push(self.flight(candidate, numbers(said)));
            packed.sends.extend(candidate.progress.seq.filter(|_| candidate.is_new));
        }
        packed.wrapper = Some(wrapper);
        self.encoder.push(&sequence(wrapper, inside));
        group.drain(..taken);
    }

    /// Whether a command carries an object beyond what the device takes.
    fn beyond_object(&self, said: &Command<'_>) -> bool {
        let Some(most) = self.peer.object else { return false };
        let larger =
            |item: &Item<'_>| item.data.as_ref().is_some_and(|data| carried_length(self.form, data) > most);
        match said {
            Command::Operation(operation) => operation.items.iter().any(larger),
            Command::Container(container) => {
                container.commands.iter().any(|command| self.beyond_object(command))
            }
            Command::Status(_) | Command::Results(_) | Command::Alert(_) | Command::Unknown(_) => false,
        }
    }

    /// Puts a part of the first of a group into the message, or fails it. Says whether to go on with the next one.
    fn put_large(&mut self, group: &mut Vec<Candidate<'_>>, too_large: bool, packed: &mut Packed) -> bool {
        let Some(first) = group.first() else { return false };
        let (task, is_new) = (task_of(first), first.is_new);
        let content = task.and_then(single).filter(|_| !too_large && self.takes_chunks());
        let may_grow = self.encoder.length(true) > self.least
            && (content.is_some() || self.least.saturating_add(self.cost(first)) <= self.limit);
        if let Some((task, content)) = task.zip(content) {
            let before = self.ids.clone();
            if let Some((id, start, chunk)) = self.chunk(task, &first.progress, content, may_grow) {
                packed.flights.push(Flight { start, chunk, ..self.flight(first, (id, 0)) });
                packed.sends.extend(first.progress.seq.filter(|_| is_new));
                packed.is_unfinished = chunk.is_some();
                group.remove(0);
                return false;
            }
            *self.ids = before;
        }
        if !too_large && may_grow {
            // Something else took the room, which is free in the next message.
            packed.is_unfinished = true;
            return false;
        }
        let describe = task.map(|task| (name(task, first.progress.stage), about(task)));
        let (name, about) = describe.unwrap_or(("Get", "./DevInfo".into()));
        let mut told = sentence(name, &about, code::TOO_LARGE);
        if !too_large {
            told.push_str(&self.no_room(content.is_some()));
        }
        packed.failed.extend(first.progress.seq.map(|seq| failed(seq, code::TOO_LARGE, told)));
        group.remove(0);
        true
    }

    /// Octets that a command takes as a whole.
    fn cost(&mut self, candidate: &Candidate<'_>) -> usize {
        let (before, place, length) = (self.ids.clone(), self.encoder.place(), self.encoder.length(true));
        let cost = self.say(candidate).map_or(0, |said| {
            self.encoder.push(&said);
            self.encoder.length(true).saturating_sub(length)
        });
        self.encoder.rewind(place);
        *self.ids = before;
        cost
    }

    /// Why a message holds too little of a command, and what to change: a sentence to be put behind another.
    fn no_room(&self, in_parts: bool) -> String {
        let limit = self.limit;
        let is_theirs = self.peer.message.is_some_and(|most| most <= u64::from(self.config.max_reply));
        let remedy = if is_theirs {
            "the device announces that as its MaxMsgSize: let it take larger ones"
        } else {
            "that is the server's own bound (max_reply): raise it"
        };
        let what = if in_parts { "too little of it" } else { "less than it" };
        format!(" A message to this device has {limit} octets at most, which hold {what}; {remedy}.")
    }

    fn takes_chunks(&self) -> bool {
        self.capabilities.large_objects != Some(false) && !self.capabilities.windows
    }

    /// Puts the next part of an object into the message: its `CmdID`, where the part begins, and where it ends unless that is the end of
    /// the object. `may_grow`: the next message has more room. Numbers may be used up in vain.
    fn chunk(
        &mut self,
        task: &Task,
        progress: &Progress,
        content: &Content,
        may_grow: bool,
    ) -> Option<(u32, u64, Option<u64>)> {
        let (_, data) = carried(content, self.speech);
        let (data, start) = (data?, usize::try_from(progress.sent).ok()?);
        let (size, total) = (carried_length(self.form, &data), length(&data));
        let mut said = command(task, progress, self.speech, self.ids).ok()?;
        let Command::Operation(Operation { id, items, .. }) = &mut said else { return None };
        let (id, item) = (id.parse().ok()?, items.first_mut()?);
        item.meta.size = (start == 0).then_some(size);
        item.data = Some(part(&data, start, 0)?);
        item.more = true;
        let place = self.encoder.place();
        self.encoder.push(&said);
        let room = self.limit.saturating_sub(self.encoder.length(true));
        self.encoder.rewind(place);
        let rest = part(&data, start, usize::MAX)?;
        let mut most = self.form.fitting(&rest, room);
        let is_enough = as_u64(most) >= self.enough(progress, total, may_grow);
        if !is_enough && as_u64(most) < length(&rest) {
            return None;
        }
        while most > 0 {
            let piece = part(&data, start, most)?;
            let end = progress.sent + length(&piece);
            let is_last = end >= total;
            if end == progress.sent {
                return None;
            }
            let Command::Operation(Operation { items, .. }) = &mut said else { return None };
            let item = items.first_mut()?;
            (item.data, item.more) = (Some(piece), !is_last);
            if self.encoder.push_within(&said, self.limit) {
                return Some((id, progress.sent, (!is_last).then_some(end)));
            }
            // The last part of a document may be written in another way, which takes more.
            most = if most > 16 { most - 16 } else { most / 2 };
        }
        None
    }

    /// Room for how many octets of an object is enough to send a part of it. At its beginning: so that the messages which the device may
    /// answer it with suffice.
    fn enough(&self, progress: &Progress, total: u64, may_grow: bool) -> u64 {
        let least = if may_grow { WORTHY_CHUNK } else { LEAST_CHUNK };
        let share = total.div_ceil(u64::from(self.config.max_messages.max(1)));
        if progress.sent == 0 { least.max(share) } else { least }
    }
}

fn task_of<'q>(candidate: &Candidate<'q>) -> Option<&'q Task> {
    candidate.pending.and_then(|pending| pending.task.as_ref().ok())
}

/// Whether a task changes nothing, so that its place among others of its kind does not matter.
fn reads(task: &Task) -> bool {
    match task {
        Task::Get { .. } | Task::List { .. } | Task::Raw { kind: OperationKind::Get, .. } => true,
        Task::Set { .. }
        | Task::Delete { .. }
        | Task::Exec { .. }
        | Task::Copy { .. }
        | Task::Ask(_)
        | Task::Atomic(_)
        | Task::Sequence(_)
        | Task::Raw { .. } => false,
    }
}

/// The content of a task that is one item, which can go in several messages.
fn single(task: &Task) -> Option<&Content> {
    match task {
        Task::Set { content, .. } => Some(content),
        Task::Exec { content, .. } => content.as_ref(),
        Task::Raw { items, .. } => match items.as_slice() {
            [only] => only.content.as_ref(),
            _ => None,
        },
        Task::Get { .. }
        | Task::List { .. }
        | Task::Delete { .. }
        | Task::Copy { .. }
        | Task::Ask(_)
        | Task::Atomic(_)
        | Task::Sequence(_) => None,
    }
}

/// The `CmdID` of a command, and how many commands are in it.
fn numbers(said: &Command<'_>) -> (u32, u32) {
    let (id, parts) = match said {
        Command::Container(container) => (&container.id, container.commands.len()),
        Command::Operation(operation) => (&operation.id, 0),
        Command::Alert(alert) => (&alert.id, 0),
        Command::Status(status) => (&status.id, 0),
        Command::Results(results) => (&results.id, 0),
        Command::Unknown(unknown) => (&unknown.id, 0),
    };
    (id.parse().unwrap_or_default(), u32::try_from(parts).unwrap_or(u32::MAX))
}

fn sequence(id: u32, commands: Vec<Command<'_>>) -> Command<'_> {
    let (kind, id) = (ContainerKind::Sequence, id.to_string().into());
    Command::Container(Container { kind, id, no_response: false, meta: Meta::default(), commands })
}

/// Octets of data as they are carried, which `Size` and `MaxObjSize` count: octets go as base64 in XML.
fn carried_length(form: Form, data: &Data<'_>) -> u64 {
    match (form, data) {
        (Form::Xml, Data::Opaque(_)) => length(data).div_ceil(3).saturating_mul(4),
        _ => length(data),
    }
}

fn length(data: &Data<'_>) -> u64 {
    as_u64(match data {
        Data::Text(text) => text.len(),
        Data::Opaque(octets) => octets.len(),
    })
}

fn as_u64(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or(u64::MAX)
}

/// A part of data from an octet on, at most so long. Text is cut between characters, and where it may be base64 after a whole group; octets
/// after those that make a whole group.
fn part<'d>(data: &'d Data<'_>, start: usize, most: usize) -> Option<Data<'d>> {
    match data {
        Data::Text(text) => {
            let rest = text.get(start..)?;
            let mut end = rest.len().min(most);
            if end < rest.len() {
                end -= end % 4;
                while !rest.is_char_boundary(end) {
                    end -= 1;
                }
            }
            rest.get(..end).map(|part| Data::Text(part.into()))
        }
        Data::Opaque(octets) => {
            let rest = octets.get(start..)?;
            let end = if most < rest.len() { most - most % 3 } else { rest.len() };
            rest.get(..end).map(|part| Data::Opaque(part.into()))
        }
    }
}
