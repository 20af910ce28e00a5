//! The part of the trait that is about people, the audit log, and webhooks.

use omadm_mo::Time;
use uuid::Uuid;

use super::{Connection, SqlStore, audit, people, webhooks};
use crate::{
    AuditEntry, AuditHead, AuditQuery, DeadLetter, Login, NewWebhook, PeopleStore, StoreError, Token, User,
    UserChange, Webhook, WebhookStep,
};

#[async_trait::async_trait]
impl PeopleStore for SqlStore {
    async fn add_user(&self, user: User) -> Result<bool, StoreError> {
        self.write(move |conn| people::add_user(conn, &user)).await
    }

    async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let name = name.to_owned();
        self.read_small(move |conn| people::user(conn, &name)).await
    }

    async fn users(&self, after: &str, limit: u32) -> Result<Vec<User>, StoreError> {
        let after = after.to_owned();
        self.read(move |conn| people::users(conn, &after, limit)).await
    }

    async fn change_user(
        &self,
        name: &str,
        change: UserChange,
        but: Option<Vec<u8>>,
        now: Time,
    ) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let work = move |conn: &Connection| people::change_user(conn, &name, &change, but.as_deref(), now);
        self.write(work).await
    }

    async fn remove_user(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |conn| people::remove_user(conn, &name)).await
    }

    async fn add_login(&self, login: Login, changed: Time) -> Result<bool, StoreError> {
        self.write(move |conn| people::add_login(conn, &login, changed)).await
    }

    async fn login(&self, digest: &[u8], now: Time) -> Result<Option<(Login, User)>, StoreError> {
        let digest = digest.to_owned();
        self.read_small(move |conn| people::login(conn, &digest, now)).await
    }

    async fn remove_login(&self, digest: &[u8]) -> Result<(), StoreError> {
        let digest = digest.to_owned();
        self.write(move |conn| people::remove_login(conn, &digest)).await
    }

    async fn prune_logins(&self, now: Time, limit: u32) -> Result<u32, StoreError> {
        self.write(move |conn| people::prune_logins(conn, now, limit)).await
    }

    async fn tokens_like(&self, digest: &[u8]) -> Result<Vec<(Token, Option<User>)>, StoreError> {
        let digest = digest.to_owned();
        self.read_small(move |conn| people::tokens_like(conn, &digest)).await
    }

    async fn add_audit(&self, chain: &str, entries: Vec<String>, now: Time) -> Result<AuditHead, StoreError> {
        let named = chain.to_owned();
        self.write_in_turn(chain, move |conn| audit::add(conn, &named, &entries, now)).await
    }

    async fn audit(&self, query: AuditQuery, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |conn| audit::list(conn, &query, limit)).await
    }

    async fn audit_heads(&self) -> Result<Vec<AuditHead>, StoreError> {
        self.read(audit::heads).await
    }

    async fn prune_audit(
        &self,
        before: Time,
        limit: u32,
        noted_in: &str,
        now: Time,
    ) -> Result<Vec<AuditHead>, StoreError> {
        let noted_in = noted_in.to_owned();
        self.write(move |conn| audit::prune(conn, before, limit, &noted_in, now)).await
    }

    async fn oldest_audit(&self) -> Result<Option<Time>, StoreError> {
        self.read_small(audit::oldest).await
    }

    async fn newest_event(&self) -> Result<i64, StoreError> {
        self.read_small(webhooks::newest_event).await
    }

    async fn add_webhook(&self, webhook: NewWebhook, now: Time) -> Result<bool, StoreError> {
        self.write(move |conn| webhooks::add(conn, &webhook, now)).await
    }

    async fn webhook(&self, name: &str) -> Result<Option<Webhook>, StoreError> {
        let name = name.to_owned();
        self.read(move |conn| webhooks::get(conn, &name)).await
    }

    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        self.read(webhooks::all).await
    }

    async fn remove_webhook(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |conn| webhooks::remove(conn, &name)).await
    }

    async fn claim_webhooks(&self, now: Time, until: Time, limit: u32) -> Result<Vec<Webhook>, StoreError> {
        self.write(move |conn| webhooks::claim(conn, now, until, limit)).await
    }

    async fn advance_webhook(&self, step: WebhookStep, most: u32) -> Result<(), StoreError> {
        self.write(move |conn| webhooks::advance(conn, &step, most)).await
    }

    async fn move_webhook(&self, name: &str, position: i64, now: Time) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |conn| webhooks::move_to(conn, &name, position, now)).await
    }

    async fn dead_letters(
        &self,
        webhook: &str,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let webhook = webhook.to_owned();
        self.read(move |conn| webhooks::dead(conn, &webhook, after, limit)).await
    }

    async fn dead_letter_body(&self, webhook: &str, id: Uuid) -> Result<Option<String>, StoreError> {
        let webhook = webhook.to_owned();
        self.read(move |conn| webhooks::dead_body(conn, &webhook, id)).await
    }

    async fn remove_dead_letter(&self, webhook: &str, id: Uuid) -> Result<bool, StoreError> {
        let webhook = webhook.to_owned();
        self.write(move |conn| webhooks::remove_dead(conn, &webhook, id)).await
    }
}
