//! A virtual device: the real client engine over a tree in memory.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use omadm_client::dm1::{AccountSettings, AuthType, CredentialSettings, Encoding, Start, Version};
use omadm_client::{
    Client, ClientConfig, ClientError, Device, DeviceConfig, Grant, Grantee, Outcome, PluginError, Transport,
    Trigger, Volatile, dm1,
};
use omadm_codec::dm2::{MoItem, mo_data};
use omadm_mo::ddf::Catalogue;
use omadm_mo::{AddressError, Content, Moid, NodeName, Rights, ServerId, Value, well_known};

use super::enrolment::Enrolled;
use super::objects::{DDF_BASE, plugins, readable};
use crate::failure::Failure;

/// What the devices speak.
#[derive(Clone, Copy, Debug)]
pub enum Speech {
    /// DM 2.0.
    Dm2,
    /// DM 1.x.
    Dm1 {
        /// The newest version that they know.
        version: Version,
        /// Of their messages.
        encoding: Encoding,
    },
}

/// The server that the devices are bootstrapped for.
#[derive(Clone)]
pub struct Account {
    /// ServerID.
    pub server: ServerId,
    /// Where it is; `None` where each device is told when it is enrolled.
    pub uri: Option<String>,
}

/// What a session came to.
pub struct Ended {
    /// Messages that the device sent.
    pub messages: u32,
    /// Why it ended early, if it did.
    pub trouble: Option<Trouble>,
}

/// Why a session ended early.
pub enum Trouble {
    /// The server has no time for it, and said when to come again.
    Refused(Duration),
    /// Nobody answered the first message.
    Unreached(String),
    /// It was under way.
    Broken(String),
}

impl Trouble {
    /// Of a session that was aborted; `heard` says whether anything was answered.
    fn of(reason: String, heard: bool, retry_after: Option<Duration>, messages: u32) -> Self {
        match retry_after.filter(|_| messages == 1) {
            Some(wait) => Self::Refused(wait),
            None if heard => Self::Broken(reason),
            None => Self::Unreached(reason),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(wait) => write!(f, "the server has no time, come again after {} s", wait.as_secs()),
            Self::Unreached(reason) | Self::Broken(reason) => f.write_str(reason),
        }
    }
}

impl Account {
    /// An account of `server`, at `uri` if that is the same for all devices.
    pub fn new(server: &str, uri: Option<&str>) -> Result<Self, Failure> {
        let server = ServerId::parse(server)
            .map_err(|error| Failure::Failed(format!("the server's identifier cannot be used: {error}")))?;
        Ok(Self { server, uri: uri.map(str::to_owned) })
    }

    /// Where the server is for a device.
    fn uri(&self, device: &Enrolled) -> Result<String, Failure> {
        let uri = self.uri.clone().or_else(|| device.dm1_uri.clone());
        uri.ok_or_else(|| Failure::Failed("the server does not speak DM 1.x (dm1.enabled)".to_owned()))
    }

    /// A factory bootstrap with the credentials of a device (`DM 2.0 §8.5, §12.2`).
    fn bootstrap(&self, device: &Enrolled, uri: &str) -> Result<Vec<u8>, AddressError> {
        let octets = |text: &str| Content::Leaf(Value::Bytes(text.as_bytes().to_vec()));
        let content = interior([
            ("SrvID", text(self.server.as_str())),
            ("SrvURI", text(uri)),
            ("Name", text("omadm sim")),
            ("Perm", interior([("1", interior([("MOID", text("*"))])?)])?),
            (
                "Auth",
                interior([(
                    "Trsp",
                    interior([("Data", octets(&device.user)), ("Secret", octets(&device.secret))])?,
                )])?,
            ),
        ])?;
        let item = MoItem {
            ddf: Some(format!("{DDF_BASE}dm_dmacc-v1_2.ddf")),
            client_uri: format!("{}//", well_known::DMACC),
            cv: None,
            label: "account".to_owned(),
            content,
        };
        let mut body = Vec::new();
        mo_data::encode(&[item], &mut body);
        Ok(body)
    }

    /// A DM 1.x account with the credentials of a device; the server is known by TLS.
    fn settings(
        &self,
        device: &Enrolled,
        uri: &str,
        version: Version,
        encoding: Encoding,
    ) -> AccountSettings {
        AccountSettings {
            server_id: self.server.to_string(),
            name: "omadm sim".to_owned(),
            addresses: vec![uri.to_owned()],
            preferred: None,
            client: Some(CredentialSettings {
                auth_type: AuthType::Sha256,
                user: device.user.clone(),
                password: device.secret.to_string(),
                nonce: String::new(),
            }),
            server: None,
            notification: None,
            http: None,
            obex: None,
            version: Some(version),
            encoding,
        }
    }
}

