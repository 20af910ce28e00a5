//! The durable state as one file of lines that only grows, until it is rewritten.
//!
//! ```text
//! H…              the format
//! B… B… B…        the state at the last rewriting
//! E               that state is complete
//! B… B… B…        what was acknowledged since, one line a batch
//! ```
//! An append is one write and one `fdatasync`. A rewriting goes to a second file that takes the name of the first when it
//! is durable. So a kill at any instant leaves whole lines and at most one broken line at the end, which was never
//! acknowledged and is cut off at the next start. A broken line with whole lines after it is damage, and said so.

mod file;
mod line;
mod record;
mod wiped;

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use self::line::{Line, MAX_LINE};
use self::wiped::{Lines, Wiped};
use crate::error::PersistError;
use crate::persistence::{Batch, Persistence};

const FORMAT: u32 = 2;
const STATE: &str = "state.journal";
const NEW_STATE: &str = "state.journal.new";
const LOCK: &str = "lock";

/// Appended octets below which rewriting is never worth it.
const MIN_GROWTH: u64 = 256 << 10;

/// Durable state in a directory of its own.
pub struct Journal {
    directory: PathBuf,
    path: PathBuf,
    /// `None` after a failed write that could not be taken back.
    file: Option<File>,
    /// Octets of whole, acknowledged lines.
    length: u64,
    /// Octets of the state at the last rewriting.
    base: u64,
    /// Held for the life of the journal.
    _lock: File,
}

impl Journal {
    /// Opens or creates the state in `directory` (mode 0700, files 0600: it holds secrets) and locks it against other
    /// processes.
    ///
    /// # Errors
    /// [`PersistError::InUse`] when another process has it, [`PersistError::Io`].
    pub fn open(directory: &Path) -> Result<Self, PersistError> {
        file::create_directory(directory)?;
        let lock = file::lock(&directory.join(LOCK))?;
        let path = directory.join(STATE);
        if !path.try_exists().map_err(|source| file::error("look for", &path, source))? {
            write_new(directory, &mut std::iter::empty())?;
            replace(directory)?;
            file::sync_directory(directory)?;
        }
        let file = file::open_existing(&path)?;
        Ok(Self { directory: directory.to_owned(), path, file: Some(file), length: 0, base: 0, _lock: lock })
    }

    /// Takes back a write that failed half-way, so that the file ends with its last acknowledged line again.
    fn take_back(&mut self, source: std::io::Error) -> PersistError {
        let restored = self.file.as_mut().is_some_and(|file| {
            file.set_len(self.length)
                .and_then(|()| file.sync_all())
                .and_then(|()| file.seek(SeekFrom::End(0)))
                .is_ok()
        });
        if !restored {
            self.file = None;
        }
        file::error("write", &self.path, source)
    }
}

impl Persistence for Journal {
    fn load(&mut self, apply: &mut dyn FnMut(Batch) -> Result<(), PersistError>) -> Result<(), PersistError> {
        let Some(file) = self.file.as_mut() else {
            return Err(PersistError::Unusable { path: self.path.clone() });
        };
        let extent = read_state(&self.path, file, apply)?;
        let found = file.metadata().map_err(|source| file::error("measure", &self.path, source))?.len();
        if found > extent.whole {
            tracing::warn!(
                path = %self.path.display(), octets = found - extent.whole,
                "cut off an unfinished write at the end; it was never acknowledged"
            );
            file.set_len(extent.whole)
                .and_then(|()| file.sync_all())
                .map_err(|source| file::error("shorten", &self.path, source))?;
        }
        file.seek(SeekFrom::Start(extent.whole)).map_err(|source| file::error("read", &self.path, source))?;
        self.length = extent.whole;
        self.base = extent.base;
        Ok(())
    }

    fn append(&mut self, batch: &Batch) -> Result<(), PersistError> {
        let mut line = Wiped::default();
        encode(&self.path, batch, &mut line)?;
        let Some(file) = self.file.as_mut() else {
            return Err(PersistError::Unusable { path: self.path.clone() });
        };
        if let Err(source) = file.write_all(&line).and_then(|()| file.sync_data()) {
            return Err(self.take_back(source));
        }
        self.length += line.len() as u64;
        Ok(())
    }

    fn wants_compaction(&self) -> bool {
        self.length.saturating_sub(self.base) > self.base.max(MIN_GROWTH)
    }

    fn compact(&mut self, state: &mut dyn Iterator<Item = Batch>) -> Result<(), PersistError> {
        let written = write_new(&self.directory, state)?;
        replace(&self.directory)?;
        // The old file has no name any more: appending to it would lose what is appended. And until the new name is
        // durable, a power cut could bring the old file back.
        self.file = None;
        file::sync_directory(&self.directory)?;
        let mut file = file::open_existing(&self.path)?;
        file.seek(SeekFrom::End(0)).map_err(|source| file::error("read", &self.path, source))?;
        self.file = Some(file);
        self.length = written;
        self.base = written;
        Ok(())
    }
}

