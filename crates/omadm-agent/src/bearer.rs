//! Over which kind of network a peer is reached: the CBT of Session Information (`DM 2.0 §12.4`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::machine::Machine;

/// Values of CBT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// Anything else, loopback and VPN among it.
    Other = 0,
    /// A mobile network.
    Mobile = 1,
    /// WLAN.
    Wireless = 2,
    /// Ethernet.
    Wireline = 3,
}

/// The bearer to `peer`; without a peer the one of the default route.
pub fn to(machine: &Machine, peer: Option<IpAddr>) -> Bearer {
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    if peer.is_loopback() {
        return Bearer::Other;
    }
    let interface = match peer {
        IpAddr::V4(peer) => route4(machine, peer),
        IpAddr::V6(peer) => route6(machine, peer),
    };
    interface.map_or(Bearer::Other, |interface| kind(machine, &interface))
}

/// The interface of the most specific route in `/proc/net/route`, of several the one with the lowest metric.
fn route4(machine: &Machine, peer: Ipv4Addr) -> Option<String> {
    let table = std::fs::read_to_string(machine.path("proc/net/route")).ok()?;
    let routes = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [interface, destination, _, _, _, _, metric, mask, ..] = fields.as_slice() else { return None };
        // The kernel prints the four octets as one number of the machine's byte order.
        let octets =
            |text: &str| u32::from_str_radix(text, 16).map(|number| Ipv4Addr::from(number.to_ne_bytes()));
        let (destination, mask) = (octets(destination).ok()?.to_bits(), octets(mask).ok()?.to_bits());
        let metric = metric.parse::<u32>().ok()?;
        (peer.to_bits() & mask == destination)
            .then(|| (mask.count_ones(), u32::MAX - metric, (*interface).to_owned()))
    });
    routes.max().map(|(_, _, interface)| interface)
}

/// The same in `/proc/net/ipv6_route`.
fn route6(machine: &Machine, peer: Ipv6Addr) -> Option<String> {
    let table = std::fs::read_to_string(machine.path("proc/net/ipv6_route")).ok()?;
    let routes = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [destination, length, _, _, _, metric, _, _, _, interface] = fields.as_slice() else {
            return None;
        };
        let destination = u128::from_str_radix(destination, 16).ok()?;
        let length = u32::from_str_radix(length, 16).ok().filter(|length| *length <= 128)?;
        let metric = u32::from_str_radix(metric, 16).ok()?;
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        // The kernel's last resort, with the highest metric there is, leads nowhere.
        let usable = metric != u32::MAX && peer.to_bits() & mask == destination;
        usable.then(|| (length, u32::MAX - metric, (*interface).to_owned()))
    });
    routes.max().map(|(_, _, interface)| interface)
}

fn kind(machine: &Machine, interface: &str) -> Bearer {
    let path = |name: &str| machine.path(&format!("sys/class/net/{interface}/{name}"));
    let uevent = std::fs::read_to_string(path("uevent")).unwrap_or_default();
    let device_type = uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE="));
    match device_type {
        Some("wwan") => Bearer::Mobile,
        Some("wlan") => Bearer::Wireless,
        // A bridge, a VLAN or a tunnel tells nothing of what is behind it.
        Some(_) => Bearer::Other,
        None if path("wireless").exists() => Bearer::Wireless,
        None => {
            let ethernet = std::fs::read_to_string(path("type")).is_ok_and(|kind| kind.trim() == "1");
            if ethernet && path("device").exists() { Bearer::Wireline } else { Bearer::Other }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
        wlan0 00000000 010200C0 0003 0 0 600 00000000 0 0 0\n\
        eth0 00000000 010200C0 0003 0 0 100 00000000 0 0 0\n\
        wwan0 0000000A 00000000 0001 0 0 0 000000FF 0 0 0\n\
        tun0 00010A0A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";

    const ROUTES6: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        fd000000000000000000000000000001 00000400 00000002 00000000 00000003 wlan0\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo\n\
        fd000000000000000000000000000000 40 00000000000000000000000000000000 00 \
        00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n";

    fn machine() -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, content: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        put("proc/net/route", ROUTES);
        put("proc/net/ipv6_route", ROUTES6);
        put("sys/class/net/eth0/uevent", "INTERFACE=eth0\nIFINDEX=2\n");
        put("sys/class/net/eth0/type", "1\n");
        put("sys/class/net/eth0/device/vendor", "0x1af4\n");
        put("sys/class/net/wlan0/uevent", "DEVTYPE=wlan\nINTERFACE=wlan0\n");
        put("sys/class/net/wwan0/uevent", "DEVTYPE=wwan\nINTERFACE=wwan0\n");
        put("sys/class/net/tun0/type", "65534\n");
        let machine = Machine::at(root.path(), []);
        (root, machine)
    }

    #[test]
    fn tells_bearers_apart_by_the_route_to_the_peer() {
        let (_root, machine) = machine();
        let cases = [
            ("203.0.113.9", Bearer::Wireline),
            ("10.1.2.3", Bearer::Mobile),
            ("10.10.1.7", Bearer::Other),
            ("127.0.0.1", Bearer::Other),
            ("2001:db8::1", Bearer::Wireless),
            ("fd00::7", Bearer::Wireline),
            ("::1", Bearer::Other),
        ];
        for (peer, expected) in cases {
            assert_eq!(to(&machine, Some(peer.parse().unwrap())), expected, "{peer}");
        }
        assert_eq!(to(&machine, None), Bearer::Wireline);
    }

    #[test]
    fn an_unknown_machine_has_an_unknown_bearer() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(root.path(), []);
        assert_eq!(to(&machine, Some("203.0.113.9".parse().unwrap())), Bearer::Other);
        assert_eq!(to(&machine, Some("2001:db8::1".parse().unwrap())), Bearer::Other);
    }
}