/// What all virtual devices share.
pub struct Model {
    catalogue: Arc<Catalogue>,
    speech: Speech,
    readable: Vec<Moid>,
}

impl Model {
    /// Reads the DDF files.
    pub fn new(speech: Speech) -> Result<Self, Failure> {
        let failure =
            |error: String| Failure::Failed(format!("the virtual devices cannot be built: {error}"));
        let catalogue =
            Device::catalogue_of(&plugins(speech, "SIM:0")).map_err(|error| failure(error.to_string()))?;
        let readable = readable(speech).iter().map(|moid| Moid::parse(moid)).collect::<Result<_, _>>();
        Ok(Self { catalogue, speech, readable: readable.map_err(|error| failure(error.to_string()))? })
    }

    /// A bootstrapped device on a transport that it shares with the others.
    pub fn client<T: Transport>(
        &self,
        device: &Enrolled,
        account: &Account,
        transport: T,
        sessions: dm1::SessionConfig,
    ) -> Result<Client<T>, Failure> {
        let uri = account.uri(device)?;
        let built = self.device(device, account, &uri);
        let built = built.map_err(|error| Failure::Failed(format!("cannot build {}: {error}", device.id)))?;
        // Who lets the fleet talk without TLS has a server that asks for credentials all the same.
        let plain_http = uri.starts_with("http://");
        let config = ClientConfig {
            plain_http,
            basic_without_tls: plain_http,
            dm1: sessions,
            ..ClientConfig::default()
        };
        Ok(Client::new(built, transport, config))
    }

    fn device(&self, device: &Enrolled, account: &Account, uri: &str) -> Result<Device, ClientError> {
        let grant = |moid: &Moid| Grant {
            moid: moid.clone(),
            path: "/".to_owned(),
            to: Grantee::Bootstrapped,
            rights: Rights::READ,
        };
        let config = DeviceConfig {
            catalogue: Some(Arc::clone(&self.catalogue)),
            grants: self.readable.iter().map(grant).collect(),
            ..DeviceConfig::default()
        };
        let mut built = Device::open(config, plugins(self.speech, &device.id), Box::new(Volatile::new()))?;
        match self.speech {
            Speech::Dm2 => {
                let bootstrap = account.bootstrap(device, uri).map_err(PluginError::from)?;
                built.install_bootstrap(&bootstrap)?;
            }
            Speech::Dm1 { version, encoding } => {
                built.install_dm1_account(&account.settings(device, uri, version, encoding))?;
            }
        }
        Ok(built)
    }
}

/// Runs a session with the server that a device was made for.
pub async fn session<T: Transport>(
    client: &mut Client<T>,
    server: &ServerId,
    speech: Speech,
) -> Result<Ended, ClientError> {
    Ok(match speech {
        Speech::Dm2 => {
            let report = client.run_session(server, Trigger::Client).await?;
            let (messages, wait) = (report.packages, report.retry_after);
            let trouble = match report.outcome {
                Outcome::Ended { .. } => None,
                Outcome::Aborted { reason, http_status, .. } => {
                    let heard = messages > 1 || http_status.is_some();
                    Some(Trouble::of(reason, heard, wait, messages))
                }
            };
            Ended { messages, trouble }
        }
        Speech::Dm1 { .. } => {
            let report = client.run_dm1_session(server, Start::Client).await?;
            let (messages, wait, silent) = (report.messages, report.retry_after, report.notes.is_empty());
            let trouble = match report.outcome {
                dm1::Outcome::Ended { .. } => None,
                dm1::Outcome::Aborted { cause, reason } => {
                    let heard = cause != dm1::Cause::NoReply || !silent;
                    Some(Trouble::of(reason, heard, wait, messages))
                }
            };
            Ended { messages, trouble }
        }
    })
}

fn text(text: &str) -> Content {
    Content::Leaf(Value::Text(text.to_owned()))
}

fn interior<const N: usize>(children: [(&str, Content); N]) -> Result<Content, AddressError> {
    let children = children.into_iter().map(|(name, content)| Ok((NodeName::parse(name)?, content)));
    Ok(Content::Interior(children.collect::<Result<_, _>>()?))
}
