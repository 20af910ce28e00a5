//! What stands around the answers in the next message: whether those to an Atomic fit into it (`DM 1.3 REPPRO §7.6.3`).

use omadm_codec::dm1::{Command, Encoder, Form, Header, Status};

use super::answer::Answered;

/// A message with nothing in it but what there is in any.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) header: Header<'static>,
    /// The status of the header of the server's message; none where it wants none.
    pub(super) status: Option<Status<'static>>,
    pub(super) form: Form,
    /// Most octets of a message.
    pub(super) limit: usize,
}

impl Frame {
    /// Whether all of these answers fit into one message, with nothing else in it.
    pub(super) fn holds(&self, answered: &[Answered], msg_ref: &str) -> bool {
        let mut encoder = Encoder::new(&self.header, self.form);
        let statuses = answered.iter().flat_map(|answered| answered.clone().into_statuses(msg_ref));
        for (id, status) in (1_u32..).zip(self.status.iter().cloned().chain(statuses)) {
            encoder.push(&Command::Status(Status { id: id.to_string().into(), ..status }));
        }
        encoder.length(true) <= self.limit
    }
}
