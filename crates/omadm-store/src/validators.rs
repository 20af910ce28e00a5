//! What is known of the state that the last known tree shows.

/// The cache validator of an MO instance of which the last known tree holds all, as it was with this validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    /// MOID.
    pub moid: String,
    /// MIID.
    pub miid: String,
    /// The validator, as the device gave it.
    pub value: String,
}

/// A change to the cache validators of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValidatorChange {
    /// The tree holds all of the instance, as it is with this validator.
    Keep(Validator),
    /// What the tree holds may be another state. An empty MIID means all instances, an empty MOID all of the device.
    Drop {
        /// MOID.
        moid: String,
        /// MIID.
        miid: String,
    },
}

impl ValidatorChange {
    /// Whether it is about this instance.
    #[must_use]
    pub fn concerns(&self, moid: &str, miid: &str) -> bool {
        match self {
            Self::Keep(kept) => kept.moid == moid && kept.miid == miid,
            Self::Drop { moid: of, miid: only } => {
                (of.is_empty() || of == moid) && (only.is_empty() || only == miid)
            }
        }
    }
}
