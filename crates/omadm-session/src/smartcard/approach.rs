//! The way to the PKCS#15 application, and away from it (`DM 2.0 §G.2.5, §G.3.1, §H`).
//!
//! On a UICC: EF(DIR), MANAGE CHANNEL, SELECT by AID. On a SIM: EF(DIR), SELECT of one directory after the other. Then the secure channel,
//! if there is to be one.

use std::collections::VecDeque;

use omadm_auth::scp03::HostSession;
use omadm_codec::smartcard::dir::{self, ApplicationTemplate};
use omadm_codec::smartcard::fcp::PinStatus;
use omadm_codec::smartcard::sim::Directory;
use omadm_codec::smartcard::status::{Failure, Next};
use omadm_codec::smartcard::{Aid, Channel, Class, Command, FileId, Path, Response, StatusWord, iccid};
use omadm_codec::{DecodeError, Leniency, Limits, Problem};
use zeroize::Zeroizing;

use super::exchange::{Exchange, Step};
use super::file::{Address, Description, Octets, Progress, Reading, is_missing};
use super::secure::Handshake;
use super::{CardError, CardSettings, Mode, SecureChannel};

const PROBING: &str = "selecting the MF";
const IDENTIFYING: &str = "reading EF(ICCID)";
const LISTING: &str = "reading EF(DIR)";
const OPENING: &str = "opening a logical channel";
const SELECTING: &str = "selecting the PKCS#15 application";
const SECURING: &str = "setting up the secure channel";
const CLOSING: &str = "closing the logical channel";
/// Most octets of EF(DIR) and EF(ICCID).
const SMALL: usize = 0xFFFF;

/// A card on which commands run, and what is known of it.
pub(super) struct Card {
    pub(super) settings: CardSettings,
    exchange: Exchange,
    pub(super) address: Address,
    channel: Option<Channel>,
    /// EF(ICCID) as it was at the beginning.
    iccid: Option<Vec<u8>>,
    /// PINs of the application.
    pub(super) pins: Vec<PinStatus>,
    /// CHV1 of a SIM.
    pub(super) chv1: Option<Directory>,
    /// The directory of the application.
    home: Path,
    /// Another directory may be selected.
    is_away: bool,
}

/// What is to be done next on the way.
pub(super) enum Way<T> {
    Go(T, Command),
    There,
    /// There is no such application on the card.
    Nothing,
}

/// Where on the way.
pub(super) enum Approach {
    Probe,
    Iccid(Reading),
    Dir(Reading),
    Open(Aid),
    /// A UICC's application.
    Application,
    /// Directories of a SIM that are still to be selected.
    Directories(VecDeque<Command>),
    Initialize(Handshake),
    Authenticate(Box<HostSession>),
}

impl Card {
    pub(super) fn new(settings: CardSettings) -> Self {
        let exchange = Exchange::new(settings.t0, settings.max_commands);
        let address = match settings.mode {
            Mode::Sim => Address::sim(),
            Mode::Auto | Mode::Uicc => Address::uicc(Channel::BASIC),
        };
        Self {
            settings,
            exchange,
            address,
            channel: None,
            iccid: None,
            pins: Vec::new(),
            chv1: None,
            home: Path::of(FileId::APPLICATION),
            is_away: false,
        }
    }

    /// Begins a command.
    pub(super) fn transmit(&mut self, command: Command) -> Result<Zeroizing<Vec<u8>>, CardError> {
        self.exchange.begin(command)
    }

    /// Takes what the card answered.
    pub(super) fn answer(&mut self, octets: &[u8], doing: &'static str) -> Result<Step, CardError> {
        self.exchange.handle(octets, doing)
    }

    /// Most octets to read or write at once.
    pub(super) fn block(&self) -> omadm_codec::smartcard::Expected {
        self.exchange.block(self.address.class)
    }

    pub(super) fn is_secured(&self) -> bool {
        self.exchange.is_secured()
    }

    /// The digits of its ICCID.
    pub(super) fn iccid(&self) -> Option<String> {
        iccid(self.iccid.as_deref()?, &Limits::default()).ok()
    }

    pub(super) fn leniency(&self) -> Leniency {
        if self.settings.strict { Leniency::strict() } else { Leniency::lenient() }
    }

    /// Begins to read a file of the application, whatever is selected of it.
    pub(super) fn read(&mut self, path: &Path, doing: &'static str) -> (Reading, Command) {
        let is_below = path.files().len() > 1;
        let was_away = std::mem::replace(&mut self.is_away, is_below || path.is_absolute());
        let whole = if was_away && !path.is_absolute() {
            Path::new([self.home.files(), path.files()].concat())
        } else {
            None
        };
        self.read_from_here(whole.as_ref().unwrap_or(path), doing)
    }

    /// Begins to read a file, by its path from the directory that is selected.
    pub(super) fn read_from_here(&self, path: &Path, doing: &'static str) -> (Reading, Command) {
        Reading::begin(self.address, path, doing, self.settings.max_file)
    }

