//! What a trusted proxy that ends TLS says of the device behind it. From anybody else the same headers say nothing.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};

use crate::ServerError;
use crate::config::{Config, Network};
use crate::listener::Connection;
use crate::tls::{HandedOn, Identified};

/// The addresses that a request came along, the nearest last.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme that a request came by.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Which proxies are trusted, and with what.
pub struct Proxies {
    trusted: Vec<Network>,
    certificates: Option<(HeaderName, HandedOn)>,
}

/// Who is on the other side of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The address that the request comes from, whose failures are counted.
    pub source: IpAddr,
    /// What TLS has proved.
    pub identified: Identified,
    /// Whether the device speaks TLS, to us or to a trusted proxy.
    pub is_secure: bool,
}

impl Proxies {
    /// As the configuration has them.
    ///
    /// # Errors
    /// When the authorities of devices cannot be read.
    pub fn new(config: &Config) -> Result<Self, ServerError> {
        let header = config.device.certificate_header.as_deref().and_then(|name| name.parse().ok());
        let certificates = match (header, &config.tls.client_ca) {
            (Some(header), Some(ca)) => Some((header, HandedOn::new(ca, config.tls.client_crl.as_deref())?)),
            _ => None,
        };
        Ok(Self { trusted: config.device.trusted_proxies.clone(), certificates })
    }

    /// What checks certificates, to be renewed when its files change.
    pub fn certificates(&self) -> Option<&HandedOn> {
        self.certificates.as_ref().map(|(_, handed_on)| handed_on)
    }

    /// Who sends a request that came on a connection.
    pub fn sender(&self, connection: &Connection, headers: &HeaderMap) -> Sender {
        let peer = connection.peer.ip();
        let identified = connection.identified.clone();
        let mut sender = Sender { source: peer, identified, is_secure: connection.is_secure };
        if connection.is_secure || !self.trusts(peer) {
            return sender;
        }
        let along = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let along: Vec<IpAddr> =
            along.flat_map(|list| list.split(',')).map_while(|text| text.trim().parse().ok()).collect();
        if let Some(source) = along.into_iter().rev().find(|address| !self.trusts(*address)) {
            sender.source = source;
        }
        sender.is_secure = headers.get(&FORWARDED_PROTO).is_some_and(|scheme| scheme == "https");
        if let Some((name, handed_on)) = &self.certificates {
            sender.identified = identify(name, handed_on, headers, peer);
        }
        sender
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }
}

fn identify(name: &HeaderName, handed_on: &HandedOn, headers: &HeaderMap, peer: IpAddr) -> Identified {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Identified::Nobody };
    let text = value.to_str().unwrap_or_default();
    // A proxy may write an empty header for a device without a certificate.
    if text.is_empty() {
        return Identified::Nobody;
    }
    handed_on.identify(text).unwrap_or_else(|problem| {
        tracing::warn!(%peer, problem, "the certificate that a proxy hands on does not count");
        Identified::Nobody
    })
}
