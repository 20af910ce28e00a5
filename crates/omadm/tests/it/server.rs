//! The operator's commands against a real `omadm serve`.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Ran, omadm, repository};

/// What every virtual device has.
const DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.2//";

/// A server on free ports with a data directory of its own; killed when dropped.
pub struct Server {
    child: Child,
    ready: Value,
    dir: TempDir,
    /// As variables of the environment.
    settings: Vec<(String, String)>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With these settings, as variables of the environment.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (child, ready) = serve(dir.path(), settings);
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { child, ready, dir, settings }
    }

    /// One whose database and packages are on a disk of this size, such as `16m`, which only the server and [`Server::on_disk`] see.
    pub fn on_disk_of(size: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("disk");
        std::fs::create_dir(&disk).unwrap();
        let mut command = Command::new("unshare");
        // Who is not root becomes root of a namespace of its own, to be able to mount.
        if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
            command.arg("--map-root-user");
        }
        let mounted = "mount -t tmpfs -o size=\"$1\" tmpfs \"$2\" && shift 2 && exec \"$@\"";
        command
            .args(["--mount", "sh", "-c", mounted, "sh", size])
            .arg(&disk)
            .arg(env!("CARGO_BIN_EXE_omadm"));
        let settings = [("OMADM_STORE__PATH", "omadm.db"), ("OMADM_PACKAGE__DIRECTORY", "packages")];
        let settings = settings.map(|(name, file)| (name, disk.join(file).to_str().unwrap().to_owned()));
        let settings: Vec<_> = settings.iter().map(|(name, path)| (*name, path.as_str())).collect();
        let (child, ready) = serve_by(command, dir.path(), &settings);
        Self { child, ready, dir, settings: Vec::new() }
    }

    /// A file on that disk.
    pub fn on_disk(&self, name: &str) -> PathBuf {
        let seen = self.path("disk").join(name);
        Path::new("/proc")
            .join(self.child.id().to_string())
            .join("root")
            .join(seen.strip_prefix("/").unwrap())
    }

    /// What it said when it was ready.
    pub fn text(&self, member: &str) -> &str {
        self.ready[member].as_str().unwrap_or_else(|| panic!("{member} of {}", self.ready))
    }

    /// A call with the server's address and token.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = omadm();
        command.args(arguments).args(["--server", self.text("operator_url")]);
        command.args(["--token-file", self.text("token_file")]);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// A call that has to succeed.
    pub fn good(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        ran.stdout
    }

    /// A call that has to succeed, with its JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.good(&[arguments, &["--output", "json"]].concat())).unwrap()
    }

    /// Runs one session of a new virtual device, which is asked for `gets`; gives its identifier.
    fn virtual_device(&self, gets: &[&str]) -> String {
        let before = self.ids();
        let mut arguments = vec!["sim", "--protocol", "dm2.0", "--devices", "1", "--keep"];
        arguments.extend(["--ca-file", self.text("ca_file")]);
        arguments.extend(gets.iter().flat_map(|get| ["--get", get]));
        self.good(&arguments);
        self.ids().into_iter().find(|id| !before.contains(id)).unwrap()
    }

    fn ids(&self) -> Vec<String> {
        let devices = self.json(&["device", "ls"]);
        devices.as_array().unwrap().iter().map(|device| device["id"].as_str().unwrap().to_owned()).collect()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Address and port of the listener for operators.
    pub fn operator(&self) -> &str {
        self.text("operator_url").trim_start_matches("http://").trim_end_matches('/')
    }

    /// Kills it, and starts it anew on the same port for devices.
    pub fn kill_and_start(&mut self) {
        let (settings, device_url) = (self.settings.clone(), self.text("device_url").to_owned());
        let _ = self.child.kill();
        let _ = self.child.wait();
        let authority = device_url.split('/').nth(2).unwrap_or_default();
        let mut settings: Vec<_> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        settings.push(("OMADM_DEVICE__LISTEN", authority));
        (self.child, self.ready) = serve(self.dir.path(), &settings);
    }

    /// Asks it to stop and gives its exit status.
    pub fn terminate(&mut self) -> Option<i32> {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(dir: &Path, settings: &[(&str, &str)]) -> (Child, Value) {
    serve_by(omadm(), dir, settings)
}

fn serve_by(mut command: Command, dir: &Path, settings: &[(&str, &str)]) -> (Child, Value) {
    let mut child = command
        .args(["serve", "--output", "json", "--data"])
        .arg(dir.join("data"))
        .env("OMADM_DEVICE__LISTEN", "127.0.0.1:0")
        .env("OMADM_OPERATOR__LISTEN", "127.0.0.1:0")
        .env("OMADM_LOG", "off")
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    (child, ready)
}

#[test]
fn a_device_is_enrolled_shown_and_removed() {
    let server = Server::start();
    assert!(server.good(&["device", "ls"]).contains("No device"));
    let enrolled = server.json(&["device", "add", "UUID:1/a", "--label", "first floor"]);
    assert!(enrolled["secret"].as_str().unwrap().len() >= 16, "{enrolled}");
    assert_eq!(server.json(&["device", "show", "UUID:1/a"])["label"], "first floor");
    assert!(server.good(&["device", "ls"]).contains("UUID:1/a"));
    assert!(server.good(&["device", "tree", "UUID:1/a"]).contains("omadm run UUID:1/a get"));

    let again = server.run(&["device", "add", "UUID:1/a"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.stderr.contains("UUID:1/a") && again.stderr.contains("409"), "{again:?}");
    server.good(&["device", "add", "UUID:1/a", "--replace"]);
    assert_eq!(server.json(&["device", "show", "UUID:1/a"])["generation"], 2);

    server.good(&["device", "add", "UUID:2"]);
    let ran = server.run(&["device", "rm", "UUID:2", "UUID:3", "UUID:1/a", "--output", "json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.json(), serde_json::json!({ "removed": ["UUID:2"] }), "what was done is told");
    let removed = server.json(&["device", "rm", "UUID:1/a"]);
    assert_eq!(removed, serde_json::json!({ "removed": ["UUID:1/a"] }));
    let gone = server.run(&["device", "show", "UUID:1/a"]);
    assert_eq!(gone.code, Some(1), "{gone:?}");
    assert!(gone.stderr.contains("404"), "{gone:?}");
}

#[test]
fn commands_are_queued_listed_and_cancelled() {
    let server = Server::start();
    server.good(&["device", "add", "UUID:1"]);
    let get = server.json(&["run", "UUID:1", "get", DEVINFO]);
    assert_eq!((get["state"].as_str(), get["verb"].as_str()), (Some("queued"), Some("get")), "{get}");
    let set = server.json(&["run", "UUID:1", "set", "urn:x:mo:a:1.0//Level", "5", "--expires-in", "60"]);
    server.json(&["run", "UUID:1", "raw", "DELETE", "urn:x:mo:a:1.0//Old"]);
    let listed = server.json(&["command", "ls", "UUID:1"]);
    let seqs: Vec<_> = listed.as_array().unwrap().iter().map(|command| command["seq"].as_i64()).collect();
    assert_eq!(seqs, [Some(3), Some(2), Some(1)], "newest first: {listed}");

    let id = set["id"].as_str().unwrap();
    assert!(server.good(&["command", "cancel", id]).contains("cancelled"));
    assert!(server.good(&["command", "show", id]).contains("urn:x:mo:a:1.0//Level"));

    let late = server.run(&["run", "UUID:1", "get", DEVINFO, "--wait=1"]);
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(late.stderr.contains("still queued"), "{late:?}");
    let bad = server.run(&["run", "UUID:1", "get", "no address"]);
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.stderr.contains("no address"), "{bad:?}");
}

#[test]
fn what_a_session_brought_is_shown() {
    let server = Server::start();
    let missing = "urn:oma:mo:oma-dm-devinfo:1.2//Nowhere";
    let id = server.virtual_device(&[DEVINFO, missing]);

    let shown = server.good(&["device", "show", &id]);
    assert!(shown.contains("dm2.0") && shown.contains("virtual device"), "{shown}");
    let tree = server.good(&["device", "tree", &id]);
    assert!(tree.contains(&format!("    DevID = {id}")), "{tree}");
    let part = server.good(&["device", "tree", &id, "--at", "urn:oma:mo:oma-dm-devinfo:1.2/DevInfo/Man"]);
    assert!(part.contains("Man = omadm") && !part.contains("DevID"), "{part}");

    let commands = server.json(&["command", "ls", &id]);
    let [failed, done] = commands.as_array().unwrap().as_slice() else { panic!("{commands}") };
    assert_eq!((done["state"].as_str(), done["status"].as_i64()), (Some("done"), Some(200)), "{done}");
    let shown = server.good(&["command", "show", done["id"].as_str().unwrap()]);
    assert!(shown.contains("DevInfo/Man = omadm"), "{shown}");
    assert_eq!(
        (failed["state"].as_str(), failed["status"].as_i64()),
        (Some("failed"), Some(404)),
        "{failed}"
    );
    let shown = server.good(&["command", "show", failed["id"].as_str().unwrap()]);
    assert!(shown.contains("Reason") && shown.contains(missing), "{shown}");

    let late = server.run(&["command", "cancel", done["id"].as_str().unwrap()]);
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(late.stderr.contains("409"), "{late:?}");

    assert!(server.good(&["session", "ls", &id]).contains("ended"));
    let trace = server.good(&["session", "show", &id, "1"]);
    for fact in ["Package#1", "BootstrapComplete", r#"["GET","#, "device ──▶ server", "END"] {
        assert!(trace.contains(fact), "{fact}: {trace}");
    }
    let events = server.good(&["events", "--device", &id]);
    assert!(events.contains("BootstrapComplete") && events.contains(missing), "{events}");
    let lines = server.good(&["events", "--output", "json"]);
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");
}

#[test]
fn events_are_followed_as_they_happen() {
    let server = Server::start();
    let mut follower = server.command(&["events", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    for id in ["UUID:1", "UUID:2"] {
        server.good(&["device", "add", id]);
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains(id) && line.contains("enrolled"), "{line}");
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn a_load_is_reported_and_leaves_nothing_behind() {
    let server = Server::start();
    let ca_file = server.text("ca_file");
    let report = server.json(&[
        "sim",
        "--protocol",
        "dm2.0",
        "--devices",
        "5",
        "--sessions",
        "3",
        "--concurrency",
        "2",
        "--ca-file",
        ca_file,
    ]);
    assert_eq!((report["sessions"].as_u64(), report["failed"].as_u64()), (Some(15), Some(0)), "{report}");
    assert_eq!(report["messages"], 30, "{report}");
    assert!(server.ids().is_empty());

    // Without the authority no session succeeds, and the report says why.
    let ran = server.run(&["sim", "--protocol", "dm2.0", "--devices", "1", "--output", "json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.json()["failed"], 1, "{ran:?}");
    assert!(server.ids().is_empty());
}

#[test]
fn virtual_devices_speak_dm_1_x_too() {
    let server = Server::start();
    for protocol in ["dm1.2", "dm1.3"] {
        for encoding in [&[][..], &["--wbxml"]] {
            let ca_file = ["--ca-file", server.text("ca_file")];
            let load = ["sim", "--protocol", protocol, "--devices", "2", "--sessions", "2", "--keep"];
            let report = server.json(&[&load[..], &ca_file, encoding].concat());
            let counts = (report["sessions"].as_u64(), report["failed"].as_u64());
            assert_eq!(counts, (Some(4), Some(0)), "{protocol} {encoding:?}: {report}");
        }
        for device in server.json(&["device", "ls"]).as_array().unwrap() {
            let id = device["id"].as_str().unwrap();
            assert_eq!(device["protocol"], protocol, "{device}");
            for command in server.json(&["command", "ls", id]).as_array().unwrap() {
                assert_eq!((command["status"].as_u64(), command["verb"].as_str()), (Some(200), Some("get")));
                assert_eq!(command["address"], "./DevInfo/DevId");
            }
            server.good(&["device", "rm", id]);
        }
    }
    let ran = server.run(&["sim", "--protocol", "dm2.0", "--devices", "1", "--wbxml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

#[test]
fn nasty_devices_are_answered_and_the_server_lives_on() {
    let server = Server::start();
    let ca_file = ["--ca-file", server.text("ca_file")];
    for (protocol, encoding) in [("dm1.2", None), ("dm1.3", Some("--wbxml"))] {
        let nasty = ["sim", "--protocol", protocol, "--devices", "1", "--nasty", "--seed", "7"];
        let encoding: Vec<&str> = encoding.into_iter().collect();
        let report = server.json(&[&nasty[..], &ca_file, &encoding].concat());
        assert_eq!((&report["faults"], &report["sessions"]), (&json!([]), &json!(22)), "{report:#}");
        let answers = report["answers"].as_array().unwrap();
        let to = |trick: &str| {
            let of = answers.iter().filter(|answer| answer["trick"] == trick);
            let mut said: Vec<&str> = of.map(|answer| answer["answer"].as_str().unwrap()).collect();
            said.sort_unstable();
            said
        };
        assert_eq!(to("message repeated"), ["the same answer"]);
        assert_eq!(to("truncated"), ["HTTP 400"]);
        assert_eq!(to("wrong Content-Type"), ["HTTP 415"]);
        assert_eq!(to("wrong method"), ["HTTP 405"]);
        assert_eq!(to("entity bomb"), ["HTTP 400"]);
        assert_eq!(to("deep nesting"), ["HTTP 400"]);
        assert_eq!(to("version unknown"), ["status 513"]);
        for trick in ["answer lost", "message before repeated", "octets changed", "empty", "MsgID skipped"] {
            assert!(!to(trick).is_empty(), "{trick}: {report:#}");
        }
        assert!(to("commands of a server").iter().all(|answer| answer.contains("405")), "{report:#}");
        assert!(to("unknown alerts").iter().all(|answer| answer.contains("406")), "{report:#}");
        assert!(to("SessionID changed").iter().all(|answer| answer.starts_with("status 40")), "{report:#}");
        assert!(server.ids().is_empty());
    }
    let nasty = ["sim", "--protocol", "dm2.0", "--devices", "1", "--nasty", "--seed", "7"];
    let report = server.json(&[&nasty[..], &ca_file].concat());
    assert_eq!((&report["faults"], &report["sessions"]), (&json!([]), &json!(21)), "{report:#}");
    let answers = report["answers"].as_array().unwrap();
    let said = |trick: &str, answer: &str| {
        let mut of = answers.iter().filter(|said| said["trick"] == trick).peekable();
        assert!(of.peek().is_some(), "{trick}: {report:#}");
        assert!(of.all(|said| said["answer"] == answer), "{trick} is not answered {answer}: {report:#}");
    };
    said("message repeated", "the same answer");
    for (trick, status) in [
        ("truncated", 400),
        ("empty", 400),
        ("too large", 413),
        ("wrong Content-Type", 415),
        ("wrong method", 405),
        ("wrong Accept", 406),
        ("OMADM-DevID missing", 400),
        ("OMADM-DevID of another device", 403),
        ("deep nesting", 400),
        ("no JSON object", 400),
        ("no UTF-8", 400),
    ] {
        said(trick, &format!("HTTP {status}"));
    }
    server.json(&["device", "ls"]);
}

#[test]
fn tokens_are_made_used_and_revoked() {
    let server = Server::start();
    let made = server.json(&["token", "new", "ci", "--expires-in", "3600"]);
    let token = made["token"].as_str().unwrap();
    let with = |token: &str| -> Ran {
        server.command(&["token", "ls"]).env("OMADM_TOKEN", token).output().unwrap().into()
    };
    let ran = with(token);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("ci") && !ran.stdout.contains(token), "{ran:?}");
    server.good(&["token", "rm", "ci"]);
    let ran = with(token);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("OMADM_TOKEN") && !ran.stderr.contains(token), "{ran:?}");
}

#[test]
fn ddf_files_go_up_and_come_back() {
    let server = Server::start();
    let file = repository("ddf/dm_devinfo-v1_2.ddf");
    server.good(&["ddf", "put", file.to_str().unwrap(), "--name", "copy.ddf"]);
    assert!(server.good(&["ddf", "ls"]).contains("copy.ddf"));
    assert_eq!(server.good(&["ddf", "get", "copy.ddf"]), std::fs::read_to_string(&file).unwrap());
    let broken = server.path("broken.ddf");
    std::fs::write(&broken, "<MgmtTree>").unwrap();
    let ran = server.run(&["ddf", "put", broken.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("broken.ddf:1:"), "{ran:?}");
}

#[test]
fn the_ddf_advises_and_describes() {
    let server = Server::start();
    let shown = server.good(&["ddf", "show", "dm_devinfo-v1_2.ddf"]);
    assert!(shown.contains("DevInfo  node  1  permanent  Get  urn:oma:mo:oma-dm-devinfo:1.2"), "{shown}");
    assert!(shown.contains("\n  DevID  chr  1  permanent  Get"), "{shown}");
    let model = server.json(&["ddf", "show", "dm_devinfo-v1_2.ddf"]);
    assert_eq!(model["nodes"][0]["ddf_name"], "urn:oma:mo:oma-dm-devinfo:1.2", "{model}");
    let missing = server.run(&["ddf", "show", "none.ddf"]);
    assert!(missing.code == Some(1) && missing.stderr.contains("none.ddf"), "{missing:?}");

    server.good(&["device", "add", "UUID:1"]);
    let devid = "urn:oma:mo:oma-dm-devinfo:1.2//DevID";
    let warned = server.run(&["run", "UUID:1", "delete", devid]);
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert!(
        warned.stderr.contains("warning: ") && warned.stderr.contains("does not allow Delete"),
        "{warned:?}"
    );
    let rights = "urn:oma:mo:oma-dm-dmacc:1.2/a/Auth/Noti/Type";
    let refused = server.run(&["run", "UUID:1", "set", rights, "none"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("dm_dmacc-v1_2.ddf") && refused.stderr.contains("force"), "{refused:?}");
    let forced = server.run(&["run", "UUID:1", "set", rights, "none", "--force"]);
    assert!(forced.code == Some(0) && forced.stderr.contains("warning: "), "{forced:?}");

    let id = server.virtual_device(&[DEVINFO]);
    let tree = server.good(&["device", "tree", &id]);
    assert!(tree.contains("\u{2014} DevInfo"), "{tree}");
}

#[test]
fn a_factory_bootstrap_is_private_and_complete() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    let (bootstrap, ca) = (server.path("bootstrap.json"), server.path("ca.pem"));
    let told = server.good(&[
        "bootstrap",
        "factory",
        "--device",
        "UUID:7",
        "--output-file",
        bootstrap.to_str().unwrap(),
        "--ca-file",
        ca.to_str().unwrap(),
    ]);
    assert!(told.contains("UUID:7"), "{told}");
    let mode = std::fs::metadata(&bootstrap).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the bootstrap holds a secret");
    assert!(std::fs::read_to_string(&ca).unwrap().contains("BEGIN CERTIFICATE"));
    let decoded = server.json(&["decode", bootstrap.to_str().unwrap(), "--strict"]);
    assert_eq!(decoded["kind"], "dmmo", "{decoded}");
    assert_eq!(decoded["content"][0]["content"]["SrvURI"], server.text("device_url"), "{decoded}");
    assert_eq!(server.ids(), ["UUID:7"]);
}

#[test]
fn bootstraps_of_many_devices_are_files_of_their_own() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    let (list, directory) = (server.path("devices.txt"), server.path("bootstraps"));
    std::fs::write(&list, "UUID:7\n\n  UUID:8\n").unwrap();
    let words = ["bootstrap", "batch", list.to_str().unwrap(), "--output-dir", directory.to_str().unwrap()];
    assert!(server.good(&words).contains("2 devices"));
    assert_eq!(server.ids(), ["UUID:7", "UUID:8"]);
    for name in ["UUID%3A7.json", "UUID%3A8.json"] {
        let file = directory.join(name);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(server.json(&["decode", file.to_str().unwrap(), "--strict"])["kind"], "dmmo");
    }
    let again = server.run(&words);
    assert!(again.code == Some(1) && again.stderr.contains("UUID:7"), "{again:?}");
    let replaced = server.json(&[&words[..], &["--replace"]].concat());
    assert_eq!(replaced[1]["device"], "UUID:8");

    let revoked = server.good(&["bootstrap", "revoke", "UUID:8", "UUID:7"]);
    let listed = server.good(&["bootstrap", "ls", "--filter", "state = revoked"]);
    assert!(listed.contains("UUID:7") && listed.contains("revoked"), "{listed}");
    let fault = server.run(&["bootstrap", "ls", "--filter", "colour = red"]);
    assert!(fault.code == Some(1) && fault.stderr.contains('^'), "{}", fault.stderr);
    assert!(revoked.contains("UUID:8 is revoked") && revoked.contains("UUID:7 is revoked"), "{revoked}");
    assert!(server.good(&["device", "show", "UUID:7"]).contains("Bootstrap      revoked"));
    let again = server.run(&["bootstrap", "revoke", "UUID:7"]);
    assert!(again.code == Some(1) && again.stderr.contains("revoked already"), "{again:?}");
    server.good(&words);
    assert!(server.good(&["device", "show", "UUID:7"]).contains("Bootstrap      in force"));

    let push = ["bootstrap", "push", "--device", "UUID:9", "--to", "http://localhost/"];
    let refused = server.run(&push);
    assert!(refused.code == Some(1) && refused.stderr.contains("TLS only"), "{refused:?}");
    assert_eq!(server.ids(), ["UUID:7", "UUID:8"]);
}

#[test]
fn a_server_ends_in_order_and_comes_back_with_everything() {
    let mut server = Server::start();
    server.good(&["device", "add", "UUID:1"]);
    assert_eq!(server.terminate(), Some(0));
    (server.child, server.ready) = serve(server.dir.path(), &[]);
    assert_eq!(server.ids(), ["UUID:1"]);
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("omadm.toml");
    std::fs::write(&config, "[device]\nlitsen = \"127.0.0.1:0\"\n").unwrap();
    let ran: Ran = omadm().arg("serve").arg("--config").arg(&config).output().unwrap().into();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("litsen") && ran.stderr.contains("listen"), "{ran:?}");
}

#[test]
fn the_log_can_be_for_programs() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = omadm()
        .args(["serve", "--data"])
        .arg(dir.path())
        .env("OMADM_DEVICE__LISTEN", "127.0.0.1:0")
        .env("OMADM_OPERATOR__LISTEN", "127.0.0.1:0")
        .env("OMADM_LOG", "info")
        .env("OMADM_LOG__FORMAT", "json")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let serving = line.into_iter().find(|line| line["fields"]["message"] == "serving");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(serving.unwrap()["fields"]["operator_addr"].as_str().unwrap().starts_with("127.0.0.1:"));
}

#[test]
fn a_value_from_a_file_has_a_largest_size() {
    let server = Server::start();
    server.good(&["device", "add", "UUID:1"]);
    let file = server.path("value");
    let largest: u64 = 16 << 20;
    for (length, code) in [(largest + 1, Some(1)), (largest, Some(0))] {
        std::fs::File::create(&file).unwrap().set_len(length).unwrap();
        let set = ["run", "UUID:1", "set", "urn:x:1.0//Image", "--file", file.to_str().unwrap()];
        let ran = server.run(&[&set[..], &["--type", "image/png"]].concat());
        assert_eq!(ran.code, code, "{length}: {ran:?}");
        assert_eq!(ran.stderr.contains("fetch URL"), code == Some(1), "{ran:?}");
    }
}

#[test]
fn a_server_serves_from_a_database() {
    let url = crate::postgres::shared().database();
    let server = Server::with(&[("OMADM_STORE__URL", &url), ("OMADM_STORE__EVENT_DELAY", "0s")]);
    let id = server.virtual_device(&[DEVINFO]);
    let commands = server.json(&["command", "ls", &id]);
    assert_eq!(commands[0]["state"].as_str(), Some("done"), "{commands}");
    let tree = server.good(&["device", "tree", &id]);
    assert!(tree.contains(&format!("    DevID = {id}")), "{tree}");
    assert!(server.good(&["session", "ls", &id]).contains("ended"));
}
