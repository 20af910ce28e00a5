//! `cargo xtask demo`: a server and a real agent for each protocol on this machine, and management sessions between them.
//!
//! It uses nothing but the two built programs, the way a person would.

mod dm1;
mod operator;
pub(crate) mod process;
mod summary;
mod update;
mod user;

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::install;
use crate::workspace::{self, Result, cargo, target_dir};
use operator::Operator;
use process::{Background, wait_until};

/// What happens after the summary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All programs are stopped.
    Stop,
    /// All go on until Ctrl-C.
    Keep,
}

/// Longest wait for a program to be ready or to appear.
const PATIENCE: Duration = Duration::from_secs(60);

/// The agent's own object, `ddf/omadm_agent-v1_0.ddf`.
const AGENT_MO: &str = "urn:omadm:mo:agent:1.0/";
const DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.2/";
const NOTE: &str = "hello from cargo xtask demo";

/// Where everything of one demo is.
struct Place {
    folder: PathBuf,
    programs: PathBuf,
    /// Port for devices.
    device_port: u16,
    /// Port for operators.
    operator_port: u16,
    /// Port on which the agent hears notifications.
    push_port: u16,
    /// The same of the agent of DM 1.3.
    dm1_push_port: u16,
    /// Port on which it takes local links.
    obex_port: u16,
}

/// Runs the demo.
///
/// # Errors
/// What did not work, and where its log is. All programs are stopped then.
pub(crate) fn run(ending: Ending) -> Result {
    install::for_demo()?;
    let place = Place::prepare()?;
    say("building the server and the agent (the first time takes some minutes)");
    workspace::run(cargo().args(["build", "--package", "omadm", "--package", "omadm-agent"]))?;

    say("starting the server: omadm serve");
    let mut server = place.start_server()?;
    let operator = Operator::new(&place);
    let device = place.device_id()?;
    say(&format!("enrolling this machine as {device}, with a factory bootstrap"));
    operator.run(&place.bootstrap_arguments(&device))?;
    say("starting the agent with it: omadm-agent run");
    let mut agent = place.start_agent()?;
    wait_until("the agent's first session", PATIENCE, || {
        agent.check()?;
        server.check()?;
        Ok(operator.json(&["device", "show", &device])?.get("last_contact").is_some_and(|at| !at.is_null()))
    })?;

    say("telling the server where to call this machine; it polls once an hour only");
    operator.show(&["device", "push", &device, &place.push_address()])?;
    let seen = walk_through(&place, &operator, &device)?;
    let mut other_agent = place.start_dm1_agent(&operator)?;
    let seen_by_dm1 = dm1::walk_through(&place, &operator)?;
    let updated = update::walk_through(&place, &operator, &[&device, dm1::DEVICE])?;
    summary::print(&place, &device, &seen, &seen_by_dm1, &updated, ending);
    if ending == Ending::Keep {
        return process::until_one_ends(&mut [&mut server, &mut agent, &mut other_agent]);
    }
    other_agent.stop()?;
    agent.stop()?;
    server.stop()
}

/// What the sessions brought.
struct Seen {
    /// Names and values of this machine's DevInfo.
    devinfo: Vec<(String, String)>,
    /// The sentence about the command that must fail.
    failure: String,
    /// The line that shows the user's answer.
    answer: String,
}

/// The operator's commands, each shown as a person would type it.
fn walk_through(place: &Place, operator: &Operator, device: &str) -> Result<Seen> {
    let devinfo = format!("{DEVINFO}/");
    operator.show(&on(device, &["get", &devinfo]))?;
    let devinfo = values(&operator.json(&on(device, &["get", &devinfo]))?, DEVINFO);
    if !devinfo.iter().any(|(name, value)| name == "DevID" && value == device) {
        return Err(format!("DevInfo/DevID of the agent is not {device}: {devinfo:?}").into());
    }
    operator.show(&["device", "ls"])?;
    let note = format!("{AGENT_MO}/Note");
    operator.show(&on(device, &["set", &note, NOTE]))?;
    operator.show(&on(device, &["get", &note]))?;
    let read_back = values(&operator.json(&on(device, &["get", &note]))?, AGENT_MO);
    if !read_back.iter().any(|(_, value)| value == NOTE) {
        return Err(format!("what was written was not read back, but {read_back:?}").into());
    }
    operator.show(&on(device, &["exec", &format!("{AGENT_MO}/Operations/PollNow")]))?;
    let failure = operator.show_refused(&on(device, &["delete", &format!("{DEVINFO}/Man")]))?;
    say("asking the user of this machine, for whom curl opens the page and sends the form");
    operator.show(&["page", "put", &place.question()?])?;
    let answer = operator.show(&on(device, &["show", user::PAGE]))?.trim().to_owned();
    if !answer.contains(user::ANSWER) {
        return Err(format!("the user's answer did not come to the operator, but {answer:?}").into());
    }
    Ok(Seen { devinfo, failure, answer })
}

