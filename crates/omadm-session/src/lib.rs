//! Sans-IO protocol engines: what a DM Client and a DM Server do, without doing it.
//!
//! Here: session states, command processing, status mapping, timers and effects as data.
//! Never here: sockets, files, clocks, randomness, `async`, SQL; DM 1.x code never reads DM 2.0 types.

mod body;
#[cfg(feature = "dm1")]
pub mod dm1;
#[cfg(feature = "dm2")]
pub mod dm2;
#[cfg(any(feature = "dm1", feature = "dm2"))]
mod durable;
#[cfg(any(feature = "dm1", feature = "dm2"))]
pub mod result_code;
pub mod sip;
pub mod smartcard;

pub use body::Body;
