//! Bootstraps from outside (`DM 2.0 §8`): what secures them (`§9.3`), who has to agree (`§12.2`), and fetching one (`§8.3`).

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Method;
use omadm_auth::{BasicCredentials, gba};
use omadm_codec::media_type::{DMMO_JSON, MediaType};
use omadm_mo::well_known::{DACMO, DMACC};
use omadm_mo::{ChangeSet, Moid, NodeRef, ServerId, ServerUri, Tree, Value};
use omadm_session::dm2::client::Body;

use crate::account::{Peer, is_https};
use crate::client::Client;
use crate::consent::{BootstrapRequest, Consent, Origin, RequestedAccount};
use crate::error::{ClientError, TransportError};
use crate::exchange::{self, Exchange, Identify, Outgoing, Redirects};
use crate::keys;
use crate::transport::Transport;

/// A bootstrap as it reached the device, not looked into yet.
#[derive(Clone, Debug)]
pub struct Received {
    /// How.
    pub origin: Origin,
    /// Media type: `application/dmmo+json`, with `SEC=3GPP_GBA` if the body is protected so (`DM 2.0 §9.3.1.3`).
    pub content_type: String,
    /// The body.
    pub body: Body,
}

impl BootstrapRequest {
    /// Reads what a bootstrap made of a tree that had accounts of `known` servers before.
    pub(crate) fn read(
        origin: Origin,
        tree: &Tree,
        changes: &ChangeSet,
        servers: &[ServerId],
        known: &BTreeSet<ServerId>,
    ) -> Self {
        let changed = changes.entries.iter().filter_map(|(_, instance, _)| instance.as_ref());
        let objects: BTreeSet<&Moid> =
            changed.map(|(moid, _)| moid).filter(|moid| ![DMACC, DACMO].contains(&moid.as_str())).collect();
        let accounts = servers.iter().filter_map(|server| {
            let account = tree.account(server)?;
            let groups = account.child("Perm").into_iter().flat_map(|perm| perm.children());
            Some(RequestedAccount {
                server: server.clone(),
                name: text(account, "Name"),
                uri: text(account, "SrvURI"),
                moids: groups.map(|group| text(group, "MOID")).collect(),
                replaces: known.contains(server),
            })
        });
        Self { origin, accounts: accounts.collect(), objects: objects.into_iter().cloned().collect() }
    }
}

fn text(node: NodeRef<'_>, name: &str) -> String {
    match node.child(name).and_then(|leaf| leaf.value()) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

/// A bootstrap server that the device knows a priori (`DM 2.0 §8.3`).
#[derive(Clone, Debug)]
pub struct BootstrapSource {
    /// Where the bootstrap is; `[DevID]` and its like are replaced (`DM 2.0 §6.2`). Only `https` is used.
    pub uri: ServerUri,
    /// User name and password of the device there.
    pub credentials: Option<BasicCredentials>,
}

impl BootstrapSource {
    /// The bootstrap server of an account (`Auth/Bootstrap/ServerURI`, `DM 2.0 §12.2`); `None` if it names none.
    #[must_use]
    pub fn of_account(tree: &Tree, server: &ServerId) -> Option<Self> {
        let uri = keys::bootstrap_server(tree.account(server)?)?;
        Some(Self { uri, credentials: None })
    }
}

impl<T: Transport> Client<T> {
    /// Installs a bootstrap that reached the device, if it is secured and `consent` agrees: all of it or nothing. Gives its
    /// servers, which have yet to be sent BootstrapComplete.
    ///
    /// # Errors
    /// The `Bootstrap…` variants of [`ClientError`], [`ClientError::Gba`] and [`ClientError::Persist`].
    pub async fn install_received(
        &mut self,
        received: Received,
        consent: &mut impl Consent,
    ) -> Result<Vec<ServerId>, ClientError> {
        let body = self.open(&received)?;
        let request = self.device.examine_bootstrap(received.origin, &body)?;
        consent.decide(&request).await.map_err(ClientError::BootstrapRejected)?;
        self.device.install_bootstrap(&body)
    }

    /// Fetches a bootstrap and installs it as [`Client::install_received`]. Redirects are followed on the same host and port only:
    /// no other server is trusted to bootstrap the device (`DM 2.0 §9.3`). Where the source is the bootstrap server of an account,
    /// both know each other by the keys of its Auth/Bootstrap (`DM 2.0 §9.3.2, §12.2`).
    ///
    /// # Errors
    /// As [`Client::install_received`], and [`ClientError::Transport`] and [`ClientError::NoDeviceId`].
    pub async fn fetch_bootstrap(
        &mut self,
        source: &BootstrapSource,
        consent: &mut impl Consent,
    ) -> Result<Vec<ServerId>, ClientError> {
        let received = self.fetch(source).await?;
        self.install_received(received, consent).await
    }

    async fn fetch(&self, source: &BootstrapSource) -> Result<Received, ClientError> {
        let device_id = self.device.tree().device_id().ok_or(ClientError::NoDeviceId)?;
        let uri = source.uri.expand(&self.config.parameters(&device_id));
        let parsed = exchange::parse(&uri)?;
        if !is_https(&parsed) {
            return Err(ClientError::BootstrapUnsecured { from: Origin::Fetched { uri }.to_string() });
        }
        let peer = Peer::at(&parsed, source.credentials.clone()).ok_or_else(|| TransportError::BadUri {
            uri: uri.clone(),
            reason: "it names no host".to_owned(),
        })?;
        let mut accounts = self.device.tree().accounts();
        let peer =
            peer.identified_by(accounts.find_map(|(_, account)| keys::for_bootstrap(account, &parsed)));
        let mut exchange = Exchange::new(&self.transport, &self.config, &peer, &device_id);
        let reply = exchange
            .send(Outgoing {
                method: Method::GET,
                uri: uri.clone(),
                content_type: None,
                accept: Some(DMMO_JSON.to_owned()),
                body: Bytes::new(),
                identify: Identify::Always,
                redirects: Redirects::AtHome,
                limit: self.device.config.limits.bytes,
            })
            .await?;
        if reply.status != 200 {
            return Err(ClientError::BootstrapStatus { uri, status: reply.status });
        }
        let content_type = reply.content_type.unwrap_or_default();
        Ok(Received { origin: Origin::Fetched { uri }, content_type, body: reply.body })
    }

    /// Takes the protection off.
    fn open(&self, received: &Received) -> Result<Body, ClientError> {
        let unusable = || ClientError::BootstrapType { content_type: received.content_type.clone() };
        let media_type = MediaType::parse(&received.content_type).map_err(|_| unusable())?;
        if media_type.essence != DMMO_JSON {
            return Err(unusable());
        }
        match media_type.parameter("sec") {
            Some(sec) if sec.eq_ignore_ascii_case(gba::SEC) => {
                let push = self.gba.as_deref().ok_or(gba::GbaError::NoKeys)?;
                Ok(gba::open(&received.body, push)?.expose().to_vec().into())
            }
            Some(_) => Err(unusable()),
            None if received.origin.is_secured() => Ok(received.body.clone()),
            None => Err(ClientError::BootstrapUnsecured { from: received.origin.to_string() }),
        }
    }
}
