//! Sessions over TLS with durable commits: the real server and the real client engines, in two processes, beside a bare HTTPS
//! server and the store alone; those of DM 1.2 beside those of DM 2.0.

use serde::Deserialize;

use crate::bare::Bare;
use crate::figure::{Figure, Target};
use crate::measure::{Effort, median};
use crate::processes::Server;
use crate::store::Alone;
use crate::{Error, Result, bare};

const SCENARIO: &str = "tls";
/// Least rate of requests, as a part of the bare server's.
const LEAST: f64 = 0.25;
/// Least rate of requests in DM 1.2, as a part of that in DM 2.0.
const LEAST_DM1: f64 = 0.8;

/// What devices speak, and how `omadm sim` is told.
pub const DM2: (&str, &[&str]) = ("DM 2.0", &["--protocol", "dm2.0"]);
const DM1: [(&str, &[&str]); 2] =
    [("DM 1.2 in WBXML", &["--protocol", "dm1.2", "--wbxml"]), ("DM 1.2 in XML", &["--protocol", "dm1.2"])];

/// What `omadm sim --output json` prints, as far as it is of use here.
#[derive(Deserialize)]
pub struct Load {
    pub sessions_per_second: f64,
    messages_per_second: f64,
    latency_ms: Latency,
    failed: u64,
}

#[derive(Deserialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

/// The loads of all runs in one protocol.
#[derive(Default)]
struct Loads(Vec<Load>);

impl Loads {
    fn middle(&self, figure: fn(&Load) -> f64) -> f64 {
        median(self.0.iter().map(figure).collect())
    }

    fn requests(&self, protocol: &str) -> Figure {
        let name = format!("requests of {protocol} sessions with one GET");
        Figure::new(SCENARIO, name, self.middle(|load| load.messages_per_second), "/s")
    }

    fn sessions(&self, protocol: &str) -> [Figure; 3] {
        let figure = |what: &str, figure: fn(&Load) -> f64, unit| {
            Figure::new(SCENARIO, format!("{protocol} {what}"), self.middle(figure), unit)
        };
        [
            figure("sessions with one GET", |load| load.sessions_per_second, "/s"),
            figure("session latency, p50", |load| load.latency_ms.p50, "ms"),
            figure("session latency, p99", |load| load.latency_ms.p99, "ms"),
        ]
    }
}

/// Both ceilings and the real thing in turn, so that whatever else the machine does falls on all of them.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let bare = Bare::start()?;
    let mut alone = Alone::open(effort)?;
    let server = Server::start()?;
    let (mut requests, mut applies, mut dm2) = (Vec::new(), Vec::new(), Loads::default());
    let mut dm1 = DM1.map(|(name, protocol)| (name, protocol, Loads::default()));
    for _ in 0..effort.runs {
        requests.push(bare.requests_per_second(effort.run * 5)?);
        applies.push(alone.applies_per_second()?);
        dm2.0.push(load(effort, &server, DM2.1)?);
        for (_, protocol, loads) in &mut dm1 {
            loads.0.push(load(effort, &server, protocol)?);
        }
    }
    let (bare, store) = (median(requests), median(applies));
    let of_dm2 = dm2.requests(DM2.0);
    let mut figures = vec![
        Figure::new(SCENARIO, format!("bare HTTPS server, {} connections", bare::CONNECTIONS), bare, "/s"),
        of_dm2.clone().beside_rate("bare HTTPS server", bare).with_target(Target::RatioAtLeast(LEAST)),
        of_dm2.clone().beside_rate("store alone", store),
    ];
    figures.extend(dm2.sessions(DM2.0));
    for (name, _, loads) in dm1 {
        let beside = loads.requests(name).beside_rate(&of_dm2.name, of_dm2.value);
        figures.push(beside.with_target(Target::RatioAtLeast(LEAST_DM1)));
        figures.extend(loads.sessions(name));
    }
    Ok(figures)
}

pub fn load(effort: &Effort, server: &Server, protocol: &[&str]) -> Result<Load> {
    let (devices, sessions) = if effort.full { ("1000", "4") } else { ("500", "2") };
    let connections = bare::CONNECTIONS.to_string();
    let load =
        ["--devices", devices, "--sessions", sessions, "--warm-up", "1", "--concurrency", &connections];
    let load: Load = server.simulate(&[protocol, &load].concat())?;
    if load.failed > 0 { Err(Error::from("some sessions failed")) } else { Ok(load) }
}
