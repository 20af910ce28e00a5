//! What a bootstrap of this server says (`DM 2.0 §8.5, §12.2`; that of DM 1.x is in [`dm1`]), and sending one to a device (`§8.4`).

pub mod dm1;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use omadm_auth::bootstrap::Profile;
use omadm_auth::{Secret, StoredCredential, gba};
use omadm_codec::dm2::{MoItem, mo_data};
use omadm_codec::media_type::DMMO_JSON;
use omadm_codec::wsp::{MAX_PUSH, Media, Token};
use omadm_mo::{AddressError, Content, NodeName, Value, well_known};
use omadm_session::dm1::bootstrap::ContentType;

use crate::config::BootstrapSection;
use crate::context::Context;
use crate::ddfs::DMACC_FILE;
use crate::device;
use crate::notifier::{self, address::PushAddress};
use crate::outgoing::{self, causes};
use crate::tls::KeyPair;

/// Octets of what a device says to a bootstrap that it does not take.
const MAX_SAID: usize = 1 << 10;
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

/// Where a device takes bootstraps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Over TLS, which protects them (`DM 2.0 §9.3.1.1`).
    Tls(Uri),
    /// In a WAP push, which does not: only those under the keys of GBA Push can go that way (`DM 2.0 §9.3.1.3`).
    Push(PushAddress),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_url = text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
        if is_url {
            let target: Uri = text.parse().map_err(|error| format!("{text:?} is no URL: {error}"))?;
            return Ok(Self::Tls(target));
        }
        match text.parse() {
            Ok(PushAddress::Cloud(_)) => {
                Err("a cloud service carries notifications, no bootstraps".to_owned())
            }
            Ok(address) => Ok(Self::Push(address)),
            Err(problem) => Err(format!(
                "a bootstrap goes over TLS only, or secured in a push; {text:?} is neither an https URL nor a push address: {problem}"
            )),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(uri) => uri.fmt(f),
            Self::Push(address) => address.fmt(f),
        }
    }
}

/// A bootstrap as it goes to the device.
pub struct Outgoing {
    /// The bootstrap itself, or what it is under the keys of GBA Push.
    pub body: Secret,
    /// Its media type as HTTP writes it.
    content_type: String,
    /// The same in a push; none if it can go in none.
    media: Option<Media>,
    /// Whether a push names the DM application beside the media type.
    application: bool,
}

impl Outgoing {
    /// MO data of DM 2.0, under the keys of GBA Push or as they are.
    pub fn mo_data(body: Secret, protected: bool) -> Self {
        let secured = format!("{DMMO_JSON}; SEC={}", gba::SEC);
        let content_type = if protected { secured } else { DMMO_JSON.to_owned() };
        Self { body, content_type, media: protected_media().filter(|_| protected), application: true }
    }

    /// A bootstrap of DM 1.x. The media type of a provisioning document alone says where it goes.
    pub fn dm1(body: Secret, content: &ContentType) -> Self {
        Self {
            body,
            content_type: content.to_string(),
            media: content.method.map(|_| content.media()),
            application: content.profile == Profile::Dm,
        }
    }

    /// Whether it is short enough for that way, as far as that can be said before it goes.
    ///
    /// # Errors
    /// A sentence with both lengths.
    pub fn check_length(&self, to: &Target) -> Result<(), String> {
        let length = self.body.expose().len();
        match to {
            Target::Push(_) if length > MAX_PUSH => Err(format!(
                "the bootstrap has {length} octets, and a push {MAX_PUSH} at most; give it a shorter name, or have the device fetch it"
            )),
            Target::Push(_) | Target::Tls(_) => Ok(()),
        }
    }
}

/// Hands a bootstrap to a device; gives what the way says of it, for people.
///
/// # Errors
/// A sentence that says why the device did not take it, or why it could not be sent. Of a push nobody hears what became of it.
pub async fn send(context: &Context, to: &Target, bootstrap: &Outgoing) -> Result<String, String> {
    let settings = &context.config.bootstrap;
    let sending = async {
        match (to, &context.identity) {
            (Target::Tls(uri), Some(own)) => post(uri, settings, own, bootstrap).await,
            (Target::Tls(_), None) => Err(NO_CERTIFICATE.to_owned()),
            (Target::Push(address), _) => {
                let media = bootstrap.media.clone().ok_or(UNPROTECTED)?;
                let (application, body) = (bootstrap.application, bootstrap.body.expose());
                let content = notifier::Content { application, ..notifier::Content::for_dm(media, body) };
                let carried = context.notifier.carrier.carry(address, &content).await;
                carried.map_err(|failed| failed.reason)
            }
        }
    };
    let time = settings.send_timeout.0;
    let late = |_| format!("it did not answer within {} s (bootstrap.send_timeout)", time.as_secs());
    tokio::time::timeout(time, sending).await.map_err(late)?
}

/// Why a server that speaks no TLS cannot send over it.
pub const NO_CERTIFICATE: &str =
    "this server has no certificate to show to a device, since device.plain_http is on";
/// Why a bootstrap does not go in a push as it is.
pub const UNPROTECTED: &str =
    "a push protects nothing; give the keys of GBA Push (gba), or for DM 1.x say how to secure it (sec)";

fn protected_media() -> Option<Media> {
    let parameter = (Token::new("SEC")?, Token::new(gba::SEC)?);
    Some(Media::text(Token::new(DMMO_JSON)?, &[parameter]))
}

/// HTTPS POST, both sides with their certificates (`DM 2.0 §8.4, §9.3.2`). The files are read for each, so that new certificates are
/// used without a restart.
async fn post(
    to: &Uri,
    settings: &BootstrapSection,
    own: &KeyPair,
    bootstrap: &Outgoing,
) -> Result<String, String> {
    let connector = outgoing::mutual(settings.ca_file.as_deref(), "bootstrap.ca_file", own);
    let connector = connector.map_err(|error| error.to_string())?;
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let body = Full::new(Bytes::copy_from_slice(bootstrap.body.expose()));
    let request = Request::post(to).header(CONTENT_TYPE, &bootstrap.content_type).body(body);
    let request = request.map_err(|error| error.to_string())?;
    let response = client.request(request).await.map_err(|error| causes(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(format!("it answered {status}"));
    }
    let said = Limited::new(response.into_body(), MAX_SAID).collect().await;
    let said = said.map(|said| said.to_bytes()).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).trim().replace(char::is_control, " ");
    Err(if said.is_empty() {
        format!("it answered {status}")
    } else {
        format!("it answered {status}: {said}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bootstrap_is_sent_over_tls_or_in_a_push() {
        let target = |text: &str| text.parse::<Target>();
        for good in ["https://device.example:9443/bootstrap", "udp:10.0.0.1:2948", "sms:+46701"] {
            assert_eq!(target(good).map(|target| target.to_string()), Ok(good.to_owned()));
        }
        for bad in ["http://device.example/", "HTTPS:", "device.example", "/bootstrap", "cloud:x", "udp:", ""]
        {
            assert!(target(bad).is_err(), "{bad:?}");
        }
    }
}
