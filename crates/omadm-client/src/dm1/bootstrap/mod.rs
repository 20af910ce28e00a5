//! Bootstraps of DM 1.x on their way into the tree (`DM 1.3 BOOT §5`, `DM 1.3 SEC §5.10.2`).
//!
//! Two profiles: a provisioning document with an account `w7` (CP profile), and a message that adds objects to the Inbox (DM profile). Nobody
//! is ever answered: that a bootstrap was taken shows in the session that follows.

mod candidate;
pub mod check;
mod config_object;
mod discovery;
mod installation;
mod objects;
mod refused;
mod waiting;

use std::fmt;

use omadm_mo::{Operation, ServerId};
use omadm_session::Body;
use zeroize::Zeroizing;

pub use candidate::{Attempt, Candidate, Verified};
pub use config_object::{BootstrapSettings, ConfigObject, MOID as CONFIG_MOID};
pub use discovery::{BadUrl, FetchError, Finder, KnownServers, Proof, Source, UrlTemplate};
pub use omadm_auth::bootstrap::{Imsi, NetworkSecret};
pub use omadm_codec::media_type::SYNCML_DM_WBXML as MESSAGE_WBXML;
pub use omadm_codec::provisioning::{WBXML_TYPE as PROVISIONING_WBXML, XML_TYPE as PROVISIONING_XML};
pub use refused::Refused;
pub use waiting::{Answered, NotWaiting, Turn, Waiting, WaitingConfig};

use crate::client::Client;
use crate::consent::{Consent, Origin};
use crate::error::ClientError;
use crate::plugin::Refusal;
use crate::transport::Transport;

pub(super) use installation::{forget, reported, server};

/// Settings of bootstraps.
#[derive(Clone, Debug)]
pub struct BootstrapConfig {
    /// How often a user may try a PIN, 0 to 256; 0 takes no bootstrap that needs one. Default 3.
    pub attempts: u16,
    /// Take bootstraps that nothing secures: no `SEC`, and not the way on which they came. Default no.
    pub unsecured: bool,
    /// Take HMAC-SHA1 in the DM profile, as DM 1.2 has it. Default no.
    pub sha1: bool,
    /// Rights that a bootstrap may give by the ACLs in it, and what the server of an account gets that brings none, as far as that is Get,
    /// Replace and Delete (`DM 1.3 BOOT §5`: control of the initial rights). What it gives beyond is left out. Default all.
    pub rights: Vec<InitialRight>,
    /// Most octets of a bootstrap. Default 256 KiB.
    pub max_size: usize,
}

impl Default for BootstrapConfig {
    fn default() -> Self {
        Self {
            attempts: 3,
            unsecured: false,
            sha1: false,
            rights: InitialRight::ALL.to_vec(),
            max_size: 256 << 10,
        }
    }
}

/// A command that an ACL may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum InitialRight {
    Add,
    Delete,
    Exec,
    Get,
    Replace,
}

impl InitialRight {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Add, Self::Delete, Self::Exec, Self::Get, Self::Replace];

    fn operation(self) -> Operation {
        match self {
            Self::Add => Operation::Add,
            Self::Delete => Operation::Delete,
            Self::Exec => Operation::Exec,
            Self::Get => Operation::Get,
            Self::Replace => Operation::Replace,
        }
    }
}

/// A bootstrap of either profile as it reached the device, not looked into yet.
#[derive(Clone)]
pub struct Received {
    /// Media type with the parameters `SEC` and `MAC`.
    pub content_type: String,
    /// The body.
    pub body: Body,
    /// How it came.
    pub origin: Origin,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { content_type, body, origin } = self;
        f.debug_struct("Received")
            .field("content_type", content_type)
            .field("octets", &body.len())
            .field("origin", origin)
            .finish()
    }
}

/// A PIN that a bootstrap needs. What is in the bootstrap is not to be believed yet, so nothing of it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinRequest {
    /// How the bootstrap came.
    pub origin: Origin,
    /// Which try this is, from 1.
    pub attempt: u16,
    /// How many there are.
    pub attempts: u16,
}

