//! Cards as the operator makes them: `omadm bootstrap card` writes files, or a card through the real PC/SC (`DM 2.0 §9.3.1.2, §G.4`).

use std::path::Path;
use std::process::Output;

use omadm_conformance::{Account, Authority, CardDevice, TestServer, omadm, omadm_within, proves};
use omadm_softcard::image::Data;
use omadm_softcard::{Access, Fault, Flawed, Image, Inserted, Keys, Pcscd, SOCKET};
use serde_json::{Value, json};

use crate::app_g_smartcard::bootstrap;
use crate::app_h_secured::{KeyFiles, secured};

/// Octets of the files of a card that is to be written.
const ROOM: usize = 1_024;

fn account(id: &str) -> Vec<u8> {
    json!([Account::new(id, "https://127.0.0.1:9/dm").bootstrap_item()]).to_string().into_bytes()
}

fn id(number: u32) -> String {
    format!("UUID:5ca2d000-4b8e-4b5c-9c8b-6f1d5a1d{number:04}")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A card that holds these octets in its files.
fn holding(odf: Vec<u8>, dodf: Vec<u8>, content: Vec<u8>) -> Image {
    let file = |file, mut octets: Vec<u8>| {
        octets.resize(ROOM, 0xFF);
        Data { file, read: Access::Always, octets }
    };
    let data = vec![file(0x6420, dodf), file(0x6421, content)];
    Image { odf: Some(file(0x5031, odf).octets), directories: Vec::new(), data, ..Image::default() }
}

#[tokio::test]
async fn the_files_that_omadm_makes_are_a_bootstrap_on_a_card() {
    proves!("D2-9.3.1.2-01", "D2-8.1-06", "D2-8.1-07", "D2-G.4.1-01", "D2-G.4.2-01", "D2-G.4.2-03");
    let server = TestServer::start().await;
    let (directory, id) = (tempfile::tempdir().unwrap(), id(500));
    let content = bootstrap(&server, &id).await;
    let made = directory.path().join("bootstrap.json");
    std::fs::write(&made, &content).unwrap();
    let output = directory.path().join("card");
    let words = [made.display().to_string(), output.display().to_string()];
    let ran = omadm(&["bootstrap", "card", &words[0], "--output-dir", &words[1]]).await;
    assert!(ran.status.success(), "{}", told(&ran));
    let file = |name: &str| std::fs::read(output.join(name)).unwrap();
    assert_eq!(file("EF_DM_Bootstrap"), content, "JSON without a byte order mark");
    let image = holding(file("EF_ODF"), file("EF_DODF-bootstrap"), file("EF_DM_Bootstrap"));

    let mut device = CardDevice::new(&server.ca_file(), &id, "").await;
    let _inserted = device.insert(secured(image, &Keys::default()));
    device.start();
    device.until("bootstrap of the card installed").await;
    while server.items(&format!("/devices/{id}/sessions")).await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(device.accounts().await.0.len(), 1);
}

/// An operator with a reader, the keys of a card, and a bootstrap for it.
struct Issuer {
    pcscd: Pcscd,
    directory: tempfile::TempDir,
}

impl Issuer {
    fn new(content: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("bootstrap.json"), content).unwrap();
        Self { pcscd: Pcscd::start().unwrap(), directory }
    }

    fn insert(&self, card: impl Into<Flawed>) -> Inserted {
        self.pcscd.insert(card).unwrap()
    }

    async fn write(&self, keys: &KeyFiles, more: &[&str]) -> Output {
        let file = self.directory.path().join("bootstrap.json").display().to_string();
        let [enc, mac, dek] = keys.files();
        let words = [
            &["bootstrap", "card", &file, "--write", "--output", "json"][..],
            &["--key-enc-file", &enc, "--key-mac-file", &mac, "--key-dek-file", &dek],
            more,
        ];
        omadm_within(&[(SOCKET, &self.pcscd.socket() as &Path)], &words.concat()).await
    }
}

/// A card with files and nothing in them.
fn blank(keys: &Keys) -> Flawed {
    secured(holding(Vec::new(), Vec::new(), Vec::new()), keys)
}

#[tokio::test]
async fn a_card_is_written_through_its_secure_channel_and_read_by_a_device() {
    proves!("D2-9.3.1.2-01", "D2-G.2.3-01", "D2-G.4.3-01");
    let authority = Authority::new();
    for (number, length, private) in [(510, 16, false), (511, 32, true)] {
        let (keys, content) = (Keys::of_length(length), account("written"));
        let (files, issuer) = (KeyFiles::new(&keys), Issuer::new(&content));
        let inserted = issuer.insert(blank(&keys));
        let more: &[&str] = if private { &["--private", "--key-version", "48"] } else { &[] };
        let ran = issuer.write(&files, more).await;
        assert!(ran.status.success(), "{}", told(&ran));
        let answer: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!((&answer["written"], answer["files"].as_array().map(Vec::len)), (&true.into(), Some(3)));
        let in_the_clear =
            |octets: &[u8]| octets.windows(12).any(|part| content.windows(12).any(|own| own == part));
        assert!(!inserted.trace().iter().any(|(command, _)| in_the_clear(command)), "nothing in the clear");
        let mut written = inserted.taken();
        let file = written.card.content(0x6421).unwrap();
        assert!(file.starts_with(&content) && file[content.len()..].iter().all(|octet| *octet == 0xFF));

        written.begin();
        let settings = format!("secure_channel = \"required\"\n{}", files.settings());
        let mut device = CardDevice::new(&authority.ca_file(), &id(number), &settings).await;
        let _inserted = device.insert(written);
        device.start();
        // What is private needs the PIN, and there is nobody who would give it.
        let line = device.until_any(&["bootstrap of the card installed", "the card is not read"]).await;
        assert_eq!(line.contains("the PIN of application 1"), private, "{line}");
        assert_eq!(device.accounts().await.0.len(), usize::from(!private));
    }
}

