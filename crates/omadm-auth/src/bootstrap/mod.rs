//! Transport-neutral security of a bootstrap of DM 1.x: a MAC over the document in WBXML, exactly as it goes over the wire, with a key
//! of a PIN, of what the network knows, or of both (`DM 1.3 SEC §5.7`; for the CP profile `ProvBoot 1.1 §5.2`).
//!
//! 1.2 has HMAC-SHA1. That the MAC of the DM profile is HMAC-SHA256 in 1.3 is our reading, since its text was not published with the
//! rest; which of both it is, its length says. What of an IMSI makes up the secret of NETWORKID the text leaves open: senders of ours
//! use the form of NETWPIN, and on receipt all forms that peers are known to use are tried, in the order of [`Method`].

mod secret;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::digest::hex_digits;
use crate::gba;
use crate::secret::Secret;

pub use secret::{Imsi, MAX_NETWORK_KEY, NetworkSecret, Pin};

/// Fewest digits of either half of what a user types for [`Method::UserPinMac`].
const MIN_HALF: usize = 5;
/// What stands between PIN and network secret in the DM profile.
const SEPARATOR: &[u8] = b":";

/// The two kinds of bootstrap of DM 1.x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A provisioning document (`DM 1.3 BOOT §5.2`).
    Cp,
    /// A message of DM (`DM 1.3 BOOT §5.3`).
    Dm,
}

/// How a bootstrap is secured: its parameter `SEC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// NETWPIN or NETWORKID: by what the network knows. Tried: the key of the operator, the IMSI in semi-octets; in the DM profile the
    /// IMSI and the MSIN in ASCII, too.
    Network,
    /// USERPIN: by a PIN.
    UserPin,
    /// USERNETWPIN or USERPIN_NETWORKID: by both. In the CP profile the PIN follows the secret of the network; in the DM profile, and
    /// for some senders of the CP profile, it goes before it with a colon.
    UserPinNetwork,
    /// USERPINMAC, CP profile only: by digits that the user types after the PIN; there is no MAC in the message.
    UserPinMac,
    /// 3GPP_GBA, DM profile only: what is sent is ciphered under the keys of GBA Push, see [`gba`].
    Gba,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 5] =
        [Self::Network, Self::UserPin, Self::UserPinNetwork, Self::UserPinMac, Self::Gba];

    /// Its name as a profile has it; `None` if the profile does not have it.
    #[must_use]
    pub fn name(self, profile: Profile) -> Option<&'static str> {
        match (self, profile) {
            (Self::Network, Profile::Cp) => Some("NETWPIN"),
            (Self::Network, Profile::Dm) => Some("NETWORKID"),
            (Self::UserPin, _) => Some("USERPIN"),
            (Self::UserPinNetwork, Profile::Cp) => Some("USERNETWPIN"),
            (Self::UserPinNetwork, Profile::Dm) => Some("USERPIN_NETWORKID"),
            (Self::UserPinMac, Profile::Cp) => Some("USERPINMAC"),
            (Self::Gba, Profile::Dm) => Some(gba::SEC),
            (Self::UserPinMac, Profile::Dm) | (Self::Gba, Profile::Cp) => None,
        }
    }

    /// The number that WSP has for it. Those of the DM profile are aliases of some peers.
    #[must_use]
    pub fn number(self, profile: Profile) -> Option<u8> {
        match (self, profile) {
            (Self::Network, _) => Some(0),
            (Self::UserPin, _) => Some(1),
            (Self::UserPinNetwork, _) => Some(2),
            (Self::UserPinMac, Profile::Cp) => Some(3),
            (Self::UserPinMac, Profile::Dm) | (Self::Gba, _) => None,
        }
    }

    /// Reads a name or a number, as gateways write it in text: in any letter case.
    #[must_use]
    pub fn parse(profile: Profile, text: &str) -> Option<Self> {
        let number = text.parse::<u8>().ok();
        Self::ALL.into_iter().find(|method| {
            let is_named = method.name(profile).is_some_and(|name| name.eq_ignore_ascii_case(text));
            is_named || number.is_some_and(|number| method.number(profile) == Some(number))
        })
    }

    /// Whether the user has to type something.
    #[must_use]
    pub fn needs_pin(self) -> bool {
        matches!(self, Self::UserPin | Self::UserPinNetwork | Self::UserPinMac)
    }

    /// Whether the secret of the network is needed.
    #[must_use]
    pub fn needs_network(self) -> bool {
        matches!(self, Self::Network | Self::UserPinNetwork)
    }

    /// Whether there is a parameter `MAC`.
    #[must_use]
    pub fn has_mac(self) -> bool {
        matches!(self, Self::Network | Self::UserPin | Self::UserPinNetwork)
    }
}

/// The hash of a MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MacHash {
    /// HMAC-SHA1, of the CP profile and of DM 1.2. It has its weaknesses, though none that is known to matter here.
    Sha1,
    /// HMAC-SHA256, of DM 1.3.
    Sha256,
}

