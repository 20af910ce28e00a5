//! Cardholder verification: PINs and what refers to them.

use zeroize::Zeroizing;

use super::ERASED;

/// Which PIN: P2 of VERIFY, and the key references of an FCP (`TS 102 221 §9.5.1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyReference(pub u8);

impl KeyReference {
    /// CHV1 of a SIM, and the PIN of the first application of a UICC.
    pub const CHV1: Self = Self(0x01);
    /// The universal PIN.
    pub const UNIVERSAL: Self = Self(0x11);

    /// Whether the cardholder knows it: a PIN of an application, the universal or a local one, not a key of the issuer.
    #[must_use]
    pub fn is_of_cardholder(self) -> bool {
        matches!(self.0, 0x01..=0x08 | 0x11 | 0x81..=0x88)
    }

    /// Whether it is the PIN of an application, which the universal one can replace.
    #[must_use]
    pub fn is_of_application(self) -> bool {
        matches!(self.0, 0x01..=0x08)
    }

    /// The name of the standard.
    #[must_use]
    pub fn name(self) -> String {
        match self.0 {
            0x11 => "universal PIN".to_owned(),
            number @ 0x01..=0x08 => format!("PIN of application {number}"),
            number @ 0x81..=0x88 => format!("local PIN of application {}", number & 0x0f),
            number @ 0x0a..=0x0e => format!("ADM{}", number - 9),
            number @ 0x8a..=0x8e => format!("ADM{}", number - 0x84),
            number => format!("key {number:02X}"),
        }
    }
}

/// A PIN as VERIFY carries it: 4 to 8 digits, filled up to 8 octets. Wiped on drop, does not print.
#[derive(Clone)]
pub struct Pin(Zeroizing<[u8; 8]>);

/// Not the form of a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a PIN of a card has 4 to 8 digits")]
pub struct NoPin;

impl Pin {
    /// From what the cardholder typed.
    ///
    /// # Errors
    /// [`NoPin`].
    pub fn parse(digits: &str) -> Result<Self, NoPin> {
        if !(4..=8).contains(&digits.len()) || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(NoPin);
        }
        let mut octets = Zeroizing::new([ERASED; 8]);
        octets.iter_mut().zip(digits.bytes()).for_each(|(to, from)| *to = from);
        Ok(Self(octets))
    }

    /// The octets of VERIFY.
    #[must_use]
    pub fn octets(&self) -> &[u8; 8] {
        &self.0
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_filled_up_and_does_not_print() {
        let pin = Pin::parse("1234").unwrap();
        assert_eq!(pin.octets(), b"1234\xff\xff\xff\xff");
        assert_eq!(format!("{pin:?}"), "Pin(..)");
        assert_eq!(Pin::parse("12345678").unwrap().octets(), b"12345678");
        for bad in ["", "123", "123456789", "12a4", "١٢٣٤"] {
            assert_eq!(Pin::parse(bad).err(), Some(NoPin), "{bad}");
        }
    }

    #[test]
    fn references_have_the_names_of_the_standard() {
        let name = |reference| KeyReference(reference).name();
        assert_eq!(name(0x01), "PIN of application 1");
        assert_eq!(name(0x81), "local PIN of application 1");
        assert_eq!(name(0x11), "universal PIN");
        assert_eq!([name(0x0a), name(0x0e), name(0x8a), name(0x8e)], ["ADM1", "ADM5", "ADM6", "ADM10"]);
        assert!(KeyReference::CHV1.is_of_cardholder() && !KeyReference(0x0a).is_of_cardholder());
    }
}
