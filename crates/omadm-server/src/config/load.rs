//! Reading a configuration: the file, then the environment over it, each value with its origin.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::Error as CaptureError;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use toml::de::DeTable;

use super::{
    Config, DataSection, DdfSection, DeviceSection, OperatorSection, QueueSection, ServerSection,
    StoreSection, TraceSection, validate,
};

/// Prefix of environment variables.
const PREFIX: &str = "OMADM_";
/// What stands between section and key in an environment variable.
const SEPARATOR: &str = "__";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody gave it.
    Default,
    /// The file, by line.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration file {} is not TOML: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        problem: String,
    },
    /// A key or section that does not exist.
    #[error("{origin}: there is no setting {key}{}", proposal(suggestion.as_deref()))]
    Unknown {
        /// `section.key`, or a section.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The nearest name there is.
        suggestion: Option<String>,
    },
    /// A value that cannot be used.
    #[error("{origin}: {key}: {problem}")]
    Invalid {
        /// `section.key`.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// What is wrong with it.
        problem: String,
    },
}

fn proposal(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

/// A section as the loader needs it.
struct Section {
    name: &'static str,
    keys: &'static [&'static str],
    /// Says what is wrong with a table that holds one key of the section.
    check: fn(toml::Table) -> Result<(), String>,
}

fn section<T: DeserializeOwned>(name: &'static str) -> Section {
    fn check<T: DeserializeOwned>(table: toml::Table) -> Result<(), String> {
        table.try_into::<T>().map(drop).map_err(|error| error.message().to_owned())
    }
    Section { name, keys: fields_of::<T>(), check: check::<T> }
}

fn sections() -> [Section; 8] {
    [
        section::<ServerSection>("server"),
        section::<DeviceSection>("device"),
        section::<OperatorSection>("operator"),
        section::<QueueSection>("queue"),
        section::<StoreSection>("store"),
        section::<TraceSection>("trace"),
        section::<DataSection>("data"),
        section::<DdfSection>("ddf"),
    ]
}

/// Values by section and key, with their origin.
type Values = BTreeMap<(&'static str, &'static str), (toml::Value, Origin)>;

impl Config {
    /// Reads `file` (if given), lays `OMADM_SECTION__KEY` variables of `env` over it, and checks the result. Variables without
    /// `__` are not settings and are left alone.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting and where it stands; an unknown one comes with the nearest name there is.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let sections = sections();
        let mut values = Values::new();
        if let Some(path) = file {
            read_file(path, &sections, &mut values)?;
        }
        read_environment(env, &sections, &mut values)?;
        for section in &sections {
            check_section(section, &values)?;
        }
        let mut table = toml::Table::new();
        for ((section, key), (value, _)) in &values {
            let entry = table.entry(*section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(section) = entry {
                section.insert((*key).to_owned(), value.clone());
            }
        }
        let origin = |key: &str| {
            let found = key.split_once('.').and_then(|key| values.get(&key));
            found.map_or(Origin::Default, |(_, origin)| origin.clone())
        };
        let config: Self = table.try_into().map_err(|error: toml::de::Error| ConfigError::Invalid {
            key: "configuration".into(),
            origin: Origin::Default,
            problem: error.message().to_owned(),
        })?;
        validate::check(&config).map_err(|fault| ConfigError::Invalid {
            key: fault.key.to_owned(),
            origin: origin(fault.key),
            problem: fault.problem,
        })?;
        Ok(config)
    }
}

fn read_file(path: &Path, sections: &[Section], values: &mut Values) -> Result<(), ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let syntax =
        |error: toml::de::Error| ConfigError::Syntax { path: path.to_owned(), problem: error.to_string() };
    let table: toml::Table = toml::from_str(&text).map_err(syntax)?;
    let places = DeTable::parse(&text).map_err(syntax)?;
    let origin = |at: usize| Origin::File {
        path: path.to_owned(),
        line: text.get(..at).map_or(1, |before| before.matches('\n').count() + 1),
    };
    for (name, content) in places.get_ref() {
        let (at, name) = (origin(name.span().start), name.get_ref());
        let section = find_section(sections, name, &at)?;
        let Some(content) = content.get_ref().as_table() else {
            let problem = format!("is a section; write [{name}] and its keys below");
            return Err(ConfigError::Invalid { key: name.to_string(), origin: at, problem });
        };
        for key in content.keys() {
            let at = origin(key.span().start);
            let known = find_key(section, key.get_ref(), &at)?;
            let value = table.get(section.name).and_then(|section| section.get(known));
            if let Some(value) = value {
                values.insert((section.name, known), (value.clone(), at));
            }
        }
    }
    Ok(())
}

