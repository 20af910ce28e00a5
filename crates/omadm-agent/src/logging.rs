//! Logging to standard error, with a level that can be changed while running.

use std::io::IsTerminal as _;

use omadm_config::LogForm;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, reload};

use crate::config::LogLevel;

/// Changes the level.
#[derive(Clone, Debug, Default)]
pub struct Logging(Option<reload::Handle<LevelFilter, Registry>>);

impl Logging {
    /// Starts logging at this level, in this form.
    pub fn start(level: LogLevel, form: LogForm) -> Self {
        let (filter, handle) = reload::Layer::new(filter(level));
        let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
        let lines = match form {
            LogForm::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
            LogForm::Json => lines.json().boxed(),
        };
        match tracing_subscriber::registry().with(filter).with(lines).try_init() {
            Ok(()) => Self(Some(handle)),
            Err(_) => Self(None),
        }
    }

    /// Logs at this level from now on.
    pub fn set(&self, level: LogLevel) {
        if let Some(Err(error)) = self.0.as_ref().map(|handle| handle.reload(filter(level))) {
            tracing::warn!("the log level cannot be changed: {error}");
        }
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