/// `omadm run` with these words, waiting for its result.
fn on<'w>(device: &'w str, words: &[&'w str]) -> Vec<&'w str> {
    [&["run", device, "--wait"], words].concat()
}

/// The leaves of a command's result: the last part of their addresses, and their values.
fn values(command: &serde_json::Value, moid: &str) -> Vec<(String, String)> {
    let items = command.pointer("/result/items").and_then(serde_json::Value::as_array);
    let leaf = |item: &serde_json::Value| {
        let address = item.get("address")?.as_str()?.strip_prefix(moid)?;
        let value = match item.get("value")? {
            serde_json::Value::Null => return None,
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((address.rsplit('/').next()?.to_owned(), value))
    };
    items.into_iter().flatten().filter_map(leaf).collect()
}

impl Place {
    fn prepare() -> Result<Self> {
        let folder = target_dir().join("demo");
        let running = folder.join("running");
        if let Ok(other) = std::fs::read_to_string(&running)
            && Path::new("/proc").join(other.trim()).exists()
        {
            return Err(format!("a demo is still running (process {}); end it first", other.trim()).into());
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        std::fs::write(running, std::process::id().to_string())?;
        let programs = target_dir().join("debug");
        let [push_port, dm1_push_port] = free_push_ports()?;
        Ok(Self {
            folder,
            programs,
            device_port: free_port()?,
            operator_port: free_port()?,
            push_port,
            dm1_push_port,
            obex_port: free_port()?,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn operator_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.operator_port)
    }

    fn push_address(&self) -> String {
        format!("udp:127.0.0.1:{}", self.push_port)
    }

    fn token_file(&self) -> PathBuf {
        self.path("server").join("operator.token")
    }

    fn start_server(&self) -> Result<Background> {
        let settings = format!(
            "[server]\npublic_url = \"https://localhost:{device}\"\n\n[device]\nlisten = \"127.0.0.1:{device}\"\n\n\
             [operator]\nlisten = \"127.0.0.1:{operator}\"\n\n[notifier]\nmin_interval = 0\ndm1_format = \"auto\"\n\
             dm1_objects = {objects}\n\n[dm1.obex]\ncall = true\n",
            device = self.device_port,
            operator = self.operator_port,
            objects = dm1::OBJECTS,
        );
        let file = self.path("omadm.toml");
        std::fs::write(&file, settings)?;
        let mut command = Command::new(self.programs.join("omadm"));
        command.arg("serve").arg("--config").arg(&file).arg("--data").arg(self.path("server"));
        let mut server = Background::start("the server", &mut command, &self.path("server.log"))?;
        wait_until("the server", PATIENCE, || {
            server.check()?;
            Ok(process::answers(self.operator_port, "/readyz"))
        })?;
        Ok(server)
    }

    fn start_agent(&self) -> Result<Background> {
        let mut command = self.agent();
        Background::start("the agent", command.arg("run"), &self.path("agent.log"))
    }

    fn agent(&self) -> Command {
        let mut command = Command::new(self.programs.join("omadm-agent"));
        command.arg("--config").arg(self.path("agent.toml"));
        command
    }

    /// Writes the agent's configuration and asks the agent who this machine is.
    fn device_id(&self) -> Result<String> {
        let settings = format!(
            "[device]\ndata_dir = {:?}\n\n[bootstrap]\nfile = {:?}\n\n[tls]\nca_file = {:?}\n\n[session]\npoll_interval = 3600\n\n\
             [notification]\nenabled = true\nlisten = \"127.0.0.1:{}\"\n\n[show]\ncommand = {}\n{}",
            self.path("agent"),
            self.path("bootstrap.json"),
            self.path("ca.pem"),
            self.push_port,
            self.browser()?,
            self.component("agent")?,
        );
        std::fs::write(self.path("agent.toml"), settings)?;
        // The certificate comes with the bootstrap; the agent reads the file already when it is asked for its identity.
        std::fs::write(self.path("ca.pem"), "")?;
        let output = self.agent().arg("id").output()?;
        if !output.status.success() {
            return Err(format!("omadm-agent id: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn bootstrap_arguments(&self, device: &str) -> Vec<String> {
        let file = |name: &str| self.path(name).display().to_string();
        let words = ["bootstrap", "factory", "--device", device, "--label", "this machine", "--output-file"];
        let mut words: Vec<String> = words.map(str::to_owned).into();
        words.extend([file("bootstrap.json"), "--ca-file".to_owned(), file("ca.pem")]);
        words
    }
}

/// Ports of UDP, taken at the same time so that they differ.
fn free_push_ports() -> Result<[u16; 2]> {
    let sockets = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
    let [one, other] = &sockets;
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn say(text: &str) {
    println!("── {text}");
}
