//! `omadm bootstrap`: what a device needs to know its server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::api::segment;
use crate::cli::Global;
use crate::cmd::device::delete_each;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Most devices in one request.
const MAX_BATCH: usize = 1_000;
/// How much longer than usual the server may take to send a bootstrap.
const PATIENCE: Duration = Duration::from_secs(30);

/// Make what a device needs to know its server.
#[derive(Debug, Subcommand)]
pub enum Bootstrap {
    /// Enrol a device and make a factory bootstrap for it: MO data with its DM account, secret included.
    Factory(Factory),
    /// Enrol many devices, and make a factory bootstrap for each.
    Batch(Batch),
    /// Enrol a device and send its bootstrap to where the device waits for one.
    Push(Push),
    /// Take bootstraps back: from now on the devices have no access. Their queues and last known trees stay, for a new bootstrap.
    Revoke {
        /// Identifiers of the devices.
        #[arg(required = true, value_name = "DEVICE")]
        devices: Vec<String>,
    },
}

/// What a bootstrap says beside whom it is for.
#[derive(Debug, Args)]
struct Terms {
    /// Start anew if a device is enrolled already: its queue and its last known tree are dropped.
    #[arg(long)]
    replace: bool,
    /// Let the device use its secret as a pre-shared key in TLS (PSK-TLS); the server then keeps the secret itself.
    #[arg(long)]
    psk: bool,
    /// Management objects that the server may use, by MOID; `*` (all of them) if not given, unless the server's configuration says it.
    /// Can be repeated.
    #[arg(long, value_name = "MOID")]
    moid: Vec<String>,
    /// Name of the server as the device's user sees it.
    #[arg(long)]
    name: Option<String>,
}

impl Terms {
    fn device(&self, id: &str, label: Option<&str>) -> Value {
        let mut device = json!({ "id": id, "replace": self.replace, "psk": self.psk });
        if let (Some(label), Some(members)) = (label, device.as_object_mut()) {
            members.insert("label".to_owned(), label.into());
        }
        device
    }

    /// A request with these members beside.
    fn request(&self, member: &str, value: Value) -> Map<String, Value> {
        let mut body = Map::from_iter([(member.to_owned(), value)]);
        if !self.moid.is_empty() {
            body.insert("moids".to_owned(), self.moid.clone().into());
        }
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), name.as_str().into());
        }
        body
    }
}

/// A factory bootstrap.
#[derive(Debug, Args)]
pub struct Factory {
    /// Identifier of the device, such as UUID:….
    #[arg(long, value_name = "ID")]
    device: String,
    /// A name of the device for people.
    #[arg(long)]
    label: Option<String>,
    #[command(flatten)]
    terms: Terms,
    /// Write the bootstrap to this file, readable by its owner only; else it goes to standard output.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Write the certificate of the authority that the device has to trust to this file.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Factory bootstraps of many devices.
#[derive(Debug, Args)]
pub struct Batch {
    /// File with the identifier of a device in each line.
    devices: PathBuf,
    #[command(flatten)]
    terms: Terms,
    /// Write each bootstrap to a file in this directory, readable by its owner only: the device's identifier in percent-encoding, and
    /// `.json`.
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// Write the certificate of the authority that the devices have to trust to this file.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// A bootstrap to send.
#[derive(Debug, Args)]
pub struct Push {
    /// Identifier of the device, such as UUID:….
    #[arg(long, value_name = "ID")]
    device: String,
    /// Where the device takes it, an https URL.
    #[arg(long, value_name = "URL")]
    to: String,
    /// A name of the device for people.
    #[arg(long)]
    label: Option<String>,
    #[command(flatten)]
    terms: Terms,
}

impl Bootstrap {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Factory(factory) => factory.run(global).await,
            Self::Batch(batch) => batch.run(global).await,
            Self::Push(push) => push.run(global).await,
            Self::Revoke { devices } => {
                let path = |device: &str| format!("/bootstrap/{}", segment(device));
                delete_each(&global.api()?, global.output, &devices, path, "revoked").await
            }
        }
    }
}

