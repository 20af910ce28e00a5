//! Bootstraps of DM 1.x.

use std::path::PathBuf;

use omadm_client::dm1::bootstrap::{BootstrapConfig, InitialRight, WaitingConfig};
use omadm_config::{Size, Span};
use serde::{Deserialize, Serialize};

/// `[dm1.bootstrap]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dm1BootstrapSection {
    /// How often a PIN may be tried for one bootstrap, 0 to 256; 0 takes none that needs a PIN. Who is asked says `dm1.user`.
    pub attempts: u16,
    /// Most bootstraps that wait for their PIN, one of each sender, in memory only.
    pub waiting: usize,
    /// How long one waits for its PIN, one minute or more.
    pub expiry: Span,
    /// Insecure: take bootstraps that nothing secures, neither a `SEC` nor the way on which they came. Anybody can send one.
    pub unsecured: bool,
    /// Take HMAC-SHA1 in messages of the DM profile, as DM 1.2 has it; provisioning documents have nothing else.
    pub sha1: bool,
    /// What a bootstrap may allow servers on the objects in it: `add`, `delete`, `exec`, `get`, `replace`. The rest is left out; `get` has to
    /// be among them. An account that comes without rights gets `delete`, `get` and `replace`, as far as they stand here.
    pub rights: Vec<InitialRight>,
    /// File with what network and device share: a line `imsi DIGITS`, a line `key HEXADECIMAL DIGITS` (ESN, MEID or a key of the
    /// operator's own), or both. It is read at the start.
    pub network_file: Option<PathBuf>,
    /// Largest bootstrap.
    pub max_size: Size,
    /// Bootstrap server of the factory, by https: an agent that starts without an account fetches a bootstrap there. `{devid}`, `{mcc}`,
    /// `{mnc}` and `{model}` are replaced. Servers of the Bootstrap Config object come before, and so does that of the smartcard.
    pub url: Option<String>,
    /// How the device is known at `url`: `transport` (by its certificate, if it has one; default), `psk`, `http-basic`, `http-digest` or
    /// `3gpp-gba` (with `bootstrap.gba_file`).
    pub auth: SourceAuth,
    /// User name at `url`, identity of the pre-shared key, or B-TID.
    pub user: Option<String>,
    /// File with the password or the pre-shared key for `user`, 4096 octets at most; white space at its end does not count.
    pub secret_file: Option<PathBuf>,
    /// File with the address of the bootstrap server that stands on the smartcard, where another program looks after the card and writes
    /// it: the agent itself reads cards with `smartcard.enabled`.
    pub smartcard_file: Option<PathBuf>,
    /// Address of a bootstrap server by what the operator is, such as `https://dm.mnc{mnc}.mcc{mcc}.example/bootstrap`; it comes last.
    pub operator_url: Option<String>,
}

/// How a device is known at a bootstrap server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum SourceAuth {
    #[default]
    Transport,
    Psk,
    HttpBasic,
    HttpDigest,
    #[serde(rename = "3gpp-gba")]
    Gba,
}

impl Default for Dm1BootstrapSection {
    fn default() -> Self {
        let BootstrapConfig { attempts, unsecured, sha1, rights, max_size } = BootstrapConfig::default();
        let WaitingConfig { most, expiry, .. } = WaitingConfig::default();
        Self {
            attempts,
            waiting: most,
            expiry: Span(expiry),
            unsecured,
            sha1,
            rights,
            network_file: None,
            max_size: Size(max_size),
            url: None,
            auth: SourceAuth::Transport,
            user: None,
            secret_file: None,
            smartcard_file: None,
            operator_url: None,
        }
    }
}

impl Dm1BootstrapSection {
    /// The settings as the library has them.
    pub fn to_bootstraps(&self) -> BootstrapConfig {
        BootstrapConfig {
            attempts: self.attempts,
            unsecured: self.unsecured,
            sha1: self.sha1,
            rights: self.rights.clone(),
            max_size: self.max_size.0,
        }
    }

    /// The bounds of what waits for a PIN.
    pub fn to_waiting(&self) -> WaitingConfig {
        WaitingConfig { most: self.waiting, expiry: self.expiry.0, attempts: self.attempts }
    }
}
