//! Who sends a message, and how the server proves itself (`DM 1.3 SEC §5.3, §5.4, §5.6`).

use omadm_auth::dm1::{DEFAULT_NONCE, HmacHeader, Keys, Proof as Exactness, Scheme, challenge_nonce};
use omadm_codec::Tolerance;
use omadm_codec::dm1::{Credentials, Meta};

use super::message::Incoming;
use super::state::{Proof, Proven, State};
use super::{Account, Config, Fresh};
use crate::dm1::status::code;

/// Who sends a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Identity {
    /// The device of the account.
    Device(Identified),
    /// Nobody knows.
    Unknown(Failure),
}

/// How the device was recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identified {
    /// By what; `None`: by its transport.
    pub(super) client: Option<Proven>,
    /// The nonce that it used just now.
    pub(super) nonce: Option<Vec<u8>>,
    pub(super) tolerated: Option<Tolerance>,
}

impl Identified {
    /// What answers the header: 200 if each message has to be proven.
    pub(super) fn code(&self) -> u16 {
        match &self.client {
            Some(proven) if proven.scheme.is_mac() => code::OK,
            _ => code::AUTHENTICATED,
        }
    }
}

/// Why nobody knows who it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    /// 401 or 407.
    pub(super) code: u16,
    pub(super) reason: String,
    /// What to answer with; `None` if there is nothing more to try.
    pub(super) challenge: Option<Meta<'static>>,
    /// Wrong, not missing.
    pub(super) bad: bool,
}

