//! The words of the standard as types; each has one checked way in.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::fmt;

use crate::error::AddressError;

/// Longest name in bytes that any of these types takes.
pub const MAX_NAME: usize = 255;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` if it is a legal name of this kind (decoded form, no percent-encoding).
            ///
            /// # Errors
            /// [`AddressError`] says which rule `text` breaks.
            pub fn parse(text: &str) -> Result<Self, AddressError> {
                let check: fn(&str) -> bool = $check;
                if text.is_empty() {
                    return Err(AddressError::Empty { what: $what });
                }
                if text.len() > MAX_NAME {
                    return Err(AddressError::TooLong { what: $what, limit: MAX_NAME });
                }
                if text.chars().any(char::is_control) || !check(text) {
                    return Err(AddressError::Illegal { what: $what, text: text.into() });
                }
                Ok(Self(Arc::from(text)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", $what, &*self.0)
            }
        }

        impl core::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// Management object identifier such as `urn:oma:mo:oma-fumo:1.0` (`DM 2.0 §6.1.1.1`).
    Moid, "MOID", |text| !text.contains(['?', '#', ' '])
);
name!(
    /// Identifier of one MO instance, unique within its MOID (`DM 2.0 §6.1.1.1`).
    Miid, "MIID", is_segment
);
name!(
    /// Name of one node, unique among its siblings (`DM 2.0 §6.3.1`).
    NodeName, "node name", is_segment
);
name!(
    /// Server identifier, the value of `<x>/SrvID` in a DM Account (`DM 2.0 §12.2`).
    ServerId, "server identifier", |_| true
);
name!(
    /// Device identifier, the value of `DevInfo/DevID` and of the `OMADM-DevID` header (`DM 2.0 §12.1`): printable ASCII without
    /// blanks, since a header carries nothing else.
    DeviceId, "DevID", |text| text.bytes().all(|byte| byte.is_ascii_graphic())
);

impl NodeName {
    /// The name of what is called `text` elsewhere and may have a `/`, which no name has: it is percent-encoded then, and so is `%` where it
    /// would read as if it were.
    ///
    /// # Errors
    /// As [`NodeName::parse`].
    pub fn escaped(text: &str) -> Result<Self, AddressError> {
        if !text.contains('/') && !looks_escaped(text) {
            return Self::parse(text);
        }
        Self::parse(&text.replace('%', "%25").replace('/', "%2F"))
    }

    /// The inverse of [`NodeName::escaped`].
    #[must_use]
    pub fn unescaped(&self) -> Cow<'_, str> {
        let text = self.as_str();
        if looks_escaped(text) { text.replace("%2F", "/").replace("%25", "%").into() } else { text.into() }
    }

    /// The name of the tree root, `.`, which no other node can have.
    pub(crate) fn root() -> Self {
        Self(Arc::from("."))
    }
}

impl From<&Miid> for NodeName {
    /// Both obey the same rules: an un-named MO root is named by its MIID.
    fn from(miid: &Miid) -> Self {
        Self(Arc::clone(&miid.0))
    }
}

/// Whether a text is read as percent-encoded, also one that is not meant so and has to be encoded for that.
fn looks_escaped(text: &str) -> bool {
    text.contains("%2F") || text.contains("%25")
}

/// Whether `text` can stand between two slashes of an address and mean itself: no wildcard, no x-name, no dot segment
/// (RFC 3986 §5.2.4 would remove it, and DM 1.x paths forbid it).
fn is_segment(text: &str) -> bool {
    !text.contains('/') && !matches!(text, "*" | "." | "..") && !is_x_name(text)
}

/// Three characters such as `(x)` would read as an x-name in an address.
fn is_x_name(text: &str) -> bool {
    matches!(text.as_bytes(), [b'(', letter, b')'] if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_mean_something_else_in_an_address_are_refused() {
        for text in ["*", "(x)", ".", "..", "a/b", "", "a\nb"] {
            assert!(NodeName::parse(text).is_err(), "{text:?}");
            assert!(Miid::parse(text).is_err(), "{text:?}");
        }
        for text in ["(xy)", "...", "urn:oma:mo:x:1.0", "ä b", "a*"] {
            assert!(NodeName::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_device_has_an_identifier_that_a_header_can_carry() {
        for text in ["", "IMEI: 1", "X\u{202e}:2", "ä", "a\tb", "a\u{7f}"] {
            assert!(DeviceId::parse(text).is_err(), "{text:?}");
        }
        for text in ["IMEI:1", "UUID:0f9b7a52-58a5-4b1d-8f43-3b6f3d0f0c11", "!~"] {
            assert!(DeviceId::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn length_is_limited_in_bytes() {
        assert!(NodeName::parse(&"n".repeat(MAX_NAME)).is_ok());
        assert!(NodeName::parse(&"n".repeat(MAX_NAME + 1)).is_err());
        assert!(matches!(NodeName::parse(&"ä".repeat(MAX_NAME)), Err(AddressError::TooLong { .. })));
    }
}
