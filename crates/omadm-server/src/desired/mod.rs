//! Desired state: profiles say what should be true of devices, and the server makes it so, at their check-ins.
//!
//! Here: what a profile may say, what it means for one device, and what is done about the difference. Never here: bytes of a
//! protocol; what is to be done is queued as ordinary commands.

mod cache;
mod commands;
mod compare;
mod diff;
mod document;
mod known;
mod look;
mod memo;
mod places;
mod retry;
mod trial;
mod validate;
mod wanted;

pub use cache::{Profiles, follow};
pub use diff::{Difference, differences};
pub use document::{Document, Drift, Dropped, Fault, Firmware, Form, Node, Observe, Software};
pub use look::at_message;
pub use memo::Versions;
pub use retry::retry;
pub use trial::{Trial, trial};
pub use validate::{Described, check, clashes, is_name};
