//! `omadm bootstrap`: what a device needs to know its server.

mod card;
mod dm1;
mod list;
mod qr;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use omadm_server::bootstrap_file::pin;
use serde_json::{Map, Value, json};

use crate::api::segment;
use crate::cli::Global;
use crate::cmd::device::delete_each;
use crate::failure::Failure;
use crate::screen::{self, Format};
use dm1::{Dm1Terms, Known, file_content};
use qr::Qr;

/// Most devices in one request.
const MAX_BATCH: usize = 1_000;
/// How much longer than usual the server may take to send a bootstrap.
const PATIENCE: Duration = Duration::from_secs(30);

/// Make what a device needs to know its server.
#[derive(Debug, Subcommand)]
pub enum Bootstrap {
    /// Enrol a device and make a factory bootstrap for it: its DM account, secret included.
    Factory(Factory),
    /// Enrol many devices, and make a factory bootstrap for each.
    Batch(Batch),
    /// Enrol a device and send its bootstrap to where the device waits for one.
    Push(Push),
    /// Make a QR code of the URL from which a device fetches its bootstrap, or of a bootstrap in a file.
    Qr(qr::Make),
    /// Make the files of a smartcard with a bootstrap, and write a card.
    Card(card::Card),
    /// List the bootstraps of devices, and how far they have come.
    Ls {
        /// Of which devices, such as 'seen = never' for those that have not come yet. Default: all.
        #[arg(long)]
        filter: Option<String>,
        /// At most this many.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
    /// Say how far the bootstrap of a device has come: created, sent or fetched, and seen once the device has begun a session.
    Show {
        /// Identifier of the device.
        device: String,
    },
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
    #[command(flatten)]
    dm1: Dm1Terms,
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
        self.dm1.add_to(&mut body);
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
    /// Write the bootstrap to this file, readable by its owner only; else it goes to standard output, unless it becomes a QR code.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Write the certificate of the authority that the device has to trust to this file.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    known: Known,
    #[command(flatten)]
    qr: Qr,
}

/// Factory bootstraps of many devices.
#[derive(Debug, Args)]
pub struct Batch {
    /// File with the identifier of a device in each line, and for DM 1.x its IMSI after a blank, if the bootstraps are secured by it.
    devices: PathBuf,
    /// Write each bootstrap to a file in this directory, readable by its owner only: the device's identifier in percent-encoding, and
    /// `.json`, `.cp` or `.dm`.
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// Write the certificate of the authority that the devices have to trust to this file.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    terms: Terms,
}

/// A bootstrap to send.
#[derive(Debug, Args)]
pub struct Push {
    /// Identifier of the device, such as UUID:….
    #[arg(long, value_name = "ID")]
    device: String,
    /// Where the device takes it: an https URL, or for one that is secured a push address such as `udp:HOST:PORT` or `sms:NUMBER`.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// A name of the device for people.
    #[arg(long)]
    label: Option<String>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    known: Known,
}

impl Bootstrap {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Factory(factory) => factory.run(global).await,
            Self::Batch(batch) => batch.run(global).await,
            Self::Push(push) => push.run(global).await,
            Self::Qr(qr) => qr.run(),
            Self::Card(card) => card.run(global),
            Self::Ls { filter, limit } => list::list(global, filter.as_deref(), limit).await,
            Self::Show { device } => show(global, &device).await,
            Self::Revoke { devices } => {
                let path = |device: &str| format!("/bootstrap/{}", segment(device));
                delete_each(&global.api()?, global.output, &devices, path, "revoked").await
            }
        }
    }
}

async fn show(global: &Global, device: &str) -> Result<(), Failure> {
    let progress = global.api()?.get(&format!("/bootstrap/{}", segment(device))).await?;
    if global.output == Format::Json {
        return screen::json(&progress);
    }
    let text = |name| progress.get(name).and_then(Value::as_str);
    let kind =
        text("profile").map(|profile| format!(" ({profile}, {})", text("sec").unwrap_or("not secured")));
    screen::line(&format!("{device}: {}{}", text("state").unwrap_or_default(), kind.unwrap_or_default()))
}

