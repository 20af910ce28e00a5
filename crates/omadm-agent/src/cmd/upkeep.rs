//! What servers are told beside their sessions: reports of subscriptions, and ends of executions.

use std::time::Duration;

use omadm_client::{Client, ClientError, PersistError, Trigger};

use super::{dm1, session};
use crate::controls::Controls;
use crate::error::AgentError;

/// Sends the reports that are due; whether it could do what it had to. A disk that is full for the moment does not end the agent.
pub async fn report(client: &mut Client) -> Result<bool, AgentError> {
    match client.report().await {
        Err(ClientError::Persist(error)) if !matches!(error, PersistError::Full { .. }) => Err(error.into()),
        Err(error) => {
            tracing::error!("reports of subscriptions: {error}");
            Ok(false)
        }
        Ok(()) => Ok(true),
    }
}

/// Runs the sessions in which servers wait for the end of an execution; gives how many.
pub async fn due_sessions(client: &mut Client, controls: &Controls) -> Result<usize, AgentError> {
    let due = client.sessions_due();
    for wanted in &due {
        match session(client, controls, &wanted.server, Trigger::Client, wanted.at.as_ref()).await {
            Err(AgentError::Client(ClientError::Persist(error)))
                if !matches!(error, PersistError::Full { .. }) =>
            {
                return Err(error.into());
            }
            Err(error) => tracing::error!(server = %wanted.server, "session failed: {error}"),
            Ok(_) => {}
        }
    }
    let dm1 = client.device_mut().dm1_sessions_due();
    let count = due.len() + dm1.len();
    dm1::sessions(client, controls, dm1).await?;
    Ok(count)
}

/// What a command does before it ends: a process that is gone tells nothing until the next one. What fails is left to that.
pub async fn settle(client: &mut Client, controls: &Controls, window: Duration) -> Result<(), AgentError> {
    report(client).await?;
    due_sessions(client, controls).await?;
    report(client).await?;
    if let Some(wait) = client.next_report().filter(|wait| *wait <= window) {
        tokio::time::sleep(wait).await;
        report(client).await?;
    }
    Ok(())
}
