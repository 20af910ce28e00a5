//! Over which kind of network a peer is reached, and whether that is roaming: Session Information (`DM 2.0 §12.4`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::NetworkSection;
use crate::machine::Machine;

/// The interface to the machine itself.
const LOOPBACK: &str = "lo";

/// Values of CBT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

/// Values of ROAMING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roaming {
    /// In the home network.
    No = 0,
    /// In another.
    Yes = 1,
    /// Nobody knows, or the bearer is not mobile.
    Unknown = 2,
}

/// The networks of this machine.
#[derive(Clone, Debug)]
pub struct Networks {
    machine: Machine,
    /// What the configuration says of interfaces.
    kinds: BTreeMap<String, Bearer>,
    roaming_file: Option<PathBuf>,
}

impl Networks {
    pub fn new(machine: Machine, settings: &NetworkSection) -> Self {
        let kinds = settings.interfaces.iter().map(|entry| (entry.name.clone(), entry.kind));
        Self { machine, kinds: kinds.collect(), roaming_file: settings.roaming_file.clone() }
    }

    /// The bearer to `peer`, without a peer that of the default route, and whether it is roaming.
    pub fn to(&self, peer: Option<IpAddr>) -> (Bearer, Roaming) {
        let bearer = self.interface(peer).map_or(Bearer::Other, |interface| {
            let told = self.kinds.get(&interface).copied();
            told.unwrap_or_else(|| kind(&self.machine, &interface))
        });
        (bearer, if bearer == Bearer::Mobile { self.roaming() } else { Roaming::Unknown })
    }

    fn interface(&self, peer: Option<IpAddr>) -> Option<String> {
        match peer.unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))) {
            peer if peer.is_loopback() => Some(LOOPBACK.to_owned()),
            IpAddr::V4(peer) => route4(&self.machine, peer),
            IpAddr::V6(peer) => route6(&self.machine, peer),
        }
    }

    /// What the program that looks after the modem has written down.
    fn roaming(&self) -> Roaming {
        let written = self.roaming_file.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        match written.as_deref().map(str::trim) {
            Some("0") => Roaming::No,
            Some("1") => Roaming::Yes,
            _ => Roaming::Unknown,
        }
    }
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
    use crate::config::later::InterfaceEntry;

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

    fn networks(settings: &NetworkSection) -> (tempfile::TempDir, Networks) {
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
        (root, Networks::new(machine, settings))
    }

    #[test]
    fn tells_bearers_apart_by_the_route_to_the_peer() {
        let (_root, networks) = networks(&NetworkSection::default());
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
            let found = networks.to(Some(peer.parse().unwrap()));
            assert_eq!(found, (expected, Roaming::Unknown), "{peer}");
        }
        assert_eq!(networks.to(None).0, Bearer::Wireline);
    }

    #[test]
    fn the_configuration_knows_better_and_where_roaming_is_written_down() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("roaming");
        let entry = |name: &str, kind| InterfaceEntry { name: name.to_owned(), kind };
        let settings = NetworkSection {
            interfaces: vec![entry("eth0", Bearer::Wireless), entry("lo", Bearer::Mobile)],
            roaming_file: Some(file.clone()),
            ..NetworkSection::default()
        };
        let (_root, networks) = networks(&settings);
        let to = |peer: &str| networks.to(Some(peer.parse().unwrap()));
        assert_eq!(to("203.0.113.9"), (Bearer::Wireless, Roaming::Unknown));
        assert_eq!(to("10.1.2.3"), (Bearer::Mobile, Roaming::Unknown), "there is no file");
        for (written, expected) in
            [("0\n", Roaming::No), ("1", Roaming::Yes), ("2", Roaming::Unknown), ("", Roaming::Unknown)]
        {
            std::fs::write(&file, written).unwrap();
            for peer in ["10.1.2.3", "127.0.0.1", "::1"] {
                assert_eq!(to(peer), (Bearer::Mobile, expected), "{written:?}");
            }
            assert_eq!(to("203.0.113.9").1, Roaming::Unknown, "only where the bearer is mobile");
        }
    }

    #[test]
    fn an_unknown_machine_has_an_unknown_bearer() {
        let root = tempfile::tempdir().unwrap();
        let networks = Networks::new(Machine::at(root.path(), []), &NetworkSection::default());
        for peer in ["203.0.113.9", "2001:db8::1"] {
            assert_eq!(networks.to(Some(peer.parse().unwrap())).0, Bearer::Other);
        }
    }
}
