//! Package#0: the DM Notification in its binary format (`DM 2.0 §5.2.1, §7.1.1`).
//!
//! ```text
//! VER (4) | OC (5) | RESERVED (7)    then OC times    Option Delta (4) | Option Length (12) | Option Value
//! ```

use omadm_mo::ServerId;
use unicode_normalization::UnicodeNormalization as _;

use crate::reader::Reader;
use crate::{DecodeError, Leniency, Limits, Problem, Tolerance};

/// Octets of a SHA256-DIGEST.
pub const DIGEST_LENGTH: usize = 32;

/// Version of the notification, which is not that of the protocol.
const VERSION: u16 = 2;
/// Bits of a header before OC and of an option head before its length.
const OC_SHIFT: u32 = 7;
const OC_MASK: u16 = 0x1f;
const LENGTH_BITS: u32 = 12;
const MAX_LENGTH: u16 = 0x0fff;

/// Number of an option; others than the constants are not of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionNumber(pub u16);

impl OptionNumber {
    /// SERVER-ID, a string.
    pub const SERVER_ID: Self = Self(1);
    /// PREFERRED-CON-TYPE, opaque.
    pub const PREFERRED_CON_TYPE: Self = Self(2);
    /// NOTIFICATION-ID, an unsigned integer.
    pub const NOTIFICATION_ID: Self = Self(3);
    /// SHA256-DIGEST, opaque.
    pub const SHA256_DIGEST: Self = Self(4);
    /// TIMESTAMP, opaque.
    pub const TIMESTAMP: Self = Self(5);
    /// REQ-MOS, without value.
    pub const REQ_MOS: Self = Self(6);

    /// The name in the standard; `Option Value` for a number that it does not define.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SERVER_ID => "SERVER-ID",
            Self::PREFERRED_CON_TYPE => "PREFERRED-CON-TYPE",
            Self::NOTIFICATION_ID => "NOTIFICATION-ID",
            Self::SHA256_DIGEST => "SHA256-DIGEST",
            Self::TIMESTAMP => "TIMESTAMP",
            Self::REQ_MOS => "REQ-MOS",
            Self(_) => "Option Value",
        }
    }
}

/// A kind of connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Connection {
    /// Whatever is available.
    AnyAvailable,
    /// GSM, CDMA, UMTS, LTE and such.
    Cellular,
    /// IEEE 802.11.
    Wlan,
    /// A wire.
    Wireline,
}

impl Connection {
    const ALL: [Self; 4] = [Self::AnyAvailable, Self::Cellular, Self::Wlan, Self::Wireline];

    /// The octet on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::AnyAvailable => 0,
            Self::Cellular => 1,
            Self::Wlan => 2,
            Self::Wireline => 3,
        }
    }

    /// The inverse of [`Connection::code`].
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|connection| connection.code() == code)
    }

    /// The name in the standard.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnyAvailable => "ANY_AVAILABLE",
            Self::Cellular => "CELLULAR",
            Self::Wlan => "WLAN",
            Self::Wireline => "WIRELINE",
        }
    }

    /// The inverse of [`Connection::as_str`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|connection| connection.as_str() == name)
    }
}

/// PREFERRED-CON-TYPE: kinds of connections, the preferred one first. None is there twice, and `ANY_AVAILABLE` is last; empty
/// when the server prefers nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preference(Vec<Connection>);

/// Why a list of connections is no [`Preference`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreferenceError {
    /// One is there twice.
    #[error("{} is there twice: name each kind of connection once", .0.as_str())]
    Twice(Connection),
    /// One comes after `ANY_AVAILABLE`.
    #[error("{} comes after ANY_AVAILABLE, which has to be the last", .0.as_str())]
    AfterAny(Connection),
}

impl Preference {
    /// Takes the connections, the preferred one first.
    ///
    /// # Errors
    /// The first connection that may not stand where it stands.
    pub fn new(connections: &[Connection]) -> Result<Self, PreferenceError> {
        let mut list = Self::default();
        connections.iter().try_for_each(|connection| list.push(*connection))?;
        Ok(list)
    }

    /// The connections, the preferred one first.
    #[must_use]
    pub fn as_slice(&self) -> &[Connection] {
        &self.0
    }

    fn push(&mut self, connection: Connection) -> Result<(), PreferenceError> {
        if self.0.contains(&connection) {
            return Err(PreferenceError::Twice(connection));
        }
        if self.0.last() == Some(&Connection::AnyAvailable) {
            return Err(PreferenceError::AfterAny(connection));
        }
        self.0.push(connection);
        Ok(())
    }
}

