//! What the build and the tests need from Debian beyond Rust.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::workspace::{Result, run};

/// A Debian package and the sign that what we need of it is there, however it came.
struct Need {
    package: &'static str,
    why: &'static str,
    present: fn() -> bool,
}

/// Without these nothing builds.
const BUILD: [Need; 4] = [
    Need {
        package: "gcc",
        why: "compiles the embedded SQLite and links",
        present: || runs("cc", &["--version"]),
    },
    Need { package: "pkg-config", why: "finds OpenSSL", present: || runs("pkg-config", &["--version"]) },
    Need {
        package: "libssl-dev",
        why: "TLS of server and device",
        present: || runs("pkg-config", &["--exists", "openssl"]),
    },
    Need {
        package: "libpcsclite-dev",
        why: "reads and writes smartcards",
        present: || runs("pkg-config", &["--exists", "libpcsclite"]),
    },
];

/// A browser for the demo, and a judge in tests.
const CURL: Need = Need {
    package: "curl",
    why: "opens the page of the demo, and judges what the server speaks",
    present: || runs("curl", &["--version"]),
};

/// For smartcards in tests and benchmarks.
const PCSCD: Need = Need {
    package: "pcscd",
    why: "is between the agent and the card of software",
    present: || std::path::Path::new("/usr/sbin/pcscd").exists(),
};

/// The same.
const VPCD: Need = Need {
    package: "vsmartcard-vpcd",
    why: "is the reader of that card",
    present: || std::path::Path::new("/usr/lib/pcsc/drivers/serial/libifdvpcd.so").exists(),
};

/// A ceiling of the benchmarks.
const LIBWBXML: Need = Need {
    package: "libwbxml2-dev",
    why: "does in benchmarks what our WBXML is measured against",
    present: || runs("pkg-config", &["--exists", "libwbxml2"]),
};

/// What `cargo xtask cluster` needs beyond the tests: who makes a standby a primary when that is gone.
const KEEPERS: [Need; 2] = [
    Need {
        package: "patroni",
        why: "makes a standby the primary",
        present: || std::path::Path::new("/usr/bin/patroni").exists(),
    },
    Need {
        package: "etcd-server",
        why: "says who is the primary",
        present: || std::path::Path::new("/usr/bin/etcd").exists(),
    },
];

/// What `cargo xtask api` and `features` need beyond the build: an environment for what comes from PyPI.
const VENV: Need = Need {
    package: "python3-venv",
    why: "holds judges from PyPI",
    present: || runs("python3", &["-c", "import venv, ensurepip"]),
};

/// What `cargo xtask package` needs beyond the build.
const PACKERS: [Need; 2] = [
    Need {
        package: "dpkg-dev",
        why: "knows which packages have the libraries of a program",
        present: || runs("dpkg-shlibdeps", &["--version"]),
    },
    Need { package: "lintian", why: "judges packages", present: || runs("lintian", &["--version"]) },
];

/// What `cargo xtask package --try` needs beyond that.
const TRIALS: [Need; 2] = [
    Need {
        package: "debootstrap",
        why: "makes a Debian to try packages in",
        present: || std::path::Path::new("/usr/sbin/debootstrap").exists(),
    },
    Need {
        package: "systemd-container",
        why: "starts that Debian as a machine",
        present: || runs("systemd-nspawn", &["--version"]),
    },
];

