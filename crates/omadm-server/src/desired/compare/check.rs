//! Reading again what is as it should be, to see whether it still is.

use std::collections::BTreeMap;

use omadm_store::CommandId;

use super::{Action, Look, Planned, Stand};
use crate::desired::wanted::{Spot, What};

impl Look<'_> {
    /// Plans what is to be read at this time, and says when that is to be done next.
    pub(super) fn check(&mut self) {
        let mut due: Vec<(usize, usize, String)> = Vec::new();
        for by in 0..self.wanted.applying {
            let is_due = self.is_profile_due(by);
            for place in 0..self.wanted.wants.len() {
                due.extend(self.address_due(place, by, is_due).map(|address| (by, place, address)));
            }
        }
        due.sort_by_key(|(_, _, address)| Spot::of(address).map_or(0, |spot| spot.depth()));
        let mut read: BTreeMap<Spot, CommandId> = BTreeMap::new();
        for (by, place, address) in due {
            let Some(spot) = Spot::of(&address) else { continue };
            // What is above brings it along.
            let along = spot.upwards().find_map(|above| read.get(&above).copied());
            if along.is_none() && self.commands.len() >= self.view.most {
                self.due = Some(0);
                return;
            }
            let id = along.unwrap_or_else(|| {
                let id = (self.next_id)();
                self.commands.push(Planned { id, by, action: Action::Read { address } });
                read.insert(spot, id);
                id
            });
            self.note_told(place, id);
        }
    }

    /// Notes that a command reads what the device has spoken of: the same message is looked at again with the command.
    fn note_told(&mut self, place: usize, id: CommandId) {
        let key = self.wanted.wants.get(place).map(|want| want.item.key.clone());
        self.told.extend(key.filter(|key| self.view.told.contains(key)).map(|key| (key, id)));
    }

    /// Whether the nodes of a profile are to be read by now.
    fn is_profile_due(&mut self, by: usize) -> bool {
        let Some(version) = self.wanted.version(by) else { return false };
        let Some(check) = version.document.check else { return false };
        let name = version.name.clone();
        // What applies since now was just looked at.
        let is_new = self.memo.of.get(&name) != Some(&version.number);
        let last = self.memo.checked.get(&name).copied().filter(|_| !is_new).unwrap_or(self.view.now.0);
        self.is_due(name, last, check.micros())
    }

    fn is_due(&mut self, key: String, last: i64, every: i64) -> bool {
        let now = self.view.now.0;
        // A clock that was set back must not put it off for ever.
        let is_due = last.saturating_add(every) <= now || last > now;
        let last = if is_due { now } else { last };
        self.checked.insert(key, last);
        self.wake(last.saturating_add(every));
        is_due
    }

    /// The address of a want of a profile, if it is to be read now.
    fn address_due(&mut self, place: usize, by: usize, is_profile_due: bool) -> Option<String> {
        let want = self.wanted.wants.get(place).filter(|want| want.by == by && !want.is_leaving)?;
        let known = self.view.known.get(place).filter(|known| known.never.is_none())?;
        let address = known.read.clone()?;
        let key = want.item.key.clone();
        if let What::Observed { every, .. } = want.item.what {
            let seen = known.seen.at().map(|at| at.0);
            let last = self.memo.checked.get(&key).copied().max(seen);
            return self.is_due(key, last.unwrap_or(i64::MIN), every).then_some(address);
        }
        if !matches!(self.stands.get(place), Some(Stand::Converged | Stand::Drifted(_))) {
            return None;
        }
        let check = self.wanted.version(by).and_then(|version| version.document.check);
        // What came along with something else in the meantime need not be read.
        let is_fresh = || {
            let until = known.seen.at().zip(check).map(|(at, check)| at.plus_micros(check.micros() / 2));
            until.is_some_and(|until| until > self.view.now)
        };
        let was_told = self.view.told.contains(&key) && !self.told.contains_key(&key);
        (was_told || (is_profile_due && !is_fresh())).then_some(address)
    }
}
