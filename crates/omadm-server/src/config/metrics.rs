//! Settings of what the server counts and measures.

use serde::{Deserialize, Serialize};

use super::Span;

/// `[metrics]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSection {
    /// Show `/metrics` to those on this machine without a token. Only where the operator listener is on a loopback address.
    pub open: bool,
    /// How often the figures of the whole store are read: one second or more.
    pub interval: Span,
}

impl Default for MetricsSection {
    fn default() -> Self {
        Self { open: false, interval: Span::secs(15) }
    }
}
