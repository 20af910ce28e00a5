//! What the store says when it cannot.

/// Errors of every engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Something changed between read and write: read again and repeat.
    #[error("the device's state changed meanwhile: {0}")]
    Conflict(&'static str),
    /// An enrolment of a device that exists.
    #[error("{0} is already enrolled; remove it first or ask for a replacement")]
    Exists(String),
    /// A user name that another device has.
    #[error("the user name {0} belongs to another device")]
    UserTaken(String),
    /// No such device.
    #[error("{0} is not enrolled")]
    DeviceUnknown(String),
    /// The queue of the device is full.
    #[error(
        "{device} has {limit} commands waiting, which is the limit; cancel some or raise queue.max_per_device"
    )]
    QueueFull {
        /// The device.
        device: String,
        /// The limit.
        limit: u32,
    },
    /// A filter whose groups are missing or go round in a circle.
    #[error("the filter: {0}")]
    Filter(#[from] crate::filter::FilterError),
    /// A new profile of a name that is taken.
    #[error("there is a profile {0} already")]
    ProfileExists(String),
    /// A version that was made from one that is not the newest any more.
    #[error("the profile {0} was changed or removed meanwhile; look at what it says now")]
    ProfileChanged(String),
    /// A new group of a name that is taken.
    #[error("there is a group {0} already")]
    GroupExists(String),
    /// No such group.
    #[error("there is no group {0}")]
    GroupUnknown(String),
    /// A group that something uses.
    #[error("the group {name} is used by {}; end that first", .by.join(", "))]
    GroupInUse {
        /// The group.
        name: String,
        /// By what, the first few.
        by: Vec<String>,
    },
    /// More labels than a device may have.
    #[error("{device} would have more than {limit} labels (fleet.max_labels); remove some")]
    TooManyLabels {
        /// The device.
        device: String,
        /// The limit.
        limit: usize,
    },
    /// The engine failed.
    #[error("the store failed: {0}")]
    Engine(String),
    /// The engine cannot be reached now, has no room left, or has given up on what was asked; it may serve again soon. Whether what was
    /// written is kept is not known: read again and repeat.
    #[error("the store cannot serve now: {0}")]
    Unavailable(String),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same may go well in a while.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The same failure for another of those whom it concerns.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Unavailable(why) => Self::Unavailable(why.clone()),
            Self::Engine(why) => Self::Engine(why.clone()),
            other => Self::Engine(other.to_string()),
        }
    }
}
