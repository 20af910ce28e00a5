//! `omadm-agent session`

use std::process::ExitCode;

use omadm_client::{Note, Outcome, SessionReport, Trigger};
use omadm_mo::ServerId;
use serde_json::json;

use super::{runtime, session, upkeep};
use crate::cli::Output;
use crate::error::AgentError;
use crate::output;
use crate::setup::Setup;

/// Runs one session and prints its report; 1 when it was aborted.
pub fn run(setup: &Setup, server: Option<&str>, format: Output) -> Result<ExitCode, AgentError> {
    let device = setup.open()?;
    let server = choose(device.tree().accounts().map(|(server, _)| server).collect(), server)?;
    let mut client = setup.client(device)?;
    let report = runtime()?.block_on(async {
        let report = session(&mut client, &setup.controls, &server, Trigger::Client, None).await?;
        upkeep::settle(&mut client, &setup.controls, setup.config.report.window.0).await?;
        Ok::<_, AgentError>(report)
    })?;
    match format {
        Output::Table => print(&report),
        Output::Json => output::json(&to_json(&report)),
    }
    let ended = matches!(report.outcome, Outcome::Ended { .. });
    Ok(if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn choose(accounts: Vec<ServerId>, wanted: Option<&str>) -> Result<ServerId, AgentError> {
    let list = || accounts.iter().map(ServerId::as_str).collect::<Vec<_>>().join(", ");
    match (wanted, accounts.as_slice()) {
        (_, []) => {
            Err(AgentError::Refused("there is no account; run `omadm-agent bootstrap` first".to_owned()))
        }
        (None, [only]) => Ok(only.clone()),
        (None, _) => {
            Err(AgentError::Refused(format!("there are several accounts ({}); say --server ID", list())))
        }
        (Some(wanted), _) => {
            accounts.iter().find(|server| server.as_str() == wanted).cloned().ok_or_else(|| {
                AgentError::Refused(format!("there is no account of {wanted}; there is {}", list()))
            })
        }
    }
}

fn sentence(note: &Note) -> String {
    match note {
        Note::Answered { command, status, reason } => {
            let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{command} answered {}{reason}", status.0)
        }
        Note::Tolerated(tolerances) => {
            let names: Vec<_> = tolerances.iter().map(|tolerance| tolerance.as_str()).collect();
            format!("tolerated {}", names.join(", "))
        }
        Note::Continues { uri } => format!("goes on at {uri}"),
        other => format!("{other:?}"),
    }
}

fn print(report: &SessionReport) {
    for note in &report.notes {
        println!("{}", sentence(note));
    }
    match &report.outcome {
        Outcome::Ended { commands } => {
            println!(
                "session with {} ended: {commands} commands, {} packages",
                report.server, report.packages
            );
        }
        Outcome::Aborted { reason, .. } => {
            println!("session with {} aborted after {} packages: {reason}", report.server, report.packages);
        }
    }
}

fn to_json(report: &SessionReport) -> serde_json::Value {
    let outcome = match &report.outcome {
        Outcome::Ended { commands } => json!({ "ended": { "commands": commands } }),
        Outcome::Aborted { reason, http_status, alerts_delivered } => json!({
            "aborted": { "reason": reason, "http_status": http_status, "alerts_delivered": alerts_delivered }
        }),
    };
    json!({
        "server": report.server.as_str(),
        "packages": report.packages,
        "outcome": outcome,
        "notes": report.notes.iter().map(sentence).collect::<Vec<_>>(),
    })
}
