//! The numbers and sizes of one try at a session: it begins anew in an older version (`DM 1.3 REPPRO §7.1`).

use omadm_codec::dm1::{Encoding, Form, Version};

use super::config::{Config, Trigger};
use super::content::Dialect;
use super::outbox::Room;

/// Least `MaxMsgSize` that is believed, in octets: less would not hold an answer.
const LEAST_MESSAGE: u64 = 1024;

/// The line to the server.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) version: Version,
    form: Form,
    pub(super) trigger: Trigger,
    /// `SessionID`.
    pub(super) session_id: String,
    /// Where the next message goes.
    pub(super) uri: String,
    /// `MsgID` of the message sent last; 0 before the first.
    pub(super) said: u32,
    /// `MsgID` of the server's message that was answered last.
    pub(super) heard: Option<u64>,
    /// The package of the device goes on in its next message.
    pub(super) midway: bool,
    /// The server's package is complete, so that of the device may be.
    pub(super) answerable: bool,
    /// The server accepted the header of a message.
    pub(super) accepted: bool,
    max_message: Option<u64>,
    max_object: Option<u64>,
}

impl Line {
    pub(super) fn new(config: &Config, version: Version, trigger: Trigger, uri: &str) -> Self {
        let (Trigger::Server { session_id } | Trigger::Client { session_id }) = trigger;
        let encoding = if config.wbxml { Encoding::Wbxml } else { Encoding::Xml };
        Self {
            version,
            form: Form::for_version(encoding, version),
            trigger,
            session_id: format!("{session_id:X}"),
            uri: uri.to_owned(),
            said: 0,
            heard: None,
            midway: false,
            answerable: true,
            accepted: false,
            max_message: None,
            max_object: None,
        }
    }

    /// The same in an older version. A session of the device's own gets a new id, one that was asked for keeps it.
    pub(super) fn again(&self, config: &Config, version: Version, uri: &str) -> Self {
        let trigger = match self.trigger {
            Trigger::Client { session_id } => Trigger::Client { session_id: session_id.wrapping_add(1) },
            trigger @ Trigger::Server { .. } => trigger,
        };
        Self::new(config, version, trigger, uri)
    }

    pub(super) fn dialect(&self) -> Dialect {
        Dialect { version: self.version, form: self.form }
    }

    /// Takes in whether a message of the server has Final. One that only asks for the rest of the device's package has none, and
    /// is no part of a package of the server.
    pub(super) fn hear_final(&mut self, is_final: bool) {
        if !self.midway {
            self.answerable = is_final;
        }
    }

    /// Takes the sizes that a message of the server names; they hold until the next ones.
    pub(super) fn learn_sizes(&mut self, max_message: Option<u64>, max_object: Option<u64>) {
        self.max_message = max_message.or(self.max_message);
        self.max_object = max_object.or(self.max_object);
    }

    /// Room in a message of which `reserved` octets are spoken for.
    pub(super) fn room(&self, config: &Config, reserved: usize) -> Room {
        let message =
            self.largest(config).map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        Room { message: message.saturating_sub(reserved), chunks: config.large_objects, form: self.form }
    }

    /// Largest object that the server takes. Without chunks it has to be in one message with what is around it.
    pub(super) fn max_object(&self, config: &Config) -> u64 {
        let whole = if config.large_objects { None } else { self.largest(config).map(|most| most / 2) };
        self.max_object.unwrap_or(u64::MAX).min(whole.unwrap_or(u64::MAX))
    }

    /// Largest message that the server takes and the binding carries, if there is a bound.
    fn largest(&self, config: &Config) -> Option<u64> {
        let taken = self.max_message.map(|most| most.max(LEAST_MESSAGE));
        taken.into_iter().chain(config.max_sent.map(u64::from)).min()
    }
}
