//! The engine of smartcards against a card of software: what it says, what it finds, and what it does when a card goes wrong.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail them")]

mod corpus;
mod faults;
mod pins;
mod rules;
mod secured;
mod sequence;
mod writing;

use omadm_codec::smartcard::Pin;
use omadm_session::smartcard::{
    CardBootstrap, CardContent, CardError, CardInput, CardOutput, CardReader, CardSettings, PinQuestion,
};
use omadm_softcard::{Card, Flawed, Setup};

/// A bootstrap as far as the engine is concerned.
const JSON: &[u8] = br#"[{"ClientURI":"urn:none:1.0//","MOData":{"x":{}}}]"#;

/// Drives a card to the end; the user types these PINs, and then walks away.
fn drive(
    card: &mut Flawed,
    settings: CardSettings,
    pins: &[&str],
) -> (Result<CardContent, CardError>, Vec<PinQuestion>) {
    let (mut pins, mut asked) = (pins.iter(), Vec::new());
    let (mut reader, mut output) = CardReader::begin(settings);
    loop {
        output = match output {
            CardOutput::Transmit(octets) => match card.transmit(&octets) {
                Some(answer) => reader.handle(CardInput::Answer(&answer)),
                None => reader.handle(CardInput::Gone),
            },
            CardOutput::AskPin(question) => {
                asked.push(question);
                match pins.next() {
                    Some(pin) => reader.handle(CardInput::Pin(Pin::parse(pin).unwrap())),
                    None => reader.handle(CardInput::NoPin),
                }
            }
            CardOutput::Finished(outcome) => return (outcome, asked),
        };
    }
}

/// The same without a user.
fn read(card: &mut Flawed, settings: CardSettings) -> Result<CardContent, CardError> {
    drive(card, settings, &[]).0
}

fn card(setup: Setup) -> Flawed {
    Card::new(setup).into()
}

/// The JSON that was found.
fn json(outcome: Result<CardContent, CardError>) -> Vec<u8> {
    match outcome.unwrap().bootstrap {
        Some(CardBootstrap::Json(body)) => body.to_vec(),
        other => panic!("{other:?}"),
    }
}
