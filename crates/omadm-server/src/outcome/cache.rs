//! Cache validators (`DM 2.0 §11`): what is known is asked for on the condition that it has changed. A validator is kept only as
//! long as the last known tree is for certain what it stands for.

use omadm_codec::dm2::Command;
use omadm_mo::{ClientUri, QueryField};
use omadm_store::{TreeAddress, Validator, ValidatorChange};
use serde_json::json;

use super::{Outcome, Queued};
use crate::address::{Inventory, client_uri};
use crate::operation::Operation;

/// The command with the validators of what it reads, where they are known. An upload of several parts stays as it is: the device
/// would leave out what has not changed.
pub fn conditional(
    operation: &Operation,
    command: Command,
    known: &Inventory,
    validators: &[Validator],
) -> Command {
    let with = |uri: ClientUri| with_validator(uri, known, validators);
    match (operation, command) {
        (Operation::Get { .. }, Command::Get(uri)) => Command::Get(with(uri)),
        (Operation::Upload { .. }, Command::HPut { server, clients }) if clients.len() == 1 => {
            Command::HPut { server, clients: clients.into_iter().map(with).collect() }
        }
        (Operation::Upload { .. }, Command::HPost { server, clients }) if clients.len() == 1 => {
            Command::HPost { server, clients: clients.into_iter().map(with).collect() }
        }
        (_, command) => command,
    }
}

fn with_validator(mut uri: ClientUri, known: &Inventory, validators: &[Validator]) -> ClientUri {
    if validators.is_empty() || uri.query.validator().is_some() || uri.may_hold_secrets() {
        return uri;
    }
    let at = known.place(&uri);
    let kept = at.and_then(|at| {
        validators.iter().find(|validator| validator.moid == at.moid && validator.miid == at.miid)
    });
    uri.query.0.extend(kept.map(|validator| QueryField::Validator(validator.value.clone())));
    uri
}

/// The part of the last known tree that a command reads on the condition that it has changed, if we set the condition.
pub fn cached(queued: &Queued<'_>, known: &Inventory) -> Option<TreeAddress> {
    known.place(condition_of(queued)?)
}

/// What a command reads, if we set a condition.
fn condition_of<'q>(queued: &'q Queued<'_>) -> Option<&'q ClientUri> {
    let conditional = read_by(queued).filter(|uri| uri.query.validator().is_some());
    conditional.filter(|_| !is_operators_own(queued))
}

