//! A real server with a large fleet: its memory, and sessions over TLS with few and with many devices enrolled.

use crate::Result;
use crate::figure::{Figure, Target};
use crate::measure::{Effort, median};
use crate::memory::Operator;
use crate::processes::Server;
use crate::tls::{self, DM2};

const SCENARIO: &str = "large";
/// Least rate with many enrolled, as a part of the rate with few.
const LEAST: f64 = 0.85;
/// Most memory of the server, in MB.
const MOST_MEMORY: f64 = 300.0;
/// Devices of a large fleet.
const LARGE: usize = 1_000_000;
/// The same when it has to be quick.
const LARGE_QUICK: usize = 10_000;
/// Devices of one request.
const BATCH: usize = 1_000;

/// Both servers in turn, so that whatever else the machine does falls on both.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let devices = devices(effort);
    let (few, many) = (Server::start()?, Server::start()?);
    let before = many.process.resident()? as f64 / 1e6;
    enrol(&many, devices)?;
    let idle = many.process.resident()? as f64 / 1e6;
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..effort.runs {
        of_few.push(tls::load(effort, &few, DM2.1)?.sessions_per_second);
        of_many.push(tls::load(effort, &many, DM2.1)?.sessions_per_second);
    }
    let (of_few, of_many) = (median(of_few), median(of_many));
    let busy = many.process.resident()? as f64 / 1e6;
    let name = |count: &str| format!("DM 2.0 sessions with one GET over TLS, {count} enrolled");
    let memory =
        |what: &str, value: f64| Figure::new(SCENARIO, format!("memory of the server, {what}"), value, "MB");
    Ok(vec![
        Figure::new(SCENARIO, name("1000"), of_few, "/s"),
        Figure::new(SCENARIO, name(&devices.to_string()), of_many, "/s")
            .beside_rate(&name("1000"), of_few)
            .with_target(Target::RatioAtLeast(LEAST)),
        memory("nothing enrolled", before),
        memory(&format!("{devices} enrolled"), idle).with_target(Target::AtMost(MOST_MEMORY)),
        memory(&format!("{devices} enrolled, after the load"), busy).with_target(Target::AtMost(MOST_MEMORY)),
    ])
}

/// Devices of a large fleet, as large as there is time for.
pub fn devices(effort: &Effort) -> usize {
    if effort.full { LARGE } else { LARGE_QUICK }
}

/// Enrols devices in requests of [`BATCH`].
pub fn enrol(server: &Server, devices: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let operator = Operator::new(server)?;
        for first in (0..devices).step_by(BATCH) {
            operator.enrol(first).await?;
        }
        Ok(())
    })
}
