//! Firmware and software from the server's packages to the real `omadm-agent`, by campaigns and profiles.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::agent::program;
use crate::server::Server;

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(90);
const PROTOCOLS: [&str; 2] = ["dm2.0", "dm1.3"];

/// The settings of agents with two slots; the command that starts anew ends the agent, as a reboot does.
const SLOTS: &str = "[firmware]\nmethod = \"slots\"\nslots = [\"{dir}/a\", \"{dir}/b\"]\npointer = \"{dir}/current\"\n\
    unpack = [\"sh\", \"{dir}/unpack.sh\", \"{package}\", \"{slot}\"]\nversion_file = \"{dir}/current/version\"\n\
    restart = [\"sh\", \"-c\", \"kill -9 $PPID\"]\n";
const HOOK: &str = "[firmware]\nmethod = \"hook\"\ninstall = [\"sh\", \"{dir}/hook.sh\"]\n";
const MANAGER: &str = "[software]\nenabled = true\nmanage = [\"hel*\"]\ninstall = [\"sh\", \"{dir}/manage.sh\", \"install\"]\n\
    remove = [\"sh\", \"{dir}/manage.sh\", \"remove\"]\n";

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        std::thread::yield_now();
    }
}

/// Shows what a server has of a device when a test fails.
struct Shows<'s>(&'s Server, String);

impl Drop for Shows<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.run(&["command", "ls", &self.1, "--output", "json"]).stdout);
        }
    }
}

fn good(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `omadm-agent` as a device of a server. Dropping it is a power cut.
struct Agent {
    dir: tempfile::TempDir,
    child: Option<Child>,
    id: String,
}

impl Agent {
    /// Enrolled at a server, whose packages it takes when they are signed; in `settings`, `{dir}` is its directory.
    fn enrolled(server: &Server, keys: &Keys, protocol: &str, settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let id = format!("IMEI:49300510059280{}", if protocol == "dm2.0" { 0 } else { 8 });
        let agent = Self { dir, child: None, id };
        let text = format!(
            "[device]\nid = {:?}\ndata_dir = \"{{dir}}/data\"\n[tls]\nca_file = {:?}\n[session]\npoll_interval = \"1 s\"\n\
             extra_interval = \"1 s\"\n[packages]\nkeys = [{:?}]\nreserve = 0\npause = \"10 ms\"\nlongest_pause = \"200 ms\"\n{settings}",
            agent.id,
            server.path("data/tls/ca.pem"),
            keys.path("own.pub"),
        );
        std::fs::write(agent.path("agent.toml"), text.replace("{dir}", agent.dir.path().to_str().unwrap()))
            .unwrap();
        agent.scripts();
        let account = agent.path("account.json");
        if protocol == "dm2.0" {
            let (file, ca) = (account.to_str().unwrap(), agent.path("ca.pem"));
            server.good(&[
                "bootstrap",
                "factory",
                "--device",
                &agent.id,
                "--output-file",
                file,
                "--ca-file",
                ca.to_str().unwrap(),
            ]);
        } else {
            std::fs::write(&account, server.json(&["device", "add", &agent.id]).to_string()).unwrap();
        }
        good(agent.command().arg("bootstrap").arg(&account));
        agent
    }

    /// What the machine has: two slots, and commands that note each of their runs.
    fn scripts(&self) {
        for slot in ["a", "b"] {
            std::fs::create_dir(self.path(slot)).unwrap();
        }
        std::fs::write(self.path("a/version"), "1.0").unwrap();
        std::os::unix::fs::symlink("a", self.path("current")).unwrap();
        let unpack =
            "echo unpack >> \"$(dirname \"$0\")/ran\"\nexec tar --extract --file \"$1\" --directory \"$2\"\n";
        std::fs::write(self.path("unpack.sh"), unpack).unwrap();
        // Ends well once there is a file that says so.
        std::fs::write(self.path("hook.sh"), "cd \"$(dirname \"$0\")\"\necho hook >> ran\ntest -e well\n")
            .unwrap();
        let manage = "set -e\ncd \"$(dirname \"$0\")\"\nmkdir -p parts\necho $1 $OMADM_COMPONENT >> ran\ncase $1 in\n\
            install) cp \"$OMADM_PACKAGE\" \"parts/$OMADM_COMPONENT\" ;;\n\
            remove) rm -f \"parts/$OMADM_COMPONENT\" ;;\nesac\n";
        std::fs::write(self.path("manage.sh"), manage).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.arg("--config").arg(self.path("agent.toml")).env_remove("OMADM_AGENT_CONFIG");
        command
    }

    /// Starts it, or starts it anew if it has ended.
    fn keep_running(&mut self) {
        if self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none()) {
            return;
        }
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = self.command().arg("run").stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.child = Some(child);
    }

    /// Cuts its power.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("what the agent {} said:\n{}", self.id, self.text("log"));
        }
    }
}

