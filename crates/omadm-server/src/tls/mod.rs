//! TLS towards devices: what is negotiated, by whose certificates, and who the peer is (`DM 2.0 §9.2`).

mod handed_on;
mod keys;
mod peer;
mod renewed;
mod setup;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use omadm_auth::TlsPolicy;
use omadm_auth::suite::{GROUPS, MIN_CURVE_BITS, TLS13_SUITES, cipher_list};
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::ssl::{
    AlpnError, SslContext, SslContextBuilder, SslFiletype, SslMethod, SslMode, SslOptions,
    SslSessionCacheMode, SslVerifyMode, SslVersion, select_next_proto,
};
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Name, X509PurposeId, X509Ref, X509VerifyResult};

use crate::ServerError;
use crate::config::ClientCertificates;

pub use handed_on::HandedOn;
pub use keys::{Keys, attempt, set_source};
pub use peer::Identified;
pub use renewed::{Renewed, watch};
pub use setup::{Transport, transport};
pub use trial::{Kind, trial_identity, write_private};

/// Protocols offered by ALPN, in order of preference.
const PROTOCOLS: &[u8] = b"\x02h2\x08http/1.1";
/// The group ffdhe2048 (`RFC 7919 appendix A.1`).
const FFDHE2048: &[u8] = include_bytes!("ffdhe2048.pem");
/// The setting with the authorities of devices.
const CLIENT_CA: &str = "tls.client_ca";
/// Shortest RSA key of a device in bits.
const MIN_RSA_BITS: u32 = 2_048;

/// Files of a certificate with its chain and of its key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// Certificate and chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// The TLS context that new connections use.
pub type Live = Renewed<SslContext>;

/// Who the server is.
pub struct Identity {
    /// Its certificates, at most one of each kind of key.
    pub pairs: Vec<KeyPair>,
    /// The authority to trust as PEM, if known.
    pub authority: Option<String>,
}

/// What the listener for devices negotiates.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Versions and suites.
    pub policy: TlsPolicy,
    /// The server's certificates.
    pub pairs: Vec<KeyPair>,
    /// Whether devices are asked for certificates.
    pub clients: ClientCertificates,
    /// PEM file with the authorities of devices.
    pub client_ca: Option<PathBuf>,
    /// PEM file with their revocation lists.
    pub client_crl: Option<PathBuf>,
}

impl Settings {
    /// All files that the settings name.
    fn files(&self) -> Vec<PathBuf> {
        let pairs = self.pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
        pairs.chain(&self.client_ca).chain(&self.client_crl).cloned().collect()
    }
}

/// The TLS context of the device listener; devices may use the pre-shared keys that `keys` knows.
///
/// # Errors
/// When certificate and key cannot be read or do not fit together.
pub fn context(settings: &Settings, keys: Option<Arc<Keys>>) -> Result<SslContext, ServerError> {
    let mut builder = offer(settings.policy, &settings.pairs)?;
    ask_for_certificates(&mut builder, settings)?;
    if let Some(keys) = keys {
        keys::use_keys(&mut builder, keys);
    }
    Ok(builder.build())
}

/// The TLS context of a listener for other servers: each is asked for its certificate, and whether it is known is looked at
/// afterwards, where an answer can say so.
///
/// # Errors
/// As [`context`].
fn between_servers(own: &KeyPair) -> Result<SslContext, ServerError> {
    let mut builder = offer(TlsPolicy::Modern, std::slice::from_ref(own))?;
    builder.set_verify_callback(SslVerifyMode::PEER, |_, chain| !chain.current_cert().is_some_and(is_weak));
    Ok(builder.build())
}

/// The same, made anew when the files of the certificate change.
///
/// # Errors
/// As [`context`].
pub fn live_between_servers(own: &KeyPair) -> Result<Arc<Live>, ServerError> {
    let own = own.clone();
    let files = vec![own.certificate.clone(), own.key.clone()];
    Live::new(files, move || between_servers(&own)).map(Arc::new)
}

