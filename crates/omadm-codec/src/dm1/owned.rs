//! Messages that outlive the octets they were read from.

use std::borrow::{Cow, ToOwned};

use super::message::{
    Alert, Command, Container, Credentials, Data, Header, Item, Location, Message, Operation, Results,
    Status, Unknown,
};
use super::meta::Meta;

fn own<T: ToOwned + ?Sized + 'static>(value: Cow<'_, T>) -> Cow<'static, T> {
    Cow::Owned(value.into_owned())
}

fn own_all(values: Vec<Cow<'_, str>>) -> Vec<Cow<'static, str>> {
    values.into_iter().map(own).collect()
}

fn own_items(items: Vec<Item<'_>>) -> Vec<Item<'static>> {
    items.into_iter().map(Item::into_owned).collect()
}

fn own_commands(commands: Vec<Command<'_>>) -> Vec<Command<'static>> {
    commands.into_iter().map(Command::into_owned).collect()
}

impl Message<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        Message {
            header: self.header.into_owned(),
            commands: own_commands(self.commands),
            is_final: self.is_final,
        }
    }
}

impl Header<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Header<'static> {
        Header {
            ver_dtd: own(self.ver_dtd),
            ver_proto: own(self.ver_proto),
            session_id: own(self.session_id),
            message_id: own(self.message_id),
            target: self.target.into_owned(),
            source: self.source.into_owned(),
            resp_uri: self.resp_uri.map(own),
            no_response: self.no_response,
            credentials: self.credentials.map(Credentials::into_owned),
            meta: self.meta.into_owned(),
        }
    }
}

impl Location<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Location<'static> {
        Location { uri: own(self.uri), name: self.name.map(own) }
    }
}

impl Credentials<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Credentials<'static> {
        Credentials { meta: self.meta.into_owned(), data: own(self.data) }
    }
}

impl Command<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Command<'static> {
        match self {
            Self::Status(status) => Command::Status(status.into_owned()),
            Self::Results(results) => Command::Results(results.into_owned()),
            Self::Alert(alert) => Command::Alert(alert.into_owned()),
            Self::Operation(operation) => Command::Operation(operation.into_owned()),
            Self::Container(container) => Command::Container(container.into_owned()),
            Self::Unknown(Unknown { name, id, no_response }) => {
                Command::Unknown(Unknown { name: own(name), id: own(id), no_response })
            }
        }
    }
}

impl Operation<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Operation<'static> {
        Operation {
            kind: self.kind,
            id: own(self.id),
            no_response: self.no_response,
            meta: self.meta.into_owned(),
            correlator: self.correlator.map(own),
            items: own_items(self.items),
        }
    }
}

impl Container<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Container<'static> {
        Container {
            kind: self.kind,
            id: own(self.id),
            no_response: self.no_response,
            meta: self.meta.into_owned(),
            commands: own_commands(self.commands),
        }
    }
}

impl Status<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Status<'static> {
        let attributes = self.code_attributes.into_iter().map(|(name, value)| (own(name), own(value)));
        Status {
            id: own(self.id),
            msg_ref: own(self.msg_ref),
            cmd_ref: own(self.cmd_ref),
            cmd: own(self.cmd),
            target_refs: own_all(self.target_refs),
            source_refs: own_all(self.source_refs),
            credentials: self.credentials.map(|credentials| Box::new(credentials.into_owned())),
            challenge: self.challenge.map(|challenge| Box::new(challenge.into_owned())),
            code: own(self.code),
            code_attributes: attributes.collect(),
            items: own_items(self.items),
        }
    }
}

impl Results<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Results<'static> {
        Results {
            id: own(self.id),
            msg_ref: own(self.msg_ref),
            cmd_ref: own(self.cmd_ref),
            meta: self.meta.into_owned(),
            target_ref: self.target_ref.map(own),
            source_ref: self.source_ref.map(own),
            items: own_items(self.items),
        }
    }
}

impl Alert<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Alert<'static> {
        Alert {
            id: own(self.id),
            no_response: self.no_response,
            code: own(self.code),
            correlator: self.correlator.map(own),
            items: own_items(self.items),
        }
    }
}

impl Item<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Item<'static> {
        Item {
            target: self.target.map(own),
            source: self.source.map(own),
            meta: self.meta.into_owned(),
            data: self.data.map(Data::into_owned),
            more: self.more,
        }
    }
}

impl Data<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Data<'static> {
        match self {
            Self::Text(text) => Data::Text(own(text)),
            Self::Opaque(octets) => Data::Opaque(own(octets)),
        }
    }
}

impl Meta<'_> {
    /// The same, borrowed from nothing.
    #[must_use]
    pub fn into_owned(self) -> Meta<'static> {
        Meta {
            format: self.format.map(own),
            media_type: self.media_type.map(own),
            mark: self.mark,
            size: self.size,
            next_nonce: self.next_nonce.map(own),
            max_message_size: self.max_message_size,
            max_object_size: self.max_object_size,
        }
    }
}
