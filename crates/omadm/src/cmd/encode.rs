//! `omadm encode`: a document of DM 1.x from one encoding into another.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use omadm_codec::dm1::{self, Command, Form, WbxmlVersion, tnds};
use omadm_codec::{DecodeError, Leniency, ddf};

use super::decode::{self, hex, kind};
use super::input;
use crate::failure::Failure;
use crate::screen;

/// Write a document of DM 1.x in WBXML or in XML, whichever of them it is in.
///
/// A binary document may be given in hexadecimal digits. What peers write beside the standard is accepted and put right, with a warning.
#[derive(Debug, Args)]
pub struct Encode {
    /// The file; standard input if it is `-` or not given.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// What it is.
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Kind,
    /// What to write it in.
    #[arg(long, value_enum, value_name = "ENCODING", default_value_t)]
    to: Target,
    /// Write WBXML in hexadecimal digits.
    #[arg(long)]
    hex: bool,
    /// Where to write it; standard output if not given.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

/// Kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A part of a tree.
    Tnds,
    /// A device description file.
    Ddf,
    /// A SyncML message.
    Syncml,
}

/// What a document can be written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Target {
    /// WBXML 1.3.
    #[default]
    Wbxml,
    /// XML.
    Xml,
}

impl Encode {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        if self.hex && self.to == Target::Xml {
            return Err(Failure::Usage("--hex makes sense with --to wbxml only".to_owned()));
        }
        let binary = self.to == Target::Wbxml && !self.hex;
        if binary && self.output_file.is_none() && std::io::stdout().is_terminal() {
            let text = "octets are nothing for a terminal: give --hex, or --output-file";
            return Err(Failure::Usage(text.to_owned()));
        }
        let name = input::name(&self.file);
        let input = input::from_digits(input::read(&self.file)?, &name)?;
        let (written, warnings) = self.kind.encode(&input, self.to).map_err(|error| {
            Failure::Failed(format!(
                "{name} (byte {}): {} of {}: {}",
                error.at,
                error.field,
                self.kind.title(),
                error.problem
            ))
        })?;
        warnings.iter().for_each(|warning| screen::warn(warning));
        let written = if self.hex { format!("{}\n", hex::digits(&written)).into_bytes() } else { written };
        match &self.output_file {
            Some(file) => {
                std::fs::write(file, &written).map_err(|error| Failure::of_file("write", file, &error))
            }
            None => screen::raw(&written),
        }
    }
}

impl Kind {
    fn title(self) -> &'static str {
        match self {
            Self::Tnds => kind::Kind::Tnds.title(),
            Self::Ddf => kind::Kind::Ddf.title(),
            Self::Syncml => kind::Kind::Syncml.title(),
        }
    }

    /// The document in the other encoding, and what a person should know of the one that was read.
    fn encode(self, input: &[u8], to: Target) -> Result<(Vec<u8>, Vec<String>), DecodeError> {
        match self {
            Self::Tnds => {
                let mut leniency = Leniency::lenient();
                let snapshot = tnds::read(input, kind::encoding(input), &decode::limits(), &mut leniency)?;
                Ok((tnds::write(&snapshot, to.form()), warnings(leniency)))
            }
            Self::Syncml => {
                let mut leniency = Leniency::lenient();
                let decoded = dm1::decode(input, kind::encoding(input), &decode::limits(), &mut leniency)?;
                let mut warnings = warnings(leniency);
                push_unknown(&decoded.message.commands, &mut warnings);
                Ok((dm1::encode(&decoded.message, to.form()), warnings))
            }
            Self::Ddf => {
                let decoded = ddf::decode(input, &decode::limits())?;
                let mut out = Vec::new();
                match to {
                    Target::Wbxml => out = ddf::encode_wbxml(&decoded.ddf),
                    Target::Xml => ddf::encode(&decoded.ddf, &mut out),
                }
                Ok((out, decoded.warnings))
            }
        }
    }
}

impl Target {
    fn form(self) -> Form {
        match self {
            Self::Wbxml => Form::Wbxml(WbxmlVersion::V1_3),
            Self::Xml => Form::Xml,
        }
    }
}

fn warnings(leniency: Leniency) -> Vec<String> {
    let warning = |tolerance| format!("not as the standard has it: {tolerance}");
    leniency.used.into_iter().map(warning).collect()
}

/// Tells of commands that no encoder writes. The decoder bounds the depth, so recursion is bounded too.
fn push_unknown(commands: &[Command<'_>], warnings: &mut Vec<String>) {
    for command in commands {
        match command {
            Command::Unknown(unknown) => {
                warnings.push(format!("{} was left out: DM does not know it", unknown.name));
            }
            Command::Container(container) => push_unknown(&container.commands, warnings),
            _ => {}
        }
    }
}