#[tokio::test]
async fn what_is_no_card_of_the_issuer_is_not_written() {
    proves!("D2-H-02", "D2-H-04");
    let keys = Keys::default();
    let (files, issuer) = (KeyFiles::new(&keys), Issuer::new(&account("new")));
    let ran = issuer.write(&files, &["--reader", "no such reader"]).await;
    assert!(ran.status.code() == Some(1) && told(&ran).contains("the card is not written"), "{}", told(&ran));
    let ran = issuer.write(&files, &[]).await;
    assert!(ran.status.code() == Some(1) && told(&ran).contains("cannot be reached"), "{}", told(&ran));

    let mut wrong = keys.clone();
    wrong.mac[5] ^= 1;
    let mut other_enc = keys.clone();
    other_enc.enc[0] ^= 1;
    let small = {
        let mut image = holding(Vec::new(), Vec::new(), Vec::new());
        image.data[1].octets.truncate(64);
        image
    };
    let without_files = Image { directories: Vec::new(), ..Image::default() };
    let none = Image { without_application: true, ..Image::default() };
    let empty = || holding(Vec::new(), Vec::new(), Vec::new());
    for (card, reason) in [
        (secured(empty(), &wrong), "cryptogram"),
        (secured(empty(), &other_enc), "the card is not written"),
        (secured(empty(), &keys).with(10, Fault::Status(0x6300)), "6300"),
        (secured(empty(), &keys).with(11, Fault::Tampered), "MAC"),
        (secured(small, &keys), "and its file on the card 64"),
        (secured(without_files, &keys), "EF_DM_Bootstrap"),
        (secured(none, &keys), "PKCS#15 application"),
    ] {
        // Each has a reader of its own, which need not see first that another card is gone.
        let issuer = Issuer::new(&account("new"));
        let inserted = issuer.insert(card);
        let ran = issuer.write(&files, &[]).await;
        assert_eq!(ran.status.code(), Some(1), "{reason}: {}", told(&ran));
        assert!(told(&ran).contains(reason), "{reason}: {}", told(&ran));
        let card = inserted.taken();
        let left = card.card.content(0x6421).unwrap_or_default();
        assert!(left.iter().all(|octet| *octet == 0xFF), "{reason}");
    }
}

/// A card that has a bootstrap gets another one, and is pulled out at each block: it is never a mixture.
#[tokio::test]
async fn a_card_that_is_torn_in_the_middle_of_writing_is_not_taken_by_a_device() {
    proves!("D2-G.4.3-01", "D2-8.1-06");
    let authority = Authority::new();
    let keys = Keys::default();
    let (old, new) = (account("old"), account("new"));
    let (files, issuer) = (KeyFiles::new(&keys), Issuer::new(&new));
    let with_old = || {
        let odf = b"\xA7\x06\x30\x04\x04\x02\x64\x20".to_vec();
        let dodf = b"\x30\x20\x30\x0E\x0C\x0CDM Bootstrap\x30\x06\x06\x04\x67\x2B\x07\x01\xA1\x06\x30\x04\x04\x02\x64\x21";
        secured(holding(odf, dodf.to_vec(), old.clone()), &keys)
    };
    let whole = issuer.insert(with_old());
    let ran = issuer.write(&files, &[]).await;
    assert!(ran.status.success(), "{}", told(&ran));
    let trace = whole.trace();
    whole.pull();
    let is_update = |at: &usize| trace[*at].0[1] == 0xD6;
    let updates: Vec<usize> = (0..trace.len()).filter(is_update).collect();
    // Each block of the bootstrap, and the first ones of the two directories.
    assert!(updates.len() > 8, "{updates:?}");

    let mut device = CardDevice::new(&authority.ca_file(), &id(520), "").await;
    device.start();
    device.until("there is no card").await;
    for at in updates {
        let issuer = Issuer::new(&new);
        let torn = issuer.insert(with_old().with(at, Fault::Gone));
        let ran = issuer.write(&files, &[]).await;
        assert!(
            ran.status.code() == Some(1) && told(&ran).contains("put the card in again"),
            "{}",
            told(&ran)
        );
        let mut torn = torn.taken();
        torn.begin_without_faults();
        let inserted = device.insert(torn);
        let outcomes = ["bootstrap of the card installed", "the card is not", "nothing new on the card"];
        device.until_any(&outcomes).await;
        let (accounts, _) = device.accounts().await;
        let is_whole = |account: &String| account == "old" || account == "new";
        assert!(accounts.iter().all(is_whole), "{at}: {accounts:?}");
        device.pull(inserted).await;
    }
    // The next attempt mends it.
    let (first, second) = (Issuer::new(&new), Issuer::new(&new));
    let torn = first.insert(with_old().with(14, Fault::Gone));
    assert!(!first.write(&files, &[]).await.status.success());
    let mut torn = torn.taken();
    torn.begin_without_faults();
    let mended = second.insert(torn);
    let ran = second.write(&files, &[]).await;
    assert!(ran.status.success(), "{}", told(&ran));
    assert!(mended.taken().card.content(0x6421).unwrap().starts_with(&new));
}
