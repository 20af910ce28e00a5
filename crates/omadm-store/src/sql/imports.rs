//! Imports of devices.

use std::collections::BTreeMap;

use omadm_mo::{DeviceId, Time};
use uuid::Uuid;

use super::{Connection, Id, Row, SqlStore, devices, events, fleet};
use super::{count, execute, params, query, query_optional};
use crate::{
    Annotation, Enrolment, Import, ImportCredential, ImportEvent, ImportRow, ImportState, ImportStore,
    RowOutcome, RowReport, StoreError, StoredSecret,
};

/// Columns of an import, in the order of [`import`].
const IMPORT: &str =
    "id, created, created_by, updated, state, dry_run, row_count, bad, position, failed, detail";

#[async_trait::async_trait]
impl ImportStore for SqlStore {
    async fn begin_import(&self, id: Uuid, by: &str, dry_run: bool, now: Time) -> Result<(), StoreError> {
        let by = by.to_owned();
        let begin = move |conn: &Connection| {
            execute(
                conn,
                "INSERT INTO import (id, created, created_by, updated, state, dry_run, row_count, bad, position, failed)
                 VALUES (?1, ?2, ?3, ?2, ?4, ?5, 0, 0, 0, 0)",
                params![Id(id), now.0, by, ImportState::Reading, dry_run],
            )
            .map(drop)
        };
        self.write(begin).await
    }

    async fn add_import_rows(&self, id: Uuid, rows: Vec<ImportRow>, now: Time) -> Result<(), StoreError> {
        self.write(move |conn| add(conn, id, &rows, now)).await
    }

    async fn end_import_reading(
        &self,
        id: Uuid,
        failure: Option<String>,
        now: Time,
    ) -> Result<(), StoreError> {
        let end = move |conn: &Connection| {
            let state = if failure.is_some() { ImportState::Failed } else { ImportState::Checking };
            let changed = execute(
                conn,
                "UPDATE import SET state = ?2, detail = ?3, updated = ?4 WHERE id = ?1 AND state = 'reading'",
                params![Id(id), state, failure, now.0],
            )?;
            still_read(changed)
        };
        self.write(end).await
    }

    async fn step_import(
        &self,
        id: Uuid,
        limit: u32,
        max_labels: usize,
        event: ImportEvent,
        now: Time,
    ) -> Result<(Import, bool), StoreError> {
        let step = move |conn: &Connection| {
            let read = Step { conn, id, limit, max_labels, event, now };
            read.take()
        };
        self.write(step).await
    }

    async fn import(&self, id: Uuid) -> Result<Option<Import>, StoreError> {
        self.read_small(move |conn| get(conn, id)).await
    }

