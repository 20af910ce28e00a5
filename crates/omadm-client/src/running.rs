//! A session under way: the engine on the one side, the host on the other.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderValue, Method};
use omadm_session::dm2::client::{Body, Input, Note, Outcome, Output, Session};

use crate::effects::Host;
use crate::error::ClientError;
use crate::exchange::{Identify, Outgoing, Redirects};
use crate::transport::Transport;

/// Notes kept of one session.
const MAX_NOTES: usize = 1_000;

/// Where an alert that the engine has is kept until the server takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeptIn {
    /// In the outbox; the order is the same.
    Outbox,
    /// With the execution whose end it tells.
    Execution(String),
    /// Nowhere: there was no room.
    Nowhere,
}

/// What a session came to.
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    /// Packages sent.
    pub(crate) packages: u32,
    pub(crate) notes: Vec<Note>,
    /// When the server wants the device to come again that has sent it away.
    pub(crate) retry_after: Option<HeaderValue>,
}

/// A session under way.
pub(crate) struct Running<'a, T> {
    host: Host<'a, T>,
    engine: Session,
    /// Alerts that the engine was given and the server has not taken, in order.
    offered: VecDeque<KeptIn>,
    packages: u32,
    notes: VecDeque<Note>,
}

impl<'a, T: Transport> Running<'a, T> {
    /// A session that `engine` has just begun with these alerts.
    pub(crate) fn new(host: Host<'a, T>, engine: Session, offered: VecDeque<KeptIn>) -> Self {
        Self { host, engine, offered, packages: 0, notes: VecDeque::new() }
    }

    /// Does what the engine says until it is finished.
    pub(crate) async fn finish(mut self) -> Result<Finished, ClientError> {
        let mut reported = false;
        loop {
            let output = self.engine.poll_output().ok_or(ClientError::Stalled)?;
            let taken = match &output {
                Output::Finished(Outcome::Ended { .. }) => true,
                Output::Finished(Outcome::Aborted { alerts_delivered, .. }) => *alerts_delivered,
                // The engine acts on an answer, so there was a good one to the first package.
                Output::Effect { .. } => true,
                Output::Post { .. } => self.packages > 0,
                Output::Note(_) => false,
            };
            let waiting = self.engine.undelivered_alerts().count();
            if taken && (!reported || waiting < self.offered.len()) {
                // At once, and not at the end: a kill during the session must not send the alerts twice.
                let taken = self.offered.len().saturating_sub(waiting);
                match self.host.device.delivered(self.host.server, self.offered.iter().take(taken)) {
                    Ok(()) => {
                        self.offered.drain(..taken);
                        reported = true;
                    }
                    Err(error) if matches!(output, Output::Finished(_)) => return Err(error.into()),
                    // Not now: the engine may wait for a commit, and only it can take back what is in the tree already.
                    Err(error) => tracing::warn!("what the server took cannot be kept yet: {error}"),
                }
            }
            let input = match output {
                Output::Finished(outcome) => {
                    let Self { packages, notes, .. } = self;
                    let retry_after = self.host.exchange.retry_after;
                    return Ok(Finished { outcome, packages, notes: notes.into(), retry_after });
                }
                Output::Note(note) => {
                    self.note(note);
                    continue;
                }
                Output::Post { uri, content_type, accept, body, device_id: _ } => {
                    self.post(uri, content_type, accept, body).await
                }
                Output::Effect { id, effect } => {
                    let result = self.host.carry_out(effect).await;
                    self.take_alerts();
                    Input::EffectDone { id, result }
                }
            };
            let now = (self.host.device.config.clock)();
            self.engine.handle(&mut self.host.device.tree, now, input);
        }
    }

    async fn post(&mut self, uri: String, content_type: String, accept: &str, body: Body) -> Input {
        self.packages += 1;
        let outgoing = Outgoing {
            method: Method::POST,
            uri,
            content_type: Some(content_type),
            accept: Some(accept.to_owned()),
            body: Bytes::from_owner(body),
            identify: Identify::Always,
            redirects: Redirects::Anywhere,
            limit: self.host.device.config.limits.bytes,
        };
        match self.host.exchange.send(outgoing).await {
            Ok(reply) => Input::Reply(reply),
            Err(error) => Input::NoReply { reason: error.to_string() },
        }
    }

    /// Alerts that plug-ins have raised meanwhile, and ends of executions: they go with the next package.
    fn take_alerts(&mut self) {
        for (alert, origin) in self.host.device.news(self.host.server) {
            self.offered.push_back(origin);
            let now = (self.host.device.config.clock)();
            self.engine.handle(&mut self.host.device.tree, now, Input::Alert(alert));
        }
    }

    fn note(&mut self, note: Note) {
        tracing::debug!(server = %self.host.server, ?note);
        if self.notes.len() == MAX_NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(note);
    }
}
