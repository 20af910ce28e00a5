//! Nodes that share a store, and HAProxy in front of them, which gives each message to the next node.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use tempfile::TempDir;

/// How long the lease of a node lasts after its death, as the nodes are configured.
pub const LEASE_SECONDS: i64 = 3;

/// Nodes behind a balancer. All of it is killed when this is dropped.
pub struct Cluster {
    pub nodes: Vec<Node>,
    dir: TempDir,
    operators: u16,
    _balancer: Process,
}

/// One node.
pub struct Node {
    config: PathBuf,
    operator: u16,
    running: Option<Process>,
}

/// A process that is killed when this is dropped.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A port that is free now, below those that the system gives to others.
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 90).unwrap() * 100;
    std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// A program that has to be there; `package` is where it comes from.
pub fn needed(program: &str, package: &str) -> PathBuf {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = places.iter().map(|place| Path::new(place).join(program)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{program} is needed for this test: apt-get install {package}"))
}

/// Runs a program that has to succeed.
pub fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Waits for something that comes by itself.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed().as_secs() < 120, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

impl Cluster {
    /// Starts so many nodes on a database; `store` are further lines of their section on it.
    pub fn start(count: usize, url: &str, store: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (devices, operators) = (free(), free());
        let ports: Vec<(u16, u16)> = (0..count).map(|_| (free(), free())).collect();
        // Nonces of one node are good at the others.
        std::fs::write(dir.path().join("auth.key"), [7; 32]).unwrap();
        let balancer = balance(dir.path(), devices, operators, &ports);
        let mut nodes = Vec::new();
        for (number, (device, operator)) in ports.into_iter().enumerate() {
            let shared = dir.path();
            let text = format!(
                "[server]\ndata_dir = {:?}\npublic_url = \"https://localhost:{devices}\"\n\
                 [device]\nlisten = \"127.0.0.1:0\"\nplain_listen = \"127.0.0.1:{device}\"\ntrusted_proxies = [\"127.0.0.1\"]\nretry_after = 1\n\
                 [operator]\nlisten = \"127.0.0.1:{operator}\"\n[queue]\nmax_attempts = 20\n[auth]\nkey_file = {:?}\n[package]\ndirectory = {:?}\n\
                 [store]\nurl = {url:?}\nlease = {LEASE_SECONDS}\n{store}\n",
                shared.join(format!("node-{number}")),
                shared.join("auth.key"),
                shared.join("packages"),
            );
            let config = shared.join(format!("node-{number}.toml"));
            std::fs::write(&config, text).unwrap();
            let mut node = Node { config, operator, running: None };
            node.start();
            nodes.push(node);
        }
        Self { nodes, dir, operators, _balancer: balancer }
    }

    /// A call of the operator's program, at the balancer.
    pub fn omadm(&self, arguments: &[&str]) -> Command {
        self.omadm_at(self.operators, arguments)
    }

    /// The same at one node.
    pub fn omadm_of(&self, node: usize, arguments: &[&str]) -> Command {
        self.omadm_at(self.nodes[node].operator, arguments)
    }

    fn omadm_at(&self, port: u16, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omadm"));
        command.args(arguments).args(["--server", &format!("http://127.0.0.1:{port}"), "--token-file"]);
        command.arg(self.dir.path().join("node-0/operator.token")).stdin(Stdio::null());
        for name in ["OMADM_SERVER", "OMADM_TOKEN", "OMADM_TOKEN_FILE"] {
            command.env_remove(name);
        }
        command
    }

    /// Virtual devices, which keep to the balancer and stay enrolled.
    pub fn sim(&self, arguments: &[&str]) -> Command {
        let mut command = self.omadm(&[&["sim", "--keep", "--output", "json"], arguments].concat());
        command.arg("--ca-file").arg(self.dir.path().join("ca.pem"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Node {
    /// Starts it, and waits until it serves.
    pub fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omadm"));
        command.args(["serve", "--output", "json", "--config"]).arg(&self.config).stdout(Stdio::piped());
        if std::env::var_os("OMADM_LOG").is_none() {
            command.env("OMADM_LOG", "off");
        }
        let mut process = Process(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let _ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        self.running = Some(process);
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        self.running = None;
    }
}

/// Starts HAProxy: devices come by TLS, operators without.
fn balance(dir: &Path, devices: u16, operators: u16, nodes: &[(u16, u16)]) -> Process {
    let [ca, key] = ["ca.pem", "key.pem"].map(|name| dir.join(name));
    let mut request = Command::new(needed("openssl", "openssl"));
    request.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]);
    request.args(["-subj", "/CN=omadm cluster", "-addext", "subjectAltName=DNS:localhost"]);
    done(request.arg("-keyout").arg(&key).arg("-out").arg(&ca));
    let both = [std::fs::read(&ca).unwrap(), std::fs::read(&key).unwrap()].concat();
    let bundle = dir.join("bundle.pem");
    std::fs::write(&bundle, both).unwrap();
    let servers = |port: fn(&(u16, u16)) -> u16| {
        let line = |(number, node)| format!(" server node-{number} 127.0.0.1:{} check\n", port(node));
        nodes.iter().enumerate().map(line).collect::<String>()
    };
    let text = format!(
        "defaults\n mode http\n timeout connect 2s\n timeout client 60s\n timeout server 60s\n retries 3\n option redispatch 1\n \
         default-server inter 200ms fall 1 rise 1\n\
         listen devices\n bind 127.0.0.1:{devices} ssl crt {}\n balance roundrobin\n option forwardfor\n{}\
         listen operators\n bind 127.0.0.1:{operators}\n balance roundrobin\n{}",
        bundle.display(),
        servers(|(device, _)| *device),
        servers(|(_, operator)| *operator),
    );
    let file = dir.join("haproxy.cfg");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(needed("haproxy", "haproxy"));
    command.arg("-q").arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).stderr(Stdio::null());
    Process(command.spawn().unwrap())
}
