//! Assignments that were taken back: what devices were given before them stays replaced.

use super::{Connection, execute, params, profiles, query};
use crate::{StoreError, Withdrawn};

/// Takes an assignment back; `false` if there is none.
pub(super) fn withdraw(conn: &Connection, profile: &str, target: &str) -> Result<bool, StoreError> {
    execute(
        conn,
        "INSERT INTO profile_withdrawn (profile, target, clock)
         SELECT profile, target, clock FROM profile_assignment WHERE profile = ?1 AND target = ?2
         ON CONFLICT (profile, target) DO UPDATE SET clock = excluded.clock",
        params![profile, target],
    )?;
    let sql = "DELETE FROM profile_assignment WHERE profile = ?1 AND target = ?2";
    Ok(execute(conn, sql, params![profile, target])? > 0)
}

/// Forgets those of a profile that is removed: nothing of it counts any more.
pub(super) fn forget_profile(conn: &Connection, profile: &str) -> Result<(), StoreError> {
    execute(conn, "DELETE FROM profile_withdrawn WHERE profile = ?1", params![profile]).map(drop)
}

/// Forgets those of a group that is removed: one of that name may be another.
pub(super) fn forget_group(conn: &Connection, group: &str) -> Result<(), StoreError> {
    if execute(conn, "DELETE FROM profile_withdrawn WHERE target = ?1", params![group])? > 0 {
        profiles::tick(conn)?;
    }
    Ok(())
}

pub(super) fn list(conn: &Connection) -> Result<Vec<Withdrawn>, StoreError> {
    query(conn, "SELECT profile, target, clock FROM profile_withdrawn ORDER BY profile, target", &[], |row| {
        Ok(Withdrawn {
            profile: row.get(0)?,
            group: Some(row.get::<String>(1)?).filter(|group| !group.is_empty()),
            clock: row.get(2)?,
        })
    })
}
