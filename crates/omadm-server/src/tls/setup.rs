//! From configuration to TLS.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use omadm_auth::TlsPolicy;
use omadm_store::Store;

use super::{Identity, KeyPair, Keys, Kind, Live, Settings, context, trial_identity};
use crate::ServerError;
use crate::config::{Config, DeviceSection};
use crate::guard::Guard;

/// TLS towards devices.
pub struct Transport {
    /// What new connections use; `None` if TLS is not spoken.
    pub live: Option<Arc<Live>>,
    /// The server's first certificate with its key.
    pub identity: Option<KeyPair>,
    /// The authority that devices have to trust, as PEM, if it is known.
    pub authority: Option<String>,
}

/// TLS towards devices, as the configuration has it.
///
/// # Errors
/// When certificates and keys cannot be made or used.
pub fn transport(
    config: &Config,
    public_url: &str,
    store: &Arc<dyn Store>,
    guard: &Arc<Guard>,
) -> Result<Transport, ServerError> {
    let Config { device, tls, auth, .. } = config;
    if device.plain_http {
        tracing::warn!(
            "device.plain_http is on: everyone on the way reads the devices' credentials and data"
        );
        return Ok(Transport { live: None, identity: None, authority: None });
    }
    if tls.policy == TlsPolicy::Legacy {
        tracing::warn!("tls.policy is legacy: TLS 1.0 and 1.1 are spoken, whose digests are broken");
    }
    let pair = |certificate: &Option<_>, key: &Option<_>| {
        certificate.clone().zip(key.clone()).map(|(certificate, key)| KeyPair { certificate, key })
    };
    let identity = match pair(&device.certificate, &device.key) {
        Some(first) => Identity {
            pairs: [Some(first), pair(&tls.second_certificate, &tls.second_key)]
                .into_iter()
                .flatten()
                .collect(),
            authority: device.authority.as_deref().map(read_authority).transpose()?,
        },
        None => {
            let kinds = match tls.policy {
                TlsPolicy::Modern => &[Kind::Ecdsa][..],
                TlsPolicy::Oma | TlsPolicy::Legacy => &[Kind::Ecdsa, Kind::Rsa],
            };
            trial_identity(&config.server.data_dir.join("tls"), &names(device, public_url), kinds)?
        }
    };
    let keys = if auth.psk { Some(Arc::new(Keys::start(store.clone(), guard.clone())?)) } else { None };
    let settings = Settings {
        policy: tls.policy,
        pairs: identity.pairs,
        clients: tls.client_certificates,
        client_ca: tls.client_ca.clone(),
        client_crl: tls.client_crl.clone(),
    };
    let first = settings.pairs.first().cloned();
    let live = Live::new(settings.files(), move || context(&settings, keys.clone()))?;
    Ok(Transport { live: Some(Arc::new(live)), identity: first, authority: identity.authority })
}

fn read_authority(path: &Path) -> Result<String, ServerError> {
    std::fs::read_to_string(path).map_err(|source| ServerError::File {
        what: "device.authority",
        path: path.to_owned(),
        source,
    })
}

/// Names that a trial certificate has to hold for.
fn names(device: &DeviceSection, public_url: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let host = public_url.parse::<http::Uri>().ok();
    let host = host.as_ref().and_then(http::Uri::host).map(|host| host.trim_matches(['[', ']']));
    names.extend(host.map(str::to_owned));
    if !device.listen.ip().is_unspecified() {
        names.insert(device.listen.ip().to_string());
    }
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = machine.trim();
    let is_dns_name = |name: &str| {
        !name.is_empty()
            && name.parse::<IpAddr>().is_err()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    };
    if is_dns_name(machine) {
        names.insert(machine.to_owned());
    }
    names
}
