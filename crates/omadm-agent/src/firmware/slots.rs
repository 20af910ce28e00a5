//! Two slots of which one is in use: the other is written, and then one rename switches between them.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

/// The slots and what points to one of them.
#[derive(Clone, Debug)]
pub struct Slots {
    slots: [PathBuf; 2],
    pointer: PathBuf,
}

impl Slots {
    /// `None` unless there are two and a pointer.
    pub fn new(slots: &[PathBuf], pointer: Option<&Path>) -> Option<Self> {
        let slots: [PathBuf; 2] = slots.to_vec().try_into().ok()?;
        Some(Self { slots, pointer: pointer?.to_owned() })
    }

    /// Where a slot is.
    pub fn path(&self, slot: usize) -> &Path {
        let [one, other] = &self.slots;
        if slot == 0 { one } else { other }
    }

    /// The slot in use.
    ///
    /// # Errors
    /// The pointer is not there, or points to neither slot.
    pub fn active(&self) -> io::Result<usize> {
        let target = fs::read_link(&self.pointer)?;
        // A relative one counts from where the pointer is.
        let target = self.pointer.parent().map_or_else(|| target.clone(), |parent| parent.join(&target));
        let found = self.slots.iter().position(|slot| same(slot, &target));
        found.ok_or_else(|| io::Error::other(format!("{} points to neither slot", self.pointer.display())))
    }

    /// Puts another slot in use. A power cut leaves one or the other.
    pub fn switch(&self, slot: usize) -> io::Result<()> {
        if self.active().is_ok_and(|active| active == slot) {
            return Ok(());
        }
        let new = beside(&self.pointer, "new");
        remove(&new)?;
        std::os::unix::fs::symlink(self.path(slot), &new)?;
        fs::rename(&new, &self.pointer)?;
        sync_directory_of(&self.pointer)
    }

    /// Writes a package into a slot that is a file or a partition, durably.
    pub fn write(&self, slot: usize, package: &Path) -> io::Result<()> {
        let path = self.path(slot);
        let is_device = fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device());
        let mut from = File::open(package)?;
        if is_device {
            let mut to = File::options().write(true).open(path)?;
            io::copy(&mut from, &mut to)?;
            to.flush()?;
            return to.sync_all();
        }
        let new = beside(path, "new");
        let mut to = File::create(&new)?;
        io::copy(&mut from, &mut to)?;
        to.sync_all()?;
        fs::rename(&new, path)?;
        sync_directory_of(path)
    }

    /// An empty directory to unpack into, beside the slot.
    pub fn prepare(&self, slot: usize) -> io::Result<PathBuf> {
        let new = beside(self.path(slot), "new");
        remove(&new)?;
        fs::create_dir_all(&new)?;
        Ok(new)
    }

    /// Makes what was unpacked the content of the slot, durably.
    pub fn settle(&self, slot: usize) -> io::Result<()> {
        let (path, new) = (self.path(slot), beside(self.path(slot), "new"));
        sync_below(&new)?;
        remove(path)?;
        fs::rename(&new, path)?;
        sync_directory_of(path)
    }
}

fn same(one: &Path, other: &Path) -> bool {
    let resolved = |path: &Path| fs::canonicalize(path).ok();
    one == other || (resolved(one).is_some() && resolved(one) == resolved(other))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// Removes whatever is there, without following a link.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

/// Makes all files and directories below durable, without recursion: a package may be deep.
fn sync_below(directory: &Path) -> io::Result<()> {
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                File::open(entry.path())?.sync_all()?;
            }
        }
        File::open(&directory)?.sync_all()?;
    }
    Ok(())
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(directory: &Path) -> Slots {
        let slots = ["a", "b"].map(|name| directory.join(name));
        slots.iter().for_each(|slot| fs::create_dir(slot).unwrap());
        let pointer = directory.join("current");
        std::os::unix::fs::symlink("a", &pointer).unwrap();
        Slots::new(&slots, Some(&pointer)).unwrap()
    }

    #[test]
    fn the_pointer_goes_to_and_fro() {
        let directory = tempfile::tempdir().unwrap();
        let slots = slots(directory.path());
        assert_eq!(slots.active().unwrap(), 0, "a relative link counts");
        for slot in [1, 1, 0] {
            slots.switch(slot).unwrap();
            assert_eq!(slots.active().unwrap(), slot);
        }
        let elsewhere = directory.path().join("current");
        fs::remove_file(&elsewhere).unwrap();
        assert!(slots.active().is_err());
        std::os::unix::fs::symlink("/", &elsewhere).unwrap();
        assert!(slots.active().unwrap_err().to_string().contains("neither slot"));
    }

    #[test]
    fn a_slot_holds_what_was_unpacked_last_and_nothing_of_before() {
        let directory = tempfile::tempdir().unwrap();
        let slots = slots(directory.path());
        fs::write(slots.path(1).join("old"), "").unwrap();
        let new = slots.prepare(1).unwrap();
        fs::write(new.join("left over from a power cut"), "").unwrap();
        let new = slots.prepare(1).unwrap();
        fs::create_dir(new.join("below")).unwrap();
        fs::write(new.join("below/version"), "2").unwrap();
        slots.settle(1).unwrap();
        assert_eq!(fs::read_to_string(slots.path(1).join("below/version")).unwrap(), "2");
        assert_eq!(fs::read_dir(slots.path(1)).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_a_slot_too() {
        let directory = tempfile::tempdir().unwrap();
        let files = ["a.img", "b.img"].map(|name| directory.path().join(name));
        let slots = Slots::new(&files, Some(&directory.path().join("current"))).unwrap();
        let package = directory.path().join("package");
        fs::write(&package, "image").unwrap();
        slots.write(1, &package).unwrap();
        assert_eq!(fs::read_to_string(&files[1]).unwrap(), "image");
    }
}
