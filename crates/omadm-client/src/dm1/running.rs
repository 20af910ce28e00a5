//! A DM 1.x session under way: the engine on the one side, device, network and user on the other.

use std::collections::VecDeque;
use std::time::Duration;

use omadm_codec::StatusCode;
use omadm_mo::ServerId;
use omadm_session::dm1::client::{
    Cause, Effect, EffectResult, Fresh, Input, Note, Outcome, Output, Post, Session, UserAnswer,
};

use super::abort::Abort;
use super::alerts;
use super::binding::Binding;
use super::user::{self, UserInterface};
use crate::device::Device;
use crate::error::{ClientError, TransportError};
use crate::plugin::Refusal;
use crate::transport::Transport;

/// Notes kept of one session.
const MAX_NOTES: usize = 1_000;

/// A session under way.
pub(super) struct Running<'a, T> {
    pub(super) device: &'a mut Device,
    pub(super) server: &'a ServerId,
    pub(super) binding: Binding<'a, T>,
    pub(super) user: Option<&'a mut Box<dyn UserInterface>>,
    /// Longest wait for an answer of the user.
    pub(super) patience: Duration,
    /// Longest pause before a message is sent again.
    pub(super) longest_pause: Duration,
    pub(super) abort: &'a Abort,
    pub(super) messages: u32,
    pub(super) notes: VecDeque<Note>,
    pub(super) nonces: Nonces,
}

impl<T: Transport> Running<'_, T> {
    /// Does what the engine says until it is finished.
    pub(super) async fn finish(&mut self, mut engine: Session) -> Result<Outcome, ClientError> {
        loop {
            let input = match engine.poll_output().ok_or(ClientError::Stalled)? {
                Output::Finished(outcome) => return Ok(outcome),
                Output::Note(note) => {
                    self.note(note);
                    continue;
                }
                Output::Post(post) => match self.post(post).await {
                    Ok(input) => input,
                    Err(outcome) => return Ok(outcome),
                },
                Output::Effect { id, effect } => {
                    let result = self.carry_out(effect).await;
                    for alert in self.device.dm1_news(self.server) {
                        let fresh = self.nonces.fresh(self.device)?;
                        engine.handle(&mut self.device.tree, fresh, Input::Alert(alert));
                    }
                    Input::EffectDone { id, result }
                }
            };
            if self.abort.take() {
                let reason = "it was asked for on the device".to_owned();
                let fresh = self.nonces.fresh(self.device)?;
                engine.handle(&mut self.device.tree, fresh, Input::Abort { reason });
            }
            let fresh = self.nonces.fresh(self.device)?;
            engine.handle(&mut self.device.tree, fresh, input);
        }
    }

    /// Sends a message. Where it is of no use to try again, the session ends: what was carried out is durable.
    async fn post(&mut self, post: Post) -> Result<Input, Outcome> {
        if !post.wait.is_zero() {
            tokio::time::sleep(post.wait.min(self.longest_pause)).await;
        }
        self.messages += 1;
        match self.binding.post(post).await {
            Ok(reply) => Ok(Input::Reply(reply)),
            Err(error @ (TransportError::Failed { .. } | TransportError::Timeout { .. })) => {
                Ok(Input::NoReply { reason: error.to_string() })
            }
            Err(error) => Err(Outcome::Aborted { cause: Cause::NoReply, reason: error.to_string() }),
        }
    }

    /// Carries out an effect; what it changes is durable when this returns.
    async fn carry_out(&mut self, effect: Effect) -> EffectResult {
        match effect {
            Effect::Ask(question) => {
                let user = self.user.as_deref_mut();
                EffectResult::Answered(user::ask(user, &question, self.patience).await)
            }
            effect => self.device.carry_out(self.server, effect),
        }
    }

    fn note(&mut self, note: Note) {
        tracing::debug!(server = %self.server, ?note);
        if self.notes.len() == MAX_NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(note);
    }
}

