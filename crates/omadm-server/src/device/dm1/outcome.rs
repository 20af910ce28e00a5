//! From what the engine says about one message to the batch that the store applies.

use std::collections::BTreeMap;

use omadm_codec::dm1::Version;
use omadm_mo::{Format, Time};
use omadm_session::dm1::server::{
    AlertItem, Answer, CommandResult, Data, End, Node, NodeContent, ReceivedAlert, Step, Task, Verdict,
};
use omadm_store::{CheckIn, CommandState, Payload, SessionStep, TraceMessage, TreeAddress, TreeUpdate};
use serde_json::{Map, Value as Json, json};

use super::known::protocol;
use super::scout::{Hopeless, Queue, Queued};
use super::trace::TOKENS;
use super::upload;
use crate::address;
use crate::device::deliveries::Fate;
use crate::leaf::json_value;
use crate::ledger::{Ledger, Said};
use crate::operation::Operation;
use crate::outcome::upload_view;
use crate::roots::{self, is_path, is_secret};

/// A message and its answer, as they are to be kept.
pub struct Exchange {
    /// Digest of the message.
    pub digest: [u8; 32],
    /// The state of the session after it.
    pub state: Vec<u8>,
    /// The answer as it is given again.
    pub reply: Vec<u8>,
    /// Both in the trace.
    pub trace: [TraceMessage; 2],
    /// Identifier of the notification that the session answers.
    pub answers: Option<u16>,
    /// The version that is spoken.
    pub version: Version,
    /// When it came.
    pub now: Time,
}

/// Nodes at their places in the last known tree, with their values in JSON.
type Placed = Vec<(TreeAddress, Option<String>)>;

/// Builds the batch of one message.
pub struct Outcome<'q, 'c> {
    ledger: Ledger<'c>,
    queue: &'q Queue<'c>,
    asked: &'q Asked,
    payloads: Vec<Payload>,
    notes: Vec<String>,
}

/// The batch of a message that was taken.
pub fn session_step(
    check: &CheckIn,
    queue: &mut Queue<'_>,
    step: Step,
    hopeless: &[Hopeless],
    most_alerts: usize,
    exchange: Exchange,
) -> SessionStep {
    let asked = asked(queue, &step);
    learn(queue, &step, &asked);
    let inventory = queue.roots.inventory(&queue.inventory).filter(|now| now.0 != queue.inventory.0);
    let inventory = inventory.map(|now| json!(now.0).to_string());
    let stored = queue.commands.iter().map(|queued| queued.stored);
    let ledger = Ledger::new(check, stored);
    let outcome = Outcome { ledger, queue, asked: &asked, payloads: Vec::new(), notes: Vec::new() };
    SessionStep { inventory, ..outcome.step(step, hopeless, most_alerts, exchange) }
}

/// How a command came out.
pub fn fate(results: &[CommandResult], seq: i64) -> Option<Fate> {
    let result = results.iter().find(|result| result.seq == seq)?;
    Some(match &result.verdict {
        Verdict::Done(_) => Fate::Done,
        Verdict::Accepted => Fate::Accepted,
        Verdict::Again(_) => Fate::Again,
        Verdict::Failed(status) => {
            Fate::Failed(result.sentence.clone().unwrap_or_else(|| format!("Status {status}.")))
        }
        Verdict::Quarantined(why) => Fate::Failed(why.clone()),
    })
}

/// What the device was asked by the commands that are done, by their sequence numbers.
type Asked = BTreeMap<i64, Task>;

fn asked(queue: &Queue<'_>, step: &Step) -> Asked {
    let done = step.results.iter().filter(|result| matches!(result.verdict, Verdict::Done(_)));
    done.filter_map(|result| Some((result.seq, queue.task(queue.command(result.seq)?).ok()?))).collect()
}

/// Where management objects are has to be known before anything is put into the tree.
fn learn(queue: &mut Queue<'_>, step: &Step, asked: &Asked) {
    queue.learn_of(&step.told, None);
    for result in step.results.iter().filter(|result| matches!(result.verdict, Verdict::Done(_))) {
        let Some(queued) = queue.command(result.seq) else { continue };
        let written = queue.written(queued);
        queue.learn_of(&written, None);
        if let Some(Data::Nodes(nodes)) = &result.data {
            let whole = match asked.get(&result.seq) {
                Some(Task::List { uri, .. }) => Some(uri.as_str()),
                Some(_) | None => None,
            };
            queue.learn_of(nodes, whole);
        }
    }
}

