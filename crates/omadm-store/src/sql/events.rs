//! The server's log of events.

use omadm_mo::{DeviceId, Time};

use super::{Connection, Dev, Row, execute, params, query};
use crate::{Event, NewEvent, StoreError};

pub(crate) fn add(conn: &Connection, events: &[NewEvent], now: Time) -> Result<(), StoreError> {
    for event in events {
        // Generation 0 is that of devices which are not enrolled.
        execute(
            conn,
            "INSERT INTO event (device, generation, at, kind, body)
             VALUES (?1, COALESCE((SELECT generation FROM device WHERE device = ?1), 0), ?2, ?3, ?4)",
            params![event.device.as_ref().map(DeviceId::as_str), now.0, event.kind, event.body],
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

pub(crate) fn after(
    conn: &Connection,
    device: Option<&DeviceId>,
    cursor: i64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    match device {
        None => query(
            conn,
            "SELECT cursor, at, device, kind, body FROM event WHERE cursor > ?1 ORDER BY cursor LIMIT ?2",
            params![cursor, limit],
            event,
        ),
        Some(device) => query(
            conn,
            "SELECT e.cursor, e.at, e.device, e.kind, e.body
             FROM event e JOIN device d ON d.device = e.device AND d.generation = e.generation
             WHERE d.device = ?1 AND e.cursor > ?2 ORDER BY e.cursor LIMIT ?3",
            params![device.as_str(), cursor, limit],
            event,
        ),
    }
}
