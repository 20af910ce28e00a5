//! What a bootstrap brings, made ready for the Inbox: objects that the device knows, with the rights that it lets a bootstrap give.
//!
//! What is passed over does no harm to the rest (`DM 1.3 BOOT §5.3`): objects that are not known, older versions of one that is there in
//! a newer one too, and the device's own objects, which no bootstrap changes. Where an item has another target than the Inbox, the device
//! still finds the place by the MOID, for it may choose the names of objects. Networks and proxies of a provisioning document are passed
//! over as well: the device has the connections of its system.

use std::collections::{BTreeMap, BTreeSet};

use omadm_auth::bootstrap::Profile;
use omadm_codec::dm1::Encoding;
use omadm_codec::provisioning::ProvisioningDocument;
use omadm_codec::{Leniency, Limits};
use omadm_mo::access::Acl;
use omadm_mo::ddf::{Catalogue, DdfName, Scope};
use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};
use omadm_mo::well_known::{DACMO, DMACC as DMACC_2_0, INBOX};
use omadm_mo::{Authority, Operation, ServerId, Value};
use omadm_session::dm1::bootstrap::{
    Account, BootstrapError, DMACC, DmAcc, INBOX as INBOX_PATH, Message, Provisioning, grant_default,
};

use super::candidate::Verified;
use super::{BootstrapConfig, InitialRight, Refused};
use crate::device::DeviceConfig;

/// Leaves that may hold the address of another object in the same document.
const REFERENCES: [&str; 2] = ["ConRef", "PrefConRef"];

/// What a bootstrap brings.
pub(super) struct Objects {
    /// For the Inbox, in order.
    pub(super) documents: Vec<Snapshot>,
    /// The accounts among it.
    pub(super) accounts: Vec<(ServerId, Account)>,
}

impl Objects {
    /// Reads a bootstrap for a device that knows the objects of a catalogue.
    pub(super) fn read(
        verified: &Verified,
        catalogue: &Catalogue,
        device: &DeviceConfig,
        config: &BootstrapConfig,
    ) -> Result<Self, Refused> {
        let limits = Limits { bytes: config.max_size, ..device.limits };
        let mut leniency = if device.strict { Leniency::strict() } else { Leniency::lenient() };
        let mut documents = match verified.content_type.profile {
            Profile::Cp => {
                let account = account_version(catalogue).ok_or(Refused::Nothing)?;
                vec![of_provisioning(verified, account, &limits, &mut leniency)?]
            }
            Profile::Dm => {
                let message = Message::read(&verified.body, &limits, &mut leniency)?;
                let documents = message.additions.into_iter().map(|addition| addition.document);
                let mut documents = select(documents.collect(), catalogue);
                documents.iter_mut().for_each(grant_default);
                documents
            }
        };
        if !leniency.used.is_empty() {
            let names: Vec<_> = leniency.used.iter().map(|tolerance| tolerance.as_str()).collect();
            tracing::info!("the bootstrap departs from the standard and is tolerated: {}", names.join(", "));
        }
        documents.retain(|document| !document.nodes.is_empty());
        if documents.is_empty() {
            return Err(Refused::Nothing);
        }
        let accounts = accounts(&documents)?;
        let server = accounts.first().map(|(server, _)| server);
        for node in documents.iter_mut().flat_map(|document| &mut document.nodes) {
            limit_rights(node, &config.rights, server);
        }
        Ok(Self { documents, accounts })
    }
}

/// The accounts of documents, each server once.
fn accounts(documents: &[Snapshot]) -> Result<Vec<(ServerId, Account)>, Refused> {
    let mut accounts: Vec<(ServerId, Account)> = Vec::new();
    for document in documents {
        for account in Account::all_of(document)? {
            let server = nameable(&account.server_id)?;
            if accounts.iter().any(|(known, _)| *known == server) {
                return Err(Refused::Twice { server });
            }
            accounts.push((server, account));
        }
    }
    Ok(accounts)
}

/// A server that an ACL can name: otherwise its identifier would mean everybody there, or more than one server.
fn nameable(id: &str) -> Result<ServerId, Refused> {
    let server = ServerId::parse(id).ok();
    let can = |server: &ServerId| Acl::default().allow(&Authority::Server(server.clone()), Operation::Get);
    let illegal = || BootstrapError::Illegal {
        server: id.to_owned(),
        what: "identifier",
        reason: "no ACL can name it".to_owned(),
    };
    Ok(server.filter(can).ok_or_else(illegal)?)
}

/// The newest version of the account object that a device knows.
fn account_version(catalogue: &Catalogue) -> Option<DmAcc> {
    [DmAcc::V1_1, DmAcc::V1_0].into_iter().find(|version| catalogue.get(version.moid()).is_some())
}

fn of_provisioning(
    verified: &Verified,
    version: DmAcc,
    limits: &Limits,
    leniency: &mut Leniency,
) -> Result<Snapshot, Refused> {
    let document = match verified.content_type.encoding {
        Encoding::Wbxml => ProvisioningDocument::from_wbxml(&verified.body, limits, leniency),
        Encoding::Xml => ProvisioningDocument::from_xml(&verified.body, limits),
    };
    let Provisioning { accounts, networks, proxies } =
        Provisioning::of_document(&document.map_err(BootstrapError::from)?)?;
    if !networks.is_empty() || !proxies.is_empty() {
        tracing::info!("the networks and proxies of the bootstrap are passed over");
    }
    let accounts = accounts.into_iter().zip(1_u32..).map(|(account, number)| {
        let account = Account { connections: Vec::new(), ..account };
        account.to_node(version, &number.to_string())
    });
    Ok(Snapshot { nodes: accounts.collect() })
}

