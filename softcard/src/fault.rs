//! A card that goes wrong at a chosen moment.

use crate::card::{Card, Setup};

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The card says this, and does nothing.
    Status(u16),
    /// The card is pulled out before it answers.
    Gone,
    /// Somebody on the way changes the last octet before the status word, or the status word where there is no data.
    Tampered,
    /// Somebody on the way answers with what the card said before.
    Replayed,
    /// Another card is in the reader, and nobody has noticed.
    Swapped(Box<Setup>),
}

/// A card, what was said between it and its reader, and what is to go wrong.
#[derive(Debug)]
pub struct Flawed {
    /// The card.
    pub card: Card,
    faults: Vec<(usize, Fault)>,
    trace: Vec<(Vec<u8>, Vec<u8>)>,
}

impl From<Card> for Flawed {
    fn from(card: Card) -> Self {
        Self { card, faults: Vec::new(), trace: Vec::new() }
    }
}

impl Flawed {
    /// The same, with this fault at the command with this number, from 0.
    #[must_use]
    pub fn with(mut self, at: usize, fault: Fault) -> Self {
        self.faults.push((at, fault));
        self
    }

    /// Commands and answers, in their order.
    #[must_use]
    pub fn trace(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.trace
    }

    /// Forgets what was said; faults count from here.
    pub fn begin(&mut self) {
        self.trace.clear();
    }

    /// The same, and nothing goes wrong any more.
    pub fn begin_without_faults(&mut self) {
        self.faults.clear();
        self.begin();
    }

    /// Answers a command; `None` when the card is gone.
    pub fn transmit(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let now = self.trace.len();
        let due = self.faults.iter().find(|(at, _)| *at == now).map(|(_, fault)| fault.clone());
        let answer = match due {
            None => self.card.transmit(command),
            Some(Fault::Status(word)) => word.to_be_bytes().to_vec(),
            Some(Fault::Gone) => return None,
            Some(Fault::Tampered) => {
                let mut answer = self.card.transmit(command);
                let place = if answer.len() > 2 { answer.len() - 3 } else { 1 };
                answer[place] ^= 0x01;
                answer
            }
            Some(Fault::Replayed) => {
                let _real = self.card.transmit(command);
                self.trace.last().map(|(_, answer)| answer.clone()).unwrap_or_default()
            }
            Some(Fault::Swapped(other)) => {
                self.card = Card::new(*other);
                self.card.transmit(command)
            }
        };
        self.trace.push((command.to_vec(), answer.clone()));
        Some(answer)
    }
}