/// What a message offers as proof.
enum Offer<'m> {
    Nothing,
    Mac(&'m HmacHeader),
    Cred(Scheme, &'m str),
    /// Of no scheme that is known, or malformed.
    Strange,
}

fn offer<'m>(incoming: &'m Incoming<'_>) -> Offer<'m> {
    match (&incoming.hmac, &incoming.message.header.credentials) {
        (Some(Some(hmac)), _) => Offer::Mac(hmac),
        (Some(None), _) => Offer::Strange,
        (None, Some(credentials)) => {
            let named = credentials.meta.media_type.as_deref().and_then(Scheme::of_type);
            match named.filter(|scheme| !scheme.is_mac()) {
                Some(scheme) => Offer::Cred(scheme, &credentials.data),
                None => Offer::Strange,
            }
        }
        (None, None) => Offer::Nothing,
    }
}

/// Finds out who sends a message. `open` is the session that it belongs to, if that is open.
pub(super) fn identify(
    config: &Config,
    account: Option<&Account>,
    open: Option<&State>,
    incoming: &Incoming<'_>,
) -> Identity {
    let is_device = |account: &&Account| incoming.message.header.source.uri == account.device_id;
    let proven_by_transport = account.is_some_and(|account| account.transport_authenticated);
    // Who names a user and is another device is answered like anybody who is unknown.
    let account = match account {
        Some(account) if proven_by_transport && !is_device(&account) => {
            let reason =
                format!("the transport proves {:?}, and the message is from another", account.device_id);
            let failure = Failure { code: code::INVALID_CREDENTIALS, reason, challenge: None, bad: true };
            return Identity::Unknown(failure);
        }
        account => account.filter(is_device),
    };
    if proven_by_transport {
        return Identity::Device(Identified::default());
    }
    let open = open.filter(|_| account.is_some());
    // A session that begins anew under the same identifier has to be proven anew.
    let goes_on = open.filter(|_| !incoming.begins()).and_then(|state| state.client.as_ref());
    if let Some(proven) = goes_on.filter(|proven| !proven.scheme.is_mac()) {
        return Identity::Device(Identified { client: Some(proven.clone()), ..Identified::default() });
    }
    let attempt = Attempt { config, account, open, incoming };
    match offer(incoming) {
        Offer::Nothing => attempt.failed(code::MISSING_CREDENTIALS, "the message has no credentials"),
        Offer::Strange => attempt.failed(code::INVALID_CREDENTIALS, "its credentials are of no known kind"),
        Offer::Mac(hmac) => attempt.check(Scheme::mac(hmac.hash), |keys, nonce| {
            keys.check_mac(hmac.hash, nonce, incoming.body, &hmac.mac)
                .filter(|_| account.is_none_or(|account| account.user == hmac.user))
        }),
        Offer::Cred(scheme, data) => attempt.check(scheme, |keys, nonce| match scheme.hash() {
            Some(hash) => keys.check_digest(hash, nonce, data),
            None => keys.check_basic(data).then_some(Exactness::Exact),
        }),
    }
}

/// One message that has to prove itself.
struct Attempt<'a, 'm> {
    config: &'a Config,
    account: Option<&'a Account>,
    open: Option<&'a State>,
    incoming: &'a Incoming<'m>,
}

impl Attempt<'_, '_> {
    /// Checks credentials with each nonce that they may be made with: the one given last, and that of the challenge to the message before.
    /// For an account that does not exist the same is computed.
    fn check(&self, scheme: Scheme, proves: impl Fn(&Keys, &[u8]) -> Option<Exactness>) -> Identity {
        if !self.config.schemes.contains(&scheme) {
            let reason = format!("credentials of the scheme {} are not taken", scheme.as_str());
            return self.failed(code::INVALID_CREDENTIALS, reason);
        }
        if self.was_challenged() && self.demanded().is_some_and(|demanded| demanded != scheme) {
            let reason =
                format!("the challenge was answered with {}, which it did not ask for", scheme.as_str());
            return self.refused(code::INVALID_CREDENTIALS, reason, None);
        }
        let decoy = Keys::of("", &self.config.challenge_key);
        let keys = self.account.and_then(|account| account.client_keys.as_ref());
        let stored = self.account.map(|account| account.client_nonce.clone()).unwrap_or_default();
        let challenged = self.nonce(self.incoming.number.saturating_sub(1)).to_vec();
        let default = self.account.filter(|account| begins_by_default(account, self.incoming)).is_some();
        let default = default.then(|| DEFAULT_NONCE.to_vec());
        let nonces: Vec<_> = [stored, challenged].into_iter().chain(default).collect();
        let tried = nonces.into_iter().map(|nonce| (proves(keys.unwrap_or(&decoy), &nonce), nonce));
        // Each of them, so that time tells nothing.
        let tried: Vec<_> = tried.collect();
        let right = tried.into_iter().find_map(|(proof, nonce)| Some((proof?, nonce)));
        let Some((proof, nonce)) = right.filter(|_| keys.is_some()) else {
            return self
                .failed(code::INVALID_CREDENTIALS, "the credentials are wrong, or made with an older nonce");
        };
        if scheme.hash().is_some() && self.account.is_some_and(|account| account.used_nonces.contains(&nonce))
        {
            return self.failed(
                code::INVALID_CREDENTIALS,
                "the credentials are made with a nonce that was used before",
            );
        }
        let tolerated = (proof == Exactness::NonceText).then_some(Tolerance::NonceText);
        if tolerated.is_some() && (self.config.strict || !self.config.lenient_nonce) {
            let reason = "the credentials are made with the base64 text of the nonce in place of its octets";
            return self.failed(code::INVALID_CREDENTIALS, reason);
        }
        let nonce = scheme.hash().map(|_| nonce);
        Identity::Device(Identified { client: Some(Proven { scheme }), nonce, tolerated })
    }

    /// Whether this is an answer to a challenge: no session is open, and it is not the first message.
    fn was_challenged(&self) -> bool {
        self.open.is_none() && self.incoming.number > 1
    }

    /// The scheme that is asked for.
    fn demanded(&self) -> Option<Scheme> {
        let proven = self.open.and_then(|state| state.client.as_ref()).map(|proven| proven.scheme);
        let preferred = self.account.and_then(|account| account.client_scheme);
        let mut wanted = proven.into_iter().chain(preferred);
        wanted
            .find(|scheme| self.config.schemes.contains(scheme))
            .or_else(|| self.config.schemes.first().copied())
    }

    /// The nonce of the challenge to a message of this session. It changes with the nonce of the account, so it is good only once.
    fn nonce(&self, number: u64) -> [u8; 16] {
        let header = &self.incoming.message.header;
        let stored = self.account.map_or(&[][..], |account| &account.client_nonce);
        let about =
            [header.source.uri.as_bytes(), header.session_id.as_bytes(), &number.to_be_bytes(), stored];
        challenge_nonce(&self.config.challenge_key, &about)
    }

    /// With another challenge, while there were not too many.
    fn failed(&self, code: u16, reason: impl Into<String>) -> Identity {
        let since = self.open.map_or(0, |state| state.heard);
        let tries = self.incoming.number.saturating_sub(since);
        let scheme = self.demanded().filter(|_| tries <= u64::from(self.config.max_challenges));
        let challenge = scheme.map(|scheme| challenge(scheme, &self.nonce(self.incoming.number)));
        self.refused(code, reason, challenge)
    }

    fn refused(&self, code: u16, reason: impl Into<String>, challenge: Option<Meta<'static>>) -> Identity {
        let bad = code != code::MISSING_CREDENTIALS;
        Identity::Unknown(Failure { code, reason: reason.into(), challenge, bad })
    }
}

/// `Meta` of a `Chal`.
pub(super) fn challenge(scheme: Scheme, nonce: &[u8]) -> Meta<'static> {
    Meta {
        format: Some("b64".into()),
        media_type: Some(scheme.type_name().into()),
        next_nonce: scheme.hash().map(|_| nonce.to_vec().into()),
        ..Meta::default()
    }
}

