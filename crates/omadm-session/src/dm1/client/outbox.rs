//! What is to be said to the server, cut into messages that it can take (`DM 1.3 PROTO §7`).

use std::borrow::Cow;
use std::collections::VecDeque;

use omadm_codec::dm1::{Alert, AlertCode, Command, Data, Encoder, Form, Item, Status};

use super::config::AlertId;
use super::content::size;

/// Room for so many octets of data makes a chunk worth its place in a message with more than that in it.
const WORTHY_CHUNK: usize = 32;
/// Least octets of data in a chunk, also where the limit of the server leaves less: a group of base64, or a character.
const LEAST_CHUNK: usize = 4;

/// `CmdID` up to which a message holds no more than any other has to: two statuses.
const FEW: u32 = 3;

/// What waits to be sent: Statuses first, in their order, then the rest.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    statuses: VecDeque<Status<'static>>,
    rest: VecDeque<Entry>,
    /// An object of which not all chunks are sent; it goes before the rest.
    sending: Option<Sending>,
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
        self.statuses.is_empty() && self.sending.is_none() && self.rest.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The server does not want the rest of the object under way.
    pub(super) fn drop_object(&mut self) {
        self.sending = None;
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
        if let Some(sending) = self.sending.take() {
            self.sending = sending.chunk(encoder, next_id, room, &mut filled);
        }
        let begun = *next_id;
        // Behind a chunk nothing may stand.
        while self.sending.is_none()
            && let Some(mut entry) = self.rest.pop_front()
        {
            set_id(&mut entry.command, *next_id);
            if encoder.push_within(&entry.command, room.message) {
                entry.sent(next_id, &mut filled);
            } else if let Some(half) = entry.split() {
                self.rest.push_front(entry);
                self.rest.push_front(half);
            } else if *next_id > begun {
                self.rest.push_front(entry);
                return filled;
            } else if let Some(data) = entry.take_object().filter(|_| room.chunks) {
                let sending = Sending { entry, data, at: 0 };
                self.sending = sending.chunk(encoder, next_id, room, &mut filled);
            } else {
                filled.too_large.extend(entry.alert);
            }
        }
        filled
    }
}

/// An object that goes in chunks.
#[derive(Debug)]
struct Sending {
    /// The command, with one item without content.
    entry: Entry,
    /// All of the object.
    data: Data<'static>,
    /// Octets of it that are sent.
    at: usize,
}

impl Sending {
    /// Sends as much as there is room for; gives itself back if that is not all.
    fn chunk(
        mut self,
        encoder: &mut Encoder,
        next_id: &mut u32,
        room: Room,
        filled: &mut Filled,
    ) -> Option<Self> {
        set_id(&mut self.entry.command, *next_id);
        let left = self.room_left(encoder, room);
        let fits = room.form.fitting(&self.piece(left), left);
        let whole = self.data_left();
        if fits == whole {
            self.entry.put(self.piece(whole), false);
            if encoder.push_within(&self.entry.command, room.message) {
                self.entry.sent(next_id, filled);
                return None;
            }
        }
        if fits < WORTHY_CHUNK && *next_id > FEW {
            // The next message has more room.
            return Some(self);
        }
        // Markup that is whole is written in another way than chunks of it.
        let length = if fits == whole { whole.div_ceil(2) } else { fits.max(LEAST_CHUNK) };
        let length = if self.entry.is_base64() { length - length % 4 } else { length };
        let chunk = self.piece(length);
        self.at += size(&chunk);
        self.entry.put(chunk, true);
        encoder.push(&self.entry.command);
        self.entry.forget_size();
        *next_id += 1;
        Some(self)
    }

    /// Octets that data may add to the message.
    fn room_left(&mut self, encoder: &mut Encoder, room: Room) -> usize {
        let nothing = match &self.data {
            Data::Text(_) => Data::Text(Cow::Borrowed("")),
            Data::Opaque(_) => Data::Opaque(Cow::Borrowed(&[])),
        };
        self.entry.put(nothing, true);
        let place = encoder.place();
        encoder.push(&self.entry.command);
        let left = room.message.saturating_sub(encoder.length(false));
        encoder.rewind(place);
        left
    }

    fn data_left(&self) -> usize {
        size(&self.data).saturating_sub(self.at)
    }

    /// What comes next, at most so many octets; characters stay whole, and there is one at least.
    fn piece(&self, length: usize) -> Data<'static> {
        match &self.data {
            Data::Text(text) => {
                let rest = text.get(self.at..).unwrap_or_default();
                let ends = rest.char_indices().map(|(at, letter)| at + letter.len_utf8());
                let ends = ends.enumerate().take_while(|(count, end)| *count == 0 || *end <= length);
                let end = ends.last().map_or(0, |(_, end)| end);
                Data::Text(rest.get(..end).unwrap_or_default().to_owned().into())
            }
            Data::Opaque(octets) => {
                let end = self.at.saturating_add(length).min(octets.len());
                Data::Opaque(octets.get(self.at..end).unwrap_or_default().to_vec().into())
            }
        }
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

    /// Makes the one item that of the first chunk of an object, and gives the object; none if there is no such item.
    fn take_object(&mut self) -> Option<Data<'static>> {
        let item = self.item()?;
        let data = item.data.take()?;
        item.meta.size = u64::try_from(size(&data)).ok();
        Some(data)
    }

    /// Puts data into the one item.
    fn put(&mut self, data: Data<'static>, more: bool) {
        if let Some(item) = self.item() {
            item.more = more;
            item.data = Some(data);
        }
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
        no_response: false,
        code: code.number().to_string().into(),
        correlator: None,
        items: Vec::new(),
    })
}
