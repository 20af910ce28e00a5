//! Bootstraps on smartcards (`DM 2.0 §8.1, §G`, `DM 1.3 BOOT §5.5`): put into the tree, and taken out again with the card.
//!
//! An account that came from the card is remembered as such. When the device is switched on, those that the card does not hold any more
//! are removed, and no others. What is on the card is applied once: what a server has changed in its account since stays so, until the
//! card holds something else or the account is gone.

mod accounts;
#[cfg(feature = "smartcard")]
mod pcsc;

use omadm_codec::StatusCode;
pub use omadm_codec::smartcard::{KeyReference, Pin};
use omadm_mo::ServerId;
use omadm_session::Body;
pub use omadm_session::smartcard::{
    CardBootstrap, CardContent, CardError, CardFile, CardKeys, CardSettings, Mode, PinQuestion, SecureChannel,
};

use crate::client::Client;
use crate::consent::{BootstrapRequest, Consent, Origin, RequestedAccount};
use crate::dm1::bootstrap::{
    Attempt, BadUrl, BootstrapSettings, BootstrapUser, Candidate, FetchError, Finder, MESSAGE_WBXML,
    PinAnswer, PinRequest, Proof, Received, Refused, Source, UrlTemplate,
};
use crate::error::{ClientError, PersistError};
use crate::plugin::Refusal;
use crate::transport::Transport;
use accounts::{Account, digest};
pub(crate) use accounts::{Origins, Protocol, orphans};
#[cfg(feature = "smartcard")]
pub use pcsc::{CardEvent, Cards, PcscConfig, write_card};

/// When a card is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The device is switched on: accounts that are not on the card any more go.
    PowerOn,
    /// A card was put in while the device was on.
    Inserted,
}

/// What a card may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CardPolicy {
    /// A card may take the place of an account that came in another way. Default no.
    pub replace: bool,
}

/// What came of a card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardApplied {
    /// Servers with a new account of DM 2.0, which have yet to be sent BootstrapComplete.
    pub dm2: Vec<ServerId>,
    /// Servers with a new account of DM 1.x, with each of which a session is due.
    pub dm1: Vec<ServerId>,
    /// Servers whose account is gone with what was on the card.
    pub removed: Vec<ServerId>,
}

/// Why nothing of a card is installed. What is no longer on it may be gone all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CardRefused {
    /// It is not taken.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The card says where a bootstrap is, and it was not to be had there.
    #[error("the bootstrap server that the card names: {0}")]
    Fetch(FetchError),
    /// What the card says is no address.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// The Bootstrap Config object says that the address on the card does not count.
    #[error("the Bootstrap Config object of the device says that the address on the card does not count")]
    Disabled,
    /// This device does not speak what is on the card.
    #[error("the card holds a bootstrap of DM 2.0, which this device does not speak")]
    OtherProtocol,
}

impl From<PersistError> for CardRefused {
    fn from(error: PersistError) -> Self {
        Self::Client(error.into())
    }
}

impl From<FetchError> for CardRefused {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Client(error) => Self::Client(error),
            error => Self::Fetch(error),
        }
    }
}

impl CardRefused {
    /// Whether it is worth another try later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Fetch(FetchError::Later { .. } | FetchError::Nothing))
    }
}

impl<T: Transport> Client<T> {
    /// Applies what was read from a card: all of it or nothing, durable when this returns.
    ///
    /// # Errors
    /// [`CardRefused`].
    pub async fn apply_card(
        &mut self,
        content: &CardContent,
        moment: Moment,
        policy: CardPolicy,
        user: &mut impl BootstrapUser,
    ) -> Result<CardApplied, CardRefused> {
        match &content.bootstrap {
            None => {
                let removed = self.without_card(moment)?;
                Ok(CardApplied { removed, ..CardApplied::default() })
            }
            Some(CardBootstrap::Json(body)) => self.apply_json(body, moment, policy, user).await,
            Some(CardBootstrap::Message(body)) => self.apply_message(body, moment, policy, user).await,
            Some(CardBootstrap::Url(url)) => self.apply_url(url, moment, policy, user).await,
        }
    }

    /// What there being no card, or nothing on it, means for the accounts that came from one: when the device is switched on they go.
    /// Gives their servers.
    ///
    /// # Errors
    /// [`ClientError::Persist`].
    pub fn without_card(&mut self, moment: Moment) -> Result<Vec<ServerId>, ClientError> {
        match moment {
            Moment::PowerOn => self.device.keep_card_accounts(&[]),
            Moment::Inserted => Ok(Vec::new()),
        }
    }

    #[cfg(feature = "dm2")]
    async fn apply_json(
        &mut self,
        body: &Body,
        moment: Moment,
        policy: CardPolicy,
        user: &mut impl BootstrapUser,
    ) -> Result<CardApplied, CardRefused> {
        let request = self.device.examine_bootstrap(Origin::Smartcard, body)?;
        let here: Vec<Account> =
            request.accounts.iter().map(|of| (Protocol::Dm2, of.server.clone())).collect();
        let removed = self.only_these(&here, moment)?;
        if self.device.is_applied(body, &here) {
            return Ok(CardApplied { removed, ..CardApplied::default() });
        }
        self.card_user(policy, user).decide(&request).await.map_err(ClientError::BootstrapRejected)?;
        let dm2 = self.device.install_bootstrap_of(&Origin::Smartcard, body)?;
        self.device.note_card(&digest(body))?;
        Ok(CardApplied { dm2, removed, ..CardApplied::default() })
    }

