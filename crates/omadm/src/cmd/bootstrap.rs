//! `omadm bootstrap`: what a device needs to know its server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Make what a device needs to know its server.
#[derive(Debug, Subcommand)]
pub enum Bootstrap {
    /// Enrol a device and make a factory bootstrap for it: MO data with its DM account, secret included.
    Factory(Factory),
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
    /// Start anew if the device is enrolled already: its queue and its last known tree are dropped.
    #[arg(long)]
    replace: bool,
    /// Let the device use its secret as a pre-shared key in TLS (PSK-TLS); the server then keeps the secret itself.
    #[arg(long)]
    psk: bool,
    /// Management objects that the server may use, by MOID; `*` (all of them) if not given. Can be repeated.
    #[arg(long, value_name = "MOID")]
    moid: Vec<String>,
    /// Name of the server as the device's user sees it.
    #[arg(long)]
    name: Option<String>,
    /// Write the bootstrap to this file, readable by its owner only; else it goes to standard output.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Write the certificate of the authority that the device has to trust to this file.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Bootstrap {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Factory(factory) => factory.run(global).await,
        }
    }
}

impl Factory {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let answer = global.api()?.post("/bootstrap", &self.body(), Duration::ZERO).await?;
        let missing = |what: &str| Failure::Failed(format!("the server's answer holds no {what}"));
        let bootstrap = answer.get("bootstrap").ok_or_else(|| missing("bootstrap"))?;
        let text = serde_json::to_string_pretty(bootstrap)
            .map_err(|error| Failure::Failed(format!("cannot write the bootstrap as JSON: {error}")))?;
        if let Some(file) = &self.ca_file {
            let pem = answer.get("ca_pem").and_then(Value::as_str).ok_or_else(|| missing("certificate"))?;
            std::fs::write(file, pem).map_err(|error| Failure::of_file("write", file, &error))?;
        }
        match &self.output_file {
            Some(file) => {
                write_private(file, &text).map_err(|error| Failure::of_file("write", file, &error))?;
                self.told(global.output, &answer, file)
            }
            None if global.output == Format::Json => screen::json(&answer),
            None => screen::raw(format!("{text}\n").as_bytes()),
        }
    }

    fn body(&self) -> Value {
        let mut device = Map::new();
        device.insert("id".to_owned(), self.device.as_str().into());
        device.insert("replace".to_owned(), self.replace.into());
        device.insert("psk".to_owned(), self.psk.into());
        if let Some(label) = &self.label {
            device.insert("label".to_owned(), label.as_str().into());
        }
        let mut body = Map::new();
        body.insert("device".to_owned(), Value::Object(device));
        if !self.moid.is_empty() {
            body.insert("moids".to_owned(), self.moid.clone().into());
        }
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), name.as_str().into());
        }
        Value::Object(body)
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
