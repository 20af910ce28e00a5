//! DM accounts of DM 1.x in the tree (`DM 1.3 StdObj §5.3.1`): `AppID`, `ServerID`, `AppAddr`, `AppAuth`.
//!
//! They stand beside those of DM 2.0, which have another MOID. A server with one of each has two accounts under one name, and so the
//! same rights by both protocols.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use omadm_auth::dm1::Scheme;
use omadm_auth::{BasicCredentials, Secret};
use omadm_link::LinkAddress;
use omadm_mo::dm1::{Dm1Error, Dm1Uri, UriLimits};
use omadm_mo::{
    Actor, AddressError, Change, Content, Miid, Moid, NodeId, NodeName, NodeRef, OperationError, ServerId,
    Tree, Value,
};
use omadm_session::dm1::client::{self as engine, Credentials};

use super::bootstrap;
use super::link::Link;
use super::notified::LEVEL;
use super::settings::{AccountSettings, AuthType, CredentialSettings, HttpScheme, HttpSettings};
use crate::device::Device;
use crate::error::{ClientError, PersistError, PluginError};
use crate::peer::{Peer, leaf};
use crate::smartcard::{Origins, Protocol};

/// MOIDs of accounts, the newest first: a new account is of the first that the device knows.
static MOIDS: LazyLock<Vec<Moid>> = LazyLock::new(|| {
    let moids = ["urn:oma:mo:oma-dm-dmacc:1.1", "urn:oma:mo:oma-dm-dmacc:1.0"];
    moids.into_iter().filter_map(|moid| Moid::parse(moid).ok()).collect()
});
/// How the keys of the entries begin that say what was installed once; a digest follows.
const FACTORY: &str = "dm1/factory/";
/// `AppID` of Device Management.
const APP_ID: &str = "w7";

/// What a person wants to know of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStatus {
    /// `ServerID`.
    pub server: ServerId,
    /// The address that sessions begin at; empty when the account has none.
    pub uri: String,
    /// Newest version to speak, and the one that worked last, such as `1.3` and `1.2`.
    pub versions: (&'static str, Option<&'static str>),
    /// Whether messages are in WBXML; else in XML.
    pub wbxml: bool,
    /// Undelivered alerts.
    pub alerts: usize,
    /// Executions whose end the server has yet to be told.
    pub executions: usize,
}

/// An account as a session needs it.
pub(super) struct Account {
    /// For the engine; its `uri` is the first address.
    pub(super) engine: engine::Account,
    /// All addresses, the best first; not empty.
    pub(super) addresses: Vec<String>,
    /// Credentials of HTTP, and whether they are for HTTP Digest only.
    http: Option<(BasicCredentials, bool)>,
    /// Credentials of OBEX.
    obex: Option<BasicCredentials>,
}

/// The accounts of a tree.
pub trait Accounts {
    /// DM 1.x accounts by `ServerID`, in the order of their MOIDs and MIIDs.
    fn dm1_accounts(&self) -> impl Iterator<Item = (ServerId, NodeRef<'_>)>;

    /// The root of the DM 1.x account of a server.
    fn dm1_account(&self, server: &ServerId) -> Option<NodeRef<'_>> {
        self.dm1_accounts().find(|(of, _)| of == server).map(|(_, account)| account)
    }
}

impl Accounts for Tree {
    fn dm1_accounts(&self) -> impl Iterator<Item = (ServerId, NodeRef<'_>)> {
        let instances = MOIDS.iter().flat_map(|moid| self.instances_of(moid));
        instances.filter_map(|instance| {
            let account = self.node(instance.root)?;
            Some((ServerId::parse(text(account, &["ServerID"])?).ok()?, account))
        })
    }
}

