//! What one message of a device reads and writes, and the sessions and traces that come of it.

use omadm_mo::{DeviceId, Time};
use rusqlite::{Connection, Row, Transaction, params};

use super::row::{Dev, Texts, count, execute, query, query_optional};
use super::{commands, devices, events, payloads, tree};
use crate::{
    Accept, CheckIn, Credential, SessionId, SessionRow, SessionStep, SessionSummary, StoreError, TraceMessage,
};

/// Reads device, session and queue as they were at one instant.
pub(super) fn check_in(conn: &Connection, id: &DeviceId, limit: u32) -> Result<Option<CheckIn>, StoreError> {
    let snapshot = snapshot(conn)?;
    all_of(&snapshot, id, limit)
}

/// As [`check_in`], for the device of a user, if its credential is accepted.
pub(super) fn check_in_user(
    conn: &Connection,
    user: &str,
    accept: Accept,
    limit: u32,
) -> Result<Option<(Credential, CheckIn)>, StoreError> {
    let snapshot = snapshot(conn)?;
    let credential = devices::credential(&snapshot, user)?.filter(accept);
    let Some(credential) = credential else { return Ok(None) };
    let check = all_of(&snapshot, &credential.device, limit)?;
    Ok(check.map(|check| (credential, check)))
}

/// What is read through it is of one instant. It only reads, so that rolling it back on drop is the same as committing it.
fn snapshot(conn: &Connection) -> rusqlite::Result<Transaction<'_>> {
    conn.unchecked_transaction()
}

fn all_of(conn: &Connection, id: &DeviceId, limit: u32) -> Result<Option<CheckIn>, StoreError> {
    let Some(device) = devices::get(conn, id)? else { return Ok(None) };
    let session = row(conn, id, device.generation)?;
    let (commands, more) = if device.open_commands == 0 {
        (Vec::new(), false)
    } else {
        commands::open(conn, id, device.generation, limit)?
    };
    Ok(Some(CheckIn { device, session, commands, more }))
}

fn row(conn: &Connection, device: &DeviceId, generation: i64) -> Result<Option<SessionRow>, StoreError> {
    query_optional(
        conn,
        "SELECT session, version, state, request_digest, reply, ended, updated
         FROM session WHERE device = $1 AND generation = $2",
        params![device.as_str(), generation],
        |row| {
            Ok(SessionRow {
                session: row.get(0)?,
                version: row.get(1)?,
                state: row.get(2)?,
                request_digest: row.get(3)?,
                reply: row.get(4)?,
                ended: row.get(5)?,
                updated: Time(row.get(6)?),
            })
        },
    )
}

/// Applies all of a step; the caller undoes it when this fails. What can conflict comes first.
pub(super) fn apply(conn: &Connection, step: &SessionStep) -> Result<(), StoreError> {
    touch(conn, step)?;
    if let Some(session) = &step.session {
        write_row(conn, step, session)?;
    }
    for transition in &step.transitions {
        commands::transition(conn, &step.device, step.generation, transition, step.now)?;
    }
    log(conn, step)?;
    for payload in &step.payloads {
        payloads::put(conn, payload, &step.device, step.generation, None, step.now)?;
    }
    for update in &step.tree {
        tree::update(conn, &step.device, step.generation, update, step.now)?;
    }
    events::add(conn, &step.events, step.now)
}

/// Brings the device's own row up to date, if it is still the enrolment that was read.
fn touch(conn: &Connection, step: &SessionStep) -> Result<(), StoreError> {
    let finished = step.transitions.iter().filter(|transition| transition.to.is_final()).count();
    let changed = execute(
        conn,
        "UPDATE device SET last_contact = $3, open_commands = open_commands - $4,
           protocol = COALESCE($5, protocol), facts = COALESCE($6, facts), inventory = COALESCE($7, inventory)
         WHERE device = $1 AND generation = $2",
        params![
            step.device.as_str(),
            step.generation,
            step.now.0,
            count(finished),
            step.protocol,
            step.facts,
            step.inventory
        ],
    )?;
    if changed == 0 {
        return Err(StoreError::Conflict("the device was removed or enrolled anew"));
    }
    Ok(())
}

