//! Devices and their credentials.

use std::collections::BTreeMap;

use omadm_mo::{DeviceId, Time};

use super::profiles;
use super::{Connection, Dev, Row, execute, fleet, params, query, query_optional};
use crate::{Counts, Credential, Device, Enrolment, StoreError};

/// Tables that hold rows of a device besides `device` itself and `trace`. The event log is the server's own and stays.
const OWNED: [&str; 10] = [
    "credential",
    "command",
    "session_log",
    "payload",
    "push",
    "tree",
    "validator",
    "standing",
    "fleet",
    "label",
];

pub(crate) fn enrol(conn: &Connection, devices: &[Enrolment], now: Time) -> Result<(), StoreError> {
    // All that is replaced goes first, so that devices of one batch can exchange their user names.
    for new in devices {
        if new.replace {
            remove(conn, &new.device)?;
        }
    }
    devices.iter().try_for_each(|new| insert(conn, new, now))
}

fn insert(conn: &Connection, new: &Enrolment, now: Time) -> Result<(), StoreError> {
    let device = new.device.as_str();
    let before = query_optional(
        conn,
        "SELECT generation FROM removed_device WHERE device = ?1",
        params![device],
        |row| row.get::<i64>(0),
    )?;
    let generation = before.unwrap_or(0) + 1;
    let generation = query_optional(
        conn,
        "INSERT INTO device (device, generation, last_seq, open_commands, enrolled, label, facts, version, dm1)
         VALUES (?1, ?2, 0, 0, ?3, ?4, '{}', 0, ?5)
         ON CONFLICT (device) DO UPDATE SET revoked = NULL, label = excluded.label, dm1 = excluded.dm1
           WHERE device.revoked IS NOT NULL
         RETURNING generation",
        params![device, generation, now.0, new.label, new.dm1],
        |row| row.get::<i64>(0),
    )?;
    let generation = generation.ok_or_else(|| StoreError::Exists(device.to_owned()))?;
    execute(conn, "DELETE FROM removed_device WHERE device = ?1", params![device])?;
    fleet::enrolled(conn, device, generation, now)?;
    let added = execute(
        conn,
        "INSERT INTO credential (device, generation, username, verifier)
         VALUES (?1, ?2, ?3, ?4) ON CONFLICT (username) DO NOTHING",
        params![device, generation, new.user, new.verifier],
    )?;
    if added == 0 { Err(StoreError::UserTaken(new.user.clone())) } else { Ok(()) }
}

/// Removes a device with all that is its own; only its generation is remembered.
pub(crate) fn remove(conn: &Connection, id: &DeviceId) -> Result<bool, StoreError> {
    profiles::forget(conn, id)?;
    let device = id.as_str();
    let removed = "DELETE FROM device WHERE device = ?1 RETURNING generation";
    let Some(generation) = query_optional(conn, removed, params![device], |row| row.get::<i64>(0))? else {
        return Ok(false);
    };
    execute(
        conn,
        "INSERT INTO removed_device (device, generation) VALUES (?1, ?2)",
        params![device, generation],
    )?;
    execute(
        conn,
        "DELETE FROM trace WHERE device = ?1 AND log IN (SELECT log FROM session_log WHERE device = ?1)",
        params![device],
    )?;
    for table in OWNED {
        execute(conn, &format!("DELETE FROM {table} WHERE device = ?1"), params![device])?;
    }
    Ok(true)
}

/// Takes the credential of a device away. The version of its session goes on, so that no step made before is applied.
pub(crate) fn revoke(conn: &Connection, id: &DeviceId, now: Time) -> Result<bool, StoreError> {
    let device = id.as_str();
    let revoked = execute(
        conn,
        "UPDATE device SET revoked = ?2, version = version + 1, dm1 = NULL,
           ended = CASE WHEN session IS NULL THEN NULL ELSE 1 END
         WHERE device = ?1 AND revoked IS NULL",
        params![device, now.0],
    )?;
    if revoked == 0 {
        return Ok(false);
    }
    execute(conn, "DELETE FROM credential WHERE device = ?1", params![device])?;
    execute(
        conn,
        "UPDATE session_log SET outcome = 'ended' WHERE device = ?1 AND outcome = 'open'",
        params![device],
    )?;
    Ok(true)
}

