//! The notification of DM 1.3: a header, options, and a digest (`DM 1.3 NOTI §6`).
//!
//! Known of it are the fields of the header, `VER`, `SESSIONID` and `TIMEOUT` in days among them, the table of options, and that a digest
//! is there. Where each stands is not known to us; this module is the only place that says it, and receivers ask for the digest:
//!
//! ```text
//! VER (4) | UI-MODE (2) | INITIATOR (1) | reserved (1) | OC (8) | SESSIONID (16) | TIMEOUT (8) | reserved (24)
//! then OC times   Option Number (4) | Option Length (12) | Option Value,   by number
//! then the digest (128 or 256) of all octets before it
//! ```

use omadm_mo::ServerId;

use super::trigger::UiMode;
use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

/// Octets of a digest: of MD5, or of SHA-256.
const DIGEST_LENGTHS: [usize; 2] = [16, 32];
const VERSION: u64 = 1;
const LENGTH_BITS: u32 = 12;
const MAX_LENGTH: u16 = 0x0fff;
const VERSION_SHIFT: u32 = 60;
const UI_MODE_SHIFT: u32 = 58;
const INITIATOR_SHIFT: u32 = 57;
const COUNT_SHIFT: u32 = 48;
const SESSION_SHIFT: u32 = 32;
const TIMEOUT_SHIFT: u32 = 24;

/// Number of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionNumber(pub u16);

impl OptionNumber {
    /// Server-ID, a string.
    pub const SERVER_ID: Self = Self(1);
    /// Targeted-MO, an unsigned integer of 1 or 2 octets.
    pub const TARGETED_MO: Self = Self(2);
    /// Requested-MO, an unsigned integer of 1 or 2 octets.
    pub const REQUESTED_MO: Self = Self(3);
    /// Preferred-Bearer, one octet.
    pub const PREFERRED_BEARER: Self = Self(4);
    /// Connect-Reason, a string.
    pub const CONNECT_REASON: Self = Self(5);
    /// Vendor-Info, a string.
    pub const VENDOR_INFO: Self = Self(6);

    /// The name in the standard; `Option Value` for a number that it does not define.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SERVER_ID => "Server-ID",
            Self::TARGETED_MO => "Targeted-MO",
            Self::REQUESTED_MO => "Requested-MO",
            Self::PREFERRED_BEARER => "Preferred-Bearer",
            Self::CONNECT_REASON => "Connect-Reason",
            Self::VENDOR_INFO => "Vendor-Info",
            Self(_) => "Option Value",
        }
    }

    /// Whether it may be there more than once.
    fn repeats(self) -> bool {
        matches!(self, Self::TARGETED_MO | Self::REQUESTED_MO | Self::PREFERRED_BEARER)
    }
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// `UI-MODE`.
    pub ui_mode: UiMode,
    /// `INITIATOR`: the server wanted it; otherwise the user or the client caused it.
    pub by_server: bool,
    /// `SESSIONID` of the session to open, not 0.
    pub session_id: u16,
    /// `TIMEOUT`: days after which it is not to be followed any more; 0 is never.
    pub timeout_days: u8,
    /// `Server-ID`.
    pub server_id: ServerId,
    /// `Targeted-MO`, by registered number.
    pub targeted_mos: Vec<u16>,
    /// `Requested-MO`, by registered number: to be sent in Package 1.
    pub requested_mos: Vec<u16>,
    /// `Preferred-Bearer`, by registered number, the best first.
    pub bearers: Vec<u8>,
    /// `Connect-Reason`, at most 4,095 octets.
    pub reason: Option<String>,
    /// `Vendor-Info`, at most 4,095 octets.
    pub vendor: Option<String>,
}

impl Notification {
    /// The octets to send; `digest` computes the digest, 16 or 32 octets, over those before it. Strings beyond 4,095 octets are cut.
    #[must_use]
    pub fn encode(&self, digest: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let options = self.options();
        // A header counts 255 options; those of the highest numbers are left out beyond it.
        let count = u8::try_from(options.len()).unwrap_or(u8::MAX);
        let head = VERSION << VERSION_SHIFT
            | u64::from(self.ui_mode.bits()) << UI_MODE_SHIFT
            | u64::from(self.by_server) << INITIATOR_SHIFT
            | u64::from(count) << COUNT_SHIFT
            | u64::from(self.session_id) << SESSION_SHIFT
            | u64::from(self.timeout_days) << TIMEOUT_SHIFT;
        let mut out = head.to_be_bytes().to_vec();
        for (number, value) in options.iter().take(count.into()) {
            let value = value.get(..MAX_LENGTH.into()).unwrap_or(value);
            let length = u16::try_from(value.len()).unwrap_or(MAX_LENGTH);
            out.extend((number.0 << LENGTH_BITS | length).to_be_bytes());
            out.extend(value);
        }
        let digest = digest(&out);
        out.extend(digest);
        out
    }