/// A DM Notification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// SERVER-ID, on the wire in NFC (`RFC 5198 §3`); absent when the device knows its server without it.
    pub server_id: Option<ServerId>,
    /// PREFERRED-CON-TYPE; absent on the wire when it is empty.
    pub connections: Preference,
    /// NOTIFICATION-ID.
    pub id: Option<u16>,
    /// SHA256-DIGEST.
    pub digest: Option<[u8; DIGEST_LENGTH]>,
    /// TIMESTAMP: when the server sent it, in seconds since 1970-01-01 00:00 UTC.
    pub timestamp: Option<u64>,
    /// REQ-MOS: Package#1 has to carry the MOS array.
    pub request_mos: bool,
}

impl Notification {
    /// Appends the notification; options go out by number.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let options = self.options();
        let count = options.iter().fold(0_u16, |count, _| count.saturating_add(1));
        out.extend((VERSION << LENGTH_BITS | count << OC_SHIFT).to_be_bytes());
        let mut last = 0;
        for (number, value) in options {
            // The longest value is a server identifier: 255 octets, and three times as many in NFC at most.
            let length = u16::try_from(value.len()).unwrap_or(MAX_LENGTH);
            out.extend(((number.0 - last) << LENGTH_BITS | length).to_be_bytes());
            out.extend(value);
            last = number.0;
        }
    }

    /// The octets to send with a SHA256-DIGEST: `digest` computes it over the octets with 32 zeros in its place
    /// (`DM 2.0 §5.2.1.2`, steps 1 to 3). A digest that this value has already counts for nothing.
    #[must_use]
    pub fn encode_with_digest(&self, digest: impl FnOnce(&[u8]) -> [u8; DIGEST_LENGTH]) -> Vec<u8> {
        let mut out = Vec::new();
        let prepared = Self { digest: Some([0; DIGEST_LENGTH]), ..self.clone() };
        prepared.encode(&mut out);
        let done = Self { digest: Some(digest(&out)), ..prepared };
        out.clear();
        done.encode(&mut out);
        out
    }

    /// Whether SERVER-ID names this server; both are compared in NFC. `None` when there is no SERVER-ID.
    #[must_use]
    pub fn names(&self, server: &ServerId) -> Option<bool> {
        self.server_id.as_ref().map(|named| named.as_str().nfc().eq(server.as_str().nfc()))
    }

    /// The options that are there, with their values.
    fn options(&self) -> Vec<(OptionNumber, Vec<u8>)> {
        let text = |server: &ServerId| server.as_str().nfc().collect::<String>().into_bytes();
        let codes: Vec<u8> = self.connections.as_slice().iter().map(|kind| kind.code()).collect();
        let options = [
            (OptionNumber::SERVER_ID, self.server_id.as_ref().map(text)),
            (OptionNumber::PREFERRED_CON_TYPE, (!codes.is_empty()).then_some(codes)),
            (OptionNumber::NOTIFICATION_ID, self.id.map(|id| id.to_be_bytes().to_vec())),
            (OptionNumber::SHA256_DIGEST, self.digest.map(Vec::from)),
            (OptionNumber::TIMESTAMP, self.timestamp.map(seconds)),
            (OptionNumber::REQ_MOS, self.request_mos.then(Vec::new)),
        ];
        options.into_iter().filter_map(|(number, value)| Some((number, value?))).collect()
    }
}

/// The standard gives no width: four octets as long as they suffice, until 2106, then eight.
fn seconds(time: u64) -> Vec<u8> {
    u32::try_from(time).map_or_else(|_| time.to_be_bytes().to_vec(), |short| short.to_be_bytes().to_vec())
}

/// A notification as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// What it says.
    pub notification: Notification,
    /// Options that the standard does not define, with their values: passed over.
    pub ignored: Vec<(OptionNumber, &'a [u8])>,
    octets: &'a [u8],
    digest_at: Option<usize>,
}

