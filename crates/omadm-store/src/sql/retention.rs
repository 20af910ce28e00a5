//! Removal of what is older than it has to be kept.

use omadm_mo::Time;

use super::{Connection, execute, params, query, query_optional};
use crate::{Kept, StoreError};

/// Removes finished commands with their payloads, sessions with their traces, uploads and events, in this order, until
/// `limit` rows are gone; a command counts as one with its payload. The oldest of each go first.
pub(crate) fn prune(conn: &Connection, before: Time, limit: u32) -> Result<u32, StoreError> {
    let mut left = limit;
    for kept in [Kept::Results, Kept::Traces, Kept::Uploads, Kept::Events] {
        left = left.saturating_sub(prune_kept(conn, kept, before, left)?);
    }
    Ok(limit - left)
}

/// As [`prune`], one kind of what is kept. The audit log goes another way.
pub(crate) fn prune_kept(conn: &Connection, kept: Kept, before: Time, limit: u32) -> Result<u32, StoreError> {
    let mut room = Room { left: limit };
    match kept {
        Kept::Results => commands(conn, before, &mut room)?,
        Kept::Traces => sessions(conn, before, &mut room)?,
        Kept::Uploads => room.used(execute(
            conn,
            "DELETE FROM payload WHERE (device, generation, id) IN
               (SELECT device, generation, id FROM payload WHERE command_seq IS NULL AND stored < ?1
                ORDER BY stored LIMIT ?2)",
            params![before.0, limit],
        )?),
        Kept::Events => room.used(execute(
            conn,
            "DELETE FROM event WHERE cursor IN (SELECT cursor FROM event WHERE at < ?1 ORDER BY at LIMIT ?2)",
            params![before.0, limit],
        )?),
        Kept::Audit => {}
    }
    Ok(limit - room.left)
}

/// The time of the oldest row that [`prune`] would remove if it were old enough.
pub(crate) fn oldest(conn: &Connection) -> Result<Option<Time>, StoreError> {
    let firsts = [
        "SELECT finished FROM command WHERE finished IS NOT NULL ORDER BY finished LIMIT 1",
        "SELECT started FROM session_log ORDER BY started LIMIT 1",
        "SELECT stored FROM payload WHERE command_seq IS NULL ORDER BY stored LIMIT 1",
        "SELECT at FROM event ORDER BY at LIMIT 1",
    ];
    let firsts = firsts.into_iter().map(|sql| query_optional(conn, sql, params![], |row| row.get(0)));
    let firsts = firsts.collect::<Result<Vec<Option<i64>>, _>>()?;
    Ok(firsts.into_iter().flatten().min().map(Time))
}

/// How many rows may still be removed.
struct Room {
    left: u32,
}

impl Room {
    fn used(&mut self, rows: usize) {
        self.left = self.left.saturating_sub(u32::try_from(rows).unwrap_or(u32::MAX));
    }
}

fn commands(conn: &Connection, before: Time, room: &mut Room) -> Result<(), StoreError> {
    let old: Vec<(String, i64, i64)> = query(
        conn,
        "SELECT device, generation, seq FROM command WHERE finished IS NOT NULL AND finished < ?1
         ORDER BY finished LIMIT ?2",
        params![before.0, room.left],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    for (device, generation, seq) in old {
        execute(
            conn,
            "DELETE FROM payload WHERE device = ?1 AND generation = ?2 AND command_seq = ?3",
            params![device, generation, seq],
        )?;
        room.used(execute(
            conn,
            "DELETE FROM command WHERE device = ?1 AND generation = ?2 AND seq = ?3",
            params![device, generation, seq],
        )?);
    }
    Ok(())
}

fn sessions(conn: &Connection, before: Time, room: &mut Room) -> Result<(), StoreError> {
    let old: Vec<(String, i64, i64, i64)> = query(
        conn,
        "SELECT device, generation, session, log FROM session_log WHERE started < ?1 AND updated < ?1
         ORDER BY started LIMIT ?2",
        params![before.0, room.left],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )?;
    for (device, generation, session, log) in old {
        room.used(execute(
            conn,
            "DELETE FROM trace WHERE device = ?1 AND log = ?2 AND number IN
               (SELECT number FROM trace WHERE device = ?1 AND log = ?2 ORDER BY number LIMIT ?3)",
            params![device, log, room.left],
        )?);
        if room.left == 0 {
            // Its listing stays until the next call has removed the rest of its messages.
            return Ok(());
        }
        room.used(execute(
            conn,
            "DELETE FROM session_log WHERE device = ?1 AND generation = ?2 AND session = ?3",
            params![device, generation, session],
        )?);
    }
    Ok(())
}
