//! `omadm-agent bootstrap`

use std::path::Path;
use std::process::ExitCode;

use omadm_client::{Outcome, Trigger};

use super::{read_bootstrap, runtime, session};
use crate::error::AgentError;
use crate::setup::Setup;

/// Installs a bootstrap and runs the session that tells each of its servers (`DM 2.0 §8`).
pub fn run(setup: &Setup, file: &Path) -> Result<ExitCode, AgentError> {
    let body = read_bootstrap(file)?;
    let mut device = setup.open()?;
    let servers = device.install_bootstrap(&body)?;
    let mut client = setup.client(device)?;
    runtime()?.block_on(async {
        let mut code = ExitCode::SUCCESS;
        for server in servers {
            println!("installed the account of {server}");
            let report = session(&mut client, &setup.controls, &server, Trigger::Bootstrap).await?;
            match report.outcome {
                Outcome::Ended { .. } => println!("{server} knows that the bootstrap is complete"),
                Outcome::Aborted { reason, .. } => {
                    println!("{server} was not told yet ({reason}); the next session does it");
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    })
}
