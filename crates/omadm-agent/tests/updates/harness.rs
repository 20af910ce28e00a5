//! A DM server of DM 2.0 with packages, and the real agent as its device.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::sign::Signer;
use serde_json::{Value, json};

/// Long enough for a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Commands that a server has for the device, one package after the other.
pub type Script = Arc<Mutex<Vec<Value>>>;

/// A DM server of DM 2.0 and a server of packages in one.
pub struct Server {
    pub address: String,
    pub heard: Receiver<Value>,
    /// Alerts that came and were not asked for yet.
    pub alerts: RefCell<Vec<Value>>,
    pub script: Script,
    pub package: Arc<Mutex<Vec<u8>>>,
    /// Octets after which the connection is cut, for so many requests.
    pub cuts: Arc<Mutex<(usize, u32)>>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (tell, heard) = channel();
        let (script, package, cuts) = (Script::default(), Arc::<Mutex<Vec<u8>>>::default(), Arc::default());
        let server = Self {
            address,
            heard,
            alerts: RefCell::default(),
            script: script.clone(),
            package: package.clone(),
            cuts: Arc::clone(&cuts),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (tell, script, package, cuts) =
                    (tell.clone(), script.clone(), package.clone(), Arc::clone(&cuts));
                std::thread::spawn(move || serve(&stream.unwrap(), &tell, &script, &package, &cuts));
            }
        });
        server
    }

    pub fn command(&self, commands: Value) {
        self.script.lock().unwrap().push(commands);
    }

    /// The next package of the device that has what `find` looks for.
    pub fn until<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let package = self
                .heard
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("no {what} came; there were {:?}", self.alerts.borrow()));
            self.alerts.borrow_mut().extend(package["Alert"].as_array().cloned().unwrap_or_default());
            if let Some(found) = find(&package) {
                return found;
            }
        }
    }

    /// The next alert of this type: its mark, and its data. One may come with statuses, or with others.
    pub fn alert(&self, alert_type: &str) -> (String, Value) {
        let known = || {
            let mut alerts = self.alerts.borrow_mut();
            let at = alerts.iter().position(|alert| alert["AlertType"] == alert_type)?;
            Some(alerts.remove(at))
        };
        let alert = known().unwrap_or_else(|| self.until(alert_type, |_| known()));
        let mark = alert["Mark"].as_str().unwrap_or("informational");
        (mark.to_owned(), alert["Data"]["DM1x"].clone())
    }

    /// The statuses of the next Package#3.
    pub fn statuses(&self) -> Vec<u64> {
        self.until("status", |package| {
            let statuses = package["Status"].as_array()?;
            Some(statuses.iter().map(|status| status["sc"].as_u64().unwrap()).collect())
        })
    }
}

fn serve(
    stream: &TcpStream,
    tell: &Sender<Value>,
    script: &Script,
    package: &Mutex<Vec<u8>>,
    cuts: &Mutex<(usize, u32)>,
) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let lower = head.to_lowercase();
        let header =
            |name: &str| lower.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
        let mut writer = stream;
        if head.starts_with("GET /package") {
            let content = package.lock().unwrap().clone();
            let first = header("range: bytes=").and_then(|range| range.trim_end_matches('-').parse().ok());
            let body = &content[first.unwrap_or(0)..];
            let range = first.map(|first: usize| {
                format!("Content-Range: bytes {first}-{}/{}\r\n", content.len() - 1, content.len())
            });
            let status = if first.is_some() { "206 Partial Content" } else { "200 OK" };
            let head = format!(
                "HTTP/1.1 {status}\r\nETag: \"1\"\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n",
                range.unwrap_or_default(),
                body.len()
            );
            let mut cuts = cuts.lock().unwrap();
            let sent = if cuts.1 > 0 { cuts.0.min(body.len()) } else { body.len() };
            cuts.1 = cuts.1.saturating_sub(1);
            let _ = writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&body[..sent]));
            return;
        }
        let mut body = vec![0; header("content-length:").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        if tell.send(first_json(&body)).is_err() {
            return;
        }
        let mut waiting = script.lock().unwrap();
        let commands = if waiting.is_empty() { json!([["END"]]) } else { waiting.remove(0) };
        drop(waiting);
        // Values of HGET come from the address itself, after the question mark.
        let (content_type, answer) = match head.strip_prefix("GET /value?") {
            Some(rest) => ("text/plain", decode(rest.split(' ').next().unwrap())),
            None => ("application/vnd.oma.dm.request+json", json!({ "CMD": commands }).to_string()),
        };
        if head.starts_with("GET /value?") {
            script.lock().unwrap().insert(0, commands);
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        if writer.write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}

/// The package, also where data come with it in a multipart body.
fn first_json(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let objects = text.match_indices('{').filter_map(|(at, _)| {
        serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>().next()?.ok()
    });
    let is_package =
        |value: &Value| ["Status", "Alert", "MOS"].iter().any(|member| !value[*member].is_null());
    objects.into_iter().find(is_package).unwrap_or(Value::Null)
}

/// Hexadecimal digits as text: no character of a value has a meaning in an address then.
fn decode(digits: &str) -> String {
    let octets =
        digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16));
    String::from_utf8(octets.collect::<Result<_, _>>().unwrap()).unwrap()
}

