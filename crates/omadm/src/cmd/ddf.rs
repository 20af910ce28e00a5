//! `omadm ddf`: device description files.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use omadm_codec::ddf::{self as codec, Decoded, line_and_column};
use omadm_codec::{Limits, Problem};
use omadm_mo::Moid;
use omadm_mo::ddf::{Catalogue, DdfNode, Definition, DfType};
use omadm_server::STANDARD_DDFS;
use serde_json::{Value, json};

use crate::api::{Api, Query, segment};
use crate::cli::Global;
use crate::cmd::decode::{name_of, outline_of};
use crate::failure::Failure;
use crate::screen::{self, Format};

/// Device description files.
#[derive(Debug, Subcommand)]
pub enum Ddf {
    /// Read files and say what is wrong with them, with line and column. Of the standard management objects it also says which
    /// required nodes they do not describe.
    Check {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print the described nodes too.
        #[arg(long)]
        nodes: bool,
    },
    /// List the files that the server has.
    Ls,
    /// Print a file that the server has.
    Get {
        /// Its name.
        name: String,
    },
    /// Print the nodes that a file of the server describes: format, occurrence, scope, access types and title.
    Show {
        /// Its name.
        name: String,
    },
    /// Check a file, then give it to the server.
    Put {
        /// The file.
        file: PathBuf,
        /// Its name on the server; that of the file if not given.
        #[arg(long)]
        name: Option<String>,
    },
    /// Remove a file; one that the server comes with is there again when what an operator put in its place goes.
    Rm {
        /// Its name.
        name: String,
    },
}

impl Ddf {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Check { files, nodes } => check(global.output, &files, nodes),
            Self::Ls => list(&global.api()?, global.output).await,
            Self::Get { name } => {
                let answer = global.api()?.get_bytes(&format!("/ddfs/{}", segment(&name))).await?;
                screen::raw(&answer)
            }
            Self::Show { name } => show(&global.api()?, global.output, &name).await,
            Self::Rm { name } => remove(&global.api()?, global.output, &name).await,
            Self::Put { file, name } => put(&global.api()?, global.output, &file, name).await,
        }
    }
}

/// A file that was read, or what is wrong with it.
struct Checked {
    file: PathBuf,
    result: Result<Decoded, Fault>,
    /// Required nodes that are not described.
    missing: Vec<Missing>,
}

impl Checked {
    fn new(file: &Path, result: Result<Decoded, Fault>, standard: &Catalogue) -> Self {
        let missing = result.as_ref().map(|decoded| missing(decoded, standard)).unwrap_or_default();
        Self { file: file.to_owned(), result, missing }
    }

    /// What is wrong, for people.
    fn faults(&self) -> Vec<String> {
        let told = |missing: &Missing| {
            let Missing { moid, path } = missing;
            format!("{}: {path} of {moid} is required and not described", self.file.display())
        };
        match &self.result {
            Ok(_) => self.missing.iter().map(told).collect(),
            Err(fault) => vec![fault.told(&self.file)],
        }
    }
}

/// A required node that is not described though its parent is.
struct Missing {
    moid: Moid,
    path: String,
}

/// The standard management objects.
fn standard() -> Catalogue {
    let mut catalogue = Catalogue::new();
    for (name, text) in STANDARD_DDFS {
        if let Ok(decoded) = decode(text.as_bytes()) {
            catalogue.add(&decoded.ddf, name);
        }
    }
    catalogue
}

fn missing(decoded: &Decoded, standard: &Catalogue) -> Vec<Missing> {
    let mut described = Catalogue::new();
    described.add(&decoded.ddf, "");
    let of = |definition: &Definition| {
        let demanding = standard.get(definition.moid.as_str());
        let paths = demanding.map(|demanding| demanding.missing_in(definition)).unwrap_or_default();
        let moid = definition.moid.clone();
        paths.into_iter().map(move |path| Missing { moid: moid.clone(), path })
    };
    described.iter().flat_map(|definition| of(definition)).collect()
}

/// Where a file is wrong, and how.
struct Fault {
    line: usize,
    column: usize,
    field: &'static str,
    problem: Problem,
}

impl Fault {
    fn told(&self, file: &Path) -> String {
        format!("{}:{}:{}: {}: {}", file.display(), self.line, self.column, self.field, self.problem)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::of_file("read", file, &error))
}

fn decode(text: &[u8]) -> Result<Decoded, Fault> {
    codec::decode(text, &Limits::default()).map_err(|error| {
        let (line, column) = line_and_column(text, error.at);
        Fault { line, column, field: error.field, problem: error.problem }
    })
}

