//! `omadm decode`: what a message says, or exactly where it is wrong.

mod card;
mod content;
mod ddf;
mod delegation;
mod envelope;
pub(super) mod hex;
pub(super) mod kind;
mod obex;
mod outline;
mod package0;
mod packages;
mod parts;
mod provisioning;
mod push;
mod syncml;
mod tnds;
mod wap;

use std::path::PathBuf;

use clap::Args;
use omadm_codec::{DecodeError, Leniency, Limits, ddf::line_and_column};
use serde_json::{Value, json};

use super::input;
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};
pub use ddf::{name_of, outline_of};
use kind::Kind;
pub use outline::Outline;

/// Read a DM message and say what is in it: packages 0 to 3, what carries notifications, multipart bodies, MO data, DDF files, TNDS, SyncML,
/// provisioning documents, and what is said to smartcards and stands in them.
///
/// A message that is wrong is answered with the place (line, column, byte) and what was expected there. Binary messages may
/// be given in hexadecimal digits. What peers send beside the
/// standard is accepted and named; --strict refuses it.
#[derive(Debug, Args)]
pub struct Decode {
    /// The file; standard input if it is `-` or not given.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// What it is; guessed if not given.
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    /// Boundary of a multipart body; that of its head or first delimiter if not given.
    #[arg(long)]
    boundary: Option<String>,
    /// Accept only what the standard allows.
    #[arg(long)]
    strict: bool,
}

/// What a message says, for people and for programs.
pub struct Decoded {
    /// One line a fact.
    pub outline: Outline,
    /// The same as JSON.
    pub content: Value,
    /// What a person should know beside it.
    pub warnings: Vec<String>,
}

/// Why a message does not decode.
pub enum Fault {
    /// It is wrong at a byte offset of the whole input.
    At(DecodeError),
    /// A part of a multipart body is wrong at an offset of its own.
    InPart {
        /// Number of the part, from 1.
        part: usize,
        /// Its body.
        body: Vec<u8>,
        /// Offset and reason.
        error: DecodeError,
    },
    /// The notification in a push message is wrong at an offset of its own.
    InNotification(DecodeError),
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::At(error)
    }
}

impl Decode {
    /// Does it.
    pub fn run(self, global: &Global) -> Result<(), Failure> {
        if self.boundary.is_some() && self.kind.is_some_and(|kind| kind != Kind::Multipart) {
            return Err(Failure::Usage("--boundary makes sense with --as multipart only".to_owned()));
        }
        let name = input::name(&self.file);
        let input = provisioning::without_head(&input::read(&self.file)?).to_vec();
        let kind = match (self.kind, &self.boundary) {
            (Some(kind), _) => kind,
            (None, Some(_)) => Kind::Multipart,
            (None, None) => kind::guess(&input)
                .map_err(|reason| Failure::Failed(format!("{name}: {reason}; say what it is with --as")))?,
        };
        let input = if kind.may_be_binary() { input::from_digits(input, &name)? } else { input };
        let mut leniency = if self.strict { Leniency::strict() } else { Leniency::lenient() };
        match decode(kind, &input, self.boundary.as_deref(), &mut leniency) {
            Ok(decoded) => print(global.output, kind, &input, &decoded, &leniency),
            Err(fault) => Err(refuse(global.output, kind, &name, &input, &fault)?),
        }
    }
}

/// Bounds of this tool: as wide as the file it read, otherwise those of the engines.
pub fn limits() -> Limits {
    Limits { bytes: input::MAX, ..Limits::default() }
}

fn decode(
    kind: Kind,
    input: &[u8],
    boundary: Option<&str>,
    leniency: &mut Leniency,
) -> Result<Decoded, Fault> {
    match kind {
        Kind::Notification => Ok(push::notification(input, leniency)?),
        Kind::Trigger => Ok(package0::trigger(input, leniency)?),
        Kind::Wsp => Ok(push::wsp(input, leniency)?),
        Kind::Wtp => Ok(wap::wtp(input, leniency)?),
        Kind::Obex => Ok(obex::packets(input, leniency)?),
        Kind::Sms => Ok(push::sms(input, leniency)?),
        Kind::Cloud => push::cloud(input, leniency),
        Kind::Sip => Ok(envelope::sip(input, leniency)?),
        Kind::HttpPush => Ok(envelope::nested(input, leniency)?),
        Kind::Pap => Ok(envelope::pap(input)?),
        Kind::Package1 => Ok(packages::initiation(input, leniency)?),
        Kind::Package2 => Ok(packages::request(input, leniency)?),
        Kind::Package3 => Ok(packages::response(input, leniency)?),
        Kind::Dmmo => Ok(content::mo_data(input, leniency)?),
        Kind::Ddf => Ok(ddf::file(input)?),
        Kind::Tnds => Ok(tnds::document(input, leniency)?),
        Kind::Syncml => Ok(syncml::message(input, leniency)?),
        Kind::Provisioning => Ok(provisioning::document(input, leniency)?),
        Kind::Delegation => Ok(delegation::document(input)?),
        Kind::Apdu => Ok(card::trace(input)?),
        Kind::EfDir => Ok(card::directory(input, leniency)?),
        Kind::Pkcs15 => Ok(card::pkcs15(input, leniency)?),
        Kind::Multipart => parts::multipart(input, boundary, leniency),
    }
}

fn print(
    output: Format,
    kind: Kind,
    input: &[u8],
    decoded: &Decoded,
    leniency: &Leniency,
) -> Result<(), Failure> {
    let used: Vec<&str> = leniency.used.iter().map(|tolerance| tolerance.as_str()).collect();
    if output == Format::Json {
        return screen::json(&json!({
            "kind": kind.as_str(),
            "media_type": kind.media_type(input),
            "bytes": input.len(),
            "tolerances": used,
            "warnings": decoded.warnings,
            "content": decoded.content,
        }));
    }
    let media_type = kind.media_type(input).map_or_else(String::new, |name| format!(" ({name})"));
    screen::line(&format!("{}{media_type}, {} bytes", kind.title(), input.len()))?;
    decoded.outline.print()?;
    for warning in &decoded.warnings {
        screen::line(&format!("Note: {}", screen::clean(warning)))?;
    }
    match used.as_slice() {
        [] => Ok(()),
        used => screen::line(&format!("Tolerated, --strict would refuse it: {}", used.join(", "))),
    }
}

/// The failure of a message that does not decode; programs get it as JSON as well.
fn refuse(output: Format, kind: Kind, name: &str, input: &[u8], fault: &Fault) -> Result<Failure, Failure> {
    let (part, text, error) = match fault {
        Fault::At(error) => (None, (!kind.is_binary(input)).then_some(input), error),
        Fault::InPart { part, body, error } => (Some(*part), Some(body.as_slice()), error),
        Fault::InNotification(error) => (None, None, error),
    };
    let position = text.map(|text| line_and_column(text, error.at));
    if output == Format::Json {
        screen::json(&json!({
            "kind": kind.as_str(),
            "error": {
                "part": part, "at": error.at, "line": position.map(|(line, _)| line), "column": position.map(|(_, column)| column),
                "field": error.field, "problem": error.problem.to_string(),
            },
        }))?;
    }
    let place = match (part, position) {
        (Some(part), Some((line, column))) => {
            format!("{name}: part {part}, line {line}, column {column} of it")
        }
        (None, Some((line, column))) => format!("{name}:{line}:{column}"),
        (_, None) => format!("{name}:"),
    };
    Ok(Failure::Failed(format!(
        "{place} (byte {}): {} of {}: {}",
        error.at,
        error.field,
        kind.title(),
        error.problem
    )))
}
