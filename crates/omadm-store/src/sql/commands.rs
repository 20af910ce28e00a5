//! The command queue of each device.
//!
//! ```text
//! queued --> sent --> done | failed
//!   |         |
//!   |         +-----> expired | quarantined | superseded
//!   +---------------> expired | quarantined | cancelled | superseded
//! ```
//! A command is open while its column `finished` is null, and a final state never changes again.

use std::sync::LazyLock;

use omadm_mo::{DeviceId, Time};

use super::{Connection, Dev, Id, Row, count, execute, params, query, query_optional};
use super::{events, payloads, pushes};
use crate::{Command, CommandId, CommandState, EventOf, NewCommand, Origin, StoreError, Transition};

/// Queues a command, and has its device notified.
pub(crate) fn enqueue(
    conn: &Connection,
    new: NewCommand,
    queue_limit: u32,
    now: Time,
) -> Result<Command, StoreError> {
    let queued = add(conn, new, queue_limit, now)?;
    pushes::wake(conn, &queued.device, now)?;
    Ok(queued)
}

/// Queues a command.
pub(super) fn add(
    conn: &Connection,
    new: NewCommand,
    queue_limit: u32,
    now: Time,
) -> Result<Command, StoreError> {
    let device = new.device.as_str();
    let numbered = query_optional(
        conn,
        "UPDATE device SET last_seq = last_seq + 1, open_commands = open_commands + 1
         WHERE device = ?1 RETURNING generation, last_seq, open_commands",
        params![device],
        |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?)),
    )?;
    let Some((generation, seq, open)) = numbered else {
        return Err(StoreError::DeviceUnknown(device.to_owned()));
    };
    let superseded = supersede(conn, &new, generation, now)?;
    if open - superseded > i64::from(queue_limit) {
        return Err(StoreError::QueueFull { device: device.to_owned(), limit: queue_limit });
    }
    if superseded > 0 {
        close(conn, &new.device, generation, superseded)?;
    }
    if let Some(payload) = &new.payload {
        payloads::put(conn, payload, &new.device, generation, Some(seq), now)?;
    }
    insert(conn, &new, generation, seq, now)?;
    Ok(Command {
        payload: new.payload.map(|payload| payload.id),
        id: new.id,
        device: new.device,
        generation,
        seq,
        verb: new.verb,
        address: new.address,
        args: new.args,
        state: CommandState::Queued,
        status: None,
        reason: None,
        result: None,
        attempts: 0,
        created: now,
        sent: None,
        finished: None,
        expires: new.expires,
        created_by: new.created_by,
        origin: new.origin,
    })
}

/// Ends the commands whose place `new` takes, also those that were sent and came back to the queue; gives how many.
fn supersede(conn: &Connection, new: &NewCommand, generation: i64, now: Time) -> Result<i64, StoreError> {
    let Some(key) = &new.supersede_key else { return Ok(0) };
    let changed = execute(
        conn,
        "UPDATE command SET state = 'superseded', finished = ?4,
           reason = CASE WHEN attempts = 0 THEN ?5 ELSE ?6 END
         WHERE device = ?1 AND generation = ?2 AND supersede_key = ?3 AND finished IS NULL AND state = 'queued'",
        params![
            new.device.as_str(),
            generation,
            key,
            now.0,
            format!("Replaced by the newer command {} before it was sent.", new.id),
            format!(
                "Replaced by the newer command {} while it waited to be sent again; it may have been carried out.",
                new.id
            )
        ],
    )?;
    Ok(count(changed))
}

fn insert(
    conn: &Connection,
    new: &NewCommand,
    generation: i64,
    seq: i64,
    now: Time,
) -> Result<(), StoreError> {
    execute(
        conn,
        "INSERT INTO command (device, generation, seq, id, state, attempts, created, expires, verb, address,
           supersede_key, payload, created_by, args, origin, awaited)
         VALUES (?1, ?2, ?3, ?4, 'queued', 0, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            new.device.as_str(),
            generation,
            seq,
            Id(new.id),
            now.0,
            new.expires.0,
            new.verb,
            new.address,
            new.supersede_key,
            new.payload.as_ref().map(|payload| Id(payload.id)),
            new.created_by,
            new.args,
            new.origin.as_ref().map(Origin::to_string),
            i64::from(new.origin.as_ref().is_some_and(Origin::is_counted))
        ],
    )?;
    Ok(())
}

