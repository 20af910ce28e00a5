//! From what the engine says about one message to the batch that the store applies: command states, results, the last known tree,
//! events, the trace.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_codec::dm2::{Alert, Command, MoItem};
use omadm_codec::{Leniency, media_type};
use omadm_mo::{ClientUri, Content, Time};
use omadm_session::dm2::server::{CommandResult, Data, Step, Verdict, flatten};
use omadm_store::{
    CheckIn, CommandId, CommandState, Payload, SessionStep, StandingChange, TraceMessage, TreeNode,
    TreeUpdate, ValidatorChange,
};
use serde_json::json;

use crate::address::{Inventory, SupportedMo};
use crate::context::decode_mo_data;
use crate::leaf::json_value;
use crate::ledger::{Ledger, Said};
use crate::operation::{Operation, Setting};

mod cache;
mod standing;

pub use cache::{cached, conditional};
pub use standing::Report;

/// Name of the protocol in the store.
pub const PROTOCOL: &str = "dm2.0";

/// A queued command with what it means.
pub struct Queued<'c> {
    /// As stored.
    pub stored: &'c omadm_store::Command,
    /// In words of no protocol, or why it cannot be read.
    pub operation: Result<Operation, String>,
    /// As sent, or why it cannot be.
    pub command: Result<Command, String>,
}

/// A received message and the time of it.
pub struct Received {
    /// Its digest.
    pub digest: [u8; 32],
    /// How it goes into the trace.
    pub trace: TraceMessage,
    /// When it came.
    pub now: Time,
}

/// What is read before the batch of a message is built; maps are by the sequence number of a command.
#[derive(Default)]
pub struct Beside {
    /// Payloads of commands that wrote more than a simple value.
    pub payloads: HashMap<i64, Payload>,
    /// The part of the last known tree that a command asked for and that has not changed.
    pub unchanged: HashMap<i64, Vec<TreeNode>>,
    /// NOTIFICATION-ID of the notification that the session answers.
    pub answers: Option<u16>,
}

/// Builds the batch of one message.
pub struct Outcome<'c> {
    ledger: Ledger<'c>,
    queue: HashMap<i64, &'c Queued<'c>>,
    beside: Beside,
    inventory: Inventory,
    validators: Vec<ValidatorChange>,
    standing: Vec<StandingChange>,
    notes: Vec<String>,
}

