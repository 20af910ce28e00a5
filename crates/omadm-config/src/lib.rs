//! Configuration of our programs: one TOML file with environment variables over it, every value with its origin.
//!
//! Here: reading both, the nearest name for a wrong one, settings with units, and the choices that all programs share. Never here:
//! what any setting does.
//!
//! A program's configuration is a struct of sections, which are structs of settings; all of them have defaults:
//!
//! ```
//! use omadm_config::{ConfigError, Fault, Span, load};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Default, Serialize, Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config {
//!     session: Session,
//! }
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Session {
//!     timeout: Span,
//! }
//!
//! impl Default for Session {
//!     fn default() -> Self {
//!         Self { timeout: Span::secs(60) }
//!     }
//! }
//!
//! fn read(variable: (&str, &str)) -> Result<Config, ConfigError> {
//!     let variables = [(variable.0.into(), variable.1.into())];
//!     load::<Config>(None, "LAMP_", variables.into_iter())?.check(|config| {
//!         let instant = config.session.timeout == Span::secs(0);
//!         if instant { Err(Fault::new("session.timeout", "has to be longer")) } else { Ok(()) }
//!     })
//! }
//!
//! assert_eq!(read(("LAMP_SESSION__TIMEOUT", "5 min")).unwrap().session.timeout, Span::secs(300));
//! assert_eq!(
//!     read(("LAMP_SESSION__TIMEOUT", "0")).unwrap_err().to_string(),
//!     "the environment variable LAMP_SESSION__TIMEOUT: session.timeout: has to be longer",
//! );
//! ```

mod error;
mod form;
mod load;
mod names;
mod units;

pub use error::{ConfigError, Fault, Origin, Origins};
pub use form::LogForm;
pub use load::{Loaded, load};
pub use names::nearest;
pub use units::{Size, Span};
