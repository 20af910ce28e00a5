//! `omadm store`: the store of a server, without the server.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use omadm_server::storage::{About, Moved, Place, place_of};
use serde_json::json;

use super::serve::Configured;
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// The store that a configuration names: look at it, upgrade it, back it up and restore it.
#[derive(Debug, Args)]
pub struct Store {
    #[command(flatten)]
    configured: Configured,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Look at its schema and for damage, and change nothing. Exit status 1 if this program cannot use it.
    Check,
    /// Bring its schema up to date, as the server does when it starts. Nodes of the version before may go on with it where `omadm store
    /// check` of theirs says so.
    Migrate,
    /// Write all of it, as it is at one instant, to a file that must not be there; the server may run meanwhile. The file holds secrets.
    Backup {
        /// The file.
        file: PathBuf,
    },
    /// Make a store of a backup, in an empty place; the backup may come from the other engine.
    Restore {
        /// The backup.
        file: PathBuf,
    },
}

impl Store {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let (config, _) = self.configured.load()?;
        let place = place_of(&config).map_err(|error| Failure::Failed(error.to_string()))?;
        let (what, output) = (self.what, global.output);
        // It waits for files and servers.
        let work = tokio::task::spawn_blocking(move || what.run(&place, output));
        work.await.map_err(|error| Failure::Failed(error.to_string()))?
    }
}

impl What {
    fn run(self, place: &Place, output: Format) -> Result<(), Failure> {
        let failed = |error: omadm_server::storage::StoreError| Failure::Failed(error.to_string());
        match self {
            Self::Check => {
                let about = place.check().map_err(failed)?;
                tell(&about, output)?;
                match about.usable {
                    true => Ok(()),
                    false => Err(Failure::Failed("this program cannot use the store".to_owned())),
                }
            }
            Self::Migrate => tell(&place.migrate().map_err(failed)?, output),
            Self::Backup { file } => {
                let failure = |error: std::io::Error| Failure::of_file("write", &file, &error);
                let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
                let created = created.map_err(failure)?;
                let mut out = BufWriter::new(&created);
                let moved = place.backup(&mut out).map_err(|error| {
                    // What is there of it is of no use.
                    let _removed = std::fs::remove_file(&file);
                    failed(error)
                })?;
                created.sync_all().map_err(failure)?;
                tell_moved(moved, "written", output)
            }
            Self::Restore { file } => {
                let opened = File::open(&file).map_err(|error| Failure::of_file("read", &file, &error))?;
                let moved = place.restore(&mut BufReader::new(opened)).map_err(failed)?;
                tell_moved(moved, "restored", output)
            }
        }
    }
}

fn tell(about: &About, output: Format) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(about);
    }
    let state = match (&about.problem, about.schema) {
        (Some(problem), _) => problem.clone(),
        (None, 0) => "it is empty; the server makes it when it starts".to_owned(),
        (None, schema) if schema < about.newest => "it is upgraded when the server starts".to_owned(),
        (None, schema) if schema > about.newest => {
            "it is newer, and this program still works on it".to_owned()
        }
        (None, _) => "it is up to date".to_owned(),
    };
    screen::line(&format!("schema {} of {}: {state}", about.schema, about.newest))?;
    about.damage.iter().try_for_each(|damage| screen::line(&format!("damaged: {damage}")))
}

fn tell_moved(moved: Moved, what: &str, output: Format) -> Result<(), Failure> {
    match output {
        Format::Json => screen::json(&json!({ "schema": moved.schema, "rows": moved.rows })),
        Format::Table => screen::line(&format!("{} rows of schema {} {what}", moved.rows, moved.schema)),
    }
}
