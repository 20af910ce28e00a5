//! What one message of a device reads and writes, and the sessions and traces that come of it.

use std::sync::LazyLock;

use omadm_mo::{DeviceId, Time};

use super::{Connection, Dev, Row, Texts, count, execute, params, query, query_optional, texts};
use super::{catalogue, commands, devices, events, fleet, payloads, profiles, standing, tree, validators};
use crate::{
    Accept, CheckIn, Credential, SessionId, SessionRow, SessionStep, SessionSummary, StoreError, TraceMessage,
};

/// Reads device, session and queue as they were at one instant.
pub(crate) fn check_in(conn: &Connection, id: &DeviceId, limit: u32) -> Result<Option<CheckIn>, StoreError> {
    let snapshot = conn.snapshot()?;
    all_of(&snapshot, id, limit)
}

/// As [`check_in`], for the device of a user, if its credential is accepted.
pub(crate) fn check_in_user(
    conn: &Connection,
    user: &str,
    accept: Accept,
    limit: u32,
) -> Result<Option<(Credential, CheckIn)>, StoreError> {
    let snapshot = conn.snapshot()?;
    let credential = devices::credential(&snapshot, user)?.filter(accept);
    let Some(credential) = credential else { return Ok(None) };
    let check = all_of(&snapshot, &credential.device, limit)?;
    Ok(check.map(|check| (credential, check)))
}

static DEVICE_AND_SESSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {}, last_seq, dm1,
           open_commands > 0 AND EXISTS (SELECT 1 FROM validator v
             WHERE v.device = device.device AND v.generation = device.generation),
           session, version, state, request_digest, reply, ended, updated
         FROM device WHERE device = ?1",
        devices::COLUMNS
    )
});

fn all_of(conn: &Connection, id: &DeviceId, limit: u32) -> Result<Option<CheckIn>, StoreError> {
    let found = query_optional(conn, &DEVICE_AND_SESSION, params![id.as_str()], |row| {
        let at = devices::WIDTH;
        let rest = (row.get::<i64>(at)?, row.get(at + 1)?, row.get::<bool>(at + 2)?);
        Ok((devices::device(row)?, rest, session_row(row, at + 3)?))
    })?;
    let Some((device, rest, session)) = found.filter(|(device, ..)| device.revoked.is_none()) else {
        return Ok(None);
    };
    let (last_seq, dm1, has_validators) = rest;
    let generation = device.generation;
    let (commands, more) = match device.open_commands {
        0 => (Vec::new(), false),
        open => commands::open(conn, id, generation, open, limit)?,
    };
    let validators = if has_validators { validators::list(conn, id, generation)? } else { Vec::new() };
    Ok(Some(CheckIn { device, session, commands, more, last_seq, validators, dm1 }))
}

/// Reads the session that stands in the columns from `at` on.
fn session_row(row: &Row<'_>, at: usize) -> Result<Option<SessionRow>, StoreError> {
    let Some(session) = row.get(at)? else { return Ok(None) };
    Ok(Some(SessionRow {
        session,
        version: row.get(at + 1)?,
        state: row.get(at + 2)?,
        request_digest: row.get(at + 3)?,
        reply: row.get(at + 4)?,
        ended: row.get(at + 5)?,
        updated: Time(row.get(at + 6)?),
    }))
}

/// Applies all of a step; the caller undoes it when this fails. What can conflict comes first.
pub(crate) fn apply(conn: &Connection, step: &SessionStep) -> Result<(), StoreError> {
    write_device(conn, step)?;
    fleet::learn(conn, step)?;
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
    for change in &step.validators {
        validators::change(conn, &step.device, step.generation, change)?;
    }
    for change in &step.standing {
        standing::change(conn, &step.device, step.generation, change, step.now)?;
    }
    if let Some(model) = &step.model {
        catalogue::put_model(conn, model)?;
    }
    if let Some(looked) = &step.profiles {
        profiles::step(conn, &step.device, step.generation, looked, step.now)?;
    }
    events::add(conn, &step.events, step.now)
}

/// Brings the device's own row up to date with its session, if both are still as they were read.
fn write_device(conn: &Connection, step: &SessionStep) -> Result<(), StoreError> {
    let finished = step.transitions.iter().filter(|transition| transition.to.is_final()).count();
    let writes = step.is_for_next_message();
    let session = step.session.as_ref();
    let changed = execute(
        conn,
        "UPDATE device SET last_contact = ?3, open_commands = open_commands - ?4,
           protocol = COALESCE(?5, protocol), facts = COALESCE(?6, facts), inventory = COALESCE(?7, inventory),
           version = version + ?8, session = COALESCE(?9, session), ended = COALESCE(?10, ended),
           updated = COALESCE(?11, updated), request_digest = COALESCE(?12, request_digest),
           state = COALESCE(?13, state), reply = COALESCE(?14, reply), dm1 = COALESCE(?17, dm1),
           bearer = COALESCE(?18, bearer)
         WHERE device = ?1 AND generation = ?2 AND revoked IS NULL
           AND (?9 IS NULL OR version = ?15 OR (?15 IS NULL AND session IS NULL))
           AND (?16 IS NULL OR last_seq = ?16)",
        params![
            step.device.as_str(),
            step.generation,
            step.now.0,
            count(finished),
            step.protocol,
            step.facts,
            step.inventory,
            i64::from(writes),
            session.map(|row| row.session),
            session.map(|row| row.ended),
            session.map(|_| step.now.0),
            session.map(|row| row.request_digest.as_slice()),
            session.map(|row| row.state.as_slice()),
            session.map(|row| row.reply.as_slice()),
            step.expected_version,
            step.expected_last_seq,
            step.dm1,
            step.bearer
        ],
    )?;
    if changed > 0 {
        return Ok(());
    }
    Err(StoreError::Conflict(match devices::generation(conn, &step.device)? {
        Some(generation) if generation == step.generation => {
            "the device's session or queue has gone on since it was read, or its bootstrap was revoked"
        }
        _ => "the device was removed or enrolled anew",
    }))
}

