//! Messages of the device: header, statuses, and as much of the rest as there is room for (`DM 1.3 PROTO §6, §7`).

use std::borrow::Cow;

use omadm_codec::dm1::{Alert, AlertCode, Command, Encoder, Encoding, Header, Item, Location, Meta, Status};

use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};

use super::auth::{Proven, ServerProof};
use super::exchange::{Cause, Effect, EffectResult, Fresh, Note, Post};
use super::frame::Frame;
use super::large::Broken;
use super::outbox::plain_alert;
use super::session::{Nonces, Session, is_link};

/// Both can be read.
const ACCEPT: &str = "application/vnd.syncml.dm+wbxml, application/vnd.syncml.dm+xml";

/// What the next message has to say beside the outbox.
#[derive(Debug)]
pub(super) struct Answer {
    /// To the header of the server's message; none in the first message.
    header: Option<HeaderAnswer>,
    /// The session is over after it: with Alert 1223, unless the server sent that.
    closing: Option<(Cause, String)>,
}

#[derive(Clone, Debug)]
struct HeaderAnswer {
    msg_ref: String,
    target: String,
    source: String,
    code: u16,
    proven: Proven,
    challenge: Option<Meta<'static>>,
    /// The server wants no status (`NoResp`), and may say so.
    silent: bool,
}

/// What comes after nonces are kept.
#[derive(Debug)]
pub(super) enum Next {
    Send(Box<Answer>),
    End,
    Finish(Cause, String),
}

impl Answer {
    /// To nothing: the first message.
    pub(super) fn none() -> Self {
        Self { header: None, closing: None }
    }

    pub(super) fn to(header: &Header<'_>, proven: Proven) -> Self {
        let header = HeaderAnswer {
            msg_ref: header.message_id.clone().into_owned(),
            target: header.target.uri.clone().into_owned(),
            source: header.source.uri.clone().into_owned(),
            code: proven.status(),
            proven,
            challenge: None,
            silent: header.no_response && proven.is_yes(),
        };
        Self { header: Some(header), closing: None }
    }

    /// The header is not understood, so nothing of the message is.
    pub(super) fn refusing(mut self, code: u16) -> Self {
        if let Some(header) = &mut self.header {
            header.code = code;
            header.silent = false;
        }
        self
    }

    pub(super) fn closing(self, cause: Cause, reason: impl Into<String>) -> Self {
        Self { closing: Some((cause, reason.into())), ..self }
    }

    /// Whether a server that is known wants no status (`NoResp` of the header).
    pub(super) fn is_silent(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.silent)
    }

    pub(super) fn msg_ref(&self) -> &str {
        self.header.as_ref().map_or("", |header| header.msg_ref.as_str())
    }

    fn proven(&self) -> Option<Proven> {
        self.header.as_ref().map(|header| header.proven)
    }
}

impl Session {
    /// All that the server wants is done: an answer, or the end if there is nothing to say.
    pub(super) fn conclude(&mut self, fresh: Fresh, answer: Answer) {
        if let Some((cause, reason)) = answer.closing {
            // By the server: it wants no answer.
            return self.keep_nonces(Next::Finish(cause, reason));
        }
        if let Some(reason) = self.abort.clone() {
            return self.send(fresh, answer.closing(Cause::Host, reason));
        }
        if self.outbox.is_empty() && self.line.answerable {
            return self.keep_nonces(Next::End);
        }
        self.send(fresh, answer);
    }

    /// Sends a message, after what it says of nonces is kept.
    pub(super) fn send(&mut self, fresh: Fresh, mut answer: Answer) {
        let challenge = self.challenge(&answer, fresh);
        if let (Some(header), Some(challenge)) = (&mut answer.header, challenge) {
            self.server.issue(challenge.next_nonce.as_deref());
            self.nonces.server = challenge.next_nonce.as_deref().map(<[u8]>::to_vec);
            header.challenge = Some(challenge);
        }
        self.keep_nonces(Next::Send(Box::new(answer)));
    }

