//! The commands.

pub mod bootstrap;
mod bootstrap_file;
mod dm1;
pub mod provision;
pub mod run;
pub mod session;
pub mod status;
pub mod tree;
mod upkeep;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use omadm_client::{Body, Client, ClientError, Outcome, SessionReport, Trigger, Wake};
use omadm_mo::{ServerId, ServerUri, Value};

use crate::controls::Controls;
use crate::error::AgentError;
use crate::setup::Setup;

/// Longest bootstrap in octets.
pub const MAX_BOOTSTRAP: usize = 1 << 20;

/// Longest look-up of a server's address before a session. The transport looks it up for itself, within its own limits.
const LOOK_UP: Duration = Duration::from_secs(5);

/// `omadm-agent confirm`
pub fn confirm(setup: &Setup) -> Result<ExitCode, AgentError> {
    let directory = setup.config.packages.directory.clone();
    let directory = directory.unwrap_or_else(|| setup.data_dir.join("packages"));
    crate::firmware::confirm(&setup.config.firmware, &directory)?;
    // An agent that does not run looks at its next start.
    runtime()?.block_on(crate::local::look(&setup.data_dir))?;
    Ok(ExitCode::SUCCESS)
}

/// A runtime on this thread: the agent waits much and works little.
fn runtime() -> Result<tokio::runtime::Runtime, AgentError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| AgentError::System { action: "start the runtime", source })
}

/// Reads a bootstrap file.
fn read_bootstrap(path: &Path) -> Result<Body, AgentError> {
    use std::io::Read as _;
    let error = |source| AgentError::File { action: "read the bootstrap", path: path.to_owned(), source };
    let file: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(error)?)
    };
    // In its full size at once: a vector that grew would leave a copy of the secrets behind.
    let mut body = Vec::with_capacity(MAX_BOOTSTRAP + 1);
    let read = file.take(MAX_BOOTSTRAP as u64 + 1).read_to_end(&mut body);
    let body = Body::from(body);
    read.map_err(error)?;
    if body.len() > MAX_BOOTSTRAP {
        return Err(AgentError::Refused(format!("{} is larger than {MAX_BOOTSTRAP} bytes", path.display())));
    }
    Ok(body)
}

/// Runs a session and logs how it went; it begins at SrvURI unless `at` says otherwise.
async fn session(
    client: &mut Client,
    controls: &Controls,
    server: &ServerId,
    trigger: Trigger,
    at: Option<&ServerUri>,
) -> Result<SessionReport, AgentError> {
    prepare(controls, server, srv_uri(client, server)).await;
    let report = client.run_session_at(server, trigger, at).await;
    finish(client, controls, report)
}

/// Runs the session that a notification asks for, and logs how it went.
async fn answer(client: &mut Client, controls: &Controls, wake: &Wake) -> Result<SessionReport, AgentError> {
    prepare(controls, &wake.server, srv_uri(client, &wake.server)).await;
    let report = client.answer(wake).await;
    finish(client, controls, report)
}

/// Says with whom a session is under way.
async fn prepare(controls: &Controls, server: &ServerId, uri: Option<String>) {
    let peer = tokio::time::timeout(LOOK_UP, peer(&uri.unwrap_or_default())).await.unwrap_or_default();
    controls.set_peer(peer);
    controls.set_serving(Some(server.clone()));
}

fn finish(
    client: &mut Client,
    controls: &Controls,
    report: Result<SessionReport, ClientError>,
) -> Result<SessionReport, AgentError> {
    controls.set_serving(None);
    controls.set_peer(None);
    let report = report?;
    controls.sent_away(report.retry_after);
    let server = &report.server;
    match &report.outcome {
        Outcome::Ended { commands } => {
            controls.ended_well();
            tracing::info!(%server, commands, "session ended");
        }
        Outcome::Aborted { reason, .. } => tracing::warn!(%server, "session aborted: {reason}"),
    }
    compact_if_asked(client, controls)?;
    Ok(report)
}

fn compact_if_asked(client: &mut Client, controls: &Controls) -> Result<(), AgentError> {
    if controls.take_compaction() {
        client.device_mut().compact()?;
    }
    Ok(())
}

fn srv_uri(client: &Client, server: &ServerId) -> Option<String> {
    match client.device().tree().account(server)?.child("SrvURI")?.value()? {
        Value::Text(uri) => Some(uri.clone()),
        _ => None,
    }
}

/// The address of the host in a URI, for Session Information.
async fn peer(uri: &str) -> Option<std::net::IpAddr> {
    let rest = uri.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(literal) => literal.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    let host = (host.to_owned(), 0);
    tokio::net::lookup_host(host).await.ok()?.next().map(|address| address.ip())
}
