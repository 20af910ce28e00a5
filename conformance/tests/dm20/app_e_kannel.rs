//! A push gateway that nobody here wrote carries our notifications (`DM 2.0 §E.1`).

use omadm_client::{Ignored, NotificationConfig, Notifications, Pushed};
use omadm_conformance::{Kannel, Pair, TestServer, proves};
use tokio::net::UdpSocket;

use super::app_e_notifications::{datagram, notify, package, reach};
use super::sec_9_security::ended;

const NOTIFICATION: &str = "application/vnd.syncml.dm.notification";

#[tokio::test]
async fn kannel_carries_package_0_to_the_device() {
    proves!("D2-E.1-06", "D2-E.1-07", "DM-MEC-004-C-O");
    // What the gateway sends always goes to this port.
    let mut notifications = Notifications::new(NotificationConfig::default());
    notifications.listen(([127, 0, 0, 1], 2948).into()).await.expect("UDP port 2948 is free");
    let gateway = Kannel::start().await;

    let mut pair = Pair::of(TestServer::start().await, |_| {}).await;
    let initiator = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = format!("udp:127.0.0.1:{}", initiator.local_addr().unwrap().port());
    reach(&pair.server, &pair.name.device_id, &[address]).await;
    let sent = notify(&pair.server, &pair.name.device_id).await;
    let push = datagram(&initiator).await;
    let package = package(&push);

    let mut take = async |octets: &[u8]| {
        let answer = gateway.push(NOTIFICATION, octets).await;
        assert!(answer.contains("1001"), "accepted for processing: {answer}");
        let datagram = notifications.datagram().await;
        assert!(datagram.ends_with(octets), "as it was");
        assert!(datagram.len() - octets.len() <= 48, "the header of E.1");
        notifications.push(pair.device.client.device_mut(), &datagram)
    };
    let Ok(Pushed::Wake(wake)) = take(package).await else { panic!("a notification") };
    assert_eq!(wake.id.map(u64::from), sent["id"].as_u64());
    assert!(matches!(take(package).await, Err(Ignored::Duplicate(_))));
    let mut forged = package.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let refused = take(&forged).await;
    assert!(refused.is_err(), "{refused:?}");
    let report = pair.device.client.answer(&wake).await.unwrap();
    assert!(ended(&report), "{report:?}");
}
