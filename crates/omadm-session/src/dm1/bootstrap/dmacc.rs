//! An account as the standard object DMAcc, in a TNDS document (`DM 1.3 STDOBJ §5.3.1`). Its versions 1.0 and 1.1 have the same nodes;
//! they differ in their MOID.

use omadm_auth::Secret;
use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};
use omadm_mo::{Format, Value};

use super::BootstrapError;
use super::account::{Account, Address, AddressType, AuthLevel, AuthType, Credentials, default_acl};

/// How the MOIDs of every version of it that DM 1.x has begin.
pub const DMACC: &str = "urn:oma:mo:oma-dm-dmacc:1.";
/// `AppID` of Device Management.
const APP_ID: &str = "w7";
const PLAIN: &str = "text/plain";
const OCTETS: &str = "application/octet-stream";

/// Versions of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DmAcc {
    /// That of DM 1.2.
    V1_0,
    /// That of DM 1.3.
    V1_1,
}

impl DmAcc {
    const ALL: [Self; 2] = [Self::V1_0, Self::V1_1];

    /// Its MOID.
    #[must_use]
    pub fn moid(self) -> &'static str {
        match self {
            Self::V1_0 => "urn:oma:mo:oma-dm-dmacc:1.0",
            Self::V1_1 => "urn:oma:mo:oma-dm-dmacc:1.1",
        }
    }
}

impl Account {
    /// The account as a node with a name that the device may change. INIT is lost: after a bootstrap of the DM profile a device begins
    /// sessions anyway.
    #[must_use]
    pub fn to_node(&self, version: DmAcc, name: &str) -> SnapshotNode {
        let mut children = vec![text("AppID", APP_ID), text("ServerID", &self.server_id)];
        children.extend(self.name.iter().map(|name| text("Name", name)));
        match self.connections.as_slice() {
            [] => {}
            [only] => children.push(text("PrefConRef", only)),
            several => {
                let references = several.iter().map(|of| vec![text("ConRef", of)]);
                children.push(numbered("ToConRef", references));
            }
        }
        children.push(numbered("AppAddr", self.addresses.iter().map(of_address)));
        children.extend(self.preferred.iter().map(|of| text("AAuthPref", &of.0)));
        children.push(numbered("AppAuth", self.credentials.iter().map(of_credentials)));
        let kind = Some(SnapshotType::DdfName(version.moid().to_owned()));
        SnapshotNode { acl: self.acl.clone(), kind, ..interior(name, children) }
    }

    /// Reads every account that is a child of the document, nodes that are spread over it by their paths included.
    ///
    /// # Errors
    /// [`BootstrapError::Missing`] and [`BootstrapError::Illegal`], as [`Account::check`] says.
    pub fn all_of(document: &Snapshot) -> Result<Vec<Self>, BootstrapError> {
        gathered(document).iter().filter(|node| is_account(node)).map(Self::of_node).collect()
    }

    fn of_node(node: &SnapshotNode) -> Result<Self, BootstrapError> {
        let mut account = Self {
            server_id: value(node, "ServerID").unwrap_or_default().to_owned(),
            name: value(node, "Name").map(str::to_owned),
            acl: node.acl.clone(),
            preferred: value(node, "AAuthPref").map(|text| AuthType(text.to_owned().into())),
            ..Self::default()
        };
        if value(node, "AppID").is_some_and(|id| id != APP_ID) {
            return Err(account.illegal("AppID", format!("not {APP_ID}")));
        }
        let several = below(node, "ToConRef").filter_map(|of| value(of, "ConRef"));
        let connections = value(node, "PrefConRef").into_iter().chain(several).map(str::to_owned);
        account.connections = connections.collect();
        for of in below(node, "AppAddr") {
            let address = value(of, "Addr").unwrap_or_default().to_owned();
            let kind = value(of, "AddrType").map(AddressType::read).unwrap_or_default();
            let number = |port| value(port, "PortNbr").unwrap_or_default().trim().parse();
            let ports = below(of, "Port").map(number).collect::<Result<_, _>>();
            let ports = ports.map_err(|_| account.illegal("port", "not 0 to 65535".to_owned()))?;
            account.addresses.push(Address { address, kind, ports });
        }
        let levels = below(node, "AppAuth").filter_map(|of| {
            let level = value(of, "AAuthLevel")?;
            Some((AuthLevel::ALL.into_iter().find(|known| known.as_str() == level)?, of))
        });
        for (level, of) in levels {
            let nonce = octets(of, "AAuthData", true);
            let nonce = nonce.map_err(|()| account.illegal("nonce", "no base64".to_owned()))?;
            account.credentials.push(Credentials {
                level,
                auth_type: AuthType(value(of, "AAuthType").unwrap_or_default().to_owned().into()),
                name: value(of, "AAuthName").map(str::to_owned),
                secret: octets(of, "AAuthSecret", false).unwrap_or_default(),
                nonce,
            });
        }
        account.check()?;
        Ok(account)
    }
}

