//! The audit log: who changed what, in a chain of hashes for each node.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use omadm_auth::Secret;
use omadm_store::{AuditHead, Store, StoreError};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::watch;

use crate::clock;
use crate::config::Config;
use crate::context::Context;

/// How often an entry is tried again when another process has added to the same chain.
const MAX_CONFLICTS: usize = 10;
/// Entries that are cut off at a time.
const BATCH: u32 = 500;
/// Most batches of one sweep.
const BATCHES: u32 = 20;
/// Pause between two sweeps.
const PAUSE: Duration = Duration::from_secs(60);
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Writes the chain of this node.
pub struct Audit {
    chain: String,
    key: Secret,
}

impl Audit {
    /// For the chain of this name. What digests of bodies are made with comes from `key`: without it nobody finds out a short body, such
    /// as a password, by trying.
    pub fn new(chain: String, key: &Secret) -> Self {
        Self { chain, key: Secret::new(mac(key, &[b"omadm audit"]).to_vec()) }
    }

    /// The digest of a body, in hexadecimal digits.
    pub fn digest(&self, body: &[u8]) -> String {
        mac(&self.key, &[body]).iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// Adds an entry; it is durable afterwards.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn note(&self, store: &dyn Store, entry: &Value) -> Result<AuditHead, StoreError> {
        let entries = vec![entry.to_string()];
        for _ in 0..MAX_CONFLICTS {
            match store.add_audit(&self.chain, entries.clone(), clock::now()).await {
                Err(StoreError::Conflict(_)) => {}
                done => return done,
            }
        }
        store.add_audit(&self.chain, entries, clock::now()).await
    }
}

/// HMAC-SHA-256 over some parts, one after the other.
pub fn mac(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length, so there is no error to come.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose()) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Notes in the own chain how far others have come, and cuts off what is too old, until `stop` says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let every = context.config.audit.anchor_interval.0;
    let mut anchored = HashMap::new();
    let mut next = tokio::time::Instant::now();
    loop {
        let now = tokio::time::Instant::now();
        if now >= next {
            next = now + every;
            if let Err(error) = anchor(&context, &mut anchored).await {
                tracing::error!(%error, "no anchors could be written to the audit log; it will be tried again");
            }
        }
        if let Err(error) = sweep(&context.config, &context.audit, context.store.as_ref()).await {
            tracing::error!(%error, "the end of what is kept of audit log and sessions could not be moved; it will be tried again");
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(PAUSE.min(every)) => {}
        }
    }
}

/// Notes the heads of other chains that have changed since the last time.
async fn anchor(context: &Context, anchored: &mut HashMap<String, i64>) -> Result<(), StoreError> {
    let heads = context.store.audit_heads().await?;
    let others = heads.into_iter().filter(|head| head.chain != context.audit.chain);
    let news: Vec<AuditHead> = others.filter(|head| anchored.get(&head.chain) != Some(&head.seq)).collect();
    if news.is_empty() {
        return Ok(());
    }
    let anchors: Vec<Value> = news.iter().map(AuditHead::to_json).collect();
    context.audit.note(context.store.as_ref(), &json!({ "by": "server", "anchors": anchors })).await?;
    anchored.extend(news.into_iter().map(|head| (head.chain, head.seq)));
    Ok(())
}

/// Cuts off what is too old, and forgets sessions that have ended.
async fn sweep(config: &Config, audit: &Audit, store: &dyn Store) -> Result<(), StoreError> {
    let before = clock::now().plus_micros(-i64::from(config.audit.keep_days).saturating_mul(DAY));
    for _ in 0..BATCHES {
        if store.prune_audit(before, BATCH, &audit.chain, clock::now()).await?.is_empty() {
            break;
        }
    }
    while store.prune_logins(clock::now(), BATCH).await? == BATCH {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_that_of_the_standard() {
        // RFC 4231 §4.3.
        let key = Secret::new(b"Jefe".to_vec());
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let found = mac(&key, &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(found.iter().map(|octet| format!("{octet:02x}")).collect::<String>(), expected);
    }

    #[test]
    fn digests_are_of_this_key() {
        let audit = |key: &[u8]| Audit::new("n".to_owned(), &Secret::new(key.to_vec()));
        assert_eq!(audit(b"a").digest(b"x"), audit(b"a").digest(b"x"));
        assert_ne!(audit(b"a").digest(b"x"), audit(b"b").digest(b"x"));
        assert_ne!(audit(b"a").digest(b"x"), audit(b"a").digest(b"y"));
    }
}
