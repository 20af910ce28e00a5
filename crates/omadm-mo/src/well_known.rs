//! MOIDs and node names that the protocol itself refers to.

/// DevInfo (`DM 2.0 §12.1`).
pub const DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.2";
/// DM Account (`DM 2.0 §12.2`).
pub const DMACC: &str = "urn:oma:mo:oma-dm-dmacc:1.2";
/// Delegation Access Control (`DM 2.0 §12.3`).
pub const DACMO: &str = "urn:oma:mo:oma-dm-dacmo:1.0";
/// Session Information (`DM 2.0 §12.4`).
pub const SESSION_INFO: &str = "urn:oma:mo:oma-sessioninfomo:1.0";
/// What the MOIDs of the DM 1.x Inbox begin with (`DM 1.3 STDOBJ §5.3.4`).
pub const INBOX: &str = "urn:oma:mo:oma-dm-inbox:";
/// What the MOIDs of DM Accounts begin with, whatever the version.
pub const DMACC_ANY: &str = "urn:oma:mo:oma-dm-dmacc:";
