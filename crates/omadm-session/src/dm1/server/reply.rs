//! Writing the answer, within what the device takes.

use std::borrow::Cow;

use omadm_codec::dm1::{
    Alert, AlertCode, Command, Encoder, Encoding, Form, Header, Item, Location, Meta, Status, Version,
};
use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};

use super::auth::{self, Own};
use super::compile::Ids;
use super::message::Incoming;
use super::state::Due;
use super::{Account, Config, Reply};

/// Least `MaxMsgSize` that is believed (our choice: no device works with less).
const LEAST_MESSAGE: u64 = 1024;

/// Octets that an Alert 1222 takes at most, or the status of one.
pub(super) const ALERT: usize = 160;
/// Below this many octets nothing is said that can be left out.
const SMALL: usize = 2048;

/// A message that is being written.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) encoder: Encoder,
    pub(super) ids: Ids,
    /// Most octets.
    pub(super) limit: usize,
    /// Octets with nothing but the status of the header and that of an Alert 1222. 0 of the first message of a session, which says more
    /// of itself than those that follow.
    pub(super) least: usize,
    form: Form,
    own: Own<'a>,
    user: String,
}

/// What the header of an answer says.
pub(super) struct Address<'a> {
    pub(super) session_id: &'a str,
    /// `VerDTD` and `VerProto`.
    pub(super) dialect: (&'a str, &'a str),
    /// `MsgID`.
    pub(super) number: u64,
    /// `MaxMsgSize` of the device.
    pub(super) most: Option<u64>,
    pub(super) resp_uri: Option<&'a str>,
}

impl<'a> Draft<'a> {
    /// Begins an answer with the status of the header.
    pub(super) fn new(
        config: &Config,
        incoming: &Incoming<'_>,
        address: &Address<'_>,
        own: Own<'a>,
        account: Option<&Account>,
        status: (u16, Option<Meta<'static>>),
    ) -> Self {
        let theirs = &incoming.message.header;
        let most = address.most.map_or(u64::MAX, |most| most.max(LEAST_MESSAGE));
        let limit = usize::try_from(most.min(config.max_reply.into())).unwrap_or(usize::MAX);
        let is_small = limit < SMALL;
        let user = account.map(|account| account.server_user.clone()).unwrap_or_default();
        let name = match &own {
            Own::Not => None,
            Own::Cred(_) | Own::Mac { .. } => Some(Cow::Owned(user.clone())),
        };
        let credentials = match &own {
            Own::Cred(credentials) => Some(credentials.clone()),
            Own::Not | Own::Mac { .. } => None,
        };
        let header = Header {
            ver_dtd: address.dialect.0.into(),
            ver_proto: address.dialect.1.into(),
            session_id: address.session_id.into(),
            message_id: address.number.to_string().into(),
            target: Location { uri: theirs.source.uri.as_ref().into(), name: None },
            source: Location { uri: theirs.target.uri.as_ref().into(), name },
            resp_uri: address.resp_uri.map(Cow::Borrowed),
            no_response: false,
            credentials,
            meta: if is_small && address.number > 1 { Meta::default() } else { bounds(config) },
        };
        let (form, encoder) = (incoming.form, Encoder::new(&header, incoming.form));
        let mut draft = Self { encoder, ids: Ids::default(), limit, least: 0, form, own, user };
        let (code, challenge) = status;
        let status = Status {
            id: draft.ids.next_text(),
            msg_ref: theirs.message_id.as_ref().into(),
            cmd_ref: "0".into(),
            cmd: "SyncHdr".into(),
            target_refs: Vec::from_iter((!is_small).then(|| theirs.target.uri.as_ref().into())),
            source_refs: Vec::from_iter((!is_small).then(|| theirs.source.uri.as_ref().into())),
            credentials: None,
            challenge: challenge.map(Box::new),
            code: code.to_string().into(),
            code_attributes: Vec::new(),
            items: Vec::new(),
        };
        // The status of the header goes out whatever the limit.
        draft.encoder.push(&Command::Status(status));
        if address.number > 1 {
            draft.least = draft.encoder.length(true) + ALERT;
        }
        draft
    }

    /// Whether the server proves itself in it, so that the device may not believe it.
    pub(super) fn is_proof(&self) -> bool {
        !matches!(self.own, Own::Not)
    }

    /// Writes statuses as far as there is room, but for so many octets; gives back the others. The first one goes out whatever the limit.
    pub(super) fn statuses(&mut self, due: Vec<Due>, spare: usize) -> Vec<Due> {
        let limit = self.limit.saturating_sub(spare);
        let mut due = due.into_iter().enumerate().peekable();
        while let Some((index, status)) = due.peek() {
            let before = self.ids.clone();
            let command = Command::Status(status_of(status, &mut self.ids));
            if *index == 0 {
                self.encoder.push(&command);
            } else if !self.encoder.push_within(&command, limit) {
                self.ids = before;
                break;
            }
            due.next();
        }
        due.map(|(_, status)| status).collect()
    }

    /// Writes an alert of the session itself, for which room was left.
    pub(super) fn alert(&mut self, code: AlertCode) {
        let alert = alert(code, Vec::new(), &mut self.ids);
        self.encoder.push(&alert);
    }

    /// Writes which objects of the device broke off, by source and target, as far as there is room but for so many octets.
    pub(super) fn broken_off(&mut self, objects: &[(Option<String>, Option<String>)], spare: usize) {
        for (source, target) in objects {
            let own = |uri: &Option<String>| uri.clone().map(Cow::Owned);
            let item = Item { source: own(source), target: own(target), ..Item::default() };
            let before = self.ids.clone();
            let alert = alert(AlertCode::NoEndOfData, vec![item], &mut self.ids);
            if !self.encoder.push_within(&alert, self.limit.saturating_sub(spare)) {
                self.ids = before;
                break;
            }
        }
    }

    /// The message, proven.
    pub(super) fn finish(self, is_final: bool) -> Reply {
        let body = self.encoder.finish(is_final);
        let hmac = match &self.own {
            Own::Mac { keys, scheme, nonce } => auth::hmac(keys, *scheme, &self.user, nonce, &body),
            Own::Not | Own::Cred(_) => None,
        };
        let content_type = match self.form.encoding() {
            Encoding::Xml => SYNCML_DM_XML,
            Encoding::Wbxml => SYNCML_DM_WBXML,
        };
        let credentials = match self.own {
            Own::Cred(credentials) => Some(Box::new(credentials)),
            Own::Not | Own::Mac { .. } => None,
        };
        Reply { body, content_type, hmac, credentials }
    }
}

fn alert<'i>(code: AlertCode, items: Vec<Item<'i>>, ids: &mut Ids) -> Command<'i> {
    let code = code.number().to_string().into();
    Command::Alert(Alert { id: ids.next_text(), no_response: false, code, correlator: None, items })
}

