//! Messages that are read from a file or from standard input.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use super::decode::hex;
use crate::failure::Failure;

/// Largest message that is read, in octets.
pub const MAX: usize = 64 << 20;

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// What to call a file.
pub fn name(file: &Path) -> String {
    if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() }
}

/// The octets of a file; `-` is standard input.
pub fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |error: &std::io::Error| Failure::of_file("read", file, error);
    let mut input = Vec::new();
    let limit = MAX as u64 + 1;
    if is_stdin(file) {
        std::io::stdin().lock().take(limit).read_to_end(&mut input).map_err(|error| failure(&error))?;
    } else {
        let open = std::fs::File::open(file).map_err(|error| failure(&error))?;
        open.take(limit).read_to_end(&mut input).map_err(|error| failure(&error))?;
    }
    if input.len() > MAX {
        return Err(Failure::Failed(format!(
            "{} is larger than {MAX} bytes, too large for a message",
            file.display()
        )));
    }
    Ok(input)
}

/// A binary message may come in hexadecimal digits.
pub fn from_digits(input: Vec<u8>, name: &str) -> Result<Vec<u8>, Failure> {
    let octets = hex::octets(&input);
    octets.map(Cow::into_owned).map_err(|error| Failure::Failed(format!("{name}: {error}")))
}
