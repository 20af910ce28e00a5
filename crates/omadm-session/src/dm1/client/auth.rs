//! Who proves what to whom (`DM 1.3 SEC §5.4, §5.6`): the device to the server, and the server to the device.

use std::borrow::Cow;

use omadm_auth::dm1::{self, HmacHeader, Keys, Proof, Scheme};
use omadm_codec::dm1::{Credentials as Cred, Header, Meta};
use omadm_codec::{Leniency, Tolerance};

use super::config::{Account, Config, Credentials};
use crate::dm1::status::code;

/// Whether a status to the header asks for credentials.
pub(super) fn is_challenge(status: u16) -> bool {
    matches!(status, code::INVALID_CREDENTIALS | code::MISSING_CREDENTIALS)
}

/// Most challenges that are answered, or made, in one session: the first may be due to a stale nonce.
const MAX_CHALLENGES: u8 = 2;

/// How long a side counts as authenticated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// Not at all.
    #[default]
    Unknown,
    /// For one message: 200.
    Message,
    /// For the rest of the session: 212.
    Session,
}

/// The device towards the server.
#[derive(Debug)]
pub(super) struct ClientProof {
    credentials: Option<(Credentials, Keys)>,
    /// What is in use; `None` before a challenge if the account prefers nothing.
    scheme: Option<Scheme>,
    nonce: Vec<u8>,
    standing: Standing,
    challenges: u8,
}

/// What the server says to the device's credentials.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are good; with the nonce for the next time.
    Accepted { nonce: Option<Vec<u8>> },
    /// They are not, and there is another try, with the nonce of the challenge.
    Challenged { nonce: Option<Vec<u8>> },
    /// The session cannot go on.
    Refused { reason: String },
}

impl ClientProof {
    pub(super) fn new(account: &Account, config: &Config) -> Self {
        let credentials = account.client.clone().map(with_keys);
        let preferred = account.preferred.filter(|scheme| config.schemes.contains(scheme));
        Self {
            scheme: preferred.filter(|_| credentials.is_some()),
            nonce: account.client.as_ref().map(|client| client.nonce.clone()).unwrap_or_default(),
            credentials,
            standing: Standing::Unknown,
            challenges: 0,
        }
    }

    /// The session begins anew in an older version.
    pub(super) fn begin_anew(&mut self) {
        self.standing = Standing::Unknown;
    }

    /// `LocName` of the device.
    pub(super) fn user(&self) -> Option<&str> {
        self.credentials.as_ref().map(|(credentials, _)| credentials.user.as_str())
    }

    /// `Cred` of the next message.
    pub(super) fn credentials(&self) -> Option<Cred<'static>> {
        if self.standing == Standing::Session {
            return None;
        }
        let (credentials, keys) = self.credentials.as_ref()?;
        let scheme = self.scheme.filter(|scheme| !scheme.is_mac())?;
        let data = match scheme.hash() {
            Some(hash) => keys.digest(hash, &self.nonce),
            None => {
                let pair = dm1::basic(&credentials.user, &credentials.password);
                String::from_utf8_lossy(pair.expose()).into_owned()
            }
        };
        Some(Cred { meta: type_of(scheme), data: Cow::Owned(data) })
    }

    /// `x-syncml-hmac` of the next message.
    pub(super) fn hmac(&self, body: &[u8]) -> Option<String> {
        let (credentials, keys) = self.credentials.as_ref()?;
        let hash = self.scheme.filter(|scheme| scheme.is_mac())?.hash()?;
        let mac = keys.mac(hash, &self.nonce, body);
        Some(HmacHeader { hash, user: credentials.user.clone(), mac }.to_string())
    }

    /// Takes the status of the header of the device's message: 200, 212, 401 or 407.
    pub(super) fn judge(&mut self, status: u16, challenge: Option<&Meta<'_>>, config: &Config) -> Verdict {
        let nonce = challenge.and_then(|meta| meta.next_nonce.as_deref()).map(<[u8]>::to_vec);
        if let Some(nonce) = &nonce {
            self.nonce.clone_from(nonce);
        }
        if is_challenge(status) {
            self.challenged(status, challenge, nonce, config)
        } else {
            self.accepted(status, nonce)
        }
    }

    fn accepted(&mut self, status: u16, nonce: Option<Vec<u8>>) -> Verdict {
        self.standing = if status == code::AUTHENTICATED { Standing::Session } else { Standing::Message };
        let mac = self.scheme.is_some_and(Scheme::is_mac);
        if mac && (self.standing == Standing::Session || nonce.is_none()) {
            // A MAC is a MAC of each message, each with a nonce of its own.
            let reason = format!("status {status} without a nonce for the MAC of the next message");
            return Verdict::Refused { reason };
        }
        Verdict::Accepted { nonce }
    }

    fn challenged(
        &mut self,
        status: u16,
        challenge: Option<&Meta<'_>>,
        nonce: Option<Vec<u8>>,
        config: &Config,
    ) -> Verdict {
        self.standing = Standing::Unknown;
        let Some(wanted) = challenge.and_then(|meta| meta.media_type.as_deref()) else {
            return Verdict::Refused { reason: format!("status {status} and no challenge") };
        };
        let scheme = Scheme::of_type(wanted).filter(|scheme| config.schemes.contains(scheme));
        let Some(scheme) = scheme else {
            return Verdict::Refused {
                reason: format!("the server wants {wanted}, which the device must not use"),
            };
        };
        if self.credentials.is_none() {
            return Verdict::Refused {
                reason: format!("status {status}, and the account has no credentials"),
            };
        }
        if self.challenges == MAX_CHALLENGES {
            return Verdict::Refused { reason: format!("status {status} again: the credentials are wrong") };
        }
        self.challenges += 1;
        self.scheme = Some(scheme);
        Verdict::Challenged { nonce }
    }
}

