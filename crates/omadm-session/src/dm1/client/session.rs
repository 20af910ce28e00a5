//! The state machine of a session: messages out, messages in, and effects one at a time.

use std::collections::VecDeque;
use std::mem;

use omadm_codec::dm1::Version;
use omadm_codec::{Leniency, Tolerance};
use omadm_mo::{Actor, Moid, Tree};

use super::auth::{ClientProof, ServerProof};
use super::config::{Account, AlertId, Config, DeviceAlert, Start};
use super::exchange::{
    Cause, Effect, EffectId, EffectResult, Fresh, HttpReply, Input, Note, Outcome, Output, Post,
};
use super::large::Incoming;
use super::line::Line;
use super::outbox::Outbox;
use super::working::Working;
use super::{package, send};

/// How long to wait before a message is sent again, in seconds.
const RETRIES: [u64; 3] = [2, 8, 32];

/// One session.
#[derive(Debug)]
pub struct Session {
    pub(super) config: Config,
    pub(super) account: Account,
    pub(super) actor: Actor,
    /// Versions that were not tried.
    pub(super) versions: VecDeque<Version>,
    pub(super) line: Line,
    pub(super) client: ClientProof,
    pub(super) server: ServerProof,
    /// Alerts that the server has not answered.
    pub(super) alerts: Vec<DeviceAlert>,
    /// `MsgID` and `CmdID` under which they were sent.
    pub(super) alerts_sent: Vec<(u32, u32, AlertId)>,
    pub(super) requested: Vec<Moid>,
    pub(super) outbox: Outbox,
    pub(super) incoming: Incoming,
    /// Alerts that are larger than any message to the server may be.
    pub(super) undeliverable: Vec<AlertId>,
    /// The nonce for the device that came last, from a server that has not proven yet who it is: it is used, and kept only when the
    /// server has (`DM 1.3 SEC §5.4`).
    pub(super) unkept_nonce: Option<Vec<u8>>,
    /// Nonces that are to be kept before the next message.
    pub(super) nonces: Nonces,
    /// Why the host wants the session to end.
    pub(super) abort: Option<String>,
    /// Messages received.
    pub(super) rounds: u32,
    pub(super) commands: u32,
    next_effect: EffectId,
    outputs: VecDeque<Output>,
    state: State,
}

/// Nonces for the account: for the credentials of the device, and of the server.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    pub(super) client: Option<Vec<u8>>,
    pub(super) server: Option<Vec<u8>>,
}

/// ```text
/// Beginning ─▶ Waiting ──message──▶ Working ──all answered──▶ Keeping ──▶ Waiting …
///                 │                    │                         │
///                 └──no answer──▶     Over ◀──nothing to say─────┘
/// ```
#[derive(Debug)]
enum State {
    /// What package 1 shows is brought up to date.
    Beginning(EffectId),
    /// A message is on its way.
    Waiting(Box<Sent>),
    /// A step of the server's message waits for an effect.
    Working(EffectId, Box<Working>),
    /// Nonces are being kept; then this.
    Keeping(EffectId, send::Next),
    /// Nothing more happens.
    Over,
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) post: Post,
    /// How often it was sent again.
    tries: usize,
    /// The session is over with it, whatever the answer.
    pub(super) closing: Option<(Cause, String)>,
}

impl Session {
    /// Prepares package 1.
    #[must_use]
    pub fn start(config: Config, start: Start, tree: &Tree, fresh: Fresh) -> Self {
        let mut session = Self::new(config, start);
        if session.is_allowed(&session.account.uri) {
            session.begin(tree, fresh);
        } else {
            let reason = format!("the address of the account is not https: {}", session.account.uri);
            session.finish(Cause::Device, reason);
        }
        session
    }

    /// Before anything is said.
    pub(super) fn new(config: Config, start: Start) -> Self {
        let Start { account, trigger, versions, alerts, requested } = start;
        let mut versions = VecDeque::from(versions);
        let version = versions.pop_front().unwrap_or(Version::Dm12);
        Self {
            line: Line::new(&config, version, trigger, &account.uri),
            client: ClientProof::new(&account, &config),
            server: ServerProof::new(&account),
            actor: Actor::Server(account.server.clone()),
            versions,
            alerts,
            alerts_sent: Vec::new(),
            requested,
            outbox: Outbox::default(),
            incoming: Incoming::default(),
            undeliverable: Vec::new(),
            unkept_nonce: None,
            nonces: Nonces::default(),
            abort: None,
            rounds: 0,
            commands: 0,
            next_effect: 0,
            outputs: VecDeque::new(),
            state: State::Over,
            config,
            account,
        }
    }

    /// Takes an input. Inputs that do not fit the state are ignored with a note.
    pub fn handle(&mut self, tree: &mut Tree, fresh: Fresh, input: Input) {
        match (input, mem::replace(&mut self.state, State::Over)) {
            (Input::Alert(alert), state) => {
                self.state = state;
                self.raise(alert);
            }
            (Input::Abort { reason }, state) => {
                self.abort.get_or_insert(reason);
                self.state = state;
            }
            (Input::Reply(reply), State::Waiting(sent)) => self.receive(tree, fresh, &reply, *sent),
            (Input::NoReply { reason }, State::Waiting(sent)) => self.send_again(*sent, reason),
            (Input::EffectDone { id, result }, State::Beginning(awaited)) if id == awaited => {
                if let EffectResult::Refused { reason, .. } = result {
                    self.note(Note::Ignored {
                        input: format!("values of package 1 that are not up to date: {reason}"),
                    });
                }
                self.package_one(tree);
                self.send(fresh, send::Answer::none());
            }
            (Input::EffectDone { id, result }, State::Working(awaited, working)) if id == awaited => {
                self.resume(tree, fresh, *working, result);
            }
            (Input::EffectDone { id, result }, State::Keeping(awaited, next)) if id == awaited => {
                self.kept(next, result);
            }
            (input, state) => {
                self.state = state;
                self.note(Note::Ignored { input: unfit(&input).to_owned() });
            }
        }
    }

