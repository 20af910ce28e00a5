//! Output: tables and sentences for people, JSON for programs.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::failure::Failure;

/// Narrowest terminal, in columns, to which tables are fitted.
const NARROWEST: u16 = 40;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables and sentences.
    #[default]
    Table,
    /// JSON, and nothing else, on standard output.
    Json,
}

/// Prints a line.
pub fn line(text: &str) -> Result<(), Failure> {
    write_all(&format!("{}\n", clean_lines(text)))
}

/// Prints a warning on standard error.
pub fn warn(text: &str) {
    // With standard error closed there is nobody left to warn.
    let _ = writeln!(std::io::stderr(), "omadm: warning: {}", clean(text));
}

/// Prints text as it is, without a line end of its own.
pub fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| output_failure(&error))
}

/// Prints a value as indented JSON.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    write_all(&format!("{}\n", json_text(value, true)?))
}

/// Prints a value as JSON on one line, for streams.
pub fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    write_all(&format!("{}\n", json_text(value, false)?))
}

fn json_text(value: &impl Serialize, indented: bool) -> Result<String, Failure> {
    let text = if indented { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.map(|text| escaped(&text))
        .map_err(|error| Failure::Failed(format!("cannot write the result as JSON: {error}")))
}

/// The same JSON with all escaped that could steer a terminal; outside of strings there is nothing of the kind but line ends.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && (c.is_control() || is_deceptive(c)) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Prints a table; `empty` instead when it has no rows.
pub fn table(header: &[&str], rows: Vec<Vec<String>>, empty: &str) -> Result<(), Failure> {
    if rows.is_empty() {
        return line(empty);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // A pipe gets whole lines, and so does a terminal that is too narrow for columns or does not say how wide it is.
    let arrangement = match table.width() {
        Some(NARROWEST..) => ContentArrangement::Dynamic,
        Some(_) | None => ContentArrangement::Disabled,
    };
    table.set_content_arrangement(arrangement);
    table.set_header(header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(row.into_iter().map(|text| coloured(clean(&text))));
    }
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    write_all(&format!("{}\n", table.trim_fmt()))
}

/// States are the only words with a colour; tables that are not on a terminal have none at all.
fn coloured(text: String) -> Cell {
    let colour = match text.as_str() {
        "done" | "ended" => Some(Color::Green),
        "failed" | "quarantined" => Some(Color::Red),
        "expired" | "cancelled" | "superseded" | "replaced" | "broken off" => Some(Color::Yellow),
        _ => None,
    };
    let cell = Cell::new(text);
    match colour {
        Some(colour) => cell.fg(colour),
        None => cell,
    }
}

/// Whether progress may be drawn on standard error.
pub fn progress_is_seen() -> bool {
    std::io::stderr().is_terminal()
}

/// A text from a device or a server on one line, with control characters spelled out, so that it cannot steer the terminal.
pub fn clean(text: &str) -> String {
    spell(text, |_| false)
}

/// As [`clean`], but line ends stay.
pub fn clean_lines(text: &str) -> String {
    spell(text, |c| c == '\n')
}

fn spell(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if keep(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || is_deceptive(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Characters that turn round, hide or break what stands beside them, and are no control characters.
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// How long ago `time` (RFC 3339) was, in words; the text itself if it is no time.
pub fn age(time: &str, now: jiff::Timestamp) -> String {
    let Ok(then) = time.parse::<jiff::Timestamp>() else { return clean(time) };
    let seconds = now.as_second().saturating_sub(then.as_second());
    match seconds {
        ..=1 => "now".to_owned(),
        2..=119 => format!("{seconds} s ago"),
        120..=7_199 => format!("{} min ago", seconds / 60),
        7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

fn write_all(text: &str) -> Result<(), Failure> {
    raw(text.as_bytes())
}

fn output_failure(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::Failed(format!("cannot write to standard output: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_on_a_terminal_does_not_steer_it() {
        let value = serde_json::json!({ "a": "x\u{7f}\u{9b}\u{202e}ä\n" });
        let text = json_text(&value, true).unwrap();
        assert!(text.contains(r#""x\u007f\u009b\u202eä\n""#), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn control_characters_are_spelled_out() {
        assert_eq!(clean("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert_eq!(clean_lines("a\nb\u{7}"), "a\nb\\u{7}");
        assert_eq!(clean("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(clean("a\u{202e}b\u{200b}"), "a\\u{202e}b\\u{200b}");
    }

    #[test]
    fn ages_are_in_words() {
        let now: jiff::Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(age("2026-01-02T00:00:05Z", now), "now");
        assert_eq!(age("2026-01-01T23:59:00Z", now), "60 s ago");
        assert_eq!(age("2026-01-01T22:00:00Z", now), "2 h ago");
        assert_eq!(age("2025-12-01T00:00:00Z", now), "32 d ago");
        assert_eq!(age("yesterday", now), "yesterday");
    }
}