impl Account {
    /// Reads the account of a server.
    pub(super) fn read(tree: &Tree, server: &ServerId) -> Result<Self, ClientError> {
        let unusable = |reason| ClientError::NoAccount { server: server.clone(), reason };
        let account = tree.dm1_account(server).ok_or_else(|| unusable("there is none for DM 1.x"))?;
        let addresses = addresses(account);
        let first = addresses.first().ok_or_else(|| unusable("its AppAddr has no address that is a URI"))?;
        let client = credentials(account, "CLCRED");
        let server_credentials = credentials(account, "SRVCRED");
        let preferred = text(account, &["AAuthPref"]).and_then(AuthType::parse);
        let preferred = preferred.map_or_else(|| client.as_ref().map(|of| of.scheme), AuthType::scheme);
        let transport = |name| {
            let of = level(account, name)?;
            let user = text(of, &["AAuthName"]).unwrap_or_default().to_owned();
            let is_digest = text(of, &["AAuthType"]) == Some(HttpScheme::Digest.as_str());
            Some((BasicCredentials { user, password: octets(of, "AAuthSecret")? }, is_digest))
        };
        let http = transport("HTTP");
        let obex = transport("OBEX").map(|(credentials, _)| credentials);
        let engine = engine::Account {
            server: server.clone(),
            uri: first.clone(),
            client,
            server_must_prove: server_credentials.is_some(),
            server_credentials,
            preferred,
        };
        Ok(Self { engine, addresses, http, obex })
    }

    /// Takes this nonce in place of those that the account has, on both sides.
    pub(super) fn begin_with(&mut self, nonce: &[u8]) {
        let engine::Account { client, server_credentials, .. } = &mut self.engine;
        client.iter_mut().chain(server_credentials).for_each(|of| of.nonce = nonce.to_vec());
    }

    /// By what a challenge of OBEX is answered.
    pub(super) fn obex(&self) -> Option<BasicCredentials> {
        self.obex.clone()
    }

    /// Whether this account may be used where everyone on the way can read along and nothing but DM proves who is there.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check_link(&self, basic: bool) -> Result<(), &'static str> {
        let engine::Account { client, server_credentials, preferred, .. } = &self.engine;
        let shows = *preferred == Some(Scheme::Basic)
            || client.as_ref().is_some_and(|client| client.scheme == Scheme::Basic);
        if shows && !basic {
            return Err(
                "its credentials are of the scheme BASIC, which over a link without TLS everyone can read",
            );
        }
        if server_credentials.is_none() {
            return Err(
                "over a link without TLS the server has to prove itself, and the account has nothing (SRVCRED) that it could do it by",
            );
        }
        Ok(())
    }

    /// Who is at an address of the account.
    pub(super) fn peer(&self, uri: &str) -> Option<Peer> {
        let (credentials, digest_only) = self.http.clone().unzip();
        let peer = Peer::at(&uri.parse::<Uri>().ok()?, credentials)?;
        Some(peer.by_digest(digest_only.unwrap_or_default()))
    }
}

/// `AppAddr`, in the order of the names.
fn addresses(account: NodeRef<'_>) -> Vec<String> {
    let all = account.child("AppAddr").into_iter().flat_map(|addresses| addresses.children());
    all.filter_map(|of| address(of)).collect()
}

/// One address as URI, `PortNbr` in it if there is one.
fn address(of: NodeRef<'_>) -> Option<String> {
    let address = text(of, &["Addr"])?;
    let port = of.child("Port").and_then(|ports| ports.children().next());
    let port = port.and_then(|port| text(port, &["PortNbr"])?.parse::<u16>().ok());
    if LinkAddress::is_meant(address) {
        let link = match (address.parse().ok()?, port) {
            (LinkAddress::Tcp { host, .. }, Some(port)) => LinkAddress::Tcp { host, port },
            (link, _) => link,
        };
        return Some(link.to_string());
    }
    match text(of, &["AddrType"]).unwrap_or_default() {
        "IPv4" => Some(at("https", address, port, "/")),
        "IPv6" => Some(at("https", &format!("[{address}]"), port, "/")),
        "URI" | "" => {
            let uri = address.parse::<Uri>().ok()?;
            let host = uri.host()?;
            Some(match port {
                None => address.to_owned(),
                Some(_) => {
                    let path = uri.path_and_query().map_or("/", |path| path.as_str());
                    at(uri.scheme_str().unwrap_or("https"), host, port, path)
                }
            })
        }
        _ => None,
    }
}

fn at(scheme: &str, host: &str, port: Option<u16>, path: &str) -> String {
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{host}{port}{path}")
}

