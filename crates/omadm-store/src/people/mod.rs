//! People and programs that use the server, what they did, and who is told of events.

mod audit;
mod webhook;

use std::fmt;

use omadm_mo::Time;

pub use audit::{AuditEntry, AuditHead, AuditProblem, AuditQuery, ChainCheck, NO_HASH, entry_hash};
pub use webhook::{DeadLetter, NewWebhook, Webhook, WebhookStep};

use crate::{StoreError, StoredSecret, Token};

/// Somebody who uses the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name, unique.
    pub name: String,
    /// Role (opaque here).
    pub role: String,
    /// What is kept of the password (opaque here).
    pub password: StoredSecret,
    /// Names of the groups whose devices they see; `None` for all devices.
    pub groups: Option<Vec<String>>,
    /// When the user was added.
    pub created: Time,
    /// When password, role or groups were changed last.
    pub changed: Time,
}

/// A session of a user.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Digest of the secret that the user's browser holds.
    pub digest: Vec<u8>,
    /// Whose it is.
    pub user: String,
    /// When it began.
    pub created: Time,
    /// When it ends.
    pub expires: Time,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// What is changed of a user; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Role.
    pub role: Option<String>,
    /// Groups: all devices, or those of some.
    pub groups: Option<Option<Vec<String>>>,
    /// What is kept of the password.
    pub password: Option<StoredSecret>,
}

/// The part of [`crate::Store`] that is about people, the audit log, and webhooks.
#[async_trait::async_trait]
pub trait PeopleStore: Send + Sync + 'static {
    /// Adds a user, who uses the groups they are kept to; `false` if there is one of that name, who stays as they are.
    /// [`StoreError::GroupUnknown`] if there is no such group.
    async fn add_user(&self, user: User) -> Result<bool, StoreError>;
    /// One user.
    async fn user(&self, name: &str) -> Result<Option<User>, StoreError>;
    /// Users by name after `after`, at most `limit`.
    async fn users(&self, after: &str, limit: u32) -> Result<Vec<User>, StoreError>;
    /// Changes a user, and ends their sessions, except the one of digest `but`; `false` if there is none of that name.
    /// [`StoreError::GroupUnknown`] as for [`PeopleStore::add_user`].
    async fn change_user(
        &self,
        name: &str,
        change: UserChange,
        but: Option<Vec<u8>>,
        now: Time,
    ) -> Result<bool, StoreError>;
    /// Removes a user with their sessions and tokens; `false` if there is none of that name.
    async fn remove_user(&self, name: &str) -> Result<bool, StoreError>;

    /// Begins a session, if the user is still as they were at `changed`; else `false`.
    async fn add_login(&self, login: Login, changed: Time) -> Result<bool, StoreError>;
    /// The session of a digest that has not ended, with its user.
    async fn login(&self, digest: &[u8], now: Time) -> Result<Option<(Login, User)>, StoreError>;
    /// Ends a session.
    async fn remove_login(&self, digest: &[u8]) -> Result<(), StoreError>;
    /// Forgets sessions that have ended, at most `limit`; gives how many.
    async fn prune_logins(&self, now: Time, limit: u32) -> Result<u32, StoreError>;
    /// The token of a digest with its user, and all tokens of which no digest is kept. A user of the same name who was added after the token
    /// was made is another one.
    async fn tokens_like(&self, digest: &[u8]) -> Result<Vec<(Token, Option<User>)>, StoreError>;

    /// Adds entries to the chain of a node, in order. [`StoreError::Conflict`] if another has added to it at the same time: repeat.
    async fn add_audit(&self, chain: &str, entries: Vec<String>, now: Time) -> Result<AuditHead, StoreError>;
    /// Entries of the audit log, at most `limit`.
    async fn audit(&self, query: AuditQuery, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;
    /// The last entry of each chain.
    async fn audit_heads(&self) -> Result<Vec<AuditHead>, StoreError>;
    /// Removes entries older than `before` from the beginning of each chain, never its last one, at most `limit` in all, and gives for each
    /// chain that was cut the last entry that went. An entry in the chain `noted_in` says so, together with the cut or not at all.
    /// [`StoreError::Conflict`] as for [`PeopleStore::add_audit`].
    async fn prune_audit(
        &self,
        before: Time,
        limit: u32,
        noted_in: &str,
        now: Time,
    ) -> Result<Vec<AuditHead>, StoreError>;
    /// The time of the oldest entry that [`PeopleStore::prune_audit`] would remove if it were old enough.
    async fn oldest_audit(&self) -> Result<Option<Time>, StoreError>;

    /// The cursor of the newest event; 0 if there never was one.
    async fn newest_event(&self) -> Result<i64, StoreError>;
    /// Adds a webhook that begins with the next event; `false` if there is one of that name, which stays as it is.
    async fn add_webhook(&self, webhook: NewWebhook, now: Time) -> Result<bool, StoreError>;
    /// One webhook.
    async fn webhook(&self, name: &str) -> Result<Option<Webhook>, StoreError>;
    /// All webhooks, by name.
    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError>;
    /// Removes a webhook with its dead letters; `false` if there is none of that name.
    async fn remove_webhook(&self, name: &str) -> Result<bool, StoreError>;
    /// Takes webhooks that are due ([`Webhook::is_due`]) and behind the newest event, at most `limit`; until `until` nobody else gets them.
    async fn claim_webhooks(&self, now: Time, until: Time, limit: u32) -> Result<Vec<Webhook>, StoreError>;
    /// Writes how far a webhook has come, and keeps a delivery that was given up, with at most `most` of them, of which the oldest go.
    /// [`StoreError::Conflict`] if its version is not as expected.
    async fn advance_webhook(&self, step: WebhookStep, most: u32) -> Result<(), StoreError>;
    /// Sends a webhook back, or ahead, to a cursor; `false` if there is none of that name.
    async fn move_webhook(&self, name: &str, position: i64, now: Time) -> Result<bool, StoreError>;
    /// Deliveries of a webhook that were given up, the oldest first, after `after`, at most `limit`.
    async fn dead_letters(
        &self,
        webhook: &str,
        after: Option<uuid::Uuid>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, StoreError>;
    /// What was to be sent with a delivery that was given up.
    async fn dead_letter_body(&self, webhook: &str, id: uuid::Uuid) -> Result<Option<String>, StoreError>;
    /// Forgets a delivery that was given up; `false` if there is none.
    async fn remove_dead_letter(&self, webhook: &str, id: uuid::Uuid) -> Result<bool, StoreError>;
}
