//! What goes on beside sessions: subscriptions with their reports, defaults, and answers of users.

use omadm_codec::dm2::{Command, MoItem};
use omadm_mo::{ClientUri, Time};
use omadm_session::dm2::server::Verdict;
use omadm_store::{
    CommandId, CommandState, SessionStep, StandingChange, StandingKind, TraceMessage, TreeUpdate,
};
use serde_json::{Value, json};

use super::{Outcome, Queued, leaf_value};
use crate::operation::Operation;

/// A report of changes (`DM 2.0 §5.3.11`).
pub struct Report<'r> {
    /// The subscription, by its command.
    pub subscription: CommandId,
    /// Whether it is known to have begun; the device may report before it has said so.
    pub has_begun: bool,
    /// Its address.
    pub address: &'r str,
    /// Media type of the data.
    pub content_type: &'r str,
    /// The data.
    pub octets: &'r [u8],
    /// The data, if it is MO data.
    pub items: Option<&'r [MoItem]>,
    /// Digest of the data.
    pub digest: Vec<u8>,
}

impl Outcome<'_> {
    /// Notes what the device begins to do, or does no more.
    pub(super) fn stand(&mut self, queued: &Queued<'_>, verdict: &Verdict) {
        let is_done = matches!(verdict, Verdict::Done(_));
        let is_gone = matches!(verdict, Verdict::Failed(404));
        let begin = |kind, target| StandingChange::Begin { kind, target, command: queued.stored.id };
        let end = |kind, target| StandingChange::End { kind, target };
        let change = match (&queued.operation, &queued.command) {
            (Ok(Operation::Subscribe { .. }), Ok(Command::Sub { client, .. })) if is_done => {
                begin(StandingKind::Subscription, client.to_string())
            }
            (Ok(Operation::Default { .. }), Ok(Command::Default { moid, .. })) if is_done => {
                begin(StandingKind::Default, moid.as_str().to_owned())
            }
            // Such as was sent as it is, and names another place.
            (_, Ok(Command::Sub { client, .. })) if is_done => {
                end(StandingKind::Subscription, client.to_string())
            }
            (_, Ok(Command::Default { moid, .. })) if is_done => {
                end(StandingKind::Default, moid.as_str().to_owned())
            }
            (_, Ok(Command::Unsub(client))) if is_done || is_gone => {
                end(StandingKind::Subscription, client.to_string())
            }
            _ => return,
        };
        self.standing.push(change);
    }

    /// The batch for a report. One of nothing says that the node is gone, and with it the subscription.
    pub fn report_step(mut self, report: Report<'_>, trace: Vec<TraceMessage>, now: Time) -> SessionStep {
        let Report { subscription, address, content_type, octets, items, .. } = report;
        let uri = self.inventory.parse(address).ok();
        let mut nodes = 0;
        let is_gone = items.is_some_and(<[MoItem]>::is_empty);
        match (items, uri) {
            (Some([]), Some(uri)) => self.gone(&uri),
            (Some(items), uri) => {
                let partial = uri.is_some_and(|uri| uri.query.level().is_some());
                nodes = self.items(items, partial).len();
            }
            (None, Some(uri)) => {
                self.leaf(&uri, &leaf_value(content_type, octets));
                nodes = 1;
            }
            (None, None) => {}
        }
        if is_gone {
            let target = address.to_owned();
            self.standing.push(StandingChange::End { kind: StandingKind::Subscription, target });
        } else if report.has_begun {
            self.standing.push(StandingChange::Reported { id: subscription, digest: report.digest });
        }
        self.ledger.event(
            "report",
            json!({ "subscription": subscription, "address": address, "nodes": nodes, "gone": is_gone }),
        );
        SessionStep { trace, ..self.step(now) }
    }

    /// Takes note that there is nothing at an address.
    pub(super) fn gone(&mut self, uri: &ClientUri) {
        self.doubt(uri);
        if let Some(at) = self.inventory.target(uri) {
            self.update(at.miid.is_empty(), TreeUpdate::Remove { at });
        }
    }

    /// The batch for the answer that a user gave on a page.
    pub fn answer_step(mut self, queued: &Queued<'_>, answer: &Value, now: Time) -> SessionStep {
        let result = json!({ "answer": answer }).to_string();
        self.ledger.push(queued.stored.seq, CommandState::Done, None, None, Some(result));
        let page = &queued.stored.address;
        self.ledger.event("answer", json!({ "command": queued.stored.id, "page": page, "answer": answer }));
        self.step(now)
    }
}
