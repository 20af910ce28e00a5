//! Commands of the administrator by which packages are installed and the machine is locked or wiped: fixed in the configuration, started
//! without a shell and with a clean environment, one at a time, and not for ever.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// Where programs are looked for.
const SEARCH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Pause between two looks whether the command of an earlier run of the agent has ended.
const PAUSE: Duration = Duration::from_millis(200);
/// Most octets of what a command says on standard error that go to the log.
const SAID: u64 = 2 << 10;

/// A configured command.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Program and arguments; an argument `{name}` is replaced as a whole by the value of that name.
    command: Vec<String>,
    timeout: Duration,
    /// Where the lock and what commands say are kept.
    directory: PathBuf,
}

/// A value for a command: its name, and what it is. It gets it as the variable `OMADM_NAME`, too.
pub type Given<'a> = (&'static str, &'a OsStr);

/// Why a command has no exit status.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// There is none.
    #[error("no command is configured for it")]
    None,
    /// It could not be started.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It took too long.
    #[error("{program} took longer than {} s and was stopped", limit.as_secs())]
    Timeout {
        /// The program.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// A signal ended it.
    #[error("{program} was ended by a signal")]
    Signal {
        /// The program.
        program: String,
    },
}

impl Hook {
    /// With the directory for its lock.
    pub fn new(command: &[String], timeout: Duration, directory: &Path) -> Self {
        Self { command: command.to_vec(), timeout, directory: directory.to_owned() }
    }

    /// Whether there is a command.
    pub fn is_configured(&self) -> bool {
        !self.command.is_empty()
    }

    /// Runs it to its end and gives its exit status. A command that an earlier run of the agent has started is waited for first: it
    /// holds the lock.
    pub async fn run(&self, given: &[Given<'_>]) -> Result<i32, HookError> {
        let [program, arguments @ ..] = self.command.as_slice() else { return Err(HookError::None) };
        let start = |source| HookError::Start { program: program.clone(), source };
        let begun = Instant::now();
        let late = || HookError::Timeout { program: program.clone(), limit: self.timeout };
        std::fs::create_dir_all(&self.directory).map_err(start)?;
        let lock = self.lock(begun).await.map_err(start)?.ok_or_else(late)?;
        let said = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(self.directory.join("hook.log"))
            .map_err(start)?;
        let mut command = Command::new(program);
        command.args(arguments.iter().map(|argument| replaced(argument, given)));
        command.env_clear().env("PATH", SEARCH).env("LANG", "C.UTF-8").current_dir("/").process_group(0);
        for (name, value) in given {
            command.env(format!("OMADM_{}", name.to_ascii_uppercase()), value);
        }
        // The lock is an empty file, so it serves as standard input, and lasts as long as anything that the command has started.
        command.stdin(lock).stdout(Stdio::null()).stderr(said.try_clone().map_err(start)?);
        let mut child = command.spawn().map_err(start)?;
        drop(command);
        let left = self.timeout.saturating_sub(begun.elapsed());
        let ended = tokio::time::timeout(left, child.wait()).await;
        log_said(program, said);
        match ended {
            Ok(Ok(status)) => code(status).ok_or_else(|| HookError::Signal { program: program.clone() }),
            Ok(Err(source)) => Err(start(source)),
            Err(_) => {
                stop(&mut child).await;
                Err(late())
            }
        }
    }

    /// The lock, as soon as it is free; `None` if that takes too long.
    async fn lock(&self, begun: Instant) -> io::Result<Option<File>> {
        let path = self.directory.join("hook.lock");
        let file = File::options().create(true).truncate(true).read(true).write(true).open(path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(std::fs::TryLockError::Error(error)) => return Err(error),
                Err(std::fs::TryLockError::WouldBlock) if begun.elapsed() >= self.timeout => return Ok(None),
                Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

fn replaced<'a>(argument: &'a str, given: &[Given<'a>]) -> &'a OsStr {
    let name = argument.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let value = name.and_then(|name| given.iter().find(|(given, _)| *given == name));
    value.map_or(OsStr::new(argument), |(_, value)| *value)
}

fn code(status: ExitStatus) -> Option<i32> {
    status.code()
}

/// Ends a command with all that it has started.
async fn stop(child: &mut Child) {
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(group) = group
        && let Err(error) = kill_process_group(group, Signal::KILL)
    {
        tracing::warn!("a command could not be stopped: {error}");
    }
    // It is gone, or cannot be ended by anybody.
    let _ = child.kill().await;
}

/// Puts the end of what a command said into the log.
fn log_said(program: &str, mut said: File) {
    let read = || -> io::Result<Vec<u8>> {
        let length = said.metadata()?.len();
        said.seek(SeekFrom::Start(length.saturating_sub(SAID)))?;
        let mut octets = Vec::new();
        said.take(SAID).read_to_end(&mut octets)?;
        Ok(octets)
    };
    match read() {
        Ok(octets) if octets.is_empty() => {}
        Ok(octets) => {
            let text = String::from_utf8_lossy(&octets);
            tracing::info!(program, "a command said: {:?}", text.trim());
        }
        Err(error) => tracing::debug!(program, "what a command said cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(command: &[&str], timeout: Duration) -> (tempfile::TempDir, Hook) {
        let directory = tempfile::tempdir().unwrap();
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let hook = Hook::new(&command, timeout, directory.path());
        (directory, hook)
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn values_are_whole_arguments_and_variables_and_no_shell_reads_them() {
        let script = r#"[ "$1" = 'a; exit 9' ] && [ "$OMADM_PACKAGE" = "$1" ] && [ "$2" = '{other}' ] && [ -z "$HOME" ]"#;
        let (_directory, hook) = hook(&["sh", "-c", script, "sh", "{package}", "{other}"], MINUTE);
        assert_eq!(hook.run(&[("package", OsStr::new("a; exit 9"))]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn the_exit_status_comes_back() {
        let (_directory, hook) = hook(&["sh", "-c", "echo trouble >&2; exit 7"], MINUTE);
        assert_eq!(hook.run(&[]).await.unwrap(), 7);
        let (_directory, none) = self::hook(&[], MINUTE);
        assert!(matches!(none.run(&[]).await, Err(HookError::None)));
        let (_directory, missing) = self::hook(&["/nonexistent/program"], MINUTE);
        assert!(matches!(missing.run(&[]).await, Err(HookError::Start { .. })));
        let (_directory, killed) = self::hook(&["sh", "-c", "kill -9 $$"], MINUTE);
        assert!(matches!(killed.run(&[]).await, Err(HookError::Signal { .. })));
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_stopped_with_all_that_it_started() {
        let (directory, hook) = hook(&["sh", "-c", "sleep 3600 & sleep 3600"], Duration::from_millis(200));
        assert!(matches!(hook.run(&[]).await, Err(HookError::Timeout { .. })));
        // All of them held the lock.
        let after = Hook::new(&["true".to_owned()], MINUTE, directory.path());
        assert_eq!(after.run(&[]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_command_of_an_earlier_run_is_waited_for() {
        let (directory, first) = hook(&["sleep", "3600"], MINUTE);
        let started = tokio::spawn(async move { first.run(&[]).await });
        let lock = directory.path().join("hook.lock");
        let held = || File::open(&lock).is_ok_and(|file| file.try_lock().is_err());
        while !held() {
            tokio::task::yield_now().await;
        }
        let second = Hook::new(&["true".to_owned()], Duration::from_millis(300), directory.path());
        assert!(matches!(second.run(&[]).await, Err(HookError::Timeout { .. })));
        started.abort();
    }
}