impl Outcome<'_, '_> {
    fn step(
        mut self,
        step: Step,
        hopeless: &[Hopeless],
        most_alerts: usize,
        exchange: Exchange,
    ) -> SessionStep {
        let Exchange { digest, state, reply, trace: [mut received, mut answer], answers, version, now } =
            exchange;
        for queued in self.queue.commands.iter().filter(|queued| queued.is_over(now)) {
            self.ledger.expire(queued.stored);
        }
        for Hopeless { seq, sentence, is_missing } in hopeless {
            self.ledger.push(
                *seq,
                CommandState::Failed,
                is_missing.then_some(404),
                Some(sentence.clone()),
                None,
            );
        }
        for at in &self.queue.gone {
            self.ledger.tree(TreeUpdate::Remove { at: at.clone() });
        }
        self.told(&step.told);
        for result in &step.results {
            self.result(result);
        }
        for seq in step.sends.iter().filter(|seq| self.queue.command(**seq).is_some()) {
            self.ledger.send(*seq);
        }
        let session = self.ledger.session(step.began.is_some());
        if let Some(id) = answers {
            self.ledger.event("notification", json!({ "what": "answered", "id": id, "session": session.0 }));
        }
        self.alerts(&step.alerts, most_alerts, session.0);
        received.notes.extend(step.tolerated.iter().map(|tolerance| format!("tolerated: {tolerance}")));
        received.notes.extend(step.notes);
        received.notes.append(&mut self.notes);
        answer.notes.extend(step.ended.as_ref().map(how_ended));
        let said = Said {
            session,
            state,
            digest,
            reply,
            ended: step.ended.is_some(),
            trace: vec![received, answer],
        };
        let payloads = self.payloads;
        SessionStep { payloads, ..self.ledger.into_session_step(protocol(version), said, now) }
    }

    /// Some leaves of the device, beside which there may be others.
    fn told(&mut self, nodes: &[Node]) {
        let nodes = self.placed(nodes).into_iter().filter(|(_, value)| value.is_some()).collect::<Vec<_>>();
        if !nodes.is_empty() {
            self.ledger.tree(TreeUpdate::Merge { nodes });
        }
    }

    fn result(&mut self, result: &CommandResult) {
        let Some(queued) = self.queue.command(result.seq) else {
            // What the server asked for itself has been learnt from already.
            if result.seq > 0 {
                self.notes
                    .push(format!("command {} is over already; what came for it is not used", result.seq));
            }
            return;
        };
        let told = |sentence: Option<&str>| match (&sentence, &result.detail) {
            (Some(sentence), Some(detail)) => Some(format!("{sentence} The device says: {detail}")),
            (Some(sentence), None) => Some((*sentence).to_owned()),
            (None, detail) => detail.as_ref().map(|detail| format!("The device says: {detail}")),
        };
        let seq = result.seq;
        match &result.verdict {
            Verdict::Done(status) => {
                let brought = self.brought(queued, result);
                self.ledger.push(seq, CommandState::Done, Some(*status), told(None), brought);
            }
            Verdict::Accepted => {
                self.ledger.push(seq, CommandState::Sent, Some(202), told(result.sentence.as_deref()), None);
            }
            Verdict::Failed(status) => {
                if *status == 404 {
                    self.gone(queued);
                }
                let brought = self.reported(result);
                let sentence = told(result.sentence.as_deref());
                self.ledger.push(seq, CommandState::Failed, Some(*status), sentence, brought);
            }
            Verdict::Again(reason) => {
                self.ledger.push(seq, CommandState::Queued, None, told(Some(reason)), None);
            }
            Verdict::Quarantined(reason) => self.ledger.quarantine(queued.stored, reason),
        }
    }

    /// Takes note that there is nothing where a device was to read or delete something.
    fn gone(&mut self, queued: &Queued<'_>) {
        let place = match self.queue.task(queued) {
            Ok(Task::Get { uris }) => match uris.as_slice() {
                // Beside a property that is not there its node may be.
                [uri] if !uri.contains('?') => Some(uri.clone()),
                _ => None,
            },
            Ok(Task::List { uri, .. } | Task::Delete { uri }) => Some(uri),
            Ok(_) | Err(_) => None,
        };
        if let Some(at) = place.and_then(|uri| self.queue.roots.place(&uri)) {
            self.ledger.tree(TreeUpdate::Remove { at });
        }
    }

