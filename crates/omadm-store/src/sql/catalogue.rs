//! What belongs to no device: DDF files, what is known of models, and pages.

use omadm_mo::Time;

use super::{Connection, Row, Texts, execute, params, query, query_optional, texts};
use crate::{DdfFile, Model, Page, StoreError};

pub(crate) fn put_ddf(conn: &Connection, ddf: &DdfFile) -> Result<(), StoreError> {
    execute(
        conn,
        "INSERT INTO ddf (name, moids, stored, text) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET moids = excluded.moids, stored = excluded.stored, text = excluded.text",
        params![ddf.name, texts(&ddf.moids), ddf.stored.0, ddf.text],
    )?;
    Ok(())
}

fn ddf_file(row: &Row<'_>) -> Result<DdfFile, StoreError> {
    Ok(DdfFile {
        name: row.get(0)?,
        moids: row.get::<Texts>(1)?.0,
        stored: Time(row.get(2)?),
        text: row.get(3)?,
    })
}

pub(crate) fn ddfs(conn: &Connection) -> Result<Vec<DdfFile>, StoreError> {
    query(conn, "SELECT name, moids, stored, '' FROM ddf ORDER BY name", &[], ddf_file)
}

pub(crate) fn ddf(conn: &Connection, name: &str) -> Result<Option<DdfFile>, StoreError> {
    query_optional(conn, "SELECT name, moids, stored, text FROM ddf WHERE name = ?1", params![name], ddf_file)
}

pub(crate) fn remove_ddf(conn: &Connection, name: &str) -> Result<bool, StoreError> {
    Ok(execute(conn, "DELETE FROM ddf WHERE name = ?1", params![name])? > 0)
}

pub(crate) fn put_model(conn: &Connection, model: &Model) -> Result<(), StoreError> {
    execute(
        conn,
        "INSERT INTO model (name, text) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET text = excluded.text",
        params![model.name, model.text],
    )?;
    Ok(())
}

pub(crate) fn model(conn: &Connection, name: &str) -> Result<Option<Model>, StoreError> {
    let read = |row: &Row<'_>| Ok(Model { name: row.get(0)?, text: row.get(1)? });
    query_optional(conn, "SELECT name, text FROM model WHERE name = ?1", params![name], read)
}

pub(crate) fn put_page(conn: &Connection, page: &Page) -> Result<(), StoreError> {
    execute(
        conn,
        "INSERT INTO page (name, stored, text) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET stored = excluded.stored, text = excluded.text",
        params![page.name, page.stored.0, page.text],
    )?;
    Ok(())
}

fn read_page(row: &Row<'_>) -> Result<Page, StoreError> {
    Ok(Page { name: row.get(0)?, stored: Time(row.get(1)?), text: row.get(2)? })
}

pub(crate) fn pages(conn: &Connection) -> Result<Vec<Page>, StoreError> {
    query(conn, "SELECT name, stored, text FROM page ORDER BY name", &[], read_page)
}

pub(crate) fn page(conn: &Connection, name: &str) -> Result<Option<Page>, StoreError> {
    query_optional(conn, "SELECT name, stored, text FROM page WHERE name = ?1", params![name], read_page)
}

pub(crate) fn remove_page(conn: &Connection, name: &str) -> Result<bool, StoreError> {
    Ok(execute(conn, "DELETE FROM page WHERE name = ?1", params![name])? > 0)
}
