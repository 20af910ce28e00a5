//! The keys of GBA Push (`DM 2.0 §9.3.1.3`), which the program that looks after the SIM writes down.

use std::io::Read as _;
use std::path::PathBuf;

use omadm_client::{GbaPush, NafKey};
use zeroize::Zeroizing;

/// Most octets of the file that are read; a line has some hundred.
const MAX_FILE: usize = 64 << 10;

/// The file of `bootstrap.gba_file`: a line for each run, B-TID and `Ks_(ext/int)_NAF` in hexadecimal digits with a blank between.
pub struct GbaFile(pub PathBuf);

impl GbaPush for GbaFile {
    fn key(&self, transaction: &str) -> Option<NafKey> {
        let file = std::fs::File::open(&self.0).ok()?;
        // In its full size at once, and zeroised at the end: no copy of a key is left behind.
        let mut content = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
        file.take(MAX_FILE as u64 + 1).read_to_end(&mut content).ok()?;
        if content.len() > MAX_FILE {
            tracing::error!("{} is larger than {MAX_FILE} bytes (bootstrap.gba_file)", self.0.display());
            return None;
        }
        let lines = std::str::from_utf8(&content).ok()?.lines();
        // Of two runs with one name, the later counts.
        let digits =
            lines.rev().find_map(|line| line.trim_end().strip_prefix(transaction)?.strip_prefix(' '))?;
        key_of(digits.trim_start())
    }
}

fn key_of(digits: &str) -> Option<NafKey> {
    let mut octets = [0; 32];
    if digits.len() != 2 * octets.len() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(NafKey::new(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_the_key_of_its_last_line() {
        let directory = tempfile::tempdir().unwrap();
        let file = GbaFile(directory.path().join("gba"));
        assert!(file.key("run").is_none(), "there is no file");
        let line = |name: &str, digits: &str| format!("{name} {}\n", digits.repeat(32));
        let written =
            [line("run", "00"), line("run-2", "01"), line("run", "fF"), line("long", "112")].concat();
        std::fs::write(&file.0, written).unwrap();
        let integrity = |octet| NafKey::new([octet; 32]).bootstrap_keys().integrity().to_owned();
        let found = |name: &str| file.key(name).map(|key| key.bootstrap_keys().integrity().to_owned());
        assert_eq!(found("run"), Some(integrity(0xff)));
        assert_eq!(found("run-2"), Some(integrity(0x01)));
        for unknown in ["ru", "run-", "long", "", "run f"] {
            assert_eq!(found(unknown), None, "{unknown:?}");
        }
        for (length, fits) in [(MAX_FILE, true), (MAX_FILE + 1, false)] {
            let line = line("run", "aa");
            let padding = "\n".repeat(length - line.len());
            std::fs::write(&file.0, padding + &line).unwrap();
            assert_eq!(found("run").is_some(), fits, "{length}");
        }
    }
}
