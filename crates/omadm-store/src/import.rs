//! Imports: tables of devices that are taken in row by row, each row wholly or not at all.

use omadm_mo::Time;
use uuid::Uuid;

use crate::{Annotation, NewEvent, StoreError, StoredSecret};

/// How far an import is.
///
/// ```text
/// reading ──> checking ──> writing ──> done
///    │            ├──────> checked       (a dry run)
///    └─> failed   └──────> refused       (a row is bad)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportState {
    /// Its rows come in.
    Reading,
    /// Its rows are compared with each other and with the devices there are.
    Checking,
    /// Its rows are written.
    Writing,
    /// All rows were written, except those that failed.
    Done,
    /// It was a dry run, and all rows are good.
    Checked,
    /// A row is bad: nothing was written.
    Refused,
    /// It did not come in whole: nothing was written.
    Failed,
}

impl ImportState {
    const ALL: [Self; 7] = [
        Self::Reading,
        Self::Checking,
        Self::Writing,
        Self::Done,
        Self::Checked,
        Self::Refused,
        Self::Failed,
    ];

    /// The name for people, programs and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Checking => "checking",
            Self::Writing => "writing",
            Self::Done => "done",
            Self::Checked => "checked",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The inverse of [`ImportState::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing more happens.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Reading | Self::Checking | Self::Writing)
    }
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its identifier (time-ordered UUID).
    pub id: Uuid,
    /// When it began.
    pub created: Time,
    /// Who sent it.
    pub created_by: String,
    /// When it went on last.
    pub updated: Time,
    /// How far it is.
    pub state: ImportState,
    /// Whether nothing is to be written.
    pub dry_run: bool,
    /// Rows so far.
    pub rows: i64,
    /// Rows that are bad.
    pub bad: i64,
    /// Rows that the present state has gone through.
    pub position: i64,
    /// Rows that could not be written, because something had changed since they were checked.
    pub failed: i64,
    /// Why it failed, or was refused.
    pub detail: Option<String>,
}

/// What a row is, or came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// It can be read, and was not compared yet.
    Read,
    /// It enrols a device, or will.
    Enrol,
    /// It enrols a device anew, or will.
    Replace,
    /// It changes what people say about a device, or will.
    Change,
    /// It is wrong.
    Bad,
    /// It could not be written.
    Failed,
}

impl RowOutcome {
    const ALL: [Self; 6] = [Self::Read, Self::Enrol, Self::Replace, Self::Change, Self::Bad, Self::Failed];

    /// The name for people, programs and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Enrol => "enrol",
            Self::Replace => "replace",
            Self::Change => "change",
            Self::Bad => "bad",
            Self::Failed => "failed",
        }
    }

    /// The inverse of [`RowOutcome::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// A credential that a row brings.
#[derive(Clone, Debug)]
pub struct ImportCredential {
    /// HTTP user name.
    pub user: String,
    /// Verifier of the secret; none in a dry run.
    pub verifier: Option<StoredSecret>,
    /// What sessions of DM 1.x begin with (opaque here).
    pub dm1: Option<StoredSecret>,
    /// Whether an existing enrolment is replaced.
    pub replace: bool,
}

/// A row of an import.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// Its number, from 1.
    pub number: i64,
    /// DevID, as it was written.
    pub device: String,
    /// What it says about the device.
    pub annotation: Annotation,
    /// The credential that it brings, if the device does not have it already.
    pub credential: Option<ImportCredential>,
    /// Why it is bad, if that was seen when it was read.
    pub problem: Option<String>,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowReport {
    /// Its number, from 1.
    pub number: i64,
    /// DevID, as it was written.
    pub device: String,
    /// What it is.
    pub outcome: RowOutcome,
    /// Why it is bad or failed.
    pub reason: Option<String>,
}

/// Makes the event of a device that an import has enrolled, enrolled anew or changed: its DevID, what was done, and who sent it.
pub type ImportEvent = fn(&str, RowOutcome, &str) -> NewEvent;

/// Imports. What goes on by itself goes on from wherever it was, on any node: each step is one batch.
#[async_trait::async_trait]
pub trait ImportStore: Send + Sync {
    /// Begins an import.
    async fn begin_import(&self, id: Uuid, by: &str, dry_run: bool, now: Time) -> Result<(), StoreError>;
    /// Adds rows to an import that is being read, in the order of their numbers. [`StoreError::Conflict`] if it is not.
    async fn add_import_rows(&self, id: Uuid, rows: Vec<ImportRow>, now: Time) -> Result<(), StoreError>;
    /// Ends the reading of an import, well or for a reason. [`StoreError::Conflict`] if it had ended.
    async fn end_import_reading(
        &self,
        id: Uuid,
        failure: Option<String>,
        now: Time,
    ) -> Result<(), StoreError>;
    /// Goes on with an import by at most `limit` rows; gives how it stands, and whether there is more to do. A device may have
    /// `max_labels`.
    async fn step_import(
        &self,
        id: Uuid,
        limit: u32,
        max_labels: usize,
        event: ImportEvent,
        now: Time,
    ) -> Result<(Import, bool), StoreError>;
    /// An import.
    async fn import(&self, id: Uuid) -> Result<Option<Import>, StoreError>;
    /// Imports before one, newest first, at most `limit`.
    async fn imports(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Import>, StoreError>;
    /// What became of the rows of an import, after a number, at most `limit`; only those that are bad or failed, if that is asked.
    async fn import_rows(
        &self,
        id: Uuid,
        after: i64,
        only_faults: bool,
        limit: u32,
    ) -> Result<Vec<RowReport>, StoreError>;
    /// Imports that can go on and have not since `stalled`, oldest first, at most `limit`. Those whose rows have not come since `silent`
    /// have failed from now on.
    async fn open_imports(
        &self,
        silent: Time,
        stalled: Time,
        limit: u32,
        now: Time,
    ) -> Result<Vec<Uuid>, StoreError>;
    /// Removes rows of imports that ended before a time, and then these, at most `limit` in all; gives how many.
    async fn prune_imports(&self, before: Time, limit: u32) -> Result<u32, StoreError>;
}