impl MacHash {
    fn of(self, key: &Secret, document: &[u8]) -> Option<Vec<u8>> {
        // No key is too long or too short for HMAC.
        match self {
            Self::Sha1 => {
                let mac = Hmac::<Sha1>::new_from_slice(key.expose()).ok()?;
                Some(mac.chain_update(document).finalize().into_bytes().to_vec())
            }
            Self::Sha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
                Some(mac.chain_update(document).finalize().into_bytes().to_vec())
            }
        }
    }

    /// By the octets of a MAC.
    fn of_length(octets: usize) -> Option<Self> {
        match octets {
            20 => Some(Self::Sha1),
            32 => Some(Self::Sha256),
            _ => None,
        }
    }
}

/// What either side has for the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The PIN; what the user types for [`Method::UserPinMac`], check digits included.
    pub pin: Option<Pin>,
    /// What the network knows.
    pub network: NetworkSecret,
}

/// Why a bootstrap cannot be secured, or is not what it claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// Not a PIN.
    #[error("a PIN has 4 to 32 decimal digits")]
    Pin,
    /// Not what the user types for USERPINMAC.
    #[error(
        "USERPINMAC needs an even number of at least 10 digits, of which the second half are check digits"
    )]
    UserPinMac,
    /// The PIN for USERPINMAC has another length.
    #[error("the PIN of USERPINMAC has 5 to 16 digits; as many check digits follow them")]
    HalfPin,
    /// Not an IMSI.
    #[error("an IMSI has 6 to 15 decimal digits")]
    Imsi,
    /// Not a key of a network.
    #[error("the secret of a network has 1 to {MAX_NETWORK_KEY} octets")]
    NetworkKey,
    /// The profile does not have the method.
    #[error("this kind of bootstrap cannot be secured that way")]
    Method,
    /// There is no PIN.
    #[error("a PIN is needed")]
    NoPin,
    /// There is no secret of the network.
    #[error("the IMSI or another secret that network and device share is needed")]
    NoNetwork,
    /// The message has no MAC.
    #[error("the bootstrap has no MAC")]
    NoMac,
    /// The MAC is none.
    #[error("the MAC of the bootstrap is not 40 or 64 hexadecimal digits")]
    MacForm,
    /// HMAC-SHA1 where it is not allowed, or HMAC-SHA256 in the CP profile, which does not have it.
    #[error("the MAC of the bootstrap is of a hash that is not allowed")]
    Hash,
    /// Changed on the way, or other secrets.
    #[error("the MAC of the bootstrap is wrong: it was changed, or secured with other secrets")]
    Wrong,
}

/// How a sender secures bootstraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Of which kind they are.
    pub profile: Profile,
    /// The method.
    pub method: Method,
    /// The hash; the CP profile has SHA-1 only.
    pub hash: MacHash,
    /// Write `PIN:secret` in the CP profile too, for devices that expect it.
    pub separated: bool,
}

impl Sender {
    /// The parameter `MAC` of a document: upper-case hexadecimal digits.
    ///
    /// # Errors
    /// [`BootstrapError::Method`] where there is no MAC, `NoPin`, `NoNetwork`, and `Hash`.
    pub fn mac(&self, secrets: &Secrets, document: &[u8]) -> Result<String, BootstrapError> {
        let Self { profile, method, hash, separated } = *self;
        if method.name(profile).is_none() || !method.has_mac() {
            return Err(BootstrapError::Method);
        }
        if profile == Profile::Cp && hash != MacHash::Sha1 {
            return Err(BootstrapError::Hash);
        }
        let pin = || secrets.pin.as_ref().map(Pin::digits).ok_or(BootstrapError::NoPin);
        let network = || secrets.network.sent().ok_or(BootstrapError::NoNetwork);
        let key = match method {
            Method::Network => network()?,
            Method::UserPin => pin()?.clone(),
            _ if profile == Profile::Dm || separated => joined(&[pin()?, &separator(), &network()?]),
            _ => joined(&[&network()?, pin()?]),
        };
        let mac = hash.of(&key, document).ok_or(BootstrapError::Hash)?;
        Ok(mac.iter().map(|octet| format!("{octet:02X}")).collect())
    }
}

/// What a user has to be told for [`Method::UserPinMac`]: a PIN of 5 to 16 digits, and the check digits of the document after it.
///
/// # Errors
/// [`BootstrapError::HalfPin`].
pub fn with_check_digits(pin: &Pin, document: &[u8]) -> Result<Pin, BootstrapError> {
    let digits = check_digits(pin.digits(), document).ok_or(BootstrapError::HalfPin)?;
    let whole = joined(&[pin.digits(), &digits]);
    let text = std::str::from_utf8(whole.expose()).map_err(|_| BootstrapError::HalfPin)?;
    Pin::parse(text).map_err(|_| BootstrapError::HalfPin)
}

