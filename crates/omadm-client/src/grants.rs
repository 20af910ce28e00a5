//! Rights that the device itself gives, beside those of creators and delegation (`DM 2.0 §10, §12.3`).

use omadm_mo::{Moid, Rights, ServerId};
use serde::{Deserialize, Serialize};

/// Who gets the rights of a [`Grant`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grantee {
    /// `*`: every server and local application.
    Everyone,
    /// Each server that has an account, those to come included.
    Bootstrapped,
    /// One server.
    Server(String),
}

/// Rights on all instances of a management object.
///
/// Each combination of instance, path and authority is granted once: what a server with the Delegate right changes later
/// stays changed.
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
