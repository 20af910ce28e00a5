//! Where a value came from, and why it cannot be used.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

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
    /// An argument of the program.
    Argument(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::Argument(name) => write!(f, "the argument {name}"),
        }
    }
}

/// Where the values of a configuration came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Where the value of a setting (`section.key`) came from; for what stands in a table of its own (`section.key.name`), where that
    /// came from.
    #[must_use]
    pub fn of(&self, key: &str) -> &Origin {
        let names = std::iter::successors(Some(key), |key| key.rsplit_once('.').map(|(above, _)| above));
        names.into_iter().find_map(|name| self.0.get(name)).unwrap_or(&Origin::Default)
    }

    /// Notes where the value of a setting (`section.key`) comes from now.
    pub fn note(&mut self, key: impl Into<String>, origin: Origin) {
        self.0.insert(key.into(), origin);
    }
}

/// What a program finds wrong with a well-formed value; the loader adds its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `section.key`.
    pub key: &'static str,
    /// What is wrong with it, such as `has to be 1 or more`.
    pub problem: String,
}

impl Fault {
    /// A fault of the setting `section.key`.
    pub fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self { key, problem: problem.into() }
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
