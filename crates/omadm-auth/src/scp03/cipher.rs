//! AES in its three lengths: as a block cipher, in CBC, and as CMAC.

use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U16};
use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::{Iso7816, NoPadding};
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _};
use cmac::digest::InnerInit as _;
use cmac::{Cmac, Mac as _};
use zeroize::Zeroizing;

use super::Scp03Error;
use crate::secret::Secret;

pub(super) const BLOCK: usize = 16;
pub(super) type Block = [u8; BLOCK];
/// First octet of padding, before the zeros.
const PADDING: u8 = 0x80;

/// A key with its cipher made ready; the cipher wipes itself.
#[derive(Clone)]
pub(super) enum Key {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

/// What is done with any of the three.
trait Cipher: BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser<BlockSize = U16> + Clone {}
impl<C: BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser<BlockSize = U16> + Clone> Cipher for C {}

macro_rules! with_cipher {
    ($key:expr, $cipher:ident => $work:expr) => {
        match $key {
            Key::Aes128($cipher) => $work,
            Key::Aes192($cipher) => $work,
            Key::Aes256($cipher) => $work,
        }
    };
}

impl Key {
    /// `None` for a key that is not of 16, 24 or 32 octets.
    pub(super) fn new(octets: &[u8]) -> Option<Self> {
        Some(match octets.len() {
            16 => Self::Aes128(Box::new(Aes128::new_from_slice(octets).ok()?)),
            24 => Self::Aes192(Box::new(Aes192::new_from_slice(octets).ok()?)),
            32 => Self::Aes256(Box::new(Aes256::new_from_slice(octets).ok()?)),
            _ => return None,
        })
    }

    /// Bits of the key.
    pub(super) fn bits(&self) -> u16 {
        match self {
            Self::Aes128(_) => 128,
            Self::Aes192(_) => 192,
            Self::Aes256(_) => 256,
        }
    }

    /// AES-CMAC (`SP 800-38B`) over the parts in their order.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> Block {
        fn mac<C: Cipher>(cipher: &C, parts: &[&[u8]]) -> Block {
            let mut mac = Cmac::inner_init(cipher.clone());
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().into()
        }
        with_cipher!(self, cipher => mac(&**cipher, parts))
    }

    /// One block.
    pub(super) fn block(&self, block: Block) -> Block {
        let mut block = block.into();
        with_cipher!(self, cipher => cipher.encrypt_block(&mut block));
        block.into()
    }

    /// CBC over the data and its padding: `80`, then zeros.
    pub(super) fn encrypt(&self, iv: Block, data: &[u8]) -> Vec<u8> {
        fn encrypt<C: Cipher>(cipher: &C, iv: Block, data: &[u8]) -> Vec<u8> {
            cbc::Encryptor::inner_iv_init(cipher.clone(), &iv.into()).encrypt_padded_vec::<Iso7816>(data)
        }
        with_cipher!(self, cipher => encrypt(&**cipher, iv, data))
    }

    /// What [`Key::encrypt`] was given. More zeros than needed are cut off too, as some cards send them; a MAC was checked before,
    /// so what is said of the padding tells a stranger nothing.
    pub(super) fn decrypt(&self, iv: Block, data: &[u8]) -> Result<Secret, Scp03Error> {
        fn decrypt<C: Cipher>(cipher: &C, iv: Block, data: &[u8]) -> Option<Vec<u8>> {
            let cipher = cbc::Decryptor::inner_iv_init(cipher.clone(), &iv.into());
            cipher.decrypt_padded_vec::<NoPadding>(data).ok()
        }
        let plain = with_cipher!(self, cipher => decrypt(&**cipher, iv, data));
        let mut plain = Zeroizing::new(plain.ok_or(Scp03Error::Padding)?);
        let end = plain.iter().rposition(|octet| *octet != 0).ok_or(Scp03Error::Padding)?;
        if plain.get(end) != Some(&PADDING) {
            return Err(Scp03Error::Padding);
        }
        plain.truncate(end);
        Ok(Secret::new(std::mem::take(&mut *plain)))
    }
}

/// Data derivation constants (`Amendment D §4.1.5`).
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    CardCryptogram = 0x00,
    HostCryptogram = 0x01,
    CardChallenge = 0x02,
    SEnc = 0x04,
    SMac = 0x06,
    SRmac = 0x07,
}