fn check(output: Format, files: &[PathBuf], nodes: bool) -> Result<(), Failure> {
    let standard = standard();
    let checked = files
        .iter()
        .map(|file| Ok(Checked::new(file, decode(&read(file)?), &standard)))
        .collect::<Result<Vec<_>, Failure>>()?;
    match output {
        Format::Json => screen::json(&checked.iter().map(checked_json).collect::<Vec<_>>())?,
        Format::Table => {
            for one in &checked {
                tell(one, nodes)?;
            }
        }
    }
    let faults: Vec<String> = checked.iter().flat_map(Checked::faults).collect();
    if faults.is_empty() { Ok(()) } else { Err(Failure::Failed(faults.join("\nomadm: "))) }
}

fn tell(checked: &Checked, nodes: bool) -> Result<(), Failure> {
    // What is wrong goes to standard error with the exit status.
    let Ok(decoded) = &checked.result else { return Ok(()) };
    let count: usize = decoded.ddf.nodes.iter().map(count).sum();
    let objects: Vec<String> = decoded.ddf.nodes.iter().map(object).collect();
    let verdict = if checked.missing.is_empty() { "good" } else { "not complete" };
    screen::line(&format!("{}: {verdict}, {count} nodes; {}", checked.file.display(), objects.join(", ")))?;
    for warning in &decoded.warnings {
        screen::line(&format!("{}: note: {}", checked.file.display(), screen::clean(warning)))?;
    }
    if nodes { outline_of(&decoded.ddf).print() } else { Ok(()) }
}

fn checked_json(checked: &Checked) -> Value {
    match &checked.result {
        Ok(decoded) => json!({
            "file": checked.file,
            "good": checked.missing.is_empty(),
            "missing": checked.missing.iter().map(|missing| json!({ "moid": missing.moid.as_str(), "path": missing.path }))
                .collect::<Vec<_>>(),
            "nodes": decoded.ddf.nodes.iter().map(count).sum::<usize>(),
            "objects": decoded.ddf.nodes.iter().map(object).collect::<Vec<_>>(),
            "warnings": decoded.warnings,
        }),
        Err(fault) => json!({
            "file": checked.file,
            "good": false,
            "line": fault.line,
            "column": fault.column,
            "field": fault.field,
            "problem": fault.problem.to_string(),
        }),
    }
}

/// Nodes at and below a node. The decoder bounds the depth.
fn count(node: &DdfNode) -> usize {
    node.children.iter().map(count).sum::<usize>().saturating_add(1)
}

fn object(node: &DdfNode) -> String {
    match &node.df_type {
        Some(DfType::DdfName(moid)) if !moid.is_empty() => moid.clone(),
        _ => name_of(node),
    }
}

async fn list(api: &Api, output: Format) -> Result<(), Failure> {
    let items = api.list("/ddfs", &Query::new(), None).await?;
    if output == Format::Json {
        return screen::json(&items);
    }
    let now = jiff::Timestamp::now();
    let rows = items.iter().map(|item| {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let moids = item.get("moids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let moids: Vec<&str> = moids.iter().filter_map(Value::as_str).collect();
        let stored = item.get("stored").and_then(Value::as_str);
        let age = stored.map_or_else(|| "with the server".to_owned(), |time| screen::age(time, now));
        vec![text("name"), moids.join(", "), age]
    });
    screen::table(&["NAME", "MANAGEMENT OBJECTS", "STORED"], rows.collect(), "The server has no DDF file.")
}

async fn show(api: &Api, output: Format, name: &str) -> Result<(), Failure> {
    let path = format!("/ddfs/{}", segment(name));
    if output == Format::Json {
        return screen::json(&api.get(&format!("{path}/model")).await?);
    }
    let text = api.get_bytes(&path).await?;
    let result = decode(&text);
    if let Err(fault) = &result {
        return Err(Failure::Failed(fault.told(Path::new(name))));
    }
    tell(&Checked { file: name.into(), result, missing: Vec::new() }, true)
}

async fn remove(api: &Api, output: Format, name: &str) -> Result<(), Failure> {
    api.delete(&format!("/ddfs/{}", segment(name))).await?;
    match output {
        Format::Json => screen::json(&json!({ "removed": name })),
        Format::Table => screen::line(&format!("{name} is removed.")),
    }
}

async fn put(api: &Api, output: Format, file: &Path, name: Option<String>) -> Result<(), Failure> {
    let text = read(file)?;
    decode(&text).map_err(|fault| Failure::Failed(fault.told(file)))?;
    let name = match name.or_else(|| file.file_name().map(|name| name.to_string_lossy().into_owned())) {
        Some(name) => name,
        None => {
            return Err(Failure::Usage(format!("{} has no file name; give one with --name", file.display())));
        }
    };
    api.put(&format!("/ddfs/{}", segment(&name)), "application/vnd.syncml.dmddf+xml", text.into()).await?;
    match output {
        Format::Json => screen::json(&json!({ "name": name })),
        Format::Table => screen::line(&format!("{name} is stored.")),
    }
}
