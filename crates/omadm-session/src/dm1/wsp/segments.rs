//! Messages in packets (`WAP-224 §8.14`): groups of packets go out one after the other, each when the one before is acknowledged.

use omadm_codec::wtp::{Kind, Pdu, Trailer};
use zeroize::Zeroizing;

use super::settings::Settings;
use super::transaction::{Class, encode};
use crate::Body;

/// Octets before the data of a packet, at most.
const HEADER: usize = 4;
/// Packets that have a number.
const MAX_PACKETS: usize = 256;

/// A message is longer than what fits into all the packets that there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message has {octets} octets, and {most} are the most that can be sent")]
pub struct TooLong {
    /// Its octets.
    pub octets: usize,
    /// As many as there may be.
    pub most: usize,
}

/// What a message is in its transaction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Invoke { class: Class, tid_new: bool },
    Result,
}

/// How far the receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// No further than before.
    Nothing,
    /// It has a group; the next one is to be sent.
    Group,
    /// It has everything.
    All,
}

/// A message that is sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    tid: u16,
    part: Part,
    data: Zeroizing<Vec<u8>>,
    segment: usize,
    group: usize,
    /// Number of the first packet of the group that is under way.
    begin: usize,
}

impl Outgoing {
    pub(super) fn new(tid: u16, part: Part, data: Vec<u8>, settings: &Settings) -> Result<Self, TooLong> {
        let segment = settings.datagram.saturating_sub(HEADER).max(1);
        let (octets, most) = (data.len(), segment.saturating_mul(MAX_PACKETS));
        if octets > most {
            return Err(TooLong { octets, most });
        }
        let group = usize::from(settings.group).max(1);
        Ok(Self { tid, part, data: Zeroizing::new(data), segment, group, begin: 0 })
    }

    fn packets(&self) -> usize {
        self.data.len().div_ceil(self.segment).max(1)
    }

    /// Number of the last packet of the group that is under way.
    fn last(&self) -> usize {
        (self.begin + self.group).min(self.packets()) - 1
    }

    fn is_last_group(&self) -> bool {
        self.last() + 1 == self.packets()
    }

    /// The packets of the group that is under way.
    pub(super) fn group(&self, is_repeated: bool) -> Vec<Vec<u8>> {
        (self.begin..=self.last()).map(|number| self.packet(number, is_repeated)).collect()
    }

    /// The last packet of the group again, which makes the receiver say what it has.
    pub(super) fn probe(&self) -> Vec<u8> {
        self.packet(self.last(), true)
    }

    /// The packets of the group that the receiver misses, again; it names none when it misses all.
    pub(super) fn missing(&self, numbers: &[u8]) -> Vec<Vec<u8>> {
        if numbers.is_empty() {
            return self.group(true);
        }
        let wanted = (self.begin..=self.last())
            .filter(|number| numbers.iter().any(|named| usize::from(*named) == *number));
        wanted.map(|number| self.packet(number, true)).collect()
    }

    /// Takes an acknowledgement; one that names no packet is for the last of a message, or, as gateways have it, for packet 0.
    pub(super) fn acknowledge(&mut self, up_to: Option<u8>) -> Progress {
        let is_last_group = self.is_last_group();
        let named = up_to.map(usize::from);
        if is_last_group && named.is_none_or(|number| number == self.last()) {
            return Progress::All;
        }
        if is_last_group || named.unwrap_or(0) != self.last() {
            return Progress::Nothing;
        }
        self.begin = self.last() + 1;
        Progress::Group
    }

    fn packet(&self, number: usize, is_repeated: bool) -> Vec<u8> {
        let trailer = if number + 1 == self.packets() {
            Trailer::LastOfMessage
        } else if number == self.last() {
            Trailer::LastOfGroup
        } else {
            Trailer::Middle
        };
        let data = self.data.chunks(self.segment).nth(number).unwrap_or_default();
        let kind = match (self.part, u8::try_from(number).unwrap_or(u8::MAX)) {
            (Part::Invoke { class, tid_new }, 0) => {
                Kind::Invoke { trailer, tid_new, user_ack: false, class: class.number(), data }
            }
            (Part::Invoke { .. }, number) => Kind::SegmentedInvoke { trailer, number, data },
            (Part::Result, 0) => Kind::Result { trailer, data },
            (Part::Result, number) => Kind::SegmentedResult { trailer, number, data },
        };
        encode(&Pdu { tid: self.tid, is_repeated, kind })
    }
}

