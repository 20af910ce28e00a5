//! Bootstraps put into the tree: all of it or nothing, durable with what is remembered of it.

use omadm_mo::dm1::{Dm1Uri, UriLimits};
use omadm_mo::well_known::INBOX;
use omadm_mo::{Actor, Miid, Moid, NodeId, Prepared, ServerId};
use omadm_session::dm1::bootstrap::{Account as Brought, DMACC, INBOX as INBOX_PATH};

use super::candidate::{Strength, Verified};
use super::objects::Objects;
use super::{BootstrapConfig, Candidate, Refused};
use crate::consent::{BootstrapRequest, Origin, RequestedAccount};
use crate::device::{Device, made};
use crate::dm1::account::{Account, Accounts as _};
use crate::dm1::link::Link;
use crate::error::{ClientError, PluginError};
use crate::persistence::Entries;
use crate::smartcard::{Origins, Protocol};
use crate::text;

/// How the keys of the entries begin that say how an account came and what came with it; the server follows.
const ORIGIN: &str = "dm1/origin/";
/// Entry of the key/value area: digests of the bootstraps that were installed last.
const INSTALLED: &str = "dm1/bootstraps";
/// How many of these are remembered.
const MAX_INSTALLED: usize = 64;
/// How the keys of the entries begin that say that the first session after a bootstrap is still due; the server follows.
const PENDING: &str = "dm1/pending/";

/// The server of an entry, if it is one of these.
pub(crate) fn server(key: &str) -> Option<&str> {
    [ORIGIN, PENDING].iter().find_map(|of| key.strip_prefix(of))
}

/// The entry that says that a server has had its first session.
pub(crate) fn reported(server: &ServerId) -> (String, Option<String>) {
    (pending(server), None)
}

fn pending(server: &ServerId) -> String {
    format!("{PENDING}{server}")
}

/// The entry that forgets how the account of a server came.
pub(crate) fn forget(server: &ServerId) -> (String, Option<String>) {
    (format!("{ORIGIN}{server}"), None)
}

/// How an account came, and what came with it.
struct Memory {
    strength: Strength,
    companions: Vec<(Moid, Miid)>,
}

impl Memory {
    /// What is kept of a server. An account that came in another way than by a bootstrap was put there by who may do anything.
    fn of(entries: &Entries, server: &ServerId) -> Self {
        let read = |line: &String| {
            let mut fields = text::split(line)?.into_iter();
            let strength = Strength::named(&fields.next()??)?;
            let mut companions = Vec::new();
            while let (Some(moid), Some(miid)) = (fields.next().flatten(), fields.next().flatten()) {
                companions.push((Moid::parse(&moid).ok()?, Miid::parse(&miid).ok()?));
            }
            Some(Self { strength, companions })
        };
        let kept = entries.get(&format!("{ORIGIN}{server}")).and_then(read);
        kept.unwrap_or(Self { strength: Strength::Strong, companions: Vec::new() })
    }

    /// The entry that keeps it.
    fn entry(&self, server: &ServerId) -> (String, Option<String>) {
        let companions = self.companions.iter().flat_map(|(moid, miid)| [moid.as_str(), miid.as_str()]);
        let line = text::join(std::iter::once(self.strength.as_str()).chain(companions).map(Some));
        (format!("{ORIGIN}{server}"), Some(line))
    }
}

/// A bootstrap in the tree that is not durable yet.
struct Placed {
    prepared: Prepared,
    accounts: Vec<(ServerId, Brought)>,
    /// Instances that it made, accounts excepted.
    companions: Vec<(Moid, Miid)>,
}

impl Device {
    /// Whether a bootstrap that was pushed is one of the last 64 that were installed: what was sent again needs nobody's attention, and
    /// somebody who recorded it must not bring back what has changed since.
    #[must_use]
    pub fn knows_dm1_bootstrap(&self, candidate: &Candidate) -> bool {
        let is_pushed = matches!(candidate.origin(), Origin::Pushed { .. });
        is_pushed && self.installed().any(|known| known == candidate.digest())
    }

    /// Servers with an account of DM 1.x that a bootstrap brought, and with which no session has come to its end since.
    #[must_use]
    pub fn dm1_bootstraps_pending(&self) -> Vec<ServerId> {
        let servers = self.tree.dm1_accounts().map(|(server, _)| server);
        servers.filter(|server| self.entries.contains_key(&pending(server))).collect()
    }

    fn installed(&self) -> impl Iterator<Item = &str> {
        self.entries.get(INSTALLED).into_iter().flat_map(|lines| lines.lines())
    }

