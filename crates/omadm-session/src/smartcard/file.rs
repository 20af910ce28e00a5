//! One file of a card: selecting it, and reading it to its end.

use std::collections::VecDeque;

use omadm_codec::Limits;
use omadm_codec::smartcard::apdu::binary_data;
use omadm_codec::smartcard::fcp::{Condition, FileControl, PinStatus, RuleReference, Security};
use omadm_codec::smartcard::sim::{Directory, Selected};
use omadm_codec::smartcard::status::{Failure, Next};
use omadm_codec::smartcard::{
    Channel, Class, Command, Expected, FileId, Instruction, KeyReference, Path, Response, StatusWord,
    Structure,
};
use zeroize::Zeroizing;

use super::CardError;

/// Most records of a file: their numbers have one octet, of which two values are none.
const MAX_RECORDS: u8 = 254;
/// Octets of tag and length in an answer to READ BINARY with an offset data object, at most.
const OBJECT: usize = 4;

/// How files are addressed: by whose commands, and on which channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub(super) class: Class,
}

impl Address {
    pub(super) fn sim() -> Self {
        Self { class: Class::SIM }
    }

    pub(super) fn uicc(channel: Channel) -> Self {
        Self { class: Class::INTERINDUSTRY.on(channel) }
    }

    pub(super) fn is_sim(self) -> bool {
        self.class == Class::SIM
    }

    /// The commands that select the file at the end of a path (`DM 2.0 §G.2.1`: one after the other on a SIM).
    pub(super) fn select(self, path: &Path) -> VecDeque<Command> {
        match path.files() {
            files if self.is_sim() => {
                files.iter().map(|file| Command::select_file(self.class, *file)).collect()
            }
            [file] => VecDeque::from([Command::select_file(self.class, *file)]),
            _ => VecDeque::from([Command::select_path(self.class, path)]),
        }
    }
}

/// What the card says of what is selected.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) structure: Structure,
    /// Octets of a file.
    pub(super) size: Option<usize>,
    /// Of the directory of a SIM.
    pub(super) chv1: Option<Directory>,
    /// PINs of this application of a UICC.
    pub(super) pins: Vec<PinStatus>,
    /// What opens this file for reading.
    pub(super) opened_by: OpenedBy,
}

/// What opens a file for reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum OpenedBy {
    /// It does not say.
    #[default]
    Unsaid,
    /// One of these keys, or all of them.
    Keys(Vec<KeyReference>),
    /// Nothing.
    Nothing,
    /// What stands in a record of EF(ARR).
    Rule(RuleReference),
}

impl OpenedBy {
    /// As a condition has it. One without keys and without an end is nothing that a PIN is said to help with.
    pub(super) fn of(condition: Option<&Condition>) -> Self {
        match condition {
            Some(Condition::AllOf(keys) | Condition::AnyOf(keys)) => Self::Keys(keys.clone()),
            Some(Condition::Never) => Self::Nothing,
            Some(Condition::Always | Condition::Cardholder | Condition::Other) | None => Self::Unsaid,
        }
    }
}

impl Description {
    /// Reads the answer to SELECT.
    pub(super) fn read(address: Address, answer: &Response, doing: &'static str) -> Result<Self, CardError> {
        let unreadable = |source| CardError::Content { doing, source };
        let limits = Limits { bytes: 0x1000, ..Limits::default() };
        if address.is_sim() {
            let selected = Selected::decode(answer.data(), &limits).map_err(unreadable)?;
            return Ok(match selected {
                Selected::Directory(directory) => Self::of(Structure::Directory, None, Some(directory)),
                Selected::File(file) => Self::of(file.structure, Some(file.size.into()), None),
            });
        }
        let control = FileControl::decode(answer.data(), &limits).map_err(unreadable)?;
        let size = control.size.and_then(|size| usize::try_from(size).ok());
        let opened_by = match &control.security {
            Security::Record(reference) => OpenedBy::Rule(reference.clone()),
            Security::Unsaid | Security::Rules(_) => OpenedBy::of(control.read_condition()),
        };
        Ok(Self { pins: control.pins, opened_by, ..Self::of(control.structure, size, None) })
    }

    fn of(structure: Structure, size: Option<usize>, chv1: Option<Directory>) -> Self {
        Self { structure, size, chv1, pins: Vec::new(), opened_by: OpenedBy::Unsaid }
    }
}

/// Whether a card says that something is not there.
pub(super) fn is_missing(status: StatusWord) -> bool {
    matches!(status.next(), Next::Failed(Failure::NotFound))
}

