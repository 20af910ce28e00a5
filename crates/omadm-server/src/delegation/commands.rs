//! What is said to devices, as commands of their queues.

use omadm_mo::{DeviceId, Time};
use omadm_store::NewCommand;
use uuid::Uuid;

use crate::leaf::Body;
use crate::operation::Operation;

/// An operation with what goes along with it.
pub struct Said {
    /// What is asked of the device.
    pub operation: Operation,
    /// What it fetches for it.
    pub body: Option<Body>,
}

impl From<Operation> for Said {
    fn from(operation: Operation) -> Self {
        Self { operation, body: None }
    }
}

impl Said {
    /// The command to queue. Nothing supersedes it.
    pub fn command(self, device: &DeviceId, expires: Time, by: &str) -> NewCommand {
        let Self { operation, body } = self;
        let payload = body.map(|body| body.into_payload(device));
        NewCommand {
            id: Uuid::now_v7(),
            device: device.clone(),
            verb: operation.verb().to_owned(),
            address: operation.address().to_owned(),
            args: operation.args(),
            payload,
            supersede_key: None,
            expires,
            created_by: by.to_owned(),
            origin: None,
        }
    }
}