    /// Begins to read a file below the MF.
    fn read_of_mf(&self, file: FileId, doing: &'static str) -> (Reading, Command) {
        let path = Path::new(vec![FileId::MF, file]).unwrap_or_else(|| Path::of(file));
        Reading::begin(self.address, &path, doing, SMALL)
    }
}

impl Approach {
    /// Begins, with the first command.
    pub(super) fn begin(card: &mut Card) -> Result<(Self, Command), CardError> {
        if card.settings.secure == SecureChannel::Required && card.settings.keys.is_none() {
            return Err(CardError::NoKeys);
        }
        Ok((Self::Probe, Command::select_file(card.address.class, FileId::MF)))
    }

    /// What is under way.
    pub(super) fn doing(&self) -> &'static str {
        match self {
            Self::Probe => PROBING,
            Self::Iccid(_) => IDENTIFYING,
            Self::Dir(_) => LISTING,
            Self::Open(_) => OPENING,
            Self::Application | Self::Directories(_) => SELECTING,
            Self::Initialize(_) | Self::Authenticate(_) => SECURING,
        }
    }

    /// Takes an answer.
    pub(super) fn handle(self, card: &mut Card, answer: &Response) -> Result<Way<Self>, CardError> {
        match self {
            Self::Probe => probed(card, answer),
            Self::Iccid(mut reading) => match step(card, &mut reading, answer) {
                Ok(Some(Progress::Command(command))) => Ok(Way::Go(Self::Iccid(reading), command)),
                Ok(Some(Progress::Read(Octets::Transparent(octets)))) => {
                    card.iccid = Some(octets.to_vec());
                    Ok(list(card))
                }
                // A card that does not say who it is may still hold a bootstrap.
                Ok(_) | Err(CardError::Status { .. } | CardError::Structure { .. }) => Ok(list(card)),
                Err(error) => Err(error),
            },
            Self::Dir(mut reading) => match step(card, &mut reading, answer)? {
                Some(Progress::Command(command)) => Ok(Way::Go(Self::Dir(reading), command)),
                Some(Progress::Read(octets)) => listed(card, &octets),
                Some(Progress::Closed) => Err(CardError::Closed { doing: LISTING }),
                _ => Ok(Way::Nothing),
            },
            Self::Open(aid) => opened(card, &aid, answer),
            Self::Application => {
                if is_missing(answer.status) {
                    return Ok(Way::Nothing);
                }
                check(answer, SELECTING)?;
                card.pins = Description::read(card.address, answer, SELECTING)?.pins;
                secure(card)
            }
            Self::Directories(commands) => along(card, commands, answer),
            Self::Initialize(handshake) => {
                if !answer.status.is_ok() {
                    return Err(CardError::NotSecured { status: answer.status });
                }
                let (session, command) = handshake.answer(answer.data())?;
                Ok(Way::Go(Self::Authenticate(Box::new(session)), command))
            }
            Self::Authenticate(session) => {
                check(answer, SECURING)?;
                card.exchange.secure(Some(*session));
                Ok(Way::There)
            }
        }
    }
}

/// An answer that has to be good.
pub(super) fn check(answer: &Response, doing: &'static str) -> Result<(), CardError> {
    if answer.status.is_ok() { Ok(()) } else { Err(CardError::Status { doing, status: answer.status }) }
}

/// A step of a file that is read as soon as it is selected; `None` when it is not there.
fn step(card: &Card, reading: &mut Reading, answer: &Response) -> Result<Option<Progress>, CardError> {
    Ok(match reading.handle(answer, card.block())? {
        Progress::Selected(_) => Some(reading.read(card.block())?),
        Progress::Missing => None,
        progress => Some(progress),
    })
}

/// A card that does not know the class of a UICC is a SIM.
fn probed(card: &mut Card, answer: &Response) -> Result<Way<Approach>, CardError> {
    let is_foreign = matches!(answer.status, StatusWord::UNKNOWN_CLASS | StatusWord::UNKNOWN_INSTRUCTION);
    if is_foreign && card.settings.mode == Mode::Auto && !card.address.is_sim() {
        card.address = Address::sim();
        return Ok(Way::Go(Approach::Probe, Command::select_file(Class::SIM, FileId::MF)));
    }
    check(answer, PROBING)?;
    let (reading, command) = card.read_of_mf(FileId::ICCID, IDENTIFYING);
    Ok(Way::Go(Approach::Iccid(reading), command))
}

fn list(card: &Card) -> Way<Approach> {
    let (reading, command) = card.read_of_mf(FileId::DIR, LISTING);
    Way::Go(Approach::Dir(reading), command)
}