/// The one address that a command reads.
fn read_by<'q>(queued: &'q Queued<'_>) -> Option<&'q ClientUri> {
    match (&queued.operation, &queued.command) {
        (Ok(Operation::Get { .. }), Ok(Command::Get(uri))) => Some(uri),
        (
            Ok(Operation::Upload { .. }),
            Ok(Command::HPut { clients, .. } | Command::HPost { clients, .. }),
        ) => match clients.as_slice() {
            [uri] => Some(uri),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the operator wrote the condition.
fn is_operators_own(queued: &Queued<'_>) -> bool {
    let written = queued.operation.as_ref().map(Operation::address).unwrap_or_default();
    ClientUri::parse(written).is_ok_and(|uri| uri.query.validator().is_some())
}

impl Outcome<'_> {
    /// What the tree shows of an instance may be another state than that of its validator.
    pub(super) fn doubt(&mut self, uri: &ClientUri) {
        let moid = uri.moid.as_str().to_owned();
        let miid = self.inventory.target(uri).map(|at| at.miid).unwrap_or_default();
        self.drop_validators(moid, miid);
    }

    /// The tree shows all of an instance, as it is with this validator.
    pub(super) fn trust(&mut self, uri: &ClientUri, validator: Option<&str>) {
        let is_whole = uri.path.is_empty() && uri.query.level().is_none() && !uri.may_hold_secrets();
        let (Some(at), Some(value), true) = (self.inventory.place(uri), validator, is_whole) else { return };
        let value = value.to_owned();
        self.validators.push(ValidatorChange::Keep(Validator { moid: at.moid, miid: at.miid, value }));
    }

    /// Whatever came of it, a command that writes may have changed what is below its address, or at these ones.
    pub(super) fn distrust(&mut self, queued: &Queued<'_>, stored_at: &[String]) {
        match &queued.command {
            Ok(
                Command::Delete(uri)
                | Command::Exec { client: uri, .. }
                | Command::HGet { client: Some(uri), .. },
            ) => {
                self.doubt(uri);
            }
            Ok(Command::HGet { client: None, .. }) => {
                let stored: Vec<_> = stored_at.iter().map(|uri| self.inventory.parse(uri)).collect();
                if stored.is_empty() {
                    self.drop_validators(String::new(), String::new());
                }
                for uri in stored.iter().flatten() {
                    self.doubt(uri);
                }
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Beside a session it is not known which validators are kept; in one, a step made from others is refused by the store.
    fn drop_validators(&mut self, moid: String, miid: String) {
        let change = ValidatorChange::Drop { moid, miid };
        let kept_now = self.validators.iter().filter_map(|earlier| match earlier {
            ValidatorChange::Keep(validator) => Some(validator),
            ValidatorChange::Drop { .. } => None,
        });
        let concerned = self.ledger.check().validators.iter().chain(kept_now);
        let is_needed = concerned.into_iter().any(|kept| change.concerns(&kept.moid, &kept.miid));
        if (is_needed || self.ledger.check().session.is_none()) && !self.validators.contains(&change) {
            self.validators.push(change);
        }
    }

    /// Whether the device has not changed what it was asked for, but we do not know it any more.
    pub(super) fn is_outdated(&self, queued: &Queued<'_>) -> bool {
        read_by(queued).is_some()
            && !is_operators_own(queued)
            && self.beside.unchanged.get(&queued.stored.seq).is_none_or(Vec::is_empty)
    }

    /// What is known of what has not changed, in the form of results.
    pub(super) fn unchanged(&mut self, seq: i64) -> Option<Vec<serde_json::Value>> {
        let nodes = self.beside.unchanged.remove(&seq)?;
        let uri = self.queue.get(&seq).and_then(|queued| condition_of(queued))?;
        let depth = uri.query.level().map(|level| uri.path.len() + level as usize);
        let shown = nodes.into_iter().filter_map(|node| {
            let address = client_uri(&node.at)?;
            if depth.is_some_and(|depth| address.path.len() > depth) {
                return None;
            }
            let address = address.to_string();
            Some(match node.value.as_deref().map(serde_json::from_str::<serde_json::Value>) {
                Some(Ok(value)) => json!({ "address": address, "value": value }),
                Some(Err(_)) => return None,
                None => json!({ "address": address, "interior": true }),
            })
        });
        Some(shown.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::SupportedMo;

    const MOID: &str = "urn:x:mo:1.0";

    fn asked(address: &str, clients: usize) -> String {
        let known = Inventory(vec![SupportedMo {
            moid: MOID.into(),
            miids: vec!["a".into()],
            ddf: None,
            roots: Vec::new(),
        }]);
        let validators = [Validator { moid: MOID.into(), miid: "a".into(), value: "v 1".into() }];
        let uri = known.parse(address).unwrap();
        if clients == 0 {
            let operation = Operation::Get { address: address.into() };
            return conditional(&operation, Command::Get(uri), &known, &validators).to_words().join(" ");
        }
        let server = omadm_mo::ServerUri::parse("https://h/x").unwrap();
        let operation = Operation::Upload { addresses: Vec::new(), method: crate::operation::Method::Put };
        let command = Command::HPut { server, clients: vec![uri; clients] };
        conditional(&operation, command, &known, &validators).to_words().join(" ")
    }

    #[test]
    fn what_is_known_is_asked_for_on_condition() {
        assert_eq!(asked("urn:x:mo:1.0/a/", 0), "GET urn:x:mo:1.0/a/?cv=v%201");
        assert_eq!(asked("urn:x:mo:1.0//n/m?lv=1", 0), "GET urn:x:mo:1.0//n/m?lv=1&cv=v%201");
        assert_eq!(asked("urn:x:mo:1.0//", 1), "HPUT https://h/x urn:x:mo:1.0//?cv=v%201");
        for unknown in [
            "urn:x:mo:1.0/b/",
            "urn:x:mo:1.0/*/",
            "urn:x:mo:1.0//*",
            "urn:x:mo:2.0//",
            "urn:x:mo:1.0//?cv=mine",
        ] {
            assert_eq!(asked(unknown, 0), format!("GET {unknown}"));
        }
        assert_eq!(asked("urn:x:mo:1.0//", 2), "HPUT https://h/x urn:x:mo:1.0// urn:x:mo:1.0//");
    }
}
