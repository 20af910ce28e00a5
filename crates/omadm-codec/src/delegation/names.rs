//! Every name of the format [choice: those of OMA's schema are not public].

pub(super) const ROOT: &str = "DelegationMessage";
pub(super) const VERSION: &str = "version";
pub(super) const MSG_ID: &str = "MsgID";
pub(super) const TIMESTAMP: &str = "Timestamp";
pub(super) const FROM: &str = "From";
pub(super) const TO: &str = "To";

pub(super) const REQUEST: &str = "DelegationRequest";
pub(super) const RESPONSE: &str = "DelegationResponse";
pub(super) const CANCEL: &str = "DelegationCancel";
pub(super) const NOTIFY: &str = "DelegationNotify";

pub(super) const DELEGATION_ID: &str = "DelegationID";
pub(super) const SERVER_ID: &str = "ServerID";
pub(super) const DEVICE_ID: &str = "DeviceID";
pub(super) const MANUFACTURER: &str = "Man";
pub(super) const MODEL: &str = "Mod";
pub(super) const TARGET: &str = "Target";
pub(super) const RIGHTS: &str = "Rights";
pub(super) const TYPE: &str = "Type";
pub(super) const MODE: &str = "mode";
pub(super) const SESSION_ID: &str = "SessionID";
pub(super) const NOT_BEFORE: &str = "NotBefore";
pub(super) const NOT_AFTER: &str = "NotAfter";
pub(super) const REASON: &str = "Reason";
pub(super) const STATUS: &str = "Status";
pub(super) const ITEM_STATUS: &str = "ItemStatus";
pub(super) const LOC_URI: &str = "LocURI";
pub(super) const EVENT: &str = "Event";

pub(super) const TEMPORARY: &str = "temporary";
pub(super) const PERMANENT: &str = "permanent";
pub(super) const SHARED: &str = "shared";
pub(super) const EXCLUSIVE: &str = "exclusive";

pub(super) const ACTIVE: &str = "active";
pub(super) const REVOKED: &str = "revoked";
pub(super) const FAILED: &str = "failed";
pub(super) const RELEASED: &str = "released";
pub(super) const PROGRESS: &str = "progress";