    fn options(&self) -> Vec<(OptionNumber, Vec<u8>)> {
        let text = |text: &Option<String>| text.as_deref().map(|text| cut(text).as_bytes().to_vec());
        let one = |number, value: Option<Vec<u8>>| value.map(|value| (number, value));
        let numbers = |number, list: &[u16]| {
            list.iter().map(|value| (number, value.to_be_bytes().to_vec())).collect::<Vec<_>>()
        };
        let mut options = vec![(OptionNumber::SERVER_ID, self.server_id.as_str().as_bytes().to_vec())];
        options.extend(numbers(OptionNumber::TARGETED_MO, &self.targeted_mos));
        options.extend(numbers(OptionNumber::REQUESTED_MO, &self.requested_mos));
        options.extend(self.bearers.iter().map(|bearer| (OptionNumber::PREFERRED_BEARER, vec![*bearer])));
        options.extend(one(OptionNumber::CONNECT_REASON, text(&self.reason)));
        options.extend(one(OptionNumber::VENDOR_INFO, text(&self.vendor)));
        options
    }
}

/// As much of a text as an option takes.
fn cut(text: &str) -> &str {
    let most = text.len().min(MAX_LENGTH.into());
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// A notification as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// What it says.
    pub notification: Notification,
    /// Options that the standard does not define, with their values: passed over.
    pub ignored: Vec<(OptionNumber, &'a [u8])>,
    /// Its digest, 16 or 32 octets.
    pub digest: &'a [u8],
    /// What the digest is about.
    pub octets: &'a [u8],
}

impl<'a> Received<'a> {
    /// Whether the octets are a notification of this version.
    #[must_use]
    pub fn is_of_version(input: &[u8]) -> bool {
        input.first().is_some_and(|octet| u64::from(octet >> 4) == VERSION)
    }

    /// Reads a notification; reserved bits are not looked at.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        let wrong =
            |at, field, what: &'static str| DecodeError { at, field, problem: Problem::Schema(what.into()) };
        let head = u64::from_be_bytes(reader.array("header")?);
        if head >> VERSION_SHIFT != VERSION {
            return Err(wrong(0, "VER", "not 1, the version of DM 1.3 notifications"));
        }
        let [.., count] = (head >> COUNT_SHIFT).to_be_bytes();
        let [.., high, low] = (head >> SESSION_SHIFT).to_be_bytes();
        let [.., timeout_days] = (head >> TIMEOUT_SHIFT).to_be_bytes();
        let session_id = u16::from_be_bytes([high, low]);
        if session_id == 0 {
            return Err(wrong(2, "SESSIONID", "0, where a session has 1 to 65535"));
        }
        let mut options = Options::default();
        for _ in 0..count {
            options.read(&mut reader)?;
        }
        let end = reader.at();
        let digest = reader.rest();
        if !DIGEST_LENGTHS.contains(&digest.len()) {
            return Err(wrong(end, "digest", "not 16 or 32 octets after the options"));
        }
        let server_id = options.server_id.ok_or(wrong(end, "Server-ID", "required but missing"))?;
        let notification = Notification {
            ui_mode: UiMode::from_bits(head >> UI_MODE_SHIFT),
            by_server: head >> INITIATOR_SHIFT & 1 == 1,
            session_id,
            timeout_days,
            server_id,
            targeted_mos: options.targeted_mos,
            requested_mos: options.requested_mos,
            bearers: options.bearers,
            reason: options.reason,
            vendor: options.vendor,
        };
        Ok(Self {
            notification,
            ignored: options.ignored,
            digest,
            octets: input.get(..end).unwrap_or_default(),
        })
    }
}

#[derive(Default)]
struct Options<'a> {
    last: u16,
    server_id: Option<ServerId>,
    targeted_mos: Vec<u16>,
    requested_mos: Vec<u16>,
    bearers: Vec<u8>,
    reason: Option<String>,
    vendor: Option<String>,
    ignored: Vec<(OptionNumber, &'a [u8])>,
}

