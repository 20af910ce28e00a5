//! The step itself: who sends, what is said, what is to be answered.

use std::collections::BTreeSet;

use omadm_auth::dm1::DEFAULT_NONCE;
use omadm_codec::dm1::{AlertCode, Encoding, Version};
use omadm_codec::{Leniency, Tolerance};
use omadm_mo::Time;

use super::auth::{self, Identified, Identity, Reception, identify, next_nonce};
use super::batch::{Packed, Packer, candidates};
use super::compile::Speech;
use super::hear::{Said, hear};
use super::message::Incoming;
use super::reply::{ALERT, Address, Draft, turned_away};
use super::settle::{Court, Settled, unanswered};
use super::state::{Bounds, Flight, Phase, Progress, Proof, State};
use super::{
    Account, Begun, Capabilities, CommandResult, Config, Data, End, Fresh, Kept, Node, Outcome, Pending,
    Reply, Step, TurnedAway, Verdict, later,
};
use crate::dm1::status::code;

/// Most statuses that may wait for room in a message.
const MAX_DUE: usize = 10_000;
/// Most remarks on one message.
const MAX_NOTES: usize = 100;

/// Whether a message is the one that was answered last, come again: then the stored reply is its answer. The octets of a first message
/// may be those of another session: they count as repeated for [`Config::repeat_window`].
#[must_use]
pub fn repeats(config: &Config, state: &State, incoming: &Incoming<'_>, now: Time) -> bool {
    let window = i64::try_from(config.repeat_window.as_micros()).unwrap_or(i64::MAX);
    state.digest == incoming.digest && (incoming.number > 1 || state.updated().plus_micros(window) > now)
}

/// Takes a message. `account` is `None` if nobody is known by its sender, which is answered like wrong credentials. `queue` holds the open
/// commands of the device, at least those that are `sent`.
///
/// A first message begins a session: commands sent before and never answered count as unanswered ([`Verdict::Again`] or quarantine) and are
/// sent again first. A command that has to wait for another session holds back all behind it: the session ends.
#[must_use]
pub fn step(
    config: &Config,
    state: Option<&State>,
    account: Option<&Account>,
    incoming: &Incoming<'_>,
    queue: &[Pending],
    fresh: &Fresh,
) -> Outcome {
    match take(config, state, account, incoming, queue, fresh) {
        Ok(step) => Outcome::Taken(Box::new(step)),
        Err(away) => Outcome::TurnedAway(away),
    }
}

fn take(
    config: &Config,
    state: Option<&State>,
    account: Option<&Account>,
    incoming: &Incoming<'_>,
    queue: &[Pending],
    fresh: &Fresh,
) -> Result<Step, TurnedAway> {
    spoken(config, incoming)?;
    let open = state.filter(|state| goes_on(config, state, incoming, fresh.now));
    let (account, identified) = match (identify(config, account, open, incoming), account) {
        (Identity::Device(identified), Some(account)) => (account, identified),
        (Identity::Device(_), None) => return Err(nobody(config, incoming)),
        (Identity::Unknown(failure), _) => {
            let abort = failure.challenge.is_none() && incoming.number > u64::from(config.max_challenges) + 1;
            let status = (failure.code, failure.challenge);
            let reply = turned_away(config, incoming, status, true, abort);
            return Err(TurnedAway { reply, reason: failure.reason, bad_credentials: failure.bad });
        }
    };
    let state = match open {
        _ if incoming.begins() => None,
        Some(open) if open.phase == Phase::Aborted || incoming.number < open.heard => {
            return Err(out_of_order(config, incoming));
        }
        Some(open) => Some(open),
        None => return Err(out_of_order(config, incoming)),
    };
    let turn = Turn::new(config, account, incoming, queue, fresh, identified, state);
    if state.is_some_and(|open| open.heard == incoming.number) {
        let reason = "two different messages had the same MsgID".to_owned();
        return Ok(turn.give_up(Said::default(), End::ByServer(reason)));
    }
    Ok(turn.run())
}

