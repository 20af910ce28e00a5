//! Where a local link leads to, and where it comes in.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Port of OBEX over TCP.
pub const PORT: u16 = 650;
/// Longest host name in octets.
const MAX_HOST: usize = 253;
/// Channels of RFCOMM.
const CHANNELS: std::ops::RangeInclusive<u8> = 1..=30;

/// The other end of a local link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LinkAddress {
    /// `obex:HOST:PORT`, also with `//`: over TCP.
    Tcp {
        /// Name or address, IPv6 without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// `obex+rfcomm:AA:BB:CC:DD:EE:FF/CHANNEL`: over Bluetooth.
    Rfcomm {
        /// The device.
        device: BluetoothAddress,
        /// 1 to 30.
        channel: u8,
    },
}

/// Address of a Bluetooth device, in the order in which it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BluetoothAddress(pub [u8; 6]);

/// Where local links come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ListenAddress {
    /// `ADDRESS:PORT`.
    Tcp(SocketAddr),
    /// `rfcomm:CHANNEL`, on every adapter.
    Rfcomm(u8),
}

impl LinkAddress {
    /// Whether an address is meant to be one of a local link, by its scheme.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        ["obex", "obex+rfcomm"].iter().any(|known| known.eq_ignore_ascii_case(scheme))
    }
}

impl FromStr for LinkAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || {
            format!(
                "{text:?} is no local link; write obex:HOST:PORT or obex+rfcomm:AA:BB:CC:DD:EE:FF/CHANNEL"
            )
        };
        let (scheme, rest) = text.split_once(':').ok_or_else(wanted)?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        match scheme.to_ascii_lowercase().as_str() {
            "obex" => tcp(rest.strip_suffix('/').unwrap_or(rest)).ok_or_else(wanted),
            "obex+rfcomm" => rfcomm(rest).ok_or_else(wanted),
            _ => Err(wanted()),
        }
    }
}

fn tcp(text: &str) -> Option<LinkAddress> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, port.is_empty().then_some(None).or_else(|| port.strip_prefix(':').map(Some))?)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(PORT), number).filter(|port| *port > 0)?;
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || b"-._:".contains(&octet);
    let is_host = (1..=MAX_HOST).contains(&host.len()) && host.bytes().all(legal);
    is_host.then(|| LinkAddress::Tcp { host: host.to_owned(), port })
}

fn rfcomm(text: &str) -> Option<LinkAddress> {
    let (device, channel) = text.split_once('/')?;
    Some(LinkAddress::Rfcomm { device: device.parse().ok()?, channel: channel_of(channel)? })
}

fn channel_of(text: &str) -> Option<u8> {
    number(text).filter(|channel| CHANNELS.contains(channel))
}

/// A number of digits alone: no sign goes before it.
fn number<N: FromStr>(text: &str) -> Option<N> {
    text.parse().ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_digit()))
}

impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "obex:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "obex:{host}:{port}"),
            Self::Rfcomm { device, channel } => write!(f, "obex+rfcomm:{device}/{channel}"),
        }
    }
}

impl FromStr for BluetoothAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let octet = |text: &str| {
            let is_hex = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
            is_hex.then(|| u8::from_str_radix(text, 16).ok()).flatten()
        };
        let octets: Option<Vec<u8>> = text.split(':').map(octet).collect();
        let octets = octets.and_then(|octets| <[u8; 6]>::try_from(octets).ok());
        octets.map(Self).ok_or_else(|| format!("{text:?} is no address of Bluetooth"))
    }
}

impl fmt::Display for BluetoothAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([a, b, c, d, e, g]) = self;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

impl From<BluetoothAddress> for Ipv6Addr {
    /// The link-local address of IP over Bluetooth (`RFC 7668 §3.2.2`), so that a device is told from others where addresses are of IP.
    fn from(BluetoothAddress([a, b, c, d, e, f]): BluetoothAddress) -> Self {
        Self::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a, b, c, 0xff, 0xfe, d, e, f])
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let listen = match text.strip_prefix("rfcomm:") {
            Some(channel) => channel_of(channel).map(Self::Rfcomm),
            None => text.parse().ok().map(Self::Tcp),
        };
        listen.ok_or_else(|| {
            format!("{text:?} is no place to listen at; write ADDRESS:PORT, or rfcomm:CHANNEL with 1 to 30")
        })
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ListenAddress> for String {
    fn from(address: ListenAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Rfcomm(channel) => write!(f, "rfcomm:{channel}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            ("obex:phone", "obex:phone:650"),
            ("obex://phone:6500/", "obex:phone:6500"),
            ("OBEX:192.0.2.1:1", "obex:192.0.2.1:1"),
            ("obex:[2001:db8::1]", "obex:[2001:db8::1]:650"),
            ("obex://[2001:db8::1]:651", "obex:[2001:db8::1]:651"),
            ("obex+rfcomm:0a:1B:2c:3D:4e:5F/30", "obex+rfcomm:0A:1B:2C:3D:4E:5F/30"),
        ] {
            let address: LinkAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), written);
            assert_eq!(written.parse(), Ok(address));
            assert!(LinkAddress::is_meant(text));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "obex:",
            "obex:a:0",
            "obex:a:65536",
            "obex:a:+650",
            "obex:a b",
            "obex:a/b",
            "obex:user@a",
            "obex:[a]",
            "obex:[::1]650",
            "obex:::1",
            "http://a",
            "a",
            "obex+rfcomm:0A:1B:2C:3D:4E:5F",
            "obex+rfcomm:0A:1B:2C:3D:4E:5F/0",
            "obex+rfcomm:0A:1B:2C:3D:4E:5F/31",
            "obex+rfcomm:0A:1B:2C:3D:4E:5F/+1",
            "obex+rfcomm:0A:1B:2C:3D:4E/1",
            "obex+rfcomm:+A:1B:2C:3D:4E:5F/1",
        ] {
            assert!(text.parse::<LinkAddress>().is_err(), "{text}");
        }
        let long = format!("obex:{}", "a".repeat(MAX_HOST));
        assert!(long.parse::<LinkAddress>().is_ok());
        assert!(format!("{long}a").parse::<LinkAddress>().is_err());
        assert!(!LinkAddress::is_meant("https://a") && !LinkAddress::is_meant("a"));
    }

    #[test]
    fn places_to_listen_at_are_read_and_written() {
        for text in ["127.0.0.1:650", "[::]:650", "rfcomm:1", "rfcomm:30"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        for text in ["650", "rfcomm:0", "rfcomm:31", "rfcomm:", "phone:650"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_device_of_bluetooth_has_an_address_of_ip() {
        let address: BluetoothAddress = "00:11:22:33:44:55".parse().unwrap();
        assert_eq!(Ipv6Addr::from(address), "fe80::11:22ff:fe33:4455".parse::<Ipv6Addr>().unwrap());
    }
}