/// How many [`COLUMNS`] there are.
pub(crate) const WIDTH: usize = 13;
/// What [`device`] reads, in this order.
pub(crate) const COLUMNS: &str = "device, generation, label, protocol, facts, inventory, enrolled, last_contact, open_commands, revoked, desired, pinned, bearer";

pub(crate) fn device(row: &Row<'_>) -> Result<Device, StoreError> {
    Ok(Device {
        id: row.get::<Dev>(0)?.0,
        generation: row.get(1)?,
        label: row.get(2)?,
        protocol: row.get(3)?,
        facts: row.get(4)?,
        inventory: row.get(5)?,
        enrolled: Time(row.get(6)?),
        last_contact: row.get::<Option<i64>>(7)?.map(Time),
        open_commands: row.get(8)?,
        revoked: row.get::<Option<i64>>(9)?.map(Time),
        desired: row.get(10)?,
        pinned: row.get(11)?,
        bearer: row.get(12)?,
    })
}

pub(crate) fn get(conn: &Connection, id: &DeviceId) -> Result<Option<Device>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM device WHERE device = ?1");
    query_optional(conn, &sql, params![id.as_str()], device)
}

pub(crate) fn list(
    conn: &Connection,
    after: Option<&DeviceId>,
    limit: u32,
) -> Result<Vec<Device>, StoreError> {
    // No DevID is empty, so all of them come after the empty text.
    let after = after.map_or("", DeviceId::as_str);
    let sql = format!("SELECT {COLUMNS} FROM device WHERE device > ?1 ORDER BY device LIMIT ?2");
    query(conn, &sql, params![after, limit], device)
}

/// The present generation of a device, if it is enrolled.
pub(crate) fn generation(conn: &Connection, id: &DeviceId) -> Result<Option<i64>, StoreError> {
    query_optional(conn, "SELECT generation FROM device WHERE device = ?1", params![id.as_str()], |row| {
        row.get(0)
    })
}

/// As [`generation`]; until the transaction ends nobody else changes what is the device's.
pub(crate) fn lock(conn: &Connection, id: &DeviceId) -> Result<Option<i64>, StoreError> {
    let sql = format!("SELECT generation FROM device WHERE device = ?1{}", conn.locking());
    query_optional(conn, &sql, params![id.as_str()], |row| row.get(0))
}

/// Locks devices in the order in which everybody locks them, where there is anybody else.
pub(crate) fn lock_all<'a>(
    conn: &Connection,
    ids: impl Iterator<Item = &'a DeviceId>,
) -> Result<(), StoreError> {
    if conn.locking().is_empty() {
        return Ok(());
    }
    let ordered: BTreeMap<&str, &DeviceId> = ids.map(|id| (id.as_str(), id)).collect();
    ordered.values().try_for_each(|id| lock(conn, id).map(drop))
}

pub(crate) fn credential(conn: &Connection, user: &str) -> Result<Option<Credential>, StoreError> {
    query_optional(
        conn,
        "SELECT device, generation, verifier FROM credential WHERE username = ?1",
        params![user],
        |row| Ok(Credential { device: row.get::<Dev>(0)?.0, generation: row.get(1)?, verifier: row.get(2)? }),
    )
}

pub(crate) fn counts(conn: &Connection) -> Result<Counts, StoreError> {
    let count = |sql| query_optional(conn, sql, &[], |row| row.get(0)).map(Option::unwrap_or_default);
    Ok(Counts {
        devices: count("SELECT COUNT(*) FROM device")?,
        open_commands: count("SELECT COUNT(*) FROM command WHERE finished IS NULL")?,
        oldest_open: query_optional(
            conn,
            "SELECT MIN(created) FROM command WHERE finished IS NULL",
            &[],
            |row| row.get::<Option<i64>>(0),
        )?
        .flatten()
        .map(Time),
        dead_letters: count("SELECT COUNT(*) FROM webhook_dead")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_columns_of_a_device_is_found() {
        assert_eq!(COLUMNS.split(", ").count(), WIDTH);
    }
}