impl Factory {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let device = self.terms.device(&self.device, self.label.as_deref());
        let body = Value::Object(self.terms.request("device", device));
        let answer = global.api()?.post("/bootstrap", &body, Duration::ZERO).await?;
        let text = text_of(&answer)?;
        write_authority(self.ca_file.as_deref(), &answer)?;
        match &self.output_file {
            Some(file) => {
                write_private(file, &text).map_err(|error| Failure::of_file("write", file, &error))?;
                self.told(global.output, &answer, file)
            }
            None if global.output == Format::Json => screen::json(&answer),
            None => screen::raw(format!("{text}\n").as_bytes()),
        }
    }

    fn told(&self, output: Format, answer: &Value, file: &Path) -> Result<(), Failure> {
        if output == Format::Json {
            return screen::json(&json!({
                "device": answer.get("device"),
                "bootstrap_file": file,
                "ca_file": self.ca_file,
            }));
        }
        screen::line(&format!(
            "{} is enrolled. Its bootstrap, with its secret, is in {}.",
            self.device,
            file.display()
        ))?;
        match &self.ca_file {
            Some(ca) => {
                screen::line(&format!("The certificate that the device has to trust is in {}.", ca.display()))
            }
            None => Ok(()),
        }
    }
}

impl Batch {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let listed = std::fs::read_to_string(&self.devices)
            .map_err(|error| Failure::of_file("read", &self.devices, &error))?;
        let ids: Vec<&str> = listed.lines().map(str::trim).filter(|id| !id.is_empty()).collect();
        // Secrets are shown once, so there has to be a place for them before they are asked for.
        std::fs::create_dir_all(&self.output_dir)
            .map_err(|error| Failure::of_file("make", &self.output_dir, &error))?;
        let api = global.api()?;
        let mut files = Vec::new();
        for ids in ids.chunks(MAX_BATCH) {
            let devices = ids.iter().map(|id| self.terms.device(id, None)).collect();
            let body = Value::Object(self.terms.request("devices", devices));
            let answer = api.post("/bootstrap/batch", &body, Duration::ZERO).await?;
            write_authority(self.ca_file.as_deref(), &answer)?;
            let items = answer.get("items").and_then(Value::as_array).ok_or_else(|| missing("items"))?;
            for item in items {
                let id = item.get("id").and_then(Value::as_str).ok_or_else(|| missing("id"))?;
                let file = self.output_dir.join(format!("{}.json", segment(id)));
                write_private(&file, &text_of(item)?)
                    .map_err(|error| Failure::of_file("write", &file, &error))?;
                files.push(json!({ "device": id, "bootstrap_file": file }));
            }
        }
        if global.output == Format::Json {
            return screen::json(&files);
        }
        let directory = self.output_dir.display();
        screen::line(&format!(
            "{} devices are enrolled. Their bootstraps, with their secrets, are in {directory}.",
            files.len()
        ))
    }
}

impl Push {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut body = self.terms.request("device", self.terms.device(&self.device, self.label.as_deref()));
        body.insert("to".to_owned(), self.to.as_str().into());
        let answer = global.api()?.post("/bootstrap", &Value::Object(body), PATIENCE).await?;
        if global.output == Format::Json {
            return screen::json(&answer);
        }
        screen::line(&format!("{} is enrolled and has its bootstrap.", self.device))
    }
}

fn missing(what: &str) -> Failure {
    Failure::Failed(format!("the server's answer holds no {what}"))
}

/// The bootstrap in an answer.
fn text_of(answer: &Value) -> Result<String, Failure> {
    let bootstrap = answer.get("bootstrap").ok_or_else(|| missing("bootstrap"))?;
    serde_json::to_string_pretty(bootstrap)
        .map_err(|error| Failure::Failed(format!("cannot write the bootstrap as JSON: {error}")))
}

fn write_authority(file: Option<&Path>, answer: &Value) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    let pem = answer.get("ca_pem").and_then(Value::as_str).ok_or_else(|| missing("certificate"))?;
    std::fs::write(file, pem).map_err(|error| Failure::of_file("write", file, &error))
}

/// The bootstrap holds the device's secret, so the file is made readable for its owner only.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut out =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    // The mode above counts only for a file that was not there.
    out.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.sync_all()
}
