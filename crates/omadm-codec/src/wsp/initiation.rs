//! The session initiation request of push (`WAP-235 §8`): a gateway asks the device to connect to it.
//!
//! Its order of fields is that which Wireshark dissects; the text of the specification is not public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::field::{Header, read_headers, uintvar, write_length};
use super::{DM_APPLICATION, DM_APPLICATION_CODE, GatewayAddress};
use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};

/// Content type code.
pub const INITIATION_CODE: u32 = 0x34;
/// The same as text.
pub const INITIATION_TYPE: &str = "application/vnd.wap.sia";
/// The application of a device that takes such requests, `x-wap-application:push.sia`.
pub const INITIATION_APPLICATION_CODE: u32 = 0x01;
/// The same as text.
pub const INITIATION_APPLICATION: &str = "x-wap-application:push.sia";

/// Most entries of a list in it.
const MAX_ENTRIES: usize = 64;
/// The version with contact points for other protocols than WSP.
const VERSION: u8 = 1;

/// A request to connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionInitiation<'a> {
    /// For these applications, each a header.
    pub applications: Vec<Header>,
    /// Where it can be reached by WSP.
    pub wsp_contact_points: Vec<GatewayAddress<'a>>,
    /// Where it can be reached by other protocols, the best first.
    pub contact_points: Vec<GatewayAddress<'a>>,
    /// Which protocols those are; 0 is OTA-HTTP over TCP, by its number.
    pub protocol_options: Vec<u32>,
    /// Where to get settings.
    pub provisioning_url: &'a str,
    /// What the gateway believes that the device can do.
    pub cpi_tags: Vec<[u8; 4]>,
}

impl GatewayAddress<'_> {
    /// The address of IP.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        if let Ok(octets) = <[u8; 4]>::try_from(self.address) {
            return Some(Ipv4Addr::from(octets).into());
        }
        <[u8; 16]>::try_from(self.address).ok().map(|octets| Ipv6Addr::from(octets).into())
    }
}

impl<'a> SessionInitiation<'a> {
    /// Whether it is for device management, or does not say for what it is.
    #[must_use]
    pub fn is_for_dm(&self) -> bool {
        let mut applications = self.applications.iter().filter(|header| header.names_application());
        self.applications.is_empty()
            || applications.any(|header| header.value.is(DM_APPLICATION_CODE, DM_APPLICATION))
    }

    /// Reads one. In version 0 nothing follows the contact points of WSP.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        let version = reader.byte("version")?;
        let mut list = section(&mut reader, "application ids")?;
        let entries = Limits { items: MAX_ENTRIES, ..*limits };
        let mut request = Self { applications: read_headers(&mut list, &entries)?, ..Self::default() };
        request.wsp_contact_points = points(&mut reader, "WSP contact points")?;
        if version < VERSION {
            reader.end()?;
            return Ok(request);
        }
        request.contact_points = points(&mut reader, "contact points")?;
        let count = uintvar(&mut reader, "protocol options")?;
        for _ in 0..count {
            bounded(request.protocol_options.len(), &reader, "protocol options")?;
            request.protocol_options.push(uintvar(&mut reader, "protocol options")?);
        }
        let url = section(&mut reader, "provisioning URL")?;
        let text = std::str::from_utf8(url.rest());
        request.provisioning_url = text.map_err(|_| url.error("provisioning URL", Problem::BadUtf8))?;
        let count = uintvar(&mut reader, "CPI tags")?;
        for _ in 0..count {
            bounded(request.cpi_tags.len(), &reader, "CPI tags")?;
            request.cpi_tags.push(reader.array("CPI tags")?);
        }
        reader.end()?;
        Ok(request)
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        let mut applications = Vec::new();
        self.applications.iter().for_each(|header| header.write(&mut applications));
        with_length(&applications, out);
        for points in [&self.wsp_contact_points, &self.contact_points] {
            let mut octets = Vec::new();
            points.iter().for_each(|point| point.write(&mut octets));
            with_length(&octets, out);
        }
        write_length(self.protocol_options.len(), out);
        for option in &self.protocol_options {
            write_length(usize::try_from(*option).unwrap_or_default(), out);
        }
        with_length(self.provisioning_url.as_bytes(), out);
        write_length(self.cpi_tags.len(), out);
        self.cpi_tags.iter().for_each(|tag| out.extend(tag));
    }
}

