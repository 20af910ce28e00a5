//! Bootstraps of DM 1.x: what the command line says of them, and the files that they become.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use omadm_server::bootstrap_file;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::missing;
use crate::cmd::input;
use crate::failure::Failure;

/// For which protocol a bootstrap is, and in which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// MO data for DM 2.0.
    #[default]
    Dm2,
    /// A provisioning document for DM 1.x.
    Cp,
    /// A message for DM 1.x.
    Dm,
}

/// The hash of a MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "they speak for themselves")]
enum Hash {
    Sha1,
    Sha256,
}

/// What a bootstrap of DM 1.x says, and how it is secured.
#[derive(Debug, Args)]
#[command(next_help_heading = "For DM 1.x")]
pub struct Dm1Terms {
    /// For which protocol, and in which form.
    #[arg(long, value_enum, default_value_t)]
    pub profile: Profile,
    /// Version that the devices speak: 1.1, 1.2 or 1.3. Default: the newest that the server speaks.
    #[arg(long, value_name = "VERSION")]
    dm_version: Option<String>,
    /// How it is secured. cp: NETWPIN, USERPIN, USERNETWPIN or USERPINMAC; dm: NETWORKID, USERPIN or USERPIN_NETWORKID. Not at all by
    /// default, which only files and https allow.
    #[arg(long, value_name = "METHOD")]
    sec: Option<String>,
    /// The hash of the MAC. Default: SHA-256 for the profile dm of 1.3, else SHA-1.
    #[arg(long, value_enum)]
    hash: Option<Hash>,
    /// cp, USERNETWPIN: the PIN first and with a colon, as some devices expect it.
    #[arg(long)]
    pin_first: bool,
    /// Which of the server's identifiers, if it has several.
    #[arg(long, value_name = "ID")]
    server_id: Option<String>,
    /// How device and server prove themselves, one of the server's `dm1.schemes`.
    #[arg(long)]
    scheme: Option<String>,
    /// dm: what servers may do with the account, such as `Get=*&Replace=dm.example.com`. Default: its server may get, replace and delete
    /// it.
    #[arg(long)]
    acl: Option<String>,
    /// cp: access point name of the mobile network by which the devices reach the server.
    #[arg(long)]
    apn: Option<String>,
    /// cp: begin no session at once.
    #[arg(long)]
    no_init: bool,
    /// cp: write the document in XML.
    #[arg(long)]
    xml: bool,
}

impl Dm1Terms {
    /// Adds what it says to a request.
    pub fn add_to(&self, request: &mut Map<String, Value>) {
        let mut dm1 = Map::new();
        let texts = [
            ("version", &self.dm_version),
            ("sec", &self.sec),
            ("server_id", &self.server_id),
            ("scheme", &self.scheme),
            ("acl", &self.acl),
            ("apn", &self.apn),
        ];
        dm1.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.clone()?.into()))));
        dm1.extend(self.hash.map(|hash| ("hash".to_owned(), word(hash).into())));
        let flags = [
            ("pin_first", self.pin_first, json!(true)),
            ("init", self.no_init, json!(false)),
            ("encoding", self.xml, json!("xml")),
        ];
        dm1.extend(
            flags.into_iter().filter(|(_, is_set, _)| *is_set).map(|(key, _, value)| (key.to_owned(), value)),
        );
        if self.profile != Profile::Dm2 {
            request.insert("profile".to_owned(), word(self.profile).into());
        }
        if !dm1.is_empty() {
            request.insert("dm1".to_owned(), dm1.into());
        }
    }

    /// What files of it end in.
    pub fn extension(&self) -> &'static str {
        bootstrap_file::extension(&word(self.profile))
    }
}

/// A value as it is written on the command line, and in a request.
fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// What a device or its user knows beside the bootstrap.
#[derive(Debug, Args)]
#[command(next_help_heading = "For DM 1.x")]
pub struct Known {
    /// IMSI of the device's card.
    #[arg(long)]
    imsi: Option<String>,
    /// File with the PIN that the user gets, `-` is standard input. One is made if the method needs it.
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// File with another secret that device and network share, such as a MEID; its octets count as they are.
    #[arg(long, value_name = "FILE", conflicts_with = "imsi")]
    network_secret_file: Option<PathBuf>,
}

impl Known {
    /// Adds it to the device of a request.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn add_to(&self, device: &mut Value) -> Result<(), Failure> {
        let Some(members) = device.as_object_mut() else { return Ok(()) };
        if let Some(imsi) = &self.imsi {
            members.insert("imsi".to_owned(), imsi.as_str().into());
        }
        if let Some(file) = &self.pin_file {
            let pin = Zeroizing::new(input::read(file)?);
            let pin =
                std::str::from_utf8(&pin).map_err(|_| Failure::Failed("the PIN is no text".to_owned()))?;
            members.insert("pin".to_owned(), pin.trim().into());
        }
        if let Some(file) = &self.network_secret_file {
            let secret = Zeroizing::new(input::read(file)?);
            members.insert("network_secret_base64".to_owned(), STANDARD.encode(&*secret).into());
        }
        Ok(())
    }
}

/// A bootstrap as a file.
///
/// # Errors
/// When the answer holds none.
pub fn file_content(answer: &Value) -> Result<Zeroizing<Vec<u8>>, Failure> {
    bootstrap_file::content(answer).map_err(missing)
}
