//! A reboot storm: all devices come within half a minute, each as often as the server sends it away, while an operator reads.

use serde::Deserialize;

use crate::Result;
use crate::figure::Figure;
use crate::measure::Effort;
use crate::processes::Server;

const SCENARIO: &str = "storm";

/// What `omadm sim --storm --output json` prints, as far as it is of use here.
#[derive(Deserialize)]
struct Report {
    devices: f64,
    served: f64,
    served_after_seconds: f64,
    refused: f64,
    unreached: f64,
    failed: f64,
    longest_retry_after_seconds: f64,
    session_ms: Latency,
    operator_read_ms: Latency,
    operator_reads_failed: f64,
}

#[derive(Deserialize)]
struct Latency {
    p50: Option<f64>,
    p99: Option<f64>,
}

/// One storm on a server of its own.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let (devices, within) = if effort.full { ("100000", "30") } else { ("1000", "1") };
    let server = Server::start()?;
    let storm = ["--devices", devices, "--storm", within, "--concurrency", "512", "--keep", "--no-commands"];
    let report: Report = server.simulate(&[&["--protocol", "dm2.0"], &storm[..]].concat())?;
    let what = format!("{} devices within {within} s", report.devices);
    let figure = |name: &str, value: f64, unit| Figure::new(SCENARIO, format!("{what}: {name}"), value, unit);
    let middle = |latency: &Latency| latency.p50.unwrap_or_default();
    let slow = |latency: &Latency| latency.p99.unwrap_or_default();
    Ok(vec![
        figure("served", report.served, ""),
        figure("the last one after", report.served_after_seconds, "s"),
        figure("told to come later", report.refused, "times"),
        figure("longest Retry-After", report.longest_retry_after_seconds, "s"),
        figure("not answered", report.unreached, "times"),
        figure("accepted and broken", report.failed, ""),
        figure("session, p50", middle(&report.session_ms), "ms"),
        figure("session, p99", slow(&report.session_ms), "ms"),
        figure("operator's read, p50", middle(&report.operator_read_ms), "ms"),
        figure("operator's read, p99", slow(&report.operator_read_ms), "ms"),
        figure("operator's reads that failed", report.operator_reads_failed, ""),
        figure("memory of the server afterwards", server.process.resident()? as f64 / 1e6, "MB"),
    ])
}
