//! Smartcards that hold a bootstrap (`DM 2.0 §8.1, §G`): what is said to a card, and the files in it.
//!
//! [`apdu`] and [`status`] are the language of all cards; [`sim`] and [`fcp`] what a card says of a selected file, in 2G and in 3G mode;
//! [`dir`] names the applications of a card, [`pkcs15`] the objects of the one that holds the bootstrap, and [`content`] is the bootstrap
//! itself. Everything can be written as well as read, since operators make cards. The order of steps is the engine's.

pub mod apdu;
pub mod ber;
#[cfg(feature = "dm2")]
pub(crate) mod check;
pub mod content;
pub mod dir;
pub mod fcp;
mod file;
pub mod pkcs15;
pub mod sim;
pub mod status;
mod verify;

pub use apdu::{Channel, Class, Command, Expected, Instruction, Response};
pub use file::{Aid, FileId, Path, Structure, iccid};
pub use status::StatusWord;
pub use verify::{KeyReference, Pin};

use crate::{DecodeError, Leniency, Problem, Tolerance};

/// What an octet of a file is that was never written.
pub const ERASED: u8 = 0xff;

/// `octets`, filled up with [`ERASED`] to the size of their file; `None` if they do not fit.
#[must_use]
pub fn padded(mut octets: Vec<u8>, size: usize) -> Option<Vec<u8>> {
    (octets.len() <= size).then(|| {
        octets.resize(size, ERASED);
        octets
    })
}

/// Refuses what is no filler at the end of a file, which begins at an offset of it, unless that is tolerated.
fn only_filler(
    rest: &[u8],
    at: usize,
    field: &'static str,
    leniency: &mut Leniency,
) -> Result<(), DecodeError> {
    match rest.iter().position(|octet| !matches!(*octet, 0x00 | ERASED)) {
        None => Ok(()),
        Some(_) if leniency.allow(Tolerance::CardResidue) => Ok(()),
        Some(offset) => Err(DecodeError { at: at.saturating_add(offset), field, problem: Problem::Trailing }),
    }
}
