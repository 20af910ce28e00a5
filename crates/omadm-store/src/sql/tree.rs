//! Last known tree of each device.

use std::collections::{BTreeMap, BTreeSet};

use omadm_mo::{DeviceId, Time};

use super::devices;
use super::{Connection, Row, ToSql, execute, params, query, query_optional};
use crate::{StoreError, TreeAddress, TreeNode, TreeUpdate};

/// Rows at and below an address, as a range of the primary key. The bounds are exact: `0` follows `/` in the order of
/// octets, and no MOID holds the control character that comes next after the end of another.
struct Range<'a> {
    device: &'a str,
    start: (i64, &'a TreeAddress),
    /// First generation, MOID, MIID and path behind the range.
    end: (i64, String, String, String),
    at: &'a str,
    /// In between are the likes of `/a-b` for `/a`, which are less than `/a/`.
    below: String,
}

/// The condition of a [`Range`] on parameters 1 to 11, with `>=` or `>` for its start.
macro_rules! in_range {
    ($from:literal) => {
        concat!(
            "device = ?1 AND (generation, moid, miid, path) ",
            $from,
            " (?2, ?3, ?4, ?5) AND (generation, moid, miid, path) < (?6, ?7, ?8, ?9) AND (path = ?10 OR path >= ?11)"
        )
    };
}

impl<'a> Range<'a> {
    fn new(device: &'a DeviceId, generation: i64, at: &'a TreeAddress) -> Self {
        let none = String::new;
        let (end, below) = if at.moid.is_empty() {
            ((generation + 1, none(), none(), none()), none())
        } else if at.miid.is_empty() {
            ((generation, format!("{}\u{1}", at.moid), none(), none()), none())
        } else {
            let end = (generation, at.moid.clone(), at.miid.clone(), format!("{}0", at.path));
            (end, format!("{}/", at.path))
        };
        Self { device: device.as_str(), start: (generation, at), end, at: &at.path, below }
    }

    fn params(&self) -> Vec<&dyn ToSql> {
        let (generation, from) = &self.start;
        let (end, moid, miid, path) = &self.end;
        vec![
            &self.device,
            generation,
            &from.moid,
            &from.miid,
            &from.path,
            end,
            moid,
            miid,
            path,
            &self.at,
            &self.below,
        ]
    }
}

fn node(row: &Row<'_>) -> Result<TreeNode, StoreError> {
    Ok(TreeNode {
        at: TreeAddress { moid: row.get(0)?, miid: row.get(1)?, path: row.get(2)? },
        value: row.get(3)?,
        seen: Time(row.get(4)?),
    })
}

const LIST_FROM: &str = concat!(
    "SELECT moid, miid, path, value, seen FROM tree WHERE ",
    in_range!(">="),
    " ORDER BY moid, miid, path LIMIT ?12"
);
const LIST_AFTER: &str = concat!(
    "SELECT moid, miid, path, value, seen FROM tree WHERE ",
    in_range!(">"),
    " ORDER BY moid, miid, path LIMIT ?12"
);

pub(crate) fn list(
    conn: &Connection,
    device: &DeviceId,
    at: &TreeAddress,
    after: Option<&TreeAddress>,
    limit: u32,
) -> Result<Vec<TreeNode>, StoreError> {
    match devices::generation(conn, device)? {
        Some(generation) => range(conn, device, generation, at, after, limit),
        None => Ok(Vec::new()),
    }
}

fn range(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    at: &TreeAddress,
    after: Option<&TreeAddress>,
    limit: u32,
) -> Result<Vec<TreeNode>, StoreError> {
    let mut range = Range::new(device, generation, at);
    let mut sql = LIST_FROM;
    if let Some(after) = after.filter(|after| *after >= at) {
        range.start.1 = after;
        sql = LIST_AFTER;
    }
    let mut params = range.params();
    params.push(&limit);
    query(conn, sql, params.as_slice(), node)
}

fn remove(conn: &Connection, device: &DeviceId, generation: i64, at: &TreeAddress) -> Result<(), StoreError> {
    let range = Range::new(device, generation, at);
    execute(conn, concat!("DELETE FROM tree WHERE ", in_range!(">=")), range.params().as_slice())?;
    Ok(())
}

fn remove_below(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    at: &TreeAddress,
) -> Result<(), StoreError> {
    let range = Range::new(device, generation, at);
    execute(conn, concat!("DELETE FROM tree WHERE ", in_range!(">")), range.params().as_slice())?;
    Ok(())
}

pub(crate) fn update(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    update: &TreeUpdate,
    now: Time,
) -> Result<(), StoreError> {
    match update {
        TreeUpdate::Remove { at } => remove(conn, device, generation, at),
        TreeUpdate::Replace { at, nodes } => {
            remove(conn, device, generation, at)?;
            put(conn, device, generation, &listed(nodes), now)
        }
        TreeUpdate::Merge { nodes } => {
            let nodes = listed(nodes);
            let changed = put_known_leaves(conn, device, generation, &nodes, now)?;
            if changed.is_empty() {
                return Ok(());
            }
            remove_unlisted(conn, device, generation, &nodes, &changed)?;
            put(conn, device, generation, &changed, now)
        }
        TreeUpdate::OfOnly(inner) => match of_only(conn, device, generation, inner)? {
            Some(inner) => self::update(conn, device, generation, &inner, now),
            None => Ok(()),
        },
    }
}

