//! What is wanted of a device against what is known of it: what is to be done, and how it stands. Pure: the same in, the same out.

mod act;
mod check;
#[cfg(test)]
mod deliveries;
mod hold;
mod order;
mod stand;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use omadm_mo::Time;
use omadm_store::{CommandId, ProfileState};
use serde_json::Value as Json;

pub use hold::{Hold, Known, Seen};
pub use order::{before_each, order};
pub use stand::Stand;

use super::document::Drift;
use super::memo::{Memo, Open};
use super::wanted::{Want, Wanted, What};
use crate::leaf::LeafValue;

/// Longest pause between two attempts, in microseconds: a day.
const LONGEST_PAUSE: i64 = 86_400_000_000;
/// Why something failed that the device says is done.
const NOT_SO: &str = "The device says that it is done, but it is not so as far as is known.";

/// How a command has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Whether it was done.
    pub done: bool,
    /// Whether there was nothing to do it with: the node is not there.
    pub missing: bool,
    /// Why not, in a sentence.
    pub why: String,
}

/// What is known of a device.
pub struct View<'v> {
    /// What is known of each want, in their order.
    pub known: &'v [Known],
    /// Commands that have not come to their end.
    pub under_way: &'v HashSet<CommandId>,
    /// Those of which the memo speaks that have.
    pub ended: &'v HashMap<CommandId, End>,
    /// What was wanted when the device was looked at last, by key.
    pub before: &'v dyn Fn(&str) -> Option<What>,
    /// Keys of what an operator has just changed by hand.
    pub by_hand: &'v HashSet<String>,
    /// Keys of what the device has just spoken of, so that it is read.
    pub told: &'v HashSet<String>,
    /// Keys of what the device has just ceased to observe.
    pub unobserved: &'v HashSet<String>,
    /// Whether the device can report changes by itself.
    pub reports: bool,
    /// The time.
    pub now: Time,
    /// Most commands at a time.
    pub most: usize,
}

/// What is to be done at the device.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Read a node and what is below.
    Read { address: String },
    /// Set a leaf.
    Set { address: String, value: LeafValue },
    /// Make an interior node with all that is below: leaves with their values, interior nodes without.
    Make { address: String, below: Vec<(String, Option<LeafValue>)> },
    /// Delete a node with all that is below.
    Delete { address: String },
    /// Begin to observe.
    Observe { address: String },
    /// End it.
    Unobserve { address: String },
    /// Bring a package.
    Install { package: String, version: String },
    /// Take it away.
    Remove { package: String },
    /// Bring firmware.
    Update { package: String, version: String },
}

/// A command to be queued.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its identifier.
    pub id: CommandId,
    /// Place of the profile that asks for it.
    pub by: usize,
    /// What is to be done.
    pub action: Action,
}

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Drifted {
    /// Place of the profile that wants it otherwise.
    pub by: usize,
    /// What it is about.
    pub name: String,
    /// The value that is wanted, of a leaf.
    pub wanted: Option<Json>,
    /// What there is now.
    pub seen: String,
    /// Whether an operator has changed it by hand.
    pub by_hand: bool,
    /// What is done about it.
    pub drift: Drift,
}

/// How a profile stands on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Place of the profile.
    pub by: usize,
    /// How it stands.
    pub state: ProfileState,
    /// Why, in a sentence.
    pub reason: Option<String>,
}

/// What comes of a look.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What is to be remembered.
    pub memo: Memo,
    /// Commands to queue, in order.
    pub commands: Vec<Planned>,
    /// Commands whose place newer ones take, with why.
    pub superseded: Vec<(CommandId, String)>,
    /// What has changed by itself or by hand.
    pub drifts: Vec<Drifted>,
    /// How each profile that applies stands.
    pub standings: Vec<Standing>,
    /// How each want stands, in their order.
    pub stands: Vec<Stand>,
}

/// A look at one device.
struct Look<'l> {
    wanted: &'l Wanted,
    memo: &'l Memo,
    view: &'l View<'l>,
    next_id: &'l mut dyn FnMut() -> CommandId,
    /// Places of the wants, in the order in which they are done.
    order: Vec<usize>,
    /// Places of those that have to be so before each.
    before: Vec<BTreeSet<usize>>,
    /// What is still open, as it will be.
    open: BTreeMap<String, Open>,
    holds: Vec<Hold>,
    stands: Vec<Stand>,
    commands: Vec<Planned>,
    drifts: Vec<Drifted>,
    checked: BTreeMap<String, i64>,
    /// Commands that read what the device has spoken of, by key.
    told: BTreeMap<String, CommandId>,
    /// When the next look is due.
    due: Option<i64>,
}