/// Two keys by which packages are signed: both are good for the server, only the first for the agents.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        for name in ["own", "other"] {
            let (key, public) = (keys.path(&format!("{name}.pem")), keys.path(&format!("{name}.pub")));
            good(Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&key));
            good(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&key).arg("-out").arg(&public));
        }
        keys
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A server that trusts them.
    fn server(&self) -> Server {
        let trusted = format!("{},{}", self.path("own.pub").display(), self.path("other.pub").display());
        Server::with(&[("OMADM_PACKAGE__TRUSTED_KEYS", &trusted)])
    }

    /// Stores a package with a signature, as the documentation says; gives its identifier.
    fn add(&self, server: &Server, key: &str, [kind, name, version]: [&str; 3], content: &[u8]) -> String {
        let [file, digest, signature] = ["package", "digest", "package.sig"].map(|name| self.path(name));
        std::fs::write(&file, content).unwrap();
        good(Command::new("openssl").args(["dgst", "-sha256", "-binary", "-out"]).arg(&digest).arg(&file));
        let mut sign = Command::new("openssl");
        sign.args(["pkeyutl", "-sign", "-rawin", "-inkey"]).arg(self.path(&format!("{key}.pem")));
        good(sign.arg("-in").arg(&digest).arg("-out").arg(&signature));
        let (file, signature) = (file.to_str().unwrap(), signature.to_str().unwrap());
        let what = ["--kind", kind, "--name", name, "--package-version", version];
        let stored =
            server.json(&[["package", "add", file, "--signature", signature].as_slice(), &what].concat());
        stored["id"].as_str().unwrap().to_owned()
    }
}

/// The new firmware of `size` octets and more.
fn firmware(version: &str, size: usize) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("version"), version).unwrap();
    std::fs::write(dir.path().join("program"), vec![7; size]).unwrap();
    let output =
        Command::new("tar").args(["--create", "--directory"]).arg(dir.path()).arg(".").output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn start(server: &Server, name: &str, document: Value) {
    let mut document = document;
    document["name"] = json!(name);
    let file = server.path("campaign.json");
    std::fs::write(&file, document.to_string()).unwrap();
    server.good(&["campaign", "new", file.to_str().unwrap(), "--start"]);
}

/// Lets the agent run until a campaign is over; gives what it says then.
fn end(server: &Server, agent: &mut Agent, name: &str) -> Value {
    let mut shown = Value::Null;
    wait_for("the end of the campaign", || {
        agent.keep_running();
        shown = server.json(&["campaign", "show", name]);
        let open = shown["devices"]["open"] != 0;
        matches!(shown["state"].as_str(), Some("done" | "failed" | "stopped")) && !open
    });
    shown
}

/// Has the inventory learn which firmware a device says it has.
fn inventory_has(server: &Server, agent: &mut Agent, protocol: &str, version: &str) {
    let at = if protocol == "dm2.0" { "urn:oma:mo:oma-dm-devinfo:1.2//FwV" } else { "./DevDetail/FwV" };
    server.good(&["run", &agent.id, "get", at]);
    let filter = format!("fw = \"{version}\"");
    wait_for(&filter, || {
        agent.keep_running();
        server.json(&["device", "ls", "--filter", &filter]).as_array().unwrap().len() == 1
    });
}

