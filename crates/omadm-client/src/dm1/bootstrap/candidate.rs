//! A bootstrap that waits to be proved authentic (`DM 1.3 SEC §5.10.2`).

use std::fmt;

use omadm_auth::bootstrap::{BootstrapError, Method, NetworkSecret, Pin, Secrets};
use omadm_auth::gba::{self, GbaPush};
use omadm_session::Body;
use omadm_session::dm1::bootstrap::ContentType;

use super::{BootstrapConfig, Received, Refused};
use crate::consent::Origin;

/// How well it is known who a bootstrap is from, the least first. An account is replaced only by what is as well known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// Nobody knows.
    Unknown,
    /// Somebody who knows the IMSI or its like.
    Network,
    /// Somebody who told the user a PIN.
    Pin,
    /// Both.
    PinAndNetwork,
    /// By the keys of GBA, or by the way on which it came.
    Strong,
}

impl Strength {
    const NAMES: [(&str, Self); 5] = [
        ("unknown", Self::Unknown),
        ("network", Self::Network),
        ("pin", Self::Pin),
        ("pin+network", Self::PinAndNetwork),
        ("strong", Self::Strong),
    ];

    /// Its name in what the device keeps.
    pub(super) fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("unknown", |(name, _)| name)
    }

    /// Reads [`Strength::as_str`].
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, strength)| strength)
    }
}

/// A bootstrap of which it is known how it claims to be secured. Nothing of what is in it is to be believed, or shown.
#[derive(Clone)]
pub struct Candidate {
    content_type: ContentType,
    body: Body,
    origin: Origin,
}

/// A bootstrap that is authentic.
#[derive(Clone)]
pub struct Verified {
    pub(super) content_type: ContentType,
    pub(super) body: Body,
    pub(super) origin: Origin,
    /// Of the body as it came.
    pub(super) digest: String,
    pub(super) strength: Strength,
}

impl Verified {
    /// One that is taken to be authentic as it came.
    pub(super) fn assumed(candidate: &Candidate, strength: Strength) -> Self {
        let Candidate { content_type, body, origin } = candidate.clone();
        Self { content_type, body, origin, digest: candidate.digest(), strength }
    }
}

/// What a try to prove a bootstrap has come to.
pub enum Attempt {
    /// It is authentic.
    Verified(Verified),
    /// It is not, as far as this PIN can say; another may be the right one.
    WrongPin,
}

impl Candidate {
    /// Looks at media type and security of a bootstrap.
    ///
    /// # Errors
    /// [`Refused`] for what no PIN can make good.
    pub fn read(received: Received, config: &BootstrapConfig) -> Result<Self, Refused> {
        let Received { content_type, body, origin } = received;
        let limit = config.max_size;
        if body.len() > limit {
            return Err(Refused::TooLarge { limit });
        }
        let content_type = ContentType::parse(&content_type)?;
        if content_type.method.is_none() && !origin.is_secured() && !config.unsecured {
            return Err(Refused::Unsecured { from: origin.to_string() });
        }
        let candidate = Self { content_type, body, origin };
        if candidate.needs_pin() && config.attempts == 0 {
            return Err(Refused::NoPin);
        }
        Ok(candidate)
    }

    /// Whether the user has to be asked for a PIN.
    #[must_use]
    pub fn needs_pin(&self) -> bool {
        self.content_type.method.is_some_and(Method::needs_pin)
    }

    /// How it came.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// By which it is known again.
    pub(super) fn digest(&self) -> String {
        openssl::sha::sha256(&self.body).iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// Whether two are the same message, however they came.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.content_type == other.content_type && *self.body == *other.body
    }

    /// Checks it, with what the user typed if [`Candidate::needs_pin`].
    ///
    /// # Errors
    /// [`Refused::NotAuthentic`], of which it is not said why, and [`Refused::Gba`].
    pub fn verify(
        &self,
        typed: Option<&str>,
        network: &NetworkSecret,
        gba: Option<&dyn GbaPush>,
        config: &BootstrapConfig,
    ) -> Result<Attempt, Refused> {
        let verified = |body: Body, strength| {
            Ok(Attempt::Verified(Verified { body, ..Verified::assumed(self, strength) }))
        };
        let Some(claim) = self.content_type.claim() else {
            let strength = if self.origin.is_secured() { Strength::Strong } else { Strength::Unknown };
            return verified(self.body.clone(), strength);
        };
        let method = claim.method;
        if method == Method::Gba {
            let push = gba.ok_or(gba::GbaError::NoKeys)?;
            return verified(gba::open(&self.body, push)?.expose().to_vec().into(), Strength::Strong);
        }
        let pin = match typed.map(Pin::parse).transpose() {
            Ok(pin) => pin,
            Err(_) => return Ok(Attempt::WrongPin),
        };
        let secrets = Secrets { pin, network: network.clone() };
        match claim.verify(&secrets, &self.body, config.sha1) {
            Ok(()) if self.origin.is_secured() => verified(self.body.clone(), Strength::Strong),
            Ok(()) => verified(self.body.clone(), strength(method)),
            Err(BootstrapError::Wrong | BootstrapError::UserPinMac) if method.needs_pin() => {
                Ok(Attempt::WrongPin)
            }
            Err(_) => Err(Refused::NotAuthentic),
        }
    }
}

fn strength(method: Method) -> Strength {
    match method {
        Method::Network => Strength::Network,
        Method::UserPin | Method::UserPinMac => Strength::Pin,
        Method::UserPinNetwork => Strength::PinAndNetwork,
        Method::Gba => Strength::Strong,
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { content_type, body, origin } = self;
        f.debug_struct("Candidate")
            .field("content_type", content_type)
            .field("octets", &body.len())
            .field("origin", origin)
            .finish()
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { content_type, body, origin, digest: _, strength } = self;
        f.debug_struct("Verified")
            .field("content_type", content_type)
            .field("octets", &body.len())
            .field("origin", origin)
            .field("strength", strength)
            .finish_non_exhaustive()
    }
}