/// Whether a card says that something has to be shown first.
pub(super) fn is_closed(status: StatusWord) -> bool {
    status == StatusWord::SIM_ACCESS_DENIED || matches!(status.next(), Next::Failed(Failure::Security))
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    address: Address,
    path: Path,
    doing: &'static str,
    limit: usize,
    state: State,
    /// What opens it, as far as that is known.
    opened_by: OpenedBy,
}

#[derive(Debug)]
enum State {
    /// On the way to it.
    Selecting(VecDeque<Command>),
    /// It is selected, and not read yet.
    Selected(Description),
    /// In blocks.
    Binary(Binary),
    /// Record by record.
    Records(Records),
}

#[derive(Debug)]
struct Binary {
    content: Zeroizing<Vec<u8>>,
    /// Octets of the file, where they are known.
    size: Option<usize>,
    command: Command,
}

#[derive(Debug)]
struct Records {
    content: Vec<Vec<u8>>,
    length: Expected,
    /// The number of the record that is asked for.
    number: u8,
    /// How many there are at most.
    count: u8,
}

/// What was read.
#[derive(Debug)]
pub(super) enum Octets {
    Transparent(Zeroizing<Vec<u8>>),
    Records(Vec<Vec<u8>>),
}

/// How it goes on.
#[derive(Debug)]
pub(super) enum Progress {
    Command(Command),
    /// The file is selected. [`Reading::read`] goes on.
    Selected(Description),
    Read(Octets),
    /// There is no such file.
    Missing,
    /// A PIN or a secure channel has to come first. [`Reading::again`] tries once more.
    Closed,
}

impl Reading {
    /// Begins, with the first command.
    pub(super) fn begin(address: Address, path: &Path, doing: &'static str, limit: usize) -> (Self, Command) {
        let mut commands = address.select(path);
        let first = commands.pop_front().unwrap_or_else(|| Command::select_file(address.class, FileId::MF));
        let (state, opened_by) = (State::Selecting(commands), OpenedBy::Unsaid);
        (Self { address, path: path.clone(), doing, limit, state, opened_by }, first)
    }

    /// What it is read for.
    pub(super) fn doing(&self) -> &'static str {
        self.doing
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What opens it, once it is selected.
    pub(super) fn opened_by(&self) -> &OpenedBy {
        &self.opened_by
    }

    /// What opens it was looked up.
    pub(super) fn resolve(&mut self, opened_by: OpenedBy) {
        self.opened_by = opened_by;
    }

    /// Goes on after [`Progress::Selected`], in blocks of at most that many octets.
    pub(super) fn read(&mut self, block: Expected) -> Result<Progress, CardError> {
        let State::Selected(description) = &self.state else { return Err(CardError::OutOfTurn) };
        let doing = self.doing;
        match description.structure {
            Structure::Transparent => {
                let size = description.size;
                if size.is_some_and(|size| size > self.limit) {
                    return Err(CardError::TooLarge { doing, limit: self.limit });
                }
                self.block(Zeroizing::default(), size, block)
            }
            Structure::LinearFixed { record, count } => {
                let length = Expected::new(record.into()).ok_or(CardError::Structure { doing })?;
                let count = count.unwrap_or(MAX_RECORDS).min(MAX_RECORDS);
                self.record(Records { content: Vec::new(), length, number: 1, count })
            }
            _ => Err(CardError::Structure { doing }),
        }
    }

    /// Goes on after what kept the file closed is out of the way: with the last command once more, or from the beginning.
    pub(super) fn again(&mut self, block: Expected) -> Result<Progress, CardError> {
        match &self.state {
            State::Binary(binary) => Ok(Progress::Command(binary.command.clone())),
            State::Records(records) => {
                let command = Command::read_record(self.address.class, records.number, records.length);
                Ok(Progress::Command(command))
            }
            State::Selecting(_) | State::Selected(_) => self.read(block),
        }
    }

