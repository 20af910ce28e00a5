//! `cargo xtask api`: schemathesis against the OpenAPI document of a real server. No request may make it fail, and every answer has to be
//! as the document says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::demo::process::{Background, wait_until};
use crate::install;
use crate::python::environment;
use crate::workspace::{self, Result, cargo, target_dir};

/// For how many seconds requests are made if nothing else is said.
const SECONDS: &str = "120";
/// The version that is known to work with us.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// Longest wait for the server.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is judged. That requests at random are refused or taken says nothing: the document leaves the languages of filters and addresses to
/// words.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth";
/// A stream has no end, failed logins make the next one wait, and who has logged out is not asked any more.
const LEFT_OUT: [&str; 3] = ["/events/stream", "/login", "/logout"];
/// Devices that requests find.
const DEVICES: [&str; 3] = ["IMEI:1", "IMEI:2", "UUID:3"];

/// Runs it.
///
/// # Errors
/// What schemathesis found, or what is missing.
pub(crate) fn run(arguments: &[&str]) -> Result {
    let seconds = match arguments {
        [] => SECONDS,
        ["--seconds", seconds] if seconds.parse::<u16>().is_ok_and(|seconds| seconds > 0) => seconds,
        _ => return Err("api takes --seconds N and nothing else".into()),
    };
    install::for_python()?;
    workspace::run(cargo().args(["build", "--package", "omadm"]))?;
    let folder = target_dir().join("api");
    let judge = environment(&folder.join("python"), &[SCHEMATHESIS])?.join("st");
    let server = Server::start(&folder)?;
    for device in DEVICES {
        workspace::run(server.call(&["device", "add", device]).stdout(std::process::Stdio::null()))?;
    }
    let mut command = Command::new(judge);
    command.args(["run", "--no-color", "--phases", "examples,coverage,fuzzing", "--checks", CHECKS]);
    command.args(["--continue-on-failure", "--max-time", seconds, "--warnings", "off"]);
    for path in LEFT_OUT {
        command.args(["--exclude-path", path]);
    }
    command.arg("--header").arg(format!("Authorization: Bearer {}", server.token()?));
    command.arg(format!("{}/api/v1/openapi.json", server.url));
    let judged = command.current_dir(&folder).status()?;
    server.stop()?;
    match judged.success() {
        true => Ok(()),
        false => Err("the server does not do what its document says; see above".into()),
    }
}

/// A server on free ports with nothing in it.
struct Server {
    program: PathBuf,
    background: Background,
    url: String,
    token_file: PathBuf,
    log: PathBuf,
}

impl Server {
    fn start(folder: &Path) -> Result<Self> {
        let (program, data, log) =
            (target_dir().join("debug/omadm"), folder.join("data"), folder.join("server.log"));
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        let mut command = Command::new(&program);
        command.args(["serve", "--output", "json", "--data"]).arg(&data);
        command.env("OMADM_DEVICE__LISTEN", "127.0.0.1:0").env("OMADM_OPERATOR__LISTEN", "127.0.0.1:0");
        // Only what the server says when it is ready, or when it panics.
        command.env("OMADM_LOG", "off");
        let mut background = Background::start("omadm serve", &mut command, &log)?;
        let mut ready = serde_json::Value::Null;
        wait_until("the start of the server", PATIENCE, || {
            background.check()?;
            let said = std::fs::read_to_string(&log)?;
            ready = said.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default();
            Ok(ready.is_object())
        })?;
        let text = |name: &str| ready.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let (url, token_file) =
            (text("operator_url").trim_end_matches('/').to_owned(), text("token_file").into());
        Ok(Self { program, background, url, token_file, log })
    }

    fn token(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.token_file)?.trim().to_owned())
    }

    /// A call of the operator's command.
    fn call(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--server", &self.url]).arg("--token-file").arg(&self.token_file);
        command
    }

    /// Ends it in order. A panic on the way is a failure, whatever was answered.
    fn stop(self) -> Result {
        self.background.stop()?;
        let said = std::fs::read_to_string(&self.log)?;
        match said.lines().find(|line| line.contains("panicked")) {
            Some(panic) => Err(format!("the server panicked: {panic}; see {}", self.log.display()).into()),
            None => Ok(()),
        }
    }
}
