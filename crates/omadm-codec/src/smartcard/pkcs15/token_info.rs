//! EF(TokenInfo): the card as a token (`PKCS #15 §6.9`). Bootstrap does not need it; programs that read PKCS#15 do.

use der::asn1::{BitStringRef, OctetStringRef, Utf8StringRef};
use der::{Encode as _, Tag, TagMode, TagNumber};

use super::NotEncodable;
use super::reader::{DerReader, wrap};
use crate::smartcard::only_filler;
use crate::{DecodeError, Leniency, Limits, Problem};

const LABEL: TagNumber = TagNumber(0);

/// What is said of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// The number of the card.
    pub serial_number: Vec<u8>,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// Its name for the user.
    pub label: Option<String>,
    /// What it can do.
    pub flags: TokenFlags,
}

/// Flags of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenFlags {
    /// The user can change nothing.
    pub read_only: bool,
    /// There are objects behind a PIN.
    pub login_required: bool,
    /// It makes random numbers.
    pub prn_generation: bool,
}

impl TokenFlags {
    const READ_ONLY: u8 = 0x80;
    const LOGIN_REQUIRED: u8 = 0x40;
    const PRN_GENERATION: u8 = 0x20;

    fn from_octet(octet: u8) -> Self {
        Self {
            read_only: octet & Self::READ_ONLY != 0,
            login_required: octet & Self::LOGIN_REQUIRED != 0,
            prn_generation: octet & Self::PRN_GENERATION != 0,
        }
    }

    fn to_octet(self) -> u8 {
        [
            (self.read_only, Self::READ_ONLY),
            (self.login_required, Self::LOGIN_REQUIRED),
            (self.prn_generation, Self::PRN_GENERATION),
        ]
        .into_iter()
        .filter_map(|(set, bit)| set.then_some(bit))
        .fold(0, |octet, bit| octet | bit)
    }
}

impl TokenInfo {
    /// Reads the file. What is said of algorithms and security environments is passed over.
    ///
    /// # Errors
    /// When it is malformed, or of another version than 1.
    pub fn decode(file: &[u8], limits: &Limits, leniency: &mut Leniency) -> Result<Self, DecodeError> {
        const FIELD: &str = "TokenInfo";
        let mut reader = DerReader::new(file, limits)?;
        let item = reader.expect(Tag::Sequence, FIELD)?;
        only_filler(reader.rest(), reader.at(), FIELD, leniency)?;
        let mut inside = item.inside();
        let version: u8 = inside.decode("version")?;
        if version != 0 {
            let problem = Problem::Schema(format!("version {version} in place of 0").into());
            return Err(item.error("version", problem));
        }
        let serial_number: &OctetStringRef = inside.decode("serialNumber")?;
        let manufacturer: Option<Utf8StringRef<'_>> = inside.optional("manufacturerID")?;
        let label: Option<Utf8StringRef<'_>> = inside.implicit(LABEL, "label")?;
        let flags: BitStringRef<'_> = inside.decode("tokenflags")?;
        Ok(Self {
            serial_number: serial_number.as_bytes().to_vec(),
            manufacturer: manufacturer.map(|name| name.as_str().to_owned()),
            label: label.map(|label| label.as_str().to_owned()),
            flags: TokenFlags::from_octet(flags.raw_bytes().first().copied().unwrap_or_default()),
        })
    }

    /// The octets of the file, without filler.
    ///
    /// # Errors
    /// [`NotEncodable`].
    pub fn encode(&self) -> Result<Vec<u8>, NotEncodable> {
        let mut content = 0u8.to_der()?;
        content.extend(OctetStringRef::new(&self.serial_number)?.to_der()?);
        if let Some(name) = &self.manufacturer {
            content.extend(Utf8StringRef::new(name)?.to_der()?);
        }
        if let Some(label) = &self.label {
            let value = Utf8StringRef::new(label)?;
            let tagged = der::asn1::ContextSpecificRef {
                tag_number: LABEL,
                tag_mode: TagMode::Implicit,
                value: &value,
            };
            content.extend(tagged.to_der()?);
        }
        let octet = self.flags.to_octet();
        // DER leaves out the bits behind the last one that is set, and the octet if there is none.
        let flags = match u8::try_from(octet.trailing_zeros()) {
            Ok(unused @ 0..=7) => BitStringRef::new(unused, std::slice::from_ref(&octet))?,
            _ => BitStringRef::new(0, &[])?,
        };
        content.extend(flags.to_der()?);
        Ok(wrap(Tag::Sequence, &content)?)
    }
}
