//! A smartcard in software, to test with: a SIM or a UICC with a bootstrap on it.
//!
//! Here: its files, its commands, its PIN and its secure channel; what can go wrong with it; the way to a virtual reader (vpcd), and a PC/SC
//! daemon of one's own.
//! Never here: product code, or anything of the codec that reads it: card and reader must not be wrong alike.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a card for tests, with files that the test has made"
)]

pub mod apdu;
mod card;
mod fault;
mod files;
pub mod image;
mod pcscd;
mod secure;
mod vpcd;

pub use card::{Card, Kind, Pin, Setup};
pub use fault::{Fault, Flawed};
pub use files::{Access, Content, File};
pub use image::Image;
pub use pcscd::{Pcscd, READER, SOCKET};
pub use secure::Keys;
pub use vpcd::Inserted;