/// The credentials of a level that this device can use.
pub(super) fn credentials(account: NodeRef<'_>, wanted: &str) -> Option<Credentials> {
    let of = level(account, wanted)?;
    Some(Credentials {
        user: text(of, &["AAuthName"]).unwrap_or_default().to_owned(),
        password: octets(of, "AAuthSecret").unwrap_or_else(|| Secret::new(Vec::new())),
        scheme: AuthType::parse(text(of, &["AAuthType"])?)?.scheme()?,
        nonce: octets(of, "AAuthData").map(|nonce| nonce.expose().to_vec()).unwrap_or_default(),
    })
}

/// The first node below `AppAuth` of this `AAuthLevel`.
fn level<'t>(account: NodeRef<'t>, wanted: &str) -> Option<NodeRef<'t>> {
    account.child("AppAuth")?.children().find(|of| text(*of, &["AAuthLevel"]) == Some(wanted))
}

fn text<'t>(node: NodeRef<'t>, path: &[&str]) -> Option<&'t str> {
    match leaf(node, path)? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn octets(node: NodeRef<'_>, name: &str) -> Option<Secret> {
    match leaf(node, &[name])? {
        Value::Bytes(octets) => Some(Secret::new(octets.clone())),
        Value::Text(text) => Some(Secret::new(text.clone().into_bytes())),
        _ => None,
    }
}

impl Device {
    /// Puts a DM 1.x account into the tree, in place of one of the same server: all of it or nothing, durable when this returns.
    ///
    /// # Errors
    /// [`ClientError::Account`], [`ClientError::Change`] and [`ClientError::Persist`].
    pub fn install_dm1_account(&mut self, settings: &AccountSettings) -> Result<ServerId, ClientError> {
        self.put_account(settings, Vec::new())
    }

    fn put_account(
        &mut self,
        settings: &AccountSettings,
        mut entries: Vec<(String, Option<String>)>,
    ) -> Result<ServerId, ClientError> {
        let refused = |reason: String| ClientError::Account { server: settings.server_id.clone(), reason };
        let server = ServerId::parse(&settings.server_id).map_err(|error| refused(error.to_string()))?;
        check(settings).map_err(refused)?;
        let content = content(settings).map_err(|error| refused(error.to_string()))?;
        let known = |moid: &&Moid| self.tree.catalogue().get(moid.as_str()).is_some();
        let moid = MOIDS.iter().find(known);
        let moid =
            moid.ok_or_else(|| refused("the device has no DDF file of a DM 1.x account".to_owned()))?;
        let link = Link {
            newest: settings.version.unwrap_or(Link::default().newest),
            encoding: settings.encoding,
            worked: None,
        };
        let mut transaction = self.tree.begin(Actor::Device, (self.config.clock)());
        let before = transaction.tree().dm1_account(&server).map(|account| account.id());
        if let Some(before) = before {
            transaction.remove(before).map_err(PluginError::from)?;
        }
        let miid = free_miid(transaction.tree(), moid).map_err(PluginError::from)?;
        let root = transaction.create_instance(moid, &miid, content).map_err(PluginError::from)?;
        grant(&mut transaction, root, &server).map_err(|error| refused(error.to_string()))?;
        let prepared = transaction.prepare();
        entries.push(link.entry(&server));
        entries.push(bootstrap::forget(&server));
        entries.push(Origins::elsewhere(Protocol::Dm1).entry(&server));
        self.keep(prepared, entries)?;
        self.tidy();
        Ok(server)
    }

    /// [`Device::install_dm1_account`], once in the life of the device for these settings, which `source` is the text of: an account
    /// that a server has changed or removed since stays so. `None` when it was installed before.
    ///
    /// # Errors
    /// As [`Device::install_dm1_account`].
    pub fn install_dm1_account_once(
        &mut self,
        settings: &AccountSettings,
        source: &[u8],
    ) -> Result<Option<ServerId>, ClientError> {
        let digest: String =
            openssl::sha::sha256(source).iter().map(|octet| format!("{octet:02x}")).collect();
        let entry = (format!("{FACTORY}{digest}"), Some(settings.server_id.clone()));
        if self.entries.contains_key(&entry.0) {
            return Ok(None);
        }
        self.put_account(settings, vec![entry]).map(Some)
    }