/// Key derivation in counter mode (`SP 800-108 §5.1`) with AES-CMAC and GlobalPlatform's order of fields: label, separator, length,
/// counter, context. `bits` is a multiple of 8.
pub(super) fn derive(key: &Key, purpose: Purpose, bits: u16, context: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    const LABEL: [u8; 11] = [0; 11];
    const SEPARATOR: u8 = 0;
    let size = usize::from(bits / 8);
    let [high, low] = bits.to_be_bytes();
    let mut derived = Zeroizing::new(Vec::with_capacity(size.next_multiple_of(BLOCK)));
    for counter in 1..=u8::MAX {
        if derived.len() >= size {
            break;
        }
        let fixed = [purpose as u8, SEPARATOR, high, low, counter];
        let parts = [&[&LABEL[..], &fixed], context].concat();
        derived.extend_from_slice(&Zeroizing::new(key.mac(&parts))[..]);
    }
    derived.truncate(size);
    derived
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
        let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(octet).collect()
    }

    /// The examples of SP 800-38B, appendix D, for AES-128 (also RFC 4493), AES-192 and AES-256.
    #[test]
    fn cmac_is_that_of_nist() {
        const MESSAGE: &str = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
            30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710";
        let cases = [
            ("2b7e151628aed2a6abf7158809cf4f3c", 0, "bb1d6929e95937287fa37d129b756746"),
            ("2b7e151628aed2a6abf7158809cf4f3c", 16, "070a16b46b4d4144f79bdd9dd04a287c"),
            ("2b7e151628aed2a6abf7158809cf4f3c", 40, "dfa66747de9ae63030ca32611497c827"),
            ("2b7e151628aed2a6abf7158809cf4f3c", 64, "51f0bebf7e3b9d92fc49741779363cfe"),
            ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", 0, "d17ddf46adaacde531cac483de7a9367"),
            ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", 16, "9e99a7bf31e710900662f65e617c5184"),
            ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", 40, "8a1de5be2eb31aad089a82e6ee908b0e"),
            ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", 64, "a1d5df0eed790f794d77589659f39a11"),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                0,
                "028962f61b7bf89efc6b551f4667d983",
            ),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                16,
                "28a7023f452e8f82bd4bf28d8c37c35c",
            ),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                40,
                "aaf3d8f1de5640c232f5b169b9c911e6",
            ),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                64,
                "e1992190549f6ed5696a2c056c315410",
            ),
        ];
        let message = octets(MESSAGE);
        for (key, length, mac) in cases {
            let key = Key::new(&octets(key)).unwrap();
            assert_eq!(key.mac(&[&message[..length]]).to_vec(), octets(mac), "{} bits, {length}", key.bits());
            // In parts it is the same.
            let (front, back) = message[..length].split_at(length / 3);
            assert_eq!(key.mac(&[front, back]).to_vec(), octets(mac));
        }
    }

    /// A JCOP4 card, from the public logs of GlobalPlatformPro; and a calculation from the tests of asterix.
    #[test]
    fn keys_and_cryptograms_are_those_of_a_real_card() {
        let key = Key::new(&octets("404142434445464748494a4b4c4d4e4f")).unwrap();
        let challenges = octets("0102030405060708 734ecdca19e446a3");
        let derived = |key: &Key, purpose, bits| derive(key, purpose, bits, &[&challenges]).to_vec();
        assert_eq!(derived(&key, Purpose::SEnc, 128), octets("72790ca8eddd33ff607b2ea804e25344"));
        assert_eq!(derived(&key, Purpose::SRmac, 128), octets("d6e86d640a74caf2dab8894c64a358e8"));
        let session = derived(&key, Purpose::SMac, 128);
        assert_eq!(session, octets("f7062fb6554bb7b140a7336658c4178e"));
        let session = Key::new(&session).unwrap();
        assert_eq!(derived(&session, Purpose::CardCryptogram, 64), octets("0bc253bce97db991"));
        assert_eq!(derived(&session, Purpose::HostCryptogram, 64), octets("a5e66cd1a836e3a4"));
        let (counter, aid) = (octets("00002a"), octets("a000000018434d08090a0b0c000000"));
        let challenge =
            derive(&Key::new(b"@ABCDEFGHIJKLMNO").unwrap(), Purpose::CardChallenge, 64, &[&counter, &aid]);
        assert_eq!(challenge.to_vec(), octets("a3f5f144d19be66e"));
    }

    #[test]
    fn only_the_three_lengths_are_keys() {
        for length in 0..40 {
            assert_eq!(Key::new(&vec![0; length]).is_some(), [16, 24, 32].contains(&length), "{length}");
        }
    }

    #[test]
    fn padding_is_needed() {
        let key = Key::new(&[7; 16]).unwrap();
        for data in [&[][..], &[1], &[2; 15], &[3; 16], &[4; 17]] {
            let encrypted = key.encrypt([9; 16], data);
            assert_eq!(encrypted.len(), (data.len() / 16 + 1) * 16);
            assert_eq!(key.decrypt([9; 16], &encrypted).unwrap().expose(), data);
        }
        assert_eq!(key.decrypt([9; 16], &[5; 15]), Err(Scp03Error::Padding));
        assert_eq!(key.decrypt([9; 16], &[5; 16]), Err(Scp03Error::Padding));
        assert_eq!(key.decrypt([9; 16], &[]), Err(Scp03Error::Padding));
    }
}
