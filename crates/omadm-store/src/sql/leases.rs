//! Leases.

use omadm_mo::Time;

use super::{Connection, SqlStore, execute, params, query, query_optional};
use crate::{Lease, LeaseStore, StoreError};

#[async_trait::async_trait]
impl LeaseStore for SqlStore {
    async fn acquire_lease(
        &self,
        name: &str,
        owner: &str,
        now: Time,
        until: Time,
    ) -> Result<Option<Lease>, StoreError> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.write(move |conn| acquire(conn, &name, &owner, now, until)).await
    }

    async fn renew_lease(&self, lease: &Lease, until: Time) -> Result<bool, StoreError> {
        let lease = lease.clone();
        self.write(move |conn| hold_until(conn, &lease, until)).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<bool, StoreError> {
        let lease = lease.clone();
        self.write(move |conn| hold_until(conn, &lease, Time(0))).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        self.read(list).await
    }
}

fn acquire(
    conn: &Connection,
    name: &str,
    owner: &str,
    now: Time,
    until: Time,
) -> Result<Option<Lease>, StoreError> {
    // Nobody holds on for longer than is asked for here: a lease that seems to last for more than twice that comes of a clock that was
    // wrong, and must not keep the work from all others until that time.
    let latest = until.plus_micros(until.0.saturating_sub(now.0)).0;
    let fence = query_optional(
        conn,
        "INSERT INTO lease (name, owner, fence, expires) VALUES (?1, ?2, 1, ?4)
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires = excluded.expires,
           fence = lease.fence + CASE WHEN lease.owner = excluded.owner AND lease.expires > ?3 THEN 0 ELSE 1 END
         WHERE lease.owner = excluded.owner OR lease.expires <= ?3 OR lease.expires > ?5
         RETURNING fence",
        params![name, owner, now.0, until.0, latest],
        |row| row.get(0),
    )?;
    let lease = |fence| Lease { name: name.to_owned(), owner: owner.to_owned(), fence, expires: until };
    Ok(fence.map(lease))
}

fn hold_until(conn: &Connection, lease: &Lease, until: Time) -> Result<bool, StoreError> {
    let held = execute(
        conn,
        "UPDATE lease SET expires = ?4 WHERE name = ?1 AND owner = ?2 AND fence = ?3",
        params![lease.name, lease.owner, lease.fence, until.0],
    )?;
    Ok(held > 0)
}

fn list(conn: &Connection) -> Result<Vec<Lease>, StoreError> {
    query(conn, "SELECT name, owner, fence, expires FROM lease ORDER BY name", &[], |row| {
        Ok(Lease { name: row.get(0)?, owner: row.get(1)?, fence: row.get(2)?, expires: Time(row.get(3)?) })
    })
}
