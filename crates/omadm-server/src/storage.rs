//! The store that the configuration names: to serve from, or to look after without a server.

use omadm_store::postgres::PostgresConfig;
use omadm_store::sqlite::SqliteConfig;
pub use omadm_store::{About, Moved, Place, StoreError};
use omadm_store::{SqlStore, StoredSecret};

use crate::config::{Config, StoreSection};
use crate::error::ServerError;

/// Most octets of a password.
const MAX_PASSWORD: usize = 4096;

/// Opens the store of a server, and brings its schema up to date.
///
/// # Errors
/// [`ServerError`] says what is in the way.
pub async fn open_store(config: &Config) -> Result<SqlStore, ServerError> {
    match &config.store.url {
        Some(url) => Ok(SqlStore::connect(postgres(&config.store, url)?).await?),
        None => Ok(SqlStore::open(&config.store_path(), sqlite(&config.store))?),
    }
}

/// Where the store of a server is.
///
/// # Errors
/// When the file with the password of PostgreSQL cannot be read.
pub fn place_of(config: &Config) -> Result<Place, ServerError> {
    match &config.store.url {
        Some(url) => Ok(Place::Postgres(Box::new(postgres(&config.store, url)?))),
        None => Ok(Place::Sqlite(config.store_path())),
    }
}

fn sqlite(section: &StoreSection) -> SqliteConfig {
    let default = SqliteConfig::default();
    SqliteConfig {
        readers: section.readers.unwrap_or(default.readers),
        group: section.group.unwrap_or(default.group),
    }
}

fn postgres(section: &StoreSection, url: &str) -> Result<PostgresConfig, ServerError> {
    let default = PostgresConfig::default();
    Ok(PostgresConfig {
        url: url.to_owned(),
        password: password(section)?,
        ca_file: section.ca_file.clone(),
        pooled: section.pooled,
        writers: section.writers,
        readers: section.readers.unwrap_or(default.readers),
        group: section.group.unwrap_or(default.group),
        connect_timeout: section.connect_timeout.0,
        statement_timeout: section.statement_timeout.0,
        event_delay: section.event_delay.0,
    })
}

fn password(section: &StoreSection) -> Result<Option<StoredSecret>, ServerError> {
    let Some(path) = &section.password_file else {
        return Ok(std::env::var("PGPASSWORD").ok().map(|text| text.into_bytes().into()));
    };
    let failed = |source| ServerError::File { what: "store.password_file", path: path.clone(), source };
    let mut octets = std::fs::read(path).map_err(failed)?;
    if octets.len() > MAX_PASSWORD {
        let problem = format!("has more than {MAX_PASSWORD} octets; is it the right file?");
        return Err(failed(std::io::Error::other(problem)));
    }
    while octets.last().is_some_and(u8::is_ascii_whitespace) {
        octets.pop();
    }
    Ok(Some(octets.into()))
}
