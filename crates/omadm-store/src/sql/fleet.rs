//! The inventory: what filters ask about devices, and what people say about them.

use std::collections::BTreeMap;

use omadm_mo::{DeviceId, Time};

use super::{Connection, Dev, Row, SqlStore, Texts, ToSql, device_groups, devices, events};
use super::{execute, params, query, query_optional};
use crate::filter::sql::{CLOUD, NEVER, Path, Statement, Value, count, day, page, path};
use crate::filter::{Filter, version_key};
use crate::{Annotation, Facts, FleetDevice, FleetStore, Group, NewEvent, Reach, SessionStep, StoreError};

/// `contact` of devices that were enrolled before there was an inventory, until [`complete`].
const NOT_READ: i64 = -2;

#[async_trait::async_trait]
impl FleetStore for SqlStore {
    async fn fleet_device(&self, id: &DeviceId) -> Result<Option<FleetDevice>, StoreError> {
        let id = id.clone();
        self.read_small(move |conn| get(&*conn.snapshot()?, &id)).await
    }

    async fn fleet(
        &self,
        filter: Option<&Filter>,
        after: Option<&DeviceId>,
        limit: u32,
        now: Time,
    ) -> Result<Vec<FleetDevice>, StoreError> {
        let (filter, after) = (filter.cloned(), after.cloned());
        let read = move |conn: &Connection| {
            let snapshot = conn.snapshot()?;
            let found = select(&snapshot, filter.as_ref(), after.as_ref(), limit, now)?;
            found.iter().filter_map(|id| get(&snapshot, id).transpose()).collect()
        };
        self.read(read).await
    }

    async fn select(
        &self,
        filter: Option<&Filter>,
        after: Option<&DeviceId>,
        limit: u32,
        now: Time,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let (filter, after) = (filter.cloned(), after.cloned());
        self.read(move |conn| select(&*conn.snapshot()?, filter.as_ref(), after.as_ref(), limit, now)).await
    }

    async fn count(&self, filter: Option<&Filter>, at_most: u32, now: Time) -> Result<u32, StoreError> {
        let filter = filter.cloned();
        let read = move |conn: &Connection| {
            let snapshot = conn.snapshot()?;
            let (filter, path) = prepared(&snapshot, filter.as_ref(), now)?;
            number(&snapshot, &count(filter.as_ref(), &path, at_most, now))
        };
        self.read(read).await
    }

    async fn expand(&self, filter: &Filter) -> Result<Filter, StoreError> {
        let filter = filter.clone();
        self.read(move |conn| device_groups::expand(&*conn.snapshot()?, &filter)).await
    }

    async fn annotate(
        &self,
        id: &DeviceId,
        annotation: Annotation,
        max_labels: usize,
        events: Vec<NewEvent>,
        now: Time,
    ) -> Result<bool, StoreError> {
        let id = id.clone();
        let write = move |conn: &Connection| {
            let enrolled = annotate(conn, &id, &annotation, max_labels)?;
            if enrolled {
                events::add(conn, &events, now)?;
            }
            Ok(enrolled)
        };
        self.write(write).await
    }

    async fn complete_inventory(&self, limit: u32) -> Result<bool, StoreError> {
        self.write(move |conn| complete(conn, limit)).await
    }

    async fn groups(&self, after: Option<&str>, limit: u32) -> Result<Vec<Group>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |conn| device_groups::list(conn, &after, limit)).await
    }

    async fn group(&self, name: &str) -> Result<Option<Group>, StoreError> {
        let name = name.to_owned();
        self.read_small(move |conn| device_groups::get(conn, &name)).await
    }

    async fn put_group(
        &self,
        group: Group,
        filter: &Filter,
        events: Vec<NewEvent>,
        now: Time,
    ) -> Result<Group, StoreError> {
        let filter = filter.clone();
        let write = move |conn: &Connection| {
            let written = device_groups::put(conn, &group, &filter, now)?;
            events::add(conn, &events, now)?;
            Ok(written)
        };
        self.write(write).await
    }

    async fn remove_group(&self, name: &str, events: Vec<NewEvent>, now: Time) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let write = move |conn: &Connection| {
            let removed = device_groups::remove(conn, &name)?;
            if removed {
                events::add(conn, &events, now)?;
            }
            Ok(removed)
        };
        self.write(write).await
    }

    async fn group_uses(&self, name: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let name = name.to_owned();
        self.read(move |conn| device_groups::uses(conn, &name, limit)).await
    }

    async fn set_group_uses(&self, user: &str, groups: Vec<String>) -> Result<(), StoreError> {
        let user = user.to_owned();
        let write = move |conn: &Connection| {
            let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
            device_groups::set_uses(conn, &user, &groups)
        };
        self.write(write).await
    }
}

