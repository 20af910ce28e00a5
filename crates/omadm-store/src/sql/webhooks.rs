//! Webhooks, how far they have come, and what was given up.

use omadm_mo::Time;
use uuid::Uuid;

use super::{Connection, Id, Params, Row, Texts, execute, params, query, query_optional, texts};
use crate::{DeadLetter, NewWebhook, StoreError, Webhook, WebhookStep};

/// Most dead letters that go at once.
const MOST_AT_ONCE: u32 = 1_000;
/// Columns of a webhook, in the order of [`webhook`].
const WEBHOOK: &str = "name, url, secret, kinds, created, position, version, due, attempts, problem";

pub(crate) fn newest_event(conn: &Connection) -> Result<i64, StoreError> {
    let newest = "SELECT cursor FROM event WHERE cursor < ?1 ORDER BY cursor DESC LIMIT 1";
    Ok(query_optional(conn, newest, params![conn.event_horizon()], |row| row.get(0))?.unwrap_or_default())
}

pub(crate) fn add(conn: &Connection, new: &NewWebhook, now: Time) -> Result<bool, StoreError> {
    let NewWebhook { name, url, secret, kinds } = new;
    let position = newest_event(conn)?;
    let added = execute(
        conn,
        "INSERT INTO webhook (name, url, secret, kinds, created, position, version, due, attempts, problem)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?5, 0, NULL) ON CONFLICT (name) DO NOTHING",
        params![name, url, secret, texts(kinds), now.0, position],
    )?;
    Ok(added > 0)
}

pub(crate) fn get(conn: &Connection, name: &str) -> Result<Option<Webhook>, StoreError> {
    Ok(select(conn, "name = ?1", params![name])?.pop())
}

pub(crate) fn all(conn: &Connection) -> Result<Vec<Webhook>, StoreError> {
    select(conn, "name > '' ORDER BY name", &[])
}

pub(crate) fn remove(conn: &Connection, name: &str) -> Result<bool, StoreError> {
    execute(conn, "DELETE FROM webhook_dead WHERE webhook = ?1", params![name])?;
    Ok(execute(conn, "DELETE FROM webhook WHERE name = ?1", params![name])? > 0)
}

pub(crate) fn claim(
    conn: &Connection,
    now: Time,
    until: Time,
    limit: u32,
) -> Result<Vec<Webhook>, StoreError> {
    let newest = newest_event(conn)?;
    let due = "(due <= ?1 OR due > ?4) AND position < ?2 ORDER BY due LIMIT ?3";
    let farthest = now.plus_micros(Webhook::FARTHEST);
    let mut claimed = Vec::new();
    for mut webhook in select(conn, due, params![now.0, newest, limit, farthest.0])? {
        let taken = execute(
            conn,
            "UPDATE webhook SET due = ?3, version = version + 1 WHERE name = ?1 AND version = ?2",
            params![webhook.given.name, webhook.version, until.0],
        )?;
        if taken > 0 {
            webhook.version += 1;
            claimed.push(webhook);
        }
    }
    Ok(claimed)
}

pub(crate) fn advance(conn: &Connection, step: &WebhookStep, most: u32) -> Result<(), StoreError> {
    let WebhookStep { name, version, position, due, attempts, problem, dead } = step;
    let moved = execute(
        conn,
        "UPDATE webhook SET position = ?3, due = ?4, attempts = ?5, problem = ?6, version = version + 1
         WHERE name = ?1 AND version = ?2",
        params![name, version, position, due.0, attempts, problem],
    )?;
    if moved == 0 {
        return Err(StoreError::Conflict("a webhook"));
    }
    if let Some((dead, body)) = dead {
        bury(conn, dead, body, most)?;
    }
    Ok(())
}

fn bury(conn: &Connection, dead: &DeadLetter, body: &str, most: u32) -> Result<(), StoreError> {
    let DeadLetter { id, webhook, at, first, last, attempts, problem } = dead;
    execute(
        conn,
        "INSERT INTO webhook_dead (webhook, id, at, first, last, attempts, problem, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![webhook, Id(*id), at.0, first, last, attempts, problem, body],
    )?;
    execute(
        conn,
        "DELETE FROM webhook_dead WHERE webhook = ?1 AND id IN
           (SELECT id FROM webhook_dead WHERE webhook = ?1 ORDER BY id DESC LIMIT ?3 OFFSET ?2)",
        params![webhook, most, MOST_AT_ONCE],
    )?;
    Ok(())
}

pub(crate) fn move_to(conn: &Connection, name: &str, position: i64, now: Time) -> Result<bool, StoreError> {
    let moved = execute(
        conn,
        "UPDATE webhook SET position = ?2, due = ?3, attempts = 0, problem = NULL, version = version + 1
         WHERE name = ?1",
        params![name, position, now.0],
    )?;
    Ok(moved > 0)
}

pub(crate) fn dead(
    conn: &Connection,
    webhook: &str,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<DeadLetter>, StoreError> {
    query(
        conn,
        "SELECT webhook, id, at, first, last, attempts, problem FROM webhook_dead
         WHERE webhook = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        params![webhook, Id(after.unwrap_or_default()), limit],
        |row| {
            Ok(DeadLetter {
                webhook: row.get(0)?,
                id: row.get::<Id>(1)?.0,
                at: Time(row.get(2)?),
                first: row.get(3)?,
                last: row.get(4)?,
                attempts: row.get(5)?,
                problem: row.get(6)?,
            })
        },
    )
}

pub(crate) fn dead_body(conn: &Connection, webhook: &str, id: Uuid) -> Result<Option<String>, StoreError> {
    let sql = "SELECT body FROM webhook_dead WHERE webhook = ?1 AND id = ?2";
    query_optional(conn, sql, params![webhook, Id(id)], |row| row.get(0))
}

pub(crate) fn remove_dead(conn: &Connection, webhook: &str, id: Uuid) -> Result<bool, StoreError> {
    let sql = "DELETE FROM webhook_dead WHERE webhook = ?1 AND id = ?2";
    Ok(execute(conn, sql, params![webhook, Id(id)])? > 0)
}

fn select(conn: &Connection, condition: &str, params: Params<'_>) -> Result<Vec<Webhook>, StoreError> {
    query(conn, &format!("SELECT {WEBHOOK} FROM webhook WHERE {condition}"), params, webhook)
}

fn webhook(row: &Row<'_>) -> Result<Webhook, StoreError> {
    Ok(Webhook {
        given: NewWebhook {
            name: row.get(0)?,
            url: row.get(1)?,
            secret: row.get(2)?,
            kinds: row.get::<Texts>(3)?.0,
        },
        created: Time(row.get(4)?),
        position: row.get(5)?,
        version: row.get(6)?,
        due: Time(row.get(7)?),
        attempts: row.get(8)?,
        problem: row.get(9)?,
    })
}
