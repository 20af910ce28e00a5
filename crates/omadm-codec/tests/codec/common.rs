//! Input files of tests.

use std::fs;
use std::path::{Path, PathBuf};

/// One input file.
pub struct Case {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

/// A folder of the repository.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// The files in `name` that end in `.extension`, in the order of their names.
pub fn cases(name: &str, extension: &str) -> Vec<Case> {
    let entries = fs::read_dir(folder(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    assert!(!paths.is_empty(), "{name}: an empty folder proves nothing");
    paths.into_iter().map(|path| Case { bytes: fs::read(&path).unwrap(), path }).collect()
}

impl Case {
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Octets from hexadecimal digits with white space and comments after `#`.
pub fn octets(text: &str) -> Vec<u8> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap());
    let digits: String = lines.flat_map(str::split_whitespace).collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The `.hex` files in `name`, decoded.
pub fn hex_cases(name: &str) -> Vec<Case> {
    let decode = |case: Case| Case { bytes: octets(std::str::from_utf8(&case.bytes).unwrap()), ..case };
    cases(name, "hex").into_iter().map(decode).collect()
}
