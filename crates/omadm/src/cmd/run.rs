//! `omadm run`: one command for one device, whichever protocol it speaks.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

use crate::api::types::{Command as Record, Pushed};
use crate::api::{Api, Query, read};
use crate::cli::Global;
use crate::cmd::{command, device};
use crate::failure::Failure;
use crate::screen::{self, Format};

mod ask;
use ask::Ask;

/// Longest time that the server holds one request, in seconds.
const LONG_POLL: u64 = 60;
/// How long the ways to a device may take.
const PUSH_TIME: Duration = Duration::from_secs(120);
/// Largest file that is sent as a value, in octets.
const MAX_VALUE: u64 = 16 << 20;
/// Media type of MO data, which creates instances when it is set without an address.
const MO_DATA: &str = "application/dmmo+json";

/// Queue a command for a device. It is carried out at the device's next session; a newer `set` on the same address replaces an
/// older one that was not sent.
#[derive(Debug, Args)]
pub struct Run {
    /// Identifier of the device.
    device: String,
    /// Wait until the command is final: `--wait` for a minute, `--wait=SECS` for longer or shorter.
    #[arg(long, global = true, value_name = "SECS", num_args = 0..=1, require_equals = true, default_missing_value = "60")]
    wait: Option<u64>,
    /// Give up if the device does not come within this many seconds (7 days if not given).
    #[arg(long, global = true, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..))]
    expires_in: Option<u64>,
    /// Queue it also when the value does not have the format that the DDF gives to the node.
    #[arg(long, global = true)]
    force: bool,
    /// Push it to a device of DM 1.3 at once, without a session: `set`, `delete`, `exec`, or `raw` in XML. It is not queued, and nobody
    /// answers it.
    #[arg(long, global = true, conflicts_with_all = ["wait", "expires_in"])]
    sessionless: bool,
    #[command(subcommand)]
    verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Read a node with all that is below it.
    Get {
        /// ClientURI such as urn:oma:mo:oma-dm-devinfo:1.2//DevID; for devices of DM 1.x also a path such as ./DevInfo/DevId.
        address: String,
    },
    /// Write a node.
    Set(Set),
    /// Delete a node with all that is below it.
    Delete {
        /// ClientURI of the node.
        address: String,
    },
    /// Execute a node.
    Exec {
        /// ClientURI of the node.
        address: String,
        /// Let the device answer at once and report the end in another session, however quick it is.
        #[arg(long)]
        later: bool,
    },
    /// Show a page to the user of the device.
    Show {
        /// Name of a page of the server (`omadm page ls`): the command is done when the user has answered. Or a URL: it is done
        /// when the device shows it.
        page: String,
    },
    /// Say where the device gets a management object when it lacks it.
    Default(DefaultOf),
    /// Let the device report the changes of a node and of what is below it.
    Subscribe {
        /// ClientURI of the node.
        address: String,
    },
    /// Let the device report no more.
    Unsubscribe {
        /// ClientURI as it was subscribed; `omadm device subscriptions DEVICE` lists them.
        address: String,
    },
    /// Let the device send nodes to the server, where they can be fetched from.
    Upload {
        /// ClientURIs of the nodes.
        #[arg(required = true)]
        addresses: Vec<String>,
        /// HTTP method that the device uses.
        #[arg(long, value_enum, default_value_t)]
        method: Method,
    },
    /// Let the device fetch data from elsewhere and store it.
    Fetch {
        /// Where the data is.
        url: String,
        /// ClientURI of the node to store it at; MO data names its own place.
        address: Option<String>,
    },
    Ask(Ask),
    /// Send a protocol command as it is, such as `raw GET urn:oma:mo:oma-dm-devinfo:1.2//`, or, to a device of DM 1.x,
    /// `raw '<Get><Item><Target><LocURI>./DevInfo</LocURI></Target></Item></Get>'`.
    Raw {
        /// Name of the command, then its parameters; or the command in XML.
        #[arg(required = true)]
        words: Vec<String>,
    },
}

