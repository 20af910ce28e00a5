//! Cards in readers, through PC/SC: a thread that waits for them, reads each that comes, and has the user asked for a PIN.

use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use omadm_codec::smartcard::Pin;
use omadm_session::smartcard::{
    CardContent, CardError, CardFile, CardInput, CardOutput, CardReader, CardSettings, CardWriter,
    PinQuestion,
};
use pcsc::{
    Context, Disposition, Error, PNP_NOTIFICATION, Protocol, Protocols, ReaderState, Scope, ShareMode, State,
};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::Moment;

/// Longest answer to a command in its short form.
const ANSWER: usize = 258;
/// Octets of a status word.
const STATUS_WORD: usize = 2;
/// How often it is looked, at least, whether somebody still wants to know.
const GLANCE: Duration = Duration::from_secs(30);
/// Pause before a card that could not be read is tried again, twice as long after each failure.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long a reader may take to say that it has the card that is to be written.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most events that nobody has taken yet.
const EVENTS: usize = 16;

/// Settings of reading cards.
#[derive(Clone, Debug)]
pub struct PcscConfig {
    /// Only readers with this in their name.
    pub reader: Option<String>,
    /// How cards are spoken to. Challenge and protocol are filled in.
    pub card: CardSettings,
    /// How long readers may take at first to say that they have a card.
    pub settle: Duration,
}

/// What has happened to a card.
#[derive(Debug)]
pub enum CardEvent {
    /// It was read, or not.
    Read {
        /// Name of the reader.
        reader: String,
        /// When.
        moment: Moment,
        /// What is on it.
        outcome: Result<CardContent, CardError>,
    },
    /// It was taken out.
    Removed {
        /// Name of the reader.
        reader: String,
    },
    /// There is none in any reader, when the device is switched on.
    Absent,
    /// The user has to be asked. Reading goes on with the answer, and ends without one.
    Pin {
        /// What.
        question: PinQuestion,
        /// Where the answer goes.
        answer: oneshot::Sender<Pin>,
    },
    /// There is no PC/SC, or no reader: nothing is known of any card.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// Cards as they come.
pub struct Cards {
    events: mpsc::Receiver<CardEvent>,
    context: Arc<Mutex<Option<Context>>>,
}

impl Cards {
    /// Begins to wait for cards.
    #[must_use]
    pub fn start(config: PcscConfig) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let context = Arc::default();
        let shared = Arc::clone(&context);
        thread::spawn(move || {
            Watch { config, events: sender, context: shared, moment: Moment::PowerOn, told: None }.run();
        });
        Self { events, context }
    }

    /// Waits for the next event. Nothing is lost when the future is dropped.
    pub async fn event(&mut self) -> CardEvent {
        match self.events.recv().await {
            Some(event) => event,
            // A thread that is gone has nothing more to say.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Cards {
    fn drop(&mut self) {
        self.events.close();
        if let Some(context) = &*self.context.lock().unwrap_or_else(PoisonError::into_inner) {
            // A wait that cannot be called off ends by itself before long.
            let _cancelled = context.cancel();
        }
    }
}

/// Nobody wants to know any more.
struct Gone;

/// The thread.
struct Watch {
    config: PcscConfig,
    events: mpsc::Sender<CardEvent>,
    context: Arc<Mutex<Option<Context>>>,
    moment: Moment,
    /// The last reason why there is nothing to be had.
    told: Option<String>,
}

/// A card that could not be read, and when to try again.
struct Again {
    reader: CString,
    at: Instant,
    pause: Duration,
}

impl Watch {
    fn run(mut self) {
        while !self.events.is_closed() {
            let reason = match self.watch() {
                Ok(Gone) => return,
                Err(error) => error.to_string(),
            };
            *self.context.lock().unwrap_or_else(PoisonError::into_inner) = None;
            if self.unavailable(reason).is_err() {
                return;
            }
            thread::sleep(FIRST_PAUSE);
        }
    }

    fn tell(&self, event: CardEvent) -> Result<(), Gone> {
        self.events.blocking_send(event).map_err(|_| Gone)
    }

    /// Says that nothing is to be had, once for each reason.
    fn unavailable(&mut self, reason: String) -> Result<(), Gone> {
        if self.told.as_ref() == Some(&reason) {
            return Ok(());
        }
        self.told = Some(reason.clone());
        self.tell(CardEvent::Unavailable { reason })
    }

    /// Follows the readers until PC/SC fails.
    fn watch(&mut self) -> Result<Gone, Error> {
        let context = Context::establish(Scope::User)?;
        *self.context.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.clone());
        let mut readers = vec![ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE)];
        let mut seen: Vec<(CString, u32)> = Vec::new();
        let mut again: Option<Again> = None;
        let settled = Instant::now().checked_add(self.config.settle);
        loop {
            self.refresh(&context, &mut readers)?;
            if readers.len() == 1 && self.unavailable("there is no card reader".to_owned()).is_err() {
                return Ok(Gone);
            }
            let settle = settled.filter(|_| self.moment == Moment::PowerOn && readers.len() > 1);
            let due = [settle, again.as_ref().map(|again| again.at)].into_iter().flatten().min();
            let wait = due.map_or(GLANCE, |due| due.saturating_duration_since(Instant::now()).min(GLANCE));
            match context.get_status_change(wait, &mut readers) {
                Ok(()) | Err(Error::Timeout | Error::UnknownReader) => {}
                Err(error) => return Err(error),
            }
            if self.events.is_closed() {
                return Ok(Gone);
            }
            for reader in removed(&readers, &mut seen) {
                again = again.filter(|again| again.reader != reader);
                if self.tell(CardEvent::Removed { reader: reader.to_string_lossy().into_owned() }).is_err() {
                    return Ok(Gone);
                }
            }
            if let Some(reader) = inserted(&readers, &mut seen, again.as_ref()) {
                self.told = None;
                let before = again.take_if(|again| again.reader == reader);
                match self.read(&context, reader, before) {
                    Ok(next) => again = next.or(again),
                    Err(Gone) => return Ok(Gone),
                }
                continue;
            }
            let is_settled = settle.is_some_and(|settled| settled <= Instant::now());
            if is_settled && again.is_none() {
                self.moment = Moment::Inserted;
                if self.tell(CardEvent::Absent).is_err() {
                    return Ok(Gone);
                }
            }
        }
    }

