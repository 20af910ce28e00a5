//! Whose turn it is where commands belong together. A package is brought to a device by several commands, and what they set is in nodes
//! that all packages share: the last one is sent once those before it are done, and nothing of another delivery comes between.

use std::collections::HashMap;

use omadm_store::{Command, CommandId, CommandState, StoreError};

use crate::context::Context;
use crate::operation::Part;

/// How a command came out with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was done.
    Done,
    /// The device has taken it over, and tells the end later.
    Accepted,
    /// It is to be sent again.
    Again,
    /// It has failed, for this reason.
    Failed(String),
}

/// Whether a command may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Now,
    /// It has to wait, and with it all behind it.
    Wait,
    /// It must not be sent any more, for this reason.
    Never(String),
}

/// Commands of a device that are parts of deliveries.
#[derive(Default)]
pub struct Deliveries {
    parts: HashMap<i64, Part>,
    /// What is known of those that others need, by their identifiers.
    needed: HashMap<CommandId, Needed>,
}

/// A command that another one needs.
enum Needed {
    /// It is still open, under this sequence number.
    Open(i64, String),
    Done,
    /// It has ended otherwise; in a sentence.
    Failed(String),
}

impl Deliveries {
    /// Finds them among the open commands of a device; nothing is read where there are none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn read(context: &Context, open: &[Command]) -> Result<Self, StoreError> {
        let parts = open.iter().filter_map(|command| Some((command.seq, Part::of_args(&command.args)?)));
        let mut deliveries = Self { parts: parts.collect(), needed: HashMap::new() };
        let needs: Vec<CommandId> =
            deliveries.parts.values().flat_map(|part| part.needs.iter().copied()).collect();
        for id in needs {
            let needed = match open.iter().find(|command| command.id == id) {
                Some(command) => Needed::Open(command.seq, name(command)),
                None => Needed::of(context.store.command(id).await?.as_ref()),
            };
            deliveries.needed.insert(id, needed);
        }
        Ok(deliveries)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes the open commands one after the other, in order of their sequence, after a message of which `fate` tells how commands came out.
    pub fn turns<'d>(&'d self, fate: &'d dyn Fn(i64) -> Option<Fate>) -> Turns<'d> {
        Turns { deliveries: self, fate, under_way: None }
    }
}

impl Needed {
    fn of(ended: Option<&Command>) -> Self {
        match ended {
            None => Self::Failed("A command that has to be done before is not there any more.".to_owned()),
            Some(command) if command.state == CommandState::Done => Self::Done,
            Some(command) => {
                let state = command.state.as_str();
                let why = command.reason.clone().unwrap_or_else(|| format!("It is {state}."));
                Self::Failed(failed(&name(command), &why))
            }
        }
    }
}

fn name(command: &Command) -> String {
    format!("{} {}", command.verb, command.address)
}

fn failed(name: &str, why: &str) -> String {
    format!("It was not sent, because what has to be done before was not done ({name}): {why}")
}

/// A walk through the open commands of a device.
pub struct Turns<'d> {
    deliveries: &'d Deliveries,
    fate: &'d dyn Fn(i64) -> Option<Fate>,
    /// The delivery of which something is still open.
    under_way: Option<CommandId>,
}

impl Turns<'_> {
    /// Whether the next command may be sent. Behind one that has to wait nobody needs to be asked.
    pub fn of(&mut self, command: &Command) -> Turn {
        let Some(part) = self.deliveries.parts.get(&command.seq) else { return Turn::Now };
        let fate = (self.fate)(command.seq);
        if matches!(fate, Some(Fate::Done | Fate::Accepted | Fate::Failed(_))) {
            return Turn::Now;
        }
        // What was sent is the engine's; it is not taken back because of what has happened since.
        let is_sent = command.state == CommandState::Sent && fate != Some(Fate::Again);
        if is_sent && command.status == Some(202) {
            return Turn::Now;
        }
        if !is_sent {
            if self.under_way.is_some_and(|other| other != part.of) {
                return Turn::Wait;
            }
            match self.before(part) {
                Turn::Now => {}
                other => return other,
            }
        }
        self.under_way = Some(part.of);
        Turn::Now
    }

    /// Whether all that a command needs is done.
    fn before(&self, part: &Part) -> Turn {
        let mut turn = Turn::Now;
        for needed in part.needs.iter().filter_map(|id| self.deliveries.needed.get(id)) {
            match needed {
                Needed::Done => {}
                Needed::Failed(why) => return Turn::Never(why.clone()),
                Needed::Open(seq, name) => match (self.fate)(*seq) {
                    Some(Fate::Done) => {}
                    Some(Fate::Failed(why)) => return Turn::Never(failed(name, &why)),
                    Some(Fate::Accepted | Fate::Again) | None => turn = Turn::Wait,
                },
            }
        }
        turn
    }
}