/// What becomes of a [`PinRequest`].
#[derive(Clone)]
pub enum PinAnswer {
    /// What the user typed.
    Pin(Zeroizing<String>),
    /// The user does not want the bootstrap.
    Refused,
    /// Nobody was there.
    Nobody,
}

/// The user of a device in the matter of bootstraps: has the PIN, and agrees or not.
pub trait BootstrapUser: Consent {
    /// Asks for a PIN.
    fn pin(&mut self, request: &PinRequest) -> impl Future<Output = PinAnswer> + Send;
}

impl fmt::Debug for PinAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pin(_) => "Pin(..)",
            Self::Refused => "Refused",
            Self::Nobody => "Nobody",
        })
    }
}

impl<T: Transport> Client<T> {
    /// Gives the device what it shares with its network, for bootstraps that are secured by that.
    #[must_use]
    pub fn with_network_secret(self, network: NetworkSecret) -> Self {
        Self { network, ..self }
    }

    /// Installs a bootstrap of DM 1.x that reached the device, if it is authentic and `user` agrees: all of it or nothing, durable when this
    /// returns. Where it needs a PIN, the user is asked as often as the settings say. Gives its servers, with each of which a session
    /// is due.
    ///
    /// # Errors
    /// [`ClientError::Dm1Bootstrap`], [`ClientError::BootstrapRejected`] and [`ClientError::Persist`].
    pub async fn install_dm1_bootstrap(
        &mut self,
        received: Received,
        user: &mut impl BootstrapUser,
    ) -> Result<Vec<ServerId>, ClientError> {
        let candidate = Candidate::read(received, &self.config.dm1_bootstrap)?;
        if self.device.knows_dm1_bootstrap(&candidate) {
            return Err(Refused::Repeated.into());
        }
        let verified = self.prove(&candidate, user).await?;
        self.install_dm1_verified(&verified, user).await
    }

    /// The same for one that is known to be authentic.
    ///
    /// # Errors
    /// As [`Client::install_dm1_bootstrap`].
    pub async fn install_dm1_verified(
        &mut self,
        verified: &Verified,
        consent: &mut impl Consent,
    ) -> Result<Vec<ServerId>, ClientError> {
        let config = &self.config.dm1_bootstrap;
        let request = self.device.examine_dm1_bootstrap(verified, config)?;
        consent.decide(&request).await.map_err(ClientError::BootstrapRejected)?;
        self.device.keep_dm1_bootstrap(verified, config)
    }

    /// Checks a bootstrap once, with what the user typed if it needs a PIN.
    ///
    /// # Errors
    /// [`Refused::NotAuthentic`] and [`Refused::Gba`].
    pub fn verify_dm1_bootstrap(
        &self,
        candidate: &Candidate,
        typed: Option<&str>,
    ) -> Result<Attempt, Refused> {
        candidate.verify(typed, &self.network, self.gba.as_deref(), &self.config.dm1_bootstrap)
    }

    /// Asks for the PIN until it is right, or often enough.
    async fn prove(
        &self,
        candidate: &Candidate,
        user: &mut impl BootstrapUser,
    ) -> Result<Verified, ClientError> {
        if !candidate.needs_pin() {
            return match self.verify_dm1_bootstrap(candidate, None)? {
                Attempt::Verified(verified) => Ok(verified),
                Attempt::WrongPin => Err(Refused::NotAuthentic.into()),
            };
        }
        let attempts = self.config.dm1_bootstrap.attempts;
        for attempt in 1..=attempts {
            let request = PinRequest { origin: candidate.origin().clone(), attempt, attempts };
            let typed = match user.pin(&request).await {
                PinAnswer::Pin(typed) => typed,
                PinAnswer::Refused => return Err(ClientError::BootstrapRejected(refusal())),
                PinAnswer::Nobody => return Err(Refused::NoPin.into()),
            };
            if let Attempt::Verified(verified) = self.verify_dm1_bootstrap(candidate, Some(&typed))? {
                return Ok(verified);
            }
        }
        Err(Refused::NotAuthentic.into())
    }
}

fn refusal() -> Refusal {
    Refusal::new(omadm_codec::StatusCode::USER_REJECTED, "the user gave no PIN")
}