/// What this server takes.
fn bounds(config: &Config) -> Meta<'static> {
    Meta {
        max_message_size: Some(config.max_message.into()),
        max_object_size: Some(config.max_object),
        ..Meta::default()
    }
}

fn status_of<'s>(due: &'s Due, ids: &mut Ids) -> Status<'s> {
    Status {
        id: ids.next_text(),
        msg_ref: due.msg_ref.as_str().into(),
        cmd_ref: due.cmd_ref.as_str().into(),
        cmd: due.cmd.as_str().into(),
        target_refs: Vec::new(),
        source_refs: Vec::new(),
        credentials: None,
        challenge: None,
        code: due.code.to_string().into(),
        code_attributes: Vec::new(),
        items: Vec::new(),
    }
}

/// An answer to a message that is not taken: one status for the header and the same for each command, then the end. `abort` also gives up
/// the session.
pub(super) fn turned_away(
    config: &Config,
    incoming: &Incoming<'_>,
    status: (u16, Option<Meta<'static>>),
    each: bool,
    abort: bool,
) -> Reply {
    let header = &incoming.message.header;
    let known = Version::of(header).is_ok();
    // What is not known is answered in the version most know (our choice).
    let dialect = if known {
        (header.ver_dtd.as_ref(), header.ver_proto.as_ref())
    } else {
        (Version::Dm12.ver_dtd(), Version::Dm12.ver_proto())
    };
    let address = Address {
        session_id: &header.session_id,
        dialect,
        number: incoming.number,
        most: header.meta.max_message_size,
        resp_uri: None,
    };
    let code = status.0;
    let mut draft = Draft::new(config, incoming, &address, Own::Not, None, status);
    if each {
        let due = incoming.message.commands.iter().filter_map(|command| due_for(incoming, command, code));
        // What finds no room is not said: there is no further message for it.
        draft.statuses(due.collect(), ALERT);
    }
    if abort {
        draft.alert(AlertCode::SessionAbort);
    }
    draft.finish(true)
}

fn due_for(incoming: &Incoming<'_>, command: &Command<'_>, code: u16) -> Option<Due> {
    let (id, cmd) = match command {
        Command::Alert(alert) => (&alert.id, "Alert"),
        Command::Operation(operation) => (&operation.id, operation.kind.as_str()),
        Command::Container(container) => (&container.id, container.kind.as_str()),
        Command::Unknown(unknown) => (&unknown.id, unknown.name.as_ref()),
        Command::Results(results) => (&results.id, "Results"),
        Command::Status(_) => return None,
    };
    Some(Due {
        msg_ref: incoming.message.header.message_id.as_ref().to_owned(),
        cmd_ref: id.as_ref().to_owned(),
        cmd: cmd.to_owned(),
        code,
    })
}
