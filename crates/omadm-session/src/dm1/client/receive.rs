//! Messages of the server: who sends them, whether they are of this session, and what they say (`DM 1.3 PROTO §6`).

use omadm_codec::dm1::{self, AlertCode, Command, Decoded, Encoding, Header, Message, Meta, Status, Version};
use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};
use omadm_codec::{Leniency, MediaType, Tolerance};
use omadm_mo::Tree;

use super::answer::{Answer as CommandAnswer, Answered, CommandRef};
use super::auth::{Evidence, Proven, Verdict, is_challenge};
use super::exchange::{Cause, Fresh, HttpReply, Note};
use super::plan::{Planner, Step, Work};
use super::send::Answer;
use super::session::{Sent, Session};
use super::working::Working;
use crate::dm1::status::{code, is_success};

/// What the server says to the header of the device's last message.
enum Said<'a> {
    /// Its code, and `Chal`.
    Status(u16, Option<&'a Meta<'a>>),
    /// Nothing.
    Nothing,
}

/// Why a session cannot go on.
type End = (Cause, String);

impl Session {
    /// The answer to the message sent last.
    pub(super) fn receive(&mut self, tree: &mut Tree, fresh: Fresh, reply: &HttpReply, sent: Sent) {
        if let Some((cause, reason)) = sent.closing {
            return self.finish(cause, reason);
        }
        let mut leniency = self.leniency();
        let outcome = match self.read(reply, &mut leniency) {
            Ok(Some(message)) => self.weigh(tree, fresh, reply, message, leniency),
            Ok(None) => return self.repeat(sent),
            Err(end) => Err(end),
        };
        match outcome {
            Ok(()) => {}
            // DM 1.3 HTTP binding: what the server cannot read may be a version that it does not speak.
            Err((cause @ Cause::Http(400 | 415), reason)) if !self.line.accepted => {
                self.fall_back(tree, fresh, cause, reason);
            }
            Err((Cause::Version, reason)) => self.fall_back(tree, fresh, Cause::Version, reason),
            Err((cause, reason)) => self.finish(cause, reason),
        }
    }

