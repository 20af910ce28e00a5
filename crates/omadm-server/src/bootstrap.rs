//! What a bootstrap of this server says (`DM 2.0 §8.5, §12.2`), and sending one to a device (`§8.4`).

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use omadm_auth::{Secret, StoredCredential};
use omadm_codec::dm2::{MoItem, mo_data};
use omadm_mo::{AddressError, Content, NodeName, Value, well_known};

use crate::context::Context;
use crate::ddfs::DMACC_FILE;
use crate::device;
use crate::outgoing::{self, causes};
use crate::tls::KeyPair;

/// Longest time for handing a bootstrap to a device.
const TIME: Duration = Duration::from_secs(30);
/// SecMode of pre-shared keys (`DM 2.0 §12.2.1`).
const PRE_SHARED_KEY: u8 = 0;

/// The device that a bootstrap is for, as far as the account depends on it.
pub struct Holder<'a> {
    /// Its user name and secret; none if it has a certificate of its own instead.
    pub login: Option<(&'a str, &'a Secret)>,
    /// What is kept of its secret; empty if nothing is.
    pub verifier: &'a [u8],
}

/// MO data with the DM account of this server on a device.
///
/// # Errors
/// When a name cannot be one of a node.
pub fn mo_data_of(
    context: &Context,
    holder: &Holder<'_>,
    moids: &[String],
    name: &str,
) -> Result<Secret, AddressError> {
    let item = MoItem {
        ddf: Some(format!("{}/ddf/{DMACC_FILE}", context.public_url)),
        // A new instance; the label proposes its MIID.
        client_uri: format!("{}//", well_known::DMACC),
        cv: None,
        label: context.config.server.id.clone(),
        content: account(context, holder, moids, name)?,
    };
    let mut octets = Vec::new();
    mo_data::encode(&[item], &mut octets);
    Ok(Secret::new(octets))
}

/// The DM account of this server (`DM 2.0 §12.2`).
fn account(
    context: &Context,
    holder: &Holder<'_>,
    moids: &[String],
    name: &str,
) -> Result<Content, AddressError> {
    let permissions = moids
        .iter()
        .zip(1..)
        .map(|(moid, number)| {
            Ok((NodeName::parse(&i32::to_string(&number))?, interior([("MOID", text(moid))])?))
        })
        .collect::<Result<_, AddressError>>()?;
    let mut account = vec![
        ("SrvID", text(&context.config.server.id)),
        ("SrvURI", text(&context.device_uri())),
        ("Name", text(name)),
        ("Perm", Content::Interior(permissions)),
    ];
    let auth = keys(context, holder)?;
    if !auth.is_empty() {
        account.push(("Auth", interior(auth)?));
    }
    if let Some(sender) = &context.config.cloud.sender_id {
        account.push(("Push", interior([("GCM", cloud(context, sender)?)])?));
    }
    interior(account)
}

/// The keys of an account: for sessions, for notifications, and for the next bootstrap.
fn keys(context: &Context, holder: &Holder<'_>) -> Result<Vec<(&'static str, Content)>, AddressError> {
    let stored = StoredCredential::read(holder.verifier);
    let mut keys = Vec::new();
    if let Some((user, secret)) = holder.login {
        let transport = [("Data", octets(user.as_bytes())), ("Secret", octets(secret.expose()))];
        keys.push(("Trsp", interior(transport)?));
    }
    if let Some(credentials) = stored.and_then(|stored| stored.notification()) {
        let notification = [
            // SHA-256, the only one there is.
            ("Type", Content::Leaf(Value::Int(0))),
            ("Data", octets(credentials.data().expose())),
            ("Secret", octets(credentials.secret().expose())),
        ];
        keys.push(("Noti", interior(notification)?));
    }
    let shared = stored.and_then(|stored| stored.shared_key());
    if let (Some((user, _)), Some(key), true) = (holder.login, shared, context.serves_bootstraps()) {
        let bootstrap = [
            ("ServerURI", text(&context.bootstrap_uri())),
            ("SecMode", octets(&[PRE_SHARED_KEY])),
            ("ClientPubKey", octets(user.as_bytes())),
            ("ServerPubKey", octets(context.config.server.id.as_bytes())),
            ("ClientSecretKey", octets(key.expose())),
        ];
        keys.push(("Bootstrap", interior(bootstrap)?));
    }
    Ok(keys)
}

/// Where the device registers for cloud messaging (`DM 2.0 §12.2, §E.2.3`).
fn cloud(context: &Context, sender: &str) -> Result<Content, AddressError> {
    let at = |path: &str| text(&format!("{}{path}", context.public_url));
    let mut nodes = vec![
        ("SenderID", text(sender)),
        ("RegURI", at(device::REGISTER_PATH)),
        ("UnRegURI", at(device::UNREGISTER_PATH)),
    ];
    nodes
        .extend(context.config.cloud.parameters.as_deref().map(|parameters| ("RegParams", text(parameters))));
    interior(nodes)
}

fn text(text: &str) -> Content {
    Content::Leaf(Value::Text(text.to_owned()))
}

fn octets(octets: &[u8]) -> Content {
    Content::Leaf(Value::Bytes(octets.to_vec()))
}

fn interior<'a>(children: impl IntoIterator<Item = (&'a str, Content)>) -> Result<Content, AddressError> {
    let children = children.into_iter().map(|(name, content)| Ok((NodeName::parse(name)?, content)));
    Ok(Content::Interior(children.collect::<Result<_, AddressError>>()?))
}

/// Where a device takes bootstraps; there is none but over TLS (`DM 2.0 §9.3.1.1`).
///
/// # Errors
/// A sentence that says why it is none.
pub fn target(uri: &str) -> Result<Uri, String> {
    let target: Uri = uri.parse().map_err(|error| format!("{uri:?} is no URL: {error}"))?;
    let secured = target.scheme() == Some(&http::uri::Scheme::HTTPS) && target.host().is_some();
    if secured { Ok(target) } else { Err(format!("{uri:?} is not https: a bootstrap goes over TLS only")) }
}

/// Sends a bootstrap to a device: HTTPS POST, both sides with their certificates (`DM 2.0 §8.4, §9.3.2`). The files are read for each,
/// so that new certificates are used without a restart.
///
/// # Errors
/// A sentence that says why the device did not take it.
pub async fn send(
    to: &Uri,
    ca_file: Option<&Path>,
    own: &KeyPair,
    content_type: &str,
    bootstrap: &Secret,
) -> Result<(), String> {
    let connector = outgoing::mutual(ca_file, "bootstrap.ca_file", own).map_err(|error| error.to_string())?;
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let body = Full::new(Bytes::copy_from_slice(bootstrap.expose()));
    let request = Request::post(to).header(CONTENT_TYPE, content_type).body(body);
    let request = request.map_err(|error| error.to_string())?;
    let response = tokio::time::timeout(TIME, client.request(request)).await;
    let late = |_| format!("it did not answer within {} s", TIME.as_secs());
    let status = response.map_err(late)?.map_err(|error| causes(&error))?.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bootstrap_is_sent_over_tls_only() {
        assert!(target("https://device.example:9443/bootstrap").is_ok());
        for bad in ["http://device.example/", "HTTPS:", "device.example", "/bootstrap", "udp:10.0.0.1", ""] {
            assert!(target(bad).is_err(), "{bad:?}");
        }
    }
}
