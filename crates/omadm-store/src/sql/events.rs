//! The server's log of events.

use omadm_mo::{DeviceId, Time};

use super::{Connection, Dev, Row, execute, params, query, query_optional};
use crate::{Event, NewEvent, StoreError};

/// Most characters in the bodies of events that are read at a time.
pub const EVENTS_SIZE: i64 = 1 << 20;

pub(crate) fn add(conn: &Connection, events: &[NewEvent], now: Time) -> Result<(), StoreError> {
    for event in events {
        // Generation 0 is that of devices which are not enrolled.
        execute(
            conn,
            "INSERT INTO event (cursor, device, generation, at, kind, body)
             VALUES (?5, ?1, COALESCE((SELECT generation FROM device WHERE device = ?1), 0), ?2, ?3, ?4)",
            params![
                event.device.as_ref().map(DeviceId::as_str),
                now.0,
                event.kind,
                event.body,
                conn.event_number()
            ],
        )?;
    }
    Ok(())
}

/// Gives events new cursors.
pub(crate) fn renumber(conn: &Connection, cursors: &[i64]) -> Result<(), StoreError> {
    for cursor in cursors {
        execute(
            conn,
            "UPDATE event SET cursor = ?2 WHERE cursor = ?1",
            params![cursor, conn.event_number()],
        )?;
    }
    Ok(())
}

fn event(row: &Row<'_>) -> Result<Event, StoreError> {
    Ok(Event {
        cursor: row.get(0)?,
        at: Time(row.get(1)?),
        event: NewEvent {
            device: row.get::<Option<Dev>>(2)?.map(|device| device.0),
            kind: row.get(3)?,
            body: row.get(4)?,
        },
    })
}

pub(crate) fn first(conn: &Connection, at: Time) -> Result<Option<i64>, StoreError> {
    let first = "SELECT cursor FROM event WHERE at >= ?1 AND cursor < ?2 ORDER BY at, cursor LIMIT 1";
    query_optional(conn, first, params![at.0, conn.event_horizon()], |row| row.get(0))
}

pub(crate) fn after(
    conn: &Connection,
    device: Option<&DeviceId>,
    cursor: i64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let horizon = conn.event_horizon();
    match device {
        None => query(
            conn,
            "SELECT cursor, at, device, kind, body FROM
               (SELECT cursor, at, device, kind, body, SUM(LENGTH(body)) OVER (ORDER BY cursor) - LENGTH(body) AS before FROM
                 (SELECT cursor, at, device, kind, body FROM event WHERE cursor > ?1 AND cursor < ?3
                  ORDER BY cursor LIMIT ?2) page) sized
             WHERE before = 0 OR before + LENGTH(body) <= ?4 ORDER BY cursor",
            params![cursor, limit, horizon, EVENTS_SIZE],
            event,
        ),
        Some(device) => query(
            conn,
            "SELECT cursor, at, device, kind, body FROM
               (SELECT cursor, at, device, kind, body, SUM(LENGTH(body)) OVER (ORDER BY cursor) - LENGTH(body) AS before FROM
                 (SELECT e.cursor, e.at, e.device, e.kind, e.body
                  FROM event e JOIN device d ON d.device = e.device AND d.generation = e.generation
                  WHERE d.device = ?1 AND e.cursor > ?2 AND e.cursor < ?4
                  ORDER BY e.cursor LIMIT ?3) page) sized
             WHERE before = 0 OR before + LENGTH(body) <= ?5 ORDER BY cursor",
            params![device.as_str(), cursor, limit, horizon, EVENTS_SIZE],
            event,
        ),
    }
}

pub(crate) fn before(
    conn: &Connection,
    device: Option<&DeviceId>,
    cursor: i64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let end = cursor.min(conn.event_horizon());
    match device {
        None => query(
            conn,
            "SELECT cursor, at, device, kind, body FROM
               (SELECT cursor, at, device, kind, body, SUM(LENGTH(body)) OVER (ORDER BY cursor DESC) - LENGTH(body) AS newer FROM
                 (SELECT cursor, at, device, kind, body FROM event WHERE cursor < ?1
                  ORDER BY cursor DESC LIMIT ?2) page) sized
             WHERE newer = 0 OR newer + LENGTH(body) <= ?3 ORDER BY cursor DESC",
            params![end, limit, EVENTS_SIZE],
            event,
        ),
        Some(device) => query(
            conn,
            "SELECT cursor, at, device, kind, body FROM
               (SELECT cursor, at, device, kind, body, SUM(LENGTH(body)) OVER (ORDER BY cursor DESC) - LENGTH(body) AS newer FROM
                 (SELECT e.cursor, e.at, e.device, e.kind, e.body
                  FROM event e JOIN device d ON d.device = e.device AND d.generation = e.generation
                  WHERE d.device = ?1 AND e.cursor < ?2
                  ORDER BY e.cursor DESC LIMIT ?3) page) sized
             WHERE newer = 0 OR newer + LENGTH(body) <= ?4 ORDER BY cursor DESC",
            params![device.as_str(), end, limit, EVENTS_SIZE],
            event,
        ),
    }
}
