//! Where a device can be notified.

use std::fmt;
use std::str::FromStr;

use http::uri::Authority;
use omadm_codec::sms;
use omadm_codec::wsp::PUSH_PORT;

/// Longest registration with a cloud service in octets; those of Firebase have some 200.
pub const MAX_REGISTRATION: usize = 4_096;

/// A way to a device, written `udp:HOST:PORT`, `sms:NUMBER` or `cloud:REGISTRATION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushAddress {
    /// WAP push over UDP (`DM 2.0 §E.1`).
    Udp {
        /// Name or address.
        host: String,
        /// Port, 2948 unless the device says otherwise.
        port: u16,
    },
    /// WAP push over short messages.
    Sms(sms::Address),
    /// Cloud messaging (`DM 2.0 §E.2`).
    Cloud(String),
}

impl PushAddress {
    /// The kind, as it is written.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Udp { .. } => "udp",
            Self::Sms(_) => "sms",
            Self::Cloud(_) => "cloud",
        }
    }
}

impl FromStr for PushAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "write udp:HOST, udp:HOST:PORT, sms:NUMBER or cloud:REGISTRATION";
        let (kind, rest) =
            text.split_once(':').ok_or_else(|| format!("{text:?} is no way to a device; {wanted}"))?;
        match kind {
            "udp" => {
                let place: Authority =
                    rest.parse().map_err(|error| format!("{text:?}: {error}; {wanted}"))?;
                let host = place.host().trim_start_matches('[').trim_end_matches(']').to_owned();
                let port = match place.port_u16() {
                    None if place.as_str() == place.host() => Some(PUSH_PORT),
                    port => port.filter(|_| !rest.contains('@')),
                };
                let port = port.filter(|port| *port > 0 && !host.is_empty());
                let port =
                    port.ok_or_else(|| format!("{text:?} has no host, or a port that is none; {wanted}"))?;
                Ok(Self::Udp { host, port })
            }
            "sms" => sms::Address::parse(rest).map(Self::Sms).ok_or_else(|| {
                format!(
                    "{text:?} has no number of 1 to 20 digits, after a + if it begins with the country code"
                )
            }),
            "cloud" => registration(rest).map(Self::Cloud),
            _ => Err(format!("{text:?} begins with no kind that is known; {wanted}")),
        }
    }
}

/// Checks a registration with a cloud service.
///
/// # Errors
/// Says what is wrong with it.
pub fn registration(text: &str) -> Result<String, String> {
    let legal = (1..=MAX_REGISTRATION).contains(&text.len()) && !text.chars().any(char::is_control);
    let problem = || format!("a registration has 1 to {MAX_REGISTRATION} octets and no control characters");
    legal.then(|| text.to_owned()).ok_or_else(problem)
}

impl fmt::Display for PushAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp { host, port } if host.contains(':') => write!(f, "udp:[{host}]:{port}"),
            Self::Udp { host, port } => write!(f, "udp:{host}:{port}"),
            Self::Sms(number) => write!(f, "sms:{number}"),
            Self::Cloud(registration) => write!(f, "cloud:{registration}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (text, canonical) in [
            ("udp:192.0.2.1", "udp:192.0.2.1:2948"),
            ("udp:device.example:5000", "udp:device.example:5000"),
            ("udp:[2001:db8::1]", "udp:[2001:db8::1]:2948"),
            ("udp:[2001:db8::1]:7", "udp:[2001:db8::1]:7"),
            ("sms:+46708251358", "sms:+46708251358"),
            ("sms:12345", "sms:12345"),
            ("cloud:a:b/c", "cloud:a:b/c"),
        ] {
            assert_eq!(
                text.parse::<PushAddress>().map(|address| address.to_string()),
                Ok(canonical.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_way_is_refused() {
        let long = format!("cloud:{}", "x".repeat(MAX_REGISTRATION + 1));
        for text in [
            "",
            "192.0.2.1",
            "tcp:a",
            "udp:",
            "udp:a:0",
            "udp:a:",
            "udp:a:70000",
            "udp:a b",
            "udp:u@a:1",
            "sms:",
            "sms:+",
            "sms:phone",
            "sms:123456789012345678901",
            "cloud:",
            "cloud:a\nb",
            &long,
        ] {
            assert!(text.parse::<PushAddress>().is_err(), "{text}");
        }
        assert!(format!("cloud:{}", "x".repeat(MAX_REGISTRATION)).parse::<PushAddress>().is_ok());
    }
}