/// Write a node.
#[derive(Debug, Args)]
struct Set {
    /// ClientURI of the node; none with MO data, which creates instances and names their places itself.
    address: Option<String>,
    /// The value. `true`, `false` and numbers are sent as such, all else as text.
    #[arg(conflicts_with = "file", allow_negative_numbers = true)]
    value: Option<String>,
    /// Send the value as text, also if it looks like a number or a bool.
    #[arg(long, conflicts_with = "file")]
    text: bool,
    /// Take the value from a file.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Media type of the file; text/plain or application/octet-stream if not given.
    #[arg(long = "type", value_name = "MEDIA-TYPE", requires = "file")]
    media_type: Option<String>,
}

/// Say where the device gets a management object when it lacks it.
#[derive(Debug, Args)]
struct DefaultOf {
    /// MOID of the management object.
    moid: String,
    /// URL of the data.
    #[arg(long, value_name = "URL", conflicts_with = "file", required_unless_present = "file")]
    from: Option<String>,
    /// MO data (JSON) that the server keeps for the device.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Method {
    #[default]
    Put,
    Post,
}

impl Run {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        let mut body = self.verb.to_json()?;
        let wait = self.wait.unwrap_or(0);
        if self.force {
            body.insert("force".to_owned(), true.into());
        }
        if self.sessionless {
            return push(global, &self.device, body).await;
        }
        if let Some(seconds) = self.expires_in {
            body.insert("expires_in".to_owned(), seconds.into());
        }
        if wait > 0 {
            body.insert("wait".to_owned(), wait.min(LONG_POLL).into());
        }
        let path = format!("{}/commands", device::path(&self.device));
        let started = Instant::now();
        let first = api.post(&path, &Value::Object(body), Duration::from_secs(wait.min(LONG_POLL))).await?;
        warn(&path, &first)?;
        let value = until_final(&api, &path, first, started, Duration::from_secs(wait)).await?;
        let command: Record = read(&path, value.clone())?;
        report(global.output, &path, value, &command, self.wait.is_some())
    }
}

/// Has a command pushed without a session.
async fn push(global: &Global, device: &str, body: Map<String, Value>) -> Result<(), Failure> {
    let path = format!("{}/sessionless", device::path(device));
    let answer = global.api()?.post(&path, &Value::Object(body), PUSH_TIME).await?;
    if global.output == Format::Json {
        return screen::json(&answer);
    }
    let pushed: Pushed = read(&path, answer)?;
    pushed.warnings.iter().for_each(|warning| screen::warn(warning));
    let via = screen::clean(&pushed.via);
    screen::line(&format!(
        "Message {} of {} octets went to {via}: {}.",
        pushed.number,
        pushed.octets,
        screen::clean(&pushed.result)
    ))
}

/// Says on standard error what the DDF has against the command.
fn warn(path: &str, queued: &Value) -> Result<(), Failure> {
    let command: Record = read(path, queued.clone())?;
    for warning in command.warnings {
        screen::warn(&warning);
    }
    Ok(())
}

/// Asks again until the command is final or `wait` is over.
async fn until_final(
    api: &Api,
    path: &str,
    mut value: Value,
    started: Instant,
    wait: Duration,
) -> Result<Value, Failure> {
    loop {
        let command: Record = read(path, value.clone())?;
        let left = wait.saturating_sub(started.elapsed()).as_secs();
        if command.is_final() || left == 0 {
            return Ok(value);
        }
        let seconds = left.min(LONG_POLL);
        let target = Query::new().with("wait", &seconds.to_string()).onto(&command::path(&command.id));
        value = api.get_waiting(&target, Duration::from_secs(seconds)).await?;
    }
}

fn report(output: Format, path: &str, value: Value, command: &Record, waited: bool) -> Result<(), Failure> {
    match (output, command.state.as_str()) {
        (Format::Json, _) => screen::json(&value)?,
        (Format::Table, "done") => match &command.result {
            Some(result) => command::print_result(result)?,
            None => screen::line(&format!("Command {} is done.", command.id))?,
        },
        (Format::Table, "queued" | "sent") if !waited => {
            screen::line(&format!(
                "Command {} is queued; the device takes it at its next session. See: omadm command show {0}",
                command.id
            ))?;
        }
        (Format::Table, _) => command::print(output, path, value)?,
    }
    match command.state.as_str() {
        "done" => Ok(()),
        "queued" | "sent" if waited => Err(Failure::Failed(format!(
            "command {} is still {}: the device did not finish it in time; it stays in the queue, look again with \
             `omadm command show {0}`",
            command.id, command.state
        ))),
        "queued" | "sent" => Ok(()),
        state => Err(Failure::Failed(
            command.reason.clone().unwrap_or_else(|| format!("command {} is {state}", command.id)),
        )),
    }
}

