//! DM 1.x: the Representation Protocol with MetInf, in XML and in WBXML (`DM 1.3 REPPRO`), and TNDS (`DM 1.3 TNDS`).

pub mod element;
pub mod event;
pub mod message;
pub mod meta;
pub mod notification;
pub mod trigger;
mod wbxml;
mod xml;

pub use message::{
    Alert, AlertCode, Command, Container, ContainerKind, Credentials, Data, Header, Item, Location, Message,
    Operation, OperationKind, Results, Status, Unknown, Version,
};
pub use meta::{Mark, Meta};
