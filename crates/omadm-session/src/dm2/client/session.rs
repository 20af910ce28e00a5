//! The state machine of a session: packages out, packages in, commands one at a time in order.

use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::vec;

use omadm_codec::dm2::{Alert, CommandEntry, Request, StatusCode, StatusEntry};
use omadm_codec::media_type::{INITIATION_JSON, REQUEST_JSON};
use omadm_codec::{Leniency, Tolerance};
use omadm_mo::{Actor, ServerId, Time, Tree};

use super::accept::Accepts;
use super::commands::{self, Answer, Context, Data, MAX_DATA, Progress, Wait, Yield};
use super::{
    Config, Effect, EffectId, EffectResult, HttpReply, Input, Note, Outcome, Output, Start, package, policy,
    status,
};
use crate::dm2::media::media_type;

/// One session.
pub struct Session {
    config: Config,
    server: ServerId,
    actor: Actor,
    accepts: Accepts,
    /// Where the next package goes.
    uri: String,
    /// Alerts that go into the next package.
    alerts: Vec<Alert>,
    /// Package#2 received so far.
    rounds: u32,
    commands: u32,
    next_effect: EffectId,
    outputs: VecDeque<Output>,
    state: State,
}

/// ```text
/// Waiting ──readable Package#2──▶ Working ──all answered──▶ Waiting
///    │                               │
///    └──HTTP error, no answer──▶ Over ◀──all answered, END──┘
/// ```
enum State {
    /// A package is on its way, these alerts in it.
    Waiting { in_flight: Vec<Alert> },
    /// A command of the batch waits for an effect.
    Working(Box<Working>),
    /// Nothing more happens.
    Over,
}

struct Working {
    batch: Batch,
    id: EffectId,
    command: String,
    wait: Wait,
}

/// The commands of one Package#2, and what they came to so far.
struct Batch {
    entries: vec::IntoIter<CommandEntry>,
    ends: bool,
    statuses: Vec<StatusEntry>,
    parts: Vec<(usize, Data)>,
    data_octets: usize,
    continue_at: Option<String>,
}

impl Session {
    /// Prepares Package#1.
    #[must_use]
    pub fn start(config: Config, start: Start, tree: &Tree) -> Self {
        let mut session = Self {
            config,
            actor: Actor::Server(start.server.clone()),
            server: start.server,
            accepts: Accepts::default(),
            uri: String::new(),
            alerts: start.alerts,
            rounds: 0,
            commands: 0,
            next_effect: 0,
            outputs: VecDeque::new(),
            state: State::Over,
        };
        match policy::expand_text(&session.config, &start.uri) {
            Ok(uri) => {
                session.uri = uri;
                let mos = start.send_mos.then(|| package::supported(&session.server, tree));
                let body = package::initiation(&start.trigger, &session.alerts, mos);
                session.post(INITIATION_JSON.to_owned(), body);
            }
            Err(reason) => session.abort(format!("the session cannot start: {reason}"), None),
        }
        session
    }

    /// Takes an input. `now` becomes the time stamp of changes. Inputs that do not fit the state are ignored with a note.
    pub fn handle(&mut self, tree: &mut Tree, now: Time, input: Input) {
        match (input, mem::replace(&mut self.state, State::Over)) {
            (Input::Alert(alert), state) => {
                self.alerts.push(alert);
                self.state = state;
            }
            (Input::Reply(reply), State::Waiting { in_flight }) => self.receive(tree, now, &reply, in_flight),
            (Input::NoReply { reason }, State::Waiting { in_flight }) => {
                self.keep(in_flight);
                self.abort(format!("no answer from {}: {reason}", self.uri), None);
            }
            (Input::EffectDone { id, result }, State::Working(working)) if working.id == id => {
                self.resume(tree, now, *working, result);
            }
            (input, state) => {
                self.state = state;
                let input = match input {
                    Input::Reply(_) => "an answer nobody waits for",
                    Input::NoReply { .. } => "the end of a request nobody waits for",
                    Input::EffectDone { .. } => "the end of an effect that is over or never was",
                    Input::Alert(_) => "an alert",
                };
                self.note(Note::Ignored { input });
            }
        }
    }

