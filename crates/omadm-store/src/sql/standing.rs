//! What devices go on doing after the command that asked for it.

use omadm_mo::{DeviceId, Time};

use super::{Connection, Dev, Id, Row, execute, params, query, query_optional};
use crate::{CommandId, Standing, StandingChange, StandingKind, StoreError};

const COLUMNS: &str = "s.id, s.device, s.kind, s.target, s.payload, s.since, s.reported, s.digest";

/// Only those of the present enrolment.
const PRESENT: &str = "standing s JOIN device d ON d.device = s.device AND d.generation = s.generation";

fn read(row: &Row<'_>) -> Result<Standing, StoreError> {
    Ok(Standing {
        id: row.get::<Id>(0)?.0,
        device: row.get::<Dev>(1)?.0,
        kind: row.get(2)?,
        target: row.get(3)?,
        payload: row.get::<Option<Id>>(4)?.map(|id| id.0),
        since: Time(row.get(5)?),
        reported: row.get::<Option<i64>>(6)?.map(Time),
        digest: row.get(7)?,
    })
}

pub(crate) fn list(conn: &Connection, device: &DeviceId) -> Result<Vec<Standing>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM {PRESENT} WHERE s.device = ?1 ORDER BY s.kind, s.target");
    query(conn, &sql, params![device.as_str()], read)
}

pub(crate) fn get(conn: &Connection, id: CommandId) -> Result<Option<Standing>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM {PRESENT} WHERE s.id = ?1");
    query_optional(conn, &sql, params![Id(id)], read)
}

pub(crate) fn change(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    change: &StandingChange,
    now: Time,
) -> Result<(), StoreError> {
    match change {
        StandingChange::Begin { kind, target, command } => {
            end(conn, device, generation, *kind, target)?;
            begin(conn, device, generation, *kind, target, *command, now)
        }
        StandingChange::End { kind, target } => end(conn, device, generation, *kind, target),
        StandingChange::Reported { id, digest } => {
            let changed = execute(
                conn,
                "UPDATE standing SET reported = ?4, digest = ?5
                 WHERE device = ?1 AND generation = ?2 AND id = ?3 AND digest IS DISTINCT FROM ?5",
                params![device.as_str(), generation, Id(*id), now.0, digest],
            )?;
            if changed == 0 {
                return Err(StoreError::Conflict("the subscription has ended, or the report came before"));
            }
            Ok(())
        }
    }
}

fn begin(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    kind: StandingKind,
    target: &str,
    command: CommandId,
    now: Time,
) -> Result<(), StoreError> {
    let device = device.as_str();
    execute(
        conn,
        "INSERT INTO standing (device, generation, kind, target, id, payload, since)
         SELECT device, generation, ?3, ?4, id, payload, ?6 FROM command
         WHERE device = ?1 AND generation = ?2 AND id = ?5",
        params![device, generation, kind.as_str(), target, Id(command), now.0],
    )?;
    execute(
        conn,
        "UPDATE payload SET command_seq = -1 WHERE device = ?1 AND generation = ?2
           AND id = (SELECT payload FROM standing WHERE id = ?3)",
        params![device, generation, Id(command)],
    )?;
    Ok(())
}

fn end(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    kind: StandingKind,
    target: &str,
) -> Result<(), StoreError> {
    let key = params![device.as_str(), generation, kind.as_str(), target];
    execute(
        conn,
        "DELETE FROM payload WHERE device = ?1 AND generation = ?2 AND id IN
           (SELECT payload FROM standing WHERE device = ?1 AND generation = ?2 AND kind = ?3 AND target = ?4)",
        key,
    )?;
    execute(
        conn,
        "DELETE FROM standing WHERE device = ?1 AND generation = ?2 AND kind = ?3 AND target = ?4",
        key,
    )?;
    Ok(())
}