#[test]
fn firmware_by_a_campaign_gets_into_the_other_slot_and_into_the_inventory() {
    let keys = Keys::new();
    for protocol in PROTOCOLS {
        let server = keys.server();
        let mut agent = Agent::enrolled(&server, &keys, protocol, SLOTS);
        let _shows = Shows(&server, agent.id.clone());
        inventory_has(&server, &mut agent, protocol, "1.0");
        let package = firmware("2.0", 500_000);
        let id = keys.add(&server, "own", ["firmware", "component", "2.0"], &package);
        start(
            &server,
            "up",
            json!({ "change": { "firmware": { "package": id } }, "filter": "fw < \"2.0\"" }),
        );
        let shown = end(&server, &mut agent, "up");
        assert_eq!((&shown["state"], &shown["devices"]["done"]), (&json!("done"), &json!(1)), "{shown}");
        assert_eq!(agent.text("current/version"), "2.0");
        assert_eq!(agent.text("ran"), "unpack\n", "{protocol}");
        inventory_has(&server, &mut agent, protocol, "2.0");
    }
}

#[test]
fn a_campaign_stops_where_packages_are_not_signed_well_or_cannot_be_installed() {
    let keys = Keys::new();
    for protocol in PROTOCOLS {
        let server = keys.server();
        let mut agent = Agent::enrolled(&server, &keys, protocol, HOOK);
        let _shows = Shows(&server, agent.id.clone());
        for (key, code, ran) in [("other", "404", ""), ("own", "410", "hook\n")] {
            let id = keys.add(&server, key, ["firmware", "component", key], b"new");
            let change = json!({ "firmware": { "package": id } });
            start(&server, key, json!({ "change": change, "failures": { "percent": 5, "sample": 1 } }));
            let shown = end(&server, &mut agent, key);
            assert_eq!(shown["state"], "failed", "{shown}");
            let report = server.good(&["campaign", "report", key]);
            assert!(report.contains("1 of 1 devices failed") && report.contains(code), "{report}");
            assert_eq!(agent.text("ran"), ran, "{protocol}");
        }
    }
}

#[test]
fn a_server_and_an_agent_that_are_killed_bring_an_update_to_its_end_once() {
    let keys = Keys::new();
    for protocol in PROTOCOLS {
        let mut server = keys.server();
        let mut agent = Agent::enrolled(&server, &keys, protocol, SLOTS);
        let package = firmware("2.0", 60 << 20);
        let id = keys.add(&server, "own", ["firmware", "component", "2.0"], &package);
        start(&server, "up", json!({ "change": { "firmware": { "package": id } } }));
        let part = agent.path("data/packages/firmware.part");
        let begun = |more: u64| std::fs::metadata(&part).is_ok_and(|part| part.len() > more);
        agent.keep_running();
        wait_for("a part", || begun(0));
        server.kill_and_start();
        let there = std::fs::metadata(&part).map_or(0, |part| part.len());
        assert!(there < package.len() as u64, "the server was killed in the middle");
        wait_for("more of it", || begun(there));
        agent.kill();
        assert!(part.exists(), "the agent was killed in the middle");
        agent.keep_running();
        let whole = agent.path("data/packages/firmware.package");
        wait_for("all of it", || whole.exists());
        server.kill_and_start();
        let shown = end(&server, &mut agent, "up");
        assert_eq!((&shown["state"], &shown["devices"]["done"]), (&json!("done"), &json!(1)), "{shown}");
        assert_eq!(agent.text("current/version"), "2.0");
        assert_eq!(agent.text("ran"), "unpack\n", "{protocol}");
        let commands = server.json(&["command", "ls", &agent.id]);
        let execs = commands.as_array().unwrap().iter().filter(|command| command["verb"] == "exec");
        assert_eq!(execs.map(|command| &command["state"]).collect::<Vec<_>>(), ["done"], "{commands}");
    }
}

