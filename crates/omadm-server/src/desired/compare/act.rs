//! What is done about things that are not as they should be.

use std::collections::BTreeSet;

use omadm_store::CommandId;

use super::{Action, Hold, Look, Planned, Stand};
use crate::desired::wanted::{Spot, What};

impl Look<'_> {
    /// Does something about one want, if it is its turn.
    pub(super) fn proceed(&mut self, place: usize) {
        if self.stands.get(place) != Some(&Stand::Todo) {
            return;
        }
        let mut before = self.before.get(place).into_iter().flatten().copied();
        let waits_for = before.find(|other| !self.is_met(*other));
        let Some(want) = self.wanted.wants.get(place) else { return };
        let stand = match waits_for
            .and_then(|other| Some((self.wanted.wants.get(other)?, self.stands.get(other)?)))
        {
            Some((other, stand)) => {
                let name = other.item.what.name();
                let failed = matches!(stand, Stand::Failed(_) | Stand::Drifted(_));
                let suffix =
                    if failed { format!(", which has {}", stand.state().as_str()) } else { String::new() };
                Stand::Waiting(format!("It waits for {name}{suffix}."))
            }
            None if self.commands.len() >= self.view.most => {
                self.due = Some(0);
                Stand::Waiting("It waits until other commands are done.".to_owned())
            }
            None => match (self.to_be_read(place), &want.item.what) {
                (Some(address), _) => return self.plan(place, want.by, Action::Read { address }),
                (None, What::Interior { address }) => return self.make(place, address),
                (None, What::Firmware { .. }) if self.holds.get(place) == Some(&Hold::Unknown) => {
                    Stand::Failed("The device does not tell which firmware it has.".to_owned())
                }
                (None, what) => {
                    return action(what).into_iter().for_each(|action| self.plan(place, want.by, action));
                }
            },
        };
        self.set(place, stand);
    }

    fn is_met(&self, place: usize) -> bool {
        matches!(self.stands.get(place), Some(Stand::Converged))
    }

    fn set(&mut self, place: usize, stand: Stand) {
        self.stands.get_mut(place).into_iter().for_each(|kept| *kept = stand.clone());
    }

    /// Where something is read of which nothing is known, before it is done: it may be as it should be, and what is there must not
    /// be put in the place of what is.
    fn to_be_read(&self, place: usize) -> Option<String> {
        let (want, known) = (self.wanted.wants.get(place)?, self.view.known.get(place)?);
        let was_read = self.open.get(&want.item.key).is_some_and(|open| open.asked);
        let is_unknown = self.holds.get(place) == Some(&Hold::Unknown);
        let is_harmless =
            matches!(want.item.what, What::Absent { .. } | What::Observed { .. } | What::Unobserved { .. });
        known.read.clone().filter(|_| is_unknown && !was_read && !is_harmless)
    }

    /// Plans a command for one want.
    fn plan(&mut self, place: usize, by: usize, action: Action) {
        let id = (self.next_id)();
        let reading = matches!(action, Action::Read { .. });
        self.commands.push(Planned { id, by, action });
        self.assign(place, id, reading);
    }

    /// Notes that a command is for a want.
    fn assign(&mut self, place: usize, id: CommandId, reading: bool) {
        self.due = Some(0);
        let key = self.wanted.wants.get(place).map(|want| want.item.key.as_str()).unwrap_or_default();
        if let Some(open) = self.open.get_mut(key) {
            open.command = Some(id);
            open.reading = reading;
            open.next = None;
        }
        let what = if reading { "It is being read" } else { "A command is under way" };
        self.set(place, Stand::UnderWay(format!("{what}: {id}.")));
    }

    /// Makes an interior node, and with it all nodes below that are wanted and that nothing else holds up.
    fn make(&mut self, place: usize, address: &str) {
        let (Some(top), Some(want)) = (Spot::of(address), self.wanted.wants.get(place)) else { return };
        let mut members = BTreeSet::from([place]);
        let mut below = Vec::new();
        for other in &self.order {
            let Some(found) = self.wanted.wants.get(*other).filter(|_| *other != place) else { continue };
            let is_free = self.stands.get(*other) == Some(&Stand::Todo)
                && self.before.get(*other).is_some_and(|before| {
                    before.iter().all(|needed| members.contains(needed) || self.is_met(*needed))
                });
            let is_below = found.item.what.spot().is_some_and(|spot| top.holds(&spot));
            if !is_free || !is_below {
                continue;
            }
            match &found.item.what {
                What::Leaf { address, value } => below.push((address.clone(), Some(value.clone()))),
                What::Interior { address } => below.push((address.clone(), None)),
                _ => continue,
            }
            members.insert(*other);
        }
        self.plan(place, want.by, Action::Make { address: address.to_owned(), below });
        let Some(id) = self.commands.last().map(|planned| planned.id) else { return };
        for member in members {
            self.assign(member, id, false);
        }
    }
}

/// What brings about one thing by itself.
fn action(what: &What) -> Option<Action> {
    Some(match what {
        What::Leaf { address, value } => Action::Set { address: address.clone(), value: value.clone() },
        What::Absent { address } => Action::Delete { address: address.clone() },
        What::Observed { address, .. } => Action::Observe { address: address.clone() },
        What::Unobserved { address } => Action::Unobserve { address: address.clone() },
        What::Software { package, version } => {
            Action::Install { package: package.clone(), version: version.clone() }
        }
        What::NoSoftware { package } => Action::Remove { package: package.clone() },
        What::Firmware { package, version } => {
            Action::Update { package: package.clone(), version: version.clone() }
        }
        What::Interior { .. } => return None,
    })
}