    async fn imports(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Import>, StoreError> {
        let before = before.unwrap_or(Uuid::max());
        let list = move |conn: &Connection| {
            let sql = format!("SELECT {IMPORT} FROM import WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
            query(conn, &sql, params![Id(before), limit], import)
        };
        self.read(list).await
    }

    async fn import_rows(
        &self,
        id: Uuid,
        after: i64,
        only_faults: bool,
        limit: u32,
    ) -> Result<Vec<RowReport>, StoreError> {
        let read = move |conn: &Connection| {
            let faults = if only_faults { "AND outcome IN ('bad', 'failed')" } else { "" };
            let sql = format!(
                "SELECT number, device, outcome, reason FROM import_row
                 WHERE import = ?1 AND number > ?2 {faults} ORDER BY number LIMIT ?3"
            );
            query(conn, &sql, params![Id(id), after, limit], |row| {
                Ok(RowReport {
                    number: row.get(0)?,
                    device: row.get(1)?,
                    outcome: row.get(2)?,
                    reason: row.get(3)?,
                })
            })
        };
        self.read(read).await
    }

    async fn open_imports(
        &self,
        silent: Time,
        stalled: Time,
        limit: u32,
        now: Time,
    ) -> Result<Vec<Uuid>, StoreError> {
        let find = move |conn: &Connection| {
            execute(
                conn,
                "UPDATE import SET state = 'failed', updated = ?2, detail = 'its rows ended in the middle; send it again'
                 WHERE state = 'reading' AND updated < ?1",
                params![silent.0, now.0],
            )?;
            // Those that are final may have secrets left that nobody needs any more.
            let sql = "SELECT id FROM import WHERE updated < ?1 AND (state IN ('checking', 'writing')
                   OR (state IN ('checked', 'refused', 'failed') AND position < row_count)) ORDER BY id LIMIT ?2";
            query(conn, sql, params![stalled.0, limit], |row| row.get::<Id>(0).map(|id| id.0))
        };
        self.write(find).await
    }

    async fn prune_imports(&self, before: Time, limit: u32) -> Result<u32, StoreError> {
        self.write(move |conn| prune(conn, before, limit)).await
    }
}

fn import(row: &Row<'_>) -> Result<Import, StoreError> {
    Ok(Import {
        id: row.get::<Id>(0)?.0,
        created: Time(row.get(1)?),
        created_by: row.get(2)?,
        updated: Time(row.get(3)?),
        state: row.get(4)?,
        dry_run: row.get(5)?,
        rows: row.get(6)?,
        bad: row.get(7)?,
        position: row.get(8)?,
        failed: row.get(9)?,
        detail: row.get(10)?,
    })
}

fn get(conn: &Connection, id: Uuid) -> Result<Option<Import>, StoreError> {
    query_optional(conn, &format!("SELECT {IMPORT} FROM import WHERE id = ?1"), params![Id(id)], import)
}

fn still_read(changed: usize) -> Result<(), StoreError> {
    if changed == 0 { Err(StoreError::Conflict("the import is not being read any more")) } else { Ok(()) }
}

fn add(conn: &Connection, id: Uuid, rows: &[ImportRow], now: Time) -> Result<(), StoreError> {
    let bad = rows.iter().filter(|row| row.problem.is_some()).count();
    let changed = execute(
        conn,
        "UPDATE import SET row_count = row_count + ?2, bad = bad + ?3, updated = ?4 WHERE id = ?1 AND state = 'reading'",
        params![Id(id), count(rows.len()), count(bad), now.0],
    )?;
    still_read(changed)?;
    for row in rows {
        let credential = row.credential.as_ref();
        let labels = serde_json::json!(row.annotation.labels).to_string();
        let outcome = if row.problem.is_some() { RowOutcome::Bad } else { RowOutcome::Read };
        execute(
            conn,
            "INSERT INTO import_row (import, number, device, name, note, labels, username, verifier, dm1, replaces, outcome, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                Id(id),
                row.number,
                row.device,
                row.annotation.name,
                row.annotation.note,
                labels,
                credential.map(|credential| credential.user.as_str()),
                credential.and_then(|credential| credential.verifier.as_ref()),
                credential.and_then(|credential| credential.dm1.as_ref()),
                credential.is_some_and(|credential| credential.replace),
                outcome,
                row.problem
            ],
        )?;
    }
    Ok(())
}

/// A row as it is worked on.
struct Stored {
    row: ImportRow,
    outcome: RowOutcome,
}

fn stored(row: &Row<'_>) -> Result<Stored, StoreError> {
    let labels: BTreeMap<String, Option<String>> = serde_json::from_str(&row.get::<String>(4)?)
        .map_err(|error| StoreError::Engine(format!("the labels of a row of an import: {error}")))?;
    let user: Option<String> = row.get(5)?;
    let verifier: Option<StoredSecret> = row.get(6)?;
    let dm1: Option<StoredSecret> = row.get(7)?;
    let replace: bool = row.get(8)?;
    let credential = user.map(|user| ImportCredential { user, verifier, dm1, replace });
    let annotation = Annotation { name: row.get(2)?, note: row.get(3)?, labels };
    let row_itself =
        ImportRow { number: row.get(0)?, device: row.get(1)?, annotation, credential, problem: row.get(10)? };
    Ok(Stored { row: row_itself, outcome: row.get(9)? })
}

/// One step of one import.
struct Step<'c> {
    conn: &'c Connection,
    id: Uuid,
    limit: u32,
    max_labels: usize,
    event: ImportEvent,
    now: Time,
}