fn read_environment(
    env: impl Iterator<Item = (String, String)>,
    sections: &[Section],
    values: &mut Values,
) -> Result<(), ConfigError> {
    let defaults = toml::Table::try_from(Config::default()).unwrap_or_default();
    for (name, text) in env {
        let Some((section, key)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once(SEPARATOR))
        else {
            continue;
        };
        let origin = Origin::Environment(name.clone());
        let section = find_section(sections, &section.to_ascii_lowercase(), &origin)?;
        let key = find_key(section, &key.to_ascii_lowercase(), &origin)?;
        let like = defaults.get(section.name).and_then(|section| section.get(key));
        values.insert((section.name, key), (typed(text, like), origin));
    }
    Ok(())
}

/// The text of a variable in the type that the setting has; what does not fit stays text and is refused later.
fn typed(text: String, like: Option<&toml::Value>) -> toml::Value {
    let parsed = match like {
        Some(toml::Value::Boolean(_)) => text.parse().ok().map(toml::Value::Boolean),
        Some(toml::Value::Integer(_)) => text.parse().ok().map(toml::Value::Integer),
        Some(toml::Value::Array(_)) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(toml::Value::Array(items.map(toml::Value::from).collect()))
        }
        _ => None,
    };
    parsed.unwrap_or(toml::Value::String(text))
}

/// Checks each value of a section alone, so that an error can name its origin.
fn check_section(section: &Section, values: &Values) -> Result<(), ConfigError> {
    for ((_, key), (value, origin)) in values.iter().filter(|((name, _), _)| *name == section.name) {
        let alone = toml::Table::from_iter([((*key).to_owned(), value.clone())]);
        (section.check)(alone).map_err(|problem| ConfigError::Invalid {
            key: format!("{}.{key}", section.name),
            origin: origin.clone(),
            problem,
        })?;
    }
    Ok(())
}

fn find_section<'s>(
    sections: &'s [Section],
    name: &str,
    origin: &Origin,
) -> Result<&'s Section, ConfigError> {
    sections.iter().find(|section| section.name == name).ok_or_else(|| ConfigError::Unknown {
        key: name.to_owned(),
        origin: origin.clone(),
        suggestion: nearest(name, sections.iter().map(|section| section.name)).map(str::to_owned),
    })
}

fn find_key(section: &Section, key: &str, origin: &Origin) -> Result<&'static str, ConfigError> {
    section.keys.iter().copied().find(|known| *known == key).ok_or_else(|| ConfigError::Unknown {
        key: format!("{}.{key}", section.name),
        origin: origin.clone(),
        suggestion: nearest(key, section.keys.iter().copied()).map(|near| format!("{}.{near}", section.name)),
    })
}

/// The name that is most like `name`, if any is like it at all.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The field names of a struct, as its `Deserialize` knows them: so the list cannot differ from the struct.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The capture always stops with an error; what it was told before is what counts.
    let _stopped = T::deserialize(FieldCapture(&mut fields));
    fields
}

