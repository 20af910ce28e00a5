//! `cargo xtask package`: the programs as packages of Debian, judged by lintian, and tried in a Debian of their own.

mod licences;
mod tree;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::features::FEATURES;
use crate::install;
use crate::workspace::{self, Result, cargo, root, said, target_dir};
use tree::Tree;

/// The version of Debian's packaging, behind that of the programs.
const REVISION: &str = "1";

/// What lintian says of packages that nobody uploads to Debian: that the first one closes no wish for it there.
const NOT_FOR_US: &str = "initial-upload-closes-no-bugs";

/// A package, and what is in it.
pub(crate) struct Package {
    /// Its name, and that of its only program, its unit, its manual page and the file of its environment.
    name: &'static str,
    /// Its settings in `packaging/etc`, for `/etc/omadm`.
    settings: &'static str,
    /// What else `cargo build` and `cargo tree` have to be told.
    features: &'static [&'static str],
    /// What it needs beside the libraries that it is linked with.
    depends: &'static str,
    /// What is useful beside it.
    suggests: &'static str,
    /// Further documents: paths from the root, and names.
    documents: &'static [(&'static str, &'static str)],
}

const PACKAGES: [Package; 2] = [
    Package {
        name: "omadm",
        settings: "omadm.toml",
        features: &FEATURES,
        depends: "adduser",
        suggests: "haproxy, pcscd, postgresql",
        documents: &[("packaging/grafana/omadm.json", "examples/grafana.json")],
    },
    Package {
        name: "omadm-agent",
        settings: "agent.toml",
        features: &[],
        depends: "",
        suggests: "pcscd",
        documents: &[],
    },
];

/// What is asked for.
pub(crate) struct Run {
    tried: bool,
}

impl Run {
    /// Reads `[--try]`; `None` for anything else.
    pub(crate) fn read(arguments: &[&str]) -> Option<Self> {
        match arguments {
            [] => Some(Self { tried: false }),
            ["--try"] => Some(Self { tried: true }),
            _ => None,
        }
    }

    /// Makes the packages in `target/debian`, and tries them if that is asked for.
    ///
    /// # Errors
    /// When something is missing, lintian finds a fault, or a package does not do what it has to.
    pub(crate) fn run(&self) -> Result {
        install::for_packages()?;
        let folder = target_dir().join("debian");
        fs::create_dir_all(&folder)?;
        let mut files = Vec::new();
        for package in &PACKAGES {
            files.push(package.make(&folder)?);
        }
        let mut judge = Command::new("lintian");
        judge.args(["--allow-root", "--fail-on", "error,warning", "--suppress-tags", NOT_FOR_US]);
        workspace::run(judge.args(&files))?;
        if self.tried {
            install::for_trials()?;
            trial::run(&folder, &files)?;
        }
        for file in files {
            println!("{}", file.display());
        }
        Ok(())
    }
}

impl Package {
    /// Builds it; gives the file.
    fn make(&self, folder: &Path) -> Result<PathBuf> {
        workspace::run(cargo().args(["build", "--release", "--package", self.name]).args(self.features))?;
        let tree = Tree::new(folder.join(self.name))?;
        self.fill(&tree)?;
        let (version, architecture) = (version()?, said(Command::new("dpkg").arg("--print-architecture"))?);
        tree.write("DEBIAN/control", 0o644, &self.control(&tree, &version, &architecture)?)?;
        let file = folder.join(format!("{}_{version}_{architecture}.deb", self.name));
        let mut build = Command::new("dpkg-deb");
        // The same content is the same file, whenever it is packed.
        build.env("SOURCE_DATE_EPOCH", last_change("%ct")?).args(["--root-owner-group", "-Zxz", "--build"]);
        workspace::run(build.arg(tree.root()).arg(&file))?;
        Ok(file)
    }

