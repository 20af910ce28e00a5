//! Who does what one of several nodes has to do.

use omadm_mo::Time;

use crate::StoreError;

/// A piece of work that one node at a time does, held by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The work, such as `notifier`.
    pub name: String,
    /// Who holds it: a name that no other process has, also not the one that comes after it on the same machine.
    pub owner: String,
    /// Higher than that of whoever held it before. Who writes with a lower one was too slow, and another has taken over.
    pub fence: i64,
    /// When it is over unless it is held on to.
    pub expires: Time,
}

/// The part of [`crate::Store`] that is about leases.
#[async_trait::async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Takes a lease until `until`, or holds on to it; `None` while another has it. One that lasts for more than twice the time from `now`
    /// to `until` is taken for that of a clock that was wrong, and does not count. It is for whoever asks once it is over at `now`:
    /// clocks of nodes that differ make it change hands early or late, so what is done under it has to bear being done twice.
    async fn acquire_lease(
        &self,
        name: &str,
        owner: &str,
        now: Time,
        until: Time,
    ) -> Result<Option<Lease>, StoreError>;
    /// Holds on to a lease until `until`; `false` if another has taken it since.
    async fn renew_lease(&self, lease: &Lease, until: Time) -> Result<bool, StoreError>;
    /// Gives a lease back, so that another need not wait; `false` if another has taken it since.
    async fn release_lease(&self, lease: &Lease) -> Result<bool, StoreError>;
    /// All leases that were ever held, by name.
    async fn leases(&self) -> Result<Vec<Lease>, StoreError>;
}