    /// What the status of the header of the server's message asks it for.
    fn challenge(&self, answer: &Answer, fresh: Fresh) -> Option<Meta<'static>> {
        let wanted = answer.proven().filter(|proven| match proven {
            Proven::Yes(_) => ServerProof::uses_up_nonce(*proven),
            Proven::Missing | Proven::Wrong => true,
        });
        wanted.and_then(|proven| self.server.challenge(proven, fresh.nonce))
    }

    /// What the next message is made of beside the answers to commands.
    pub(super) fn frame(&self, answer: &Answer, fresh: Fresh) -> Frame {
        let mut header = self.header();
        header.message_id = self.line.said.saturating_add(1).to_string().into();
        let challenge = self.challenge(answer, fresh);
        let own = answer.header.as_ref().filter(|own| !own.silent || challenge.is_some());
        let status = own.map(|own| HeaderAnswer { challenge, ..own.clone() }.status(1));
        let (form, limit) = (self.line.dialect().form, self.line.room(&self.config, 0).message);
        Frame { header, status, form, limit }
    }

    fn keep_nonces(&mut self, next: Next) {
        let Nonces { client, server } = std::mem::take(&mut self.nonces);
        if client.is_none() && server.is_none() {
            return self.go_on(next);
        }
        self.keep(Effect::KeepNonces { client, server }, next);
    }

    /// Nonces are kept, or cannot be.
    pub(super) fn kept(&mut self, next: Next, result: EffectResult) {
        match result {
            EffectResult::Done => self.go_on(next),
            EffectResult::Refused { reason, .. } => {
                self.finish(Cause::Device, format!("the nonces cannot be kept: {reason}"));
            }
            EffectResult::Accepted | EffectResult::Answered(_) => {
                self.finish(Cause::Device, "keeping the nonces ended as no effect of its kind can");
            }
        }
    }

    fn go_on(&mut self, next: Next) {
        match next {
            Next::Send(answer) => self.compose(*answer),
            Next::End => self.end(),
            Next::Finish(cause, reason) => self.finish(cause, reason),
        }
    }

    fn compose(&mut self, answer: Answer) {
        let Answer { header, closing } = answer;
        self.line.said += 1;
        let form = self.line.dialect().form;
        let mut encoder = Encoder::new(&self.header(), form);
        let mut next_id = 1;
        // A new nonce goes out whatever the server wants.
        if let Some(header) = header.filter(|header| !header.silent || header.challenge.is_some()) {
            encoder.push(&Command::Status(header.status(next_id)));
            next_id += 1;
        }
        let last = match (&closing, self.line.answerable) {
            (Some(_), _) => Some(plain_alert(AlertCode::SessionAbort)),
            (None, false) => Some(plain_alert(AlertCode::NextMessage)),
            (None, true) => None,
        };
        let reserved = last.as_ref().map_or(0, |last| length_of(last, &mut encoder));
        let room = self.line.room(&self.config, reserved);
        let filled = self.outbox.fill(&mut encoder, &mut next_id, room);
        let sent = filled.alerts.into_iter().map(|(command, alert)| (self.line.said, command, alert));
        self.alerts_sent.extend(sent);
        self.undeliverable.extend(filled.too_large);
        // An unfinished package of ours asks for more by itself.
        let complete = closing.is_some() || self.outbox.is_empty();
        self.line.midway = !complete;
        if let Some(last) = last.filter(|_| complete) {
            encoder.push(&numbered(last, next_id));
        }
        let body = encoder.finish(closing.is_some() || (complete && self.line.answerable));
        let post = Post {
            uri: self.line.uri.clone(),
            content_type: match form.encoding() {
                Encoding::Xml => SYNCML_DM_XML,
                Encoding::Wbxml => SYNCML_DM_WBXML,
            },
            accept: ACCEPT,
            hmac: self.client.hmac(&body),
            body: body.into(),
            message_id: self.line.said,
            wait: core::time::Duration::ZERO,
        };
        self.post(post, closing);
    }

    fn header(&self) -> Header<'static> {
        let version = self.line.version;
        let objects = self.config.large_objects.then_some(self.config.max_object);
        Header {
            ver_dtd: version.ver_dtd().into(),
            ver_proto: version.ver_proto().into(),
            session_id: self.line.session_id.clone().into(),
            message_id: self.line.said.to_string().into(),
            target: Location { uri: self.line.uri.clone().into(), name: None },
            source: Location {
                uri: self.config.device_id.as_str().to_owned().into(),
                name: self.client.user().map(|user| Cow::Owned(user.to_owned())),
            },
            resp_uri: None,
            no_response: false,
            credentials: self.client.credentials(),
            meta: Meta {
                max_message_size: Some(self.config.max_message.into()),
                max_object_size: objects.map(u64::from),
                ..Meta::default()
            },
        }
    }

    /// Turns to the address that the server names for what follows, if it is one that the device may use.
    pub(super) fn follow(&mut self, uri: &str) -> Result<(), String> {
        // A local link leads to one place, so an address of HTTP is not meant for it.
        if uri == self.line.uri || is_link(&self.line.uri) {
            return Ok(());
        }
        let downgraded = self.line.uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
            && !uri.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        if downgraded || is_link(uri) || !self.is_allowed(uri) {
            return Err(format!("the server wants to go on at {uri}, which is not as safe"));
        }
        self.note(Note::Continues { uri: uri.to_owned() });
        uri.clone_into(&mut self.line.uri);
        Ok(())
    }
}

impl HeaderAnswer {
    fn status(self, id: u32) -> Status<'static> {
        Status {
            id: id.to_string().into(),
            msg_ref: self.msg_ref.into(),
            cmd_ref: "0".into(),
            cmd: "SyncHdr".into(),
            target_refs: vec![self.target.into()],
            source_refs: vec![self.source.into()],
            credentials: None,
            challenge: self.challenge.map(Box::new),
            code: self.code.to_string().into(),
            code_attributes: Vec::new(),
            items: Vec::new(),
        }
    }
}

/// Alert 1225, about an object that the server did not send to its end.
pub(super) fn no_end_of_data(broken: Broken) -> Command<'static> {
    let Broken { target, source } = broken;
    Command::Alert(Alert {
        id: Cow::Borrowed(""),
        no_response: false,
        code: AlertCode::NoEndOfData.number().to_string().into(),
        correlator: None,
        items: vec![Item {
            target: target.map(Cow::Owned),
            source: source.map(Cow::Owned),
            ..Item::default()
        }],
    })
}

fn numbered(command: Command<'static>, id: u32) -> Command<'static> {
    match command {
        Command::Alert(alert) => Command::Alert(Alert { id: id.to_string().into(), ..alert }),
        other => other,
    }
}

/// Octets that a command adds to a message, with room for the longest `CmdID`.
fn length_of(command: &Command<'static>, encoder: &mut Encoder) -> usize {
    let (place, before) = (encoder.place(), encoder.length(true));
    encoder.push(&numbered(command.clone(), u32::MAX));
    let length = encoder.length(true).saturating_sub(before);
    encoder.rewind(place);
    length
}
