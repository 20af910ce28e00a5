//! Objects of a device that come in several messages (`DM 1.3 PROTO §7`).

use omadm_codec::dm1::{Item, Meta};
use omadm_mo::{Format, Value};

use super::hear::Hearing;
use super::state::{Carried, Incomplete, Told};
use crate::dm1::status::code;

/// An item with the command that carries it.
pub(super) struct Object<'i> {
    /// Name of the command.
    pub(super) command: &'i str,
    /// What the command answers.
    pub(super) refs: (String, String),
    pub(super) item: &'i Item<'i>,
    /// `Meta` of the command.
    pub(super) meta: &'i Meta<'i>,
}

/// What became of an item.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is complete; its address is empty if it has none.
    Whole(Told),
    /// The rest is to come.
    Buffered,
    /// It is not taken: a status, and the end of a sentence.
    Faulty(u16, String),
}

impl Hearing<'_> {
    /// Takes an item, or a part of it.
    pub(super) fn object(&mut self, object: &Object<'_>) -> Taken {
        let open = self.state.incoming.take();
        let open = match open {
            Some(open) if continues(&open, object) => {
                self.continued = true;
                Some(open)
            }
            Some(open) => {
                self.state.incoming = Some(open);
                self.break_off();
                None
            }
            None => None,
        };
        let mut open = match open {
            None if !object.item.more => return Taken::Whole(whole(object)),
            None => {
                self.continued = true;
                begin(object)
            }
            Some(open) => added(open, object),
        };
        self.check(&mut open);
        match (&open.refused, object.item.more) {
            (refused, true) => {
                let answer = refused.clone();
                self.state.incoming = Some(open);
                answer.map_or(Taken::Buffered, |(code, reason)| Taken::Faulty(code, reason))
            }
            (Some((code, reason)), false) => Taken::Faulty(*code, reason.clone()),
            (None, false) => complete(open),
        }
    }

    /// Refuses what is too much.
    fn check(&mut self, open: &mut Incomplete) {
        let (most, came) = (self.config.max_object, length(&open.data));
        if open.refused.is_none() && open.size.unwrap_or(came).max(came) > most {
            open.refused = Some((code::TOO_LARGE, format!("it is larger than {most} octets")));
        }
        if open.refused.is_some() {
            open.data = Carried::empty();
        }
    }

    /// Gives up the object that is open: another came before its end.
    pub(super) fn break_off(&mut self) {
        if let Some(open) = self.state.incoming.take().filter(|open| open.refused.is_none()) {
            let about = open.source.as_deref().or(open.target.as_deref()).unwrap_or_default();
            self.notes.push(format!("an object of {} {about} broke off", open.command));
            self.said.broken.push((open.source, open.target));
        }
    }
}

fn continues(open: &Incomplete, object: &Object<'_>) -> bool {
    open.command == object.command
        && open.refs == object.refs
        && open.source.as_deref() == object.item.source.as_deref()
        && open.target.as_deref() == object.item.target.as_deref()
}

/// The item; an event may have no address.
fn whole(object: &Object<'_>) -> Told {
    let item = object.item;
    let uri = item.source.as_deref().or(item.target.as_deref());
    Told::at(uri.unwrap_or_default(), item, object.meta)
}

fn begin(object: &Object<'_>) -> Incomplete {
    let Told { format, media_type, data, .. } = whole(object);
    let own = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
    Incomplete {
        command: object.command.to_owned(),
        refs: object.refs.clone(),
        source: own(&object.item.source),
        target: own(&object.item.target),
        format,
        media_type,
        size: object.item.meta.size.or(object.meta.size),
        data: data.unwrap_or_else(Carried::empty),
        refused: None,
    }
}

/// An object with another part of it. One that was refused may begin anew, which its size tells.
fn added(mut open: Incomplete, object: &Object<'_>) -> Incomplete {
    if open.refused.is_some() && object.item.meta.size.is_some() && object.item.more {
        return begin(object);
    }
    if object.item.data.as_ref().is_some_and(|more| !open.data.push(more)) {
        let reason = "its parts are text and octets by turns".to_owned();
        open.refused = open.refused.or(Some((code::SIZE_MISMATCH, reason)));
    }
    open
}

fn length(data: &Carried) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

/// Checks the size: that of the text, or that of the octets that base64 stands for; the standard does not say which is meant.
fn complete(open: Incomplete) -> Taken {
    let Incomplete { source, target, format, media_type, size, data, .. } = open;
    let decoded = || match &data {
        Carried::Text(text) => match Value::from_text(Format::Bin, text) {
            Ok(Value::Bytes(ref octets)) => u64::try_from(octets.len()).ok(),
            _ => None,
        },
        Carried::Octets(_) => None,
    };
    if size.is_some_and(|size| size != length(&data) && decoded() != Some(size)) {
        let (size, came) = (size.unwrap_or_default(), length(&data));
        return Taken::Faulty(code::SIZE_MISMATCH, format!("{size} octets were announced and {came} came"));
    }
    Taken::Whole(Told { uri: source.or(target).unwrap_or_default(), format, media_type, data: Some(data) })
}
