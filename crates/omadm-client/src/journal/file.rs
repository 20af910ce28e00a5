//! The few file operations that differ between systems, or that need the right error.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::error::PersistError;

/// The error of a file operation; no space and exceeded quota are told apart from the rest.
pub(super) fn error(action: &'static str, path: &Path, source: io::Error) -> PersistError {
    match source.kind() {
        // A limit on the size of files is a quota as well.
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            PersistError::Full { path: path.to_owned() }
        }
        _ => PersistError::Io { action, path: path.to_owned(), source },
    }
}

/// Creates a directory that only its owner may enter, if it is not there.
pub(super) fn create_directory(path: &Path) -> Result<(), PersistError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let new: Vec<&Path> = path.ancestors().take_while(|directory| !directory.exists()).collect();
    builder.create(path).map_err(|source| error("create the directory", path, source))?;
    // What is acknowledged in a directory must not go with its name.
    for parent in new.into_iter().filter_map(Path::parent) {
        sync_directory(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
    }
    Ok(())
}

/// Creates an empty file that only its owner may read.
pub(super) fn create(path: &Path) -> Result<File, PersistError> {
    private()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)
        .map_err(|source| error("create", path, source))
}

/// Opens a file for reading and writing.
pub(super) fn open_existing(path: &Path) -> Result<File, PersistError> {
    private().read(true).write(true).open(path).map_err(|source| error("open", path, source))
}

/// Takes the lock of a directory; it ends with the file.
pub(super) fn lock(path: &Path) -> Result<File, PersistError> {
    let file = private()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|source| error("open the lock file", path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PersistError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(error("lock", path, source)),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), PersistError> {
    // Elsewhere a directory cannot be opened, and renaming is durable by itself.
    #[cfg(unix)]
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| error("sync", path, source))?;
    let _ = path;
    Ok(())
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
