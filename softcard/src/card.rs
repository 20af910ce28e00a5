//! A card: what it answers to each command.

use crate::apdu::Command;
use crate::files::{Access, Content, File};
use crate::image::Image;
use crate::secure::{Keys, Secure};

/// Which commands a card knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A SIM, or a UICC in 2G mode (`TS 51.011`).
    Sim,
    /// A UICC in 3G mode (`TS 102 221`).
    #[default]
    Uicc,
}

/// The PIN of a card: CHV1 of a SIM, or that of an application of a UICC.
#[derive(Clone, Debug)]
pub struct Pin {
    /// Its digits.
    pub digits: String,
    /// By which a UICC refers to it.
    pub reference: u8,
    /// How many tries are left.
    pub tries: u8,
    /// Whether it is asked for at all.
    pub enabled: bool,
}

impl Default for Pin {
    fn default() -> Self {
        Self { digits: "2468".to_owned(), reference: 0x01, tries: 3, enabled: true }
    }
}

/// How a card is made.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which commands it knows.
    pub kind: Kind,
    /// What is on it.
    pub image: Image,
    /// Its PIN.
    pub pin: Pin,
    /// A PIN of a UICC that the application names first, and that opens nothing here.
    pub other_pin: Option<Pin>,
    /// The keys of its secure channel, if it has one.
    pub keys: Option<Keys>,
    /// How many logical channels it has beside the basic one.
    pub channels: u8,
    /// It says with `61xx` what waits for GET RESPONSE, as over T=0. A SIM always says `9Fxx`.
    pub get_response: bool,
    /// It insists on the right Le and says `6Cxx` else.
    pub exact: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            kind: Kind::Uicc,
            image: Image::default(),
            pin: Pin::default(),
            other_pin: None,
            keys: None,
            channels: 3,
            get_response: false,
            exact: false,
        }
    }
}

/// What is selected on a channel.
#[derive(Debug, Default)]
struct Selection {
    /// The places that lead to the directory, from the MF.
    directory: Vec<usize>,
    /// The file in it.
    file: Option<Vec<usize>>,
    /// The application, whichever directory is selected.
    application: Option<Vec<usize>>,
    secure: Option<Secure>,
}

/// A card in a reader.
#[derive(Debug)]
pub struct Card {
    setup: Setup,
    files: File,
    /// The basic channel, and those that are open.
    channels: Vec<Option<Selection>>,
    verified: bool,
    tries: u8,
    /// Tries of the other PIN.
    other_tries: u8,
    /// What waits for GET RESPONSE, and the status word at its end.
    waiting: (Vec<u8>, u16),
    /// The command that was told the right Le, and is said again.
    corrected: Option<Command>,
    /// Secure channels so far.
    sessions: u32,
}

/// Data, or the status word that says why not.
type Answer = Result<Vec<u8>, u16>;
/// Data and status word.
type Reply = (Vec<u8>, u16);

fn reply(answer: Answer) -> Reply {
    answer.map_or_else(|status| (Vec::new(), status), |data| (data, 0x9000))
}

const NOT_FOUND: u16 = 0x6A82;
/// The file identifier of the application that is selected.
const CURRENT: u16 = 0x7FFF;
const DENIED: u16 = 0x6982;
/// Most octets that fit into an answer under secure messaging.
const SECURED: usize = 239;
/// Longest PIN.
const PIN_LENGTH: usize = 8;

