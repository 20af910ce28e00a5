//! Profiles, their assignments, and how far devices are with them.

use std::collections::BTreeMap;

use omadm_mo::{DeviceId, Time};
use uuid::Uuid;

use super::{Connection, Dev, Id, Row, SqlStore, execute, params, query, query_optional};
use super::{commands, devices, events, pushes, tree, withdrawn};
use crate::{
    Assignment, CommandId, DeviceProfile, Pin, Profile, ProfileChange, ProfileState, ProfileStep,
    ProfileStore, ProfileVersion, ProfileWork, StoreError, TreeAddress, TreeNode, Withdrawn,
};

/// Rows over which a figure is spread.
const SHARDS: u32 = 16;

#[async_trait::async_trait]
impl ProfileStore for SqlStore {
    async fn put_profile(
        &self,
        name: &str,
        document: &str,
        base: Option<i64>,
        by: &str,
        now: Time,
    ) -> Result<ProfileVersion, StoreError> {
        let (name, document, by) = (name.to_owned(), document.to_owned(), by.to_owned());
        self.write(move |conn| put(conn, &name, &document, base, &by, now)).await
    }

    async fn profiles(&self, after: Option<&str>, limit: u32) -> Result<Vec<Profile>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        let sql = "SELECT name, newest, created, updated FROM profile
                   WHERE name > ?1 AND removed IS NULL ORDER BY name LIMIT ?2";
        self.read(move |conn| query(conn, sql, params![after, limit], profile)).await
    }

    async fn profile(&self, name: &str) -> Result<Option<Profile>, StoreError> {
        let name = name.to_owned();
        let sql = "SELECT name, newest, created, updated FROM profile WHERE name = ?1 AND removed IS NULL";
        self.read_small(move |conn| query_optional(conn, sql, params![name], profile)).await
    }

    async fn remove_profile(&self, name: &str, now: Time) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |conn| remove(conn, &name, now)).await
    }

    async fn voided_profiles(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "SELECT name, first FROM profile WHERE first > 1";
        self.read(move |conn| query(conn, sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))).await
    }

    async fn profile_versions(
        &self,
        name: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ProfileVersion>, StoreError> {
        let name = name.to_owned();
        let before = before.unwrap_or(i64::MAX);
        let sql = "SELECT name, version, created, created_by, document FROM profile_version
                   WHERE name = ?1 AND version < ?2 ORDER BY version DESC LIMIT ?3";
        self.read(move |conn| query(conn, sql, params![name, before, limit], version_row)).await
    }

    async fn profile_version(&self, name: &str, version: i64) -> Result<Option<ProfileVersion>, StoreError> {
        let name = name.to_owned();
        self.read_small(move |conn| self::version(conn, &name, version)).await
    }

    async fn assign_profile(&self, assignment: Assignment) -> Result<Assignment, StoreError> {
        self.write(move |conn| assign(conn, &assignment)).await
    }

    async fn unassign_profile(&self, name: &str, group: Option<&str>) -> Result<bool, StoreError> {
        let (name, target) = (name.to_owned(), group.unwrap_or_default().to_owned());
        let unassign = move |conn: &Connection| {
            tick(conn)?;
            withdrawn::withdraw(conn, &name, &target)
        };
        self.write(unassign).await
    }

    async fn assignments(&self) -> Result<Vec<Assignment>, StoreError> {
        let sql =
            "SELECT profile, target, version, previous, since, assigned_by, clock FROM profile_assignment
                   ORDER BY profile, target";
        self.read(move |conn| query(conn, sql, &[], assignment)).await
    }

    async fn withdrawn_assignments(&self) -> Result<Vec<Withdrawn>, StoreError> {
        self.read(withdrawn::list).await
    }

    async fn profile_clock(&self) -> Result<i64, StoreError> {
        self.read_small(clock).await
    }

    async fn work_on_profiles(&self, work: ProfileWork, now: Time) -> Result<(), StoreError> {
        self.write(move |conn| apply(conn, &work, now)).await
    }

    async fn nodes(&self, device: &DeviceId, at: Vec<TreeAddress>) -> Result<Vec<TreeNode>, StoreError> {
        let device = device.clone();
        self.read(move |conn| tree::some(conn, &device, &at)).await
    }

    async fn device_profiles(&self, device: &DeviceId) -> Result<Vec<DeviceProfile>, StoreError> {
        let device = device.clone();
        let sql = format!("SELECT {STANDING} FROM {PRESENT} WHERE p.device = ?1 ORDER BY p.profile");
        self.read(move |conn| query(conn, &sql, params![device.as_str()], standing)).await
    }

    async fn profile_devices(
        &self,
        name: &str,
        state: Option<ProfileState>,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceProfile>, StoreError> {
        let name = name.to_owned();
        self.read(move |conn| of_profile(conn, &name, state, after.as_ref(), limit)).await
    }

    async fn profile_counts(&self, name: &str) -> Result<Vec<(ProfileState, i64)>, StoreError> {
        let name = name.to_owned();
        let sql =
            "SELECT state, CAST(SUM(devices) AS BIGINT) FROM profile_count WHERE profile = ?1 GROUP BY state";
        let read = move |conn: &Connection| {
            let counts = query(conn, sql, params![name], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(counts.into_iter().filter(|(_, devices)| *devices != 0).collect())
        };
        self.read(read).await
    }
}

fn profile(row: &Row<'_>) -> Result<Profile, StoreError> {
    Ok(Profile {
        name: row.get(0)?,
        newest: row.get(1)?,
        created: Time(row.get(2)?),
        updated: Time(row.get(3)?),
    })
}

fn version_row(row: &Row<'_>) -> Result<ProfileVersion, StoreError> {
    Ok(ProfileVersion {
        name: row.get(0)?,
        version: row.get(1)?,
        created: Time(row.get(2)?),
        created_by: row.get(3)?,
        document: row.get(4)?,
    })
}

fn assignment(row: &Row<'_>) -> Result<Assignment, StoreError> {
    Ok(Assignment {
        profile: row.get(0)?,
        group: Some(row.get::<String>(1)?).filter(|group| !group.is_empty()),
        version: row.get(2)?,
        previous: row.get(3)?,
        since: Time(row.get(4)?),
        by: row.get(5)?,
        clock: row.get(6)?,
    })
}

fn version(conn: &Connection, name: &str, version: i64) -> Result<Option<ProfileVersion>, StoreError> {
    let sql = "SELECT name, version, created, created_by, document FROM profile_version
               WHERE name = ?1 AND version = ?2";
    query_optional(conn, sql, params![name, version], version_row)
}

fn put(
    conn: &Connection,
    name: &str,
    document: &str,
    base: Option<i64>,
    by: &str,
    now: Time,
) -> Result<ProfileVersion, StoreError> {
    let sql = format!("SELECT newest, removed FROM profile WHERE name = ?1{}", conn.locking());
    let before = query_optional(conn, &sql, params![name], |row| {
        Ok((row.get::<i64>(0)?, row.get::<Option<i64>>(1)?))
    })?;
    check_base(name, base, before)?;
    if let Some((newest, None)) = before {
        let same = version(conn, name, newest)?.filter(|kept| kept.document == document);
        if let Some(same) = same {
            return Ok(same);
        }
    }
    if let Some((_, Some(_))) = before {
        tick(conn)?;
    }
    // Two who store at the same time get two numbers: the row is locked by the first.
    let newest = query_optional(
        conn,
        "INSERT INTO profile (name, newest, created, updated) VALUES (?1, 1, ?2, ?2)
         ON CONFLICT (name) DO UPDATE SET newest = profile.newest + 1, updated = excluded.updated, removed = NULL
         RETURNING newest",
        params![name, now.0],
        |row| row.get::<i64>(0),
    )?;
    let newest = newest.ok_or(StoreError::Conflict("the profile was changed meanwhile"))?;
    if before.is_none() && newest > 1 {
        check_base(name, base, Some((newest, None)))?;
    }
    execute(
        conn,
        "INSERT INTO profile_version (name, version, created, created_by, document) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![name, newest, now.0, by, document],
    )?;
    Ok(ProfileVersion {
        name: name.to_owned(),
        version: newest,
        created: now,
        created_by: by.to_owned(),
        document: document.to_owned(),
    })
}

/// Whether a version that was made from `base`, 0 for none, may be stored after what there is: a newest version, and when it was removed.
fn check_base(name: &str, base: Option<i64>, before: Option<(i64, Option<i64>)>) -> Result<(), StoreError> {
    let newest = before.and_then(|(newest, removed)| removed.is_none().then_some(newest));
    match base {
        None => Ok(()),
        Some(base) if base == newest.unwrap_or(0) => Ok(()),
        Some(0) => Err(StoreError::ProfileExists(name.to_owned())),
        Some(_) => Err(StoreError::ProfileChanged(name.to_owned())),
    }
}

fn remove(conn: &Connection, name: &str, now: Time) -> Result<bool, StoreError> {
    let removed = execute(
        conn,
        "UPDATE profile SET removed = ?2, first = newest + 1 WHERE name = ?1 AND removed IS NULL",
        params![name, now.0],
    )?;
    if removed == 0 {
        return Ok(false);
    }
    execute(conn, "DELETE FROM profile_assignment WHERE profile = ?1", params![name])?;
    withdrawn::forget_profile(conn, name)?;
    tick(conn)?;
    Ok(true)
}

fn assign(conn: &Connection, new: &Assignment) -> Result<Assignment, StoreError> {
    tick(conn)?;
    let clock = clock(conn)?;
    let assigned = query_optional(
        conn,
        "INSERT INTO profile_assignment (profile, target, version, previous, since, assigned_by, clock)
         VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6)
         ON CONFLICT (profile, target) DO UPDATE SET
           previous = CASE WHEN profile_assignment.version = excluded.version THEN profile_assignment.previous
             ELSE profile_assignment.version END,
           version = excluded.version, since = excluded.since, assigned_by = excluded.assigned_by,
           clock = excluded.clock
         RETURNING profile, target, version, previous, since, assigned_by, clock",
        params![
            new.profile,
            new.group.as_deref().unwrap_or_default(),
            new.version,
            new.since.0,
            new.by,
            clock
        ],
        assignment,
    )?;
    assigned.ok_or(StoreError::Conflict("the assignment was changed meanwhile"))
}

/// Tells those who keep assignments, and which profiles were removed, in memory to read them again.
pub(crate) fn tick(conn: &Connection) -> Result<(), StoreError> {
    execute(conn, "UPDATE profile_clock SET changes = changes + 1 WHERE id = 1", &[])?;
    Ok(())
}

fn clock(conn: &Connection) -> Result<i64, StoreError> {
    let changes =
        query_optional(conn, "SELECT changes FROM profile_clock WHERE id = 1", &[], |row| row.get(0))?;
    Ok(changes.unwrap_or_default())
}

/// The versions that a device has for itself are one JSON object. The version of its session goes on, so that what was read before is
/// read again.
pub(super) fn pin(
    conn: &Connection,
    id: &DeviceId,
    name: &str,
    pin: Pin,
    now: Time,
) -> Result<(), StoreError> {
    let clock = clock(conn)?;
    change_pins(conn, id, now, |pins| {
        pins.insert(name.to_owned(), Pin { clock, ..pin });
        true
    })
}

/// Takes from a device what a campaign has given it; nothing that it has from elsewhere.
pub(super) fn take_back(
    conn: &Connection,
    id: &DeviceId,
    name: &str,
    campaign: Uuid,
    now: Time,
) -> Result<(), StoreError> {
    let is_its = |pins: &mut BTreeMap<String, Pin>| {
        let found = pins.get(name).is_some_and(|pin| pin.campaign == campaign);
        if found {
            pins.remove(name);
        }
        found
    };
    change_pins(conn, id, now, is_its)
}

/// Changes what a device has for itself, if `change` says that it has. Nothing happens where there is no such device.
fn change_pins(
    conn: &Connection,
    id: &DeviceId,
    now: Time,
    change: impl FnOnce(&mut BTreeMap<String, Pin>) -> bool,
) -> Result<(), StoreError> {
    // The row is locked before it is read, so that two who write at the same time do not undo each other's.
    let locked = "UPDATE device SET version = version + 1 WHERE device = ?1 RETURNING pinned";
    let read = |row: &Row<'_>| row.get::<Option<String>>(0);
    let Some(before) = query_optional(conn, locked, params![id.as_str()], read)? else { return Ok(()) };
    let mut pins = Pin::read(before.as_deref());
    if !change(&mut pins) {
        return Ok(());
    }
    let pinned = (!pins.is_empty()).then(|| serde_json::json!(pins).to_string());
    execute(conn, "UPDATE device SET pinned = ?2 WHERE device = ?1", params![id.as_str(), pinned])?;
    pushes::wake(conn, id, now)
}

/// Has a device that has failed with a version begin anew with it.
pub(super) fn begin_again(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    of: (&str, i64),
    now: Time,
) -> Result<(), StoreError> {
    match state_of(conn, device, generation, of.0)? {
        Some(ProfileState::Failed) => {
            let reason = Some("Its campaign has asked for another attempt.");
            stands(conn, device, generation, of, (ProfileState::Pending, reason), now)
        }
        Some(_) | None => Ok(()),
    }
}

fn apply(conn: &Connection, work: &ProfileWork, now: Time) -> Result<(), StoreError> {
    step(conn, &work.device, work.generation, &work.step, now)?;
    for (id, reason) in &work.superseded {
        supersede(conn, &work.device, work.generation, *id, reason, now)?;
    }
    for command in &work.commands {
        commands::add(conn, command.clone(), work.queue_limit, now)?;
    }
    if work.notify {
        pushes::wake(conn, &work.device, now)?;
    }
    Ok(())
}

fn supersede(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    id: CommandId,
    reason: &str,
    now: Time,
) -> Result<(), StoreError> {
    let superseded = execute(
        conn,
        "UPDATE command SET state = 'superseded', finished = ?4, reason = ?5
         WHERE device = ?1 AND generation = ?2 AND id = ?3 AND state = 'queued' AND finished IS NULL",
        params![device.as_str(), generation, Id(id), now.0, reason],
    )?;
    if superseded > 0 {
        commands::close(conn, device, generation, super::count(superseded))?;
    }
    Ok(())
}

/// Keeps what a look at a device has shown, if it was made from what is remembered now.
pub(crate) fn step(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    step: &ProfileStep,
    now: Time,
) -> Result<(), StoreError> {
    let changed = execute(
        conn,
        "UPDATE device SET desired = ?3 WHERE device = ?1 AND generation = ?2 AND COALESCE(desired, '') = ?4",
        params![device.as_str(), generation, step.memo, step.expected.as_deref().unwrap_or_default()],
    )?;
    if changed == 0 {
        return Err(StoreError::Conflict("the device was looked at meanwhile, or was removed"));
    }
    for change in &step.changes {
        match change {
            ProfileChange::Stands { profile, version, state, reason } => {
                stands(conn, device, generation, (profile, *version), (*state, reason.as_deref()), now)?;
            }
            ProfileChange::Gone { profile } => gone(conn, device, generation, profile)?,
        }
    }
    events::add(conn, &step.events, now)
}

fn stands(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    (profile, version): (&str, i64),
    (state, reason): (ProfileState, Option<&str>),
    now: Time,
) -> Result<(), StoreError> {
    let before = state_of(conn, device, generation, profile)?;
    execute(
        conn,
        "INSERT INTO device_profile (device, generation, profile, version, state, reason, since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (device, generation, profile) DO UPDATE SET
           since = CASE WHEN device_profile.version = excluded.version AND device_profile.state = excluded.state
             THEN device_profile.since ELSE excluded.since END,
           version = excluded.version, state = excluded.state, reason = excluded.reason",
        params![device.as_str(), generation, profile, version, state, reason, now.0],
    )?;
    if before != Some(state) {
        before.map_or(Ok(()), |before| count(conn, device, profile, before, -1))?;
        count(conn, device, profile, state, 1)?;
    }
    Ok(())
}

fn gone(conn: &Connection, device: &DeviceId, generation: i64, profile: &str) -> Result<(), StoreError> {
    let Some(before) = state_of(conn, device, generation, profile)? else { return Ok(()) };
    let sql = "DELETE FROM device_profile WHERE device = ?1 AND generation = ?2 AND profile = ?3";
    execute(conn, sql, params![device.as_str(), generation, profile])?;
    count(conn, device, profile, before, -1)
}

/// Takes a device that is removed out of all figures, with its rows.
pub(super) fn forget(conn: &Connection, device: &DeviceId) -> Result<(), StoreError> {
    let Some(generation) = devices::generation(conn, device)? else { return Ok(()) };
    let sql = "SELECT profile FROM device_profile WHERE device = ?1 AND generation = ?2";
    let profiles = query(conn, sql, params![device.as_str(), generation], |row| row.get::<String>(0))?;
    profiles.iter().try_for_each(|profile| gone(conn, device, generation, profile))
}

fn state_of(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    profile: &str,
) -> Result<Option<ProfileState>, StoreError> {
    let sql = "SELECT state FROM device_profile WHERE device = ?1 AND generation = ?2 AND profile = ?3";
    query_optional(conn, sql, params![device.as_str(), generation, profile], |row| row.get(0))
}

fn count(
    conn: &Connection,
    device: &DeviceId,
    profile: &str,
    state: ProfileState,
    devices: i64,
) -> Result<(), StoreError> {
    execute(
        conn,
        "INSERT INTO profile_count (profile, state, shard, devices) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (profile, state, shard) DO UPDATE SET devices = profile_count.devices + excluded.devices",
        params![profile, state, shard(device), devices],
    )?;
    Ok(())
}

/// The same for a device at any time (FNV-1a).
fn shard(device: &DeviceId) -> u32 {
    let mix = |hash: u32, octet: u8| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193);
    device.as_str().bytes().fold(0x811c_9dc5, mix) % SHARDS
}

