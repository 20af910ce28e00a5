//! Firmware and software of the real program: packages over a link that breaks, power cuts at any step, and what servers are told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::sign::Signer;
use serde_json::{Value, json};

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Commands that a server has for the device, one package after the other.
type Script = Arc<Mutex<Vec<Value>>>;

/// A DM server of DM 2.0 and a server of packages in one.
struct Server {
    address: String,
    heard: Receiver<Value>,
    /// Alerts that came and were not asked for yet.
    alerts: RefCell<Vec<Value>>,
    script: Script,
    package: Arc<Mutex<Vec<u8>>>,
    /// Octets after which the connection is cut, for so many requests.
    cuts: Arc<Mutex<(usize, u32)>>,
}

impl Server {
    fn start() -> Self {
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

    fn command(&self, commands: Value) {
        self.script.lock().unwrap().push(commands);
    }

    /// The next package of the device that has what `find` looks for.
    fn until<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
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
    fn alert(&self, alert_type: &str) -> (String, Value) {
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
    fn statuses(&self) -> Vec<u64> {
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

struct Device {
    directory: tempfile::TempDir,
    server: Server,
    key: PKey<Private>,
}

impl Device {
    /// With these settings, in which `{dir}` is its directory.
    fn new(settings: &str) -> Self {
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

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omadm-agent"));
        command.arg("--config").arg(self.path("agent.toml")).args(arguments).env_remove("OMADM_AGENT_CONFIG");
        command
    }

    fn run(&self) -> Running {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let before = self.log().len();
        let agent = Running(self.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        // Before it listens for signals one would end it.
        wait_for("the agent", || self.log()[before..].contains("running"));
        agent
    }

    /// Has the device call.
    fn call(&self, agent: &Running) {
        let status =
            Command::new("sh").arg("-c").arg(format!("kill -HUP {}", agent.0.id())).status().unwrap();
        assert!(status.success());
    }

    /// HGET of a value into a node.
    fn set(&self, address: &str, value: &str) -> Value {
        json!(["HGET", format!("{}/value?{}", self.server.address, encode(value)), address])
    }

    /// Puts a package on the server and tells the device what there is to know of it.
    fn offer(&self, package: &[u8], object: &str, url: &str, more: &[(&str, &str)]) -> Vec<Value> {
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
    fn leaf(&self, address: &str) -> Value {
        let output = self.command(&["tree", address, "--output", "json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree: Value = serde_json::from_slice(&output.stdout).unwrap();
        tree
    }

    fn log(&self) -> String {
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
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        std::thread::yield_now();
    }
}

const FIRMWARE: &str = "urn:oma:mo:oma-fumo:1.0//";
const UPDATED: &str = "org.openmobilealliance.dm.firmwareupdate.downloadandupdate";

const SLOTS: &str = "[firmware]\nmethod = \"slots\"\nslots = [\"{dir}/a\", \"{dir}/b\"]\npointer = \"{dir}/current\"\nunpack = [\"tar\", \"--extract\", \"--file\", \"{package}\", \"--directory\", \"{slot}\"]\nversion_file = \"{dir}/current/version\"\nrestart = [\"touch\", \"{dir}/restarted\"]\n";

/// A component with a version, as a package.
fn archive(version: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("version"), version).unwrap();
    // Large enough that a connection can break in the middle.
    let noise: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    std::fs::write(directory.path().join("program"), noise).unwrap();
    let output = Command::new("tar")
        .args(["--create", "--directory"])
        .arg(directory.path())
        .arg(".")
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

fn slots(device: &Device) {
    for name in ["a", "b"] {
        std::fs::create_dir(device.path(name)).unwrap();
    }
    std::fs::write(device.path("a/version"), "1.0").unwrap();
    std::os::unix::fs::symlink("a", device.path("current")).unwrap();
}

fn version(device: &Device) -> String {
    std::fs::read_to_string(device.path("current/version")).unwrap()
}

fn update(device: &Device, package: &[u8]) -> Value {
    let mut commands = device.offer(
        package,
        "urn:oma:mo:oma-fumo:1.0/",
        "DownloadAndUpdate/PkgURL",
        &[("PkgName", "component"), ("PkgVersion", "2.0")],
    );
    commands.push(json!(["EXEC", format!("{FIRMWARE}DownloadAndUpdate")]));
    json!(commands)
}

#[test]
fn firmware_comes_over_a_bad_link_into_the_other_slot_and_is_confirmed_by_a_session() {
    let device = Device::new(SLOTS);
    slots(&device);
    *device.server.cuts.lock().unwrap() = (100_000, 5);
    device.server.command(update(&device, &archive("2.0")));
    let agent = device.run();
    device.call(&agent);
    let statuses = device.server.statuses();
    assert_eq!(statuses.last(), Some(&202), "{statuses:?}");
    let (mark, code) = device.server.alert(UPDATED);
    assert_eq!((mark.as_str(), &code), ("informational", &json!(200)), "{}", device.log());
    assert_eq!(version(&device), "2.0");
    assert!(device.path("restarted").exists());
    let version_of = |address: &str| device.leaf(address).to_string();
    assert!(version_of("urn:oma:mo:oma-dm-devinfo:1.2//FwV").contains("2.0"));
    drop(agent);
    assert_eq!(device.server.cuts.lock().unwrap().1, 0, "the link was as bad as it should be");
}

#[test]
fn a_power_cut_at_any_moment_leaves_firmware_that_runs_and_one_report() {
    // The moment is told by what is on disk: the part grows, the package is whole, the slot is switched.
    type Moment = fn(&Device) -> bool;
    let moments: [(&str, Moment); 4] = [
        ("the record", |device| device.path("data/packages/firmware.state").exists()),
        ("a part", |device| {
            std::fs::metadata(device.path("data/packages/firmware.part")).is_ok_and(|part| part.len() > 0)
        }),
        ("the package", |device| device.path("data/packages/firmware.package").exists()),
        ("the switch", |device| std::fs::read_link(device.path("current")).is_ok_and(|to| to.ends_with("b"))),
    ];
    for (what, moment) in moments {
        let device = Device::new(SLOTS);
        slots(&device);
        *device.server.cuts.lock().unwrap() = (200_000, 2);
        let package = archive("2.0");
        device.server.command(update(&device, &package));
        let agent = device.run();
        device.call(&agent);
        wait_for(what, || moment(&device));
        drop(agent);
        assert!(["1.0", "2.0"].contains(&version(&device).as_str()), "{what}: it runs");
        let accepted = device.server.heard.try_iter().any(|package| {
            device
                .server
                .alerts
                .borrow_mut()
                .extend(package["Alert"].as_array().cloned().unwrap_or_default());
            package["Status"]
                .as_array()
                .is_some_and(|statuses| statuses.iter().any(|status| status["sc"] == 202))
        });
        device.server.script.lock().unwrap().clear();
        if !accepted {
            // As a server does that has had no answer.
            device.server.command(update(&device, &package));
        }
        let agent = device.run();
        device.call(&agent);
        let (_, code) = device.server.alert(UPDATED);
        assert_eq!(code, json!(200), "{what}: {}", device.log());
        assert_eq!(version(&device), "2.0", "{what}");
        drop(agent);
    }
}

#[test]
fn firmware_that_nobody_confirms_makes_way_for_the_old() {
    let device = Device::new(&format!("{SLOTS}confirm = \"command\"\nstarts = 2\n"));
    slots(&device);
    device.server.command(update(&device, &archive("2.0")));
    let agent = device.run();
    device.call(&agent);
    wait_for("the switch", || device.log().contains("switched: true"));
    assert_eq!(version(&device), "2.0");
    drop(agent);
    for _ in 0..2 {
        let before = device.log().len();
        let agent = device.run();
        device.call(&agent);
        wait_for("a session", || device.log()[before..].contains("session ended"));
        drop(agent);
    }
    assert_eq!(version(&device), "2.0", "two starts are its due");
    let agent = device.run();
    let (mark, code) = device.server.alert(UPDATED);
    assert_eq!((mark.as_str(), &code), ("warning", &json!(500)));
    assert_eq!(version(&device), "1.0");
    // The package is still there: it may be installed once more, and confirmed this time.
    device.server.command(json!([["EXEC", format!("{FIRMWARE}Update")]]));
    device.call(&agent);
    wait_for("the switch", || {
        version(&device) == "2.0" && device.log().matches("switched: true").count() >= 2
    });
    let confirmed = device.command(&["confirm"]).output().unwrap();
    assert!(confirmed.status.success(), "{}", String::from_utf8_lossy(&confirmed.stderr));
    let (_, code) = device.server.alert("org.openmobilealliance.dm.firmwareupdate.update");
    assert_eq!(code, json!(200));
    assert_eq!(version(&device), "2.0");
}

#[test]
fn what_is_damaged_or_not_signed_is_not_installed() {
    let device = Device::new("[firmware]\nmethod = \"hook\"\ninstall = [\"touch\", \"{dir}/installed\"]\n");
    let agent = device.run();
    let package = archive("2.0");
    let spoilt = |from: &str, to: Value| {
        let mut commands = update(&device, &package);
        for command in commands.as_array_mut().unwrap() {
            if command[2].as_str().is_some_and(|address| address.ends_with(from)) {
                command[1] = device.set("", to.as_str().unwrap())[1].clone();
            }
        }
        commands
    };
    let digest: String = sha256(b"another").iter().map(|octet| format!("{octet:02x}")).collect();
    for (what, commands, code) in [
        ("digest", spoilt("Ext/SHA256", json!(digest)), 402),
        ("signature", spoilt("Ext/Signature", json!("AAAA")), 404),
        ("no signature", spoilt("Ext/Signature", json!(" ")), 404),
        ("size", spoilt("Ext/Size", json!("7")), 402),
        ("address", spoilt("DownloadAndUpdate/PkgURL", json!("ftp://a.example/p")), 411),
    ] {
        device.server.command(commands);
        device.call(&agent);
        let (mark, told) = device.server.alert(UPDATED);
        assert_eq!((mark.as_str(), &told), ("warning", &json!(code)), "{what}: {}", device.log());
        assert!(!device.path("installed").exists(), "{what}");
    }
    device.server.command(update(&device, &package));
    device.call(&agent);
    assert_eq!(device.server.alert(UPDATED).1, json!(200));
    assert!(device.path("installed").exists());
}

const SOFTWARE: &str = "urn:oma:mo:oma-scomo:1.0//";
const DONE: &str = "urn:oma:at:scomo:1.0:OperationComplete";

fn manage(device: &Device) -> PathBuf {
    let script = device.path("manage.sh");
    // A package manager that fits a page: a component is a file with its version.
    let text = "#!/bin/sh\nset -e\ncd \"$(dirname \"$0\")\"\nmkdir -p parts\ncase $1 in\n\
        install) cp \"$OMADM_PACKAGE\" \"parts/$OMADM_COMPONENT\" ;;\n\
        remove) rm -f \"parts/$OMADM_COMPONENT\" ;;\n*) exit 3 ;;\nesac\n";
    std::fs::write(&script, text).unwrap();
    script
}

#[test]
fn software_is_delivered_installed_and_removed() {
    let device = Device::new(
        "[software]\nenabled = true\nmanage = [\"hel*\"]\ninstall = [\"sh\", \"{dir}/manage.sh\", \"install\"]\nremove = [\"sh\", \"{dir}/manage.sh\", \"remove\"]\n",
    );
    manage(&device);
    let agent = device.run();
    let node = "urn:oma:mo:oma-scomo:1.0//Download/Package";
    let names = [("PkgID", "hello-2"), ("Name", "hello"), ("Ext/Version", "2")];
    let exec = |path: &str| json!(["EXEC", format!("{SOFTWARE}{path}")]);
    let offer = |names: &[(&str, &str)], more: Value| {
        let mut commands = device.offer(b"hello, 2", node, "PkgURL", names);
        commands.push(more);
        json!(commands)
    };
    device.server.command(offer(&names, exec("Download/Package/Operations/DownloadInstall")));
    device.call(&agent);
    let (mark, told) = device.server.alert(DONE);
    let expected = "<ResultCode>1200</ResultCode><Identifier>hello-2</Identifier>";
    assert_eq!((mark.as_str(), &told), ("informational", &json!(expected)), "{}", device.log());
    assert_eq!(std::fs::read(device.path("parts/hello")).unwrap(), b"hello, 2");
    device.server.command(json!([
        ["GET", format!("{SOFTWARE}Inventory/Deployed/hello/Version")],
        exec("Inventory/Deployed/hello/Operations/Remove")
    ]));
    device.call(&agent);
    let told = device.server.alert(DONE).1;
    assert_eq!(
        told,
        json!("<ResultCode>1200</ResultCode><Identifier>hello</Identifier>"),
        "{}",
        device.log()
    );
    assert!(!device.path("parts/hello").exists());
    // First delivered, then installed; and one after the other.
    device.server.command(offer(&names, exec("Download/Package/Operations/Download")));
    device.call(&agent);
    assert_eq!(device.server.alert(DONE).1, json!(expected));
    device.server.command(json!([
        ["GET", format!("{SOFTWARE}Inventory/Delivered/Package/State")],
        exec("Inventory/Delivered/Package/Operations/Install"),
        exec("Inventory/Delivered/Package/Operations/Remove")
    ]));
    device.call(&agent);
    for _ in 0..2 {
        assert_eq!(device.server.alert(DONE).1, json!(expected), "{}", device.log());
    }
    assert!(device.path("parts/hello").exists());
    // What servers may not manage they may not install.
    let others = [("PkgID", "sudo-2"), ("Name", "sudo"), ("Ext/Version", "2")];
    device.server.command(offer(&others, exec("Download/Package/Operations/DownloadInstall")));
    device.call(&agent);
    let statuses = device.server.statuses();
    assert_eq!(statuses.last(), Some(&1400), "{statuses:?}");
}

#[test]
fn the_packages_of_this_machine_are_listed() {
    if !Path::new("/var/lib/dpkg/status").exists() {
        return;
    }
    let device =
        Device::new("[software]\nenabled = true\ninventory = \"dpkg\"\nshow = [\"dpkg\", \"base-files\"]\n");
    let agent = device.run();
    device.server.command(json!([["GET", format!("{SOFTWARE}Inventory/Deployed/dpkg/Version")]]));
    device.call(&agent);
    assert_eq!(device.server.statuses(), [200], "{}", device.log());
    drop(agent);
    let tree = device.leaf("urn:oma:mo:oma-scomo:1.0//Inventory/Deployed").to_string();
    assert!(tree.contains("base-files") && !tree.contains("coreutils"), "{tree}");
}

#[test]
fn a_machine_is_diagnosed_locked_and_wiped_as_configured() {
    let device = Device::new(
        "[diagnostics]\nenabled = true\nlog_file = \"{dir}/some.log\"\n\
         [lock]\nenabled = true\nallow_wipe = true\nfull = [\"touch\", \"{dir}/locked\"]\nunlock = [\"rm\", \"{dir}/locked\"]\nwipe_items = [{ name = \"data\", command = [\"rm\", \"{dir}/precious\"] }, { name = \"more\", command = [\"rm\", \"{dir}/more\"] }]\n",
    );
    for (name, text) in [("some.log", "one\npassword=hunter2\nthree\n"), ("precious", ""), ("more", "")] {
        std::fs::write(device.path(name), text).unwrap();
    }
    let agent = device.run();
    device.server.command(json!([
        ["GET", "urn:oma:mo:oma-diagmon:1.0/Load/DiagMonData/Load1"],
        ["GET", "urn:oma:mo:oma-diagmon:1.0/Disk/DiagMonData/root/Available"],
        ["EXEC", "urn:oma:mo:oma-diagmon:1.0/Log/Operations/Start"]
    ]));
    device.call(&agent);
    assert_eq!(device.server.statuses(), [200, 200, 202], "{}", device.log());
    let ended = device.server.alert("urn:oma:at:diagmon:1.0:OperationComplete");
    assert_eq!(ended.1, json!(1200));
    device.server.command(json!([["GET", "urn:oma:mo:oma-diagmon:1.0/Log/DiagMonData/Excerpt"]]));
    device.call(&agent);
    assert_eq!(device.server.statuses(), [200]);
    let lock = "urn:oma:mo:oma-lawmo:1.0/";
    let done = "urn:oma:at:lawmo:1.0:OperationComplete";
    device.server.command(json!([["EXEC", format!("{lock}/Operations/FullyLock")]]));
    device.call(&agent);
    assert_eq!(device.server.alert(done).1, json!(1200));
    assert!(device.path("locked").exists());
    let mark = device.set(&format!("{lock}/AvailableWipeList/1/ToBeWiped"), "true");
    device.server.command(json!([mark, ["EXEC", format!("{lock}/Operations/Wipe")]]));
    device.call(&agent);
    assert_eq!(device.server.alert(done).1, json!(1201));
    assert!(!device.path("precious").exists() && device.path("more").exists());
    device.server.command(json!([
        ["EXEC", format!("{lock}/Operations/FactoryReset")],
        ["EXEC", format!("{lock}/Operations/PartiallyLock")]
    ]));
    device.call(&agent);
    assert_eq!(device.server.statuses(), [501, 501]);
    drop(agent);
    assert!(device.leaf("urn:oma:mo:oma-lawmo:1.0//State").to_string().contains("10"));
}
