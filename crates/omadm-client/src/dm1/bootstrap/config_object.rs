//! The Bootstrap Config object (`DM 1.3 BOOT §6.3`): where a device looks for a bootstrap by itself.
//!
//! The names of its nodes were not published; those of `MO_dm_bootconfig-v1_3.ddf` are our reading, and stand there and in [`names`] only.

use std::time::Duration;

use omadm_auth::{BasicCredentials, Secret};
use omadm_codec::StatusCode;
use omadm_mo::dm1::{Dm1Uri, UriLimits};
use omadm_mo::{Change, Content, Miid, Moid, NodeName, NodeRecord, NodeRef, Tree, Value};

use super::discovery::{Finder, Proof, Source, UrlTemplate};
use crate::device::Device;
use crate::error::{ClientError, PluginError};
use crate::peer::leaf;
use crate::plugin::{Changed, ManagementObject, Refusal};

/// MOID of the Bootstrap Config object.
pub const MOID: &str = "urn:oma:mo:oma-dm-bootstrapcfg:1.0";
const MIID: &str = "BootstrapConfig";
/// Everybody may read it. Who may write it, the device has to be told.
const ACL: (&str, &str) = ("./BootstrapConfig?prop=ACL", "Get=*");
/// `RetryInterval` in seconds.
const RETRY: std::ops::RangeInclusive<i64> = 60..=86_400;
/// Longest `LastResult` in characters.
const MAX_RESULT: usize = 255;
/// Most servers that are looked at.
const MAX_SERVERS: usize = 16;

/// The names of its nodes.
mod names {
    pub(super) const ENABLED: &str = "Enabled";
    pub(super) const RETRY_INTERVAL: &str = "RetryInterval";
    pub(super) const SMARTCARD_ENABLED: &str = "SmartcardEnabled";
    pub(super) const LAST_RESULT: &str = "LastResult";
    pub(super) const SERVERS: &str = "BootstrapServer";
    pub(super) const URL: &str = "URL";
    pub(super) const PRIORITY: &str = "Priority";
    pub(super) const AUTH_TYPE: &str = "AuthType";
    pub(super) const AUTH_NAME: &str = "AuthName";
    pub(super) const AUTH_SECRET: &str = "AuthSecret";
}

/// What the Bootstrap Config object of a device says; where there is none, what it says at first.
#[derive(Clone, Debug)]
pub struct BootstrapSettings {
    /// Whether the device may fetch a bootstrap by itself.
    pub enabled: bool,
    /// The first pause after a failure.
    pub retry: Duration,
    /// Whether the URL on the smartcard counts.
    pub smartcard: bool,
    /// Servers, the first first; 16 at most. One that cannot be used is passed over.
    pub servers: Vec<Source>,
}

impl BootstrapSettings {
    /// Reads the object.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        let root = Moid::parse(MOID).ok().and_then(|moid| tree.instances_of(&moid).next()).map(|it| it.root);
        let root = root.and_then(|root| tree.node(root));
        let flag = |name| match root.and_then(|root| leaf(root, &[name])) {
            Some(Value::Bool(flag)) => *flag,
            _ => true,
        };
        let retry = match root.and_then(|root| leaf(root, &[names::RETRY_INTERVAL])) {
            Some(Value::Int(seconds)) => (*seconds).clamp(*RETRY.start(), *RETRY.end()),
            _ => *RETRY.start(),
        };
        let servers = root.and_then(|root| root.child(names::SERVERS));
        let mut servers: Vec<(i64, Source)> =
            servers.into_iter().flat_map(|servers| servers.children()).filter_map(server).collect();
        servers.sort_by_key(|(priority, _)| *priority);
        Self {
            enabled: flag(names::ENABLED),
            retry: Duration::from_secs(retry.unsigned_abs()),
            smartcard: flag(names::SMARTCARD_ENABLED),
            servers: servers.into_iter().map(|(_, source)| source).take(MAX_SERVERS).collect(),
        }
    }
}

