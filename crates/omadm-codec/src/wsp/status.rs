//! Status codes of replies, and reasons of aborts (`WAP-230, tables 36 and 37`).

/// The status of a Reply: that of HTTP, squeezed into an octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u8);

impl Status {
    /// 200.
    pub const OK: Self = Self(0x20);

    /// The status of HTTP; one that WSP does not have becomes the first of its class, as HTTP reads those that it does not know
    /// (`RFC 9110 §15`).
    #[must_use]
    pub fn from_http(status: u16) -> Self {
        let (class, number) = (status / 100, status % 100);
        let octet = match (class, number) {
            (4, 16 | 17) => 0x50 + number - 16,
            (1, 0..=1) | (2, 0..=6) | (3, 0..=7) | (4, 0..=15) => class << 4 | number,
            (5, 0..=5) => 0x60 | number,
            (1..=4, _) => class << 4,
            _ => 0x60,
        };
        Self(u8::try_from(octet).unwrap_or(0x60))
    }

    /// The status of HTTP; `None` for an octet that stands for none.
    #[must_use]
    pub fn to_http(self) -> Option<u16> {
        let (class, number) = (u16::from(self.0 >> 4), u16::from(self.0 & 0x0f));
        match class {
            1..=4 => Some(class * 100 + number),
            5 => Some(416 + number),
            6 => Some(500 + number),
            _ => None,
        }
    }
}

/// Why a transaction or a session is given up by the user of WTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(pub u8);

impl Reason {
    /// PROTOERR: a PDU that makes no sense.
    pub const PROTOCOL_ERROR: Self = Self(0xe0);
    /// DISCONNECT: the session is over.
    pub const DISCONNECTED: Self = Self(0xe1);
    /// PEERREQ: the peer asked for it.
    pub const PEER_REQUEST: Self = Self(0xe8);

    /// What it says.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self.0 {
            0xe0 => "protocol error",
            0xe1 => "the session is disconnected",
            0xe2 => "the session is suspended",
            0xe3 => "the session is resumed",
            0xe4 => "congestion",
            0xe5 => "the session could not be established",
            0xe6 => "the message is larger than the receiver takes",
            0xe7 => "more requests at once than the receiver takes",
            0xe8 => "the peer asked for it",
            0xe9 => "network error",
            0xea => "the user asked for it",
            0xeb => "refused",
            0xec => "the push cannot be delivered",
            0xed => "the push is discarded",
            0xee => "the content type of the push cannot be processed",
            _ => "a reason of no known number",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_those_of_http() {
        let known = [
            (100, 0x10),
            (200, 0x20),
            (204, 0x24),
            (206, 0x26),
            (302, 0x32),
            (307, 0x37),
            (400, 0x40),
            (401, 0x41),
            (415, 0x4f),
            (416, 0x50),
            (417, 0x51),
            (500, 0x60),
            (503, 0x63),
            (505, 0x65),
        ];
        for (http, octet) in known {
            assert_eq!(Status::from_http(http), Status(octet), "{http}");
            assert_eq!(Status(octet).to_http(), Some(http), "{octet:#x}");
        }
        for (http, octet) in
            [(102, 0x10), (226, 0x20), (308, 0x30), (429, 0x40), (511, 0x60), (999, 0x60), (0, 0x60)]
        {
            assert_eq!(Status::from_http(http), Status(octet), "{http}");
        }
        for octet in [0x00, 0x0f, 0x70, 0xff] {
            assert_eq!(Status(octet).to_http(), None);
        }
    }
}
