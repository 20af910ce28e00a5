//! What the network and the device share, for bootstraps of DM 1.x that are secured by it (`DM 1.3 SEC §5.10.2.3.1`).

use std::io::Read as _;
use std::path::Path;

use omadm_client::Secret;
use omadm_client::dm1::bootstrap::{Imsi, NetworkSecret};
use zeroize::Zeroizing;

use crate::error::AgentError;

/// Most octets of the file.
const MAX_FILE: usize = 4096;

/// Reads the file of `dm1.bootstrap.network_file`. What is wrong with it is told without what stands in it.
pub fn read(path: &Path) -> Result<NetworkSecret, AgentError> {
    let error =
        |source| AgentError::File { action: "read the secret of the network", path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(error)?;
    // In its full size at once, and zeroised at the end: no copy is left behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut content).map_err(error)?;
    let refused = |reason: &str| {
        AgentError::Refused(format!("{} (dm1.bootstrap.network_file): {reason}", path.display()))
    };
    if content.len() > MAX_FILE {
        return Err(refused("it is larger than 4096 bytes"));
    }
    let text = std::str::from_utf8(&content).map_err(|_| refused("it is no text"))?;
    parse(text).map_err(|reason| refused(&reason))
}

fn parse(text: &str) -> Result<NetworkSecret, String> {
    let (mut imsi, mut key) = (None, None);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(char::is_whitespace) {
            Some(("imsi", digits)) => {
                imsi = Some(Imsi::parse(digits.trim()).map_err(|error| error.to_string())?);
            }
            Some(("key", digits)) => {
                key = Some(octets(digits.trim()).ok_or("the key is not in hexadecimal digits")?);
            }
            _ => return Err("there is a line that is neither `imsi …` nor `key …`".to_owned()),
        }
    }
    if imsi.is_none() && key.is_none() {
        return Err("there is nothing in it".to_owned());
    }
    NetworkSecret::new(key, imsi).map_err(|error| error.to_string())
}

/// Octets in hexadecimal digits.
pub fn octets(digits: &str) -> Option<Secret> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let both = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(both, 16).ok().filter(|_| pair.iter().all(u8::is_ascii_hexdigit))
    });
    pairs.collect::<Option<Vec<u8>>>().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_secret() {
        for good in ["imsi 123456789012345", "key 80aF", "# mine\n\n imsi  123456 \nkey 00\r\n"] {
            assert!(parse(good).is_ok(), "{good:?}");
        }
        for (broken, reason) in [
            ("", "nothing"),
            ("imsi", "neither"),
            ("esn 80", "neither"),
            ("imsi 12345", "digits"),
            ("imsi 1234567890123456", "digits"),
            ("key 8", "hexadecimal"),
            ("key +1", "hexadecimal"),
            ("key xy", "hexadecimal"),
            ("key ", "neither"),
        ] {
            let error = parse(broken).unwrap_err();
            assert!(error.contains(reason), "{broken:?}: {error}");
        }
        for (octets, fits) in [(64, true), (65, false)] {
            assert_eq!(parse(&format!("key {}", "ab".repeat(octets))).is_ok(), fits, "{octets}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("network");
        assert!(read(&path).is_err(), "there is no file");
        for content in [b"imsi 99999".to_vec(), b"key 99999\xff".to_vec(), b"imsi 99999\n".repeat(500)] {
            std::fs::write(&path, content).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("network_file") && !error.contains("99999"), "{error}");
        }
        std::fs::write(&path, "imsi 123456789012345\n").unwrap();
        assert!(read(&path).is_ok());
    }
}
