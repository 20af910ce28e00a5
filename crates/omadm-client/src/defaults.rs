//! Where data comes from that the device does not have: what DEFAULT left (`DM 2.0 §5.3.10`).
//!
//! One ServerURI a MOID, in the key/value area.

use omadm_mo::{ClientUri, Moid, ServerId, ServerUri};
use omadm_session::dm2::client::{Config, EffectResult, Retrieval, RetrievalStep};
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::client::Client;
use crate::device::Device;
use crate::effects::{Host, settled};
use crate::entry;
use crate::error::ClientError;
use crate::exchange::Exchange;
use crate::host::not_kept;
use crate::persistence::Batch;
use crate::session::engine_config;
use crate::transport::Transport;

/// How the keys of the entries begin; the MOID follows.
pub(crate) const PREFIX: &str = "default/";

/// What DEFAULT left for one MOID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultSource {
    /// The server that sent it, to which belongs what is fetched.
    pub server: String,
    /// ServerURI as the server wrote it, parameters not replaced.
    pub uri: String,
}

/// What a local application gets that asks for a management object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// Addresses of its instances.
    pub instances: Vec<ClientUri>,
    /// They had to be fetched.
    pub fetched: bool,
}

impl Device {
    /// What DEFAULT left, by MOID.
    pub fn defaults(&self) -> impl Iterator<Item = (&str, DefaultSource)> {
        self.entries.iter().filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, entry::read(value)?)))
    }

    pub(crate) fn keep_default(&mut self, server: &ServerId, moid: &Moid, uri: &ServerUri) -> EffectResult {
        let source = DefaultSource { server: server.to_string(), uri: uri.as_str().to_owned() };
        let kept = entry::write("a DEFAULT", &source).and_then(|value| {
            let entries = vec![(format!("{PREFIX}{moid}"), Some(value))];
            self.append(&Batch { nodes: Vec::new(), entries })
        });
        settled(kept.map_err(|error| not_kept(&error)))
    }

    fn instances(&self, moid: &Moid) -> Vec<ClientUri> {
        let instances = self.tree.instances_of(moid);
        instances.map(|of| ClientUri::concrete(of.moid.clone(), of.miid.clone(), Vec::new())).collect()
    }
}

impl<T: Transport> Client<T> {
    /// For a local application that needs a management object: its instances, which are fetched first from where DEFAULT said if
    /// there are none (`DM 2.0 §5.3.10, I.3`). No server is told how that went.
    ///
    /// # Errors
    /// [`ClientError::NoSource`] when there is neither an instance nor a DEFAULT, [`ClientError::NotFetched`] when it cannot be
    /// fetched or stored, [`ClientError::NoAccount`] and [`ClientError::NoDeviceId`].
    pub async fn provision(&mut self, moid: &Moid) -> Result<Provisioned, ClientError> {
        let instances = self.device.instances(moid);
        if !instances.is_empty() {
            return Ok(Provisioned { instances, fetched: false });
        }
        let (server, uri) = self.source(moid)?;
        let Self { config, device, transport, .. } = self;
        let device_id = device.tree().device_id().ok_or(ClientError::NoDeviceId)?;
        let engine_config = engine_config(config, device, &device_id);
        let account = Account::read(device.tree(), &server, &engine_config.parameters)?;
        let exchange = Exchange::new(transport, config, &account.peer, &device_id);
        let mut host = Host { device, server: &server, exchange, browser: None };
        fetch(&mut host, engine_config, &uri, moid).await?;
        self.device.tidy();
        Ok(Provisioned { instances: self.device.instances(moid), fetched: true })
    }

    fn source(&self, moid: &Moid) -> Result<(ServerId, ServerUri), ClientError> {
        let found = self.device.defaults().find(|(of, _)| *of == moid.as_str());
        let (_, source) = found.ok_or_else(|| ClientError::NoSource { moid: moid.clone() })?;
        let parsed =
            ServerId::parse(&source.server).and_then(|server| Ok((server, ServerUri::parse(&source.uri)?)));
        parsed.map_err(|error| ClientError::NotFetched { moid: moid.clone(), reason: error.to_string() })
    }
}

async fn fetch<T: Transport>(
    host: &mut Host<'_, T>,
    config: Config,
    uri: &ServerUri,
    moid: &Moid,
) -> Result<(), ClientError> {
    let (server, now) = (host.server.clone(), (host.device.config.clock)());
    let (mut retrieval, mut step) =
        Retrieval::start(config, server, uri, moid.clone(), &mut host.device.tree, now);
    loop {
        match step {
            RetrievalStep::Effect(effect) => {
                let result = host.carry_out(effect).await;
                let now = (host.device.config.clock)();
                step = retrieval.resume(&mut host.device.tree, now, result);
            }
            RetrievalStep::Stored(_) => return Ok(()),
            RetrievalStep::Failed { status: _, reason } => {
                return Err(ClientError::NotFetched { moid: moid.clone(), reason });
            }
        }
    }
}