fn points<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<Vec<GatewayAddress<'a>>, DecodeError> {
    let limits = Limits { items: MAX_ENTRIES, ..Limits::default() };
    GatewayAddress::read_all(&mut section(reader, field)?, &limits)
}

/// Whether an application, as HTTP names it, is that of these requests.
#[must_use]
pub fn is_initiation_application(value: &str) -> bool {
    value.eq_ignore_ascii_case(INITIATION_APPLICATION) || value.parse() == Ok(INITIATION_APPLICATION_CODE)
}

/// What follows its length.
fn section<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<Reader<'a>, DecodeError> {
    let length = uintvar(reader, field)?;
    reader.fence(usize::try_from(length).unwrap_or(usize::MAX), field)
}

fn bounded(count: usize, reader: &Reader<'_>, field: &'static str) -> Result<(), DecodeError> {
    if count < MAX_ENTRIES {
        return Ok(());
    }
    Err(reader.error(field, Problem::TooMany { limit: MAX_ENTRIES }))
}

fn with_length(octets: &[u8], out: &mut Vec<u8>) {
    write_length(octets.len(), out);
    out.extend(octets);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> SessionInitiation<'static> {
        SessionInitiation {
            applications: vec![Header::application(DM_APPLICATION_CODE), Header::application(0x9000)],
            wsp_contact_points: vec![GatewayAddress {
                bearer: Some(0),
                port: None,
                address: &[192, 0, 2, 1],
            }],
            contact_points: vec![GatewayAddress {
                bearer: None,
                port: Some(4_000),
                address: &[192, 0, 2, 2],
            }],
            protocol_options: vec![0, 300],
            provisioning_url: "http://a",
            cpi_tags: vec![[1, 2, 3, 4]],
        }
    }

    fn decode(octets: &[u8]) -> Result<SessionInitiation<'_>, DecodeError> {
        SessionInitiation::decode(octets, &Limits::default())
    }

    #[test]
    fn a_request_is_read_as_written() {
        let mut octets = Vec::new();
        request().encode(&mut octets);
        let expected = [
            b"\x01\x06\xaf\x87\xaf\x02\x90\x00\x06\x84\x00\xc0\x00\x02\x01\x07\x44\x0f\xa0\xc0\x00\x02\x02\x02\x00\x82\x2c\x08".as_slice(),
            b"http://a\x01\x01\x02\x03\x04",
        ];
        assert_eq!(octets, expected.concat());
        let read = decode(&octets).unwrap();
        assert_eq!(read, request());
        assert!(read.is_for_dm());
        assert_eq!(read.contact_points[0].ip(), Some([192, 0, 2, 2].into()));
        for length in 0..octets.len() {
            assert!(decode(&octets[..length]).is_err(), "{length}");
        }
        octets.push(0);
        assert_eq!(decode(&octets).unwrap_err().problem, Problem::Trailing);
    }

    #[test]
    fn an_older_request_ends_early() {
        let older = decode(&[0, 2, 0xaf, 0x82, 5, 0x04, 192, 0, 2, 1]).unwrap();
        assert!(!older.is_for_dm(), "another application");
        assert_eq!(older.wsp_contact_points.len(), 1);
        assert!(decode(&[0, 0, 0]).unwrap().is_for_dm(), "no application at all");
    }

    #[test]
    fn lists_are_bounded() {
        let of = |count: u8| {
            let mut octets = vec![1, 0, 0, 0, count];
            octets.extend(vec![0; usize::from(count)]);
            octets.extend([0, 0]);
            decode(&octets).map(|request| request.protocol_options.len())
        };
        assert_eq!(of(64), Ok(64));
        assert_eq!(of(65).unwrap_err().problem, Problem::TooMany { limit: 64 });
    }
}
