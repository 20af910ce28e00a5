//! What this process is: since when it runs, where it listens, and where its settings came from.

use std::net::SocketAddr;

use omadm_config::Origins;
use omadm_mo::Time;

/// What is known of this process when it has started.
pub struct About {
    /// When it started.
    pub started: Time,
    /// Where its settings came from.
    pub origins: Origins,
    /// Where it listens.
    pub listeners: Vec<Listening>,
}

/// A place at which this process listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The setting that says so.
    pub setting: &'static str,
    /// Address and port, as they are.
    pub address: SocketAddr,
    /// Whether it takes TLS alone.
    pub tls: bool,
}