    /// Call until `None`, carry out what it says, then feed the results.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Begins a session, the first or one in an older version.
    pub(super) fn begin(&mut self, tree: &Tree, fresh: Fresh) {
        let shown = package::shown(tree, &self.requested);
        if shown.is_empty() {
            self.package_one(tree);
            return self.send(fresh, send::Answer::none());
        }
        let id = self.effect(Effect::Refresh(shown));
        self.state = State::Beginning(id);
    }

    /// Puts package 1 into the outbox, in place of what is there.
    pub(super) fn package_one(&mut self, tree: &Tree) {
        self.outbox.clear();
        self.alerts_sent.clear();
        let first = package::First {
            config: &self.config,
            tree,
            actor: &self.actor,
            dialect: self.line.dialect(),
            trigger: self.line.trigger,
            alerts: &self.alerts,
            requested: &self.requested,
        };
        first.write(&mut self.outbox);
    }

    /// An alert that came up during the session.
    fn raise(&mut self, alert: DeviceAlert) {
        if !matches!(self.state, State::Beginning(_)) {
            self.outbox.alert(alert.id, package::write_alert(&alert, self.line.dialect()));
        }
        self.alerts.push(alert);
    }

    /// The same octets once more, after a while.
    fn send_again(&mut self, sent: Sent, reason: String) {
        if let Some((cause, reason)) = sent.closing {
            return self.finish(cause, reason);
        }
        if let Some(reason) = self.abort.take() {
            return self.finish(Cause::Host, reason);
        }
        let Some(seconds) = RETRIES.get(sent.tries) else {
            return self.finish(Cause::NoReply, format!("no answer from {}: {reason}", sent.post.uri));
        };
        let wait = core::time::Duration::from_secs(*seconds);
        let post = Post { wait, ..sent.post };
        self.outputs.push_back(Output::Post(post.clone()));
        self.state = State::Waiting(Box::new(Sent { post, tries: sent.tries + 1, closing: None }));
    }

    /// A message goes out; the session is over with it if it is `closing`.
    pub(super) fn post(&mut self, post: Post, closing: Option<(Cause, String)>) {
        self.outputs.push_back(Output::Post(post.clone()));
        self.state = State::Waiting(Box::new(Sent { post, tries: 0, closing }));
    }

    /// The server's message was answered before: it gets the same octets.
    pub(super) fn repeat(&mut self, sent: Sent) {
        self.note(Note::Repeated);
        let post = Post { wait: core::time::Duration::ZERO, ..sent.post };
        self.post(post, sent.closing);
    }

    pub(super) fn work(&mut self, effect: Effect, working: Working) {
        let id = self.effect(effect);
        self.state = State::Working(id, Box::new(working));
    }

    pub(super) fn keep(&mut self, effect: Effect, next: send::Next) {
        let id = self.effect(effect);
        self.state = State::Keeping(id, next);
    }

    fn effect(&mut self, effect: Effect) -> EffectId {
        let id = self.next_effect;
        self.next_effect = self.next_effect.wrapping_add(1);
        self.outputs.push_back(Output::Effect { id, effect });
        id
    }

    /// The session ends before its time.
    pub(super) fn finish(&mut self, cause: Cause, reason: impl Into<String>) {
        self.state = State::Over;
        self.outputs.push_back(Output::Finished(Outcome::Aborted { cause, reason: reason.into() }));
    }

    /// The session ends as it should.
    pub(super) fn end(&mut self) {
        self.state = State::Over;
        let outcome = Outcome::Ended { commands: self.commands, version: self.line.version };
        self.outputs.push_back(Output::Finished(outcome));
    }

    /// Whether a message may go to an address.
    pub(super) fn is_allowed(&self, uri: &str) -> bool {
        has_scheme(uri, "https://")
            || (self.config.allow_plain_http && has_scheme(uri, "http://"))
            || (self.config.allow_links && is_link(uri))
    }

    pub(super) fn leniency(&self) -> Leniency {
        if self.config.strict { Leniency::strict() } else { Leniency::lenient() }
    }

    pub(super) fn note_tolerated(&mut self, leniency: Leniency) {
        let used: Vec<Tolerance> = leniency.used.into_iter().collect();
        if !used.is_empty() {
            self.note(Note::Tolerated(used));
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        self.outputs.push_back(Output::Note(note));
    }
}

/// Whether an address is that of a local link.
pub(super) fn is_link(uri: &str) -> bool {
    has_scheme(uri, "obex:") || has_scheme(uri, "obex+rfcomm:")
}

fn has_scheme(uri: &str, scheme: &str) -> bool {
    uri.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

fn unfit(input: &Input) -> &'static str {
    match input {
        Input::Reply(HttpReply { .. }) => "an answer nobody waits for",
        Input::NoReply { .. } => "the end of a request nobody waits for",
        Input::EffectDone { .. } => "the end of an effect that is over or never was",
        Input::Alert(_) | Input::Abort { .. } => "nothing",
    }
}
