//! Addresses that can be used without credentials: download agents have none of the DM account.

use std::time::Duration;

use omadm_auth::Secret;
use omadm_mo::Time;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use uuid::Uuid;

/// Separates these MACs from others under the same key.
const PURPOSE: &[u8] = b"omadm package ticket 1\0";
/// Octets of a MAC that stand in a ticket.
const MAC: usize = 16;

/// Makes and checks tickets: `EXPIRY.MAC`, the time in seconds and 128 bits of an HMAC-SHA256 over it and the package.
pub struct Tickets {
    key: Secret,
    lifetime: i64,
}

impl Tickets {
    /// Tickets under a key, good for so long.
    pub fn new(key: &Secret, lifetime: Duration) -> Self {
        Self { key: key.clone(), lifetime: i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX) }
    }

    /// A ticket for a package.
    pub fn issue(&self, package: Uuid, now: Time) -> String {
        let expiry = (now.0 / 1_000_000).saturating_add(self.lifetime);
        format!("{expiry}.{}", self.mac(package, expiry))
    }

    /// Whether a ticket is one of ours for this package, and its time is not over.
    pub fn admits(&self, ticket: &str, package: Uuid, now: Time) -> bool {
        let Some((expiry, mac)) = ticket.split_once('.') else { return false };
        let Ok(expiry) = expiry.parse::<i64>() else { return false };
        let expected = self.mac(package, expiry);
        let is_ours = expected.len() == mac.len() && openssl::memcmp::eq(expected.as_bytes(), mac.as_bytes());
        is_ours && !expected.is_empty() && now.0 / 1_000_000 < expiry
    }

    /// In hexadecimal digits; empty if OpenSSL cannot make one.
    fn mac(&self, package: Uuid, expiry: i64) -> String {
        let mac = PKey::hmac(self.key.expose()).and_then(|key| {
            let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
            signer.update(PURPOSE)?;
            signer.update(package.as_bytes())?;
            signer.update(&expiry.to_be_bytes())?;
            signer.sign_to_vec()
        });
        match mac {
            Ok(mac) => mac.iter().take(MAC).map(|octet| format!("{octet:02x}")).collect(),
            Err(error) => {
                tracing::error!(%error, "no MAC for the address of a package");
                String::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_for_one_package_and_a_time() {
        let tickets = Tickets::new(&Secret::new(vec![1; 32]), Duration::from_secs(60));
        let (package, now) = (Uuid::from_u128(1), Time::from_secs(1_000));
        let ticket = tickets.issue(package, now);
        assert!(tickets.admits(&ticket, package, now));
        assert!(tickets.admits(&ticket, package, Time::from_secs(1_059)));
        assert!(!tickets.admits(&ticket, package, Time::from_secs(1_060)), "its time is over");
        assert!(!tickets.admits(&ticket, Uuid::from_u128(2), now), "it is for another");
        let (expiry, mac) = ticket.split_once('.').unwrap();
        for forged in [
            format!("{}.{mac}", 9_999),
            format!("{expiry}.{}", "0".repeat(32)),
            format!("{expiry}."),
            mac.to_owned(),
        ] {
            assert!(!tickets.admits(&forged, package, now), "{forged}");
        }
        let other = Tickets::new(&Secret::new(vec![2; 32]), Duration::from_secs(60));
        assert!(!other.admits(&ticket, package, now), "another server made it");
    }
}
