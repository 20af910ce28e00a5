//! SMS-DELIVER and SMS-SUBMIT (`3GPP TS 23.040 §9.2.2`).

use std::fmt;

use super::{Address, UserData};
use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

/// Bits of the first octet.
const KIND: u8 = 0x03;
const DELIVER: u8 = 0x00;
const SUBMIT: u8 = 0x01;
const NO_MORE_MESSAGES: u8 = 0x04;
const VALIDITY: u8 = 0x18;
const VALIDITY_ENHANCED: u8 = 0x08;
const VALIDITY_RELATIVE: u8 = 0x10;
const VALIDITY_ABSOLUTE: u8 = 0x18;
const STATUS_REPORT: u8 = 0x20;
const USER_DATA_HEADER: u8 = 0x40;

/// TP-PID of a message from phone to phone.
const NO_INTERWORKING: u8 = 0x00;
/// TP-DCS of 8-bit data without a class.
const EIGHT_BIT: u8 = 0x04;

/// A short message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tpdu {
    /// From the service centre to the device.
    Deliver(Deliver),
    /// To the service centre.
    Submit(Submit),
}

/// A short message as the device gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliver {
    /// TP-MMS: more messages wait.
    pub more: bool,
    /// TP-OA.
    pub originator: Address,
    /// TP-SCTS.
    pub time: ServiceCentreTime,
    /// TP-UD.
    pub data: UserData,
}

/// A short message as it is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// TP-MR: the sender's number for it; modems put in their own.
    pub reference: u8,
    /// TP-DA.
    pub destination: Address,
    /// TP-VP: how long the service centre tries.
    pub validity: Option<Validity>,
    /// TP-SRR: whether a status report is wanted.
    pub status_report: bool,
    /// TP-UD.
    pub data: UserData,
}

/// How long a service centre tries to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// In the steps of `TS 23.040 §9.2.3.12.1`; 167 is a day.
    Relative(u8),
    /// In the enhanced format, undecoded.
    Enhanced([u8; 7]),
    /// Up to a time.
    Absolute(ServiceCentreTime),
}

/// A time of the service centre's clock, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceCentreTime(pub [u8; 7]);

impl Tpdu {
    /// Reads a message of 8-bit data.
    ///
    /// # Errors
    /// With byte offset and field; other data than 8-bit is [`Problem::Schema`].
    pub fn decode(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(input, limits)?)
    }

    /// Reads a message with the address of the service centre before it, as modems show it (`TS 27.005 §3.1`).
    ///
    /// # Errors
    /// As [`Tpdu::decode`].
    pub fn decode_from_modem(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        const FIELD: &str = "service centre address";
        let mut reader = Reader::new(input, limits)?;
        let length = reader.byte(FIELD)?;
        reader.take(length.into(), FIELD)?;
        Self::read(&mut reader)
    }

    /// Appends the message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Deliver(message) => message.write(out),
            Self::Submit(message) => message.write(out),
        }
    }

    /// User data, whatever the direction.
    #[must_use]
    pub fn data(&self) -> &UserData {
        match self {
            Self::Deliver(message) => &message.data,
            Self::Submit(message) => &message.data,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let first = reader.byte("TP-MTI")?;
        let tpdu = match first & KIND {
            DELIVER => Self::Deliver(Deliver::read(first, reader)?),
            SUBMIT => Self::Submit(Submit::read(first, reader)?),
            _ => {
                let problem = Problem::Schema("neither SMS-DELIVER nor SMS-SUBMIT".into());
                return Err(start.error("TP-MTI", problem));
            }
        };
        reader.end()?;
        Ok(tpdu)
    }
}

impl Deliver {
    fn read(first: u8, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let originator = Address::read(reader, "TP-OA")?;
        read_coding(reader)?;
        let time = ServiceCentreTime(reader.array("TP-SCTS")?);
        let data = UserData::read(reader, first & USER_DATA_HEADER != 0)?;
        Ok(Self { more: first & NO_MORE_MESSAGES == 0, originator, time, data })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let more = if self.more { 0 } else { NO_MORE_MESSAGES };
        out.push(DELIVER | more | header_bit(&self.data));
        self.originator.write(out);
        out.extend([NO_INTERWORKING, EIGHT_BIT]);
        out.extend(self.time.0);
        write_data(&self.data, out);
    }
}