/// Whether the version is one that is spoken here (`DM 1.3 REPPRO §7.1`).
fn spoken(config: &Config, incoming: &Incoming<'_>) -> Result<(), TurnedAway> {
    let header = &incoming.message.header;
    let known = Version::of(header).and_then(|version| {
        if config.versions.contains(&version) { Ok(()) } else { Err(code::PROTOCOL_VERSION) }
    });
    known.map_err(|code| {
        let reason = format!("{} with VerDTD {} is not spoken here", header.ver_proto, header.ver_dtd);
        let reply = turned_away(config, incoming, (code, None), false, false);
        TurnedAway { reply, reason, bad_credentials: false }
    })
}

/// Whether a message belongs to a session that is not over for its time.
fn goes_on(config: &Config, state: &State, incoming: &Incoming<'_>, now: Time) -> bool {
    let idle = i64::try_from(config.idle.as_micros()).unwrap_or(i64::MAX);
    state.session_id == incoming.message.header.session_id && state.updated().plus_micros(idle) > now
}

fn nobody(config: &Config, incoming: &Incoming<'_>) -> TurnedAway {
    let reply = turned_away(config, incoming, (code::INVALID_CREDENTIALS, None), true, false);
    TurnedAway { reply, reason: "the sender has no account".into(), bad_credentials: true }
}

fn out_of_order(config: &Config, incoming: &Incoming<'_>) -> TurnedAway {
    let reason = format!("message {} belongs to no open session", incoming.number);
    let reply = turned_away(config, incoming, (code::OK, None), false, true);
    TurnedAway { reply, reason, bad_credentials: false }
}

/// One message in work.
struct Turn<'t> {
    config: &'t Config,
    account: &'t Account,
    incoming: &'t Incoming<'t>,
    queue: &'t [Pending],
    fresh: &'t Fresh,
    identified: Identified,
    state: State,
    began: Option<Begun>,
    capabilities: Capabilities,
    leniency: Leniency,
    notes: Vec<String>,
    results: Vec<CommandResult>,
    told: Vec<Node>,
    /// What strict mode does not let pass.
    fault: Option<&'static str>,
}

impl<'t> Turn<'t> {
    fn new(
        config: &'t Config,
        account: &'t Account,
        incoming: &'t Incoming<'t>,
        queue: &'t [Pending],
        fresh: &'t Fresh,
        identified: Identified,
        open: Option<&State>,
    ) -> Self {
        let mut turn = Self {
            config,
            account,
            incoming,
            queue,
            fresh,
            began: None,
            capabilities: Capabilities {
                windows: account.capabilities.windows || incoming.windows,
                ..account.capabilities
            },
            leniency: incoming.leniency.clone(),
            notes: Vec::new(),
            results: Vec::new(),
            told: Vec::new(),
            fault: None,
            state: open.cloned().unwrap_or_else(|| begin(incoming, &identified)),
            identified,
        };
        if open.is_none() {
            turn.begin();
        }
        turn.advance(open.is_none());
        turn
    }

    /// A new session: what was sent before was not answered.
    fn begin(&mut self) {
        let alert = self.incoming.session_alert();
        if alert.is_none() && !self.leniency.allow(Tolerance::NoStartAlert) {
            self.fault = Some("the session began without Alert 1200 or 1201");
        }
        let lost = self.queue.iter().filter(|pending| pending.sent && !pending.accepted);
        let why = "the session ended before the device answered";
        self.results.extend(unanswered(self.config, lost, why));
        self.began =
            Some(Begun { session_id: self.state.session_id.clone(), alert, version: self.state.version() });
    }

    /// Counts the message.
    fn advance(&mut self, is_first: bool) {
        let incoming = self.incoming;
        let skipped = !is_first && incoming.number > self.state.heard.saturating_add(1);
        if skipped {
            self.notes.push(format!("MsgID went from {} to {}", self.state.heard, incoming.number));
            if !self.leniency.allow(Tolerance::SkippedMsgId) {
                self.fault = Some("a message is missing");
            }
        }
        let octets = u64::try_from(incoming.body.len()).unwrap_or(u64::MAX);
        let meta = &incoming.message.header.meta;
        let state = &mut self.state;
        state.digest = incoming.digest;
        state.heard = incoming.number;
        state.updated = self.fresh.now.0;
        state.messages = state.messages.saturating_add(1);
        state.octets = state.octets.saturating_add(octets);
        state.phase = Phase::Open;
        state.peer.message = meta.max_message_size.or(state.peer.message);
        state.peer.object = meta.max_object_size.filter(|most| *most > 0).or(state.peer.object);
        self.leniency.used.extend(self.identified.tolerated);
    }