struct FieldCapture<'f>(&'f mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldCapture<'_> {
    type Error = CaptureError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, CaptureError> {
        Err(CaptureError::custom("not a struct"))
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, CaptureError> {
        *self.0 = fields;
        Err(CaptureError::custom("captured"))
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Size, Span};

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("omadm.toml");
        std::fs::write(&path, text).unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let place = format!("{}/", dir.path().display());
        Config::load(Some(&path), env).map_err(|error| error.to_string().replace(&place, ""))
    }

    #[test]
    fn nothing_given_is_the_default() {
        assert_eq!(Config::load(None, std::iter::empty()).unwrap(), Config::default());
        assert_eq!(load("", &[]).unwrap(), Config::default());
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let text =
            "[server]\nid = \"DMS1\"\nname = \"file\"\n[device]\nmax_message = \"2 MiB\"\nidle_timeout = 5\n";
        let env = [
            ("OMADM_SERVER__ID", "2024"),
            ("OMADM_DEVICE__STRICT", "true"),
            ("OMADM_QUEUE__MAX_ATTEMPTS", "7"),
            ("OMADM_DEVICE__LISTEN", "[::1]:0"),
            ("OMADM_DEVICE__HEADER_TIMEOUT", "3"),
            ("OMADM_DDF__FETCH_FROM", "https://a.example/, http://b.example/x/"),
            ("OMADM_TOKEN", "not a setting"),
            ("PATH", "/bin"),
        ];
        let config = load(text, &env).unwrap();
        assert_eq!(config.server.id, "2024", "a number is fine where text is meant");
        assert_eq!(config.server.name, "file");
        assert_eq!(config.device.max_message, Size(2 << 20));
        assert_eq!(config.device.idle_timeout, Span::secs(5));
        assert_eq!(config.device.header_timeout, Span::secs(3));
        let prefixes = ["https://a.example/", "http://b.example/x/"].map(|text| text.parse().unwrap());
        assert_eq!(config.ddf.fetch_from, prefixes);
        assert!(config.device.strict);
        assert_eq!(config.queue.max_attempts, 7);
        assert_eq!(config.device.listen.to_string(), "[::1]:0");
    }

    #[test]
    fn unknown_names_come_with_the_nearest_one() {
        let cases = [
            (
                "[device]\nmax_mesage = 1",
                "omadm.toml line 2: there is no setting device.max_mesage; did you mean device.max_message?",
            ),
            ("\n[devices]", "omadm.toml line 2: there is no setting devices; did you mean device?"),
            ("[server]\nid='a'\nqqq = 1", "omadm.toml line 3: there is no setting server.qqq"),
        ];
        for (text, expected) in cases {
            assert_eq!(load(text, &[]).unwrap_err(), expected);
        }
        let error = load("", &[("OMADM_DEVICE__LISTN", "x")]).unwrap_err();
        let expected = "the environment variable OMADM_DEVICE__LISTN: there is no setting device.listn; did you mean device.listen?";
        assert_eq!(error, expected);
    }

    #[test]
    fn bad_values_name_their_origin() {
        let error = load("[device]\n\nlisten = \"everywhere\"", &[]).unwrap_err();
        assert!(error.starts_with("omadm.toml line 3: device.listen: "), "{error}");
        let error = load("[device]\nstrict = true", &[("OMADM_DEVICE__STRICT", "perhaps")]).unwrap_err();
        assert!(
            error.starts_with("the environment variable OMADM_DEVICE__STRICT: device.strict: "),
            "{error}"
        );
        let error = load("[ddf]\nfetch_from = [\"https://a.example/x\"]", &[]).unwrap_err();
        assert!(error.starts_with("omadm.toml line 2: ddf.fetch_from: \"https://a.example/x\""), "{error}");
        let error = load("[server]\nid = \"a b\"", &[]).unwrap_err();
        assert!(error.starts_with("omadm.toml line 2: server.id: \"a b\" has to be"), "{error}");
        let error = load("[server]\npublic_url = \"http://dm.example.org\"", &[]).unwrap_err();
        assert!(error.contains("server.public_url") && error.contains("not https"), "{error}");
        let error = load("[device]\ncertificate = \"server.pem\"", &[]).unwrap_err();
        assert!(error.starts_with("the default: device.key: "), "{error}");
        let error = load("[queue]\nmax_commands_per_package = 0", &[]).unwrap_err();
        assert!(error.contains("has to be 1 to 1000"), "{error}");
        assert!(load("server = 1", &[]).unwrap_err().contains("write [server]"));
        assert!(load("[server\n", &[]).unwrap_err().contains("is not TOML"));
    }

    #[test]
    fn every_section_is_known_to_the_loader() {
        let names: Vec<_> = sections().iter().map(|section| section.name).collect();
        assert_eq!(names, fields_of::<Config>());
        assert!(sections().iter().all(|section| !section.keys.is_empty()));
    }

    #[test]
    fn what_is_written_is_read() {
        let text = toml::to_string(&Config::default()).unwrap();
        assert_eq!(load(&text, &[]).unwrap(), Config::default());
    }
}
