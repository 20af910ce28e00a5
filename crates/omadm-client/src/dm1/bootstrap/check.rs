//! What has to hold of a device that is sent bootstraps by strangers, for fuzzers and tests: it panics where it does not.

use omadm_auth::bootstrap::NetworkSecret;

use super::candidate::{Strength, Verified};
use super::{BootstrapConfig, Candidate, Received};
use crate::consent::Origin;
use crate::device::Device;
use crate::dm1::Accounts as _;

/// A media type, a line feed, and a body. Nothing that is refused, or only looked at, leaves a trace in the tree; what is installed is an
/// account of each server that is named.
///
/// # Panics
/// When that is not so.
pub fn check_bootstrap(device: &mut Device, input: &[u8]) {
    let line = input.iter().position(|octet| *octet == b'\n').unwrap_or(input.len());
    let (content_type, body) = input.split_at(line);
    let config = BootstrapConfig { unsecured: true, sha1: true, ..BootstrapConfig::default() };
    let received = Received {
        content_type: String::from_utf8_lossy(content_type).into_owned(),
        body: body.get(1..).unwrap_or_default().to_vec().into(),
        origin: Origin::Pushed { by: "a stranger".to_owned(), secured: false },
    };
    let Ok(candidate) = Candidate::read(received, &config) else { return };
    for typed in [None, Some("1234"), Some("3141551424")] {
        // Whether it is authentic is all the same: it may always be asked.
        drop(candidate.verify(typed, &NetworkSecret::default(), None, &config));
    }
    let verified = Verified::assumed(&candidate, Strength::Pin);
    let before = (device.tree().node_count(), device.tree().byte_count());
    let outcome = device.examine_dm1_bootstrap(&verified, &config);
    assert_eq!((device.tree().node_count(), device.tree().byte_count()), before);
    let kept = outcome.and_then(|_| device.keep_dm1_bootstrap(&verified, &config));
    match kept {
        Ok(servers) => {
            assert!(servers.iter().all(|server| device.tree().dm1_account(server).is_some()));
            assert!(device.knows_dm1_bootstrap(&candidate));
        }
        Err(_) => assert_eq!((device.tree().node_count(), device.tree().byte_count()), before),
    }
}
