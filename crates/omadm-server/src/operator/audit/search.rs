//! The audit log searched: entry by entry from the newest, so far and no further in one request.

use std::collections::HashMap;

use jiff::Timestamp;
use omadm_mo::Time;
use omadm_store::{AuditEntry, AuditQuery, Store, StoreError};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Entry, Wanted, cursor};
use crate::audit::{BEGUN, UNKNOWN};
use crate::operator::problem::Problem;
use crate::operator::views::Page;

/// Entries that are looked at in one request.
const MAX_LOOKED_AT: usize = 5_000;
/// Entries that are read at a time.
const BATCH: u32 = 500;

/// What came of what is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sought {
    /// It was refused before anything was done.
    Refused,
    /// A crash has left open whether it was done.
    Unknown,
}

impl Sought {
    /// The phase of the entries that say so.
    fn phase(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unknown => UNKNOWN,
        }
    }
}

/// What is sought.
pub struct Search<'w> {
    by: &'w str,
    on: &'w str,
    route: &'w str,
    outcome: Option<Sought>,
}

impl<'w> Search<'w> {
    /// As it is asked for.
    pub fn of(wanted: &'w Wanted) -> Self {
        Self {
            by: wanted.by.as_deref().unwrap_or_default(),
            on: wanted.on.as_deref().unwrap_or_default(),
            route: wanted.route.as_deref().unwrap_or_default(),
            outcome: wanted.outcome,
        }
    }

    /// Whether it leaves anything out.
    pub fn is_narrow(&self) -> bool {
        self.outcome.is_some() || [self.by, self.on, self.route].iter().any(|text| !text.is_empty())
    }

    /// Looks through what is older than `query` says.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run(
        &self,
        store: &dyn Store,
        mut query: AuditQuery,
        limit: u32,
    ) -> Result<Page<Entry>, StoreError> {
        let mut found = Found { items: Vec::new(), outcomes: HashMap::new() };
        let mut looked_at = 0;
        loop {
            let entries = store.audit(query, BATCH).await?;
            let is_last = entries.len() < BATCH as usize;
            let Some(last) = entries.last() else { return Ok(found.page(None)) };
            let end = cursor(last);
            query = AuditQuery::Before { at: last.at, chain: last.chain.clone(), seq: last.seq };
            looked_at += entries.len();
            for entry in entries {
                let here = cursor(&entry);
                self.look(entry, &mut found);
                if found.items.len() >= limit as usize {
                    return Ok(found.page(Some(here)));
                }
            }
            if is_last {
                return Ok(found.page(None));
            }
            if looked_at >= MAX_LOOKED_AT {
                return Ok(found.page(Some(end)));
            }
        }
    }

    /// Takes an entry if it is sought. The entry on what came of a request says nothing of it but its identifier, and comes before it.
    fn look(&self, entry: AuditEntry, found: &mut Found) {
        let said: Value = serde_json::from_str(&entry.entry).unwrap_or_default();
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("phase") == "done" && text("by").is_empty() {
            found.outcomes.insert(text("request").to_owned(), entry);
            return;
        }
        let on = percent_decode_str(text("on")).decode_utf8_lossy();
        let route = text("do").split_once(' ').map_or("", |(_, route)| route);
        let is_sought = text("by").contains(self.by)
            && on.contains(self.on)
            && route.starts_with(self.route)
            && self.outcome.is_none_or(|outcome| text("phase") == outcome.phase());
        let outcome = (text("phase") == BEGUN).then(|| found.outcomes.remove(text("request"))).flatten();
        if is_sought {
            found.items.extend(outcome.map(Entry::from));
            found.items.push(entry.into());
        }
    }
}

/// What was found so far.
struct Found {
    items: Vec<Entry>,
    /// What came of requests that begin further back.
    outcomes: HashMap<String, AuditEntry>,
}

impl Found {
    fn page(self, next: Option<String>) -> Page<Entry> {
        Page { items: self.items, next }
    }
}

/// A time of a request.
///
/// # Errors
/// 400 says how it is written.
pub fn time(text: &str) -> Result<Time, Problem> {
    let read = text.parse::<Timestamp>();
    read.map(|at| Time(at.as_microsecond()))
        .map_err(|_| Problem::bad(format!("{text:?} is no time; write it as 2026-11-22T08:30:00Z")))
}

#[cfg(test)]
mod tests {
    use omadm_store::sqlite::SqliteConfig;
    use omadm_store::{PeopleStore as _, SqlStore};
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_search_looks_so_far_and_goes_on_from_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqlStore::open(&dir.path().join("omadm.db"), SqliteConfig::default()).unwrap();
        let entry =
            |by: &str| json!({ "by": by, "do": "POST /login", "phase": "done", "on": "/x%20y" }).to_string();
        let others = vec![entry("user bob"); MAX_LOOKED_AT + 10];
        store.add_audit("n", [vec![entry("user ann")], others].concat(), Time(1)).await.unwrap();
        let search = Search { by: "ann", on: "x y", route: "/log", outcome: None };
        let newest = AuditQuery::Before { at: Time(2), chain: String::new(), seq: 0 };
        let page = search.run(&store, newest, 10).await.unwrap();
        assert!(page.items.is_empty());
        let Some(AuditQuery::Before { at, chain, seq }) =
            page.next.and_then(|next| super::super::before(Some(&next), None).ok())
        else {
            panic!("there is more to look at");
        };
        assert_eq!(seq, 12, "so many were looked at");
        let page = search.run(&store, AuditQuery::Before { at, chain, seq }, 10).await.unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
    }
}
