//! The TLS cipher suites of both sides and the policies that allow them (`DM 2.0 §9.2.2`): names only, no TLS.

use serde::{Deserialize, Serialize};

/// Which suites and versions of TLS are acceptable; each policy allows what those before it allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsPolicy {
    /// TLS 1.2 and later with forward secrecy and authenticated encryption.
    #[default]
    Modern,
    /// All suites of `DM 2.0 §9.2.2`, thus also those without forward secrecy and with CBC, over TLS 1.2 and later.
    Oma,
    /// TLS 1.0 and 1.1 beside, which sign with SHA-1.
    Legacy,
}

/// How the peers know each other in a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// X.509 certificates.
    Certificate,
    /// A pre-shared key (`RFC 4279`).
    SharedKey,
}

/// A cipher suite of TLS 1.2 and before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    /// Its registered name.
    pub name: &'static str,
    /// OpenSSL's name.
    pub openssl: &'static str,
    /// How the peers know each other.
    pub mode: Mode,
    /// The first policy that allows it.
    pub policy: TlsPolicy,
}

/// The suites of TLS 1.3 in OpenSSL's notation. The first goes with pre-shared keys, too, which are bound to SHA-256.
pub const TLS13_SUITES: &str = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/// Curves of 256 bits and more (`DM 2.0 §9.2.2`), in OpenSSL's notation.
pub const GROUPS: &str = "X25519:P-256:P-384:P-521";

/// Shortest key on an elliptic curve in bits (`DM 2.0 §9.2.2`).
pub const MIN_CURVE_BITS: u32 = 256;

const fn suite(name: &'static str, openssl: &'static str, mode: Mode, policy: TlsPolicy) -> Suite {
    Suite { name, openssl, mode, policy }
}

/// All suites, the best first; DHE costs several times as much as ECDHE and stands behind it.
pub const SUITES: [Suite; 24] = {
    use Mode::{Certificate as C, SharedKey as K};
    use TlsPolicy::{Legacy, Modern, Oma};
    [
        suite("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", C, Modern),
        suite("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", C, Modern),
        suite("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", C, Modern),
        suite("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", C, Modern),
        suite("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", C, Modern),
        suite("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", C, Modern),
        suite("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE-RSA-AES128-GCM-SHA256", C, Modern),
        suite("TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-PSK-CHACHA20-POLY1305", K, Modern),
        suite("TLS_DHE_PSK_WITH_AES_128_GCM_SHA256", "DHE-PSK-AES128-GCM-SHA256", K, Modern),
        suite("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256", C, Oma),
        suite("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256", C, Oma),
        suite("TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256", C, Oma),
        suite("TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256", C, Oma),
        suite("TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", C, Oma),
        suite("TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", "ECDHE-PSK-AES128-CBC-SHA256", K, Oma),
        suite("TLS_DHE_PSK_WITH_AES_128_CBC_SHA256", "DHE-PSK-AES128-CBC-SHA256", K, Oma),
        suite("TLS_RSA_PSK_WITH_AES_128_GCM_SHA256", "RSA-PSK-AES128-GCM-SHA256", K, Oma),
        suite("TLS_PSK_WITH_AES_128_GCM_SHA256", "PSK-AES128-GCM-SHA256", K, Oma),
        suite("TLS_RSA_PSK_WITH_AES_128_CBC_SHA256", "RSA-PSK-AES128-CBC-SHA256", K, Oma),
        suite("TLS_PSK_WITH_AES_128_CBC_SHA256", "PSK-AES128-CBC-SHA256", K, Oma),
        suite("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA", C, Legacy),
        suite("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", C, Legacy),
        suite("TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DHE-RSA-AES128-SHA", C, Legacy),
        suite("TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", C, Legacy),
    ]
};

impl Suite {
    /// The suite of a registered name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        SUITES.into_iter().find(|suite| suite.name == name)
    }
}

/// The suites that are wanted, in OpenSSL's notation and this order.
#[must_use]
pub fn cipher_list(wanted: impl Fn(&Suite) -> bool) -> String {
    let names: Vec<&str> = SUITES.iter().filter(|suite| wanted(suite)).map(|suite| suite.openssl).collect();
    names.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_allows_what_the_ones_before_it_allow() {
        let list = |policy| cipher_list(|suite| suite.policy <= policy);
        let (modern, oma, legacy) = (list(TlsPolicy::Modern), list(TlsPolicy::Oma), list(TlsPolicy::Legacy));
        assert!(oma.starts_with(&modern) && legacy.starts_with(&oma));
        assert!(!modern.contains("CBC") && modern.split(':').all(|name| name.contains("DHE")));
        assert_eq!(
            (modern.split(':').count(), oma.split(':').count(), legacy.split(':').count()),
            (9, 20, 24)
        );
    }

    #[test]
    fn the_standard_has_seven_with_keys_and_six_with_certificates() {
        for key in ["PSK", "DHE_PSK", "RSA_PSK"] {
            for cipher in ["GCM", "CBC"] {
                let suite = Suite::named(&format!("TLS_{key}_WITH_AES_128_{cipher}_SHA256")).unwrap();
                assert!(suite.mode == Mode::SharedKey && suite.policy <= TlsPolicy::Oma);
            }
        }
        assert!(Suite::named("TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256").is_some());
        for key in ["ECDHE_ECDSA", "DHE_RSA", "RSA"] {
            for cipher in ["GCM", "CBC"] {
                let suite = Suite::named(&format!("TLS_{key}_WITH_AES_128_{cipher}_SHA256")).unwrap();
                assert!(suite.mode == Mode::Certificate && suite.policy <= TlsPolicy::Oma);
            }
        }
        assert_eq!(Suite::named("TLS_RSA_WITH_RC4_128_SHA"), None);
    }
}
