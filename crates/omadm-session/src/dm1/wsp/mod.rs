//! DM 1.x through a WAP gateway: WSP over WTP, or over datagrams alone (`DM 1.3 WSPBinding`, `WAP-224`, `WAP-230`).
//!
//! ```text
//! Client ── Post, Reply ──▶ Initiator ── Invoke, Result, Ack ──▶ datagrams to the gateway, which speaks HTTP to the server
//!        ◀─ Push ───────── Responder ◀─ Invoke ──────────────── what the gateway begins by itself
//! ```
//! The machines are values: datagrams and the time go in, datagrams and replies come out. The text of the binding is not public: which
//! mode it demands is unknown, so that both are here, the one with a connection by default [choice].
//!
//! Here: transactions of WTP with segmentation and retransmission, from either side, and a client of WSP.
//! Never here: sockets and clocks. Time is a [`Duration`](std::time::Duration) since an instant of the host's choice.

pub mod check;
mod client;
mod connection;
mod connectionless;
mod initiator;
mod responder;
mod segments;
mod settings;
mod tid;
mod transaction;

pub use client::{Client, Failure, Mode, Output, PushMessage, Reply, Request};
pub use initiator::Initiator;
pub use responder::Responder;
pub use segments::TooLong;
pub use settings::{MAX_DATAGRAM, MIN_DATAGRAM, Settings};
pub use tid::{TidCounter, TidWindow};
pub use transaction::{Abort, Class, Event};