#[test]
fn software_by_a_campaign_and_by_profiles_comes_and_goes() {
    let keys = Keys::new();
    for protocol in PROTOCOLS {
        let server = keys.server();
        let mut agent = Agent::enrolled(&server, &keys, protocol, MANAGER);
        let _shows = Shows(&server, agent.id.clone());
        let id = keys.add(&server, "own", ["software", "hello", "1"], b"hello, 1");
        start(&server, "bring", json!({ "change": { "software": { "package": id } } }));
        let shown = end(&server, &mut agent, "bring");
        assert_eq!(shown["devices"]["done"], 1, "{protocol}: {shown}");
        assert_eq!(agent.text("parts/hello"), "hello, 1");

        // Two at once: they use the same node one after the other.
        keys.add(&server, "own", ["software", "hello", "2"], b"hello, 2");
        keys.add(&server, "own", ["software", "help", "3"], b"help, 3");
        let profile = |name: &str, text: &str| {
            let file = server.path("profile.toml");
            std::fs::write(&file, format!("name = {name:?}\n{text}")).unwrap();
            server.good(&["profile", "set", file.to_str().unwrap()]);
            server.good(&["profile", "assign", name]);
        };
        let part =
            |name: &str, version: &str| format!("[[software]]\npackage = {name:?}\nversion = {version:?}\n");
        profile("base", &(part("hello", "2") + &part("help", "3")));
        wait_for("what the profile wants", || {
            agent.keep_running();
            agent.text("parts/hello") == "hello, 2" && agent.text("parts/help") == "help, 3"
        });
        let converged = ["profile", "status", "base", "--state", "converged"];
        wait_for("the report", || server.json(&converged).to_string().contains(&agent.id));
        let mut ran: Vec<_> = agent.text("ran").lines().map(str::to_owned).collect();
        ran.sort();
        assert_eq!(ran, ["install hello", "install hello", "install help"], "{protocol}");

        profile("base", &part("hello", "2"));
        start(
            &server,
            "away",
            json!({ "change": { "command": { "verb": "exec", "later": true,
                "address": "urn:oma:mo:oma-scomo:1.0//Inventory/Deployed/help/Operations/Remove" } } }),
        );
        let shown = end(&server, &mut agent, "away");
        assert_eq!(shown["devices"]["done"], 1, "{protocol}: {shown}");
        assert!(!agent.path("parts/help").exists());
    }
}

#[test]
fn software_is_whole_after_power_cuts_in_the_middle_of_its_installation() {
    let keys = Keys::new();
    for protocol in PROTOCOLS {
        let server = keys.server();
        let mut agent = Agent::enrolled(&server, &keys, protocol, MANAGER);
        let _shows = Shows(&server, agent.id.clone());
        // The first run comes to half of it, and stays there until its power is cut.
        let half = "cd \"$(dirname \"$0\")\"\nif ! test -e half; then\n  echo half > half\n  \
            while kill -0 $PPID; do sleep 0.01; done; exit 1\nfi\n";
        let manage = format!("{half}{}", agent.text("manage.sh"));
        std::fs::write(agent.path("manage.sh"), manage).unwrap();
        keys.add(&server, "own", ["software", "hello", "1"], b"hello, 1");
        let file = server.path("profile.toml");
        std::fs::write(&file, "name = \"base\"\n[[software]]\npackage = \"hello\"\nversion = \"1\"\n")
            .unwrap();
        server.good(&["profile", "set", file.to_str().unwrap()]);
        server.good(&["profile", "assign", "base"]);
        wait_for("half of it", || {
            agent.keep_running();
            agent.path("half").exists()
        });
        agent.kill();
        let converged = ["profile", "status", "base", "--state", "converged"];
        wait_for("the report", || {
            agent.keep_running();
            server.json(&converged).to_string().contains(&agent.id)
        });
        assert_eq!(agent.text("parts/hello"), "hello, 1");
        assert_eq!(agent.text("ran"), "install hello\n", "{protocol}");
        let commands = server.json(&["command", "ls", &agent.id]);
        let execs = commands.as_array().unwrap().iter().filter(|command| command["verb"] == "exec");
        assert_eq!(execs.map(|command| &command["state"]).collect::<Vec<_>>(), ["done"], "{commands}");
    }
}
