//! Files of the PKCS#15 application written by the issuer of a card (`DM 2.0 §G.2.3`: UPDATE BINARY), through the secure channel where the
//! card asks for it.
//!
//! A card can be pulled out after each command, and must not be left with a mixture of old and new. Content that ends within the first
//! block is there with one command. Any other loses its first block before anything else changes, and gets it last: what was torn begins
//! with octets that begin nothing.

use std::collections::VecDeque;

use omadm_codec::smartcard::{Command, ERASED, Path, Response, padded};

use super::approach::{Approach, Card, Leave, Way, check};
use super::exchange::Step;
use super::file::{Description, Progress, Reading};
use super::{CardError, CardInput, CardOutput, CardSettings};
use crate::Body;

const SELECTING: &str = "selecting a file to write";
const WRITING: &str = "writing a file";
/// Octets that are written at once: with padding, MAC and the data object of an offset they fit into a command.
const BLOCK: usize = 0xE0;

/// A file of the application and what it is to hold; the rest of it is filled up with FF.
#[derive(Clone, Debug)]
pub struct CardFile {
    /// Its name in the standard.
    pub name: &'static str,
    /// Where it is, from the application on.
    pub path: Path,
    /// What it is to hold.
    pub octets: Body,
}

/// Writes files onto a card, in the order in which they are given.
pub struct CardWriter {
    card: Card,
    stage: Stage,
    files: VecDeque<CardFile>,
}

/// A block of a file that is to be written.
#[derive(Clone, Copy)]
enum Block {
    /// The first one, with nothing in it.
    Erased,
    /// The one that begins there.
    At(usize),
}

enum Stage {
    Approach(Approach),
    Select(Reading, CardFile),
    /// All octets of a file, and where the blocks begin that are still to be written, the first first.
    Update(Body, VecDeque<Block>),
    Leave(Leave, Result<(), CardError>),
    Done,
}

impl CardWriter {
    /// Begins, with what goes to the card first.
    #[must_use]
    pub fn begin(settings: CardSettings, files: Vec<CardFile>) -> (Self, CardOutput<()>) {
        let mut writer = Self { card: Card::new(settings), stage: Stage::Done, files: files.into() };
        let begun = Approach::begin(&mut writer.card);
        let begun = begun.map(|(approach, command)| Some((Stage::Approach(approach), command)));
        let output = writer.proceed(begun);
        (writer, output)
    }

    /// Takes what has happened, and says what is to be done.
    pub fn handle(&mut self, input: CardInput<'_>) -> CardOutput<()> {
        let doing = self.doing();
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        let octets = match (&stage, input) {
            (Stage::Done, _) | (_, CardInput::Pin(_) | CardInput::NoPin) => {
                return CardOutput::Finished(Err(CardError::OutOfTurn));
            }
            (_, CardInput::Gone) => return CardOutput::Finished(Err(CardError::Gone { doing })),
            (_, CardInput::Answer(octets)) => octets,
        };
        match (self.card.answer(octets, doing), stage) {
            (Ok(Step::Transmit(octets)), stage) => {
                self.stage = stage;
                CardOutput::Transmit(octets)
            }
            (Ok(Step::Answered(answer)), Stage::Leave(leave, outcome)) => self.leave(leave, outcome, &answer),
            (Ok(Step::Answered(answer)), stage) => {
                let next = self.step(stage, &answer);
                self.proceed(next)
            }
            (Err(error), Stage::Leave(_, outcome)) => CardOutput::Finished(outcome.and(Err(error))),
            (Err(error), _) => self.proceed(Err(error)),
        }
    }

