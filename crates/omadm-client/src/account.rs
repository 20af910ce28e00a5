//! What the client reads from a DM Account before it connects (`DM 2.0 §12.2`).

use http::Uri;
use omadm_auth::{BasicCredentials, Secret};
use omadm_mo::{NodeRef, ParameterValues, ServerId, ServerUri, Tree, Value};
use openssl::x509::X509;

use crate::error::ClientError;
use crate::keys;
pub(crate) use crate::peer::{Peer, is_https, leaf};
use crate::transport::TlsIdentity;

/// Address and credentials of a server.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// SrvURI as written.
    pub(crate) uri: String,
    /// Who is at SrvURI, with the credentials of Auth/Trsp.
    pub(crate) peer: Peer,
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
