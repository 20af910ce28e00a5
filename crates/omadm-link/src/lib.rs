//! Local links of DM 1.x: OBEX over TCP and over Bluetooth's RFCOMM, for whichever side of DM is on either end.
//!
//! Here: addresses, sockets, and what drives the machines of [`omadm_session::dm1::obex`] over them.
//! Never here: what a message means, accounts, credentials of DM.
//!
//! The channel of RFCOMM is a matter of the one who calls: `sdptool browse AA:BB:CC:DD:EE:FF` shows where a device has its service
//! "SyncML DM Client" (`00000004-0000-1000-8000-0002EE000002`), and `sdptool add --channel=N` makes one known.

mod address;
mod client;
mod rfcomm;
mod section;
mod server;
mod socket;

pub use address::{BluetoothAddress, LinkAddress, ListenAddress, PORT};
pub use client::ObexClient;
pub use section::ObexSection;
pub use server::ObexServer;
pub use socket::{Accepted, LinkListener, connect};

pub use omadm_session::dm1::obex::{Event, Failure, MESSAGES, Object, PUSHES, Settings};

use thiserror::Error;

/// Why a link is of no use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The link itself.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// What is spoken over it.
    #[error("{0}")]
    Obex(#[from] Failure),
}