/// Compares; `next_id` makes the identifiers of commands.
pub fn compare(
    wanted: &Wanted,
    memo: &Memo,
    view: &View<'_>,
    next_id: &mut dyn FnMut() -> CommandId,
) -> Plan {
    let mut look = Look {
        wanted,
        memo,
        view,
        next_id,
        order: order(&wanted.wants),
        before: before_each(&wanted.wants),
        open: BTreeMap::new(),
        holds: Vec::new(),
        stands: Vec::new(),
        commands: Vec::new(),
        drifts: Vec::new(),
        checked: BTreeMap::new(),
        told: memo.told.clone().into_iter().filter(|(_, id)| view.under_way.contains(id)).collect(),
        due: None,
    };
    for (want, known) in wanted.wants.iter().zip(view.known) {
        let stand = look.begin(want, known);
        look.stands.push(stand);
    }
    for place in look.order.clone() {
        look.proceed(place);
    }
    look.check();
    look.finish()
}

impl Look<'_> {
    /// What was remembered of something, for the same version of the same profile.
    fn remembered(&self, want: &Want) -> Option<&Open> {
        let version = self.wanted.version(want.by)?;
        let open = self.memo.open.get(&want.item.key)?;
        (open.of.0 == version.name && open.of.1 == version.number).then_some(open)
    }

    /// Whether it was as it should be when the device was looked at last.
    fn was_settled(&self, want: &Want) -> bool {
        let Some(version) = self.wanted.version(want.by) else { return false };
        if want.is_leaving || self.memo.open.contains_key(&want.item.key) {
            return false;
        }
        self.memo.of.get(&version.name) == Some(&version.number)
            || (self.view.before)(&want.item.key).as_ref() == Some(&want.item.what)
    }

    /// Takes in what has happened since the last look; what is still to be done stands at [`Stand::Todo`].
    fn begin(&mut self, want: &Want, known: &Known) -> Stand {
        let mut hold = self.hold(want, known);
        let settled = self.was_settled(want);
        if hold == Hold::Unknown && settled {
            hold = Hold::Yes;
        }
        let mut open = self.remembered(want).cloned().unwrap_or_default();
        let outcome = self.take_end(want, known, &mut open, hold);
        if open.unseen && hold == Hold::No {
            hold = Hold::Unknown;
        }
        let stand = match (outcome, known.never.as_ref()) {
            (Some(stand), _) => stand,
            (None, Some(why)) => Stand::Failed(why.clone()),
            (None, None) if hold == Hold::Yes => Stand::Converged,
            (None, None) => {
                self.note_drift(want, known, &mut open, settled);
                self.judge(want, &open, known)
            }
        };
        self.holds.push(hold);
        if stand == Stand::Converged {
            return stand;
        }
        if let Some(version) = self.wanted.version(want.by) {
            open.of = (version.name.clone(), version.number);
        }
        self.open.insert(want.item.key.clone(), open);
        stand
    }

    /// Whether something is so, also where that is nothing that is seen in the tree.
    fn hold(&self, want: &Want, known: &Known) -> Hold {
        match want.item.what {
            What::Observed { .. } if !self.view.reports => Hold::Yes,
            What::Observed { .. } if self.view.unobserved.contains(&want.item.key) => Hold::No,
            What::Unobserved { .. } if !self.view.reports => Hold::Yes,
            _ => hold::hold(&want.item.what, &known.seen),
        }
    }

    /// What has become of the command for it. Nothing more is to be said where one is under way, or was done.
    fn take_end(&mut self, want: &Want, known: &Known, open: &mut Open, hold: Hold) -> Option<Stand> {
        let command = open.command?;
        if self.view.under_way.contains(&command) {
            self.due = Some(0);
            let what = if open.reading { "It is being read" } else { "A command is under way" };
            return Some(Stand::UnderWay(format!("{what}: {command}.")));
        }
        open.command = None;
        let is_reading = std::mem::take(&mut open.reading);
        let end = self.view.ended.get(&command)?;
        if is_reading {
            open.asked = true;
            return if open.unseen { self.take_sight(want, open, hold, end) } else { None };
        }
        let what = &want.item.what;
        let takes_away =
            matches!(what, What::Absent { .. } | What::Unobserved { .. } | What::NoSoftware { .. });
        let is_done = end.done || (takes_away && end.missing);
        if !is_done {
            self.fail(want, open, end.why.clone());
            return None;
        }
        let by_package =
            matches!(what, What::Software { .. } | What::NoSoftware { .. } | What::Firmware { .. });
        match hold {
            Hold::Yes => return Some(Stand::Converged),
            // What is known is of the time before: the command has told nothing of what there is now.
            Hold::No | Hold::Unknown if known.read.is_some() && (by_package || hold == Hold::No) => {
                (open.unseen, open.asked) = (true, false);
            }
            Hold::Unknown => return Some(Stand::Converged),
            Hold::No => self.fail(want, open, NOT_SO.to_owned()),
        }
        None
    }

    /// What was seen after the device had said that it is done.
    fn take_sight(&self, want: &Want, open: &mut Open, hold: Hold, end: &End) -> Option<Stand> {
        match hold {
            Hold::No if end.done || end.missing => {
                open.unseen = false;
                self.fail(want, open, NOT_SO.to_owned());
                None
            }
            // It is read again, and not done again: what is known is still of the time before.
            Hold::No => {
                open.asked = false;
                self.fail(
                    want,
                    open,
                    format!("It is done, but what there is now could not be read: {}", end.why),
                );
                None
            }
            // Where nothing is to be seen, the word of the device counts.
            Hold::Yes | Hold::Unknown => Some(Stand::Converged),
        }
    }

    fn fail(&self, want: &Want, open: &mut Open, why: String) {
        open.failures = open.failures.saturating_add(1);
        open.why = Some(why);
        let first = self.wanted.version(want.by).map_or(0, |version| version.document.retry_after.micros());
        let doubled = first.saturating_mul(1_i64 << open.failures.saturating_sub(1).min(20));
        open.next = Some(self.view.now.plus_micros(doubled.min(LONGEST_PAUSE.max(first))).0);
    }

    fn note_drift(&mut self, want: &Want, known: &Known, open: &mut Open, settled: bool) {
        if !settled {
            return;
        }
        open.drifted = true;
        self.drifts.push(Drifted {
            by: want.by,
            name: want.item.what.name(),
            wanted: match &want.item.what {
                What::Leaf { value, .. } => Some(value.json().clone()),
                _ => None,
            },
            seen: known.seen.say(),
            by_hand: self.view.by_hand.contains(&want.item.key),
            drift: want.item.drift,
        });
    }

    /// What can be said before it is known what else there is to do.
    fn judge(&mut self, want: &Want, open: &Open, known: &Known) -> Stand {
        if open.drifted && want.item.drift == Drift::Report {
            return Stand::Drifted(format!("It has changed: {}.", known.seen.say()));
        }
        let most = self.wanted.version(want.by).map_or(1, |version| version.document.attempts);
        let why = || open.why.clone().unwrap_or_default();
        match open.next {
            _ if open.failures >= most => Stand::Failed(why()),
            Some(next) if next > self.view.now.0 => {
                self.wake(next);
                Stand::Waiting(format!(
                    "It is tried again later (attempt {} of {most} failed): {}",
                    open.failures,
                    why()
                ))
            }
            _ => Stand::Todo,
        }
    }

    /// Has the device looked at again at this time.
    fn wake(&mut self, at: i64) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn finish(self) -> Plan {
        let Self { wanted, memo, view, open, stands, commands, drifts, checked, told, due, .. } = self;
        let applies = wanted.versions.iter().take(wanted.applying);
        let leaving = wanted.versions.iter().skip(wanted.applying).zip(wanted.applying..);
        let is_over = |by: usize| {
            let left = wanted.wants.iter().zip(&stands).filter(|(want, _)| want.by == by);
            left.map(|(_, stand)| stand).all(|stand| matches!(stand, Stand::Converged | Stand::Failed(_)))
        };
        let leaving: BTreeSet<(String, i64)> = leaving
            .filter(|(_, by)| !is_over(*by))
            .map(|(version, _)| (version.name.clone(), version.number))
            .collect();
        let kept = |open: &Open| {
            leaving.contains(&open.of)
                || wanted
                    .versions
                    .iter()
                    .take(wanted.applying)
                    .any(|version| version.name == open.of.0 && version.number == open.of.1)
        };
        let open: BTreeMap<String, Open> = open.into_iter().filter(|(_, open)| kept(open)).collect();
        let still: HashSet<CommandId> = open.values().filter_map(|open| open.command).collect();
        let superseded = memo.open.values().filter_map(|old| {
            let command = old.command.filter(|id| view.under_way.contains(id) && !still.contains(id))?;
            let (name, version) = &old.of;
            Some((command, format!("Version {version} of the profile {name} does not ask for it any more.")))
        });
        let superseded = superseded.collect();
        let standings = stand::standings(wanted, &stands);
        let stood = standings.iter().filter(|standing| standing.state != ProfileState::Converged);
        let stood = stood.filter_map(|standing| {
            Some((wanted.version(standing.by)?.name.clone(), standing.state.as_str().to_owned()))
        });
        let tries = memo.tries.clone();
        let applies_still =
            |name: &String| wanted.versions.iter().take(wanted.applying).any(|one| one.name == *name);
        let memo = Memo {
            tries: tries.into_iter().filter(|(name, _)| applies_still(name)).collect(),
            of: applies.map(|version| (version.name.clone(), version.number)).collect(),
            leaving,
            due,
            checked,
            stood: stood.collect(),
            open,
            told,
        };
        Plan { memo, commands, superseded, drifts, standings, stands }
    }
}