    fn run(mut self) -> Step {
        if let Some(reason) = self.fault {
            return self.give_up(Said::default(), End::ByServer(reason.to_owned()));
        }
        let mut said =
            hear(self.config, &mut self.state, &self.incoming.message, &mut self.leniency, &mut self.notes);
        self.told.append(&mut said.told);
        if said.aborted {
            return self.give_up(said, End::ByDevice);
        }
        if let Some(reason) = self.too_much() {
            return self.give_up(said, End::ByServer(reason.into()));
        }
        if let Some(reason) = self.state.stop.take() {
            return self.give_up(said, End::ByServer(reason));
        }
        let reception = match &said.header {
            None => Reception::Taken,
            Some((_, challenge)) if self.began.is_some() => {
                challenge.iter().for_each(|challenge| auth::invited(&mut self.state.server, challenge));
                Reception::Taken
            }
            Some((code, challenge)) => {
                auth::received(self.config, self.account, &mut self.state.server, *code, challenge.as_ref())
            }
        };
        if reception == Reception::Refused {
            return self.give_up(
                said,
                End::ByServer("the device does not take the credentials of the server".into()),
            );
        }
        let refused = |code: u16| code >= 400 && reception == Reception::Taken && self.began.is_none();
        if let Some(code) = said.header.as_ref().map(|(code, _)| *code).filter(|code| refused(*code)) {
            return self.give_up(said, End::ByServer(format!("the device refused the message with {code}")));
        }
        if reception == Reception::Again {
            // What it was told in that message it did not believe either.
            self.state.server.again = true;
            let mut unproven = std::mem::take(&mut self.state.unproven);
            unproven.append(&mut self.state.due);
            self.state.due = unproven;
        }
        if !self.incoming.message.is_final && self.state.is_final {
            return self.next_message(said);
        }
        let not_believed = std::mem::take(&mut self.state.server.again);
        self.answer(said, if not_believed { Reception::Again } else { Reception::Taken })
    }

