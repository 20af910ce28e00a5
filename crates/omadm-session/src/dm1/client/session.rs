//! The state machine of a session.

use std::collections::VecDeque;

use omadm_mo::Tree;

use super::{Cause, Config, Fresh, Input, Outcome, Output, Start};

/// One session.
#[derive(Debug)]
pub struct Session {
    config: Config,
    outputs: VecDeque<Output>,
}

impl Session {
    /// Prepares package 1.
    #[must_use]
    pub fn start(config: Config, start: Start, tree: &Tree, fresh: Fresh) -> Self {
        let _ = (start, tree, fresh);
        let mut outputs = VecDeque::new();
        let reason = format!("{} cannot start a session yet", config.device_id);
        outputs.push_back(Output::Finished(Outcome::Aborted { cause: Cause::Device, reason }));
        Self { config, outputs }
    }

    /// Takes an input. Inputs that do not fit the state are ignored with a note.
    pub fn handle(&mut self, tree: &mut Tree, fresh: Fresh, input: Input) {
        let _ = (&self.config, tree, fresh, input);
    }

    /// Call until `None`, carry out what it says, then feed the results.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
