//! The audit log: who changed what, in a chain of hashes for each node.
//!
//! A request that changes something is noted before it is done and after. The change itself is another transaction, of any part of the
//! store, so a crash can leave the first entry alone: the server that starts next says that the outcome is unknown.

mod outcome;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use omadm_auth::Secret;
use omadm_mo::Time;
use omadm_store::{AuditHead, Store, StoreError};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::watch;

use crate::clock;
use crate::context::Context;
use crate::retention::{BATCH, Pace, Walked, in_steps};

pub use outcome::{BEGUN, UNKNOWN};

/// How often an entry is tried again when another process has added to the same chain.
const MAX_CONFLICTS: usize = 10;
/// Pause between two sweeps.
const PAUSE: Duration = Duration::from_secs(60);

/// Writes the chain of this node.
pub struct Audit {
    chain: String,
    key: Secret,
    /// The last entry of the chain when this server started.
    first: i64,
    /// What came of requests and could not be noted yet.
    owed: Mutex<Vec<Value>>,
}

impl Audit {
    /// Goes on with the chain of this name. What digests of bodies are made with comes from `key`: without it nobody finds out a short
    /// body, such as a password, by trying.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(chain: String, key: &Secret, store: &dyn Store) -> Result<Self, StoreError> {
        let heads = store.audit_heads().await?;
        let first = heads.into_iter().find(|head| head.chain == chain).map_or(0, |head| head.seq);
        let key = Secret::new(mac(key, &[b"omadm audit"]).to_vec());
        Ok(Self { chain, key, first, owed: Mutex::default() })
    }

    /// The name of the chain of this node.
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// Makes the digest of a body that comes in pieces.
    pub fn digester(&self) -> Digester {
        Digester { mac: keyed(&self.key), octets: 0 }
    }

    /// Adds an entry; it is durable afterwards.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn note(&self, store: &dyn Store, entry: &Value) -> Result<AuditHead, StoreError> {
        self.note_all(store, std::slice::from_ref(entry)).await
    }

    /// Adds entries, all or none.
    async fn note_all(&self, store: &dyn Store, entries: &[Value]) -> Result<AuditHead, StoreError> {
        let entries: Vec<String> = entries.iter().map(Value::to_string).collect();
        for _ in 0..MAX_CONFLICTS {
            match store.add_audit(&self.chain, entries.clone(), clock::now()).await {
                Err(StoreError::Conflict(_)) => {}
                done => return done,
            }
        }
        store.add_audit(&self.chain, entries, clock::now()).await
    }
}

impl Audit {
    /// Cuts off some of what is older than `before`, and says so in the chain; gives whether there may be more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn cut(&self, store: &dyn Store, before: Time, now: Time) -> Result<bool, StoreError> {
        Ok(!store.prune_audit(before, BATCH, &self.chain, now).await?.is_empty())
    }
}

/// The digest of a body on its way.
#[derive(Clone)]
pub struct Digester {
    mac: Option<Hmac<Sha256>>,
    /// Octets so far.
    pub octets: u64,
}

impl Digester {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.octets = self.octets.saturating_add(piece.len() as u64);
        if let Some(mac) = &mut self.mac {
            mac.update(piece);
        }
    }

    /// The digest of all that came, in hexadecimal digits.
    pub fn end(self) -> String {
        finished(self.mac).iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

/// HMAC takes keys of any length, so there is always one.
fn keyed(key: &Secret) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(key.expose()).ok()
}

fn finished(mac: Option<Hmac<Sha256>>) -> [u8; 32] {
    mac.map_or([0; 32], |mac| mac.finalize().into_bytes().into())
}

/// HMAC-SHA-256 over some parts, one after the other.
pub fn mac(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.iter_mut().for_each(|mac| parts.iter().for_each(|part| mac.update(part)));
    finished(mac)
}

/// Notes what is not known of requests of before, and in the own chain how far others have come; cuts off what is too old, until `stop`
/// says so.
pub async fn run(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let every = context.config.audit.anchor_interval.0;
    let mut pace = Pace::new("audit.keep_days", context.config.audit.keep_days);
    let mut is_settled = false;
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
        match context.audit.settle(context.store.as_ref(), is_settled).await {
            Ok(()) => is_settled = true,
            Err(error) => {
                tracing::error!(%error, "what came of requests could not be noted in the audit log; it will be tried again");
            }
        }
        if let Err(error) = sweep(&mut pace, &context.audit, context.store.as_ref(), clock::now()).await {
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
async fn sweep(pace: &mut Pace, audit: &Audit, store: &dyn Store, now: Time) -> Result<(), StoreError> {
    if let Some(before) = pace.before(store.oldest_audit().await?, now, Instant::now()) {
        in_steps(|| async move { audit.cut(store, before, now).await.map(Walked::some) }).await?;
    }
    while store.prune_logins(now, BATCH).await? == BATCH {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use omadm_store::sqlite::SqliteConfig;
    use omadm_store::{AuditQuery, PeopleStore as _, SqlStore};

    use super::*;

    fn digest(key: &[u8], pieces: &[&[u8]]) -> String {
        let key = Secret::new(key.to_vec());
        let audit = Audit { chain: "n".to_owned(), key, first: 0, owed: Mutex::default() };
        let mut digester = audit.digester();
        pieces.iter().for_each(|piece| digester.update(piece));
        digester.end()
    }

    #[test]
    fn a_mac_is_that_of_the_standard() {
        // RFC 4231 §4.3.
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(digest(b"Jefe", &[b"what do ya want ", b"for nothing?"]), expected);
    }

    #[test]
    fn digests_are_of_this_key() {
        assert_eq!(digest(b"a", &[b"xy"]), digest(b"a", &[b"x", b"y"]));
        assert_ne!(digest(b"a", &[b"x"]), digest(b"b", &[b"x"]));
        assert_ne!(digest(b"a", &[b"x"]), digest(b"a", &[b"y"]));
    }

    #[tokio::test]
    async fn a_clock_that_jumps_does_not_wipe_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqlStore::open(&dir.path().join("omadm.db"), SqliteConfig::default()).unwrap();
        let audit = Audit::open("n".to_owned(), &Secret::new(b"k".to_vec()), &store).await.unwrap();
        let day = |number: i64| Time::from_secs(number * 86_400);
        for number in 1..=10 {
            store.add_audit("n", vec!["{}".to_owned()], day(number)).await.unwrap();
        }
        let mut pace = Pace::new("audit.keep_days", 5);
        for _ in 0..3 {
            sweep(&mut pace, &audit, &store, day(36_500)).await.unwrap();
        }
        let all = AuditQuery::Chain { chain: "n".to_owned(), after: 0 };
        let left = store.audit(all, 100).await.unwrap();
        assert!(left.len() >= 9, "{} are left", left.len());
    }
}
