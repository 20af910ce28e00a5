//! `omadm sim`: a load generator with the real client engine in each virtual device.

mod device;
mod endure;
mod enrolment;
mod load;
mod nasty;
mod objects;
mod report;
mod storm;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use omadm_client::dm1::{Encoding, Version};
use omadm_client::{HttpsConfig, HttpsTransport};
use serde_json::Value;

use crate::api::Api;
use crate::cli::Global;
use crate::failure::Failure;
use crate::screen::{self, Format};
use device::{Account, Model, Speech};
use endure::Endurance;
use enrolment::Enrolled;
use load::Load;
use nasty::Torture;
use storm::Storm;

/// What a virtual device is asked for in each session, so that every session has a durable result.
const DEFAULT_GET: &str = "urn:oma:mo:oma-dm-devinfo:1.2//DevID";
/// The same for those that speak DM 1.x.
const DEFAULT_DM1_GET: &str = "./DevInfo/DevId";

/// Put load on a server: many virtual devices, each with the real client engine.
///
/// Enrols the devices, runs their sessions, prints rates and latencies, and removes the devices again.
#[derive(Debug, Args)]
pub struct Sim {
    /// Protocol of the devices.
    #[arg(long, value_enum)]
    protocol: Protocol,
    /// Messages of DM 1.x in WBXML; else in XML.
    #[arg(long)]
    wbxml: bool,
    /// Number of virtual devices.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    devices: u32,
    /// Sessions of each device.
    #[arg(long, value_name = "M", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sessions: u32,
    /// Sessions of each device before those that count: they open the connections.
    #[arg(long, value_name = "N", default_value_t = 0)]
    warm_up: u32,
    /// Sessions at the same time, each on its own connection.
    #[arg(long, value_name = "C", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Where the devices connect to; what the server says if not given.
    #[arg(long, value_name = "URL")]
    device_url: Option<String>,
    /// Certificate authority that the devices trust (PEM), beside those of the system.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// What the server asks each device for in each session; its identity in DevInfo if not given. Can be repeated.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_commands")]
    get: Vec<String>,
    /// The server has nothing to ask: sessions begin and end.
    #[arg(long)]
    no_commands: bool,
    /// Be nasty: the devices repeat, skip, truncate and break messages, a session for each trick; the report says how the server answered.
    #[arg(long, conflicts_with_all = ["no_commands", "warm_up", "concurrency"])]
    nasty: bool,
    /// What is left to chance by `--nasty`.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "nasty")]
    seed: u64,
    /// All devices come within so many seconds, as after a power cut, with a session each; they come again when the server tells them to. An
    /// operator reads meanwhile. `--concurrency` connections carry them.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    #[arg(conflicts_with_all = ["nasty", "warm_up", "sessions"])]
    storm: Option<u32>,
    /// After how many seconds a device of a storm that was not served is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 1_800, requires = "storm")]
    give_up: u32,
    /// The devices come again and again for so long, whatever happens to the servers; every command and result that was acknowledged
    /// has to be there at the end.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    #[arg(conflicts_with_all = ["nasty", "warm_up", "sessions", "storm", "no_commands"])]
    endure: Option<u32>,
    /// Leave the devices enrolled.
    #[arg(long)]
    keep: bool,
}

/// What a run came to.
enum Outcome {
    Load(report::Figures),
    Storm(storm::Report),
    Endurance(endure::Report),
    Nasty(nasty::Report),
}

impl Outcome {
    fn print(&self, output: Format) -> Result<(), Failure> {
        match self {
            Self::Load(figures) => figures.print(output),
            Self::Storm(report) => report.print(output),
            Self::Endurance(report) => report.print(output),
            Self::Nasty(report) => report.print(output),
        }
    }

    fn verdict(&self) -> Result<(), Failure> {
        match self {
            Self::Load(figures) => figures.verdict(),
            Self::Storm(report) => report.verdict(),
            Self::Endurance(report) => report.verdict(),
            Self::Nasty(report) => report.verdict(),
        }
    }
}

/// Protocols that a virtual device can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// OMA DM 2.0.
    #[value(name = "dm2.0")]
    Dm20,
    /// OMA DM 1.2.
    #[value(name = "dm1.2")]
    Dm12,
    /// OMA DM 1.3.
    #[value(name = "dm1.3")]
    Dm13,
}

