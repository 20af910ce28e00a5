//! The packages of Debian that are installed (`dpkg(1)`): what `/var/lib/dpkg/status` says, read as a stream.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use crate::packages::fits;

/// Where dpkg keeps it, below the root of the machine.
pub const STATUS: &str = "var/lib/dpkg/status";
/// Longest line that is looked at; longer ones hold no field that counts.
const MAX_LINE: u64 = 64 << 10;

/// Name and version of what is installed.
pub type Installed = BTreeMap<String, String>;

/// A paragraph on its way.
#[derive(Default)]
struct Paragraph {
    name: String,
    version: String,
    architecture: String,
    installed: bool,
}

/// Reads the file; of the names that fit one of `patterns`, `limit` at most.
pub fn read(path: &Path, patterns: &[String], limit: usize) -> io::Result<Installed> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut found, mut paragraph, mut line) = (Installed::new(), Paragraph::default(), Vec::new());
    loop {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if text.is_empty() {
            add(&mut found, std::mem::take(&mut paragraph), patterns, limit);
        }
        if read == 0 {
            return Ok(found);
        }
        match text.split_once(": ") {
            Some(("Package", name)) => paragraph.name = name.to_owned(),
            Some(("Version", version)) => paragraph.version = version.to_owned(),
            Some(("Architecture", architecture)) => paragraph.architecture = architecture.to_owned(),
            // `want`, `flag` and `state`: half-installed packages are not there.
            Some(("Status", status)) => paragraph.installed = status.split(' ').nth(2) == Some("installed"),
            _ => {}
        }
    }
}

/// Of one package for two architectures the second one is told apart, as dpkg does.
fn add(found: &mut Installed, paragraph: Paragraph, patterns: &[String], limit: usize) {
    let Paragraph { name, version, architecture, installed } = paragraph;
    let wanted = installed && !name.is_empty() && patterns.iter().any(|pattern| fits(pattern, &name));
    if !wanted || found.len() >= limit {
        return;
    }
    let name = if found.contains_key(&name) { format!("{name}:{architecture}") } else { name };
    found.insert(name, version);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Package: hello\nStatus: install ok installed\nMaintainer: A <a@example>\nArchitecture: amd64\nVersion: 2.10-3\nDescription: greets\n Package: no\n .\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: half\nStatus: install ok half-installed\nVersion: 1\n\nPackage: hello\nStatus: install ok installed\nArchitecture: i386\nVersion: 2.10-3\n\nPackage: last\nStatus: hold ok installed\nVersion: 0";

    fn parse(patterns: &[&str], limit: usize) -> Vec<(String, String)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), TEXT).unwrap();
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        read(file.path(), &patterns, limit).unwrap().into_iter().collect()
    }

    #[test]
    fn what_is_installed_is_listed() {
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let all = [pair("hello", "2.10-3"), pair("hello:i386", "2.10-3"), pair("last", "0")];
        assert_eq!(parse(&["*"], 10), all);
        assert_eq!(parse(&["l*"], 10), [pair("last", "0")]);
        assert_eq!(parse(&["*"], 1), [pair("hello", "2.10-3")]);
        assert_eq!(parse(&[], 10), []);
    }

    #[test]
    fn a_line_without_end_is_no_trouble() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let long = format!(
            "Package: a\nDescription: {}\nStatus: install ok installed\nVersion: 1\n",
            "x".repeat(200_000)
        );
        std::fs::write(file.path(), long).unwrap();
        assert_eq!(read(file.path(), &["*".to_owned()], 10).unwrap().len(), 1);
    }
}
