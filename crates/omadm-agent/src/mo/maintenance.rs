//! The maintenance command of the administrator, which servers may start and are told the end of.

use std::process::Stdio;

use omadm_client::{Execution, Finished, Refusal, StatusCode};
use omadm_mo::ClientUri;
use tokio::process::Command;
use tokio::sync::oneshot::{self, Receiver, error::TryRecvError};

use crate::config::MaintenanceSection;
use crate::controls::Controls;

/// At most one run of the command at a time.
pub struct Maintenance {
    settings: MaintenanceSection,
    controls: Controls,
    running: Option<Run>,
}

/// A run of the command.
struct Run {
    /// As it was started.
    address: ClientUri,
    /// How it ends.
    end: Receiver<StatusCode>,
}

impl Maintenance {
    pub fn new(settings: MaintenanceSection, controls: Controls) -> Self {
        Self { settings, controls, running: None }
    }

    /// Starts the command. Nothing of what a server sends reaches it.
    pub fn start(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        let [program, arguments @ ..] = self.settings.command.as_slice() else {
            let reason = "this device has no maintenance command (maintenance.command)";
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, reason));
        };
        if self.running.is_some() {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the maintenance command runs already",
            ));
        }
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            Refusal::new(StatusCode::INTERNAL_ERROR, format!("{program} cannot be started: {error}"))
        })?;
        let (told, end) = oneshot::channel();
        let (controls, timeout) = (self.controls.clone(), self.settings.timeout.0);
        tokio::spawn(async move {
            let status = match tokio::time::timeout(timeout, child.wait()).await {
                Ok(Ok(status)) if status.success() => StatusCode::OK,
                Ok(Ok(status)) => failed(&status),
                Ok(Err(error)) => failed(&error),
                Err(_) => failed(&format_args!("took longer than {timeout:?} and was stopped")),
            };
            // Who does not listen any more is about to end.
            if told.send(status).is_ok() {
                controls.wake();
            }
        });
        self.running = Some(Run { address: address.clone(), end });
        Ok(Execution::Running)
    }

    /// The end of the run, once.
    pub fn finished(&mut self) -> Option<Finished> {
        let status = match self.running.as_mut()?.end.try_recv() {
            Ok(status) => status,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Closed) => StatusCode::INTERNAL_ERROR,
        };
        self.running.take().map(|run| Finished::new(run.address, status))
    }
}

/// What servers are told of a run that failed; why stands in the log.
fn failed(why: &dyn std::fmt::Display) -> StatusCode {
    tracing::warn!("the maintenance command failed: {why}");
    StatusCode::INTERNAL_ERROR
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use omadm_config::Span;

    use super::*;

    fn maintenance(command: &[&str], timeout: Span) -> Maintenance {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        Maintenance::new(MaintenanceSection { command, timeout }, Controls::default())
    }

    fn address() -> ClientUri {
        ClientUri::parse("urn:omadm:mo:agent:1.0/Agent/Operations/Maintain").unwrap()
    }

    async fn end(maintenance: &mut Maintenance) -> StatusCode {
        maintenance.controls.clone().woken().await;
        maintenance.finished().unwrap().status
    }

    #[tokio::test]
    async fn the_exit_status_is_the_end() {
        for (program, expected) in [("true", StatusCode::OK), ("false", StatusCode::INTERNAL_ERROR)] {
            let mut maintenance = maintenance(&[program], Span::secs(60));
            assert_eq!(maintenance.start(&address()), Ok(Execution::Running));
            assert_eq!(end(&mut maintenance).await, expected, "{program}");
            assert_eq!(maintenance.finished(), None, "once");
        }
    }

    #[tokio::test]
    async fn it_runs_once_at_a_time_and_not_for_ever() {
        let mut maintenance = maintenance(&["sleep", "3600"], Span(Duration::from_millis(1)));
        maintenance.start(&address()).unwrap();
        assert_eq!(maintenance.start(&address()).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(end(&mut maintenance).await, StatusCode::INTERNAL_ERROR);
        assert_eq!(maintenance.start(&address()), Ok(Execution::Running));
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_run() {
        let status =
            |command: &[&str]| maintenance(command, Span::secs(1)).start(&address()).unwrap_err().status;
        assert_eq!(status(&[]), StatusCode::NOT_IMPLEMENTED);
        assert_eq!(status(&["/nonexistent/program"]), StatusCode::INTERNAL_ERROR);
    }
}