/// The state in a directory as it was when it was looked at: another process may own it. What is appended is forgotten.
pub struct JournalView {
    path: PathBuf,
}

impl JournalView {
    /// Looks at the state in `directory`; there may be none yet.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.join(STATE) }
    }
}

impl Persistence for JournalView {
    fn load(&mut self, apply: &mut dyn FnMut(Batch) -> Result<(), PersistError>) -> Result<(), PersistError> {
        match File::open(&self.path) {
            Ok(mut file) => read_state(&self.path, &mut file, apply).map(|_| ()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(file::error("open", &self.path, source)),
        }
    }

    fn append(&mut self, _batch: &Batch) -> Result<(), PersistError> {
        Ok(())
    }

    fn wants_compaction(&self) -> bool {
        false
    }

    fn compact(&mut self, _state: &mut dyn Iterator<Item = Batch>) -> Result<(), PersistError> {
        Ok(())
    }
}

/// How far a file is whole.
struct Extent {
    /// Octets of the state it began with.
    base: u64,
    /// Octets of all whole lines.
    whole: u64,
}

fn read_state(
    path: &Path,
    file: &mut File,
    apply: &mut dyn FnMut(Batch) -> Result<(), PersistError>,
) -> Result<Extent, PersistError> {
    let damaged =
        |at, reason: &str| PersistError::Damaged { path: path.to_owned(), at, reason: reason.to_owned() };
    let mut lines = Lines::new(file);
    let mut line = Wiped::default();
    let mut whole = 0;
    let mut base = None;
    loop {
        let read = next_line(path, &mut lines, &mut line)?;
        if read == 0 {
            break;
        }
        match line::decode(&line) {
            Ok(Line::Head { version: FORMAT }) if whole == 0 => {}
            Ok(Line::Head { .. }) if whole == 0 => {
                return Err(damaged(0, "it was written by another version"));
            }
            Ok(Line::Batch(batch)) if whole > 0 => apply(batch)?,
            Ok(Line::BaseEnd) if whole > 0 && base.is_none() => base = Some(whole + read),
            Ok(_) => return Err(damaged(whole, "a line is not in its place")),
            Err(reason) if base.is_none() => return Err(damaged(whole, &reason)),
            Err(reason) => {
                if line::hides_another(&line) || whole_line_follows(path, &mut lines, &mut line)? {
                    return Err(damaged(whole, &reason));
                }
                break;
            }
        }
        whole += read;
    }
    match base {
        Some(base) => Ok(Extent { base, whole }),
        None => Err(damaged(whole, "the state it begins with is not complete")),
    }
}

/// Whether there is an acknowledged line behind a broken one.
fn whole_line_follows(path: &Path, lines: &mut Lines<'_>, line: &mut Wiped) -> Result<bool, PersistError> {
    while next_line(path, lines, line)? > 0 {
        if line::open(line).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads up to a line end, the end of the file, or the longest line; gives the octets read.
fn next_line(path: &Path, lines: &mut Lines<'_>, line: &mut Wiped) -> Result<u64, PersistError> {
    let read = lines.next(line, MAX_LINE);
    read.map(|octets| octets as u64).map_err(|source| file::error("read", path, source))
}

/// Writes a file with this state beside the old one, durably; gives its length. A failure leaves nothing behind.
fn write_new(directory: &Path, state: &mut dyn Iterator<Item = Batch>) -> Result<u64, PersistError> {
    let new = directory.join(NEW_STATE);
    let written = write_lines(&new, state);
    if written.is_err() {
        // It may be what filled the disk. If it cannot be removed the next rewriting overwrites it.
        let _ = std::fs::remove_file(&new);
    }
    written
}

fn write_lines(path: &Path, state: &mut dyn Iterator<Item = Batch>) -> Result<u64, PersistError> {
    let mut file = file::create(path)?;
    let mut length = 0;
    let mut line = Wiped::default();
    let mut put = |line: &mut Wiped| {
        length += line.len() as u64;
        let done = file.write_all(line);
        line.clear();
        done.map_err(|source| file::error("write", path, source))
    };
    line::seal(format!("H{FORMAT}").as_bytes(), &mut line);
    put(&mut line)?;
    for batch in state {
        encode(path, &batch, &mut line)?;
        put(&mut line)?;
    }
    line::seal(b"E", &mut line);
    put(&mut line)?;
    file.sync_all().map_err(|source| file::error("write", path, source))?;
    Ok(length)
}

/// Gives the new file the name of the old one.
fn replace(directory: &Path) -> Result<(), PersistError> {
    let path = directory.join(STATE);
    std::fs::rename(directory.join(NEW_STATE), &path).map_err(|source| file::error("replace", &path, source))
}

fn encode(path: &Path, batch: &Batch, out: &mut Wiped) -> Result<(), PersistError> {
    line::encode_batch(batch, out);
    check_length(path, out.len())
}

/// What is longer could not be read back.
fn check_length(path: &Path, octets: usize) -> Result<(), PersistError> {
    if octets > MAX_LINE { Err(PersistError::Full { path: path.to_owned() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
