//! `omadm page`: pages for the users of devices.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::api::{Query, segment};
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Pages that devices show to their users; `omadm run DEVICE show PAGE` has one shown.
#[derive(Debug, Subcommand)]
pub enum Page {
    /// List the pages.
    Ls,
    /// Print a page as it was put.
    Show {
        /// Its name.
        name: String,
    },
    /// Keep a page, in place of one of that name. What devices show already stays as it is.
    Put {
        /// The definition: JSON such as {"kind":"consent","title":"Update now?"}. Kinds are notice, consent, choice and form.
        file: PathBuf,
        /// Its name on the server; that of the file, without `.json`, if not given.
        #[arg(long)]
        name: Option<String>,
    },
    /// Remove a page.
    Rm {
        /// Its name.
        name: String,
    },
}

impl Page {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let api = global.api()?;
        match self {
            Self::Ls => {
                let items = api.list("/pages", &Query::new(), None).await?;
                list(global.output, &items)
            }
            Self::Show { name } => {
                let answer = api.get(&format!("/pages/{}", segment(&name))).await?;
                match global.output {
                    Format::Json => screen::json(&answer),
                    Format::Table => screen::json(answer.get("page").unwrap_or(&answer)),
                }
            }
            Self::Put { file, name } => {
                let octets = std::fs::read(&file).map_err(|error| Failure::of_file("read", &file, &error))?;
                let name = name.or_else(|| stem(&file)).ok_or_else(|| {
                    Failure::Usage(format!("{} has no file name; give one with --name", file.display()))
                })?;
                api.put(&format!("/pages/{}", segment(&name)), "application/json", octets.into()).await?;
                match global.output {
                    Format::Json => screen::json(&json!({ "name": name })),
                    Format::Table => screen::line(&format!("The page {name} is stored.")),
                }
            }
            Self::Rm { name } => {
                api.delete(&format!("/pages/{}", segment(&name))).await?;
                match global.output {
                    Format::Json => screen::json(&json!({ "removed": name })),
                    Format::Table => screen::line(&format!("The page {name} is removed.")),
                }
            }
        }
    }
}

fn stem(file: &Path) -> Option<String> {
    file.file_stem().map(|name| name.to_string_lossy().into_owned())
}

fn list(output: Format, items: &[Value]) -> Result<(), Failure> {
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let text = |item: &Value, pointer: &str| {
        item.pointer(pointer).and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
    };
    let rows = items.iter().map(|item| {
        let stored = screen::age(&text(item, "/stored"), now);
        vec![text(item, "/name"), text(item, "/page/kind"), text(item, "/page/title"), stored]
    });
    screen::table(&["NAME", "KIND", "TITLE", "STORED"], rows.collect(), "There is no page.")
}
