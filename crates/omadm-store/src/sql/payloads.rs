//! Payloads: what a device is to fetch, and what it has uploaded.

use omadm_mo::{DeviceId, Time};

use super::devices;
use super::{Connection, Dev, Id, execute, params, query_optional};
use crate::{Payload, PayloadId, StoreError};

pub(crate) fn get(conn: &Connection, id: PayloadId) -> Result<Option<Payload>, StoreError> {
    query_optional(
        conn,
        "SELECT p.id, p.device, p.content_type, p.body FROM payload p
         JOIN device d ON d.device = p.device AND d.generation = p.generation WHERE p.id = ?1",
        params![Id(id)],
        |row| {
            Ok(Payload {
                id: row.get::<Id>(0)?.0,
                device: row.get::<Dev>(1)?.0,
                content_type: row.get(2)?,
                body: row.get(3)?,
            })
        },
    )
}

/// Keeps a payload for an enrolled device.
pub(crate) fn put_alone(conn: &Connection, payload: &Payload, now: Time) -> Result<(), StoreError> {
    let generation = devices::lock(conn, &payload.device)?
        .ok_or_else(|| StoreError::DeviceUnknown(payload.device.to_string()))?;
    put(conn, payload, &payload.device, generation, None, now)
}

/// Keeps a payload of `device`, in place of one of the same id. `command_seq` names the command it goes with.
pub(crate) fn put(
    conn: &Connection,
    payload: &Payload,
    device: &DeviceId,
    generation: i64,
    command_seq: Option<i64>,
    now: Time,
) -> Result<(), StoreError> {
    if payload.device != *device {
        return Err(StoreError::Engine(format!(
            "payload {} is of {}, and was to be kept for {device}",
            payload.id, payload.device
        )));
    }
    let kept = execute(
        conn,
        "INSERT INTO payload (device, generation, id, stored, command_seq, content_type, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET stored = excluded.stored, content_type = excluded.content_type,
           body = excluded.body
         WHERE payload.device = excluded.device AND payload.generation = excluded.generation",
        params![
            device.as_str(),
            generation,
            Id(payload.id),
            now.0,
            command_seq,
            payload.content_type,
            payload.body
        ],
    )?;
    if kept == 0 {
        return Err(StoreError::Engine(format!("payload {} belongs to another device", payload.id)));
    }
    Ok(())
}
