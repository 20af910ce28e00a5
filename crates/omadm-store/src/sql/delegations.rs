//! Delegations between servers.

use omadm_mo::{DeviceId, Time};
use uuid::Uuid;

use super::{Connection, Dev, Id, Params, Row, execute, params, query, query_optional};
use super::{SqlStore, commands, events};
use crate::{
    Delegation, DelegationOut, DelegationPart, DelegationSeen, DelegationStep, DelegationStore, PartState,
    StoreError,
};

/// Columns of a delegation, in the order of [`delegation`].
const DELEGATION: &str = "d.number, d.id, d.peer, d.name, d.role, d.state, d.version, d.created, d.updated, d.due, \
                          d.document, d.detail";
/// Columns of a part, in the order of [`part`].
const PART: &str = "p.delegation, p.device, p.state, p.waits_for, p.due, p.record";

#[async_trait::async_trait]
impl DelegationStore for SqlStore {
    async fn step_delegation(&self, step: DelegationStep, now: Time) -> Result<(), StoreError> {
        self.write(move |conn| apply(conn, &step, now)).await
    }

    async fn delegation(&self, id: Uuid) -> Result<Option<Delegation>, StoreError> {
        let read = move |conn: &Connection| Ok(select(conn, "d.id = ?1", params![Id(id)])?.pop());
        self.read_small(read).await
    }

    async fn delegation_named(&self, peer: &str, name: &str) -> Result<Option<Delegation>, StoreError> {
        let (peer, name) = (peer.to_owned(), name.to_owned());
        let read = move |conn: &Connection| {
            Ok(select(conn, "d.peer = ?1 AND d.name = ?2", params![peer, name])?.pop())
        };
        self.read_small(read).await
    }

