//! What a message of a device, in whatever protocol, changes: states of commands, the last known tree, events.

use std::collections::{BTreeMap, HashMap};

use omadm_mo::Time;
use omadm_store::{
    CheckIn, Command, CommandState, NewEvent, SessionRow, SessionStep, TraceMessage, Transition, TreeUpdate,
};
use serde_json::json;

use crate::events;

/// Leaves that are facts about a device: how the MOID of their object begins, their path, and their name in the store.
const FACTS: [(&str, &str, &str); 8] = [
    (DEVINFO, "/Man", "manufacturer"),
    (DEVINFO, "/Mod", "model"),
    (DEVINFO, "/FwV", "firmware"),
    (DEVINFO, "/SwV", "software"),
    (DEVINFO, "/HwV", "hardware"),
    (DEVDETAIL, "/FwV", "firmware"),
    (DEVDETAIL, "/SwV", "software"),
    (DEVDETAIL, "/HwV", "hardware"),
];
/// MOID of DevInfo in every version.
const DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:";
/// MOID of DevDetail in every version, which has in DM 1.x what DevInfo has in DM 2.0.
const DEVDETAIL: &str = "urn:oma:mo:oma-dm-devdetail:";

/// Collects the changes of one message.
pub struct Ledger<'c> {
    check: &'c CheckIn,
    commands: HashMap<i64, &'c Command>,
    states: HashMap<i64, CommandState>,
    transitions: Vec<Transition>,
    tree: Vec<TreeUpdate>,
    events: Vec<NewEvent>,
}

impl<'c> Ledger<'c> {
    /// For a device as it was read, and those of its commands that may change.
    pub fn new(check: &'c CheckIn, commands: impl Iterator<Item = &'c Command>) -> Self {
        let commands: HashMap<_, _> = commands.map(|command| (command.seq, command)).collect();
        let states = commands.iter().map(|(seq, command)| (*seq, command.state)).collect();
        Self { check, commands, states, transitions: Vec::new(), tree: Vec::new(), events: Vec::new() }
    }

    /// The device as it was read.
    pub fn check(&self) -> &'c CheckIn {
        self.check
    }

    /// A command by its sequence number.
    pub fn command(&self, seq: i64) -> Option<&'c Command> {
        self.commands.get(&seq).copied()
    }

    /// Ends a command whose time is over.
    pub fn expire(&mut self, command: &Command) {
        let reason = command.why_expired().to_owned();
        self.push(command.seq, CommandState::Expired, None, Some(reason), None);
    }

    /// Notes that a command is sent.
    pub fn send(&mut self, seq: i64) {
        // Sending counts as an attempt only from `queued`.
        if self.states.get(&seq) == Some(&CommandState::Sent) {
            self.push(seq, CommandState::Queued, None, None, None);
        }
        self.push(seq, CommandState::Sent, None, None, None);
    }

    /// Brings a command into a state; one that is not known stays as it is.
    pub fn push(
        &mut self,
        seq: i64,
        to: CommandState,
        status: Option<u16>,
        reason: Option<String>,
        result: Option<String>,
    ) {
        let Some(command) = self.command(seq) else { return };
        let Some(from) = self.states.insert(seq, to) else { return };
        if to.is_final() {
            self.events.push(events::end_of(command, to, status, reason.as_deref()));
        }
        self.transitions.push(Transition { seq, from, to, status, reason, result });
    }

    /// Gives a command up.
    pub fn quarantine(&mut self, command: &Command, reason: &str) {
        tracing::warn!(device = %command.device, command = %command.id, reason, "command quarantined");
        self.push(command.seq, CommandState::Quarantined, None, Some(reason.to_owned()), None);
    }

    /// Tells operators of something about the device.
    pub fn event(&mut self, kind: &str, body: serde_json::Value) {
        let device = Some(self.check.device.id.clone());
        self.events.push(NewEvent { device, kind: kind.to_owned(), body: body.to_string() });
    }

    /// Changes the last known tree.
    pub fn tree(&mut self, update: TreeUpdate) {
        self.tree.push(update);
    }

    /// The number of the session that a message belongs to, and the one that it breaks off by beginning another.
    pub fn session(&mut self, began: bool) -> (i64, Option<i64>) {
        let before = self.check.session.as_ref();
        let number = match before {
            None => 1,
            Some(row) if began => row.session + 1,
            Some(row) => row.session,
        };
        let replaced = before.filter(|row| began && !row.ended).map(|row| row.session);
        if let Some(session) = replaced {
            let why = "the device began a new session before this one had ended";
            self.event("session", json!({ "session": session, "outcome": "replaced", "reason": why }));
        }
        (number, replaced)
    }

    /// The batch without what belongs to a session or a protocol.
    pub fn into_step(self, protocol: &str, now: Time) -> SessionStep {
        let facts = self.facts();
        let same = self.check.device.protocol.as_deref() == Some(protocol);
        let other_protocol = (!same).then(|| protocol.to_owned());
        SessionStep {
            device: self.check.device.id.clone(),
            generation: self.check.device.generation,
            expected_version: None,
            expected_last_seq: None,
            session: None,
            outcome: None,
            replaced: None,
            transitions: self.transitions,
            payloads: Vec::new(),
            tree: self.tree,
            validators: Vec::new(),
            standing: Vec::new(),
            inventory: None,
            facts,
            protocol: other_protocol,
            bearer: None,
            last_contact: self.check.device.last_contact,
            dm1: None,
            model: None,
            profiles: None,
            events: self.events,
            trace: Vec::new(),
            now,
        }
    }

    /// As [`Ledger::into_step`], with the session as it stands after a message.
    pub fn into_session_step(self, protocol: &str, said: Said, now: Time) -> SessionStep {
        let Said { session: (number, replaced), state, digest, reply, ended, trace } = said;
        let before = self.check.session.as_ref();
        let session = SessionRow {
            session: number,
            version: before.map_or(0, |row| row.version),
            state,
            request_digest: digest.to_vec(),
            reply,
            ended,
            updated: now,
        };
        SessionStep {
            expected_version: before.map(|row| row.version),
            outcome: Some(if ended { "ended" } else { "open" }.to_owned()),
            session: Some(session),
            replaced,
            trace,
            ..self.into_step(protocol, now)
        }
    }

    /// Facts about the device as they are after this batch, if it says something about them.
    fn facts(&self) -> Option<String> {
        if self.tree.is_empty() {
            return None;
        }
        let mut facts: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&self.check.device.facts).unwrap_or_default();
        let before = facts.clone();
        for (at, value) in self.tree.iter().flat_map(TreeUpdate::nodes) {
            let fact = FACTS.iter().find(|(moid, path, _)| at.moid.starts_with(moid) && *path == at.path);
            let value = value.as_deref().and_then(|value| serde_json::from_str(value).ok());
            if let (Some((_, _, name)), Some(value)) = (fact, value) {
                facts.insert((*name).to_owned(), value);
            }
        }
        (facts != before).then(|| json!(facts).to_string())
    }
}

/// A message of a session with its answer.
pub struct Said {
    /// As [`Ledger::session`] gave it.
    pub session: (i64, Option<i64>),
    /// State of the engine.
    pub state: Vec<u8>,
    /// Digest of the message.
    pub digest: [u8; 32],
    /// The answer, as it is to be given again.
    pub reply: Vec<u8>,
    /// Whether the session is over.
    pub ended: bool,
    /// Both in the trace.
    pub trace: Vec<TraceMessage>,
}
