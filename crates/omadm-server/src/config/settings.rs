//! A configuration with where its values came from, and what the manual says of each.

use std::ffi::OsString;
use std::path::Path;
use std::sync::LazyLock;

use omadm_config::{ConfigError, Origins};
use serde_json::Value;

use super::{AGENT_PREFIX, Config, PREFIX, validate};

/// The page of the manual with every setting.
const MANUAL: &str = include_str!("../../../../docs/src/configuration.md");
/// What stands in place of what may be a secret.
const HIDDEN: &str = "…";
/// How the names of settings end that hold a secret, and not the name of a file with it.
const SECRET: [&str; 4] = ["password", "secret", "token", "psk"];

/// A configuration with where its values came from.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The values.
    pub config: Config,
    /// Where they came from.
    pub origins: Origins,
}

impl From<Config> for Settings {
    fn from(config: Config) -> Self {
        Self { config, origins: Origins::default() }
    }
}

impl Settings {
    /// Reads as [`Config::load`] does.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let env = env.filter(|(name, _)| !name.as_encoded_bytes().starts_with(AGENT_PREFIX.as_bytes()));
        let loaded = omadm_config::load::<Config>(file, PREFIX, env)?;
        loaded.check_with_origins(validate::check).map(|(config, origins)| Self { config, origins })
    }
}

/// A setting, as the manual has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its section, such as `dm1.obex`.
    pub section: &'static str,
    /// Its name in there.
    pub name: &'static str,
    /// What it means, in Markdown.
    pub about: &'static str,
}

static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| read(MANUAL));

impl Setting {
    /// All settings of the server, section by section.
    pub fn all() -> &'static [Self] {
        &SETTINGS
    }

    /// `section.key`.
    pub fn key(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// What it is in a configuration; null if it is nothing. What may be a secret is hidden.
    pub fn value(&self, config: &Value) -> Value {
        let section = self.section.split('.').try_fold(config, |value, name| value.get(name));
        match section.and_then(|section| section.get(self.name)) {
            Some(value) if !value.is_null() && is_secret(self.name) => HIDDEN.into(),
            Some(value) => harmless(value),
            None => Value::Null,
        }
    }
}

fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|ending| name == *ending || name.ends_with(&format!("_{ending}")))
}

/// A value without what may be a secret in it.
fn harmless(value: &Value) -> Value {
    match value {
        Value::String(text) => without_credentials(text).into(),
        Value::Array(items) => items.iter().map(harmless).collect(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                (name.clone(), if is_secret(name) { HIDDEN.into() } else { harmless(value) })
            };
            members.iter().map(member).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A URL without password and query, in which gateways take theirs; any other text as it is.
pub fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?"));
    let hidden = if query.is_empty() { "" } else { HIDDEN };
    match rest.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
        Some((user, host)) => format!("{scheme}://{user}:{HIDDEN}@{host}{query}{hidden}"),
        None => format!("{scheme}://{rest}{query}{hidden}"),
    }
}

/// The rows of the tables below the headings of sections, up to what is the agent's.
fn read(manual: &'static str) -> Vec<Setting> {
    let server = manual.split_once("\n## The server\n").map_or("", |(_, rest)| rest);
    let server = server.split("\n## ").next().unwrap_or_default();
    let mut section = "";
    let mut settings: Vec<Setting> = Vec::new();
    for line in server.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            let named = heading.strip_prefix("`[").and_then(|rest| rest.split_once("]`"));
            section = named.map_or("", |(name, _)| name);
        } else if let Some(setting) = row(section, line)
            && !settings.iter().any(|one| one.section == section && one.name == setting.name)
        {
            settings.push(setting);
        }
    }
    settings
}

/// ``| `key` | default | what it means |``
fn row(section: &'static str, line: &'static str) -> Option<Setting> {
    let (name, rest) = line.strip_prefix("| `")?.split_once("` |")?;
    let (_, about) = rest.split_once(" | ")?;
    let about = about.trim().trim_end_matches('|').trim_end();
    (!section.is_empty()).then_some(Setting { section, name, about })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_setting_that_has_a_value() {
        let config = serde_json::to_value(Config::default()).unwrap();
        let known: Vec<String> = Setting::all().iter().map(Setting::key).collect();
        assert!(known.len() > 150, "{}", known.len());
        for (section, keys) in config.as_object().unwrap() {
            for (name, value) in keys.as_object().unwrap() {
                let key = format!("{section}.{name}");
                let is_section =
                    value.is_object() && known.iter().any(|one| one.starts_with(&format!("{key}.")));
                assert!(is_section || known.contains(&key), "{key} is not in the manual");
            }
        }
        assert!(Setting::all().iter().all(|setting| !setting.about.is_empty()), "each has a meaning");
    }

    #[test]
    fn rows_are_read_with_and_without_a_default() {
        let manual = "# C\n\n## The server\n\n### `[a.b]` of the server\n\n| key | default | |\n|---|---|---|\n\
            | `one` | `x` | What it is. |\n| `two` |  | Another. |\n\n### What cannot be set\n\n| `three` | | No. |\n\n## The agent\n\n\
            ### `[a]`\n\n| `four` | 1 | Not ours. |\n";
        let setting = |name, about| Setting { section: "a.b", name, about };
        assert_eq!(read(manual), [setting("one", "What it is."), setting("two", "Another.")]);
    }

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        for (text, shown) in [
            ("postgres://dm:p4ss@db.example/dm?sslmode=disable", "postgres://dm:…@db.example/dm?…"),
            ("postgres://dm:p4/ss@db.example/dm", "postgres://dm:…@db.example/dm"),
            ("https://gateway.example/send?to={to}&key=p4ss", "https://gateway.example/send?…"),
            ("https://dm.example:8443/x", "https://dm.example:8443/x"),
            ("postgres://dm@db.example/dm", "postgres://dm@db.example/dm"),
            ("sip:dm@example.org", "sip:dm@example.org"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
        let config = serde_json::json!({ "a": { "password": "p4ss", "peers": [{ "secret": "p4ss", "url": "https://u:p4ss@h/" }] } });
        let value = |name| Setting { section: "a", name, about: "" }.value(&config).to_string();
        assert!(
            !value("password").contains("p4ss") && !value("peers").contains("p4ss"),
            "{}",
            value("peers")
        );
        assert_eq!(value("other"), "null");
        assert!(!is_secret("password_file") && !is_secret("password_checks") && is_secret("api_token"));
    }
}
