//! Values of the key/value area that are JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::PersistError;

/// A value as text; `what` names it in the error.
pub(crate) fn write(what: &str, value: &impl Serialize) -> Result<String, PersistError> {
    serde_json::to_string(value)
        .map_err(|error| PersistError::Inconsistent(format!("{what} cannot be written: {error}")))
}

/// Reads a value; `None` when it is not what is looked for.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
