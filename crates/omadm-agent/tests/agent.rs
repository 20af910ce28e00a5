//! The real program, with its signals, against a small HTTP server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

type Answers = Arc<Mutex<VecDeque<(&'static str, String)>>>;

/// Says `END` to every package unless the script says something else, and passes on what it hears.
struct Server {
    address: String,
    heard: Receiver<(String, Vec<u8>)>,
    answers: Answers,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (tell, heard) = channel();
        let answers = Answers::default();
        let script = answers.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (tell, script) = (tell.clone(), script.clone());
                std::thread::spawn(move || serve(&stream.unwrap(), &tell, &script));
            }
        });
        Self { address, heard, answers }
    }

    fn script(&self, commands: &Value) {
        self.answer("application/vnd.oma.dm.request+json", json!({ "CMD": commands }).to_string());
    }

    fn answer(&self, content_type: &'static str, body: String) {
        self.answers.lock().unwrap().push_back((content_type, body));
    }

    /// The next request: its first line with its headers, and its body.
    fn next(&self) -> (String, Value) {
        let (head, body) = self.heard.recv_timeout(PATIENCE).expect("a request");
        (head, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn alert(&self) -> String {
        self.next().1["Alert"][0]["AlertType"].as_str().expect("an alert").to_owned()
    }
}

fn serve(stream: &TcpStream, tell: &Sender<(String, Vec<u8>)>, answers: &Answers) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length = head.to_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        let end = || ("application/vnd.oma.dm.request+json", r#"{"CMD":[["END"]]}"#.to_owned());
        let (content_type, answer) = answers.lock().unwrap().pop_front().unwrap_or_else(end);
        if tell.send((head, body)).is_err() {
            return;
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        let mut writer = stream;
        if writer.write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}

struct Agent {
    directory: tempfile::TempDir,
}

impl Agent {
    fn new(settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = format!(
            "[device]\nid = \"IMEI:493005100592800\"\ndata_dir = \"{0}/data\"\n[session]\nplain_http = true\npoll_interval = 0\n{settings}",
            directory.path().display()
        );
        std::fs::write(directory.path().join("agent.toml"), config).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn bootstrap_file(&self, server: &Server) -> std::path::PathBuf {
        let bootstrap = json!([{
            "ClientURI": "urn:oma:mo:oma-dm-dmacc:1.2//",
            "MOData": { "s1": {
                "SrvID": "s1", "SrvURI": format!("{}/dm", server.address), "Name": "Test",
                "Perm": { "1": { "MOID": "*" } }
            } }
        }]);
        let path = self.path("bootstrap.json");
        std::fs::write(&path, bootstrap.to_string()).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omadm-agent"));
        command.arg("--config").arg(self.path("agent.toml")).args(arguments).env_remove("OMADM_AGENT_CONFIG");
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.output(arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn value(&self, address: &str) -> String {
        self.json(&["tree", address, "--output", "json"])[0]["value"].as_str().unwrap().to_owned()
    }

    fn run(&self) -> Running {
        Running::start(&mut self.command(&["run"]))
    }
}

/// A running agent, killed when the test is over.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Reads the log, which is a pipe and no terminal, up to a line with these words, and gives it.
    fn wait_for(&mut self, words: &str) -> String {
        let lines = BufReader::new(self.0.stderr.as_mut().unwrap()).lines().map(Result::unwrap);
        let mut log =
            lines.inspect(|line| assert!(!line.contains('\x1b'), "colours where nobody sees them: {line:?}"));
        let found = log.find(|line| line.contains(words));
        found.unwrap_or_else(|| panic!("the log ended without {words:?}"))
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(output: &[u8]) -> &str {
    std::str::from_utf8(output).unwrap()
}

#[test]
fn runs_from_the_factory_bootstrap_to_a_clean_end() {
    let server = Server::start();
    let agent = Agent::new("");
    let bootstrap = agent.bootstrap_file(&server);
    let with_bootstrap = || {
        let mut command = agent.command(&["run"]);
        Running::start(command.env("OMADM_AGENT__BOOTSTRAP__FILE", &bootstrap))
    };
    let mut running = with_bootstrap();
    let (head, body) = server.next();
    assert!(head.to_lowercase().contains("omadm-devid: imei:493005100592800"), "{head}");
    assert_eq!(body["Alert"][0]["AlertType"], "urn:oma:at:dm:2.0:BootstrapComplete");
    for signal in ["USR1", "HUP"] {
        running.signal(signal);
        assert_eq!(server.alert(), "urn:oma:at:dm:2.0:ClientInitiatedMgmt", "{signal}");
    }
    running.signal("TERM");
    assert!(running.0.wait().unwrap().success());

    let mut running = with_bootstrap();
    running.wait_for("running");
    assert!(text(&agent.output(&["session"]).stderr).contains("send it SIGHUP"), "one process at a time");
    running.signal("INT");
    assert!(running.0.wait().unwrap().success());
}

#[test]
fn the_server_can_set_and_run_things_on_the_agent() {
    let server = Server::start();
    let agent = Agent::new("");
    let bootstrap = agent.bootstrap_file(&server);
    let installed = agent.output(&["bootstrap", bootstrap.to_str().unwrap()]);
    assert!(installed.status.success(), "{installed:?}");
    assert_eq!(server.alert(), "urn:oma:at:dm:2.0:BootstrapComplete");

    let mo = "urn:omadm:mo:agent:1.0";
    server.script(&json!([
        ["HGET", format!("{}/note", server.address), format!("{mo}//Note")],
        ["HGET", format!("{}/interval", server.address), format!("{mo}//PollInterval")],
        ["HGET", format!("{}/level", server.address), format!("{mo}//LogLevel")],
        ["EXEC", format!("{mo}//Operations/Compact")],
        ["GET", "urn:oma:mo:oma-sessioninfomo:1.0//CBT"],
        ["GET", format!("{mo}//Configured")],
    ]));
    server.answer("text/plain", "behind the door".to_owned());
    server.answer("text/plain", "3600".to_owned());
    server.answer("text/plain", "loud".to_owned());
    let report = agent.json(&["session", "--output", "json"]);
    assert_eq!(report["outcome"]["ended"]["commands"], 6, "{report}");
    let notes = report["notes"].to_string();
    for expected in ["HGET answered 200", "HGET answered 1400", "EXEC answered 200", "GET answered 404"] {
        assert!(notes.contains(expected), "{expected}: {notes}");
    }
    assert_eq!(agent.value(&format!("{mo}//Note")), "behind the door");
    assert_eq!(agent.value(&format!("{mo}//PollInterval")), "3600");
    assert_eq!(agent.value(&format!("{mo}//LogLevel")), "info", "a value that is no level is refused");
}

#[test]
fn a_poll_interval_takes_effect_at_once_and_so_does_poll_now() {
    let server = Server::start();
    let agent = Agent::new("");
    let bootstrap = agent.bootstrap_file(&server);
    assert!(agent.output(&["bootstrap", bootstrap.to_str().unwrap()]).status.success());
    assert_eq!(server.alert(), "urn:oma:at:dm:2.0:BootstrapComplete");
    let mo = "urn:omadm:mo:agent:1.0";
    // The session of the command below sets one second, which the agent that runs next goes by.
    server.script(&json!([["HGET", format!("{}/interval", server.address), format!("{mo}//PollInterval")]]));
    server.answer("text/plain", "1".to_owned());
    assert!(agent.output(&["session"]).status.success());
    server.heard.try_iter().for_each(drop);

    let _running = agent.run();
    for _ in 0..2 {
        assert_eq!(server.alert(), "urn:oma:at:dm:2.0:ClientInitiatedMgmt");
    }
    server.script(&json!([
        ["HGET", format!("{}/interval", server.address), format!("{mo}//PollInterval")],
        ["EXEC", format!("{mo}//Operations/PollNow")],
    ]));
    server.answer("text/plain", "0".to_owned());
    let statuses = loop {
        let (_, body) = server.next();
        if body["Status"].is_array() {
            break body["Status"].clone();
        }
    };
    assert_eq!((&statuses[0]["sc"], &statuses[1]["sc"]), (&json!(200), &json!(200)));
    assert_eq!(server.alert(), "urn:oma:at:dm:2.0:ClientInitiatedMgmt", "PollNow without polling");
}

#[test]
fn a_damaged_factory_bootstrap_is_told_and_the_agent_goes_on() {
    let agent = Agent::new("");
    let file = agent.path("bootstrap.json");
    std::fs::write(&file, "[{").unwrap();
    let mut running = Running::start(agent.command(&["run"]).env("OMADM_AGENT__BOOTSTRAP__FILE", &file));
    running.wait_for("the factory bootstrap is not installed");
    assert!(running.0.try_wait().unwrap().is_none(), "it goes on");
    running.signal("TERM");
}

#[test]
fn shows_itself() {
    let server = Server::start();
    let agent = Agent::new(
        "[access]\ngrants = [{ moid = \"urn:omadm:mo:agent:1.0\", server = \"s2\", rights = [\"read\"] }]",
    );
    assert_eq!(text(&agent.output(&["id"]).stdout), "IMEI:493005100592800\n");
    assert!(text(&agent.output(&["status"]).stdout).contains("accounts  none"));
    let none = agent.output(&["session"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("there is no account"));

    let bootstrap = agent.bootstrap_file(&server);
    assert!(agent.output(&["bootstrap", bootstrap.to_str().unwrap()]).status.success());
    let status = agent.json(&["status", "--output", "json"]);
    assert_eq!(status["accounts"][0]["server"], "s1");
    assert_eq!(status["accounts"][0]["bootstrap_pending"], false);
    let tree = agent.json(&["tree", "--output", "json"]);
    let line =
        |address: &str| tree.as_array().unwrap().iter().find(|line| line["address"] == address).cloned();
    assert_eq!(line("urn:oma:mo:oma-dm-devinfo:1.2/DevInfo/DmV").unwrap()["value"], "2.0");
    let root = line("urn:oma:mo:oma-dm-devinfo:1.2/DevInfo/").unwrap();
    assert_eq!((&root["title"], &root["description"]), (&json!("DevInfo"), &json!("What the device is.")));
    let perm =
        tree.as_array().unwrap().iter().find(|line| line["address"].as_str().unwrap().ends_with("/MOID"));
    assert_eq!(perm.unwrap()["value"], "(hidden)");
    assert_eq!(agent.output(&["tree", "urn:unknown:1.0//"]).status.code(), Some(1));
    assert_eq!(agent.output(&["nonsense"]).status.code(), Some(2));
}

#[test]
fn refuses_a_configuration_that_is_wrong() {
    let agent = Agent::new("[log]\nlevl = \"info\"\n");
    let output = agent.output(&["id"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean log.level?"), "{output:?}");
    let output = Agent::new("").command(&["id"]).env("OMADM_AGENT__DEVICE__ID", "IMEI:12").output().unwrap();
    assert!(text(&output.stderr).contains("an IMEI has 15 digits"), "{output:?}");
}

#[test]
fn serves_a_vendor_object_that_is_only_a_file() {
    let server = Server::start();
    let agent = Agent::new("");
    let ddf = include_str!("../../../ddf/omadm_agent-v1_0.ddf")
        .replace("urn:omadm:mo:agent:1.0", "urn:vendor:mo:lamp:1.0");
    let directory = agent.path("ddf");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("lamp.ddf"), ddf).unwrap();
    std::fs::write(directory.join("README"), "not a DDF").unwrap();
    let bootstrap = agent.bootstrap_file(&server);
    let grants = r#"[{ moid = "urn:vendor:mo:lamp:1.0", server = "s1", rights = ["read", "write"] }]"#;
    let run = |arguments: &[&str]| {
        let environment =
            [("OMADM_AGENT__DDF__DIR", directory.to_str().unwrap()), ("OMADM_AGENT__ACCESS__GRANTS", grants)];
        let output = agent.command(arguments).envs(environment).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    };
    run(&["bootstrap", bootstrap.to_str().unwrap()]);
    server.script(&json!([
        ["HGET", format!("{}/note", server.address), "urn:vendor:mo:lamp:1.0//Note"],
        ["EXEC", "urn:vendor:mo:lamp:1.0//Operations/PollNow"],
    ]));
    server.answer("text/plain", "bright".to_owned());
    let report = run(&["session"]);
    assert!(text(&report.stdout).contains("HGET answered 200"), "{report:?}");
    assert!(text(&report.stdout).contains("EXEC answered 403"), "{report:?}");
    assert!(text(&run(&["tree", "urn:vendor:mo:lamp:1.0//Note"]).stdout).contains("bright"));
    assert!(Path::new(&agent.path("data/state.journal")).exists());
}

#[test]
fn the_log_can_be_for_programs() {
    let agent = Agent::new("[log]\nformat = \"json\"\n");
    let mut running = agent.run();
    let line: Value = serde_json::from_str(&running.wait_for("running")).unwrap();
    assert_eq!((&line["level"], &line["fields"]["message"]), (&json!("INFO"), &json!("running")), "{line}");
    assert_eq!(line["fields"]["device_id"], "IMEI:493005100592800");
}

const MMS: &str = "urn:oma:mo:oma-mms:1.3";

/// Puts the description of [`MMS`] where the agent finds it.
fn describe_mms(agent: &Agent) {
    let root = |inside: &str| {
        format!(
            "<Node><NodeName></NodeName><DFProperties><AccessType><Add/><Get/></AccessType><DFFormat><node/></DFFormat>\
             <Occurrence><ZeroOrMore/></Occurrence><DFType><DDFName>{MMS}</DDFName></DFType></DFProperties>{inside}</Node>"
        )
    };
    let leaf = "<Node><NodeName>Name</NodeName><DFProperties><AccessType><Add/><Get/></AccessType><DFFormat><chr/></DFFormat>\
         <Occurrence><ZeroOrOne/></Occurrence></DFProperties></Node>";
    let ddf = format!("<MgmtTree><VerDTD>1.2</VerDTD>{}</MgmtTree>", root(leaf));
    std::fs::create_dir_all(agent.path("ddf")).unwrap();
    std::fs::write(agent.path("ddf/mms.ddf"), ddf).unwrap();
}

#[test]
fn what_a_session_leaves_behind_goes_on_after_it() {
    let server = Server::start();
    let agent = Agent::new("[report]\nwindow = \"10 ms\"\n[network]\nmcc = \"262\"\n");
    describe_mms(&agent);
    let shown = agent.path("shown");
    let more = format!(
        "[ddf]\ndir = \"{}\"\n[show]\ncommand = [\"/bin/sh\", \"-c\", 'echo \"$1\" > {}', \"sh\"]\n",
        agent.path("ddf").display(),
        shown.display()
    );
    let config = std::fs::read_to_string(agent.path("agent.toml")).unwrap();
    std::fs::write(agent.path("agent.toml"), config + &more).unwrap();
    let bootstrap = agent.bootstrap_file(&server);
    assert!(agent.output(&["bootstrap", bootstrap.to_str().unwrap()]).status.success());
    assert_eq!(server.alert(), "urn:oma:at:dm:2.0:BootstrapComplete");

    let (mo, at) = ("urn:omadm:mo:agent:1.0", |path: &str| format!("{}{path}", server.address));
    server.script(&json!([
        ["DEFAULT", at("/[MCC]/[MNC]/mms"), MMS],
        ["SUB", at("/report"), format!("{mo}//Note")],
        ["EXEC", format!("{mo}//Operations/Compact"), at("/results")],
        ["SHOW", at("/ui?uiid=1&x=$(id)")],
        ["HGET", at("/note"), format!("{mo}//Note")],
    ]));
    server.answer("text/plain", "by the server".to_owned());
    let report = agent.json(&["session", "--output", "json"]);
    let notes = report["notes"].to_string();
    for expected in ["DEFAULT", "SUB", "SHOW", "HGET"].map(|name| format!("{name} answered 200")) {
        assert!(notes.contains(&expected), "{expected}: {notes}");
    }
    assert!(notes.contains("EXEC answered 202"), "{notes}");
    assert_eq!(std::fs::read_to_string(&shown).unwrap().trim(), at("/ui?uiid=1&x=$(id)"));
    let heard: Vec<(String, Value)> = server
        .heard
        .try_iter()
        .map(|(head, body)| {
            (head.lines().next().unwrap().to_owned(), serde_json::from_slice(&body).unwrap_or(Value::Null))
        })
        .collect();
    let find =
        |line: &str| heard.iter().find(|(head, _)| head.starts_with(line)).map(|(_, body)| body.clone());
    let result = find("POST /results").expect("a session of its own tells the end");
    assert_eq!(result["Alert"][1]["Data"], json!({ "sc": 200 }));
    let change = find("PUT /report").expect("a report of the change");
    assert_eq!(change[0]["MOData"]["Note"], "by the server");

    let status = agent.json(&["status", "--output", "json"]);
    assert_eq!(status["defaults"][0]["moid"], MMS);
    assert_eq!((&status["subscriptions"][0]["failed"], &status["executions"]), (&Value::Null, &json!([])));
    assert!(text(&agent.output(&["status"]).stdout).contains("DEFAULT FOR"));
}

#[test]
fn a_local_application_gets_what_it_needs_from_a_running_agent() {
    let server = Server::start();
    let agent = Agent::new("");
    describe_mms(&agent);
    let config = std::fs::read_to_string(agent.path("agent.toml")).unwrap();
    let more = format!("[ddf]\ndir = \"{}\"\n", agent.path("ddf").display());
    std::fs::write(agent.path("agent.toml"), config + &more).unwrap();
    let bootstrap = agent.bootstrap_file(&server);
    assert!(agent.output(&["bootstrap", bootstrap.to_str().unwrap()]).status.success());
    let refused = agent.output(&["provision", MMS]);
    assert!(text(&refused.stderr).contains("no server has said by DEFAULT"), "{refused:?}");
    server.script(&json!([["DEFAULT", format!("{}/mms", server.address), MMS]]));
    assert!(agent.output(&["session"]).status.success());
    server.heard.try_iter().for_each(drop);

    let mut running = agent.run();
    running.wait_for("running");
    let data = json!([{ "ClientURI": format!("{MMS}//"), "MOData": { "m": { "Name": "operator" } } }]);
    server.answer("application/dmmo+json", data.to_string());
    let provisioned = agent.json(&["provision", MMS, "--output", "json"]);
    assert_eq!(provisioned, json!({ "instances": [format!("{MMS}/m/")], "fetched": true }));
    assert!(server.next().0.starts_with("GET /mms "));
    let printed = agent.output(&["provision", MMS]);
    assert_eq!(text(&printed.stdout), format!("{MMS}/m/\n"), "nothing is fetched twice");
    let unknown = agent.output(&["provision", "urn:x:unknown:1.0"]);
    assert!(!unknown.status.success() && text(&unknown.stderr).contains("urn:x:unknown:1.0"), "{unknown:?}");
    running.signal("TERM");
    assert!(running.0.wait().unwrap().success());
    assert!(!agent.path("data/agent.sock").exists(), "the socket goes with the agent");
}

#[test]
fn files_have_a_largest_size() {
    const LARGEST: usize = 1 << 20;
    let server = Server::start();
    let agent = Agent::new("");
    let fill = |text: &str, length: usize| format!("{text}{}", " ".repeat(length - text.len()));
    let bootstrap = agent.bootstrap_file(&server);
    let account = std::fs::read_to_string(&bootstrap).unwrap();
    let ddf = include_str!("../../../ddf/omadm_agent-v1_0.ddf")
        .replace("urn:omadm:mo:agent:1.0", "urn:vendor:mo:lamp:1.0");
    let directory = agent.path("ddf");
    std::fs::create_dir(&directory).unwrap();
    let install = |account_length: usize, ddf_length: usize| {
        std::fs::write(&bootstrap, fill(&account, account_length)).unwrap();
        std::fs::write(directory.join("lamp.ddf"), fill(&ddf, ddf_length)).unwrap();
        let mut command = agent.command(&["bootstrap", bootstrap.to_str().unwrap()]);
        command.env("OMADM_AGENT__DDF__DIR", &directory).output().unwrap()
    };
    for (account, ddf, file) in [(LARGEST + 1, LARGEST, "bootstrap.json"), (LARGEST, LARGEST + 1, "lamp.ddf")]
    {
        let output = install(account, ddf);
        assert!(!output.status.success(), "{output:?}");
        let told = text(&output.stderr);
        assert!(told.contains(file) && told.contains("is larger than 1048576 bytes"), "{told}");
    }
    let output = install(LARGEST, LARGEST);
    assert!(output.status.success(), "{output:?}");
}