/// The MOID of a child of a document.
fn moid(node: &SnapshotNode) -> Option<&str> {
    match &node.kind {
        Some(SnapshotType::DdfName(moid)) if node.path.is_none() => Some(moid.trim()),
        _ => None,
    }
}

/// Keeps what there is a place for.
fn select(mut documents: Vec<Snapshot>, catalogue: &Catalogue) -> Vec<Snapshot> {
    let newest = newest(&documents, catalogue);
    for document in &mut documents {
        let (tops, spread): (Vec<_>, Vec<_>) =
            std::mem::take(&mut document.nodes).into_iter().partition(|node| node.path.is_none());
        let count = tops.len();
        let mut kept: Vec<_> = tops
            .into_iter()
            .filter(|node| {
                let version = moid(node).filter(|moid| is_placed(moid, catalogue)).and_then(version);
                version.is_some_and(|(family, version)| newest.get(&key(family, node)) == Some(&version))
            })
            .collect();
        if kept.len() < count {
            tracing::info!("{} objects of the bootstrap are passed over", count - kept.len());
        }
        let names: BTreeSet<String> = kept.iter().filter_map(|node| node.name.clone()).collect();
        if let Some(account) = account_version(catalogue) {
            let of_account =
                |node: &&mut SnapshotNode| moid(node).is_some_and(|moid| moid.starts_with(DMACC));
            let kind = SnapshotType::DdfName(account.moid().to_owned());
            kept.iter_mut().filter(of_account).for_each(|node| node.kind = Some(kind.clone()));
        }
        kept.extend(spread.into_iter().filter(|node| names.contains(first_name(node))));
        kept.iter_mut().for_each(|node| drop_references(node, &names));
        document.nodes = kept;
    }
    documents
}

/// Whether the device puts such an object into its tree: it knows it, and it is not one of the device's own.
fn is_placed(moid: &str, catalogue: &Catalogue) -> bool {
    // Every version 1 of the account becomes the one that the device has; they have the same nodes.
    if moid.starts_with(DMACC) && moid != DMACC_2_0 {
        return account_version(catalogue).is_some();
    }
    let is_own = [DMACC_2_0, DACMO].contains(&moid) || moid.starts_with(INBOX);
    let permanent = |scope, name: &DdfName| scope == Scope::Permanent && matches!(name, DdfName::Named(_));
    !is_own && catalogue.get(moid).is_some_and(|known| !permanent(known.root.scope, &known.root.name))
}

/// A MOID without its version, and the version.
fn version(moid: &str) -> Option<(&str, Vec<u32>)> {
    let (family, version) = moid.rsplit_once(':').unwrap_or((moid, "0"));
    let numbers = version.split('.').map(|number| number.parse().unwrap_or_default());
    Some((family, numbers.collect()))
}

/// What tells objects apart that may come in several versions: for an account its server, too.
fn key(family: &str, node: &SnapshotNode) -> (String, String) {
    let server = node.children.iter().find(|child| child.name.as_deref() == Some("ServerID"));
    let server = match server.and_then(|leaf| leaf.value.as_ref()) {
        Some(Value::Text(server)) => server.clone(),
        _ => String::new(),
    };
    (family.to_owned(), server)
}

/// The newest version of each object that the device takes.
fn newest(documents: &[Snapshot], catalogue: &Catalogue) -> BTreeMap<(String, String), Vec<u32>> {
    let mut newest = BTreeMap::new();
    for node in documents.iter().flat_map(|document| &document.nodes) {
        let Some((family, version)) = moid(node).filter(|moid| is_placed(moid, catalogue)).and_then(version)
        else {
            continue;
        };
        let known: &mut Vec<u32> = newest.entry(key(family, node)).or_default();
        *known = version.max(std::mem::take(known));
    }
    newest
}

/// The child of the document that a node stands below.
fn first_name(node: &SnapshotNode) -> &str {
    let path = node.path.as_deref().unwrap_or_default().trim();
    let path = path.strip_prefix(INBOX_PATH).unwrap_or(path);
    let mut names = path.split('/').filter(|name| !name.is_empty() && *name != ".");
    names.next().unwrap_or_default()
}

/// References to what is not there become empty: the device has its connections outside of the tree.
fn drop_references(node: &mut SnapshotNode, names: &BTreeSet<String>) {
    if node.name.as_deref().is_some_and(|name| REFERENCES.contains(&name))
        && let Some(Value::Text(text)) = &mut node.value
        && let Some(inside) = text.strip_prefix(INBOX_PATH)
    {
        let mut segments = inside.split('/').skip(1);
        let leads_out = inside.split('/').any(|segment| matches!(segment, "." | ".."));
        if leads_out || segments.next().is_none_or(|name| !names.contains(name)) {
            text.clear();
        }
    }
    node.children.iter_mut().for_each(|child| drop_references(child, names));
}

/// Takes out of the ACLs what the device does not let a bootstrap give. Where nothing would be left, which would mean to inherit, the
/// server of the bootstrap may read. The depth is bounded by that of the decoder.
fn limit_rights(node: &mut SnapshotNode, rights: &[InitialRight], server: Option<&ServerId>) {
    if rights.len() < InitialRight::ALL.len()
        && let Some(acl) = node.acl.as_deref().map(str::trim).filter(|acl| !acl.is_empty())
        && let Ok(acl) = Acl::parse(acl)
    {
        let mut left = Acl::default();
        for holder in acl.authorities() {
            for right in rights.iter().map(|right| right.operation()) {
                let _ = acl.names(holder, right) && left.allow(holder, right);
            }
        }
        let own = || server.map(|server| format!("Get={server}"));
        node.acl = if left.is_empty() { own() } else { Some(left.to_string()) };
    }
    node.children.iter_mut().for_each(|child| limit_rights(child, rights, server));
}
