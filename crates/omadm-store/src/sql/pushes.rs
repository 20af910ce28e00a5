//! Where devices can be notified, and how far that is.

use omadm_mo::{DeviceId, Time};

use super::{Connection, Dev, Params, Row, Texts, ToSql, execute, params, query, texts};
use super::{devices, events};
use crate::{Push, PushProgress, PushStep, StoreError};

/// One notification is due at most while one waits to be answered; a device that was in contact since then has answered. The device
/// is `?1`, the time `?2`.
const WAKE: &str = "UPDATE push SET wanted = ?2, version = version + 1,
       attempts = CASE WHEN due IS NULL THEN 0 ELSE attempts END,
       due = CASE WHEN due IS NULL OR sent IS NULL
           OR sent < (SELECT last_contact FROM device WHERE device = ?1) THEN ?2 ELSE due END
     WHERE device = ?1 AND (addresses <> '[]' OR registration IS NOT NULL)";

/// Has a device notified, if it can be.
pub(crate) fn wake(conn: &Connection, device: &DeviceId, now: Time) -> Result<(), StoreError> {
    execute(conn, WAKE, params![device.as_str(), now.0])?;
    Ok(())
}

/// As [`wake`], if something waits for the device.
fn wake_for_commands(conn: &Connection, device: &DeviceId, now: Time) -> Result<(), StoreError> {
    let waits = devices::get(conn, device)?.is_some_and(|device| device.open_commands > 0);
    if waits { wake(conn, device, now) } else { Ok(()) }
}

/// Makes the row of a device; `false` if it is not enrolled. Identifiers of notifications begin anywhere, so that those of an
/// enrolment are not those of the one before.
fn insert(conn: &Connection, device: &DeviceId, now: Time) -> Result<bool, StoreError> {
    let Some(generation) = devices::lock(conn, device)? else { return Ok(false) };
    execute(
        conn,
        "INSERT INTO push (device, generation, version, addresses, next_id, attempts, day, day_count)
         VALUES (?1, ?2, 0, '[]', ?3, 0, 0, 0) ON CONFLICT (device) DO NOTHING",
        params![device.as_str(), generation, (now.0 / 1_000_000).rem_euclid(1 << 16)],
    )?;
    Ok(true)
}

/// Writes a way to a device, `?2` of `set`, by which it is notified if something waits for it; `false` if it is not enrolled.
fn set_way(
    conn: &Connection,
    device: &DeviceId,
    set: &str,
    way: &dyn ToSql,
    now: Time,
) -> Result<bool, StoreError> {
    if !insert(conn, device, now)? {
        return Ok(false);
    }
    execute(conn, set, params![device.as_str(), way])?;
    wake_for_commands(conn, device, now)?;
    Ok(true)
}

pub(crate) fn set_addresses(
    conn: &Connection,
    device: &DeviceId,
    addresses: &[String],
    now: Time,
) -> Result<bool, StoreError> {
    let set = "UPDATE push SET addresses = ?2, version = version + 1, due = NULL WHERE device = ?1";
    set_way(conn, device, set, &texts(addresses), now)
}

pub(crate) fn register(
    conn: &Connection,
    device: &DeviceId,
    registration: &str,
    now: Time,
) -> Result<bool, StoreError> {
    let set = "UPDATE push SET registration = ?2, version = version + 1 WHERE device = ?1";
    set_way(conn, device, set, &registration, now)
}

pub(crate) fn unregister(
    conn: &Connection,
    device: &DeviceId,
    registration: &str,
) -> Result<bool, StoreError> {
    let gone = execute(
        conn,
        "UPDATE push SET registration = NULL, version = version + 1 WHERE device = ?1 AND registration = ?2",
        params![device.as_str(), registration],
    )?;
    Ok(gone > 0)
}

pub(crate) fn advance(conn: &Connection, step: &PushStep, now: Time) -> Result<(), StoreError> {
    let PushProgress { next_id, sent, attempts, due, day, day_count } = step.progress;
    let micros = |time: Option<Time>| time.map(|time| time.0);
    let changed = execute(
        conn,
        "UPDATE push SET next_id = ?4, sent = ?5, attempts = ?6, due = ?7, day = ?8, day_count = ?9,
           version = version + 1
         WHERE device = ?1 AND generation = ?2 AND version = ?3",
        params![
            step.device.as_str(),
            step.generation,
            step.version,
            next_id,
            micros(sent),
            attempts,
            micros(due),
            day,
            day_count
        ],
    )?;
    if changed == 0 {
        return Err(StoreError::Conflict("the notifying of the device"));
    }
    events::add(conn, &step.events, now)
}

pub(crate) fn get(conn: &Connection, device: &DeviceId) -> Result<Option<Push>, StoreError> {
    Ok(select(conn, "push.device = ?1", params![device.as_str()])?.pop())
}

pub(crate) fn due(conn: &Connection, now: Time, limit: u32) -> Result<Vec<Push>, StoreError> {
    let mut found = select(conn, "push.due <= ?1 ORDER BY push.due LIMIT ?2", params![now.0, limit])?;
    let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(limit));
    if left > 0 {
        let farthest = now.plus_micros(Push::FARTHEST);
        found.extend(select(conn, "push.due > ?1 ORDER BY push.due LIMIT ?2", params![farthest.0, left])?);
    }
    Ok(found)
}

fn select(conn: &Connection, condition: &str, params: Params<'_>) -> Result<Vec<Push>, StoreError> {
    let sql = format!(
        "SELECT push.device, push.generation, push.version, push.addresses, push.registration, push.wanted,
           push.next_id, push.sent, push.attempts, push.due, push.day, push.day_count,
           device.last_contact, device.open_commands, device.inventory IS NOT NULL, credential.verifier,
           device.protocol, device.facts, device.dm1
         FROM push JOIN device ON device.device = push.device AND device.generation = push.generation
           JOIN credential ON credential.device = push.device AND credential.generation = push.generation
         WHERE {condition}"
    );
    query(conn, &sql, params, push)
}

fn push(row: &Row<'_>) -> Result<Push, StoreError> {
    let time = |index| Ok::<_, StoreError>(row.get::<Option<i64>>(index)?.map(Time));
    Ok(Push {
        device: row.get::<Dev>(0)?.0,
        generation: row.get(1)?,
        version: row.get(2)?,
        addresses: row.get::<Texts>(3)?.0,
        registration: row.get(4)?,
        wanted: time(5)?,
        progress: PushProgress {
            next_id: row.get(6)?,
            sent: time(7)?,
            attempts: row.get(8)?,
            due: time(9)?,
            day: row.get(10)?,
            day_count: row.get(11)?,
        },
        last_contact: time(12)?,
        open_commands: row.get(13)?,
        has_inventory: row.get(14)?,
        verifier: row.get(15)?,
        protocol: row.get(16)?,
        facts: row.get(17)?,
        dm1: row.get(18)?,
    })
}