/// Gives the server of each account of a document that comes without an ACL [`default_acl`]. The standard has control of these rights,
/// but not the text of it: this is what the CP profile prescribes.
pub fn grant_default(document: &mut Snapshot) {
    let servers: Vec<Option<String>> = {
        let whole = gathered(document);
        let server = |node: &SnapshotNode| value(node, "ServerID").map(str::to_owned);
        let by_name = |node: &SnapshotNode| whole.iter().find(|of| of.name == node.name).and_then(server);
        document.nodes.iter().map(by_name).collect()
    };
    for (node, server) in document.nodes.iter_mut().zip(servers) {
        if is_account(node) && node.acl.as_deref().is_none_or(str::is_empty) {
            node.acl = server.map(|server| default_acl(&server));
        }
    }
}

fn is_account(node: &SnapshotNode) -> bool {
    let Some(SnapshotType::DdfName(moid)) = &node.kind else { return false };
    node.path.is_none() && DmAcc::ALL.iter().any(|version| version.moid() == moid.trim())
}

/// The children of a document with all that is below them, wherever it stands in the document. What belongs to none of them is left out.
fn gathered(document: &Snapshot) -> Vec<SnapshotNode> {
    let (mut roots, spread): (Vec<_>, Vec<_>) =
        document.nodes.iter().cloned().partition(|node| node.path.is_none());
    for node in spread {
        let path = node.path.clone().unwrap_or_default();
        let mut names = path.trim_start_matches("./").split('/').filter(|name| !name.is_empty());
        let first = names.next();
        let root = roots.iter_mut().find(|root| root.name.as_deref() == first);
        let parent = root.and_then(|root| {
            names.try_fold(root, |at, name| {
                at.children.iter_mut().find(|child| child.name.as_deref() == Some(name))
            })
        });
        if let Some(parent) = parent {
            parent.children.push(node);
        }
    }
    roots
}

fn of_address(address: &Address) -> Vec<SnapshotNode> {
    let mut children = vec![text("Addr", &address.address), text("AddrType", &address.kind.0)];
    if !address.ports.is_empty() {
        let ports = address.ports.iter().map(|port| vec![text("PortNbr", &port.to_string())]);
        children.push(numbered("Port", ports));
    }
    children
}

fn of_credentials(of: &Credentials) -> Vec<SnapshotNode> {
    let mut children = vec![text("AAuthLevel", of.level.as_str()), text("AAuthType", &of.auth_type.0)];
    children.extend(of.name.iter().map(|name| text("AAuthName", name)));
    let secret = of.secret.as_ref().map(|secret| String::from_utf8_lossy(secret.expose()).into_owned());
    children.extend(secret.map(|secret| leaf("AAuthSecret", Format::Chr, Value::Text(secret), PLAIN)));
    let nonce = of.nonce.as_ref().map(|nonce| Value::Bytes(nonce.expose().to_vec()));
    children.extend(nonce.map(|nonce| leaf("AAuthData", Format::Bin, nonce, OCTETS)));
    children
}

fn text(name: &str, value: &str) -> SnapshotNode {
    leaf(name, Format::Chr, Value::Text(value.to_owned()), PLAIN)
}

fn leaf(name: &str, format: Format, value: Value, mime: &str) -> SnapshotNode {
    let kind = Some(SnapshotType::Mime(mime.to_owned()));
    let name = Some(name.to_owned());
    SnapshotNode { name, format: Some(format), kind, value: Some(value), ..SnapshotNode::default() }
}

fn interior(name: &str, children: Vec<SnapshotNode>) -> SnapshotNode {
    SnapshotNode {
        name: Some(name.to_owned()),
        format: Some(Format::Node),
        kind: Some(SnapshotType::DdfName(String::new())),
        children,
        ..SnapshotNode::default()
    }
}

/// A node with children that are numbered from 1.
fn numbered(name: &str, contents: impl Iterator<Item = Vec<SnapshotNode>>) -> SnapshotNode {
    let children = contents.zip(1_u32..).map(|(content, number)| interior(&number.to_string(), content));
    interior(name, children.collect())
}

/// The nodes below a child.
fn below<'n>(node: &'n SnapshotNode, name: &'n str) -> impl Iterator<Item = &'n SnapshotNode> {
    child(node, name).into_iter().flat_map(|child| &child.children)
}

fn child<'n>(node: &'n SnapshotNode, name: &str) -> Option<&'n SnapshotNode> {
    node.children.iter().find(|child| child.name.as_deref() == Some(name))
}

/// The text of a leaf.
fn value<'n>(node: &'n SnapshotNode, name: &str) -> Option<&'n str> {
    match child(node, name)?.value.as_ref()? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// The octets of a leaf; those of text are that text, or what it stands for if it is to be base64.
fn octets(node: &SnapshotNode, name: &str, base64: bool) -> Result<Option<Secret>, ()> {
    let found = child(node, name).and_then(|child| child.value.clone());
    let decoded = match found {
        Some(text @ Value::Text(_)) if base64 => {
            Value::from_text(Format::Bin, &text.to_text()).map_err(|_| ())?
        }
        Some(value) => value,
        None => return Ok(None),
    };
    Ok(match &decoded {
        Value::Bytes(octets) => Some(Secret::new(octets.clone())),
        Value::Text(text) => Some(Secret::new(text.clone().into_bytes())),
        _ => None,
    })
}
