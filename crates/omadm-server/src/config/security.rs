//! `[tls]` and `[auth]`: how devices and the server know each other (`DM 2.0 §9.2`).

use std::path::PathBuf;

use omadm_auth::TlsPolicy;
use omadm_auth::digest::Hash;
use omadm_config::Span;
use serde::{Deserialize, Serialize};

/// `[tls]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSection {
    /// `modern` (TLS 1.2 and later with forward secrecy and authenticated encryption), `oma` (all suites of `DM 2.0 §9.2.2` over TLS
    /// 1.2 beside), or `legacy` (TLS 1.0 and 1.1 beside).
    pub policy: TlsPolicy,
    /// PEM file with a second certificate and its chain, of the other kind of key: RSA beside ECDSA. Half of the suites of the standard
    /// need the one, half the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_certificate: Option<PathBuf>,
    /// PEM file with the private key of `second_certificate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_key: Option<PathBuf>,
    /// Whether devices are asked for a certificate: `off`, `optional` (one that is not good ends the handshake), or `required` (as
    /// `optional`, and only a pre-shared key does instead).
    pub client_certificates: ClientCertificates,
    /// PEM file with the authorities that give devices their certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// PEM file with their revocation lists, one of each authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_crl: Option<PathBuf>,
    /// How often the files of certificates, keys and revocation lists are looked at; what has changed counts for new connections.
    pub reload_interval: Span,
}

/// Whether devices are asked for certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum ClientCertificates {
    #[default]
    Off,
    Optional,
    Required,
}

/// `[auth]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSection {
    /// Accept HTTP Basic.
    pub basic: bool,
    /// Digests of HTTP Digest, in the order in which they are offered: `SHA-256`, `SHA-512-256`, and `MD5`, which is weak and only used if
    /// it stands here.
    pub digest: Vec<Hash>,
    /// Accept pre-shared keys in TLS, of devices that were enrolled for it.
    pub psk: bool,
    /// File with the key of nonces, 32 octets or more. Default: `auth.key` in `data_dir`, made if it is missing. Nodes behind one address
    /// need the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// How long a nonce of HTTP Digest is good for.
    pub nonce_lifetime: Span,
    /// Most nonces whose uses are remembered; with more in use, the oldest are stale.
    pub nonces: usize,
    /// Failed logins of one user in a row until further ones have to wait: one second, then twice as long each time.
    pub user_failures: u32,
    /// The same for all failed logins from one address (IPv6: one /64).
    pub source_failures: u32,
    /// Longest such wait; after as long without a failure, everything is forgotten.
    pub max_delay: Span,
}

impl Default for TlsSection {
    fn default() -> Self {
        Self {
            policy: TlsPolicy::default(),
            second_certificate: None,
            second_key: None,
            client_certificates: ClientCertificates::default(),
            client_ca: None,
            client_crl: None,
            reload_interval: Span::secs(10),
        }
    }
}

impl Default for AuthSection {
    fn default() -> Self {
        Self {
            basic: true,
            digest: vec![Hash::Sha256, Hash::Sha512_256],
            psk: true,
            key_file: None,
            nonce_lifetime: Span::secs(300),
            nonces: 65_536,
            user_failures: 10,
            source_failures: 100,
            max_delay: Span::secs(300),
        }
    }
}
