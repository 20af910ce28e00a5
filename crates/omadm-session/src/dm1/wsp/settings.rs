//! Times and sizes.

use std::time::Duration;

/// Smallest bound on a datagram, in octets: every packet carries some of the message.
pub const MIN_DATAGRAM: usize = 64;
/// Largest bound on a datagram, in octets: more does not fit into UDP over IPv4.
pub const MAX_DATAGRAM: usize = 65_507;

/// Times and sizes of transactions. WAP leaves most to the bearer; these are for IP [choice].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most octets of a datagram that is sent, [`MIN_DATAGRAM`] to [`MAX_DATAGRAM`]. Default 1400.
    pub datagram: usize,
    /// Packets that are sent before the receiver has to acknowledge them, 1 or more. Default 3.
    pub group: u8,
    /// Pause before a packet that got no answer is sent again. Default 5 s.
    pub retry: Duration,
    /// How often it is sent again. Default 4.
    pub retries: u32,
    /// How long the user of a responder may take before the sender is told that the message is here. Default 2 s.
    pub hold_on: Duration,
    /// Longest wait for anything new from the peer. Default 60 s.
    pub patience: Duration,
    /// Most octets of a message that is received. Default 128 KiB.
    pub message: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            datagram: 1400,
            group: 3,
            retry: Duration::from_secs(5),
            retries: 4,
            hold_on: Duration::from_secs(2),
            patience: Duration::from_secs(60),
            message: 128 << 10,
        }
    }
}
