//! Cards that go wrong between the agent and its reader: no partial account is ever left (`DM 2.0 §8.1, §G`).

use omadm_conformance::{Account, Authority, CardDevice, proves};
use omadm_softcard::{Card, Fault, Flawed, Image, Kind, Setup};
use serde_json::json;

fn account(id: &str) -> Vec<u8> {
    json!([Account::new(id, "https://127.0.0.1:9/dm").bootstrap_item()]).to_string().into_bytes()
}

fn flawed(image: &Image) -> Flawed {
    Card::new(Setup { kind: Kind::Uicc, image: image.clone(), ..Setup::default() }).into()
}

#[tokio::test]
async fn whatever_a_card_does_there_is_a_whole_account_or_none() {
    proves!("DM-BOOT-002-C-O", "DM-BOOT-010-C-O", "D2-8.1-06", "D2-8.1-07", "D2-G.2.5-05");
    let authority = Authority::new();
    let mut device =
        CardDevice::new(&authority.ca_file(), "UUID:5ca2d000-4b8e-4b5c-9c8b-6f1d5a1d0290", "").await;
    device.start();
    device.until("there is no card").await;
    let image = Image::of(&account("whole"));
    for (at, word) in [(0, 0x6F00), (3, 0x6982), (7, 0x6881), (9, 0x6300), (13, 0x6B00), (14, 0x6982)] {
        let inserted = device.insert(flawed(&image).with(at, Fault::Status(word)));
        device.until("the card is not read").await;
        device.pull(inserted).await;
        assert_eq!(device.accounts().await, (vec![], vec![]), "{word:04X} at {at}");
    }
    let other =
        Setup { image: Image { iccid: vec![0x11; 10], ..Image::of(&account("other")) }, ..Setup::default() };
    let swapped = device.insert(flawed(&image).with(14, Fault::Swapped(Box::new(other))));
    device.until("the card is not read").await;
    device.pull(swapped).await;
    let json = account("whole");
    for content in [
        [json.as_slice(), b"rubbish"].concat(),
        [b"\xEF\xBB\xBF", b"{\"no\": 1}".as_slice()].concat(),
        json[..json.len() / 2].to_vec(),
        b"[]".to_vec(),
        json!([{ "ClientURI": "urn:none:1.0//", "MOData": { "x": {} } }]).to_string().into_bytes(),
    ] {
        let inserted = device.insert(flawed(&Image::of(&content)));
        device.until("the card is not applied, nothing is changed").await;
        device.pull(inserted).await;
        assert_eq!(device.accounts().await, (vec![], vec![]), "{}", String::from_utf8_lossy(&content));
    }
    let rubbish = device.insert(flawed(&Image::of(b"\x00rubbish")));
    device.until("the card is not read").await;
    device.pull(rubbish).await;
    let _good = device.insert(flawed(&image));
    device.until("bootstrap of the card installed").await;
    assert_eq!(device.accounts().await.0, ["whole"]);
}

#[tokio::test]
async fn a_card_without_a_free_channel_is_tried_again() {
    proves!("D2-G.3.1-02");
    let authority = Authority::new();
    let mut device =
        CardDevice::new(&authority.ca_file(), "UUID:5ca2d000-4b8e-4b5c-9c8b-6f1d5a1d0210", "").await;
    let image = Image::of(&account("later"));
    let inserted = device.insert(flawed(&image).with(7, Fault::Status(0x6A81)));
    device.start();
    let line = device.until("the card is not read").await;
    assert!(line.contains("no logical channel"), "{line}");
    assert_eq!(device.accounts().await, (vec![], vec![]));
    inserted.card(Flawed::begin_without_faults);
    device.until("bootstrap of the card installed").await;
}
