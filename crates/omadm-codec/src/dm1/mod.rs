//! DM 1.x: the Representation Protocol with MetInf, in XML and in WBXML (`DM 1.3 REPPRO`), and TNDS (`DM 1.3 TNDS`).

mod decode;
pub mod element;
mod encode;
pub mod event;
mod form;
pub mod message;
pub mod meta;
pub mod notification;
mod owned;
pub mod tnds;
pub mod trigger;
mod wbxml;
mod xml;

pub use decode::{Decoded, decode};
pub use encode::{Encoder, Place, encode};
pub use form::{Encoding, Form};
pub use message::{
    Alert, AlertCode, Command, Container, ContainerKind, Credentials, Data, Header, Item, Location, Message,
    Operation, OperationKind, Results, Status, Unknown, Version,
};
pub use meta::{Mark, Meta};
pub use wbxml::WbxmlVersion;