    /// Keeps nonces in the account of a server, in place of those before. An account that is gone needs none.
    pub(super) fn keep_nonces(
        &mut self,
        server: &ServerId,
        client: Option<Vec<u8>>,
        of_server: Option<Vec<u8>>,
    ) -> Result<(), PersistError> {
        let nonces = [("CLCRED", client), ("SRVCRED", of_server)];
        let was_in_line = self.in_line == Some(self.tree.revision());
        let mut transaction = self.tree.begin(Actor::Device, (self.config.clock)());
        let inconsistent =
            |error: OperationError| PersistError::Inconsistent(format!("a nonce cannot be kept: {error}"));
        for (wanted, nonce) in nonces {
            let Some(nonce) = nonce else { continue };
            let account = transaction.tree().dm1_account(server);
            let Some(of) = account.and_then(|account| level(account, wanted)) else { continue };
            let (of, leaf) = (of.id(), of.child("AAuthData").map(|leaf| leaf.id()));
            match leaf {
                Some(leaf) => transaction.set(leaf, Value::Bytes(nonce)).map_err(inconsistent)?,
                None => {
                    let content = Content::Leaf(Value::Bytes(nonce));
                    transaction.add(of, "AAuthData", content).map_err(inconsistent)?;
                }
            }
        }
        let prepared = transaction.prepare();
        self.keep(prepared, Vec::new())?;
        // A nonce changes nothing of accounts and grants, and comes in every session.
        if was_in_line {
            self.in_line = Some(self.tree.revision());
        }
        Ok(())
    }

    /// DM 1.x accounts, for people.
    #[must_use]
    pub fn dm1_status(&self) -> Vec<AccountStatus> {
        let accounts = self.tree.dm1_accounts().map(|(server, account)| {
            let link = Link::of(&self.entries, &server);
            AccountStatus {
                uri: addresses(account).into_iter().next().unwrap_or_default(),
                versions: link.names(),
                wbxml: link.is_wbxml(),
                alerts: self.dm1_alerts(&server).len(),
                executions: self.dm1_executions(&server).count(),
                server,
            }
        });
        accounts.collect()
    }
}

/// An account belongs to its server (`DM 1.3 BOOT`): it may read, change and remove it.
fn grant(change: &mut Change<'_>, account: NodeId, server: &ServerId) -> Result<(), Dm1Error> {
    let path = change.tree().node(account).map(|account| account.path()).unwrap_or_default();
    let limits = UriLimits::default();
    let acl = format!("{}?prop=ACL", Dm1Uri::of_path(path, &limits));
    let acl = Dm1Uri::parse(&acl, &limits, false)?;
    change.dm1_set_property(&acl, &format!("Delete={server}&Get={server}&Replace={server}"))
}

/// The lowest number that no account has.
fn free_miid(tree: &Tree, moid: &Moid) -> Result<Miid, AddressError> {
    let taken = tree.instances_of(moid).count();
    // One of these taken + 1 numbers is free.
    let numbers = (1..=taken).map(|number| Miid::parse(&number.to_string()));
    let free = numbers.filter_map(Result::ok).find(|miid| tree.instance(moid, miid).is_none());
    free.map_or_else(|| Miid::parse(&(taken + 1).to_string()), Ok)
}

