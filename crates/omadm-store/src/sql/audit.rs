//! The audit log.

use omadm_mo::Time;

use super::{Connection, Params, Row, execute, params, query, query_optional};
use crate::{AuditEntry, AuditHead, AuditQuery, NO_HASH, StoreError, entry_hash};

pub(crate) fn add(
    conn: &Connection,
    chain: &str,
    entries: &[String],
    now: Time,
) -> Result<AuditHead, StoreError> {
    let last = "SELECT chain, seq, hash FROM audit WHERE chain = ?1 ORDER BY seq DESC LIMIT 1";
    let head = query_optional(conn, last, params![chain], head)?;
    let none = || AuditHead { chain: chain.to_owned(), seq: 0, hash: NO_HASH.to_vec() };
    let mut head = head.unwrap_or_else(none);
    for entry in entries {
        let seq = head.seq + 1;
        let hash = entry_hash(&head.hash, chain, seq, now, entry).to_vec();
        let added = execute(
            conn,
            "INSERT INTO audit (chain, seq, at, prev, hash, entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (chain, seq) DO NOTHING",
            params![chain, seq, now.0, head.hash, hash, entry],
        )?;
        if added == 0 {
            return Err(StoreError::Conflict("an entry of the audit log"));
        }
        (head.seq, head.hash) = (seq, hash);
    }
    Ok(head)
}

pub(crate) fn list(
    conn: &Connection,
    wanted: &AuditQuery,
    limit: u32,
) -> Result<Vec<AuditEntry>, StoreError> {
    let of = |rest: &str, params: Params<'_>| {
        query(
            conn,
            &format!("SELECT chain, seq, at, prev, hash, entry FROM audit WHERE {rest}"),
            params,
            entry,
        )
    };
    match wanted {
        AuditQuery::Chain { chain, after } => {
            of("chain = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3", params![chain, after, limit])
        }
        AuditQuery::Before { at, chain, seq } => of(
            "(at, chain, seq) < (?1, ?2, ?3) ORDER BY at DESC, chain DESC, seq DESC LIMIT ?4",
            params![at.0, chain, seq, limit],
        ),
    }
}

/// The chains there are, one step of the index each.
fn chains(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut found: Vec<String> = Vec::new();
    let next = "SELECT chain FROM audit WHERE chain > ?1 ORDER BY chain LIMIT 1";
    while let Some(chain) =
        query_optional(conn, next, params![found.last().map_or("", String::as_str)], |row| row.get(0))?
    {
        found.push(chain);
    }
    Ok(found)
}

pub(crate) fn heads(conn: &Connection) -> Result<Vec<AuditHead>, StoreError> {
    let last = "SELECT chain, seq, hash FROM audit WHERE chain = ?1 ORDER BY seq DESC LIMIT 1";
    let heads = chains(conn)?.into_iter().map(|chain| query_optional(conn, last, params![chain], head));
    Ok(heads.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// The time of the oldest entry that [`prune`] would remove if it were old enough: the last one of a chain stays.
pub(crate) fn oldest(conn: &Connection) -> Result<Option<Time>, StoreError> {
    let first = "SELECT at FROM audit WHERE chain = ?1 AND seq < ?2 ORDER BY seq LIMIT 1";
    let firsts = heads(conn)?.into_iter().map(|AuditHead { chain, seq, .. }| {
        query_optional(conn, first, params![chain, seq], |row| row.get(0))
    });
    let firsts = firsts.collect::<Result<Vec<Option<i64>>, _>>()?;
    Ok(firsts.into_iter().flatten().min().map(Time))
}

pub(crate) fn prune(
    conn: &Connection,
    before: Time,
    limit: u32,
    noted_in: &str,
    now: Time,
) -> Result<Vec<AuditHead>, StoreError> {
    let mut left = limit;
    let mut cuts = Vec::new();
    for AuditHead { chain, seq: last, .. } in heads(conn)? {
        // Times of a chain may go back with a clock: it is cut before the first entry that stays.
        let stays = "SELECT seq FROM audit WHERE chain = ?1 AND at >= ?2 ORDER BY seq LIMIT 1";
        let stays: Option<i64> = query_optional(conn, stays, params![chain, before.0], |row| row.get(0))?;
        let end = stays.unwrap_or(last).min(last);
        let old = "SELECT chain, seq, hash FROM audit WHERE chain = ?1 AND seq < ?2 ORDER BY seq LIMIT ?3";
        let old = query(conn, old, params![chain, end, left], head)?;
        left = left.saturating_sub(u32::try_from(old.len()).unwrap_or(u32::MAX));
        let Some(cut) = old.into_iter().next_back() else { continue };
        execute(conn, "DELETE FROM audit WHERE chain = ?1 AND seq <= ?2", params![chain, cut.seq])?;
        cuts.push(cut);
    }
    if !cuts.is_empty() {
        let listed: Vec<_> = cuts.iter().map(AuditHead::to_json).collect();
        let entry = serde_json::json!({ "by": "server", "cuts": listed });
        add(conn, noted_in, &[entry.to_string()], now)?;
    }
    Ok(cuts)
}

fn head(row: &Row<'_>) -> Result<AuditHead, StoreError> {
    Ok(AuditHead { chain: row.get(0)?, seq: row.get(1)?, hash: row.get(2)? })
}

fn entry(row: &Row<'_>) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        chain: row.get(0)?,
        seq: row.get(1)?,
        at: Time(row.get(2)?),
        prev: row.get(3)?,
        hash: row.get(4)?,
        entry: row.get(5)?,
    })
}