    /// Call until `None`, carry out what it says, then feed the results.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Alerts that no server has taken: those of [`Start::alerts`] and [`Input::Alert`] whose package was not answered with a
    /// readable Package#2. When the session is over they stay with the host, for the next session.
    pub fn undelivered_alerts(&self) -> impl Iterator<Item = &Alert> {
        let in_flight: &[Alert] = match &self.state {
            State::Waiting { in_flight } => in_flight,
            State::Working(_) | State::Over => &[],
        };
        in_flight.iter().chain(&self.alerts)
    }

    fn receive(&mut self, tree: &mut Tree, now: Time, reply: &HttpReply, in_flight: Vec<Alert>) {
        if !(200..300).contains(&reply.status) {
            self.keep(in_flight);
            let reason = format!("{} answered {}", self.uri, reply.status);
            return self.abort(reason, Some(reply.status));
        }
        let request = match self.read(tree, reply) {
            Ok(request) => request,
            Err(reason) => {
                self.keep(in_flight);
                return self.abort(format!("{} answered with no Package#2: {reason}", self.uri), None);
            }
        };
        self.accepts.learn_from_server(reply);
        if self.rounds >= self.config.max_rounds {
            let reason = format!("{} does not end the session after {} packages", self.uri, self.rounds);
            return self.abort(reason, None);
        }
        self.rounds += 1;
        self.run(tree, now, Batch::new(request));
    }

    fn read(&mut self, tree: &Tree, reply: &HttpReply) -> Result<Request, String> {
        let mut leniency = leniency(&self.config);
        let written = reply.content_type.as_deref().ok_or("it has no Content-Type")?;
        let essence = media_type(written)?.essence;
        if essence != REQUEST_JSON {
            return Err(format!("its Content-Type is {essence}"));
        }
        let known = |moid: &str| tree.catalogue().get(moid).is_some();
        let request = Request::decode(&reply.body, &self.config.limits, &mut leniency, &known)
            .map_err(|error| error.to_string())?;
        self.note_tolerated(leniency.used);
        Ok(request)
    }

    fn run(&mut self, tree: &mut Tree, now: Time, mut batch: Batch) {
        while let Some(entry) = batch.entries.next() {
            let command = name_of(&entry).to_owned();
            let progress = self.with_context(tree, now, |context| commands::start(context, entry));
            match progress {
                Progress::Answered(answer) => self.record(&mut batch, command, answer),
                Progress::Waiting(next) => return self.wait(batch, command, *next),
            }
        }
        self.close(batch);
    }

    fn resume(&mut self, tree: &mut Tree, now: Time, working: Working, result: EffectResult) {
        let Working { mut batch, command, wait, id: _ } = working;
        let progress = self.with_context(tree, now, |context| commands::resume(context, wait, result));
        match progress {
            Progress::Answered(answer) => {
                self.record(&mut batch, command, answer);
                self.run(tree, now, batch);
            }
            Progress::Waiting(next) => self.wait(batch, command, *next),
        }
    }

    /// Waits for an effect before the batch goes on.
    fn wait(&mut self, batch: Batch, command: String, (effect, wait): (Effect, Wait)) {
        let id = self.next_effect;
        self.next_effect = self.next_effect.wrapping_add(1);
        self.outputs.push_back(Output::Effect { id, effect });
        self.state = State::Working(Box::new(Working { batch, id, command, wait }));
    }

    fn record(&mut self, batch: &mut Batch, command: String, answer: Answer) {
        let (status, reason) = batch.record(&command, answer);
        self.commands = self.commands.saturating_add(1);
        self.note(Note::Answered { command, status, reason });
    }

