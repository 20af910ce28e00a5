//! `omadm-agent session`

use std::process::ExitCode;

use omadm_client::dm1::Accounts as _;
use omadm_client::{Note, Outcome, SessionReport, Trigger};
use omadm_mo::{ServerId, Tree};
use serde_json::json;

use super::{dm1, runtime, session, upkeep};
use crate::cli::{Output, Protocol};
use crate::error::AgentError;
use crate::output;
use crate::setup::Setup;

/// Runs one session and prints its report; 1 when it was aborted.
pub fn run(
    setup: &Setup,
    server: Option<&str>,
    protocol: Option<Protocol>,
    format: Output,
) -> Result<ExitCode, AgentError> {
    let device = setup.open()?;
    let (server, protocol) = choose(accounts(device.tree(), protocol), server)?;
    let mut client = setup.client(device)?;
    let (ended, report) = runtime()?.block_on(async {
        let report = match protocol {
            Protocol::Dm2 => {
                let report = session(&mut client, &setup.controls, &server, Trigger::Client, None).await?;
                Report::Dm2(report)
            }
            Protocol::Dm1 => {
                dm1::abort_on_interrupt(&client);
                Report::Dm1(dm1::session(&mut client, &setup.controls, &server).await?)
            }
        };
        upkeep::settle(&mut client, &setup.controls, setup.config.report.window.0).await?;
        Ok::<_, AgentError>((report.ended(), report))
    })?;
    match (report, format) {
        (Report::Dm2(report), Output::Table) => print(&report),
        (Report::Dm2(report), Output::Json) => output::json(&to_json(&report)),
        (Report::Dm1(report), Output::Table) => dm1::print(&report),
        (Report::Dm1(report), Output::Json) => output::json(&dm1::to_json(&report)),
    }
    Ok(if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How a session of either protocol went.
enum Report {
    Dm1(omadm_client::dm1::SessionReport),
    Dm2(SessionReport),
}

impl Report {
    fn ended(&self) -> bool {
        match self {
            Self::Dm1(report) => report.has_ended(),
            Self::Dm2(report) => matches!(report.outcome, Outcome::Ended { .. }),
        }
    }
}

/// The servers that there is an account of, each with the protocol to use.
fn accounts(tree: &Tree, wanted: Option<Protocol>) -> Vec<(ServerId, Protocol)> {
    let newer = tree.accounts().map(|(server, _)| (server, Protocol::Dm2));
    let older = tree.dm1_accounts().map(|(server, _)| (server, Protocol::Dm1));
    let mut found: Vec<(ServerId, Protocol)> = Vec::new();
    for (server, protocol) in newer.chain(older) {
        if wanted.is_none_or(|wanted| wanted == protocol) && !found.iter().any(|(known, _)| *known == server)
        {
            found.push((server, protocol));
        }
    }
    found
}

fn choose(
    accounts: Vec<(ServerId, Protocol)>,
    wanted: Option<&str>,
) -> Result<(ServerId, Protocol), AgentError> {
    let list = || accounts.iter().map(|(server, _)| server.as_str()).collect::<Vec<_>>().join(", ");
    match (wanted, accounts.as_slice()) {
        (_, []) => {
            Err(AgentError::Refused("there is no account; run `omadm-agent bootstrap` first".to_owned()))
        }
        (None, [only]) => Ok(only.clone()),
        (None, _) => {
            Err(AgentError::Refused(format!("there are several accounts ({}); say --server ID", list())))
        }
        (Some(wanted), _) => {
            let found = accounts.iter().find(|(server, _)| server.as_str() == wanted);
            found.cloned().ok_or_else(|| {
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
