//! Programs in the background: started with a log, watched, and always stopped.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::workspace::Result;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a program may take to end in order.
const GRACE: Duration = Duration::from_secs(15);

/// A program in the background; dropping it ends it.
pub(crate) struct Background {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Background {
    /// Starts a program with its output in a file.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().map_err(|error| format!("{name} does not start: {error}"))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// Fails when the program has ended by itself.
    pub(crate) fn check(&mut self) -> Result {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("{} ended with {status}; {}", self.name, self.last_words()).into()),
        }
    }

    /// Ends the program in order, as a service manager would.
    pub(crate) fn stop(mut self) -> Result {
        self.check()?;
        let id = self.child.id();
        Command::new("sh").arg("-c").arg(format!("kill -TERM {id}")).status()?;
        wait_until(self.name, GRACE, || Ok(self.child.try_wait()?.is_some()))
            .map_err(|error| format!("it did not end when asked to: {error}"))?;
        match self.child.wait()? {
            status if status.success() => Ok(()),
            status => Err(format!("{} ended with {status}; {}", self.name, self.last_words()).into()),
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last =
            lines.iter().skip(lines.len().saturating_sub(10)).copied().collect::<Vec<_>>().join("\n    ");
        format!("the end of {}:\n    {last}", self.log.display())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks again and again until it is so.
///
/// # Errors
/// What the look says, or that it took too long.
pub(crate) fn wait_until(what: &str, patience: Duration, mut look: impl FnMut() -> Result<bool>) -> Result {
    let begun = Instant::now();
    while !look()? {
        if begun.elapsed() > patience {
            return Err(format!("{what} took longer than {} s", patience.as_secs()).into());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Returns when one of the programs has ended, which Ctrl-C brings about.
pub(super) fn until_one_ends(programs: &mut [&mut Background]) -> Result {
    loop {
        for program in programs.iter_mut() {
            if let Some(status) = program.child.try_wait()? {
                println!("{} ended with {status}", program.name);
                return Ok(());
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whether GET of this path on this machine is answered 200.
pub(super) fn answers(port: u16, path: &str) -> bool {
    let exchange = || -> std::io::Result<bool> {
        let mut stream =
            TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(&head == b"HTTP/1.1 200")
    };
    exchange().unwrap_or(false)
}
