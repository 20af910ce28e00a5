//! Installing a DM Bootstrap (`DM 2.0 §8.5`).

use omadm_codec::dm2::{MoItem, mo_data};
use omadm_codec::{Leniency, Limits, Tolerance};
use omadm_mo::well_known::DMACC;
use omadm_mo::{
    Actor, Change, ClientUri, Content, MoInst, OperationError, Prepared, ServerId, Time, Tree, Value,
};

use super::BootstrapError;
use super::commands::{item_address, permit, replace_aliases};

/// An item with its address and its place in the body.
struct Entry {
    index: usize,
    uri: ClientUri,
    item: MoItem,
    /// `SrvID`, if the item is an account.
    account: Option<ServerId>,
}

/// A bootstrap that is in the tree.
#[derive(Debug)]
pub struct Installed {
    /// The transaction, to be made durable by the host before anything else.
    pub prepared: Prepared,
    /// The bootstrapped servers, in the order of their accounts.
    pub servers: Vec<ServerId>,
    /// Tolerances that the body made use of, for the log.
    pub tolerated: Vec<Tolerance>,
}

/// Installs a DM Bootstrap (`DM 2.0 §8.5`): MO data in `application/dmmo+json`, all or nothing.
///
/// Accounts come first, and each belongs to its own server; an account whose SrvID exists is replaced. Everything else belongs
/// to the first server of the body, or of the tree when the body has no account.
///
/// # Errors
/// [`BootstrapError`] says which item is wrong; the tree is unchanged then.
pub fn install_bootstrap(
    tree: &mut Tree,
    now: Time,
    body: &[u8],
    limits: &Limits,
    strict: bool,
) -> Result<Installed, BootstrapError> {
    let mut leniency = if strict { Leniency::strict() } else { Leniency::lenient() };
    let mut entries = Vec::new();
    for (index, item) in mo_data::decode(body, limits, &mut leniency)?.into_iter().enumerate() {
        let address = item.client_uri.clone();
        let entry = Entry::read(tree, index, item, &mut leniency);
        entries.push(entry.map_err(|source| refused(index, address, source))?);
    }
    entries.sort_by_key(|entry| entry.account.is_none());
    let mut servers: Vec<ServerId> = Vec::new();
    for server in entries.iter().filter_map(|entry| entry.account.as_ref()) {
        if !servers.contains(server) {
            servers.push(server.clone());
        }
    }
    if servers.is_empty() {
        servers.extend(tree.accounts().next().map(|(server, _)| server));
    }
    let first = servers.first().cloned().ok_or(BootstrapError::NoAccount)?;

    let mut change = tree.begin(Actor::Bootstrap(first), now);
    for entry in entries {
        let (index, address) = (entry.index, entry.item.client_uri.clone());
        store(&mut change, entry, &mut leniency).map_err(|source| refused(index, address, source))?;
    }
    Ok(Installed { prepared: change.prepare(), servers, tolerated: leniency.used.into_iter().collect() })
}

impl Entry {
    fn read(
        tree: &Tree,
        index: usize,
        item: MoItem,
        leniency: &mut Leniency,
    ) -> Result<Self, OperationError> {
        let mut uri = item_address(&item, tree)?;
        replace_aliases(tree, &mut uri, leniency)?;
        let is_account = uri.moid.as_str() == DMACC && uri.path.is_empty();
        let account = if is_account { Some(server_id(&item)?) } else { None };
        Ok(Self { index, uri, item, account })
    }
}

/// `SrvID` of an account.
fn server_id(item: &MoItem) -> Result<ServerId, OperationError> {
    let Content::Interior(children) = &item.content else {
        return Err(bad_account(item, "an account is an interior node"));
    };
    let value = children.iter().find(|(name, _)| name.as_str() == "SrvID").map(|(_, content)| content);
    match value {
        Some(Content::Leaf(Value::Text(text))) => Ok(ServerId::parse(text)?),
        _ => Err(bad_account(item, "an account needs a SrvID, a string")),
    }
}

fn bad_account(item: &MoItem, reason: &str) -> OperationError {
    OperationError::BadData { address: item.client_uri.clone(), reason: reason.into() }
}

fn store(change: &mut Change<'_>, entry: Entry, leniency: &mut Leniency) -> Result<(), OperationError> {
    let Entry { index: _, mut uri, item, account } = entry;
    if let Some(server) = account {
        let tree = change.tree();
        let existing = tree.account(&server).and_then(|account| tree.instance_of_node(account.id()));
        if let Some(instance) = existing {
            uri.inst = MoInst::Miid(instance.miid.clone());
        }
    }
    change.store_item(&uri, &item.label, item.content)?;
    permit(change, leniency).map_err(|reason| OperationError::BadData { address: item.client_uri, reason })
}

fn refused(index: usize, address: String, source: OperationError) -> BootstrapError {
    BootstrapError::Item { index, address, source }
}
