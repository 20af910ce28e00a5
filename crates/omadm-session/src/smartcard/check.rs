//! A property of both engines: whatever a card answers, they say commands that a card can take, ask for no more than they may, and end.
//!
//! The fuzz target calls it, and a test runs it over the fuzz corpus. It panics when the property does not hold, so nothing but tests and
//! fuzzers may call it.

use omadm_auth::Secret;
use omadm_codec::Limits;
use omadm_codec::smartcard::{Command, FileId, Instruction, Path, Pin};

use super::{
    CardBootstrap, CardContent, CardError, CardFile, CardInput, CardKeys, CardOutput, CardReader,
    CardSettings, CardWriter, Mode, PinQuestion,
};
use crate::Body;

/// Most commands of a run.
const MAX_COMMANDS: u32 = 96;
/// Most octets of a file.
const MAX_FILE: usize = 2_048;
/// Most octets of a command in its short form.
const SHORT: usize = 261;
/// What the user types.
const PIN: &str = "2468";

/// Plays the card by a script. The first octet chooses the engine and its settings; each answer stands behind its length in two octets;
/// after the last one the card is gone.
pub fn check_card(script: &[u8]) {
    let Some((choice, rest)) = script.split_first() else { return };
    let mut run = Run { answers: rest, has_user: choice & 0x80 == 0, commands: 0, shown: 0, given: 0 };
    let settings = settings(*choice);
    if choice & 1 == 0 {
        let last_try = settings.last_try;
        let (mut engine, output) = CardReader::begin(settings);
        let outcome = run.drive(output, last_try, |input| engine.handle(input));
        assert!(outcome.is_err() || outcome.is_ok_and(|content| is_bounded(&content)), "more than a file");
        assert!(is_over(&engine.handle(CardInput::NoPin)));
    } else {
        let files = vec![CardFile {
            name: "EF_DM_Bootstrap",
            path: Path::of(FileId(0x6421)),
            octets: Body::from(vec![b'a'; usize::from(*choice) * 2]),
        }];
        let (mut engine, output) = CardWriter::begin(settings, files);
        let _written = run.drive(output, false, |input| engine.handle(input));
        assert_eq!(run.given, 0, "nobody is asked for a PIN to write a card");
        assert!(is_over(&engine.handle(CardInput::Gone)));
    }
}

fn settings(choice: u8) -> CardSettings {
    let key = |first: u8| Secret::new((first..first + 16).collect::<Vec<u8>>());
    let keys = CardKeys::new(&key(0x00), &key(0x10), key(0x20), 0x30).ok();
    CardSettings {
        mode: match choice >> 1 & 3 {
            1 => Mode::Sim,
            2 => Mode::Uicc,
            _ => Mode::Auto,
        },
        t0: choice & 0x08 != 0,
        strict: choice & 0x10 != 0,
        keys: keys.filter(|_| choice & 0x20 != 0),
        last_try: choice & 0x40 != 0,
        challenge: *b"8 octets",
        max_file: MAX_FILE,
        max_commands: MAX_COMMANDS,
        ..CardSettings::default()
    }
}

/// A card that answers by a script, and what was said to it.
struct Run<'s> {
    answers: &'s [u8],
    has_user: bool,
    commands: u32,
    /// PINs that went to the card, as far as that can be seen.
    shown: u32,
    /// PINs that the user gave.
    given: u32,
}

impl<'s> Run<'s> {
    fn drive<T>(
        &mut self,
        mut output: CardOutput<T>,
        last_try: bool,
        mut handle: impl FnMut(CardInput<'_>) -> CardOutput<T>,
    ) -> Result<T, CardError> {
        loop {
            output = match output {
                CardOutput::Transmit(octets) => {
                    self.said(&octets);
                    match self.answer() {
                        Some(answer) => handle(CardInput::Answer(answer)),
                        None => handle(CardInput::Gone),
                    }
                }
                CardOutput::AskPin(question) => {
                    self.asked(&question, last_try);
                    match Pin::parse(PIN) {
                        Ok(pin) if self.has_user => {
                            self.given += 1;
                            handle(CardInput::Pin(pin))
                        }
                        _ => handle(CardInput::NoPin),
                    }
                }
                CardOutput::Finished(outcome) => return outcome,
            };
        }
    }

    fn answer(&mut self) -> Option<&'s [u8]> {
        let (length, rest) = self.answers.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (answer, rest) = rest.split_at_checked(length)?;
        self.answers = rest;
        Some(answer)
    }

    fn said(&mut self, octets: &[u8]) {
        self.commands += 1;
        assert!(self.commands <= MAX_COMMANDS, "{} commands", self.commands);
        assert!(octets.len() <= SHORT, "{} octets", octets.len());
        let command = Command::decode(octets, &Limits::default());
        assert!(command.is_ok(), "{command:?}");
        let is_shown = |command: &Command| {
            command.instruction == Instruction::VERIFY
                && !command.data().is_empty()
                && !command.class.is_secured()
        };
        self.shown += u32::from(command.is_ok_and(|command| is_shown(&command)));
        // A card that tells another length gets the same command once more.
        assert!(self.shown <= 2 * self.given, "{} PINs shown, {} given", self.shown, self.given);
    }

    fn asked(&self, question: &PinQuestion, last_try: bool) {
        assert_ne!(question.tries_left, Some(0), "{question:?}");
        assert!(last_try || question.tries_left != Some(1), "{question:?}");
    }
}

fn is_bounded(content: &CardContent) -> bool {
    match &content.bootstrap {
        Some(CardBootstrap::Json(body) | CardBootstrap::Message(body)) => body.len() <= MAX_FILE,
        Some(CardBootstrap::Url(url)) => url.len() <= MAX_FILE,
        None => true,
    }
}

fn is_over<T>(output: &CardOutput<T>) -> bool {
    matches!(output, CardOutput::Finished(Err(CardError::OutOfTurn)))
}
