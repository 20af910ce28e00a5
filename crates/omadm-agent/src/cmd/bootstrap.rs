//! `omadm-agent bootstrap`

use std::path::Path;
use std::process::ExitCode;

use omadm_client::{BootstrapSource, Client, Origin, Outcome, Received, Trigger};
use omadm_mo::ServerId;

use super::{dm1, read_bootstrap, runtime, session};
use crate::consent::Asking;
use crate::error::AgentError;
use crate::provisioning;
use crate::setup::Setup;

/// Media type of a bootstrap in a file.
const MO_DATA: &str = "application/dmmo+json";

/// Installs the bootstrap in a file and runs the session that tells each of its servers (`DM 2.0 §8`), or a DM 1.x account and runs a
/// first session with its server.
pub fn install(setup: &Setup, file: &Path) -> Result<ExitCode, AgentError> {
    let (content_type, body) = (MO_DATA.to_owned(), read_bootstrap(file)?);
    let mut client = setup.client(setup.open()?)?;
    runtime()?.block_on(async {
        if dm1::is_account(&body) {
            let server = dm1::install(setup, &mut client, &body).await?;
            println!("installed the DM 1.x account of {server}");
            let report = dm1::session(&mut client, &setup.controls, &server).await?;
            dm1::print(&report);
            return Ok(if report.has_ended() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let received = Received { origin: Origin::Local, content_type, body };
        let mut consent = Asking::new(&setup.config.bootstrap);
        let servers = client.install_received(received, &mut consent).await?;
        tell(setup, &mut client, servers).await
    })
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