/// A packet as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) number: u8,
    pub(super) trailer: Trailer,
    pub(super) data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The packet of an invocation.
    pub(super) fn of_invoke(kind: &Kind<'a>) -> Option<Self> {
        match *kind {
            Kind::Invoke { trailer, data, .. } => Some(Self { number: 0, trailer, data }),
            Kind::SegmentedInvoke { trailer, number, data } => Some(Self { number, trailer, data }),
            _ => None,
        }
    }

    /// The packet of a result.
    pub(super) fn of_result(kind: &Kind<'a>) -> Option<Self> {
        match *kind {
            Kind::Result { trailer, data } => Some(Self { number: 0, trailer, data }),
            Kind::SegmentedResult { trailer, number, data } => Some(Self { number, trailer, data }),
            _ => None,
        }
    }
}

/// What a packet leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was there before, or belongs nowhere.
    Nothing,
    /// It is new, and more of its group have to come.
    More,
    /// The group up to this packet is to be acknowledged.
    Acknowledge(u8),
    /// Packets of the group are missing.
    Missing(Vec<u8>),
    /// The message is complete.
    Complete,
    /// The message is larger than what is taken.
    TooLarge,
}

/// A message that is received.
#[derive(Debug)]
pub(super) struct Incoming {
    parts: Vec<Option<Zeroizing<Vec<u8>>>>,
    /// How many of them are there.
    count: usize,
    octets: usize,
    limit: usize,
    /// Number of the first packet of the group that is under way.
    begin: usize,
    /// The last packet of that group, once it is known, and whether it ends the message.
    end: Option<(u8, bool)>,
}

impl Incoming {
    pub(super) fn new(limit: usize) -> Self {
        Self { parts: Vec::new(), count: 0, octets: 0, limit, begin: 0, end: None }
    }

    /// Takes a packet.
    pub(super) fn add(&mut self, packet: &Packet<'_>) -> Heard {
        let Packet { number, trailer, data } = *packet;
        let at = usize::from(number);
        if at < self.begin {
            // The sender did not hear that the group is here.
            let ends_group = trailer == Trailer::LastOfGroup && at + 1 == self.begin;
            return if ends_group { Heard::Acknowledge(number) } else { Heard::Nothing };
        }
        if self.end.is_some_and(|(end, _)| number > end) {
            return Heard::Nothing;
        }
        let is_new = match self.store(at, data) {
            Ok(is_new) => is_new,
            Err(TooMuch) => return Heard::TooLarge,
        };
        if trailer != Trailer::Middle && self.end.is_none() {
            self.end = Some((number, trailer.is_last()));
        }
        match self.end {
            Some((end, ends_message)) => self.check(end, ends_message, number == end),
            None if is_new => Heard::More,
            None => Heard::Nothing,
        }
    }

    fn store(&mut self, at: usize, data: &[u8]) -> Result<bool, TooMuch> {
        if self.parts.len() <= at {
            self.parts.resize(at + 1, None);
        }
        let Some(place @ None) = self.parts.get_mut(at) else { return Ok(false) };
        if self.octets.saturating_add(data.len()) > self.limit {
            return Err(TooMuch);
        }
        self.octets += data.len();
        self.count += 1;
        *place = Some(Zeroizing::new(data.to_vec()));
        Ok(true)
    }

    /// What is to be said of a group whose end is known.
    fn check(&mut self, end: u8, ends_message: bool, is_end: bool) -> Heard {
        let is_missing = |number: &usize| !matches!(self.parts.get(*number), Some(Some(_)));
        let missing: Vec<u8> = (self.begin..=usize::from(end))
            .filter(is_missing)
            .filter_map(|number| u8::try_from(number).ok())
            .collect();
        if !missing.is_empty() {
            return if is_end { Heard::Missing(missing) } else { Heard::More };
        }
        if ends_message {
            return Heard::Complete;
        }
        self.begin = usize::from(end) + 1;
        self.end = None;
        Heard::Acknowledge(end)
    }

    /// Packets that have come, each counted once.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The packet to name when the whole message is acknowledged; none if it was the only one.
    pub(super) fn last(&self) -> Option<u8> {
        self.end.map(|(end, _)| end).filter(|end| *end > 0)
    }

    /// The message, when it is complete.
    pub(super) fn take(&mut self) -> Body {
        let end = self.end.map_or(0, |(end, _)| usize::from(end) + 1);
        let parts = std::mem::take(&mut self.parts);
        let mut message = Vec::with_capacity(self.octets);
        parts.iter().take(end).flatten().for_each(|part| message.extend_from_slice(part));
        message.into()
    }
}

/// More octets than are taken.
struct TooMuch;
