//! Which accounts came from a card, and what came with them.

use omadm_mo::well_known::DMACC;
use omadm_mo::{Actor, Miid, Moid, NodeId, ServerId, Tree};
use omadm_session::dm1::bootstrap::DMACC as DMACC_1;

use crate::consent::Origin;
use crate::device::Device;
use crate::dm1::Accounts as _;
use crate::error::{ClientError, PersistError, PluginError};
use crate::persistence::{Batch, Entries};
use crate::text;

/// Entry of the key/value area: digest of what was applied of a card last.
const CONTENT: &str = "card/content";
/// How the keys of the entries begin that say that an account came from a card; protocol and server follow.
const ACCOUNT: &str = "card/account/";

/// An account of a card.
pub(super) type Account = (Protocol, ServerId);

/// Which kind of account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Dm1,
    #[cfg_attr(not(feature = "dm2"), allow(dead_code, reason = "accounts of the other protocol"))]
    Dm2,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Dm1 => "dm1",
            Self::Dm2 => "dm2",
        }
    }

    /// The root of an account.
    fn root(self, tree: &Tree, server: &ServerId) -> Option<NodeId> {
        let account = match self {
            Self::Dm1 => tree.dm1_account(server),
            Self::Dm2 => tree.account(server),
        };
        account.map(|account| account.id())
    }
}

/// How the accounts of a bootstrap came, for what is kept with them.
pub(crate) struct Origins {
    protocol: Protocol,
    /// From a card, together with these instances.
    card: Option<Vec<(Moid, Miid)>>,
}

impl Origins {
    /// What there is to be kept of a bootstrap that made these instances.
    pub(crate) fn of(protocol: Protocol, origin: &Origin, mut made: Vec<(Moid, Miid)>) -> Self {
        made.retain(|(moid, _)| moid.as_str() != DMACC && !moid.as_str().starts_with(DMACC_1));
        Self { protocol, card: origin.is_card().then_some(made) }
    }

    /// From elsewhere: what is known of a card is forgotten.
    pub(crate) fn elsewhere(protocol: Protocol) -> Self {
        Self { protocol, card: None }
    }

    /// The entry of a server.
    pub(crate) fn entry(&self, server: &ServerId) -> (String, Option<String>) {
        let line = self.card.as_ref().map(|companions| {
            let names = companions.iter().flat_map(|(moid, miid)| [moid.as_str(), miid.as_str()]);
            // A line is never empty.
            text::join(std::iter::once("card").chain(names).map(Some))
        });
        (format!("{ACCOUNT}{}/{server}", self.protocol.name()), line)
    }
}

/// The account of an entry, if it is one of these.
fn account(key: &str) -> Option<Account> {
    let (protocol, server) = key.strip_prefix(ACCOUNT)?.split_once('/')?;
    let protocol = [Protocol::Dm1, Protocol::Dm2].into_iter().find(|known| known.name() == protocol)?;
    Some((protocol, ServerId::parse(server).ok()?))
}

/// What came with an account.
fn companions(line: &str) -> Vec<(Moid, Miid)> {
    let fields: Vec<String> = text::split(line).unwrap_or_default().into_iter().flatten().collect();
    let pairs = fields.get(1..).unwrap_or_default().chunks_exact(2);
    let pair = |pair: &[String]| match pair {
        [moid, miid] => Some((Moid::parse(moid).ok()?, Miid::parse(miid).ok()?)),
        _ => None,
    };
    pairs.filter_map(pair).collect()
}

/// Entries of accounts that are gone.
pub(crate) fn orphans(tree: &Tree, entries: &Entries) -> Vec<(String, Option<String>)> {
    let is_orphan =
        |key: &&String| account(key).is_some_and(|(protocol, server)| protocol.root(tree, &server).is_none());
    entries.keys().filter(is_orphan).map(|key| (key.clone(), None)).collect()
}

/// By which what is on a card is known again.
pub(super) fn digest(content: &[u8]) -> String {
    openssl::sha::sha256(content).iter().map(|octet| format!("{octet:02x}")).collect()
}

impl Device {
    /// The accounts that came from a card.
    pub(super) fn card_accounts(&self) -> Vec<Account> {
        let accounts = self.entries.keys().filter_map(|key| account(key));
        accounts.filter(|(protocol, server)| protocol.root(&self.tree, server).is_some()).collect()
    }

    /// Whether exactly this was applied last, and its accounts are all there.
    pub(super) fn is_applied(&self, content: &[u8], here: &[Account]) -> bool {
        let known = self.card_accounts();
        self.entries.get(CONTENT) == Some(&digest(content))
            && here.iter().all(|account| known.contains(account))
    }

    /// Remembers what was applied.
    pub(super) fn note_card(&mut self, digest: &str) -> Result<(), PersistError> {
        let entry = (CONTENT.to_owned(), Some(digest.to_owned()));
        self.append(&Batch { nodes: Vec::new(), entries: vec![entry] })
    }

    /// Removes the accounts that came from a card, but for `here`, and what came with them alone. Gives the servers.
    pub(super) fn keep_card_accounts(&mut self, here: &[Account]) -> Result<Vec<ServerId>, ClientError> {
        let (kept, gone): (Vec<_>, Vec<_>) =
            self.card_accounts().into_iter().partition(|account| here.contains(account));
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let with = |(protocol, server): &Account| {
            let entry = Origins::elsewhere(*protocol).entry(server);
            self.entries.get(&entry.0).map(|line| companions(line)).unwrap_or_default()
        };
        let shared: Vec<(Moid, Miid)> = kept.iter().flat_map(with).collect();
        let own = gone.iter().flat_map(with).filter(|companion| !shared.contains(companion));
        let instances =
            own.filter_map(|(moid, miid)| self.tree.instance(&moid, &miid)).map(|instance| instance.root);
        let accounts = gone.iter().filter_map(|(protocol, server)| protocol.root(&self.tree, server));
        let nodes: Vec<NodeId> = accounts.chain(instances).collect();
        let mut entries: Vec<_> =
            gone.iter().map(|(protocol, server)| Origins::elsewhere(*protocol).entry(server)).collect();
        entries.push((CONTENT.to_owned(), None));
        let mut transaction = self.tree.begin(Actor::Device, (self.config.clock)());
        for node in nodes {
            // What came with an account may stand below it.
            if transaction.tree().node(node).is_some() {
                transaction.remove(node).map_err(PluginError::from)?;
            }
        }
        let prepared = transaction.prepare();
        self.keep(prepared, entries)?;
        self.tidy();
        Ok(gone.into_iter().map(|(_, server)| server).collect())
    }
}