fn write_row(conn: &Connection, step: &SessionStep, session: &SessionRow) -> Result<(), StoreError> {
    let sql = match step.expected_version {
        None => {
            "INSERT INTO session (device, generation, version, session, state, request_digest, reply, ended, updated)
             VALUES ($1, $2, COALESCE($3, 0) + 1, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (device, generation) DO NOTHING"
        }
        Some(_) => {
            "UPDATE session SET version = version + 1, session = $4, state = $5, request_digest = $6, reply = $7,
               ended = $8, updated = $9
             WHERE device = $1 AND generation = $2 AND version = $3"
        }
    };
    let changed = execute(
        conn,
        sql,
        params![
            step.device.as_str(),
            step.generation,
            step.expected_version,
            session.session,
            session.state,
            session.request_digest,
            session.reply,
            session.ended,
            step.now.0
        ],
    )?;
    if changed == 0 {
        return Err(StoreError::Conflict("the session has gone on since it was read"));
    }
    Ok(())
}

/// Writes the listing of sessions and the trace. Messages without a session, such as uploads, go with the session that the
/// device had last, or with number 0 if it had none.
fn log(conn: &Connection, step: &SessionStep) -> Result<(), StoreError> {
    if let Some(replaced) = step.replaced {
        execute(
            conn,
            "UPDATE session_log SET outcome = 'replaced' WHERE device = $1 AND generation = $2 AND session = $3",
            params![step.device.as_str(), step.generation, replaced],
        )?;
    }
    let session = match &step.session {
        Some(row) => row.session,
        None if step.trace.is_empty() && step.outcome.is_none() => return Ok(()),
        None => row(conn, &step.device, step.generation)?.map_or(0, |row| row.session),
    };
    let messages = query_optional(
        conn,
        "INSERT INTO session_log (device, generation, session, started, updated, messages, outcome)
         VALUES ($1, $2, $3, $4, $4, $5, COALESCE($6, 'open'))
         ON CONFLICT (device, generation, session) DO UPDATE SET updated = excluded.updated,
           messages = session_log.messages + excluded.messages, outcome = COALESCE($6, session_log.outcome)
         RETURNING messages",
        params![
            step.device.as_str(),
            step.generation,
            session,
            step.now.0,
            count(step.trace.len()),
            step.outcome
        ],
        |row| row.get::<_, i64>(0),
    )?;
    // The last message has the number of all messages so far.
    let last = messages.unwrap_or_default();
    for (number, message) in (1..=last).rev().zip(step.trace.iter().rev()) {
        trace_message(conn, step, session, number, message)?;
    }
    Ok(())
}

fn trace_message(
    conn: &Connection,
    step: &SessionStep,
    session: SessionId,
    number: i64,
    message: &TraceMessage,
) -> Result<(), StoreError> {
    execute(
        conn,
        "INSERT INTO trace (device, generation, session, number, at, from_device, http_status, length, summary,
           content_type, notes, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        params![
            step.device.as_str(),
            step.generation,
            session,
            number,
            message.at.0,
            message.from_device,
            message.http_status,
            message.length,
            message.summary,
            message.content_type,
            Texts(message.notes.clone()),
            message.body
        ],
    )?;
    Ok(())
}

const SUMMARY: &str = "SELECT l.device, l.session, l.started, l.updated, l.outcome, l.messages
    FROM session_log l JOIN device d ON d.device = l.device AND d.generation = l.generation
    WHERE d.device = $1";

fn summary(row: &Row<'_>) -> rusqlite::Result<SessionSummary> {
    Ok(SessionSummary {
        device: row.get::<_, Dev>(0)?.0,
        session: row.get(1)?,
        started: Time(row.get(2)?),
        updated: Time(row.get(3)?),
        outcome: row.get(4)?,
        messages: row.get(5)?,
    })
}

pub(super) fn list(
    conn: &Connection,
    device: &DeviceId,
    before: Option<SessionId>,
    limit: u32,
) -> Result<Vec<SessionSummary>, StoreError> {
    let sql = format!("{SUMMARY} AND l.session < $2 ORDER BY l.session DESC LIMIT $3");
    query(conn, &sql, params![device.as_str(), before.unwrap_or(i64::MAX), limit], summary)
}

pub(super) fn trace(
    conn: &Connection,
    device: &DeviceId,
    session: SessionId,
) -> Result<Option<(SessionSummary, Vec<TraceMessage>)>, StoreError> {
    let snapshot = snapshot(conn)?;
    let sql = format!("{SUMMARY} AND l.session = $2");
    let Some(found) = query_optional(&snapshot, &sql, params![device.as_str(), session], summary)? else {
        return Ok(None);
    };
    let messages = query(
        &snapshot,
        "SELECT t.at, t.from_device, t.summary, t.content_type, t.http_status, t.body, t.length, t.notes
         FROM trace t JOIN device d ON d.device = t.device AND d.generation = t.generation
         WHERE d.device = $1 AND t.session = $2 ORDER BY t.number",
        params![device.as_str(), session],
        |row| {
            Ok(TraceMessage {
                at: Time(row.get(0)?),
                from_device: row.get(1)?,
                summary: row.get(2)?,
                content_type: row.get(3)?,
                http_status: row.get(4)?,
                body: row.get(5)?,
                length: row.get(6)?,
                notes: row.get::<_, Texts>(7)?.0,
            })
        },
    )?;
    Ok(Some((found, messages)))
}
