//! `omadm-agent status` and `omadm-agent id`

use std::process::ExitCode;

use serde_json::json;

use crate::cli::Output;
use crate::error::AgentError;
use crate::output;
use crate::setup::Setup;

/// Prints identity, accounts and what waits to be sent.
pub fn run(setup: &Setup, format: Output) -> Result<ExitCode, AgentError> {
    let status = setup.view()?.status();
    let device_id = status.device_id.as_ref().map_or("", |id| id.as_str());
    match format {
        Output::Json => output::json(&json!({
            "device_id": device_id,
            "data_dir": setup.data_dir,
            "instances": status.instances,
            "nodes": status.nodes,
            "accounts": status.accounts.iter().map(|account| json!({
                "server": account.server.as_str(),
                "uri": account.uri,
                "bootstrap_pending": account.bootstrap_pending,
                "alerts": account.alerts,
            })).collect::<Vec<_>>(),
        })),
        Output::Table => {
            println!("DevID     {device_id}");
            println!("data      {}", setup.data_dir.display());
            println!("tree      {} instances, {} nodes", status.instances, status.nodes);
            if status.accounts.is_empty() {
                println!("accounts  none; run `omadm-agent bootstrap FILE`");
                return Ok(ExitCode::SUCCESS);
            }
            println!();
            let rows: Vec<Vec<String>> = status
                .accounts
                .into_iter()
                .map(|account| {
                    let told = if account.bootstrap_pending { "not told yet" } else { "complete" };
                    vec![account.server.to_string(), account.uri, told.to_owned(), account.alerts.to_string()]
                })
                .collect();
            output::table(&["SERVER", "ADDRESS", "BOOTSTRAP", "ALERTS WAITING"], &rows);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the DevID.
pub fn id(setup: &Setup) -> Result<ExitCode, AgentError> {
    println!("{}", setup.device_id()?);
    Ok(ExitCode::SUCCESS)
}
