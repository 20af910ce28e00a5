//! `[dm1.obex]`: DM 1.x over local links.

use std::path::PathBuf;

use omadm_config::{Fault, Size, Span};
use omadm_link::ListenAddress;
use serde::{Deserialize, Serialize};

/// `[dm1.obex]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObexSection {
    /// Where devices connect by OBEX: an address and a port, of which 650 is that of OBEX, or `rfcomm:CHANNEL`. Default nowhere. What
    /// comes and goes there is not encrypted: it is for local links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<ListenAddress>,
    /// Call devices whose way is `obex:` or `obex+rfcomm:`, and manage them over the same link.
    pub call: bool,
    /// Take credentials of the scheme `basic` also over OBEX, where everyone on the way reads them. They have to stand in `dm1.schemes`,
    /// too.
    pub basic: bool,
    /// User whom who connects has to know the password of (OBEX authentication, which is weak). Default: DM asks for its own credentials
    /// and OBEX for none. As OBEX client this server answers challenges by the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password of `user`, 4096 octets at most; white space at its end does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Most links at a time, in and out. 1 to 10000.
    pub max_connections: usize,
    /// Largest packet. 255 to 65535 octets.
    pub max_packet: Size,
    /// How long the other side may be silent.
    pub silence: Span,
    /// How long a device is left waiting for the answer to a Get.
    pub hold: Span,
    /// How long it may take to connect to a device.
    pub connect_timeout: Span,
}

impl Default for ObexSection {
    fn default() -> Self {
        Self {
            listen: None,
            call: false,
            basic: false,
            user: None,
            password_file: None,
            max_connections: 64,
            max_packet: Size(usize::from(u16::MAX)),
            silence: Span::secs(120),
            hold: Span::secs(60),
            connect_timeout: Span::secs(10),
        }
    }
}

impl ObexSection {
    /// Finds the first fault.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let spans = [
            ("dm1.obex.silence", self.silence),
            ("dm1.obex.hold", self.hold),
            ("dm1.obex.connect_timeout", self.connect_timeout),
        ];
        if let Some((key, _)) = spans.into_iter().find(|(_, span)| *span < Span::secs(1)) {
            return Err(Fault::new(key, "has to be one second or more"));
        }
        if !(255..=usize::from(u16::MAX)).contains(&self.max_packet.0) {
            return Err(Fault::new("dm1.obex.max_packet", "has to be 255 to 65535"));
        }
        if !(1..=10_000).contains(&self.max_connections) {
            return Err(Fault::new("dm1.obex.max_connections", "has to be 1 to 10000"));
        }
        match (&self.user, &self.password_file) {
            (Some(_), None) => Err(Fault::new("dm1.obex.password_file", "is needed beside dm1.obex.user")),
            (None, Some(_)) => Err(Fault::new("dm1.obex.user", "is needed beside dm1.obex.password_file")),
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }
}
