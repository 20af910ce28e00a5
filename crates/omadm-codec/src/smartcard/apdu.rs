//! Commands to a card and its responses (`ISO/IEC 7816-3 §12`, `TS 102 221 §10`).

use std::fmt;

use zeroize::Zeroizing;

use super::{Aid, FileId, KeyReference, Path, Pin, StatusWord, ber};
use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

/// The most octets of data in one command.
pub const MAX_DATA: usize = 0xffff;
/// The most octets of data in a command in its short form.
pub const MAX_SHORT_DATA: usize = 0xff;
/// The highest offset in READ BINARY and UPDATE BINARY of a UICC; what lies behind it needs an offset data object.
const MAX_OFFSET: u32 = 0x7fff;
/// The data object with an offset in READ BINARY (`ISO/IEC 7816-4 §11.3`).
const OFFSET: ber::Tag = ber::Tag(0x54);
/// The data objects that READ BINARY with an offset data object answers with.
const DISCRETIONARY: [ber::Tag; 2] = [ber::Tag(0x53), ber::Tag(0x73)];

/// A logical channel of a card: 0, the basic one, to 19.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Channel(u8);

impl Channel {
    /// The channel that is always open.
    pub const BASIC: Self = Self(0);

    /// `None` over 19.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        (number <= 19).then_some(Self(number))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// CLA: whose command it is, on which channel, and whether under secure messaging.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Class(pub u8);

impl Class {
    /// Commands of a SIM (`TS 51.011 §9.2`).
    pub const SIM: Self = Self(0xa0);
    /// Commands of ISO/IEC 7816-4, on the basic channel.
    pub const INTERINDUSTRY: Self = Self(0x00);
    /// Commands of GlobalPlatform, on the basic channel.
    pub const GLOBAL_PLATFORM: Self = Self(0x80);

    /// The same command on another channel (`TS 102 221 §10.1.1`). A SIM has no channels: its class stays.
    #[must_use]
    pub fn on(self, channel: Channel) -> Self {
        if self == Self::SIM {
            return self;
        }
        let secured = self.is_secured();
        let class = Self(match channel.0 {
            number @ 0..=3 => self.0 & 0x80 | number,
            number => self.0 & 0x80 | 0x40 | (number - 4),
        });
        if secured { class.secured() } else { class }
    }

    /// The channel that it names.
    #[must_use]
    pub fn channel(self) -> Channel {
        match self {
            Self::SIM => Channel::BASIC,
            Self(class) if class & 0x40 == 0 => Channel(class & 0x03),
            Self(class) => Channel((class & 0x0f) + 4),
        }
    }

    /// The same command under secure messaging: that of GlobalPlatform on channels 0 to 3, whose form has one bit on the others.
    #[must_use]
    pub fn secured(self) -> Self {
        if self.0 & 0x40 == 0 { Self(self.0 | 0x04) } else { Self(self.0 | 0x20) }
    }

