//! How much is kept of what goes after a while: sums over ranges of time, so that nothing is ever counted all at once.

use omadm_mo::Time;

use crate::StoreError;

/// What is kept for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// Finished commands with their results and payloads, by when they were finished.
    Results,
    /// Sessions with their traces, by when they began.
    Traces,
    /// What devices have sent beside their sessions.
    Uploads,
    /// Events.
    Events,
    /// Entries of the audit log.
    Audit,
}

impl Kept {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Results, Self::Traces, Self::Uploads, Self::Events, Self::Audit];

    /// The name for people and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Results => "results",
            Self::Traces => "traces",
            Self::Uploads => "uploads",
            Self::Events => "events",
            Self::Audit => "audit",
        }
    }

    /// The inverse of [`Kept::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kept| kept.as_str() == text)
    }
}

/// A range of time, and what was in it when that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptRange {
    /// It begins after this time.
    pub since: Time,
    /// It ends with this time.
    pub until: Time,
    /// What is in it.
    pub size: KeptSize,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptSize {
    /// Entries.
    pub entries: i64,
    /// About so many octets: those of bodies and texts, and [`KeptSize::ENTRY`] for each entry.
    pub octets: i64,
}

impl KeptSize {
    /// What an entry takes beside its bodies and texts, in octets.
    pub const ENTRY: i64 = 128;
    /// Most entries that are read at a time to be counted. A range has no more, unless they are of one instant.
    pub const PAGE: u32 = 10_000;
}

/// The part of [`crate::Store`] that knows how much is kept. One node at a time counts.
#[async_trait::async_trait]
pub trait KeptStore: Send + Sync + 'static {
    /// Counts on from where it was counted to, up to `until` or a page of entries, in ranges of `most` octets or few more; gives whether
    /// there is more to count. Ranges that end later are forgotten: they come of a clock that was ahead.
    async fn count_kept(&self, kept: Kept, until: Time, most: i64) -> Result<bool, StoreError>;
    /// All that was counted.
    async fn kept_size(&self, kept: Kept) -> Result<KeptSize, StoreError>;
    /// The first range that ends after a time.
    async fn kept_range(&self, kept: Kept, after: Time) -> Result<Option<KeptRange>, StoreError>;
    /// Counts a range again; gives what is in it now.
    async fn recount_kept(&self, kept: Kept, range: KeptRange) -> Result<KeptSize, StoreError>;
    /// Forgets the range that ends so: what is still in it is counted no more.
    async fn forget_kept(&self, kept: Kept, until: Time) -> Result<(), StoreError>;
    /// Removes what is older than `before`, at most `limit` rows; gives how many. Less than `limit` means that nothing older is left that may
    /// go. The audit log is left alone: [`crate::PeopleStore::prune_audit`].
    async fn prune_kept(&self, kept: Kept, before: Time, limit: u32) -> Result<u32, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_name() {
        for kept in Kept::ALL {
            assert_eq!(Kept::parse(kept.as_str()), Some(kept));
        }
        assert_eq!(Kept::parse("Traces"), None);
    }
}