/// Makes the row of a device that was enrolled; one whose bootstrap was revoked has it already.
pub(crate) fn enrolled(conn: &Connection, id: &str, generation: i64, now: Time) -> Result<(), StoreError> {
    execute(
        conn,
        "INSERT INTO fleet (device, generation, enrolled, contact, protocol, manufacturer, model,
           fw, fw_key, sw, sw_key, hw, hw_key, note, labels)
         VALUES (?1, ?2, ?3, ?4, '', '', '', '', '', '', '', '', '', '', '{}') ON CONFLICT (device) DO NOTHING",
        params![id, generation, now.0, NEVER],
    )
    .map(drop)
}

/// Notes what a step says about a device. A step on the same day as the one before that brings no other fact costs nothing.
pub(crate) fn learn(conn: &Connection, step: &SessionStep) -> Result<(), StoreError> {
    let (device, generation, today) = (step.device.as_str(), step.generation, day(step.now));
    if step.last_contact.map(day) != Some(today) {
        execute(
            conn,
            "UPDATE fleet SET contact = ?3 WHERE device = ?1 AND generation = ?2",
            params![device, generation, today],
        )?;
    }
    if step.protocol.is_some() || step.bearer.is_some() {
        execute(
            conn,
            "UPDATE fleet SET protocol = COALESCE(?3, protocol), bearer = COALESCE(?4, bearer)
             WHERE device = ?1 AND generation = ?2",
            params![device, generation, step.protocol, step.bearer],
        )?;
    }
    match &step.facts {
        Some(facts) => set_facts(conn, device, generation, &Facts::read(facts)),
        None => Ok(()),
    }
}

fn set_facts(conn: &Connection, device: &str, generation: i64, facts: &Facts) -> Result<(), StoreError> {
    let Facts { manufacturer, model, firmware, software, hardware } = facts;
    execute(
        conn,
        "UPDATE fleet SET manufacturer = ?3, model = ?4, fw = ?5, fw_key = ?6, sw = ?7, sw_key = ?8, hw = ?9, hw_key = ?10
         WHERE device = ?1 AND generation = ?2",
        params![
            device,
            generation,
            manufacturer,
            model,
            firmware,
            version_key(firmware),
            software,
            version_key(software),
            hardware,
            version_key(hardware)
        ],
    )
    .map(drop)
}

fn complete(conn: &Connection, limit: u32) -> Result<bool, StoreError> {
    let found: Vec<Dev> = query(
        conn,
        "SELECT device FROM fleet WHERE contact = ?1 LIMIT ?2",
        params![NOT_READ, limit],
        |row| row.get(0),
    )?;
    for Dev(id) in &found {
        let Some(device) = devices::get(conn, id)? else { continue };
        set_facts(conn, id.as_str(), device.generation, &Facts::read(&device.facts))?;
        let contact = device.last_contact.map_or(NEVER, day);
        let key = params![id.as_str(), device.generation, contact];
        execute(conn, "UPDATE fleet SET contact = ?3 WHERE device = ?1 AND generation = ?2", key)?;
    }
    Ok(!found.is_empty())
}

pub(crate) fn get(conn: &Connection, id: &DeviceId) -> Result<Option<FleetDevice>, StoreError> {
    let Some(device) = devices::get(conn, id)? else { return Ok(None) };
    let sql = "SELECT f.manufacturer, f.model, f.fw, f.sw, f.hw, f.note, f.labels, p.addresses, p.registration, p.attempts
         FROM fleet f LEFT JOIN push p ON p.device = f.device AND p.generation = f.generation
         WHERE f.device = ?1 AND f.generation = ?2";
    query_optional(conn, sql, params![id.as_str(), device.generation], |row| {
        let facts = Facts {
            manufacturer: row.get(0)?,
            model: row.get(1)?,
            firmware: row.get(2)?,
            software: row.get(3)?,
            hardware: row.get(4)?,
        };
        let (reach, ways) = ways(row)?;
        Ok(FleetDevice {
            device: device.clone(),
            facts,
            reach,
            ways,
            note: row.get(5)?,
            labels: labels(&row.get::<String>(6)?)?,
        })
    })
}

