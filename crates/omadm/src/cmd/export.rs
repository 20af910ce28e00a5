//! `omadm export`: the inventory as a table.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;

use crate::api::Query;
use crate::cli::Global;
use crate::cmd::filter;
use crate::cmd::import::Table;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Export devices without their credentials: as CSV, or with `--format json` (or `--output json`) as a JSON object in each line.
#[derive(Debug, Args)]
pub struct Export {
    /// Which devices, such as 'label:site = A and seen < 2d'. Default: all.
    #[arg(long)]
    filter: Option<String>,
    /// Columns, separated by commas, such as id,model,label:site.
    #[arg(long)]
    columns: Option<String>,
    /// The form of the table.
    #[arg(long, value_enum)]
    format: Option<Table>,
    /// Write it to this file. Default: standard output.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Export {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        let format = self.format.unwrap_or(match global.output {
            Format::Json => Table::Json,
            Format::Table => Table::Csv,
        });
        let wanted = self.filter.as_deref();
        let query = Query::new().with("format", format.as_str()).with_some("filter", wanted);
        let target = query.with_some("columns", self.columns.as_deref()).onto("/devices/export");
        let mut parts = api.download(&target).await.map_err(|error| filter::pointed(error, wanted))?;
        let Some(file) = self.file else {
            while let Some(part) = parts.next().await? {
                screen::raw(&part)?;
            }
            return Ok(());
        };
        let failure = |error: std::io::Error| Failure::of_file("write", &file, &error);
        let mut to = BufWriter::new(File::create(&file).map_err(failure)?);
        while let Some(part) = parts.next().await? {
            to.write_all(&part).map_err(failure)?;
        }
        to.flush().map_err(failure)
    }
}