/// The next nonce for a device that proved itself with a nonce: for the next message, or the next session.
pub(super) fn next_nonce(identified: &Identified, fresh: &Fresh) -> Option<Meta<'static>> {
    let proven = identified.client.as_ref()?;
    identified.nonce.as_ref()?;
    Some(challenge(proven.scheme, &fresh.nonce))
}

/// How the server proves a message.
#[derive(Debug)]
pub(super) enum Own<'a> {
    /// Not at all: TLS does, or the device took it for the whole session.
    Not,
    /// By `Cred`.
    Cred(Credentials<'static>),
    /// By a MAC of the body.
    Mac { keys: &'a Keys, scheme: Scheme, nonce: Vec<u8> },
}

/// Whether a message may be made with the default nonce.
fn begins_by_default(account: &Account, incoming: &Incoming<'_>) -> bool {
    account.default_nonce && incoming.begins()
}

impl Account {
    /// The nonce of the server for the answer to a message of this sender: the default one where the device expects it.
    pub(super) fn nonce_towards(&self, incoming: &Incoming<'_>, sender: &Identified) -> Vec<u8> {
        let by_default = sender.nonce.as_deref().is_none_or(|nonce| nonce == DEFAULT_NONCE);
        if begins_by_default(self, incoming) && by_default {
            return DEFAULT_NONCE.to_vec();
        }
        self.server_nonce.clone()
    }
}

/// How the server proves its next message to the device; `nonce` is its own if the device has given none since.
pub(super) fn own<'a>(config: &Config, account: &'a Account, proof: &Proof, nonce: Vec<u8>) -> Own<'a> {
    let Some(keys) = &account.server_keys else { return Own::Not };
    let Some(scheme) = own_scheme(config, account, proof) else { return Own::Not };
    let nonce = proof.nonce.clone().unwrap_or(nonce);
    match scheme.hash() {
        Some(_) if scheme.is_mac() => Own::Mac { keys, scheme, nonce },
        Some(_) if proof.accepted => Own::Not,
        Some(hash) => {
            let meta = Meta {
                format: Some("b64".into()),
                media_type: Some(scheme.type_name().into()),
                ..Meta::default()
            };
            Own::Cred(Credentials { meta, data: keys.digest(hash, &nonce).into() })
        }
        None => Own::Not,
    }
}

/// The scheme that the device asks for, else the preferred one. Never basic: that would give the password away, which is not kept.
fn own_scheme(config: &Config, account: &Account, proof: &Proof) -> Option<Scheme> {
    let usable = |scheme: &Scheme| *scheme != Scheme::Basic && config.schemes.contains(scheme);
    match proof.scheme.or(account.server_scheme) {
        Some(scheme) => Some(scheme).filter(usable),
        None => config.schemes.iter().copied().find(usable),
    }
}

/// The header for a body.
pub(super) fn hmac(keys: &Keys, scheme: Scheme, user: &str, nonce: &[u8], body: &[u8]) -> Option<String> {
    let hash = scheme.hash()?;
    let mac = keys.mac(hash, nonce, body);
    Some(HmacHeader { hash, user: user.to_owned(), mac }.to_string())
}

/// What the device says about the server's credentials, in its status for the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reception {
    /// They were taken, or none were needed.
    Taken,
    /// They were not, and there is another way to try.
    Again,
    /// They were not, and there is nothing more to try.
    Refused,
}

/// Takes what a device says of the message that challenged it: by what the server is to prove itself. That message had no credentials of
/// the server, so nothing was refused.
pub(super) fn invited(proof: &mut Proof, challenge: &Meta<'_>) {
    proof.nonce = challenge.next_nonce.as_deref().map(<[u8]>::to_vec).or(proof.nonce.take());
    proof.scheme = challenge.media_type.as_deref().and_then(Scheme::of_type).or(proof.scheme);
}

/// Takes the device's status for the header of the message sent last.
pub(super) fn received(
    config: &Config,
    account: &Account,
    proof: &mut Proof,
    code: u16,
    challenge: Option<&Meta<'_>>,
) -> Reception {
    if let Some(nonce) = challenge.and_then(|challenge| challenge.next_nonce.as_deref()) {
        proof.nonce = Some(nonce.to_vec());
    }
    if !matches!(code, code::INVALID_CREDENTIALS | code::MISSING_CREDENTIALS) {
        proof.accepted |= code == code::AUTHENTICATED;
        return Reception::Taken;
    }
    proof.accepted = false;
    proof.refused = proof.refused.saturating_add(1);
    let Some(challenge) = challenge.filter(|_| proof.refused <= config.max_challenges) else {
        return Reception::Refused;
    };
    let demanded = challenge.media_type.as_deref().and_then(Scheme::of_type);
    proof.scheme = demanded.or(proof.scheme);
    let usable =
        account.server_keys.is_some() && demanded.is_some() && own_scheme(config, account, proof) == demanded;
    if usable { Reception::Again } else { Reception::Refused }
}
