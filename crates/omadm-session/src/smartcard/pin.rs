//! Showing a PIN to a card (`DM 2.0 §G.2.4, §G.3.4`): never more tries than the user makes, and not the last one without leave.

use omadm_codec::smartcard::status::{Failure, Next};
use omadm_codec::smartcard::{Command, KeyReference, Pin, Response, StatusWord};

use super::approach::Card;
use super::{CardError, PinQuestion};

pub(super) const VERIFYING: &str = "verifying the PIN";
/// The PIN cannot be used, because it is not asked for.
const DISABLED: [StatusWord; 3] = [StatusWord(0x6984), StatusWord(0x9808), StatusWord::DATA_NOT_FOUND];

/// A PIN that is being shown.
#[derive(Debug)]
pub(super) struct Verification {
    reference: KeyReference,
    label: Option<String>,
    tries_left: Option<u8>,
    attempt: u8,
}

/// How it goes on.
pub(super) enum Verified {
    Command(Command),
    Ask(PinQuestion),
    Done,
}

impl Verification {
    /// Begins. A UICC is asked how many tries there are; a SIM has said it when its directory was selected.
    pub(super) fn begin(
        card: &Card,
        reference: KeyReference,
        label: Option<String>,
    ) -> Result<(Self, Verified), CardError> {
        let mut own = Self { reference, label, tries_left: None, attempt: 0 };
        if !card.address.is_sim() {
            let command = Command::tries_left(card.address.class, reference);
            return Ok((own, Verified::Command(command)));
        }
        own.tries_left = card.chv1.and_then(|directory| directory.chv1_tries);
        let next = own.ask(card)?;
        Ok((own, next))
    }

    fn name(&self, card: &Card) -> String {
        if card.address.is_sim() { "CHV1".to_owned() } else { format!("the {}", self.reference.name()) }
    }

    /// Asks the user, if there is a try to be had.
    fn ask(&mut self, card: &Card) -> Result<Verified, CardError> {
        let pin = self.name(card);
        match self.tries_left {
            Some(0) => return Err(CardError::Blocked { pin }),
            Some(tries @ 1) if !card.settings.last_try => return Err(CardError::LastTry { pin, tries }),
            _ => {}
        }
        self.attempt = self.attempt.saturating_add(1);
        Ok(Verified::Ask(PinQuestion {
            pin,
            reference: self.reference,
            label: self.label.clone(),
            tries_left: self.tries_left,
            attempt: self.attempt,
        }))
    }

    /// Takes what the user said.
    pub(super) fn given(&self, card: &Card, pin: &Pin) -> Command {
        Command::verify(card.address.class, self.reference, pin)
    }

    /// Nobody gave one.
    pub(super) fn refused(&self, card: &Card) -> CardError {
        CardError::NoPin { pin: self.name(card) }
    }

    /// Takes an answer of the card.
    pub(super) fn handle(&mut self, card: &Card, answer: &Response) -> Result<Verified, CardError> {
        let was_shown = self.attempt > 0;
        match answer.status.next() {
            Next::Done | Next::GetResponse(_) => Ok(Verified::Done),
            Next::Failed(Failure::Blocked) => Err(CardError::Blocked { pin: self.name(card) }),
            Next::Failed(Failure::Verification) if answer.status != StatusWord::AUTHENTICATION_FAILED => {
                let counted = self.tries_left.map(|tries| tries.saturating_sub(u8::from(was_shown)));
                self.tries_left = answer.status.tries_left().or(counted);
                self.ask(card)
            }
            _ if DISABLED.contains(&answer.status) => Ok(Verified::Done),
            _ => Err(CardError::Status { doing: VERIFYING, status: answer.status }),
        }
    }
}
