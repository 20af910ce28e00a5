//! What came of requests: noted when it is known, later if the store is away, and as unknown after a crash.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use omadm_store::{AuditQuery, Store, StoreError};
use serde_json::{Value, json};

use super::Audit;

/// `phase` of the entry before a request is done.
pub const BEGUN: &str = "begun";
/// `phase` of the entry that takes the place of an outcome which nobody knows.
pub const UNKNOWN: &str = "outcome unknown";
/// Entries before the start of a server among which it looks for requests without an outcome.
const LOOKED_AT: i64 = 100_000;
/// Entries that are read or written at a time.
const PAGE: u32 = 1_000;
/// Outcomes that wait for the store; of more, those that come last are lost with a line in the log.
const MAX_OWED: usize = 10_000;

impl Audit {
    /// Notes what came of a request, or keeps it until [`Audit::settle`] can.
    pub async fn note_outcome(&self, store: &dyn Store, entry: Value) {
        let Err(error) = self.note(store, &entry).await else { return };
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_kept = owed.len() < MAX_OWED;
        tracing::error!(%error, is_kept, %entry, "what came of a request could not be noted in the audit log");
        if is_kept {
            owed.push(entry);
        }
    }

    /// Notes outcomes that could not be noted when they were known, and, unless `is_settled`, for requests of before this server that
    /// nobody knows theirs.
    ///
    /// # Errors
    /// When the store fails; what was not noted is tried again.
    pub(super) async fn settle(&self, store: &dyn Store, is_settled: bool) -> Result<(), StoreError> {
        let owed: Vec<Value> = self.owed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !owed.is_empty() {
            self.note_all(store, &owed).await?;
            self.owed.lock().unwrap_or_else(PoisonError::into_inner).drain(..owed.len());
        }
        if !is_settled {
            let unknown = self.unfinished(store).await?;
            if !unknown.is_empty() {
                tracing::warn!(requests = unknown.len(), "what came of requests before a crash is not known");
                self.note_all(store, &unknown).await?;
            }
        }
        Ok(())
    }

    /// Entries for requests that a server of before has begun, and of which nothing says what came of them.
    async fn unfinished(&self, store: &dyn Store) -> Result<Vec<Value>, StoreError> {
        let mut open: BTreeMap<String, Value> = BTreeMap::new();
        let mut after = self.first.saturating_sub(LOOKED_AT).max(0);
        while after < self.first {
            let query = AuditQuery::Chain { chain: self.chain.clone(), after };
            let entries = store.audit(query, PAGE).await?;
            let Some(last) = entries.last() else { break };
            after = last.seq;
            for entry in entries.into_iter().filter(|entry| entry.seq <= self.first) {
                let said: Value = serde_json::from_str(&entry.entry).unwrap_or_default();
                let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                match text("phase").as_str() {
                    BEGUN => {
                        let (request, what, on) = (text("request"), text("do"), text("on"));
                        let unknown = json!({ "request": request, "phase": UNKNOWN, "by": "server", "do": what, "on": on });
                        open.insert(request, unknown);
                    }
                    // What stands for itself has an identifier that nothing was begun with.
                    _ => drop(open.remove(&text("request"))),
                }
            }
        }
        Ok(open.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use omadm_auth::Secret;
    use omadm_store::sqlite::SqliteConfig;
    use omadm_store::{PeopleStore as _, SqlStore};

    use super::*;

    fn begun(request: &str) -> Value {
        json!({ "request": request, "phase": BEGUN, "by": "token t", "do": "PUT /x", "on": "/x" })
    }

    async fn phases(store: &SqlStore) -> Vec<String> {
        let query = AuditQuery::Chain { chain: "n".to_owned(), after: 0 };
        let entries = store.audit(query, 10_000).await.unwrap();
        let said = entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.entry).unwrap());
        said.map(|said| format!("{} {}", said["request"].as_str().unwrap(), said["phase"].as_str().unwrap()))
            .collect()
    }

    #[tokio::test]
    async fn what_a_crash_leaves_open_is_said_to_be_unknown_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqlStore::open(&dir.path().join("omadm.db"), SqliteConfig::default()).unwrap();
        let key = Secret::new(b"k".to_vec());
        let audit = Audit::open("n".to_owned(), &key, &store).await.unwrap();
        audit.note(&store, &begun("a")).await.unwrap();
        audit.note(&store, &begun("b")).await.unwrap();
        audit.note_outcome(&store, json!({ "request": "a", "phase": "done", "status": 204 })).await;
        for _ in 0..2 {
            let next = Audit::open("n".to_owned(), &key, &store).await.unwrap();
            next.note(&store, &begun("c")).await.unwrap();
            next.settle(&store, false).await.unwrap();
            next.note_outcome(&store, json!({ "request": "c", "phase": "done", "status": 204 })).await;
        }
        let expected =
            ["a begun", "b begun", "a done", "c begun", "b outcome unknown", "c done", "c begun", "c done"];
        assert_eq!(phases(&store).await, expected);
    }

    #[tokio::test]
    async fn what_could_not_be_noted_is_noted_later() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqlStore::open(&dir.path().join("omadm.db"), SqliteConfig::default()).unwrap();
        let owed = Mutex::new(vec![json!({ "request": "a", "phase": "done" })]);
        let audit = Audit { chain: "n".to_owned(), key: Secret::new(b"k".to_vec()), first: 0, owed };
        audit.settle(&store, true).await.unwrap();
        audit.settle(&store, true).await.unwrap();
        assert_eq!(phases(&store).await, ["a done"]);
    }
}