    /// Whether it is under secure messaging of any kind.
    #[must_use]
    pub fn is_secured(self) -> bool {
        match self {
            Self::SIM => false,
            Self(class) if class & 0x40 == 0 => class & 0x0c != 0,
            Self(class) => class & 0x20 != 0,
        }
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

/// INS: what a command does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instruction(pub u8);

#[allow(missing_docs, reason = "the names are those of the standard")]
impl Instruction {
    pub const VERIFY: Self = Self(0x20);
    pub const INITIALIZE_UPDATE: Self = Self(0x50);
    pub const MANAGE_CHANNEL: Self = Self(0x70);
    pub const EXTERNAL_AUTHENTICATE: Self = Self(0x82);
    pub const SELECT: Self = Self(0xa4);
    pub const READ_BINARY: Self = Self(0xb0);
    /// READ BINARY with an offset data object.
    pub const READ_BINARY_OFFSET: Self = Self(0xb1);
    pub const READ_RECORD: Self = Self(0xb2);
    pub const GET_RESPONSE: Self = Self(0xc0);
    pub const UPDATE_BINARY: Self = Self(0xd6);
    /// UPDATE BINARY with an offset data object.
    pub const UPDATE_BINARY_OFFSET: Self = Self(0xd7);
    pub const UPDATE_RECORD: Self = Self(0xdc);
    pub const STATUS: Self = Self(0xf2);
}

impl Instruction {
    /// Its name in the standards; `None` for one that bootstrap has no use for.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::VERIFY => "VERIFY",
            Self::INITIALIZE_UPDATE => "INITIALIZE UPDATE",
            Self::MANAGE_CHANNEL => "MANAGE CHANNEL",
            Self::EXTERNAL_AUTHENTICATE => "EXTERNAL AUTHENTICATE",
            Self::SELECT => "SELECT",
            Self::READ_BINARY | Self::READ_BINARY_OFFSET => "READ BINARY",
            Self::READ_RECORD => "READ RECORD",
            Self::GET_RESPONSE => "GET RESPONSE",
            Self::UPDATE_BINARY | Self::UPDATE_BINARY_OFFSET => "UPDATE BINARY",
            Self::UPDATE_RECORD => "UPDATE RECORD",
            Self::STATUS => "STATUS",
            _ => return None,
        })
    }
}

impl fmt::Debug for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

/// How many octets of data are expected at most: 1 to 65536.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expected(u32);

impl Expected {
    /// All that fits into a response in its short form: 256.
    pub const ALL: Self = Self(256);
    /// All that fits into a response in its extended form: 65536.
    pub const ALL_EXTENDED: Self = Self(65536);

    /// `None` for 0 and over 65536.
    #[must_use]
    pub fn new(octets: u32) -> Option<Self> {
        (1..=65536).contains(&octets).then_some(Self(octets))
    }

    /// As one octet says it, in a command or in a status word: 0 is 256.
    #[must_use]
    pub fn from_octet(octet: u8) -> Self {
        if octet == 0 { Self::ALL } else { Self(octet.into()) }
    }

    /// The number of octets.
    #[must_use]
    pub fn octets(self) -> u32 {
        self.0
    }
}

/// A command. Its data is wiped on drop and does not print, since it can be a PIN.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// CLA.
    pub class: Class,
    /// INS.
    pub instruction: Instruction,
    /// P1.
    pub p1: u8,
    /// P2.
    pub p2: u8,
    data: Zeroizing<Vec<u8>>,
    /// Octets of data that the response may have; `None` if it has none.
    pub expected: Option<Expected>,
}

/// More data than one command can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} octets of data do not fit into one command of a card, which takes {MAX_DATA}")]
pub struct TooLong(pub usize);

impl Command {
    /// A command without data that expects none.
    #[must_use]
    pub fn new(class: Class, instruction: Instruction, p1: u8, p2: u8) -> Self {
        Self { class, instruction, p1, p2, data: Zeroizing::default(), expected: None }
    }

