//! Events that more than one part of the server writes.

use omadm_store::{Command, CommandState, NewEvent};
use serde_json::json;

/// That a command has come to its end.
pub fn end_of(command: &Command, state: CommandState, status: Option<u16>, reason: Option<&str>) -> NewEvent {
    let Command { id, seq, verb, address, .. } = command;
    let body = json!({
        "id": id, "seq": seq, "verb": verb, "address": address, "state": state, "status": status, "reason": reason,
    });
    NewEvent { device: Some(command.device.clone()), kind: "command".into(), body: body.to_string() }
}

/// That a command has ended as it stands.
pub fn ended(command: &Command) -> NewEvent {
    end_of(command, command.state, command.status, command.reason.as_deref())
}
