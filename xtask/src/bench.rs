//! `cargo xtask bench`: the benchmarks are a program of their own, always built for release.

use crate::workspace::{self, Result, cargo};

pub(crate) fn run(arguments: &[&str]) -> Result {
    crate::install::for_bench()?;
    workspace::run(cargo().args(["run", "--release", "--package", "omadm-bench", "--"]).args(arguments))
}
