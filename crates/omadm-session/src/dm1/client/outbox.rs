//! What is to be said to the server, cut into messages that it can take (`DM 1.3 PROTO §7`).

use std::borrow::Cow;
use std::collections::VecDeque;

use omadm_codec::dm1::{Alert, AlertCode, Command, Data, Encoder, Form, Item, Status};

use super::config::AlertId;
use super::content::size;

/// Least octets of data in a chunk, also where the limit of the server leaves less.
const LEAST_CHUNK: usize = 32;

/// `CmdID` up to which a message holds no more than any other has to: two statuses.
const FEW: u32 = 3;

/// What waits to be sent: Statuses first, in their order, then the rest.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    statuses: VecDeque<Status<'static>>,
    rest: VecDeque<Entry>,
    /// The object at the head of the rest is under way: what is there of it is what was not sent yet.
    in_chunks: bool,
}

/// A command other than a Status; its `CmdID` is given when it is sent.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) command: Command<'static>,
    /// The alert of the host that it is.
    pub(super) alert: Option<AlertId>,
}

/// What a message took.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// `CmdID` of each alert of the host.
    pub(super) alerts: Vec<(u32, AlertId)>,
    /// Alerts that no message can hold.
    pub(super) too_large: Vec<AlertId>,
}

/// How large messages and objects may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Octets of the message with all that is still to be added to it.
    pub(super) message: usize,
    /// Whether an object may be cut.
    pub(super) chunks: bool,
    /// In what the message is written.
    pub(super) form: Form,
}

impl Outbox {
    pub(super) fn answer(&mut self, statuses: impl IntoIterator<Item = Status<'static>>) {
        self.statuses.extend(statuses);
    }

    pub(super) fn say(&mut self, command: Command<'static>) {
        self.rest.push_back(Entry { command, alert: None });
    }

    pub(super) fn alert(&mut self, id: AlertId, alert: Alert<'static>) {
        self.rest.push_back(Entry { command: Command::Alert(alert), alert: Some(id) });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.rest.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The server does not want the rest of the object under way.
    pub(super) fn drop_object(&mut self) {
        if self.in_chunks {
            self.rest.pop_front();
            self.in_chunks = false;
        }
    }

    /// Moves what fits into a message that has its header status already, with `CmdID`s from `next_id` on.
    pub(super) fn fill(&mut self, encoder: &mut Encoder, next_id: &mut u32, room: Room) -> Filled {
        let mut filled = Filled::default();
        let begun = *next_id;
        while let Some(mut status) = self.statuses.pop_front() {
            status.id = next_id.to_string().into();
            let command = Command::Status(status);
            if !encoder.push_within(&command, room.message) {
                if *next_id > begun {
                    if let Command::Status(status) = command {
                        self.statuses.push_front(status);
                    }
                    return filled;
                }
                // One status has to go with each message, or there would be no end.
                encoder.push(&command);
            }
            *next_id += 1;
        }
        let begun = *next_id;
        while let Some(mut entry) = self.rest.pop_front() {
            if self.in_chunks {
                self.chunk(entry, encoder, next_id, room, &mut filled);
                return filled;
            }
            set_id(&mut entry.command, *next_id);
            if encoder.push_within(&entry.command, room.message) {
                entry.sent(next_id, &mut filled);
            } else if let Some(half) = entry.split() {
                self.rest.push_front(entry);
                self.rest.push_front(half);
            } else if *next_id > begun {
                self.rest.push_front(entry);
                return filled;
            } else if room.chunks && entry.announce_size() {
                self.in_chunks = true;
                self.rest.push_front(entry);
            } else {
                filled.too_large.extend(entry.alert);
            }
        }
        filled
    }

    /// Sends as much of an object as there is room for.
    fn chunk(
        &mut self,
        mut entry: Entry,
        encoder: &mut Encoder,
        next_id: &mut u32,
        room: Room,
        filled: &mut Filled,
    ) {
        set_id(&mut entry.command, *next_id);
        if encoder.push_within(&entry.command, room.message) {
            self.in_chunks = false;
            return entry.sent(next_id, filled);
        }
        let Some(whole) = entry.put(Data::Text(Cow::Borrowed("")), true) else { return };
        entry.put(empty(&whole), true);
        let place = encoder.place();
        encoder.push(&entry.command);
        let left = room.message.saturating_sub(encoder.length(false));
        encoder.rewind(place);
        let length = room.form.fitting(&whole, left);
        if length < LEAST_CHUNK && *next_id > FEW {
            // The next message has more room.
            entry.put(whole, false);
            return self.rest.push_front(entry);
        }
        let (chunk, rest) = cut(&whole, length.max(LEAST_CHUNK), entry.is_base64());
        entry.put(chunk, true);
        encoder.push(&entry.command);
        *next_id += 1;
        entry.put(rest, false);
        entry.forget_size();
        self.rest.push_front(entry);
    }
}

impl Entry {
    /// It is in a message.
    fn sent(self, next_id: &mut u32, filled: &mut Filled) {
        filled.alerts.extend(self.alert.map(|alert| (*next_id, alert)));
        *next_id += 1;
    }

