//! The rules in EF(ARR) that say what opens a file (`TS 102 221 §11.1.1.4.7.3`).
//!
//! EF(ARR) is looked for in the directory of the file, then in the one above, up to that of the application or to the MF. On the way the
//! file is left, and has to be selected again.

use omadm_codec::Limits;
use omadm_codec::smartcard::fcp::{self, PinStatus, READ, RuleRecord, RuleReference};
use omadm_codec::smartcard::{Command, Expected, FileId, Path, Response, Structure};

use super::file::{Address, Description, OpenedBy, is_missing};

const DOING: &str = "reading EF(ARR)";
/// Most octets of a record.
const MAX_RECORD: usize = 0xFF;

/// A rule that is being looked up.
#[derive(Debug)]
pub(super) struct Lookup {
    address: Address,
    file: FileId,
    record: u8,
    /// From the topmost directory that is searched to the file that the rule is for.
    path: Vec<FileId>,
    /// How many directories above that of the file it is looked for now.
    up: usize,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Selecting,
    Ascending,
    Reading,
}

/// How it goes on.
pub(super) enum Looked {
    Command(Command),
    /// What opens the file, and where the file is from here.
    Found(OpenedBy, Path),
}

impl Lookup {
    /// Begins, with the first command; `None` when it is not said which file has the rules. `path` is that of the file that the rule is
    /// for, which is selected.
    pub(super) fn begin(
        address: Address,
        reference: &RuleReference,
        path: &Path,
        pins: &[PinStatus],
    ) -> Option<(Self, Command)> {
        let file = reference.file?;
        let record = reference.record.within(environment(pins))?;
        let path = match path.files() {
            [FileId::MF | FileId::APPLICATION, rest @ ..] => rest,
            files => files,
        };
        let lookup = Self { address, file, record, path: path.to_vec(), up: 0, state: State::Selecting };
        let command = lookup.select();
        Some((lookup, command))
    }

    /// What it is for.
    pub(super) fn doing(&self) -> &'static str {
        DOING
    }

    fn select(&self) -> Command {
        Command::select_file(self.address.class, self.file)
    }

    /// Takes an answer. A rule that cannot be read says nothing.
    pub(super) fn handle(&mut self, answer: &Response) -> Looked {
        let directories = self.path.len().saturating_sub(1);
        match self.state {
            State::Selecting if is_missing(answer.status) && self.up < directories => {
                self.state = State::Ascending;
                Looked::Command(Command::select_parent(self.address.class))
            }
            State::Ascending if answer.status.is_ok() => {
                self.up = self.up.saturating_add(1);
                self.state = State::Selecting;
                Looked::Command(self.select())
            }
            State::Selecting if answer.status.is_ok() => match self.length(answer) {
                Some(length) => {
                    self.state = State::Reading;
                    Looked::Command(Command::read_record(self.address.class, self.record, length))
                }
                None => self.found(OpenedBy::Unsaid),
            },
            State::Reading if answer.status.is_ok() => {
                let limits = Limits { bytes: MAX_RECORD, items: 64, ..Limits::default() };
                let rules = fcp::access_rules(answer.data(), &limits).unwrap_or_default();
                self.found(OpenedBy::of(fcp::condition(&rules, READ)))
            }
            State::Selecting | State::Ascending | State::Reading => self.found(OpenedBy::Unsaid),
        }
    }

    /// Octets of a record of the selected EF(ARR).
    fn length(&self, answer: &Response) -> Option<Expected> {
        match Description::read(self.address, answer, DOING).ok()?.structure {
            Structure::LinearFixed { record, .. } => Expected::new(record.into()),
            _ => None,
        }
    }

    fn found(&self, opened_by: OpenedBy) -> Looked {
        let below = self.path.len().saturating_sub(1).saturating_sub(self.up);
        let path = self.path.get(below..).and_then(|files| Path::new(files.to_vec()));
        Looked::Found(opened_by, path.unwrap_or_else(|| Path::of(FileId::MF)))
    }
}

/// The security environment of the application: whether its PIN is in use (`TS 102 221 §G.2`).
fn environment(pins: &[PinStatus]) -> u8 {
    let mut own = pins.iter().filter(|pin| pin.reference.is_of_application()).peekable();
    let is_off = own.peek().is_some() && own.all(|pin| !pin.enabled);
    if is_off { RuleRecord::PIN_SWITCHED_OFF } else { RuleRecord::PIN_IN_USE }
}
