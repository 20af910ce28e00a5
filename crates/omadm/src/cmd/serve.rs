//! `omadm serve`: the server in the foreground.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use omadm_server::config::{Origin, Settings};
use omadm_server::{Config, Running, Server};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Global;
use crate::failure::Failure;
use crate::log::{self, Log};
use crate::screen::{self, Format};

/// Taken if it is there and no other is named.
const DEFAULT_CONFIG: &str = "omadm.toml";

/// Run the server: both listeners, the embedded store, certificates for a trial.
///
/// The log goes to standard error; OMADM_LOG sets its level, such as `warn` or `info,omadm_server=debug`. SIGTERM and SIGINT let running
/// requests end; a second one does not wait for them.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    configured: Configured,
}

/// Which configuration.
#[derive(Debug, Args)]
pub struct Configured {
    /// Configuration file; omadm.toml of the working directory if it is there and no other is named. Every key can also be
    /// given as OMADM_SECTION__KEY.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory for everything the server keeps; wins over the configuration.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Serve {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let filter = log::filter()?;
        let (settings, file) = self.configured.settings()?;
        let log = Log::start(filter, &settings.config.log)?;
        if let Some(file) = file {
            tracing::info!(file = %file.display(), "configured");
        }
        let mut signals = Signals::listen()?;
        let failure = |error: omadm_server::ServerError| Failure::Failed(error.to_string());
        let place = Place::of(&settings.config);
        let running = Server::start(settings).await.map_err(failure)?;
        match place.tell(global.output, &running) {
            // Nobody listens, but devices still want to be served.
            Ok(()) | Err(Failure::OutputClosed) => {}
            Err(failure) => return Err(failure),
        }
        signals.next().await;
        tracing::info!("stopping; running requests may end");
        tokio::select! {
            () = running.stop() => {}
            () = signals.next() => tracing::warn!("stopped without waiting for running requests"),
        }
        log.stop().await;
        Ok(())
    }
}

impl Configured {
    /// The configuration, and the file it was read from.
    pub fn load(&self) -> Result<(Config, Option<&Path>), Failure> {
        self.settings().map(|(settings, file)| (settings.config, file))
    }

    /// The same, with where its values came from.
    fn settings(&self) -> Result<(Settings, Option<&Path>), Failure> {
        let default = Path::new(DEFAULT_CONFIG);
        let file = self.config.as_deref().or_else(|| default.exists().then_some(default));
        let mut settings =
            Settings::load(file, std::env::vars_os()).map_err(|error| Failure::Failed(error.to_string()))?;
        if let Some(data) = &self.data {
            settings.config.server.data_dir.clone_from(data);
            settings.origins.note("server.data_dir", Origin::Argument("--data".to_owned()));
        }
        Ok((settings, file))
    }
}

/// Where a server keeps what its operator needs.
struct Place {
    token: PathBuf,
    authority: PathBuf,
}

impl Place {
    fn of(config: &Config) -> Self {
        let data = &config.server.data_dir;
        Self {
            token: data.join("operator.token"),
            authority: config.device.authority.clone().unwrap_or_else(|| data.join("tls/ca.pem")),
        }
    }

    fn tell(&self, output: Format, running: &Running) -> Result<(), Failure> {
        let operator_url = format!("http://{}", reachable(running.operator_addr));
        let authority = running.authority.as_ref().map(|_| &self.authority);
        if output == Format::Json {
            return screen::json_line(&json!({
                "device_url": running.device_uri,
                "operator_url": operator_url,
                "token_file": self.token,
                "ca_file": authority,
            }));
        }
        screen::line(&format!("omadm {} is serving.", env!("CARGO_PKG_VERSION")))?;
        screen::line(&format!("Operators    {operator_url}"))?;
        screen::line(&format!("Devices      {}", running.device_uri))?;
        if let Some(authority) = authority {
            screen::line(&format!("Devices trust the authority in {}", authority.display()))?;
        }
        if self.token.exists() {
            screen::line(&format!("The first operator token is in {}", self.token.display()))?;
        }
        match &running.first_token {
            // A pipe may end in a log that more people read than may use the token.
            Some(token) if std::io::stdout().is_terminal() => {
                screen::line(&format!("It is {} and is shown only now.", token.expose()))
            }
            _ => Ok(()),
        }
    }
}

/// An address that a client on this machine can connect to.
fn reachable(mut address: std::net::SocketAddr) -> std::net::SocketAddr {
    use std::net::{Ipv4Addr, Ipv6Addr};
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind: SignalKind| {
            signal(kind).map_err(|error| Failure::Failed(format!("cannot watch for signals: {error}")))
        };
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
