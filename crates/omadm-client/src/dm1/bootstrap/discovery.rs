//! Bootstraps that the device fetches by HTTPS GET, and how it finds the server for that (`DM 1.3 BOOT §6`).
//!
//! The text of that chapter was not published. Ours: servers of the Bootstrap Config object go before the address on the smartcard, that
//! before the one of the factory, and that of the operator comes last. The device says who it is by the header `OMADM-DevID`, as in
//! DM 2.0.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use omadm_auth::gba::GbaError;
use omadm_auth::{BasicCredentials, Secret};
use omadm_codec::media_type::SYNCML_DM_WBXML;
use omadm_mo::{ServerId, Value};

use super::config_object::BootstrapSettings;
use super::{BootstrapUser, Received};
use crate::client::Client;
use crate::consent::Origin;
use crate::error::{ClientError, TransportError};
use crate::exchange::{AGENT, Exchange, Identify, Outgoing, Redirects, parse};
use crate::peer::{Peer, is_https, leaf};
use crate::transport::{HttpResponse, TlsIdentity, Transport};

/// Longest address in octets.
const MAX_URL: usize = 2_048;
/// Longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);
/// Product token by which a client says that it can do GBA (`TS 24.109 §5.2`).
const GBA_TOKEN: &str = "3gpp-gba";

/// Where a bootstrap is: an `https` address in which `{devid}`, `{mcc}`, `{mnc}` and `{model}` stand for what the device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTemplate(String);

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address of a bootstrap: {reason}")]
pub struct BadUrl {
    text: String,
    reason: String,
}

/// How the device proves to a bootstrap server who it is. The server always proves itself by TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By its certificate, if the transport has one.
    Transport,
    /// By a pre-shared key in TLS.
    SharedKey {
        /// PSK identity.
        identity: String,
        /// The key.
        key: Secret,
    },
    /// By HTTP Basic or HTTP Digest.
    Http {
        /// User and password.
        credentials: BasicCredentials,
        /// Nothing weaker than Digest.
        digest_only: bool,
    },
    /// By HTTP Digest with the keys of a run of GBA (`TS 33.222 §5.3`).
    Gba {
        /// B-TID of the run.
        transaction: String,
    },
}

/// How a bootstrap server was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Finder {
    ConfigObject,
    Smartcard,
    Factory,
    Operator,
}

/// A bootstrap server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where.
    pub url: UrlTemplate,
    /// By what the device is known there.
    pub proof: Proof,
    /// Who says so.
    pub by: Finder,
}

/// Bootstrap servers that a device knows beside those of its Bootstrap Config object.
#[derive(Clone, Debug, Default)]
pub struct KnownServers {
    /// By the smartcard.
    pub smartcard: Option<Source>,
    /// From the factory.
    pub factory: Option<Source>,
    /// By what the operator is.
    pub operator: Option<Source>,
}

/// Why there is no bootstrap.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No server is known, or none has a bootstrap for this device.
    #[error("no bootstrap server has anything for this device")]
    Nothing,
    /// A server does not want this device.
    #[error("{uri} answered {status}: it does not take this device")]
    Refused {
        /// Where.
        uri: String,
        /// HTTP status, 401 or 403.
        status: u16,
    },
    /// Servers could not be reached, or have no time.
    #[error("{reason}; it is worth another try later")]
    Later {
        /// What happened last.
        reason: String,
        /// How long a server asked to wait; a day at most.
        after: Option<Duration>,
    },
    /// What was fetched is not installed.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// What a server had.
enum Answer {
    Bootstrap(Received),
    Nothing,
}

