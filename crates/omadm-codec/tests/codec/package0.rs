//! Notifications of DM 1.x against the vectors.

use omadm_codec::Limits;
use omadm_codec::dm1::{notification, trigger};

use crate::common::{hex, hex_cases};
use crate::vectors::verify;

#[test]
fn triggers() {
    for case in hex_cases("vectors/dm1/trigger") {
        verify(&case, |leniency| {
            let received = trigger::Received::decode(&case.bytes, &Limits::default(), leniency)?;
            let trigger::Received { trigger, version, digest, octets } = received;
            let (digest, octets) = (hex(&digest), hex(octets));
            Ok(format!("version {version}\n{trigger:?}\ndigest {digest}\nover {octets}\n"))
        });
    }
}

#[test]
fn notifications() {
    for case in hex_cases("vectors/dm1/notification") {
        verify(&case, |_| {
            let received = notification::Received::decode(&case.bytes, &Limits::default())?;
            let notification::Received { notification, ignored, digest, octets } = received;
            let (digest, octets) = (hex(digest), hex(octets));
            Ok(format!("{notification:?}\nignored {ignored:?}\ndigest {digest}\nover {octets}\n"))
        });
    }
}
