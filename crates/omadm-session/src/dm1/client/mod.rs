//! The device's side of a DM 1.x session (`DM 1.3 PROTO §5 to §10`).
//!
//! ```text
//! start ─Post(package 1)─▶ waiting ─message─▶ working ─effects…─▶ Post(Status, Results) ─▶ waiting …
//!                             │ nothing to answer: ended      │ 1223, refused credentials, no answer: aborted
//! ```
//! The tree is an argument of every call; everything outside the tree is an [`Effect`] that the host carries out. Messages are
//! encoded and decoded here, because sizes are kept to the octet and MACs are made of octets.

mod answer;
mod auth;
pub mod check;
mod commands;
mod config;
mod content;
mod exchange;
mod fault;
mod frame;
mod large;
mod line;
mod outbox;
mod package;
mod plan;
mod question;
mod receive;
mod report;
mod request;
mod send;
mod session;
mod sessionless;
mod working;

pub use crate::dm1::{InputType, QuestionKind};
pub use config::{Account, AlertId, Config, Credentials, DeviceAlert, Start, Trigger, UserInteraction};
pub use exchange::{
    Argument, Cause, Effect, EffectId, EffectResult, Execution, Fresh, HttpReply, Input, Note, Outcome,
    Output, Post,
};
pub use question::{MAX_TEXT, Question, UserAnswer};
pub use report::report;
pub use session::Session;
pub use sessionless::{Sessionless, Unfit};