impl UrlTemplate {
    /// Reads 1 to 2048 octets.
    ///
    /// # Errors
    /// When it is no `https` address with a host and without credentials, or has another `{…}` in it.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let bad = |reason: String| BadUrl { text: text.chars().take(80).collect(), reason };
        if text.len() > MAX_URL {
            return Err(bad(format!("it is longer than {MAX_URL} octets")));
        }
        let template = Self(text.to_owned());
        // A digit is at home everywhere in an address.
        let example = template.fill(|_| Some("1".to_owned())).map_err(bad)?;
        let uri = parse(&example).map_err(|error| bad(error.to_string()))?;
        if is_https(&uri) { Ok(template) } else { Err(bad("it is not https".to_owned())) }
    }

    /// The address for a device; `None` if it lacks something.
    fn expand(&self, values: impl Fn(&str) -> Option<String>) -> Option<String> {
        self.fill(values).ok()
    }

    fn fill(&self, values: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("a { has no }")?;
            if !["devid", "mcc", "mnc", "model"].contains(&name) {
                return Err(format!(
                    "nothing is known of {{{name}}}; there are {{devid}}, {{mcc}}, {{mnc}} and {{model}}"
                ));
            }
            let value = values(name).ok_or_else(|| format!("this device has no {name}"))?;
            filled.push_str(before);
            escape(&value, &mut filled);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// Octets that are not unreserved in a URI are percent-encoded.
fn escape(value: &str, out: &mut String) {
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: Transport> Client<T> {
    /// The bootstrap servers of this device, the first first.
    #[must_use]
    pub fn dm1_bootstrap_servers(&self, known: &KnownServers) -> Vec<Source> {
        let settings = BootstrapSettings::of(self.device.tree());
        let KnownServers { smartcard, factory, operator } = known;
        let smartcard = smartcard.iter().filter(|_| settings.smartcard);
        settings.servers.into_iter().chain(smartcard.chain(factory).chain(operator).cloned()).collect()
    }

    /// Fetches a bootstrap from the first of these servers that has one, and installs it. A server that cannot be reached or has none
    /// (404, 410) is passed over; one that refuses the device, or has no time, ends the search. What came of it is written down in the
    /// Bootstrap Config object. Gives the servers that the device has an account of now.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch_dm1_bootstrap(
        &mut self,
        sources: &[Source],
        user: &mut impl BootstrapUser,
    ) -> Result<Vec<ServerId>, FetchError> {
        let outcome = self.search(sources, user).await;
        let result = match &outcome {
            Ok(servers) => {
                let servers: Vec<&str> = servers.iter().map(ServerId::as_str).collect();
                format!("installed: {}", servers.join(", "))
            }
            Err(error) => error.to_string(),
        };
        // What is installed is installed, also where there is no room for this.
        if let Err(error) = self.device.note_dm1_bootstrap(&result) {
            tracing::warn!("what came of the search for a bootstrap is not written down: {error}");
        }
        outcome
    }

    async fn search(
        &mut self,
        sources: &[Source],
        user: &mut impl BootstrapUser,
    ) -> Result<Vec<ServerId>, FetchError> {
        let mut outcome = FetchError::Nothing;
        for source in sources {
            match self.ask(source).await {
                Ok(Answer::Bootstrap(received)) => {
                    return Ok(self.install_dm1_bootstrap(received, user).await?);
                }
                Ok(Answer::Nothing) => {}
                Err(FetchError::Client(ClientError::Transport(error))) => {
                    outcome = FetchError::Later { reason: error.to_string(), after: None };
                }
                Err(error) => return Err(error),
            }
        }
        Err(outcome)
    }

    /// Asks one server.
    async fn ask(&self, source: &Source) -> Result<Answer, FetchError> {
        let device_id = self.device.dm1_device_id().ok_or(ClientError::NoDeviceId)?;
        let known = &self.config.parameters;
        let values = |name: &str| match name {
            "mcc" => known.mcc.clone(),
            "mnc" => known.mnc.clone(),
            "model" => match leaf(self.device.tree().root(), &["DevInfo", "Mod"]) {
                Some(Value::Text(model)) => Some(model.clone()),
                _ => None,
            },
            _ => Some(device_id.as_str().to_owned()),
        };
        let Some(uri) = source.url.expand(values) else {
            tracing::debug!(url = %source.url, "the device lacks something that the address of a bootstrap needs");
            return Ok(Answer::Nothing);
        };
        let parsed = parse(&uri).map_err(ClientError::from)?;
        let peer = self.at_server(&parsed, &source.proof)?;
        let mut exchange = Exchange::new(&self.transport, &self.config, &peer, &device_id);
        let outgoing = Outgoing {
            method: Method::GET,
            uri: uri.clone(),
            content_type: None,
            accept: Some(SYNCML_DM_WBXML.to_owned()),
            body: Bytes::new(),
            identify: Identify::Always,
            redirects: Redirects::Secured,
            limit: self.config.dm1_bootstrap.max_size,
        };
        let mut headers = HeaderMap::new();
        if let Proof::Gba { .. } = source.proof {
            let agent = format!("{} {GBA_TOKEN}", AGENT.to_str().unwrap_or_default());
            headers.extend(HeaderValue::from_str(&agent).map(|agent| (USER_AGENT, agent)));
        }
        let response = exchange.send_with(outgoing, headers).await.map_err(ClientError::from)?;
        judge(uri, source.by, response)
    }

    fn at_server(&self, uri: &Uri, proof: &Proof) -> Result<Peer, ClientError> {
        let nameless =
            || TransportError::BadUri { uri: uri.to_string(), reason: "it names no host".to_owned() };
        let at = |credentials| Peer::at(uri, credentials).ok_or_else(nameless);
        Ok(match proof {
            Proof::Transport => at(None)?,
            Proof::SharedKey { identity, key } => at(None)?
                .identified_by(Some(TlsIdentity::SharedKey { identity: identity.clone(), key: key.clone() })),
            Proof::Http { credentials, digest_only } => {
                at(Some(credentials.clone()))?.by_digest(*digest_only)
            }
            Proof::Gba { transaction } => {
                let key = self.gba.as_deref().and_then(|gba| gba.key(transaction));
                let key = key.ok_or(GbaError::NoKeys)?;
                let password = Secret::new(STANDARD.encode(key.expose()).into_bytes());
                at(Some(BasicCredentials { user: transaction.clone(), password }))?.by_digest(true)
            }
        })
    }
}

/// What an answer means.
fn judge(uri: String, by: Finder, response: HttpResponse) -> Result<Answer, FetchError> {
    let status = response.status;
    let header = |name| response.headers.get(name).and_then(|value| value.to_str().ok());
    match status {
        StatusCode::OK => {
            let content_type = header(CONTENT_TYPE).unwrap_or_default().to_owned();
            let origin = match by {
                Finder::Smartcard => Origin::CardServer { uri },
                Finder::ConfigObject | Finder::Factory | Finder::Operator => Origin::Fetched { uri },
            };
            Ok(Answer::Bootstrap(Received { content_type, body: response.body, origin }))
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Answer::Nothing),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(FetchError::Refused { uri, status: status.as_u16() })
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let seconds = header(RETRY_AFTER).and_then(|after| after.trim().parse().ok());
            let after = seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
            Err(FetchError::Later { reason: format!("{uri} answered {}", status.as_u16()), after })
        }
        other => Err(FetchError::Later { reason: format!("{uri} answered {}", other.as_u16()), after: None }),
    }
}
