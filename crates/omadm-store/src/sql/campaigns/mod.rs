//! Campaigns, and the devices in them.

mod step;

use omadm_mo::{DeviceId, Time};
use uuid::Uuid;

use super::{
    Connection, Dev, Id, Params, Row, SqlStore, commands, count, execute, params, query, query_optional,
};
use crate::{
    Campaign, CampaignCounts, CampaignDevice, CampaignDeviceState, CampaignOrphans, CampaignProfileDevice,
    CampaignQuery, CampaignState, CampaignStep, CampaignStepped, CampaignStore, Command, Origin, Pin,
    StoreError,
};

/// Columns of a campaign, in the order of [`campaign`].
const CAMPAIGN: &str = "id, name, state, version, created, created_by, updated, due, package, target, document, progress, \
    n_open, n_done, n_failed, n_retry, n_waiting, n_skipped, n_cancelled, n_gone, of_groups";
/// Columns of a device in a campaign, in the order of [`device`].
const DEVICE: &str = "cd.device, cd.state, cd.attempts, cd.generation, cd.first_seq, cd.last_seq, cd.due, cd.status, \
    cd.reason, cd.updated";

#[async_trait::async_trait]
impl CampaignStore for SqlStore {
    async fn step_campaign(&self, step: CampaignStep, now: Time) -> Result<CampaignStepped, StoreError> {
        self.write(move |conn| step::apply(conn, &step, now)).await
    }

    async fn campaign(&self, id: Uuid) -> Result<Option<Campaign>, StoreError> {
        self.read_small(move |conn| Ok(select(conn, "id = ?1", params![Id(id)])?.pop())).await
    }

    async fn campaign_named(&self, name: &str) -> Result<Option<Campaign>, StoreError> {
        let name = name.to_owned();
        self.read_small(move |conn| Ok(select(conn, "name = ?1", params![name])?.pop())).await
    }

    async fn campaigns(&self, wanted: CampaignQuery, limit: u32) -> Result<Vec<Campaign>, StoreError> {
        let before = Id(wanted.before.unwrap_or(Uuid::max()));
        let (state, package) = (wanted.state.map(CampaignState::as_str), wanted.package.map(Id));
        let newest = "id < ?1 AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR package = ?4) ORDER BY id DESC LIMIT ?2";
        self.read(move |conn| select(conn, newest, params![before, limit, state, package])).await
    }

    async fn due_campaigns(&self, now: Time, limit: u32) -> Result<Vec<Campaign>, StoreError> {
        // What is due later than that was written before the clock was set back. Of campaigns there are few.
        let due = "(due <= ?1 OR due > ?3) ORDER BY due LIMIT ?2";
        let farthest = now.plus_micros(Campaign::FARTHEST);
        self.read(move |conn| select(conn, due, params![now.0, limit, farthest.0])).await
    }

    async fn remove_campaign(&self, id: Uuid, limit: u32) -> Result<Option<bool>, StoreError> {
        self.write(move |conn| remove(conn, id, limit)).await
    }

    async fn campaign_ended(
        &self,
        id: Uuid,
        limit: u32,
    ) -> Result<Vec<(Command, Option<CampaignDevice>)>, StoreError> {
        self.read(move |conn| ended(conn, id, limit)).await
    }

