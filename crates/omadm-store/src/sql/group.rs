//! Group commit: several requests in one transaction, each of which answers for itself alone.

use tokio::sync::oneshot;

use super::Connection;
use crate::StoreError;

/// A request and the one who waits for its answer.
pub(crate) trait Job: Send {
    /// Does the work, from the start each time it is called; `false` has it undone.
    fn run(&mut self, conn: &Connection) -> bool;
    /// Answers; `failure` says why nothing of it is known to be durable.
    fn answer(self: Box<Self>, failure: Option<&StoreError>);
}

/// Jobs as they wait for their turn.
pub(crate) type BoxedJob = Box<dyn Job>;

struct Request<T, F> {
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Request<T, F>
where
    T: Send,
    F: Fn(&Connection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, conn: &Connection) -> bool {
        let result = (self.work)(conn);
        self.result.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, failure: Option<&StoreError>) {
        let result = match (self.result, failure) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(failure)) => Err(failure.again()),
            (Some(result), None) => result,
            (None, None) => Err(StoreError::Closed),
        };
        // Who no longer waits needs no answer; what was asked is done all the same.
        let _gone = self.reply.send(result);
    }
}

/// Makes a job of `work`, which may be run more than once, and a way to its answer.
pub(crate) fn job<T, F>(work: F) -> (BoxedJob, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Request { work, result: None, reply }), answer)
}

/// Runs the jobs in one transaction, as if nothing could go wrong: a savepoint for each would copy every page that it changes. When
/// one fails, all are done again such that it leaves nothing, and spares the others.
pub(crate) fn transact(conn: &Connection, jobs: &mut [BoxedJob]) -> Result<(), StoreError> {
    conn.begin()?;
    if jobs.iter_mut().all(|job| job.run(conn)) {
        return conn.commit();
    }
    conn.rollback()?;
    if conn.is_in_trouble() {
        return Err(in_trouble());
    }
    match jobs {
        [_alone] => Ok(()),
        jobs => transact_apart(conn, jobs),
    }
}

fn transact_apart(conn: &Connection, jobs: &mut [BoxedJob]) -> Result<(), StoreError> {
    conn.begin()?;
    for job in jobs {
        conn.run("SAVEPOINT request")?;
        // On a full disk and the like SQLite ends the whole transaction by itself: then the release below fails, and
        // with it all requests of the group, before the next of them could run without a transaction.
        if !job.run(conn) {
            if conn.is_in_trouble() {
                return Err(in_trouble());
            }
            conn.rollback_to("ROLLBACK TO SAVEPOINT request")?;
        }
        conn.run("RELEASE SAVEPOINT request")?;
    }
    conn.commit()
}

fn in_trouble() -> StoreError {
    StoreError::Unavailable("other transactions were in the way, or the connection was lost".to_owned())
}