/// Takes `count` commands that have reached a final state off the device's figure.
pub(super) fn close(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    count: i64,
) -> Result<(), StoreError> {
    execute(
        conn,
        "UPDATE device SET open_commands = open_commands - ?3 WHERE device = ?1 AND generation = ?2",
        params![device.as_str(), generation, count],
    )?;
    Ok(())
}

const COLUMNS: &str = "c.id, c.device, c.generation, c.seq, c.verb, c.address, c.args, c.payload, c.state, c.status, \
    c.reason, c.result, c.attempts, c.created, c.sent, c.finished, c.expires, c.created_by, \
    c.origin";

/// Only commands of the present enrolment.
const PRESENT: &str = "command c JOIN device d ON d.device = c.device AND d.generation = c.generation";

fn command(row: &Row<'_>) -> Result<Command, StoreError> {
    Ok(Command {
        id: row.get::<Id>(0)?.0,
        device: row.get::<Dev>(1)?.0,
        generation: row.get(2)?,
        seq: row.get(3)?,
        verb: row.get(4)?,
        address: row.get(5)?,
        args: row.get(6)?,
        payload: row.get::<Option<Id>>(7)?.map(|id| id.0),
        state: row.get(8)?,
        status: row.get(9)?,
        reason: row.get(10)?,
        result: row.get(11)?,
        attempts: row.get(12)?,
        created: Time(row.get(13)?),
        sent: row.get::<Option<i64>>(14)?.map(Time),
        finished: row.get::<Option<i64>>(15)?.map(Time),
        expires: Time(row.get(16)?),
        created_by: row.get(17)?,
        origin: row.get::<Option<String>>(18)?.as_deref().and_then(Origin::parse),
    })
}

pub(crate) fn get(conn: &Connection, id: CommandId) -> Result<Option<Command>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM {PRESENT} WHERE c.id = ?1");
    query_optional(conn, &sql, params![Id(id)], command)
}

pub(crate) fn list(
    conn: &Connection,
    device: &DeviceId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Command>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {PRESENT} WHERE d.device = ?1 AND c.seq < ?2 ORDER BY c.seq DESC LIMIT ?3"
    );
    query(conn, &sql, params![device.as_str(), before.unwrap_or(i64::MAX), limit], command)
}

/// The open commands of a device.
const OF_DEVICE: &str = "command c WHERE c.device = ?1 AND c.generation = ?2 AND c.finished IS NULL";

static OPEN: LazyLock<String> = LazyLock::new(|| format!("SELECT {COLUMNS} FROM {OF_DEVICE} ORDER BY c.seq"));

/// Open commands, first all that were sent, then at most `limit` that are queued, and whether there are more. `count` is how many
/// are open.
pub(crate) fn open(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    count: i64,
    limit: u32,
) -> Result<(Vec<Command>, bool), StoreError> {
    let most = i64::from(limit);
    // The index is in order of sequence, and so stays as it is when a command is sent. A few commands are put in order here.
    let mut commands = if count <= most {
        query(conn, &OPEN, params![device.as_str(), generation], command)?
    } else {
        let sql = format!(
            "SELECT {COLUMNS} FROM {OF_DEVICE}
             ORDER BY c.state DESC, c.seq LIMIT ?3 + 1 + (SELECT COUNT(*) FROM {OF_DEVICE} AND c.state = 'sent')"
        );
        query(conn, &sql, params![device.as_str(), generation, most], command)?
    };
    commands.sort_by_key(|command| command.state == CommandState::Queued);
    let queued = commands.iter().filter(|command| command.state == CommandState::Queued).count();
    let more = super::count(queued) > most;
    if more {
        commands.pop();
    }
    Ok((commands, more))
}

