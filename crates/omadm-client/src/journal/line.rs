//! One line of the journal: length and CRC-32 of the payload in hexadecimal, then the payload: a letter, and what it is about.
//!
//! ```text
//! 00000018 5c0e4a91 Be +bootstrap/s1 +true
//! ```

use crate::persistence::Batch;

use super::record;
use super::wiped::Wiped;

/// Longest line that is written or read, in octets.
pub(super) const MAX_LINE: usize = 64 << 20;

const PREFIX: usize = 18;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// `H`: a journal of this format begins.
    Head {
        /// Version of the format.
        version: u32,
    },
    /// `B`: a batch.
    Batch(Batch),
    /// `E`: the state that the file began with is complete; what follows was appended.
    BaseEnd,
}

/// Appends the line of a batch.
pub(super) fn encode_batch(batch: &Batch, out: &mut Wiped) {
    let mut payload = Wiped::default();
    payload.push(b"B");
    record::encode(batch, &mut payload);
    seal(&payload, out);
}

/// Appends a payload as a line.
pub(super) fn seal(payload: &[u8], out: &mut Wiped) {
    let prefix = format!("{:08x} {:08x} ", payload.len(), crc32fast::hash(payload));
    out.push(prefix.as_bytes());
    out.push(payload);
    out.push(b"\n");
}

/// Reads one line, its end included.
pub(super) fn decode(line: &[u8]) -> Result<Line, String> {
    let payload = open(line).ok_or("length or checksum is wrong")?;
    match payload.split_first() {
        Some((b'H', version)) => std::str::from_utf8(version)
            .ok()
            .and_then(|text| text.parse().ok())
            .map(|version| Line::Head { version })
            .ok_or_else(|| "the head has no version".to_owned()),
        Some((b'B', records)) => record::decode(records).map(Line::Batch),
        Some((b'E', [])) => Ok(Line::BaseEnd),
        _ => Err("unknown kind of line".to_owned()),
    }
}

/// The payload of a whole line; `None` when it is cut or changed.
pub(super) fn open(line: &[u8]) -> Option<&[u8]> {
    let (length, crc) = prefix(line)?;
    let payload = line.strip_suffix(b"\n")?.get(PREFIX..)?;
    (payload.len() == length && crc32fast::hash(payload) == crc).then_some(payload)
}

/// Whether a broken line holds more than it says. A write that was cut short never does: its line end was changed later,
/// and another line hides behind it.
pub(super) fn hides_another(line: &[u8]) -> bool {
    prefix(line).is_some_and(|(length, _)| line.len() > PREFIX + length + 1)
}

fn prefix(line: &[u8]) -> Option<(usize, u32)> {
    let prefix = std::str::from_utf8(line.get(..PREFIX)?).ok()?;
    let (length, crc) = prefix.strip_suffix(' ')?.split_once(' ')?;
    Some((usize::from_str_radix(length, 16).ok()?, u32::from_str_radix(crc, 16).ok()?))
}