    fn too_much(&self) -> Option<&'static str> {
        if self.state.messages > self.config.max_messages {
            return Some("the device sends too many messages in one package");
        }
        if self.state.due.len() > MAX_DUE {
            return Some("the device takes too little in a message for the statuses that it is owed");
        }
        (self.state.octets > self.config.max_session).then_some("the device sends too much in one session")
    }

    /// The device goes on in its package (`DM 1.3 PROTO §7.2`): statuses and Alert 1222, nothing else.
    fn next_message(mut self, said: Said) -> Step {
        let (mut draft, kept) = self.draft();
        self.statuses(&mut draft, ALERT);
        draft.broken_off(&said.broken, ALERT);
        draft.alert(AlertCode::NextMessage);
        self.step(draft.finish(false), said, Vec::new(), None, kept)
    }

    /// The device's package is complete, or ours is not: verdicts, then what comes next.
    fn answer(mut self, said: Said, reception: Reception) -> Step {
        if self.incoming.message.is_final {
            self.state.messages = 0;
        }
        let mut open = self.settle(&said, reception);
        later::settle(&said.alerts, self.queue, self.began.is_some(), &mut self.results);
        self.learn();
        let busy = self.began.is_none()
            && self.results.iter().any(|result| matches!(result.verdict, Verdict::Again(_)));
        if !self.state.knows_device && self.incoming.message.is_final {
            self.state.knows_device = true;
            if self.leniency.strict {
                return self.give_up(said, End::ByServer("the session began without DevInfo".into()));
            }
            self.leniency.allow(Tolerance::NoDevInfo);
            open.insert(0, Progress::first(None));
        }
        let (mut draft, kept) = self.draft();
        self.statuses(&mut draft, 0);
        draft.broken_off(&said.broken, 0);
        let packed = match (self.state.due.is_empty(), busy) {
            (true, false) => self.pack(&mut draft, open),
            (true, true) => Packed::default(),
            (false, _) => Packed { open, is_unfinished: true, ..Packed::default() },
        };
        self.results.extend(packed.failed);
        self.state.flights = packed.flights;
        self.state.wrapper = packed.wrapper.map(|id| (self.state.said, id));
        self.state.open = packed.open;
        self.state.is_final = !packed.is_unfinished;
        let is_over = self.state.flights.is_empty() && self.state.is_final;
        let end = is_over.then_some(End::Complete);
        if is_over {
            self.state.phase = Phase::Complete;
            self.state.open.clear();
        }
        let reply = draft.finish(self.state.is_final);
        self.step(reply, said, packed.sends, end, kept)
    }

    /// What the device told of its bounds, asked or unasked.
    fn learn(&mut self) {
        let read = self.results.iter().filter_map(|result| match &result.data {
            Some(Data::Nodes(nodes)) => Some(nodes),
            _ => None,
        });
        [&self.told].into_iter().chain(read).for_each(|nodes| self.capabilities.learn(nodes));
    }

    /// Verdicts on what is out; gives what needs another message.
    fn settle(&mut self, said: &Said, reception: Reception) -> Vec<Progress> {
        let mut open = std::mem::take(&mut self.state.open);
        let flights = std::mem::take(&mut self.state.flights);
        let wrapped = self.state.wrapper.take().is_some();
        let unwrapped =
            reception == Reception::Taken && wrapped && said.wrapper.is_some_and(|code| code >= 400);
        if unwrapped {
            self.capabilities.sequence = Some(false);
        } else if wrapped && said.wrapper.is_some() {
            self.capabilities.sequence = Some(true);
        }
        let mut court = Court {
            config: self.config,
            capabilities: &mut self.capabilities,
            leniency: &mut self.leniency,
            notes: &mut self.notes,
        };
        for mut flight in flights {
            if reception == Reception::Again
                || (said.object_lost && flight.chunk.is_some())
                || (unwrapped && flight.heard.statuses.is_empty())
            {
                let (nodes, ahead) = std::mem::take(&mut flight.walk);
                let sent = if said.object_lost { 0 } else { flight.start };
                open.push(Progress { seq: flight.seq, stage: flight.stage, nodes, ahead, sent });
                continue;
            }
            let Some(seq) = flight.seq else {
                self.told.extend(court.device_info(&flight));
                continue;
            };
            match self.queue.iter().find(|pending| pending.seq == seq) {
                None => court.notes.push(format!("command {seq} was answered, but is no longer queued")),
                Some(pending) => match court.settle(pending, flight) {
                    Settled::Result(result) => self.results.push(result),
                    Settled::Open(progress) => open.push(progress),
                },
            }
        }
        open
    }

    fn pack(&mut self, draft: &mut Draft<'_>, open: Vec<Progress>) -> Packed {
        let speech = Speech {
            version: self.state.version(),
            wbxml: self.incoming.form.encoding() == Encoding::Wbxml,
            windows: self.capabilities.windows,
        };
        let chosen = candidates(self.config, &self.capabilities, speech, open, self.queue, &mut self.results);
        let mut packer = Packer {
            config: self.config,
            capabilities: &self.capabilities,
            form: self.incoming.form,
            speech,
            peer: self.state.peer,
            message: self.state.said,
            limit: draft.limit,
            least: draft.least,
            encoder: &mut draft.encoder,
            ids: &mut draft.ids,
        };
        packer.pack(chosen)
    }

    /// Writes the statuses that are due. Those that the device may not believe are kept, to be said again.
    fn statuses(&mut self, draft: &mut Draft<'_>, spare: usize) {
        let due = std::mem::take(&mut self.state.due);
        self.state.unproven = if draft.is_proof() { due.clone() } else { Vec::new() };
        self.state.due = draft.statuses(due, spare);
        let said = self.state.unproven.len().saturating_sub(self.state.due.len());
        self.state.unproven.truncate(said);
    }

    /// One side gives up (Alert 1223): what the device answered counts, the rest is lost.
    fn give_up(mut self, said: Said, end: End) -> Step {
        let answered = |flight: &Flight| !flight.heard.statuses.is_empty();
        let (heard, lost): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.state.flights).into_iter().partition(answered);
        self.state.flights = heard;
        let open = self.settle(&said, Reception::Taken);
        let lost = lost.iter().map(|flight| flight.seq).chain(open.iter().map(|open| open.seq)).flatten();
        let lost: BTreeSet<i64> = lost.collect();
        let why = match &end {
            End::ByServer(reason) => reason.clone(),
            End::ByDevice | End::Complete => "the device gave up the session".to_owned(),
        };
        let lost = self.queue.iter().filter(|pending| lost.contains(&pending.seq));
        self.results.extend(unanswered(self.config, lost, &why));
        later::settle(&said.alerts, self.queue, self.began.is_some(), &mut self.results);
        let (mut draft, kept) = self.draft();
        // What finds no room is not said any more.
        draft.statuses(std::mem::take(&mut self.state.due), ALERT);
        if end != End::ByDevice {
            draft.alert(AlertCode::SessionAbort);
        }
        self.state.phase = Phase::Aborted;
        self.step(draft.finish(true), said, Vec::new(), Some(end), kept)
    }

    /// Begins the answer. Also says what of the account changes.
    fn draft(&mut self) -> (Draft<'t>, Option<Kept>) {
        let state = &mut self.state;
        state.said = if self.began.is_some() { self.incoming.number } else { state.said.saturating_add(1) };
        let (dtd, proto) = &state.dialect;
        let address = Address {
            session_id: &state.session_id,
            dialect: (dtd, proto),
            number: state.said,
            most: state.peer.message,
            resp_uri: self.account.resp_uri.as_deref(),
        };
        let nonce = self.account.nonce_towards(self.incoming, &self.identified);
        let own = auth::own(self.config, self.account, &state.server, nonce);
        let challenge = next_nonce(&self.identified, self.fresh);
        let issued = challenge.is_some();
        let status = (self.identified.code(), challenge);
        let draft = Draft::new(self.config, self.incoming, &address, own, Some(self.account), status);
        (draft, self.kept(issued))
    }

    fn kept(&self, issued: bool) -> Option<Kept> {
        let account = self.account;
        let mut kept = Kept {
            client_nonce: account.client_nonce.clone(),
            used_nonces: account.used_nonces.clone(),
            server_nonce: account.server_nonce.clone(),
            server_scheme: self.state.server.scheme.or(account.server_scheme),
        };
        if let Some(used) = self.identified.nonce.as_ref().filter(|_| issued) {
            // The default nonce is used again when it is lost again.
            if *used != DEFAULT_NONCE {
                kept.used_nonces.note(used);
            }
            kept.client_nonce = self.fresh.nonce.to_vec();
        }
        if let Some(nonce) = &self.state.server.nonce {
            kept.server_nonce.clone_from(nonce);
        }
        let same = kept.client_nonce == account.client_nonce
            && kept.server_nonce == account.server_nonce
            && kept.server_scheme == account.server_scheme;
        (!same).then_some(kept)
    }

    fn step(self, reply: Reply, said: Said, sends: Vec<i64>, ended: Option<End>, kept: Option<Kept>) -> Step {
        let mut notes = self.notes;
        if notes.len() > MAX_NOTES {
            let beyond = notes.len() - MAX_NOTES;
            notes.truncate(MAX_NOTES);
            notes.push(format!("further remarks were left out: {beyond}"));
        }
        let capabilities = (self.capabilities != self.account.capabilities).then_some(self.capabilities);
        Step {
            reply,
            sends,
            state: self.state,
            began: self.began,
            ended,
            results: self.results,
            told: self.told,
            alerts: said.alerts,
            kept,
            capabilities,
            tolerated: self.leniency.used.into_iter().collect(),
            notes,
        }
    }
}

/// The state of a session that begins with a message.
fn begin(incoming: &Incoming<'_>, identified: &Identified) -> State {
    let header = &incoming.message.header;
    State {
        session_id: header.session_id.as_ref().to_owned(),
        dialect: (header.ver_dtd.as_ref().to_owned(), header.ver_proto.as_ref().to_owned()),
        digest: incoming.digest,
        heard: incoming.number,
        // That of the challenge, if there was one.
        said: incoming.number.saturating_sub(1),
        updated: 0,
        phase: Phase::Open,
        client: identified.client.clone(),
        server: Proof::default(),
        peer: Bounds::default(),
        is_final: true,
        messages: 0,
        octets: 0,
        flights: Vec::new(),
        wrapper: None,
        open: Vec::new(),
        incoming: None,
        due: Vec::new(),
        unproven: Vec::new(),
        stop: None,
        knows_device: false,
    }
}
