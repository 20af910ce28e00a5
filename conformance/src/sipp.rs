//! SIPp as the other end of SIP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::net::{TcpListener, UdpSocket};
use tokio::process::{Child, Command};

/// How often it is started before it is given up.
const ATTEMPTS: usize = 10;

/// SIPp that waits for requests, by a scenario in `sipp/`; it ends with this value.
pub struct Sipp {
    child: Child,
    _scenario: tempfile::TempDir,
    /// Where it listens.
    pub port: u16,
}

impl Sipp {
    /// Starts it for one call; `values` are what `[name]` stands for in the scenario, beside what it knows itself.
    ///
    /// Panics when it is not there; `cargo xtask test` installs it.
    pub async fn listen(scenario: &str, tcp: bool, values: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let text = std::fs::read_to_string(folder().join(scenario)).expect("a scenario");
        let fill = |text: String, (name, value): &(&str, &str)| text.replace(&format!("[{name}]"), value);
        let file = directory.path().join(scenario);
        std::fs::write(&file, values.iter().fold(text, fill)).expect("a writable directory");
        let log = directory.path().join("log");
        // Somebody else may take a port before it does.
        for _ in 0..ATTEMPTS {
            let port = free_port().await;
            let mut command = command(&file, tcp);
            command.args(["-p", &port.to_string()]);
            command.stderr(std::fs::File::create(&log).expect("a writable directory"));
            let mut child = spawn(&mut command);
            if is_bound(&mut child, port, tcp).await {
                return Self { child, _scenario: directory, port };
            }
        }
        panic!("sipp does not run here: {}", std::fs::read_to_string(&log).unwrap_or_default());
    }

    /// Waits until its call is over; whether it went as the scenario says.
    pub async fn went_well(mut self) -> bool {
        self.child.wait().await.expect("a child process").success()
    }
}

/// Waits until it has its port; `false` if it ends before. To try for the port would take it away.
async fn is_bound(sipp: &mut Child, port: u16, tcp: bool) -> bool {
    let (table, state) = if tcp { ("/proc/net/tcp", "0A") } else { ("/proc/net/udp", "07") };
    let own = format!("0100007F:{port:04X}");
    while sipp.try_wait().expect("a child process").is_none() {
        let sockets = std::fs::read_to_string(table).expect("the sockets of this machine");
        let columns = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut columns = columns.filter(|columns| columns.len() > 3);
        if columns.any(|columns| columns[1] == own && columns[3] == state) {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Has SIPp call `to` by a scenario in `sipp/`; whether it went as that says.
pub async fn sipp_calls(scenario: &str, tcp: bool, to: SocketAddr) -> bool {
    let mut command = command(&folder().join(scenario), tcp);
    command.stderr(Stdio::null());
    command.args(["-p", &free_port().await.to_string(), "-s", "john", &to.to_string()]);
    spawn(&mut command).wait().await.expect("a child process").success()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp")
}

fn command(scenario: &Path, tcp: bool) -> Command {
    let mut command = Command::new("sipp");
    command.arg("-sf").arg(scenario).args(["-m", "1", "-i", "127.0.0.1", "-nostdin"]);
    command.args(["-timeout", "600s", "-timeout_error", "-t", if tcp { "t1" } else { "u1" }]);
    command
}

fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
        .spawn()
        .unwrap_or_else(|error| panic!("sipp (Debian: sip-tester): {error}; run: cargo xtask test"))
}

/// A port that is free now, for UDP and TCP.
async fn free_port() -> u16 {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let port = socket.local_addr().expect("its address").port();
        if TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return port;
        }
    }
}
