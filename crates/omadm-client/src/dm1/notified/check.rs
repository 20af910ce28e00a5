//! Whether a notification is to be followed.

use std::time::Duration;

use omadm_auth::dm1::{DEFAULT_NONCE, Hash, Keys, Proof};
use omadm_codec::dm1::notification::{self, Notification};
use omadm_codec::dm1::trigger::{self, NEWER_VERSION, Trigger};
use omadm_codec::{Leniency, Limits};
use omadm_mo::{Moid, NodeRef, ServerId, Time};

use super::memory::age;
use super::{Bounds, Dm1Wake, LEVEL, NotifiedConfig, clean};
use crate::device::Device;
use crate::dm1::account::{Accounts as _, credentials};
use crate::notification::Ignored;

/// Most octets: two options of 4,095 octets and those that are shorter.
pub(crate) const MAX_LENGTH: usize = 16 << 10;
/// [`DEFAULT_NONCE`] as some servers write it.
const DEFAULT_NONCE_TEXT: &[u8] = b"0x00000000";
const DAY: u64 = 86_400;

impl Device {
    /// Checks a trigger of DM 1.2.
    pub(crate) fn triggered(&mut self, octets: &[u8], config: &NotifiedConfig) -> Result<Dm1Wake, Ignored> {
        let mut leniency = self.leniency();
        let limits = Limits { bytes: MAX_LENGTH, ..Limits::default() };
        let received = trigger::Received::decode(octets, &limits, &mut leniency)?;
        if received.version == NEWER_VERSION && !config.newer_triggers {
            return Err(Ignored::Version { version: received.version });
        }
        let Trigger { ui_mode, by_server, session_id, server_id, vendor } = received.trigger;
        let account = self.account_of(&server_id)?;
        let secrets = secrets(account, &server_id, false)?;
        let proof = secrets.prove(Hash::Md5, received.octets, &received.digest);
        let nonce = proof.ok_or_else(|| Ignored::WrongDigest(server_id.clone()))?;
        let wake = Dm1Wake {
            session_id,
            ui_mode,
            by_server,
            requested: Vec::new(),
            targeted: Vec::new(),
            bearers: Vec::new(),
            reason: None,
            vendor: Some(vendor).filter(|vendor| !vendor.is_empty()),
            timeout: None,
            default_nonce: nonce == Nonce::Default,
            digest: received.digest.to_vec(),
            bounds: config.bounds(),
            server: server_id,
        };
        self.woken(wake, config)
    }

    /// Checks a notification of DM 1.3; `sent` is when it was sent, as the bearer says.
    pub(crate) fn notified_extended(
        &mut self,
        octets: &[u8],
        sent: Option<Time>,
        config: &NotifiedConfig,
    ) -> Result<Dm1Wake, Ignored> {
        let limits = Limits { bytes: MAX_LENGTH, ..Limits::default() };
        let received = notification::Received::decode(octets, &limits)?;
        if !config.extended {
            return Err(Ignored::Version { version: 13 });
        }
        let Notification { server_id, timeout_days, .. } = &received.notification;
        let account = self.account_of(server_id)?;
        let secrets = secrets(account, server_id, true)?;
        let hash = [Hash::Md5, Hash::Sha256].into_iter().find(|hash| hash.size() == received.digest.len());
        let proof = hash.filter(|hash| secrets.hash.is_none_or(|wanted| wanted == *hash));
        let proof = proof.and_then(|hash| secrets.prove(hash, received.octets, received.digest));
        let nonce = proof.ok_or_else(|| Ignored::WrongDigest(server_id.clone()))?;
        let timeout =
            Some(Duration::from_secs(u64::from(*timeout_days) * DAY)).filter(|time| !time.is_zero());
        let old = sent.map(|sent| age(sent, (self.config.clock)()));
        if let (Some(old), Some(timeout)) = (old, timeout)
            && old >= timeout
        {
            return Err(Ignored::TooOld { seconds: old.as_secs() });
        }
        let digest = received.digest.to_vec();
        let notification = received.notification;
        let wake = Dm1Wake {
            session_id: notification.session_id,
            ui_mode: notification.ui_mode,
            by_server: notification.by_server,
            requested: config.known(&notification.requested_mos),
            targeted: config.known(&notification.targeted_mos),
            bearers: notification.bearers,
            reason: notification.reason.map(|reason| clean(&reason)).filter(|reason| !reason.is_empty()),
            vendor: notification.vendor.map(String::into_bytes),
            timeout,
            default_nonce: nonce == Nonce::Default,
            digest,
            bounds: config.bounds(),
            server: notification.server_id,
        };
        self.woken(wake, config)
    }