    /// A message of this session; none if it is the one that was answered last.
    fn read<'r>(
        &mut self,
        reply: &'r HttpReply,
        leniency: &mut Leniency,
    ) -> Result<Option<Message<'r>>, End> {
        if !(200..300).contains(&reply.status) {
            let reason = format!("{} answered {}", self.line.uri, reply.status);
            return Err((Cause::Http(reply.status), reason));
        }
        let decoded = self.decode(reply, leniency).map_err(|reason| {
            (Cause::Message, format!("{} answered with no message: {reason}", self.line.uri))
        })?;
        let is_new = self.take(&decoded.message.header, leniency)?;
        Ok(is_new.then_some(decoded.message))
    }

    /// Who says it, and whether the session goes on with it.
    fn weigh(
        &mut self,
        tree: &mut Tree,
        fresh: Fresh,
        reply: &HttpReply,
        message: Message<'_>,
        mut leniency: Leniency,
    ) -> Result<(), End> {
        let Message { header, commands, is_final } = message;
        let evidence = Evidence { header: &header, hmac: reply.hmac.as_deref(), body: &reply.body };
        let proven = self.server.check(&evidence, &self.config, &mut leniency);
        self.line.hear_final(is_final);
        let go = self.judge(&commands, &mut leniency)?;
        if let Some(uri) = header.resp_uri.as_deref() {
            self.follow(uri).map_err(|reason| (Cause::Message, reason))?;
        }
        let trusted = proven.is_yes();
        if trusted {
            self.nonces.client = self.unkept_nonce.take().or(self.nonces.client.take());
        }
        if let Some(reason) = self.abort.clone().filter(|_| !trusted || go == Go::BeginAnew) {
            // Who does not know the other yet is told nothing.
            return Err((Cause::Host, reason));
        }
        let answer = Answer::to(&header, proven);
        if go == Go::BeginAnew {
            self.package_one(tree);
            self.line.answerable = true;
        }
        if !trusted {
            self.distrust(&commands, proven, go, answer.msg_ref())?;
        }
        match Version::of(&header) {
            _ if !trusted || go == Go::BeginAnew => self.send(fresh, answer),
            Err(code) => self.send(fresh, answer.refusing(code)),
            Ok(_) => self.carry_out(tree, fresh, commands, answer, leniency),
        }
        Ok(())
    }

    fn decode<'a>(&self, reply: &'a HttpReply, leniency: &mut Leniency) -> Result<Decoded<'a>, String> {
        let encoding = encoding(reply.content_type.as_deref(), &reply.body, leniency)?;
        dm1::decode(&reply.body, encoding, &self.config.limits, leniency).map_err(|error| error.to_string())
    }

    /// Looks at the numbers of a message; `false` if it is the one that was answered last.
    fn take(&mut self, header: &Header<'_>, leniency: &mut Leniency) -> Result<bool, End> {
        if header.session_id != self.line.session_id {
            let reason =
                format!("the answer is of the session {}, not {}", header.session_id, self.line.session_id);
            return Err((Cause::Message, reason));
        }
        let Ok(number) = header.message_id.parse::<u64>() else {
            return Err((Cause::Message, format!("{:?} is no MsgID", header.message_id)));
        };
        self.rounds += 1;
        if self.rounds > self.config.max_rounds {
            let reason = format!("the server does not end the session after {} messages", self.rounds - 1);
            return Err((Cause::Limit, reason));
        }
        match self.line.heard {
            Some(heard) if number == heard => return Ok(false),
            Some(heard) if number < heard => {
                return Err((Cause::Message, format!("the MsgID {number} comes after {heard}")));
            }
            heard
                if heard.unwrap_or(0).checked_add(1) != Some(number)
                    && !leniency.allow(Tolerance::SkippedMsgId) =>
            {
                return Err((Cause::Message, format!("the MsgID {number} leaves numbers out")));
            }
            _ => {}
        }
        self.line.heard = Some(number);
        self.line.learn_sizes(header.meta.max_message_size, header.meta.max_object_size);
        Ok(true)
    }

    /// What the server says to the header of the device's message decides whether the session goes on.
    fn judge(&mut self, commands: &[Command<'_>], leniency: &mut Leniency) -> Result<Go, End> {
        let (status, challenge) = match self.header_status(commands, leniency)? {
            Said::Status(status, challenge) => (status, challenge),
            Said::Nothing => return Ok(Go::On),
        };
        if matches!(status, code::DTD_VERSION | code::PROTOCOL_VERSION) {
            return Err((
                Cause::Version,
                format!("the server does not speak {:?}: status {status}", self.line.version),
            ));
        }
        if status < 200 {
            return Ok(Go::On);
        }
        if !is_success(status) && !is_challenge(status) {
            return Err((Cause::Status(status), format!("the server answered the header with {status}")));
        }
        match self.client.judge(status, challenge, &self.config) {
            Verdict::Accepted { nonce } => {
                self.line.accepted = true;
                self.unkept_nonce = nonce.or(self.unkept_nonce.take());
                Ok(Go::On)
            }
            Verdict::Challenged { nonce } => {
                self.note(Note::Challenged { status });
                self.unkept_nonce = nonce.or(self.unkept_nonce.take());
                Ok(Go::BeginAnew)
            }
            Verdict::Refused { reason } => Err((Cause::ClientCredentials, reason)),
        }
    }

    fn header_status<'m>(
        &self,
        commands: &'m [Command<'_>],
        leniency: &mut Leniency,
    ) -> Result<Said<'m>, End> {
        let statuses = commands.iter().filter_map(|command| match command {
            Command::Status(status) => Some(status),
            _ => None,
        });
        let said = self.line.said.to_string();
        let mut of_header = statuses.filter(|status| {
            let command = status.cmd_ref == "0" || (status.cmd_ref.is_empty() && status.cmd == "SyncHdr");
            command && (status.msg_ref == said || status.msg_ref.is_empty())
        });
        let Some(status) = of_header.next() else {
            if leniency.allow(Tolerance::LooseReference) {
                return Ok(Said::Nothing);
            }
            return Err((Cause::Message, "the server does not say what it thinks of the header".to_owned()));
        };
        let complete = !status.msg_ref.is_empty() && !status.cmd_ref.is_empty();
        if !complete && !leniency.allow(Tolerance::LooseReference) {
            return Err((Cause::Message, "a Status does not say what it answers".to_owned()));
        }
        let code =
            number(status).ok_or_else(|| (Cause::Message, format!("{:?} is no status", status.code)))?;
        Ok(Said::Status(code, status.challenge.as_deref()))
    }

    /// The server has not proven who it is: nothing is carried out, and it is told to.
    fn distrust(
        &mut self,
        commands: &[Command<'_>],
        proven: Proven,
        go: Go,
        msg_ref: &str,
    ) -> Result<(), End> {
        let requests: Vec<CommandRef> = commands.iter().flat_map(requests).collect();
        // With nothing to do and nothing to tell it is not worth a message to ask who the server is (`DM 1.3 PROTO §6.4`).
        let nothing_due = requests.is_empty() && go == Go::On && self.alerts_sent.is_empty();
        if nothing_due || !self.server.may_challenge() {
            let reason = match proven {
                Proven::Wrong => "the credentials of the server are wrong",
                Proven::Missing | Proven::Yes(_) => "the server has not proven who it is",
            };
            return Err((Cause::ServerCredentials, reason.to_owned()));
        }
        for command in requests {
            let refused = Answered::whole(command, CommandAnswer::of(proven.status()));
            self.outbox.answer(refused.into_statuses(msg_ref));
        }
        Ok(())
    }

    pub(super) fn carry_out(
        &mut self,
        tree: &mut Tree,
        fresh: Fresh,
        commands: Vec<Command<'_>>,
        answer: Answer,
        mut leniency: Leniency,
    ) {
        let mut steps = self.answers_to_alerts(&commands);
        self.answers_to_results(&commands);
        if commands.iter().any(|command| is_alert(command, AlertCode::SessionAbort)) {
            self.note_tolerated(leniency);
            let answer = answer.closing(Cause::Server, "the server ends the session (Alert 1223)");
            return self.run(tree, fresh, Working::new(answer, steps, false));
        }
        let planner = Planner::new(&self.config, &self.account.server, &mut self.incoming, &mut leniency);
        let plan = planner.plan(commands, answer.is_silent());
        if plan.no_end_of_data {
            self.outbox.drop_object();
        }
        steps.extend(plan.steps);
        self.note_tolerated(leniency);
        self.line.answerable &= !self.incoming.is_open();
        let cancelled = self.abort.is_some();
        self.run(tree, fresh, Working::new(answer, steps, cancelled));
    }

    /// What the server says to the alerts of the host; those that no message can hold are told as such.
    fn answers_to_alerts(&mut self, commands: &[Command<'_>]) -> Vec<Step> {
        let mut delivered = Vec::new();
        for status in commands.iter().filter_map(as_status) {
            let (message, command) = (status.msg_ref.parse().ok(), status.cmd_ref.parse().ok());
            let place = self
                .alerts_sent
                .iter()
                .position(|(said, id, _)| message == Some(*said) && command == Some(*id));
            let (Some(place), Some(status)) = (place, number(status)) else { continue };
            // Credentials are a matter of the header; the alert goes again with them.
            if is_challenge(status) || status < 200 || status == code::CHUNK_ACCEPTED {
                continue;
            }
            delivered.push((self.alerts_sent.remove(place).2, status));
        }
        delivered.extend(self.undeliverable.drain(..).map(|id| (id, code::TOO_LARGE)));
        self.alerts.retain(|alert| !delivered.iter().any(|(id, _)| *id == alert.id));
        let step = |(id, status)| Step { sequence: None, work: Work::Delivered { id, status } };
        delivered.into_iter().map(step).collect()
    }

    /// A Results that the server refuses is not sent to its end.
    fn answers_to_results(&mut self, commands: &[Command<'_>]) {
        let refused = commands
            .iter()
            .filter_map(as_status)
            .any(|status| status.cmd == "Results" && number(status).is_some_and(|code| !is_success(code)));
        if refused {
            self.outbox.drop_object();
        }
    }

    /// Begins anew in the next older version, or ends.
    fn fall_back(&mut self, tree: &Tree, fresh: Fresh, cause: Cause, reason: String) {
        let Some(version) = self.versions.pop_front().filter(|_| self.abort.is_none()) else {
            return self.finish(cause, reason);
        };
        self.note(Note::FallsBack { to: version });
        self.line = self.line.again(&self.config, version, &self.account.uri);
        self.client.begin_anew();
        self.incoming = Default::default();
        self.begin(tree, fresh);
    }
}

/// What a message of the server means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Go {
    /// It goes on.
    On,
    /// With package 1 and the credentials that the server asks for.
    BeginAnew,
}

/// The encoding of a message: the octets say it, the media type has to be one of DM.
pub(super) fn encoding(
    content_type: Option<&str>,
    body: &[u8],
    leniency: &mut Leniency,
) -> Result<Encoding, String> {
    let named = content_type.and_then(|written| {
        let essence = MediaType::parse(written).ok()?.essence;
        Some(match essence.as_str() {
            SYNCML_DM_XML => Encoding::Xml,
            SYNCML_DM_WBXML => Encoding::Wbxml,
            _ => return None,
        })
    });
    let seen = Encoding::sniff(body).ok_or("it is neither XML nor WBXML")?;
    if named == Some(seen) || leniency.allow(Tolerance::LooseMediaType) {
        return Ok(seen);
    }
    Err(format!("its Content-Type is {content_type:?}"))
}

fn as_status<'m, 'a>(command: &'m Command<'a>) -> Option<&'m Status<'a>> {
    match command {
        Command::Status(status) => Some(status),
        _ => None,
    }
}

/// The code of a Status.
fn number(status: &Status<'_>) -> Option<u16> {
    status.code.trim().parse().ok()
}

fn is_alert(command: &Command<'_>, code: AlertCode) -> bool {
    matches!(command, Command::Alert(alert) if AlertCode::parse(&alert.code) == Some(code))
}

/// A command and those in it, unless it is an answer.
fn requests(command: &Command<'_>) -> Vec<CommandRef> {
    // Who has not proven anything has nothing to say about answers.
    let reference = |id: &str, name: &'static str| CommandRef {
        id: id.to_owned(),
        name: name.into(),
        no_response: false,
    };
    match command {
        Command::Status(_) | Command::Results(_) | Command::Unknown(_) => Vec::new(),
        Command::Alert(alert) => vec![reference(&alert.id, "Alert")],
        Command::Operation(operation) => vec![reference(&operation.id, operation.kind.as_str())],
        Command::Container(container) => {
            let inside = container.commands.iter().flat_map(requests);
            [reference(&container.id, container.kind.as_str())].into_iter().chain(inside).collect()
        }
    }
}