    /// The first half of Results with several items; the rest stays.
    fn split(&mut self) -> Option<Self> {
        let Command::Results(results) = &mut self.command else { return None };
        let half = results.items.len() / 2;
        if half == 0 {
            return None;
        }
        let rest = results.items.split_off(half);
        let first = results.clone();
        results.items = rest;
        Some(Self { command: Command::Results(first), alert: None })
    }

    /// Makes the one item with data the first chunk of an object; `false` if there is no such item.
    fn announce_size(&mut self) -> bool {
        let Some(item) = self.item() else { return false };
        let Some(data) = &item.data else { return false };
        item.meta.size = u64::try_from(size(data)).ok();
        true
    }

    /// Puts other data into the one item, for what was there.
    fn put(&mut self, data: Data<'static>, more: bool) -> Option<Data<'static>> {
        let item = self.item()?;
        item.more = more;
        item.data.replace(data)
    }

    fn is_base64(&mut self) -> bool {
        self.item().is_some_and(|item| item.meta.format.as_deref() == Some("b64"))
    }

    /// Only the first chunk says the size.
    fn forget_size(&mut self) {
        if let Some(item) = self.item() {
            item.meta.size = None;
        }
    }

    /// The item, if there is exactly one.
    fn item(&mut self) -> Option<&mut Item<'static>> {
        let items = match &mut self.command {
            Command::Results(results) => &mut results.items,
            Command::Alert(alert) => &mut alert.items,
            Command::Operation(operation) => &mut operation.items,
            Command::Status(_) | Command::Container(_) | Command::Unknown(_) => return None,
        };
        match items.as_mut_slice() {
            [item] => Some(item),
            _ => None,
        }
    }
}

/// Data of the same kind without content.
fn empty(data: &Data<'_>) -> Data<'static> {
    match data {
        Data::Text(_) => Data::Text(Cow::Borrowed("")),
        Data::Opaque(_) => Data::Opaque(Cow::Borrowed(&[])),
    }
}

/// Both parts of data that are cut after at most `length` octets: between characters, and base64 between its groups of four.
fn cut(data: &Data<'static>, length: usize, base64: bool) -> (Data<'static>, Data<'static>) {
    match data {
        Data::Text(text) => {
            let length = if base64 { length - length % 4 } else { length };
            let at = (0..=length.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let (first, rest) = text.split_at_checked(at).unwrap_or((text, ""));
            (Data::Text(first.to_owned().into()), Data::Text(rest.to_owned().into()))
        }
        Data::Opaque(octets) => {
            let (first, rest) = octets.split_at_checked(length).unwrap_or((octets, &[]));
            (Data::Opaque(first.to_vec().into()), Data::Opaque(rest.to_vec().into()))
        }
    }
}

fn set_id(command: &mut Command<'static>, id: u32) {
    let place = match command {
        Command::Status(status) => &mut status.id,
        Command::Results(results) => &mut results.id,
        Command::Alert(alert) => &mut alert.id,
        Command::Operation(operation) => &mut operation.id,
        Command::Container(container) => &mut container.id,
        Command::Unknown(unknown) => &mut unknown.id,
    };
    *place = Cow::Owned(id.to_string());
}

/// Alert without items.
pub(super) fn plain_alert(code: AlertCode) -> Command<'static> {
    Command::Alert(Alert {
        id: Cow::Borrowed(""),
        code: code.number().to_string().into(),
        correlator: None,
        items: Vec::new(),
    })
}