/// The server towards the device.
#[derive(Debug)]
pub(super) struct ServerProof {
    expected: Option<(Credentials, Keys)>,
    must_prove: bool,
    /// What the server's credentials are made with.
    nonce: Vec<u8>,
    standing: Standing,
    challenges: u8,
}

/// What a message of the server proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proven {
    /// Who the server is, by this scheme; `None` when it did before, or is known by TLS.
    Yes(Option<Scheme>),
    /// Nothing: it has no credentials.
    Missing,
    /// Nothing: its credentials are wrong.
    Wrong,
}

/// The head of a message as far as it proves something.
pub(super) struct Evidence<'a> {
    pub(super) header: &'a Header<'a>,
    pub(super) hmac: Option<&'a str>,
    pub(super) body: &'a [u8],
}

impl ServerProof {
    pub(super) fn new(account: &Account) -> Self {
        let expected = account.server_credentials.clone().map(with_keys);
        Self {
            nonce: expected.as_ref().map(|(server, _)| server.nonce.clone()).unwrap_or_default(),
            expected,
            must_prove: account.server_must_prove,
            standing: Standing::Unknown,
            challenges: 0,
        }
    }

    /// Looks at the credentials of a message.
    pub(super) fn check(
        &mut self,
        evidence: &Evidence<'_>,
        config: &Config,
        leniency: &mut Leniency,
    ) -> Proven {
        if self.standing == Standing::Session {
            return Proven::Yes(None);
        }
        let Some((server, keys)) = &self.expected else {
            return if self.must_prove { Proven::Missing } else { Proven::Yes(None) };
        };
        let attempt = match (evidence.hmac, &evidence.header.credentials) {
            (Some(value), _) => HmacHeader::parse(value).map(|header| {
                let proof = keys.check_mac(header.hash, &self.nonce, evidence.body, &header.mac);
                (Scheme::mac(header.hash), proof.filter(|_| header.user == server.user))
            }),
            (None, Some(cred)) => check_cred(cred, keys, &self.nonce),
            (None, None) if self.must_prove => return Proven::Missing,
            (None, None) => return Proven::Yes(None),
        };
        // After a challenge only the scheme that it asked for counts.
        let acceptable = |scheme: Scheme| {
            config.schemes.contains(&scheme) && (self.challenges == 0 || scheme == server.scheme)
        };
        match attempt {
            Some((scheme, Some(proof))) if acceptable(scheme) && is_acceptable(proof, config, leniency) => {
                self.standing = if scheme.is_mac() { Standing::Message } else { Standing::Session };
                Proven::Yes(Some(scheme))
            }
            _ => Proven::Wrong,
        }
    }

    /// Whether another challenge may be made; counts it.
    pub(super) fn may_challenge(&mut self) -> bool {
        let may = self.expected.is_some() && self.challenges < MAX_CHALLENGES;
        self.challenges = self.challenges.saturating_add(1);
        may
    }

    /// Whether the nonce has to be replaced after this proof: digests and MACs use it up.
    pub(super) fn uses_up_nonce(proven: Proven) -> bool {
        matches!(proven, Proven::Yes(Some(scheme)) if scheme.hash().is_some())
    }

    /// What `Chal` says of the next credentials of the server, with a new nonce for them.
    pub(super) fn challenge(&self, proven: Proven, nonce: [u8; 16]) -> Option<Meta<'static>> {
        let (server, _) = self.expected.as_ref()?;
        let scheme = match proven {
            Proven::Yes(Some(scheme)) => scheme,
            Proven::Yes(None) | Proven::Missing | Proven::Wrong => server.scheme,
        };
        let mut meta = type_of(scheme);
        meta.next_nonce = scheme.hash().map(|_| Cow::Owned(nonce.to_vec()));
        Some(meta)
    }

    /// Takes the nonce of a challenge that goes out in use.
    pub(super) fn issue(&mut self, nonce: Option<&[u8]>) {
        if let Some(nonce) = nonce {
            self.nonce = nonce.to_vec();
        }
    }
}

impl Proven {
    /// Whether the server is known.
    pub(super) fn is_yes(self) -> bool {
        matches!(self, Self::Yes(_))
    }

    /// The status of the header of the server's message.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Yes(Some(scheme)) if scheme.is_mac() => code::OK,
            Self::Yes(_) => code::AUTHENTICATED,
            Self::Missing => code::MISSING_CREDENTIALS,
            Self::Wrong => code::INVALID_CREDENTIALS,
        }
    }
}

fn with_keys(credentials: Credentials) -> (Credentials, Keys) {
    let keys = Keys::of(&credentials.user, &credentials.password);
    (credentials, keys)
}

/// Format and Type of a `Cred` or `Chal`.
fn type_of(scheme: Scheme) -> Meta<'static> {
    Meta { format: Some("b64".into()), media_type: Some(scheme.type_name().into()), ..Meta::default() }
}

fn check_cred(cred: &Cred<'_>, keys: &Keys, nonce: &[u8]) -> Option<(Scheme, Option<Proof>)> {
    let scheme = Scheme::of_type(cred.meta.media_type.as_deref()?).filter(|scheme| !scheme.is_mac())?;
    let proof = match scheme.hash() {
        Some(hash) => keys.check_digest(hash, nonce, &cred.data),
        None => keys.check_basic(&cred.data).then_some(Proof::Exact),
    };
    Some((scheme, proof))
}

fn is_acceptable(proof: Proof, config: &Config, leniency: &mut Leniency) -> bool {
    match proof {
        Proof::Exact => true,
        Proof::NonceText => config.lenient_nonce && leniency.allow(Tolerance::NonceText),
    }
}
