//! The files of a package as they will be installed.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::workspace::{Result, said};

/// A directory that stands for `/`.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// An empty one, whatever was there.
    pub(super) fn new(root: PathBuf) -> Result<Self> {
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        make_directory(&root)?;
        Ok(Self { root })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Copies a file to this path.
    pub(super) fn copy(&self, from: &Path, to: &str, mode: u32) -> Result {
        let path = self.place(to)?;
        fs::copy(from, &path).map_err(|error| format!("{}: {error}", from.display()))?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
    }

    /// Writes a file at this path.
    pub(super) fn write(&self, to: &str, mode: u32, text: &str) -> Result {
        let path = self.place(to)?;
        fs::write(&path, text)?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
    }

    /// Writes a file at this path with `.gz` at its end, the same for the same content.
    pub(super) fn compress(&self, content: &[u8], to: &str) -> Result {
        let path = self.place(&format!("{to}.gz"))?;
        let mut gzip = Command::new("gzip")
            .args(["-9", "--no-name"])
            .stdin(Stdio::piped())
            .stdout(fs::File::create(&path)?)
            .spawn()?;
        if let Some(mut input) = gzip.stdin.take() {
            input.write_all(content)?;
        }
        if !gzip.wait()?.success() {
            return Err(format!("gzip could not write {}", path.display()).into());
        }
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o644))?)
    }

    /// MD5 of everything but what is for dpkg itself, which looks for files that were changed by it.
    pub(super) fn digests(&self) -> Result<String> {
        let find = "find . -type f -not -path './DEBIAN/*' -not -path './etc/*' -printf '%P\\0' | LC_ALL=C sort --zero-terminated | xargs --null md5sum";
        Ok(said(Command::new("sh").current_dir(&self.root).args(["-c", find]))? + "\n")
    }

    /// What it takes on a disk.
    pub(super) fn kibibytes(&self) -> Result<String> {
        let said = said(
            Command::new("du").args(["--summarize", "--apparent-size", "--block-size=1024"]).arg(&self.root),
        )?;
        Ok(said.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// The packages with the libraries that the program is linked with.
    pub(super) fn libraries(&self, program: &str) -> Result<String> {
        // It wants a source package around it.
        let around = self.root.with_extension("source");
        fs::create_dir_all(around.join("debian"))?;
        let control = format!("Source: {program}\n\nPackage: {program}\nArchitecture: any\n");
        fs::write(around.join("debian/control"), control)?;
        let mut ask = Command::new("dpkg-shlibdeps");
        ask.current_dir(&around).args(["-O", "--warnings=0"]).arg(format!("-S{}", self.root.display()));
        let said = said(ask.arg(format!("-e{}", self.root.join("usr/bin").join(program).display())))?;
        fs::remove_dir_all(&around)?;
        let needed = said.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
        Ok(needed.ok_or("dpkg-shlibdeps does not say what the program needs")?.to_owned())
    }

    /// The path of a file, whose directories are made.
    fn place(&self, path: &str) -> Result<PathBuf> {
        let mut directory = self.root.clone();
        let path = Path::new(path);
        for part in path.parent().into_iter().flatten() {
            directory.push(part);
            make_directory(&directory)?;
        }
        Ok(self.root.join(path))
    }
}

/// With the mode that Debian wants, whatever the mask of who calls us.
fn make_directory(path: &Path) -> Result {
    fs::create_dir_all(path)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}
