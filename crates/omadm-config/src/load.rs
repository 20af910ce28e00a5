//! Reading a configuration: the file, then the environment over it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Table, Value};

use crate::names::{Key, Sections};
use crate::{ConfigError, Fault, Origin, Origins};

/// What stands between section and key in an environment variable.
const SEPARATOR: &str = "__";

/// A configuration that is well-formed and waits for its program's own check.
#[derive(Debug)]
#[must_use]
pub struct Loaded<C> {
    config: C,
    origins: Origins,
}

impl<C> Loaded<C> {
    /// The configuration, if `check` finds no fault in it.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the fault and the origin of the value.
    pub fn check(self, check: impl FnOnce(&C) -> Result<(), Fault>) -> Result<C, ConfigError> {
        self.check_with_origins(check).map(|(config, _)| config)
    }

    /// The configuration and where its values came from, if `check` finds no fault in it.
    ///
    /// # Errors
    /// As [`Loaded::check`].
    pub fn check_with_origins(
        self,
        check: impl FnOnce(&C) -> Result<(), Fault>,
    ) -> Result<(C, Origins), ConfigError> {
        match check(&self.config) {
            Ok(()) => Ok((self.config, self.origins)),
            Err(Fault { key, problem }) => {
                let origin = self.origins.of(key).clone();
                Err(ConfigError::Invalid { key: key.to_owned(), origin, problem })
            }
        }
    }
}

/// Reads `file` (if given) and lays those variables of `env` over it whose names are `env_prefix`, then `SECTION__KEY`.
///
/// Fields of `C` are sections, their fields are settings, and all have a default (`#[serde(default)]`), whose type in TOML says
/// how the text of a variable is read. A list is written as in TOML, or as texts with commas between them.
///
/// Variables below a prefix that ends in `__` are settings, all of them. Below another prefix, those without `__` are somebody
/// else's and left alone.
///
/// # Errors
/// [`ConfigError`] names the setting and where it stands; an unknown one comes with the nearest name there is.
pub fn load<C>(
    file: Option<&Path>,
    env_prefix: &str,
    env: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Loaded<C>, ConfigError>
where
    C: DeserializeOwned + Serialize + Default,
{
    let sections = Sections::of::<C>();
    let mut given = Given::new();
    if let Some(path) = file {
        read_file(path, &sections, &mut given)?;
    }
    read_environment::<C>(env_prefix, env, &sections, &mut given)?;
    for (key, (value, origin)) in &given {
        if let Some(problem) = refusal::<C>(*key, value.clone()) {
            return Err(invalid(key, origin, problem));
        }
    }
    let values = given.iter().map(|(key, (value, _))| (*key, value.clone()));
    let config = table(values).try_into().map_err(|error: toml::de::Error| {
        invalid(&"configuration", &Origin::Default, error.message().to_owned())
    })?;
    let mut origins = Origins::default();
    for (key, (_, origin)) in given {
        origins.note(key.to_string(), origin);
    }
    Ok(Loaded { config, origins })
}

/// The values that somebody gave.
type Given = BTreeMap<Key, (Value, Origin)>;

fn read_file(path: &Path, sections: &Sections, given: &mut Given) -> Result<(), ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let table = DeTable::parse(&text)
        .map_err(|error| ConfigError::Syntax { path: path.to_owned(), problem: error.to_string() })?;
    let origin = |at: usize| Origin::File {
        path: path.to_owned(),
        line: text.get(..at).map_or(1, |before| before.matches('\n').count() + 1),
    };
    for (name, content) in table.into_inner() {
        let (at, name) = (origin(name.span().start), name.into_inner());
        let section = sections.section(&name, &at)?;
        let DeValue::Table(content) = content.into_inner() else {
            return Err(invalid(&name, &at, format!("is a section; write [{name}] and its keys below")));
        };
        for (name, value) in content {
            let at = origin(name.span().start);
            let key = section.key(name.get_ref(), &at)?;
            let value = owned(value).map_err(|error| invalid(&key, &at, error.message().to_owned()))?;
            given.insert(key, (value, at));
        }
    }
    Ok(())
}

fn owned(value: Spanned<DeValue<'_>>) -> Result<Value, toml::de::Error> {
    Value::deserialize(ValueDeserializer::from(value))
}

fn read_environment<C>(
    prefix: &str,
    env: impl Iterator<Item = (OsString, OsString)>,
    sections: &Sections,
    given: &mut Given,
) -> Result<(), ConfigError>
where
    C: DeserializeOwned + Serialize + Default,
{
    let defaults = Table::try_from(C::default()).unwrap_or_default();
    for (name, text) in env {
        // Settings have names of ASCII; what is no Unicode cannot be one.
        let Some((name, below)) = name.to_str().and_then(|name| Some((name, name.strip_prefix(prefix)?)))
        else {
            continue;
        };
        let origin = Origin::Environment(name.to_owned());
        let below = below.to_ascii_lowercase();
        let Some((section, key)) = below.split_once(SEPARATOR) else {
            if prefix.ends_with(SEPARATOR) {
                let problem = format!("is no setting; write {prefix}SECTION{SEPARATOR}KEY");
                return Err(invalid(&below, &origin, problem));
            }
            continue;
        };
        let key = sections.section(section, &origin)?.key(key, &origin)?;
        let text =
            text.into_string().map_err(|_| invalid(&key, &origin, "is not Unicode text".to_owned()))?;
        let default = defaults.get(key.section).and_then(|section| section.get(key.name));
        given.insert(key, (typed::<C>(key, text, default), origin));
    }
    Ok(())
}

/// The text of a variable in the type that the setting has; what does not fit stays text and is refused later.
fn typed<C: DeserializeOwned>(key: Key, text: String, default: Option<&Value>) -> Value {
    let parsed = match default {
        Some(Value::String(_)) => None,
        Some(Value::Boolean(_)) => text.parse().ok().map(Value::Boolean),
        Some(Value::Integer(_)) => text.parse().ok().map(Value::Integer),
        Some(Value::Array(_)) => Some(list(&text)),
        // Nothing says which type a setting without a default has: text, if text will do.
        Some(Value::Float(_) | Value::Datetime(_) | Value::Table(_)) | None => {
            refusal::<C>(key, Value::String(text.clone())).and_then(|_| text.parse().ok())
        }
    };
    parsed.unwrap_or(Value::String(text))
}

/// A list as TOML writes it, or texts with commas between them.
fn list(text: &str) -> Value {
    if let Ok(list @ Value::Array(_)) = text.trim().parse() {
        return list;
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Value::Array(items.map(Value::from).collect())
}

/// What is wrong with a value, looked at alone, so that its origin can be named.
fn refusal<C: DeserializeOwned>(key: Key, value: Value) -> Option<String> {
    let alone = table([(key, value)].into_iter()).try_into::<C>();
    alone.err().map(|error| error.message().to_owned())
}

/// Values as a file would hold them.
fn table(values: impl Iterator<Item = (Key, Value)>) -> Table {
    let mut table = Table::new();
    for (key, value) in values {
        let section = table.entry(key.section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = section {
            section.insert(key.name.to_owned(), value);
        }
    }
    table
}

fn invalid(key: &dyn std::fmt::Display, origin: &Origin, problem: String) -> ConfigError {
    ConfigError::Invalid { key: key.to_string(), origin: origin.clone(), problem }
}
