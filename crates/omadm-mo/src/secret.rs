//! Which nodes hold secrets by the standard, for those who keep records of what devices and servers say.

use crate::alias::account_paths;
use crate::client_uri::{ClientUri, Segment};

/// How a MOID of a DM Account ends but for its version: other versions and spellings are accounts as well.
const ACCOUNT: &str = "oma:mo:oma-dm-dmacc";

/// Paths below the root of a DM Account to the leaves that hold secrets (`DM 2.0 §12.2`).
const SECRETS: [&[&str]; 3] =
    [&["Auth", "Bootstrap", "ClientSecretKey"], &["Auth", "Noti", "Secret"], &["Auth", "Trsp", "Secret"]];

impl ClientUri {
    /// Whether a secret of a DM Account may be at this address or below. When in doubt it may.
    #[must_use]
    pub fn may_hold_secrets(&self) -> bool {
        if !self.moid.as_str().contains(ACCOUNT) {
            return false;
        }
        let renamed = account_paths(self);
        let path = renamed.as_ref().map_or(&self.path, |uri| &uri.path);
        SECRETS.iter().any(|secret| path.iter().zip(*secret).all(|(segment, name)| may_be(segment, name)))
    }
}

/// Letter case is looked through, whatever the definition says: a secret must not be missed.
fn may_be(segment: &Segment, name: &str) -> bool {
    match segment {
        Segment::Name(given) => given.as_str().eq_ignore_ascii_case(name),
        Segment::XName(_) | Segment::Wildcard => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_hold_secrets(address: &str) -> bool {
        ClientUri::parse(address).unwrap().may_hold_secrets()
    }

    #[test]
    fn secrets_are_found_at_and_below_an_address() {
        for address in [
            "urn:oma:mo:oma-dm-dmacc:1.2//",
            "urn:oma:mo:oma-dm-dmacc:1.2/a/Auth",
            "urn:oma:mo:oma-dm-dmacc:1.2/a/Auth/Trsp/Secret",
            "urn:oma:mo:oma-dm-dmacc:1.2/a/auth/NOTI/secret",
            "urn:oma:mo:oma-dm-dmacc:1.2/a/Auth/Bootstrap/ClientSecretKey",
            "urn:oma:mo:oma-dm-dmacc:1.2/*/*/Noti?lv=1",
            "oma:mo:oma-dm-dmacc:2.0/(x)/AuthNoti/AuthSecret?nv=(x)/ServerID:DMS1",
            "urn:oma:mo:oma-dm-dmacc:1.2//Credentials/Noti",
        ] {
            assert!(may_hold_secrets(address), "{address}");
        }
        for address in [
            "urn:oma:mo:oma-dm-dmacc:1.2//SrvURI",
            "urn:oma:mo:oma-dm-dmacc:1.2//Auth/Noti/Data",
            "urn:oma:mo:oma-dm-dmacc:1.2//Auth/Bootstrap/ClientPubKey",
            "urn:oma:mo:oma-dm-devinfo:1.2//",
            "urn:x:mo:1.0//Auth/Trsp/Secret",
        ] {
            assert!(!may_hold_secrets(address), "{address}");
        }
    }
}