    /// With this data.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn with_data(mut self, data: impl Into<Vec<u8>>) -> Result<Self, TooLong> {
        let data = data.into();
        if data.len() > MAX_DATA {
            return Err(TooLong(data.len()));
        }
        self.data = Zeroizing::new(data);
        Ok(self)
    }

    /// With data of a length that always fits.
    fn carrying(mut self, data: &[u8]) -> Self {
        self.data = Zeroizing::new(data.to_vec());
        self
    }

    /// Expecting that many octets at most.
    #[must_use]
    pub fn expecting(self, expected: Expected) -> Self {
        Self { expected: Some(expected), ..self }
    }

    /// SELECT by the identifier of a file below or above the selected one. A SIM says with GET RESPONSE what was selected; a UICC
    /// gives the FCP.
    #[must_use]
    pub fn select_file(class: Class, file: FileId) -> Self {
        let select = if class == Class::SIM {
            Self::new(class, Instruction::SELECT, 0x00, 0x00)
        } else {
            Self::new(class, Instruction::SELECT, 0x00, 0x04).expecting(Expected::ALL)
        };
        select.carrying(&file.0.to_be_bytes())
    }

    /// SELECT by path: from the MF for an absolute one and for one that begins with [`FileId::APPLICATION`], else from the selected
    /// directory (`TS 102 221 §11.1.1`).
    #[must_use]
    pub fn select_path(class: Class, path: &Path) -> Self {
        let is_whole = path.is_absolute() || path.files().first() == Some(&FileId::APPLICATION);
        let p1 = if is_whole { 0x08 } else { 0x09 };
        let octets = path.without_mf().to_octets();
        Self::new(class, Instruction::SELECT, p1, 0x04).carrying(&octets).expecting(Expected::ALL)
    }

    /// SELECT of the directory that holds the selected one.
    #[must_use]
    pub fn select_parent(class: Class) -> Self {
        Self::new(class, Instruction::SELECT, 0x03, 0x04).expecting(Expected::ALL)
    }

    /// SELECT of an application by its identifier.
    #[must_use]
    pub fn select_application(class: Class, aid: &Aid) -> Self {
        Self::new(class, Instruction::SELECT, 0x04, 0x04).carrying(aid.as_bytes()).expecting(Expected::ALL)
    }

    /// GET RESPONSE, on the channel of the command that it belongs to.
    #[must_use]
    pub fn get_response(class: Class, expected: Expected) -> Self {
        let class = if class == Class::SIM { class } else { Class::INTERINDUSTRY.on(class.channel()) };
        Self::new(class, Instruction::GET_RESPONSE, 0x00, 0x00).expecting(expected)
    }

    /// READ BINARY of the selected file. A UICC takes an offset over 32767 as a data object only; [`binary_data`] reads either
    /// answer. `None` when a SIM cannot say the offset, which is over 65535.
    #[must_use]
    pub fn read_binary(class: Class, offset: u32, expected: Expected) -> Option<Self> {
        let in_header = if class == Class::SIM { u32::from(u16::MAX) } else { MAX_OFFSET };
        let command = match u16::try_from(offset) {
            Ok(short) if offset <= in_header => {
                let [p1, p2] = short.to_be_bytes();
                Self::new(class, Instruction::READ_BINARY, p1, p2)
            }
            _ if class == Class::SIM => return None,
            _ => {
                Self::new(class, Instruction::READ_BINARY_OFFSET, 0x00, 0x00).carrying(&offset_object(offset))
            }
        };
        Some(command.expecting(expected))
    }

    /// UPDATE BINARY of the selected file.
    ///
    /// # Errors
    /// [`TooLong`] when data or offset do not fit.
    pub fn update_binary(class: Class, offset: u32, data: &[u8]) -> Result<Self, TooLong> {
        let in_header = if class == Class::SIM { u32::from(u16::MAX) } else { MAX_OFFSET };
        match u16::try_from(offset) {
            Ok(short) if offset <= in_header => {
                let [p1, p2] = short.to_be_bytes();
                Self::new(class, Instruction::UPDATE_BINARY, p1, p2).with_data(data)
            }
            _ if class == Class::SIM => Err(TooLong(data.len())),
            _ => {
                let mut objects = offset_object(offset);
                ber::write(&mut objects, ber::Tag(0x53), data);
                Self::new(class, Instruction::UPDATE_BINARY_OFFSET, 0x00, 0x00).with_data(objects)
            }
        }
    }

    /// READ RECORD by number, from 1, of the selected file.
    #[must_use]
    pub fn read_record(class: Class, record: u8, expected: Expected) -> Self {
        Self::new(class, Instruction::READ_RECORD, record, 0x04).expecting(expected)
    }

    /// UPDATE RECORD by number, from 1, of the selected file.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn update_record(class: Class, record: u8, data: &[u8]) -> Result<Self, TooLong> {
        Self::new(class, Instruction::UPDATE_RECORD, record, 0x04).with_data(data)
    }

    /// VERIFY, on a SIM with CHV1 (`TS 51.011 §9.2.9`, `TS 102 221 §11.1.9`).
    #[must_use]
    pub fn verify(class: Class, reference: KeyReference, pin: &Pin) -> Self {
        Self::new(class, Instruction::VERIFY, 0x00, reference.0).carrying(pin.octets())
    }

    /// VERIFY without a PIN, which asks how many tries are left.
    #[must_use]
    pub fn tries_left(class: Class, reference: KeyReference) -> Self {
        Self::new(class, Instruction::VERIFY, 0x00, reference.0)
    }

    /// MANAGE CHANNEL: opens one, whose number is the data of the response (`TS 102 221 §11.1.17`).
    #[must_use]
    pub fn open_channel() -> Self {
        Self::new(Class::INTERINDUSTRY, Instruction::MANAGE_CHANNEL, 0x00, 0x00)
            .expecting(Expected::from_octet(1))
    }

    /// MANAGE CHANNEL: closes one.
    #[must_use]
    pub fn close_channel(channel: Channel) -> Self {
        Self::new(Class::INTERINDUSTRY, Instruction::MANAGE_CHANNEL, 0x80, channel.number())
    }

    /// The data.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// CLA, INS, P1 and P2.
    #[must_use]
    pub fn header(&self) -> [u8; 4] {
        [self.class.0, self.instruction.0, self.p1, self.p2]
    }

    /// Whether it needs the extended form.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.data.len() > MAX_SHORT_DATA || self.expected.is_some_and(|expected| expected > Expected::ALL)
    }

    /// The octets, in the short form where it fits. They can hold a PIN, so they are wiped too.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Lengths cannot be over 65535, which `with_data` and `Expected` see to: the two last octets are the number.
        let low = |number: u32| {
            let [.., high, low] = number.to_be_bytes();
            [high, low]
        };
        let length = low(u32::try_from(self.data.len()).unwrap_or(u32::MAX));
        let expected = self.expected.map(|expected| low(expected.octets()));
        // Room at once: what grows leaves copies behind.
        let mut out = Zeroizing::new(Vec::with_capacity(self.data.len().saturating_add(9)));
        out.extend_from_slice(&self.header());
        if self.is_extended() {
            out.push(0);
            if !self.data.is_empty() {
                out.extend_from_slice(&length);
            }
        } else if !self.data.is_empty() {
            out.extend_from_slice(&length[1..]);
        }
        out.extend_from_slice(&self.data);
        if let Some(expected) = expected {
            out.extend_from_slice(if self.is_extended() { &expected } else { &expected[1..] });
        }
        out
    }

    /// Takes a command apart, of any of the four cases in either form.
    ///
    /// # Errors
    /// Where it is cut off, or has octets too many.
    pub fn decode(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        let [class, instruction, p1, p2] = reader.array("header")?;
        let mut command = Self::new(Class(class), Instruction(instruction), p1, p2);
        let (data, expected) = match *reader.rest() {
            [] => (&[][..], None),
            [le] => {
                reader.byte("Le")?;
                (&[][..], Some(Expected::from_octet(le)))
            }
            [0, high, low] => {
                reader.take(3, "Le")?;
                (&[][..], Some(extended(high, low)))
            }
            [0, ..] => {
                reader.byte("Lc")?;
                let length = reader.u16("Lc")?;
                if length == 0 {
                    return Err(reader.error("Lc", Problem::Schema("an extended length of zero".into())));
                }
                let data = reader.take(length.into(), "data")?;
                let expected = match *reader.rest() {
                    [] => None,
                    _ => {
                        let [high, low] = reader.array("Le")?;
                        Some(extended(high, low))
                    }
                };
                (data, expected)
            }
            _ => {
                let length = reader.byte("Lc")?;
                let data = reader.take(length.into(), "data")?;
                let expected = reader.peek().map(Expected::from_octet);
                if expected.is_some() {
                    reader.byte("Le")?;
                }
                (data, expected)
            }
        };
        reader.end()?;
        command.data = Zeroizing::new(data.to_vec());
        command.expected = expected;
        Ok(command)
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({:?} {:?} {:02X} {:02X}", self.class, self.instruction, self.p1, self.p2)?;
        write!(f, ", {} octets, expects {:?})", self.data.len(), self.expected.map(Expected::octets))
    }
}

