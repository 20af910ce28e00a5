//! `omadm-agent bootstrap`

use std::path::Path;
use std::process::ExitCode;

use omadm_client::{Client, Origin, Outcome, Received, Trigger};
use omadm_mo::ServerId;

use super::{read_bootstrap, runtime, session};
use crate::consent::Asking;
use crate::error::AgentError;
use crate::provisioning;
use crate::setup::Setup;

/// Media type of a bootstrap in a file.
const MO_DATA: &str = "application/dmmo+json";

/// Installs a bootstrap and runs the session that tells each of its servers (`DM 2.0 §8`): a file, or what the bootstrap server
/// at `from` or of the configuration has.
pub fn run(setup: &Setup, file: Option<&Path>, from: Option<&str>) -> Result<ExitCode, AgentError> {
    let from = from.or(setup.config.bootstrap.url.as_deref());
    let mut client = setup.client(setup.open()?)?;
    runtime()?.block_on(async {
        let mut consent = Asking::new(&setup.config.bootstrap);
        let servers = match (file, from) {
            (Some(file), _) => {
                let (content_type, body) = (MO_DATA.to_owned(), read_bootstrap(file)?);
                let received = Received { origin: Origin::Local, content_type, body };
                client.install_received(received, &mut consent).await?
            }
            (None, Some(url)) => {
                let source = provisioning::source(&setup.config.bootstrap, url)?;
                client.fetch_bootstrap(&source, &mut consent).await?
            }
            (None, None) => {
                return Err(AgentError::Refused(
                    "say which bootstrap: a FILE, --from URL, or bootstrap.url in the configuration"
                        .to_owned(),
                ));
            }
        };
        tell(setup, &mut client, servers).await
    })
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