impl Card {
    /// One that nobody has used yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let files = setup.image.files();
        let tries = setup.pin.tries;
        let other_tries = setup.other_pin.as_ref().map_or(0, |pin| pin.tries);
        let mut card = Self {
            setup,
            files,
            channels: Vec::new(),
            verified: false,
            tries,
            other_tries,
            waiting: (Vec::new(), 0),
            corrected: None,
            sessions: 0,
        };
        card.reset();
        card
    }

    /// What it says when it gets power. A SIM speaks T=0, as does a UICC with GET RESPONSE; any other speaks T=1.
    #[must_use]
    pub fn atr(&self) -> Vec<u8> {
        match self.setup.kind == Kind::Sim || self.setup.get_response {
            true => b"\x3B\x08softcard".to_vec(),
            false => {
                let mut atr = b"\x3B\x88\x01softcard".to_vec();
                atr.push(atr[1..].iter().fold(0, |sum, octet| sum ^ octet));
                atr
            }
        }
    }

    /// Power off and on: files and tries stay, and nothing else does.
    pub fn reset(&mut self) {
        let further = (0..self.setup.channels).map(|_| None);
        self.channels = std::iter::once(Some(Selection::default())).chain(further).collect();
        self.verified = false;
        self.waiting.0.clear();
    }

    /// Tries of the PIN that are left.
    #[must_use]
    pub fn tries(&self) -> u8 {
        self.tries
    }

    /// Tries of the other PIN that are left.
    #[must_use]
    pub fn other_tries(&self) -> u8 {
        self.other_tries
    }

    /// The octets of a file anywhere on the card, if there is one.
    #[must_use]
    pub fn content(&self, id: u16) -> Option<&[u8]> {
        fn find(file: &File, id: u16) -> Option<&[u8]> {
            match &file.content {
                Content::Transparent(octets) if file.id == id => Some(octets),
                _ => file.files().iter().find_map(|file| find(file, id)),
            }
        }
        find(&self.files, id)
    }

    /// Answers a command.
    pub fn transmit(&mut self, octets: &[u8]) -> Vec<u8> {
        let Some(command) = Command::read(octets) else { return 0x6700_u16.to_be_bytes().to_vec() };
        let (mut data, status) = self.answer(command);
        data.extend(status.to_be_bytes());
        data
    }

    fn answer(&mut self, command: Command) -> Reply {
        if command.ins == 0xC0 {
            return reply(self.rest(&command));
        }
        if self.corrected.take().is_some_and(|told| told == Command { le: told.le, ..command.clone() }) {
            return std::mem::take(&mut self.waiting);
        }
        self.waiting.0.clear();
        let (le, ins, said) = (command.le, command.ins, command.clone());
        let (data, status) = match self.setup.kind {
            Kind::Sim if ![0xA0, 0x80].contains(&(command.cla & 0xF0)) => return reply(Err(0x6E00)),
            Kind::Uicc if command.cla & 0xF0 == 0xA0 => return reply(Err(0x6E00)),
            _ => self.on_channel(command),
        };
        // What a command in T=0 has both to say and to hear is fetched.
        let sim = self.setup.kind == Kind::Sim;
        let fetched = sim && ins == 0xA4 || (sim || self.setup.get_response) && le.is_none();
        if fetched && !data.is_empty() {
            let length = data.len() as u16 & 0xFF;
            self.waiting = (data, status);
            return (Vec::new(), if sim { 0x9F00 } else { 0x6100 } | length);
        }
        match le {
            Some(le) if self.setup.exact && le != data.len() && !data.is_empty() => {
                self.waiting = (data, status);
                self.corrected = Some(said);
                (Vec::new(), 0x6C00 | self.waiting.0.len() as u16 & 0xFF)
            }
            _ => (data, status),
        }
    }

    /// GET RESPONSE.
    fn rest(&mut self, command: &Command) -> Answer {
        let (waiting, status) = std::mem::take(&mut self.waiting);
        let wanted = command.le.unwrap_or(256).min(waiting.len());
        match status {
            0x9000 if !waiting.is_empty() => Ok(waiting[..wanted].to_vec()),
            _ => Err(0x6985),
        }
    }

    /// A command on its channel, under secure messaging if there is a session.
    fn on_channel(&mut self, command: Command) -> Reply {
        let number = if self.setup.kind == Kind::Sim { 0 } else { usize::from(command.cla & 0x03) };
        if self.channels.get(number).is_none_or(Option::is_none) {
            return reply(Err(0x6881));
        }
        if matches!(command.ins, 0x50 | 0x82) && command.cla & 0x80 != 0 {
            return reply(self.authenticate(number, &command));
        }
        let Some(mut secure) = self.channel(number).secure.take() else {
            let secured = command.cla & 0x04 != 0;
            return reply(if secured { Err(0x6882) } else { self.plain(number, &command, false) });
        };
        // A session ends with the first command that is not as it has to be.
        let Some(inner) = secure.open(&command) else { return reply(Err(0x6988)) };
        let (data, status) = reply(self.plain(number, &inner, true));
        let data = secure.close(&data, status);
        self.channel(number).secure = Some(secure);
        (data, status)
    }

    fn channel(&mut self, number: usize) -> &mut Selection {
        self.channels[number].get_or_insert_with(Selection::default)
    }

    /// INITIALIZE UPDATE and EXTERNAL AUTHENTICATE.
    fn authenticate(&mut self, number: usize, command: &Command) -> Answer {
        let keys = self.setup.keys.clone().ok_or(0x6D00_u16)?;
        if command.ins == 0x50 {
            self.sessions += 1;
            let (secure, answer) = Secure::begin(&keys, self.sessions, command).ok_or(0x6A88_u16)?;
            self.channel(number).secure = Some(secure);
            return Ok(answer);
        }
        let secure = self.channel(number).secure.take().ok_or(0x6985_u16)?;
        self.channel(number).secure = Some(secure.authenticate(command).ok_or(0x6300_u16)?);
        Ok(Vec::new())
    }

    /// A command out of its wrapping.
    fn plain(&mut self, number: usize, command: &Command, secured: bool) -> Answer {
        match command.ins {
            0xA4 => self.select(number, command),
            0xB0 | 0xB1 => self.read(number, command, secured),
            0xB2 => self.record(number, command, secured),
            0xD6 | 0xD7 => self.update(number, command, secured),
            0x20 => self.verify(command),
            0x70 if self.setup.kind == Kind::Uicc => self.manage(command),
            _ => Err(0x6D00),
        }
    }

    fn manage(&mut self, command: &Command) -> Answer {
        match (command.p1, usize::from(command.p2)) {
            (0x00, 0) => {
                let free = self.channels.iter().position(Option::is_none).ok_or(0x6A81_u16)?;
                self.channels[free] = Some(Selection::default());
                Ok(vec![free as u8])
            }
            (0x80, number @ 1..) if self.channels.get(number).is_some_and(Option::is_some) => {
                self.channels[number] = None;
                Ok(Vec::new())
            }
            _ => Err(0x6A86),
        }
    }

    fn select(&mut self, number: usize, command: &Command) -> Answer {
        let missing = if self.setup.kind == Kind::Sim { 0x9404 } else { NOT_FOUND };
        let (from, own) = (self.channel(number).directory.clone(), self.channel(number).application.clone());
        let found = match command.p1 {
            0x03 => from.split_last().map(|(_, parent)| parent.to_vec()),
            0x04 => self.application(&command.data),
            0x08 => match (command.data.strip_prefix(&CURRENT.to_be_bytes()), own) {
                (Some(path), own) => own.and_then(|own| self.along(own, path)),
                (None, _) => self.along(Vec::new(), &command.data),
            },
            _ if command.parameters() == 0x0004 && command.data == CURRENT.to_be_bytes() => own,
            0x09 => self.along(from, &command.data),
            _ => self.near(from, &command.data),
        };
        let found = found.ok_or(missing)?;
        let file = self.files.at(&found).clone();
        let selection = self.channel(number);
        if command.p1 == 0x04 {
            selection.application = Some(found.clone());
        }
        if file.is_directory() {
            (selection.directory, selection.file) = (found, None);
        } else {
            selection.directory = found[..found.len() - 1].to_vec();
            selection.file = Some(found);
        }
        Ok(match self.setup.kind {
            Kind::Sim => self.description(&file),
            Kind::Uicc if command.p2 & 0x0C == 0x0C => Vec::new(),
            Kind::Uicc => self.template(&file),
        })
    }

    /// The application with an AID that begins so.
    fn application(&self, wanted: &[u8]) -> Option<Vec<usize>> {
        let is_it = |file: &File| matches!(&file.content, Content::Directory { aid: Some(aid), .. } if aid.starts_with(wanted));
        let place = self.files.files().iter().position(is_it)?;
        (self.setup.kind == Kind::Uicc && !wanted.is_empty()).then(|| vec![place])
    }

    /// One step after the other.
    fn along(&self, from: Vec<usize>, path: &[u8]) -> Option<Vec<usize>> {
        path.chunks(2).try_fold(from, |at, id| self.child(at, u16::from_be_bytes(id.try_into().ok()?)))
    }

    /// MF, a child, the parent, or a directory beside (`TS 51.011 §6.5`).
    fn near(&self, from: Vec<usize>, id: &[u8]) -> Option<Vec<usize>> {
        let id = if id.is_empty() { 0x3F00 } else { u16::from_be_bytes(id.try_into().ok()?) };
        if id == 0x3F00 {
            return Some(Vec::new());
        }
        let parent = from.split_last().map(|(_, parent)| parent.to_vec());
        if let Some(parent) = parent.as_ref().filter(|parent| self.files.at(parent).id == id) {
            return Some(parent.clone());
        }
        let beside = || self.child(parent?, id).filter(|found| self.files.at(found).is_directory());
        self.child(from, id).or_else(beside)
    }

    fn child(&self, mut at: Vec<usize>, id: u16) -> Option<Vec<usize>> {
        let place = self.files.at(&at).files().iter().position(|file| file.id == id)?;
        at.push(place);
        Some(at)
    }

    /// The answer of a SIM to SELECT (`TS 51.011 §9.2.1`).
    fn description(&self, file: &File) -> Vec<u8> {
        let [high, low] = u16::try_from(file.size()).unwrap_or(u16::MAX).to_be_bytes();
        let [first, second] = file.id.to_be_bytes();
        if file.is_directory() {
            let kind = if file.id == 0x3F00 { 1 } else { 2 };
            let disabled = u8::from(!self.setup.pin.enabled) << 7;
            let chv = 0x80 | self.tries;
            return vec![
                0,
                0,
                0,
                0,
                first,
                second,
                kind,
                0,
                0,
                0,
                0,
                0,
                9,
                disabled | 0x13,
                2,
                8,
                4,
                0,
                chv,
                0x8A,
                0x83,
                0x8A,
            ];
        }
        // UPDATE is for the issuer.
        let access = match file.read {
            Access::Always => 0x04,
            Access::Pin => 0x14,
            Access::Secure => 0x44,
            Access::Never => 0xF4,
        };
        let (structure, record) = match &file.content {
            Content::Linear(records) => (1, records.first().map_or(0, Vec::len) as u8),
            _ => (0, 0),
        };
        vec![0, 0, high, low, first, second, 4, 0, access, 0xFF, 0xFF, 1, 2, structure, record]
    }

    /// The FCP of a UICC (`TS 102 221 §11.1.1.3`).
    fn template(&self, file: &File) -> Vec<u8> {
        use crate::image::tlv;
        let size = file.size();
        let mut objects = Vec::new();
        match &file.content {
            Content::Directory { aid, .. } => {
                objects.extend(tlv(0x82, &[0x78, 0x21]));
                objects.extend(tlv(0x83, &file.id.to_be_bytes()));
                objects.extend(aid.as_ref().map(|aid| tlv(0x84, aid)).unwrap_or_default());
                let pins = self.setup.other_pin.iter().chain([&self.setup.pin]);
                let enabled = pins.clone().zip([0x80, 0x40]).filter(|(pin, _)| pin.enabled);
                let mut status = tlv(0x90, &[enabled.fold(0, |bits, (_, bit)| bits | bit)]);
                status.extend(pins.flat_map(|pin| tlv(0x83, &[pin.reference])));
                status.extend(tlv(0x83, &[0x0A]));
                objects.extend(tlv(0xC6, &status));
            }
            Content::Transparent(_) => {
                objects.extend(tlv(0x82, &[0x41, 0x21]));
                objects.extend(tlv(0x83, &file.id.to_be_bytes()));
            }
            Content::Linear(records) => {
                let length = records.first().map_or(0, Vec::len) as u16;
                let [high, low] = length.to_be_bytes();
                objects.extend(tlv(0x82, &[0x42, 0x21, high, low, records.len() as u8]));
                objects.extend(tlv(0x83, &file.id.to_be_bytes()));
            }
        }
        objects.extend(tlv(0x8A, &[5]));
        if !file.rule.is_empty() {
            objects.extend(tlv(0x8B, &file.rule));
        }
        if !file.is_directory() {
            let octets = (size as u32).to_be_bytes();
            objects.extend(tlv(0x80, &octets[if size > 0xFFFF { 1 } else { 2 }..]));
        }
        tlv(0x62, &objects)
    }

    /// The selected file, if it may be read.
    fn readable(&mut self, number: usize, secured: bool) -> Result<File, u16> {
        let sim = self.setup.kind == Kind::Sim;
        let path = self.channel(number).file.clone();
        let path = path.ok_or(if sim { 0x9400_u16 } else { 0x6986 })?;
        let file = self.files.at(&path).clone();
        let is_open = self.verified || !self.setup.pin.enabled;
        let may = match file.read {
            Access::Always => true,
            Access::Pin => is_open,
            Access::Secure => secured,
            Access::Never => false,
        };
        if may { Ok(file) } else { Err(if sim { 0x9804 } else { DENIED }) }
    }

    fn read(&mut self, number: usize, command: &Command, secured: bool) -> Answer {
        let Content::Transparent(octets) = self.readable(number, secured)?.content else {
            return Err(if self.setup.kind == Kind::Sim { 0x9408 } else { 0x6981 });
        };
        let objects = command.ins == 0xB1;
        let offset = self.offset(command).ok_or(0x6A80_u16)?.0;
        let Some(rest) = octets.get(offset..).filter(|rest| !rest.is_empty()) else { return Err(0x6B00) };
        let most = command.le.unwrap_or(if secured { SECURED } else { 256 });
        let mut wanted = most.min(rest.len());
        if !objects {
            return Ok(rest[..wanted].to_vec());
        }
        // Le counts tag and length, too.
        while wanted > 0 && crate::image::tlv(0x53, &rest[..wanted]).len() > most {
            wanted -= 1;
        }
        Ok(crate::image::tlv(0x53, &rest[..wanted]))
    }

    /// Offset of a command, and what follows it in the data.
    fn offset<'c>(&self, command: &'c Command) -> Option<(usize, &'c [u8])> {
        if command.ins & 1 == 0 {
            // The highest bit of a UICC's offset says that it is none.
            let is_none = self.setup.kind == Kind::Uicc && command.p1 & 0x80 != 0;
            return (!is_none).then_some((command.parameters().into(), &command.data));
        }
        let [0x54, length, rest @ ..] = command.data.as_slice() else { return None };
        let (offset, rest) = rest.split_at_checked((*length).into())?;
        Some((offset.iter().fold(0, |offset, octet| offset << 8 | usize::from(*octet)), rest))
    }

    fn record(&mut self, number: usize, command: &Command, secured: bool) -> Answer {
        let Content::Linear(records) = self.readable(number, secured)?.content else {
            return Err(if self.setup.kind == Kind::Sim { 0x9408 } else { 0x6981 });
        };
        let place = usize::from(command.p1).checked_sub(1);
        let record = place.and_then(|place| records.get(place)).cloned();
        let record = record.ok_or(if self.setup.kind == Kind::Sim { 0x9402_u16 } else { 0x6A83 })?;
        match command.le {
            Some(le) if le != 256 && le != record.len() => Err(0x6C00 | record.len() as u16),
            _ => Ok(record),
        }
    }

    /// Only through a secure channel: whoever has its keys is the issuer.
    fn update(&mut self, number: usize, command: &Command, secured: bool) -> Answer {
        if !secured {
            return Err(if self.setup.kind == Kind::Sim { 0x9804 } else { DENIED });
        }
        let path = self.channel(number).file.clone().ok_or(0x6986_u16)?;
        let (offset, rest) = self.offset(command).ok_or(0x6A80_u16)?;
        let value = match (command.ins, rest) {
            (0xD6, octets) => octets,
            (_, [0x53, length @ 0..=0x7F, octets @ ..]) if octets.len() == usize::from(*length) => octets,
            (_, [0x53, 0x81, length, octets @ ..]) if octets.len() == usize::from(*length) => octets,
            _ => return Err(0x6A80),
        };
        let Content::Transparent(octets) = &mut self.files.at_mut(&path).content else { return Err(0x6981) };
        let place = octets.get_mut(offset..offset + value.len()).ok_or(0x6B00_u16)?;
        place.copy_from_slice(value);
        Ok(Vec::new())
    }

    fn verify(&mut self, command: &Command) -> Answer {
        let sim = self.setup.kind == Kind::Sim;
        let is_it = |pin: &&Pin| command.p2 == if sim { 0x01 } else { pin.reference };
        let other = self.setup.other_pin.as_ref().filter(|pin| !sim && is_it(pin));
        let Some(Pin { enabled, digits, tries: all, .. }) = other.or(Some(&self.setup.pin).filter(is_it))
        else {
            return Err(if sim { 0x9802 } else { 0x6A88 });
        };
        let tries = if other.is_some() { &mut self.other_tries } else { &mut self.tries };
        if *tries == 0 {
            return Err(if sim { 0x9840 } else { 0x6983 });
        }
        if !enabled {
            return Err(if sim { 0x9808 } else { 0x6984 });
        }
        if command.data.is_empty() && !sim {
            let is_verified = self.verified && other.is_none();
            return if is_verified { Ok(Vec::new()) } else { Err(0x63C0 | u16::from(*tries)) };
        }
        let mut expected = digits.as_bytes().to_vec();
        expected.resize(PIN_LENGTH, 0xFF);
        let is_right = command.data == expected;
        *tries = if is_right { *all } else { *tries - 1 };
        let left = *tries;
        if other.is_none() {
            self.verified = is_right;
        }
        match (sim, left) {
            _ if is_right => Ok(Vec::new()),
            (true, 0) => Err(0x9840),
            (true, _) => Err(0x9804),
            (false, 0) => Err(0x6983),
            (false, left) => Err(0x63C0 | u16::from(left)),
        }
    }
}