/// Evaluates EF(DIR).
fn listed(card: &mut Card, octets: &Octets) -> Result<Way<Approach>, CardError> {
    let limits = Limits { bytes: SMALL, ..Limits::default() };
    let unreadable = |source: DecodeError| CardError::Content { doing: LISTING, source };
    let mut fault = None;
    let mut found: Option<ApplicationTemplate> = None;
    for part in octets.parts() {
        match dir::decode(part, &limits, &mut card.leniency()) {
            Ok(templates) => {
                found = found.or(templates.into_iter().find(|template| template.aid.is_pkcs15()))
            }
            Err(error) => fault = fault.or(Some(error)),
        }
    }
    let Some(template) = found else {
        // What cannot be read might have been the one.
        return fault.map_or(Ok(Way::Nothing), |error| Err(unreadable(error)));
    };
    if !card.address.is_sim() {
        return Ok(Way::Go(Approach::Open(template.aid), Command::open_channel()));
    }
    let Some(path) = template.path else { return Ok(Way::Nothing) };
    let mut commands = card.address.select(&path);
    card.home = path;
    match commands.pop_front() {
        Some(first) => Ok(Way::Go(Approach::Directories(commands), first)),
        None => Ok(Way::Nothing),
    }
}

fn opened(card: &mut Card, aid: &Aid, answer: &Response) -> Result<Way<Approach>, CardError> {
    let refused = matches!(answer.status, StatusWord::FUNCTION_NOT_SUPPORTED)
        || matches!(answer.status.next(), Next::Failed(Failure::NoChannel));
    if refused {
        return Err(CardError::NoChannel);
    }
    check(answer, OPENING)?;
    let channel = match answer.data() {
        [number] if *number > 0 => Channel::new(*number),
        _ => None,
    };
    let channel = channel.ok_or(CardError::Content {
        doing: OPENING,
        source: DecodeError {
            at: 0,
            field: "channel number",
            problem: Problem::Schema("a channel that was opened has a number from 1 to 19".into()),
        },
    })?;
    card.channel = Some(channel);
    card.address = Address::uicc(channel);
    Ok(Way::Go(Approach::Application, Command::select_application(card.address.class, aid)))
}

fn along(
    card: &mut Card,
    mut commands: VecDeque<Command>,
    answer: &Response,
) -> Result<Way<Approach>, CardError> {
    if is_missing(answer.status) {
        return Ok(Way::Nothing);
    }
    check(answer, SELECTING)?;
    if let Some(next) = commands.pop_front() {
        return Ok(Way::Go(Approach::Directories(commands), next));
    }
    card.chv1 = Description::read(card.address, answer, SELECTING)?.chv1;
    secure(card)
}

/// The application is selected; the secure channel is next, if there is to be one.
fn secure(card: &Card) -> Result<Way<Approach>, CardError> {
    let settings = &card.settings;
    match (settings.secure, &settings.keys) {
        (SecureChannel::Off, _) | (SecureChannel::WithKeys, None) => Ok(Way::There),
        (SecureChannel::Required, None) => Err(CardError::NoKeys),
        (SecureChannel::WithKeys | SecureChannel::Required, Some(keys)) => {
            let (handshake, command) = Handshake::begin(keys, settings.challenge, card.address.class)?;
            Ok(Way::Go(Approach::Initialize(handshake), command))
        }
    }
}

/// The way back: the channel is closed, and the card is still the one that it was.
pub(super) enum Leave {
    Close,
    Iccid(Reading),
}

impl Leave {
    /// Begins; `None` when there is nothing to be done. `is_done`: it went well, so it counts whose content it is.
    pub(super) fn begin(card: &mut Card, is_done: bool) -> Option<(Self, Command)> {
        if let Some(channel) = card.channel.take() {
            // What follows is on the basic channel, which was never secured.
            card.exchange.secure(None);
            card.address = Address::uicc(Channel::BASIC);
            return Some((Self::Close, Command::close_channel(channel)));
        }
        if is_done { Self::identify(card) } else { None }
    }

    fn identify(card: &Card) -> Option<(Self, Command)> {
        card.iccid.as_ref()?;
        let (reading, command) = card.read_of_mf(FileId::ICCID, IDENTIFYING);
        Some((Self::Iccid(reading), command))
    }

    pub(super) fn doing(&self) -> &'static str {
        match self {
            Self::Close => CLOSING,
            Self::Iccid(_) => IDENTIFYING,
        }
    }

    /// Takes an answer.
    pub(super) fn handle(
        self,
        card: &Card,
        answer: &Response,
        is_done: bool,
    ) -> Result<Way<Self>, CardError> {
        let mut reading = match self {
            // A channel that cannot be closed is none that one could do anything about.
            Self::Close => {
                let next = if is_done { Self::identify(card) } else { None };
                return Ok(next.map_or(Way::There, |(leave, command)| Way::Go(leave, command)));
            }
            Self::Iccid(reading) => reading,
        };
        match step(card, &mut reading, answer) {
            Ok(Some(Progress::Command(command))) => Ok(Way::Go(Self::Iccid(reading), command)),
            Ok(Some(Progress::Read(Octets::Transparent(octets))))
                if Some(octets.as_slice()) == card.iccid.as_deref() =>
            {
                Ok(Way::There)
            }
            Ok(_) | Err(_) => Err(CardError::Swapped),
        }
    }
}