impl<'a> Options<'a> {
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        let start = reader.clone();
        let head = reader.u16("Option Number")?;
        let number = OptionNumber(head >> LENGTH_BITS);
        if number.0 < self.last {
            return Err(start.error(
                number.name(),
                Problem::Schema("options are not in the order of their numbers".into()),
            ));
        }
        if number.0 == self.last && !number.repeats() {
            return Err(start.error(number.name(), Problem::Duplicate));
        }
        self.last = number.0;
        let at = reader.at();
        let value = reader.take((head & MAX_LENGTH).into(), number.name())?;
        let error = |problem| DecodeError { at, field: number.name(), problem };
        let text = || std::str::from_utf8(value).map(str::to_owned).map_err(|_| error(Problem::BadUtf8));
        let short = || match value {
            [low] => Ok(u16::from(*low)),
            [high, low] => Ok(u16::from_be_bytes([*high, *low])),
            _ => Err(error(Problem::Schema("not 1 or 2 octets long".into()))),
        };
        match number {
            OptionNumber::SERVER_ID => {
                let name = ServerId::parse(&text()?);
                self.server_id =
                    Some(name.map_err(|fault| error(Problem::Schema(fault.to_string().into())))?);
            }
            OptionNumber::TARGETED_MO => self.targeted_mos.push(short()?),
            OptionNumber::REQUESTED_MO => self.requested_mos.push(short()?),
            OptionNumber::PREFERRED_BEARER => match value {
                [bearer] => self.bearers.push(*bearer),
                _ => return Err(error(Problem::Schema("not 1 octet long".into()))),
            },
            OptionNumber::CONNECT_REASON => self.reason = Some(text()?),
            OptionNumber::VENDOR_INFO => self.vendor = Some(text()?),
            OptionNumber(_) => self.ignored.push((number, value)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn notification() -> Notification {
        Notification {
            ui_mode: UiMode::Informative,
            by_server: true,
            session_id: 0x1234,
            timeout_days: 3,
            server_id: ServerId::parse("s.ex").unwrap(),
            targeted_mos: vec![1],
            requested_mos: vec![2, 0x0304],
            bearers: vec![5],
            reason: Some("update".to_owned()),
            vendor: None,
        }
    }

    fn decode(input: &[u8]) -> Result<Received<'_>, DecodeError> {
        Received::decode(input, &Limits::default())
    }

    #[test]
    fn fields_stand_where_the_table_says() {
        let octets = notification().encode(|octets| {
            assert_eq!(octets.len(), 8 + 6 + 4 + 4 + 4 + 3 + 8);
            vec![9; 16]
        });
        assert_eq!(octets[..8], [0x1a, 6, 0x12, 0x34, 3, 0, 0, 0]);
        assert_eq!(octets[8..14], [0x10, 4, b's', b'.', b'e', b'x']);
        assert_eq!(octets[14..18], [0x20, 2, 0, 1]);
        assert_eq!(octets[octets.len() - 16..], [9; 16]);
        let received = decode(&octets).unwrap();
        assert_eq!(received.notification, notification());
        assert_eq!(received.octets, &octets[..octets.len() - 16]);
        assert!(Received::is_of_version(&octets));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let good = notification().encode(|_| vec![0; 16]);
        for length in 0..good.len() {
            assert!(decode(&good[..length]).is_err(), "{length}");
        }
        let wrong = |changes: &[(usize, u8)]| {
            let mut octets = good.clone();
            for (at, octet) in changes {
                octets[*at] = *octet;
            }
            decode(&octets).map(|_| ()).map_err(|error| (error.field, error.at))
        };
        assert_eq!(wrong(&[(0, 0x2a)]), Err(("VER", 0)));
        assert_eq!(wrong(&[(2, 0), (3, 0)]), Err(("SESSIONID", 2)));
        assert_eq!(wrong(&[(1, 7)]), Err(("Option Value", 37)), "an option more than there is");
        assert_eq!(wrong(&[(1, 5)]), Err(("digest", 29)), "octets that no option accounts for");
        assert_eq!(wrong(&[(14, 0x10)]), Err(("Server-ID", 14)), "the same option twice");
        assert_eq!(wrong(&[(18, 0x10)]), Err(("Server-ID", 18)), "out of order");
        assert_eq!(wrong(&[(10, 0xff)]), Err(("Server-ID", 10)));
        assert_eq!(wrong(&[(7, 0xff)]), Ok(()), "reserved bits");
    }

    #[test]
    fn an_option_of_4095_octets_is_the_longest() {
        let long = |length: usize| Notification { reason: Some("é".repeat(length / 2)), ..notification() };
        let cut = decode(&long(5000).encode(|_| vec![0; 16])).unwrap().notification.reason.unwrap();
        assert_eq!(cut.len(), 4094);
        let whole = decode(&long(4094).encode(|_| vec![0; 16])).unwrap().notification.reason.unwrap();
        assert_eq!(whole.len(), 4094);
    }

    proptest! {
        #[test]
        fn what_was_sent_is_read(
            bits in 0_u64..4, by_server: bool, id in 1_u16.., days: u8, targeted in prop::collection::vec(any::<u16>(), 0..5),
            requested in prop::collection::vec(any::<u16>(), 0..5), bearers in prop::collection::vec(any::<u8>(), 0..5),
            reason: Option<String>, vendor: Option<String>,
        ) {
            let sent = Notification {
                ui_mode: UiMode::from_bits(bits), by_server, session_id: id, timeout_days: days, targeted_mos: targeted,
                requested_mos: requested, bearers, reason, vendor, ..notification()
            };
            let octets = sent.encode(|_| vec![1; 16]);
            prop_assert_eq!(decode(&octets).unwrap().notification, sent);
        }

        #[test]
        fn no_input_panics(input: Vec<u8>) {
            let _ = decode(&input);
        }
    }
}