fn encode(text: &str) -> String {
    text.bytes().map(|octet| format!("{octet:02x}")).collect()
}

pub struct Device {
    directory: tempfile::TempDir,
    pub server: Server,
    key: PKey<Private>,
}

impl Device {
    /// With these settings, in which `{dir}` is its directory.
    pub fn new(settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start();
        let key = PKey::generate_ed25519().unwrap();
        let dir = directory.path().display().to_string();
        std::fs::write(directory.path().join("key.pem"), key.public_key_to_pem().unwrap()).unwrap();
        let config = format!(
            "[device]\nid = \"IMEI:493005100592800\"\ndata_dir = \"{{dir}}/data\"\n[session]\nplain_http = true\npoll_interval = 0\n\
             [packages]\nplain_http = true\nkeys = [\"{{dir}}/key.pem\"]\nreserve = 0\npause = \"10 ms\"\nlongest_pause = \"20 ms\"\n\
             [access]\ngrants = [{{ moid = \"urn:oma:mo:oma-lawmo:1.0\", server = \"*\", rights = [\"read\", \"write\", \"execute\"] }}]\n{settings}"
        );
        std::fs::write(directory.path().join("agent.toml"), config.replace("{dir}", &dir)).unwrap();
        let device = Self { directory, server, key };
        let bootstrap = json!([{
            "ClientURI": "urn:oma:mo:oma-dm-dmacc:1.2//",
            "MOData": { "s1": {
                "SrvID": "s1", "SrvURI": format!("{}/dm", device.server.address), "Name": "Test",
                "Perm": { "1": { "MOID": "*" } }
            } }
        }]);
        std::fs::write(device.path("bootstrap.json"), bootstrap.to_string()).unwrap();
        let installed =
            device.command(&["bootstrap", device.path("bootstrap.json").to_str().unwrap()]).output().unwrap();
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        while device.server.heard.try_recv().is_ok() {}
        device
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omadm-agent"));
        command.arg("--config").arg(self.path("agent.toml")).args(arguments).env_remove("OMADM_AGENT_CONFIG");
        command
    }

    pub fn run(&self) -> Running {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let before = self.log().len();
        let agent = Running(self.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        // Before it listens for signals one would end it.
        wait_for("the agent", || self.log()[before..].contains("running"));
        agent
    }

    /// Has the device call.
    pub fn call(&self, agent: &Running) {
        let status =
            Command::new("sh").arg("-c").arg(format!("kill -HUP {}", agent.0.id())).status().unwrap();
        assert!(status.success());
    }

    /// HGET of a value into a node.
    pub fn set(&self, address: &str, value: &str) -> Value {
        json!(["HGET", format!("{}/value?{}", self.server.address, encode(value)), address])
    }

    /// Puts a package on the server and tells the device what there is to know of it.
    pub fn offer(&self, package: &[u8], object: &str, url: &str, more: &[(&str, &str)]) -> Vec<Value> {
        *self.server.package.lock().unwrap() = package.to_vec();
        let digest = sha256(package);
        let signature = Signer::new_without_digest(&self.key).unwrap().sign_oneshot_to_vec(&digest).unwrap();
        let digest: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        let address = |path: &str| format!("{object}/{path}");
        let mut commands = vec![
            self.set(&address("Ext/SHA256"), &digest),
            self.set(&address("Ext/Signature"), &openssl::base64::encode_block(&signature)),
            self.set(&address("Ext/Size"), &package.len().to_string()),
            self.set(&address(url), &format!("{}/package", self.server.address)),
        ];
        commands.extend(more.iter().map(|(path, value)| self.set(&address(path), value)));
        commands
    }

    /// The tree as JSON, as it is on disk.
    pub fn leaf(&self, address: &str) -> Value {
        let output = self.command(&["tree", address, "--output", "json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree: Value = serde_json::from_slice(&output.stdout).unwrap();
        tree
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the agent said:\n{}", self.log());
        }
    }
}

/// A running agent; dropping it is a power cut.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        std::thread::yield_now();
    }
}
