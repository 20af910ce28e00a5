//! What a bootstrap of DM 1.x is secured with: a PIN that the user gets, and what network and device both know.

use zeroize::Zeroizing;

use super::BootstrapError;
use crate::secret::Secret;

/// Digits of a PIN (our choice): fewer are guessed, more are not typed.
const PIN: std::ops::RangeInclusive<usize> = 4..=32;
/// Digits of an IMSI: MCC, MNC and one more at least (`3GPP TS 23.003 §2.2`).
const IMSI: std::ops::RangeInclusive<usize> = 6..=15;
/// Most octets of a key of the network's own.
pub const MAX_NETWORK_KEY: usize = 64;
/// Digits of MCC with an MNC of either length: what goes before the MSIN.
const NETWORK_CODES: [usize; 2] = [5, 6];

/// A PIN in ASCII digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin(Secret);

impl Pin {
    /// Reads 4 to 32 decimal digits; white space around them is no part of the PIN.
    ///
    /// # Errors
    /// [`BootstrapError::Pin`].
    pub fn parse(text: &str) -> Result<Self, BootstrapError> {
        let text = text.trim();
        let legal = PIN.contains(&text.len()) && is_digits(text);
        legal.then(|| Self(Secret::new(text.as_bytes().to_vec()))).ok_or(BootstrapError::Pin)
    }

    /// The digits.
    #[must_use]
    pub fn digits(&self) -> &Secret {
        &self.0
    }
}

/// An IMSI.
#[derive(Clone, PartialEq, Eq)]
pub struct Imsi(Zeroizing<String>);

impl Imsi {
    /// Reads 6 to 15 decimal digits.
    ///
    /// # Errors
    /// [`BootstrapError::Imsi`].
    pub fn parse(text: &str) -> Result<Self, BootstrapError> {
        let legal = IMSI.contains(&text.len()) && is_digits(text);
        legal.then(|| Self(Zeroizing::new(text.to_owned()))).ok_or(BootstrapError::Imsi)
    }

    /// As NETWPIN has it, which is EF_IMSI of the card without its length: the digits in semi-octets after a mark of their parity.
    #[must_use]
    pub fn semi_octets(&self) -> Secret {
        let is_odd = self.0.len() % 2 == 1;
        // Full size at once: a vector that grew would leave a copy behind.
        let mut nibbles = Zeroizing::new(Vec::with_capacity(self.0.len() + 2));
        nibbles.push(if is_odd { 9 } else { 1 });
        nibbles.extend(self.0.bytes().map(|digit| digit - b'0'));
        if !is_odd {
            nibbles.push(0xF);
        }
        let octets = nibbles.chunks_exact(2).map(|pair| match pair {
            [low, high] => high << 4 | low,
            _ => 0,
        });
        Secret::new(octets.collect())
    }

    /// The digits in ASCII.
    #[must_use]
    pub fn ascii(&self) -> Secret {
        Secret::new(self.0.as_bytes().to_vec())
    }

    /// The MSIN in ASCII, for an MNC of two and of three digits.
    pub fn msins(&self) -> impl Iterator<Item = Secret> {
        let msin = |codes: usize| self.0.get(codes..).filter(|msin| !msin.is_empty());
        NETWORK_CODES.into_iter().filter_map(msin).map(|msin| Secret::new(msin.as_bytes().to_vec()))
    }
}

impl std::fmt::Debug for Imsi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Imsi(..)")
    }
}

/// What network and device share: the key that an operator has given, the IMSI of the card, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSecret {
    /// A key of the network's own, such as an ESN or MEID.
    key: Option<Secret>,
    /// The IMSI.
    imsi: Option<Imsi>,
}

impl NetworkSecret {
    /// From what there is.
    ///
    /// # Errors
    /// [`BootstrapError::NetworkKey`].
    pub fn new(key: Option<Secret>, imsi: Option<Imsi>) -> Result<Self, BootstrapError> {
        let legal = key.as_ref().is_none_or(|key| (1..=MAX_NETWORK_KEY).contains(&key.expose().len()));
        legal.then_some(Self { key, imsi }).ok_or(BootstrapError::NetworkKey)
    }

    /// The form that a sender uses: the key, else the IMSI in semi-octets.
    pub(super) fn sent(&self) -> Option<Secret> {
        self.exact().next()
    }

    /// The forms that both profiles know.
    pub(super) fn exact(&self) -> impl Iterator<Item = Secret> {
        self.key.iter().cloned().chain(self.imsi.iter().map(Imsi::semi_octets))
    }

    /// Those, and the ones that peers use for the DM profile, in the order in which they are tried.
    pub(super) fn all(&self) -> impl Iterator<Item = Secret> {
        let ascii = self.imsi.iter().flat_map(|imsi| std::iter::once(imsi.ascii()).chain(imsi.msins()));
        self.exact().chain(ascii)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.key.is_none() && self.imsi.is_none()
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imsi_in_semi_octets_is_that_of_the_card() {
        let octets = |imsi: &str| Imsi::parse(imsi).unwrap().semi_octets().expose().to_vec();
        assert_eq!(octets("123456789012345"), [0x19, 0x32, 0x54, 0x76, 0x98, 0x10, 0x32, 0x54]);
        assert_eq!(octets("404020506708200"), [0x49, 0x40, 0x20, 0x50, 0x60, 0x07, 0x28, 0x00]);
        assert_eq!(octets("31041012345678"), [0x31, 0x01, 0x14, 0x10, 0x32, 0x54, 0x76, 0xF8]);
    }

    #[test]
    fn an_imsi_has_6_to_15_digits() {
        for bad in ["", "12345", "1234567890123456", "12345678901234x", "１２３４５６", " 123456", "-123456"]
        {
            assert_eq!(Imsi::parse(bad), Err(BootstrapError::Imsi), "{bad:?}");
        }
        assert!(Imsi::parse("123456").is_ok() && Imsi::parse("123456789012345").is_ok());
        let msins: Vec<_> = Imsi::parse("123456").unwrap().msins().collect();
        assert_eq!(msins, [Secret::new(b"6".to_vec())]);
    }

    #[test]
    fn a_pin_has_4_to_32_digits() {
        for bad in ["", "123", "12a4", "１２３４", &"1".repeat(33)] {
            assert_eq!(Pin::parse(bad), Err(BootstrapError::Pin), "{bad:?}");
        }
        assert_eq!(Pin::parse(" 1234\n"), Pin::parse("1234"));
        assert!(Pin::parse(&"1".repeat(32)).is_ok());
    }

    #[test]
    fn a_key_of_the_network_has_1_to_64_octets() {
        let key = |length| NetworkSecret::new(Some(Secret::new(vec![1; length])), None);
        assert_eq!(key(0), Err(BootstrapError::NetworkKey));
        assert_eq!(key(65), Err(BootstrapError::NetworkKey));
        assert!(key(1).is_ok() && key(64).is_ok());
    }

    #[test]
    fn nothing_of_it_prints() {
        let imsi = Imsi::parse("123456789012345").unwrap();
        let shown = format!("{:?} {:?}", Pin::parse("5678").unwrap(), NetworkSecret::new(None, Some(imsi)));
        assert!(!shown.contains("5678") && !shown.contains("1234"), "{shown}");
    }
}