    /// What comes with a command that failed.
    fn reported(&self, result: &CommandResult) -> Option<String> {
        let brought = match result.data.as_ref()? {
            Data::Reported(alert) => json!({ "alert": alert_view(alert) }),
            Data::Parts(statuses) => json!({ "statuses": statuses }),
            Data::Answer(answer) => json!({ "answer": answer_view(answer) }),
            Data::Nodes(_) => return None,
        };
        Some(brought.to_string())
    }

    /// The result of a command that succeeded (JSON), and what it says about the tree.
    fn brought(&mut self, queued: &Queued<'_>, result: &CommandResult) -> Option<String> {
        let asked = self.asked.get(&result.seq);
        let nodes = match &result.data {
            Some(Data::Nodes(nodes)) => nodes.as_slice(),
            Some(Data::Answer(_) | Data::Parts(_) | Data::Reported(_)) | None => {
                let written = self.queue.written(queued);
                match asked {
                    _ if !written.is_empty() => self.told(&written),
                    Some(task) => self.done(task),
                    None => {}
                }
                return self.reported(result);
            }
        };
        match asked {
            Some(Task::List { uri, .. }) => self.whole(uri, nodes),
            _ => self.read(nodes),
        }
        if let Ok(Operation::Upload { .. }) = &queued.operation {
            return Some(self.uploaded(queued, nodes).to_string());
        }
        let by_path = is_path(&queued.stored.address) || queued.stored.address.is_empty();
        let items: Vec<Json> = nodes.iter().map(|node| self.item(node, by_path)).collect();
        Some(json!({ "items": items }).to_string())
    }

    /// Keeps what a device brought in the Data Repository.
    fn uploaded(&mut self, queued: &Queued<'_>, nodes: &[Node]) -> Json {
        let (content_type, body) = upload::body(nodes);
        let stored = queued.stored;
        let payload = Payload { id: stored.id, device: stored.device.clone(), content_type, body };
        let view = json!({ "upload": upload_view(&payload) });
        self.payloads.push(payload);
        view
    }

    /// What a task has changed in the tree.
    fn done(&mut self, task: &Task) {
        match task {
            Task::Set { uri, content, .. } => {
                let Some(at) = self.queue.roots.place(uri).filter(|_| !is_secret(uri)) else { return };
                let value = (content.format != Format::Node).then(|| json_value(&content.value).to_string());
                // A TNDS document says more than its own place; what it made is read when somebody asks.
                let is_document = content.media_type.as_deref().is_some_and(|kind| kind.contains("dmtnds"));
                if !is_document {
                    self.ledger.tree(TreeUpdate::Merge { nodes: vec![(at, value)] });
                }
            }
            Task::Delete { uri } => {
                if let Some(at) = self.queue.roots.place(uri) {
                    self.ledger.tree(TreeUpdate::Remove { at });
                }
            }
            Task::Atomic(tasks) | Task::Sequence(tasks) => tasks.iter().for_each(|task| self.done(task)),
            Task::Get { .. }
            | Task::List { .. }
            | Task::Exec { .. }
            | Task::Copy { .. }
            | Task::Ask(_)
            | Task::Raw { .. } => {}
        }
    }

    /// Nodes that were read by themselves.
    fn read(&mut self, nodes: &[Node]) {
        let nodes = self.placed(nodes);
        if !nodes.is_empty() {
            self.ledger.tree(TreeUpdate::Merge { nodes });
        }
    }

    /// All that is at and below an address: what was known there and has not come is gone.
    fn whole(&mut self, uri: &str, nodes: &[Node]) {
        let Some(top) = self.queue.roots.place(uri) else { return };
        let mut groups: BTreeMap<(String, String), Placed> = BTreeMap::new();
        groups.entry((top.moid.clone(), top.miid.clone())).or_default();
        for (at, value) in self.placed(nodes) {
            groups.entry((at.moid.clone(), at.miid.clone())).or_default().push((at, value));
        }
        for ((moid, miid), nodes) in groups {
            let is_top = moid == top.moid && miid == top.miid;
            let at = if is_top { top.clone() } else { TreeAddress { moid, miid, path: String::new() } };
            self.ledger.tree(TreeUpdate::Replace { at, nodes });
        }
    }

