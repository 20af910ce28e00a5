//! `omadm profile`: what should be true of devices.

mod show;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::api::{Api, Query, segment};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Profiles: which nodes, software and firmware devices should have, and what is to be known of them.
#[derive(Debug, Subcommand)]
pub enum Profile {
    /// List the profiles.
    Ls,
    /// Show a profile: its newest version, where it is assigned, how far its devices are.
    Show {
        /// Its name.
        name: String,
        /// Print the document of this version instead.
        #[arg(long, value_name = "N")]
        version: Option<i64>,
    },
    /// Store a file as the next version of the profile that it names. Nothing is assigned by it, unless asked.
    Set {
        /// The document: TOML, or JSON if its name ends in .json.
        file: PathBuf,
        /// Assign the version to the group in it, or to all devices.
        #[arg(long)]
        assign: bool,
        /// Store it also when it contradicts the DDF files.
        #[arg(long)]
        force: bool,
    },
    /// Remove a profile. Devices give it up at their next check-in, as it says.
    Rm {
        /// Its name.
        name: String,
    },
    /// Show what is different between two versions.
    Diff {
        /// Name of the profile.
        name: String,
        /// The version before.
        from: i64,
        /// The version after; the newest if not given.
        to: Option<i64>,
    },
    /// Give a group, or all devices, a version of a profile.
    Assign {
        /// Name of the profile.
        name: String,
        /// The version; the newest if not given.
        #[arg(long, value_name = "N")]
        version: Option<i64>,
        /// The group; that of the document, or all devices, if not given.
        #[arg(long)]
        group: Option<String>,
    },
    /// Take a profile from a group, or from all devices.
    Unassign {
        /// Name of the profile.
        name: String,
        /// The group; all devices if not given.
        #[arg(long)]
        group: Option<String>,
    },
    /// Give a group the version that it had before, or another older one.
    Rollback {
        /// Name of the profile.
        name: String,
        /// The version; the one before if not given.
        #[arg(long, value_name = "N")]
        version: Option<i64>,
        /// The group; may be left out if there is one assignment.
        #[arg(long)]
        group: Option<String>,
    },
    /// Have devices try again what the profile could not bring about: those on which it has failed, or one device.
    Retry {
        /// Name of the profile.
        name: String,
        /// A device, also one that only waits for its next attempt.
        #[arg(long)]
        device: Option<String>,
    },
    /// Say what devices would get if they had a version of a profile; nothing is changed.
    DryRun {
        /// Name of the profile.
        name: String,
        /// The version; the newest if not given.
        #[arg(long, value_name = "N")]
        version: Option<i64>,
        /// One device.
        #[arg(long, conflicts_with = "group")]
        device: Option<String>,
        /// A group, of which some devices are looked at; that of the document, or all devices, if not given.
        #[arg(long)]
        group: Option<String>,
        /// How many of them, 1 to 100.
        #[arg(long, value_name = "N")]
        sample: Option<u32>,
    },
    /// Show how far devices are with a profile, or one device with all of its profiles.
    Status {
        /// Name of the profile.
        #[arg(required_unless_present = "device", conflicts_with = "device")]
        name: Option<String>,
        /// A device.
        #[arg(long)]
        device: Option<String>,
        /// Only devices in this state: converged, pending, drifted or failed.
        #[arg(long)]
        state: Option<String>,
        /// At most this many devices.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
}

impl Profile {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        let output = global.output;
        match self {
            Self::Ls => show::list(&api, output).await,
            Self::Show { name, version } => show::one(&api, output, &name, version).await,
            Self::Set { file, assign, force } => set(&api, output, &file, assign, force).await,
            Self::Rm { name } => {
                api.delete(&path(&name)).await?;
                said(output, &json!({ "removed": name }), &format!("The profile {name} is removed."))
            }
            Self::Diff { name, from, to } => show::diff(&api, output, &name, from, to).await,
            Self::Assign { name, version, group } => {
                let body = json!({ "version": version, "group": group });
                let answer = api.put_json(&format!("{}/assignment", path(&name)), &body).await?;
                assigned(output, &name, &answer)
            }
            Self::Unassign { name, group } => {
                let query = group.iter().fold(Query::new(), |query, group| query.with("group", group));
                api.delete(&query.onto(&format!("{}/assignment", path(&name)))).await?;
                said(
                    output,
                    &json!({ "unassigned": name, "group": group }),
                    &format!("{name} is not assigned there any more."),
                )
            }
            Self::Rollback { name, version, group } => {
                let body = json!({ "version": version, "group": group });
                let answer = api.post(&format!("{}/rollback", path(&name)), &body, Duration::ZERO).await?;
                assigned(output, &name, &answer)
            }
            Self::Retry { name, device } => retry(&api, output, &name, device.as_deref()).await,
            Self::DryRun { name, version, device, group, sample } => {
                let body = json!({ "version": version, "device": device, "group": group, "sample": sample });
                let answer = api.post(&format!("{}/dry-run", path(&name)), &body, Duration::ZERO).await?;
                show::dry_run(output, &answer)
            }
            Self::Status { name, device, state, limit } => match (name, device) {
                (_, Some(device)) => show::of_device(&api, output, &device).await,
                (Some(name), None) => show::status(&api, output, &name, state.as_deref(), limit).await,
                (None, None) => Err(Failure::Usage("name a profile, or a device with --device".into())),
            },
        }
    }
}