impl<'c> Outcome<'c> {
    /// For a device as it was read; `inventory` is the newest that is known.
    pub fn new(check: &'c CheckIn, queue: &'c [Queued<'c>], beside: Beside, inventory: Inventory) -> Self {
        Self {
            ledger: Ledger::new(check, queue.iter().map(|queued| queued.stored)),
            queue: queue.iter().map(|queued| (queued.stored.seq, queued)).collect(),
            beside,
            inventory,
            validators: Vec::new(),
            standing: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Ends commands whose time is over.
    pub fn expire(mut self, over: &[&Queued<'_>]) -> Self {
        for queued in over {
            self.ledger.expire(queued.stored);
        }
        self
    }

    /// Ends commands that must not be sent any more: by their sequence numbers, with why.
    pub fn give_up(mut self, never: &[(i64, String)]) -> Self {
        for (seq, why) in never {
            self.ledger.push(*seq, CommandState::Failed, None, Some(why.clone()), None);
        }
        self
    }

    /// The batch for an engine step.
    pub fn session_step(
        mut self,
        step: Step,
        mut received: Received,
        mut reply: TraceMessage,
    ) -> SessionStep {
        for result in &step.results {
            match self.overtaken_by(result, &step.results) {
                Some(newer) => self.supersede(result.seq, newer),
                None => self.result(result),
            }
        }
        for seq in &step.sends {
            self.ledger.send(*seq);
        }
        let session = self.ledger.session(step.began);
        if let Some(id) = self.beside.answers {
            self.ledger.event("notification", json!({ "what": "answered", "id": id, "session": session.0 }));
        }
        for alert in &step.alerts {
            self.alert(alert, session.0);
        }
        received.trace.notes.extend(step.notes);
        received.trace.notes.append(&mut self.notes);
        reply.notes.extend(step.state.ended.then(|| "ends the session".to_owned()));
        let said = Said {
            session,
            // It holds numbers and lists of them, so that it can be written.
            state: serde_json::to_vec(&step.state).unwrap_or_default(),
            digest: received.digest,
            reply: step.reply,
            ended: step.state.ended,
            trace: vec![received.trace, reply],
        };
        SessionStep {
            inventory: step.inventory.map(|mos| inventory_text(&mos)),
            validators: self.validators,
            standing: self.standing,
            ..self.ledger.into_session_step(PROTOCOL, said, received.now)
        }
    }

    /// The batch for an upload that arrived for a command that is not over.
    pub fn upload_step(
        mut self,
        queued: &Queued<'_>,
        items: &[MoItem],
        payload: Payload,
        trace: Vec<TraceMessage>,
        now: Time,
    ) -> SessionStep {
        if let Ok(Operation::Upload { addresses, .. }) = &queued.operation {
            let mut addresses = addresses.iter().filter_map(|address| self.inventory.parse(address).ok());
            let partial = addresses.any(|uri| uri.query.level().is_some());
            self.items(items, partial);
        }
        let result = json!({ "upload": upload_view(&payload) });
        self.ledger.push(queued.stored.seq, queued.stored.state, None, None, Some(result.to_string()));
        SessionStep { payloads: vec![payload], trace, ..self.step(now) }
    }

    /// What every batch has.
    fn step(self, now: Time) -> SessionStep {
        SessionStep {
            validators: self.validators,
            standing: self.standing,
            ..self.ledger.into_step(PROTOCOL, now)
        }
    }

    fn result(&mut self, result: &CommandResult) {
        let Some(queued) = self.queue.get(&result.seq).copied() else {
            self.notes.push(format!("command {} is over already; what came for it is not used", result.seq));
            return;
        };
        let sentence = result.sentence.clone();
        self.distrust(queued, &result.uris);
        self.stand(queued, &result.verdict);
        match &result.verdict {
            Verdict::Done(status) if matches!(queued.operation, Ok(Operation::ShowPage { .. })) => {
                let shown = "The device shows the page; the user has not answered yet.".to_owned();
                self.ledger.push(result.seq, CommandState::Sent, Some(*status), Some(shown), None);
            }
            Verdict::Done(304) if self.is_outdated(queued) => {
                let reason = "The device's data has not changed, but what was known of it here has; it is asked again.";
                self.ledger.push(result.seq, CommandState::Queued, None, Some(reason.to_owned()), None);
            }
            Verdict::Done(status) => {
                let brought = self.brought(queued, result, *status);
                self.ledger.push(result.seq, CommandState::Done, Some(*status), None, brought);
            }
            Verdict::Accepted => self.ledger.push(result.seq, CommandState::Sent, Some(202), sentence, None),
            Verdict::Failed(status) => {
                if let (404, Ok(Command::Get(uri) | Command::Delete(uri))) = (*status, &queued.command) {
                    self.gone(uri);
                }
                let brought =
                    reported(result.data.as_ref()).map(|alert| json!({ "alert": alert }).to_string());
                self.ledger.push(result.seq, CommandState::Failed, Some(*status), sentence, brought);
            }
            Verdict::Again(reason) => {
                self.ledger.push(result.seq, CommandState::Queued, None, Some(reason.clone()), None)
            }
            Verdict::Quarantined(reason) => self.ledger.quarantine(queued.stored, reason),
        }
    }

    /// The newer write that did at once what this one would undo if it ran in the next session.
    fn overtaken_by(&self, result: &CommandResult, all: &[CommandResult]) -> Option<CommandId> {
        let key = self.supersede_key(result.seq).filter(|_| matches!(result.verdict, Verdict::Again(_)))?;
        let newer = all.iter().find(|other| {
            other.seq > result.seq
                && matches!(other.verdict, Verdict::Done(_))
                && self.supersede_key(other.seq).as_ref() == Some(&key)
        })?;
        self.queue.get(&newer.seq).map(|queued| queued.stored.id)
    }

    fn supersede_key(&self, seq: i64) -> Option<String> {
        self.queue.get(&seq)?.operation.as_ref().ok()?.supersede_key()
    }

    fn supersede(&mut self, seq: i64, newer: CommandId) {
        let reason =
            format!("The device was too busy for it, and has carried out the newer command {newer}.");
        self.ledger.push(seq, CommandState::Superseded, Some(503), Some(reason), None);
    }

    fn alert(&mut self, alert: &Alert, session: i64) {
        let mut body = alert_view(alert);
        body.extend([("session".to_owned(), json!(session))]);
        self.ledger.event("alert", body.into());
    }

    /// The result of a command that succeeded (JSON), and what it says about the tree.
    fn brought(&mut self, queued: &Queued<'_>, result: &CommandResult, status: u16) -> Option<String> {
        let mut brought = serde_json::Map::new();
        if !result.uris.is_empty() {
            brought.insert("stored".into(), json!(result.uris));
        }
        if let Some(alert) = reported(result.data.as_ref()) {
            brought.insert("alert".into(), alert);
        }
        if let Some(items) = self.unchanged(result.seq) {
            brought.insert("items".into(), items.into());
        }
        match &queued.command {
            Ok(Command::Get(_)) if status == 304 => {}
            Ok(Command::Get(uri)) => {
                let items = self.read(uri, result.data.as_ref(), status);
                if !items.is_empty() {
                    brought.insert("items".into(), items.into());
                }
            }
            Ok(Command::Delete(uri)) => {
                if let Some(at) = self.inventory.target(uri) {
                    self.update(at.miid.is_empty(), TreeUpdate::Remove { at });
                }
            }
            Ok(Command::HGet { client, .. }) => self.written(queued, client.as_ref(), &result.uris),
            Ok(_) | Err(_) => {}
        }
        // An upload wrote its part of the result when it arrived.
        let earlier = queued.stored.result.as_deref().and_then(|text| serde_json::from_str(text).ok());
        if let Some(serde_json::Value::Object(earlier)) = earlier {
            brought.extend(earlier);
        }
        (!brought.is_empty()).then(|| serde_json::Value::Object(brought).to_string())
    }

    /// Takes what a GET brought into the tree; gives it in the form of results.
    fn read(&mut self, uri: &ClientUri, data: Option<&Data>, status: u16) -> Vec<serde_json::Value> {
        match data {
            Some(Data::Items(items)) => self.items(items, uri.query.level().is_some()),
            Some(Data::Leaf { content_type, body }) => {
                let value = leaf_value(content_type, body);
                self.leaf(uri, &value);
                let address = ClientUri { query: omadm_mo::Query::default(), ..uri.clone() };
                vec![json!({ "address": address.to_string(), "value": value })]
            }
            Some(Data::Reported(_)) | None => {
                // 204: a leaf that holds nothing.
                if status == 204 {
                    self.leaf(uri, &json!(""));
                }
                Vec::new()
            }
        }
    }

    /// Takes MO data into the tree; `partial` when it was read to some depth only.
    fn items(&mut self, items: &[MoItem], partial: bool) -> Vec<serde_json::Value> {
        let mut shown = Vec::new();
        for item in items {
            let uri = match self.inventory.parse(&item.client_uri) {
                Ok(uri) => uri,
                Err(problem) => {
                    self.notes.push(format!("an item of MO data is not used: {problem}"));
                    continue;
                }
            };
            let nodes = flatten(&uri, &item.content);
            shown.extend(nodes.iter().map(|(address, value)| match value {
                Some(value) => json!({ "address": address.to_string(), "value": json_value(value) }),
                None => json!({ "address": address.to_string(), "interior": true }),
            }));
            if self.subtree(&uri, &item.content, partial) && !partial {
                self.trust(&uri, item.cv.as_deref());
            }
        }
        shown
    }

    /// Takes a part of the tree in, but for secrets: the last known tree is for everyone who looks after devices. Says whether it
    /// could be done.
    fn subtree(&mut self, uri: &ClientUri, content: &Content, partial: bool) -> bool {
        let nodes = flatten(uri, content);
        let kept = nodes.iter().filter(|(address, value)| value.is_none() || !address.may_hold_secrets());
        let placed = kept.map(|(address, value)| {
            let value = value.as_ref().map(|value| json_value(value).to_string());
            self.inventory.target(address).map(|at| (at, value))
        });
        let (Some(at), Some(nodes)) = (self.inventory.target(uri), placed.collect::<Option<Vec<_>>>()) else {
            self.notes.push(format!(
                "{uri} does not name one node for certain; the last known tree stays as it is"
            ));
            return false;
        };
        let of_only = at.miid.is_empty();
        let update = if partial { TreeUpdate::Merge { nodes } } else { TreeUpdate::Replace { at, nodes } };
        self.doubt(uri);
        self.update(of_only, update);
        true
    }

    fn update(&mut self, of_only: bool, update: TreeUpdate) {
        self.ledger.tree(if of_only { TreeUpdate::OfOnly(Box::new(update)) } else { update });
    }

    fn leaf(&mut self, uri: &ClientUri, value: &serde_json::Value) {
        if let Some(at) = self.inventory.target(uri).filter(|_| !uri.may_hold_secrets()) {
            let nodes = vec![(at.clone(), Some(value.to_string()))];
            self.doubt(uri);
            self.update(at.miid.is_empty(), TreeUpdate::Replace { at, nodes });
        }
    }

    /// Takes into the tree what the device has fetched from us.
    fn written(&mut self, queued: &Queued<'_>, client: Option<&ClientUri>, stored_at: &[String]) {
        let payload = self.beside.payloads.remove(&queued.stored.seq);
        match (&queued.operation, client, payload) {
            (Ok(Operation::Set { value: Setting::Value(value), .. }), Some(uri), _) => {
                self.leaf(&self.stored_uri(uri, stored_at), value.json());
            }
            (Ok(Operation::Set { value: Setting::Payload, .. }), Some(uri), Some(payload)) => {
                let value = leaf_value(&payload.content_type, &payload.body);
                self.leaf(&self.stored_uri(uri, stored_at), &value);
            }
            (Ok(Operation::SetItems), None, Some(payload)) => {
                let leniency = &mut Leniency::lenient();
                let items = decode_mo_data(&payload.body, payload.body.len(), leniency).unwrap_or_default();
                // The device says where it stored each item, in their order; otherwise the places are not known.
                if items.len() == stored_at.len() {
                    for (item, uri) in items.iter().zip(stored_at) {
                        if let Ok(uri) = self.inventory.parse(uri) {
                            self.subtree(&uri, &item.content, false);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// Where a device stored one thing: it may say so more exactly than the command did.
    fn stored_uri(&self, asked: &ClientUri, stored_at: &[String]) -> ClientUri {
        let told = match stored_at {
            [one] => self.inventory.parse(one).ok(),
            _ => None,
        };
        told.unwrap_or_else(|| asked.clone())
    }
}

/// The alert that came with a result.
fn reported(data: Option<&Data>) -> Option<serde_json::Value> {
    match data {
        Some(Data::Reported(alert)) => Some(alert_view(alert).into()),
        Some(Data::Items(_) | Data::Leaf { .. }) | None => None,
    }
}

/// An alert for people and programs.
fn alert_view(alert: &Alert) -> serde_json::Map<String, serde_json::Value> {
    let data = alert.data.as_ref();
    let members = [
        ("type", json!(alert.alert_type)),
        ("source", json!(alert.source)),
        ("target", json!(alert.target)),
        ("mark", json!(alert.mark.as_str())),
        ("data_type", json!(data.and_then(|data| data.data_type.as_deref()))),
        ("data", json!(data.map(|data| &data.data))),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// An upload in the form of results.
pub fn upload_view(payload: &Payload) -> serde_json::Value {
    json!({ "id": payload.id, "content_type": payload.content_type, "length": payload.body.len() })
}

/// The stored form of an inventory.
pub fn inventory_text(mos: &[omadm_codec::dm2::SupportedMo]) -> String {
    let mos = mos.iter().map(|mo| SupportedMo {
        moid: mo.moid.clone(),
        miids: mo.miids.clone(),
        ddf: Some(mo.ddf.clone()).filter(|link| !link.is_empty()),
        roots: Vec::new(),
    });
    json!(mos.collect::<Vec<_>>()).to_string()
}

/// A leaf's value from its octets: text if the media type says so and it is, else base64.
fn leaf_value(content_type: &str, body: &[u8]) -> serde_json::Value {
    let essence = media_type::MediaType::parse(content_type).map(|parsed| parsed.essence).unwrap_or_default();
    let is_text = essence.starts_with("text/") || essence.ends_with("/xml") || essence.ends_with("/json");
    match std::str::from_utf8(body) {
        Ok(text) if is_text => json!(text),
        _ => json!(STANDARD.encode(body)),
    }
}
