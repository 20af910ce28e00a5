//! Who is at an address, and what of the device's credentials it may learn.

use std::sync::Arc;

use http::Uri;
use omadm_auth::BasicCredentials;
use omadm_mo::{NodeRef, Value};

use crate::transport::TlsIdentity;

/// Who is at a host and port, and the device's credentials there.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) credentials: Option<BasicCredentials>,
    /// Whether the credentials may go as they are (HTTP Basic).
    pub(crate) basic: bool,
    /// Who the device is there in TLS, if it has keys of its own for that.
    identity: Option<Arc<TlsIdentity>>,
    host: String,
    port: u16,
    https: bool,
}

impl Peer {
    /// The peer at an absolute address; `None` when it names no host.
    pub(crate) fn at(uri: &Uri, credentials: Option<BasicCredentials>) -> Option<Self> {
        let host = uri.host()?.to_ascii_lowercase();
        Some(Self { credentials, basic: true, identity: None, host, port: port(uri), https: is_https(uri) })
    }

    /// The same where the credentials never go as they are: for HTTP Digest only.
    #[cfg(feature = "dm1")]
    pub(crate) fn by_digest(self, only: bool) -> Self {
        Self { basic: self.basic && !only, ..self }
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

/// The value of the leaf at a path below a node.
pub(crate) fn leaf<'t>(node: NodeRef<'t>, path: &[&str]) -> Option<&'t Value> {
    path.iter().try_fold(node, |node, name| node.child(name))?.value()
}