impl Sim {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        if self.wbxml && self.protocol == Protocol::Dm20 {
            return Err(Failure::Usage("--wbxml makes sense with DM 1.x only".to_owned()));
        }
        let api = Arc::new(global.api()?);
        let account = self.account(&api).await?;
        // Tried before anything is enrolled, so that a wrong file costs nothing.
        self.transport()?;
        let mut enrolled = Vec::new();
        let result = tokio::select! {
            result = self.measure(&api, &account, &mut enrolled) => result,
            () = interrupted() => Err(Failure::Failed("interrupted".to_owned())),
        };
        let removed = if self.keep {
            Ok(())
        } else {
            enrolment::remove(&api, enrolled, usize::from(self.concurrency)).await
        };
        let outcome = result?;
        outcome.print(global.output)?;
        removed?;
        outcome.verdict()
    }

    /// Enrols devices into `enrolled`, and puts the load on.
    async fn measure(
        &self,
        api: &Arc<Api>,
        account: &Account,
        enrolled: &mut Vec<Enrolled>,
    ) -> Result<Outcome, Failure> {
        enrolment::enrol(api, self.devices, enrolled).await?;
        let model = Model::new(self.speech())?;
        if self.nasty {
            return self.torture(api, account, &model, enrolled).await.map(Outcome::Nasty);
        }
        let workers = usize::from(self.concurrency).min(enrolled.len()).max(1);
        if let Some(within) = self.storm {
            let within = Duration::from_secs(within.into());
            return self.storm(api, account, model, enrolled, workers, within).await.map(Outcome::Storm);
        }
        let shares = enrolled.chunks(enrolled.len().div_ceil(workers).max(1)).map(|share| {
            // A transport of its own is a connection of its own.
            let transport = self.transport()?;
            share
                .iter()
                .map(|device| model.client(device, account, transport.clone(), Default::default()))
                .collect()
        });
        let shares = shares.collect::<Result<Vec<_>, Failure>>()?;
        if let Some(seconds) = self.endure {
            let endurance = Endurance {
                api: Arc::clone(api),
                server: account.server.clone(),
                speech: self.speech(),
                gets: self.gets().into(),
                lasts: Duration::from_secs(seconds.into()),
            };
            return endurance.run(shares).await.map(Outcome::Endurance);
        }
        let load = Load {
            api: Arc::clone(api),
            server: account.server.clone(),
            speech: self.speech(),
            gets: self.gets().into(),
        };
        load.run(shares, self.warm_up, self.sessions).await.map(Outcome::Load)
    }

    async fn storm(
        &self,
        api: &Arc<Api>,
        account: &Account,
        model: Model,
        enrolled: &[Enrolled],
        connections: usize,
        within: Duration,
    ) -> Result<storm::Report, Failure> {
        let gets = self.gets();
        for device in enrolled.iter().filter(|_| !gets.is_empty()) {
            load::queue(api, &device.id, &gets).await?;
        }
        let transports = (0..connections).map(|_| self.transport()).collect::<Result<_, _>>()?;
        let patience = Duration::from_secs(self.give_up.into());
        let (account, speech) = (account.clone(), self.speech());
        let storm = Storm { account, model, speech, transports, within, patience };
        storm.run(Arc::clone(api), enrolled.to_vec()).await
    }

    async fn torture(
        &self,
        api: &Api,
        account: &Account,
        model: &Model,
        enrolled: &[Enrolled],
    ) -> Result<nasty::Report, Failure> {
        let (speech, gets) = (self.speech(), self.gets());
        let (rounds, seed) = (self.sessions, self.seed);
        let torture = Torture { api, account, model, speech, gets: &gets, rounds, seed };
        torture.run(enrolled, &self.transport()?).await
    }

    fn transport(&self) -> Result<HttpsTransport, Failure> {
        let config = HttpsConfig { ca_file: self.ca_file.clone(), ..HttpsConfig::default() };
        HttpsTransport::new(&config).map_err(|error| Failure::Failed(error.to_string()))
    }

    fn gets(&self) -> Vec<String> {
        match (self.no_commands, self.get.as_slice()) {
            (true, _) => Vec::new(),
            (false, []) => vec![self.default_get().to_owned()],
            (false, gets) => gets.to_vec(),
        }
    }

    fn speech(&self) -> Speech {
        let encoding = if self.wbxml { Encoding::Wbxml } else { Encoding::Xml };
        match self.protocol {
            Protocol::Dm20 => Speech::Dm2,
            Protocol::Dm12 => Speech::Dm1 { version: Version::Dm12, encoding },
            Protocol::Dm13 => Speech::Dm1 { version: Version::Dm13, encoding },
        }
    }

    fn default_get(&self) -> &'static str {
        match self.speech() {
            Speech::Dm2 => DEFAULT_GET,
            Speech::Dm1 { .. } => DEFAULT_DM1_GET,
        }
    }

    /// Whom the devices are bootstrapped for, from the server's own description.
    async fn account(&self, api: &Api) -> Result<Account, Failure> {
        let about = api.get("/server").await?;
        let text = |name: &str| about.get(name).and_then(Value::as_str);
        let missing = |name: &str| Failure::Failed(format!("the server does not say its {name}"));
        let server = text("server_id").ok_or_else(|| missing("server_id"))?;
        let uri = match (self.device_url.as_deref(), self.speech()) {
            (None, Speech::Dm2) => Some(text("device_uri").ok_or_else(|| missing("device_uri"))?),
            (given, Speech::Dm2 | Speech::Dm1 { .. }) => given,
        };
        Account::new(server, uri)
    }
}

/// Resolves at Ctrl-C; never if that cannot be watched, so that the load goes on.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A progress bar on standard error, if that is a terminal.
fn progress(what: &'static str, length: u64) -> indicatif::ProgressBar {
    let bar = if screen::progress_is_seen() {
        indicatif::ProgressBar::new(length)
    } else {
        indicatif::ProgressBar::hidden()
    };
    if let Ok(style) =
        indicatif::ProgressStyle::with_template("{msg:<20} {bar:40} {pos}/{len} {per_sec} {eta}")
    {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