/// One digit for each of the PIN: an octet of the MAC by the PIN, modulo 10.
fn check_digits(pin: &Secret, document: &[u8]) -> Option<Secret> {
    let mac = MacHash::Sha1.of(pin, document)?;
    let count = pin.expose().len();
    let digits = mac.get(..count).filter(|_| count >= MIN_HALF)?;
    Some(Secret::new(digits.iter().map(|octet| octet % 10 + b'0').collect()))
}

/// A bootstrap as it claims to be secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'m> {
    /// Of which kind it is.
    pub profile: Profile,
    /// `SEC`.
    pub method: Method,
    /// `MAC` as it stands in the message, in either letter case.
    pub mac: Option<&'m str>,
}

impl Claim<'_> {
    /// Checks it. `sha1` allows HMAC-SHA1 in the DM profile, where DM 1.3 has a better one. Every form of the secrets is always tried,
    /// so that time tells nothing.
    ///
    /// # Errors
    /// [`BootstrapError::Wrong`] where another PIN may be right; `Pin` and `UserPinMac` where none has the right form; the others where
    /// none can be right.
    pub fn verify(&self, secrets: &Secrets, document: &[u8], sha1: bool) -> Result<(), BootstrapError> {
        let Self { profile, method, mac } = *self;
        if method.name(profile).is_none() || method == Method::Gba {
            return Err(BootstrapError::Method);
        }
        if method.needs_pin() && secrets.pin.is_none() {
            return Err(BootstrapError::NoPin);
        }
        if method.needs_network() && secrets.network.is_empty() {
            return Err(BootstrapError::NoNetwork);
        }
        if method == Method::UserPinMac {
            return secrets
                .pin
                .as_ref()
                .map_or(Err(BootstrapError::NoPin), |pin| verify_digits(pin, document));
        }
        let mac = hex_digits(mac.ok_or(BootstrapError::NoMac)?.as_bytes()).ok_or(BootstrapError::MacForm)?;
        let hash = MacHash::of_length(mac.len()).ok_or(BootstrapError::MacForm)?;
        let allowed = match profile {
            Profile::Cp => hash == MacHash::Sha1,
            Profile::Dm => hash == MacHash::Sha256 || sha1,
        };
        if !allowed {
            return Err(BootstrapError::Hash);
        }
        let right = keys(profile, method, secrets).iter().fold(Choice::from(0), |right, key| {
            right | hash.of(key, document).unwrap_or_default().ct_eq(&mac)
        });
        bool::from(right).then_some(()).ok_or(BootstrapError::Wrong)
    }
}

/// Every key that a MAC may have been made with.
fn keys(profile: Profile, method: Method, secrets: &Secrets) -> Vec<Secret> {
    let Secrets { pin, network } = secrets;
    let pin = pin.as_ref().map(Pin::digits);
    let separated = |secret: Secret| pin.map(|pin| joined(&[pin, &separator(), &secret]));
    match (method, profile) {
        (Method::Network, Profile::Cp) => network.exact().collect(),
        (Method::Network, Profile::Dm) => network.all().collect(),
        (Method::UserPin, _) => pin.cloned().into_iter().collect(),
        (Method::UserPinNetwork, Profile::Cp) => {
            let joined = network.exact().filter_map(|secret| pin.map(|pin| joined(&[&secret, pin])));
            joined.chain(network.all().filter_map(separated)).collect()
        }
        (Method::UserPinNetwork, Profile::Dm) => network.all().filter_map(separated).collect(),
        (Method::UserPinMac | Method::Gba, _) => Vec::new(),
    }
}

fn verify_digits(typed: &Pin, document: &[u8]) -> Result<(), BootstrapError> {
    let typed = typed.digits().expose();
    let (pin, given) = typed.split_at_checked(typed.len() / 2).ok_or(BootstrapError::UserPinMac)?;
    if pin.len() < MIN_HALF || pin.len() != given.len() {
        return Err(BootstrapError::UserPinMac);
    }
    let digits = check_digits(&Secret::new(pin.to_vec()), document).ok_or(BootstrapError::UserPinMac)?;
    let right = digits.expose().ct_eq(given);
    bool::from(right).then_some(()).ok_or(BootstrapError::Wrong)
}

fn separator() -> Secret {
    Secret::new(SEPARATOR.to_vec())
}

fn joined(parts: &[&Secret]) -> Secret {
    let length = parts.iter().map(|part| part.expose().len()).sum();
    // Full size at once: a vector that grew would leave a copy behind.
    let mut whole = Zeroizing::new(Vec::with_capacity(length));
    parts.iter().for_each(|part| whole.extend_from_slice(part.expose()));
    Secret::new(std::mem::take(&mut *whole))
}

#[cfg(test)]
mod tests;