impl Device {
    /// Carries out an effect for a server, without a user; what it changes is durable when this returns.
    pub(super) fn carry_out(&mut self, server: &ServerId, effect: Effect) -> EffectResult {
        match effect {
            Effect::Refresh(instances) => settled(self.refresh(&instances)),
            Effect::Commit { records, instances } => settled(self.commit(records, &instances)),
            Effect::Execute(ordered) => self.execute_dm1(server, *ordered),
            Effect::Ask(_) => EffectResult::Answered(UserAnswer::NotDisplayable),
            Effect::KeepNonces { client, server: own } => {
                let kept = self.keep_nonces(server, client, own);
                settled(kept.map_err(|error| crate::host::not_kept(&error)))
            }
            Effect::AlertDelivered { id, status } => {
                if let Err(error) = self.alert_answered(id, status) {
                    // The server is told again in the next session, and knows it by its correlator or content.
                    tracing::warn!(%server, "an alert that the server took is kept: {error}");
                }
                EffectResult::Done
            }
        }
    }

    /// What plug-ins have to tell a server: alerts that they have raised, and ends of executions. Durable before it is told; an
    /// alert for which there is no room is lost.
    pub(super) fn dm1_news(&mut self, server: &ServerId) -> Vec<omadm_session::dm1::client::DeviceAlert> {
        self.ask_for_ends();
        let ends = self.save_dm1_ends(Some(server));
        let first = self.dm1.next_alert;
        for alert in self.raised_generic() {
            let alert_type = alert.alert_type.clone();
            if let Err(error) = self.raise_dm1_alert(server, alert) {
                tracing::warn!(%server, alert = alert_type, "an alert is lost: {error}");
            }
        }
        let known = self.offered(server).into_iter();
        known.filter(|alert| alert.id >= first || ends.contains(&alert.id)).collect()
    }

    /// Alerts of plug-ins, in the form of DM 1.x.
    fn raised_generic(&mut self) -> Vec<alerts::GenericAlert> {
        let generic = self.plugins.iter_mut().flat_map(|plugin| plugin.generic_alerts());
        let generic: Vec<_> = generic.collect();
        #[cfg(feature = "dm2")]
        let generic = {
            let others: Vec<_> = self.plugins.iter_mut().flat_map(|plugin| plugin.alerts()).collect();
            let others = others.into_iter().map(|alert| crate::dm1x::to_generic(&self.tree, alert));
            others.chain(generic).collect()
        };
        generic
    }
}

/// Nonces that were drawn together: hardly a step of an engine needs one, and to ask for one costs as much as the step.
#[derive(Default)]
pub(super) struct Nonces(Vec<[u8; 16]>);

impl Nonces {
    /// How many are drawn at a time.
    const DRAWN: usize = 16;

    /// What the engine cannot know by itself.
    pub(super) fn fresh(&mut self, device: &Device) -> Result<Fresh, ClientError> {
        let nonce = match self.0.pop() {
            Some(nonce) => nonce,
            None => self.draw()?,
        };
        Ok(Fresh { now: (device.config.clock)(), nonce })
    }

    fn draw(&mut self) -> Result<[u8; 16], ClientError> {
        let mut drawn = [[0; 16]; Self::DRAWN];
        openssl::rand::rand_bytes(drawn.as_flattened_mut())
            .map_err(|error| TransportError::Settings(error.to_string()))?;
        let [first, others @ ..] = drawn;
        self.0.extend(others);
        Ok(first)
    }
}

fn settled(done: Result<(), Refusal>) -> EffectResult {
    done.map_or_else(refused, |()| EffectResult::Done)
}

/// The result of what was refused: the statuses of plug-ins are those of DM 2.0 (`DM 1.3 REPPRO §8` has these for the same).
pub(super) fn refused(Refusal { status, reason }: Refusal) -> EffectResult {
    let status = match status {
        StatusCode::NOT_IMPLEMENTED => 406,
        StatusCode::SERVICE_UNAVAILABLE => 403,
        StatusCode::DEVICE_FULL => 420,
        StatusCode::USER_REJECTED => 403,
        _ => 500,
    };
    EffectResult::Refused { status, reason }
}
