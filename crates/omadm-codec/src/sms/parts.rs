//! Messages of several parts (`3GPP TS 23.040 §9.2.3.24.1`).

use std::collections::{BTreeMap, VecDeque};

use super::{Address, MAX_USER_DATA, Part, Ports, Reference, UserData};

/// The payload does not fit into 255 parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} octets are too long for short messages, which carry {limit} at most")]
pub struct TooLong {
    /// Octets of the payload.
    pub length: usize,
    /// Most octets that the parts carry.
    pub limit: usize,
}

/// Makes the user data of one short message, or of as many as it takes. `reference` tells messages of several parts apart; it should
/// differ from that of the last one to the same receiver.
///
/// # Errors
/// [`TooLong`].
pub fn split(payload: &[u8], ports: Ports, reference: Reference) -> Result<Vec<UserData>, TooLong> {
    if let Some(single) = UserData::new(Some(ports), None, payload.to_vec()) {
        return Ok(vec![single]);
    }
    let empty = UserData::new(Some(ports), Part::new(reference, 1, 1), Vec::new());
    let room = empty.map_or(1, |empty| MAX_USER_DATA - empty.header().len());
    let too_long = TooLong { length: payload.len(), limit: room * usize::from(u8::MAX) };
    let total = u8::try_from(payload.len().div_ceil(room)).map_err(|_| too_long)?;
    let part = |(sequence, chunk): (u8, &[u8])| {
        UserData::new(Some(ports), Part::new(reference, total, sequence), chunk.to_vec()).ok_or(too_long)
    };
    (1..=total).zip(payload.chunks(room)).map(part).collect()
}

/// How much a [`Reassembly`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Messages that wait for parts; one more drops the oldest. Default 16, some 34 KiB each at most.
    pub messages: usize,
    /// Seconds after its first part that a message is dropped. Default 86,400, a day.
    pub age: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: 16, age: 86_400 }
    }
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sent it.
    pub originator: Address,
    /// Ports, if it has any.
    pub ports: Option<Ports>,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// Puts messages of several parts together, in whatever order these come.
#[derive(Clone, Debug, Default)]
pub struct Reassembly {
    bounds: Bounds,
    /// The oldest first.
    pending: VecDeque<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    key: (Address, Option<Ports>, Reference, u8),
    begun: u64,
    parts: BTreeMap<u8, Vec<u8>>,
}

impl Reassembly {
    /// Nothing pending yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, pending: VecDeque::new() }
    }

    /// Takes a short message that came at `now`, in seconds of a clock that does not go back. Gives the whole message if this was
    /// all that was missing. A part that is there already changes nothing, unless it says something else: then the sender uses its
    /// reference for another message, which begins.
    #[must_use]
    pub fn take(&mut self, now: u64, originator: Address, data: UserData) -> Option<Message> {
        self.pending.retain(|pending| now.saturating_sub(pending.begun) < self.bounds.age);
        let ports = data.ports();
        let Some(part) = data.part() else {
            return Some(Message { originator, ports, payload: data.into_payload() });
        };
        let key = (originator, ports, part.reference(), part.total());
        let at = self.pending.iter().position(|pending| pending.key == key);
        let mut pending = at.and_then(|at| self.pending.remove(at)).unwrap_or_else(|| Pending {
            key,
            begun: now,
            parts: BTreeMap::new(),
        });
        if pending.parts.get(&part.sequence()).is_some_and(|known| known != data.payload()) {
            pending.parts.clear();
            pending.begun = now;
        }
        pending.parts.insert(part.sequence(), data.into_payload());
        if pending.parts.len() == usize::from(part.total()) {
            let (originator, ports, ..) = pending.key;
            return Some(Message {
                originator,
                ports,
                payload: pending.parts.into_values().flatten().collect(),
            });
        }
        let at = self.pending.partition_point(|other| other.begun <= pending.begun);
        self.pending.insert(at, pending);
        while self.pending.len() > self.bounds.messages {
            self.pending.pop_front();
        }
        None
    }
}
