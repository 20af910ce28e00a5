//! Sessions over TLS with durable commits: the real server and the real client engine, in two processes, beside a bare HTTPS
//! server and the store alone.

use std::process::Command;

use serde::Deserialize;

use crate::bare::Bare;
use crate::figure::{Figure, Target};
use crate::measure::{Effort, median};
use crate::processes::Server;
use crate::store::Alone;
use crate::{Error, Result, bare, processes};

const SCENARIO: &str = "tls";
/// Least rate of requests, as a part of the bare server's.
const LEAST: f64 = 0.25;

/// What `omadm sim --output json` prints, as far as it is of use here.
#[derive(Deserialize)]
struct Load {
    sessions_per_second: f64,
    messages_per_second: f64,
    latency_ms: Latency,
    failed: u64,
}

#[derive(Deserialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

/// Both ceilings and the real thing in turn, so that whatever else the machine does falls on all of them.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let bare = Bare::start()?;
    let mut alone = Alone::open(effort)?;
    let server = Server::start()?;
    let (mut requests, mut applies, mut loads) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.runs {
        requests.push(bare.requests_per_second(effort.run * 5)?);
        applies.push(alone.applies_per_second()?);
        loads.push(load(effort, &server)?);
    }
    let (bare, store) = (median(requests), median(applies));
    let middle = |figure: fn(&Load) -> f64| median(loads.iter().map(figure).collect());
    let requests = Figure::new(
        SCENARIO,
        "requests of sessions with one GET",
        middle(|load| load.messages_per_second),
        "/s",
    );
    Ok(vec![
        Figure::new(SCENARIO, format!("bare HTTPS server, {} connections", bare::CONNECTIONS), bare, "/s"),
        requests.clone().beside_rate("bare HTTPS server", bare).with_target(Target::RatioAtLeast(LEAST)),
        requests.beside_rate("store alone", store),
        Figure::new(SCENARIO, "sessions with one GET", middle(|load| load.sessions_per_second), "/s"),
        Figure::new(SCENARIO, "session latency, p50", middle(|load| load.latency_ms.p50), "ms"),
        Figure::new(SCENARIO, "session latency, p99", middle(|load| load.latency_ms.p99), "ms"),
    ])
}

fn load(effort: &Effort, server: &Server) -> Result<Load> {
    let (devices, sessions) = if effort.full { ("1000", "4") } else { ("500", "2") };
    let connections = bare::CONNECTIONS.to_string();
    let output = Command::new(processes::server()?)
        .args(["sim", "--protocol", "dm2.0", "--output", "json"])
        .args(["--devices", devices, "--sessions", sessions, "--warm-up", "1", "--concurrency", &connections])
        .args(["--server", &server.operator_url])
        .arg("--token-file")
        .arg(&server.token_file)
        .arg("--ca-file")
        .arg(&server.ca_file)
        .output()?;
    if !output.status.success() {
        return Err(format!("omadm sim: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let load: Load = serde_json::from_slice(&output.stdout)?;
    if load.failed > 0 { Err(Error::from("some sessions failed")) } else { Ok(load) }
}
