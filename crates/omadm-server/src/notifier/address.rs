//! Where a device can be notified.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::uri::Authority;
use omadm_codec::wsp::PUSH_PORT;
use omadm_codec::{pap, sms};
use omadm_link::LinkAddress;

/// Longest registration with a cloud service in octets; those of Firebase have some 200.
pub const MAX_REGISTRATION: usize = 4_096;

/// Port of OTA-HTTP push, `wap-push-http`.
pub const HTTP_PORT: u16 = 4035;
/// Port of OTA-HTTP push over TLS, `wap-push-https`.
pub const HTTPS_PORT: u16 = 4036;
/// Port of SIP.
pub const SIP_PORT: u16 = 5060;
/// Longest user name at a SIP domain or a Push Proxy Gateway in octets.
const MAX_USER: usize = 128;

/// A way to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushAddress {
    /// `udp:HOST:PORT`: WAP push over UDP (`DM 2.0 §E.1`).
    Udp(Place),
    /// `sms:NUMBER`: WAP push over short messages.
    Sms(sms::Address),
    /// `cloud:REGISTRATION`: cloud messaging (`DM 2.0 §E.2`).
    Cloud(String),
    /// `http:HOST:PORT` and `https:HOST:PORT`: OTA-HTTP push, in which the device is the HTTP server (`WAP-235`, PO-TCP).
    Http {
        /// The device.
        place: Place,
        /// Over TLS.
        secure: bool,
    },
    /// `sip:USER@HOST:PORT;transport=udp`: a MESSAGE to a SIP user agent (`RFC 3428`).
    Sip(SipAddress),
    /// `ppg:ADDRESS`: submitted to the Push Proxy Gateway by PAP (`WAP-247`).
    Ppg(pap::Address),
    /// `obex:HOST:PORT` and `obex+rfcomm:AA:BB:CC:DD:EE:FF/CHANNEL`: put over a local link, over which the device is managed then
    /// (`DM 1.3 OBEX binding`).
    Obex(LinkAddress),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A user of SIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipAddress {
    /// The user part.
    pub user: String,
    /// Domain, or the device itself.
    pub place: Place,
    /// How its requests travel.
    pub transport: SipTransport,
}

/// How SIP requests travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum SipTransport {
    Udp,
    Tcp,
}

impl Place {
    /// Reads `HOST` or `HOST:PORT`; `None` if it is none.
    pub fn parse(text: &str, default_port: u16) -> Option<Self> {
        let place: Authority = text.parse().ok().filter(|_| !text.contains('@'))?;
        let host = place.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match place.port_u16() {
            None if place.as_str() == place.host() => default_port,
            port => port?,
        };
        (port > 0 && !host.is_empty()).then_some(Self { host, port })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl SipAddress {
    /// Reads `USER@HOST[:PORT][;transport=udp|tcp]`.
    fn parse(text: &str) -> Option<Self> {
        let (rest, transport) = match text.split_once(';') {
            None => (text, SipTransport::Udp),
            Some((rest, parameter)) => match parameter.to_ascii_lowercase().as_str() {
                "transport=udp" => (rest, SipTransport::Udp),
                "transport=tcp" => (rest, SipTransport::Tcp),
                _ => return None,
            },
        };
        let (user, place) = rest.split_once('@')?;
        let user = is_user(user).then(|| user.to_owned())?;
        Some(Self { user, place: Place::parse(place, SIP_PORT)?, transport })
    }
}

impl fmt::Display for SipAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, place, transport } = self;
        let transport = match transport {
            SipTransport::Udp => "",
            SipTransport::Tcp => ";transport=tcp",
        };
        write!(f, "sip:{user}@{place}{transport}")
    }
}

/// Whether it is a user name of 1 to [`MAX_USER`] octets that no address has to escape.
fn is_user(text: &str) -> bool {
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || b"+-_.!~*'()".contains(&octet);
    (1..=MAX_USER).contains(&text.len()) && text.bytes().all(legal)
}

/// What a Push Proxy Gateway finds a device by: an IP address, a number with its country code, or a user of the gateway.
fn behind_gateway(text: &str) -> Option<pap::Address> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match bare.parse() {
        Ok(IpAddr::V4(address)) => return Some(pap::Address::Ipv4(address)),
        Ok(IpAddr::V6(address)) => return Some(pap::Address::Ipv6(address)),
        Err(_) => {}
    }
    if text.starts_with('+') {
        return sms::Address::parse(text).map(|number| pap::Address::Plmn(number.to_string()));
    }
    is_user(text).then(|| pap::Address::User(text.to_owned()))
}

impl PushAddress {
    /// The order in which ways are tried: first those on which somebody answers, then those that cost nothing.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Cloud(_) => 0,
            Self::Http { secure: true, .. } => 1,
            Self::Http { secure: false, .. } => 2,
            Self::Sip(_) => 3,
            Self::Obex(_) => 4,
            Self::Udp(_) => 5,
            Self::Sms(_) => 6,
            Self::Ppg(_) => 7,
        }
    }

    /// The kind, as it is written.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Udp(_) => "udp",
            Self::Sms(_) => "sms",
            Self::Cloud(_) => "cloud",
            Self::Http { secure: false, .. } => "http",
            Self::Http { secure: true, .. } => "https",
            Self::Sip(_) => "sip",
            Self::Ppg(_) => "ppg",
            Self::Obex(LinkAddress::Tcp { .. }) => "obex",
            Self::Obex(LinkAddress::Rfcomm { .. }) => "obex+rfcomm",
        }
    }
}

