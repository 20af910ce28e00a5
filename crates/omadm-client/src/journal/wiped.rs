//! Buffers of the journal. It holds secrets, so what was in a buffer does not stay in memory.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Deref;

use zeroize::Zeroizing;

/// Octets that are wiped when they are dropped, and at their old place when they move in order to grow.
#[derive(Default)]
pub(super) struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    pub(super) fn push(&mut self, octets: &[u8]) {
        let needed = self.0.len().saturating_add(octets.len());
        if needed > self.0.capacity() {
            let mut larger =
                Zeroizing::new(Vec::with_capacity(needed.max(self.0.capacity().saturating_mul(2))));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(octets);
    }

    /// Empties the buffer; its old content is overwritten or wiped later.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Deref for Wiped {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl io::Write for Wiped {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.push(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Octets that are read from a file at a time.
const CHUNK: usize = 64 << 10;

/// The lines of a file from its start.
pub(super) struct Lines<'f> {
    file: &'f mut File,
    buffer: Zeroizing<Vec<u8>>,
    /// What of the buffer is not given out yet.
    pending: std::ops::Range<usize>,
}

impl<'f> Lines<'f> {
    pub(super) fn new(file: &'f mut File) -> Self {
        Self { file, buffer: Zeroizing::new(vec![0; CHUNK]), pending: 0..0 }
    }

    /// Reads up to a line end, the end of the file, or `longest`; gives the octets read.
    pub(super) fn next(&mut self, line: &mut Wiped, longest: usize) -> io::Result<usize> {
        line.clear();
        while line.len() < longest {
            if self.pending.is_empty() && !self.fill()? {
                break;
            }
            let pending = self.buffer.get(self.pending.clone()).unwrap_or_default();
            let pending = pending.get(..longest - line.len()).unwrap_or(pending);
            let end = pending.iter().position(|octet| *octet == b'\n');
            let taken = end.map_or(pending.len(), |end| end + 1);
            line.push(pending.get(..taken).unwrap_or_default());
            self.pending.start += taken;
            if end.is_some() {
                break;
            }
        }
        Ok(line.len())
    }

    /// Reads on; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            match self.file.read(&mut self.buffer) {
                Ok(read) => {
                    self.pending = 0..read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    fn lines(content: &[u8], longest: usize) -> Vec<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        let mut lines = Lines::new(&mut file);
        let mut line = Wiped::default();
        let mut found = Vec::new();
        while lines.next(&mut line, longest).unwrap() > 0 {
            found.push(line.to_vec());
        }
        found
    }

    #[test]
    fn lines_end_where_the_file_says_or_the_limit() {
        assert_eq!(lines(b"", 10), Vec::<Vec<u8>>::new());
        assert_eq!(lines(b"a\n\nbc", 10), [&b"a\n"[..], b"\n", b"bc"]);
        assert_eq!(lines(b"abcdef\ng", 4), [&b"abcd"[..], b"ef\n", b"g"]);
        let long = [vec![b'x'; 2 * CHUNK - 1], b"\ny".to_vec()].concat();
        assert_eq!(lines(&long, 3 * CHUNK), [&long[..2 * CHUNK], b"y"]);
    }

    #[test]
    fn a_buffer_that_grows_keeps_what_it_holds() {
        let mut buffer = Wiped::default();
        for number in 0..1000_u16 {
            buffer.push(&number.to_be_bytes());
        }
        assert!((0..1000_u16).flat_map(u16::to_be_bytes).eq(buffer.iter().copied()));
    }
}
