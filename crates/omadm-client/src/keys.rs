//! Keys that accounts hold (`DM 2.0 §12.2, §12.2.1`): who the device is in TLS, towards its server and towards its bootstrap server.

use http::Uri;
use omadm_auth::Secret;
use omadm_mo::{NodeRef, ServerUri, Value};
use openssl::pkey::PKey;
use openssl::x509::X509;

use crate::account::{Peer, leaf};
use crate::transport::TlsIdentity;

/// The leaf of an account as octets.
pub(crate) fn octets<'t>(account: NodeRef<'t>, path: &[&str]) -> Option<&'t [u8]> {
    match leaf(account, path)? {
        Value::Bytes(octets) => Some(octets),
        Value::Text(text) => Some(text.as_bytes()),
        _ => None,
    }
}

/// Where the bootstrap server of an account is: a URI, or only an address.
pub(crate) fn bootstrap_server(account: NodeRef<'_>) -> Option<ServerUri> {
    let Value::Text(text) = leaf(account, &["Auth", "Bootstrap", "ServerURI"])? else { return None };
    let uri = if text.contains("://") { text.clone() } else { format!("https://{text}/") };
    ServerUri::parse(&uri).ok()
}

/// Who the device is towards the bootstrap server at an address, if that is the one of this account.
pub(crate) fn for_bootstrap(account: NodeRef<'_>, at: &Uri) -> Option<TlsIdentity> {
    let known = bootstrap_server(account)?.as_str().parse::<Uri>().ok()?;
    Peer::at(&known, None).filter(|peer| peer.is_home(at))?;
    bootstrap_identity(account)
}

fn bootstrap_identity(account: NodeRef<'_>) -> Option<TlsIdentity> {
    let part = |name| octets(account, &["Auth", "Bootstrap", name]);
    let (client, key) = (part("ClientPubKey")?, Secret::new(part("ClientSecretKey")?.to_vec()));
    match part("SecMode")? {
        [0] | b"PSK" => {
            let identity = std::str::from_utf8(client).ok()?.to_owned();
            Some(TlsIdentity::SharedKey { identity, key })
        }
        _ => Some(TlsIdentity::Certificate {
            certificate: client.to_vec(),
            key,
            server: part("ServerPubKey").map(<[u8]>::to_vec),
        }),
    }
}

/// What has to hold for the keys of an account that a bootstrap brings: a certificate goes with its private key, and a PSK identity
/// is text.
///
/// # Errors
/// A sentence that says what is wrong.
pub(crate) fn check(account: NodeRef<'_>) -> Result<(), String> {
    if octets(account, &["Auth", "Bootstrap", "SecMode"]).is_some() {
        match bootstrap_identity(account) {
            None => return Err("the PSK identity in Auth/Bootstrap is no UTF-8".to_owned()),
            Some(TlsIdentity::Certificate { certificate, key, server }) => {
                pair(&certificate, &key).map_err(|reason| format!("Auth/Bootstrap: {reason}"))?;
                if server.is_none_or(|server| X509::from_der(&server).is_err()) {
                    return Err("ServerPubKey in Auth/Bootstrap is no certificate".to_owned());
                }
            }
            Some(TlsIdentity::SharedKey { .. }) => {}
        }
    }
    let transport = |name| octets(account, &["Auth", "Trsp", name]);
    match transport("Data").zip(transport("Secret")) {
        Some((data, secret)) if X509::from_der(data).is_ok() => {
            pair(data, &Secret::new(secret.to_vec())).map_err(|reason| format!("Auth/Trsp: {reason}"))
        }
        _ => Ok(()),
    }
}

/// A certificate and its private key, both DER.
fn pair(certificate: &[u8], key: &Secret) -> Result<(), &'static str> {
    let certificate = X509::from_der(certificate).map_err(|_| "the certificate of the device is none")?;
    let key =
        PKey::private_key_from_der(key.expose()).map_err(|_| "the private key of the device is none")?;
    let public = certificate.public_key().map_err(|_| "the certificate of the device has no usable key")?;
    if public.public_eq(&key) { Ok(()) } else { Err("the private key is not that of the certificate") }
}