    /// What is left to check of a notification that was proved.
    fn woken(&mut self, wake: Dm1Wake, config: &NotifiedConfig) -> Result<Dm1Wake, Ignored> {
        self.check_dm1_repetition(&wake)?;
        if wake.default_nonce {
            self.resynchronise(&wake, config)?;
        }
        Ok(wake)
    }

    fn account_of(&self, server: &ServerId) -> Result<NodeRef<'_>, Ignored> {
        let unknown = || Ignored::UnknownServer(server.as_str().to_owned());
        self.tree.dm1_account(server).ok_or_else(unknown)
    }

    fn leniency(&self) -> Leniency {
        if self.config.strict { Leniency::strict() } else { Leniency::lenient() }
    }
}

impl NotifiedConfig {
    fn bounds(&self) -> Bounds {
        Bounds { count: self.remembered, time: self.remembered_for }
    }

    /// The objects of these numbers, those that are not in the table left out.
    fn known(&self, numbers: &[u16]) -> Vec<Moid> {
        numbers.iter().filter_map(|number| self.objects.get(number).cloned()).collect()
    }
}

/// The nonce that a notification was proved with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nonce {
    /// That of the account.
    Kept,
    /// [`DEFAULT_NONCE`].
    Default,
}

/// What a server proves a notification with.
struct Secrets {
    /// Those of the user names that it may be made with.
    keys: Vec<Keys>,
    nonce: Vec<u8>,
    /// The hash, if the account says which.
    hash: Option<Hash>,
    /// Whether the default nonce may stand for one that was lost. Credentials of notifications alone have one that never changes.
    may_default: bool,
}

/// The credentials of the account: those for notifications alone where there are some and it is one of DM 1.3, else those of the server in
/// sessions.
fn secrets(account: NodeRef<'_>, server: &ServerId, extended: bool) -> Result<Secrets, Ignored> {
    let own = credentials(account, LEVEL).filter(|_| extended);
    let may_default = own.is_none();
    let found = own.or_else(|| credentials(account, "SRVCRED"));
    let found = found.filter(|found| !found.password.expose().is_empty());
    let found = found.ok_or_else(|| Ignored::NoSecret(server.clone()))?;
    // The standard has the server identifier here, and some servers what they are called in sessions.
    let other = Some(found.user.as_str()).filter(|user| *user != server.as_str() && !user.is_empty());
    let key = |user: &str| Keys::of(user, &found.password);
    let keys = std::iter::once(server.as_str()).chain(other).map(key).collect();
    let hash = found.scheme.hash().filter(|_| !may_default);
    Ok(Secrets { keys, nonce: found.nonce, hash, may_default })
}

impl Secrets {
    /// Checks a digest, that of the nonce of the account first.
    fn prove(&self, hash: Hash, octets: &[u8], digest: &[u8]) -> Option<Nonce> {
        let with = |nonce: &[u8]| {
            self.keys.iter().any(|keys| keys.check_mac(hash, nonce, octets, digest) == Some(Proof::Exact))
        };
        if with(&self.nonce) {
            return Some(Nonce::Kept);
        }
        let default = self.may_default && (with(&DEFAULT_NONCE) || with(DEFAULT_NONCE_TEXT));
        default.then_some(Nonce::Default)
    }
}
