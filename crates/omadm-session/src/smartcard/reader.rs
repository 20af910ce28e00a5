//! From a card to the bootstrap on it (`DM 2.0 §G.2.5, §G.3.5`).
//!
//! ```text
//! Approach --application--> Odf --> Dodf --object with the OID--> Pin? --> Bootstrap --> Leave --> Done
//!                             ^       |                                      | empty
//!                             +-------+ none in it <-------------------------+
//! ```
//!
//! Before a PIN is shown, Rules and Back read in EF(ARR) which one, where the file says no more than that.

use std::collections::VecDeque;

use omadm_codec::Limits;
use omadm_codec::smartcard::content::Content;
use omadm_codec::smartcard::pkcs15::{
    Class, DataObject, Directory, Location, ObjectValue, Objects, Part, decode_dodf, decode_odf,
};
use omadm_codec::smartcard::{Command, FileId, KeyReference, Path, Pin, Response};

use super::approach::{Approach, Card, Leave, Way};
use super::exchange::Step;
use super::file::{OpenedBy, Progress, Reading};
use super::pin::{VERIFYING, Verification, Verified};
use super::rules::{Looked, Lookup};
use super::{CardBootstrap, CardContent, CardError, CardInput, CardOutput, CardSettings};
use crate::Body;

const ODF: &str = "reading EF(ODF)";
const DODF: &str = "reading EF(DODF-bootstrap)";
const BOOTSTRAP: &str = "reading EF(DM_Bootstrap)";

/// Finds the bootstrap on a card.
pub struct CardReader {
    card: Card,
    stage: Stage,
    /// Directories of data objects that were not looked into, the first first.
    directories: VecDeque<Directory>,
    /// Bootstraps of the directory that was looked into last.
    objects: VecDeque<DataObject>,
    /// PINs that were shown.
    shown: Vec<KeyReference>,
}

enum Stage {
    Approach(Approach),
    Odf(Reading),
    Dodf(Reading, Option<Part>),
    /// The file of a bootstrap.
    Bootstrap(Reading, DataObject),
    /// What opens this file is looked up.
    Rules(Lookup, Box<Held>),
    /// It was looked up, and the file is selected again.
    Back(Reading, OpenedBy, Box<Held>),
    /// A PIN has to be shown before this file is read on.
    Pin(Verification, Box<Held>),
    Leave(Leave, Result<CardContent, CardError>),
    Done,
}

/// A file that waits for a PIN.
struct Held {
    reading: Reading,
    /// The bootstrap in it; `None` for a directory.
    object: Option<DataObject>,
    part: Option<Part>,
    /// It was asked for in vain, and has to be once more.
    is_refused: bool,
}

enum Next {
    Command(Stage, Command),
    Ask(Stage, super::PinQuestion),
    End(CardContent),
}

impl CardReader {
    /// Begins, with what goes to the card first.
    #[must_use]
    pub fn begin(settings: CardSettings) -> (Self, CardOutput<CardContent>) {
        let mut reader = Self {
            card: Card::new(settings),
            stage: Stage::Done,
            directories: VecDeque::new(),
            objects: VecDeque::new(),
            shown: Vec::new(),
        };
        let begun = Approach::begin(&mut reader.card);
        let next = begun.map(|(approach, command)| Next::Command(Stage::Approach(approach), command));
        let output = reader.proceed(next);
        (reader, output)
    }

    /// Takes what has happened, and says what is to be done.
    pub fn handle(&mut self, input: CardInput<'_>) -> CardOutput<CardContent> {
        let doing = self.doing();
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        match (stage, input) {
            (Stage::Done, _) => CardOutput::Finished(Err(CardError::OutOfTurn)),
            (_, CardInput::Gone) => CardOutput::Finished(Err(CardError::Gone { doing })),
            (Stage::Pin(verification, held), CardInput::Pin(pin)) => self.pin(verification, held, &pin),
            (Stage::Pin(verification, _), CardInput::NoPin) => {
                let error = verification.refused(&self.card);
                self.proceed(Err(error))
            }
            (stage, CardInput::Answer(octets)) => match self.card.answer(octets, doing) {
                Ok(Step::Transmit(octets)) => {
                    self.stage = stage;
                    CardOutput::Transmit(octets)
                }
                Ok(Step::Answered(answer)) => self.answered(stage, &answer),
                Err(error) => self.broken(stage, error),
            },
            (stage, CardInput::Pin(_) | CardInput::NoPin) => self.broken(stage, CardError::OutOfTurn),
        }
    }

