//! HTTP Basic authentication (`RFC 2617 §2`, `DM 2.0 §9.2.1`).

use crate::secret::Secret;

/// User name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicCredentials {
    /// User name; holds no `:`.
    pub user: String,
    /// Password.
    pub password: Secret,
}

impl BasicCredentials {
    /// Reads an `Authorization` value. `None` when it is another scheme or malformed.
    #[must_use]
    pub fn from_header(_value: &str) -> Option<Self> {
        todo!()
    }
    /// The `Authorization` value.
    #[must_use]
    pub fn to_header(&self) -> Secret {
        todo!()
    }
}