    fn doing(&self) -> &'static str {
        match &self.stage {
            Stage::Approach(approach) => approach.doing(),
            Stage::Select(..) => SELECTING,
            Stage::Update(..) => WRITING,
            Stage::Leave(leave, _) => leave.doing(),
            Stage::Done => "nothing",
        }
    }

    fn leave(&mut self, leave: Leave, outcome: Result<(), CardError>, answer: &Response) -> CardOutput<()> {
        match leave.handle(&self.card, answer, outcome.is_ok()) {
            Ok(Way::Go(leave, command)) => self.send(Stage::Leave(leave, outcome), command),
            Ok(Way::There | Way::Nothing) => CardOutput::Finished(outcome),
            Err(error) => CardOutput::Finished(outcome.and(Err(error))),
        }
    }

    /// The next command; `None` when everything is written.
    fn proceed(&mut self, next: Result<Option<(Stage, Command)>, CardError>) -> CardOutput<()> {
        let outcome = match next {
            Ok(Some((stage, command))) => return self.send(stage, command),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        match Leave::begin(&mut self.card, outcome.is_ok()) {
            Some((leave, command)) => self.send(Stage::Leave(leave, outcome), command),
            None => CardOutput::Finished(outcome),
        }
    }

    fn send(&mut self, stage: Stage, command: Command) -> CardOutput<()> {
        match self.card.transmit(command) {
            Ok(octets) => {
                self.stage = stage;
                CardOutput::Transmit(octets)
            }
            Err(error) => CardOutput::Finished(Err(error)),
        }
    }

    fn step(&mut self, stage: Stage, answer: &Response) -> Result<Option<(Stage, Command)>, CardError> {
        match stage {
            Stage::Approach(approach) => match approach.handle(&mut self.card, answer)? {
                Way::Go(approach, command) => Ok(Some((Stage::Approach(approach), command))),
                Way::There => Ok(self.next()),
                Way::Nothing => Err(CardError::NoPlace { what: "PKCS#15 application" }),
            },
            Stage::Select(mut reading, file) => match reading.handle(answer, self.card.block())? {
                Progress::Command(command) => Ok(Some((Stage::Select(reading, file), command))),
                Progress::Selected(description) => self.fill(&file, &description),
                _ => Err(CardError::NoPlace { what: file.name }),
            },
            Stage::Update(octets, blocks) => {
                check(answer, WRITING)?;
                self.update(octets, blocks)
            }
            Stage::Leave(..) | Stage::Done => Err(CardError::OutOfTurn),
        }
    }

    fn next(&mut self) -> Option<(Stage, Command)> {
        let file = self.files.pop_front()?;
        let (reading, command) = self.card.read(&file.path, SELECTING);
        Some((Stage::Select(reading, file), command))
    }

    /// A selected file gets all of its octets.
    fn fill(
        &mut self,
        file: &CardFile,
        description: &Description,
    ) -> Result<Option<(Stage, Command)>, CardError> {
        let octets = file.octets.len();
        let size = description.size.unwrap_or(octets);
        if size > self.card.settings.max_file {
            return Err(CardError::TooLarge { doing: SELECTING, limit: self.card.settings.max_file });
        }
        let does_not_fit = CardError::DoesNotFit { what: file.name, octets, size };
        let all = padded(file.octets.to_vec(), size).ok_or(does_not_fit)?;
        let others = (BLOCK..size).step_by(BLOCK).map(Block::At);
        let (first, last) = match octets {
            // What fills up the block ends it, too.
            0..BLOCK => (Block::At(0), None),
            _ if size == BLOCK => (Block::At(0), None),
            _ => (Block::Erased, Some(Block::At(0))),
        };
        let blocks = std::iter::once(first).chain(others).chain(last).filter(|_| size > 0);
        self.update(all.into(), blocks.collect())
    }

    /// The next block of a file, or the next file.
    fn update(
        &mut self,
        octets: Body,
        mut blocks: VecDeque<Block>,
    ) -> Result<Option<(Stage, Command)>, CardError> {
        let (at, content) = match blocks.pop_front() {
            None => return Ok(self.next()),
            Some(Block::Erased) => (0, [ERASED; BLOCK].as_slice()),
            Some(Block::At(at)) => {
                let rest = octets.get(at..).unwrap_or_default();
                (at, rest.get(..BLOCK).unwrap_or(rest))
            }
        };
        let offset = u32::try_from(at).unwrap_or(u32::MAX);
        let command = Command::update_binary(self.card.address.class, offset, content);
        let command = command.map_err(|_| CardError::TooLarge { doing: WRITING, limit: 0x1_0000 })?;
        Ok(Some((Stage::Update(octets, blocks), command)))
    }
}