    /// Everything but what says what it is.
    fn fill(&self, tree: &Tree) -> Result {
        let (name, packaging) = (self.name, root().join("packaging"));
        let documents = format!("usr/share/doc/{name}");
        tree.copy(&target_dir().join("release").join(name), &format!("usr/bin/{name}"), 0o755)?;
        tree.copy(
            &packaging.join("etc").join(self.settings),
            &format!("etc/omadm/{}", self.settings),
            0o644,
        )?;
        tree.copy(&packaging.join("default").join(name), &format!("etc/default/{name}"), 0o644)?;
        let unit = format!("{name}.service");
        tree.copy(&packaging.join("systemd").join(&unit), &format!("lib/systemd/system/{unit}"), 0o644)?;
        let manual = format!("{name}.1");
        tree.compress(
            &fs::read(packaging.join("man").join(&manual))?,
            &format!("usr/share/man/man1/{manual}"),
        )?;
        tree.copy(&packaging.join("debian/copyright"), &format!("{documents}/copyright"), 0o644)?;
        tree.compress(licences::of(self)?.as_bytes(), &format!("{documents}/third-party"))?;
        tree.compress(self.changes()?.as_bytes(), &format!("{documents}/changelog.Debian"))?;
        tree.compress(&fs::read(root().join("CHANGELOG.md"))?, &format!("{documents}/changelog"))?;
        for (from, to) in self.documents {
            tree.copy(&root().join(from), &format!("{documents}/{to}"), 0o644)?;
        }
        for chapter in fs::read_dir(root().join("docs/src"))? {
            let path = chapter?.path();
            if let Some(file) =
                path.file_name().filter(|_| path.extension().is_some_and(|extension| extension == "md"))
            {
                tree.copy(&path, &format!("{documents}/manual/{}", file.to_string_lossy()), 0o644)?;
            }
        }
        for script in ["postinst", "prerm", "postrm"] {
            tree.copy(&packaging.join("debian").join(name).join(script), &format!("DEBIAN/{script}"), 0o755)?;
        }
        let kept = [format!("/etc/default/{name}\n"), format!("/etc/omadm/{}\n", self.settings)];
        tree.write("DEBIAN/conffiles", 0o644, &kept.concat())?;
        tree.write("DEBIAN/md5sums", 0o644, &tree.digests()?)
    }

    /// What Debian has to know.
    fn control(&self, tree: &Tree, version: &str, architecture: &str) -> Result<String> {
        let Self { name, suggests, .. } = self;
        let libraries = tree.libraries(name)?;
        let depends = [libraries.as_str(), self.depends].into_iter().filter(|text| !text.is_empty());
        let description = fs::read_to_string(root().join("packaging/debian").join(name).join("control"))?;
        Ok(format!(
            "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: {maintainer}\n\
             Installed-Size: {size}\nDepends: {depends}\nSuggests: {suggests}\nSection: net\nPriority: optional\n{description}",
            maintainer = maintainer()?,
            size = tree.kibibytes()?,
            depends = depends.collect::<Vec<_>>().join(", "),
        ))
    }

    /// The changes of the packaging; those of the programs are in `CHANGELOG.md`.
    fn changes(&self) -> Result<String> {
        let Self { name, .. } = self;
        let (version, when) = (version()?, last_change("%aD")?);
        Ok(format!(
            "{name} ({version}) unstable; urgency=medium\n\n  * Packaged as it is; see the change log of the programs.\n\n -- {}  {when}\n",
            maintainer()?,
        ))
    }
}

/// The version of the workspace, with that of its packaging.
fn version() -> Result<String> {
    let text = said(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let packages = metadata.get("packages").and_then(serde_json::Value::as_array).into_iter().flatten();
    let mut named = packages.filter(|package| package.get("name").is_some_and(|name| name == "omadm"));
    let version = named.next().and_then(|package| package.get("version")?.as_str());
    Ok(format!("{}-{REVISION}", version.ok_or("cargo metadata has no version of omadm")?))
}

/// Who answers for the package: `DEBFULLNAME` and `DEBEMAIL`, as for Debian's own tools, or who made the last change.
fn maintainer() -> Result<String> {
    match (std::env::var("DEBFULLNAME"), std::env::var("DEBEMAIL")) {
        (Ok(name), Ok(address)) => Ok(format!("{name} <{address}>")),
        _ => last_change("%aN <%aE>"),
    }
}

/// What `git log` says of the last change.
fn last_change(format: &str) -> Result<String> {
    said(Command::new("git").current_dir(root()).args(["log", "-1", &format!("--format={format}")]))
}