    async fn campaign_devices(
        &self,
        id: Uuid,
        state: Option<CampaignDeviceState>,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<CampaignDevice>, StoreError> {
        let after = after.map_or_else(String::new, |device| device.as_str().to_owned());
        let read = move |conn: &Connection| match state {
            Some(state) => {
                let of = "cd.campaign = ?1 AND cd.state = ?4 AND cd.device > ?2 ORDER BY cd.device LIMIT ?3";
                devices(conn, of, params![Id(id), after, limit, state])
            }
            None => by_device(conn, id, &after, limit),
        };
        self.read(read).await
    }

    async fn campaign_due(&self, id: Uuid, now: Time, limit: u32) -> Result<Vec<CampaignDevice>, StoreError> {
        let due = "cd.campaign = ?1 AND cd.due <= ?2 ORDER BY cd.due, cd.device LIMIT ?3";
        self.read(move |conn| devices(conn, due, params![Id(id), now.0, limit])).await
    }

    async fn campaign_unreached(
        &self,
        id: Uuid,
        devices: Vec<DeviceId>,
    ) -> Result<Vec<DeviceId>, StoreError> {
        self.read(move |conn| unreached(conn, id, devices)).await
    }

    async fn campaign_profile_devices(
        &self,
        id: Uuid,
        profile: &str,
        version: i64,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<CampaignProfileDevice>, StoreError> {
        let profile = profile.to_owned();
        self.read(move |conn| profile_devices(conn, id, &profile, version, after.as_ref(), limit)).await
    }

    async fn campaign_orphans(
        &self,
        id: Uuid,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<CampaignOrphans, StoreError> {
        self.read(move |conn| orphans(conn, id, after.as_ref(), limit)).await
    }
}

fn select(conn: &Connection, condition: &str, params: Params<'_>) -> Result<Vec<Campaign>, StoreError> {
    query(conn, &format!("SELECT {CAMPAIGN} FROM campaign WHERE {condition}"), params, campaign)
}

fn campaign(row: &Row<'_>) -> Result<Campaign, StoreError> {
    let mut counts = CampaignCounts::default();
    for (column, state) in (12..).zip(CampaignDeviceState::ALL) {
        counts.add(*state, row.get(column)?);
    }
    Ok(Campaign {
        id: row.get::<Id>(0)?.0,
        name: row.get(1)?,
        state: row.get(2)?,
        version: row.get(3)?,
        created: Time(row.get(4)?),
        created_by: row.get(5)?,
        updated: Time(row.get(6)?),
        due: row.get::<Option<i64>>(7)?.map(Time),
        package: row.get::<Option<Id>>(8)?.map(|id| id.0),
        // What cannot be read keeps it from all devices.
        groups: row
            .get::<Option<String>>(20)?
            .map(|groups| serde_json::from_str(&groups).unwrap_or_default()),
        target: row.get(9)?,
        document: row.get(10)?,
        progress: row.get(11)?,
        counts,
    })
}

fn devices(
    conn: &Connection,
    condition: &str,
    params: Params<'_>,
) -> Result<Vec<CampaignDevice>, StoreError> {
    let sql = format!("SELECT {DEVICE} FROM campaign_device cd WHERE {condition}");
    query(conn, &sql, params, |row| device(row, 0))
}

/// Devices of all states in their order: a page of each state, of which the first ones are taken.
fn by_device(
    conn: &Connection,
    id: Uuid,
    after: &str,
    limit: u32,
) -> Result<Vec<CampaignDevice>, StoreError> {
    let of = "cd.campaign = ?1 AND cd.state = ?4 AND cd.device > ?2 ORDER BY cd.device LIMIT ?3";
    let mut found = Vec::new();
    for state in CampaignDeviceState::ALL {
        found.extend(devices(conn, of, params![Id(id), after, limit, *state])?);
    }
    found.sort_by(|a, b| a.device.as_str().cmp(b.device.as_str()));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// A device in the columns from `first` on.
fn device(row: &Row<'_>, first: usize) -> Result<CampaignDevice, StoreError> {
    Ok(CampaignDevice {
        device: row.get::<Dev>(first)?.0,
        state: row.get(first + 1)?,
        attempts: row.get(first + 2)?,
        generation: row.get(first + 3)?,
        commands: (row.get(first + 4)?, row.get(first + 5)?),
        due: row.get::<Option<i64>>(first + 6)?.map(Time),
        status: row.get(first + 7)?,
        reason: row.get(first + 8)?,
        updated: Time(row.get(first + 9)?),
    })
}

fn ended(
    conn: &Connection,
    id: Uuid,
    limit: u32,
) -> Result<Vec<(Command, Option<CampaignDevice>)>, StoreError> {
    let origin = Origin::Campaign { id }.to_string();
    let ended = commands::awaited(conn, &origin, limit)?;
    ended
        .into_iter()
        .map(|command| {
            let of = "cd.device = ?1 AND cd.campaign = ?2";
            let known = devices(conn, of, params![command.device.as_str(), Id(id)])?.pop();
            Ok((command, known))
        })
        .collect()
}

/// The devices among these of which the campaign has no row. They come in their order, so that one range has all of them.
fn unreached(conn: &Connection, id: Uuid, mut wanted: Vec<DeviceId>) -> Result<Vec<DeviceId>, StoreError> {
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(wanted) };
    let reached: std::collections::HashSet<String> = query(
        conn,
        "SELECT device FROM campaign_device WHERE device >= ?1 AND device <= ?2 AND campaign = ?3",
        params![first.as_str(), last.as_str(), Id(id)],
        |row| row.get(0),
    )?
    .into_iter()
    .collect();
    wanted.retain(|device| !reached.contains(device.as_str()));
    Ok(wanted)
}

fn orphans(
    conn: &Connection,
    id: Uuid,
    after: Option<&DeviceId>,
    limit: u32,
) -> Result<CampaignOrphans, StoreError> {
    // Where a device was given a profile, its enrolment is all there is to look for.
    let looked_at = query(
        conn,
        "SELECT cd.device, CASE WHEN cd.last_seq = 0 THEN d.generation ELSE c.seq END FROM campaign_device cd
           LEFT JOIN device d ON d.device = cd.device AND d.generation = cd.generation
           LEFT JOIN command c ON c.device = cd.device AND c.generation = cd.generation AND c.seq = cd.last_seq
         WHERE cd.campaign = ?1 AND cd.state = 'open' AND cd.device > ?2 ORDER BY cd.device LIMIT ?3",
        params![Id(id), after.map_or("", DeviceId::as_str), limit],
        |row| Ok((row.get::<Dev>(0)?.0, row.get::<Option<i64>>(1)?)),
    )?;
    let last = looked_at.last().map(|(device, _)| device.clone());
    let gone = looked_at.into_iter().filter(|(_, seq)| seq.is_none()).map(|(device, _)| device).collect();
    Ok(CampaignOrphans { gone, last })
}

fn profile_devices(
    conn: &Connection,
    id: Uuid,
    profile: &str,
    version: i64,
    after: Option<&DeviceId>,
    limit: u32,
) -> Result<Vec<CampaignProfileDevice>, StoreError> {
    query(
        conn,
        "SELECT cd.device, cd.generation, cd.attempts, cd.updated, dp.state, dp.reason, d.pinned FROM campaign_device cd
           JOIN device d ON d.device = cd.device AND d.generation = cd.generation
           LEFT JOIN device_profile dp ON dp.device = cd.device AND dp.generation = cd.generation
             AND dp.profile = ?4 AND dp.version = ?5
         WHERE cd.campaign = ?1 AND cd.state = 'open' AND cd.device > ?2 ORDER BY cd.device LIMIT ?3",
        params![Id(id), after.map_or("", DeviceId::as_str), limit, profile, version],
        |row| {
            let pin = Pin::read(row.get::<Option<String>>(6)?.as_deref()).remove(profile);
            Ok(CampaignProfileDevice {
                device: row.get::<Dev>(0)?.0,
                generation: row.get(1)?,
                attempts: row.get(2)?,
                since: Time(row.get(3)?),
                state: row.get(4)?,
                reason: row.get(5)?,
                pin: pin.filter(|pin| pin.campaign == id),
            })
        },
    )
}

fn remove(conn: &Connection, id: Uuid, limit: u32) -> Result<Option<bool>, StoreError> {
    let over = query_optional(
        conn,
        "SELECT id FROM campaign WHERE id = ?1
           AND (state = 'draft' OR (state IN ('stopped', 'failed', 'done') AND n_open + n_retry + n_waiting = 0))",
        params![Id(id)],
        |row| row.get::<Id>(0),
    )?;
    if over.is_none() {
        return Ok(Some(false));
    }
    let old: Vec<String> = query(
        conn,
        "SELECT device FROM campaign_device WHERE campaign = ?1 ORDER BY state, device LIMIT ?2",
        params![Id(id), limit],
        |row| row.get(0),
    )?;
    for device in &old {
        let sql = "DELETE FROM campaign_device WHERE device = ?1 AND campaign = ?2";
        execute(conn, sql, params![device, Id(id)])?;
    }
    if count(old.len()) >= i64::from(limit) {
        return Ok(None);
    }
    execute(conn, "DELETE FROM campaign WHERE id = ?1", params![Id(id)])?;
    Ok(Some(true))
}
