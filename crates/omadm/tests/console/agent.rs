//! The real agent as a device of a place.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::place::Place;
use crate::program::program;

/// `omadm-agent`, which asks the server once a second whether there is something to do.
pub struct Agent {
    dir: tempfile::TempDir,
    child: Option<Child>,
    /// Its DevID.
    pub id: String,
}

impl Agent {
    /// Enrolled at a server for DM 2.0 or DM 1.3, and started.
    pub fn start(place: &Place, protocol: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let id = format!("IMEI:49300510059280{}", if protocol == "dm2.0" { 0 } else { 8 });
        let mut agent = Self { dir, child: None, id };
        let settings = format!(
            "[device]\nid = {:?}\ndata_dir = {:?}\n[tls]\nca_file = {:?}\n[session]\npoll_interval = \"1 s\"\nextra_interval = \"1 s\"\n",
            agent.id,
            agent.path("data"),
            place.authority(),
        );
        std::fs::write(agent.path("agent.toml"), settings).unwrap();
        let account = agent.path("account.json");
        if protocol == "dm2.0" {
            let files = [account.to_str().unwrap(), "--ca-file", agent.path("ca.pem").to_str().unwrap()]
                .map(str::to_owned);
            let words = ["bootstrap", "factory", "--device", &agent.id, "--output-file"];
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            place.run(&[words.as_slice(), &files].concat());
        } else {
            std::fs::write(&account, place.run(&["device", "add", &agent.id, "--output", "json"])).unwrap();
        }
        let output = agent.command().arg("bootstrap").arg(&account).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let log = std::fs::File::create(agent.path("log")).unwrap();
        let child = agent.command().arg("run").stdout(Stdio::null()).stderr(log).spawn().unwrap();
        agent.child = Some(child);
        agent
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.arg("--config").arg(self.path("agent.toml")).env_remove("OMADM_AGENT_CONFIG");
        command
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!(
                "what the agent said:\n{}",
                std::fs::read_to_string(self.path("log")).unwrap_or_default()
            );
        }
    }
}