    /// What is under way.
    fn doing(&self) -> &'static str {
        match &self.stage {
            Stage::Approach(approach) => approach.doing(),
            Stage::Odf(_) => ODF,
            Stage::Dodf(..) => DODF,
            Stage::Bootstrap(..) => BOOTSTRAP,
            Stage::Rules(lookup, _) => lookup.doing(),
            Stage::Back(reading, ..) => reading.doing(),
            Stage::Pin(..) => VERIFYING,
            Stage::Leave(leave, _) => leave.doing(),
            Stage::Done => "nothing",
        }
    }

    /// An answer that is none. On the way back there is nothing left to be closed.
    fn broken(&mut self, stage: Stage, error: CardError) -> CardOutput<CardContent> {
        match stage {
            Stage::Leave(_, outcome) => CardOutput::Finished(outcome.and(Err(error))),
            _ => self.proceed(Err(error)),
        }
    }

    fn answered(&mut self, stage: Stage, answer: &Response) -> CardOutput<CardContent> {
        if let Stage::Leave(leave, outcome) = stage {
            return match leave.handle(&self.card, answer, outcome.is_ok()) {
                Ok(Way::Go(leave, command)) => self.send(Stage::Leave(leave, outcome), command),
                Ok(Way::There | Way::Nothing) => CardOutput::Finished(outcome),
                Err(error) => CardOutput::Finished(outcome.and(Err(error))),
            };
        }
        let next = self.step(stage, answer);
        self.proceed(next)
    }

    fn proceed(&mut self, next: Result<Next, CardError>) -> CardOutput<CardContent> {
        let outcome = match next {
            Ok(Next::Command(stage, command)) => return self.send(stage, command),
            Ok(Next::Ask(stage, question)) => {
                self.stage = stage;
                return CardOutput::AskPin(question);
            }
            Ok(Next::End(content)) => Ok(content),
            Err(error) => Err(error),
        };
        match Leave::begin(&mut self.card, outcome.is_ok()) {
            Some((leave, command)) => self.send(Stage::Leave(leave, outcome), command),
            None => CardOutput::Finished(outcome),
        }
    }

    fn send(&mut self, stage: Stage, command: Command) -> CardOutput<CardContent> {
        match self.card.transmit(command) {
            Ok(octets) => {
                self.stage = stage;
                CardOutput::Transmit(octets)
            }
            // Without a way to say anything more, the channel closes with the card.
            Err(error) => CardOutput::Finished(Err(error)),
        }
    }

    fn pin(&mut self, verification: Verification, held: Box<Held>, pin: &Pin) -> CardOutput<CardContent> {
        let command = verification.given(&self.card, pin);
        self.send(Stage::Pin(verification, held), command)
    }

    fn step(&mut self, stage: Stage, answer: &Response) -> Result<Next, CardError> {
        let block = self.card.block();
        match stage {
            Stage::Approach(approach) => match approach.handle(&mut self.card, answer)? {
                Way::Go(approach, command) => Ok(Next::Command(Stage::Approach(approach), command)),
                Way::Nothing => Ok(self.end(None)),
                Way::There => {
                    let (reading, command) = self.card.read(&Path::of(FileId::ODF), ODF);
                    Ok(Next::Command(Stage::Odf(reading), command))
                }
            },
            Stage::Odf(mut reading) => match reading.handle(answer, block)? {
                Progress::Missing => Ok(self.end(None)),
                Progress::Command(command) => Ok(Next::Command(Stage::Odf(reading), command)),
                Progress::Selected(_) => match reading.read(block)? {
                    Progress::Command(command) => Ok(Next::Command(Stage::Odf(reading), command)),
                    _ => Ok(self.end(None)),
                },
                Progress::Closed => Err(CardError::Closed { doing: ODF }),
                Progress::Read(octets) => self.listed(&octets.transparent(ODF)?),
            },
            Stage::Dodf(reading, part) => self.directory(reading, part, answer),
            Stage::Bootstrap(reading, object) => self.bootstrap(reading, object, answer),
            Stage::Rules(lookup, held) => Ok(self.rules(lookup, held, answer)),
            Stage::Back(reading, opened_by, held) => self.back(reading, opened_by, *held, answer),
            Stage::Pin(mut verification, held) => match verification.handle(&self.card, answer)? {
                Verified::Command(command) => Ok(Next::Command(Stage::Pin(verification, held), command)),
                Verified::Ask(question) => Ok(Next::Ask(Stage::Pin(verification, held), question)),
                Verified::Done => self.resume(*held),
            },
            Stage::Leave(..) | Stage::Done => Err(CardError::OutOfTurn),
        }
    }

    /// EF(ODF): directories of data objects, the one of the highest priority first.
    fn listed(&mut self, octets: &[u8]) -> Result<Next, CardError> {
        let all = decode_odf(octets, &self.limits(), &mut self.card.leniency());
        let all = all.map_err(|source| CardError::Content { doing: ODF, source })?;
        self.directories = all.into_iter().filter(|of| of.class == Class::DataObjects).collect();
        self.next()
    }

    /// The next bootstrap, or the next directory.
    fn next(&mut self) -> Result<Next, CardError> {
        while let Some(object) = self.objects.pop_front() {
            match &object.value {
                ObjectValue::At(Location { path, .. }) => {
                    let (reading, command) = self.card.read(path, BOOTSTRAP);
                    return Ok(Next::Command(Stage::Bootstrap(reading, object), command));
                }
                ObjectValue::Url(url) => return Ok(self.end(Some(CardBootstrap::Url(url.clone())))),
                ObjectValue::Direct(octets) => {
                    if let Some(bootstrap) = self.content(octets)? {
                        return Ok(self.end(Some(bootstrap)));
                    }
                }
            }
        }
        match self.directories.pop_front().map(|directory| directory.objects) {
            None => Ok(self.end(None)),
            Some(Objects::At(Location { path, part })) => {
                let (reading, command) = self.card.read(&path, DODF);
                Ok(Next::Command(Stage::Dodf(reading, part), command))
            }
            Some(Objects::Inline(octets)) => self.objects_of(&octets),
        }
    }

    fn directory(
        &mut self,
        mut reading: Reading,
        part: Option<Part>,
        answer: &Response,
    ) -> Result<Next, CardError> {
        let block = self.card.block();
        let progress = match reading.handle(answer, block)? {
            Progress::Selected(_) => reading.read(block)?,
            progress => progress,
        };
        match progress {
            Progress::Command(command) => Ok(Next::Command(Stage::Dodf(reading, part), command)),
            Progress::Missing => self.next(),
            Progress::Read(octets) => self.objects_of(cut(&octets.transparent(DODF)?, part)),
            Progress::Closed | Progress::Selected(_) => {
                self.show(Held { reading, object: None, part, is_refused: true })
            }
        }
    }

    /// EF(DODF-bootstrap): which of the objects are bootstraps says their OID (`DM 2.0 §G.4.2`).
    fn objects_of(&mut self, octets: &[u8]) -> Result<Next, CardError> {
        let objects = decode_dodf(octets, &self.limits(), &mut self.card.leniency());
        let objects = objects.map_err(|source| CardError::Content { doing: DODF, source })?;
        self.objects = objects.into_iter().filter(DataObject::is_bootstrap).collect();
        self.next()
    }

    fn bootstrap(
        &mut self,
        mut reading: Reading,
        object: DataObject,
        answer: &Response,
    ) -> Result<Next, CardError> {
        let part = match &object.value {
            ObjectValue::At(location) => location.part,
            _ => None,
        };
        let progress = reading.handle(answer, self.card.block())?;
        match progress {
            Progress::Command(command) => Ok(Next::Command(Stage::Bootstrap(reading, object), command)),
            Progress::Missing => self.next(),
            Progress::Selected(_) => {
                let needs = object.needs_verification();
                let held = Held { reading, object: Some(object), part, is_refused: false };
                if needs { self.show(held) } else { self.resume(held) }
            }
            Progress::Closed => self.show(Held { reading, object: Some(object), part, is_refused: true }),
            Progress::Read(octets) => {
                let bootstrap = self.content(cut(&octets.transparent(BOOTSTRAP)?, part))?;
                match bootstrap {
                    Some(bootstrap) => Ok(self.end(Some(bootstrap))),
                    // Initialised and empty (`DM 2.0 §G.4.3`).
                    None => self.next(),
                }
            }
        }
    }

    /// Has the next PIN shown that may open a file, after a look at EF(ARR) where that says which.
    fn show(&mut self, held: Held) -> Result<Next, CardError> {
        if let OpenedBy::Rule(reference) = held.reading.opened_by() {
            let lookup = Lookup::begin(self.card.address, reference, held.reading.path(), &self.card.pins);
            if let Some((lookup, command)) = lookup {
                return Ok(Next::Command(Stage::Rules(lookup, Box::new(held)), command));
            }
        }
        let Some(reference) = self.reference(held.reading.opened_by()) else {
            // No PIN is asked for: what is closed is closed for us, and what is not is open.
            let doing = held.reading.doing();
            return if held.is_refused { Err(CardError::Closed { doing }) } else { self.resume(held) };
        };
        self.shown.push(reference);
        let label = held.object.as_ref().and_then(|object| object.label.clone());
        let (verification, next) = Verification::begin(&self.card, reference, label)?;
        let stage = Stage::Pin(verification, Box::new(held));
        Ok(match next {
            Verified::Command(command) => Next::Command(stage, command),
            Verified::Ask(question) => Next::Ask(stage, question),
            Verified::Done => match stage {
                Stage::Pin(_, held) => self.resume(*held)?,
                _ => return Err(CardError::OutOfTurn),
            },
        })
    }

    /// The next PIN that was not shown: CHV1 of a SIM, what the FCP of the file or of the application says on a UICC.
    fn reference(&self, opened_by: &OpenedBy) -> Option<KeyReference> {
        if self.card.address.is_sim() {
            let is_enabled = self.card.chv1.is_none_or(|directory| directory.chv1_enabled);
            return (is_enabled && self.shown.is_empty()).then_some(KeyReference::CHV1);
        }
        let pins = &self.card.pins;
        let is_left = |reference: KeyReference| {
            let is_off = pins.iter().any(|pin| pin.reference == reference && !pin.enabled);
            reference.is_of_cardholder() && !is_off && !self.shown.contains(&reference)
        };
        match opened_by {
            OpenedBy::Keys(keys) => keys.iter().copied().find(|key| is_left(*key)),
            OpenedBy::Unsaid | OpenedBy::Rule(_) => {
                pins.iter().map(|pin| pin.reference).find(|reference| is_left(*reference))
            }
            OpenedBy::Nothing => None,
        }
    }

    /// EF(ARR).
    fn rules(&mut self, mut lookup: Lookup, held: Box<Held>, answer: &Response) -> Next {
        match lookup.handle(answer) {
            Looked::Command(command) => Next::Command(Stage::Rules(lookup, held), command),
            Looked::Found(opened_by, path) => {
                let (reading, command) = self.card.read_from_here(&path, held.reading.doing());
                Next::Command(Stage::Back(reading, opened_by, held), command)
            }
        }
    }

    /// The file that is to be read, once more.
    fn back(
        &mut self,
        mut reading: Reading,
        opened_by: OpenedBy,
        held: Held,
        answer: &Response,
    ) -> Result<Next, CardError> {
        match reading.handle(answer, self.card.block())? {
            Progress::Selected(_) => {
                reading.resolve(opened_by);
                self.show(Held { reading, ..held })
            }
            _ => Err(CardError::Closed { doing: reading.doing() }),
        }
    }

    /// Goes on with a file.
    fn resume(&mut self, held: Held) -> Result<Next, CardError> {
        let Held { mut reading, object, part, .. } = held;
        let Progress::Command(command) = reading.again(self.card.block())? else {
            // It has no octets.
            return self.next();
        };
        let stage = match object {
            Some(object) => Stage::Bootstrap(reading, object),
            None => Stage::Dodf(reading, part),
        };
        Ok(Next::Command(stage, command))
    }

    fn content(&self, octets: &[u8]) -> Result<Option<CardBootstrap>, CardError> {
        let content = Content::read(octets, &self.limits(), &mut self.card.leniency());
        let content = content.map_err(|source| CardError::Content { doing: BOOTSTRAP, source })?;
        Ok(match content {
            Content::Empty => None,
            Content::Json(json) => Some(CardBootstrap::Json(Body::from(json.to_vec()))),
            Content::Wbxml(message) => Some(CardBootstrap::Message(Body::from(message.to_vec()))),
        })
    }

    fn end(&self, bootstrap: Option<CardBootstrap>) -> Next {
        Next::End(CardContent { iccid: self.card.iccid(), bootstrap, secured: self.card.is_secured() })
    }

    fn limits(&self) -> Limits {
        Limits { bytes: self.card.settings.max_file, items: 256, ..Limits::default() }
    }
}

/// The part of a file that is meant; as much of it as there is.
fn cut(octets: &[u8], part: Option<Part>) -> &[u8] {
    let Some(Part { index, length }) = part else { return octets };
    let (index, length) = (usize::try_from(index), usize::try_from(length));
    let rest = index.ok().and_then(|index| octets.get(index..)).unwrap_or_default();
    length.ok().and_then(|length| rest.get(..length)).unwrap_or(rest)
}