/// Columns of [`standing`].
const STANDING: &str = "p.device, p.profile, p.version, p.state, p.reason, p.since";
/// Only what is of the present enrolment.
const PRESENT: &str = "device_profile p JOIN device d ON d.device = p.device AND d.generation = p.generation";

fn standing(row: &Row<'_>) -> Result<DeviceProfile, StoreError> {
    Ok(DeviceProfile {
        device: row.get::<Dev>(0)?.0,
        profile: row.get(1)?,
        version: row.get(2)?,
        state: row.get(3)?,
        reason: row.get(4)?,
        since: Time(row.get(5)?),
    })
}

fn of_profile(
    conn: &Connection,
    name: &str,
    state: Option<ProfileState>,
    after: Option<&DeviceId>,
    limit: u32,
) -> Result<Vec<DeviceProfile>, StoreError> {
    let after = after.map_or("", DeviceId::as_str);
    let in_state = format!(
        "SELECT {STANDING} FROM {PRESENT} WHERE p.profile = ?1 AND p.state = ?2 AND p.device > ?3
         ORDER BY p.device LIMIT ?4"
    );
    let states = state.map_or(ProfileState::ALL.to_vec(), |state| vec![state]);
    let mut found = Vec::new();
    for state in states {
        found.extend(query(conn, &in_state, params![name, state, after, limit], standing)?);
    }
    found.sort_by(|a, b| a.device.as_str().cmp(b.device.as_str()));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_spread_over_the_rows_of_a_figure() {
        let shards: std::collections::BTreeSet<u32> =
            (0..1_000).map(|number| shard(&DeviceId::parse(&format!("IMEI:{number}")).unwrap())).collect();
        assert_eq!(shards.len(), 16);
    }
}
