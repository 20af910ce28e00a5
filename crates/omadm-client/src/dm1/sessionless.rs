//! Commands without a session (`DM 1.3 Sessionless Command Message`): a message that was pushed is carried out with the rights of its server,
//! and nobody is answered. All but its commands is [choice], and it is off unless the settings say otherwise.
//!
//! A message is carried out once: what is remembered of a server is durable before anything is done, and good as long as the nonce is that
//! the messages were proved with; with another nonce no message of before is proved any more.

use std::collections::BTreeSet;
use std::time::Duration;

use omadm_mo::ServerId;
use omadm_session::dm1::client::{
    Account as EngineAccount, Fresh, Input, Output, Session, Sessionless, UserInteraction,
};
use openssl::sha::sha256;

use super::account::{Account, Accounts as _};
use super::link::Link;
use super::running::Nonces;
use super::session::{SessionReport, engine_config};
use crate::client::{Client, ClientConfig};
use crate::device::Device;
use crate::error::ClientError;
use crate::notification::Ignored;
use crate::persistence::{Batch, Entries};
use crate::push::PushContent;
use crate::transport::Transport;

/// How the keys of the entries begin; the server follows.
const PREFIX: &str = "dm1/sessionless/";
/// Messages of a server that are remembered one by one, because pushes overtake each other; none below them is taken any more.
const REMEMBERED: usize = 64;
/// Octets of the digest of a nonce that are kept.
const TAG: usize = 16;

/// Settings of commands without a session.
#[derive(Clone, Debug)]
pub struct SessionlessConfig {
    /// Servers that are believed who they are where the transport has authenticated the sender, though the message does not prove it.
    /// Default none: whoever may send by such a transport may then do what any of these servers may.
    pub trusted: Vec<ServerId>,
    /// Age by the time of the bearer, where it gives one, at which a message is too old. Default a day.
    pub max_age: Duration,
}

impl Default for SessionlessConfig {
    fn default() -> Self {
        Self { trusted: Vec::new(), max_age: Duration::from_secs(86_400) }
    }
}

/// The server of an entry, if it is one of these.
pub(super) fn server(key: &str) -> Option<&str> {
    key.strip_prefix(PREFIX)
}

fn key(server: &ServerId) -> String {
    format!("{PREFIX}{server}")
}

/// What is remembered of the messages of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Memory {
    /// Of the nonce that they were proved with, in hexadecimal digits.
    tag: String,
    /// This `MsgID` and those below may have been there.
    floor: u64,
    /// Those above that were there, the smallest first.
    seen: BTreeSet<u64>,
}

impl Memory {
    fn of(entries: &Entries, server: &ServerId) -> Self {
        entries.get(&key(server)).and_then(|line| Self::read(line)).unwrap_or_default()
    }

    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let (tag, floor) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
        let seen = fields.map(|number| number.parse().ok()).collect::<Option<_>>()?;
        Some(Self { tag, floor, seen })
    }

    fn write(&self) -> String {
        let seen: String = self.seen.iter().map(|number| format!(" {number}")).collect();
        format!("{} {}{seen}", self.tag, self.floor)
    }

    /// With another message; `None` if it was there, or may have been.
    fn with(self, tag: String, number: u64) -> Option<Self> {
        let mut memory = if self.tag == tag { self } else { Self { tag, ..Self::default() } };
        if number <= memory.floor || !memory.seen.insert(number) {
            return None;
        }
        if memory.seen.len() > REMEMBERED {
            memory.floor = memory.seen.pop_first().unwrap_or(number);
        }
        Some(memory)
    }
}

impl<T: Transport> Client<T> {
    /// Carries out a message of DM 1.3 that came as a push, with the rights of the server that it is proved to be from. The report says what
    /// became of its commands; nobody else is told.
    ///
    /// # Errors
    /// Why it is ignored.
    pub fn carry_out_dm1(&mut self, content: &PushContent) -> Result<SessionReport, Ignored> {
        let settings = self.config.dm1.sessionless.as_ref().ok_or(Ignored::Sessionless)?;
        let now = (self.device.config.clock)();
        let age = content.via.sent.map(|sent| super::notified::age(sent, now));
        if let Some(age) = age.filter(|age| *age >= settings.max_age) {
            return Err(Ignored::TooOld { seconds: age.as_secs() });
        }
        let failed = |error| Ignored::NotCarriedOut(Box::new(error));
        let fresh = Nonces::default().fresh(&self.device).map_err(failed)?;
        let (server, session) = begin(&self.config, settings, &mut self.device, content, fresh)?;
        let report = self.device.finish_sessionless(&server, session, fresh).map_err(failed)?;
        self.device.tidy();
        Ok(report)
    }
}

/// Finds out who sends a message, remembers that it was there, and begins to carry it out.
fn begin(
    config: &ClientConfig,
    settings: &SessionlessConfig,
    device: &mut Device,
    content: &PushContent,
    fresh: Fresh,
) -> Result<(ServerId, Session), Ignored> {
    let device_id = device.dm1_device_id().ok_or(Ignored::Nameless)?;
    let engine = engine_config(config, device, &device_id, &Link::default(), UserInteraction::NONE);
    let mut message = Sessionless::read(&engine, &content.content_type, &content.body)?;
    let is_sender = |account: &EngineAccount| match &content.hmac {
        Some(hmac) => message.is_proved(&engine, account, hmac),
        None => {
            content.via.authenticated && settings.trusted.contains(&account.server) && message.names(account)
        }
    };
    let account = device.dm1_engine_accounts().find(is_sender).ok_or(Ignored::Unproved)?;
    device.remember_sessionless(&account, message.number())?;
    let server = account.server.clone();
    Ok((server, message.carry_out(engine, account, &mut device.tree, fresh)))
}

impl Device {
    /// The accounts that can be used, as engines have them.
    fn dm1_engine_accounts(&self) -> impl Iterator<Item = EngineAccount> {
        let accounts = self.tree.dm1_accounts();
        accounts.filter_map(|(server, _)| Some(Account::read(&self.tree, &server).ok()?.engine))
    }

    /// Remembers, durably, that a message was there.
    fn remember_sessionless(&mut self, account: &EngineAccount, number: u64) -> Result<(), Ignored> {
        let nonce = account.server_credentials.as_ref().map_or(&[][..], |server| &server.nonce);
        let tag = sha256(nonce).iter().take(TAG).map(|octet| format!("{octet:02x}")).collect();
        let memory = Memory::of(&self.entries, &account.server).with(tag, number);
        let memory = memory.ok_or(Ignored::Repeated(number))?;
        let entries = vec![(key(&account.server), Some(memory.write()))];
        Ok(self.append(&Batch { nodes: Vec::new(), entries })?)
    }

    /// Does what the engine says until it is finished.
    fn finish_sessionless(
        &mut self,
        server: &ServerId,
        mut session: Session,
        fresh: Fresh,
    ) -> Result<SessionReport, ClientError> {
        let mut notes = Vec::new();
        loop {
            match session.poll_output().ok_or(ClientError::Stalled)? {
                Output::Finished(outcome) => {
                    let server = server.clone();
                    return Ok(SessionReport { server, outcome, messages: 0, notes, retry_after: None });
                }
                Output::Note(note) => notes.push(note),
                // Nobody is answered.
                Output::Post(_) => return Err(ClientError::Stalled),
                Output::Effect { id, effect } => {
                    let result = self.carry_out(server, effect);
                    session.handle(&mut self.tree, fresh, Input::EffectDone { id, result });
                }
            }
        }
    }
}