/// What types cannot say.
fn check(settings: &AccountSettings) -> Result<(), String> {
    if settings.addresses.is_empty() {
        return Err("it has no address".to_owned());
    }
    for address in &settings.addresses {
        if LinkAddress::is_meant(address) {
            address.parse::<LinkAddress>()?;
            continue;
        }
        let uri = address.parse::<Uri>().ok();
        let usable =
            uri.is_some_and(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")));
        if !usable {
            return Err(format!("its address {address:?} is no http or https URI, and no local link"));
        }
    }
    let levels = [
        ("client", &settings.client),
        ("server", &settings.server),
        ("notification", &settings.notification),
    ];
    for (name, credentials) in levels {
        let Some(CredentialSettings { auth_type, user, password, nonce }) = credentials else { continue };
        let is_nameless = user.is_empty() && name != "notification";
        if auth_type.scheme().is_some() && (is_nameless || password.is_empty()) {
            return Err(format!("{name}: {} needs user and password", auth_type.as_str()));
        }
        if user.contains(':') {
            return Err(format!("{name}: the user holds a colon"));
        }
        if STANDARD.decode(nonce).is_err() {
            return Err(format!("{name}: the nonce is no base64"));
        }
    }
    Ok(())
}

/// The nodes below the root of an account.
fn content(settings: &AccountSettings) -> Result<Content, AddressError> {
    let mut account = vec![leaf_of("AppID", APP_ID)?, leaf_of("ServerID", &settings.server_id)?];
    if !settings.name.is_empty() {
        account.push(leaf_of("Name", &settings.name)?);
    }
    let addresses = settings
        .addresses
        .iter()
        .map(|address| Ok(Content::Interior(vec![leaf_of("Addr", address)?, leaf_of("AddrType", "URI")?])));
    account.push(numbered("AppAddr", addresses)?);
    if let Some(preferred) = settings.preferred {
        account.push(leaf_of("AAuthPref", preferred.as_str())?);
    }
    let application =
        [("CLCRED", &settings.client), ("SRVCRED", &settings.server), (LEVEL, &settings.notification)];
    let application = application.into_iter().filter_map(|(level, of)| Some((level, of.as_ref()?)));
    let application = application.map(|(level, of)| credential_content(level, of));
    let transport = [("HTTP", &settings.http), ("OBEX", &settings.obex)];
    let transport = transport.into_iter().filter_map(|(level, of)| Some((level, of.as_ref()?)));
    let transport = transport.map(|(level, of)| transport_content(level, of));
    account.push(numbered("AppAuth", application.chain(transport))?);
    Ok(Content::Interior(account))
}

fn credential_content(level: &str, of: &CredentialSettings) -> Result<Content, AddressError> {
    let nonce = STANDARD.decode(&of.nonce).unwrap_or_default();
    Ok(Content::Interior(vec![
        leaf_of("AAuthLevel", level)?,
        leaf_of("AAuthType", of.auth_type.as_str())?,
        leaf_of("AAuthName", &of.user)?,
        leaf_of("AAuthSecret", &of.password)?,
        (NodeName::parse("AAuthData")?, Content::Leaf(Value::Bytes(nonce))),
    ]))
}

fn transport_content(level: &str, of: &HttpSettings) -> Result<Content, AddressError> {
    Ok(Content::Interior(vec![
        leaf_of("AAuthLevel", level)?,
        leaf_of("AAuthType", of.scheme.as_str())?,
        leaf_of("AAuthName", &of.user)?,
        leaf_of("AAuthSecret", &of.password)?,
    ]))
}

fn leaf_of(name: &str, text: &str) -> Result<(NodeName, Content), AddressError> {
    Ok((NodeName::parse(name)?, Content::Leaf(Value::Text(text.to_owned()))))
}

/// A node with children that are numbered from 1.
fn numbered(
    name: &str,
    contents: impl Iterator<Item = Result<Content, AddressError>>,
) -> Result<(NodeName, Content), AddressError> {
    let children = contents
        .zip(1_u32..)
        .map(|(content, number)| Ok((NodeName::parse(&number.to_string())?, content?)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((NodeName::parse(name)?, Content::Interior(children)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::device::DeviceConfig;
    use crate::persistence::Volatile;
    use crate::plugin::{DataMo, ManagementObject};

    #[test]
    fn a_new_nonce_is_no_reason_to_look_through_accounts_and_grants() {
        let dmacc: Box<dyn ManagementObject> = Box::new(DataMo::new(
            include_str!("../../../../ddf/dm_dmacc-v1_3.ddf"),
            "https://ddf.example/dmacc",
        ));
        let mut device =
            Device::open(DeviceConfig::default(), vec![dmacc], Box::new(Volatile::new())).unwrap();
        let settings = json!({ "server_id": "s1", "addresses": ["https://one.example/dm"],
            "client": { "type": "SHA256", "user": "dev", "password": "hunter2" } });
        let server = device.install_dm1_account(&serde_json::from_value(settings).unwrap()).unwrap();
        assert_eq!(device.in_line, Some(device.tree.revision()));
        device.keep_nonces(&server, Some(vec![7; 16]), None).unwrap();
        assert_eq!(device.in_line, Some(device.tree.revision()));
        let account = Account::read(&device.tree, &server).unwrap();
        assert_eq!(account.engine.client.unwrap().nonce, [7; 16]);
    }
}
