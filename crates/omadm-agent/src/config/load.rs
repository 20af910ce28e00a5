//! Reading a configuration: the file, then the environment over it.

use std::path::{Path, PathBuf};

use serde::de::value::Error as CaptureError;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use toml::{Table, Value};

use super::{
    AccessSection, BootstrapSection, Config, DdfSection, DeviceSection, LimitsSection, LogSection,
    SessionSection, TlsSection,
};
use crate::device_id;
use crate::mo::agent::MAX_POLL_INTERVAL;

/// Prefix of environment variables.
const PREFIX: &str = "OMADM_AGENT__";

/// Most edits between a wrong name and the one that is proposed for it.
const NEAR: usize = 3;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or a value in it does not fit.
    #[error("the configuration file {}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        problem: String,
    },
    /// A section or key that does not exist.
    #[error("{place}: there is no setting {name}{}", .nearest.map_or_else(String::new, |name| format!("; did you mean {name}?")))]
    Unknown {
        /// File or environment variable.
        place: String,
        /// The name.
        name: String,
        /// The nearest name there is.
        nearest: Option<&'static str>,
    },
    /// A value that cannot be used.
    #[error("{key}: {problem}")]
    Invalid {
        /// `section.key` or environment variable.
        key: String,
        /// What is wrong.
        problem: String,
    },
}

/// A section with its keys and a check of a table that holds some of them.
struct Section {
    name: &'static str,
    keys: &'static [&'static str],
    check: fn(Table) -> Result<(), String>,
}

fn section<T: DeserializeOwned>(name: &'static str) -> Section {
    let check = |table: Table| table.try_into::<T>().map(drop).map_err(|error| error.message().to_owned());
    Section { name, keys: fields_of::<T>(), check }
}

fn sections() -> [Section; 8] {
    [
        section::<DeviceSection>("device"),
        section::<BootstrapSection>("bootstrap"),
        section::<TlsSection>("tls"),
        section::<SessionSection>("session"),
        section::<LimitsSection>("limits"),
        section::<AccessSection>("access"),
        section::<DdfSection>("ddf"),
        section::<LogSection>("log"),
    ]
}

impl Config {
    /// Reads `file` (if given) and lays the variables of `environment` over it.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting and where it stands.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let sections = sections();
        let mut table = file.map_or_else(|| Ok(Table::new()), |path| read_file(path, &sections))?;
        for (variable, text) in environment {
            if let Some(name) = variable.strip_prefix(PREFIX) {
                lay_over(&mut table, &sections, &variable, name, &text)?;
            }
        }
        let config: Self = table.try_into().map_err(|error: toml::de::Error| ConfigError::Invalid {
            key: "configuration".to_owned(),
            problem: error.message().to_owned(),
        })?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |key: &str, problem: String| Err(ConfigError::Invalid { key: key.to_owned(), problem });
        if let Some(Err(problem)) = self.device.id.as_deref().map(device_id::check) {
            return refuse("device.id", problem.to_owned());
        }
        if self.session.poll_interval > MAX_POLL_INTERVAL {
            return refuse("session.poll_interval", format!("is more than {MAX_POLL_INTERVAL} seconds"));
        }
        let positive = [
            ("session.connect_timeout", self.session.connect_timeout),
            ("session.request_timeout", self.session.request_timeout),
            ("session.max_rounds", self.session.max_rounds),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => refuse(key, "has to be 1 or more".to_owned()),
            None => Ok(()),
        }
    }
}

fn read_file(path: &Path, sections: &[Section]) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let fault =
        |error: toml::de::Error| ConfigError::File { path: path.to_owned(), problem: error.to_string() };
    let table: Table = toml::from_str(&text).map_err(fault)?;
    let place = path.display().to_string();
    for (name, content) in &table {
        let section = known_section(sections, name, &place)?;
        for key in content.as_table().into_iter().flat_map(Table::keys) {
            known_key(section, key, &place)?;
        }
    }
    // Once as a whole, because only this way an error comes with line and column.
    toml::from_str::<Config>(&text).map_err(fault)?;
    Ok(table)
}

fn lay_over(
    table: &mut Table,
    sections: &[Section],
    variable: &str,
    name: &str,
    text: &str,
) -> Result<(), ConfigError> {
    let name = name.to_ascii_lowercase();
    let (section, key) = name.split_once("__").ok_or_else(|| ConfigError::Invalid {
        key: variable.to_owned(),
        problem: format!("is not of the form {PREFIX}SECTION__KEY"),
    })?;
    let section = known_section(sections, section, variable)?;
    let key = known_key(section, key, variable)?;
    let checked = |value: Value| {
        let candidate = Table::from_iter([(key.to_owned(), value.clone())]);
        (section.check)(candidate).map(|()| value)
    };
    // A value is text unless the setting wants something else.
    let value = checked(Value::String(text.to_owned())).or_else(|problem| {
        let parsed = toml::from_str::<Table>(&format!("value = {text}"))
            .ok()
            .and_then(|mut table| table.remove("value"));
        parsed.map_or(Err(problem), checked)
    });
    let value = value.map_err(|problem| ConfigError::Invalid { key: variable.to_owned(), problem })?;
    let entry = table.entry(section.name).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = entry {
        section.insert(key.to_owned(), value);
    }
    Ok(())
}

fn known_section<'s>(sections: &'s [Section], name: &str, place: &str) -> Result<&'s Section, ConfigError> {
    sections.iter().find(|section| section.name == name).ok_or_else(|| {
        let names: Vec<&'static str> = sections.iter().map(|section| section.name).collect();
        ConfigError::Unknown {
            place: place.to_owned(),
            name: format!("[{name}]"),
            nearest: nearest(&names, name),
        }
    })
}

fn known_key(section: &Section, name: &str, place: &str) -> Result<&'static str, ConfigError> {
    section.keys.iter().find(|key| **key == name).copied().ok_or_else(|| ConfigError::Unknown {
        place: place.to_owned(),
        name: format!("{}.{name}", section.name),
        nearest: nearest(section.keys, name),
    })
}

fn nearest(names: &[&'static str], wrong: &str) -> Option<&'static str> {
    let distance = |name: &&str| strsim::osa_distance(name, wrong);
    names.iter().min_by_key(|name| distance(name)).copied().filter(|name| distance(name) <= NEAR)
}

/// The field names of a struct, as its `Deserialize` asks for them.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Capture<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Capture<'_> {
        type Error = CaptureError;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, CaptureError> {
            *self.0 = fields;
            Err(CaptureError::custom("captured"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, CaptureError> {
            Err(CaptureError::custom("not a struct"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut fields: &'static [&'static str] = &[];
    // The answer is in `fields`; the result is the error above by design.
    drop(T::deserialize(Capture(&mut fields)));
    fields
}
