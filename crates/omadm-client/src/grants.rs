//! Rights that the device itself gives, beside those of creators and delegation (`DM 2.0 §10, §12.3`).

use std::collections::BTreeSet;

use omadm_mo::{Authority, Change, Miid, Moid, Rights, ServerId, Tree};

#[cfg(feature = "dm1")]
use crate::dm1::Accounts as _;
use crate::error::ClientError;
use crate::text;

/// Entry of the key/value area: what was granted.
pub(crate) const ENTRY: &str = "grants";

/// Who gets the rights of a [`Grant`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// `*`: every server and local application.
    Everyone,
    /// Each server that has an account, those to come included.
    Bootstrapped,
    /// One server.
    Server(ServerId),
}

/// Rights on all instances of a management object.
///
/// Each combination of instance, path, authority and rights is granted once: what a server with the Delegate right changes
/// later stays changed, and a grant that leaves the configuration is not taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The management object.
    pub moid: Moid,
    /// Sub-tree, as the Path node of the Delegation Access Control MO; `/` is the whole instance.
    pub path: String,
    /// Who.
    pub to: Grantee,
    /// Which rights.
    pub rights: Rights,
}

/// A [`Grant`] on one instance to one authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Single {
    moid: Moid,
    miid: Miid,
    path: String,
    authority: Authority,
    rights: Rights,
}

impl Single {
    /// Puts the rights into the tree.
    pub(crate) fn apply(&self, tree: &mut Change<'_>) -> Result<(), ClientError> {
        tree.grant(&self.moid, &self.miid, &self.path, &self.authority, self.rights)
            .map_err(|source| ClientError::Grant { moid: self.moid.to_string(), source })
    }

    /// How it is remembered.
    fn mark(&self) -> String {
        let authority = match &self.authority {
            Authority::Server(server) => format!("serverid:{server}"),
            Authority::Application(application) => format!("appid:{application}"),
            Authority::Everyone => "*".to_owned(),
        };
        let Self { moid, miid, path, rights, .. } = self;
        let rights = rights.ar().to_string();
        text::join([moid.as_str(), miid.as_str(), path, &authority, &rights].map(Some))
    }
}

/// What to remember from now on and which grants are due; `None` when all is as remembered.
pub(crate) fn due(
    tree: &Tree,
    grants: &[Grant],
    remembered: Option<&String>,
) -> Option<(String, Vec<Single>)> {
    let remembered: BTreeSet<&str> = marks(remembered).collect();
    let wanted: Vec<(String, Single)> =
        grants.iter().flat_map(|grant| expand(tree, grant)).map(|single| (single.mark(), single)).collect();
    let marks: BTreeSet<&str> = wanted.iter().map(|(mark, _)| mark.as_str()).collect();
    if marks == remembered {
        return None;
    }
    let value = lines(marks);
    let new = wanted.iter().filter(|(mark, _)| !remembered.contains(mark.as_str()));
    Some((value, new.map(|(_, single)| single.clone()).collect()))
}

/// The entry that forgets what was granted on these instances, if anything was: rights go with their instance, and one that is
/// made anew gets them anew.
pub(crate) fn forget(
    remembered: Option<&String>,
    instances: &[(Moid, Miid)],
) -> Option<(String, Option<String>)> {
    let heads: Vec<String> = instances.iter().map(|(moid, miid)| head(moid, miid)).collect();
    let is_gone = |mark: &&str| heads.iter().any(|head| mark.starts_with(head.as_str()));
    marks(remembered).any(|mark| is_gone(&mark)).then(|| {
        let kept = marks(remembered).filter(|mark| !is_gone(mark));
        (ENTRY.to_owned(), Some(lines(kept)))
    })
}

/// The marks of the entry.
fn marks(remembered: Option<&String>) -> impl Iterator<Item = &str> {
    remembered.into_iter().flat_map(|marks| marks.lines())
}

fn lines<'m>(marks: impl IntoIterator<Item = &'m str>) -> String {
    marks.into_iter().collect::<Vec<_>>().join("\n")
}

/// How the marks of an instance begin.
fn head(moid: &Moid, miid: &Miid) -> String {
    text::join([moid.as_str(), miid.as_str()].map(Some)) + " "
}

/// The servers that have an account, of whichever protocol.
fn servers(tree: &Tree) -> BTreeSet<ServerId> {
    let servers = tree.accounts().map(|(server, _)| server);
    #[cfg(feature = "dm1")]
    let servers = servers.chain(tree.dm1_accounts().map(|(server, _)| server));
    servers.collect()
}

fn expand(tree: &Tree, grant: &Grant) -> Vec<Single> {
    let authorities: Vec<Authority> = match &grant.to {
        Grantee::Everyone => vec![Authority::Everyone],
        Grantee::Server(server) => vec![Authority::Server(server.clone())],
        Grantee::Bootstrapped => servers(tree).into_iter().map(Authority::Server).collect(),
    };
    let on = |miid: &Miid, authority: &Authority| Single {
        moid: grant.moid.clone(),
        miid: miid.clone(),
        path: grant.path.clone(),
        authority: authority.clone(),
        rights: grant.rights,
    };
    tree.instances_of(&grant.moid)
        .flat_map(|instance| authorities.iter().map(|authority| on(&instance.miid, authority)))
        .collect()
}