    /// Readers that are gone leave the list, and new ones come into it.
    fn refresh(&self, context: &Context, readers: &mut Vec<ReaderState>) -> Result<(), Error> {
        readers.retain(|reader| !reader.event_state().intersects(State::UNKNOWN | State::IGNORE));
        let names = match context.list_readers_owned() {
            Ok(names) => names,
            Err(Error::NoReadersAvailable) => Vec::new(),
            Err(error) => return Err(error),
        };
        for name in names {
            let text = name.to_string_lossy();
            let is_wanted = self.config.reader.as_ref().is_none_or(|wanted| text.contains(wanted.as_str()));
            if is_wanted && !readers.iter().any(|reader| reader.name() == name.as_c_str()) {
                readers.push(ReaderState::new(name, State::UNAWARE));
            }
        }
        readers.iter_mut().for_each(ReaderState::sync_current_state);
        Ok(())
    }

    /// Reads a card. Gives when to try again, if that makes sense.
    fn read(
        &mut self,
        context: &Context,
        reader: CString,
        before: Option<Again>,
    ) -> Result<Option<Again>, Gone> {
        let outcome = read_card(context, &reader, &self.config.card, |question| {
            let (answer, given) = oneshot::channel();
            self.tell(CardEvent::Pin { question, answer }).ok()?;
            given.blocking_recv().ok()
        });
        let may_pass = outcome.as_ref().is_err_and(CardError::may_pass);
        let moment = self.moment;
        if outcome.is_ok() {
            self.moment = Moment::Inserted;
        }
        self.tell(CardEvent::Read { reader: reader.to_string_lossy().into_owned(), moment, outcome })?;
        let pause = before.map_or(FIRST_PAUSE, |before| before.pause.saturating_mul(2).min(LONGEST_PAUSE));
        let at = Instant::now().checked_add(pause).filter(|_| may_pass);
        Ok(at.map(|at| Again { reader, at, pause }))
    }
}

/// Whether there is a card. One that does not answer is there all the same: it may only sit badly, or be another one than a moment ago,
/// which its reader has not seen.
fn has_card(reader: &ReaderState) -> bool {
    reader.name() != PNP_NOTIFICATION() && reader.event_state().contains(State::PRESENT)
}

/// Readers whose card is not there any more. A card that was taken out and put in again is a new one: the reader counts.
fn removed(readers: &[ReaderState], seen: &mut Vec<(CString, u32)>) -> Vec<CString> {
    let is_same = |name: &CString, count: u32| {
        let mut present = readers.iter().filter(|reader| has_card(reader));
        present.any(|reader| reader.name() == name.as_c_str() && reader.event_count() == count)
    };
    let (kept, gone): (Vec<_>, Vec<_>) =
        std::mem::take(seen).into_iter().partition(|(name, count)| is_same(name, *count));
    *seen = kept;
    gone.into_iter().map(|(name, _)| name).collect()
}

/// A reader with a card that has not been read, or is to be read again.
fn inserted(
    readers: &[ReaderState],
    seen: &mut Vec<(CString, u32)>,
    again: Option<&Again>,
) -> Option<CString> {
    let present: Vec<&ReaderState> = readers.iter().filter(|reader| has_card(reader)).collect();
    let is_new = |reader: &&&ReaderState| !seen.iter().any(|(name, _)| name.as_c_str() == reader.name());
    if let Some(reader) = present.iter().find(is_new) {
        seen.push((reader.name().to_owned(), reader.event_count()));
        return Some(reader.name().to_owned());
    }
    let again = again.filter(|again| again.at <= Instant::now())?;
    present.iter().any(|reader| reader.name() == again.reader.as_c_str()).then(|| again.reader.clone())
}

/// What a card answers, for as long as nobody else may use it.
struct Link<'c> {
    transaction: pcsc::Transaction<'c>,
}

