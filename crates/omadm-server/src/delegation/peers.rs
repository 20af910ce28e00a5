//! Other servers: by which certificates they are known, and how they are reached.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use omadm_mo::Time;
use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::{X509, X509Ref, X509StoreContext, X509StoreContextRef, X509VerifyResult};
use sha2::{Digest as _, Sha256};

use super::record::hex;
use crate::ServerError;
use crate::config::{Config, DelegationPeer};
use crate::outgoing;
use crate::tls::{self, KeyPair};

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;
/// The setting with the authority of another server.
const CA_FILE: &str = "ca_file of delegation.peers";

/// An HTTPS client that shows our certificate.
type Https = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Another server.
pub struct Peer {
    /// Its settings.
    pub settings: DelegationPeer,
    /// Connects to it and to nobody else.
    pub https: Https,
    /// The authority of its certificate, if it is not known by its key.
    authority: Option<X509Store>,
}

/// All other servers.
pub struct Peers {
    known: Vec<Peer>,
    /// Most requests of one in a minute.
    most: u32,
    /// Since when requests are counted, and how many there were of whom.
    asked: Mutex<(Time, HashMap<String, u32>)>,
    /// The pin by which others can know this server.
    pub own_pin: String,
}

/// Why a connection is not one of a server that is known.
pub struct Stranger {
    /// HTTP status.
    pub status: u16,
    /// One sentence.
    pub reason: String,
}

impl Peers {
    /// Those of the configuration, to which this server shows the certificate `own`.
    ///
    /// # Errors
    /// When files cannot be used.
    pub fn new(config: &Config, own: &KeyPair) -> Result<Self, ServerError> {
        let section = &config.delegation;
        let known =
            section.peers.iter().map(|settings| Peer::new(settings, own)).collect::<Result<_, _>>()?;
        let unread =
            |source| ServerError::File { what: "the certificate", path: own.certificate.clone(), source };
        let pem = std::fs::read(&own.certificate).map_err(unread)?;
        Ok(Self {
            known,
            most: section.max_requests,
            asked: Mutex::new((Time(i64::MIN), HashMap::new())),
            own_pin: X509::from_pem(&pem).and_then(|certificate| pin(&certificate))?,
        })
    }

    /// A server by its identifier.
    pub fn get(&self, server_id: &str) -> Option<&Peer> {
        self.known.iter().find(|peer| peer.settings.server_id == server_id)
    }

    /// The server that has shown these certificates (DER, its own first), with the fingerprint of its own.
    ///
    /// # Errors
    /// [`Stranger`] if it is none of those that are known.
    pub fn identify(&self, presented: &[Vec<u8>]) -> Result<(&Peer, String), Stranger> {
        let Some((leaf, chain)) = presented.split_first() else {
            let reason = "a certificate is needed: the listener is for servers that are known".to_owned();
            return Err(Stranger { status: 401, reason });
        };
        let refused = |reason: String| Stranger { status: 403, reason };
        let unread = |error: ErrorStack| refused(format!("the certificate cannot be read: {error}"));
        let certificate = X509::from_der(leaf).map_err(unread)?;
        let chain =
            chain.iter().map(|der| X509::from_der(der)).collect::<Result<Vec<_>, _>>().map_err(unread)?;
        let peer = self.known.iter().find(|peer| peer.has(&certificate, &chain));
        let fingerprint = hex(&Sha256::digest(leaf));
        peer.map(|peer| (peer, fingerprint.clone())).ok_or_else(|| {
            refused(format!("the certificate {fingerprint} (SHA-256) is of no server that is known here"))
        })
    }

    /// Counts a request; whether there were not too many of this server in the present minute.
    pub fn admit(&self, server_id: &str, now: Time) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.0.plus_micros(MINUTE) <= now {
            *asked = (now, HashMap::new());
        }
        // Only servers of the configuration come here, so the map is no larger than it.
        let count = asked.1.entry(server_id.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count <= self.most
    }
}

impl Peer {
    fn new(settings: &DelegationPeer, own: &KeyPair) -> Result<Self, ServerError> {
        let mut tls = SslConnector::builder(SslMethod::tls_client())?;
        tls.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        tls::load(&mut tls, own)?;
        if let Some(pin) = settings.pin.clone() {
            tls.set_verify_callback(SslVerifyMode::PEER, move |_, chain| is_pinned(chain, &pin));
        } else {
            tls.set_verify_cert_store(authority(settings)?)?;
        }
        let authority = settings.ca_file.is_some().then(|| authority(settings)).transpose()?;
        let https = Client::builder(TokioExecutor::new()).build(outgoing::over(tls)?);
        Ok(Self { settings: settings.clone(), https, authority })
    }

    /// Whether a certificate is the one by which this server is known.
    fn has(&self, certificate: &X509, chain: &[X509]) -> bool {
        match (&self.settings.pin, &self.authority) {
            (Some(expected), _) => {
                pin(certificate).is_ok_and(|pin| pin == *expected)
                    && is_valid_now(certificate).unwrap_or(false)
            }
            (None, Some(authority)) => {
                let name = self.settings.name.as_ref().unwrap_or(&self.settings.server_id);
                names(certificate, name) && is_issued(certificate, chain, authority).unwrap_or(false)
            }
            (None, None) => false,
        }
    }
}

fn authority(settings: &DelegationPeer) -> Result<X509Store, ServerError> {
    let path = settings.ca_file.clone().unwrap_or_default();
    let unread = |source| ServerError::File { what: CA_FILE, path: path.clone(), source };
    let pem = std::fs::read(&path).map_err(unread)?;
    let mut store = X509StoreBuilder::new()?;
    let unusable = |error: ErrorStack| ServerError::Certificate {
        what: CA_FILE,
        path: path.clone(),
        problem: error.to_string(),
    };
    for certificate in X509::stack_from_pem(&pem).map_err(unusable)? {
        store.add_cert(certificate).map_err(unusable)?;
    }
    Ok(store.build())
}

/// The pin of a certificate: the digest of its public key.
fn pin(certificate: &X509Ref) -> Result<String, ErrorStack> {
    let key = certificate.public_key()?.public_key_to_der()?;
    Ok(format!("sha256/{}", STANDARD.encode(Sha256::digest(key))))
}

/// Judges a certificate of a chain in a handshake. Of the server's own the key is what counts, and its time; all others say nothing.
fn is_pinned(chain: &mut X509StoreContextRef, expected: &str) -> bool {
    if chain.error_depth() > 0 {
        return true;
    }
    let fits = |certificate: &X509Ref| pin(certificate).is_ok_and(|pin| pin == expected);
    let known = |certificate: &X509Ref| fits(certificate) && is_valid_now(certificate).unwrap_or(false);
    let known = chain.current_cert().is_some_and(known);
    if known {
        chain.set_error(X509VerifyResult::OK);
    }
    known
}

fn is_valid_now(certificate: &X509Ref) -> Result<bool, ErrorStack> {
    let now = Asn1Time::days_from_now(0)?;
    Ok(certificate.not_before() <= now && certificate.not_after() >= now)
}

fn names(certificate: &X509Ref, name: &str) -> bool {
    let names = certificate.subject_alt_names();
    names.iter().flatten().any(|known| known.dnsname() == Some(name) || known.uri() == Some(name))
}

fn is_issued(certificate: &X509, chain: &[X509], authority: &X509Store) -> Result<bool, ErrorStack> {
    let mut others = Stack::new()?;
    for other in chain {
        others.push(other.clone())?;
    }
    X509StoreContext::new()?.init(authority, certificate, &others, |context| context.verify_cert())
}