impl Submit {
    fn read(first: u8, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "TP-VP";
        let reference = reader.byte("TP-MR")?;
        let destination = Address::read(reader, "TP-DA")?;
        read_coding(reader)?;
        let validity = match first & VALIDITY {
            VALIDITY_RELATIVE => Some(Validity::Relative(reader.byte(FIELD)?)),
            VALIDITY_ENHANCED => Some(Validity::Enhanced(reader.array(FIELD)?)),
            VALIDITY_ABSOLUTE => Some(Validity::Absolute(ServiceCentreTime(reader.array(FIELD)?))),
            _ => None,
        };
        let data = UserData::read(reader, first & USER_DATA_HEADER != 0)?;
        Ok(Self { reference, destination, validity, status_report: first & STATUS_REPORT != 0, data })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (validity_bits, validity) = match &self.validity {
            None => (0, &[][..]),
            Some(Validity::Relative(steps)) => (VALIDITY_RELATIVE, std::slice::from_ref(steps)),
            Some(Validity::Enhanced(octets)) => (VALIDITY_ENHANCED, &octets[..]),
            Some(Validity::Absolute(time)) => (VALIDITY_ABSOLUTE, &time.0[..]),
        };
        let status_report = if self.status_report { STATUS_REPORT } else { 0 };
        out.push(SUBMIT | validity_bits | status_report | header_bit(&self.data));
        out.push(self.reference);
        self.destination.write(out);
        out.extend([NO_INTERWORKING, EIGHT_BIT]);
        out.extend(validity);
        write_data(&self.data, out);
    }
}

/// Reads TP-PID, which does not matter here, and TP-DCS.
fn read_coding(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    const FIELD: &str = "TP-DCS";
    reader.byte("TP-PID")?;
    let start = reader.clone();
    let coding = reader.byte(FIELD)?;
    // Without compression in the general groups, or with a class (TS 23.038 §4).
    if coding & 0xac == 0x04 || coding & 0xf4 == 0xf4 {
        return Ok(());
    }
    Err(start.error(FIELD, Problem::Schema("not the coding of plain 8-bit data".into())))
}

fn header_bit(data: &UserData) -> u8 {
    if data.has_header() { USER_DATA_HEADER } else { 0 }
}

fn write_data(data: &UserData, out: &mut Vec<u8>) {
    let header = data.header();
    // User data are 140 octets at most.
    out.push(u8::try_from(header.len() + data.payload().len()).unwrap_or(u8::MAX));
    out.extend(header);
    out.extend(data.payload());
}

impl ServiceCentreTime {
    /// Year of the century, month, day, hour, minute, second, and the quarters of an hour that the clock is ahead of UTC. `None` if the
    /// octets are no digits.
    fn fields(self) -> Option<([u8; 6], i8)> {
        let digits = |octet: u8| {
            let (tens, ones) = (octet & 0x0f, octet >> 4);
            (tens <= 9 && ones <= 9).then_some(tens * 10 + ones)
        };
        let [year, month, day, hour, minute, second, zone] = self.0;
        // The highest bit of the tens of the zone is its sign.
        let quarters = i8::try_from(digits(zone & !0x08)?).ok()?;
        let quarters = if zone & 0x08 == 0 { quarters } else { -quarters };
        let fields = [year, month, day, hour, minute, second].map(digits);
        let [Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)] = fields else {
            return None;
        };
        Some(([year, month, day, hour, minute, second], quarters))
    }

    /// Seconds since 1970, of a year from 2000 to 2099. `None` if the octets are no time.
    #[must_use]
    pub fn unix_seconds(self) -> Option<i64> {
        let ([year, month, day, hour, minute, second], quarters) = self.fields()?;
        let legal =
            (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
        legal.then_some(())?;
        // Years from March on, so that the leap day is the last one; the years 2000 to 2099 have one in four.
        let (year, month) = if month > 2 {
            (i64::from(year), i64::from(month) - 3)
        } else {
            (i64::from(year) - 1, i64::from(month) + 9)
        };
        let days = year * 365 + year.div_euclid(4) + (153 * month + 2) / 5 + i64::from(day) - 1;
        let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
        Some((MARCH_2000 + days) * 86_400 + seconds - i64::from(quarters) * 900)
    }
}

/// Days from 1970-01-01 to 2000-03-01.
const MARCH_2000: i64 = 11_017;

/// Such as `2026-11-12 12:34:50 +01:00`; the octets in hexadecimal digits if they are no time.
impl fmt::Display for ServiceCentreTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(([year, month, day, hour, minute, second], quarters)) = self.fields() else {
            return self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"));
        };
        write!(f, "20{year:02}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
        let (sign, quarters) = (if quarters < 0 { '-' } else { '+' }, quarters.unsigned_abs());
        write!(f, " {sign}{:02}:{:02}", quarters / 4, quarters % 4 * 15)
    }
}
