//! `omadm-agent status` and `omadm-agent id`

use std::process::ExitCode;

use omadm_client::{AccountStatus, DefaultSource, ExecutionStatus, SubscriptionStatus, dm1};
use serde_json::json;

use crate::cli::Output;
use crate::error::AgentError;
use crate::output;
use crate::setup::Setup;

/// Prints identity, accounts and what waits to be sent.
pub fn run(setup: &Setup, format: Output) -> Result<ExitCode, AgentError> {
    let device = setup.view()?;
    let (status, dm1) = (device.status(), device.dm1_status());
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
            "dm1_accounts": dm1.iter().map(|account| json!({
                "server": account.server.as_str(),
                "uri": account.uri,
                "version": account.versions.0,
                "worked": account.versions.1,
                "encoding": encoding(account),
                "alerts": account.alerts,
                "executions": account.executions,
            })).collect::<Vec<_>>(),
            "subscriptions": status.subscriptions.iter().map(|subscription| json!({
                "server": subscription.server,
                "address": subscription.client,
                "uri": subscription.uri,
                "failed": failed(subscription.failed.as_ref()),
            })).collect::<Vec<_>>(),
            "executions": status.executions.iter().map(|execution| json!({
                "server": execution.server,
                "address": execution.address,
                "report_to": execution.report_to,
                "ended": execution.ended,
                "failed": failed(execution.failed.as_ref()),
            })).collect::<Vec<_>>(),
            "defaults": status.defaults.iter().map(|(moid, source)| json!({
                "moid": moid,
                "server": source.server,
                "uri": source.uri,
            })).collect::<Vec<_>>(),
        })),
        Output::Table => {
            println!("DevID     {device_id}");
            println!("data      {}", setup.data_dir.display());
            println!("tree      {} instances, {} nodes", status.instances, status.nodes);
            if status.accounts.is_empty() && dm1.is_empty() {
                println!("accounts  none; run `omadm-agent bootstrap FILE`");
                return Ok(ExitCode::SUCCESS);
            }
            accounts(status.accounts, dm1);
            later(status.subscriptions, status.executions, status.defaults);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The accounts of each protocol as a table, if there are any.
fn accounts(dm2: Vec<AccountStatus>, dm1: Vec<dm1::AccountStatus>) {
    let newer = dm2.into_iter().map(|account| {
        let told = if account.bootstrap_pending { "not told yet" } else { "complete" };
        vec![account.server.to_string(), account.uri, told.to_owned(), account.alerts.to_string()]
    });
    let older = dm1.iter().map(|account| {
        let (newest, worked) = account.versions;
        let worked = worked.map_or_else(String::new, |worked| format!(" ({worked} worked)"));
        let protocol = format!("DM {newest}{worked}, {}", encoding(account));
        vec![account.server.to_string(), account.uri.clone(), protocol, account.alerts.to_string()]
    });
    let tables: [(&[&str], Vec<Vec<String>>); 2] = [
        (&["SERVER", "ADDRESS", "BOOTSTRAP", "ALERTS WAITING"], newer.collect()),
        (&["SERVER", "ADDRESS", "PROTOCOL", "ALERTS WAITING"], older.collect()),
    ];
    for (heads, rows) in tables.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        println!();
        output::table(heads, &rows);
    }
}

fn encoding(account: &dm1::AccountStatus) -> &'static str {
    if account.wbxml { "WBXML" } else { "XML" }
}

/// How often a report failed, and why.
fn failed(failed: Option<&(u32, String)>) -> serde_json::Value {
    failed.map_or(
        serde_json::Value::Null,
        |(attempts, reason)| json!({ "attempts": attempts, "reason": reason }),
    )
}

/// What goes on beside sessions, as tables; one that would be empty is left out.
fn later(
    subscriptions: Vec<SubscriptionStatus>,
    executions: Vec<ExecutionStatus>,
    defaults: Vec<(String, DefaultSource)>,
) {
    let state = |well: &str, failed: Option<(u32, String)>| match failed {
        Some((attempts, reason)) => format!("failed {attempts} times: {reason}"),
        None => well.to_owned(),
    };
    let subscriptions = subscriptions.into_iter().map(|subscription| {
        let SubscriptionStatus { server, client, uri, failed } = subscription;
        vec![server, client, uri, state("well", failed)]
    });
    let executions = executions.into_iter().map(|execution| {
        let ExecutionStatus { server, address, report_to, ended, failed } = execution;
        let well = if ended { "ended, not told yet" } else { "running" };
        vec![server, address, report_to.unwrap_or_else(|| "SrvURI".to_owned()), state(well, failed)]
    });
    let defaults = defaults.into_iter().map(|(moid, source)| vec![source.server, moid, source.uri]);
    let tables: [(&[&str], Vec<Vec<String>>); 3] = [
        (&["SERVER", "SUBSCRIBED TO", "REPORTS TO", "STATE"], subscriptions.collect()),
        (&["SERVER", "EXECUTION", "REPORTS TO", "STATE"], executions.collect()),
        (&["SERVER", "DEFAULT FOR", "ADDRESS"], defaults.collect()),
    ];
    for (heads, rows) in tables.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        println!();
        output::table(heads, &rows);
    }
}

/// Prints the DevID.
pub fn id(setup: &Setup) -> Result<ExitCode, AgentError> {
    println!("{}", setup.device_id()?);
    Ok(ExitCode::SUCCESS)
}
