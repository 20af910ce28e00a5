//! Kannel as Push Proxy Gateway, which takes a push by PAP over HTTP and sends it on as connectionless WAP push, and as WAP gateway, which
//! takes requests by WSP and sends them on by HTTP.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use http::Method;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::{Child, Command};

use crate::script_device::exchange;

const BOUNDARY: &str = "between-the-parts";

/// Where Debian has the phone of Kannel's own tests (package kannel-extras).
const FAKEWAP: &str = "/usr/lib/kannel/test/fakewap";

/// The gateway on this machine; it ends with this value. It listens on UDP ports 9200 and 9201 and pushes from 9200 to 2948, whatever it
/// is told, so there can be one at a time: starting waits for that.
pub struct Kannel {
    _boxes: [Child; 2],
    _directory: tempfile::TempDir,
    port: u16,
    // Unlocked when the programs have ended.
    _alone: File,
}

impl Kannel {
    /// Starts both of its programs.
    ///
    /// Panics when they are not there or do not run; `cargo xtask test` installs them.
    pub async fn start() -> Self {
        let alone = alone().await;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let [admin, boxes, port] = free_ports().await;
        let settings = format!(
            "group = core\nadmin-port = {admin}\nadmin-password = unused\nwapbox-port = {boxes}\n\
             box-deny-ip = \"*.*.*.*\"\nbox-allow-ip = \"127.0.0.1\"\nwdp-interface-name = \"127.0.0.1\"\n\n\
             group = wapbox\nbearerbox-host = 127.0.0.1\n\n\
             group = ppg\nppg-url = /wappush\nppg-port = {port}\nppg-allow-ip = \"127.0.0.1\"\ntrusted-pi = true\n\n\
             group = wap-push-user\nwap-push-user = tests\nppg-username = user\nppg-password = password\n\
             allow-ip = \"127.0.0.1\"\n"
        );
        let file = directory.path().join("kannel.conf");
        std::fs::write(&file, settings).expect("a writable directory");
        // The second looks for the first when it starts.
        let first = run("bearerbox", &file, boxes).await;
        let second = run("wapbox", &file, port).await;
        ready().await;
        Self { _boxes: [first, second], _directory: directory, port, _alone: alone }
    }

    /// Where it takes pushes, of `user` with `password`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/wappush", self.port)
    }

    /// Has octets of this type pushed to UDP port 2948 of this machine, for the DM application; gives the gateway's answer in XML.
    pub async fn push(&self, content_type: &str, octets: &[u8]) -> String {
        let control = "<?xml version=\"1.0\"?>\n\
            <!DOCTYPE pap PUBLIC \"-//WAPFORUM//DTD PAP 1.0//EN\" \"http://www.wapforum.org/DTD/pap_1.0.dtd\">\n\
            <pap><push-message push-id=\"1@conformance.example\">\
            <address address-value=\"WAPPUSH=127.0.0.1/TYPE=IPv4@gateway.example\"></address>\
            <quality-of-service delivery-method=\"unconfirmed\"></quality-of-service></push-message></pap>";
        let head = format!(
            "--{BOUNDARY}\r\nContent-Type: application/xml\r\n\r\n{control}\r\n--{BOUNDARY}\r\n\
             Content-Type: {content_type}\r\nX-WAP-Application-Id: x-wap-application:syncml.dm\r\n\r\n"
        );
        let body = [head.as_bytes(), octets, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
        let content_type = format!("multipart/related; boundary={BOUNDARY}; type=\"application/xml\"");
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the gateway listens");
        let target = "/wappush?username=user&password=password";
        let reply = exchange(stream, Method::POST, target, &[("content-type", &content_type)], &body).await;
        String::from_utf8_lossy(&reply.body).into_owned()
    }
}

/// Has Kannel's own phone post a file to an address through the gateway, over WTP if there is to be a connection; gives what it says.
///
/// Panics when it is not there; `cargo xtask test` installs it.
pub async fn fakewap(connection: bool, file: &Path, uri: &str) -> String {
    let (port, mode) = if connection { ("9201", "1") } else { ("9200", "0") };
    let mut command = Command::new(FAKEWAP);
    command.args(["-g", "127.0.0.1", "-p", port, "-M", mode, "-D", "2", "-P"]).arg(file).arg(uri);
    let output = command.output().await;
    let output = output
        .unwrap_or_else(|error| panic!("{FAKEWAP} (Debian: kannel-extras): {error}; run: cargo xtask test"));
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// The right to the ports of the gateway, which the tests of other processes want as well.
async fn alone() -> File {
    let lock = || {
        let file = File::create(std::env::temp_dir().join("omadm-conformance-kannel.lock"))?;
        file.lock().map(|()| file)
    };
    let alone = tokio::task::spawn_blocking(lock)
        .await
        .expect("a thread")
        .expect("a lock in the temporary directory");
    // The gateway before this one is killed when its lock goes, and may take a moment to end.
    for port in [9200, 9201] {
        while UdpSocket::bind(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    alone
}

/// Waits until its programs have found each other: until a request is answered, if only by the news that nobody is there to be asked.
async fn ready() {
    const URI: &[u8] = b"http://127.0.0.1:1/";
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    socket.connect(("127.0.0.1", 9200)).await.expect("an address");
    // TID, GET, UriLen.
    let get = [&[1, 0x40, u8::try_from(URI.len()).expect("it is short")], URI].concat();
    let mut reply = [0; 1500];
    loop {
        socket.send(&get).await.expect("it listens");
        if tokio::time::timeout(Duration::from_millis(200), socket.recv(&mut reply)).await.is_ok() {
            return;
        }
    }
}

/// Ports that nobody listens on now.
async fn free_ports() -> [u16; 3] {
    let listen = || async { TcpListener::bind("127.0.0.1:0").await.expect("a free port") };
    let held = [listen().await, listen().await, listen().await];
    held.each_ref().map(|listener| listener.local_addr().expect("its address").port())
}

/// Starts a program of Kannel and waits until it listens.
async fn run(program: &str, settings: &Path, port: u16) -> Child {
    let directory = settings.parent().expect("a directory");
    let log = std::fs::File::create(directory.join(program)).expect("a writable directory");
    let mut child = Command::new(program)
        .arg(settings)
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{program} (Debian: kannel): {error}; run: cargo xtask test"));
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if let Some(status) = child.try_wait().expect("a child process") {
            let said = std::fs::read_to_string(directory.join(program)).unwrap_or_default();
            panic!("{program} does not run here ({status}); it needs UDP ports 9200 and 9201: {said}");
        }
        tokio::task::yield_now().await;
    }
    child
}
