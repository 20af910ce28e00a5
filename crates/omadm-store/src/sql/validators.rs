//! Cache validators of MO instances.

use omadm_mo::DeviceId;

use super::{Connection, execute, params, query};
use crate::{StoreError, Validator, ValidatorChange};

pub(crate) fn list(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
) -> Result<Vec<Validator>, StoreError> {
    query(
        conn,
        "SELECT moid, miid, value FROM validator WHERE device = ?1 AND generation = ?2",
        params![device.as_str(), generation],
        |row| Ok(Validator { moid: row.get(0)?, miid: row.get(1)?, value: row.get(2)? }),
    )
}

pub(crate) fn change(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    change: &ValidatorChange,
) -> Result<(), StoreError> {
    match change {
        ValidatorChange::Keep(Validator { moid, miid, value }) => execute(
            conn,
            "INSERT INTO validator (device, generation, moid, miid, value) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (device, generation, moid, miid) DO UPDATE SET value = excluded.value",
            params![device.as_str(), generation, moid, miid, value],
        )?,
        ValidatorChange::Drop { moid, miid } => execute(
            conn,
            "DELETE FROM validator WHERE device = ?1 AND generation = ?2 AND (?3 = '' OR moid = ?3)
               AND (?4 = '' OR miid = ?4)",
            params![device.as_str(), generation, moid, miid],
        )?,
    };
    Ok(())
}