/// Tools that judge us in tests.
const JUDGES: [Need; 19] = [
    CURL,
    Need {
        package: "openssl",
        why: "judges the TLS of both sides",
        present: || runs("openssl", &["version"]),
    },
    Need {
        package: "tshark",
        why: "judges the notifications that we push",
        present: || runs("tshark", &["--version"]) && runs("text2pcap", &["--version"]),
    },
    Need {
        package: "kannel",
        why: "carries our notifications as a push gateway",
        present: || runs("bearerbox", &["--version"]) && runs("wapbox", &["--version"]),
    },
    Need {
        package: "kannel-extras",
        why: "has a phone that judges that gateway",
        present: || std::path::Path::new("/usr/lib/kannel/test/fakewap").exists(),
    },
    Need {
        package: "openobex-apps",
        why: "is the other end of our OBEX links",
        // Without an argument it would wait for somebody.
        present: || std::path::Path::new("/usr/bin/obex_tcp").exists(),
    },
    Need {
        package: "obexftp",
        why: "puts files over our OBEX links",
        present: || std::path::Path::new("/usr/bin/obexftp").exists(),
    },
    Need {
        package: "sip-tester",
        why: "is the other end of push by SIP",
        // Its version it tells with another status.
        present: || std::path::Path::new("/usr/bin/sipp").exists(),
    },
    PCSCD,
    VPCD,
    Need {
        package: "opensc",
        why: "judges that card",
        present: || std::path::Path::new("/usr/bin/opensc-tool").exists(),
    },
    Need {
        package: "libxml2-utils",
        why: "judges the schema of our XML",
        present: || runs("xmllint", &["--version"]),
    },
    Need {
        package: "libwbxml2-utils",
        why: "judges our WBXML",
        // It has no way to say its version, and ends well without an input.
        present: || runs("wbxml2xml", &[]),
    },
    Need {
        package: "postgresql",
        why: "is the other engine of the store",
        // Its programs are not on the path.
        present: || std::path::Path::new("/usr/lib/postgresql").exists(),
    },
    Need {
        package: "haproxy",
        why: "stands before the nodes of a cluster",
        present: || std::path::Path::new("/usr/sbin/haproxy").exists(),
    },
    Need {
        package: "pgbouncer",
        why: "stands before PostgreSQL",
        present: || std::path::Path::new("/usr/sbin/pgbouncer").exists(),
    },
    Need {
        package: "chromium",
        why: "shows our pages as a user sees them",
        present: || runs("chromium", &["--version"]),
    },
    Need {
        package: "chromium-driver",
        why: "clicks on them",
        present: || runs("chromedriver", &["--version"]),
    },
    Need {
        package: "fonts-dejavu-core",
        why: "has the letters of our pages",
        present: || std::path::Path::new("/usr/share/fonts/truetype/dejavu").exists(),
    },
];

/// Installs what the build needs.
///
/// # Errors
/// What is missing and the command that installs it, where we may not or cannot install it ourselves.
pub(crate) fn for_build() -> Result {
    install(&BUILD)
}

/// Installs what the build and the demo need.
///
/// # Errors
/// As [`for_build`].
pub(crate) fn for_demo() -> Result {
    for_build()?;
    install(&[CURL])
}

/// Installs what the build and the benchmarks need.
///
/// # Errors
/// As [`for_build`].
pub(crate) fn for_bench() -> Result {
    for_build()?;
    install(&[LIBWBXML, PCSCD, VPCD])
}

/// Installs what the build and the tests need.
///
/// # Errors
/// As [`for_build`].
pub(crate) fn for_tests() -> Result {
    for_build()?;
    install(&JUDGES)
}

/// Installs what the build and judges from PyPI need.
///
/// # Errors
/// As [`for_build`].
pub(crate) fn for_python() -> Result {
    for_build()?;
    install(&[VENV, CURL])
}

/// Installs what makes and judges packages of Debian.
///
/// # Errors
/// As [`for_build`].
pub(crate) fn for_packages() -> Result {
    for_build()?;
    install(&PACKERS)
}

/// Installs what a Debian to try them in is made by.
///
/// # Errors
/// As [`for_build`], and when we are not root, as whom alone it can be made.
pub(crate) fn for_trials() -> Result {
    if !is_root() {
        return Err("only root can make a Debian to try packages in".into());
    }
    install(&TRIALS)
}

/// Installs what the build and clusters need.
///
/// # Errors
/// As [`for_build`].
pub(crate) fn for_clusters() -> Result {
    for_tests()?;
    install(&KEEPERS)
}

/// Installs the missing packages; calls `apt-get` only when something is missing.
fn install(needs: &[Need]) -> Result {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        eprintln!("xtask: {} is missing ({})", need.package, need.why);
    }
    let names: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let by_hand =
        format!("apt-get update && apt-get install --yes --no-install-recommends {}", names.join(" "));
    if !runs("apt-get", &["--version"]) {
        return Err(format!(
            "this machine has no apt-get; install the equivalents of {} with its own package manager, then run this again",
            names.join(", ")
        )
        .into());
    }
    if !is_root() {
        return Err(format!(
            "installing needs root; run this, then this command again:\n    sudo sh -c '{by_hand}'"
        )
        .into());
    }
    eprintln!("xtask: {by_hand}");
    run(apt_get().arg("update"))?;
    run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(&names))
}

/// Standard output stays ours, so that it can hold a report and nothing else.
fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::io::stderr());
    command
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The owner of our own process directory is the user we run as.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    Path::new("/proc/self").metadata().is_ok_and(|metadata| metadata.uid() == 0)
}