impl Link<'_> {
    fn transmit(&self, octets: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut buffer = Zeroizing::new(vec![0; ANSWER]);
        let length = self.transaction.transmit(octets, &mut buffer)?.len();
        // A card has at least a status word to say. Readers whose card is gone say nothing, and call that a success.
        if length < STATUS_WORD {
            return Err(Error::RemovedCard);
        }
        buffer.truncate(length);
        Ok(buffer)
    }
}

fn failed(error: Error) -> CardError {
    CardError::Reader { reason: error.to_string() }
}

/// Runs an engine on the card in a reader.
fn with_card<T>(
    context: &Context,
    reader: &CString,
    settings: &CardSettings,
    run: impl FnOnce(&Link<'_>, CardSettings) -> Result<T, CardError>,
) -> Result<T, CardError> {
    let mut card = context.connect(reader, ShareMode::Shared, Protocols::ANY).map_err(failed)?;
    let outcome = alone(&mut card, settings, run);
    // It was reset already, if it is still there.
    drop(card.disconnect(Disposition::LeaveCard));
    outcome
}

/// Runs an engine on a card that nobody else uses meanwhile; the card is as it was put in afterwards.
fn alone<T>(
    card: &mut pcsc::Card,
    settings: &CardSettings,
    run: impl FnOnce(&Link<'_>, CardSettings) -> Result<T, CardError>,
) -> Result<T, CardError> {
    let transaction = card.transaction().map_err(failed)?;
    let protocol = transaction.status2_owned().map_err(failed)?.protocol2();
    let mut settings = CardSettings { t0: protocol == Some(Protocol::T0), ..settings.clone() };
    openssl::rand::rand_bytes(&mut settings.challenge)
        .map_err(|error| CardError::Reader { reason: format!("there is no randomness: {error}") })?;
    let link = Link { transaction };
    let outcome = run(&link, settings);
    // PINs that were shown and files that were selected are nobody else's affair. A card that is gone cannot be reset, and pcscd would take
    // the next one for absent, if it came before it was looked for.
    let disposition = match &outcome {
        Err(CardError::Gone { .. }) => Disposition::LeaveCard,
        Ok(_) | Err(_) => Disposition::ResetCard,
    };
    drop(link.transaction.end(disposition));
    outcome
}

/// Reads the card in a reader.
fn read_card(
    context: &Context,
    reader: &CString,
    settings: &CardSettings,
    mut ask: impl FnMut(PinQuestion) -> Option<Pin>,
) -> Result<CardContent, CardError> {
    with_card(context, reader, settings, |link, settings| {
        let (mut engine, mut output) = CardReader::begin(settings);
        loop {
            output = match output {
                CardOutput::Transmit(octets) => match link.transmit(&octets) {
                    Ok(answer) => engine.handle(CardInput::Answer(&answer)),
                    Err(error) => {
                        tracing::debug!("the card reader: {error}");
                        engine.handle(CardInput::Gone)
                    }
                },
                CardOutput::AskPin(question) => match ask(question) {
                    Some(pin) => engine.handle(CardInput::Pin(pin)),
                    None => engine.handle(CardInput::NoPin),
                },
                CardOutput::Finished(outcome) => return outcome,
            };
        }
    })
}

/// Writes files onto the card in the first reader with a card that has `reader` in its name. Waits while it does, and a little for a card.
///
/// # Errors
/// [`CardError`].
pub fn write_card(
    reader: Option<&str>,
    settings: &CardSettings,
    files: Vec<CardFile>,
) -> Result<(), CardError> {
    let context = Context::establish(Scope::User).map_err(failed)?;
    let name = with_one(&context, reader).map_err(failed)?;
    with_card(&context, &name, settings, |link, settings| {
        let (mut engine, mut output) = CardWriter::begin(settings, files);
        loop {
            output = match output {
                CardOutput::Transmit(octets) => match link.transmit(&octets) {
                    Ok(answer) => engine.handle(CardInput::Answer(&answer)),
                    Err(_) => engine.handle(CardInput::Gone),
                },
                CardOutput::AskPin(_) => engine.handle(CardInput::NoPin),
                CardOutput::Finished(outcome) => return outcome,
            };
        }
    })
}

/// The first reader with a card that has `wanted` in its name.
fn with_one(context: &Context, wanted: Option<&str>) -> Result<CString, Error> {
    let names = context.list_readers_owned()?.into_iter();
    let named = names.filter(|name| wanted.is_none_or(|wanted| name.to_string_lossy().contains(wanted)));
    let mut states: Vec<_> = named.map(|name| ReaderState::new(name, State::UNAWARE)).collect();
    if states.is_empty() {
        return Err(Error::NoReadersAvailable);
    }
    let until = Instant::now().checked_add(PATIENCE);
    loop {
        let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        match context.get_status_change(left, &mut states) {
            Ok(()) => {}
            Err(Error::Timeout) => return Err(Error::NoSmartcard),
            Err(error) => return Err(error),
        }
        if let Some(state) = states.iter().find(|state| has_card(state)) {
            return Ok(state.name().to_owned());
        }
        states.iter_mut().for_each(ReaderState::sync_current_state);
    }
}
