//! A PC/SC daemon of its own, with two readers for cards of software.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::fault::Flawed;
use crate::vpcd::Inserted;

/// By this variable the library of PC/SC finds its daemon.
pub const SOCKET: &str = "PCSCLITE_CSOCK_NAME";
/// The name of the reader that cards are put into.
pub const READER: &str = "Virtual PCD 00 00";
/// The driver of the readers, in Debian.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running daemon. There can be many on one machine: each has the directory of its socket for itself.
#[derive(Debug)]
pub struct Pcscd {
    child: Child,
    directory: tempfile::TempDir,
    port: u16,
}

impl Pcscd {
    /// Starts one.
    ///
    /// # Errors
    /// When it, or a name space for it, cannot be had.
    pub fn start() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let port = free_pair().ok_or_else(|| io::Error::other("there are no two free ports in a row"))?;
        let settings = directory.path().join("reader.conf");
        let reader = format!(
            "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:{port:#X}\nLIBPATH {DRIVER}\nCHANNELID {port:#X}\n"
        );
        std::fs::write(&settings, reader)?;
        // The daemon knows no other place for its socket than this one; it is ours alone in a mount name space.
        let script = "mkdir -p /run/pcscd && mount --bind \"$1\" /run/pcscd && exec pcscd --foreground --config \"$2\"";
        let child = Command::new("unshare")
            .args(if is_root() { &["--mount"][..] } else { &["--map-root-user", "--mount"] })
            .args(["--propagation", "private", "sh", "-c", script, "pcscd"])
            .arg(directory.path())
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut daemon = Self { child, directory, port };
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(daemon.socket()).is_err() {
            if let Some(status) = daemon.child.try_wait()? {
                return Err(io::Error::other(format!("pcscd ended with {status}")));
            }
            if begun.elapsed() > PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(daemon)
    }

    /// The value of [`SOCKET`] for programs that are to use it.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("pcscd.comm")
    }

    /// Puts a card into the reader [`READER`].
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn insert(&self, card: impl Into<Flawed>) -> io::Result<Inserted> {
        Inserted::new(self.port, card)
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The owner of our own process directory is the user we run as.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// Two free ports in a row, below those that the system gives to others: each reader has one.
fn free_pair() -> Option<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = std::process::id() % 200 * 40;
    (0..200).find_map(|_| {
        let step = u32::from(NEXT.fetch_add(2, Ordering::Relaxed));
        let port = u16::try_from(11_000 + (own + step) % 8_000).ok()?;
        let bind = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok();
        let _both = (bind(port)?, bind(port + 1)?);
        Some(port)
    })
}