impl Factory {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut device = self.terms.device(&self.device, self.label.as_deref());
        self.known.add_to(&mut device)?;
        let body = Value::Object(self.terms.request("device", device));
        let answer = global.api()?.post("/bootstrap", &body, Duration::ZERO).await?;
        let content = file_content(&answer)?;
        write_authority(self.ca_file.as_deref(), &answer)?;
        if let Some(file) = &self.output_file {
            write_private(file, &content).map_err(|error| Failure::of_file("write", file, &error))?;
        }
        // Secrets are shown once: they are in the file when there is one, even if the code does not fit.
        self.qr.of_bootstrap(&content)?;
        match &self.output_file {
            Some(file) => self.told(global.output, &answer, file),
            None if global.output == Format::Json => screen::json(&answer),
            None if self.qr.is_wanted() => self.told_pin(&answer),
            None => {
                screen::raw(&content)?;
                // Standard output is the bootstrap.
                pin(&answer).into_iter().for_each(|pin| screen::warn(&type_pin(pin)));
                Ok(())
            }
        }
    }

    fn told(&self, output: Format, answer: &Value, file: &Path) -> Result<(), Failure> {
        if output == Format::Json {
            return screen::json(&json!({
                "device": answer.get("device"),
                "bootstrap_file": file,
                "ca_file": self.ca_file,
                "pin": pin(answer),
            }));
        }
        screen::line(&format!(
            "{} is enrolled. Its bootstrap, with its secret, is in {}.",
            self.device,
            file.display()
        ))?;
        self.told_pin(answer)?;
        match &self.ca_file {
            Some(ca) => {
                screen::line(&format!("The certificate that the device has to trust is in {}.", ca.display()))
            }
            None => Ok(()),
        }
    }

    fn told_pin(&self, answer: &Value) -> Result<(), Failure> {
        pin(answer).map_or(Ok(()), |pin| screen::line(&type_pin(pin)))
    }
}

/// What the operator has to pass on.
fn type_pin(pin: &str) -> String {
    format!("The user has to type {pin}; it is shown this once.")
}

impl Batch {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let listed = std::fs::read_to_string(&self.devices)
            .map_err(|error| Failure::of_file("read", &self.devices, &error))?;
        let lines: Vec<&str> = listed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // Secrets are shown once, so there has to be a place for them before they are asked for.
        std::fs::create_dir_all(&self.output_dir)
            .map_err(|error| Failure::of_file("make", &self.output_dir, &error))?;
        let api = global.api()?;
        let mut files = Vec::new();
        for lines in lines.chunks(MAX_BATCH) {
            let devices = lines.iter().map(|line| self.device(line)).collect();
            let body = Value::Object(self.terms.request("devices", devices));
            let answer = api.post("/bootstrap/batch", &body, Duration::ZERO).await?;
            write_authority(self.ca_file.as_deref(), &answer)?;
            let items = answer.get("items").and_then(Value::as_array).ok_or_else(|| missing("items"))?;
            for item in items {
                files.push(self.write(item)?);
            }
        }
        if global.output == Format::Json {
            return screen::json(&files);
        }
        let directory = self.output_dir.display();
        screen::line(&format!(
            "{} devices are enrolled. Their bootstraps, with their secrets, are in {directory}.",
            files.len()
        ))?;
        let pins =
            files.iter().filter_map(|file| Some((file.get("device")?.as_str()?, file.get("pin")?.as_str()?)));
        pins.map(|(device, pin)| format!("{device}: {}", type_pin(pin)))
            .try_for_each(|line| screen::line(&line))
    }

    /// The device of a line.
    fn device(&self, line: &str) -> Value {
        let (id, imsi) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let mut device = self.terms.device(id, None);
        if let (false, Some(members)) = (imsi.is_empty(), device.as_object_mut()) {
            members.insert("imsi".to_owned(), imsi.trim().into());
        }
        device
    }

    fn write(&self, item: &Value) -> Result<Value, Failure> {
        let id = item.get("id").and_then(Value::as_str).ok_or_else(|| missing("id"))?;
        let file = self.output_dir.join(format!("{}.{}", segment(id), self.terms.dm1.extension()));
        write_private(&file, &file_content(item)?)
            .map_err(|error| Failure::of_file("write", &file, &error))?;
        Ok(json!({ "device": id, "bootstrap_file": file, "pin": pin(item) }))
    }
}

impl Push {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let mut device = self.terms.device(&self.device, self.label.as_deref());
        self.known.add_to(&mut device)?;
        let mut body = self.terms.request("device", device);
        body.insert("to".to_owned(), self.to.as_str().into());
        let answer = global.api()?.post("/bootstrap", &Value::Object(body), PATIENCE).await?;
        if global.output == Format::Json {
            return screen::json(&answer);
        }
        match answer.get("dm1").and_then(|dm1| dm1.get("sent")).and_then(Value::as_str) {
            // Of a push nobody hears what became of it.
            Some(sent) => {
                screen::line(&format!("{} is enrolled, and its bootstrap is sent: {sent}.", self.device))?
            }
            None => screen::line(&format!("{} is enrolled and has its bootstrap.", self.device))?,
        }
        pin(&answer).map_or(Ok(()), |pin| screen::line(&type_pin(pin)))
    }
}

fn missing(what: &str) -> Failure {
    Failure::Failed(format!("the server's answer holds no {what}"))
}

fn write_authority(file: Option<&Path>, answer: &Value) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    let pem = answer.get("ca_pem").and_then(Value::as_str).ok_or_else(|| missing("certificate"))?;
    std::fs::write(file, pem).map_err(|error| Failure::of_file("write", file, &error))
}

/// The bootstrap holds the device's secret, so the file is made readable for its owner only.
fn write_private(file: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut out =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    // The mode above counts only for a file that was not there.
    out.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    out.write_all(content)?;
    out.sync_all()
}