    /// Takes an answer.
    pub(super) fn handle(&mut self, answer: &Response, block: Expected) -> Result<Progress, CardError> {
        let is_end = answer.status == StatusWord::END_OF_FILE || matches!(self.state, State::Records(_));
        match answer.status.next() {
            Next::Done | Next::GetResponse(_) => {}
            Next::Warning if is_end => {}
            _ if is_closed(answer.status) && !matches!(self.state, State::Selecting(_)) => {
                return Ok(Progress::Closed);
            }
            _ if is_missing(answer.status) && matches!(self.state, State::Selecting(_)) => {
                return Ok(Progress::Missing);
            }
            _ => return self.refused(answer.status),
        }
        match std::mem::replace(&mut self.state, State::Selecting(VecDeque::new())) {
            State::Selecting(mut commands) => {
                if let Some(next) = commands.pop_front() {
                    self.state = State::Selecting(commands);
                    return Ok(Progress::Command(next));
                }
                let description = Description::read(self.address, answer, self.doing)?;
                self.opened_by = description.opened_by.clone();
                self.state = State::Selected(description.clone());
                Ok(Progress::Selected(description))
            }
            State::Selected(_) => Err(CardError::OutOfTurn),
            State::Binary(binary) => self.binary(binary, answer, block),
            State::Records(mut records) => {
                records.content.push(answer.data().to_vec());
                records.number = records.number.saturating_add(1);
                self.record(records)
            }
        }
    }

    /// An answer that ends the reading: of records, and of a file whose size nobody told, it may be the end.
    fn refused(&mut self, status: StatusWord) -> Result<Progress, CardError> {
        let is_behind = is_missing(status) || status == StatusWord::WRONG_OFFSET;
        match std::mem::replace(&mut self.state, State::Selecting(VecDeque::new())) {
            State::Records(records) if is_behind => Ok(Progress::Read(Octets::Records(records.content))),
            State::Binary(Binary { content, size: None, .. }) if is_behind => {
                Ok(Progress::Read(Octets::Transparent(content)))
            }
            _ => Err(CardError::Status { doing: self.doing, status }),
        }
    }

    fn binary(&mut self, binary: Binary, answer: &Response, block: Expected) -> Result<Progress, CardError> {
        let Binary { content, size, command } = binary;
        let doing = self.doing;
        let limits = Limits { bytes: 0x1_0000, ..Limits::default() };
        let new = binary_data(&command, answer.data(), &limits);
        let new = new.map_err(|source| CardError::Content { doing, source })?;
        let length = content.len().saturating_add(new.len());
        if length > self.limit {
            return Err(CardError::TooLarge { doing, limit: self.limit });
        }
        // What grows leaves copies behind.
        let mut all = Zeroizing::new(Vec::with_capacity(length));
        all.extend_from_slice(&content);
        all.extend_from_slice(new);
        let is_last = answer.status == StatusWord::END_OF_FILE || new.is_empty();
        match size {
            Some(_) if is_last => Err(CardError::Short { doing }),
            None if is_last => Ok(Progress::Read(Octets::Transparent(all))),
            _ => self.block(all, size, block),
        }
    }

    /// Asks for the next block, if there is one.
    fn block(
        &mut self,
        mut content: Zeroizing<Vec<u8>>,
        size: Option<usize>,
        block: Expected,
    ) -> Result<Progress, CardError> {
        let left = size.map(|size| size.saturating_sub(content.len()));
        if left == Some(0) {
            content.truncate(size.unwrap_or_default());
            return Ok(Progress::Read(Octets::Transparent(content)));
        }
        let at_most = |octets: Option<usize>| {
            let wanted = octets.and_then(|octets| u32::try_from(octets).ok()).and_then(Expected::new);
            wanted.map_or(block, |wanted| wanted.min(block))
        };
        let offset = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let command = Command::read_binary(self.address.class, offset, at_most(left));
        let mut command = command.ok_or(CardError::TooLarge { doing: self.doing, limit: 0x1_0000 })?;
        if command.instruction == Instruction::READ_BINARY_OFFSET {
            command.expected = Some(at_most(left.map(|left| left.saturating_add(OBJECT))));
        }
        self.state = State::Binary(Binary { content, size, command: command.clone() });
        Ok(Progress::Command(command))
    }

    fn record(&mut self, records: Records) -> Result<Progress, CardError> {
        if records.number > records.count {
            return Ok(Progress::Read(Octets::Records(records.content)));
        }
        let command = Command::read_record(self.address.class, records.number, records.length);
        self.state = State::Records(records);
        Ok(Progress::Command(command))
    }
}

impl Octets {
    /// Of a file that has to be transparent.
    pub(super) fn transparent(self, doing: &'static str) -> Result<Zeroizing<Vec<u8>>, CardError> {
        match self {
            Self::Transparent(octets) => Ok(octets),
            Self::Records(_) => Err(CardError::Structure { doing }),
        }
    }

    /// Its records, or all of it.
    pub(super) fn parts(&self) -> Vec<&[u8]> {
        match self {
            Self::Transparent(octets) => vec![octets.as_slice()],
            Self::Records(records) => records.iter().map(Vec::as_slice).collect(),
        }
    }
}
