//! Forms of a log.

use serde::{Deserialize, Serialize};

/// The form of a log: `text` (default), a line for people, or `json`, an object a line for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "described above")]
pub enum LogForm {
    #[default]
    Text,
    Json,
}