impl<'a> Received<'a> {
    /// Reads a notification. RESERVED is not looked at, and options that the standard does not define are passed over; an
    /// option that is there twice, or octets after the last one, are refused, so that the digest speaks for every octet.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &'a [u8], limits: &Limits, leniency: &mut Leniency) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        let head = reader.clone().u16("header")?;
        if head >> LENGTH_BITS != VERSION {
            return Err(reader.error("VER", schema("not 2, the version of DM 2.0 notifications")));
        }
        let count = usize::from(head >> OC_SHIFT & OC_MASK);
        if count > limits.items {
            return Err(reader.error("OC", Problem::TooMany { limit: limits.items }));
        }
        reader.u16("header")?;
        let mut received = Self {
            notification: Notification::default(),
            ignored: Vec::new(),
            octets: input,
            digest_at: None,
        };
        let mut last = OptionNumber(0);
        for _ in 0..count {
            last = received.read_option(&mut reader, last, leniency)?;
        }
        reader.end()?;
        Ok(received)
    }

    /// The octets that SHA256-DIGEST is computed over: those that came, with zeros in the place of the digest.
    #[must_use]
    pub fn digest_input(&self) -> Vec<u8> {
        let mut octets = self.octets.to_vec();
        if let Some(digest) = self.digest_at.and_then(|at| octets.get_mut(at..at + DIGEST_LENGTH)) {
            digest.fill(0);
        }
        octets
    }

    fn read_option(
        &mut self,
        reader: &mut Reader<'a>,
        last: OptionNumber,
        leniency: &mut Leniency,
    ) -> Result<OptionNumber, DecodeError> {
        let delta = reader.clone().u16("Option Delta")? >> LENGTH_BITS;
        let number = match (delta, last) {
            (0, OptionNumber(0)) => {
                return Err(
                    reader.error("Option Delta", schema("0 for the first option, where numbers begin at 1"))
                );
            }
            (0, repeated) => return Err(reader.error(repeated.name(), Problem::Duplicate)),
            (delta, OptionNumber(last)) => OptionNumber(last.saturating_add(delta)),
        };
        let length = reader.u16("Option Length")? & MAX_LENGTH;
        let at = reader.at();
        let value = reader.take(length.into(), number.name())?;
        let wrong = |what: &'static str| DecodeError { at, field: number.name(), problem: schema(what) };
        let notification = &mut self.notification;
        match number {
            OptionNumber::SERVER_ID => notification.server_id = Some(server_id(value, at)?),
            OptionNumber::PREFERRED_CON_TYPE => {
                notification.connections = preference(value, leniency)
                    .ok_or_else(|| wrong("not a list of connections 0 to 3, each once, 0 last"))?;
            }
            OptionNumber::NOTIFICATION_ID => {
                let octets = value.try_into().map_err(|_| wrong("not 2 octets long"))?;
                notification.id = Some(u16::from_be_bytes(octets));
            }
            OptionNumber::SHA256_DIGEST => {
                notification.digest = Some(value.try_into().map_err(|_| wrong("not 32 octets long"))?);
                self.digest_at = Some(at);
            }
            OptionNumber::TIMESTAMP => {
                notification.timestamp = Some(time(value).ok_or_else(|| wrong("not 1 to 8 octets long"))?);
            }
            OptionNumber::REQ_MOS if value.is_empty() => notification.request_mos = true,
            OptionNumber::REQ_MOS => return Err(wrong("has a value, though it carries none")),
            OptionNumber(_) => self.ignored.push((number, value)),
        }
        Ok(number)
    }
}

fn server_id(value: &[u8], at: usize) -> Result<ServerId, DecodeError> {
    let wrong = |at, problem| DecodeError { at, field: OptionNumber::SERVER_ID.name(), problem };
    let text =
        std::str::from_utf8(value).map_err(|error| wrong(at + error.valid_up_to(), Problem::BadUtf8))?;
    let text: String = text.nfc().collect();
    ServerId::parse(&text).map_err(|error| wrong(at, Problem::Schema(error.to_string().into())))
}

/// A list that is empty, or has unknown or repeated connections or some after `ANY_AVAILABLE`, is used as far as it goes if that
/// is tolerated.
fn preference(value: &[u8], leniency: &mut Leniency) -> Option<Preference> {
    let mut list = Preference::default();
    let mut loose = value.is_empty();
    for code in value {
        let taken = Connection::from_code(*code).is_some_and(|connection| list.push(connection).is_ok());
        loose |= !taken;
    }
    (!loose || leniency.allow(Tolerance::LooseConnections)).then_some(list)
}

fn time(value: &[u8]) -> Option<u64> {
    let mut octets = [0; 8];
    let unused = octets.len().checked_sub(value.len()).filter(|_| !value.is_empty())?;
    octets.get_mut(unused..)?.copy_from_slice(value);
    Some(u64::from_be_bytes(octets))
}

fn schema(what: &'static str) -> Problem {
    Problem::Schema(what.into())
}