    /// What a bootstrap would do, for whoever has to agree. Nothing is kept.
    pub(crate) fn examine_dm1_bootstrap(
        &mut self,
        verified: &Verified,
        config: &BootstrapConfig,
    ) -> Result<BootstrapRequest, ClientError> {
        let known: Vec<ServerId> = self.tree.dm1_accounts().map(|(server, _)| server).collect();
        let Placed { prepared, accounts, companions } = self.place_dm1_bootstrap(verified, config)?;
        self.take_back(prepared)?;
        let accounts = accounts.into_iter().map(|(server, account)| RequestedAccount {
            replaces: known.contains(&server),
            server,
            name: account.name.clone().unwrap_or_default(),
            uri: account.addresses.first().map(|address| address.address.clone()).unwrap_or_default(),
            moids: vec!["*".to_owned()],
        });
        let mut objects: Vec<Moid> = companions.into_iter().map(|(moid, _)| moid).collect();
        objects.sort();
        objects.dedup();
        Ok(BootstrapRequest { origin: verified.origin.clone(), accounts: accounts.collect(), objects })
    }

    /// Installs a bootstrap and gives its servers.
    pub(super) fn keep_dm1_bootstrap(
        &mut self,
        verified: &Verified,
        config: &BootstrapConfig,
    ) -> Result<Vec<ServerId>, ClientError> {
        let Placed { prepared, accounts, companions } = self.place_dm1_bootstrap(verified, config)?;
        let origins = Origins::of(Protocol::Dm1, &verified.origin, companions.clone());
        let memory = Memory { strength: verified.strength, companions };
        let new = verified.digest.clone();
        let earlier = self.installed().filter(|known| *known != new).take(MAX_INSTALLED - 1);
        let digests: Vec<&str> = std::iter::once(new.as_str()).chain(earlier).collect();
        let mut entries = vec![(INSTALLED.to_owned(), Some(digests.join("\n")))];
        for (server, _) in &accounts {
            entries.push(memory.entry(server));
            entries.push(origins.entry(server));
            entries.push(Link::default().entry(server));
            entries.push((pending(server), Some("true".to_owned())));
        }
        self.keep(prepared, entries)?;
        self.tidy();
        Ok(accounts.into_iter().map(|(server, _)| server).collect())
    }

    /// Puts a bootstrap into the tree, in place of earlier accounts of its servers and of what came with these.
    fn place_dm1_bootstrap(
        &mut self,
        verified: &Verified,
        config: &BootstrapConfig,
    ) -> Result<Placed, ClientError> {
        let Objects { documents, accounts } =
            Objects::read(verified, self.tree.catalogue(), &self.config, config)?;
        if !self.tree.instances().any(|instance| instance.moid.as_str().starts_with(INBOX)) {
            return Err(Refused::NoInbox.into());
        }
        let mut outdated = Vec::new();
        for (server, _) in &accounts {
            outdated.extend(self.outdated(server, verified.strength)?);
        }
        let inbox = Dm1Uri::parse(INBOX_PATH, &UriLimits::default(), true).map_err(Refused::from)?;
        let mut transaction = self.tree.begin(Actor::Device, (self.config.clock)());
        for node in outdated {
            // What came with an account may stand below it.
            if transaction.tree().node(node).is_some() {
                transaction.remove(node).map_err(PluginError::from)?;
            }
        }
        for document in &documents {
            transaction.dm1_add_tree(&inbox, document).map_err(Refused::from)?;
        }
        for (server, _) in &accounts {
            Account::read(transaction.tree(), server)?;
        }
        let mut companions = made(transaction.tree(), transaction.changes());
        companions.retain(|(moid, _)| !moid.as_str().starts_with(DMACC));
        Ok(Placed { prepared: transaction.prepare(), accounts, companions })
    }

    /// What a bootstrap of a server takes the place of.
    ///
    /// # Errors
    /// [`Refused::Weaker`].
    fn outdated(&self, server: &ServerId, strength: Strength) -> Result<Vec<NodeId>, Refused> {
        let weaker = || Refused::Weaker { server: server.clone() };
        // Rights go by the name of the server, whatever it speaks.
        if self.tree.account(server).is_some() && strength < Strength::Strong {
            return Err(weaker());
        }
        let Some(account) = self.tree.dm1_account(server) else { return Ok(Vec::new()) };
        let memory = Memory::of(&self.entries, server);
        if strength < memory.strength {
            return Err(weaker());
        }
        let others: Vec<Memory> = self
            .tree
            .dm1_accounts()
            .filter(|(other, _)| other != server)
            .map(|(other, _)| Memory::of(&self.entries, &other))
            .collect();
        let own =
            memory.companions.iter().filter(|of| !others.iter().any(|other| other.companions.contains(of)));
        let own = own.filter_map(|(moid, miid)| self.tree.instance(moid, miid)).map(|instance| instance.root);
        Ok(std::iter::once(account.id()).chain(own).collect())
    }
}
