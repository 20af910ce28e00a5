//! What the client reads from a DM Account before it connects (`DM 2.0 §12.2`).

use std::sync::Arc;

use http::Uri;
use omadm_auth::{BasicCredentials, Secret};
use omadm_mo::{NodeRef, ParameterValues, ServerId, ServerUri, Tree, Value};
use openssl::x509::X509;

use crate::error::ClientError;
use crate::keys;
use crate::transport::TlsIdentity;

/// Address and credentials of a server.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// SrvURI as written.
    pub(crate) uri: String,
    /// Who is at SrvURI, with the credentials of Auth/Trsp.
    pub(crate) peer: Peer,
}

/// Who is at a host and port, and the device's credentials there.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) credentials: Option<BasicCredentials>,
    /// Who the device is there in TLS, if it has keys of its own for that.
    identity: Option<Arc<TlsIdentity>>,
    host: String,
    port: u16,
    https: bool,
}

impl Account {
    /// Reads the account of a server; `parameters` replace those in its SrvURI.
    pub(crate) fn read(
        tree: &Tree,
        server: &ServerId,
        parameters: &ParameterValues,
    ) -> Result<Self, ClientError> {
        let unusable = |reason| ClientError::NoAccount { server: server.clone(), reason };
        let root = tree.account(server).ok_or_else(|| unusable("there is none"))?;
        let Some(Value::Text(uri)) = leaf(root, &["SrvURI"]) else {
            return Err(unusable("it has no SrvURI"));
        };
        // The host may hold parameters, too (`DM 2.0 §6.2`).
        let expanded = ServerUri::parse(uri).map(|uri| uri.expand(parameters));
        let parsed = expanded.ok().and_then(|uri| uri.parse::<Uri>().ok());
        let parsed = parsed.ok_or_else(|| unusable("its SrvURI is no URI"))?;
        let (credentials, identity) = transport_security(root);
        let peer = Peer::at(&parsed, credentials).ok_or_else(|| unusable("its SrvURI names no host"))?;
        Ok(Self { uri: uri.clone(), peer: peer.identified_by(identity) })
    }
}

impl Peer {
    /// The peer at an absolute address; `None` when it names no host.
    pub(crate) fn at(uri: &Uri, credentials: Option<BasicCredentials>) -> Option<Self> {
        let host = uri.host()?.to_ascii_lowercase();
        Some(Self { credentials, identity: None, host, port: port(uri), https: is_https(uri) })
    }

    /// The same with keys for TLS.
    pub(crate) fn identified_by(self, identity: Option<TlsIdentity>) -> Self {
        Self { identity: identity.map(Arc::new), ..self }
    }

    /// Who the device is in TLS: by the keys that it has for that, else, if `shared_key` is wanted, by the secret.
    pub(crate) fn identity(&self, shared_key: bool) -> Option<Arc<TlsIdentity>> {
        let by_secret = || {
            let BasicCredentials { user, password } = self.credentials.as_ref().filter(|_| shared_key)?;
            Some(Arc::new(TlsIdentity::SharedKey { identity: user.clone(), key: password.clone() }))
        };
        self.identity.clone().or_else(by_secret)
    }

    /// Whether an address has the host and the port of the peer: the only place that may learn the device's credentials, and
    /// in a data request its identity. Another port may be another service. `http` counts only if the peer itself is `http`.
    pub(crate) fn is_home(&self, uri: &Uri) -> bool {
        let same_host = uri.host().is_some_and(|host| host.eq_ignore_ascii_case(&self.host));
        same_host && port(uri) == self.port && (is_https(uri) || !self.https)
    }
}

/// Whether the scheme is `https`.
pub(crate) fn is_https(uri: &Uri) -> bool {
    uri.scheme() == Some(&http::uri::Scheme::HTTPS)
}

/// The port, by the scheme if the address names none.
fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if is_https(uri) { 443 } else { 80 })
}

/// Auth/Trsp has no type: Data that is a certificate (DER) goes with its private key, anything else is a user name.
fn transport_security(account: NodeRef<'_>) -> (Option<BasicCredentials>, Option<TlsIdentity>) {
    let octets = |name| keys::octets(account, &["Auth", "Trsp", name]);
    let (Some(data), Some(secret)) = (octets("Data"), octets("Secret")) else { return (None, None) };
    let secret = Secret::new(secret.to_vec());
    if X509::from_der(data).is_ok() {
        let certificate = data.to_vec();
        return (None, Some(TlsIdentity::Certificate { certificate, key: secret, server: None }));
    }
    let user = std::str::from_utf8(data).ok();
    let user = user.filter(|user| !user.contains(':') && !user.chars().any(char::is_control));
    (user.map(|user| BasicCredentials { user: user.to_owned(), password: secret }), None)
}

pub(crate) fn leaf<'t>(node: NodeRef<'t>, path: &[&str]) -> Option<&'t Value> {
    path.iter().try_fold(node, |node, name| node.child(name))?.value()
}