/// The update with the MIID of the only instance of its MOID.
fn of_only(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    update: &TreeUpdate,
) -> Result<Option<TreeUpdate>, StoreError> {
    let mut update = update.clone();
    let Some(moid) = update.addresses().next().map(|at| at.moid.clone()) else { return Ok(None) };
    let bounds = query_optional(
        conn,
        "SELECT (SELECT miid FROM tree WHERE device = ?1 AND generation = ?2 AND moid = ?3 ORDER BY miid LIMIT 1),
           (SELECT miid FROM tree WHERE device = ?1 AND generation = ?2 AND moid = ?3 ORDER BY miid DESC LIMIT 1)",
        params![device.as_str(), generation, moid],
        |row| Ok((row.get::<Option<String>>(0)?, row.get::<Option<String>>(1)?)),
    )?;
    let Some((Some(miid), Some(last))) = bounds else { return Ok(None) };
    if miid != last {
        return Ok(None);
    }
    update.addresses().for_each(|at| at.miid.clone_from(&miid));
    Ok(Some(update))
}

/// Addresses and values in the order of addresses, which is that of the table.
type Nodes<'a> = BTreeMap<&'a TreeAddress, Option<&'a str>>;

fn listed(nodes: &[(TreeAddress, Option<String>)]) -> Nodes<'_> {
    nodes.iter().map(|(at, value)| (at, value.as_deref())).collect()
}

/// Writes the leaves that were leaves before, beside which nothing changes; gives the other nodes.
fn put_known_leaves<'a>(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    nodes: &Nodes<'a>,
    now: Time,
) -> Result<Nodes<'a>, StoreError> {
    let mut others = Nodes::new();
    for (at, value) in nodes {
        let is_known = value.is_some()
            && execute(
                conn,
                "UPDATE tree SET seen = ?6, value = ?7
                 WHERE device = ?1 AND generation = ?2 AND moid = ?3 AND miid = ?4 AND path = ?5 AND value IS NOT NULL",
                params![device.as_str(), generation, at.moid, at.miid, at.path, now.0, value],
            )? > 0;
        if !is_known {
            others.insert(at, *value);
        }
    }
    Ok(others)
}

/// Removes what cannot be there any more beside `nodes`, of which `changed` are not as they were: all below a leaf, and the other
/// children of an interior node some of whose children are listed.
fn remove_unlisted(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    nodes: &Nodes<'_>,
    changed: &Nodes<'_>,
) -> Result<(), StoreError> {
    let parents: BTreeSet<TreeAddress> = nodes.keys().filter_map(|at| at.parent()).collect();
    for (at, value) in changed {
        if value.is_some() {
            remove_below(conn, device, generation, at)?;
        } else if parents.contains(*at) {
            for child in children(conn, device, generation, at)? {
                if !nodes.contains_key(&child) {
                    remove(conn, device, generation, &child)?;
                }
            }
        }
    }
    Ok(())
}

/// The nodes at these addresses exactly.
pub(super) fn some(
    conn: &Connection,
    device: &DeviceId,
    at: &[TreeAddress],
) -> Result<Vec<TreeNode>, StoreError> {
    let snapshot = conn.snapshot()?;
    let Some(generation) = devices::generation(&snapshot, device)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for TreeAddress { moid, miid, path } in at {
        let sql = "SELECT moid, miid, path, value, seen FROM tree
                   WHERE device = ?1 AND generation = ?2 AND moid = ?3 AND miid = ?4 AND path = ?5";
        found.extend(query_optional(
            &snapshot,
            sql,
            params![device.as_str(), generation, moid, miid, path],
            node,
        )?);
    }
    Ok(found)
}

/// The nodes right below one. What is below these is leapt over, so that this costs by their number alone.
fn children(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    at: &TreeAddress,
) -> Result<Vec<TreeAddress>, StoreError> {
    let (below, end) = (format!("{}/", at.path), format!("{}0", at.path));
    let mut from = below.clone();
    let mut children = Vec::new();
    loop {
        let next = query_optional(
            conn,
            "SELECT path FROM tree WHERE device = ?1 AND generation = ?2 AND moid = ?3 AND miid = ?4
               AND path >= ?5 AND path < ?6 ORDER BY path LIMIT 1",
            params![device.as_str(), generation, at.moid, at.miid, from, end],
            |row| row.get::<String>(0),
        )?;
        let Some(path) = next else { return Ok(children) };
        let name = path.strip_prefix(&below).unwrap_or_default();
        match name.split_once('/') {
            // Between `/a` and what is below it come the likes of `/a-b`.
            None => {
                from = format!("{path}\u{1}");
                children.push(TreeAddress { path, ..at.clone() });
            }
            Some((child, _)) => from = format!("{below}{child}0"),
        }
    }
}

/// Writes nodes, and those above them as interior nodes.
fn put(
    conn: &Connection,
    device: &DeviceId,
    generation: i64,
    nodes: &Nodes<'_>,
    now: Time,
) -> Result<(), StoreError> {
    let mut above = BTreeSet::new();
    for at in nodes.keys() {
        let mut parent = at.parent();
        while let Some(at) = parent.filter(|at| !nodes.contains_key(at) && !above.contains(at)) {
            parent = at.parent();
            above.insert(at);
        }
    }
    for at in &above {
        execute(
            conn,
            "INSERT INTO tree (device, generation, moid, miid, path, seen, value)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)
             ON CONFLICT (device, generation, moid, miid, path) DO UPDATE SET seen = excluded.seen, value = NULL
             WHERE tree.value IS NOT NULL",
            params![device.as_str(), generation, at.moid, at.miid, at.path, now.0],
        )?;
    }
    for (at, value) in nodes {
        execute(
            conn,
            "INSERT INTO tree (device, generation, moid, miid, path, seen, value)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (device, generation, moid, miid, path) DO UPDATE SET seen = excluded.seen,
               value = excluded.value",
            params![device.as_str(), generation, at.moid, at.miid, at.path, now.0, value],
        )?;
    }
    Ok(())
}