    #[cfg(not(feature = "dm2"))]
    async fn apply_json(
        &mut self,
        _body: &Body,
        _moment: Moment,
        _policy: CardPolicy,
        _user: &mut impl BootstrapUser,
    ) -> Result<CardApplied, CardRefused> {
        Err(CardRefused::OtherProtocol)
    }

    async fn apply_message(
        &mut self,
        body: &Body,
        moment: Moment,
        policy: CardPolicy,
        user: &mut impl BootstrapUser,
    ) -> Result<CardApplied, CardRefused> {
        let content_type = MESSAGE_WBXML.to_owned();
        let received = Received { content_type, body: body.clone(), origin: Origin::Smartcard };
        let candidate = Candidate::read(received, &self.config.dm1_bootstrap).map_err(ClientError::from)?;
        let verified = match self.verify_dm1_bootstrap(&candidate, None).map_err(ClientError::from)? {
            Attempt::Verified(verified) => verified,
            Attempt::WrongPin => return Err(ClientError::from(Refused::NotAuthentic).into()),
        };
        let request = self.device.examine_dm1_bootstrap(&verified, &self.config.dm1_bootstrap)?;
        let here: Vec<Account> = request.accounts.into_iter().map(|of| (Protocol::Dm1, of.server)).collect();
        let removed = self.only_these(&here, moment)?;
        if self.device.is_applied(body, &here) {
            return Ok(CardApplied { removed, ..CardApplied::default() });
        }
        let mut user = self.card_user(policy, user);
        let dm1 = self.install_dm1_verified(&verified, &mut user).await?;
        self.device.note_card(&digest(body))?;
        Ok(CardApplied { dm1, removed, ..CardApplied::default() })
    }

    /// The address on a card: which servers stand behind it, nobody knows before it was asked (`DM 1.3 BOOT §5.5.7`).
    async fn apply_url(
        &mut self,
        url: &str,
        moment: Moment,
        policy: CardPolicy,
        user: &mut impl BootstrapUser,
    ) -> Result<CardApplied, CardRefused> {
        let settings = BootstrapSettings::of(self.device.tree());
        if !settings.enabled || !settings.smartcard {
            return Err(CardRefused::Disabled);
        }
        let known = self.device.card_accounts();
        if !known.is_empty() && self.device.is_applied(url.as_bytes(), &known) {
            return Ok(CardApplied::default());
        }
        let source = Source { url: UrlTemplate::parse(url)?, proof: Proof::Transport, by: Finder::Smartcard };
        let mut user = self.card_user(policy, user);
        let dm1 = self.fetch_dm1_bootstrap(&[source], &mut user).await?;
        let here: Vec<Account> = dm1.iter().map(|server| (Protocol::Dm1, server.clone())).collect();
        let removed = self.only_these(&here, moment)?;
        self.device.note_card(&digest(url.as_bytes()))?;
        Ok(CardApplied { dm1, removed, ..CardApplied::default() })
    }

    /// When the device is switched on, accounts go that came from a card and are not on it any more (`DM 2.0 §8.1`).
    fn only_these(&mut self, here: &[Account], moment: Moment) -> Result<Vec<ServerId>, ClientError> {
        match moment {
            Moment::PowerOn => self.device.keep_card_accounts(here),
            Moment::Inserted => Ok(Vec::new()),
        }
    }

    fn card_user<'u, U>(&self, policy: CardPolicy, user: &'u mut U) -> CardUser<'u, U> {
        let own = self.device.card_accounts().into_iter().map(|(_, server)| server).collect();
        CardUser { user, own, policy }
    }
}

/// A user who is not asked for what a card may not do.
struct CardUser<'u, U> {
    user: &'u mut U,
    /// Servers with accounts of a card.
    own: Vec<ServerId>,
    policy: CardPolicy,
}

impl<U: BootstrapUser> Consent for CardUser<'_, U> {
    async fn decide(&mut self, request: &BootstrapRequest) -> Result<(), Refusal> {
        let is_foreign =
            |account: &&RequestedAccount| account.replaces && !self.own.contains(&account.server);
        match request.accounts.iter().find(is_foreign) {
            Some(account) if !self.policy.replace => {
                let reason = format!(
                    "the device has an account of {} that did not come from a card; remove it, or allow cards to replace it",
                    account.server
                );
                Err(Refusal::new(StatusCode::FORBIDDEN, reason))
            }
            _ => self.user.decide(request).await,
        }
    }
}

impl<U: BootstrapUser> BootstrapUser for CardUser<'_, U> {
    async fn pin(&mut self, request: &PinRequest) -> PinAnswer {
        self.user.pin(request).await
    }
}