    /// All commands of the batch are answered: Package#3, or the end.
    fn close(&mut self, batch: Batch) {
        if batch.ends {
            self.outputs.push_back(Output::Finished(Outcome::Ended { commands: self.commands }));
            return;
        }
        if let Some(uri) = batch.continue_at {
            self.note(Note::Continues { uri: uri.clone() });
            self.uri = uri;
        }
        let (content_type, body) =
            package::response(batch.statuses, self.alerts.clone(), &batch.parts, u64::from(self.rounds));
        self.post(content_type, body);
    }

    /// Sends a package with all pending alerts in it.
    fn post(&mut self, content_type: String, body: Vec<u8>) {
        self.state = State::Waiting { in_flight: mem::take(&mut self.alerts) };
        self.outputs.push_back(Output::Post {
            uri: self.uri.clone(),
            content_type,
            accept: REQUEST_JSON,
            device_id: self.config.device_id.clone(),
            body: body.into(),
        });
    }

    /// Takes back alerts that the server did not take, in front of newer ones.
    fn keep(&mut self, in_flight: Vec<Alert>) {
        self.alerts.splice(..0, in_flight);
    }

    /// Ends the session as `DM 2.0 §5.6` says; the state is `Over` already.
    fn abort(&mut self, reason: String, http_status: Option<u16>) {
        let outcome = Outcome::Aborted { reason, http_status, alerts_delivered: self.rounds > 0 };
        self.outputs.push_back(Output::Finished(outcome));
    }

    fn with_context(
        &mut self,
        tree: &mut Tree,
        now: Time,
        work: impl FnOnce(&mut Context<'_>) -> Progress,
    ) -> Progress {
        let mut context = Context {
            leniency: leniency(&self.config),
            config: &self.config,
            server: &self.server,
            actor: &self.actor,
            accepts: &mut self.accepts,
            tree,
            now,
        };
        let progress = work(&mut context);
        let used = context.leniency.used;
        self.note_tolerated(used);
        progress
    }

    fn note_tolerated(&mut self, used: BTreeSet<Tolerance>) {
        if !used.is_empty() {
            self.note(Note::Tolerated(used.into_iter().collect()));
        }
    }

    fn note(&mut self, note: Note) {
        self.outputs.push_back(Output::Note(note));
    }
}

impl Batch {
    /// END counts wherever it stands (`DM 2.0 §5.3.9`), and gets no status.
    fn new(request: Request) -> Self {
        let mut entries = request.entries;
        let received = entries.len();
        entries.retain(|entry| name_of(entry) != "END");
        Self {
            ends: entries.len() < received,
            statuses: Vec::with_capacity(entries.len()),
            entries: entries.into_iter(),
            parts: Vec::new(),
            data_octets: 0,
            continue_at: None,
        }
    }

    /// Takes an answer in, and gives the status that goes out with its reason for the log.
    fn record(&mut self, command: &str, answer: Answer) -> (StatusCode, Option<String>) {
        let Answer { status, mut reason, yielded } = answer;
        let mut code = status::listed(command, status);
        let mut uris = Vec::new();
        match yielded {
            Yield::Nothing => {}
            Yield::Locations(locations) => uris = locations,
            Yield::Continue(uri) => self.continue_at = Some(uri),
            Yield::Data(data) => {
                let octets = self.data_octets.saturating_add(data.body.len());
                if octets <= MAX_DATA {
                    self.data_octets = octets;
                    self.parts.push((self.statuses.len(), data));
                } else {
                    code = StatusCode::SERVICE_UNAVAILABLE;
                    reason = Some(format!("the package would hold more than {MAX_DATA} octets of data"));
                }
            }
        }
        self.statuses.push(StatusEntry { code, uris });
        (code, reason)
    }
}

fn leniency(config: &Config) -> Leniency {
    if config.strict { Leniency::strict() } else { Leniency::lenient() }
}

fn name_of(entry: &CommandEntry) -> &str {
    match entry {
        CommandEntry::Valid(command) => command.name(),
        CommandEntry::Unknown { name } | CommandEntry::Malformed { name, .. } => name,
    }
}
