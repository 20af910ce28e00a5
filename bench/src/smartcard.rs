//! From a smartcard that is put in to the account that is on it: the real agent, the real PC/SC, a card of software.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use omadm_softcard::{Card, Image, Inserted, Kind, Pcscd, SOCKET, Setup};

use crate::Result;
use crate::figure::Figure;
use crate::measure::{Effort, median};
use crate::processes::{self, Server};

const SCENARIO: &str = "smartcard";
/// DevId of the device.
const DEVICE: &str = "SIM:smartcard";
/// Longest that the agent may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Each kind of card, each time with a device that has no account yet.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let server = Server::start()?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("bootstrap.json");
    let path = file.to_str().ok_or("the path of a temporary directory is no UTF-8")?;
    server.told(&["bootstrap", "factory", "--device", DEVICE, "--output-file", path])?;
    let bootstrap = std::fs::read(&file)?;
    let mut figures = Vec::new();
    for (name, kind, settings) in [("UICC", Kind::Uicc, ""), ("SIM", Kind::Sim, "mode = \"sim\"\n")] {
        let (mut took, mut said) = (Vec::new(), 0);
        for _ in 0..effort.runs {
            let image = Image::of(&bootstrap);
            let (time, card) =
                from_insertion(&server, settings, Card::new(Setup { kind, image, ..Setup::default() }))?;
            took.push(time.as_secs_f64() * 1e3);
            said = card.trace().len();
        }
        let what = format!("{name}, from insertion to account ({} octets, {said} APDUs)", bootstrap.len());
        figures.push(Figure::new(SCENARIO, what, median(took), "ms"));
    }
    Ok(figures)
}

/// Puts a card into a device that is on; gives the time until its account is durable.
fn from_insertion(server: &Server, settings: &str, card: Card) -> Result<(Duration, Inserted)> {
    let pcscd = Pcscd::start()?;
    let dir = tempfile::tempdir()?;
    let config = configure(server, dir.path(), settings)?;
    let agent = Agent::start(&config, &pcscd)?;
    agent.until("running")?;
    let begun = Instant::now();
    let card = pcscd.insert(card)?;
    agent.until("bootstrap of the card installed")?;
    Ok((begun.elapsed(), card))
}

fn configure(server: &Server, dir: &Path, settings: &str) -> Result<std::path::PathBuf> {
    let mut config = String::new();
    writeln!(config, "[device]\nid = {DEVICE:?}\ndata_dir = {:?}", dir.join("data"))?;
    writeln!(config, "[session]\npoll_interval = 0")?;
    writeln!(config, "[smartcard]\nenabled = true\n{settings}")?;
    writeln!(config, "[tls]\nca_file = {:?}", server.ca_file)?;
    let path = dir.join("agent.toml");
    std::fs::write(&path, config)?;
    Ok(path)
}

/// An agent, and what it logs.
struct Agent {
    child: Child,
    log: Receiver<String>,
}

impl Agent {
    fn start(config: &Path, pcscd: &Pcscd) -> Result<Self> {
        let mut command = Command::new(processes::agent()?);
        command.arg("run").arg("--config").arg(config).env(SOCKET, pcscd.socket());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().ok_or("standard error is not piped")?).lines();
        let (tell, log) = channel();
        std::thread::spawn(move || lines.map_while(std::io::Result::ok).try_for_each(|line| tell.send(line)));
        Ok(Self { child, log })
    }

    fn until(&self, text: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = self.log.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if line.contains(text) {
                return Ok(());
            }
        }
        Err(format!("the agent did not log {text:?}").into())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and that is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
