//! The harness of the conformance tests: `tests/` proves the rows of `matrix.csv` with it, over real sockets.
//!
//! Here: [`proves!`], servers and devices under test, and independent scripted peers that judge them.
//! Never here: product code. The scripted peers use no codec and no engine of ours, so that both sides cannot be wrong alike.

mod proof;

pub use proof::{DIRECTORY, Proof};
