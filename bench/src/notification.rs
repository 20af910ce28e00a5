//! Notifications: made with their digest as the server does, read and checked as the device does. The ceiling is SHA-256 alone over the
//! same octets, by OpenSSL.

use omadm_auth::{NotificationCredentials, Secret};
use omadm_codec::dm2::notification::{Notification, Received};
use omadm_codec::{Leniency, Limits};
use omadm_mo::ServerId;
use openssl::sha::sha256;

use crate::figure::Figure;
use crate::measure::{Effort, per_second};
use crate::{Result, trees};

const SCENARIO: &str = "notification";
const SECRET: [u8; 32] = [0x5a; 32];
const DATA: [u8; 16] = [0xa5; 16];

/// Package#0 with all that a server sends to a device that it does not know yet.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let credentials = NotificationCredentials::new(Secret::new(SECRET.to_vec()), Secret::new(DATA.to_vec()))
        .ok_or("a secret is not empty")?;
    let mut notification = Notification {
        server_id: Some(ServerId::parse(trees::SERVER)?),
        id: Some(0),
        timestamp: Some(1_700_000_000),
        request_mos: true,
        ..Notification::default()
    };
    let made = notification.encode_with_digest(|zeroed| credentials.digest(zeroed));
    if !is_good(&made, &credentials) {
        return Err("the device does not take what the server makes".into());
    }
    let hashed = [&SECRET[..], &made, &DATA].concat();

    let making = effort.nanoseconds(|| {
        notification.id = notification.id.map(|id| id.wrapping_add(1));
        notification.encode_with_digest(|zeroed| credentials.digest(zeroed))
    });
    let checking = effort.nanoseconds(|| is_good(&made, &credentials));
    let hashing = per_second(effort.nanoseconds(|| sha256(&hashed)));
    let figure = |what: &str, nanoseconds: f64| {
        let name = format!("{what} a notification with digest ({} bytes)", made.len());
        Figure::new(SCENARIO, name, per_second(nanoseconds), "/s").beside_rate("SHA-256 alone", hashing)
    };
    Ok(vec![figure("make", making), figure("read and check", checking)])
}

fn is_good(octets: &[u8], credentials: &NotificationCredentials) -> bool {
    let received = Received::decode(octets, &Limits::default(), &mut Leniency::lenient());
    received.is_ok_and(|received| {
        let digest = received.notification.digest;
        digest.is_some_and(|digest| credentials.verify(&received.digest_input(), &digest))
    })
}
