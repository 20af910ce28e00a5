//! DM 2.0 packages in JSON (`DM 2.0 §7.2, Appendix F`).
//!
//! Decoding takes [`crate::Limits`] and a [`crate::Leniency`], which also learns what was tolerated. Encoding emits only what the
//! JSON schemas of §7.2.1 allow.

pub mod alert;
pub mod command;
pub mod initiation;
mod json;
pub mod mo_data;
pub mod request;
pub mod response;
pub mod status;

pub use alert::{Alert, Mark};
pub use command::{Command, CommandEntry};
pub use initiation::{Initiation, SupportedMo};
pub use mo_data::MoItem;
pub use request::Request;
pub use response::{Response, StatusEntry};
pub use status::StatusCode;