/// What a side that accepts connections offers.
fn offer(policy: TlsPolicy, pairs: &[KeyPair]) -> Result<SslContextBuilder, ServerError> {
    let mut builder = SslContext::builder(SslMethod::tls_server())?;
    let oldest = match policy {
        TlsPolicy::Modern | TlsPolicy::Oma => SslVersion::TLS1_2,
        TlsPolicy::Legacy => SslVersion::TLS1,
    };
    if policy == TlsPolicy::Legacy {
        // Below 1.2 signatures use SHA-1, which every higher level refuses. What devices sign with is looked at in `is_weak`.
        builder.set_security_level(0);
    }
    builder.set_min_proto_version(Some(oldest))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_3))?;
    builder.set_cipher_list(&cipher_list(|suite| suite.policy <= policy))?;
    builder.set_ciphersuites(TLS13_SUITES)?;
    builder.set_groups_list(GROUPS)?;
    builder.set_tmp_dh(&*Dh::params_from_pem(FFDHE2048)?)?;
    // A write that has to wait is repeated with more in the buffer, which may have moved meanwhile.
    builder
        .set_mode(SslMode::AUTO_RETRY | SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
    // A resumed session would outlive a revoked credential and forget a PSK identity: every connection shakes hands in full.
    builder.set_options(
        SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_TICKET
            | SslOptions::NO_COMPRESSION,
    );
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_num_tickets(0)?;
    builder
        .set_alpn_select_callback(|_, offered| select_next_proto(PROTOCOLS, offered).ok_or(AlpnError::NOACK));
    for pair in pairs {
        load(&mut builder, pair)?;
    }
    Ok(builder)
}

fn fault(what: &'static str, path: &Path) -> impl FnOnce(ErrorStack) -> ServerError {
    let path = path.to_owned();
    move |error| ServerError::Certificate { what, path, problem: error.to_string() }
}

/// Has a side identify itself by a certificate and its key.
///
/// # Errors
/// When they cannot be read or do not fit together.
pub fn load(builder: &mut SslContextBuilder, pair: &KeyPair) -> Result<(), ServerError> {
    builder
        .set_certificate_chain_file(&pair.certificate)
        .map_err(fault("the certificate", &pair.certificate))?;
    builder.set_private_key_file(&pair.key, SslFiletype::PEM).map_err(fault("the private key", &pair.key))?;
    builder
        .check_private_key()
        .map_err(fault("the private key does not belong to the certificate:", &pair.key))
}

/// Has devices asked for a certificate of the configured authorities; one that is not good ends the handshake.
fn ask_for_certificates(builder: &mut SslContextBuilder, settings: &Settings) -> Result<(), ServerError> {
    let mode = match settings.clients {
        ClientCertificates::Off => return Ok(()),
        ClientCertificates::Optional => SslVerifyMode::PEER,
        ClientCertificates::Required => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
    };
    let (client_ca, client_crl) = (settings.client_ca.as_deref(), settings.client_crl.as_deref());
    builder.set_verify_cert_store(authorities(client_ca, client_crl)?)?;
    if let Some(path) = client_ca {
        let names = X509Name::load_client_ca_file(path).map_err(fault(CLIENT_CA, path))?;
        builder.set_client_ca_list(names);
    }
    // To OpenSSL an external key of TLS 1.3 is a session that is resumed, which it takes beside certificates in a named context only.
    builder.set_session_id_context(b"omadm")?;
    builder.set_verify_callback(mode, |valid, chain| {
        let weak = chain.current_cert().is_some_and(is_weak);
        if valid && weak {
            chain.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
        }
        valid && !weak
    });
    Ok(())
}

/// The authorities that give devices their certificates, and what they have revoked.
fn authorities(client_ca: Option<&Path>, client_crl: Option<&Path>) -> Result<X509Store, ServerError> {
    let mut store = X509StoreBuilder::new()?;
    store.set_purpose(X509PurposeId::SSL_CLIENT)?;
    if let Some(path) = client_ca {
        let unread = |source| ServerError::File { what: CLIENT_CA, path: path.to_owned(), source };
        let pem = std::fs::read(path).map_err(unread)?;
        for authority in X509::stack_from_pem(&pem).map_err(fault(CLIENT_CA, path))? {
            store.add_cert(authority).map_err(fault(CLIENT_CA, path))?;
        }
    }
    if let Some(path) = client_crl {
        let what = "tls.client_crl";
        // What the library cannot pass on would end the process.
        if path.to_str().is_none_or(|text| text.contains('\0')) {
            let problem = "the path is not UTF-8".to_owned();
            return Err(ServerError::Certificate { what, path: path.to_owned(), problem });
        }
        let lists = store.add_lookup(X509Lookup::file())?.load_crl_file(path, SslFiletype::PEM);
        lists.map_err(fault(what, path))?;
        store.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
    }
    Ok(store.build())
}

/// Whether a certificate has a key that is too short (`DM 2.0 §9.2.2`), or a signature by a broken digest.
fn is_weak(certificate: &X509Ref) -> bool {
    let short = certificate.public_key().is_ok_and(|key| match key.id() {
        Id::EC => key.bits() < MIN_CURVE_BITS,
        Id::RSA | Id::RSA_PSS => key.bits() < MIN_RSA_BITS,
        _ => false,
    });
    let broken = [Nid::MD5WITHRSAENCRYPTION, Nid::SHA1WITHRSAENCRYPTION, Nid::ECDSA_WITH_SHA1];
    short || broken.contains(&certificate.signature_algorithm().object().nid())
}