impl Verb {
    /// The request without its options.
    fn to_json(&self) -> Result<Map<String, Value>, Failure> {
        let members: Vec<(&str, Value)> = match self {
            Self::Get { address } => vec![("verb", "get".into()), ("address", address.as_str().into())],
            Self::Delete { address } => vec![("verb", "delete".into()), ("address", address.as_str().into())],
            Self::Exec { address, later } => {
                let mut members = vec![("verb", "exec".into()), ("address", address.as_str().into())];
                members.extend(later.then(|| ("later", true.into())));
                members
            }
            Self::Show { page } => {
                let place = if page.contains("://") { "url" } else { "page" };
                vec![("verb", "show".into()), (place, page.as_str().into())]
            }
            Self::Default(default) => default.to_json()?,
            Self::Subscribe { address } => {
                vec![("verb", "subscribe".into()), ("address", address.as_str().into())]
            }
            Self::Unsubscribe { address } => {
                vec![("verb", "unsubscribe".into()), ("address", address.as_str().into())]
            }
            Self::Set(set) => set.to_json()?,
            Self::Upload { addresses, method } => {
                let method = match method {
                    Method::Put => "PUT",
                    Method::Post => "POST",
                };
                vec![
                    ("verb", "upload".into()),
                    ("addresses", addresses.clone().into()),
                    ("method", method.into()),
                ]
            }
            Self::Fetch { url, address } => {
                let mut members = vec![("verb", "fetch".into()), ("from", url.as_str().into())];
                members.extend(address.as_deref().map(|address| ("address", address.into())));
                members
            }
            Self::Ask(ask) => ask.to_json(),
            Self::Raw { words } => match words.as_slice() {
                [xml] if xml.trim_start().starts_with('<') => {
                    vec![("verb", "raw".into()), ("xml", xml.as_str().into())]
                }
                words => vec![("verb", "raw".into()), ("words", words.to_vec().into())],
            },
        };
        Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

impl DefaultOf {
    fn to_json(&self) -> Result<Vec<(&'static str, Value)>, Failure> {
        let mut members = vec![("verb", Value::from("default")), ("moid", self.moid.as_str().into())];
        members.extend(self.from.as_deref().map(|from| ("from", from.into())));
        if let Some(file) = &self.file {
            members.push(("items", mo_items(file, &read_value(file)?)?));
        }
        Ok(members)
    }
}

impl Set {
    fn to_json(&self) -> Result<Vec<(&'static str, Value)>, Failure> {
        let mut members = vec![("verb", Value::from("set"))];
        members.extend(self.address.as_deref().map(|address| ("address", address.into())));
        match (&self.address, &self.value, &self.file) {
            (Some(_), Some(value), None) => members.push(("value", self.typed(value))),
            (address, None, Some(file)) => members.extend(self.file_members(address.is_some(), file)?),
            (Some(_), None, None) => {
                return Err(Failure::Usage("`set` needs a value, or --file with one".to_owned()));
            }
            (None, _, None) | (_, Some(_), Some(_)) => {
                return Err(Failure::Usage(format!(
                    "`set` needs an address and a value, or --file with MO data (--type {MO_DATA}) alone"
                )));
            }
        }
        Ok(members)
    }

    /// Numbers and bools as what they are, unless `--text` says otherwise.
    fn typed(&self, text: &str) -> Value {
        match serde_json::from_str(text) {
            Ok(value @ (Value::Bool(_) | Value::Number(_))) if !self.text => value,
            _ => text.into(),
        }
    }

    fn file_members(&self, has_address: bool, file: &Path) -> Result<Vec<(&'static str, Value)>, Failure> {
        let octets = read_value(file)?;
        if !has_address {
            return match self.media_type.as_deref() {
                Some(MO_DATA) | None => Ok(vec![("items", mo_items(file, &octets)?)]),
                Some(other) => Err(Failure::Usage(format!(
                    "{other} needs an address; only {MO_DATA} names its own place"
                ))),
            };
        }
        Ok(match (&self.media_type, String::from_utf8(octets)) {
            (None, Ok(text)) => vec![("value", text.into())],
            (Some(kind), Ok(text)) => encoded(kind, text.as_bytes()),
            (kind, Err(error)) => {
                encoded(kind.as_deref().unwrap_or("application/octet-stream"), error.as_bytes())
            }
        })
    }
}

fn encoded(media_type: &str, octets: &[u8]) -> Vec<(&'static str, Value)> {
    vec![("value_base64", BASE64.encode(octets).into()), ("content_type", media_type.into())]
}

fn read_value(file: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |error: &std::io::Error| Failure::of_file("read", file, error);
    let length = std::fs::metadata(file).map_err(|error| failure(&error))?.len();
    if length > MAX_VALUE {
        return Err(Failure::Failed(format!(
            "{} has {length} bytes, more than the {MAX_VALUE} that a command carries; put it on a web server and use \
             `omadm run DEVICE fetch URL ADDRESS`",
            file.display()
        )));
    }
    std::fs::read(file).map_err(|error| failure(&error))
}

fn mo_items(file: &Path, octets: &[u8]) -> Result<Value, Failure> {
    match serde_json::from_slice(octets) {
        Ok(items @ Value::Array(_)) => Ok(items),
        Ok(item @ Value::Object(_)) => Ok(Value::Array(vec![item])),
        Ok(_) => Err(Failure::Failed(format!(
            "{} is no MO data: it has to be a JSON array of items",
            file.display()
        ))),
        Err(error) => Err(Failure::Failed(format!("{} is no MO data: {error}", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(address: Option<&str>, value: Option<&str>) -> Set {
        Set {
            address: address.map(str::to_owned),
            value: value.map(str::to_owned),
            text: false,
            file: None,
            media_type: None,
        }
    }

    #[test]
    fn values_keep_their_type() {
        let typed = |text: &str| set(Some("a"), Some(text)).to_json().unwrap().pop().unwrap().1;
        assert_eq!(typed("-5"), Value::from(-5));
        assert_eq!(typed("true"), Value::from(true));
        assert_eq!(typed("null"), Value::from("null"));
        assert_eq!(typed("{}"), Value::from("{}"));
        let text = Set { text: true, ..set(Some("a"), Some("5")) };
        assert_eq!(text.to_json().unwrap().pop().unwrap().1, Value::from("5"));
    }

    #[test]
    fn a_set_without_value_is_wrong_usage() {
        assert!(matches!(set(Some("a"), None).to_json(), Err(Failure::Usage(_))));
        assert!(matches!(set(None, None).to_json(), Err(Failure::Usage(_))));
    }

    #[test]
    fn files_become_text_octets_or_items() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("value");
        let with = |address: Option<&str>, kind: Option<&str>| Set {
            file: Some(file.clone()),
            media_type: kind.map(str::to_owned),
            ..set(address, None)
        };
        std::fs::write(&file, b"text").unwrap();
        assert_eq!(with(Some("a"), None).to_json().unwrap().pop(), Some(("value", "text".into())));
        let octets = with(Some("a"), Some("image/png")).to_json().unwrap();
        assert!(octets.contains(&("value_base64", "dGV4dA==".into())));
        assert!(octets.contains(&("content_type", "image/png".into())));
        assert!(matches!(with(None, Some("image/png")).to_json(), Err(Failure::Usage(_))));
        std::fs::write(&file, br#"{"ClientURI":"a"}"#).unwrap();
        let (name, items) = with(None, None).to_json().unwrap().pop().unwrap();
        assert_eq!((name, items.as_array().map(Vec::len)), ("items", Some(1)));
        std::fs::write(&file, [0xff, 0]).unwrap();
        assert!(
            with(Some("a"), None)
                .to_json()
                .unwrap()
                .contains(&("content_type", "application/octet-stream".into()))
        );
    }
}
