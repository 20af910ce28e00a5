//! Notifications of DM 1.x: the trigger of DM 1.2 and the notification of DM 1.3, and the session that they lead to
//! (`DM 1.2 NOTI §6`, `DM 1.3 NOTI §6`).
//!
//! Both prove that they are from the server of the account; what passes is a [`Dm1Wake`] for [`Client::answer_dm1`]. What is not known of
//! DM 1.3, beyond its octets, is our choice: numbers of management objects are those of a table ([`NotifiedConfig::objects`]), and
//! credentials of notifications alone stand in `AppAuth` with the level [`LEVEL`].

mod check;
mod memory;

use std::collections::BTreeMap;
use std::time::Duration;

use omadm_codec::dm1::trigger::UiMode;
use omadm_mo::{Moid, ServerId};
use omadm_session::dm1::client::{Question, QuestionKind, UserAnswer};

use super::binding::ServedLink;
use super::session::{Occasion, SessionReport, Start};
use super::user;
use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Transport;

pub(super) use memory::{age, server};

/// `AAuthLevel` of credentials that are for notifications alone [choice].
pub const LEVEL: &str = "NOTIFICATION";
/// Most characters of a reason that are shown.
const MAX_REASON: usize = 256;

/// Settings of notifications of DM 1.x.
#[derive(Clone, Debug)]
pub struct NotifiedConfig {
    /// Triggers of version 1.2 are taken beside those of 1.0 and 1.1, though no enabler defines them. Default no.
    pub newer_triggers: bool,
    /// Notifications of DM 1.3 are taken. Default yes.
    pub extended: bool,
    /// Answered notifications of each server that are remembered to know a repetition, 1 or more. Default 64.
    pub remembered: usize,
    /// For how long they are. Default a day.
    pub remembered_for: Duration,
    /// Least time between two sessions with the default nonce with one server. Default an hour.
    pub resynchronise_every: Duration,
    /// Which management object a number in Requested-MO and Targeted-MO is; both sides have to have the same table. Default empty.
    pub objects: BTreeMap<u16, Moid>,
}

impl Default for NotifiedConfig {
    fn default() -> Self {
        Self {
            newer_triggers: false,
            extended: true,
            remembered: 64,
            remembered_for: Duration::from_secs(86_400),
            resynchronise_every: Duration::from_secs(3_600),
            objects: BTreeMap::new(),
        }
    }
}

/// A server asks for a session of DM 1.x.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dm1Wake {
    /// With whom.
    pub server: ServerId,
    /// Number of the session, not 0.
    pub session_id: u16,
    /// How the user is to be involved.
    pub ui_mode: UiMode,
    /// The server wanted it; otherwise the user or the client caused it.
    pub by_server: bool,
    /// Requested-MO: what package 1 has to carry, as far as the table knows it.
    pub requested: Vec<Moid>,
    /// Targeted-MO: what the server is going to touch.
    pub targeted: Vec<Moid>,
    /// Preferred-Bearer by its number, the best first.
    pub bearers: Vec<u8>,
    /// Connect-Reason for the user: at most 256 characters, none of them a control character.
    pub reason: Option<String>,
    /// `vendor-specific` of a trigger, `Vendor-Info` of DM 1.3.
    pub vendor: Option<Vec<u8>>,
    /// After how long it is not to be followed any more; `None` is never.
    pub timeout: Option<Duration>,
    /// It was proved with the default nonce, and so the session begins with it.
    default_nonce: bool,
    digest: Vec<u8>,
    bounds: Bounds,
}

/// How many answered notifications of a server are remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    count: usize,
    time: Duration,
}

impl Dm1Wake {
    /// What the user is told or asked.
    fn question(&self, kind: QuestionKind) -> Question {
        let asks = "wants to manage this device";
        let text = match &self.reason {
            Some(reason) => format!("{asks}: {reason}"),
            None => asks.to_owned(),
        };
        Question { server: self.server.clone(), kind, text, min_display: None, max_display: None }
    }
}

/// A text as it may be shown.
fn clean(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MAX_REASON).collect()
}

/// What became of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A session.
    Session(SessionReport),
    /// The user did not want one, of which the server is not told.
    Refused,
}

impl<T: Transport> Client<T> {
    /// Runs the session that a notification asks for, with its number and Alert 1200, unless the user does not want it. A device without
    /// a user asks nobody. One that ends well answers the notification: the same is a repetition from then on.
    ///
    /// # Errors
    /// As [`Client::run_dm1_session`].
    pub async fn answer_dm1(&mut self, wake: &Dm1Wake) -> Result<Answered, ClientError> {
        self.answer_dm1_by(wake, None).await
    }

    /// As [`Client::answer_dm1`], over the link that the notification came by.
    ///
    /// # Errors
    /// As [`Client::run_dm1_session`].
    pub async fn answer_dm1_over(
        &mut self,
        wake: &Dm1Wake,
        link: ServedLink,
    ) -> Result<Answered, ClientError> {
        self.answer_dm1_by(wake, Some(link)).await
    }

    async fn answer_dm1_by(
        &mut self,
        wake: &Dm1Wake,
        link: Option<ServedLink>,
    ) -> Result<Answered, ClientError> {
        if !self.may_answer(wake).await {
            self.device.answered_dm1(wake)?;
            return Ok(Answered::Refused);
        }
        if let Some(info) = &wake.vendor {
            self.device.plugins.iter_mut().for_each(|plugin| plugin.vendor_info(&wake.server, info));
        }
        let occasion = Occasion {
            start: Start::Server(wake.session_id),
            requested: &wake.requested,
            default_nonce: wake.default_nonce,
        };
        let report = self.dm1_session(&wake.server, occasion, link).await?;
        if report.has_ended() {
            self.device.answered_dm1(wake)?;
        }
        Ok(Answered::Session(report))
    }

    async fn may_answer(&mut self, wake: &Dm1Wake) -> bool {
        let patience = self.config.dm1.patience;
        let Some(interface) = self.user.as_mut() else { return true };
        match wake.ui_mode {
            UiMode::NotSpecified | UiMode::Background => true,
            UiMode::Informative => {
                user::ask(Some(interface), &wake.question(QuestionKind::Display), patience).await;
                true
            }
            UiMode::UserInteraction => {
                let question = wake.question(QuestionKind::Confirm { default: None });
                user::ask(Some(interface), &question, patience).await == UserAnswer::Accepted
            }
        }
    }
}
