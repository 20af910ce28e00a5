//! push-ids: each says which notification of which device it is, under a MAC, so that nothing has to be kept to know it again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use omadm_auth::Secret;
use omadm_mo::DeviceId;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;

use super::super::carrier::Subject;
use crate::ServerError;

/// Keeps these MACs apart from whatever else is made with the key.
const PURPOSE: &[u8] = b"push-id\0";
/// Octets of a MAC.
const MAC: usize = 16;
/// Most results that are remembered to know a repetition.
const MAX_TOLD: usize = 4_096;

/// The push-ids of this server.
pub struct Tickets {
    server: String,
    key: PKey<Private>,
    /// Of which pushes the end was told, the oldest first.
    told: Mutex<VecDeque<String>>,
}

/// Which notification a push was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Of which device.
    pub device: DeviceId,
    /// Its enrolment generation.
    pub generation: i64,
    /// Number of the notification.
    pub number: u16,
}

impl Tickets {
    /// Of a server with this name and key.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn new(server: &str, key: &Secret) -> Result<Self, ServerError> {
        Ok(Self { server: server.to_owned(), key: PKey::hmac(key.expose())?, told: Mutex::default() })
    }

    /// A push-id; `unique` is a word that nobody can guess.
    pub fn issue(&self, subject: &Subject<'_>, unique: &str) -> String {
        let device = URL_SAFE_NO_PAD.encode(subject.device.as_str());
        let text = format!("{device}.{}.{}.{unique}", subject.generation, subject.number);
        let mac = URL_SAFE_NO_PAD.encode(self.mac(&text).unwrap_or_default());
        format!("{text}.{mac}@{}", self.server)
    }

    /// A push-id that tells nothing.
    pub fn anonymous(&self, unique: &str) -> String {
        format!("{unique}@{}", self.server)
    }

    /// Reads a push-id; `None` if it is none of ours.
    pub fn read(&self, push_id: &str) -> Option<Ticket> {
        let (rest, server) = push_id.rsplit_once('@')?;
        let (text, mac) = rest.rsplit_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        let expected = self.mac(text)?;
        if server != self.server || mac.len() != MAC || !openssl::memcmp::eq(&mac, &expected) {
            return None;
        }
        let mut pieces = text.split('.');
        let device = URL_SAFE_NO_PAD.decode(pieces.next()?).ok()?;
        Some(Ticket {
            device: DeviceId::parse(std::str::from_utf8(&device).ok()?).ok()?,
            generation: pieces.next()?.parse().ok()?,
            number: pieces.next()?.parse().ok()?,
        })
    }

    /// Notes that the end of a push was told; whether it is for the first time, as far as is remembered.
    pub fn is_news(&self, push_id: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.iter().any(|known| known == push_id) {
            return false;
        }
        if told.len() >= MAX_TOLD {
            told.pop_front();
        }
        told.push_back(push_id.to_owned());
        true
    }

    /// Whether the end of a push was told, as far as is remembered.
    pub fn was_told(&self, push_id: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == push_id)
    }

    /// Takes back that the end of a push was told: it could not be kept.
    pub fn forget(&self, push_id: &str) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known != push_id);
    }

    fn mac(&self, text: &str) -> Option<Vec<u8>> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key).ok()?;
        signer.update(PURPOSE).ok()?;
        signer.update(text.as_bytes()).ok()?;
        let mut mac = signer.sign_to_vec().ok()?;
        mac.truncate(MAC);
        Some(mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(key: u8) -> Tickets {
        Tickets::new("dm.example", &Secret::new(vec![key; 32])).unwrap()
    }

    #[test]
    fn only_what_we_issued_is_read() {
        let device = DeviceId::parse("IMEI:493005100592800").unwrap();
        let subject = Subject { device: &device, generation: 3, number: 65_535 };
        let push_id = tickets(1).issue(&subject, "u1");
        let ticket = Ticket { device: device.clone(), generation: 3, number: 65_535 };
        assert_eq!(tickets(1).read(&push_id), Some(ticket));
        assert_eq!(tickets(2).read(&push_id), None, "another server's");
        assert_eq!(tickets(1).read(&tickets(1).anonymous("u1")), None);
        for at in 0..push_id.len() {
            let mut changed = push_id.clone().into_bytes();
            changed[at] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(tickets(1).read(&changed), None, "{changed}");
        }
        for none in ["", "@", ".@dm.example", "a.1.2.u.@dm.example", "a.b.c.d.e@dm.example"] {
            assert_eq!(tickets(1).read(none), None, "{none}");
        }
    }

    #[test]
    fn what_was_told_is_no_news_and_is_forgotten_in_time() {
        let tickets = tickets(1);
        assert!(tickets.is_news("0"));
        assert!(!tickets.is_news("0") && tickets.was_told("0") && !tickets.was_told("1"));
        tickets.forget("0");
        assert!(tickets.is_news("0"), "it could not be kept");
        for number in 1..=MAX_TOLD {
            assert!(tickets.is_news(&number.to_string()));
        }
        assert!(!tickets.is_news("1"));
        assert!(tickets.is_news("0"), "forgotten");
    }
}