impl FromStr for PushAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) =
            text.split_once(':').ok_or_else(|| format!("{text:?} is no way to a device; {WANTED}"))?;
        let place = |port| {
            let problem = || format!("{text:?} has no host, or a port that is none; {WANTED}");
            Place::parse(rest, port).ok_or_else(problem)
        };
        match kind {
            "obex" | "obex+rfcomm" => text.parse().map(Self::Obex),
            "udp" => place(PUSH_PORT).map(Self::Udp),
            "http" => Ok(Self::Http { place: place(HTTP_PORT)?, secure: false }),
            "https" => Ok(Self::Http { place: place(HTTPS_PORT)?, secure: true }),
            "sms" => sms::Address::parse(rest).map(Self::Sms).ok_or_else(|| {
                format!(
                    "{text:?} has no number of 1 to 20 digits, after a + if it begins with the country code"
                )
            }),
            "cloud" => registration(rest).map(Self::Cloud),
            "sip" => SipAddress::parse(rest).map(Self::Sip).ok_or_else(|| {
                format!("{text:?} is no user of SIP; write sip:USER@HOST, with :PORT and ;transport=tcp if need be")
            }),
            "ppg" => behind_gateway(rest).map(Self::Ppg).ok_or_else(|| {
                format!("{text:?} has neither a number with + and country code, nor an IP address, nor a user of the gateway")
            }),
            _ => Err(format!("{text:?} begins with no kind that is known; {WANTED}")),
        }
    }
}

/// What an address looks like.
const WANTED: &str = "write udp:HOST, http:HOST, https:HOST, sip:USER@HOST, sms:NUMBER, ppg:ADDRESS, cloud:REGISTRATION, obex:HOST or \
     obex+rfcomm:ADDRESS/CHANNEL";

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
            Self::Udp(place) => write!(f, "udp:{place}"),
            Self::Http { place, secure: false } => write!(f, "http:{place}"),
            Self::Http { place, secure: true } => write!(f, "https:{place}"),
            Self::Sms(number) => write!(f, "sms:{number}"),
            Self::Sip(address) => address.fmt(f),
            Self::Ppg(pap::Address::Plmn(number)) => write!(f, "ppg:{number}"),
            Self::Ppg(pap::Address::Ipv4(address)) => write!(f, "ppg:{address}"),
            Self::Ppg(pap::Address::Ipv6(address)) => write!(f, "ppg:{address}"),
            Self::Ppg(pap::Address::User(user)) => write!(f, "ppg:{user}"),
            Self::Cloud(registration) => write!(f, "cloud:{registration}"),
            Self::Obex(link) => link.fmt(f),
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
            ("obex:192.0.2.1", "obex:192.0.2.1:650"),
            ("obex+rfcomm:0A:1B:2C:3D:4E:5F/4", "obex+rfcomm:0A:1B:2C:3D:4E:5F/4"),
            ("sms:12345", "sms:12345"),
            ("cloud:a:b/c", "cloud:a:b/c"),
            ("http:192.0.2.1", "http:192.0.2.1:4035"),
            ("https:[2001:db8::1]", "https:[2001:db8::1]:4036"),
            ("https:device.example:443", "https:device.example:443"),
            ("sip:john@ims.example", "sip:john@ims.example:5060"),
            ("sip:+46701@[::1]:5070;transport=TCP", "sip:+46701@[::1]:5070;transport=tcp"),
            ("sip:a@b;transport=udp", "sip:a@b:5060"),
            ("ppg:+46708251358", "ppg:+46708251358"),
            ("ppg:127.0.0.1", "ppg:127.0.0.1"),
            ("ppg:[::1]", "ppg:::1"),
            ("ppg:::1", "ppg:::1"),
            ("ppg:john.doe", "ppg:john.doe"),
        ] {
            assert_eq!(
                text.parse::<PushAddress>().map(|address| address.to_string()),
                Ok(canonical.to_owned())
            );
        }
    }

    #[test]
    fn ways_have_an_order() {
        let given = ["ppg:+1", "sms:+1", "udp:a", "obex:a", "sip:a@b", "http:a", "https:a", "cloud:a"];
        let mut ways = given.map(|text| text.parse::<PushAddress>().unwrap());
        ways.sort_by_key(PushAddress::rank);
        let kinds = ways.map(|way| way.kind());
        assert_eq!(kinds, ["cloud", "https", "http", "sip", "obex", "udp", "sms", "ppg"]);
    }

    #[test]
    fn what_is_no_way_is_refused() {
        let long = format!("cloud:{}", "x".repeat(MAX_REGISTRATION + 1));
        let long_user = format!("sip:{}@a", "x".repeat(MAX_USER + 1));
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
            "http:",
            "http://a",
            "https:u@a",
            "https:a/b",
            "sip:a",
            "sip:@a",
            "sip:a@",
            "sip:a b@c",
            "sip:a@b@c",
            "sip:a@b;transport=tls",
            "sip:a@b;transport=tcp;x",
            "ppg:",
            "ppg:+",
            "ppg:a/TYPE=PLMN@b",
            &long,
            &long_user,
        ] {
            assert!(text.parse::<PushAddress>().is_err(), "{text}");
        }
        assert!(format!("cloud:{}", "x".repeat(MAX_REGISTRATION)).parse::<PushAddress>().is_ok());
        assert!(format!("sip:{}@a", "x".repeat(MAX_USER)).parse::<PushAddress>().is_ok());
    }
}
