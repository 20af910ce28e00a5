//! 3GPP GBA Push for a bootstrap (`DM 2.0 §9.3.1.3`): the keys (`TS 33.220 Annex B`), and the message under their protection.
//!
//! The standard names neither cipher nor MAC of the message. Ours is profile 1: AES-128-CBC with the first half of DMBEK, then
//! HMAC-SHA-256 with DMBIK over all that goes before it.
//!
//! ```text
//! 01 | length of B-TID (1) | B-TID | IV (16) | ciphertext (n × 16, PKCS #7) | MAC (32)
//! ```

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _, KeyInit as _};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Parameter `SEC` of the media type of a protected bootstrap.
pub const SEC: &str = "3GPP_GBA";

/// FC of every key derivation of GBA.
const FC: u8 = 0x01;
/// P0 of DMBIK. The standard prints it as `dmbik`, but its octets and their number have the hyphen.
const INTEGRITY: &[u8] = b"dm-bik";
/// P0 of DMBEK.
const ENCRYPTION: &[u8] = b"dm-bek";
/// The first octet of a protected message.
const PROFILE: u8 = 1;
const BLOCK: usize = 16;
const MAC: usize = 32;

/// A key of GBA: 256 bits.
type Key = Zeroizing<[u8; 32]>;

/// Identity of the DM Server towards GBA: its FQDN, then the identifier of the Ua security protocol (`TS 33.220 Annex H`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NafId(Vec<u8>);

impl NafId {
    /// From the server's FQDN and the identifier that OMNA registers for DM. `None` when `fqdn` is not 1 to 255 printable ASCII
    /// octets.
    #[must_use]
    pub fn new(fqdn: &str, ua_protocol: [u8; 5]) -> Option<Self> {
        let legal = (1..=255).contains(&fqdn.len()) && fqdn.bytes().all(|octet| octet.is_ascii_graphic());
        legal.then(|| Self([fqdn.as_bytes(), &ua_protocol].concat()))
    }

    /// The octets that go into the key derivation.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Where the shared secret of GBA stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the terminal: `Ks_NAF` or `Ks_ext_NAF`.
    Terminal,
    /// In the card: `Ks_int_NAF`.
    Card,
}

/// `Ks_(ext/int)_NAF`: what device and DM Server share after GBA Push.
#[derive(Clone)]
pub struct NafKey(Key);

impl NafKey {
    /// From the network function that ran GBA Push.
    #[must_use]
    pub fn new(octets: [u8; 32]) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// Derives it from `Ks = CK || IK` (`TS 33.220 §B.3`). `None` when `impi` is longer than 65535 octets.
    #[must_use]
    pub fn derive(ks: [u8; 32], place: Place, rand: &[u8; 16], impi: &str, naf: &NafId) -> Option<Self> {
        let label: &[u8] = match place {
            Place::Terminal => b"gba-me",
            Place::Card => b"gba-u",
        };
        let ks = Zeroizing::new(ks);
        derive(&ks, &[label, rand, impi.as_bytes(), naf.as_bytes()]).map(Self)
    }

    /// The key itself: base64 of it is the password of HTTP Digest towards the server (`TS 33.222 §5.3`).
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// DMBIK and DMBEK (`DM 2.0 §9.3.1.3`).
    #[must_use]
    pub fn bootstrap_keys(&self) -> BootstrapKeys {
        // One parameter of six octets always fits its length field.
        let key = |label: &[u8]| derive(&self.0, &[label]).unwrap_or_default();
        BootstrapKeys { integrity: key(INTEGRITY), encryption: key(ENCRYPTION) }
    }
}

/// The keys of a protected bootstrap.
#[derive(Clone)]
pub struct BootstrapKeys {
    integrity: Key,
    encryption: Key,
}

impl BootstrapKeys {
    /// DMBIK.
    #[must_use]
    pub fn integrity(&self) -> &[u8; 32] {
        &self.integrity
    }

    /// DMBEK.
    #[must_use]
    pub fn encryption(&self) -> &[u8; 32] {
        &self.encryption
    }

    /// Puts a bootstrap under protection. `transaction` is the B-TID of the GBA Push run that gave the keys; `iv` has to be fresh
    /// random octets.
    ///
    /// # Errors
    /// [`GbaError::Transaction`].
    pub fn protect(&self, transaction: &str, iv: [u8; 16], bootstrap: &[u8]) -> Result<Vec<u8>, GbaError> {
        let length = u8::try_from(transaction.len()).ok().filter(|length| *length > 0);
        let length = length.ok_or(GbaError::Transaction)?;
        let ciphertext =
            cbc::Encryptor::inner_iv_init(self.cipher(), &iv.into()).encrypt_padded_vec::<Pkcs7>(bootstrap);
        let mut message = [&[PROFILE, length], transaction.as_bytes(), &iv, &ciphertext].concat();
        let mac = self.mac(&message).finalize().into_bytes();
        message.extend_from_slice(&mac);
        Ok(message)
    }

