//! `cargo xtask test`: everything that can be checked on this machine, the same everywhere.

use std::process::Command;
use std::time::Instant;

use crate::workspace::{self, Result, cargo, run_lines};
use crate::{edges, install};

/// Crates that also build where there is no operating system, which catches a socket or a clock in them.
const PURE: [&str; 4] = ["omadm-mo", "omadm-codec", "omadm-auth", "omadm-session"];
const WASM: &str = "wasm32-unknown-unknown";

type Step = fn() -> Result<Verdict>;

/// How a step ended, as the summary shows it.
enum Verdict {
    Passed(String),
    Skipped(String),
    Failed(String),
}

/// Runs every step, also after one failed, and ends with a summary.
///
/// # Errors
/// When a step failed.
pub(crate) fn run() -> Result {
    let steps: [(&str, Step); 5] = [
        ("Debian packages", || install::for_tests().map(|()| Verdict::Passed("all there".into()))),
        ("crate edges", || edges::check().map(|()| Verdict::Passed("as the house allows".into()))),
        ("tests", tests),
        ("pure crates", wasm),
        ("client profile", client_profile),
    ];
    let mut lines = Vec::new();
    let mut failed = 0;
    for (name, step) in steps {
        eprintln!("xtask: {name} …");
        let begun = Instant::now();
        let (word, text) = match step().unwrap_or_else(|error| Verdict::Failed(error.to_string())) {
            Verdict::Passed(text) => ("ok", text),
            Verdict::Skipped(text) => ("skipped", text),
            Verdict::Failed(text) => {
                failed += 1;
                ("FAILED", text)
            }
        };
        lines.push(format!("{name:<16} {word:<8} {:>5.0} s  {text}", begun.elapsed().as_secs_f64()));
    }
    println!("\n{}", lines.join("\n"));
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {} steps failed", lines.len()).into()) }
}

/// `cargo test` and not a runner that may be missing: the same tests everywhere, documentation examples among them. The seed
/// corpora of the fuzz targets are replayed by tests of the crates that they are about.
fn tests() -> Result<Verdict> {
    let mut tally = Tally::default();
    let ended_well = run_lines(cargo().args(["test", "--workspace", "--no-fail-fast"]), |line| {
        println!("{line}");
        tally.take(line);
    })?;
    let text = format!("{} passed, {} failed, {} ignored", tally.passed, tally.failed, tally.ignored);
    Ok(match (ended_well, tally.passed) {
        (true, 0) => Verdict::Failed("no test ran".into()),
        (true, _) => Verdict::Passed(text),
        (false, _) => Verdict::Failed(text),
    })
}

/// What the test binaries said, added up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Tally {
    /// Takes a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; …`; other lines say nothing.
    fn take(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = counts.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let [count, what] = pair else { continue };
            let Ok(count) = count.parse::<u32>() else { continue };
            match *what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

fn wasm() -> Result<Verdict> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout);
    if !std::path::Path::new(sysroot.trim()).join("lib/rustlib").join(WASM).is_dir() {
        return Ok(Verdict::Skipped(format!("the build for {WASM} needs: rustup target add {WASM}")));
    }
    let packages = PURE.iter().flat_map(|package| ["--package", package]);
    workspace::run(cargo().args(["build", "--target", WASM]).args(packages))?;
    Ok(Verdict::Passed(format!("{} build for {WASM}", PURE.join(", "))))
}

/// The client of DM 1.3's Client Profile builds by itself, and nothing in it knows JSON.
fn client_profile() -> Result<Verdict> {
    let alone = ["--package", "omadm-client", "--no-default-features", "--features", "profile-1.0"];
    let strict = ["--lib", "--example", "profile", "--", "-D", "warnings"];
    workspace::run(cargo().arg("clippy").args(alone).args(strict))?;
    let tree = cargo().arg("tree").args(alone).args(["--edges", "normal", "--prefix", "none"]).output()?;
    if !tree.status.success() {
        return Err(String::from_utf8_lossy(&tree.stderr).into());
    }
    let tree = String::from_utf8_lossy(&tree.stdout);
    Ok(match tree.lines().find(|line| line.starts_with("serde_json ")) {
        Some(json) => Verdict::Failed(format!("{json} is in the client of the profile")),
        None => Verdict::Passed("the client of profile 1.0 builds without DM 2.0 and JSON".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up_over_binaries() {
        let mut tally = Tally::default();
        tally.take("running 3 tests");
        tally.take(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        );
        tally.take("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s");
        assert_eq!(tally, Tally { passed: 15, failed: 2, ignored: 1 });
    }
}
