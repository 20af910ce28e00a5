//! WAP push over UDP (`DM 2.0 §E.1`).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{UdpSocket, lookup_host};

use super::address::Place;
use super::carrier::Failed;

/// Sends a push to the first address of the host; nobody says whether it arrived.
pub async fn send(to: &Place, push: &[u8]) -> Result<String, Failed> {
    let Place { host, port } = to;
    let failed =
        |problem: &dyn std::fmt::Display| Failed::with(format!("{host}, UDP port {port}: {problem}"));
    let mut places = lookup_host((host.as_str(), *port)).await.map_err(|error| failed(&error))?;
    let place = places.next().ok_or_else(|| failed(&"it has no address"))?;
    let local: SocketAddr = match place {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let sending = async { UdpSocket::bind(local).await?.send_to(push, place).await };
    sending.await.map_err(|error| failed(&error))?;
    Ok(place.to_string())
}