/// How a device can be called, from the columns of `push` in [`get`].
fn ways(row: &Row<'_>) -> Result<(Reach, Vec<String>), StoreError> {
    let addresses = row.get::<Option<Texts>>(7)?.map(|texts| texts.0).unwrap_or_default();
    let registration: Option<String> = row.get(8)?;
    let attempts = row.get::<Option<i64>>(9)?.unwrap_or_default();
    let schemes = addresses.iter().filter_map(|address| address.split_once(':').map(|(scheme, _)| scheme));
    let mut ways: Vec<String> =
        schemes.chain(registration.iter().map(|_| CLOUD)).map(str::to_owned).collect();
    ways.sort_unstable();
    ways.dedup();
    let reach = match (addresses.is_empty() && registration.is_none(), attempts) {
        (true, _) => Reach::None,
        (false, 0) => Reach::Known,
        (false, _) => Reach::Unanswered,
    };
    Ok((reach, ways))
}

fn labels(json: &str) -> Result<BTreeMap<String, String>, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Engine(format!("the labels of a device: {error}")))
}

/// Changes what people say about a device; `false` if it is not enrolled.
pub(crate) fn annotate(
    conn: &Connection,
    id: &DeviceId,
    annotation: &Annotation,
    max_labels: usize,
) -> Result<bool, StoreError> {
    let Some(generation) = devices::generation(conn, id)? else { return Ok(false) };
    let device = id.as_str();
    // The row is written before its labels are changed, so that another who changes them waits.
    let before: Option<String> = query_optional(
        conn,
        "UPDATE fleet SET note = COALESCE(?3, note) WHERE device = ?1 AND generation = ?2 RETURNING labels",
        params![device, generation, annotation.note],
        |row| row.get(0),
    )?;
    let Some(before) = before else { return Ok(false) };
    if let Some(name) = &annotation.name {
        let sql = "UPDATE device SET label = ?3 WHERE device = ?1 AND generation = ?2";
        execute(conn, sql, params![device, generation, name])?;
    }
    let mut labels = labels(&before)?;
    for (key, value) in &annotation.labels {
        match value {
            Some(value) => {
                labels.insert(key.clone(), value.clone());
                execute(
                    conn,
                    "INSERT INTO label (device, generation, name, value) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (device, name) DO UPDATE SET value = excluded.value",
                    params![device, generation, key, value],
                )?;
            }
            None => {
                labels.remove(key);
                execute(conn, "DELETE FROM label WHERE device = ?1 AND name = ?2", params![device, key])?;
            }
        }
    }
    if annotation.labels.is_empty() {
        return Ok(true);
    }
    if labels.len() > max_labels {
        return Err(StoreError::TooManyLabels { device: device.to_owned(), limit: max_labels });
    }
    let json = serde_json::json!(labels).to_string();
    let sql = "UPDATE fleet SET labels = ?3 WHERE device = ?1 AND generation = ?2";
    execute(conn, sql, params![device, generation, json])?;
    Ok(true)
}

/// The ids of devices that a filter means.
pub(crate) fn select(
    conn: &Connection,
    filter: Option<&Filter>,
    after: Option<&DeviceId>,
    limit: u32,
    now: Time,
) -> Result<Vec<DeviceId>, StoreError> {
    let (filter, path) = prepared(conn, filter, now)?;
    let after = after.map_or("", DeviceId::as_str);
    let statement = page(filter.as_ref(), &path, after, limit, now);
    let values = statement.params();
    query(conn, &statement.sql, &values, |row| row.get::<Dev>(0).map(|id| id.0))
}

/// A filter without groups, and the way in which its devices are found.
fn prepared(
    conn: &Connection,
    filter: Option<&Filter>,
    now: Time,
) -> Result<(Option<Filter>, Path), StoreError> {
    let Some(filter) = filter else { return Ok((None, Path::All)) };
    let filter = device_groups::expand(conn, filter)?;
    let path = path(&filter, now, |probe| number(conn, probe))?;
    Ok((Some(filter), path))
}

/// The one number that a statement gives.
fn number(conn: &Connection, statement: &Statement) -> Result<u32, StoreError> {
    let found = query_optional(conn, &statement.sql, &statement.params(), |row| row.get(0))?;
    Ok(found.unwrap_or_default())
}

impl Statement {
    /// Its values, in their order.
    pub(crate) fn params(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(Value::as_sql).collect()
    }
}

impl Value {
    fn as_sql(&self) -> &dyn ToSql {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number,
        }
    }
}