/// Commands of an origin that have ended and were not counted, the earliest first.
pub(crate) fn awaited(conn: &Connection, origin: &str, limit: u32) -> Result<Vec<Command>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM command c WHERE c.origin = ?1 AND c.awaited = 1 AND c.finished IS NOT NULL
         ORDER BY c.finished, c.device LIMIT ?2"
    );
    query(conn, &sql, params![origin, limit], command)
}

/// Commands of an origin that were not sent, by device from `from` on.
pub(crate) fn unsent(
    conn: &Connection,
    origin: &str,
    from: Option<&DeviceId>,
    limit: u32,
) -> Result<Vec<Command>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM command c WHERE c.origin = ?1 AND c.awaited = 1 AND c.finished IS NULL
           AND c.device >= ?2 AND c.state = 'queued' ORDER BY c.device LIMIT ?3"
    );
    query(conn, &sql, params![origin, from.map_or("", DeviceId::as_str), limit], command)
}

pub(crate) fn cancel(
    conn: &Connection,
    id: CommandId,
    reason: &str,
    event: EventOf,
    now: Time,
) -> Result<Option<Command>, StoreError> {
    let Some(before) = get(conn, id)? else { return Ok(None) };
    if before.state != CommandState::Queued {
        return Ok(Some(before));
    }
    let cancelled = Transition {
        seq: before.seq,
        from: CommandState::Queued,
        to: CommandState::Cancelled,
        status: None,
        reason: Some(reason.to_owned()),
        result: None,
    };
    end(conn, &before, &cancelled, event, now).map(Some)
}

/// Ends an open command with an event; gives it as it is then.
fn end(
    conn: &Connection,
    before: &Command,
    step: &Transition,
    event: EventOf,
    now: Time,
) -> Result<Command, StoreError> {
    // The device first, which every other change to what is its own begins with.
    close(conn, &before.device, before.generation, 1)?;
    transition(conn, &before.device, before.generation, step, now)?;
    let after =
        Command { state: step.to, reason: step.reason.clone(), finished: Some(now), ..before.clone() };
    events::add(conn, &[event(&after)], now)?;
    Ok(after)
}

/// Moves one command, if it is in the state that the caller saw. A reason goes with the state it was given for; status and
/// result stay until there are others. The caller keeps the device's figure of open commands.
pub(crate) fn transition(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    step: &Transition,
    now: Time,
) -> Result<(), StoreError> {
    let sending = step.from == CommandState::Queued && step.to == CommandState::Sent;
    let changed = execute(
        conn,
        "UPDATE command SET state = ?5, status = COALESCE(?6, status), result = COALESCE(?8, result),
           reason = CASE WHEN state = ?5 THEN COALESCE(?7, reason) ELSE ?7 END,
           attempts = attempts + ?9, sent = COALESCE(?10, sent), finished = ?11
         WHERE device = ?1 AND generation = ?2 AND seq = ?3 AND state = ?4 AND finished IS NULL",
        params![
            device.as_str(),
            generation,
            step.seq,
            step.from,
            step.to,
            step.status,
            step.reason,
            step.result,
            i64::from(sending),
            sending.then_some(now.0),
            step.to.is_final().then_some(now.0)
        ],
    )?;
    if changed == 0 {
        return Err(StoreError::Conflict("a command is not in the state that was read"));
    }
    Ok(())
}

pub(crate) fn expire(conn: &Connection, event: EventOf, now: Time, limit: u32) -> Result<u32, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM command c WHERE c.finished IS NULL AND c.expires <= ?1 ORDER BY c.expires LIMIT ?2"
    );
    let mut expired = 0;
    let mut over = query(conn, &sql, params![now.0, limit], command)?;
    over.sort_by(|a, b| a.device.as_str().cmp(b.device.as_str()));
    for before in over {
        let step = Transition {
            seq: before.seq,
            from: before.state,
            to: CommandState::Expired,
            status: None,
            reason: Some(before.why_expired().to_owned()),
            result: None,
        };
        end(conn, &before, &step, event, now)?;
        expired += 1;
    }
    Ok(expired)
}
