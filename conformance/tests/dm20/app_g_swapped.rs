//! Cards that go, and others that come, faster than the reader is asked (`DM 2.0 §8.1`): none is taken for another.

use omadm_conformance::{Account, Authority, CardDevice, proves};
use omadm_softcard::{Card, Fault, Flawed, Image, Kind, Setup};
use serde_json::json;

/// A card with an account of its own, and an ICCID.
fn card(kind: Kind, number: u8) -> Flawed {
    let id = format!("server-{number}");
    let account = json!([Account::new(&id, "https://127.0.0.1:9/dm").bootstrap_item()]).to_string();
    let image = Image { iccid: vec![number; 10], ..Image::of(account.as_bytes()) };
    Card::new(Setup { kind, image, ..Setup::default() }).into()
}

fn id(number: u32) -> String {
    format!("UUID:5ca2d000-4b8e-4b5c-9c8b-6f1d5a1d{number:04}")
}

const INSTALLED: &str = "bootstrap of the card installed";

#[tokio::test]
async fn a_card_in_the_place_of_another_is_read_however_fast_they_change() {
    proves!("DM-BOOT-008-C-O", "D2-8.1-01", "D2-8.1-03");
    let authority = Authority::new();
    let mut device = CardDevice::new(&authority.ca_file(), &id(600), "").await;
    device.start();
    device.until("there is no card").await;
    let mut inserted = device.insert(card(Kind::Uicc, 1));
    for number in 2..6 {
        device.until(INSTALLED).await;
        inserted.pull();
        inserted = device.insert(card(if number % 2 == 0 { Kind::Sim } else { Kind::Uicc }, number));
    }
    device.until(INSTALLED).await;
    let expected: Vec<String> = (1..6).map(|number| format!("server-{number}")).collect();
    assert_eq!(device.accounts().await.0, expected);
}

#[tokio::test]
async fn a_card_in_the_place_of_one_that_was_being_read_is_read_from_the_beginning() {
    proves!("D2-8.1-01", "D2-G.2.5-05");
    let authority = Authority::new();
    let mut device = CardDevice::new(&authority.ca_file(), &id(610), "").await;
    device.start();
    device.until("there is no card").await;
    for (number, at) in [(10, 0), (11, 9), (12, 14)] {
        let torn = device.insert(card(Kind::Uicc, 9).with(at, Fault::Gone));
        while torn.trace().len() < at {
            tokio::task::yield_now().await;
        }
        torn.pull();
        let inserted = device.insert(card(Kind::Uicc, number));
        device.until(INSTALLED).await;
        device.pull(inserted).await;
    }
    assert_eq!(device.accounts().await.0, ["server-10", "server-11", "server-12"]);
}

/// Pulls a card out at each of its commands, one after the other.
async fn pulled_out_at(number: u32, kind: Kind, commands: impl Iterator<Item = usize>) {
    let authority = Authority::new();
    let mut device = CardDevice::new(&authority.ca_file(), &id(number), "").await;
    device.start();
    device.until("there is no card").await;
    for at in commands {
        let inserted = device.insert(card(kind, 9).with(at, Fault::Gone));
        let line = device.until_any(&["the card is not read", INSTALLED]).await;
        assert!(line.contains("went away"), "{kind:?} {at}: {line}");
        device.pull(inserted).await;
    }
    assert_eq!(device.accounts().await, (vec![], vec![]), "{kind:?}");
    let _whole = device.insert(card(kind, 1));
    device.until(INSTALLED).await;
    assert_eq!(device.accounts().await.0, ["server-1"]);
}

/// How many commands a card is said that is read to its end.
async fn commands_of(kind: Kind) -> usize {
    let authority = Authority::new();
    let mut device = CardDevice::new(&authority.ca_file(), &id(620), "").await;
    let inserted = device.insert(card(kind, 1));
    device.start();
    device.until(INSTALLED).await;
    inserted.trace().len()
}

#[tokio::test]
async fn a_card_that_is_pulled_out_at_any_command_leaves_nothing() {
    proves!("DM-BOOT-002-C-O", "D2-G.2.5-05");
    let (uicc, sim) = tokio::join!(commands_of(Kind::Uicc), commands_of(Kind::Sim));
    tokio::join!(
        pulled_out_at(630, Kind::Uicc, (0..uicc).step_by(2)),
        pulled_out_at(631, Kind::Uicc, (1..uicc).step_by(2)),
        pulled_out_at(632, Kind::Sim, (0..sim).step_by(3)),
        pulled_out_at(633, Kind::Sim, (1..sim).step_by(3)),
        pulled_out_at(634, Kind::Sim, (2..sim).step_by(3)),
    );
}