fn extended(high: u8, low: u8) -> Expected {
    match u16::from_be_bytes([high, low]) {
        0 => Expected::ALL_EXTENDED,
        octets => Expected(octets.into()),
    }
}

fn offset_object(offset: u32) -> Vec<u8> {
    let octets = offset.to_be_bytes();
    let leading = octets.iter().take_while(|octet| **octet == 0).count().min(2);
    let mut object = Vec::new();
    ber::write(&mut object, OFFSET, octets.get(leading..).unwrap_or_default());
    object
}

/// The offset in a READ BINARY or an UPDATE BINARY of either kind, for who answers it.
///
/// # Errors
/// When it should be in an offset data object, and is not.
pub fn offset_of(command: &Command, limits: &Limits) -> Result<u32, DecodeError> {
    if !matches!(command.instruction, Instruction::READ_BINARY_OFFSET | Instruction::UPDATE_BINARY_OFFSET) {
        return Ok(u16::from_be_bytes([command.p1, command.p2]).into());
    }
    let object = ber::Objects::new(command.data(), limits)?.next_object("offset")?;
    let object = object.filter(|object| object.tag == OFFSET);
    object.ok_or(DecodeError { at: 0, field: "offset", problem: Problem::Missing })?.number("offset")
}

/// What was read by the READ BINARY `command`, from the data of its response.
///
/// # Errors
/// When the response to a READ BINARY with an offset data object is not a data object.
pub fn binary_data<'d>(command: &Command, data: &'d [u8], limits: &Limits) -> Result<&'d [u8], DecodeError> {
    if command.instruction != Instruction::READ_BINARY_OFFSET {
        return Ok(data);
    }
    let mut objects = ber::Objects::new(data, limits)?;
    let object = objects.next_object("discretionary data")?;
    match object {
        Some(object) if DISCRETIONARY.contains(&object.tag) => {
            objects.end("discretionary data")?;
            Ok(object.value)
        }
        _ => Err(DecodeError { at: 0, field: "discretionary data", problem: Problem::Missing }),
    }
}

/// A response. Its data is wiped on drop and does not print, since it can be a bootstrap.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    data: Zeroizing<Vec<u8>>,
    /// SW1 and SW2.
    pub status: StatusWord,
}

impl Response {
    /// With this data and status.
    #[must_use]
    pub fn new(data: Vec<u8>, status: StatusWord) -> Self {
        Self { data: Zeroizing::new(data), status }
    }

    /// The data.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Takes a response apart.
    ///
    /// # Errors
    /// When it is shorter than a status word, or longer than 65536 octets of data or the limit.
    pub fn decode(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        const LIMIT: usize = 65536 + 2;
        let limits = Limits { bytes: limits.bytes.min(LIMIT), ..*limits };
        let reader = Reader::new(input, &limits)?;
        let (data, status) =
            input.split_last_chunk().ok_or_else(|| reader.error("status word", Problem::Short))?;
        Ok(Self::new(data.to_vec(), StatusWord(u16::from_be_bytes(*status))))
    }

    /// The octets.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(self.data.len().saturating_add(2)));
        out.extend_from_slice(&self.data);
        out.extend_from_slice(&self.status.0.to_be_bytes());
        out
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} octets, {})", self.data.len(), self.status)
    }
}
