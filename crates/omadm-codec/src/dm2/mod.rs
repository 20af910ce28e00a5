//! DM 2.0 packages: Package#0 in its binary format (`DM 2.0 §7.1`), the others in JSON (`DM 2.0 §7.2, Appendix F`).
//!
//! Decoding takes [`crate::Limits`] and a [`crate::Leniency`], which also learns what was tolerated. Encoding emits only what §7.1.1
//! and the JSON schemas of §7.2.1 allow.

pub mod alert;
pub mod cloud;
pub mod command;
pub mod initiation;
mod json;
pub mod mo_data;
pub mod notification;
pub mod registration;
pub mod request;
pub mod response;

pub use crate::status::StatusCode;
pub use alert::{Alert, Mark};
pub use command::{Command, CommandEntry};
pub use initiation::{Initiation, SupportedMo};
pub use mo_data::MoItem;
pub use notification::Notification;
pub use registration::Registration;
pub use request::Request;
pub use response::{Response, StatusEntry};