/// Where a profile is in the API.
fn path(name: &str) -> String {
    format!("/profiles/{}", segment(name))
}

fn said(output: Format, answer: &Value, sentence: &str) -> Result<(), Failure> {
    match output {
        Format::Json => screen::json(answer),
        Format::Table => screen::line(sentence),
    }
}

fn warn(answer: &Value) {
    let warnings = answer.get("warnings").and_then(Value::as_array).into_iter().flatten();
    for warning in warnings.filter_map(Value::as_str) {
        screen::warn(warning);
    }
}

fn assigned(output: Format, name: &str, answer: &Value) -> Result<(), Failure> {
    warn(answer);
    let version = answer.get("version").and_then(Value::as_i64).unwrap_or_default();
    let to = match answer.get("group").and_then(Value::as_str) {
        Some(group) => format!("The group {group} has"),
        None => "All devices have".to_owned(),
    };
    said(output, answer, &format!("{to} version {version} of {name} from their next check-in on."))
}

async fn retry(api: &Api, output: Format, name: &str, device: Option<&str>) -> Result<(), Failure> {
    let of = match device {
        Some(device) => format!("/devices/{}{}/retry", segment(device), path(name)),
        None => format!("{}/retry", path(name)),
    };
    let (mut devices, mut query) = (0, Query::new());
    loop {
        let answer = api.post(&query.onto(&of), &json!({}), Duration::ZERO).await?;
        devices += answer.get("devices").and_then(Value::as_i64).unwrap_or_default();
        let Some(next) = answer.get("next").and_then(Value::as_str) else { break };
        query = Query::new().with("after", next);
    }
    let sentence = format!("{devices} devices try {name} again at their next check-in.");
    said(output, &json!({ "profile": name, "devices": devices }), &sentence)
}

async fn set(api: &Api, output: Format, file: &Path, assign: bool, force: bool) -> Result<(), Failure> {
    let octets = std::fs::read(file).map_err(|error| Failure::of_file("read", file, &error))?;
    let is_json = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let (content_type, name) = match is_json {
        true => ("application/json", json_name(&octets)),
        false => ("application/toml", toml_name(&octets)),
    };
    let name = name.ok_or_else(|| {
        Failure::Usage(format!("{} does not say which profile it is: it has no name = \"…\"", file.display()))
    })?;
    let query = if force { Query::new().with("force", "true") } else { Query::new() };
    let answer = api.put_bytes(&query.onto(&path(&name)), content_type, octets.into()).await?;
    warn(&answer);
    let version = answer.get("version").and_then(Value::as_i64).unwrap_or_default();
    if !assign {
        return said(output, &answer, &format!("This is version {version} of the profile {name}."));
    }
    let body = json!({ "version": version });
    let answer = api.put_json(&format!("{}/assignment", path(&name)), &body).await?;
    assigned(output, &name, &answer)
}

/// The name in a document; what is wrong with it otherwise, the server says.
fn json_name(octets: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(octets).ok()?;
    document.get("name")?.as_str().map(str::to_owned)
}

/// As [`json_name`], by its line, so that a document that cannot be read has a name, too.
fn toml_name(octets: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(octets).ok()?;
    let line =
        text.lines().find_map(|line| line.trim().strip_prefix("name")?.trim_start().strip_prefix('='))?;
    let quoted = line.trim().strip_prefix(['"', '\''])?;
    quoted.split(['"', '\'']).next().filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_document_is_found() {
        assert_eq!(toml_name(b"# x\nname = \"base\" # y\n[[node]]\n").as_deref(), Some("base"));
        assert_eq!(toml_name(b"name='a-1'\nbroken [").as_deref(), Some("a-1"));
        assert_eq!(toml_name(b"priority = 1"), None);
        assert_eq!(json_name(br#"{"name":"base"}"#).as_deref(), Some("base"));
        assert_eq!(json_name(b"[]"), None);
    }
}
