//! Commands without a session (`DM 1.3 Sessionless Command Message`): a message to be pushed, which nobody answers. Its text was never
//! published, so all but the commands themselves is [choice]: the header is complete and wants no status, the `SessionID` is that of what
//! belongs to no session, and `x-syncml-hmac` proves the server with the nonce that the device gave it last.

use std::borrow::Cow;

use omadm_auth::dm1::{Hash, HmacHeader, Scheme};
use omadm_codec::dm1::{Encoder, Encoding, Form, Header, Location, Meta, OperationKind, Version};

use super::compile::{Ids, Speech, command, name};
use super::state::{Progress, Stage};
use super::{Account, Config, Task, limits};

/// `SessionID` of what belongs to no session [choice].
const NO_SESSION: &str = "0";

/// A message to be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessionless {
    /// Value of `x-syncml-hmac`.
    pub hmac: String,
    /// The message, in WBXML.
    pub body: Vec<u8>,
}

/// Makes the message for a task. `source` is where the device finds the server, `number` its `MsgID`: larger than 0, and the device takes
/// each only once.
///
/// # Errors
/// A sentence that says why the task is for a session, or why nothing can be proved to the device.
pub fn sessionless(
    config: &Config,
    account: &Account,
    source: &str,
    number: u64,
    task: &Task,
) -> Result<Sessionless, String> {
    if !needs_no_answer(task) {
        let name = name(task, Stage::First);
        return Err(format!("{name} wants an answer, and nobody answers a message without a session"));
    }
    if let Some(sentence) = limits::too_long(&account.capabilities, task) {
        return Err(sentence);
    }
    let keys = account.server_keys.as_ref().ok_or("the server has no secret towards the device")?;
    let hash = mac_hash(config, account).ok_or("dm1.schemes has no MAC that proves such a message")?;
    let version = Version::Dm13;
    let speech = Speech { version, wbxml: true, windows: account.capabilities.windows };
    let said = command(task, &Progress::first(None), speech, &mut Ids::default());
    let said = said.map_err(|(_, sentence)| sentence)?;
    let header = Header {
        ver_dtd: version.ver_dtd().into(),
        ver_proto: version.ver_proto().into(),
        session_id: NO_SESSION.into(),
        message_id: number.to_string().into(),
        target: Location { uri: account.device_id.as_str().into(), name: None },
        source: Location { uri: source.into(), name: Some(Cow::Borrowed(&account.server_user)) },
        resp_uri: None,
        no_response: true,
        credentials: None,
        meta: Meta::default(),
    };
    let mut encoder = Encoder::new(&header, Form::for_version(Encoding::Wbxml, version));
    encoder.push(&said);
    let body = encoder.finish(true);
    let mac = keys.mac(hash, &account.server_nonce, &body);
    let hmac = HmacHeader { hash, user: account.server_user.clone(), mac }.to_string();
    Ok(Sessionless { hmac, body })
}

/// The hash that the device wants of the server, else the first one, of those whose MAC may be used.
fn mac_hash(config: &Config, account: &Account) -> Option<Hash> {
    let schemes = account.server_scheme.into_iter().chain(config.schemes.iter().copied());
    schemes.filter_map(Scheme::hash).find(|hash| config.schemes.contains(&Scheme::mac(*hash)))
}

/// Whether all of a task is of use without an answer.
fn needs_no_answer(task: &Task) -> bool {
    match task {
        Task::Set { .. } | Task::Delete { .. } | Task::Exec { .. } | Task::Copy { .. } => true,
        Task::Raw { kind, .. } => *kind != OperationKind::Get,
        Task::Atomic(tasks) | Task::Sequence(tasks) => tasks.iter().all(needs_no_answer),
        Task::Get { .. } | Task::List { .. } | Task::Ask(_) => false,
    }
}