impl Step<'_> {
    fn take(&self) -> Result<(Import, bool), StoreError> {
        let gone = || StoreError::Conflict("the import was removed");
        let before = get(self.conn, self.id)?.ok_or_else(gone)?;
        // The row of the import is written first: a second node that does the same waits here, and finds another position then.
        let sql = "UPDATE import SET updated = ?3 WHERE id = ?1 AND position = ?2 AND state = ?4";
        let params = params![Id(self.id), before.position, self.now.0, before.state];
        if execute(self.conn, sql, params)? == 0 {
            return Err(StoreError::Conflict("another node goes on with the import"));
        }
        match before.state {
            ImportState::Checking => self.check(&before)?,
            ImportState::Writing => self.write(&before)?,
            ImportState::Checked | ImportState::Refused | ImportState::Failed => self.forget(&before)?,
            ImportState::Reading | ImportState::Done => {}
        }
        let after = get(self.conn, self.id)?.ok_or_else(gone)?;
        let more = match after.state {
            ImportState::Reading | ImportState::Done => false,
            ImportState::Checking | ImportState::Writing => true,
            ImportState::Checked | ImportState::Refused | ImportState::Failed => after.position < after.rows,
        };
        Ok((after, more))
    }

    /// Rows behind a position.
    fn rows(&self, before: &Import) -> Result<Vec<Stored>, StoreError> {
        query(
            self.conn,
            "SELECT number, device, name, note, labels, username, verifier, dm1, replaces, outcome, reason
             FROM import_row WHERE import = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
            params![Id(self.id), before.position, self.limit],
            stored,
        )
    }

    fn check(&self, before: &Import) -> Result<(), StoreError> {
        let rows = self.rows(before)?;
        let mut bad = 0;
        for Stored { row, outcome } in &rows {
            if *outcome == RowOutcome::Bad {
                continue;
            }
            let judged = match self.repeated(row)? {
                Some(problem) => Err(problem),
                None => self.judge(row)?,
            };
            bad += i64::from(judged.is_err());
            self.note(
                row,
                judged.as_ref().copied().unwrap_or(RowOutcome::Bad),
                judged.err().as_deref(),
                false,
            )?;
        }
        if rows.len() == self.limit as usize {
            let position = rows.last().map_or(before.position, |last| last.row.number);
            return self.advance(ImportState::Checking, position, bad, 0, None);
        }
        let bad_in_all = before.bad + bad;
        let (state, detail) = match (bad_in_all, before.dry_run) {
            (0, true) => (ImportState::Checked, None),
            (0, false) => (ImportState::Writing, None),
            (bad, _) => (
                ImportState::Refused,
                Some(format!("{bad} of {} rows are bad; nothing was written", before.rows)),
            ),
        };
        self.advance(state, 0, bad, 0, detail)
    }

    fn write(&self, before: &Import) -> Result<(), StoreError> {
        let rows = self.rows(before)?;
        let mut failed = 0;
        for Stored { row, .. } in &rows {
            // Judged anew: something may have changed since it was checked.
            let judged = self.judge(row)?;
            if let Ok(outcome) = judged {
                self.carry_out(row, outcome)?;
                events::add(self.conn, &[(self.event)(&row.device, outcome, &before.created_by)], self.now)?;
            }
            failed += i64::from(judged.is_err());
            self.note(
                row,
                judged.as_ref().copied().unwrap_or(RowOutcome::Failed),
                judged.err().as_deref(),
                true,
            )?;
        }
        let position = rows.last().map_or(before.position, |last| last.row.number);
        let over = rows.len() < self.limit as usize;
        let state = if over { ImportState::Done } else { ImportState::Writing };
        self.advance(state, position, 0, failed, None)
    }

    /// Forgets the secrets of rows that will not be written.
    fn forget(&self, before: &Import) -> Result<(), StoreError> {
        let position = before.rows.min(before.position + i64::from(self.limit));
        execute(
            self.conn,
            "UPDATE import_row SET verifier = NULL, dm1 = NULL WHERE import = ?1 AND number > ?2 AND number <= ?3",
            params![Id(self.id), before.position, position],
        )?;
        self.advance(before.state, position, 0, 0, before.detail.clone())
    }

    fn advance(
        &self,
        state: ImportState,
        position: i64,
        bad: i64,
        failed: i64,
        detail: Option<String>,
    ) -> Result<(), StoreError> {
        execute(
            self.conn,
            "UPDATE import SET state = ?2, position = ?3, bad = bad + ?4, failed = failed + ?5, detail = ?6 WHERE id = ?1",
            params![Id(self.id), state, position, bad, failed, detail],
        )
        .map(drop)
    }

    /// Writes what a row is; with `over` its secrets go.
    fn note(
        &self,
        row: &ImportRow,
        outcome: RowOutcome,
        reason: Option<&str>,
        over: bool,
    ) -> Result<(), StoreError> {
        let forget = if over { ", verifier = NULL, dm1 = NULL" } else { "" };
        let sql = format!(
            "UPDATE import_row SET outcome = ?3, reason = ?4{forget} WHERE import = ?1 AND number = ?2"
        );
        execute(self.conn, &sql, params![Id(self.id), row.number, outcome, reason]).map(drop)
    }

    /// Why a row cannot stand beside an earlier one.
    fn repeated(&self, row: &ImportRow) -> Result<Option<String>, StoreError> {
        let first = |column: &str, value: &str| -> Result<Option<i64>, StoreError> {
            let sql = format!(
                "SELECT number FROM import_row WHERE import = ?1 AND {column} = ?2 AND number < ?3 ORDER BY number LIMIT 1"
            );
            query_optional(self.conn, &sql, params![Id(self.id), value, row.number], |row| row.get(0))
        };
        if let Some(number) = first("device", &row.device)? {
            return Ok(Some(format!("row {number} is about the same device")));
        }
        let user = row.credential.as_ref().map(|credential| credential.user.as_str());
        let number = user.map(|user| first("username", user)).transpose()?.flatten();
        Ok(number.map(|number| format!("row {number} has the same user name")))
    }

    /// What a row does to the devices there are, or why it cannot.
    fn judge(&self, row: &ImportRow) -> Result<Result<RowOutcome, String>, StoreError> {
        let id = match DeviceId::parse(&row.device) {
            Ok(id) => id,
            Err(error) => return Ok(Err(format!("the id: {error}"))),
        };
        let device = devices::get(self.conn, &id)?;
        let outcome = match (&device, &row.credential) {
            (None, None) => {
                return Ok(Err(
                    "the device is not enrolled, and the row has no secret to enrol it with".to_owned()
                ));
            }
            (None, Some(_)) => RowOutcome::Enrol,
            (Some(device), Some(_)) if device.revoked.is_some() => RowOutcome::Enrol,
            (Some(_), Some(credential)) if credential.replace => RowOutcome::Replace,
            (Some(_), Some(_)) => {
                return Ok(Err(
                    "the device is enrolled with another user name or secret; set replace to enrol it anew"
                        .to_owned(),
                ));
            }
            (Some(_), None) => RowOutcome::Change,
        };
        if let Some(credential) = &row.credential
            && let Some(other) = devices::credential(self.conn, &credential.user)?
            && other.device != id
        {
            return Ok(Err(format!("the user name {} belongs to {}", credential.user, other.device)));
        }
        if self.labels(&id, outcome, &row.annotation)? > self.max_labels {
            let most = self.max_labels;
            return Ok(Err(format!("the device would have more than {most} labels (fleet.max_labels)")));
        }
        Ok(Ok(outcome))
    }

    /// How many labels a device has after a row.
    fn labels(
        &self,
        id: &DeviceId,
        outcome: RowOutcome,
        annotation: &Annotation,
    ) -> Result<usize, StoreError> {
        let kept = match outcome {
            RowOutcome::Change => fleet::get(self.conn, id)?.map(|device| device.labels).unwrap_or_default(),
            _ => BTreeMap::new(),
        };
        let kept = kept.keys().filter(|key| !annotation.labels.contains_key(*key)).count();
        Ok(kept + annotation.labels.values().flatten().count())
    }

    fn carry_out(&self, row: &ImportRow, outcome: RowOutcome) -> Result<(), StoreError> {
        let Ok(device) = DeviceId::parse(&row.device) else { return Ok(()) };
        if let Some(ImportCredential { user, verifier: Some(verifier), dm1, .. }) = &row.credential {
            let enrolment = Enrolment {
                device: device.clone(),
                label: row.annotation.name.clone().unwrap_or_default(),
                user: user.clone(),
                verifier: verifier.clone(),
                dm1: dm1.clone(),
                replace: outcome == RowOutcome::Replace,
            };
            devices::enrol(self.conn, &[enrolment], self.now)?;
        }
        fleet::annotate(self.conn, &device, &row.annotation, usize::MAX).map(drop)
    }
}

fn prune(conn: &Connection, before: Time, limit: u32) -> Result<u32, StoreError> {
    let old: Option<Id> = query_optional(
        conn,
        "SELECT id FROM import WHERE updated < ?1 AND state IN ('done', 'checked', 'refused', 'failed') ORDER BY id LIMIT 1",
        params![before.0],
        |row| row.get(0),
    )?;
    let Some(id) = old else { return Ok(0) };
    let rows = execute(
        conn,
        "DELETE FROM import_row WHERE import = ?1 AND number IN
           (SELECT number FROM import_row WHERE import = ?1 ORDER BY number LIMIT ?2)",
        params![id, limit],
    )?;
    let gone = u32::try_from(rows).unwrap_or(u32::MAX);
    if gone < limit {
        execute(conn, "DELETE FROM import WHERE id = ?1", params![id])?;
        return Ok(gone + 1);
    }
    Ok(gone)
}
