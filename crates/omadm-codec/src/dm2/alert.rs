//! Generic Alerts (`DM 2.0 §5.4, §7.2.1.5, Appendix D`).

use omadm_mo::ClientUri;

/// `urn:oma:at:dm:2.0:ServerInitiatedMgmt`.
pub const SERVER_INITIATED: &str = "urn:oma:at:dm:2.0:ServerInitiatedMgmt";
/// `urn:oma:at:dm:2.0:ClientInitiatedMgmt`.
pub const CLIENT_INITIATED: &str = "urn:oma:at:dm:2.0:ClientInitiatedMgmt";
/// `urn:oma:at:dm:2.0:BootstrapComplete`.
pub const BOOTSTRAP_COMPLETE: &str = "urn:oma:at:dm:2.0:BootstrapComplete";

/// Importance of an alert; absent on the wire means informational.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Mark {
    Fatal,
    Critical,
    Minor,
    Warning,
    #[default]
    Informational,
    Harmless,
    Indeterminate,
}

/// One Generic Alert. `source` and `target` are text on this level: a server keeps what a device sends, a client builds them from
/// [`ClientUri`] by [`Alert::about`].
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// `AlertType`, required.
    pub alert_type: String,
    /// `SourceURI`.
    pub source: Option<String>,
    /// `TargetURI`.
    pub target: Option<String>,
    /// `Mark`.
    pub mark: Mark,
    /// `DataType` and `Data`: the encoder cannot write one without the other.
    pub data: Option<AlertData>,
}

/// `Data` with its `DataType`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertData {
    /// `DataType`, a media type; a received alert may lack it.
    pub data_type: Option<String>,
    /// `Data`, an object on sending.
    pub data: serde_json::Value,
}

impl Alert {
    /// An alert of this type, informational, nothing else.
    #[must_use]
    pub fn new(alert_type: &str) -> Self {
        Self { alert_type: alert_type.into(), source: None, target: None, mark: Mark::default(), data: None }
    }
    /// The same alert about a node.
    #[must_use]
    pub fn about(mut self, source: &ClientUri) -> Self {
        self.source = Some(source.to_string());
        self
    }
}