    fn cipher(&self) -> Aes128 {
        let mut key = Zeroizing::new([0; BLOCK]);
        key.iter_mut().zip(self.encryption.iter()).for_each(|(to, from)| *to = *from);
        Aes128::new(&(*key).into())
    }

    fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        hmac(&self.integrity).chain_update(message)
    }
}

/// A protected bootstrap that is not opened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protected<'m> {
    /// B-TID of the GBA Push run whose keys protect it.
    pub transaction: &'m str,
    iv: [u8; BLOCK],
    ciphertext: &'m [u8],
    mac: &'m [u8; MAC],
    /// What the MAC is over.
    covered: &'m [u8],
}

impl<'m> Protected<'m> {
    /// Takes a message apart; nothing in it can be trusted before [`Protected::open`].
    ///
    /// # Errors
    /// [`GbaError::Profile`] and [`GbaError::Form`].
    pub fn read(message: &'m [u8]) -> Result<Self, GbaError> {
        let (covered, mac) = message.split_last_chunk().ok_or(GbaError::Form)?;
        let (&[profile, length], rest) = covered.split_first_chunk().ok_or(GbaError::Form)?;
        if profile != PROFILE {
            return Err(GbaError::Profile(profile));
        }
        let (transaction, rest) = rest.split_at_checked(length.into()).ok_or(GbaError::Form)?;
        let transaction = std::str::from_utf8(transaction).map_err(|_| GbaError::Form)?;
        let (iv, ciphertext) = rest.split_first_chunk().ok_or(GbaError::Form)?;
        if transaction.is_empty() || ciphertext.is_empty() || ciphertext.len() % BLOCK != 0 {
            return Err(GbaError::Form);
        }
        Ok(Self { transaction, iv: *iv, ciphertext, mac, covered })
    }

    /// Checks the MAC and deciphers.
    ///
    /// # Errors
    /// [`GbaError::Mac`].
    pub fn open(&self, keys: &BootstrapKeys) -> Result<Secret, GbaError> {
        keys.mac(self.covered).verify(self.mac.into()).map_err(|_| GbaError::Mac)?;
        let cipher = cbc::Decryptor::inner_iv_init(keys.cipher(), &self.iv.into());
        // Padding is looked at only after the MAC is right, so it tells a stranger nothing.
        let bootstrap = cipher.decrypt_padded_vec::<Pkcs7>(self.ciphertext).map_err(|_| GbaError::Form)?;
        Ok(Secret::new(bootstrap))
    }
}

/// The network part of GBA Push: what ran it and keeps its results.
pub trait GbaPush: Send + Sync {
    /// The key that was agreed under this B-TID, if GBA Push was run and its lifetime is not over (`TS 33.223`).
    fn key(&self, transaction: &str) -> Option<NafKey>;
}

/// Why a protected bootstrap is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GbaError {
    /// The B-TID is empty or longer than 255 octets.
    #[error("a B-TID has 1 to 255 octets")]
    Transaction,
    /// A profile that is not known.
    #[error("the protected bootstrap has profile {0}; this device knows profile {PROFILE}")]
    Profile(u8),
    /// Not the form of the profile.
    #[error("the protected bootstrap is cut off or malformed")]
    Form,
    /// Changed on the way, or other keys.
    #[error("the MAC of the protected bootstrap is wrong: it was changed, or protected with other keys")]
    Mac,
    /// No GBA Push run gave keys for it.
    #[error("no GBA Push run agreed keys for the protected bootstrap")]
    NoKeys,
}

/// Opens a protected bootstrap with the keys of the GBA Push run that it names.
///
/// # Errors
/// Any [`GbaError`] but `Transaction`.
pub fn open(message: &[u8], push: &dyn GbaPush) -> Result<Secret, GbaError> {
    let protected = Protected::read(message)?;
    let key = push.key(protected.transaction).ok_or(GbaError::NoKeys)?;
    protected.open(&key.bootstrap_keys())
}

/// The key derivation function of GBA (`TS 33.220 §B.2`): HMAC-SHA-256 over FC and each parameter with its length.
fn derive(key: &Key, parameters: &[&[u8]]) -> Option<Key> {
    let mut mac = hmac(key).chain_update([FC]);
    for parameter in parameters {
        let length = u16::try_from(parameter.len()).ok()?;
        mac = mac.chain_update(parameter).chain_update(length.to_be_bytes());
    }
    Some(Zeroizing::new(mac.finalize().into_bytes().into()))
}

/// HMAC takes a key of its block size; a shorter one is filled up with zeros (`RFC 2104 §2`).
fn hmac(key: &Key) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key.iter()).for_each(|(to, from)| *to = *from);
    Hmac::new(&(*block).into())
}
