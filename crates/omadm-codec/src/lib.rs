//! Every OMA DM wire format as `bytes <-> values`.
//!
//! Here: decoders, encoders, their limits, tolerances and errors.
//! Never here: sockets, files, clocks, a tree, or policy such as whether a command is allowed.

#[cfg(feature = "dm2")]
pub mod check;
pub mod ddf;
pub mod delegation;
pub mod dm1;
#[cfg(feature = "dm2")]
pub mod dm2;
pub mod error;
mod head;
pub mod limits;
pub mod mark;
pub mod media_type;
pub mod multipart;
pub mod obex;
pub mod ota_http;
pub mod pap;
pub mod provisioning;
mod reader;
pub mod sip;
pub mod smartcard;
pub mod sms;
pub mod status;
pub mod tolerance;
mod wbxml;
pub mod wsp;
pub mod wtp;
mod xml;

pub use error::{DecodeError, Problem};
pub use limits::Limits;
pub use media_type::{AcceptList, MediaType};
pub use status::StatusCode;
pub use tolerance::{Leniency, Tolerance};
