//! What a device's next message would read, worked out from what this one has read and written.

use crate::{CheckIn, Command, CommandState, SessionRow, SessionStep, Transition, ValidatorChange};

impl CheckIn {
    /// What a check-in reads once `step`, which was made from this one, is applied, if nothing else is written meanwhile.
    ///
    /// Who works with it instead of reading lets the store see that it still holds: by [`SessionStep::expected_version`] and
    /// [`SessionStep::expected_last_seq`].
    #[must_use]
    pub fn after(mut self, step: &SessionStep) -> Self {
        let device = &mut self.device;
        device.last_contact = Some(step.now);
        for (kept, new) in [
            (&mut device.protocol, &step.protocol),
            (&mut device.bearer, &step.bearer),
            (&mut device.inventory, &step.inventory),
        ] {
            if new.is_some() {
                kept.clone_from(new);
            }
        }
        if step.dm1.is_some() {
            self.dm1.clone_from(&step.dm1);
        }
        if let Some(facts) = &step.facts {
            device.facts.clone_from(facts);
        }
        if let Some(profiles) = &step.profiles {
            device.desired.clone_from(&profiles.memo);
        }
        let version = self.session.as_ref().map_or(0, |row| row.version) + 1;
        match &step.session {
            Some(row) => self.session = Some(SessionRow { version, updated: step.now, ..row.clone() }),
            None if !step.is_for_next_message() => {}
            None => self.session.iter_mut().for_each(|row| row.version = version),
        }
        for transition in &step.transitions {
            let command = self.commands.iter_mut().find(|command| command.seq == transition.seq);
            if let Some(command) = command {
                command.go(transition, step);
            }
        }
        for change in &step.validators {
            self.validators.retain(|kept| !change.concerns(&kept.moid, &kept.miid));
            if let ValidatorChange::Keep(validator) = change {
                self.validators.push(validator.clone());
            }
        }
        let open = self.commands.len();
        self.commands.retain(|command| !command.state.is_final());
        self.commands.sort_by_key(|command| (command.state == CommandState::Queued, command.seq));
        let finished = open - self.commands.len();
        self.device.open_commands -= i64::try_from(finished).unwrap_or(i64::MAX);
        self
    }
}

impl SessionStep {
    /// Whether what comes beside a session changes what its next message has to know.
    pub(crate) fn is_for_next_message(&self) -> bool {
        self.session.is_some() || !self.transitions.is_empty() || !self.validators.is_empty()
    }
}

impl Command {
    fn go(&mut self, transition: &Transition, step: &SessionStep) {
        let same = self.state == transition.to;
        if transition.from == CommandState::Queued && transition.to == CommandState::Sent {
            self.attempts = self.attempts.saturating_add(1);
            self.sent = Some(step.now);
        }
        self.state = transition.to;
        self.status = transition.status.or(self.status);
        if transition.reason.is_some() || !same {
            self.reason.clone_from(&transition.reason);
        }
        if transition.result.is_some() {
            self.result.clone_from(&transition.result);
        }
        self.finished = self.state.is_final().then_some(step.now);
    }
}
