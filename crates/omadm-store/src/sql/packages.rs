//! What is kept of packages.

use omadm_mo::Time;
use uuid::Uuid;

use super::{Connection, Id, Params, Row, SqlStore, execute, params, query, query_optional};
use crate::{Package, PackageRemoval, PackageStore, StoreError};

/// Columns of a package, in the order of [`package`].
const COLUMNS: &str =
    "id, name, version, kind, model, content_type, size, digest, signature, signed_by, created, created_by";

#[async_trait::async_trait]
impl PackageStore for SqlStore {
    async fn add_package(&self, package: Package) -> Result<bool, StoreError> {
        self.write(move |conn| add(conn, &package)).await
    }

    async fn package(&self, id: Uuid) -> Result<Option<Package>, StoreError> {
        self.read_small(move |conn| Ok(select(conn, "id = ?1", params![Id(id)])?.pop())).await
    }

    async fn package_named(&self, name: &str, version: &str) -> Result<Option<Package>, StoreError> {
        let (name, version) = (name.to_owned(), version.to_owned());
        let named = "name = ?1 AND version = ?2";
        self.read_small(move |conn| Ok(select(conn, named, params![name, version])?.pop())).await
    }

    async fn packages(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Package>, StoreError> {
        let before = Id(before.unwrap_or(Uuid::max()));
        let newest = "id < ?1 ORDER BY id DESC LIMIT ?2";
        self.read(move |conn| select(conn, newest, params![before, limit])).await
    }

    async fn remove_package(&self, id: Uuid) -> Result<PackageRemoval, StoreError> {
        self.write(move |conn| remove(conn, id)).await
    }
}

fn add(conn: &Connection, package: &Package) -> Result<bool, StoreError> {
    let Package { name, version, model, content_type, size, digest, created_by, .. } = package;
    let added = execute(
        conn,
        "INSERT INTO package (id, name, version, kind, model, content_type, size, digest, signature, signed_by, created,
           created_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
        params![
            Id(package.id),
            name,
            version,
            package.kind,
            model,
            content_type,
            size,
            digest,
            package.signature,
            package.signed_by,
            package.created.0,
            created_by
        ],
    )?;
    Ok(added > 0)
}

fn select(conn: &Connection, condition: &str, params: Params<'_>) -> Result<Vec<Package>, StoreError> {
    query(conn, &format!("SELECT {COLUMNS} FROM package WHERE {condition}"), params, package)
}

fn package(row: &Row<'_>) -> Result<Package, StoreError> {
    Ok(Package {
        id: row.get::<Id>(0)?.0,
        name: row.get(1)?,
        version: row.get(2)?,
        kind: row.get(3)?,
        model: row.get(4)?,
        content_type: row.get(5)?,
        size: row.get(6)?,
        digest: row.get(7)?,
        signature: row.get(8)?,
        signed_by: row.get(9)?,
        created: Time(row.get(10)?),
        created_by: row.get(11)?,
    })
}

fn remove(conn: &Connection, id: Uuid) -> Result<PackageRemoval, StoreError> {
    let campaign = query_optional(
        conn,
        "SELECT name FROM campaign WHERE package = ?1
           AND (state NOT IN ('stopped', 'failed', 'done') OR n_open + n_retry + n_waiting > 0) ORDER BY id LIMIT 1",
        params![Id(id)],
        |row| row.get::<String>(0),
    )?;
    if let Some(name) = campaign {
        return Ok(PackageRemoval::InUse(format!("the campaign {name:?}")));
    }
    let removed = execute(conn, "DELETE FROM package WHERE id = ?1", params![Id(id)])?;
    Ok(if removed > 0 { PackageRemoval::Removed } else { PackageRemoval::Unknown })
}
