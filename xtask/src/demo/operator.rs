//! The operator's commands, typed for the reader.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::Place;
use crate::workspace::Result;

/// Runs `omadm` against the server of the demo.
pub(super) struct Operator {
    program: PathBuf,
    url: String,
    token_file: PathBuf,
}

impl Operator {
    pub(super) fn new(place: &Place) -> Self {
        Self {
            program: place.programs.join("omadm"),
            url: place.operator_url(),
            token_file: place.token_file(),
        }
    }

    /// Runs a command that has to succeed.
    pub(super) fn run<S: AsRef<str>>(&self, words: &[S]) -> Result<Output> {
        let output = self.output(words)?;
        if output.status.success() {
            return Ok(output);
        }
        let typed = typed(words);
        Err(format!("$ {typed}\n{}{}", text(&output.stdout), text(&output.stderr)).into())
    }

    /// Runs a command that has to succeed, shows it with what it says, and gives that.
    pub(super) fn show(&self, words: &[&str]) -> Result<String> {
        println!("\n$ {}", typed(words));
        let said = text(&self.run(words)?.stdout);
        print!("{said}");
        Ok(said)
    }

    /// Runs a command that has to be refused, shows it, and gives the sentence that explains it.
    pub(super) fn show_refused(&self, words: &[&str]) -> Result<String> {
        println!("\n$ {}", typed(words));
        let output = self.output(words)?;
        if output.status.success() {
            return Err("the command succeeded, but it has to be refused".into());
        }
        let said = text(&output.stderr);
        let (warnings, failures): (Vec<_>, Vec<_>) =
            said.lines().partition(|line| line.starts_with("omadm: warning:"));
        warnings.iter().for_each(|warning| println!("{warning}"));
        print!("{}", text(&output.stdout));
        match failures.last().and_then(|line| line.strip_prefix("omadm: ")) {
            Some(sentence) if !sentence.is_empty() => Ok(sentence.to_owned()),
            _ => Err("the command was refused without a sentence".into()),
        }
    }

    /// The result of a command as JSON.
    pub(super) fn json(&self, words: &[&str]) -> Result<serde_json::Value> {
        let output = self.run(&[words, &["--output", "json"]].concat())?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn output<S: AsRef<str>>(&self, words: &[S]) -> Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(words.iter().map(AsRef::as_ref)).env_remove("OMADM_TOKEN");
        command.env("OMADM_SERVER", &self.url).env("OMADM_TOKEN_FILE", &self.token_file);
        command.output().map_err(|error| format!("{}: {error}", self.program.display()).into())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The command as a person would type it.
fn typed<S: AsRef<str>>(words: &[S]) -> String {
    let quoted = |word: &S| {
        let word = word.as_ref();
        if word.contains([' ', '*', '(']) { format!("'{word}'") } else { word.to_owned() }
    };
    format!("omadm {}", words.iter().map(quoted).collect::<Vec<_>>().join(" "))
}
