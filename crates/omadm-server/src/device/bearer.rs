//! By which transport a device comes, as far as the listeners can tell.

use std::net::SocketAddr;

use http::header::VIA;
use http::{HeaderMap, HeaderName};
use omadm_store::CheckIn;

/// What WAP gateways call themselves by.
const WAP_GATEWAY: HeaderName = HeaderName::from_static("x-wap-gateway");
/// How the protocol begins that a gateway says it got a request by (`RFC 9110 §7.6.3`).
const WAP: &str = "WAP/";

/// What brings the messages of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// HTTP over TLS, ended here or by a trusted proxy.
    Https,
    /// HTTP without TLS.
    Http,
    /// A WAP gateway, which the device speaks WSP to.
    Wap,
    /// OBEX over TCP.
    Obex,
    /// OBEX over Bluetooth.
    Bluetooth,
}

impl Bearer {
    /// Of a request by HTTP. Whether a gateway is in between is what its headers say, which nothing proves.
    pub fn of_request(is_secure: bool, headers: &HeaderMap) -> Self {
        let by_wap = |via: &str| {
            let protocols = via.split(',').map(str::trim_start);
            protocols.filter_map(|hop| hop.get(..WAP.len())).any(|start| start.eq_ignore_ascii_case(WAP))
        };
        let via = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok());
        if headers.contains_key(WAP_GATEWAY) || via.into_iter().any(by_wap) {
            Self::Wap
        } else if is_secure {
            Self::Https
        } else {
            Self::Http
        }
    }

    /// Of a local link with this on its other end: an address of Bluetooth has no port.
    pub fn of_link(peer: SocketAddr) -> Self {
        if peer.port() == 0 { Self::Bluetooth } else { Self::Obex }
    }

    /// Whether it is a local link, and not HTTP.
    pub fn is_link(self) -> bool {
        matches!(self, Self::Obex | Self::Bluetooth)
    }

    /// The name for people, programs and filters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Wap => "wap",
            Self::Obex => "obex",
            Self::Bluetooth => "bluetooth",
        }
    }

    /// Its name, if the device came by another before.
    pub fn if_other(self, check: &CheckIn) -> Option<String> {
        let name = self.as_str();
        (check.device.bearer.as_deref() != Some(name)).then(|| name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(is_secure: bool, headers: &[(HeaderName, &'static str)]) -> &'static str {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        Bearer::of_request(is_secure, &headers.collect()).as_str()
    }

    #[test]
    fn requests_say_what_brought_them() {
        assert_eq!(of(true, &[]), "https");
        assert_eq!(of(false, &[]), "http");
        assert_eq!(of(false, &[(WAP_GATEWAY, "Kannel/1.4.5")]), "wap");
        assert_eq!(of(true, &[(VIA, "1.1 a, wap/1.2 gateway (Kannel/1.4.5)")]), "wap");
        for other in ["1.1 WAP/1.2", "HTTP/1.1 wap.example", "wa", "\u{e9}\u{e9}"] {
            let headers = [(VIA, other)].map(|(name, value)| (name, value.as_bytes().try_into().unwrap()));
            assert_eq!(Bearer::of_request(true, &headers.into_iter().collect()), Bearer::Https, "{other}");
        }
    }

    #[test]
    fn links_say_what_they_are() {
        assert_eq!(Bearer::of_link(([127, 0, 0, 1], 6429).into()), Bearer::Obex);
        assert_eq!(Bearer::of_link(([0, 0, 0, 0, 0, 0, 0, 1], 0).into()), Bearer::Bluetooth);
        assert!(Bearer::Obex.is_link() && Bearer::Bluetooth.is_link() && !Bearer::Wap.is_link());
    }
}
