//! `omadm-agent bootstrap`

use std::path::Path;
use std::process::ExitCode;

use omadm_client::dm1::bootstrap::{self, FetchError};
use omadm_client::{BootstrapSource, Client, Origin, Outcome, Received, Trigger};
use omadm_mo::ServerId;

use zeroize::Zeroizing;

use super::bootstrap_file::{BootstrapFile, Dm1File};
use super::{dm1, read_bootstrap, runtime, session};
use crate::cli::Security;
use crate::consent::Asking;
use crate::dm1_bootstraps::known_servers;
use crate::error::AgentError;
use crate::pin::DeviceUser;
use crate::provisioning;
use crate::setup::Setup;

/// Media type of a bootstrap in a file.
const MO_DATA: &str = "application/dmmo+json";

/// Installs the bootstrap in a file and runs the session that tells each of its servers (`DM 2.0 §8`), or a DM 1.x account and runs a
/// first session with its server.
pub fn install(setup: &Setup, file: &Path, security: Security) -> Result<ExitCode, AgentError> {
    let file = BootstrapFile::read(read_bootstrap(file)?, &security).map_err(AgentError::Refused)?;
    let mut client = setup.client(setup.open()?)?;
    runtime()?.block_on(async {
        let body = match file {
            BootstrapFile::Json(body) => body,
            BootstrapFile::Dm1(Dm1File { content_type, body }) => {
                let received = bootstrap::Received { content_type, body, origin: Origin::Local };
                let mut user = DeviceUser::new(&setup.config, security.pin.map(Zeroizing::new));
                let servers = client.install_dm1_bootstrap(received, &mut user).await?;
                return begin(setup, &mut client, servers).await;
            }
        };
        if dm1::is_account(&body) {
            let server = dm1::install(setup, &mut client, &body).await?;
            return begin(setup, &mut client, vec![server]).await;
        }
        let received = Received { origin: Origin::Local, content_type: MO_DATA.to_owned(), body };
        let mut consent = Asking::new(&setup.config.bootstrap);
        let servers = client.install_received(received, &mut consent).await?;
        tell(setup, &mut client, servers).await
    })
}

/// Looks for a DM 1.x bootstrap where the device knows of a server, and installs it.
pub fn discover(setup: &Setup) -> Result<ExitCode, AgentError> {
    let mut client = setup.client(setup.open()?)?;
    let sources = client.dm1_bootstrap_servers(&known_servers(&setup.config.dm1.bootstrap)?);
    runtime()?.block_on(async {
        let mut user = DeviceUser::new(&setup.config, None);
        let servers = client.fetch_dm1_bootstrap(&sources, &mut user).await;
        let servers = servers.map_err(|error| match error {
            FetchError::Client(error) => error.into(),
            error => AgentError::Refused(error.to_string()),
        })?;
        begin(setup, &mut client, servers).await
    })
}

/// Runs the first session with each of these servers.
async fn begin(setup: &Setup, client: &mut Client, servers: Vec<ServerId>) -> Result<ExitCode, AgentError> {
    let mut code = ExitCode::SUCCESS;
    for server in servers {
        println!("installed the DM 1.x account of {server}");
        let report = dm1::session(client, &setup.controls, &server).await?;
        dm1::print(&report);
        if !report.has_ended() {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// The same with what a bootstrap server has: the one at `from`, that of the account of a server, or that of the configuration.
pub fn fetch(setup: &Setup, from: Option<&str>, again: Option<&str>) -> Result<ExitCode, AgentError> {
    let settings = &setup.config.bootstrap;
    let mut client = setup.client(setup.open()?)?;
    let source = match (again, from.or(settings.url.as_deref())) {
        (Some(server), _) => of_account(&client, server)?,
        (None, Some(url)) => provisioning::source(settings, url)?,
        (None, None) => {
            return Err(AgentError::Refused(
                "say which bootstrap: a FILE, --from URL, --again ID, or bootstrap.url in the configuration"
                    .to_owned(),
            ));
        }
    };
    runtime()?.block_on(async {
        let servers = client.fetch_bootstrap(&source, &mut Asking::new(settings)).await?;
        tell(setup, &mut client, servers).await
    })
}

fn of_account(client: &Client, server: &str) -> Result<BootstrapSource, AgentError> {
    let refused = |reason: String| AgentError::Refused(format!("{server}: {reason}"));
    let id = ServerId::parse(server).map_err(|error| refused(error.to_string()))?;
    BootstrapSource::of_account(client.device().tree(), &id)
        .ok_or_else(|| refused("there is no account that names a bootstrap server".to_owned()))
}

async fn tell(setup: &Setup, client: &mut Client, servers: Vec<ServerId>) -> Result<ExitCode, AgentError> {
    let mut code = ExitCode::SUCCESS;
    for server in servers {
        println!("installed the account of {server}");
        let report = session(client, &setup.controls, &server, Trigger::Bootstrap, None).await?;
        match report.outcome {
            Outcome::Ended { .. } => println!("{server} knows that the bootstrap is complete"),
            Outcome::Aborted { reason, .. } => {
                println!("{server} was not told yet ({reason}); the next session does it");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
