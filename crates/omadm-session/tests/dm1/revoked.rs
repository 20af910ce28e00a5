//! Rights that are taken back while the server that had them is in the middle of a session (`DM 1.3 Server Delegation Protocol`).

use omadm_mo::{ServerId, Tree, Value};
use omadm_session::dm1::client::{Start, Trigger};

use crate::support::*;

const DELEGATED: &str = "dm.b.example";
const SETTING: &str = "./box/one/Setting";

/// A session of the delegated server, in which it has been told what is there.
fn delegated_session() -> (Device, Server) {
    let mut owner = Owner::begin(tree());
    assert_eq!(owner.writes(&format!("Get={SERVER}+{DELEGATED}&Replace={SERVER}+{DELEGATED}")), "200");
    let mut account = account();
    account.server = ServerId::parse(DELEGATED).unwrap();
    let start = Start { account, trigger: Trigger::Client { session_id: 0x2b }, ..start() };
    let mut device = Device::start_with(config(), start, owner.device.tree);
    let mut server = Server { session_id: "2B".into(), ..Server::default() };
    server.hear(device.post());
    let said = device.exchange(&mut server, vec![get("1", SETTING), replace("2", SETTING, "by B")]);
    assert_eq!(said.codes(), codes(&[("0", 212), ("1", 200), ("2", 200)]));
    (device, server)
}

/// A session of the server that has given the rights.
struct Owner {
    device: Device,
    server: Server,
}

impl Owner {
    fn begin(tree: Tree) -> Self {
        let mut device = Device::start_with(config(), start(), tree);
        let mut server = Server::default();
        server.hear(device.post());
        Self { device, server }
    }

    /// Writes the ACL of the leaf; gives the status.
    fn writes(&mut self, acl: &str) -> String {
        let command = replace("7", &format!("{SETTING}?prop=ACL"), acl);
        self.device.exchange(&mut self.server, vec![command]).code("7")
    }
}

/// Lets the owner take the rights back between two messages of a session with `device`, whose tree is the one that both work on.
fn revoke(device: &mut Device) {
    let mut owner = Owner::begin(tree());
    std::mem::swap(&mut owner.device.tree, &mut device.tree);
    assert_eq!(owner.writes(&format!("Get={SERVER}&Replace={SERVER}")), "200");
    std::mem::swap(&mut owner.device.tree, &mut device.tree);
}

#[test]
fn the_next_command_of_an_open_session_is_refused() {
    let (mut device, mut server) = delegated_session();
    revoke(&mut device);
    let acl = format!("{SETTING}?prop=ACL");
    let said = device.exchange(
        &mut server,
        vec![
            get("3", SETTING),
            replace("4", SETTING, "too late"),
            replace("5", &acl, &format!("Get={DELEGATED}&Replace={DELEGATED}")),
            get("6", &acl),
        ],
    );
    assert_eq!(said.codes(), codes(&[("0", 212), ("3", 425), ("4", 425), ("5", 425), ("6", 425)]));
    assert_eq!(said.results(), [], "nothing is told");
    assert_eq!(device.value(SETTING), Some(Value::Text("by B".into())));
}

#[test]
fn an_atomic_of_an_open_session_is_refused_as_a_whole() {
    let (mut device, mut server) = delegated_session();
    revoke(&mut device);
    let commands = vec![replace("4", SETTING, "too late"), replace("5", SETTING, "later still")];
    let said = device.exchange(&mut server, vec![atomic("3", commands)]);
    assert_eq!((said.code("3"), said.code("4")), ("507".into(), "425".into()));
    assert_eq!(device.value(SETTING), Some(Value::Text("by B".into())));
}
