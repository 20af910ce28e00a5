//! The use of a ServerURI that DEFAULT has left: the operations of HGET outside of any session (`DM 2.0 §5.3.10`).

use omadm_codec::Leniency;
use omadm_codec::dm2::StatusCode;
use omadm_mo::{Actor, Moid, ServerId, ServerUri, Time, Tree};

use super::accept::Accepts;
use super::commands::{self, Context, Progress, Wait, Yield};
use super::{Config, Effect, EffectResult};

/// One retrieval: start it, carry out its effects one after the other, and feed the results. What is stored belongs to the server
/// that sent the DEFAULT, with whose rights it is stored; no status goes to anyone.
pub struct Retrieval {
    config: Config,
    server: ServerId,
    actor: Actor,
    accepts: Accepts,
    wait: Option<Wait>,
}

/// How a retrieval goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum RetrievalStep {
    /// Carry this out, then call [`Retrieval::resume`].
    Effect(Effect),
    /// It is stored, durably, at these addresses.
    Stored(Vec<String>),
    /// Nothing is stored.
    Failed {
        /// The status that an HGET would have had.
        status: StatusCode,
        /// Why.
        reason: String,
    },
}

impl Retrieval {
    /// Begins to fetch from `uri`; of what comes only data of `moid` is stored.
    pub fn start(
        config: Config,
        server: ServerId,
        uri: &ServerUri,
        moid: Moid,
        tree: &mut Tree,
        now: Time,
    ) -> (Self, RetrievalStep) {
        let actor = Actor::Server(server.clone());
        let mut retrieval = Self { config, server, actor, accepts: Accepts::default(), wait: None };
        let step = retrieval.step(tree, now, |context| commands::fetch_only(context, uri, moid));
        (retrieval, step)
    }

    /// Goes on after an effect; `now` becomes the time stamp of changes.
    pub fn resume(&mut self, tree: &mut Tree, now: Time, result: EffectResult) -> RetrievalStep {
        match self.wait.take() {
            Some(wait) => self.step(tree, now, |context| commands::resume(context, wait, result)),
            None => RetrievalStep::Failed {
                status: StatusCode::INTERNAL_ERROR,
                reason: "the retrieval is over".into(),
            },
        }
    }

    fn step(
        &mut self,
        tree: &mut Tree,
        now: Time,
        work: impl FnOnce(&mut Context<'_>) -> Progress,
    ) -> RetrievalStep {
        let leniency = if self.config.strict { Leniency::strict() } else { Leniency::lenient() };
        let mut context = Context {
            config: &self.config,
            server: &self.server,
            actor: &self.actor,
            accepts: &mut self.accepts,
            tree,
            now,
            leniency,
        };
        match work(&mut context) {
            Progress::Waiting(next) => {
                let (effect, wait) = *next;
                self.wait = Some(wait);
                RetrievalStep::Effect(effect)
            }
            Progress::Answered(answer) if answer.status == StatusCode::OK => {
                RetrievalStep::Stored(match answer.yielded {
                    Yield::Locations(locations) => locations,
                    Yield::Nothing | Yield::Data(_) | Yield::Continue(_) => Vec::new(),
                })
            }
            Progress::Answered(answer) => RetrievalStep::Failed {
                status: answer.status,
                reason: answer.reason.unwrap_or_else(|| "no reason is given".into()),
            },
        }
    }
}