/// Writes the listing of sessions and the trace. Messages without a session, such as uploads, go with the session that the
/// device had last, or with number 0 if it had none.
fn log(conn: &Connection, step: &SessionStep) -> Result<(), StoreError> {
    if let Some(replaced) = step.replaced {
        execute(
            conn,
            "UPDATE session_log SET outcome = 'replaced' WHERE device = ?1 AND generation = ?2 AND session = ?3",
            params![step.device.as_str(), step.generation, replaced],
        )?;
    }
    if step.session.is_none() && step.trace.is_empty() && step.outcome.is_none() {
        return Ok(());
    }
    let logged = query_optional(
        conn,
        "INSERT INTO session_log (log, device, generation, session, started, updated, messages, outcome, octets)
         SELECT ?6, device, generation, COALESCE(session, 0), ?3, ?3, ?4, COALESCE(?5, 'open'), ?7
         FROM device WHERE device = ?1 AND generation = ?2
         ON CONFLICT (device, generation, session) DO UPDATE SET updated = excluded.updated,
           messages = session_log.messages + excluded.messages, outcome = COALESCE(?5, session_log.outcome),
           octets = session_log.octets + excluded.octets
         RETURNING log, messages",
        params![
            step.device.as_str(),
            step.generation,
            step.now.0,
            count(step.trace.len()),
            step.outcome,
            conn.number(),
            count(step.trace.iter().map(|message| message.body.len()).sum())
        ],
        |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
    )?;
    // The last message has the number of all messages so far.
    let (log, last) = logged.unwrap_or_default();
    for (number, message) in (1..=last).rev().zip(step.trace.iter().rev()) {
        trace_message(conn, &step.device, log, number, message)?;
    }
    Ok(())
}

fn trace_message(
    conn: &Connection,
    device: &DeviceId,
    log: i64,
    number: i64,
    message: &TraceMessage,
) -> Result<(), StoreError> {
    execute(
        conn,
        "INSERT INTO trace (device, log, number, at, from_device, http_status, length, summary, content_type,
           notes, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            device.as_str(),
            log,
            number,
            message.at.0,
            message.from_device,
            message.http_status,
            message.length,
            message.summary,
            message.content_type,
            texts(&message.notes),
            message.body
        ],
    )?;
    Ok(())
}

const SUMMARY: &str = "SELECT l.device, l.session, l.started, l.updated, l.outcome, l.messages, l.log
    FROM session_log l JOIN device d ON d.device = l.device AND d.generation = l.generation
    WHERE d.device = ?1";

fn summary(row: &Row<'_>) -> Result<SessionSummary, StoreError> {
    Ok(SessionSummary {
        device: row.get::<Dev>(0)?.0,
        session: row.get(1)?,
        started: Time(row.get(2)?),
        updated: Time(row.get(3)?),
        outcome: row.get(4)?,
        messages: row.get(5)?,
    })
}

pub(crate) fn list(
    conn: &Connection,
    device: &DeviceId,
    before: Option<SessionId>,
    limit: u32,
) -> Result<Vec<SessionSummary>, StoreError> {
    let sql = format!("{SUMMARY} AND l.session < ?2 ORDER BY l.session DESC LIMIT ?3");
    query(conn, &sql, params![device.as_str(), before.unwrap_or(i64::MAX), limit], summary)
}

pub(crate) fn trace(
    conn: &Connection,
    device: &DeviceId,
    session: SessionId,
) -> Result<Option<(SessionSummary, Vec<TraceMessage>)>, StoreError> {
    let snapshot = conn.snapshot()?;
    let sql = format!("{SUMMARY} AND l.session = ?2");
    let read = |row: &Row<'_>| Ok((summary(row)?, row.get::<i64>(6)?));
    let Some((found, log)) = query_optional(&snapshot, &sql, params![device.as_str(), session], read)? else {
        return Ok(None);
    };
    let messages = query(
        &snapshot,
        "SELECT at, from_device, summary, content_type, http_status, body, length, notes
         FROM trace WHERE device = ?1 AND log = ?2 ORDER BY number",
        params![device.as_str(), log],
        |row| {
            Ok(TraceMessage {
                at: Time(row.get(0)?),
                from_device: row.get(1)?,
                summary: row.get(2)?,
                content_type: row.get(3)?,
                http_status: row.get(4)?,
                body: row.get(5)?,
                length: row.get(6)?,
                notes: row.get::<Texts>(7)?.0,
            })
        },
    )?;
    Ok(Some((found, messages)))
}
