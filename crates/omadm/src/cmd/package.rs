//! `omadm package`: firmware and software for devices.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::api::{Api, Query, segment};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Firmware and software for devices.
#[derive(Debug, Subcommand)]
pub enum Package {
    /// Store a package.
    Add(Add),
    /// List packages, newest first.
    Ls {
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show a package.
    Show {
        /// Its identifier.
        id: String,
    },
    /// Remove a package that no campaign and no profile needs.
    Rm {
        /// Its identifier.
        id: String,
    },
}

/// What a package is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The firmware of the device.
    Firmware,
    /// A software component.
    Software,
}

/// A package to store.
#[derive(Debug, Args)]
pub struct Add {
    /// The package.
    file: PathBuf,
    /// What it is for.
    #[arg(long, value_enum)]
    kind: Kind,
    /// Its name; packages do not change, so name and version together are unique.
    #[arg(long)]
    name: String,
    /// Its version.
    #[arg(long = "package-version", value_name = "VERSION")]
    version: String,
    /// Models that it is for, such as "X-*"; all if not given.
    #[arg(long, value_name = "GLOB")]
    model: Option<String>,
    /// Its media type.
    #[arg(long, value_name = "TYPE", default_value = "application/octet-stream")]
    content_type: String,
    /// SHA-256 that it has to have, in hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// File with a signature: RSA or ECDSA with SHA-256 over the package, or Ed25519 over its SHA-256.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

impl Package {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let (api, output) = (global.api()?, global.output);
        match self {
            Self::Add(add) => add.run(&api, output).await,
            Self::Ls { limit } => {
                let items = api.list("/packages", &Query::new(), Some(limit)).await?;
                list(output, &items)
            }
            Self::Show { id } => show(output, &api.get(&format!("/packages/{}", segment(&id))).await?),
            Self::Rm { id } => {
                api.delete(&format!("/packages/{}", segment(&id))).await?;
                match output {
                    Format::Json => screen::json(&json!({ "removed": id })),
                    Format::Table => screen::line(&format!("The package {id} is removed.")),
                }
            }
        }
    }
}

impl Add {
    async fn run(self, api: &Api, output: Format) -> Result<(), Failure> {
        let signature = match &self.signature {
            Some(file) => {
                let octets = std::fs::read(file).map_err(|error| Failure::of_file("read", file, &error))?;
                Some(STANDARD.encode(octets))
            }
            None => None,
        };
        let kind = match self.kind {
            Kind::Firmware => "firmware",
            Kind::Software => "software",
        };
        let query = Query::new()
            .with("name", &self.name)
            .with("version", &self.version)
            .with("kind", kind)
            .with_some("model", self.model.as_deref())
            .with_some("sha256", self.sha256.as_deref())
            .with_some("signature", signature.as_deref());
        let unreadable = |error| Failure::of_file("read", &self.file, &error);
        let file = std::fs::File::open(&self.file).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let stored = api.post_file(&query.onto("/packages"), &self.content_type, file, size).await?;
        if output == Format::Json {
            return screen::json(&stored);
        }
        let (id, sha256) = (text(&stored, "id"), text(&stored, "sha256"));
        screen::line(&format!("The package is stored as {id}; its SHA-256 is {sha256}."))
    }
}

/// A member as text; empty if there is none.
fn text(item: &Value, name: &str) -> String {
    match item.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn list(output: Format, items: &[Value]) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.iter().map(|item| {
        let stored = screen::age(&text(item, "created"), now);
        let signed = text(item, "signed_by");
        let fields = ["id", "name", "version", "kind", "model", "size"].map(|name| text(item, name));
        fields.into_iter().chain([signed, stored]).collect()
    });
    let header = ["PACKAGE", "NAME", "VERSION", "KIND", "MODEL", "OCTETS", "SIGNED BY", "STORED"];
    screen::table(
        &header,
        rows.collect(),
        "There is no package. Try: omadm package add FILE --kind firmware …",
    )
}

fn show(output: Format, package: &Value) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(package);
    }
    for (title, name) in [
        ("Name", "name"),
        ("Version", "version"),
        ("Kind", "kind"),
        ("Models", "model"),
        ("Media type", "content_type"),
        ("Octets", "size"),
        ("SHA-256", "sha256"),
        ("Signed by", "signed_by"),
        ("Stored", "created"),
        ("Stored by", "created_by"),
    ] {
        let value = text(package, name);
        if !value.is_empty() {
            screen::line(&format!("{title:<12}{}", screen::clean(&value)))?;
        }
    }
    Ok(())
}
