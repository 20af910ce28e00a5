//! Groups of devices, and what uses them.

use omadm_mo::Time;

use super::{Connection, Row, execute, params, query, query_optional, withdrawn};
use crate::filter::{Filter, FilterError, FilterLimits, GroupFilters};
use crate::{Group, StoreError};

/// Uses that a refusal names.
const NAMED_USES: u32 = 5;

/// Columns of a group, in the order of [`group`].
const COLUMNS: &str = "name, filter, description, version, created, updated";

fn group(row: &Row<'_>) -> Result<Group, StoreError> {
    Ok(Group {
        name: row.get(0)?,
        filter: row.get(1)?,
        description: row.get(2)?,
        version: row.get(3)?,
        created: Time(row.get(4)?),
        updated: Time(row.get(5)?),
    })
}

pub(crate) fn get(conn: &Connection, name: &str) -> Result<Option<Group>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM device_group WHERE name = ?1");
    query_optional(conn, &sql, params![name], group)
}

pub(crate) fn list(conn: &Connection, after: &str, limit: u32) -> Result<Vec<Group>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM device_group WHERE name > ?1 ORDER BY name LIMIT ?2");
    query(conn, &sql, params![after, limit], group)
}

/// A filter in which all groups are replaced by their filters.
pub(crate) fn expand(conn: &Connection, filter: &Filter) -> Result<Filter, StoreError> {
    Ok(filters(conn, filter, GroupFilters::default())?.expand(filter)?)
}

/// The filters of all groups that a filter leads to, beside those that are known.
fn filters(conn: &Connection, filter: &Filter, mut known: GroupFilters) -> Result<GroupFilters, StoreError> {
    let mut wanted: Vec<String> = filter.groups().into_iter().map(|(name, _)| name.to_owned()).collect();
    while let Some(name) = wanted.pop() {
        if known.contains(&name) {
            continue;
        }
        let Some(group) = get(conn, &name)? else { continue };
        let filter = stored(&group.filter)?;
        wanted.extend(filter.groups().into_iter().map(|(name, _)| name.to_owned()));
        known.insert(name, filter);
    }
    Ok(known)
}

/// A filter as it was kept: it was within the limits of its time, which may have been others.
fn stored(text: &str) -> Result<Filter, FilterError> {
    Filter::parse(text, &FilterLimits { length: usize::MAX, depth: 64, terms: 4_096 })
}

pub(crate) fn put(conn: &Connection, group: &Group, filter: &Filter, now: Time) -> Result<Group, StoreError> {
    let Group { name, filter: text, description, version, .. } = group;
    // Who has what profiles is decided by groups. It comes first, as the row holds up all who change groups at the same time: two that
    // are good by themselves could lead into each other.
    super::profiles::tick(conn)?;
    // With its new filter: so it is found if it leads back to the group itself.
    let mut known = GroupFilters::default();
    known.insert(name.clone(), filter.clone());
    let known = filters(conn, filter, known)?;
    known.expand(filter)?;
    known.expand(&Filter::group(name))?;
    let written = if *version == 0 {
        let sql = "INSERT INTO device_group (name, filter, description, version, created, updated, uses)
             VALUES (?1, ?2, ?3, 1, ?4, ?4, 0) ON CONFLICT (name) DO NOTHING";
        if execute(conn, sql, params![name, text, description, now.0])? == 0 {
            return Err(StoreError::GroupExists(name.clone()));
        }
        true
    } else {
        let sql = "UPDATE device_group SET filter = ?3, description = ?4, version = version + 1, updated = ?5
             WHERE name = ?1 AND version = ?2";
        execute(conn, sql, params![name, version, text, description, now.0])? > 0
    };
    if !written {
        return Err(StoreError::Conflict("the group was changed or removed"));
    }
    let used: Vec<&str> = filter.groups().into_iter().map(|(name, _)| name).collect();
    set_uses(conn, &format!("group:{name}"), &used)?;
    get(conn, name)?.ok_or_else(|| StoreError::GroupUnknown(name.clone()))
}

pub(crate) fn remove(conn: &Connection, name: &str) -> Result<bool, StoreError> {
    if execute(conn, "DELETE FROM device_group WHERE name = ?1 AND uses = 0", params![name])? > 0 {
        set_uses(conn, &format!("group:{name}"), &[])?;
        withdrawn::forget_group(conn, name)?;
        return Ok(true);
    }
    if get(conn, name)?.is_none() {
        return Ok(false);
    }
    Err(StoreError::GroupInUse { name: name.to_owned(), by: uses(conn, name, NAMED_USES)? })
}

pub(crate) fn uses(conn: &Connection, name: &str, limit: u32) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT user_of FROM group_use WHERE group_name = ?1 ORDER BY user_of LIMIT ?2";
    query(conn, sql, params![name, limit], |row| row.get(0))
}

/// Says which groups something uses from now on, such as `profile:NAME` and `campaign:UUID`: these cannot be removed meanwhile. Who
/// calls it in the transaction in which the use begins or ends cannot lose a group.
pub(crate) fn set_uses(conn: &Connection, user: &str, groups: &[&str]) -> Result<(), StoreError> {
    let before: Vec<String> =
        query(conn, "SELECT group_name FROM group_use WHERE user_of = ?1", params![user], |row| row.get(0))?;
    for name in before.iter().filter(|name| !groups.contains(&name.as_str())) {
        execute(conn, "DELETE FROM group_use WHERE user_of = ?1 AND group_name = ?2", params![user, name])?;
        execute(conn, "UPDATE device_group SET uses = uses - 1 WHERE name = ?1", params![name])?;
    }
    for name in groups {
        let sql = "INSERT INTO group_use (user_of, group_name) VALUES (?1, ?2) ON CONFLICT (user_of, group_name) DO NOTHING";
        if execute(conn, sql, params![user, name])? == 0 {
            continue;
        }
        if execute(conn, "UPDATE device_group SET uses = uses + 1 WHERE name = ?1", params![name])? == 0 {
            return Err(StoreError::GroupUnknown((*name).to_owned()));
        }
    }
    Ok(())
}
