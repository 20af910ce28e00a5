//! `cargo xtask cluster`: the tests of several nodes for longer than `cargo xtask test` has time for.

use crate::install;
use crate::workspace::{self, Result, cargo};

/// For how long nodes die if nothing else is said.
const SECONDS: &str = "120";

/// What of it is run.
pub(crate) struct Run<'a> {
    seconds: &'a str,
    fail_over: bool,
}

impl<'a> Run<'a> {
    /// Reads `[--seconds N] [--failover]`; `None` for anything else.
    pub(crate) fn read(arguments: &[&'a str]) -> Option<Self> {
        match arguments {
            [] => Some(Self { seconds: SECONDS, fail_over: false }),
            [rest @ .., "--failover"] => Some(Self { fail_over: true, ..Self::read(rest)? }),
            ["--failover", rest @ ..] => Some(Self { fail_over: true, ..Self::read(rest)? }),
            ["--seconds", seconds] if seconds.parse::<u16>().is_ok_and(|seconds| seconds > 0) => {
                Some(Self { seconds, fail_over: false })
            }
            _ => None,
        }
    }

    /// Kills nodes under load; with a fail-over, the primary of PostgreSQL, too, which is replaced by hand and by Patroni.
    ///
    /// # Errors
    /// When something was lost, or a tool is missing.
    pub(crate) fn run(&self) -> Result {
        install::for_clusters()?;
        let mut command = cargo();
        command.env("OMADM_CLUSTER_SECONDS", self.seconds);
        command.args([
            "test",
            "--package",
            "omadm",
            "--test",
            "cluster",
            "--",
            "--nocapture",
            "--test-threads=1",
        ]);
        let what: &[&str] = if self.fail_over {
            &["killed::", "failover::", "patroni::", "--include-ignored"]
        } else {
            &["killed::"]
        };
        workspace::run(command.args(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_read() {
        let read = |arguments: &[&'static str]| {
            Run::read(arguments).map(|run| (run.seconds.to_owned(), run.fail_over))
        };
        assert_eq!(read(&[]), Some(("120".to_owned(), false)));
        assert_eq!(read(&["--seconds", "30"]), Some(("30".to_owned(), false)));
        assert_eq!(read(&["--failover"]), Some(("120".to_owned(), true)));
        assert_eq!(read(&["--failover", "--seconds", "30"]), Some(("30".to_owned(), true)));
        assert_eq!(read(&["--seconds", "30", "--failover"]), Some(("30".to_owned(), true)));
        for wrong in [&["--seconds"][..], &["--seconds", "0"], &["--seconds", "x"], &["30"]] {
            assert_eq!(read(wrong), None);
        }
    }
}
