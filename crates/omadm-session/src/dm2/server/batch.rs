//! Which commands go into the next Package#2.

use std::collections::BTreeSet;

use omadm_codec::dm2::Command;
use omadm_mo::ClientUri;

use super::later::executed;
use super::results::{describe, quarantined};
use super::{CommandResult, Config, Pending, State, Verdict};

/// What is read to make the number of commands differ: it exists on every device and changes nothing.
const PADDING: &str = "urn:oma:mo:oma-dm-devinfo:1.2//DmV";

/// The next Package#2, END left aside.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Sequence numbers.
    pub(super) sends: Vec<i64>,
    /// The commands, padding included.
    pub(super) commands: Vec<Command>,
    /// How many of them are padding.
    pub(super) padding: usize,
    /// Commands that were given up on the way.
    pub(super) quarantined: Vec<CommandResult>,
}

/// Takes commands in the order of their sequence, from the first that is open, as many as fit.
///
/// `results` are verdicts of this step. A command that has to wait holds back all behind it: it shall not be overtaken.
pub(super) fn next(config: &Config, queue: &[Pending], results: &[CommandResult], recent: &[usize]) -> Batch {
    let mut batch = Batch::default();
    let settled: BTreeSet<i64> =
        results.iter().filter(|result| !matches!(result.verdict, Verdict::Again(_))).map(|r| r.seq).collect();
    let ended: BTreeSet<i64> = results
        .iter()
        .filter(|result| result.verdict != Verdict::Accepted)
        .map(|result| result.seq)
        .collect();
    let accepted =
        results.iter().filter(|result| result.verdict == Verdict::Accepted).map(|result| result.seq);
    let accepted: BTreeSet<i64> =
        accepted.chain(queue.iter().filter(|pending| pending.accepted).map(|pending| pending.seq)).collect();
    let mut running: Vec<&ClientUri> = queue
        .iter()
        .filter(|pending| accepted.contains(&pending.seq) && !ended.contains(&pending.seq))
        .filter_map(executed)
        .collect();

    let mut open: Vec<&Pending> =
        queue.iter().filter(|p| !settled.contains(&p.seq) && !accepted.contains(&p.seq)).collect();
    open.sort_by_key(|pending| pending.seq);
    for pending in open {
        let command = match sendable(config, pending) {
            Ok(command) => command,
            Err(reason) => {
                batch.quarantined.push(quarantined(pending, &reason));
                continue;
            }
        };
        let last_attempt = is_last_attempt(config, pending);
        if last_attempt && !batch.sends.is_empty() {
            break;
        }
        // Two EXEC on one node could not be told apart by their results (`DM 2.0 §5.4.1`).
        if let Some(node) = executed(pending) {
            if running.contains(&node) {
                break;
            }
            running.push(node);
        }
        batch.sends.push(pending.seq);
        batch.commands.push(command.clone());
        if last_attempt || batch.sends.len() >= config.max_commands.max(1) {
            break;
        }
    }
    batch.fit(recent);
    batch
}

fn sendable<'q>(config: &Config, pending: &'q Pending) -> Result<&'q Command, String> {
    match &pending.command {
        Err(reason) => Err(format!("the queued command cannot be read: {reason}")),
        Ok(Command::End) => Err("END ends every session by itself and cannot be queued".into()),
        Ok(command) if pending.attempts >= config.max_attempts => {
            let attempts = pending.attempts;
            Err(format!("{} was sent {attempts} times without a final answer", describe(command)))
        }
        Ok(command) => Ok(command),
    }
}

/// The last attempt of a command is made alone: a package that the device never answers then costs only the command that is to
/// blame, and not those beside it.
fn is_last_attempt(config: &Config, pending: &Pending) -> bool {
    pending.attempts > 0 && pending.attempts.saturating_add(1) >= config.max_attempts
}

impl Batch {
    /// Makes the number of commands unlike those in `recent`: fewer commands if that does it, else reads behind them.
    fn fit(&mut self, recent: &[usize]) {
        let available = self.sends.len();
        if available == 0 {
            return;
        }
        if let Some(fewer) = (1..=available).rev().find(|number| !recent.contains(number)) {
            self.sends.truncate(fewer);
            self.commands.truncate(fewer);
            return;
        }
        let Ok(padding) = ClientUri::parse(PADDING) else { return };
        while recent.contains(&self.commands.len()) {
            self.commands.push(Command::Get(padding.clone()));
            self.padding += 1;
        }
    }
}

/// The state after `batch` is sent.
pub(super) fn state_after(batch: &Batch, previous: &State) -> State {
    let mut recent = vec![batch.commands.len()];
    recent.extend(previous.recent.first());
    State {
        sent: batch.sends.clone(),
        rounds: previous.rounds.saturating_add(1),
        ended: batch.commands.is_empty(),
        padding: batch.padding,
        recent,
    }
}
