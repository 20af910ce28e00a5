//! The secure channel between card and device (`DM 2.0 §H`), over the real path.

use omadm_conformance::{Account, Authority, CardDevice, TestServer, proves};
use omadm_softcard::{Card, Fault, Flawed, Image, Keys, Kind, Setup};
use serde_json::json;

use crate::app_g_smartcard::{bootstrap, in_order, said};

fn account(id: &str) -> Vec<u8> {
    json!([Account::new(id, "https://127.0.0.1:9/dm").bootstrap_item()]).to_string().into_bytes()
}

/// Key files, and the settings that name them.
pub struct KeyFiles(tempfile::TempDir);

impl KeyFiles {
    pub fn new(keys: &Keys) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for (name, key) in [("enc", &keys.enc), ("mac", &keys.mac), ("dek", &keys.dek)] {
            let digits: String = key.iter().map(|octet| format!("{octet:02x}")).collect();
            std::fs::write(files.0.path().join(name), digits + "\n").unwrap();
        }
        files
    }

    pub fn settings(&self) -> String {
        let [enc, mac, dek] = self.files();
        format!("key_enc_file = {enc:?}\nkey_mac_file = {mac:?}\nkey_dek_file = {dek:?}\n")
    }

    /// KEY_ENC, KEY_MAC and KEY_DEK.
    pub fn files(&self) -> [String; 3] {
        ["enc", "mac", "dek"].map(|name| self.0.path().join(name).display().to_string())
    }
}

pub fn secured(image: Image, keys: &Keys) -> Flawed {
    Card::new(Setup { kind: Kind::Uicc, image, keys: Some(keys.clone()), ..Setup::default() }).into()
}

#[tokio::test]
async fn a_bootstrap_comes_through_the_secure_channel_with_keys_of_every_length() {
    proves!(
        "DM-BOOT-006-C-O",
        "DM-BOOT-011-C-O",
        "DM-SEC-013-C-0",
        "DM-SEC-014-C-O",
        "D2-8.1-08",
        "D2-8.1-09",
        "D2-H-01",
        "D2-H-02",
        "D2-H-03",
        "D2-H-04",
        "D2-H-05",
        "D2-H-06",
    );
    let server = TestServer::start().await;
    for (number, length) in [(300, 16), (301, 24), (302, 32)] {
        let id = format!("UUID:5ca2d000-4b8e-4b5c-9c8b-6f1d5a1d{number:04}");
        let keys = Keys::of_length(length);
        let files = KeyFiles::new(&keys);
        let settings = format!("secure_channel = \"required\"\n{}", files.settings());
        let mut device = CardDevice::new(&server.ca_file(), &id, &settings).await;
        let content = bootstrap(&server, &id).await;
        let inserted = device.insert(secured(Image::secured(&content), &keys));
        device.start();
        assert!(device.until("card read").await.contains("secured=true"));
        device.until("bootstrap of the card installed").await;
        while server.items(&format!("/devices/{id}/sessions")).await.is_empty() {
            tokio::task::yield_now().await;
        }
        let said = said(&inserted);
        let on_channel: Vec<_> = said.iter().filter(|command| !command.starts_with("00")).cloned().collect();
        assert!(on_channel[0].starts_with("01A404040CA000000063504B43532D3135"), "{on_channel:#?}");
        in_order(
            &on_channel,
            &["01A40404", "8150000008", "8582330010", "05A4", "05B0", "05A4", "05B0", "05A4", "05B0"],
        );
        assert!(on_channel[3..].iter().all(|command| command.starts_with("05")), "{on_channel:#?}");
        let open =
            |answer: &[u8]| answer.windows(12).any(|octets| content.windows(12).any(|part| part == octets));
        assert!(!inserted.trace().iter().any(|(_, answer)| open(answer)), "nothing in the clear");
        device.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_the_card_or_not_whole_is_refused() {
    proves!(
        "DM-BOOT-006-C-O",
        "DM-BOOT-011-C-O",
        "DM-SEC-014-C-O",
        "D2-8.1-09",
        "D2-H-02",
        "D2-H-04",
        "D2-H-05",
        "D2-H-06"
    );
    let authority = Authority::new();
    let keys = Keys::default();
    let files = KeyFiles::new(&keys);
    let id = "UUID:5ca2d000-4b8e-4b5c-9c8b-6f1d5a1d0310";
    let mut device = CardDevice::new(&authority.ca_file(), id, &files.settings()).await;
    device.start();
    device.until("there is no card").await;
    let image = Image::secured(&account("secured"));
    let mut other = keys.clone();
    other.mac[0] ^= 1;
    // Commands before the channel is secured: 8 (SELECT by AID), then INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, and what is inside.
    let hostile = [
        (secured(image.clone(), &other), "cryptogram"),
        (secured(image.clone(), &keys).with(9, Fault::Replayed), "secure channel"),
        (secured(image.clone(), &keys).with(9, Fault::Status(0x6D00)), "instead of setting up"),
        (secured(image.clone(), &keys).with(10, Fault::Status(0x6300)), "6300"),
        (secured(image.clone(), &keys).with(11, Fault::Tampered), "MAC"),
        (secured(image.clone(), &keys).with(12, Fault::Replayed), "MAC"),
        (secured(image.clone(), &keys).with(15, Fault::Status(0x9000)), "MAC"),
        (secured(image.clone(), &keys).with(16, Fault::Tampered), "MAC"),
    ];
    for (card, reason) in hostile {
        let inserted = device.insert(card);
        let line = device.until("the card is not read").await;
        assert!(line.contains(reason), "{reason}: {line}");
        device.pull(inserted).await;
        assert_eq!(device.accounts().await, (vec![], vec![]), "{reason}");
    }
    device.stop().await;

    // Without keys the policy decides.
    device.configure("secure_channel = \"required\"\n");
    let plain = device.insert(secured(Image::of(&account("plain")), &keys));
    device.start();
    let line = device.until("the card is not read").await;
    assert!(line.contains("no keys"), "{line}");
    assert!(plain.trace().is_empty(), "nothing is said to it");
    device.stop().await;
    device.configure("");
    device.start();
    device.until("bootstrap of the card installed").await;
    assert_eq!(device.accounts().await.0, ["plain"]);
}
