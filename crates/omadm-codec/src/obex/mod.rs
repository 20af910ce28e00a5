//! OBEX packets, as far as the DM binding uses them (`DM 1.3 OBEX binding`, `IrOBEX 1.3 §2, §3`).
//!
//! Here: requests, responses and their headers as octets and values.
//! Never here: who may send what when, which is the session's business.

mod auth;
mod header;
mod packet;

pub use auth::{Challenge, Proof};
pub use header::{Header, HeaderId};
pub use packet::{ConnectFields, Opcode, Packet, Request, Response, ResponseCode, length_of};

/// `Target` of the DM service.
pub const TARGET_DM: &[u8] = b"SYNCML-DM";
/// Smallest size of packets that every side takes (`IrOBEX 1.3 §3.3.1.4`).
pub const MIN_PACKET: u16 = 255;
