//! Kannel as Push Proxy Gateway: takes a push by PAP over HTTP, and sends it on as connectionless WAP push.

use std::path::Path;
use std::process::Stdio;

use http::Method;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::script_device::exchange;

const BOUNDARY: &str = "between-the-parts";

/// The gateway on this machine; it ends with this value. It sends from UDP port 9200 to 2948, whatever it is told, so there can be one
/// at a time.
pub struct Kannel {
    _boxes: [Child; 2],
    _directory: tempfile::TempDir,
    port: u16,
}

impl Kannel {
    /// Starts both of its programs.
    ///
    /// Panics when they are not there or do not run; `cargo xtask test` installs them.
    pub async fn start() -> Self {
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
        Self { _boxes: [first, second], _directory: directory, port }
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