    /// Nodes at their places, but for secrets: the last known tree is for everyone who looks after devices.
    fn placed(&self, nodes: &[Node]) -> Placed {
        let kept = nodes.iter().filter(|node| !is_secret(&node.uri));
        let placed = kept.filter_map(|node| {
            let value = match &node.content {
                NodeContent::Value(value) => Some(json_value(value).to_string()),
                NodeContent::Children(_) => None,
                NodeContent::Untold if node.format == Format::Node => None,
                // A leaf that says nothing of its value leaves the known one as it is.
                NodeContent::Untold => return None,
            };
            Some((self.queue.roots.place(&node.uri)?, value))
        });
        placed.collect()
    }

    /// A node in the form of results: under the kind of address that the operator used.
    fn item(&self, node: &Node, by_path: bool) -> Json {
        let place = self.queue.roots.place(&node.uri);
        let place = place.filter(|at| !by_path && roots::elsewhere(at).is_none());
        let address = place.as_ref().and_then(address::client_uri).map(|uri| uri.to_string());
        let address = address.unwrap_or_else(|| node.uri.clone());
        match &node.content {
            NodeContent::Value(value) => json!({ "address": address, "value": json_value(value) }),
            NodeContent::Children(_) => json!({ "address": address, "interior": true }),
            NodeContent::Untold if node.format == Format::Node => {
                json!({ "address": address, "interior": true })
            }
            NodeContent::Untold => json!({ "address": address, "value": Json::Null }),
        }
    }

    fn alerts(&mut self, alerts: &[ReceivedAlert], most: usize, session: i64) {
        let items = alerts.iter().flat_map(|alert| alert.items.iter().map(move |item| (alert, item)));
        let views: Vec<_> = items.map(|(alert, item)| item_view(alert, item)).collect();
        let beyond = views.len().saturating_sub(most);
        if beyond > 0 {
            self.notes
                .push(format!("alerts beyond the first {most} were not kept (device.max_alerts): {beyond}"));
        }
        for mut view in views.into_iter().take(most) {
            view.insert("session".to_owned(), json!(session));
            self.ledger.event("alert", view.into());
        }
    }
}

/// Alerts of a report as operators see them, as many as are kept.
pub fn report_views(alerts: &[ReceivedAlert], most: usize) -> Vec<Json> {
    let items = alerts.iter().flat_map(|alert| alert.items.iter().map(move |item| item_view(alert, item)));
    items.take(most).map(Json::from).collect()
}

fn how_ended(end: &End) -> String {
    match end {
        End::Complete => "ends the session".to_owned(),
        End::ByDevice => "the device gave up the session".to_owned(),
        End::ByServer(reason) => format!("gives up the session: {reason}"),
    }
}

fn answer_view(answer: &Answer) -> Json {
    match answer {
        Answer::Shown => json!("shown"),
        Answer::Yes => json!("yes"),
        Answer::No => json!("no"),
        Answer::Text(text) => json!({ "text": text }),
        Answer::Chosen(numbers) => json!({ "chosen": numbers }),
        Answer::Cancelled => json!("cancelled"),
        Answer::TimedOut => json!("timed out"),
    }
}

/// An alert for people and programs: that of its first item, as most have but one.
fn alert_view(alert: &ReceivedAlert) -> Json {
    match alert.items.as_slice() {
        [item] => item_view(alert, item).into(),
        items => items.iter().map(|item| Json::from(item_view(alert, item))).collect(),
    }
}

fn item_view(alert: &ReceivedAlert, item: &AlertItem) -> Map<String, Json> {
    let alert_type = item.alert_type.as_deref().map(str::trim);
    let is_token = alert_type.is_some_and(|kind| TOKENS.contains(&kind));
    let data = item.data.as_ref().map(json_value).filter(|_| !is_token);
    let members = [
        ("code", json!(alert.code.number())),
        ("type", json!(alert_type)),
        ("source", json!(item.source)),
        ("target", json!(item.target)),
        ("mark", json!(item.mark.as_str())),
        ("data_type", json!(item.format)),
        ("data", json!(data)),
        ("correlator", json!(alert.correlator)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