    async fn delegations(&self, before: Option<i64>, limit: u32) -> Result<Vec<Delegation>, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        let newest = "d.number < ?1 ORDER BY d.number DESC LIMIT ?2";
        self.read(move |conn| select(conn, newest, params![before, limit])).await
    }

    async fn due_delegations(&self, now: Time, limit: u32) -> Result<Vec<Delegation>, StoreError> {
        let due = "d.due <= ?1 ORDER BY d.due LIMIT ?2";
        self.read(move |conn| select(conn, due, params![now.0, limit])).await
    }

    async fn delegation_parts(
        &self,
        id: Uuid,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<DelegationPart>, StoreError> {
        let read = move |conn: &Connection| {
            let after = after.as_ref().map_or("", DeviceId::as_str);
            let of = "p.delegation = ?1 AND p.device > ?2 ORDER BY p.device LIMIT ?3";
            parts(conn, of, params![Id(id), after, limit])
        };
        self.read(read).await
    }

    async fn delegation_counts(&self, id: Uuid) -> Result<Vec<(PartState, i64)>, StoreError> {
        let read = move |conn: &Connection| {
            let sql = "SELECT state, COUNT(*) FROM delegation_part WHERE delegation = ?1 GROUP BY state";
            query(conn, sql, params![Id(id)], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        self.read(read).await
    }

    async fn delegations_of(
        &self,
        device: &DeviceId,
    ) -> Result<Vec<(Delegation, DelegationPart)>, StoreError> {
        let device = device.clone();
        let read = move |conn: &Connection| {
            let sql = format!(
                "SELECT {DELEGATION}, {PART} FROM delegation_part p JOIN delegation d ON d.id = p.delegation
                 WHERE p.device = ?1 AND p.state NOT IN ('ended', 'failed')
                   AND d.state NOT IN ('ended', 'rejected', 'failed') ORDER BY d.number"
            );
            query(conn, &sql, params![device.as_str()], |row| Ok((delegation(row)?, part(row, 12)?)))
        };
        self.read(read).await
    }

    async fn due_parts(&self, now: Time, limit: u32) -> Result<Vec<DelegationPart>, StoreError> {
        let read = move |conn: &Connection| {
            let mut found = parts(
                conn,
                "p.waits_for IS NOT NULL AND NOT EXISTS
                   (SELECT 1 FROM command c WHERE c.id = p.waits_for AND c.finished IS NULL) LIMIT ?1",
                params![limit],
            )?;
            found.extend(parts(
                conn,
                "p.due <= ?1 AND p.waits_for IS NULL AND NOT EXISTS
                   (SELECT 1 FROM delegation_part o WHERE o.device = p.device AND o.waits_for IS NOT NULL)
                 ORDER BY p.due LIMIT ?2",
                params![now.0, limit],
            )?);
            Ok(found)
        };
        self.read(read).await
    }

    async fn due_delegation_messages(&self, now: Time, limit: u32) -> Result<Vec<DelegationOut>, StoreError> {
        let read = move |conn: &Connection| {
            let sql = "SELECT number, peer, msg_id, delegation, document, created, attempts, due
                 FROM delegation_message WHERE due <= ?1
                   AND number IN (SELECT MIN(number) FROM delegation_message GROUP BY peer)
                 ORDER BY due LIMIT ?2";
            query(conn, sql, params![now.0, limit], |row| {
                Ok(DelegationOut {
                    number: row.get(0)?,
                    peer: row.get(1)?,
                    msg_id: row.get(2)?,
                    delegation: row.get::<Id>(3)?.0,
                    document: row.get(4)?,
                    created: Time(row.get(5)?),
                    attempts: row.get(6)?,
                    due: Time(row.get(7)?),
                })
            })
        };
        self.read(read).await
    }

    async fn defer_delegation_message(&self, number: i64, due: Time) -> Result<(), StoreError> {
        let sql = "UPDATE delegation_message SET attempts = attempts + 1, due = ?2 WHERE number = ?1";
        let defer = move |conn: &Connection| execute(conn, sql, params![number, due.0]).map(drop);
        self.write(defer).await
    }

    async fn delegation_seen(&self, peer: &str, msg_id: &str) -> Result<Option<DelegationSeen>, StoreError> {
        let (peer, msg_id) = (peer.to_owned(), msg_id.to_owned());
        let read = move |conn: &Connection| {
            let sql = "SELECT at, digest, answer FROM delegation_seen WHERE peer = ?1 AND msg_id = ?2";
            query_optional(conn, sql, params![peer, msg_id], |row| {
                let (peer, msg_id) = (peer.clone(), msg_id.clone());
                Ok(DelegationSeen {
                    peer,
                    msg_id,
                    at: Time(row.get(0)?),
                    digest: row.get(1)?,
                    answer: row.get(2)?,
                })
            })
        };
        self.read_small(read).await
    }

    async fn prune_delegations(&self, seen: Time, over: Time, limit: u32) -> Result<u32, StoreError> {
        self.write(move |conn| prune(conn, seen, over, limit)).await
    }
}

fn apply(conn: &Connection, step: &DelegationStep, now: Time) -> Result<(), StoreError> {
    if let Some(seen) = &step.seen {
        let taken = execute(
            conn,
            "INSERT INTO delegation_seen (peer, msg_id, at, digest, answer) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
            params![seen.peer, seen.msg_id, seen.at.0, seen.digest, seen.answer],
        )?;
        expect(taken, "a message of another server")?;
    }
    if let Some(delegation) = &step.delegation {
        put(conn, delegation, now)?;
    }
    for part in &step.parts {
        put_part(conn, part)?;
    }
    for command in &step.commands {
        commands::enqueue(conn, command.clone(), step.queue_limit, now)?;
    }
    for out in &step.send {
        execute(
            conn,
            "INSERT INTO delegation_message (number, peer, msg_id, delegation, document, created, attempts, due)
             VALUES (?8, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                out.peer,
                out.msg_id,
                Id(out.delegation),
                out.document,
                out.created.0,
                out.attempts,
                out.due.0,
                conn.number()
            ],
        )?;
    }
    if let Some(number) = step.sent {
        let gone = execute(conn, "DELETE FROM delegation_message WHERE number = ?1", params![number])?;
        expect(gone, "a message to another server")?;
    }
    events::add(conn, &step.events, now)
}

/// Refuses what changed nothing.
fn expect(changed: usize, what: &'static str) -> Result<(), StoreError> {
    if changed == 0 { Err(StoreError::Conflict(what)) } else { Ok(()) }
}

fn put(conn: &Connection, delegation: &Delegation, now: Time) -> Result<(), StoreError> {
    let Delegation { id, peer, name, role, state, version, created, due, document, detail, .. } = delegation;
    let due = due.map(|due| due.0);
    let written = if *version == 0 {
        execute(
            conn,
            "INSERT INTO delegation (number, id, peer, name, role, state, version, created, updated, due, document, detail)
             VALUES (?11, ?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
            params![Id(*id), peer, name, role, state, created.0, now.0, due, document, detail, conn.number()],
        )?
    } else {
        execute(
            conn,
            "UPDATE delegation SET state = ?3, version = version + 1, updated = ?4, due = ?5, detail = ?6
             WHERE id = ?1 AND version = ?2",
            params![Id(*id), version, state, now.0, due, detail],
        )?
    };
    expect(written, "a delegation")
}

fn put_part(conn: &Connection, part: &DelegationPart) -> Result<(), StoreError> {
    let DelegationPart { delegation, device, state, waits_for, due, record } = part;
    let due = due.map(|due| due.0);
    execute(
        conn,
        "INSERT INTO delegation_part (delegation, device, state, waits_for, due, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (delegation, device) DO UPDATE SET state = excluded.state, waits_for = excluded.waits_for,
           due = excluded.due, record = excluded.record",
        params![Id(*delegation), device.as_str(), state, waits_for.map(Id), due, record],
    )?;
    Ok(())
}

fn prune(conn: &Connection, seen: Time, over: Time, limit: u32) -> Result<u32, StoreError> {
    let forgotten = execute(
        conn,
        "DELETE FROM delegation_seen WHERE (peer, msg_id) IN
           (SELECT peer, msg_id FROM delegation_seen WHERE at < ?1 LIMIT ?2)",
        params![seen.0, limit],
    )?;
    let old: Vec<Id> = query(
        conn,
        "SELECT id FROM delegation WHERE state IN ('ended', 'rejected', 'failed') AND updated < ?1 LIMIT ?2",
        params![over.0, limit],
        |row| row.get(0),
    )?;
    let gone = forgotten + old.len();
    for id in old {
        for sql in [
            "DELETE FROM delegation_part WHERE delegation = ?1",
            "DELETE FROM delegation_message WHERE delegation = ?1",
            "DELETE FROM delegation WHERE id = ?1",
        ] {
            execute(conn, sql, params![id])?;
        }
    }
    Ok(u32::try_from(gone).unwrap_or(u32::MAX))
}

fn select(conn: &Connection, condition: &str, params: Params<'_>) -> Result<Vec<Delegation>, StoreError> {
    query(conn, &format!("SELECT {DELEGATION} FROM delegation d WHERE {condition}"), params, delegation)
}

fn parts(conn: &Connection, condition: &str, params: Params<'_>) -> Result<Vec<DelegationPart>, StoreError> {
    let sql = format!("SELECT {PART} FROM delegation_part p WHERE {condition}");
    query(conn, &sql, params, |row| part(row, 0))
}

fn delegation(row: &Row<'_>) -> Result<Delegation, StoreError> {
    Ok(Delegation {
        number: row.get(0)?,
        id: row.get::<Id>(1)?.0,
        peer: row.get(2)?,
        name: row.get(3)?,
        role: row.get(4)?,
        state: row.get(5)?,
        version: row.get(6)?,
        created: Time(row.get(7)?),
        updated: Time(row.get(8)?),
        due: row.get::<Option<i64>>(9)?.map(Time),
        document: row.get(10)?,
        detail: row.get(11)?,
    })
}

/// A part in the columns from `first` on.
fn part(row: &Row<'_>, first: usize) -> Result<DelegationPart, StoreError> {
    Ok(DelegationPart {
        delegation: row.get::<Id>(first)?.0,
        device: row.get::<Dev>(first + 1)?.0,
        state: row.get(first + 2)?,
        waits_for: row.get::<Option<Id>>(first + 3)?.map(|id| id.0),
        due: row.get::<Option<i64>>(first + 4)?.map(Time),
        record: row.get(first + 5)?,
    })
}