fn text(node: NodeRef<'_>, name: &str) -> String {
    match leaf(node, &[name]) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

fn server(node: NodeRef<'_>) -> Option<(i64, Source)> {
    let url = UrlTemplate::parse(&text(node, names::URL)).ok()?;
    let priority = match leaf(node, &[names::PRIORITY]) {
        Some(Value::Int(priority)) => *priority,
        _ => i64::MAX,
    };
    let name = text(node, names::AUTH_NAME);
    let secret = Secret::new(text(node, names::AUTH_SECRET).into_bytes());
    let credentials = |digest_only| {
        let credentials = BasicCredentials { user: name.clone(), password: secret.clone() };
        Proof::Http { credentials, digest_only }
    };
    let proof = match text(node, names::AUTH_TYPE).as_str() {
        "" | "TRANSPORT" => Proof::Transport,
        "PSK" => Proof::SharedKey { identity: name, key: secret },
        "HTTP-BASIC" => credentials(false),
        "HTTP-DIGEST" => credentials(true),
        "3GPP-GBA" => Proof::Gba { transaction: name },
        _ => return None,
    };
    Some((priority, Source { url, proof, by: Finder::ConfigObject }))
}

/// The Bootstrap Config object as a plug-in: there is one, which everybody may read and nobody write until a right to is given.
#[derive(Clone, Debug)]
pub struct ConfigObject {
    ddf: String,
    link: String,
}

impl ConfigObject {
    /// From its DDF file and the link to it.
    #[must_use]
    pub fn new(ddf: impl Into<String>, link: impl Into<String>) -> Self {
        Self { ddf: ddf.into(), link: link.into() }
    }
}

impl ManagementObject for ConfigObject {
    fn ddf(&self) -> &str {
        &self.ddf
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let (moid, miid) = (Moid::parse(MOID)?, Miid::parse(MIID)?);
        if tree.tree().instance(&moid, &miid).is_some() {
            return Ok(());
        }
        let leaves = [
            (names::ENABLED, Value::Bool(true)),
            (names::RETRY_INTERVAL, Value::Int(*RETRY.start())),
            (names::SMARTCARD_ENABLED, Value::Bool(true)),
            (names::LAST_RESULT, Value::Text(String::new())),
        ];
        let leaf = |(name, value)| Ok::<_, PluginError>((NodeName::parse(name)?, Content::Leaf(value)));
        let mut content = leaves.into_iter().map(leaf).collect::<Result<Vec<_>, _>>()?;
        content.push((NodeName::parse(names::SERVERS)?, Content::Interior(Vec::new())));
        tree.create_instance(&moid, &miid, Content::Interior(content))?;
        let (address, acl) = ACL;
        let refused = |error: omadm_mo::dm1::Dm1Error| PluginError::Other(error.to_string());
        let address = Dm1Uri::parse(address, &UriLimits::default(), false).map_err(refused)?;
        tree.dm1_set_property(&address, acl).map_err(refused)
    }

    fn check(&mut self, changed: &Changed<'_>) -> Result<(), Refusal> {
        for node in &changed.nodes {
            let Some(NodeRecord { value: Some(value), .. }) = node.record else { continue };
            let name = node.path.last().map(NodeName::as_str);
            let fault = match (name, value) {
                (Some(names::RETRY_INTERVAL), Value::Int(seconds)) if !RETRY.contains(seconds) => {
                    Some("it has to be 60 to 86400 seconds".to_owned())
                }
                (Some(names::URL), Value::Text(url)) => {
                    UrlTemplate::parse(url).err().map(|error| error.to_string())
                }
                _ => None,
            };
            if let (Some(fault), Some(name)) = (fault, name) {
                return Err(Refusal::new(StatusCode::INTERNAL_ERROR, format!("{name}: {fault}")));
            }
        }
        Ok(())
    }
}

impl Device {
    /// Writes down in the Bootstrap Config object what came of an attempt to fetch a bootstrap; a device without one has no place for
    /// that.
    ///
    /// # Errors
    /// [`ClientError::Change`] and [`ClientError::Persist`].
    pub fn note_dm1_bootstrap(&mut self, result: &str) -> Result<(), ClientError> {
        let root = Moid::parse(MOID).ok().and_then(|moid| self.tree.instances_of(&moid).next());
        let root = root.and_then(|it| self.tree.node(it.root));
        let Some(last) = root.and_then(|root| root.child(names::LAST_RESULT)).map(|leaf| leaf.id()) else {
            return Ok(());
        };
        let result: String = result.chars().take(MAX_RESULT).collect();
        self.change(|change| Ok(change.set(last, Value::Text(result))?))
    }
}
