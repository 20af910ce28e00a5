//! Taking in the rows of an import: they are read, checked by themselves and kept while they come.

use std::io::{self, Read};
use std::sync::Arc;

use axum::body::Body;
use bytes::{Buf as _, Bytes};
use http::StatusCode;
use omadm_auth::StoredCredential;
use omadm_store::{Annotation, ImportCredential, ImportRow, StoreError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::super::devices::{NewDevice, Prepared};
use super::super::fleet::Format;
use super::super::problem::Problem;
use super::rows::{Rows, Written};
use crate::clock;
use crate::context::Context;
use crate::fleet::checked;
use crate::patience::{Lost, Patience};

/// Rows that are kept in one batch.
const BATCH: usize = 200;
/// Pieces of the body that wait to be read.
const WAITING: usize = 8;

/// Takes in an import to its end.
///
/// # Errors
/// Why it has failed, which is noted in it, too.
pub async fn read(
    context: Arc<Context>,
    id: Uuid,
    by: String,
    dry_run: bool,
    format: Format,
    body: Body,
) -> Result<(), Problem> {
    context.store.begin_import(id, &by, dry_run, clock::now()).await?;
    let (feed, pieces) = mpsc::channel(WAITING);
    let reader = Reader { context: context.clone(), handle: Handle::current(), id, dry_run };
    // Verifiers are made of secrets here, and the store is waited for.
    let reading =
        tokio::task::spawn_blocking(move || reader.read(format, Pieces { pieces, current: Bytes::new() }));
    let sent = send(&context, body, feed).await;
    let read = reading.await.unwrap_or_else(|error| {
        tracing::error!(%error, "the reading of an import ended badly");
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why"))
    });
    // What is wrong with the body is why the rows have ended.
    let result = sent.and(read);
    let failure = result.as_ref().err().map(|problem| problem.detail().to_owned());
    context.store.end_import_reading(id, failure, clock::now()).await?;
    result
}

/// Sends the body to who reads it.
async fn send(
    context: &Context,
    mut body: Body,
    feed: mpsc::Sender<Result<Bytes, io::Error>>,
) -> Result<(), Problem> {
    let mut patience = Patience::new(&context.config.operator);
    let most = context.config.fleet.import_max_size.0;
    let mut length: usize = 0;
    loop {
        let failure = match patience.next(&mut body).await {
            Ok(None) => return Ok(()),
            Ok(Some(piece)) => {
                length = length.saturating_add(piece.len());
                if length <= most {
                    if feed.send(Ok(piece)).await.is_err() {
                        // Who read it has found a fault, and says which.
                        return Ok(());
                    }
                    continue;
                }
                let detail =
                    format!("an import has at most {most} octets (fleet.import_max_size); send several");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
            }
            Err(Lost::Broken(_)) => Problem::bad("the import broke off"),
            Err(lost @ (Lost::Silent(_) | Lost::Slow(_))) => {
                Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the import was not complete: {lost}"))
            }
        };
        // So that what came before is not taken for all there is.
        let _gone = feed.send(Err(io::Error::other("the import broke off"))).await;
        return Err(failure);
    }
}

/// The body, for who reads on a thread of its own.
struct Pieces {
    pieces: mpsc::Receiver<Result<Bytes, io::Error>>,
    current: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.current = piece?,
            }
        }
        let length = self.current.len().min(to.len());
        let (part, _) = to.split_at_mut(length);
        self.current.copy_to_slice(part);
        Ok(length)
    }
}

struct Reader {
    context: Arc<Context>,
    handle: Handle,
    id: Uuid,
    dry_run: bool,
}

impl Reader {
    fn read(&self, format: Format, body: impl Read) -> Result<(), Problem> {
        let mut rows = match format {
            Format::Csv => Rows::csv(body).map_err(Problem::bad)?,
            Format::Json => Rows::json(body),
        };
        let most = self.context.config.fleet.import_max_rows;
        let mut batch = Vec::with_capacity(BATCH);
        let mut number: usize = 0;
        while let Some(row) =
            rows.next().map_err(|problem| Problem::bad(format!("after row {number}: {problem}")))?
        {
            number += 1;
            if number > most {
                let detail =
                    format!("an import has at most {most} rows (fleet.import_max_rows); send several");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
            }
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            batch.push(match row {
                Ok(written) => self.row(number, written)?,
                Err((device, problem)) => bad(number, device, problem),
            });
            if batch.len() == BATCH {
                self.keep(std::mem::take(&mut batch))?;
            }
        }
        if number == 0 {
            return Err(Problem::bad("the import has no rows"));
        }
        Ok(self.keep(batch)?)
    }

    fn keep(&self, rows: Vec<ImportRow>) -> Result<(), StoreError> {
        self.handle.block_on(self.context.store.add_import_rows(self.id, rows, clock::now()))
    }

    /// A row as it is kept. Only what fails for all rows is an error.
    fn row(&self, number: i64, written: Written) -> Result<ImportRow, Problem> {
        let Written { id, label, note, labels, user, secret, psk, replace } = written;
        let annotation = match checked(Annotation { name: label.clone(), note, labels }) {
            Ok(annotation) => annotation,
            Err(problem) => return Ok(bad(number, id, problem)),
        };
        let row =
            |credential| ImportRow { number, device: id.clone(), annotation, credential, problem: None };
        let Some(secret) = secret else {
            let alone = [("user", user.is_some()), ("psk", psk), ("replace", replace)];
            return Ok(match alone.into_iter().find(|(_, given)| *given) {
                Some((name, _)) => bad(number, id, format!("{name} needs a secret beside it")),
                None => row(None),
            });
        };
        let new = NewDevice::with_secret(id.clone(), label, user, secret, psk, replace);
        let prepared = match Prepared::new(new, &self.context) {
            Ok(prepared) => prepared,
            Err(problem) if problem.is_internal() => return Err(problem),
            Err(problem) => return Ok(bad(number, id, problem.detail().to_owned())),
        };
        if !replace && self.has_already(&prepared, psk)? {
            return Ok(row(None));
        }
        let enrolment = prepared.enrolment;
        let kept = !self.dry_run;
        Ok(row(Some(ImportCredential {
            user: enrolment.user,
            verifier: Some(enrolment.verifier).filter(|_| kept),
            dm1: enrolment.dm1.filter(|_| kept),
            replace,
        })))
    }

    /// Whether the device has this credential: then the same table can be imported again.
    fn has_already(&self, prepared: &Prepared, psk: bool) -> Result<bool, StoreError> {
        let found = self.handle.block_on(self.context.store.credential(&prepared.enrolment.user))?;
        Ok(found.is_some_and(|found| {
            let same = StoredCredential::read(found.verifier.expose()).is_some_and(|stored| {
                stored.matches(&prepared.secret) && stored.shared_key().is_some() == psk
            });
            same && found.device == prepared.enrolment.device
        }))
    }
}

fn bad(number: i64, device: String, problem: String) -> ImportRow {
    ImportRow { number, device, annotation: Annotation::default(), credential: None, problem: Some(problem) }
}
